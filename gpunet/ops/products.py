"""Products of vectors and matrices, made of the matrix product, and einsum's relatives."""

from __future__ import annotations

from gpunet.dtypes import BOOL_NP
from gpunet.ops.compare import ne
from gpunet.ops.diagonal import diagonal
from gpunet.ops.half import rounded_once
from gpunet.ops.join import cat
from gpunet.ops.matmul import bmm, matmul, mm
from gpunet.ops.pieces import narrow
from gpunet.ops.reduce import sum
from gpunet.ops.reorder import roll
from gpunet.ops.rules import broadcast, check_dim
from gpunet.ops.shape import expand, flatten, permute, reshape, unsqueeze

IN_PLACE = ["addbmm", "addmm", "addmv", "addr", "baddbmm"]
__all__ = [*IN_PLACE, "cross", "diff", "ger", "inner", "kron", "mv", "outer", "tensordot", "trace", "vdot"]


def _ranks(op: str, text: str, *tensors_and_ranks):
    for x, rank in tensors_and_ranks:
        if x._array.ndim != rank:
            raise RuntimeError(f"{op}: expected {text}, got a tensor of shape {tuple(x.shape)}")


def mv(input, vec):
    """The product of a matrix and a vector."""
    _ranks("mv", "a matrix and a vector", (input, 2), (vec, 1))
    return matmul(input, vec)


def outer(input, vec2):
    """All products of an element of one vector and one of another."""
    _ranks("outer", "two vectors", (input, 1), (vec2, 1))
    return unsqueeze(input, 1) * vec2


ger = outer


def inner(input, other):
    """The products of all vectors along the last dimensions; numbers multiply."""
    if input._array.ndim == 0 or other._array.ndim == 0:
        return input * other
    if input._array.shape[-1] != other._array.shape[-1]:
        raise RuntimeError(f"inner: the last sizes of {tuple(input.shape)} and {tuple(other.shape)} differ")
    return tensordot(input, other, ([-1], [-1]))


def vdot(input, other):
    """The inner product of two vectors."""
    _ranks("vdot", "two vectors", (input, 1), (other, 1))
    return matmul(input, other)


def kron(input, other):
    """The Kronecker product: every element of `input` times all of `other`, in blocks."""
    rank = max(input._array.ndim, other._array.ndim)
    a = (1,) * (rank - input._array.ndim) + input._array.shape
    b = (1,) * (rank - other._array.ndim) + other._array.shape
    product = reshape(input, [n for size in a for n in (size, 1)]) * reshape(other, [n for size in b
                                                                                       for n in (1, size)])
    return reshape(product, [n * m for n, m in zip(a, b, strict=True)])


def tensordot(a, b, dims=2):
    """The sum of products over pairs of dimensions: the last `dims` of a with the first of b, or the listed ones of a
    with those of b."""
    if isinstance(dims, int):
        if dims < 0:
            raise RuntimeError(f"tensordot: the number of dimensions must not be negative, got {dims}")
        dims = list(range(a._array.ndim - dims, a._array.ndim)), list(range(dims))
    ours, theirs = ([d] if isinstance(d, int) else list(d) for d in dims)
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
    shared = _size([a._array.shape[d] for d in ours])
    product = mm(reshape(permute(a, left + ours), (_size(rows), shared)),
                 reshape(permute(b, theirs + right), (shared, _size(columns))))
    return reshape(product, (*rows, *columns))


def _size(sizes) -> int:
    total = 1
    for n in sizes:
        total *= n
    return total


def trace(input):
    """The sum of a matrix's diagonal."""
    _ranks("trace", "a matrix", (input, 2))
    return sum(diagonal(input))


def cross(input, other, dim: int | None = None):
    """The vector product along a dimension of size 3, by default the input's first of that size; other dimensions
    broadcast."""
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
    input, other = expand(input, shape), expand(other, shape)
    return roll(input, -1, dim) * roll(other, 1, dim) - roll(input, 1, dim) * roll(other, -1, dim)


def diff(input, n: int = 1, dim: int = -1, prepend=None, append=None):
    """The differences of neighbours along a dimension, n times; of bools whether they differ. prepend, append: what is
    joined to the input first."""
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
    return x.clone() if x is input else x


# ---- products with something added ---------------------------------------------------------------------------------


def _added(op: str, input, multiply, left, right, beta, alpha):
    """beta * input + alpha * multiply(left, right); an input whose beta is 0 does not count, whatever is in it. Factors
    of integers lose their fractions; products of half types are rounded after the factor only."""
    add = _sum if alpha == 1 and beta in (0, 1) else _rounded_sum
    return add(op, input, multiply, left, right, beta, alpha)


def _sum(op, input, multiply, left, right, beta, alpha):
    product = multiply(left, right)
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
    if beta == 0:
        return product
    return (input if beta == 1 else input * beta) + product


_rounded_sum = rounded_once(_sum)


def addmm(input, mat1, mat2, *, beta=1, alpha=1):
    """beta * input + alpha * (mat1 @ mat2); the input broadcasts, and does not count where beta is 0."""
    _ranks("addmm", "two matrices", (mat1, 2), (mat2, 2))
    return _added("addmm", input, mm, mat1, mat2, beta, alpha)


def addmv(input, mat, vec, *, beta=1, alpha=1):
    """beta * input + alpha * (mat @ vec), of a matrix and a vector."""
    return _added("addmv", input, mv, mat, vec, beta, alpha)


def addr(input, vec1, vec2, *, beta=1, alpha=1):
    """beta * input + alpha * (outer product of two vectors)."""
    if input._array.dtype.kind in "iub" and any(isinstance(factor, float) for factor in (beta, alpha)):
        raise RuntimeError(f"addr: for integer tensors alpha and beta must be integers, got {alpha} and {beta}")
    return _added("addr", input, outer, vec1, vec2, beta, alpha)


def baddbmm(input, batch1, batch2, *, beta=1, alpha=1):
    """beta * input + alpha * (batch1 @ batch2), of batches of matrices."""
    return _added("baddbmm", input, bmm, batch1, batch2, beta, alpha)


def addbmm(input, batch1, batch2, *, beta=1, alpha=1):
    """beta * input + alpha * (the sum of the products of all pairs of matrices of two batches)."""
    _ranks("addbmm", "two batches of matrices", (batch1, 3), (batch2, 3))
    if batch1._array.shape[0] != batch2._array.shape[0]:
        raise RuntimeError(f"addbmm: the batch sizes of {tuple(batch1.shape)} and {tuple(batch2.shape)} differ")
    if batch1._array.shape[2] != batch2._array.shape[1]:
        raise RuntimeError(f"addbmm: the inner sizes of {tuple(batch1.shape)} and {tuple(batch2.shape)} differ")
    left, right = permute(batch1, (1, 0, 2)), flatten(batch2, 0, 1)  # one product, along the batch too
    return _added("addbmm", input, mm, flatten(left, 1), right, beta, alpha)
