"""The error function, which NumPy does not have and CuPy has elsewhere."""

from __future__ import annotations

import numpy as np

# Rational approximations by S. Moshier (Cephes library, ndtr.c), highest power first; relative error below 4e-16.
# erf(x) = x T(x^2) / U(x^2) for |x| <= 1, else sign(x) (1 - exp(-x^2) P(|x|) / Q(|x|)).
_T = (9.60497373987051638749, 9.00260197203842689217e1, 2.23200534594684319226e3, 7.00332514112805075473e3,
      5.55923013010394962768e4)
_U = (1.0, 3.35617141647503099647e1, 5.21357949780152679795e2, 4.59432382970980127987e3, 2.26290000613890934246e4,
      4.92673942608635921086e4)
_P = (2.46196981473530512524e-10, 5.64189564831068821977e-1, 7.46321056442269912687, 4.86371970985681366614e1,
      1.96520832956077098242e2, 5.26445194995477358631e2, 9.34528527171957607540e2, 1.02755188689515710272e3,
      5.57535335369399327526e2)
_Q = (1.0, 1.32281951154744992508e1, 8.67072140885989742329e1, 3.54937778887819891062e2, 9.75708501743205489753e2,
      1.82390916687909736289e3, 2.24633760818710981792e3, 1.65666309194161350182e3, 5.57535340817727675546e2)
_LARGE = 6.0  # erf is 1 from here on, to the last digit of a double
_BLOCK = 8192  # elements worked on at a time, so that the intermediate values stay in the processor's cache


def erf(xp, out, x):
    """out = erf(x) for floating-point arrays of any type; out may be x."""
    if xp.__name__ == "cupy":
        from cupyx.scipy.special import erf as one_kernel

        out[...] = one_kernel(x)
    elif xp is np and x.size > _BLOCK and x.flags.c_contiguous and out.flags.c_contiguous:
        flat, result = x.reshape(-1), out.reshape(-1)
        for start in range(0, x.size, _BLOCK):
            result[start : start + _BLOCK] = _erf(xp, flat[start : start + _BLOCK])
    else:
        out[...] = _erf(xp, x)


def _erf(xp, x):
    size = xp.minimum(xp.absolute(x), _LARGE)
    inner = xp.minimum(size, 1.0)
    square = inner * inner
    inner = inner * _polynomial(_T, square) / _polynomial(_U, square)
    outer = 1.0 - xp.exp(-(size * size)) * _polynomial(_P, size) / _polynomial(_Q, size)
    return xp.copysign(xp.where(size <= 1.0, inner, outer), x)


def _polynomial(coefficients, x):
    value = x * coefficients[0] + coefficients[1]
    for c in coefficients[2:]:
        value *= x
        value += c
    return value
