"""Calls of native kernels through ctypes: what the C extension does, where it could not be built. A call takes a few
microseconds instead of a fraction of one."""

from __future__ import annotations

import ctypes
import struct
import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

_ENTRY = ctypes.CFUNCTYPE(None, ctypes.c_void_p)
_here = threading.local()  # .captured: where this thread's calls go instead of being carried out; .copied


def _words(args: Sequence[Any], described: bool = False) -> tuple[ctypes.Array, list]:
    """The arguments as 8 bytes each, and what must live as long as these."""
    words = bytearray()
    kept: list[Any] = [args]
    for value in args:
        if described and isinstance(value, (np.ndarray, float)):
            kept.append(_describe(np.asarray(value), value if isinstance(value, float) else 0.0))
            words += struct.pack("P", ctypes.addressof(kept[-1][0]))
        elif isinstance(value, np.ndarray):
            words += struct.pack("P", value.__array_interface__["data"][0])
        elif value is None:
            words += struct.pack("P", 0)
        elif isinstance(value, (tuple, list)):
            kept.append(_words(tuple(value)))
            words += struct.pack("P", ctypes.addressof(kept[-1][0]))
        elif isinstance(value, float) or not hasattr(value, "__index__"):
            try:
                words += struct.pack("d", value)
            except struct.error:
                raise TypeError("a native kernel takes arrays, numbers, None and tuples of them, not "
                                f"{type(value).__name__}") from None
        else:
            words += struct.pack("q", value)
    return ctypes.create_string_buffer(bytes(words) or b"\0", max(8, len(words))), kept


def _describe(x: np.ndarray, number: float) -> tuple[ctypes.Array, Any]:
    """`struct Array` of args.h, and what must live as long."""
    sizes = ctypes.create_string_buffer(struct.pack(f"{2 * x.ndim}q", *x.shape, *x.strides), max(8, 16 * x.ndim))
    first = ctypes.addressof(sizes)
    words = struct.pack("PqPPqqd", x.__array_interface__["data"][0], x.ndim, first, first + 8 * x.ndim, x.itemsize,
                        x.dtype.num, number)
    return ctypes.create_string_buffer(words, len(words)), (sizes, x)


class Function:
    """Calls the kernel at an address."""

    def __init__(self, address: int, name: str, described: bool = False, elementwise: bool = False) -> None:
        self._entry, self.__name__, self._described = _ENTRY(address), name, described

    def __call__(self, *args: Any) -> None:
        words, kept = _words(args, self._described)
        captured = getattr(_here, "captured", None)
        if captured is None:
            self._entry(ctypes.addressof(words))
        else:
            captured.append((self._entry, words, kept))


class Guard:
    """Calls an op's CPU function if its arrays are of a kind that kernels take; see ops.py."""

    def __init__(self, function: Callable, outputs: int, strided: bool, types: tuple[int, ...],
                 otherwise: Callable | None = None) -> None:
        self._function, self._outputs, self._strided, self._types = function, outputs, strided, types
        self._otherwise = otherwise

    def __call__(self, *args: Any, **attrs: Any) -> Any:
        arrays = [x for x in args if isinstance(x, np.ndarray)]
        floats = {x.dtype.num for x in arrays if x.dtype.kind in "fcV"}
        if self._types and (len(floats) != 1 or not floats <= set(self._types)):
            return self._otherwise(*args, **attrs) if self._otherwise and floats else NotImplemented
        if not all(x.flags.aligned for x in arrays):
            return NotImplemented
        count = len(args) if self._outputs < 0 else self._outputs
        outs, inputs = args[:count], list(args[count:])
        if not self._strided and not all(x.flags.c_contiguous for x in outs if isinstance(x, np.ndarray)):
            return NotImplemented
        for i, x in enumerate(inputs):
            if isinstance(x, np.ndarray):
                if not self._strided and not x.flags.c_contiguous:
                    inputs[i] = np.array(x, order="C")
                    _here.copied = True
                elif any(np.may_share_memory(x, out) and (x.ctypes.data, x.strides, x.shape) !=
                         (out.ctypes.data, out.strides, out.shape) for out in outs):
                    return NotImplemented
        return self._function(*outs, *inputs, **attrs)


def capture(function: Callable) -> list | None:
    """The kernel calls that a function makes, kept instead of carried out; None if a repetition of them would not do
    what the function does."""
    before = getattr(_here, "captured", None)
    _here.captured, _here.copied = [], False
    try:
        result = function()
        return None if _here.copied or result is NotImplemented else _here.captured
    finally:
        _here.captured = before


class Program:
    """Carries captured calls, and functions between them, out again, each by itself."""

    chains = ()
    unwritten = ()

    def __init__(self, steps: Sequence[Any], chain: int = 0, product: int = 0,
                 hidden: dict[int, tuple[int, int]] | None = None) -> None:
        self._steps = tuple(steps)

    def __call__(self) -> None:
        for step in self._steps:
            if isinstance(step, tuple):
                step[0](ctypes.addressof(step[1]))
            else:
                step()
