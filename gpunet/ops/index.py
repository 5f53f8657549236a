"""Indexing with tensors, gathering and masks. Slices and integers alone are views: see shape.py."""

from __future__ import annotations

import operator
import warnings
from functools import wraps

import numpy as np

from gpunet.devices.errors import index_out_of_range
from gpunet.dispatch import Mismatch, host_read, is_tensor, op
from gpunet.dtypes import BOOL_NP, FLOAT32_NP, HALF_TYPES, INT64_NP, UINT8_NP, int32, public
from gpunet.engine.graph import sum_to
from gpunet.ops.compare import eq, logical_and, ne, where
from gpunet.ops.creation import tensor
from gpunet.ops.host import fitted
from gpunet.ops.keyed import assign, checked, places_in_memory
from gpunet.ops.rules import broadcast, check_dim
from gpunet.ops.views import _index

__all__ = ["gather", "index_select", "masked_fill", "nonzero"]
IN_PLACE = ["masked_fill"]


class _Hole:
    """The place of the next index array in a key."""

    def __repr__(self):
        return "<index>"


# The index arrays at a FRONT_HOLE count from the front only: they may not be negative.
HOLE, FRONT_HOLE, ALL = _Hole(), _Hole(), slice(None)
INT32_NP = int32.numpy


def parse_key(x, key) -> tuple[tuple, tuple, list]:
    """A key in two steps, as PyTorch takes it: (view, template, index tensors).

    `view` is the key of a view of x, made of integers, slices and None. Of that view the index tensors are then taken:
    `template` has a HOLE for each of them and ALL for the dimensions in between. Bool tensors become the indices of
    their true elements, which reads them on the host.
    """
    parts = [_as_index(x, part) for part in (key if isinstance(key, tuple) else (key,))]
    used = sum([_dimensions(part) for part in parts])
    rank = x._array.ndim
    if used > rank:
        raise IndexError(f"too many indices for tensor of dimension {rank}: {used} were given")
    dots = [i for i, part in enumerate(parts) if part is Ellipsis]
    if len(dots) > 1:
        raise IndexError("an index can only have a single ellipsis ('...')")
    at = dots[0] if dots else len(parts)
    view, template, tensors, dim = [], [], [], 0
    for part in parts[:at] + [ALL] * (rank - used) + parts[at + 1 :]:
        if part is None:
            view.append(None)
            template.append(ALL)
        elif part.__class__ is bool:  # a new dimension of one element, or of none
            view.append(None)
            template.append(HOLE)
            tensors.append(x.new_tensor([0] * part, dtype=public(INT64_NP)))
        elif part.__class__ is int:
            size = x._array.shape[dim]
            if not -size <= part < size:
                raise IndexError(f"index {part} is out of range for dimension {dim} with size {size}")
            view.append(part)
            dim += 1
        elif part.__class__ is slice:
            view.append(part)
            template.append(ALL)
            dim += 1
        else:
            indices = _true_indices(x, part, dim) if part._array.dtype == BOOL_NP else [part]
            view += [ALL] * len(indices)
            template += [HOLE] * len(indices)
            tensors += indices
            dim += len(indices)
    return tuple(view), tuple(template), tensors


def _as_index(x, part):
    """A part of a key as None, Ellipsis, bool, int, slice or a tensor of integers or bools on x's device."""
    if part is None or part is Ellipsis or part.__class__ in (int, bool):
        return part
    if isinstance(part, slice):
        return _int_slice(part)
    if isinstance(part, (int, np.integer)):
        return int(part)
    if is_tensor(part):
        dtype = part._array.dtype
        if dtype == UINT8_NP:  # a mask, since it was PyTorch's bool once
            warnings.warn("indexing with a uint8 tensor takes it as a mask, as PyTorch does; use a bool tensor for "
                          "that, or .long() for positions", stacklevel=4)
            part = ne(part, 0)
        elif dtype != INT64_NP and dtype != INT32_NP and dtype != BOOL_NP:
            raise IndexError(f"tensors used as indices must be int64, int32 or bool, got {part.dtype}; use .long()")
        if part._array.ndim == 0 and (part._device.type == "cpu" or part._array.dtype == BOOL_NP):
            return _number(host_read(part, "indexing with a 0-d tensor"))
        if part._device is not x._device:
            if part._device.type != "cpu":
                raise RuntimeError(f"indices must be on the cpu or on the tensor's device {x._device.name}, "
                                   f"got {part._device.name}")
            part = part.to(x._device.name)
        return part
    if isinstance(part, (list, tuple, np.ndarray, range)):
        return _as_index(x, tensor(part if len(part) or isinstance(part, np.ndarray) else np.zeros(0, np.int64),
                                   device=x._device.name))
    raise IndexError(f"a tensor cannot be indexed with {type(part).__name__}; use integers, slices, None, ..., "
                     "lists or tensors of integers or bools")


