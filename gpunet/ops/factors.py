"""Factored matrices, by PyTorch's older functions: LU and QR decompositions, Cholesky factors and what they solve."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gpunet.ops import decompose
from gpunet.ops.creation import eye
from gpunet.ops.decompose import QRResult
from gpunet.ops.inverse import check_matrices, turned
from gpunet.ops.linalg import solve_triangular
from gpunet.ops.lu import (
    LUResult,
    check_pivots,
    check_right_side,
    check_solve,
    lower_of,
    lu_factor_op,
    permutation_matrix,
    solution,
    upper_of,
    zero_of,
)
from gpunet.ops.out import deliver

if TYPE_CHECKING:
    from gpunet.tensor import Tensor

__all__ = ["cholesky", "cholesky_inverse", "cholesky_solve", "lu", "lu_solve", "lu_unpack", "qr"]


def lu(A: Tensor, pivot: bool = True, get_infos: bool = False, out: tuple[Tensor, ...] | None = None) -> Any:
    """LU decomposition in packed form: the older form of `linalg.lu_factor`.

    Args:
        A: matrix, or batch of matrices [..., m, n], of type float32 or float64.
        pivot: exchange rows, so that the largest number of a column is divided by.
        get_infos: also return where U has a 0 on its diagonal, which is no error.
        out: the tensors that receive the results.

    Returns:
        Tuple (LU, pivots) as of `linalg.lu_factor`; with `get_infos` also the info of `linalg.lu_factor_ex`.

    Raises:
        RuntimeError: the type is not float32 or float64.

    Example:
        >>> gpunet.lu(gpunet.tensor([[1.0, 2.0], [4.0, 2.0]]))[1]
        tensor([2, 2], dtype=gpunet.int32)
    """
    packed, pivots = lu_factor_op(A, pivot=pivot, checked=False)
    return deliver((packed, pivots, zero_of(packed)) if get_infos else (packed, pivots), out, "lu")


def lu_unpack(LU_data: Tensor, LU_pivots: Tensor, unpack_data: bool = True, unpack_pivots: bool = True, *,
              out: tuple[Tensor, Tensor, Tensor] | None = None) -> LUResult:
    """The matrices P, L and U of a packed LU decomposition.

    Args:
        LU_data: what `linalg.lu_factor` returns.
        LU_pivots: likewise, of type int32.
        unpack_data: make L and U, else they are empty.
        unpack_pivots: make P, else it is empty.
        out: three tensors that receive the results.

    Returns:
        Named tuple (P, L, U) with A = P L U: [..., m, m], [..., m, k] and [..., k, n] with k = min(m, n).

    Raises:
        RuntimeError: the pivots are not of type int32, or do not fit.

    Example:
        >>> gpunet.lu_unpack(*gpunet.linalg.lu_factor(gpunet.tensor([[1.0, 2.0], [4.0, 2.0]]))).L
        tensor([[1.0000, 0.0000],
                [0.2500, 1.0000]])
    """
    def empty():
        return LU_data.new_empty((0,))

    if unpack_pivots:
        check_pivots("lu_unpack", LU_data, LU_pivots)
    p = permutation_matrix(LU_pivots, LU_data._array.shape[-2], LU_data.dtype) if unpack_pivots else empty()
    lower, upper = (lower_of(LU_data), upper_of(LU_data)) if unpack_data else (empty(), empty())
    return deliver(LUResult(p, lower, upper), out, "lu_unpack", exact=True)


def lu_solve(input: Tensor, LU_data: Tensor, LU_pivots: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Solution X of A X = B, from the LU decomposition of A; see `linalg.lu_solve`.

    Args:
        input: B: right sides [..., n, k].
        LU_data: what `linalg.lu_factor` returns of the square matrices A [..., n, n].
        LU_pivots: likewise, of type int32 [..., n].
        out: tensor of the result's type that receives the result; resized if its shape differs.

    Returns:
        Tensor of B's shape, broadcast.

    Raises:
        LinAlgError: a matrix is singular (on a GPU the result is then infinite or NaN).
        RuntimeError: the shapes do not fit each other, or the types differ.

    Example:
        >>> factors = gpunet.linalg.lu_factor(gpunet.tensor([[2.0, 0.0], [0.0, 4.0]]))
        >>> gpunet.lu_solve(gpunet.tensor([[2.0], [2.0]]), *factors)
        tensor([[1.0000],
                [0.5000]])
    """
    check_solve("lu_solve", LU_data, LU_pivots, input)
    return deliver(solution(LU_data, LU_pivots, input), out, "lu_solve", exact=True)


