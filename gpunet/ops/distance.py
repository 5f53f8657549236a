"""Distances, and what is divided by a norm."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpunet._promotion import rounded
from gpunet.dispatch import promote
from gpunet.dtypes import HALF_TYPES, Number
from gpunet.engine.extensions import extensions
from gpunet.ops.arithmetic import clamp_op
from gpunet.ops.broadcasting import broadcast_tensors
from gpunet.ops.conditions import eq_op, where_op
from gpunet.ops.elementary import sqrt_op
from gpunet.ops.half import rounded_once
from gpunet.ops.matmul import matmul
from gpunet.ops.norms import vector_norm
from gpunet.ops.out import deliver
from gpunet.ops.reduce import sum
from gpunet.ops.rules import by_axis, require_float
from gpunet.ops.shape import transpose, unsqueeze

if TYPE_CHECKING:
    from gpunet.tensor import Tensor

__all__ = ["cdist", "dist"]


def dist(input: Tensor, other: Tensor, p: Number = 2) -> Tensor:
    """Distance of two tensors as vectors: y = (sum of |input - other|^p)^(1 / p).

    Args:
        input: tensor of a floating-point type.
        other: tensor that broadcasts with the input.
        p: order of the norm; inf is the largest difference, 0 counts the elements that differ.

    Returns:
        Tensor without dimensions.

    Raises:
        RuntimeError: the shapes do not broadcast.

    Example:
        >>> gpunet.dist(gpunet.tensor([1.0, 2.0]), gpunet.tensor([4.0, 6.0]))
        tensor(5.)
    """
    return vector_norm(input - other, p)


_BY_PRODUCT, _IF_NECESSARY, _BY_DIFFERENCE = (
    "use_mm_for_euclid_dist", "use_mm_for_euclid_dist_if_necessary", "donot_use_mm_for_euclid_dist")


def cdist(x1: Tensor, x2: Tensor, p: float = 2.0,
          compute_mode: str | None = "use_mm_for_euclid_dist_if_necessary") -> Tensor:
    """Distances between all rows of two matrices: y[i, j] = (sum over k of |x1[i, k] - x2[j, k]|^p)^(1 / p).

    Args:
        x1: tensor of a floating-point type, shape (..., P, M).
        x2: tensor of a floating-point type, shape (..., R, M); what stands before the last two dimensions broadcasts.
        p: order of the norm, not negative; inf is the largest difference, 0 counts the elements that differ.
        compute_mode: for p = 2: "use_mm_for_euclid_dist" takes a product of matrices, which is fast but loses digits of
            small distances; "use_mm_for_euclid_dist_if_necessary" does so for more than 25 rows;
            "donot_use_mm_for_euclid_dist" never does.

    Returns:
        Tensor of shape (..., P, R).

    Raises:
        ValueError: compute_mode is none of these.
        RuntimeError: the shapes do not fit, the inputs are not of floating-point types, or p is negative.

    Example:
        >>> gpunet.cdist(gpunet.tensor([[0.0, 0.0]]), gpunet.tensor([[3.0, 4.0], [0.0, 1.0]]))
        tensor([[5., 1.]])
    """
    if compute_mode not in (None, _BY_PRODUCT, _IF_NECESSARY, _BY_DIFFERENCE):
        raise ValueError(f"{compute_mode} is not a valid value for compute_mode")
    return _cdist(x1, x2, p, compute_mode)


@rounded_once
def _cdist(x1, x2, p, compute_mode):
    for x in (x1, x2):
        require_float(x._array, "cdist")
    first, second = x1._array.shape, x2._array.shape
    if len(first) < 2 or len(second) < 2 or first[-1] != second[-1]:
        raise RuntimeError(f"cdist: expected [..., P, M] and [..., R, M], got shapes {first} and {second}")
    if p < 0:
        raise RuntimeError(f"cdist: p must not be negative, got {p}")
    many = first[-2] > 25 or second[-2] > 25
    if p == 2 and (compute_mode == _BY_PRODUCT or compute_mode != _BY_DIFFERENCE and many):
        x1, x2 = promote([x1, x2])
        squares = [sum(x * x, -1, keepdim=True) for x in (x1, x2)]
        square = squares[0] + transpose(squares[1], -1, -2) - 2 * matmul(x1, transpose(x2, -1, -2))
        square = clamp_op(square, low=0, high=None)
        zero = eq_op(square, 0)  # where the root has no gradient
        return where_op(zero, 0.0, sqrt_op(where_op(zero, 1.0, square)))
    difference = unsqueeze(x1, -2) - unsqueeze(x2, -3)
    return vector_norm(difference, p if first[-1] else 2, -1)  # of nothing, every norm is 0


def normalize(input: Tensor, p: float = 2.0, dim: int = 1, eps: float = 1e-12, out: Tensor | None = None) -> Tensor:
    """Vectors divided by their norm: y = x / max(norm of x, eps).

    Args:
        input: tensor of a floating-point type.
        p: order of the norm.
        dim: dimension of the vectors; several may be given.
        eps: least divisor, rounded to the input's type. In float16 1e-12 is 0, so that vectors of norm 0 give NaN, as
            in PyTorch.
        out: tensor that receives the result; resized if its shape differs.

    Returns:
        Tensor of input's shape and type.

    Raises:
        RuntimeError: the input is of an integer type or bool.
        IndexError: there is no such dimension.

    Example:
        >>> gpunet.nn.functional.normalize(gpunet.tensor([[3.0, 4.0]]))
        tensor([[0.6000, 0.8000]])
    """
    require_float(input._array, "normalize")
    return deliver(_unit_vectors(input, p, dim, _least(eps, input, _unit_vectors)), out, "normalize")


@rounded_once
def _unit_vectors(x, p, dim, eps):
    return x / clamp_op(vector_norm(x, p, dim, keepdim=True), low=eps, high=None)


def _least(eps, x, function):
    """eps rounded to the half type in which `function` gets x, as in PyTorch; it may become 0."""
    if extensions.autocast is not None:
        (x,) = extensions.autocast(function, (x,))
    dtype = x._array.dtype
    return rounded(eps, dtype) if dtype in HALF_TYPES else eps


def cosine_similarity(x1: Tensor, x2: Tensor, dim: int = 1, eps: float = 1e-8, *, axis: int | None = None) -> Tensor:
    """Cosine of the angle between vectors: y = sum of x1 * x2 / (max(|x1|, eps) * max(|x2|, eps)).

    Args:
        x1: tensor of a floating-point type.
        x2: tensor that broadcasts with x1.
        dim: dimension of the vectors.
        eps: least divisor, rounded to the inputs' type. In float16 1e-8 is 0, so that vectors of norm 0 give NaN, as in
            PyTorch.
        axis: another name of dim.

    Returns:
        Tensor of the broadcast shape without dim.

    Raises:
        RuntimeError: the shapes do not broadcast, or the inputs are not of floating-point types.
        IndexError: there is no such dimension.

    Example:
        >>> gpunet.cosine_similarity(gpunet.tensor([[1.0, 0.0]]), gpunet.tensor([[3.0, 4.0]]))
        tensor([0.6000])
    """
    if axis is not None:
        dim = by_axis("cosine_similarity", dim, axis, 1)
    x1, x2 = promote([x1, x2])
    require_float(x1._array, "cosine_similarity")
    x1, x2 = broadcast_tensors(x1, x2)
    return _cosine_similarity(x1, x2, dim, _least(eps, x1, _cosine_similarity))


@rounded_once
def _cosine_similarity(x1, x2, dim, eps):
    return sum(_unit_vectors(x1, 2.0, dim, eps) * _unit_vectors(x2, 2.0, dim, eps), dim)


def pairwise_distance(x1: Tensor, x2: Tensor, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False, *,
                      keepdims: bool = False) -> Tensor:
    """Distances of pairs of vectors along the last dimension: y = (sum of |x1 - x2 + eps|^p)^(1 / p).

    Args:
        x1: tensor of a floating-point type, shape (..., features).
        x2: tensor that broadcasts with x1.
        p: order of the norm.
        eps: added to the differences.
        keepdim: keep the last dimension, with size 1.
        keepdims: another name of keepdim.

    Returns:
        Tensor of the broadcast shape without the last dimension.

    Raises:
        RuntimeError: the shapes do not broadcast.

    Example:
        >>> gpunet.pairwise_distance(gpunet.tensor([[0.0, 0.0]]), gpunet.tensor([[3.0, 4.0]]))
        tensor([5.0000])
    """
    return vector_norm(x1 - x2 + eps, p, -1, keepdim or keepdims)
