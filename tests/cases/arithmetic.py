"""Arithmetic beyond the operators, and comparison beyond the relations."""

from dataclasses import replace

from tests.cases.pointwise import PAIRS, QUOTIENTS, WHOLE
from tests.cases.table import EDGES, FLOATS, INTS, LOOSE, SIGNED, SINGLE, case, each, f, given, i, kink, shapes

POSITIVE = [{name: replace(spec, low=0.3) for name, spec in p.items()} for p in PAIRS]
AWKWARD = replace(EDGES, grad=False)
# All pairs of awkward numbers.
CROSS = dict(x=replace(AWKWARD, shape=(8, 1)), y=AWKWARD)
TIES = dict(x=given("value", 1.0, 2.0, float("nan"), 4.0), y=given("value", 1.0, 3.0, 2.0, float("nan")))

# ---- two operands

each(["atan2(x, y)", "hypot(x, y)", "logaddexp(x, y)", "logaddexp2(x, y)", "fmax(x, y)", "fmin(x, y)"], *PAIRS,
     tolerance=LOOSE)
each(["xlogy(x, y)", "copysign(x, y)"], *POSITIVE, tolerance=LOOSE)
each(["ldexp(x, y)", "x.ldexp(y)"], *PAIRS, tolerance=LOOSE)
each("ldexp(x, y)", dict(x=given("value", 3e-30, -1e30, 0.0, float("inf"), 1.5, float("nan"), 1.0),
                         y=given("value", 100.0, -100.0, 100.0, -100.0, 0.5, 2.0, float("inf"))), dtypes=SINGLE,
     second=False, differences=False)
each(["atan2(x, y)", "hypot(x, y)", "logaddexp(x, y)", "fmax(x, y)", "fmin(x, y)", "xlogy(x, y)"], CROSS)
each(["fmod(x, y)", "fmod(x, 2)", "x.fmod(-1.5)"], dict(x=QUOTIENTS[0], y=QUOTIENTS[1]), second=False, dtypes=SINGLE)
each("fmod(x, y)", CROSS, dtypes=FLOATS)
each(["fmax(x, y)", "fmin(x, y)"], TIES, second=False, differences=False)
each(["atan2(x, y)", "fmod(x, y)", "fmax(x, y)", "copysign(x, y)", "xlogy(x, y)", "float_power(x, y)"], WHOLE[0],
     dtypes=INTS)
each(["copysign(x, -2)", "xlogy(x, 2.5)", "xlogy(3, x)", "float_power(x, 2)", "float_power(2, x)", "x.float_power(0.5)",
      "fmod(x, 1.5)"], dict(x=f(5, low=0.5)))
each(["xlogy(x, 0)", "xlogy(0, x)", "copysign(x, -1)"], dict(x=given("value", 0.0, -0.0, 1.0, float("nan"))),
     second=False, differences=False)
each(["fmod(x, -3)", "fmod(x, 2.5)", "float_power(x, -1)"], dict(x=f(7, low=1, high=9)), dtypes=SIGNED)

each(["rsub(x, y)", "rsub(x, 2, alpha=3)"], PAIRS[1])

# ---- three operands

THREE = [dict(x=f(2, 3), y=f(2, 3, low=0.5), z=f(2, 3, low=0.5)), dict(x=f(), y=f(2, 1, low=0.5), z=f(3, low=0.5)),
         dict(x=f(3, 2, layout="columns"), y=f(1, low=0.5), z=f(0, 1, 1, low=0.5))]
each(["addcmul(x, y, z)", "addcmul(x, y, z, value=-0.5)", "addcdiv(x, y, z)", "x.addcdiv(y, z, value=2)"], *THREE,
     tolerance=LOOSE)
each(["addcmul(x, y, y)", "addcmul(x, y, y, value=3)"], WHOLE[0], dtypes=INTS)
each(["lerp(x, y, 0.25)", "lerp(x, y, 1)", "x.lerp(y, z)", "lerp(x, y, tensor(0.25, dtype=float64))"], THREE[0],
     THREE[1], tolerance=LOOSE)
