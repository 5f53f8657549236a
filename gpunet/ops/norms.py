"""Norms. Of vectors: one reduction for every order, with gradients that are 0, not NaN, where a norm is 0. Of matrices:
by sums, or by their singular values. `norm` is PyTorch's older function of both, `linalg_norm` is `linalg.norm`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from gpunet.dispatch import op
from gpunet.dtypes import INTS, public
from gpunet.ops.compare import eq, isnan, logical_and, logical_or, where
from gpunet.ops.decompose import svdvals
from gpunet.ops.elementary import zeros_like_gradient
from gpunet.ops.extremes import amax, amin
from gpunet.ops.half import rounded_once
from gpunet.ops.inverse import wide
from gpunet.ops.operators import abs, pow
from gpunet.ops.out import deliver
from gpunet.ops.reduce import sum
from gpunet.ops.reduce_launch import reduce
from gpunet.ops.reductions import sum_op
from gpunet.ops.rounding import sign
from gpunet.ops.rules import accumulator, check_dim, dims_of, reduced_shape, reduction, require_float
from gpunet.ops.shape import movedim, squeeze
from gpunet.ops.spellings import numpy_names, takes_axis

if TYPE_CHECKING:
    from gpunet.dtypes import Number, dtype
    from gpunet.tensor import Tensor

__all__ = ["norm", "renorm"]


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


@norm_op.kernel
def _(cuda, out, x, *, ord, dims, keepdim):
    function = {1.0: "Absolutes", 2.0: "Squares"}.get(ord)
    return reduce(cuda, out, x, dims, function=function) if function else NotImplemented


@norm_op.gradient
@rounded_once
def _(g, y, x, *, ord, dims, keepdim):
    shape = reduced_shape(x._array.shape, dims, True)
    g, y = g.reshape(shape), y.reshape(shape)
    if ord == 0:
        return (zeros_like_gradient(x),)
    if ord == 1:
        return (sign(x) * g,)
    if math.isinf(ord):  # all that equal the norm share its gradient evenly
        chosen = logical_or(eq(abs(x), y), logical_and(isnan(x), isnan(y))).to(x.dtype)
        return (sign(x) * chosen * (g / sum_op(chosen, dims=dims, keepdim=True)),)
    if ord == 2:
        return (x * where(eq(y, 0), 0.0, g / where(eq(y, 0), 1.0, y)),)
    # sign(x) |x|^(ord - 1), written so that its own derivative is right at 0
    powers = x * pow(abs(x), ord - 2) if ord >= 2 else sign(x) * pow(where(eq(x, 0), 1.0, abs(x)), ord - 1)
    return (powers * where(eq(y, 0), 0.0, g / pow(where(eq(y, 0), 1.0, y), ord - 1)),)


def vector_norm(input: Tensor, ord: Number = 2, dim: int | Sequence[int] | None = None, keepdim: bool = False, *,
                dtype: dtype | None = None, axis: int | Sequence[int] | None = None, keepdims: bool | None = None,
                out: Tensor | None = None) -> Tensor:
    """Norm of a vector: (sum of |x|^ord)^(1/ord).

    Args:
        input: tensor of a floating-point type.
        ord: the order: inf gives the largest |x|, -inf the smallest, 0 counts the elements that are not 0.
        dim: the dimension of the vectors, or several of them; by default all elements are one vector.
        keepdim: keep reduced dimensions, with size 1.
        dtype: the type to which the input is converted first.
        axis: another name for `dim`, as in NumPy.
        keepdims: another name for `keepdim`, as in NumPy.
        out: tensor of the result's type that receives the result; resized if its shape differs.

    Returns:
        Tensor without the reduced dimensions. Its gradient is 0, not NaN, where the norm is 0.

    Raises:
        RuntimeError: the input is of an integer type or bool, or the order is not a number.

    Example:
        >>> gpunet.linalg.vector_norm(gpunet.tensor([3.0, -4.0]))
        tensor(5.)
    """
    if axis is not None or keepdims is not None:
        dim, keepdim = numpy_names("vector_norm", dim, keepdim, axis, keepdims)
    return deliver(_vector_norm(input, ord, dim, keepdim, dtype), out, "vector_norm", exact=True)


def _vector_norm(x: Tensor, ord: Any, dim: Any, keepdim: bool, dtype: Any) -> Tensor:
    if dtype is not None:
        x = x.to(dtype)
    require_float(x._array, "vector_norm")
    if not isinstance(ord, (int, float)):
        raise RuntimeError(f"vector_norm: the order must be a number, got {ord!r}")
    return norm_op(x, ord=float(ord), dims=dims_of(dim, x._array.ndim, "vector_norm"), keepdim=keepdim)


def _singular(x: Tensor, which: Any, keepdim: bool) -> Tensor:
    s = which(svdvals(x), -1)
    return wide(s) if keepdim else s


_MATRIX_NORMS = ("fro", "nuc", math.inf, -math.inf, 1, -1, 2, -2)


def matrix_norm(input: Tensor, ord: Number | str = "fro", dim: Sequence[int] = (-2, -1), keepdim: bool = False, *,
                dtype: dtype | None = None, out: Tensor | None = None) -> Tensor:
    """Norm of a matrix.

    Args:
        input: tensor of a floating-point type with at least 2 dimensions.
        ord: "fro": the root of the sum of squares (Frobenius); "nuc": the sum of the singular values (nuclear);
            2 and -2: the largest and the smallest singular value; 1 and -1: the largest and the smallest sum of
            absolute values of a column; inf and -inf: those of a row.
        dim: the two dimensions of the matrices.
        keepdim: keep reduced dimensions, with size 1.
        dtype: the type to which the input is converted first.
        out: tensor of the result's type that receives the result; resized if its shape differs.

    Returns:
        Tensor without the reduced dimensions.

    Raises:
        RuntimeError: the order is another one, or `dim` does not name two dimensions.

    Example:
        >>> gpunet.linalg.matrix_norm(gpunet.tensor([[1.0, -2.0], [3.0, 1.0]]), ord=1)
        tensor(4.)
    """
    return deliver(_matrix_norm(input, ord, dim, keepdim, dtype), out, "matrix_norm", exact=True)


def _matrix_norm(A: Tensor, ord: Any, dim: Any, keepdim: bool, dtype: Any) -> Tensor:
    if dtype is not None:
        A = A.to(dtype)
    if ord not in _MATRIX_NORMS:
        raise RuntimeError(f"matrix_norm: the order must be one of {', '.join(map(str, _MATRIX_NORMS))}, got {ord!r}")
    rank = A._array.ndim
    rows, columns = (check_dim(d, rank, "matrix_norm") for d in dim)
    if rank < 2 or rows == columns:
        raise RuntimeError(f"matrix_norm: expected two different dimensions of a matrix, got {dim} and shape "
                           f"{tuple(A.shape)}")
    if ord == "fro":
        return _vector_norm(A, 2, (rows, columns), keepdim, None)
    largest = sum if 0 in (A._array.shape[rows], A._array.shape[columns]) else amax  # of nothing 0
    if ord == "nuc" or ord in (2, -2):
        x = movedim(A, (rows, columns), (-2, -1))
        result = _singular(x, sum if ord == "nuc" else largest if ord == 2 else amin, keepdim)
        return movedim(result, (-2, -1), (rows, columns)) if keepdim else result
    summed, other = (rows, columns) if ord in (1, -1) else (columns, rows)
    sums = sum(abs(A), summed, keepdim=True)
    result = (largest if ord > 0 else amin)(sums, other, keepdim=True)
    return result if keepdim else squeeze(result, (rows, columns))


def linalg_norm(input: Tensor, ord: Number | str | None = None, dim: int | Sequence[int] | None = None,
                keepdim: bool = False, *, dtype: dtype | None = None, axis: int | Sequence[int] | None = None,
                keepdims: bool | None = None, out: Tensor | None = None) -> Tensor:
    """Norm of a vector or of a matrix.

    Without `ord` it is the 2-norm of all elements, or along `dim`; with it `vector_norm` of a vector or along one
    dimension, `matrix_norm` of a matrix or along two.

    Args:
        input: tensor of a floating-point type.
        ord: the order; see vector_norm and matrix_norm.
        dim: a dimension, or a pair of them.
        keepdim: keep reduced dimensions, with size 1.
        dtype: the type to which the input is converted first.
        axis: another name for `dim`, as in NumPy.
        keepdims: another name for `keepdim`, as in NumPy.
        out: tensor of the result's type that receives the result; resized if its shape differs.

    Returns:
        Tensor without the reduced dimensions.

    Raises:
        RuntimeError: the order does not exist, or is given for more than 2 dimensions without `dim`.

    Example:
        >>> gpunet.linalg.norm(gpunet.tensor([[1.0, -2.0], [2.0, 4.0]]))
        tensor(5.)
    """
    if axis is not None or keepdims is not None:
        dim, keepdim = numpy_names("norm", dim, keepdim, axis, keepdims)
    return deliver(_norm(input, ord, dim, keepdim, dtype), out, "norm", exact=True)


def _norm(A: Tensor, ord: Any, dim: Any, keepdim: bool, dtype: Any) -> Tensor:
    dims = None if dim is None else (dim,) if isinstance(dim, INTS) else tuple(dim)
    if ord is not None and (len(dims) if dims is not None else A._array.ndim) == 2 or isinstance(ord, str):
        if dims is None and A._array.ndim != 2:
            raise RuntimeError(f"norm: the order {ord!r} is for matrices, got shape {tuple(A.shape)}; give dim")
        return _matrix_norm(A, ord, dims or (-2, -1), keepdim, dtype)
    if ord is not None and dims is None and A._array.ndim > 2:
        raise RuntimeError(f"norm: with an order but no dim the input must be a vector or a matrix, got shape "
                           f"{tuple(A.shape)}")
    return _vector_norm(A, 2 if ord is None else ord, dims, keepdim, dtype)


def norm(input: Tensor, p: Number | str | None = "fro", dim: int | Sequence[int] | None = None, keepdim: bool = False,
         out: Tensor | None = None, dtype: dtype | None = None) -> Tensor:
    """Norm of all elements, or along dimensions: PyTorch's older function; see also `linalg.norm`.

    Args:
        input: tensor of a floating-point type.
        p: the order, as in `linalg.vector_norm`; "fro" and None are 2; "nuc" is the sum of a matrix's singular values.
        dim: a dimension, or several of them; two for "nuc".
        keepdim: keep reduced dimensions, with size 1.
        out: tensor of the result's type that receives the result; resized if its shape differs.
        dtype: the type to which the input is converted first.

    Returns:
        Tensor without the reduced dimensions.

    Raises:
        RuntimeError: the input is of an integer type or bool.

    Example:
        >>> gpunet.norm(gpunet.tensor([3.0, -4.0]), p=1)
        tensor(7.)
    """
    if p == "nuc":
        result = _matrix_norm(input, "nuc", (-2, -1) if dim is None else dim, keepdim, dtype)
    else:
        result = _vector_norm(input, 2 if p is None or p == "fro" else p, dim, keepdim, dtype)
    return deliver(result, out, "norm", exact=True)


@takes_axis
def renorm(input: Tensor, p: float, dim: int, maxnorm: float, *, out: Tensor | None = None) -> Tensor:
    """Scales down each part of a tensor whose norm is above a bound: by maxnorm / (norm + 1e-7).

    Args:
        input: tensor of a floating-point type with at least 2 dimensions.
        p: the order of the norm, positive.
        dim: the dimension along which the parts are.
        maxnorm: the bound, not negative.
        out: tensor that receives the result; resized if its shape differs.

    Returns:
        Tensor of input's shape.

    Raises:
        RuntimeError: the input has one dimension, p is not positive, or maxnorm is negative.

    Example:
        >>> gpunet.renorm(gpunet.tensor([[3.0, 4.0], [0.3, 0.4]]), 2, 0, 1.0)
        tensor([[0.6000, 0.8000],
                [0.3000, 0.4000]])
    """
    rank = input._array.ndim
    require_float(input._array, "renorm")
    if rank < 2:
        raise RuntimeError(f"renorm: expected at least 2 dimensions, got shape {tuple(input.shape)}")
    if p <= 0 or maxnorm < 0:
        raise RuntimeError(f"renorm: p must be positive and maxnorm not negative, got {p} and {maxnorm}")
    kept = check_dim(dim, rank, "renorm")
    norms = norm_op(input.to(public(accumulator(input._array.dtype))), ord=float(p),
                    dims=tuple([d for d in range(rank) if d != kept]), keepdim=True)
    factors = where(norms > maxnorm, maxnorm / (norms + 1e-7), 1.0)
    return deliver(input * factors.to(input.dtype), out, "renorm", exact=True)
