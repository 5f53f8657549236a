"""The parameters of a kernel as it was compiled, and how a launch's arguments become their bytes.

What is taken here is what CuPy takes, without its trap: CuPy passes the bytes of a Python number whatever the kernel
declares. Here they must be as many as the parameter has, and of its kind.
"""

import ctypes
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from gpunet.kernel import arguments


@dataclass(frozen=True)
class Pointee:
    """What a pointer points to: an integer, a number (of floating point) or "" for anything else; its size in bytes,
    0 where that is not known; its type in C++."""

    kind: str
    size: int
    type: str


class Parameter(ctypes.Structure):
    """As in include/gpunet_sim/interface.h; sizes and alignments in bytes."""

    size: int
    align: int
    kind: bytes
    element_kind: bytes
    element_size: int
    spelled: bytes

    _fields_ = [("size", ctypes.c_uint), ("align", ctypes.c_uint), ("kind", ctypes.c_char),
                ("element_kind", ctypes.c_char), ("element_size", ctypes.c_uint), ("spelled", ctypes.c_char_p)]

    _WORDS = {"p": "a pointer", "i": "an integer", "f": "a floating-point number",
              "h": "a half-precision number", "s": "a structure"}
    _CODES = {("i", 1): "B", ("i", 2): "H", ("i", 4): "I", ("i", 8): "Q", ("f", 4): "f", ("f", 8): "d"}

    def __str__(self) -> str:
        words = self._WORDS[self.kind.decode()]
        return words if self.kind == b"p" else f"{words} of {self.size} bytes"

    @property
    def pointed_to(self) -> "Pointee | None":
        """What a pointer points to; of a structure its type; None of anything else."""
        if self.kind not in (b"p", b"s"):
            return None
        kinds = {b"i": "integer", b"f": "number", b"h": "number"}
        kind = kinds.get(self.element_kind, "") if self.kind == b"p" else ""
        type_name = re.search(r"\bT = (.*?)[;\]]", self.spelled.decode(errors="replace"))
        return Pointee(kind, self.element_size, type_name.group(1) if type_name else "")

    @property
    def code(self) -> str:
        """Format of the `struct` module. Integers go as unsigned ones: their converter has seen to the sign."""
        kind = self.kind.decode()
        if kind in "hs":
            return f"{self.size}s"
        if kind == "p":
            return "Q"
        return self._CODES[kind, self.size]


# What is raised for arguments that do not fit.
REFUSALS = (*arguments.REFUSALS, struct.error)


def listed(first: Any) -> list[Parameter]:
    """The parameters in a C array that ends with one of kind 0."""
    parameters = []
    while first[len(parameters)].kind != b"\0":
        parameters.append(first[len(parameters)])
    return parameters


def explained(parameters: list[Parameter], args: tuple) -> str:
    """Which argument was refused, in words: only here, so that a good launch pays nothing for it."""
    found = arguments.refused([_packing(parameter) for parameter in parameters], args)
    if found is None:
        return "wrong arguments"
    number, _ = found
    return f"argument {number}: {arguments.describe(args[number])} given, the parameter is {parameters[number]}"


def _packing(parameter: Parameter) -> Callable[[Any], bytes]:
    convert = converter(parameter)
    return lambda value: struct.pack("=" + parameter.code, convert(value))


def packer(parameters: list[Parameter]) -> Callable[..., bytes]:
    """What makes a launch (grid, block, shared memory, converted arguments) one block of bytes: see gpunet_sim_launch.
    Padding as in a C structure."""
    code, offset = "=7I4x", 0
    for parameter in parameters:
        padding = -offset % parameter.align
        code += f"{padding}x" * (padding > 0) + parameter.code
        offset += padding + parameter.size
    return struct.Struct(code).pack


def converter(parameter: Parameter) -> Callable[[Any], Any]:
    """The function that makes an argument what `packer` packs, and raises for one that does not fit."""
    kind, size = parameter.kind.decode(), parameter.size
    if kind == "p":
        return _address
    if kind == "i":
        return _integer_converter(size)
    if kind == "f":
        return _float_converter(size)
    return _bytes_converter(size, half=kind == "h")


def _address(value: Any) -> int:
    try:
        return value._address  # an array of gpunet.sim.cupy
    except AttributeError:
        pass
    if value is None:
        return 0
    if isinstance(value, (bool, np.ndarray)):
        raise TypeError
    if isinstance(value, np.integer) and value.itemsize != 8:
        raise TypeError
    if isinstance(value, (int, np.integer)):
        return int(value)
    return value.ptr  # a cupy.cuda.MemoryPointer


def _integer_converter(size: int) -> Callable[[Any], int]:
    mask = (1 << 8 * size) - 1
    low, high = -(1 << 8 * size - 1), mask

    def integer(value: Any) -> int:
        if isinstance(value, (np.integer, np.bool_)):
            if value.itemsize != size:
                raise TypeError
            return int(value) & mask
        # CuPy passes eight bytes, of which the kernel reads the lower ones: right while the number fits.
        if isinstance(value, int) and low <= value <= high:
            return value & mask
        raise TypeError
    return integer


def _float_converter(size: int) -> Callable[[Any], float | np.floating]:
    def number(value: Any) -> float | np.floating:
        if isinstance(value, np.floating):
            if value.itemsize == size:
                return value
        elif size == 8 and isinstance(value, float):
            return value
        raise TypeError
    return number


def _bytes_converter(size: int, half: bool) -> Callable[[Any], bytes]:
    def bytes_of(value: Any) -> bytes:
        if isinstance(value, np.generic) or (isinstance(value, np.ndarray) and value.size == 1):
            given = value.dtype
            is_half = given == np.float16 or given.name == "bfloat16"
            if given.itemsize == size and (is_half or not half):
                return value.tobytes()
        elif isinstance(value, bytes) and len(value) == size and not half:
            return value
        raise TypeError
    return bytes_of
