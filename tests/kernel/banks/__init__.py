"""Bank conflicts and sectors of a warp's accesses, computed from their addresses.

Shared memory has 32 banks of 4 bytes. A warp's accesses of 4, 8 or 16 bytes are served 32, 16 or 8 lanes at a time, and
take as many turns as the most distinct words that lie in one bank. Global memory is read and written by sectors of 32.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

WARP = 32


def turns(addresses: Sequence[int], size: int) -> int:
    """The most turns that a part of the lanes takes: 1 is free of conflicts. ldmatrix: 16 bytes a lane."""
    at_a_time, most = 128 // size, 0
    for first in range(0, len(addresses), at_a_time):
        words = defaultdict(set)
        for address in addresses[first:first + at_a_time]:
            for word in range(address // 4, (address + size) // 4):
                words[word % 32].add(word)
        most = max(most, *map(len, words.values()))
    return most


def sectors(addresses: Sequence[int], size: int) -> int:
    """How many sectors a warp's access touches; size * 32 / 32 is the least."""
    return len({sector for address in addresses for sector in range(address // 32, (address + size - 1) // 32 + 1)})
