"""A training run in a folder: to start, and to resume exactly.

The folder's files are told in run_folder.py. All that training needs is in the checkpoint; the history, the curves and
the weights of the best epoch follow from it. So a run that is stopped at any moment has a checkpoint, of its last
finished epoch or later, or none; `resume` brings the other files up to date. While a run trains, no other run may use
its folder.
"""

from __future__ import annotations

import json
import math
import os
import shlex
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import gpunet
from gpunet import Generator, Tensor, files
from gpunet.data import DataLoader
from gpunet.serialization.safetensors_file import read_file, save_file
from gpunet.train.callbacks import EarlyStopping, GracefulStop
from gpunet.train.callbacks.best_weights import BestWeights
from gpunet.train.callbacks.callback import Callback
from gpunet.train.callbacks.monitor import Monitor
from gpunet.train.checkpoint import Checkpoint
from gpunet.train.checks import TrainingDiverged
from gpunet.train.config import Config
from gpunet.train.curves import learning_curves
from gpunet.train.recipes import RECIPES
from gpunet.train.recipes.recipe import Recipe, make_optimizer, on_device
from gpunet.train.run_folder import (
    CHECKPOINT,
    CONFIG,
    CURVES,
    FILES,
    HISTORY,
    STARTED,
    WEIGHTS,
    RunError,
    environment,
    new_folder,
    refuse_full,
    sentence,
)
from gpunet.train.trainer import Trainer


