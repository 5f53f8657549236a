"""The launches of kernels/reduce.cu: sums and means over dimensions on the devices cuda and sim."""

from __future__ import annotations

from functools import lru_cache

from gpunet.kernel import Kernel
from gpunet.ops.launching import KERNEL_TYPES, THREADS, blocks_of, by_type, by_type_and_pack, pack_of
from gpunet.ops.rules import accumulator

_runs = Kernel("reduce.cu", "reduce_runs",
               instances=lambda: ((*kind, lanes) for kind in by_type_and_pack() for lanes in (32, 0)))
_columns = Kernel("reduce.cu", "reduce_columns", instances=by_type)
_finish = Kernel("reduce.cu", "reduce_finish", instances=by_type)

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


def reduce(cuda, out, x, dims, divisor):
    """out = the sum of x over dims, divided by a number."""
    dtype = x.dtype
    if dtype not in KERNEL_TYPES or out.dtype != dtype or not 0 < x.size <= _MOST:
        return NotImplemented
    at = layout(x.shape, dims)
    if at is None or at[0] > MOST_OUTER:
        return NotImplemented
    outer, images, channels, length = at
    wide = accumulator(dtype)
    pack = pack_of(dtype, x) if length % (16 // dtype.itemsize) == 0 else 1
    lanes, per_range, ranges = share(outer, images, channels, length, pack)
    if length == 1:
        launch, grid = _columns.on(cuda, dtype, wide), (blocks_of(channels, 32), outer, ranges)
        sizes = images, channels, per_range
    else:
        launch = _runs.on(cuda, dtype, wide, pack, lanes)
        grid = (blocks_of(channels, 8) if lanes else channels, ranges)
        sizes = channels, images, length, per_range
    partial = cuda.empty((ranges, out.size), wide) if ranges > 1 else None
    launch(grid, THREADS, out, partial, x, *sizes, divisor)
    if partial is not None:
        _finish.on(cuda, dtype, wide)(blocks_of(out.size, THREADS), THREADS, out, partial, ranges, out.size, divisor)
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
