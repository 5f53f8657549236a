"""What the losses share: the reduction, under its name and under the two older ones, and weights as buffers."""

from __future__ import annotations

from gpunet._warn import warn
from gpunet.nn.module import Module
from gpunet.ops.loss import REDUCTIONS, check_reduction
from gpunet.tensor import Tensor


def _reduction_of(size_average: bool | None, reduce: bool | None, reduction: str) -> str:
    """The reduction that PyTorch's two older arguments stand for, if one is given."""
    if size_average is None and reduce is None:
        return reduction
    meant = "none" if reduce is False else "sum" if size_average is False else "mean"
    warn(f"size_average and reduce are deprecated; use reduction={meant!r}")
    return meant


class Loss(Module):
    """Base of the losses.

    Args:
        size_average: deprecated, use reduction.
        reduce: deprecated, use reduction.
        reduction: one of `reductions`.
    """

    reductions: tuple[str, ...] = REDUCTIONS

    def __init__(self, size_average: bool | None = None, reduce: bool | None = None, reduction: str = "mean") -> None:
        super().__init__()
        self.reduction = _reduction_of(size_average, reduce, reduction)
        check_reduction(self.reduction, type(self).__name__, self.reductions)


class WeightedLoss(Loss):
    """Base of the losses with a weight for each class or element; it is a buffer, so it moves with the module.

    Args:
        weight: the weights, or None.
        size_average: deprecated, use reduction.
        reduce: deprecated, use reduction.
        reduction: one of `reductions`.
    """

    weight: Tensor | None

    def __init__(self, weight: Tensor | None = None, size_average: bool | None = None, reduce: bool | None = None,
                 reduction: str = "mean") -> None:
        super().__init__(size_average, reduce, reduction)
        self.register_buffer("weight", weight)
