"""Losses that ask for a margin: between classes, between ranks, between distances."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from gpunet.ops.activation import logsigmoid_op, relu_op
from gpunet.ops.arithmetic import clamp_op, minimum_op
from gpunet.ops.conditions import eq_op, where_op
from gpunet.ops.distance import pairwise_distance
from gpunet.ops.loss import reduced, reduction_of, same_shapes
from gpunet.ops.reduce import mean, sum

if TYPE_CHECKING:
    from gpunet.tensor import Tensor


def _positive(x):
    """max(0, x)."""
    return clamp_op(x, low=0, high=None)


def hinge_embedding_loss(input: Tensor, target: Tensor, margin: float = 1.0, size_average: bool | None = None,
                         reduce: bool | None = None, reduction: str = "mean") -> Tensor:
    """Hinge loss of distances: loss = input for a target of 1 (similar), max(0, margin - input) for -1.

    Args:
        input: tensor of a floating-point type: distances.
        target: tensor that broadcasts with the input: 1 or -1.
        margin: least distance of what is not similar.
        size_average: deprecated, use reduction: False stands for "sum".
        reduce: deprecated, use reduction: False stands for "none".
        reduction: "none" for one loss per element, "mean" or "sum" for one of all.

    Returns:
        Tensor without dimensions; with reduction="none", of the broadcast shape.

    Raises:
        ValueError: reduction is not one of "none", "mean" and "sum".

    Example:
        >>> gpunet.nn.functional.hinge_embedding_loss(gpunet.tensor([0.5, 0.25]), gpunet.tensor([1.0, -1.0]))
        tensor(0.6250)
    """
    reduction = reduction_of("hinge_embedding_loss", reduction, size_average, reduce)
    loss = where_op(eq_op(target, 1), 0, _positive(margin - input)) + where_op(eq_op(target, -1), 0, input)
    return reduced(loss, reduction)


def margin_ranking_loss(input1: Tensor, input2: Tensor, target: Tensor, margin: float = 0,
                        size_average: bool | None = None, reduce: bool | None = None,
                        reduction: str = "mean") -> Tensor:
    """Loss of a wrong order: loss = max(0, margin - target * (input1 - input2)).

    Args:
        input1: tensor of a floating-point type.
        input2: tensor that broadcasts with input1.
        target: tensor that broadcasts with both: 1 where input1 should be larger, -1 where input2 should.
        margin: by how much it should be larger.
        size_average: deprecated, use reduction: False stands for "sum".
        reduce: deprecated, use reduction: False stands for "none".
        reduction: "none" for one loss per element, "mean" or "sum" for one of all.

    Returns:
        Tensor without dimensions; with reduction="none", of the broadcast shape.

    Raises:
        RuntimeError: the numbers of dimensions differ.
        ValueError: reduction is not one of "none", "mean" and "sum".

    Example:
        >>> first, second = gpunet.tensor([1.0, 2.0]), gpunet.tensor([2.0, 1.0])
        >>> gpunet.nn.functional.margin_ranking_loss(first, second, gpunet.tensor([1.0, 1.0]))
        tensor(0.5000)
    """
    reduction = reduction_of("margin_ranking_loss", reduction, size_average, reduce)
    if not input1._array.ndim == input2._array.ndim == target._array.ndim:
        raise RuntimeError("margin_ranking_loss: all tensors must have the same number of dimensions, got shapes "
                           f"{input1._array.shape}, {input2._array.shape}, {target._array.shape}")
    return reduced(_positive(-target * (input1 - input2) + margin), reduction)


def soft_margin_loss(input: Tensor, target: Tensor, size_average: bool | None = None, reduce: bool | None = None,
                     reduction: str = "mean") -> Tensor:
    """Logistic loss: loss = ln(1 + e^(-target * input)).

    Args:
        input: tensor of a floating-point type: scores.
        target: tensor that broadcasts with the input: 1 or -1.
        size_average: deprecated, use reduction: False stands for "sum".
        reduce: deprecated, use reduction: False stands for "none".
        reduction: "none" for one loss per element, "mean" or "sum" for one of all.

    Returns:
        Tensor without dimensions; with reduction="none", of the broadcast shape.

    Raises:
        ValueError: reduction is not one of "none", "mean" and "sum".

    Example:
        >>> gpunet.nn.functional.soft_margin_loss(gpunet.tensor([0.0, 2.0]), gpunet.tensor([1.0, -1.0]))
        tensor(1.4100)
    """
    reduction = reduction_of("soft_margin_loss", reduction, size_average, reduce)
    return reduced(-logsigmoid_op(target * input), reduction)


def multilabel_soft_margin_loss(input: Tensor, target: Tensor, weight: Tensor | None = None,
                                size_average: bool | None = None, reduce: bool | None = None,
                                reduction: str = "mean") -> Tensor:
    """Mean over the classes of `binary_cross_entropy_with_logits`, for rows with several classes.

    Args:
        input: tensor of a floating-point type, shape (..., classes): logits.
        target: tensor of the input's shape: 1 for each class of the row, else 0.
        weight: tensor that broadcasts to the input's shape, such as one factor for each class.
        size_average: deprecated, use reduction: False stands for "sum".
        reduce: deprecated, use reduction: False stands for "none".
        reduction: "none" for one loss per row, "mean" or "sum" for one of all.

    Returns:
        Tensor without dimensions; with reduction="none", of the input's shape without the classes.

    Raises:
        ValueError: reduction is not one of "none", "mean" and "sum".

    Example:
        >>> gpunet.nn.functional.multilabel_soft_margin_loss(gpunet.tensor([[0.0, 2.0]]), gpunet.tensor([[0.0, 1.0]]))
        tensor(0.4100)
    """
    reduction = reduction_of("multilabel_soft_margin_loss", reduction, size_average, reduce)
    loss = -(target * logsigmoid_op(input) + (1 - target) * logsigmoid_op(-input))
    return reduced(mean(loss if weight is None else loss * weight, -1), reduction)


def _rows_of_classes(name, input, target):
    """Input and target as [rows, classes] and [rows, ...], from one row or several."""
    if input._array.ndim > 2 or input._array.ndim and input._array.shape[-1] == 0:
        raise RuntimeError(f"{name}: expected an input of shape (classes,) or (batch, classes), got "
                           f"{input._array.shape}")
    return (input, target) if input._array.ndim == 2 else (input.reshape(1, -1), target.reshape(1, -1))


def multi_margin_loss(input: Tensor, target: Tensor, p: int = 1, margin: float = 1.0, weight: Tensor | None = None,
                      size_average: bool | None = None, reduce: bool | None = None, reduction: str = "mean") -> Tensor:
    """Hinge loss of classes: the mean over the classes of max(0, margin - input[target] + input[i])^p.

    The target's own term is 0.

    Source: Crammer and Singer, "On the Algorithmic Implementation of Multiclass Kernel-based Vector Machines", 2001.

    Args:
        input: tensor of a floating-point type, shape (batch, classes) or (classes,): scores.
        target: tensor of class indices, int64, shape (batch,) or ().
        p: 1 or 2.
        margin: by how much the target's score should be larger than the others.
        weight: tensor of shape (classes,): a factor for each target.
        size_average: deprecated, use reduction: False stands for "sum".
        reduce: deprecated, use reduction: False stands for "none".
        reduction: "none" for one loss per row, "mean" or "sum" for one of all.

    Returns:
        Tensor without dimensions; with reduction="none", of shape (batch,), or without dimensions for one row.

    Raises:
        ValueError: p is neither 1 nor 2, the weights do not fit, or reduction is not one of "none", "mean" and "sum".
        RuntimeError: the input has another number of dimensions.

    Example:
        >>> gpunet.nn.functional.multi_margin_loss(gpunet.tensor([[0.5, 1.0, -1.0]]), gpunet.tensor([1]))
        tensor(0.1667)
    """
    reduction = reduction_of("multi_margin_loss", reduction, size_average, reduce)
    if p not in (1, 2):
        raise ValueError(f"multi_margin_loss: p must be 1 or 2, got {p}")
    rows, classes = _rows_of_classes("multi_margin_loss", input, target)
    if weight is not None and weight._array.shape != rows._array.shape[1:]:
        raise ValueError(f"multi_margin_loss: expected one weight for each of {rows._array.shape[1]} classes, got "
                         f"weights of shape {weight._array.shape}")
    chosen = classes.reshape(-1, 1)
    gap = relu_op(margin - rows.gather(1, chosen) + rows)
    gap = gap if p == 1 else gap * gap
    gap = gap if weight is None else gap * weight[chosen]
    loss = mean(where_op(rows.new_tensor(range(rows._array.shape[1]), dtype=chosen.dtype) == chosen, 0.0, gap), 1)
    return reduced(loss if input._array.ndim == 2 else loss.squeeze(0), reduction)


def multilabel_margin_loss(input: Tensor, target: Tensor, size_average: bool | None = None, reduce: bool | None = None,
                           reduction: str = "mean") -> Tensor:
    """Hinge loss of rows with several classes.

    loss = sum of max(0, 1 - input[y] + input[i]) over the target classes y and the other classes i, divided by the
    number of classes.

    Args:
        input: tensor of a floating-point type, shape (batch, classes) or (classes,): scores.
        target: tensor of class indices, int64, of the input's shape; the first -1 of a row ends them.
        size_average: deprecated, use reduction: False stands for "sum".
        reduce: deprecated, use reduction: False stands for "none".
        reduction: "none" for one loss per row, "mean" or "sum" for one of all.

    Returns:
        Tensor without dimensions; with reduction="none", of shape (batch,), or without dimensions for one row.

    Raises:
        RuntimeError: the shapes differ, or the input has another number of dimensions.
        ValueError: reduction is not one of "none", "mean" and "sum".

    Example:
        >>> gpunet.nn.functional.multilabel_margin_loss(gpunet.tensor([[0.5, 1.0, -1.0]]), gpunet.tensor([[1, -1, -1]]))
        tensor(0.1667)
    """
    reduction = reduction_of("multilabel_margin_loss", reduction, size_average, reduce)
    rows, classes = _rows_of_classes("multilabel_margin_loss", input, target)
    same_shapes("multilabel_margin_loss", rows, classes, RuntimeError)
    wanted = (classes < 0).long().cumsum(1) == 0
    safe = where_op(wanted, classes, 0)
    numbers = rows.new_tensor(range(rows._array.shape[1]), dtype=classes.dtype)
    is_target = ((safe.unsqueeze(2) == numbers) & wanted.unsqueeze(2)).any(1)
    gap = relu_op(1 - rows.gather(1, safe).unsqueeze(2) + rows.unsqueeze(1))  # [rows, targets, classes]
    loss = sum(where_op(wanted.unsqueeze(2) & ~is_target.unsqueeze(1), gap, 0.0), (1, 2)) / rows._array.shape[1]
    return reduced(loss if input._array.ndim == 2 else loss.squeeze(0), reduction)


def cosine_embedding_loss(input1: Tensor, input2: Tensor, target: Tensor, margin: float = 0,
                          size_average: bool | None = None, reduce: bool | None = None,
                          reduction: str = "mean") -> Tensor:
    """Loss of an angle: loss = 1 - cos(input1, input2) for a target of 1 (similar), max(0, cos - margin) for -1.

    Args:
        input1: tensor of a floating-point type, shape (batch, features) or (features,).
        input2: tensor of input1's shape.
        target: tensor of shape (batch,) or (): 1 or -1.
        margin: largest cosine of what is not similar, between -1 and 1.
        size_average: deprecated, use reduction: False stands for "sum".
        reduce: deprecated, use reduction: False stands for "none".
        reduction: "none" for one loss per row, "mean" or "sum" for one of all.

    Returns:
        Tensor without dimensions; with reduction="none", of shape (batch,), or without dimensions for one row.

    Raises:
        RuntimeError: the shapes do not fit each other.
        ValueError: reduction is not one of "none", "mean" and "sum".

    Example:
        >>> first, second = gpunet.tensor([[1.0, 0.0]]), gpunet.tensor([[3.0, 4.0]])
        >>> gpunet.nn.functional.cosine_embedding_loss(first, second, gpunet.tensor([1.0]))
        tensor(0.4000)
    """
    reduction = reduction_of("cosine_embedding_loss", reduction, size_average, reduce)
    if input1._array.ndim != input2._array.ndim or input1._array.ndim != target._array.ndim + 1:
        raise RuntimeError("cosine_embedding_loss: expected inputs [batch, features] with a target [batch], or "
                           f"[features] with a 0-d target, got shapes {input1._array.shape}, {input2._array.shape} and "
                           f"{target._array.shape}")
    tiny = 1e-12
    squares = sum(input1 * input1, -1) + tiny, sum(input2 * input2, -1) + tiny
    cosine = sum(input1 * input2, -1) / (squares[0] * squares[1]).sqrt()
    loss = where_op(eq_op(target, 1), 1 - cosine, 0.0) + where_op(eq_op(target, -1), _positive(cosine - margin), 0.0)
    return reduced(loss, reduction)


def triplet_margin_loss(anchor: Tensor, positive: Tensor, negative: Tensor, margin: float = 1.0, p: float = 2,
                        eps: float = 1e-06, swap: bool = False, size_average: bool | None = None,
                        reduce: bool | None = None, reduction: str = "mean") -> Tensor:
    """Loss of triplets: loss = max(0, d(anchor, positive) - d(anchor, negative) + margin), d being `pairwise_distance`.

    Source: Balntas et al., "Learning Local Feature Descriptors with Triplets and Shallow Convolutional Neural
    Networks", 2016.

    Args:
        anchor: tensor of a floating-point type, shape (..., features).
        positive: tensor that broadcasts with the anchor: what should be near.
        negative: tensor that broadcasts with the anchor: what should be far.
        margin: by how much the negative should be farther; positive.
        p: order of the norm.
        eps: added to the differences.
        swap: take d(positive, negative) where it is less than d(anchor, negative).
        size_average: deprecated, use reduction: False stands for "sum".
        reduce: deprecated, use reduction: False stands for "none".
        reduction: "none" for one loss per row, "mean" or "sum" for one of all.

    Returns:
        Tensor without dimensions; with reduction="none", of the broadcast shape without the features.

    Raises:
        ValueError: margin is not positive, or reduction is not one of "none", "mean" and "sum".
        RuntimeError: the numbers of dimensions differ.

    Example:
        >>> anchor, positive, negative = (gpunet.tensor([[x, 0.0]]) for x in (0.0, 1.0, 1.5))
        >>> gpunet.nn.functional.triplet_margin_loss(anchor, positive, negative)
        tensor(0.5000)
    """
    reduction = reduction_of("triplet_margin_loss", reduction, size_average, reduce)

    def distance(a, b):
        return pairwise_distance(a, b, p, eps)

    return _triplet("triplet_margin_loss", anchor, positive, negative, distance, margin, swap, reduction)


def triplet_margin_with_distance_loss(
    anchor: Tensor, positive: Tensor, negative: Tensor, *,
    distance_function: Callable[[Tensor, Tensor], Tensor] | None = None, margin: float = 1.0, swap: bool = False,
    reduction: str = "mean",
) -> Tensor:
    """`triplet_margin_loss` with any distance d: loss = max(0, d(anchor, positive) - d(anchor, negative) + margin).

    Args:
        anchor: tensor of a floating-point type, shape (..., features).
        positive: tensor that broadcasts with the anchor: what should be near.
        negative: tensor that broadcasts with the anchor: what should be far.
        distance_function: d, of two tensors; `pairwise_distance` if None.
        margin: by how much the negative should be farther; positive.
        swap: take d(positive, negative) where it is less than d(anchor, negative).
        reduction: "none" for one loss per row, "mean" or "sum" for one of all.

    Returns:
        Tensor without dimensions; with reduction="none", of the distances' shape.

    Raises:
        ValueError: margin is not positive, or reduction is not one of "none", "mean" and "sum".
        RuntimeError: the numbers of dimensions differ.

    Example:
        >>> anchor, positive, negative = (gpunet.tensor([[x, 0.0]]) for x in (0.0, 1.0, 1.5))
        >>> gpunet.nn.functional.triplet_margin_with_distance_loss(anchor, positive, negative)
        tensor(0.5000)
    """
    reduction = reduction_of("triplet_margin_with_distance_loss", reduction)
    return _triplet("triplet_margin_with_distance_loss", anchor, positive, negative,
                    distance_function or pairwise_distance, margin, swap, reduction)


def _triplet(name, anchor, positive, negative, distance, margin, swap, reduction):
    if margin <= 0:
        raise ValueError(f"{name}: the margin must be positive, got {margin}")
    if not anchor._array.ndim == positive._array.ndim == negative._array.ndim:
        raise RuntimeError(f"{name}: anchor, positive and negative must have the same number of dimensions, got shapes "
                           f"{anchor._array.shape}, {positive._array.shape}, {negative._array.shape}")
    near, far = distance(anchor, positive), distance(anchor, negative)
    if swap:
        far = minimum_op(far, distance(positive, negative))
    return reduced(_positive(margin + near - far), reduction)
