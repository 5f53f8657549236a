"""The exponential function of matrices."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gpunet.dispatch import op
from gpunet.ops.inverse import square_rule, turned
from gpunet.ops.join import cat
from gpunet.ops.pieces import narrow

if TYPE_CHECKING:
    from gpunet.tensor import Tensor

__all__ = ["matrix_exp"]

# Scaling and squaring: N. Higham, "The scaling and squaring method for the matrix exponential revisited" (2005). A
# matrix whose 1-norm is at most _NORM has its exponential by the Padé approximant of degree 13, which these
# coefficients make.
_PADE = (64764752532480000.0, 32382376266240000.0, 7771770303897600.0, 1187353796428800.0, 129060195264000.0,
         10559470521600.0, 670442572800.0, 33522128640.0, 1323241920.0, 40840800.0, 960960.0, 16380.0, 182.0, 1.0)
_NORM = 5.371920351148152
_SQUARINGS = 30  # at most, on a GPU, where nobody reads how many are needed


@op(square_rule("linalg.matrix_exp"))
def matrix_exp_op(xp, out, x):
    if not out.size:
        return
    b, one = [x.dtype.type(c / _PADE[-2]) for c in _PADE], xp.eye(x.shape[-1], dtype=x.dtype)
    norm = xp.max(xp.sum(xp.absolute(x), -2), -1)[..., None, None]
    needed = xp.ceil(xp.log2(xp.where(norm > _NORM, norm / x.dtype.type(_NORM), x.dtype.type(1))))
    needed = xp.where(needed <= _SQUARINGS, needed, x.dtype.type(_SQUARINGS))  # also of infinite matrices
    a = x * xp.exp2(-needed)
    a2 = xp.matmul(a, a)
    a4 = xp.matmul(a2, a2)
    a6 = xp.matmul(a4, a2)
    odd = xp.matmul(a6, b[13] * a6 + b[11] * a4 + b[9] * a2) + b[7] * a6 + b[5] * a4 + b[3] * a2 + b[1] * one
    odd = xp.matmul(a, odd)
    even = xp.matmul(a6, b[12] * a6 + b[10] * a4 + b[8] * a2) + b[6] * a6 + b[4] * a4 + b[2] * a2 + b[0] * one
    out[...] = xp.linalg.solve(even - odd, even + odd)
    for k in range(int(needed.max()) if xp is np else _SQUARINGS):
        out[...] = xp.where(k < needed, xp.matmul(out, out), out)


@matrix_exp_op.gradient
def _(g, _y, x):
    """The exponential of [[A^T, G], [0, A^T]] has the gradient in its upper right corner (R. Mathias, 1996)."""
    n, a = x._array.shape[-1], turned(x)
    block = cat([cat([a, g], -1), cat([g.new_zeros(g._array.shape), a], -1)], -2)
    return (narrow(narrow(matrix_exp_op(block), -2, 0, n), -1, n, n),)


def matrix_exp(input: Tensor) -> Tensor:
    """Exponential of a square matrix: the sum of all A^k / k!, by scaling and squaring.

    Source: Higham, "The scaling and squaring method for the matrix exponential revisited", 2005.

    Args:
        input: matrix, or batch of matrices [..., n, n], of type float32 or float64.

    Returns:
        Tensor of input's shape and type.

    Raises:
        RuntimeError: the matrices are not square, or not of type float32 or float64.

    Example:
        >>> gpunet.matrix_exp(gpunet.tensor([[0.0, 1.0], [0.0, 0.0]]))
        tensor([[1., 1.],
                [0., 1.]])
    """
    return matrix_exp_op(input)
