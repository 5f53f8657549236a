"""Inverses, determinants and systems of linear equations, of matrices and batches of them.

LAPACK computes on the CPU, cuSOLVER on a GPU, where a matrix that has no inverse or no Cholesky factor gives NaN or
infinity instead of an error, since nobody waits there for the answer. Gradients: Giles, "An extended collection of
matrix derivative results for forward and reverse mode algorithmic differentiation" (2008); of the pseudo-inverse: Golub
and Pereyra (1973).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from gpunet.dispatch import op
from gpunet.dtypes import FLOAT32_NP, FLOAT64_NP, public
from gpunet.ops.diagonal import tril
from gpunet.ops.out import deliver
from gpunet.ops.reduce import sum
from gpunet.ops.rules import broadcast
from gpunet.ops.shape import squeeze, transpose, unsqueeze

if TYPE_CHECKING:
    from gpunet.tensor import Tensor


class LinAlgError(RuntimeError):
    """A matrix that has no inverse, no Cholesky factor, or whose decomposition did not converge."""


def check_matrices(op: str, x, square: bool = True) -> None:
    if x.ndim < 2:
        raise RuntimeError(f"{op}: expected a matrix or a batch of matrices, got shape {x.shape}")
    if square and x.shape[-1] != x.shape[-2]:
        raise RuntimeError(f"{op}: expected square matrices, got shape {x.shape}")
    if x.dtype not in (FLOAT32_NP, FLOAT64_NP):
        raise RuntimeError(f"{op}: expected float32 or float64, got {public(x.dtype)}; convert it with .float()")


def solved(function, what, *arrays, **options):
    """NumPy's error in our words."""
    try:
        return function(*arrays, **options)
    except np.linalg.LinAlgError as error:
        raise LinAlgError(f"{what} ({error})") from None


def turned(x):
    return transpose(x, -2, -1)


# ---- inverses and determinants -------------------------------------------------------------------------------------


def square_rule(name):
    def rule(x, **_):
        check_matrices(name, x)
        return x.shape, x.dtype

    return rule


@op(square_rule("inv"))
def inv_op(xp, out, x):
    out[...] = solved(xp.linalg.inv, "inv: a matrix is singular, it has no inverse", x)


@inv_op.gradient
def _(g, y, _x):
    return (-(turned(y) @ g @ turned(y)),)


