"""Sorting, and what a sorted dimension tells: the largest k, medians, modes. NaN sorts after all numbers.

Each op gives indices; the values, and with them the gradients, are gathered by these. Quantiles are in quantiles.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, overload

import numpy as np

from gpunet.dispatch import op
from gpunet.dtypes import BOOL_NP, FLOAT, INT64_NP, category, public
from gpunet.native import Native
from gpunet.ops import sort_launch
from gpunet.ops.compare import eq, isnan, where
from gpunet.ops.extremes import ValuesIndices
from gpunet.ops.index import gather_op
from gpunet.ops.out import deliver
from gpunet.ops.reductions import sum_op
from gpunet.ops.rules import accumulator, by_axis, check_dim
from gpunet.ops.scan import doubling
from gpunet.ops.spellings import numpy_names

if TYPE_CHECKING:
    from gpunet.tensor import Tensor

__all__ = ["argsort", "kthvalue", "median", "mode", "msort", "nanmedian", "sort", "topk"]


def _order(xp, x, dim, descending=False):
    """The stable order of a dimension."""
    x = x.astype(accumulator(x.dtype), copy=False)
    if not descending:
        return xp.argsort(x, axis=dim, kind="stable")
    order = xp.flip(xp.argsort(xp.flip(x, axis=dim), axis=dim, kind="stable"), axis=dim)
    return x.shape[dim] - 1 - order


@op(lambda x, **_: (x.shape, INT64_NP), differentiable=False)
def argsort_op(xp, out, x, *, dim, descending):
    xp.copyto(out, _order(xp, x, dim, descending))


@argsort_op.kernel
def _(cuda, out, x, *, dim, descending):
    return sort_launch.sort(cuda, out, x, dim, descending, 0, x.shape[dim])


def _one_index(x, *, dim, **_):
    return (*x.shape[:dim], 1, *x.shape[dim + 1 :]), INT64_NP


def _best(x, *, dim, k, **_):
    return (*x.shape[:dim], k, *x.shape[dim + 1 :]), INT64_NP


@op(_best, differentiable=False)
def _topk_index(xp, out, x, *, dim, k, largest):
    """Where the k largest or smallest are, in order."""
    if xp is not np or k == 0 or 4 * k > x.shape[dim]:  # it does not pay to choose before sorting
        xp.copyto(out, _order(xp, x, dim, largest)[_cut(x, dim, 0, k)])
        return
    x = np.moveaxis(x.astype(accumulator(x.dtype), copy=False), dim, -1)
    before, equal, more = _split_at(x, x.shape[-1] - k if largest else k - 1, largest)
    chosen = before | equal & (np.cumsum(equal, axis=-1) <= k - more)
    chosen = chosen.nonzero()[-1].reshape(*x.shape[:-1], k)  # of equal ones the first
    order = _order(np, np.take_along_axis(x, chosen, axis=-1), x.ndim - 1, largest)
    np.copyto(out, np.moveaxis(np.take_along_axis(chosen, order, axis=-1), -1, dim))


def _split_at(x, place: int, largest: bool):
    """Which elements of the last dimension come before the one that has this place in ascending order, which equal it,
    and how many come before."""
    value = np.partition(x, place, axis=-1)[..., place : place + 1]
    before, equal = x > value if largest else x < value, x == value
    if category(x.dtype) == FLOAT:
        nan, none = x != x, value != value
        equal |= nan & none
        before |= nan & ~none if largest else ~nan & none
    return before, equal, before.sum(axis=-1, keepdims=True)


_topk_native = Native("select.cpp", "topk")


@_topk_index.cpu
def _(out, x, *, dim, k, largest):
    if dim % x.ndim != x.ndim - 1 or not x.size:
        return NotImplemented
    n = x.shape[-1]
    _topk_native(out, x, x.size // n, n, k, largest)


@_topk_index.kernel
def _(cuda, out, x, *, dim, k, largest):
    return sort_launch.first(cuda, out, x, dim, k, largest)


def _cut(x, dim, start, stop):
    return (slice(None),) * dim + (slice(start, stop),)


@op(_one_index, differentiable=False)
def _kth_index(xp, out, x, *, dim, k):
    """Where the k-th smallest is, counted from 1."""
    if xp is not np:
        xp.copyto(out, _order(xp, x, dim)[_cut(x, dim, k - 1, k)])
        return
    _, equal, less = _split_at(np.moveaxis(x.astype(accumulator(x.dtype), copy=False), dim, -1), k - 1, False)
    found = np.argmax(equal & (np.cumsum(equal, axis=-1) == k - less), axis=-1)  # the one that a stable order has there
    np.copyto(out, np.expand_dims(found, dim))


@_kth_index.kernel
def _(cuda, out, x, *, dim, k):
    return sort_launch.one(cuda, out, x, dim, k)


@op(_one_index, differentiable=False)
def _median_index(xp, out, x, *, dim, skip_nan):
    """Where the median is, the lower one of two; for NaN, unless they are skipped, the first of them."""
    if xp is np and (category(x.dtype) != FLOAT or not (x != x).any()):
        _kth_index.op.body(np, out, x, dim=dim, k=(x.shape[dim] + 1) // 2)
        return
    order, size = _order(xp, x, dim), x.shape[dim]
    place = xp.full(out.shape, (size - 1) // 2, dtype=INT64_NP)
    if category(x.dtype) == FLOAT:
        nans = xp.sum(x != x, axis=dim, keepdims=True)
        place = xp.maximum((size - nans - 1) // 2, 0) if skip_nan else xp.where(nans > 0, size - nans, place)
    xp.copyto(out, xp.take_along_axis(order, place, axis=dim))


@_median_index.kernel
def _(cuda, out, x, *, dim, skip_nan):
    return sort_launch.median(cuda, out, x, dim, skip_nan)


@op(_one_index, differentiable=False)
def _mode_index(xp, out, x, *, dim):
    """Where the smallest of the most frequent values stands last: the end of the first longest run when sorted."""
    order = _order(xp, x, dim)
    values = xp.moveaxis(xp.take_along_axis(x, order, axis=dim), dim, -1)
    starts = xp.arange(x.shape[dim]) * xp.ones(values.shape, dtype=INT64_NP)
    starts[..., 1:] *= values[..., 1:] != values[..., :-1]
    lengths = xp.arange(x.shape[dim]) - doubling(xp, xp.maximum, starts, -1)
    ends = xp.moveaxis(xp.argmax(lengths, axis=-1)[..., None], -1, dim)
    xp.copyto(out, xp.take_along_axis(order, ends, axis=dim))


def _pick(choose, input, dim: int, op: str, keepdim: bool = True) -> ValuesIndices:
    """The pair (values, indices), where choose(tensor, dim) gives the indices; a 0-d tensor counts as one element."""
    rank = input._array.ndim
    dim = check_dim(dim, rank, op)
    if rank == 0:
        return ValuesIndices(*[x.reshape(()) for x in _pick(choose, input.reshape(1), 0, op)])
    if input._array.shape[dim] == 0 and choose is not _sorted_order:
        raise IndexError(f"{op}: expected a dimension of nonzero size, got shape {tuple(input.shape)} and dim {dim}")
    indices = choose(input, dim)
    values = gather_op(input, indices, dim=dim)
    return ValuesIndices(values, indices) if keepdim else ValuesIndices(values.squeeze(dim), indices.squeeze(dim))


def _sorted_order(x, dim):
    return argsort_op(x, dim=dim, descending=False)


def argsort(input: Tensor, dim: int = -1, descending: bool = False, stable: bool = False, *,
            axis: int | None = None, out: Tensor | None = None) -> Tensor:
    """Indices that sort a dimension. Equal elements keep their order; NaN sorts after all numbers.

    Args:
        input: tensor of any type.
        dim: dimension to sort.
        descending: whether the largest comes first.
        stable: accepted for compatibility; the order is always stable.
        axis: another name for `dim`, as in NumPy.
        out: int64 tensor that receives the result; resized if its shape differs.

    Returns:
        int64 tensor of input's shape.

    Raises:
        IndexError: the dimension is out of range.

    Example:
        >>> gpunet.argsort(gpunet.tensor([3.0, 1.0, 2.0]))
        tensor([1, 2, 0])
    """
    if axis is not None:
        dim = by_axis("argsort", dim, axis, -1)
    dim = check_dim(dim, input._array.ndim, "argsort")
    if input._array.ndim:
        result = argsort_op(input, dim=dim, descending=descending)
    else:
        result = input.new_zeros((), dtype=public(INT64_NP))
    return deliver(result, out, "argsort", exact=True)


def sort(input: Tensor, dim: int = -1, descending: bool = False, *, stable: bool | None = False,
         axis: int | None = None, out: tuple[Tensor, Tensor] | None = None) -> ValuesIndices:
    """A dimension in ascending or descending order. Equal elements keep their order; NaN sorts after all numbers.

    Args:
        input: tensor of any type.
        dim: dimension to sort.
        descending: whether the largest comes first.
        stable: accepted for compatibility; the order is always stable.
        axis: another name for `dim`, as in NumPy.
        out: pair of tensors, of input's type and int64, that receive the results; resized if their shapes differ.

    Returns:
        The named pair (values, indices) of tensors of input's shape; indices, of type int64, say where each was.

    Raises:
        IndexError: the dimension is out of range.

    Example:
        >>> values, indices = gpunet.sort(gpunet.tensor([3.0, 1.0, 2.0]))
        >>> values, indices
        (tensor([1., 2., 3.]), tensor([1, 2, 0]))
    """
    if axis is not None:
        dim = by_axis("sort", dim, axis, -1)
    return deliver(_sorted(input, dim, descending, "sort"), out, "sort", exact=True)


def _sorted(input, dim, descending, name):
    if input._array.shape[check_dim(dim, input._array.ndim, name)] == 0 if input._array.ndim else False:
        return ValuesIndices(input.clone(), input.new_zeros(input.shape, dtype=public(INT64_NP)))
    return _pick(lambda x, dim: argsort_op(x, dim=dim, descending=descending), input, dim, name)


def msort(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The first dimension in ascending order.

    Args:
        input: tensor of any type.
        out: tensor of input's type that receives the result; resized if its shape differs.

    Returns:
        Tensor of input's shape and type.

    Example:
        >>> gpunet.msort(gpunet.tensor([[3, 1], [2, 5]]))
        tensor([[2, 1],
                [3, 5]])
    """
    return deliver(_sorted(input, 0, False, "msort").values, out, "msort", exact=True)


