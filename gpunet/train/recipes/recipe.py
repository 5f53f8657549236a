"""What a recipe is: settings, data in three parts, a model, a loss and metrics; and the settings that all have."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

import gpunet
from gpunet import Tensor, nn, optim
from gpunet.data import Dataset, TensorDataset
from gpunet.nn import functional as F
from gpunet.optim.lr_scheduler import LambdaLR
from gpunet.train.config import Config, Schema, Setting, choice, count, flag, number, share
from gpunet.train.run_folder import RunError
from gpunet.train.splits import train_test_split


class SmoothedCrossEntropy:
    """Cross-entropy; its targets are smoothed in training alone, so that validation losses can be compared."""

    def __init__(self, smoothing: float) -> None:
        self.smoothing = smoothing

    def __call__(self, output: Tensor, target: Tensor) -> Tensor:
        return F.cross_entropy(output, target, label_smoothing=self.smoothing if gpunet.is_grad_enabled() else 0.0)


@dataclass
class Data:
    """What a recipe has read.

    parts: the datasets "train", "validation" and "test", of (input, target).
    about: what is needed to build the model, and to read other inputs, without this data; kept as JSON beside the
    weights. Its "classes" are the names of the classes, if the target is one; its "model" says how to build the model.
    digest: a digest of the data, by which a run that goes on knows that they are the same.
    note: a line about the data for the user.
    baseline: losses or metrics of a simple model, on the validation part, by name.
    """

    parts: dict[str, Dataset]
    about: dict[str, Any]
    digest: str
    note: str
    baseline: dict[str, float] = field(default_factory=dict)


class Recipe:
    """A kind of data, and what is trained on it by default.

    name: as in `gpunet train NAME`. task: "classification", "regression" or "language". inputs: what an input is:
    "image", "table" or "text". settings: by section and name.
    """

    name: ClassVar[str]
    inputs: ClassVar[str]
    settings: ClassVar[Schema]
    evaluation_batch: ClassVar[int] = 512  # nothing is kept for a backward pass

    def config(self, given: Mapping[str, Any]) -> Config:
        """The settings: those that are `given`, by `section.name`, and the defaults of the others."""
        return Config.resolve(self.name, self.settings, given)

    def read(self, config: Config) -> Data:
        """The data."""
        raise NotImplementedError(f"{type(self).__name__} does not define read.")

    def read_other(self, config: Config, about: dict[str, Any], place: str) -> Dataset:
        """Other data of the same kind, to evaluate on."""
        raise NotImplementedError(f"{type(self).__name__} does not define read_other.")

    def read_input(self, path: Path, about: dict[str, Any]) -> np.ndarray:
        """A file as the model takes it, where it is one input. Raises DatasetError."""
        raise NotImplementedError(f"{type(self).__name__} does not define read_input.")

    def check(self, about: dict[str, Any], weights: int) -> None:
        """Raises ValueError, TypeError or KeyError if `about` cannot be true of so many weights."""

    def model(self, about: dict[str, Any]) -> nn.Module:
        """A new model."""
        raise NotImplementedError(f"{type(self).__name__} does not define model.")

    def loss(self, about: dict[str, Any], config: Config | None = None) -> Callable[..., Tensor]:
        """What is minimised; without `config`: without what only training has, such as label smoothing."""
        return SmoothedCrossEntropy(0.0 if config is None else config["train.label_smoothing"])

    def metrics(self, about: dict[str, Any]) -> list[Any]:
        """What is reported beside the loss, the most important first."""
        return ["accuracy"]

    def described(self, about: dict[str, Any]) -> str:
        """The model in a few words, for the user."""
        raise NotImplementedError(f"{type(self).__name__} does not define described.")

    def input_form(self, about: dict[str, Any]) -> tuple[tuple[int, ...], Any]:
        """Shape, without the batch, and type of the model's input."""
        raise NotImplementedError(f"{type(self).__name__} does not define input_form.")

    def picture(self, example: np.ndarray, about: dict[str, Any]) -> np.ndarray:
        """An input as it is shown: float32 in 0 to 1, grey [H, W] or colour [H, W, 3]."""
        raise RunError(f"A run of the recipe {self.name} has no pictures.")


OPTIMIZERS: dict[str, Callable[[Any, Config], optim.Optimizer]] = {
    "sgd": lambda parameters, config: optim.SGD(parameters, lr=config["optimizer.lr"], momentum=0.9,
                                                weight_decay=config["optimizer.weight_decay"]),
    "adam": lambda parameters, config: optim.Adam(parameters, lr=config["optimizer.lr"],
                                                  weight_decay=config["optimizer.weight_decay"]),
    "adamw": lambda parameters, config: optim.AdamW(parameters, lr=config["optimizer.lr"],
                                                    weight_decay=config["optimizer.weight_decay"]),
}
_DECAYS = {"sgd": 5e-4, "adam": 0.0}  # where it is added to the gradient
PRECISIONS = ("float32", "bfloat16", "float16")


