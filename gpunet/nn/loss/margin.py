"""Losses that ask for a margin: between classes, between ranks, or from a boundary."""

from __future__ import annotations

from gpunet.nn import functional as F
from gpunet.nn.loss.base import Loss, WeightedLoss
from gpunet.tensor import Tensor


class HingeEmbeddingLoss(Loss):
    """For distances: `input` where target is 1 (similar), `max(0, margin - input)` where it is -1 (not similar).

    Source: Hadsell et al., "Dimensionality Reduction by Learning an Invariant Mapping", 2006.

    Args:
        margin: the distance beyond which a dissimilar pair costs nothing.
        size_average: deprecated, use reduction.
        reduce: deprecated, use reduction.
        reduction: "mean" or "sum" over all elements, or "none" for one value per element.

    Shape:
        input and target: the same shape; input floating point, target 1 or -1. Output: a scalar, or that shape for
        "none".

    Raises:
        ValueError: the reduction is unknown.

    Examples:
        >>> nn.HingeEmbeddingLoss()(gpunet.tensor([0.5, 0.25]), gpunet.tensor([1.0, -1.0]))
        tensor(0.6250)
    """

    def __init__(self, margin: float = 1.0, size_average: bool | None = None, reduce: bool | None = None,
                 reduction: str = "mean") -> None:
        super().__init__(size_average, reduce, reduction)
        self.margin = margin

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.hinge_embedding_loss(input, target, self.margin, reduction=self.reduction)


class MarginRankingLoss(Loss):
    """`max(0, margin - target * (input1 - input2))`: a target of 1 asks input1 to rank higher, -1 input2.

    Args:
        margin: by how much it should rank higher.
        size_average: deprecated, use reduction.
        reduce: deprecated, use reduction.
        reduction: "mean" or "sum" over all elements, or "none" for one value per element.

    Shape:
        input1, input2 and target: [N] or [], floating point, target 1 or -1. Output: a scalar, or that shape for
        "none".

    Raises:
        ValueError: the reduction is unknown.
        RuntimeError: the numbers of dimensions differ.

    Examples:
        >>> nn.MarginRankingLoss()(gpunet.tensor([1.0, 2.0]), gpunet.tensor([0.0, 3.0]), gpunet.tensor([1.0, 1.0]))
        tensor(0.5000)
    """

    def __init__(self, margin: float = 0.0, size_average: bool | None = None, reduce: bool | None = None,
                 reduction: str = "mean") -> None:
        super().__init__(size_average, reduce, reduction)
        self.margin = margin

    def forward(self, input1: Tensor, input2: Tensor, target: Tensor) -> Tensor:
        return F.margin_ranking_loss(input1, input2, target, self.margin, reduction=self.reduction)


class SoftMarginLoss(Loss):
    """Logistic loss of two classes: `log(1 + exp(-target * input))` for targets 1 and -1.

    Args:
        size_average: deprecated, use reduction.
        reduce: deprecated, use reduction.
        reduction: "mean" or "sum" over all elements, or "none" for one value per element.

    Shape:
        input and target: the same shape; floating point, target 1 or -1. Output: a scalar, or that shape for "none".

    Raises:
        ValueError: the reduction is unknown.

    Examples:
        >>> nn.SoftMarginLoss()(gpunet.tensor([0.0, 2.0]), gpunet.tensor([1.0, 1.0]))
        tensor(0.4100)
    """

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.soft_margin_loss(input, target, reduction=self.reduction)


class MultiMarginLoss(WeightedLoss):
    """Hinge loss of several classes: `sum over i != y of max(0, margin - x[y] + x[i])^p, / C`.

    Source: Crammer and Singer, "On the Algorithmic Implementation of Multiclass Kernel-based Vector Machines", 2001.

    Args:
        p: the exponent, 1 or 2.
        margin: by how much the score of the right class y should exceed the others.
        weight: a factor for each class [C].
        size_average: deprecated, use reduction.
        reduce: deprecated, use reduction.
        reduction: "mean" or "sum" over the batch, or "none" for one value per row.

    Shape:
        input [N, C] or [C], floating point. target: class indices [N] or [], int64. Output: a scalar, or the target's
        shape for "none".

    Raises:
        ValueError: p is neither 1 nor 2, or the reduction is unknown.

    Examples:
        >>> nn.MultiMarginLoss()(gpunet.tensor([[0.0, 2.0, 1.5]]), gpunet.tensor([1]))
        tensor(0.1667)
    """

    def __init__(self, p: int = 1, margin: float = 1.0, weight: Tensor | None = None, size_average: bool | None = None,
                 reduce: bool | None = None, reduction: str = "mean") -> None:
        super().__init__(weight, size_average, reduce, reduction)
        self.p = p
        self.margin = margin

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.multi_margin_loss(input, target, p=self.p, margin=self.margin, weight=self.weight,
                                   reduction=self.reduction)


class MultiLabelMarginLoss(Loss):
    """Hinge loss of several labels per row: `sum over labels y and non-labels i of max(0, 1 - (x[y] - x[i])), / C`.

    Args:
        size_average: deprecated, use reduction.
        reduce: deprecated, use reduction.
        reduction: "mean" or "sum" over the batch, or "none" for one value per row.

    Shape:
        input [N, C] or [C], floating point. target: the same shape, int64; in each row the labels' indices, then -1.
        Output: a scalar, or [N] or [] for "none".

    Raises:
        ValueError: the reduction is unknown.
        RuntimeError: shapes that do not fit.

    Examples:
        >>> nn.MultiLabelMarginLoss()(gpunet.tensor([[0.0, 2.0, 1.5]]), gpunet.tensor([[1, -1, -1]]))
        tensor(0.1667)
    """

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.multilabel_margin_loss(input, target, reduction=self.reduction)


class MultiLabelSoftMarginLoss(WeightedLoss):
    """Binary cross-entropy with logits, averaged over the classes:
    `-mean over c of (target * log(sigmoid(x)) + (1 - target) * log(1 - sigmoid(x)))`.

    Args:
        weight: a factor for each class [C].
        size_average: deprecated, use reduction.
        reduce: deprecated, use reduction.
        reduction: "mean" or "sum" over the batch, or "none" for one value per row.

    Shape:
        input and target: [N, C], floating point, target 0 or 1. Output: a scalar, or [N] for "none".

    Raises:
        ValueError: the reduction is unknown.

    Examples:
        >>> nn.MultiLabelSoftMarginLoss()(gpunet.tensor([[0.0, 2.0]]), gpunet.tensor([[0.0, 1.0]]))
        tensor(0.4100)
    """

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.multilabel_soft_margin_loss(input, target, self.weight, reduction=self.reduction)
