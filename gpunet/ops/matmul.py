"""Matrix products."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from gpunet.dispatch import bind, is_tensor, op
from gpunet.dtypes import HALF_TYPES, public
from gpunet.native import Native
from gpunet.ops.launching import KERNEL_TYPES
from gpunet.ops.matmul_launch import NO_ACTIVATION, product
from gpunet.ops.out import deliver
from gpunet.ops.rules import broadcast

if TYPE_CHECKING:
    from gpunet.tensor import Tensor

__all__ = ["bmm", "dot", "matmul", "mm"]


def _flip(shape):
    return (*shape[:-2], shape[-1], shape[-2])


def _product(a, b, *, ta=False, tb=False):
    sa, sb = _flip(a.shape) if ta else a.shape, _flip(b.shape) if tb else b.shape
    if a.dtype != b.dtype:
        raise RuntimeError(f"matmul: expected two tensors of one type, got {public(a.dtype)} and {public(b.dtype)}; "
                           "convert one with .to(dtype)")
    if sa[-1] != sb[-2]:
        raise RuntimeError(f"matmul: the inner sizes of {sa} and {sb} differ ({sa[-1]} and {sb[-2]}); the last size of "
                           "the first must equal the last but one of the second")
    if len(sa) == len(sb) == 2:
        return (sa[0], sb[1]), a.dtype
    return (*broadcast(sa[:-2], sb[:-2]), sa[-2], sb[-1]), a.dtype


def product_into(xp, out, a, b, bias=None):
    """out = a @ b + bias; half types accumulate in float32."""
    wide = out
    if out.dtype in HALF_TYPES:
        wide = xp.matmul(a.astype("float32"), b.astype("float32"))
    else:
        xp.matmul(a, b, out=out)
    if bias is not None:
        wide += bias
    if wide is not out:
        xp.copyto(out, wide, casting="unsafe")


@op(_product, strided=True, broadcasts="batch")
def matmul_op(xp, out, a, b, *, ta=False, tb=False):
    """a @ b over the last two dimensions, each transposed first if its flag is set; batch dimensions broadcast."""
    product_into(xp, out, a.swapaxes(-1, -2) if ta else a, b.swapaxes(-1, -2) if tb else b)


@matmul_op.gradient(needs=("b", "a"))
def _(g, _, a, b, *, ta=False, tb=False):
    # With C = A' B' (' as flagged): dA' = G B'^T and dB' = A'^T G; a transposed operand takes the transposed result.
    def left():
        return matmul_op(b, g, ta=tb, tb=True) if ta else matmul_op(g, b, ta=False, tb=not tb)

    def right():
        return matmul_op(g, a, ta=True, tb=ta) if tb else matmul_op(a, g, ta=not ta, tb=False)

    return left, right


_matmul = bind(matmul_op)  # called faster than the op, which takes attributes


def matmul(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Matrix product: y[..., i, j] = sum over k of input[..., i, k] * other[..., k, j].

    A vector is a row on the left and a column on the right, and its dimension is not in the result. Dimensions before
    the last two are a batch, and broadcast.

    Args:
        input: tensor of shape [..., n, k], or a vector [k].
        other: tensor of shape [..., k, m], or a vector [k], of the same type.
        out: tensor of the result's type that receives the result; resized if its shape differs.

    Returns:
        Tensor of shape [..., n, m], without n or m where that operand is a vector.

    Raises:
        RuntimeError: the inner sizes or the types differ, or one of both has no dimensions.

    Example:
        >>> gpunet.matmul(gpunet.tensor([[1.0, 2.0], [3.0, 4.0]]), gpunet.tensor([1.0, 10.0]))
        tensor([21., 43.])
    """
    try:
        ranks = input._array.ndim, other._array.ndim
    except AttributeError:
        wrong = other if is_tensor(input) else input
        what = ("got a NumPy array; make it a tensor with gpunet.tensor() first" if hasattr(wrong, "__array__") else
                f"expected a Tensor, got {type(wrong).__name__}")
        raise TypeError(f"matmul: {what}") from None
    if ranks[0] >= 2 and ranks[1] >= 2:
        return deliver(_matmul(input, other), out, "matmul", exact=True)
    return deliver(_of_vectors(input, other), out, "matmul", exact=True)


def _of_vectors(input: Tensor, other: Tensor) -> Tensor:
    """The product where at least one of both is a vector."""
    ra, rb = input._array.ndim, other._array.ndim
    if ra == 0 or rb == 0:
        raise RuntimeError(f"matmul: both tensors need at least 1 dimension, got {ra} and {rb}; use * for numbers")
    if ra == 1 and rb == 1:
        if input.shape != other.shape:
            raise RuntimeError(f"matmul: vectors of sizes {input.shape[0]} and {other.shape[0]} have no dot product; "
                               "the sizes must be equal")
        return matmul_op(input.unsqueeze(0), other.unsqueeze(1), ta=False, tb=False).reshape(())
    if ra == 1:
        return matmul_op(input.unsqueeze(0), other, ta=False, tb=False).squeeze(-2)
    return matmul_op(input, other.unsqueeze(1), ta=False, tb=False).squeeze(-1)


