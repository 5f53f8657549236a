"""Memory for a recorded step (gpunet.compile): what its calls make, and nobody else can reach, lies in one arena, in
places that are used again and again.

    Notes          what is noted of calls while they are recorded; it keeps none of the memory that they make alive
    places         where each array lies, by the time from its first call to its last
    Plan           what came of it, for a reader
"""

from __future__ import annotations

import itertools
import mmap
import weakref
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from gpunet._channels_last import as_rows, lies_last
from gpunet.native import calls

ALIGNMENT = 64  # bytes: a line of the caches, and the widest vector


# ---- what a recorder notes -------------------------------------------------------------------------------------------


class Made:
    """An array that a recorded call has made."""

    __slots__ = ("reference", "shape", "strides", "dtype", "size", "first", "last", "array")

    def __init__(self, array: np.ndarray, number: int) -> None:
        self.reference = weakref.ref(array)
        self.shape, self.strides, self.dtype, self.size = array.shape, array.strides, array.dtype, array.nbytes
        self.first = self.last = number  # of the calls that it, or a view of it, takes part in
        self.array: Any = None  # in a replay

    def lie(self, memory: np.ndarray, offset: int) -> None:
        """Gives it its place in some bytes."""
        self.array = np.ndarray(self.shape, self.dtype, memory, offset, self.strides)


class View(NamedTuple):
    """A view of an array that a recorded call has made."""

    made: Made
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    dtype: np.dtype

    def array(self) -> np.ndarray:
        """The view, in a replay."""
        array = self.made.array
        memory = (as_rows(array) if lies_last(array) else array).reshape(-1).view(np.uint8)
        return np.ndarray(self.shape, self.dtype, memory, self.offset, self.strides)


