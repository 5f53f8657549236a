"""Splitting, stacking, repeating and turning, made of the views and joins of shape.py."""

from __future__ import annotations

import warnings
from itertools import combinations as _choose
from itertools import combinations_with_replacement as _choose_again

import numpy as np

from gpunet.dispatch import host_read, is_tensor, op
from gpunet.dtypes import INT64_NP, public
from gpunet.ops.gathering import index_select
from gpunet.ops.index import getitem
from gpunet.ops.rules import broadcast, check_dim, dims_of, same
from gpunet.ops.shape import cat, expand, flatten, narrow, reshape, split, stack, transpose, unsqueeze

__all__ = ["atleast_1d", "atleast_2d", "atleast_3d", "broadcast_shapes", "broadcast_tensors", "cartesian_prod",
           "column_stack", "combinations", "dsplit", "dstack", "flip", "fliplr", "flipud", "hsplit", "hstack",
           "meshgrid", "repeat_interleave", "roll", "rot90", "row_stack", "split_with_sizes", "tensor_split", "tile",
           "vsplit", "vstack"]


def _given(sizes) -> tuple:
    """Sizes that may have come as one sequence."""
    return tuple(sizes[0]) if len(sizes) == 1 and hasattr(sizes[0], "__iter__") else tuple(sizes)


def _tensors(given) -> tuple:
    """Tensors that may have come as one sequence."""
    return tuple(given[0]) if len(given) == 1 and not is_tensor(given[0]) else tuple(given)


# ---- to more dimensions, and to one shape --------------------------------------------------------------------------


def _at_least(rank: int, grow):
    def at_least(*tensors):
        single = len(tensors) == 1 and is_tensor(tensors[0])
        grown = tuple(x if x._array.ndim >= rank else grow(x) for x in _tensors(tensors))
        return grown[0] if single else grown

    at_least.__name__ = at_least.__qualname__ = f"atleast_{rank}d"
    at_least.__doc__ = f"The tensor, or each of several, with dimensions of size 1 added up to {rank}."
    return at_least


atleast_1d = _at_least(1, lambda x: reshape(x, 1))
atleast_2d = _at_least(2, lambda x: reshape(x, 1, -1) if x._array.size else reshape(x, 1, 0))
atleast_3d = _at_least(3, lambda x: unsqueeze(atleast_2d(x), -1))


def broadcast_shapes(*shapes):
    """The shape that shapes (or sizes) broadcast to."""
    result = ()
    for shape in shapes:
        result = broadcast(result, (shape,) if isinstance(shape, int) else tuple(shape))
    return result


def broadcast_tensors(*tensors):
    """The tensors expanded to one shape: views."""
    tensors, shape = _tensors(tensors), ()
    for x in tensors:
        try:
            shape = broadcast(shape, x._array.shape)
        except RuntimeError as error:
            raise RuntimeError(f"broadcast_tensors: {error}") from None
    return tuple(expand(x, shape) for x in tensors)


def meshgrid(*tensors, indexing: str | None = None):
    """Coordinates of a grid: for each vector a tensor of the grid's shape, in which it runs along its own dimension.
    indexing: "ij" (the default), or "xy", which exchanges the first two dimensions."""
    tensors = _tensors(tensors)
    if indexing not in (None, "ij", "xy"):
        raise RuntimeError(f"meshgrid: indexing must be 'ij' or 'xy', got {indexing!r}")
    if indexing is None:
        warnings.warn("meshgrid: give indexing='ij' or 'xy'; 'ij' is taken", stacklevel=2)
    for x in tensors:
        if x._array.ndim > 1:
            raise RuntimeError(f"meshgrid: expected vectors, got shape {tuple(x.shape)}")
        if x._array.dtype != tensors[0]._array.dtype:
            raise RuntimeError(f"meshgrid: expected one type, got {tensors[0].dtype} and {x.dtype}")
    count = len(tensors)
    shape = [x._array.size for x in tensors]
    grid = [expand(reshape(x, *[x._array.size if d == i else 1 for d in range(count)]), shape)
            for i, x in enumerate(tensors)]
    return tuple(transpose(x, 0, 1) for x in grid) if indexing == "xy" and count > 1 else tuple(grid)


def cartesian_prod(*tensors):
    """All combinations of one element from each vector, as rows; a single vector as it is."""
    if len(tensors) == 1:
        return tensors[0]
    return stack([flatten(x) for x in meshgrid(*tensors, indexing="ij")], 1)


def combinations(input, r: int = 2, with_replacement: bool = False):
    """All combinations of r elements of a vector, as rows, in the order of itertools.combinations."""
    if input._array.ndim != 1:
        raise RuntimeError(f"combinations: expected a vector, got shape {tuple(input.shape)}")
    if r == 0:
        return input.new_zeros((0,))
    choose = _choose_again if with_replacement else _choose
    rows = np.array(list(choose(range(input._array.size), r)), np.int64).reshape(-1, r)
    return getitem(input, (input.new_tensor(rows, dtype=public(INT64_NP)),))


