"""Decompositions of matrices and batches of them: Cholesky, QR, eigenvalues and singular values.

Gradients: Giles (2008, see inverse.py); of QR: Liao et al., "Differentiable programming tensor networks" (2019).
"""

from __future__ import annotations

from typing import NamedTuple

from gpunet.dispatch import op
from gpunet.ops.creation import eye
from gpunet.ops.diagonal import diag_embed, diagonal, tril
from gpunet.ops.inverse import check_matrices, from_lower, inv_op, solved, square_rule, turned
from gpunet.ops.join import cat
from gpunet.ops.pieces import narrow
from gpunet.ops.shape import unsqueeze


@op(square_rule("cholesky"))
def cholesky_op(xp, out, x):
    out[...] = solved(xp.linalg.cholesky, "cholesky: a matrix is not positive-definite", from_lower(xp, x))


def _halved(x):
    """The lower triangle with half the diagonal."""
    return tril(x) - diag_embed(diagonal(x, 0, -2, -1)) / 2


@cholesky_op.gradient
def _(g, y, _x):
    inverse = inv_op(y)
    s = turned(inverse) @ _halved(turned(y) @ g) @ inverse
    return ((s + turned(s)) / 2,)


def cholesky(A, *, upper: bool = False):
    """The lower triangular L with A = L L^T of symmetric positive-definite matrices, or upper=True: U with A = U^T U.
    Only one triangle is read. LinAlgError if a matrix is not positive-definite."""
    return turned(cholesky_op(turned(A))) if upper else cholesky_op(A)


class QRResult(NamedTuple):
    Q: object
    R: object


_QR_MODES = ("reduced", "complete", "r")


def _q_and_r(x, *, mode):
    check_matrices("qr", x, square=False)
    *batch, m, n = x.shape
    inner = m if mode == "complete" else min(m, n)
    q = (0,) if mode == "r" else (*batch, m, inner)
    return (q, x.dtype), ((*batch, inner, n), x.dtype)


@op(_q_and_r, outputs=2)
def qr_op(xp, q, r, x, *, mode):
    if mode == "r":
        r[...] = xp.linalg.qr(x, mode="r")
    else:
        q[...], r[...] = xp.linalg.qr(x, mode=mode)


@qr_op.gradient
def _(gradients, q, r, x_meta, *, mode):
    gq, gr = gradients
    m, n = x_meta.shape[-2:]
    if mode == "r":
        raise RuntimeError("qr: there is no gradient in mode 'r', which does not compute Q; use mode 'reduced'")
    if mode == "complete" and m > n:
        raise RuntimeError(f"qr: there is no gradient in mode 'complete' for matrices of more rows than columns, got "
                           f"{m} and {n}; use mode 'reduced'")
    wide = m < n
    square, gsquare = (narrow(r, -1, 0, m), None if gr is None else narrow(gr, -1, 0, m)) if wide else (r, gr)
    if wide and gr is not None:  # A = [X | Y] and R = [U | Q^T Y]: Y's part of R speaks of Q too
        rest, grest = narrow(r, -1, m, n - m), narrow(gr, -1, m, n - m)
        more = q @ rest @ turned(grest)
        gq = more if gq is None else gq + more
    middle = 0 if gsquare is None else square @ turned(gsquare)
    if gq is not None:
        middle = middle - turned(gq) @ q if gsquare is not None else -(turned(gq) @ q)
    middle = tril(middle)
    middle = middle + turned(tril(middle, -1))
    gx = (q @ middle if gq is None else gq + q @ middle) @ turned(inv_op(square))
    return (cat([gx, q @ grest], -1) if wide and gr is not None
            else cat([gx, gx.new_zeros((*x_meta.shape[:-2], m, n - m))], -1) if wide else gx,)


def qr(A, mode: str = "reduced"):
    """Q with orthonormal columns and an upper triangular R, with A = Q R. mode: "reduced"; "complete", Q square; "r",
    only R (Q is then empty)."""
    if mode not in _QR_MODES:
        raise RuntimeError(f"qr: the mode must be one of {', '.join(_QR_MODES)}, got {mode!r}")
    return QRResult(*qr_op(A, mode=mode))