class Run:
    """Settings, data, model, optimizer and trainer of one run, and the folder it writes to.

    data: what the recipe has read. kept: number of epochs in the folder's checkpoint; kept_batches: of the next one's
    batches. ended: how the run has ended, or
    None; test: loss and metrics of the test part with the best epoch's weights, once it has.
    """

    def __init__(self, config: Config, device: str, folder: Path) -> None:
        path = config.get("data.path")
        config = config.changed(**{"train.device": device, **({"data.path": os.path.abspath(path)} if path else {})})
        self.config, self.device, self.folder = config, device, folder
        self.recipe = RECIPES[config.recipe]
        self.kept = self.kept_batches = 0
        self.ended: str | None = None
        self.test: dict[str, Any] | None = None
        self.started = f"{datetime.now().astimezone():%Y-%m-%dT%H:%M:%S%z}"
        self.data = self.recipe.read(config)
        _check_memory(self.recipe, self.data.about)
        gpunet.manual_seed(config["train.seed"])
        self.model = self.recipe.model(self.data.about).to(device)
        parts = {part: on_device(each, device) for part, each in self.data.parts.items()}
        size, workers = config["train.batch_size"], config["train.workers"]
        # The order has a generator of its own; weights and dropout masks come from the default one.
        order = Generator().manual_seed(config["train.seed"])
        self.loaders = {
            part: DataLoader(each, size if part == "train" else max(size, self.recipe.evaluation_batch),
                             shuffle=part == "train", generator=order if part == "train" else None, num_workers=workers)
            for part, each in parts.items()}
        steps = config["train.epochs"] * math.ceil(len(self.loaders["train"]) / config["train.accumulate"])
        optimizer, scheduler = make_optimizer(self.model, config, steps)
        patience = config["train.patience"]
        self.best = _Best()
        own = [*([EarlyStopping(patience=patience, restore_best=False)] if patience else []), self.best]
        self.trainer = Trainer(
            self.model, self.recipe.loss(self.data.about, config), optimizer, self.recipe.metrics(self.data.about),
            device, config["train.precision"], config["train.compile"], own, scheduler=scheduler, schedule="step",
            accumulate=config["train.accumulate"], clip_norm=config["train.clip_norm"] or None,
            ema=config["train.ema"] or None)
        self.stopper = _Stopper(self)
        self._claim: files.Claim | None = None

    @classmethod
    def start(cls, config: Config, device: str, folder: Path | None = None) -> Run:
        """A new run in `folder`, which must not exist or be empty; without one, in a new folder runs/RECIPE-TIME."""
        if folder is not None:
            refuse_full(folder)
        run = cls(config, device, folder or Path("runs"))
        try:
            if folder is None:
                run.folder = new_folder(config.recipe)
            run.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RunError(f"{run.folder} cannot be made: {error.strerror}; choose another --out.") from error
        run._take_folder()
        try:
            refuse_full(run.folder)  # again, now that nobody else can fill it
            files.sweep(run.folder, FILES)
            run._save_start()
        except RunError:
            run.release()
            raise
        return run

    @classmethod
    def resume(cls, folder: Path, open_device: Callable[[str], str] = str, *, recipe: str | None = None,
               device: str | None = None, epochs: int | None = None, data: str | None = None) -> Run:
        """The run in `folder`, as its checkpoint has it; perhaps with more epochs to go, or with its data elsewhere.

        open_device: tries out the device. recipe: refuse a run of another one. device: None for the run's own.
        """
        path = folder / CHECKPOINT
        if not path.is_file():
            raise RunError(f"{folder} cannot be resumed: it has no {CHECKPOINT}, so no epoch was finished in it.")
        try:
            checkpoint = Checkpoint(path)
            notes = checkpoint.notes
            config = _config(notes["config"])
            history, best = _checked(checkpoint.state), checkpoint.state["callbacks"]["_Best"]
            digest, started, ended, test = (notes[name] for name in ("digest", "started", "ended", "test"))
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise RunError(f"{path} is damaged and cannot be resumed: {sentence(error)}.") from error
        if recipe not in (None, config.recipe):
            raise RunError(f"{folder} is a run of the recipe {config.recipe}; resume it by gpunet resume {folder}.")
        if ended is not None and epochs is not None and epochs <= len(history):
            epochs = None  # it stays as it has finished
        device = open_device(device or config["train.device"])
        run = cls(config.changed(**{"train.epochs": epochs, "data.path": data}), device, folder)
        if run.data.digest != digest:
            raise RunError(f"{folder} cannot be resumed: its data have changed since it began; bring them back, give "
                           "them by --data, or begin a new run.")
        try:
            checkpoint.restore(run.trainer)
            run.best.load_state_dict(best)
        except (ValueError, KeyError, TypeError) as error:
            raise RunError(f"{path} cannot be resumed: {sentence(error)}.") from error
        run.trainer.position.callbacks.pop("_Best")
        run.kept, run.kept_batches, run.started = len(history), run.trainer.position.batches, started
        if epochs is None or epochs <= len(history):
            run.ended, run.test = ended, test
        run._take_folder()
        try:
            run._mend()
        except RunError:
            run.release()
            raise
        return run

    @property
    def finished(self) -> bool:
        """Whether there is nothing left to do."""
        return self.ended is not None

    def fit(self, callbacks: Sequence[Callback] = ()) -> list[dict[str, Any]]:
        """Trains to the end, saving after each epoch, and tests.

        A first Ctrl-C finishes the batch, writes a checkpoint and ends; `interrupted` then has the signal. Raises
        RunError where the folder cannot be written, and TrainingDiverged; both say what the folder keeps.
        """
        self._take_folder()
        try:
            history = self.trainer.fit(self.loaders["train"], self.loaders["validation"], self.config["train.epochs"],
                                       callbacks=[_Keeper(self), *callbacks, self.stopper])
            if self.stopper.signal is None:
                self._end()
            return history
        except TrainingDiverged as error:
            raise TrainingDiverged(f"{error} {self._keeps()}") from error
        finally:
            self.release()

    @property
    def interrupted(self) -> int | None:
        """The number of the signal that has stopped `fit`, or None."""
        return self.stopper.signal

    def _end(self) -> None:
        """Tests the best epoch's weights, and writes that the run has ended."""
        self.ended = self.trainer.stopping or f"after {len(self.trainer.history)} epochs"
        last = BestWeights()
        last.take(self.trainer)
        self.best.weights.give_back(self.trainer)
        self.test = self.trainer.evaluate(self.loaders["test"])
        last.give_back(self.trainer)  # from which training goes on, if more epochs are asked for
        self.save_checkpoint()
        self._write(self._save_history)

    def _take_folder(self) -> None:
        """Make the folder this run's own, if it is not yet."""
        try:
            self._claim = self._claim or files.Claim(self.folder)
        except BlockingIOError as error:
            raise RunError(f"{self.folder} is in use by another run; wait for its end, or choose another folder."
                           ) from error
        except OSError as error:
            raise RunError(f"{self.folder} cannot be used: {error.strerror}.") from error

    def release(self) -> None:
        """Give the folder up; `fit` does so at its end."""
        if self._claim is not None:
            self._claim.release()
            self._claim = None

    def _write(self, write: Any) -> None:
        try:
            write()
        except OSError as error:
            raise RunError(f"{error.filename or self.folder} cannot be written: {error.strerror}. "
                           f"{self._keeps()}") from error

    def _save_start(self) -> None:
        content = {"recipe": self.config.recipe, "started": self.started, "data": self.data.note,
                   "model": self.recipe.described(self.data.about),
                   "parameters": sum(each.numel() for each in self.model.parameters()),
                   "baseline": self.data.baseline, "environment": environment(self.device)}
        try:
            files.replace(self.folder / CONFIG, self.config.toml(), durable=False)
            files.replace(self.folder / STARTED, _json(content), durable=False)
        except OSError as error:
            raise RunError(f"{error.filename or self.folder} cannot be written: {error.strerror}; choose another --out."
                           ) from error

    def save_checkpoint(self) -> None:
        """Write the checkpoint alone."""
        notes = {"config": self.config.nested(), "digest": self.data.digest, "started": self.started,
                 "ended": self.ended, "test": _plain(self.test)}
        self._write(lambda: self.trainer.save(self.folder / CHECKPOINT, notes))
        self.kept, self.kept_batches = len(self.trainer.history), self.trainer.position.batches

    def save(self) -> None:
        """Write the checkpoint, and what follows from it. Raises RunError where that fails; the files that are there
        stay."""
        self.save_checkpoint()
        self._write(self._save_results)

    def _save_results(self) -> None:
        self._save_weights()
        self._save_history()

    def _save_weights(self) -> None:
        state = self.best.weights.state
        weights = {**state["model"], **state["averages"]}
        about = {**self.data.about, "epoch": self.best.monitor.epoch}
        save_file({name: each.cpu() for name, each in weights.items() if isinstance(each, Tensor)},
                  self.folder / WEIGHTS, {"gpunet": json.dumps(about)})

    def _save_history(self) -> None:
        history, monitor = self.trainer.history, self.best.monitor
        content = {"best": {"epoch": monitor.epoch, monitor.name: monitor.best}, "ended": self.ended,
                   "test": _plain(self.test), "epochs": [_plain(row) for row in history]}
        files.replace(self.folder / HISTORY, _json(content), durable=False)
        title = f"{self.config.recipe}: {self.summary()}"
        files.replace(self.folder / CURVES, learning_curves(history, title), durable=False)

    def summary(self) -> str:
        """The best epoch in a few words."""
        row = self.trainer.history[self.best.monitor.epoch - 1]
        name = next((each.name for each in self.trainer.metrics if f"val_{each.name}" in row), "loss")
        return f"validation {name.replace('_', ' ')} {row[f'val_{name}']:.4f} in epoch {row['epoch']}"

    def _mend(self) -> None:
        """Remove what a killed process has left, and write what it had not yet written."""
        files.sweep(self.folder, FILES)
        if not _holds(self.folder / CONFIG, self.config.toml()) or not (self.folder / STARTED).is_file():
            self._save_start()
        if not self.kept:
            return
        try:
            found = json.loads((self.folder / HISTORY).read_text(encoding="utf-8"))
            (self.folder / CURVES).stat()
            _, metadata = read_file(self.folder / WEIGHTS, checked=True)
            rows, epoch = [_plain(row) for row in self.trainer.history], json.loads(metadata["gpunet"])["epoch"]
            whole = (found["epochs"], found["ended"], epoch) == (rows, self.ended, self.best.monitor.epoch)
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            whole = False
        if not whole:
            try:
                self._save_results()
            except OSError as error:
                raise RunError(f"{error.filename or self.folder} cannot be written: {error.strerror}.") from error

    def _keeps(self) -> str:
        if not self.kept and not self.kept_batches:
            return "No epoch is kept."
        batch = f", batch {self.kept_batches}" if self.kept_batches else ""
        return (f"{self.folder} keeps epoch {self.kept + bool(batch)}{batch}: go on with gpunet resume "
                f"{shlex.quote(str(self.folder))}")


