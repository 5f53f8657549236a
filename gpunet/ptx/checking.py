"""Checks in the code of a kernel: each access of a warp is looked at before it happens.

What is usual is vector code: lanes use neighbours (or all of them one place) within an array, each cell was last
written in a phase that is over, and no thread of this phase is in the way. All else goes lane by lane by way of
shadow.py. An access that must not be goes to memory apart, so that the launch goes on and tells its other mistakes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from gpunet.ptx import flow, model, shadow, subset
from gpunet.ptx.emit import BITS, LANES, Builder, Value, constant, lanes
from gpunet.ptx.layout import Block, Warp
from gpunet.ptx.model import SIZES, Instruction, Vector
from gpunet.ptx.shadow import ATOMIC, FLAG, OF_BLOCK, READ, WRITE

if TYPE_CHECKING:
    from gpunet.ptx.lower import Lowering

_ASKS = 100  # of a warp's branches, that an atomic access counts for
GAP = 256  # bytes between arrays, at least
_PREFIX = "gpunet.check."
_CHECK, _NOW = Value("%check", "ptr"), Value("%now", "ptr")
_ORDERED = {"volatile", "relaxed", "acquire", "release", "acq_rel", "sc", "mmio"}


class Checking:
    """How a kernel's accesses are checked. `cells`: bytes of a cell of global and of shared memory."""

    def __init__(self, module: model.Module, functions: Iterable[model.Function]) -> None:
        self.variables: dict[str, int] = {}  # places behind the beginning of the arrays' memory
        self.variable_bytes = GAP
        for variable in module.variables.values():
            if variable.space in ("global", "const"):
                self.variables[variable.name] = self.variable_bytes
                size = variable.size + GAP
                self.variable_bytes += size + -size % GAP
        self.cells = {"global": 4, "shared": 4}
        self.copies = self.multicast = False
        self.clock = False
        self.structures: set[int] = set()  # lines of loads
        for function in functions:
            self.structures |= _copies_of_structures(function)
            for i in function.body or ():
                if isinstance(i, Instruction):
                    self._look(i)

    def _look(self, i: Instruction) -> None:
        self.copies |= i.opcode == "cp" and i.modifiers[:1] == ("async",) and not i.has("bulk")
        self.multicast |= i.has("multicast::cluster")
        self.clock |= any(isinstance(each, model.Register) and each.name.startswith(("%clock", "%globaltimer"))
                          for each in i.operands)
        if i.opcode in ("ld", "ldu", "st", "atom", "red"):
            size = _bytes(i)
        elif i.opcode in ("ldmatrix", "stmatrix"):
            size = 2 if i.has("trans") else 4
        else:
            return
        space = _space(i)
        for name in ("global", "shared"):
            if space in (name, "") or space == "const" and name == "global":
                self.cells[name] = min(self.cells[name], size)

    # ---- what a kernel's code begins with ----------------------------------------------------------------------------
    def begin(self, b: Builder) -> None:
        """Names for the block's state and the stamps of the warp's threads."""
        b.emit(f"%check = load ptr, ptr {b.at('%block', Block.CHECK)}")
        number = b.resize(b.load(b.at("%warp", Warp.NUMBER), "i32"), "i64")
        b.emit(f"%now = getelementptr i8, ptr %check, i64 {b.add(b.mul(number, 8 * LANES), shadow.NOW).text}")

    def variable(self, low: Lowering, name: str) -> Value:
        """The address of a variable of the module."""
        b = low.b
        launch = b.load(b.at("%check", shadow.LAUNCH), "ptr").text
        return b.add(b.load(b.at(launch, shadow.ARENA), "i64"), self.variables[name])

    def instruction(self, low: Lowering, i: Instruction) -> None:
        """What comes before an instruction that is no plain access."""
        if i.opcode in ("shfl", "vote", "match", "redux", "elect") and i.has("sync"):
            self.members(low, i, i.operands[-1])
        elif i.opcode in ("bar", "barrier") and i.has("warp"):
            self.members(low, i, i.operands[0])
            self.join(low, i.operands[0])
        elif i.opcode in ("bar", "barrier") and i.has("arrive") and not i.has("cluster"):
            number, count = (low.scalar(low.read(each, "u32")) for each in i.operands)
            self.tell_mask(low, shadow.ARRIVE, i, number, count)
        elif i.opcode == "cp" and i.modifiers[:1] == ("async",):
            if i.has("bulk"):
                self._bulk_groups(low, i)
            else:
                self._groups(low, i)
        elif i.opcode in ("fence", "membar") and not any(each.startswith(("proxy", "mbarrier")) for each in i.modifiers):
            fence(low, not _of_block(i))

    def leave(self, low: Lowering, leaving: Value) -> None:
        """Threads end."""
        if self.copies:
            low.b.through_all("check.ends", lambda b, *given: _each(b, "thread_ends", *given), _CHECK, _NOW, leaving)

    def functions(self) -> str:
        return subset.lowered(shadow.FUNCTIONS, _PREFIX)

    # ---- accesses ----------------------------------------------------------------------------------------------------
    def access(self, low: Lowering, i: Instruction, at: Value, size: int, kind: int, values: list[Value],
               space: str, mask: Value | None = None) -> Value:
        """Where the access goes: its own address, but for lanes that must not be there."""
        b = low.b
        if space == "local":
            return self._local(low, i, at, size, kind)
        if space not in ("global", "const", "shared", ""):
            return at
        mask = low.mask if mask is None else mask
        site = constant("i64", min(low.kernel.site(i), shadow.MOST_SITES - 1))
        if i.opcode in ("ld", "st", "atom", "red"):
            kind |= _order(i, space)
        if kind == READ and i.line in self.structures:
            kind |= shadow.OF_STRUCTURE
        if kind & ATOMIC:  # a loop of such may wait for another thread, which must run
            fuel = b.load("%fuel", "i32")
            b.store(b.call("smax", b.sub(fuel, _ASKS), 1), "%fuel")
        if kind & ATOMIC and kind & WRITE and ({"release", "acq_rel", "sc"} & set(i.modifiers)):
            fence(low, not _of_block(i))
        if not at.vector and kind == READ and space:
            bad = b.through_all(f"check.one.{size}", lambda inner, *given: _one(inner, size, *given), _CHECK, _NOW, at,
                                mask, site)[0]
            other = b.add(b.load(b.at(b.load(b.at("%check", shadow.LAUNCH), "ptr").text, shadow.DUMP), "i64"), 0)
            return b.select(b.compare("ne", bad, 0), other, at)
        spread = b.spread(at)
        if not space:
            mask = b.both(mask, b.invert(b.mask_of(self._own(low, spread))))
        name = f"check.{space or 'generic'}.{size}.{kind}.{len(values)}"
        cell = self.cells["shared" if space == "shared" else "global"]
        bad = b.through_all(name, lambda inner, *given: _warp(inner, space, cell, size, kind, *given), _CHECK, _NOW,
                            spread, mask, site, *map(b.spread, values))[0]
        return self._elsewhere(b, spread, bad, kind)

    def _elsewhere(self, b: Builder, at: Value, bad: Value, kind: int) -> Value:
        dump = b.load(b.at(b.load(b.at("%check", shadow.LAUNCH), "ptr").text, shadow.DUMP), "i64")
        further = lanes("i64", [(4096 if kind & WRITE else 0) + 64 * lane for lane in range(LANES)])
        return b.select(b.lanes_of(bad), b.add(further, dump), at)

    def _own(self, low: Lowering, at: Value) -> Value:
        """Local memory, by a generic address: of this function's frame, or near the host's stack."""
        b = low.b
        stack = b.sub(b.value("ptrtoint ptr %fuel to i64", "i64"), 1 << 22)
        frames = b.load(b.at("%block", Block.WARPS), "i64")
        size = b.load(b.at("%check", shadow.FRAMES), "i64")
        parameters = b.value("ptrtoint ptr %parameters to i64", "i64")
        own = b.either(b.compare("ult", b.sub(at, stack), 1 << 23), b.compare("ult", b.sub(at, frames), size))
        return b.either(own, b.compare("ult", b.sub(at, parameters), 4096))

    def _local(self, low: Lowering, i: Instruction, at: Value, size: int, kind: int) -> Value:
        """Within the lane's copy of the function's only local variable."""
        variables = [each for each in low.function.variables if each.space == "local"]
        if len(variables) != 1:
            return at
        b, (base, stride) = low.b, low.variables[variables[0].name]
        first = b.add(b.value(f"ptrtoint ptr {b.at('%frame', base)} to i64", "i64"),
                      lanes("i64", [lane * stride for lane in range(LANES)]))
        at = b.spread(at)
        outside = b.compare("ugt", b.sub(at, first), variables[0].size - size)
        bad = b.both(b.mask_of(outside), low.mask)
        site = constant("i64", min(low.kernel.site(i), shadow.MOST_SITES - 1))
        b.through_all(f"check.local.{size}.{kind}", lambda inner, *given: _beyond_local(inner, size, kind, *given),
                      _CHECK, _NOW, at, bad, site)
        return self._elsewhere(b, at, bad, kind)

    # ---- order of a warp's lanes -------------------------------------------------------------------------------------
    def join(self, low: Lowering, members: model.Operand) -> None:
        b = low.b
        warp = b.resize(b.load(b.at("%warp", Warp.NUMBER), "i32"), "i64")
        b.through_all("check.joins", _joins, _CHECK, _NOW, b.spread(low.read(members, "b32")), low.mask, warp)

    # ---- asynchronous copies -----------------------------------------------------------------------------------------
    def _groups(self, low: Lowering, i: Instruction) -> None:
        name, more = "", []
        if i.has("commit_group"):
            name = "group_closed"
        elif i.has("wait_all") or i.has("mbarrier"):
            name, more = "copies_waited", [constant("i64", shadow.OUTSIDE)]
        elif i.has("wait_group"):
            name, more = "copies_waited", [constant("i64", low.known(i.operands[0]) or 0)]
        if name:
            low.b.through_all(f"check.{name}", lambda b, *given: _each(b, name, *given), _CHECK, _NOW, low.mask,
                              *map(low.b.spread, more))

    def _bulk_groups(self, low: Lowering, i: Instruction) -> None:
        if i.has("commit_group"):
            self.tell_mask(low, shadow.BULK_WAIT, i, constant("i64", 0), constant("i64", 0))
        elif i.has("wait_group"):
            self.tell_mask(low, shadow.BULK_WAIT, i, constant("i64", low.known(i.operands[0]) or 0),
                           constant("i64", 1 if i.has("read") else 2))

    def copy(self, low: Lowering, i: Instruction, to: Value, frm: Value, size: int,
             given: Value | None) -> tuple[Value, Value]:
        """cp.async: where it writes and reads."""
        b = low.b
        valid = b.spread(constant("i32", size) if given is None else given)
        site = constant("i64", min(low.kernel.site(i), shadow.MOST_SITES - 1))
        to, frm = b.spread(to), b.spread(frm)
        bad_to, bad_from = b.through_all(f"check.copy.{size}", lambda inner, *values: _copy(inner, size, *values), _CHECK,
                                         _NOW, to, frm, b.resize(valid, "i64"), low.mask, site)
        return self._elsewhere(b, to, bad_to, WRITE), self._elsewhere(b, frm, bad_from, READ)

    def rows(self, low: Lowering, i: Instruction, at: Value, count: int) -> None:
        """The addresses of matrices' rows are multiples of 16."""
        b = low.b
        site = constant("i64", min(low.kernel.site(i), shadow.MOST_SITES - 1))
        bad = b.both(b.both(b.mask_of(b.compare("ne", b.both(b.spread(at), 15), 0)), low.mask), (1 << 8 * count) - 1)
        b.through_all("check.rows", _rows, _CHECK, _NOW, b.spread(at), bad, site)

    # ---- mbarriers and bulk copies: Python does the rest -------------------------------------------------------------
    def count(self, low: Lowering, i: Instruction, at: Value, what: int, operation: int, mask: Value | None = None,
              *more: Value) -> None:
        """Lanes use mbarriers at addresses of their own; `what` is for Python, with up to two vectors of numbers."""
        b = low.b
        mask = low.mask if mask is None else mask
        number = b.resize(b.load(b.at("%warp", Warp.NUMBER), "i32"), "i64")
        site = constant("i64", min(low.kernel.site(i), shadow.MOST_SITES - 1))
        nothing = b.spread(constant("i64", 0))
        given = [b.spread(b.resize(each, "i64")) for each in more] + [nothing] * (4 - len(more))
        site = constant("i64", int(site.text) | operation << 16)
        b.through_all("check.counts", _counts, _CHECK, constant("i64", what), number, mask, site, b.spread(at), *given)

    def tell_mask(self, low: Lowering, what: int, i: Instruction, *values: Value) -> None:
        """Tells Python of the lanes of the mask, if there are any."""
        b = low.b
        site = constant("i64", min(low.kernel.site(i), shadow.MOST_SITES - 1)) if i else constant("i64", 0)
        number = b.resize(b.load(b.at("%warp", Warp.NUMBER), "i32"), "i64")
        given = [*values, *[constant("i64", 0)] * (2 - len(values))]
        b.through_all("check.tell", _tell, _CHECK, constant("i64", what), number, b.resize(low.mask, "i64"), site,
                      *(b.resize(each, "i64") for each in given))

    def sources(self, low: Lowering, i: Instruction, there: Value, source: Value) -> None:
        """Lanes of a shuffle that read from lanes which are not there."""
        b = low.b
        absent = b.both(low.mask, b.invert(b.mask_of(there)))
        bounds = low.known(i.operands[3])
        if bounds is not None and bounds >> 8 & 31 not in (0, 16, 24, 28, 30, 31):
            return self.tell_mask(low, shadow.SHUFFLE, i, constant("i64", 0), constant("i64", 1))
        with low.under(b.lanes_of(absent)):
            at = b.both(b.call("cttz", absent, flags=(False,)), 31)
            self.tell_mask(low, shadow.SHUFFLE, i, b.extract(source, at), constant("i64", 0))

    def members(self, low: Lowering, i: Instruction, operand: Any) -> None:
        """A collective of the lanes that its mask names: those, and no others, are here."""
        b = low.b
        named = b.spread(low.read(operand, "b32"))
        live = b.load("%live", "i32") if low.function.entry else constant("i32", -1)
        b.through_all("check.members", _members, _CHECK, named, low.mask, live,
                      b.resize(b.load(b.at("%warp", Warp.NUMBER), "i32"), "i64"),
                      constant("i64", min(low.kernel.site(i), shadow.MOST_SITES - 1)))


