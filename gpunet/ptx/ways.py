"""How lanes come from block to block of a function: by turns within closed regions (regions.py), else by way of the
dispatcher, which takes the first block, in order, at which lanes wait."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from gpunet.ptx import flow, layout, uniform
from gpunet.ptx.emit import Builder, Value, constant
from gpunet.ptx.layout import Warp
from gpunet.ptx.model import Instruction

if TYPE_CHECKING:
    from gpunet.ptx import model, regions
    from gpunet.ptx.context import Kernel
    from gpunet.ptx.lower import Lowering


class Ways:
    """What lower.Lowering does about where lanes go."""

    b: Builder
    kernel: Kernel
    function: model.Function
    blocks: list[flow.Block]
    facts: uniform.Facts
    regions: regions.Regions
    number: int  # of the block that is written
    mask: Value
    masks: dict[int, Value]
    given: dict[int, Value]
    come: dict[int, list[tuple[Value, str]]]
    waiting: frozenset[tuple[int, int]]
    barriers: dict[int, list[Instruction]]
    words: int
    ready: int
    pending: int
    held: int
    _summed_from: dict[int, list[int]]

    def _predicate(self, end: Instruction) -> Value:
        raise NotImplementedError

    def _keep(self) -> None:
        raise NotImplementedError

    def _go(self, to: int) -> None:
        raise NotImplementedError

    # ---- closed regions ----------------------------------------------------------------------------------------------
    def _summed(self) -> list[int]:
        """The blocks within regions whose lanes wait in a variable until it is their turn."""
        found = self.regions
        return [number for number, first in sorted(found.outermost.items())
                if number not in found.joins and number not in found.direct and number != first]

    def _enter(self, number: int) -> Value | None:
        """The lanes of a block that the dispatcher does not enter; one in a region is passed over without any."""
        b, found = self.b, self.regions
        if number in found.joins:
            return self.masks[found.joins[number]]
        first = found.outermost.get(number, number)
        if first == number:
            return None
        if number in found.direct:
            return self.given[number]
        b.label(f"E{number}")
        mask = b.load(f"%lanes{number}", "i32")
        b.branch(b.compare("ne", mask, 0), f"B{number}", self._turn(first, found.after(number)))
        return mask

    def _turn(self, first: int, number: int) -> str:
        """The label by which a block of a region gets its turn; `first` begins the outermost region."""
        if number in self.regions.joins:
            return f"B{number}"
        return f"X{first}" if number == self.regions.ends[first] else f"E{number}"

    def _within(self, block: flow.Block) -> None:
        """The end of a block in a region, or of one with which it begins."""
        b, number, end, counting, found = self.b, self.number, block.end, self.kernel.counting, self.regions
        first = found.outermost[number]
        self.masks[number] = self.mask
        predicate = self._predicate(end) if end is not None and end.guard is not None else None
        if counting is not None and end is not None:
            parts = predicate is not None and predicate.vector
            counting.branch(cast("Lowering", self), end,
                            b.both(self.mask, b.mask_of(predicate)) if predicate is not None and parts else None)
        self._keep()
        for each in self._summed_from.get(number, ()):
            b.store(constant("i32", 0), f"%lanes{each}")
        following = block.following
        if predicate is None:
            to = following if end is None else block.target
            self._send(to, self.mask)
            self._follow(first, to, None)
        elif predicate.vector:
            taken = b.both(self.mask, b.mask_of(predicate))
            rest = b.both(self.mask, b.invert(taken))
            self._send(block.target, taken)
            self._send(following, rest)
            self._follow(first, number + 1, rest if following == number + 1 else taken)
        else:
            for each in {block.target, following} & found.single - found.direct:
                b.store(constant("i32", 0), f"%lanes{each}")
            yes, no = b.fresh("yes"), b.fresh("no")
            b.branch(predicate, yes, no)
            for label, to in ((yes, block.target), (no, following)):
                b.label(label)
                self._send(to, self.mask)
                self._follow(first, to, None)
        if number == first and found.closed[first] not in found.joins:
            b.label(f"X{first}")
            self._go(found.closed[first])

    def _send(self, to: int, mask: Value) -> None:
        """Lanes of the mask go to a block of the region, when it gets its turn; at its end all will come."""
        b, found = self.b, self.regions
        if to in found.direct:
            self.given[to] = mask
        elif to in found.outermost and to not in found.joins and found.outermost[to] != to:
            if found.needs_sum(to):
                mask = b.either(b.load(f"%lanes{to}", "i32"), mask)
            b.store(mask, f"%lanes{to}")

    def _follow(self, first: int, to: int, lanes: Value | None) -> None:
        """The next block of a region gets its turn. Lanes of this one go to a block: those of a mask, or all."""
        b, found, number = self.b, self.regions, self.number + 1
        if number not in found.direct:
            b.jump(self._turn(first, number))
        elif to != number:
            b.jump(self._turn(first, found.after(number)))
        elif lanes is None:
            b.jump(f"B{number}")
        else:
            b.branch(b.compare("ne", lanes, 0), f"B{number}", self._turn(first, found.after(number)))

    # ---- loops in which lanes part ---------------------------------------------------------------------------------
    def _loops(self) -> frozenset[int]:
        """The first blocks of loops that lanes leave one by one. Where lanes go back to one of these none wait at any
        block before it, so that it is their turn."""
        found = {block.target for number, block in enumerate(self.blocks)
                 if block.end is not None and block.end.opcode == "bra" and 0 <= block.target <= number
                 and number in self.facts.apart and number not in self.regions.outermost}
        return frozenset(found & self.facts.apart & self.regions.entered)

    def _straight(self, to: int, lanes: Value) -> None:
        """Back to the first block of a loop, with these lanes, if there are any."""
        b = self.b
        again, round_, rest = b.fresh("again"), b.fresh("round"), b.fresh("rest")
        b.branch(b.compare("ne", lanes, 0), again, "dispatch")
        b.label(again)
        b.branch(b.compare("sgt", self._spend(to), 0), round_, rest)
        b.label(round_)
        self.come[to].append((lanes, round_))
        b.jump(f"B{to}")
        b.label(rest)
        self.wait_at(to, lanes)
        b.jump("dispatch")

    def _waiting(self) -> frozenset[tuple[int, int]]:
        """The branches back, from block to block, of loops in which a lane may wait for what others do."""
        before = flow.predecessors(self.blocks)
        may_wait = [any(map(uniform.may_wait, block.body)) for block in self.blocks]
        return frozenset((number, to) for to, back in enumerate(before) for number in back
                         if number >= to and any(may_wait[each] for each in {to} | flow.reached(before, [number], to)))

    def _spend(self, to: int) -> Value:
        """The warp's fuel after a branch back to this block. Of loops that wait, each round takes much of it: what they
        wait for is done the sooner."""
        b = self.b
        fuel = b.sub(b.load("%fuel", "i32"), self.kernel.fuel_to_wait if (self.number, to) in self.waiting else 1)
        b.store(fuel, "%fuel")
        return fuel

    def _dispatch(self, to: int) -> None:
        """To the dispatcher, after lanes wait at this block."""
        if (self.number, to) in self.waiting:
            self._spend(to)
        self.b.jump("dispatch")

    # ---- the dispatcher ----------------------------------------------------------------------------------------------
    def _resume(self) -> None:
        """After a barrier: the lanes that it held go on."""
        b = self.b
        held = sorted(self.barriers)
        if not held:
            return
        released = b.at("%warp", Warp.RELEASED)
        move, on = "move", "on"
        b.branch(b.compare("ne", b.load(released, "i32"), 0), move, on)
        b.label(move)
        b.store(constant("i32", 0), released)
        b.store(constant("i32", 0), b.at("%warp", Warp.HELD))
        for number in held:
            pointer = b.at("%frame", self.held + 4 * number)
            self.wait_at(number, b.load(pointer, "i32"))
            b.store(constant("i32", 0), pointer)
        b.jump(on)
        b.label(on)

    def _dispatcher(self) -> None:
        """Takes the first block at which lanes wait; those that need all lanes come last, when none is elsewhere."""
        b, entry = self.b, self.function.entry
        b.label("dispatch")
        if entry:
            fuel = b.sub(b.load("%fuel", "i32"), 1)
            b.store(fuel, "%fuel")
            b.branch(b.compare("sgt", fuel, 0), "search", "yield")
            b.label("yield")
            b.emit(f"ret i32 {layout.YIELDED}")
            b.label("search")
        apart = [sum(1 << number % 64 for number in self.facts.apart if number // 64 == word)
                 for word in range(self.words)]
        found: list[tuple[str, str]] = []
        if entry and any(apart):
            self._search(apart, found, "after")
        for together in (False, True):
            if together:
                if all(each in self.facts.apart for each in range(len(self.blocks))):
                    break
                if entry:
                    b.branch(b.compare("ne", b.load(b.at("%warp", Warp.HELD), "i32"), 0), "none", "together")
                    b.label("together")
            wanted = [(1 << 64) - 1 & ~bits for bits in apart] if together else apart
            self._search(wanted, found, "all" if together else "some")
        b.jump("none")
        b.label("none")
        if entry:
            held = b.compare("ne", b.load(b.at("%warp", Warp.HELD), "i32"), 0)
            b.emit(f"%over = select {held}, i32 {layout.AT_BARRIER}, i32 {layout.FINISHED}")
            b.emit("ret i32 %over")
        else:
            b.emit(f"ret i32 {layout.FINISHED}")
        b.label("found")
        b.emit("%picked = phi i64 " + ", ".join(f"[ {value}, %{label} ]" for value, label in found))
        picked = Value("%picked", "i64")
        word = b.at("%frame", b.add(b.shl(b.lshr(picked, 6), 3), self.ready))
        bit = b.shl(constant("i64", 1), b.both(picked, 63))
        b.store(b.both(b.load(word, "i64"), b.invert(bit)), word)
        pointer = b.at("%frame", b.add(b.shl(picked, 2), self.pending))
        b.emit(f"%mask = load i32, ptr {pointer}")
        b.emit(f"store i32 0, ptr {pointer}")
        if entry:
            b.store(b.resize(picked, "i32"), b.at("%warp", Warp.PICKED))
        cases = " ".join(f"i64 {number}, label %B{number}" for number in sorted(self.regions.entered))
        b.emit(f"switch i64 %picked, label %never [ {cases} ]")
        b.label("never")
        b.emit("unreachable")

    def _search(self, wanted: list[int], found: list[tuple[str, str]], name: str) -> None:
        """Code that looks for the first waiting block among `wanted`. "after": only once after a yield, and from the
        block picked last on, so that lanes which wait for others do not keep these from running."""
        b = self.b
        last = constant("i64", -1)
        if name == "after":
            fuel = b.load("%fuel", "i32")
            b.branch(b.compare("eq", fuel, self.kernel.fuel - 1), "after", "some")
            b.label("after")
            last = b.resize(b.load(b.at("%warp", Warp.PICKED), "i32"), "i64")
        for number, bits in enumerate(wanted):
            if not bits:
                continue
            word = b.both(b.load(b.at("%frame", self.ready + 8 * number), "i64"), constant("i64", bits))
            if name == "after":
                above = b.sub(last, 64 * number)
                later = b.select(b.compare("slt", above, 0), -1, b.shl(constant("i64", -2), b.both(above, 63)))
                word = b.both(word, b.select(b.compare("sge", above, 64), 0, later))
            hit, miss = b.fresh("hit"), b.fresh("miss")
            b.branch(b.compare("ne", word, 0), hit, miss)
            b.label(hit)
            found.append((b.add(b.call("cttz", word, flags=(True,)), 64 * number).text, hit))
            b.jump("found")
            b.label(miss)
        if name == "after":
            b.jump("some")
            b.label("some")

    def wait_at(self, number: int, mask: Value) -> None:
        """Lanes, possibly none, wait at a block."""
        b = self.b
        pointer = b.at("%frame", self.pending + 4 * number)
        b.store(b.either(b.load(pointer, "i32"), mask), pointer)
        word = b.at("%frame", self.ready + number // 64 * 8)
        some = b.resize(b.compare("ne", mask, 0), "i64")
        b.store(b.either(b.load(word, "i64"), b.shl(some, number % 64)), word)
