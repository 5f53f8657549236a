"""Gathering from and scattering to places that tensors name. The computations are those of index.py."""

from __future__ import annotations

import numpy as np

from gpunet.dispatch import is_tensor, op
from gpunet.dtypes import BOOL_NP, INT64_NP, bool_
from gpunet.ops.compare import where
from gpunet.ops.index import (
    FRONT_HOLE,
    HOLE,
    INT32_NP,
    UFUNCS,
    along,
    as_value,
    gather,
    getitem,
    nonzero,
    put_add,
    put_op,
    put_reduce,
    region,
    take_op,
)
from gpunet.ops.operators import div
from gpunet.ops.pieces import narrow
from gpunet.ops.rules import broadcast, check_dim
from gpunet.ops.shape import expand, flatten, ravel, reshape

IN_PLACE = ["index_add", "index_copy", "index_fill", "index_put", "index_reduce", "masked_scatter", "put", "scatter",
            "scatter_add", "scatter_reduce"]
__all__ = [*IN_PLACE, "argwhere", "masked_select", "take", "take_along_dim"]


def _check_types(op: str, input, source) -> None:
    if source._array.dtype != input._array.dtype:
        raise RuntimeError(f"{op}: the tensor has type {input.dtype}, the values {source.dtype}; convert one with "
                           ".to(dtype)")


# ---- one element for each element of an index ----------------------------------------------------------------------


def _values_along(op: str, input, dim: int, index, src):
    """The operands of a scatter, 0-d tensors as such of one element: (x, dim, index, values of the index's shape or,
    for a number, without dimensions)."""
    dim = along(input, index, dim, op)
    shape = index._array.shape
    if index._array.size == 0:
        return reshape(input, -1), 0, reshape(index, -1).long(), input.new_zeros((0,))
    if not is_tensor(src):
        src = input.new_full((), src)
    else:
        _check_types(op, input, src)
        if src._array.ndim != len(shape) or any([i > n for i, n in zip(shape, src._array.shape, strict=True)]):
            raise RuntimeError(f"{op}: values of shape {tuple(src.shape)} are too few for an index of shape {shape}")
        for d, n in enumerate(shape):
            src = narrow(src, d, 0, n) if src._array.shape[d] != n else src
    if input._array.ndim == 0 or not shape:
        return reshape(input, -1), dim, reshape(index, -1), reshape(src, -1)
    return input, dim, index, src


_OLD_NAMES = {"add": "sum", "multiply": "prod"}


def scatter(input, dim: int, index, src=None, *, value=None, reduce=None):
    """`input` with out[index[i][j]][j] = src[i][j] for dim 0, and so on. The source is a tensor or a number; the last
    of several values for one place stays. reduce: "add" or "multiply" combines instead."""
    if (src is None) == (value is None):
        raise TypeError("scatter: give either src or value")
    if reduce is not None and reduce not in _OLD_NAMES:
        raise RuntimeError(f"scatter: reduce must be 'add' or 'multiply', got {reduce!r}")
    x, dim, index, values = _values_along("scatter", input, dim, index, value if src is None else src)
    if reduce is None:
        result = put_op(x, values, index, key=dim)
    else:
        result = _reduced(x, expand(values, index._array.shape), (index,), dim, _OLD_NAMES[reduce])
    return reshape(result, input._array.shape)


def scatter_add(input, dim: int, index, src):
    """`input` with src[i][j] added at [index[i][j]][j] for dim 0, and so on; in a fixed order on every device."""
    x, dim, index, values = _values_along("scatter_add", input, dim, index, src)
    return reshape(put_add(x, values, index, key=dim), input._array.shape)


def scatter_reduce(input, dim: int, index, src, reduce: str, *, include_self: bool = True):
    """The values that meet at each place, and with include_self what stood there, reduced to their sum, product
    ("prod"), mean, largest ("amax") or smallest ("amin"). What nothing meets stays."""
    x, dim, index, values = _values_along("scatter_reduce", input, dim, index, src)
    return reshape(_reduced(x, values, (index,), dim, reduce, include_self, "scatter_reduce"), input._array.shape)


