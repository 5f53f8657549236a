"""What the lanes of a warp do together. Source: PTX ISA, 9.7.9.6 (shfl) and 9.7.13.

The lanes that take part are those that are together at the instruction: the dispatcher lets lanes that came apart meet
again before it goes on. A mask of members that names others is not waited for; lanes that name different masks are
groups of their own.

activemask gives those that are together; for the checker's second launch each lane alone, which a device may give
too. A collective whose mask names the lane alone then concerns nobody else.
"""

from __future__ import annotations

from collections.abc import Callable

from gpunet.ptx.emit import ALL, LANES, Builder, Value, constant, lanes
from gpunet.ptx.lower import Lowering
from gpunet.ptx.model import Discard, Instruction, Operand, Pair
from gpunet.ptx.table import meaning


def _two(operand: Operand) -> tuple[Operand, Operand]:
    return (operand.first, operand.second) if isinstance(operand, Pair) else (operand, Discard())


@meaning("shfl", modifiers="sync up down bfly idx b32")
def shfl(low: Lowering, i: Instruction) -> None:
    """c holds the segments' mask in bits 8 to 12 and the clamp in bits 0 to 4."""
    b, mode = low.b, i.modifiers[-2]
    result, within = _two(i.operands[0])
    value = low.read(i.operands[1], "b32")
    distance, bounds = low.known(i.operands[2]), low.known(i.operands[3])
    if distance is not None and bounds is not None:
        sources, inside = zip(*(_source(mode, lane, distance & 31, bounds) for lane in range(LANES)), strict=True)
        moved, there = b.permute(b.spread(value), sources), b.permute(low.active, sources)
        within_segment, source = lanes("i1", inside), lanes("i32", sources)
    else:
        source, within_segment = _sources(b, mode, low.read(i.operands[2], "b32"), low.read(i.operands[3], "b32"))
        moved = b.through("permute", permute, b.spread(value), b.spread(source))
        there = b.compare("ne", b.both(b.lshr(b.spread(low.mask), source), 1), 0)
    if low.kernel.lanes_apart:
        named = b.spread(low.read(i.operands[4], "b32"))
        there = b.both(b.spread(there), b.compare("ne", b.both(b.lshr(named, b.spread(source)), 1), 0))
    if low.kernel.checking is not None:
        low.kernel.checking.sources(low, i, there, b.spread(source))
    # From a lane that is not here any value may come: its own is the same in every launch.
    low.write(result, moved if low.full and not low.kernel.lanes_apart else b.select(there, moved, b.spread(value)))
    low.write(within, within_segment)


def _source(mode: str, lane: int, distance: int, bounds: int) -> tuple[int, int]:
    segment, clamp = bounds >> 8 & 31, bounds & 31
    first = lane & segment
    last = first | clamp & ~segment
    source = {"up": lane - distance, "down": lane + distance, "bfly": lane ^ distance,
              "idx": first | distance & ~segment}[mode]
    inside = source >= last if mode == "up" else source <= last
    return (source if inside else lane) & 31, int(inside)


def _sources(b: Builder, mode: str, distance: Value, bounds: Value) -> tuple[Value, Value]:
    """The same for distances that are not known."""
    lane, distance = lanes("i32", range(LANES)), b.both(distance, 31)
    segment, clamp = b.both(b.lshr(bounds, 8), 31), b.both(bounds, 31)
    first = b.both(lane, segment)
    last = b.either(first, b.both(clamp, b.invert(segment)))
    source = {"up": lambda: b.sub(lane, distance), "down": lambda: b.add(lane, distance),
              "bfly": lambda: b.xor(lane, distance),
              "idx": lambda: b.either(first, b.both(distance, b.invert(segment)))}[mode]()
    inside = b.compare("sge" if mode == "up" else "sle", source, last)
    return b.both(b.select(inside, source, lane), 31), inside


def permute(b: Builder, value: Value, sources: Value) -> Value:
    """Each lane the value of a lane that it names."""
    b.emit(f"%table = alloca {value.ir}, align 128")
    b.emit(f"store {value}, ptr %table, align 128")
    result = f"{value.ir} poison"
    for lane in range(LANES):
        index = b.extract(sources, lane)
        place = b.value(f"getelementptr {value.type}, ptr %table, {index}", "ptr")
        result = str(b.value(f"insertelement {result}, {b.load(place.text, value.type)}, i32 {lane}", value.type, True))
    return Value(result.rpartition(" ")[2], value.type, True)


@meaning("vote", modifiers="sync all any uni ballot b32 pred")
def vote(low: Lowering, i: Instruction) -> None:
    b, group = low.b, _members(low, i)
    predicate = low.read(i.operands[1], "pred")
    if not predicate.vector:
        predicate = b.spread(predicate)
    yes = b.both(group, b.mask_of(predicate))
    tests = {"ballot": lambda: yes, "any": lambda: b.compare("ne", yes, 0), "all": lambda: b.compare("eq", yes, group),
             "uni": lambda: b.either(b.compare("eq", yes, group), b.compare("eq", yes, 0))}
    low.write(i.operands[0], next(tests[name]() for name in tests if i.has(name)))


_OWN = lanes("i32", [1 << lane for lane in range(LANES)])


