"""Tensors on other devices and of other types, and new tensors like one: methods of Tensor."""

from __future__ import annotations

import builtins
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, overload

from gpunet import devices, dtypes
from gpunet._channels_last import leans_last
from gpunet._layouts import in_channels_last
from gpunet._names.shown import shown
from gpunet.dispatch import is_tensor
from gpunet.dtypes import Number
from gpunet.ops import creation, host
from gpunet.ops.views import casted, copied

if TYPE_CHECKING:
    from gpunet._layouts import memory_format as MemoryFormat
    from gpunet.tensor import Tensor


@overload
def to(self: Tensor, dtype: dtypes.dtype, non_blocking: bool = False, copy: bool = False, *,
       memory_format: MemoryFormat | None = None) -> Tensor: ...
@overload
def to(self: Tensor, device: devices.device | str | int | None = None, dtype: dtypes.dtype | None = None,
       non_blocking: bool = False, copy: bool = False, *, memory_format: MemoryFormat | None = None) -> Tensor: ...
@overload
def to(self: Tensor, other: Tensor, non_blocking: bool = False, copy: bool = False, *,
       memory_format: MemoryFormat | None = None) -> Tensor: ...


def to(self: Tensor, *args: Any, device: Any = None, dtype: Any = None,  # pyright: ignore
       other: Tensor | None = None, non_blocking: bool = False, copy: bool = False,
       memory_format: MemoryFormat | None = None) -> Tensor:
    """The tensor on another device or as another type: `to(device)`, `to(dtype)`, `to(device, dtype)`, `to(other)`.

    Gradients flow through. Returns the tensor itself when nothing changes, unless copy=True.

    Args:
        *args: a device, a type, both, or a tensor; PyTorch's `non_blocking` and `copy` may follow.
        device: the device: "cpu", "cuda:0" and so on, or a GPU's number.
        dtype: the type of the elements.
        other: a tensor whose device and type are taken.
        non_blocking: accepted as in PyTorch; it changes nothing.
        copy: make a new tensor in any case.
        memory_format: that of the result. None: `gpunet.preserve_format`.

    Raises:
        RuntimeError: the memory format is one of tensors with another number of dimensions.
    """
    if other is not None:
        args = (other, *args)
    flags = 0
    for argument in args:
        if is_tensor(argument):
            device, dtype = argument._device.name, argument.dtype
        elif argument.__class__ is bool:  # non_blocking, then copy
            copy, flags = copy or flags == 1 and argument, flags + 1
        elif isinstance(argument, (str, devices.device, int)):
            device = argument
        elif argument is not None:
            dtype = argument
    result, rank = self, self._array.ndim
    last = lies = rank > 3 and leans_last(self._array)
    if memory_format is not None:
        last = in_channels_last("to", memory_format, rank, lies)
    if dtype is not None:
        wanted = dtypes.as_numpy(dtype)
        if wanted != result._array.dtype:
            result, lies = casted(result, wanted, last), last
    if device is not None and devices.get(device) is not result._device:
        result = host.transfer(result, device=device)
    return copied(result, last) if lies != last or copy and result is self else result


def cpu(self: Tensor, memory_format: MemoryFormat | None = None) -> Tensor:
    """The tensor in the host's memory."""
    return self.to("cpu", memory_format=memory_format)


def cuda(self: Tensor, device: devices.device | str | int | None = None, non_blocking: bool = False,
         memory_format: MemoryFormat | None = None) -> Tensor:
    """The tensor on a GPU: that of a name or number, by default the current one."""
    return self.to(devices.device("cuda", device) if device is None or isinstance(device, int) else device,
                   memory_format=memory_format)


@overload
def type(self: Tensor, dtype: None = None, non_blocking: bool = False) -> str: ...
@overload
def type(self: Tensor, dtype: dtypes.dtype | builtins.type | str, non_blocking: bool = False) -> Tensor: ...


def type(self: Tensor, dtype: Any = None, non_blocking: bool = False) -> Tensor | str:
    """The tensor as a type; without it the type's older name, such as "gpunet.FloatTensor" or "gpunet.cuda.LongTensor".

    Args:
        dtype: a dtype, a class such as `gpunet.LongTensor`, or its name, also with `torch.` before it.
        non_blocking: accepted as in PyTorch; it changes nothing.

    Raises:
        ValueError: there is no type of that name.
    """
    if dtype is None:
        name = next(name for name, each in dtypes.TENSOR_TYPES.items() if each is self.dtype)
        place = "" if self._device.type == "cpu" else f"{self._device.type}."
        return f"{shown.library}.{place}{name}"
    if isinstance(dtype, str):
        *place, name = dtype.split(".")[1:] or [""]
        if dtype.split(".")[0] not in ("torch", "gpunet") or name not in dtypes.TENSOR_TYPES or place not in (
                [], *([kind] for kind in devices.TYPES)):
            raise ValueError(f"invalid type: {dtype!r}; expected a name such as 'torch.FloatTensor', or "
                             "'torch.cuda.FloatTensor'")
        return self.to(place[0] if place else "cpu", dtypes.TENSOR_TYPES[name])
    if hasattr(dtype, "device_type"):  # one of those classes
        return self.to(dtype.device_type, dtype.dtype)
    return self.to(dtype)


def type_as(self: Tensor, other: Tensor) -> Tensor:
    """The tensor as the type of another one."""
    return self.to(other.dtype)


# ---- new tensors like one ------------------------------------------------------------------------------------------


