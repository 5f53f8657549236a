"""The arguments of a check: arrays with what they hold, structures with pointers to them, and their names."""

import ctypes
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from gpunet.kernel import arguments
from gpunet.kernel.common_memory import common, joined
from gpunet.kernel.unwritten import Unwritten
from gpunet.sim import memory
from gpunet.sim.checker.locate import ArrayName
from gpunet.sim.checker.worker import Array, Started


class Record:
    """A structure that a kernel takes by value, for `check`: what is an array in it becomes a pointer.

    The fields lie as the compiler lays them out, each at the next multiple of its own size.

    Args:
        fields: NumPy numbers, arrays (NumPy's or of the simulated device), None for a null pointer, or records.

    Examples:
        >>> text = '''
        ... struct Row { int n; const float* x; };
        ... __global__ void sum(float* y, Row row) { for (int i = 0; i <= row.n; i++) *y += row.x[i]; }'''
        >>> row = gpunet.sim.Record(numpy.int32(3), numpy.ones(3, numpy.float32))
        >>> kernel = gpunet.sim.Module(text).get_function("sum")
        >>> found, = gpunet.sim.check(kernel, 1, 1, (numpy.zeros(1, numpy.float32), row))
        >>> found.kind, found.element
        ('out of bounds', 'row.x[3]')
    """

    def __init__(self, *fields: Any) -> None:
        self.fields = fields

    def places(self) -> tuple[list[tuple[int, Any]], int, int]:
        """The fields with their places in bytes, records taken apart; the size; the alignment."""
        found: list[tuple[int, Any]] = []
        at, most = 0, 1
        for field in self.fields:
            if isinstance(field, Record):
                inner, size, align = field.places()
            elif isinstance(field, np.generic):
                inner, size, align = [(0, field)], field.dtype.itemsize, max(1, field.dtype.alignment)
            else:
                inner, size, align = [(0, field)], 8, 8
            at += -at % align
            found += [(at + place, each) for place, each in inner]
            at, most = at + size, max(most, align)
        return found, at + -at % most, most


_BYTES = np.dtype(np.uint8)


class Pointer:
    """An argument, or a field of one, that is the address of a byte of an array. `dtype` and `shape` are for messages.
    """

    _address = 0  # it is known where the launch is made

    def __init__(self, array: int, offset: int, dtype: np.dtype = _BYTES, shape: tuple = ()) -> None:
        self.array = array
        self.offset = offset
        self.dtype = dtype
        self.shape = shape


class Structure(bytes):
    """An argument that is a structure's bytes, and the addresses in it as (place, pointer)."""

    pointers: tuple[tuple[int, Pointer], ...]

    def __new__(cls, content: bytes, pointers: Iterable[tuple[int, Pointer]]) -> "Structure":
        structure = super().__new__(cls, content)
        structure.pointers = tuple(pointers)
        return structure


