"""Moves, selections, comparisons and conversions of addresses. Source: PTX ISA, 9.7.6 and 9.7.9."""

from __future__ import annotations

from gpunet.ptx import clusters, floating, half
from gpunet.ptx.emit import BITS, Builder, Value, constant
from gpunet.ptx.layout import SHARED_SHIFT, Launch
from gpunet.ptx.lower import Lowering
from gpunet.ptx.model import SIZES, Discard, Instruction, Pair, Vector
from gpunet.ptx.table import FLOATS, HALVES, INTEGERS, ir, meaning, refuse


@meaning("mov", modifiers=f"{INTEGERS} {FLOATS} {HALVES} pred")
def mov(low: Lowering, i: Instruction) -> None:
    """A copy; with a vector on one side, the pieces of a register."""
    to, source = i.operands
    if isinstance(to, Vector):
        value = low.b.bitcast(low.read(source, i.type), f"i{8 * SIZES[i.type]}")
        bits = BITS[value.type] // len(to.elements)
        for number, each in enumerate(to.elements):
            piece = low.b.resize(low.b.lshr(value, number * bits) if number else value, f"i{bits}")
            low.write(each, piece)
    elif isinstance(source, Vector):
        bits = 8 * SIZES[i.type] // len(source.elements)
        total = constant(f"i{8 * SIZES[i.type]}", 0)
        for number, each in enumerate(source.elements):
            piece = low.b.resize(low.read(each, f"b{bits}"), total.type)
            total = piece if number == 0 else low.b.either(total, low.b.shl(piece, number * bits))
        low.write(to, total)
    else:
        low.write(to, low.read(source, i.type))


@meaning("cvta", modifiers="to global shared shared::cta shared::cluster local const param u32 u64")
def cvta(low: Lowering, i: Instruction) -> None:
    """All addresses are the host's own but those of shared memory, which are offsets in the block's."""
    b = low.b
    value = low.read(i.operands[1], i.type)
    if {"shared", "shared::cta", "shared::cluster"} & set(i.modifiers):
        wide = b.resize(value, "i64", True)
        base = Value("%shared", "i64")
        value = b.sub(wide, base) if i.has("to") else b.add(wide, base)
    low.write(i.operands[0], value)


@meaning("isspacep", modifiers="global shared shared::cta shared::cluster local const param")
def isspacep(low: Lowering, i: Instruction) -> None:
    b, address = low.b, low.read(i.operands[1], "u64")
    offset = b.sub(address, Value("%shared", "i64"))
    limit = b.resize(b.load(b.at("%launch", Launch.SHARED_LIMIT), "i32"), "i64")
    shared = b.compare("ult", offset, limit)
    if i.modifiers[-1] == "shared::cluster":
        rank = b.resize(clusters.special(low, "%cluster_ctarank"), "i64")
        offset = b.add(offset, b.shl(rank, SHARED_SHIFT))
        low.write(i.operands[0], b.compare("ult", offset, low.kernel.cluster_size << SHARED_SHIFT))
    elif i.modifiers[-1].startswith("shared"):
        low.write(i.operands[0], shared)
    elif i.has("global"):
        low.write(i.operands[0], b.both(b.invert(shared), b.invert(low.is_local(address))))
    elif i.has("local"):
        low.write(i.operands[0], low.is_local(address))
    else:
        refuse(i)


@meaning("selp", modifiers=f"{INTEGERS} {FLOATS}")
def selp(low: Lowering, i: Instruction) -> None:
    a, c = (low.read(each, i.type) for each in i.operands[1:3])
    low.write(i.operands[0], low.b.select(low.read(i.operands[3], "pred"), a, c))