def fence(low: Lowering, device: bool) -> None:
    b = low.b
    number = b.resize(b.load(b.at("%warp", Warp.NUMBER), "i32"), "i64")
    b.through_all("check.tell", _tell, _CHECK, constant("i64", shadow.FENCE), number, b.resize(low.mask, "i64"),
                  constant("i64", 0), constant("i64", int(device)), constant("i64", 0))


def _copies_of_structures(function: model.Function) -> set[int]:
    """The loads, by their lines, that only copy: several from one place in shared memory to one other, at equal
    distances. Padding goes along in such copies, which is no reading of what nothing has written."""
    loads: dict[model.Register, Instruction] = {}
    used: dict[model.Register, int] = {}
    pairs: dict[tuple, list[int]] = {}
    body = [each for each in function.body or () if isinstance(each, Instruction)]
    for i in body:
        for register in flow.sources(i):
            used[register] = used.get(register, 0) + 1
        if i.opcode == "ld" and _space(i) == "shared" and isinstance(i.operands[0], model.Register):
            loads[i.operands[0]] = i
    for i in body:
        value = i.operands[1] if i.opcode == "st" and _space(i) == "shared" else None
        load = loads.get(value) if isinstance(value, model.Register) else None
        if load is None or not isinstance(value, model.Register) or used[value] != 1:
            continue
        to, frm = i.operands[0], load.operands[1]
        if isinstance(to, model.Address) and isinstance(frm, model.Address):
            pairs.setdefault((to.base, frm.base, to.offset - frm.offset), []).append(load.line)
    return {line for lines in pairs.values() if len(lines) > 1 for line in lines}


