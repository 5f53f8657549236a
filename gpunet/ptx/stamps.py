"""The memory of checked launches, kept for the next one: the arrays, the stamps of their cells, and what a kernel's code
asks for.

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
        self.told: Callable[..., int] = lambda *given: 0
        self.spaces: dict[int, Any] = {}
        self._told_of = zeros((32 * shadow.MOST_SITES // 4,), np.uint32)
        self._dump = np.zeros(8192 + 64, np.uint8)
        values = np.zeros(64 + 512 * 9, np.uint8)
        self.values = values[-values.ctypes.data % 64:]
        self._callback = ctypes.CFUNCTYPE(_NUMBER, *[_NUMBER] * 6)(lambda *given: self.told(*given))
        self._bytes = zeros((1 << 16,), np.uint8)
        self._cells = [zeros((3, _FURTHER), np.uint64) for _ in _SHIFTS]
        self._marks: list[tuple[int, int, int]] = []
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
        """After a launch in which nothing was found: the states of cells go."""
        if int(self.launch[shadow.PHASES // 8]) > _MOST_PHASES or self._size() > _MOST_KEPT:
            return
        for shift, first, end in self._marks:
            self._cells[shift][0, first:end] = 0
        self._marks.clear()
        self.told = lambda *given: 0
        _free.append(self)

    def _size(self) -> int:
        return self._bytes.size + sum(each.nbytes for each in self._cells)

    # ---- a launch ----------------------------------------------------------------------------------------------------
    def room(self, sizes: list[int]) -> np.ndarray:
        """The bytes of a launch's arrays. `sizes`: of the regions of cells with 1, 2, 4, ... bytes, each a multiple of
        256; they lie one after another, from the one with the module's variables on."""
        total = sum(sizes)
        if self._bytes.size < total:
            self._bytes = zeros((1 << (total - 1).bit_length(),), np.uint8)
        for shift in _SHIFTS:
            if self._cells[shift].shape[1] < (count := (sizes[shift] >> shift) + _FURTHER):
                self._cells[shift] = zeros((3, 1 << (count - 1).bit_length()), np.uint64)
        return self._bytes[:total]

    def begin(self, address: int, places: list[tuple[int, int]]) -> None:
        """A launch begins, with regions (place, bytes) of cells with 1, 2, 4, ... bytes."""
        launch = self.launch
        launch[shadow.ARENA // 8], launch[shadow.SIZE // 8] = address, sum(size for _, size in places)
        launch[shadow.BLOCKS // 8] = launch[shadow.RELEASED // 8] = 0
        launch[shadow.BEGAN // 8] = int(launch[shadow.PHASES // 8]) + 1 << shadow.PHASE_SHIFT
        launch[shadow.REACHED // 8:] = 0
        self.regions = [(place, size, shift) for shift, (place, size) in enumerate(places)]
        for place, size, shift in self.regions:
            first = shadow.REGIONS + shadow.REGION * shift
            cells = self._cells[shift]
            start, step = cells.ctypes.data, cells.strides[0]
            launch[first // 8:first // 8 + 6] = place, size, start, start + step, start + 2 * step, shift

    @property
    def began(self) -> int:
        """Stamps below are of earlier launches."""
        return int(self.launch[shadow.BEGAN // 8])

    def group(self, number: int, only_read: tuple[int, int], unread: bool) -> None:
        """What a group of accesses may reach: the place and the bytes of what is only read, or (0, 0), and whether
        nobody reads it."""
        first = (shadow.REACHED + shadow.REACHED_BYTES * number) // 8
        self.launch[first:first + 3] = *only_read, unread

    # ---- cells -------------------------------------------------------------------------------------------------------
    def region(self, address: int) -> tuple[int, int, int] | None:
        """The region in which an address lies: place, bytes, and shift."""
        return next((each for each in self.regions if 0 <= address - each[0] < each[1]), None)

    def cells(self, address: int, size: int) -> np.ndarray:
        """Three rows of the stamps of all cells of which such bytes, within one region, have a part."""
        place, _, shift = self.region(address) or self.regions[0]
        return self._cells[shift][:, address - place >> shift:-(-(address + size - place) >> shift)]

    def mark(self, address: int, size: int, value: int) -> None:
        """Cells that such bytes have a part of get a state."""
        if size <= 0:
            return
        place, _, shift = self.region(address) or self.regions[0]
        first, end = address - place >> shift, -(-(address + size - place) >> shift)
        self._cells[shift][0, first:end] = value
        self._marks.append((shift, first, end))

    def marked(self, address: int, size: int) -> None:
        """Cells have got states in another way."""
        place, _, shift = self.region(address) or self.regions[0]
        self._marks.append((shift, address - place >> shift, -(-(address + size - place) >> shift)))


_free: list[Stamps] = []
