"""Recipes of `gpunet train`: for each dataset how to read it, its model, and good settings."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from gpunet import Generator, float32, optim
from gpunet.data import DataLoader, TensorDataset
from gpunet.data.datasets import MNIST, DatasetError, Digits
from gpunet.data.datasets.image import ImageDataset
from gpunet.models import MLP


@dataclass(frozen=True)
class Settings:
    """The settings that determine a run's results; the device does not, up to rounding.

    Raises ValueError for a value that is not allowed.
    """

    dataset: str
    epochs: int
    batch_size: int
    lr: float
    optimizer: str
    dropout: float
    seed: int
    data: str | None = None  # the folder of the dataset's files, where it needs one

    def __post_init__(self) -> None:
        for name, (kinds, allowed, wanted) in _RULES.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, kinds) or not allowed(value):
                raise ValueError(f"{name} is {value!r}; it must be {wanted}")

    def to_json(self) -> dict[str, Any]:
        """The settings by name."""
        return asdict(self)


@dataclass(frozen=True)
class Recipe:
    """A dataset, its pixel range, its model and its default settings.

    rates: the learning rate for each optimizer.
    box: how a digit sits in this dataset's images, for other images to be brought into the same form: the ink is
    scaled to fit a square of `box` pixels, and centred by its centre of mass.
    """

    name: str
    full_ink: float
    hidden: tuple[int, ...]
    box: int
    epochs: int
    batch_size: int
    rates: dict[str, float]
    dropout: float

    def settings(self, **chosen: Any) -> Settings:
        """The default settings, except those that are `chosen`. None chooses the default."""
        chosen = {name: value for name, value in chosen.items() if value is not None}
        optimizer = chosen.get("optimizer", "adam")
        defaults: dict[str, Any] = {"epochs": self.epochs, "batch_size": self.batch_size, "dropout": self.dropout,
                                    "seed": 0}
        defaults |= {"dataset": self.name, "optimizer": optimizer, "lr": self.rates[optimizer]}
        return Settings(**defaults | chosen)

    def read(self, train: bool, folder: str | None) -> ImageDataset:
        """The training or the test part."""
        return Digits(train) if self.name == "digits" else MNIST(folder or ".", train)

    def read_both(self, folder: str | None) -> tuple[ImageDataset, ImageDataset]:
        """The training set and the test set, whose images are of one size."""
        train, test = self.read(True, folder), self.read(False, folder)
        sizes = [tuple(each.data.shape[1:]) for each in (train, test)]
        if sizes[0] != sizes[1]:
            raise DatasetError(
                f"{folder} mixes two sets: its training images are {sizes[0][0]} x {sizes[0][1]} and its test images "
                f"{sizes[1][0]} x {sizes[1][1]}."
            )
        return train, test

    def tensors(self, dataset: ImageDataset, device: str) -> TensorDataset:
        """The whole dataset on `device`: float32 images (N, H, W) in 0 to 1, and classes."""
        return TensorDataset((dataset.data.to(float32) / self.full_ink).to(device), dataset.targets.to(device))

    def model(self, image_shape: Sequence[int], dropout: float) -> MLP:
        """A new model for images of this shape."""
        return MLP((image_shape[0] * image_shape[1], *self.hidden, 10), dropout=dropout)


RECIPES = {
    "digits": Recipe(
        name="digits",
        full_ink=16,
        hidden=(128, 64),
        box=8,
        epochs=30,
        batch_size=64,
        rates={"sgd": 0.1, "adam": 3e-3, "adamw": 3e-3},
        dropout=0.2,
    ),
    "mnist": Recipe(
        name="mnist",
        full_ink=255,
        hidden=(256, 128),
        box=20,
        epochs=10,
        batch_size=64,
        rates={"sgd": 0.05, "adam": 1e-3, "adamw": 1e-3},
        dropout=0.2,
    ),
}

OPTIMIZERS: dict[str, Callable[[Any, float], optim.Optimizer]] = {
    "sgd": lambda parameters, lr: optim.SGD(parameters, lr=lr, momentum=0.9),
    "adam": lambda parameters, lr: optim.Adam(parameters, lr=lr),
    "adamw": lambda parameters, lr: optim.AdamW(parameters, lr=lr),
}


# Of each of a run's settings: its types, which values are allowed, and both in words.
_RULES: dict[str, tuple[type | tuple[type, ...], Callable[[Any], bool], str]] = {
    "dataset": (str, lambda name: name in RECIPES, " or ".join(RECIPES)),
    "epochs": (int, lambda count: count >= 1, "a positive whole number"),
    "batch_size": (int, lambda count: 1 <= count < 2**31, "a positive whole number below 2^31"),
    "lr": ((int, float), lambda rate: 0 < rate < math.inf, "a positive number"),
    "optimizer": (str, lambda name: name in OPTIMIZERS, ", ".join(OPTIMIZERS)),
    "dropout": ((int, float), lambda share: 0 <= share < 1, "from 0 to below 1"),
    "seed": (int, lambda seed: seed >= 0, "a whole number of at least 0"),
    "data": ((str, type(None)), lambda _: True, "a folder's name or nothing"),
}


def loaders(
    train: TensorDataset, test: TensorDataset, batch_size: int, generator: Generator
) -> tuple[DataLoader, DataLoader]:
    """The training batches, shuffled by `generator`, and the test batches, larger since nothing is kept for them."""
    return (
        DataLoader(train, batch_size, shuffle=True, generator=generator),
        DataLoader(test, max(batch_size, 512)),
    )


def build(settings: Settings, image_shape: Sequence[int], device: str) -> tuple[MLP, optim.Optimizer]:
    """A new model on the device, and its optimizer."""
    model = RECIPES[settings.dataset].model(image_shape, settings.dropout).to(device)
    return model, OPTIMIZERS[settings.optimizer](model.parameters(), settings.lr)
