"""The launches of kernels/sort.cu: orders of a dimension, what comes first in them, and elements by number along it, on
the devices cuda and sim."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from gpunet.dtypes import INT64_NP
from gpunet.kernel import Kernel
from gpunet.ops.extremes_launch import inverted, key_type
from gpunet.ops.launching import FLOATS, THREADS, blocks_of, divisor

_KEYS = tuple(map(np.dtype, ("u4", "u8")))
_INDICES = (INT64_NP, np.dtype("int32"))

_sort_rows = Kernel("sort.cu", "sort_rows", instances=lambda: ((key, tile) for key in _KEYS for tile in _TILES))
_select_rows = Kernel("sort.cu", "select_rows", instances=lambda: zip(_KEYS, strict=True))
_counts = Kernel("sort.cu", "radix_counts", instances=lambda: zip(_KEYS, strict=True))
_starts = Kernel("sort.cu", "radix_starts")
_place = Kernel("sort.cu", "radix_place", instances=lambda: zip(_KEYS, strict=True))
_UNITS = tuple(np.dtype(f"u{n}") for n in (1, 2, 4, 8))
_take_along = Kernel("sort.cu", "take_along", instances=lambda: ((u, i) for u in _UNITS for i in _INDICES))
_put_along = Kernel("sort.cu", "put_along", instances=lambda: ((u, i) for u in _UNITS for i in _INDICES))

# As in order.cuh.
_KINDS = {name: kind for kind, name in enumerate((
    "float32", "float64", "float16", "bfloat16", "bool", "uint8", "int8", "int16", "int32", "int64"))}
_COUNT, _KEY = len(_KINDS), len(_KINDS) + 1
_GIVEN, _MEDIAN, _MEDIAN_OF_NUMBERS = range(3)

# As in sort.cu.
_TILES = 512, 2048  # elements of a block: of short rows several
_MOST_SELECTED, _SELECT_THREADS, _DIGITS, _RADIX_TILE = 1024, 512, 256, 4096

_LEAST_RANGE = 16384  # elements that a block chooses from in less time than a second launch takes
_MOST = 2**31 - 1
_MOST_ROWS = 65535  # a grid's second size


def _rows(x: Any, dim: int) -> tuple[int, int, int] | None:
    """(rows, elements of a row, how far these are apart); None where kernels do not serve."""
    if x.dtype.name not in _KINDS or not 0 < x.size <= _MOST:
        return None
    if x.ndim == 0:
        return 1, 1, 1
    n, inner = x.shape[dim], prod(x.shape[dim % x.ndim + 1 :])
    rows = x.size // n
    return (rows, n, inner) if n <= _TILES[-1] or rows <= _MOST_ROWS else None


def sort(cuda: Any, out: Any, x: Any, dim: int, descending: bool, first: int, count: int) -> Any:
    """out = the numbers of the elements that come as first, first + 1, ... (count of them) along a dimension."""
    at = _rows(x, dim)
    if at is None:
        return NotImplemented
    rows, n, inner = at
    flip, kind = inverted(x.dtype, descending), _KINDS[x.dtype.name]
    if n <= _TILES[-1]:
        bits = max(1, (n - 1).bit_length())
        tile = _TILES[0] if 1 << bits <= _TILES[0] else _TILES[1]
        _sort_rows.on(cuda, key_type(x.dtype), tile)(blocks_of(rows, tile >> bits), tile // 4, out, x, kind, flip, rows,
                                                     n, bits, first, divisor(inner), divisor(count))
    else:
        _by_digits(cuda, out, None, x, kind, flip, rows, n, inner, 8 * x.dtype.itemsize, first, count)
    return None


def _by_digits(cuda, out, sorted_keys, x, kind, flip, rows, n, inner, bits, first, count) -> None:
    """The same of long rows, and the keys in order, of keys with `bits` bits."""
    key = np.dtype("u8" if bits > 32 else "u4")
    blocks = blocks_of(n, _RADIX_TILE)
    counts = cuda.empty((rows, blocks, _DIGITS), np.dtype("u4"))
    source, numbers, step = x, None, inner
    for shift in range(0, bits, 8):
        last = shift + 8 >= bits
        _counts.on(cuda, key)((blocks, rows), THREADS, counts, source, kind, flip, shift, n, step)
        _starts.on(cuda)(rows, _DIGITS, counts, blocks)
        keys_out = numbers_out = None
        if not last:
            keys_out, numbers_out = cuda.empty((rows, n), key), cuda.empty((rows, n), np.dtype("u4"))
        _place.on(cuda, key)((blocks, rows), THREADS, keys_out, numbers_out, out if last else None,
                             sorted_keys if last else None, source, numbers, counts, kind, flip, shift, n, step, inner,
                             first, count)
        source, numbers, kind, step = keys_out, numbers_out, _KEY, 1


def order_of_counts(cuda: Any, counts: Any, limit: int) -> tuple[Any, Any] | None:
    """Integers from 0 to limit - 1, an int64 array, in ascending order, and where each was; None where kernels do not
    serve."""
    size = counts.size
    if not 0 < size <= _MOST:
        return None
    found, order = cuda.empty((size,), INT64_NP), cuda.empty((size,), INT64_NP)
    _by_digits(cuda, order, found, counts, _COUNT, 0, 1, size, 1, max((limit - 1).bit_length(), 1), 0, size)
    return found, order


def first(cuda: Any, out: Any, x: Any, dim: int, k: int, largest: bool) -> Any:
    """out = the numbers of the k smallest or largest elements, in order."""
    at = _rows(x, dim)
    if at is None or k == 0:
        return NotImplemented
    rows, n, inner = at
    if n <= _TILES[-1] or k > _MOST_SELECTED or rows > _MOST_ROWS:
        return sort(cuda, out, x, dim, largest, 0, k)
    kind, bits, flip = _KINDS[x.dtype.name], 8 * x.dtype.itemsize, inverted(x.dtype, largest)
    key = key_type(x.dtype)
    launch = _select_rows.on(cuda, key)
    ranges = max(1, min(2 * cuda.sm_count // rows, n // max(_LEAST_RANGE, 8 * k)))
    keys = numbers = None
    if ranges > 1:
        per_range = blocks_of(n, ranges)
        ranges = blocks_of(n, per_range)
        keys, numbers = cuda.empty((rows, ranges * k), key), cuda.empty((rows, ranges * k), np.dtype("u4"))
        launch((ranges, rows), _SELECT_THREADS, None, keys, numbers, x, None, kind, bits, flip, 0, _GIVEN, n, inner, 1,
               per_range, k, k)
        launch((1, rows), _SELECT_THREADS, out, None, None, keys, numbers, _KEY, bits, flip, 0, _GIVEN, ranges * k, 1,
               inner, ranges * k, k, k)
    else:
        launch((1, rows), _SELECT_THREADS, out, None, None, x, None, kind, bits, flip, 0, _GIVEN, n, inner, inner, n, k,
               k)
    return None


def one(cuda: Any, out: Any, x: Any, dim: int, k: int) -> Any:
    """out = the number of the k-th smallest element, counted from 1."""
    return _one(cuda, out, x, dim, k, _GIVEN)


def median(cuda: Any, out: Any, x: Any, dim: int, skip_nan: bool) -> Any:
    """out = the number of the median, the lower one of two; with NaN, unless skipped, of the first of these."""
    if x.dtype in FLOATS:
        return _one(cuda, out, x, dim, 0, _MEDIAN_OF_NUMBERS if skip_nan else _MEDIAN)
    return _one(cuda, out, x, dim, (x.shape[dim] + 1) // 2, _GIVEN)


def _one(cuda, out, x, dim, k, which) -> Any:
    at = _rows(x, dim)
    if at is None:
        return NotImplemented
    rows, n, inner = at
    if n <= _TILES[-1] and which == _GIVEN:
        return sort(cuda, out, x, dim, False, k - 1, 1)
    if rows > _MOST_ROWS:
        return NotImplemented
    bits = 8 * x.dtype.itemsize
    kind, nan = _KINDS[x.dtype.name], (1 << bits) - 1
    _select_rows.on(cuda, key_type(x.dtype))((1, rows), _SELECT_THREADS, out, None, None, x, None, kind, bits, 0, nan,
                                             which, n, inner, inner, n, k, 1)
    return None


# ---- elements by number ----------------------------------------------------------------------------------------------


def take_along(cuda: Any, out: Any, x: Any, index: Any, dim: int) -> bool:
    """out = the elements of x that an index of each place names along a dimension; False where the kernel does not
    serve."""
    if not _alike(x, index, dim) or not 0 < out.size <= _MOST or x.dtype.itemsize > 8:
        return False
    if not (x.flags.c_contiguous and index.flags.c_contiguous and out.flags.c_contiguous):
        return False
    inner = prod(x.shape[dim + 1 :])
    _take_along.on(cuda, np.dtype(f"u{x.dtype.itemsize}"), index.dtype)(
        blocks_of(out.size, THREADS), THREADS, out, x, index, cuda.errors, out.size, x.shape[dim],
        divisor(index.shape[dim] * inner), divisor(inner))
    return True


def put_along(cuda: Any, out: Any, value: Any, index: Any, dim: int) -> bool:
    """out = zeros, with a value where the one index along a dimension says; False where the kernel does not serve."""
    if not _alike(out, index, dim) or index.shape[dim] != 1 or not 0 < out.size <= _MOST or out.dtype.itemsize > 8:
        return False
    if value.size != index.size or not all([each.flags.c_contiguous for each in (value, index, out)]):
        return False
    inner = prod(out.shape[dim + 1 :])
    _put_along.on(cuda, np.dtype(f"u{out.dtype.itemsize}"), index.dtype)(
        blocks_of(out.size, THREADS), THREADS, out, value, index, cuda.errors, out.size, out.shape[dim],
        divisor(out.shape[dim] * inner), divisor(inner))
    return True


def _alike(x: Any, index: Any, dim: int) -> bool:
    """Whether an index array has x's other dimensions."""
    a, b = x.shape, index.shape
    return index.dtype in _INDICES and x.size > 0 and len(a) == len(b) > 0 and a[:dim] == b[:dim] and (
        a[dim + 1 :] == b[dim + 1 :])
