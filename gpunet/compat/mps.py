"""`torch.mps`: Apple's GPUs, for which there is no device."""

from __future__ import annotations

from gpunet.compat.absent import refuses
from gpunet.random import manual_seed as _manual_seed

__all__ = ["current_allocated_memory", "device_count", "driver_allocated_memory", "empty_cache", "is_available",
           "manual_seed", "seed", "synchronize"]


def is_available() -> bool:
    """Whether there is one: False."""
    return False


def device_count() -> int:
    """The number of them: 0."""
    return 0


current_allocated_memory = driver_allocated_memory = device_count


def empty_cache() -> None:
    """Does nothing."""


def manual_seed(seed: int) -> None:
    """Seeds the default generator, which serves every device."""
    _manual_seed(seed)


synchronize = refuses("mps.synchronize", "there is no such device; the devices are cpu, cuda and sim")
seed = refuses("mps.seed", "there is no such device; gpunet.seed() seeds the generator of all devices")