def _bytes(i: Instruction) -> int:
    operand = i.operands[0] if i.opcode in ("ld", "ldu") else i.operands[-1]
    return SIZES[i.type] * (len(operand.elements) if isinstance(operand, Vector) else 1)


def _space(i: Instruction) -> str:
    spaces = ("global", "shared", "local", "const", "param")
    return next((each.split("::")[0] for each in i.modifiers if each.split("::")[0] in spaces), "")


def _of_block(i: Instruction) -> bool:
    return i.has("cta")


def _order(i: Instruction, space: str) -> int:
    """Of an access that is an atomic one, or as good as that."""
    if i.opcode not in ("atom", "red") and not _ORDERED & set(i.modifiers):
        return 0
    if i.has("volatile") and space == "shared":
        return ATOMIC | OF_BLOCK | FLAG
    return ATOMIC | (OF_BLOCK if _of_block(i) else 0)


# ---- helpers in IR -----------------------------------------------------------------------------------------------
def _call(b: Builder, name: str, *values: Value) -> Value:
    return b.value(f'call i64 @"{_PREFIX}{name}"({", ".join(map(str, values))})', "i64")


def _as_number(b: Builder, pointer: Value) -> Value:
    return b.value(f"ptrtoint {pointer} to i64", "i64")


def _lane_now(b: Builder, now: Value, lane: Value) -> Value:
    return b.load(b.value(f"getelementptr i64, ptr {now.text}, {lane}", "ptr").text, "i64")


