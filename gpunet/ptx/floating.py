"""Instructions on float32 and float64. Source: PTX ISA, 9.7.3.

Rounding to nearest is the host's own. The other directions of float32: the rounded result, and the sign of what it
lacks to the exact one, found in float64, say whether to take the neighbour. Those of float64 are the host's, whose mode
of rounding is set for the one operation.

The approximate functions (.approx, .full) are computed in float64 and rounded once, so that they are within 1 unit in
the last place of the exact value; hardware is within the bounds that the PTX manual gives (2^-22.5 relative for ex2,
2^-22 absolute for lg2 between 0.5 and 2, 1 and 2 units for rcp and rsqrt).
"""

from __future__ import annotations

import math
from collections.abc import Callable

from gpunet.ptx.emit import LANES, Builder, Value, constant
from gpunet.ptx.lower import Lowering
from gpunet.ptx.model import Instruction
from gpunet.ptx.table import meaning

DIRECTED = {"rz", "rm", "rp"}
_LEAST_NORMAL = {"float": 2.0**-126, "double": 2.0**-1022, "half": 2.0**-14}
_BITS = {"float": "i32", "double": "i64"}


# ---- modifiers -------------------------------------------------------------------------------------------------------
def flushed(b: Builder, value: Value) -> Value:
    """.ftz: subnormal numbers are 0 of their sign."""
    tiny = b.compare("olt", b.call("fabs", value), _LEAST_NORMAL[value.type])
    return b.select(tiny, b.call("copysign", constant(value.type, 0.0), value), value)


def saturated(b: Builder, value: Value) -> Value:
    """.sat: into [0, 1]; NaN is 0."""
    positive = b.select(b.compare("ogt", value, 0.0), value, 0.0)
    return b.select(b.compare("ogt", positive, 1.0), 1.0, positive)


def inputs(low: Lowering, i: Instruction) -> list[Value]:
    values = [low.read(each, i.type) for each in i.operands[1:]]
    return [flushed(low.b, value) for value in values] if i.has("ftz") else values


def finish(low: Lowering, i: Instruction, value: Value) -> Value:
    if i.has("ftz"):
        value = flushed(low.b, value)
    return saturated(low.b, value) if i.has("sat") else value


def wide(b: Builder, value: Value) -> Value:
    return b.cast("fpext", value, "double")


def directed(b: Builder, i: Instruction, rounded: Value, lacks: Value) -> Value:
    """The result in the instruction's direction. `lacks`: exact minus rounded, as far as its sign goes."""
    bits_type = _BITS[rounded.type]
    bits, zero = b.bitcast(rounded, bits_type), b.compare("oeq", rounded, 0.0)
    below, above = b.compare("olt", lacks, 0.0), b.compare("ogt", lacks, 0.0)
    negative = b.compare("slt", bits, 0)
    if i.has("rz"):
        too_far = b.select(negative, above, below)
        changed = b.select(too_far, b.sub(bits, 1), bits)
    else:
        down = i.has("rm")
        grows = negative if down else b.invert(negative)
        next_one = b.select(grows, b.add(bits, 1), b.sub(bits, 1))
        next_one = b.select(zero, -0x7FFFFFFF if down else 1, next_one)
        changed = b.select(below if down else above, next_one, bits)
    return b.bitcast(changed, rounded.type)


def sum_lacks(b: Builder, x: Value, y: Value, rounded: Value) -> Value:
    """x + y - rounded of doubles: the sum and what it lost itself (Knuth's TwoSum)."""
    total = b.add(x, y)
    part = b.sub(total, x)
    lost = b.add(b.sub(x, b.sub(total, part)), b.sub(y, part))
    return b.add(b.sub(total, wide(b, rounded)), lost)


def direction(i: Instruction) -> bool:
    """A direction other than to nearest is asked for."""
    return i.type == "f32" and bool(DIRECTED & set(i.modifiers))


_MODES = {"rz": 0, "rp": 2, "rm": 3}  # of llvm.set.rounding; 1 is to nearest


def in_mode(b: Builder, i: Instruction, operation: str, *values: Value, to: str = "") -> Value:
    """An operation, as LLVM's constrained ones are called, with the host's rounding in the instruction's direction.
    `to`: the type of a conversion."""
    mode = next(each for each in i.modifiers if each in _MODES)

    def strict(inner: Builder, *given: Value) -> Value:
        first, result = given[0], Value("", to or given[0].type, given[0].vector)

        def suffix(value: Value) -> str:
            short = {"float": "f32", "double": "f64"}.get(value.type, value.type)
            return f"{f'v{LANES}' if value.vector else ''}{short}"

        overloads = f"{suffix(result)}.{suffix(first)}" if to else suffix(first)
        name = f"@llvm.experimental.constrained.{operation}.{overloads}"
        types = ", ".join((*(each.ir for each in given), "metadata", "metadata"))
        inner.module.declarations.add(f"declare {result.ir} {name}({types})")
        inner.module.declarations.add("declare void @llvm.set.rounding(i32)")
        inner.emit(f"call void @llvm.set.rounding(i32 {_MODES[mode]}) #2")
        found = inner.value(f"call {result.ir} {name}({', '.join(map(str, given))}, metadata !\"round.dynamic\", "
                            'metadata !"fpexcept.strict") #2', result.type, result.vector)
        inner.emit("call void @llvm.set.rounding(i32 1) #2")
        return found

    return b.through(f"{operation}.{mode}.{to}", strict, *b.alike(*values), attributes="#2")


