"""Elementary functions, element by element: exponentials, trigonometry, rounding."""

from __future__ import annotations

import math

from gpunet.dispatch import op
from gpunet.dtypes import FLOAT, category
from gpunet.ops.rules import same

__all__ = ["acos", "asin", "atan", "ceil", "cos", "cosh", "exp", "exp2", "expm1", "floor", "log", "log10", "log1p",
           "log2", "reciprocal", "round", "rsqrt", "sign", "sin", "sinh", "sqrt", "tan", "tanh", "trunc"]
IN_PLACE = __all__


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
