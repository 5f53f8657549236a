"""Instructions on half types, alone and two to a register. Source: PTX ISA, 9.7.4.

Sums and products are computed in float32, which holds more than twice their digits, and rounded once more: exact. A
fused multiply-add is computed in float64, rounded to float32 so that its last bit is odd where anything was lost, and
then to the half type: one rounding in effect.
"""

from __future__ import annotations

from collections.abc import Callable

from gpunet.ptx import floating
from gpunet.ptx.emit import Builder, Value, constant
from gpunet.ptx.lower import Lowering
from gpunet.ptx.model import Instruction
from gpunet.ptx.table import refuse

ALONE = ("f16", "bf16")
PACKED = ("f16x2", "bf16x2")


def to_float(b: Builder, bits: Value, type: str) -> Value:
    """float32 of the 16 bits of a half type."""
    if type.startswith("bf16"):
        return b.bitcast(b.shl(b.resize(bits, "i32"), 16), "float")
    return b.cast("fpext", b.bitcast(bits, "half"), "float")


def from_float(b: Builder, value: Value, type: str) -> Value:
    """The 16 bits of a half type next to a float32."""
    if type.startswith("f16"):
        return b.bitcast(b.cast("fptrunc", value, "half"), "i16")
    bits = b.bitcast(value, "i32")
    odd = b.both(b.lshr(bits, 16), 1)
    rounded = b.lshr(b.add(bits, b.add(odd, 0x7FFF)), 16)
    return b.resize(b.select(b.compare("uno", value, value), 0x7FFF, rounded), "i16")


def odd_float(b: Builder, value: Value) -> Value:
    """float32 of a float64, towards zero and with its last bit set where digits were lost."""
    rounded = b.cast("fptrunc", value, "float")
    back = floating.wide(b, rounded)
    bits = b.bitcast(rounded, "i32")
    too_far = b.compare("ogt", b.call("fabs", back), b.call("fabs", value))
    bits = b.select(too_far, b.sub(bits, 1), bits)
    return b.bitcast(b.select(b.compare("one", back, value), b.either(bits, 1), bits), "float")


def parts(b: Builder, value: Value, type: str) -> list[Value]:
    """The 16 bits of each element, the lower one first."""
    if type in ALONE:
        return [value]
    return [b.resize(value, "i16"), b.resize(b.lshr(value, 16), "i16")]


def joined(b: Builder, values: list[Value]) -> Value:
    if len(values) == 1:
        return values[0]
    low, high = (b.resize(value, "i32") for value in values)
    return b.either(low, b.shl(high, 16))


def elementwise(low: Lowering, i: Instruction, compute: Callable[..., Value]) -> Value:
    """`compute(*float32 values)` of each element, as float32 or as bits, and the modifiers of the result."""
    b, type = low.b, i.type
    if i.has("ftz"):
        refuse(i, ".ftz")
    columns = [parts(b, low.read(each, type), type) for each in i.operands[1:]]
    results = []
    for elements in zip(*columns, strict=True):
        result = compute(*(to_float(b, each, type) for each in elements))
        if result.type == "double":
            result = odd_float(b, result)
        if i.has("sat"):
            result = floating.saturated(b, result)
        if i.has("relu"):
            result = b.select(b.compare("ogt", result, 0.0), result, b.select(b.compare("uno", result, result), result, 0.0))
        results.append(from_float(b, result, type))
    return joined(b, results)


def arithmetic(low: Lowering, i: Instruction) -> Value:
    b = low.b

    def fused(x: Value, y: Value, z: Value) -> Value:
        return b.call("fma", *(floating.wide(b, each) for each in (x, y, z)))

    operations: dict[str, Callable[..., Value]] = {
        "add": b.add, "sub": b.sub, "mul": b.mul, "fma": fused, "abs": lambda x: b.call("fabs", x),
        "neg": lambda x: floating.negated(b, x), "min": lambda x, y: floating.extreme(b, i, x, y),
        "max": lambda x, y: floating.extreme(b, i, x, y), "div": b.div}
    if i.opcode in floating.APPROXIMATE:
        return elementwise(low, i, lambda x: b.through(i.opcode, floating.APPROXIMATE[i.opcode], x))
    if i.opcode in ("abs", "neg"):  # of the bits: also of NaNs
        value = low.read(i.operands[1], i.type)
        sign = constant(value.type, 0x80008000 if i.type in PACKED else 0x8000)
        return b.both(value, b.invert(sign)) if i.opcode == "abs" else b.xor(value, sign)
    return elementwise(low, i, operations[i.opcode])
