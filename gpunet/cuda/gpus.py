"""The GPUs of this machine, and which of them is the current one."""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple, TypeAlias

from gpunet import devices
from gpunet.devices import cuda as driver

Which: TypeAlias = "devices.device | str | int | None"  # a GPU: its device, name or number; None: the current one


def gpu(which: Which = None) -> Any:
    """The device object of a GPU. Raises RuntimeError, with what to install, if it is unavailable."""
    if which is None or isinstance(which, int):
        which = devices.device("cuda", which)
    name = devices.device(which)
    if name.type != "cuda":
        raise ValueError(f"Expected a cuda device, but got: {name}")
    return devices.get(name)


@cache
def _count() -> int:
    try:
        return driver.import_cupy()[1]
    except RuntimeError:
        return 0


def is_available() -> bool:
    """Whether there is a GPU on which gpunet can compute: CuPy, a driver and a GPU.

    Returns:
        True if `gpunet.zeros(1, device="cuda")` works. If not, that call says what is missing.

    Examples:
        >>> device = "cuda" if gpunet.cuda.is_available() else "cpu"
        >>> gpunet.zeros(2, device=device).tolist()
        [0.0, 0.0]
    """
    return _count() > 0


def device_count() -> int:
    """The number of GPUs.

    Returns:
        0 where `is_available()` is False.

    Examples:
        >>> (gpunet.cuda.device_count() > 0) == gpunet.cuda.is_available()
        True
    """
    return _count()


def init() -> None:
    """Opens the current GPU, which the first use does too.

    Raises:
        RuntimeError: there is none; the message says what is missing.

    Examples:
        >>> if gpunet.cuda.is_available():
        ...     gpunet.cuda.init()
    """
    gpu()


def is_initialized() -> bool:
    """Whether a GPU has been opened in this process.

    Examples:
        >>> gpunet.cuda.is_initialized() <= gpunet.cuda.is_available()
        True
    """
    return bool(devices.opened("cuda"))


def current_device() -> int:
    """The number of the GPU for which `"cuda"` stands.

    Raises:
        RuntimeError: there is no GPU.

    Examples:
        >>> if gpunet.cuda.is_available():
        ...     assert gpunet.cuda.current_device() == 0
    """
    return gpu().index


def set_device(device: Which) -> None:
    """Sets the GPU for which `"cuda"` stands. Prefer a device's index, or `with gpunet.cuda.device(index)`.

    Args:
        device: the GPU; a negative number changes nothing.

    Raises:
        RuntimeError: there is no such GPU.

    Examples:
        >>> if gpunet.cuda.is_available():
        ...     gpunet.cuda.set_device(0)
    """
    if not isinstance(device, int) or device >= 0:
        devices.set_current_gpu(gpu(device).index)


class device:
    """The current GPU inside a `with` block.

    Args:
        device: the GPU; None or a negative number changes nothing.

    Examples:
        >>> if gpunet.cuda.is_available():
        ...     with gpunet.cuda.device(0):
        ...         x = gpunet.zeros(2, device="cuda")
    """

    def __init__(self, device: Any) -> None:
        self.idx = -1 if device is None or isinstance(device, int) and device < 0 else gpu(device).index
        self.prev_idx = -1

    def __enter__(self) -> None:
        if self.idx >= 0:
            self.prev_idx = devices.set_current_gpu(self.idx)

    def __exit__(self, type: Any, value: Any, traceback: Any) -> None:
        if self.idx >= 0:
            devices.set_current_gpu(self.prev_idx)


class device_of(device):
    """The GPU of a tensor as the current one inside a `with` block; a tensor elsewhere changes nothing.

    Args:
        obj: a tensor.

    Examples:
        >>> with gpunet.cuda.device_of(gpunet.zeros(2)):
        ...     x = gpunet.zeros(2)
    """

    def __init__(self, obj: Any) -> None:
        super().__init__(obj.get_device() if obj.is_cuda else -1)


