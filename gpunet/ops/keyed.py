"""Places as numbers: how the ops of index.py reduce on the CPU, and how they store and reduce on a GPU, where the
numbers become sorted keys (see kernels/scatter.cu)."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

import numpy as np

from gpunet.dtypes import BOOL_NP, INT64_NP
from gpunet.kernel import Kernel
from gpunet.ops import sort_launch
from gpunet.ops.launching import FLOATS, THREADS, blocks_of, by_type, spread
from gpunet.ops.rules import accumulator


def _reductions() -> Iterator[tuple]:
    for dtype, wide in (*by_type(), *((dtype, dtype) for dtype in _INTEGERS)):
        for function in FUNCTIONS.values():
            yield dtype, wide, function
    yield BOOL_NP, BOOL_NP, FUNCTIONS["sum"]


FUNCTIONS = {"sum": "Sum", "prod": "Product", "amax": "Largest", "amin": "Smallest"}
_INTEGERS = tuple(map(np.dtype, ("int8", "uint8", "int16", "int32", "int64")))

_check_index = Kernel("scatter.cu", "check_index", instances=lambda: zip(_INTEGERS, strict=True))
_reduce_pieces = Kernel("scatter.cu", "reduce_pieces", instances=_reductions)
_join_pieces = Kernel("scatter.cu", "join_pieces", instances=_reductions)
_store_last = Kernel("scatter.cu", "store_last", instances=lambda: zip((*FLOATS, BOOL_NP, *_INTEGERS), strict=True))

PIECE = 64  # as in scatter.cu


def checked(cuda, indices, sizes, negative: bool) -> list:
    """The indices as int64, all in range and counted from the front; what was out of range is recorded as an error."""
    safe = []
    for index, size in zip(indices, sizes, strict=True):
        out = cuda.empty(index.shape, INT64_NP)
        _check_index.on(cuda, index.dtype)(spread(cuda, index.size), THREADS, out, index, cuda.errors, index.size, size,
                                           negative)
        safe.append(out)
    return safe


def linear(arrays, sizes):
    """The numbers, row by row, of the places that arrays of coordinates name; the arrays broadcast."""
    keys = arrays[0]
    for array, size in zip(arrays[1:], sizes[1:], strict=True):
        keys = keys * size + array
    return keys


def places_in_memory(xp, arrays, held, shape, first: int):
    """For each element of the indexed part of an array of this shape, its number in the array, row by row.

    arrays: coordinates along the dimensions `held`, which may be negative; they broadcast, and their dimensions stand
    in the indexed part from `first` on.
    """
    strides = [prod(shape[d + 1 :]) for d in range(len(shape))]
    parts = [(array + (array < 0) * shape[d]) * strides[d] for array, d in zip(arrays, held, strict=True)]
    keys = sum(parts[1:], parts[0])
    rest = [d for d in range(len(shape)) if d not in held]
    rank = keys.ndim
    keys = keys.reshape((*keys.shape, *[1] * (len(rest) - first)))
    for i, d in enumerate(rest):
        after = len(rest) - 1 - i + (rank if i < first else 0)
        keys = keys + xp.arange(shape[d]).reshape(-1, *[1] * after) * strides[d]
    return keys


def sort(cuda, keys, limit: int):
    """Keys from 0 to limit - 1 in ascending order, and where each was; equal keys keep their order."""
    found = sort_launch.order_of_counts(cuda, keys, limit)
    if found is None:
        order = cuda.xp.argsort(keys, kind="stable")
        return keys[order], order
    return found


def assign(cuda, out, value, arrays, held, shape, first: int, reduce: str | None) -> None:
    """Reduces `value` into `out` (C-contiguous), or stores it if `reduce` is None, at places of the dimensions `held`.

    arrays: coordinates along these dimensions, in range. shape: that of the indexed part, to which the value
    broadcasts; the coordinates' dimensions stand in it from `first` on.
    """
    xp = cuda.xp
    keys = linear(arrays, [out.shape[d] for d in held])
    rest = [d for d in range(out.ndim) if d not in held]
    count, columns = keys.size, prod([out.shape[d] for d in rest])
    if not count or not columns:
        return
    places = range(first, first + keys.ndim)
    rows = xp.broadcast_to(value, shape).transpose([*places, *[d for d in range(len(shape)) if d not in places]])
    moved = out.transpose([*held, *rest])
    target = xp.ascontiguousarray(moved)
    launch = (_store if reduce is None else _reduce)
    keys = xp.ascontiguousarray(keys.reshape(-1))
    launch(cuda, target, xp.ascontiguousarray(rows), *sort(cuda, keys, target.size // columns), count, columns, reduce)
    if held != list(range(len(held))):  # else it is the same memory
        moved[...] = target


def _store(cuda, target, rows, keys, order, count, columns, _):
    _store_last.on(cuda, target.dtype)(spread(cuda, count * columns), THREADS, target, rows, keys, order, count,
                                       columns)


def _reduce(cuda, target, rows, keys, order, count, columns, reduce):
    template = target.dtype, accumulator(target.dtype), FUNCTIONS[reduce]
    parts = blocks_of(count, PIECE) * columns
    heads, tails = cuda.empty((parts,), template[1]), cuda.empty((parts,), template[1])
    grid = spread(cuda, parts)
    _reduce_pieces.on(cuda, *template)(grid, THREADS, target, heads, tails, rows, keys, order, count, columns)
    if count > PIECE:
        _join_pieces.on(cuda, *template)(grid, THREADS, target, heads, tails, keys, count, columns)
