"""Quantiles, of all elements or along a dimension."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpunet.dispatch import host_read, is_tensor
from gpunet.dtypes import FLOAT, HALF_TYPES, category
from gpunet.ops.combining import lerp
from gpunet.ops.compare import isnan, where
from gpunet.ops.index import gather_op
from gpunet.ops.limits import clamp
from gpunet.ops.out import deliver
from gpunet.ops.rounding import ceil, floor, round
from gpunet.ops.rules import check_dim
from gpunet.ops.shape import movedim, unsqueeze
from gpunet.ops.sorting import sort
from gpunet.ops.spellings import numpy_names

if TYPE_CHECKING:
    from gpunet.tensor import Tensor

__all__ = ["nanquantile", "quantile"]


def quantile(input: Tensor, q: Tensor | float, dim: int | None = None, keepdim: bool = False, *,
             interpolation: str = "linear", axis: int | None = None, keepdims: bool | None = None,
             out: Tensor | None = None) -> Tensor:
    """Quantile of the elements, of all or along a dimension: what a share q of them is below.

    It is NaN if one of the elements is.

    Args:
        input: tensor of type float32 or float64.
        q: share from 0 to 1: a number, or a tensor of input's type with at most one dimension.
        dim: dimension to reduce; None for all elements.
        keepdim: whether the result keeps the dimension, with size 1.
        interpolation: what to take between two elements: "linear", "lower", "higher", "midpoint" or "nearest".
        axis: another name for `dim`, as in NumPy.
        keepdims: another name for `keepdim`, as in NumPy.
        out: tensor of input's type that receives the result; resized if its shape differs.

    Returns:
        Tensor of input's type without the dimension; the results for a vector q stand along a new first dimension.

    Raises:
        RuntimeError: the types do not fit, q is out of range, interpolation is unknown, or there are no elements.
        IndexError: the dimension is out of range.

    Example:
        >>> gpunet.quantile(gpunet.tensor([1.0, 2.0, 3.0, 4.0]), 0.5)
        tensor(2.5000)
    """
    if axis is not None or keepdims is not None:
        dim, keepdim = numpy_names("quantile", dim, keepdim, axis, keepdims)
    result = _quantile(input, q, dim, keepdim, interpolation, "quantile", skip_nan=False)
    return deliver(result, out, "quantile", exact=True)


def nanquantile(input: Tensor, q: Tensor | float, dim: int | None = None, keepdim: bool = False, *,
                interpolation: str = "linear", axis: int | None = None, keepdims: bool | None = None,
                out: Tensor | None = None) -> Tensor:
    """Quantile of the elements that are not NaN, of all or along a dimension: what a share q of them is below.

    It is NaN where all of them are.

    Args:
        input: tensor of type float32 or float64.
        q: share from 0 to 1: a number, or a tensor of input's type with at most one dimension.
        dim: dimension to reduce; None for all elements.
        keepdim: whether the result keeps the dimension, with size 1.
        interpolation: what to take between two elements: "linear", "lower", "higher", "midpoint" or "nearest".
        axis: another name for `dim`, as in NumPy.
        keepdims: another name for `keepdim`, as in NumPy.
        out: tensor of input's type that receives the result; resized if its shape differs.

    Returns:
        Tensor of input's type without the dimension; the results for a vector q stand along a new first dimension.

    Raises:
        RuntimeError: the types do not fit, q is out of range, interpolation is unknown, or there are no elements.
        IndexError: the dimension is out of range.

    Example:
        >>> gpunet.nanquantile(gpunet.tensor([1.0, float("nan"), 3.0]), 0.5)
        tensor(2.)
    """
    if axis is not None or keepdims is not None:
        dim, keepdim = numpy_names("nanquantile", dim, keepdim, axis, keepdims)
    result = _quantile(input, q, dim, keepdim, interpolation, "nanquantile", skip_nan=True)
    return deliver(result, out, "nanquantile", exact=True)


def _quantile(input, q, dim, keepdim, interpolation, name, skip_nan):
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