def _members(low: Lowering, i: Instruction) -> Value:
    """The lanes that are here of those that take part with each: a vector where lanes may name different ones, as those
    of a warp's tiles do."""
    if not i.has("sync") or (low.known(i.operands[-1]) or 0) & ALL == ALL:
        return low.mask
    return low.b.both(low.read(i.operands[-1], "b32"), low.mask)


@meaning("activemask", modifiers="b32")
def activemask(low: Lowering, i: Instruction) -> None:
    low.write(i.operands[0], _OWN if low.kernel.lanes_apart else low.mask)


@meaning("match", modifiers="sync any all b32 b64")
def match(low: Lowering, i: Instruction) -> None:
    """The lanes that have the same value; .all: the mask if all have, else 0."""
    b, group = low.b, _members(low, i)
    result, alike = _two(i.operands[0])
    value = b.spread(low.read(i.operands[1], i.type))
    same = b.both(b.through("match", _same, value, low.mask), group)
    if i.has("any"):
        return low.write(result, same)
    every = b.compare("eq", same, group)
    low.write(result, b.select(every, b.spread(group), b.spread(constant("i32", 0))))
    low.write(alike, every)


def _same(b: Builder, value: Value, mask: Value) -> Value:
    result = "<32 x i32> poison"
    for lane in range(LANES):
        equal = b.both(b.mask_of(b.compare("eq", value, b.extract(value, lane))), mask)
        result = str(b.value(f"insertelement {result}, {equal}, i32 {lane}", "i32", True))
    return Value(result.rpartition(" ")[2], "i32", True)


@meaning("redux", modifiers="sync add min max and or xor abs NaN u32 s32 b32 f32")
def redux(low: Lowering, i: Instruction) -> None:
    if i.type == "f32":
        return _redux_of_floats(low, i)
    b, operation = low.b, i.modifiers[-2]
    signed = i.type == "s32"
    name = {"min": "smin" if signed else "umin", "max": "smax" if signed else "umax"}.get(operation, operation)
    nothing = {"add": 0, "or": 0, "xor": 0, "and": -1, "umin": -1, "umax": 0, "smin": 2**31 - 1, "smax": -2**31}[name]
    b.module.declarations.add(f"declare i32 @llvm.vector.reduce.{name}.v{LANES}i32(<{LANES} x i32>)")

    def total(b: Builder, value: Value, group: Value) -> Value:
        value = b.select(b.lanes_of(group), value, b.spread(constant("i32", nothing)))
        return b.value(f"call i32 @llvm.vector.reduce.{name}.v{LANES}i32({value})", "i32")

    low.write(i.operands[0], _reduced(low, i, f"redux.{name}", b.spread(low.read(i.operands[1], i.type)), total))


def _redux_of_floats(low: Lowering, i: Instruction) -> None:
    """Half with half, quarter with quarter: NaN loses against a number, or with .NaN wins."""
    value = low.b.spread(low.read(i.operands[1], "f32"))
    value = low.b.call("fabs", value) if i.has("abs") else value
    name = ("minimum" if i.has("min") else "maximum") + ("" if i.has("NaN") else "num")

    def total(b: Builder, value: Value, group: Value) -> Value:
        first = b.extract(value, b.both(b.call("cttz", group, flags=(False,)), LANES - 1))
        value = b.select(b.lanes_of(group), value, b.spread(first))
        for distance in (16, 8, 4, 2, 1):
            value = b.call(name, value, b.permute(value, [lane ^ distance for lane in range(LANES)]))
        return b.extract(value, 0)

    low.write(i.operands[0], _reduced(low, i, f"redux.{name}", value, total))


def _reduced(low: Lowering, i: Instruction, name: str, value: Value,
             total: Callable[[Builder, Value, Value], Value]) -> Value:
    """One number of the values of each group of lanes."""
    group = _members(low, i)
    if not group.vector:
        return total(low.b, value, group)

    def of_each(b: Builder, value: Value, group: Value, here: Value) -> Value:
        b.emit("%left.p = alloca i32")
        b.emit(f"%result.p = alloca {value.ir}, align 128")
        b.store(here, "%left.p")
        b.store(value, "%result.p", 128)
        b.branch(b.compare("eq", here, 0), "over", "turn")
        b.label("turn")
        left = b.load("%left.p", "i32")
        members = b.extract(group, b.first(left))
        same = b.both(b.mask_of(b.compare("eq", group, members)), left)
        found = b.spread(total(b, value, members))
        b.store(b.select(b.lanes_of(same), found, b.load("%result.p", value.type, True, 128)), "%result.p", 128)
        rest = b.both(left, b.invert(same))
        b.store(rest, "%left.p")
        b.branch(b.compare("ne", rest, 0), "turn", "over")
        b.label("over")
        return b.load("%result.p", value.type, True, 128)

    return low.b.through(name, of_each, value, group, low.mask)


@meaning("elect", modifiers="sync")
def elect(low: Lowering, i: Instruction) -> None:
    """One lane of the members, their lowest."""
    b = low.b
    which, chosen = _two(i.operands[0])
    first = b.call("cttz", _members(low, i), flags=(False,))
    low.write(which, first)
    low.write(chosen, b.compare("eq", lanes("i32", range(LANES)), first))
