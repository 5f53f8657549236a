"""Linear algebra that is made of the ops of inverse.py and decompose.py: powers, ranks, products."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from gpunet.dispatch import is_tensor
from gpunet.dtypes import INT64_NP, public
from gpunet.ops import products
from gpunet.ops.creation import eye
from gpunet.ops.decompose import svd_op, svdvals
from gpunet.ops.diagonal import tril, triu
from gpunet.ops.extremes import amax, amin
from gpunet.ops.inverse import SlogdetResult, check_matrices, det_op, inv_op, pinv_op, slogdet_op, solve_op, turned
from gpunet.ops.limits import maximum
from gpunet.ops.matmul import matmul
from gpunet.ops.norms import matrix_norm
from gpunet.ops.out import deliver
from gpunet.ops.reduce import sum
from gpunet.ops.rules import by_axis
from gpunet.ops.shape import expand, squeeze, unsqueeze

if TYPE_CHECKING:
    from gpunet.dtypes import Number
    from gpunet.tensor import Tensor

__all__ = ["det", "inverse", "logdet", "matrix_power", "pinverse", "slogdet", "svd"]


def pinv(input: Tensor, rcond: Tensor | float | None = None, hermitian: bool = False, *,
         atol: Tensor | float | None = None, rtol: Tensor | float | None = None, out: Tensor | None = None) -> Tensor:
    """Pseudo-inverse of Moore and Penrose: V diag(1/s) U^T of A = U diag(s) V^T, without the small singular values.

    Args:
        input: matrix, or batch of matrices [..., m, n], of type float32 or float64.
        rcond: older name of `rtol`.
        hermitian: take the matrices as symmetric: the lower triangle is read. The gradient is that of a whole matrix.
        atol: singular values of at most this count as 0: a number, or a tensor with one for each matrix.
        rtol: those of at most this times the largest count as 0; by default, if atol is not given either, the larger
            side of the matrix times the type's epsilon.
        out: tensor of the result's type that receives the result; resized if its shape differs.

    Returns:
        Tensor [..., n, m].

    Raises:
        LinAlgError: the decomposition did not converge.
        RuntimeError: the type is not float32 or float64.

    Example:
        >>> gpunet.linalg.pinv(gpunet.tensor([[2.0, 0.0], [0.0, 0.0]]))
        tensor([[0.5000, 0.0000],
                [0.0000, 0.0000]])
    """
    return deliver(_pseudo_inverse(input, atol, rtol if rcond is None else rcond, hermitian), out, "pinv")


def _pseudo_inverse(A: Tensor, atol: Tensor | float | None, rtol: Tensor | float | None,
                    hermitian: bool) -> Tensor:
    check_matrices("pinv", A._array, square=False)
    rtol = (_tolerance(A) if atol is None else 0.0) if rtol is None else rtol
    return pinv_op(A, atol=_for_each(0.0 if atol is None else atol), rtol=_for_each(rtol), hermitian=bool(hermitian))


def _for_each(bound: Tensor | float) -> Any:
    """A bound, or one for each matrix, so that it can be compared with their singular values."""
    return bound if isinstance(bound, (int, float)) else bound._array[..., None]


def _symmetric(A: Tensor) -> Tensor:
    """The symmetric matrices of which these are the lower triangles."""
    return tril(A) + tril(A, -1).mT


def _tolerance(A: Tensor) -> float:
    return max(A._array.shape[-2:]) * float(np.finfo(A._array.dtype).eps)


def matrix_rank(input: Tensor, tol: Tensor | float | None = None, hermitian: bool = False, *,
                atol: Tensor | float | None = None, rtol: Tensor | float | None = None,
                out: Tensor | None = None) -> Tensor:
    """Rank of a matrix: how many singular values are larger than max(atol, rtol times the largest one).

    Args:
        input: matrix, or batch of matrices [..., m, n], of type float32 or float64.
        tol: older name of `atol`, with rtol 0.
        hermitian: take the matrices as symmetric: the lower triangle is read.
        atol: number, or tensor with one for each matrix.
        rtol: number, or tensor with one for each matrix; by default, if atol is not given either, the larger side of
            the matrix times the type's epsilon.
        out: tensor that receives the result; resized if its shape differs.

    Returns:
        Tensor of input's shape without the last two dimensions, of type int64.

    Raises:
        RuntimeError: the type is not float32 or float64.

    Example:
        >>> gpunet.linalg.matrix_rank(gpunet.tensor([[1.0, 2.0], [2.0, 4.0]]))
        tensor(1)
    """
    return deliver(_rank(input, atol if tol is None else tol, rtol, hermitian), out, "matrix_rank")


def _rank(A: Tensor, atol: Any, rtol: Tensor | float | None, hermitian: bool = False) -> Tensor:
    s = svdvals(_symmetric(A) if hermitian else A)
    if s._array.shape[-1] == 0:
        return A.new_zeros(A._array.shape[:-2], dtype=public(INT64_NP))
    rtol = (_tolerance(A) if atol is None else 0.0) if rtol is None else rtol
    bound = amax(s, -1) * rtol
    bound = bound if atol is None else maximum(bound, atol if is_tensor(atol) else bound.new_full((), atol))
    return sum(unsqueeze(bound, -1) < s, -1)


_DRIVERS = ("gelsy", "gels", "gelsd", "gelss")  # LAPACK's names


class LstsqResult(NamedTuple):
    """What `lstsq` returns."""

    solution: Tensor
    residuals: Tensor
    rank: Tensor
    singular_values: Tensor


def lstsq(input: Tensor, b: Tensor, rcond: float | None = None, *, driver: str | None = None,
          out: tuple[Tensor, Tensor, Tensor, Tensor] | None = None) -> LstsqResult:
    """Least squares: the X with the smallest |A X - B|, and of these the smallest X, by the pseudo-inverse.

    Args:
        input: A: matrix, or batch of matrices [..., m, n], of type float32 or float64.
        b: B: right sides: a vector [m], a batch of vectors or matrices [..., m, k].
        rcond: singular values of at most this times the largest count as 0.
        driver: LAPACK's name, which says as in PyTorch what is computed beside the solution: the residuals
            |A X - B|^2, for m > n, except with "gelsy" (the default); the rank except with "gels"; the singular values
            with "gelsd" and "gelss".
        out: four tensors that receive the results.

    Returns:
        Named tuple (solution, residuals, rank, singular_values); what is not computed is empty.

    Raises:
        RuntimeError: the driver is another one, or the shapes do not fit each other.

    Example:
        >>> gpunet.linalg.lstsq(gpunet.tensor([[1.0], [1.0]]), gpunet.tensor([[1.0], [3.0]])).solution
        tensor([[2.0000]])
    """
    return deliver(_least_squares(input, b, rcond, driver), out, "lstsq")


def _least_squares(A: Tensor, B: Tensor, rcond: float | None, driver: str | None) -> LstsqResult:
    if driver not in (None, *_DRIVERS):
        raise RuntimeError(f"lstsq: the driver must be one of {', '.join(_DRIVERS)}, got {driver!r}")
    if A._array.ndim < 2 or not B._array.ndim:
        raise RuntimeError(f"lstsq: expected matrices [..., rows, columns] and right sides [..., rows, k], got shapes "
                           f"{tuple(A.shape)} and {tuple(B.shape)}")
    driver = driver or "gelsy"
    vectors = B._array.ndim == 1 or (A._array.ndim - 1 == B._array.ndim and A._array.shape[:-1] == B._array.shape)
    right = unsqueeze(B, -1) if vectors else B
    solution = _pseudo_inverse(A, None, rcond, False) @ right
    residuals = singular = A.new_zeros((0,))
    if A._array.shape[-2] > A._array.shape[-1] and driver != "gelsy":
        rest = A @ solution - right
        residuals = sum(rest * rest, -2)
    if driver in ("gelsd", "gelss"):
        singular = svdvals(A.detach())
    return LstsqResult(squeeze(solution, -1) if vectors else solution, residuals,
                       A.new_zeros((0,), dtype=public(INT64_NP)) if driver == "gels" else _rank(A, None, rcond),
                       singular)


def matrix_power(input: Tensor, n: int, *, out: Tensor | None = None) -> Tensor:
    """Power of a square matrix, by repeated squaring; of a negative n that of the inverse.

    Args:
        input: matrix, or batch of matrices [..., n, n], of type float32 or float64.
        n: the exponent.
        out: tensor of the result's type that receives the result; resized if its shape differs.

    Returns:
        Tensor of input's shape and type.

    Raises:
        LinAlgError: n is negative and a matrix is singular.
        RuntimeError: the matrices are not square.

    Example:
        >>> gpunet.linalg.matrix_power(gpunet.tensor([[1.0, 1.0], [0.0, 1.0]]), 3)
        tensor([[1., 3.],
                [0., 1.]])
    """
    return deliver(_power(input, n), out, "matrix_power", exact=True)


def _power(A: Tensor, n: int) -> Tensor:
    check_matrices("matrix_power", A._array)
    if n < 0:
        return _power(inv_op(A), -n)
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


def multi_dot(tensors: Sequence[Tensor], *, out: Tensor | None = None) -> Tensor:
    """Product of two and more matrices, in an order that takes few operations.

    Args:
        tensors: the matrices; the first and the last may be vectors.
        out: tensor of the result's type that receives the result; resized if its shape differs.

    Returns:
        Matrix, without the dimension of a vector.

    Raises:
        RuntimeError: there are fewer than two tensors, or their shapes do not fit each other.

    Example:
        >>> a = gpunet.tensor([[1.0, 2.0]])
        >>> gpunet.linalg.multi_dot([a, a.T, a])
        tensor([[ 5., 10.]])
    """
    return deliver(_chain(tensors), out, "multi_dot", exact=True)


def _chain(tensors: Sequence[Tensor]) -> Tensor:
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


def solve_triangular(input: Tensor, B: Tensor, *, upper: bool, left: bool = True, unitriangular: bool = False,
                     out: Tensor | None = None) -> Tensor:
    """Solution X of A X = B, or X A = B, for a triangular matrix A.

    Args:
        input: A: matrix, or batch of matrices [..., n, n], of type float32 or float64. What is on the other side of the
            diagonal does not count.
        B: matrices [..., n, k], or [..., k, n] if not `left`.
        upper: whether A is upper triangular, else lower.
        left: whether A stands on the left of X.
        unitriangular: take the diagonal of A as ones.
        out: tensor of the result's type that receives the result; resized if its shape differs.

    Returns:
        Tensor of B's shape, broadcast.

    Raises:
        LinAlgError: a matrix is singular (on a GPU the result is then infinite or NaN).
        RuntimeError: the shapes do not fit each other, or the types differ.

    Example:
        >>> a = gpunet.tensor([[2.0, 1.0], [0.0, 1.0]])
        >>> gpunet.linalg.solve_triangular(a, gpunet.tensor([[4.0], [2.0]]), upper=True)
        tensor([[1.],
                [2.]])
    """
    A = input
    check_matrices("solve_triangular", A._array)
    if unitriangular:
        A = (triu(A, 1) if upper else tril(A, -1)) + eye(A._array.shape[-1], dtype=A.dtype, device=A._device.name)
    A = triu(A) if upper else tril(A)
    solution = solve_op(A, B) if left else turned(solve_op(turned(A), turned(B)))
    return deliver(solution, out, "solve_triangular", exact=True)


def vecdot(x: Tensor, y: Tensor, *, dim: int = -1, axis: int | None = None,
           out: Tensor | None = None) -> Tensor:
    """Inner products of vectors along a dimension; other dimensions broadcast.

    Args:
        x: tensor.
        y: tensor, broadcastable with `x`.
        dim: the dimension of the vectors.
        axis: another name for `dim`, as in NumPy.
        out: tensor of the result's type that receives the result; resized if its shape differs.

    Returns:
        Tensor of the broadcast shape without `dim`.

    Example:
        >>> gpunet.linalg.vecdot(gpunet.tensor([[1.0, 2.0], [3.0, 4.0]]), gpunet.tensor([1.0, 10.0]))
        tensor([21., 43.])
    """
    if axis is not None:
        dim = by_axis("vecdot", dim, axis, -1)
    return deliver(sum(x * y, dim), out, "vecdot", exact=True)


def cross(input: Tensor, other: Tensor, *, dim: int = -1, axis: int | None = None,
          out: Tensor | None = None) -> Tensor:
    """Vector product in three dimensions, of all vectors along a dimension.

    Args:
        input: tensor whose size along `dim` is 3.
        other: tensor with as many dimensions, which broadcasts with `input`.
        dim: the dimension of the vectors.
        axis: another name for `dim`, as in NumPy.
        out: tensor of the result's type that receives the result; resized if its shape differs.

    Returns:
        Tensor of the broadcast shape.

    Raises:
        RuntimeError: the size along `dim` is not 3, or the numbers of dimensions differ.

    Example:
        >>> gpunet.linalg.cross(gpunet.tensor([1.0, 0.0, 0.0]), gpunet.tensor([0.0, 1.0, 0.0]))
        tensor([0., 0., 1.])
    """
    if axis is not None:
        dim = by_axis("cross", dim, axis, -1)
    return deliver(products.cross(input, other, dim), out, "cross", exact=True)


def cond(input: Tensor, p: Number | str | None = None, *, out: Tensor | None = None) -> Tensor:
    """Condition number of a matrix: its norm times that of its inverse.

    Args:
        input: matrix, or batch of matrices, of type float32 or float64; for p None, 2 and -2 of any shape, else square.
        p: the order of the norm, as in `matrix_norm`; None is 2: the largest singular value divided by the smallest.
        out: tensor of the result's type that receives the result; resized if its shape differs.

    Returns:
        Tensor of input's shape without the last two dimensions.

    Raises:
        RuntimeError: the type is not float32 or float64, or the order does not exist.

    Example:
        >>> gpunet.linalg.cond(gpunet.tensor([[2.0, 0.0], [0.0, 4.0]]))
        tensor(2.)
    """
    return deliver(_condition(input, p), out, "cond")


def _condition(A: Tensor, p: Number | str | None) -> Tensor:
    if p in (None, 2, -2):
        s = svdvals(A)
        return amax(s, -1) / amin(s, -1) if p != -2 else amin(s, -1) / amax(s, -1)
    assert p is not None
    return matrix_norm(A, p) * matrix_norm(inv_op(A), p)


# ---- the older functions -------------------------------------------------------------------------------------------


def det(input: Tensor) -> Tensor:
    """Determinant of a square matrix; see `linalg.det`.

    Args:
        input: matrix, or batch of matrices [..., n, n], of type float32 or float64.

    Returns:
        Tensor of input's shape without the last two dimensions.

    Raises:
        RuntimeError: the matrices are not square, or not of type float32 or float64.

    Example:
        >>> gpunet.det(gpunet.tensor([[2.0, 1.0], [0.0, 4.0]]))
        tensor(8.)
    """
    return det_op(input)


def inverse(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Inverse of a square matrix; see `linalg.inv`.

    Args:
        input: matrix, or batch of matrices [..., n, n], of type float32 or float64.
        out: tensor of the result's type that receives the result; resized if its shape differs.

    Returns:
        Tensor of input's shape and type.

    Raises:
        LinAlgError: a matrix is singular (on a GPU the result is then infinite or NaN).

    Example:
        >>> gpunet.inverse(gpunet.tensor([[2.0, 0.0], [0.0, 4.0]]))
        tensor([[0.5000, 0.0000],
                [0.0000, 0.2500]])
    """
    return deliver(inv_op(input), out, "inverse", exact=True)