def topk(input: Tensor, k: int, dim: int = -1, largest: bool = True, sorted: bool = True, *, axis: int | None = None,
         out: tuple[Tensor, Tensor] | None = None) -> ValuesIndices:
    """The k largest, or smallest, elements of a dimension, in order.

    Args:
        input: tensor of any type but bool.
        k: how many, from 0 to the dimension's size.
        dim: dimension to choose from.
        largest: whether to take the largest; else the smallest.
        sorted: accepted for compatibility; the results are always in order.
        axis: another name for `dim`, as in NumPy.
        out: pair of tensors, of input's type and int64, that receive the results; resized if their shapes differ.

    Returns:
        The named pair (values, indices) of tensors with k elements in that dimension; indices are of type int64.

    Raises:
        RuntimeError: k is negative or larger than the dimension, or the input is of type bool.
        IndexError: the dimension is out of range.

    Example:
        >>> gpunet.topk(gpunet.tensor([3.0, 1.0, 2.0]), 2).indices
        tensor([0, 2])
    """
    if axis is not None:
        dim = by_axis("topk", dim, axis, -1)
    if input._array.dtype == BOOL_NP:
        raise RuntimeError("topk: not defined for bool tensors; convert them with .int()")
    shape = input._array.shape
    size = shape[check_dim(dim, len(shape), "topk")] if shape else 1
    if not 0 <= k <= size:
        raise RuntimeError(f"topk: k must be from 0 to {size}, the size of dimension {dim}, got {k}")
    if size == 0:
        result = _sorted(input, dim, False, "topk")
    else:
        result = _pick(lambda x, dim: _topk_index(x, dim=dim, k=k, largest=largest), input, dim, "topk")
    return deliver(result, out, "topk", exact=True)


