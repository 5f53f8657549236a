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
from gpunet.sim.errors import ArgumentError


@dataclass(frozen=True)
class Pointee:
    """What a pointer points to: an integer, a number (of floating point) or "" for anything else; its size in bytes,
    0 where that is not known; its type in C++."""

    kind: str
    size: int
    type: str


@dataclass(frozen=True)
class Parameter:
    """Sizes and alignments in bytes. `kind`: p(ointer), i(nteger), f(loating point), h(alf) or s(tructure).
    `pointed_to`: what a pointer points to; of a structure its type; None of anything else."""

    size: int
    align: int
    kind: str
    pointed_to: Pointee | None = None

    def __str__(self) -> str:
        words = _WORDS[self.kind]
        return words if self.kind == "p" else f"{words} of {self.size} bytes"

    @property
    def code(self) -> str:
        """Format of the `struct` module. Integers go as unsigned ones: their converter has seen to the sign."""
        if self.kind in "hs":
            return f"{self.size}s"
        return "Q" if self.kind == "p" else _CODES[self.kind, self.size]


_WORDS = {"p": "a pointer", "i": "an integer", "f": "a floating-point number", "h": "a half-precision number",
          "s": "a structure"}
_CODES = {("i", 1): "B", ("i", 2): "H", ("i", 4): "I", ("i", 8): "Q", ("f", 4): "f", ("f", 8): "d"}
_POINTEES = {"i": "integer", "f": "number", "h": "number"}


class Described(ctypes.Structure):
    """A parameter as compiled kernels tell of it: include/gpunet_sim/interface.h."""

    _fields_ = [("size", ctypes.c_uint), ("align", ctypes.c_uint), ("kind", ctypes.c_char),
                ("element_kind", ctypes.c_char), ("element_size", ctypes.c_uint), ("spelled", ctypes.c_char_p)]


def listed(first: Any) -> tuple[Parameter, ...]:
    """The parameters in a C array of Described that ends with one of kind 0."""
    parameters = []
    while (each := first[len(parameters)]).kind != b"\0":
        kind, pointed_to = each.kind.decode(), None
        if kind in "ps":
            element = _POINTEES.get(each.element_kind.decode(), "") if kind == "p" else ""
            type_name = re.search(r"\bT = (.*?)[;\]]", each.spelled.decode(errors="replace"))
            pointed_to = Pointee(element, each.element_size, type_name.group(1) if type_name else "")
        parameters.append(Parameter(each.size, each.align, kind, pointed_to))
    return tuple(parameters)


HEAD = struct.Struct("=7I4x")  # what comes before the arguments: grid, block, bytes of dynamic shared memory


class Packer:
    """Makes a launch's arguments bytes, with padding as in a C structure.

    Attributes:
        places: where each of them begins.
    """

    def __init__(self, name: str, parameters: tuple[Parameter, ...]) -> None:
        self._name = name
        self._parameters = parameters
        self._converters = [converter(parameter) for parameter in parameters]
        code, self.places = "=", []
        for parameter in parameters:
            padding = -struct.calcsize(code) % parameter.align
            code += f"{padding}x" * (padding > 0)
            self.places.append(struct.calcsize(code))
            code += parameter.code
        self._pack = struct.Struct(code).pack

    def __call__(self, args: tuple) -> bytes:
        """Raises ArgumentError for arguments that do not fit."""
        if len(args) != len(self._converters):
            raise ArgumentError(f"{self._name}: {len(args)} arguments given, the kernel takes {len(self._converters)}")
        try:
            return self._pack(*[convert(value) for convert, value in zip(self._converters, args, strict=True)])
        except _REFUSALS:
            raise ArgumentError(f"{self._name}: {self._explained(args)}") from None

    def _explained(self, args: tuple) -> str:
        """Which argument was refused, in words: only here, so that a good launch pays nothing for it."""
        found = arguments.refused([_packing(parameter) for parameter in self._parameters], args)
        if found is None:
            return "wrong arguments"
        number, _ = found
        return (f"argument {number}: {arguments.describe(args[number])} given, the parameter is "
                f"{self._parameters[number]}")


_REFUSALS = (*arguments.REFUSALS, struct.error)  # what is raised for arguments that do not fit


def three(sizes: tuple) -> tuple[int, int, int]:
    """A grid or a block in three dimensions."""
    x, y, z = (*sizes, 1, 1)[:3]
    return x, y, z


def _packing(parameter: Parameter) -> Callable[[Any], bytes]:
    convert = converter(parameter)
    return lambda value: struct.pack("=" + parameter.code, convert(value))


def converter(parameter: Parameter) -> Callable[[Any], Any]:
    """The function that makes an argument what `Packer` packs, and raises for one that does not fit."""
    kind, size = parameter.kind, parameter.size
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