def inv(A: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Inverse of a matrix: A inv(A) = I.

    Args:
        A: matrix, or batch of matrices [..., n, n], of type float32 or float64.
        out: tensor of the result's type that receives the result; resized if its shape differs.

    Returns:
        Tensor of A's shape and type.

    Raises:
        LinAlgError: a matrix is singular (on a GPU the result is then infinite or NaN).
        RuntimeError: the matrices are not square, or not of type float32 or float64.

    Example:
        >>> gpunet.linalg.inv(gpunet.tensor([[2.0, 0.0], [0.0, 4.0]]))
        tensor([[0.5000, 0.0000],
                [0.0000, 0.2500]])
    """
    return deliver(inv_op(A), out, "inv", exact=True)


def _ofsquare_rule(name):
    def rule(x):
        check_matrices(name, x)
        return x.shape[:-2], x.dtype

    return rule


@op(_ofsquare_rule("det"))
def det_op(xp, out, x):
    out[...] = xp.linalg.det(x)


@det_op.gradient
def _(g, _y, x):
    return (wide(g) * cofactors(x),)


def wide(g):
    return unsqueeze(unsqueeze(g, -1), -1)


@op(square_rule("det"))
def cofactors(xp, out, x):
    """The gradient of the determinant, det(A) A^-T, which exists also where the inverse does not: from A = U S V^T as
    det(U V) U P V^T, P having the products of all other singular values."""
    u, s, vh = xp.linalg.svd(x)
    others = xp.where(xp.eye(s.shape[-1], dtype=bool), s.dtype.type(1), s[..., None, :])
    out[...] = (xp.linalg.det(u) * xp.linalg.det(vh))[..., None, None] * xp.matmul(
        u * xp.prod(others, axis=-1)[..., None, :], vh)


@cofactors.gradient
def _(g, _y, x):
    v = turned(inv_op(x))
    return (wide(det_op(x)) * (wide(sum(g * v, (-2, -1))) * v - v @ turned(g) @ v),)


def det(A: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Determinant of a square matrix. Its gradient exists for singular matrices too.

    Args:
        A: matrix, or batch of matrices [..., n, n], of type float32 or float64.
        out: tensor of the result's type that receives the result; resized if its shape differs.

    Returns:
        Tensor of A's shape without the last two dimensions.

    Raises:
        RuntimeError: the matrices are not square, or not of type float32 or float64.

    Example:
        >>> gpunet.linalg.det(gpunet.tensor([[2.0, 1.0], [0.0, 4.0]]))
        tensor(8.)
    """
    return deliver(det_op(A), out, "det", exact=True)


class SlogdetResult(NamedTuple):
    """What `slogdet` returns."""

    sign: Tensor
    logabsdet: Tensor


def _sign_and_log(x):
    check_matrices("slogdet", x)
    return ((x.shape[:-2], x.dtype),) * 2


@op(_sign_and_log, outputs=2)
def slogdet_op(xp, sign, log, x):
    sign[...], log[...] = xp.linalg.slogdet(x)


@slogdet_op.gradient
def _(gradients, _sign, _log, x):
    g = gradients[1]
    return (None if g is None else lambda: wide(g) * turned(inv_op(x)),)


def slogdet(A: Tensor, *, out: tuple[Tensor, Tensor] | None = None) -> SlogdetResult:
    """Sign of the determinant, and the logarithm of its absolute value, which neither overflows nor underflows.

    Args:
        A: matrix, or batch of matrices [..., n, n], of type float32 or float64.
        out: two tensors that receive the results.

    Returns:
        Named tuple (sign, logabsdet) of tensors of A's shape without the last two dimensions.

    Raises:
        RuntimeError: the matrices are not square, or not of type float32 or float64.

    Example:
        >>> gpunet.linalg.slogdet(gpunet.tensor([[0.0, 1.0], [1.0, 0.0]])).sign
        tensor(-1.)
    """
    return deliver(SlogdetResult(*slogdet_op(A)), out, "slogdet", exact=True)


def _system(a, b):
    check_matrices("solve", a)
    if a.dtype != b.dtype:
        raise RuntimeError(f"solve: A has type {public(a.dtype)}, B {public(b.dtype)}; convert one with .to(dtype)")
    if b.ndim < 2 or a.shape[-1] != b.shape[-2]:
        raise RuntimeError(f"solve: B of shape {b.shape} does not fit A of shape {a.shape}: it needs {a.shape[-1]} "
                           "rows")
    return (*broadcast(a.shape[:-2], b.shape[:-2]), *b.shape[-2:]), b.dtype


@op(_system, broadcasts=True)
def solve_op(xp, out, a, b):
    out[...] = solved(xp.linalg.solve, "solve: a matrix is singular, so the system has no single solution",
                       xp.broadcast_to(a, (*out.shape[:-2], *a.shape[-2:])), xp.broadcast_to(b, out.shape))


@solve_op.gradient
def _(g, y, a, _b):
    gb = solve_op(turned(a), g)
    return lambda: -(gb @ turned(y)), gb


def solve(A: Tensor, B: Tensor, *, left: bool = True, out: Tensor | None = None) -> Tensor:
    """Solution X of a system of linear equations A X = B, or X A = B.

    Args:
        A: matrix, or batch of matrices [..., n, n], of type float32 or float64.
        B: right sides: a vector [n], a batch of vectors (of A's shape without its last dimension) or matrices
            [..., n, k]; [..., k, n] if not `left`. Dimensions before these broadcast.
        left: whether A stands on the left of X.
        out: tensor of the result's type that receives the result; resized if its shape differs.

    Returns:
        Tensor of B's shape, broadcast.

    Raises:
        LinAlgError: a matrix is singular (on a GPU the result is then infinite or NaN).
        RuntimeError: the shapes do not fit each other, or the types differ.

    Example:
        >>> gpunet.linalg.solve(gpunet.tensor([[2.0, 0.0], [0.0, 4.0]]), gpunet.tensor([2.0, 2.0]))
        tensor([1.0000, 0.5000])
    """
    return deliver(_solution(A, B, left), out, "solve", exact=True)


def _solution(A: Tensor, B: Tensor, left: bool) -> Tensor:
    vectors = B._array.ndim == 1 or (A._array.ndim - 1 == B._array.ndim and A._array.shape[:-1] == B._array.shape)
    if not left:
        return turned(solve_op(turned(A), turned(B)))
    return squeeze(solve_op(A, unsqueeze(B, -1)), -1) if vectors else solve_op(A, B)


def _transposed(x, **_):
    check_matrices("pinv", x, square=False)
    return (*x.shape[:-2], x.shape[-1], x.shape[-2]), x.dtype


@op(_transposed)
def pinv_op(xp, out, x, *, atol, rtol, hermitian):
    """V diag(1/s) U^T of x = U diag(s) V^T, where an s of at most max(atol, rtol times the largest) gives 0."""
    if out.size:
        u, s, vh = solved(xp.linalg.svd, "pinv: the decomposition did not converge",
                          from_lower(xp, x) if hermitian else x, full_matrices=False)
        small = s <= xp.maximum(s[..., :1] * rtol, atol)
        factors = xp.where(small, s.dtype.type(0), 1 / xp.where(small, s.dtype.type(1), s))
        out[...] = xp.matmul(xp.swapaxes(vh, -1, -2) * factors[..., None, :], xp.swapaxes(u, -1, -2))


def from_lower(xp, x):
    """The symmetric matrices of which these are the lower triangles."""
    return xp.tril(x) + xp.swapaxes(xp.tril(x, -1), -1, -2)


@pinv_op.gradient
def _(g, y, x, *, hermitian, **_attrs):
    if hermitian:
        x = tril(x) + turned(tril(x, -1))
    p, pt, gt = y, turned(y), turned(g)
    return ((gt - x @ (p @ gt)) @ p @ pt + pt @ p @ (gt - (gt @ p) @ x) - pt @ g @ pt,)
