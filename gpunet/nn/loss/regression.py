"""Losses of regression: by the difference between input and target."""

from __future__ import annotations

from gpunet.nn import functional as F
from gpunet.nn.loss.base import Loss
from gpunet.tensor import Tensor


class MSELoss(Loss):
    """Squared error: `(input - target)^2`.

    Args:
        size_average: deprecated, use reduction.
        reduce: deprecated, use reduction.
        reduction: "mean" or "sum" over all elements, or "none" for one value per element.

    Shape:
        input and target: the same shape, real dtypes. Output: a scalar, or that shape for "none". Shapes that differ
        are broadcast, with a warning.

    Raises:
        ValueError: the reduction is unknown.

    Examples:
        >>> nn.MSELoss()(gpunet.tensor([1.0, 2.0]), gpunet.tensor([0.0, 4.0]))
        tensor(2.5000)
    """

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.mse_loss(input, target, reduction=self.reduction)


class L1Loss(Loss):
    """Absolute error: `|input - target|`.

    Args:
        size_average: deprecated, use reduction.
        reduce: deprecated, use reduction.
        reduction: "mean" or "sum" over all elements, or "none" for one value per element.

    Shape:
        input and target: the same shape, real dtypes. Output: a scalar, or that shape for "none". Shapes that differ
        are broadcast, with a warning.

    Raises:
        ValueError: the reduction is unknown.

    Examples:
        >>> nn.L1Loss()(gpunet.tensor([1.0, 2.0]), gpunet.tensor([0.0, 4.0]))
        tensor(1.5000)
    """

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.l1_loss(input, target, reduction=self.reduction)


class SmoothL1Loss(Loss):
    """Squared error for small differences d and absolute error for large ones: `d^2 / (2 beta)` where |d| < beta, else
    `|d| - beta / 2`. It is `HuberLoss` divided by beta.

    Source: Girshick, "Fast R-CNN", 2015.

    Args:
        size_average: deprecated, use reduction.
        reduce: deprecated, use reduction.
        reduction: "mean" or "sum" over all elements, or "none" for one value per element.
        beta: where the two parts meet; 0 gives L1Loss.

    Shape:
        input and target: the same shape, floating point. Output: a scalar, or that shape for "none".

    Raises:
        ValueError: the reduction is unknown.
        RuntimeError: beta is negative (at the first call).

    Examples:
        >>> nn.SmoothL1Loss()(gpunet.tensor([1.0, 2.0]), gpunet.tensor([0.5, 4.0]))
        tensor(0.8125)
    """

    def __init__(self, size_average: bool | None = None, reduce: bool | None = None, reduction: str = "mean",
                 beta: float = 1.0) -> None:
        super().__init__(size_average, reduce, reduction)
        self.beta = beta

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.smooth_l1_loss(input, target, reduction=self.reduction, beta=self.beta)


class HuberLoss(Loss):
    """Squared error for small differences d and absolute error for large ones: `d^2 / 2` where |d| <= delta, else
    `delta * (|d| - delta / 2)`.

    Source: Huber, "Robust Estimation of a Location Parameter", 1964.

    Args:
        reduction: "mean" or "sum" over all elements, or "none" for one value per element.
        delta: where the two parts meet; positive.

    Shape:
        input and target: the same shape, floating point. Output: a scalar, or that shape for "none".

    Raises:
        ValueError: the reduction is unknown.
        RuntimeError: delta is not positive (at the first call).

    Examples:
        >>> nn.HuberLoss()(gpunet.tensor([1.0, 2.0]), gpunet.tensor([0.5, 4.0]))
        tensor(0.8125)
    """

    def __init__(self, reduction: str = "mean", delta: float = 1.0) -> None:
        super().__init__(reduction=reduction)
        self.delta = delta

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.huber_loss(input, target, reduction=self.reduction, delta=self.delta)
