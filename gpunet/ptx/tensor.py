"""Matrices that a warp holds together: ldmatrix, stmatrix and mma. Source: PTX ISA, 9.7.14.5, for which lane has what.

A product sums along k in order, in float32 from 0, and then adds the accumulator. How hardware rounds within one mma is
not known.
"""

from __future__ import annotations

from gpunet.ptx import half
from gpunet.ptx.emit import LANES, Builder, Value, constant, lanes
from gpunet.ptx.lower import Lowering
from gpunet.ptx.memory import address, checked, load, store
from gpunet.ptx.model import Instruction, Vector
from gpunet.ptx.shadow import READ, WRITE
from gpunet.ptx.table import meaning, refuse


def _count(i: Instruction) -> int:
    return next(count for name, count in (("x1", 1), ("x2", 2), ("x4", 4)) if i.has(name))


def _check_rows(low: Lowering, i: Instruction, operand) -> None:
    if low.kernel.checking is not None:
        low.kernel.checking.rows(low, i, address(low, i, operand, "shared"), _count(i))


def _rows(low: Lowering, i: Instruction, operand, matrix: int) -> tuple[Value, Value | None]:
    """Of matrix i, which 8 lanes' addresses begin the rows of: where each lane's two elements lie; transposed they are
    apart."""
    b = low.b
    starts = b.spread(address(low, i, operand, "shared"))
    lane = range(LANES)
    if not i.has("trans"):
        rows = b.permute(starts, [8 * matrix + each // 4 for each in lane])
        return b.add(rows, lanes("i64", [4 * (each % 4) for each in lane])), None
    columns = lanes("i64", [2 * (each // 4) for each in lane])
    first, second = (b.permute(starts, [8 * matrix + 2 * (each % 4) + k for each in lane]) for k in (0, 1))
    return b.add(first, columns), b.add(second, columns)


@meaning("ldmatrix", modifiers="sync aligned m8n8 x1 x2 x4 trans shared shared::cta b16")
def ldmatrix(low: Lowering, i: Instruction) -> None:
    assert isinstance(i.operands[0], Vector)
    b, results = low.b, []
    _check_rows(low, i, i.operands[1])
    for matrix in range(_count(i)):
        first, second = _rows(low, i, i.operands[1], matrix)
        if second is None:
            results += load(low, checked(low, i, first, 4, READ, space="shared"), "i32")
        else:
            first, second = (checked(low, i, each, 2, READ, space="shared") for each in (first, second))
            (low_half,), (high_half,) = load(low, first, "i16"), load(low, second, "i16")
            results.append(half.joined(b, [low_half, high_half]))
    for operand, value in zip(i.operands[0].elements, results, strict=True):
        low.write(operand, value)


@meaning("stmatrix", modifiers="sync aligned m8n8 x1 x2 x4 trans shared shared::cta b16")
def stmatrix(low: Lowering, i: Instruction) -> None:
    assert isinstance(i.operands[1], Vector)
    _check_rows(low, i, i.operands[0])
    for matrix, operand in enumerate(i.operands[1].elements):
        value = low.read(operand, "b32")
        first, second = _rows(low, i, i.operands[0], matrix)
        if second is None:
            store(low, checked(low, i, first, 4, WRITE, [value], "shared"), [value])
        else:
            for place, part in zip((first, second), half.parts(low.b, value, "f16x2"), strict=True):
                store(low, checked(low, i, place, 2, WRITE, [part], "shared"), [part])


_TYPES = ("f16", "bf16", "tf32")


@meaning("mma", modifiers="sync aligned m16n8k4 m16n8k8 m16n8k16 row col f32 f16 bf16 tf32")
def mma(low: Lowering, i: Instruction) -> None:
    """d = a b + c for 16 rows and 8 columns."""
    shape = next(each for each in i.modifiers if each.startswith("m16n8k"))
    to, kind, other, added = i.modifiers[-4:]
    if kind not in _TYPES or kind != other or to != added or i.modifiers[3:5] != ("row", "col"):
        refuse(i)
    depth = int(shape[6:])
    if (depth == 4) != (kind == "tf32" and depth == 4) or kind == "tf32" and depth == 16:
        refuse(i)
    a, c, d = (operand.elements for operand in i.operands[1:] if isinstance(operand, Vector))
    assert isinstance(i.operands[0], Vector)
    b = low.b
    given = [b.spread(low.read(each, "b32")) for each in (*a, *c)]
    given += [b.spread(low.read(each, "f32" if to == "f32" else "b32")) for each in d]
    name = f"mma.{kind}.{depth}.{to}"
    results = b.through_all(name, lambda inner, *values: _product(inner, values, kind, depth, to), *given)
    for operand, value in zip(i.operands[0].elements, results, strict=True):
        low.write(operand, value)


def _product(b: Builder, given: tuple[Value, ...], kind: str, depth: int, to: str) -> list[Value]:
    """Lane l has of d the rows l / 4 and l / 4 + 8, columns 2 (l % 4) and the next."""
    packed = kind != "tf32"
    per_lane = 2 if packed else 1  # neighbours along k in a register
    block = 4 * per_lane  # along k, what a register of all lanes spans
    rows_of_a = depth // block * 2
    a, c, d = given[:rows_of_a], given[rows_of_a:rows_of_a + depth // block], given[rows_of_a + depth // block:]

    def numbers(registers: tuple[Value, ...]) -> list[list[Value]]:
        if packed:
            return [[half.to_float(b, each, kind) for each in half.parts(b, register, "f16x2")]
                    for register in registers]
        return [[b.bitcast(b.both(register, -0x2000), "float")] for register in registers]

    left, right = numbers(a), numbers(c)
    lane = range(LANES)
    sums = [b.spread(constant("float", 0.0)) for _ in range(4)]
    for k in range(depth):
        part, within = divmod(k, block)
        holder, element = divmod(within, per_lane)
        rows = [b.permute(left[2 * part + lower][element], [each // 4 * 4 + holder for each in lane]) for lower in (0,
                                                                                                                    1)]
        columns = [b.permute(right[part][element], [(2 * (each % 4) + odd) * 4 + holder for each in lane])
                   for odd in (0, 1)]
        for number in range(4):
            sums[number] = b.call("fma", rows[number // 2], columns[number % 2], sums[number])
    if to == "f32":
        return [b.add(more, total) for more, total in zip(d, sums, strict=True)]
    before = [half.to_float(b, each, "f16") for register in d for each in half.parts(b, register, "f16x2")]
    totals = [half.from_float(b, b.add(more, total), "f16") for more, total in zip(before, sums, strict=True)]
    return [half.joined(b, totals[:2]), half.joined(b, totals[2:])]
