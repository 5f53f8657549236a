"""The launches of kernels/scan.cu: cumulative sums, products and logarithms of sums of exponentials, and recurrences,
on the devices cuda and sim."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

import numpy as np

from gpunet.dtypes import BOOL_NP, FLOAT32_NP, HALF_TYPES, INT64_NP, UINT8_NP
from gpunet.kernel import Kernel
from gpunet.ops.launching import KERNEL_TYPES, THREADS, blocks_of, by_type, pack_of
from gpunet.ops.rules import accumulator

_INTEGERS = BOOL_NP, UINT8_NP, np.dtype("int32"), INT64_NP  # whose sums and products are int64
_ACROSS = 16  # neighbouring columns from which on lanes run along these
_MOST = 2**31 - 1
_RANGES, _BLOCKS = 256, 264  # of a row, at most; that should share the work
_LEAST, _LEAST_ACROSS = 8192, 512  # elements of a range, whose second launch pays


def _kinds() -> Iterator[tuple]:
    """Types of elements, of results and of arithmetic; what is scanned; whether from the end, as gradients are."""
    for dtype, wide in by_type():
        for function in ("Sum", "Product", "LogSumExp", "Recurrence"):
            yield dtype, dtype, wide, function, False
            if function in ("Sum", "Recurrence"):
                yield dtype, dtype, wide, function, True
    for dtype in _INTEGERS:
        yield from ((dtype, INT64_NP, INT64_NP, function, False) for function in ("Sum", "Product"))


def _packed(dtype, function) -> bool:
    """Whether rows are read by 16 bytes: where the parts of so many elements fit registers."""
    return dtype == FLOAT32_NP and function != "Recurrence" or dtype in HALF_TYPES and function in ("Sum", "Product")


def _of_rows() -> Iterator[tuple]:
    for *kind, reverse in _kinds():
        packs = (16 // kind[0].itemsize, 1) if _packed(kind[0], kind[3]) else (1,)
        yield from ((*kind, pack, lanes, reverse) for pack in packs for lanes in ((32, 0) if pack > 1 else (8, 32, 0)))


_rows = Kernel("scan.cu", "scan_rows", instances=_of_rows)
_columns = Kernel("scan.cu", "scan_columns", instances=_kinds)


def scan(cuda, out, x, dim: int, function: str, reverse: bool = False, factors=None):
    """out = x scanned along a dimension; factors: of a recurrence."""
    dtype, size = x.dtype, x.shape[dim]
    if reverse and function in ("Product", "LogSumExp"):
        return NotImplemented
    integers = dtype in _INTEGERS and function in ("Sum", "Product")
    if not (integers or dtype in KERNEL_TYPES) or out.dtype != (INT64_NP if integers else dtype) or (
            not 0 < x.size <= _MOST):
        return NotImplemented
    wide = INT64_NP if integers else accumulator(dtype)
    kind, inner = (dtype, out.dtype, wide, function), prod(x.shape[dim + 1 :])
    rows = x.size // size
    if inner >= _ACROSS:
        launch, more, least = _columns.on(cuda, *kind, reverse), (), _LEAST_ACROSS
        blocks = rows // inner * blocks_of(inner, 32)
    else:
        whole = _packed(dtype, function) and inner == 1 and size % (16 // dtype.itemsize) == 0
        pack = pack_of(dtype, out, x) if whole else 1
        # Lanes scan 4 packs each at once; a block takes rows of more than four times that.
        lanes = 8 if size <= 32 and pack == 1 else 32 if size <= 4 * 4 * 32 * pack else 0
        launch, more, least = _rows.on(cuda, *kind, pack, lanes, reverse), (rows,), _LEAST
        blocks = blocks_of(rows, THREADS // lanes) if lanes else rows
        least = size + 1 if lanes else least
    each = blocks_of(size, max(1, min(_RANGES, _BLOCKS // blocks, size // least)))
    each = blocks_of(each, 16) * 16  # whole packs
    ranges = blocks_of(size, each)
    parts = None
    if ranges > 1:
        parts = cuda.empty((rows * ranges, 1 if function in ("Sum", "Product") else 2), wide)
        launch((blocks, ranges), THREADS, None, parts, x, factors, *more, size, inner, each)
    launch((blocks, ranges), THREADS, out, parts, x, factors, *more, size, inner, each)
    return None
