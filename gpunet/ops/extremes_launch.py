"""The launches of kernels/extremes.cu: argmax, argmin, amax and amin, and any and all of bools, on the devices cuda and
sim."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import numpy as np

from gpunet.dtypes import BOOL_NP
from gpunet.kernel import Kernel
from gpunet.ops.launching import FLOATS, THREADS, blocks_of, pack_of
from gpunet.ops.reduce_launch import MOST_OUTER, layout, share

INTEGERS = tuple(map(np.dtype, ("uint8", "int8", "int16", "int32", "int64")))
_TYPES = frozenset((*FLOATS, BOOL_NP, *INTEGERS))
_MOST = 2**31 - 1

_PLACES = np.dtype([("inner", "i4"), ("length", "i4"), *[(name, "i8") for name in (
    "of_outer", "of_inner", "of_image", "of_element")]])


def key_type(dtype: np.dtype) -> np.dtype:
    """The type of keys for elements of a type."""
    return np.dtype("u8" if dtype.itemsize == 8 else "u4")


def inverted(dtype: np.dtype, yes: bool) -> int:
    """The bits of a key that are inverted for the opposite order."""
    return (1 << 8 * dtype.itemsize) - 1 if yes else 0


def _by_type() -> Iterator[tuple]:
    for dtype in (*FLOATS, BOOL_NP, *INTEGERS):
        yield dtype, key_type(dtype)


def _runs_of() -> Iterator[tuple]:
    for dtype, key in _by_type():
        for pack in {16 // dtype.itemsize, 1} if dtype in FLOATS else {1}:
            for lanes in (32, 0):
                yield dtype, key, pack, lanes


_runs = Kernel("extremes.cu", "best_runs", instances=_runs_of)
_columns = Kernel("extremes.cu", "best_columns", instances=_by_type)
_finish = Kernel("extremes.cu", "best_finish", instances=_by_type)


@lru_cache(4096)
def _places(outer: int, images: int, channels: int, length: int) -> np.ndarray:
    """Where elements lie: of runs, or with length 1 of columns."""
    if length == 1:
        return np.array((channels, 1, images * channels, 1, channels, 0), _PLACES)
    return np.array((1, length, length, 0, channels * length, 1), _PLACES)


def _best(cuda: Any, order: Any, values: Any, x: Any, dims: tuple[int, ...], largest: bool) -> Any:
    """The extremes of x over dims, and where they are; either may be None."""
    dtype = x.dtype
    if dtype not in _TYPES or not 0 < x.size <= _MOST:
        return NotImplemented
    at = layout(x.shape, dims)
    if at is None or at[0] > MOST_OUTER:
        return NotImplemented
    outer, images, channels, length = at
    key, places = key_type(dtype), _places(*at)
    pack = pack_of(dtype, x) if dtype in FLOATS and length % (16 // dtype.itemsize) == 0 else 1
    lanes, per_range, ranges = share(outer, images, channels, length, pack)
    if length == 1:
        launch, grid = _columns.on(cuda, dtype, key), (blocks_of(channels, 32), outer, ranges)
        sizes = images, channels, per_range
    else:
        launch = _runs.on(cuda, dtype, key, pack, lanes)
        grid = (blocks_of(channels, 8) if lanes else channels, ranges)
        sizes = channels, images, length, per_range
    count = x.size // (images * length)
    keys = numbers = None
    if ranges > 1:
        keys, numbers = cuda.empty((ranges, count), key), cuda.empty((ranges, count), np.dtype("u4"))
    launch(grid, THREADS, order, values, keys, numbers, x, places, inverted(dtype, not largest), *sizes)
    if keys is not None:
        finish = _finish.on(cuda, dtype, key)
        finish(blocks_of(count, THREADS), THREADS, order, values, keys, numbers, x, places, ranges, count)
    return None


def argument(largest: bool) -> Any:
    """The launch of argmax, or of argmin."""

    def launch(cuda: Any, out: Any, x: Any, *, dim: int | None, keepdim: bool) -> Any:
        dims = tuple(range(x.ndim)) if dim is None else (dim % x.ndim,) if x.ndim else ()
        return _best(cuda, out, None, x, dims, largest)

    return launch


def value(largest: bool) -> Any:
    """The launch of amax, or of amin."""

    def launch(cuda: Any, out: Any, x: Any, *, dims: tuple[int, ...], keepdim: bool) -> Any:
        return _best(cuda, None, out, x, dims, largest)

    return launch


def of_bools(largest: bool) -> Any:
    """The launch of any, whose result is the largest of bools, or of all, whose result is the smallest."""
    best = value(largest)

    def launch(cuda: Any, out: Any, x: Any, *, dims: tuple[int, ...], keepdim: bool) -> Any:
        return best(cuda, out, x, dims=dims, keepdim=keepdim) if x.dtype == BOOL_NP else NotImplemented

    return launch
