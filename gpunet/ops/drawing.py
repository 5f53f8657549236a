"""The ops that draw random numbers, and their launches.

The numbers come from Philox (gpunet/random.py) and are the same on every device. The public functions are in random.py,
fills.py and dropout.py.
"""

from __future__ import annotations

import math

import numpy as np

from gpunet import random
from gpunet.dispatch import op
from gpunet.dtypes import BOOL_NP, FLOAT32_NP, FLOAT64_NP, INT64_NP
from gpunet.kernel import Kernel
from gpunet.native import Native
from gpunet.ops import elementwise
from gpunet.ops.launching import THREADS, aligned, blocks_of, by_type, by_type_and_pack, pack_of, spread
from gpunet.ops.rules import accumulator, require_float

# Ops draw float32 or float64; half types are rounded from float32.


@op(lambda state, *, shape, dtype, offset: (shape, dtype), differentiable=False)
def uniform_op(xp, out, state, *, shape, dtype, offset):
    out.reshape(-1)[...] = random.uniform_numbers(state, offset, out.size, dtype)


@op(lambda state, *, shape, dtype, offset, mean, std: (shape, dtype), differentiable=False)
def normal_op(xp, out, state, *, shape, dtype, offset, mean, std):
    out.reshape(-1)[...] = mean + std * random.normal_numbers(state, offset, out.size, dtype)


@op(lambda state, *, shape, dtype, offset: (shape, dtype), differentiable=False)
def bits_op(xp, out, state, *, shape, dtype, offset):
    out.reshape(-1)[...] = random.words(state, offset, random.blocks_of(out.size, dtype)).reshape(-1)[: out.size]


