"""What a launch passes, as the bytes of a kernel's parameters."""

from __future__ import annotations

import reprlib
import struct
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gpunet.ptx import model, program

_CODES = {"u8": "B", "s8": "b", "b8": "B", "u16": "H", "s16": "h", "b16": "H", "u32": "I", "s32": "i", "b32": "I",
          "f32": "f",
          "u64": "Q", "s64": "q", "b64": "Q", "f64": "d"}


def pack(compiled: program.Program, args: Sequence[Any]) -> bytes:
    """The bytes of a launch's arguments."""
    if len(args) != len(compiled.parameters):
        raise TypeError(f"kernel {compiled.name} takes {len(compiled.parameters)} arguments, got {len(args)}")
    packed = bytearray(compiled.parameter_bytes)
    for number, (parameter, value) in enumerate(zip(compiled.parameters, args, strict=True)):
        try:
            _pack_one(packed, parameter, value)
        except (struct.error, TypeError, ValueError) as error:
            raise TypeError(f"kernel {compiled.name}, argument {number}: {reprlib.repr(value)} does not fit a "
                            f"parameter of type .{parameter.type} and {parameter.size} bytes ({error})") from None
    return bytes(packed)


def _pack_one(packed: bytearray, parameter: Any, value: Any) -> None:
    at, size = parameter.offset, parameter.size
    address = getattr(value, "_address", None)
    if value is None:
        address = 0
    elif address is None and hasattr(value, "__array_interface__") and getattr(value, "ndim", 0):
        address = value.__array_interface__["data"][0]
    if address is not None:
        struct.pack_into("<Q", packed, at, address)
        return
    if value is not None and hasattr(value, "tobytes") and not isinstance(value, memoryview):
        value = value.tobytes()
    if isinstance(value, bytes):
        if len(value) != size:
            raise ValueError(f"it has {len(value)} bytes")
        packed[at:at + size] = value
    elif isinstance(value, int) and parameter.type[0] in "usb":
        if not -(1 << 8 * size - 1) <= value < 1 << 8 * size:
            raise ValueError("out of range")
        packed[at:at + size] = (value & (1 << 8 * size) - 1).to_bytes(size, "little")
    else:
        struct.pack_into("<" + _CODES[parameter.type], packed, at, value)


# ---- quickly ---------------------------------------------------------------------------------------------------------
class Unusual(Exception):  # noqa: N818 - no error: `pack` takes it, or says what is wrong
    """An argument that the quick way does not know."""


def packer(parameters: Sequence[model.Parameter]) -> tuple[list[Callable[[Any], Any]], Callable[..., bytes]]:
    """A function for each argument, and one that makes what these give a launch's bytes; made once for a kernel. They
    take what is usual, and raise for all else, which may still be right: `pack` knows."""
    converters, code, at = [], "=", 0
    for parameter in parameters:
        convert, kind = _converter(parameter)
        converters.append(convert)
        code += f"{parameter.offset - at}x" * (parameter.offset > at) + kind
        at = parameter.offset + parameter.size
    return converters, struct.Struct(code).pack


def _converter(parameter: model.Parameter) -> tuple[Callable[[Any], Any], str]:
    size, numeric = parameter.size, model.SIZES[parameter.type] == parameter.size
    if not numeric or parameter.type[0] not in "usbf" or size > 8:
        return _bytes_of(size), f"{size}s"
    if parameter.type[0] == "f":
        return (_float32 if size == 4 else _float64), "f" if size == 4 else "d"
    return (_address if size == 8 else _integer(size)), {1: "B", 2: "H", 4: "I", 8: "Q"}[size]


def _address(value: Any) -> int:
    try:
        return value._address
    except AttributeError:
        pass
    if value is None:
        return 0
    return _integer_of_8(value)


def _integer(size: int) -> Callable[[Any], int]:
    mask = (1 << 8 * size) - 1

    def integer(value: Any) -> int:
        if type(value) is int and -(mask + 1 >> 1) <= value <= mask:
            return value & mask
        if isinstance(value, np.generic) and value.dtype.kind in "iu" and value.itemsize == size:
            return int(value) & mask
        return _refuse()
    return integer


_integer_of_8 = _integer(8)


def _float32(value: Any) -> Any:
    return value if type(value) is np.float32 else _refuse()


def _float64(value: Any) -> Any:
    return value if isinstance(value, float) else _refuse()  # np.float64 is one


def _bytes_of(size: int) -> Callable[[Any], bytes]:
    def content(value: Any) -> bytes:
        if isinstance(value, np.void):
            value = value.tobytes()
        return value if isinstance(value, bytes) and len(value) == size else _refuse()
    return content


def _refuse() -> Any:
    raise Unusual
