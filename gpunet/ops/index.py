"""The ops of indexing with tensors: taking, storing and reducing at a key. Slices and integers alone are views: see
shape.py. What users call is here (x[key]), in gathering.py, scatter.py and index_slices.py."""

from __future__ import annotations

from functools import wraps
from math import prod

import numpy as np

from gpunet.dispatch import Mismatch, op
from gpunet.dtypes import FLOAT32_NP, HALF_TYPES, INT64_NP
from gpunet.engine.graph import sum_to
from gpunet.native import Native
from gpunet.ops import rows_launch, sort_launch
from gpunet.ops.compare import eq, logical_and, where
from gpunet.ops.keyed import assign, checked, places_in_memory
from gpunet.ops.keys import ALL, Key, along, parse
from gpunet.ops.rules import broadcast
from gpunet.ops.views import _index


def _in_range(body):
    """A body whose indices are checked on the CPU, in the words of devices/errors.py. (The launches check them too.)"""

    @wraps(body)
    def checked(xp, out, *arrays, key, **attrs):
        shape = attrs.get("shape") or arrays[0].shape
        indices = arrays[-len(key.dims) :]  # they come last
        if xp is np and not key.negative:
            key.check(indices, shape)
        try:
            body(xp, out, *arrays, key=key, **attrs)
        except IndexError:
            key.check(indices, shape)
            raise

    return checked


def _taken(x, *indices, key):
    """The shape of x[key]. Index arrays broadcast together; their dimensions stand where the first was if all are
    neighbours, else in front."""
    if key.elementwise:
        return indices[0].shape, x.dtype
    shape = ()
    for index in indices:
        try:
            shape = broadcast(shape, index.shape)
        except Mismatch:
            raise IndexError("indexing: the index tensors cannot be broadcast together, their shapes are "
                             f"{', '.join(str(i.shape) for i in indices)}") from None
    first = key.first
    rest = [n for d, n in enumerate(x.shape) if d not in key.dims]
    return (*rest[:first], *shape, *rest[first:]), x.dtype


@op(_taken)
@_in_range
def take_op(xp, out, x, *indices, key):
    """x[key]."""
    out[...] = x[key.places(xp, indices, x.ndim)]


@take_op.gradient(joint=True)
def _(g, _y, x_meta, *indices, key, joint=None):
    if joint is not None and 0 in joint.onto and len(indices) == 1:  # a table that is a weight elsewhere, too
        return put_sum_onto(g, *indices, joint.onto.pop(0), key=key), None
    return put_sum(g, *indices, key=key, shape=x_meta.shape), *(None for _ in indices)


def _at(xp, name, out, value, indices, key):
    """A ufunc's at(), half types in float32. NumPy is several times faster with one index array for memory in one
    dimension."""
    if out.dtype in HALF_TYPES:
        wide = out.astype(FLOAT32_NP)
        _at(xp, name, wide, value.astype(FLOAT32_NP), indices, key)
        xp.copyto(out, wide, casting="unsafe")
        return
    function, arrays = getattr(xp, name), key.places(xp, indices, out.ndim)
    if not key.elementwise:
        key.check(indices, out.shape)
    elif key.apart(indices):
        out[arrays] = function(out[arrays], value)
        return
    if not out.flags.c_contiguous or not out.ndim:
        function.at(out, arrays, value)
        return
    numbers = places_in_memory(xp, arrays if key.elementwise else indices, key.held(out.ndim), out.shape, key.first)
    function.at(out.reshape(-1), numbers.reshape(-1), xp.broadcast_to(value, numbers.shape).reshape(-1))


@op(lambda g, *indices, key, shape: (shape, g.dtype))
@_in_range
def put_sum(xp, out, g, *indices, key, shape):
    """The gradient of indexing: zeros, with every element of `g` added where it was taken from."""
    out[...] = 0
    _at(xp, "add", out, g, indices, key)


@op(lambda g, index, onto, *, key: (onto.shape, g.dtype), differentiable=False)
def put_sum_onto(xp, out, g, index, onto, *, key):
    """`onto`, with every element of `g` added where it was taken from."""
    put_sum.op.body(xp, out, g, index, key=key, shape=out.shape)
    out += onto


