"""Decompositions of matrices and batches of them: Cholesky, QR, eigenvalues and singular values.

Gradients: Giles (2008, see inverse.py); of QR: Liao et al., "Differentiable programming tensor networks" (2019).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from gpunet.dispatch import op
from gpunet.ops.creation import eye
from gpunet.ops.diagonal import diag_embed, diagonal, tril
from gpunet.ops.inverse import check_matrices, from_lower, inv_op, solved, square_rule, turned
from gpunet.ops.join import cat
from gpunet.ops.out import deliver
from gpunet.ops.pieces import narrow
from gpunet.ops.shape import unsqueeze

if TYPE_CHECKING:
    from gpunet.tensor import Tensor


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


def cholesky(input: Tensor, *, upper: bool = False, out: Tensor | None = None) -> Tensor:
    """Cholesky factor of a symmetric positive-definite matrix: the lower triangular L with A = L L^T.

    Args:
        input: matrix, or batch of matrices [..., n, n], of type float32 or float64. Only one triangle is read:
            the lower, or if `upper` the upper one.
        upper: return the upper triangular U with A = U^T U instead.
        out: tensor of the result's type that receives the result; resized if its shape differs.

    Returns:
        Tensor of input's shape and type.

    Raises:
        LinAlgError: a matrix is not positive-definite (on a GPU the result is then NaN).
        RuntimeError: the matrices are not square, or not of type float32 or float64.

    Example:
        >>> gpunet.linalg.cholesky(gpunet.tensor([[4.0, 2.0], [2.0, 2.0]]))
        tensor([[2., 0.],
                [1., 1.]])
    """
    return deliver(turned(cholesky_op(turned(input))) if upper else cholesky_op(input), out, "cholesky", exact=True)


class QRResult(NamedTuple):
    """What `qr` returns."""

    Q: Tensor
    R: Tensor


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
    grest = None
    if wide and gr is not None:  # A = [X | Y] and R = [U | Q^T Y]: Y's part of R speaks of Q too
        rest, grest = narrow(r, -1, m, n - m), narrow(gr, -1, m, n - m)
        more = q @ rest @ turned(grest)
        gq = more if gq is None else gq + more
    middle: Any = 0 if gsquare is None else square @ turned(gsquare)
    if gq is not None:
        middle = middle - turned(gq) @ q if gsquare is not None else -(turned(gq) @ q)
    middle = tril(middle)
    middle = middle + turned(tril(middle, -1))
    gx = (q @ middle if gq is None else gq + q @ middle) @ turned(inv_op(square))
    return (cat([gx, q @ grest], -1) if grest is not None
            else cat([gx, gx.new_zeros((*x_meta.shape[:-2], m, n - m))], -1) if wide else gx,)


def qr(A: Tensor, mode: str = "reduced", *, out: tuple[Tensor, Tensor] | None = None) -> QRResult:
    """QR decomposition: A = Q R with orthonormal columns of Q and an upper triangular R.

    Args:
        A: matrix, or batch of matrices [..., m, n], of type float32 or float64.
        mode: "reduced": Q is [..., m, k] with k = min(m, n); "complete": Q is [..., m, m]; "r": Q is not computed, and
            empty.
        out: two tensors that receive the results.

    Returns:
        Named tuple (Q, R).

    Raises:
        RuntimeError: the mode is another one, or the type is not float32 or float64.

    Example:
        >>> gpunet.linalg.qr(gpunet.tensor([[3.0, 1.0], [4.0, 2.0]])).R.abs()
        tensor([[5.0000, 2.2000],
                [0.0000, 0.4000]])
    """
    if mode not in _QR_MODES:
        raise RuntimeError(f"qr: the mode must be one of {', '.join(_QR_MODES)}, got {mode!r}")
    return deliver(QRResult(*qr_op(A, mode=mode)), out, "qr", exact=True)


def _gaps(values):
    """values[j] - values[i] off the diagonal, 1 on it."""
    gaps = unsqueeze(values, -2) - unsqueeze(values, -1)
    return gaps + eye(values._array.shape[-1], dtype=values.dtype, device=values._device.name)


class EighResult(NamedTuple):
    """What `eigh` returns."""

    eigenvalues: Tensor
    eigenvectors: Tensor


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


def eigh(input: Tensor, UPLO: str = "L", *, out: tuple[Tensor, Tensor] | None = None) -> EighResult:
    """Eigenvalues and eigenvectors of a symmetric matrix: A = V diag(w) V^T.

    Gradients of eigenvectors exist where no eigenvalue repeats.

    Args:
        input: matrix, or batch of matrices [..., n, n], of type float32 or float64.
        UPLO: the triangle that is read: "L", the lower, or "U", the upper one.
        out: two tensors that receive the results.

    Returns:
        Named tuple (eigenvalues, eigenvectors): [..., n] in ascending order, and [..., n, n], whose columns are
        orthonormal.

    Raises:
        LinAlgError: the decomposition did not converge.
        RuntimeError: the matrices are not square, or not of type float32 or float64.

    Example:
        >>> gpunet.linalg.eigh(gpunet.tensor([[2.0, 0.0], [0.0, 1.0]])).eigenvalues
        tensor([1., 2.])
    """
    return deliver(_eigen(input, UPLO), out, "eigh", exact=True)


def _eigen(x: Tensor, UPLO: str) -> EighResult:
    if UPLO.upper() not in ("L", "U"):
        raise RuntimeError(f"eigh: UPLO must be 'L' or 'U', got {UPLO!r}")
    return EighResult(*eigh_op(x, lower=UPLO.upper() == "L"))


def eigvalsh(input: Tensor, UPLO: str = "L", *, out: Tensor | None = None) -> Tensor:
    """Eigenvalues of a symmetric matrix, in ascending order.

    Args:
        input: matrix, or batch of matrices [..., n, n], of type float32 or float64.
        UPLO: the triangle that is read: "L", the lower, or "U", the upper one.
        out: tensor of the result's type that receives the result; resized if its shape differs.

    Returns:
        Tensor [..., n].

    Raises:
        LinAlgError: the decomposition did not converge.
        RuntimeError: the matrices are not square, or not of type float32 or float64.

    Example:
        >>> gpunet.linalg.eigvalsh(gpunet.tensor([[2.0, 0.0], [0.0, 1.0]]))
        tensor([1., 2.])
    """
    return deliver(_eigen(input, UPLO).eigenvalues, out, "eigvalsh", exact=True)


class SVDResult(NamedTuple):
    """What `svd` returns."""

    U: Tensor
    S: Tensor
    Vh: Tensor


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
    k = min(m, n)
    if full:  # the vectors beyond the singular values are any basis of the rest, and have no gradient
        u, gu = narrow(u, -1, 0, k), None if gu is None else narrow(gu, -1, 0, k)
        vh, gvh = narrow(vh, -2, 0, k), None if gvh is None else narrow(gvh, -2, 0, k)
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


def svd(A: Tensor, full_matrices: bool = True, *, driver: str | None = None,
        out: tuple[Tensor, Tensor, Tensor] | None = None) -> SVDResult:
    """Singular value decomposition: A = U diag(S) Vh.

    Gradients of U and Vh need distinct singular values, and do not pass through what makes U and Vh square.

    Args:
        A: matrix, or batch of matrices [..., m, n], of type float32 or float64.
        full_matrices: make U [..., m, m] and Vh [..., n, n], else [..., m, k] and [..., k, n] with k = min(m, n).
        driver: cuSOLVER's method, on a GPU only: "gesvd", "gesvdj" or "gesvda". It changes nothing here.
        out: three tensors that receive the results.

    Returns:
        Named tuple (U, S, Vh): orthonormal columns, singular values [..., k] in descending order, orthonormal rows.

    Raises:
        LinAlgError: the decomposition did not converge.
        RuntimeError: the type is not float32 or float64, or a driver is given for another device.

    Example:
        >>> gpunet.linalg.svd(gpunet.tensor([[0.0, 2.0], [3.0, 0.0]])).S
        tensor([3., 2.])
    """
    _check_driver("svd", A, driver)
    return deliver(SVDResult(*svd_op(A, full=full_matrices)), out, "svd", exact=True)


def svdvals(A: Tensor, *, driver: str | None = None, out: Tensor | None = None) -> Tensor:
    """Singular values of a matrix, in descending order.

    Args:
        A: matrix, or batch of matrices [..., m, n], of type float32 or float64.
        driver: cuSOLVER's method, on a GPU only: "gesvd", "gesvdj" or "gesvda". It changes nothing here.
        out: tensor of the result's type that receives the result; resized if its shape differs.

    Returns:
        Tensor [..., min(m, n)].

    Raises:
        LinAlgError: the decomposition did not converge.
        RuntimeError: the type is not float32 or float64, or a driver is given for another device.

    Example:
        >>> gpunet.linalg.svdvals(gpunet.tensor([[0.0, 2.0], [3.0, 0.0]]))
        tensor([3., 2.])
    """
    _check_driver("svdvals", A, driver)
    return deliver(svd_op(A, full=False)[1], out, "svdvals", exact=True)


def _check_driver(name: str, A: Tensor, driver: str | None) -> None:
    if driver is not None and (not A.is_cuda or driver not in ("gesvd", "gesvdj", "gesvda")):
        raise RuntimeError(f"{name}: driver must be 'gesvd', 'gesvdj' or 'gesvda', and is for GPUs only, got "
                           f"{driver!r} and a tensor on {A.device}; leave it out")