def optimizer_settings(rates: Mapping[str, float], weight_decay: float, schedule: str = "cosine",
                       warmup: float = 0.0, name: str = "adamw") -> dict[str, Any]:
    """The section [optimizer]. rates: the learning rate of each optimizer."""
    return {
        "name": choice(name, tuple(OPTIMIZERS), "how the weights are updated; sgd has a momentum of 0.9"),
        "lr": number(lambda values: rates[values["optimizer.name"]],
                     f"learning rate; {', '.join(f'{each} {rate:g}' for each, rate in rates.items())}"),
        "weight_decay": number(lambda values: weight_decay if values["optimizer.name"] == "adamw" else
                               _DECAYS[values["optimizer.name"]], "how much weights shrink", zero=True),
        "schedule": choice(schedule, ("constant", "cosine"), "how the learning rate goes on: cosine falls to 0"),
        "warmup": share(warmup, "share of the steps in which the learning rate rises from 0"),
    }


def train_settings(epochs: int, batch_size: int, smoothing: float | None = 0.0, clip_norm: float = 0.0,
                   patience: int = 0) -> dict[str, Any]:
    """The section [train]. smoothing: None where the target is no class."""
    return {
        "epochs": count(epochs, "passes over the training data"),
        "batch_size": count(batch_size, "examples a step"),
        "seed": count(0, "decides splits, first weights, order and dropout", least=0),
        "precision": choice("float32", PRECISIONS, "bfloat16 and float16 are mixed precision"),
        **({} if smoothing is None else {"label_smoothing": share(smoothing, "share of the target for all classes")}),
        "clip_norm": number(clip_norm, "limit of the gradients' norm; 0: none", zero=True),
        "accumulate": count(1, "batches whose gradients make one step"),
        "ema": share(0.0, "decay of an average of the weights, such as 0.999; 0: none"),
        "patience": count(patience, "epochs without a better validation loss after which to stop; 0: never", least=0),
        "checkpoint_steps": count(0, "also write a checkpoint after so many steps; 0: after epochs only", least=0),
        "device": Setting("cpu", (str,), "cpu, sim, cuda, cuda:N or auto", "where to compute",
                          lambda name: re.fullmatch(r"cpu|sim|auto|cuda(:[0-9]{1,3})?", name) is not None),
        "workers": count(0, "processes that read examples ahead", least=0),
        "compile": flag(False, "record a step once and replay it"),
    }


def make_optimizer(model: nn.Module, config: Config, steps: int) -> tuple[optim.Optimizer, LambdaLR | None]:
    """The optimizer, and the schedule over so many steps, which is stepped after each of them."""
    optimizer = OPTIMIZERS[config["optimizer.name"]](model.parameters(), config)
    if config["optimizer.schedule"] == "constant" and not config["optimizer.warmup"]:
        return optimizer, None
    warm = round(steps * config["optimizer.warmup"])
    falls = config["optimizer.schedule"] == "cosine"

    def factor(step: int) -> float:
        if step < warm:
            return (step + 1) / warm
        done = min(1.0, (step - warm) / max(1, steps - warm))
        return 0.5 * (1 + math.cos(math.pi * done)) if falls else 1.0

    return optimizer, LambdaLR(optimizer, factor)


SPLITS = {
    "validation": share(0.1, "share of the examples that decides which epoch is best", zero=False),
    "test": share(0.1, "share of the examples for the test at the end", zero=False),
}


def split(where: str, labels: np.ndarray | None, size: int, shares: Mapping[str, float], seed: int,
          names: list[str] | None = None, what: str = "example") -> dict[str, np.ndarray]:
    """Numbers of the examples of each part, at random; of classes, each part has all of them in the same shares.

    shares: of the parts beside "train". Raises RunError where a part would be empty, or lack a class.
    """
    counts = np.bincount(labels, minlength=len(names or ())) if labels is not None else np.zeros(1, int)
    if labels is not None:
        least = len(shares) + 1
        if counts.min() < least:
            rare, found = (names or list(map(str, range(len(counts)))))[int(counts.argmin())], int(counts.min())
            raise RunError(f"{where}: the class {rare!r} has {found} {what}{'s' * (found != 1)}, and each class needs "
                           f"at least {least}, one for each part; add some, or leave the class out.")
    rest, parts = np.arange(size), {}
    for part, wanted in shares.items():
        number = max(round(wanted * size), len(counts))
        try:
            rest, parts[part] = train_test_split(rest, test_size=number, random_state=seed,
                                                 stratify=None if labels is None else labels[rest])
        except ValueError:
            raise RunError(f"{where} has {size} {what}{'s' * (size != 1)}, too few to take {wanted:g} of them for "
                           f"{part}; add some.") from None
    return {"train": np.sort(rest), **{part: np.sort(each) for part, each in parts.items()}}


def on_device(dataset: Dataset, device: str) -> Dataset:
    """A dataset whose tensors are in memory, on the device; another one as it is."""
    if isinstance(dataset, TensorDataset):
        return TensorDataset(*(each.to(device) for each in dataset.tensors))
    return dataset
