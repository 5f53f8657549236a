"""Each instruction against a definition in Python: on vectors, with the analysis, and on scalars."""

import math
import struct
from fractions import Fraction

import ml_dtypes
import numpy as np
import pytest

from tests.ptx.harness import NUMPY, WAYS, run

RNG = np.random.default_rng(17)


def pool(type, seed):
    """32 values of a type, with those at which things go wrong."""
    rng = np.random.default_rng(seed)
    dtype = np.dtype(NUMPY[type])
    if type == "pred":
        return rng.integers(0, 2, 32).astype(dtype)
    if dtype.kind == "f":
        tiny, huge = np.finfo(dtype).smallest_subnormal, np.finfo(dtype).max
        edges = [0.0, -0.0, 1.0, -1.0, 0.5, 1.5, 2.5, -2.5, np.inf, -np.inf, np.nan, tiny, -tiny, huge, -huge, 1e-40,
                 3e9]
        values = np.concatenate([edges, rng.normal(size=10) * 3, rng.normal(size=5) * 1e6]).astype(dtype)
    else:
        info = np.iinfo(dtype)
        edges = [0, 1, 2, 3, 7, info.max, info.max - 1, info.min, info.min + 1, 31, 32, 33]
        values = np.concatenate([np.array(edges, dtype), rng.integers(info.min, info.max, 20, dtype, endpoint=True)])
    return rng.permutation(values)


def wrap(value, type):
    """A whole number as the type holds it."""
    bits = 8 * np.dtype(NUMPY[type]).itemsize
    value &= (1 << bits) - 1
    return value - (1 << bits) if type[0] == "s" and value >> bits - 1 else value


def bits_of(value, type):
    return int(value) & (1 << 8 * np.dtype(NUMPY[type]).itemsize) - 1


def f32(value):
    with np.errstate(all="ignore"):
        return np.float32(value)


def rounded(exact, mode, dtype=np.float32):
    """An exact number (Fraction) in a direction."""
    with np.errstate(all="ignore"):
        near = dtype(float(exact)) if abs(exact) < Fraction(2) ** 1000 else dtype(math.copysign(math.inf, exact))
    if dtype is np.float32:  # float() has rounded before: the candidates around
        candidates = [np.nextafter(near, dtype(-np.inf)), near, np.nextafter(near, dtype(np.inf))]
    else:
        candidates = [near]
    finite = [each for each in candidates if np.isfinite(each)]
    down = max((each for each in finite if Fraction(float(each)) <= exact), default=dtype(-np.inf))
    up = min((each for each in finite if Fraction(float(each)) >= exact), default=dtype(np.inf))
    return {"rm": down, "rp": up, "rz": down if exact > 0 else up}[mode]


def directed(operation, mode):
    """A float32 operation by exact numbers, where all operands are finite and the result is not 0."""
    def compute(*values):
        if not all(np.isfinite(each) for each in values):
            return None
        try:
            exact = operation(*(Fraction(float(each)) for each in values))
        except (ZeroDivisionError, ValueError):
            return None
        return rounded(exact, mode) if exact else None
    return compute


def fma(a, b, c):
    if not all(map(np.isfinite, (a, b, c))):
        with np.errstate(all="ignore"):
            return f32(np.float64(a) * np.float64(b) + np.float64(c))
    exact = Fraction(float(a)) * Fraction(float(b)) + Fraction(float(c))
    if exact == 0:
        return None  # the sign of 0 is another rule
    low, high = rounded(exact, "rm"), rounded(exact, "rp")
    if np.isinf(low) or np.isinf(high):
        return None
    nearer = exact - Fraction(float(low)), Fraction(float(high)) - exact
    if nearer[0] == nearer[1]:
        return low if int(low.view(np.uint32)) % 2 == 0 else high
    return low if nearer[0] < nearer[1] else high


