"""What the checker knows in Python while a kernel runs: fences, barriers of some threads, and what it was told.

The code of a kernel calls `Watch.told` for what is rare. The rules of fences are those of the C++ checker
(gpunet/sim/runtime/check/order.h): an atomic operation publishes, at its address, what its thread knew at its last
fence, and what other threads did before fences that it knows of; one that finds something published there knows it.
"""

from __future__ import annotations

import ctypes
import functools
import math
import struct
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from gpunet.ptx import bulk, cluster_checks, deadlines, layout, shadow
from gpunet.ptx.failures import lanes_held
from gpunet.ptx.layout import Block, Launch, Warp
from gpunet.ptx.shadow import CLOCK_SHIFT, PHASE_SHIFT, THREAD_SHIFT
from gpunet.ptx.stamps import Stamps, zeros
from gpunet.ptx.state import State, clock_of, lanes_of, phase_of, site_of, thread_of
from gpunet.ptx.turns import Turns

if TYPE_CHECKING:
    from gpunet.ptx.program import Program

_WARP = 32
_MOST_SPACES = 16
_NUMBER = ctypes.c_uint64
_DIVIDED = "an integer is divided by zero, or the least of its type by -1; a device goes on with some number"


@dataclass
class Told:
    """A mistake, as it was found first. `other`: the stamp of the other party, or 0."""

    what: int
    site: int
    block: int  # its number in the order of beginning
    thread: int
    address: int = 0
    size: int = 0
    kind: int = 0
    other: int = 0
    other_block: int = 0
    one_value: bool = False
    words: str = ""
    threads: set[tuple[int, int]] = field(default_factory=set)

    @property
    def within_warp(self) -> bool:
        """Whether the other party is a thread of the same warp."""
        return self.other_block == self.block and thread_of(self.other) // _WARP == self.thread // _WARP


