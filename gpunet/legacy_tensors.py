"""PyTorch's older constructors: `FloatTensor([1.0, 2.0])` for values, `FloatTensor(2, 3)` for sizes.

Prefer `gpunet.tensor(values, dtype=...)` and `gpunet.empty(sizes, dtype=...)`.
"""

from __future__ import annotations

from typing import Any

from gpunet import devices, dtypes
from gpunet.ops import creation
from gpunet.size import Size
from gpunet.tensor import Tensor

__all__ = ["BFloat16Tensor", "BoolTensor", "ByteTensor", "CharTensor", "DoubleTensor", "FloatTensor", "HalfTensor",
           "IntTensor", "LongTensor", "ShortTensor", "set_default_tensor_type"]


class TensorType(type):
    """The type of these classes: calling one makes a Tensor, and a Tensor of its dtype and device is an instance.

    Args:
        data: the values in a sequence, an array or a tensor of that dtype; or the sizes, number by number or as a Size.
        device: where the tensor is, if it is to be on another device of this type.
    """

    dtype: dtypes.dtype
    device_type: str

    def __call__(cls, *data: Any, device: Any = None) -> Tensor:
        place = cls.device_type if device is None else device
        if devices.device(place).type != cls.device_type:
            raise RuntimeError(f"{cls.__name__}: makes tensors on {cls.device_type}, so device cannot be {device!r}")
        return make(cls.__name__, data, cls.dtype, place)

    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, Tensor) and instance.dtype is cls.dtype and instance.device.type == cls.device_type


def make(name: str, data: tuple[Any, ...], dtype: dtypes.dtype, device: Any) -> Tensor:
    """A tensor of values, or of sizes without values. A tensor is taken as it is, and must be of that type."""
    if len(data) != 1 or isinstance(data[0], (int, Size)):
        return creation.empty(*(data or (0,)), dtype=dtype, device=device)
    values = data[0]
    if isinstance(values, Tensor):
        if values.dtype is not dtype or values._device is not devices.get(device):
            raise TypeError(f"{name}: expected a tensor of {dtype} on {device}, got one of {values.dtype} on "
                            f"{values.device}; convert it with .to()")
        return values.detach()
    if not hasattr(values, "__len__"):
        raise TypeError(f"{name}: data must be a sequence or sizes, got {type(values).__name__}")
    return creation.tensor(values, dtype=dtype, device=device)


class FloatTensor(metaclass=TensorType):
    """A float32 tensor on the CPU.

    Args:
        data: the values in a sequence, an array or a float32 tensor; or the sizes.
        device: the CPU.

    Examples:
        >>> gpunet.FloatTensor([1, 2])
        tensor([1., 2.])
        >>> gpunet.FloatTensor(2, 3).shape
        gpunet.Size([2, 3])
        >>> isinstance(gpunet.zeros(1), gpunet.FloatTensor)
        True
    """

    dtype, device_type = dtypes.float32, "cpu"


class DoubleTensor(metaclass=TensorType):
    """A float64 tensor on the CPU.

    Args:
        data: the values in a sequence, an array or a float64 tensor; or the sizes.
        device: the CPU.

    Examples:
        >>> gpunet.DoubleTensor([1, 2])
        tensor([1., 2.], dtype=gpunet.float64)
    """

    dtype, device_type = dtypes.float64, "cpu"


class HalfTensor(metaclass=TensorType):
    """A float16 tensor on the CPU.

    Args:
        data: the values in a sequence, an array or a float16 tensor; or the sizes.
        device: the CPU.

    Examples:
        >>> gpunet.HalfTensor([1, 2])
        tensor([1., 2.], dtype=gpunet.float16)
    """

    dtype, device_type = dtypes.float16, "cpu"


