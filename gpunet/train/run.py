"""A training run in a folder: to start, to resume, and to read for predictions.

The folder holds `weights.safetensors` (whose metadata says how to build the model), `history.json`, `curves.svg` and
`checkpoint.safetensors`. All four are replaced after each epoch, each atomically and the checkpoint first. So a run
that is stopped at any moment has a checkpoint of its last finished epoch, or none; `resume` brings the other three up
to date. While a run trains, no other run may use its folder.
"""

from __future__ import annotations

import json
import math
import shlex
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import gpunet
from gpunet import Generator, devices, files, nn
from gpunet.models import MLP
from gpunet.serialization.safetensors_file import read_file, tensors_of
from gpunet.train.callbacks.callback import Callback
from gpunet.train.checkpoint import Checkpoint
from gpunet.train.checks import TrainingDiverged
from gpunet.train.curves import learning_curves
from gpunet.train.recipes import RECIPES, Settings, build, loaders
from gpunet.train.trainer import Trainer

WEIGHTS, HISTORY, CURVES, CHECKPOINT = "weights.safetensors", "history.json", "curves.svg", "checkpoint.safetensors"
_FILES = (WEIGHTS, HISTORY, CURVES, CHECKPOINT)
# What a row of the history has; see Trainer.
_ROW = ("epoch", "loss", "accuracy", "val_loss", "val_accuracy", "seconds", "examples_per_second")


class RunError(RuntimeError):
    """A run folder cannot be used as asked. The message is one sentence that names it and the remedy."""


class Run:
    """Settings, data, model, optimizer and trainer of one run, and the folder it writes to.

    kept: number of epochs in the folder's checkpoint.
    """

    def __init__(self, settings: Settings, device: str, folder: Path) -> None:
        recipe = RECIPES[settings.dataset]
        train, test = recipe.read_both(settings.data)
        self.settings, self.device, self.folder = settings, device, folder
        self.kept = 0
        self.image_shape = tuple(train.data.shape[1:])
        self.classes = train.classes
        gpunet.manual_seed(settings.seed)
        self.model, self.optimizer = build(settings, self.image_shape, device)
        data = recipe.tensors(train, device), recipe.tensors(test, device)
        # The order has a generator of its own; weights and dropout masks come from the default one.
        self.train, self.test = loaders(*data, settings.batch_size, Generator().manual_seed(settings.seed))
        self.trainer = Trainer(self.model, nn.functional.cross_entropy, self.optimizer, "accuracy", device)
        self._claim: files.Claim | None = None

    @classmethod
    def start(cls, settings: Settings, device: str, folder: Path | None = None) -> Run:
        """A new run in `folder`, which must not exist or be empty; without one, in a new folder runs/DATASET-TIME."""
        if folder is not None:
            _refuse_full(folder)
        run = cls(settings, device, folder or Path("runs"))
        try:
            if folder is None:
                run.folder = _new_folder(settings.dataset)
            run.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RunError(f"{run.folder} cannot be made: {error.strerror}; choose another --out.") from error
        run._take_folder()
        try:
            _refuse_full(run.folder)  # again, now that nobody else can fill it
        except RunError:
            run.release()
            raise
        files.sweep(run.folder, _FILES)
        return run

    @classmethod
    def resume(cls, folder: Path, dataset: str, device: str, epochs: int | None = None, data: str | None = None) -> Run:
        """The run in `folder`, as it stood after its last finished epoch; perhaps with more epochs to go."""
        path = folder / CHECKPOINT
        if not path.is_file():
            raise RunError(f"{folder} cannot be resumed: it has no {CHECKPOINT}, so no epoch was finished in it.")
        try:
            checkpoint = Checkpoint(path)
            settings, history = Settings(**checkpoint.notes["settings"]), _checked(checkpoint.state["history"])
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise RunError(f"{path} is damaged and cannot be resumed: {_sentence(error)}.") from error
        if settings.dataset != dataset:
            raise RunError(f"{folder} is a run on {settings.dataset}; resume it by `gpunet train {settings.dataset}`.")
        run = cls(replace(settings, epochs=epochs or settings.epochs, data=data or settings.data), device, folder)
        try:
            checkpoint.restore(run.trainer)
        except ValueError as error:
            raise RunError(f"{path} cannot be resumed: {_sentence(error)}.") from error
        run.kept = len(history)
        run._take_folder()
        try:
            run._mend()
        except RunError:
            run.release()
            raise
        return run

    def fit(self, callbacks: Sequence[Callback] = ()) -> list[dict[str, float]]:
        """Train to the end, saving after each epoch. Raises RunError where the folder cannot be written, and
        TrainingDiverged; both say what the folder keeps."""
        self._take_folder()
        try:
            return self.trainer.fit(self.train, self.test, self.settings.epochs, callbacks=[_Keeper(self), *callbacks])
        except TrainingDiverged as error:
            raise TrainingDiverged(f"{error} {self._keeps()}") from error
        finally:
            self.release()

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

    def save(self) -> None:
        """Write the folder's four files. Raises RunError where that fails; the files that are there stay."""
        try:
            self.trainer.save(self.folder / CHECKPOINT, {"settings": self.settings.to_json()})
            self.kept = len(self.trainer.history)
            self._save_results()
        except OSError as error:
            raise RunError(f"{error.filename or self.folder} cannot be written: {error.strerror}. "
                           f"{self._keeps()}") from error

    def _save_results(self) -> None:
        """What follows from the checkpoint."""
        history, folder = self.trainer.history, self.folder
        save_weights(folder / WEIGHTS, self.model, self.settings.dataset, self.image_shape, self.classes)
        text = json.dumps({"settings": self.settings.to_json(), "epochs": history}, indent=2, allow_nan=False)
        files.replace(folder / HISTORY, text + "\n", durable=False)
        title = f"{self.settings.dataset}: test accuracy {history[-1]['val_accuracy']:.4f} after epoch {len(history)}"
        files.replace(folder / CURVES, learning_curves(history, title), durable=False)

    def _mend(self) -> None:
        """Remove what a killed process has left, and write what it had not yet written."""
        files.sweep(self.folder, _FILES)
        try:
            epochs = json.loads((self.folder / HISTORY).read_text(encoding="utf-8"))["epochs"]
            (self.folder / CURVES).stat()
            read_file(self.folder / WEIGHTS, checked=True)
            whole = epochs == self.trainer.history  # which is written after the weights
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            whole = False
        if not whole:
            try:
                self._save_results()
            except OSError as error:
                raise RunError(f"{error.filename or self.folder} cannot be written: {error.strerror}.") from error

    def _keeps(self) -> str:
        if not self.kept:
            return "No epoch is kept."
        return (f"{self.folder} keeps epoch {self.kept}: go on with gpunet train {self.settings.dataset} --resume "
                f"{shlex.quote(str(self.folder))}")


