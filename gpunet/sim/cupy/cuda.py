"""The part of cupy.cuda that a program needs which launches kernels. There is one device, and all work is done when
a call returns, so streams and events have nothing to wait for."""

from __future__ import annotations

import contextlib
import ctypes
import os
import time
import types
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

from gpunet.sim import engine as _engine
from gpunet.sim import memory as _memory


# ---- memory -----------------------------------------------------------------------------------------------------
class BaseMemory:
    """An allocation on the device."""

    def __init__(self, storage: Any, address: int, size: int) -> None:
        self._storage = storage
        self.ptr = address
        self.size = size
        self.device_id = 0

    @property
    def device(self) -> Device:
        return Device(0)


class MemoryPointer:
    """A place in an allocation, which it keeps alive. Adding a number of bytes gives another."""

    def __init__(self, mem: BaseMemory, offset: int) -> None:
        self.mem = mem
        self._offset = offset
        self.ptr = mem.ptr + offset

    @property
    def device(self) -> Device:
        return Device(0)

    device_id = 0

    def __int__(self) -> int:
        return self.ptr

    def __add__(self, bytes_further: int) -> MemoryPointer:
        return MemoryPointer(self.mem, self._offset + bytes_further)

    __radd__ = __add__

    def __sub__(self, bytes_before: int) -> MemoryPointer:
        return self + -bytes_before

    def copy_from_host(self, mem: Any, size: int) -> None:
        ctypes.memmove(self.ptr, mem, size)

    def copy_to_host(self, mem: Any, size: int) -> None:
        ctypes.memmove(mem, self.ptr, size)

    def copy_from_device(self, src: MemoryPointer, size: int) -> None:
        ctypes.memmove(self.ptr, src.ptr, size)

    def memset(self, value: int, size: int) -> None:
        ctypes.memset(self.ptr, value, size)


def pointer_to(array: Any) -> MemoryPointer:
    """Where an array's first element is. (In CuPy: `array.data`.)"""
    base = _memory.owner(array._host)
    start = ctypes.addressof(base)
    return MemoryPointer(BaseMemory(base, start, array.nbytes), array._address - start)


def alloc(size: int) -> MemoryPointer:
    storage, address = _memory.allocate(size)
    return MemoryPointer(BaseMemory(storage, address, size), 0)


class MemoryPool:
    """Device memory. The simulator keeps freed memory by itself, so that every pool shows the same."""

    def __init__(self, allocator: Any = None) -> None:
        self._limit = 0

    def malloc(self, size: int) -> MemoryPointer:
        return alloc(size)

    def used_bytes(self) -> int:
        return _memory.bytes_in_use()

    def total_bytes(self) -> int:
        return _memory.bytes_held()

    def free_bytes(self) -> int:
        return self.total_bytes() - self.used_bytes()

    def n_free_blocks(self) -> int:
        return 0

    def free_all_blocks(self, stream: Any = None) -> None:
        pass

    def get_limit(self) -> int:
        return self._limit

    def set_limit(self, size: int | None = None, fraction: float | None = None) -> None:
        self._limit = int(size if size is not None else (fraction or 0) * _memory.bytes_total())


_pool = MemoryPool()
_allocator: Callable[[int], MemoryPointer] = _pool.malloc


def get_allocator() -> Callable[[int], MemoryPointer]:
    return _allocator


def set_allocator(allocator: Callable[[int], MemoryPointer] | None = None) -> None:
    global _allocator
    _allocator = allocator or alloc


@contextlib.contextmanager
def using_allocator(allocator: Callable[[int], MemoryPointer] | None = None) -> Iterator[None]:
    previous = get_allocator()
    set_allocator(allocator)
    try:
        yield
    finally:
        set_allocator(previous)


