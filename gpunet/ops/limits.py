"""Limits: elements kept within bounds, the larger or smaller of two, replacements of NaN and infinities."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ml_dtypes

from gpunet.dispatch import is_tensor, promote
from gpunet.dtypes import BOOL_NP, FLOAT, Number, category
from gpunet.ops.arithmetic import (
    clamp_between_op,
    clamp_op,
    fmax_op,
    fmin_op,
    maximum_op,
    minimum_op,
    nan_to_num_op,
)
from gpunet.ops.host import fitted
from gpunet.ops.out import deliver

if TYPE_CHECKING:
    from gpunet.tensor import Tensor

__all__ = ["clamp", "clamp_max", "clamp_min", "clip", "fmax", "fmin", "maximum", "minimum", "nan_to_num"]


def clamp(input: Tensor, min: Tensor | Number | None = None, max: Tensor | Number | None = None, *,
          out: Tensor | None = None) -> Tensor:
    """Each element brought into [min, max]: y = min(max(x, min), max).

    Where the bounds cross, the result is `max`. NaN stays NaN. The gradient is 1 within the bounds, at them too, and 0
    outside.

    Args:
        input: tensor of any type but bool.
        min: tensor or number, broadcastable with `input`; None for no lower bound.
        max: tensor or number, broadcastable with `input`; None for no upper bound.
        out: tensor that receives the result, of the result's type if the bounds are numbers; resized if its shape
            differs.

    Returns:
        Tensor of the broadcast shape and the promoted type.

    Raises:
        RuntimeError: both bounds are None, the shapes do not broadcast, or a bound is out of the type's range.

    Example:
        >>> gpunet.clamp(gpunet.tensor([-2.0, 0.5, 3.0]), min=-1, max=1)
        tensor([-1.0000,  0.5000,  1.0000])
    """
    return deliver(_clamped(input, min, max), out, "clamp", exact=not (is_tensor(min) or is_tensor(max)))


def clamp_min(input: Tensor, min: Tensor | Number, *, out: Tensor | None = None) -> Tensor:
    """Each element, but no less than `min`: y = max(x, min).

    Args:
        input: tensor of any type but bool.
        min: tensor or number, broadcastable with `input`.
        out: tensor that receives the result, of the result's type if the bounds are numbers; resized if its shape
            differs.

    Returns:
        Tensor of the broadcast shape and the promoted type.

    Raises:
        RuntimeError: the shapes do not broadcast, or the bound is out of the type's range.

    Example:
        >>> gpunet.clamp_min(gpunet.tensor([-2.0, 3.0]), 0)
        tensor([0., 3.])
    """
    return deliver(_clamped(input, min, None), out, "clamp_min", exact=not is_tensor(min))


def clamp_max(input: Tensor, max: Tensor | Number, *, out: Tensor | None = None) -> Tensor:
    """Each element, but no more than `max`: y = min(x, max).

    Args:
        input: tensor of any type but bool.
        max: tensor or number, broadcastable with `input`.
        out: tensor that receives the result, of the result's type if the bounds are numbers; resized if its shape
            differs.

    Returns:
        Tensor of the broadcast shape and the promoted type.

    Raises:
        RuntimeError: the shapes do not broadcast, or the bound is out of the type's range.

    Example:
        >>> gpunet.clamp_max(gpunet.tensor([-2.0, 3.0]), 0)
        tensor([-2.,  0.])
    """
    return deliver(_clamped(input, None, max), out, "clamp_max", exact=not is_tensor(max))


def _clamped(x, low, high):
    if low is None and high is None:
        raise RuntimeError("clamp: give at least one of min and max")
    if is_tensor(low) or is_tensor(high):
        return clamp_between_op(*promote([x, low, high]))
    dtype = x._array.dtype
    if category(dtype) != FLOAT:
        if isinstance(low, float) or isinstance(high, float):
            x = x.float()
        elif dtype == BOOL_NP:
            x = x.long() if int in (low.__class__, high.__class__) else x
        else:
            if dtype.kind == "u" and low is not None and low < 0:  # bounds nothing
                low = 0
            low, high = (bound if bound is None else fitted(bound, dtype) for bound in (low, high))
    elif low.__class__ is int or high.__class__ is int:  # bfloat16 takes no integer of more than 64 bits
        low, high = (float(bound) if isinstance(bound, int) else bound for bound in (low, high))
    return clamp_op(x, low=low, high=high)


def maximum(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The larger of two elements; NaN if either is.

    Where both are equal, each gets half of the gradient.

    Args:
        input: tensor of any type.
        other: tensor of any type, broadcastable with `input`.
        out: tensor that receives the result; resized if its shape differs.

    Returns:
        Tensor of the broadcast shape and the promoted type.

    Raises:
        RuntimeError: the shapes do not broadcast, or the tensors are on different devices.

    Example:
        >>> nan = float("nan")
        >>> gpunet.maximum(gpunet.tensor([1.0, 5.0, nan]), gpunet.tensor([3.0, 2.0, 1.0]))
        tensor([3., 5., nan])
    """
    return deliver(maximum_op(input, other), out, "maximum")


