"""Integer and logic instructions. Source: PTX ISA, 9.7.1, 9.7.2 and 9.7.8."""

from __future__ import annotations

from gpunet.ptx.emit import BITS, Builder, Value, constant
from gpunet.ptx.lower import Lowering
from gpunet.ptx.model import Instruction, Integer
from gpunet.ptx.table import INTEGERS, meaning, refuse

_WIDER = {"i8": "i16", "i16": "i32", "i32": "i64", "i64": "i128"}


def signed(type: str) -> bool:
    return type[0] == "s"


def operands(low: Lowering, i: Instruction, type: str | None = None) -> list[Value]:
    return [low.read(each, type or i.type) for each in i.operands[1:]]


# ---- arithmetic ---------------------------------------------------------------------------------------------------------
def add(low: Lowering, i: Instruction) -> Value:
    a, c = operands(low, i)
    if i.has("sat"):
        return low.b.call("sadd.sat" if i.opcode == "add" else "ssub.sat", a, c)
    return low.b.add(a, c) if i.opcode == "add" else low.b.sub(a, c)


def multiply(low: Lowering, i: Instruction) -> Value:
    """mul and the product of mad, by .lo, .hi or .wide."""
    b, (a, c) = low.b, [low.read(each, i.type) for each in i.operands[1:3]]
    if i.has("lo"):
        return b.mul(a, c)
    wide = _WIDER[a.type]
    product = b.mul(b.resize(a, wide, signed(i.type)), b.resize(c, wide, signed(i.type)))
    return product if i.has("wide") else b.resize(b.lshr(product, BITS[a.type]), a.type)


def mad(low: Lowering, i: Instruction) -> None:
    product = multiply(low, i)
    wide = i.type[0] + str(BITS[product.type])
    more = low.read(i.operands[3], wide)
    low.write(i.operands[0], low.b.call("sadd.sat", product, more) if i.has("sat") else low.b.add(product, more))


@meaning("mul24", "mad24", modifiers="lo hi u32 s32")
def mul24(low: Lowering, i: Instruction) -> None:
    b, sign = low.b, signed(i.type)

    def low24(value: Value) -> Value:
        shifted = b.shl(value, 8)
        return b.resize(b.ashr(shifted, 8) if sign else b.lshr(shifted, 8), "i64", sign)

    product = b.mul(low24(low.read(i.operands[1], i.type)), low24(low.read(i.operands[2], i.type)))
    result = b.resize(b.lshr(product, 16) if i.has("hi") else product, "i32")
    low.write(i.operands[0], result if i.opcode == "mul24" else b.add(result, low.read(i.operands[3], i.type)))


def quotient(b: Builder, a: Value, c: Value, sign: bool) -> Value:
    """a / c towards zero; by zero all ones, as hardware gives it (PTX leaves it open)."""
    zero = b.compare("eq", c, 0)
    if a.vector and BITS[a.type] <= 32:
        # As doubles: the quotient of whole numbers of 32 bits, rounded, never reaches the next whole number.
        to, back = ("sitofp", "fptosi.sat") if sign else ("uitofp", "fptoui.sat")
        divisor = b.cast(to, b.select(zero, 1, c), "double")
        ratio = b.div(b.cast(to, a, "double"), divisor)
        result = b.resize(b.call(back, ratio, type="i64"), a.type)
    else:
        divisor = b.select(zero, 1, c)
        if sign:  # the least number by -1 does not fit, and stops the processor
            minus = b.compare("eq", divisor, -1)
            result = b.select(minus, b.sub(constant(a.type, 0), a), b.binary("sdiv", a, b.select(minus, 1, divisor)))
        else:
            result = b.binary("udiv", a, divisor)
    return b.select(zero, -1, result)


def divide(low: Lowering, i: Instruction) -> Value:
    a, c = operands(low, i)
    return quotient(low.b, a, c, signed(i.type))


@meaning("rem", modifiers=INTEGERS)
def rem(low: Lowering, i: Instruction) -> None:
    b, (a, c) = low.b, operands(low, i)
    rest = b.sub(a, b.mul(quotient(b, a, c, signed(i.type)), c))
    low.write(i.operands[0], rest)


