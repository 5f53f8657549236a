"""The ops of arithmetic, element by element.

Their public functions are in operators.py (Python's operators), combining.py and limits.py.
"""

from __future__ import annotations

import math

import numpy as np

from gpunet.dispatch import op
from gpunet.dtypes import BOOL_NP, FLOAT, FLOAT32_NP, HALF_TYPES, category
from gpunet.ops import elementwise, formulas, pointwise
from gpunet.ops.conditions import (
    eq_op,
    ge_op,
    gt_op,
    isfinite_op,
    isnan_op,
    le_op,
    logical_and_op,
    logical_or_op,
    lt_op,
    where_op,
)
from gpunet.ops.elementary import log_op, sign_op, trunc_op, zeros_like_gradient
from gpunet.ops.host import fitted
from gpunet.ops.rules import accumulator, binary, broadcasting, floating, same


@op(binary, promotes="same", opmath=True, broadcasts=True, ufunc="add")
def add_op(xp, out, x, y):
    xp.add(x, y, out)


@add_op.gradient
def _(g, _y, _a, _b):
    return g, g


@op(binary, promotes="same", opmath=True, broadcasts=True)
def sub_op(xp, out, x, y):
    if out.dtype == BOOL_NP:
        raise RuntimeError("sub: subtraction of two bool tensors is not defined; use logical_xor, or ~ to invert one")
    xp.subtract(x, y, out)


@sub_op.gradient
def _(g, _y, _a, _b):
    return g, lambda: -g


@op(binary, promotes="same", opmath=True, broadcasts=True, ufunc="multiply")
def mul_op(xp, out, x, y):
    xp.multiply(x, y, out)


@mul_op.gradient(needs=("y", "x"))
def _(g, _, x, y):
    return lambda: g * y, lambda: g * x


@op(binary, promotes="float", opmath=True, broadcasts=True, ufunc="divide")
def true_divide_op(xp, out, x, y):
    xp.divide(x, y, out)


@true_divide_op.gradient(needs=("y", "x y"))
def _(g, _, x, y):
    return lambda: g / y, lambda: -g * (true_divide_op(x, y) / y)  # y * y could overflow


@op(binary, promotes="same", opmath=True, broadcasts=True)
def floor_divide_op(xp, out, x, y):
    if out.dtype == BOOL_NP:
        raise RuntimeError("floor_divide: not defined for bool tensors; convert them with .int()")
    _check_divisor(xp, out, y, "floor_divide")
    # Where a floating-point divisor is 0, PyTorch gives the IEEE quotient; NumPy's floor_divide agrees.
    if xp.__name__ == "cupy" and out.dtype.kind not in "iu":
        xp.copyto(out, _quotient_and_remainder(xp, x, y)[0], casting="unsafe")
    else:
        xp.floor_divide(x, y, out)


def _quotient_and_remainder(xp, x, y):
    """Of floating-point numbers, the quotient rounded down, as NumPy has them. CuPy takes floor(x / y) and what is
    left: 1 too much where x / y rounds up to a whole number, and wrong at infinities. fmod is exact."""
    x, y = (v.astype(FLOAT32_NP) if getattr(v, "dtype", None) in HALF_TYPES else v for v in (x, y))
    rest = xp.fmod(x, y)
    below = (rest != 0) & ((rest < 0) != (y < 0))
    exact = (x - rest) / y - below  # a whole number, but for rounding
    whole = xp.floor(exact)
    whole += exact - whole > 0.5
    quotient = xp.where(xp.equal(y, 0), x / y, xp.copysign(whole, x / y))
    return quotient, xp.copysign(xp.where(below, rest + y, rest), y)


def _check_divisor(xp, out, y, op):
    """Integers cannot be divided by zero. On a GPU only a number is looked at: a tensor would have to be read."""
    if out.dtype.kind in "iu" and (y == 0 if isinstance(y, int) else xp is np and bool((y == 0).any())):
        raise RuntimeError(f"{op}: division by zero of an integer tensor (ZeroDivisionError)")


@floor_divide_op.gradient
def _(g, _y, _a, _b):
    return lambda: zeros_like_gradient(g), lambda: zeros_like_gradient(g)


@op(binary, promotes="same", opmath=True, broadcasts=True)
def trunc_divide_op(xp, out, x, y):
    if out.dtype == BOOL_NP:
        raise RuntimeError("div: rounding_mode='trunc' is not defined for bool tensors; convert them with .int()")
    if out.dtype.kind in "iu":
        _check_divisor(xp, out, y, "div")
        xp.floor_divide(x, y, out)
        xp.add(out, (out * y != x) & ((x < 0) != (y < 0)), out)
    elif out.dtype in HALF_TYPES:  # a quotient just below an integer is not to be rounded to it first
        xp.copyto(out, xp.trunc(x.astype(FLOAT32_NP) / y.astype(FLOAT32_NP)), casting="unsafe")
    else:
        xp.divide(x, y, out)
        xp.trunc(out, out)


