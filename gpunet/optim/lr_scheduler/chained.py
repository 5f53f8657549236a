"""Schedules in which every rate is the one before, times a factor."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from gpunet.optim.lr_scheduler.base import LRScheduler, function_state
from gpunet.optim.optimizer import Optimizer


class _OfFunctions(LRScheduler):
    """Base: schedules by functions of the count of steps; one function, or one for each group."""

    def __init__(self, optimizer: Optimizer, lr_lambda: Callable[[int], float] | list[Callable[[int], float]],
                 last_epoch: int = -1) -> None:
        count = len(optimizer.param_groups)
        self.lr_lambdas: list[Any] = list(lr_lambda) if isinstance(lr_lambda, (list, tuple)) else [lr_lambda] * count
        if len(self.lr_lambdas) != count:
            raise ValueError(f"Expected {count} lr_lambdas, but got {len(self.lr_lambdas)}")
        for function in self.lr_lambdas:
            if not callable(function):
                raise TypeError(f"lr_lambda should be a function, but got {type(function).__name__}")
        super().__init__(optimizer, last_epoch)

    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "lr_lambdas": [function_state(f) for f in self.lr_lambdas]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        super().load_state_dict({name: value for name, value in state_dict.items() if name != "lr_lambdas"})
        for function, state in zip(self.lr_lambdas, state_dict["lr_lambdas"], strict=True):
            if state is not None:
                function.__dict__.update(state)


class LambdaLR(_OfFunctions):
    """`initial rate * lr_lambda(steps)`.

    Args:
        optimizer: the optimizer whose rates are set.
        lr_lambda: the function, or a list with one for each parameter group.
        last_epoch: the count of steps to go on from; -1 starts anew.

    Raises:
        ValueError: there is not one function for each group.
        TypeError: lr_lambda is no function.

    Examples:
        >>> optimizer = optim.SGD([nn.Parameter(gpunet.zeros(1))], lr=1.0)
        >>> scheduler = optim.lr_scheduler.LambdaLR(optimizer, lambda epoch: 1 / (1 + epoch))
        >>> rates = []
        >>> for epoch in range(4):
        ...     rates += scheduler.get_last_lr()
        ...     optimizer.step()
        ...     scheduler.step()
        >>> [round(rate, 4) for rate in rates]
        [1.0, 0.5, 0.3333, 0.25]
    """

    def get_lr(self) -> list[float]:
        return [base * f(self.last_epoch) for base, f in zip(self.base_lrs, self.lr_lambdas, strict=True)]


class MultiplicativeLR(_OfFunctions):
    """`rate before * lr_lambda(steps)`.

    Args:
        optimizer: the optimizer whose rates are set.
        lr_lambda: the function, or a list with one for each parameter group.
        last_epoch: the count of steps to go on from; -1 starts anew.

    Raises:
        ValueError: there is not one function for each group.
        TypeError: lr_lambda is no function.

    Examples:
        >>> optimizer = optim.SGD([nn.Parameter(gpunet.zeros(1))], lr=1.0)
        >>> scheduler = optim.lr_scheduler.MultiplicativeLR(optimizer, lambda epoch: 0.5)
        >>> rates = []
        >>> for epoch in range(4):
        ...     rates += scheduler.get_last_lr()
        ...     optimizer.step()
        ...     scheduler.step()
        >>> [round(rate, 4) for rate in rates]
        [1.0, 0.5, 0.25, 0.125]
    """

    def get_lr(self) -> list[float]:
        if self._is_initial:
            return self._rates()
        return [rate * f(self.last_epoch) for rate, f in zip(self._rates(), self.lr_lambdas, strict=True)]


class _Factor(LRScheduler):
    """Base: schedules that multiply the rates of all groups by one factor: `ratio()` of the rate before, `whole()` of
    the initial one.
    """

    def ratio(self) -> float:
        """The rate over the rate before."""
        raise NotImplementedError

    def whole(self) -> float:
        """The rate over the initial rate."""
        raise NotImplementedError

    def get_lr(self) -> list[float]:
        ratio = self.ratio()
        return [rate * ratio for rate in self._rates()]

    def closed_form(self) -> list[float]:
        whole = self.whole()
        return [base * whole for base in self.base_lrs]


class StepLR(_Factor):
    """Multiplies the rate by gamma every step_size steps.

    Args:
        optimizer: the optimizer whose rates are set.
        step_size: how many steps lie between two changes.
        gamma: the factor.
        last_epoch: the count of steps to go on from; -1 starts anew.

    Examples:
        >>> optimizer = optim.SGD([nn.Parameter(gpunet.zeros(1))], lr=1.0)
        >>> scheduler = optim.lr_scheduler.StepLR(optimizer, step_size=2)
        >>> rates = []
        >>> for epoch in range(5):
        ...     rates += scheduler.get_last_lr()
        ...     optimizer.step()
        ...     scheduler.step()
        >>> [round(rate, 4) for rate in rates]
        [1.0, 1.0, 0.1, 0.1, 0.01]
    """

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1, last_epoch: int = -1) -> None:
        self.step_size, self.gamma = step_size, gamma
        super().__init__(optimizer, last_epoch)

    def ratio(self) -> float:
        return self.gamma if self.last_epoch and self.last_epoch % self.step_size == 0 else 1

    def whole(self) -> float:
        return self.gamma ** (self.last_epoch // self.step_size)


class MultiStepLR(_Factor):
    """Multiplies the rate by gamma at given steps.

    Args:
        optimizer: the optimizer whose rates are set.
        milestones: the counts of steps, increasing.
        gamma: the factor.
        last_epoch: the count of steps to go on from; -1 starts anew.

    Examples:
        >>> optimizer = optim.SGD([nn.Parameter(gpunet.zeros(1))], lr=1.0)
        >>> scheduler = optim.lr_scheduler.MultiStepLR(optimizer, milestones=[1, 3])
        >>> rates = []
        >>> for epoch in range(5):
        ...     rates += scheduler.get_last_lr()
        ...     optimizer.step()
        ...     scheduler.step()
        >>> [round(rate, 4) for rate in rates]
        [1.0, 0.1, 0.1, 0.01, 0.01]
    """

    def __init__(self, optimizer: Optimizer, milestones: Iterable[int], gamma: float = 0.1,
                 last_epoch: int = -1) -> None:
        self.milestones, self.gamma = Counter(milestones), gamma
        super().__init__(optimizer, last_epoch)

    def ratio(self) -> float:
        return self.gamma ** self.milestones[self.last_epoch]

    def whole(self) -> float:
        return self.gamma ** bisect_right(sorted(self.milestones.elements()), self.last_epoch)


class ConstantLR(_Factor):
    """`initial rate * factor` for total_iters steps, then the initial rate.

    Args:
        optimizer: the optimizer whose rates are set.
        factor: the factor, in [0, 1].
        total_iters: for how many steps.
        last_epoch: the count of steps to go on from; -1 starts anew.

    Raises:
        ValueError: factor is out of range.

    Examples:
        >>> optimizer = optim.SGD([nn.Parameter(gpunet.zeros(1))], lr=1.0)
        >>> scheduler = optim.lr_scheduler.ConstantLR(optimizer, factor=0.5, total_iters=2)
        >>> rates = []
        >>> for epoch in range(4):
        ...     rates += scheduler.get_last_lr()
        ...     optimizer.step()
        ...     scheduler.step()
        >>> [round(rate, 4) for rate in rates]
        [0.5, 0.5, 1.0, 1.0]
    """

    def __init__(self, optimizer: Optimizer, factor: float = 1.0 / 3, total_iters: int = 5,
                 last_epoch: int = -1) -> None:
        if not 0 <= factor <= 1:
            raise ValueError("Constant multiplicative factor expected to be between 0 and 1.")
        self.factor, self.total_iters = factor, total_iters
        super().__init__(optimizer, last_epoch)

    def ratio(self) -> float:
        return self.factor if self.last_epoch == 0 else 1 / self.factor if self.last_epoch == self.total_iters else 1

    def whole(self) -> float:
        return 1 if self.last_epoch >= self.total_iters else self.factor


class LinearLR(_Factor):
    """Multiplies the initial rate by a factor that goes from start_factor to end_factor in total_iters steps and stays
    there: a warm-up.

    Args:
        optimizer: the optimizer whose rates are set.
        start_factor: the first factor, in (0, 1].
        end_factor: the last factor, in [0, 1].
        total_iters: in how many steps.
        last_epoch: the count of steps to go on from; -1 starts anew.

    Raises:
        ValueError: a factor is out of range.

    Examples:
        >>> optimizer = optim.SGD([nn.Parameter(gpunet.zeros(1))], lr=1.0)
        >>> scheduler = optim.lr_scheduler.LinearLR(optimizer, start_factor=0.5, total_iters=2)
        >>> rates = []
        >>> for epoch in range(4):
        ...     rates += scheduler.get_last_lr()
        ...     optimizer.step()
        ...     scheduler.step()
        >>> [round(rate, 4) for rate in rates]
        [0.5, 0.75, 1.0, 1.0]
    """

    def __init__(self, optimizer: Optimizer, start_factor: float = 1.0 / 3, end_factor: float = 1.0,
                 total_iters: int = 5, last_epoch: int = -1) -> None:
        if not 0 < start_factor <= 1:
            raise ValueError("Starting multiplicative factor expected to be greater than 0 and less or equal to 1.")
        if not 0 <= end_factor <= 1:
            raise ValueError("Ending multiplicative factor expected to be between 0 and 1.")
        self.start_factor, self.end_factor, self.total_iters = start_factor, end_factor, total_iters
        super().__init__(optimizer, last_epoch)

    def ratio(self) -> float:
        if self.last_epoch == 0:
            return self.start_factor
        if self._is_initial or self.last_epoch > self.total_iters:
            return 1
        way = self.end_factor - self.start_factor
        return 1 + way / (self.total_iters * self.start_factor + (self.last_epoch - 1) * way)

    def whole(self) -> float:
        share = min(self.last_epoch, self.total_iters) / self.total_iters
        return self.start_factor + (self.end_factor - self.start_factor) * share


class ExponentialLR(_Factor):
    """Multiplies the rate by gamma every step.

    Args:
        optimizer: the optimizer whose rates are set.
        gamma: the factor.
        last_epoch: the count of steps to go on from; -1 starts anew.

    Examples:
        >>> optimizer = optim.SGD([nn.Parameter(gpunet.zeros(1))], lr=1.0)
        >>> scheduler = optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.9)
        >>> rates = []
        >>> for epoch in range(4):
        ...     rates += scheduler.get_last_lr()
        ...     optimizer.step()
        ...     scheduler.step()
        >>> [round(rate, 4) for rate in rates]
        [1.0, 0.9, 0.81, 0.729]
    """

    def __init__(self, optimizer: Optimizer, gamma: float, last_epoch: int = -1) -> None:
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def ratio(self) -> float:
        return 1 if self._is_initial else self.gamma

    def whole(self) -> float:
        return self.gamma**self.last_epoch


class PolynomialLR(_Factor):
    """`initial rate * (1 - steps / total_iters)^power`, and 0 after total_iters steps.

    Args:
        optimizer: the optimizer whose rates are set.
        total_iters: in how many steps the rate falls to 0.
        power: 1 for a straight line.
        last_epoch: the count of steps to go on from; -1 starts anew.

    Examples:
        >>> optimizer = optim.SGD([nn.Parameter(gpunet.zeros(1))], lr=1.0)
        >>> scheduler = optim.lr_scheduler.PolynomialLR(optimizer, total_iters=4)
        >>> rates = []
        >>> for epoch in range(5):
        ...     rates += scheduler.get_last_lr()
        ...     optimizer.step()
        ...     scheduler.step()
        >>> [round(rate, 4) for rate in rates]
        [1.0, 0.75, 0.5, 0.25, 0.0]
    """

    def __init__(self, optimizer: Optimizer, total_iters: int = 5, power: float = 1.0, last_epoch: int = -1) -> None:
        self.total_iters, self.power = total_iters, power
        super().__init__(optimizer, last_epoch)

    def ratio(self) -> float:
        if self._is_initial or self.last_epoch > self.total_iters:
            return 1
        before = 1 - (self.last_epoch - 1) / self.total_iters
        return ((1 - self.last_epoch / self.total_iters) / before) ** self.power

    def whole(self) -> float:
        return (1 - min(self.last_epoch, self.total_iters) / self.total_iters) ** self.power


class CosineAnnealingLR(LRScheduler):
    """From the initial rate to eta_min along half a cosine, `eta_min + (initial rate - eta_min) * (1 + cos(pi * steps /
    T_max)) / 2`, then up again.

    Source: Loshchilov and Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", 2017, here without restarts.

    Args:
        optimizer: the optimizer whose rates are set.
        T_max: in how many steps.
        eta_min: the lowest rate.
        last_epoch: the count of steps to go on from; -1 starts anew.

    Examples:
        >>> optimizer = optim.SGD([nn.Parameter(gpunet.zeros(1))], lr=1.0)
        >>> scheduler = optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=4)
        >>> rates = []
        >>> for epoch in range(5):
        ...     rates += scheduler.get_last_lr()
        ...     optimizer.step()
        ...     scheduler.step()
        >>> [round(rate, 4) for rate in rates]
        [1.0, 0.8536, 0.5, 0.1464, 0.0]
    """

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0, last_epoch: int = -1) -> None:
        self.T_max, self.eta_min = T_max, eta_min
        super().__init__(optimizer, last_epoch)

    def _height(self, step: int) -> float:
        return (1 + math.cos(math.pi * step / self.T_max)) / 2

    def get_lr(self) -> list[float]:
        if self._is_initial:
            return self._rates()
        if self._step_count == 1 and self.last_epoch > 0:
            return self.closed_form()
        if (self.last_epoch - 1 - self.T_max) % (2 * self.T_max) == 0:  # the rate before was the lowest
            rise = (1 - math.cos(math.pi / self.T_max)) / 2
            return [rate + (base - self.eta_min) * rise
                    for rate, base in zip(self._rates(), self.base_lrs, strict=True)]
        factor = self._height(self.last_epoch) / self._height(self.last_epoch - 1)
        return [factor * (rate - self.eta_min) + self.eta_min for rate in self._rates()]

    def closed_form(self) -> list[float]:
        return [self.eta_min + (base - self.eta_min) * self._height(self.last_epoch) for base in self.base_lrs]
