"""A block that runs under the checker: what Python knows of its threads' order."""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Any

import numpy as np

from gpunet.ptx import bulk, shadow
from gpunet.ptx.shadow import CLOCK_SHIFT, MOST_CLOCK, PHASE_SHIFT, THREAD_SHIFT

if TYPE_CHECKING:
    from gpunet.ptx.cluster_checks import Cluster, Learned

_WARP = 32
_NUMBER = ctypes.c_uint64


def phase_of(stamp: int) -> int:
    return stamp >> PHASE_SHIFT


def thread_of(stamp: int) -> int:
    return stamp >> THREAD_SHIFT & 1023


def clock_of(stamp: int) -> int:
    return stamp >> CLOCK_SHIFT & MOST_CLOCK


def site_of(stamp: int) -> int:
    return stamp >> shadow.SITE_SHIFT & shadow.MOST_SITES - 1


def lanes_of(mask: int) -> np.ndarray:
    return np.flatnonzero(mask >> np.arange(_WARP) & 1)


class Fences:
    """Of one scope, in a block: the last fence of each thread."""

    def __init__(self, threads: int) -> None:
        self.phase = np.zeros(threads, np.int64)
        self.clock = np.zeros(threads, np.int64)
        self.rows = np.zeros((threads, threads), np.uint32)


class State:
    """A block that runs: its memory, and what follows from its fences and barriers."""

    def __init__(self, address: int, rows: np.ndarray, threads: int, cells: np.ndarray, keep: Any) -> None:
        self.address, self.rows, self.threads, self.cells, self._keep = address, rows, threads, cells, keep
        self.bulk = bulk.Bulk()
        self.now = np.ctypeslib.as_array((_NUMBER * 1024).from_address(address + shadow.NOW))
        self.number = -1
        self.cluster: Cluster
        self.together = [self]  # blocks that run by turns with it in one host thread

    def word(self, place: int) -> int:
        return _NUMBER.from_address(self.address + place).value

    def put(self, place: int, value: int) -> None:
        _NUMBER.from_address(self.address + place).value = value

    def fresh(self) -> State:
        """For the block that runs now."""
        number = self.word(shadow.NUMBER)
        if number != self.number:
            self.number = number
            self.fences = [Fences(self.threads), Fences(self.threads)]
            self.before_arrivals = Fences(self.threads)
            self.acquired: dict[tuple[int, int], int] = {}
            self.arrived: dict[Any, tuple[np.ndarray, int]] = {}
            self.expected: dict[int, int] = {}
            self.complete: dict[Any, np.ndarray] = {}
            self.ended, self.bulk = self.bulk, bulk.Bulk()
            self.learned: list[Learned] = []
        return self

    @property
    def phase(self) -> int:
        return self.word(shadow.PHASE) >> PHASE_SHIFT

    def clocks(self, threads: np.ndarray) -> np.ndarray:
        return self.now[threads] >> np.uint64(CLOCK_SHIFT) & np.uint64(MOST_CLOCK)

    def tick(self, threads: np.ndarray) -> None:
        self.now[threads] += np.where(self.clocks(threads) < MOST_CLOCK, np.uint64(1 << CLOCK_SHIFT), np.uint64(0))

    def knowledge(self, threads: np.ndarray) -> np.ndarray:
        """What these threads know, and themselves."""
        known = self.rows[threads, :self.threads].max(axis=0)
        known[threads] = self.clocks(threads)
        return known

    def learn(self, threads: np.ndarray, known: np.ndarray) -> None:
        rows = self.rows[threads, :self.threads]
        self.rows[threads, :self.threads] = np.maximum(rows, known)
        self.put(shadow.MET, 1)
        self.put(shadow.WIDE, 1)

    def release(self, threads: np.ndarray, key: Any, arrivals: int, expected: int) -> None:
        """Threads arrive at a barrier of `expected` threads."""
        known, came = self.arrived.get(key, (np.zeros(self.threads, np.uint32), 0))
        known, came = np.maximum(known, self.knowledge(threads)), came + arrivals
        self.tick(threads)
        self.put(shadow.WIDE, 1)
        if came >= expected:
            self.complete[key] = known
            self.arrived.pop(key, None)
        else:
            self.arrived[key] = known, came

    def acquire(self, threads: np.ndarray, key: Any) -> None:
        if key in self.complete:
            self.learn(threads, self.complete[key])