trunc_divide_op.gradient(floor_divide_op.op.vjp)


@op(binary, promotes="same", broadcasts=True)
def remainder_op(xp, out, x, y):
    _check_divisor(xp, out, y, "remainder")
    if xp.__name__ == "cupy" and out.dtype.kind not in "iub":
        xp.copyto(out, _quotient_and_remainder(xp, x, y)[1], casting="unsafe")
    else:
        xp.remainder(x, y, out)


@remainder_op.gradient(needs=("", "x y"))
def _(g, _, x, y):
    return g, lambda: -g * floor_divide_op(x, y)


@op(binary, promotes="same", broadcasts=True)
def fmod_op(xp, out, x, y):
    if out.dtype == BOOL_NP:
        raise RuntimeError("fmod: not defined for bool tensors; convert them with .int()")
    _check_divisor(xp, out, y, "fmod")
    xp.fmod(x, y, out)


@fmod_op.gradient(needs=("", "x y"))
def _(g, _, x, y):
    return g, lambda: -g * trunc_op(true_divide_op(x, y))


@op(broadcasting, promotes="same", opmath=True, broadcasts=True)
def addcmul_op(xp, out, x, a, b, *, value):
    wide = accumulator(out.dtype)
    xp.copyto(out, x + a.astype(wide, copy=False) * b * value, casting="unsafe")


@addcmul_op.gradient(needs=("", "b", "a"))
def _(g, _, x, a, b, *, value):
    return g, lambda: g * b * value, lambda: g * a * value


@op(floating("addcdiv"), promotes="same", opmath=True, broadcasts=True, by_element=True)
def addcdiv_op(xp, out, x, a, b, *, value):
    wide = accumulator(out.dtype)
    xp.copyto(out, x + a.astype(wide, copy=False) / b * value, casting="unsafe")


@addcdiv_op.gradient(needs=("", "b", "a b"))
def _(g, _, x, a, b, *, value):
    return g, lambda: g * value / b, lambda: -g * value * (a / b / b)


@op(floating("lerp"), broadcasts=True, by_element=True)
def lerp_op(xp, out, x, end, weight):
    wide = accumulator(out.dtype)
    x, weight = x.astype(wide, copy=False), weight if isinstance(weight, float) else weight.astype(wide, copy=False)
    step = end - x
    # From the nearer end, so that weights of 0 and 1 give the ends exactly.
    if isinstance(weight, float):
        value = x + step * weight if math.fabs(weight) < 0.5 else end - step * (1 - weight)
    else:
        value = xp.where(xp.absolute(weight) < 0.5, x + step * weight, end - step * (1 - weight))
    xp.copyto(out, value, casting="unsafe")


@lerp_op.gradient(needs=("weight", "weight", "x end"))
def _(g, _, x, end, weight):
    return lambda: g * (1 - weight), lambda: g * weight, lambda: g * (end - x)


def _power(x, y, **_):
    shape, dtype = binary(x, y)
    if category(dtype) != FLOAT and isinstance(y, int) and not isinstance(y, bool):
        if y < 0:
            raise RuntimeError("pow: integers to negative integer powers are not allowed; convert the base with "
                               ".float()")
        fitted(y, dtype)
    return shape, dtype


@op(_power, promotes="same", opmath=True, broadcasts=True, unwrapped=1, by_element=True)
def pow_op(xp, out, x, y):
    if isinstance(y, (int, float)) and y == 2:
        xp.multiply(x, x, out)  # many times faster than the general power, and as exact
    elif out.dtype.kind == "i" and not isinstance(y, int):
        # A negative power of an integer is 0, but for 1 and -1, which are their own inverses.
        xp.power(x, xp.absolute(y), out)
        xp.multiply(out, (y >= 0) | (x * x == 1), out)
    else:
        xp.power(x, y, out)


@pow_op.cpu(strided=True, types=elementwise.FLOATS)
def _(out, x, y):
    if not isinstance(y, (int, float)) or y != 2:
        return NotImplemented
    elementwise.square(out, x)
    return None


pow_op.kernel(formulas.power)


@pow_op.gradient(needs=("x y", "result x y"))
def _(g, result, x, y):
    def base():
        if isinstance(y, (int, float)):
            return g * (y * pow_op(x, y - 1)) if y != 0 else zeros_like_gradient(g)
        return where_op(y == 0, 0.0, g * (y * pow_op(x, y - 1)))

    def exponent():  # d/dy x^y = x^y log x; 0 where x = 0 and y >= 0
        if isinstance(x, (int, float)):
            if x > 0:
                return g * result * math.log(x)
            return g * (where_op(y >= 0, 0.0, result * -math.inf) if x == 0 else result * math.nan)
        return g * where_op((x == 0) & (y >= 0), 0.0, result * log_op(x))

    return base, exponent