def _each(b: Builder, name: str, check: Value, now: Value, mask: Value, *values: Value) -> list[Value]:
    """Calls a function of shadow.py for each lane of a mask."""
    b.emit("%left.p = alloca i32")
    b.store(mask, "%left.p")
    b.branch(b.compare("eq", mask, 0), "over", "turn")
    b.label("turn")
    left = b.load("%left.p", "i32")
    lane = b.first(left)
    _call(b, name, _as_number(b, check), _lane_now(b, now, lane), *(b.extract(each, lane) for each in values))
    rest = b.both(left, b.sub(left, 1))
    b.store(rest, "%left.p")
    b.branch(b.compare("ne", rest, 0), "turn", "over")
    b.label("over")
    return []


def _one(b: Builder, size: int, check: Value, now: Value, at: Value, mask: Value, site: Value) -> list[Value]:
    """All lanes read one place: the first and the last of them stand for all."""
    b.emit("%bad = alloca i64")
    b.emit("store i64 0, ptr %bad")
    b.branch(b.compare("eq", mask, 0), "over", "some")
    b.label("some")
    first, last = b.first(mask), b.sub(constant("i32", 31), b.call("ctlz", mask, flags=(True,)))
    state = _as_number(b, check)
    for number, lane in enumerate((first, last)):
        if number:
            b.branch(b.compare("eq", first, last), "over", "two")
            b.label("two")
        bad = _call(b, "check_lane", state, _lane_now(b, now, lane), at, constant("i64", size),
                    constant("i64", READ), site)
        b.store(bad, "%bad")
    b.jump("over")
    b.label("over")
    return [b.load("%bad", "i64")]


