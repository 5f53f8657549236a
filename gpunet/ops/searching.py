"""Searching in sorted boundaries, distinct values, and counting."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np

from gpunet.dispatch import host_read, is_tensor, op, promote
from gpunet.dtypes import (
    FLOAT32_NP,
    FLOAT64_NP,
    HALF_TYPES,
    INT64_NP,
    INTS,
    Number,
    float64,
    int32,
    public,
    scalar_type,
)
from gpunet.ops.compare import isnan, where
from gpunet.ops.creation import ones_like
from gpunet.ops.extremes import aminmax
from gpunet.ops.gathering import take_along_dim
from gpunet.ops.out import deliver
from gpunet.ops.random import check_each
from gpunet.ops.ranges import arange
from gpunet.ops.rules import accumulator, check_dim, require_float

if TYPE_CHECKING:
    from gpunet.tensor import Tensor

__all__ = ["bincount", "bucketize", "histc", "histogram", "searchsorted", "unique", "unique_consecutive",
           "unravel_index"]


# ---- boundaries ----------------------------------------------------------------------------------------------------


@op(lambda bounds, values, *, side: (values.shape, INT64_NP), differentiable=False)
def searchsorted_op(xp, out, bounds, values, *, side):
    wide = accumulator(bounds.dtype)
    bounds, values = bounds.astype(wide, copy=False), values.astype(wide, copy=False)
    if bounds.ndim == 1:
        xp.copyto(out, xp.searchsorted(bounds, values, side=side))
        return
    # Both sorted together, the values before or after equal boundaries: before each value there are then as many
    # boundaries as are to be counted.
    count = values.shape[-1]
    both = [values, bounds] if side == "left" else [bounds, values]
    order = xp.argsort(xp.concatenate(both, axis=-1), axis=-1, kind="stable")
    is_bound = order >= count if side == "left" else order < bounds.shape[-1]
    places = xp.argsort(order, axis=-1, kind="stable")
    places = places[..., :count] if side == "left" else places[..., bounds.shape[-1] :]
    xp.copyto(out, xp.take_along_axis(xp.cumsum(is_bound, axis=-1), places, axis=-1))


def searchsorted(sorted_sequence: Tensor, input: Tensor | Number, *, out_int32: bool = False, right: bool = False,
                 side: str | None = None, sorter: Tensor | None = None, out: Tensor | None = None) -> Tensor:
    """Where each value would have to be inserted to keep a sequence sorted: i with s[i-1] < value <= s[i].

    Args:
        sorted_sequence: tensor that is sorted along its last dimension: a vector, or as many rows as `input` has.
        input: values to look for: tensor, or number if the sequence is a vector.
        out_int32: whether the result is of type int32 instead of int64.
        right: whether to insert after equal elements: i with s[i-1] <= value < s[i].
        side: "left" or "right"; another way to give `right`.
        sorter: int64 tensor of the sequence's shape that sorts it, as argsort gives; None for a sorted sequence.
        out: int64 tensor (int32 with out_int32) that receives the result; resized if its shape differs.

    Returns:
        int64 tensor of input's shape.

    Raises:
        RuntimeError: the shapes do not fit, side is unknown, or side="left" and right=True are given.

    Example:
        >>> gpunet.searchsorted(gpunet.tensor([1.0, 3.0, 5.0]), gpunet.tensor([0.0, 3.0, 9.0]))
        tensor([0, 1, 3])
    """
    found = _searched(sorted_sequence, input, right, side, sorter)
    return deliver(found.to(int32) if out_int32 else found, out, "searchsorted", exact=True)


def _searched(sequence, values, right, side=None, sorter=None):
    if side not in (None, "left", "right"):
        raise RuntimeError(f"searchsorted: side must be 'left' or 'right', got {side!r}")
    if side == "left" and right:
        raise RuntimeError("searchsorted: side='left' and right=True contradict each other")
    if not is_tensor(values):
        values = sequence.new_tensor(values, dtype=public(scalar_type(values)))
    if sorter is not None:
        sequence = take_along_dim(sequence, sorter, -1)
    bounds, values = promote([sequence, values])
    leading = bounds._array.shape[:-1]
    if bounds._array.ndim == 0 or bounds._array.ndim > 1 and leading != values._array.shape[:-1]:
        raise RuntimeError("searchsorted: the sorted sequence must have one dimension, or all but the last as the "
                           f"values; got shapes {tuple(bounds.shape)} and {tuple(values.shape)}")
    return searchsorted_op(bounds, values, side="right" if right or side == "right" else "left")


def bucketize(input: Tensor | Number, boundaries: Tensor, *, out_int32: bool = False, right: bool = False,
              out: Tensor | None = None) -> Tensor:
    """Which interval of sorted boundaries each value is in: i with b[i-1] < value <= b[i].

    Args:
        input: tensor or number.
        boundaries: sorted vector.
        out_int32: whether the result is of type int32 instead of int64.
        right: whether a boundary belongs to the interval above it: i with b[i-1] <= value < b[i].
        out: int64 tensor (int32 with out_int32) that receives the result; resized if its shape differs.

    Returns:
        int64 tensor of input's shape.

    Raises:
        RuntimeError: the boundaries are not a vector.

    Example:
        >>> gpunet.bucketize(gpunet.tensor([0.0, 3.0, 9.0]), gpunet.tensor([1.0, 3.0, 5.0]))
        tensor([0, 1, 3])
    """
    if boundaries._array.ndim != 1:
        raise RuntimeError(f"bucketize: the boundaries must be a vector, got shape {tuple(boundaries.shape)}")
    found = _searched(boundaries, input, right)
    return deliver(found.to(int32) if out_int32 else found, out, "bucketize", exact=True)


# ---- distinct values: how many is known only when they are counted, on the host ------------------------------------


def _answers(input, values, inverse, counts, return_inverse, return_counts):
    found = [input.new_tensor(np.ascontiguousarray(values))]
    found += [input.new_tensor(x, dtype=public(INT64_NP))
              for x, wanted in ((inverse, return_inverse), (counts, return_counts)) if wanted]
    return found[0] if len(found) == 1 else tuple(found)


def unique(input: Tensor, sorted: bool = True, return_inverse: bool = False, return_counts: bool = False,
           dim: int | None = None) -> Any:
    """The distinct elements, or the distinct slices of a dimension, in ascending order. Reads the tensor on the host.

    Each NaN is distinct from the others.

    Args:
        input: tensor of any type.
        sorted: accepted for compatibility; the result is always sorted.
        return_inverse: whether to return, for each element or slice, where in the result it is.
        return_counts: whether to return how often each occurs.
        dim: dimension of the slices; None for the elements.

    Returns:
        Vector, or tensor of input's shape with fewer slices; where more is asked for, the tuple (values, inverse,
        counts) without what is not, of which the last two are of type int64.

    Raises:
        IndexError: the dimension is out of range.

    Example:
        >>> gpunet.unique(gpunet.tensor([3, 1, 3]), return_counts=True)
        (tensor([1, 3]), tensor([1, 2]))
    """
    axis = None if dim is None else check_dim(dim, input._array.ndim, "unique")
    array = host_read(input, "unique")
    values, inverse, counts = np.unique(array.astype(accumulator(array.dtype), copy=False), return_inverse=True,
                                        return_counts=True, axis=axis, equal_nan=False)
    inverse = inverse.reshape(array.shape if axis is None else -1)
    return _answers(input, values, inverse, counts, return_inverse, return_counts)


def unique_consecutive(input: Tensor, return_inverse: bool = False, return_counts: bool = False,
                       dim: int | None = None) -> Any:
    """The elements, or the slices of a dimension, without those that equal the one before.

    Reads the tensor on the host.

    Args:
        input: tensor of any type.
        return_inverse: whether to return, for each element or slice, where in the result it is.
        return_counts: whether to return how many equal ones stood in a row.
        dim: dimension of the slices; None for the elements.

    Returns:
        Vector, or tensor of input's shape with fewer slices; where more is asked for, the tuple (values, inverse,
        counts) without what is not, of which the last two are of type int64.

    Raises:
        IndexError: the dimension is out of range.

    Example:
        >>> gpunet.unique_consecutive(gpunet.tensor([3, 3, 1, 3]))
        tensor([3, 1, 3])
    """
    array = host_read(input, "unique_consecutive")
    rows = array.reshape(-1) if dim is None else np.moveaxis(array, check_dim(dim, array.ndim, "unique_consecutive"), 0)
    differ = (rows[1:] != rows[:-1]).any(axis=tuple(range(1, rows.ndim)))
    new = np.concatenate([np.ones(min(len(rows), 1), bool), differ])
    starts = new.nonzero()[0]
    inverse, counts = new.cumsum() - 1, np.diff(starts, append=len(rows))
    values = rows[starts] if dim is None else np.moveaxis(rows[starts], 0, dim)
    return _answers(input, values, inverse.reshape(array.shape) if dim is None else inverse, counts, return_inverse,
                    return_counts)


def bincount(input: Tensor, weights: Tensor | None = None, minlength: int = 0) -> Tensor:
    """How often each of the integers 0, 1, ... occurs, or the sum of weights where it does.

    Reads the tensor on the host.

    Args:
        input: vector of integers, none of them negative.
        weights: vector of numbers to add up instead of counting, of input's length.
        minlength: smallest length of the result, which else ends with the largest integer.

    Returns:
        int64 vector; with weights a vector of type float32 for float32, else float64.

    Raises:
        RuntimeError: the input is not such a vector, minlength is negative, or the lengths differ.

    Example:
        >>> gpunet.bincount(gpunet.tensor([1, 3, 1]))
        tensor([0, 2, 0, 1])
    """
    if input._array.dtype.kind not in "iu" or input._array.ndim != 1:
        raise RuntimeError(f"bincount: expected a vector of integers, got {input.dtype} and shape {tuple(input.shape)}")
    if minlength < 0:
        raise RuntimeError(f"bincount: minlength must not be negative, got {minlength}")
    if weights is not None and weights._array.shape != input._array.shape:
        raise RuntimeError(f"bincount: expected one weight for each of {input._array.size} elements, got shape "
                           f"{tuple(weights.shape)}")
    values = host_read(input, "bincount")
    if values.size and values.min() < 0:
        raise RuntimeError(f"bincount: expected no negative integers, got {values.min()}")
    if weights is None:
        return input.new_tensor(np.bincount(values, minlength=minlength), dtype=public(INT64_NP))
    kind = FLOAT32_NP if weights._array.dtype == FLOAT32_NP else FLOAT64_NP
    return input.new_tensor(np.bincount(values, host_read(weights, "bincount"), minlength).astype(kind),
                            dtype=public(kind))


@op(lambda x, low, high, *, bins: ((bins,), x.dtype), differentiable=False)
def _histc(xp, out, x, low, high, *, bins):
    low, high = xp.where(low == high, low - 1, low), xp.where(low == high, high + 1, high)
    x = x.reshape(-1)
    inside = (x >= low) & (x <= high)
    places = xp.clip(xp.floor((x - low) * bins / (high - low)), 0, bins - 1)
    # What is outside goes to one bin more, which is left out.
    counts = xp.zeros(bins + 1, INT64_NP)
    xp.add.at(counts, xp.where(inside, places, bins).astype(INT64_NP), 1)
    xp.copyto(out, counts[:bins], casting="unsafe")


def histc(input: Tensor, bins: int = 100, min: float = 0, max: float = 0, *, out: Tensor | None = None) -> Tensor:
    """Histogram: how many elements are in each of `bins` equal intervals from min to max; the last includes max.

    Elements outside are not counted. If min and max are equal, the smallest and largest element take their place.

    Args:
        input: tensor of a floating-point type.
        bins: number of intervals.
        min: start of the first interval.
        max: end of the last interval.
        out: tensor of input's type that receives the result; resized if its shape differs.

    Returns:
        Vector of input's type.

    Raises:
        RuntimeError: the input is of another type, bins is not positive, or min and max are not finite or not in order.

    Example:
        >>> gpunet.histc(gpunet.tensor([0.5, 1.5, 1.75]), bins=2, min=0, max=2)
        tensor([1., 2.])
    """
    require_float(input._array, "histc")
    if bins <= 0:
        raise RuntimeError(f"histc: the number of bins must be positive, got {bins}")
    if not (math.isfinite(min) and math.isfinite(max)):
        raise RuntimeError(f"histc: min and max must be finite, got {min} and {max}")
    if min > max:
        raise RuntimeError(f"histc: max must not be below min, got {min} and {max}")
    if input._array.dtype in HALF_TYPES:
        return deliver(histc(input.float(), bins, min, max).to(input.dtype), out, "histc", exact=True)
    if min == max and input._array.size:
        low, high = aminmax(input.detach())
    else:
        low, high = input.new_tensor(float(min)), input.new_tensor(float(max))
    return deliver(_histc(input, low, high, bins=bins), out, "histc", exact=True)


class Histogram(NamedTuple):
    """Counts of `histogram`, and the limits of its intervals."""

    hist: Tensor
    bin_edges: Tensor


def histogram(input: Tensor, bins: int | Tensor, *, range: Sequence[float] | None = None,
              weight: Tensor | None = None, density: bool = False,
              out: tuple[Tensor, Tensor] | None = None) -> Histogram:
    """Histogram: how many elements are in each interval; the last includes its end. Elements outside are not counted.

    Args:
        input: tensor of float32 or float64.
        bins: number of equal intervals, or the limits of the intervals, sorted: a vector of input's type.
        range: start of the first and end of the last interval. None: the smallest and the largest element.
        weight: tensor of input's shape and type: what each element counts; 1 if left out.
        density: whether the counts are divided by their sum and by the intervals' widths.
        out: pair of tensors of input's type that receive the results; resized if their shapes differ.

    Returns:
        hist, the counts, and bin_edges, the limits of the intervals: vectors of input's type.

    Raises:
        RuntimeError: the types or shapes do not fit, or the range is not in order.

    Example:
        >>> gpunet.histogram(gpunet.tensor([0.5, 1.5, 1.75]), bins=2, range=(0.0, 2.0)).hist
        tensor([1., 2.])
    """
    require_float(input._array, "histogram")
    x, limits = input.detach(), cast("Any", bins)
    if is_tensor(limits):
        if limits._array.dtype != x._array.dtype or limits._array.ndim != 1 or not limits._array.size:
            raise RuntimeError(f"histogram: expected bins of type {x.dtype} in one dimension, got {limits.dtype} of "
                               f"shape {tuple(limits.shape)}")
        edges = limits.detach().clone()
    else:
        if limits <= 0:
            raise RuntimeError(f"histogram: the number of bins must be positive, got {limits}")
        edges = _edges(x, limits, range)
    if weight is not None and (weight._array.shape, weight._array.dtype) != (x._array.shape, x._array.dtype):
        raise RuntimeError(f"histogram: expected a weight of shape {tuple(x.shape)} and type {x.dtype}, as the input "
                           f"has, got {tuple(weight.shape)} and {weight.dtype}")
    count = len(edges) - 1
    flat = x.reshape(-1)
    places = searchsorted(edges, flat, right=True) - 1
    places = where(flat == edges[-1], count - 1, places)
    places = where((places < 0) | (places >= count) | isnan(flat), count, places)  # outside: one more, left out
    each = ones_like(flat) if weight is None else weight.detach().reshape(-1)
    hist = x.new_zeros(count + 1).index_add(0, places, each)[:count]
    both = Histogram(hist / (hist.sum() * edges.diff()) if density else hist, edges)
    return deliver(both, out, "histogram", exact=True)


def _edges(x: Tensor, bins: int, range: Any) -> Tensor:
    """The limits of equal intervals from the smallest to the largest element, or over a range."""
    if range is None and x._array.size:
        low, high = (end.double() for end in aminmax(x))
        check_each("histogram", low + high, "the elements must be finite", np.isfinite)
    else:
        low, high = range if range is not None else (0.0, 1.0)
        if not (math.isfinite(low) and math.isfinite(high)) or low > high:
            raise RuntimeError(f"histogram: the range must be finite and in order, got {low} to {high}")
        low, high = x.new_tensor([low, high], dtype=float64)
    room = where(low == high, 0.5, 0.0)
    low, high = low - room, high + room
    places, step = arange(bins + 1, dtype=float64, device=x.device), (high - low) / bins
    return where(places < (bins + 1) // 2, low + step * places, high - step * (bins - places)).to(x.dtype)


def unravel_index(indices: Tensor, shape: int | Sequence[int]) -> tuple[Tensor, ...]:
    """The indices, one for each dimension, of elements that are given by their places in the flattened tensor.

    Args:
        indices: tensor of an integer type: places from 0 to the number of elements less 1.
        shape: the shape of the tensor that was flattened.

    Returns:
        For each dimension an int64 tensor of the shape of indices.

    Raises:
        TypeError: the type of indices is no integer one, or shape is no sequence of integers.
        ValueError: a size is negative.

    Example:
        >>> gpunet.unravel_index(gpunet.tensor([4, 1]), (3, 2))
        (tensor([2, 0]), tensor([0, 1]))
    """
    if indices._array.dtype.kind not in "iu":
        raise TypeError(f"unravel_index: expected indices of an integer type, got {indices.dtype}")
    sizes = (shape,) if isinstance(shape, INTS) else tuple(shape)
    if not all(isinstance(n, (int, np.integer)) for n in sizes):
        raise TypeError(f"unravel_index: expected shape to be a sequence of integers, got {shape!r}")
    if any(n < 0 for n in sizes):
        raise ValueError(f"'shape' cannot have negative values, but got {sizes}")
    rest, found = indices.to(public(INT64_NP)), []
    for n in reversed(sizes):
        found.append(rest % n)
        rest = rest // n
    return tuple(reversed(found))
