"""Linear algebra, as `torch.linalg`: functions of matrices and batches of them, in float32 and float64."""

from gpunet.ops.decompose import cholesky, eigh, eigvalsh, qr, svd, svdvals
from gpunet.ops.diagonal import linalg_diagonal as diagonal
from gpunet.ops.inverse import LinAlgError, det, inv, slogdet, solve
from gpunet.ops.linalg import (
    cond,
    cross,
    lstsq,
    matrix_power,
    matrix_rank,
    multi_dot,
    pinv,
    solve_triangular,
    vecdot,
)
from gpunet.ops.lu import lu, lu_factor, lu_factor_ex, lu_solve
from gpunet.ops.matmul import matmul
from gpunet.ops.matrix_exp import matrix_exp
from gpunet.ops.norms import linalg_norm as norm
from gpunet.ops.norms import matrix_norm, vector_norm

__all__ = ["LinAlgError", "cholesky", "cond", "cross", "det", "diagonal", "eigh", "eigvalsh", "inv", "lstsq", "lu",
           "lu_factor", "lu_factor_ex", "lu_solve", "matmul", "matrix_exp", "matrix_norm", "matrix_power",
           "matrix_rank", "multi_dot", "norm", "pinv", "qr", "slogdet", "solve", "solve_triangular", "svd", "svdvals",
           "vecdot", "vector_norm"]
