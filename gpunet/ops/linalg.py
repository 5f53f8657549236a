"""Linear algebra that is made of the ops of inverse.py and decompose.py: powers, ranks, products."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from gpunet.dispatch import is_tensor
from gpunet.dtypes import INT64_NP, public
from gpunet.ops import products
from gpunet.ops.creation import eye
from gpunet.ops.decompose import svdvals
from gpunet.ops.diagonal import tril, triu
from gpunet.ops.extremes import amax, amin
from gpunet.ops.inverse import check_matrices, det, inv, logdet, pinv_op, slogdet, solve
from gpunet.ops.limits import maximum
from gpunet.ops.matmul import matmul
from gpunet.ops.norms import matrix_norm
from gpunet.ops.reduce import sum
from gpunet.ops.shape import expand, squeeze, unsqueeze


def pinv(A, *, atol=None, rtol=None, hermitian: bool = False):
    """The pseudo-inverse (Moore, Penrose). Singular values of at most max(atol, rtol times the largest) count as 0;
    both are numbers (without atol, rtol is the larger side times the type's epsilon). hermitian: of a symmetric matrix
    the lower triangle is read; the gradient is that of a whole matrix."""
    rtol = (_tolerance(A) if atol is None else 0.0) if rtol is None else rtol
    return pinv_op(A, atol=0.0 if atol is None else atol, rtol=rtol, hermitian=bool(hermitian))


def _symmetric(A):
    """The symmetric matrices of which these are the lower triangles."""
    return tril(A) + tril(A, -1).mT


def _tolerance(A) -> float:
    return max(A._array.shape[-2:]) * float(np.finfo(A._array.dtype).eps)


def matrix_rank(A, *, atol=None, rtol=None, hermitian: bool = False):
    """How many singular values are larger than max(atol, rtol times the largest); both are numbers, or tensors with one
    for each matrix."""
    s = svdvals(_symmetric(A) if hermitian else A)
    if s._array.shape[-1] == 0:
        return A.new_zeros(A._array.shape[:-2], dtype=public(INT64_NP))
    rtol = (_tolerance(A) if atol is None else 0.0) if rtol is None else rtol
    bound = amax(s, -1) * rtol
    bound = bound if atol is None else maximum(bound, atol if is_tensor(atol) else bound.new_full((), atol))
    return sum(unsqueeze(bound, -1) < s, -1)


_DRIVERS = ("gelsy", "gels", "gelsd", "gelss")  # LAPACK's names


class LstsqResult(NamedTuple):
    solution: object
    residuals: object
    rank: object
    singular_values: object


def lstsq(A, B, rcond=None, *, driver=None):
    """The X with the smallest |A X - B|, and of these the smallest X, by the pseudo-inverse: (solution, residuals,
    rank, singular values).

    The driver says, as in PyTorch, which of the rest are not empty: the residuals |A X - B|^2, for more rows than
    columns, except with "gelsy" (the default); the rank except with "gels"; the singular values with "gelsd", "gelss".
    """
    if driver not in (None, *_DRIVERS):
        raise RuntimeError(f"lstsq: the driver must be one of {', '.join(_DRIVERS)}, got {driver!r}")
    if A._array.ndim < 2 or not B._array.ndim:
        raise RuntimeError(f"lstsq: expected matrices [..., rows, columns] and right sides [..., rows, k], got shapes "
                           f"{tuple(A.shape)} and {tuple(B.shape)}")
    driver = driver or "gelsy"
    vectors = B._array.ndim == 1 or (A._array.ndim - 1 == B._array.ndim and A._array.shape[:-1] == B._array.shape)
    right = unsqueeze(B, -1) if vectors else B
    solution = pinv(A, rtol=rcond) @ right
    residuals = singular = A.new_zeros((0,))
    if A._array.shape[-2] > A._array.shape[-1] and driver != "gelsy":
        rest = A @ solution - right
        residuals = sum(rest * rest, -2)
    if driver in ("gelsd", "gelss"):
        singular = svdvals(A.detach())
    return LstsqResult(squeeze(solution, -1) if vectors else solution, residuals,
                       A.new_zeros((0,), dtype=public(INT64_NP)) if driver == "gels" else matrix_rank(A, rtol=rcond),
                       singular)


def matrix_power(A, n: int):
    """A multiplied n times with itself, by repeated squaring; of a negative n the inverse."""
    check_matrices("matrix_power", A._array)
    if n < 0:
        return matrix_power(inv(A), -n)
    result, square = None, A
    while n:
        if n & 1:
            result = square if result is None else result @ square
        n >>= 1
        square = square @ square if n else square
    if result is None:
        unit = eye(A._array.shape[-1], dtype=A.dtype, device=A._device.name)
        return expand(unit, A._array.shape).clone()
    return result.clone() if result is A else result


def multi_dot(tensors):
    """The product of two and more matrices, in the order that takes the fewest operations; the first and the last may
    be vectors."""
    tensors = list(tensors)
    if len(tensors) < 2:
        raise RuntimeError(f"multi_dot: expected at least two tensors, got {len(tensors)}")
    first, last = tensors[0]._array.ndim == 1, tensors[-1]._array.ndim == 1
    chain = [unsqueeze(tensors[0], 0) if first else tensors[0], *tensors[1:-1],
             unsqueeze(tensors[-1], 1) if last else tensors[-1]]
    sizes = [x._array.shape[0] for x in chain] + [chain[-1]._array.shape[1]]
    while len(chain) > 1:  # the pair whose product saves the most comes first
        i = max(range(len(chain) - 1), key=lambda i: (sizes[i + 1], -sizes[i] * sizes[i + 2]))
        chain[i : i + 2] = [matmul(chain[i], chain[i + 1])]
        del sizes[i + 1]
    result = chain[0]
    result = squeeze(result, 0) if first else result
    return squeeze(result, -1) if last else result


def solve_triangular(A, B, *, upper: bool, left: bool = True, unitriangular: bool = False):
    """As `solve`, for triangular matrices: what is on the other side of the diagonal does not count; with unitriangular
    the diagonal counts as ones."""
    check_matrices("solve_triangular", A._array)
    if unitriangular:
        A = (triu(A, 1) if upper else tril(A, -1)) + eye(A._array.shape[-1], dtype=A.dtype, device=A._device.name)
    return solve(triu(A) if upper else tril(A), B, left=left)


def vecdot(x, y, *, dim: int = -1):
    """The inner products of vectors along a dimension; other dimensions broadcast."""
    return sum(x * y, dim)


def cross(input, other, *, dim: int = -1):
    """The vector product along a dimension of size 3; other dimensions broadcast."""
    return products.cross(input, other, dim)


outer = products.outer

def cond(A, p=None):
    """The condition number: the norm of A times that of its inverse; without p the largest singular value divided by
    the smallest."""
    if p in (None, 2, -2):
        s = svdvals(A)
        return amax(s, -1) / amin(s, -1) if p != -2 else amin(s, -1) / amax(s, -1)
    return matrix_norm(A, p) * matrix_norm(inv(A), p)


inverse = inv


def pinverse(input, rcond: float = 1e-15):
    """The pseudo-inverse; see `linalg.pinv`."""
    return pinv(input, rtol=rcond)


METHODS = {"det": det, "inverse": inv, "logdet": logdet, "matrix_power": matrix_power, "pinverse": pinverse,
           "slogdet": slogdet}
__all__ = list(METHODS)
