"""Elementary functions, element by element: exponentials, trigonometry, rounding."""

from __future__ import annotations

import math

from gpunet.dispatch import op
from gpunet.dtypes import FLOAT, category
from gpunet.ops.compare import eq, where
from gpunet.ops.rules import binary, floating, same

__all__ = ["acos", "acosh", "arccos", "arccosh", "arcsin", "arcsinh", "arctan", "arctan2", "arctanh", "asin", "asinh",
           "atan", "atan2", "atanh", "ceil", "cos", "cosh", "deg2rad", "exp", "exp2", "expm1", "fix", "floor", "frac",
           "hypot", "log", "log10", "log1p", "log2", "logaddexp", "logaddexp2", "rad2deg", "reciprocal", "round",
           "rsqrt", "sign", "sin", "sinh", "sqrt", "tan", "tanh", "trunc"]
IN_PLACE = [name for name in __all__ if name not in {"logaddexp", "logaddexp2"}]


def _unary(name, text, gradient=None, function=None, promotes="float"):
    """Declares an op that is one array-module function."""
    function = function or name

    def body(xp, out, x):
        getattr(xp, function)(x, out)

    body.__name__, body.__doc__ = name, text
    declared = op(same, promotes=promotes, ufunc=promotes and function)(body)
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
asinh = _unary("asinh", "The inverse hyperbolic sine.", lambda g, _, x: (g * rsqrt(x * x + 1),), "arcsinh")
acosh = _unary("acosh", "The inverse hyperbolic cosine.", lambda g, _, x: (g * rsqrt(x * x - 1),), "arccosh")
atanh = _unary("atanh", "The inverse hyperbolic tangent.", lambda g, _, x: (g / (1 - x * x),), "arctanh")
deg2rad = _unary("deg2rad", "Degrees as radians.", lambda g, _y, _x: (g * (math.pi / 180),))
rad2deg = _unary("rad2deg", "Radians as degrees.", lambda g, _y, _x: (g * (180 / math.pi),))


def _zero(g, _y, _x):
    return (zeros_like_gradient(g),)


def zeros_like_gradient(g):
    """Zeros also where g is NaN or infinite."""
    return g.new_zeros(g._array.shape)


floor = _unary("floor", "The largest integer not above.", _zero, promotes=None)
ceil = _unary("ceil", "The smallest integer not below.", _zero, promotes=None)
trunc = _unary("trunc", "The integer part, towards zero.", _zero, promotes=None)
round_op = _unary("round", "The nearest integer; halves go to the even one.", _zero, "rint", promotes=None)


@op(floating("frac"))
def frac(xp, out, x):
    """What comes after the point: x - trunc(x)."""
    xp.subtract(x, xp.trunc(x), out)


@frac.gradient
def _(g, _y, _x):
    return (g,)


@op(same)
def sign(xp, out, x):
    """-1, 0 or 1; 0 for NaN, as in PyTorch."""
    below = x < 0  # first: x may be the place of the result
    xp.copyto(out, x > 0)
    if out.dtype.kind != "b":
        out -= below


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


# ---- of two numbers


@op(binary, promotes="float", opmath=True, broadcasts=True)
def atan2(xp, out, x, y):
    """The angle of the point (other, input), from -pi to pi."""
    xp.arctan2(x, y, out)


@atan2.gradient
def _(g, _, x, y):
    square = x * x + y * y
    share = g / where(eq(square, 0), math.inf, square)  # in the origin 0, as in PyTorch
    return lambda: share * y, lambda: -share * x


@op(floating("hypot"), promotes="same", opmath=True, broadcasts=True)
def hypot(xp, out, x, y):
    """sqrt(input^2 + other^2), without overflow."""
    xp.hypot(x, y, out)


@hypot.gradient(needs=("result x", "result y"))
def _(g, result, x, y):
    return lambda: g * (x / result), lambda: g * (y / result)


def _log_of_sum(name, text, base):
    def body(xp, out, x, y):
        getattr(xp, name)(x, y, out)

    body.__name__, body.__doc__ = name, text
    declared = op(floating(name), promotes="same", opmath=True, broadcasts=True)(body)

    @declared.gradient
    def _(g, _, x, y):
        return lambda: g / (base(y - x) + 1), lambda: g / (base(x - y) + 1)

    return declared


logaddexp = _log_of_sum("logaddexp", "log(exp(input) + exp(other)), safe for any finite values.", exp)
logaddexp2 = _log_of_sum("logaddexp2", "log2(2^input + 2^other), safe for any finite values.", exp2)

# PyTorch's other names for the same functions.
arccos, arccosh, arcsin, arcsinh, arctan, arctanh, arctan2 = acos, acosh, asin, asinh, atan, atanh, atan2
fix = trunc
