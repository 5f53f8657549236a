"""atom and red: lane by lane, from the first on. Source: PTX ISA, 9.7.13.

All are sequentially consistent, which is stronger than any order that PTX asks for.
"""

from __future__ import annotations

from gpunet.ptx import half
from gpunet.ptx.emit import LANES, Builder, Value
from gpunet.ptx.lower import Lowering
from gpunet.ptx.memory import ORDERS, SPACES, address, checked, space_of
from gpunet.ptx.model import SIZES, Instruction
from gpunet.ptx.shadow import READ, WRITE
from gpunet.ptx.table import FLOATS, HALVES, INTEGERS, ir, meaning, refuse

_OPERATIONS = ("add", "exch", "cas", "min", "max", "and", "or", "xor", "inc", "dec")


@meaning("atom", "red", modifiers=f"{SPACES} {ORDERS} {' '.join(_OPERATIONS)} noftz {INTEGERS} {FLOATS} {HALVES}")
def atom(low: Lowering, i: Instruction) -> None:
    b = low.b
    operands = i.operands if i.opcode == "red" else i.operands[1:]
    operation = next(each for each in reversed(i.modifiers[:-1]) if each in _OPERATIONS)
    values = [b.spread(low.read(each, i.type)) for each in operands[1:]]
    where = address(low, i, operands[0], space_of(i))
    if operation == "cas" and low.kernel.checking is not None:
        low.kernel.checking.compared(low, where, values[0], SIZES[i.type], space_of(i))
    where = b.spread(checked(low, i, where, SIZES[i.type], READ | WRITE))
    name = _name(i, operation)

    def make(inner: Builder, at: Value, mask: Value, *mine: Value) -> list[Value]:
        return _lane_by_lane(inner, at, mask, mine, name, i.type)

    (before,) = b.through_all(f"atomic.{name}.{i.type}", make, where, low.mask, *values)
    if i.opcode == "atom":
        low.write(i.operands[0], before, i.type[0] == "s")


def _name(i: Instruction, operation: str) -> str:
    """The operation as atomicrmw has it; "cas"; "half" for sums of halves."""
    if i.type in HALVES.split():
        if operation != "add":
            refuse(i)
        return "half"
    if i.type in FLOATS.split():
        if operation not in ("add", "exch", "cas"):
            refuse(i)
        return {"add": "fadd", "exch": "xchg", "cas": "cas"}[operation]
    unsigned = "u" if operation in ("min", "max") and i.type[0] != "s" else ""
    return {"exch": "xchg", "inc": "uinc_wrap", "dec": "udec_wrap"}.get(operation, unsigned + operation)


def _lane_by_lane(b: Builder, at: Value, mask: Value, values: tuple[Value, ...], name: str, type: str) -> list[Value]:
    element = ir(type)
    vector = f"<{LANES} x {element}>"
    b.jump("head")
    b.label("head")
    b.emit(f"%all = phi {vector} [ zeroinitializer, %0 ], [ %all.next, %turned ]")
    b.emit(f"%left = phi i32 [ {mask.text}, %0 ], [ %left.next, %turned ]")
    left = Value("%left", "i32")
    b.branch(b.compare("ne", left, 0), "turn", "over")
    b.label("turn")
    lane = b.first(left)
    pointer = b.pointer(b.extract(at, lane))
    mine = [b.extract(value, lane) for value in values]
    if name == "half":
        old = _add_halves(b, pointer, mine[0], type)
    elif name == "cas":
        kind = element if element.startswith("i") else f"i{8 * {'float': 4, 'double': 8}[element]}"
        expected, new = (b.bitcast(value, kind) for value in mine)
        both = b.fresh("pair")
        b.emit(f"%{both} = cmpxchg ptr {pointer}, {expected}, {new} seq_cst seq_cst")
        old = b.bitcast(b.value(f"extractvalue {{ {kind}, i1 }} %{both}, 0", kind), element)
    else:
        old = b.value(f"atomicrmw {name} ptr {pointer}, {mine[0]} seq_cst", element)
    b.emit(f"%all.next = insertelement {vector} %all, {old}, {lane}")
    b.emit(f"%left.next = and i32 %left, {b.sub(left, 1).text}")
    b.jump("turned")
    b.label("turned")
    b.jump("head")
    b.label("over")
    return [Value("%all", element, True)]


def _add_halves(b: Builder, pointer: str, value: Value, type: str) -> Value:
    """Until nobody else has come between."""
    first = b.load(pointer, value.type)
    b.jump("before")
    b.label("before")
    b.jump("again")
    b.label("again")
    b.emit(f"%old = phi {value.type} [ {first.text}, %before ], [ %seen, %again ]")
    old = Value("%old", value.type)
    sums = [half.from_float(b, b.add(half.to_float(b, x, type), half.to_float(b, y, type)), type)
            for x, y in zip(half.parts(b, old, type), half.parts(b, value, type), strict=True)]
    b.emit(f"%pair = cmpxchg ptr {pointer}, {old}, {half.joined(b, sums)} seq_cst seq_cst")
    b.emit(f"%seen = extractvalue {{ {value.type}, i1 }} %pair, 0")
    b.emit(f"%done = extractvalue {{ {value.type}, i1 }} %pair, 1")
    b.emit("br i1 %done, label %added, label %again")
    b.label("added")
    return old
