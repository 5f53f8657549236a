"""The arithmetic that integers, floats and halves have under the same names: the type decides."""

from __future__ import annotations

from collections.abc import Callable

from gpunet.ptx import floating, half, integer
from gpunet.ptx.emit import Value
from gpunet.ptx.lower import Lowering
from gpunet.ptx.model import Instruction
from gpunet.ptx.table import FLOATS, HALVES, INTEGERS, meaning, refuse

_ROUNDING = "rn rz rm rp ftz sat"

_INTEGER: dict[str, Callable[[Lowering, Instruction], Value]] = {
    "add": integer.add, "sub": integer.add, "mul": integer.multiply, "div": integer.divide, "abs": integer.absolute,
    "neg": integer.negative, "min": integer.least, "max": integer.least}
_FLOAT: dict[str, Callable[[Lowering, Instruction], Value]] = {
    "add": floating.add, "sub": floating.add, "mul": floating.multiply, "fma": floating.fused, "mad": floating.fused,
    "div": floating.divide, "abs": floating.absolute, "neg": floating.negative, "min": floating.least,
    "max": floating.least, "ex2": floating.approximate, "lg2": floating.approximate, "rsqrt": floating.approximate,
    "sin": floating.approximate, "cos": floating.approximate, "tanh": floating.approximate}


@meaning("add", "sub", modifiers=f"{_ROUNDING} cc {INTEGERS} {FLOATS} f32x2 {HALVES}")
@meaning("mul", modifiers=f"{_ROUNDING} lo hi wide {INTEGERS} {FLOATS} f32x2 {HALVES}")
@meaning("fma", modifiers=f"{_ROUNDING} relu {FLOATS} f32x2 {HALVES}")
@meaning("mad", modifiers=f"{_ROUNDING} lo hi wide cc {INTEGERS} {FLOATS}")
@meaning("div", modifiers=f"{_ROUNDING} approx full {INTEGERS} {FLOATS}")
@meaning("abs", "neg", modifiers=f"ftz {INTEGERS} {FLOATS} {HALVES}")
@meaning("min", "max", modifiers=f"ftz NaN relu {INTEGERS} {FLOATS} {HALVES}")
@meaning("ex2", "lg2", "rsqrt", "sin", "cos", "tanh", modifiers=f"approx ftz {FLOATS} {HALVES}")
def arithmetic(low: Lowering, i: Instruction) -> None:
    if i.type in HALVES.split():
        if {"rz", "rm", "rp"} & set(i.modifiers):
            refuse(i, "directed rounding of halves")
        result = half.arithmetic(low, i)
    elif i.type == "f32x2":
        if {"rz", "rm", "rp"} & set(i.modifiers):
            refuse(i, "directed rounding of pairs")
        result = floating.paired(low, i)
    elif i.type in FLOATS.split():
        if i.has("relu"):
            refuse(i, ".relu")
        result = _FLOAT[i.opcode](low, i)
    elif i.has("cc"):
        return integer.carry_out(low, i)
    elif i.opcode == "mad":
        return integer.mad(low, i)
    elif i.opcode in _INTEGER:
        result = _INTEGER[i.opcode](low, i)
    else:
        refuse(i)
    low.write(i.operands[0], result, integer.signed(i.type))
