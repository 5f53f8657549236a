"""cvt: between all types. Source: PTX ISA, 9.7.9.21."""

from __future__ import annotations

from gpunet.ptx import float8, floating, half
from gpunet.ptx.emit import BITS, Builder, Value, constant
from gpunet.ptx.lower import Lowering
from gpunet.ptx.model import Instruction
from gpunet.ptx.table import FLOATS, HALVES, INTEGERS, ir, meaning, refuse

_WHOLE = {"rni": "roundeven", "rzi": "trunc", "rmi": "floor", "rpi": "ceil"}
_HALVES = HALVES.split()


_BYTES = {"e4m3x2": float8.E4M3, "e5m2x2": float8.E5M2}


@meaning("cvt", modifiers=f"rn rz rm rp rna rni rzi rmi rpi ftz sat relu satfinite {INTEGERS} {FLOATS} {HALVES} tf32 "
                          f"{' '.join(_BYTES)}")
def cvt(low: Lowering, i: Instruction) -> None:
    to, frm = i.modifiers[-2:]
    if to in _BYTES:
        return _to_bytes(low, i, to, frm)
    if i.has("satfinite"):
        refuse(i, ".satfinite")
    if frm in _BYTES:
        value = low.read(i.operands[1], "b16")
        parts = [float8.to_half(low.b, part, _BYTES[frm]) for part in (value, low.b.lshr(value, 8))]
        if i.has("relu"):
            parts = [low.b.select(low.b.compare("slt", part, 0), 0, part) for part in parts]
        low.write(i.operands[0], half.joined(low.b, parts))
    elif to == "tf32":
        low.write(i.operands[0], _tf32(low, i))
    elif to in half.PACKED:
        _pair(low, i, to, frm)
    elif to in _HALVES:
        low.write(i.operands[0], _to_half(low, i, low.read(i.operands[1], frm), to, frm))
    else:
        value = low.read(i.operands[1], frm)
        if frm in _HALVES:
            value, frm = half.to_float(low.b, value, frm), "f32"
        low.write(i.operands[0], _convert(low, i, value, to, frm), to[0] == "s")


def _to_bytes(low: Lowering, i: Instruction, to: str, frm: str) -> None:
    """Two numbers to one register: of floats the first is the upper byte."""
    b = low.b
    if frm == "f32":
        upper, lower = (low.read(each, "f32") for each in i.operands[1:])
    else:
        lower, upper = (half.to_float(b, each, frm) for each in half.parts(b, low.read(i.operands[1], frm), frm))
    if i.has("relu"):
        lower, upper = (b.select(b.compare("olt", each, 0.0), 0.0, each) for each in (lower, upper))
    low_byte, high_byte = (float8.from_float(b, each, _BYTES[to]) for each in (lower, upper))
    low.write(i.operands[0], b.either(low_byte, b.shl(high_byte, 8)))


def _convert(low: Lowering, i: Instruction, value: Value, to: str, frm: str) -> Value:
    b, floats = low.b, FLOATS.split()
    if i.has("ftz") and value.type == "float":
        value = floating.flushed(b, value)
    if frm in floats:
        rounding = next((_WHOLE[each] for each in i.modifiers if each in _WHOLE), None)
        if rounding is not None:
            value = b.call(rounding, value)
        if to not in floats:
            if rounding is None:
                refuse(i, "a conversion to integers without rounding")
            return _to_integer(b, value, to, frm)
        result = _between_floats(low, i, value, to)
        return floating.finish(low, i, result) if result.type == "float" else (
            floating.saturated(b, result) if i.has("sat") else result)
    if to in floats:
        return _from_integer(low, i, value, to, frm)
    return _between_integers(b, i, value, to, frm)


def _between_integers(b: Builder, i: Instruction, value: Value, to: str, frm: str) -> Value:
    if i.has("sat"):
        low_end, high_end = _range(to)
        bits = BITS[value.type]
        least, most = _range(frm)
        if most > high_end:
            value = b.call("smin" if frm[0] == "s" else "umin", value, high_end)
        if least < low_end:
            value = b.call("smax", value, max(low_end, -(1 << bits - 1)))
    return b.resize(value, ir(to), frm[0] == "s")


def _range(type: str) -> tuple[int, int]:
    bits = int(type[1:])
    return (-(1 << bits - 1), (1 << bits - 1) - 1) if type[0] == "s" else (0, (1 << bits) - 1)


