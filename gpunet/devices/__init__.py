"""The devices: `cpu` (NumPy), `cuda` (CuPy and our kernels) and `sim` (the same kernels on the CPU).

A device object holds what the floors above need and nothing else: `xp` (its array module), `empty(shape, dtype)`,
`run(op, outs, arrays, attrs)`, `call(function, *args)` for work on its arrays that is no op, `to_host(array)`,
`from_host(array)`, `synchronize()`, `name`, `type`, `index`.
"""

from __future__ import annotations

from gpunet.devices.cpu import CpuDevice

TYPES = ("cpu", "cuda", "sim")


class device:
    """Names a device: `gpunet.device("cpu")`, `("cuda")`, `("cuda:1")`, `("cuda", 1)` or `("sim")`.

    Naming a device needs no hardware; using it does. As in PyTorch, "cuda" means the current GPU, which is cuda:0.
    As a context manager, `with gpunet.device("sim"):` makes it the default of creation functions.
    """

    __slots__ = ("type", "index")

    def __init__(self, type, index: int | None = None):
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

    def __eq__(self, other):
        return isinstance(other, device) and self.type == other.type and self.index == other.index

    def __hash__(self):
        return hash((self.type, self.index))

    def __str__(self):
        return self.type if self.index is None else f"{self.type}:{self.index}"

    def __repr__(self):
        return f"device(type='{self.type}'" + ("" if self.index is None else f", index={self.index}") + ")"

    def __enter__(self):
        _defaults.append(get(self))
        return self

    def __exit__(self, *_):
        _defaults.pop()


cpu = CpuDevice(device("cpu"))
_open: dict[tuple, object] = {("cpu", 0): cpu}
_defaults = [cpu]


def get(name=None):
    """The device object for a name (a `gpunet.device`, a string, a GPU's index; None: the default device).

    Opens the device at first use. Raises RuntimeError, saying what to install, where it cannot be had.
    """
    if name is None:
        return _defaults[-1]
    if isinstance(name, int):
        name = device("cuda", name)
    elif not isinstance(name, device):
        name = device(name)
    key = name.type, name.index or 0
    found = _open.get(key)
    if found is None:
        if name.type == "cuda":
            from gpunet.devices.cuda import open_cuda

            found = open_cuda(device("cuda", key[1]))
        else:
            from gpunet.devices.sim import open_sim

            found = open_sim(device("sim"))
        _open[key] = found
    return found


def set_default_device(name) -> None:
    """Sets the device on which creation functions place tensors when none is given."""
    _defaults[0] = get(name)


def get_default_device() -> device:
    """The device on which creation functions place tensors when none is given."""
    return _defaults[-1].name
