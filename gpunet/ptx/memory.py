"""Loads and stores. Source: PTX ISA, 9.7.9.

An address of shared memory is an offset of 32 bits in the block's; all others, and generic ones, are the host's own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from gpunet.ptx.emit import BITS, LANES, SUFFIX, Builder, Value, constant, lanes
from gpunet.ptx.lower import Lowering
from gpunet.ptx.model import SIZES, Address, Instruction, Operand, Register, Symbol, Vector
from gpunet.ptx.shadow import READ, WRITE
from gpunet.ptx.table import FLOATS, INTEGERS, ir, meaning, refuse

SPACES = "global shared shared::cta shared::cluster local const param param::entry param::func"
ORDERS = "weak volatile relaxed acquire release acq_rel sc cta cluster gpu sys mmio"
_HINTS = ("ca cg cs lu cv wb wt nc L1::evict_normal L1::evict_unchanged L1::evict_first L1::evict_last L1::no_allocate "
          "L2::64B L2::128B L2::256B")


def space_of(i: Instruction) -> str:
    """The state space; "" for generic addresses."""
    return next((each.split("::")[0] for each in i.modifiers if each in SPACES.split()), "")


def address(low: Lowering, i: Instruction, operand: Operand, space: str) -> Value:
    """The host's address."""
    b = low.b
    if not isinstance(operand, Address):
        refuse(i, "an operand that is no address")
    if isinstance(operand.base, Register):
        value = low.read(operand.base, operand.base.type)
    elif isinstance(operand.base, Symbol):
        value = low.symbol(operand.base)
    else:
        value = constant("i64", 0)
    if space == "shared":  # the sum with the offset has 32 bits: a register may hold a negative one
        value = b.resize(value, "i32")
    value = b.add(value, operand.offset) if operand.offset else value
    value = b.resize(value, "i64", space == "shared")  # of a cluster's other blocks it may be negative
    if space == "shared":
        value = b.add(value, Value("%shared", "i64"))
    return value if low.kernel.scalars else b.spread(value)


def checked(low: Lowering, i: Instruction, at: Value, size: int, kind: int, values: Iterable[Value] = (),
            space: str | None = None) -> Value:
    """The address, where nothing is checked; else one at which the access does no harm."""
    if low.kernel.checking is None:
        return at
    return low.kernel.checking.access(low, i, at, size, kind, list(values), space_of(i) if space is None else space)


def _elements(operand: Operand) -> list[Operand]:
    return list(operand.elements) if isinstance(operand, Vector) else [operand]


@meaning("ld", "ldu", modifiers=f"{SPACES} {ORDERS} {_HINTS} v2 v4 v8 {INTEGERS} {FLOATS} b128")
def ld(low: Lowering, i: Instruction) -> None:
    if i.type == "b128":
        refuse(i)
    to = _elements(i.operands[0])
    at = checked(low, i, address(low, i, i.operands[1], space_of(i)), SIZES[i.type] * len(to), READ)
    values = load(low, at, ir(i.type), len(to))
    for each, value in zip(to, values, strict=True):
        low.write(each, value, i.type[0] == "s")


@meaning("st", modifiers=f"{SPACES} {ORDERS} {_HINTS} v2 v4 v8 {INTEGERS} {FLOATS}")
def st(low: Lowering, i: Instruction) -> None:
    values = [low.read(each, i.type) for each in _elements(i.operands[1])]
    at = checked(low, i, address(low, i, i.operands[0], space_of(i)), SIZES[i.type] * len(values), WRITE, values)
    store(low, at, values)


@meaning("prefetch", "prefetchu", "discard", "applypriority", modifiers=None)
def hints(low: Lowering, i: Instruction) -> None:
    """Nothing that a program could see."""


