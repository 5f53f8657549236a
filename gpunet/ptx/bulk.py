"""mbarriers and bulk copies under the checker.

Until it has been waited for, a bulk copy may write its destination and read its source at any moment: nobody may
touch them. Loads come when nothing else can run, those to several blocks of a cluster to all of them. A copy to shared
memory is waited for by who waits for the phase of its mbarrier, one from there by the thread that issued it. What a
thread knew when it arrived at an mbarrier, those know who wait for the phase.
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from gpunet.ptx import shadow
from gpunet.ptx.layout import SHARED_SHIFT
from gpunet.ptx.shadow import CLOCK_SHIFT, MOST_CLOCK, PHASE_SHIFT, SITE_SHIFT, THREAD_SHIFT

if TYPE_CHECKING:
    from gpunet.ptx.state import State
    from gpunet.ptx.watch import Watch

INIT, INVALIDATE, ARRIVES, CHANGES = range(4)  # what an instruction does with an mbarrier
LOAD, STORE, LOAD_BOX, STORE_BOX = range(4)  # bulk copies
BLOCKS_AT = 48  # bits, above an mbarrier's address: the blocks of the cluster that a load goes to; none: its own

# Of an array's descriptor: places of its fields, in bytes.
_FIELDS = (("array", 0, ctypes.c_uint64), ("columns", 8, ctypes.c_uint32), ("rows", 12, ctypes.c_uint32),
           ("pitch", 16, ctypes.c_uint64), ("wide", 24, ctypes.c_uint32), ("high", 28, ctypes.c_uint32),
           ("item", 32, ctypes.c_uint32), ("swizzle", 36, ctypes.c_uint32), ("matrices", 40, ctypes.c_uint32),
           ("more", 44, ctypes.c_uint32), ("tf32", 52, ctypes.c_uint32), ("step", 56, ctypes.c_uint64),
           ("further", 64, ctypes.c_uint64))


@dataclass
class Counter:
    """An mbarrier: what those knew who arrived in its phase, and in the one before; of other blocks moments
    (cluster_checks.py), of which the first keep those of earlier phases."""

    phase: int
    arriving: np.ndarray
    complete: np.ndarray
    thread: int  # of its block, the last one that initialised it or changed it
    far: np.ndarray | None = None
    far_complete: np.ndarray | None = None


@dataclass
class Copy:
    """A bulk copy under way."""

    thread: int
    site: int
    shared: int
    counter: int  # address of the mbarrier, or 0
    group: int
    targets: list[tuple[State, int]] = field(default_factory=list)  # blocks and the addresses of their mbarriers
    writes: list[tuple[State, np.ndarray]] = field(default_factory=list)  # cells that it will write, and whose they are
    reads: list[np.ndarray] = field(default_factory=list)  # cells, of second reads, that it reads
    has_read: bool = False
    deliver: Callable[[], int] | None = None  # carries a load out, and gives its bytes


class Bulk:
    """The mbarriers and the bulk copies of a block that runs."""

    def __init__(self) -> None:
        self.counters: dict[int, Counter] = {}
        self.invalid: dict[int, int] = {}  # after mbarrier.inval: the thread of it, by the address
        self.copies: list[Copy] = []
        self.groups: dict[int, int] = {}  # by thread: how many are closed


def lanes_and_numbers(word: int, given_at: int) -> tuple[np.ndarray, np.ndarray, int, int]:
    """The threads of a warp that take part, five numbers of each, the site, and the operation."""
    lanes = np.flatnonzero([word >> 5 + lane & 1 for lane in range(32)])
    numbers = np.ctypeslib.as_array((ctypes.c_uint64 * 160).from_address(given_at)).reshape(5, 32)[:, lanes].copy()
    return (word & 31) * 32 + lanes, numbers, word >> 40, word >> 37 & 7


def _phase(address: int) -> int:
    return ctypes.c_uint64.from_address(address).value >> 63


def _seen(state: State, counter: Counter, address: int) -> Counter:
    """After the phases that have ended since it was looked at."""
    if counter.phase != _phase(address):
        counter.phase ^= 1
        counter.complete, counter.arriving = counter.arriving, np.zeros(state.threads, np.uint32)
        counter.far_complete = None if counter.far is None else counter.far.copy()
    return counter


def counted(watch: Watch, state: State, word: int, given_at: int) -> None:
    """Threads initialise mbarriers or arrive at them; the instruction follows."""
    threads, numbers, site, operation = lanes_and_numbers(word, given_at)
    for thread, address in zip(threads.tolist(), numbers[0].tolist(), strict=True):
        home = watch.current(state.cluster.owner(state, address))
        if operation == INIT:
            nobody = np.zeros(state.threads, np.uint32)
            home.bulk.counters[address] = Counter(0, nobody, nobody, thread)
            home.bulk.invalid.pop(address, None)
            continue
        counter = home.bulk.counters.get(address)
        if counter is None:
            _unknown(watch, state, thread, site, address)
        elif operation == INVALIDATE:
            del home.bulk.counters[address]
            home.bulk.invalid[address] = thread
        elif operation == ARRIVES:
            who = np.array([thread])
            _seen(home, counter, address)
            if home is state:
                counter.thread = thread
                counter.arriving = np.maximum(counter.arriving, state.knowledge(who))
                state.put(shadow.WIDE, 1)
            if home is not state or state.learned:
                state.cluster.publish(watch, state, thread, counter)
            state.tick(who)


def _unknown(watch: Watch, state: State, thread: int, site: int, address: int) -> None:
    by = state.cluster.owner(state, address).bulk.invalid.get(address)
    words = ("an mbarrier is used before mbarrier.init" if by is None else
             f"an mbarrier is used after mbarrier.inval of it by thread {by} of the block")
    watch.tell(shadow.MISUSE, state, thread, site, words=words)


def waited(watch: Watch, state: State, word: int, given_at: int) -> None:
    """Threads have seen that a phase has ended."""
    threads, numbers, site, _ = lanes_and_numbers(word, given_at)
    for address in np.unique(numbers[0]).tolist():
        counter = state.bulk.counters.get(address)
        if counter is None:
            _unknown(watch, state, int(threads[numbers[0] == address][0]), site, address)
            continue
        _seen(state, counter, address)
        who = threads[numbers[0] == address]
        state.learn(who, counter.complete)
        if counter.far_complete is not None:
            state.cluster.learn(state, who, counter.far_complete)


def issued(watch: Watch, state: State, word: int, given_at: int) -> None:
    """Threads issue bulk copies: numbers are the place in shared memory, that in global memory or a descriptor's, bytes
    or x, y, and the mbarrier."""
    threads, numbers, site, operation = lanes_and_numbers(word, given_at)
    for thread, (shared, place, size, y, counter) in zip(threads.tolist(), numbers.T.tolist(), strict=True):
        if operation in (LOAD, STORE):
            pieces, bytes_of_it, alignment = [(place, size)], size, 16
            if (place | size) % 16:
                watch.tell(shadow.MISALIGNED, state, thread, site, address=place, size=16)
        else:
            pieces, bytes_of_it, alignment = _rows(place, size, y)
        if (shared - state.word(shadow.SHARED)) % alignment:
            watch.tell(shadow.MISALIGNED, state, thread, site, address=shared, size=alignment)
        counter, ranks = counter & (1 << BLOCKS_AT) - 1, counter >> BLOCKS_AT
        apart = [0] if not ranks else [rank - state.word(shadow.RANK) << SHARED_SHIFT for rank in range(16)
                                       if ranks >> rank & 1]
        copy = Copy(thread, site, shared, 0, state.bulk.groups.get(thread, 0))
        for further in apart:
            home = watch.current(state.cluster.owner(state, shared + further))
            if counter + further in home.bulk.counters:
                copy.counter = counter
                copy.targets.append((home, counter + further))
        inside, good = [(shared + further, bytes_of_it) for further in apart], True
        for parts, to in ((pieces, False), (inside, True)) if operation in (LOAD, LOAD_BOX) else (
                (inside, False), (pieces, True)):
            for address, length in parts:
                good &= _touch(watch, state, copy, address, length, to)
        if copy.counter and operation in (LOAD, LOAD_BOX):
            copy.deliver = functools.partial(_carried_out, watch, state, [to for to, _ in inside] if good else [],
                                             bytes_of_it, place, *((size, y) if operation == LOAD_BOX else ()))
        state.bulk.copies.append(copy)


def issuer(state: State, address: int, stamp: int) -> State:
    """The block that issued the copy of a cell's stamp; for copies that are none of these the given one."""
    home, mark = state.cluster.owner(state, address), stamp >> SITE_SHIFT & (1 << CLOCK_SHIFT - SITE_SHIFT) - 1
    return next((each for each in (state, *state.together) for copy in each.bulk.copies
                 if (copy.thread, copy.site) == (stamp >> THREAD_SHIFT & 1023, mark)
                 and any(block is home for block, _ in copy.writes)), state)


