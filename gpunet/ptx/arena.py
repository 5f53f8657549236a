"""The arrays and variables of a launch under the checker: in memory of their own, apart, and what they are called."""

from __future__ import annotations

import ctypes
import functools
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gpunet.kernel.common_memory import common
from gpunet.kernel.unwritten import Unwritten
from gpunet.ptx.places import GAP, Place, Places
from gpunet.ptx.shadow import UNWRITTEN
from gpunet.ptx.stamps import Stamps

_NUMBERS = int, float, np.number, np.bool_, type(None)
_BYTES = np.dtype(np.uint8)
_SMALL = 1 << 16  # bytes


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


@dataclass(eq=False, slots=True)
class Named:
    """An array in the arena and what it is called."""

    place: Place
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
        stamps: gives the memory, and learns what is in it.

    Attributes:
        args: the arguments with addresses in the arena.
        named: arrays and variables by their places.
    """

    def __init__(self, args: Sequence[Any], names: Sequence[str], checked: dict[str, Any],
                 extents: Iterable[Extent], stamps: Stamps) -> None:
        self.names, self._stamps = list(names), stamps
        self._direct: dict[int, Extent] = {}  # by arguments that are a device's arrays
        self._frozen: set[int] = set()  # extents of arrays that are all read-only
        wanted = self._wanted(args, extents)
        places = stamps.places(checked, tuple([(size, bound) for _, size, bound in wanted]))
        self._only = [places.groups[group] if len(checked["groups"][group]) == 1 else None
                      for group in checked["reached"]]
        self.address = stamps.begin(places)
        self.named = self._variables(checked, places) if places.variables else []
        self._arrays: dict[int, tuple[np.ndarray, Named]] = {}
        self._extents: list[tuple[Extent, Named]] = []
        for (each, size, _), place in zip(wanted, places.arrays, strict=True):
            start = self.address + place.offset
            named = Named(place, start, size, pointer=start)
            self.named.append(named)
            if isinstance(each, Extent):
                self._extents.append((each, named))
                ctypes.memmove(start, each.address, size)
                element = each.unwritten
            else:
                self._arrays[id(each)] = each, named
                given = np.ascontiguousarray(each)
                ctypes.memmove(start, given.ctypes.data, size)
                element = each.itemsize if isinstance(each, Unwritten) else 0
            if element and size:
                self._poison(named, element, not isinstance(each, Extent))
        self._calls: dict[int, list[tuple[int, int, Any, int]]] = {}  # by what arguments point to: their places there
        self._by_extent = {id(extent): named for extent, named in self._extents}
        self.args = tuple([self._argument(number, value) for number, value in enumerate(args)])
        self.named.sort(key=lambda each: each.start)

    @property
    def outputs(self) -> list[Named]:
        """What is to be written, all of it."""
        found = [each for each in self.named if each.output]
        for each in found:
            self._call(each)
        return found

    def _wanted(self, args: Sequence[Any], extents: Iterable[Extent]
                ) -> list[tuple[np.ndarray | Extent, int, frozenset[int]]]:
        """The memory to be copied here: bytes, and the parameters by which it may be reached."""
        arrays: dict[int, np.ndarray] = {}
        bound: dict[int, tuple[int, ...]] = {}
        loose: list[int] = []  # numbers of arguments that may point anywhere
        direct: list[tuple[int, int, Any]] = []  # and those that are a device's arrays
        for number, value in enumerate(args):
            if isinstance(value, _NUMBERS):
                continue
            inner = [value]
            if not isinstance(value, np.ndarray):
                address = getattr(value, "_address", None)
                if address is not None:
                    if address and value.nbytes:
                        direct.append((number, address, value))
                    continue
                loose.append(number)
                inner = [each for _, each in value.places()[0]] if hasattr(value, "places") else []
            elif not value.ndim:
                loose.append(number)
            for each in inner:
                if isinstance(each, np.ndarray) and each.ndim:
                    arrays[id(each)] = each
                    bound[id(each)] = (*bound.get(id(each), ()), number)
        known = _apart(extents) if extents else []
        shared = {id(each): each for each in common(arrays.values(), [(each.address, each.size) for each in known])}
        wanted: list[tuple[np.ndarray | Extent, int, frozenset[int]]] = [
            (each, each.nbytes, frozenset(bound[key])) for key, each in arrays.items() if key not in shared]
        more = [Extent(address, value.nbytes, _poison(value)) for _, address, value in direct
                if _around(known, address) is None]
        more += [Extent(each.ctypes.data, each.nbytes, each.itemsize if isinstance(each, Unwritten) else 0)
                 for each in shared.values()]
        if more:
            known = _apart((*known, *more))
        reached: dict[int, list[int]] = {id(each): [*loose] for each in known}
        for number, address, _ in direct:
            of = _around(known, address)
            assert of is not None
            reached[id(of)].append(number)
            self._direct[number] = of
        writeable = set()
        for key, each in shared.items():
            of = _around(known, each.ctypes.data)
            assert of is not None
            reached[id(of)] += bound[key]
            (writeable if each.flags.writeable else self._frozen).add(id(of))
        self._frozen -= writeable
        return [*wanted, *((each, each.size, frozenset(reached[id(each)])) for each in known)]

    def _variables(self, checked: dict[str, Any], places: Places) -> list[Named]:
        found, offsets = [], {each[0]: each[1] for each in checked["variables"]}
        for (name, _, size, values), place in zip(checked["variables"], places.variables, strict=True):
            start = self.address + place.offset
            self._stamps.bytes(start, size)[:] = 0
            self._fill(start, values, offsets)
            found.append(Named(place, start, size, plain_name(name), pointer=start))
        return found

    def _fill(self, start: int, values: list[Any], offsets: dict[str, int]) -> None:
        """A variable's first values."""
        for size, value in values:
            number = self.address + offsets[value[0]] + value[1] if isinstance(value, list) else value
            ctypes.memmove(start, (number & (1 << 8 * size) - 1).to_bytes(size, "little"), size)
            start += size

    def _poison(self, named: Named, element: int, output: bool) -> None:
        """Elements of which all bits are set count as not written."""
        bits, cell = min(element, 8), named.place.cell
        if named.size < _SMALL and ctypes.string_at(named.start, named.size).find(b"\xff" * bits) < 0:
            return
        whole = self._stamps.bytes(named.start, named.size // element * element).view(f"u{bits}")
        unwritten = whole == (1 << 8 * bits) - 1
        if not unwritten.any():
            return
        if element > 8:
            unwritten = unwritten.reshape(-1, element // 8).all(axis=1)
        if unwritten.all():
            named.output = element if output else 0
            return self._stamps.mark_unwritten(named.place, slice(None))
        if cell < element:
            unwritten = np.repeat(unwritten, element // cell)
        elif cell > element:
            unwritten = unwritten[:unwritten.size // (cell // element) * (cell // element)].reshape(
                -1, cell // element).any(axis=1)
        if unwritten.any():
            self._stamps.mark_unwritten(named.place, unwritten)

    def left_unwritten(self, named: Named) -> np.ndarray:
        """The numbers of an output's elements that nothing has written."""
        element, cell = named.output, named.place.cell
        states = self._stamps.cells(named.start, named.size // cell * cell)[0] == UNWRITTEN
        if cell > element:
            states = np.repeat(states, cell // element)
            return np.flatnonzero(np.append(states, np.ones(named.size // element - states.size, bool)))
        elements = states[:named.size // element * (element // cell)].reshape(-1, element // cell)
        return np.flatnonzero(elements.any(axis=1))

    # ---- arguments ---------------------------------------------------------------------------------------------------
    def _argument(self, number: int, value: Any, place: int = -1) -> Any:
        if isinstance(value, _NUMBERS):
            return value
        if place < 0 and number in self._direct:
            extent = self._direct[number]
            named = self._by_extent[id(extent)]
            return self._called(named, named.start + value._address - extent.address, number, value, place)
        if isinstance(value, np.ndarray) and value.ndim:
            if id(value) in self._arrays:
                named = self._arrays[id(value)][1]
                return self._called(named, named.start, number, value, place)
            named, moved = self._moved(value.ctypes.data)
            assert named is not None
            return self._called(named, moved, number, value, place)
        if not isinstance(value, np.ndarray) and hasattr(value, "places"):
            fields, size, _ = value.places()
            content = bytearray(size)
            alone = sum(isinstance(each, np.ndarray) and each.ndim > 0 for _, each in fields) == 1
            for where, each in fields:
                each = self._argument(number, each, -1 if alone else where)
                data = each.tobytes() if isinstance(each, np.generic) else int(each or 0).to_bytes(8, "little")
                content[where:where + len(data)] = data
            return bytes(content)
        if isinstance(value, (bytes, np.void, np.ndarray)):  # a record, perhaps one with addresses
            content = bytearray(value if isinstance(value, bytes) else value.tobytes())
            for where in range(0, len(content) - 7, 8):
                address = int.from_bytes(content[where:where + 8], "little")
                named, moved = self._moved(address)
                content[where:where + 8] = moved.to_bytes(8, "little")
            return bytes(content)
        address = getattr(value, "_address", getattr(value, "ptr", None))
        if address is None:
            return value
        named, moved = self._moved(int(address))
        return moved if named is None else self._called(named, moved, number, value, place)

    def _moved(self, address: int) -> tuple[Named | None, int]:
        for extent, named in self._extents:
            if extent.address <= address < extent.address + max(extent.size, 1):
                return named, named.start + address - extent.address
        return None, address

    def _called(self, named: Named, address: int, *of: Any) -> int:
        self._calls.setdefault(id(named), []).append((address, *of))
        return address

    def _call(self, named: Named, at: int | None = None) -> None:
        """What an array is called: by the first argument that points to it, of several with parts of it the first that
        has this address, or is nearest to it; and it has that one's elements."""
        given = self._calls.get(id(named))
        if not given:
            return

        def distance(of: tuple[int, int, Any, int]) -> int:
            first, size = of[0], getattr(of[2], "nbytes", 1)
            return 0 if at is None else max(first - at, at - (first + size) + 1, 0)

        address, number, value, place = min(given, key=distance)
        name: str = self.names[number] if number < len(self.names) else ""
        named.name = (name or f"argument {number}") + (f" (the pointer at byte {place})" if place >= 0 else "")
        named.itemsize, named.pointer = getattr(value, "dtype", _BYTES).itemsize, address
        named.shape = tuple(getattr(value, "shape", ()))

    def take_back(self) -> None:
        """What the kernel has written becomes the arrays' content."""
        for array, named in self._arrays.values():
            if named.place.written and array.flags.writeable:
                content = self._stamps.bytes(named.start, named.size)
                array[...] = content.view(array.dtype).reshape(array.shape)
        for extent, named in self._extents:
            if named.place.written and id(extent) not in self._frozen:
                ctypes.memmove(extent.address, named.start, extent.size)

    # ---- names -------------------------------------------------------------------------------------------------------
    def meant(self, site: int, address: int) -> Named | None:
        """The array that an address belongs to; outside of all, that of the only parameter from which the
        access at a site computes its address, or else the nearest."""
        nearest = self.nearest(address)
        place = self._only[site] if site < len(self._only) else None
        if place is None or nearest is not None and not _distance(nearest, address):
            return nearest
        found = next((each for each in self.named if each.place is place), nearest)
        if found is not None and found is not nearest:
            self._call(found, address)
        return found

    def nearest(self, address: int) -> Named | None:
        """The array that an address belongs to, or lies beside."""
        number = bisect_right(self.named, address, key=lambda each: each.start) - 1
        beside = [each for each in self.named[max(number, 0):number + 2]
                  if each.start - GAP <= address < each.start + each.size + GAP]
        found = min(beside, key=lambda each: _distance(each, address), default=None)
        if found is not None:
            self._call(found, address)
        return found


def _around(extents: list[Extent], address: int) -> Extent | None:
    for each in extents:
        if each.address <= address < each.address + max(each.size, 1):
            return each
    return None


def _apart(extents: Iterable[Extent]) -> list[Extent]:
    """The memory of extents, of which some may overlap: each byte has one place in the arena, or what is written to
    one would be lost under the other's old content. Elements count as not written where the extents agree on that,
    or where all that differs is that one does not say."""
    found: list[Extent] = []
    for each in sorted(set(extents), key=lambda each: (each.address, each.size, each.unwritten)):
        if not found or each.address >= found[-1].address + found[-1].size:
            found.append(each)
            continue
        last = found[-1]
        same = (each.address, each.size) == (last.address, last.size)
        unwritten = max(each.unwritten, last.unwritten) if same else (
            each.unwritten if each.unwritten == last.unwritten else 0)
        end = max(last.address + last.size, each.address + each.size)
        found[-1] = Extent(last.address, end - last.address, unwritten)
    return found


def _distance(named: Named, address: int) -> int:
    return max(named.start - address, address - (named.start + named.size) + 1, 0)


def _poison(value: Any) -> int:
    dtype = getattr(value, "dtype", None)
    return dtype.itemsize if dtype is not None and (dtype.kind == "f" or dtype.name == "bfloat16") else 0


@functools.lru_cache(maxsize=1024)
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
