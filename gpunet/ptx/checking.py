"""Checks in the code of a kernel: each access of a warp is looked at before it happens.

What is usual is vector code: lanes use neighbours (or all of them one place) within an array, each cell was last
written in a phase that is over, and no thread of this phase is in the way. All else goes lane by lane by way of
shadow.py. An access that must not be goes to memory apart, so that the launch goes on and tells its other mistakes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from gpunet.ptx import flow, model, origins, shadow, subset
from gpunet.ptx.accesses import (
    PREFIX,
    beyond_local,
    copies_of_lanes,
    each_lane,
    meet,
    members_of_masks,
    misaligned_rows,
    one_place,
    only_read,
    tell_of_lanes,
    tell_of_mask,
    warp_access,
)
from gpunet.ptx.emit import LANES, Builder, Value, constant, lanes
from gpunet.ptx.layout import STACK, Block, Warp
from gpunet.ptx.model import SIZES, Instruction, Vector
from gpunet.ptx.shadow import ATOMIC, FLAG, OF_BLOCK, READ, WRITE

if TYPE_CHECKING:
    from gpunet.ptx.lower import Lowering

_MOST_STACK = 4 << 20  # bytes of the host's, for called functions
GAP = 256  # bytes between arrays, at least
_CHECK, _NOW = Value("%check", "ptr"), Value("%now", "ptr")
_ORDERED = {"volatile", "relaxed", "acquire", "release", "acq_rel", "sc", "mmio"}


class Checking:
    """How a kernel's accesses are checked. `reach`: what those of global memory may reach; `shared_cell`: bytes of a
    cell of shared memory; `asked`: sites of activemask, which finds each lane alone if `lanes_apart`; `reached`: by
    sites, the groups of accesses. Of the functions the first is the kernel."""

    def __init__(self, module: model.Module, functions: Iterable[model.Function], lanes_apart: bool) -> None:
        self.lanes_apart, self.asked, self.reached = lanes_apart, list[int](), dict[int, int]()
        self.variables: dict[str, int] = {}  # places behind the beginning of the arrays' memory
        self.variable_bytes = GAP
        for variable in module.variables.values():
            if variable.space in ("global", "const"):
                self.variables[variable.name] = self.variable_bytes
                size = variable.size + GAP
                self.variable_bytes += size + -size % GAP
        functions = list(functions)
        self.reach = origins.Reach(module, functions)
        self.shared_cell = 4
        self.copies = self.clusters = False
        self.clock = False
        self.structures: set[int] = set()  # lines of loads
        for function in functions:
            self.structures |= _copies_of_structures(function)
            for i in function.body or ():
                if isinstance(i, Instruction):
                    self._look(i)

    def _look(self, i: Instruction) -> None:
        self.copies |= i.opcode == "cp" and i.modifiers[:1] == ("async",) and not i.has("bulk")
        self.clusters |= i.opcode in ("bar", "barrier") and i.has("cluster")
        self.clock |= any(isinstance(each, model.Register) and each.name.startswith(("%clock", "%globaltimer"))
                          for each in i.operands)
        if i.opcode in ("ld", "ldu", "st", "atom", "red"):
            size = origins.bytes_of(i)
        elif i.opcode in ("ldmatrix", "stmatrix"):
            size = 2 if i.has("trans") else 4
        elif i.opcode == "wmma" and not i.has("mma"):
            size = SIZES[i.type]
        else:
            return
        if origins.space_of(i) in ("shared", ""):
            self.shared_cell = min(self.shared_cell, size)

    # ---- what a kernel's code begins with ----------------------------------------------------------------------------
    def begin(self, b: Builder) -> None:
        """Names for the block's state and the stamps of the warp's threads."""
        b.emit(f"%check = load ptr, ptr {b.at('%block', Block.CHECK)}")
        number = b.resize(b.load(b.at("%warp", Warp.NUMBER), "i32"), "i64")
        b.emit(f"%now = getelementptr i8, ptr %check, i64 {b.add(b.mul(number, 8 * LANES), shadow.NOW).text}")

    def stack(self, low: Lowering) -> None:
        """A recursion without end stops before the host's stack does."""
        b = low.b
        here, place = b.value("ptrtoint ptr %fuel to i64", "i64"), b.at("%check", shadow.STACK)
        if low.function.entry:
            return b.store(here, place)
        deep = b.compare("ugt", b.sub(b.load(place, "i64"), here), _MOST_STACK)
        b.branch(deep, "too.deep", "go.on")
        b.label("too.deep")
        low.mask = Value("%lanes", "i32")
        low.fail(STACK, next(i for i in low.function.body or () if isinstance(i, Instruction)))
        b.label("go.on")

    def variable(self, low: Lowering, name: str) -> Value:
        """The address of a variable of the module."""
        b = low.b
        launch = b.load(b.at("%check", shadow.LAUNCH), "ptr").text
        return b.add(b.load(b.at(launch, shadow.ARENA), "i64"), self.variables[name])

    def instruction(self, low: Lowering, i: Instruction) -> None:
        """What comes before an instruction that is no plain access."""
        if i.opcode == "activemask":
            self.asked.append(low.kernel.site(i))
        elif i.opcode in ("shfl", "vote", "match", "redux", "elect") and i.has("sync"):
            self.members(low, i, i.operands[-1])
        elif i.opcode in ("div", "rem") and i.type[0] in "us":
            self._division(low, i)
        elif i.opcode in ("bar", "barrier") and i.has("warp"):
            self.members(low, i, i.operands[0])
            self.join(low, i.operands[0])
        elif i.opcode in ("bar", "barrier") and i.has("arrive") and i.has("cluster"):
            self.tell_mask(low, shadow.CLUSTER_ARRIVE, i, constant("i64", int(i.has("relaxed"))))
        elif i.opcode in ("bar", "barrier") and i.has("arrive"):
            number, count = (low.scalar(low.read(each, "u32")) for each in i.operands)
            self.tell_mask(low, shadow.ARRIVE, i, number, count)
        elif i.opcode == "cp" and i.modifiers[:1] == ("async",):
            if i.has("bulk"):
                self._bulk_groups(low, i)
            else:
                self._groups(low, i)
        elif i.opcode in ("fence", "membar") and i.has("mbarrier_init") and self.clusters:
            fence(low, shadow.OF_ARRIVALS)
        elif i.opcode in ("fence", "membar") and not any(each.startswith(("proxy", "mbarrier"))
                                                         for each in i.modifiers):
            fence(low, shadow.OF_BLOCK_ALONE if _of_block(i) else shadow.OF_DEVICE)

    def _division(self, low: Lowering, i: Instruction) -> None:
        """Of integers, by zero or with a result that the type does not hold."""
        b, divisor = low.b, low.read(i.operands[2], i.type)
        if divisor.literal and int(divisor.text) not in (0, -1):
            return
        wrong = b.compare("eq", divisor, 0)
        if i.type[0] == "s":
            least = b.compare("eq", low.read(i.operands[1], i.type), -1 << SIZES[i.type] * 8 - 1)
            wrong = b.either(wrong, b.both(least, b.compare("eq", divisor, -1)))
        number = b.resize(b.load(b.at("%warp", Warp.NUMBER), "i32"), "i64")
        none = constant("i64", 0)
        b.through_all("check.tell", tell_of_mask, _CHECK, constant("i64", shadow.DIVIDED), number,
                      b.resize(b.both(b.mask_of(wrong), low.mask), "i64"),
                      constant("i64", min(low.kernel.site(i), shadow.MOST_SITES - 1)), none, none)

    def leave(self, low: Lowering, leaving: Value) -> None:
        """Threads end."""
        if self.copies:
            low.b.through_all("check.ends", lambda b, *given: each_lane(b, "thread_ends", *given), _CHECK, _NOW,
                              leaving)

    def functions(self) -> str:
        return subset.lowered(shadow.FUNCTIONS, PREFIX)

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
        cell, group = (self.shared_cell, 0) if space == "shared" else self.reach.of(i)
        if not space and group:  # a generic address that comes from arrays
            space = "global"
        number, place = low.kernel.site(i), self._group(group)
        self.reached[number] = group
        site = constant("i64", min(number, shadow.MOST_SITES - 1))
        if i.opcode in ("ld", "st", "atom", "red"):
            kind |= _order(i, space)
        if kind == READ and i.line in self.structures:
            kind |= shadow.OF_STRUCTURE
        if kind & ATOMIC and kind & WRITE and ({"release", "acq_rel", "sc"} & set(i.modifiers)):
            fence(low, shadow.OF_BLOCK_ALONE if _of_block(i) else shadow.OF_DEVICE)
        if not at.vector and kind == READ and space:
            bad = self._read(b, f"one.{size}", size, bool(group), place, at, mask, site,
                             lambda inner, *given: one_place(inner, size, *given))
            other = b.add(b.load(b.at(b.load(b.at("%check", shadow.LAUNCH), "ptr").text, shadow.DUMP), "i64"), 0)
            return b.select(b.compare("ne", bad, 0), other, at)
        spread = b.spread(at)
        if not space:
            mask = b.both(mask, b.invert(b.mask_of(self._own(low, spread))))
        name = f"{space or 'generic'}.{cell}.{size}.{kind}.{len(values)}"

        def access(inner: Builder, *given: Value) -> list[Value]:
            return warp_access(inner, space, cell, size, kind, *given)

        if kind == READ:
            nobody = self._group(0)
            bad = self._read(b, name, size, bool(group), place, spread, mask, site,
                             lambda inner, *given: access(inner, *given, nobody))
        else:
            bad = b.through_all(f"check.{name}", access, _CHECK, _NOW, spread, mask, site, place,
                                *map(b.spread, values))[0]
        return self._elsewhere(b, spread, bad, kind)

    def _group(self, number: int) -> Value:
        """Where it stands what a group of accesses may reach; of the first nothing is known."""
        return constant("i64", shadow.REACHED + shadow.REACHED_BYTES * number)

    def _read(self, b: Builder, name: str, size: int, known: bool, place: Value, at: Value, mask: Value, site: Value,
              otherwise: Callable[..., list[Value]]) -> Value:
        """The lanes that must not read. `known`: it is known which arrays they may reach, of which nothing may write
        the only one."""
        if not known:
            return b.through_all(f"check.{name}", otherwise, _CHECK, _NOW, at, mask, site)[0]

        def through(inner: Builder, *given: Value) -> list[Value]:
            return inner.through_all(f"check.{name}", otherwise, *given)

        return b.through_all(f"check.only.{name}", lambda inner, *given: only_read(inner, size, through, *given),
                             _CHECK, _NOW, at, mask, site, place)[0]

    def compared(self, low: Lowering, at: Value, expected: Value, size: int, space: str) -> None:
        """What lanes compare with in a compare-and-swap, before it."""
        if space not in ("global", "shared", "") or not expected.type.startswith("i"):
            return
        b = low.b
        low.b.through_all("check.compared", lambda inner, *given: each_lane(inner, "compared", *given), _CHECK, _NOW,
                          low.mask, b.spread(at), b.spread(constant("i64", size)), b.resize(expected, "i64"))

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
        b.through_all(f"check.local.{size}.{kind}", lambda inner, *given: beyond_local(inner, size, kind, *given),
                      _CHECK, _NOW, at, bad, site)
        return self._elsewhere(b, at, bad, kind)

    # ---- order of a warp's lanes -------------------------------------------------------------------------------------
    def join(self, low: Lowering, members: model.Operand) -> None:
        b = low.b
        warp = b.resize(b.load(b.at("%warp", Warp.NUMBER), "i32"), "i64")
        b.through_all("check.joins", meet, _CHECK, _NOW, b.spread(low.read(members, "b32")), low.mask, warp)

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
            low.b.through_all(f"check.{name}", lambda b, *given: each_lane(b, name, *given), _CHECK, _NOW, low.mask,
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
        name = f"check.copy.{size}"
        bad_to, bad_from = b.through_all(name, lambda inner, *values: copies_of_lanes(inner, size, *values), _CHECK,
                                         _NOW, to, frm, b.resize(valid, "i64"), low.mask, site,
                                         self._group(self.reach.of(i)[1]))
        return self._elsewhere(b, to, bad_to, WRITE), self._elsewhere(b, frm, bad_from, READ)

    def rows(self, low: Lowering, i: Instruction, at: Value, count: int) -> None:
        """The addresses of matrices' rows are multiples of 16."""
        b = low.b
        site = constant("i64", min(low.kernel.site(i), shadow.MOST_SITES - 1))
        bad = b.both(b.both(b.mask_of(b.compare("ne", b.both(b.spread(at), 15), 0)), low.mask), (1 << 8 * count) - 1)
        b.through_all("check.rows", misaligned_rows, _CHECK, _NOW, b.spread(at), bad, site)

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
        b.through_all("check.counts", tell_of_lanes, _CHECK, constant("i64", what), number, mask, site, b.spread(at),
                      *given)

    def tell_mask(self, low: Lowering, what: int, i: Instruction, *values: Value) -> None:
        """Tells Python of the lanes of the mask, if there are any."""
        b = low.b
        site = constant("i64", min(low.kernel.site(i), shadow.MOST_SITES - 1)) if i else constant("i64", 0)
        number = b.resize(b.load(b.at("%warp", Warp.NUMBER), "i32"), "i64")
        given = [*values, *[constant("i64", 0)] * (2 - len(values))]
        mask = b.resize(low.mask, "i64")
        b.through_all("check.tell", tell_of_mask, _CHECK, constant("i64", what), number, mask, site,
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
        b.through_all("check.members", members_of_masks, _CHECK, named, low.mask, live,
                      b.resize(b.load(b.at("%warp", Warp.NUMBER), "i32"), "i64"),
                      constant("i64", min(low.kernel.site(i), shadow.MOST_SITES - 1)))


def fence(low: Lowering, scope: int) -> None:
    b = low.b
    number = b.resize(b.load(b.at("%warp", Warp.NUMBER), "i32"), "i64")
    b.through_all("check.tell", tell_of_mask, _CHECK, constant("i64", shadow.FENCE), number, b.resize(low.mask, "i64"),
                  constant("i64", 0), constant("i64", scope), constant("i64", 0))


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
        if i.opcode == "ld" and origins.space_of(i) == "shared" and isinstance(i.operands[0], (model.Register, Vector)):
            for register in _registers(i.operands[0]):
                loads[register] = i
    for i in body:
        values = _registers(i.operands[1]) if i.opcode == "st" and origins.space_of(i) == "shared" else []
        load = loads.get(values[0]) if values else None
        if load is None or any(used[each] != 1 or loads.get(each) is not load for each in values):
            continue
        to, frm = i.operands[0], load.operands[1]
        if isinstance(to, model.Address) and isinstance(frm, model.Address):
            pairs.setdefault((to.base, frm.base, to.offset - frm.offset), []).append(load.line)
    return {line for lines in pairs.values() if len(lines) > 1 for line in lines}


def _registers(operand: model.Operand) -> list[model.Register]:
    elements = operand.elements if isinstance(operand, Vector) else (operand,)
    return [each for each in elements if isinstance(each, model.Register)]


def _of_block(i: Instruction) -> bool:
    return i.has("cta")


def _order(i: Instruction, space: str) -> int:
    """Of an access that is an atomic one, or as good as that."""
    if i.opcode not in ("atom", "red") and not _ORDERED & set(i.modifiers):
        return 0
    if i.has("volatile") and space == "shared":
        return ATOMIC | OF_BLOCK | FLAG
    return ATOMIC | (OF_BLOCK if _of_block(i) else 0)