def _described(descriptor: int, x: int, y: int) -> tuple[dict[str, int], int, int]:
    """The fields of an array's descriptor, from the matrix on that the high halves of x and y name; the low halves."""
    of = {name: kind.from_address(descriptor + place).value for name, place, kind in _FIELDS}
    for number, matrices, step in ((x >> 32, of["matrices"], of["step"]), (y >> 32, of["more"], of["further"])):
        if number >= matrices:
            of["rows"] = 0
        of["array"] += number * step
    return of, int(np.int32(np.uint32(x & 0xFFFFFFFF))), int(np.int32(np.uint32(y & 0xFFFFFFFF)))


def _rows(descriptor: int, x: int, y: int) -> tuple[list[tuple[int, int]], int, int]:
    """The parts of an array's rows that lie in a box, the box's bytes, and what its place is a multiple of."""
    of, x, y = _described(descriptor, x, y)
    first, end = max(x, 0), min(x + of["wide"], of["columns"])
    rows = range(max(y, 0), min(y + of["high"], of["rows"]))
    parts = [(of["array"] + row * of["pitch"] + first * of["item"], (end - first) * of["item"]) for row in rows
             if first < end]
    return parts, of["wide"] * of["high"] * of["item"], of["swizzle"] * 8 if of["swizzle"] else 128


