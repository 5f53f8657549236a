"""Cumulative sums, products, extremes: what a reduction gives after each element of a dimension."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gpunet.dispatch import is_tensor, op
from gpunet.dtypes import BOOL_NP, INT64_NP, Number, dtype
from gpunet.ops import scan_launch
from gpunet.ops.conditions import eq_op, where_op
from gpunet.ops.elementary import exp_op
from gpunet.ops.extremes import ValuesIndices
from gpunet.ops.half import rounded_once
from gpunet.ops.index import gather_op
from gpunet.ops.join import cat
from gpunet.ops.out import deliver
from gpunet.ops.pieces import narrow
from gpunet.ops.reductions import sum_op
from gpunet.ops.rules import accumulator, check_dim, floating
from gpunet.ops.spellings import takes_axis

if TYPE_CHECKING:
    from gpunet.tensor import Tensor

__all__ = ["cummax", "cummin", "cumprod", "cumsum", "cumulative_trapezoid", "logcumsumexp", "trapezoid", "trapz"]


def _accumulated(x, *, dim, reverse=False):
    return x.shape, INT64_NP if x.dtype.kind in "iub" else x.dtype


def _scan(function, input, dim, dtype=None):
    """Calls an op of one dimension; a 0-d tensor counts as one element."""
    if dtype is not None:
        input = input.to(dtype)
    dim = check_dim(dim, input._array.ndim, function.op.name)
    result = function(input, dim=dim) if input._array.ndim else function(input.reshape(1), dim=0).reshape(())
    return result if dtype is None else result.to(dtype)


@op(_accumulated)
def cumsum_op(xp, out, x, *, dim, reverse=False):
    """The sum of each element and all before it; reverse: all after it."""
    x, into = (xp.flip(each, dim) if reverse else each for each in (x, out))
    xp.copyto(into, xp.cumsum(x, axis=dim, dtype=accumulator(out.dtype)), casting="unsafe")


@cumsum_op.kernel
def _(cuda, out, x, *, dim, reverse=False):
    return scan_launch.scan(cuda, out, x, dim, "Sum", reverse)


@cumsum_op.gradient
def _(g, _y, _x, *, dim, reverse=False):
    return (cumsum_op(g, dim=dim, reverse=not reverse),)


# ---- products ------------------------------------------------------------------------------------------------------


@op(_accumulated)
def cumprod_op(xp, out, x, *, dim):
    xp.copyto(out, xp.cumprod(x, axis=dim, dtype=accumulator(out.dtype)), casting="unsafe")


@cumprod_op.kernel
def _(cuda, out, x, *, dim):
    return scan_launch.scan(cuda, out, x, dim, "Product")


@cumprod_op.gradient
@rounded_once
def _(g, y, x, *, dim):
    # The derivative by x_k is (the product before k) s_k, where s_k = g_k + x_(k+1) s_(k+1): exact where x is zero.
    return (_before(y, dim) * recurrence(_before(x, dim, after=True), g, dim=dim, reverse=True),)


def _before(x, dim, end: float | None = 1, after: bool = False):
    """Each element's neighbour before or after it along a dimension; that of the last one in this direction is a
    number, or None for itself."""
    size = x._array.shape[dim]
    if size == 0:
        return x
    last = narrow(x, dim, size - 1 if after else 0, 1)
    parts = [last if end is None else last.new_full(last.shape, end), narrow(x, dim, int(after), size - 1)]
    return cat(parts[::-1] if after else parts, dim)


@op(lambda a, b, *, dim, reverse=False: (b.shape, b.dtype))
def recurrence(xp, out, a, b, *, dim, reverse=False):
    """s_i = b_i + a_i s_(i-1) along a dimension; s before the first is 0. reverse: from the last element on."""
    wide = accumulator(b.dtype)
    s, a = (xp.moveaxis(x.astype(wide), dim, 0)[:: -1 if reverse else 1] for x in (b, a))
    if xp is np and s.size >= 256 * len(s):  # few steps of much each
        for i in range(1, len(s)):
            s[i] += a[i] * s[i - 1]
    else:  # as in `doubling`: two steps are s -> (b_i + a_i b_(i-1)) + (a_i a_(i-1)) s
        step = 1
        while step < len(s):
            s[step:] += a[step:] * s[:-step]
            a[step:] = a[step:] * a[:-step]
            step *= 2
    xp.copyto(out, xp.moveaxis(s[:: -1 if reverse else 1], 0, dim), casting="unsafe")


@recurrence.kernel
def _(cuda, out, a, b, *, dim, reverse=False):
    return scan_launch.scan(cuda, out, b, dim, "Recurrence", reverse, a)


@recurrence.gradient
def _(g, s, a, _b, *, dim, reverse=False):
    back = recurrence(_before(a, dim, after=not reverse), g, dim=dim, reverse=not reverse)
    return lambda: back * _before(s, dim, 0, after=reverse), back


# ---- by doubling ---------------------------------------------------------------------------------------------------


def doubling(xp, combine, x, dim):
    """The scan with an associative function of two arrays, in log2(n) steps: after each, an element stands for twice as
    many. `x` is overwritten and returned."""
    rows, step = xp.moveaxis(x, dim, 0), 1
    while step < len(rows):
        rows[step:] = combine(rows[step:], rows[:-step])
        step *= 2
    return x


@op(floating("logcumsumexp"))
def logcumsumexp_op(xp, out, x, *, dim):
    wide = x.astype(accumulator(x.dtype))
    xp.copyto(out, doubling(xp, xp.logaddexp, wide, dim), casting="unsafe")


@logcumsumexp_op.kernel
def _(cuda, out, x, *, dim):
    return scan_launch.scan(cuda, out, x, dim, "LogSumExp")


@logcumsumexp_op.gradient
@rounded_once
def _(g, y, x, *, dim):
    # The sum of g_i exp(x_k - y_i) over i >= k is exp(x_k - y_k) s_k, where s_k = g_k + exp(y_k - y_(k+1)) s_(k+1):
    # y never falls, so that no exponential overflows.
    s = recurrence(exp_op(_difference(y, _before(y, dim, None, after=True))), g, dim=dim, reverse=True)
    return (exp_op(_difference(x, y)) * s,)


def _difference(x, y):
    """x - y, 0 for equal infinities."""
    return where_op(eq_op(x, y), 0.0, x - y)


def _last_best(name, function):
    """An op: along a dimension, where the best of each element and all before it stands, the last of equals."""

    def body(xp, out, x, *, dim):
        best = doubling(xp, getattr(xp, function), x.copy(), dim)
        shape = [-1 if d == dim else 1 for d in range(x.ndim)]
        here = xp.arange(x.shape[dim]).reshape(shape) * ((x == best) | (x != x))
        xp.copyto(out, doubling(xp, xp.maximum, here, dim))

    body.__name__ = name
    return op(lambda x, *, dim: (x.shape, INT64_NP), differentiable=False)(body)


cummax_op, cummin_op = _last_best("cummax", "maximum"), _last_best("cummin", "minimum")


def _with_values(function, input, dim):
    indices = _scan(function, input, dim)
    if not input._array.ndim:
        return ValuesIndices(input.clone(), indices)
    return ValuesIndices(gather_op(input, indices, dim=check_dim(dim, input._array.ndim, function.op.name)), indices)


# ---- for users ------------------------------------------------------------------------------------------------------


def _type(dtype, out):
    """The type to compute in: that of `out` where none is given, as in PyTorch, but not bool."""
    if dtype is None and is_tensor(out) and out._array.dtype != BOOL_NP:
        return out.dtype
    return dtype


@takes_axis
def cumsum(input: Tensor, dim: int, *, dtype: dtype | None = None, out: Tensor | None = None) -> Tensor:
    """Cumulative sum along a dimension: y_i = x_1 + ... + x_i. Integers and bools are summed in int64.

    Args:
        input: tensor of any type.
        dim: dimension along which it goes.
        dtype: type of the result, to which the input is brought first; None for that of `out`, else for input's own, or
            int64 for integers.
        out: tensor that receives the result, of type `dtype` if that is given; resized if its shape differs.

    Returns:
        Tensor of input's shape.

    Raises:
        IndexError: there is no such dimension.

    Example:
        >>> gpunet.cumsum(gpunet.tensor([1.0, 2.0, 3.0]), 0)
        tensor([1., 3., 6.])
    """
    return deliver(_scan(cumsum_op, input, dim, _type(dtype, out)), out, "cumsum", exact=True)


@takes_axis
def cumprod(input: Tensor, dim: int, *, dtype: dtype | None = None, out: Tensor | None = None) -> Tensor:
    """Cumulative product along a dimension: y_i = x_1 * ... * x_i. Integers and bools are multiplied in int64.

    Args:
        input: tensor of any type.
        dim: dimension along which it goes.
        dtype: type of the result, to which the input is brought first; None for that of `out`, else for input's own, or
            int64 for integers.
        out: tensor that receives the result, of type `dtype` if that is given; resized if its shape differs.

    Returns:
        Tensor of input's shape.

    Raises:
        IndexError: there is no such dimension.

    Example:
        >>> gpunet.cumprod(gpunet.tensor([2.0, 3.0, 4.0]), 0)
        tensor([ 2.,  6., 24.])
    """
    return deliver(_scan(cumprod_op, input, dim, _type(dtype, out)), out, "cumprod", exact=True)


@takes_axis
def logcumsumexp(input: Tensor, dim: int, *, out: Tensor | None = None) -> Tensor:
    """Logarithm of the cumulative sum of exponentials along a dimension: y_i = ln(e^x_1 + ... + e^x_i).

    Large elements do not overflow.

    Args:
        input: tensor of a floating-point type.
        dim: dimension along which it goes.
        out: tensor of the result's type that receives the result; resized if its shape differs.

    Returns:
        Tensor of input's shape.

    Raises:
        IndexError: there is no such dimension.
        RuntimeError: the input is not of a floating-point type.

    Example:
        >>> gpunet.logcumsumexp(gpunet.tensor([0.0, 0.0, 1.0]), 0)
        tensor([0.0000, 0.6931, 1.5514])
    """
    return deliver(_scan(logcumsumexp_op, input, dim), out, "logcumsumexp", exact=True)


@takes_axis
def cummax(input: Tensor, dim: int, *, out: tuple[Tensor, Tensor] | None = None) -> ValuesIndices:
    """The largest element so far along a dimension, and where it is; NaN counts as the largest.

    Of equal elements the last counts.

    Args:
        input: tensor of any type.
        dim: dimension along which it goes.
        out: two tensors, of input's type and int64, that receive the results; resized if their shapes differ.

    Returns:
        A named pair (values, indices) of tensors of input's shape; the indices are of type int64.

    Raises:
        IndexError: there is no such dimension.

    Example:
        >>> gpunet.cummax(gpunet.tensor([1.0, 3.0, 2.0]), 0).values
        tensor([1., 3., 3.])
    """
    return deliver(_with_values(cummax_op, input, dim), out, "cummax", exact=True)


@takes_axis
def cummin(input: Tensor, dim: int, *, out: tuple[Tensor, Tensor] | None = None) -> ValuesIndices:
    """The smallest element so far along a dimension, and where it is; NaN counts as the smallest.

    Of equal elements the last counts.

    Args:
        input: tensor of any type.
        dim: dimension along which it goes.
        out: two tensors, of input's type and int64, that receive the results; resized if their shapes differ.

    Returns:
        A named pair (values, indices) of tensors of input's shape; the indices are of type int64.

    Raises:
        IndexError: there is no such dimension.

    Example:
        >>> gpunet.cummin(gpunet.tensor([2.0, 1.0, 3.0]), 0).values
        tensor([2., 1., 1.])
    """
    return deliver(_with_values(cummin_op, input, dim), out, "cummin", exact=True)


# The in-place forms, and what computes them.
IN_PLACE = {"cumprod": cumprod, "cumsum": cumsum}


# ---- integrals of samples ------------------------------------------------------------------------------------------


@takes_axis
def trapezoid(y: Tensor, x: Tensor | None = None, *, dx: Number = 1, dim: int = -1) -> Tensor:
    """Integral of samples by the trapezoidal rule: the sum of (x[i + 1] - x[i]) (y[i] + y[i + 1]) / 2.

    Args:
        y: the samples.
        x: where they were taken: a vector, or a tensor of y's dimensions; None: at equal distances.
        dx: that distance.
        dim: the dimension along which the samples lie.

    Returns:
        Tensor without that dimension.

    Raises:
        IndexError: the dimension is out of range.
        RuntimeError: x has another number of samples than y.
        TypeError: both x and dx are given.

    Example:
        >>> gpunet.trapezoid(gpunet.tensor([1.0, 5.0, 10.0]))
        tensor(10.5000)
    """
    areas, dim = _trapezoids("trapezoid", y, x, dx, dim)
    return sum_op(areas, dims=(dim,), keepdim=False)


@takes_axis
def trapz(y: Tensor, x: Tensor | None = None, *, dx: Number = 1, dim: int = -1) -> Tensor:
    """Integral of samples by the trapezoidal rule: another name for `trapezoid`.

    Args:
        y: the samples.
        x: where they were taken: a vector, or a tensor of y's dimensions; None: at equal distances.
        dx: that distance.
        dim: the dimension along which the samples lie.

    Returns:
        Tensor without that dimension.

    Raises:
        IndexError: the dimension is out of range.
        RuntimeError: x has another number of samples than y.
        TypeError: both x and dx are given.

    Example:
        >>> gpunet.trapz(gpunet.tensor([1.0, 5.0, 10.0]), dx=2)
        tensor(21.)
    """
    return trapezoid(y, x, dx=dx, dim=dim)


@takes_axis
def cumulative_trapezoid(y: Tensor, x: Tensor | None = None, *, dx: Number = 1, dim: int = -1) -> Tensor:
    """Integrals of samples up to each one, by the trapezoidal rule.

    Args:
        y: the samples.
        x: where they were taken: a vector, or a tensor of y's dimensions; None: at equal distances.
        dx: that distance.
        dim: the dimension along which the samples lie.

    Returns:
        Tensor that is smaller by 1 along that dimension.

    Raises:
        IndexError: the dimension is out of range.
        RuntimeError: x has another number of samples than y.
        TypeError: both x and dx are given.

    Example:
        >>> gpunet.cumulative_trapezoid(gpunet.tensor([1.0, 5.0, 10.0]))
        tensor([ 3.0000, 10.5000])
    """
    areas, dim = _trapezoids("cumulative_trapezoid", y, x, dx, dim)
    return cumsum(areas, dim)


def _trapezoids(name, y, x, dx, dim):
    """The area between each sample and the next, and the dimension, counted from the front."""
    if x is not None and dx != 1:
        raise TypeError(f"{name}() got both x and dx; give one of them")
    if y._array.ndim == 0:
        raise IndexError(f"{name}: a 0-d tensor has no samples along a dimension")
    dim = check_dim(dim, y._array.ndim, name)
    pairs = _ahead(y, dim, 1) + _ahead(y, dim, 0)
    if x is None:
        return pairs * (dx / 2), dim
    if x._array.ndim == 1 and y._array.ndim > 1:
        x = x.reshape((-1,) + (1,) * (y._array.ndim - 1 - dim))
    along = dim - y._array.ndim + x._array.ndim  # x may have fewer dimensions, which are y's last
    if along < 0 or x._array.shape[along] != y._array.shape[dim]:
        raise RuntimeError(f"{name}: there must be one x for each of the {y._array.shape[dim]} samples, got an x of "
                           f"shape {tuple(x.shape)}")
    areas = pairs * (_ahead(x, along, 1) - _ahead(x, along, 0)) / 2.0
    return areas, dim + areas._array.ndim - y._array.ndim


def _ahead(t, dim, start):
    return narrow(t, dim, min(start, t._array.shape[dim]), max(t._array.shape[dim] - 1, 0))
