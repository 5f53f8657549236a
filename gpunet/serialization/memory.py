"""Tensors and the memory that they share: where a tensor's values lie in a storage, for writing and for reading.

A storage is a piece of memory that one or several tensors see, each with an offset, sizes and steps, all counted in
elements. Files have storages, so that tensors that share memory do so again when they are loaded.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from gpunet import devices
from gpunet.devices import device
from gpunet.dispatch import host_read, wrap
from gpunet.ops.views import strided
from gpunet.serialization.source import Refused
from gpunet.tensor import Tensor

MapLocation: TypeAlias = device | str | int | Mapping[str, Any] | Callable[[Tensor, str], Any] | None

_LIMIT = 2**63 - 1  # bytes that a tensor can have
_DIMENSIONS = 64  # that NumPy has
_ALIGNMENT = 16  # of the addresses of memory that NumPy allocates


class Storage(NamedTuple):
    """Memory to write: its bytes on the host, the type of its elements (None if tensors see different ones) and the
    device that it was on."""

    content: np.ndarray
    dtype: np.dtype | None
    device: str


class Place(NamedTuple):
    """Where a tensor's values are: the number of the storage, and offset, sizes and steps in elements."""

    storage: int
    offset: int
    shape: tuple[int, ...]
    steps: tuple[int, ...]


def places_of(tensors: Iterable[Tensor]) -> tuple[list[Storage], list[Place]]:
    """The storages that tensors see, and each tensor's place in one of them.

    Of memory no more is taken than lies between the first and the last byte that is seen.
    """
    spans = [_Span(number, tensor) for number, tensor in enumerate(tensors)]
    storages: list[Storage] = []
    places: dict[int, Place] = {}
    for group in _overlapping(spans):
        if len(group) == 1:
            group[0].without_gaps()
        _place(group, storages, places)
    return storages, [places[number] for number in range(len(spans))]


class _Span:
    """A tensor and the addresses between which it lies."""

    def __init__(self, number: int, tensor: Tensor) -> None:
        self.number, self.device = number, tensor._device
        self._see(tensor._array)
        itemsize = self.array.dtype.itemsize
        if not self.array.size or any(step < 0 or step % itemsize for step in self.array.strides) or (
                self.low % itemsize):
            self._copy()

    def without_gaps(self) -> None:
        """Leaves out what lies between the elements, which belongs to nobody else."""
        if self.high - self.low > self.array.nbytes:
            self._copy()

    def _see(self, array: Any) -> None:
        self.array = array
        self.low = array.ctypes.data if isinstance(array, np.ndarray) else array.data.ptr
        steps = zip(array.shape, array.strides, strict=True)
        self.high = self.low + (array.dtype.itemsize + sum((n - 1) * s for n, s in steps) if array.size else 0)

    def _copy(self) -> None:
        self._see(self.device.call(_row_major, self.device.xp, self.array))


def _row_major(xp: Any, array: Any) -> Any:
    return xp.ascontiguousarray(array).reshape(array.shape)  # of 0 dimensions NumPy makes one


def _overlapping(spans: list[_Span]) -> list[list[_Span]]:
    """The spans in groups that share memory, in the order of their first members."""
    groups: list[list[_Span]] = []
    high = 0
    for span in sorted(spans, key=lambda span: (str(span.device.name), span.low, span.high)):
        if groups and groups[-1][0].device is span.device and span.low < high:
            groups[-1].append(span)
            high = max(high, span.high)
        else:
            groups.append([span])
            high = span.high
    return sorted(groups, key=lambda group: min(span.number for span in group))