def _cells(watch: Watch, state: State, address: int, size: int) -> tuple[np.ndarray, int, int] | None:
    """The cells of so many bytes: three rows of stamps, bytes of a cell, and the first one's address."""
    state = state.cluster.owner(state, address)
    region = watch.stamps.region(address)
    if region is not None:
        base, _, shift = region
        return (None if address + size > base + region[1] else
                (watch.stamps.cells(address, size), 1 << shift, base + (address - base >> shift << shift)))
    base, cell = state.word(shadow.SHARED), watch.checked["shared_cell"]
    offset = address - base
    if not 0 <= offset or offset + size > watch.shared_bytes:
        return None
    return state.cells[:, offset // cell:-(-(offset + size) // cell)], cell, base + offset // cell * cell


def _touch(watch: Watch, state: State, copy: Copy, address: int, size: int, to: bool) -> bool:
    """A copy will write (`to`) so many bytes, or reads them; whether it may."""
    kind = shadow.WRITE if to else shadow.READ
    found = _cells(watch, state, address, size)
    if found is None:
        watch.tell(shadow.BEYOND, state, copy.thread, copy.site, address=address, size=size, kind=kind)
        return False
    cells, cell, base = found
    writes, reads, others = cells

    def tell(what: int, place: int, other: int = 0, more: int = 0) -> None:
        watch.tell(what, state, copy.thread, copy.site, address=base + place * cell, size=size, kind=kind | more,
                   other=other)

    outside = np.flatnonzero(writes == shadow.OUTSIDE)
    if outside.size:
        tell(shadow.BEYOND, int(outside[0]))
        if to:  # what is inside is taken as written
            writes[:outside[0]] = shadow.IS_COPY | copy.thread << THREAD_SHIFT | copy.site << SITE_SHIFT
            copy.writes.append((state.cluster.owner(state, address), cells[:, :outside[0]]))
        return False
    unwritten = np.flatnonzero(writes == shadow.UNWRITTEN)
    if unwritten.size and not to:
        tell(shadow.UNINITIALISED, int(unwritten[0]))
        writes[unwritten] = 0
    under_way = np.flatnonzero(writes > shadow.UNWRITTEN)
    if under_way.size:
        tell(shadow.PENDING, int(under_way[0]), int(writes[under_way[0]]))
        return True
    for stamps, more in ((writes, 256), *(((reads, 0), (others, 0)) if to else ())):
        for place in np.flatnonzero(_unordered(watch, state, stamps, copy.thread)):
            stamp = int(stamps[place])
            if stamp >= shadow.SPECIAL:
                if stamp >= shadow.IS_SOURCE and more == 0:
                    tell(shadow.FROM_COPY, int(place), stamp)
                    break
            elif not watch.by_fences(state, int(state.now[copy.thread]), stamp):
                tell(shadow.RACE, int(place), stamp, more)
                break
    mark = copy.thread << THREAD_SHIFT | copy.site << SITE_SHIFT
    if to:
        writes[:], reads[:], others[:] = shadow.IS_COPY | mark, 0, 0
        copy.writes.append((state.cluster.owner(state, address), cells))
    else:
        others[others < shadow.SPECIAL] = shadow.IS_SOURCE | mark
        copy.reads.append(others)
    return True


def _unordered(watch: Watch, state: State, stamps: np.ndarray, thread: int) -> np.ndarray:
    phase = (stamps >> np.uint64(PHASE_SHIFT)).astype(np.int64)
    other = (stamps >> np.uint64(THREAD_SHIFT)).astype(np.int64) & 1023
    clock = (stamps >> np.uint64(CLOCK_SHIFT)).astype(np.int64) & MOST_CLOCK
    now = phase == state.phase
    known = (other == thread) | (state.rows[thread, other] >= clock)
    own = watch.owners[np.minimum(phase, len(watch.owners) - 1)] == state.number
    unordered = (stamps >= np.uint64(watch.stamps.began)) & ~np.where(now, known, own & (phase < state.phase))
    if unordered.any():
        unordered[unordered] = ~state.cluster.knows(watch, state, stamps[unordered], thread)
    return unordered


def _finish(state: State, copy: Copy) -> None:
    """It has been waited for: it is as if its thread had written just now, or in another block the one that knows of
    the copy, by its mbarrier."""
    mine = np.uint64(shadow.IS_COPY | copy.thread << THREAD_SHIFT | copy.site << SITE_SHIFT)
    for home, cells in copy.writes:
        now = home.now[_writer(state, copy, home)] | np.uint64(copy.site << SITE_SHIFT)
        cells[0][cells[0] == mine] = now
    _has_read(state, copy)


def _writer(state: State, copy: Copy, home: State) -> int:
    return copy.thread if home is state else next(
        (home.bulk.counters[at].thread for block, at in copy.targets if block is home), 0)


def _has_read(state: State, copy: Copy) -> None:
    mine = np.uint64(shadow.IS_SOURCE | copy.thread << THREAD_SHIFT | copy.site << SITE_SHIFT)
    for others in () if copy.has_read else copy.reads:
        others[others == mine] = state.now[copy.thread] | np.uint64(copy.site << SITE_SHIFT)
    copy.has_read = True


def stores_waited(watch: Watch, state: State, word: int, groups: int, how: int) -> None:
    """A thread closes a group of stores (how: 0), or waits until all but `groups` have read (1) or are done (2)."""
    lanes = (word & 31) * 32 + np.flatnonzero([word >> 5 + lane & 1 for lane in range(32)])
    for thread in lanes.tolist():
        closed = state.bulk.groups.get(thread, 0)
        if how == 0:
            state.bulk.groups[thread] = closed + 1
            continue
        for copy in [each for each in state.bulk.copies if each.thread == thread and not each.counter
                     and each.group + groups < closed]:
            _has_read(state, copy)
            if how == 2:
                _finish(state, copy)
                state.bulk.copies.remove(copy)


def left_over(watch: Watch, state: State, bulk: Any) -> None:
    """The block has ended."""
    for copy in bulk.copies:
        if not copy.has_read or copy.counter:
            words = ("a bulk copy that nothing has waited for when the block ends" if copy.counter else
                     "a bulk store that its thread never waits for")
            watch.tell(shadow.NEVER_WAITED, state, copy.thread, copy.site, address=copy.shared, words=words)
    bulk.copies.clear()


# ---- loads come late -------------------------------------------------------------------------------------------------
def come(watch: Watch, state: State) -> bool:
    """The oldest load of the block comes, if there is one: nobody can run but in loops."""
    copy = next((each for each in state.bulk.copies if each.counter and each.deliver is not None), None)
    if copy is None or copy.deliver is None:
        return False
    size = copy.deliver()
    state.bulk.copies.remove(copy)
    _finish(state, copy)
    for home, address in copy.targets:
        if address in home.bulk.counters:
            counter, writer = _seen(home, home.bulk.counters[address], address), np.array([_writer(state, copy, home)])
            counter.arriving = np.maximum(counter.arriving, home.knowledge(writer))
            home.put(shadow.WIDE, 1)
            home.tick(writer)
        _come_to(address, size)
    return True


def _come_to(address: int, size: int) -> None:
    """An mbarrier counts bytes."""
    word = ctypes.c_uint64.from_address(address)
    pending, later, bytes_left = word.value & _COUNT, word.value >> 20 & _COUNT, (word.value >> 40) - size & _BYTES
    ends = not pending and not bytes_left
    word.value = ((later if ends else pending) | later << 20 | bytes_left << 40 | (word.value >> 63 ^ ends) << 63)


_COUNT, _BYTES = (1 << 20) - 1, (1 << 23) - 1


def _carried_out(watch: Watch, state: State, targets: list[int], size: int, frm: int, *place: int) -> int:
    """A load of neighbours, or of a box at (x, y), by its descriptor; its bytes."""
    for to in targets:
        if place:
            _box(watch, state.cluster.owner(state, to), to, frm, *place)
        else:
            ctypes.memmove(to, frm, size)
    return size


def _round_to_tf32(word: ctypes.c_uint32) -> None:
    """As copies.py does."""
    if word.value & 0x7F800000 != 0x7F800000:
        word.value = word.value + 0xFFF + (word.value >> 13 & 1) & 0xFFFFE000


def _box(watch: Watch, state: State, to: int, descriptor: int, x: int, y: int) -> None:
    of, x, y = _described(descriptor, x, y)
    base = state.word(shadow.SHARED)
    bits = (of["swizzle"] >> 4) - 1 if of["swizzle"] else 0
    for row in range(of["high"]):
        for column in range(of["wide"]):
            place = to - base + (row * of["wide"] + column) * of["item"]
            place = base + (place ^ (place >> 7 & bits) << 4)
            inside = 0 <= x + column < of["columns"] and 0 <= y + row < of["rows"]
            frm = of["array"] + (y + row) * of["pitch"] + (x + column) * of["item"]
            if not _cells(watch, state, place, of["item"]):
                continue
            if not inside:
                ctypes.memset(place, 0, of["item"])
            elif _cells(watch, state, frm, of["item"]):
                ctypes.memmove(place, frm, of["item"])
                if of["tf32"]:
                    _round_to_tf32(ctypes.c_uint32.from_address(place))