@put_sum.gradient
def _(gg, _y, _g, *indices, key, shape):
    return take_op(gg, *indices, key=key), *(None for _ in indices)


def _put(x, value, *indices, key, **_):
    shape, _ = _taken(x, *indices, key=key)
    if value.ndim > len(shape) or any([n not in (1, m) for n, m in zip(value.shape[::-1], shape[::-1], strict=False)]):
        raise RuntimeError(f"indexing: a value of shape {value.shape} does not broadcast to the indexed shape {shape}")
    return x.shape, x.dtype


@op(_put)
@_in_range
def put_op(xp, out, x, value, *indices, key):
    """`x` with `value` at the key; the last of several values for one place stays."""
    if out is not x:
        out[...] = x
    out[key.places(xp, indices, out.ndim)] = value


@put_op.gradient
def _(g, _y, _x, value_meta, *indices, key):
    none = [None for _ in indices]
    return (lambda: put_op(g, g.new_zeros(()), *indices, key=key),
            lambda: sum_to(take_op(g, *indices, key=key), value_meta.shape), *none)


@op(_put)
@_in_range
def put_add(xp, out, x, value, *indices, key):
    """`x` with `value` added at the key, as often as a place occurs there."""
    if out is not x:
        out[...] = x
    _at(xp, "add", out, value, indices, key)


@put_add.gradient
def _(g, _y, _x, value_meta, *indices, key):
    return g, lambda: sum_to(take_op(g, *indices, key=key), value_meta.shape), *(None for _ in indices)


UFUNCS = {"sum": "add", "prod": "multiply", "amax": "maximum", "amin": "minimum"}


@op(_put)
@_in_range
def put_reduce(xp, out, x, value, *indices, key, reduce):
    """`x` multiplied with `value` at the key ("prod"), or the larger or smaller of both ("amax", "amin"). `value` has
    the shape of x[key]."""
    if out is not x:
        out[...] = x
    _at(xp, UFUNCS[reduce], out, value, indices, key)


@put_reduce.gradient
def _(g, y, x, value, *indices, key, reduce):
    def take(t):
        return take_op(t, *indices, key=key)

    none = [None for _ in indices]
    if reduce == "prod":
        return lambda: _factor_gradient(g, x, value, indices, key), lambda: _factors_gradient(g, y, x, value, indices,
                                                                                              key), *none
    # All that equal the result share its gradient evenly.
    mine, theirs = eq(x, y).to(g.dtype), eq(value, take(y)).to(g.dtype)
    share = g / put_add(mine, theirs, *indices, key=key)
    return mine * share, lambda: theirs * take(share), *none


def _factor_gradient(g, x, value, indices, key):
    """By x, the first factor: the product of the others, also where x is 0."""
    ones = _with_ones(x, eq(x, 0))
    return g * put_reduce(ones, value, *indices, key=key, reduce="prod") / ones


def _factors_gradient(g, y, x, value, indices, key):
    """By the other factors; by one that is the only zero among those that meet, the product of the rest."""
    zero = eq(value, 0)
    count = put_sum(zero.to(g.dtype), *indices, key=key, shape=x._array.shape)
    single = logical_and(zero, eq(take_op(count, *indices, key=key), 1))
    rest = put_reduce(x, _with_ones(value, single), *indices, key=key, reduce="prod")
    return where(single, take_op(g * rest, *indices, key=key),
                 take_op(g * y, *indices, key=key) / _with_ones(value, zero))


def _with_ones(x, mask):
    return where(mask, x.new_ones(()), x)


def region(x, written) -> tuple:
    """The view of x that the first step of a key gives, and the key and index tensors of the second (see keys.py)."""
    view, key, tensors = parse(x, written)
    whole = tensors and all([part is ALL for part in view])
    return (x if whole else _index(x, key=view)), key, tensors


_BOUND = frozenset({int, type(None)})


