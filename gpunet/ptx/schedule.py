"""LLVM IR of what surrounds a kernel: blocks are taken from a counter, and their warps run in turn.

A warp runs until it has finished, waits at a barrier, has used up its fuel, or failed. A barrier without a count is
complete when all warps of the block that have not finished wait at it; one with a count when so many threads have come.
The blocks of a cluster, which has a barrier of its own, or all of a grid that needs them at once run by turns in one
host thread. When no warp can run and none is released, the block is deadlocked.
"""

from __future__ import annotations

from gpunet.ptx import layout, shadow
from gpunet.ptx.emit import LANES, Builder, Module, Value, constant, lanes
from gpunet.ptx.layout import Block, Launch, Warp


def functions(module: Module, frame_bytes: int, block_count: int, cluster: tuple[int, int, int], at_once: bool = False,
              checking: bool = False) -> str:
    """`prepare` once for a host thread, then `run`, or in the thread that launches `run_here`; the kernel has so many
    blocks of instructions. `at_once`: all blocks of the grid run by turns, as those of a cluster do."""
    module.declarations.add("declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)")
    module.declarations.add("declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)")
    size = cluster[0] * cluster[1] * cluster[2]
    return "\n".join((_prepare(module, frame_bytes), _begin(module, frame_bytes, block_count, checking),
                      _round(module, frame_bytes, checking), _barriers(module, frame_bytes, checking),
                      _cluster(module, frame_bytes, size, checking),
                      _look(module), _run(module, cluster, at_once, checking), _run_here(module)))


class _Loop:
    """`for number in range(count)`: the body between begin and end."""

    def __init__(self, b: Builder, name: str, count: Value) -> None:
        self.b, self.name, self.count = b, name, count
        b.emit(f"%{name}.p = alloca i32")

    def begin(self) -> Value:
        b, name = self.b, self.name
        b.emit(f"store i32 0, ptr %{name}.p")
        b.jump(f"{name}.test")
        b.label(f"{name}.test")
        number = b.load(f"%{name}.p", "i32")
        b.branch(b.compare("ult", number, self.count), f"{name}.body", f"{name}.end")
        b.label(f"{name}.body")
        return number

    def end(self) -> None:
        b, name = self.b, self.name
        b.store(b.add(b.load(f"%{name}.p", "i32"), 1), f"%{name}.p")
        b.jump(f"{name}.test")
        b.label(f"{name}.end")


def _frame(b: Builder, warps: str, number: Value, frame_bytes: int) -> str:
    return b.at(warps, b.mul(b.resize(number, "i64"), frame_bytes))


def _prepare(module: Module, frame_bytes: int) -> str:
    """The indices of all threads in their block."""
    b = Builder(module)
    warps = b.load(b.at("%block", Block.WARPS), "ptr").text
    sizes = [b.load(b.at("%launch", place), "i32") for place in Launch.BLOCK]
    threads = b.load(b.at("%launch", Launch.THREADS), "i32")
    each = _Loop(b, "warp", b.load(b.at("%launch", Launch.WARPS), "i32"))
    number = each.begin()
    frame = _frame(b, warps, number, frame_bytes)
    b.store(number, b.at(frame, Warp.NUMBER))
    first = b.mul(number, LANES)
    left = b.call("umin", b.sub(threads, first), LANES)
    present = b.sub(b.shl(constant("i64", 1), b.resize(left, "i64")), 1)
    b.store(b.resize(present, "i32"), b.at(frame, Warp.PRESENT))
    rest = b.add(lanes("i32", range(LANES)), first)
    for axis in range(3):
        size = b.spread(sizes[axis])
        b.store(b.binary("urem", rest, size), b.at(frame, Warp.TID[axis]), 32)
        rest = b.binary("udiv", rest, size)
    each.end()
    b.emit("ret void")
    return "\n".join(("define void @prepare(ptr %launch, ptr %block) #1 {", *b.lines, "}"))


