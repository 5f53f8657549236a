"""Elements taken from a tensor: at indices, along a dimension, and under a mask."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from gpunet.dispatch import host_read
from gpunet.dtypes import BOOL_NP, INT64_NP, public
from gpunet.ops.compare import where
from gpunet.ops.index import getitem, take_op
from gpunet.ops.keys import INT32_NP, along, slices
from gpunet.ops.out import deliver
from gpunet.ops.rules import broadcast, by_axis, check_dim
from gpunet.ops.shape import expand, flatten, ravel, reshape
from gpunet.ops.spellings import takes_axis

if TYPE_CHECKING:
    from gpunet.tensor import Tensor

__all__ = ["argwhere", "gather", "index_select", "masked_select", "nonzero", "take", "take_along_dim"]


# ---- along a dimension ---------------------------------------------------------------------------------------------


@takes_axis
def gather(input: Tensor, dim: int, index: Tensor, *, sparse_grad: bool = False, out: Tensor | None = None) -> Tensor:
    """One element for each element of an index: for dim 0, y[i][j] = input[index[i][j]][j], and so on.

    Args:
        input: tensor of any type.
        dim: dimension that the index points into; it may be given as `axis`.
        index: int64 or int32 tensor with as many dimensions as `input`, not larger in the other dimensions; its
            elements are from 0 to the dimension's size - 1.
        sparse_grad: accepted for compatibility; gradients are dense.
        out: tensor of input's type that receives the result; resized if its shape differs.

    Returns:
        Tensor of index's shape and input's type.

    Raises:
        RuntimeError: the shape or type of the index does not fit.
        IndexError: dim, or an element of the index, is out of range.

    Example:
        >>> gpunet.gather(gpunet.tensor([[1, 2], [3, 4]]), 1, gpunet.tensor([[0, 0], [1, 0]]))
        tensor([[1, 1],
                [4, 3]])
    """
    dim = check_along(input, index, dim, "gather")
    if input._array.ndim == 0 or index._array.ndim == 0 or index._array.size == 0:  # 0-d is like one element
        result = take_op(input.reshape(-1), index.reshape(-1).long(), key=along(0)).reshape(index._array.shape)
    else:
        result = take_op(input, index, key=along(dim))
    return deliver(result, out, "gather", exact=True)


def check_along(x, index, dim: int, op: str) -> int:
    """The dimension, for an index with a place for each of its elements: int64 or int32, of x's rank, and not larger
    than x in the other dimensions. An empty index may be anything."""
    if index._array.size == 0:
        return check_dim(dim, x._array.ndim, op)
    check_index_type(index, op)
    have, wanted = x._array.shape, index._array.shape
    dim = check_dim(dim, len(have), op)
    if max(len(have), 1) != max(len(wanted), 1) or any(
        [i > n for d, (i, n) in enumerate(zip(wanted, have, strict=False)) if d != dim]
    ):
        raise RuntimeError(f"{op}: index shape {wanted} does not fit input shape {have} along dim {dim}")
    return dim


def check_index_type(index, op: str) -> None:
    if index._array.dtype != INT64_NP and index._array.dtype != INT32_NP:
        raise RuntimeError(f"{op}: the index must be an int64 or int32 tensor, got {index.dtype}; use .long()")


@takes_axis
def index_select(input: Tensor, dim: int, index: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Slices of a dimension, in the order of an index: for dim 0, y[i] = input[index[i]]. A copy.

    Args:
        input: tensor of any type.
        dim: dimension that the index points into; it may be given as `axis`.
        index: int64 or int32 vector of numbers from 0 to the dimension's size - 1.
        out: tensor of input's type that receives the result; resized if its shape differs.

    Returns:
        Tensor of input's shape, in which the dimension has as many elements as the index.

    Raises:
        RuntimeError: the index is not of type int64 or int32.
        IndexError: the index has several dimensions; or dim, or an element of the index, is out of range.

    Example:
        >>> gpunet.index_select(gpunet.tensor([[1, 2, 3], [4, 5, 6]]), 1, gpunet.tensor([2, 0]))
        tensor([[3, 1],
                [6, 4]])
    """
    rank = input._array.ndim
    dim = check_dim(dim, rank, "index_select")
    if index._array.ndim > 1:
        raise IndexError(f"index_select: the index must have at most one dimension, got shape {tuple(index.shape)}")
    check_index_type(index, "index_select")
    if rank:
        result = take_op(input, index.reshape(-1), key=slices(dim))
    elif index._array.size == 1:
        result = take_op(input.reshape(1), index.reshape(-1), key=slices(0)).reshape(())
    else:
        raise RuntimeError(f"index_select: a 0-d tensor has one element, but {index._array.size} are asked for")
    return deliver(result, out, "index_select", exact=True)


