"""Values stored at, or reduced into, places of a tensor that an index or a mask names. The ops are in index.py."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from gpunet.dispatch import NUMBERS, is_tensor, op
from gpunet.dtypes import BOOL_NP, FLOAT, INT64_NP, Number, category
from gpunet.ops.compare import where
from gpunet.ops.gathering import check_along
from gpunet.ops.host import fitted
from gpunet.ops.index import UFUNCS, put_add, put_op, put_reduce, region, take_op
from gpunet.ops.keys import along, at
from gpunet.ops.operators import div
from gpunet.ops.out import deliver
from gpunet.ops.pieces import narrow
from gpunet.ops.rules import broadcast
from gpunet.ops.shape import expand, ravel, reshape
from gpunet.ops.spellings import takes_axis

if TYPE_CHECKING:
    from gpunet.tensor import Tensor

__all__ = ["index_put", "masked_fill", "masked_scatter", "put", "scatter", "scatter_add", "scatter_reduce"]
IN_PLACE = __all__

_FLAT = at(0)


def check_types(op: str, input, source) -> None:
    if source._array.dtype != input._array.dtype:
        raise RuntimeError(f"{op}: the tensor has type {input.dtype}, the values {source.dtype}; convert one with "
                           ".to(dtype)")


# ---- one element for each element of an index ----------------------------------------------------------------------


@takes_axis
def scatter(input: Tensor, dim: int, index: Tensor, src: Tensor | Number | None = None, *, value: Number | None = None,
            reduce: str | None = None, out: Tensor | None = None) -> Tensor:
    """The input with one element stored for each element of an index: for dim 0, y[index[i][j]][j] = src[i][j].

    Of several values for one place, the last stays, on every device.

    Args:
        input: tensor of any type.
        dim: dimension that the index points into; it may be given as `axis`.
        index: int64 or int32 tensor with as many dimensions as `input`, not larger in the other dimensions.
        src: values: a tensor of input's type, in each dimension at least as large as the index; or a number.
        value: a number to store, instead of `src`.
        reduce: None to store; "add" or "multiply" to combine with what is there.
        out: tensor of input's type that receives the result; resized if its shape differs.

    Returns:
        Tensor of input's shape and type.

    Raises:
        RuntimeError: the shapes or types do not fit, or reduce is unknown.
        IndexError: dim, or an element of the index, is out of range.
        TypeError: neither src nor value is given, or both are.

    Example:
        >>> gpunet.scatter(gpunet.zeros(3), 0, gpunet.tensor([2, 0]), gpunet.tensor([5.0, 7.0]))
        tensor([7., 0., 5.])
    """
    if (src is None) == (value is None):
        raise TypeError("scatter: give either src or value")
    if reduce is not None and reduce not in _OLD_NAMES:
        raise RuntimeError(f"scatter: reduce must be 'add' or 'multiply', got {reduce!r}")
    x, dim, index, values = _values_along("scatter", input, dim, index, value if src is None else src)
    if reduce is None:
        result = put_op(x, values, index, key=along(dim))
    else:
        result = reduced(x, expand(values, index._array.shape), (index,), along(dim), _OLD_NAMES[reduce])
    return deliver(reshape(result, input._array.shape), out, "scatter", exact=True)


_OLD_NAMES = {"add": "sum", "multiply": "prod"}


def _values_along(op: str, input, dim: int, index, src) -> tuple[Any, int, Any, Any]:
    """The operands of a scatter, 0-d tensors as such of one element: (x, dim, index, values of the index's shape or,
    for a number, without dimensions)."""
    dim = check_along(input, index, dim, op)
    shape = index._array.shape
    if is_tensor(src):
        check_types(op, input, src)
    if index._array.size == 0:
        nothing = narrow(reshape(src, (-1,)), 0, 0, 0) if is_tensor(src) else input.new_zeros((0,))
        return reshape(input, (-1,)), 0, reshape(index, (-1,)).long(), nothing
    if not is_tensor(src):
        src = input.new_full((), src)
    else:
        if src._array.ndim != len(shape) or any([i > n for i, n in zip(shape, src._array.shape, strict=True)]):
            raise RuntimeError(f"{op}: values of shape {tuple(src.shape)} are too few for an index of shape {shape}")
        for d, n in enumerate(shape):
            src = narrow(src, d, 0, n) if src._array.shape[d] != n else src
    if input._array.ndim == 0 or not shape:
        return reshape(input, (-1,)), dim, reshape(index, (-1,)), reshape(src, (-1,))
    return input, dim, index, src


@takes_axis
def scatter_add(input: Tensor, dim: int, index: Tensor, src: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The input with values added at the places of an index: for dim 0, y[index[i][j]][j] += src[i][j].

    Values that meet are added in a fixed order, so that results are reproducible on every device.

    Args:
        input: tensor of any type.
        dim: dimension that the index points into; it may be given as `axis`.
        index: int64 or int32 tensor with as many dimensions as `input`, not larger in the other dimensions.
        src: tensor of input's type, in each dimension at least as large as the index.
        out: tensor of input's type that receives the result; resized if its shape differs.

    Returns:
        Tensor of input's shape and type.

    Raises:
        RuntimeError: the shapes or types do not fit.
        IndexError: dim, or an element of the index, is out of range.

    Example:
        >>> gpunet.scatter_add(gpunet.zeros(3), 0, gpunet.tensor([2, 2]), gpunet.tensor([5.0, 7.0]))
        tensor([ 0.,  0., 12.])
    """
    x, dim, index, values = _values_along("scatter_add", input, dim, index, src)
    result = reshape(put_add(x, values, index, key=along(dim)), input._array.shape)
    return deliver(result, out, "scatter_add", exact=True)


