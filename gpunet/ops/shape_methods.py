"""Methods of Tensor about shapes that differ from the functions: those that take sizes one by one, as in
`x.reshape(2, 3)`, and forms that change the tensor's own shape."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import TYPE_CHECKING, Any

from gpunet._layouts import contiguous_format, in_channels_last, preserve_format
from gpunet.dtypes import INTS, as_numpy, dtype
from gpunet.engine.modes import mode
from gpunet.ops import pieces, reorder, shape
from gpunet.ops.rules import check_dim
from gpunet.ops.views import _bits, _reshape, _windows, can_view, contiguous_op, copied, resolve_shape

if TYPE_CHECKING:
    from gpunet._layouts import memory_format as MemoryFormat
    from gpunet.tensor import Tensor

    Sizes = int | Sequence[int]


def _one(sizes: Any, keyword: Any, name: str, parameter: str) -> tuple[int, ...]:
    """Sizes that were given one by one, as one sequence, or by name."""
    if keyword is not None:
        if sizes:
            raise TypeError(f"{name}() got sizes by place and as '{parameter}'; give them once")
        return (keyword,) if isinstance(keyword, INTS) else tuple(keyword)
    if len(sizes) == 1 and not isinstance(sizes[0], INTS) and hasattr(sizes[0], "__iter__"):
        return tuple(sizes[0])
    return sizes


# ---- sizes one by one ----------------------------------------------------------------------------------------------


def reshape(self: Tensor, *sizes: Sizes, shape: Sequence[int] | None = None) -> Tensor:
    """The same elements in another shape: `gpunet.reshape`, whose sizes may be given one by one.

    Args:
        sizes: the new sizes, one by one or as one sequence; one of them may be -1.
        shape: the sizes by name.

    Returns:
        Tensor of the given shape: a view where that is possible, else a copy.

    Raises:
        RuntimeError: the shape does not have as many elements as the tensor.

    Example:
        >>> gpunet.arange(6).reshape(2, 3)
        tensor([[0, 1, 2],
                [3, 4, 5]])
    """
    wanted: Any = sizes
    if shape is not None:
        wanted = _one(sizes, shape, "reshape", "shape")
    elif len(wanted) == 1 and wanted[0].__class__ is not int and hasattr(wanted[0], "__iter__"):
        wanted = tuple(wanted[0])
    array = self._array
    if array.flags.c_contiguous and prod(wanted) == array.size and min(wanted, default=0) >= 0:
        return _reshape(self, shape=wanted)
    wanted = resolve_shape(wanted, array.size, "reshape")
    return _reshape(self if can_view(array, wanted) else contiguous_op(self), shape=wanted)


def view(self: Tensor, *sizes: Sizes | dtype | type, size: Sequence[int] | None = None,
         dtype: dtype | None = None) -> Tensor:
    """The same memory in another shape, or its bits as another type.

    Args:
        sizes: the new sizes, one by one or as one sequence, of which one may be -1; or a type, as which the bits are
            read, without gradients.
        size: the sizes by name.
        dtype: the type by name.

    Returns:
        View of the tensor.

    Raises:
        RuntimeError: the shape would need a copy, or does not have as many elements; the type does not fit.

    Example:
        >>> gpunet.arange(6).view(2, -1)
        tensor([[0, 1, 2],
                [3, 4, 5]])
        >>> gpunet.tensor([1.0]).view(gpunet.int32)
        tensor([1065353216], dtype=gpunet.int32)
    """
    if dtype is not None or len(sizes) == 1 and sizes[0].__class__ in _TYPES:
        return _bits(self.detach(), dtype=as_numpy(sizes[0] if dtype is None else dtype))
    wanted = resolve_shape(_one(sizes, size, "view", "size"), self._array.size, "view")
    if not can_view(self._array, wanted):
        raise RuntimeError(f"view: shape {wanted} is not compatible with the strides of this tensor of shape "
                           f"{tuple(self.shape)}; use reshape(), which copies where it must")
    return _reshape(self, shape=wanted)


_TYPES = (dtype, type)


def permute(self: Tensor, *order: Sizes, dims: Sequence[int] | None = None) -> Tensor:
    """A view with the dimensions in another order: `gpunet.permute`, whose dimensions may be given one by one.

    Args:
        order: the dimensions in their new order, one by one or as one sequence.
        dims: the dimensions by name.

    Returns:
        View of the tensor.

    Raises:
        IndexError: a dimension is out of range.
        RuntimeError: not every dimension is named once.

    Example:
        >>> gpunet.zeros(2, 3, 4).permute(2, 0, 1).shape
        gpunet.Size([4, 2, 3])
    """
    return shape.permute(self, _one(order, dims, "permute", "dims"))


def expand(self: Tensor, *sizes: Sizes, size: Sequence[int] | None = None) -> Tensor:
    """A view with dimensions of size 1 repeated: `gpunet.broadcast_to`, whose sizes may be given one by one.

    Args:
        sizes: the new sizes, one by one or as one sequence; -1 keeps a size. New dimensions may be added in front.
        size: the sizes by name.

    Returns:
        View of the tensor; several of its elements are one place in memory, so clone it before changing it in place.

    Raises:
        RuntimeError: a size other than 1 would change.

    Example:
        >>> gpunet.tensor([[1], [2]]).expand(-1, 3)
        tensor([[1, 1, 1],
                [2, 2, 2]])
    """
    return shape.expand(self, _one(sizes, size, "expand", "size"))


def repeat(self: Tensor, *times: Sizes, repeats: Sequence[int] | None = None) -> Tensor:
    """The tensor laid side by side, as often as given along each dimension: a copy.

    Args:
        times: a number for each dimension, one by one or as one sequence; further dimensions may be added in front.
        repeats: the numbers by name.

    Returns:
        Tensor whose sizes are multiplied with the numbers.

    Raises:
        RuntimeError: there are fewer numbers than dimensions, or a negative one.

    Example:
        >>> gpunet.tensor([1, 2]).repeat(2, 2)
        tensor([[1, 2, 1, 2],
                [1, 2, 1, 2]])
    """
    return reorder.repeated(self, _one(times, repeats, "repeat", "repeats"))


def tile(self: Tensor, *times: Sizes, dims: Sequence[int] | None = None) -> Tensor:
    """The tensor laid side by side: `gpunet.tile`, whose numbers may be given one by one.

    Args:
        times: how often, along each of the last dimensions.
        dims: the numbers by name.

    Returns:
        Tensor whose sizes are multiplied with the numbers.

    Raises:
        RuntimeError: a number is negative.

    Example:
        >>> gpunet.tensor([1, 2]).tile(2)
        tensor([1, 2, 1, 2])
    """
    return reorder.tile(self, _one(times, dims, "tile", "dims"))


def flip(self: Tensor, *axes: Sizes, dims: Sizes | None = None) -> Tensor:
    """The order of the elements reversed: `gpunet.flip`, whose dimensions may be given one by one.

    Args:
        axes: the dimensions, one by one or as one sequence.
        dims: the dimensions by name.

    Returns:
        Tensor of the same shape and type: a copy.

    Raises:
        IndexError: a dimension is out of range.

    Example:
        >>> gpunet.tensor([1, 2, 3]).flip(0)
        tensor([3, 2, 1])
    """
    return reorder.flip(self, _one(axes, dims, "flip", "dims"))


# ---- methods only --------------------------------------------------------------------------------------------------


def contiguous(self: Tensor, *, memory_format: MemoryFormat = contiguous_format) -> Tensor:
    """The tensor itself if its elements lie in memory in row-major order, or in another format, else a copy that does.

    Args:
        memory_format: `gpunet.contiguous_format`, `gpunet.channels_last` or `gpunet.channels_last_3d`.

    Returns:
        Tensor of the same shape and type.

    Raises:
        RuntimeError: the format is one of tensors with another number of dimensions, or `gpunet.preserve_format` and
            the tensor is not in row-major order.

    Example:
        >>> gpunet.zeros(2, 3).t().contiguous().is_contiguous()
        True
    """
    if memory_format is contiguous_format:
        return self if self._array.flags.c_contiguous else contiguous_op(self)
    if memory_format is preserve_format:
        if self._array.flags.c_contiguous:
            return self
        raise RuntimeError("contiguous: preserve memory format is unsupported; give the format that the result is to "
                           "have, or clone() the tensor")
    in_channels_last("contiguous", memory_format, self._array.ndim, False)
    return self if self.is_contiguous(memory_format=memory_format) else copied(self, True)


def split(self: Tensor, split_size: Sizes, dim: int = 0) -> tuple[Tensor, ...]:
    """Pieces along a dimension: `gpunet.split`.

    Args:
        split_size: the size of a piece (the last one may be smaller), or the sizes of all.
        dim: the dimension to split.

    Returns:
        Tuple of views.

    Raises:
        IndexError: dim is out of range.
        RuntimeError: the sizes do not add up to that of the dimension, or are not positive.

    Example:
        >>> gpunet.arange(3).split(2)
        (tensor([0, 1]), tensor([2]))
    """
    return pieces.split(self, split_size, dim)


def unfold(self: Tensor, dimension: int, size: int, step: int) -> Tensor:
    """A view of all windows along a dimension; their elements become the last dimension.

    Args:
        dimension: the dimension along which the windows lie.
        size: the elements of a window.
        step: the distance from one window to the next.

    Returns:
        View of shape (..., (n - size) // step + 1, ..., size), for a dimension of size n.

    Raises:
        IndexError: the dimension is out of range.
        RuntimeError: a window is larger than the dimension, or the step is not positive.

    Example:
        >>> gpunet.arange(5).unfold(0, 3, 2)
        tensor([[0, 1, 2],
                [2, 3, 4]])
    """
    if self._array.ndim == 0:
        flat = _reshape(self, shape=(1,))
        return unfold(flat, dimension, size, step)[0] if size else flat[:0]
    dim = check_dim(dimension, self._array.ndim, "unfold")
    if not 0 <= size <= self._array.shape[dim]:
        raise RuntimeError(f"unfold: windows of {size} do not fit in dimension {dim} of size {self._array.shape[dim]}")
    if step <= 0:
        raise RuntimeError(f"unfold: the step must be positive, got {step}")
    return _windows(self, dim=dim, size=size, step=step)


# ---- the tensor's own shape ----------------------------------------------------------------------------------------


def _turned(target, turn, name):
    """The tensor itself, given the shape of a view of it."""
    if target._requires_grad and target._node is None and mode.grad:
        raise RuntimeError(f"{name}: a leaf tensor that requires gradients cannot be changed in place while operations "
                           "are recorded")
    turned = turn(target)
    target._array, target._node = turned._array, turned._node
    target._view = target._view and turned._view
    return target


def squeeze_(self: Tensor, dim: int | Sequence[int] | None = None, *, axis: int | None = None) -> Tensor:
    """`squeeze` of the tensor itself, which is returned.

    Args:
        dim: the dimension or dimensions of size 1 that go; all by default. It may be given as `axis`.
    """
    return _turned(self, lambda x: shape.squeeze(x, dim, axis=axis), "squeeze_")


def unsqueeze_(self: Tensor, dim: int | None = None, *, axis: int | None = None) -> Tensor:
    """`unsqueeze` of the tensor itself, which is returned.

    Args:
        dim: place of the new dimension of size 1; it may be given as `axis`.
    """
    return _turned(self, lambda x: shape.unsqueeze(x, dim, axis=axis), "unsqueeze_")


def t_(self: Tensor) -> Tensor:
    """`t` of the tensor itself, which is returned."""
    return _turned(self, shape.t, "t_")


def transpose_(self: Tensor, dim0: int, dim1: int) -> Tensor:
    """`transpose` of the tensor itself, which is returned.

    Args:
        dim0, dim1: the dimensions that change places.
    """
    return _turned(self, lambda x: shape.transpose(x, dim0, dim1), "transpose_")


def swapdims_(self: Tensor, dim0: int, dim1: int) -> Tensor:
    """`swapdims` of the tensor itself, which is returned.

    Args:
        dim0, dim1: the dimensions that change places.
    """
    return _turned(self, lambda x: shape.swapdims(x, dim0, dim1), "swapdims_")


def swapaxes_(self: Tensor, axis0: int, axis1: int) -> Tensor:
    """`swapaxes` of the tensor itself, which is returned.

    Args:
        axis0, axis1: the dimensions that change places.
    """
    return _turned(self, lambda x: shape.swapaxes(x, axis0, axis1), "swapaxes_")


METHODS = {f.__name__: f for f in (reshape, view, permute, expand, repeat, tile, flip, contiguous, split, unfold,
                                   squeeze_, unsqueeze_, t_, transpose_, swapdims_, swapaxes_)}
