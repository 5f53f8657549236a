"""MNIST and the datasets in its format: pairs of IDX files."""

from __future__ import annotations

import string
from collections.abc import Callable
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from gpunet.data.datasets.idx import DatasetError, read_idx
from gpunet.data.datasets.image import ImageDataset


class MNIST(ImageDataset):
    """MNIST: handwritten digits of 28 x 28 pixels, 60,000 for training and 10,000 for testing.

    Images are grey Pillow images. Other sets in this format are read too, of any image size and count. Files are plain
    or `.gz`, and are named `train-images-idx3-ubyte` or `train-images.idx3-ubyte`.

    Source: LeCun, Cortes and Burges, "The MNIST Database of Handwritten Digits", 1998.

    Args:
        root: folder that holds the four IDX files, itself or in `MNIST/raw`, where torchvision puts them.
        train: the training part; False: the test part.
        transform: a function of an image.
        target_transform: a function of a class, an int, that gives the item's class.
        download: accepted as in torchvision: files that are there are used, and nothing is downloaded.

    Raises:
        DatasetError: a file is missing or damaged; the message says which, and where to get it.

    Examples:
        >>> datasets.MNIST("no such folder")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
            ...
        gpunet.data.datasets.idx.DatasetError: no such folder does not exist; get the four MNIST files from ...
    """

    _sources = "https://ossci-datasets.s3.amazonaws.com/mnist/ or https://yann.lecun.com/exdb/mnist/"
    _parts = ("train", "t10k")  # beginnings of the files' names

    def __init__(self, root: str | PathLike[str], train: bool = True, transform: Callable[[Any], Any] | None = None,
                 target_transform: Callable[[int], Any] | None = None, download: bool = False) -> None:
        part = self._parts[0 if train else 1]
        image_file, images = self._read(Path(root), f"{part}-images", 3)
        label_file, labels = self._read(Path(root), f"{part}-labels", 1)
        if not images.size:
            raise DatasetError(
                f"{image_file} holds no image: its shape is {images.shape}; get it anew from {self._sources}."
            )
        if len(images) != len(labels):
            raise DatasetError(
                f"{image_file} has {len(images)} images but {label_file} has {len(labels)} labels; "
                f"get both anew from {self._sources}."
            )
        if labels.max() >= len(self.classes):
            raise DatasetError(
                f"{label_file} has the label {labels.max()}, and {type(self).__name__}'s classes are 0 to "
                f"{len(self.classes) - 1}; get it from {self._sources}."
            )
        super().__init__(images, labels, transform, target_transform)
        self.root = str(root)
        self.train = train

    def picture(self, index: int) -> Any:
        from PIL import Image

        return Image.fromarray(self.image(index))

    @property
    def class_to_idx(self) -> dict[str, int]:
        """The number of each class."""
        return {name: number for number, name in enumerate(self.classes)}

    @classmethod
    def _read(cls, root: Path, stem: str, rank: int) -> tuple[Path, np.ndarray]:
        path = cls._find(root, stem, rank)
        try:
            array = read_idx(path)
        except DatasetError as error:
            raise DatasetError(f"{str(error).removesuffix('.')}; get it anew from {cls._sources}.") from error
        if array.ndim != rank or array.dtype != np.uint8:
            raise DatasetError(
                f"{path} holds {array.dtype} values of shape {array.shape}, not uint8 in {rank} "
                f"dimension{'s' if rank > 1 else ''}; get it anew from {cls._sources}."
            )
        return path, array

    @classmethod
    def _find(cls, root: Path, stem: str, rank: int) -> Path:
        name = cls.__name__
        standard = f"{stem}-idx{rank}-ubyte"
        for folder in (root, root / name / "raw"):
            for spelled in (standard, f"{stem}.idx{rank}-ubyte"):
                for path in (folder / spelled, folder / f"{spelled}.gz"):
                    if path.is_file():
                        return path
        missing = ("does not exist" if not root.exists() else
                   f"has no {standard} or {standard}.gz (nor has its {name}/raw)")
        raise DatasetError(f"{root} {missing}; get the four {name} files from {cls._sources} and put them there.")