def qr(input: Tensor, some: bool = True, *, out: tuple[Tensor, Tensor] | None = None) -> QRResult:
    """QR decomposition; see `linalg.qr`.

    Args:
        input: matrix, or batch of matrices [..., m, n], of type float32 or float64.
        some: make Q [..., m, k] with k = min(m, n), else [..., m, m].
        out: two tensors that receive the results.

    Returns:
        Named tuple (Q, R).

    Raises:
        RuntimeError: the type is not float32 or float64.

    Example:
        >>> gpunet.qr(gpunet.tensor([[3.0, 1.0], [4.0, 2.0]])).R.abs()
        tensor([[5.0000, 2.2000],
                [0.0000, 0.4000]])
    """
    return decompose.qr(input, "reduced" if some else "complete", out=out)


def cholesky(input: Tensor, upper: bool = False, *, out: Tensor | None = None) -> Tensor:
    """Cholesky factor of a symmetric positive-definite matrix; see `linalg.cholesky`.

    Args:
        input: matrix, or batch of matrices [..., n, n], of type float32 or float64.
        upper: return the upper triangular factor instead.
        out: tensor of the result's type that receives the result; resized if its shape differs.

    Returns:
        Tensor of input's shape and type.

    Raises:
        LinAlgError: a matrix is not positive-definite (on a GPU the result is then NaN).
        RuntimeError: the matrices are not square, or not of type float32 or float64.

    Example:
        >>> gpunet.cholesky(gpunet.tensor([[4.0, 2.0], [2.0, 2.0]]))
        tensor([[2., 0.],
                [1., 1.]])
    """
    return deliver(decompose.cholesky(input, upper=upper), out, "cholesky")


def cholesky_solve(input: Tensor, input2: Tensor, upper: bool = False, *, out: Tensor | None = None) -> Tensor:
    """Solution X of A X = B, from the Cholesky factor of A.

    Args:
        input: B: right sides [..., n, k].
        input2: L with A = L L^T, or with `upper` U with A = U^T U: matrix, or batch of matrices [..., n, n]. Only its
            triangle is read.
        upper: whether the factor is the upper one.
        out: tensor of the result's type that receives the result; resized if its shape differs.

    Returns:
        Tensor of B's shape, broadcast.

    Raises:
        RuntimeError: the shapes do not fit each other, or the types differ.

    Example:
        >>> factor = gpunet.linalg.cholesky(gpunet.tensor([[4.0, 2.0], [2.0, 2.0]]))
        >>> gpunet.cholesky_solve(gpunet.tensor([[6.0], [4.0]]), factor)
        tensor([[1.],
                [1.]])
    """
    check_matrices("cholesky_solve", input2._array)
    check_right_side("cholesky_solve", "input2", input2, input)
    return deliver(_by_factor(input, input2, upper), out, "cholesky_solve")


def _by_factor(b: Tensor, factor: Tensor, upper: bool) -> Tensor:
    lower = turned(factor) if upper else factor
    return solve_triangular(turned(lower), solve_triangular(lower, b, upper=False), upper=True)


def cholesky_inverse(input: Tensor, upper: bool = False, *, out: Tensor | None = None) -> Tensor:
    """Inverse of a symmetric positive-definite matrix, from its Cholesky factor.

    Args:
        input: L with A = L L^T, or with `upper` U with A = U^T U: matrix, or batch of matrices [..., n, n].
        upper: whether the factor is the upper one.
        out: tensor of the result's type that receives the result; resized if its shape differs.

    Returns:
        Tensor of input's shape and type.

    Raises:
        RuntimeError: the matrices are not square, or not of type float32 or float64.

    Example:
        >>> gpunet.cholesky_inverse(gpunet.tensor([[2.0, 0.0], [1.0, 1.0]]))
        tensor([[ 0.5000, -0.5000],
                [-0.5000,  1.0000]])
    """
    check_matrices("cholesky_inverse", input._array)
    unit = eye(input._array.shape[-1], dtype=input.dtype, device=input._device.name)
    return deliver(_by_factor(unit, input, upper), out, "cholesky_inverse")


METHODS = {"lu": lu}
