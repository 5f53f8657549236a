"""Work in pieces that stay in a CPU's cache: NumPy passes over its operands several times for one op, and new memory
for each temporary costs page faults. On a GPU everything is one piece."""

from __future__ import annotations

import numpy as np

BYTES = 1 << 18  # of one array in a piece (measured)


class Scratch(dict):
    """Arrays by shape, made when they are first asked for and used again for the next piece. `[shape, n]` is another
    one of that shape."""

    def __init__(self, make, dtype):
        self.make, self.dtype = make, np.dtype(dtype)

    def __missing__(self, key):
        shape = key[0] if key and isinstance(key[0], tuple) else key
        array = self[key] = self.make(shape, self.dtype)
        return array


def pieces(xp, length: int, total_bytes: int, most: int = BYTES) -> list[slice]:
    """Slices of a dimension of `length`, for arrays of total_bytes altogether."""
    step = length if xp is not np else max(1, most * length // max(1, total_bytes))
    return [slice(i, min(i + step, length)) for i in range(0, length, max(1, step))]
