"""What users give to fit, as a Trainer takes it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

import gpunet
from gpunet import Tensor
from gpunet.data import DataLoader, Dataset


def is_batches(x: Any) -> bool:
    """Whether x is a Dataset or gives batches, with the targets."""
    if isinstance(x, Tensor | np.ndarray | tuple | list | Mapping) or hasattr(x, "__array__"):
        return False
    return isinstance(x, DataLoader | Dataset) or hasattr(x, "__iter__") or hasattr(x, "__getitem__")


def arrays(value: Any, what: str) -> Any:
    """Tensors and arrays of numbers, in tuples and dictionaries. Raises ValueError, TypeError."""
    if isinstance(value, Tensor):
        return value
    if isinstance(value, Mapping):
        return {name: arrays(each, what) for name, each in value.items()}
    if isinstance(value, tuple | list) and any(hasattr(each, "shape") or isinstance(each, tuple) for each in value):
        return tuple(arrays(each, what) for each in value)
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise ValueError(f"{what} is no array: {error}") from None
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{what} must hold numbers, not {array.dtype}; encode them as numbers first.")
    if array.dtype.kind == "f" and array.dtype != np.float32:
        array = array.astype(np.float32)
    return array


def leaves(value: Any) -> list[Any]:
    """The arrays in tuples and dictionaries."""
    if isinstance(value, Mapping):
        return [leaf for each in value.values() for leaf in leaves(each)]
    if isinstance(value, tuple):
        return [leaf for each in value for leaf in leaves(each)]
    return [value]


def count(parts: tuple[Any, ...], what: str) -> int:
    """The number of examples. Raises ValueError if arrays differ."""
    sizes = [leaf.shape[0] if leaf.ndim else None for part in parts if part is not None for leaf in leaves(part)]
    if None in sizes or not sizes:
        raise ValueError(f"{what}: each array needs an axis of examples, [N, ...].")
    if len(set(sizes)) > 1:
        raise ValueError(f"{what}: x, y and weights must have as many examples each, and have "
                         f"{', '.join(map(str, sizes))}.")
    if not sizes[0]:
        raise ValueError(f"{what}: there are no examples.")
    return sizes[0]


def cut(value: Any, start: int, stop: int) -> Any:
    """The examples from start to before stop."""
    if value is None:
        return None
    if isinstance(value, Mapping):
        return {name: cut(each, start, stop) for name, each in value.items()}
    if isinstance(value, tuple):
        return tuple(cut(each, start, stop) for each in value)
    return value[start:stop]


def triple(x: Any, y: Any, weight: Any, what: str) -> tuple[Any, ...]:
    """(x, y, weight) of arrays, without what is None behind. Raises ValueError."""
    parts = (arrays(x, f"{what}: x"), None if y is None else arrays(y, f"{what}: y"),
             None if weight is None else arrays(weight, f"{what}: sample_weight"))
    count(parts, what)
    if weight is not None and y is None:
        raise ValueError(f"{what}: sample_weight needs targets, y.")
    return tuple(each for each in parts if each is not None)


def split(data: tuple[Any, ...], share: float) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """The first examples, and the last share of them for validation. Raises ValueError."""
    if not 0 < share < 1:
        raise ValueError(f"fit: validation_split must be between 0 and 1, not {share!r}.")
    size = count(data, "fit")
    at = math.floor(size * (1 - share))
    if at == 0 or at == size:
        raise ValueError(f"fit: validation_split={share} leaves no examples for "
                         f"{'training' if at == 0 else 'validation'} of {size}.")
    return tuple(cut(each, 0, at) for each in data), tuple(cut(each, at, size) for each in data)


def weights_of_classes(y: Any, table: Mapping[int, float]) -> Any:
    """The weight of each example, from its class's; those that are missing weigh 1. Raises ValueError."""
    y = np.asarray(y.cpu() if isinstance(y, Tensor) else y)
    if y.ndim > 1 and y.shape[-1] > 1:
        y = y.argmax(-1)
    y = y.reshape(len(y), -1)
    if y.shape[1] != 1:
        raise ValueError("fit: class_weight needs one class an example; give sample_weight.")
    weight = np.ones(len(y), np.float32)
    for each, value in table.items():
        weight[y[:, 0] == each] = value
    return weight


def check_classes(y: Any, classes: int) -> None:
    """Raises ValueError if a class number is none of the model's."""
    if isinstance(y, np.ndarray) and y.size and (y.min() < 0 or y.max() >= classes):
        wrong = y.min() if y.min() < 0 else y.max()
        raise ValueError(f"fit: the targets have class {wrong:g}, and the model's {classes} outputs are the classes 0 "
                         f"to {classes - 1}.")


def one_example(data: Any) -> Any:
    """The inputs of a first batch, for a model that does not know their shape yet."""
    if isinstance(data, tuple):
        return _tensors(cut(data[0], 0, 1))
    if isinstance(data, Dataset) and not isinstance(data, DataLoader):
        data = DataLoader(data, 1)
    batch = next(iter(data), None)
    if batch is None:
        raise ValueError("The data has no batch.")
    return _tensors(batch[0] if isinstance(batch, tuple | list) else batch)


def _tensors(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _tensors(each) for name, each in value.items()}
    if isinstance(value, tuple | list):
        return tuple(_tensors(each) for each in value)
    return value if isinstance(value, Tensor) else gpunet.from_numpy(np.ascontiguousarray(value))
