"""What training loops do with all gradients at once: their norm, clipping by it, and the loss scale of mixed precision.

Each is one call for all tensors, which are of one type and on one device.
"""

from __future__ import annotations

from math import inf

import numpy as np

from gpunet.dispatch import op
from gpunet.dtypes import FLOAT32_NP, FLOAT64_NP
from gpunet.kernel import Kernel
from gpunet.native import Native
from gpunet.ops.launching import KERNEL_TYPES, THREADS, by_type
from gpunet.ops.many import sizes, tables
from gpunet.ops.rules import accumulator

ORDERS = {2.0: 2, 1.0: 1, inf: 0}  # of norms, and how kernels are told
_MOST_BLOCKS = 1024  # whatever the device, so that sums are formed in one order


@op(lambda *tensors, **_: ((), accumulator(tensors[0].dtype)), differentiable=False)
def total_norm(xp, out, *tensors, order=2.0):
    """The norm of all elements of some tensors; order: a key of ORDERS."""
    norms = [_norm(xp, x.astype(out.dtype, copy=False), order) for x in tensors if x.size]
    xp.copyto(out, _norm(xp, xp.stack(norms), order) if norms else 0)


def _norm(xp, x, order):
    return xp.sqrt(xp.sum(xp.square(x))) if order == 2 else xp.sum(xp.abs(x)) if order == 1 else xp.max(xp.abs(x))


@op(None, outputs=-1)
def scale_all(xp, *arrays):
    """Each of some tensors times one factor, in place."""
    *outs, factor = arrays
    for out in outs:
        xp.multiply(out, factor.astype(out.dtype), out)


@op(None, outputs=-1)
def clip_all(xp, *arrays, most, order=2.0):
    """Scales tensors in place so that their norm, the last output, is at most `most`."""
    *tensors, norm = arrays
    total_norm.op.body(xp, norm, *tensors, order=order)
    scale_all.op.body(xp, *tensors, _factor(xp, norm, most))


def _factor(xp, norm, most):
    return xp.minimum(most / (norm + 1e-6), 1).astype(norm.dtype)  # NaN stays NaN


@op(None, outputs=-1)
def unscale_all(xp, *arrays):
    """Divides tensors by the loss scale, in place; the output before the last input is 1 if a number was infinite or
    NaN, else 0."""
    *tensors, found, scale = arrays
    found[...] = 0
    inverse = 1 / scale.astype(FLOAT64_NP)
    for x in tensors:
        xp.maximum(found, ~xp.isfinite(x).all(), out=found)
        xp.multiply(x, inverse.astype(accumulator(x.dtype)), out=x, casting="unsafe")


@op(None, outputs=2)
def move_loss_scale(xp, scale, good_steps, found, *, growth, backoff, interval):
    """The loss scale after a step: times `backoff` if a number was infinite, and times `growth` after `interval` good
    steps in a row, unless that would be infinite."""
    bad = found != 0
    good = xp.where(bad, 0, good_steps + 1)
    grown = (scale * growth).astype(scale.dtype)
    grows = (good == interval) & xp.isfinite(grown)
    scale[...] = xp.where(bad, scale * backoff, xp.where(grows, grown, scale))
    good_steps[...] = xp.where(good == interval, 0, good)


# ---- native kernels ------------------------------------------------------------------------------------------------

_total_norm_native = Native("norms.cpp", "total_norm")
_scale_all_native = Native("norms.cpp", "scale_all")


@total_norm.cpu
def _(out, *tensors, order=2.0):
    if order != 2:
        return NotImplemented
    _total_norm_native(out, tensors, [x.size for x in tensors], len(tensors))


@scale_all.cpu
def _(*arrays):
    *outs, factor = arrays
    _scale_all_native(outs, [x.size for x in outs], len(outs), factor)


@clip_all.cpu(replayable=False)
def _(*arrays, most, order=2.0):
    *tensors, norm = arrays
    if order != 2:
        return NotImplemented
    lengths = [x.size for x in tensors]
    _total_norm_native(norm, tensors, lengths, len(tensors))
    _scale_all_native(tensors, lengths, len(tensors), np.array(_factor(np, norm, most)))


