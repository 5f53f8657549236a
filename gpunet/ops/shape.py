"""Tensors in another shape: functions. Most of them give views, which copy nothing and share their base's memory."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import TYPE_CHECKING

from gpunet._channels_last import leans_last
from gpunet._layouts import in_channels_last
from gpunet.dtypes import INTS
from gpunet.ops.rules import by_axis, check_dim
from gpunet.ops.spellings import takes_axis
from gpunet.ops.views import (
    _expand,
    _index,
    _permute,
    _reshape,
    can_view,
    clone_op,
    contiguous_op,
    copied,
    reshaped,
    resolve_shape,
)

if TYPE_CHECKING:
    from gpunet._layouts import memory_format as MemoryFormat
    from gpunet.tensor import Tensor

__all__ = ["broadcast_to", "clone", "detach", "flatten", "is_floating_point", "moveaxis", "movedim", "numel", "permute",
           "ravel", "reshape", "squeeze", "swapaxes", "swapdims", "t", "transpose", "unflatten", "unsqueeze"]

# ---- the tensor as it is -------------------------------------------------------------------------------------------


def clone(input: Tensor, *, memory_format: MemoryFormat | None = None) -> Tensor:
    """A copy with memory of its own. Gradients flow through it to `input`.

    Args:
        input: tensor of any type.
        memory_format: that of the copy. None: `gpunet.preserve_format`.

    Returns:
        Tensor of input's shape and type.

    Example:
        >>> x = gpunet.tensor([1.0, 2.0])
        >>> y = gpunet.clone(x).zero_()
        >>> x
        tensor([1., 2.])
    """
    array = input._array
    if memory_format is None and (array.ndim < 4 or not leans_last(array)):
        return clone_op(input)
    return copied(input, in_channels_last("clone", memory_format, array.ndim, leans_last(array)))


def detach(input: Tensor) -> Tensor:
    """The same memory without history: gradients stop here.

    Args:
        input: tensor of any type.

    Returns:
        Tensor of input's shape and type that shares its memory and requires no gradients.

    Example:
        >>> x = gpunet.tensor([1.0, 2.0], requires_grad=True)
        >>> gpunet.detach(x * 2)
        tensor([2., 4.])
    """
    return input.detach()


def numel(input: Tensor) -> int:
    """Number of elements.

    Args:
        input: tensor of any type.

    Returns:
        The product of the sizes, an int.

    Example:
        >>> gpunet.numel(gpunet.zeros(2, 3))
        6
    """
    return input.numel()


def is_floating_point(input: Tensor) -> bool:
    """Whether the type of a tensor is a floating-point type.

    Args:
        input: tensor of any type.

    Returns:
        True for float16, bfloat16, float32 and float64, else False.

    Example:
        >>> gpunet.is_floating_point(gpunet.tensor([1, 2]))
        False
    """
    return input.dtype.is_floating_point


# ---- other sizes ---------------------------------------------------------------------------------------------------


def reshape(input: Tensor, shape: Sequence[int]) -> Tensor:
    """The same elements, in the same order, in another shape: a view where that is possible, else a copy.

    Args:
        input: tensor of any type.
        shape: the new sizes; one of them may be -1, which stands for the size that is left.

    Returns:
        Tensor of the given shape.

    Raises:
        RuntimeError: the shape does not have as many elements as input.

    Example:
        >>> gpunet.reshape(gpunet.arange(6), (2, -1))
        tensor([[0, 1, 2],
                [3, 4, 5]])
    """
    sizes: tuple[int, ...] = (shape,) if isinstance(shape, INTS) else tuple(shape)
    array = input._array
    if array.flags.c_contiguous and prod(sizes) == array.size and min(sizes, default=0) >= 0:
        return _reshape(input, shape=sizes)
    sizes = resolve_shape(sizes, array.size, "reshape")
    return _reshape(input if can_view(array, sizes) else contiguous_op(input), shape=sizes)


def flatten(input: Tensor, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    """The dimensions from start_dim to end_dim joined into one. A 0-d tensor becomes a vector of one element.

    Args:
        input: tensor of any type.
        start_dim: the first dimension to join.
        end_dim: the last dimension to join.

    Returns:
        Tensor of the joined shape: a view where that is possible, else a copy.

    Raises:
        IndexError: a dimension is out of range.
        RuntimeError: start_dim comes after end_dim.

    Example:
        >>> gpunet.flatten(gpunet.zeros(2, 3, 4), start_dim=1).shape
        gpunet.Size([2, 12])
    """
    shape = input._array.shape
    rank = len(shape)
    if rank == 0:
        return _reshape(input, shape=(1,))
    start, end = check_dim(start_dim, rank, "flatten"), check_dim(end_dim, rank, "flatten")
    if start > end:
        raise RuntimeError(f"flatten: start_dim {start_dim} comes after end_dim {end_dim}")
    if start == end:
        return input
    return reshaped(input, (*shape[:start], prod(shape[start : end + 1]), *shape[end + 1 :]))


def ravel(input: Tensor) -> Tensor:
    """All elements in one dimension: a view where that is possible, else a copy.

    Args:
        input: tensor of any type.

    Returns:
        Vector of input's elements, in row-major order.

    Example:
        >>> gpunet.ravel(gpunet.tensor([[1, 2], [3, 4]]))
        tensor([1, 2, 3, 4])
    """
    return reshaped(input, (input._array.size,))


@takes_axis
def unflatten(input: Tensor, dim: int, sizes: Sequence[int]) -> Tensor:
    """One dimension split into several, the reverse of `flatten`.

    Args:
        input: tensor of any type.
        dim: the dimension to split.
        sizes: the sizes that take its place; one of them may be -1, which stands for the size that is left.

    Returns:
        Tensor with input's elements: a view where that is possible, else a copy.

    Raises:
        IndexError: dim is out of range.
        RuntimeError: the sizes do not multiply to the dimension's size.

    Example:
        >>> gpunet.unflatten(gpunet.zeros(2, 12), 1, (3, 4)).shape
        gpunet.Size([2, 3, 4])
    """
    shape = input._array.shape
    dim = check_dim(dim, len(shape), "unflatten")
    sizes = resolve_shape(tuple(sizes), shape[dim], "unflatten")
    return reshaped(input, (*shape[:dim], *sizes, *shape[dim + 1 :]))


def squeeze(input: Tensor, dim: int | Sequence[int] | None = None, *, axis: int | None = None) -> Tensor:
    """A view without dimensions of size 1: all of them, or only those given.

    Args:
        input: tensor of any type.
        dim: the dimension, or dimensions, to remove; those of another size stay. None: every dimension of size 1.
        axis: another name of dim.

    Returns:
        View of input.

    Raises:
        IndexError: a dimension is out of range.

    Example:
        >>> gpunet.squeeze(gpunet.zeros(1, 2, 1), 0).shape
        gpunet.Size([2, 1])
    """
    if axis is not None:
        dim = by_axis("squeeze", dim, axis)
    shape = input._array.shape
    rank = len(shape)
    if dim is None:
        drop = set(range(rank))
    else:
        drop = {check_dim(d, rank, "squeeze") for d in ((dim,) if isinstance(dim, INTS) else dim)}
    return _reshape(input, shape=tuple(n for i, n in enumerate(shape) if not (n == 1 and i in drop)))


def unsqueeze(input: Tensor, dim: int | None = None, *, axis: int | None = None) -> Tensor:
    """A view with a new dimension of size 1.

    Args:
        input: tensor of any type.
        dim: place of the new dimension in the result; negative ones count from the end. It has to be given.
        axis: another name of dim.

    Returns:
        View of input with one dimension more.

    Raises:
        IndexError: dim is out of range.
        TypeError: dim is missing.

    Example:
        >>> gpunet.unsqueeze(gpunet.tensor([1, 2]), 1)
        tensor([[1],
                [2]])
    """
    if dim is None or axis is not None:
        dim = by_axis("unsqueeze", dim, axis)
    dim = check_dim(dim, input._array.ndim + 1, "unsqueeze")
    return _index(input, key=(slice(None),) * dim + (None,))


def broadcast_to(input: Tensor, size: Sequence[int]) -> Tensor:
    """Dimensions of size 1 repeated up to a shape, without a copy. It is Tensor.expand as a function.

    Args:
        input: tensor of any type.
        size: the new sizes; -1 keeps a size. New dimensions may be added in front.

    Returns:
        View of input; several of its elements are one place in memory, so clone it before changing it in place.

    Raises:
        RuntimeError: a size other than 1 would change.

    Example:
        >>> gpunet.broadcast_to(gpunet.tensor([1, 2]), (2, 2))
        tensor([[1, 2],
                [1, 2]])
    """
    return expand(input, size)


def expand(input: Tensor, size: Sequence[int], name: str = "expand") -> Tensor:
    """`input` with its dimensions of size 1 repeated; `name` is for errors."""
    size, have = tuple(size), input._array.shape
    extra = len(size) - len(have)
    if extra < 0:
        raise RuntimeError(f"{name}: {len(size)} sizes {size} were given for a tensor of {len(have)} dimensions")
    wanted = []
    for i, n in enumerate(size):
        old = have[i - extra] if i >= extra else None
        if n == -1 and old is None:
            raise RuntimeError(f"{name}: the new leading dimension {i} needs a size, not -1")
        if old not in (None, 1, n) and n != -1:
            raise RuntimeError(f"{name}: size {n} at dimension {i} does not match the existing size {old} of {have}")
        wanted.append(old if n == -1 else n)
    return _expand(input, shape=tuple(wanted))


# ---- another order of the dimensions -------------------------------------------------------------------------------


def permute(input: Tensor, dims: Sequence[int]) -> Tensor:
    """A view with the dimensions in another order.

    Args:
        input: tensor of any type.
        dims: input's dimensions in their new order, each of them once.

    Returns:
        View of input.

    Raises:
        IndexError: a dimension is out of range.
        RuntimeError: dims does not name each dimension once.

    Example:
        >>> gpunet.permute(gpunet.zeros(2, 3, 4), (2, 0, 1)).shape
        gpunet.Size([4, 2, 3])
    """
    dims = tuple(dims)
    rank = input._array.ndim
    order = tuple([check_dim(d, rank, "permute") for d in dims])
    if len(order) != rank or len(set(order)) != rank:
        raise RuntimeError(f"permute: {dims} does not name each dimension of shape {tuple(input.shape)} once")
    return _permute(input, dims=order)


def transpose(input: Tensor, dim0: int, dim1: int) -> Tensor:
    """A view with two dimensions exchanged.

    Args:
        input: tensor of any type.
        dim0: the one dimension.
        dim1: the other dimension.

    Returns:
        View of input.

    Raises:
        IndexError: a dimension is out of range.

    Example:
        >>> gpunet.transpose(gpunet.tensor([[1, 2], [3, 4]]), 0, 1)
        tensor([[1, 3],
                [2, 4]])
    """
    return _exchanged(input, dim0, dim1, "transpose")


def swapdims(input: Tensor, dim0: int, dim1: int) -> Tensor:
    """A view with two dimensions exchanged: `transpose` by another name.

    Args:
        input: tensor of any type.
        dim0: the one dimension.
        dim1: the other dimension.

    Returns:
        View of input.

    Raises:
        IndexError: a dimension is out of range.

    Example:
        >>> gpunet.swapdims(gpunet.zeros(2, 3, 4), 0, 2).shape
        gpunet.Size([4, 3, 2])
    """
    return _exchanged(input, dim0, dim1, "swapdims")


def swapaxes(input: Tensor, axis0: int, axis1: int) -> Tensor:
    """A view with two dimensions exchanged: `transpose` by NumPy's name.

    Args:
        input: tensor of any type.
        axis0: the one dimension.
        axis1: the other dimension.

    Returns:
        View of input.

    Raises:
        IndexError: a dimension is out of range.

    Example:
        >>> gpunet.swapaxes(gpunet.zeros(2, 3, 4), 0, 2).shape
        gpunet.Size([4, 3, 2])
    """
    return _exchanged(input, axis0, axis1, "swapaxes")


def _exchanged(input, dim0, dim1, name):
    rank = input._array.ndim
    a, b = check_dim(dim0, rank, name), check_dim(dim1, rank, name)
    dims = list(range(rank))
    if rank:
        dims[a], dims[b] = b, a
    return _permute(input, dims=tuple(dims))


def t(input: Tensor) -> Tensor:
    """Transpose of a matrix. Vectors and 0-d tensors are returned as they are.

    Args:
        input: tensor of at most 2 dimensions.

    Returns:
        View of input.

    Raises:
        RuntimeError: input has more than 2 dimensions.

    Example:
        >>> gpunet.t(gpunet.tensor([[1, 2], [3, 4]]))
        tensor([[1, 3],
                [2, 4]])
    """
    if input._array.ndim > 2:
        raise RuntimeError(f"t: expected at most 2 dimensions, got shape {tuple(input.shape)}; use "
                           "transpose(dim0, dim1)")
    return _permute(input, dims=tuple(range(input._array.ndim))[::-1])


def movedim(input: Tensor, source: int | Sequence[int], destination: int | Sequence[int]) -> Tensor:
    """A view with dimensions moved to other places, the rest keeping their order.

    Args:
        input: tensor of any type.
        source: the dimension, or dimensions, to move.
        destination: their places in the result, as many as in source.

    Returns:
        View of input.

    Raises:
        IndexError: a dimension is out of range.
        RuntimeError: source and destination differ in length, or name a dimension twice.

    Example:
        >>> gpunet.movedim(gpunet.zeros(2, 3, 4), 0, -1).shape
        gpunet.Size([3, 4, 2])
    """
    return _moved(input, source, destination, "movedim")


def moveaxis(input: Tensor, source: int | Sequence[int], destination: int | Sequence[int]) -> Tensor:
    """A view with dimensions moved to other places: `movedim` by NumPy's name.

    Args:
        input: tensor of any type.
        source: the dimension, or dimensions, to move.
        destination: their places in the result, as many as in source.

    Returns:
        View of input.

    Raises:
        IndexError: a dimension is out of range.
        RuntimeError: source and destination differ in length, or name a dimension twice.

    Example:
        >>> gpunet.moveaxis(gpunet.zeros(2, 3, 4), (0, 1), (1, 0)).shape
        gpunet.Size([3, 2, 4])
    """
    return _moved(input, source, destination, "moveaxis")


def _moved(input, source, destination, name):
    rank = input._array.ndim
    source, destination = ([check_dim(d, rank, name) for d in ((dims,) if isinstance(dims, INTS) else dims)]
                           for dims in (source, destination))
    if len(source) != len(destination) or len(set(source)) + len(set(destination)) < 2 * len(source):
        raise RuntimeError(f"{name}: source and destination must be as many dimensions, each named once, got {source} "
                           f"and {destination}")
    if rank == 0:
        return _permute(input, dims=())
    moved = dict(zip(destination, source, strict=True))
    rest = iter([d for d in range(rank) if d not in moved.values()])
    return _permute(input, dims=tuple(moved[d] if d in moved else next(rest) for d in range(rank)))