def _gaps(values):
    """values[j] - values[i] off the diagonal, 1 on it."""
    gaps = unsqueeze(values, -2) - unsqueeze(values, -1)
    return gaps + eye(values._array.shape[-1], dtype=values.dtype, device=values._device.name)


class EighResult(NamedTuple):
    eigenvalues: object
    eigenvectors: object


def _values_and_vectors(x, *, lower):
    check_matrices("eigh", x)
    return (x.shape[:-1], x.dtype), (x.shape, x.dtype)


@op(_values_and_vectors, outputs=2)
def eigh_op(xp, values, vectors, x, *, lower):
    values[...], vectors[...] = solved(xp.linalg.eigh, "eigh: the decomposition did not converge", x,
                                        UPLO="L" if lower else "U")


@eigh_op.gradient
def _(gradients, values, vectors, _x, *, lower):
    gl, gv = gradients
    middle = 0
    if gv is not None:
        projected = turned(vectors) @ gv
        middle = (projected - turned(projected)) / 2 / _gaps(values)
    if gl is not None:
        middle = middle + diag_embed(gl)
    return (vectors @ middle @ turned(vectors),)


def eigh(A, UPLO: str = "L"):
    """Eigenvalues in ascending order and orthonormal eigenvectors (as columns) of symmetric matrices, of which the
    lower triangle is read, or the upper one (UPLO="U"). Gradients of eigenvectors exist where no eigenvalue repeats."""
    if UPLO.upper() not in ("L", "U"):
        raise RuntimeError(f"eigh: UPLO must be 'L' or 'U', got {UPLO!r}")
    return EighResult(*eigh_op(A, lower=UPLO.upper() == "L"))


def eigvalsh(A, UPLO: str = "L"):
    """The eigenvalues of symmetric matrices, in ascending order."""
    return eigh(A, UPLO).eigenvalues


class SVDResult(NamedTuple):
    U: object
    S: object
    Vh: object


def _u_s_v(x, *, full):
    check_matrices("svd", x, square=False)
    *batch, m, n = x.shape
    k = min(m, n)
    return (((*batch, m, m if full else k), x.dtype), ((*batch, k), x.dtype),
            ((*batch, n if full else k, n), x.dtype))


@op(_u_s_v, outputs=3)
def svd_op(xp, u, s, vh, x, *, full):
    u[...], s[...], vh[...] = solved(xp.linalg.svd, "svd: the decomposition did not converge", x, full_matrices=full)


@svd_op.gradient
def _(gradients, u, s, vh, x_meta, *, full):
    gu, gs, gvh = gradients
    m, n = x_meta.shape[-2:]
    if full:  # the vectors beyond the singular values are any basis of the rest, and have no gradient
        u, gu = (t if t is None else narrow(t, -1, 0, min(m, n)) for t in (u, gu))
        vh, gvh = (t if t is None else narrow(t, -2, 0, min(m, n)) for t in (vh, gvh))
    column = unsqueeze(s, -1)
    middle, around = 0, 0
    if gu is not None:
        projected = turned(u) @ gu
        middle = (projected - turned(projected)) / _gaps(s * s) * unsqueeze(s, -2)
        if m > n:  # what leaves the space of the columns
            around = ((gu - u @ projected) / unsqueeze(s, -2)) @ vh
    if gvh is not None:
        projected = gvh @ turned(vh)
        projected = turned(projected)
        middle = middle + column * ((projected - turned(projected)) / _gaps(s * s))
        if m < n:
            around = around + u @ ((gvh - turned(projected) @ vh) / column)
    if gs is not None:
        middle = middle + diag_embed(gs)
    return (u @ middle @ vh + around,)


def svd(A, full_matrices: bool = True):
    """A = U diag(S) Vh with orthonormal columns of U, orthonormal rows of Vh and S in descending order; full_matrices:
    U and Vh square. Gradients of U and Vh need distinct S, and do not pass through what makes them square."""
    return SVDResult(*svd_op(A, full=full_matrices))


def svdvals(A):
    """The singular values, in descending order."""
    return svd_op(A, full=False)[1]
