"""Memory of the simulated device for the engine that runs PTX, which needs no C++ compiler: see memory.py."""

import ctypes
import functools
import mmap
import os
import threading

_MAP_NORESERVE = 0x4000  # address space only: the system gives memory for what is touched
_ALIGNED, _GAP = 256, 128
_KEEP_FREE, _GIVE_BACK = 1 << 28, 1 << 20
_LEAST = 1 << 28


class Region:
    """One reserved range of addresses in which arrays lie.

    What the C++ engine's memory does (runtime/arena.h), but for what checks its launches: each array has a gap before
    and behind it, which takes small writes outside of it, and array and gaps start as 0xff, NaN in every
    floating-point type.

    Any thread may allocate, and an array may go, by the collector, at any place of it: but for one step, all are single
    operations of dictionaries and lists.

    Args:
        most: bytes of addresses; fewer where the system allows no more.

    Attributes:
        begin: the first address.
        size: bytes from there on.
    """

    def __init__(self, most: int = 1 << 34) -> None:
        self.size = most
        while True:
            try:
                self._memory = mmap.mmap(-1, self.size, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | _MAP_NORESERVE)
                break
            except OSError:  # a limit on address space may be set
                self.size //= 2
                if self.size < _LEAST:
                    raise MemoryError("the simulated device has no room: the system gives no addresses") from None
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._memory))  # for good: arrays may outlive this object
        self.begin = ctypes.addressof(ctypes.c_char.from_buffer(self._memory))
        self._used = 0
        self._live: dict[int, int] = {}  # bytes of arrays, by their addresses
        self._free: dict[int, list[int]] = {}  # where slots begin, by their sizes
        self._unlocked()
        os.register_at_fork(after_in_child=self._unlocked)

    def _unlocked(self) -> None:
        self._lock = threading.Lock()

    def allocate(self, size: int) -> int | None:
        """The address of so many bytes; None where there is no room."""
        slot = _slot_size(size)
        try:
            start = self._free[slot].pop()
        except (KeyError, IndexError):
            with self._lock:
                if slot > self.size - self._used:
                    return None
                start = self.begin + self._used
                self._used += slot
        address = start + _ALIGNED
        ctypes.memset(address - _GAP, 0xFF, size + 2 * _GAP)
        self._live[address] = size
        return address

    def free(self, address: int) -> None:
        """Gives back what `allocate` gave; other addresses are left alone."""
        size = self._live.pop(address, None)
        if size is None:
            return
        slot, start = _slot_size(size), address - _ALIGNED
        self._free.setdefault(slot, []).append(start)
        # Keep what a training step frees and takes again, give back what is left of something larger.
        if slot >= _GIVE_BACK and self._free_bytes() > _KEEP_FREE:
            first, end = (place - self.begin for place in (start + mmap.PAGESIZE - 1, start + slot))
            first, end = (place // mmap.PAGESIZE * mmap.PAGESIZE for place in (first, end))  # whole pages of it
            self._memory.madvise(mmap.MADV_DONTNEED, first, end - first)

    def find(self, address: int) -> tuple[int, int] | None:
        """Address and size of the array in which an address lies."""
        start = max((each for each in list(self._live) if each <= address), default=None)
        size = None if start is None else self._live.get(start)
        return (start, size) if start is not None and size is not None and address < start + max(size, 1) else None

    def in_use(self) -> int:
        """Bytes of all arrays."""
        return sum(list(self._live.values()))

    def held(self) -> int:
        """Bytes of all arrays, and of what is kept for new ones."""
        return self.in_use() + self._free_bytes()

    def _free_bytes(self) -> int:
        return sum([slot * len(starts) for slot, starts in list(self._free.items())])


@functools.lru_cache(4096)
def _slot_size(size: int) -> int:
    """Slots come in four sizes to a doubling, so that a freed one serves again for nearly the same size."""
    need = size + _ALIGNED + _GAP
    step = max(_ALIGNED, 1 << max((need - 1).bit_length() - 3, 0))
    return -(-need // step) * step
