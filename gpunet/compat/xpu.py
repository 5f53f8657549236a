"""`torch.xpu`: Intel's GPUs, for which there is no device."""

from __future__ import annotations

from gpunet.compat.absent import refuses
from gpunet.compat.mps import device_count, empty_cache, is_available, manual_seed

__all__ = ["device_count", "empty_cache", "get_device_name", "is_available", "manual_seed", "manual_seed_all",
           "memory_allocated", "set_device", "synchronize"]

manual_seed_all, memory_allocated = manual_seed, device_count
_INSTEAD = "there is no such device; the devices are cpu, cuda and sim"
synchronize, set_device, get_device_name = (
    refuses(f"xpu.{name}", _INSTEAD) for name in ("synchronize", "set_device", "get_device_name"))
