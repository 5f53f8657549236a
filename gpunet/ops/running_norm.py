"""Batch normalisation by running statistics where no gradients are recorded: one pass, and on the GPU one launch."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from gpunet.dispatch import op
from gpunet.dtypes import FLOAT32_NP, HALF_TYPES
from gpunet.engine.modes import mode
from gpunet.kernel import Kernel
from gpunet.native import Native
from gpunet.native.halves import number
from gpunet.ops import elementwise
from gpunet.ops.channels_last import as_rows, is_channels_last, lie_last, rows
from gpunet.ops.epilogue import BY_FUNCTION, NONE, OPTIONS, after_of, served
from gpunet.ops.launching import (
    KERNEL_TYPES,
    THREADS,
    aligned,
    blocks_of,
    by_type_and_pack,
    pack_of,
    spread,
    tiles_of,
)
from gpunet.ops.rules import accumulator
from gpunet.ops.walks import cycle

_affine = Native("channel_norm.cpp", "channel_affine")
_MOST = 2**31 - 1


def affine(xp, mean, variance, scale, shift, eps):
    """The factor and the offset of each channel; of half types in float32."""
    found: list[Any] = [None if x is None else x.astype(FLOAT32_NP) if x.dtype in HALF_TYPES else x
                        for x in (mean, variance, scale, shift)]
    mean, variance, scale, shift = found
    factor = 1 / xp.sqrt(variance + variance.dtype.type(eps))
    factor = factor if scale is None else factor * scale
    return factor, -mean * factor if shift is None else shift - mean * factor


@op(lambda x, *_, eps: (x.shape, x.dtype), differentiable=False)
def running_norm(xp, out, x, mean, variance, scale, shift, *, eps):
    """(x - mean) / sqrt(variance + eps) * scale + shift by the channels of x [N, C, ...]. The vectors are all of its
    type, or of the one it computes in; scale and shift may be None."""
    factor, offset = [each.reshape(-1, *[1] * (x.ndim - 2)) for each in affine(xp, mean, variance, scale, shift, eps)]
    wide = xp.multiply(x.astype(factor.dtype, copy=False), factor)
    xp.add(wide, offset, out=wide)
    xp.copyto(out, wide, casting="unsafe")


@running_norm.cpu(halves=(0, 1))
def _(out, x, mean, variance, scale, shift, *, eps):
    if not x.size:
        return NotImplemented
    factor, offset = np.empty((2, *mean.shape), mean.dtype)
    elementwise.binary("add", factor, variance, eps)
    elementwise.unary("rsqrt", factor, factor)
    if scale is not None:
        elementwise.binary("mul", factor, factor, scale)
    elementwise.binary("mul", offset, mean, factor)
    elementwise.binary("sub", offset, 0.0 if shift is None else shift, offset)
    return _affine(out, x, factor, offset, *x.shape[:2], x.size // (x.shape[0] * x.shape[1]),
                   number(x.dtype))


def _instances():
    """<type, type of its sums, type of the vectors, elements in an access>."""
    for dtype, wide, pack in by_type_and_pack():
        for vectors in dict.fromkeys((dtype, wide)):
            yield dtype, wide, vectors, pack


_running_norm = Kernel("running_norm.cu", "running_norm", OPTIONS, _instances)
_rows = Kernel("running_norm.cu", "running_norm_rows", OPTIONS, _instances)


def launch(cuda, out, x, vectors, eps: float, onto=None, activation: int = NONE):
    """One launch, with what follows."""
    dtype = x.dtype
    if dtype not in KERNEL_TYPES or not 0 < x.size <= _MOST or not served(dtype, activation):
        return NotImplemented
    if lie_last(out, x, onto):
        out, x, onto = as_rows(out), rows(cuda, x), None if onto is None else rows(cuda, onto)
        columns = x.shape[-1]
    else:
        columns = x.shape[1] if prod(x.shape[2:]) == 1 else 0
    kind, pack = (dtype, accumulator(dtype), vectors[0].dtype), pack_of(dtype, out, x, onto)
    after = after_of(dtype, (*vectors, onto), eps, activation)
    if columns:
        pack = pack if columns % pack == 0 and aligned(*vectors) else 1
        count, (lanes, tiles) = x.size // columns, tiles_of(columns, pack)
        blocks = min(blocks_of(count * lanes, THREADS), blocks_of(cuda.sm_count * 8, tiles))
        _rows.on(cuda, *kind, pack)((tiles, blocks), THREADS, out, x, after, count, columns, lanes,
                                    lanes.bit_length() - 1)
        return None
    pack = pack if (x.size // (x.shape[0] * x.shape[1])) % pack == 0 else 1
    channels = (1, x.shape[1], *[1] * (x.ndim - 2))
    _running_norm.on(cuda, *kind, pack)(spread(cuda, blocks_of(x.size, pack)), THREADS, out, x,
                                        cycle(channels, x.shape), after, x.size)
    return None


@running_norm.kernel
def _(cuda, out, x, *vectors, eps):
    return launch(cuda, out, x, vectors, eps)


@running_norm.channels_last
def _(cuda, x, *vectors, eps):
    return is_channels_last(x) and x.dtype in KERNEL_TYPES and 0 < x.size <= _MOST


@running_norm.finishes
def _(cuda, out, arrays, attrs, ending):
    x, *vectors = arrays
    return launch(cuda, out, x, vectors, attrs["eps"], ending.onto, BY_FUNCTION[ending.activation])


running_norm.op.is_norm = True


def serves(input, *vectors) -> bool:
    """Whether the op takes these: the vectors of one floating-point type, no gradients recorded."""
    dtype, of_vectors = input._array.dtype, vectors[0]._array.dtype
    if of_vectors != dtype and of_vectors != accumulator(dtype):
        return False
    for each in vectors:
        if each is not None and (each._array.dtype != of_vectors or mode.grad and each._requires_grad):
            return False
    return not (mode.grad and input._requires_grad)
