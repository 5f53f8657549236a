"""Arithmetic, element by element."""

from __future__ import annotations

import math

import ml_dtypes
import numpy as np

from gpunet.dispatch import is_tensor, op, promote
from gpunet.dtypes import BOOL_NP, FLOAT, category, result_type, scalar_type
from gpunet.ops.compare import eq, ge, gt, isfinite, isnan, le, logical_and, logical_or, lt, where
from gpunet.ops.creation import fitted
from gpunet.ops.elementary import log, sign, trunc, zeros_like_gradient
from gpunet.ops.half import rounded_once
from gpunet.ops.rules import accumulator, binary, broadcasting, floating, same

__all__ = ["abs", "absolute", "add", "addcdiv", "addcmul", "clamp", "clamp_max", "clamp_min", "clip", "copysign", "div",
           "divide", "float_power", "floor_divide", "fmax", "fmin", "fmod", "lerp", "maximum", "minimum", "mul",
           "multiply", "nan_to_num", "neg", "negative", "positive", "pow", "remainder", "rsub", "square", "sub",
           "subtract", "true_divide"]
# `add_` and `sub_` are in inplace.py.
IN_PLACE = [name for name in __all__ if name not in {"add", "fmax", "fmin", "maximum", "minimum", "positive", "rsub",
                                                     "sub"}]


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


def add(input, other, *, alpha=1):
    """input + alpha * other, with broadcasting and type promotion."""
    return add_op(input, other) if alpha == 1 else _sum(add_op, input, other, alpha, "add")


@rounded_once
def _sum(add_or_sub, x, other, alpha, op):
    return add_or_sub(x, _times(alpha, other, x, op))


def _times(alpha, x, other, op):
    """x * alpha for a sum with `other`, whose type a fraction must not change, and must hold alpha."""
    if isinstance(alpha, float) and not any([category(t._array.dtype) == FLOAT if is_tensor(t) else isinstance(t, float)
                                             for t in (x, other)]):
        raise RuntimeError(f"{op}: for integer tensors alpha must be an integer, got {alpha}")
    if isinstance(alpha, int):
        fitted(alpha, result_type(*[(t._array.dtype, 2 if t._array.ndim else 1) if is_tensor(t) else (scalar_type(t), 0)
                                    for t in (x, other)]))
    return x * alpha


def sub(input, other, *, alpha=1):
    """input - alpha * other, with broadcasting and type promotion."""
    return sub_op(input, other) if alpha == 1 else _sum(sub_op, input, other, alpha, "sub")


def rsub(input, other, *, alpha=1):
    """other - alpha * input, with broadcasting and type promotion."""
    return sub_op(other, input) if alpha == 1 else _sum(sub_op, other, input, alpha, "rsub")


@op(binary, promotes="same", opmath=True, broadcasts=True, ufunc="multiply")
def mul(xp, out, x, y):
    """input * other, with broadcasting and type promotion."""
    xp.multiply(x, y, out)


@mul.gradient(needs=("y", "x"))
def _(g, _, x, y):
    return lambda: g * y, lambda: g * x


@op(binary, promotes="float", opmath=True, broadcasts=True, ufunc="divide")
def true_divide(xp, out, x, y):
    """input / other; integers are divided as floating-point numbers."""
    xp.divide(x, y, out)


@true_divide.gradient(needs=("y", "x y"))
def _(g, _, x, y):
    return lambda: g / y, lambda: -g * (true_divide(x, y) / y)  # y * y could overflow


@op(binary, promotes="same", opmath=True, broadcasts=True)
def floor_divide(xp, out, x, y):
    """The largest integer not above input / other. Its gradient is zero, as that of
    torch.div(rounding_mode="floor")."""
    if out.dtype == BOOL_NP:
        raise RuntimeError("floor_divide: not defined for bool tensors; convert them with .int()")
    _check_divisor(xp, out, y, "floor_divide")
    # Where a floating-point divisor is 0, PyTorch gives the IEEE quotient; NumPy's floor_divide agrees.
    xp.floor_divide(x, y, out)


