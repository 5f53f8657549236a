"""The launches of kernels/reduce.cu: sums, means, products and norms over dimensions on the devices cuda and sim."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import numpy as np

from gpunet.dtypes import BOOL_NP, INT64_NP, UINT8_NP
from gpunet.kernel import Kernel
from gpunet.ops.channels_last import as_rows, lie_last
from gpunet.ops.launching import KERNEL_TYPES, THREADS, blocks_of, by_type, pack_of
from gpunet.ops.rules import accumulator

_INTEGERS = BOOL_NP, UINT8_NP, np.dtype("int32"), INT64_NP  # whose sums are int64


def _kinds() -> Iterator[tuple]:
    """Types of elements and of arithmetic, and what is added up."""
    for kind in by_type():
        yield from ((*kind, function) for function in ("Sum", "Product", "Absolutes", "Squares"))
    yield from ((dtype, INT64_NP, "Sum") for dtype in _INTEGERS)


def _of_runs() -> Iterator[tuple]:
    for kind in _kinds():
        yield from ((*kind, pack, lanes) for pack in (16 // kind[0].itemsize, 1) for lanes in (32, 0))


def _of_ranges() -> Iterator[tuple]:
    yield from (kind for kind in _kinds() if kind[0] not in _INTEGERS)
    yield INT64_NP, INT64_NP, "Sum"


_runs = Kernel("reduce.cu", "reduce_runs", instances=_of_runs)
_columns = Kernel("reduce.cu", "reduce_columns", instances=_kinds)
_finish = Kernel("reduce.cu", "reduce_finish", instances=_of_ranges)

_SHORT = 1024  # elements that a warp adds up
_LEAST = 8192  # accesses, 128 KB, that a block of its own reads in less time than a second launch takes
_BLOCKS = 512  # that should share the work
_MOST = 2**31 - 1
MOST_OUTER = 65535  # a grid's second size


@lru_cache(4096)
def layout(shape: tuple[int, ...], dims: tuple[int, ...]) -> tuple[int, int, int, int] | None:
    """[outer, images, channels, length], of which images and length are added up: neighbours of one kind as one. None
    for other arrangements."""
    parts: list[list] = []  # [is it added up, size]
    for d, n in enumerate(shape):
        if n == 1:
            continue
        if parts and parts[-1][0] == (d in dims):
            parts[-1][1] *= n
        else:
            parts.append([d in dims, n])
    kinds = "".join("r" if added else "k" for added, _ in parts)
    sizes = [n for _, n in parts]
    outer = images = channels = length = 1
    if kinds == "krk":
        outer, images, channels = sizes
    elif kinds in ("", "k", "r", "kr", "rk", "rkr"):
        given = dict(zip(("images", "channels", "length")["rkr".find(kinds) :], sizes, strict=False))
        images, channels, length = (given.get(name, 1) for name in ("images", "channels", "length"))
    else:
        return None
    return outer, images, channels, length


def serves_last(cuda, x, *, dims, keepdim):
    """Whether what is left of an array in channels last lies in the order of its dimensions."""
    return 1 in dims or {2, 3} <= set(dims)


def reduce(cuda, out, x, dims, divisor: float = 1, function="Sum"):
    """out = the sum of x over dims, divided by a number; or the product, or a norm: what kernels/reduce.cu calls
    Absolutes and Squares."""
    if lie_last(x):
        x, dims = as_rows(x), tuple([(0, 3, 1, 2)[d] for d in dims])
    dtype = x.dtype
    integers = dtype in _INTEGERS and function == "Sum"
    wide = INT64_NP if integers else accumulator(dtype)
    if not (integers or dtype in KERNEL_TYPES) or out.dtype != (wide if integers else dtype) or (
            not 0 < x.size <= _MOST):
        return NotImplemented
    at = layout(x.shape, dims)
    if at is None or at[0] > MOST_OUTER:
        return NotImplemented
    outer, images, channels, length = at
    pack = pack_of(dtype, x) if length % (16 // dtype.itemsize) == 0 else 1
    lanes, per_range, ranges = share(outer, images, channels, length, pack)
    if length == 1:
        launch, grid = _columns.on(cuda, dtype, wide, function), (blocks_of(channels, 32), outer, ranges)
        sizes = images, channels, per_range
    else:
        launch = _runs.on(cuda, dtype, wide, function, pack, lanes)
        grid = (blocks_of(channels, 8) if lanes else channels, ranges)
        sizes = channels, images, length, per_range
    partial = cuda.empty((ranges, out.size), wide) if ranges > 1 else None
    launch(grid, THREADS, out, partial, x, *sizes, divisor)
    if partial is not None:
        finish = _finish.on(cuda, out.dtype, wide, function)
        finish(blocks_of(out.size, THREADS), THREADS, out, partial, ranges, out.size, divisor)
    return None


def share(outer: int, images: int, channels: int, length: int, pack: int) -> tuple[int, int, int]:
    """How a layout is shared out: the lanes of a result (0: a block), what a range has of it, and how many ranges there
    are."""
    if length == 1:
        return 0, *_split(images, min(images // 64, _BLOCKS // (blocks_of(channels, 32) * outer)))
    accesses, lanes = images * length // pack, 32 if images * length <= _SHORT else 0
    return lanes, *_split(accesses, 1 if lanes else min(accesses // _LEAST, _BLOCKS // channels))


def _split(count: int, ranges: int) -> tuple[int, int]:
    """How many of `count` are a range's, and how many ranges there are."""
    each = blocks_of(count, max(1, ranges))
    return each, blocks_of(count, each)