# Ticks of the clock between looks at signals, 20 to 60 ms.
_PATIENCE = 1 << (20 if layout.CLOCK == "readsteadycounter" else 27)


def _run_here(module: Module) -> str:
    """In a thread of Python's, which gives the interpreter's lock back for this time."""
    b = Builder(module)
    b.emit(f"%leave = load ptr, ptr {b.at('%launch', Launch.LEAVE)}")
    b.emit(f"%enter = load ptr, ptr {b.at('%launch', Launch.ENTER)}")
    place = b.at("%block", Block.PYTHON)
    b.emit("%state = call ptr %leave()")
    b.emit(f"store ptr %state, ptr {place}")
    b.emit("call void @run(ptr %launch, ptr %block)")
    b.emit(f"%now = load ptr, ptr {place}")
    b.emit(f"store ptr null, ptr {place}")
    b.emit("call void %enter(ptr %now)")
    b.emit("ret void")
    return "\n".join(("define void @run_here(ptr %launch, ptr %block) #1 {", *b.lines, "}"))


def _look(module: Module) -> str:
    """Now and then lets Python handle signals, such as Ctrl-C; where a handler raises, the launch is to end."""
    b = Builder(module)
    module.declarations.add(f"declare i64 @llvm.{layout.CLOCK}()")
    place = b.at("%block", Block.PYTHON)
    b.emit(f"%state = load ptr, ptr {place}")
    b.emit("%none = icmp eq ptr %state, null")
    b.emit("br i1 %none, label %over, label %time")
    b.label("time")
    now = b.value(f"call i64 @llvm.{layout.CLOCK}()", "i64")
    looked = b.at("%block", Block.LOOKED)
    b.branch(b.compare("ult", b.sub(now, b.load(looked, "i64")), _PATIENCE), "over", "ask")
    b.label("ask")
    b.store(now, looked)
    for name in ("LEAVE", "ENTER", "SIGNALS"):
        b.emit(f"%{name.lower()} = load ptr, ptr {b.at('%launch', getattr(Launch, name))}")
    b.emit("call void %enter(ptr %state)")
    b.emit("%raised = call i32 %signals()")
    b.emit("%again = call ptr %leave()")
    b.emit(f"store ptr %again, ptr {place}")
    b.branch(b.compare("ne", Value("%raised", "i32"), 0), "stop", "over")
    b.label("stop")
    b.store(constant("i32", 1), b.at("%launch", Launch.STOP))
    b.jump("over")
    b.label("over")
    b.emit("ret void")
    return "\n".join(("define internal void @look(ptr %launch, ptr %block) #1 {", *b.lines, "}"))


def _begin(module: Module, frame_bytes: int, block_count: int, checking: bool) -> str:
    """A block with these indices is to run from its beginning."""
    b = Builder(module)
    ready_bytes = (block_count + 63) // 64 * 8
    warps = b.load(b.at("%block", Block.WARPS), "ptr").text
    start = _Loop(b, "start", b.load(b.at("%launch", Launch.WARPS), "i32"))
    shared = b.pointer(b.load(b.at("%block", Block.SHARED), "i64"))
    shared_bytes = b.resize(b.load(b.at("%launch", Launch.SHARED_BYTES), "i32"), "i64")
    for axis, name in enumerate("xyz"):
        b.store(Value(f"%{name}", "i32"), b.at("%block", Block.INDEX[axis]))
    b.emit(f"call void @llvm.memset.p0.i64(ptr {b.at('%block', Block.ARRIVED)}, i8 0, i64 192, i1 false)")
    b.store(constant("i64", 0), b.at("%block", Block.CLUSTER_ARRIVED))  # and the generation beside it
    if checking:
        _begin_checks(b)
    b.emit(f"call void @llvm.memset.p0.i64(ptr {shared}, i8 -1, {shared_bytes}, i1 false)")
    frame = _frame(b, warps, start.begin(), frame_bytes)
    present = b.load(b.at(frame, Warp.PRESENT), "i32")
    for place, value in ((Warp.LIVE, present), (Warp.PICKED, constant("i32", -1)),
                         *((each, constant("i32", 0)) for each in (
                             Warp.HELD, Warp.RELEASED, Warp.STATE, Warp.ADDING, Warp.COUNTED, Warp.FIRST))):
        b.store(value, b.at(frame, place))
    waiting = b.at(frame, layout.WARP_BYTES_BEFORE_REGISTERS)
    b.emit(f"call void @llvm.memset.p0.i64(ptr {waiting}, i8 0, i64 {ready_bytes + 8 * block_count}, i1 false)")
    b.store(constant("i64", 1), waiting)  # all lanes wait at the first block
    b.store(present, b.at(frame, layout.WARP_BYTES_BEFORE_REGISTERS + ready_bytes))
    start.end()
    b.emit("ret void")
    return _function("void @begin(ptr %launch, ptr %block, i32 %x, i32 %y, i32 %z)", b)


