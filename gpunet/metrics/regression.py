"""Metrics of numbers: mean squared and absolute errors, and R2."""

from __future__ import annotations

import math

import numpy as np

import gpunet
from gpunet import Tensor
from gpunet.metrics.accuracy import Mean
from gpunet.metrics.classes import spread
from gpunet.metrics.metric import Metric


def _aligned(output: Tensor, target: Tensor, name: str) -> Tensor:
    """The target in the output's shape: [N] and [N, 1] are the same."""
    if target.shape == output.shape:
        return target
    if target.numel() == output.numel() and target.shape[:1] == output.shape[:1]:
        return target.reshape(output.shape)
    raise ValueError(f"{name}: the output has shape {tuple(output.shape)} and the target {tuple(target.shape)}; they "
                     "must have the same.")


class MeanSquaredError(Mean):
    """The mean of (output - target)^2.

    Args:
        name: how the history and the displays call it.

    Examples:
        >>> error = metrics.MeanSquaredError()
        >>> error.update(gpunet.tensor([1.0, 2.0]), gpunet.tensor([1.0, 4.0]))
        >>> error.compute()
        2.0
    """

    better = "min"

    def __init__(self, name: str = "mse") -> None:
        super().__init__(name)

    def each(self, output: Tensor, target: Tensor) -> Tensor:
        return (output - _aligned(output, target, self.name)) ** 2


class RootMeanSquaredError(MeanSquaredError):
    """The square root of the mean of (output - target)^2.

    Args:
        name: how the history and the displays call it.

    Examples:
        >>> error = metrics.RootMeanSquaredError()
        >>> error.update(gpunet.tensor([1.0, 2.0]), gpunet.tensor([4.0, 5.0]))
        >>> error.compute()
        3.0
    """

    def __init__(self, name: str = "rmse") -> None:
        super().__init__(name)

    def compute(self) -> float:
        return math.sqrt(super().compute())


class MeanAbsoluteError(Mean):
    """The mean of |output - target|.

    Args:
        name: how the history and the displays call it.

    Examples:
        >>> error = metrics.MeanAbsoluteError()
        >>> error.update(gpunet.tensor([1.0, 2.0]), gpunet.tensor([1.0, 4.0]))
        >>> error.compute()
        1.0
    """

    better = "min"

    def __init__(self, name: str = "mae") -> None:
        super().__init__(name)

    def each(self, output: Tensor, target: Tensor) -> Tensor:
        return (output - _aligned(output, target, self.name)).abs()


class R2(Metric):
    """The coefficient of determination: 1 - sum of squared errors / sum of squared deviations from the mean.

    Of several outputs [N, K] it is the mean of theirs.

    Args:
        name: how the history and the displays call it.

    Examples:
        >>> score = metrics.R2()
        >>> score.update(gpunet.tensor([2.5, 0.0, 2.0, 8.0]), gpunet.tensor([3.0, -0.5, 2.0, 7.0]))
        >>> round(score.compute(), 4)
        0.9486
    """

    better = "max"

    def __init__(self, name: str = "r2") -> None:
        super().__init__(name)

    def update(self, output: Tensor, target: Tensor, weight: Tensor | None = None) -> None:
        target = _aligned(output, target, self.name).reshape(output.shape[0], -1).double()
        errors = (output.reshape(output.shape[0], -1) - target) ** 2
        columns = (target.shape[1],)
        count, origin = self.total("count", output), self.total("origin", output, columns)
        # Deviations are taken from a value among the targets: squares of large targets would lose the small ones.
        origin.copy_(gpunet.where(count == 0, target.mean(0), origin))
        deviations = target - origin
        if weight is None:
            weights, total = 1.0, float(target.shape[0])
        else:
            weights, total = spread(weight, target).double(), weight.double().sum()
        self.total("errors", output, columns).add_((errors * weights).sum(0))
        self.total("sum", output, columns).add_((deviations * weights).sum(0))
        self.total("squares", output, columns).add_((deviations * deviations * weights).sum(0))
        count.add_(total)

    def compute(self) -> float:
        count, errors = float(self.read("count")), self.read("errors")
        spread_of = self.read("squares") - self.read("sum") ** 2 / count
        known = spread_of > 0
        each = np.where(known, 1 - errors / np.where(known, spread_of, 1), np.where(errors > 0, 0.0, 1.0))
        return float(each.mean())
