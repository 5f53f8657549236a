"""The launches of kernels/scan.cu: cumulative sums, products and logarithms of sums of exponentials, and recurrences,
on the devices cuda and sim."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

import numpy as np

from gpunet.dtypes import BOOL_NP, FLOAT64_NP, INT64_NP, UINT8_NP
from gpunet.kernel import Kernel
from gpunet.ops.launching import KERNEL_TYPES, THREADS, blocks_of, by_type, pack_of
from gpunet.ops.rules import accumulator

_INTEGERS = BOOL_NP, UINT8_NP, np.dtype("int32"), INT64_NP  # whose sums and products are int64
_ACROSS = 16  # neighbouring columns from which on lanes run along these
_MOST = 2**31 - 1
_RANGES, _BLOCKS = 256, 264  # of a row, at most; that should share the work
_LEAST, _LEAST_ACROSS = 8192, 512  # elements of a range, whose second launch pays


def _kinds() -> Iterator[tuple]:
    """Types of elements, of results and of arithmetic, and what is scanned."""
    for dtype, wide in by_type():
        yield from ((dtype, dtype, wide, function) for function in ("Sum", "Product", "LogSumExp", "Recurrence"))
    for dtype in _INTEGERS:
        yield from ((dtype, INT64_NP, INT64_NP, function) for function in ("Sum", "Product"))


def _packed(dtype, function) -> bool:
    """Whether rows are read by 16 bytes."""
    return dtype not in _INTEGERS and dtype != FLOAT64_NP and function != "Recurrence"


def _of_rows() -> Iterator[tuple]:
    for kind in _kinds():
        packs = (16 // kind[0].itemsize, 1) if _packed(kind[0], kind[3]) else (1,)
        yield from ((*kind, pack, lanes) for pack in packs for lanes in ((32, 0) if pack > 1 else (8, 32, 0)))


_rows = Kernel("scan.cu", "scan_rows", instances=_of_rows)
_columns = Kernel("scan.cu", "scan_columns", instances=_kinds)


def scan(cuda, out, x, dim: int, function: str, reverse: bool = False, factors=None):
    """out = x scanned along a dimension; factors: of a recurrence."""
    dtype, size = x.dtype, x.shape[dim]
    integers = dtype in _INTEGERS and function in ("Sum", "Product")
    if not (integers or dtype in KERNEL_TYPES) or out.dtype != (INT64_NP if integers else dtype) or (
            not 0 < x.size <= _MOST):
        return NotImplemented
    wide = INT64_NP if integers else accumulator(dtype)
    kind, inner = (dtype, out.dtype, wide, function), prod(x.shape[dim + 1 :])
    rows = x.size // size
    if inner >= _ACROSS:
        launch, blocks, more, least = _columns.on(cuda, *kind), rows // inner * blocks_of(inner, 32), (), _LEAST_ACROSS
    else:
        whole = _packed(dtype, function) and inner == 1 and size % (16 // dtype.itemsize) == 0
        pack = pack_of(dtype, out, x) if whole else 1
        # Lanes scan 4 packs each at once; a block takes rows of more than four times that.
        lanes = 8 if size <= 32 and pack == 1 else 32 if size <= 4 * 4 * 32 * pack else 0
        launch, more, least = _rows.on(cuda, *kind, pack, lanes), (rows,), _LEAST
        blocks = blocks_of(rows, THREADS // lanes) if lanes else rows
        least = size + 1 if lanes else least
    each = blocks_of(size, max(1, min(_RANGES, _BLOCKS // blocks, size // least)))
    each = blocks_of(each, 16) * 16  # whole packs
    ranges = blocks_of(size, each)
    parts = None
    if ranges > 1:
        parts = cuda.empty((rows * ranges, 2 if function == "Recurrence" else 1), wide)
        launch((blocks, ranges), THREADS, None, parts, x, factors, *more, size, inner, each, reverse)
    launch((blocks, ranges), THREADS, out, parts, x, factors, *more, size, inner, each, reverse)
    return None
