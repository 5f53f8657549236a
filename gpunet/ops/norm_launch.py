"""The launches of kernels/norm.cu: `normalize` and its gradient on the devices cuda and sim."""

from __future__ import annotations

from math import prod
from typing import NamedTuple

from gpunet.dtypes import FLOAT32_NP, FLOAT64_NP
from gpunet.kernel import Kernel
from gpunet.ops.launching import KERNEL_TYPES, THREADS, blocks_of, by_type, by_type_and_pack, pack_of
from gpunet.ops.rules import accumulator

_ITEMS = 8  # of a row, for each thread
_FEW_ROWS = 64  # that one block takes, 8 at a time


def packed():
    """<type, type of its sums, elements in an access>: of double numbers always one."""
    return (each for each in by_type_and_pack() if each[2] == 1 or each[0] != FLOAT64_NP)


def with_weights():
    """Instances by the type of the weights, too: that of the numbers, or the wider one that half types compute in."""
    for dtype, wide, pack in packed():
        for weights in dict.fromkeys((dtype, wide)):
            yield dtype, wide, weights, pack


def _row_instances():
    return ((*each, lanes) for each in with_weights() for lanes in (32, 0))


def _finish_instances():
    return dict.fromkeys((weights, wide) for _, wide, weights, _ in with_weights())


_rows = Kernel("norm.cu", "normalize_rows", instances=_row_instances)
_rows_grad = Kernel("norm.cu", "normalize_rows_grad", instances=_row_instances)
_rows_finish = Kernel("norm.cu", "normalize_rows_finish", instances=_finish_instances)
_long_grad = Kernel("norm.cu", "normalize_long_grad", instances=with_weights)
_columns_sums = Kernel("norm.cu", "normalize_columns_sums", instances=by_type)
_groups = Kernel("norm.cu", "normalize_groups", instances=with_weights)
_channels_grad = Kernel("norm.cu", "normalize_channels_grad", instances=with_weights)
_run_sums = Kernel("norm.cu", "normalize_run_sums", instances=packed)
_groups_grad = Kernel("norm.cu", "normalize_groups_grad", instances=with_weights)


_move = Kernel("norm.cu", "move_statistics", instances=lambda: [(FLOAT32_NP,), (FLOAT64_NP,)])


def move(cuda, running_mean, running_var, *arrays, share, correction):
    *batches, centre, spread = arrays
    count = centre.size
    _move.on(cuda, centre.dtype)(blocks_of(count, THREADS), THREADS, running_mean, running_var, *(batches or (None,)),
                                 centre, spread, share, correction, count)


class _Groups(NamedTuple):
    """How the elements that share statistics lie in memory, and which weight they have; see kernels/norm.cu."""

    groups: int
    group_step: int
    run_step: int
    runs: int
    length: int
    period: int
    weights: int
    weight_step: int
    element_step: int


def of_channels(rank, axes) -> bool:
    """Whether axes are all those of [N, C, size...] but C."""
    return rank > 1 and axes == (0, *range(2, rank))


def _groups_of(shape, weight, axes) -> _Groups | None:
    """None for a layout that none of PyTorch's normalisations has."""
    rank = len(shape)
    if of_channels(rank, axes):
        images, channels, size = shape[0], shape[1], prod(shape[2:])
        return _Groups(channels, size, channels * size, images, size, channels, 1, 0, 0)
    if axes != tuple(range(rank - len(axes), rank)):
        return None
    n = prod(shape[rank - len(axes) :])
    count = prod(shape) // n
    if weight is None:
        return _Groups(count, n, n, 1, n, 1, 0, 0, 0)
    full = (1,) * (rank - weight.ndim) + weight.shape
    if weight.size == n and full[: rank - len(axes)] == (1,) * (rank - len(axes)):  # one for each element of a group
        return _Groups(count, n, n, 1, n, 1, 0, 0, 1)
    if rank == 4 and full == (1, shape[1], shape[2], 1) and axes == (2, 3):  # [N, G, C / G, S], over C / G and S
        return _Groups(count, n, shape[3], shape[2], shape[3], shape[1], shape[2], 1, 0)
    if rank == 3 and full == (1, shape[1], 1) and axes == (2,):  # [N, C, S], over S
        return _Groups(count, n, n, 1, n, shape[1], 1, 0, 0)
    return None


def serves_types(x, weight, bias) -> bool:
    """Whether the kernels have these types."""
    for each in (weight, bias):
        if each is not None and (each.dtype not in (x.dtype, accumulator(x.dtype)) or each.dtype != weight.dtype):
            return False
    return x.dtype in KERNEL_TYPES and 0 < x.size < 2**31


def _layout(x, weight, bias, axes) -> _Groups | None:
    """None where the kernels do not serve."""
    return _groups_of(x.shape, weight, axes) if serves_types(x, weight, bias) else None


