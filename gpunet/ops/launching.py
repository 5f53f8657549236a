"""How the ops launch their kernels: what launch functions share."""

from __future__ import annotations

from gpunet.dtypes import BFLOAT16_NP, FLOAT16_NP, FLOAT32_NP, FLOAT64_NP

THREADS = 256

# The types that our kernels compute with.
KERNEL_TYPES = frozenset({FLOAT16_NP, BFLOAT16_NP, FLOAT32_NP, FLOAT64_NP})


def blocks_of(count: int, each: int) -> int:
    return -(-count // each)


def aligned(*arrays) -> bool:
    """Whether 16-byte accesses may start at these arrays."""
    return all([array is None or array.data.ptr % 16 == 0 for array in arrays])


def pack_of(dtype, *arrays) -> int:
    """Elements in a 16-byte access, or 1 where an array does not start at a multiple of 16 bytes."""
    return 16 // dtype.itemsize if aligned(*arrays) else 1


def spread(cuda, threads: int) -> int:
    """Blocks for kernels that stride over the grid: enough to fill the device, few enough to start quickly."""
    return min(blocks_of(threads, THREADS), cuda.sm_count * 16)
