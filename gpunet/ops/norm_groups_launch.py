"""The launches of kernels/norm_groups.cu: normalisation of groups of channels, of images in channels last, on the
devices cuda and sim."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from gpunet.kernel import Kernel
from gpunet.ops.channels_last import as_rows, rows
from gpunet.ops.launching import DIVISOR, blocks_of, divisor, tiles_of
from gpunet.ops.norm_launch import pack_of_runs, packed, serves_types, with_weights

__all__ = ["backward", "forward", "serves_types"]

_MOST = 512  # threads of a block
_BLOCKS = 256  # that should share the images
_STEPS = 4  # rows that a thread should have in a range, at least

_moments = Kernel("norm_groups.cu", "groups_moments", instances=packed)
_normalize = Kernel("norm_groups.cu", "normalize_column_groups", instances=with_weights)
_sums = Kernel("norm_groups.cu", "groups_sums", instances=with_weights)
_grad = Kernel("norm_groups.cu", "normalize_column_groups_grad", instances=with_weights)

# As in kernels/norm_columns.cuh and norm_groups.cu.
_COLUMNS = np.dtype([(name, "i4") for name in ("rows", "columns", "rows_per_range", "ranges", "lanes", "shift")])
_GROUPS = np.dtype([(name, "i4") for name in ("size", "images", "slots")] + [("width", DIVISOR)])


@lru_cache(maxsize=4096)
def _layout(images: int, size: int, columns: int, width: int, pack: int
            ) -> tuple[Any, Any, tuple[int, int], int, int, bool]:
    """Columns and Groups of the kernels, the grid, the threads of a block, the columns of a tile, and whether blocks
    have whole groups. An image's rows are split by the shape alone, so that results do not depend on the device."""
    lanes, tiles = tiles_of(columns, pack)
    tile, threads = lanes * pack, _MOST
    ranges = max(1, min(_BLOCKS // (tiles * images), size * lanes // (threads * _STEPS)))
    while threads > 64 and threads // 2 * _STEPS >= size * lanes:  # few rows
        threads //= 2
    each = blocks_of(size, ranges)
    ranges = blocks_of(size, each)
    slots = min(tile, blocks_of(tile, width) + 1)
    at = np.array((images * size, columns, each, ranges, lanes, lanes.bit_length() - 1), _COLUMNS)[()]
    of = np.array((size, images, slots, divisor(width).item()), _GROUPS)[()]
    return at, of, (tiles, images * ranges), threads, tile, ranges == 1 and (tiles == 1 or tile % width == 0)


def _lie_last(*arrays) -> bool:
    return all([as_rows(each).flags.c_contiguous for each in arrays])


def forward(cuda, out, centre, spread, x, weight, bias, *, groups, eps):
    if x.ndim != 4 or not (_lie_last(out, x) and serves_types(x, weight, bias)):
        return NotImplemented
    out, x, dtype, wide = as_rows(out), as_rows(x), x.dtype, centre.dtype
    images, height, width, columns = x.shape
    pack = pack_of_runs(dtype, columns, out, x, weight, bias)
    at, of, grid, threads, _, whole = _layout(images, height * width, columns, columns // groups, pack)
    parts = None
    if not whole:
        parts = cuda.empty((grid[0] * grid[1], int(of["slots"]), 3), wide)
        _moments.on(cuda, dtype, wide, pack)(grid, threads, parts, x, at, of)
    _normalize.on(cuda, dtype, wide, dtype if weight is None else weight.dtype, pack)(
        grid, threads, out, centre, spread, x, weight, bias, parts, at, of, eps,
        float(height * width * (columns // groups)))
    return None


def backward(cuda, dx, dw, db, g, x, centre, spread, weight, *, groups, eps):
    if x.ndim != 4 or not (_lie_last(dx, x) and serves_types(x, weight, None)):
        return NotImplemented
    dx, g, x, dtype, wide = as_rows(dx), rows(cuda, g), as_rows(x), x.dtype, centre.dtype
    images, height, width, columns = x.shape
    pack = pack_of_runs(dtype, columns, dx, g, x, weight)
    at, of, grid, threads, tile, _ = _layout(images, height * width, columns, columns // groups, pack)
    if weight is None:
        dw = db = None
    ranges = cuda.empty((grid[1], grid[0] * tile, 2), wide)
    parts = cuda.empty((grid[0] * grid[1], int(of["slots"]), 2), wide)
    kind = dtype, wide, dtype if weight is None else weight.dtype, pack
    _sums.on(cuda, *kind)(grid, threads, ranges, parts, g, x, centre, weight, at, of)
    _grad.on(cuda, *kind)(grid, threads, dx, dw, db, g, x, centre, spread, weight, ranges, parts, at, of, eps,
                          float(height * width * (columns // groups)))
    return None