class _Best(Callback):
    """Keeps the weights of the best epoch, by the validation loss."""

    def __init__(self) -> None:
        self.monitor, self.weights = Monitor("Run", "val_loss", "min"), BestWeights()

    def on_epoch_end(self, trainer: Trainer, row: dict[str, Any]) -> None:
        if self.monitor.improved(trainer, row):
            self.weights.take(trainer)

    def state_dict(self) -> dict[str, Any]:
        return {"monitor": self.monitor.state_dict(), "weights": self.weights.state}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.monitor.load_state_dict(state_dict["monitor"])
        self.weights.state = state_dict["weights"]


class _Keeper(Callback):
    """Writes the folder after each epoch, and the checkpoint after so many steps."""

    def __init__(self, run: Run) -> None:
        self.run, self.every, self._step = run, run.config["train.checkpoint_steps"], run.trainer.steps

    def on_batch_end(self, trainer: Trainer, progress: Any) -> None:
        if self.every and trainer.steps - self._step >= self.every:
            self._step = trainer.steps
            self.run.save_checkpoint()

    def on_epoch_end(self, trainer: Trainer, row: dict[str, Any]) -> None:
        self._step = trainer.steps
        self.run.save()


class _Stopper(GracefulStop):
    """The first Ctrl-C finishes the batch and writes the checkpoint."""

    def __init__(self, run: Run) -> None:
        super().__init__(None)
        self.run = run

    def _stop(self, trainer: Trainer, place: str) -> None:
        trainer.stop("interrupted", pause=True)
        if trainer.position.batches:
            self.run.save_checkpoint()


