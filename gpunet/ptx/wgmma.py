"""Products by the four warps of a warpgroup (wgmma). Source: PTX ISA, 9.7.15.

Each warp computes its 16 of the 64 rows where the product is issued, which is one of the times that PTX allows. It sums
along k in order, in float32 from 0, and then adds to what is there; how hardware rounds is not known.
"""

from __future__ import annotations

from gpunet.ptx import half
from gpunet.ptx.emit import LANES, Builder, Value, constant, lanes
from gpunet.ptx.layout import Warp
from gpunet.ptx.lower import Lowering
from gpunet.ptx.memory import load_lanes
from gpunet.ptx.model import Instruction, Operand, Vector
from gpunet.ptx.shadow import READ
from gpunet.ptx.table import meaning, refuse

_SHAPES = {"f16": 16, "bf16": 16, "tf32": 8}


@meaning("wgmma", modifiers=None)
def wgmma(low: Lowering, i: Instruction) -> None:
    if not i.has("mma_async"):  # a fence, a group, a wait: what is issued is complete
        return
    to, kind, other = i.modifiers[-3:]
    shape = next(each for each in i.modifiers if each.startswith("m64n"))
    columns, _, depth = shape[4:].partition("k")
    if to != "f32" or kind != other or _SHAPES.get(kind) != int(depth):
        refuse(i)
    sums, left, right, accumulate, *scales = i.operands
    assert isinstance(sums, Vector)
    numbers = [low.known(each) for each in scales]
    if numbers[:2] != [1, 1]:
        refuse(i, "a negated operand")
    turned = [bool(each) for each in numbers[2:]] or [False]  # with A in registers there is a flag of B alone
    left_turned, right_turned = len(turned) == 2 and turned[0], turned[-1]
    b = low.b
    table = b.at("%frame", low.scratch)
    for number, each in enumerate(sums.elements):
        b.store(b.spread(low.read(each, "f32")), b.at(table, 4 * LANES * number), 64)
    if isinstance(left, Vector):
        given = [b.spread(low.read(each, "b32")) for each in left.elements]
        a = b.through_all(f"wgmma.registers.{kind}", lambda inner, *values: _registers(inner, kind, *values), *given)
    else:
        a = b.through_all(f"wgmma.left.{kind}{'.turned' * left_turned}",
                          lambda inner, *values: _left(inner, kind, left_turned, *values),
                          _descriptor(low, i, left, 64, left_turned), b.load(b.at("%warp", Warp.NUMBER), "i32"),
                          Value("%shared", "i64"))
    old = low.read(accumulate, "pred")
    b.through_all(f"wgmma.product.{kind}{'.turned' * right_turned}",
                  lambda inner, *values: _product(inner, kind, right_turned, *values),
                  _descriptor(low, i, right, int(columns), right_turned), Value("%shared", "i64"), Value(table, "ptr"),
                  low.scalar(old), constant("i32", int(columns)), *a)
    for number, each in enumerate(sums.elements):
        low.write(each, b.load(b.at(table, 4 * LANES * number), "float", True, 64))


def _descriptor(low: Lowering, i: Instruction, operand: Operand, rows: int, turned: bool) -> Value:
    """Of an operand in shared memory. With checks each thread of the warpgroup is taken to read the 16-byte chunk of
    its number, and each 128th after it; an operand that must not be read is taken from where shared memory begins."""
    b, descriptor, checking = low.b, low.scalar(low.read(operand, "b64")), low.kernel.checking
    if checking is None:
        return descriptor
    warp = b.both(b.load(b.at("%warp", Warp.NUMBER), "i32"), 3)
    wrong = constant("i32", 0)
    for number in range(0, 2 * rows, 4 * LANES):
        chunk = b.add(lanes("i32", [number + lane for lane in range(LANES)]), b.shl(warp, 5))
        (at,) = b.through_all(f"wgmma.chunk.{rows}{'.turned' * turned}",
                              lambda inner, *values: [_chunk(inner, rows, turned, *values)], descriptor, chunk,
                              Value("%shared", "i64"))
        mask = b.both(low.mask, b.mask_of(b.compare("ult", chunk, 2 * rows)))
        to = checking.access(low, i, at, 16, READ, [], "shared", mask)
        wrong = b.either(wrong, b.mask_of(b.compare("ne", to, at)))
    return b.select(b.compare("eq", wrong, 0), descriptor, 0)


def _chunk(b: Builder, rows: int, turned: bool, descriptor: Value, number: Value, shared: Value) -> Value:
    """Addresses of 8 elements that lie side by side: of a row, or of a turned operand's k."""
    start, leading, stride, width, bits, mixed = _layout(b, descriptor)
    number = b.resize(number, "i64")
    line, at = (b.binary(each, number, 16 if turned else rows) for each in ("urem", "udiv"))
    place = b.add(b.mul(b.both(line, 7), width), start)
    if turned:
        side = b.lshr(width, 4)
        place = b.add(place, b.mul(b.lshr(line, 3), b.select(mixed, stride, leading)))
        place = b.add(place, b.mul(b.binary("udiv", at, side), b.select(mixed, leading, stride)))
        place = b.add(place, b.shl(b.binary("urem", at, side), 4))
    else:
        place = b.add(place, b.add(b.mul(b.lshr(line, 3), stride), b.mul(at, b.select(mixed, 16, leading))))
    return b.add(b.xor(place, b.shl(b.both(b.lshr(place, 7), bits), 4)), shared)