def slogdet(input: Tensor, *, out: tuple[Tensor, Tensor] | None = None) -> SlogdetResult:
    """Sign and logarithm of the absolute value of a determinant; see `linalg.slogdet`.

    Args:
        input: matrix, or batch of matrices [..., n, n], of type float32 or float64.
        out: two tensors that receive the results.

    Returns:
        Named tuple (sign, logabsdet) of tensors of input's shape without the last two dimensions.

    Example:
        >>> gpunet.slogdet(gpunet.tensor([[0.0, 1.0], [1.0, 0.0]])).sign
        tensor(-1.)
    """
    return deliver(SlogdetResult(*slogdet_op(input)), out, "slogdet", exact=True)


def logdet(input: Tensor) -> Tensor:
    """Natural logarithm of a determinant; NaN where that is negative, -inf where it is 0.

    Args:
        input: matrix, or batch of matrices [..., n, n], of type float32 or float64.

    Returns:
        Tensor of input's shape without the last two dimensions.

    Example:
        >>> gpunet.logdet(gpunet.tensor([[2.0, 0.0], [0.0, 4.0]]))
        tensor(2.0794)
    """
    sign, log = slogdet_op(input)
    return sign.log() + log


def pinverse(input: Tensor, rcond: float = 1e-15) -> Tensor:
    """Pseudo-inverse; see `linalg.pinv`.

    Args:
        input: matrix, or batch of matrices [..., m, n], of type float32 or float64.
        rcond: singular values of at most this times the largest count as 0.

    Returns:
        Tensor [..., n, m].

    Example:
        >>> gpunet.pinverse(gpunet.tensor([[2.0, 0.0], [0.0, 0.0]]))
        tensor([[0.5000, 0.0000],
                [0.0000, 0.0000]])
    """
    return _pseudo_inverse(input, None, rcond, False)


