"""The error function, the gamma function, and other special functions; the numerics are in approximation.py."""

from __future__ import annotations

import math

from gpunet.dispatch import is_tensor, op
from gpunet.ops import approximation
from gpunet.ops.compare import eq, gt, le, logical_and, logical_or, lt, where
from gpunet.ops.elementary import cos, exp, log, sin
from gpunet.ops.inplace import inplace
from gpunet.ops.rules import accumulator, binary, same

__all__ = ["digamma", "erf", "erfc", "erfinv", "lgamma", "logit", "polygamma", "sinc", "xlogy"]
IN_PLACE = [name for name in __all__ if name != "polygamma"]

_TWO_OVER_SQRT_PI = 2 / math.sqrt(math.pi)


def _declare(name, text, gradient, **options):
    """An op that is one function of approximation.py."""

    def body(xp, out, x):
        getattr(approximation, name)(xp, out, x)

    body.__name__, body.__doc__ = name, text
    declared = op(same, promotes="float")(body)
    declared.gradient(gradient, **options)
    return declared


erf = _declare("erf", "The error function, 2/sqrt(pi) times the integral of exp(-t^2) from 0 to x.",
               lambda g, _, x: (g * exp(-x * x) * _TWO_OVER_SQRT_PI,))
erfc = _declare("erfc", "1 - erf(x), exact where that is small.",
                lambda g, _, x: (g * exp(-x * x) * -_TWO_OVER_SQRT_PI,))
erfinv = _declare("erfinv", "The inverse of the error function, on [-1, 1].",
                  lambda g, y, _x: (g * exp(y * y) / _TWO_OVER_SQRT_PI,), repeatable=True)
lgamma = _declare("lgamma", "The logarithm of the absolute value of the gamma function.",
                  lambda g, _, x: (g * digamma(x),))


@op(same, promotes="float")
def polygamma_op(xp, out, x, *, n):
    approximation.polygamma(n)(xp, out, x)


@polygamma_op.gradient
def _(g, _, x, *, n):
    return (g * polygamma(n + 1, x),)


def polygamma(n: int, input):
    """The n-th derivative of digamma: n = 0 is `digamma` itself, n = 1 the trigamma function."""
    if n < 0:
        raise RuntimeError(f"polygamma: n must not be negative, got {n}")
    return polygamma_op(input, n=n)


def digamma(input):
    """The derivative of lgamma."""
    return polygamma_op(input, n=0)


@op(same, promotes="float")
def sinc(xp, out, x):
    """sin(pi x) / (pi x), 1 at 0."""
    angle = x.astype(accumulator(x.dtype), copy=False) * math.pi
    out[...] = xp.where(angle == 0, 1.0, xp.sin(angle) / angle)


@sinc.gradient
def _(g, _, x):
    angle = x * math.pi
    square = angle * x  # 0 also where x is too small to be squared
    return (where(eq(square, 0), 0.0, g * ((angle * cos(angle) - sin(angle)) / square)),)


@op(binary, promotes="float", opmath=True, broadcasts=True)
def xlogy(xp, out, x, y):
    """input * log(other); 0 where the input is 0, but for a NaN in other."""
    wide = accumulator(out.dtype)
    x = x if isinstance(x, (int, float)) else x.astype(wide, copy=False)
    y = y if isinstance(y, (int, float)) else y.astype(wide, copy=False)
    xp.copyto(out, xp.where((x == 0) & (y == y), 0.0, x * xp.log(y)), casting="unsafe")


@xlogy.gradient(needs=("x y", "x y"))
def _(g, _, x, y):
    def by_x():
        if is_tensor(y):
            return where(logical_and(eq(x, 0), le(y, 0)), 0.0, g * log(y))
        logarithm = math.log(y) if y > 0 else -math.inf if y == 0 else math.nan
        return where(eq(x, 0), 0.0, g * logarithm) if y <= 0 else g * logarithm

    return by_x, lambda: g * (x / y)  # a number x may be beyond a half type's range, which x / y is not


@op(same, promotes="float")
def logit_op(xp, out, x, *, eps):
    wide = x.astype(accumulator(x.dtype), copy=False)
    if eps is not None:
        wide = xp.clip(wide, eps, 1 - eps)
    out[...] = xp.log(wide / (1 - wide))


@logit_op.gradient
def _(g, _, x, *, eps):
    low, high, outside = (0.0, 1.0, math.nan) if eps is None else (eps, 1 - eps, 0.0)
    return (where(logical_or(lt(x, low), gt(x, high)), outside, g / (x * (1 - x))),)


def logit(input, eps: float | None = None):
    """log(x / (1 - x)), the inverse of sigmoid; with `eps` the input is first brought into [eps, 1 - eps]."""
    return logit_op(input, eps=eps)


METHODS = {"polygamma": lambda input, n: polygamma(n, input),
           "polygamma_": lambda input, n: inplace(polygamma_op, input, n=n)}
