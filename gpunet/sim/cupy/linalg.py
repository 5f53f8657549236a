"""cupy.linalg: NumPy computes."""

import numpy as np

from gpunet.sim.cupy._array import adopt_all, quietly, unwrapped


def _call(function, *args, **kwargs):
    return adopt_all(quietly(function, *unwrapped(args), **kwargs))


def inv(a):
    return _call(np.linalg.inv, a)


def pinv(a, rcond=1e-15):
    return _call(np.linalg.pinv, a, rcond)


def solve(a, b):
    if b.ndim != 1 and a.shape[:-1] != b.shape[:-1]:
        raise ValueError("a must have (..., M, M) shape and b must have (..., M, K) for multidimensional b")
    return _call(np.linalg.solve, a, b)


def det(a):
    return _call(np.linalg.det, a)


def slogdet(a):
    return _call(np.linalg.slogdet, a)


def cholesky(a):
    return _call(np.linalg.cholesky, a)


def qr(a, mode="reduced"):
    return _call(np.linalg.qr, a, mode)


def svd(a, full_matrices=True, compute_uv=True):
    return _call(np.linalg.svd, a, full_matrices, compute_uv)


def eigh(a, UPLO="L"):
    return _call(np.linalg.eigh, a, UPLO)
