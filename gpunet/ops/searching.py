"""Searching in sorted boundaries, distinct values, and counting."""

from __future__ import annotations

import math

import numpy as np

from gpunet.dispatch import host_read, is_tensor, op, promote
from gpunet.dtypes import FLOAT32_NP, FLOAT64_NP, HALF_TYPES, INT64_NP, int32, public, scalar_type
from gpunet.ops.gathering import take_along_dim
from gpunet.ops.reduce import aminmax
from gpunet.ops.rules import accumulator, check_dim, require_float

__all__ = ["bincount", "bucketize", "histc", "searchsorted", "unique", "unique_consecutive"]


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


def searchsorted(sorted_sequence, input, *, out_int32: bool = False, right: bool = False, side: str | None = None,
                 sorter=None):
    """Where each value would have to be inserted in the sorted last dimension to keep it sorted: before equal elements,
    or after them for right=True or side="right". The sequence has one dimension, or the leading ones of the values."""
    if side not in (None, "left", "right"):
        raise RuntimeError(f"searchsorted: side must be 'left' or 'right', got {side!r}")
    if side == "left" and right:
        raise RuntimeError("searchsorted: side='left' and right=True contradict each other")
    if not is_tensor(input):
        input = sorted_sequence.new_tensor(input, dtype=public(scalar_type(input)))
    if sorter is not None:
        sorted_sequence = take_along_dim(sorted_sequence, sorter, -1)
    bounds, values = promote([sorted_sequence, input])
    leading = bounds._array.shape[:-1]
    if bounds._array.ndim == 0 or bounds._array.ndim > 1 and leading != values._array.shape[:-1]:
        raise RuntimeError("searchsorted: the sorted sequence must have one dimension, or all but the last as the "
                           f"values; got shapes {tuple(bounds.shape)} and {tuple(values.shape)}")
    found = searchsorted_op(bounds, values, side="right" if right or side == "right" else "left")
    return found.to(int32) if out_int32 else found


def bucketize(input, boundaries, *, out_int32: bool = False, right: bool = False):
    """Which interval of the sorted boundaries (a vector) each element is in; a boundary belongs to the interval below
    it, or for right=True above it."""
    if boundaries._array.ndim != 1:
        raise RuntimeError(f"bucketize: the boundaries must be a vector, got shape {tuple(boundaries.shape)}")
    return searchsorted(boundaries, input, out_int32=out_int32, right=right)


# ---- distinct values: how many is known only when they are counted, on the host ------------------------------------


def _answers(input, values, inverse, counts, return_inverse, return_counts):
    found = [input.new_tensor(np.ascontiguousarray(values))]
    found += [input.new_tensor(x, dtype=public(INT64_NP))
              for x, wanted in ((inverse, return_inverse), (counts, return_counts)) if wanted]
    return found[0] if len(found) == 1 else tuple(found)


def unique(input, sorted: bool = True, return_inverse: bool = False, return_counts: bool = False,
           dim: int | None = None):
    """The distinct elements in ascending order, or the distinct slices along `dim`; each NaN is distinct. With them, if
    wanted, where each element went, and how often each occurs. Reads the tensor on the host."""
    axis = None if dim is None else check_dim(dim, input._array.ndim, "unique")
    array = host_read(input, "unique")
    values, inverse, counts = np.unique(array.astype(accumulator(array.dtype), copy=False), return_inverse=True,
                                        return_counts=True, axis=axis, equal_nan=False)
    inverse = inverse.reshape(array.shape if axis is None else -1)
    return _answers(input, values, inverse, counts, return_inverse, return_counts)


def unique_consecutive(input, return_inverse: bool = False, return_counts: bool = False, dim: int | None = None):
    """The elements, or the slices along `dim`, without those that equal their predecessor. Reads the tensor on the
    host."""
    array = host_read(input, "unique_consecutive")
    rows = array.reshape(-1) if dim is None else np.moveaxis(array, check_dim(dim, array.ndim, "unique_consecutive"), 0)
    differ = (rows[1:] != rows[:-1]).any(axis=tuple(range(1, rows.ndim)))
    new = np.concatenate([np.ones(min(len(rows), 1), bool), differ])
    starts = new.nonzero()[0]
    inverse, counts = new.cumsum() - 1, np.diff(starts, append=len(rows))
    values = rows[starts] if dim is None else np.moveaxis(rows[starts], 0, dim)
    return _answers(input, values, inverse.reshape(array.shape) if dim is None else inverse, counts, return_inverse,
                    return_counts)


def bincount(input, weights=None, minlength: int = 0):
    """How often each of the integers 0, 1, ... occurs, or the sum of the weights where it does: as many as the largest
    integer needs, at least `minlength`. Reads the tensor on the host."""
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


def histc(input, bins: int = 100, min: float = 0, max: float = 0):
    """How many elements are in each of `bins` equal intervals from min to max, the last with its end; if both are
    equal, from the smallest to the largest element. What is outside is not counted."""
    require_float(input._array, "histc")
    if bins <= 0:
        raise RuntimeError(f"histc: the number of bins must be positive, got {bins}")
    if not (math.isfinite(min) and math.isfinite(max)):
        raise RuntimeError(f"histc: min and max must be finite, got {min} and {max}")
    if min > max:
        raise RuntimeError(f"histc: max must not be below min, got {min} and {max}")
    if input._array.dtype in HALF_TYPES:
        return histc(input.float(), bins, min, max).to(input.dtype)
    if min == max and input._array.size:
        low, high = aminmax(input.detach())
    else:
        low, high = input.new_tensor(float(min)), input.new_tensor(float(max))
    return _histc(input, low, high, bins=bins)
