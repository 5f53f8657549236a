"""Parts of a tensor along a dimension, or of its memory: all of them are views."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from gpunet.dispatch import host_read, is_tensor, view, wrap
from gpunet.dtypes import INTS
from gpunet.ops.rules import by_axis, check_dim
from gpunet.ops.spellings import takes_axis
from gpunet.ops.views import _index, index_of, memory_of, strided

if TYPE_CHECKING:
    from gpunet.tensor import Tensor

    Parts = int | Sequence[int] | Tensor

__all__ = ["as_strided", "chunk", "dsplit", "hsplit", "narrow", "select", "split", "split_with_sizes", "tensor_split",
           "unbind", "vsplit"]


@takes_axis
def narrow(input: Tensor, dim: int, start: int | Tensor, length: int) -> Tensor:
    """A view of `length` elements of a dimension, from `start` on.

    Args:
        input: tensor of at least 1 dimension.
        dim: the dimension.
        start: index of the first element; negative ones count from the end. A 0-d tensor of an integer type is read
            on the host.
        length: how many elements.

    Returns:
        View of input, of size `length` in dimension dim.

    Raises:
        IndexError: dim or start is out of range.
        RuntimeError: there are fewer than `length` elements from start on.

    Example:
        >>> gpunet.narrow(gpunet.tensor([1, 2, 3, 4]), 0, 1, 2)
        tensor([2, 3])
    """
    if input._array.ndim == 0:
        raise RuntimeError("narrow: a 0-d tensor has no dimension to take elements of")
    dim = check_dim(dim, input._array.ndim, "narrow")
    size = input._array.shape[dim]
    first = start if isinstance(start, INTS) else int(start)
    if not -size <= first <= size:
        raise IndexError(f"narrow: start {first} is out of range for dimension {dim} of size {size}")
    first = first + size if first < 0 else first
    if length < 0 or first + length > size:
        raise RuntimeError(f"narrow: start {first} and length {length} do not fit in dimension {dim} of size {size}")
    return _part(input, dim, first, first + length)


def _part(input, dim, start, end):
    return _index(input, key=(slice(None),) * dim + (slice(start, end),))


@takes_axis
def select(input: Tensor, dim: int, index: int) -> Tensor:
    """A view at one index of a dimension, which disappears: input[index] for dimension 0.

    Args:
        input: tensor of at least 1 dimension.
        dim: the dimension.
        index: the index; negative ones count from the end.

    Returns:
        View of input, without dimension dim.

    Raises:
        IndexError: dim or index is out of range.

    Example:
        >>> gpunet.select(gpunet.tensor([[1, 2], [3, 4]]), 1, 0)
        tensor([1, 3])
    """
    return _index(input, key=index_of(input, dim, index, "select"))


def unbind(input: Tensor, dim: int = 0, *, axis: int | None = None) -> tuple[Tensor, ...]:
    """The slices along a dimension, which disappears.

    Args:
        input: tensor of at least 1 dimension.
        dim: the dimension.
        axis: another name of dim.

    Returns:
        Tuple of views, one for each index of the dimension.

    Raises:
        IndexError: dim is out of range.

    Example:
        >>> gpunet.unbind(gpunet.tensor([[1, 2], [3, 4]]))
        (tensor([1, 2]), tensor([3, 4]))
    """
    if axis is not None:
        dim = by_axis("unbind", dim, axis, 0)
    dim = check_dim(dim, input._array.ndim, "unbind")
    return tuple([select(input, dim, i) for i in range(input._array.shape[dim])])


def split(tensor: Tensor, split_size_or_sections: int | Sequence[int], dim: int = 0) -> tuple[Tensor, ...]:
    """Pieces along a dimension, of one size or of given sizes.

    Args:
        tensor: tensor of at least 1 dimension.
        split_size_or_sections: the size of a piece (the last one may be smaller), or the sizes of all.
        dim: the dimension.

    Returns:
        Tuple of views.

    Raises:
        IndexError: dim is out of range.
        RuntimeError: the sizes do not add up to that of the dimension, or are not positive.

    Example:
        >>> gpunet.split(gpunet.arange(5), [2, 3])
        (tensor([0, 1]), tensor([2, 3, 4]))
    """
    dim = check_dim(dim, tensor._array.ndim, "split")
    size = tensor._array.shape[dim]
    if isinstance(split_size_or_sections, INTS):
        step = split_size_or_sections
        if step <= 0 and not (step == 0 and size == 0):
            raise RuntimeError(f"split: the size of a piece must be positive, got {step}")
        return _of_sizes(tensor, [min(step, size - i) for i in range(0, size, step)] if size else [0], dim)
    sizes = list(split_size_or_sections)
    if sum(sizes) != size:
        raise RuntimeError(f"split: sizes {sizes} sum to {sum(sizes)}, but dimension {dim} has size {size}")
    return _of_sizes(tensor, sizes, dim)


def _of_sizes(x, sizes, dim):
    starts = [sum(sizes[:i]) for i in range(len(sizes))]
    return tuple([narrow(x, dim, start, n) for start, n in zip(starts, sizes, strict=True)])


def split_with_sizes(input: Tensor, split_sizes: Sequence[int], dim: int = 0, *,
                     axis: int | None = None) -> tuple[Tensor, ...]:
    """Pieces of the given sizes along a dimension.

    Args:
        input: tensor of at least 1 dimension.
        split_sizes: the sizes of the pieces.
        dim: the dimension.
        axis: another name of dim.

    Returns:
        Tuple of views.

    Raises:
        IndexError: dim is out of range.
        RuntimeError: the sizes do not add up to that of the dimension.

    Example:
        >>> gpunet.split_with_sizes(gpunet.arange(3), (1, 2))
        (tensor([0]), tensor([1, 2]))
    """
    if axis is not None:
        dim = by_axis("split_with_sizes", dim, axis, 0)
    return split(input, list(split_sizes), dim)


def chunk(input: Tensor, chunks: int, dim: int = 0, *, axis: int | None = None) -> tuple[Tensor, ...]:
    """At most `chunks` pieces of equal size along a dimension. The last one may be smaller.

    Args:
        input: tensor of at least 1 dimension.
        chunks: the number of pieces; there are fewer if that many of equal size are not needed.
        dim: the dimension.
        axis: another name of dim.

    Returns:
        Tuple of views.

    Raises:
        IndexError: dim is out of range.
        RuntimeError: chunks is not positive.

    Example:
        >>> gpunet.chunk(gpunet.arange(5), 2)
        (tensor([0, 1, 2]), tensor([3, 4]))
    """
    if axis is not None:
        dim = by_axis("chunk", dim, axis, 0)
    if chunks <= 0:
        raise RuntimeError(f"chunk: the number of chunks must be positive, got {chunks}")
    size = input._array.shape[check_dim(dim, input._array.ndim, "chunk")]
    return split(input, -(-size // chunks) if size else [0] * chunks, dim)


def tensor_split(input: Tensor, indices_or_sections: Parts | None = None, dim: int = 0, *, sections: int | None = None,
                 indices: Sequence[int] | None = None, tensor_indices_or_sections: Tensor | None = None,
                 axis: int | None = None) -> tuple[Tensor, ...]:
    """Pieces along a dimension: a number of them, whose sizes differ by at most 1, or pieces that end before given
    indices.

    Args:
        input: tensor of at least 1 dimension.
        indices_or_sections: the number of pieces, or the indices, which are treated as in slices; a tensor of int64
            is read on the host.
        dim: the dimension.
        sections: the number of pieces, by name.
        indices: the indices, by name.
        tensor_indices_or_sections: number or indices as a tensor, by name.
        axis: another name of dim.

    Returns:
        Tuple of views. With a number, the first pieces are larger by 1 where the size is not divisible by it.

    Raises:
        IndexError: dim is out of range.
        RuntimeError: the number of pieces is not positive, or the tensor has no dimension.

    Example:
        >>> gpunet.tensor_split(gpunet.arange(5), 2)
        (tensor([0, 1, 2]), tensor([3, 4]))
        >>> gpunet.tensor_split(gpunet.arange(5), (1, 3))
        (tensor([0]), tensor([1, 2]), tensor([3, 4]))
    """
    parts = _parts("tensor_split", indices_or_sections, sections, indices, tensor_indices_or_sections)
    if axis is not None:
        dim = by_axis("tensor_split", dim, axis, 0)
    return _split_at(input, parts, dim, "tensor_split")


def _parts(name, *given):
    """The number of pieces or their ends, which PyTorch takes by several names."""
    found = [each for each in given if each is not None]
    if len(found) != 1:
        raise TypeError(f"{name}() takes one of 'sections' and 'indices', got {len(found)}")
    return found[0]


def _split_at(input, parts, dim, name):
    if input._array.ndim == 0:
        raise RuntimeError(f"{name}: a 0-d tensor cannot be split")
    dim = check_dim(dim, input._array.ndim, name)
    size = input._array.shape[dim]
    if is_tensor(parts):
        parts = host_read(parts, name).tolist()
    if isinstance(parts, INTS):
        if parts <= 0:
            raise RuntimeError(f"{name}: the number of pieces must be positive, got {parts}")
        return _of_sizes(input, [size // parts + (i < size % parts) for i in range(parts)], dim)
    pieces = []
    for start, end in zip([0, *parts], [*parts, size], strict=True):
        start, end, _ = slice(start, end).indices(size)
        pieces.append(_part(input, dim, start, max(start, end)))
    return tuple(pieces)


def hsplit(input: Tensor, indices_or_sections: int | Sequence[int] | None = None, *, sections: int | None = None,
           indices: Sequence[int] | None = None) -> tuple[Tensor, ...]:
    """Pieces along dimension 1, or along dimension 0 of a vector: equal ones, or up to given indices.

    Args:
        input: tensor of at least 1 dimension.
        indices_or_sections: the number of pieces, or the indices before which they end.
        sections: the number of pieces, by name.
        indices: the indices, by name.

    Returns:
        Tuple of views.

    Raises:
        RuntimeError: the size is not divisible by the number of pieces, or there are too few dimensions.

    Example:
        >>> gpunet.hsplit(gpunet.arange(4), 2)
        (tensor([0, 1]), tensor([2, 3]))
    """
    return _split_evenly(input, _parts("hsplit", indices_or_sections, sections, indices), 1, 1, "hsplit")


def vsplit(input: Tensor, indices_or_sections: int | Sequence[int] | None = None, *, sections: int | None = None,
           indices: Sequence[int] | None = None) -> tuple[Tensor, ...]:
    """Pieces along dimension 0: equal ones, or up to given indices.

    Args:
        input: tensor of at least 2 dimensions.
        indices_or_sections: the number of pieces, or the indices before which they end.
        sections: the number of pieces, by name.
        indices: the indices, by name.

    Returns:
        Tuple of views.

    Raises:
        RuntimeError: the size is not divisible by the number of pieces, or there are too few dimensions.

    Example:
        >>> gpunet.vsplit(gpunet.tensor([[1, 2], [3, 4]]), 2)
        (tensor([[1, 2]]), tensor([[3, 4]]))
    """
    return _split_evenly(input, _parts("vsplit", indices_or_sections, sections, indices), 0, 2, "vsplit")


def dsplit(input: Tensor, indices_or_sections: int | Sequence[int] | None = None, *, sections: int | None = None,
           indices: Sequence[int] | None = None) -> tuple[Tensor, ...]:
    """Pieces along dimension 2: equal ones, or up to given indices.

    Args:
        input: tensor of at least 3 dimensions.
        indices_or_sections: the number of pieces, or the indices before which they end.
        sections: the number of pieces, by name.
        indices: the indices, by name.

    Returns:
        Tuple of views.

    Raises:
        RuntimeError: the size is not divisible by the number of pieces, or there are too few dimensions.

    Example:
        >>> gpunet.dsplit(gpunet.tensor([[[1, 2]]]), 2)
        (tensor([[[1]]]), tensor([[[2]]]))
    """
    return _split_evenly(input, _parts("dsplit", indices_or_sections, sections, indices), 2, 3, "dsplit")


def _split_evenly(input, parts, dim: int, rank: int, name: str):
    have = input._array.ndim
    if have < rank:
        raise RuntimeError(f"{name}: expected at least {rank} dimension{'s' * (rank > 1)}, got shape "
                           f"{tuple(input.shape)}")
    along = min(dim, have - 1)
    if isinstance(parts, INTS) and (parts <= 0 or input._array.shape[along] % parts):
        raise RuntimeError(f"{name}: dimension {along} of size {input._array.shape[along]} cannot be split into "
                           f"{parts} equal pieces; tensor_split makes unequal ones")
    return _split_at(input, parts, along, name)

# ---- any view of the memory ----------------------------------------------------------------------------------------


@view
def _as_strided(xp, x, *, shape, strides, offset, geometry):
    """geometry: x's own strides and offset in its memory; all in elements."""
    flat = memory_of(x).reshape(-1).view(x.dtype)
    return strided(xp, flat[offset:], shape, tuple([step * x.dtype.itemsize for step in strides]))


