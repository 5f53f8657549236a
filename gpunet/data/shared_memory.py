"""Messages between processes, whose arrays travel in shared memory.

A message is pickled with its arrays beside it. What is small goes through the pipe. What is large goes into an
anonymous file in memory, whose descriptor is sent along: it never has a name, in /dev/shm or elsewhere, so the system
frees it when the last process that holds it ends, however that process ends. A container's limit on /dev/shm does not
matter either. The receiver's arrays lie in that memory: nothing is copied a second time.

When the last of these arrays is gone, the sender may write there again: new memory costs ten times what a copy costs.
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
_GRAIN = 1 << 16  # sizes of memory are multiples of it
_MOST_FREE = 8  # pieces of memory that a sender keeps for later
_MOST_DROPPED, _MOST_PARTS = 64, 256  # so that a message through the pipe stays small
_NONE = -1
_HEAD = Struct("<q")


def send(connection: Connection, message: Any) -> None:
    """Sends a message to the process at the other end. Raises what pickling raises, before anything is sent."""
    Sender(connection).send(message)


def receive(connection: Connection) -> Any:
    """The next message, of `send`. Raises EOFError or OSError where the other end is closed."""
    return Receiver(connection).receive()


class Sender:
    """Sends messages, and uses memory again that the receiver has given back."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._memory: dict[int, np.ndarray] = {}
        self._dropped: list[int] = []
        self._next = 0
        self._free: list[int] = []  # numbers of the pieces of memory that may be written to

    def take_back(self, numbers: list[int]) -> None:
        """Takes what the receiver has returned."""
        for number in numbers:
            if number >= 0:
                self._free.append(number)
            else:
                del self._memory[~number]

    def send(self, message: Any) -> None:
        """Sends a message. Raises what pickling raises, before anything is sent."""
        pickled, parts = _pickled(message)
        size = sum(_aligned(part.nbytes) for part in parts)
        number, handle = self._place(size) if size else (_NONE, None)
        dropped, self._dropped = self._dropped[:_MOST_DROPPED], self._dropped[_MOST_DROPPED:]
        try:
            position = 0
            for part in parts:
                end = position + part.nbytes
                self._memory[number][position:end] = np.frombuffer(part, np.uint8)
                position = _aligned(end)
            numbers = [number, handle is not None and len(self._memory[number]), *map(int, (len(dropped), len(parts))),
                       *dropped, *(part.nbytes for part in parts)]
            self._connection.send_bytes(_HEAD.pack(len(numbers)) + np.array(numbers, np.int64).tobytes() + pickled)
            if handle is not None:
                reduction.send_handle(self._connection, handle, None)
        finally:
            if handle is not None:
                os.close(handle)

    def _place(self, size: int) -> tuple[int, int | None]:
        """The number of a piece of memory of at least that size; with its descriptor if it is new."""
        while len(self._free) > _MOST_FREE:
            self._drop(self._free[0])
        for number in self._free:
            if size <= len(self._memory[number]) <= 2 * size + _GRAIN:
                self._free.remove(number)
                return number, None
        if self._free:  # all too small or too large: sizes have changed
            self._drop(self._free[0])
        number, self._next = self._next, self._next + 1
        whole = -(-size // _GRAIN) * _GRAIN
        handle = _anonymous_file()
        try:
            os.posix_fallocate(handle, 0, whole)  # too little memory is an error here, not a signal later
            self._memory[number] = _mapped(handle, whole)
        except BaseException:
            os.close(handle)
            raise
        return number, handle

    def _drop(self, number: int) -> None:
        self._free.remove(number)
        del self._memory[number]
        self._dropped.append(number)


class Receiver:
    """Receives what a Sender sends.

    Attributes:
        returned: numbers of the pieces of memory on which no array is left, for the sender's `take_back`; ~number of
            those that are given up.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._memory: dict[int, np.ndarray] = {}
        self.returned: list[int] = []

    def receive(self) -> Any:
        """The next message. Raises EOFError or OSError where the other end is closed."""
        content = memoryview(self._connection.recv_bytes())
        (count,) = _HEAD.unpack_from(content)
        rest = _HEAD.size + 8 * count
        number, new, dropped, many, *numbers = np.frombuffer(content[_HEAD.size : rest], np.int64).tolist()
        if new:
            handle = reduction.recv_handle(self._connection)
            try:
                self._memory[number] = _mapped(handle, new)
            finally:
                os.close(handle)
        for each in numbers[:dropped]:
            self._memory.pop(each, None)
        pickled: Any = content[rest:]
        if number == _NONE:
            return pickle.loads(pickled)
        lease = np.asarray(_Lease(self, number, self._memory[number]))
        parts, position = [], 0
        for size in numbers[dropped : dropped + many]:
            parts.append(lease[position : position + size])
            position = _aligned(position + size)
        if not pickled.nbytes:
            pickled = parts.pop(0)
        return pickle.loads(pickled, buffers=parts)


class _Lease:
    """A piece of memory while arrays lie in it. Where the process was forked meanwhile, the child may have arrays there
    too: then it is given up instead of used again."""

    def __init__(self, receiver: Receiver, number: int, memory: np.ndarray) -> None:
        self._receiver, self._number, self._memory, self._forks = receiver, number, memory, _forks
        self.__array_interface__ = memory.__array_interface__

    def __del__(self) -> None:
        if self._forks == _forks:
            self._receiver.returned.append(self._number)
        else:
            self._receiver._memory.pop(self._number, None)
            self._receiver.returned.append(~self._number)


def _pickled(message: Any) -> tuple[Any, list[memoryview]]:
    """The pickle, and what lies beside it; an empty pickle if it is itself the first of these."""
    parts: list[memoryview] = []
    file = io.BytesIO()
    _Pickler(file, parts).dump(message)
    if len(parts) > _MOST_PARTS:  # all in one pickle
        parts, file = [], io.BytesIO()
        _Pickler(file, None).dump(message)
    pickled = file.getbuffer()
    return (b"", [pickled, *parts]) if pickled.nbytes > _INLINE else (pickled, parts)


_forks = 0  # how often this process was forked


def _forked() -> None:
    global _forks
    _forks += 1


os.register_at_fork(after_in_parent=_forked, after_in_child=_forked)


def _aligned(position: int) -> int:
    return -(-position // _ALIGNMENT) * _ALIGNMENT


def _anonymous_file() -> int:
    if hasattr(os, "memfd_create"):
        return os.memfd_create("gpunet")
    with tempfile.TemporaryFile() as file:  # unlinked already
        return os.dup(file.fileno())


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
