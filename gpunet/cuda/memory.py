"""A GPU's memory: how much tensors use, how much is held for them, and the largest use so far.

CuPy's pool holds the memory. What a recording of `gpunet.compile` keeps for its own temporaries lies in a pool of its
own and is not counted.
"""

from __future__ import annotations

from typing import Any

from gpunet import devices
from gpunet.cuda.gpus import Which, gpu

# PyTorch's name for the error of a full memory. CuPy's is a MemoryError; so is the host's.
OutOfMemoryError = MemoryError


class _Peak:
    """The largest use of one GPU's memory. CuPy's pool does not keep it: a hook counts from the first question on."""

    def __init__(self, device: Any) -> None:
        self.index, self.used = device.index, _pool(device, "used_bytes")
        self.peak = _pool(device, "total_bytes")  # the pool holds at least what was in use at once
        peak = self

        class Hook(device.xp.cuda.MemoryHook):
            name = f"gpunet.cuda.memory of {device}"

            def malloc_postprocess(self, **call: Any) -> None:
                if call["device_id"] == peak.index:
                    peak.used += call["mem_size"]
                    peak.peak = max(peak.peak, peak.used)

            def free_postprocess(self, **call: Any) -> None:
                if call["device_id"] == peak.index:
                    peak.used -= call["mem_size"]

        self.hook = Hook()
        self.hook.__enter__()

    def counted(self, device: Any) -> int:
        """The largest use, after what other threads have taken and freed."""
        self.used = _pool(device, "used_bytes")
        self.peak = max(self.peak, self.used)
        return self.peak


_peaks: dict[int, _Peak] = {}


def _pool(device: Any, question: str) -> int:
    return device.call(lambda: getattr(device.xp.get_default_memory_pool(), question)())


def _peak(device: Any) -> _Peak:
    if device.index not in _peaks:
        _peaks[device.index] = _Peak(device)
    return _peaks[device.index]


def _asked(which: Which) -> Any:
    """The GPU that is asked about; None if no GPU is in use, and so no memory."""
    return gpu(which) if which is not None or devices.opened("cuda") else None


def memory_allocated(device: Which = None) -> int:
    """The bytes of a GPU's memory that tensors use, rounded up to blocks of 512 bytes each.

    Args:
        device: the GPU.

    Returns:
        0 while no GPU is in use.

    Raises:
        RuntimeError: there is no such GPU.

    Examples:
        >>> gpunet.cuda.memory_allocated() >= 0
        True
    """
    found = _asked(device)
    return 0 if found is None else _pool(found, "used_bytes")


def memory_reserved(device: Which = None) -> int:
    """The bytes of a GPU's memory that are held: those in use, and those kept for later use.

    Args:
        device: the GPU.

    Returns:
        0 while no GPU is in use.

    Raises:
        RuntimeError: there is no such GPU.

    Examples:
        >>> gpunet.cuda.memory_reserved() >= gpunet.cuda.memory_allocated()
        True
    """
    found = _asked(device)
    return 0 if found is None else _pool(found, "total_bytes")


def max_memory_allocated(device: Which = None) -> int:
    """The most bytes that tensors have used at once, since `reset_peak_memory_stats`.

    Counting begins with the first call of one of the two functions: a first call of this one gives what was held, which
    is at least what was used. Allocations of other threads are seen when a function of this module is called.

    Args:
        device: the GPU.

    Returns:
        0 while no GPU is in use.

    Raises:
        RuntimeError: there is no such GPU.

    Examples:
        >>> gpunet.cuda.max_memory_allocated() >= gpunet.cuda.memory_allocated()
        True
    """
    found = _asked(device)
    return 0 if found is None else _peak(found).counted(found)


def max_memory_reserved(device: Which = None) -> int:
    """The most bytes that have been held at once. They are held until `empty_cache`, so it is what is held now.

    Args:
        device: the GPU.

    Returns:
        0 while no GPU is in use.

    Raises:
        RuntimeError: there is no such GPU.

    Examples:
        >>> gpunet.cuda.max_memory_reserved() >= gpunet.cuda.memory_reserved()
        True
    """
    return memory_reserved(device)


def reset_peak_memory_stats(device: Which = None) -> None:
    """Has `max_memory_allocated` count from now on. Without a GPU in use it does nothing.

    Args:
        device: the GPU.

    Raises:
        RuntimeError: there is no such GPU.

    Examples:
        >>> if gpunet.cuda.is_available():
        ...     gpunet.cuda.reset_peak_memory_stats()
    """
    found = _asked(device)
    if found is not None:
        peak = _peak(found)
        peak.peak = peak.used = _pool(found, "used_bytes")


def reset_max_memory_allocated(device: Which = None) -> None:
    """The older name of `reset_peak_memory_stats`.

    Args:
        device: the GPU.

    Raises:
        RuntimeError: there is no such GPU.

    Examples:
        >>> if gpunet.cuda.is_available():
        ...     gpunet.cuda.reset_max_memory_allocated()
    """
    reset_peak_memory_stats(device)


def empty_cache() -> None:
    """Gives the memory that is held for later use back to the GPU. Without a GPU in use it does nothing.

    Examples:
        >>> gpunet.cuda.empty_cache()
    """
    found = _asked(None)
    if found is not None:
        found.call(found.xp.get_default_memory_pool().free_all_blocks)


def ipc_collect() -> None:
    """Does nothing: processes do not share a GPU's memory.

    Examples:
        >>> if gpunet.cuda.is_available():
        ...     gpunet.cuda.ipc_collect()
    """


def mem_get_info(device: Which = None) -> tuple[int, int]:
    """The free and the total bytes of a GPU's memory, of all programs together.

    Args:
        device: the GPU.

    Raises:
        RuntimeError: there is no such GPU.

    Examples:
        >>> if gpunet.cuda.is_available():
        ...     free, total = gpunet.cuda.mem_get_info()
    """
    found = gpu(device)
    free, total = found.call(found.xp.cuda.runtime.memGetInfo)
    return free, total


def memory_stats(device: Which = None) -> dict[str, Any]:
    """The figures of this module under PyTorch's keys.

    Args:
        device: the GPU.

    Returns:
        Bytes by name: "allocated_bytes.all.current" and ".peak", "reserved_bytes.all.current" and ".peak"; {} while no
        GPU is in use.

    Raises:
        RuntimeError: there is no such GPU.

    Examples:
        >>> gpunet.cuda.memory_stats().get("allocated_bytes.all.current", 0) >= 0
        True
    """
    if _asked(device) is None:
        return {}
    return {"allocated_bytes.all.current": memory_allocated(device),
            "allocated_bytes.all.peak": max_memory_allocated(device),
            "reserved_bytes.all.current": memory_reserved(device),
            "reserved_bytes.all.peak": max_memory_reserved(device)}


def memory_summary(device: Which = None, abbreviated: bool = False) -> str:
    """The figures of this module as text.

    Args:
        device: the GPU.
        abbreviated: accepted as in PyTorch, without effect.

    Raises:
        RuntimeError: there is no such GPU.

    Examples:
        >>> if gpunet.cuda.is_available():
        ...     print(gpunet.cuda.memory_summary())
    """
    stats = memory_stats(device) or {"no GPU is in use": 0}
    return "\n".join(f"{name:28} {value / 2**20:12.1f} MiB" for name, value in stats.items())
