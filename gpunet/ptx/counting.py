"""What is counted of each instruction while a kernel runs, for its profile.

Counters are numbers of 64 bits, of each host thread; an instruction has some of them, by their places. Of a block of
instructions it is counted how often it runs and with how many lanes; an instruction without a guard has these two.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from gpunet.ptx import costs, model
from gpunet.ptx.emit import Value, constant
from gpunet.ptx.layout import Launch
from gpunet.ptx.memory import address, space_of
from gpunet.ptx.model import SIZES, Address, Instruction, Vector

if TYPE_CHECKING:
    from gpunet.ptx.lower import Lowering

# Operations of floating point that a lane carries out; those of approximate functions count as one.
_OPERATIONS = {"add": 1, "sub": 1, "mul": 1, "fma": 2, "mad": 2, "div": 1, "rcp": 1, "sqrt": 1, "rsqrt": 1, "ex2": 1,
               "lg2": 1, "sin": 1, "cos": 1, "tanh": 1}
_FLOATS = {"f32": ("float32", 1), "f32x2": ("float32", 2), "f64": ("float64", 1), "f16": ("half", 1),
           "bf16": ("half", 1), "f16x2": ("half", 2), "bf16x2": ("half", 2)}


@dataclass(frozen=True)
class Counted:
    """An instruction and where its counters are; -1: it has no such.

    Attributes:
        name: with its modifiers.
        line: of the PTX text.
        chain: (file, line) in the source, innermost first.
        runs: place of the executions; the active lanes follow, and stand at `lanes` of an instruction with a guard.
        space: "global", "shared", "local" or "".
        sectors: place of the sectors and the least of them.
        wavefronts: place of the wavefronts and the least of them.
        turns: place of an atomic's turns and the least of them.
        divergent: place of the executions of a branch in which lanes part.
        bytes: that an active lane moves.
        unit: of its floating-point operations: "float32", "float64", "half", "tensor" or "".
        operations: of an active lane.
    """

    name: str
    line: int
    chain: tuple[tuple[str, int], ...]
    runs: int
    lanes: int
    space: str = ""
    sectors: int = -1
    wavefronts: int = -1
    turns: int = -1
    divergent: int = -1
    bytes: int = 0
    unit: str = ""
    operations: float = 0

    def as_list(self) -> list[Any]:
        return list(asdict(self).values())

    @classmethod
    def from_list(cls, values: list[Any]) -> Counted:
        name, line, chain, *rest = values
        return cls(name, line, tuple((file, number) for file, number in chain), *rest)


class Counting:
    """The counters of a kernel that is being lowered."""

    def __init__(self) -> None:
        self.instructions: list[Counted] = []
        self.count = 0
        self._block = -1

    def places(self, count: int) -> int:
        self.count += count
        return self.count - count

    def block(self, low: Lowering) -> None:
        """A block of instructions begins."""
        self._block = self.places(2)
        self._add(low, self._block, constant("i64", 1))
        self._add(low, self._block + 1, self._lanes(low))

    def _add(self, low: Lowering, place: int, value: Value) -> None:
        costs.add(low.b, "%counters", place, value)

    def _lanes(self, low: Lowering) -> Value:
        return constant("i64", 32) if low.full else low.b.resize(low.b.call("ctpop", low.mask), "i64")

    def instruction(self, low: Lowering, i: Instruction) -> None:
        """One runs, under the present mask."""
        chain = tuple((place.file, place.line) for place in i.location.chain()) if i.location else ()
        lanes = self._block + 1
        if low.guarded:
            lanes = self.places(1)
            self._add(low, lanes, self._lanes(low))
        unit, operations = _arithmetic(i)
        counted = Counted(i.name, i.line, chain, self._block, lanes, unit=unit, operations=operations)
        self.instructions.append(self._memory(low, i, counted))

    def branch(self, low: Lowering, i: Instruction, taken: Value | None) -> None:
        """The end of the block; `taken`: the lanes that branch, where they may differ."""
        self.instruction(low, i)
        if taken is not None:
            b, place = low.b, self.places(1)
            some, not_all = b.compare("ne", taken, 0), b.compare("ne", taken, low.mask)
            self._add(low, place, b.resize(b.both(some, not_all), "i64"))
            self.instructions[-1] = replace(self.instructions[-1], divergent=place)

    # ---- memory ------------------------------------------------------------------------------------------------------
    def _memory(self, low: Lowering, i: Instruction, counted: Counted) -> Counted:
        if i.opcode in ("ld", "ldu", "st"):
            operand, other = i.operands[::-1] if i.opcode != "st" else i.operands
            count = len(other.elements) if isinstance(other, Vector) else 1
            return self._access(low, i, counted, operand, SIZES[i.type] * count, i.opcode == "st")
        if i.opcode in ("atom", "red"):
            operand = next(each for each in i.operands if isinstance(each, Address))
            value = i.operands[-1]
            count = len(value.elements) if isinstance(value, Vector) else 1
            place = self.places(2)
            costs.count_turns(low.b, address(low, i, operand, space_of(i)), low.mask, self._pointer(low, place))
            return replace(self._access(low, i, counted, operand, SIZES[i.type] * count, True, atomic=True),
                           turns=place)
        if i.opcode in ("ldmatrix", "stmatrix"):
            operand = i.operands[1] if i.opcode == "ldmatrix" else i.operands[0]
            registers = i.operands[0] if i.opcode == "ldmatrix" else i.operands[1]
            assert isinstance(registers, Vector)
            rows = low.b.both(low.mask, (1 << 8 * len(registers.elements)) - 1)
            found = self._shared(low, i, counted, operand, 16, rows)
            return replace(found, bytes=4 * len(registers.elements))
        if i.opcode == "cp" and i.modifiers[:1] == ("async",) and len(i.operands) >= 3 and not i.has("bulk"):
            size = low.known(i.operands[2]) or 16
            found = self._shared(low, i, counted, i.operands[0], size, low.mask)
            return self._global(low, i, found, i.operands[1], size, low.mask, False)
        return counted

    def _pointer(self, low: Lowering, place: int) -> Value:
        return Value(low.b.at("%counters", 8 * place), "ptr")

    def _access(self, low: Lowering, i: Instruction, counted: Counted, operand: model.Operand, size: int,
                written: bool, atomic: bool = False) -> Counted:
        space = space_of(i)
        counted = replace(counted, bytes=size)
        if space == "global":
            return self._global(low, i, counted, operand, size, low.mask, written, atomic)
        if space == "shared":
            return self._shared(low, i, counted, operand, size, low.mask)
        if space:
            return replace(counted, space=space if space == "local" else "", bytes=size if space == "local" else 0)
        # A generic address: each lane's may be of another space.
        b = low.b
        at = b.spread(address(low, i, operand, ""))
        offset = b.sub(at, Value("%shared", "i64"))
        limit = b.resize(b.load(b.at("%launch", Launch.SHARED_LIMIT), "i32"), "i64")
        shared = b.both(low.mask, b.mask_of(b.compare("ult", offset, limit)))
        local = b.both(low.mask, b.mask_of(low.is_local(at)))
        rest = b.both(low.mask, b.invert(b.either(shared, local)))
        found = self._shared(low, i, counted, operand, size, shared, offset)
        return self._global(low, i, found, operand, size, rest, written, atomic, at)

    def _global(self, low: Lowering, i: Instruction, counted: Counted, operand: model.Operand, size: int, mask: Value,
                written: bool, atomic: bool = False, at: Value | None = None) -> Counted:
        b, place = low.b, self.places(2)
        at = address(low, i, operand, "global") if at is None else at
        costs.count_sectors(b, at, mask, constant("i64", size), constant("i32", written),
                            self._pointer(low, place), Value("%launch", "ptr"))
        return replace(counted, space="global", sectors=place, bytes=size)

    def _shared(self, low: Lowering, i: Instruction, counted: Counted, operand: model.Operand, size: int, mask: Value,
                offset: Value | None = None) -> Counted:
        b, place = low.b, self.places(2)
        if offset is None:
            offset = b.sub(address(low, i, operand, "shared"), Value("%shared", "i64"))
        costs.count_wavefronts(b, offset, mask, constant("i64", size), self._pointer(low, place))
        return replace(counted, space="shared", wavefronts=place, bytes=size)


def _arithmetic(i: Instruction) -> tuple[str, float]:
    """The unit, and the operations of a lane. A product of matrices is divided among the lanes."""
    if i.opcode == "mma":
        shape = next(each for each in i.modifiers if each.startswith("m16n8k"))
        return "tensor", 2 * 16 * 8 * int(shape[6:]) / 32
    if i.opcode == "wmma" and i.has("mma"):
        m, n, k = map(int, re.findall(r"\d+", next(each for each in i.modifiers if re.match(r"m\d", each))))
        return "tensor", 2 * m * n * k / 32
    if i.opcode == "wgmma" and i.has("mma_async"):
        rows, _, rest = next(each for each in i.modifiers if each.startswith("m64n"))[1:].partition("n")
        columns, _, depth = rest.partition("k")
        return "tensor", 2 * int(rows) * int(columns) * int(depth) / 128
    kind = _FLOATS.get(i.modifiers[-1]) if i.modifiers else None
    if kind is None:
        return "", 0
    unit, elements = kind
    if i.opcode in ("atom", "red"):
        return (unit, elements) if i.has("add") else ("", 0)
    operations = _OPERATIONS.get(i.opcode, 0)
    return (unit, operations * elements) if operations else ("", 0)