# ---- on the GPU ----------------------------------------------------------------------------------------------------


def _instances():
    return ((*types, most) for types in by_type() for most in sizes(1))


_norm_pieces = Kernel("gradients.cu", "norm_pieces", instances=_instances)
_norm_finish = Kernel("gradients.cu", "norm_finish", instances=lambda: [(FLOAT32_NP,), (FLOAT64_NP,)])
_clip_pieces = Kernel("gradients.cu", "clip_pieces", instances=_instances)
_scale_pieces = Kernel("gradients.cu", "scale_pieces", instances=_instances)
_unscale_pieces = Kernel("gradients.cu", "unscale_pieces", instances=_instances)
_move_loss_scale = Kernel("gradients.cu", "move_loss_scale")


def _cut(cuda, tensors):
    """(table, blocks, number of the first of them) for each launch."""
    first = 0
    for table in tables(cuda, tensors):
        blocks = min(table.pieces, _MOST_BLOCKS)
        yield table, blocks, first
        first += blocks


def _terms(cuda, tensors, wide, order):
    """What norm_pieces finds, and the launches' tables."""
    parts = list(_cut(cuda, tensors))
    found = cuda.empty((sum([blocks for _, blocks, _ in parts]),), wide)
    for table, blocks, first in parts:
        _norm_pieces.on(cuda, tensors[0].dtype, wide, table.most)(blocks, THREADS, table.record, found[first:],
                                                                  table.pieces, order)
    return found, parts


@total_norm.kernel
def _(cuda, out, *tensors, order=2.0):
    if tensors[0].dtype not in KERNEL_TYPES:
        return NotImplemented
    found, _ = _terms(cuda, tensors, out.dtype, ORDERS[order])
    _norm_finish.on(cuda, out.dtype)(1, THREADS, out, found, found.size, ORDERS[order])


@clip_all.kernel
def _(cuda, *arrays, most, order=2.0):
    *tensors, norm = arrays
    dtype, wide = tensors[0].dtype, norm.dtype
    if dtype not in KERNEL_TYPES or not any([x.size for x in tensors]):
        return NotImplemented
    found, parts = _terms(cuda, tensors, wide, ORDERS[order])
    for table, blocks, _ in parts:
        _clip_pieces.on(cuda, dtype, wide, table.most)(blocks, THREADS, table.record, norm, found, found.size,
                                                       table.pieces, ORDERS[order], most)


@scale_all.kernel
def _(cuda, *arrays):
    *tensors, factor = arrays
    dtype = tensors[0].dtype
    if dtype not in KERNEL_TYPES or factor.dtype != accumulator(dtype):
        return NotImplemented
    for table, blocks, _ in _cut(cuda, tensors):
        _scale_pieces.on(cuda, dtype, factor.dtype, table.most)(blocks, THREADS, table.record, factor, table.pieces)


@unscale_all.kernel
def _(cuda, *arrays):
    *tensors, found, scale = arrays
    dtype = tensors[0].dtype
    if dtype not in KERNEL_TYPES or found.dtype != FLOAT32_NP or not any([x.size for x in tensors]):
        return NotImplemented
    parts = list(_cut(cuda, tensors))
    each = cuda.empty((sum([blocks for _, blocks, _ in parts]),), FLOAT32_NP)
    for table, blocks, first in parts:
        _unscale_pieces.on(cuda, dtype, accumulator(dtype), table.most)(blocks, THREADS, table.record, each[first:],
                                                                        scale, table.pieces)
    _norm_finish.on(cuda, FLOAT32_NP)(1, THREADS, found, each, each.size, ORDERS[inf])


@move_loss_scale.kernel
def _(cuda, scale, good_steps, found, *, growth, backoff, interval):
    _move_loss_scale.on(cuda)(1, 32, scale, good_steps, found, growth, backoff, interval)