def _check_memory(recipe: Recipe, about: dict[str, Any]) -> None:
    """Raises RunError if the model is larger than the machine, which a system may else find out by ending programs."""
    with gpunet.device("meta"):
        weights = sum(each.numel() for each in recipe.model(about).parameters())
    wanted, there = 16 * weights / 2**30, os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    if wanted > there:
        raise RunError(f"The network has {weights:,} weights, which take {wanted:,.0f} GiB with their gradients and "
                       f"what Adam keeps, and this machine has {there:,.0f} GiB of memory; choose smaller settings of "
                       "[model].")


def _holds(path: Path, text: str) -> bool:
    try:
        return path.read_text(encoding="utf-8") == text
    except (OSError, ValueError):
        return False


def _config(nested: dict[str, Any]) -> Config:
    """The settings that a checkpoint keeps. Raises ValueError, TypeError or KeyError."""
    recipe = nested["recipe"]
    if recipe not in RECIPES:
        raise ValueError(f"its recipe is {recipe!r}, and there are {', '.join(RECIPES)}")
    given = {f"{section}.{name}": value for section, values in nested.items() if section != "recipe"
             for name, value in values.items()}
    schema = RECIPES[recipe].settings
    if missing := [f"{section}.{name}" for section, names in schema.items() for name in names
                   if f"{section}.{name}" not in given]:
        raise ValueError(f"it lacks the setting {missing[0]}")
    return RECIPES[recipe].config(given)


def _checked(state: dict[str, Any]) -> list[dict[str, Any]]:
    """A checkpoint's history, if it can be one. Raises ValueError."""
    history = state["history"]
    if not history and not state["position"]["batches"]:
        raise ValueError("its history has no epochs")
    for number, row in enumerate(history, 1):
        if not isinstance(row, dict) or row.get("epoch") != number:
            raise ValueError(f"its history has no epoch {number}")
        for name in ("loss", "val_loss", "seconds", "examples_per_second"):
            value = row.get(name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
                raise ValueError(f"its history has {name} {value} in epoch {number}")
    return history


def _plain(row: dict[str, Any] | None) -> dict[str, Any] | None:
    """A row without what is no finite number, for JSON."""
    if row is None:
        return None
    return {name: value if isinstance(value, int | float) and math.isfinite(value) else None
            for name, value in row.items()}


def _json(content: Any) -> str:
    return json.dumps(content, indent=2, allow_nan=False, ensure_ascii=False) + "\n"
