"""cupy.linalg: NumPy computes."""

from collections.abc import Callable
from typing import Any

import numpy as np

from gpunet.sim.cupy._array import adopt_all, ndarray, quietly, unwrapped


def _call(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    return adopt_all(quietly(function, *unwrapped(args), **kwargs))


def inv(a: Any) -> ndarray:
    return _call(np.linalg.inv, a)


def pinv(a: Any, rcond: Any = 1e-15) -> ndarray:
    return _call(np.linalg.pinv, a, rcond)


def solve(a: Any, b: Any) -> ndarray:
    if b.ndim != 1 and a.shape[:-1] != b.shape[:-1]:
        raise ValueError("a must have (..., M, M) shape and b must have (..., M, K) for multidimensional b")
    return _call(np.linalg.solve, a, b)


def det(a: Any) -> ndarray:
    return _call(np.linalg.det, a)


def slogdet(a: Any) -> Any:
    return _call(np.linalg.slogdet, a)


def cholesky(a: Any) -> ndarray:
    return _call(np.linalg.cholesky, a)


def qr(a: Any, mode: Any = "reduced") -> Any:
    return _call(np.linalg.qr, a, mode)


def svd(a: Any, full_matrices: Any = True, compute_uv: Any = True) -> Any:
    return _call(np.linalg.svd, a, full_matrices, compute_uv)


def eigh(a: Any, UPLO: Any = "L") -> Any:
    return _call(np.linalg.eigh, a, UPLO)
