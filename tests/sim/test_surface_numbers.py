"""CUDA's number functions and types as a kernel finds them, by tables: expression, and what it must be."""

import math
import struct

import ml_dtypes
import numpy as np
import pytest

import gpunet.sim.cupy as xp
from gpunet import sim

f32, f64, bf16, f16 = np.float32, np.float64, ml_dtypes.bfloat16, np.float16
INF, NAN = math.inf, math.nan


def values_of(expressions, dtype, c_type, *parameters, prelude=""):
    """Each expression's value, computed by one thread. `parameters`: (C++ declaration, NumPy value)."""
    declared = "".join(f", {declaration}" for declaration, _ in parameters)
    lines = "".join(f"    out[{i}] = ({expression});\n" for i, expression in enumerate(expressions))
    code = (f"#include <cuda_fp16.h>\n#include <cuda_bf16.h>\n{prelude}\n"
            f"__global__ void table({c_type}* out{declared}) {{\n{lines}}}\n")
    out = xp.empty(len(expressions), dtype)
    sim.Module(code=code).get_function("table")((1,), (1,), (out, *(value for _, value in parameters)))
    return out.get()


def check(table, dtype, c_type, *parameters, rtol=0.0, prelude=""):
    got = values_of([expression for expression, _ in table], dtype, c_type, *parameters, prelude=prelude)
    for (expression, want), value in zip(table, got, strict=True):
        want = np.asarray(want).astype(dtype)
        same = np.isnan(value) if np.isnan(want) else value == want and np.signbit(value) == np.signbit(want)
        assert same or (rtol and np.isclose(value, want, rtol=rtol, atol=0)), f"{expression} is {value}, not {want}"


def float_of(bits):
    return struct.unpack("f", struct.pack("I", bits))[0]


def test_integers():
    check([
        ("__popc(0xf0f0u)", 8), ("__popcll(~0ull)", 64), ("__clz(1)", 31), ("__clz(0)", 32), ("__clzll(1ll)", 63),
        ("__ffs(0)", 0), ("__ffs(8)", 4), ("__ffsll(1ll << 40)", 41), ("__brev(1u) == 0x80000000u", 1),
        ("__brevll(1ull) == 1ull << 63", 1), ("__byte_perm(0x44332211, 0x88776655, 0x7531) == 0x88664422", 1),
        ("__byte_perm(0x000080ff, 0, 0xbb98) == 0x0000ffff", 1), ("__fns(0xf0u, 0, 2)", 5), ("__fns(0xf0u, 7, -2)", 6),
        ("__fns(0xf0u, 0, 9) == ~0u", 1),
        ("__funnelshift_l(0x80000000u, 1u, 33)", 3), ("__funnelshift_lc(7u, 1u, 40)", 7),
        ("__funnelshift_r(2u, 1u, 1) == 0x80000001u", 1), ("__funnelshift_rc(2u, 9u, 32)", 9),
        ("__mulhi(-1, 2)", -1), ("__umulhi(0x80000000u, 6u)", 3), ("__mul64hi(-1ll, 2ll)", -1),
        ("__umul64hi(1ull << 63, 6ull)", 3), ("__mul24(0x7fffff, 2)", 0xfffffe), ("__umul24(0xff000003u, 4u)", 12),
        ("__sad(-3, 4, 10u)", 17), ("__usad(3u, 4u, 10u)", 11), ("__hadd(-3, 2)", -1), ("__rhadd(-3, 2)", 0),
        ("__uhadd(~0u, ~0u) == ~0u", 1), ("__urhadd(1u, 2u)", 2),
        ("__dp4a(0x01ff02fe, 0x02020202, 5)", 5 + 2 * (1 - 1 + 2 - 2)), ("__dp4a(0x01ff02feu, 0x01010101u, 0u)", 512),
        ("__dp4a(make_char4(1, 2, 3, -4), make_char4(5, 6, 7, 8), 1)", 7),
        ("__dp2a_lo(0x00030002, 0x00000405, 1)", 23), ("__dp2a_hi(0x0003ffff, 0x04050000, 1)", 8),
        ("min(-1, 2)", -1), ("min(3u, 2)", 2), ("max(3ll, 7ll)", 7), ("umax(3, 7)", 7), ("llmin(-5, 2)", -5),
        ("abs(-3)", 3),
    ], np.int32, "int")  # fmt: skip


