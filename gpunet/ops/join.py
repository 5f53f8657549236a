"""Tensors joined: along a dimension that they have, or along a new one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from gpunet.dispatch import is_tensor, promote
from gpunet.ops.broadcasting import atleast_1d, atleast_2d, atleast_3d
from gpunet.ops.out import deliver
from gpunet.ops.rules import by_axis, check_dim
from gpunet.ops.views import _index, cat_op, counts, reshaped

if TYPE_CHECKING:
    from gpunet.tensor import Tensor

__all__ = ["cat", "column_stack", "concat", "concatenate", "dstack", "hstack", "row_stack", "stack", "vstack"]


def cat(tensors: Sequence[Tensor], dim: int = 0, *, axis: int | None = None, out: Tensor | None = None) -> Tensor:
    """Tensors joined along an existing dimension. `concat` and `concatenate` are other names of it.

    Types are promoted as in PyTorch. Tensors of shape (0,) are left out.

    Args:
        tensors: tensors of one shape, but for dimension dim.
        dim: the dimension along which they are joined.
        axis: another name of dim.
        out: tensor that receives the result; resized if its shape differs.

    Returns:
        Tensor whose size in dimension dim is the sum of theirs.

    Raises:
        IndexError: dim is out of range.
        RuntimeError: the shapes differ in another dimension, or a tensor has no dimension.
        ValueError: there are no tensors.

    Example:
        >>> gpunet.cat([gpunet.tensor([1, 2]), gpunet.tensor([3])])
        tensor([1, 2, 3])
    """
    if axis is not None:
        dim = by_axis("cat", dim, axis, 0)
    tensors = list(tensors)
    if not tensors:
        raise ValueError("cat: expected at least one tensor")
    first = None
    for i, x in enumerate(tensors):
        if not is_tensor(x):
            raise TypeError(f"cat: expected tensors, got {type(x).__name__} for entry {i}")
        if not x._array.ndim:
            raise RuntimeError(f"cat: entry {i} is a 0-d tensor, and these cannot be joined; use stack")
        if first is None and counts(x._array):
            first = x
    rank = (tensors[0] if first is None else first)._array.ndim
    return deliver(cat_op(*promote(tensors), dim=check_dim(dim, rank, "cat")), out, "cat")


concat = concatenate = cat  # NumPy's names


def stack(tensors: Sequence[Tensor], dim: int = 0, *, axis: int | None = None, out: Tensor | None = None) -> Tensor:
    """Tensors of one shape joined along a new dimension.

    Args:
        tensors: tensors of one shape; types are promoted as in PyTorch.
        dim: place of the new dimension in the result.
        axis: another name of dim.
        out: tensor that receives the result; resized if its shape differs.

    Returns:
        Tensor with one dimension more, of as many elements as there are tensors.

    Raises:
        IndexError: dim is out of range.
        RuntimeError: the shapes differ, or there are no tensors.

    Example:
        >>> gpunet.stack([gpunet.tensor([1, 2]), gpunet.tensor([3, 4])])
        tensor([[1, 2],
                [3, 4]])
    """
    if axis is not None:
        dim = by_axis("stack", dim, axis, 0)
    tensors = list(tensors)
    if not tensors:
        raise RuntimeError("stack: expected at least one tensor")
    for i, x in enumerate(tensors):
        if not is_tensor(x):
            raise TypeError(f"stack: expected tensors, got {type(x).__name__} for entry {i}")
        if x._array.shape != tensors[0]._array.shape:
            raise RuntimeError(f"stack: all tensors must have one shape, got {tuple(tensors[0].shape)} for entry 0 and "
                               f"{tuple(x.shape)} for entry {i}")
    dim = check_dim(dim, tensors[0]._array.ndim + 1, "stack")
    key = (slice(None),) * dim + (None,)
    return deliver(cat_op(*promote([_index(x, key=key) for x in tensors]), dim=dim), out, "stack")


def hstack(tensors: Sequence[Tensor], *, out: Tensor | None = None) -> Tensor:
    """Tensors joined side by side: along dimension 1, or along dimension 0 if they are vectors.

    Args:
        tensors: tensors of one shape, but for that dimension; 0-d tensors count as vectors.
        out: tensor that receives the result; resized if its shape differs.

    Returns:
        Tensor of the promoted type.

    Raises:
        RuntimeError: the shapes differ in another dimension, or there are no tensors.

    Example:
        >>> gpunet.hstack([gpunet.tensor([[1], [2]]), gpunet.tensor([[3], [4]])])
        tensor([[1, 3],
                [2, 4]])
    """
    tensors = _each(atleast_1d, tensors, "hstack")
    return deliver(cat(tensors, 0 if tensors[0]._array.ndim == 1 else 1), out, "hstack")


def vstack(tensors: Sequence[Tensor], *, out: Tensor | None = None) -> Tensor:
    """Tensors joined on top of each other, along dimension 0. `row_stack` is another name of it.

    Args:
        tensors: tensors of one shape, but for that dimension; vectors count as rows.
        out: tensor that receives the result; resized if its shape differs.

    Returns:
        Tensor of the promoted type, of at least 2 dimensions.

    Raises:
        RuntimeError: the shapes differ in another dimension, or there are no tensors.

    Example:
        >>> gpunet.vstack([gpunet.tensor([1, 2]), gpunet.tensor([3, 4])])
        tensor([[1, 2],
                [3, 4]])
    """
    return deliver(cat(_each(atleast_2d, tensors, "vstack"), 0), out, "vstack")


row_stack = vstack  # NumPy's other name


def dstack(tensors: Sequence[Tensor], *, out: Tensor | None = None) -> Tensor:
    """Tensors joined along dimension 2.

    Args:
        tensors: tensors of one shape, but for that dimension; those of fewer dimensions grow as in `atleast_3d`.
        out: tensor that receives the result; resized if its shape differs.

    Returns:
        Tensor of the promoted type, of at least 3 dimensions.

    Raises:
        RuntimeError: the shapes differ in another dimension, or there are no tensors.

    Example:
        >>> gpunet.dstack([gpunet.tensor([1, 2]), gpunet.tensor([3, 4])])
        tensor([[[1, 3],
                 [2, 4]]])
    """
    return deliver(cat(_each(atleast_3d, tensors, "dstack"), 2), out, "dstack")


def column_stack(tensors: Sequence[Tensor], *, out: Tensor | None = None) -> Tensor:
    """Tensors joined side by side, along dimension 1; vectors are columns.

    Args:
        tensors: tensors of one shape, but for that dimension.
        out: tensor that receives the result; resized if its shape differs.

    Returns:
        Tensor of the promoted type, of at least 2 dimensions.

    Raises:
        RuntimeError: the shapes differ in another dimension, or there are no tensors.

    Example:
        >>> gpunet.column_stack([gpunet.tensor([1, 2]), gpunet.tensor([3, 4])])
        tensor([[1, 3],
                [2, 4]])
    """
    columns = [x if x._array.ndim > 1 else reshaped(x, (x._array.size, 1))
               for x in _each(atleast_1d, tensors, "column_stack")]
    return deliver(cat(columns, 1), out, "column_stack")


def _each(grow: Callable, tensors: Sequence[Tensor], name: str) -> list[Tensor]:
    tensors = list(tensors)
    if not tensors:
        raise RuntimeError(f"{name}: expected at least one tensor")
    return [grow(x) for x in tensors]
