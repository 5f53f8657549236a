"""What the checker knows of the blocks of a cluster in Python: the cluster's barrier, and whose shared memory is whose.

The barrier orders what threads did before they arrived, but for arrivals that are .relaxed, before what others do when
they have waited. Of each thread of the cluster that is a moment: a phase, which has a block, and a clock in it. The
moments of the last two barriers are kept, for threads that have not yet waited for the last; shadow.py compares.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gpunet.ptx import shadow
from gpunet.ptx.layout import SHARED_SHIFT

if TYPE_CHECKING:
    from gpunet.ptx.bulk import Counter
    from gpunet.ptx.state import State
    from gpunet.ptx.watch import Watch

_BESIDE = 4096  # bytes before a block's shared memory, which count as its own
_FAR = 64  # blocks
_MOST_LEARNED = 64  # waits of a block's threads; what came before, later ones mostly know too
_CLOCK_BITS = shadow.MOST_CLOCK.bit_length()


@dataclass
class Learned:
    """What threads have learned of other blocks by waiting at an mbarrier at which these had arrived."""

    when: dict[int, int]  # by thread: the stamp of its next access
    moments: np.ndarray

    def is_known(self, watch: Watch, state: State, thread: int) -> bool:
        """Whether a thread of their block has learned it, by itself or from them."""
        return thread in self.when or any(watch.ordered(state, stamp, thread) for stamp in self.when.values())


class Cluster:
    """The blocks of a cluster that run, by their ranks. In the memory for a cluster one runs after the other: numbers
    of barriers go on, and what is remembered of an earlier cluster's phases says nothing of later ones.

    Args:
        states: of the blocks.
        owners: the number of the block of each phase.
        barrier: whether the kernel has the barrier of a cluster.
    """

    def __init__(self, states: list[State], owners: np.ndarray, barrier: bool) -> None:
        size, self.states, self._owners, self._number = len(states), states, owners, 0
        self._first_shared = states[0].word(shadow.SHARED)
        self._peers = np.array([each.address for each in states], np.uint64)
        for rank, state in enumerate(states):
            state.cluster = self
            for place, value in ((shadow.CLUSTER, size), (shadow.RANK, rank), (shadow.PEERS, self._peers.ctypes.data),
                                 (shadow.FIRST_SHARED, self._first_shared)):
                state.put(place, value)
        self._has_barrier = barrier or size > 1
        if not self._has_barrier:
            return
        self._arriving = np.zeros((size, shadow.MOST_THREADS), np.uint64)
        self._moments = np.zeros((2, size, shadow.MOST_THREADS), np.uint64)
        self._waited, self._arrived = np.zeros((2, size, shadow.MOST_THREADS), np.uint64)
        self._visits = np.zeros((size, size, shadow.MOST_THREADS, shadow.VISIT // 8), np.uint64)
        for rank, state in enumerate(states):
            state.put(shadow.MOMENTS, self._moments.ctypes.data)
            state.put(shadow.WAITED_FOR, self._waited[rank].ctypes.data)
            state.put(shadow.ARRIVED_AT, self._arrived[rank].ctypes.data)
            state.put(shadow.VISITS, self._visits[rank].ctypes.data)

    # ---- the barrier -------------------------------------------------------------------------------------------------
    def arrive(self, state: State, threads: np.ndarray, relaxed: bool) -> None:
        """What they know of their block, others will know when they have waited. Of relaxed arrivals it is what was
        known at the last fence, be it fence.mbarrier_init, which orders less."""
        self._arrived[state.word(shadow.RANK), threads] = self._number + 1
        arriving = self._arriving[state.word(shadow.RANK), :state.threads]
        if relaxed:
            fences = state.before_arrivals
            threads = threads[fences.phase[threads] > 0]
            moments = (fences.phase[threads, None] << _CLOCK_BITS | fences.rows[threads]).max(axis=0, initial=0)
        else:
            moments = state.phase << _CLOCK_BITS | state.knowledge(threads).astype(np.int64)
            state.tick(threads)
        np.maximum(arriving, moments.astype(np.uint64), out=arriving)

    def complete(self) -> None:
        """All threads have arrived."""
        self._number += 1
        self._moments[self._number & 1] = self._arriving

    def waited(self, state: State, threads: np.ndarray) -> None:
        self._waited[state.word(shadow.RANK), threads] = self._number

    # ---- mbarriers ---------------------------------------------------------------------------------------------------
    def publish(self, watch: Watch, state: State, thread: int, counter: Counter) -> None:
        """A thread of another block, or one that has learned of others, arrives at an mbarrier."""
        if counter.far is None:
            counter.far = np.zeros((len(self.states), shadow.MOST_THREADS), np.int64)
        for learned in state.learned:
            if learned.is_known(watch, state, thread):
                np.maximum(counter.far, learned.moments, out=counter.far)
        own = counter.far[state.word(shadow.RANK), :state.threads]
        np.maximum(own, state.phase << _CLOCK_BITS | state.knowledge(np.array([thread])).astype(np.int64), out=own)
        watch.launch[shadow.RELEASED // 8] += 1

    def learn(self, state: State, threads: np.ndarray, moments: np.ndarray) -> None:
        """Threads have waited at such an mbarrier."""
        when = {int(thread): int(state.now[thread]) for thread in threads}
        state.learned = [*state.learned[1 - _MOST_LEARNED:], Learned(when, moments)]

    # ---- order -------------------------------------------------------------------------------------------------------
    def knows(self, watch: Watch, state: State, stamps: np.ndarray, thread: int) -> np.ndarray:
        """Of accesses, whether a barrier of the cluster or mbarriers order them before what the thread does now."""
        known = np.zeros(stamps.shape, bool)
        number = int(self._waited[state.word(shadow.RANK), thread]) if self._has_barrier else 0
        if number:
            known |= self._before(state, stamps, self._moments[number & 1].astype(np.int64))
        for learned in reversed(state.learned):
            if not known.all() and learned.is_known(watch, state, thread):
                known |= self._before(state, stamps, learned.moments)
        return known

    def is_alive(self, watch: Watch, state: State, address: int, visit: int, begins: bool) -> bool:
        """Whether mbarriers say that a block has begun before an access of its shared memory, or ends after it."""
        owner = watch.current(self.owner(state, address))
        if begins:
            return any(each.moments[owner.word(shadow.RANK)].any() for each in state.learned)
        return any(self._before(owner, np.array([visit], np.uint64), each.moments)[0] for each in owner.learned)

    def _before(self, state: State, stamps: np.ndarray, moments: np.ndarray) -> np.ndarray:
        phases = (stamps >> np.uint64(shadow.PHASE_SHIFT)).astype(np.int64)
        threads = (stamps >> np.uint64(shadow.THREAD_SHIFT)).astype(np.int64) & shadow.MOST_THREADS - 1
        clocks = (stamps >> np.uint64(shadow.CLOCK_SHIFT)).astype(np.int64) & shadow.MOST_CLOCK
        ranks = self._owners[phases].astype(np.int64) + state.word(shadow.RANK) - state.number
        known = (ranks >= 0) & (ranks < len(self.states))
        return known & (moments[np.where(known, ranks, 0), threads] >= (phases << _CLOCK_BITS | clocks))

    # ---- shared memory -----------------------------------------------------------------------------------------------
    def owner(self, state: State, address: int) -> State:
        """The block in whose shared memory, or right before it, an address lies; else the given one."""
        rank = self.rank_of(address)
        return state if rank is None else self.states[rank]

    def rank_of(self, address: int) -> int | None:
        """Of the block in whose shared memory, or right before it, an address lies."""
        rank = address + _BESIDE - self._first_shared >> SHARED_SHIFT
        return rank if 0 <= rank < len(self.states) else None

    def is_outside(self, address: int) -> bool:
        """Whether it is of a block before the cluster's first or behind its last, by a number that is wrong."""
        ranks = address + _BESIDE - self._first_shared >> SHARED_SHIFT
        return len(self.states) > 1 and ranks not in range(len(self.states)) and -_FAR <= ranks < _FAR


def attach(watch: Watch, states: list[State]) -> None:
    """The blocks that run by turns are those of a cluster, or all of a grid."""
    size = math.prod(watch.checked["cluster"])
    for state in states:
        state.together = states
    for first in range(0, len(states), size):
        Cluster(states[first:first + size], watch.owners, watch.checked["clusters"])