def _reduced(x, values, indices, key, reduce, include_self=True, op="scatter"):
    if reduce not in ("mean", *UFUNCS):
        raise RuntimeError(f"{op}: reduce must be one of mean, {', '.join(UFUNCS)}, got {reduce!r}")
    counts = None
    if reduce == "mean":
        ones = x.new_ones(values._array.shape)
        start = x.new_ones(x._array.shape) if include_self else x.new_zeros(x._array.shape)
        counts = put_add(start, ones, *indices, key=key).clamp(min=1)
    if not include_self:
        x = put_op(x, x.new_full((), _neutral(x._array.dtype, reduce)), *indices, key=key)
    if reduce in ("amax", "amin", "prod"):
        return put_reduce(x, values, *indices, key=key, reduce=reduce)
    total = put_add(x, values, *indices, key=key)
    if counts is None:
        return total
    return total / counts if x.is_floating_point() else div(total, counts, rounding_mode="floor")


def _neutral(dtype, reduce):
    """What changes nothing when it is reduced with a value."""
    if reduce in ("sum", "mean", "prod"):
        return 1 if reduce == "prod" else 0
    if dtype.kind in "iub":
        bits = 8 * dtype.itemsize - (dtype.kind == "i")
        lowest, highest = (0, 1) if dtype == BOOL_NP else (-(1 << bits) if dtype.kind == "i" else 0, (1 << bits) - 1)
    else:
        lowest, highest = float("-inf"), float("inf")
    return lowest if reduce == "amax" else highest


def take(input, index):
    """The elements at places of the flattened tensor, in the index's shape."""
    return getitem(ravel(input), (index,)) if index._array.ndim else reshape(take(input, reshape(index, 1)), ())


def put(input, index, source, accumulate: bool = False):
    """`input` with the source's elements at places of the flattened tensor, or with accumulate added there."""
    _check_types("put", input, source)
    if index._array.size != source._array.size:
        raise RuntimeError(f"put: expected as many values as indices, got {source.numel()} and {index.numel()}")
    operation = put_add if accumulate else put_op
    result = operation(ravel(input), ravel(source), ravel(index), key=(HOLE,))
    return reshape(result, input._array.shape)


def take_along_dim(input, indices, dim: int | None = None):
    """`gather` with sizes that broadcast, where negative indices count from the back; without `dim` of the flattened
    tensor."""
    if dim is None:
        return take_along_dim(ravel(input), ravel(indices), 0)
    rank = input._array.ndim
    if indices._array.ndim != rank:
        raise RuntimeError(f"take_along_dim: input and indices must have as many dimensions, got {rank} and "
                           f"{indices._array.ndim}")
    dim = check_dim(dim, rank, "take_along_dim")
    if rank == 0:
        raise IndexError("take_along_dim: a 0-d tensor has no dimension")
    have, wanted = list(input._array.shape), list(indices._array.shape)
    size, count = have[dim], wanted[dim]
    have[dim] = wanted[dim] = 1
    shape = list(broadcast(tuple(have), tuple(wanted)))
    indices = where(indices < 0, indices + size, indices)
    return gather(expand(input, (*shape[:dim], size, *shape[dim + 1 :])), dim,
                  expand(indices, (*shape[:dim], count, *shape[dim + 1 :])))


# ---- whole slices at an index --------------------------------------------------------------------------------------


def _slices(op: str, input, dim: int, index, source):
    """The operands that store slices along a dimension: (x, key, index), 0-d tensors as such of one element. The
    source is checked, and expanded where it is a number."""
    rank = input._array.ndim
    dim = check_dim(dim, rank, op)
    if index._array.ndim > 1:
        raise IndexError(f"{op}: the index must have at most one dimension, got shape {tuple(index.shape)}")
    if index._array.dtype not in (INT64_NP, INT32_NP):
        raise RuntimeError(f"{op}: the index must be an int64 or int32 tensor, got {index.dtype}; use .long()")
    x = input if rank else reshape(input, 1)
    shape = (*x._array.shape[:dim], index._array.size, *x._array.shape[dim + 1 :])
    if source is not None:
        _check_types(op, input, source)
        if source._array.shape != shape and not (source._array.size == 1 and index._array.size == 1 and rank < 2):
            kind = IndexError if op == "index_copy" else RuntimeError
            raise kind(f"{op}: for an input of shape {tuple(input.shape)} and {index._array.size} indices along "
                             f"dim {dim} the source must have shape {shape}, got {tuple(source.shape)}")
        source = reshape(source, shape)
    hole = HOLE if op == "index_fill" else FRONT_HOLE
    key = (slice(None),) * dim + (hole,) + (slice(None),) * (x._array.ndim - dim - 1)
    return x, key, reshape(index, -1), source


