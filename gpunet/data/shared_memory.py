"""Messages between processes, whose arrays travel in shared memory.

A message is pickled with its arrays beside it. What is small goes through the pipe. What is large goes into an
anonymous file in memory, whose descriptor is sent along: it never has a name, in /dev/shm or elsewhere, so the system
frees it when the last process that holds it ends, however that process ends. A container's limit on /dev/shm does not
matter either. The receiver's arrays lie in that memory: nothing is copied a second time.
"""

from __future__ import annotations

import ctypes
import io
import os
import pickle
import tempfile
from collections.abc import Callable
from functools import cache
from multiprocessing import reduction
from multiprocessing.connection import Connection
from struct import Struct
from typing import Any

import numpy as np

from gpunet._tensor_copies import attributes
from gpunet.devices import cpu
from gpunet.dispatch import host_read, wrap
from gpunet.dtypes import HALF_TYPES
from gpunet.ops.creation import tensor
from gpunet.tensor import Tensor

_INLINE = 4096  # bytes of a part that still goes through the pipe: a copy there is cheaper than new pages
_ALIGNMENT = 64
_COUNT, _SIZE = Struct("<I"), Struct("<Q")


def send(connection: Connection, message: Any) -> None:
    """Sends a message to the process at the other end. Raises what pickling raises, before anything is sent."""
    parts: list[memoryview] = []
    file = io.BytesIO()
    _Pickler(file, parts).dump(message)
    pickled = file.getbuffer()
    if pickled.nbytes > _INLINE:
        parts.insert(0, pickled)
        pickled = memoryview(b"")
    header = _COUNT.pack(len(parts)) + b"".join(_SIZE.pack(part.nbytes) for part in parts)
    if len(header) > _INLINE:  # thousands of arrays: all in one pickle
        file = io.BytesIO()
        _Pickler(file, None).dump(message)
        pickled, parts = memoryview(b""), [file.getbuffer()]
        header = _COUNT.pack(1) + _SIZE.pack(parts[0].nbytes)
    if not parts:
        connection.send_bytes(header + pickled)
        return
    handle = _anonymous_file()
    try:
        position = 0
        for part in parts:
            _write(handle, part, position)
            position = _aligned(position + part.nbytes)
        connection.send_bytes(header + pickled)
        reduction.send_handle(connection, handle, None)
    finally:
        os.close(handle)


def receive(connection: Connection) -> Any:
    """The next message. Raises EOFError or OSError where the other end is closed."""
    start = connection.recv_bytes()
    count = _COUNT.unpack_from(start)[0]
    if not count:
        return pickle.loads(memoryview(start)[_COUNT.size:])
    sizes = [_SIZE.unpack_from(start, _COUNT.size + i * _SIZE.size)[0] for i in range(count)]
    pickled: Any = memoryview(start)[_COUNT.size + count * _SIZE.size:]
    handle = reduction.recv_handle(connection)
    try:
        position, parts = 0, []
        memory = _mapped(handle, sum(map(_aligned, sizes)))
        for size in sizes:
            parts.append(memory[position : position + size])
            position = _aligned(position + size)
    finally:
        os.close(handle)
    if not pickled.nbytes:
        pickled = parts.pop(0)
    return pickle.loads(pickled, buffers=parts)


def _aligned(position: int) -> int:
    return -(-position // _ALIGNMENT) * _ALIGNMENT


def _anonymous_file() -> int:
    if hasattr(os, "memfd_create"):
        return os.memfd_create("gpunet")
    with tempfile.TemporaryFile() as file:  # unlinked already
        return os.dup(file.fileno())


def _write(handle: int, part: memoryview, position: int) -> None:
    part = part.cast("B") if part.format != "B" or part.ndim != 1 else part
    while part.nbytes:
        written = os.pwrite(handle, part, position)
        part, position = part[written:], position + written


# ---- what is pickled in another way


class _Pickler(pickle.Pickler):
    """Puts large buffers into `parts`; None: everything stays in the pickle."""

    def __init__(self, file: io.BytesIO, parts: list[memoryview] | None) -> None:
        super().__init__(file, protocol=5, buffer_callback=None if parts is None else self._place)
        self._parts = parts

    def _place(self, buffer: pickle.PickleBuffer) -> bool:
        raw = buffer.raw()
        if raw.nbytes <= _INLINE:
            return True
        assert self._parts is not None
        self._parts.append(raw)
        return False

    def reducer_override(self, obj: Any) -> Any:
        if type(obj) is Tensor and not attributes(obj):
            array = host_read(obj, "sending a batch")
            half = array.dtype if array.dtype in HALF_TYPES and array.dtype.kind == "V" else None
            if half is not None:  # bfloat16 is no type of Python's buffers
                array = np.ascontiguousarray(array).view(np.uint16)
            if obj._device is cpu:
                return _cpu_tensor, (array, half, obj._requires_grad)
            return _other_tensor, (array, half, obj._requires_grad, str(obj.device))
        return NotImplemented


def _cpu_tensor(array: np.ndarray, half: np.dtype | None, requires_grad: bool) -> Tensor:
    if not array.flags.writeable:
        array = array.copy()
    made = wrap(array if half is None else array.view(half), cpu)
    made._requires_grad = requires_grad
    return made


def _other_tensor(array: np.ndarray, half: np.dtype | None, requires_grad: bool, device: str) -> Tensor:
    return tensor(array if half is None else array.view(half), device=device, requires_grad=requires_grad)


# ---- mapping


class _Mapping:
    """The memory of an anonymous file, unmapped when the last array on it is gone.

    Python's own mmap keeps a descriptor open for each mapping, and a program that keeps a thousand batches would run
    out of them.
    """

    def __init__(self, handle: int, size: int) -> None:
        mmap, self._unmap = _functions()
        found = mmap(None, size, _READ | _WRITE, _SHARED | _POPULATE, handle, 0)
        if found == ctypes.c_void_p(-1).value:
            number = ctypes.get_errno()
            raise OSError(number, f"{size:,} bytes of shared memory cannot be mapped: {os.strerror(number)}")
        self._address, self._size = found, size
        self.__array_interface__ = {"data": (found, False), "shape": (size,), "typestr": "|u1", "version": 3}

    def __del__(self) -> None:
        if hasattr(self, "_address"):
            self._unmap(self._address, self._size)


_READ, _WRITE, _SHARED = 1, 2, 1
_POPULATE = 0x8000 if os.uname().sysname == "Linux" else 0  # all pages at once, instead of a fault for each


@cache
def _functions() -> tuple[Callable[..., Any], Callable[..., Any]]:
    library = ctypes.CDLL(None, use_errno=True)
    library.mmap.restype = ctypes.c_void_p
    library.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
    library.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
    return library.mmap, library.munmap


def _mapped(handle: int, size: int) -> np.ndarray:
    return np.asarray(_Mapping(handle, size))