def _number(array):
    return bool(array) if array.dtype == BOOL_NP else int(array)


def _int_slice(part):
    if part == ALL:
        return ALL
    if part.step is not None and part.step <= 0:
        raise ValueError("slice: the step must be greater than zero; use flip() to reverse")
    return slice(*(v if v is None else operator.index(v) for v in (part.start, part.stop, part.step)))


def _dimensions(part) -> int:
    """How many dimensions of the tensor a part of a key stands for."""
    if part is None or part is Ellipsis or part.__class__ is bool:
        return 0
    return part._array.ndim if is_tensor(part) and part._array.dtype == BOOL_NP else 1


def _true_indices(x, mask, dim: int) -> list:
    shape = x._array.shape[dim : dim + mask._array.ndim]
    if mask._array.shape != shape:
        raise IndexError(f"the shape of the mask {tuple(mask.shape)} does not match the shape of the indexed tensor "
                         f"{tuple(x.shape)} from dimension {dim} on")
    return [tensor(i, device=x._device.name) for i in host_read(mask, "indexing with a bool tensor").nonzero()]


def places(xp, key, indices):
    """A template with its index arrays as NumPy takes it. A template that is a number d stands for one index array
    along dimension d, whose own coordinates are those of the other dimensions (gather, scatter)."""
    if key.__class__ is int:
        index = indices[0]
        last = index.ndim - 1
        return tuple([index if d == key else xp.arange(n).reshape(-1, *[1] * (last - d))
                      for d, n in enumerate(index.shape)])
    arrays = iter(indices)
    return tuple([next(arrays) if part.__class__ is _Hole else part for part in key])


def sizes_of(key, shape) -> list[int]:
    """The sizes of the dimensions that the index arrays point into."""
    return [shape[key]] if key.__class__ is int else [n for n, part in zip(shape, key, strict=True)
                                                             if part.__class__ is _Hole]


def _in_range(body):
    """A body whose indices are checked on the CPU, in the words of devices/errors.py. (The launches check them too.)"""

    @wraps(body)
    def checked(xp, out, *arrays, key, **attrs):
        shape = attrs.get("shape") or arrays[0].shape
        if xp is np and not may_be_negative(key):
            check_ranges(arrays, shape, key)
        try:
            body(xp, out, *arrays, key=key, **attrs)
        except IndexError:
            check_ranges(arrays, shape, key)
            raise

    return checked


def check_ranges(arrays, shape, key) -> None:
    """Raises if one of the index arrays, which come last, is out of range."""
    sizes = sizes_of(key, shape)
    for index, size in zip(arrays[-len(sizes) :], sizes, strict=True):
        check_range(index, size, may_be_negative(key))


def may_be_negative(key) -> bool:
    """Whether negative indices count from the back: not where each element has an index of its own (gather, scatter),
    nor at a FRONT_HOLE."""
    return key.__class__ is not int and FRONT_HOLE not in key


def check_range(index, size: int, negative: bool) -> None:
    """Raises if an index of an array in the host's memory is out of range."""
    if index.size and not (-size * negative <= index.min() and index.max() < size):
        wrong = ((index < -size * negative) | (index >= size)).reshape(-1)
        position = int(wrong.argmax())
        raise index_out_of_range(position, int(index.reshape(-1)[position]), size)


def _taken(x, *indices, key):
    """The shape of x[key]. Index arrays broadcast together; their dimensions stand where the first was if all are
    neighbours, else in front."""
    if key.__class__ is int:
        return indices[0].shape, x.dtype
    shape = ()
    for index in indices:
        try:
            shape = broadcast(shape, index.shape)
        except Mismatch:
            raise IndexError("indexing: the index tensors cannot be broadcast together, their shapes are "
                             f"{', '.join(str(i.shape) for i in indices)}") from None
    first, _ = index_place(key)
    rest = [n for n, part in zip(x.shape, key, strict=True) if part.__class__ is not _Hole]
    return (*rest[:first], *shape, *rest[first:]), x.dtype