each(["clamp(x, y, z)", "clamp_min(x, y)", "x.clamp_max(z)"],
     dict(x=given("value", 0.0, 1.0, 2.0, 3.0, 0.5), y=given("value", 1.0, 1.0, 1.0, 4.0, 1.0),
          z=given("value", 2.0, 2.0, 2.0, 2.0, 0.0)), second=False, differences=False)  # ties, crossed bounds
each(["clamp_min(x, 0.5)", "x.clamp_max(-0.5)"], dict(x=f(7, avoid=(0.5, -0.5))))
each(["clamp_min(x, 1.5)", "clamp_max(x, y)", "clamp(x, y, 2)"], dict(x=f(5, low=0, high=9), y=f(low=4, high=4)),
     dtypes=INTS, torch=False)

# ---- one operand

each(["asinh(x)", "deg2rad(x)", "rad2deg(x)", "sinc(x)", "x.arcsinh()", "positive(x)"], *shapes(kink), tolerance=LOOSE)
each("acosh(x)", *shapes(lambda *s, **o: f(*s, low=1.2, high=9, **o)), tolerance=LOOSE)
each(["atanh(x)", "frac(x)"], *shapes(lambda *s, **o: f(*s, low=-0.8, high=0.8, **o)), tolerance=LOOSE)
each(["logit(x)", "logit(x, eps=0.2)"], *shapes(lambda *s, **o: f(*s, low=0.05, high=0.95, avoid=(0.2, 0.8), **o)),
     tolerance=LOOSE)
each(["logit(x)", "x.logit(0.1)"], dict(x=given("value", -0.5, 0.0, 0.1, 1.0, 1.5)), second=False, differences=False)
each(["asinh(x)", "acosh(x)", "atanh(x)", "sinc(x)", "frac(x)", "logit(x)", "nan_to_num(x)", "deg2rad(x)",
      "nan_to_num(x, nan=3.0, posinf=1.0, neginf=-1.0)"], dict(x=AWKWARD), tolerance=LOOSE)
each(["signbit(x)", "copysign(y, x)"],  # the sign of NaN is the hardware's affair
     dict(x=given("value", 0.0, -0.0, float("inf"), float("-inf"), -2.0, grad=False), y=replace(AWKWARD, shape=(8, 1))))
case("nan_to_num(x)", x=EDGES, second=False, differences=False)
each(["asinh(x)", "sinc(x)", "deg2rad(x)", "nan_to_num(x)", "signbit(x)", "fix(x)"], dict(x=f(4, low=-3, high=5)),
     dtypes=SIGNED, tolerance={"float32": (2e-6, 1e-7)})
each(["fill(x, 2.5)", "fill(x, y)", "fill(x, 3) * x"], dict(x=f(2, 3), y=f()))
each("fill(x, 2.5)", dict(x=i(3)))

# ---- bits and comparison

SHIFTS = dict(x=f(4, 1, low=-9, high=99), y=f(5, low=0, high=6))
each(["bitwise_left_shift(x, y)", "bitwise_right_shift(x, y)", "x << 2", "x >> y", "1 << y"], SHIFTS, dtypes=INTS)
each(["x << y", "x >> y"], dict(x=given("value", 5, -5, 5, -5), y=given("value", 100, 100, -1, -1)), dtypes=SIGNED)
each(["isclose(x, y)", "isclose(x, y, equal_nan=True)", "isclose(x, y, 0.5, 0)"], CROSS)
each("isclose(x, y, rtol=0.2)", dict(x=f(3, 1, low=1, high=9), y=f(5, low=1, high=9)), dtypes=(*INTS, "bool"))
each(["greater(x, y)", "less_equal(x, y)", "not_equal(x, y)", "isin(x, y)", "isin(x, 1)", "isin(2, y)"],
     dict(x=f(2, 3, low=0, high=4), y=f(3, low=0, high=4)), dict(x=f(0), y=f(0)), dtypes=(*INTS, "float32"))
each(["isin(x, y)", "isin(x, y, invert=True)"], dict(x=AWKWARD, y=given("value", 1.0, float("nan"), float("inf"))))
