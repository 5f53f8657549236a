"""Memory of the simulated device, as NumPy arrays.

It is the C++ engine's (runtime/arena.h), which looks at it around each launch, or, where the other engine runs the
kernels, a range of this process's own (region.py), for which nothing is compiled.

An allocation lives until the last array that shows it is gone: NumPy keeps an array's base alive through every view.
"""

import ctypes
import math
import threading
from collections.abc import Callable
from typing import Any, Literal

import numpy as np

from gpunet.sim import engine, toolchain
from gpunet.sim.region import Region

# The kinds of arrays on a simulated device are all made here, so this is where device memory is known by.
DEVICE_BYTES_SHOWN = 1 << 40


class Storage(ctypes.c_char * DEVICE_BYTES_SHOWN):
    """One allocation. NumPy takes it as a buffer; its length means nothing, so that all share one ctypes type."""

    def __del__(self, _address: Callable[..., int] = ctypes.addressof) -> None:
        free = _free  # None while the interpreter shuts down, when the memory goes anyway
        if free is not None:
            free(_address(self))


_free: Callable[[int], None] | None = None
_allocate: Callable[[int], int | None] | None = None
_from_address = Storage.from_address


def allocate(size: int) -> tuple[Any, int]:
    """New device memory (a Storage) of `size` bytes, 256-byte aligned, and its address. Its content is 0xff.

    Raises MemoryError when the simulated device is full.
    """
    address = reserve(size)
    return _from_address(address), address


def reserve(size: int) -> int:
    """The address of such memory, which its user gives back by `release`."""
    address = (_allocate or _start())(size)
    if address is None:
        raise MemoryError(f"the simulated device has no room for {size} bytes: {bytes_in_use()} bytes are in use")
    return address


def release(address: int) -> None:
    """Gives back what `reserve` gave."""
    assert _free is not None
    _free(address)


def empty(shape: tuple[int, ...], dtype: np.dtype, order: Literal["C", "F"] = "C") -> tuple[np.ndarray, int]:
    """NumPy array on new device memory, and its address."""
    if dtype.hasobject:
        raise ValueError(f"Unsupported dtype {dtype}")
    storage, address = allocate(math.prod(shape) * dtype.itemsize)
    return np.ndarray(shape, dtype, storage, 0, None, order), address


def owner(array: np.ndarray) -> Any:
    """What owns an array's memory; views by stride_tricks hold an object of their own on the way to it."""
    base: Any = array.base
    while hasattr(base, "base"):
        base = base.base
    return base


def is_device(array: np.ndarray) -> bool:
    """True when the array, or what it is a view of, is device memory."""
    base = owner(array)
    return type(base) is Storage or (base is not None and _in_arena(array))


def _in_arena(array: np.ndarray) -> bool:
    memory = _memory()
    return 0 <= address_of(array) - memory.begin < memory.size


def address_of(array: np.ndarray) -> int:
    """Address of an array's first element."""
    return array.__array_interface__["data"][0]


def bytes_in_use() -> int:
    """Bytes of all arrays on the simulated device."""
    return _memory().in_use()


def bytes_held() -> int:
    """Bytes of all arrays, and of what is kept for new ones."""
    return _memory().held()


def bytes_total() -> int:
    """Size of the simulated device's memory."""
    return _memory().size


def find(address: int) -> tuple[int, int] | None:
    """Address and size of the allocation in which an address lies; None where it lies in none."""
    return _memory().find(address)


def show(library: toolchain.Runtime) -> None:
    """Tells the C++ engine, which is to run a kernel, where arrays lie that are not in its own memory."""
    memory = _memory()
    if isinstance(memory, Region):
        library.gpunet_sim_know(memory.begin, memory.size)


class _Arena:
    """The C++ engine's memory, with the methods of Region."""

    def __init__(self) -> None:
        library = toolchain.runtime()
        self.allocate: Callable[[int], int | None] = library.gpunet_sim_allocate
        self.free: Callable[[int], None] = library.gpunet_sim_free
        self.in_use: Callable[[], int] = library.gpunet_sim_bytes_in_use
        self.held: Callable[[], int] = library.gpunet_sim_bytes_held
        self.begin: int = library.gpunet_sim_arena_begin() or 0
        self.size: int = library.gpunet_sim_arena_size()
        self._find = library.gpunet_sim_find_allocation

    def find(self, address: int) -> tuple[int, int] | None:
        size = ctypes.c_size_t()
        start = self._find(address, ctypes.byref(size))
        return None if start is None else (start, size.value)


_lock = threading.Lock()
_kept: _Arena | Region | None = None


def _memory() -> _Arena | Region:
    """The one of this process, from the first array on. The process of the checker runs the C++ engine in any case."""
    global _kept
    if _kept is None:
        with _lock:
            if _kept is None:
                _kept = _Arena() if toolchain.checking() or engine.choose().name == "cxx" else Region()
    return _kept


def _start() -> Callable[[int], int | None]:
    global _allocate, _free
    memory = _memory()
    _free, _allocate = memory.free, memory.allocate
    return memory.allocate
