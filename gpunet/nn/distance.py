"""Distances as layers."""

from __future__ import annotations

from gpunet.nn import functional as F
from gpunet.nn.module import Module
from gpunet.tensor import Tensor


class CosineSimilarity(Module):
    """The cosine of the angle between two vectors: `x1 . x2 / (max(|x1|, eps) * max(|x2|, eps))`.

    Args:
        dim: the dimension along which the vectors lie.
        eps: the least norm, which avoids a division by 0.

    Shape:
        x1 and x2: shapes that broadcast together, floating point. Output: that shape without `dim`.

    Examples:
        >>> nn.CosineSimilarity()(gpunet.tensor([[1.0, 0.0]]), gpunet.tensor([[3.0, 4.0]]))
        tensor([0.6000])
    """

    def __init__(self, dim: int = 1, eps: float = 1e-8) -> None:
        super().__init__()
        self.dim = dim
        self.eps = eps

    def forward(self, x1: Tensor, x2: Tensor) -> Tensor:
        return F.cosine_similarity(x1, x2, self.dim, self.eps)


class PairwiseDistance(Module):
    """The p-norm of `x1 - x2 + eps` along the last dimension.

    Args:
        p: the norm's order; may be infinite.
        eps: added to each difference, so that the norm has a gradient at 0.
        keepdim: keep the last dimension, with size 1.

    Shape:
        x1 and x2: shapes that broadcast together, floating point. Output: that shape without its last dimension.

    Examples:
        >>> nn.PairwiseDistance()(gpunet.tensor([[0.0, 0.0]]), gpunet.tensor([[3.0, 4.0]]))
        tensor([5.0000])
    """

    def __init__(self, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> None:
        super().__init__()
        self.norm = p
        self.eps = eps
        self.keepdim = keepdim

    def forward(self, x1: Tensor, x2: Tensor) -> Tensor:
        return F.pairwise_distance(x1, x2, self.norm, self.eps, self.keepdim)
