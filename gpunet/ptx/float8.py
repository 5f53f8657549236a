"""Numbers of 8 bits: e4m3 (no infinity; its largest is 448) and e5m2 (57344). Source: PTX ISA, 5.2.3 and 9.7.9.21."""

from __future__ import annotations

from typing import NamedTuple

from gpunet.ptx.emit import Builder, Value, constant


class Format(NamedTuple):
    fraction: int  # bits
    least: int  # exponent of the smallest normal number
    largest: float


E4M3, E5M2 = Format(3, -6, 448.0), Format(2, -14, 57344.0)
_NAN = 0x7F


def from_float(b: Builder, value: Value, format: Format) -> Value:
    """The 8 bits, in 16, next to a float32, to even in the middle; what is too large becomes the largest."""
    size = b.call("fabs", value)
    clamped = b.select(b.compare("ogt", size, format.largest), format.largest, size)
    exponent = b.sub(b.lshr(b.bitcast(clamped, "i32"), 23), 127)
    exponent = b.call("smax", exponent, format.least)
    # Units of the last place: of the exponent's numbers there are 2^fraction to 2 * 2^fraction.
    scale = b.bitcast(b.shl(b.sub(constant("i32", 127 + format.fraction), exponent), 23), "float")
    units = b.call("fptosi.sat", b.call("roundeven", b.mul(clamped, scale)), type="i32")
    code = b.add(b.shl(b.sub(exponent, format.least), format.fraction), units)
    sign = b.both(b.lshr(b.bitcast(value, "i32"), 24), 0x80)
    return b.resize(b.select(b.compare("uno", value, value), _NAN, b.either(code, sign)), "i16")


def to_half(b: Builder, bits: Value, format: Format) -> Value:
    """The f16 of the lower 8 of 16 bits: exact."""
    bits = b.both(bits, 0xFF)
    if format is E5M2:
        return b.shl(bits, 8)
    magnitude = b.both(bits, 0x7F)
    # As a half's bits its exponent is 8 too small.
    number = b.cast("fpext", b.bitcast(b.shl(magnitude, 7), "half"), "float")
    scaled = b.bitcast(b.cast("fptrunc", b.mul(number, 256.0), "half"), "i16")
    scaled = b.select(b.compare("eq", magnitude, _NAN), 0x7FFF, scaled)
    return b.either(scaled, b.shl(b.both(bits, 0x80), 8))