def _host_direction(i: Instruction) -> bool:
    return i.type == "f64" and bool(DIRECTED & set(i.modifiers))


# ---- arithmetic ------------------------------------------------------------------------------------------------------
def add(low: Lowering, i: Instruction) -> Value:
    b, (a, c) = low.b, inputs(low, i)
    if i.opcode == "sub":
        c = negated(b, c)
    if _host_direction(i):
        return finish(low, i, in_mode(b, i, "fadd", a, c))
    result = b.add(a, c)
    if direction(i):
        result = directed(b, i, result, sum_lacks(b, wide(b, a), wide(b, c), result))
        if i.has("rm"):  # x - x is -0 when rounding down
            both_zero = b.compare("oeq", b.add(a, c), 0.0)
            signs = b.either(b.bitcast(a, "i32"), b.bitcast(c, "i32"))
            result = b.select(b.both(both_zero, b.compare("slt", signs, 0)), -0.0, result)
    return finish(low, i, result)


def multiply(low: Lowering, i: Instruction) -> Value:
    b, (a, c) = low.b, inputs(low, i)
    if _host_direction(i):
        return finish(low, i, in_mode(b, i, "fmul", a, c))
    result = b.mul(a, c)
    if direction(i):
        result = directed(b, i, result, b.sub(b.mul(wide(b, a), wide(b, c)), wide(b, result)))
    return finish(low, i, result)


def fused(low: Lowering, i: Instruction) -> Value:
    b, (a, c, d) = low.b, inputs(low, i)
    if _host_direction(i):
        return finish(low, i, in_mode(b, i, "fma", a, c, d))
    result = b.call("fma", a, c, d)
    if direction(i):
        result = directed(b, i, result, sum_lacks(b, b.mul(wide(b, a), wide(b, c)), wide(b, d), result))
    return finish(low, i, result)


def paired(low: Lowering, i: Instruction) -> Value:
    """Of two float32 in a register of 64 bits, the lower one first."""
    b = low.b
    operations: dict[str, Callable[..., Value]] = {
        "add": b.add, "sub": b.sub, "mul": b.mul, "fma": lambda *values: b.call("fma", *values)}
    words = [low.read(each, i.type) for each in i.operands[1:]]
    both = []
    for shift in (0, 32):
        values = [b.bitcast(b.resize(b.lshr(word, shift), "i32"), "float") for word in words]
        values = [flushed(b, value) for value in values] if i.has("ftz") else values
        both.append(b.resize(b.bitcast(finish(low, i, operations[i.opcode](*values)), "i32"), "i64"))
    return b.either(both[0], b.shl(both[1], 32))


def divide(low: Lowering, i: Instruction) -> Value:
    b, (a, c) = low.b, inputs(low, i)
    return finish(low, i, _ratio(low, i, a, c, b.div(a, c)))


def _ratio(low: Lowering, i: Instruction, a: Value, c: Value, result: Value) -> Value:
    b = low.b
    if _host_direction(i):
        return in_mode(b, i, "fdiv", a, c)
    if not direction(i):
        return result
    rest = b.call("fma", negated(b, wide(b, result)), wide(b, c), wide(b, a))
    return directed(b, i, result, b.mul(rest, b.call("copysign", constant("double", 1.0), wide(b, c))))


@meaning("rcp", modifiers="approx rn rz rm rp ftz f32 f64")
def rcp(low: Lowering, i: Instruction) -> None:
    b, (a,) = low.b, inputs(low, i)
    one = constant(a.type, 1.0)
    low.write(i.operands[0], finish(low, i, _ratio(low, i, one, a, b.div(one, a))))


@meaning("sqrt", modifiers="approx rn rz rm rp ftz f32 f64")
def sqrt(low: Lowering, i: Instruction) -> None:
    b, (a,) = low.b, inputs(low, i)
    result = in_mode(b, i, "sqrt", a) if _host_direction(i) else b.call("sqrt", a)
    if direction(i):
        root = wide(b, result)
        result = directed(b, i, result, b.call("fma", negated(b, root), root, wide(b, a)))
    low.write(i.operands[0], finish(low, i, result))


def negated(b: Builder, value: Value) -> Value:
    return b.value(f"fneg {value}", value.type, value.vector)


def negative(low: Lowering, i: Instruction) -> Value:
    return finish(low, i, negated(low.b, inputs(low, i)[0]))


