"""Matrix products."""

from __future__ import annotations

from functools import cache
from math import prod
from typing import TYPE_CHECKING

import numpy as np

from gpunet.dispatch import bind, is_tensor, op
from gpunet.dtypes import HALF_TYPES, public
from gpunet.native import Native
from gpunet.ops.epilogue import BY_FUNCTION, NONE, served
from gpunet.ops.launching import KERNEL_TYPES
from gpunet.ops.matmul_launch import Product, operand, pair, product
from gpunet.ops.out import deliver
from gpunet.ops.rules import broadcast
from gpunet.ops.views import _permute

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


def _factors(g, a, b, ta, tb):
    """What the gradients of a product are products of: of each operand two factors and their flags."""
    # With C = A' B' (' as flagged): dA' = G B'^T and dB' = A'^T G; a transposed operand takes the transposed result.
    return ((b, g, tb, True) if ta else (g, b, False, not tb)), ((g, a, True, ta) if tb else (a, g, not ta, False))


@matmul_op.gradient(needs=("b", "a"), joint=True)
def _(g, _, a, b, *, ta=False, tb=False, joint=None):
    if joint is not None and all(joint.wanted) and a._array.shape[:-2] == b._array.shape[:-2]:
        return _at_once(g, a, b, ta, tb, joint.onto)
    left, right = _factors(g, a, b, ta, tb)
    return (lambda: matmul_op(left[0], left[1], ta=left[2], tb=left[3]),
            lambda: matmul_op(right[0], right[1], ta=right[2], tb=right[3]))


def _at_once(g, a, b, ta, tb, onto):
    """Both gradients by matmul_grad. Each lies in memory as its operand does, so that views of the operand cost no copy
    on the way back."""
    ways = [_way(x._array) for x in (a, b)]
    x, y = (each if way is None else _permute(each, dims=way) for each, way in zip((a, b), ways, strict=True))
    there = [onto.pop(i, None) for i in (0, 1)]
    there = [each if each is None or way is None else _permute(each, dims=way)
             for each, way in zip(there, ways, strict=True)]
    behind = _heads_behind(x._array), _heads_behind(y._array)
    found = matmul_grad(g, x, y, *there, ta=ta != (ways[0] is not None), tb=tb != (ways[1] is not None), behind=behind)
    found = [_permute(x, dims=_TURN) if turned else x for x, turned in zip(found, behind, strict=True)]
    return [x if way is None else _permute(x, dims=way) for x, way in zip(found, ways, strict=True)]


_TURN = (0, 2, 1, 3)


def _way(array) -> tuple[int, ...] | None:
    """How to turn the matrices of a transposed view so that rows are along memory; None where they are."""
    rank = array.ndim
    if array.flags.c_contiguous or array.strides[-1] <= array.strides[-2]:
        return None
    return (*range(rank - 2), rank - 1, rank - 2)


def _heads_behind(array) -> bool:
    """Whether an array of [batch, heads, rows, features] has the heads behind the rows in memory."""
    return array.ndim == 4 and array.strides[1] < array.strides[2]


def _gradients(g, a, b, *_, behind, **__):
    return [(tuple([x.shape[i] for i in _TURN]) if turned else x.shape, x.dtype)
            for x, turned in zip((a, b), behind, strict=True)]


@op(_gradients, outputs=2, differentiable=False, strided=True)
def matmul_grad(xp, da, db, g, a, b, onto_a, onto_b, *, ta, tb, behind):
    """Both gradients of matmul_op, without broadcasting, each added to what is given for it: on the GPU one kernel
    where they are small. behind: of each whether it is made as [batch, rows, heads, features]."""
    da, db = [x.transpose(_TURN) if turned else x for x, turned in zip((da, db), behind, strict=True)]
    for out, (x, y, tx, ty), onto in zip((da, db), _factors(g, a, b, ta, tb), (onto_a, onto_b), strict=True):
        matmul_op.op.body(xp, out, x, y, ta=tx, tb=ty)
        if onto is not None:
            out += onto


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