def kthvalue(input: Tensor, k: int, dim: int = -1, keepdim: bool = False, *, axis: int | None = None,
             keepdims: bool | None = None, out: tuple[Tensor, Tensor] | None = None) -> ValuesIndices:
    """The k-th smallest element of a dimension.

    Args:
        input: tensor of any type.
        k: which one, counted from 1.
        dim: dimension to choose from.
        keepdim: whether the results keep the dimension, with size 1.
        axis: another name for `dim`, as in NumPy.
        keepdims: another name for `keepdim`, as in NumPy.
        out: pair of tensors, of input's type and int64, that receive the results; resized if their shapes differ.

    Returns:
        The named pair (values, indices) of tensors without the dimension; indices are of type int64.

    Raises:
        RuntimeError: k is less than 1 or larger than the dimension.
        IndexError: the dimension is out of range, or of size 0.

    Example:
        >>> gpunet.kthvalue(gpunet.tensor([3.0, 1.0, 2.0]), 2).values
        tensor(2.)
    """
    if axis is not None or keepdims is not None:
        dim, keepdim = numpy_names("kthvalue", dim, keepdim, axis, keepdims, default=-1)
    shape = input._array.shape
    size = shape[check_dim(dim, len(shape), "kthvalue")] if shape else 1
    if size == 0:
        raise IndexError(f"kthvalue: dimension {dim} of shape {tuple(shape)} has no elements")
    if not 1 <= k <= size:
        raise RuntimeError(f"kthvalue: k must be from 1 to {size}, the size of dimension {dim}, got {k}")
    result = _pick(lambda x, dim: _kth_index(x, dim=dim, k=k), input, dim, "kthvalue", keepdim)
    return deliver(result, out, "kthvalue", exact=True)


