"""MNIST, from the four IDX files."""

from __future__ import annotations

from collections.abc import Callable
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from gpunet.data.datasets.idx import DatasetError, read_idx
from gpunet.data.datasets.image import ImageDataset

_SOURCES = "https://ossci-datasets.s3.amazonaws.com/mnist/ or https://yann.lecun.com/exdb/mnist/"


class MNIST(ImageDataset):
    """MNIST: handwritten digits of 28 x 28 pixels, 60,000 for training and 10,000 for testing.

    Other sets in this format are read too, such as Fashion-MNIST, KMNIST or your own, of any image size and count.
    Files are plain or `.gz`, and are named `train-images-idx3-ubyte` or `train-images.idx3-ubyte`.

    Source: LeCun, Cortes and Burges, "The MNIST Database of Handwritten Digits", 1998.

    Args:
        root: folder that holds the four IDX files, itself or in `MNIST/raw`, where torchvision puts them.
        train: the training part; False: the test part.
        transform: a function of an image, a NumPy uint8 array [H, W], that gives the item's image.
        target_transform: a function of a class, an int, that gives the item's class.

    Raises:
        DatasetError: a file is missing or damaged; the message says which, and where to get it.

    Examples:
        >>> datasets.MNIST("no such folder")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
            ...
        gpunet.data.datasets.idx.DatasetError: no such folder does not exist; get the four MNIST files from ...
    """

    def __init__(
        self,
        root: str | PathLike[str],
        train: bool = True,
        transform: Callable[[np.ndarray], Any] | None = None,
        target_transform: Callable[[int], Any] | None = None,
    ) -> None:
        part = "train" if train else "t10k"
        image_file, images = _read(Path(root), f"{part}-images", 3)
        label_file, labels = _read(Path(root), f"{part}-labels", 1)
        if not images.size:
            raise DatasetError(
                f"{image_file} holds no image: its shape is {images.shape}; get it anew from {_SOURCES}."
            )
        if len(images) != len(labels):
            raise DatasetError(
                f"{image_file} has {len(images)} images but {label_file} has {len(labels)} labels; "
                f"get both anew from {_SOURCES}."
            )
        if labels.max() > 9:
            raise DatasetError(
                f"{label_file} has the label {labels.max()}, and MNIST's classes are 0 to 9; get it from {_SOURCES}."
            )
        super().__init__(images, labels, transform, target_transform)
        self.train = train


def _read(root: Path, stem: str, rank: int) -> tuple[Path, np.ndarray]:
    path = _find(root, stem, rank)
    try:
        array = read_idx(path)
    except DatasetError as error:
        raise DatasetError(f"{str(error).removesuffix('.')}; get it anew from {_SOURCES}.") from error
    if array.ndim != rank or array.dtype != np.uint8:
        raise DatasetError(
            f"{path} holds {array.dtype} values of shape {array.shape}, not uint8 in {rank} "
            f"dimension{'s' if rank > 1 else ''}; get it anew from {_SOURCES}."
        )
    return path, array


def _find(root: Path, stem: str, rank: int) -> Path:
    standard = f"{stem}-idx{rank}-ubyte"
    for folder in (root, root / "MNIST" / "raw"):
        for name in (standard, f"{stem}.idx{rank}-ubyte"):
            for path in (folder / name, folder / f"{name}.gz"):
                if path.is_file():
                    return path
    missing = "does not exist" if not root.exists() else f"has no {standard} or {standard}.gz (nor has its MNIST/raw)"
    raise DatasetError(f"{root} {missing}; get the four MNIST files from {_SOURCES} and put them there.")
