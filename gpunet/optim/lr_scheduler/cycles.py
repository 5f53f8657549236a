"""Schedules that go up and down: in cycles, once, or with restarts."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Iterable
from typing import Any

from gpunet.optim.lr_scheduler.base import (
    LRScheduler,
    check_momentum,
    check_optimizer,
    for_each_group,
    function_state,
    set_momentum,
)
from gpunet.optim.optimizer import Optimizer


class _WithMomentum(LRScheduler):
    """Base: schedules that may move the momentum the other way. A recorded step sees only the learning rate change."""

    def _begin_momentum(self, optimizer: Optimizer, cycle_momentum: bool, base_momentum: float | list[float],
                        max_momentum: float | list[float], last_epoch: int) -> None:
        self.cycle_momentum = cycle_momentum
        if not cycle_momentum:
            return
        check_momentum(optimizer)
        lows = for_each_group("base_momentum", optimizer, base_momentum)
        highs = for_each_group("max_momentum", optimizer, max_momentum)
        if last_epoch == -1:
            for group, low, high in zip(optimizer.param_groups, lows, highs, strict=True):
                group["base_momentum"], group["max_momentum"] = low, high
                set_momentum(group, high)

    def get_momentum(self) -> list[float]:
        """The momentum of each group now."""
        raise NotImplementedError

    def _set(self, rates: Iterable[float]) -> None:
        super()._set(rates)
        if self.cycle_momentum:
            for group, momentum in zip(self.optimizer.param_groups, self.get_momentum(), strict=True):
                set_momentum(group, momentum)


# How much of CyclicLR's amplitude is left: by the number of the cycle, or by the count of steps.
_SCALES = {"triangular": ("cycle", lambda gamma, x: 1.0),
           "triangular2": ("cycle", lambda gamma, x: 1 / 2.0 ** (x - 1)),
           "exp_range": ("iterations", lambda gamma, x: gamma**x)}


class CyclicLR(_WithMomentum):
    """Up from base_lr to max_lr along a line and down again, in cycles. For one step a batch.

    Source: Smith, "Cyclical Learning Rates for Training Neural Networks", 2017.

    Args:
        optimizer: the optimizer whose rates are set.
        base_lr: the lowest rate; one, or one for each group.
        max_lr: the highest rate; one, or one for each group.
        step_size_up: how many steps it takes to go up.
        step_size_down: how many to go down; None for step_size_up.
        mode: "triangular"; "triangular2", where each cycle goes half as high; or "exp_range", where the height falls by
            gamma each step.
        gamma: for "exp_range".
        scale_fn: a height of your own, as a share of max_lr - base_lr; mode is then ignored.
        scale_mode: what scale_fn takes: "cycle", the cycle's number, or "iterations", the count of steps.
        cycle_momentum: move the momentum, or the first of the betas, from max_momentum to base_momentum and back.
        base_momentum: the lowest momentum; one, or one for each group.
        max_momentum: the highest momentum; one, or one for each group.
        last_epoch: the count of steps to go on from; -1 starts anew.

    Raises:
        ValueError: the mode is unknown, or the optimizer has no momentum to cycle.

    Examples:
        >>> optimizer = optim.SGD([nn.Parameter(gpunet.zeros(1))], lr=1.0)
        >>> scheduler = optim.lr_scheduler.CyclicLR(optimizer, 0.1, 0.5, step_size_up=2, cycle_momentum=False)
        >>> rates = []
        >>> for epoch in range(6):
        ...     rates += scheduler.get_last_lr()
        ...     optimizer.step()
        ...     scheduler.step()
        >>> [round(rate, 4) for rate in rates]
        [0.1, 0.3, 0.5, 0.3, 0.1, 0.3]
    """

    def __init__(self, optimizer: Optimizer, base_lr: float | list[float], max_lr: float | list[float],
                 step_size_up: int = 2000, step_size_down: int | None = None, mode: str = "triangular",
                 gamma: float = 1.0, scale_fn: Callable[[float], float] | None = None, scale_mode: str = "cycle",
                 cycle_momentum: bool = True, base_momentum: float | list[float] = 0.8,
                 max_momentum: float | list[float] = 0.9, last_epoch: int = -1) -> None:
        check_optimizer(optimizer)
        base_lrs = for_each_group("base_lr", optimizer, base_lr)
        if last_epoch == -1:
            for group, rate in zip(optimizer.param_groups, base_lrs, strict=True):
                group["lr"] = rate
        self.max_lrs = for_each_group("max_lr", optimizer, max_lr)
        down = step_size_up if step_size_down is None else step_size_down
        self.total_size = float(step_size_up + down)
        self.step_ratio = step_size_up / self.total_size
        if mode not in _SCALES and scale_fn is None:
            raise ValueError("mode is invalid and scale_fn is None")
        self.mode, self.gamma, self._scale_fn_custom = mode, gamma, scale_fn
        self.scale_mode = scale_mode if scale_fn else _SCALES[mode][0]
        self._begin_momentum(optimizer, cycle_momentum, base_momentum, max_momentum, last_epoch)
        super().__init__(optimizer, last_epoch)
        self.base_lrs = base_lrs

    def scale_fn(self, x: float) -> float:
        """The height of a cycle, as a share.

        Args:
            x: the number of the cycle, or the count of steps.
        """
        return self._scale_fn_custom(x) if self._scale_fn_custom else _SCALES[self.mode][1](self.gamma, x)

    def _height(self) -> float:
        cycle = math.floor(1 + self.last_epoch / self.total_size)
        x = 1.0 + self.last_epoch / self.total_size - cycle
        share = x / self.step_ratio if x <= self.step_ratio else (x - 1) / (self.step_ratio - 1)
        return share * self.scale_fn(cycle if self.scale_mode == "cycle" else self.last_epoch)

    def get_lr(self) -> list[float]:
        height = self._height()
        return [low + (high - low) * height for low, high in zip(self.base_lrs, self.max_lrs, strict=True)]

    def get_momentum(self) -> list[float]:
        height = self._height()
        return [group["max_momentum"] - (group["max_momentum"] - group["base_momentum"]) * height
                for group in self.optimizer.param_groups]

    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "_scale_fn_custom": function_state(self._scale_fn_custom)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        super().load_state_dict({name: v for name, v in state_dict.items() if name != "_scale_fn_custom"})
        if state_dict["_scale_fn_custom"] is not None:
            self._scale_fn_custom.__dict__.update(state_dict["_scale_fn_custom"])


class OneCycleLR(_WithMomentum):
    """Up from max_lr / div_factor to max_lr, then down to the initial rate over final_div_factor, and the momentum the
    other
    way: one cycle over the whole training. For one step a batch.

    Source: Smith and Topin, "Super-Convergence: Very Fast Training of Neural Networks Using Large Learning Rates",
    2019.

    Args:
        optimizer: the optimizer whose rates are set.
        max_lr: the highest rate; one, or one for each group.
        total_steps: the length; None for epochs * steps_per_epoch.
        epochs: see total_steps.
        steps_per_epoch: see total_steps.
        pct_start: the share of the length that goes up.
        anneal_strategy: "cos" or "linear".
        cycle_momentum: move the momentum, or the first of the betas, from max_momentum to base_momentum and back.
        base_momentum: the lowest momentum; one, or one for each group.
        max_momentum: the highest momentum; one, or one for each group.
        div_factor: max_lr over the initial rate.
        final_div_factor: the initial rate over the last.
        three_phase: go down to the initial rate as fast as up, and then to the last.
        last_epoch: the count of steps to go on from; -1 starts anew.

    Raises:
        ValueError: no length is given, an option is out of range, or the optimizer has no momentum to cycle; from
            `step`, more steps than total_steps.

    Examples:
        >>> optimizer = optim.SGD([nn.Parameter(gpunet.zeros(1))], lr=1.0)
        >>> scheduler = optim.lr_scheduler.OneCycleLR(optimizer, max_lr=1.0, total_steps=5, cycle_momentum=False)
        >>> rates = []
        >>> for epoch in range(4):
        ...     rates += scheduler.get_last_lr()
        ...     optimizer.step()
        ...     scheduler.step()
        >>> [round(rate, 4) for rate in rates]
        [0.04, 0.9505, 0.6113, 0.1883]
    """

    def __init__(self, optimizer: Optimizer, max_lr: float | list[float], total_steps: int | None = None,
                 epochs: int | None = None, steps_per_epoch: int | None = None, pct_start: float = 0.3,
                 anneal_strategy: str = "cos", cycle_momentum: bool = True, base_momentum: float | list[float] = 0.85,
                 max_momentum: float | list[float] = 0.95, div_factor: float = 25.0, final_div_factor: float = 1e4,
                 three_phase: bool = False, last_epoch: int = -1) -> None:
        check_optimizer(optimizer)
        lengths = {"epochs": epochs, "steps_per_epoch": steps_per_epoch}
        for name, count in ({"total_steps": total_steps} if total_steps is not None else lengths).items():
            if count is not None and (not isinstance(count, int) or count <= 0):
                raise ValueError(f"Expected positive integer {name}, but got {count}")
        if total_steps is not None:
            self.total_steps = total_steps
        elif epochs is not None and steps_per_epoch is not None:
            self.total_steps = epochs * steps_per_epoch
        else:
            raise ValueError("You must define either total_steps OR (epochs AND steps_per_epoch)")
        if not 0 <= pct_start <= 1:
            raise ValueError(f"Expected float between 0 and 1 pct_start, but got {pct_start}")
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(f"anneal_strategy must be one of 'cos' or 'linear', instead got {anneal_strategy}")
        self._anneal_func_type = anneal_strategy
        rising = pct_start * self.total_steps - 1
        # The turning points: (step, the group's rate and momentum there); the last is the end.
        self._points: list[tuple[Any, ...]] = [
            (0.0, "initial_lr", "max_momentum"), (rising, "max_lr", "base_momentum")]
        if three_phase:
            self._points.append((2 * rising, "initial_lr", "max_momentum"))
        self._points.append((self.total_steps - 1.0, "min_lr", "max_momentum"))
        if last_epoch == -1:
            for group, top in zip(optimizer.param_groups, for_each_group("max_lr", optimizer, max_lr), strict=True):
                group["initial_lr"] = top / div_factor
                group["max_lr"], group["min_lr"] = top, top / div_factor / final_div_factor
        self._begin_momentum(optimizer, cycle_momentum, base_momentum, max_momentum, last_epoch)
        super().__init__(optimizer, last_epoch)

    def _between(self, which: int) -> list[float]:
        """For each group, the value between those at the turning points before and after the present step."""
        if self.last_epoch > self.total_steps:
            raise ValueError(f"Tried to step {self.last_epoch} times. The specified number of total steps is "
                             f"{self.total_steps}")
        ends = [point[0] for point in self._points[1:]]
        phase = min(bisect_left(ends, self.last_epoch), len(ends) - 1)
        start, end = self._points[phase], self._points[phase + 1]
        share = (self.last_epoch - start[0]) / (end[0] - start[0])
        if self._anneal_func_type == "cos":
            share = (1 - math.cos(math.pi * share)) / 2
        return [group[start[which]] + (group[end[which]] - group[start[which]]) * share
                for group in self.optimizer.param_groups]

    def get_lr(self) -> list[float]:
        return self._between(1)

    def get_momentum(self) -> list[float]:
        return self._between(2)


class CosineAnnealingWarmRestarts(LRScheduler):
    """From the initial rate to eta_min along half a cosine, then anew from the initial rate:
    `eta_min + (initial rate - eta_min) * (1 + cos(pi * T_cur / T_i)) / 2`, T_cur being the steps since the last restart
    and T_i those between two.

    Source: Loshchilov and Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", 2017.

    Args:
        optimizer: the optimizer whose rates are set.
        T_0: steps until the first restart.
        T_mult: each time, T_i is this many times as long as before.
        eta_min: the lowest rate.
        last_epoch: the count of steps to go on from; -1 starts anew.

    Raises:
        ValueError: T_0 or T_mult is not a positive integer.

    Examples:
        >>> optimizer = optim.SGD([nn.Parameter(gpunet.zeros(1))], lr=1.0)
        >>> scheduler = optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, T_0=2)
        >>> rates = []
        >>> for epoch in range(5):
        ...     rates += scheduler.get_last_lr()
        ...     optimizer.step()
        ...     scheduler.step()
        >>> [round(rate, 4) for rate in rates]
        [1.0, 0.5, 1.0, 0.5, 1.0]
    """

    def __init__(self, optimizer: Optimizer, T_0: int, T_mult: int = 1, eta_min: float = 0.0,
                 last_epoch: int = -1) -> None:
        if not isinstance(T_0, int) or T_0 <= 0:
            raise ValueError(f"Expected positive integer T_0, but got {T_0}")
        if not isinstance(T_mult, int) or T_mult < 1:
            raise ValueError(f"Expected integer T_mult >= 1, but got {T_mult}")
        if not isinstance(eta_min, (float, int)):
            raise ValueError(f"Expected float or int eta_min, but got {eta_min} of type {type(eta_min)}")
        self.T_0 = self.T_i = T_0
        self.T_mult, self.eta_min, self.T_cur = T_mult, eta_min, last_epoch
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        height = (1 + math.cos(math.pi * self.T_cur / self.T_i)) / 2
        return [self.eta_min + (base - self.eta_min) * height for base in self.base_lrs]

    def step(self, epoch: float | None = None) -> None:
        """Goes one step further, or to any place.

        Args:
            epoch: the place, which may lie between two epochs; None for the next.
        """
        if epoch is None and self.last_epoch >= 0:
            self.T_cur += 1
            if self.T_cur >= self.T_i:
                self.T_cur, self.T_i = self.T_cur % self.T_i, self.T_i * self.T_mult
            epoch = self.last_epoch + 1
        else:
            epoch = epoch or 0
            if epoch < 0:
                raise ValueError(f"Expected non-negative epoch, but got {epoch}")
            restarts = 0
            if epoch >= self.T_0 and self.T_mult > 1:
                restarts = int(math.log(epoch / self.T_0 * (self.T_mult - 1) + 1, self.T_mult))
            self.T_i = self.T_0 * self.T_mult**restarts
            before = self.T_0 * (self.T_mult**restarts - 1) / (self.T_mult - 1) if restarts else 0
            self.T_cur = epoch % self.T_0 if self.T_mult == 1 and epoch >= self.T_0 else epoch - before
        self.last_epoch = math.floor(epoch)
        self._set(self.get_lr())
