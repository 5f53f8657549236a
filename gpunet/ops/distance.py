"""Distances between vectors."""

from __future__ import annotations

from gpunet.ops.vector_norm import norm


def pairwise_distance(x1, x2, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False):
    """The p-norm of x1 - x2 + eps along the last dimension; the other dimensions broadcast."""
    return norm(x1 - x2 + eps, p, -1, keepdim)