@meaning("slct", modifiers=f"ftz {INTEGERS} {FLOATS}")
def slct(low: Lowering, i: Instruction) -> None:
    """a where c >= 0, else b; also for c = -0, not for NaN."""
    b, (type, by) = low.b, i.modifiers[-2:]
    a, c = (low.read(each, type) for each in i.operands[1:3])
    sign = low.read(i.operands[3], by)
    if i.has("ftz"):
        sign = floating.flushed(b, sign)
    positive = b.compare("oge", sign, 0.0) if by == "f32" else b.compare("sge", sign, 0)
    low.write(i.operands[0], b.select(positive, a, c))


_ORDERS = {"eq": "eq", "ne": "ne", "lt": "lt", "le": "le", "gt": "gt", "ge": "ge", "lo": "lt", "ls": "le", "hi": "gt",
           "hs": "ge"}
_UNORDERED = {"equ": "ueq", "neu": "une", "ltu": "ult", "leu": "ule", "gtu": "ugt", "geu": "uge", "num": "ord",
              "nan": "uno"}
_COMPARISONS = " ".join((*_ORDERS, *_UNORDERED))


def comparison(b: Builder, name: str, type: str, a: Value, c: Value) -> Value:
    if a.type in ("float", "double"):
        return b.compare(_UNORDERED.get(name) or "o" + _ORDERS[name], a, c)
    order = _ORDERS[name]
    if order in ("eq", "ne"):
        return b.compare(order, a, c)
    signed = type[0] == "s" and name not in ("lo", "ls", "hi", "hs")
    return b.compare(("s" if signed else "u") + order, a, c)


def _compared(low: Lowering, i: Instruction, type: str) -> list[tuple[Value, Value]]:
    """The operands to compare: one pair, or two of packed halves."""
    b = low.b
    a, c = (low.read(each, type) for each in i.operands[1:3])
    if type in HALVES.split():
        if i.has("ftz"):
            refuse(i, ".ftz")
        return [(half.to_float(b, x, type), half.to_float(b, y, type))
                for x, y in zip(half.parts(b, a, type), half.parts(b, c, type), strict=True)]
    if i.has("ftz") and a.type == "float":
        return [(floating.flushed(b, a), floating.flushed(b, c))]
    return [(a, c)]


def _combined(low: Lowering, i: Instruction, result: Value) -> Value:
    joiner = next((each for each in i.modifiers if each in ("and", "or", "xor")), None)
    return result if joiner is None else low.b.binary(joiner, result, low.read(i.operands[3], "pred"))


@meaning("setp", modifiers=f"{_COMPARISONS} and or xor ftz {INTEGERS} {FLOATS} {HALVES}")
def setp(low: Lowering, i: Instruction) -> None:
    """The comparison, and its opposite in a second predicate; of packed halves one predicate each."""
    to, results = i.operands[0], [comparison(low.b, i.modifiers[0], i.type, *pair) for pair in _compared(low, i,
                                                                                                         i.type)]
    first, second = (to.first, to.second) if isinstance(to, Pair) else (to, Discard())
    low.write(first, _combined(low, i, results[0]))
    if not isinstance(second, Discard):
        other = results[1] if len(results) > 1 else low.b.invert(results[0])
        low.write(second, _combined(low, i, other))


@meaning("set", modifiers=f"{_COMPARISONS} and or xor ftz {INTEGERS} {FLOATS} {HALVES}")
def set_(low: Lowering, i: Instruction) -> None:
    """All ones for true, or 1.0 as a float."""
    b, (to, frm) = low.b, i.modifiers[-2:]
    results = [_combined(low, i, comparison(b, i.modifiers[0], frm, *pair)) for pair in _compared(low, i, frm)]
    if to == "f32":
        low.write(i.operands[0], b.select(results[0], 1.0, constant("float", 0.0)))
    elif to in HALVES.split():
        one = constant("i16", 0x3F80 if to.startswith("b") else 0x3C00)
        low.write(i.operands[0], half.joined(b, [b.select(each, one, 0) for each in results]))
    elif len(results) > 1:
        low.write(i.operands[0], half.joined(b, [b.resize(each, "i16", True) for each in results]))
    else:
        low.write(i.operands[0], b.resize(results[0], ir(to), True), True)