def mode(input: Tensor, dim: int = -1, keepdim: bool = False, *, axis: int | None = None, keepdims: bool | None = None,
         out: tuple[Tensor, Tensor] | None = None) -> ValuesIndices:
    """Most frequent element of a dimension, the smallest of several.

    Args:
        input: tensor of any type.
        dim: dimension to reduce.
        keepdim: whether the results keep the dimension, with size 1.
        axis: another name for `dim`, as in NumPy.
        keepdims: another name for `keepdim`, as in NumPy.
        out: pair of tensors, of input's type and int64, that receive the results; resized if their shapes differ.

    Returns:
        The named pair (values, indices) of tensors without the dimension; indices, of type int64, name the last of the
        equal elements.

    Raises:
        IndexError: the dimension is out of range, or of size 0.

    Example:
        >>> gpunet.mode(gpunet.tensor([2.0, 1.0, 2.0])).values
        tensor(2.)
    """
    if axis is not None or keepdims is not None:
        dim, keepdim = numpy_names("mode", dim, keepdim, axis, keepdims, default=-1)
    return deliver(_pick(lambda x, dim: _mode_index(x, dim=dim), input, dim, "mode", keepdim), out, "mode", exact=True)


# ---- medians -------------------------------------------------------------------------------------------------------


@op(lambda x, *, skip_nan: ((), x.dtype))
def _median_of_all(xp, out, x, *, skip_nan):
    index = xp.empty((1,), INT64_NP)
    _median_index.op.body(xp, index, x, dim=0, skip_nan=skip_nan)
    xp.copyto(out, x[index][0])


@_median_of_all.kernel
def _(cuda, out, x, *, skip_nan):
    index = cuda.empty((1,), INT64_NP)
    if sort_launch.median(cuda, index, x, 0, skip_nan) is NotImplemented:
        return NotImplemented
    sort_launch.take_along(cuda, out.reshape(1), x, index, 0)
    return None


