"""The loss of a batch: plain, or weighted by example and class."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import gpunet
from gpunet import Tensor, nn
from gpunet.metrics.classes import right_class, spread


class Objective:
    """A loss function with weights.

    The mean over the examples of weight * loss, as in Keras: the weight of an example is its own times that of its
    class. So a weight of 2 counts as the example twice, but for the number by which the sum is divided.

    Args:
        loss: a function of (output, target), or of the output alone for batches without targets, that gives the mean
            over the batch.
        class_weights: a weight for each class, in a sequence, or in a dictionary by class, where those that are missing
            weigh 1.
    """

    def __init__(self, loss: Callable[..., Tensor],
                 class_weights: Sequence[float] | Mapping[int, float] | Tensor | None = None) -> None:
        self.loss = loss
        self.class_weights = class_weights
        self._table: Tensor | None = None  # of the class weights
        self._each: Callable[..., Tensor] | None = None

    def __call__(self, output: Any, target: Any, weight: Tensor | None) -> Tensor:
        loss = self._of(output, target, weight)
        if not isinstance(loss, Tensor) or loss.ndim:
            given = f"a tensor of shape {tuple(loss.shape)}" if isinstance(loss, Tensor) else type(loss).__name__
            raise ValueError(f"Trainer: {name_of(self.loss)} gives {given}; a loss must give one number, such as the "
                             "mean.")
        return loss

    def _of(self, output: Any, target: Any, weight: Tensor | None) -> Tensor:
        if target is None:
            try:
                return self.loss(output)
            except TypeError as error:
                if "missing" not in str(error):
                    raise
                raise ValueError(f"Trainer: {name_of(self.loss)} needs a target, and the batches have none; give data "
                                 "as (x, y).") from None
        if weight is None and self.class_weights is None:
            return self.loss(output, target)
        if self._each is None:
            self._each = _unreduced(self.loss)
        each = self._each(output, target)
        if self.class_weights is not None:
            each = each * self._weights_of(output)[right_class(target, output)].reshape(each.shape)
        if weight is not None:
            each = each * spread(weight.to(each.dtype), each)
        return each.mean()

    def _weights_of(self, output: Tensor) -> Tensor:
        if self._table is None or self._table.device != output.device:
            classes = output.shape[1] if output.ndim > 1 and output.shape[1] > 1 else 2
            given = self.class_weights
            assert given is not None
            if isinstance(given, Mapping):
                if strange := [each for each in given if each not in range(classes)]:
                    raise ValueError(f"class_weights has a weight for class {strange[0]!r}, and the model's output has "
                                     f"classes 0 to {classes - 1}.")
                given = [given.get(each, 1.0) for each in range(classes)]
            if len(given) != classes:
                raise ValueError(f"class_weights has {len(given)} weights, and the model's output has {classes} "
                                 "classes; give one for each.")
            self._table = gpunet.as_tensor(given, dtype=gpunet.get_default_dtype()).to(output.device)
        return self._table


def _unreduced(loss: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """The same loss without its mean: one number for each element."""
    if isinstance(loss, nn.Module) and hasattr(loss, "reduction"):
        loss = copy.deepcopy(loss)
        loss.reduction = "none"
        return loss
    try:
        if "reduction" in inspect.signature(loss).parameters:
            return lambda output, target: loss(output, target, reduction="none")
    except (TypeError, ValueError):
        pass
    raise ValueError(f"{name_of(loss)} cannot be weighted: sample and class weights need a loss with the option "
                     "reduction, such as nn.CrossEntropyLoss.")


def name_of(function: Any) -> str:
    """How errors call a function or layer."""
    return getattr(function, "__name__", type(function).__name__)
