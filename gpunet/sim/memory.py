"""Memory of the simulated device, as NumPy arrays.

An allocation lives until the last array that shows it is gone: NumPy keeps an array's base alive through every view.
"""

import ctypes
import math
from collections.abc import Callable
from typing import Any, Literal

import numpy as np

from gpunet.sim import toolchain

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
    library = toolchain.runtime()
    offset = array.__array_interface__["data"][0] - (library.gpunet_sim_arena_begin() or 0)
    return 0 <= offset < library.gpunet_sim_arena_size()


def address_of(array: np.ndarray) -> int:
    """Address of an array's first element."""
    return array.__array_interface__["data"][0]


def bytes_in_use() -> int:
    """Bytes of all arrays on the simulated device."""
    return toolchain.runtime().gpunet_sim_bytes_in_use()


def bytes_held() -> int:
    """Bytes of all arrays, and of what is kept for new ones."""
    return toolchain.runtime().gpunet_sim_bytes_held()


def bytes_total() -> int:
    """Size of the simulated device's memory."""
    library = toolchain.runtime()
    library.gpunet_sim_arena_begin()
    return library.gpunet_sim_arena_size()


def _start() -> Callable[[int], int | None]:
    global _allocate, _free
    library = toolchain.runtime()
    _free, allocate = library.gpunet_sim_free, library.gpunet_sim_allocate
    _allocate = allocate
    return allocate
