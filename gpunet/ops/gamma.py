"""Random numbers of the gamma distribution, and how they move with its parameter."""

from __future__ import annotations

import math

from numpy import finfo

from gpunet.dispatch import Mismatch, op, promote
from gpunet.dtypes import FLOAT64_NP, public
from gpunet.ops import approximation
from gpunet.ops.broadcasting import broadcast_tensors
from gpunet.ops.random import rand, randn
from gpunet.ops.rules import accumulator, same
from gpunet.ops.special import xlogy_op

__all__ = []  # for gpunet.distributions; PyTorch has no public name for them

# So many proposals are drawn for each number, at once: at least 95 % of proposals are accepted, so that all are refused
# less than once in 10^10. Without a loop until all are served nothing waits for the device, and steps can be recorded.
_PROPOSALS = 8


def _sampled(alpha, normals, uniforms):
    if normals.shape != (_PROPOSALS, *alpha.shape) or uniforms.shape != (_PROPOSALS + 1, *alpha.shape):
        raise Mismatch("the random numbers do not fit")
    return alpha.shape, alpha.dtype


@op(_sampled)
def standard_gamma_op(xp, out, alpha, normals, uniforms):
    """Gamma numbers of rate 1 from standard normal and uniform ones: G. Marsaglia and W. Tsang, "A simple method for
    generating gamma variables" (2000), with their step from alpha + 1 to alpha below 1."""
    small = alpha < 1
    d = xp.where(small, alpha + 1, alpha) - alpha.dtype.type(1 / 3)
    c = 1 / xp.sqrt(9 * d)
    value = xp.ones(alpha.shape, alpha.dtype)
    for k in range(_PROPOSALS - 1, -1, -1):  # the first that is accepted counts
        normal = normals[k]
        v = (1 + c * normal) ** 3
        bound = 0.5 * normal * normal + d * (1 - v + xp.log(xp.where(v > 0, v, 1)))
        value = xp.where((v > 0) & (xp.log(1 - uniforms[k]) < bound), v, value)
    factor = xp.where(small, xp.log(1 - uniforms[_PROPOSALS]) / alpha, 0)
    smallest = finfo(alpha.dtype).tiny  # 0 is outside of the distribution
    out[...] = xp.maximum(d * value * xp.exp(factor), smallest)


@standard_gamma_op.gradient
def _(g, y, alpha, _normals, _uniforms):
    return g * standard_gamma_grad(alpha, y), None, None


_TERMS, _LARGE = 160, 48.0  # of the series, and up to which alpha so many are enough


@op(same, differentiable=False)
def standard_gamma_grad(xp, out, alpha, x):
    """dx / dalpha along which a gamma number x keeps its place in the distribution: -(dP/dalpha) / (dP/dx), P being the
    distribution function (implicit reparameterization: Figurnov et al., 2018).

    Up to alpha = 48 by the series P = x^alpha e^-x sum_n x^n / Gamma(alpha + n + 1), differentiated term by term, to
    nine digits; above by an asymptotic expansion, to four.
    """
    alpha, x = alpha.astype(FLOAT64_NP), x.astype(FLOAT64_NP)
    a, logarithm = xp.minimum(alpha, _LARGE), xp.log(x)
    psi = xp.empty(a.shape, FLOAT64_NP)
    approximation.polygamma(0)(xp, psi, a + 1)
    term = 1 / a
    total = term * (logarithm - psi)
    for n in range(1, _TERMS):
        term = term * (x / (a + n))
        psi = psi + 1 / (a + n)
        total = total + term * (logarithm - psi)
    out[...] = xp.where(alpha <= _LARGE, -x * total, _of_large(xp, alpha, x))


def _of_large(xp, a, x):
    """Rice's saddle point expansion of P; near its saddle, at x = alpha, by Taylor polynomials (as in PyTorch)."""
    first = 1 + 24 * a * (1 + 12 * a)
    second = 1440 * a * a + 6 * x * (53 - 120 * x) - 65 * x * x / a + a * (107 + 3600 * x)
    near = first / (1244160 * a * a) * (second / (a * a))
    distance = xp.where(x == a, 1, a - x)
    size = xp.sqrt(8 * a)
    curve = xp.absolute(x - a - a * xp.log(x / a)) ** -1.5
    slope = size / distance - xp.copysign(curve, distance)
    slope = xp.log(x / a) * slope - xp.sqrt(2 / a) * (a + x) / distance**2
    far = -(1 + (1 + 1 / (24 * a)) / (12 * a)) * x * slope / size
    return xp.where(xp.absolute(x - a) <= 0.1 * a, near, far)


