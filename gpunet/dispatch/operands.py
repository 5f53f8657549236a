"""What an op is given, brought to arrays of one type on one device: tensors, numbers, several types and devices.

The common type, and numbers beside half tensors, are in _promotion.py.
"""

from __future__ import annotations

import numpy as np

from gpunet import dtypes
from gpunet._promotion import NUMBERS, promote_for
from gpunet.engine.extensions import extensions
from gpunet.engine.tensors import is_tensor, wrap

FLOATS = {d.numpy for d in (dtypes.float16, dtypes.bfloat16, dtypes.float32, dtypes.float64)}

_NONE = type(None)
PLAIN = NUMBERS | {_NONE}

# What Python's operators call: as in PyTorch, they take NumPy's arrays beside tensors on the CPU.
_OPERATORS = frozenset({"add", "sub", "mul", "true_divide", "floor_divide", "remainder", "pow", "eq", "ne", "lt", "le",
                        "gt", "ge", "bitwise_and", "bitwise_or", "bitwise_xor"})


class Mismatch(RuntimeError):
    """What a rule that many ops share raises for inputs that do not fit; the op's name is put in front."""


def gather(op, inputs) -> tuple:
    """(op, inputs, arrays, device, whether an input requires gradients, rounded_to), the inputs being of one type and
    device. The op is the one whose body runs: another where there are numbers beside half tensors. rounded_to: see
    `prepare`."""
    promotes = op.promotes
    try:
        x = inputs[0]
        array = x._array
        device = x._device
        tracked = x._requires_grad
        arrays = [array]
        dtype = array.dtype
        if promotes == "float" and dtype not in FLOATS:
            device = None
        for x in inputs[1:]:
            if x.__class__ is _NONE and promotes is None:
                arrays.append(None)
                continue
            array = x._array
            if x._device is not device or (promotes is not None and array.dtype is not dtype):
                device = None
                break
            if x._requires_grad:
                tracked = True
            arrays.append(array)
    except (AttributeError, IndexError):
        device = None
    if device is not None:
        # pyright cannot know that these are bound where a device is.
        return op, inputs, arrays, device, tracked, None  # pyright: ignore[reportPossiblyUnboundVariable]
    inputs, arrays, device, rounded_to = prepare(op, inputs)
    tracked = any([getattr(x, "_requires_grad", False) for x in inputs])
    return op.computing(arrays), inputs, arrays, device, tracked, rounded_to


def prepare(op, inputs) -> tuple:
    """(inputs, arrays, device, rounded_to) for inputs that are not all tensors of one type on one device. Numbers and
    None become constants. rounded_to: the half type of the result where the inputs are in float32 instead, else None.
    """
    tensors = [x for x in inputs if is_tensor(x)]
    # A zero-dimensional CPU tensor follows the others, as in PyTorch.
    device = next((x._device for x in tensors if x._array.ndim or x._device.type != "cpu"),
                  tensors[0]._device if tensors else None)
    if device is None:
        raise TypeError(f"{op.name}: expected a Tensor, got {', '.join(type(x).__name__ for x in inputs)}")
    operands = []
    for x in inputs:
        if is_tensor(x):
            x = x if x._device is device else _move(op, x, device)
        elif isinstance(x, np.generic):
            x = x.item()
        elif isinstance(x, np.ndarray) and op.name in _OPERATORS and device.type == "cpu":
            common = np.result_type(x.dtype, *[t._array.dtype for t in tensors])  # the type is NumPy's, as in PyTorch
            x = wrap(x.astype(dtypes.as_numpy(common), order="C", copy=False), device)
        elif isinstance(x, np.ndarray):
            raise TypeError(f"{op.name}: got a NumPy array; make it a tensor with gpunet.tensor() first")
        elif isinstance(x, float):
            x = float(x)
        elif isinstance(x, int) and x.__class__ is not bool:
            x = int(x)
        elif x.__class__ is not bool and (x is not None or op.promotes is not None):
            raise TypeError(f"{op.name}: expected a Tensor or a number, got {type(x).__name__}")
        operands.append(x)
    rounded_to = None
    if op.promotes is not None:
        operands, rounded_to = promote_for(op, operands)
    return operands, [x if x.__class__ in PLAIN else x._array for x in operands], device, rounded_to


def _move(op, x, device):
    """A zero-dimensional CPU tensor may meet tensors of any device; all others must share one."""
    if x._device.type == "cpu" and x._array.ndim == 0:
        return x.to(device.name)
    raise RuntimeError(f"{op.name}: expected all tensors on one device, but found {x._device.name} and "
                       f"{device.name}; move one with .to({str(device.name)!r})")


def host_read(tensor, what: str):
    """The tensor's values as a NumPy array, after waiting for the device. Not while a step is being recorded."""
    if extensions.recorder is not None:
        raise RuntimeError(
            f"{what}: values cannot be read on the host inside a recorded function (gpunet.compile), because the "
            "recording replays without Python; return the tensor and read it outside"
        )
    return tensor._device.to_host(tensor._array)
