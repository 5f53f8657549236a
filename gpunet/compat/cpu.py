"""`torch.cpu`: the CPU by the names that GPUs have."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

from gpunet import amp
from gpunet.dtypes import bfloat16
from gpunet.dtypes import dtype as DType

__all__ = ["StreamContext", "autocast", "current_device", "current_stream", "device_count", "is_available",
           "set_device", "stream", "synchronize"]


class autocast(amp.autocast):
    """`gpunet.autocast("cpu")`."""

    def __init__(self, enabled: bool = True, dtype: DType = bfloat16, cache_enabled: bool = True) -> None:
        super().__init__("cpu", dtype, enabled, cache_enabled)


def GradScaler(*args: Any, **kwargs: Any) -> amp.GradScaler:
    """`gpunet.amp.GradScaler("cpu")`."""
    return amp.GradScaler("cpu", *args, **kwargs)


def is_available() -> bool:
    """Whether there is a CPU: True."""
    return True


def device_count() -> int:
    """The number of devices: 1."""
    return 1


def current_device() -> str:
    """The name of the device."""
    return "cpu"


def synchronize(device: Any = None) -> None:
    """Returns at once: there is no queue of work."""


set_device = synchronize
StreamContext = nullcontext


def stream(stream: Any) -> Any:
    """A context manager that changes nothing."""
    return nullcontext()


def current_stream(device: Any = None) -> None:
    """None: there are no queues of work."""
