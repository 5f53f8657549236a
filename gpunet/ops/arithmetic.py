"""Arithmetic, element by element."""

from __future__ import annotations

import math

import numpy as np

from gpunet.dispatch import op
from gpunet.dtypes import BOOL_NP, FLOAT, category
from gpunet.ops.compare import eq, ge, gt, le, logical_and, lt, where
from gpunet.ops.elementary import log, sign, trunc
from gpunet.ops.rules import binary, same

__all__ = ["abs", "absolute", "add", "clamp", "clip", "div", "divide", "floor_divide", "maximum", "minimum", "mul",
           "multiply", "neg", "negative", "pow", "remainder", "square", "sub", "subtract", "true_divide"]
# `add_` and `sub_` are in inplace.py.
IN_PLACE = [name for name in __all__ if name not in {"add", "maximum", "minimum", "sub"}]


@op(binary, promotes="same", broadcasts=True)
def add_op(xp, out, x, y):
    xp.add(x, y, out)


@add_op.gradient
def _(g, _y, _a, _b):
    return g, g


@op(binary, promotes="same", broadcasts=True)
def sub_op(xp, out, x, y):
    if out.dtype == BOOL_NP:
        raise RuntimeError("sub: subtraction of two bool tensors is not defined; use logical_xor, or ~ to invert one")
    xp.subtract(x, y, out)


@sub_op.gradient
def _(g, _y, _a, _b):
    return g, lambda: -g


def add(input, other, *, alpha=1):
    """input + alpha * other, with broadcasting and type promotion."""
    return add_op(input, other if alpha == 1 else other * alpha)


def sub(input, other, *, alpha=1):
    """input - alpha * other, with broadcasting and type promotion."""
    return sub_op(input, other if alpha == 1 else other * alpha)


@op(binary, promotes="same", broadcasts=True)
def mul(xp, out, x, y):
    """input * other, with broadcasting and type promotion."""
    xp.multiply(x, y, out)


@mul.gradient(needs=("y", "x"))
def _(g, _, x, y):
    return lambda: g * y, lambda: g * x


@op(binary, promotes="float", broadcasts=True)
def true_divide(xp, out, x, y):
    """input / other; integers are divided as floating-point numbers."""
    xp.divide(x, y, out)


@true_divide.gradient(needs=("y", "x y"))
def _(g, _, x, y):
    return lambda: g / y, lambda: -g * x / (y * y)


@op(binary, promotes="same", broadcasts=True)
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
    return None, None


def div(input, other, *, rounding_mode=None):
    """input / other; rounding_mode None, "trunc" (towards zero) or "floor"."""
    if rounding_mode is None:
        return true_divide(input, other)
    if rounding_mode == "floor":
        return floor_divide(input, other)
    if rounding_mode != "trunc":
        raise RuntimeError(f"div: rounding_mode must be None, 'trunc' or 'floor', got {rounding_mode!r}")
    quotient = true_divide(input, other)
    wanted = mul(input, other).dtype  # the promoted type
    return trunc(quotient).to(wanted)


@op(binary, promotes="same", broadcasts=True)
def remainder(xp, out, x, y):
    """input - other * floor(input / other): the sign is the divisor's, as in Python."""
    _check_divisor(xp, out, y, "remainder")
    xp.remainder(x, y, out)


@remainder.gradient(needs=("", "x y"))
def _(g, _, x, y):
    return g, lambda: -g * floor_divide(x, y)


def _power(x, y, **_):
    shape, dtype = binary(x, y)
    if category(dtype) != FLOAT and isinstance(y, int) and not isinstance(y, bool) and y < 0:
        raise RuntimeError("pow: integers to negative integer powers are not allowed; convert the base with .float()")
    return shape, dtype


@op(_power, promotes="same", broadcasts=True)
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


@pow.gradient(needs=("x y", "result x y"))
def _(g, result, x, y):
    def base():
        if isinstance(y, (int, float)):
            return g * (y * pow(x, y - 1)) if y != 0 else g * 0
        return g * where(y == 0, 0.0, y * pow(x, y - 1))

    def exponent():  # d/dy x^y = x^y log x; 0 where x = 0 and y >= 0
        if isinstance(x, (int, float)):
            if x > 0:
                return g * result * math.log(x)
            return g * where((y >= 0) if x == 0 else y != y, 0.0, result * math.nan)
        return g * where((x == 0) & (y >= 0), 0.0, result * log(x))

    return base, exponent


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


@op(binary, promotes="same", broadcasts=True)
def maximum(xp, out, x, y):
    """The larger of two elements; NaN if either is. At a tie each input gets half of the gradient."""
    xp.maximum(x, y, out=out)


@op(binary, promotes="same", broadcasts=True)
def minimum(xp, out, x, y):
    """The smaller of two elements; NaN if either is. At a tie each input gets half of the gradient."""
    xp.minimum(x, y, out=out)


def _share(g, x, y, loses):
    # What does not lose gets the gradient, half of it at a tie; where one is NaN neither loses, as in PyTorch.
    half_tie = eq(x, y).to(g.dtype) * 0.5
    return lambda: g * (1 - loses(x, y).to(g.dtype) - half_tie), lambda: g * (1 - loses(y, x).to(g.dtype) - half_tie)


@maximum.gradient
def _(g, _, x, y):
    return _share(g, x, y, lt)


@minimum.gradient
def _(g, _, x, y):
    return _share(g, x, y, gt)


@op(same, promotes="same")
def clamp_op(xp, out, x, *, low, high):
    xp.clip(x, low, high, out=out)


@clamp_op.gradient
def _(g, _, x, *, low, high):
    inside = None if low is None else ge(x, low)
    if high is not None:
        inside = le(x, high) if inside is None else logical_and(inside, le(x, high))
    return (g * inside.to(g.dtype),)


def clamp(input, min=None, max=None):
    """Every element brought into [min, max]; either may be None, a number or a tensor."""
    if min is None and max is None:
        raise RuntimeError("clamp: give at least one of min and max")
    if hasattr(min, "_array") or hasattr(max, "_array"):
        input = input if min is None else maximum(input, min)
        return input if max is None else minimum(input, max)
    if category(input._array.dtype) != FLOAT and (isinstance(min, float) or isinstance(max, float)):
        input = input.float()
    return clamp_op(input, low=min, high=max)


def square(input):
    """input * input."""
    return pow(input, 2)


# PyTorch's other names for the same functions.
subtract, multiply, divide, negative, absolute, clip = sub, mul, div, neg, abs, clamp
