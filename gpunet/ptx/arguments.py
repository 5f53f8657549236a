"""What a launch passes, as the bytes of a kernel's parameters."""

from __future__ import annotations

import ctypes
import functools
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


REFUSALS = Unusual, ValueError, TypeError, AttributeError, struct.error


@functools.cache
def packer(parameters: tuple[model.Parameter, ...]) -> Callable[..., bytes]:
    """What makes a launch's arguments its bytes, written for a kernel's parameters. It takes what is usual, and raises
    one of `REFUSALS` for all else, which may still be right: `pack` knows."""
    names: dict[str, Any] = {"byte_of": ctypes.c_char.from_buffer, "addressof": ctypes.addressof, "ndarray": np.ndarray}
    code, at, taken, values = "=", 0, [], []
    for number, parameter in enumerate(parameters):
        names[f"c{number}"], kind = _converter(parameter)
        given = f"a{number}"
        taken.append(given)
        value = f"c{number}({given})"
        if kind == "Q":  # from_buffer refuses what is read-only, empty or in steps
            value = f"addressof(byte_of({given})) if type({given}) is ndarray and {given}.ndim else {value}"
        values.append(value)
        code += f"{parameter.offset - at}x" * (parameter.offset > at) + kind
        at = parameter.offset + parameter.size
    names["packed"] = struct.Struct(code).pack
    exec(f"def pack({', '.join(taken)}):\n    return packed({', '.join(values)})", names)
    return names["pack"]


def _converter(parameter: model.Parameter) -> tuple[Callable[[Any], Any], str]:
    size, numeric = parameter.size, model.SIZES[parameter.type] == parameter.size
    if not numeric or parameter.type[0] not in "usbf" or size > 8:
        return _bytes_of(size), f"{size}s"
    if parameter.type[0] == "f":
        return (_float32 if size == 4 else _float64), "f" if size == 4 else "d"
    return (_address if size == 8 else _integer(size)), {1: "B", 2: "H", 4: "I", 8: "Q"}[size]


def _address(value: Any) -> int:
    kind = type(value)
    if kind is int and -1 << 63 <= value < 1 << 64:
        return value & _MOST
    if kind in _WHOLE_8:
        return int(value) & _MOST
    return 0 if value is None else value._address


def _integer(size: int) -> Callable[[Any], int]:
    mask, kinds = (1 << 8 * size) - 1, _whole(size)

    def integer(value: Any) -> int:
        kind = type(value)
        if kind is int and -(mask + 1 >> 1) <= value <= mask or kind in kinds:
            return int(value) & mask
        raise Unusual
    return integer


def _whole(size: int) -> frozenset[type]:
    """NumPy's types of whole numbers of so many bytes."""
    return frozenset(np.dtype(code).type for code in "bBhHiIlLqQ" if np.dtype(code).itemsize == size)


_WHOLE_8, _MOST = _whole(8), (1 << 64) - 1


def _float32(value: Any) -> Any:
    if type(value) is np.float32:
        return value
    raise Unusual


def _float64(value: Any) -> Any:
    if isinstance(value, float):  # np.float64 is one
        return value
    raise Unusual


def _bytes_of(size: int) -> Callable[[Any], bytes]:
    def content(value: Any) -> bytes:
        if isinstance(value, np.void):
            value = value.tobytes()
        if isinstance(value, bytes) and len(value) == size:
            return value
        raise Unusual
    return content