# ---- the distribution function --------------------------------------------------------------------------------------

_STEPS, _MANY = 220, 200.0  # of series and continued fraction, and up to which a so many are enough


@op(same)
def gammainc_op(xp, out, a, x):
    """The regularized lower incomplete gamma function P(a, x).

    Up to a = 200 by its series where x < a + 1 (Abramowitz and Stegun 6.5.29), else by the continued fraction of 1 - P
    (6.5.31), to 13 digits; above by N. Temme's uniform asymptotic expansion (1979), to 8 places.
    """
    a, x = a.astype(FLOAT64_NP), x.astype(FLOAT64_NP)
    b = xp.minimum(a, _MANY)
    small = x < b + 1
    near, far = xp.where(small, x, b + 1), xp.where(small, b + 1, x)
    term = 1 / b
    total = term
    for n in range(1, _STEPS):
        term = term * (near / (b + n))
        total = total + term
    level = far + 1 - b
    c, d = xp.full(a.shape, 1e300), 1 / level
    fraction = d
    for n in range(1, _STEPS):  # Lentz's method
        above = n * (b - n)
        level = level + 2
        d = 1 / (above * d + level)
        c = level + above / c
        fraction = fraction * (d * c)
    size = xp.empty(a.shape, FLOAT64_NP)
    approximation.lgamma(xp, size, b)
    front = xp.exp(b * xp.log(x) - x - size)
    found = xp.where(a > _MANY, _temme(xp, a, x), xp.where(small, front * total, 1 - front * fraction))
    out[...] = xp.where(x <= 0, 0, xp.where(x == math.inf, 1, found))


def _temme(xp, a, x):
    middle = x == a
    u = xp.where(middle, 1, x / a - 1)
    half = u - xp.log1p(u)
    eta = xp.copysign(xp.sqrt(2 * half), u)
    close = xp.absolute(u) < 0.02  # where the formulas' large terms cancel: their Taylor series
    first = xp.where(close, -1 / 3 + eta / 12 - 2 * eta**2 / 135 + eta**3 / 864, 1 / u - 1 / eta)
    second = xp.where(close, -1 / 540 - eta / 288 + eta**2 / 378, eta**-3 - u**-3 - u**-2 - 1 / (12 * u))
    first, second = xp.where(middle, -1 / 3, first), xp.where(middle, -1 / 540, second)
    eta, half = xp.where(middle, 0, eta), xp.where(middle, 0, half)
    tail = xp.empty(a.shape, FLOAT64_NP)
    approximation.erfc(xp, tail, -eta * xp.sqrt(a / 2))
    return 0.5 * tail - xp.exp(-a * half) / xp.sqrt(2 * math.pi * a) * (first + second / a)


@gammainc_op.gradient
def _(g, _y, a, x):
    density = g * (xlogy_op(a - 1, x) - x - a.lgamma()).exp()
    return lambda: -density * standard_gamma_grad(a, x), lambda: density


def gammainc(a, x):
    """P(a, x); the two broadcast."""
    return gammainc_op(*broadcast_tensors(*promote([a, x], True)))


# ---- for distributions ---------------------------------------------------------------------------------------------


def standard_gamma(concentration):
    """A gamma number of rate 1 for each concentration, through which gradients flow to it. float32 or float64; half
    types are rounded from float32."""
    kind = public(accumulator(concentration._array.dtype))
    alpha = concentration.to(kind)
    normals = randn((_PROPOSALS, *alpha.shape), dtype=kind, device=alpha.device)
    uniforms = rand((_PROPOSALS + 1, *alpha.shape), dtype=kind, device=alpha.device)
    return standard_gamma_op(alpha, normals, uniforms).to(concentration.dtype)

