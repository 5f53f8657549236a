"""Schedules of the learning rate by steps."""

from __future__ import annotations

import math
from collections.abc import Sequence

__all__ = ["CosineDecay", "ExponentialDecay", "LearningRateSchedule", "PiecewiseConstantDecay"]


class LearningRateSchedule:
    """The learning rate at each step; a subclass defines `__call__(step)`.

    Examples:
        >>> class Halved(keras.optimizers.schedules.LearningRateSchedule):
        ...     def __call__(self, step):
        ...         return 0.1 / 2**step
        >>> Halved()(1)
        0.05
    """

    def __call__(self, step: int) -> float:
        raise NotImplementedError(f"{type(self).__name__} does not define __call__.")


class ExponentialDecay(LearningRateSchedule):
    """initial_learning_rate * decay_rate ^ (step / decay_steps).

    Args:
        initial_learning_rate: the rate at first.
        decay_steps: in how many steps it falls by decay_rate.
        decay_rate: the factor.
        staircase: whether it falls only after each decay_steps.

    Examples:
        >>> keras.optimizers.schedules.ExponentialDecay(0.1, 10, 0.5)(10)
        0.05
    """

    def __init__(self, initial_learning_rate: float, decay_steps: int, decay_rate: float,
                 staircase: bool = False) -> None:
        self.initial_learning_rate, self.decay_steps = initial_learning_rate, decay_steps
        self.decay_rate, self.staircase = decay_rate, staircase

    def __call__(self, step: int) -> float:
        power = step / self.decay_steps
        return self.initial_learning_rate * self.decay_rate ** (math.floor(power) if self.staircase else power)


class CosineDecay(LearningRateSchedule):
    """From the initial rate, or up to warmup_target first, along half a cosine to alpha times that.

    Args:
        initial_learning_rate: the rate at first.
        decay_steps: number of steps of the cosine.
        alpha: the last rate, as a share of the first.
        warmup_target: what the rate rises to before; None: it does not.
        warmup_steps: number of steps of the rise.

    Examples:
        >>> keras.optimizers.schedules.CosineDecay(0.1, 10)(5)
        0.05
    """

    def __init__(self, initial_learning_rate: float, decay_steps: int, alpha: float = 0.0,
                 warmup_target: float | None = None, warmup_steps: int = 0) -> None:
        self.initial_learning_rate, self.decay_steps, self.alpha = initial_learning_rate, decay_steps, alpha
        self.warmup_target, self.warmup_steps = warmup_target, warmup_steps

    def __call__(self, step: int) -> float:
        first = self.initial_learning_rate
        if self.warmup_target is not None:
            if step < self.warmup_steps:
                return first + (self.warmup_target - first) * step / self.warmup_steps
            first, step = self.warmup_target, step - self.warmup_steps
        share = 0.5 * (1 + math.cos(math.pi * min(step, self.decay_steps) / self.decay_steps))
        return first * ((1 - self.alpha) * share + self.alpha)


class PiecewiseConstantDecay(LearningRateSchedule):
    """One rate up to each boundary, and the last beyond.

    Args:
        boundaries: steps up to which each rate holds.
        values: the rates, one more.

    Raises:
        ValueError: their numbers do not fit.

    Examples:
        >>> keras.optimizers.schedules.PiecewiseConstantDecay([10], [0.1, 0.01])(11)
        0.01
    """

    def __init__(self, boundaries: Sequence[int], values: Sequence[float]) -> None:
        if len(values) != len(boundaries) + 1:
            raise ValueError(f"PiecewiseConstantDecay needs one value more than boundaries, and has {len(values)} and "
                             f"{len(boundaries)}.")
        self.boundaries, self.values = list(boundaries), list(values)

    def __call__(self, step: int) -> float:
        return self.values[sum(step > each for each in self.boundaries)]
