"""The memory of checked launches, kept for the next one: the arrays, the stamps of their cells, and what code asks for.

Phases go on from one launch to the next, so that old stamps say nothing and need not be cleared: pages are zeroed once.
States of cells (shadow.SPECIAL) are taken back by whoever has set them; memory in which others stay is let go.
"""

from __future__ import annotations

import ctypes
import math
import mmap
from collections.abc import Callable
from typing import Any

import numpy as np

from gpunet.ptx import shadow
from gpunet.ptx.places import Place, Places

_NUMBER = ctypes.c_uint64
_MOST_KEPT = 1 << 28  # bytes
_MOST_PHASES = 1 << 20  # before memory is begun anew
_SHIFTS = range(5)  # cells of 1 to 16 bytes
_FURTHER = 128  # cells behind a region's end


def zeros(shape: tuple[int, ...], kind: Any) -> np.ndarray:
    """Zeros of which a page costs nothing until it is touched. Those of NumPy come from the C library, which, after a
    while, has large blocks at hand and clears all of them."""
    size = math.prod(shape) * np.dtype(kind).itemsize
    return np.frombuffer(mmap.mmap(-1, max(size, 1)), kind, math.prod(shape)).reshape(shape)


class Stamps:
    """Of one launch at a time.

    Attributes:
        launch: what the code knows of the launch (shadow.py).
        owners: by phases, the numbers of their blocks.
        told: what the code calls in Python; set for each launch.
        spaces: what is known of memory in which blocks have run, for watch.py.
    """

    def __init__(self) -> None:
        self.launch = np.zeros(shadow.LAUNCH_BYTES // 8, np.uint64)
        self.owners = zeros((shadow.MOST_PHASES + 2,), np.uint32)
        self.guesses = np.zeros(shadow.MOST_SITES, np.uint8)
        self.told: Callable[..., int] = _nothing
        self.spaces: dict[int, Any] = {}
        self._told_of = zeros((32 * shadow.MOST_SITES // 4,), np.uint32)
        self._dump = np.zeros(8192 + 64, np.uint8)
        values = np.zeros(64 + 512 * 9, np.uint8)
        self.values = values[-values.ctypes.data % 64:]
        self._callback = ctypes.CFUNCTYPE(_NUMBER, *[_NUMBER] * 6)(lambda *given: self.told(*given))
        self._bytes = zeros((1 << 16,), np.uint8)
        self._cells = [zeros((3, _FURTHER), np.uint64) for _ in _SHIFTS]
        self.address = self._bytes.ctypes.data
        self._known: tuple[Any, Any, Places] | None = None
        self._places: Places | None = None  # of which the cells of gaps are marked
        self._marks: list[tuple[int, int, int]] = []  # of other states of cells: shift, first, end
        self.regions: list[tuple[int, int, int]] = []  # place, bytes, shift
        for place, value in ((shadow.OWNERS, self.owners.ctypes.data), (shadow.TOLD, self._told_of.ctypes.data),
                             (shadow.TELL, ctypes.cast(self._callback, ctypes.c_void_p).value or 0),
                             (shadow.DUMP, self._dump.ctypes.data), (shadow.VALUES, self.values.ctypes.data),
                             (shadow.GUESSES, self.guesses.ctypes.data)):
            self.launch[place // 8] = value

    # ---- from launch to launch ---------------------------------------------------------------------------------------
    @classmethod
    def taken(cls) -> Stamps:
        """One that nobody uses."""
        try:
            return _free.pop()
        except IndexError:
            return cls()

    def give_back(self) -> None:
        """After a launch in which nothing was found: the states that it has given to cells go."""
        if int(self.launch[shadow.PHASES // 8]) > _MOST_PHASES or self._size() > _MOST_KEPT:
            return
        if self._marks:
            for shift, first, end in self._marks:
                self._cells[shift][0, first:end] = 0
            self._marks.clear()
            self._forget()
        self.told = _nothing
        _free.append(self)

    def _size(self) -> int:
        return self._bytes.size + sum([each.nbytes for each in self._cells])

    def _forget(self) -> None:
        """What was there belongs to no launch."""
        for offset, size in self._places.gaps if self._places else ():
            self.cells(self.address + offset, size)[0] = 0
        self._places = None

    # ---- a launch ----------------------------------------------------------------------------------------------------
    def places(self, checked: dict[str, Any], wanted: tuple[tuple[int, frozenset[int]], ...]) -> Places:
        """Where the arrays of a launch are to be, of these sizes and bound to these parameters."""
        if self._known is None or self._known[0] is not checked or self._known[1] != wanted:
            self._known = checked, wanted, Places(checked, wanted)
        return self._known[2]

    def begin(self, places: Places) -> int:
        """A launch begins, with arrays in these places; the address of the first byte."""
        launch = self.launch
        launch[shadow.BLOCKS // 8] = launch[shadow.RELEASED // 8] = 0
        launch[shadow.BEGAN // 8] = int(launch[shadow.PHASES // 8]) + 1 << shadow.PHASE_SHIFT
        if places is self._places:
            return self.address
        self._forget()
        if self._bytes.size < places.size:
            self._bytes = zeros((1 << (places.size - 1).bit_length(),), np.uint8)
        self.address = self._bytes.ctypes.data
        launch[shadow.ARENA // 8], launch[shadow.SIZE // 8] = self.address, places.size
        self.regions = []
        for shift, (offset, size) in enumerate(places.regions):
            if self._cells[shift].shape[1] < (count := (size >> shift) + _FURTHER):
                self._cells[shift] = zeros((3, 1 << (count - 1).bit_length()), np.uint64)
            self.regions.append((self.address + offset, size, shift))
            start, step = self._cells[shift].ctypes.data, self._cells[shift].strides[0]
            first = (shadow.REGIONS + shadow.REGION * shift) // 8
            launch[first:first + 6] = self.address + offset, size, start, start + step, start + 2 * step, shift
        for offset, size in places.gaps:
            self.cells(self.address + offset, size)[0] = shadow.OUTSIDE
        launch[shadow.REACHED // 8:] = 0
        for number, only in enumerate(places.groups):
            if only is not None:
                first = (shadow.REACHED + shadow.REACHED_BYTES * number) // 8
                place = self.address + only.offset, only.size
                launch[first:first + 5] = *((0, 0) if only.written else place), not only.read, *place
        self._places = places
        return self.address

    def bytes(self, address: int, size: int) -> np.ndarray:
        """The content of so many bytes."""
        return self._bytes[address - self.address:address - self.address + size]

    @property
    def began(self) -> int:
        """Stamps below are of earlier launches."""
        return int(self.launch[shadow.BEGAN // 8])

    def times_told(self, what: int, site: int) -> int:
        """How often the code has told of this at a site."""
        return int(self._told_of[site << 3 | what])

    # ---- cells -------------------------------------------------------------------------------------------------------
    def region(self, address: int) -> tuple[int, int, int] | None:
        """The region in which an address lies: place, bytes, and shift."""
        return next((each for each in self.regions if 0 <= address - each[0] < each[1]), None)

    def cells(self, address: int, size: int) -> np.ndarray:
        """Three rows of the stamps of all cells of which such bytes, within one region, have a part."""
        place, _, shift = self.region(address) or self.regions[0]
        return self._cells[shift][:, address - place >> shift:-(-(address + size - place) >> shift)]

    def mark_unwritten(self, place: Place, which: np.ndarray | slice) -> None:
        """Cells of an array, all of them or some, have not been written: reads of it are to be looked at."""
        cells = self.cells(self.address + place.offset, place.size // place.cell * place.cell)[0]
        (cells if isinstance(which, slice) else cells[:which.size])[which] = shadow.UNWRITTEN
        first = place.offset - (self.region(self.address + place.offset) or self.regions[0])[0] + self.address
        shift = place.cell.bit_length() - 1
        self._marks.append((shift, first >> shift, (first >> shift) + cells.size))
        for number, only in enumerate(self._places.groups if self._places else ()):
            if only is place:
                self.launch[(shadow.REACHED + shadow.REACHED_BYTES * number + shadow.SPAN_OF_IT) // 8] = 0


def _nothing(*given: int) -> int:
    return 0


_free: list[Stamps] = []