@takes_axis
def scatter_reduce(input: Tensor, dim: int, index: Tensor, src: Tensor, reduce: str, *, include_self: bool = True,
                   out: Tensor | None = None) -> Tensor:
    """The input with the values that meet at each place of an index reduced to one. Other places stay as they are.

    Args:
        input: tensor of any type.
        dim: dimension that the index points into; it may be given as `axis`.
        index: int64 or int32 tensor with as many dimensions as `input`, not larger in the other dimensions.
        src: tensor of input's type, in each dimension at least as large as the index.
        reduce: "sum", "prod", "mean", "amax" or "amin".
        include_self: whether input's element is one of the values that are reduced.
        out: tensor of input's type that receives the result; resized if its shape differs.

    Returns:
        Tensor of input's shape and type.

    Raises:
        RuntimeError: the shapes or types do not fit, or reduce is unknown.
        IndexError: dim, or an element of the index, is out of range.

    Example:
        >>> src = gpunet.tensor([5.0, 7.0, 2.0])
        >>> gpunet.scatter_reduce(gpunet.ones(3), 0, gpunet.tensor([2, 2, 0]), src, "amax")
        tensor([2., 1., 7.])
    """
    x, dim, index, values = _values_along("scatter_reduce", input, dim, index, src)
    result = reduced(x, values, (index,), along(dim), reduce, include_self, "scatter_reduce")
    return deliver(reshape(result, input._array.shape), out, "scatter_reduce", exact=True)


def reduced(x, values, indices, key, reduce, include_self=True, op="scatter"):
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


# ---- as x[...] = values --------------------------------------------------------------------------------------------


def put(input: Tensor, index: Tensor, source: Tensor, accumulate: bool = False) -> Tensor:
    """The input with values stored at places of the flattened tensor: y.flatten()[index[i]] = source[i].

    Args:
        input: tensor of any type.
        index: int64 tensor of any shape; negative indices count from the back.
        source: tensor of input's type, with as many elements as the index.
        accumulate: whether to add the values to what is there, instead of storing them.

    Returns:
        Tensor of input's shape and type.

    Raises:
        RuntimeError: the types or the numbers of elements differ.
        IndexError: an index is out of range.

    Example:
        >>> gpunet.put(gpunet.zeros(2, 2), gpunet.tensor([0, 3]), gpunet.tensor([5.0, 7.0]))
        tensor([[5., 0.],
                [0., 7.]])
    """
    check_types("put", input, source)
    if index._array.size != source._array.size:
        raise RuntimeError(f"put: expected as many values as indices, got {source.numel()} and {index.numel()}")
    operation = put_add if accumulate else put_op
    result = operation(ravel(input), ravel(source), ravel(index), key=_FLAT)
    return reshape(result, input._array.shape)