# ---- accesses of lanes -----------------------------------------------------------------------------------------------
def load(low: Lowering, at: Value, type: str, count: int = 1, mask: Value | None = None) -> list[Value]:
    """`count` neighbours of each lane of the mask."""
    b, size = low.b, BITS[type] // 8
    if not at.vector and not low.guarded and mask is None:
        pointer = b.pointer(at)
        return [b.load(b.at(pointer, number * size), type, align=1) for number in range(count)]
    mask = low.mask if mask is None else mask

    def make(inner: Builder, where: Value, active: Value) -> list[Value]:
        return load_lanes(inner, where, active, type, count)

    return b.through_all(f"load.{type}.{count}", make, b.spread(at), mask)


def _from_first(b: Builder, at: Value, mask: Value, step: int) -> tuple[Value, Value, Value]:
    """The first lane's address; whether all lanes have the same; whether they have consecutive ones, `step` apart."""
    first = b.first(mask)
    same = b.extract(at, first)
    base = b.sub(same, b.mul(b.resize(first, "i64"), step))
    absent = b.invert(mask)

    def all_of(wanted: Value) -> Value:
        return b.compare("eq", b.either(b.mask_of(b.compare("eq", at, wanted)), absent), -1)

    return same, all_of(b.spread(same)), all_of(b.add(lanes("i64", [lane * step for lane in range(LANES)]), base))


class _Table:
    """A vector in memory, of which a lane is taken by its number."""

    def __init__(self, b: Builder, type: str, value: Value | None = None) -> None:
        self.b, self.type, self.name = b, type, "%" + b.fresh("table")
        b.emit(f"{self.name} = alloca <{LANES} x {type}>, align 64")
        b.store(value or Value("zeroinitializer", type, True), self.name, 64)

    def _place(self, lane: Value) -> str:
        return self.b.value(f"getelementptr {self.type}, ptr {self.name}, {lane}", "ptr").text

    def put(self, lane: Value, value: Value) -> None:
        self.b.store(value, self._place(lane))

    def get(self, lane: Value) -> Value:
        return self.b.load(self._place(lane), self.type)

    def whole(self) -> Value:
        return self.b.load(self.name, self.type, True, 64)


def _each_lane(b: Builder, at: Value, mask: Value, do: Callable[[Value, str], None]) -> None:
    """A loop over the lanes of a mask, from the first on; it ends in the block "each.end"."""
    addresses = _Table(b, "i64", at)
    b.emit("%left.p = alloca i32")
    b.store(mask, "%left.p")
    b.jump("each.turn")
    b.label("each.turn")
    left = b.load("%left.p", "i32")
    lane = b.first(left)
    do(lane, b.pointer(addresses.get(lane)))
    rest = b.both(left, b.sub(left, 1))
    b.store(rest, "%left.p")
    b.branch(b.compare("ne", rest, 0), "each.turn", "each.end")
    b.label("each.end")


