"""Matrices that a warp holds together in an order of its own (wmma). Source: PTX ISA, 9.7.14.3 and 9.7.14.4.

PTX leaves open which lane has what. Here a lane has neighbours: of A along k in a row, of B along k in a column, of C
and D in a row; where an instruction has more registers than that takes, they repeat. A product sums along k in order,
in float32 from 0, and then adds the accumulator, as in mma.
"""

from __future__ import annotations

import re

from gpunet.ptx import half
from gpunet.ptx.emit import LANES, Builder, Value, constant, lanes
from gpunet.ptx.lower import Lowering
from gpunet.ptx.memory import address, checked, load, space_of, store
from gpunet.ptx.model import Address, Instruction, Operand, Vector
from gpunet.ptx.shadow import READ, WRITE
from gpunet.ptx.table import meaning, refuse

_DEPTHS = {"f16": 16, "bf16": 16, "tf32": 8}
_LANES = range(LANES)


@meaning("wmma", modifiers=None)
def wmma(low: Lowering, i: Instruction) -> None:
    shape = next((each for each in i.modifiers if re.fullmatch(r"m\d+n\d+k\d+", each)), "m0n0k0")
    m, n, k = map(int, re.findall(r"\d+", shape))
    if m * n != 256:
        refuse(i)
    if i.has("mma"):
        _multiply(low, i, m, n, k)
    else:
        _move(low, i, m, n, k)


# ---- loads and stores ------------------------------------------------------------------------------------------------
def _move(low: Lowering, i: Instruction, m: int, n: int, k: int) -> None:
    """load.a, .b and .c, store.d: lines of a matrix in memory are `stride` elements apart."""
    b, (action, name), kind = low.b, i.modifiers[:2], i.modifiers[-1]
    if kind not in ({"a": _DEPTHS, "b": _DEPTHS}.get(name, ("f16", "f32"))) or _DEPTHS.get(kind) != k and name in "ab":
        refuse(i)
    memory, registers = (i.operands[1], i.operands[0]) if action == "load" else (i.operands[0], i.operands[1])
    assert isinstance(registers, Vector) and isinstance(memory, Address)
    lines, length = {"a": (m, k), "b": (n, k)}.get(name, (m, n))
    lies_along = i.has("col") if name == "b" else i.has("row")  # the neighbours that a lane has are so in memory
    count, size = lines * length // LANES, 4 if kind in ("f32", "tf32") else 2
    stride: Value = constant("i64", length if lies_along else lines)
    if len(i.operands) > 2:
        stride = b.resize(low.read(i.operands[2], "u32"), "i64")
    line = lanes("i64", [lane * count // length for lane in _LANES])
    first = lanes("i64", [lane * count % length for lane in _LANES])
    start = b.spread(address(low, i, memory, space_of(i)))
    type = f"i{8 * size}"
    each = min(count, 16 // size) if lies_along else 1  # elements of an access: lines begin at multiples of 16 bytes
    places = []
    for number in range(0, count, each):
        along = b.add(first, number)
        place = b.add(b.mul(line, stride), along) if lies_along else b.add(b.mul(along, stride), line)
        places.append(b.add(start, b.mul(place, size)))
    if action == "load":
        elements = [value for at in places
                    for value in load(low, checked(low, i, at, size * each, READ, space=space_of(i)), type, each)]
        words = elements if size == 4 else [half.joined(b, [*pair]) for pair in zip(elements[::2], elements[1::2],
                                                                                   strict=True)]
        for number, register in enumerate(registers.elements):
            low.write(register, words[number % len(words)])
        return
    words = [b.spread(low.read(register, "b32")) for register in registers.elements]
    values = words if size == 4 else [part for word in words for part in half.parts(b, word, "f16x2")]
    for number, at in enumerate(places):
        given = values[number * each:(number + 1) * each]
        store(low, checked(low, i, at, size * each, WRITE, given, space_of(i)), given)


# ---- products --------------------------------------------------------------------------------------------------------
def _multiply(low: Lowering, i: Instruction, m: int, n: int, k: int) -> None:
    b, types = low.b, i.modifiers[i.modifiers.index(f"m{m}n{n}k{k}") + 1:]
    to, kind, other, added = types if len(types) == 4 else (types[0], "f16", "f16", types[1])
    if kind != other or _DEPTHS.get(kind) != k or to not in ("f16", "f32") or added not in ("f16", "f32"):
        refuse(i)
    d, a, c, more = i.operands

    def registers(operand: Operand, count: int) -> list[Value]:
        assert isinstance(operand, Vector)
        return [b.spread(low.read(each, "b32")) for each in operand.elements[:count]]

    per_register = 1 if kind == "tf32" else 2
    of_a, of_b = (lines * k // LANES // per_register for lines in (m, n))
    given = [*registers(a, of_a), *registers(c, of_b), *registers(more, 8)]
    results = b.through_all(f"wmma.{n}.{kind}.{added}.{to}",
                            lambda inner, *values: _product(inner, values, (of_a, of_b), n, k, kind, added, to), *given)
    assert isinstance(d, Vector)
    for register, value in zip(d.elements, results, strict=True):
        low.write(register, value)


def _product(b: Builder, given: tuple[Value, ...], counts: tuple[int, int], n: int, k: int, kind: str, added: str,
             to: str) -> list[Value]:
    def numbers(words: tuple[Value, ...]) -> list[Value]:
        if kind == "tf32":
            return [b.bitcast(b.both(word, -0x2000), "float") for word in words]
        return [half.to_float(b, part, kind) for word in words for part in half.parts(b, word, "f16x2")]

    of_a, of_b = counts
    left, right, before = numbers(given[:of_a]), numbers(given[of_a:of_a + of_b]), given[of_a + of_b:]
    sums = [b.spread(constant("float", 0.0)) for _ in range(8)]
    for depth in range(k):
        row = b.permute(left[depth % len(left)], [(8 * lane // n * k + depth) // len(left) for lane in _LANES])
        for number in range(8):
            columns = [8 * lane % n + number for lane in _LANES]
            column = b.permute(right[depth % len(right)], [(each * k + depth) // len(right) for each in columns])
            sums[number] = b.call("fma", row, column, sums[number])
    accumulators = ([b.bitcast(each, "float") for each in before] if added == "f32" else
                    [half.to_float(b, part, "f16") for each in before for part in half.parts(b, each, "f16x2")])
    totals = [b.add(more, total) for more, total in zip(accumulators, sums, strict=True)]
    if to == "f32":
        return [b.bitcast(each, "i32") for each in totals]
    rounded = [half.from_float(b, each, "f16") for each in totals]
    return [half.joined(b, rounded[number:number + 2]) for number in range(0, 8, 2)]