def _check_divisor(xp, out, y, op):
    """Integers cannot be divided by zero. On a GPU only a number is looked at: a tensor would have to be read."""
    if out.dtype.kind in "iu" and (y == 0 if isinstance(y, int) else xp is np and bool((y == 0).any())):
        raise RuntimeError(f"{op}: division by zero of an integer tensor (ZeroDivisionError)")


@floor_divide.gradient
def _(g, _y, _a, _b):
    return lambda: zeros_like_gradient(g), lambda: zeros_like_gradient(g)


@op(binary, promotes="same", broadcasts=True)
def trunc_divide(xp, out, x, y):
    """input / other without its fraction: rounded towards zero."""
    if out.dtype == BOOL_NP:
        raise RuntimeError("div: rounding_mode='trunc' is not defined for bool tensors; convert them with .int()")
    if out.dtype.kind in "iu":
        _check_divisor(xp, out, y, "div")
        xp.floor_divide(x, y, out)
        xp.add(out, (out * y != x) & ((x < 0) != (y < 0)), out)
    else:
        xp.divide(x, y, out)
        xp.trunc(out, out)


trunc_divide.gradient(floor_divide.vjp)


def div(input, other, *, rounding_mode=None):
    """input / other; rounding_mode None, "trunc" (towards zero) or "floor"."""
    if rounding_mode is None:
        return true_divide(input, other)
    if rounding_mode == "floor":
        return floor_divide(input, other)
    if rounding_mode != "trunc":
        raise RuntimeError(f"div: rounding_mode must be None, 'trunc' or 'floor', got {rounding_mode!r}")
    return trunc_divide(input, other)


@op(binary, promotes="same", broadcasts=True)
def remainder(xp, out, x, y):
    """input - other * floor(input / other): the sign is the divisor's, as in Python."""
    _check_divisor(xp, out, y, "remainder")
    xp.remainder(x, y, out)


@remainder.gradient(needs=("", "x y"))
def _(g, _, x, y):
    return g, lambda: -g * floor_divide(x, y)


@op(binary, promotes="same", broadcasts=True)
def fmod(xp, out, x, y):
    """input - other * trunc(input / other): the sign is the input's, as in C."""
    if out.dtype == BOOL_NP:
        raise RuntimeError("fmod: not defined for bool tensors; convert them with .int()")
    _check_divisor(xp, out, y, "fmod")
    xp.fmod(x, y, out)


@fmod.gradient(needs=("", "x y"))
def _(g, _, x, y):
    return g, lambda: -g * trunc(true_divide(x, y))


@op(broadcasting, promotes="same", opmath=True, broadcasts=True)
def addcmul_op(xp, out, x, a, b, *, value):
    wide = accumulator(out.dtype)
    xp.copyto(out, x + a.astype(wide, copy=False) * b * value, casting="unsafe")


@addcmul_op.gradient(needs=("", "b", "a"))
def _(g, _, x, a, b, *, value):
    return g, lambda: g * b * value, lambda: g * a * value


def addcmul(input, tensor1, tensor2, *, value=1):
    """input + value * tensor1 * tensor2, with broadcasting. For integers `value` loses its fraction."""
    if category(input._array.dtype) != FLOAT:
        value = fitted(value, input._array.dtype)
    return addcmul_op(input, tensor1, tensor2, value=value)


@op(floating("addcdiv"), promotes="same", opmath=True, broadcasts=True)
def addcdiv_op(xp, out, x, a, b, *, value):
    wide = accumulator(out.dtype)
    xp.copyto(out, x + a.astype(wide, copy=False) / b * value, casting="unsafe")


@addcdiv_op.gradient(needs=("", "b", "a b"))
def _(g, _, x, a, b, *, value):
    return g, lambda: g * value / b, lambda: -g * value * (a / b / b)


def addcdiv(input, tensor1, tensor2, *, value=1):
    """input + value * tensor1 / tensor2, with broadcasting."""
    return addcdiv_op(input, tensor1, tensor2, value=value)


@op(floating("lerp"), broadcasts=True)
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