def minimum(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The smaller of two elements; NaN if either is.

    Where both are equal, each gets half of the gradient.

    Args:
        input: tensor of any type.
        other: tensor of any type, broadcastable with `input`.
        out: tensor that receives the result; resized if its shape differs.

    Returns:
        Tensor of the broadcast shape and the promoted type.

    Raises:
        RuntimeError: the shapes do not broadcast, or the tensors are on different devices.

    Example:
        >>> nan = float("nan")
        >>> gpunet.minimum(gpunet.tensor([1.0, 5.0, nan]), gpunet.tensor([3.0, 2.0, 1.0]))
        tensor([1., 2., nan])
    """
    return deliver(minimum_op(input, other), out, "minimum")


def fmax(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The larger of two elements; where one is NaN, the other.

    Where both are equal, `input` gets the gradient.

    Args:
        input: tensor of any type.
        other: tensor of any type, broadcastable with `input`.
        out: tensor that receives the result; resized if its shape differs.

    Returns:
        Tensor of the broadcast shape and the promoted type.

    Raises:
        RuntimeError: the shapes do not broadcast, or the tensors are on different devices.

    Example:
        >>> nan = float("nan")
        >>> gpunet.fmax(gpunet.tensor([1.0, 5.0, nan]), gpunet.tensor([3.0, 2.0, 1.0]))
        tensor([3., 5., 1.])
    """
    return deliver(fmax_op(input, other), out, "fmax")


def fmin(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The smaller of two elements; where one is NaN, the other.

    Where both are equal, `input` gets the gradient.

    Args:
        input: tensor of any type.
        other: tensor of any type, broadcastable with `input`.
        out: tensor that receives the result; resized if its shape differs.

    Returns:
        Tensor of the broadcast shape and the promoted type.

    Raises:
        RuntimeError: the shapes do not broadcast, or the tensors are on different devices.

    Example:
        >>> nan = float("nan")
        >>> gpunet.fmin(gpunet.tensor([1.0, 5.0, nan]), gpunet.tensor([3.0, 2.0, 1.0]))
        tensor([1., 2., 1.])
    """
    return deliver(fmin_op(input, other), out, "fmin")


def nan_to_num(input: Tensor, nan: float | None = None, posinf: float | None = None, neginf: float | None = None, *,
               out: Tensor | None = None) -> Tensor:
    """NaN and the infinities replaced by numbers. The gradient at these elements is 0.

    Args:
        input: tensor of any type; integers are returned unchanged.
        nan: what replaces NaN; None for 0.
        posinf: what replaces infinity; None for the type's largest number.
        neginf: what replaces minus infinity; None for the type's smallest number.
        out: tensor of the result's type that receives the result; resized if its shape differs.

    Returns:
        Tensor of input's shape and type.

    Example:
        >>> gpunet.nan_to_num(gpunet.tensor([1.0, float("nan"), float("inf")]), posinf=9.0)
        tensor([1., 0., 9.])
    """
    limit = float(ml_dtypes.finfo(input._array.dtype).max) if category(input._array.dtype) == FLOAT else 0.0
    result = nan_to_num_op(input, nan=0.0 if nan is None else float(nan),
                           posinf=limit if posinf is None else float(posinf),
                           neginf=-limit if neginf is None else float(neginf))
    return deliver(result, out, "nan_to_num", exact=True)


clip = clamp  # PyTorch's other name

# The in-place forms, and what computes them.
IN_PLACE = {"clamp": clamp, "clamp_max": clamp_max, "clamp_min": clamp_min, "clip": clamp, "nan_to_num": nan_to_num}
