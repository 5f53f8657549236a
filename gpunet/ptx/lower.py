"""A function of PTX as LLVM IR: a warp of 32 lanes is one vector computation.

A block of instructions runs for some lanes at a time, its mask. Lanes wait at the block that they go to next, and the
dispatcher takes the first block, in program order, at which lanes wait: so lanes that came apart meet again. What lives
in more than one block lies in the warp's frame; there a block writes its lanes alone. A warp that waits at a barrier
returns to the scheduler and is called again: all its state is in the frame.

The analysis (uniform.py) says which registers are alike in all lanes, and which blocks lanes can only reach together.
Without it everything is a vector and every block has a mask: the reference.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager

from gpunet.ptx import alone, clusters, flow, layout, model, regions, table, uniform
from gpunet.ptx.context import Kernel, argument_name, function_address, function_name, global_name, lane_bytes
from gpunet.ptx.emit import (
    ALL,
    BITS,
    LANES,
    Builder,
    Value,
    constant,
    double_of,
    float_literal,
    lanes,
    single_of,
)
from gpunet.ptx.layout import Warp
from gpunet.ptx.model import Instruction, Register
from gpunet.ptx.ways import Ways

# Special registers of a GPU with one multiprocessor, on which one kernel runs at a time.
_FIXED = {"%nwarpid": 64, "%smid": 0, "%nsmid": 1, "%gridid": 0, "%current_graph_exec": 0}


class Lowering(Ways):
    def __init__(self, kernel: Kernel, function: model.Function) -> None:
        self.kernel, self.function, self.module = kernel, function, kernel.module
        self.b = Builder(kernel.out)
        self.blocks = flow.blocks(function)
        self.live_out, self.kept = flow.liveness(self.blocks)
        self.facts = (uniform.analyse(function, self.blocks)
                      if kernel.scalars and function.entry else uniform.nothing(self.blocks))
        self.regions = (regions.find(self.blocks, self.facts, not function.entry, kernel.checking is not None)
                        if kernel.scalars else regions.none(self.blocks))
        self.barriers: dict[int, list[Instruction]] = {}  # after which these blocks come
        for block in self.blocks:
            if block.end is not None and flow.waits(block.end):
                self.barriers.setdefault(block.following, []).append(block.end)
        self.words = (len(self.blocks) + 63) // 64
        self.parameters = {parameter.name: parameter for parameter in (*function.parameters, *function.returns)}
        self.constants = flow.constants(self.blocks)
        self._summed_from: dict[int, list[int]] = {}  # of these blocks' variables those that several add to
        for number in self._summed():
            if self.regions.needs_sum(number):
                self._summed_from.setdefault(self.regions.dominator[number], []).append(number)
        self._place()
        self.number = 0
        self.values: dict[Register, Value] = {}
        self.since: dict[Register, int] = {}  # the blocks in which these values came to be
        self.ends: list[tuple[dict[Register, Value], dict[Register, int]]] = []  # of the blocks so far, at the end
        self.masks: dict[int, Value] = {}  # of the blocks with which closed regions begin, and those within
        self.given: dict[int, Value] = {}  # of blocks that come straight after their predecessor
        self.straight = self._loops() if kernel.scalars else frozenset()
        plain = kernel.scalars and function.entry and kernel.counting is None and kernel.checking is None
        self.loops = (alone.find(self.blocks, self.facts, self.regions, self.straight, self.live_out)
                      if plain else {})
        self.own = alone.OneLane(self, self.loops)
        self.is_alone = False  # the code is for one lane
        self.waiting = self._waiting()
        self.come: dict[int, list[tuple[Value, str]]] = {}  # lanes that come to these, and the label from which
        self.changed: set[Register] = set()
        self.full = False  # the mask is known to have all lanes
        self.guarded = False
        self.mask = constant("i32", -1)
        self._active: Value | None = None
        self.carry: Value | None = None  # of add.cc, within a block

    # ---- where things lie --------------------------------------------------------------------------------------------
    def _place(self) -> None:
        """Offsets in the frame of the waiting lanes, registers and local variables."""
        count = len(self.blocks)
        self.ready = layout.WARP_BYTES_BEFORE_REGISTERS
        self.pending = self.ready + 8 * self.words
        self.held = self.pending + 4 * count
        at = self.held + 4 * count
        self.slots: dict[Register, int] = {}
        for register in sorted(self.kept & self.regions.kept, key=lambda each: (each in self.facts.uniform, each.name)):
            size = 4 if register.type == "pred" else model.SIZES[register.type]
            size, align = (size, size) if register in self.facts.uniform else (4, 4) if register.type == "pred" else (
                size * LANES, 32)
            at += -at % align
            self.slots[register] = at
            at += size
        self.variables: dict[str, tuple[int, int]] = {}  # offset of lane 0, bytes of a lane
        for variable in self.function.variables:
            if variable.space == "shared":
                continue
            at += -at % max(variable.align, 16)
            stride = lane_bytes(variable.size, 0 if variable.space == "param" else variable.align)
            self.variables[variable.name] = at, stride
            at += LANES * stride
        at += -at % 64
        self.scratch = at  # of instructions that go by way of memory
        at += max((flow.scratch_bytes(item) for block in self.blocks for item in block.body), default=0)
        self.frame_bytes = at + -at % 64

    # ---- operands ----------------------------------------------------------------------------------------------------
    def read(self, operand: model.Operand, type: str) -> Value:
        """An operand as a PTX type, in LLVM's type for that."""
        value = self._read(operand, table.ir(type))
        return value if self.kernel.scalars else self.b.spread(value)

    def _read(self, operand: model.Operand, to: str) -> Value:
        match operand:
            case Register(name, ""):
                return self.fit(self.special(name), to)
            case Register():
                return self.fit(self.current(operand), to)
            case model.Integer(number):
                if to in ("float", "double"):
                    return float_literal(number & (1 << BITS[to]) - 1, to)
                return constant(to, number)
            case model.Float(bits, size):
                if to == "float" and size == 8:
                    return constant(to, struct.unpack("<f", struct.pack("<f", double_of(bits)))[0])
                if to in ("float", "double"):
                    return float_literal(bits, to) if BITS[to] == 8 * size else constant(to, single_of(bits))
                return constant(to, bits)
            case model.Symbol():
                return self.fit(self.symbol(operand), to)
            case model.Inverted(register):
                return self.b.invert(self._read(register, to))
        raise AssertionError(operand)

    def fit(self, value: Value, to: str) -> Value:
        if value.type == to:
            return value
        if value.literal and value.type in ("i32", "i64") and to in ("i32", "i64"):
            return constant(to, int(value.text))
        if BITS[value.type] == BITS[to]:
            return self.b.bitcast(value, to)
        integer = value if value.type.startswith("i") else self.b.bitcast(value, f"i{BITS[value.type]}")
        wanted = f"i{BITS[to]}"
        return self.fit(self.b.resize(integer, wanted), to)

    def current(self, register: Register) -> Value:
        if register in self.constants and register.type in ("b32", "u32", "s32", "b64", "u64", "s64", "b16", "u16",
                                                            "s16"):
            return constant(table.ir(register.type), self.constants[register])
        if self.is_alone:
            return self.own.read(register)
        if register not in self.values:
            self.values[register], self.since[register] = self._load(register), self.number
        return self.values[register]

    def known(self, operand: model.Operand) -> int | None:
        """A whole number that is known here."""
        if isinstance(operand, model.Integer):
            return operand.value
        if isinstance(operand, Register) and operand in self.constants:
            return self.constants[operand]
        return None

    def is_local(self, address: Value) -> Value:
        """The address lies in this function's frame."""
        b = self.b
        offset = b.sub(address, b.value("ptrtoint ptr %frame to i64", "i64"))
        return b.compare("ult", offset, self.frame_bytes)

    def _load(self, register: Register) -> Value:
        type = table.ir(register.type)
        if register not in self.slots:  # read before anything is written to it
            return self.b.spread(constant(type, 0))
        pointer = self.b.at("%frame", self.slots[register])
        if register in self.facts.uniform:
            return self.b.cast("trunc", self.b.load(pointer, "i32"), "i1") if type == "i1" else self.b.load(pointer,
                                                                                                            type)
        return self.b.lanes_of(self.b.load(pointer, "i32")) if type == "i1" else self.b.load(pointer, type, True, 32)

    def write(self, operand: model.Operand, value: Value, signed: bool = False) -> None:
        """A result; of a wider register the rest is filled with the sign or with zeros."""
        if isinstance(operand, model.Discard):
            return
        assert isinstance(operand, Register), operand
        to = table.ir(operand.type)
        if value.type != to:
            if value.type.startswith("i") and to.startswith("i") and BITS[value.type] < BITS[to]:
                value = self.b.resize(value, to, signed)
            else:
                value = self.fit(value, to)
        if self.is_alone:
            return self.own.write(operand, value)
        if self.guarded:
            value = self.b.select(self.active, value, self.current(operand))
        self.values[operand], self.since[operand] = value, self.number
        self.changed.add(operand)

    def special(self, name: str) -> Value:
        value = self._special(name)
        return self.own.of(value) if self.is_alone else value

    def _special(self, name: str) -> Value:
        b = self.b
        if name.startswith("%tid."):
            return b.load(b.at("%warp", Warp.TID["xyz".index(name[-1])]), "i32", True)
        if name.startswith("%ctaid."):
            return b.load(b.at("%block", layout.Block.INDEX["xyz".index(name[-1])]), "i32")
        if name.startswith("%nctaid."):
            return b.load(b.at("%launch", layout.Launch.GRID["xyz".index(name[-1])]), "i32")
        if name.startswith("%ntid."):
            return b.load(b.at("%launch", layout.Launch.BLOCK["xyz".index(name[-1])]), "i32")
        if name == "%warpid":
            return b.load(b.at("%warp", Warp.NUMBER), "i32")
        if name == "%laneid":
            return lanes("i32", range(LANES))
        if name.startswith("%lanemask_"):
            bits = {"eq": lambda lane: 1 << lane, "lt": lambda lane: (1 << lane) - 1,
                    "le": lambda lane: (2 << lane) - 1,
                    "gt": lambda lane: ALL & ~((2 << lane) - 1), "ge": lambda lane: ALL & ~((1 << lane) - 1)}[name[-2:]]
            return lanes("i32", [bits(lane) for lane in range(LANES)])
        if name in ("%clock64", "%globaltimer"):
            b.module.declarations.add(f"declare i64 @llvm.{layout.CLOCK}()")
            return b.value(f"call i64 @llvm.{layout.CLOCK}()", "i64")
        if name.startswith(("%clock", "%globaltimer")):
            now = self.special("%clock64")
            return b.resize(b.lshr(now, 32) if name.endswith("_hi") else now, "i32")
        if name in _FIXED or name.startswith(("%pm", "%reserved")):  # %pm: counters of the performance monitor
            return constant("i32", _FIXED.get(name, 0))
        if "cluster" in name or name.startswith("%envreg"):
            return clusters.special(self, name)
        if name in ("%total_smem_size", "%aggr_smem_size", "%dynamic_smem_size"):
            return b.load(b.at("%launch", layout.Launch.SHARED_BYTES + 4 * name.startswith("%dynamic")), "i32")
        raise table.Unsupported(f"the special register {name} is not simulated")

    def symbol(self, symbol: model.Symbol) -> Value:
        """A variable's address: of shared memory an offset, else the host's own."""
        value = self._symbol(symbol)
        return self.own.of(value) if self.is_alone else value

    def _symbol(self, symbol: model.Symbol) -> Value:
        b, name = self.b, symbol.name
        if name in self.variables:
            base, stride = self.variables[name]
            first = b.value(f"ptrtoint ptr {b.at('%frame', base + symbol.offset)} to i64", "i64")
            return b.add(first, lanes("i64", [lane * stride for lane in range(LANES)]))
        if name in self.kernel.shared:
            return constant("i32", self.kernel.shared[name] + symbol.offset)
        if name in self.parameters:
            return b.add(self.parameter_address(self.parameters[name]), symbol.offset)
        if name in self.module.variables and self.kernel.checking is not None:
            return b.add(self.kernel.checking.variable(self, name), symbol.offset)
        if name in self.module.variables:
            return b.add(b.value(f"ptrtoint ptr {global_name(name)} to i64", "i64"), symbol.offset)
        if (address := function_address(self.module, name)) is not None:
            return constant("i64", address)
        raise table.Unsupported(f"{self.function.name}: the address of {name} is not known here")

    def parameter_address(self, parameter: model.Parameter) -> Value:
        """Of an entry's parameter, in the bytes of the launch; of a function's, in its caller's memory, a lane's
        each."""
        b = self.b
        if self.function.entry:
            return b.add(b.value("ptrtoint ptr %parameters to i64", "i64"), parameter.offset)
        stride = lane_bytes(parameter.size)
        first = b.value(f"ptrtoint ptr %{argument_name(self.function, parameter)} to i64", "i64")
        return b.add(first, lanes("i64", [lane * stride for lane in range(LANES)]))

    # ---- masks -------------------------------------------------------------------------------------------------------
    @property
    def active(self) -> Value:
        """The mask as a predicate of the lanes."""
        if self._active is None:
            self._active = Value("splat (i1 true)", "i1", True) if self.full else self.b.lanes_of(self.mask)
        return self._active

    @contextmanager
    def under(self, predicate: Value) -> Iterator[None]:
        """The lanes for which it is true."""
        before = self.mask, self.full, self.guarded, self._active
        self.mask = self.b.both(self.mask, self.b.mask_of(predicate))
        self.full, self.guarded, self._active = False, True, None
        yield
        self.mask, self.full, self.guarded, self._active = before

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Code for one lane."""
        before = self.mask, self.full, self.guarded, self._active
        self.mask, self.full, self.guarded, self._active, self.is_alone = constant("i32", 1), False, False, None, True
        yield
        self.mask, self.full, self.guarded, self._active = before
        self.is_alone, self.carry = False, None

    def guard(self, instruction: Instruction) -> Value:
        assert instruction.guard is not None
        predicate = self.read(instruction.guard.register, "pred")
        return self.b.invert(predicate) if instruction.guard.negated else predicate

    # ---- the function ------------------------------------------------------------------------------------------------
    def text(self) -> str:
        b = self.b
        if not self.function.entry:
            b.emit(f"%frame = alloca [{self.frame_bytes} x i8], align 64")
        b.emit(f"%launch = load ptr, ptr {b.at('%block', layout.Block.LAUNCH)}")
        b.emit(f"%shared = load i64, ptr {b.at('%block', layout.Block.SHARED)}")
        b.emit(f"%parameters = getelementptr i8, ptr %launch, i64 {layout.Launch.BYTES}")
        if self.kernel.counting is not None:
            b.emit(f"%counters = load ptr, ptr {b.at('%block', layout.Block.COUNTERS)}")
        if self.kernel.checking is not None:
            self.kernel.checking.begin(b)
        b.emit("%fuel = alloca i32")
        b.emit(f"store i32 {self.kernel.fuel}, ptr %fuel")
        for number in self._summed():
            b.emit(f"%lanes{number} = alloca i32")
        self.own.begin()
        if self.kernel.checking is not None:
            self.kernel.checking.stack(self)
        if self.function.entry:
            b.emit(f"%live = getelementptr i8, ptr %warp, i64 {Warp.LIVE}")
            self._resume()
        else:
            size = self.held + 4 * len(self.blocks) - self.ready
            b.module.declarations.add("declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)")
            b.emit(f"call void @llvm.memset.p0.i64(ptr {b.at('%frame', self.ready)}, i8 0, i64 {size}, i1 false)")
            self.wait_at(0, Value("%lanes", "i32"))
        b.jump("dispatch")
        for number in range(len(self.blocks)):
            self._block(number)
        self._dispatcher()
        for number, come in self.come.items():
            ways = "".join(f", [ {lanes.text}, %{label} ]" for lanes, label in come)
            b.lines[b.lines.index(f"  %mask{number} = phi")] += f" i32 [ %mask, %found ]{ways}"
        body = "\n".join(b.lines)
        if self.function.entry:
            return f"define internal i32 @warp(ptr %frame, ptr %warp, ptr %block) #0 {{\n{body}\n}}"
        arguments = "".join(f", ptr %{argument_name(self.function, each)}" for each in self.parameters.values())
        name = function_name(self.function.name)
        return f"define internal i32 {name}(ptr %warp, ptr %block, i32 %lanes{arguments}) #0 {{\n{body}\n}}"

    def _block(self, number: int) -> None:
        b, block = self.b, self.blocks[number]
        known, written = self.regions.known.get(number, (-1, frozenset()))
        self.values, self.since = {}, {}
        for register, value in self.ends[known][0].items() if known >= 0 else ():
            since = self.ends[known][1][register]
            if register not in written and (not value.vector or number - since <= regions.NEAR):
                self.values[register], self.since[register] = value, since
        self.number, self.changed = number, set()
        self.guarded, self._active, self.carry = False, None, None
        self.ends.append((self.values, self.since))
        apart = number in self.facts.apart
        within = self._enter(number)
        b.label(f"B{number}")
        if number in self.straight:
            self.come[number] = []
            b.emit(f"%mask{number} = phi")
            within = Value(f"%mask{number}", "i32")
        self.full = (not apart and number not in self.facts.fewer and self.kernel.whole_warps and self.function.entry)
        self.mask = constant("i32", -1) if self.full else (
            (within or Value("%mask", "i32")) if apart else b.load("%live", "i32"))
        if number in self.loops:
            self.own.few_lanes(self.loops[number])
        counting = self.kernel.counting
        if counting is not None:
            counting.block(self)
        for barrier in self.barriers.get(number, ()):
            if barrier.has("red"):
                self._barrier_result(barrier)
        for instruction in block.body:
            if instruction.guard is None:
                self._instruction(instruction)
            else:
                with self.under(self.guard(instruction)):
                    self._instruction(instruction)
        self._end(block)

    def _instruction(self, instruction: Instruction) -> None:
        if self.kernel.checking is not None:
            self.kernel.checking.instruction(self, instruction)
        if self.kernel.counting is not None:
            self.kernel.counting.instruction(self, instruction)
        table.lower(self, instruction)

    def _keep(self) -> None:
        """Writes to the frame what later blocks read."""
        for register in sorted(self.changed & self.live_out[self.number] & self.slots.keys(),
                               key=lambda each: each.name):
            self._store(register, self.values[register])

    def _store(self, register: Register, value: Value) -> None:
        b, pointer = self.b, self.b.at("%frame", self.slots[register])
        if register in self.facts.uniform:
            if value.vector:
                value = b.extract(value, 0 if self.full else b.first(self.mask))
            b.store(b.cast("zext", value, "i32") if value.type == "i1" else value, pointer)
        elif value.type == "i1":
            mask = b.mask_of(value)
            if not self.full:
                kept = b.both(b.load(pointer, "i32"), b.invert(self.mask))
                mask = b.either(b.both(mask, self.mask), kept)
            b.store(mask, pointer)
        else:
            value = b.spread(value)
            if not self.full:
                value = b.select(self.active, value, b.load(pointer, value.type, True, 32))
            b.store(value, pointer, 32)

    def _end(self, block: flow.Block) -> None:
        b, end, number = self.b, block.end, self.number
        if number in self.regions.outermost:
            return self._within(block)
        if end is not None and end.opcode != "bra" and self.kernel.counting is not None:
            self.kernel.counting.branch(self, end, None)
        if end is None:
            self._keep()
            self._go(block.following)
        elif end.opcode == "bra":
            self._branch(block, end)
        elif end.opcode in ("ret", "exit"):
            if end.opcode == "exit" and not self.function.entry:
                table.refuse(end, "in a function that is called")
            if end.guard is not None:
                leaving = b.both(self.mask, b.mask_of(self.guard(end)))
                self._keep()
                self.leave(leaving)
                return self._rest(block.following, leaving)
            self.leave(self.mask)
            b.jump("dispatch")
        else:
            self._barrier(end)

    def _branch(self, block: flow.Block, end: Instruction) -> None:
        b, number, to = self.b, self.number, block.target
        counting = self.kernel.counting
        if end.guard is None:
            if counting is not None:
                counting.branch(self, end, None)
            self._keep()
            return self._go(to)
        predicate = self._predicate(end)
        if counting is not None:
            parts = predicate.vector and number not in self.facts.leaving
            counting.branch(self, end, b.both(self.mask, b.mask_of(predicate)) if parts else None)
        self._keep()
        if predicate.vector and number in self.facts.leaving:
            taken = b.both(self.mask, b.mask_of(predicate))
            if uniform.only_returns(self.blocks[to]):
                leaving, rest = taken, block.following
            else:
                leaving, rest = b.both(self.mask, b.invert(taken)), to
            self.leave(leaving)
            return self._rest(rest, leaving)
        if predicate.vector:
            taken = b.both(self.mask, b.mask_of(predicate))
            rest = b.both(self.mask, b.invert(taken))
            self.wait_at(block.following, rest)
            if to <= number and to in self.straight:
                return self._straight(to, taken)
            self.wait_at(to, taken)
            return self._dispatch(to)
        yes, no = b.fresh("yes"), b.fresh("no")
        b.branch(predicate, yes, no)
        b.label(yes)
        self._go(to)
        b.label(no)
        self._go(block.following)

    def _predicate(self, end: Instruction) -> Value:
        """Of a branch: a vector where lanes may differ."""
        predicate = self.guard(end)
        if predicate.vector and self.number not in self.facts.divergent | self.facts.leaving:
            return self.scalar(predicate)
        return predicate

    def leave(self, leaving: Value) -> None:
        if self.kernel.checking is not None and self.function.entry:
            self.kernel.checking.leave(self, leaving)
        if self.function.entry:
            self.b.store(self.b.both(self.b.load("%live", "i32"), self.b.invert(leaving)), "%live")

    def _rest(self, to: int, leaving: Value) -> None:
        """The lanes that do not leave go on, if there are any."""
        b, some = self.b, self.b.fresh("some")
        self.mask, self.full = b.both(self.mask, b.invert(leaving)), False
        b.branch(b.compare("ne", self.mask, 0), some, "dispatch")
        b.label(some)
        self._go(to)

    def _go(self, to: int) -> None:
        """All lanes of the mask to a block: at once where they can only be together, else by way of the dispatcher."""
        b = self.b
        if self.number in self.facts.apart or to in self.facts.apart:
            if self.number in self.facts.apart and to in self.straight and to <= self.number:
                return self._straight(to, self.mask)
            self.wait_at(to, self.mask)
            self._dispatch(to)
        elif to > self.number:
            b.jump(f"B{to}")
        else:
            again, rest = b.fresh("again"), b.fresh("rest")
            b.branch(b.compare("sgt", self._spend(to), 0), again, rest)
            b.label(again)
            b.jump(f"B{to}")
            b.label(rest)
            self.wait_at(to, self.mask)
            b.jump("dispatch")

    # ---- barriers ----------------------------------------------------------------------------------------------------
    def _barrier(self, end: Instruction) -> None:
        """Lanes are held for the next block until the scheduler says that the barrier is complete."""
        b = self.b
        operands = list(end.operands)
        predicate = None
        if end.has("red"):
            predicate = self.read(operands.pop(), "pred")
            operands.pop(0)
        which = (constant("i32", layout.CLUSTER_BARRIER) if end.has("cluster")
                 else self.scalar(self.read(operands[0], "u32")))
        count = self.scalar(self.read(operands[1], "u32")) if len(operands) > 1 else constant("i32", 0)
        self._keep()
        held = b.at("%warp", Warp.HELD)
        before = b.load(held, "i32")
        number = b.at("%warp", Warp.BARRIER)
        mixed, ok = b.fresh("mixed"), b.fresh("ok")
        expected = b.at("%warp", Warp.EXPECTED)
        other = b.either(b.compare("ne", b.load(number, "i32"), which), b.compare("ne", b.load(expected, "i32"), count))
        b.branch(b.both(b.compare("ne", before, 0), other), mixed, ok)
        b.label(mixed)
        self.fail(layout.MIXED_BARRIERS, end)
        b.label(ok)
        b.store(which, number)
        b.store(count, expected)
        if self.kernel.checking is not None:
            site, at = constant("i32", self.kernel.site(end)), b.at("%warp", Warp.SITE)
            last, other = b.load(at, "i32"), b.at("%warp", Warp.OTHER_SITE)
            kept = b.select(b.compare("eq", last, site), b.load(other, "i32"), last)
            b.store(b.select(b.compare("eq", before, 0), site, kept), other)
            b.store(site, at)
        b.store(b.either(before, self.mask), held)
        if predicate is not None:
            votes = b.call("ctpop", b.both(self.mask, b.mask_of(predicate)))
            for place, more in ((Warp.ADDING, votes), (Warp.COUNTED, b.call("ctpop", self.mask))):
                pointer = b.at("%warp", place)
                b.store(b.add(b.load(pointer, "i32"), more), pointer)
        pointer = b.at("%frame", self.held + 4 * self.blocks[self.number].following)
        b.store(b.either(b.load(pointer, "i32"), self.mask), pointer)
        b.jump("dispatch")

    def _barrier_result(self, instruction: Instruction) -> None:
        b = self.b
        votes, total = (b.load(b.at("%warp", place), "i32") for place in (Warp.TRUE, Warp.TOTAL))
        if instruction.has("popc"):
            self.write(instruction.operands[0], votes)
        else:
            self.write(instruction.operands[0],
                       b.compare("ne", votes, 0) if instruction.has("or") else b.compare("eq", votes, total))

    def scalar(self, value: Value) -> Value:
        """The value of the first lane of the mask."""
        return self.b.extract(value, 0 if self.full else self.b.first(self.mask)) if value.vector else value

    def fail(self, kind: int, instruction: Instruction) -> None:
        """Ends the launch with an error; the current block of LLVM ends here."""
        b = self.b
        for place, value in ((layout.Launch.ERROR, constant("i32", kind)),
                             (layout.Launch.SITE, constant("i32", self.kernel.site(instruction))),
                             (layout.Launch.ERROR_LANES, self.mask),
                             (layout.Launch.ERROR_WARP, b.load(b.at("%warp", Warp.NUMBER), "i32"))):
            b.store(value, b.at("%launch", place))
        for axis in range(3):
            index = b.load(b.at("%block", layout.Block.INDEX[axis]), "i32")
            b.store(index, b.at("%launch", layout.Launch.ERROR_BLOCK + 4 * axis))
        b.emit(f"ret i32 {layout.FAILED}")
