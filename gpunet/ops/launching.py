"""How the ops launch their kernels: what launch functions share."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import numpy as np

from gpunet.dtypes import BFLOAT16_NP, FLOAT16_NP, FLOAT32_NP, FLOAT64_NP
from gpunet.ops.rules import accumulator

THREADS = 256

# The types that our kernels compute with.
FLOATS = (FLOAT32_NP, FLOAT64_NP, FLOAT16_NP, BFLOAT16_NP)
KERNEL_TYPES = frozenset(FLOATS)


def by_type() -> Iterator[tuple]:
    """The instances <type, type of its sums> of a kernel."""
    for dtype in FLOATS:
        yield dtype, accumulator(dtype)


def by_type_and_pack() -> Iterator[tuple]:
    """The instances <type, type of its sums, elements in an access> of a kernel that takes `pack_of`."""
    for dtype, wide in by_type():
        yield dtype, wide, 16 // dtype.itemsize
        yield dtype, wide, 1


def blocks_of(count: int, each: int) -> int:
    return -(-count // each)


def aligned(*arrays) -> bool:
    """Whether 16-byte accesses may start at these arrays."""
    return all([array is None or array.data.ptr % 16 == 0 for array in arrays])


def in_a_piece(cuda, array):
    """The array, or a C-contiguous copy, for launches that take others' operands as they lie. None is no array."""
    return array if array is None or array.flags.c_contiguous else cuda.xp.ascontiguousarray(array)


def pack_of(dtype, *arrays) -> int:
    """Elements in a 16-byte access, or 1 where an array does not start at a multiple of 16 bytes."""
    return 16 // dtype.itemsize if aligned(*arrays) else 1


def spread(cuda, threads: int) -> int:
    """Blocks for kernels that stride over the grid: enough to fill the device, few enough to start quickly."""
    return min(blocks_of(threads, THREADS), cuda.sm_count * 16)


def tiles_of(columns: int, pack: int) -> tuple[int, int]:
    """Of a kernel whose lanes run along columns: how many lanes do, a power of two, at most 128 bytes wide for elements
    of 4; and how many tiles of so many columns there are."""
    lanes = min(1 << (blocks_of(columns, pack) - 1).bit_length(), 8 if pack > 1 else 32)
    return lanes, blocks_of(columns, lanes * pack)


# Divisor of common.cuh.
DIVISOR = np.dtype([("value", "u4"), ("factor", "u4"), ("shift", "u4")])


def factor_of(d: int) -> tuple[int, int]:
    """(factor, shift) with i / d = (high word of i * factor + i) >> shift for 0 <= i < 2^31."""
    shift = (d - 1).bit_length()
    return ((1 << 32) * ((1 << shift) - d)) // d + 1, shift


@lru_cache(maxsize=4096)
def divisor(d: int) -> np.ndarray:
    """A number from 1 to 2^31 - 1 as what kernels divide by."""
    return np.array((d, *factor_of(d)), DIVISOR)