# ---- under the checker -----------------------------------------------------------------------------------------------
def _state(b: Builder, block: str = "%block") -> Value:
    return b.load(b.at(block, Block.CHECK), "i64")


def _check(b: Builder, name: str, block: str = "%block") -> None:
    b.emit(f'call i64 @"gpunet.check.{name}"({_state(b, block)})')


def _tell(b: Builder, what: int, *values: Value, block: str = "%block") -> None:
    state = b.pointer(_state(b, block))
    function = b.load(b.at(b.load(b.at(state, shadow.LAUNCH), "ptr").text, shadow.TELL), "ptr").text
    given = [constant("i64", what), _state(b, block), *(b.resize(each, "i64") for each in values)]
    given += [constant("i64", 0)] * (6 - len(given))
    b.emit(f"call i64 {function}({', '.join(map(str, given))})")


def _begin_checks(b: Builder) -> None:
    """What is known of the block's shared memory is as at its beginning."""
    state = b.pointer(_state(b))
    size = b.shl(b.load(b.at(state, shadow.CELLS), "i64"), 3)
    places = [b.load(b.at(state, each), "ptr").text
              for each in (shadow.SHARED + shadow.WRITES, shadow.TEMPLATE, shadow.SHARED + shadow.READS,
                           shadow.SHARED + shadow.OTHERS)]
    b.emit(f"call void @llvm.memcpy.p0.p0.i64(ptr {places[0]}, ptr {places[1]}, {size}, i1 false)")
    for place in places[2:]:
        b.emit(f"call void @llvm.memset.p0.i64(ptr {place}, i8 0, {size}, i1 false)")
    _check(b, "block_begins")


def _held(b: Builder, frame: str) -> Value:
    """A warp and its lanes that wait, as a word."""
    return b.either(b.shl(b.resize(b.load(b.at(frame, Warp.HELD), "i32"), "i64"), 5),
                    b.resize(b.load(b.at(frame, Warp.NUMBER), "i32"), "i64"))


def _tell_of_count(b: Builder, frame: str, what: int, name: str) -> None:
    """A barrier of so many threads orders those that it waited for."""
    count = b.load(b.at(frame, Warp.EXPECTED), "i32")
    b.branch(b.compare("eq", count, 0), f"{name}.not", name)
    b.label(name)
    _tell(b, what, _held(b, frame), b.load(b.at(frame, Warp.BARRIER), "i32"), count)
    b.jump(f"{name}.not")
    b.label(f"{name}.not")


_PROGRESS, _UNFINISHED, _ENDED, _YIELDS, _MOVES = 1, 2, 4, 8, 16  # what a round gives