class OlderSVDResult(NamedTuple):
    """What `gpunet.svd` returns."""

    U: Tensor
    S: Tensor
    V: Tensor


def svd(input: Tensor, some: bool = True, compute_uv: bool = True, *,
              out: tuple[Tensor, Tensor, Tensor] | None = None) -> OlderSVDResult:
    """Singular value decomposition in its older form: A = U diag(S) V^T. `gpunet.linalg.svd` returns V^T instead.

    Args:
        input: matrix, or batch of matrices [..., m, n], of type float32 or float64.
        some: make U [..., m, k] and V [..., n, k] with k = min(m, n), else both square.
        compute_uv: compute U and V, else they are square and zero.
        out: three tensors that receive the results.

    Returns:
        Named tuple (U, S, V): orthonormal columns, singular values [..., k] in descending order, orthonormal columns.

    Raises:
        LinAlgError: the decomposition did not converge.
        RuntimeError: the type is not float32 or float64.

    Example:
        >>> gpunet.svd(gpunet.tensor([[0.0, 2.0], [3.0, 0.0]])).S
        tensor([3., 2.])
    """
    u, s, vh = svd_op(input, full=not some and compute_uv)
    if not compute_uv:
        *batch, m, n = input._array.shape
        u, vh = input.new_zeros((*batch, m, m)), input.new_zeros((*batch, n, n))
    return deliver(OlderSVDResult(u, s, turned(vh)), out, "svd", exact=True)