def getitem(x, key):
    """x[key]: a view for integers, slices, None and ...; a copy as soon as a list, array or tensor is in the key."""
    shape = x._array.shape
    if shape and (key.__class__ is int and -shape[0] <= key < shape[0] or key.__class__ is slice and key.step is None
                  and key.start.__class__ in _BOUND and key.stop.__class__ in _BOUND):
        return _index(x, key=(key,))
    view, key, tensors = region(x, key)
    return take_op(view, *tensors, key=key) if tensors else view


def gather_op(x, index, *, dim: int):
    """`gather` without its checks."""
    return take_op(x, index, key=along(dim))


# ---- native kernels: rows of a table ---------------------------------------------------------------------------------

_take_rows = Native("rows.cpp", "take_rows")
_sum_rows = Native("rows.cpp", "sum_rows")


def _rows(run, out, x, indices, key, shape, unit=1):
    """Takes or sums rows: one index array, along the first dimension. unit: what the kernel counts an element as."""
    index = indices[0]
    if key.dims != (0,) or key.elementwise or index.dtype != INT64_NP or 0 in shape:
        return NotImplemented
    if not (x.flags.c_contiguous and index.flags.c_contiguous and out.flags.c_contiguous):
        return NotImplemented
    good = np.empty(1, np.int64)
    run(out, x, index, good, index.size, shape[0], unit * prod(shape[1:]), key.negative)
    if not good[0]:
        key.check(indices, shape)


@take_op.cpu(types=(), replayable=False, strided=True)  # an index out of range is an error in each replay
def _(out, x, *indices, key):
    return _rows(_take_rows, out, x, indices, key, x.shape, x.itemsize)


@put_sum.cpu(replayable=False)
def _(out, g, *indices, key, shape):
    return _rows(_sum_rows, out, g, indices, key, shape)


# ---- launches: indices are checked on the device, and what meets at one place is put together in a fixed order ------


def _indices(cuda, indices, key: Key, shape):
    return checked(cuda, indices, key.sizes(shape), key.negative)


def _assign(cuda, out, value, indices, key, reduce=None):
    """Stores or reduces at a key whose indices are in range."""
    if key.apart(indices):
        place = key.places(cuda.xp, indices, out.ndim)
        out[place] = value if reduce is None else getattr(cuda.xp, UFUNCS[reduce])(out[place], value)
        return
    arrays = key.places(cuda.xp, indices, out.ndim) if key.elementwise else indices
    assign(cuda, out, value, arrays, key.held(out.ndim), _taken(out, *indices, key=key)[0], key.first, reduce)


@take_op.kernel
def _(cuda, out, x, *indices, key):
    if key.elementwise:
        if sort_launch.take_along(cuda, out, x, indices[0], key.dims[0]):
            return
    elif rows_launch.take(cuda, out, x, indices[0], key):
        return
    take_op.op.body(cuda.xp, out, x, *_indices(cuda, indices, key, x.shape), key=key)


@put_sum.kernel
def _(cuda, out, g, *indices, key, shape):
    if key.elementwise:
        if sort_launch.put_along(cuda, out, g, indices[0], key.dims[0]):
            return
    elif rows_launch.put_sum(cuda, out, g, indices[0], key):
        return
    out.fill(0)
    _assign(cuda, out, g, _indices(cuda, indices, key, shape), key, "sum")


@put_sum_onto.kernel
def _(cuda, out, g, index, onto, *, key):
    if not rows_launch.put_sum(cuda, out, g, index, key, onto):
        cuda.run(put_sum.op, (out,), (g, index), dict(key=key, shape=out.shape))
        out += onto


@put_op.kernel
def _(cuda, out, x, value, *indices, key):
    indices = _indices(cuda, indices, key, x.shape)
    if value.size == 1:  # the order does not matter
        put_op.op.body(cuda.xp, out, x, value, *indices, key=key)
        return
    if out is not x:
        out[...] = x
    _assign(cuda, out, value, indices, key)


def _reducing(declared):
    @declared.kernel
    def _(cuda, out, x, value, *indices, key, reduce="sum"):
        if out is not x:
            out[...] = x
        _assign(cuda, out, value, _indices(cuda, indices, key, x.shape), key, reduce)


_reducing(put_add)
_reducing(put_reduce)
