"""SVHN: house numbers, from files of MATLAB 5."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from gpunet.data.datasets.idx import DatasetError
from gpunet.data.datasets.vision import VisionDataset, missing

_NUMBERS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
_MATRIX, _COMPRESSED = 14, 15
_MOST = 4 * 2**30  # bytes; the largest file has 1.6 thousand million


def read_mat(path: str | PathLike[str]) -> dict[str, np.ndarray]:
    """The numeric arrays of a MATLAB 5 file, by name.

    Source: MathWorks, "MAT-File format", chapter 1.

    Args:
        path: the file.

    Returns:
        The arrays.

    Raises:
        DatasetError: the file is missing, damaged, or of another format.

    Examples:
        >>> from gpunet.data.datasets.svhn import read_mat
        >>> read_mat("none.mat")
        Traceback (most recent call last):
            ...
        gpunet.data.datasets.idx.DatasetError: none.mat does not exist.
    """
    path = Path(path)
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise DatasetError(f"{path} does not exist.") from None
    if len(content) < 128 or content[124:128] != b"\x00\x01IM":
        raise DatasetError(f"{path} is no MATLAB 5 file of little-endian values.")
    found = {}
    try:
        for kind, body in _elements(memoryview(content)[128:]):
            if kind == _COMPRESSED:
                unpacker = zlib.decompressobj()
                ((kind, body),) = _elements(memoryview(unpacker.decompress(body, _MOST)))
            if kind == _MATRIX:
                name, array = _matrix(body)
                found[name] = array
    except (ValueError, KeyError, IndexError, struct.error, zlib.error) as error:
        raise DatasetError(f"{path} is damaged: {str(error).rstrip('.')}.") from error
    return found


def _elements(content: memoryview) -> Iterator[tuple[int, memoryview]]:
    """(type, bytes) of the elements, one after the other."""
    position = 0
    while position + 8 <= len(content):
        kind, size = struct.unpack_from("<II", content, position)
        if kind >> 16:  # small: both in the first word, up to four bytes in the second
            yield kind & 0xFFFF, content[position + 4 : position + 4 + (kind >> 16)]
            position += 8
            continue
        if position + 8 + size > len(content):
            raise ValueError(f"an element of {size} bytes is cut off")
        yield kind, content[position + 8 : position + 8 + size]
        position += 8 + (size if kind == _COMPRESSED else -(-size // 8) * 8)


def _matrix(body: memoryview) -> tuple[str, np.ndarray]:
    (_, flags), (_, shape), (_, name), (kind, values), *_ = _elements(body)
    if flags[0] not in range(6, 16):
        raise ValueError("it holds an array that is not one of numbers")
    sizes = np.frombuffer(shape, "<i4").tolist()
    return bytes(name).decode("latin1"), np.frombuffer(values, "<" + _NUMBERS[kind]).reshape(sizes, order="F")


class SVHN(VisionDataset):
    """SVHN: digits of house numbers in colour pictures of 32 x 32 pixels. Images are Pillow images.

    Source: Netzer et al., "Reading digits in natural images with unsupervised feature learning", 2011.

    Args:
        root: folder that holds `train_32x32.mat`, `test_32x32.mat` or `extra_32x32.mat`.
        split: "train" (73,257 images), "test" (26,032) or "extra" (531,131).
        transform: a function of an image.
        target_transform: a function of a class, an int, that gives the item's class.
        download: accepted as in torchvision: files that are there are used, and nothing is downloaded.

    Attributes:
        data: images, uint8 array [N, 3, 32, 32].
        labels: classes, int64 array [N].

    Raises:
        DatasetError: a file is missing or damaged; the message says which, and where to get it.
        ValueError: there is no such split.

    Examples:
        >>> datasets.SVHN("no such folder")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
            ...
        gpunet.data.datasets.idx.DatasetError: no such folder has no train_32x32.mat; gpunet downloads nothing: ...
    """

    _source = "http://ufldl.stanford.edu/housenumbers/"
    splits = ("train", "test", "extra")

    def __init__(self, root: str | PathLike[str], split: str = "train", transform: Callable[[Any], Any] | None = None,
                 target_transform: Callable[[int], Any] | None = None, download: bool = False) -> None:
        super().__init__(root, transform=transform, target_transform=target_transform)
        if split not in self.splits:
            raise ValueError(f"SVHN: split is one of {', '.join(self.splits)}, not {split!r}.")
        self.split = split
        path = Path(root) / f"{split}_32x32.mat"
        if not path.is_file():
            raise DatasetError(missing(root, path.name, self._source, str(root)))
        try:
            arrays = read_mat(path)
        except DatasetError as error:
            raise DatasetError(f"{str(error).rstrip('.')}; get it anew from {self._source}.") from error
        images, labels = arrays.get("X"), arrays.get("y")
        if images is None or labels is None or images.ndim != 4 or images.shape[:3] != (32, 32, 3) \
                or images.dtype != np.uint8 or labels.size != images.shape[3]:
            raise DatasetError(f"{path} does not hold images X [32, 32, 3, N] and classes y [N, 1]; get it anew from "
                               f"{self._source}.")
        self.data: np.ndarray = np.ascontiguousarray(images.transpose(3, 2, 0, 1))
        self.labels: np.ndarray = labels.reshape(-1).astype(np.int64) % 10  # 10 stands for the digit 0

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        from PIL import Image

        image = Image.fromarray(np.ascontiguousarray(self.data[index].transpose(1, 2, 0)))
        return self.changed(image, int(self.labels[index]))

    def __len__(self) -> int:
        return len(self.data)
