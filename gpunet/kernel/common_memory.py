"""NumPy arrays that a launch is given and that have memory in common: what a checker copies of them has it, too."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np


def common(arrays: Iterable[np.ndarray], others: Sequence[tuple[int, int]] = ()) -> list[np.ndarray]:
    """The arrays that have memory in common with others of them, or with other (address, bytes). Those in steps, which
    are copied to lie one element after another, are left out."""
    spans = [(each.__array_interface__["data"][0], each.nbytes, each) for each in arrays
             if each.nbytes and each.flags.c_contiguous]
    if len(spans) + len(others) < 2:
        return []
    found: dict[int, np.ndarray] = {}
    end, last = 0, None
    for start, size, array in sorted([*spans, *((*each, None) for each in others)], key=lambda each: each[:2]):
        if start < end:
            found |= {id(each): each for each in (last, array) if each is not None}
        if start + size > end:
            end, last = start + size, array
    return list(found.values())


def joined(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Memory as (address, bytes), each byte once."""
    found: list[tuple[int, int]] = []
    for start, size in sorted(spans):
        if found and start < sum(found[-1]):
            found[-1] = found[-1][0], max(sum(found[-1]), start + size) - found[-1][0]
        else:
            found.append((start, size))
    return found