class Notes:
    """Recorded calls. Of an array that a call makes a description is noted, so that its memory is freed as in an eager
    step. What is gone when the recording is over nobody can reach: a replay may put it where it likes."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, Sequence[Any], Sequence[Any], dict[str, Any]]] = []
        self.made: list[Made] = []
        self._found: dict[int, Made] = {}  # by the array's id, which another one may have later

    def add(self, op: Any, outs: Sequence[Any], arrays: Sequence[Any], attrs: dict[str, Any], fresh: int) -> None:
        """Notes a call. fresh: how many of `outs`, the first ones, are new memory that nobody has written."""
        number = len(self.calls)
        for out in outs[:fresh]:
            if out.__class__ is np.ndarray and out.base is None:
                self._found[id(out)] = made = Made(out, number)
                self.made.append(made)
        views: dict[int, View] = {}
        self.calls.append((op, tuple([self._noted(x, number, views) for x in outs]),
                           tuple([self._noted(x, number, views) for x in arrays]), attrs))

    def references(self, array: Any) -> int:
        """How often the noted calls refer to an array, so that it lives."""
        if self._of(array) is not None:
            return 0
        return sum([x is array for _, outs, arrays, _ in self.calls for some in (outs, arrays) for x in some])

    def _of(self, array: np.ndarray) -> Made | None:
        made = self._found.get(id(array))
        return made if made is not None and made.reference() is array else None

    def _noted(self, x: Any, number: int, views: dict[int, View]) -> Any:
        if x.__class__ is not np.ndarray:
            return x
        base = x.base
        made = self._of(x if base is None else base)
        if made is None:
            return x
        made.last = number
        if base is None:
            return made
        if (view := views.get(id(x))) is None:
            offset = x.__array_interface__["data"][0] - base.__array_interface__["data"][0]
            view = views[id(x)] = View(made, offset, x.shape, x.strides, x.dtype)
        return view

    def gone(self) -> list[Made]:
        """The arrays that nobody can reach any more. The others have their `array` from now on."""
        for made in self.made:
            made.array = made.reference()
        return [made for made in self.made if made.array is None]

    def real(self) -> list[tuple[Any, Sequence[Any], Sequence[Any], dict[str, Any]]]:
        """The calls with arrays, when each `Made` has its own."""
        views: dict[int, np.ndarray] = {}  # `x is y` in an op's body says the same as it did

        def real(x: Any) -> Any:
            if x.__class__ is Made:
                return x.array
            if x.__class__ is not View:
                return x
            if (array := views.get(id(x))) is None:
                array = views[id(x)] = x.array()
            return array

        return [(op, tuple([real(x) for x in outs]), tuple([real(x) for x in arrays]), attrs)
                for op, outs, arrays, attrs in self.calls]


# ---- places ----------------------------------------------------------------------------------------------------------


def places(sizes: Sequence[int], firsts: Sequence[int], lasts: Sequence[int]) -> tuple[list[int], int]:
    """Where arrays lie that are needed from a first to a last time, both included, and how many bytes that takes.

    The largest comes first, and each takes the smallest gap that is large enough between those that are needed at one
    time with it: Pisarchyk and Lee, "Efficient Memory Management for Deep Neural Net Inference", 2020.
    """
    rooms = [-(-size // ALIGNMENT) * ALIGNMENT for size in sizes]
    order = sorted(range(len(sizes)), key=lambda i: (-rooms[i], firsts[i]))
    first, last, begin, end = np.empty((4, len(sizes)), np.int64)  # of those that have their place, in that order
    found = [0] * len(sizes)
    for k, i in enumerate(order):
        others = np.flatnonzero((first[:k] <= lasts[i]) & (last[:k] >= firsts[i]))
        others = others[np.argsort(begin[others], kind="stable")]
        tops = np.concatenate([[0], np.maximum.accumulate(end[others])])  # the end of all that lies before each gap
        gaps = begin[others] - tops[:-1]
        fits = np.flatnonzero(gaps >= rooms[i])
        place = tops[fits[np.argmin(gaps[fits])]] if len(fits) else tops[-1]
        found[i] = int(place)
        first[k], last[k], begin[k], end[k] = firsts[i], lasts[i], place, place + rooms[i]
    return found, int(end.max(initial=0))


def untouched(arrays: Sequence[Made]) -> None:
    """Gives arrays addresses of their own: pages that nobody touches cost nothing."""
    rooms = [-(-made.size // ALIGNMENT) * ALIGNMENT for made in arrays]
    memory = np.frombuffer(mmap.mmap(-1, max(1, sum(rooms))), np.uint8)
    place = 0
    for made, room in zip(arrays, rooms, strict=True):
        made.lie(memory, place)
        place += room


def arena(size: int, empty: Callable[..., np.ndarray]) -> np.ndarray:
    """Some bytes that begin at a multiple of ALIGNMENT. empty: `empty(shape, dtype)`."""
    for room in (size, size + ALIGNMENT):
        memory = empty((room,), np.dtype(np.uint8))
        begin = -memory.__array_interface__["data"][0] % ALIGNMENT
        if begin + size <= room:
            break
    return memory[begin : begin + size]


def spans(lengths: Sequence[int], together: Sequence[tuple[int, int]]) -> tuple[list[int], list[int]]:
    """For each call the first and the last one that may be carried out at the same time.

    Args:
        lengths: of each call, how many steps it has.
        together: first step, and how many, of those that are carried out piece by piece.
    """
    begins, ends = list(range(len(lengths))), list(range(len(lengths)))
    owner = [number for number, length in enumerate(lengths) for _ in range(length)]
    for first, count in together:
        low, high = owner[first], owner[first + count - 1]
        for number in range(low, high + 1):
            begins[number] = min(begins[number], low)
            ends[number] = max(ends[number], high)
    return begins, ends


# ---- what came of it -------------------------------------------------------------------------------------------------


class Plan(NamedTuple):
    """The memory of a recorded step.

    Attributes:
        calls: how many calls of ops the step makes.
        arrays: how many arrays it makes that nobody else can reach.
        separate: their bytes, each in memory of its own.
        arena: the bytes of the arena that they lie in.
        unwritten: bytes of `separate` that are never written, because a chain of calls keeps them in the cache.
        kept: bytes of other arrays that the step makes: results, gradients, and what else can be seen outside.
    """

    calls: int
    arrays: int
    separate: int
    arena: int
    unwritten: int
    kept: int

    def __str__(self) -> str:
        def mb(size: int) -> str:
            return f"{size / 1e6:.1f} MB"

        return (f"{self.calls} calls: {self.arrays} arrays, {mb(self.separate)}, in an arena of {mb(self.arena)} "
                f"({mb(self.unwritten)} are never written); {mb(self.kept)} are kept outside of it")


def settle(notes: Notes, steps_of: Callable[..., list[Any]],
           take: Callable[[int], np.ndarray]) -> tuple[Callable[[], None], Plan]:
    """A program of recorded calls, the arrays of which have their places, and the plan.

    Args:
        notes: the calls.
        steps_of: the steps of a call, for `calls.program`.
        take: an arena of so many bytes.
    """
    gone = notes.gone()
    untouched(gone)
    program, lengths = _build(notes, gone, steps_of)  # to know which calls are carried out together
    begins, ends = spans(lengths, [chain[:2] for chain in program.chains])
    unwritten = set(map(id, program.unwritten))
    placed = [made for made in gone if id(made.array) not in unwritten]  # the others stay where they are
    found, total = places([made.size for made in placed], [begins[made.first] for made in placed],
                          [ends[made.last] for made in placed])
    del program
    memory = take(total)
    for made, place in zip(placed, found, strict=True):
        made.lie(memory, place)
    program, _ = _build(notes, gone, steps_of)
    separate, every = (sum([made.size for made in some]) for some in (gone, notes.made))
    never = separate - sum([made.size for made in placed])
    return program, Plan(len(notes.calls), len(gone), separate, total, never, every - separate)


def _build(notes: Notes, gone: Sequence[Made], steps_of: Callable[..., list[Any]]) -> tuple[Any, list[int]]:
    """A program of the calls, with their arrays where these are now, and how many steps each call has."""
    steps = [steps_of(*call) for call in notes.real()]
    lengths = [len(each) for each in steps]
    starts = [0, *itertools.accumulate(lengths)]
    hidden = {id(made.array): (starts[made.first], starts[made.last + 1] - 1) for made in gone}
    return calls.program([step for each in steps for step in each], hidden), lengths
