"""LU decomposition with partial pivoting, P A = L U, of matrices and batches of them.

L, without its diagonal of ones, and U are packed into one matrix, as LAPACK has them; a pivot says with which row,
counted from 1, a row was exchanged when its column's turn came. Gradients: S. Walter and L. Lehmann, "Algorithmic
differentiation of linear algebra functions with application in optimum experimental design" (2010).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from gpunet.dispatch import op
from gpunet.dtypes import INT64_NP, public
from gpunet.ops.creation import eye
from gpunet.ops.diagonal import tril, triu
from gpunet.ops.gathering import take_along_dim
from gpunet.ops.inverse import LinAlgError, check_matrices, solve_op, turned
from gpunet.ops.join import cat
from gpunet.ops.out import deliver
from gpunet.ops.pieces import narrow
from gpunet.ops.shape import expand, unsqueeze

if TYPE_CHECKING:
    from gpunet.tensor import Tensor

INT32_NP = np.dtype("int32")
_PANEL = 32  # columns that are eliminated one by one, before the rest is updated by a matrix product


def _factor_and_pivots(x, **_):
    check_matrices("lu", x, square=False)
    return (x.shape, x.dtype), ((*x.shape[:-2], min(x.shape[-2:])), INT32_NP)


@op(_factor_and_pivots, outputs=2)
def lu_factor_op(xp, lu, pivots, x, *, pivot, checked):
    """Gaussian elimination of all matrices of a batch at once, by panels of columns. checked: an error for a 0 on the
    diagonal of U, on the CPU: of a GPU nobody reads it."""
    lu[...] = x
    m, n = x.shape[-2:]
    count = math.prod(x.shape[:-2])
    a, exchanged = lu.reshape(count, m, n), pivots.reshape(count, min(m, n))
    each = xp.arange(count)
    for start in range(0, min(m, n), _PANEL):
        end = min(start + _PANEL, m, n)
        for j in range(start, end):
            exchanged[:, j] = j + 1
            if pivot:
                best = xp.argmax(xp.absolute(a[:, j:, j]), 1) + j
                exchanged[:, j] = best + 1
                row = a[each, best]  # a copy
                a[each, best] = a[:, j]
                a[:, j] = row
            divisor = a[:, j, j]
            a[:, j + 1 :, j] /= xp.where(divisor == 0, divisor.dtype.type(1), divisor)[:, None]
            a[:, j + 1 :, j + 1 : end] -= a[:, j + 1 :, j, None] * a[:, j, None, j + 1 : end]
        if end < n:
            lower = xp.tril(a[:, start:end, start:end], -1) + xp.eye(end - start, dtype=x.dtype)
            a[:, start:end, end:] = xp.linalg.solve(lower, a[:, start:end, end:])
            a[:, end:, end:] -= xp.matmul(a[:, end:, start:end], a[:, start:end, end:])
    if checked and xp is np and a.size:
        zero = np.argwhere(np.diagonal(a, axis1=1, axis2=2) == 0)
        if len(zero):
            i = zero[0, 1] + 1
            raise LinAlgError(f"linalg.lu_factor: U[{i},{i}] is zero and using it on lu_solve would result in a "
                              "division by zero; for the factors alone call linalg.lu or linalg.lu_factor_ex")


@lu_factor_op.gradient
def _(gradients, lu, pivots, x_meta, **_attrs):
    """With L and U of the square part: P L^-T [lower(L^T gL) + upper(gU U^T)] U^-T; what stands beside it on the right
    or below has gradients of its own, and takes part in those of L or U."""
    g = gradients[0]
    m, n = x_meta.shape[-2:]
    k = min(m, n)
    square, gsquare = narrow(narrow(lu, -1, 0, k), -2, 0, k), narrow(narrow(g, -1, 0, k), -2, 0, k)
    lower, upper = _unit_lower(square), triu(square)
    by_lower, by_upper = turned(lower) @ tril(gsquare, -1), triu(gsquare) @ turned(upper)
    beside = None
    if m < n:
        rest, grest = narrow(lu, -1, k, n - k), narrow(g, -1, k, n - k)
        by_lower = by_lower - grest @ turned(rest)
        beside = solve_op(turned(lower), grest)
    elif m > n:
        rest, grest = narrow(lu, -2, k, m - k), narrow(g, -2, k, m - k)
        by_upper = by_upper - turned(rest) @ grest
        beside = turned(solve_op(upper, turned(grest)))
    middle = tril(by_lower, -1) + triu(by_upper)
    found = turned(solve_op(upper, turned(solve_op(turned(lower), middle))))
    if beside is not None:
        found = cat([found, beside], -1 if m < n else -2)
    return (permutation_matrix(pivots, m, found.dtype) @ found,)


@op(lambda pivots, *, rows, inverse: ((*pivots.shape[:-1], rows), INT64_NP), differentiable=False)
def order_op(xp, out, pivots, *, rows, inverse):
    """Which row of A stands in each row of P^T A, after all exchanges; inverse: where each row of A went."""
    out[...] = xp.arange(rows)
    count = math.prod(pivots.shape[:-1])
    order, exchanged = out.reshape(count, rows), pivots.reshape(count, pivots.shape[-1])
    if xp is np and pivots.size and not 1 <= pivots.min() <= pivots.max() <= rows:
        raise RuntimeError(f"lu: pivots must be from 1 to {rows}, the number of rows, got {pivots.min()} to "
                           f"{pivots.max()}; pass those that lu_factor returned")
    each, steps = xp.arange(count), range(pivots.shape[-1])
    for j in reversed(steps) if inverse else steps:
        other = exchanged[:, j] - 1
        kept = order[each, other]
        order[each, other] = order[:, j]
        order[:, j] = kept


def permutation_matrix(pivots, rows, dtype):
    """P with A = P L U."""
    order = order_op(pivots, rows=rows, inverse=True)
    unit = eye(rows, dtype=dtype, device=pivots._device.name)
    return unit[order]


def _unit_lower(x):
    return tril(x, -1) + eye(x._array.shape[-1], dtype=x.dtype, device=x._device.name)


def lower_of(packed):
    """L [..., m, k], with ones on its diagonal."""
    m, n = packed._array.shape[-2:]
    lower = tril(narrow(packed, -1, 0, min(m, n)), -1)
    return lower + eye(m, min(m, n), dtype=packed.dtype, device=packed._device.name)


def upper_of(packed):
    """U [..., k, n]."""
    return triu(narrow(packed, -2, 0, min(packed._array.shape[-2:])))


def solution(packed, pivots, b, left=True, adjoint=False):
    """X of A X = B, or of X A = B, or with A^T in place of A."""
    if not left:
        return turned(solution(packed, pivots, turned(b), True, not adjoint))
    rows = b._array.shape[-2]
    order = unsqueeze(order_op(pivots, rows=rows, inverse=adjoint), -1)
    lower, upper = _unit_lower(packed), triu(packed)
    if adjoint:
        return _rows_in_order(solve_op(turned(lower), solve_op(turned(upper), b)), order)
    return solve_op(upper, solve_op(lower, _rows_in_order(b, order)))


def _rows_in_order(x, order):
    shape = np.broadcast_shapes(x._array.shape[:-2], order._array.shape[:-2])
    last = x._array.shape[-2:]
    return take_along_dim(expand(x, (*shape, *last)), expand(order, (*shape, *last)), -2)


def check_solve(name, packed, pivots, b, left=True):
    """RuntimeError for what does not fit each other."""
    check_matrices(name, packed._array)
    check_pivots(name, packed, pivots)
    check_right_side(name, "LU", packed, b, left)


def check_pivots(name, packed, pivots):
    """RuntimeError for pivots that are not those of a packed decomposition."""
    shape = *packed._array.shape[:-2], min(packed._array.shape[-2:])
    if pivots._array.dtype != INT32_NP or pivots._array.shape != shape:
        raise RuntimeError(f"{name}: expected pivots of type int32 and shape {shape}, got {pivots.dtype} and "
                           f"{pivots._array.shape}; pass those that lu_factor returned")


def check_right_side(name, what, factor, b, left=True):
    """RuntimeError for right sides of another type than the factor `what`, or of another size."""
    n = factor._array.shape[-1]
    if b._array.dtype != factor._array.dtype:
        raise RuntimeError(f"{name}: {what} has type {factor.dtype}, B {b.dtype}; convert one with .to(dtype)")
    if b._array.ndim < 2 or b._array.shape[-2 if left else -1] != n:
        raise RuntimeError(f"{name}: B of shape {b._array.shape} does not fit {what} of shape {factor._array.shape}: "
                           f"it needs two dimensions and {n} {'rows' if left else 'columns'}")


# ---- as torch.linalg has it ----------------------------------------------------------------------------------------


class LUResult(NamedTuple):
    """What `linalg.lu` and `lu_unpack` return."""

    P: Tensor
    L: Tensor
    U: Tensor


def lu(A: Tensor, *, pivot: bool = True, out: tuple[Tensor, Tensor, Tensor] | None = None) -> LUResult:
    """LU decomposition: A = P L U with a permutation matrix P, a lower triangular L with ones on its diagonal, and an
    upper triangular U.

    Args:
        A: matrix, or batch of matrices [..., m, n], of type float32 or float64.
        pivot: exchange rows, so that the largest number of a column is divided by; without it P is empty. PyTorch
            does not do without on the CPU.
        out: three tensors that receive the results.

    Returns:
        Named tuple (P, L, U): [..., m, m], [..., m, k] and [..., k, n] with k = min(m, n).

    Raises:
        RuntimeError: the type is not float32 or float64.

    Example:
        >>> p, l, u = gpunet.linalg.lu(gpunet.tensor([[1.0, 2.0], [4.0, 2.0]]))
        >>> u
        tensor([[4.0000, 2.0000],
                [0.0000, 1.5000]])
    """
    packed, pivots = lu_factor_op(A, pivot=pivot, checked=False)
    p = permutation_matrix(pivots, A._array.shape[-2], A.dtype) if pivot else A.new_empty((0,))
    return deliver(LUResult(p, lower_of(packed), upper_of(packed)), out, "lu", exact=True)


class LUFactorResult(NamedTuple):
    """What `lu_factor` returns."""

    LU: Tensor
    pivots: Tensor


def lu_factor(A: Tensor, *, pivot: bool = True, out: tuple[Tensor, Tensor] | None = None) -> LUFactorResult:
    """LU decomposition in the packed form that `linalg.lu_solve` takes.

    Args:
        A: matrix, or batch of matrices [..., m, n], of type float32 or float64.
        pivot: exchange rows, so that the largest number of a column is divided by. PyTorch does not do without on the
            CPU.
        out: two tensors that receive the results.

    Returns:
        Named tuple (LU, pivots): [..., m, n], with U in the upper triangle and L, without its ones, below; and of type
        int32 [..., min(m, n)] with which row, counted from 1, each row was exchanged in turn.

    Raises:
        LinAlgError: U has a 0 on its diagonal (on a GPU there is no error).
        RuntimeError: the type is not float32 or float64.

    Example:
        >>> gpunet.linalg.lu_factor(gpunet.tensor([[1.0, 2.0], [4.0, 2.0]])).LU
        tensor([[4.0000, 2.0000],
                [0.2500, 1.5000]])
    """
    return deliver(LUFactorResult(*lu_factor_op(A, pivot=pivot, checked=True)), out, "lu_factor", exact=True)


class LUFactorExResult(NamedTuple):
    """What `lu_factor_ex` returns."""

    LU: Tensor
    pivots: Tensor
    info: Tensor


def lu_factor_ex(A: Tensor, *, pivot: bool = True, check_errors: bool = False,
                 out: tuple[Tensor, Tensor, Tensor] | None = None) -> LUFactorExResult:
    """`linalg.lu_factor` without an error for singular matrices: `info` says of each matrix whether there would be one.

    Args:
        A: matrix, or batch of matrices [..., m, n], of type float32 or float64.
        pivot: exchange rows, so that the largest number of a column is divided by.
        check_errors: raise the error all the same.
        out: three tensors that receive the results.

    Returns:
        Named tuple (LU, pivots, info): as `lu_factor`; and of type int32 [...] the first place, counted from 1, of the
        diagonal of U that is 0; 0 where there is none.

    Raises:
        LinAlgError: with `check_errors`, U has a 0 on its diagonal (on a GPU there is no error).
        RuntimeError: the type is not float32 or float64.

    Example:
        >>> gpunet.linalg.lu_factor_ex(gpunet.tensor([[1.0, 2.0], [2.0, 4.0]])).info
        tensor(2, dtype=gpunet.int32)
    """
    packed, pivots = lu_factor_op(A, pivot=pivot, checked=check_errors)
    return deliver(LUFactorExResult(packed, pivots, zero_of(packed)), out, "lu_factor_ex", exact=True)


def zero_of(packed):
    """The first place of the diagonal of U, counted from 1, that is 0; 0 without one."""
    kind = public(INT32_NP)
    zero = packed.detach().diagonal(0, -2, -1) == 0
    if not zero._array.shape[-1]:
        return packed.new_zeros(packed._array.shape[:-2], dtype=kind)
    return ((zero.to(kind).argmax(-1) + 1) * zero.any(-1)).to(kind)


def lu_solve(LU: Tensor, pivots: Tensor, B: Tensor, *, left: bool = True, adjoint: bool = False,
             out: Tensor | None = None) -> Tensor:
    """Solution X of A X = B, from the LU decomposition of A.

    Args:
        LU: what `linalg.lu_factor` returns of the square matrices A [..., n, n].
        pivots: likewise, of type int32 [..., n].
        B: right sides [..., n, k], or [..., k, n] if not `left`. Dimensions before these broadcast.
        left: whether A stands on the left of X, else X A = B.
        adjoint: take the transpose of A in its place.
        out: tensor of the result's type that receives the result; resized if its shape differs.

    Returns:
        Tensor of B's shape, broadcast.

    Raises:
        LinAlgError: a matrix is singular (on a GPU the result is then infinite or NaN).
        RuntimeError: the shapes do not fit each other, or the types differ.

    Example:
        >>> factors = gpunet.linalg.lu_factor(gpunet.tensor([[2.0, 0.0], [0.0, 4.0]]))
        >>> gpunet.linalg.lu_solve(*factors, gpunet.tensor([[2.0], [2.0]]))
        tensor([[1.0000],
                [0.5000]])
    """
    check_solve("lu_solve", LU, pivots, B, left)
    return deliver(solution(LU, pivots, B, left, adjoint), out, "lu_solve", exact=True)
