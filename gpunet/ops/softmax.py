"""Softmax, its logarithm, log-sum-exp: ops, and the functions at the top. nn.functional's are in nn_softmax.py."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import TYPE_CHECKING

from gpunet.dispatch import op
from gpunet.dtypes import get_default_dtype
from gpunet.native import Native
from gpunet.native.halves import FLOATS, number
from gpunet.ops import softmax_launch
from gpunet.ops.conditions import where_op
from gpunet.ops.elementary import exp_op
from gpunet.ops.half import rounded_once
from gpunet.ops.out import deliver
from gpunet.ops.reductions import amax_op, sum_op
from gpunet.ops.rules import accumulator, by_axis, check_dim, dims_of, reduced_shape, require_float

if TYPE_CHECKING:
    from gpunet.dtypes import dtype as Type
    from gpunet.tensor import Tensor

__all__ = ["log_softmax", "logsumexp", "softmax"]


def _rows(name):
    def rule(x, *, dim):
        require_float(x, name)
        return x.shape, x.dtype

    return rule


def _shifted(xp, x, dim):
    """x - max(x), in the accumulating type: exp() of it cannot overflow."""
    x = x.astype(accumulator(x.dtype), copy=False)
    return x - xp.max(x, axis=dim, keepdims=True) if x.size else x


def _summed(xp, x, dim):
    return xp.sum(x, axis=dim, keepdims=True)


@op(_rows("softmax"))
def softmax_op(xp, out, x, *, dim):
    e = xp.exp(_shifted(xp, x, dim))
    e /= _summed(xp, e, dim)
    xp.copyto(out, e, casting="unsafe")


@softmax_op.gradient
def _(g, y, _x, *, dim):
    return (softmax_grad(g, y, dim=dim),)


@op(_rows("log_softmax"))
def log_softmax_op(xp, out, x, *, dim):
    shifted = _shifted(xp, x, dim)
    xp.copyto(out, shifted - xp.log(_summed(xp, xp.exp(shifted), dim)), casting="unsafe")


@log_softmax_op.gradient
def _(g, y, _x, *, dim):
    return (log_softmax_grad(g, y, dim=dim),)


def _wide(*arrays):
    return [x.astype(accumulator(x.dtype), copy=False) for x in arrays]


@op(lambda g, y, *, dim: (y.shape, y.dtype))
def softmax_grad(xp, out, g, y, *, dim):
    """y (g - sum of g y)."""
    g, y = _wide(g, y)
    xp.copyto(out, y * (g - _summed(xp, g * y, dim)), casting="unsafe")


@softmax_grad.gradient
@rounded_once
def _(h, _, g, y, *, dim):
    def total(x):
        return sum_op(x, dims=(dim,), keepdim=True)

    return softmax_grad(h, y, dim=dim), lambda: h * (g - total(g * y)) - g * total(h * y)


@op(lambda g, y, *, dim: (y.shape, y.dtype))
def log_softmax_grad(xp, out, g, y, *, dim):
    """g - e^y sum of g."""
    g, y = _wide(g, y)
    xp.copyto(out, g - xp.exp(y) * _summed(xp, g, dim), casting="unsafe")


@log_softmax_grad.gradient
@rounded_once
def _(h, _, g, y, *, dim):
    def total(x):
        return sum_op(x, dims=(dim,), keepdim=True)

    return lambda: h - total(h * exp_op(y)), lambda: -h * exp_op(y) * total(g)


# ---- launches -------------------------------------------------------------------------------------------------------

softmax_op.kernel(softmax_launch.forward(logarithm=False))
log_softmax_op.kernel(softmax_launch.forward(logarithm=True))
softmax_grad.kernel(softmax_launch.backward(logarithm=False))
log_softmax_grad.kernel(softmax_launch.backward(logarithm=True))

# ---- native kernels --------------------------------------------------------------------------------------------------


def _native(operation):
    run = Native("softmax.cpp", operation.op.name)

    @operation.cpu(types=FLOATS)
    def _(out, *arrays, dim):
        shape = out.shape
        dim %= len(shape)
        run(out, *arrays, prod(shape[:dim]), shape[dim], prod(shape[dim + 1 :]), number(out.dtype))


for _each in (softmax_op, log_softmax_op, softmax_grad, log_softmax_grad):
    _native(_each)


def along_dim(operation, input, dim, dtype):
    """softmax_op or log_softmax_op along a dimension."""
    if dtype is not None:
        input = input.to(dtype)
    rank = input._array.ndim
    dim = check_dim(dim, rank, operation.op.name)
    return operation(input, dim=dim) if rank else operation(input.reshape(1), dim=0).reshape(())


def softmax(input: Tensor, dim: int | None = None, dtype: Type | None = None, *, out: Tensor | None = None,
            axis: int | None = None) -> Tensor:
    """Softmax along a dimension: y_i = e^x_i / sum over j of e^x_j.

    It does not overflow for finite x.

    Args:
        input: tensor of a floating-point type.
        dim: dimension along which the probabilities add up to 1; it has to be given.
        dtype: type to which the input is cast first.
        out: tensor of the result's type that receives the result; resized if its shape differs.
        axis: another name of dim.

    Returns:
        Tensor of input's shape.

    Raises:
        RuntimeError: the input is of an integer type or bool, and no dtype is given.
        IndexError: there is no such dimension.
        TypeError: neither dim nor axis is given, or both are.

    Example:
        >>> gpunet.softmax(gpunet.tensor([1.0, 2.0]), 0)
        tensor([0.2689, 0.7311])
    """
    if axis is not None or dim is None:
        dim = by_axis("softmax", dim, axis)
    return deliver(along_dim(softmax_op, input, dim, dtype), out, "softmax", exact=True)


def log_softmax(input: Tensor, dim: int | None = None, dtype: Type | None = None, *, out: Tensor | None = None,
                axis: int | None = None) -> Tensor:
    """Logarithm of the softmax along a dimension: y_i = x_i - ln(sum over j of e^x_j).

    Small probabilities are not lost, as they would be in log(softmax(x)).

    Args:
        input: tensor of a floating-point type.
        dim: dimension along which the probabilities add up to 1; it has to be given.
        dtype: type to which the input is cast first.
        out: tensor of the result's type that receives the result; resized if its shape differs.
        axis: another name of dim.

    Returns:
        Tensor of input's shape.

    Raises:
        RuntimeError: the input is of an integer type or bool, and no dtype is given.
        IndexError: there is no such dimension.
        TypeError: neither dim nor axis is given, or both are.

    Example:
        >>> gpunet.log_softmax(gpunet.tensor([1.0, 2.0]), 0)
        tensor([-1.3133, -0.3133])
    """
    if axis is not None or dim is None:
        dim = by_axis("log_softmax", dim, axis)
    return deliver(along_dim(log_softmax_op, input, dim, dtype), out, "log_softmax", exact=True)


def logsumexp(input: Tensor, dim: int | Sequence[int] | None = None, keepdim: bool = False, *,
              out: Tensor | None = None, axis: int | Sequence[int] | None = None,
              keepdims: bool = False) -> Tensor:
    """Logarithm of the sum of exponentials over dimensions: y = ln(sum over i of e^x_i).

    It does not overflow for finite x. Of no elements it is -inf.

    Args:
        input: tensor of any type; integers and bools are computed in the default floating-point type.
        dim: dimension or dimensions to reduce; has to be given.
        keepdim: keep the reduced dimensions, with size 1.
        out: tensor that receives the result; resized if its shape differs.
        axis: another name of dim.
        keepdims: another name of keepdim.

    Returns:
        Tensor without the reduced dimensions, or with size 1 in their place.

    Raises:
        IndexError: there is no such dimension.
        TypeError: neither dim nor axis is given, or both are.

    Example:
        >>> gpunet.logsumexp(gpunet.tensor([0.0, 0.0]), 0)
        tensor(0.6931)
    """
    if axis is not None or dim is None:
        dim = by_axis("logsumexp", dim, axis)
    return deliver(_logsumexp(input, dim, keepdim or keepdims), out, "logsumexp")


@rounded_once
def _logsumexp(input, dim, keepdim):
    dims = dims_of(dim, input._array.ndim, "logsumexp")
    if not input.is_floating_point():
        input = input.to(get_default_dtype())  # now: differences of unsigned integers would wrap
    if any(input._array.shape[d] == 0 for d in dims):
        return sum_op(exp_op(input), dims=dims, keepdim=keepdim).log()  # of nothing: -infinity
    top = amax_op(input.detach(), dims=dims, keepdim=True)
    top = where_op(top.isfinite(), top, 0.0)
    total = sum_op(exp_op(input - top), dims=dims, keepdim=True).log() + top
    return total if keepdim else total.reshape(reduced_shape(input._array.shape, dims, False))