def new_tensor(self: Tensor, data: Any, *, dtype: dtypes.dtype | None = None, device: Any = None,
               requires_grad: bool = False, layout: Any = None, pin_memory: bool | None = None) -> Tensor:
    """`gpunet.tensor(data)` with this tensor's type and device; numbers inside a recorded step become fills.

    Args:
        data: number, array or nested sequence of numbers.
        dtype: type of the result; this tensor's by default.
        device: where the result is; this tensor's device by default.
        requires_grad: whether gradients are collected for the result.
        layout, pin_memory: accepted for PyTorch's sake; the result is dense.

    Returns:
        A new tensor.

    Example:
        >>> gpunet.zeros(1).new_tensor([1, 2])
        tensor([1., 2.])
    """
    device, dtype = device or self._device.name, self.dtype if dtype is None else dtype
    if data.__class__ in (int, float, bool):
        made = creation.full((), data, dtype=dtype, device=device)
        return made.requires_grad_() if requires_grad else made
    return creation.tensor(data, dtype=dtype, device=device, requires_grad=requires_grad)


def new_full(self: Tensor, size: Sequence[int], fill_value: Number, *, dtype: dtypes.dtype | None = None,
             device: Any = None, requires_grad: bool = False, layout: Any = None,
             pin_memory: bool | None = None) -> Tensor:
    """`gpunet.full(size, fill_value)` with this tensor's type and device.

    Args:
        size: shape of the result.
        fill_value: number that every element gets.
        dtype: type of the result; this tensor's by default.
        device: where the result is; this tensor's device by default.
        requires_grad: whether gradients are collected for the result.
        layout, pin_memory: accepted for PyTorch's sake; the result is dense.

    Returns:
        A new tensor.

    Example:
        >>> gpunet.zeros(1).new_full((2,), 3)
        tensor([3., 3.])
    """
    return creation.full(size, fill_value, dtype=dtype or self.dtype, device=device or self._device.name,
                         requires_grad=requires_grad, layout=layout)


def new_zeros(self: Tensor, *sizes: Any, size: Any = None, dtype: dtypes.dtype | None = None, device: Any = None,
              requires_grad: bool = False, layout: Any = None, pin_memory: bool | None = None) -> Tensor:
    """`gpunet.zeros(size)` with this tensor's type and device.

    Args:
        sizes: shape of the result, as numbers or as one sequence; `size` is another way to give it.
        size: see `sizes`.
        dtype: type of the result; this tensor's by default.
        device: where the result is; this tensor's device by default.
        requires_grad: whether gradients are collected for the result.
        layout, pin_memory: accepted for PyTorch's sake; the result is dense.

    Returns:
        A new tensor.

    Example:
        >>> gpunet.ones(1).new_zeros(2)
        tensor([0., 0.])
    """
    return creation.zeros(*sizes, size=size, dtype=dtype or self.dtype, device=device or self._device.name,
                          requires_grad=requires_grad, layout=layout)


def new_ones(self: Tensor, *sizes: Any, size: Any = None, dtype: dtypes.dtype | None = None, device: Any = None,
             requires_grad: bool = False, layout: Any = None, pin_memory: bool | None = None) -> Tensor:
    """`gpunet.ones(size)` with this tensor's type and device.

    Args:
        sizes: shape of the result, as numbers or as one sequence; `size` is another way to give it.
        size: see `sizes`.
        dtype: type of the result; this tensor's by default.
        device: where the result is; this tensor's device by default.
        requires_grad: whether gradients are collected for the result.
        layout, pin_memory: accepted for PyTorch's sake; the result is dense.

    Returns:
        A new tensor.

    Example:
        >>> gpunet.zeros(1).new_ones(2)
        tensor([1., 1.])
    """
    return creation.ones(*sizes, size=size, dtype=dtype or self.dtype, device=device or self._device.name,
                         requires_grad=requires_grad, layout=layout)


def new_empty(self: Tensor, *sizes: Any, size: Any = None, dtype: dtypes.dtype | None = None, device: Any = None,
              requires_grad: bool = False, layout: Any = None, pin_memory: bool | None = None) -> Tensor:
    """`gpunet.empty(size)` with this tensor's type and device; its elements are not set.

    Args:
        sizes: shape of the result, as numbers or as one sequence; `size` is another way to give it.
        size: see `sizes`.
        dtype: type of the result; this tensor's by default.
        device: where the result is; this tensor's device by default.
        requires_grad: whether gradients are collected for the result.
        layout, pin_memory: accepted for PyTorch's sake; the result is dense.

    Returns:
        A new tensor.

    Example:
        >>> gpunet.zeros(1).new_empty(2, 3).shape
        gpunet.Size([2, 3])
    """
    return creation.empty(*sizes, size=size, dtype=dtype or self.dtype, device=device or self._device.name,
                          requires_grad=requires_grad, layout=layout)


def _converter(name: str, target: dtypes.dtype):
    def method(self: Tensor, memory_format: MemoryFormat | None = None) -> Tensor:
        return self.to(target, memory_format=memory_format)

    method.__name__, method.__qualname__ = name, f"Tensor.{name}"
    method.__doc__ = f"The tensor as {target!r}; itself if it is that already. `memory_format` is that of the result."
    return method


# Type by the name of the method that converts to it.
_TYPES = {"float": dtypes.float32, "double": dtypes.float64, "half": dtypes.float16, "bfloat16": dtypes.bfloat16,
          "bool": dtypes.bool_, "long": dtypes.int64, "int": dtypes.int32, "short": dtypes.int16, "char": dtypes.int8,
          "byte": dtypes.uint8}

METHODS = {f.__name__: f for f in (to, cpu, cuda, type, type_as, new_tensor, new_full, new_zeros, new_ones, new_empty)}
METHODS |= {name: _converter(name, target) for name, target in _TYPES.items()}
