"""Whole slices of a tensor, along a dimension, stored at or reduced into the places that an index names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpunet.dtypes import Number, bool_
from gpunet.ops.compare import where
from gpunet.ops.gathering import check_index_type
from gpunet.ops.index import put_add, put_op
from gpunet.ops.keys import at, slices
from gpunet.ops.out import deliver
from gpunet.ops.rules import check_dim
from gpunet.ops.scatter import as_value, check_types, reduced
from gpunet.ops.shape import reshape
from gpunet.ops.spellings import takes_axis

if TYPE_CHECKING:
    from gpunet.tensor import Tensor

__all__ = ["index_add", "index_copy", "index_fill", "index_reduce"]
IN_PLACE = __all__


@takes_axis
def index_add(input: Tensor, dim: int, index: Tensor, source: Tensor, *, alpha: Number = 1,
              out: Tensor | None = None) -> Tensor:
    """The input with slices added: for dim 0, y[index[i]] += alpha * source[i].

    Slices that meet are added in a fixed order, so that results are reproducible on every device.

    Args:
        input: tensor of any type.
        dim: dimension that the index points into; it may be given as `axis`.
        index: int64 or int32 vector of numbers from 0 to the dimension's size - 1.
        source: tensor of input's type and shape, but with as many slices along the dimension as the index has elements.
        alpha: number that the source is multiplied with.
        out: tensor of input's type that receives the result; resized if its shape differs.

    Returns:
        Tensor of input's shape and type.

    Raises:
        RuntimeError: the shapes or types do not fit.
        IndexError: the index has several dimensions; or dim, or an element of the index, is out of range.

    Example:
        >>> gpunet.index_add(gpunet.zeros(3, 2), 0, gpunet.tensor([0, 0]), gpunet.ones(2, 2))
        tensor([[2., 2.],
                [0., 0.],
                [0., 0.]])
    """
    x, key, index, source = _operands("index_add", input, dim, index, source)
    source = source if alpha == 1 else source * alpha
    return deliver(reshape(put_add(x, source, index, key=key), input._array.shape), out, "index_add", exact=True)


def _operands(op: str, input, dim: int, index, source):
    """The operands that store slices along a dimension: (x, key, index, source), 0-d tensors as such of one element.
    The source is checked, and expanded where it is a number."""
    rank = input._array.ndim
    dim = check_dim(dim, rank, op)
    if index._array.ndim > 1:
        raise IndexError(f"{op}: the index must have at most one dimension, got shape {tuple(index.shape)}")
    check_index_type(index, op)
    x = input if rank else reshape(input, (1,))
    shape = (*x._array.shape[:dim], index._array.size, *x._array.shape[dim + 1 :])
    if source is not None:
        check_types(op, input, source)
        if source._array.shape != shape and not (source._array.size == 1 and index._array.size == 1 and rank < 2):
            kind = IndexError if op == "index_copy" else RuntimeError
            raise kind(f"{op}: for an input of shape {tuple(input.shape)} and {index._array.size} indices along "
                       f"dim {dim} the source must have shape {shape}, got {tuple(source.shape)}")
        source = reshape(source, shape)
    return x, slices(dim), reshape(index, (-1,)), source


@takes_axis
def index_copy(input: Tensor, dim: int, index: Tensor, source: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The input with slices replaced: for dim 0, y[index[i]] = source[i].

    Of several slices for one place, the last stays, on every device.

    Args:
        input: tensor of any type.
        dim: dimension that the index points into; it may be given as `axis`.
        index: int64 or int32 vector of numbers from 0 to the dimension's size - 1.
        source: tensor of input's type and shape, but with as many slices along the dimension as the index has elements.
        out: tensor of input's type that receives the result; resized if its shape differs.

    Returns:
        Tensor of input's shape and type.

    Raises:
        RuntimeError: the types do not fit.
        IndexError: the shapes do not fit; or dim, or an element of the index, is out of range.

    Example:
        >>> gpunet.index_copy(gpunet.zeros(3, 2), 0, gpunet.tensor([2, 0]), gpunet.tensor([[1.0, 2.0], [3.0, 4.0]]))
        tensor([[3., 4.],
                [0., 0.],
                [1., 2.]])
    """
    x, key, index, source = _operands("index_copy", input, dim, index, source)
    return deliver(reshape(put_op(x, source, index, key=key), input._array.shape), out, "index_copy", exact=True)


@takes_axis
def index_reduce(input: Tensor, dim: int, index: Tensor, source: Tensor, reduce: str, *, include_self: bool = True,
                 out: Tensor | None = None) -> Tensor:
    """The input with the slices that meet at each place of an index reduced to one. Other slices stay as they are.

    Args:
        input: tensor of any type.
        dim: dimension that the index points into; it may be given as `axis`.
        index: int64 or int32 vector of numbers from 0 to the dimension's size - 1.
        source: tensor of input's type and shape, but with as many slices along the dimension as the index has elements.
        reduce: "prod", "mean", "amax" or "amin".
        include_self: whether input's slice is one of those that are reduced.
        out: tensor of input's type that receives the result; resized if its shape differs.

    Returns:
        Tensor of input's shape and type.

    Raises:
        RuntimeError: the shapes or types do not fit, or reduce is unknown.
        IndexError: the index has several dimensions; or dim, or an element of the index, is out of range.

    Example:
        >>> source = gpunet.tensor([5.0, 7.0, 2.0])
        >>> gpunet.index_reduce(gpunet.ones(3), 0, gpunet.tensor([2, 2, 0]), source, "amax")
        tensor([2., 1., 7.])
    """
    x, key, index, source = _operands("index_reduce", input, dim, index, source)
    result = reduced(x, source, (index,), key, reduce, include_self, "index_reduce")
    return deliver(reshape(result, input._array.shape), out, "index_reduce", exact=True)


@takes_axis
def index_fill(input: Tensor, dim: int, index: Tensor, value: Tensor | Number) -> Tensor:
    """The input with one value in the slices that an index names: for dim 0, y[index[i]] = value.

    Args:
        input: tensor of any type.
        dim: dimension that the index points into; it may be given as `axis`.
        index: int64 or int32 vector; negative indices count from the back.
        value: number or 0-d tensor, converted to input's type.

    Returns:
        Tensor of input's shape and type.

    Raises:
        RuntimeError: the index is not of type int64 or int32, or the value has dimensions.
        IndexError: the index has several dimensions; or dim, or an element of the index, is out of range.

    Example:
        >>> gpunet.index_fill(gpunet.zeros(2, 3), 1, gpunet.tensor([0, 2]), 5)
        tensor([[5., 0., 5.],
                [5., 0., 5.]])
    """
    x, key, index, _ = _operands("index_fill", input, dim, index, None)
    value = as_value("index_fill", input, value)
    # By a mask, since the value's gradient counts a place once, however often the index names it.
    size, (dim,) = x._array.shape[key.dims[0]], key.dims
    named = put_op(x.new_zeros((size,), dtype=bool_), x.new_ones((), dtype=bool_), index, key=at(0))
    named = reshape(named, [size if d == dim else 1 for d in range(x._array.ndim)])
    return reshape(where(named, value, x), input._array.shape)
