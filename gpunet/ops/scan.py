"""Cumulative sums, products, extremes: what a reduction gives after each element of a dimension."""

from __future__ import annotations

import numpy as np

from gpunet.dispatch import op
from gpunet.dtypes import INT64_NP
from gpunet.ops.compare import eq, where
from gpunet.ops.exponentials import exp
from gpunet.ops.half import rounded_once
from gpunet.ops.index import gather_op
from gpunet.ops.join import flip_op
from gpunet.ops.reduce import ValuesIndices
from gpunet.ops.rules import accumulator, check_dim, floating
from gpunet.ops.shape import cat, narrow

__all__ = ["cummax", "cummin", "cumprod", "cumsum", "logcumsumexp"]
IN_PLACE = ["cumprod", "cumsum"]


def _accumulated(x, *, dim):
    return x.shape, INT64_NP if x.dtype.kind in "iub" else x.dtype


def _scan(function, input, dim, dtype=None):
    """Calls an op of one dimension; a 0-d tensor counts as one element."""
    if dtype is not None:
        input = input.to(dtype)
    dim = check_dim(dim, input._array.ndim, function.op.name)
    result = function(input, dim=dim) if input._array.ndim else function(input.reshape(1), dim=0).reshape(())
    return result if dtype is None else result.to(dtype)


def _backwards(function, x, dim):
    return flip_op(function(flip_op(x, dims=(dim,)), dim=dim), dims=(dim,))


@op(_accumulated)
def cumsum_op(xp, out, x, *, dim):
    xp.copyto(out, xp.cumsum(x, axis=dim, dtype=accumulator(out.dtype)), casting="unsafe")


@cumsum_op.gradient
def _(g, _y, _x, *, dim):
    return (_backwards(cumsum_op, g, dim),)


def cumsum(input, dim: int, *, dtype=None):
    """Along a dimension, the sum of each element and all before it. Integers and bools sum in int64."""
    return _scan(cumsum_op, input, dim, dtype)


# ---- products ------------------------------------------------------------------------------------------------------


@op(_accumulated)
def cumprod_op(xp, out, x, *, dim):
    xp.copyto(out, xp.cumprod(x, axis=dim, dtype=accumulator(out.dtype)), casting="unsafe")


@cumprod_op.gradient
@rounded_once
def _(g, y, x, *, dim):
    # The derivative by x_k is (the product before k) s_k, where s_k = g_k + x_(k+1) s_(k+1): exact where x is zero.
    shifted = _shift(flip_op(x, dims=(dim,)), dim)
    s = flip_op(recurrence(shifted, flip_op(g, dims=(dim,)), dim=dim), dims=(dim,))
    return (_shift(y, dim) * s,)


def _shift(x, dim, first: float | None = 1):
    """Each element's predecessor along a dimension; that of the first is a number, or None for itself."""
    size = x._array.shape[dim]
    if size == 0:
        return x
    head = narrow(x, dim, 0, 1)
    return cat([head if first is None else head.new_full(head.shape, first), narrow(x, dim, 0, size - 1)], dim)


@op(lambda a, b, *, dim: (b.shape, b.dtype))
def recurrence(xp, out, a, b, *, dim):
    """s_i = b_i + a_i s_(i-1) along a dimension; s before the first is 0."""
    wide = accumulator(b.dtype)
    s, a = (xp.moveaxis(x.astype(wide), dim, 0) for x in (b, a))
    if xp is np and s.size >= 256 * len(s):  # few steps of much each
        for i in range(1, len(s)):
            s[i] += a[i] * s[i - 1]
    else:  # as in `doubling`: two steps are s -> (b_i + a_i b_(i-1)) + (a_i a_(i-1)) s
        step = 1
        while step < len(s):
            s[step:] += a[step:] * s[:-step]
            a[step:] = a[step:] * a[:-step]
            step *= 2
    xp.copyto(out, xp.moveaxis(s, 0, dim), casting="unsafe")


@recurrence.gradient
def _(g, s, a, _b, *, dim):
    back = recurrence(_shift(flip_op(a, dims=(dim,)), dim), flip_op(g, dims=(dim,)), dim=dim)
    back = flip_op(back, dims=(dim,))
    return lambda: back * _shift(s, dim, 0), back


def cumprod(input, dim: int, *, dtype=None):
    """Along a dimension, the product of each element and all before it. Integers and bools multiply in int64."""
    return _scan(cumprod_op, input, dim, dtype)


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


@logcumsumexp_op.gradient
@rounded_once
def _(g, y, x, *, dim):
    # The sum of g_i exp(x_k - y_i) over i >= k is exp(x_k - y_k) s_k, where s_k = g_k + exp(y_k - y_(k+1)) s_(k+1):
    # y never falls, so that no exponential overflows.
    g, reverse = flip_op(g, dims=(dim,)), flip_op(y, dims=(dim,))
    s = recurrence(exp(_difference(reverse, _shift(reverse, dim, None))), g, dim=dim)
    return (exp(_difference(x, y)) * flip_op(s, dims=(dim,)),)


def _difference(x, y):
    """x - y, 0 for equal infinities."""
    return where(eq(x, y), 0.0, x - y)


def logcumsumexp(input, dim: int):
    """Along a dimension, log(sum(exp(x))) of each element and all before it, without overflow."""
    return _scan(logcumsumexp_op, input, dim)


def _last_best(name, function):
    """An op: along a dimension, where the best of each element and all before it stands, the last of equals."""

    def body(xp, out, x, *, dim):
        best = doubling(xp, getattr(xp, function), x.copy(), dim)
        shape = [-1 if d == dim else 1 for d in range(x.ndim)]
        here = xp.arange(x.shape[dim]).reshape(shape) * ((x == best) | (x != x))
        xp.copyto(out, doubling(xp, xp.maximum, here, dim))

    body.__name__ = name
    return op(lambda x, *, dim: (x.shape, INT64_NP), differentiable=False)(body)


_cummax, _cummin = _last_best("cummax", "maximum"), _last_best("cummin", "minimum")


def _with_values(function, input, dim):
    indices = _scan(function, input, dim)
    if not input._array.ndim:
        return ValuesIndices(input.clone(), indices)
    return ValuesIndices(gather_op(input, indices, dim=check_dim(dim, input._array.ndim, function.op.name)), indices)


def cummax(input, dim: int):
    """Along a dimension, the largest of each element and all before it, NaN counting as the largest: a pair (values,
    indices), the last of equals."""
    return _with_values(_cummax, input, dim)


def cummin(input, dim: int):
    """Along a dimension, the smallest of each element and all before it, NaN counting as the smallest: a pair (values,
    indices), the last of equals."""
    return _with_values(_cummin, input, dim)
