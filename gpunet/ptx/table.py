"""The table of instructions: by opcode the function that gives its meaning, and the modifiers that it understands.

The functions stand in integer.py, floating.py, convert.py, moves.py, memory.py, atomics.py, warp.py, tensor.py and
control.py. What is not in the table is refused by name.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn

from gpunet.ptx.errors import Unsupported
from gpunet.ptx.model import SIZES, Instruction

if TYPE_CHECKING:
    from gpunet.ptx.lower import Lowering

Meaning = Callable[["Lowering", Instruction], None]

MEANINGS: dict[str, tuple[Meaning, frozenset[str] | None]] = {}

INTEGERS = "u8 s8 b8 u16 s16 b16 u32 s32 b32 u64 s64 b64"
FLOATS = "f32 f64"
HALVES = "f16 f16x2 bf16 bf16x2"


def meaning(*opcodes: str, modifiers: str | None) -> Callable[[Meaning], Meaning]:
    """Enters a function into the table. `modifiers` are all that it understands; None: it looks at them itself."""
    def enter(function: Meaning) -> Meaning:
        for opcode in opcodes:
            MEANINGS[opcode] = function, None if modifiers is None else frozenset(modifiers.split())
        return function
    return enter


def refuse(instruction: Instruction, reason: str = "") -> NoReturn:
    place = f" ({instruction.location})" if instruction.location else ""
    raise Unsupported(f"line {instruction.line}{place}: {instruction.name} is not simulated{reason and ': ' + reason}")


def lower(lowering: Lowering, instruction: Instruction) -> None:
    found = MEANINGS.get(instruction.opcode)
    if found is None:
        refuse(instruction)
    function, known = found
    if known is not None and (unknown := [each for each in instruction.modifiers if each not in known]):
        refuse(instruction, f".{unknown[0]}")
    function(lowering, instruction)


_IR: dict[str, Any] = {"pred": "i1", "f32": "float", "f64": "double"}


def ir(type: str) -> str:
    """LLVM's type of a PTX type; halves and packed types are held as bits."""
    return _IR.get(type) or {1: "i8", 2: "i16", 4: "i32", 8: "i64", 16: "i128"}[SIZES[type]]
