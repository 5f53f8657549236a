"""Other sizes: launches with n - 1, n + 1 and 2 n + 1 elements in place of n.

What is varied is a whole number among the arguments that plainly is a length: no other argument is that number, and
arrays have a dimension of it, which then has the new one. Sizes grow where the grid plainly follows from n and from no
other dimension, and no dynamic shared memory may have been made for n. A kernel that takes integer arrays is left
alone: they may be indices, which say what sizes fit. A kernel may be meant for some sizes only, so what is found is a
warning.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gpunet.kernel.finding import Finding
from gpunet.kernel.unwritten import Unwritten, uninitialised

_PLAIN = 8  # a smaller number may be anything: heads, channels, a dimension by chance


@dataclass(frozen=True)
class Variant:
    """A launch with another size, and what differs in words."""

    grid: tuple[int, ...]
    args: tuple
    words: str


def variants(names: Sequence[str], grid: tuple[int, ...], block: tuple[int, ...], args: tuple,
             shared_mem: int) -> Iterator[Variant]:
    """The launches to try of a kernel whose parameters have these names, as far as they are known; none where the
    arguments do not say plainly what a length is."""
    arrays = [each for each in args if isinstance(each, np.ndarray) and each.ndim]
    if any(each.dtype.kind in "iu" and not isinstance(each, Unwritten) for each in arrays):
        return
    numbers = [int(each) for each in args if isinstance(each, int | np.integer) and not isinstance(each, bool)]
    for position, value in enumerate(args):
        if not isinstance(value, int | np.integer) or isinstance(value, bool):
            continue
        n = int(value)
        if n < _PLAIN or numbers.count(n) > 1 or not any(n in each.shape for each in arrays):
            continue
        name = (names[position] if position < len(names) else "") or f"argument {position}"
        for size in _sizes(n, grid, block, args, shared_mem):
            given: dict[int, np.ndarray] = {}
            others = tuple(_resized(each, n, size, given) for each in args)
            number: Any = type(value)(size)
            yield Variant(_grid(grid, block, n, size), (*others[:position], number, *others[position + 1:]),
                          f"with {name} = {size} in place of {n}, and arrays of that length")


def _sizes(n: int, grid: tuple[int, ...], block: tuple[int, ...], args: tuple, shared_mem: int) -> tuple[int, ...]:
    plain = all(isinstance(each, np.ndarray | np.generic | int | float | None) for each in args)
    lengths = {length for each in args if isinstance(each, np.ndarray) for length in each.shape}
    follows = [length for length in {n, *lengths} if _grid(grid, block, length, 2 * length + 1) != grid]
    return (n - 1, n + 1, 2 * n + 1) if plain and not shared_mem and follows == [n] else (n - 1,)


def _grid(grid: tuple[int, ...], block: tuple[int, ...], n: int, size: int) -> tuple[int, ...]:
    """Axes on which the blocks are as many as n elements need, one for a thread or one for a block, have as many as
    `size` elements need. One block may be there for any other reason."""
    new = []
    for blocks, threads in zip(grid, (*block, 1, 1), strict=False):
        if blocks > 1 and blocks == -(-n // threads):
            blocks = -(-size // threads)
        elif blocks > 1 and blocks == n:
            blocks = size
        new.append(blocks)
    return tuple(new)


def _resized(value: Any, n: int, size: int, given: dict[int, np.ndarray]) -> Any:
    """An array of its own with the new length and the old numbers, time and again; what is no array as it is."""
    if not isinstance(value, np.ndarray) or not value.ndim:
        return value
    if id(value) not in given:
        shape = tuple(size if each == n else each for each in value.shape)
        given[id(value)] = (uninitialised(shape, value.dtype) if isinstance(value, Unwritten)
                            else np.resize(value, shape).astype(value.dtype, copy=False))
    return given[id(value)]


_OF_THE_SIZE = frozenset(("race", "out of bounds", "uninitialised", "divergent barrier", "deadlock", "mask",
                          "misaligned", "async copy", "crash"))


def told(findings: Iterable[Finding], words: str, known: Iterable[Finding]) -> list[Finding]:
    """What such a launch does wrong and is not known from another one, as warnings."""
    places = {_place(each) for each in known}
    return [replace(each, message=f"{each.message} ({words})", severity="warning") for each in findings
            if each.severity == "error" and each.kind in _OF_THE_SIZE and _place(each) not in places]


def _place(finding: Finding) -> tuple:
    return finding.kind, finding.file, finding.line, finding.array
