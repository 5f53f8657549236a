"""Asynchronous copies: of few bytes, in bulk, and of boxes of an array. Source: PTX ISA, 9.7.9.25 to 9.7.9.27.

They are complete at once, which is one of the times that PTX allows.
"""

from __future__ import annotations

from collections.abc import Iterator

from gpunet.ptx import bulk, clusters, mbarrier, shadow
from gpunet.ptx.emit import Builder, Value, constant
from gpunet.ptx.layout import SHARED_SHIFT
from gpunet.ptx.lower import Lowering
from gpunet.ptx.memory import address, load, store
from gpunet.ptx.model import Address, Instruction
from gpunet.ptx.table import meaning, refuse

_GROUPS = {"commit_group", "wait_group", "wait_all", "prefetch"}
_KNOWN = set("async ca cg shared shared::cta shared::cluster global L2::64B L2::128B L2::256B bulk bulk_group tensor "
             "2d 4d tile multicast::cluster mbarrier::complete_tx::bytes mbarrier arrive noinc b64 read".split())
_KNOWN |= _GROUPS


@meaning("cp", modifiers=None)
def cp(low: Lowering, i: Instruction) -> None:
    if unknown := [each for each in i.modifiers if each not in _KNOWN]:
        refuse(i, f".{unknown[0]}")
    if _GROUPS & set(i.modifiers):
        return
    if i.has("mbarrier"):  # cp.async.mbarrier.arrive: all copies before it have come, so it is an arrival
        if i.has("noinc"):  # without it the barrier waits for one arrival more, which comes at once
            at = address(low, i, i.operands[0], "shared" if "shared" in i.name else "")
            if low.kernel.checking is not None:
                low.kernel.checking.count(low, i, at, shadow.COUNTS, bulk.ARRIVES)
            mbarrier.arrive(low, at)
    elif i.has("tensor"):
        _box(low, i)
    elif i.has("bulk"):
        _bulk(low, i)
    elif i.modifiers[0] == "async":
        _few_bytes(low, i)
    else:
        refuse(i)


