"""CIFAR-10 and CIFAR-100, from the files of the Python version."""

from __future__ import annotations

import io
import pickle
import tarfile
from collections.abc import Callable
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from gpunet.data.datasets.idx import DatasetError
from gpunet.data.datasets.vision import VisionDataset, missing


class _Plain(pickle.Unpickler):
    """Builds NumPy arrays and plain containers, and nothing else: a file of data runs no code."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in (("numpy.core.multiarray", "_reconstruct"), ("numpy._core.multiarray", "_reconstruct")):
            return np.zeros(0).__reduce__()[0]
        if (module, name) == ("numpy", "ndarray"):
            return np.ndarray
        if (module, name) == ("numpy", "dtype"):
            return np.dtype
        raise pickle.UnpicklingError(f"it asks for {module}.{name}, which no dataset needs")


class CIFAR10(VisionDataset):
    """CIFAR-10: colour pictures of 32 x 32 pixels in 10 classes, 50,000 for training and 10,000 for testing.

    Images are Pillow images.

    Source: Krizhevsky, "Learning multiple layers of features from tiny images", 2009.

    Args:
        root: folder that holds `cifar-10-batches-py`, or `cifar-10-python.tar.gz`, which is read as it is.
        train: the training part; False: the test part.
        transform: a function of an image.
        target_transform: a function of a class, an int, that gives the item's class.
        download: accepted as in torchvision: files that are there are used, and nothing is downloaded.

    Attributes:
        data: images, uint8 array [N, 32, 32, 3].
        targets: classes, a list.
        classes: name of each class.

    Raises:
        DatasetError: a file is missing or damaged; the message says which, and where to get it.

    Examples:
        >>> datasets.CIFAR10("no such folder")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
            ...
        gpunet.data.datasets.idx.DatasetError: no such folder has no cifar-10-batches-py or cifar-10-python.tar.gz; ...
    """

    _source = "https://www.cs.toronto.edu/~kriz/cifar.html"
    _folder, _archive = "cifar-10-batches-py", "cifar-10-python.tar.gz"
    _train, _test = tuple(f"data_batch_{number}" for number in range(1, 6)), ("test_batch",)
    _meta, _names, _labels = "batches.meta", "label_names", "labels"

    def __init__(self, root: str | PathLike[str], train: bool = True, transform: Callable[[Any], Any] | None = None,
                 target_transform: Callable[[int], Any] | None = None, download: bool = False) -> None:
        super().__init__(root, transform=transform, target_transform=target_transform)
        self.train = train
        content = self._content(Path(root), [*(self._train if train else self._test), self._meta])
        self.classes: list[str] = self._names_of(content.pop(self._meta))
        images = []
        self.targets: list[int] = []
        for name, entry in content.items():
            pixels, labels = entry.get("data"), entry.get(self._labels)
            if not isinstance(pixels, np.ndarray) or pixels.dtype != np.uint8 or pixels.shape[1:] != (3072,) \
                    or not isinstance(labels, list) or len(labels) != len(pixels) \
                    or not all(isinstance(label, int) and 0 <= label < len(self.classes) for label in labels):
                raise DatasetError(f"{name} of {root} does not hold images of 3,072 bytes with a class for each; get "
                                   f"it anew from {self._source}.")
            images.append(pixels.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))
            self.targets += labels
        self.data: np.ndarray = np.ascontiguousarray(np.concatenate(images))
        self.class_to_idx = {name: number for number, name in enumerate(self.classes)}

    def _names_of(self, meta: Any) -> list[str]:
        names = meta.get(self._names)
        if not isinstance(names, list) or not names:
            raise DatasetError(f"{self._meta} of {self.root} has no names of classes; get it anew from {self._source}.")
        return [str(name) for name in names]

    def _content(self, root: Path, names: list[str]) -> dict[str, Any]:
        """The unpickled files, from the folder or the archive."""
        archive = root / self._archive
        if (root / self._folder).is_dir():
            read = lambda name: (root / self._folder / name).read_bytes()  # noqa: E731
        elif archive.is_file():
            read = self._from_archive(archive, names).__getitem__
        else:
            raise DatasetError(missing(root, f"{self._folder} or {self._archive}", self._source, root))
        found = {}
        for name in names:
            try:
                found[name] = _Plain(io.BytesIO(read(name)), encoding="latin1").load()
            except (OSError, KeyError):
                raise DatasetError(missing(root / self._folder, name, self._source, root)) from None
            except Exception as error:
                raise DatasetError(f"{name} of {root} is damaged ({str(error).rstrip('.')}); get it anew from "
                                   f"{self._source}.") from error
            if not isinstance(found[name], dict):
                raise DatasetError(f"{name} of {root} holds no dict; get it anew from {self._source}.")
        return found

    def _from_archive(self, archive: Path, names: list[str]) -> dict[str, bytes]:
        wanted = {f"{self._folder}/{name}": name for name in names}
        found = {}
        try:
            with tarfile.open(archive) as tar:
                for member in tar:
                    if member.isfile() and member.name in wanted and member.size < 2**30:
                        file = tar.extractfile(member)
                        assert file is not None
                        found[wanted[member.name]] = file.read()
        except (tarfile.TarError, EOFError, OSError) as error:
            raise DatasetError(f"{archive} is damaged ({str(error).rstrip('.')}); get it anew from {self._source}."
                               ) from error
        return found

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        from PIL import Image

        return self.changed(Image.fromarray(self.data[index]), self.targets[index])

    def __len__(self) -> int:
        return len(self.data)


class CIFAR100(CIFAR10):
    """CIFAR-100: colour pictures of 32 x 32 pixels in 100 classes, 50,000 for training and 10,000 for testing.

    Source: Krizhevsky, "Learning multiple layers of features from tiny images", 2009.

    Args:
        root: folder that holds `cifar-100-python`, or `cifar-100-python.tar.gz`, which is read as it is.
        train: the training part; False: the test part.
        transform: a function of an image.
        target_transform: a function of a class, an int, that gives the item's class.
        download: accepted as in torchvision: files that are there are used, and nothing is downloaded.

    Raises:
        DatasetError: a file is missing or damaged; the message says which, and where to get it.

    Examples:
        >>> datasets.CIFAR100("no such folder")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
            ...
        gpunet.data.datasets.idx.DatasetError: no such folder has no cifar-100-python or cifar-100-python.tar.gz; ...
    """

    _folder, _archive = "cifar-100-python", "cifar-100-python.tar.gz"
    _train, _test = ("train",), ("test",)
    _meta, _names, _labels = "meta", "fine_label_names", "fine_labels"

    def __init__(self, root: str | PathLike[str], train: bool = True, transform: Callable[[Any], Any] | None = None,
                 target_transform: Callable[[int], Any] | None = None, download: bool = False) -> None:
        super().__init__(root, train, transform, target_transform, download)