def lerp(input, end, weight):
    """input + weight * (end - input), with broadcasting; `weight` may be a number."""
    for name, other in ("end", end), ("weight", weight):
        number = name == "weight" and is_tensor(other) and not other._array.ndim
        if is_tensor(other) and not number and other._array.dtype != input._array.dtype:
            raise RuntimeError(f"lerp: expected type {input.dtype} for `{name}`, got {other.dtype}; use .to(dtype)")
    return lerp_op(input, end, weight if is_tensor(weight) else float(weight))


def _power(x, y, **_):
    shape, dtype = binary(x, y)
    if category(dtype) != FLOAT and isinstance(y, int) and not isinstance(y, bool):
        if y < 0:
            raise RuntimeError("pow: integers to negative integer powers are not allowed; convert the base with "
                               ".float()")
        fitted(y, dtype)
    return shape, dtype


@op(_power, promotes="same", opmath=True, broadcasts=True)
def pow(xp, out, x, y):
    """input to the power of exponent, with broadcasting and type promotion."""
    if isinstance(y, (int, float)) and y == 2:
        xp.multiply(x, x, out)  # many times faster than the general power, and as exact
    elif out.dtype.kind == "i" and not isinstance(y, int):
        # A negative power of an integer is 0, but for 1 and -1, which are their own inverses.
        xp.power(x, xp.absolute(y), out)
        xp.multiply(out, (y >= 0) | (x * x == 1), out)
    else:
        xp.power(x, y, out)


pow.unwrapped = 1  # _power refuses such an exponent


@pow.gradient(needs=("x y", "result x y"))
def _(g, result, x, y):
    def base():
        if isinstance(y, (int, float)):
            return g * (y * pow(x, y - 1)) if y != 0 else zeros_like_gradient(g)
        return where(y == 0, 0.0, g * (y * pow(x, y - 1)))

    def exponent():  # d/dy x^y = x^y log x; 0 where x = 0 and y >= 0
        if isinstance(x, (int, float)):
            if x > 0:
                return g * result * math.log(x)
            return g * (where(y >= 0, 0.0, result * -math.inf) if x == 0 else result * math.nan)
        return g * where((x == 0) & (y >= 0), 0.0, result * log(x))

    return base, exponent


def float_power(input, exponent):
    """input to the power of exponent, in float64."""
    return pow(*(x.double() if is_tensor(x) else float(x) for x in (input, exponent)))


@op(same)
def neg(xp, out, x):
    """-input."""
    if out.dtype == BOOL_NP:
        raise RuntimeError("neg: the sign of a bool tensor cannot be changed; use ~ or logical_not to invert it")
    xp.negative(x, out)


@neg.gradient
def _(g, _y, _x):
    return (-g,)


@op(same)
def abs(xp, out, x):
    """The absolute value."""
    xp.absolute(x, out)


@abs.gradient
def _(g, _, x):
    return (g * sign(x),)


@op(binary, promotes="same", broadcasts=True, ufunc="maximum")
def maximum(xp, out, x, y):
    """The larger of two elements; NaN if either is. At a tie each input gets half of the gradient."""
    xp.maximum(x, y, out=out)


@op(binary, promotes="same", broadcasts=True, ufunc="minimum")
def minimum(xp, out, x, y):
    """The smaller of two elements; NaN if either is. At a tie each input gets half of the gradient."""
    xp.minimum(x, y, out=out)


def _without_nan(name, text, not_beaten):
    def body(xp, out, x, y):
        getattr(xp, name)(x, y, out)

    body.__name__, body.__doc__ = name, f"{text}; a number rather than NaN. At a tie the input gets the gradient."
    declared = op(binary, promotes="same", broadcasts=True)(body)

    @declared.gradient
    def _(g, _, x, y):
        first = logical_or(not_beaten(x, y), isnan(y))
        return lambda: where(first, g, 0.0), lambda: where(first, 0.0, g)

    return declared


fmax = _without_nan("fmax", "The larger of two elements", ge)
fmin = _without_nan("fmin", "The smaller of two elements", le)


def _share(g, x, y, loses):
    # What does not lose gets the gradient, half of it at a tie; where one is NaN neither loses, as in PyTorch.
    share = where(eq(x, y), g * 0.5, g)
    return lambda: where(loses(x, y), 0.0, share), lambda: where(loses(y, x), 0.0, share)