def index_put(input: Tensor, indices: Sequence[Tensor | None], values: Tensor, accumulate: bool = False) -> Tensor:
    """The input with values stored at an index: y[indices] = values.

    Args:
        input: tensor of any type.
        indices: for each of the first dimensions a tensor of integers or bools, or None for the whole dimension.
        values: tensor of input's type, broadcastable to the shape of input[indices].
        accumulate: whether to add the values to what is there, as often as a place occurs, instead of storing them.

    Returns:
        Tensor of input's shape and type.

    Raises:
        RuntimeError: the shapes or types do not fit.
        IndexError: an index is out of range, or there are too many.

    Example:
        >>> gpunet.index_put(gpunet.zeros(3), (gpunet.tensor([0, 2]),), gpunet.tensor([5.0, 7.0]))
        tensor([5., 0., 7.])
    """
    check_types("index_put", input, values)
    x, key, tensors = region(input, tuple([slice(None) if i is None else i for i in indices]))
    return (put_add if accumulate else put_op)(x, values, *tensors, key=key)


# ---- by a mask -----------------------------------------------------------------------------------------------------


def masked_fill(input: Tensor, mask: Tensor, value: Tensor | Number) -> Tensor:
    """The input with one value where a mask is True: y = where(mask, value, input).

    Args:
        input: tensor of any type.
        mask: bool tensor, broadcastable with `input`.
        value: number or 0-d tensor, converted to input's type.

    Returns:
        Tensor of the broadcast shape and input's type.

    Raises:
        RuntimeError: the mask is not of type bool, the value has dimensions, or the shapes do not broadcast.

    Example:
        >>> x = gpunet.tensor([1.0, -2.0, 3.0])
        >>> gpunet.masked_fill(x, x < 0, 0)
        tensor([1., 0., 3.])
    """
    _check_mask("masked_fill", mask)
    dtype = input._array.dtype
    if value.__class__ in NUMBERS and category(dtype) == FLOAT:  # a kernel's parameter, and no array of one element
        fitted(value, dtype)
        return where(mask, float(value), input)
    return where(mask, as_value("masked_fill", input, value), input)


def as_value(op: str, input, value):
    """A number or a 0-d tensor as a 0-d tensor of the input's type, in whose range it must be."""
    if not is_tensor(value):
        return input.new_full((), value)
    if value._array.ndim:
        raise RuntimeError(f"{op}: the value must be a number or a 0-d tensor, got shape {tuple(value.shape)}; "
                           "use where(mask, value, input) for others")
    if value._array.dtype != input._array.dtype and value._device.type == "cpu":
        fitted(value._array.item(), input._array.dtype)
    return value.to(input.dtype)


def _check_mask(op: str, mask) -> None:
    if mask._array.dtype != BOOL_NP:
        raise RuntimeError(f"{op}: the mask must be a bool tensor, got {mask.dtype}")


@op(lambda mask, *, limit: (mask.shape, INT64_NP), differentiable=False)
def ranks(xp, out, mask, *, limit):
    """For each element that holds, how many hold before it; 0 for the others."""
    flat = mask.reshape(-1)
    count = xp.cumsum(flat, dtype=INT64_NP)
    if xp is np and count.size and count[-1] > limit:
        raise RuntimeError(f"masked_scatter: the mask holds at {count[-1]} places, but the source has {limit} elements")
    out[...] = ((count - 1) * flat).reshape(mask.shape)


def masked_scatter(input: Tensor, mask: Tensor, source: Tensor) -> Tensor:
    """The input with the source's elements, in order, where a mask is True.

    Args:
        input: tensor of any type.
        mask: bool tensor, broadcastable with `input`.
        source: tensor of input's type, with at least as many elements as the mask has True.

    Returns:
        Tensor of the broadcast shape and input's type.

    Raises:
        RuntimeError: the mask is not of type bool, the types differ, or the source has too few elements.

    Example:
        >>> x = gpunet.tensor([1, -2, 3, -4])
        >>> gpunet.masked_scatter(x, x < 0, gpunet.tensor([10, 20]))
        tensor([ 1, 10,  3, 20])
    """
    _check_mask("masked_scatter", mask)
    check_types("masked_scatter", input, source)
    shape = broadcast(input._array.shape, mask._array.shape)
    input, mask = expand(input, shape), expand(mask, shape)
    order = ranks(mask, limit=source._array.size)
    if source._array.size == 0:
        return input.clone()
    return where(mask, take_op(ravel(source), order, key=_FLAT), input)