def take_along_dim(input: Tensor, indices: Tensor, dim: int | None = None, *, axis: int | None = None,
                   out: Tensor | None = None) -> Tensor:
    """`gather` with shapes that broadcast, as needed to sort by the result of argsort.

    Args:
        input: tensor of any type.
        indices: int64 tensor that broadcasts with `input` in all dimensions but `dim`; negative indices count from the
            back.
        dim: dimension that the indices point into; None for those of the flattened tensors.
        axis: another name for `dim`, as in NumPy.
        out: tensor of input's type that receives the result; resized if its shape differs.

    Returns:
        Tensor of input's type and the broadcast shape, in which dimension dim has the size of indices'.

    Raises:
        RuntimeError: input and indices differ in their number of dimensions, or do not broadcast.
        IndexError: dim or an index is out of range.

    Example:
        >>> x = gpunet.tensor([[30, 10, 20]])
        >>> gpunet.take_along_dim(x, x.argsort(dim=1), dim=1)
        tensor([[10, 20, 30]])
    """
    if axis is not None:
        dim = by_axis("take_along_dim", dim, axis)
    if dim is None:
        input, indices, dim = ravel(input), ravel(indices), 0
    return deliver(_taken_along(input, indices, dim), out, "take_along_dim", exact=True)


def _taken_along(input, indices, dim):
    rank = input._array.ndim
    if indices._array.ndim != rank:
        raise RuntimeError(f"take_along_dim: input and indices must have as many dimensions, got {rank} and "
                           f"{indices._array.ndim}")
    dim = check_dim(dim, rank, "take_along_dim")
    if rank == 0:
        raise IndexError("take_along_dim: a 0-d tensor has no dimension")
    have, wanted = list(input._array.shape), list(indices._array.shape)
    size, count = have[dim], wanted[dim]
    have[dim] = wanted[dim] = 1
    shape = list(broadcast(tuple(have), tuple(wanted)))
    indices = where(indices < 0, indices + size, indices)
    return gather(expand(input, (*shape[:dim], size, *shape[dim + 1 :])), dim,
                  expand(indices, (*shape[:dim], count, *shape[dim + 1 :])))


def take(input: Tensor, index: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Elements of the flattened tensor: y[i] = input.flatten()[index[i]].

    Args:
        input: tensor of any type.
        index: int64 tensor of any shape; negative indices count from the back.
        out: tensor of input's type that receives the result; resized if its shape differs.

    Returns:
        Tensor of index's shape and input's type.

    Raises:
        IndexError: an index is out of range.

    Example:
        >>> gpunet.take(gpunet.tensor([[1, 2], [3, 4]]), gpunet.tensor([0, 3]))
        tensor([1, 4])
    """
    if index._array.ndim:
        return deliver(getitem(ravel(input), (index,)), out, "take", exact=True)
    return deliver(reshape(getitem(ravel(input), (reshape(index, (1,)),)), ()), out, "take", exact=True)


# ---- by a mask -----------------------------------------------------------------------------------------------------


def masked_select(input: Tensor, mask: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The elements where a mask is True, row by row. Reads the mask on the host, since it decides the shape.

    Args:
        input: tensor of any type.
        mask: bool tensor, broadcastable with `input`.
        out: tensor of input's type that receives the result; resized if its shape differs.

    Returns:
        Vector of input's type.

    Raises:
        RuntimeError: the mask is not of type bool, or the shapes do not broadcast.

    Example:
        >>> x = gpunet.tensor([[1, -2], [-3, 4]])
        >>> gpunet.masked_select(x, x > 0)
        tensor([1, 4])
    """
    if mask._array.dtype != BOOL_NP:
        raise RuntimeError(f"masked_select: the mask must be a bool tensor, got {mask.dtype}")
    shape = broadcast(input._array.shape, mask._array.shape)
    return deliver(flatten(getitem(expand(input, shape), expand(mask, shape))), out, "masked_select", exact=True)


def nonzero(input: Tensor, *, as_tuple: bool = False, out: Tensor | None = None) -> Any:
    """The indices of the elements that are not zero. Reads the tensor on the host, since it decides the shape.

    Args:
        input: tensor of any type.
        as_tuple: whether to return a tuple of vectors, one for each dimension, as x[...] takes them.
        out: int64 tensor that receives the result; resized if its shape differs. Not with as_tuple.

    Returns:
        int64 tensor of shape [count, dimensions], or a tuple of int64 vectors.

    Example:
        >>> gpunet.nonzero(gpunet.tensor([[0, 7], [8, 0]]))
        tensor([[0, 1],
                [1, 0]])
    """
    values = host_read(input, "nonzero")
    if as_tuple:
        if out is not None:
            raise RuntimeError("nonzero: out does not go together with as_tuple; index out's columns instead")
        return tuple([input.new_tensor(i, dtype=public(INT64_NP)) for i in np.atleast_1d(values).nonzero()])
    found = np.stack(values.nonzero(), 1) if values.ndim else np.zeros((int(bool(values)), 0), np.int64)
    return deliver(input.new_tensor(found, dtype=public(INT64_NP)), out, "nonzero", exact=True)


def argwhere(input: Tensor) -> Tensor:
    """The indices of the elements that are not zero: `nonzero` by NumPy's name.

    Args:
        input: tensor of any type.

    Returns:
        int64 tensor of shape [count, dimensions].

    Example:
        >>> gpunet.argwhere(gpunet.tensor([0, 7, 8]))
        tensor([[1],
                [2]])
    """
    return nonzero(input)
