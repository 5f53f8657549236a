"""Diagonals and triangles, and tensors with a part replaced."""

from __future__ import annotations

import numpy as np

from gpunet import devices
from gpunet.dispatch import op, view
from gpunet.dtypes import as_numpy, int64
from gpunet.ops.creation import tensor
from gpunet.ops.inplace import replace_region
from gpunet.ops.rules import check_dim, same
from gpunet.ops.shape import _index, cat, index_of, slice_of, spread, strided

__all__ = ["block_diag", "diag", "diag_embed", "diagflat", "diagonal", "diagonal_scatter", "select_scatter",
           "slice_scatter", "tril", "tril_indices", "triu", "triu_indices"]
IN_PLACE = ["tril", "triu"]


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


def diagonal(input, offset: int = 0, dim1: int = 0, dim2: int = 1):
    """The diagonal of the planes of two dimensions, as a new last dimension: a view. A positive offset is above the
    main diagonal, a negative one below."""
    if input._array.ndim < 2:
        raise IndexError(f"diagonal: expected at least 2 dimensions, got shape {tuple(input.shape)}")
    return _diagonal(input, **_plane("diagonal", input._array.ndim, offset, dim1, dim2))


def diagonal_of_matrices(A, *, offset: int = 0, dim1: int = -2, dim2: int = -1):
    """`diagonal` of the last two dimensions."""
    return diagonal(A, offset, dim1, dim2)


def diag_embed(input, offset: int = 0, dim1: int = -2, dim2: int = -1):
    """Square matrices with the last dimension on their diagonals and zeros elsewhere; their dimensions are dim1 and
    dim2 of the result."""
    shape = input._array.shape
    if not shape:
        raise IndexError("diag_embed: expected at least 1 dimension, got a 0-d tensor")
    plane = _plane("diag_embed", len(shape) + 1, offset, dim1, dim2)
    sizes = list(shape[:-1])
    for d in sorted((plane["dim1"], plane["dim2"])):
        sizes.insert(d, shape[-1] + abs(offset))
    return spread(input, shape=tuple(sizes), step=(_diagonal.op, plane))


def diag(input, diagonal: int = 0):
    """The matrix with a vector on its diagonal, or a copy of a matrix's diagonal."""
    rank = input._array.ndim
    if rank not in (1, 2):
        raise RuntimeError(f"diag: expected a vector or a matrix, got shape {tuple(input.shape)}")
    if rank == 1:
        return diag_embed(input, diagonal)
    return _diagonal(input, offset=diagonal, dim1=0, dim2=1).clone()


def diagflat(input, offset: int = 0):
    """The matrix with all elements on its diagonal."""
    return diag_embed(input.reshape(-1), offset)


def fill_diagonal_(target, fill_value, wrap: bool = False):
    """Sets the main diagonal to a number; of more than 2 dimensions, which must be of one size, where all indices are
    equal. wrap: in a matrix of more rows than columns the diagonal begins anew after each column's end."""
    shape = target._array.shape
    if len(shape) < 2 or len(shape) > 2 and len(set(shape)) > 1:
        raise RuntimeError(f"fill_diagonal_: expected a matrix, or more dimensions of one size, got shape {shape}")
    if len(shape) == 2:
        step = shape[1] + 1
        for start in range(0, shape[0] if wrap else 1, step):
            diagonal(target[start:]).fill_(fill_value)
        return target
    part = target
    while part._array.ndim > 1:
        part = _diagonal(part, offset=0, dim1=0, dim2=1).movedim(-1, 0)
    part.fill_(fill_value)
    return target


def block_diag(*tensors):
    """Matrices (vectors are rows) along the diagonal of one, with zeros elsewhere."""
    blocks = [x.reshape(1, -1) if x._array.ndim < 2 else x for x in tensors]
    width, before, rows = sum(x._array.shape[1] for x in blocks), 0, []
    for x in blocks:
        height, columns = x._array.shape
        rows.append(cat([x.new_zeros((height, before)), x, x.new_zeros((height, width - before - columns))], 1))
        before += columns
    return cat(rows, 0)


# ---- a part replaced -----------------------------------------------------------------------------------------------


def _replaced(op: str, input, src, operation, attrs):
    shape = operation.body(input._device.xp, input._array, **attrs).shape
    if src._array.shape != shape:
        raise RuntimeError(f"{op}: the part to be replaced has shape {shape}, the source {tuple(src.shape)}; they must "
                           "be the same")
    return replace_region(input, src.to(input.dtype), steps=((operation, attrs),))


def diagonal_scatter(input, src, offset: int = 0, dim1: int = 0, dim2: int = 1):
    """`input` with `src` on its diagonal (see `diagonal`)."""
    plane = _plane("diagonal_scatter", input._array.ndim, offset, dim1, dim2)
    return _replaced("diagonal_scatter", input, src, _diagonal.op, plane)


def select_scatter(input, src, dim: int, index: int):
    """`input` with `src` at one index of a dimension (see `select`)."""
    return _replaced("select_scatter", input, src, _index.op, {"key": index_of(input, dim, index, "select_scatter")})


def slice_scatter(input, src, dim: int = 0, start=None, end=None, step: int = 1):
    """`input` with `src` in the slice start:end:step of a dimension."""
    if step <= 0:
        raise RuntimeError(f"slice_scatter: the step must be positive, got {step}")
    return _replaced("slice_scatter", input, src, _index.op,
                     {"key": slice_of(input, dim, slice(start, end, step), "slice_scatter")})


# ---- triangles -----------------------------------------------------------------------------------------------------


def _triangle(name: str, text: str):
    lower = name == "tril"

    @op(same)
    def triangle(xp, out, x, *, diagonal):
        rows, columns = x.shape[-2:]
        below = xp.arange(columns) <= xp.arange(rows)[:, None] + (diagonal if lower else diagonal - 1)
        out[...] = 0
        xp.copyto(out, x, where=below if lower else ~below)

    triangle.name = name

    @triangle.gradient
    def _(g, _y, _x, *, diagonal):
        return (triangle(g, diagonal=diagonal),)

    def function(input, diagonal: int = 0):
        if input._array.ndim < 2:
            raise RuntimeError(f"{name}: expected at least 2 dimensions, got shape {tuple(input.shape)}")
        return triangle(input, diagonal=diagonal)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"The elements of matrices on and {text} a diagonal, zeros elsewhere."
    return function


tril, triu = _triangle("tril", "below"), _triangle("triu", "above")


def _triangle_indices(name: str, text: str):
    def indices(row: int, col: int, offset: int = 0, *, dtype=int64, device=None):
        if row < 0 or col < 0:
            raise RuntimeError(f"{name}: sizes must not be negative, got {row} and {col}")
        found = getattr(np, name)(row, offset, col)
        return tensor(np.stack(found).astype(as_numpy(dtype)), device=devices.get(device).name)

    indices.__name__ = indices.__qualname__ = name
    indices.__doc__ = f"Rows and columns [2, count] of the elements on and {text} a diagonal, row by row."
    return indices


tril_indices, triu_indices = _triangle_indices("tril_indices", "below"), _triangle_indices("triu_indices", "above")

METHODS = {"fill_diagonal_": fill_diagonal_}