def test_small_numbers_in_a_word():
    a = np.array([0x7f80ff01, 0x80007fff, 0x12fe34dc], np.uint32)
    b = np.array([0x01ff8002, 0xffff0001, 0x13fd35dc], np.uint32)
    rows = []
    for suffix, signed, unsigned in (("2", np.int16, np.uint16), ("4", np.int8, np.uint8)):
        bits = np.iinfo(signed).bits

        def clip(x, dtype):
            info = np.iinfo(dtype)
            return np.clip(x, info.min, info.max)
        s = [v.view(signed).astype(int) for v in (a, b)]
        u = [v.view(unsigned).astype(int) for v in (a, b)]
        table = {
            "vadd": u[0] + u[1], "vsub": u[0] - u[1], "vaddss": clip(s[0] + s[1], signed),
            "vaddus": clip(u[0] + u[1], unsigned), "vsubss": clip(s[0] - s[1], signed),
            "vsubus": clip(u[0] - u[1], unsigned), "vavgu": (u[0] + u[1] + 1) >> 1, "vhaddu": (u[0] + u[1]) >> 1,
            "vmaxs": np.maximum(*s), "vmaxu": np.maximum(*u), "vmins": np.minimum(*s), "vminu": np.minimum(*u),
            "vabsdiffs": abs(s[0] - s[1]), "vabsdiffu": abs(u[0] - u[1]), "vcmpeq": -(u[0] == u[1]).astype(int),
            "vcmpgts": -(s[0] > s[1]).astype(int), "vcmpleu": -(u[0] <= u[1]).astype(int),
            "vsetne": (u[0] != u[1]).astype(int), "vsetlts": (s[0] < s[1]).astype(int),
        }  # fmt: skip
        def words(values, unsigned=unsigned, bits=bits):
            return (values & (2**bits - 1)).astype(unsigned).view(np.uint32)
        rows += [(f"__{name}{suffix}({a[i]:#x}u, {b[i]:#x}u)", words(want)[i]) for name, want in table.items()
                 for i in range(len(a))]
        rows += [(f"__vsads{suffix}({a[0]:#x}u, {b[0]:#x}u)", abs(s[0] - s[1])[:32 // bits].sum()),
                 (f"__vabsss{suffix}({a[1]:#x}u)", words(clip(abs(s[0]), signed))[1])]
    check(rows, np.uint32, "unsigned")


@pytest.mark.parametrize("c_type, dtype, f", [("float", f32, "f"), ("double", f64, "")])
def test_functions(c_type, dtype, f):
    table = [
        (f"rsqrt{f}(T(4))", 0.5), (f"rsqrt{f}(T(0))", INF), (f"rcbrt{f}(T(8))", 0.5), (f"exp10{f}(T(2))", 100),
        (f"erf{f}(x)", math.erf(0.3)),
        (f"erfc{f}(x)", math.erfc(0.3)), (f"erfinv{f}(x)", 0.27246271472675443), (f"erfinv{f}(T(-1))", -INF),
        (f"erfinv{f}(T(0.75))", 0.8134198475976185), (f"erfcinv{f}(T(1.5))", -0.4769362762044699),
        (f"erfcx{f}(x)", math.exp(0.09) * math.erfc(0.3)), (f"erfcx{f}(T(50))", 0.011281536265323772),
        (f"normcdf{f}(x)", 0.6179114221889526), (f"normcdfinv{f}(T(0.975))", 1.959963984540054),
        (f"sinpi{f}(x)", math.sin(math.pi * 0.3)), (f"sinpi{f}(T(5))", 0), (f"cospi{f}(T(0.5))", 0),
        (f"cospi{f}(T(1))", -1),
        (f"cospi{f}(x)", math.cos(math.pi * 0.3)), (f"hypot{f}(3, 4)", 5), (f"rhypot{f}(3, 4)", 0.2),
        (f"norm3d{f}(2, 3, 6)", 7), (f"rnorm4d{f}(1, 1, 1, 1)", 0.5), (f"fdivide{f}(T(1), T(4))", 0.25),
        (f"cyl_bessel_i0{f}(x)", 1.0226268793515974), (f"cyl_bessel_i1{f}(x)", 0.15169384000359282),
        (f"cyl_bessel_i0{f}(T(20))", 43558282.559553534), (f"cyl_bessel_i1{f}(T(-20))", -42454973.385127775),
        (f"j0{f}(x)", 0.9776262465382961), (f"tgamma{f}(5)", 24), (f"lgamma{f}(5)", math.log(24)),
        (f"fma{f}(2, 3, 4)", 10), (f"remainder{f}(5, 3)", -1), (f"fmod{f}(5, 3)", 2), (f"copysign{f}(2, -1)", -2),
        (f"fmax{f}(x, not_a_number)", 0.3), ("min(not_a_number, x)", 0.3), ("max(x, x + x)", 0.6),
        (f"pow{f}(2, 10)", 1024), ("pow(x, 2)", 0.09), (f"rint{f}(2.5)", 2), (f"round{f}(2.5)", 3),
        (f"log1p{f}(x)", math.log(1.3)),
        (f"expm1{f}(x)", math.expm1(0.3)), (f"tanh{f}(x)", math.tanh(0.3)), (f"atan2{f}(1, 1)", math.pi / 4),
        (f"cbrt{f}(27)", 3), ("isnan(not_a_number)", 1), ("isinf(x)", 0), ("isfinite(x)", 1), ("signbit(-x)", 1),
        ("exp(x)", math.exp(0.3)), ("abs(-x)", 0.3), (f"nextafter{f}(0, 1) > 0", 1), (f"ldexp{f}(1, 3)", 8),
        (f"logb{f}(8)", 3),
    ]  # fmt: skip
    check(table, dtype, c_type, (f"{c_type} x", dtype(0.3)), (f"{c_type} not_a_number", dtype(NAN)),
          rtol=4e-7 if f else 1e-13, prelude=f"typedef {c_type} T;")


def test_fast_functions_and_saturation():
    check([
        ("__saturatef(3)", 1), ("__saturatef(-3)", 0), ("__saturatef(x)", 0.3), ("__saturatef(not_a_number)", 0),
        ("__expf(x)", math.exp(0.3)), ("__exp10f(x)", 10**0.3), ("__logf(x)", math.log(0.3)),
        ("__log2f(x)", math.log2(0.3)),
        ("__log10f(x)", math.log10(0.3)), ("__powf(x, 2)", 0.09), ("__sinf(x)", math.sin(0.3)),
        ("__cosf(x)", math.cos(0.3)), ("__tanf(x)", math.tan(0.3)), ("__fdividef(1, x)", 1 / 0.3),
        ("__frsqrt_rn(4)", 0.5), ("__frcp_rn(4)", 0.25),
        ("[&] { float s, c; sincosf(x, &s, &c); return s * s + c * c; }()", 1),
        ("[&] { float s, c; sincospif(x, &s, &c); return s / c; }()", math.tan(0.3 * math.pi)),
        ("[&] { float s, c; __sincosf(x, &s, &c); return s; }()", math.sin(0.3)),
    ], f32, "float", ("float x", f32(0.3)), ("float not_a_number", f32(NAN)), rtol=3e-7)  # fmt: skip


def directed(exact, mode, dtype):
    """A Fraction rounded to a NumPy type in one direction."""
    near = dtype(float(exact))
    below = near if float(near) <= exact else np.nextafter(near, dtype(-INF))
    above = near if float(near) >= exact else np.nextafter(near, dtype(INF))
    toward_zero = below if exact > 0 else above
    return {"rd": below, "ru": above, "rz": toward_zero}[mode]


@pytest.mark.parametrize("letter, dtype, c_type, fma", [("f", f32, "float", "__fmaf"), ("d", f64, "double", "__fma")])
def test_directed_rounding(letter, dtype, c_type, fma):
    from fractions import Fraction
    a, b, c = dtype(1) / dtype(3), dtype(-0.7), dtype(1e-9)
    x, y, z = Fraction(float(a)), Fraction(float(b)), Fraction(float(c))
    table = []
    for mode in ("rz", "rd", "ru"):
        for name, exact in (("add", x + y), ("sub", x - y), ("mul", x * y), ("div", x / y)):
            table.append((f"__{letter}{name}_{mode}(a, b)", directed(exact, mode, dtype)))
        table += [(f"{fma}_{mode}(a, b, c)", directed(x * y + z, mode, dtype)),
                  (f"__{letter}rcp_{mode}(b)", directed(1 / y, mode, dtype))]
    check(table, dtype, c_type, (f"{c_type} a", a), (f"{c_type} b", b), (f"{c_type} c", c))
    roots = values_of([f"__{letter}sqrt_{mode}(a)" for mode in ("rd", "rn", "ru")], dtype, c_type, (f"{c_type} a", a))
    assert Fraction(float(roots[0]))**2 < x < Fraction(float(roots[2]))**2
    assert roots[1] in (roots[0], roots[2]) and np.nextafter(roots[0], dtype(1)) == roots[2]


def test_conversions():
    check([
        ("__float2int_rn(2.5f)", 2), ("__float2int_rz(-1e20f)", -2**31), ("__float2int_rd(-0.5f)", -1),
        ("__float2int_ru(0.5f)", 1), ("__float2int_rn(not_a_number)", 0), ("__float2uint_rn(-5.0f)", 0),
        ("__float2uint_rz(5e9f)", 2**32 - 1), ("__float2ll_rn(1e30f)", 2**63 - 1), ("__double2int_rn(-2.5)", -2),
        ("__double2ll_rd(-0.1)", -1), ("__double2hiint(1.0)", 0x3ff00000), ("__double2loint(1.0)", 0),
        ("__float_as_int(1.0f)", 0x3f800000), ("__double_as_longlong(1.0)", 0x3ff0000000000000),
    ], np.int64, "long long", ("float not_a_number", f32(NAN)))  # fmt: skip
    check([
        ("__int2float_rz(16777217)", 16777216), ("__int2float_ru(16777217)", 16777218), ("__uint2float_rn(3u)", 3),
        ("__ll2float_rd(-16777217ll)", -16777218), ("__ull2double_rz(~0ull)", 2.0**64 - 2**11),
        ("__ull2float_rn(~0ull)", 2.0**64), ("__double2float_rz(0.1)", np.nextafter(f32(0.1), f32(0))),
        ("__double2float_ru(0.1)", f32(0.1)), ("__int_as_float(0x3f800000)", 1), ("__uint_as_float(0x40000000u)", 2),
        ("__longlong_as_double(0x3ff0000000000000ll)", 1), ("__hiloint2double(0x3ff00000, 1)", 1 + 2.0**-52),
        ("__int2double_rn(-7)", -7),
    ], f64, "double")  # fmt: skip


# ---- 16-bit numbers ----------------------------------------------------------------------------------------------
HALVES = [("half", f16, "__half", "__half2"), ("bfloat16", bf16, "__nv_bfloat16", "__nv_bfloat162")]


@pytest.mark.parametrize("word, dtype, h, h2", HALVES)
@pytest.mark.slow
def test_half_functions(word, dtype, h, h2):
    def r(x):
        return dtype(f32(x))
    x, y = dtype(0.3), dtype(-1.7)
    a, b = f32(x), f32(y)
    check([
        ("__hadd(x, y)", r(a + b)), ("__hsub(x, y)", r(a - b)), ("__hmul(x, y)", r(a * b)), ("__hdiv(x, y)", r(a / b)),
        ("x + y * x", r(a + f32(r(a * b)))), ("-x", -x), ("__hneg(x)", -x), ("__habs(y)", -y),
        ("__hfma(x, y, x)", r(a * b + a)),
        ("__hmax(x, n)", x), ("__hmax_nan(x, n)", NAN), ("__hmin(y, x)", y), ("__hmin_nan(n, x)", NAN),
        ("__hmax(zero, -zero)", 0.0), ("__hmin(zero, -zero)", -0.0), ("__hadd_sat(x, one)", 1), ("__hsub_sat(y, x)", 0),
        ("__hmul_sat(x, x)", r(a * a)), ("__hfma_relu(x, y, y)", 0), ("__hfma_sat(x, x, one)", 1),
        ("hceil(y)", -1), ("hfloor(x)", 0), ("htrunc(y)", -1), ("hrint(y)", -2), ("hexp(x)", r(np.exp(a))),
        ("hexp2(x)", r(np.exp2(a))), ("hlog(x)", r(np.log(a))), ("hlog2(x)", r(np.log2(a))), ("hsin(x)", r(np.sin(a))),
        ("hsqrt(x)", r(np.sqrt(a))), ("hrsqrt(one)", 1), ("hrcp(y)", r(1 / b)), ("htanh(x)", r(np.tanh(a))),
        ("x < y", 0), ("x >= y", 1), ("__hlt(y, x)", 1), ("__hltu(n, x)", 1), ("__hlt(n, x)", 0), ("__hne(n, n)", 0),
        ("__hneu(n, n)", 1), ("__heq(x, x)", 1), ("__hisnan(n)", 1), ("__hisinf(-one / zero)", -1),
        (f"[&] {{ {h} z = x; z += y; z *= y; z++; return z; }}()", r(f32(r(f32(r(a + b)) * b)) + 1)),
        (f"__float2{word}_rn(0.1f)", r(0.1)), (f"__double2{word}(0.1)", r(0.1)), (f"__int2{word}_rn(-7)", -7),
        (f"__ushort2{word}_rz(3)", 3), (f"__ushort_as_{word}(__{word}_as_ushort(y))", y),
        (f"{h}(7u)", 7), (f"{h}(-3ll)", -3), ("__shfl_sync(1, x, 0)", x), ("__ldg(&held)", 5),
    ], dtype, h, (f"{h} x", x), (f"{h} y", y), (f"{h} n", dtype(NAN)), (f"{h} zero", dtype(0)), (f"{h} one", dtype(1)),
        prelude=f"__device__ {h} held = 5.0f;")  # fmt: skip
    check([
        (f"__{word}2int_rz(y)", -1), (f"__{word}2int_rn(y)", -2), (f"__{word}2int_rd(x)", 0),
        (f"__{word}2uint_ru(x)", 1),
        (f"__{word}2ll_rn(y)", -2), (f"__{word}2short_rz(big)", 32767), (f"__{word}2char_rz(big)", 127),
        (f"__{word}2uchar_rz(y)", 0), (f"__{word}2int_rz(n)", 0), (f"__{word}_as_short(y) < 0", 1), ("(int)y", -1),
    ], np.int32, "int", (f"{h} x", x), (f"{h} y", y), (f"{h} big", dtype(60000)), (f"{h} n", dtype(NAN)))  # fmt: skip


@pytest.mark.parametrize("word, dtype, h, h2", HALVES)
@pytest.mark.slow
def test_pairs_of_halves(word, dtype, h, h2):
    def pair(x, y):
        low, high = np.array([x, y], f32).astype(dtype).view(np.uint16).tolist()
        return low | high << 16
    t, one = 0xffff, pair(1, 1)
    p = {"a": pair(1.5, -2), "b": pair(0.25, -2), "n": pair(NAN, 1)}
    expressions = [
        ("__hadd2(a, b)", pair(1.75, -4)), ("__hsub2(a, b)", pair(1.25, 0)), ("__hmul2(a, b)", pair(0.375, 4)),
        ("__h2div(a, b)", pair(6, 1)), ("__hfma2(a, b, a)", pair(1.875, 2)), ("__hfma2_relu(a, b, -a)", pair(0, 6)),
        ("__hmax2(a, b)", pair(1.5, -2)), ("__hmin2(n, b)", pair(0.25, -2)), ("__habs2(a)", pair(1.5, 2)),
        ("__hneg2(a)", pair(-1.5, 2)), ("__heq2(a, b)", pair(0, 1)), ("__hgt2(a, b)", pair(1, 0)),
        ("__hisnan2(n)", pair(1, 0)), ("__hcmadd(a, b, b)", pair(0.25 + 0.375 - 4, -2 - 3 - 0.5)),
        ("a / b", pair(6, 1)),
        ("a + b * b", pair(1.5625, 2)), ("-a", pair(-1.5, 2)), ("h2floor(a)", pair(1, -2)), ("h2rcp(b)", pair(4, -0.5)),
        (f"__floats2{word}2_rn(1.5f, -2.0f)", p["a"]), (f"__float2{word}2_rn(1.0f)", one),
        (f"__{word}2{word}2(b.x)", pair(0.25, 0.25)),
        (f"__halves2{word}2(b.x, a.y)", pair(0.25, -2)), (f"__low2{word}2(a)", pair(1.5, 1.5)),
        (f"__high2{word}2(a)", pair(-2, -2)),
        (f"__lows2{word}2(a, b)", pair(1.5, 0.25)), (f"__highs2{word}2(a, b)", pair(-2, -2)),
        ("__lowhigh2highlow(a)", pair(-2, 1.5)),
        (f"__float22{word}2_rn(__{word}22float2(a))", p["a"]), (f"make_{word}2(a.x, b.x)", pair(1.5, 0.25)),
        ("__shfl_xor_sync(1, a, 0)", p["a"]), ("__vmaxu2(0, 0)", 0),
    ]  # fmt: skip
    bits = [f"gpunet_sim::bits_as<unsigned>({expression})" for expression, _ in expressions]
    masks = [("__heq2_mask(a, b)", t << 16), ("__hltu2_mask(n, b)", t), ("__hbge2(a, b)", 1), ("__hbeq2(a, b)", 0),
             ("__hbneu2(n, n)", 0), ("a == b", 0), ("(unsigned)__low2float(a)", 1),
             (f"__high2{word}(b) < __low2{word}(b)", 1)]
    table = [(expression, want) for expression, (_, want) in zip(bits, expressions, strict=True)] + masks
    parameters = [(f"unsigned {name}_", np.uint32(value)) for name, value in p.items()]
    body = "".join(f"{h2} {name} = gpunet_sim::bits_as<{h2}>({name}_); " for name in p)
    check([(f"[&] {{ {body} return (unsigned)({expression}); }}()", want) for expression, want in table], np.uint32,
          "unsigned", *parameters)


@pytest.mark.parametrize("word, dtype, h, h2", HALVES)
@pytest.mark.slow
def test_directed_rounding_to_16_bits(word, dtype, h, h2):
    table = []
    for value in np.array([0.1, -0.1, 1.0, 65519, -70000, 1e-9, -1e-9, 3e38], f32):
        with np.errstate(all="ignore"):
            near = f32(dtype(value))
            below = near if near <= value else f32(np.nextafter(dtype(near), dtype(-INF)))
            above = near if near >= value else f32(np.nextafter(dtype(near), dtype(INF)))
        table += [(f"__float2{word}_{mode}({float(value)!r})", want) for mode, want in
                  (("rd", below), ("ru", above), ("rz", below if value > 0 else above))]
    check([*table, (f"__int2{word}_rz(-2049)", -2048), (f"__int2{word}_rd(-2049)", -2050 if dtype is f16 else -2064),
           (f"__ull2{word}_rz(~0ull)", 65504 if dtype is f16 else 2.0**64 - 2**56)], f32, "float")


# ---- vector types ------------------------------------------------------------------------------------------------
SIZES = {"char": 1, "uchar": 1, "short": 2, "ushort": 2, "int": 4, "uint": 4, "long": 8, "ulong": 8, "longlong": 8,
         "ulonglong": 8, "float": 4, "double": 8}


def test_vector_types():
    table = []
    for name, size in SIZES.items():
        for count in (1, 2, 3, 4):
            align = min(size * count, 16) if count in (1, 2, 4) else size
            table += [(f"sizeof({name}{count}) * 100 + alignof({name}{count})", size * count * 100 + align),
                      (f"(int)make_{name}{count}({', '.join('1234'[:count])}).{'xyzw'[count - 1]}", count)]
    table += [("dim3(2).y", 1), ("dim3(2, 3).x * dim3(2, 3, 4).z", 8), ("dim3(make_uint3(4, 5, 6)).z", 6),
              ("sizeof(dim3)", 12), ("((uint3)dim3(1, 2, 3)).y", 2)]
    check(table, np.int32, "int")