def _fetched(b: Builder, at: Value, mask: Value, type: str, count: int) -> list[Value]:
    """Neighbours of each lane, lane by lane."""
    tables = [_Table(b, type) for _ in range(count)]

    def fetch(lane: Value, pointer: str) -> None:
        for k, table in enumerate(tables):
            table.put(lane, b.load(b.at(pointer, k * BITS[type] // 8), type, align=1))

    _each_lane(b, at, mask, fetch)
    return [table.whole() for table in tables]


def _gathered(b: Builder, at: Value, mask: Value, type: str, offset: int) -> Value:
    """What lies at each lane's address, by one instruction where the processor has it."""
    pointers = b.value(f"inttoptr {b.add(at, offset)} to <{LANES} x ptr>", "ptr", True)
    vector, name = f"<{LANES} x {type}>", f"@llvm.masked.gather.v{LANES}{SUFFIX.get(type, type)}.v{LANES}p0"
    b.module.declarations.add(f"declare {vector} {name}(<{LANES} x ptr>, i32, <{LANES} x i1>, {vector})")
    return b.value(f"call {vector} {name}({pointers}, i32 1, {b.lanes_of(mask)}, {vector} zeroinitializer)", type, True)


def load_lanes(b: Builder, at: Value, mask: Value, type: str, count: int) -> list[Value]:
    size, step = BITS[type] // 8, BITS[type] // 8 * count
    wide = f"<{LANES * count} x {type}>"
    b.branch(b.compare("eq", mask, 0), "nothing", "something")
    b.label("something")
    same, alike, consecutive = _from_first(b, at, mask, step)
    whole = b.compare("eq", mask, -1)
    b.branch(b.both(whole, consecutive), "wide", "narrow")
    b.label("wide")
    b.emit(f"%wide.all = load {wide}, ptr {b.pointer(b.extract(at, 0))}, align 1")
    together = [b.value(f"shufflevector {wide} %wide.all, {wide} poison, <{LANES} x i32> "
                        f"{lanes('i32', [lane * count + k for lane in range(LANES)]).text}", type,
                        True) for k in range(count)]
    b.jump("done")
    b.label("narrow")
    b.branch(alike, "one", "each")
    b.label("one")
    pointer = b.pointer(same)
    copies = [b.spread(b.load(b.at(pointer, k * size), type, align=1)) for k in range(count)]
    b.jump("done")
    b.label("each")
    if size < 4:
        single, end = _fetched(b, at, mask, type, count), "each.end"
    else:
        single, end = [_gathered(b, at, mask, type, k * size) for k in range(count)], "each"
    b.jump("done")
    b.label("nothing")
    b.jump("done")
    b.label("done")
    ways = (("wide", together), ("one", copies), (end, single),
            ("nothing", [Value("zeroinitializer", type, True)] * count))
    return [b.value(f"phi <{LANES} x {type}> " + ", ".join(f"[ {values[k].text}, %{label} ]" for label, values in ways),
                    type, True) for k in range(count)]


def store(low: Lowering, at: Value, values: list[Value], mask: Value | None = None) -> None:
    """The values of each lane to neighbours; where lanes write to one place, the last stays."""
    b, type = low.b, values[0].type
    if not at.vector and not low.guarded and mask is None:
        pointer = b.pointer(at)
        last = b.sub(constant("i32", 31), b.call("ctlz", low.mask, flags=(True,)))
        for number, value in enumerate(values):
            b.store(b.extract(value, last), b.at(pointer, number * BITS[type] // 8), align=1)
        return
    mask = low.mask if mask is None else mask
    b.through_all(f"store.{type}", _store_lanes, b.spread(at), mask, *map(b.spread, values))


def _store_lanes(b: Builder, at: Value, mask: Value, *values: Value) -> list[Value]:
    type, count = values[0].type, len(values)
    size = BITS[type] // 8
    b.branch(b.compare("eq", mask, 0), "done", "something")
    b.label("something")
    _, _, consecutive = _from_first(b, at, mask, size * count)
    whole = b.compare("eq", mask, -1)
    b.branch(b.both(whole, consecutive), "wide", "each")
    b.label("wide")
    pieces, width = [value.text for value in values], LANES
    while len(pieces) > 1:
        joined = []
        for first, second in zip(pieces[::2], pieces[1::2], strict=True):
            order = ", ".join(f"i32 {k}" for k in range(2 * width))
            joined.append(b.value(f"shufflevector <{width} x {type}> {first}, <{width} x {type}> {second}, "
                                  f"<{2 * width} x i32> <{order}>", type).text)
        pieces, width = joined, 2 * width
    if count > 1:
        order = ", ".join(f"i32 {k * LANES + lane}" for lane in range(LANES) for k in range(count))
        pieces = [b.value(f"shufflevector <{width} x {type}> {pieces[0]}, <{width} x {type}> poison, "
                          f"<{width} x i32> <{order}>", type).text]
    b.emit(f"store <{width} x {type}> {pieces[0]}, ptr {b.pointer(b.extract(at, 0))}, align 1")
    b.jump("done")
    b.label("each")
    tables = [_Table(b, type, value) for value in values]

    def put(lane: Value, pointer: str) -> None:
        for k, table in enumerate(tables):
            b.store(table.get(lane), b.at(pointer, k * size), align=1)

    _each_lane(b, at, mask, put)
    b.jump("done")
    b.label("done")
    return []
