"""ModelCheckpoint: checkpoints of the last and the best epoch, and of every N-th."""

from __future__ import annotations

import re
import warnings
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gpunet import files
from gpunet.train.callbacks.best_weights import BestWeights
from gpunet.train.callbacks.callback import Callback
from gpunet.train.callbacks.monitor import Mode, Monitor
from gpunet.train.checkpoint import Checkpoint

if TYPE_CHECKING:
    from gpunet.train.progress import Progress
    from gpunet.train.trainer import Trainer

LAST, BEST = "last.safetensors", "best.safetensors"
_NUMBERED = re.compile(r"epoch-(\d+)\.safetensors")


class ModelCheckpoint(Callback):
    """Writes checkpoints to a folder: `last.safetensors`, `best.safetensors`, and perhaps `epoch-0010.safetensors`.

    `Trainer.fit(..., resume=folder)` goes on from the last one. Each file is whole at every moment: whenever the
    program is killed, there is the new checkpoint or the one before.

    Args:
        folder: the folder; it is made if it does not exist.
        monitor: the column of the history that says which epoch is best; None: no best one is kept. Without validation
            data "val_loss" stands for "loss".
        mode: "min" or "max", which way is better; None: less of a loss, of a metric as it says.
        steps: also write the last one after every so many steps of the optimizer, in the middle of epochs.
        every: also keep a file of every so many epochs.
        restore_best: give the model the weights of the best epoch when training ends.

    Attributes:
        folder: the folder.
        best: the best value so far, or None.
        best_epoch: its epoch.

    Raises:
        ValueError: an option is out of range.
        OSError: in training: a file cannot be written; the message says which checkpoint is kept.

    Examples:
        >>> import os, tempfile
        >>> model = nn.Linear(1, 1)
        >>> trainer = train.Trainer(model, F.mse_loss, optim.SGD(model.parameters()))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     history = trainer.fit((gpunet.ones(4, 1), gpunet.ones(4, 1)), epochs=2,
        ...                           callbacks=[train.ModelCheckpoint(folder, every=1)])
        ...     sorted(os.listdir(folder))
        ['best.safetensors', 'epoch-0001.safetensors', 'epoch-0002.safetensors', 'last.safetensors']
    """

    last = True  # so that a checkpoint has what the others did

    def __init__(self, folder: str | PathLike[str], monitor: str | None = "val_loss", mode: Mode | None = None, *,
                 steps: int | None = None, every: int | None = None, restore_best: bool = False) -> None:
        for name, value in (("steps", steps), ("every", every)):
            if value is not None and value < 1:
                raise ValueError(f"ModelCheckpoint: {name} must be at least 1, not {value}.")
        if restore_best and monitor is None:
            raise ValueError("ModelCheckpoint: restore_best needs a monitor.")
        self.folder = Path(folder)
        self.steps, self.every, self.restore_best = steps, every, restore_best
        self._monitor = None if monitor is None else Monitor("ModelCheckpoint", monitor, mode)
        self._weights = BestWeights()
        self._kept = ""  # the last checkpoint written, in words
        self._step = 0  # of the last checkpoint

    @property
    def best(self) -> float | None:
        """The best value so far."""
        return self._monitor.best if self._monitor else None

    @property
    def best_epoch(self) -> int:
        """The epoch of the best value; 0 before the first."""
        return self._monitor.epoch if self._monitor else 0

    def on_fit_begin(self, trainer: Trainer) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OSError(error.errno, f"the folder of checkpoints cannot be made: {error.strerror}",
                          str(self.folder)) from None
        files.sweep(self.folder)
        self._step = trainer.steps

    def on_batch_end(self, trainer: Trainer, progress: Progress) -> None:
        if self.steps is not None and trainer.steps - self._step >= self.steps:
            self._save(trainer, LAST)

    def on_epoch_end(self, trainer: Trainer, row: dict[str, Any]) -> None:
        monitor = self._monitor
        if monitor is not None and monitor.name == "val_loss" and "val_loss" not in row:
            monitor.name = "loss"
        improved = monitor is not None and monitor.improved(trainer, row)
        if improved and self.restore_best:
            self._weights.take(trainer)
        self._save(trainer, LAST)
        if improved:
            self._save(trainer, BEST)
        if self.every and row["epoch"] % self.every == 0:
            self._save(trainer, f"epoch-{row['epoch']:04d}.safetensors")

    def _save(self, trainer: Trainer, name: str) -> None:
        try:
            trainer.save(self.folder / name)
        except OSError as error:
            kept = f"{self.folder} keeps {self._kept}" if self._kept else f"{self.folder} has no checkpoint of this fit"
            raise OSError(error.errno, f"{error.strerror}; {kept}; make room and go on by fit(..., "
                          f"resume={str(self.folder)!r})", str(self.folder / name)) from None
        self._step = trainer.steps
        self._kept = f"epoch {len(trainer.history)}"
        if trainer.position.batches:
            self._kept = f"epoch {len(trainer.history) + 1}, batch {trainer.position.batches}"

    def on_fit_end(self, trainer: Trainer) -> None:
        if trainer.finished and self.restore_best:
            self._weights.give_back(trainer)

    def state_dict(self) -> dict[str, Any]:
        return {"monitor": None if self._monitor is None else self._monitor.state_dict(),
                "weights": self._weights.state}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        if self._monitor is not None and state_dict["monitor"] is not None:
            self._monitor.load_state_dict(state_dict["monitor"])
        self._weights.state = state_dict["weights"]


def latest(place: str | PathLike[str]) -> Checkpoint | None:
    """The checkpoint of a file, or the last whole one of a folder; None if there is none yet.

    Raises ValueError if there are checkpoints and none is whole.
    """
    place = Path(place)
    if not place.is_dir():
        return Checkpoint(place) if place.exists() else None
    numbered = sorted((each for each in place.iterdir() if _NUMBERED.fullmatch(each.name)), reverse=True)
    problem: ValueError | None = None
    for path in (place / LAST, *numbered, place / BEST):
        if not path.exists():
            continue
        try:
            found = Checkpoint(path)
        except ValueError as error:
            problem = problem or error
            continue
        if problem is not None:
            warnings.warn(f"{problem}; going on from {path}, of epoch {len(found.state['history'])}", stacklevel=3)
        return found
    if problem is not None:
        raise problem
    return None
