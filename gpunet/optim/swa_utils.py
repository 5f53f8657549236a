"""Averages of a model's weights over training: SWA (Izmailov et al., 2018) and EMA (Polyak averaging)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from copy import deepcopy
from itertools import chain
from typing import Any, Literal

from gpunet.dtypes import int64
from gpunet.engine.modes import no_grad
from gpunet.nn.common_types import Device
from gpunet.nn.module import Module
from gpunet.ops import creation
from gpunet.optim.lr_scheduler.base import LRScheduler, for_each_group
from gpunet.optim.optimizer import Optimizer
from gpunet.tensor import Tensor

__all__ = ["AveragedModel", "SWALR", "get_ema_avg_fn", "get_ema_multi_avg_fn", "get_swa_avg_fn", "get_swa_multi_avg_fn",
           "update_bn"]


def _check_decay(decay: float) -> None:
    if not 0.0 <= decay <= 1.0:
        raise ValueError(f"Invalid decay value {decay} provided. Please provide a value in [0,1] range.")


def get_ema_avg_fn(decay: float = 0.999) -> Callable[..., Tensor]:
    """An `avg_fn` of `AveragedModel` for an exponential moving average: `decay * average + (1 - decay) * value`.

    Args:
        decay: how much of the average each update keeps, in [0, 1].

    Returns:
        A function of (average, value, count).

    Raises:
        ValueError: decay is out of range.

    Examples:
        >>> average = optim.swa_utils.get_ema_avg_fn(0.9)
        >>> average(gpunet.tensor(0.0), gpunet.tensor(1.0), 1)
        tensor(0.1000)
    """
    _check_decay(decay)
    return no_grad(lambda average, value, count: average * decay + value * (1 - decay))


def get_swa_avg_fn() -> Callable[..., Tensor]:
    """An `avg_fn` of `AveragedModel` for the plain mean of all values: `average + (value - average) / (count + 1)`.

    Returns:
        A function of (average, value, count).

    Examples:
        >>> average = optim.swa_utils.get_swa_avg_fn()
        >>> average(gpunet.tensor(2.0), gpunet.tensor(5.0), 2)
        tensor(3.)
    """
    return no_grad(lambda average, value, count: average + (value - average) / (count + 1))


def _of_lists(function: Callable[..., Tensor]) -> Callable[..., None]:
    @no_grad()
    def update(averages: list[Tensor], values: list[Tensor], count: Any) -> None:
        for average, value in zip(averages, values, strict=True):
            average.copy_(function(average, value, count))

    return update


def get_ema_multi_avg_fn(decay: float = 0.999) -> Callable[..., None]:
    """A `multi_avg_fn` of `AveragedModel` for an exponential moving average: `decay * average + (1 - decay) * value`,
    in place.

    Args:
        decay: how much of the average each update keeps, in [0, 1].

    Returns:
        A function of (averages, values, count), the first two being lists of tensors.

    Raises:
        ValueError: decay is out of range.

    Examples:
        >>> averages = [gpunet.tensor(0.0)]
        >>> optim.swa_utils.get_ema_multi_avg_fn(0.9)(averages, [gpunet.tensor(1.0)], 1)
        >>> averages
        [tensor(0.1000)]
    """
    return _of_lists(get_ema_avg_fn(decay))


def get_swa_multi_avg_fn() -> Callable[..., None]:
    """A `multi_avg_fn` of `AveragedModel` for the plain mean of all values, in place.

    Returns:
        A function of (averages, values, count), the first two being lists of tensors.

    Examples:
        >>> averages = [gpunet.tensor(2.0)]
        >>> optim.swa_utils.get_swa_multi_avg_fn()(averages, [gpunet.tensor(5.0)], gpunet.tensor(2))
        >>> averages
        [tensor(3.)]
    """
    return _of_lists(get_swa_avg_fn())


class AveragedModel(Module):
    """A copy of a model whose parameters are an average of the model's over its training.

    The names in its state are PyTorch's: "n_averaged", "module...".

    Source: Izmailov et al., "Averaging Weights Leads to Wider Optima and Better Generalization", 2018.

    Args:
        model: the model to copy.
        device: where the copy is kept; None for the model's.
        avg_fn: avg_fn(average, value, count), the new average of one parameter; None for the plain mean.
        multi_avg_fn: multi_avg_fn(averages, values, count), which changes lists in place; instead of avg_fn.
        use_buffers: average the buffers too, rather than copy them.

    Raises:
        AssertionError: both avg_fn and multi_avg_fn are given.

    Examples:
        >>> model = nn.PReLU(init=1.0)
        >>> average = optim.swa_utils.AveragedModel(model)
        >>> average.update_parameters(model)
        >>> nn.init.constant_(model.weight, 3.0).detach()
        tensor([3.])
        >>> average.update_parameters(model)
        >>> average.module.weight.detach()
        tensor([2.])
    """

    n_averaged: Tensor

    def __init__(self, model: Module, device: Device = None, avg_fn: Callable[..., Any] | None = None,
                 multi_avg_fn: Callable[..., Any] | None = None, use_buffers: bool = False) -> None:
        super().__init__()
        if avg_fn is not None and multi_avg_fn is not None:
            raise AssertionError("Only one of avg_fn and multi_avg_fn should be provided")
        self.module = deepcopy(model)
        if device is not None:
            self.module = self.module.to(device)
        self.register_buffer("n_averaged", creation.zeros((), dtype=int64, device=device))
        self.avg_fn, self.multi_avg_fn, self.use_buffers = avg_fn, multi_avg_fn, use_buffers

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        return self.module(*args, **kwargs)

    @no_grad()
    def update_parameters(self, model: Module) -> None:
        """Takes the model's parameters into the average.

        Args:
            model: the model, as it is now.
        """
        averages, values = ([t.detach() for t in chain(m.parameters(), m.buffers() if self.use_buffers else ())]
                            for m in (self.module, model))
        values = [value.to(average.device) for average, value in zip(averages, values, strict=True)]
        if int(self.n_averaged) == 0:
            for average, value in zip(averages, values, strict=True):
                average.copy_(value)
        else:
            update = self.multi_avg_fn or _of_lists(self.avg_fn or get_swa_avg_fn())
            # By device and dtype: what a multi_avg_fn may take together.
            kinds: dict[Any, tuple[list[Tensor], list[Tensor]]] = {}
            for average, value in zip(averages, values, strict=True):
                pair = kinds.setdefault((average.device, average.dtype), ([], []))
                pair[0].append(average)
                pair[1].append(value)
            for (device, _), (some, others) in kinds.items():
                update(some, others, self.n_averaged.to(device))
        if not self.use_buffers:
            for average, value in zip(self.module.buffers(), model.buffers(), strict=True):
                average.copy_(value.to(average.device))
        self.n_averaged += 1


@no_grad()
def update_bn(loader: Iterable, model: Module, device: Device = None) -> None:
    """Computes the running statistics of a model's batch norms anew, as plain means over the batches of `loader`: those
    of averaged weights are not known.

    Args:
        loader: batches; of a list or tuple, the first entry is the input.
        model: the model, often an `AveragedModel`.
        device: where the inputs are moved; None leaves them.

    Examples:
        >>> model = nn.BatchNorm1d(1)
        >>> optim.swa_utils.update_bn([gpunet.tensor([[1.0], [3.0]])], model)
        >>> model.running_mean
        tensor([2.])
    """
    layers: list[Any] = [m for m in model.modules() if hasattr(m, "reset_running_stats") and hasattr(m, "momentum")]
    if not layers:
        return
    momenta, was_training = [layer.momentum for layer in layers], model.training
    model.train()
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = None
    for batch in loader:
        x = batch[0] if isinstance(batch, (list, tuple)) else batch
        model(x if device is None else x.to(device))
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum
    model.train(was_training)


class SWALR(LRScheduler):
    """From the rate at hand to swa_lr in anneal_epochs steps, where it stays: the schedule of stochastic weight
    averaging.

    Args:
        optimizer: the optimizer whose rates are set.
        swa_lr: the last rate; one, or one for each group.
        anneal_epochs: in how many steps.
        anneal_strategy: "cos", along a cosine, or "linear".
        last_epoch: the count of steps to go on from; -1 starts anew.

    Raises:
        ValueError: an option is out of range.

    Examples:
        >>> optimizer = optim.SGD([nn.Parameter(gpunet.zeros(1))], lr=1.0)
        >>> scheduler = optim.swa_utils.SWALR(optimizer, swa_lr=0.1, anneal_epochs=3, anneal_strategy="linear")
        >>> rates = []
        >>> for epoch in range(5):
        ...     rates += scheduler.get_last_lr()
        ...     optimizer.step()
        ...     scheduler.step()
        >>> [round(rate, 4) for rate in rates]
        [1.0, 0.7, 0.4, 0.1, 0.1]
    """

    def __init__(self, optimizer: Optimizer, swa_lr: float | list[float], anneal_epochs: int = 10,
                 anneal_strategy: Literal["cos", "linear"] = "cos", last_epoch: int = -1) -> None:
        for group, rate in zip(optimizer.param_groups, for_each_group("swa_lr", optimizer, swa_lr), strict=True):
            group["swa_lr"] = rate
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(f"anneal_strategy must be one of 'cos' or 'linear', instead got {anneal_strategy}")
        if not isinstance(anneal_epochs, int) or anneal_epochs < 0:
            raise ValueError(f"anneal_epochs must be equal or greater than 0, got {anneal_epochs}")
        self._anneal_strategy, self.anneal_epochs = anneal_strategy, anneal_epochs
        super().__init__(optimizer, last_epoch)

    def _share(self, step: int) -> float:
        share = max(0, min(1, step / max(1, self.anneal_epochs)))
        return share if self._anneal_strategy == "linear" else (1 - math.cos(math.pi * share)) / 2

    def get_lr(self) -> list[float]:
        step = max(self._step_count - 1, 1 if self.anneal_epochs == 0 else 0)
        before, now = self._share(step - 1), self._share(step)

        def rate(group: dict[str, Any]) -> float:
            end = group["swa_lr"]
            start = end if before == 1 else (group["lr"] - before * end) / (1 - before)
            return end * now + start * (1 - now)

        return [rate(group) for group in self.optimizer.param_groups]
