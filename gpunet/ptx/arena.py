"""The arrays and variables of a launch under the checker: in memory of their own, apart, and what they are called."""

from __future__ import annotations

import ctypes
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gpunet.kernel.unwritten import Unwritten
from gpunet.ptx.shadow import OUTSIDE, UNWRITTEN
from gpunet.ptx.stamps import Stamps

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


@dataclass(eq=False)
class Named:
    """An array in the arena and what it is called."""

    start: int
    size: int
    name: str = ""
    itemsize: int = 1
    shape: tuple[int, ...] = ()
    pointer: int = 0  # from where elements are counted
    output: int = 0  # bytes of an element, where all of it is to be written
    cell: int = 1  # bytes
    bound: frozenset[int] = frozenset()  # the parameters by which it may be reached (origins.py)
    written: bool = True  # something may write it,
    read: bool = True  # or read it
    unwritten: bool = False  # something has not been written before the launch

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
        self.names, self._stamps, self._checked = names, stamps, checked
        self._arrays: dict[int, tuple[np.ndarray, Named]] = {}
        self._extents: list[tuple[Extent, Named]] = []
        wanted = self._wanted(args, extents)
        own = checked["cells"][-1].bit_length() - 1
        sizes = [0] * 5
        sizes[own] = before = _with_gap(checked["variable_bytes"])
        for _, named in wanted:
            sizes[named.cell.bit_length() - 1] += _with_gap(named.size)
        self.bytes = stamps.room(sizes)
        self.address, self.size = self.bytes.ctypes.data, self.bytes.size
        places = self._places(sizes, own)
        stamps.begin(self.address, places)
        self.named = self._variables()
        free = [place for place, _ in places]
        free[own] += before
        for each, named in wanted:
            shift = named.cell.bit_length() - 1
            named.start = named.pointer = free[shift]
            free[shift] += _with_gap(named.size)
            self._copy_in(each, named)
            self.named.append(named)
        self.args = tuple([self._argument(number, value) for number, value in enumerate(args)])
        self.named.sort(key=lambda each: each.start)
        self._mark_gaps(places)
        self._tell_groups()

    def _wanted(self, args: Sequence[Any], extents: Iterable[Extent]) -> list[tuple[Any, Named]]:
        """The memory to be copied here, and its places to be, which are not known yet."""
        loose, direct = [], []  # numbers of arguments that may point anywhere; and those that are a device's arrays
        for number, value in enumerate(args):
            if isinstance(value, np.ndarray) and value.ndim:
                self._want(value, number)
            elif getattr(value, "_address", None) and hasattr(value, "nbytes"):
                direct.append((number, value))
            elif not isinstance(value, (int, float, np.number, np.bool_)) and value is not None:
                loose.append(number)
                for _, each in value.places()[0] if hasattr(value, "places") else ():
                    if isinstance(each, np.ndarray) and each.ndim:
                        self._want(each, number)
        known = sorted(set(extents), key=lambda each: each.address) if extents else []
        bound: dict[Extent, set[int]] = {each: set(loose) for each in known}
        for number, value in direct:
            if not value.nbytes:
                continue
            of = next((e for e in known if e.address <= value._address < e.address + max(e.size, 1)), None)
            if of is None:
                of = Extent(value._address, value.nbytes, _poison(value))
                known.append(of)
                bound[of] = set(loose)
            bound[of].add(number)
        self._extents = [(each, self._named_of(each.size, bound[each])) for each in known]
        return [*self._arrays.values(), *self._extents]

    def _want(self, array: np.ndarray, number: int) -> None:
        before = self._arrays.get(id(array))
        bound = before[1].bound if before else frozenset()
        self._arrays[id(array)] = array, self._named_of(array.nbytes, bound | {number})

    def _named_of(self, size: int, bound: Iterable[int]) -> Named:
        bound, cells = frozenset(bound), self._checked["cells"]
        read, written = self._checked["read"], self._checked["written"]
        return Named(0, size, cell=min([cells[number] for number in bound] or cells), bound=bound,
                     read=read is None or not bound.isdisjoint(read),
                     written=written is None or not bound.isdisjoint(written))

    def _places(self, sizes: list[int], first: int) -> list[tuple[int, int]]:
        """Place and bytes of each region; first comes the one with the module's variables."""
        places, at = [(0, 0)] * len(sizes), self.address
        for shift in (first, *(each for each in range(len(sizes)) if each != first)):
            places[shift] = at, sizes[shift]
            at += sizes[shift]
        return places

    def _variables(self) -> list[Named]:
        found = []
        for name, place, size, values in self._checked["variables"]:
            self.bytes[place:place + size] = 0
            self._fill(place, values, {each[0]: each[1] for each in self._checked["variables"]})
            named = self._named_of(size, (-1,))
            named.start = named.pointer = self.address + place
            named.name = plain_name(name)
            found.append(named)
        return found

    def _copy_in(self, each: np.ndarray | Extent, named: Named) -> None:
        if isinstance(each, Extent):
            ctypes.memmove(named.start, each.address, each.size)
            element = each.unwritten
        else:
            given = np.ascontiguousarray(each)
            ctypes.memmove(named.start, given.ctypes.data, given.nbytes)
            element = each.itemsize if isinstance(each, Unwritten) else 0
        if element and named.size:
            self._poison(named, element, not isinstance(each, Extent))

    def _mark_gaps(self, places: list[tuple[int, int]]) -> None:
        """What belongs to no array."""
        for place, size in places:
            at = place
            for named in self.named if size else ():
                if place <= named.start < place + size:
                    self._stamps.mark(at, named.start - at, OUTSIDE)
                    at = named.start + named.size // named.cell * named.cell
            self._stamps.mark(at, place + size - at, OUTSIDE)

    def _tell_groups(self) -> None:
        """Accesses that can only reach one array, which nothing writes or nobody reads, need less of a check."""
        for number, group in enumerate(self._checked["groups"]):
            reached = [each for each in self.named if not each.bound.isdisjoint(group)]
            if len(reached) == 1:
                only, = reached
                self._stamps.group(number, (only.start, only.size) if not only.written and not only.unwritten else
                                   (0, 0), not only.read)

    def _fill(self, place: int, values: list[Any], places: dict[str, int]) -> None:
        """A variable's first values."""
        at = place
        for size, value in values:
            number = self.address + places[value[0]] + value[1] if isinstance(value, list) else value
            self.bytes[at:at + size] = np.frombuffer((number & (1 << 8 * size) - 1).to_bytes(size, "little"), np.uint8)
            at += size

    def _poison(self, named: Named, element: int, output: bool) -> None:
        """Marks the cells with elements of which all bits are set."""
        first = named.start - self.address
        bits = min(element, 8)
        whole = self.bytes[first:first + named.size // element * element].view(f"u{bits}")
        unwritten = whole == (1 << 8 * bits) - 1
        if element > 8:
            unwritten = unwritten.reshape(-1, element // 8).all(axis=1)
        if not unwritten.any():
            return
        named.unwritten = True
        named.output = element if output and bool(unwritten.all()) else 0
        cell = named.cell
        if cell < element:
            unwritten = np.repeat(unwritten, element // cell)
        elif cell > element:
            whole_cells = unwritten.size // (cell // element)
            unwritten = unwritten[:whole_cells * (cell // element)].reshape(whole_cells, -1).any(axis=1)
        cells = self._stamps.cells(named.start, unwritten.size * cell)[0]
        if named.output:
            cells[:] = UNWRITTEN
        else:
            cells[unwritten] = UNWRITTEN
        self._stamps.marked(named.start, unwritten.size * cell)

    def left_unwritten(self, named: Named) -> np.ndarray:
        """The numbers of an output's elements that nothing has written."""
        element, cell = named.output, named.cell
        states = self._stamps.cells(named.start, named.size // cell * cell)[0] == UNWRITTEN
        if cell > element:
            states = np.repeat(states, cell // element)
            return np.flatnonzero(np.append(states, np.ones(named.size // element - states.size, bool)))
        return np.flatnonzero(states[:named.size // element * (element // cell)].reshape(-1, element // cell).any(axis=1))

    # ---- arguments ---------------------------------------------------------------------------------------------------
    def _argument(self, number: int, value: Any, place: int = -1) -> Any:
        name = (self.names[number] if number < len(self.names) and self.names[number] else f"argument {number}") + (f" (the pointer at byte {place})" if place >= 0 else "")
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
            return self._named(self._arrays[id(value)][1].start, name, value)
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
        for extent, named in self._extents:
            if extent.address <= address < extent.address + max(extent.size, 1):
                return named.start + address - extent.address
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
        for array, named in self._arrays.values():
            if named.written and array.flags.writeable:
                at = named.start - self.address
                array[...] = self.bytes[at:at + array.nbytes].view(array.dtype).reshape(array.shape)
        for extent, named in self._extents:
            if named.written:
                ctypes.memmove(extent.address, named.start, extent.size)

    # ---- names -------------------------------------------------------------------------------------------------------
    def nearest(self, address: int) -> Named | None:
        """The array that an address belongs to, or lies beside."""
        number = bisect_right(self.named, address, key=lambda each: each.start) - 1
        beside = [each for each in self.named[max(number, 0):number + 2]
                  if each.start - GAP <= address < each.start + each.size + GAP]
        return min(beside, key=lambda each: _distance(each, address), default=None)


def _with_gap(size: int) -> int:
    return size + -size % _ALIGNED + GAP


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
