"""Where the arrays of a checked launch lie: by the sizes of their cells, with gaps between them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from gpunet.ptx.origins import VARIABLES

GAP = 4096  # bytes between arrays, at least
_ALIGNED = 256
_SHIFTS = range(5)  # of regions: cells of 1 to 16 bytes


@dataclass(frozen=True)
class Place:
    """Of an array. `read`, `written`: the kernel has accesses that may do this."""

    offset: int
    size: int
    cell: int  # bytes
    bound: frozenset[int]  # the parameters by which it may be reached (origins.py)
    read: bool
    written: bool


class Places:
    """Of all arrays and variables, in bytes from the beginning of their memory.

    Args:
        checked: what the program says for the checker.
        wanted: sizes of arrays, and the parameters by which each may be reached.

    Attributes:
        size: of all.
        regions: offsets and sizes, by the size of their cells: 1, 2, 4, ... bytes.
        variables: places of the module's variables.
        arrays: places of the arrays, in the given order.
        gaps: offsets and sizes of what belongs to none.
        groups: of each group of accesses the only place that it may reach, if there is one.
    """

    def __init__(self, checked: dict[str, Any], wanted: Iterable[tuple[int, frozenset[int]]]) -> None:
        self._cells, self._read, self._written = checked["cells"], checked["read"], checked["written"]
        own = self._cells[VARIABLES].bit_length() - 1
        variables = _with_gap(checked["variable_bytes"])
        sizes = [variables if shift == own else 0 for shift in _SHIFTS]
        arrays = []
        for size, bound in wanted:
            arrays.append(self._place(0, size, bound))
            sizes[arrays[-1].cell.bit_length() - 1] += _with_gap(size)
        self.size, self.regions, at = sum(sizes), [(0, 0)] * len(sizes), 0
        for shift in (own, *(each for each in _SHIFTS if each != own)):  # variables lie where the code says
            self.regions[shift] = at, sizes[shift]
            at += sizes[shift]
        free = [offset for offset, _ in self.regions]
        free[own] += variables
        self.arrays = []
        for each in arrays:
            shift = each.cell.bit_length() - 1
            self.arrays.append(self._place(free[shift], each.size, each.bound))
            free[shift] += _with_gap(each.size)
        self.variables = [self._place(offset, size, frozenset((VARIABLES,)))
                          for _, offset, size, _ in checked["variables"]]
        everything = sorted((*self.variables, *self.arrays), key=lambda each: each.offset)
        self.gaps = [gap for region in self.regions for gap in _gaps(*region, everything)]
        self.groups = [self._only(everything, group) for group in checked["groups"]]

    def _place(self, offset: int, size: int, bound: frozenset[int]) -> Place:
        return Place(offset, size, min([self._cells[number] for number in bound] or self._cells), bound,
                     self._read is None or not bound.isdisjoint(self._read),
                     self._written is None or not bound.isdisjoint(self._written))

    def _only(self, everything: list[Place], group: list[int]) -> Place | None:
        reached = [each for each in everything if not each.bound.isdisjoint(group)]
        return reached[0] if len(reached) == 1 else None


def _with_gap(size: int) -> int:
    return size + -size % _ALIGNED + GAP


def _gaps(first: int, size: int, everything: list[Place]) -> list[tuple[int, int]]:
    found, at = [], first
    for each in everything if size else ():
        if first <= each.offset < first + size:
            found.append((at, each.offset - at))
            at = each.offset + each.size // each.cell * each.cell
    return [each for each in (*found, (at, first + size - at)) if each[1] > 0]
