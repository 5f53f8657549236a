"""Checks of a trainer's first batch, and of its numbers after an epoch: what is wrong, in one sentence."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, Any

import gpunet
from gpunet import Tensor, nn
from gpunet.optim import Optimizer

if TYPE_CHECKING:
    from gpunet.train.batches import Batch
    from gpunet.train.trainer import Trainer


class TrainingDiverged(RuntimeError):
    """A loss, a weight or a number in the optimizer's state is no longer finite.

    Examples:
        >>> issubclass(train.TrainingDiverged, RuntimeError)
        True
    """


def check_first_batch(trainer: Trainer, batch: Batch) -> None:
    """Raises ValueError if the batch cannot be what the loss takes."""


def refuse_divergence(model: nn.Module, optimizer: Optimizer, row: dict[str, Any]) -> None:
    """Raises TrainingDiverged if a number of the epoch's is not finite."""
    for name, what in (("loss", "training loss"), ("val_loss", "validation loss")):
        if not isfinite(row.get(name, 0.0)):
            raise _diverged(f"The {what} became {row[name]}", row["epoch"])
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


def _all_finite(value: Tensor) -> bool:
    return not value.is_floating_point() or bool(gpunet.isfinite(value).all())
