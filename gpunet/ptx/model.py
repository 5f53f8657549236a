"""PTX as data. Everything is frozen; names are PTX's own.

    Module      functions, variables, and what the text says of itself
    Function    an entry or a device function: parameters, variables, body
    Instruction `@!%p ld.global.v2.f32 {%f1, %f2}, [%rd1+8];`: guard, opcode, modifiers, operands
    Label       a place in a body that branches go to
    Operands    Register, Integer, Float, Symbol, Address, Vector, Pair, Inverted, Group, and DISCARD for `_`
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

# Bytes of PTX's fundamental types; a predicate is held as one.
SIZES = {"pred": 1, "b8": 1, "u8": 1, "s8": 1, "e4m3": 1, "e5m2": 1, "e4m3x2": 2, "e5m2x2": 2,
         "b16": 2, "u16": 2, "s16": 2, "f16": 2, "bf16": 2,
         "b32": 4, "u32": 4, "s32": 4, "f32": 4, "f16x2": 4, "bf16x2": 4, "tf32": 4, "u16x2": 4, "s16x2": 4,
         "b64": 8, "u64": 8, "s64": 8, "f64": 8, "f32x2": 8, "b128": 16}


@dataclass(frozen=True, slots=True)
class Location:
    """A place in the user's source, as `.loc` gives it; for an inlined function also the place of the call."""

    file: str
    line: int
    column: int
    inlined_at: Location | None = None

    def chain(self) -> list[Location]:
        """This place, then the calls that lead to it, innermost first."""
        return [self] if self.inlined_at is None else [self, *self.inlined_at.chain()]

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


class Register(NamedTuple):  # its hash takes less time than a dataclass's
    name: str
    type: str  # "" of the special registers, such as %tid.x


@dataclass(frozen=True, slots=True)
class Integer:
    value: int


@dataclass(frozen=True, slots=True)
class Float:
    bits: int
    size: int  # bytes: 4 or 8


@dataclass(frozen=True, slots=True)
class Symbol:
    """A variable, a parameter, a function or a label."""

    name: str
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Address:
    base: Register | Symbol | None  # None: the offset is the address
    offset: int = 0
    coordinates: tuple[Operand, ...] = ()  # of a tensor copy


@dataclass(frozen=True, slots=True)
class Vector:
    elements: tuple[Operand, ...]


@dataclass(frozen=True, slots=True)
class Pair:
    """`d|p`: two results."""

    first: Operand
    second: Operand


@dataclass(frozen=True, slots=True)
class Inverted:
    """`!%p`"""

    operand: Register


@dataclass(frozen=True, slots=True)
class Group:
    """`(a, b)` of a call."""

    elements: tuple[Operand, ...]


@dataclass(frozen=True, slots=True)
class Discard:
    """`_`: the result is not wanted."""


DISCARD = Discard()

Operand = Register | Integer | Float | Symbol | Address | Vector | Pair | Inverted | Group | Discard


@dataclass(frozen=True, slots=True)
class Guard:
    register: Register
    negated: bool


@dataclass(frozen=True, slots=True)
class Instruction:
    opcode: str
    modifiers: tuple[str, ...]
    operands: tuple[Operand, ...]
    guard: Guard | None
    line: int  # of the PTX text
    location: Location | None

    @property
    def name(self) -> str:
        """The opcode with its modifiers: "ld.global.v2.f32"."""
        return ".".join((self.opcode, *self.modifiers))

    @property
    def type(self) -> str:
        """The type that the instruction's name ends with."""
        return self.modifiers[-1]

    def has(self, modifier: str) -> bool:
        return modifier in self.modifiers


@dataclass(frozen=True, slots=True)
class Label:
    name: str
    line: int


@dataclass(frozen=True, slots=True)
class Targets:
    """The labels that an indirect branch (brx.idx) chooses among."""

    name: str
    labels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable of a state space.

    `initial` are its first values as (size in bytes, number or the symbol whose address it is); the rest is zero.
    `generic` says of an address that it is a generic one. An `extern` shared array has size 0: the launch says its
    size.
    """

    name: str
    space: str  # "global", "const", "shared", "local", "param"
    align: int
    size: int
    extern: bool = False
    initial: tuple[tuple[int, int | Symbol], ...] = ()


@dataclass(frozen=True, slots=True)
class Parameter:
    name: str
    type: str
    align: int
    size: int
    offset: int  # of an entry's parameter, among the bytes of a launch
    pointer: bool = False  # PTX says that it is an address


@dataclass(frozen=True, slots=True)
class Function:
    name: str
    entry: bool
    parameters: tuple[Parameter, ...]
    returns: tuple[Parameter, ...]
    variables: tuple[Variable, ...]
    body: tuple[Instruction | Label | Targets, ...] | None  # None: declared only
    directives: dict[str, tuple[int, ...]] = field(default_factory=dict)
    line: int = 0

    @property
    def parameter_bytes(self) -> int:
        return max((parameter.offset + parameter.size for parameter in self.parameters), default=0)


@dataclass(frozen=True, slots=True)
class Module:
    version: str
    target: str
    variables: dict[str, Variable]
    functions: dict[str, Function]

    @property
    def entries(self) -> list[Function]:
        return [function for function in self.functions.values() if function.entry]
