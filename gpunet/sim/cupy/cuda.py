"""The part of cupy.cuda that a program needs which launches kernels. There is one device, and all work is done when
a call returns, so streams and events have nothing to wait for."""

import contextlib
import ctypes
import os
import time
import types

import numpy as np

from gpunet.sim import memory as _memory
from gpunet.sim import toolchain as _toolchain


# ---- memory -----------------------------------------------------------------------------------------------------
class BaseMemory:
    """An allocation on the device."""

    def __init__(self, storage, address: int, size: int):
        self._storage = storage
        self.ptr = address
        self.size = size
        self.device_id = 0

    @property
    def device(self):
        return Device(0)


class MemoryPointer:
    """A place in an allocation, which it keeps alive. Adding a number of bytes gives another."""

    def __init__(self, mem, offset):
        self.mem = mem
        self._offset = offset
        self.ptr = mem.ptr + offset

    @property
    def device(self):
        return Device(0)

    device_id = 0

    def __int__(self):
        return self.ptr

    def __add__(self, bytes_further):
        return MemoryPointer(self.mem, self._offset + bytes_further)

    __radd__ = __add__

    def __sub__(self, bytes_before):
        return self + -bytes_before

    def copy_from_host(self, mem, size):
        ctypes.memmove(self.ptr, mem, size)

    def copy_to_host(self, mem, size):
        ctypes.memmove(mem, self.ptr, size)

    def copy_from_device(self, src, size):
        ctypes.memmove(self.ptr, src.ptr, size)

    def memset(self, value, size):
        ctypes.memset(self.ptr, value, size)


def pointer_to(array) -> MemoryPointer:
    """Where an array's first element is. (In CuPy: `array.data`.)"""
    base = array._host
    while type(base) is np.ndarray:
        base = base.base
    start = ctypes.addressof(base)
    return MemoryPointer(BaseMemory(base, start, array.nbytes), array._address - start)


def alloc(size):
    storage, address = _memory.allocate(size)
    return MemoryPointer(BaseMemory(storage, address, size), 0)


class MemoryPool:
    """Device memory. The simulator keeps freed memory by itself, so that every pool shows the same."""

    def __init__(self, allocator=None):
        self._limit = 0

    def malloc(self, size):
        return alloc(size)

    def used_bytes(self):
        return _memory.bytes_in_use()

    def total_bytes(self):
        return _memory.bytes_held()

    def free_bytes(self):
        return self.total_bytes() - self.used_bytes()

    def n_free_blocks(self):
        return 0

    def free_all_blocks(self, stream=None):
        pass

    def get_limit(self):
        return self._limit

    def set_limit(self, size=None, fraction=None):
        self._limit = int(size if size is not None else (fraction or 0) * _memory.bytes_total())


_pool = MemoryPool()
_allocator = _pool.malloc


def get_allocator():
    return _allocator


def set_allocator(allocator=None):
    global _allocator
    _allocator = allocator or alloc


@contextlib.contextmanager
def using_allocator(allocator=None):
    previous = get_allocator()
    set_allocator(allocator)
    try:
        yield
    finally:
        set_allocator(previous)


# ---- device, streams, events --------------------------------------------------------------------------------------
class Device:
    """The simulated device: an H100 in what a kernel may use, with few multiprocessors, so that grids stay small."""

    def __init__(self, device=None):
        self.id = getattr(device, "id", device) or 0
        if self.id != 0:
            raise runtime.CUDARuntimeError("cudaErrorInvalidDevice: there is one simulated device, number 0")

    compute_capability = "90"

    @property
    def attributes(self):
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
    def mem_info(self):
        total = _memory.bytes_total()
        return total - _memory.bytes_held(), total

    @property
    def pci_bus_id(self):
        return "0000:00:00.0"

    def use(self):
        return self

    def synchronize(self):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def __int__(self):
        return self.id

    def __eq__(self, other):
        return isinstance(other, Device)

    def __hash__(self):
        return hash(Device)

    def __repr__(self):
        return f"<CUDA Device {self.id}>"


class Stream:
    """An order of work. All work is done when a call returns, so that streams differ in nothing."""

    null: "Stream"

    def __init__(self, null=False, non_blocking=False, ptds=False, priority=None):
        self.ptr = 0
        self.priority = priority or 0
        self.is_non_blocking = non_blocking
        self._outer = []

    done = True

    def use(self):
        _streams[-1] = self
        return self

    def __enter__(self):
        _streams.append(self)
        return self

    def __exit__(self, *_):
        _streams.pop()

    def synchronize(self):
        pass

    def wait_event(self, event):
        pass

    def record(self, event=None):
        return (event or Event()).record(self)

    def launch_host_func(self, callback, arg):
        callback(arg)


Stream.null = Stream(null=True)
_streams = [Stream.null]


def get_current_stream(device_id=-1):
    return _streams[-1]


class Event:
    """A moment."""

    def __init__(self, block=False, disable_timing=False, interprocess=False):
        self._time = None
        self._timed = not disable_timing

    done = True

    def record(self, stream=None):
        self._time = time.perf_counter()
        return self

    def synchronize(self):
        pass


def get_elapsed_time(start_event, end_event):
    """Milliseconds between two events: the simulator's time, which says nothing of a GPU's."""
    if None in (start_event._time, end_event._time) or not (start_event._timed and end_event._timed):
        raise runtime.CUDARuntimeError("cudaErrorInvalidResourceHandle: an event is not recorded, or has no time")
    return (end_event._time - start_event._time) * 1e3


def is_available():
    """True when kernels can be built here."""
    try:
        _toolchain.compiler()
    except RuntimeError:
        return False
    return True


def get_device_id():
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
