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
from gpunet.train.run import Run
from gpunet.train.run_folder import CHECKPOINT, CURVES, HISTORY, WEIGHTS

_REDRAW = 0.1  # seconds; reading the loss waits for the device


def display(run: Run) -> Bar | Lines:
    """The view that suits the output; it is a callback for the run and a context to run it in."""
    console = make_console()
    console.print(_headline(run))
    return Bar(run, console) if is_live(console) else Lines(run, console)


class Bar(Callback, AbstractContextManager):
    def __init__(self, run: Run, console: Console) -> None:
        self.console = console
        self._epochs, self._batches = run.config["train.epochs"], len(run.loaders["train"])
        self._metric = metric_of(run)
        self._drawn = 0.0
        self._validation = ""
        # A narrow terminal gets fewer columns instead of cut ones: the numbers need 70 characters.
        wide, narrow = console.width >= 100, console.width < 72
        self._shows_validation = wide
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
            "", total=self._epochs * self._batches, completed=done * self._batches + run.trainer.position.batches,
            epoch=done + 1, numbers="", speed=""
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
        metric = f"  {_said(self._metric)} {now_at[self._metric]:.3f}" if self._metric != "loss" else ""
        self._progress.update(
            self._task,
            completed=(progress.epoch - 1) * self._batches + progress.batches,
            epoch=progress.epoch,
            numbers=f"loss {now_at['loss']:.4f}{metric}{self._validation}",
            speed=f"{progress.examples_per_second:,.0f} examples/s",
        )
        self._progress.refresh()

    def on_epoch_end(self, trainer: Trainer, row: dict[str, float]) -> None:
        if self._shows_validation:
            self._validation = f"  validation {row[f'val_{self._metric}']:.3f}"


class Lines(Callback, AbstractContextManager):
    def __init__(self, run: Run, console: Console) -> None:
        self.console = console
        self._epochs, self._metric = run.config["train.epochs"], metric_of(run)

    def __exit__(self, *_: Any) -> None:
        return None

    def on_epoch_end(self, trainer: Trainer, row: dict[str, float]) -> None:
        epoch = f"{row['epoch']:>{len(str(self._epochs))}}"
        left = sum(each["seconds"] for each in trainer.history) / row["epoch"] * (self._epochs - row["epoch"])
        names = ["loss"] if self._metric == "loss" else ["loss", self._metric]
        numbers = "  ".join(f"{before}{_said(name)} {row[prefix + name]:.4f}"
                            for prefix, before in (("", ""), ("val_", "validation ")) for name in names)
        speed = f"{row['examples_per_second']:,.0f} examples/s"
        print(f"epoch {epoch}/{self._epochs}  {numbers}  {speed}  {left:.0f} s left", flush=True)


def metric_of(run: Run) -> str:
    """The name of the most important metric."""
    return next((each.name for each in run.trainer.metrics), "loss")


def _said(name: str) -> str:
    return name.replace("_", " ")


def _headline(run: Run) -> str:
    config = run.config
    weights = sum(each.numel() for each in run.model.parameters())
    decay = f" with weight decay {config['optimizer.weight_decay']:g}" if config["optimizer.weight_decay"] else ""
    precision = "" if config["train.precision"] == "float32" else f" in {config['train.precision']}"
    baseline = "".join(f"\n{name} on the validation part: {value:.4f}" for name, value in run.data.baseline.items())
    return (
        f"{config.recipe}: {run.data.note}{baseline}\n"
        f"{run.recipe.described(run.data.about)} ({weights:,} parameters), dropout {config['model.dropout']:g}, "
        f"{config['optimizer.name']} at {config['optimizer.lr']:g}{decay}, batches of {config['train.batch_size']}, "
        f"seed {config['train.seed']}, on {run.device}{precision}"
    )


def final_table(run: Run) -> Table:
    history, best = run.trainer.history, run.trainer.history[run.best.monitor.epoch - 1]
    seconds = sum(row["seconds"] for row in history)
    tested, metric = len(run.data.parts["test"]), metric_of(run)  # pyright: ignore[reportArgumentType]
    table = Table(show_header=False, title_justify="left")
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    if run.test is not None:
        for name in [*(each.name for each in run.trainer.metrics), "loss"]:
            right = f" ({round(run.test[name] * tested):,} of {tested:,})" if name == "accuracy" and metric == name \
                and run.data.about["task"] == "classification" else ""
            table.add_row(f"test {_said(name)}", f"{run.test[name]:.4f}{right}")
    names = ["loss"] if metric == "loss" else [metric, "loss"]
    for before, prefix in (("validation", "val_"), ("training", "")):
        for name in names:
            table.add_row(f"{before} {_said(name)}", f"{best[prefix + name]:.4f}")
    for name, value in run.data.baseline.items():
        table.add_row(f"{name}, validation", f"{value:.4f}")
    examples = sum(row["seconds"] * row["examples_per_second"] for row in history)
    epochs = counted(len(history), "epoch")
    ended = f"; {run.ended}" if run.ended and not run.ended.startswith("after ") else ""
    table.add_row("training time", f"{epochs} in {seconds:.1f} s, {examples / seconds:,.0f} examples/s{ended}")
    table.add_row("best epoch", f"{best['epoch']}, whose weights are kept")
    table.add_section()
    for what, name in (("weights", WEIGHTS), ("history", HISTORY), ("curves", CURVES), ("checkpoint", CHECKPOINT)):
        table.add_row(what, str(run.folder / name))
    return table
