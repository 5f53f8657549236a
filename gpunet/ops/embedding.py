"""Rows of a table by number: embeddings, and the one-hot vectors that they stand for."""

from __future__ import annotations

from gpunet.dispatch import host_read, op
from gpunet.dtypes import INT64_NP, public
from gpunet.engine.modes import no_grad
from gpunet.ops.compare import where
from gpunet.ops.index import ALL, FRONT_HOLE, HOLE, check_range, put_sum, take_op
from gpunet.ops.norms import vector_norm

_ROWS = (FRONT_HOLE, ALL)


@op(lambda weight, index, **_: take_op.op.rule(weight, index, key=_ROWS))
def rows_op(xp, out, weight, index, *, padding_idx, by_frequency):
    """weight[index]. Its gradient has none for the row `padding_idx`, and is, by_frequency, divided by how often a row
    was taken."""
    take_op.op.body(xp, out, weight, index, key=_ROWS)


@rows_op.kernel
def _(cuda, out, weight, index, **_):
    take_op.op.launch(cuda, out, weight, index, key=_ROWS)


@rows_op.gradient
def _(g, _y, weight_meta, index, *, padding_idx, by_frequency):
    if by_frequency:
        often = put_sum(g.new_ones(index._array.shape), index, key=(HOLE,), shape=weight_meta.shape[:1])
        g = g / take_op(often, index, key=(HOLE,)).unsqueeze(-1)
    if padding_idx is not None:
        g = where((index == padding_idx).unsqueeze(-1), 0.0, g)
    return put_sum(g, index, key=_ROWS, shape=weight_meta.shape), None


def embedding(input, weight, padding_idx: int | None = None, max_norm: float | None = None, norm_type: float = 2.0,
              scale_grad_by_freq: bool = False, sparse: bool = False):
    """weight[input]: the rows of a table [count, features] for numbers of any shape: [..., features].

    padding_idx: a row that gets no gradient. max_norm: rows that are used and whose `norm_type`-norm is larger are
    scaled down to it, in place. scale_grad_by_freq: gradients are divided by how often the row occurs in `input`.
    Gradients are dense: `sparse` must be False.
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
            weight[index.reshape(-1)] = where(norms > max_norm, rows * (max_norm / (norms + 1e-7)), rows)
    if padding_idx is None and not scale_grad_by_freq:
        return take_op(weight, index, key=_ROWS)
    return rows_op(weight, index, padding_idx=padding_idx, by_frequency=scale_grad_by_freq)


def one_hot(tensor, num_classes: int = -1):
    """int64 [..., num_classes]: 1 at the place that each class index of `tensor` names, else 0. num_classes -1 stands
    for the largest index plus 1, which reads the tensor on the host."""
    if tensor._array.dtype != INT64_NP:
        raise RuntimeError(f"one_hot: class indices must be an int64 tensor, got {tensor.dtype}; use .long()")
    if num_classes == -1:
        if tensor._array.size == 0:
            raise RuntimeError("one_hot: give num_classes for a tensor without elements")
        num_classes = int(host_read(tensor, "one_hot without num_classes").max()) + 1
    if tensor._device.type == "cpu":
        check_range(tensor._array, num_classes, negative=False)
    numbers = tensor.new_tensor(range(num_classes), dtype=public(INT64_NP))
    return (tensor.unsqueeze(-1) == numbers).to(public(INT64_NP))