def _round(module: Module, frame_bytes: int, checking: bool) -> str:
    """Each warp that can run has its turn."""
    b = Builder(module)
    warps = b.load(b.at("%block", Block.WARPS), "ptr").text
    turn = _Loop(b, "turn", b.load(b.at("%launch", Launch.WARPS), "i32"))
    b.emit("%found = alloca i32")
    b.emit("store i32 0, ptr %found")

    def note(what: int) -> None:
        b.store(b.either(b.load("%found", "i32"), what), "%found")

    frame = _frame(b, warps, turn.begin(), frame_bytes)
    state = b.load(b.at(frame, Warp.STATE), "i32")
    b.branch(b.compare("eq", state, layout.RUNNABLE), "go", "skip")
    b.label("skip")
    b.branch(b.compare("eq", state, layout.DONE), "went", "rests")
    b.label("rests")
    note(_UNFINISHED)
    b.jump("went")
    b.label("go")
    note(_PROGRESS)
    status = b.value(f"call i32 @warp(ptr {frame}, ptr {frame}, ptr %block)", "i32")
    b.emit(f"switch {status}, label %failed [ i32 {layout.FINISHED}, label %finished "
           f"i32 {layout.AT_BARRIER}, label %waits i32 {layout.YIELDED}, label %yields ]")
    b.label("yields")
    note(_UNFINISHED | _YIELDS)
    b.emit("call void @look(ptr %launch, ptr %block)")
    stop = b.load(b.at("%launch", Launch.STOP), "i32")
    b.branch(b.compare("eq", stop, 0), "went", "stopped")
    b.label("stopped")
    b.store(constant("i32", layout.STOPPED), b.at("%launch", Launch.ERROR))
    b.jump("failed")
    b.label("failed")
    b.emit(f"ret i32 {_ENDED}")
    b.label("finished")
    note(_MOVES)
    b.store(constant("i32", layout.DONE), b.at(frame, Warp.STATE))
    b.jump("went")
    b.label("waits")
    note(_UNFINISHED | _MOVES)
    barrier = b.load(b.at(frame, Warp.BARRIER), "i32")
    b.branch(b.compare("eq", barrier, layout.CLUSTER_BARRIER), "waits.cluster", "waits.block")
    b.label("waits.cluster")
    b.store(constant("i32", layout.AT_CLUSTER), b.at(frame, Warp.STATE))
    b.jump("went")
    b.label("waits.block")
    b.store(constant("i32", layout.WAITING), b.at(frame, Warp.STATE))
    if checking:
        _tell_of_count(b, frame, shadow.ARRIVE, "came")
    offset = b.shl(b.resize(b.both(barrier, 15), "i64"), 2)
    came = b.call("ctpop", b.load(b.at(frame, Warp.HELD), "i32"))
    for place, more in ((Block.ARRIVED, came), (Block.TRUE, b.load(b.at(frame, Warp.ADDING), "i32")),
                        (Block.TOTAL, b.load(b.at(frame, Warp.COUNTED), "i32"))):
        pointer = b.at("%block", b.add(offset, place))
        b.store(b.add(b.load(pointer, "i32"), more), pointer)
    for place in (Warp.ADDING, Warp.COUNTED):
        b.store(constant("i32", 0), b.at(frame, place))
    b.jump("went")
    b.label("went")
    turn.end()
    b.emit(f"ret {b.load('%found', 'i32')}")
    return _function("i32 @round(ptr %launch, ptr %block)", b)