def absolute(low: Lowering, i: Instruction) -> Value:
    return finish(low, i, low.b.call("fabs", inputs(low, i)[0]))


def least(low: Lowering, i: Instruction) -> Value:
    """min and max: a NaN loses, or with .NaN wins; -0 is below +0."""
    values = inputs(low, i)
    result = values[0]
    for value in values[1:]:
        result = extreme(low.b, i, result, value)
    return finish(low, i, result)


def extreme(b: Builder, i: Instruction, a: Value, c: Value) -> Value:
    if i.has("NaN"):
        return b.call(f"{i.opcode}imum", a, c)
    return b.call(f"{i.opcode}imumnum", a, c)


@meaning("copysign", modifiers="f32 f64")
def copysign(low: Lowering, i: Instruction) -> None:
    sign, value = inputs(low, i)
    low.write(i.operands[0], low.b.call("copysign", value, sign))


@meaning("testp", modifiers="finite infinite number notanumber normal subnormal f32 f64")
def testp(low: Lowering, i: Instruction) -> None:
    b, (a,) = low.b, [low.read(i.operands[1], i.type)]
    size, least_normal = b.call("fabs", a), _LEAST_NORMAL[a.type]
    tests = {"finite": lambda: b.compare("olt", size, math.inf), "infinite": lambda: b.compare("oeq", size, math.inf),
             "number": lambda: b.compare("ord", a, a), "notanumber": lambda: b.compare("uno", a, a),
             "normal": lambda: b.both(b.compare("oge", size, least_normal), b.compare("olt", size, math.inf)),
             "subnormal": lambda: b.both(b.compare("olt", size, least_normal), b.compare("ogt", size, 0.0))}
    low.write(i.operands[0], tests[i.modifiers[0]]())


# ---- approximate functions -------------------------------------------------------------------------------------------
def power_of_2(b: Builder, value: Value) -> Value:
    """2^x = 2^n e^(f ln 2), n the whole number next to x: Taylor's series of degree 10, to 3e-13."""
    x = wide(b, value)
    x = b.select(b.compare("ogt", x, 1100.0), 1100.0, b.select(b.compare("olt", x, -1100.0), -1100.0, x))
    n = b.call("roundeven", x)
    f = b.sub(x, n)
    total = constant("double", math.log(2) ** 10 / math.factorial(10))
    for k in range(9, -1, -1):
        total = b.call("fma", b.alike(f, total)[1], f, math.log(2) ** k / math.factorial(k))
    # In two steps, as 2^n alone may be too large or too small.
    whole = b.call("fptosi.sat", n, type="i64")
    half = b.ashr(whole, 1)
    for exponent in (half, b.sub(whole, half)):
        total = b.mul(total, b.bitcast(b.shl(b.add(exponent, 1023), 52), "double"))
    return b.cast("fptrunc", total, value.type)


def log_of_2(b: Builder, value: Value) -> Value:
    """lg2(2^e m) = e + 2/ln 2 atanh((m - 1) / (m + 1)), m between sqrt(1/2) and sqrt(2)."""
    x = wide(b, value)
    bits = b.bitcast(x, "i64")
    exponent = b.sub(b.both(b.lshr(bits, 52), 0x7FF), 1023)
    m = b.bitcast(b.either(b.both(bits, (1 << 52) - 1), 1023 << 52), "double")
    large = b.compare("ogt", m, math.sqrt(2))
    m = b.select(large, b.mul(m, 0.5), m)
    exponent = b.add(exponent, b.resize(large, "i64"))
    s = b.div(b.sub(m, 1.0), b.add(m, 1.0))
    square = b.mul(s, s)
    total = constant("double", 2 / math.log(2) / 17)
    for k in range(15, 0, -2):
        total = b.call("fma", b.alike(square, total)[1], square, 2 / math.log(2) / k)
    result = b.call("fma", total, s, b.cast("sitofp", exponent, "double"))
    result = b.select(b.compare("oeq", x, math.inf), math.inf, result)
    result = b.select(b.compare("oeq", x, 0.0), -math.inf, result)
    negative_or_nan = b.compare("ult", x, 0.0)
    return b.cast("fptrunc", b.select(negative_or_nan, math.nan, result), value.type)


def inverse_root(b: Builder, value: Value) -> Value:
    return b.cast("fptrunc", b.div(constant("double", 1.0), b.call("sqrt", wide(b, value))), value.type)


def _host(name: str):
    def compute(b: Builder, value: Value) -> Value:
        return b.cast("fptrunc", b.call(name, wide(b, value)), value.type)
    return compute


APPROXIMATE = {"ex2": power_of_2, "lg2": log_of_2, "rsqrt": inverse_root, "sin": _host("sin"), "cos": _host("cos"),
               "tanh": _host("tanh")}


def approximate(low: Lowering, i: Instruction) -> Value:
    (a,) = inputs(low, i)
    return finish(low, i, low.b.through(i.opcode, APPROXIMATE[i.opcode], a))
