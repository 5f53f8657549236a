"""The recipe `images`: a convolutional network on a folder of pictures, one folder a class."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

import gpunet
from gpunet import Tensor, models, nn
from gpunet.data import Dataset, Subset, TensorDataset
from gpunet.data.datasets import DatasetError
from gpunet.data.datasets.folder import IMG_EXTENSIONS, find_classes, make_dataset
from gpunet.train.config import REQUIRED, Config, Setting, choice, count, flag, number, share
from gpunet.train.recipes.pictures import Squares, read_square
from gpunet.train.recipes.recipe import SPLITS, Data, Recipe, optimizer_settings, split, train_settings

_BATCH = 2**30  # bytes of pixels; as numbers of a network they are four times as many
MODELS = ("cnn", "resnet18", "resnet34", "resnet50", "mobilenet_v2", "efficientnet_b0")


class ImagesRecipe(Recipe):
    """A network on pictures, which are cut square and scaled to one size."""

    name, inputs, evaluation_batch = "images", "image", 128
    settings = {
        "data": {
            "path": Setting(REQUIRED, (str,), "a folder's name", "the folder, which holds a folder for each class"),
            **SPLITS,
            "size": count(64, "pixels of a side that the network sees", least=8),
            "flip": flag(True, "train on mirrored pictures too"),
            "memory": number(4, "GiB of pixels that stay in memory; further pictures are read when they are needed",
                             zero=True),
            "shift": share(0.1, "by what share of a side pictures are moved at random in training"),
        },
        "model": {
            "name": choice("cnn", MODELS, "the network; cnn is small, for pictures of 16 to 128 pixels"),
            "width": count(32, "channels of the first convolution of cnn"),
            "dropout": share(0.1, "share of the last features that is dropped in training, of cnn"),
        },
        "optimizer": optimizer_settings({"sgd": 0.05, "adam": 1e-3, "adamw": 2e-3}, 0.05, warmup=0.05),
        "train": train_settings(20, 32, 0.1),
    }

    def read(self, config: Config) -> Data:
        root, size = config["data.path"], config["data.size"]
        samples, classes = _samples(root)
        labels = np.array([label for _, label in samples], np.int64)
        shares = {part: config[f"data.{part}"] for part in ("validation", "test")}
        _check_batch(size, config["train.batch_size"])
        chosen = split(str(root), labels, len(samples), shares, config["train.seed"], classes, "picture")
        names = "\n".join(os.path.relpath(path, root) for path, _ in samples)
        squares = _squares(samples, labels, size, config, names.encode("utf-8", "surrogateescape"))
        parts = {part: _part(squares, each) for part, each in chosen.items()}
        mean, spread = squares.statistics(chosen["train"])
        about = {"recipe": self.name, "task": "classification", "classes": classes, "size": size,
                 "model": {"name": config["model.name"], "width": config["model.width"],
                           "dropout": config["model.dropout"], "classes": len(classes), "mean": mean, "std": spread,
                           "flip": config["data.flip"], "shift": round(config["data.shift"] * size)}}
        note = (f"{len(chosen['train']):,} pictures of {len(classes)} classes to train on, "
                f"{len(chosen['validation']):,} for validation and {len(chosen['test']):,} for the test, "
                f"{size} x {size}")
        return Data(parts, about, squares.digest, note)

    def read_other(self, config: Config, about: dict[str, Any], place: str) -> Dataset:
        samples, classes = _samples(place, least=1)
        known: list[str] = about["classes"]
        if strange := [name for name in classes if name not in known]:
            names = f"{', '.join(known[:8])}{' and others' * (len(known) > 8)}"
            raise DatasetError(f"{place} has the class {strange[0]!r}, which the network does not know; it knows "
                               f"{names}: rename or remove the folder.")
        labels = np.array([known.index(classes[label]) for _, label in samples], np.int64)
        return _squares(samples, labels, about["size"], config)

    def read_input(self, path: Path, about: dict[str, Any]) -> np.ndarray:
        return read_square(str(path), about["size"])

    def check(self, about: dict[str, Any], weights: int) -> None:
        model, size = about["model"], about["size"]
        numbers = [size, model["width"], model["classes"], model["shift"] + 1]
        if not all(type(each) is int and 0 < each < 2**16 for each in numbers) or model["classes"] > weights or \
                9 * 3 * model["width"] > max(weights, 9 * 3 * 32):
            raise ValueError(f"its metadata has a network of the sizes {numbers}")
        if model["name"] not in MODELS or len(about["classes"]) != model["classes"]:
            raise ValueError(f"its metadata has the network {model['name']!r} for {model['classes']} classes, and "
                             f"{len(about['classes'])} names of classes")

    def model(self, about: dict[str, Any]) -> nn.Module:
        model = about["model"]
        if model["name"] == "cnn":
            network: nn.Module = small_cnn(model["width"], model["classes"], model["dropout"])
        else:
            network = models.get_model(model["name"], num_classes=model["classes"])
        return Pictures(network, model["mean"], model["std"], model["flip"], model["shift"])

    def described(self, about: dict[str, Any]) -> str:
        model = about["model"]
        return f"CNN of width {model['width']}" if model["name"] == "cnn" else str(model["name"])

    def input_form(self, about: dict[str, Any]) -> tuple[tuple[int, ...], Any]:
        return (3, about["size"], about["size"]), gpunet.uint8

    def picture(self, example: np.ndarray, about: dict[str, Any]) -> np.ndarray:
        return example.transpose(1, 2, 0).astype(np.float32) / 255


class Pictures(nn.Module):
    """A network that takes pictures as bytes: it scales them, and in training mirrors and moves them at random.

    mean, std: of the training pictures' channels, of values in 0 to 1. shift: pixels, at most.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, network: nn.Module, mean: list[float], std: list[float], flip: bool, shift: int) -> None:
        super().__init__()
        self.network, self.flip, self.shift = network, flip, shift
        self.register_buffer("mean", gpunet.tensor(mean).reshape(3, 1, 1))
        self.register_buffer("std", gpunet.tensor(std).reshape(3, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        x = (x.to(self.mean.dtype) / 255 - self.mean) / self.std
        if self.training and self.flip:
            mirrored = gpunet.rand(x.shape[0], 1, 1, 1, device=x.device) < 0.5
            x = gpunet.where(mirrored, x.flip(-1), x)
        if self.training and self.shift:
            x = moved(x, self.shift)
        return self.network(x)


def moved(x: Tensor, most: int) -> Tensor:
    """Images [N, C, H, W], each moved by up to so many pixels, its edge repeated."""
    for dimension, size in ((2, x.shape[2]), (3, x.shape[3])):
        by = gpunet.randint(-most, most + 1, (x.shape[0], 1), device=x.device)
        index = (gpunet.arange(size, device=x.device) + by).clamp(0, size - 1)
        index = index[:, None, :, None] if dimension == 2 else index[:, None, None, :]
        x = x.gather(dimension, index.expand(x.shape))
    return x


def small_cnn(width: int, classes: int, dropout: float) -> nn.Sequential:
    """Three stages of two convolutions, the mean over the picture, and a linear layer."""
    layers: list[nn.Module] = []
    before = 3
    for channels in (width, 2 * width, 4 * width):
        for _ in range(2):
            layers += [nn.Conv2d(before, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels), nn.ReLU()]
            before = channels
        layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers[:-1], nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(dropout),
                         nn.Linear(before, classes))


def _samples(root: str, least: int = 2) -> tuple[list[tuple[str, int]], list[str]]:
    """(path, class) of each picture, and the classes. Raises DatasetError."""
    if not Path(root).is_dir():
        raise DatasetError(f"{root} is no folder; give one that holds a folder of pictures for each class.")
    try:
        classes, numbers = find_classes(root)
    except DatasetError:
        raise DatasetError(f"{root} holds no folders; put the pictures of each class into a folder of its own."
                           ) from None
    classes = [name for name in classes if not name.startswith(".")]
    numbers = {name: number for number, name in enumerate(classes)}
    if len(classes) < least:
        found = f"one class, {classes[0]!r}" if classes else "no class"
        raise DatasetError(f"{root} holds {found}, and there must be at least two; put the pictures of each "
                           "class into a folder of its own.")
    samples = make_dataset(root, numbers, IMG_EXTENSIONS, allow_empty=True)
    counts = np.bincount([label for _, label in samples], minlength=len(classes))
    if empty := [name for name, number in zip(classes, counts, strict=True) if not number]:
        raise DatasetError(f"{root}: the class {empty[0]!r} has no pictures; their names end in "
                           f"{', '.join(IMG_EXTENSIONS)}: add some, or remove the folder.")
    return samples, classes


def _squares(samples: list[tuple[str, int]], labels: np.ndarray, size: int, config: Config,
             begin: bytes = b"") -> Squares:
    return Squares([path for path, _ in samples], labels, size, config["data.memory"] * 2**30, begin)


def _check_batch(size: int, number: int) -> None:
    if (wanted := number * 3 * size * size) > _BATCH:
        raise DatasetError(f"A batch of {number:,} pictures of {size} x {size} takes {wanted / 2**30:.1f} GiB, and "
                           f"it may take {_BATCH / 2**30:.0f} GiB; choose a smaller data.size or train.batch_size.")


def _part(squares: Squares, indices: np.ndarray) -> Dataset:
    """Some of the pictures; as tensors, which can move to a device as a whole, if all are in memory."""
    if squares.in_memory():
        return TensorDataset(squares.pixels(indices), squares.labels[indices])
    return Subset(squares, indices.tolist())


IMAGES = ImagesRecipe()
