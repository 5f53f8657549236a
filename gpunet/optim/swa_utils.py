"""Averages of a model's weights over training: SWA (Izmailov et al., 2018) and EMA (Polyak averaging)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from copy import deepcopy
from itertools import chain

from gpunet.dtypes import int64
from gpunet.engine.modes import no_grad
from gpunet.nn.module import Module
from gpunet.ops import creation
from gpunet.optim.lr_scheduler.base import LRScheduler, for_each_group
from gpunet.optim.optimizer import Optimizer


def _check_decay(decay):
    if not 0.0 <= decay <= 1.0:
        raise ValueError(f"Invalid decay value {decay} provided. Please provide a value in [0,1] range.")


def get_ema_avg_fn(decay: float = 0.999) -> Callable:
    """An `avg_fn`: decay * average + (1 - decay) * value."""
    _check_decay(decay)
    return no_grad(lambda average, value, count: average * decay + value * (1 - decay))


def get_swa_avg_fn() -> Callable:
    """An `avg_fn`: the mean of all values so far, each counting the same."""
    return no_grad(lambda average, value, count: average + (value - average) / (count + 1))


def _of_lists(function: Callable) -> Callable:
    @no_grad()
    def update(averages, values, count):
        for average, value in zip(averages, values, strict=True):
            average.copy_(function(average, value, count))

    return update


def get_ema_multi_avg_fn(decay: float = 0.999) -> Callable:
    """A `multi_avg_fn`, which takes lists: decay * average + (1 - decay) * value, in place."""
    return _of_lists(get_ema_avg_fn(decay))


def get_swa_multi_avg_fn() -> Callable:
    """A `multi_avg_fn`, which takes lists: the mean of all values so far, in place."""
    return _of_lists(get_swa_avg_fn())


class AveragedModel(Module):
    """A copy of a model, whose parameters are an average of the model's at every `update_parameters(model)`.

    device: where the copy is kept. avg_fn(average, value, count): the new average of one parameter;
    multi_avg_fn(averages, values, count): changes lists in place; the plain mean if neither is given. use_buffers: the
    buffers are averaged too, rather than copied. The state's names are PyTorch's: "n_averaged", "module...".
    """

    def __init__(self, model: Module, device=None, avg_fn: Callable | None = None, multi_avg_fn: Callable | None = None,
                 use_buffers: bool = False) -> None:
        super().__init__()
        if avg_fn is not None and multi_avg_fn is not None:
            raise AssertionError("Only one of avg_fn and multi_avg_fn should be provided")
        self.module = deepcopy(model)
        if device is not None:
            self.module = self.module.to(device)
        self.register_buffer("n_averaged", creation.zeros((), dtype=int64, device=device))
        self.avg_fn, self.multi_avg_fn, self.use_buffers = avg_fn, multi_avg_fn, use_buffers

    def forward(self, *args, **kwargs):
        return self.module(*args, **kwargs)

    @no_grad()
    def update_parameters(self, model: Module) -> None:
        """Takes the model's parameters into the average."""
        averages, values = ([t.detach() for t in chain(m.parameters(), m.buffers() if self.use_buffers else ())]
                            for m in (self.module, model))
        values = [value.to(average.device) for average, value in zip(averages, values, strict=True)]
        if int(self.n_averaged) == 0:
            for average, value in zip(averages, values, strict=True):
                average.copy_(value)
        else:
            update = self.multi_avg_fn or _of_lists(self.avg_fn or get_swa_avg_fn())
            kinds: dict = {}  # (device, type) -> averages and values: what a multi_avg_fn may take together
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
def update_bn(loader: Iterable, model: Module, device=None) -> None:
    """Computes the running statistics of the model's batch normalizations anew, as plain means over the batches of
    `loader` (of which the first entry is the input), since those of averaged weights are not known."""
    layers = [m for m in model.modules() if hasattr(m, "reset_running_stats") and hasattr(m, "momentum")]
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
    """From the rate at hand to swa_lr (one, or one for each group) in anneal_epochs steps, along a cosine ("cos") or a
    line ("linear"), and there it stays."""

    def __init__(self, optimizer: Optimizer, swa_lr: float | list[float], anneal_epochs: int = 10,
                 anneal_strategy: str = "cos", last_epoch: int = -1) -> None:
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

    def get_lr(self):
        step = max(self._step_count - 1, 1 if self.anneal_epochs == 0 else 0)
        before, now = self._share(step - 1), self._share(step)

        def rate(group):
            end = group["swa_lr"]
            start = end if before == 1 else (group["lr"] - before * end) / (1 - before)
            return end * now + start * (1 - now)

        return [rate(group) for group in self.optimizer.param_groups]


__all__ = ["AveragedModel", "SWALR", "get_ema_avg_fn", "get_ema_multi_avg_fn", "get_swa_avg_fn", "get_swa_multi_avg_fn",
           "update_bn"]
