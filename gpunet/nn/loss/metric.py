"""Losses of metric learning: like things near each other, unlike things apart."""

from __future__ import annotations

from collections.abc import Callable

from gpunet.nn import functional as F
from gpunet.nn.loss.base import Loss
from gpunet.tensor import Tensor


class CosineEmbeddingLoss(Loss):
    """By the cosine of the angle between two vectors: `1 - cos` where target is 1 (similar), `max(0, cos - margin)`
    where it is -1.

    Args:
        margin: the cosine below which a dissimilar pair costs nothing, in [-1, 1].
        size_average: deprecated, use reduction.
        reduce: deprecated, use reduction.
        reduction: "mean" or "sum" over the batch, or "none" for one value per pair.

    Shape:
        input1 and input2 [N, D] or [D], floating point. target [N] or [], 1 or -1. Output: a scalar, or the target's
        shape for "none".

    Raises:
        ValueError: the reduction is unknown.
        RuntimeError: shapes that do not fit.

    Examples:
        >>> nn.CosineEmbeddingLoss()(gpunet.tensor([[1.0, 0.0]]), gpunet.tensor([[1.0, 1.0]]), gpunet.tensor([1.0]))
        tensor(0.2929)
    """

    def __init__(self, margin: float = 0.0, size_average: bool | None = None, reduce: bool | None = None,
                 reduction: str = "mean") -> None:
        super().__init__(size_average, reduce, reduction)
        self.margin = margin

    def forward(self, input1: Tensor, input2: Tensor, target: Tensor) -> Tensor:
        return F.cosine_embedding_loss(input1, input2, target, self.margin, reduction=self.reduction)


class TripletMarginLoss(Loss):
    """`max(0, d(anchor, positive) - d(anchor, negative) + margin)`, where d is the p-norm of the difference.

    Source: Balntas et al., "Learning Shallow Convolutional Feature Descriptors with Triplet Losses", 2016.

    Args:
        margin: by how much the negative should be farther than the positive; positive.
        p: the norm's order.
        eps: added to the differences, so that the norm has a gradient at 0.
        swap: use d(positive, negative) where it is less than d(anchor, negative).
        size_average: deprecated, use reduction.
        reduce: deprecated, use reduction.
        reduction: "mean" or "sum" over the batch, or "none" for one value per triplet.

    Shape:
        anchor, positive and negative: [N, D] or [D], floating point. Output: a scalar, or [N] or [] for "none".

    Raises:
        ValueError: the margin is not positive, or the reduction is unknown.

    Examples:
        >>> anchor, positive, negative = gpunet.tensor([[0.0]]), gpunet.tensor([[1.0]]), gpunet.tensor([[1.5]])
        >>> nn.TripletMarginLoss()(anchor, positive, negative)
        tensor(0.5000)
    """

    def __init__(self, margin: float = 1.0, p: float = 2.0, eps: float = 1e-6, swap: bool = False,
                 size_average: bool | None = None, reduce: bool | None = None, reduction: str = "mean") -> None:
        super().__init__(size_average, reduce, reduction)
        self.margin = margin
        self.p = p
        self.eps = eps
        self.swap = swap

    def forward(self, anchor: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
        return F.triplet_margin_loss(anchor, positive, negative, margin=self.margin, p=self.p, eps=self.eps,
                                     swap=self.swap, reduction=self.reduction)


class TripletMarginWithDistanceLoss(Loss):
    """`max(0, d(anchor, positive) - d(anchor, negative) + margin)` for a distance of your own.

    Args:
        distance_function: d(x, y), one number per pair; None for the Euclidean distance, `nn.PairwiseDistance()`.
        margin: by how much the negative should be farther than the positive; positive.
        swap: use d(positive, negative) where it is less than d(anchor, negative).
        reduction: "mean" or "sum" over the batch, or "none" for one value per triplet.

    Shape:
        anchor, positive and negative: [N, ...], as the distance takes them. Output: a scalar, or [N] for "none".

    Raises:
        ValueError: the margin is not positive, or the reduction is unknown.

    Examples:
        >>> loss = nn.TripletMarginWithDistanceLoss(distance_function=lambda x, y: (x - y).abs().sum(-1))
        >>> loss(gpunet.tensor([[0.0]]), gpunet.tensor([[1.0]]), gpunet.tensor([[1.5]]))
        tensor(0.5000)
    """

    def __init__(self, *, distance_function: Callable[[Tensor, Tensor], Tensor] | None = None, margin: float = 1.0,
                 swap: bool = False, reduction: str = "mean") -> None:
        super().__init__(reduction=reduction)
        self.distance_function = distance_function
        self.margin = margin
        self.swap = swap

    def forward(self, anchor: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
        return F.triplet_margin_with_distance_loss(anchor, positive, negative, margin=self.margin, swap=self.swap,
                                                   distance_function=self.distance_function, reduction=self.reduction)
