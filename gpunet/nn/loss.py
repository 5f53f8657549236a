"""Losses as modules; their formulas are in `gpunet.nn.functional`."""

from __future__ import annotations

from gpunet.nn import functional as F
from gpunet.nn.module import Module
from gpunet.ops.loss import check_reduction
from gpunet.tensor import Tensor


class MSELoss(Module):
    """The mean of (input - target)^2. reduction: "mean", "sum", or "none" for one value an element."""

    def __init__(self, reduction: str = "mean") -> None:
        super().__init__()
        check_reduction(reduction, "MSELoss")
        self.reduction = reduction

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.mse_loss(input, target, reduction=self.reduction)


class CrossEntropyLoss(Module):
    """-log softmax(input)[target]: classification from unnormalised logits. See `functional.cross_entropy`.

    weight: one factor a class. ignore_index: a target that does not count. reduction: "mean", "sum" or "none".
    label_smoothing: in [0, 1], the share of probability spread evenly over all classes.
    """

    def __init__(self, weight: Tensor | None = None, *, ignore_index: int = -100, reduction: str = "mean",
                 label_smoothing: float = 0.0) -> None:
        super().__init__()
        check_reduction(reduction, "CrossEntropyLoss")
        self.register_buffer("weight", weight)
        self.ignore_index = ignore_index
        self.reduction = reduction
        self.label_smoothing = label_smoothing

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.cross_entropy(input, target, self.weight, ignore_index=self.ignore_index, reduction=self.reduction,
                               label_smoothing=self.label_smoothing)