# ---- device, streams, events --------------------------------------------------------------------------------------
class Device:
    """The simulated device: an H100 in what a kernel may use, with few multiprocessors, so that grids stay small."""

    def __init__(self, device: Any = None) -> None:
        self.id = getattr(device, "id", device) or 0
        if self.id != 0:
            raise runtime.CUDARuntimeError("cudaErrorInvalidDevice: there is one simulated device, number 0")

    compute_capability = "90"

    @property
    def attributes(self) -> dict[str, int]:
        return {
            "MultiProcessorCount": len(os.sched_getaffinity(0)), "WarpSize": 32, "ClockRate": 1000000,
            "MaxThreadsPerBlock": 1024, "MaxBlockDimX": 1024, "MaxBlockDimY": 1024, "MaxBlockDimZ": 64,
            "MaxGridDimX": 2**31 - 1, "MaxGridDimY": 65535, "MaxGridDimZ": 65535,
            "MaxSharedMemoryPerBlock": 48 << 10, "MaxSharedMemoryPerBlockOptin": 227 << 10,
            "MaxSharedMemoryPerMultiprocessor": 228 << 10, "ReservedSharedMemoryPerBlock": 1024,
            "MaxThreadsPerMultiProcessor": 2048, "MaxBlocksPerMultiprocessor": 32,
            "MaxRegistersPerBlock": 65536, "MaxRegistersPerMultiprocessor": 65536, "L2CacheSize": 50 << 20,
            "ComputeCapabilityMajor": 9, "ComputeCapabilityMinor": 0,
        }

    @property
    def mem_info(self) -> tuple[int, int]:
        total = _memory.bytes_total()
        return total - _memory.bytes_held(), total

    @property
    def pci_bus_id(self) -> str:
        return "0000:00:00.0"

    def use(self) -> Device:
        return self

    def synchronize(self) -> None:
        pass

    def __enter__(self) -> Device:
        return self

    def __exit__(self, *_: Any) -> None:
        pass

    def __int__(self) -> int:
        return self.id

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Device)

    def __hash__(self) -> int:
        return hash(Device)

    def __repr__(self) -> str:
        return f"<CUDA Device {self.id}>"


class Stream:
    """An order of work. All work is done when a call returns, so that streams differ in nothing."""

    null: ClassVar[Stream]

    def __init__(self, null: bool = False, non_blocking: bool = False, ptds: bool = False,
                 priority: int | None = None) -> None:
        self.ptr = 0
        self.priority = priority or 0
        self.is_non_blocking = non_blocking
        self._outer = []

    done = True

    def use(self) -> Stream:
        _streams[-1] = self
        return self

    def __enter__(self) -> Stream:
        _streams.append(self)
        return self

    def __exit__(self, *_: Any) -> None:
        _streams.pop()

    def synchronize(self) -> None:
        pass

    def wait_event(self, event: Event) -> None:
        pass

    def record(self, event: Event | None = None) -> Event:
        return (event or Event()).record(self)

    def launch_host_func(self, callback: Callable[[Any], Any], arg: Any) -> None:
        callback(arg)


Stream.null = Stream(null=True)
_streams = [Stream.null]


def get_current_stream(device_id: int = -1) -> Stream:
    return _streams[-1]


class Event:
    """A moment."""

    def __init__(self, block: bool = False, disable_timing: bool = False, interprocess: bool = False) -> None:
        self._time: float | None = None
        self._timed = not disable_timing

    done = True

    def record(self, stream: Stream | None = None) -> Event:
        self._time = time.perf_counter()
        return self

    def synchronize(self) -> None:
        pass


def get_elapsed_time(start_event: Event, end_event: Event) -> float:
    """Milliseconds between two events: the simulator's time, which says nothing of a GPU's."""
    start, end = start_event._time, end_event._time
    if start is None or end is None or not (start_event._timed and end_event._timed):
        raise runtime.CUDARuntimeError("cudaErrorInvalidResourceHandle: an event is not recorded, or has no time")
    return (end - start) * 1e3


def is_available() -> bool:
    """True when kernels can be run here."""
    try:
        _engine.choose()
    except RuntimeError:
        return False
    return True


def get_device_id() -> int:
    return 0


class CUDARuntimeError(RuntimeError):
    pass


runtime = types.SimpleNamespace(
    CUDARuntimeError=CUDARuntimeError,
    is_hip=False,
    getDeviceCount=lambda: 1,
    getDevice=lambda: 0,
    setDevice=Device,
    deviceSynchronize=lambda: None,
    streamSynchronize=lambda stream: None,
    memGetInfo=lambda: Device(0).mem_info,
    runtimeGetVersion=lambda: 13000,
    driverGetVersion=lambda: 13000,
    getDeviceProperties=lambda device: {
        "name": b"gpunet simulator", "major": 9, "minor": 0, "warpSize": 32,
        "multiProcessorCount": Device(device).attributes["MultiProcessorCount"],
        "totalGlobalMem": _memory.bytes_total(), "sharedMemPerBlock": 48 << 10, "maxThreadsPerBlock": 1024,
    },
)
memory = types.SimpleNamespace(BaseMemory=BaseMemory, MemoryPointer=MemoryPointer, MemoryPool=MemoryPool,
                               OutOfMemoryError=MemoryError)
