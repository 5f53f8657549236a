"""The launches of kernels/pool.cu, and of kernels/pool_channels.cu for images in channels last: pooling and its
gradients on the devices cuda and sim."""

from __future__ import annotations

from functools import lru_cache
from math import prod
from typing import Any

import numpy as np

from gpunet.kernel import Kernel
from gpunet.ops.channels_last import as_rows, is_channels_last, lie_last, rows
from gpunet.ops.launching import (
    DIVISOR,
    KERNEL_TYPES,
    THREADS,
    blocks_of,
    by_type,
    by_type_and_pack,
    divisor,
    pack_of,
)
from gpunet.ops.rules import accumulator

_KERNELS = {name: (Kernel("pool.cu", name, instances=by_type),
                   Kernel("pool_channels.cu", name.replace("pool", "pool_channels"), instances=by_type_and_pack))
            for name in ("max_pool", "max_pool_grad", "avg_pool", "avg_pool_grad")}
_PLACES = np.dtype([(name, DIVISOR) for name in ("packs", "width", "height")])  # as in pool_channels.cu

_MOST = 2**31 - 1  # places within an image are 32-bit numbers


@lru_cache(maxsize=4096)
def _structure(at) -> np.void:
    """struct Windows of pool.cu."""
    return np.array(at.numbers, np.int32).view("V72")[0]


@lru_cache(maxsize=4096)
def _places(packs: int, width: int, height: int) -> Any:
    return np.array((divisor(packs), divisor(width), divisor(height)), _PLACES)[()]


def channels_last(cuda, *arrays, at, **_) -> bool:
    """Whether the launches take these arrays as they lie. Beside gradients, the image decides."""
    x = arrays[1] if len(arrays) == 3 else arrays[0]
    most = x.shape[0] * x.shape[1] * max(prod(at.size), at.count)
    return (is_channels_last(x) and 0 < most <= _MOST and x.dtype in KERNEL_TYPES
            and all([each.dtype == x.dtype for each in arrays]))


def _launch(cuda, name, result, at, arrays, *options):
    """A thread for each element of the result, or in channels last for each pack of its channels. arrays: those of the
    kernel, the result among them; options: numbers."""
    dtype = arrays[-1].dtype
    if dtype not in KERNEL_TYPES or max(at.count, at.area, *at.size) > _MOST or prod(at.size) > _MOST:
        return NotImplemented
    wide, (of_planes, of_channels) = accumulator(dtype), _KERNELS[name]
    if not lie_last(*arrays):
        of_planes.on(cuda, dtype, wide)(blocks_of(result.size, THREADS), THREADS, *arrays, _structure(at), *options,
                                        result.size)
        return None
    _, channels, height, width = result.shape
    arrays = [each if each is None else as_rows(each) if each is result else rows(cuda, each) for each in arrays]
    pack = pack_of(dtype, *arrays)
    pack = pack if channels % pack == 0 else 1
    count = result.size // pack
    of_channels.on(cuda, dtype, wide, pack)(blocks_of(count, THREADS), THREADS, *arrays, _structure(at), *options,
                                            _places(channels // pack, width, height), count)
    return None


def max_pool(cuda, out, x, *, at):
    return _launch(cuda, "max_pool", out, at, (out, None, x))


def max_pool_indices(cuda, out, x, *, at):
    return _launch(cuda, "max_pool", out, at, (None, out, x))


def max_pool_grad(cuda, out, g, x, y, *, at):
    return NotImplemented if g.dtype != x.dtype else _launch(cuda, "max_pool_grad", out, at, (out, g, x, y))


def avg_pool(cuda, out, x, *, at, include_pad, override):
    return _launch(cuda, "avg_pool", out, at, (out, x), include_pad, override or 0)


def avg_pool_grad(cuda, out, g, *, at, include_pad, override):
    return _launch(cuda, "avg_pool_grad", out, at, (out, g), include_pad, override or 0)