def _place(group: list[_Span], storages: list[Storage], places: dict[int, Place]) -> None:
    first, high = group[0], max(span.high for span in group)
    types = {span.array.dtype for span in group}
    # Wide elements among narrow ones keep their alignment.
    before = 0 if len(types) == 1 else first.low % _ALIGNMENT
    content = _bytes(first, high - first.low)
    if before:
        content = np.concatenate([np.zeros(before, np.uint8), content])
    for span in group:
        itemsize = span.array.dtype.itemsize
        offset = (span.low - first.low + before) // itemsize
        places[span.number] = Place(len(storages), offset, span.array.shape,
                                    tuple(step // itemsize for step in span.array.strides))
    storages.append(Storage(content, types.pop() if len(types) == 1 else None, str(first.device.name)))


def _bytes(span: _Span, count: int) -> np.ndarray:
    """`count` bytes from the beginning of a tensor on, on the host."""
    if not count:
        return np.empty(0, np.uint8)
    own = span.device
    element = own.call(strided, own.xp, span.array, (1,), (span.array.dtype.itemsize,))
    content = own.call(strided, own.xp, element.view(np.uint8), (count,), (1,))
    return host_read(wrap(content, own), "save()")


class Loaded:
    """A storage that was read: its bytes on the device where they now are, and the type of its elements, if known."""

    def __init__(self, own_device: devices.AnyDevice, content: Any, dtype: np.dtype | None) -> None:
        self.device, self.content, self.dtype = own_device, content, dtype

    def part(self, start: int, stop: int) -> Loaded:
        """Elements `start` to `stop`."""
        if self.dtype is None or not 0 <= start <= stop <= self.content.size // self.dtype.itemsize:
            raise Refused(f"is damaged: a part {start} to {stop} lies outside of its storage")
        itemsize = self.dtype.itemsize
        return Loaded(self.device, self.content[start * itemsize : stop * itemsize], self.dtype)

    def tensor(self, offset: int, shape: Any, steps: Any, dtype: np.dtype | None = None) -> Tensor:
        """The tensor in a place of this storage. Raises Refused if it reaches beyond."""
        dtype = dtype or self.dtype
        if dtype is None:
            raise Refused("is damaged: a tensor has no type")
        return wrap(self._array(dtype, offset, tuple(shape), tuple(steps)), self.device)

    def _array(self, dtype: np.dtype, offset: int, shape: tuple[int, ...], steps: tuple[int, ...]) -> Any:
        if len(shape) != len(steps) or not are_counts((offset, *steps)) or not is_shape(shape, dtype.itemsize):
            raise Refused(f"is damaged: a tensor has the shape {shown(shape)}, the steps {shown(steps)} and the "
                          f"offset {shown(offset)}")
        if 0 in shape:
            return self.device.empty(shape, dtype)
        last = offset + sum((size - 1) * step for size, step in zip(shape, steps, strict=True))
        if (last + 1) * dtype.itemsize > self.content.size:
            raise Refused(f"is damaged: a tensor of shape {shown(shape)}, steps {shown(steps)} and offset {offset} "
                          f"reaches beyond its {self.content.size // dtype.itemsize} elements")
        seen = self.content[offset * dtype.itemsize : (last + 1) * dtype.itemsize]
        if dtype == np.bool_ and self.device.call(_beyond_one, seen):
            raise Refused("is damaged: a tensor of bools has bytes other than 0 and 1")
        if steps == row_major(shape):
            return seen.view(dtype).reshape(shape)
        return self.device.call(strided, self.device.xp, seen.view(dtype), shape,
                                tuple(step * dtype.itemsize for step in steps))


def _beyond_one(content: Any) -> bool:
    return bool((content > 1).any())


def are_counts(values: Sequence[Any]) -> bool:
    """Whether values from a file are integers that can count elements or bytes."""
    return all(type(value) is int and 0 <= value <= _LIMIT for value in values)


def is_shape(shape: Sequence[Any], itemsize: int) -> bool:
    """Whether an array can have this shape from a file: NumPy limits the dimensions and, also beside a 0, the bytes."""
    return len(shape) <= _DIMENSIONS and are_counts(shape) and math.prod(filter(None, shape)) * itemsize <= _LIMIT


def shown(value: Any) -> str:
    """A value from a file, which may be anything, in a message."""
    if type(value) is tuple and len(value) <= _DIMENSIONS and all(type(each) is int for each in value):
        text = ", ".join(map(shown, value))
        return f"({text})" if len(text) < 200 else f"({text[:200]}...)"
    if type(value) is int:
        return str(value) if -_LIMIT <= value <= _LIMIT else f"a number of {value.bit_length()} bits"
    return repr(value[:80]) if type(value) in (str, bytes) else f"a {type(value).__name__}"


def row_major(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The steps of a tensor without gaps, in elements."""
    steps, step = [], 1
    for size in reversed(shape):
        steps.append(step)
        step *= max(size, 1)
    return tuple(reversed(steps))


class OfUser(Exception):
    """An exception of a function that was passed to `load`: the file has no part in it."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error


class Locations:
    """Where storages are placed: what `map_location` says.

    Args:
        map_location: see `gpunet.load`.

    Raises:
        RuntimeError: it names a device that is unavailable.
        TypeError: it is of no type that is known.
    """

    def __init__(self, map_location: MapLocation) -> None:
        self._fixed = None
        if isinstance(map_location, str | device | int):
            self._fixed = devices.get(map_location)
        elif not (map_location is None or isinstance(map_location, Mapping) or callable(map_location)):
            raise TypeError("load: map_location must be a device, its name, a dictionary of names, a function or None, "
                            f"got {type(map_location).__name__}")
        self._map = map_location

    def place(self, content: np.ndarray, location: Any, dtype: np.dtype | None) -> Loaded:
        """A storage's bytes, on the device where they belong."""
        if not isinstance(location, str):
            raise Refused(f"is damaged: a tensor is on the device {shown(location)}")
        if self._fixed is not None:
            return Loaded(self._fixed, self._fixed.from_host(content), dtype)
        target: Any = location
        if isinstance(self._map, Mapping):
            target = self._map.get(location, location)
        elif callable(self._map):
            try:
                moved = self._map(wrap(content, devices.cpu), location)
                if moved is not None:
                    return _given_back(moved, content, dtype)
            except Exception as error:
                raise OfUser(error) from None
        try:
            own_device = devices.get(target)
        except (RuntimeError, TypeError) as error:
            raise RuntimeError(f"load: the file has tensors of the device {target!r}, which is unavailable here; pass "
                               "map_location='cpu' to have them on the CPU") from error
        return Loaded(own_device, own_device.from_host(content), dtype)


def _given_back(moved: Any, content: np.ndarray, dtype: np.dtype | None) -> Loaded:
    """The storage that a user's function has made of another."""
    array = moved._array if isinstance(moved, Tensor) else None
    if array is None or array.dtype != np.uint8 or array.shape != content.shape or not moved.is_contiguous():
        raise TypeError("load: map_location(storage, location) must return the storage, its copy on another device, "
                        "such as storage.to('sim'), or None")
    return Loaded(moved._device, array, dtype)