def index_place(key) -> tuple[int, list[int]]:
    """Where the dimensions of the index arrays stand in x[key], and the dimensions that they replace."""
    held = [i for i, part in enumerate(key) if part.__class__ is _Hole]
    return held[0] if held[-1] - held[0] == len(held) - 1 else 0, held


@op(_taken)
@_in_range
def take_op(xp, out, x, *indices, key):
    """x[key]."""
    out[...] = x[places(xp, key, indices)]


@take_op.gradient
def _(g, _y, x_meta, *indices, key):
    return put_sum(g, *indices, key=key, shape=x_meta.shape), *(None for _ in indices)


def _apart(indices, key) -> bool:
    """Whether no two indices can name one place: there is one along the dimension, as after argmax."""
    return key.__class__ is int and indices[0].shape[key : key + 1] == (1,)


def _at(xp, name, out, value, indices, key):
    """A ufunc's at(), half types in float32. NumPy is several times faster with one index array for memory in one
    dimension."""
    if out.dtype in HALF_TYPES:
        wide = out.astype(FLOAT32_NP)
        _at(xp, name, wide, value.astype(FLOAT32_NP), indices, key)
        xp.copyto(out, wide, casting="unsafe")
        return
    function, arrays = getattr(xp, name), places(xp, key, indices)
    if key.__class__ is not int:
        check_ranges(indices, out.shape, key)
    elif _apart(indices, key):
        out[arrays] = function(out[arrays], value)
        return
    if not out.flags.c_contiguous or not out.ndim:
        function.at(out, arrays, value)
        return
    first, held = (0, list(range(out.ndim))) if key.__class__ is int else index_place(key)
    numbers = places_in_memory(xp, indices if held != list(range(out.ndim)) else arrays, held, out.shape, first)
    function.at(out.reshape(-1), numbers.reshape(-1), xp.broadcast_to(value, numbers.shape).reshape(-1))


@op(lambda g, *indices, key, shape: (shape, g.dtype))
@_in_range
def put_sum(xp, out, g, *indices, key, shape):
    """The gradient of indexing: zeros, with every element of `g` added where it was taken from."""
    out[...] = 0
    _at(xp, "add", out, g, indices, key)


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
    out[places(xp, key, indices)] = value


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
    ones = masked_fill(x, eq(x, 0), 1)
    return g * put_reduce(ones, value, *indices, key=key, reduce="prod") / ones


def _factors_gradient(g, y, x, value, indices, key):
    """By the other factors; by one that is the only zero among those that meet, the product of the rest."""
    zero = eq(value, 0)
    count = put_sum(zero.to(g.dtype), *indices, key=key, shape=x._array.shape)
    single = logical_and(zero, eq(take_op(count, *indices, key=key), 1))
    rest = put_reduce(x, masked_fill(value, single, 1), *indices, key=key, reduce="prod")
    return where(single, take_op(g * rest, *indices, key=key),
                 take_op(g * y, *indices, key=key) / masked_fill(value, zero, 1))


def region(x, key):
    """The view of x that the first step of a key gives, and the template and index tensors of the second."""
    view, template, tensors = parse_key(x, key)
    whole = tensors and all([part is ALL for part in view])
    return (x if whole else _index(x, key=view)), template, tensors


_BOUND = frozenset({int, type(None)})


def getitem(x, key):
    """x[key]: a view for integers, slices, None and ...; a copy as soon as a list, array or tensor is in the key."""
    shape = x._array.shape
    if shape and (key.__class__ is int and -shape[0] <= key < shape[0] or key.__class__ is slice and key.step is None
                  and key.start.__class__ in _BOUND and key.stop.__class__ in _BOUND):
        return _index(x, key=(key,))
    view, template, tensors = region(x, key)
    return take_op(view, *tensors, key=template) if tensors else view


# ---- along a dimension ---------------------------------------------------------------------------------------------


def index_select(input, dim: int, index):
    """The entries `index` (1-d integer tensor) of a dimension: a copy."""
    dim = check_dim(dim, input._array.ndim, "index_select")
    if index._array.ndim > 1:
        raise IndexError(f"index_select: the index must have at most one dimension, got shape {tuple(index.shape)}")
    if index._array.dtype not in (INT64_NP, INT32_NP):
        raise RuntimeError(f"index_select: the index must be an int64 or int32 tensor, got {index.dtype}; use .long()")
    if input._array.ndim == 0:
        if index._array.size != 1:
            raise RuntimeError(f"index_select: a 0-d tensor has one element, but {index._array.size} are asked for")
        return index_select(input.reshape(1), 0, index).reshape(())
    key = (ALL,) * dim + (FRONT_HOLE,) + (ALL,) * (input._array.ndim - dim - 1)
    return take_op(input, index.reshape(-1), key=key)


