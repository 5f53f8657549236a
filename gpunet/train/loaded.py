"""A run's folder, read: its settings, history, model, data and predictions."""

from __future__ import annotations

import json
from os import PathLike
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

import gpunet
from gpunet.data import Dataset
from gpunet.nn import functional as F
from gpunet.train.history import History
from gpunet.train.recipes import RECIPES, Settings
from gpunet.train.run import HISTORY, load_model
from gpunet.train.trainer import Trainer

Part = Literal["train", "validation", "test"]


class Predictions(NamedTuple):
    """What a model says about a part of the data.

    Args:
        outputs: for classes: their probabilities, float32 [N, classes]; for regression: the values [N].
        targets: the true classes, int64 [N]; or the true values [N].
        losses: the loss of each example [N].

    Examples:
        >>> train.Predictions(numpy.array([[0.2, 0.8]]), numpy.array([1]), numpy.array([0.22])).outputs.shape
        (1, 2)
    """

    outputs: np.ndarray
    targets: np.ndarray
    losses: np.ndarray


class LoadedRun:
    """What a run's folder holds. Settings and history are read at once; model and data when they are asked for.

    Attributes:
        folder: the folder.
        name: the folder's name.
        recipe: the recipe's name, such as "digits".
        task: "classification", "regression" or "language".
        inputs: what an input is: "image", "table" or "text".
        config: the settings as resolved, by section and name.
        history: a row for each epoch.
        best_epoch: the epoch whose weights the run holds.
        monitor: the column of the history that says which epoch is best.
        state: "running", "finished" or "stopped".
        environment: versions, machine and device, by name.
        classes: names of the classes; empty where the target is no class.
        test: loss and metrics of the test set, once the run has finished; else None.
        device: where the model is.

    Examples:
        >>> try:
        ...     train.load_run("no-such-run")
        ... except RuntimeError as error:
        ...     print(error)  # doctest: +ELLIPSIS
        no-such-run... does not exist; give a folder that `gpunet train` has written.
    """

    def __init__(self, folder: Path, device: str) -> None:
        self.folder, self.name, self.device = folder, folder.resolve().name, device
        self.model, self._about = load_model(folder)
        self.model.to(device).eval()
        content = json.loads((folder / HISTORY).read_text(encoding="utf-8"))
        self._settings = Settings(**content["settings"])
        self.recipe, self.task, self.inputs = self._settings.dataset, "classification", "image"
        self.config: dict[str, Any] = {"recipe": self.recipe, "settings": content["settings"]}
        self.history = History(content["epochs"])
        self.best_epoch, self.monitor = len(self.history), "val_loss"
        self.state = "finished" if len(self.history) >= self._settings.epochs else "stopped"
        self.environment: dict[str, str] = {}
        self.classes: list[str] = list(self._about["classes"])
        self.test: dict[str, Any] | None = None
        self._parts: dict[str, Dataset] = {}

    @property
    def trainer(self) -> Trainer:
        """A Trainer with the run's model, loss and metrics, and without an optimizer."""
        return Trainer(self.model, F.cross_entropy, metrics=["accuracy"], device=self.device)

    def data(self, part: Part = "validation") -> Dataset:
        """A part of the run's data, split as in training. An item is (input, target).

        Args:
            part: "train", "validation" or "test".
        """
        if part not in self._parts:
            recipe = RECIPES[self.recipe]
            self._parts[part] = recipe.tensors(recipe.read(part == "train", self._settings.data), "cpu")
        return self._parts[part]

    def example_input(self, batch: int = 1) -> Any:
        """A tensor of the shape and type that the model takes, on the run's device.

        Args:
            batch: number of examples in it.
        """
        return gpunet.zeros(batch, *self._about["image_shape"], device=self.device)

    def evaluate(self, part: Part = "validation") -> dict[str, Any]:
        """Loss and metrics of a part of the data.

        Args:
            part: "train", "validation" or "test".
        """
        return self.trainer.evaluate(self.data(part))

    def predictions(self, part: Part = "validation") -> Predictions:
        """What the model says about each example of a part of the data, in its order.

        Args:
            part: "train", "validation" or "test".
        """
        scores = self.trainer.predict(self.data(part))
        targets = gpunet.tensor([int(target) for _, target in self.data(part)])
        losses = F.cross_entropy(scores, targets, reduction="none")
        return Predictions(F.softmax(scores, 1).numpy(), targets.numpy(), losses.numpy())

    def picture(self, part: Part, index: int) -> np.ndarray:
        """An example's image as it is shown: float32 in 0 to 1, grey [H, W] or colour [H, W, 3].

        Args:
            part: "train", "validation" or "test".
            index: number of the example in that part.
        """
        return np.asarray(self.data(part)[index][0])


def load_run(folder: str | PathLike[str], device: str = "cpu") -> LoadedRun:
    """Reads the folder of a run that `gpunet train` has written.

    Args:
        folder: the folder.
        device: where to put the model.

    Returns:
        The run.

    Raises:
        RunError: the folder is none of a run, or is damaged; the message is one sentence.

    Examples:
        >>> try:
        ...     train.load_run("no-such-run")
        ... except RuntimeError as error:
        ...     print(error)  # doctest: +ELLIPSIS
        no-such-run... does not exist; give a folder that `gpunet train` has written.
    """
    return LoadedRun(Path(folder), device)
