"""LLVM IR of what surrounds a kernel: blocks are taken from a counter, and their warps run in turn.

A warp runs until it has finished, waits at a barrier, has used up its fuel, or failed. A barrier without a count is
complete when all warps of the block that have not finished wait at it; one with a count when so many threads have come.
When no warp can run and none is released, the block is deadlocked.
"""

from __future__ import annotations

import platform

from gpunet.ptx import layout
from gpunet.ptx.emit import LANES, Builder, Module, Value, constant, lanes
from gpunet.ptx.layout import Block, Launch, Warp


def functions(module: Module, frame_bytes: int, block_count: int) -> str:
    """`prepare` once for a host thread, then `run`, or in the thread that launches `run_here`; the kernel has so many
    blocks of instructions."""
    module.declarations.add("declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)")
    return "\n".join((_prepare(module, frame_bytes), _look(module), _run(module, frame_bytes, block_count),
                      _run_here(module)))


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
_CLOCK, _PATIENCE = (("readsteadycounter", 1 << 20) if platform.machine() in ("aarch64", "arm64")
                     else ("readcyclecounter", 1 << 27))


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
    module.declarations.add(f"declare i64 @llvm.{_CLOCK}()")
    place = b.at("%block", Block.PYTHON)
    b.emit(f"%state = load ptr, ptr {place}")
    b.emit("%none = icmp eq ptr %state, null")
    b.emit("br i1 %none, label %over, label %time")
    b.label("time")
    now = b.value(f"call i64 @llvm.{_CLOCK}()", "i64")
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