def _layout(b: Builder, descriptor: Value) -> tuple[Value, ...]:
    """Of a descriptor: start, leading and stride, the bytes of a row, what of an address is mixed into its 16-byte
    column, and whether it is."""
    def field(at: int) -> Value:
        return b.shl(b.both(b.lshr(descriptor, at), 0x3FFF), 4)

    mode = b.lshr(descriptor, 62)
    mixed = b.compare("ne", mode, 0)
    width = b.select(mixed, b.lshr(constant("i64", 256), mode), 16)  # modes 1, 2, 3: 128, 64, 32 bytes
    bits = b.select(mixed, b.sub(b.lshr(width, 4), 1), 0)
    return field(0), field(16), field(32), width, bits, mixed


def _numbers(b: Builder, words: list[Value], kind: str) -> list[Value]:
    """The elements in 32 bits each, or in halves of them, as float32."""
    if kind == "tf32":
        return [b.bitcast(b.both(word, -0x2000), "float") for word in words]
    return [half.to_float(b, part, kind) for word in words for part in half.parts(b, word, "f16x2")]


def _row(b: Builder, kind: str, turned: bool, descriptor: Value, row: Value, shared: Value) -> list[Value]:
    """Each lane's row of an operand as float32. 16-byte columns are mixed with the row, as in copies."""
    start, leading, stride, width, bits, mixed = _layout(b, descriptor)
    row = b.resize(row, "i64")

    def words(place: Value, type: str, count: int) -> list[Value]:
        place = b.xor(place, b.shl(b.both(b.lshr(place, 7), bits), 4))
        return b.through_all(f"load.row.{type}", lambda inner, at, mask: load_lanes(inner, at, mask, type, count),
                             b.add(place, shared), constant("i32", -1))

    if not turned:  # eight rows lie together; `stride` to the next eight, and from k's first half to its second
        first = b.add(b.add(b.mul(b.lshr(row, 3), stride), start), b.mul(b.both(row, 7), width))
        second = b.add(first, b.select(mixed, 16, leading))
        return _numbers(b, [word for place in (first, second) for word in words(place, "i32", 4)], kind)
    # Rows lie side by side, as many as a row of bytes holds, and eight of k below each other.
    across = b.shl(row, 1)
    line = b.binary("udiv", across, width)
    first = b.add(b.add(start, b.sub(across, b.mul(line, width))), b.mul(line, b.select(mixed, leading, stride)))
    below = b.select(mixed, stride, leading)  # from k = 0..7 to 8..15
    found = []
    for k in range(16):
        place = b.add(first, b.mul(width, k % 8))
        (half_word,) = words(b.add(place, below) if k >= 8 else place, "i16", 1)
        found.append(half.to_float(b, half_word, kind))
    return found


def _left(b: Builder, kind: str, turned: bool, descriptor: Value, warp: Value, shared: Value) -> list[Value]:
    """A lane's two rows of the left operand: 16 (warp % 4) + lane / 4, and 8 below."""
    upper = b.add(lanes("i32", [lane // 4 for lane in range(LANES)]), b.shl(b.both(warp, 3), 4))
    return [value for row in (upper, b.add(upper, 8)) for value in _row(b, kind, turned, descriptor, row, shared)]


def _registers(b: Builder, kind: str, *registers: Value) -> list[Value]:
    """The same of an operand in registers, which four lanes share as they do in mma."""
    found = []
    for lower in (0, 1):
        for part in (0, 1):  # halves of k
            elements = _numbers(b, [registers[2 * part + lower]], kind)
            found += [b.permute(elements[k % len(elements)],
                                [lane // 4 * 4 + k // len(elements) for lane in range(LANES)])
                      for k in range(4 * len(elements))]
    return found


def _product(b: Builder, kind: str, turned: bool, descriptor: Value, shared: Value, table: Value, accumulate: Value,
             columns: Value, *a: Value) -> list[Value]:
    """Element 4 c + 2 h + e of a lane: row lane / 4 + 8 h, column 8 c + 2 (lane % 4) + e."""
    depth = len(a) // 2
    b.emit("%column.p = alloca i32")
    b.emit("store i32 0, ptr %column.p")
    b.jump("columns")
    b.label("columns")
    first = b.load("%column.p", "i32")
    for e in (0, 1):
        column = b.add(lanes("i32", [2 * (lane % 4) + e for lane in range(LANES)]), first)
        right = _row(b, kind, turned, descriptor, column, shared)
        for h in (0, 1):
            total = b.spread(constant("float", 0.0))
            for x, y in zip(a[h * depth:(h + 1) * depth], right, strict=True):
                total = b.call("fma", x, y, total)
            # 8 columns are 4 elements
            element = b.add(b.lshr(first, 1), 2 * h + e)
            place = b.at(table.text, b.mul(b.resize(element, "i64"), 4 * LANES))
            b.store(b.select(accumulate, b.add(b.load(place, "float", True, 64), total), total), place, 64)
    following = b.add(first, 8)
    b.store(following, "%column.p")
    b.branch(b.compare("ult", following, columns), "columns", "over")
    b.label("over")
    return []
