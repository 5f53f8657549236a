"""ProgressBar: a bar in a terminal, a line an epoch elsewhere."""

from __future__ import annotations

import os
import sys
from time import perf_counter
from typing import TYPE_CHECKING, Any

from gpunet.train.callbacks.callback import Callback

if TYPE_CHECKING:
    from gpunet.train.progress import Progress
    from gpunet.train.trainer import Trainer


class ProgressBar(Callback):
    """Shows how training goes: a bar that is drawn anew in a terminal, and a line for each epoch, which is all that
    files and logs get.

    Args:
        every: seconds between two drawings; each reads the numbers, which waits for the device.
        epochs: number of epochs, to show beside the epoch's; None: not shown.
        file: where to write; None: stdout.
        live: whether there is a bar; None: if the file is a terminal.

    Examples:
        >>> model = nn.Linear(1, 1)
        >>> _ = nn.init.zeros_(model.weight), nn.init.zeros_(model.bias)
        >>> trainer = train.Trainer(model, F.mse_loss, optim.SGD(model.parameters(), lr=0.0))
        >>> history = trainer.fit((gpunet.ones(4, 1), gpunet.ones(4, 1)), callbacks=[train.ProgressBar()])
        ... # doctest: +ELLIPSIS
        epoch 1  loss 1.0000  ... examples/s
    """

    def __init__(self, every: float = 0.2, epochs: int | None = None, file: Any = None,
                 live: bool | None = None) -> None:
        self.every, self.epochs, self.file, self.live = every, epochs, file, live
        self._drawn = 0.0
        self._bar: Any = None

    def on_fit_begin(self, trainer: Trainer) -> None:
        file = self.file or sys.stdout
        live = file.isatty() and os.environ.get("TERM") != "dumb" if self.live is None else self.live
        if not live:
            return
        from rich.console import Console
        from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bar

        # Redrawn from the loop: a second thread would compete with it for the interpreter.
        self._bar = Bar(TextColumn("{task.description}"), BarColumn(None), TextColumn("{task.fields[numbers]}"),
                        TimeRemainingColumn(compact=True), expand=True, transient=True, auto_refresh=False,
                        console=Console(file=file, force_terminal=True, markup=False, highlight=False))
        self._task = self._bar.add_task("", numbers="")
        self._bar.start()

    def on_epoch_begin(self, trainer: Trainer, epoch: int) -> None:
        self._drawn = 0.0

    def on_batch_end(self, trainer: Trainer, progress: Progress) -> None:
        if self._bar is None or perf_counter() - self._drawn < self.every:
            return
        self._drawn = perf_counter()
        numbers = f"{_numbers(progress.read())}  {progress.examples_per_second:,.0f} examples/s"
        self._bar.update(self._task, description=self._epoch(progress.epoch), total=progress.total,
                         completed=progress.batches, numbers=numbers)
        self._bar.refresh()

    def on_epoch_end(self, trainer: Trainer, row: dict[str, Any]) -> None:
        hidden = ("epoch", "lr", "seconds", "examples_per_second")
        line = (f"{self._epoch(row['epoch'])}  {_numbers({k: v for k, v in row.items() if k not in hidden})}  "
                f"{row['examples_per_second']:,.0f} examples/s")
        if self._bar is None:
            print(line, file=self.file or sys.stdout, flush=True)
        else:
            self._bar.console.print(line, soft_wrap=True)

    def on_fit_end(self, trainer: Trainer) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def _epoch(self, epoch: int) -> str:
        return f"epoch {epoch}" if self.epochs is None else f"epoch {epoch:>{len(str(self.epochs))}}/{self.epochs}"


def _numbers(values: dict[str, Any]) -> str:
    """Loss and metrics in one line; those that are no single number are left out."""
    return "  ".join(f"{name.replace('_', ' ')} {value:.4f}" for name, value in values.items()
                     if isinstance(value, int | float))
