"""Loops whose rounds lanes read from memory: the few lanes that are left in one run it to its end, each by itself.

A round takes as long for one lane as for 32, so that the lane with the most rounds would hold up all others. Such a
loop has a second version, for one lane: its registers are scalars, its branches LLVM's own. A lane's registers come
from its places in the warp's frame and go back there.

Only a loop in which no lane can wait for another has it: nothing in it orders what lanes do in memory, as atomics,
fences and volatile accesses would, and nothing is done together. A lane that has used up the warp's fuel waits where it
is, and next time the one after it begins: so also a program that relies on more than PTX promises comes to its end.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gpunet.ptx import flow, table, uniform
from gpunet.ptx.emit import BITS, Value, constant
from gpunet.ptx.layout import Warp
from gpunet.ptx.model import Address, Instruction, Register

if TYPE_CHECKING:
    from gpunet.ptx.lower import Lowering
    from gpunet.ptx.regions import Regions

# What a lane does for itself.
_OPCODES = frozenset("""
    abs add addc and bfe bfi bfind bmsk bra brev clz cnot copysign cos cvt cvta div dp2a dp4a ex2 fma ld ldu lg2 lop3
    mad mad24 madc max min mov mul mul24 neg not or popc prefetch prefetchu prmt rcp rem rsqrt sad selp set setp shf shl
    shr sin slct sqrt st sub subc szext tanh testp xor""".split())
_ORDERED = frozenset("volatile relaxed acquire release sc mmio".split())


@dataclass(frozen=True)
class Loop:
    """A loop with a version for one lane.

    Attributes:
        head: the block with which each round begins.
        blocks: all of it, in order.
        few: so many lanes, or fewer, run one after another.
        registers: that it reads or writes.
        kept: of these what it writes and what is read after a round, or after the loop.
    """

    head: int
    blocks: tuple[int, ...]
    few: int
    registers: tuple[Register, ...]
    kept: frozenset[Register]


# ---- which loops -----------------------------------------------------------------------------------------------------
def find(all_blocks: list[flow.Block], facts: uniform.Facts, regions: Regions, heads: frozenset[int],
         live_out: list[set[Register]]) -> dict[int, Loop]:
    """By their heads. Of nested loops each has a version of its own.

    Args:
        all_blocks: of a function.
        facts: what is known of them.
        regions: the same.
        heads: of loops that lanes leave one by one.
        live_out: the registers that are live where each block ends.
    """
    after, over = flow.successors(all_blocks), flow.dominators(all_blocks)
    before: list[list[int]] = [[] for _ in all_blocks]
    for number, following in enumerate(after):
        for each in following:
            before[each].append(number)
    origins, found = _Origins(all_blocks, facts), {}
    for head in sorted(heads):
        blocks = {head} | flow.reached(before, [each for each in before[head] if over[each] >> head & 1], head)
        ways = [(number, each) for number in blocks for each in after[number]]
        waits = [(number, each) for number, each in ways if each not in blocks or each <= number]
        items = [item for number in blocks for item in _items(all_blocks[number])]
        leaving = [_items(all_blocks[number])[-1] for number, each in ways
                   if each not in blocks and number in facts.divergent]
        if leaving and all(map(_is_for_itself, items)) and all(each in regions.entered for _, each in waits) \
                and any(map(origins.are_read, leaving)):
            written = {register for item in items for register in flow.results(item)}
            registers = written.union(*map(flow.sources, items))
            live = set[Register]().union(*(live_out[number] for number, _ in waits))
            found[head] = Loop(head, tuple(sorted(blocks)), _few(items, facts),
                               tuple(sorted(registers, key=lambda each: each.name)), frozenset(written & live))
    return found


def _items(block: flow.Block) -> list[Instruction]:
    return [*block.body, *([block.end] if block.end is not None else ())]


class _Origins:
    """From what the registers of a function were computed."""

    def __init__(self, all_blocks: list[flow.Block], facts: uniform.Facts) -> None:
        self.blocks, self.facts = all_blocks, facts

    @functools.cached_property
    def _defined(self) -> dict[Register, list[Instruction]]:
        found: dict[Register, list[Instruction]] = {}
        for item in (item for block in self.blocks for item in block.body):
            for register in flow.results(item):
                found.setdefault(register, []).append(item)
        return found

    def are_read(self, branch: Instruction) -> bool:
        """Which way a lane goes follows from what it has read from memory, for itself."""
        todo, seen = list(flow.sources(branch)), set(self.facts.uniform)
        while todo:
            if (register := todo.pop()) in seen:
                continue
            seen.add(register)
            for item in self._defined.get(register, ()):
                if item.opcode in ("ld", "ldu", "atom"):
                    return True
                todo += flow.sources(item)
        return False


def _is_for_itself(item: Instruction) -> bool:
    carries = item.opcode in ("addc", "subc", "madc") or item.has("cc")
    return item.opcode in _OPCODES and _ORDERED.isdisjoint(item.modifiers) and not (carries and item.guard is not None)


# Tenths of a nanosecond that a round takes in itself, and more for an instruction: as vectors, and for one lane.
_ROUND, _INSTRUCTION, _WIDE, _ACCESS = (100, 8), (5, 1), (10, 1), (120, 1)
_TIMES = {opcode: times for opcodes, times in (
    ("mul mad fma", (5, 5)), ("div rem sqrt rcp", (80, 30)), ("ex2 lg2 rsqrt sin cos tanh", (600, 300)))
    for opcode in opcodes.split()}
_MOST = 24


def _few(items: list[Instruction], facts: uniform.Facts) -> int:
    """So many lanes take as long one after another as vectors do."""
    vectors, one = _ROUND
    for item in items:
        more, times = _TIMES.get(item.opcode, _INSTRUCTION), 1
        if item.opcode in ("ld", "ldu", "st") and not _is_alike(item, facts):
            more, times = _ACCESS, next((int(each[1]) for each in item.modifiers if each in ("v2", "v4", "v8")), 1)
        elif more is _INSTRUCTION and item.name.endswith("64"):
            more = _WIDE
        vectors, one = vectors + times * more[0], one + times * more[1]
    return min(vectors // one, _MOST)


def _is_alike(access: Instruction, facts: uniform.Facts) -> bool:
    """All lanes have the same address."""
    return any(isinstance(each, Address) and each.base in facts.uniform for each in access.operands)


# ---- the version for one lane ----------------------------------------------------------------------------------------
class OneLane:
    """Code of one lane for `loops`; its registers are variables of LLVM's."""

    def __init__(self, low: Lowering, loops: dict[int, Loop]) -> None:
        self.low, self.loops = low, loops
        self.lane = constant("i32", 0)
        registers = sorted({each for loop in loops.values() for each in loop.registers}, key=lambda each: each.name)
        self._variables = {register: f"%own{number}" for number, register in enumerate(registers)}

    def begin(self) -> None:
        """At the beginning of the function."""
        for register, variable in self._variables.items():
            self.low.b.emit(f"{variable} = alloca {table.ir(register.type)}")
        if self.loops:
            self.low.b.emit("%own.left = alloca i32")

    def read(self, register: Register) -> Value:
        return self.low.b.load(self._variables[register], table.ir(register.type))

    def write(self, register: Register, value: Value) -> None:
        self.low.b.store(value, self._variables[register])

    def of(self, value: Value) -> Value:
        """Of all lanes' values its own."""
        return self.low.b.extract(value, self.lane)

    def _bit(self) -> Value:
        return self.low.b.shl(constant("i32", 1), self.lane)

    # ---- its places in the frame -------------------------------------------------------------------------------------
    def _place(self, register: Register) -> str:
        b, low = self.low.b, self.low
        pointer = b.at("%frame", low.slots[register])
        if register in low.facts.uniform or register.type == "pred":
            return pointer
        return b.at(pointer, b.mul(b.resize(self.lane, "i64"), BITS[table.ir(register.type)] // 8))

    def _fetch(self, register: Register) -> None:
        b, low, type = self.low.b, self.low, table.ir(register.type)
        if register not in low.slots:  # lives within a block, or is read before anything is written to it
            return self.write(register, constant(type, 0))
        value = b.load(self._place(register), "i32" if type == "i1" else type)
        if type == "i1":
            value = b.cast("trunc", value if register in low.facts.uniform else b.lshr(value, self.lane), "i1")
        self.write(register, value)

    def _put_back(self, register: Register) -> None:
        b, place, value = self.low.b, self._place(register), self.read(register)
        if value.type == "i1":
            value = b.resize(value, "i32")
            if register not in self.low.facts.uniform:
                others = b.both(b.load(place, "i32"), b.invert(self._bit()))
                value = b.either(others, b.shl(value, self.lane))
        b.store(value, place)

    # ---- the loop ----------------------------------------------------------------------------------------------------
    def few_lanes(self, loop: Loop) -> None:
        """Written at the loop's head: its few lanes run here; with more of them, on goes what is written next."""
        low, b, name = self.low, self.low.b, f"own{loop.head}"
        b.branch(b.compare("ule", b.call("ctpop", low.mask), loop.few), f"{name}.few", f"{name}.many")
        b.label(f"{name}.few")
        late = b.shl(constant("i32", -1), b.both(b.load(b.at("%warp", Warp.FIRST), "i32"), 31))
        b.store(low.mask, "%own.left")
        b.jump(f"{name}.lane")

        b.label(f"{name}.lane")
        left = b.load("%own.left", "i32")
        later = b.both(left, late)
        self.lane = b.first(b.select(b.compare("ne", later, 0), later, left))
        b.store(b.both(left, b.invert(self._bit())), "%own.left")
        for register in loop.registers:
            if register not in low.constants:
                self._fetch(register)
        b.jump(f"{name}.{loop.head}")
        with low.alone():
            for number in loop.blocks:
                self._block(loop, number)

        back = sorted(loop.kept & low.slots.keys(), key=lambda each: each.name)
        b.label(f"{name}.out")
        for register in back:
            self._put_back(register)
        b.branch(b.compare("ne", b.load("%own.left", "i32"), 0), f"{name}.lane", "dispatch")
        b.label(f"{name}.tired")
        for register in back:
            self._put_back(register)
        b.store(b.add(self.lane, 1), b.at("%warp", Warp.FIRST))
        low.wait_at(loop.head, b.load("%own.left", "i32"))
        b.jump("dispatch")
        b.label(f"{name}.many")

    def _block(self, loop: Loop, number: int) -> None:
        low, b, block = self.low, self.low.b, self.low.blocks[number]
        b.label(f"own{loop.head}.{number}")
        low.carry = None
        for instruction in block.body:
            if instruction.guard is None:
                table.lower(low, instruction)
                continue
            do, on = b.fresh("do"), b.fresh("on")
            b.branch(low.guard(instruction), do, on)
            b.label(do)
            table.lower(low, instruction)
            b.jump(on)
            b.label(on)
        end = block.end
        if end is None or end.guard is None:
            return self._go(loop, number, block.following if end is None else block.target)
        yes, no = b.fresh("yes"), b.fresh("no")
        b.branch(low.guard(end), yes, no)
        for label, to in ((yes, block.target), (no, block.following)):
            b.label(label)
            self._go(loop, number, to)

    def _go(self, loop: Loop, number: int, to: int) -> None:
        low, b, name = self.low, self.low.b, f"own{loop.head}"
        if to not in loop.blocks:
            if number in low.facts.leaving and uniform.only_returns(low.blocks[to]):
                low.leave(self._bit())
            else:
                low.wait_at(to, self._bit())
            return b.jump(f"{name}.out")
        if to > number:
            return b.jump(f"{name}.{to}")
        tired = b.fresh("tired")
        fuel = b.sub(b.load("%fuel", "i32"), 1)
        b.store(fuel, "%fuel")
        b.branch(b.compare("sgt", fuel, 0), f"{name}.{to}", tired)
        b.label(tired)
        low.wait_at(to, self._bit())
        b.jump(f"{name}.tired")