def _barriers(module: Module, frame_bytes: int, checking: bool) -> str:
    """Warps whose barrier of the block is complete may run; whether there are any."""
    b = Builder(module)
    warps = b.load(b.at("%block", Block.WARPS), "ptr").text
    count = b.load(b.at("%launch", Launch.WARPS), "i32")
    release, free = (_Loop(b, name, count) for name in ("release", "free"))
    for name in ("found", "together", "barrier", "whole", "site"):
        b.emit(f"%{name} = alloca i32")
    b.emit("store i32 0, ptr %found")
    # Whether all that have not finished wait at one barrier, and which.
    b.emit("store i32 1, ptr %together")
    b.emit("store i32 -1, ptr %barrier")
    b.emit("store i32 1, ptr %whole")
    b.emit("store i32 -1, ptr %site")
    frame = _frame(b, warps, release.begin(), frame_bytes)
    state = b.load(b.at(frame, Warp.STATE), "i32")
    if checking:  # all threads at one barrier?
        site, known = b.load(b.at(frame, Warp.SITE), "i32"), b.load("%site", "i32")
        one = b.either(b.compare("eq", known, -1), b.compare("eq", known, site))
        full = b.compare("eq", b.load(b.at(frame, Warp.HELD), "i32"), b.load(b.at(frame, Warp.PRESENT), "i32"))
        one = b.both(one, b.compare("eq", b.load(b.at(frame, Warp.OTHER_SITE), "i32"), site))
        good = b.both(b.both(one, full), b.compare("ne", state, layout.DONE))
        b.store(b.both(b.load("%whole", "i32"), b.resize(good, "i32")), "%whole")
        b.store(b.select(b.compare("eq", state, layout.DONE), known, site), "%site")
    b.branch(b.compare("eq", state, layout.DONE), "looked", "look")
    b.label("look")
    mine, known = b.load(b.at(frame, Warp.BARRIER), "i32"), b.load("%barrier", "i32")
    same = b.either(b.compare("eq", known, -1), b.compare("eq", known, mine))
    good = b.both(b.both(b.compare("eq", state, layout.WAITING), same),
                  b.compare("eq", b.load(b.at(frame, Warp.EXPECTED), "i32"), 0))
    b.store(b.both(b.load("%together", "i32"), b.resize(good, "i32")), "%together")
    b.store(mine, "%barrier")
    b.jump("looked")
    b.label("looked")
    release.end()
    some = b.compare("ne", b.load("%barrier", "i32"), -1)  # of blocks that run by turns, one may have finished
    together = b.both(some, b.compare("ne", b.load("%together", "i32"), 0))
    if checking:
        b.branch(together, "pass", "passed")
        b.label("pass")
        b.branch(b.compare("ne", b.load("%whole", "i32"), 0), "order", "divided")
        b.label("divided")
        _tell(b, shadow.BARRIER, constant("i64", 0))
        b.jump("order")
        b.label("order")
        _check(b, "block_passes")
        b.jump("passed")
        b.label("passed")

    frame = _frame(b, warps, free.begin(), frame_bytes)
    state = b.load(b.at(frame, Warp.STATE), "i32")
    b.branch(b.compare("eq", state, layout.WAITING), "count", "freed")
    b.label("count")
    offset = b.shl(b.resize(b.both(b.load(b.at(frame, Warp.BARRIER), "i32"), 15), "i64"), 2)
    arrived = b.load(b.at("%block", b.add(offset, Block.ARRIVED)), "i32")
    expected = b.load(b.at(frame, Warp.EXPECTED), "i32")
    enough = b.both(b.compare("ne", expected, 0), b.compare("uge", arrived, expected))
    b.branch(b.either(together, enough), "let", "freed")
    b.label("let")
    b.store(constant("i32", layout.RUNNABLE), b.at(frame, Warp.STATE))
    b.store(constant("i32", 1), b.at(frame, Warp.RELEASED))
    if checking:
        _tell_of_count(b, frame, shadow.LEAVE, "left")
    for block_place, warp_place in ((Block.TRUE, Warp.TRUE), (Block.TOTAL, Warp.TOTAL)):
        b.store(b.load(b.at("%block", b.add(offset, block_place)), "i32"), b.at(frame, warp_place))
    b.emit(f"store i32 {_PROGRESS | _MOVES}, ptr %found")
    b.jump("freed")
    b.label("freed")
    free.end()
    _start_anew(b, warps, count, frame_bytes)
    b.emit(f"ret {b.load('%found', 'i32')}")
    return _function("i32 @barriers(ptr %launch, ptr %block)", b)


