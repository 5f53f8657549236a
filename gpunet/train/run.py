"""A training run kept in a folder: started, resumed, and read again for predictions.

The folder holds `weights.safetensors` (with what is needed to rebuild the model in its metadata), `history.json`,
`curves.svg` and `checkpoint.safetensors`. All four are written anew after each epoch, each atomically, so a run that
is stopped at any moment keeps the epochs it has finished and can go on from there.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import gpunet
from gpunet import Generator, default_generator, nn
from gpunet.models import MLP
from gpunet.train.checkpoint import checkpoint_notes, load_checkpoint, save_checkpoint
from gpunet.train.curves import learning_curves
from gpunet.train.files import write_text
from gpunet.train.recipes import RECIPES, Settings, build, loaders
from gpunet.train.trainer import Callback, Trainer

WEIGHTS, HISTORY, CURVES, CHECKPOINT = "weights.safetensors", "history.json", "curves.svg", "checkpoint.safetensors"


class RunError(RuntimeError):
    """A run folder cannot be used as asked. The message is one sentence that names it and the remedy."""


class Run:
    """Settings, data, model, optimizer and trainer of one run, and the folder it writes to."""

    def __init__(self, settings: Settings, device: str, folder: Path) -> None:
        recipe = RECIPES[settings.dataset]
        train, test = recipe.read_both(settings.data)
        self.settings, self.device, self.folder = settings, device, folder
        self.image_shape = tuple(train.data.shape[1:])
        self.classes = train.classes
        gpunet.manual_seed(settings.seed)
        model, optimizer = build(settings, self.image_shape, device)
        # The order has a generator of its own; weights and dropout masks come from the default one.
        self._generators = {"shuffle": Generator().manual_seed(settings.seed), "default": default_generator}
        data = recipe.tensors(train, device), recipe.tensors(test, device)
        self.train, self.test = loaders(*data, settings.batch_size, self._generators["shuffle"])
        self.trainer = Trainer(model, optimizer, device=device)

    @classmethod
    def start(cls, settings: Settings, device: str, folder: Path) -> Run:
        """A new run in `folder`, which must not exist or be empty."""
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise RunError(f"{folder} exists and is not empty; choose another --out, or go on with --resume {folder}.")
        run = cls(settings, device, folder)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RunError(f"{folder} cannot be made: {error.strerror}; choose another --out.") from error
        return run

    @classmethod
    def resume(cls, folder: Path, dataset: str, device: str, epochs: int | None = None, data: str | None = None) -> Run:
        """The run in `folder`, as it stood after its last finished epoch; perhaps with more epochs to go."""
        path = folder / CHECKPOINT
        if not path.is_file():
            raise RunError(f"{folder} cannot be resumed: it has no {CHECKPOINT}, so no epoch was finished in it.")
        try:
            settings = Settings(**checkpoint_notes(path)["settings"])
        except Exception as error:
            raise RunError(f"{path} is damaged and cannot be resumed: {error}.") from error
        if settings.dataset != dataset:
            raise RunError(f"{folder} is a run on {settings.dataset}; resume it by `gpunet train {settings.dataset}`.")
        run = cls(replace(settings, epochs=epochs or settings.epochs, data=data or settings.data), device, folder)
        trainer = run.trainer
        trainer.history = load_checkpoint(path, trainer.model, trainer.optimizer, run._generators)["history"]
        return run

    def fit(self, callbacks: Sequence[Callback] = ()) -> list[dict[str, float]]:
        return self.trainer.fit(self.train, self.settings.epochs, self.test, [_Keeper(self), *callbacks])

    def save(self) -> None:
        """Write the folder's four files."""
        history, settings = self.trainer.history, self.settings.to_json()
        notes = {"settings": settings, "history": history}
        folder, trainer = self.folder, self.trainer
        save_checkpoint(folder / CHECKPOINT, trainer.model, trainer.optimizer, self._generators, notes)
        save_weights(folder / WEIGHTS, trainer.model, self.settings.dataset, self.image_shape, self.classes)
        write_text(folder / HISTORY, json.dumps({"settings": settings, "epochs": history}, indent=2) + "\n")
        title = f"{self.settings.dataset}: test accuracy {history[-1]['test_accuracy']:.4f} after epoch {len(history)}"
        write_text(folder / CURVES, learning_curves(history, title))


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
    from safetensors import safe_open

    if path.is_dir():
        path = path / WEIGHTS
    if not path.is_file():
        raise RunError(f"{path} does not exist; give a folder that `gpunet train` has written.")
    try:
        with safe_open(path, framework="numpy") as file:
            about = json.loads((file.metadata() or {})["gpunet"])
        model = MLP(about["sizes"], about["activation"], about["dropout"])
        model.load(path)
    except KeyError as error:
        raise RunError(f"{path} was not written by `gpunet train`: its metadata has no {error}.") from error
    except Exception as error:
        raise RunError(f"{path} cannot be read as weights: {error}.") from error
    return model, about
