"""Tensors in channels last: [N, C, H, W], or [N, C, D, H, W], whose elements lie in memory as [N, H, W, C] lie.

    lies_last(array)        whether an array does, without gaps
    leans_last(array)       whether its dimensions are in that order, also with gaps, as of some channels of a tensor
    order_of(array)         the order in which its elements lie
    as_rows(array)          its view in the order of memory, which is C-contiguous; `from_rows` is the way back
    strides_of(...)         the strides that such an array has

A tensor's format is what its array's strides say, and nothing else. Where both formats have the same elements in the
same places, as with one channel or one pixel, the strides of dimensions of size 1 tell them apart, as in PyTorch.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

__all__ = ["as_rows", "from_rows", "is_channels_last", "leans_last", "lies_last", "operand_as_rows", "order_of",
           "strides_of"]

# By rank: the dimensions from the outermost to the innermost in memory, and the way back.
_TO_ROWS = {4: (0, 2, 3, 1), 5: (0, 2, 3, 4, 1)}
_FROM_ROWS = {4: (0, 3, 1, 2), 5: (0, 4, 1, 2, 3)}


def is_channels_last(array: Any) -> bool:
    """Whether an array is 4-D and in channels last."""
    if array.ndim != 4:
        return False
    strides = array.strides
    return strides[1] <= strides[3] and _is_last(array.shape, strides, array.itemsize)


def lies_last(array: Any) -> bool:
    """Whether an array is in channels last, of 4 or 5 dimensions."""
    if array.ndim not in _TO_ROWS:
        return False
    strides = array.strides
    return strides[1] <= strides[-1] and _is_last(array.shape, strides, array.itemsize)


def order_of(array: Any) -> str | None:
    """In which order a dense array's elements lie: "rows", "channels last", or None for any other, or with gaps."""
    return "rows" if array.flags.c_contiguous else "channels last" if lies_last(array) else None


def leans_last(array: Any) -> bool:
    """Whether results that keep the format of an array, of 4 or 5 dimensions, are in channels last."""
    if array.ndim not in _TO_ROWS:
        return False
    strides = array.strides
    return strides[1] <= strides[-1] and _leans(array.shape, strides)


@lru_cache(maxsize=4096)
def _is_last(shape: tuple[int, ...], strides: tuple[int, ...], itemsize: int) -> bool:
    step = itemsize
    for dim in reversed(_TO_ROWS[len(shape)]):
        if shape[dim] > 1 and strides[dim] != step:
            return False
        step *= shape[dim]
    return _leans(shape, strides)


@lru_cache(maxsize=4096)
def _leans(shape: tuple[int, ...], strides: tuple[int, ...]) -> bool:
    """PyTorch's rule, also where sizes of 1 leave it open (c10/core/MemoryFormat.h, is_channels_last_strides)."""
    least = 0
    for dim in reversed(_TO_ROWS[len(shape)]):
        size, stride = shape[dim], strides[dim]
        if size == 0 or stride < least or dim == 1 and stride == 0 or dim == 0 and least == strides[1]:
            return False
        least = stride * size
    return True


def as_rows(array: Any) -> Any:
    """The view [N, H, W, C] of [N, C, H, W], or [N, D, H, W, C] of [N, C, D, H, W]."""
    return array.transpose(_TO_ROWS[array.ndim])


def from_rows(array: Any) -> Any:
    """The view [N, C, H, W] of [N, H, W, C], or [N, C, D, H, W] of [N, D, H, W, C]."""
    return array.transpose(_FROM_ROWS[array.ndim])


def operand_as_rows(x: Any, rank: int) -> Any:
    """What `as_rows` gives of an operand that broadcasts to so many dimensions; numbers, None and 0-d arrays as they
    are."""
    missing = rank - getattr(x, "ndim", 0)
    if missing == rank:
        return x
    return as_rows(x[(None,) * missing] if missing else x)


@lru_cache(maxsize=4096)
def strides_of(shape: tuple[int, ...], itemsize: int) -> tuple[int, ...]:
    """The strides of an array in channels last."""
    strides, step = [0] * len(shape), itemsize
    for dim in reversed(_TO_ROWS[len(shape)]):
        strides[dim] = step
        step *= max(shape[dim], 1)
    return tuple(strides)
