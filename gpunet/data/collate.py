"""From a list of items to a batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gpunet.dtypes import float64
from gpunet.ops.creation import as_tensor, from_numpy, tensor
from gpunet.ops.shape import stack
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
    if isinstance(first, Tensor):
        return stack(list(batch), 0)
    if isinstance(first, np.ndarray | np.generic):
        if first.dtype.kind not in "biuf":
            raise TypeError(f"default_collate: NumPy arrays of dtype {first.dtype} have no Tensor to become.")
        return from_numpy(np.stack(batch))
    if isinstance(first, float):
        return tensor(batch, dtype=float64)
    if isinstance(first, int):
        return tensor(batch)
    if isinstance(first, str | bytes):
        return list(batch)
    if isinstance(first, Mapping):
        joined = {key: default_collate([item[key] for item in batch]) for key in first}
        return _same_type(first, joined)
    if isinstance(first, Sequence):
        if any(len(item) != len(first) for item in batch):
            raise RuntimeError(f"default_collate: the items differ in length: {[len(item) for item in batch]}.")
        members = [default_collate(list(column)) for column in zip(*batch, strict=True)]
        if hasattr(first, "_fields"):  # a named tuple
            return type(first)(*members)
        return members if isinstance(first, tuple) else _same_type(first, members)
    raise TypeError(
        f"default_collate: an item holds a {type(first).__name__}; it joins Tensors, NumPy arrays, numbers, strings, "
        "mappings and sequences. Pass a collate_fn to the DataLoader for others."
    )


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
    """`content` in the container type of `example`, where that type can be made from its content alone."""
    try:
        return type(example)(content)
    except TypeError:
        return content