class FashionMNIST(MNIST):
    """Fashion-MNIST: pictures of clothes in MNIST's format and sizes.

    Source: Xiao, Rasul and Vollgraf, "Fashion-MNIST: a novel image dataset for benchmarking machine learning
    algorithms", 2017.

    Args:
        root: folder that holds the four IDX files, itself or in `FashionMNIST/raw`.
        train: the training part; False: the test part.
        transform: a function of an image.
        target_transform: a function of a class, an int, that gives the item's class.
        download: accepted as in torchvision: files that are there are used, and nothing is downloaded.

    Raises:
        DatasetError: a file is missing or damaged; the message says which, and where to get it.

    Examples:
        >>> datasets.FashionMNIST.classes[9]
        'Ankle boot'
    """

    _sources = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"
    classes = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")

    def __init__(self, root: str | PathLike[str], train: bool = True, transform: Callable[[Any], Any] | None = None,
                 target_transform: Callable[[int], Any] | None = None, download: bool = False) -> None:
        super().__init__(root, train, transform, target_transform, download)


class KMNIST(MNIST):
    """Kuzushiji-MNIST: handwritten Japanese characters in MNIST's format and sizes.

    Source: Clanuwat et al., "Deep learning for classical Japanese literature", 2018.

    Args:
        root: folder that holds the four IDX files, itself or in `KMNIST/raw`.
        train: the training part; False: the test part.
        transform: a function of an image.
        target_transform: a function of a class, an int, that gives the item's class.
        download: accepted as in torchvision: files that are there are used, and nothing is downloaded.

    Raises:
        DatasetError: a file is missing or damaged; the message says which, and where to get it.

    Examples:
        >>> datasets.KMNIST.classes[1]
        'ki'
    """

    _sources = "http://codh.rois.ac.jp/kmnist/dataset/kmnist/"
    classes = ("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo")

    def __init__(self, root: str | PathLike[str], train: bool = True, transform: Callable[[Any], Any] | None = None,
                 target_transform: Callable[[int], Any] | None = None, download: bool = False) -> None:
        super().__init__(root, train, transform, target_transform, download)


_LETTERS = sorted(string.digits + string.ascii_letters)
_MERGED = [name for name in _LETTERS if name not in "cijklmopsuvwxyz"]  # small letters that look like the large ones


class EMNIST(MNIST):
    """EMNIST: handwritten digits and letters in MNIST's format, in six splits. As in the files, images are transposed.

    Source: Cohen et al., "EMNIST: an extension of MNIST to handwritten letters", 2017.

    Args:
        root: folder that holds the IDX files, such as `emnist-letters-train-images-idx3-ubyte.gz`, itself or in
            `EMNIST/raw`.
        split: "byclass", "bymerge", "balanced", "letters", "digits" or "mnist".
        train: the training part; False: the test part.
        transform: a function of an image.
        target_transform: a function of a class, an int, that gives the item's class.
        download: accepted as in torchvision: files that are there are used, and nothing is downloaded.

    Raises:
        DatasetError: a file is missing or damaged; the message says which, and where to get it.
        ValueError: there is no such split.

    Examples:
        >>> len(datasets.EMNIST.splits["balanced"]), datasets.EMNIST.splits["letters"][:3]
        (47, ('N/A', 'a', 'b'))
    """

    _sources = "https://www.nist.gov/itl/products-and-services/emnist-dataset"
    splits = {"byclass": tuple(_LETTERS), "bymerge": tuple(_MERGED), "balanced": tuple(_MERGED),
              "letters": ("N/A", *string.ascii_lowercase), "digits": tuple(string.digits),
              "mnist": tuple(string.digits)}

    def __init__(self, root: str | PathLike[str], split: str, train: bool = True,
                 transform: Callable[[Any], Any] | None = None, target_transform: Callable[[int], Any] | None = None,
                 download: bool = False) -> None:
        if split not in self.splits:
            raise ValueError(f"EMNIST: split is one of {', '.join(self.splits)}, not {split!r}.")
        self.split = split
        self.classes = self.splits[split]
        self._parts = (f"emnist-{split}-train", f"emnist-{split}-test")
        super().__init__(root, train, transform, target_transform, download)
