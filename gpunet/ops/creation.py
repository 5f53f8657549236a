"""Tensors from nothing: constants, ranges, and data from the host."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache, reduce

import ml_dtypes
import numpy as np

from gpunet import devices, dispatch, dtypes
from gpunet.dispatch import Op, op

__all__ = ["arange", "as_tensor", "asarray", "empty", "empty_like", "eye", "from_numpy", "full", "full_like",
           "linspace", "logspace", "ones", "ones_like", "scalar_tensor", "zeros", "zeros_like"]


@op(lambda *, shape, dtype, value: (shape, dtype))
def fill_op(xp, out, *, shape, dtype, value):
    out.fill(value) if out.dtype.kind != "V" else out.__setitem__(..., value)


@op(lambda *, shape, dtype, start, step: (shape, dtype))
def arange_op(xp, out, *, shape, dtype, start, step):
    if dtype.kind in "iub":
        out[...] = xp.arange(shape[0], dtype=np.int64) * step + start
    else:
        out[...] = xp.arange(shape[0], dtype=np.float64) * step + start


@op(lambda *, shape, dtype, diagonal: (shape, dtype))
def eye_op(xp, out, *, shape, dtype, diagonal):
    out[...] = xp.arange(shape[0])[:, None] + diagonal == xp.arange(shape[1])


def _create(operation: Op, device, requires_grad: bool, **attrs):
    """An op without inputs, on a device: a recorded step must see it, so it goes the way of all ops."""
    device = devices.get(device)
    out = device.empty(attrs["shape"], attrs["dtype"])
    dispatch.execute(device, operation, (out,), [], attrs)
    result = dispatch.wrap(out, device)
    return result.requires_grad_() if requires_grad else result


def _shape(size) -> tuple[int, ...]:
    if len(size) == 1 and not isinstance(size[0], (int, np.integer)):
        size = size[0]
    shape = tuple(int(n) for n in size)
    if any(n < 0 for n in shape):
        raise RuntimeError(f"a tensor cannot have a negative size: {shape}")
    return shape


def _type(dtype):
    return dtypes.get_default_dtype().numpy if dtype is None else dtypes.as_numpy(dtype)


def full(size, fill_value, *, dtype=None, device=None, requires_grad=False):
    """A tensor filled with a number. Without `dtype`: bool, int64 or the default floating-point type, as the number."""
    dtype = dtypes.scalar_type(fill_value) if dtype is None else dtypes.as_numpy(dtype)
    return _create(fill_op, device, requires_grad, shape=_shape((size,)), dtype=dtype,
                   value=fitted(fill_value, dtype))


@cache
def _limits(dtype):
    """The smallest and the largest value of a NumPy type, as Python numbers."""
    if dtype.kind in "iu":
        info = np.iinfo(dtype)
        return int(info.min), int(info.max)
    info = ml_dtypes.finfo(dtype)
    return float(info.min), float(info.max)


def fitted(number, dtype):
    """A number as a value of a NumPy type, an error where it is out of range. Integer types cut off fractions, and
    unsigned ones take negative integers from their range's end."""
    if dtype.kind not in "iu":
        if dtype != dtypes.BOOL_NP:
            low, high = _limits(dtype)
            if (number > high or number < low) and number not in (math.inf, -math.inf):
                raise _unfit(number, dtype)
        return float(number) if number.__class__ is int else number  # bfloat16 takes no integer of more than 64 bits
    low, high = _limits(dtype)
    lowest = -high if dtype.kind == "u" and not isinstance(number, (float, np.floating)) else low
    if not lowest <= number <= high:  # NaN is neither
        raise _unfit(number, dtype)
    number = int(number)
    return number + high + 1 if number < low else number


def _unfit(number, dtype):
    low, high = _limits(dtype)
    return RuntimeError(f"the number {number} cannot be converted to {dtypes.public(dtype)}, whose values are from "
                        f"{low} to {high}")


def zeros(*size, dtype=None, device=None, requires_grad=False):
    """A tensor of zeros."""
    return _create(fill_op, device, requires_grad, shape=_shape(size), dtype=_type(dtype), value=0)


def ones(*size, dtype=None, device=None, requires_grad=False):
    """A tensor of ones."""
    return _create(fill_op, device, requires_grad, shape=_shape(size), dtype=_type(dtype), value=1)


def empty(*size, dtype=None, device=None, requires_grad=False):
    """A tensor whose values are whatever was in memory."""
    device = devices.get(device)
    result = dispatch.wrap(device.empty(_shape(size), _type(dtype)), device)
    return result.requires_grad_() if requires_grad else result


def _like(function):
    def like(input, *, dtype=None, device=None, requires_grad=False):
        return function(input.shape, dtype=input.dtype if dtype is None else dtype,
                        device=input._device.name if device is None else device, requires_grad=requires_grad)

    like.__name__ = like.__qualname__ = function.__name__ + "_like"
    like.__doc__ = f"`{function.__name__}` in the shape, type and device of `input`."
    return like


