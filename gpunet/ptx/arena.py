"""The arrays and variables of a launch under the checker: in memory of their own, apart, and what they are called."""

from __future__ import annotations

import ctypes
import mmap
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gpunet.kernel.unwritten import Unwritten

GAP = 4096  # bytes between arrays, at least
_ALIGNED = 256


@dataclass(frozen=True)
class Extent:
    """Memory of this process that arguments of a launch point into.

    Args:
        address: of its first byte.
        size: in bytes.
        unwritten: bytes of an element, where elements with all bits set count as not written; else 0.
    """

    address: int
    size: int
    unwritten: int = 0


@dataclass
class Named:
    """An array in the arena and what it is called."""

    start: int
    size: int
    name: str = ""
    itemsize: int = 1
    shape: tuple[int, ...] = ()
    pointer: int = 0  # from where elements are counted
    output: int = 0  # bytes of an element, where all of it is to be written

    def element(self, address: int) -> int | tuple[int, ...]:
        flat = (address - self.pointer) // self.itemsize
        if len(self.shape) < 2 or not 0 <= flat < int(np.prod(self.shape)):
            return flat
        return tuple(int(each) for each in np.unravel_index(flat, self.shape))


class Arena:
    """Memory for the variables of a module and for the arrays of a launch.

    Args:
        args: of the launch.
        names: of the kernel's parameters, as far as they are known.
        checked: what the program says for the checker.
        extents: memory that arguments point into in other ways.

    Attributes:
        args: the arguments with addresses in the arena.
        named: arrays and variables by their places.
    """

    def __init__(self, args: Sequence[Any], names: Sequence[str], checked: dict[str, Any],
                 extents: Iterable[Extent] = ()) -> None:
        self.names = [*names, *[""] * (len(args) - len(names))]
        self._arrays: dict[int, np.ndarray] = {}
        self._extents: list[tuple[Extent, int]] = []
        wanted: list[tuple[Any, int]] = []
        for value in args:
            for each in [inner for _, inner in value.places()[0]] if hasattr(value, "places") else [value]:
                if isinstance(each, np.ndarray) and each.ndim and id(each) not in self._arrays:
                    self._arrays[id(each)] = each
                    wanted.append((each, each.nbytes))
        known = sorted(set(extents), key=lambda each: each.address)
        for value in args:
            address, size = getattr(value, "_address", None), getattr(value, "nbytes", 0)
            if address and size and not any(e.address <= address < e.address + max(e.size, 1) for e in known):
                known.append(Extent(address, size, _poison(value)))
        wanted += [(each, each.size) for each in known]
        self.size = checked["variable_bytes"] + GAP + sum(size + -size % _ALIGNED + GAP for _, size in wanted)
        self._memory = mmap.mmap(-1, self.size + mmap.PAGESIZE)
        self.bytes = np.frombuffer(self._memory, np.uint8)
        self.address = self.bytes.ctypes.data
        self.named: list[Named] = []
        self.poisons: list[tuple[Named, np.ndarray]] = []
        for name, place, size, values in checked["variables"]:
            self._fill(place, values, {each[0]: each[1] for each in checked["variables"]})
            self.named.append(Named(self.address + place, size, plain_name(name), pointer=self.address + place))
        at = checked["variable_bytes"] + GAP
        at += -at % _ALIGNED
        self._copies: dict[int, int] = {}
        for each, size in wanted:
            named = Named(self.address + at, size, pointer=self.address + at)
            self.named.append(named)
            whole = self.bytes[at:at + size]
            if isinstance(each, Extent):
                whole[:] = np.ctypeslib.as_array((ctypes.c_uint8 * each.size).from_address(each.address))
                self._extents.append((each, at))
                element = each.unwritten
            else:
                whole[:] = np.ascontiguousarray(each).reshape(-1).view(np.uint8)
                self._copies[id(each)] = at
                element = each.itemsize if isinstance(each, Unwritten) else 0
            if element and size:
                self._poison(named, whole, element, not isinstance(each, Extent))
            at += size + -size % _ALIGNED + GAP
        self.args = tuple(self._argument(number, value) for number, value in enumerate(args))
        self.named.sort(key=lambda each: each.start)

    def _fill(self, place: int, values: list[Any], places: dict[str, int]) -> None:
        """A variable's first values."""
        at = place
        for size, value in values:
            number = self.address + places[value[0]] + value[1] if isinstance(value, list) else value
            self.bytes[at:at + size] = np.frombuffer((number & (1 << 8 * size) - 1).to_bytes(size, "little"), np.uint8)
            at += size

    def _poison(self, named: Named, whole: np.ndarray, element: int, output: bool) -> None:
        elements = whole[:whole.size // element * element].reshape(-1, element)
        unwritten = np.repeat((elements == 0xFF).all(axis=1), element)
        if unwritten.any():
            self.poisons.append((named, unwritten))
            named.output = element if output and unwritten.all() else 0

    # ---- arguments ---------------------------------------------------------------------------------------------------
    def _argument(self, number: int, value: Any, place: int = -1) -> Any:
        name = (self.names[number] or f"argument {number}") + (f" (the pointer at byte {place})" if place >= 0 else "")
        if hasattr(value, "places"):
            fields, size, _ = value.places()
            content = bytearray(size)
            alone = sum(isinstance(each, np.ndarray) and each.ndim > 0 for _, each in fields) == 1
            for where, each in fields:
                each = self._argument(number, each, -1 if alone else where)
                data = each.tobytes() if isinstance(each, np.generic) else int(each or 0).to_bytes(8, "little")
                content[where:where + len(data)] = data
            return bytes(content)
        if isinstance(value, np.ndarray) and value.ndim:
            return self._named(self.address + self._copies[id(value)], name, value)
        if isinstance(value, (bytes, np.void, np.ndarray)):  # a record, perhaps one with addresses
            content = bytearray(value if isinstance(value, bytes) else value.tobytes())
            for where in range(0, len(content) - 7, 8):
                moved = self._moved(int.from_bytes(content[where:where + 8], "little"))
                content[where:where + 8] = moved.to_bytes(8, "little")
            return bytes(content)
        address = getattr(value, "_address", getattr(value, "ptr", None))
        if address is None:
            return value
        moved = self._moved(int(address))
        return self._named(moved, name, value) if moved != address else moved

    def _moved(self, address: int) -> int:
        for extent, at in self._extents:
            if extent.address <= address < extent.address + max(extent.size, 1):
                return self.address + at + address - extent.address
        return address

    def _named(self, address: int, name: str, value: Any) -> int:
        for named in self.named:
            if named.start <= address < named.start + max(named.size, 1) and not named.name:
                dtype = getattr(value, "dtype", np.dtype(np.uint8))
                named.name, named.itemsize, named.pointer = name, dtype.itemsize, address
                named.shape = tuple(getattr(value, "shape", ()))
        return address

    def take_back(self) -> None:
        """What the kernel has written becomes the arrays' content."""
        for key, array in self._arrays.items():
            if array.flags.writeable:
                at = self._copies[key]
                array[...] = self.bytes[at:at + array.nbytes].view(array.dtype).reshape(array.shape)
        for extent, at in self._extents:
            ctypes.memmove(extent.address, self.address + at, extent.size)

    # ---- names -------------------------------------------------------------------------------------------------------
    def nearest(self, address: int) -> Named | None:
        """The array that an address belongs to, or lies beside."""
        number = bisect_right(self.named, address, key=lambda each: each.start) - 1
        beside = [each for each in self.named[max(number, 0):number + 2]
                  if each.start - GAP <= address < each.start + each.size + GAP]
        return min(beside, key=lambda each: _distance(each, address), default=None)


def _distance(named: Named, address: int) -> int:
    return max(named.start - address, address - (named.start + named.size) + 1, 0)


def _poison(value: Any) -> int:
    dtype = getattr(value, "dtype", None)
    return dtype.itemsize if dtype is not None and (dtype.kind == "f" or dtype.name == "bfloat16") else 0


def plain_name(symbol: str) -> str:
    """A variable's own name, of a mangled one: "_ZZ4sumsPfE4tile" is "tile"."""
    found, at = symbol, 0
    if not symbol.startswith("_Z"):
        return symbol
    while at < len(symbol):  # the last <length><name> of the symbol
        if symbol[at].isdigit():
            end = at
            while end < len(symbol) and symbol[end].isdigit():
                end += 1
            length = int(symbol[at:end])
            if 0 < length <= len(symbol) - end and (symbol[end].isalpha() or symbol[end] == "_"):
                found, at = symbol[end:end + length], end + length
                continue
            at = end
        else:
            at += 1
    return found
