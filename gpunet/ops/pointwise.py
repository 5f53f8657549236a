"""Arithmetic, comparison and elementary functions, element by element."""

from __future__ import annotations

import math

import numpy as np

from gpunet.dispatch import op, promote
from gpunet.dtypes import BOOL_NP, FLOAT, category, public, result_type, scalar_type
from gpunet.ops.rules import binary, compare, predicate, same

__all__ = ["abs", "absolute", "acos", "add", "asin", "atan", "bitwise_and", "bitwise_not", "bitwise_or", "bitwise_xor",
           "ceil", "clamp", "clip", "cos", "cosh", "div", "divide", "eq", "exp", "exp2", "expm1", "floor",
           "floor_divide", "ge", "gt", "isfinite", "isinf", "isnan", "le", "log", "log10", "log1p", "log2",
           "logical_and", "logical_not", "logical_or", "logical_xor", "lt", "maximum", "minimum", "mul", "multiply",
           "ne", "neg", "negative", "pow", "reciprocal", "remainder", "round", "rsqrt", "sign", "sin", "sinh", "sqrt",
           "square", "sub", "subtract", "tan", "tanh", "true_divide", "trunc", "where"]
# Those that also store their result in their first operand, as `exp_` (see tensor.py).
IN_PLACE = ["abs", "absolute", "acos", "asin", "atan", "bitwise_and", "bitwise_not", "bitwise_or", "bitwise_xor",
            "ceil", "clamp", "clip", "cos", "cosh", "div", "divide", "eq", "exp", "exp2", "expm1", "floor",
            "floor_divide", "ge", "gt", "le", "log", "log10", "log1p", "log2", "logical_and", "logical_not",
            "logical_or", "logical_xor", "lt", "mul", "multiply", "ne", "neg", "negative", "pow", "reciprocal",
            "remainder", "round", "rsqrt", "sign", "sin", "sinh", "sqrt", "square", "subtract", "tan", "tanh",
            "true_divide", "trunc"]

# ---- arithmetic ----------------------------------------------------------------------------------------------------


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


# PyTorch's other names for the same functions.
subtract, multiply, divide, negative, absolute, clip = sub, mul, div, neg, abs, clamp


# ---- comparison and logic ------------------------------------------------------------------------------------------


def _comparison(name, function, text):
    def body(xp, out, x, y):
        getattr(xp, function)(x, y, out)

    body.__name__, body.__doc__ = name, f"Whether {text}, element by element: a bool tensor."
    return op(compare, promotes="same", differentiable=False)(body)


eq = _comparison("eq", "equal", "input == other")
ne = _comparison("ne", "not_equal", "input != other")
lt = _comparison("lt", "less", "input < other")
le = _comparison("le", "less_equal", "input <= other")
gt = _comparison("gt", "greater", "input > other")
ge = _comparison("ge", "greater_equal", "input >= other")
logical_and = _comparison("logical_and", "logical_and", "both are nonzero")
logical_or = _comparison("logical_or", "logical_or", "one of both is nonzero")
logical_xor = _comparison("logical_xor", "logical_xor", "exactly one of both is nonzero")


@op(predicate, differentiable=False)
def logical_not(xp, out, x):
    """Whether the element is zero."""
    xp.logical_not(x, out)


def _integral(x, y, **_):
    shape, dtype = binary(x, y)
    if category(dtype) == FLOAT:
        raise RuntimeError(f"bitwise operations are defined for integers and bool, not for {public(dtype)}")
    return shape, dtype


def _bitwise(name, function):
    def body(xp, out, x, y):
        getattr(xp, function)(x, y, out)

    body.__name__, body.__doc__ = name, f"`{function}` of integers or bools, element by element."
    return op(_integral, promotes="same", differentiable=False)(body)


bitwise_and = _bitwise("bitwise_and", "bitwise_and")
bitwise_or = _bitwise("bitwise_or", "bitwise_or")
bitwise_xor = _bitwise("bitwise_xor", "bitwise_xor")


def _invertible(x):
    if category(x.dtype) == FLOAT:
        raise TypeError(f"bitwise_not: ~ is defined for integers and bool, not for {public(x.dtype)}")
    return x.shape, x.dtype


@op(_invertible, differentiable=False)
def bitwise_not(xp, out, x):
    """Every bit inverted; for bool, logical not."""
    xp.invert(x, out)


def _predicate(name, text):
    def body(xp, out, x):
        if out.size and category(x.dtype) != FLOAT:
            out[...] = name == "isfinite"
        else:
            getattr(xp, name)(x, out=out)

    body.__name__, body.__doc__ = name, f"Whether the element is {text}."
    return op(predicate, differentiable=False)(body)


isnan = _predicate("isnan", "not a number")
isinf = _predicate("isinf", "infinite")
isfinite = _predicate("isfinite", "neither infinite nor NaN")


# ---- elementary functions ------------------------------------------------------------------------------------------


