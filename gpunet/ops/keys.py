"""What stands between the brackets of x[...]: parsed as PyTorch takes it, into a view and the places in that view."""

from __future__ import annotations

import operator
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from gpunet._warn import warn
from gpunet.devices.errors import index_out_of_range
from gpunet.dispatch import host_read, is_tensor
from gpunet.dtypes import BOOL_NP, INT64_NP, UINT8_NP, int32, public
from gpunet.ops.compare import ne
from gpunet.ops.creation import tensor

ALL = slice(None)
INT32_NP = int32.numpy


@dataclass(frozen=True, slots=True)
class Key:
    """The dimensions of a tensor that index arrays point into; the other dimensions are taken whole.

    dims: the dimensions in ascending order, one for each index array. The arrays broadcast together.
    elementwise: there is one array, with an index for each of its elements (gather, scatter): its coordinates in the
        other dimensions say where it points there.
    negative: whether negative indices count from the back; else they are out of range.
    """

    dims: tuple[int, ...]
    elementwise: bool = False
    negative: bool = True

    def sizes(self, shape) -> list[int]:
        """The sizes of the dimensions that the index arrays point into."""
        return [shape[d] for d in self.dims]

    @property
    def first(self) -> int:
        """Where the dimensions of the index arrays stand in x[key]: at the first of dims if these are neighbours, else
        in front."""
        dims = self.dims
        return dims[0] if not self.elementwise and dims[-1] - dims[0] == len(dims) - 1 else 0

    def held(self, rank: int) -> list[int]:
        """The dimensions that are not taken whole."""
        return list(range(rank)) if self.elementwise else list(self.dims)

    def places(self, xp, indices, rank: int) -> tuple:
        """The index arrays as NumPy takes them for an array of this rank."""
        if self.elementwise:
            index, (dim,) = indices[0], self.dims
            last = index.ndim - 1
            return tuple([index if d == dim else xp.arange(n).reshape(-1, *[1] * (last - d))
                          for d, n in enumerate(index.shape)])
        found: list[Any] = [ALL] * rank
        for dim, index in zip(self.dims, indices, strict=True):
            found[dim] = index
        return tuple(found)

    def apart(self, indices) -> bool:
        """Whether no two indices can name one place: there is one along the dimension, as after argmax."""
        return self.elementwise and indices[0].ndim > 0 and indices[0].shape[self.dims[0]] == 1

    def check(self, indices, shape) -> None:
        """Raises if an index array in the host's memory is out of range for a tensor of this shape."""
        for index, size in zip(indices, self.sizes(shape), strict=True):
            check_range(index, size, self.negative)


@cache
def at(*dims: int) -> Key:
    """The key of index arrays that point into these dimensions."""
    return Key(dims)


@cache
def along(dim: int) -> Key:
    """The key of gather and scatter: one index array, with an index for each of its elements."""
    return Key((dim,), elementwise=True, negative=False)


@cache
def slices(dim: int) -> Key:
    """The key of whole slices of a dimension, counted from the front."""
    return Key((dim,), negative=False)


def check_range(index, size: int, negative: bool) -> None:
    """Raises if an index of an array in the host's memory is out of range."""
    if index.size and not (-size * negative <= index.min() and index.max() < size):
        wrong = ((index < -size * negative) | (index >= size)).reshape(-1)
        position = int(wrong.argmax())
        raise index_out_of_range(position, int(index.reshape(-1)[position]), size)