def _new_folder(dataset: str) -> Path:
    """A new folder under runs/, whoever else makes one at this moment."""
    first = Path("runs") / f"{dataset}-{datetime.now():%Y%m%d-%H%M%S}"
    folder, number = first, 2
    while True:
        try:
            folder.mkdir(parents=True)
            return folder
        except FileExistsError:
            if not folder.exists():  # `runs` itself is a file
                raise
            folder, number = first.with_name(f"{first.name}-{number}"), number + 1


def _refuse_full(folder: Path) -> None:
    """Only an empty folder becomes a run's. What a killed process has left half written does not count."""
    try:
        free = not folder.exists() or not set(folder.iterdir()) - set(files.temporaries(folder, _FILES))
    except OSError as error:
        raise RunError(f"{folder} cannot be used: {error.strerror}; choose another --out.") from error
    if not free:
        raise RunError(f"{folder} exists and is not empty; choose another --out, or go on with --resume {folder}.")


def _checked(history: Any) -> list[dict[str, float]]:
    """The history, if it is one. Raises ValueError."""
    if not isinstance(history, list) or not history:
        raise ValueError("its history has no epochs")
    for number, row in enumerate(history, 1):
        if not isinstance(row, dict) or row.get("epoch") != number:
            raise ValueError(f"its history has no epoch {number}")
        for name in _ROW:
            value = row.get(name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
                raise ValueError(f"its history has {name} {value} in epoch {number}")
    return history


def _sentence(error: Exception) -> str:
    """An error's message as the end of a sentence."""
    if isinstance(error, KeyError):
        return f"its metadata has no {error}"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error).rstrip(".").removeprefix("load_file: ").removeprefix("load: ")


class _Keeper(Callback):
    def __init__(self, run: Run) -> None:
        self.run = run

    def on_epoch_end(self, trainer: Trainer, row: dict[str, float]) -> None:
        self.run.save()


def save_weights(path: Path, model: MLP, dataset: str, image_shape: Sequence[int], classes: Sequence[str]) -> None:
    """Write the weights of `model`, with what `load_model` needs to rebuild it in the metadata."""
    about = {
        "model": "MLP",
        "sizes": list(model.sizes),
        "activation": model.activation,
        "dropout": model.dropout,
        "dataset": dataset,
        "image_shape": list(image_shape),
        "classes": list(classes),
    }
    model.save(path, {"gpunet": json.dumps(about)})


def load_model(path: Path) -> tuple[nn.Module, dict[str, Any]]:
    """The model of a run folder (or of its weights file) and what was written about it."""
    if path.is_dir():
        path = path / WEIGHTS
    if not path.is_file():
        raise RunError(f"{path} does not exist; give a folder that `gpunet train` has written.")
    try:
        arrays, metadata = read_file(path, checked=True)
        if "gpunet" not in metadata:
            raise RunError(f"{path} was not written by `gpunet train`: its metadata has no 'gpunet'.")
        about = _about(json.loads(metadata["gpunet"]), sum(each.size for each in arrays.values()))
        model = MLP(about["sizes"], about["activation"], about["dropout"])
        model.load_state_dict(tensors_of(arrays, devices.get("cpu")))
    except RunError:
        raise
    except (OSError, ValueError, TypeError, KeyError, RuntimeError, RecursionError) as error:
        raise RunError(f"{path} cannot be read as weights: {_sentence(error)}.") from error
    return model, about


def _about(found: dict[str, Any], weights: int) -> dict[str, Any]:
    """What save_weights has written, if it can be true of so many weights. Raises ValueError, TypeError or KeyError."""
    sizes, (height, width), classes = found["sizes"], found["image_shape"], found["classes"]
    if not all(type(size) is int and 0 < size < 2**31 for size in (*sizes, height, width)):
        raise ValueError(f"its metadata has layers of the sizes {sizes} and images of {height} x {width}")
    if found["dataset"] not in RECIPES:
        raise ValueError(f"its metadata names the dataset {found['dataset']!r}, and there are {', '.join(RECIPES)}")
    if sizes[0] != height * width or sizes[-1] != len(classes) or not all(isinstance(each, str) for each in classes):
        raise ValueError(f"its metadata has layers of the sizes {sizes}, images of {height} x {width} and "
                         f"{len(classes)} classes, which do not fit together")
    if len(classes) < 2:
        raise ValueError(f"its metadata names {len(classes)} class, and a digit is one of several")
    if weights != sum((before + 1) * after for before, after in zip(sizes[:-1], sizes[1:], strict=True)):
        raise ValueError(f"it has {weights} weights, which do not make layers of the sizes {sizes}")
    return found
