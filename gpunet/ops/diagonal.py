"""Diagonals and triangles, and tensors with a part replaced."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gpunet import dtypes
from gpunet._layouts import check_layout
from gpunet.dispatch import op, promote, view
from gpunet.dtypes import int64
from gpunet.ops.creation import tensor, zeros
from gpunet.ops.inplace import replace_region
from gpunet.ops.out import deliver
from gpunet.ops.rules import by_axis, check_dim, same
from gpunet.ops.spellings import takes_axis
from gpunet.ops.views import _index, cat_op, clone_op, index_of, reshaped, slice_of, spread, strided

if TYPE_CHECKING:
    from gpunet._layouts import layout as Layout
    from gpunet.dtypes import Number
    from gpunet.ops.creation import Place, Type
    from gpunet.tensor import Tensor

__all__ = ["block_diag", "diag", "diag_embed", "diagflat", "diagonal", "diagonal_scatter", "select_scatter",
           "slice_scatter", "tril", "tril_indices", "triu", "triu_indices"]

# ---- diagonals -----------------------------------------------------------------------------------------------------


@view
def _diagonal(xp, x, *, offset, dim1, dim2):
    """The diagonal moves along both dimensions at once."""
    rows, columns = x.shape[dim1], x.shape[dim2]
    count = max(min(rows + min(offset, 0), columns - max(offset, 0)), 0)
    start = [slice(None)] * x.ndim
    if count:
        start[dim1], start[dim2] = slice(max(-offset, 0), None), slice(max(offset, 0), None)
    others = [d for d in range(x.ndim) if d not in (dim1, dim2)]
    steps = [x.strides[d] for d in others]
    return strided(xp, x[tuple(start)], (*[x.shape[d] for d in others], count),
                   (*steps, x.strides[dim1] + x.strides[dim2]))


@_diagonal.gradient
def _(g, _y, x_meta, *, offset, dim1, dim2):
    return (spread(g, shape=x_meta.shape, step=(_diagonal.op, dict(offset=offset, dim1=dim1, dim2=dim2))),)


def _plane(op: str, rank: int, offset: int, dim1: int, dim2: int) -> dict:
    one, two = check_dim(dim1, rank, op), check_dim(dim2, rank, op)
    if one == two:
        raise RuntimeError(f"{op}: the two dimensions must differ, got {dim1} and {dim2}")
    return dict(offset=offset, dim1=one, dim2=two)


def diagonal(input: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Tensor:
    """A view of the diagonals of the planes of two dimensions, as a new last dimension.

    Args:
        input: tensor of at least 2 dimensions.
        offset: which diagonal: 0 is the main one, positive ones are above it, negative ones below.
        dim1: the dimension of the rows.
        dim2: the dimension of the columns.

    Returns:
        View of input with one dimension less.

    Raises:
        IndexError: a dimension is out of range, or input has fewer than 2.
        RuntimeError: the two dimensions are the same.

    Example:
        >>> gpunet.diagonal(gpunet.tensor([[1, 2], [3, 4]]))
        tensor([1, 4])
    """
    if input._array.ndim < 2:
        raise IndexError(f"diagonal: expected at least 2 dimensions, got shape {tuple(input.shape)}")
    return _diagonal(input, **_plane("diagonal", input._array.ndim, offset, dim1, dim2))


def linalg_diagonal(A: Tensor, *, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
    """A view of the diagonals of matrices, as a new last dimension: `gpunet.diagonal` of the last two dimensions.

    Args:
        A: tensor of at least 2 dimensions.
        offset: which diagonal: 0 is the main one, positive ones are above it, negative ones below.
        dim1: the dimension of the rows.
        dim2: the dimension of the columns.

    Returns:
        View of A with one dimension less.

    Raises:
        IndexError: a dimension is out of range, or A has fewer than 2.
        RuntimeError: the two dimensions are the same.

    Example:
        >>> gpunet.linalg.diagonal(gpunet.tensor([[[1, 2], [3, 4]]]))
        tensor([[1, 4]])
    """
    return diagonal(A, offset, dim1, dim2)


def diag_embed(input: Tensor, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
    """Square matrices with the last dimension on their diagonals and zeros elsewhere.

    Args:
        input: tensor of at least 1 dimension.
        offset: which diagonal: 0 is the main one, positive ones are above it, negative ones below.
        dim1: the dimension of the rows in the result.
        dim2: the dimension of the columns in the result.

    Returns:
        Tensor of input's type with one dimension more.

    Raises:
        IndexError: a dimension is out of range, or input has none.
        RuntimeError: the two dimensions are the same.

    Example:
        >>> gpunet.diag_embed(gpunet.tensor([1, 2]))
        tensor([[1, 0],
                [0, 2]])
    """
    shape = input._array.shape
    if not shape:
        raise IndexError("diag_embed: expected at least 1 dimension, got a 0-d tensor")
    plane = _plane("diag_embed", len(shape) + 1, offset, dim1, dim2)
    sizes = list(shape[:-1])
    for d in sorted((plane["dim1"], plane["dim2"])):
        sizes.insert(d, shape[-1] + abs(offset))
    return spread(input, shape=tuple(sizes), step=(_diagonal.op, plane))


def diag(input: Tensor, diagonal: int = 0, *, out: Tensor | None = None) -> Tensor:
    """The matrix with a vector on its diagonal, or a copy of a matrix's diagonal.

    Args:
        input: vector or matrix.
        diagonal: which diagonal: 0 is the main one, positive ones are above it, negative ones below.
        out: tensor that receives the result; resized if its shape differs.

    Returns:
        Matrix if input is a vector, else a vector; of input's type.

    Raises:
        RuntimeError: input is neither a vector nor a matrix.

    Example:
        >>> gpunet.diag(gpunet.tensor([1, 2]))
        tensor([[1, 0],
                [0, 2]])
        >>> gpunet.diag(gpunet.tensor([[1, 2], [3, 4]]), 1)
        tensor([2])
    """
    rank = input._array.ndim
    if rank not in (1, 2):
        raise RuntimeError(f"diag: expected a vector or a matrix, got shape {tuple(input.shape)}")
    result = diag_embed(input, diagonal) if rank == 1 else clone_op(_diagonal(input, offset=diagonal, dim1=0, dim2=1))
    return deliver(result, out, "diag", exact=True)


def diagflat(input: Tensor, offset: int = 0) -> Tensor:
    """The matrix with all elements of a tensor on its diagonal and zeros elsewhere.

    Args:
        input: tensor of any type and shape.
        offset: which diagonal: 0 is the main one, positive ones are above it, negative ones below.

    Returns:
        Square matrix of input's type.

    Example:
        >>> gpunet.diagflat(gpunet.tensor([[1, 2]]))
        tensor([[1, 0],
                [0, 2]])
    """
    return diag_embed(reshaped(input, (input._array.size,)), offset)


def fill_diagonal_(self: Tensor, fill_value: Number, wrap: bool = False) -> Tensor:
    """Sets the main diagonal to a number; of more than 2 dimensions, the elements all of whose indices are equal.

    Args:
        fill_value: the number.
        wrap: whether the diagonal of a matrix of more rows than columns begins anew after its last column, one row
            further down.

    Returns:
        The tensor itself.

    Raises:
        RuntimeError: the tensor has fewer than 2 dimensions, or more of different sizes.

    Example:
        >>> gpunet.zeros(2, 2).fill_diagonal_(5)
        tensor([[5., 0.],
                [0., 5.]])
    """
    shape = self._array.shape
    if len(shape) < 2 or len(shape) > 2 and len(set(shape)) > 1:
        raise RuntimeError(f"fill_diagonal_: expected a matrix, or more dimensions of one size, got shape {shape}")
    if len(shape) == 2:
        step = shape[1] + 1
        for start in range(0, shape[0] if wrap else 1, step):
            diagonal(self[start:]).fill_(fill_value)
        return self
    part = self
    while part._array.ndim > 1:
        part = _diagonal(part, offset=0, dim1=0, dim2=1).movedim(-1, 0)
    part.fill_(fill_value)
    return self


def block_diag(*tensors: Tensor) -> Tensor:
    """Matrices along the diagonal of one, with zeros elsewhere.

    Args:
        tensors: tensors of at most 2 dimensions; vectors are rows.

    Returns:
        Matrix of the promoted type.

    Raises:
        RuntimeError: a tensor has more than 2 dimensions.

    Example:
        >>> gpunet.block_diag(gpunet.tensor([[1, 2]]), gpunet.tensor([[3]]))
        tensor([[1, 2, 0],
                [0, 0, 3]])
    """
    if not tensors:
        return zeros(1, 0)
    for x in tensors:
        if x._array.ndim > 2:
            raise RuntimeError(f"block_diag: expected tensors of at most 2 dimensions, got shape {tuple(x.shape)}")
    blocks = promote([reshaped(x, (1, x._array.size)) if x._array.ndim < 2 else x for x in tensors])
    width, before, rows = sum([x._array.shape[1] for x in blocks]), 0, []
    for x in blocks:
        height, columns = x._array.shape
        row = x.new_zeros((height, before)), x, x.new_zeros((height, width - before - columns))
        rows.append(cat_op(*row, dim=1))
        before += columns
    return cat_op(*rows, dim=0)


# ---- a part replaced -----------------------------------------------------------------------------------------------


def _replaced(op: str, input, src, operation, attrs):
    shape = operation.body(input._device.xp, input._array, **attrs).shape
    if src._array.shape != shape:
        raise RuntimeError(f"{op}: the part to be replaced has shape {shape}, the source {tuple(src.shape)}; they must "
                           "be the same")
    return replace_region(input, src.to(input.dtype), steps=((operation, attrs),))


def diagonal_scatter(input: Tensor, src: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Tensor:
    """A copy of a tensor with another one on its diagonal.

    Args:
        input: tensor of at least 2 dimensions.
        src: tensor of the shape of `diagonal(input, offset, dim1, dim2)`.
        offset: which diagonal: 0 is the main one, positive ones are above it, negative ones below.
        dim1: the dimension of the rows.
        dim2: the dimension of the columns.

    Returns:
        Tensor of input's shape and type.

    Raises:
        IndexError: a dimension is out of range.
        RuntimeError: src has another shape, or the two dimensions are the same.

    Example:
        >>> gpunet.diagonal_scatter(gpunet.zeros(2, 2), gpunet.tensor([1.0, 2.0]))
        tensor([[1., 0.],
                [0., 2.]])
    """
    plane = _plane("diagonal_scatter", input._array.ndim, offset, dim1, dim2)
    return _replaced("diagonal_scatter", input, src, _diagonal.op, plane)


@takes_axis
def select_scatter(input: Tensor, src: Tensor, dim: int, index: int) -> Tensor:
    """A copy of a tensor with another one at an index of a dimension.

    Args:
        input: tensor of at least 1 dimension.
        src: tensor of the shape of `select(input, dim, index)`.
        dim: the dimension.
        index: the index; negative ones count from the end.

    Returns:
        Tensor of input's shape and type.

    Raises:
        IndexError: dim or index is out of range.
        RuntimeError: src has another shape.

    Example:
        >>> gpunet.select_scatter(gpunet.zeros(2, 2), gpunet.ones(2), 0, 1)
        tensor([[0., 0.],
                [1., 1.]])
    """
    return _replaced("select_scatter", input, src, _index.op, {"key": index_of(input, dim, index, "select_scatter")})


def slice_scatter(input: Tensor, src: Tensor, dim: int = 0, start: int | None = None, end: int | None = None,
                  step: int = 1, *, axis: int | None = None, out: Tensor | None = None) -> Tensor:
    """A copy of a tensor with another one in the slice start:end:step of a dimension.

    Args:
        input: tensor of at least 1 dimension.
        src: tensor of the slice's shape.
        dim: the dimension.
        start: the first index. None: 0.
        end: the index before which the slice ends. None: the dimension's size.
        step: the distance from one index to the next.
        axis: another name of dim.
        out: tensor that receives the result; resized if its shape differs.

    Returns:
        Tensor of input's shape and type.

    Raises:
        IndexError: dim is out of range.
        RuntimeError: src has another shape, or step is not positive.

    Example:
        >>> gpunet.slice_scatter(gpunet.zeros(4), gpunet.ones(2), start=1, end=3)
        tensor([0., 1., 1., 0.])
    """
    if axis is not None:
        dim = by_axis("slice_scatter", dim, axis, 0)
    if step <= 0:
        raise RuntimeError(f"slice_scatter: the step must be positive, got {step}")
    key = slice_of(input, dim, slice(start, end, step), "slice_scatter")
    return deliver(_replaced("slice_scatter", input, src, _index.op, {"key": key}), out, "slice_scatter", exact=True)


# ---- triangles -----------------------------------------------------------------------------------------------------


def _below(xp, x, diagonal):
    """Where the last two dimensions are on and below a diagonal."""
    rows, columns = x.shape[-2:]
    return xp.arange(columns) <= xp.arange(rows)[:, None] + diagonal


@op(same)
def tril_op(xp, out, x, *, diagonal):
    out[...] = 0
    xp.copyto(out, x, where=_below(xp, x, diagonal))


@tril_op.gradient
def _(g, _y, _x, *, diagonal):
    return (tril_op(g, diagonal=diagonal),)


@op(same)
def triu_op(xp, out, x, *, diagonal):
    out[...] = 0
    xp.copyto(out, x, where=~_below(xp, x, diagonal - 1))


@triu_op.gradient
def _(g, _y, _x, *, diagonal):
    return (triu_op(g, diagonal=diagonal),)


def tril(input: Tensor, diagonal: int = 0, *, out: Tensor | None = None) -> Tensor:
    """The elements of matrices on and below a diagonal, zeros elsewhere.

    Args:
        input: tensor of at least 2 dimensions, the last two of which are the matrices'.
        diagonal: which diagonal: 0 is the main one, positive ones are above it, negative ones below.
        out: tensor that receives the result; resized if its shape differs.

    Returns:
        Tensor of input's shape and type.

    Raises:
        RuntimeError: input has fewer than 2 dimensions.

    Example:
        >>> gpunet.tril(gpunet.tensor([[1, 2], [3, 4]]))
        tensor([[1, 0],
                [3, 4]])
    """
    return deliver(_triangle("tril", tril_op, input, diagonal), out, "tril", exact=True)


def triu(input: Tensor, diagonal: int = 0, *, out: Tensor | None = None) -> Tensor:
    """The elements of matrices on and above a diagonal, zeros elsewhere.

    Args:
        input: tensor of at least 2 dimensions, the last two of which are the matrices'.
        diagonal: which diagonal: 0 is the main one, positive ones are above it, negative ones below.
        out: tensor that receives the result; resized if its shape differs.

    Returns:
        Tensor of input's shape and type.

    Raises:
        RuntimeError: input has fewer than 2 dimensions.

    Example:
        >>> gpunet.triu(gpunet.tensor([[1, 2], [3, 4]]))
        tensor([[1, 2],
                [0, 4]])
    """
    return deliver(_triangle("triu", triu_op, input, diagonal), out, "triu", exact=True)


def _triangle(name, operation, x, diagonal):
    if x._array.ndim < 2:
        raise RuntimeError(f"{name}: expected at least 2 dimensions, got shape {tuple(x.shape)}")
    return operation(x, diagonal=diagonal)


IN_PLACE = ["tril", "triu"]


def tril_indices(row: int, col: int, offset: int = 0, *, dtype: Type | None = int64, layout: Layout | None = None,
                 device: Place | None = None, pin_memory: bool | None = None) -> Tensor:
    """Indices of the elements of a matrix on and below a diagonal, row by row.

    Args:
        row: the number of rows.
        col: the number of columns.
        offset: which diagonal: 0 is the main one, positive ones are above it, negative ones below.
        dtype: type of the indices. None: int64.
        layout: `gpunet.strided`, the only one.
        device: where the tensor is. None: the default device.
        pin_memory: accepted and ignored: the host's memory is never pinned.

    Returns:
        Tensor of shape (2, count): rows and columns.

    Raises:
        RuntimeError: a size is negative.

    Example:
        >>> gpunet.tril_indices(2, 2)
        tensor([[0, 1, 1],
                [0, 0, 1]])
    """
    return _indices("tril_indices", np.tril_indices, row, col, offset, dtype, layout, device)


def triu_indices(row: int, col: int, offset: int = 0, *, dtype: Type | None = int64, layout: Layout | None = None,
                 device: Place | None = None, pin_memory: bool | None = None) -> Tensor:
    """Indices of the elements of a matrix on and above a diagonal, row by row.

    Args:
        row: the number of rows.
        col: the number of columns.
        offset: which diagonal: 0 is the main one, positive ones are above it, negative ones below.
        dtype: type of the indices. None: int64.
        layout: `gpunet.strided`, the only one.
        device: where the tensor is. None: the default device.
        pin_memory: accepted and ignored: the host's memory is never pinned.

    Returns:
        Tensor of shape (2, count): rows and columns.

    Raises:
        RuntimeError: a size is negative.

    Example:
        >>> gpunet.triu_indices(2, 2)
        tensor([[0, 0, 1],
                [0, 1, 1]])
    """
    return _indices("triu_indices", np.triu_indices, row, col, offset, dtype, layout, device)


def _indices(name, of, row, col, offset, dtype, layout, device):
    check_layout(name, layout)
    if row < 0 or col < 0:
        raise RuntimeError(f"{name}: sizes must not be negative, got {row} and {col}")
    wanted = int64 if dtype is None else dtype
    return tensor(np.stack(of(row, offset, col)).astype(dtypes.as_numpy(wanted)), device=device)


METHODS = {"fill_diagonal_": fill_diagonal_}
