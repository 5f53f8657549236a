"""Pictures of a folder, cut square and scaled: kept in memory as far as it goes, read from their files beyond that."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

import gpunet
from gpunet import Tensor
from gpunet.data import Dataset
from gpunet.data.datasets import DatasetError
from gpunet.data.datasets.folder import default_loader

_AT_ONCE = 256  # pictures that are read before the first of them is used


def read_square(path: str, size: int) -> np.ndarray:
    """A picture's largest square in the middle, scaled: uint8 [3, size, size]. Raises DatasetError."""
    from PIL import Image, ImageOps

    try:
        image = ImageOps.fit(default_loader(path), (size, size), Image.Resampling.BILINEAR)
    except DatasetError as error:
        raise DatasetError(f"{str(error).rstrip('.')}; replace or remove it.") from error
    except (OSError, SyntaxError, ValueError, ZeroDivisionError, Image.DecompressionBombError) as error:
        raise DatasetError(f"{path} cannot be read: {error}; replace or remove it.") from error
    return np.ascontiguousarray(np.asarray(image).transpose(2, 0, 1))


class Squares(Dataset):
    """Pictures as (uint8 [3, size, size], class).

    All are read once when this is made, so that one which cannot be read is found before training begins. The first of
    them stay in memory, as many as fit into `memory` bytes; the others are read anew whenever they are asked for.

    digest: of `begin` and all pixels. sums: of each picture and channel, the pixels and their squares.
    """

    def __init__(self, paths: Sequence[str], labels: np.ndarray, size: int, memory: float, begin: bytes = b"") -> None:
        self.paths, self.labels, self.size = list(paths), gpunet.tensor(labels), size
        room = min(len(paths), int(memory // (3 * size * size)))
        self._kept = np.empty((room, 3, size, size), np.uint8)
        self.sums = np.empty((2, len(paths), 3), np.int64)
        state = hashlib.sha256(begin)
        for number, square in enumerate(self._read(range(len(paths)), self._from_file)):
            if number < room:
                self._kept[number] = square
            wide = square.reshape(3, -1).astype(np.int64)
            self.sums[:, number] = wide.sum(1), (wide * wide).sum(1)
            state.update(square.data)
        self.digest = state.hexdigest()

    def _from_file(self, index: int) -> np.ndarray:
        return read_square(self.paths[index], self.size)

    def _square(self, index: int) -> np.ndarray:
        return self._kept[index] if index < len(self._kept) else self._from_file(index)

    @staticmethod
    def _read(indices: Sequence[int], read: Callable[[int], np.ndarray]) -> Iterable[np.ndarray]:
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            for start in range(0, len(indices), _AT_ONCE):
                yield from pool.map(read, indices[start:start + _AT_ONCE])

    def in_memory(self) -> bool:
        """Whether no picture has to be read again."""
        return len(self._kept) == len(self.paths)

    def pixels(self, indices: np.ndarray) -> Tensor:
        """Pictures that are in memory, uint8 [N, 3, size, size]."""
        return gpunet.from_numpy(self._kept[indices])

    def statistics(self, indices: np.ndarray) -> tuple[list[float], list[float]]:
        """Mean and standard deviation of each channel of some pictures, of values in 0 to 1."""
        mean, squares = self.sums[:, indices].sum(1) / (len(indices) * self.size**2)
        spread = np.sqrt(np.maximum(squares - mean**2, 0))
        return (mean / 255).tolist(), np.maximum(spread / 255, 1e-3).tolist()

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        return gpunet.from_numpy(self._square(index)), self.labels[index]

    def __getitems__(self, indices: list[int]) -> list[Any]:
        if all(index < len(self._kept) for index in indices):
            return [self[index] for index in indices]
        return [(gpunet.from_numpy(square), self.labels[index])
                for index, square in zip(indices, self._read(indices, self._square), strict=True)]