def _to_integer(b: Builder, value: Value, to: str, frm: str) -> Value:
    """Into the type's range; NaN is 0, or where a type has 64 bits the highest bit alone."""
    signed, bits = to[0] == "s", int(to[1:])
    result = b.call(f"fpto{'s' if signed else 'u'}i.sat", value, type=ir(to))
    if frm == "f64" or bits == 64:
        result = b.select(b.compare("uno", value, value), constant(result.type, 1 << bits - 1), result)
    return result


def _between_floats(low: Lowering, i: Instruction, value: Value, to: str) -> Value:
    b = low.b
    if value.type == "float" and to == "f64":
        return floating.wide(b, value)
    if value.type == "double" and to == "f32":
        result = b.cast("fptrunc", value, "float")
        if floating.DIRECTED & set(i.modifiers):
            result = floating.directed(b, i, result, b.sub(value, floating.wide(b, result)))
        return result
    return value


def _from_integer(low: Lowering, i: Instruction, value: Value, to: str, frm: str) -> Value:
    b = low.b
    operation = "sitofp" if frm[0] == "s" else "uitofp"
    result = b.cast(operation, value, ir(to))
    if floating.DIRECTED & set(i.modifiers) and not (to == "f64" and BITS[value.type] < 64):
        if to == "f64":
            result = floating.in_mode(b, i, operation, value, to=ir(to))
            return floating.saturated(b, result) if i.has("sat") else result
        exact = b.cast(operation, _for_a_double(b, value, frm[0] == "s"), "double")
        result = floating.directed(b, i, result, b.sub(exact, floating.wide(b, result)))
    return floating.saturated(b, result) if i.has("sat") else result


def _for_a_double(b: Builder, value: Value, signed: bool) -> Value:
    """An integer that a double holds and that compares as `value` does with every float32. One of 64 bits may have more
    digits than a double: they are gathered in the last that it has, which makes it odd."""
    if BITS[value.type] <= 32:
        return value
    gathered = b.both(b.either(value, b.add(b.both(value, 0x7FF), 0x7FF)), ~0x7FF)
    short = b.compare("ult", b.add(value, 1 << 53) if signed else value, 1 << 54 if signed else 1 << 53)
    return b.select(short, value, gathered)


def _to_half(low: Lowering, i: Instruction, value: Value, to: str, frm: str) -> Value:
    b = low.b
    if {"rz", "rm", "rp"} & set(i.modifiers):
        refuse(i, "directed rounding of halves")
    if frm in _HALVES:
        value = half.to_float(b, value, frm)
        if rounding := next((_WHOLE[each] for each in i.modifiers if each in _WHOLE), None):
            value = b.call(rounding, value)
    elif value.type not in ("float", "double"):
        if BITS[value.type] == 64 and to == "bf16":
            refuse(i, "64 bits to .bf16")
        value = b.cast("sitofp" if frm[0] == "s" else "uitofp", value, "double")
    if value.type == "double":
        value = half.odd_float(b, value)
    if i.has("sat"):
        value = floating.saturated(b, value)
    if i.has("relu"):
        value = b.select(b.compare("ult", value, 0.0), b.select(b.compare("uno", value, value), value, 0.0), value)
    return half.from_float(b, value, to)


def _pair(low: Lowering, i: Instruction, to: str, frm: str) -> None:
    """Two floats to one register: the first is the upper half."""
    if frm != "f32" or len(i.operands) != 3:
        refuse(i)
    upper, lower = (_to_half(low, i, low.read(each, "f32"), to, frm) for each in i.operands[1:])
    low.write(i.operands[0], half.joined(low.b, [lower, upper]))


def _tf32(low: Lowering, i: Instruction) -> Value:
    """10 bits of fraction: .rna to nearest, away from zero in the middle."""
    b, value = low.b, low.read(i.operands[1], "f32")
    bits = b.bitcast(value, "i32")
    if i.has("rna"):
        rounded = b.add(bits, 0x1000)
    elif i.has("rn"):
        rounded = b.add(bits, b.add(b.both(b.lshr(bits, 13), 1), 0x0FFF))
    else:
        rounded = bits
    if i.has("relu"):
        refuse(i, ".relu")
    rounded = b.both(rounded, -0x2000)
    return b.select(b.compare("uno", value, value), 0x7FFFFFFF, rounded)
