"""The launches of kernels/softmax.cu and softmax_cluster.cu: softmax, its logarithm and their gradients on the devices
cuda and sim."""

from __future__ import annotations

from math import prod

from gpunet.dtypes import FLOAT32_NP, FLOAT64_NP
from gpunet.kernel import Kernel
from gpunet.ops.cluster_launch import BLOCKS, CLUSTERS, THREADS, parts_of, room_of
from gpunet.ops.launching import KERNEL_TYPES, blocks_of, by_type, by_type_and_pack, pack_of
from gpunet.ops.rules import accumulator

_ITEMS = 8  # of a row, for each thread
_LONG = 512  # threads for a row that is too long for registers
_BLOCKS = 1, *BLOCKS  # of a cluster, for a row
_MOST = 2**31 - 1  # blocks; and columns, which are 32-bit numbers


def _row_instances():
    return ((*each, lanes) for each in by_type_and_pack() for lanes in (32, 0))


def _cluster_instances():
    return ((dtype, pack, blocks) for dtype, wide, pack in by_type_and_pack() if wide == FLOAT32_NP
            for blocks in _BLOCKS)


_rows = Kernel("softmax.cu", "softmax_rows", instances=_row_instances)
_rows_grad = Kernel("softmax.cu", "softmax_rows_grad", instances=_row_instances)
_long = Kernel("softmax.cu", "softmax_long", instances=by_type_and_pack)
_long_grad = Kernel("softmax.cu", "softmax_long_grad", instances=by_type_and_pack)
_cluster, _cluster_grad = (Kernel("softmax_cluster.cu", name, instances=_cluster_instances,
                                  capabilities=range(CLUSTERS, 1000))
                           for name in ("softmax_cluster", "softmax_cluster_grad"))
_columns = Kernel("softmax.cu", "softmax_columns", instances=by_type)
_columns_grad = Kernel("softmax.cu", "softmax_columns_grad", instances=by_type)


def _longest(dtype) -> int:
    """The longest row that a block keeps in registers."""
    return (512 if dtype == FLOAT64_NP else 1024) * _ITEMS


def _launch(cuda, kernels, logarithm, dim, *arrays):
    """arrays: the result, then what it is formed from. kernels: for short rows, for long ones, for columns."""
    shape, dtype = arrays[0].shape, arrays[0].dtype
    if any([each.dtype != dtype for each in arrays]) or dtype not in KERNEL_TYPES or max(shape, default=0) > _MOST:
        return NotImplemented
    if not arrays[0].size:
        return None
    size, inner, wide = shape[dim], prod(shape[dim:][1:]), accumulator(dtype)
    outer = arrays[0].size // (size * inner)
    rows, long, columns = kernels
    if inner > 1:
        if inner > _MOST or outer * blocks_of(inner, 32) > _MOST:
            return NotImplemented
        columns.on(cuda, dtype, wide)(outer * blocks_of(inner, 32), 256, *arrays, size, inner, logarithm)
        return None
    pack = pack_of(dtype, *arrays) if size % (16 // dtype.itemsize) == 0 else 1
    if size <= 32 * _ITEMS:
        rows.on(cuda, dtype, wide, pack, 32)(blocks_of(outer, 8), 256, *arrays, outer, size, logarithm)
    elif size <= _longest(dtype):
        threads = 32 * blocks_of(size, 32 * _ITEMS)
        rows.on(cuda, dtype, wide, pack, 0)(outer, threads, *arrays, outer, size, logarithm)
    elif wide == FLOAT32_NP and cuda.capability >= CLUSTERS:
        _shared(cuda, _cluster if kernels[1] is _long else _cluster_grad, logarithm, pack, outer, size, arrays)
    else:
        long.on(cuda, dtype, wide, pack)(outer, _LONG, *arrays, size, logarithm)
    return None


def _shared(cuda, kernel, logarithm, pack, outer, size, arrays):
    """Rows that blocks of a cluster share. Of the operands all are kept but the logarithm's result."""
    dtype = arrays[0].dtype
    each = dtype.itemsize * (1 if logarithm else len(arrays) - 1)
    room, half = room_of(cuda, each)
    blocks, share = parts_of(size, pack, half, _BLOCKS)
    kept = min(share, room // pack * pack)
    kernel.on(cuda, dtype, pack, blocks)(outer * blocks, THREADS, *arrays, size, logarithm, share, kept,
                                         shared=kept * each)


def forward(logarithm: bool):
    """The launch of softmax, or of its logarithm."""
    def launch(cuda, out, x, *, dim):
        return _launch(cuda, (_rows, _long, _columns), logarithm, dim, out, x)

    return launch


def backward(logarithm: bool):
    def launch(cuda, out, g, y, *, dim):
        return _launch(cuda, (_rows_grad, _long_grad, _columns_grad), logarithm, dim, out, g, y)

    return launch
