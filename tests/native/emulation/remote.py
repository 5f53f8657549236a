"""Calls of kernels that a server in an emulator carries out: a plugin of pytest. What the C extension is otherwise.

A call's arguments and the arrays that they name become one piece of memory, in which pointers are offsets: the server
makes addresses of them, calls the kernel, and sends the memory back, from which the arrays are read.
"""

from __future__ import annotations

import ctypes
import os
import shlex
import struct
import subprocess
import sys
from typing import Any

import numpy as np
from numpy.lib.array_utils import byte_bounds

from gpunet.native import library, plain, threads

Guard, capture, Program = plain.Guard, plain.capture, plain.Program
_server: Any = None


class _Memory:
    """The piece of memory of a call."""

    def __init__(self) -> None:
        self.content, self.pointers = bytearray(), []
        self.arrays: list[np.ndarray] = []
        self.places: list[tuple[int, np.ndarray]] = []  # where pointers into arrays stand

    def room(self, size: int) -> int:
        """The offset of a new part."""
        at = -(-len(self.content) // 64) * 64
        self.content.extend(bytes(at + size - len(self.content)))
        return at

    def word(self, at: int, kind: str, value: Any) -> None:
        struct.pack_into(kind, self.content, at, value)

    def pointer(self, at: int, to: int) -> None:
        self.word(at, "q", to)
        self.pointers.append(at)

    def arguments(self, args: Any, described: bool) -> int:
        start = self.room(8 * len(args))
        for i, value in enumerate(args):
            at = start + 8 * i
            if described and isinstance(value, (np.ndarray, float)):
                self.pointer(at, self.description(value))
            elif isinstance(value, np.ndarray):
                self.array(at, value)
            elif isinstance(value, (tuple, list)):
                self.pointer(at, self.arguments(value, False))
            elif value is None:
                self.word(at, "q", 0)
            elif isinstance(value, float) or not hasattr(value, "__index__"):
                self.word(at, "d", value)
            else:
                self.word(at, "q", value)
        return start

    def description(self, value: Any) -> int:
        """`struct Array` of args.h."""
        x = np.asarray(value)
        start, sizes = self.room(56), self.room(16 * x.ndim)
        struct.pack_into(f"{2 * x.ndim}q", self.content, sizes, *x.shape, *x.strides)
        self.word(start + 8, "q", x.ndim)
        self.pointer(start + 16, sizes)
        self.pointer(start + 24, sizes + 8 * x.ndim)
        self.word(start + 32, "q", x.itemsize)
        self.word(start + 40, "q", x.dtype.num)
        if isinstance(value, float):
            self.word(start + 48, "d", value)
            self.pointer(start, start + 48)
        else:
            self.array(start, x)
        return start

    def array(self, at: int, x: np.ndarray) -> None:
        self.arrays.append(x)
        self.places.append((at, x))

    def spread(self) -> list[tuple[int, int, int]]:
        """Adds the arrays' memory, of those that overlap once. Returns (address here, offset, bytes) of each part."""
        parts: list[list[int]] = []
        for low, high in sorted(byte_bounds(x) for x in self.arrays if x.size):
            if parts and low < parts[-1][1]:
                parts[-1][1] = max(parts[-1][1], high)
            else:
                parts.append([low, high])
        found = []
        for low, high in parts:
            to = self.room(high - low + 64) + low % 64  # aligned as it is here
            self.content[to : to + high - low] = ctypes.string_at(low, high - low)
            found.append((low, to, high - low))
        for at, x in self.places:
            address = x.__array_interface__["data"][0]
            self.pointer(at, next((to + address - low for low, to, size in found if low <= address < low + size), 0))
        return found


class Function:
    """Calls the kernel of a name."""

    def __init__(self, name: str, described: bool) -> None:
        self.__name__, self._described = name, described

    def __call__(self, *args: Any) -> None:
        captured = getattr(plain._here, "captured", None)
        if captured is None:
            self._call(args)
        else:
            captured.append(lambda: self._call(args))

    def _call(self, args: Any) -> None:
        memory = _Memory()
        memory.arguments(args, self._described)
        parts = memory.spread()
        name = self.__name__.encode()
        _server.stdin.write(struct.pack("3q", len(name), len(memory.content), len(memory.pointers)) + name)
        _server.stdin.write(memory.content)
        _server.stdin.write(struct.pack(f"{len(memory.pointers)}q", *memory.pointers))
        _server.stdin.flush()
        answer = _server.stdout.read(len(memory.content))
        if len(answer) < len(memory.content):
            raise RuntimeError(f"the emulated kernel {self.__name__} ended with status {_server.wait()}")
        for address, to, size in parts:
            ctypes.memmove(address, answer[to : to + size], size)


def pytest_configure(config: Any) -> None:
    """From here on kernels are the emulator's."""
    global _server
    import gpunet  # noqa: F401  (its operations declare their kernels)

    command = shlex.split(os.environ["GPUNET_EMULATED"])
    _server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    library._tried, library._calls = True, sys.modules[__name__]
    library.function = lambda file, name, described, elementwise: Function(name, described)
    library.address = lambda name: 0  # programs here carry out their calls one by one
    threads._library = None
    for each in library.when_loaded:
        each()


def pytest_unconfigure(config: Any) -> None:
    """The server ends when its input does."""
    _server.stdin.close()
    _server.wait()
