"""Copies of tensors: by copy.copy, copy.deepcopy and pickle."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from gpunet import devices
from gpunet._channels_last import as_rows, from_rows, lies_last
from gpunet._warn import warn
from gpunet.dispatch import host_read
from gpunet.engine.tensors import address, wrap_as

# Attributes that belong to the backward pass and stay behind.
_LEFT_BEHIND = frozenset({"_hooks", "_post_hooks", "is_unit", "retains_grad"})


def attributes(tensor: Any) -> dict[str, Any]:
    """What was set on a tensor or by its class, as a copy takes it over."""
    return {name: value for name, value in tensor.__dict__.items() if name not in _LEFT_BEHIND}


def shallow(tensor: Any) -> Any:
    """copy.copy: another tensor with the same memory."""
    return _made(type(tensor), tensor._array, tensor._device, tensor._requires_grad, attributes(tensor))


def deep(tensor: Any, memo: dict[Any, Any]) -> Any:
    """copy.deepcopy: tensors that share memory share that of their copies. A Parameter's copy has memory of its own
    and no gradient yet, as in PyTorch."""
    if id(tensor) in memo:
        return memo[id(tensor)]
    if tensor._node is not None:
        raise RuntimeError("deepcopy: only leaf tensors can be copied deeply; use clone() or detach()")
    shares = type(tensor)._propagates
    array = _copied(tensor, memo) if shares else tensor.detach().clone()._array
    copy = memo[id(tensor)] = _made(type(tensor), array, tensor._device, tensor._requires_grad,
                                    deepcopy(attributes(tensor), memo))
    copy.grad = deepcopy(tensor.grad, memo) if shares else None
    return copy


def _copied(tensor: Any, memo: dict[Any, Any]) -> Any:
    """The array's place in a copy of the whole memory that it lies in."""
    array, device = tensor._array, tensor._device
    root = array
    while type(root.base) is type(array):
        root = root.base
    flags = root.flags
    order = "C" if flags.c_contiguous else "F" if flags.f_contiguous else "last" if lies_last(root) else None
    if order is None or not array.size:
        return _duplicate(array, "last" if lies_last(array) else "C", device)
    memories = memo.setdefault("gpunet memories", {})
    key = device, address(root)
    if key not in memories:
        memories[key] = root, _duplicate(root, order, device)  # the root stays alive: its address is its own
    whole = memories[key][1]
    if root is array:
        return whole

    def place() -> Any:
        flat = (whole if order == "C" else whole.T if order == "F" else as_rows(whole)).reshape(-1).view(array.dtype)
        first = (address(array) - address(root)) // array.dtype.itemsize
        return device.xp.lib.stride_tricks.as_strided(flat[first:], array.shape, array.strides)

    return device.call(place)


def _duplicate(array: Any, order: str, device: Any) -> Any:
    if order == "last":
        return from_rows(_duplicate(as_rows(array), "C", device))
    if device.type != "meta":
        return device.call(lambda: array.copy(order))
    return device.empty(array.shape, array.dtype) if order == "C" else device.empty(array.T.shape, array.dtype).T


def reduced(tensor: Any) -> tuple[Any, ...]:
    """pickle: the values, type, device and attributes, without the gradient."""
    if tensor._hooks and type(tensor)._propagates:
        warn("pickling a tensor leaves its hooks out")
    if tensor.is_meta:
        return rebuilt_shape, (type(tensor), tensor._array.shape, tensor._array.dtype, str(tensor._device.name),
                               tensor._requires_grad, attributes(tensor))
    values = host_read(tensor, "pickling")
    if lies_last(values):  # NumPy pickles arrays in row-major order
        return rebuilt_last, (type(tensor), as_rows(values), str(tensor._device.name), tensor._requires_grad,
                              attributes(tensor))
    return rebuilt, (type(tensor), values, str(tensor._device.name), tensor._requires_grad, attributes(tensor))


def rebuilt(cls: type, values: Any, device: str, requires_grad: bool, state: dict[str, Any]) -> Any:
    """The tensor that was pickled."""
    found = devices.get(device)
    return _made(cls, found.from_host(values.copy("K")), found, requires_grad, state)


def rebuilt_last(cls: type, rows: Any, device: str, requires_grad: bool, state: dict[str, Any]) -> Any:
    """The tensor in channels last that was pickled."""
    found = devices.get(device)
    return _made(cls, found.from_host(from_rows(rows.copy())), found, requires_grad, state)


def rebuilt_shape(cls: type, shape: Any, dtype: Any, device: str, requires_grad: bool, state: dict[str, Any]) -> Any:
    """The tensor without values that was pickled."""
    found = devices.get(device)
    return _made(cls, found.empty(shape, dtype), found, requires_grad, state)


def _made(cls: type, array: Any, device: Any, requires_grad: bool, state: dict[str, Any]) -> Any:
    tensor = wrap_as(cls, array, device)
    tensor._requires_grad = requires_grad
    tensor.__dict__.update(state)
    return tensor
