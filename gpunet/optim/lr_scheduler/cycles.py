"""Schedules that go up and down: in cycles, once, or with restarts."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable

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
    """Schedules that may turn the momentum the other way. A recorded step only sees the learning rate change."""

    def _begin_momentum(self, optimizer, cycle_momentum, base_momentum, max_momentum, last_epoch) -> None:
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

    def _set(self, rates):
        super()._set(rates)
        if self.cycle_momentum:
            for group, momentum in zip(self.optimizer.param_groups, self.get_momentum(), strict=True):
                set_momentum(group, momentum)


# How much of CyclicLR's amplitude is left: by the number of the cycle, or by the count of steps.
_SCALES = {"triangular": ("cycle", lambda gamma, x: 1.0),
           "triangular2": ("cycle", lambda gamma, x: 1 / 2.0 ** (x - 1)),
           "exp_range": ("iterations", lambda gamma, x: gamma**x)}


class CyclicLR(_WithMomentum):
    """Up from base_lr to max_lr in step_size_up steps, down in step_size_down, and again (Smith, 2017). One step a
    batch.

    mode: "triangular"; "triangular2", in which each cycle goes half as high; "exp_range", in which the height falls by
    gamma each step. scale_fn: a height of one's own, of the cycle's number or of the count of steps (scale_mode
    "cycle" or "iterations"); mode is ignored then. cycle_momentum: the momentum (or the first of the betas) goes from
    max_momentum to base_momentum and back.
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
        """The share of the amplitude, of the number of the cycle or of steps."""
        return self._scale_fn_custom(x) if self._scale_fn_custom else _SCALES[self.mode][1](self.gamma, x)

    def _height(self) -> float:
        cycle = math.floor(1 + self.last_epoch / self.total_size)
        x = 1.0 + self.last_epoch / self.total_size - cycle
        share = x / self.step_ratio if x <= self.step_ratio else (x - 1) / (self.step_ratio - 1)
        return share * self.scale_fn(cycle if self.scale_mode == "cycle" else self.last_epoch)

    def get_lr(self):
        height = self._height()
        return [low + (high - low) * height for low, high in zip(self.base_lrs, self.max_lrs, strict=True)]

    def get_momentum(self):
        height = self._height()
        return [group["max_momentum"] - (group["max_momentum"] - group["base_momentum"]) * height
                for group in self.optimizer.param_groups]

    def state_dict(self):
        return {**super().state_dict(), "_scale_fn_custom": function_state(self._scale_fn_custom)}

    def load_state_dict(self, state_dict):
        super().load_state_dict({name: v for name, v in state_dict.items() if name != "_scale_fn_custom"})
        if state_dict["_scale_fn_custom"] is not None:
            self._scale_fn_custom.__dict__.update(state_dict["_scale_fn_custom"])


class OneCycleLR(_WithMomentum):
    """Up from max_lr / div_factor to max_lr, then down to that over final_div_factor; the momentum the other way
    (Smith and Topin, 2019). One step a batch.

    total_steps, or epochs times steps_per_epoch: the length. pct_start: the share of it that goes up. anneal_strategy:
    "cos" or "linear". three_phase: down to the initial rate as fast as up, and then to the final one. cycle_momentum:
    the momentum (or the first of the betas) goes from max_momentum to base_momentum and back.
    """

    def __init__(self, optimizer: Optimizer, max_lr: float | list[float], total_steps: int | None = None,
                 epochs: int | None = None, steps_per_epoch: int | None = None, pct_start: float = 0.3,
                 anneal_strategy: str = "cos", cycle_momentum: bool = True, base_momentum: float | list[float] = 0.85,
                 max_momentum: float | list[float] = 0.95, div_factor: float = 25.0, final_div_factor: float = 1e4,
                 three_phase: bool = False, last_epoch: int = -1) -> None:
        check_optimizer(optimizer)
        if total_steps is None and (epochs is None or steps_per_epoch is None):
            raise ValueError("You must define either total_steps OR (epochs AND steps_per_epoch)")
        lengths = {"epochs": epochs, "steps_per_epoch": steps_per_epoch}
        for name, count in ({"total_steps": total_steps} if total_steps is not None else lengths).items():
            if not isinstance(count, int) or count <= 0:
                raise ValueError(f"Expected positive integer {name}, but got {count}")
        self.total_steps = epochs * steps_per_epoch if total_steps is None else total_steps
        if not 0 <= pct_start <= 1:
            raise ValueError(f"Expected float between 0 and 1 pct_start, but got {pct_start}")
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(f"anneal_strategy must be one of 'cos' or 'linear', instead got {anneal_strategy}")
        self._anneal_func_type = anneal_strategy
        rising = pct_start * self.total_steps - 1
        # The turning points: (step, the group's rate and momentum there); the last is the end.
        self._points = [(0.0, "initial_lr", "max_momentum"), (rising, "max_lr", "base_momentum")]
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

    def get_lr(self):
        return self._between(1)

    def get_momentum(self):
        return self._between(2)


class CosineAnnealingWarmRestarts(LRScheduler):
    """From the initial rate to eta_min along half a cosine in T_0 steps, then anew, each time in T_mult times as many
    (Loshchilov and Hutter, 2017). step(epoch) goes to any place, also between two epochs."""

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

    def get_lr(self):
        height = (1 + math.cos(math.pi * self.T_cur / self.T_i)) / 2
        return [self.eta_min + (base - self.eta_min) * height for base in self.base_lrs]

    def step(self, epoch: float | None = None) -> None:
        """Goes one step further, or to `epoch`."""
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