def parse(x, written) -> tuple[tuple, Key | None, list]:
    """What a user wrote between brackets, in two steps: (view, key, index tensors).

    `view` makes a view of x, with integers, slices and None. From that view the key then takes the index tensors; it is
    None where there are none. Bool tensors become the indices of their true elements, which reads them on the host.
    """
    parts = [_as_index(x, part) for part in (written if isinstance(written, tuple) else (written,))]
    used = sum([_dimensions(part) for part in parts])
    rank = x._array.ndim
    if used > rank:
        raise IndexError(f"too many indices for tensor of dimension {rank}: {used} were given")
    dots = [i for i, part in enumerate(parts) if part is Ellipsis]
    if len(dots) > 1:
        raise IndexError("an index can only have a single ellipsis ('...')")
    gap = dots[0] if dots else len(parts)
    # dim counts the dimensions of x, place those of the view.
    view: list[Any] = []
    dims: list[int] = []
    tensors: list[Any] = []
    dim = place = 0
    for part in parts[:gap] + [ALL] * (rank - used) + parts[gap + 1 :]:
        if part is None:
            view.append(None)
            place += 1
        elif part.__class__ is bool:  # a new dimension of one element, or of none
            view.append(None)
            dims.append(place)
            tensors.append(x.new_tensor([0] * part, dtype=public(INT64_NP)))
            place += 1
        elif part.__class__ is int:
            size = x._array.shape[dim]
            if not -size <= part < size:
                raise IndexError(f"index {part} is out of range for dimension {dim} with size {size}")
            view.append(part)
            dim += 1
        elif part.__class__ is slice:
            view.append(part)
            dim += 1
            place += 1
        else:
            indices = _true_indices(x, part, dim) if part._array.dtype == BOOL_NP else [part]
            count = len(indices)
            view += [ALL] * count
            dims += range(place, place + count)
            tensors += indices
            dim += count
            place += count
    return tuple(view), at(*dims) if tensors else None, tensors


def _as_index(x, part):
    """A part of a key as None, Ellipsis, bool, int, slice or a tensor of integers or bools on x's device."""
    if part is None or part is Ellipsis or part.__class__ in (int, bool):
        return part
    if isinstance(part, slice):
        return _int_slice(part)
    if isinstance(part, (int, np.integer)):
        return int(part)
    if is_tensor(part):
        dtype = part._array.dtype
        if dtype == UINT8_NP:  # a mask, since it was PyTorch's bool once
            warn("indexing with a uint8 tensor takes it as a mask, as PyTorch does; use a bool tensor for "
                 "that, or .long() for positions")
            part = ne(part, 0)
        elif dtype != INT64_NP and dtype != INT32_NP and dtype != BOOL_NP:
            raise IndexError(f"tensors used as indices must be int64, int32 or bool, got {part.dtype}; use .long()")
        if part._array.ndim == 0 and (part._device.type == "cpu" or part._array.dtype == BOOL_NP):
            return _number(host_read(part, "indexing with a 0-d tensor"))
        if part._device is not x._device:
            if part._device.type != "cpu":
                raise RuntimeError(f"indices must be on the cpu or on the tensor's device {x._device.name}, "
                                   f"got {part._device.name}")
            part = part.to(x._device.name)
        return part
    if isinstance(part, (list, tuple, np.ndarray, range)):
        return _as_index(x, tensor(part if len(part) or isinstance(part, np.ndarray) else np.zeros(0, np.int64),
                                   device=x._device.name))
    raise IndexError(f"a tensor cannot be indexed with {type(part).__name__}; use integers, slices, None, ..., "
                     "lists or tensors of integers or bools")


def _number(array):
    return bool(array) if array.dtype == BOOL_NP else int(array)


def _int_slice(part):
    if part == ALL:
        return ALL
    if part.step is not None and part.step <= 0:
        raise ValueError("slice: the step must be greater than zero; use flip() to reverse")
    return slice(*(v if v is None else operator.index(v) for v in (part.start, part.stop, part.step)))


def _dimensions(part) -> int:
    """How many dimensions of the tensor a part of a key stands for."""
    if part is None or part is Ellipsis or part.__class__ is bool:
        return 0
    return part._array.ndim if is_tensor(part) and part._array.dtype == BOOL_NP else 1


def _true_indices(x, mask, dim: int) -> list:
    shape = x._array.shape[dim : dim + mask._array.ndim]
    if mask._array.shape != shape:
        raise IndexError(f"the shape of the mask {tuple(mask.shape)} does not match the shape of the indexed tensor "
                         f"{tuple(x.shape)} from dimension {dim} on")
    return [tensor(i, device=x._device.name) for i in host_read(mask, "indexing with a bool tensor").nonzero()]