def _cluster(module: Module, frame_bytes: int, size: int, checking: bool) -> str:
    """The barrier of a cluster is complete when all its threads that have not returned have arrived. Warps that wait
    for it may then run; whether there are any. `%block` is the first of the cluster."""
    b = Builder(module)
    warps = b.load(b.at("%launch", Launch.WARPS), "i32")
    stride = b.load(b.at("%launch", Launch.BLOCK_STRIDE), "i64")
    live, block, free, other = (_Loop(b, name, number) for name, number in (
        ("live", warps), ("block", constant("i32", size)), ("free", warps), ("other", constant("i32", size))))
    for name in ("total", "found"):
        b.emit(f"%{name} = alloca i32")
        b.emit(f"store i32 0, ptr %{name}")
    arrived, generation = b.at("%block", Block.CLUSTER_ARRIVED), b.at("%block", Block.GENERATION)

    def frame_of(rank: Value, number: Value) -> tuple[str, str]:
        mine = b.at("%block", b.mul(b.resize(rank, "i64"), stride))
        return mine, _frame(b, b.load(b.at(mine, Block.WARPS), "ptr").text, number, frame_bytes)

    rank = block.begin()
    _, frame = frame_of(rank, live.begin())
    done = b.compare("eq", b.load(b.at(frame, Warp.STATE), "i32"), layout.DONE)
    threads = b.call("ctpop", b.load(b.at(frame, Warp.LIVE), "i32"))
    b.store(b.add(b.load("%total", "i32"), b.select(done, 0, threads)), "%total")
    live.end()
    block.end()
    came = b.load(arrived, "i32")
    b.branch(b.both(b.compare("ne", came, 0), b.compare("uge", came, b.load("%total", "i32"))), "complete", "wakes")
    b.label("complete")
    b.store(constant("i32", 0), arrived)
    b.store(b.add(b.load(generation, "i32"), 1), generation)
    if checking:
        _tell(b, shadow.CLUSTER_COMPLETE)
    b.jump("wakes")
    b.label("wakes")
    rank = other.begin()
    mine, frame = frame_of(rank, free.begin())
    waits = b.compare("eq", b.load(b.at(frame, Warp.STATE), "i32"), layout.AT_CLUSTER)
    over = b.compare("ne", b.load(b.at(frame, Warp.GENERATION), "i32"), b.load(generation, "i32"))
    b.branch(b.both(waits, over), "let", "freed")
    b.label("let")
    b.store(constant("i32", layout.RUNNABLE), b.at(frame, Warp.STATE))
    b.store(constant("i32", 1), b.at(frame, Warp.RELEASED))
    if checking:
        _tell(b, shadow.CLUSTER_WAITED, _held(b, frame), block=mine)
    b.emit(f"store i32 {_PROGRESS | _MOVES}, ptr %found")
    b.jump("freed")
    b.label("freed")
    free.end()
    other.end()
    b.emit(f"ret {b.load('%found', 'i32')}")
    return _function("i32 @cluster(ptr %launch, ptr %block)", b)


