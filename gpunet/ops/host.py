"""Numbers and data of the host as values of a tensor's type, and tensors on their way between devices."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache, reduce
from typing import Any

import ml_dtypes
import numpy as np

from gpunet import devices, dtypes
from gpunet._channels_last import leans_last
from gpunet._quiet import restore, silence
from gpunet.dispatch import Op, host_read, is_tensor, record, wrap
from gpunet.engine.extensions import extensions
from gpunet.engine.modes import mode

# ---- numbers -------------------------------------------------------------------------------------------------------


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


# ---- arrays and sequences ------------------------------------------------------------------------------------------


def host_array(data, dtype=None) -> np.ndarray:
    """Python or NumPy data as a fresh, native array of a gpunet type, in channels last if the data are, else
    C-contiguous. Arrays and tensors are cast, as .to() does it; numbers must be in the type's range."""
    if is_tensor(data):
        data = host_read(data, "tensor()")
    if isinstance(data, np.ndarray):
        return _cast(data, _known(data.dtype.newbyteorder("=") if dtype is None else dtype))
    if _is_sequence(data):
        array, found = _stacked(data)
    else:
        array, found = np.asarray(data), dtypes.scalar_type(data)
    wanted = _known(found if dtype is None else dtype)
    if wanted.kind in "iu" and array.dtype != wanted and array.size:
        array = _all_fitted(array, wanted)
    if array.dtype == object and wanted.kind not in "iu":  # bfloat16 takes no integer of more than 64 bits
        array = array.astype(np.float64)
    return _cast(array, wanted)


def _cast(array, dtype):
    """A copy; what is beyond a floating-point type's range becomes infinite."""
    token = silence()
    try:
        return np.array(array, dtype=dtype, order="K" if leans_last(array) else "C")
    finally:
        restore(token)


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
        if is_tensor(item):
            item = host_read(item, "tensor()")
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


# ---- between devices ------------------------------------------------------------------------------------------------


def transfer(x, *, device):
    """Moves a tensor to another device. The gradient moves back."""
    target: Any = devices.get(device)
    if extensions.recorder is not None:
        raise RuntimeError("to(): tensors cannot move between devices inside a recorded function (gpunet.compile); "
                           "move them before the call")
    if target.type == "meta":
        result = wrap(target.from_host(x._array), target)
    else:
        order = "K" if leans_last(x._array) else "C"
        result = wrap(target.from_host(np.array(host_read(x, "to()"), order=order, copy=True)), target)
    if x._requires_grad and mode.grad:
        record(_transfer, result, (x,), {"device": device})
    return result


_transfer = Op("to", None, transfer)  # what a node needs to know of it: there is no device that could run it


@_transfer.gradient
def _(g, _y, x_meta, *, device):
    return (transfer(g, device=x_meta.device.name),)