def absolute(low: Lowering, i: Instruction) -> Value:
    return low.b.call("abs", operands(low, i)[0], flags=(False,))


def negative(low: Lowering, i: Instruction) -> Value:
    (a,) = operands(low, i)
    return low.b.sub(constant(a.type, 0), a)


def least(low: Lowering, i: Instruction) -> Value:
    a, c = operands(low, i)
    result = low.b.call(f"{'s' if signed(i.type) else 'u'}{i.opcode}", a, c)
    return low.b.call("smax", result, 0) if i.has("relu") else result


@meaning("sad", modifiers=INTEGERS)
def sad(low: Lowering, i: Instruction) -> None:
    """|a - b| + c"""
    b, (a, c, d) = low.b, operands(low, i)
    bigger = b.compare("sgt" if signed(i.type) else "ugt", a, c)
    low.write(i.operands[0], b.add(d, b.select(bigger, b.sub(a, c), b.sub(c, a))))


@meaning("dp4a", "dp2a", modifiers="lo hi u32 s32")
def dp4a(low: Lowering, i: Instruction) -> None:
    """Sum of the products of 4 bytes, or of 2 halves with 2 bytes; each operand with a type of its own."""
    b = low.b
    first, second = i.modifiers[-2:]
    a, c, total = (low.read(operand, "b32") for operand in i.operands[1:])

    def part(value: Value, at: int, bits: int, sign: bool) -> Value:
        up = b.shl(value, 32 - bits - at)
        return b.ashr(up, 32 - bits) if sign else b.lshr(up, 32 - bits)

    for k in range(4 if i.opcode == "dp4a" else 2):
        if i.opcode == "dp4a":
            x, y = part(a, 8 * k, 8, signed(first)), part(c, 8 * k, 8, signed(second))
        else:
            x, y = part(a, 16 * k, 16, signed(first)), part(c, 8 * k + 16 * i.has("hi"), 8, signed(second))
        total = b.add(total, b.mul(x, y))
    low.write(i.operands[0], total)


# ---- with carry ---------------------------------------------------------------------------------------------------------
@meaning("addc", "subc", "madc", modifiers=f"cc lo hi {INTEGERS}")
def with_carry(low: Lowering, i: Instruction) -> None:
    carry_out(low, i)


def carry_out(low: Lowering, i: Instruction) -> None:
    """add, sub and mad with .cc leave a carry, addc, subc and madc take it; it lives within a block of code."""
    b = low.b
    if i.opcode in ("mad", "madc"):
        a, c = multiply(low, i), low.read(i.operands[3], i.type)
    else:
        a, c = operands(low, i)
    if i.opcode in ("subc", "sub"):
        c = b.invert(c)  # a - c = a + ~c + 1
    takes = i.opcode in ("addc", "subc", "madc")
    if takes and low.carry is None:
        refuse(i, "the carry of another block of code")
    borrow = i.opcode in ("sub", "subc")
    incoming = low.carry if takes and low.carry is not None else constant("i1", borrow)
    wide = _WIDER[a.type]
    total = b.add(b.add(b.resize(a, wide), b.resize(c, wide)), b.resize(incoming, wide))
    if i.has("cc"):
        low.carry = b.resize(b.lshr(total, BITS[a.type]), "i1")
    low.write(i.operands[0], b.resize(total, a.type))


# ---- bits ---------------------------------------------------------------------------------------------------------------
_BITWISE = "pred b16 b32 b64"


@meaning("and", "or", "xor", modifiers=_BITWISE)
def bitwise(low: Lowering, i: Instruction) -> None:
    a, c = operands(low, i)
    low.write(i.operands[0], low.b.binary(i.opcode, a, c))


@meaning("not", modifiers=_BITWISE)
def bitwise_not(low: Lowering, i: Instruction) -> None:
    low.write(i.operands[0], low.b.invert(operands(low, i)[0]))


@meaning("cnot", modifiers=_BITWISE)
def cnot(low: Lowering, i: Instruction) -> None:
    (a,) = operands(low, i)
    low.write(i.operands[0], low.b.resize(low.b.compare("eq", a, 0), a.type))