@op(lambda words: ((words.shape[0] // 2,), INT64_NP), differentiable=False)
def order_op(xp, out, words):
    """The order of 64-bit keys, of which each takes two words."""
    xp.copyto(out, xp.argsort(words.view(np.uint64), kind="stable"))


def _kept(x, state, *, p, offset):
    require_float(x, "dropout")
    return (x.shape, x.dtype), (x.shape, BOOL_NP)


@op(_kept, outputs=2)
def dropout_op(xp, out, mask, x, state, *, p, offset):
    """x / (1 - p) where kept, else 0; an element is kept when its 24 random bits are not below p * 2^24."""
    words = random.words(state, offset, random.blocks_of(out.size, FLOAT32_NP)).reshape(-1)[: out.size]
    mask.reshape(-1)[...] = (words >> np.uint32(8)) >= dropout_threshold(p)
    xp.multiply(x, out.dtype.type(dropout_scale(p)), out)
    xp.multiply(out, mask, out)


def dropout_threshold(p: float) -> int:
    return math.ceil(p * (1 << 24))


def dropout_scale(p: float) -> float:
    return 1.0 / (1.0 - p) if p < 1.0 else 0.0


@dropout_op.gradient
def _(gradients, _y, mask, _x, _state, *, p, offset):
    return dropout_grad(gradients[0], mask, p=p), None


def _kept_and_added(x, residual, state, *, p, offset):
    require_float(x, "dropout")
    assert residual.shape == x.shape and residual.dtype == x.dtype
    return (x.shape, x.dtype), (x.shape, BOOL_NP)


@op(_kept_and_added, outputs=2)
def dropout_add_op(xp, out, mask, x, residual, state, *, p, offset):
    """residual + dropout_op(x), as a residual connection has it, with the same numbers."""
    dropout_op.op.body(xp, out, mask, x, state, p=p, offset=offset)
    xp.add(residual, out, out)


@dropout_add_op.gradient
def _(gradients, _y, mask, _x, _residual, _state, *, p, offset):
    return dropout_grad(gradients[0], mask, p=p), gradients[0], None


@op(lambda g, mask, *, p: (g.shape, g.dtype))
def dropout_grad(xp, out, g, mask, *, p):
    xp.multiply(g, out.dtype.type(dropout_scale(p)), out)
    xp.multiply(out, mask, out)


@dropout_grad.gradient
def _(gg, _y, _g, mask, *, p):
    return dropout_grad(gg, mask, p=p), None


_dropout_native = Native("dropout.cpp", "dropout")
_dropout_grad_native = Native("dropout.cpp", "dropout_grad")


@dropout_op.cpu
def _(out, mask, x, state, *, p, offset):
    _dropout_native(out, mask, x, None, state, offset, dropout_threshold(p), dropout_scale(p), x.size)


@dropout_add_op.cpu(types=elementwise.FLOATS)
def _(out, mask, x, residual, state, *, p, offset):
    if out.dtype != FLOAT32_NP:  # what is dropped is rounded before the sum
        dropout_op.op.native(out, mask, x, state, p=p, offset=offset)
        elementwise.binary("add", out, residual, out)
        return
    _dropout_native(out, mask, x, residual, state, offset, dropout_threshold(p), dropout_scale(p), x.size)


@dropout_grad.cpu
def _(out, g, mask, *, p):
    _dropout_grad_native(out, g, mask, dropout_scale(p), g.size)


# ---- samples of categories ------------------------------------------------------------------------------------------


def _sampled(p, uniform, *, count, replacement):
    return (*p.shape[:-1], count), INT64_NP


@op(_sampled, differentiable=False)
def multinomial_op(xp, out, p, uniform, *, count, replacement):
    """With replacement by inversion; without it by a race: the categories whose exponential times are the shortest."""
    p = p.astype(FLOAT64_NP)
    if xp is np:
        _check_probabilities(p, count, replacement)
    if not replacement:
        out[...] = xp.argsort(xp.log1p(-uniform) / -p, axis=-1)[..., :count]
        return
    sums = xp.cumsum(p, axis=-1)
    sums /= sums[..., -1:].copy()
    rows = xp.arange(out.size // count).reshape(*out.shape[:-1], 1)  # one row after the other: one search for all
    found = xp.searchsorted((sums + rows).reshape(-1), (uniform + rows).reshape(-1), side="right").reshape(out.shape)
    out[...] = xp.minimum(found - rows * p.shape[-1], p.shape[-1] - 1)


def _check_probabilities(p, count, replacement):
    if not (np.isfinite(p) & (p >= 0)).all():
        raise RuntimeError("multinomial: the probabilities must be finite and not negative")
    if p.size and (p.sum(-1) <= 0).any():
        raise RuntimeError("multinomial: the sum of the probabilities must be positive")
    if not replacement and p.size and ((p > 0).sum(-1) < count).any():
        raise RuntimeError(f"multinomial: fewer than {count} categories have a probability; use replacement=True")


# ---- launches ------------------------------------------------------------------------------------------------------

_EXACT = ("-fmad=false",)
_random_bits = Kernel("random.cu", "random_bits", _EXACT)
_uniform = Kernel("random.cu", "uniform", _EXACT, lambda: [(FLOAT32_NP,), (FLOAT64_NP,)])
_normal = Kernel("random.cu", "normal", _EXACT, lambda: [(FLOAT32_NP,), (FLOAT64_NP,)])
_dropout = Kernel("random.cu", "dropout", _EXACT, lambda: ((*types, each) for types in by_type() for each in (4, 1)))
_dropout_add = Kernel("random.cu", "dropout_add", _EXACT,
                      lambda: ((*types, each) for types in by_type() for each in (4, 1)))
_dropout_backward = Kernel("random.cu", "dropout_backward", _EXACT, by_type_and_pack)


@bits_op.kernel
def _(cuda, out, state, *, shape, dtype, offset):
    _random_bits.on(cuda)(spread(cuda, blocks_of(out.size, 4)), THREADS, out, state, offset, out.size)


@uniform_op.kernel
def _(cuda, out, state, *, shape, dtype, offset):
    blocks = spread(cuda, blocks_of(out.size, 16 // out.itemsize))
    _uniform.on(cuda, out.dtype)(blocks, THREADS, out, state, offset, out.size)


@normal_op.kernel
def _(cuda, out, state, *, shape, dtype, offset, mean, std):
    blocks = spread(cuda, blocks_of(out.size, 16 // out.itemsize))
    _normal.on(cuda, out.dtype)(blocks, THREADS, out, state, offset, mean, std, out.size)


@dropout_op.kernel
def _(cuda, out, mask, x, state, *, p, offset):
    _launch(_dropout, cuda, (out, mask, x), state, p, offset)


@dropout_add_op.kernel
def _(cuda, out, mask, x, residual, state, *, p, offset):
    _launch(_dropout_add, cuda, (out, mask, x, residual), state, p, offset)


def _launch(kernel, cuda, arrays, state, p, offset):
    dtype, size = arrays[0].dtype, arrays[0].size
    launch = kernel.on(cuda, dtype, accumulator(dtype), 4 if aligned(*arrays) else 1)
    launch(spread(cuda, blocks_of(size, 4)), THREADS, *arrays, state, offset, dropout_threshold(p), dropout_scale(p),
           size)


@dropout_grad.kernel
def _(cuda, out, g, mask, *, p):
    pack = pack_of(g.dtype, out, g, mask)
    launch = _dropout_backward.on(cuda, g.dtype, accumulator(g.dtype), pack)
    launch(spread(cuda, blocks_of(g.size, pack)), THREADS, out, g, mask, dropout_scale(p), g.size)
