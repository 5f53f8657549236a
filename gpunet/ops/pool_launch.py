"""The launches of kernels/pool.cu: pooling and its gradients on the devices cuda and sim."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from gpunet.kernel import Kernel
from gpunet.ops.launching import KERNEL_TYPES, THREADS, blocks_of, by_type
from gpunet.ops.rules import accumulator

_max_pool = Kernel("pool.cu", "max_pool", instances=by_type)
_max_pool_grad = Kernel("pool.cu", "max_pool_grad", instances=by_type)
_avg_pool = Kernel("pool.cu", "avg_pool", instances=by_type)
_avg_pool_grad = Kernel("pool.cu", "avg_pool_grad", instances=by_type)

_MOST = 2**31 - 1  # places within an image are 32-bit numbers


@lru_cache(maxsize=4096)
def _structure(at) -> np.void:
    """struct Windows of pool.cu."""
    return np.array(at.numbers, np.int32).view("V72")[0]


def _launch(cuda, kernel, size, dtype, at, *arguments):
    """One thread for each of `size` results, the kernel's last argument; `arguments` has `at` where the kernel does."""
    if dtype not in KERNEL_TYPES or max(at.count, at.area, *at.size) > _MOST or np.prod(at.size) > _MOST:
        return NotImplemented
    launch = kernel.on(cuda, dtype, accumulator(dtype))
    given = [_structure(at) if each is at else each for each in arguments]
    launch(blocks_of(size, THREADS), THREADS, *given, size)
    return None


def max_pool(cuda, out, x, *, at):
    return _launch(cuda, _max_pool, out.size, x.dtype, at, out, None, x, at)


def max_pool_indices(cuda, out, x, *, at):
    return _launch(cuda, _max_pool, out.size, x.dtype, at, None, out, x, at)


def max_pool_grad(cuda, out, g, x, y, *, at):
    if g.dtype != x.dtype:
        return NotImplemented
    return _launch(cuda, _max_pool_grad, out.size, x.dtype, at, out, g, x, y, at)


def avg_pool(cuda, out, x, *, at, include_pad, override):
    return _launch(cuda, _avg_pool, out.size, x.dtype, at, out, x, at, include_pad, override or 0)


def avg_pool_grad(cuda, out, g, *, at, include_pad, override):
    return _launch(cuda, _avg_pool_grad, out.size, g.dtype, at, out, g, at, include_pad, override or 0)
