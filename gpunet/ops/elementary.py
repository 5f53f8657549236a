"""The ops of elementary functions, element by element.

Their public functions are in exponentials.py, trigonometry.py and rounding.py.
"""

from __future__ import annotations

import math

from gpunet.dispatch import op
from gpunet.ops import elementwise, pointwise
from gpunet.ops.conditions import eq_op, where_op
from gpunet.ops.rules import accumulator, binary, broadcast, floating, same


def _unary(name, gradient, function=None, promotes: str | None = "float"):
    """Declares an op that is one array-module function."""
    function = function or name

    def body(xp, out, x):
        getattr(xp, function)(x, out)

    body.__name__ = name
    declared = op(same, promotes=promotes, ufunc=promotes and function, by_element=True)(body)
    declared.gradient(gradient)
    return declared


exp_op = _unary("exp", lambda g, y: (g * y,))
exp2_op = _unary("exp2", lambda g, y: (g * y * math.log(2),))
expm1_op = _unary("expm1", lambda g, y: (g * (y + 1),))
log_op = _unary("log", lambda g, _, x: (g / x,))
log2_op = _unary("log2", lambda g, _, x: (g / (x * math.log(2)),))
log10_op = _unary("log10", lambda g, _, x: (g / (x * math.log(10)),))
log1p_op = _unary("log1p", lambda g, _, x: (g / (x + 1),))
sqrt_op = _unary("sqrt", lambda g, y: (g / (y * 2),))
sin_op = _unary("sin", lambda g, _, x: (g * cos_op(x),))
cos_op = _unary("cos", lambda g, _, x: (-g * sin_op(x),))
tan_op = _unary("tan", lambda g, y: (g * (y * y + 1),))
asin_op = _unary("asin", lambda g, _, x: (g * rsqrt_op(1 - x * x),), "arcsin")
acos_op = _unary("acos", lambda g, _, x: (-g * rsqrt_op(1 - x * x),), "arccos")
atan_op = _unary("atan", lambda g, _, x: (g / (x * x + 1),), "arctan")
sinh_op = _unary("sinh", lambda g, _, x: (g * cosh_op(x),))
cosh_op = _unary("cosh", lambda g, _, x: (g * sinh_op(x),))
tanh_op = _unary("tanh", lambda g, y: (tanh_grad_op(g, y),))
asinh_op = _unary("asinh", lambda g, _, x: (g * rsqrt_op(x * x + 1),), "arcsinh")
acosh_op = _unary("acosh", lambda g, _, x: (g * rsqrt_op(x * x - 1),), "arccosh")
atanh_op = _unary("atanh", lambda g, _, x: (g / (1 - x * x),), "arctanh")
deg2rad_op = _unary("deg2rad", lambda g, _y, _x: (g * (math.pi / 180),))
rad2deg_op = _unary("rad2deg", lambda g, _y, _x: (g * (180 / math.pi),))


@op(lambda x, n: (broadcast(x.shape, n.shape), x.dtype), broadcasts=True)
def ldexp_op(xp, out, x, n):
    """x * 2^n, n of any type, with no overflow on the way."""
    wide = x.astype(accumulator(x.dtype), copy=False)
    if n.dtype.kind not in "iub":
        n = xp.clip(n.astype(accumulator(n.dtype), copy=False), -_MOST, _MOST)  # infinities and beyond
        whole = xp.floor(n)
        wide, n = wide * xp.exp2(n - whole), xp.where(n == n, whole, 0)  # of NaN the factor is NaN
    xp.copyto(out, xp.ldexp(wide, xp.clip(n, -_MOST, _MOST).astype("i4")), casting="unsafe")


_MOST = 5000  # what no exponent of a double number reaches


@ldexp_op.gradient
def _(g, y, _x, n):
    return ldexp_op(g, n), lambda: (g * y * math.log(2)).to(n.dtype)


def _zero(g, _y, _x):
    return (zeros_like_gradient(g),)


def zeros_like_gradient(g):
    """Zeros also where g is NaN or infinite."""
    return g.new_zeros(g._array.shape)


floor_op = _unary("floor", _zero, promotes=None)
ceil_op = _unary("ceil", _zero, promotes=None)
trunc_op = _unary("trunc", _zero, promotes=None)
round_op = _unary("round", _zero, "rint", promotes=None)


@op(floating("frac"), by_element=True)
def frac_op(xp, out, x):
    xp.subtract(x, xp.trunc(x), out)


@frac_op.gradient
def _(g, _y, _x):
    return (g,)


@op(same)
def sign_op(xp, out, x):  # of NaN 0, as in PyTorch
    below = x < 0  # first: x may be the place of the result
    xp.copyto(out, x > 0)
    if out.dtype.kind != "b":
        out -= below


sign_op.gradient(_zero)


@op(same, promotes="float")
def rsqrt_op(xp, out, x):
    xp.sqrt(x, out)
    xp.divide(1, out, out)


@rsqrt_op.gradient
def _(g, y):
    return (g * (y * y * y) * -0.5,)


@op(same, promotes="float")
def reciprocal_op(xp, out, x):
    xp.divide(1, x, out)


@reciprocal_op.gradient
def _(g, y):
    return (-g * y * y,)


@op(binary)
def tanh_grad_op(xp, out, g, y):
    """g * (1 - y * y)."""
    wide = accumulator(y.dtype)
    y = y.astype(wide, copy=False)
    xp.copyto(out, g.astype(wide, copy=False) * (1 - y * y), casting="unsafe")


@tanh_grad_op.gradient
def _(v, _, g, y):
    return lambda: tanh_grad_op(v, y), lambda: v * g * y * -2


for _each in (floor_op, ceil_op, trunc_op, sign_op, exp2_op, expm1_op, log1p_op, log2_op):
    pointwise.declare(_each)
elementwise.native(exp_op, log_op, sqrt_op, tanh_op, tanh_grad_op, rsqrt_op, reciprocal_op)


# ---- of two numbers


@op(binary, promotes="float", opmath=True, broadcasts=True)
def atan2_op(xp, out, x, y):
    xp.arctan2(x, y, out)


@atan2_op.gradient
def _(g, _, x, y):
    square = x * x + y * y
    share = g / where_op(eq_op(square, 0), math.inf, square)  # in the origin 0, as in PyTorch
    return lambda: share * y, lambda: -share * x


@op(floating("hypot"), promotes="same", opmath=True, broadcasts=True, by_element=True)
def hypot_op(xp, out, x, y):
    xp.hypot(x, y, out)


@hypot_op.gradient(needs=("result x", "result y"))
def _(g, result, x, y):
    return lambda: g * (x / result), lambda: g * (y / result)


def _log_of_sum(name, base):
    def body(xp, out, x, y):
        getattr(xp, name)(x, y, out)

    body.__name__ = name
    declared = op(floating(name), promotes="same", opmath=True, broadcasts=True, by_element=True)(body)

    @declared.gradient
    def _(g, _, x, y):
        return lambda: g / (base(y - x) + 1), lambda: g / (base(x - y) + 1)

    return declared


logaddexp_op = _log_of_sum("logaddexp", exp_op)
logaddexp2_op = _log_of_sum("logaddexp2", exp2_op)