@op(same)
def neg_op(xp, out, x):
    if out.dtype == BOOL_NP:
        raise RuntimeError("neg: the sign of a bool tensor cannot be changed; use ~ or logical_not to invert it")
    xp.negative(x, out)


@neg_op.gradient
def _(g, _y, _x):
    return (-g,)


@op(same)
def abs_op(xp, out, x):
    xp.absolute(x, out)


@abs_op.gradient
def _(g, _, x):
    return (g * sign_op(x),)


@op(binary, promotes="same", broadcasts=True, ufunc="maximum")
def maximum_op(xp, out, x, y):
    xp.maximum(x, y, out=out)


@op(binary, promotes="same", broadcasts=True, ufunc="minimum")
def minimum_op(xp, out, x, y):
    xp.minimum(x, y, out=out)


def _without_nan(name, not_beaten):
    def body(xp, out, x, y):
        getattr(xp, name)(x, y, out)

    body.__name__ = name
    declared = op(binary, promotes="same", broadcasts=True)(body)

    @declared.gradient
    def _(g, _, x, y):
        first = logical_or_op(not_beaten(x, y), isnan_op(y))
        return lambda: where_op(first, g, 0.0), lambda: where_op(first, 0.0, g)

    return declared


fmax_op = _without_nan("fmax", ge_op)
fmin_op = _without_nan("fmin", le_op)


def _share(g, x, y, loses):
    # What does not lose gets the gradient, half of it at a tie; where one is NaN neither loses, as in PyTorch.
    share = where_op(eq_op(x, y), g * 0.5, g)
    return lambda: where_op(loses(x, y), 0.0, share), lambda: where_op(loses(y, x), 0.0, share)


@maximum_op.gradient
def _(g, _, x, y):
    return _share(g, x, y, lt_op)


@minimum_op.gradient
def _(g, _, x, y):
    return _share(g, x, y, gt_op)


@op(same, promotes="same", by_element=True)
def clamp_op(xp, out, x, *, low, high):
    if low is None or high is None:  # CuPy's clip takes no None beside bfloat16
        xp.minimum(x, high, out=out) if low is None else xp.maximum(x, low, out=out)
    else:
        xp.clip(x, low, high, out=out)


@clamp_op.cpu(strided=True, types=elementwise.FLOATS)
def _(out, x, *, low, high):
    elementwise.clamp(out, x, low, high)


@clamp_op.kernel
def _(cuda, out, x, *, low, high):
    low, high = -math.inf if low is None else low, math.inf if high is None else high
    return pointwise.clamp(cuda, out, x, low=low, high=high) if low <= high else NotImplemented


@clamp_op.gradient
def _(g, _, x, *, low, high):
    return (where_op(_within(x, low, high), g, 0.0),)


def _within(x, low, high):
    if low is None or high is None:
        return ge_op(x, low) if high is None else le_op(x, high)
    return logical_and_op(ge_op(x, low), le_op(x, high))


@op(broadcasting, broadcasts=True)
def clamp_between_op(xp, out, x, low, high):
    if low is not None:
        x = xp.maximum(x, low)
    xp.copyto(out, x if high is None else xp.minimum(x, high))


@clamp_between_op.gradient
def _(g, _, x, low, high):
    below, above = low is not None and lt_op(x, low), high is not None and gt_op(x, high)
    if low is not None and high is not None:  # where they cross, the upper bound counts
        below, above = logical_and_op(below, le_op(low, high)), logical_or_op(above, gt_op(low, high))
    return (lambda: where_op(_within(x, low, high), g, 0.0), lambda: where_op(below, g, 0.0),
            lambda: where_op(above, g, 0.0))


@op(binary, promotes="float", broadcasts=True)
def copysign_op(xp, out, x, y):
    xp.copysign(x, y, out)


@copysign_op.gradient
def _(g, result, x, _y):
    return lambda: where_op(eq_op(x, 0), 0.0, g * result / x), lambda: zeros_like_gradient(g)


@op(same, by_element=True)
def nan_to_num_op(xp, out, x, *, nan, posinf, neginf):
    xp.copyto(out, x)
    if out.dtype.kind not in "iub":
        xp.copyto(out, nan, where=x != x)
        xp.copyto(out, posinf, where=x == math.inf)
        xp.copyto(out, neginf, where=x == -math.inf)


@nan_to_num_op.gradient
def _(g, _, x, **_attrs):
    return (where_op(isfinite_op(x), g, 0.0),)


elementwise.native(add_op, sub_op, mul_op, true_divide_op, maximum_op, minimum_op, neg_op, abs_op)
pointwise.declare(floor_divide_op)
pointwise.declare(remainder_op)
