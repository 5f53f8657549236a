"""Tensors from nothing: constants, ranges, and data from the host."""

from __future__ import annotations

import math

import numpy as np

from gpunet import devices, dtypes
from gpunet.dispatch import Op, OpFunction, execute, host_read, is_tensor, op, record, wrap
from gpunet.engine.extensions import extensions
from gpunet.engine.modes import mode

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


def _create(operation: OpFunction, device, requires_grad: bool, **attrs):
    """An op without inputs, on a device: a recorded step must see it, so it goes the way of all ops."""
    device = devices.get(device)
    out = device.empty(attrs["shape"], attrs["dtype"])
    execute(device, operation.op, (out,), [], attrs)
    result = wrap(out, device)
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


def fitted(number, dtype):
    """A number as a value of a NumPy type: integer types cut off fractions, and unsigned ones take negative numbers
    from their range's end."""
    if dtype.kind not in "iu":
        return number
    info = np.iinfo(dtype)
    lowest = -info.max if dtype.kind == "u" else info.min
    if not lowest <= number <= info.max:  # NaN is neither
        raise RuntimeError(f"the number {number} cannot be converted to {dtypes.public(dtype)}, whose values are from "
                           f"{info.min} to {info.max}")
    number = int(number)
    return number + (1 << info.bits) if number < info.min else number


def zeros(*size, dtype=None, device=None, requires_grad=False):
    """A tensor of zeros."""
    return _create(fill_op, device, requires_grad, shape=_shape(size), dtype=_type(dtype), value=0)


def ones(*size, dtype=None, device=None, requires_grad=False):
    """A tensor of ones."""
    return _create(fill_op, device, requires_grad, shape=_shape(size), dtype=_type(dtype), value=1)


def empty(*size, dtype=None, device=None, requires_grad=False):
    """A tensor whose values are whatever was in memory."""
    device = devices.get(device)
    result = wrap(device.empty(_shape(size), _type(dtype)), device)
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
    start, end = (fitted(x.item() if is_tensor(x) else x, dtype) for x in (start, end))
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
    """Python or NumPy data as a fresh, native, C-contiguous array of a gpunet type. Python floats get the default
    type; NumPy data keeps its own."""
    if is_tensor(data):
        data = host_read(data, "tensor()")
    elif isinstance(data, (list, tuple, range)):
        data = _stacked(data, dtype is None)
    if isinstance(data, (np.ndarray, np.generic)):
        array = np.asarray(data)
        wanted = array.dtype.newbyteorder("=") if dtype is None else dtypes.as_numpy(dtype)
        if wanted.kind in "OUSMmc":
            raise TypeError(f"tensor(): cannot make a tensor of {array.dtype} values; give numbers or bools in a "
                            "rectangular nesting")
        dtypes.as_numpy(wanted)
    else:
        array = np.asarray(data)
        wanted = dtypes.as_numpy(dtype) if dtype is not None else dtypes.scalar_type(data)
    if array.ndim:
        return np.array(array, dtype=wanted, order="C", copy=True)
    return np.array(fitted(array.item(), np.dtype(wanted)), dtype=wanted)


def _stacked(data, to_default: bool):
    """Nested lists as one array; tensors and arrays inside are taken as they are. to_default: Python floats become the
    default type."""

    def plain(item):
        if is_tensor(item):
            return host_read(item, "tensor()")
        return [plain(i) for i in item] if isinstance(item, (list, tuple, range)) else item

    items = plain(data)
    try:
        array = np.array(items)
    except ValueError as error:
        raise ValueError(f"tensor(): the lists are not rectangular: {error}") from None
    if array.size == 0 or to_default and array.dtype == np.float64 and not _holds_numpy(items):
        return array.astype(dtypes.get_default_dtype().numpy)
    return array


def _holds_numpy(item) -> bool:
    """Whether the first leaf of nested lists is NumPy's, whose type then counts."""
    while isinstance(item, list):
        item = item[0]
    return isinstance(item, (np.ndarray, np.generic))


def tensor(data, *, dtype=None, device=None, requires_grad=False):
    """A new tensor with a copy of `data`: a number, nested lists, a NumPy array or a tensor.

    Python floats become the default floating-point type (float32), ints int64, bools bool; NumPy data keeps its type.
    """
    if extensions.recorder is not None:
        raise RuntimeError("tensor(): data cannot come from the host inside a recorded function (gpunet.compile), "
                           "because the recording would repeat today's values; pass it in as an argument")
    device = devices.get(device if device is not None or not is_tensor(data) else data._device.name)
    result = wrap(device.from_host(host_array(data, dtype)), device)
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
    return wrap(array, devices.cpu)


def as_tensor(data, *, dtype=None, device=None):
    """The tensor itself, or one that shares memory with a NumPy array, where type and device allow; else a copy."""
    if isinstance(data, np.ndarray) and data.dtype.isnative and data.flags.writeable:
        data = from_numpy(data)
    if is_tensor(data):
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


def transfer(x, *, device):
    """Moves a tensor to another device. The gradient moves back."""
    target = devices.get(device)
    if extensions.recorder is not None:
        raise RuntimeError("to(): tensors cannot move between devices inside a recorded function (gpunet.compile); "
                           "move them before the call")
    result = wrap(target.from_host(np.array(host_read(x, "to()"), order="C", copy=True)), target)
    if x._requires_grad and mode.grad:
        record(_transfer, result, (x,), {"device": device})
    return result


_transfer = Op("to", None, transfer)  # what a node needs to know of it: there is no device that could run it


@_transfer.gradient
def _(g, _y, x_meta, *, device):
    return (transfer(g, device=x_meta.device.name),)
