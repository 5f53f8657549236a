"""Distances, and what is divided by a norm."""

from __future__ import annotations

from gpunet.dispatch import promote
from gpunet.ops.broadcasting import broadcast_tensors
from gpunet.ops.compare import eq, where
from gpunet.ops.exponentials import sqrt
from gpunet.ops.half import rounded_once
from gpunet.ops.limits import clamp_min
from gpunet.ops.matmul import matmul
from gpunet.ops.norms import vector_norm
from gpunet.ops.reduce import sum
from gpunet.ops.rules import require_float
from gpunet.ops.shape import transpose, unsqueeze

__all__ = ["cdist", "dist"]


def dist(input, other, p: float = 2):
    """The norm of order p of input - other."""
    return vector_norm(input - other, p)


_BY_PRODUCT, _IF_NECESSARY, _BY_DIFFERENCE = (
    "use_mm_for_euclid_dist", "use_mm_for_euclid_dist_if_necessary", "donot_use_mm_for_euclid_dist")


@rounded_once
def cdist(x1, x2, p: float = 2.0, compute_mode: str | None = _IF_NECESSARY):
    """The distances of order p between all rows of x1 [..., P, M] and of x2 [..., R, M]: [..., P, R].

    By compute_mode, as in PyTorch, Euclidean distances of more than 25 rows come from a product of matrices, which is
    fast but loses digits of small distances.
    """
    if compute_mode not in (None, _BY_PRODUCT, _IF_NECESSARY, _BY_DIFFERENCE):
        raise ValueError(f"{compute_mode} is not a valid value for compute_mode")
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
        square = clamp_min(squares[0] + transpose(squares[1], -1, -2) - 2 * matmul(x1, transpose(x2, -1, -2)), 0)
        zero = eq(square, 0)  # where the root has no gradient
        return where(zero, 0.0, sqrt(where(zero, 1.0, square)))
    difference = unsqueeze(x1, -2) - unsqueeze(x2, -3)
    return vector_norm(difference, p if first[-1] else 2, -1)  # of nothing, every norm is 0


def normalize(input, p: float = 2.0, dim: int = 1, eps: float = 1e-12):
    """input / max(norm of order p along `dim`, eps)."""
    return _unit_vectors(input, p, dim, eps)


@rounded_once
def _unit_vectors(x, p, dim, eps):
    return x / clamp_min(vector_norm(x, p, dim, keepdim=True), eps)


def cosine_similarity(x1, x2, dim: int = 1, eps: float = 1e-8):
    """The cosine of the angle between x1 and x2 along a dimension; norms below eps count as eps."""
    x1, x2 = promote([x1, x2])
    require_float(x1._array, "cosine_similarity")
    return _cosine_similarity(*broadcast_tensors(x1, x2), dim, eps)


@rounded_once
def _cosine_similarity(x1, x2, dim, eps):
    return sum(normalize(x1, 2.0, dim, eps) * normalize(x2, 2.0, dim, eps), dim)


def pairwise_distance(x1, x2, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False):
    """The norm of order p of x1 - x2 + eps along the last dimension; the other dimensions broadcast."""
    return vector_norm(x1 - x2 + eps, p, -1, keepdim)
