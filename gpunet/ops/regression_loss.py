"""Losses of regression: functions of the difference of input and target. What all losses share is in loss.py."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpunet._warn import warn
from gpunet.dispatch import is_tensor, op
from gpunet.ops.arithmetic import abs_op, clamp_op
from gpunet.ops.loss import reduced, reduction_of
from gpunet.ops.reduce import sum
from gpunet.ops.rules import accumulator, same

if TYPE_CHECKING:
    from gpunet.tensor import Tensor


def _differences(name, input, target, weight):
    """input - target, after the checks that these losses share."""
    if is_tensor(target) and is_tensor(input) and target._array.shape != input._array.shape:
        warn(f"{name}: the input has shape {input._array.shape}, the target {target._array.shape}: they "
             "will be broadcast, which is seldom meant; give both the same shape")
    if weight is not None and weight._array.shape != input._array.shape:
        raise ValueError(f"{name}: the weight has shape {weight._array.shape}, the input {input._array.shape}; give "
                         "one weight for each element")
    return input - target


def _weighted(loss, weight, reduction):
    """The reduced loss; with weights, their mean is over the weights."""
    if weight is None:
        return reduced(loss, reduction)
    return sum(loss * weight) / sum(weight) if reduction == "mean" else reduced(loss * weight, reduction)


def mse_loss(input: Tensor, target: Tensor, size_average: bool | None = None, reduce: bool | None = None,
             reduction: str = "mean", weight: Tensor | None = None) -> Tensor:
    """Squared error: loss = (input - target)^2.

    Args:
        input: tensor of a floating-point type: predictions.
        target: tensor of the input's shape: the values to predict. Another shape is broadcast, with a warning.
        size_average: deprecated, use reduction: False stands for "sum".
        reduce: deprecated, use reduction: False stands for "none".
        reduction: "none" for one loss per element, "mean" or "sum" for one of all.
        weight: tensor of the input's shape: a factor for each element. The mean is then over the weights.

    Returns:
        Tensor without dimensions; with reduction="none", of the broadcast shape.

    Raises:
        ValueError: the weight's shape is not the input's, or reduction is not one of "none", "mean" and "sum".

    Example:
        >>> gpunet.nn.functional.mse_loss(gpunet.tensor([1.0, 2.0]), gpunet.tensor([1.0, 4.0]))
        tensor(2.)
    """
    reduction = reduction_of("mse_loss", reduction, size_average, reduce)
    difference = _differences("mse_loss", input, target, weight)
    return _weighted(difference * difference, weight, reduction)


def l1_loss(input: Tensor, target: Tensor, size_average: bool | None = None, reduce: bool | None = None,
            reduction: str = "mean", weight: Tensor | None = None) -> Tensor:
    """Absolute error: loss = |input - target|.

    Args:
        input: tensor of a floating-point type: predictions.
        target: tensor of the input's shape: the values to predict. Another shape is broadcast, with a warning.
        size_average: deprecated, use reduction: False stands for "sum".
        reduce: deprecated, use reduction: False stands for "none".
        reduction: "none" for one loss per element, "mean" or "sum" for one of all.
        weight: tensor of the input's shape: a factor for each element. The mean is then over the weights.

    Returns:
        Tensor without dimensions; with reduction="none", of the broadcast shape.

    Raises:
        ValueError: the weight's shape is not the input's, or reduction is not one of "none", "mean" and "sum".

    Example:
        >>> gpunet.nn.functional.l1_loss(gpunet.tensor([1.0, 2.0]), gpunet.tensor([1.0, 4.0]))
        tensor(1.)
    """
    reduction = reduction_of("l1_loss", reduction, size_average, reduce)
    return _weighted(abs_op(_differences("l1_loss", input, target, weight)), weight, reduction)


@op(same, by_element=True)
def bent_square_op(xp, out, d, *, at, scale):
    """d^2 / (2 at) where |d| < at, else |d| - at / 2; times scale."""
    size = xp.absolute(d.astype(accumulator(d.dtype), copy=False))
    factor = 0.5 * (1.0 if at == scale else scale / at)  # at infinity too
    value = xp.where(size < at, size * size * factor, (size - 0.5 * at) * scale)
    xp.copyto(out, value, casting="unsafe")


@bent_square_op.gradient
def _(g, _, d, *, at, scale):
    return (g * clamp_op(d if at == scale else d * (scale / at), low=-scale, high=scale),)  # the scale at infinity too


def huber_loss(input: Tensor, target: Tensor, reduction: str = "mean", delta: float = 1.0,
               weight: Tensor | None = None) -> Tensor:
    """Huber's loss of the difference d: loss = d^2 / 2 for |d| < delta, else delta * (|d| - delta / 2).

    Source: Huber, "Robust Estimation of a Location Parameter", 1964.

    Args:
        input: tensor of a floating-point type: predictions.
        target: tensor of the input's shape: the values to predict. Another shape is broadcast, with a warning.
        reduction: "none" for one loss per element, "mean" or "sum" for one of all.
        delta: where the loss becomes linear; positive.
        weight: tensor of the input's shape: a factor for each element.

    Returns:
        Tensor without dimensions; with reduction="none", of the broadcast shape.

    Raises:
        RuntimeError: delta is not positive.
        ValueError: the weight's shape is not the input's, or reduction is not one of "none", "mean" and "sum".

    Example:
        >>> gpunet.nn.functional.huber_loss(gpunet.tensor([1.0, 2.0]), gpunet.tensor([1.0, 4.0]))
        tensor(0.7500)
    """
    reduction = reduction_of("huber_loss", reduction)
    if delta <= 0:
        raise RuntimeError(f"huber_loss: delta must be positive, got {delta}")
    loss = bent_square_op(_differences("huber_loss", input, target, weight), at=delta, scale=delta)
    return reduced(loss if weight is None else loss * weight, reduction)


def smooth_l1_loss(input: Tensor, target: Tensor, size_average: bool | None = None, reduce: bool | None = None,
                   reduction: str = "mean", beta: float = 1.0) -> Tensor:
    """Absolute error, smooth at 0, of the difference d: loss = d^2 / (2 * beta) for |d| < beta, else |d| - beta / 2.

    Source: Girshick, "Fast R-CNN", 2015.

    Args:
        input: tensor of a floating-point type: predictions.
        target: tensor of the input's shape: the values to predict. Another shape is broadcast, with a warning.
        size_average: deprecated, use reduction: False stands for "sum".
        reduce: deprecated, use reduction: False stands for "none".
        reduction: "none" for one loss per element, "mean" or "sum" for one of all.
        beta: where the loss becomes linear; with 0 it is the absolute error.

    Returns:
        Tensor without dimensions; with reduction="none", of the broadcast shape.

    Raises:
        RuntimeError: beta is negative.
        ValueError: reduction is not one of "none", "mean" and "sum".

    Example:
        >>> gpunet.nn.functional.smooth_l1_loss(gpunet.tensor([1.0, 2.0]), gpunet.tensor([1.0, 4.0]))
        tensor(0.7500)
    """
    reduction = reduction_of("smooth_l1_loss", reduction, size_average, reduce)
    if beta < 0:
        raise RuntimeError(f"smooth_l1_loss: beta must not be negative, got {beta}")
    difference = _differences("smooth_l1_loss", input, target, None)
    return reduced(abs_op(difference) if beta == 0 else bent_square_op(difference, at=beta, scale=1.0), reduction)
