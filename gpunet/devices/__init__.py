"""The devices: `cpu` (NumPy), `cuda` (CuPy and our kernels), `sim` (the same kernels on the CPU), `meta` (no values).

A device object holds what the floors above need and nothing else: `xp` (its array module), `empty(shape, dtype)`,
`run(op, outs, arrays, attrs)`, `call(function, *args)` for work on its arrays that is no op, `to_host(array)`,
`from_host(array)`, `synchronize()`, `name`, `type`, `index`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from gpunet.devices.cpu import CpuDevice

if TYPE_CHECKING:
    from gpunet.devices.cuda import CudaDevice

__all__ = ["device", "get_default_device", "set_default_device"]

DeviceLike: TypeAlias = "device | str | int | None"  # what users may give for a device; None: the default device
AnyDevice: TypeAlias = "CpuDevice | CudaDevice"  # a device object, with which the floors above compute

TYPES = ("cpu", "cuda", "sim", "meta")


class device:
    """The name of a device. A device can be named without being there; using it needs the hardware.

    As a context manager, it is the device on which creation functions place tensors.

    Args:
        type: "cpu", "cuda" (the current GPU: the first one, if `gpunet.cuda.set_device` has not chosen another),
            "cuda:1" (the second one, and so on), "sim" (the GPU's kernels on the CPU) or "meta" (shapes and types
            without values), or another device.
        index: number of the GPU, if it is not in `type`.

    Raises:
        RuntimeError: there is no such type of device, or the index is not allowed.
        TypeError: `type` is not a name.

    Examples:
        >>> gpunet.device("cuda", 1)
        device(type='cuda', index=1)
        >>> with gpunet.device("cpu"):
        ...     gpunet.zeros(2).device
        device(type='cpu')
    """

    __slots__ = ("type", "index")

    def __init__(self, type: str | device, index: int | None = None) -> None:
        if isinstance(type, device):
            type, index = type.type, type.index if index is None else index
        if not isinstance(type, str):
            raise TypeError(f"device: expected a name such as 'cpu' or 'cuda:0', got {type!r}")
        if ":" in type:
            if index is not None:
                raise RuntimeError(f"device: {type!r} already has an index; leave out the second argument")
            type, _, number = type.partition(":")
            if not number.isdecimal():
                raise RuntimeError(f"device: the index in '{type}:{number}' is not a number")
            index = int(number)
        if type not in TYPES:
            raise RuntimeError(f"device: there is no device type {type!r}; choose one of {', '.join(TYPES)}")
        if index and type != "cuda":
            raise RuntimeError(f"device: there is only one {type} device, so its index can only be 0")
        self.type = type
        self.index = index

    def __eq__(self, other: object) -> bool:
        return isinstance(other, device) and self.type == other.type and self.index == other.index

    def __hash__(self) -> int:
        return hash((self.type, self.index))

    def __str__(self) -> str:
        return self.type if self.index is None else f"{self.type}:{self.index}"

    def __repr__(self) -> str:
        return f"device(type='{self.type}'" + ("" if self.index is None else f", index={self.index}") + ")"

    def __enter__(self) -> device:
        _defaults.append(get(self))
        return self

    def __exit__(self, *_: object) -> None:
        _defaults.pop()


cpu = CpuDevice(device("cpu"))
_open: dict[tuple[str, int], Any] = {("cpu", 0): cpu}
_defaults: list[AnyDevice] = [cpu]
_current_gpu = 0


def get(name: DeviceLike = None) -> AnyDevice:
    """The device object for a name: a `gpunet.device`, a string or the number of a GPU; None: the default device.

    Opens the device at first use. Raises RuntimeError if it is unavailable, with what to install.
    """
    if name is None:
        return _defaults[-1]
    if isinstance(name, int):
        name = device("cuda", name)
    elif not isinstance(name, device):
        name = device(name)
    key = name.type, (_current_gpu if name.type == "cuda" else 0) if name.index is None else name.index
    found = _open.get(key)
    if found is None:
        if name.type == "cuda":
            from gpunet.devices.cuda import open_cuda

            found = open_cuda(device("cuda", key[1]))
        elif name.type == "meta":
            from gpunet.devices.meta import MetaDevice

            found: Any = MetaDevice(device("meta"))  # answers what the two others answer
        else:
            from gpunet.devices.sim import open_sim

            found = open_sim(device("sim"))
        _open[key] = found
    return found


def set_current_gpu(index: int) -> int:
    """Sets the GPU for which "cuda" without a number stands. Returns the one before."""
    global _current_gpu
    before, _current_gpu = _current_gpu, index
    return before


def opened(type: str) -> list[Any]:
    """The device objects of a type that have been used in this process."""
    return [device for (kind, _), device in _open.items() if kind == type]


def set_default_device(device: DeviceLike) -> None:
    """Sets the device on which creation functions place tensors where none is given.

    Args:
        device: a device, its name, or the number of a GPU; None: the CPU, which it is at first.

    Raises:
        RuntimeError: the device is unavailable; the message says what to install.

    Examples:
        >>> gpunet.set_default_device("cpu")
    """
    _defaults[0] = cpu if device is None else get(device)


def get_default_device() -> device:
    """The device on which creation functions place tensors where none is given.

    Examples:
        >>> gpunet.get_default_device()
        device(type='cpu')
    """
    return _defaults[-1].name
