"""What compile has set: the losses and metrics of one or several outputs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gpunet import Tensor, nn
from gpunet import metrics as base
from gpunet.keras import losses, metrics


class CompiledLoss(nn.Module):
    """The loss of a model as a Trainer calls it: (output, target) -> the mean over the batch.

    Args:
        given: a loss, or several in a list, or by the names of the outputs.
        weights: how much each output counts; None: all alike.
        names: of the outputs, once they are known.
    """

    def __init__(self, given: Any, weights: Any, names: list[str]) -> None:
        super().__init__()
        self.reduction = "mean"
        self.single = not isinstance(given, tuple | list | Mapping)
        self.parts = [losses.get(given)] if self.single else [
            None if each is None else losses.get(each) for each in in_order("loss", given, names)]
        self.weights = [1.0] * len(self.parts) if weights is None else [
            float(each) for each in in_order("loss_weights", weights, names)]
        if len(self.parts) == 1:
            self.single = True
        if len(self.weights) != len(self.parts):
            raise ValueError(f"compile: loss_weights has {len(self.weights)} numbers, and there are {len(self.parts)} "
                             "losses.")

    def forward(self, output: Any, target: Any) -> Tensor:
        outputs, targets = listed(output), listed(target)
        if self.single and len(outputs) == 1:
            return self._reduced(self.parts[0], outputs[0], targets[0], self.reduction)
        parts = self.parts * len(outputs) if self.single else self.parts
        weights = self.weights * len(outputs) if self.single else self.weights
        if len(parts) != len(outputs) or len(targets) != len(outputs):
            raise ValueError(f"fit: the model has {len(outputs)} outputs, and there are {len(targets)} targets and "
                             f"{len(parts)} losses; give one for each.")
        if self.reduction == "none":
            raise ValueError("fit: sample_weight and class_weight are for models of one output; use loss_weights.")
        total: Any = 0.0
        for part, weight, one, wanted in zip(parts, weights, outputs, targets, strict=True):
            if part is not None:
                total = total + weight * self._reduced(part, one, wanted, "mean")
        return total

    def _reduced(self, loss: Any, output: Tensor, target: Tensor, reduction: str) -> Tensor:
        each = loss.call(*losses.same_rank(target, output))
        if reduction == "none":
            if loss.reduction != "sum_over_batch_size":
                raise ValueError("fit: sample_weight and class_weight need a loss with the reduction "
                                 "'sum_over_batch_size'.")
            return each
        return each.sum() if loss.reduction == "sum" else each.mean()


class LossOf(metrics.MeanMetricWrapper):
    """The loss of one of several outputs."""

    better = "min"

    def __init__(self, loss: losses.Loss, index: int, name: str) -> None:
        super().__init__(loss.call, f"{name}_loss")
        self.index = index

    def each(self, output: Any, target: Any) -> Tensor:
        return super().each(listed(output)[self.index], listed(target)[self.index])


def compiled_metrics(given: Any, loss: CompiledLoss | None, names: list[str]) -> list[base.Metric]:
    """Metrics as a Trainer takes them. Raises ValueError."""
    several, found = len(names) > 1, list[base.Metric]()
    if not several:
        if isinstance(given, Mapping):
            given = list(given.values())
        found += [metrics.get(each) for each in _flat(given)]
    else:
        if loss is not None:
            parts = loss.parts * len(names) if loss.single else loss.parts
            found += [LossOf(part, index, name) for index, (part, name) in enumerate(zip(parts, names, strict=True))
                      if part is not None]
        every = in_order("metrics", given, names) if isinstance(given, Mapping) or _per_output(given, names) else [
            given] * len(names)
        for index, (name, one) in enumerate(zip(names, every, strict=True)):
            found += [metrics.OfOutput(metrics.get(each), index, name) for each in _flat(one)]
    seen: set[str] = set()
    for each in found:
        if each.name in seen:
            raise ValueError(f"compile: two metrics are called {each.name!r}; give one another name.")
        seen.add(each.name)
    return found


def _per_output(given: Any, names: list[str]) -> bool:
    return isinstance(given, tuple | list) and len(given) == len(names) and any(
        isinstance(each, tuple | list) or each is None for each in given)


def _flat(given: Any) -> list[Any]:
    if given is None:
        return []
    if isinstance(given, tuple | list):
        return [leaf for each in given for leaf in _flat(each)]
    return [given]


def in_order(what: str, given: Any, names: list[str]) -> list[Any]:
    """One for each output, from a list or a dictionary by name. Raises ValueError."""
    if isinstance(given, Mapping):
        if strange := [each for each in given if each not in names]:
            raise ValueError(f"compile: {what} is given for the output {strange[0]!r}, and the model has "
                             f"{', '.join(names)}.")
        return [given.get(each) for each in names]
    given = list(given) if isinstance(given, tuple | list) else [given]
    if len(given) != len(names):
        raise ValueError(f"compile: {what} has {len(given)} entries, and the model has {len(names)} outputs: "
                         f"{', '.join(names)}.")
    return given


def listed(value: Any) -> list[Any]:
    """Outputs or targets in order."""
    if isinstance(value, Mapping):
        return list(value.values())
    return list(value) if isinstance(value, tuple | list) else [value]
