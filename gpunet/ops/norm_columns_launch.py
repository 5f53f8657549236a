"""The launches of kernels/norm_channels.cu: batch normalisation of images in channels last, and of rows. All other
normalisation is norm_launch.py's."""

from __future__ import annotations

from functools import lru_cache
from math import prod
from typing import Any

import numpy as np

from gpunet.kernel import Kernel
from gpunet.ops import norm_launch
from gpunet.ops.channels_last import as_rows, is_channels_last, lie_last, rows
from gpunet.ops.launching import blocks_of, tiles_of
from gpunet.ops.norm_launch import NOT_MOVING, of_channels, pack_of_runs, packed, serves_types, with_weights

_BLOCKS = {1024: 128, 512: 256}  # by their threads: that should share the rows
_FEW_TILES = 4  # of columns, which have larger blocks: each of them joins what all ranges know
_STEPS = 4  # rows that a thread should have in a range, at least

_moments = Kernel("norm_channels.cu", "columns_moments", instances=packed)
_normalize = Kernel("norm_channels.cu", "normalize_columns", instances=with_weights)
_sums = Kernel("norm_channels.cu", "columns_sums", instances=packed)
_grad = Kernel("norm_channels.cu", "normalize_columns_grad", instances=with_weights)

# As in kernels/norm_channels.cu.
_COLUMNS = np.dtype([(name, "i4") for name in ("rows", "columns", "rows_per_range", "ranges", "lanes", "shift")])


@lru_cache(maxsize=4096)
def _layout(count: int, columns: int, pack: int) -> tuple[Any, tuple[int, int], int, int]:
    """Columns of norm_channels.cu, the grid, the threads of a block, and the columns of all tiles. Rows are split by
    the shape alone, so that results do not depend on the device."""
    lanes, tiles = tiles_of(columns, pack)
    threads = 1024 if tiles <= _FEW_TILES else 512
    ranges = max(1, min(_BLOCKS[threads] // tiles, count * lanes // (threads * _STEPS)))
    while threads > 64 and threads // 2 * _STEPS >= count * lanes:  # few rows
        threads //= 2
    each = blocks_of(count, ranges)
    ranges = blocks_of(count, each)
    at = np.array((count, columns, each, ranges, lanes, lanes.bit_length() - 1), _COLUMNS)[()]
    return at, (tiles, ranges), threads, tiles * lanes * pack


def channels_last(cuda, x, weight, bias, *, axes, **_) -> bool:
    """Whether the forward launches take these arrays as they lie."""
    return axes == (0, 2, 3) and is_channels_last(x) and serves_types(x, weight, bias)


def channels_last_grad(cuda, g, x, centre, spread, weight, onto, *, axes, **_) -> bool:
    """Whether the launches of the gradient do."""
    return channels_last(cuda, x, weight, None, axes=axes)


def _are_rows(x, axes) -> bool:
    """Whether a C-contiguous array is rows of channels, each of one place."""
    return of_channels(x.ndim, axes) and prod(x.shape[2:]) == 1


def forward_moving(cuda, out, centre, spread, *arrays, share, correction, **options):
    *moved, x, weight, bias = arrays
    return forward(cuda, out, centre, spread, x, weight, bias, **options,
                   moving=(*moved, *[None] * (3 - len(moved)), share, correction))


def forward(cuda, out, centre, spread, x, weight, bias, *, axes, eps, centred, moving=NOT_MOVING, onto=None,
            relu=False, around=None, sum=None):
    """around, sum: what precedes rows of `norm_launch`; onto, relu: what follows; see `normalize_columns`."""
    if lie_last(x, out):
        out, x, onto = as_rows(out), rows(cuda, x), None if onto is None else rows(cuda, onto)
    elif not (_are_rows(x, axes) and serves_types(x, weight, bias)):
        return norm_launch.forward(cuda, out, centre, spread, x, weight, bias, axes=axes, eps=eps, centred=centred,
                                   moving=moving, onto=onto, relu=relu, around=around, sum=sum)
    if around is not None:
        return NotImplemented
    dtype, wide, columns = x.dtype, centre.dtype, centre.size
    pack = pack_of_runs(dtype, columns, out, x, weight, bias, onto)
    at, grid, threads, width = _layout(x.size // columns, columns, pack)
    ranges = None
    if grid[1] > 1:
        ranges = cuda.empty((grid[1], width, 3), wide)
        _moments.on(cuda, dtype, wide, pack)(grid, threads, ranges, x, at)
    _normalize.on(cuda, dtype, wide, dtype if weight is None else weight.dtype, pack)(
        grid, threads, out, centre, spread, x, weight, bias, ranges, at, eps, onto, relu, *moving)
    return None


def backward(cuda, dx, dw, db, g, x, centre, spread, weight, onto, *, axes, eps, centred, y=None, residual=None):
    """y, residual: of what follows; see `normalize_columns_grad`."""
    if lie_last(dx, x):
        dx, residual = as_rows(dx), None if residual is None else as_rows(residual)
        g, x = rows(cuda, g), rows(cuda, x)
        onto, y = (None if each is None else rows(cuda, each) for each in (onto, y))
    elif not (_are_rows(x, axes) and serves_types(x, weight, None)):
        return norm_launch.backward(cuda, dx, dw, db, g, x, centre, spread, weight, onto, axes=axes, eps=eps,
                                    centred=centred, y=y, residual=residual)
    dtype, wide, columns = x.dtype, centre.dtype, centre.size
    pack = pack_of_runs(dtype, columns, dx, g, x, centre, spread, weight, onto, y, residual)
    at, grid, threads, width = _layout(x.size // columns, columns, pack)
    if weight is None:
        dw = db = None
    ranges = None
    if grid[1] > 1:
        ranges = cuda.empty((grid[1], width, 2), wide)
        _sums.on(cuda, dtype, wide, pack)(grid, threads, ranges, g, y, x, centre, at)
    _grad.on(cuda, dtype, wide, dtype if weight is None else weight.dtype, pack)(
        grid, threads, dx, dw, db, residual, g, y, x, centre, spread, weight, onto, ranges, at, eps)
    return None


# ---- in recordings (devices/joined.py, devices/preceded.py) --------------------------------------------------------


def finished(cuda, out, arrays, attrs, ending, centre, spread):
    return forward(cuda, out, centre, spread, *arrays, **attrs, onto=ending.onto, relu=ending.activation == "Relu")


def finished_moving(cuda, out, arrays, attrs, ending, centre, spread, *moved):
    return forward_moving(cuda, out, centre, spread, *moved, *arrays, **attrs, onto=ending.onto,
                          relu=ending.activation == "Relu")


def takes_sum(x, weight, bias, **attrs) -> bool:
    return norm_launch.are_rows(x, weight, **attrs)


def after_sum(cuda, outs, arrays, attrs, around, kept):
    return forward(cuda, *outs, *arrays, **attrs, around=around, sum=kept)


def is_of_channels(g, x, *_, axes, **__) -> bool:
    return of_channels(x.ndim, axes)


def grad_before_relu(cuda, outs, arrays, attrs, y, kept):
    return backward(cuda, *outs, *arrays, **attrs, y=y, residual=kept)