_half_products = Native("bgemm.cpp", "half_products")


@cache
def product_types() -> tuple[str, ...]:
    """The types of floats that `native_product` takes on this processor, once the library is there."""
    found = np.empty(2, np.int64)
    _half_products(found)
    return ("float32", *[name for name, there in zip(("float16", "bfloat16"), found, strict=True) if there])


def pair_types() -> tuple[str, ...]:
    """float32, and bfloat16 where the processor multiplies it: the types of kernels that work with tiles of pairs."""
    return tuple([name for name in product_types() if name != "float16"])


@matmul_op.cpu(strided=True, types=product_types)
def _(out, a, b, *, ta=False, tb=False):
    if not out.flags.c_contiguous:
        return NotImplemented
    native_product(out, a, b, None, ta, tb, NONE)
    return None


# ---- launches: matrix products ---------------------------------------------------------------------------------------


def _described(cuda, out, factors, onto=None, lies=None) -> Product:
    """op(a) @ op(b) as the kernels take it. factors: a and b, and whether each is transposed. lies: where the result's
    elements are, if not in one piece."""
    a, b, ta, tb = factors
    m, n = out.shape[-2:]
    k = a.shape[-2] if ta else a.shape[-1]
    batch = out.shape[:-2]
    if len(batch) > 2:
        batch = prod(batch[:-1]), batch[-1]
        a, b = [x if all([each == 1 for each in x.shape[:-2]]) else
                cuda.xp.broadcast_to(x, (*out.shape[:-2], *x.shape[-2:])).reshape(*batch, *x.shape[-2:])
                for x in (a, b)]
    left, right = operand(cuda, a, ta, batch), operand(cuda, b, tb, batch)
    count, inner = prod(batch), batch[-1] if batch else 1
    shares = count > 1 and lies is None and not right.outer and not right.inner
    if shares and not left.turned and left.inner == m * left.pitch and (
            len(batch) == 1 or left.outer == inner * left.inner):  # one right operand for all: the batch is more rows
        m, count, inner, left = m * count, 1, 1, left._replace(outer=0, inner=0)
    return Product(out, left, right, m, n, k, count, inner, onto=onto, lies=lies)


@matmul_op.kernel
def _(cuda, out, a, b, *, ta=False, tb=False):
    if out.dtype not in KERNEL_TYPES:
        return NotImplemented
    if out.size:
        product(cuda, _described(cuda, out, (a, b, ta, tb)))
    return None


@matmul_op.finishes(keeps=True)
def _(cuda, out, arrays, attrs, ending):
    number = BY_FUNCTION[ending.activation]
    if out.dtype not in KERNEL_TYPES or not served(out.dtype, number):
        return NotImplemented
    product(cuda, _described(cuda, out, (*arrays, attrs.get("ta", False), attrs.get("tb", False)), ending.onto
                             )._replace(activation=number, kept=ending.kept))
    return None


def _turned_result(cuda, out, factors, onto, behind):
    """A product whose result is [batch, rows, heads, features] in memory if `behind`."""
    if not behind:
        if onto is not None and not onto.flags.c_contiguous:
            onto = cuda.xp.ascontiguousarray(onto)
        return _described(cuda, out, factors, onto)
    if onto is not None:
        onto = cuda.xp.ascontiguousarray(onto.transpose(_TURN))
    lies = tuple([out.strides[i] // out.itemsize for i in (1, 0, 2)])
    return _described(cuda, out.transpose(_TURN), factors, onto, lies)._replace(out=out)


@matmul_grad.kernel
def _(cuda, da, db, g, a, b, onto_a, onto_b, *, ta, tb, behind):
    if da.dtype not in KERNEL_TYPES or not (da.size and db.size):
        return NotImplemented
    left, right = _factors(g, a, b, ta, tb)
    both = (_turned_result(cuda, da, left, onto_a, behind[0]), _turned_result(cuda, db, right, onto_b, behind[1]))
    if not pair(cuda, *both):
        for each in both:
            product(cuda, each)
    return None