class BFloat16Tensor(metaclass=TensorType):
    """A bfloat16 tensor on the CPU.

    Args:
        data: the values in a sequence, an array or a bfloat16 tensor; or the sizes.
        device: the CPU.

    Examples:
        >>> gpunet.BFloat16Tensor([1, 2])
        tensor([1., 2.], dtype=gpunet.bfloat16)
    """

    dtype, device_type = dtypes.bfloat16, "cpu"


class LongTensor(metaclass=TensorType):
    """An int64 tensor on the CPU.

    Args:
        data: the values in a sequence, an array or an int64 tensor; or the sizes.
        device: the CPU.

    Examples:
        >>> gpunet.LongTensor([1, 2])
        tensor([1, 2])
    """

    dtype, device_type = dtypes.int64, "cpu"


class IntTensor(metaclass=TensorType):
    """An int32 tensor on the CPU.

    Args:
        data: the values in a sequence, an array or an int32 tensor; or the sizes.
        device: the CPU.

    Examples:
        >>> gpunet.IntTensor([1, 2])
        tensor([1, 2], dtype=gpunet.int32)
    """

    dtype, device_type = dtypes.int32, "cpu"


class ShortTensor(metaclass=TensorType):
    """An int16 tensor on the CPU.

    Args:
        data: the values in a sequence, an array or an int16 tensor; or the sizes.
        device: the CPU.

    Examples:
        >>> gpunet.ShortTensor([1, 2])
        tensor([1, 2], dtype=gpunet.int16)
    """

    dtype, device_type = dtypes.int16, "cpu"


class CharTensor(metaclass=TensorType):
    """An int8 tensor on the CPU.

    Args:
        data: the values in a sequence, an array or an int8 tensor; or the sizes.
        device: the CPU.

    Examples:
        >>> gpunet.CharTensor([1, 2])
        tensor([1, 2], dtype=gpunet.int8)
    """

    dtype, device_type = dtypes.int8, "cpu"


class ByteTensor(metaclass=TensorType):
    """A uint8 tensor on the CPU.

    Args:
        data: the values in a sequence, an array or a uint8 tensor; or the sizes.
        device: the CPU.

    Examples:
        >>> gpunet.ByteTensor([1, 2])
        tensor([1, 2], dtype=gpunet.uint8)
    """

    dtype, device_type = dtypes.uint8, "cpu"


class BoolTensor(metaclass=TensorType):
    """A bool tensor on the CPU.

    Args:
        data: the values in a sequence, an array or a bool tensor; or the sizes.
        device: the CPU.

    Examples:
        >>> gpunet.BoolTensor([True, False])
        tensor([ True, False])
    """

    dtype, device_type = dtypes.bool_, "cpu"


def set_default_tensor_type(t: Any, /) -> None:
    """Sets the default floating-point type and the default device in one. Prefer `set_default_dtype` and
    `set_default_device`.

    Args:
        t: one of these classes with a floating-point type, or its name, such as "torch.FloatTensor" or
            "torch.cuda.FloatTensor".

    Raises:
        TypeError: it is something else.
        RuntimeError: the device is unavailable.

    Examples:
        >>> gpunet.set_default_tensor_type(gpunet.DoubleTensor)
        >>> gpunet.tensor(1.0).dtype
        gpunet.float64
        >>> gpunet.set_default_tensor_type("torch.FloatTensor")
    """
    if isinstance(t, str):
        library, *place, name = t.split(".") if "." in t else ("", t)
        found, kind = dtypes.TENSOR_TYPES.get(name), place[0] if place else "cpu"
        found = found if library in ("torch", "gpunet") and kind in devices.TYPES else None
    else:
        found, kind = getattr(t, "dtype", None), getattr(t, "device_type", None)
    if kind is None or found is None or not found.is_floating_point:
        raise TypeError("set_default_tensor_type: expected a class or name of a floating-point type, such as "
                        f"gpunet.FloatTensor or 'torch.cuda.FloatTensor', got {t!r}")
    devices.set_default_device(kind)
    dtypes.set_default_dtype(found)
