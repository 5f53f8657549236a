"""A run's folder, read: its settings, history, model, data and predictions."""

from __future__ import annotations

from collections.abc import Iterable
from os import PathLike
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

import gpunet
from gpunet import Tensor
from gpunet.data import DataLoader, Dataset
from gpunet.nn import functional as F
from gpunet.train.config import Config, ConfigError, flat, read_toml
from gpunet.train.history import History
from gpunet.train.recipes import RECIPES, Recipe
from gpunet.train.run_folder import CONFIG, HISTORY, STARTED, RunError, read_json, sentence, state_of
from gpunet.train.run_model import ModelOfRun
from gpunet.train.trainer import Trainer

Part = Literal["train", "validation", "test"]


class Predictions(NamedTuple):
    """What a model says about some data.

    Args:
        outputs: of classes, their probabilities, float32 [N, classes]; of numbers, the values [N]; of a language
            model, the probability of each right next token [N, T].
        targets: the right classes [N], values [N], or tokens [N, T].
        losses: the loss of each example [N].

    Examples:
        >>> train.Predictions(numpy.array([[0.2, 0.8]]), numpy.array([1]), numpy.array([0.22])).outputs.shape
        (1, 2)
    """

    outputs: np.ndarray
    targets: np.ndarray
    losses: np.ndarray


class LoadedRun:
    """What a run's folder holds; `load_run` makes it. The data are read when they are asked for.

    Args:
        folder: the folder of a run.
        device: where to put the model.
        data: where the run's data are now; None: where they were.

    Attributes:
        folder: the folder.
        name: the folder's name.
        recipe: the recipe's name, such as "digits".
        task: "classification", "regression" or "language".
        inputs: what an input is: "image", "table" or "text".
        config: the settings as resolved: the recipe's name, and by section and name.
        history: a row for each epoch.
        best_epoch: the epoch whose weights the run holds.
        monitor: the column of the history that says which epoch is best.
        metric: the name of the most important metric, which has columns of its own in the history.
        state: "running", "finished" or "stopped".
        ended: how the run has ended, in words; None before.
        started: when the run began, as ISO 8601 has it.
        environment: versions, machine and device when it began, by name.
        baseline: losses or metrics of a simple model on the validation data, by name.
        about: all that is needed to build the model and to read inputs.
        classes: names of the classes; empty where the target is no class.
        test: loss and metrics of the test data, once the run has ended; else None.
        device: where the model is.
        model: the model with the weights of the best epoch, in eval mode.

    Raises:
        RunError: the folder is none of a run, has no finished epoch, or is damaged; the message is one sentence.

    Examples:
        >>> try:
        ...     train.LoadedRun("no-such-run")
        ... except RuntimeError as error:
        ...     print(error)
        no-such-run does not exist; give a folder that `gpunet train` has written.
    """

    def __init__(self, folder: str | PathLike[str], device: str = "cpu", data: str | None = None) -> None:
        self.folder, self.device = Path(folder), device
        self.name = self.folder.resolve().name
        self._kept = ModelOfRun(self.folder, device)
        self.model, self.about = self._kept.model, self._kept.about
        results, start = read_json(self.folder / HISTORY), read_json(self.folder / STARTED)
        self._config = _config(self.folder / CONFIG, data)
        self.config: dict[str, Any] = self._config.nested()
        self._recipe: Recipe = self._kept.recipe
        self.recipe, self.task, self.inputs = self._recipe.name, self._kept.task, self._kept.inputs
        try:
            self.history = History(results["epochs"])
            self.ended, self.test = results["ended"], results["test"]
            self.monitor = next(name for name in results["best"] if name != "epoch")
            self.started, self.environment = start["started"], dict(start["environment"])
            self.baseline: dict[str, float] = dict(start["baseline"])
        except (KeyError, TypeError, ValueError, StopIteration) as error:
            raise RunError(f"{self.folder} is damaged: its {HISTORY} or {STARTED} lacks {error}.") from error
        self.best_epoch: int = self.about["epoch"]
        self.state = state_of(self.folder)
        self.classes = self._kept.classes
        self.metric = next((each.name for each in self.trainer.metrics), "loss")
        self._parts: dict[str, Dataset] = {}

    @property
    def trainer(self) -> Trainer:
        """A Trainer with the run's model, loss and metrics, and without an optimizer."""
        return Trainer(self.model, self._recipe.loss(self.about), None, self._recipe.metrics(self.about), self.device,
                       self._config["train.precision"])

    def data(self, part: Part = "validation") -> Dataset:
        """A part of the run's data, split as in training. An item is (input, target).

        Args:
            part: "train", "validation" or "test".

        Raises:
            RunError: the data cannot be read any more, or do not fit the model.
        """
        if not self._parts:
            found = self._recipe.read(self._config)
            if found.about["model"] != self.about["model"]:
                raise RunError(f"The data of {self.folder} have changed since it was trained: its model does not fit "
                               "them; bring them back, or give them by --data.")
            self._parts = found.parts
        return self._parts[part]

    def other_data(self, place: str) -> Dataset:
        """Other data of the same kind, to evaluate on.

        Args:
            place: a file or folder, as the recipe reads it.
        """
        return self._recipe.read_other(self._config, self.about, place)

    def example_input(self, batch: int = 1) -> Tensor:
        """Zeros of the shape and type that the model takes, on the run's device.

        Args:
            batch: number of examples.
        """
        shape, dtype = self._recipe.input_form(self.about)
        return gpunet.zeros(batch, *shape, dtype=dtype, device=self.device)

    def evaluate(self, data: Part | Dataset = "validation") -> dict[str, Any]:
        """Loss and metrics.

        Args:
            data: a part of the run's data, or other data.
        """
        return self.trainer.evaluate(self._loader(data))

    def predictions(self, data: Part | Dataset = "validation") -> Predictions:
        """What the model says about each example, in the data's order.

        Args:
            data: a part of the run's data, or other data.
        """
        found: list[tuple[np.ndarray, ...]] = []
        loader, trainer = self._loader(data), self.trainer
        for inputs, target in loader:
            scores = trainer.predict(inputs, batch_size=len(inputs))
            found.append(_told(scores, target.cpu(), self.task))
        return Predictions(*(np.concatenate(parts) for parts in zip(*found, strict=True)))

    def predict(self, inputs: Tensor) -> np.ndarray:
        """What the model says about inputs: the classes' probabilities [N, classes], or values [N].

        Args:
            inputs: a tensor as the model takes it.

        Raises:
            RunError: the outputs are no numbers.
        """
        return self._kept.predict(inputs)

    def picture(self, part: Part, index: int) -> np.ndarray:
        """An example's image as it is shown: float32 in 0 to 1, grey [H, W] or colour [H, W, 3].

        Args:
            part: "train", "validation" or "test".
            index: number of the example in that part.

        Raises:
            RunError: the run's inputs are no images.
        """
        return self._recipe.picture(np.asarray(self.data(part)[index][0]), self.about)

    def _loader(self, data: Part | Dataset) -> Iterable[Any]:
        dataset = self.data(data) if isinstance(data, str) else data
        return DataLoader(dataset, self._recipe.evaluation_batch)


