"""The model of a run, as its weights file alone describes it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gpunet import Tensor, devices, nn
from gpunet.nn import functional as F
from gpunet.serialization.safetensors_file import read_file, tensors_of
from gpunet.train.recipes import RECIPES, Recipe
from gpunet.train.run_folder import STARTED, WEIGHTS, RunError, sentence
from gpunet.train.trainer import Trainer


class ModelOfRun:
    """The model in a run's folder, or in its weights file, in eval mode.

    about: what is needed to build it and to read inputs. recipe, task, inputs, classes: as LoadedRun has them, but the
    recipe itself. Raises RunError.
    """

    def __init__(self, place: Path, device: str) -> None:
        self.place, self.device = place, device
        self.model, self.about = load_model(place)
        self.model.to(device).eval()
        self.recipe: Recipe = RECIPES[self.about["recipe"]]
        self.task, self.inputs = str(self.about["task"]), self.recipe.inputs
        self.classes: list[str] = list(self.about["classes"])

    def predict(self, inputs: Tensor) -> np.ndarray:
        """The classes' probabilities [N, classes], or values [N]. Raises RunError if they are no numbers."""
        trainer = Trainer(self.model, F.cross_entropy, device=self.device)
        scores = trainer.predict(inputs, batch_size=self.recipe.evaluation_batch)
        found = (F.softmax(scores, 1) if self.task == "classification" else scores).numpy()
        if not np.isfinite(found).all():
            raise RunError("The network's outputs are no numbers: its weights hold NaN or infinity; train it anew, "
                           "with a lower learning rate.")
        return found


def load_model(path: Path) -> tuple[nn.Module, dict[str, Any]]:
    """The model of a run folder (or of its weights file) and what was written about it. Raises RunError."""
    if path.is_dir():
        path = path / WEIGHTS
    if not path.is_file():
        why = "the run has not finished an epoch" if (path.parent / STARTED).is_file() else \
            "give a folder that `gpunet train` has written"
        raise RunError(f"{path} does not exist; {why}.")
    try:
        arrays, metadata = read_file(path, checked=True)
        if "gpunet" not in metadata:
            raise RunError(f"{path} was not written by `gpunet train`: its metadata has no 'gpunet'.")
        about = json.loads(metadata["gpunet"])
        recipe = _recipe_of(about, sum(each.size for each in arrays.values()))
        model = recipe.model(about)
        model.load_state_dict(tensors_of(arrays, devices.get("cpu")))
    except RunError:
        raise
    except (OSError, ValueError, TypeError, KeyError, RuntimeError, RecursionError, IndexError) as error:
        raise RunError(f"{path} cannot be read as weights: {sentence(error)}.") from error
    return model, about


def _recipe_of(about: dict[str, Any], weights: int) -> Recipe:
    """The recipe of weights, if what is said about them can be true. Raises ValueError, TypeError or KeyError."""
    if about["recipe"] not in RECIPES:
        raise ValueError(f"its metadata names the recipe {about['recipe']!r}, and there are {', '.join(RECIPES)}")
    if about["task"] not in ("classification", "regression", "language") or type(about["epoch"]) is not int:
        raise ValueError(f"its metadata has the task {about['task']!r} and the epoch {about['epoch']!r}")
    classes: Sequence[Any] = about["classes"]
    if not all(isinstance(each, str) for each in classes):
        raise ValueError("its metadata has classes that are no texts")
    if about["task"] == "classification" and len(classes) < 2:
        raise ValueError(f"its metadata names {len(classes)} class, and there must be several")
    recipe = RECIPES[about["recipe"]]
    recipe.check(about, weights)
    return recipe
