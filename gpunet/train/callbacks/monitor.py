"""Monitor: a column of the history to watch, and which way is better."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from gpunet.train.trainer import Trainer

Mode = Literal["min", "max"]


class Monitor:
    """The best value of a column so far, and how long ago it was.

    name: the column, such as "val_loss". mode: which way is better; None: less for losses, for metrics as they say.
    min_delta: by how much a value must be better.
    """

    def __init__(self, owner: str, name: str, mode: Mode | None, min_delta: float = 0.0) -> None:
        if mode not in (None, "min", "max"):
            raise ValueError(f"{owner}: mode must be 'min' or 'max', not {mode!r}.")
        self.owner, self.name, self.min_delta = owner, name, abs(min_delta)
        self.mode: Mode | None = mode
        self.best: float | None = None
        self.epoch = 0  # of the best value
        self.waited = 0  # epochs since then

    def improved(self, trainer: Trainer, row: dict[str, Any]) -> bool:
        """Takes an epoch's value, and says whether it is the best so far."""
        value = value_of(self.owner, self.name, row)
        sign = 1.0 if self.way(trainer) == "min" else -1.0
        better = not math.isnan(value) and (self.best is None or sign * value < sign * self.best - self.min_delta)
        if better:
            self.best, self.epoch, self.waited = value, row["epoch"], 0
        else:
            self.waited += 1
        return better

    def way(self, trainer: Trainer) -> Mode:
        """Which way is better."""
        if self.mode is not None:
            return self.mode
        name = self.name.removeprefix("val_")
        if name == "loss":
            return "min"
        found: Mode | None = next((each.better for each in trainer.metrics if each.name == name), None)
        if found is None:
            raise ValueError(f"{self.owner}: nobody says whether more or less of {self.name} is better; give "
                             "mode='min' or mode='max'.")
        return found

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        return {"best": self.best, "epoch": self.epoch, "waited": self.waited}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on from what `state_dict` gave."""
        self.best, self.epoch, self.waited = state["best"], state["epoch"], state["waited"]


def value_of(owner: str, name: str, row: dict[str, Any]) -> float:
    """The value of a column in a row. Raises ValueError if there is none, or no single number."""
    if name not in row:
        hint = "; give validation data to fit" if name.startswith("val_") else ""
        raise ValueError(f"{owner}: the history has no {name!r}; it has {', '.join(row)}{hint}.")
    if not isinstance(row[name], int | float):
        raise ValueError(f"{owner}: {name} is no single number; watch another column.")
    return float(row[name])
