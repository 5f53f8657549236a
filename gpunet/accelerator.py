"""The GPU, whichever it is, by PyTorch's general names: here an NVIDIA GPU or none."""

from __future__ import annotations

from typing import Any

from gpunet import cuda
from gpunet.cuda.gpus import Which
from gpunet.devices import device

__all__ = ["current_accelerator", "current_device_index", "current_stream", "device_count",
           "device_index", "empty_cache", "get_memory_info", "is_available", "max_memory_allocated",
           "max_memory_reserved", "memory_allocated", "memory_reserved", "memory_stats", "reset_peak_memory_stats",
           "set_device_index", "set_stream", "synchronize"]


def is_available() -> bool:
    """Whether there is a GPU on which gpunet can compute.

    Examples:
        >>> gpunet.accelerator.is_available() == gpunet.cuda.is_available()
        True
    """
    return cuda.is_available()


def current_accelerator(check_available: bool = False) -> device | None:
    """The type of device that computes fastest here.

    Args:
        check_available: accepted as in PyTorch; a GPU that is not there is never named.

    Returns:
        `device("cuda")`; None without a GPU.

    Examples:
        >>> found = gpunet.accelerator.current_accelerator()
        >>> (found is not None) == gpunet.cuda.is_available()
        True
    """
    return device("cuda") if cuda.is_available() else None


def device_count() -> int:
    """The number of GPUs.

    Examples:
        >>> gpunet.accelerator.device_count() == gpunet.cuda.device_count()
        True
    """
    return cuda.device_count()


def current_device_index() -> int:
    """The number of the GPU for which `"cuda"` stands.

    Raises:
        RuntimeError: there is no GPU.

    Examples:
        >>> if gpunet.accelerator.is_available():
        ...     index = gpunet.accelerator.current_device_index()
    """
    return cuda.current_device()


def set_device_index(device: Which, /) -> None:
    """Sets the GPU for which `"cuda"` stands.

    Args:
        device: the GPU; a negative number changes nothing.

    Raises:
        RuntimeError: there is no such GPU.

    Examples:
        >>> if gpunet.accelerator.is_available():
        ...     gpunet.accelerator.set_device_index(0)
    """
    cuda.set_device(device)


def synchronize(device: Which = None, /) -> None:
    """Waits for all work in a GPU's queue.

    Args:
        device: the GPU.

    Raises:
        RuntimeError: there is no GPU.

    Examples:
        >>> if gpunet.accelerator.is_available():
        ...     gpunet.accelerator.synchronize()
    """
    cuda.synchronize(device)


def current_stream(device: Which = None, /) -> cuda.Stream:
    """The queue into which this thread's work goes.

    Args:
        device: the GPU.

    Raises:
        RuntimeError: there is no GPU.

    Examples:
        >>> if gpunet.accelerator.is_available():
        ...     stream = gpunet.accelerator.current_stream()
    """
    return cuda.current_stream(device)


def set_stream(stream: cuda.Stream) -> None:
    """Sends this thread's work into a queue from now on.

    Args:
        stream: the queue.

    Examples:
        >>> if gpunet.accelerator.is_available():
        ...     gpunet.accelerator.set_stream(gpunet.accelerator.current_stream())
    """
    cuda.set_stream(stream)


class device_index(cuda.device):
    """The current GPU inside a `with` block.

    Args:
        device: the GPU's number; None changes nothing.

    Examples:
        >>> with gpunet.accelerator.device_index(None):
        ...     x = gpunet.zeros(2)
    """

    def __init__(self, device: int | None, /) -> None:
        super().__init__(device)


current_device_idx, set_device_idx = current_device_index, set_device_index  # their older names


def memory_allocated(device_index: Which = None, /) -> int:
    """The bytes of a GPU's memory that tensors use; 0 while no GPU is in use.

    Args:
        device_index: the GPU.

    Raises:
        RuntimeError: there is no such GPU.

    Examples:
        >>> if gpunet.accelerator.is_available():
        ...     found = gpunet.accelerator.memory_allocated()
    """
    return cuda.memory_allocated(device_index)


def max_memory_allocated(device_index: Which = None, /) -> int:
    """The most bytes that tensors have used at once: see `gpunet.cuda.max_memory_allocated`.

    Args:
        device_index: the GPU.

    Raises:
        RuntimeError: there is no such GPU.

    Examples:
        >>> if gpunet.accelerator.is_available():
        ...     found = gpunet.accelerator.max_memory_allocated()
    """
    return cuda.max_memory_allocated(device_index)


def memory_reserved(device_index: Which = None, /) -> int:
    """The bytes of a GPU's memory that are held: those in use, and those kept for later use.

    Args:
        device_index: the GPU.

    Raises:
        RuntimeError: there is no such GPU.

    Examples:
        >>> if gpunet.accelerator.is_available():
        ...     found = gpunet.accelerator.memory_reserved()
    """
    return cuda.memory_reserved(device_index)


def max_memory_reserved(device_index: Which = None, /) -> int:
    """The most bytes of a GPU's memory that have been held at once.

    Args:
        device_index: the GPU.

    Raises:
        RuntimeError: there is no such GPU.

    Examples:
        >>> if gpunet.accelerator.is_available():
        ...     found = gpunet.accelerator.max_memory_reserved()
    """
    return cuda.max_memory_reserved(device_index)


def memory_stats(device_index: Which = None, /) -> dict[str, Any]:
    """The figures of a GPU's memory by name; {} while no GPU is in use.

    Args:
        device_index: the GPU.

    Raises:
        RuntimeError: there is no such GPU.

    Examples:
        >>> if gpunet.accelerator.is_available():
        ...     gpunet.accelerator.memory_stats()
    """
    return cuda.memory_stats(device_index)


def reset_peak_memory_stats(device_index: Which = None, /) -> None:
    """Has `max_memory_allocated` count from now on. Without a GPU in use it does nothing.

    Args:
        device_index: the GPU.

    Raises:
        RuntimeError: there is no such GPU.

    Examples:
        >>> if gpunet.accelerator.is_available():
        ...     gpunet.accelerator.reset_peak_memory_stats()
    """
    cuda.reset_peak_memory_stats(device_index)


def get_memory_info(device_index: Which = None, /) -> tuple[int, int]:
    """The free and the total bytes of a GPU's memory, of all programs together.

    Args:
        device_index: the GPU.

    Raises:
        RuntimeError: there is no such GPU.

    Examples:
        >>> if gpunet.accelerator.is_available():
        ...     gpunet.accelerator.get_memory_info()
    """
    return cuda.mem_get_info(device_index)


empty_cache = cuda.empty_cache
