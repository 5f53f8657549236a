"""Data sets as arrays, with Keras's load_data."""

from __future__ import annotations

from os import PathLike
from typing import Any

import numpy as np

from gpunet.data import datasets

__all__ = ["digits", "fashion_mnist", "mnist"]


def _arrays(kind: Any, options: dict[str, Any]) -> Any:
    pairs = []
    for train in (True, False):
        part = kind(train=train, **options)
        pairs.append((np.asarray(part.data), np.asarray(part.targets).astype(np.uint8)))
    return tuple(pairs)


class digits:
    """Handwritten digits, 8 x 8, which come with gpunet.

    Examples:
        >>> (x_train, y_train), (x_test, y_test) = keras.datasets.digits.load_data()
        >>> x_train.shape[1:], x_train.max()
        ((8, 8), ...)
    """

    @staticmethod
    def load_data() -> Any:
        """The images and their classes.

        Returns:
            (x_train, y_train), (x_test, y_test): NumPy arrays of uint8.
        """
        return _arrays(datasets.Digits, {})


class mnist:
    """MNIST: handwritten digits, 28 x 28; it is read from files, and not downloaded.

    Examples:
        >>> callable(keras.datasets.mnist.load_data)
        True
    """

    @staticmethod
    def load_data(root: str | PathLike[str] = "data") -> Any:
        """The images and their classes.

        Args:
            root: the folder that has them, as `gpunet.data.datasets.MNIST` finds them.

        Returns:
            (x_train, y_train), (x_test, y_test): NumPy arrays of uint8.
        """
        return _arrays(datasets.MNIST, {"root": root})


class fashion_mnist:
    """Fashion-MNIST: pieces of clothing, 28 x 28; it is read from files, and not downloaded.

    Examples:
        >>> callable(keras.datasets.fashion_mnist.load_data)
        True
    """

    @staticmethod
    def load_data(root: str | PathLike[str] = "data") -> Any:
        """The images and their classes.

        Args:
            root: the folder that has them, as `gpunet.data.datasets.FashionMNIST` finds them.

        Returns:
            (x_train, y_train), (x_test, y_test): NumPy arrays of uint8.
        """
        return _arrays(datasets.FashionMNIST, {"root": root})
