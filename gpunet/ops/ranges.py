"""Evenly spaced numbers."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from gpunet import dtypes
from gpunet.dispatch import is_tensor, op
from gpunet.ops import pointwise
from gpunet.ops.creation import create, type_of
from gpunet.ops.host import fitted
from gpunet.ops.out import deliver

if TYPE_CHECKING:
    from gpunet._layouts import layout as Layout
    from gpunet.dtypes import Number
    from gpunet.ops.creation import Place, Type
    from gpunet.tensor import Tensor

__all__ = ["arange", "linspace", "logspace"]


@op(lambda *, shape, dtype, start, step: (shape, dtype))
def arange_op(xp, out, *, shape, dtype, start, step):
    if dtype.kind in "iub":
        out[...] = xp.arange(shape[0], dtype=np.int64) * step + start
    else:
        out[...] = xp.arange(shape[0], dtype=np.float64) * step + start


arange_op.kernel(pointwise.arange)


@op(lambda *, shape, dtype, start, end, base: (shape, dtype))
def spaced_op(xp, out, *, shape, dtype, start, end, base):
    """Numbers from start to end in float64, counted from the nearer end; `base` to their power, if it is not None."""
    count = shape[0]
    places, step = xp.arange(count, dtype=np.float64), (end - start) / max(1, count - 1)
    values = xp.where(places < count // 2, start + step * places, end - step * (count - 1 - places))
    if count == 1:
        values = places + float(start)
    if base is not None:
        values = xp.power(base, values)
        if dtype.kind in "iu":  # what is out of range wraps around
            values = values.astype(np.int64)
    xp.copyto(out, values, casting="unsafe")


def _number(x: Any) -> Any:
    return x.item() if is_tensor(x) else x


def arange(start: Number | Tensor | None = None, end: Number | Tensor | None = None, step: Number | Tensor = 1, *,
           out: Tensor | None = None, dtype: Type | None = None, layout: Layout | None = None,
           device: Place | None = None, pin_memory: bool | None = None, requires_grad: bool = False) -> Tensor:
    """Numbers from start up to, not including, end: start, start + step, start + 2 step, ...

    Args:
        start: the first number; with no other one, it is the end, and the first is 0.
        end: the bound.
        step: the distance, which may be negative.
        out: tensor that receives the result; resized if its shape differs.
        dtype: type of the elements. None: out's; or int64 if all numbers are ints, else the default floating-point
            type.
        layout: `gpunet.strided`, the only one.
        device: where the tensor is. None: where out is, or the default device.
        pin_memory: accepted and ignored: the host's memory is never pinned.
        requires_grad: whether gradients are collected for it.

    Returns:
        Vector of ceil((end - start) / step) elements.

    Raises:
        RuntimeError: step is 0 or leads away from end, or a bound is not finite.

    Example:
        >>> gpunet.arange(2, 8, 3)
        tensor([2, 5])
    """
    start, end, step = _number(start), _number(end), _number(step)
    if end is None:
        if start is None:
            raise TypeError("arange() missing 1 required argument: 'end'")
        start, end = 0, start
    elif start is None:
        start = 0
    if not (math.isfinite(start) and math.isfinite(end)):
        raise RuntimeError(f"arange: start and end must be finite, got {start} and {end}")
    if step == 0:
        raise RuntimeError("arange: the step must not be zero")
    if (end - start) * step < 0:
        raise RuntimeError(f"arange: the end {end} cannot be reached from {start} with step {step}")
    whole = isinstance(start, _WHOLE) and isinstance(end, _WHOLE) and isinstance(step, _WHOLE)
    wanted = _numeric_type("arange", dtype, out, dtypes.int64 if whole else None)
    count = math.ceil((end - start) / step)
    if wanted.kind in "iu":  # start and step are cast first, and in int64 the end too
        if wanted == dtypes.INT64_NP and int(step):
            count = len(range(int(start), int(end), int(step)))
        start, step = int(start), int(step)
        if not step:
            raise RuntimeError(f"arange: the step must not be zero, which it is as {dtypes.public(wanted)}")
    made = create("arange", arange_op, out, layout, device, requires_grad, shape=(count,), dtype=wanted, start=start,
                  step=step)
    return deliver(made, out, "arange")


_WHOLE = (int, np.integer)


def _numeric_type(name, dtype, out, default=None):
    wanted = type_of(name, dtype, out, default)
    if wanted == dtypes.BOOL_NP:
        raise RuntimeError(f"{name}: evenly spaced numbers cannot be cast to gpunet.bool; use a numeric type")
    return wanted


def linspace(start: Number | Tensor, end: Number | Tensor, steps: int, *, out: Tensor | None = None,
             dtype: Type | None = None, layout: Layout | None = None, device: Place | None = None,
             pin_memory: bool | None = None, requires_grad: bool = False) -> Tensor:
    """Evenly spaced numbers from start to end, both included: start + i (end - start) / (steps - 1).

    Args:
        start: the first number; a 0-d tensor is read on the host.
        end: the last number, likewise.
        steps: how many numbers.
        out: tensor that receives the result; resized if its shape differs.
        dtype: type of the elements. None: out's, or the default floating-point type.
        layout: `gpunet.strided`, the only one.
        device: where the tensor is. None: where out is, or the default device.
        pin_memory: accepted and ignored: the host's memory is never pinned.
        requires_grad: whether gradients are collected for it.

    Returns:
        Vector of `steps` elements.

    Raises:
        RuntimeError: steps is negative, or a number is out of the type's range.
        TypeError: steps is no integer.

    Example:
        >>> gpunet.linspace(0, 1, 3)
        tensor([0.0000, 0.5000, 1.0000])
    """
    made = _spaced("linspace", start, end, steps, None, out, dtype, layout, device, requires_grad)
    return deliver(made, out, "linspace")


def logspace(start: Number | Tensor, end: Number | Tensor, steps: int, base: float = 10.0, *, out: Tensor | None = None,
             dtype: Type | None = None, layout: Layout | None = None, device: Place | None = None,
             pin_memory: bool | None = None, requires_grad: bool = False) -> Tensor:
    """Numbers whose logarithms are evenly spaced: base^x for x of `linspace(start, end, steps)`.

    Args:
        start: the first exponent; a 0-d tensor is read on the host.
        end: the last exponent, likewise.
        steps: how many numbers.
        base: the base of the powers.
        out: tensor that receives the result; resized if its shape differs.
        dtype: type of the elements. None: out's, or the default floating-point type.
        layout: `gpunet.strided`, the only one.
        device: where the tensor is. None: where out is, or the default device.
        pin_memory: accepted and ignored: the host's memory is never pinned.
        requires_grad: whether gradients are collected for it.

    Returns:
        Vector of `steps` elements.

    Raises:
        RuntimeError: steps is negative, or an exponent is out of the type's range.
        TypeError: steps is no integer.

    Example:
        >>> gpunet.logspace(0, 2, 3)
        tensor([  1.,  10., 100.])
    """
    made = _spaced("logspace", start, end, steps, float(base), out, dtype, layout, device, requires_grad)
    return deliver(made, out, "logspace")


def _spaced(name, start, end, steps, base, out, dtype, layout, device, requires_grad):
    if not isinstance(steps, _WHOLE):
        raise TypeError(f"{name}: the number of steps must be an integer, got {steps}")
    if steps < 0:
        raise RuntimeError(f"{name}: the number of steps must not be negative, got {steps}")
    wanted = _numeric_type(name, dtype, out)
    start, end = _number(start), _number(end)
    if base is None or steps != 1:  # PyTorch does not check a single exponent
        start, end = fitted(start, wanted), fitted(end, wanted)
    return create(name, spaced_op, out, layout, device, requires_grad, shape=(int(steps),), dtype=wanted, start=start,
                  end=end, base=base)