def quotient(a, b, type):
    if b == 0:
        return None  # open in PTX
    return wrap(int(abs(a) // abs(b)) * (1 if (a < 0) == (b < 0) else -1), type)


def remainder(a, b, type):
    return None if b == 0 else wrap(a - b * int(abs(a) // abs(b)) * (1 if (a < 0) == (b < 0) else -1), type)


def bfe(a, at, length, type):
    bits = 8 * np.dtype(NUMPY[type]).itemsize
    at, length, value = at & 255, length & 255, bits_of(a, type)
    if length == 0:
        return 0
    sign = value >> min(at + length - 1, bits - 1) & 1 if type[0] == "s" else 0
    out = 0
    for k in range(bits):
        out |= (value >> at + k & 1 if k < length and at + k < bits else sign) << k
    return wrap(out, type)


def bfi(a, b, at, length, bits):
    at, length = at & 255, length & 255
    for k in range(length):
        if at + k < bits:
            b = b & ~(1 << at + k) | (a >> k & 1) << at + k
    return b


def prmt(a, b, selector):
    eight = struct.pack("<II", a, b)
    out = 0
    for k in range(4):
        nibble = selector >> 4 * k & 15
        byte = eight[nibble & 7]
        out |= (byte if nibble < 8 else 255 * (byte >> 7)) << 8 * k
    return out


def number_min(a, b, largest=False, nan=False):
    if np.isnan(a) or np.isnan(b):
        return np.nan if nan or (np.isnan(a) and np.isnan(b)) else b if np.isnan(a) else a
    if a == b == 0:
        return a if np.signbit(a) != largest else b
    return max(a, b) if largest else min(a, b)


def to_integer(value, type, rounding):
    if np.isnan(value):
        return wrap(1 << 63, type) if type.endswith("64") else None
    bits = int(type[1:])
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if type[0] == "s" else (0, (1 << bits) - 1)
    if np.isinf(value):
        return high if value > 0 else low
    whole = {"rzi": math.trunc, "rni": round, "rmi": math.floor, "rpi": math.ceil}[rounding](float(value))
    return min(max(whole, low), high)


def half(bits):
    return np.uint16(bits).view(np.float16)


def bf16(bits):
    return np.uint32(int(bits) << 16).view(np.float32)


def to_bf16(value):
    if np.isnan(value):
        return 0x7FFF
    bits = int(np.float32(value).view(np.uint32))
    return bits + 0x7FFF + (bits >> 16 & 1) >> 16


def packed_halves(operation):
    def compute(*values):
        with np.errstate(all="ignore"):
            parts = [np.float16(operation(*(half(int(each) >> shift & 0xFFFF) for each in values))) for shift in (0,
                                                                                                                  16)]
        if any(map(np.isnan, parts)):
            return None
        low, high = (int(part.view(np.uint16)) for part in parts)
        return low | high << 16
    return compute


def packed_floats(operation):
    def compute(*values):
        with np.errstate(all="ignore"):
            parts = [operation(*(np.uint32(int(each) >> shift & U).view(np.float32) for each in values))
                     for shift in (0, 32)]
        if any(part is None or np.isnan(part) for part in parts):
            return None
        low, high = (int(f32(part).view(np.uint32)) for part in parts)
        return low | high << 32
    return compute


FLOAT8 = {"e4m3": (ml_dtypes.float8_e4m3fn, 448), "e5m2": (ml_dtypes.float8_e5m2, 57344)}


def byte(value, name):
    """The bits of a number of 8, within the largest."""
    dtype, largest = FLOAT8[name]
    if np.isnan(value):
        return 0x7F
    return int(np.clip(np.float32(value), -largest, largest).astype(dtype).view(np.uint8))


def halves_of_bytes(bits, name):
    parts = [np.uint8(bits >> shift & 0xFF).view(FLOAT8[name][0]).astype(np.float16) for shift in (0, 8)]
    return None if any(map(np.isnan, parts)) else int(parts[0].view(np.uint16)) | int(parts[1].view(np.uint16)) << 16


def exactly(operation, mode):
    """A float64 operation by exact numbers, in a direction."""
    def compute(*values):
        if not all(map(np.isfinite, values)):
            return None
        try:
            exact = operation(*(Fraction(float(each)) for each in values))
        except ZeroDivisionError:
            return None
        return directed_double(exact, mode) if exact else None
    return compute


def directed_double(exact, mode):
    near = np.float64(exact.numerator / exact.denominator) if abs(exact) < Fraction(2) ** 1023 else None
    if near is None or abs(exact) < Fraction(2) ** -1000:
        return None
    around = [np.nextafter(near, -np.inf), near, np.nextafter(near, np.inf)]
    down = max(each for each in around if Fraction(float(each)) <= exact)
    up = min(each for each in around if Fraction(float(each)) >= exact)
    return {"rm": down, "rp": up, "rz": down if exact > 0 else up}[mode]


def root_below(value):
    """The largest double whose square is not larger."""
    if not value > 0 or np.isinf(value) or value < 1e-290 or value > 1e290:
        return None
    root = np.sqrt(value)
    return root if Fraction(float(root)) ** 2 <= Fraction(float(value)) else np.nextafter(root, 0)


U = (1 << 32) - 1
ftz = lambda x: np.copysign(f32(0), x) if abs(x) < np.finfo(np.float32).tiny else x  # noqa: E731
sat = lambda x: f32(0) if not x > 0 else min(x, f32(1))  # noqa: E731

# Instruction, types of the result and of the operands, what it is. None: not told here.
CASES = [
    *((f"{op}.{t} {{d}}, {{a}}, {{b}}", f"{t} {t} {t}", lambda a, b, t=t, f=f: wrap(f(int(a), int(b)), t))
      for t in ("s16", "u16", "s32", "u32", "s64", "u64")
      for op, f in (("add", int.__add__), ("sub", int.__sub__), ("mul.lo", int.__mul__), ("min", min), ("max", max))),
    *((f"mul.hi.{t} {{d}}, {{a}}, {{b}}", f"{t} {t} {t}",
       lambda a, b, t=t: wrap(int(a) * int(b) >> int(t[1:]), t)) for t in ("s16", "s32", "u32", "s64", "u64")),
    *((f"mul.wide.{t} {{d}}, {{a}}, {{b}}", f"{w} {t} {t}", lambda a, b, w=w: wrap(int(a) * int(b), w))
      for t, w in (("s16", "s32"), ("u16", "u32"), ("s32", "s64"), ("u32", "u64"))),
    ("mad.lo.s32 {d}, {a}, {b}, {c}", "s32 s32 s32 s32", lambda a, b, c: wrap(int(a) * int(b) + int(c), "s32")),
    ("mad.wide.u32 {d}, {a}, {b}, {c}", "u64 u32 u32 u64", lambda a, b, c: wrap(int(a) * int(b) + int(c), "u64")),
    ("mad.hi.s32 {d}, {a}, {b}, {c}", "s32 s32 s32 s32", lambda a, b, c: wrap((int(a) * int(b) >> 32) + int(c), "s32")),
    ("add.sat.s32 {d}, {a}, {b}", "s32 s32 s32", lambda a, b: min(max(int(a) + int(b), -(1 << 31)), (1 << 31) - 1)),
    *((f"div.{t} {{d}}, {{a}}, {{b}}", f"{t} {t} {t}", lambda a, b, t=t: quotient(int(a), int(b), t))
      for t in ("s16", "s32", "u32", "s64", "u64")),
    *((f"rem.{t} {{d}}, {{a}}, {{b}}", f"{t} {t} {t}", lambda a, b, t=t: remainder(int(a), int(b), t))
      for t in ("u16", "s32", "u32", "s64", "u64")),
    ("abs.s32 {d}, {a}", "s32 s32", lambda a: wrap(abs(int(a)), "s32")),
    ("neg.s64 {d}, {a}", "s64 s64", lambda a: wrap(-int(a), "s64")),
    ("sad.s32 {d}, {a}, {b}, {c}", "s32 s32 s32 s32", lambda a, b, c: wrap(abs(int(a) - int(b)) + int(c), "s32")),
    ("mul24.lo.u32 {d}, {a}, {b}", "u32 u32 u32", lambda a, b: wrap((int(a) & 0xFFFFFF) * (int(b) & 0xFFFFFF), "u32")),
    ("add.cc.u32 {d}, {a}, {b}; addc.u32 {d}, {a}, {c}", "u32 u32 u32 u32",
     lambda a, b, c: wrap(int(a) + int(c) + (int(a) + int(b) > U), "u32")),
    ("sub.cc.u32 {d}, {a}, {b}; subc.u32 {d}, {a}, {c}", "u32 u32 u32 u32",
     lambda a, b, c: wrap(int(a) - int(c) - (int(a) < int(b)), "u32")),
    ("dp4a.s32.s32 {d}, {a}, {b}, {c}", "s32 b32 b32 s32", lambda a, b, c: wrap(int(c) + sum(
        x * y for x, y in zip(struct.unpack("4b", struct.pack("I", a)), struct.unpack("4b", struct.pack("I", b)),
                              strict=True)), "s32")),
    *((f"{op}.b{bits} {{d}}, {{a}}, {{b}}", f"b{bits} b{bits} b{bits}", lambda a, b, f=f: f(int(a), int(b)))
      for bits in (16, 32, 64) for op, f in (("and", int.__and__), ("or", int.__or__), ("xor", int.__xor__))),
    ("not.b32 {d}, {a}", "b32 b32", lambda a: int(a) ^ U),
    ("cnot.b32 {d}, {a}", "b32 b32", lambda a: int(a == 0)),
    ("lop3.b32 {d}, {a}, {b}, {c}, 0x96", "b32 b32 b32 b32", lambda a, b, c: int(a) ^ int(b) ^ int(c)),
    ("lop3.b32 {d}, {a}, {b}, {c}, 0xCA", "b32 b32 b32 b32", lambda a, b, c: int(a) & int(b) | ~int(a) & U & int(c)),
    *((f"shl.b{bits} {{d}}, {{a}}, {{b}}", f"b{bits} b{bits} u32",
       lambda a, b, bits=bits: 0 if b >= bits else int(a) << int(b) & (1 << bits) - 1) for bits in (16, 32, 64)),
    *((f"shr.{t} {{d}}, {{a}}, {{b}}", f"{t} {t} u32", lambda a, b, t=t: int(a) >> min(int(b), 100))
      for t in ("s16", "s32", "u32", "s64", "u64")),
    ("shf.l.wrap.b32 {d}, {a}, {b}, {c}", "b32 b32 b32 u32",
     lambda a, b, c: (((int(b) << 32 | int(a)) << (int(c) & 31)) >> 32) & U),
    ("shf.r.clamp.b32 {d}, {a}, {b}, {c}", "b32 b32 b32 u32",
     lambda a, b, c: ((int(b) << 32 | int(a)) >> min(int(c), 32)) & U),
    *((f"bfe.{t} {{d}}, {{a}}, {{b}}, {{c}}", f"{t} {t} u32 u32", lambda a, b, c, t=t: bfe(a, int(b), int(c), t))
      for t in ("u32", "s32", "u64", "s64")),
    *((f"bfe.{t} {{d}}, {{a}}, {at}, {length}", f"{t} {t}", lambda a, t=t, at=at, n=length: bfe(a, at, n, t))
      for t in ("u32", "s32") for at, length in ((4, 8), (28, 8), (0, 32), (31, 1), (40, 3))),
    ("bfi.b32 {d}, {a}, {b}, {c}, 5", "b32 b32 b32 u32", lambda a, b, c: bfi(int(a), int(b), int(c), 5, 32)),
    ("bfi.b64 {d}, {a}, {b}, 16, {c}", "b64 b64 b64 u32", lambda a, b, c: bfi(int(a), int(b), 16, int(c), 64)),
    ("popc.b64 {d}, {a}", "u32 b64", lambda a: int(a).bit_count()),
    ("clz.b32 {d}, {a}", "u32 b32", lambda a: 32 - int(a).bit_length()),
    ("brev.b32 {d}, {a}", "b32 b32", lambda a: int(f"{int(a):032b}"[::-1], 2)),
    ("bfind.u32 {d}, {a}", "u32 u32", lambda a: int(a).bit_length() - 1 & U),
    ("bfind.shiftamt.s32 {d}, {a}", "u32 s32",
     lambda a: 31 - ((int(a) ^ int(a) >> 31).bit_length() - 1) & U if int(a) not in (0, -1) else U),
    ("prmt.b32 {d}, {a}, {b}, {c}", "b32 b32 b32 b32", lambda a, b, c: prmt(int(a), int(b), int(c))),
    ("prmt.b32.rc8 {d}, {a}, {b}, {c}", "b32 b32 b32 b32",
     lambda a, b, c: struct.pack("I", a)[int(c) & 3] * 0x01010101),
    ("szext.clamp.s32 {d}, {a}, {b}", "s32 s32 u32", lambda a, b: 0 if b == 0 else bfe(a, 0, min(int(b), 32), "s32")),
    ("bmsk.clamp.b32 {d}, {a}, {b}", "b32 u32 u32",
     lambda a, b: ((1 << min(int(b), 32)) - 1) << min(int(a), 32) & U),
    # float32
    ("add.f32 {d}, {a}, {b}", "f32 f32 f32", lambda a, b: f32(a + b)),
    ("sub.ftz.f32 {d}, {a}, {b}", "f32 f32 f32", lambda a, b: ftz(ftz(a) - ftz(b))),
    ("mul.sat.f32 {d}, {a}, {b}", "f32 f32 f32", lambda a, b: sat(a * b)),
    ("div.rn.f32 {d}, {a}, {b}", "f32 f32 f32", lambda a, b: np.divide(a, b)),
    ("sqrt.rn.f32 {d}, {a}", "f32 f32", np.sqrt),
    ("rcp.rn.f32 {d}, {a}", "f32 f32", lambda a: np.divide(f32(1), a)),
    ("fma.rn.f32 {d}, {a}, {b}, {c}", "f32 f32 f32 f32", fma),
    *((f"{op}.{mode}.f32 {{d}}, {{a}}, {{b}}", "f32 f32 f32", directed(f, mode)) for mode in ("rz", "rm", "rp")
      for op, f in (("add", Fraction.__add__), ("mul", Fraction.__mul__), ("div", Fraction.__truediv__))),
    *((f"fma.{mode}.f32 {{d}}, {{a}}, {{b}}, {{c}}", "f32 f32 f32 f32", directed(lambda a, b, c: a * b + c, mode))
      for mode in ("rz", "rm", "rp")),
    *((f"{op}.{mode}.f64 {{d}}, {{a}}, {{b}}", "f64 f64 f64", exactly(f, mode)) for mode in ("rz", "rm", "rp")
      for op, f in (("add", Fraction.__add__), ("sub", Fraction.__sub__), ("mul", Fraction.__mul__),
                    ("div", Fraction.__truediv__))),
    *((f"fma.{mode}.f64 {{d}}, {{a}}, {{b}}, {{c}}", "f64 f64 f64 f64", exactly(lambda a, b, c: a * b + c, mode))
      for mode in ("rz", "rm", "rp")),
    ("rcp.rp.f64 {d}, {a}", "f64 f64", exactly(lambda a: 1 / a, "rp")),
    ("sqrt.rm.f64 {d}, {a}", "f64 f64", lambda a: root_below(a)),
    ("neg.f32 {d}, {a}", "f32 f32", lambda a: -a),
    ("abs.f64 {d}, {a}", "f64 f64", abs),
    ("min.f32 {d}, {a}, {b}", "f32 f32 f32", number_min),
    ("max.f32 {d}, {a}, {b}", "f32 f32 f32", lambda a, b: number_min(a, b, largest=True)),
    ("max.NaN.f32 {d}, {a}, {b}", "f32 f32 f32", lambda a, b: number_min(a, b, largest=True, nan=True)),
    ("min.f64 {d}, {a}, {b}", "f64 f64 f64", number_min),
    ("copysign.f32 {d}, {a}, {b}", "f32 f32 f32", lambda a, b: np.copysign(b, a)),
    ("fma.rn.f64 {d}, {a}, {b}, 0d3FF0000000000000", "f64 f64 f64",
     lambda a, b: float(Fraction(float(a)) * Fraction(float(b)) + 1) if np.isfinite(a) and np.isfinite(b)
     and abs(a) < 1e100 and abs(b) < 1e100 else None),
    ("testp.subnormal.f32 {d}, {a}", "pred f32", lambda a: int(0 < abs(a) < np.finfo(np.float32).tiny)),
    ("testp.finite.f32 {d}, {a}", "pred f32", lambda a: int(np.isfinite(a))),
    # comparisons and selections
    *((f"setp.{name}.{t} {{d}}, {{a}}, {{b}}", f"pred {t} {t}", lambda a, b, f=f: int(f(a, b)))
      for t in ("s32", "u64", "f32") for name, f in (("lt", np.less), ("ge", np.greater_equal), ("eq", np.equal))),
    ("setp.ltu.f32 {d}, {a}, {b}", "pred f32 f32", lambda a, b: int(not a >= b)),
    ("setp.neu.f64 {d}, {a}, {b}", "pred f64 f64", lambda a, b: int(not a == b)),
    ("setp.ne.f32 {d}, {a}, {b}", "pred f32 f32", lambda a, b: int(a < b or a > b)),
    ("setp.nan.f32 {d}, {a}, {b}", "pred f32 f32", lambda a, b: int(np.isnan(a) or np.isnan(b))),
    ("setp.hi.u32 {d}, {a}, {b}", "pred u32 u32", lambda a, b: int(a > b)),
    ("setp.lt.and.s32 {d}|{e}, {a}, {b}, {c}", "pred|pred s32 s32 pred", lambda a, b, c: (
        int(a < b and c), int(a >= b and c))),
    ("set.gt.u32.s32 {d}, {a}, {b}", "u32 s32 s32", lambda a, b: U if a > b else 0),
    ("selp.b32 {d}, {a}, {b}, {c}", "b32 b32 b32 pred", lambda a, b, c: a if c else b),
    ("slct.s32.f32 {d}, {a}, {b}, {c}", "s32 s32 s32 f32", lambda a, b, c: a if c >= 0 else b),
    # conversions
    *((f"cvt.{to}.{frm} {{d}}, {{a}}", f"{to} {frm}", lambda a, to=to: wrap(int(a), to))
      for to, frm in (("s64", "s32"), ("u64", "u32"), ("u32", "u64"), ("s32", "s8"), ("u16", "u8"), ("s16", "s32"),
                      ("u32", "s16"))),
    ("cvt.sat.u8.s32 {d}, {a}", "u8 s32", lambda a: min(max(int(a), 0), 255)),
    ("cvt.sat.s32.u32 {d}, {a}", "s32 u32", lambda a: min(int(a), (1 << 31) - 1)),
    ("cvt.sat.u32.s64 {d}, {a}", "u32 s64", lambda a: min(max(int(a), 0), U)),
    *((f"cvt.{mode}.{to}.{frm} {{d}}, {{a}}", f"{to} {frm}", lambda a, to=to, mode=mode: to_integer(a, to, mode))
      for to, frm in (("s32", "f32"), ("u32", "f32"), ("s64", "f64"), ("u64", "f32"), ("s16", "f32"))
      for mode in ("rzi", "rni", "rmi", "rpi")),
    ("cvt.rn.f32.s32 {d}, {a}", "f32 s32", lambda a: f32(float(a))),
    ("cvt.rz.f32.u32 {d}, {a}", "f32 u32", lambda a: rounded(Fraction(int(a)), "rz") if a else 0.0),
    ("cvt.rn.f64.s64 {d}, {a}", "f64 s64", float),
    ("cvt.rm.f64.s64 {d}, {a}", "f64 s64", lambda a: directed_double(Fraction(int(a)), "rm") if a else 0.0),
    ("cvt.rp.f32.u64 {d}, {a}", "f32 u64", lambda a: rounded(Fraction(int(a)), "rp") if a else 0.0),
    *((f"cvt.{mode}.f32.s64 {{d}}, {{a}}", "f32 s64",
       lambda a, mode=mode: rounded(Fraction(int(a)), mode) if a else 0.0) for mode in ("rz", "rm", "rp")),
    ("cvt.rn.f32.f64 {d}, {a}", "f32 f64", f32),
    ("cvt.rm.f32.f64 {d}, {a}", "f32 f64", lambda a: rounded(Fraction(float(a)), "rm") if np.isfinite(a) and a
     else None),
    ("cvt.f64.f32 {d}, {a}", "f64 f32", float),
    ("cvt.rni.f32.f32 {d}, {a}", "f32 f32", np.rint),
    ("cvt.sat.f32.f32 {d}, {a}", "f32 f32", sat),
    ("cvt.rn.f16.f32 {d}, {a}", "b16 f32", lambda a: None if np.isnan(a) else int(np.float16(a).view(np.uint16))),
    ("cvt.f32.f16 {d}, {a}", "f32 b16", lambda a: np.float32(half(a))),
    ("cvt.rn.bf16.f32 {d}, {a}", "b16 f32", to_bf16),
    ("cvt.f32.bf16 {d}, {a}", "f32 b16", bf16),
    ("cvt.rn.f16x2.f32 {d}, {a}, {b}", "b32 f32 f32", lambda a, b: None if np.isnan(a) or np.isnan(b) else
     int(np.float16(a).view(np.uint16)) << 16 | int(np.float16(b).view(np.uint16))),
    ("cvt.rna.tf32.f32 {d}, {a}", "b32 f32",
     lambda a: None if np.isnan(a) else int(a.view(np.uint32)) + 0x1000 & ~0x1FFF),
    *((f"cvt.rn.satfinite.{name}x2.f32 {{d}}, {{a}}, {{b}}", "b16 f32 f32",
       lambda a, b, name=name: byte(a, name) << 8 | byte(b, name)) for name in FLOAT8),
    *((f"cvt.rn.f16x2.{name}x2 {{d}}, {{a}}", "b32 b16", lambda a, name=name: halves_of_bytes(int(a), name))
      for name in FLOAT8),
    ("cvt.rn.satfinite.relu.e4m3x2.f16x2 {d}, {a}", "b16 b32",
     lambda a: byte(np.maximum(half(a >> 16), np.float16(0)), "e4m3") << 8
     | byte(np.maximum(half(a & 0xFFFF), np.float16(0)), "e4m3")),
    # halves
    *((f"{op}.f16x2 {{d}}, {{a}}, {{b}}", "b32 b32 b32", packed_halves(f))
      for op, f in (("add", np.add), ("mul", np.multiply), ("sub", np.subtract))),
    ("fma.rn.f16x2 {d}, {a}, {b}, {c}", "b32 b32 b32 b32",
     packed_halves(lambda a, b, c: np.float64(a) * np.float64(b) + np.float64(c))),
    ("add.bf16 {d}, {a}, {b}", "b16 b16 b16", lambda a, b: to_bf16(bf16(a) + bf16(b))),
    ("neg.f16 {d}, {a}", "b16 b16", lambda a: int(a) ^ 0x8000),
    ("setp.lt.f16 {d}, {a}, {b}", "pred b16 b16", lambda a, b: int(half(a) < half(b))),
    # float32, two to a register
    *((f"{op}.f32x2 {{d}}, {{a}}, {{b}}", "b64 b64 b64", packed_floats(f))
      for op, f in (("add.rn", np.add), ("mul.rn", np.multiply), ("sub.rn", np.subtract))),
    ("fma.rn.f32x2 {d}, {a}, {b}, {c}", "b64 b64 b64 b64", packed_floats(fma)),
    ("fma.rn.ftz.f32x2 {d}, {a}, {b}, {c}", "b64 b64 b64 b64", packed_floats(
        lambda *values: None if (found := fma(*map(ftz, values))) is None else ftz(found))),
    # pieces
    ("{{ .reg .b32 lo, hi; mov.b64 {{lo, hi}}, {a}; mov.b64 {d}, {{hi, lo}}; }}", "b64 b64",
     lambda a: int(a) >> 32 | (int(a) & U) << 32),
    ("mov.b32 {d}, 0f40490FDB", "b32 b32", lambda a: 0x40490FDB),
]

# Within one unit in the last place of the exact value.
APPROXIMATE = [
    ("ex2.approx.f32 {d}, {a}", "f32 f32", lambda a: np.exp2(np.float64(a))),
    ("ex2.approx.ftz.f32 {d}, {a}", "f32 f32", lambda a: np.exp2(np.float64(ftz(a)))),
    ("lg2.approx.f32 {d}, {a}", "f32 f32", lambda a: np.log2(np.float64(a))),
    ("rsqrt.approx.f32 {d}, {a}", "f32 f32", lambda a: 1 / np.sqrt(np.float64(a))),
    ("sin.approx.f32 {d}, {a}", "f32 f32", lambda a: np.sin(np.float64(a))),
    ("tanh.approx.f32 {d}, {a}", "f32 f32", lambda a: np.tanh(np.float64(a))),
]

ALL = CASES + APPROXIMATE


def columns_of(cases):
    return [pool(type, 100 * number + place) for number, (_, types, _) in enumerate(cases)
            for place, type in enumerate(types.split()[1:])]


@pytest.fixture(scope="module", params=WAYS)
def results(request):
    found = run([case[:2] for case in ALL], columns_of(ALL), request.param)
    by_case, at = [], 0
    for _, types, _ in ALL:
        count = len(types.split()[0].split("|"))
        by_case.append(found[at:at + count])
        at += count
    return by_case


def same(got, want):
    if isinstance(got, np.floating):
        with np.errstate(all="ignore"):
            want = got.dtype.type(want)
        return np.isnan(got) and np.isnan(want) or got == want and np.signbit(got) == np.signbit(want)
    return int(got) == int(want) & (1 << 8 * got.itemsize) - 1 or int(got) == int(want)


@pytest.mark.parametrize("number", range(len(ALL)), ids=[case[0].replace("{", "").replace("}", "") for case in ALL])
def test_instruction(results, number):
    _, types, define = ALL[number]
    places = range(len(types.split()) - 1)
    operands = [pool(type, 100 * number + place) for place, type in zip(places, types.split()[1:], strict=True)]
    with np.errstate(all="ignore"):
        for lane, values in enumerate(zip(*operands, strict=True)):
            want = define(*values)
            for got, expected in zip(results[number], want if isinstance(want, tuple) else (want,), strict=False):
                if expected is None:
                    continue
                if number >= len(CASES) and np.isfinite(expected):
                    near = f32(expected)
                    if "ftz" in ALL[number][0]:
                        near = ftz(near)
                    assert abs(float(got[lane]) - float(near)) <= max(np.spacing(abs(near)), 0), (lane, values,
                                                                                                  got[lane])
                else:
                    assert same(got[lane], expected), (lane, values, got[lane], expected)
