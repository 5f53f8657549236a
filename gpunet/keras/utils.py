"""Helpers with Keras's names."""

from __future__ import annotations

from typing import Any

import numpy as np

import gpunet
from gpunet import Tensor

__all__ = ["normalize", "set_random_seed", "to_categorical"]


def to_categorical(x: Any, num_classes: int | None = None) -> Any:
    """Class numbers as one-hot rows.

    Args:
        x: whole numbers from 0.
        num_classes: number of classes; None: one more than the largest.

    Returns:
        A NumPy array of float32, with an axis of classes behind; a tensor for a tensor.

    Raises:
        ValueError: a number is none of the classes.

    Examples:
        >>> keras.utils.to_categorical([0, 2])
        array([[1., 0., 0.],
               [0., 0., 1.]], dtype=float32)
    """
    numbers = np.asarray(x.cpu() if isinstance(x, Tensor) else x)
    if numbers.dtype.kind not in "iub" and not (numbers == np.floor(numbers)).all():
        raise ValueError("to_categorical: class numbers must be whole numbers.")
    numbers = numbers.astype(np.int64)
    if numbers.ndim > 1 and numbers.shape[-1] == 1:
        numbers = numbers[..., 0]
    classes = num_classes or (int(numbers.max()) + 1 if numbers.size else 0)
    if numbers.size and (numbers.min() < 0 or numbers.max() >= classes):
        wrong = numbers.min() if numbers.min() < 0 else numbers.max()
        raise ValueError(f"to_categorical: there is class {wrong}, and the {classes} classes are 0 to {classes - 1}.")
    rows = np.eye(classes, dtype=np.float32)[numbers]
    return gpunet.from_numpy(rows).to(x.device) if isinstance(x, Tensor) else rows


def normalize(x: Any, axis: int = -1, order: int = 2) -> Any:
    """Divides by the norm along an axis.

    Args:
        x: numbers.
        axis: the axis.
        order: of the norm.

    Examples:
        >>> keras.utils.normalize([[3.0, 4.0]])
        array([[0.6, 0.8]])
    """
    array = np.asarray(x)
    norm = np.atleast_1d(np.linalg.norm(array, order, axis))
    norm[norm == 0] = 1
    return array / np.expand_dims(norm, axis)


def set_random_seed(seed: int) -> None:
    """Seeds the random numbers of gpunet, NumPy and Python.

    Args:
        seed: the seed.

    Examples:
        >>> keras.utils.set_random_seed(0)
    """
    import random

    random.seed(seed)
    np.random.seed(seed)
    gpunet.manual_seed(seed)