def pack_of_runs(dtype, length, *arrays) -> int:
    """Elements in an access, of which a run of `length` is a multiple."""
    return pack_of(dtype, *arrays) if dtype != FLOAT64_NP and length % (16 // dtype.itemsize) == 0 else 1


def _threads(columns: int) -> int:
    """Of a block for a row that its threads keep in registers."""
    return 32 * blocks_of(columns, 32 * _ITEMS)


def _is_row(at: _Groups, dtype) -> bool:
    """Whether groups are rows with a weight for each element, and short enough for the registers of a block."""
    return at.runs == 1 and at.weights == 0 and at.length <= (256 if dtype == FLOAT64_NP else 1024) * _ITEMS


def forward_moving(cuda, out, centre, spread, *arrays, share, correction, **options):
    *moved, x, weight, bias = arrays
    return forward(cuda, out, centre, spread, x, weight, bias, **options,
                   moving=(*moved, *[None] * (3 - len(moved)), share, correction))


NOT_MOVING = None, None, None, 0, 0


def forward(cuda, out, centre, spread, x, weight, bias, *, axes, eps, centred, moving=NOT_MOVING, onto=None,
            relu=False, around=None, sum=None):
    """around, sum: what precedes; onto, relu: what follows; see `normalize_rows`."""
    at = _layout(x, weight, bias, axes)
    if at is None:
        return NotImplemented
    dtype, wide = x.dtype, centre.dtype
    kind = (dtype, wide, dtype if weight is None else weight.dtype)
    pack = pack_of_runs(dtype, at.length, out, x, weight, bias, onto, around, sum)
    if moving is not NOT_MOVING or not _is_row(at, dtype):
        if around is not None:
            return NotImplemented
        threads = min(1024, 32 * blocks_of(at.runs * at.length, 32 * pack))
        _groups.on(cuda, *kind, pack)(at.groups, threads, out, centre, spread, x, weight, bias, *at[1:], eps, centred,
                                      onto, relu, *moving)
        return None
    lanes = 32 if at.length <= 32 * _ITEMS else 0
    grid, threads = (blocks_of(at.groups, 8), 256) if lanes else (at.groups, _threads(at.length))
    _rows.on(cuda, *kind, pack, lanes)(grid, threads, out, centre, spread, sum, x, around, weight, bias, onto, relu,
                                       at.groups, at.length, eps, centred)
    return None


def are_rows(x, weight, *, axes, **_) -> bool:
    """Whether `forward` takes what precedes."""
    at = _layout(x, weight, None, axes)
    return at is not None and _is_row(at, x.dtype)


def backward(cuda, dx, dw, db, g, x, centre, spread, weight, onto, *, axes, eps, centred, y=None, residual=None):
    """y, residual: of what follows a norm by channels; see `normalize_channels_grad`."""
    at = _layout(x, weight, None, axes)
    if at is None or y is not None and not of_channels(x.ndim, axes):
        return NotImplemented
    dtype, wide = x.dtype, centre.dtype
    kind = (dtype, wide, dtype if weight is None else weight.dtype)
    pack = pack_of_runs(dtype, at.length, dx, g, x, weight, onto, y, residual)
    if weight is None:
        dw = db = None
    if of_channels(x.ndim, axes):
        threads = min(1024, 32 * blocks_of(at.runs * at.length, 32 * pack))
        _channels_grad.on(cuda, *kind, pack)(at.groups, threads, dx, dw, db, residual, g, y, x, centre, spread, weight,
                                             onto, *at[1:5], eps)
    elif _is_row(at, dtype):
        _rows_gradient(cuda, kind, pack, at, dx, dw, db, g, x, centre, spread, weight, onto, eps, centred)
    elif at.element_step:
        _long_gradient(cuda, kind, pack, at, dx, dw, db, g, x, centre, spread, weight, onto, eps, centred)
    else:
        runs = at.groups * at.runs
        sums = cuda.empty((2, runs), wide)
        _run_sums.on(cuda, dtype, wide, pack)(blocks_of(runs, 8), 256, sums, g, x, centre, spread, runs, at.runs,
                                              at.length, eps)
        grid = at.groups + (0 if weight is None else blocks_of(at.period * at.runs, 256))
        _groups_grad.on(cuda, *kind, pack)(grid, 256, dx, dw, db, sums, g, x, centre, spread, weight, onto, at.groups,
                                           at.runs, at.length, at.period, eps, centred)
    return None


def _rows_gradient(cuda, kind, pack, at, dx, dw, db, g, x, centre, spread, weight, onto, eps, centred):
    """The rows are split by their number alone, so that results do not depend on the device. A few rows are not: the
    second launch would take longer than one block takes for them."""
    rows, columns = at.groups, at.length
    lanes = 32 if columns <= 32 * _ITEMS else 0
    each = blocks_of(rows, 512)
    if lanes:
        each = rows if rows <= _FEW_ROWS else 8 * blocks_of(each, 8)
    ranges = blocks_of(rows, each)
    partial = None if dw is None or ranges == 1 else cuda.empty((ranges, 2, columns), centre.dtype)
    threads = 256 if lanes else _threads(columns)
    _rows_grad.on(cuda, *kind, pack, lanes)(ranges, threads, dx, dw, db, partial, g, x, centre, spread, weight, onto,
                                            rows, columns, each, eps, centred, columns)
    if partial is not None:
        launch = _rows_finish.on(cuda, kind[2], kind[1])
        launch(blocks_of(2 * columns, THREADS), THREADS, dw, db, partial, ranges, columns)


def _long_gradient(cuda, kind, pack, at, dx, dw, db, g, x, centre, spread, weight, onto, eps, centred):
    """Of rows that are too long for a block's registers."""
    rows, columns = at.groups, at.length
    _long_grad.on(cuda, *kind, pack)(rows, 512, dx, g, x, centre, spread, weight, onto, columns, eps, centred)
    if dw is None:
        return
    each = blocks_of(rows, 16)
    ranges = blocks_of(rows, each)
    partial = cuda.empty((ranges, 2, columns), centre.dtype)
    grid = blocks_of(columns, THREADS), ranges
    _columns_sums.on(cuda, *kind[:2])(grid, THREADS, partial, g, x, centre, spread, rows, columns, each, eps)
    launch = _rows_finish.on(cuda, kind[2], kind[1])
    launch(blocks_of(2 * columns, THREADS), THREADS, dw, db, partial, ranges, columns)
