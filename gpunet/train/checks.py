"""Checks of a trainer's options and first batch, and of its numbers after an epoch: what is wrong, in one sentence."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from math import isfinite
from typing import Any

import gpunet
from gpunet import Tensor, nn
from gpunet.data import DataLoader, TensorDataset
from gpunet.optim import LBFGS, Optimizer
from gpunet.train.objective import name_of


class TrainingDiverged(RuntimeError):
    """A loss, a weight or a number in the optimizer's state is no longer finite.

    Examples:
        >>> issubclass(train.TrainingDiverged, RuntimeError)
        True
    """


def check_parts(model: Any, loss: Any, optimizer: Any) -> None:
    """Raises TypeError or ValueError if a trainer's parts are of another kind, or do not belong together."""
    order = "the order is Trainer(model, loss, optimizer)"
    if not isinstance(model, nn.Module):
        raise TypeError(f"Trainer: model must be an nn.Module, not {type(model).__name__}.")
    if not callable(loss) or isinstance(loss, Optimizer):
        raise TypeError(f"Trainer: loss must be a function of (output, target), not {type(loss).__name__}; {order}.")
    if optimizer is None:
        return
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"Trainer: optimizer must be an Optimizer, not {type(optimizer).__name__}; {order}.")
    if isinstance(optimizer, LBFGS):
        raise ValueError("Trainer: LBFGS computes the loss several times a step; write its loop out.")
    own = {id(each) for each in model.parameters()}
    if not any(id(each) in own for group in optimizer.param_groups for each in group["params"]):
        raise ValueError("Trainer: the optimizer has no parameter of the model; make it from model.parameters().")


def first_step(step: Callable[..., Any], *arguments: Any) -> Any:
    """The first step of a pass, in which shapes that are broadcast together are an error, not a warning."""
    with warnings.catch_warnings():
        warnings.filterwarnings("error", ".*they will be broadcast")
        try:
            return step(*arguments)
        except UserWarning as error:
            raise ValueError(f"Trainer: {str(error).split(': they will')[0]}; reshape the target to (N, 1), or squeeze "
                             "the model's output.") from None


def check_targets(loss: Any, data: Any, output: Any) -> None:
    """Raises ValueError if classes among the targets in memory are outside those of the model's output."""
    dataset = data.dataset if isinstance(data, DataLoader) else None
    if name_of(loss) not in ("cross_entropy", "nll_loss", "CrossEntropyLoss", "NLLLoss") or not isinstance(
            dataset, TensorDataset) or len(dataset.tensors) < 2:
        return
    target = dataset.tensors[1]
    if not isinstance(output, Tensor) or output.ndim < 2 or target.is_floating_point() or not target.numel():
        return
    ignored = getattr(loss, "ignore_index", -100)
    counted = target[target != ignored]
    if counted.numel():
        low, high, classes = int(counted.min()), int(counted.max()), output.shape[1]
        if low < 0 or high >= classes:
            raise ValueError(f"Trainer: the targets have classes from {low} to {high}, and the model's output has "
                             f"{classes} classes, 0 to {classes - 1}; number the classes from 0, or give the model "
                             "more outputs.")


def refuse_divergence(model: nn.Module, optimizer: Optimizer, row: dict[str, Any]) -> None:
    """Raises TrainingDiverged if a number of the epoch's is not finite."""
    for name, what in (("loss", "training loss"), ("val_loss", "validation loss")):
        if not isfinite(row.get(name, 0.0)):
            raise _diverged(f"The {what} became {row[name]}", row["epoch"])
    states = [*model.state_dict().values()]
    for state in optimizer.state_dict()["state"].values():
        states += state.values()
    if all([_has_finite_sum(each) for each in states if isinstance(each, Tensor)]):
        return
    for name, value in model.state_dict().items():
        if isinstance(value, Tensor) and not _all_finite(value):
            raise _diverged(f"The model's {name} has values that are not finite", row["epoch"])
    for state in optimizer.state_dict()["state"].values():
        for name, value in state.items():
            # An infinite mean square stops its weight; only NaN spreads to it.
            if isinstance(value, Tensor) and value.is_floating_point() and bool(gpunet.isnan(value).any()):
                raise _diverged(f"The optimizer's {name} has NaN", row["epoch"])


def _diverged(what: str, epoch: int) -> TrainingDiverged:
    return TrainingDiverged(f"{what} in epoch {epoch}; a lower learning rate may help.")


def _has_finite_sum(value: Tensor) -> bool:
    """What says in one pass that nothing is NaN or infinite; a sum of finite numbers can be infinite, too."""
    return not value.is_floating_point() or isfinite(value.sum().item())


def _all_finite(value: Tensor) -> bool:
    return not value.is_floating_point() or bool(gpunet.isfinite(value).all())