# ---- joins ---------------------------------------------------------------------------------------------------------


def hstack(tensors):
    """Tensors joined side by side: along dimension 1, vectors along dimension 0."""
    tensors = _at_least_each(atleast_1d, tensors, "hstack")
    return cat(tensors, 0 if tensors[0]._array.ndim == 1 else 1)


def vstack(tensors):
    """Tensors joined on top of each other; vectors are rows."""
    return cat(_at_least_each(atleast_2d, tensors, "vstack"), 0)


row_stack = vstack


def dstack(tensors):
    """Tensors joined along dimension 2."""
    return cat(_at_least_each(atleast_3d, tensors, "dstack"), 2)


def column_stack(tensors):
    """As `hstack`, with vectors as columns."""
    return cat([x if x._array.ndim > 1 else reshape(x, x._array.size, 1)
                for x in _at_least_each(atleast_1d, tensors, "column_stack")], 1)


def _at_least_each(grow, tensors, op):
    tensors = list(tensors)
    if not tensors:
        raise RuntimeError(f"{op}: expected at least one tensor")
    return [grow(x) for x in tensors]


# ---- splits: views -------------------------------------------------------------------------------------------------


def split_with_sizes(input, split_sizes, dim: int = 0):
    """Pieces of the given sizes along a dimension."""
    return split(input, list(split_sizes), dim)