@meaning("lop3", modifiers="b32 BoolOp or and xor")
def lop3(low: Lowering, i: Instruction) -> None:
    """Any function of three bits, by its table of truth."""
    b, (a, c, d) = low.b, [low.read(each, "b32") for each in i.operands[1:4]]
    truth = i.operands[4]
    if not isinstance(truth, Integer) or i.modifiers != ("b32",):
        refuse(i)
    result = constant("i32", 0)
    for row in range(8):
        if truth.value >> row & 1:
            terms = [value if row >> bit & 1 else b.invert(value) for value, bit in ((a, 2), (c, 1), (d, 0))]
            result = b.either(result, b.both(b.both(terms[0], terms[1]), terms[2]))
    low.write(i.operands[0], result)


def shifted(b: Builder, a: Value, amount: Value, operation: str) -> Value:
    """A shift by any amount: those beyond the width shift everything out."""
    bits = BITS[a.type]
    if amount.literal:
        by = int(amount.text) & 0xFFFFFFFF
        if by < bits:
            return b.binary(operation, a, by)
        return b.ashr(a, bits - 1) if operation == "ashr" else constant(a.type, 0)
    by = b.resize(b.call("umin", amount, bits - 1), a.type)
    result = b.binary(operation, a, by)
    return result if operation == "ashr" else b.select(b.compare("ult", amount, bits), result, 0)


@meaning("shl", "shr", modifiers=INTEGERS)
def shift(low: Lowering, i: Instruction) -> None:
    a, amount = low.read(i.operands[1], i.type), low.read(i.operands[2], "u32")
    operation = "shl" if i.opcode == "shl" else "ashr" if signed(i.type) else "lshr"
    low.write(i.operands[0], shifted(low.b, a, amount, operation))


@meaning("shf", modifiers="l r clamp wrap b32")
def funnel(low: Lowering, i: Instruction) -> None:
    """32 of the 64 bits of {b, a}, shifted left or right."""
    b, (a, c, amount) = low.b, [low.read(each, "b32") for each in i.operands[1:]]
    by = b.both(amount, 31) if i.has("wrap") else b.call("umin", amount, 32)
    both = b.either(b.shl(b.resize(c, "i64"), 32), b.resize(a, "i64"))
    by = b.resize(by, "i64")
    result = b.lshr(b.shl(both, by), 32) if i.has("l") else b.lshr(both, by)
    low.write(i.operands[0], b.resize(result, "i32"))


def field_bounds(low: Lowering, i: Instruction, position: int, bits: int) -> tuple[Value, Value]:
    """Position and length, 0 to 255, of a field of bits, held below the width."""
    b = low.b
    at, length = (b.both(low.read(i.operands[n], "u32"), 255) for n in (position, position + 1))
    return b.call("umin", at, bits), b.call("umin", length, bits)


@meaning("bfe", modifiers="u32 s32 u64 s64")
def bfe(low: Lowering, i: Instruction) -> None:
    """A field of bits; of signed ones filled up with the field's highest bit, or the number's where it ends before."""
    b, a = low.b, low.read(i.operands[1], i.type)
    bits = BITS[a.type]
    at, length = field_bounds(low, i, 2, bits)
    if not signed(i.type):
        field = shifted(b, a, at, "lshr")
        low.write(i.operands[0], b.both(field, b.invert(shifted(b, constant(a.type, -1), length, "shl"))))
        return
    end = b.call("umin", b.add(at, length), bits)
    up = shifted(b, a, b.sub(constant("i32", bits), end), "shl")  # the field's last bit to the top
    # The field is end - at bits long; where it starts beyond the number it is all sign.
    kept = b.call("smax", b.sub(end, at), 0)
    field = shifted(b, up, b.sub(constant("i32", bits), kept), "ashr")
    field = b.select(b.compare("uge", at, bits), b.ashr(a, bits - 1), field)
    low.write(i.operands[0], b.select(b.compare("eq", length, 0), 0, field))


