"""The ops of reductions: sums, means, products, extremes, truth. Their functions are in reduce.py, moments.py and
extremes.py."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from math import prod as product

import numpy as np

from gpunet.dispatch import bind, op
from gpunet.dtypes import BOOL_NP, FLOAT32_NP, HALF_TYPES, INT64_NP, UINT8_NP
from gpunet.native import Native
from gpunet.ops import extremes_launch, reduce_launch
from gpunet.ops.compare import eq
from gpunet.ops.half import rounded_once
from gpunet.ops.join import cat
from gpunet.ops.pieces import narrow
from gpunet.ops.rules import accumulator, dims_of, reduced_shape, reduction


def _back(g, dims, shape):
    """A reduced gradient with its dimensions restored as size 1, ready to broadcast."""
    return g.reshape(reduced_shape(shape, dims, True))


def over(operation) -> Callable:
    """An op as a function of (input, dim, keepdim): what depends on the dimensions alone is found once."""
    known = {}

    def reduce(input, dim, keepdim):
        key = dim, keepdim, input._array.ndim
        try:
            bound = known.get(key)
        except TypeError:
            return reduce(input, tuple(dim), keepdim)
        if bound is None:
            dims = dims_of(dim, input._array.ndim, operation.op.name)
            bound = known[key] = bind(operation, dims=dims, keepdim=keepdim)
        return bound(input)

    return reduce


# ---- the CPU's kernels ---------------------------------------------------------------------------------------------

_sum, _max, _min = (Native("reduce.cpp", f"reduce_{name}") for name in ("sum", "max", "min"))


@lru_cache(4096)
def _parts(shape: tuple, dims: tuple) -> tuple[int, int, int] | None:
    """[outer, reduced, inner], as which an array stands if the reduced dimensions are neighbours, but for those of one
    element; else None."""
    reduced = [d for d in range(len(shape)) if d in dims and shape[d] != 1]
    if not reduced:
        return product(shape), 1, 1
    first, last = reduced[0], reduced[-1]
    if any(shape[d] != 1 and d not in dims for d in range(first, last)):
        return None
    return product(shape[:first]), product(shape[first : last + 1]), product(shape[last + 1 :])


def _reduced(kernel, out, x, dims, divisor=1.0):
    parts = _parts(x.shape, dims)
    if parts is None:  # two stretches at least: the last one first
        last = max(d for d in dims if x.shape[d] != 1)
        first = last
        while first and (first - 1 in dims or x.shape[first - 1] == 1):
            first -= 1
        between = np.empty((*x.shape[:first], *x.shape[last + 1 :]), x.dtype)
        outer, inner = product(x.shape[:first]), product(x.shape[last + 1 :])
        kernel(between, x, outer, product(x.shape[first : last + 1]), inner, 1.0)
        _reduced(kernel, out, between, tuple([d for d in dims if d < first]), divisor)
        return
    kernel(out, x, *parts, divisor)


# ---- sums ----------------------------------------------------------------------------------------------------------


def _accumulated(x, *, dims, keepdim):
    """Integers and bools accumulate in int64."""
    return reduced_shape(x.shape, dims, keepdim), INT64_NP if x.dtype.kind in "iub" else x.dtype


@op(_accumulated)
def sum_op(xp, out, x, *, dims, keepdim):
    if out.dtype in HALF_TYPES:
        xp.copyto(out, xp.sum(x, axis=dims, dtype=FLOAT32_NP, keepdims=keepdim), casting="unsafe")
    else:
        xp.add.reduce(x, dims, out.dtype, out, keepdim)  # np.sum, without the way there


@sum_op.cpu
def _(out, x, *, dims, keepdim):
    _reduced(_sum, out, x, dims)


@sum_op.kernel
def _(cuda, out, x, *, dims, keepdim):
    return reduce_launch.reduce(cuda, out, x, dims)


sum_op.channels_last(reduce_launch.serves_last)


@sum_op.gradient
def _(g, _y, x_meta, *, dims, keepdim):
    return (_back(g, dims, x_meta.shape).expand(x_meta.shape),)


@op(reduction)
def mean_op(xp, out, x, *, dims, keepdim):
    if out.dtype not in HALF_TYPES:
        xp.add.reduce(x, dims, out.dtype, out, keepdim)
        xp.divide(out, x.size / out.size if out.size else math.nan, out)
    else:
        total = xp.add.reduce(x, dims, FLOAT32_NP, None, keepdim)  # np.mean warns of an empty x
        xp.copyto(out, total / (x.size / out.size if out.size else math.nan), casting="unsafe")


@mean_op.cpu
def _(out, x, *, dims, keepdim):
    _reduced(_sum, out, x, dims, x.size / out.size if out.size else math.nan)


@mean_op.kernel
def _(cuda, out, x, *, dims, keepdim):
    return reduce_launch.reduce(cuda, out, x, dims, x.size / out.size if out.size else math.nan)


mean_op.channels_last(reduce_launch.serves_last)


@mean_op.gradient
def _(g, _y, x_meta, *, dims, keepdim):
    count = product(x_meta.shape[d] for d in dims)
    return ((_back(g, dims, x_meta.shape) / count).expand(x_meta.shape),)


@op(_accumulated)
def prod_op(xp, out, x, *, dims, keepdim):
    wide = accumulator(out.dtype)
    xp.copyto(out, xp.prod(x, axis=dims, dtype=wide, keepdims=keepdim), casting="unsafe")


@prod_op.kernel
def _(cuda, out, x, *, dims, keepdim):
    return reduce_launch.reduce(cuda, out, x, dims, function="Product")


@prod_op.gradient
@rounded_once
def _(g, _, x, *, dims, keepdim):
    # Products of all other elements, from the left and from the right: exact where elements are zero.
    if x._array.ndim == 0:
        return (g.clone(),)
    if x._array.size == 0:
        return (x.new_zeros(x._array.shape),)
    flat = x.reshape(-1) if len(dims) == x._array.ndim else x.movedim(dims[0], -1)
    before, after = _exclusive_products(flat), _exclusive_products(flat.flip(-1)).flip(-1)
    others = before * after
    others = others.reshape(x._array.shape) if len(dims) == x._array.ndim else others.movedim(-1, dims[0])
    return (_back(g, dims, x._array.shape) * others,)


def _exclusive_products(x):
    """Along the last dimension, the product of all elements before each."""
    return cat([x.new_ones((*x._array.shape[:-1], 1)), narrow(x, -1, 0, x._array.shape[-1] - 1).cumprod(-1)], -1)


# ---- extremes ------------------------------------------------------------------------------------------------------


def _extreme(name, function, text):
    def body(xp, out, x, *, dims, keepdim):
        getattr(x, function)(axis=dims, out=out, keepdims=keepdim)

    body.__name__ = name

    def rule(x, *, dims, keepdim):
        if any([x.shape[d] == 0 for d in dims]):
            raise IndexError(f"{name}: a dimension of size 0 has no {text} element; shape {x.shape}")
        return reduction(x, dims=dims, keepdim=keepdim)

    declared = op(rule)(body)

    kernel = _max if name == "amax" else _min

    @declared.cpu
    def _(out, x, *, dims, keepdim):
        _reduced(kernel, out, x, dims)

    @declared.gradient
    @rounded_once
    def _(g, y, x, *, dims, keepdim):  # ties share the gradient evenly
        chosen = eq(x, _back(y, dims, x._array.shape)).to(g.dtype)
        return (_back(g, dims, x._array.shape) * (chosen / sum_op(chosen, dims=dims, keepdim=True)),)

    return declared


amax_op = _extreme("amax", "max", "largest")
amin_op = _extreme("amin", "min", "smallest")
amax_op.kernel(extremes_launch.value(True))
amin_op.kernel(extremes_launch.value(False))


def _arg(name):
    def rule(x, *, dim, keepdim):
        if x.shape[dim] == 0 if dim is not None and x.ndim else x.size == 0:
            raise IndexError(f"{name}: expected a dimension of nonzero size, got shape {x.shape}")
        if dim is None:
            return (1,) * x.ndim if keepdim else (), INT64_NP
        return reduced_shape(x.shape, (dim,) if x.ndim else (), keepdim), INT64_NP

    def body(xp, out, x, *, dim, keepdim):
        getattr(xp, name)(x, axis=dim if x.ndim else None, out=out, keepdims=keepdim)

    body.__name__ = name
    return op(rule, differentiable=False)(body)


argmax_op, argmin_op = _arg("argmax"), _arg("argmin")


def _native(operation):
    run = Native("select.cpp", operation.op.name)

    @operation.cpu
    def _(out, x, *, dim, keepdim):
        shape = x.shape
        if dim is None:
            run(out, x, 1, x.size, 1)
        elif shape:
            dim %= len(shape)
            run(out, x, product(shape[:dim]), shape[dim], product(shape[dim + 1 :]))
        else:
            return NotImplemented
        return None


_native(argmax_op)
_native(argmin_op)
argmax_op.kernel(extremes_launch.argument(True))
argmin_op.kernel(extremes_launch.argument(False))


# ---- truth ---------------------------------------------------------------------------------------------------------


def _truth(name):
    def body(xp, out, x, *, dims, keepdim):
        getattr(xp, name)(x if x.dtype == BOOL_NP else x != 0, axis=dims, out=out, keepdims=keepdim)

    body.__name__ = name

    def rule(x, *, dims, keepdim):  # uint8, which was PyTorch's bool once, keeps its type there and so here
        return reduced_shape(x.shape, dims, keepdim), x.dtype if x.dtype == UINT8_NP else BOOL_NP

    return op(rule, differentiable=False)(body)


all_op, any_op = _truth("all"), _truth("any")
all_op.kernel(extremes_launch.of_bools(False))
any_op.kernel(extremes_launch.of_bools(True))
