"""Tensors that share memory with other libraries' arrays, by the DLPack protocol. Loaded when it is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from gpunet import devices, dtypes
from gpunet.dispatch import wrap

if TYPE_CHECKING:
    from gpunet.tensor import Tensor

__all__ = ["from_dlpack", "to_dlpack"]

_CPU, _CUDA, _PINNED = 1, 2, 3  # DLPack's numbers of devices


class _Given:
    """An object of the protocol around a capsule of its older form."""

    def __init__(self, capsule: Any) -> None:
        self._capsule = capsule

    def __dlpack__(self, **_: Any) -> Any:
        return self._capsule

    def __dlpack_device__(self) -> tuple[int, int]:
        return _CPU, 0


def from_dlpack(ext_tensor: Any, *, device: Any = None, copy: bool | None = None) -> Tensor:
    """A tensor that shares memory with an array or tensor of another library, on the CPU or a GPU.

    Args:
        ext_tensor: an object with `__dlpack__` and `__dlpack_device__`, such as an array of NumPy, CuPy, JAX or
            PyTorch; or a capsule of `to_dlpack`, whose memory is on the CPU.
        device: where the tensor is to be; elsewhere than ext_tensor, it is a copy.
        copy: True: a copy; False: an error where one would be needed; None: one where it is needed.

    Returns:
        Tensor of the same shape and type, which sees changes of ext_tensor.

    Raises:
        BufferError: the array cannot be shared, or its type is one that gpunet does not have.
        TypeError: ext_tensor does not follow the protocol.
        ValueError: copy=False, and the tensor is to be on another device.

    Examples:
        >>> import numpy as np
        >>> array = np.zeros(2, np.float32)
        >>> x = gpunet.from_dlpack(array)
        >>> array[0] = 5
        >>> x
        tensor([5., 0.])
    """
    if type(ext_tensor).__name__ == "PyCapsule":
        ext_tensor = _Given(ext_tensor)
    if not hasattr(ext_tensor, "__dlpack__") or not hasattr(ext_tensor, "__dlpack_device__"):
        raise TypeError(f"from_dlpack: expected an object with __dlpack__ and __dlpack_device__, got "
                        f"{type(ext_tensor).__name__}")
    kind, index = map(int, ext_tensor.__dlpack_device__())
    if kind not in (_CPU, _CUDA, _PINNED):
        raise BufferError(f"from_dlpack: memory of DLPack's device type {kind} cannot be shared; copy it to the CPU "
                          "first")
    place: Any = devices.get(devices.device("cuda", index) if kind == _CUDA else "cpu")
    try:
        array = place.call(place.xp.from_dlpack, ext_tensor)
        dtypes.public(array.dtype)
    except (KeyError, TypeError, ValueError, RuntimeError):
        raise BufferError(f"from_dlpack: the type {getattr(ext_tensor, 'dtype', 'of the elements')} is not one that "
                          "NumPy and gpunet share; convert it first") from None
    tensor = wrap(array, place)
    moves = device is not None and devices.get(device) is not place
    if moves and copy is False:
        raise ValueError(f"from_dlpack: the memory is on {place.name}, so that a tensor on {device} is a copy; leave "
                         "out copy=False")
    return tensor.to(device, copy=bool(copy)) if moves else tensor.clone() if copy else tensor


def to_dlpack(tensor: Tensor) -> Any:
    """A tensor's memory as a capsule of the DLPack protocol, which another library may take over once.

    Args:
        tensor: tensor on the CPU or a GPU that requires no gradients.

    Returns:
        A capsule.

    Raises:
        BufferError: the tensor requires gradients, or cannot be shared.

    Examples:
        >>> capsule = gpunet.utils.dlpack.to_dlpack(gpunet.ones(2))
        >>> gpunet.from_dlpack(capsule)
        tensor([1., 1.])
    """
    return tensor.__dlpack__()


def capsule_of(tensor: Tensor, options: dict[str, Any]) -> Any:
    """`Tensor.__dlpack__`.

    Args:
        tensor: the tensor.
        options: the protocol's stream, max_version, dl_device and copy, as far as they were given.
    """
    if tensor._requires_grad:
        raise BufferError("Can't export tensors that require gradient, use tensor.detach()")
    device_of(tensor)  # or there is no memory that others could use
    if tensor._array.dtype.kind == "V" or not (tensor._device.type == "cuda" or isinstance(tensor._array, np.ndarray)):
        raise BufferError(f"__dlpack__: NumPy cannot export {tensor.dtype}; convert it with .float()")
    return tensor._device.call(lambda: tensor._array.__dlpack__(**options))


def device_of(tensor: Tensor) -> tuple[int, int]:
    """`Tensor.__dlpack_device__`: DLPack's number of the kind of device, and the device's index.

    Args:
        tensor: the tensor.
    """
    if tensor._device.type not in ("cpu", "cuda"):
        raise BufferError(f"__dlpack__: memory of the device {tensor.device} is not shared with other libraries; use "
                          ".cpu()")
    return (_CPU, 0) if tensor._device.type == "cpu" else (_CUDA, tensor._device.index)
