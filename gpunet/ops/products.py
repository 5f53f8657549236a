"""Products of vectors and matrices, made of the matrix product, and einsum's relatives."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import TYPE_CHECKING

from gpunet.dtypes import BOOL_NP, FLOAT, INTS, Number, category
from gpunet.engine.modes import mode
from gpunet.ops.compare import ne
from gpunet.ops.diagonal import diagonal
from gpunet.ops.half import rounded_once
from gpunet.ops.join import cat
from gpunet.ops.matmul import bmm, matmul, mm
from gpunet.ops.out import deliver
from gpunet.ops.pieces import narrow
from gpunet.ops.reduce import sum
from gpunet.ops.reorder import flip, roll
from gpunet.ops.rules import broadcast, by_axis, check_dim
from gpunet.ops.scan import cumprod
from gpunet.ops.shape import expand, flatten, permute, reshape, unsqueeze

if TYPE_CHECKING:
    from gpunet.tensor import Tensor

IN_PLACE = ["addbmm", "addmm", "addmv", "addr", "baddbmm"]
__all__ = ["addbmm", "addmm", "addmv", "addr", "baddbmm", "cross", "diff", "ger", "inner", "kron", "mv", "outer",
           "tensordot", "trace", "vander", "vdot"]


def _ranks(op: str, text: str, *tensors_and_ranks: tuple[Tensor, int]) -> None:
    for x, rank in tensors_and_ranks:
        if x._array.ndim != rank:
            raise RuntimeError(f"{op}: expected {text}, got a tensor of shape {tuple(x.shape)}")


def mv(input: Tensor, vec: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Product of a matrix and a vector: y[i] = sum over k of input[i, k] * vec[k].

    Args:
        input: matrix [n, k].
        vec: vector [k] of the same type.
        out: tensor of the result's type that receives the result; resized if its shape differs.

    Returns:
        Vector [n].

    Raises:
        RuntimeError: the shapes are not those of a matrix and a vector that fit, or the types differ.

    Example:
        >>> gpunet.mv(gpunet.tensor([[1.0, 2.0], [3.0, 4.0]]), gpunet.tensor([1.0, 10.0]))
        tensor([21., 43.])
    """
    _ranks("mv", "a matrix and a vector", (input, 2), (vec, 1))
    return deliver(matmul(input, vec), out, "mv", exact=True)


