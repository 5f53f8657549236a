"""The launches of kernels/adaptive_pool.cu: adaptive average and max pooling and their gradients on the devices cuda
and sim, of planes and in channels last."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from gpunet.kernel import Kernel
from gpunet.ops.channels_last import as_rows, is_channels_last, lie_last, rows
from gpunet.ops.launching import DIVISOR, KERNEL_TYPES, THREADS, blocks_of, by_type_and_pack, divisor, pack_of
from gpunet.ops.rules import accumulator

_pool = Kernel("adaptive_pool.cu", "adaptive_avg_pool", instances=by_type_and_pack)
_pool_grad = Kernel("adaptive_pool.cu", "adaptive_avg_pool_grad", instances=by_type_and_pack)
_max = Kernel("adaptive_pool.cu", "adaptive_max_pool", instances=by_type_and_pack)
_max_grad = Kernel("adaptive_pool.cu", "adaptive_max_pool_grad", instances=by_type_and_pack)
_ADAPTIVE = np.dtype([("size", DIVISOR, 3), ("out", DIVISOR, 3), ("packs", DIVISOR)])  # as in adaptive_pool.cu
_MOST = 2**31 - 1


@lru_cache(maxsize=4096)
def _adaptive(size: tuple[int, ...], wanted: tuple[int, ...], packs: int) -> Any:
    front = [divisor(1)] * (3 - len(size))
    return np.array(([*front, *map(divisor, size)], [*front, *map(divisor, wanted)], divisor(packs)), _ADAPTIVE)[()]


def channels_last(cuda, x, *_, **__) -> bool:
    """Whether the launches take an image, or a gradient, as it lies."""
    return is_channels_last(x)


def _launch(cuda, kernel, result, operand, size, wanted, indices=None):
    """indices: of the largest elements, beside the result of as many windows, or beside the operand."""
    dtype = result.dtype
    sizes = result.size, operand.size, *[(n + 1) * (o + 1) for n, o in zip(size, wanted, strict=True)]
    if dtype not in KERNEL_TYPES or not min(sizes[:2]) or max(sizes) > _MOST:
        return NotImplemented
    pack = channels = 1
    if lie_last(result, operand):
        if indices is not None:
            indices = as_rows(indices) if kernel is _max else rows(cuda, indices)
        channels, result, operand = result.shape[1], as_rows(result), rows(cuda, operand)
        pack = pack_of(dtype, result, operand, indices)
        pack = pack if channels % pack == 0 else 1
    count = result.size // pack
    arrays = (result, operand) if indices is None else (result, indices, operand) if kernel is _max else (
        result, operand, indices)
    kernel.on(cuda, dtype, accumulator(dtype), pack)(blocks_of(count, THREADS), THREADS, *arrays,
                                                     _adaptive(size, wanted, channels // pack), count)
    return None


def forward(cuda, out, x, *, wanted):
    return _launch(cuda, _pool, out, x, x.shape[2:], wanted)


def backward(cuda, dx, g, *, size):
    return _launch(cuda, _pool_grad, dx, g, size, g.shape[2:])


def largest(cuda, out, indices, x, *, wanted):
    return _launch(cuda, _max, out, x, x.shape[2:], wanted, indices)


def largest_grad(cuda, dx, g, indices, *, size):
    return _launch(cuda, _max_grad, dx, g, size, g.shape[2:], indices)
