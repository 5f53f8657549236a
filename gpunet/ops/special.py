"""The error function and the gamma function with their relatives; the numerics are in approximation.py."""

from __future__ import annotations

import math

from gpunet.dispatch import op
from gpunet.ops import approximation
from gpunet.ops.elementary import exp
from gpunet.ops.rules import same

__all__ = ["digamma", "erf", "erfc", "erfinv", "lgamma", "polygamma"]
IN_PLACE = ["digamma", "erf", "erfc", "erfinv", "lgamma"]

_TWO_OVER_SQRT_PI = 2 / math.sqrt(math.pi)


def _declare(name, text, gradient):
    """An op that is one function of approximation.py."""

    def body(xp, out, x):
        getattr(approximation, name)(xp, out, x)

    body.__name__, body.__doc__ = name, text
    declared = op(same, promotes="float")(body)
    declared.gradient(gradient)
    return declared


erf = _declare("erf", "The error function, 2/sqrt(pi) times the integral of exp(-t^2) from 0 to x.",
               lambda g, _, x: (g * exp(-x * x) * _TWO_OVER_SQRT_PI,))
erfc = _declare("erfc", "1 - erf(x), exact where that is small.",
                lambda g, _, x: (g * exp(-x * x) * -_TWO_OVER_SQRT_PI,))
erfinv = _declare("erfinv", "The inverse of the error function, on [-1, 1].",
                  lambda g, y: (g * exp(y * y) / _TWO_OVER_SQRT_PI,))
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


METHODS = {"polygamma": lambda input, n: polygamma(n, input)}