def _warp(b: Builder, space: str, cell: int, size: int, kind: int, check: Value, now: Value, at: Value, mask: Value,
          site: Value, *values: Value) -> list[Value]:
    """The lanes that must not go on."""
    b.emit("%left.p = alloca i32")
    b.emit("%bad = alloca i32")
    b.emit(f"%at.p = alloca <{LANES} x i64>, align 64")
    b.emit("store i32 0, ptr %bad")
    b.branch(b.compare("eq", mask, 0), "over", "some")
    b.label("some")
    if space and not kind & (ATOMIC | FLAG) and size >= cell:
        _usual(b, space, cell, size, kind, check, now, at, mask, site)
    else:
        b.jump("each")
    b.label("each")
    if values:
        place = b.load(b.at(b.load(b.at(check.text, shadow.LAUNCH), "ptr").text, shadow.VALUES), "ptr").text
        b.store(constant("i64", BITS[values[0].type] // 8), place)
        b.store(constant("i64", len(values)), b.at(place, 8))
        for number, value in enumerate(values):
            b.store(value, b.at(place, 64 + 512 * number), 64)
    b.store(at, "%at.p", 64)
    b.store(mask, "%left.p")
    state = _as_number(b, check)
    b.jump("turn")
    b.label("turn")
    left = b.load("%left.p", "i32")
    lane = b.first(left)
    where = b.load(b.value(f"getelementptr i64, ptr %at.p, {lane}", "ptr").text, "i64")
    bad = _call(b, "check_lane", state, _lane_now(b, now, lane), where, constant("i64", size), constant("i64", kind),
                site)
    b.store(b.either(b.load("%bad", "i32"), b.shl(b.resize(bad, "i32"), lane)), "%bad")
    rest = b.both(left, b.sub(left, 1))
    b.store(rest, "%left.p")
    b.branch(b.compare("ne", rest, 0), "turn", "over")
    b.label("over")
    return [b.load("%bad", "i32")]


def _usual(b: Builder, space: str, cell: int, size: int, kind: int, check: Value, now: Value, at: Value, mask: Value,
           site: Value) -> None:
    """Ends in "over" where nothing is wrong, else in "each"."""
    launch = b.load(b.at(check.text, shadow.LAUNCH), "ptr").text
    holder, places = ((check.text, (shadow.SHARED, shadow.LIMIT, shadow.SHARED_WRITES, shadow.SHARED_READS,
                                    shadow.SHARED_OTHERS)) if space == "shared" else
                      (launch, (shadow.ARENA, shadow.SIZE, shadow.WRITES, shadow.READS, shadow.OTHERS)))
    base, limit = (b.load(b.at(holder, place), "i64") for place in places[:2])
    lane0, absent = b.first(mask), b.invert(mask)
    given = b.extract(at, lane0)
    if kind == READ:
        alike = b.compare("eq", b.either(b.mask_of(b.compare("eq", at, given)), absent), -1)
        b.branch(alike, "alike", "apart")
        b.label("alike")
        # One place: two lanes stand for all. What is wrong is told of these.
        last = b.sub(constant("i32", 31), b.call("ctlz", mask, flags=(True,)))
        state, wide, reads = _as_number(b, check), constant("i64", size), constant("i64", READ)
        b.store(_spread_bad(b, _call(b, "check_lane", state, _lane_now(b, now, lane0), given, wide, reads, site),
                            mask), "%bad")
        b.branch(b.compare("eq", lane0, last), "over", "second")
        b.label("second")
        _call(b, "check_lane", state, _lane_now(b, now, last), given, wide, reads, site)
        b.jump("over")
        b.label("apart")
    first = b.sub(given, b.mul(b.resize(lane0, "i64"), size))
    wanted = b.add(lanes("i64", [size * lane for lane in range(LANES)]), first)
    neighbours = b.compare("eq", b.either(b.mask_of(b.compare("eq", at, wanted)), absent), -1)
    offset = b.sub(first, base)
    inside = b.both(b.compare("ult", offset, limit), b.compare("ule", b.add(offset, LANES * size), limit))
    aligned = b.compare("eq", b.both(offset, size - 1), 0)
    b.branch(b.both(b.both(neighbours, inside), aligned), "wide", "each")
    b.label("wide")
    cells = b.shl(b.lshr(offset, cell.bit_length() - 1), 3)
    writes, reads, others = (b.at(b.load(b.at(holder, place), "ptr").text, cells) for place in places[2:])
    stamps = b.either(b.load(now.text, "i64", True, 64), b.spread(b.shl(site, shadow.SITE_SHIFT)))
    active = b.lanes_of(mask)
    begin, span = (b.load(b.at(check.text, place), "i64") for place in (shadow.FIRST, shadow.USUAL))
    each_lane = size // cell
    for chunk in range(each_lane):
        owners = [(LANES * chunk + k) // each_lane for k in range(LANES)]
        me, here = b.permute(stamps, owners), b.permute(active, owners)
        at_w, at_r, at_o = (b.at(place, 8 * LANES * chunk) for place in (writes, reads, others))
        w, r, o = (b.load(place, "i64", True, 8) for place in (at_w, at_r, at_o))

        def ordered(s: Value, me: Value = me) -> Value:
            early = b.compare("ult", b.sub(s, begin), span)
            mine = b.compare("ult", b.xor(s, me), 1 << shadow.THREAD_SHIFT)
            return b.either(b.either(b.compare("eq", s, 0), early), mine)

        if kind == READ:
            good = ordered(w)
        else:
            good = b.both(b.both(b.either(ordered(w), b.compare("eq", w, shadow.UNWRITTEN)), ordered(r)), ordered(o))
        fine, on = b.fresh("fine"), b.both(b.mask_of(here), b.invert(b.mask_of(good)))
        b.branch(b.compare("eq", on, 0), fine, "each")
        b.label(fine)
        if kind == READ:
            def same(s: Value, me: Value = me) -> Value:
                # but for the site; what an atomic operation leaves is not the same
                return b.compare("eq", b.both(b.xor(s, me), ~(shadow.MOST_SITES - 1 << shadow.SITE_SHIFT | 2)), 0)

            def one_warp(s: Value, other: Value) -> Value:
                return b.compare("ult", b.xor(s, other), 1 << shadow.THREAD_SHIFT + 5)

            todo = b.both(here, b.invert(b.either(b.either(same(r), same(o)), same(w))))
            free = ordered(r)
            crowd = b.both(one_warp(r, o), b.invert(one_warp(r, me)))
            second = b.both(b.invert(free), b.both(b.either(ordered(o), crowd),
                                                   b.compare("ult", o, shadow.SPECIAL)))
            b.store(b.select(b.both(todo, free), me, r), at_r, 8)
            b.store(b.select(b.both(todo, second), me, o), at_o, 8)
        else:
            b.store(b.select(here, me, w), at_w, 8)
            b.store(b.select(here, 0, r), at_r, 8)
            b.store(b.select(here, 0, o), at_o, 8)
    b.jump("over")


def _spread_bad(b: Builder, bad: Value, mask: Value) -> Value:
    return b.select(b.compare("ne", bad, 0), mask, 0)


def _beyond_local(b: Builder, size: int, kind: int, check: Value, now: Value, at: Value, bad: Value,
                  site: Value) -> list[Value]:
    b.branch(b.compare("eq", bad, 0), "over", "some")
    b.label("some")
    lane = b.first(bad)
    zero = constant("i64", 0)
    _call(b, "told", _as_number(b, check), constant("i64", shadow.BEYOND), _lane_now(b, now, lane), site,
          b.extract(at, lane), zero, constant("i64", size), constant("i64", kind | 512))
    b.jump("over")
    b.label("over")
    return []


def _copy(b: Builder, size: int, check: Value, now: Value, to: Value, frm: Value, valid: Value, mask: Value,
          site: Value) -> list[Value]:
    for name in ("left.p", "to.bad", "from.bad"):
        b.emit(f"%{name} = alloca i32")
        b.emit(f"store i32 0, ptr %{name}")
    b.store(mask, "%left.p")
    b.branch(b.compare("eq", mask, 0), "over", "turn")
    b.label("turn")
    left = b.load("%left.p", "i32")
    lane = b.first(left)
    bad = b.resize(_call(b, "copy_issued", _as_number(b, check), _lane_now(b, now, lane), b.extract(to, lane),
                         b.extract(frm, lane), constant("i64", size), b.extract(valid, lane), site), "i32")
    for place, bit in (("%to.bad", b.both(bad, 1)), ("%from.bad", b.lshr(bad, 1))):
        b.store(b.either(b.load(place, "i32"), b.shl(bit, lane)), place)
    rest = b.both(left, b.sub(left, 1))
    b.store(rest, "%left.p")
    b.branch(b.compare("ne", rest, 0), "turn", "over")
    b.label("over")
    return [b.load("%to.bad", "i32"), b.load("%from.bad", "i32")]


def _rows(b: Builder, check: Value, now: Value, at: Value, bad: Value, site: Value) -> list[Value]:
    b.branch(b.compare("eq", bad, 0), "over", "some")
    b.label("some")
    lane = b.first(bad)
    _call(b, "told", _as_number(b, check), constant("i64", shadow.MISALIGNED), _lane_now(b, now, lane), site,
          b.extract(at, lane), constant("i64", 0), constant("i64", 16), constant("i64", READ))
    b.jump("over")
    b.label("over")
    return []


def _counts(b: Builder, check: Value, what: Value, warp: Value, mask: Value, site: Value,
            *given: Value) -> list[Value]:
    b.emit(f"%given.p = alloca [{len(given)} x <{LANES} x i64>], align 64")
    b.branch(b.compare("eq", mask, 0), "over", "some")
    b.label("some")
    for number, each in enumerate(given):
        b.store(each, b.at("%given.p", 8 * LANES * number), 64)
    function = b.load(b.at(b.load(b.at(check.text, shadow.LAUNCH), "ptr").text, shadow.TELL), "ptr").text
    word = b.either(b.either(b.shl(b.resize(mask, "i64"), 5), warp), b.shl(b.both(site, 0xFFFF), 40))
    word = b.either(word, b.shl(b.lshr(site, 16), 37))
    b.emit("%given.at = ptrtoint ptr %given.p to i64")
    b.emit(f"call i64 {function}({what}, {_as_number(b, check)}, {word}, i64 %given.at, i64 0, i64 0)")
    b.jump("over")
    b.label("over")
    return []


def _joins(b: Builder, check: Value, now: Value, named: Value, mask: Value, warp: Value) -> list[Value]:
    """Lanes that name the same lanes meet."""
    b.emit("%todo.p = alloca i32")
    b.store(mask, "%todo.p")
    b.branch(b.compare("eq", mask, 0), "over", "turn")
    b.label("turn")
    todo = b.load("%todo.p", "i32")
    members = b.extract(named, b.first(todo))
    same = b.both(b.mask_of(b.compare("eq", named, members)), todo)
    b.through_all("check.join", _join, check, now, same, warp)
    rest = b.both(todo, b.invert(same))
    b.store(rest, "%todo.p")
    b.branch(b.compare("ne", rest, 0), "turn", "over")
    b.label("over")
    return []


def _join(b: Builder, check: Value, now: Value, mask: Value, warp: Value) -> list[Value]:
    """The lanes of the mask have met: each knows what any of them knew. Rows are taken in pieces of a warp's threads,
    the own warp's alone where nobody knows of others."""
    for name in ("left.p", "piece.p"):
        b.emit(f"%{name} = alloca {'i32' if name == 'left.p' else 'i64'}")
    b.emit(f"%joined.p = alloca <{LANES} x i32>, align 64")
    b.branch(b.compare("eq", mask, 0), "over", "some")
    b.label("some")
    rows = b.load(b.at(check.text, shadow.ROWS), "ptr").text
    first_row = b.mul(warp, LANES * shadow.ROW)
    wide = b.compare("ne", b.load(b.at(check.text, shadow.WIDE), "i64"), 0)
    threads = b.load(b.at(check.text, shadow.THREADS), "i64")
    pieces = b.lshr(b.add(threads, LANES - 1), 5)
    b.store(b.select(wide, 0, warp), "%piece.p")
    end = b.select(wide, pieces, b.add(warp, 1))
    clocks = b.resize(b.both(b.lshr(b.load(now.text, "i64", True, 64), shadow.CLOCK_SHIFT), shadow.MOST_CLOCK), "i32")
    b.jump("piece")
    b.label("piece")
    piece = b.load("%piece.p", "i64")
    place = b.at(rows, b.add(first_row, b.mul(piece, 4 * LANES)))

    def row(lane: Value) -> str:
        return b.at(place, b.mul(b.resize(lane, "i64"), shadow.ROW))

    def loop(name: str, do) -> None:
        b.store(mask, "%left.p")
        b.jump(name)
        b.label(name)
        left = b.load("%left.p", "i32")
        do(row(b.first(left)))
        rest = b.both(left, b.sub(left, 1))
        b.store(rest, "%left.p")
        b.branch(b.compare("ne", rest, 0), name, f"{name}.over")
        b.label(f"{name}.over")

    b.emit(f"store <{LANES} x i32> zeroinitializer, ptr %joined.p, align 64")
    loop("merge", lambda at: b.store(b.call("umax", b.load("%joined.p", "i32", True, 64), b.load(at, "i32", True, 4)),
                                     "%joined.p", 64))
    own = b.both(b.mask_of(b.spread(b.compare("eq", piece, warp))), mask)
    known = b.select(b.lanes_of(own), clocks, b.load("%joined.p", "i32", True, 64))
    loop("spread", lambda at: b.store(known, at, 4))
    following = b.add(piece, 1)
    b.store(following, "%piece.p")
    b.branch(b.compare("ult", following, end), "piece", "tick")
    b.label("tick")
    stamps = b.load(now.text, "i64", True, 64)
    ticks = b.both(b.lanes_of(mask), b.compare("ult", clocks, shadow.MOST_CLOCK))
    b.store(b.add(stamps, b.select(ticks, b.spread(constant("i64", 1 << shadow.CLOCK_SHIFT)), 0)), now.text, 64)
    b.store(constant("i64", 1), b.at(check.text, shadow.MET))
    b.jump("over")
    b.label("over")
    return []


def _tell(b: Builder, check: Value, what: Value, warp: Value, mask: Value, site: Value, more: Value,
          further: Value) -> list[Value]:
    b.branch(b.compare("eq", mask, 0), "over", "some")
    b.label("some")
    function = b.load(b.at(b.load(b.at(check.text, shadow.LAUNCH), "ptr").text, shadow.TELL), "ptr").text
    word = b.either(b.either(b.shl(mask, 5), warp), b.shl(site, 40))
    b.emit(f"call i64 {function}({what}, {_as_number(b, check)}, {word}, {more}, {further}, i64 0)")
    b.jump("over")
    b.label("over")
    return []


def _members(b: Builder, check: Value, named: Value, mask: Value, live: Value, warp: Value, site: Value) -> list[Value]:
    """Usual: all lanes of the mask name just the lanes of the mask."""
    b.branch(b.compare("eq", mask, 0), "over", "some")
    b.label("some")
    fits = b.compare("eq", b.either(b.mask_of(b.compare("eq", named, mask)), b.invert(mask)), -1)
    b.branch(fits, "over", "differs")
    b.label("differs")
    b.emit(f"%named.p = alloca <{LANES} x i32>, align 64")
    b.store(named, "%named.p", 64)
    function = b.load(b.at(b.load(b.at(check.text, shadow.LAUNCH), "ptr").text, shadow.TELL), "ptr").text
    word = b.either(b.either(b.shl(b.resize(mask, "i64"), 5), warp), b.shl(site, 40))
    b.emit("%named.at = ptrtoint ptr %named.p to i64")
    b.emit(f"call i64 {function}(i64 {shadow.ABSENT}, {_as_number(b, check)}, {word}, i64 %named.at, "
           f"{b.resize(live, 'i64')}, i64 0)")
    b.jump("over")
    b.label("over")
    return []

