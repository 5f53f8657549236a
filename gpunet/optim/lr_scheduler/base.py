"""LRScheduler: the base of the schedules."""

from __future__ import annotations

import types
from collections.abc import Iterable
from typing import Any

from gpunet._warn import warn
from gpunet.optim.optimizer import Optimizer


class LRScheduler:
    """Base of the schedules: `step()`, once an epoch or once a batch, after `optimizer.step()`, sets the next rates.

    A subclass gives `get_lr`, the rate of each group after `last_epoch` steps, often from the rate before; and perhaps
    `closed_form`, the same from the initial rate, for jumps.

    Args:
        optimizer: the optimizer whose rates are set.
        last_epoch: the count of steps to go on from; -1 starts anew.

    Attributes:
        base_lrs: the initial rate of each group.
        last_epoch: the count of steps.

    Raises:
        TypeError: optimizer is no Optimizer.
        KeyError: last_epoch is given, but the groups have no "initial_lr".

    Examples:
        >>> class Halving(optim.lr_scheduler.LRScheduler):
        ...     def get_lr(self):
        ...         return [base / 2**self.last_epoch for base in self.base_lrs]
        >>> optimizer = optim.SGD([nn.Parameter(gpunet.zeros(1))], lr=1.0)
        >>> scheduler = Halving(optimizer)
        >>> optimizer.step()
        >>> scheduler.step()
        >>> scheduler.get_last_lr()
        [0.5]
    """

    _is_initial = False  # whether this is the step with which a schedule begins
    _step_count: int
    _last_lr: list[float]

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        check_optimizer(optimizer)
        for i, group in enumerate(optimizer.param_groups):
            if last_epoch == -1:
                group.setdefault("initial_lr", group["lr"])
            elif "initial_lr" not in group:
                raise KeyError(f"param 'initial_lr' is not specified in param_groups[{i}] when resuming scheduler with "
                               "last_epoch >= 0: load the optimizer's state first")
        self.optimizer = optimizer
        self.base_lrs = [group["initial_lr"] for group in optimizer.param_groups]
        self.last_epoch = last_epoch
        self._initial_step()

    def _initial_step(self) -> None:
        self._step_count, self._is_initial = 0, True
        try:
            self.step()
        finally:
            self._is_initial = False

    def get_lr(self) -> list[float]:
        """The rate of each group now, for `step`. For the rates that are set, see `get_last_lr`."""
        raise NotImplementedError(f"{type(self).__name__} has no get_lr")

    def closed_form(self) -> list[float]:
        """The rate of each group after `last_epoch` steps, whatever the rate before."""
        return self.get_lr()

    def get_last_lr(self) -> list[float]:
        """The rates that the last step set, one for each group."""
        return self._last_lr

    def step(self, epoch: int | None = None) -> None:
        """Sets the next rates.

        Args:
            epoch: the step to go to, by the closed form; deprecated, as in PyTorch.
        """
        if self._step_count == 1 and not self.optimizer._stepped:
            warn("Detected call of `lr_scheduler.step()` before `optimizer.step()`: the first rate of the "
                 "schedule is skipped; call them in the opposite order")
        self._step_count += 1
        if epoch is not None:
            warn("The epoch parameter in `scheduler.step()` is deprecated; use `scheduler.step()`")
        self._update_lr(epoch)

    def _update_lr(self, epoch: int | None = None) -> None:
        self.last_epoch = self.last_epoch + 1 if epoch is None else epoch
        self._set(self.get_lr() if epoch is None else self.closed_form())

    def _set(self, rates: Iterable[float]) -> None:
        for group, rate in zip(self.optimizer.param_groups, rates, strict=True):
            group["lr"] = rate
        self._last_lr = self._rates()

    def _rates(self) -> list[float]:
        return [group["lr"] for group in self.optimizer.param_groups]

    def state_dict(self) -> dict[str, Any]:
        """The schedule's attributes but the optimizer; of functions, only the attributes of callable objects."""
        return {name: value for name, value in self.__dict__.items() if name != "optimizer"}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Goes on from what `state_dict` gave.

        Args:
            state_dict: what `state_dict` gave.
        """
        self.__dict__.update(state_dict)


def check_optimizer(optimizer: object) -> None:
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"{type(optimizer).__name__} is not an Optimizer")


def for_each_group(name: str, optimizer: Optimizer, value: Any) -> list[Any]:
    """The value for each parameter group: one for all, or a list."""
    count = len(optimizer.param_groups)
    if not isinstance(value, (list, tuple)):
        return [value] * count
    if len(value) != count:
        raise ValueError(f"{name} must have the same length as optimizer.param_groups. {name} has {len(value)} values, "
                         f"param_groups has {count}.")
    return list(value)


def function_state(function: Any) -> dict[str, Any] | None:
    """What a state_dict keeps of a function: the attributes of a callable object, else nothing."""
    return None if function is None or isinstance(function, types.FunctionType) else function.__dict__.copy()


def check_momentum(optimizer: Optimizer) -> None:
    if not {"momentum", "betas"} & set(optimizer.defaults):
        raise ValueError("optimizer must support momentum or beta1 with `cycle_momentum` option enabled")


def set_momentum(group: dict[str, Any], value: float) -> None:
    """The momentum is in "momentum", or the first of "betas"."""
    if "betas" in group:
        group["betas"] = (value, *group["betas"][1:])
    else:
        group["momentum"] = value