class Watch:
    """Of one launch: what the code calls, and the mistakes.

    Args:
        stamps: the memory of shadow.py's state.
        compiled: the program, with checks.
        timeout: seconds; then the launch is to end.
    """

    def __init__(self, stamps: Stamps, compiled: Program, timeout: float) -> None:
        assert compiled.checked is not None
        self.stamps, self.compiled, self.checked, self.timeout = stamps, compiled, compiled.checked, timeout
        self.mistakes: dict[tuple, Told] = {}
        self.error: BaseException | None = None
        self.failure: Any = None
        self.released: list[dict[int, dict[int, np.ndarray]]] = [{}, {}]
        self._firsts: dict[int, int] = {}
        self.launch, self.owners = stamps.launch, stamps.owners
        self.arena = int(self.launch[shadow.ARENA // 8]), int(self.launch[shadow.SIZE // 8])
        self.guesses, self.values = stamps.guesses, stamps.values
        self._has_turns = False
        self._touched = False  # something may stay in the memory that the next launch must not find
        stamps.told = self.told

    # ---- the launch --------------------------------------------------------------------------------------------------
    def begin(self, head: bytearray, address: int, space: Any, threads: int, warps: int, shared: int,
              more: Callable[[], Any], work: Callable[[Any], None]) -> None:
        """The memory in which blocks run gets state for the checker."""
        self.head, self.warps, self.threads = head, warps, threads
        x, y, z, *block = struct.unpack_from("<6i", head, Launch.GRID[0])
        self.grid, self.block = [x, y, z], block
        self.shared_bytes = shared
        self.launch[shadow.MIXED // 8] = len(space.blocks) > 1
        begin = struct.unpack_from("<i", head, Launch.SHARED_BYTES + 4)[0]  # the launch's own, at the end
        self.dynamic = shared - begin, begin
        self.states: dict[int, State] = {}
        self.frames: dict[int, tuple[int, int]] = {}
        self._frame_bytes = space.frame_bytes
        self._attach(space)
        self._first_space, self._more, self._work = space, more, work
        self._deadline = deadlines.begin(self.timeout, functools.partial(self._stop, address))

    def mix(self) -> None:
        """From now on blocks run by turns."""
        self.launch[shadow.MIXED // 8] = 1
        for state in self.states.values():
            state.put(shadow.USUAL, 0)

    @functools.cached_property
    def turns(self) -> Turns:
        """Blocks that wait for each other."""
        self._has_turns = True
        return Turns(self, self._first_space, lambda: self._attach(self._more()), self._work)

    def _attach(self, space: Any) -> Any:
        """Blocks get state for the checker; where the memory is that of an earlier launch, they have it already."""
        of = (self.threads, self.shared_bytes, self.dynamic[1], self.checked["shared_cell"], self.checked["copies"],
              self.checked["shared"])
        known = self.stamps.spaces.get(space.block)
        alone = len(space.blocks) == 1 and not self.checked["clusters"]
        if known is None or known[0] is not space or known[1] != of or not alone:
            if len(self.stamps.spaces) > _MOST_SPACES:
                self.stamps.spaces.clear()
            states = [self._new_state(space, block) for block in space.blocks]
            cluster_checks.attach(self, states)
            known = self.stamps.spaces[space.block] = space, of, states
        for number, (block, state) in enumerate(zip(space.blocks, known[2], strict=True)):
            _NUMBER.from_address(block + Block.CHECK).value = state.address
            state.number = -1
            self.states[state.address] = state
            self.frames[state.address] = space.frames[number], space.frame_bytes * self.warps
        return space

    def _new_state(self, space: Any, block: int) -> State:
        cell, whole = self.checked["shared_cell"], -(-self.threads // _WARP) * _WARP
        count = -(-self.shared_bytes // cell) + 128
        template = np.full(count, shadow.OUTSIDE, np.uint64)
        for place, size in (*(each[1:] for each in self.checked["shared"] if each[2]), self.dynamic):
            template[place // cell:(place + size) // cell] = shadow.UNWRITTEN
        memory = np.zeros(shadow.BLOCK_BYTES + 64, np.uint8)
        address = memory.ctypes.data + -memory.ctypes.data % 64
        rows = zeros((shadow.MOST_THREADS, shadow.MOST_THREADS), np.uint32)
        cells = zeros((3, count), np.uint64)
        queues = np.zeros(shadow.QUEUE * whole if self.checked["copies"] else 0, np.uint8)
        base = ctypes.c_int64.from_address(block + Block.SHARED).value
        state = State(address, rows, whole, cells, (memory, template, queues))
        for place, value in (
                (shadow.LAUNCH, self.launch.ctypes.data), (shadow.ROWS, rows.ctypes.data), (shadow.THREADS, whole),
                (shadow.SHARED + shadow.BASE, base), (shadow.SHARED + shadow.LENGTH, self.shared_bytes),
                (shadow.SHARED + shadow.WRITES, cells[0].ctypes.data),
                (shadow.SHARED + shadow.READS, cells[1].ctypes.data),
                (shadow.SHARED + shadow.OTHERS, cells[2].ctypes.data),
                (shadow.SHARED + shadow.SHIFT, cell.bit_length() - 1), (shadow.TEMPLATE, template.ctypes.data),
                (shadow.CELLS, count), (shadow.QUEUES, queues.ctypes.data if queues.size else 0),
                (shadow.FRAMES, space.frame_bytes * self.warps)):
            state.put(place, value)
        return state

    def drain(self) -> None:
        if self._has_turns:
            self.turns.drain()

    def _stop(self, address: int) -> None:
        ctypes.c_int32.from_address(address + Launch.STOP).value = 1

    def end(self, failure: Any) -> None:
        deadlines.call_off(self._deadline)
        for state in self.states.values() if failure is None else ():
            self._block_over(state)
        self.failure = failure
        if self.error is not None:
            raise self.error

    def close(self) -> None:
        """Lets its memory go, for the next launch where this one has left no traces in it."""
        if not (self.mistakes or self.failure or self._has_turns or self._touched):
            self.guesses[:] = 0
            self.stamps.give_back()

    # ---- what it is told ---------------------------------------------------------------------------------------------
    def told(self, what: int, b: int, one: int, two: int, three: int, four: int) -> int:
        try:
            self._touched |= what < 8
            state = self.current(self.states[b])
            return self._handlers[what](self, what, state, one, two, three, four) or 0
        except BaseException as error:  # goes on in Python, when the launch has ended
            self.error = self.error or error
            ctypes.c_int32.from_buffer(self.head, Launch.STOP).value = 1
            return 0

    def current(self, state: State) -> State:
        """For the block that runs now."""
        if state.word(shadow.NUMBER) != state.number:
            self._block_over(state)
            state.fresh()
        return state

    def index(self, number: int) -> tuple[int, int, int]:
        """The index of a block by its number in the order of beginning: cluster by cluster."""
        sizes = self.checked["cluster"]
        cluster, rank = divmod(number - 1, math.prod(sizes))
        index = []
        for all_of_it, size in zip(self.grid, sizes, strict=True):
            cluster, of_cluster = divmod(cluster, all_of_it // size)
            rank, of_block = divmod(rank, size)
            index.append(of_cluster * size + of_block)
        x, y, z = index
        return x, y, z

    def one_cluster(self, *numbers: int) -> bool:
        """Whether these are blocks of one cluster."""
        return len({(number - 1) // math.prod(self.checked["cluster"]) for number in numbers}) == 1

    def block_of(self, stamp: int) -> int:
        return int(self.owners[phase_of(stamp)])

    def note(self, key: tuple, mistake: Told) -> Told:
        known = self.mistakes.setdefault(key, mistake)
        known.threads.add((mistake.block, mistake.thread))
        return known

    def counted_out(self, mistake: Told) -> bool:
        """Whether there may have been more of it than the code has told."""
        return mistake.what < 8 and self.stamps.times_told(mistake.what, mistake.site) >= shadow.MOST_TOLD

    def tell(self, what: int, state: State, thread: int, site: int, *, address: int = 0, size: int = 0, kind: int = 0,
             other: int = 0, words: str = "") -> None:
        """A mistake that is found in Python."""
        self.note((what, site, site_of(other)), Told(what, site, state.number, thread, address, size, kind, other,
                                                     self.block_of(other) if other < shadow.SPECIAL else state.number,
                                                     words=words))

    def _block_over(self, state: State) -> None:
        if state.number >= 0:
            bulk.left_over(self, state, state.bulk)

    def _access(self, what: int, state: State, at: int, me: int, other: int, packed: int) -> None:
        size, kind = packed & 0xFFFF, packed >> 16
        self.note((what, site_of(me), 0), Told(what, site_of(me), state.number, thread_of(me), at, size, kind, other))

    def _copy(self, what: int, state: State, at: int, me: int, other: int, packed: int) -> None:
        size, kind = packed & 0xFFFF, packed >> 16
        mistake = Told(what, site_of(me), state.number, thread_of(me), at, size, kind, other)
        mistake.other_block = bulk.issuer(state, at, other).number
        self.note((what, mistake.site, site_of(other)), mistake)

    def _race(self, what: int, state: State, at: int, me: int, other: int, packed: int) -> None:
        size, kind = packed & 0xFFFF, packed >> 16
        mistake = Told(what, site_of(me), state.number, thread_of(me), at, size, kind, other, self.block_of(other))
        if self._is_guessed(mistake):
            return
        atomic = shadow.ATOMIC
        if kind & 256 and kind & shadow.WRITE and not kind & atomic and not other & 1:
            mistake.one_value = self._one_value(mistake, state, me, other)
        key = what, mistake.site, site_of(other), mistake.other_block == state.number
        known = self.note(key, mistake)
        one_value = known.one_value and mistake.one_value
        if known.within_warp and not mistake.within_warp:  # whoever mends that one has mended both
            known = self.mistakes[key] = replace(mistake, threads=known.threads)
        known.one_value = one_value

    def _is_guessed(self, race: Told) -> bool:
        """Whether it is of an atomic operation with a plain read that began a loop of compare-and-swaps."""
        atomic, write, plain = race.kind & shadow.ATOMIC, race.kind & shadow.WRITE, not race.other & 3
        of_last_write = bool(race.kind & 256)
        return bool(atomic and not of_last_write and plain and self.guesses[site_of(race.other)]
                    or not atomic and not write and race.other & 1 and self.guesses[race.site])

    def _guess(self, what: int, state: State, stamp: int, *none: int) -> None:
        self.mistakes = {key: each for key, each in self.mistakes.items()
                         if each.what != shadow.RACE or not self._is_guessed(each)}

    def _one_value(self, mistake: Told, state: State, me: int, other: int) -> bool:
        """Whether two plain writes write the same: the values of this warp are at hand, those of an earlier
        instruction in memory."""
        each, count = self.values[:16].view(np.uint64)
        if not each:
            return False
        lane = mistake.thread % _WARP

        def value(lane: int) -> bytes:
            return b"".join(self.values[64 + 512 * k + each * lane:64 + 512 * k + each * (lane + 1)].tobytes()
                            for k in range(int(count)))

        each = int(each)
        # Each lane's own clock: a fence of one lane alone moves its clock on.
        now = state.clocks(np.array([thread_of(other)]))[0] == clock_of(other)
        if now and (other ^ me) >> THREAD_SHIFT + 5 == 0 and site_of(me) == site_of(other):
            return value(lane) == value(thread_of(other) % _WARP)
        return value(lane) == ctypes.string_at(mistake.address, mistake.size)

    # ---- fences ------------------------------------------------------------------------------------------------------
    def _fence(self, what: int, state: State, word: int, scope: int, further: int, none: int) -> None:
        threads = (word & 31) * _WARP + lanes_of(word >> 5 & 0xFFFFFFFF)
        for fences in (state.fences[1:], [*state.fences, state.before_arrivals], [state.before_arrivals])[scope]:
            fences.rows[threads] = state.rows[threads, :state.threads]
            fences.rows[threads, threads] = state.clocks(threads)
            fences.phase[threads], fences.clock[threads] = state.phase, state.clocks(threads)
        if scope != shadow.OF_ARRIVALS:
            state.put(shadow.FENCED, 1)
            state.put(shadow.PUBLISHED_AT, 0)
        state.put(shadow.WIDE, 1)
        state.tick(threads)

    def _publish(self, what: int, state: State, now: int, address: int, *none: int) -> None:
        thread, first = thread_of(now), state.word(shadow.FIRST) >> PHASE_SHIFT
        for scope, fences in enumerate(state.fences):
            if not fences.phase.any():
                continue
            at = self.released[scope].setdefault(address, {})
            moments = at.get(first)
            if moments is None:
                moments = at[first] = np.zeros(state.threads, np.int64)
            if fences.phase[thread]:
                np.maximum(moments, fences.phase[thread] << 32 | fences.rows[thread].astype(np.int64), out=moments)
            known = (fences.phase > 0) & ((fences.phase < state.phase) | (state.rows[thread, :state.threads]
                                                                         >= fences.clock))
            np.maximum(moments, np.where(known, fences.phase << 32 | fences.clock, 0), out=moments)
            self.launch[shadow.RELEASED // 8] += 1

    def _seen(self, what: int, state: State, now: int, address: int, *none: int) -> None:
        if address in self.released[0] or address in self.released[1]:
            state.acquired.setdefault((thread_of(now), address), now)

    def ordered(self, state: State, stamp: int, thread: int) -> bool:
        phase = phase_of(stamp)
        if phase == state.phase:
            other = thread_of(stamp)
            return other == thread or bool(state.rows[thread, other] >= clock_of(stamp))
        return self.block_of(stamp) == state.number

    def by_fences(self, state: State, now: int, stamp: int) -> bool:
        """Whether fences and atomic operations order an access before what a thread does now."""
        return bool(self.launch[shadow.RELEASED // 8]) and bool(self._by_fences(0, state, now, stamp))

    def _by_fences(self, what: int, state: State, now: int, stamp: int, *none: int) -> int:
        owner = self.block_of(stamp)
        if state.cluster.knows(self, state, np.array([stamp], np.uint64), thread_of(now))[0]:
            return 1
        first = self._firsts.get(owner)
        if first is None:
            began = self.stamps.began >> PHASE_SHIFT
            of_launch = self.owners[began:int(self.launch[shadow.PHASES // 8]) + 1]
            first = self._firsts[owner] = began + int(np.argmax(of_launch == owner))
        scope = 1 if owner == state.number else 0
        moment, other = phase_of(stamp) << 32 | clock_of(stamp), thread_of(stamp)
        for (_, address), when in state.acquired.items():
            moments = self.released[scope].get(address, {}).get(first)
            if moments is not None and moments[other] >= moment and self.ordered(state, when, thread_of(now)):
                return 1
        return 0

    # ---- barriers ----------------------------------------------------------------------------------------------------
    def _arrive(self, what: int, state: State, word: int, number: int, count: int, none: int) -> None:
        lanes = lanes_of(word >> 5 & 0xFFFFFFFF)
        threads = (word & 31) * _WARP + lanes
        expected = state.expected.setdefault(number, count)
        if count % _WARP or expected != count:
            words = (f"a barrier of {count} threads: the number must be a multiple of 32" if count % _WARP else
                     f"barrier {number} used with {count} threads here and with {expected} before")
            held = self.held(state, word & 31).items()
            site = next((site for site, waiting in held if waiting >> int(lanes[0]) & 1), word >> 40)
            self.tell(shadow.MISUSE, state, int(threads[0]), site, words=words)
        state.release(threads, number, len(lanes), count)
        if number not in state.arrived:
            state.expected.pop(number, None)

    def _leave(self, what: int, state: State, word: int, number: int, count: int, none: int) -> None:
        state.acquire((word & 31) * _WARP + lanes_of(word >> 5 & 0xFFFFFFFF), number)

    def looping(self) -> list[tuple[State, int, int]]:
        """Warps that go round in loops: the block's state, the warp, and a site of the loop."""
        found = []
        words = (len(self.checked["lines"]) + 63) // 64
        for state in self.states.values():
            for warp, each in enumerate(self.waiting(state)):
                frame = self.frames[state.address][0] + warp * self._frame_bytes + layout.WARP_BYTES_BEFORE_REGISTERS
                blocks = [64 * k + bit for k in range(words) for bit in range(64)
                          if each[0] == layout.RUNNABLE and _NUMBER.from_address(frame + 8 * k).value >> bit & 1]
                found += [(state, warp, self.checked["lines"][block]) for block in blocks[:1]]
        return found

    def waiting(self, state: State) -> list[tuple[int, int, int, int]]:
        """Of each warp of the block: state, lanes held, lanes there, barrier."""
        first, _ = self.frames[state.address]
        found = []
        for warp in range(self.warps):
            frame = first + warp * self._frame_bytes
            found.append(tuple(ctypes.c_uint32.from_address(frame + place).value
                               for place in (Warp.STATE, Warp.HELD, Warp.PRESENT, Warp.BARRIER)))
        return found

    def held(self, state: State, warp: int) -> dict[int, int]:
        """The lanes of a warp that wait for the block, by the sites of their barriers."""
        return lanes_held(self.compiled, self.frames[state.address][0] + warp * self._frame_bytes)

    def _barrier(self, what: int, state: State, *none: int) -> None:
        """A barrier that not all threads of the block reach, or not at one place."""
        warps = self.waiting(state)
        held = [each[1] if each[0] != layout.DONE else 0 for each in warps]
        missing = sum((each[2] & ~lanes).bit_count() for each, lanes in zip(warps, held, strict=True))
        firsts = sorted((number * _WARP + (lanes & -lanes).bit_length() - 1, site) for number in range(len(warps))
                        if held[number] for site, lanes in self.held(state, number).items())
        other, other_site = firsts[0]
        thread, site = next((each for each in firsts if each[1] != other_site), firsts[0])
        if site != other_site:
            words = f"thread {other} of the block waits at another barrier"
            key = (what, *sorted((site, other_site)))
            mistake = Told(what, site, state.number, thread, words=words, other_block=state.number,
                           other=state.word(shadow.PHASE) | other << THREAD_SHIFT | 1 << CLOCK_SHIFT
                           | other_site << shadow.SITE_SHIFT)
        else:
            words = (f"reached by {sum(map(int.bit_count, held))} threads of the block while {missing} "
                     "have exited")
            key, mistake = (what, site, 0), Told(what, site, state.number, thread, words=words)
        self.note(key, mistake)

    # ---- warps -------------------------------------------------------------------------------------------------------
    def _absent(self, what: int, state: State, word: int, named_at: int, live: int, none: int) -> None:
        mask, warp, site = word >> 5 & 0xFFFFFFFF, word & 31, word >> 40
        named = np.ctypeslib.as_array((ctypes.c_uint32 * 32).from_address(named_at)).copy()
        for lane in lanes_of(mask):
            members = int(named[lane])
            if not members >> lane & 1:
                words = f"the calling lane {lane} is not in its mask 0x{members:08x}"
            elif members & ~mask:
                barrier = self._barrier_of(state, warp, members & ~mask) if not members & ~mask & ~live else None
                if barrier is not None:
                    return self._stuck(state, warp * _WARP + int(lane), site, members & ~mask, *barrier)
                words = self._missing(members & ~mask, members, live)
            elif any(int(named[each]) != members for each in lanes_of(members)):
                words = f"lanes of the mask 0x{members:08x} name other masks"
            else:
                continue
            self.note((what, site, words[:12]), Told(what, site, state.number, warp * _WARP + int(lane), words=words))

    def _barrier_of(self, state: State, warp: int, lanes: int) -> tuple[int, int] | None:
        """Where so many lanes of a warp wait for the block, or come to wait before they could do anything else: the
        barrier's site and one of them. None where they do not."""
        frame = self.frames[state.address][0] + warp * self._frame_bytes

        def word(place: int) -> int:
            return ctypes.c_uint32.from_address(frame + place).value

        sites = {site: lanes & held for site, held in self.held(state, warp).items()}
        barriers = self.checked["barriers"]
        pending = layout.WARP_BYTES_BEFORE_REGISTERS + (len(barriers) + 63) // 64 * 8
        for block, site in enumerate(barriers):
            if site >= 0:
                sites[site] = sites.get(site, 0) | lanes & word(pending + 4 * block)
        found = {site: there for site, there in sites.items() if there}
        if sum(found.values()) != lanes:
            return None
        site, there = max(found.items(), key=lambda each: each[1].bit_count())
        return site, (there & -there).bit_length() - 1

    def _stuck(self, state: State, thread: int, site: int, lanes: int, barrier: int, lane: int) -> None:
        words = (f"a collective waits for {lanes.bit_count()} lane{'s' * (lanes.bit_count() > 1)} of its mask, which "
                 f"wait{'s' * (lanes.bit_count() == 1)} for the block")
        other = (state.word(shadow.PHASE) | thread // _WARP * _WARP + lane << THREAD_SHIFT | 1 << CLOCK_SHIFT
                 | barrier << shadow.SITE_SHIFT)
        self.note((shadow.STUCK, site, 0), Told(shadow.STUCK, site, state.number, thread, other=other,
                                                other_block=state.number, words=words))

    def _unknown_lane(self, what: int, state: State, word: int, source: int, form: int, none: int) -> None:
        warp, site, lane = word & 31, word >> 40, int(lanes_of(word >> 5 & 0xFFFFFFFF)[0])
        if form:
            self.tell(shadow.MISUSE, state, warp * _WARP + lane, site, words="a shuffle's width is no power of two")
            return
        words, other = f"it reads from lane {source & 31}, which takes no part in it: the value is undefined", 0
        if self.checked["lanes_apart"]:  # told only where lanes that are together take part
            words = ("a shuffle reads from lanes that __activemask() need not name: it says who is active at this "
                     "moment, not who is to take part")
            other = (state.word(shadow.PHASE) | warp * _WARP + lane << THREAD_SHIFT | 1 << CLOCK_SHIFT
                     | site << shadow.SITE_SHIFT)
            asked = self.checked["asked"]
            site = max((each for each in asked if each < site), default=asked[0])
        self.note((shadow.ABSENT, site, "source"), Told(shadow.ABSENT, site, state.number, warp * _WARP + lane,
                                                        other=other, other_block=state.number, words=words))

    @staticmethod
    def _missing(missing: int, members: int, live: int) -> str:
        gone = missing & ~live
        lane = ((gone or missing) & -(gone or missing)).bit_length() - 1
        if gone:
            return f"lane {lane} of the mask 0x{members:08x} has left the kernel"
        return f"lane {lane} of the mask 0x{members:08x} does not take part"

    def _divided(self, what: int, state: State, word: int, *none: int) -> None:
        for lane in lanes_of(word >> 5 & 0xFFFFFFFF):
            self.tell(what, state, (word & 31) * _WARP + int(lane), word >> 40, words=_DIVIDED)

    def _counts(self, what: int, state: State, word: int, at: int, *none: int) -> None:
        bulk.counted(self, state, word, at)

    def _waited(self, what: int, state: State, word: int, at: int, *none: int) -> None:
        bulk.waited(self, state, word, at)

    def _bulk(self, what: int, state: State, word: int, at: int, *none: int) -> None:
        self._touched = True
        bulk.issued(self, state, word, at)

    def _bulk_wait(self, what: int, state: State, word: int, groups: int, how: int, none: int) -> None:
        bulk.stores_waited(self, state, word, groups, how)

    def _cluster_arrive(self, what: int, state: State, word: int, relaxed: int, *none: int) -> None:
        state.cluster.arrive(state, (word & 31) * _WARP + lanes_of(word >> 5 & 0xFFFFFFFF), bool(relaxed))

    def _cluster_complete(self, what: int, state: State, *none: int) -> None:
        state.cluster.complete()

    def _cluster_waited(self, what: int, state: State, word: int, *none: int) -> None:
        state.cluster.waited(state, (word & 31) * _WARP + lanes_of(word >> 5 & 0xFFFFFFFF))

    def _lifetime(self, what: int, state: State, at: int, me: int, other: int, packed: int) -> None:
        if not state.cluster.is_alive(self, state, at, me, what == shadow.TOO_EARLY):
            self._access(what, state, at, me, other, packed)

    def _spin(self, what: int, state: State, *none: int) -> None:
        self.turns.spins(state)

    def _too_long(self, what: int, state: State, *none: int) -> None:
        raise RuntimeError(f"the checker tells {shadow.MOST_PHASES} barriers and blocks of a launch apart, and this "
                           "one has more: check a smaller grid")

    _handlers: dict[int, Callable[..., Any]] = {
        shadow.RACE: _race, shadow.BEYOND: _access, shadow.UNINITIALISED: _access, shadow.MISALIGNED: _access,
        shadow.PENDING: _copy, shadow.FROM_COPY: _copy, shadow.NEVER_WAITED: _access, shadow.ABSENT: _absent,
        shadow.FENCES: _by_fences, shadow.FENCE: _fence, shadow.PUBLISH: _publish, shadow.SEEN: _seen,
        shadow.TOO_LONG: _too_long, shadow.ARRIVE: _arrive, shadow.LEAVE: _leave, shadow.BARRIER: _barrier,
        shadow.COUNTS: _counts, shadow.WAITED: _waited, shadow.BULK: _bulk, shadow.BULK_WAIT: _bulk_wait,
        shadow.SPIN: _spin, shadow.SHUFFLE: _unknown_lane, shadow.GUESS: _guess, shadow.DIVIDED: _divided,
        shadow.CLUSTER_ARRIVE: _cluster_arrive, shadow.CLUSTER_COMPLETE: _cluster_complete,
        shadow.CLUSTER_WAITED: _cluster_waited, shadow.TOO_EARLY: _lifetime, shadow.TOO_LATE: _lifetime}