def along(x, index, dim: int, op: str) -> int:
    """The dimension, for an index with a place for each of its elements: int64 or int32, of x's rank, and not larger
    than x in the other dimensions. An empty index may be anything."""
    if index._array.size == 0:
        return check_dim(dim, x._array.ndim, op)
    if index._array.dtype != INT64_NP and index._array.dtype != INT32_NP:
        raise RuntimeError(f"{op}: the index must be an int64 or int32 tensor, got {index.dtype}; use .long()")
    have, wanted = x._array.shape, index._array.shape
    dim = check_dim(dim, len(have), op)
    if max(len(have), 1) != max(len(wanted), 1) or any(
        [i > n for d, (i, n) in enumerate(zip(wanted, have, strict=False)) if d != dim]
    ):
        raise RuntimeError(f"{op}: index shape {wanted} does not fit input shape {have} along dim {dim}")
    return dim


def gather_op(x, index, *, dim: int):
    """`gather` without its checks."""
    return take_op(x, index, key=dim)


def gather(input, dim: int, index, *, sparse_grad: bool = False):
    """out[i][j] = input[index[i][j]][j] for dim 0, and so on: one element for each element of `index` (int64)."""
    dim = along(input, index, dim, "gather")
    if input._array.ndim == 0 or index._array.ndim == 0 or index._array.size == 0:  # 0-d is like one element
        return take_op(input.reshape(-1), index.reshape(-1).long(), key=0).reshape(index._array.shape)
    return take_op(input, index, key=dim)


def masked_fill(input, mask, value):
    """`value` where the mask holds, else `input`."""
    if mask._array.dtype != BOOL_NP:
        raise RuntimeError(f"masked_fill: the mask must be a bool tensor, got {mask.dtype}")
    if is_tensor(value) and value._array.ndim:
        raise RuntimeError(f"masked_fill: the value must be a number or a 0-d tensor, got shape {tuple(value.shape)}; "
                           "use where(mask, value, input)")
    return where(mask, as_value(input, value), input)


def as_value(input, value):
    """A number or a 0-d tensor as a 0-d tensor of the input's type, in whose range it must be."""
    if not is_tensor(value):
        return input.new_full((), value)
    if value._array.dtype != input._array.dtype and value._device.type == "cpu":
        fitted(value._array.item(), input._array.dtype)
    return value.to(input.dtype)


def nonzero(input, *, as_tuple: bool = False):
    """The indices of the nonzero elements: int64 of shape [count, dimensions], or with as_tuple a tensor for each
    dimension, as an index takes them. Reads the tensor on the host."""
    values = host_read(input, "nonzero")
    if as_tuple:
        return tuple([input.new_tensor(i, dtype=public(INT64_NP)) for i in np.atleast_1d(values).nonzero()])
    found = np.stack(values.nonzero(), 1) if values.ndim else np.zeros((int(bool(values)), 0), np.int64)
    return input.new_tensor(found, dtype=public(INT64_NP))


# ---- launches: indices are checked on the device, and what meets at one place is put together in a fixed order ------


def _indices(cuda, indices, key, shape):
    return checked(cuda, indices, sizes_of(key, shape), may_be_negative(key))


def _assign(cuda, out, value, indices, key, reduce=None):
    """Stores or reduces at a key whose indices are in range."""
    if _apart(indices, key):
        place = places(cuda.xp, key, indices)
        out[place] = value if reduce is None else getattr(cuda.xp, UFUNCS[reduce])(out[place], value)
        return
    if key.__class__ is int:
        held, first, arrays = list(range(out.ndim)), 0, places(cuda.xp, key, indices)
    else:
        (first, held), arrays = index_place(key), indices
    assign(cuda, out, value, arrays, held, _taken(out, *indices, key=key)[0], first, reduce)


@take_op.kernel
def _(cuda, out, x, *indices, key):
    take_op.op.body(cuda.xp, out, x, *_indices(cuda, indices, key, x.shape), key=key)


@put_sum.kernel
def _(cuda, out, g, *indices, key, shape):
    out.fill(0)
    _assign(cuda, out, g, _indices(cuda, indices, key, shape), key, "sum")


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