@_median_of_all.gradient
def _(g, y, x, *, skip_nan):  # equal elements share the gradient evenly
    chosen = where(isnan(y), isnan(x), eq(x, y)).to(g.dtype)
    return (g * (chosen / sum_op(chosen, dims=(0,), keepdim=False)),)


@overload
def median(input: Tensor) -> Tensor: ...
@overload
def median(input: Tensor, dim: int, keepdim: bool = False, *,
           out: tuple[Tensor, Tensor] | None = None) -> ValuesIndices: ...
@overload
def median(input: Tensor, *, axis: int, keepdims: bool = False,
           out: tuple[Tensor, Tensor] | None = None) -> ValuesIndices: ...
def median(input: Tensor, dim: int | None = None, keepdim: bool = False, *, axis: int | None = None,
           keepdims: bool | None = None, out: Any = None) -> Any:
    """Median, of all elements or along a dimension; the lower one of two middle elements.

    It is NaN if one of the elements is. Without dim, equal elements share the gradient evenly.

    Args:
        input: tensor of any type but bool.
        dim: dimension to reduce; None for all elements.
        keepdim: whether the results keep the dimension, with size 1.
        axis: another name for `dim`, as in NumPy.
        keepdims: another name for `keepdim`, as in NumPy.
        out: tensor of input's type that receives the result; with dim a pair of tensors, of input's type and int64.
            Resized if its shape differs.

    Returns:
        Tensor; with dim the named pair (values, indices), indices of type int64.

    Raises:
        RuntimeError: the input is of type bool.
        IndexError: the dimension is out of range, or of size 0.

    Example:
        >>> gpunet.median(gpunet.tensor([4.0, 1.0, 3.0, 2.0]))
        tensor(2.)
    """
    if axis is not None or keepdims is not None:
        dim, keepdim = numpy_names("median", dim, keepdim, axis, keepdims)
    return deliver(_median(input, dim, keepdim, "median", skip_nan=False), out, "median", exact=True)


@overload
def nanmedian(input: Tensor) -> Tensor: ...
@overload
def nanmedian(input: Tensor, dim: int, keepdim: bool = False, *,
              out: tuple[Tensor, Tensor] | None = None) -> ValuesIndices: ...
@overload
def nanmedian(input: Tensor, *, axis: int, keepdims: bool = False,
              out: tuple[Tensor, Tensor] | None = None) -> ValuesIndices: ...
def nanmedian(input: Tensor, dim: int | None = None, keepdim: bool = False, *, axis: int | None = None,
              keepdims: bool | None = None, out: Any = None) -> Any:
    """Median of what is not NaN, of all elements or along a dimension; the lower one of two middle elements.

    Without dim, equal elements share the gradient evenly.

    Args:
        input: tensor of any type but bool.
        dim: dimension to reduce; None for all elements.
        keepdim: whether the results keep the dimension, with size 1.
        axis: another name for `dim`, as in NumPy.
        keepdims: another name for `keepdim`, as in NumPy.
        out: tensor of input's type that receives the result; with dim a pair of tensors, of input's type and int64.
            Resized if its shape differs.

    Returns:
        Tensor; with dim the named pair (values, indices), indices of type int64.

    Raises:
        RuntimeError: the input is of type bool.
        IndexError: the dimension is out of range, or of size 0.

    Example:
        >>> gpunet.nanmedian(gpunet.tensor([4.0, float("nan"), 3.0]))
        tensor(3.)
    """
    if axis is not None or keepdims is not None:
        dim, keepdim = numpy_names("nanmedian", dim, keepdim, axis, keepdims)
    return deliver(_median(input, dim, keepdim, "nanmedian", skip_nan=True), out, "nanmedian", exact=True)


def _median(input, dim, keepdim, name, skip_nan):
    if input._array.dtype == BOOL_NP:
        raise RuntimeError(f"{name}: not defined for bool tensors; convert them with .int()")
    if dim is not None:
        return _pick(lambda x, dim: _median_index(x, dim=dim, skip_nan=skip_nan), input, dim, name, keepdim)
    if input._array.size == 0:
        return input.new_full((), float("nan"))
    return _median_of_all(input.reshape(-1), skip_nan=skip_nan)
