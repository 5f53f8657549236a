"""How a run is shown: a progress bar in a terminal, a line an epoch elsewhere, a table at the end."""

from __future__ import annotations

from contextlib import AbstractContextManager
from time import perf_counter
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from gpunet.cli.common import counted, is_live, make_console
from gpunet.train import Callback, Trainer
from gpunet.train import Progress as Pass
from gpunet.train.run import CHECKPOINT, CURVES, HISTORY, WEIGHTS, Run

_REDRAW = 0.1  # seconds; reading the loss waits for the device


def display(run: Run) -> Bar | Lines:
    """The view that suits the output; it is a callback for the run and a context to run it in."""
    console = make_console()
    console.print(_headline(run))
    return Bar(run, console) if is_live(console) else Lines(run, console)


class Bar(Callback, AbstractContextManager):
    def __init__(self, run: Run, console: Console) -> None:
        self.console = console
        self._epochs, self._batches = run.settings.epochs, len(run.train)
        self._drawn = 0.0
        self._test = ""
        # A narrow terminal gets fewer columns instead of cut ones: the numbers need 70 characters.
        wide, narrow = console.width >= 100, console.width < 72
        self._shows_test = wide
        columns = [
            TextColumn("epoch {task.fields[epoch]}/" + str(self._epochs)),
            None if narrow else BarColumn(None),
            TextColumn("{task.fields[numbers]}", style="bold"),
            None if narrow else TextColumn("{task.fields[speed]}"),
            TimeRemainingColumn(compact=True),
            TextColumn("left"),
        ]
        self._progress = Progress(
            *[column for column in columns if column is not None],
            console=console,
            auto_refresh=False,  # redrawn from the loop: a second thread would compete with it for the interpreter
            transient=True,
            expand=True,
        )
        done = len(run.trainer.history)
        self._task = self._progress.add_task(
            "", total=self._epochs * self._batches, completed=done * self._batches, epoch=done + 1, numbers="", speed=""
        )

    def __enter__(self) -> Bar:
        self._progress.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self._progress.stop()

    def on_batch_end(self, trainer: Trainer, progress: Pass) -> None:
        now = perf_counter()
        if now - self._drawn < _REDRAW:
            return
        self._drawn = now
        now_at = progress.read()
        self._progress.update(
            self._task,
            completed=(progress.epoch - 1) * self._batches + progress.batches,
            epoch=progress.epoch,
            numbers=f"loss {now_at['loss']:.4f}  accuracy {now_at['accuracy']:.3f}{self._test}",
            speed=f"{progress.examples_per_second:,.0f} examples/s",
        )
        self._progress.refresh()

    def on_epoch_end(self, trainer: Trainer, row: dict[str, float]) -> None:
        if self._shows_test:
            self._test = f"  test {row['val_accuracy']:.3f}"


class Lines(Callback, AbstractContextManager):
    def __init__(self, run: Run, console: Console) -> None:
        self.console = console
        self._epochs = run.settings.epochs

    def __exit__(self, *_: Any) -> None:
        return None

    def on_epoch_end(self, trainer: Trainer, row: dict[str, float]) -> None:
        epoch = f"{row['epoch']:>{len(str(self._epochs))}}"
        left = sum(each["seconds"] for each in trainer.history) / row["epoch"] * (self._epochs - row["epoch"])
        print(
            f"epoch {epoch}/{self._epochs}  loss {row['loss']:.4f}  accuracy {row['accuracy']:.4f}  "
            f"test loss {row['val_loss']:.4f}  test accuracy {row['val_accuracy']:.4f}  "
            f"{row['examples_per_second']:,.0f} examples/s  {left:.0f} s left",
            flush=True,
        )


def _headline(run: Run) -> str:
    settings, sizes = run.settings, run.trainer.model.sizes
    weights = sum(each.numel() for each in run.trainer.model.parameters())
    height, width = run.image_shape
    shape = "-".join(map(str, sizes))
    return (
        f"{settings.dataset}: {len(run.train.dataset):,} images to train on and {len(run.test.dataset):,} to test on, "
        f"{height} x {width}\n"
        f"MLP {shape} ({weights:,} parameters), dropout {settings.dropout:g}, {settings.optimizer} at {settings.lr:g}, "
        f"batches of {settings.batch_size}, seed {settings.seed}, on {run.device}"
    )


def final_table(run: Run) -> Table:
    history, last = run.trainer.history, run.trainer.history[-1]
    seconds = sum(row["seconds"] for row in history)
    tested = len(run.test.dataset)
    table = Table(show_header=False, title_justify="left")
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    right = round(last["val_accuracy"] * tested)
    table.add_row("test accuracy", f"{last['val_accuracy']:.4f} ({right:,} of {tested:,})")
    table.add_row("test loss", f"{last['val_loss']:.4f}")
    table.add_row("training accuracy", f"{last['accuracy']:.4f}")
    table.add_row("training loss", f"{last['loss']:.4f}")
    examples = sum(row["seconds"] * row["examples_per_second"] for row in history)
    epochs = counted(len(history), "epoch")
    table.add_row("training time", f"{epochs} in {seconds:.1f} s, {examples / seconds:,.0f} examples/s")
    table.add_section()
    for what, name in (("weights", WEIGHTS), ("history", HISTORY), ("curves", CURVES), ("checkpoint", CHECKPOINT)):
        table.add_row(what, str(run.folder / name))
    return table
