"""Sorting, and what a sorted dimension tells: the largest k, medians, quantiles. NaN sorts after all numbers.

Each op gives indices; the values, and with them the gradients, are gathered by these.
"""

from __future__ import annotations

import numpy as np

from gpunet.dispatch import host_read, is_tensor, op
from gpunet.dtypes import BOOL_NP, FLOAT, HALF_TYPES, INT64_NP, category, public
from gpunet.ops.combining import lerp
from gpunet.ops.compare import eq, isnan, where
from gpunet.ops.index import gather_op
from gpunet.ops.limits import clamp
from gpunet.ops.reduce import ValuesIndices, sum_op
from gpunet.ops.rounding import ceil, floor, round
from gpunet.ops.rules import accumulator, check_dim
from gpunet.ops.scan import doubling
from gpunet.ops.shape import movedim, unsqueeze

__all__ = ["argsort", "kthvalue", "median", "mode", "msort", "nanmedian", "nanquantile", "quantile", "sort", "topk"]


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
    x = x.astype(accumulator(x.dtype), copy=False)
    first = x.shape[dim] - k if largest else 0
    chosen = np.argpartition(x, first if largest else k - 1, axis=dim)[_cut(x, dim, first, first + k)]
    chosen.sort(axis=dim)
    order = _order(np, np.take_along_axis(x, chosen, axis=dim), dim, largest)
    np.copyto(out, np.take_along_axis(chosen, order, axis=dim))


def _cut(x, dim, start, stop):
    return (slice(None),) * dim + (slice(start, stop),)


@op(_one_index, differentiable=False)
def _kth_index(xp, out, x, *, dim, k):
    """Where the k-th smallest is, counted from 1."""
    if xp is np:
        order = np.argpartition(x.astype(accumulator(x.dtype), copy=False), k - 1, axis=dim)
    else:
        order = _order(xp, x, dim)
    xp.copyto(out, order[_cut(x, dim, k - 1, k)])


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


def argsort(input, dim: int = -1, descending: bool = False, stable: bool = False):
    """The indices (int64) that sort a dimension; equal elements keep their order."""
    dim = check_dim(dim, input._array.ndim, "argsort")
    return argsort_op(input, dim=dim, descending=descending) if input._array.ndim else \
        input.new_zeros((), dtype=public(INT64_NP))


def sort(input, dim: int = -1, descending: bool = False, *, stable: bool = False):
    """A dimension in ascending or descending order: a pair (values, indices). Equal elements keep their order."""
    if input._array.shape[check_dim(dim, input._array.ndim, "sort")] == 0 if input._array.ndim else False:
        return ValuesIndices(input.clone(), input.new_zeros(input.shape, dtype=public(INT64_NP)))
    return _pick(lambda x, dim: argsort_op(x, dim=dim, descending=descending), input, dim, "sort")


def msort(input):
    """The first dimension in ascending order."""
    return sort(input, 0).values


def topk(input, k: int, dim: int = -1, largest: bool = True, sorted: bool = True):
    """The k largest (or smallest) elements of a dimension, in order: a pair (values, indices)."""
    if input._array.dtype == BOOL_NP:
        raise RuntimeError("topk: not defined for bool tensors; convert them with .int()")
    shape = input._array.shape
    size = shape[check_dim(dim, len(shape), "topk")] if shape else 1
    if not 0 <= k <= size:
        raise RuntimeError(f"topk: k must be from 0 to {size}, the size of dimension {dim}, got {k}")
    if size == 0:
        return sort(input, dim)
    return _pick(lambda x, dim: _topk_index(x, dim=dim, k=k, largest=largest), input, dim, "topk")


def kthvalue(input, k: int, dim: int = -1, keepdim: bool = False):
    """The k-th smallest element of a dimension, counted from 1: a pair (values, indices)."""
    shape = input._array.shape
    size = shape[check_dim(dim, len(shape), "kthvalue")] if shape else 1
    if size == 0:
        raise IndexError(f"kthvalue: dimension {dim} of shape {tuple(shape)} has no elements")
    if not 1 <= k <= size:
        raise RuntimeError(f"kthvalue: k must be from 1 to {size}, the size of dimension {dim}, got {k}")
    return _pick(lambda x, dim: _kth_index(x, dim=dim, k=k), input, dim, "kthvalue", keepdim)


def mode(input, dim: int = -1, keepdim: bool = False):
    """The most frequent element of a dimension, the smallest of several: a pair (values, indices)."""
    return _pick(lambda x, dim: _mode_index(x, dim=dim), input, dim, "mode", keepdim)


# ---- medians -------------------------------------------------------------------------------------------------------


