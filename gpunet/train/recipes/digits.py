"""The recipes `digits` and `mnist`: small grey images of single things, and an MLP."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gpunet import Tensor, float32
from gpunet.data import Dataset, TensorDataset
from gpunet.data.datasets import MNIST, DatasetError, Digits
from gpunet.data.datasets.image import ImageDataset
from gpunet.files import digest
from gpunet.models import MLP
from gpunet.train.config import Config, counts, share, text
from gpunet.train.recipes.recipe import Data, Recipe, optimizer_settings, split, train_settings


class DigitRecipe(Recipe):
    """A dataset of grey images, its pixel range, its model and its default settings.

    box: how a digit sits in this dataset's images, for other images to be brought into the same form: the ink is
    scaled to fit a square of `box` pixels, and centred by its centre of mass.
    """

    inputs = "image"

    def __init__(self, name: str, full_ink: float, box: int, hidden: Sequence[int], dropout: float, epochs: int,
                 batch_size: int, rates: Mapping[str, float], weight_decay: float, smoothing: float) -> None:
        self.name, self.full_ink, self.box = name, full_ink, box  # pyright: ignore[reportAttributeAccessIssue]
        data: dict[str, Any] = {
            "validation": share(0.1, "share of the training images that decides which epoch is best", zero=False)}
        if name == "mnist":
            data["path"] = text(None, "folder of the four IDX files, plain or .gz")
        self.settings = {  # pyright: ignore[reportAttributeAccessIssue]
            "data": data,
            "model": {"hidden": counts(list(hidden), "units of each hidden layer"),
                      "dropout": share(dropout, "share of the hidden values that is dropped in training")},
            "optimizer": optimizer_settings(rates, weight_decay),
            "train": train_settings(epochs, batch_size, smoothing),
        }

    def read_part(self, train: bool, folder: str | None) -> ImageDataset:
        """The training or the test images."""
        return Digits(train) if self.name == "digits" else MNIST(folder or ".", train)

    def read(self, config: Config) -> Data:
        folder = config.get("data.path")
        train, test = self.read_part(True, folder), self.read_part(False, folder)
        sizes = [tuple(each.data.shape[1:]) for each in (train, test)]
        if sizes[0] != sizes[1]:
            raise DatasetError(
                f"{folder} mixes two sets: its training images are {sizes[0][0]} x {sizes[0][1]} and its test images "
                f"{sizes[1][0]} x {sizes[1][1]}."
            )
        images, labels = self._images(train), train.targets.numpy()
        rest = split(str(folder or self.name), None, len(labels), {"validation": config["data.validation"]},
                     config["train.seed"])
        parts: dict[str, Dataset] = {part: TensorDataset(images[each.tolist()], train.targets[each.tolist()])
                                     for part, each in rest.items()}
        parts["test"] = TensorDataset(self._images(test), test.targets)
        shape = sizes[0]
        about = {"recipe": self.name, "task": "classification", "classes": list(train.classes),
                 "image_shape": list(shape),
                 "model": {"sizes": [shape[0] * shape[1], *config["model.hidden"], len(train.classes)],
                           "activation": "relu", "dropout": config["model.dropout"]}}
        note = (f"{len(rest['train']):,} images to train on, {len(rest['validation']):,} for validation and "
                f"{len(test):,} for the test, {shape[0]} x {shape[1]}")
        return Data(parts, about, digest([train.data.numpy().tobytes(), labels.tobytes()]), note)

    def read_other(self, config: Config, about: dict[str, Any], place: str) -> Dataset:
        if self.name == "digits":
            raise DatasetError("The digits come with gpunet, so --data cannot be given; leave it out.")
        return self.test_part(about, place)

    def test_part(self, about: dict[str, Any], folder: str | None) -> TensorDataset:
        """The test images, without the training images having to be there."""
        test = self.read_part(False, folder)
        if list(test.data.shape[1:]) != list(about["image_shape"]):
            there, wanted = (" x ".join(map(str, shape)) for shape in (test.data.shape[1:], about["image_shape"]))
            raise DatasetError(f"The test images are {there}, and the network reads {wanted}: give the dataset it was "
                               "trained on by --data.")
        return TensorDataset(self._images(test), test.targets)

    def _images(self, dataset: ImageDataset) -> Tensor:
        """float32 images [N, H, W] in 0 to 1."""
        return dataset.data.to(float32) / self.full_ink

    def check(self, about: dict[str, Any], weights: int) -> None:
        sizes, (height, width), classes = about["model"]["sizes"], about["image_shape"], about["classes"]
        if not all(type(size) is int and 0 < size < 2**31 for size in (*sizes, height, width)):
            raise ValueError(f"its metadata has layers of the sizes {sizes} and images of {height} x {width}")
        if sizes[0] != height * width or sizes[-1] != len(classes):
            raise ValueError(f"its metadata has layers of the sizes {sizes}, images of {height} x {width} and "
                             f"{len(classes)} classes, which do not fit together")
        if weights != sum((before + 1) * after for before, after in zip(sizes[:-1], sizes[1:], strict=True)):
            raise ValueError(f"it has {weights} weights, which do not make layers of the sizes {sizes}")

    def model(self, about: dict[str, Any]) -> MLP:
        found = about["model"]
        return MLP(found["sizes"], found["activation"], found["dropout"])

    def described(self, about: dict[str, Any]) -> str:
        return f"MLP {'-'.join(map(str, about['model']['sizes']))}"

    def input_form(self, about: dict[str, Any]) -> tuple[tuple[int, ...], Any]:
        return tuple(about["image_shape"]), float32

    def picture(self, example: np.ndarray, about: dict[str, Any]) -> np.ndarray:
        return example


DIGITS = DigitRecipe("digits", full_ink=16, box=8, hidden=(128, 64), dropout=0.2, epochs=40, batch_size=64,
                     rates={"sgd": 0.1, "adam": 3e-3, "adamw": 3e-3}, weight_decay=0.01, smoothing=0.1)
MNIST_RECIPE = DigitRecipe("mnist", full_ink=255, box=20, hidden=(256, 128), dropout=0.2, epochs=10, batch_size=64,
                           rates={"sgd": 0.05, "adam": 1e-3, "adamw": 1e-3}, weight_decay=0.01, smoothing=0.0)