def _run(module: Module, cluster: tuple[int, int, int], at_once: bool, checking: bool) -> str:
    """Clusters of blocks, mostly of one, are taken from a counter. The blocks of a cluster run by turns."""
    b = Builder(module)
    grid = [b.load(b.at("%launch", place), "i32") for place in Launch.GRID]
    sizes = grid if at_once else [constant("i32", each) for each in cluster]
    size = b.mul(b.mul(sizes[0], sizes[1]), sizes[2])
    clusters = [b.binary("udiv", all_of_it, each) for all_of_it, each in zip(grid, sizes, strict=True)]
    total = b.load(b.at("%launch", Launch.BLOCKS), "i64")
    stride = b.load(b.at("%launch", Launch.BLOCK_STRIDE), "i64")
    start, turn, barriers, ended = (_Loop(b, name, size) for name in ("start", "turn", "barriers", "ended"))
    b.emit("%found = alloca i32")
    b.jump("take")

    def block_of(rank: Value) -> str:
        return b.at("%block", b.mul(b.resize(rank, "i64"), stride))

    def note(found: Value) -> None:
        b.store(b.either(b.load("%found", "i32"), found), "%found")

    b.label("take")
    b.emit("call void @look(ptr %launch, ptr %block)")
    index = b.value(f"atomicrmw add ptr {b.at('%launch', Launch.NEXT)}, i64 1 monotonic", "i64")
    error = b.load(b.at("%launch", Launch.ERROR), "i32")
    stop = b.load(b.at("%launch", Launch.STOP), "i32")
    more = b.both(b.compare("ult", index, total), b.compare("eq", b.either(error, stop), 0))
    b.branch(more, "begin", "over")
    b.label("over")
    b.emit("ret void")

    b.label("begin")
    rank = start.begin()
    rest, within, places = index, rank, []
    for axis in range(3):
        many = b.resize(clusters[axis], "i64")
        first = b.mul(b.resize(b.binary("urem", rest, many), "i32"), sizes[axis])
        places.append(b.add(first, b.binary("urem", within, sizes[axis])))
        rest, within = b.binary("udiv", rest, many), b.binary("udiv", within, sizes[axis])
    b.emit(f"call void @begin(ptr %launch, ptr {block_of(rank)}, {', '.join(map(str, places))})")
    start.end()
    b.jump("round")

    b.label("round")
    b.emit("store i32 0, ptr %found")
    rank = turn.begin()
    note(b.value(f"call i32 @round(ptr %launch, ptr {block_of(rank)})", "i32"))
    turn.end()
    found = b.load("%found", "i32")
    b.branch(b.compare("ne", b.both(found, _ENDED), 0), "over", "goes.on")
    b.label("goes.on")
    b.branch(b.compare("eq", b.both(found, _UNFINISHED), 0), "ended", "barriers")
    b.label("ended")
    if checking:
        _check(b, "block_is_over", block_of(ended.begin()))
        ended.end()
    b.jump("take")
    b.label("barriers")
    rank = barriers.begin()
    note(b.value(f"call i32 @barriers(ptr %launch, ptr {block_of(rank)})", "i32"))
    barriers.end()
    note(b.value("call i32 @cluster(ptr %launch, ptr %block)", "i32"))
    if checking:  # warps only went round in loops?
        moved = b.both(b.load("%found", "i32"), _YIELDS | _MOVES)
        b.branch(b.compare("eq", moved, _YIELDS), "spins", "spun")
        b.label("spins")
        _tell(b, shadow.SPIN)
        b.jump("spun")
        b.label("spun")
    b.branch(b.compare("ne", b.both(b.load("%found", "i32"), _PROGRESS), 0), "round", "deadlock")
    b.label("deadlock")
    b.store(constant("i32", layout.DEADLOCK), b.at("%launch", Launch.ERROR))
    for axis in range(3):
        b.store(b.load(b.at("%block", Block.INDEX[axis]), "i32"), b.at("%launch", Launch.ERROR_BLOCK + 4 * axis))
    b.emit("ret void")
    return _function("void @run(ptr %launch, ptr %block)", b, "")


def _function(head: str, b: Builder, linkage: str = "internal ") -> str:
    return "\n".join((f"define {linkage}{head} #1 {{", *_allocas_first(b.lines), "}"))


def _start_anew(b: Builder, warps: str, count: Value, frame_bytes: int) -> None:
    """The counters of barriers at which warps were just released are 0 again."""
    each = _Loop(b, "anew", count)
    frame = _frame(b, warps, each.begin(), frame_bytes)
    b.branch(b.compare("ne", b.load(b.at(frame, Warp.RELEASED), "i32"), 0), "clear", "cleared")
    b.label("clear")
    offset = b.shl(b.resize(b.both(b.load(b.at(frame, Warp.BARRIER), "i32"), 15), "i64"), 2)
    for place in (Block.ARRIVED, Block.TRUE, Block.TOTAL):
        b.store(constant("i32", 0), b.at("%block", b.add(offset, place)))
    b.jump("cleared")
    b.label("cleared")
    each.end()


def _allocas_first(lines: list[str]) -> list[str]:
    """Stack memory is taken once, not in loops."""
    return [line for line in lines if " = alloca " in line] + [line for line in lines if " = alloca " not in line]