def _few_bytes(low: Lowering, i: Instruction) -> None:
    """cp.async: 4, 8 or 16 bytes from global to shared memory; what is beyond the source's size is 0."""
    operands = list(i.operands)
    b, size = low.b, low.known(operands[2]) if len(operands) > 2 else None
    if size not in (4, 8, 16) or len(operands) > 4:
        refuse(i, "a size that is not 4, 8 or 16, or a policy")
    to, frm = address(low, i, operands[0], "shared"), address(low, i, operands[1], "global")
    given = low.read(operands[3], "u32") if len(operands) > 3 else None
    if low.kernel.checking is not None:
        to, frm = low.kernel.checking.copy(low, i, to, frm, size, given)
    if given is None:
        words = load(low, frm, "i32", size // 4)
    else:
        words = []
        for k in range(size // 4):
            valid = b.call("smin", b.call("smax", b.sub(given, 4 * k), 0), 4)
            mask = b.both(low.mask, b.mask_of(b.spread(b.compare("ne", valid, 0))))
            (word,) = load(low, b.add(frm, 4 * k), "i32", 1, mask)
            missing = b.shl(b.sub(constant("i32", 4), valid), 3)
            kept = b.select(b.compare("eq", valid, 0), 0, b.lshr(constant("i32", -1), b.both(missing, 31)))
            words.append(b.both(word, kept))
    store(low, to, words)


def _to_shared(i: Instruction) -> bool:
    """Of a bulk copy the first space named is where it goes."""
    return next(each for each in i.modifiers if each.startswith(("shared", "global"))).startswith("shared")


def _bulk(low: Lowering, i: Instruction) -> None:
    """[to], [from], bytes, and of what comes to shared memory the mbarrier that counts it."""
    b, to_shared = low.b, _to_shared(i)
    spaces = [each.split("::")[0] for each in i.modifiers if each.startswith(("shared", "global"))]
    to, frm = (b.spread(address(low, i, operand, space))
               for operand, space in zip(i.operands[:2], spaces, strict=True))
    size = low.read(i.operands[2], "u32")
    b.module.declarations.add("declare void @llvm.memmove.p0.p0.i64(ptr, ptr, i64, i1)")
    if low.kernel.checking is not None:
        shared, other = (to, frm) if to_shared else (frm, to)
        counter = [_with_blocks(low, i, address(low, i, i.operands[3], "shared"), 4)] if to_shared else []
        what = bulk.LOAD if to_shared else bulk.STORE
        low.kernel.checking.count(low, i, shared, shadow.BULK, what, None, other, size, constant("i64", 0), *counter)
    if not to_shared:
        b.through_all("copy.bulk", _move, to, frm, b.spread(size), low.mask)
        return
    if low.kernel.checking is not None:
        return  # it comes when nothing else can run
    counter = address(low, i, i.operands[3], "shared")
    for further in _targets(low, i, 4):
        b.through_all("copy.bulk", _move, b.add(to, further), frm, b.spread(size), low.mask)
        mbarrier.complete(low, b.add(counter, further), size)


def _with_blocks(low: Lowering, i: Instruction, counter: Value, at: int) -> Value:
    """For the checker: above an mbarrier's address the blocks that operand `at` names."""
    if not i.has("multicast::cluster"):
        return counter
    return low.b.either(counter, low.b.shl(low.b.resize(low.read(i.operands[at], "u16"), "i64"), bulk.BLOCKS_AT))


def _targets(low: Lowering, i: Instruction, at: int) -> Iterator[Value]:
    """How far from the own shared memory the copy goes: with .multicast to each block of the cluster whose bit is set
    in operand `at`, to the same place."""
    b = low.b
    if not i.has("multicast::cluster"):
        yield constant("i64", 0)
        return
    wanted = low.read(i.operands[at], "u16")
    own = b.resize(clusters.special(low, "%cluster_ctarank"), "i64")
    for rank in range(low.kernel.cluster_size):
        with low.under(b.compare("ne", b.both(wanted, 1 << rank), 0)):
            yield b.shl(b.sub(constant("i64", rank), own), SHARED_SHIFT)


def _move(b: Builder, to: Value, frm: Value, size: Value, mask: Value) -> list[Value]:
    def one(lane: Value) -> None:
        b.emit(f"call void @llvm.memmove.p0.p0.i64(ptr {b.pointer(b.extract(to, lane))}, "
               f"ptr {b.pointer(b.extract(frm, lane))}, {b.resize(b.extract(size, lane), 'i64')}, i1 false)")

    mbarrier.each_lane(b, mask, one)
    return []


# Of an array's descriptor, as gpunet.sim.tensor_map makes it: places of its fields, in bytes.
_ARRAY, _COLUMNS, _ROWS, _PITCH, _BOX_COLUMNS, _BOX_ROWS, _ITEM, _SWIZZLE = 0, 8, 12, 16, 24, 28, 32, 36
_MATRICES, _DIMENSIONS, _TF32, _STEPS = (40, 44), 48, 52, (56, 64)  # of the third and fourth dimension


def _box(low: Lowering, i: Instruction) -> None:
    """[to], [descriptor, {x, y}], [mbarrier], or [descriptor, {x, y}], [from]; of four dimensions {x, y, z, w}."""
    b, to_shared = low.b, _to_shared(i)
    described, shared = i.operands[1 - (not to_shared)], i.operands[0 if to_shared else 1]
    dimensions = 4 if i.has("4d") else 2
    if not (i.has("2d") or i.has("4d")) or not isinstance(described, Address) or (
            len(described.coordinates) != dimensions):
        refuse(i)
    place = [b.spread(low.read(each, "s32")) for each in described.coordinates]
    place += [b.spread(constant("i32", 0))] * (4 - dimensions)
    array = b.spread(address(low, i, Address(described.base, described.offset), ""))
    at = b.spread(address(low, i, shared, "shared"))
    b.module.declarations.add("declare void @llvm.memmove.p0.p0.i64(ptr, ptr, i64, i1)")
    b.module.declarations.add("declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)")
    name = "load" if to_shared else "store"
    counter = address(low, i, i.operands[2], "shared") if to_shared else None
    if low.kernel.checking is not None:
        x, y, z, w = (b.resize(each, "i64") for each in place)
        pairs = [b.either(inner, b.shl(outer, 32)) for inner, outer in ((x, z), (y, w))]
        low.kernel.checking.count(low, i, at, shadow.BULK, bulk.LOAD_BOX if to_shared else bulk.STORE_BOX, None, array,
                                  *pairs, *([_with_blocks(low, i, counter, 3)] if counter is not None else []))
    if low.kernel.checking is not None and to_shared:
        return
    for further in _targets(low, i, 3):
        (size,) = b.through_all(f"copy.box.{name}", lambda inner, *values: _move_box(inner, to_shared, *values),
                                b.add(at, further), array, *place, low.mask,
                                b.add(Value("%shared", "i64"), further))
        if counter is not None:
            mbarrier.complete(low, b.add(counter, further), size)


def _rounded_to_tf32(b: Builder, bits: Value) -> Value:
    """The nearest number with 10 bits of fraction, in the middle the even one; infinities and NaN stay."""
    even = b.both(b.lshr(bits, 13), 1)
    rounded = b.both(b.add(b.add(bits, 0xFFF), even), -0x2000)
    return b.select(b.compare("eq", b.both(bits, 0x7F800000), 0x7F800000), bits, rounded)


def _move_box(b: Builder, to_shared: bool, at: Value, array: Value, x: Value, y: Value, z: Value, w: Value,
              mask: Value, base: Value) -> list[Value]:
    """Item by item: outside of the array a load gives 0, and a store does nothing; a load may round to TF32. Columns of
    16 bytes are mixed with bits 7 and up of the address in shared memory. The bytes of a box, of each lane."""
    b.emit("%sizes = alloca <32 x i32>, align 64")
    b.emit("store <32 x i32> zeroinitializer, ptr %sizes, align 64")
    for name in ("row", "column"):
        b.emit(f"%{name}.p = alloca i64")

    def one(lane: Value) -> None:
        described = b.pointer(b.extract(array, lane))
        start, pitch = (b.load(b.at(described, place), "i64") for place in (_ARRAY, _PITCH))
        columns, rows, wide, high, item, swizzle = (
            b.resize(b.load(b.at(described, place), "i32"), "i64")
            for place in (_COLUMNS, _ROWS, _BOX_COLUMNS, _BOX_ROWS, _ITEM, _SWIZZLE))
        left, top = (b.resize(b.extract(each, lane), "i64", True) for each in (x, y))
        there_is = constant("i1", 1)  # such a matrix
        for number, matrices, step in zip((z, w), _MATRICES, _STEPS, strict=True):
            number = b.resize(b.extract(number, lane), "i64", True)
            exists = b.compare("ult", number, b.resize(b.load(b.at(described, matrices), "i32"), "i64"))
            there_is = b.both(exists, there_is)
            start = b.add(start, b.mul(number, b.load(b.at(described, step), "i64")))
        shared = b.sub(b.extract(at, lane), base)
        mixed = b.select(b.compare("eq", swizzle, 0), 0, b.sub(b.lshr(swizzle, 4), 1))
        size = b.mul(b.mul(wide, high), item)
        b.store(b.resize(size, "i32"), b.value(f"getelementptr i32, ptr %sizes, {lane}", "ptr").text)
        b.emit("store i64 0, ptr %row.p")
        b.jump("row")
        b.label("row")
        row = b.load("%row.p", "i64")
        b.emit("store i64 0, ptr %column.p")
        b.jump("column")
        b.label("column")
        column = b.load("%column.p", "i64")
        place = b.add(shared, b.mul(b.add(b.mul(row, wide), column), item))
        place = b.xor(place, b.shl(b.both(b.lshr(place, 7), mixed), 4))
        here = b.pointer(b.add(base, place))
        across, down = b.add(left, column), b.add(top, row)
        inside = b.both(b.both(b.compare("ult", across, columns), b.compare("ult", down, rows)), there_is)
        there = b.pointer(b.add(start, b.add(b.mul(down, pitch), b.mul(across, item))))
        b.branch(inside, "inside", "outside")
        b.label("inside")
        to, frm = (here, there) if to_shared else (there, here)
        b.emit(f"call void @llvm.memmove.p0.p0.i64(ptr {to}, ptr {frm}, {item}, i1 false)")
        if to_shared:
            b.branch(b.compare("ne", b.load(b.at(described, _TF32), "i32"), 0), "tf32", "copied")
            b.label("tf32")
            b.store(_rounded_to_tf32(b, b.load(here, "i32")), here)
        b.jump("copied")
        b.label("outside")
        if to_shared:
            b.emit(f"call void @llvm.memset.p0.i64(ptr {here}, i8 0, {item}, i1 false)")
        b.jump("copied")
        b.label("copied")
        following = b.add(column, 1)
        b.store(following, "%column.p")
        b.branch(b.compare("ult", following, wide), "column", "row.over")
        b.label("row.over")
        below = b.add(row, 1)
        b.store(below, "%row.p")
        b.branch(b.compare("ult", below, high), "row", "box.over")
        b.label("box.over")

    mbarrier.each_lane(b, mask, one)
    return [b.load("%sizes", "i32", True, 64)]
