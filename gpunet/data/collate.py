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
    """Join items into one batch, along a new first dimension.

    Tensors and NumPy arrays are stacked (into a Tensor), Python numbers become a Tensor (float64 for floats, int64
    for integers, as in PyTorch), strings and bytes stay a list, mappings and sequences are joined member by member:
    a list of `(image, label)` becomes `[images, labels]`.

    Raises TypeError for any other type, and RuntimeError for sequences of unequal length.
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


def default_convert(item: Any) -> Any:
    """Turn the NumPy arrays within one item into Tensors and leave the rest: what an unbatched DataLoader does."""
    if isinstance(item, np.ndarray | np.generic) and item.dtype.kind in "biuf":
        return as_tensor(np.asarray(item))
    if isinstance(item, Mapping):
        return _same_type(item, {key: default_convert(value) for key, value in item.items()})
    if isinstance(item, tuple):
        members = [default_convert(value) for value in item]
        return type(item)(*members) if hasattr(item, "_fields") else members
    if isinstance(item, Sequence) and not isinstance(item, str | bytes):
        return _same_type(item, [default_convert(value) for value in item])
    return item


def _same_type(example: Any, content: Any) -> Any:
    """`content` in the container type of `example`, where that type can be made from its content alone."""
    try:
        return type(example)(content)
    except TypeError:
        return content