def outer(input: Tensor, vec2: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Outer product of two vectors: y[i, j] = input[i] * vec2[j].

    Args:
        input: vector [n].
        vec2: vector [m].
        out: tensor that receives the result; resized if its shape differs.

    Returns:
        Matrix [n, m] of the promoted type.

    Raises:
        RuntimeError: one of both is not a vector.

    Example:
        >>> gpunet.outer(gpunet.tensor([1.0, 2.0]), gpunet.tensor([3.0, 4.0]))
        tensor([[3., 4.],
                [6., 8.]])
    """
    _ranks("outer", "two vectors", (input, 1), (vec2, 1))
    return deliver(unsqueeze(input, 1) * vec2, out, "outer")


ger = outer  # PyTorch's other name


def inner(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Inner products of all vectors along the last dimensions of two tensors; a tensor without dimensions is a factor.

    Args:
        input: tensor [..., n].
        other: tensor [..., n] of the same type.
        out: tensor of the result's type that receives the result; resized if its shape differs.

    Returns:
        Tensor of input's shape without n, followed by other's shape without n.

    Raises:
        RuntimeError: the last sizes differ.

    Example:
        >>> gpunet.inner(gpunet.tensor([1.0, 2.0]), gpunet.tensor([[3.0, 4.0], [0.0, 1.0]]))
        tensor([11.,  2.])
    """
    if input._array.ndim == 0 or other._array.ndim == 0:
        return deliver(input * other, out, "inner", exact=True)
    if input._array.shape[-1] != other._array.shape[-1]:
        raise RuntimeError(f"inner: the last sizes of {tuple(input.shape)} and {tuple(other.shape)} differ")
    return deliver(tensordot(input, other, ([-1], [-1])), out, "inner", exact=True)


def vdot(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Inner product of two vectors: y = sum of input[i] * other[i]. There are no complex types, so it is `dot`.

    Args:
        input: vector [n].
        other: vector [n] of the same type.
        out: tensor of the result's type that receives the result; resized if its shape differs.

    Returns:
        Tensor without dimensions.

    Raises:
        RuntimeError: one of both is not a vector, or the sizes or the types differ.

    Example:
        >>> gpunet.vdot(gpunet.tensor([1.0, 2.0]), gpunet.tensor([3.0, 4.0]))
        tensor(11.)
    """
    _ranks("vdot", "two vectors", (input, 1), (other, 1))
    return deliver(matmul(input, other), out, "vdot", exact=True)


def kron(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Kronecker product: a tensor of blocks, each an element of `input` times all of `other`.

    Args:
        input: tensor of any shape.
        other: tensor of any shape; missing dimensions of the one count as 1 in front.
        out: tensor that receives the result; resized if its shape differs.

    Returns:
        Tensor whose sizes are the products of the sizes of both.

    Example:
        >>> gpunet.kron(gpunet.tensor([1.0, 2.0]), gpunet.tensor([3.0, 4.0]))
        tensor([3., 4., 6., 8.])
    """
    rank = max(input._array.ndim, other._array.ndim)
    a = (1,) * (rank - input._array.ndim) + input._array.shape
    b = (1,) * (rank - other._array.ndim) + other._array.shape
    product = reshape(input, [n for size in a for n in (size, 1)]) * reshape(other, [n for size in b
                                                                                       for n in (1, size)])
    return deliver(reshape(product, [n * m for n, m in zip(a, b, strict=True)]), out, "kron")


def tensordot(a: Tensor, b: Tensor, dims: int | Sequence[int | Sequence[int]] = 2,
              out: Tensor | None = None) -> Tensor:
    """Sum of products over pairs of dimensions.

    Args:
        a: tensor.
        b: tensor of the same type.
        dims: the number of dimensions: the last ones of a with the first ones of b; or two lists, the dimensions of a
            and those of b that meet them. Sizes that meet are equal, or one of both is 1.
        out: tensor of the result's type that receives the result; resized if its shape differs.

    Returns:
        Tensor with the other dimensions of a, then those of b.

    Raises:
        RuntimeError: the sizes that meet, or the numbers of dimensions, differ.

    Example:
        >>> a = gpunet.tensor([[1.0, 2.0], [3.0, 4.0]])
        >>> gpunet.tensordot(a, a, dims=([0], [1]))
        tensor([[ 7., 15.],
                [10., 22.]])
    """
    if isinstance(dims, INTS):
        if dims < 0:
            raise RuntimeError(f"tensordot: the number of dimensions must not be negative, got {dims}")
        dims = list(range(a._array.ndim - dims, a._array.ndim)), list(range(dims))
    ours, theirs = ([d] if isinstance(d, INTS) else list(d) for d in dims)
    ours = [check_dim(d, a._array.ndim, "tensordot") for d in ours]
    theirs = [check_dim(d, b._array.ndim, "tensordot") for d in theirs]
    if len(ours) != len(theirs):
        raise RuntimeError(f"tensordot: {len(ours)} dimensions of one tensor meet {len(theirs)} of the other")
    have, met = [a._array.shape[d] for d in ours], [b._array.shape[d] for d in theirs]
    for n, m, d, e in zip(have, met, ours, theirs, strict=True):
        if n != m and 1 not in (n, m):
            raise RuntimeError(f"tensordot: sizes {n} and {m} of dimensions {d} and {e} differ")
    for i, (n, m) in enumerate(zip(have, met, strict=True)):  # a size of 1 meets any: the other is summed first
        if n != m:
            a = sum(a, ours[i], keepdim=True, dtype=a.dtype) if m == 1 else a
            b = sum(b, theirs[i], keepdim=True, dtype=b.dtype) if n == 1 else b
    left = [d for d in range(a._array.ndim) if d not in ours]
    right = [d for d in range(b._array.ndim) if d not in theirs]
    rows, columns = [a._array.shape[d] for d in left], [b._array.shape[d] for d in right]
    shared = prod([a._array.shape[d] for d in ours])
    product = mm(reshape(permute(a, left + ours), (prod(rows), shared)),
                 reshape(permute(b, theirs + right), (shared, prod(columns))))
    return deliver(reshape(product, (*rows, *columns)), out, "tensordot", exact=True)


def trace(input: Tensor) -> Tensor:
    """Sum of a matrix's diagonal.

    Args:
        input: matrix of any type.

    Returns:
        Tensor without dimensions, of input's type; int64 for integers.

    Raises:
        RuntimeError: the input is not a matrix.

    Example:
        >>> gpunet.trace(gpunet.tensor([[1.0, 2.0], [3.0, 4.0]]))
        tensor(5.)
    """
    _ranks("trace", "a matrix", (input, 2))
    return sum(diagonal(input))


def cross(input: Tensor, other: Tensor, dim: int | None = None, *,
          axis: int | None = None, out: Tensor | None = None) -> Tensor:
    """Vector product in three dimensions, of all vectors along a dimension.

    Args:
        input: tensor whose size along `dim` is 3.
        other: tensor with as many dimensions, which broadcasts with `input`.
        dim: the dimension of the vectors; by default input's first of size 3.
        axis: another name for `dim`, as in NumPy.
        out: tensor that receives the result; resized if its shape differs.

    Returns:
        Tensor of the broadcast shape.

    Raises:
        RuntimeError: the size along `dim` is not 3, or the numbers of dimensions differ.

    Example:
        >>> gpunet.cross(gpunet.tensor([1.0, 0.0, 0.0]), gpunet.tensor([0.0, 1.0, 0.0]), dim=0)
        tensor([0., 0., 1.])
    """
    if axis is not None:
        dim = by_axis("cross", dim, axis)
    if dim is None:
        dim = next((d for d, n in enumerate(input._array.shape) if n == 3), None)
        if dim is None:
            raise RuntimeError(f"cross: no dimension of size 3 in {tuple(input.shape)}")
    if input._array.ndim != other._array.ndim:
        raise RuntimeError(f"cross: expected as many dimensions, got shapes {tuple(input.shape)} and "
                           f"{tuple(other.shape)}")
    shape = broadcast(input._array.shape, other._array.shape)
    dim = check_dim(dim, len(shape), "cross")
    if input._array.shape[dim] != 3 or other._array.shape[dim] != 3:
        raise RuntimeError(f"cross: dimension {dim} must have size 3, got shapes {tuple(input.shape)} and "
                           f"{tuple(other.shape)}")
    x, y = expand(input, shape), expand(other, shape)
    return deliver(roll(x, -1, dim) * roll(y, 1, dim) - roll(x, 1, dim) * roll(y, -1, dim), out, "cross", exact=True)


def diff(input: Tensor, n: int = 1, dim: int = -1, prepend: Tensor | None = None, append: Tensor | None = None, *,
         axis: int | None = None, out: Tensor | None = None) -> Tensor:
    """Differences of neighbours along a dimension: y[i] = x[i + 1] - x[i], repeated n times.

    Args:
        input: tensor of any type; of bools the result is whether neighbours differ.
        n: how often to take differences.
        dim: the dimension.
        prepend: tensor that is joined in front of the input first.
        append: tensor that is joined behind it.
        axis: another name for `dim`, as in NumPy.
        out: tensor that receives the result; resized if its shape differs.

    Returns:
        Tensor of input's type, along `dim` smaller by n.

    Raises:
        RuntimeError: n is negative, or the input has no dimensions.

    Example:
        >>> gpunet.diff(gpunet.tensor([1.0, 4.0, 9.0, 16.0]))
        tensor([3., 5., 7.])
    """
    if axis is not None:
        dim = by_axis("diff", dim, axis, -1)
    if input._array.ndim == 0:
        raise RuntimeError("diff: expected at least 1 dimension, got a 0-d tensor")
    if n < 0:
        raise RuntimeError(f"diff: the order must not be negative, got {n}")
    dim = check_dim(dim, input._array.ndim, "diff")
    parts = [x for x in (prepend, input, append) if x is not None and n]
    x = cat(parts, dim) if len(parts) > 1 else input
    for _ in range(min(n, x._array.shape[dim])):
        size = max(x._array.shape[dim] - 1, 0)
        upper, lower = narrow(x, dim, x._array.shape[dim] - size, size), narrow(x, dim, 0, size)
        x = ne(upper, lower) if x._array.dtype == BOOL_NP else upper - lower
    return deliver(x.clone() if x is input else x, out, "diff")


# ---- products with something added ---------------------------------------------------------------------------------


def _added(op: str, input, multiply, left, right, beta, alpha):
    """beta * input + alpha * multiply(left, right); an input whose beta is 0 does not count, whatever is in it. Factors
    of integers lose their fractions; products of half types are rounded after the factor only."""
    add = _sum if alpha == 1 and beta in (0, 1) else _rounded_sum
    return add(op, input, multiply, left, right, beta, alpha)


def _sum(op, input, multiply, left, right, beta, alpha):
    product = multiply(left, right)
    if mode.casts(product.device.type) and input.is_floating_point():
        input = input.to(product.dtype)
    if input._array.dtype != product._array.dtype:
        raise RuntimeError(f"{op}: the input has type {input.dtype}, the product {product.dtype}; convert one with "
                           ".to(dtype)")
    if product._array.dtype.kind in "iub":
        beta, alpha = ((bool if product._array.dtype == BOOL_NP else int)(x) for x in (beta, alpha))
    try:
        fits = broadcast(input._array.shape, product._array.shape) == product._array.shape
    except RuntimeError:
        fits = False
    if not fits:
        raise RuntimeError(f"{op}: the input's shape {tuple(input.shape)} does not broadcast to that of the product, "
                           f"{tuple(product.shape)}")
    product = product if alpha == 1 else product * alpha
    if beta == 0:  # no element of the input takes part; its gradient is 0
        return product + sum(narrow(flatten(input), 0, 0, 0)) if input.requires_grad else product
    return (input if beta == 1 else input * beta) + product


_rounded_sum = rounded_once(_sum)


def addmm(input: Tensor, mat1: Tensor, mat2: Tensor, *, beta: Number = 1, alpha: Number = 1,
          out: Tensor | None = None) -> Tensor:
    """Product of two matrices with something added: y = beta * input + alpha * (mat1 @ mat2).

    Args:
        input: tensor that broadcasts to [n, m], of the same type; where beta is 0 its values do not count.
        mat1: matrix [n, k].
        mat2: matrix [k, m].
        beta: factor of `input`.
        alpha: factor of the product.
        out: tensor of the result's type that receives the result; resized if its shape differs.

    Returns:
        Matrix [n, m].

    Raises:
        RuntimeError: the shapes do not fit each other, or the types differ.

    Example:
        >>> gpunet.addmm(gpunet.tensor([1.0]), gpunet.tensor([[1.0, 2.0]]), gpunet.tensor([[3.0], [4.0]]), alpha=2)
        tensor([[23.]])
    """
    _ranks("addmm", "two matrices", (mat1, 2), (mat2, 2))
    return deliver(_added("addmm", input, mm, mat1, mat2, beta, alpha), out, "addmm", exact=True)


def addmv(input: Tensor, mat: Tensor, vec: Tensor, *, beta: Number = 1, alpha: Number = 1,
          out: Tensor | None = None) -> Tensor:
    """Product of a matrix and a vector with something added: y = beta * input + alpha * (mat @ vec).

    Args:
        input: tensor that broadcasts to [n], of the same type; where beta is 0 its values do not count.
        mat: matrix [n, k].
        vec: vector [k].
        beta: factor of `input`.
        alpha: factor of the product.
        out: tensor of the result's type that receives the result; resized if its shape differs.

    Returns:
        Vector [n].

    Raises:
        RuntimeError: the shapes do not fit each other, or the types differ.

    Example:
        >>> gpunet.addmv(gpunet.tensor([1.0]), gpunet.tensor([[1.0, 2.0]]), gpunet.tensor([3.0, 4.0]))
        tensor([12.])
    """
    return deliver(_added("addmv", input, mv, mat, vec, beta, alpha), out, "addmv", exact=True)


def addr(input: Tensor, vec1: Tensor, vec2: Tensor, *, beta: Number = 1, alpha: Number = 1,
         out: Tensor | None = None) -> Tensor:
    """Outer product of two vectors with something added: y = beta * input + alpha * outer(vec1, vec2).

    Args:
        input: tensor that broadcasts to [n, m], of the same type; where beta is 0 its values do not count.
        vec1: vector [n].
        vec2: vector [m].
        beta: factor of `input`.
        alpha: factor of the product.
        out: tensor that receives the result; resized if its shape differs.

    Returns:
        Matrix [n, m].

    Raises:
        RuntimeError: the shapes do not fit each other, the types differ, or a factor of integers is a fraction.

    Example:
        >>> gpunet.addr(gpunet.tensor([1.0]), gpunet.tensor([1.0, 2.0]), gpunet.tensor([3.0]))
        tensor([[4.],
                [7.]])
    """
    if input._array.dtype.kind in "iub" and any(isinstance(factor, float) for factor in (beta, alpha)):
        raise RuntimeError(f"addr: for integer tensors alpha and beta must be integers, got {alpha} and {beta}")
    return deliver(_added("addr", input, outer, vec1, vec2, beta, alpha), out, "addr")


def baddbmm(input: Tensor, batch1: Tensor, batch2: Tensor, *, beta: Number = 1, alpha: Number = 1,
            out: Tensor | None = None) -> Tensor:
    """Products of two batches of matrices with something added: y = beta * input + alpha * (batch1 @ batch2).

    Args:
        input: tensor that broadcasts to [b, n, m], of the same type; where beta is 0 its values do not count.
        batch1: tensor [b, n, k].
        batch2: tensor [b, k, m].
        beta: factor of `input`.
        alpha: factor of the products.
        out: tensor of the result's type that receives the result; resized if its shape differs.

    Returns:
        Tensor [b, n, m].

    Raises:
        RuntimeError: the shapes do not fit each other, or the types differ.

    Example:
        >>> gpunet.baddbmm(gpunet.tensor([1.0]), gpunet.ones(1, 1, 3), gpunet.ones(1, 3, 2))
        tensor([[[4., 4.]]])
    """
    return deliver(_added("baddbmm", input, bmm, batch1, batch2, beta, alpha), out, "baddbmm", exact=True)


def addbmm(input: Tensor, batch1: Tensor, batch2: Tensor, *, beta: Number = 1, alpha: Number = 1,
           out: Tensor | None = None) -> Tensor:
    """Sum of the products of two batches of matrices: y = beta * input + alpha * (sum over b of batch1[b] @ batch2[b]).

    Args:
        input: tensor that broadcasts to [n, m], of the same type; where beta is 0 its values do not count.
        batch1: tensor [b, n, k].
        batch2: tensor [b, k, m].
        beta: factor of `input`.
        alpha: factor of the sum.
        out: tensor of the result's type that receives the result; resized if its shape differs.

    Returns:
        Matrix [n, m].

    Raises:
        RuntimeError: the shapes do not fit each other, or the types differ.

    Example:
        >>> gpunet.addbmm(gpunet.tensor([1.0]), gpunet.ones(2, 1, 3), gpunet.ones(2, 3, 2))
        tensor([[7., 7.]])
    """
    _ranks("addbmm", "two batches of matrices", (batch1, 3), (batch2, 3))
    if batch1._array.shape[0] != batch2._array.shape[0]:
        raise RuntimeError(f"addbmm: the batch sizes of {tuple(batch1.shape)} and {tuple(batch2.shape)} differ")
    if batch1._array.shape[2] != batch2._array.shape[1]:
        raise RuntimeError(f"addbmm: the inner sizes of {tuple(batch1.shape)} and {tuple(batch2.shape)} differ")
    left, right = permute(batch1, (1, 0, 2)), flatten(batch2, 0, 1)  # one product, along the batch too
    return deliver(_added("addbmm", input, mm, flatten(left, 1), right, beta, alpha), out, "addbmm", exact=True)


def vander(x: Tensor, N: int | None = None, increasing: bool = False) -> Tensor:
    """Vandermonde's matrix: the powers of each number, as a row x^(N-1), ..., x, 1.

    Args:
        x: vector.
        N: number of columns. None: as many as x has elements.
        increasing: whether the powers go from 0 up.

    Returns:
        Matrix [elements, N] of x's type; int64 for integers.

    Raises:
        RuntimeError: x is not a vector, or N is negative.

    Example:
        >>> gpunet.vander(gpunet.tensor([1, 2, 3]))
        tensor([[1, 1, 1],
                [4, 2, 1],
                [9, 3, 1]])
    """
    _ranks("vander", "a vector", (x, 1))
    count = x._array.shape[0] if N is None else N
    if count < 0:
        raise RuntimeError(f"vander: N must not be negative, got {N}")
    x = x if category(x._array.dtype) == FLOAT else x.long()
    one = x.new_ones((len(x), min(1, count)))
    powers = cat([one, cumprod(expand(unsqueeze(x, 1), (-1, max(0, count - 1))), 1)], 1)
    return powers if increasing else flip(powers, (1,))