def mm(input: Tensor, mat2: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Product of two matrices: y[i, j] = sum over k of input[i, k] * mat2[k, j].

    Args:
        input: matrix [n, k].
        mat2: matrix [k, m] of the same type.
        out: tensor of the result's type that receives the result; resized if its shape differs.

    Returns:
        Matrix [n, m].

    Raises:
        RuntimeError: one of both is not a matrix, or the inner sizes or the types differ.

    Example:
        >>> gpunet.mm(gpunet.tensor([[1.0, 2.0]]), gpunet.tensor([[3.0], [4.0]]))
        tensor([[11.]])
    """
    _check_rank("mm", 2, input, mat2)
    return deliver(_matmul(input, mat2), out, "mm", exact=True)


def bmm(input: Tensor, mat2: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Products of two batches of matrices: y[b] = input[b] @ mat2[b].

    Args:
        input: tensor [b, n, k].
        mat2: tensor [b, k, m] of the same type.
        out: tensor of the result's type that receives the result; resized if its shape differs.

    Returns:
        Tensor [b, n, m].

    Raises:
        RuntimeError: one of both does not have 3 dimensions, or the batch sizes, the inner sizes or the types differ.

    Example:
        >>> gpunet.bmm(gpunet.ones(2, 1, 3), gpunet.ones(2, 3, 1))
        tensor([[[3.]],
        <BLANKLINE>
                [[3.]]])
    """
    _check_rank("bmm", 3, input, mat2)
    if input.shape[0] != mat2.shape[0]:
        raise RuntimeError(f"bmm: batch sizes {input.shape[0]} and {mat2.shape[0]} differ")
    return deliver(_matmul(input, mat2), out, "bmm", exact=True)


def _check_rank(name: str, rank: int, *tensors: Tensor) -> None:
    for x in tensors:
        if x._array.ndim != rank:
            raise RuntimeError(f"{name}: expected tensors of {rank} dimensions, got shape {tuple(x.shape)}; "
                               "matmul takes any")


def dot(input: Tensor, tensor: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Inner product of two vectors: y = sum of input[i] * tensor[i].

    Args:
        input: vector [n].
        tensor: vector [n] of the same type.
        out: tensor of the result's type that receives the result; resized if its shape differs.

    Returns:
        Tensor without dimensions.

    Raises:
        RuntimeError: one of both is not a vector, or the sizes or the types differ.

    Example:
        >>> gpunet.dot(gpunet.tensor([1.0, 2.0]), gpunet.tensor([3.0, 4.0]))
        tensor(11.)
    """
    if input._array.ndim != 1 or tensor._array.ndim != 1:
        raise RuntimeError(f"dot: expected two vectors, got shapes {tuple(input.shape)} and {tuple(tensor.shape)}")
    return deliver(_of_vectors(input, tensor), out, "dot", exact=True)


# ---- the CPU's kernel ------------------------------------------------------------------------------------------------

native_product = Native("matmul.cpp", "matmul", described=True)  # out, a, b, bias, ta, tb, activation


@matmul_op.cpu(strided=True)
def _(out, a, b, *, ta=False, tb=False):
    if not out.flags.c_contiguous:
        return NotImplemented
    native_product(out, a, b, None, ta, tb, NO_ACTIVATION)
    return None


# ---- launches: matrix products ---------------------------------------------------------------------------------------


def matrices(xp, x, flag):
    """`x` as C-contiguous matrices and whether they are to be transposed: a transposed view is no copy."""
    if x.flags.c_contiguous:
        return x, flag
    turned = x.swapaxes(-1, -2)
    if turned.flags.c_contiguous:
        return turned, not flag
    return xp.ascontiguousarray(x), flag


@matmul_op.kernel
def _(cuda, out, a, b, *, ta=False, tb=False):
    if out.dtype not in KERNEL_TYPES:
        return NotImplemented
    m, n = out.shape[-2:]
    k = a.shape[-2] if ta else a.shape[-1]
    if not out.size:
        return None
    batch = out.size // (m * n)
    operands = []
    for x, flag in ((a, ta), (b, tb)):
        leading = x.shape[:-2]
        if math.prod(leading) not in (1, batch):
            x = cuda.xp.broadcast_to(x, (*out.shape[:-2], *x.shape[-2:]))
        x, flag = matrices(cuda.xp, x, flag)
        operands.append((x, flag, 0 if math.prod(leading) == 1 else x.shape[-2] * x.shape[-1]))
    (a, ta, a_stride), (b, tb, b_stride) = operands
    if b_stride == 0 and not ta and a_stride:  # one right operand for all: the batch is more rows
        m, batch, a_stride = m * batch, 1, 0
    product(cuda, out, a, b, None, NO_ACTIVATION, ta, tb, m, n, k, batch, a_stride, b_stride)
    return None