def tensor_split(input, indices_or_sections, dim: int = 0):
    """So many pieces along a dimension, the first ones larger by 1 where the size is no multiple; or pieces that end
    before the given indices, as slices do."""
    if input._array.ndim == 0:
        raise RuntimeError("tensor_split: a 0-d tensor cannot be split")
    dim = check_dim(dim, input._array.ndim, "tensor_split")
    size = input._array.shape[dim]
    if is_tensor(indices_or_sections):
        indices_or_sections = host_read(indices_or_sections, "tensor_split").tolist()
    if isinstance(indices_or_sections, int):
        count = indices_or_sections
        if count <= 0:
            raise RuntimeError(f"tensor_split: the number of pieces must be positive, got {count}")
        sizes = [size // count + (i < size % count) for i in range(count)]
        ends = [sum(sizes[: i + 1]) for i in range(count)]
        starts = [0, *ends[:-1]]
    else:
        starts, ends = [0, *indices_or_sections], [*indices_or_sections, size]
    pieces = []
    for start, end in zip(starts, ends, strict=True):
        start, end, _ = slice(start, end).indices(size)
        pieces.append(narrow(input, dim, start, max(end - start, 0)))
    return tuple(pieces)


def _split_along(name: str, dim: int, rank: int):
    def function(input, indices_or_sections):
        have = input._array.ndim
        if have < rank:
            raise RuntimeError(f"{name}: expected at least {rank} dimension{'s' * (rank > 1)}, got shape "
                               f"{tuple(input.shape)}")
        along = min(dim, have - 1)
        if isinstance(indices_or_sections, int) and (indices_or_sections <= 0
                                                     or input._array.shape[along] % indices_or_sections):
            raise RuntimeError(f"{name}: dimension {along} of size {input._array.shape[along]} cannot be split into "
                               f"{indices_or_sections} equal pieces; tensor_split makes unequal ones")
        return tensor_split(input, indices_or_sections, along)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"Equal pieces, or pieces up to the given indices, along dimension {dim}."
    return function


hsplit, vsplit, dsplit = _split_along("hsplit", 1, 1), _split_along("vsplit", 0, 2), _split_along("dsplit", 2, 3)

# ---- repeats -------------------------------------------------------------------------------------------------------


def repeat(input, *repeats):
    """The tensor laid side by side: as often as given along each dimension; new dimensions may be added in front."""
    repeats, shape = _given(repeats), input._array.shape
    if len(repeats) < len(shape):
        raise RuntimeError(f"repeat: {len(repeats)} numbers {repeats} were given for a tensor of {len(shape)} "
                           "dimensions; tile() adds ones in front")
    if min(repeats, default=0) < 0:
        raise RuntimeError(f"repeat: the numbers must not be negative, got {repeats}")
    shape = (1,) * (len(repeats) - len(shape)) + shape
    pairs = reshape(input, *[n for size in shape for n in (1, size)])
    copy = expand(pairs, [n for times, size in zip(repeats, shape, strict=True) for n in (times, size)]).clone()
    return reshape(copy, *[times * size for times, size in zip(repeats, shape, strict=True)])


def tile(input, *dims):
    """As `repeat`, where numbers that are missing in front are 1."""
    dims = _given(dims)
    return repeat(input, (1,) * (input._array.ndim - len(dims)) + dims)


def repeat_interleave(input, repeats=None, dim: int | None = None, *, output_size: int | None = None):
    """Each element repeated on the spot: all as often as a number says, or each as a vector says (which is read on the
    host). Without `dim` of the flattened tensor. With one argument, that is the vector: 0 so often, 1 so often ..."""
    if repeats is None:
        counts = host_read(input, "repeat_interleave")
        return input.new_tensor(np.repeat(np.arange(counts.size), counts), dtype=input.dtype)
    if dim is None:
        input, dim = flatten(input), 0
    dim = check_dim(dim, input._array.ndim, "repeat_interleave")
    size = input._array.shape[dim] if input._array.ndim else 1
    if is_tensor(repeats) and repeats._array.size > 1 or not isinstance(repeats, int):
        counts = host_read(repeats, "repeat_interleave") if is_tensor(repeats) else np.array(repeats)
        if counts.ndim > 1 or counts.size not in (1, size):
            raise RuntimeError(f"repeat_interleave: dimension {dim} of size {size} needs as many numbers of repeats, "
                               f"got shape {counts.shape}")
        if (counts < 0).any():
            raise RuntimeError("repeat_interleave: the numbers of repeats must not be negative")
        places = np.repeat(np.arange(size), counts.reshape(-1))
        return index_select(input, dim, input.new_tensor(places, dtype=public(INT64_NP)))
    if repeats < 0:
        raise RuntimeError(f"repeat_interleave: the number of repeats must not be negative, got {repeats}")
    shape = input._array.shape or (1,)
    input = reshape(input, *shape[: dim + 1], 1, *shape[dim + 1 :])
    copy = expand(input, (*shape[: dim + 1], repeats, *shape[dim + 1 :])).clone()
    return reshape(copy, *shape[:dim], size * repeats, *shape[dim + 1 :])


# ---- other orders --------------------------------------------------------------------------------------------------


@op(same)
def flip_op(xp, out, x, *, dims):
    out[...] = x[tuple(slice(None, None, -1) if i in dims else slice(None) for i in range(x.ndim))]


@flip_op.gradient
def _(g, _y, _x, *, dims):
    return (flip_op(g, dims=dims),)


def flip(input, *axes, dims=()):
    """The order of the elements reversed along the given dimensions (by place or as dims=): a copy, as in PyTorch."""
    dims = _given(axes or (dims,))
    return flip_op(input, dims=dims_of(dims, input._array.ndim, "flip") if dims else ())


def fliplr(input):
    """The order of dimension 1 reversed."""
    if input._array.ndim < 2:
        raise RuntimeError(f"fliplr: expected at least 2 dimensions, got shape {tuple(input.shape)}")
    return flip_op(input, dims=(1,))


def flipud(input):
    """The order of dimension 0 reversed."""
    if input._array.ndim < 1:
        raise RuntimeError("flipud: expected at least 1 dimension, got a 0-d tensor")
    return flip_op(input, dims=(0,))


@op(same)
def roll_op(xp, out, x, *, shifts, dims):
    out[...] = xp.roll(x, shifts, dims)


@roll_op.gradient
def _(g, _y, _x, *, shifts, dims):
    return (roll_op(g, shifts=tuple(-n for n in shifts), dims=dims),)


def roll(input, shifts, dims=None):
    """The elements moved on along dimensions, those that leave entering at the other end; without dims, of the
    flattened tensor."""
    shifts = (shifts,) if isinstance(shifts, int) else tuple(shifts)
    dims = () if dims is None else (dims,) if isinstance(dims, int) else tuple(dims)
    if not dims and len(shifts) == 1:
        return reshape(roll_op(flatten(input), shifts=shifts, dims=(0,)), input._array.shape)
    if len(shifts) != len(dims) or not shifts:
        raise RuntimeError(f"roll: expected one shift for each dimension, got shifts {shifts} and dimensions {dims}")
    if input._array.ndim == 0:
        raise IndexError("roll: a 0-d tensor has no dimension to roll along")
    return roll_op(input, shifts=shifts, dims=tuple(check_dim(d, input._array.ndim, "roll") for d in dims))


def rot90(input, k: int = 1, dims=(0, 1)):
    """The planes of two dimensions turned by k times 90 degrees, from the first towards the second."""
    dims = tuple(dims)
    if len(dims) != 2 or input._array.ndim < 2:
        raise RuntimeError(f"rot90: expected two dimensions of a tensor that has them, got {dims} and shape "
                           f"{tuple(input.shape)}")
    a, b = (check_dim(d, input._array.ndim, "rot90") for d in dims)
    if a == b:
        raise RuntimeError(f"rot90: the two dimensions must differ, got {dims}")
    if k % 4 == 1:
        return transpose(flip_op(input, dims=(b,)), a, b)
    if k % 4 == 3:
        return flip_op(transpose(input, a, b), dims=(b,))
    return flip_op(input, dims=(a, b)) if k % 4 else input.clone()


METHODS = {"repeat": repeat}
