"""mbarrier: barriers in shared memory that count arrivals and bytes. Source: PTX ISA, 9.7.13.15.

The 64 bits of a barrier, whose layout PTX leaves open: 20 bits of arrivals that its phase still waits for, 20 bits of
arrivals of the next phase, 23 bits of bytes that are under way (they may be negative for a while), and the phase, 0 or
1, in the highest. A phase ends when nothing is waited for. One host thread runs all warps of a block, so that plain
loads and stores do.
"""

from __future__ import annotations

from gpunet.ptx import bulk, shadow
from gpunet.ptx.emit import Builder, Value, constant
from gpunet.ptx.lower import Lowering
from gpunet.ptx.memory import address, checked, load
from gpunet.ptx.model import Address, Discard, Instruction, Register
from gpunet.ptx.shadow import ATOMIC, WRITE
from gpunet.ptx.table import meaning, refuse

_COUNT = (1 << 20) - 1
_BYTES = (1 << 23) - 1
_BYTES_AT = 40
_PHASE = 63
_ORDERS = "release acquire relaxed cta cluster"
_SPACES = "shared shared::cta shared::cluster"


@meaning("mbarrier", modifiers=f"init inval arrive arrive_drop expect_tx complete_tx test_wait try_wait parity "
                               f"noComplete pending_count {_ORDERS} {_SPACES} b64")
def mbarrier(low: Lowering, i: Instruction) -> None:
    b, operation = low.b, i.modifiers[0]
    if i.has("noComplete"):
        refuse(i, ".noComplete")
    if operation == "pending_count":
        low.write(i.operands[0], b.resize(b.both(low.read(i.operands[1], "b64"), _COUNT), "i32"))
        return
    where = next(number for number, each in enumerate(i.operands) if isinstance(each, Address))
    place = address(low, i, i.operands[where], "shared" if any("shared" in each for each in i.modifiers) else "")
    if low.kernel.checking is not None:
        place = _checked(low, i, place)
    at = b.spread(place)
    rest = i.operands[where + 1:]
    if operation in ("test_wait", "try_wait"):
        return _wait(low, i, place, rest)

    def given(number: int, otherwise: int = 0) -> Value:
        return b.spread(low.read(rest[number], "u32") if len(rest) > number else constant("i32", otherwise))

    if operation == "init":
        low.b.through_all("mbarrier.init", _init, at, low.mask, given(0))
    elif operation == "inval":
        low.b.through_all("mbarrier.inval", _invalidate, at, low.mask)
    else:
        arrives = operation in ("arrive", "arrive_drop")
        nothing = b.spread(constant("i32", 0))
        if i.has("expect_tx"):
            expected, arrivals = given(0), b.spread(constant("i32", 1)) if arrives else nothing
        elif i.has("complete_tx"):
            expected, arrivals = b.sub(nothing, given(0)), nothing
        else:
            expected, arrivals = nothing, given(0, 1)
        dropped = arrivals if operation == "arrive_drop" else nothing
        (before,) = b.through_all("mbarrier.change", change, at, low.mask, arrivals, dropped, expected)
        if where and isinstance(i.operands[0], Register):
            low.write(i.operands[0], before)


def _checked(low: Lowering, i: Instruction, place: Value) -> Value:
    """What the checker has to know, but for waiting."""
    assert low.kernel.checking is not None
    operation = i.modifiers[0]
    space = "shared" if any("shared" in each for each in i.modifiers) else ""
    # What comes after inval is told (bulk.py). What came before it is not: pipelines of libcu++ end so, by one lane for
    # its warp and without a barrier between its lanes.
    kind = WRITE if operation == "init" else WRITE | ATOMIC
    place = checked(low, i, place, 8, kind, space=space)
    if not operation.endswith("wait"):
        what = {"init": bulk.INIT, "inval": bulk.INVALIDATE, "arrive": bulk.ARRIVES, "arrive_drop": bulk.ARRIVES}.get(
            operation, bulk.CHANGES)
        low.kernel.checking.count(low, i, place, shadow.COUNTS, what)
    return place