def index_add(input, dim: int, index, source, *, alpha=1):
    """`input` with the slices of the source, times alpha, added to those that the index names along a dimension."""
    x, key, index, source = _slices("index_add", input, dim, index, source)
    source = source if alpha == 1 else source * alpha
    return reshape(put_add(x, source, index, key=key), input._array.shape)


def index_copy(input, dim: int, index, source):
    """`input` with the slices of the source in place of those that the index names along a dimension."""
    x, key, index, source = _slices("index_copy", input, dim, index, source)
    return reshape(put_op(x, source, index, key=key), input._array.shape)


def index_reduce(input, dim: int, index, source, reduce: str, *, include_self: bool = True):
    """As `scatter_reduce`, with slices along a dimension; reduce is prod, mean, amax or amin."""
    x, key, index, source = _slices("index_reduce", input, dim, index, source)
    return reshape(_reduced(x, source, (index,), key, reduce, include_self, "index_reduce"), input._array.shape)


def index_fill(input, dim: int, index, value):
    """`input` with a number, or a 0-d tensor's value, in the slices that the index names along a dimension."""
    if is_tensor(value) and value._array.ndim:
        raise RuntimeError(f"index_fill: the value must be a number or a 0-d tensor, got shape {tuple(value.shape)}")
    x, key, index, _ = _slices("index_fill", input, dim, index, None)
    value = as_value(input, value)
    # By a mask, since the value's gradient counts a place once, however often the index names it.
    size = x._array.shape[key.index(HOLE)]
    named = put_op(x.new_zeros((size,), dtype=bool_), x.new_ones((), dtype=bool_), index, key=(HOLE,))
    named = reshape(named, [size if part is HOLE else 1 for part in key])
    return reshape(where(named, value, x), input._array.shape)


def index_put(input, indices, values, accumulate: bool = False):
    """`input` with x[indices] = values, or with accumulate x[indices] += values where each place counts as often as it
    occurs. indices: a tuple of tensors of integers or bools, None for a whole dimension."""
    _check_types("index_put", input, values)
    x, template, tensors = region(input, tuple([slice(None) if i is None else i for i in indices]))
    return (put_add if accumulate else put_op)(x, values, *tensors, key=template)


# ---- by a mask -----------------------------------------------------------------------------------------------------


def argwhere(input):
    """The indices of the nonzero elements: int64 of shape [count, dimensions]. Reads the tensor on the host."""
    return nonzero(input)


def masked_select(input, mask):
    """The elements where the mask holds (both broadcast), in one dimension. Reads the mask on the host."""
    if mask._array.dtype != BOOL_NP:
        raise RuntimeError(f"masked_select: the mask must be a bool tensor, got {mask.dtype}")
    shape = broadcast(input._array.shape, mask._array.shape)
    return flatten(getitem(expand(input, shape), expand(mask, shape)))


@op(lambda mask, *, limit: (mask.shape, INT64_NP), differentiable=False)
def ranks(xp, out, mask, *, limit):
    """For each element that holds, how many hold before it; 0 for the others."""
    flat = mask.reshape(-1)
    count = xp.cumsum(flat, dtype=INT64_NP)
    if xp is np and count.size and count[-1] > limit:
        raise RuntimeError(f"masked_scatter: the mask holds at {count[-1]} places, but the source has {limit} elements")
    out[...] = ((count - 1) * flat).reshape(mask.shape)


def masked_scatter(input, mask, source):
    """`input` with the source's elements, in order, where the mask holds; mask and input broadcast."""
    if mask._array.dtype != BOOL_NP:
        raise RuntimeError(f"masked_scatter: the mask must be a bool tensor, got {mask.dtype}")
    _check_types("masked_scatter", input, source)
    shape = broadcast(input._array.shape, mask._array.shape)
    input, mask = expand(input, shape), expand(mask, shape)
    order = ranks(mask, limit=source._array.size)
    if source._array.size == 0:
        return input.clone()
    return where(mask, take_op(ravel(source), order, key=(HOLE,)), input)
