"""Rows of a table by number: embeddings, and the one-hot vectors that they stand for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpunet.dispatch import host_read, op
from gpunet.dtypes import INT64_NP, public
from gpunet.engine.modes import no_grad
from gpunet.ops.conditions import where_op
from gpunet.ops.index import put_sum, put_sum_onto, take_op
from gpunet.ops.keys import at, check_range, slices
from gpunet.ops.norms import vector_norm

if TYPE_CHECKING:
    from gpunet.tensor import Tensor

_ROWS = slices(0)


@op(lambda weight, index, **_: take_op.op.result((weight, index), {"key": _ROWS}))
def rows_op(xp, out, weight, index, *, padding_idx, by_frequency):
    """weight[index]. Its gradient has none for the row `padding_idx`, and is, by_frequency, divided by how often a row
    was taken."""
    take_op.op.body(xp, out, weight, index, key=_ROWS)


@rows_op.kernel
def _(cuda, out, weight, index, **_):
    take_op.op.launch(cuda, out, weight, index, key=_ROWS)


@rows_op.gradient(joint=True)
def _(g, _y, weight_meta, index, *, padding_idx, by_frequency, joint=None):
    if by_frequency:
        often = put_sum(g.new_ones(index._array.shape), index, key=at(0), shape=weight_meta.shape[:1])
        g = g / take_op(often, index, key=at(0)).unsqueeze(-1)
    if padding_idx is not None:
        g = where_op((index == padding_idx).unsqueeze(-1), 0.0, g)
    if joint is not None and 0 in joint.onto:  # a table that is a weight elsewhere, too
        return put_sum_onto(g, index, joint.onto.pop(0), key=_ROWS), None
    return put_sum(g, index, key=_ROWS, shape=weight_meta.shape), None


def embedding(input: Tensor, weight: Tensor, padding_idx: int | None = None, max_norm: float | None = None,
              norm_type: float = 2.0, scale_grad_by_freq: bool = False, sparse: bool = False) -> Tensor:
    """Rows of a table by their numbers: y = weight[input].

    Args:
        input: tensor of row numbers, of an integer type, any shape.
        weight: tensor of shape (count, features): the table.
        padding_idx: a row that gets no gradient.
        max_norm: rows that are used and have a larger norm are scaled down to it, in the table itself.
        norm_type: order of that norm.
        scale_grad_by_freq: divide gradients by how often the row occurs in the input.
        sparse: must be False: gradients are dense tensors.

    Returns:
        Tensor of input's shape with the features as last dimension.

    Raises:
        RuntimeError: the input is not of an integer type, the weight has another shape, or sparse is True.
        ValueError: padding_idx is no row.
        IndexError: an element of the input is no row; on cuda this is raised at the next synchronisation.

    Example:
        >>> table = gpunet.tensor([[0.0, 0.5], [1.0, 1.5], [2.0, 2.5]])
        >>> gpunet.nn.functional.embedding(gpunet.tensor([2, 0]), table)
        tensor([[2.0000, 2.5000],
                [0.0000, 0.5000]])
    """
    if sparse:
        raise RuntimeError("embedding: gradients are dense tensors here; leave out sparse=True")
    if input._array.dtype.kind not in "iu":
        raise RuntimeError(f"embedding: the numbers of rows must be integers, got {input.dtype}; use .long()")
    if weight._array.ndim != 2:
        raise RuntimeError(f"embedding: the weight must have shape [count, features], got {weight._array.shape}")
    count = weight._array.shape[0]
    if padding_idx is not None:
        if not -count <= padding_idx < count:
            raise ValueError(f"embedding: padding_idx {padding_idx} is no row of a table of {count}")
        padding_idx %= count
    index = input.to(public(INT64_NP))
    if max_norm is not None:
        with no_grad():
            rows = take_op(weight, index.reshape(-1), key=_ROWS)
            norms = vector_norm(rows, norm_type, 1, True)
            weight[index.reshape(-1)] = where_op(norms > max_norm, rows * (max_norm / (norms + 1e-7)), rows)
    if padding_idx is None and not scale_grad_by_freq:
        return take_op(weight, index, key=_ROWS)
    return rows_op(weight, index, padding_idx=padding_idx, by_frequency=scale_grad_by_freq)


def one_hot(input: Tensor, num_classes: int = -1) -> Tensor:
    """Class indices as vectors: 1 in the place of the class, else 0.

    Args:
        input: tensor of class indices, int64, any shape.
        num_classes: number of classes; -1 stands for the largest index plus 1, which reads the tensor on the host.

    Returns:
        int64 tensor of input's shape with the classes as last dimension.

    Raises:
        RuntimeError: the input is not int64, or it has no elements and num_classes is not given.
        IndexError: an index is no class (on cpu).

    Example:
        >>> gpunet.nn.functional.one_hot(gpunet.tensor([1, 0]), 3)
        tensor([[0, 1, 0],
                [1, 0, 0]])
    """
    if input._array.dtype != INT64_NP:
        raise RuntimeError(f"one_hot: class indices must be an int64 tensor, got {input.dtype}; use .long()")
    if num_classes == -1:
        if input._array.size == 0:
            raise RuntimeError("one_hot: give num_classes for a tensor without elements")
        num_classes = int(host_read(input, "one_hot without num_classes").max()) + 1
    if input._device.type == "cpu":
        check_range(input._array, num_classes, negative=False)
    numbers = input.new_tensor(range(num_classes), dtype=public(INT64_NP))
    return (input.unsqueeze(-1) == numbers).to(public(INT64_NP))
