"""Rows of a table by number on the devices cuda and sim: taken, or summed where they were taken from, in one launch."""

from __future__ import annotations

from math import prod

import numpy as np

from gpunet.dtypes import INT64_NP
from gpunet.kernel import Kernel
from gpunet.ops.launching import KERNEL_TYPES, THREADS, aligned, blocks_of, by_type
from gpunet.ops.rules import accumulator

_INDICES = (INT64_NP, np.dtype("int32"))
_UNITS = {1: "unsigned char", 2: "unsigned short", 4: "unsigned int", 8: "unsigned long long", 16: "uint4"}

_take = Kernel("scatter.cu", "take_rows",
               instances=lambda: ((unit, index) for unit in _UNITS.values() for index in _INDICES))
_sum = Kernel("scatter.cu", "sum_few_rows",
              instances=lambda: ((*kind, index) for kind in by_type() for index in _INDICES))

_STRIP = 32 * 4  # columns of a warp, as in scatter.cu
_MOST_INDICES = 4096
_MOST_LOOKS = 2**27  # of warps at indices, above which sorting these takes less


def take(cuda, out, x, index, key) -> bool:
    """out = x[index] along the first dimension; False where this kernel does not serve."""
    if not _serves(index, key, x.shape) or not (x.flags.c_contiguous and index.flags.c_contiguous):
        return False
    row = prod(x.shape[1:]) * x.dtype.itemsize
    most = 16 if aligned(out, x) else x.dtype.itemsize
    unit = next(size for size in (16, 8, 4, 2, 1) if size <= most and row % size == 0)
    units = row // unit
    launch = _take.on(cuda, _UNITS[unit], index.dtype)
    launch(blocks_of(index.size * units, THREADS), THREADS, out, x, index, cuda.errors, index.size, len(x), units,
           key.negative)
    return True


def put_sum(cuda, out, g, index, key, onto=None) -> bool:
    """out = the sums of rows of g where `index` says, plus `onto`; False where this kernel does not serve."""
    rows, columns = len(out), prod(out.shape[1:])
    strips = blocks_of(columns, _STRIP)
    few = index.size <= _MOST_INDICES and rows * strips * index.size <= _MOST_LOOKS
    if not _serves(index, key, out.shape) or not few or g.dtype not in KERNEL_TYPES or g.dtype != out.dtype:
        return False
    if not (g.flags.c_contiguous and index.flags.c_contiguous):
        return False
    launch = _sum.on(cuda, g.dtype, accumulator(g.dtype), index.dtype)
    launch(blocks_of(rows * strips, 8), THREADS, out, g, index, onto, cuda.errors, index.size, rows, columns, strips,
           key.negative)
    return True


def _serves(index, key, shape) -> bool:
    return key.dims == (0,) and not key.elementwise and index.dtype in _INDICES and 0 not in shape and index.size > 0
