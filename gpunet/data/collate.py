"""From a list of items to a batch."""

from __future__ import annotations

import copy
from collections.abc import Mapping, MutableMapping, MutableSequence, Sequence
from typing import Any

import numpy as np

from gpunet.dtypes import float64
from gpunet.ops.creation import as_tensor, from_numpy, tensor
from gpunet.ops.join import stack
from gpunet.tensor import Tensor


def default_collate(batch: Sequence[Any]) -> Any:
    """Joins items into one batch, along a new first dimension.

    Tensors and NumPy arrays are stacked into a Tensor. Python numbers become a Tensor, float64 for floats and int64 for
    integers, as in PyTorch. Strings and bytes stay a list. Mappings and sequences are joined member by member: a list
    of `(image, label)` becomes `[images, labels]`.

    Args:
        batch: a list of items, all of one kind.

    Returns:
        The batch.

    Raises:
        TypeError: items of another type.
        RuntimeError: sequences of unequal length.

    Examples:
        >>> data.default_collate([(gpunet.tensor([1.0, 2.0]), 0), (gpunet.tensor([3.0, 4.0]), 1)])
        [tensor([[1., 2.],
                [3., 4.]]), tensor([0, 1])]
    """
    first = batch[0]
    for i, item in enumerate(batch):
        if item.__class__ is not first.__class__ and not _alike(first, item):
            raise TypeError(f"default_collate: entry {i} of the batch is a {type(item).__name__}, entry 0 a "
                            f"{type(first).__name__}; give every item the same type")
    if isinstance(first, Tensor):
        return stack(list(batch), 0)
    if isinstance(first, np.ndarray | np.generic):
        if first.dtype.kind not in "biuf":
            raise TypeError(f"default_collate: NumPy arrays of dtype {first.dtype} have no Tensor to become.")
        for i, item in enumerate(batch):
            if item.shape != first.shape:
                raise RuntimeError(f"default_collate: entry {i} of the batch has shape {item.shape}, entry 0 "
                                   f"{first.shape}; give every item the same shape, or pass a collate_fn")
        return from_numpy(np.stack(batch))
    if isinstance(first, float):
        return tensor(batch, dtype=float64)
    if isinstance(first, int):
        return tensor(batch)
    if isinstance(first, str | bytes):
        return list(batch)
    if isinstance(first, Mapping):
        for i, item in enumerate(batch):
            for key in first:
                if key not in item:
                    raise KeyError(f"default_collate: entry {i} of the batch has no {key!r}, which entry 0 has")
        joined = {key: default_collate([item[key] for item in batch]) for key in first}
        return _same_type(first, joined)
    if isinstance(first, Sequence):
        for i, item in enumerate(batch):
            if len(item) != len(first):
                raise RuntimeError(f"default_collate: entry {i} of the batch has length {len(item)}, entry 0 "
                                   f"{len(first)}; give every item the same length, or pass a collate_fn")
        members = [default_collate(list(column)) for column in zip(*batch, strict=True)]
        if hasattr(first, "_fields"):  # a named tuple
            return type(first)(*members)
        return members if isinstance(first, tuple) else _same_type(first, members)
    raise TypeError(
        f"default_collate: an item holds a {type(first).__name__}; it joins Tensors, NumPy arrays, numbers, strings, "
        "mappings and sequences. Pass a collate_fn to the DataLoader for others."
    )


_ALIKE = (Tensor, np.ndarray | np.generic, int | float, str | bytes, Mapping, Sequence)


def _alike(first: Any, item: Any) -> bool:
    """Whether an item of another class may stand beside the first of a batch."""
    return next((isinstance(item, kind) for kind in _ALIKE if isinstance(first, kind)), True)


def default_convert(data: Any) -> Any:
    """Turns the NumPy arrays within one item into Tensors and leaves the rest: what a DataLoader without batches does.

    Args:
        data: the item.

    Returns:
        The item, with Tensors.

    Examples:
        >>> data.default_convert({"x": numpy.array([1, 2]), "name": "a"})
        {'x': tensor([1, 2]), 'name': 'a'}
    """
    if isinstance(data, np.ndarray | np.generic) and data.dtype.kind in "biuf":
        return as_tensor(np.asarray(data))
    if isinstance(data, Mapping):
        return _same_type(data, {key: default_convert(value) for key, value in data.items()})
    if isinstance(data, tuple):
        members = [default_convert(value) for value in data]
        return type(data)(*members) if hasattr(data, "_fields") else members
    if isinstance(data, Sequence) and not isinstance(data, str | bytes):
        return _same_type(data, [default_convert(value) for value in data])
    return data


def _same_type(example: Any, content: Any) -> Any:
    """`content` in the container type of `example`, where that is possible."""
    try:
        if isinstance(example, MutableMapping):  # a copy, because the type may hold more than its members
            made = copy.copy(example)
            made.update(content)
            return made
        if isinstance(example, MutableSequence):
            made = copy.copy(example)
            for i, member in enumerate(content):
                made[i] = member
            return made
        return type(example)(content)
    except TypeError:
        return content
