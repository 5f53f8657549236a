"""Texts for language models: pieces of a long row of tokens, each with the row moved on by one."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from gpunet.data.dataset import Dataset
from gpunet.data.datasets.idx import DatasetError
from gpunet.ops.creation import from_numpy
from gpunet.tensor import Tensor


class Tokens(Dataset):
    """Pieces of a file of token numbers, which stays on the disk: only what is read is in memory.

    An item is `(tokens, next tokens)`, two int64 tensors of one length, the second moved on by one.

    Args:
        path: the file: numbers of one type, little-endian, without a header, as `array.tofile` writes them; or `.npy`.
        length: tokens in a piece.
        dtype: NumPy's type of the numbers, where the file has no header.
        stride: how far a piece begins after the one before; None: `length`. 1 gives all pieces.

    Raises:
        DatasetError: the file is missing, is no whole number of tokens, or is shorter than a piece.

    Examples:
        >>> import pathlib, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     numpy.arange(10, dtype=numpy.uint16).tofile(pathlib.Path(folder, "train.bin"))
        ...     tokens = datasets.Tokens(pathlib.Path(folder, "train.bin"), length=4)
        ...     len(tokens), tokens[1]
        (2, (tensor([4, 5, 6, 7]), tensor([5, 6, 7, 8])))
    """

    def __init__(self, path: str | PathLike[str], length: int, dtype: Any = "uint16", stride: int | None = None
                 ) -> None:
        self.path = Path(path)
        self.length = length
        self.stride = length if stride is None else stride
        self.dtype = np.dtype(dtype)
        if length < 1 or self.stride < 1:
            raise ValueError(f"Tokens: length and stride must be positive, not {length} and {self.stride}.")
        self._tokens: np.ndarray | None = None
        self._count = len(self.tokens)
        if self._count <= length:
            raise DatasetError(f"{path} has {self._count} tokens; pieces of {length} need at least {length + 1}.")

    @property
    def tokens(self) -> np.ndarray:
        """All numbers, as they are in the file."""
        if self._tokens is None:  # opened in each process anew
            self._tokens = self._open()
        return self._tokens

    def _open(self) -> np.ndarray:
        try:
            if self.path.suffix == ".npy":
                return np.load(self.path, mmap_mode="r", allow_pickle=False).reshape(-1)
            size = self.path.stat().st_size
            if size % self.dtype.itemsize:
                raise DatasetError(f"{self.path} has {size} bytes, which is no whole number of {self.dtype}.")
            return np.memmap(self.path, self.dtype, "r") if size else np.zeros(0, self.dtype)
        except OSError as error:
            raise DatasetError(f"{self.path} cannot be read: {error.strerror or error}.") from error
        except ValueError as error:
            raise DatasetError(f"{self.path} is no file of numbers: {str(error).rstrip('.')}.") from error

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        position = index + len(self) if index < 0 else index
        if not 0 <= position < len(self):
            raise IndexError(f"{type(self).__name__}: index {index} is outside a length of {len(self)}.")
        start = position * self.stride
        piece = self.tokens[start : start + self.length + 1].astype(np.int64)
        return from_numpy(piece[:-1].copy()), from_numpy(piece[1:].copy())

    def __len__(self) -> int:
        return (self._count - self.length - 1) // self.stride + 1

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_tokens": None}


class Text(Dataset):
    """Pieces of a text file, its characters as tokens. An item is as that of `Tokens`.

    Args:
        path: the file, in UTF-8.
        length: characters in a piece.
        stride: how far a piece begins after the one before; None: `length`. 1 gives all pieces.
        vocabulary: the characters, in the order of their numbers; None: those of the text, sorted.

    Attributes:
        vocabulary: the characters, in the order of their numbers.

    Raises:
        DatasetError: the file is missing, not UTF-8, shorter than a piece, or has a character outside the vocabulary.

    Examples:
        >>> import pathlib, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     size = pathlib.Path(folder, "text").write_text("abacab")
        ...     text = datasets.Text(pathlib.Path(folder, "text"), length=3)
        ...     text.vocabulary, text[0], text.decode(text[0][1])
        ('abc', (tensor([0, 1, 0]), tensor([1, 0, 2])), 'bac')
    """

    def __init__(self, path: str | PathLike[str], length: int, stride: int | None = None,
                 vocabulary: str | None = None) -> None:
        try:
            text = Path(path).read_bytes().decode()
        except OSError as error:
            raise DatasetError(f"{path} cannot be read: {error.strerror or error}.") from error
        except UnicodeDecodeError as error:
            raise DatasetError(f"{path} is no text in UTF-8: byte {error.start} does not fit.") from error
        self.vocabulary = "".join(sorted(set(text))) if vocabulary is None else vocabulary
        self.length = length
        self.stride = length if stride is None else stride
        if length < 1 or self.stride < 1:
            raise ValueError(f"Text: length and stride must be positive, not {length} and {self.stride}.")
        if len(text) <= length:
            raise DatasetError(f"{path} has {len(text)} characters; pieces of {length} need at least {length + 1}.")
        self._number = {character: number for number, character in enumerate(self.vocabulary)}
        self._tokens = self.encode(text).numpy()

    def encode(self, text: str) -> Tensor:
        """The numbers of characters.

        Args:
            text: the characters.

        Returns:
            int64 Tensor.
        """
        try:
            return from_numpy(np.array([self._number[character] for character in text], np.int64))
        except KeyError as error:
            raise DatasetError(f"Text: the character {error} is not in the vocabulary.") from None

    def decode(self, tokens: Any) -> str:
        """The characters of numbers.

        Args:
            tokens: Tensor or list of numbers.

        Returns:
            The text.
        """
        return "".join(self.vocabulary[int(number)] for number in tokens)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        position = index + len(self) if index < 0 else index
        if not 0 <= position < len(self):
            raise IndexError(f"Text: index {index} is outside a length of {len(self)}.")
        piece = self._tokens[position * self.stride : position * self.stride + self.length + 1]
        return from_numpy(piece[:-1].copy()), from_numpy(piece[1:].copy())

    def __len__(self) -> int:
        return (len(self._tokens) - self.length - 1) // self.stride + 1