def synchronize(device: Which = None) -> None:
    """Waits for all work in a GPU's queue; raises the errors that kernels have found.

    Args:
        device: the GPU.

    Raises:
        RuntimeError: there is no GPU.

    Examples:
        >>> if gpunet.cuda.is_available():
        ...     gpunet.cuda.synchronize()
    """
    gpu(device).synchronize()


class _Properties(NamedTuple):
    """What `get_device_properties` tells."""

    name: str
    major: int
    minor: int
    total_memory: int
    multi_processor_count: int
    max_threads_per_multi_processor: int
    warp_size: int
    shared_memory_per_block: int
    regs_per_multiprocessor: int
    L2_cache_size: int
    is_integrated: int


def get_device_properties(device: Which = None) -> _Properties:
    """A GPU's name, compute capability, memory and multiprocessors.

    Args:
        device: the GPU.

    Returns:
        A tuple with the fields name, major, minor, total_memory in bytes, multi_processor_count,
        max_threads_per_multi_processor, warp_size, shared_memory_per_block, regs_per_multiprocessor, L2_cache_size and
        is_integrated.

    Raises:
        RuntimeError: there is no such GPU.

    Examples:
        >>> if gpunet.cuda.is_available():
        ...     assert gpunet.cuda.get_device_properties(0).total_memory > 2**30
    """
    found = gpu(device)
    given = found.xp.cuda.runtime.getDeviceProperties(found.index)
    return _Properties(
        given["name"].decode(), given["major"], given["minor"], given["totalGlobalMem"], given["multiProcessorCount"],
        given["maxThreadsPerMultiProcessor"], given["warpSize"], given["sharedMemPerBlock"],
        given["regsPerMultiprocessor"], given["l2CacheSize"], given["integrated"])


def get_device_name(device: Which = None) -> str:
    """A GPU's name.

    Args:
        device: the GPU.

    Raises:
        RuntimeError: there is no such GPU.

    Examples:
        >>> if gpunet.cuda.is_available():
        ...     assert "NVIDIA" in gpunet.cuda.get_device_name(0)
    """
    return get_device_properties(device).name


def get_device_capability(device: Which = None) -> tuple[int, int]:
    """A GPU's compute capability, such as (9, 0).

    Args:
        device: the GPU.

    Raises:
        RuntimeError: there is no such GPU.

    Examples:
        >>> if gpunet.cuda.is_available():
        ...     assert gpunet.cuda.get_device_capability() >= (7, 5)
    """
    properties = get_device_properties(device)
    return properties.major, properties.minor


def get_arch_list() -> list[str]:
    """The architectures for which kernels are compiled: those of the GPUs that are there, at first use.

    Examples:
        >>> gpunet.cuda.get_arch_list() == [] or gpunet.cuda.is_available()
        True
    """
    return sorted({"sm_{}{}".format(*get_device_capability(index)) for index in range(_count())})


def is_bf16_supported(including_emulation: bool = True) -> bool:
    """Whether the current GPU computes with bfloat16.

    Args:
        including_emulation: count GPUs before compute capability 8.0, which compute it in float32.

    Returns:
        False without a GPU.

    Examples:
        >>> gpunet.cuda.is_bf16_supported(including_emulation=False) <= gpunet.cuda.is_available()
        True
    """
    return is_available() and (including_emulation or get_device_capability() >= (8, 0))


def is_tf32_supported() -> bool:
    """Whether the current GPU's tensor cores take TF32: from compute capability 8.0 on.

    Returns:
        False without a GPU.

    Examples:
        >>> gpunet.cuda.is_tf32_supported() <= gpunet.cuda.is_available()
        True
    """
    return is_available() and get_device_capability() >= (8, 0)


def can_device_access_peer(device: Which, peer_device: Which) -> bool:
    """Whether a GPU can read another one's memory.

    Args:
        device: the GPU that reads.
        peer_device: the other GPU.

    Raises:
        RuntimeError: there is no such GPU.

    Examples:
        >>> if gpunet.cuda.device_count() > 1:
        ...     assert gpunet.cuda.can_device_access_peer(0, 1) in (True, False)
    """
    one = gpu(device)
    return bool(one.xp.cuda.runtime.deviceCanAccessPeer(one.index, gpu(peer_device).index))