zeros_like, ones_like, empty_like = _like(zeros), _like(ones), _like(empty)


def full_like(input, fill_value, *, dtype=None, device=None, requires_grad=False):
    """A tensor filled with a number, in the shape, type and device of `input`."""
    return full(input.shape, fill_value, dtype=input.dtype if dtype is None else dtype,
                device=input._device.name if device is None else device, requires_grad=requires_grad)


def arange(start, end=None, step=1, *, dtype=None, device=None, requires_grad=False):
    """Numbers from start (0 if only one is given) up to, not including, end."""
    if end is None:
        start, end = 0, start
    if not (math.isfinite(start) and math.isfinite(end)):
        raise RuntimeError(f"arange: start and end must be finite, got {start} and {end}")
    if step == 0:
        raise RuntimeError("arange: the step must not be zero")
    if (end - start) * step < 0:
        raise RuntimeError(f"arange: the end {end} cannot be reached from {start} with step {step}")
    if dtype is None:
        whole = all(isinstance(v, (int, np.integer)) for v in (start, end, step))
        dtype = dtypes.int64 if whole else dtypes.get_default_dtype()
    dtype, count = dtypes.as_numpy(dtype), math.ceil((end - start) / step)
    if dtype.kind in "iu":  # start and step are cast first, and in int64 the end too
        if dtype == dtypes.INT64_NP and int(step):
            count = len(range(int(start), int(end), int(step)))
        start, step = int(start), int(step)
        if not step:
            raise RuntimeError(f"arange: the step must not be zero, which it is as {dtypes.public(dtype)}")
    return _create(arange_op, device, requires_grad, shape=(count,), dtype=dtype, start=start, step=step)


def linspace(start, end, steps: int, *, dtype=None, device=None, requires_grad=False):
    """`steps` evenly spaced numbers from start to end, both included."""
    _check_steps("linspace", steps)
    dtype = _type(dtype)
    return tensor(_spaced(start, end, steps, dtype).astype(dtype), device=device, requires_grad=requires_grad)


def _check_steps(op: str, steps) -> None:
    if not isinstance(steps, (int, np.integer)):
        raise TypeError(f"{op}: the number of steps must be an integer, got {steps}")
    if steps < 0:
        raise RuntimeError(f"{op}: the number of steps must not be negative, got {steps}")