class Arrays:
    """The arrays of a launch: NumPy's, and allocations on this process's simulated device."""

    def __init__(self, args: tuple = ()) -> None:
        given = [each for value in args for each in ([inner for _, inner in value.places()[0]]
                                                     if isinstance(value, Record) else [value])]
        self._common = common({id(each): each for each in given if isinstance(each, np.ndarray) and each.ndim}.values())
        self._spans = joined((_address_of(each), each.nbytes) for each in self._common)
        # By argument and, in a structure, place (else -1): bytes of an element (0: not known), shape.
        self._given: dict[tuple[int, int], tuple[int, tuple[int, ...]]] = {}
        self._numbers: dict[Any, int] = {}  # by the address of the first byte, or by the array's identity
        # Bytes, poison, where to copy back to: arrays and their places, or a device's memory.
        self._sources: list[tuple[bytes, int, list[tuple[np.ndarray, int]] | int]] = []

    def argument(self, number: int, value: Any) -> Any:
        """The argument as `Packer` takes it."""
        if isinstance(value, np.void) or (isinstance(value, np.ndarray) and not value.ndim and value.dtype.kind == "V"):
            return self._structure(number, value.tobytes())
        return self._record(number, value) if isinstance(value, Record) else self._number_or_array(number, value)

    def _number_or_array(self, number: int, value: Any, place: int = -1) -> Any:
        if isinstance(value, np.ndarray) and value.ndim:
            array, offset = self._numpy(value)
            self._given[number, place] = value.dtype.itemsize, value.shape
            return Pointer(array, offset, value.dtype, value.shape)
        if isinstance(value, np.generic | int | float):
            return value
        address = getattr(value, "_address", getattr(value, "ptr", None))
        if address is None:
            return value
        dtype = getattr(value, "dtype", _BYTES)
        pointer = self._pointer(address, dtype)
        if pointer is None:
            return int(address)
        shape = getattr(value, "shape", ())
        self._given[number, place] = dtype.itemsize, shape
        return Pointer(*pointer, dtype, shape)

    def _record(self, number: int, record: Record) -> Structure:
        fields, size, _ = record.places()
        content, pointers = bytearray(size), []
        for place, field in fields:
            value = self._number_or_array(number, field, place)
            if isinstance(value, Pointer):
                pointers.append((place, value))
            elif value is not None:
                data = value.tobytes() if isinstance(value, np.generic) else int(value).to_bytes(8, "little")
                content[place:place + len(data)] = data
        return Structure(bytes(content), pointers)

    def contents(self) -> tuple[Array, ...]:
        return tuple([Array(content, poison, not isinstance(target, int)) for content, poison, target in self._sources])

    def take(self, contents: tuple[bytes | None, ...]) -> None:
        """What the kernel has written becomes the arrays' content."""
        for new, (_, _, target) in zip(contents, self._sources, strict=True):
            if new is None:
                continue
            if isinstance(target, int):
                ctypes.memmove(target, new, len(new))
                continue
            for array, place in target:
                if array.flags.writeable:
                    array[...] = np.frombuffer(new, array.dtype, array.size, place).reshape(array.shape)

    def named(self, started: Started,
              fields: Callable[[int, int], tuple[str, int]]) -> dict[tuple[int, int], ArrayName]:
        """By argument and place, what reports call the arrays: elements are counted as the kernel's pointer counts
        them. `fields` names what is at a place in a structure."""
        names = {}
        for (number, place), (itemsize, shape) in self._given.items():
            pointee = started.pointee(number)
            size = pointee.size if pointee and pointee.kind else itemsize
            name = started.name(number)
            if place >= 0:
                field, its_size = fields(number, place)
                name, size = name + field, itemsize or its_size or 1
            names[number, place] = ArrayName(name, size, shape if size == itemsize else ())
        return names

    def _numpy(self, array: np.ndarray) -> tuple[int, int]:
        """The number of an array, and its place in it: several that have memory in common are one."""
        for start, size in self._spans if any(each is array for each in self._common) else ():
            if start <= (address := _address_of(array)) < start + size:
                if start not in self._numbers:
                    within = [(each, _address_of(each) - start) for each in self._common
                              if start <= _address_of(each) < start + size]
                    poisons = {_poison_of_numpy(each) for each, _ in within}
                    self._add(start, ctypes.string_at(start, size), poisons.pop() if len(poisons) == 1 else 0, within)
                return self._numbers[start], address - start
        key = "array", id(array)
        if key not in self._numbers:
            self._add(key, array.tobytes(), _poison_of_numpy(array), [(array, 0)])
        return self._numbers[key], 0

    def _add(self, key: Any, content: bytes, poison: int, target: list[tuple[np.ndarray, int]] | int) -> None:
        self._numbers[key] = len(self._sources)
        self._sources.append((content, poison, target))

    def _pointer(self, address: int, dtype: np.dtype) -> tuple[int, int] | None:
        """Array and offset of an address on this process's device, or None when there is no array."""
        found = memory.find(address)
        if found is None:
            return None
        start, size = found
        if start not in self._numbers:
            self._add(start, ctypes.string_at(start, size), poison_of(dtype), start)
        return self._numbers[start], address - start

    def _structure(self, number: int, content: bytes) -> Structure:
        """A structure by value: what looks like an address on the device is one (a tensor map has such)."""
        pointers = []
        for place in range(0, len(content) - 7, 8):
            found = self._pointer(int.from_bytes(content[place:place + 8], "little"), _BYTES)
            if found is not None:
                pointers.append((place, Pointer(*found)))
                self._given[number, place] = 0, ()
        return Structure(content, pointers)


def _address_of(array: np.ndarray) -> int:
    return array.__array_interface__["data"][0]


def _poison_of_numpy(array: np.ndarray) -> int:
    return array.dtype.itemsize if isinstance(array, Unwritten) else 0


def pointers(values: tuple, places: list[int], first: int) -> Iterator[tuple[int, int, int]]:
    """Where in a launch's bytes an address goes, of which array, and which byte of it. Arguments begin at `first`."""
    for value, place in zip(values, places, strict=True):
        if isinstance(value, Pointer):
            yield first + place, value.array, value.offset
        elif isinstance(value, Structure):
            yield from ((first + place + its, pointer.array, pointer.offset) for its, pointer in value.pointers)


def wrong_types(args: tuple, started: Started) -> Iterator[str]:
    """Arrays whose elements are not what the parameter points to. Bytes may stand for anything."""
    for number, (value, parameter) in enumerate(zip(args, started.parameters, strict=False)):
        pointee = parameter.pointed_to
        if pointee is not None and pointee.kind:
            message = arguments.wrong_elements(value, pointee.kind, pointee.size,
                                               f"{pointee.type}* {started.name(number)}")
            if message is not None:
                yield message


def poison_of(dtype: np.dtype | None) -> int:
    """Bytes of an element that counts as not written where all its bits are set; 0 where no such does. No computation
    gives a NaN with all bits set, but -1 and 255 are numbers like others."""
    if dtype is None or dtype.kind == "b" or arguments.element_kind(dtype) != "number":
        return 0
    return dtype.itemsize