def _run(module: Module, frame_bytes: int, block_count: int) -> str:
    b = Builder(module)
    ready_bytes = (block_count + 63) // 64 * 8
    warps = b.load(b.at("%block", Block.WARPS), "ptr").text
    count = b.load(b.at("%launch", Launch.WARPS), "i32")
    sizes = [b.resize(b.load(b.at("%launch", place), "i32"), "i64") for place in Launch.GRID]
    blocks = b.load(b.at("%launch", Launch.BLOCKS), "i64")
    shared = b.pointer(b.load(b.at("%block", Block.SHARED), "i64"))
    shared_bytes = b.resize(b.load(b.at("%launch", Launch.SHARED_BYTES), "i32"), "i64")
    start, turn, release, free = (_Loop(b, name, count) for name in ("start", "turn", "release", "free"))
    for name in ("progress", "unfinished", "together", "barrier"):
        b.emit(f"%{name} = alloca i32")
    b.jump("take")

    b.label("take")
    b.emit("call void @look(ptr %launch, ptr %block)")
    index = b.value(f"atomicrmw add ptr {b.at('%launch', Launch.NEXT)}, i64 1 monotonic", "i64")
    error = b.load(b.at("%launch", Launch.ERROR), "i32")
    stop = b.load(b.at("%launch", Launch.STOP), "i32")
    more = b.both(b.compare("ult", index, blocks), b.compare("eq", b.either(error, stop), 0))
    b.branch(more, "begin", "over")
    b.label("over")
    b.emit("ret void")

    b.label("begin")
    rest = index
    for axis in range(3):
        b.store(b.resize(b.binary("urem", rest, sizes[axis]), "i32"), b.at("%block", Block.INDEX[axis]))
        rest = b.binary("udiv", rest, sizes[axis])
    b.emit(f"call void @llvm.memset.p0.i64(ptr {b.at('%block', Block.ARRIVED)}, i8 0, i64 192, i1 false)")
    b.emit(f"call void @llvm.memset.p0.i64(ptr {shared}, i8 -1, {shared_bytes}, i1 false)")
    frame = _frame(b, warps, start.begin(), frame_bytes)
    present = b.load(b.at(frame, Warp.PRESENT), "i32")
    for place, value in ((Warp.LIVE, present), (Warp.PICKED, constant("i32", -1)),
                         *((each, constant("i32", 0)) for each in (
                             Warp.HELD, Warp.RELEASED, Warp.STATE, Warp.ADDING, Warp.COUNTED))):
        b.store(value, b.at(frame, place))
    waiting = b.at(frame, layout.WARP_BYTES_BEFORE_REGISTERS)
    b.emit(f"call void @llvm.memset.p0.i64(ptr {waiting}, i8 0, i64 {ready_bytes + 8 * block_count}, i1 false)")
    b.store(constant("i64", 1), waiting)  # all lanes wait at the first block
    b.store(present, b.at(frame, layout.WARP_BYTES_BEFORE_REGISTERS + ready_bytes))
    start.end()
    b.jump("round")

    b.label("round")
    b.emit("store i32 0, ptr %progress")
    b.emit("store i32 0, ptr %unfinished")
    number = turn.begin()
    frame = _frame(b, warps, number, frame_bytes)
    state = b.load(b.at(frame, Warp.STATE), "i32")
    b.branch(b.compare("eq", state, layout.RUNNABLE), "go", "skip")
    b.label("skip")
    b.store(b.either(b.load("%unfinished", "i32"), b.sub(constant("i32", layout.DONE), state)), "%unfinished")
    b.jump("went")
    b.label("go")
    b.emit("store i32 1, ptr %progress")
    status = b.value(f"call i32 @warp(ptr {frame}, ptr {frame}, ptr %block)", "i32")
    b.emit(f"switch {status}, label %over [ i32 {layout.FINISHED}, label %finished "
           f"i32 {layout.AT_BARRIER}, label %waits i32 {layout.YIELDED}, label %yields ]")
    b.label("yields")
    b.emit("store i32 1, ptr %unfinished")
    b.emit("call void @look(ptr %launch, ptr %block)")
    stop = b.load(b.at("%launch", Launch.STOP), "i32")
    b.branch(b.compare("eq", stop, 0), "went", "stopped")
    b.label("stopped")
    b.store(constant("i32", layout.STOPPED), b.at("%launch", Launch.ERROR))
    b.emit("ret void")
    b.label("finished")
    b.store(constant("i32", layout.DONE), b.at(frame, Warp.STATE))
    b.jump("went")
    b.label("waits")
    b.emit("store i32 1, ptr %unfinished")
    b.store(constant("i32", layout.WAITING), b.at(frame, Warp.STATE))
    barrier = b.both(b.load(b.at(frame, Warp.BARRIER), "i32"), 15)
    offset = b.shl(b.resize(barrier, "i64"), 2)
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

    b.branch(b.compare("eq", b.load("%unfinished", "i32"), 0), "take", "barriers")
    b.label("barriers")
    # Whether all that have not finished wait at one barrier, and which.
    b.emit("store i32 1, ptr %together")
    b.emit("store i32 -1, ptr %barrier")
    frame = _frame(b, warps, release.begin(), frame_bytes)
    state = b.load(b.at(frame, Warp.STATE), "i32")
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
    together = b.compare("ne", b.load("%together", "i32"), 0)

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
    for block_place, warp_place in ((Block.TRUE, Warp.TRUE), (Block.TOTAL, Warp.TOTAL)):
        b.store(b.load(b.at("%block", b.add(offset, block_place)), "i32"), b.at(frame, warp_place))
    b.emit("store i32 1, ptr %progress")
    b.jump("freed")
    b.label("freed")
    free.end()
    _start_anew(b, warps, count, frame_bytes)
    b.branch(b.compare("ne", b.load("%progress", "i32"), 0), "round", "deadlock")

    b.label("deadlock")
    b.store(constant("i32", layout.DEADLOCK), b.at("%launch", Launch.ERROR))
    for axis in range(3):
        b.store(b.load(b.at("%block", Block.INDEX[axis]), "i32"), b.at("%launch", Launch.ERROR_BLOCK + 4 * axis))
    b.emit("ret void")
    return "\n".join(("define void @run(ptr %launch, ptr %block) #1 {", *_allocas_first(b.lines), "}"))


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