def load_run(folder: str | PathLike[str], device: str = "cpu", data: str | None = None) -> LoadedRun:
    """Reads the folder of a run that `gpunet train` has written.

    Args:
        folder: the folder.
        device: where to put the model.
        data: where the run's data are now; None: where they were.

    Returns:
        The run.

    Raises:
        RunError: the folder is none of a run, has no finished epoch, or is damaged; the message is one sentence.

    Examples:
        >>> try:
        ...     train.load_run("no-such-run")
        ... except RuntimeError as error:
        ...     print(error)
        no-such-run does not exist; give a folder that `gpunet train` has written.
    """
    return LoadedRun(folder, device, data)


def _config(path: Path, data: str | None) -> Config:
    try:
        content = read_toml(path)
        recipe = content.get("recipe")
        if not isinstance(recipe, str) or recipe not in RECIPES:
            raise ConfigError(f"its recipe is {recipe!r}, and there are {', '.join(RECIPES)}")
        return RECIPES[recipe].config(flat(content, str(path))).changed(**{"data.path": data})
    except ConfigError as error:
        raise RunError(f"{path} is no run's: {sentence(error)}.") from error


def _told(scores: Tensor, target: Tensor, task: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Outputs, targets and losses of a batch, as Predictions has them."""
    if task == "regression":
        return scores.numpy(), target.numpy(), ((scores - target) ** 2).numpy()
    losses = F.cross_entropy(scores.transpose(1, 2) if task == "language" else scores, target, reduction="none")
    if task == "language":
        return (-losses).exp().numpy(), target.numpy(), losses.mean(1).numpy()
    return F.softmax(scores, 1).numpy(), target.numpy(), losses.numpy()