def _spaced(start, end, steps, dtype):
    """Evenly spaced numbers in float64, counted from the nearer end; those of an integer type begin and end with
    integers."""
    start, end = (fitted(x.item() if dispatch.is_tensor(x) else x, dtype) for x in (start, end))
    if steps == 1:
        return np.array([float(start)])
    places, step = np.arange(steps), (end - start) / max(1, steps - 1)
    return np.where(places < steps // 2, start + step * places, end - step * (steps - 1 - places))


def logspace(start, end, steps: int, base: float = 10.0, *, dtype=None, device=None, requires_grad=False):
    """`steps` numbers from base**start to base**end whose logarithms are evenly spaced."""
    _check_steps("logspace", steps)
    dtype = _type(dtype)
    values = float(base) ** (_spaced(start, end, steps, dtype) if steps != 1 else np.array([float(start)]))
    if dtype.kind in "iu":  # what is out of range wraps around
        values = values.astype(np.int64)
    return tensor(values.astype(dtype), device=device, requires_grad=requires_grad)


def eye(n: int, m: int | None = None, *, dtype=None, device=None, requires_grad=False):
    """A matrix with ones on the diagonal and zeros elsewhere."""
    return _create(eye_op, device, requires_grad, shape=_shape((n, n if m is None else m)), dtype=_type(dtype),
                   diagonal=0)


# ---- data from the host --------------------------------------------------------------------------------------------


def host_array(data, dtype=None) -> np.ndarray:
    """Python or NumPy data as a fresh, native, C-contiguous array of a gpunet type. Arrays and tensors are cast, as
    .to() does it; numbers must be in the type's range."""
    if dispatch.is_tensor(data):
        data = dispatch.host_read(data, "tensor()")
    if isinstance(data, np.ndarray):
        return np.array(data, dtype=_known(data.dtype.newbyteorder("=") if dtype is None else dtype), order="C")
    if _is_sequence(data):
        array, found = _stacked(data)
    else:
        array, found = np.asarray(data), dtypes.scalar_type(data)
    wanted = _known(found if dtype is None else dtype)
    if wanted.kind in "iu" and array.dtype != wanted and array.size:
        array = _all_fitted(array, wanted)
    return np.array(array, dtype=wanted, order="C")


def _known(dtype):
    if isinstance(dtype, np.dtype) and dtype.kind in "OUSMmc":
        raise _no_numbers(dtype)
    return dtypes.as_numpy(dtype)


def _no_numbers(what):
    return TypeError(f"tensor(): cannot make a tensor of {what} values; give numbers or bools in a rectangular nesting")


def _all_fitted(array, wanted):
    """An array of numbers for an integer type, after checking that all are in its range."""
    low, high = _limits(wanted)
    if low <= array.min() and array.max() <= high:
        return array
    return np.array([fitted(number, wanted) for number in array.reshape(-1).tolist()], object).reshape(array.shape)


def _is_sequence(data) -> bool:
    return isinstance(data, Sequence) and not isinstance(data, (str, bytes)) or isinstance(data, memoryview)


def _stacked(data):
    """Nested sequences as one array, and the type that the numbers, arrays and tensors in them have in common."""
    found = set()

    def plain(item):
        kind = item.__class__
        if kind is float or kind is int or kind is bool:
            found.add(kind)
            return item
        if kind is list or kind is tuple:
            return [plain(i) for i in item]
        if dispatch.is_tensor(item):
            item = dispatch.host_read(item, "tensor()")
            item = item.reshape(()) if item.size == 1 else item  # counts as a number
        elif _is_sequence(item):
            return [plain(i) for i in item]
        found.add(_known(item.dtype.newbyteorder("=")) if isinstance(item, (np.ndarray, np.generic)) else kind)
        return item

    items = plain(data)
    try:
        array = np.array(items)
    except ValueError as error:
        raise ValueError(f"tensor(): the lists are not rectangular: {error}") from None
    if not found:
        return array, dtypes.get_default_dtype().numpy
    return array, reduce(dtypes.promote_types_np, map(_type_of, found))


def _type_of(found):
    """The type that a class of numbers stands for; a type itself."""
    if isinstance(found, np.dtype):
        return found
    if not issubclass(found, (int, float)):
        raise _no_numbers(found.__name__)
    return dtypes.scalar_type(found())


def tensor(data, *, dtype=None, device=None, requires_grad=False):
    """A new tensor with a copy of `data`: a number, nested sequences, a NumPy array or a tensor.

    Python floats become the default floating-point type (float32), ints int64, bools bool; NumPy data keeps its type.
    A number that is not in the range of an integer type is an error.
    """
    if dispatch.recorder is not None:
        raise RuntimeError("tensor(): data cannot come from the host inside a recorded function (gpunet.compile), "
                           "because the recording would repeat today's values; pass it in as an argument")
    device = devices.get(device if device is not None or not dispatch.is_tensor(data) else data._device.name)
    result = dispatch.wrap(device.from_host(host_array(data, dtype)), device)
    return result.requires_grad_() if requires_grad else result


def from_numpy(array):
    """A CPU tensor that shares its memory with a NumPy array: a change of one is a change of the other."""
    if not isinstance(array, np.ndarray):
        raise TypeError(f"from_numpy: expected a NumPy array, got {type(array).__name__}")
    if not array.dtype.isnative:
        raise ValueError("from_numpy: the array's byte order is not this machine's; use "
                         "array.astype(array.dtype.newbyteorder('='))")
    dtypes.as_numpy(array.dtype)
    if not array.flags.writeable:
        raise ValueError("from_numpy: the array is read-only, so it cannot share its memory; pass array.copy()")
    return dispatch.wrap(array, devices.cpu)


def as_tensor(data, *, dtype=None, device=None):
    """The tensor itself, or one that shares memory with a NumPy array, where type and device allow; else a copy."""
    if isinstance(data, np.ndarray) and data.dtype.isnative and data.flags.writeable:
        data = from_numpy(data)
    if dispatch.is_tensor(data):
        return data.to(device=device, dtype=dtype)
    return tensor(data, dtype=dtype, device=device)


def asarray(obj, *, dtype=None, device=None, copy=None, requires_grad=False):
    """`as_tensor`, or with copy=True `tensor`."""
    result = (tensor if copy else as_tensor)(obj, dtype=dtype, device=device)
    return result.requires_grad_() if requires_grad else result


def scalar_tensor(s, *, dtype=None, device=None, requires_grad=False):
    """A 0-d tensor of the default floating-point type."""
    return full((), s, dtype=dtypes.get_default_dtype() if dtype is None else dtype, device=device,
                requires_grad=requires_grad)


# ---- between devices and types -------------------------------------------------------------------------------------


class _Transfer(Op):
    """Moves a tensor to another device. The gradient moves back."""

    def __init__(self):
        super().__init__("to", None, None)

    def __call__(self, x, *, device):
        target = devices.get(device)
        if dispatch.recorder is not None:
            raise RuntimeError("to(): tensors cannot move between devices inside a recorded function (gpunet.compile); "
                               "move them before the call")
        result = dispatch.wrap(target.from_host(np.array(dispatch.host_read(x, "to()"), order="C", copy=True)), target)
        if x._requires_grad and dispatch.mode.grad:
            result._node, result._requires_grad = self._record((x,), {"device": device}, (result,)), True
        return result


transfer = _Transfer()


@transfer.gradient
def _(g, _y, x_meta, *, device):
    return (transfer(g, device=x_meta.device.name),)