@_as_strided.gradient
def _(g, _y, x_meta, *, shape, strides, offset, geometry):
    theirs, own = _places(shape, strides, offset), _places(x_meta.shape, *geometry)
    first = min(theirs.min(initial=own.max(initial=0)), own.min(initial=theirs.max(initial=0)))
    size = int(max(theirs.max(initial=first), own.max(initial=first)) - first) + 1

    def on_device(array):
        return wrap(g._device.from_host(array), g._device)

    memory = g.new_zeros((size,)).index_add(0, on_device(theirs - first), g.reshape(-1))
    found = memory.index_select(0, on_device(own - first))
    shared = np.bincount(own - first, minlength=1)[own - first]
    if shared.max(initial=1) > 1:  # elements that lie in one place share its gradient
        found = found / on_device(shared.astype(x_meta.dtype))
    return (found.reshape(x_meta.shape),)


def _places(shape, strides, offset):
    """Where in memory each element lies."""
    places = np.full(shape, offset, np.int64)
    for dim, (n, step) in enumerate(zip(shape, strides, strict=True)):
        places += (np.arange(n) * step).reshape((-1,) + (1,) * (len(shape) - 1 - dim))
    return places.reshape(-1)


def as_strided(input: Tensor, size: Sequence[int], stride: Sequence[int], storage_offset: int | None = None) -> Tensor:
    """A view of input's memory, with any shape and any steps between its elements.

    Args:
        input: tensor of any type.
        size: the shape.
        stride: for each dimension the step in memory from one index to the next, in elements.
        storage_offset: where in the memory the first element lies; None: where input's does.

    Returns:
        View of the given shape.

    Raises:
        RuntimeError: size and stride are not of one length, a step is negative, or the view leaves the memory.

    Example:
        >>> gpunet.as_strided(gpunet.arange(5), (3, 3), (1, 1))
        tensor([[0, 1, 2],
                [1, 2, 3],
                [2, 3, 4]])
    """
    shape, strides = tuple(map(int, size)), tuple(map(int, stride))
    offset = input.storage_offset() if storage_offset is None else int(storage_offset)
    if len(shape) != len(strides):
        raise RuntimeError(f"as_strided: mismatch in length of strides and shape, {strides} and {shape}")
    if min(strides, default=0) < 0 or min(shape, default=0) < 0 or offset < 0:
        raise RuntimeError(f"as_strided: sizes, strides and the offset must not be negative, got {shape}, {strides} "
                           f"and {offset}")
    last = offset + sum([(n - 1) * step for n, step in zip(shape, strides, strict=True)]) + 1 if 0 not in shape else 0
    have = memory_of(input._array).nbytes // input._array.dtype.itemsize
    if last > have:
        raise RuntimeError(f"as_strided: shape {shape}, strides {strides} and offset {offset} reach {last} elements far"
                           f", out of bounds for a memory of {have}")
    return _as_strided(input, shape=shape, strides=strides, offset=offset,
                       geometry=(input.stride(), input.storage_offset()))
