"""Text of LLVM IR: values of one lane or of all 32, and the operations on them.

A value is scalar when all lanes have it alike, else a vector. An operation on scalars is scalar; where one operand is a
vector, the others are spread over the lanes.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

LANES = 32
ALL = (1 << LANES) - 1

BITS = {"i1": 1, "i8": 8, "i16": 16, "i32": 32, "i64": 64, "i128": 128, "half": 16, "float": 32, "double": 64,
        "ptr": 64}
FLOATS = ("half", "float", "double")
SUFFIX = {"half": "f16", "float": "f32", "double": "f64", "ptr": "p0"}


class Value(NamedTuple):
    text: str
    type: str  # of one lane
    vector: bool = False
    literal: bool = False

    @property
    def ir(self) -> str:
        return f"<{LANES} x {self.type}>" if self.vector else self.type

    def __str__(self) -> str:
        """As an operand that names its type."""
        return f"{self.ir} {self.text}"


def constant(type: str, number: float) -> Value:
    """A literal; of floats those that are exact in the type."""
    if type in FLOATS:
        if type == "half":
            return Value(f"0xH{struct.pack('>e', number).hex().upper()}", type, literal=True)
        return Value(f"0x{struct.pack('>d', number).hex().upper()}", type, literal=True)
    if type == "i1":
        return Value("true" if number else "false", type, literal=True)
    bits, number = BITS[type], int(number)
    number &= (1 << bits) - 1
    return Value(str(number - (1 << bits) if number >> bits - 1 else number), type, literal=True)


def float_literal(bits: int, type: str) -> Value:
    """A float literal by its bits. LLVM writes a float as the double of the same value; NaNs keep their payload."""
    if type == "float":
        sign, exponent, fraction = bits >> 31, bits >> 23 & 255, bits & 0x7FFFFF
        if exponent == 255:
            wide = sign << 63 | 0x7FF << 52 | fraction << 29
        else:
            wide = struct.unpack(">Q", struct.pack(">d", single_of(bits)))[0]
        return Value(f"0x{wide:016X}", type, literal=True)
    return Value(f"0x{bits:016X}", type, literal=True)


def single_of(bits: int) -> float:
    return struct.unpack("<f", struct.pack("<I", bits))[0]


def double_of(bits: int) -> float:
    return struct.unpack("<d", struct.pack("<Q", bits))[0]


def lanes(type: str, numbers: Sequence[int]) -> Value:
    """A vector of whole numbers."""
    return Value("<" + ", ".join(str(constant(type, number)) for number in numbers) + ">", type, True)


class Module:
    """Declarations and helper functions that the code of a kernel calls, each once."""

    def __init__(self) -> None:
        self.declarations: set[str] = set()
        self.helpers: dict[str, str] = {}
        self.globals: dict[str, str] = {}
        self.results: dict[str, list[Value]] = {}  # of the helpers of Builder.through, what they return

    def head(self) -> str:
        """What comes before the helpers."""
        return "\n".join((*sorted(self.declarations), *self.globals.values()))


class Builder:
    """Writes one function's instructions."""

    def __init__(self, module: Module) -> None:
        self.module = module
        self.lines: list[str] = []
        self.count = 0

    # ---- the text ----------------------------------------------------------------------------------------------------
    def emit(self, text: str) -> None:
        self.lines.append("  " + text)

    def label(self, name: str) -> None:
        self.lines.append(name + ":")

    def fresh(self, stem: str = "t") -> str:
        self.count += 1
        return f"{stem}{self.count}"

    def value(self, text: str, type: str, vector: bool = False) -> Value:
        name = "%" + self.fresh()
        self.emit(f"{name} = {text}")
        return Value(name, type, vector)

    # ---- spreading ---------------------------------------------------------------------------------------------------
    def spread(self, value: Value) -> Value:
        """The value in all lanes."""
        if value.vector:
            return value
        if value.literal:
            return Value(f"splat ({value.type} {value.text})", value.type, True)
        one = self.value(f"insertelement <{LANES} x {value.type}> poison, {value}, i64 0", value.type, True)
        return self.value(f"shufflevector {one}, <{LANES} x {value.type}> poison, <{LANES} x i32> zeroinitializer",
                          value.type, True)

    def alike(self, *values: Value) -> tuple[Value, ...]:
        if any(value.vector for value in values):
            return tuple(map(self.spread, values))
        return values

    # ---- operations on lanes -----------------------------------------------------------------------------------------
    def binary(self, operation: str, a: Value, b: Value | float) -> Value:
        if not isinstance(b, Value):
            b = constant(a.type, b)
        a, b = self.alike(a, b)
        return self.value(f"{operation} {a}, {b.text}", a.type, a.vector)

    def add(self, a: Value, b: Value | float) -> Value:
        return self.binary("fadd" if a.type in FLOATS else "add", a, b)

    def sub(self, a: Value, b: Value | float) -> Value:
        return self.binary("fsub" if a.type in FLOATS else "sub", a, b)

    def mul(self, a: Value, b: Value | float) -> Value:
        return self.binary("fmul" if a.type in FLOATS else "mul", a, b)

    def div(self, a: Value, b: Value | float) -> Value:
        return self.binary("fdiv", a, b)

    def both(self, a: Value, b: Value | int) -> Value:
        return self.binary("and", a, b)

    def either(self, a: Value, b: Value | int) -> Value:
        return self.binary("or", a, b)

    def xor(self, a: Value, b: Value | int) -> Value:
        return self.binary("xor", a, b)

    def invert(self, a: Value) -> Value:
        return self.xor(a, -1)

    def shl(self, a: Value, b: Value | int) -> Value:
        return self.binary("shl", a, b)

    def lshr(self, a: Value, b: Value | int) -> Value:
        return self.binary("lshr", a, b)

    def ashr(self, a: Value, b: Value | int) -> Value:
        return self.binary("ashr", a, b)

    def compare(self, predicate: str, a: Value, b: Value | float) -> Value:
        """`predicate` as in LLVM: eq, slt, ugt, ... of integers, oeq, ult, uno, ... of floats."""
        if not isinstance(b, Value):
            b = constant(a.type, b)
        a, b = self.alike(a, b)
        return self.value(f"{'fcmp' if a.type in FLOATS else 'icmp'} {predicate} {a}, {b.text}", "i1", a.vector)

    def select(self, condition: Value, yes: Value | float, no: Value | float) -> Value:
        if not isinstance(yes, Value):
            assert isinstance(no, Value)
            yes = constant(no.type, yes)
        if not isinstance(no, Value):
            no = constant(yes.type, no)
        if condition.vector or yes.vector or no.vector:
            condition, yes, no = map(self.spread, (condition, yes, no))
        return self.value(f"select {condition}, {yes}, {no}", yes.type, yes.vector)

    def cast(self, operation: str, a: Value, type: str) -> Value:
        if a.type == type:
            return a
        to = f"<{LANES} x {type}>" if a.vector else type
        return self.value(f"{operation} {a} to {to}", type, a.vector)

    def bitcast(self, a: Value, type: str) -> Value:
        return self.cast("bitcast", a, type)

    def resize(self, a: Value, type: str, signed: bool = False) -> Value:
        """An integer made wider or narrower."""
        if BITS[a.type] > BITS[type]:
            return self.cast("trunc", a, type)
        return self.cast("sext" if signed else "zext", a, type)

    def call(self, intrinsic: str, *values: Value | float, flags: Iterable[bool] = (),
             type: str | None = None) -> Value:
        """One of LLVM's intrinsics that are overloaded by their first operand's type (and by the result's, if that
        is another): "fma", "ctpop"."""
        first = next(value for value in values if isinstance(value, Value))
        given = self.alike(*(value if isinstance(value, Value) else constant(first.type, value) for value in values))
        first = given[0]
        result = Value("", type or first.type, first.vector)

        def suffix(value: Value) -> str:
            return f"{f'v{LANES}' if value.vector else ''}{SUFFIX.get(value.type, value.type)}"

        name = f"@llvm.{intrinsic}.{suffix(result) + '.' if type else ''}{suffix(first)}"
        types = [value.ir for value in given] + ["i1" for _ in flags]
        self.module.declarations.add(f"declare {result.ir} {name}({', '.join(types)})")
        operands = [str(value) for value in given] + [f"i1 {'true' if flag else 'false'}" for flag in flags]
        return self.value(f"call {result.ir} {name}({', '.join(operands)})", result.type, result.vector)

    def through(self, name: str, make: Callable[..., Value], *values: Value, attributes: str = "#1") -> Value:
        """`make(builder, *values)` in a function of its own, for what takes many instructions."""
        return self.through_all(name, lambda *arguments: [make(*arguments)], *values, attributes=attributes)[0]

    def through_all(self, name: str, make: Callable[..., list[Value]], *values: Value,
                    attributes: str = "#1") -> list[Value]:
        """The same with several results, possibly none; the values are given as they are."""
        full = f"@gpunet.{name}.{'.'.join(value.type + 'v' * value.vector for value in values)}"
        if full not in self.module.results:
            inner = Builder(self.module)
            arguments = [Value(f"%a{number}", value.type, value.vector) for number, value in enumerate(values)]
            results = self.module.results[full] = make(inner, *arguments)
            kind = f"{{ {', '.join(result.ir for result in results)} }}" if results else "void"
            total = "poison"
            for number, result in enumerate(results):
                inner.emit(f"%r{number} = insertvalue {kind} {total}, {result}, {number}")
                total = f"%r{number}"
            inner.emit(f"ret {kind} {total}" if results else "ret void")
            head = f"define internal {kind} {full}({', '.join(map(str, arguments))}) {attributes} {{"
            self.module.helpers[full] = "\n".join((head, *inner.lines, "}"))
        results = self.module.results[full]
        kind = f"{{ {', '.join(result.ir for result in results)} }}" if results else "void"
        call = f"call {kind} {full}({', '.join(map(str, values))})"
        if not results:
            self.emit(call)
            return []
        given = "%" + self.fresh()
        self.emit(f"{given} = {call}")
        return [self.value(f"extractvalue {kind} {given}, {number}", result.type, result.vector)
                for number, result in enumerate(results)]

    # ---- lanes among each other --------------------------------------------------------------------------------------
    def permute(self, a: Value, sources: Sequence[int]) -> Value:
        """Lane l gets the value of lane sources[l]; the sources are known here."""
        if not a.vector:
            return a
        return self.value(f"shufflevector {a}, {a.ir} poison, {lanes('i32', sources)}", a.type, True)

    def mask_of(self, predicate: Value) -> Value:
        """A predicate of the lanes as 32 bits."""
        if not predicate.vector:
            return self.cast("sext", predicate, "i32")
        return self.value(f"bitcast {predicate} to i32", "i32")

    def lanes_of(self, mask: Value) -> Value:
        """32 bits as a predicate of the lanes."""
        return self.value(f"bitcast {mask} to <{LANES} x i1>", "i1", True)

    def extract(self, a: Value, lane: Value | int) -> Value:
        if not a.vector:
            return a
        lane = constant("i32", lane) if isinstance(lane, int) else lane
        return self.value(f"extractelement {a}, {lane}", a.type)

    def first(self, mask: Value) -> Value:
        """The lowest lane of a mask that is not empty."""
        return self.call("cttz", mask, flags=(True,))

    # ---- memory ------------------------------------------------------------------------------------------------------
    def at(self, pointer: str, offset: Value | int) -> str:
        """A pointer some bytes further on."""
        text = f"i64 {offset}" if isinstance(offset, int) else str(offset)
        return self.value(f"getelementptr i8, ptr {pointer}, {text}", "ptr").text

    def load(self, pointer: str, type: str, vector: bool = False, align: int | None = None) -> Value:
        ir = f"<{LANES} x {type}>" if vector else type
        return self.value(f"load {ir}, ptr {pointer}{f', align {align}' if align else ''}", type, vector)

    def store(self, value: Value, pointer: str, align: int | None = None) -> None:
        self.emit(f"store {value}, ptr {pointer}{f', align {align}' if align else ''}")

    def pointer(self, address: Value) -> str:
        return self.value(f"inttoptr {address} to ptr", "ptr").text

    # ---- control -----------------------------------------------------------------------------------------------------
    def branch(self, condition: Value, yes: str, no: str) -> None:
        self.emit(f"br {condition}, label %{yes}, label %{no}")

    def jump(self, label: str) -> None:
        self.emit(f"br label %{label}")