def _unary(name, text, gradient=None, function=None, promotes="float"):
    """Declares an op that is one array-module function."""
    function = function or name

    def body(xp, out, x):
        getattr(xp, function)(x, out)

    body.__name__, body.__doc__ = name, text
    declared = op(same, promotes=promotes)(body)
    if gradient is not None:
        declared.gradient(gradient)
    return declared


exp = _unary("exp", "e to the power of each element.", lambda g, y: (g * y,))
exp2 = _unary("exp2", "2 to the power of each element.", lambda g, y: (g * y * math.log(2),))
expm1 = _unary("expm1", "exp(x) - 1, exact near 0.", lambda g, y: (g * (y + 1),))
log = _unary("log", "The natural logarithm.", lambda g, _, x: (g / x,))
log2 = _unary("log2", "The logarithm to base 2.", lambda g, _, x: (g / (x * math.log(2)),))
log10 = _unary("log10", "The logarithm to base 10.", lambda g, _, x: (g / (x * math.log(10)),))
log1p = _unary("log1p", "log(1 + x), exact near 0.", lambda g, _, x: (g / (x + 1),))
sqrt = _unary("sqrt", "The square root.", lambda g, y: (g / (y * 2),))
sin = _unary("sin", "The sine.", lambda g, _, x: (g * cos(x),))
cos = _unary("cos", "The cosine.", lambda g, _, x: (-g * sin(x),))
tan = _unary("tan", "The tangent.", lambda g, y: (g * (y * y + 1),))
asin = _unary("asin", "The inverse sine.", lambda g, _, x: (g * rsqrt(1 - x * x),), "arcsin")
acos = _unary("acos", "The inverse cosine.", lambda g, _, x: (-g * rsqrt(1 - x * x),), "arccos")
atan = _unary("atan", "The inverse tangent.", lambda g, _, x: (g / (x * x + 1),), "arctan")
sinh = _unary("sinh", "The hyperbolic sine.", lambda g, _, x: (g * cosh(x),))
cosh = _unary("cosh", "The hyperbolic cosine.", lambda g, _, x: (g * sinh(x),))
tanh = _unary("tanh", "The hyperbolic tangent.", lambda g, y: (g * (1 - y * y),))


def _zero(g, _y, _x):
    return (zeros_like_gradient(g),)


def zeros_like_gradient(g):
    return g * 0


floor = _unary("floor", "The largest integer not above.", _zero, promotes=None)
ceil = _unary("ceil", "The smallest integer not below.", _zero, promotes=None)
trunc = _unary("trunc", "The integer part, towards zero.", _zero, promotes=None)
round_op = _unary("round", "The nearest integer; halves go to the even one.", _zero, "rint", promotes=None)


@op(same)
def sign(xp, out, x):
    """-1, 0 or 1; 0 for NaN, as in PyTorch."""
    xp.copyto(out, x > 0)
    if out.dtype.kind != "b":
        out -= x < 0


sign.gradient(_zero)


def round(input, *, decimals=0):
    """Rounded to the nearest integer, or to `decimals` places; halves go to the even neighbour."""
    if decimals == 0:
        return round_op(input) if category(input._array.dtype) == FLOAT else input.clone()
    scale = 10.0**decimals
    return round_op(input * scale) / scale


@op(same, promotes="float")
def rsqrt(xp, out, x):
    """1 / sqrt(x)."""
    xp.sqrt(x, out)
    xp.divide(1, out, out)


@rsqrt.gradient
def _(g, y):
    return (g * (y * y * y) * -0.5,)


@op(same, promotes="float")
def reciprocal(xp, out, x):
    """1 / x."""
    xp.divide(1, x, out)


@reciprocal.gradient
def _(g, y):
    return (-g * y * y,)


def square(input):
    """input * input."""
    return pow(input, 2)


# ---- selection -----------------------------------------------------------------------------------------------------


def _where(condition, x, y):
    if condition.dtype != BOOL_NP:
        raise RuntimeError(f"where: the condition must be a bool tensor, got {public(condition.dtype)}; "
                           "compare it with something first")
    shape, dtype = binary(x, y)
    return binary(condition, np.broadcast_to(np.False_, shape))[0], dtype


@op(_where, broadcasts=True)
def where_op(xp, out, condition, x, y):
    # copyto with a mask reads every number once and needs no temporary.
    xp.copyto(out, y)
    xp.copyto(out, x, where=condition)


@where_op.gradient
def _(g, _y, condition, _a, _b):
    return None, lambda: where_op(condition, g, g.new_zeros(())), lambda: where_op(condition, g.new_zeros(()), g)


def where(condition, input, other):
    """`input` where the condition holds, else `other`; all three broadcast, the two values share their type."""
    if not (hasattr(input, "_array") or hasattr(other, "_array")):
        dtype = public(result_type((scalar_type(input), 0), (scalar_type(other), 0)))
        input = condition.new_full((), input, dtype=dtype)
    return where_op(condition, *promote([input, other]))