@op(lambda x, *, skip_nan: ((), x.dtype))
def _median_of_all(xp, out, x, *, skip_nan):
    index = xp.empty((1,), INT64_NP)
    _median_index.op.body(xp, index, x, dim=0, skip_nan=skip_nan)
    xp.copyto(out, x[index][0])


@_median_of_all.gradient
def _(g, y, x, *, skip_nan):  # equal elements share the gradient evenly
    chosen = where(isnan(y), isnan(x), eq(x, y)).to(g.dtype)
    return (g * (chosen / sum_op(chosen, dims=(0,), keepdim=False)),)


def _median(name, text, skip_nan):
    def median(input, dim: int | None = None, keepdim: bool = False):
        if input._array.dtype == BOOL_NP:
            raise RuntimeError(f"{name}: not defined for bool tensors; convert them with .int()")
        if dim is not None:
            return _pick(lambda x, dim: _median_index(x, dim=dim, skip_nan=skip_nan), input, dim, name, keepdim)
        if input._array.size == 0:
            return input.new_full((), float("nan"))
        return _median_of_all(input.reshape(-1), skip_nan=skip_nan)

    median.__name__ = median.__qualname__ = name
    median.__doc__ = (f"{text}, the lower one of two middle elements: of all elements, or along `dim` as a pair "
                      "(values, indices).")
    return median


median = _median("median", "The median; NaN if any element is", False)
nanmedian = _median("nanmedian", "The median of what is not NaN", True)


# ---- quantiles -----------------------------------------------------------------------------------------------------


def _quantile(name, text, skip_nan):
    def quantile(input, q, dim: int | None = None, keepdim: bool = False, *, interpolation: str = "linear"):
        if category(input._array.dtype) != FLOAT or input._array.dtype in HALF_TYPES:
            raise RuntimeError(f"{name}: the input must be float32 or float64, got {input.dtype}")
        if interpolation not in ("linear", "lower", "higher", "midpoint", "nearest"):
            raise RuntimeError(f"{name}: interpolation must be one of linear, lower, higher, midpoint, nearest, got "
                               f"{interpolation!r}")
        if not is_tensor(q):
            if not 0 <= q <= 1:
                raise RuntimeError(f"{name}: q must be from 0 to 1, got {q}")
            q = input.new_tensor(float(q))
        elif q._array.dtype != input._array.dtype or q._array.ndim > 1:
            raise RuntimeError(f"{name}: q must be a number, or a tensor of type {input.dtype} with at most one "
                               f"dimension, got {q.dtype} and shape {tuple(q.shape)}")
        elif q._device.type == "cpu" and not ((values := host_read(q, name)) >= 0).all() & (values <= 1).all():
            raise RuntimeError(f"{name}: q must be from 0 to 1, got {values.tolist()}")
        rank, whole = input._array.ndim, dim is None
        dim = 0 if whole else check_dim(dim, rank, name)
        rows = input.reshape(-1) if whole or not rank else movedim(input, dim, -1)
        size = rows._array.shape[-1]
        if size == 0:
            raise RuntimeError(f"{name}: the input has no elements to choose from; shape {tuple(input.shape)}")
        values = sort(rows, -1).values
        ranks = q.reshape(-1)
        nans = isnan(values.detach()).sum(-1, keepdim=True)
        if skip_nan:
            ranks = clamp(ranks * (size - 1 - nans), min=0)
        else:
            ranks = where(nans > 0, float(size - 1), ranks * (size - 1))
        result = movedim(_between(values, ranks.to(input.dtype), interpolation), -1, 0)
        if keepdim and rank:
            result = result.reshape(-1, *[1] * rank) if whole else unsqueeze(result, dim + 1)
        return result if q._array.ndim else result.squeeze(0)

    quantile.__name__ = quantile.__qualname__ = name
    quantile.__doc__ = (f"{text}: q (a number or a vector, from 0 to 1) is the share of elements below. Of all "
                        "elements, or along `dim`; a vector's results stand along a new first dimension. Between two "
                        "elements: interpolation linear, lower, higher, midpoint or nearest.")
    return quantile


def _between(values, ranks, interpolation):
    """The values at ranks that are not whole, along the last dimension."""
    if interpolation == "nearest":
        ranks = round(ranks)
    below, above = floor(ranks), ceil(ranks)
    if interpolation == "lower":
        above = below
    elif interpolation == "higher":
        below = above
    lower, upper = (gather_op(values, r.long(), dim=-1 % values.ndim) for r in (below, above))
    if below is above or interpolation == "nearest":
        return lower
    return lerp(lower, upper, 0.5 if interpolation == "midpoint" else ranks - below)


quantile = _quantile("quantile", "The quantile; NaN if any element is", False)
nanquantile = _quantile("nanquantile", "The quantile of what is not NaN", True)
