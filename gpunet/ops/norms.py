"""Norms of vectors: one reduction for every order, with gradients that are 0, not NaN, where a norm is 0."""

from __future__ import annotations

import math

from gpunet.dispatch import op
from gpunet.ops.arithmetic import abs, pow
from gpunet.ops.compare import eq, where
from gpunet.ops.elementary import sign
from gpunet.ops.reduce import sum_op
from gpunet.ops.rules import accumulator, dims_of, reduced_shape, reduction, require_float

__all__ = ["norm"]


def _norms(x, *, ord, dims, keepdim):
    if math.isinf(ord) or ord < 0:
        if any(x.shape[d] == 0 for d in dims):
            raise RuntimeError(f"vector_norm: the norm of order {ord} of no elements is not defined; shape {x.shape}")
    return reduction(x, dims=dims, keepdim=keepdim)


@op(_norms)
def norm_op(xp, out, x, *, ord, dims, keepdim):
    """(sum of |x|^ord)^(1/ord); ord inf and -inf are the largest and the smallest |x|, 0 counts what is not 0."""
    size = xp.absolute(x.astype(accumulator(x.dtype), copy=False))
    if math.isinf(ord):
        result = (xp.max if ord > 0 else xp.min)(size, axis=dims, keepdims=keepdim)
    elif ord == 0:
        result = xp.sum(size != 0, axis=dims, keepdims=keepdim)
    elif ord == 1:
        result = xp.sum(size, axis=dims, keepdims=keepdim)
    elif ord == 2:
        result = xp.sqrt(xp.sum(size * size, axis=dims, keepdims=keepdim))
    else:
        result = xp.sum(size**ord, axis=dims, keepdims=keepdim) ** (1 / ord)
    xp.copyto(out, result, casting="unsafe")


@norm_op.gradient
def _(g, y, x, *, ord, dims, keepdim):
    shape = reduced_shape(x._array.shape, dims, True)
    g, y = g.reshape(shape), y.reshape(shape)
    if ord == 0:
        return (x * 0,)
    if ord == 1:
        return (sign(x) * g,)
    if math.isinf(ord):  # all that equal the norm share its gradient evenly
        chosen = eq(abs(x), y).to(x.dtype)
        return (sign(x) * chosen * (g / sum_op(chosen, dims=dims, keepdim=True)),)
    if ord == 2:
        return (x * where(eq(y, 0), 0.0, g / where(eq(y, 0), 1.0, y)),)
    # sign(x) |x|^(ord - 1), written so that its own derivative is right at 0
    powers = x * pow(abs(x), ord - 2) if ord >= 2 else sign(x) * pow(where(eq(x, 0), 1.0, abs(x)), ord - 1)
    return (powers * where(eq(y, 0), 0.0, g / pow(where(eq(y, 0), 1.0, y), ord - 1)),)


def vector_norm(x, ord=2, dim=None, keepdim: bool = False, *, dtype=None):
    """The norm (sum of |x|^ord)^(1/ord) of all elements, or along dimensions. ord: any number; inf is the largest, -inf
    the smallest |x|; 0 counts the elements that are not 0."""
    if dtype is not None:
        x = x.to(dtype)
    require_float(x._array, "vector_norm")
    if not isinstance(ord, (int, float)):
        raise RuntimeError(f"vector_norm: the order must be a number, got {ord!r}")
    return norm_op(x, ord=float(ord), dims=dims_of(dim, x._array.ndim, "vector_norm"), keepdim=keepdim)


def norm(input, p="fro", dim=None, keepdim: bool = False, dtype=None):
    """The norm of order p of all elements, or along dimensions; "fro" is 2, "nuc" the sum of a matrix's singular
    values."""
    if p == "nuc":
        from gpunet.ops.linalg import matrix_norm  # which stands on this file

        return matrix_norm(input, "nuc", (-2, -1) if dim is None else dim, keepdim, dtype=dtype)
    return vector_norm(input, 2 if p is None or p == "fro" else p, dim, keepdim, dtype=dtype)