@meaning("bfi", modifiers="b32 b64")
def bfi(low: Lowering, i: Instruction) -> None:
    b, a, into = low.b, low.read(i.operands[1], i.type), low.read(i.operands[2], i.type)
    at, length = field_bounds(low, i, 3, BITS[a.type])
    ones = b.invert(shifted(b, constant(a.type, -1), length, "shl"))
    mask = shifted(b, ones, at, "shl")
    low.write(i.operands[0], b.either(b.both(shifted(b, a, at, "shl"), mask), b.both(into, b.invert(mask))))


@meaning("bmsk", modifiers="clamp wrap b32")
def bmsk(low: Lowering, i: Instruction) -> None:
    b, (at, length) = low.b, operands(low, i)
    if i.has("wrap"):
        at, length = b.both(at, 31), b.both(length, 31)
    else:
        at, length = b.call("umin", at, 32), b.call("umin", length, 32)
    ones = b.invert(shifted(b, constant("i32", -1), length, "shl"))
    low.write(i.operands[0], shifted(b, ones, at, "shl"))


@meaning("popc", "clz", "brev", modifiers="b32 b64")
def counts(low: Lowering, i: Instruction) -> None:
    (a,) = operands(low, i)
    if i.opcode == "brev":
        low.write(i.operands[0], low.b.call("bitreverse", a))
        return
    result = low.b.call("ctpop", a) if i.opcode == "popc" else low.b.call("ctlz", a, flags=(False,))
    low.write(i.operands[0], low.b.resize(result, "i32"))


@meaning("bfind", modifiers="shiftamt u32 s32 u64 s64")
def bfind(low: Lowering, i: Instruction) -> None:
    """Position of the highest bit that is not the sign's, or how far it is from the top; none: all ones."""
    b, (a,) = low.b, operands(low, i)
    if signed(i.type):
        a = b.xor(a, b.ashr(a, BITS[a.type] - 1))
    zeros = b.call("ctlz", a, flags=(False,))
    place = zeros if i.has("shiftamt") else b.sub(constant(a.type, BITS[a.type] - 1), zeros)
    low.write(i.operands[0], b.resize(b.select(b.compare("eq", a, 0), -1, place), "i32"))


@meaning("prmt", modifiers="b32 f4e b4e rc8 ecl ecr rc16")
def prmt(low: Lowering, i: Instruction) -> None:
    """Four bytes chosen from the eight of {b, a}; a selector's top bit repeats the chosen byte's sign."""
    b, (a, c, selector) = low.b, [low.read(each, "b32") for each in i.operands[1:]]
    both = b.either(b.shl(b.resize(c, "i64"), 32), b.resize(a, "i64"))
    result = constant("i32", 0)
    mode = i.modifiers[-1] if i.modifiers[-1] != "b32" else ""
    for k in range(4):
        if mode == "":
            nibble = b.both(b.lshr(selector, 4 * k), 15)
            pick = b.both(nibble, 7)
        else:
            s = b.both(selector, 3)
            low3 = {"f4e": lambda: b.add(s, k), "b4e": lambda: b.both(b.add(b.sub(s, k), 8), 7), "rc8": lambda: s,
                    "ecl": lambda: b.call("umax", s, k), "ecr": lambda: b.call("umin", s, k),
                    "rc16": lambda: b.add(b.shl(b.both(s, 1), 1), k & 1)}
            nibble = pick = low3[mode]()
        byte = b.resize(b.both(b.lshr(both, b.resize(b.shl(pick, 3), "i64")), 255), "i32")
        sign = b.both(b.sub(constant("i32", 0), b.lshr(byte, 7)), 255)
        if mode == "":
            byte = b.select(b.compare("ugt", nibble, 7), sign, byte)
        result = b.either(result, b.shl(byte, 8 * k))
    low.write(i.operands[0], result)


@meaning("szext", modifiers="clamp wrap u32 s32")
def szext(low: Lowering, i: Instruction) -> None:
    """The lowest bits of a, filled up with zeros or with the sign."""
    b, (a, length) = low.b, operands(low, i, "b32")
    length = b.both(length, 31) if i.has("wrap") else b.call("umin", length, 32)
    by = b.sub(constant("i32", 32), length)
    up = shifted(b, a, by, "shl")
    result = shifted(b, up, by, "ashr" if signed(i.type) else "lshr")
    low.write(i.operands[0], b.select(b.compare("eq", length, 0), 0, result))
