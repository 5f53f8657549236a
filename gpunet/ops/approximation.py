"""Special functions of arrays, which NumPy does not have and CuPy has elsewhere: `function(xp, out, x)` fills `out`.

The formulas are Cephes' (S. Moshier, "Methods and Programs for Mathematical Functions", 1989; netlib.org/cephes) and
the classical series of Abramowitz and Stegun, "Handbook of Mathematical Functions" (A&S below).
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np

from gpunet.dtypes import FLOAT64_NP
from gpunet.ops.rules import accumulator

_BLOCK = 8192  # elements worked on at a time, so that the intermediate values stay in the processor's cache


def _special(formula, in_cupyx: str | None, wide=lambda dtype: FLOAT64_NP):
    """A function(xp, out, x) for floating-point arrays of any type; out may be x. CuPy may have a kernel of its own;
    elsewhere `formula(xp, x)` is evaluated in the type that `wide` gives."""

    def function(xp, out, x):
        if in_cupyx and xp.__name__ == "cupy":
            import cupyx.scipy.special  # pyright: ignore[reportMissingImports] (an extra)

            x = x.astype(accumulator(x.dtype), copy=False)
            if in_cupyx == "gammaln":  # is -inf at -inf, as SciPy's; PyTorch's is inf, as at large numbers below 0
                x = xp.maximum(x, np.finfo(x.dtype).min)
            out[...] = getattr(cupyx.scipy.special, in_cupyx)(x)
            return
        kind = wide(x.dtype)
        if xp is np and x.size > _BLOCK and x.flags.c_contiguous and out.flags.c_contiguous:
            flat, result = x.reshape(-1), out.reshape(-1)
            for start in range(0, x.size, _BLOCK):
                result[start : start + _BLOCK] = formula(xp, flat[start : start + _BLOCK].astype(kind, copy=False))
        else:
            out[...] = formula(xp, x.astype(kind, copy=False))

    return function


def _polynomial(coefficients, x):
    """The polynomial with these coefficients, highest power first."""
    value = x * coefficients[0] + coefficients[1]
    for c in coefficients[2:]:
        value *= x
        value += c
    return value


# ---- the error function --------------------------------------------------------------------------------------------

# Cephes, ndtr.c; relative error below 4e-16. erf(x) = x T(x^2) / U(x^2) for |x| <= 1, and erfc(x) =
# exp(-x^2) P(x) / Q(x) for 1 <= x < 8, exp(-x^2) R(x) / S(x) from there on.
_T = (9.60497373987051638749, 9.00260197203842689217e1, 2.23200534594684319226e3, 7.00332514112805075473e3,
      5.55923013010394962768e4)
_U = (1.0, 3.35617141647503099647e1, 5.21357949780152679795e2, 4.59432382970980127987e3, 2.26290000613890934246e4,
      4.92673942608635921086e4)
_P = (2.46196981473530512524e-10, 5.64189564831068821977e-1, 7.46321056442269912687, 4.86371970985681366614e1,
      1.96520832956077098242e2, 5.26445194995477358631e2, 9.34528527171957607540e2, 1.02755188689515710272e3,
      5.57535335369399327526e2)
_Q = (1.0, 1.32281951154744992508e1, 8.67072140885989742329e1, 3.54937778887819891062e2, 9.75708501743205489753e2,
      1.82390916687909736289e3, 2.24633760818710981792e3, 1.65666309194161350182e3, 5.57535340817727675546e2)
_R = (5.64189583547755073984e-1, 1.27536670759978104416, 5.01905042251180477414, 6.16021097993053585195,
      7.40974269950448939160, 2.97886665372100240670)
_S = (1.0, 2.26052863220117276590, 9.39603524938001434673, 1.20489539808096656605e1, 1.70814450747565897222e1,
      9.60896809063285878198, 3.36907645100081516050)
_ONE = 6.0  # erf is 1 from here on, to the last digit of a double
_NOTHING = 28.0  # and erfc 0, but for denormal numbers


def _small_erf(x):
    square = x * x
    return x * _polynomial(_T, square) / _polynomial(_U, square)


def _erf(xp, x):
    size = xp.minimum(xp.absolute(x), _ONE)
    outer = 1.0 - xp.exp(-(size * size)) * _polynomial(_P, size) / _polynomial(_Q, size)
    return xp.copysign(xp.where(size <= 1.0, _small_erf(xp.minimum(size, 1.0)), outer), x)


def _erfc(xp, x):
    size = xp.minimum(xp.absolute(x), _NOTHING)
    middle = xp.minimum(size, 8.0)
    tail = xp.where(size < 8.0, _polynomial(_P, middle) / _polynomial(_Q, middle),
                    _polynomial(_R, size) / _polynomial(_S, size)) * xp.exp(-(size * size))
    tail = xp.where(x < 0, 2.0 - tail, tail)
    return xp.where(size <= 1.0, 1.0 - _small_erf(xp.clip(x, -1.0, 1.0)), tail)


def _erfcx(xp, x):
    size = xp.maximum(x, 1.0)
    middle = xp.minimum(size, 8.0)
    far = xp.where(size < 8.0, _polynomial(_P, middle) / _polynomial(_Q, middle),
                   _polynomial(_R, xp.minimum(size, 1e8)) / _polynomial(_S, xp.minimum(size, 1e8)))
    far = xp.where(size < 1e8, far, 1.0 / (size * math.sqrt(math.pi)))
    near = xp.minimum(x, 1.0)
    return xp.where(x > 1.0, far, xp.exp(near * near) * _erfc(xp, near))


# ---- the normal distribution, and entropy ----------------------------------------------------------------------------


def _ndtr(xp, x):
    return 0.5 * _erfc(xp, x * -math.sqrt(0.5))


def _log_ndtr(xp, x):
    low, high = xp.minimum(x, -1.0), xp.maximum(x, -1.0)
    tail = xp.log(0.5 * _erfcx(xp, low * -math.sqrt(0.5))) - 0.5 * low * low
    return xp.where(x < -1.0, tail, xp.log1p(-0.5 * _erfc(xp, high * math.sqrt(0.5))))


def _ndtri(xp, p):
    """From the nearer end: erfc(t) = 2 q for the smaller part q, by Newton's steps from erfinv's first value; in the
    tail for the logarithms of both."""
    q = xp.minimum(p, 1.0 - p)
    z = xp.sqrt(-xp.log(q))
    near = 1.0 - 2.0 * q
    tail = q < 0.15
    t = xp.where(tail, _polynomial(_C, z) / _polynomial(_D, z),
                 near * _polynomial(_A, near * near) / _polynomial(_B, near * near))
    for _ in range(3):
        scaled = _erfcx(xp, t)
        step = xp.where(tail, (xp.log(0.5 * scaled) - t * t - xp.log(q)) * scaled,
                        scaled - 2.0 * q * xp.exp(xp.minimum(t * t, 1.0)))
        t = t + step * (math.sqrt(math.pi) / 2)
    t = xp.where(q == 0, math.inf, t)  # NaN beyond, by the logarithm
    return xp.where(p < 0.5, -1.0, 1.0) * math.sqrt(2) * t


def _entr(xp, x):
    safe = xp.where(x > 0, x, 1.0)
    return xp.where(x > 0, -safe * xp.log(safe), xp.where(x == 0, 0.0, xp.where(x < 0, -math.inf, x)))


# A first value to three digits, P. Acklam's form as in Matlab's erfinv.m: y A(y^2) / B(y^2) for |y| <= 0.7, else
# C(z) / D(z) with z = sqrt(-log((1 - |y|) / 2)). Two of Newton's steps square its error twice.
_A = (-0.140543331, 0.914624893, -1.645349621, 0.886226899)
_B = (0.012229801, -0.329097515, 1.442710462, -2.118377725, 1.0)
_C = (1.641345311, 3.429567803, -1.624906493, -1.970840454)
_D = (1.637067800, 3.543889200, 1.0)


def _erfinv(xp, y):
    size = xp.absolute(y)
    near = xp.minimum(size, 0.7)
    far = xp.sqrt(-xp.log((1.0 - xp.maximum(size, 0.7)) * 0.5))
    far_value = _polynomial(_C, far) / _polynomial(_D, far)
    x = xp.where(size <= 0.7, near * _polynomial(_A, near * near) / _polynomial(_B, near * near), far_value)
    for _ in range(2):  # the difference is formed where it does not cancel
        error = xp.where(size <= 0.5, _erf(xp, x) - size, (1.0 - size) - _erfc(xp, x))
        x = x - error * (math.sqrt(math.pi) / 2) * xp.exp(x * x)
    x = xp.where(size == 1.0, math.inf, x)  # NaN beyond, by the logarithm
    return xp.copysign(x, y)


# ---- the gamma function --------------------------------------------------------------------------------------------

# Cephes, gamma.c: log(gamma(x)) = (x - 2) G(x - 2) / H(x - 2) for 2 <= x <= 3, exact near the zeros 1 and 2.
_G = (-1.37825152569120859100e3, -3.88016315134637840924e4, -3.31612992738871184744e5, -1.16237097492762307383e6,
      -1.72173700820839662146e6, -8.53555664245765465627e5)
_H = (1.0, -3.51815701436523470549e2, -1.70642106651881159223e4, -2.20528590553854454839e5, -1.13933444367982507207e6,
      -2.53252307177582951285e6, -2.01889141433532773231e6)
# Stirling's series (A&S 6.1.40), sum of B_2k / (2k (2k - 1) x^(2k - 1)): seven terms do from 8 on.
_BERNOULLI = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510)  # B_2, B_4 ...
_STIRLING = tuple(b / (2 * k * (2 * k - 1)) for k, b in enumerate(_BERNOULLI[:7], start=1))[::-1]
_FROM = 8.0


def _lgamma(xp, x):
    size = xp.where(x < 0, 1.0 - x, x)
    small = xp.clip(size, 0.0, _FROM)
    # gamma(x + 1) = x gamma(x) leads from small to 2 + rest
    rest = small - xp.floor(small)
    factor = xp.where(small < 1.0, small * (small + 1.0), xp.where(small < 2.0, small, 1.0))
    for k in range(1, int(_FROM) - 1):
        factor = xp.where(small >= k + 2.0, factor * (small - k), factor)
    steps = xp.where(small < 2.0, -1.0, 1.0) * xp.log(factor)
    near = steps + rest * (_polynomial(_G, rest) / _polynomial(_H, rest))
    large = xp.maximum(size, _FROM)
    far = ((large - 0.5) * (xp.log(large) - 1.0) + (0.5 * math.log(2 * math.pi) - 0.5)
           + _polynomial(_STIRLING, 1.0 / (large * large)) / large)
    value = xp.where(size < _FROM, near, far)
    reflected = math.log(math.pi) - xp.log(xp.absolute(xp.sin(math.pi * (x - xp.rint(x))))) - value  # A&S 6.1.17
    return xp.where((x <= 0) & (x == xp.rint(x)), math.inf, xp.where(x < 0, reflected, value))


@cache
def _cotangent_derivative(n: int) -> tuple[float, ...]:
    """The n-th derivative of cot(pi x) as a polynomial in c = cot(pi x), highest power first: dc/dx = -pi (1 + c^2)."""
    polynomial = np.poly1d([1.0, 0.0])
    for _ in range(n):
        polynomial = polynomial.deriv() * np.poly1d([-math.pi, 0.0, -math.pi])
    return tuple(polynomial.coeffs)


def _polygamma(n: int):
    """The formula of the n-th derivative of digamma, the logarithmic derivative of the gamma function: its asymptotic
    series (A&S 6.3.18, 6.4.11) above 10 + n, the recurrence (6.4.6) up to there, reflection (6.4.7) below 0."""
    steps, factorial, sign = 10 + n, math.factorial(n), (-1) ** (n + 1)
    # B_2k (2k + n - 1)! / (2k)!, the highest power first, for the powers of 1 / y^2
    terms = [b * math.factorial(2 * k + n - 1) / math.factorial(2 * k) for k, b in enumerate(_BERNOULLI, start=1)][::-1]

    def formula(xp, x):
        size = xp.where(x < 0, 1.0 - x, x)
        y = size + steps
        value = -xp.log(y) if n == 0 else math.factorial(n - 1) / y**n
        value += (0.5 * factorial + _polynomial(terms, 1.0 / (y * y)) / y) / y ** (n + 1)
        for k in range(steps):
            value += factorial / (size + k) ** (n + 1)
        value *= sign
        angle = math.pi * (x - xp.rint(x))
        derivative = _polynomial(_cotangent_derivative(n), xp.cos(angle) / xp.sin(angle))
        reflected = (-1) ** n * value - math.pi * derivative
        value = xp.where(x < 0, xp.where(angle == 0, sign * math.inf if n else math.nan, reflected), value)
        return value if n else xp.where(x == 0, -xp.copysign(math.inf, x), value)

    return formula


erf = _special(_erf, "erf", accumulator)
erfc = _special(_erfc, "erfc")
erfinv = _special(_erfinv, "erfinv")
erfcx = _special(_erfcx, None)
ndtr = _special(_ndtr, None)
log_ndtr = _special(_log_ndtr, None)
ndtri = _special(_ndtri, None)
entr = _special(_entr, None)
lgamma = _special(_lgamma, "gammaln")


@cache
def polygamma(n: int):
    """The function(xp, out, x) of the n-th derivative of digamma (0: digamma itself)."""
    return _special(_polygamma(n), "psi" if n == 0 else None)