def complete(low: Lowering, at: Value, size: Value, mask: Value | None = None) -> None:
    """Bytes of an asynchronous copy have come."""
    b = low.b
    nothing = b.spread(constant("i32", 0))
    b.through_all("mbarrier.change", change, b.spread(at), low.mask if mask is None else mask, nothing, nothing,
                  b.sub(nothing, b.spread(size)))


def arrive(low: Lowering, at: Value) -> None:
    """One arrival of each lane of the mask."""
    nothing, one = (low.b.spread(constant("i32", number)) for number in (0, 1))
    low.b.through_all("mbarrier.change", change, low.b.spread(at), low.mask, one, nothing, nothing)


def each_lane(b: Builder, mask: Value, do) -> None:
    """A loop over the lanes of a mask, from the first on; state is in memory that is taken at the beginning."""
    b.emit("%left.p = alloca i32")
    b.store(mask, "%left.p")
    b.jump("each")
    b.label("each")
    left = b.load("%left.p", "i32")
    b.branch(b.compare("ne", left, 0), "turn", "over")
    b.label("turn")
    do(b.first(left))
    b.store(b.both(left, b.sub(left, 1)), "%left.p")
    b.jump("each")
    b.label("over")


def _init(b: Builder, at: Value, mask: Value, count: Value) -> list[Value]:
    def one(lane: Value) -> None:
        arrivals = b.resize(b.both(b.extract(count, lane), _COUNT), "i64")
        b.store(b.either(arrivals, b.shl(arrivals, 20)), b.pointer(b.extract(at, lane)))

    each_lane(b, mask, one)
    return []


def _invalidate(b: Builder, at: Value, mask: Value) -> list[Value]:
    each_lane(b, mask, lambda lane: b.store(constant("i64", -1), b.pointer(b.extract(at, lane))))
    return []


def change(b: Builder, at: Value, mask: Value, arrivals: Value, dropped: Value, expected: Value) -> list[Value]:
    """Arrivals, fewer of them in later phases, and bytes expected (negative: come), lane by lane; what was before."""
    b.emit("%before = alloca <32 x i64>, align 64")
    b.emit("store <32 x i64> zeroinitializer, ptr %before, align 64")

    def one(lane: Value) -> None:
        pointer = b.pointer(b.extract(at, lane))
        word = b.load(pointer, "i64")
        b.store(word, b.value(f"getelementptr i64, ptr %before, {lane}", "ptr").text)
        pending = b.sub(b.both(word, _COUNT), b.resize(b.extract(arrivals, lane), "i64"))
        later = b.sub(b.both(b.lshr(word, 20), _COUNT), b.resize(b.extract(dropped, lane), "i64"))
        size = b.both(b.add(b.lshr(word, _BYTES_AT), b.resize(b.extract(expected, lane), "i64", True)), _BYTES)
        ends = b.compare("eq", b.either(pending, size), 0)
        phase = b.xor(b.lshr(word, _PHASE), b.resize(ends, "i64"))
        left = b.both(b.select(ends, later, pending), _COUNT)
        new = b.either(b.either(left, b.shl(b.both(later, _COUNT), 20)),
                       b.either(b.shl(size, _BYTES_AT), b.shl(phase, _PHASE)))
        b.store(new, pointer)

    each_lane(b, mask, one)
    return [b.load("%before", "i64", True, 64)]


def _wait(low: Lowering, i: Instruction, at: Value, rest) -> None:
    """Whether the phase of a state, or with .parity of a number, has ended. Where it has not, try_wait lets the other
    warps have their turns."""
    b = low.b
    (word,) = load(low, at, "i64")
    now = b.lshr(word, _PHASE)
    asked = (b.both(b.resize(low.read(rest[0], "u32"), "i64"), 1) if i.has("parity")
             else b.lshr(low.read(rest[0], "b64"), _PHASE))
    done = b.compare("ne", now, asked)
    if low.kernel.checking is not None:
        low.kernel.checking.count(low, i, at, shadow.WAITED, 0, b.both(low.mask, b.mask_of(done)))
    if not isinstance(i.operands[0], Discard):
        low.write(i.operands[0], done)
    if i.has("try_wait"):
        failed = b.compare("ne", b.both(low.mask, b.invert(b.mask_of(done))), 0)
        fuel = b.load("%fuel", "i32")
        b.store(b.select(failed, b.call("smin", fuel, 1), fuel), "%fuel")