@maximum.gradient
def _(g, _, x, y):
    return _share(g, x, y, lt)


@minimum.gradient
def _(g, _, x, y):
    return _share(g, x, y, gt)


@op(same, promotes="same")
def clamp_op(xp, out, x, *, low, high):
    if low is None or high is None:  # CuPy's clip takes no None beside bfloat16
        xp.minimum(x, high, out=out) if low is None else xp.maximum(x, low, out=out)
    else:
        xp.clip(x, low, high, out=out)


@clamp_op.gradient
def _(g, _, x, *, low, high):
    return (where(_within(x, low, high), g, 0.0),)


def _within(x, low, high):
    if low is None or high is None:
        return ge(x, low) if high is None else le(x, high)
    return logical_and(ge(x, low), le(x, high))


@op(broadcasting, broadcasts=True)
def clamp_between(xp, out, x, low, high):
    if low is not None:
        x = xp.maximum(x, low)
    xp.copyto(out, x if high is None else xp.minimum(x, high))


@clamp_between.gradient
def _(g, _, x, low, high):
    below, above = low is not None and lt(x, low), high is not None and gt(x, high)
    if low is not None and high is not None:  # where they cross, the upper bound counts
        below, above = logical_and(below, le(low, high)), logical_or(above, gt(low, high))
    return lambda: where(_within(x, low, high), g, 0.0), lambda: where(below, g, 0.0), lambda: where(above, g, 0.0)


def clamp(input, min=None, max=None):
    """Every element brought into [min, max]; either may be None, a number or a tensor."""
    if min is None and max is None:
        raise RuntimeError("clamp: give at least one of min and max")
    if is_tensor(min) or is_tensor(max):
        return clamp_between(*promote([input, min, max]))
    dtype = input._array.dtype
    if category(dtype) != FLOAT:
        if isinstance(min, float) or isinstance(max, float):
            input = input.float()
        elif dtype == BOOL_NP:
            input = input.long() if int in (min.__class__, max.__class__) else input
        else:
            if dtype.kind == "u" and min is not None and min < 0:  # bounds nothing
                min = 0
            min, max = (bound if bound is None else fitted(bound, dtype) for bound in (min, max))
    return clamp_op(input, low=min, high=max)


def square(input):
    """input * input."""
    return pow(input, 2)


def clamp_min(input, min):
    """Every element, but no less than `min`, a number or a tensor."""
    return clamp(input, min=min)


def clamp_max(input, max):
    """Every element, but no more than `max`, a number or a tensor."""
    return clamp(input, max=max)


def positive(input):
    """+input: the tensor itself."""
    if input._array.dtype == BOOL_NP:
        raise RuntimeError("positive: + is not defined for bool tensors")
    return input


@op(binary, promotes="float", broadcasts=True)
def copysign(xp, out, x, y):
    """|input| with the sign of other."""
    xp.copysign(x, y, out)


@copysign.gradient
def _(g, result, x, _y):
    return lambda: where(eq(x, 0), 0.0, g * result / x), lambda: zeros_like_gradient(g)


@op(same)
def nan_to_num_op(xp, out, x, *, nan, posinf, neginf):
    xp.copyto(out, x)
    if out.dtype.kind not in "iub":
        xp.copyto(out, nan, where=x != x)
        xp.copyto(out, posinf, where=x == math.inf)
        xp.copyto(out, neginf, where=x == -math.inf)


@nan_to_num_op.gradient
def _(g, _, x, **_attrs):
    return (where(isfinite(x), g, 0.0),)


def nan_to_num(input, nan: float = 0.0, posinf: float | None = None, neginf: float | None = None):
    """NaN and the infinities replaced by numbers: by default 0, and the type's largest and smallest."""
    limit = float(ml_dtypes.finfo(input._array.dtype).max) if category(input._array.dtype) == FLOAT else 0.0
    return nan_to_num_op(input, nan=nan, posinf=limit if posinf is None else posinf,
                         neginf=-limit if neginf is None else neginf)


# PyTorch's other names for the same functions.
subtract, multiply, divide, negative, absolute, clip = sub, mul, div, neg, abs, clamp
