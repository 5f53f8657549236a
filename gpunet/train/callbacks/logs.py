"""CSVLogger and TensorBoard: the history in files that other programs show."""

from __future__ import annotations

import csv
import io
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gpunet import files
from gpunet.train.callbacks.callback import Callback

if TYPE_CHECKING:
    from gpunet.train.progress import Progress
    from gpunet.train.trainer import Trainer


class CSVLogger(Callback):
    """Writes the history as a table to a CSV file after each epoch.

    The file is written anew each time, and is always whole; after a resumption it has all epochs once.

    Args:
        path: the file.

    Raises:
        OSError: in training: the file cannot be written.

    Examples:
        >>> import pathlib, tempfile
        >>> model = nn.Linear(1, 1)
        >>> trainer = train.Trainer(model, F.mse_loss, optim.SGD(model.parameters()))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = pathlib.Path(folder, "log.csv")
        ...     history = trainer.fit((gpunet.ones(4, 1), gpunet.ones(4, 1)), callbacks=[train.CSVLogger(path)])
        ...     path.read_text().splitlines()[0]
        'epoch,loss,lr,seconds,examples_per_second'
    """

    def __init__(self, path: str | PathLike[str]) -> None:
        self.path = Path(path)

    def on_epoch_end(self, trainer: Trainer, row: dict[str, Any]) -> None:
        text = io.StringIO()
        writer = csv.DictWriter(text, trainer.history.names, lineterminator="\n")
        writer.writeheader()
        for each in trainer.history:
            writer.writerow({name: value if isinstance(value, int | float) else str(value).replace("\n", " ")
                             for name, value in each.items()})
        files.replace(self.path, text.getvalue(), durable=False)


class TensorBoard(Callback):
    """Writes loss, metrics and learning rate for TensorBoard. Needs `pip install "gpunet[tensorboard]"`.

    Training and validation have the same tags in two folders, `train` and `validation`, so that TensorBoard draws them
    in one picture.

    Args:
        folder: the folder that is given to `tensorboard --logdir`.
        steps: also write loss and metrics of the epoch so far after every so many steps; reading them waits for the
            device.

    Raises:
        ImportError: in training: tensorboardX is not installed.

    Examples:
        >>> callback = train.TensorBoard("runs/first", steps=100)
    """

    def __init__(self, folder: str | PathLike[str], steps: int | None = None) -> None:
        self.folder, self.steps = Path(folder), steps
        self._writers: dict[str, Any] = {}
        self._step = 0

    def on_fit_begin(self, trainer: Trainer) -> None:
        try:
            from tensorboardX import SummaryWriter  # pyright: ignore[reportMissingImports]
        except ImportError:
            raise ImportError('TensorBoard needs tensorboardX; install it by pip install "gpunet[tensorboard]".'
                              ) from None
        # What a killed run wrote after its last checkpoint is not shown.
        purge = trainer.steps + 1 if trainer.steps else None
        self._writers = {part: SummaryWriter(fspath(self.folder / part), purge_step=purge)
                         for part in ("train", "validation")}
        self._step = trainer.steps

    def on_batch_end(self, trainer: Trainer, progress: Progress) -> None:
        if self.steps is not None and trainer.steps - self._step >= self.steps:
            self._step = trainer.steps
            self._write("train", "running_", progress.read(), trainer.steps)

    def on_epoch_end(self, trainer: Trainer, row: dict[str, Any]) -> None:
        values = {name: value for name, value in row.items() if name not in ("epoch", "seconds")}
        training = {name: value for name, value in values.items() if not name.startswith("val_")}
        validation = {name.removeprefix("val_"): value for name, value in values.items() if name.startswith("val_")}
        self._write("train", "", training, trainer.steps)
        self._write("validation", "", validation, trainer.steps)
        for each in self._writers.values():
            each.flush()

    def _write(self, part: str, prefix: str, values: dict[str, Any], step: int) -> None:
        for name, value in values.items():
            if isinstance(value, int | float):
                self._writers[part].add_scalar(prefix + name, value, step)

    def on_fit_end(self, trainer: Trainer) -> None:
        for each in self._writers.values():
            each.close()
        self._writers = {}
