"""Losses that are negative log-likelihoods or divergences of distributions. For classes see cross_entropy.py."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from gpunet.dispatch import is_tensor, op
from gpunet.engine.modes import no_grad
from gpunet.ops import formulas
from gpunet.ops.activation import logsigmoid_op
from gpunet.ops.arithmetic import clamp_op
from gpunet.ops.conditions import where_op
from gpunet.ops.elementary import exp_op, log1p_op, log_op
from gpunet.ops.half import rounded_once
from gpunet.ops.loss import REDUCTIONS, reduced, reduction_of, same_shapes
from gpunet.ops.reduce import sum
from gpunet.ops.rules import accumulator, require_float, same
from gpunet.ops.special import xlogy

if TYPE_CHECKING:
    from gpunet.tensor import Tensor


def _probability(x, target):
    require_float(x, "binary_cross_entropy")
    return same(x)


@op(_probability)
def bce_op(xp, out, x, target):
    """-target log x - (1 - target) log(1 - x), the logarithms not below -100."""
    if xp is np and not bool(((x >= 0) & (x <= 1)).all()):
        raise RuntimeError("binary_cross_entropy: the input must lie between 0 and 1; put a sigmoid before, or use "
                           "binary_cross_entropy_with_logits")
    x, target = (each.astype(accumulator(each.dtype), copy=False) for each in (x, target))
    loss = (target - 1) * xp.maximum(xp.log1p(-x), -100) - target * xp.maximum(xp.log(x), -100)
    xp.copyto(out, loss, casting="unsafe")


_LEAST = float(np.float32(1e-12))  # PyTorch's bound, in the type that it is written in there


@op(lambda g, x, target: (x.shape, x.dtype), differentiable=False)
def bce_grad_op(xp, out, g, x, target):
    """The gradient by the probabilities."""
    g, x, target = (each.astype(accumulator(each.dtype), copy=False) for each in (g, x, target))
    xp.copyto(out, g * (x - target) / xp.maximum((1 - x) * x, _LEAST), casting="unsafe")


formulas.declare(bce_op)
formulas.declare(bce_grad_op)


@bce_op.gradient(needs=("x target", "x"), joint=True)
def _(g, _, x, target, *, joint=None):
    by_x, by_target = _bce_gradients(g, x, target)
    if joint is not None and g._array.dtype == x._array.dtype == target._array.dtype:
        return lambda: bce_grad_op(g, x, target), by_target
    return by_x, by_target


@rounded_once
def _bce_gradients(g, x, target):
    return (lambda: g * (x - target) / clamp_op((1 - x) * x, low=_LEAST, high=None),
            lambda: g * (clamp_op(log1p_op(-x), low=-100, high=None) - clamp_op(log_op(x), low=-100, high=None)))


def binary_cross_entropy(input: Tensor, target: Tensor, weight: Tensor | None = None, size_average: bool | None = None,
                         reduce: bool | None = None, reduction: str = "mean") -> Tensor:
    """Cross-entropy of probabilities: loss = -(target * ln(input) + (1 - target) * ln(1 - input)).

    The logarithms are at least -100, so that the loss is finite.

    Args:
        input: tensor of a floating-point type: probabilities, between 0 and 1.
        target: tensor of the input's shape: probabilities, often 0 or 1.
        weight: tensor that broadcasts to the input's shape: a factor for each element.
        size_average: deprecated, use reduction: False stands for "sum".
        reduce: deprecated, use reduction: False stands for "none".
        reduction: "none" for one loss per element, "mean" or "sum" for one of all.

    Returns:
        Tensor without dimensions; with reduction="none", of the input's shape.

    Raises:
        ValueError: the shapes differ, or reduction is not one of "none", "mean" and "sum".
        RuntimeError: an element of the input is not between 0 and 1 (on cpu).

    Example:
        >>> gpunet.nn.functional.binary_cross_entropy(gpunet.tensor([0.5, 0.8]), gpunet.tensor([0.0, 1.0]))
        tensor(0.4581)
    """
    reduction = reduction_of("binary_cross_entropy", reduction, size_average, reduce)
    same_shapes("binary_cross_entropy", input, target)
    loss = bce_op(input, target)
    return reduced(loss if weight is None else loss * weight, reduction)


def binary_cross_entropy_with_logits(input: Tensor, target: Tensor, weight: Tensor | None = None,
                                     size_average: bool | None = None, reduce: bool | None = None,
                                     reduction: str = "mean", pos_weight: Tensor | None = None) -> Tensor:
    """`binary_cross_entropy` of sigmoid(input), exact for large inputs.

    Args:
        input: tensor of a floating-point type: logits.
        target: tensor of the input's shape: probabilities, often 0 or 1.
        weight: tensor that broadcasts to the input's shape: a factor for each element.
        size_average: deprecated, use reduction: False stands for "sum".
        reduce: deprecated, use reduction: False stands for "none".
        reduction: "none" for one loss per element, "mean" or "sum" for one of all.
        pos_weight: tensor that broadcasts to the input's shape: a factor for the terms of target.

    Returns:
        Tensor without dimensions; with reduction="none", of the input's shape.

    Raises:
        ValueError: the shapes differ, or reduction is not one of "none", "mean" and "sum".

    Example:
        >>> gpunet.nn.functional.binary_cross_entropy_with_logits(gpunet.tensor([0.0, 2.0]), gpunet.tensor([0.0, 1.0]))
        tensor(0.4100)
    """
    reduction = reduction_of("binary_cross_entropy_with_logits", reduction, size_average, reduce)
    same_shapes("binary_cross_entropy_with_logits", input, target)
    positive = 1 if pos_weight is None else 1 + (pos_weight - 1) * target
    loss = (1 - target) * input - positive * logsigmoid_op(input)
    return reduced(loss if weight is None else loss * weight, reduction)


def kl_div(input: Tensor, target: Tensor, size_average: bool | None = None, reduce: bool | None = None,
           reduction: str = "mean", log_target: bool = False) -> Tensor:
    """Kullback-Leibler divergence from log-probabilities: loss = target * (ln(target) - input).

    Args:
        input: tensor of a floating-point type: log-probabilities.
        target: tensor that broadcasts with the input: probabilities, or their logarithms with log_target.
        size_average: deprecated, use reduction: False stands for "sum".
        reduce: deprecated, use reduction: False stands for "none".
        reduction: "none", "mean", "sum", or "batchmean": the sum divided by the first size, which is the divergence by
            its definition.
        log_target: whether target holds logarithms.

    Returns:
        Tensor without dimensions; with reduction="none", of the broadcast shape.

    Raises:
        ValueError: reduction is none of these.

    Example:
        >>> input, target = gpunet.tensor([0.5, 0.5]).log(), gpunet.tensor([0.25, 0.75])
        >>> gpunet.nn.functional.kl_div(input, target, reduction="sum")
        tensor(0.1308)
    """
    reduction = reduction_of("kl_div", reduction, size_average, reduce, (*REDUCTIONS, "batchmean"))
    loss = exp_op(target) * (target - input) if log_target else xlogy(target, target) - target * input
    if reduction == "batchmean":
        return sum(loss) / input._array.shape[0] if input._array.ndim else sum(loss)
    return reduced(loss, reduction)


def poisson_nll_loss(input: Tensor, target: Tensor, log_input: bool = True, full: bool = False,
                     size_average: bool | None = None, eps: float = 1e-08, reduce: bool | None = None,
                     reduction: str = "mean") -> Tensor:
    """Negative log-likelihood of counts under Poisson distributions: loss = e^input - target * input.

    Args:
        input: tensor of a floating-point type: logarithms of the rates, or with log_input=False the rates.
        target: tensor that broadcasts with the input: counts.
        log_input: whether the input holds logarithms; without, loss = input - target * ln(input + eps).
        full: add Stirling's approximation of the constant: target * ln(target) - target + ln(2 * pi * target) / 2 for
            targets above 1.
        size_average: deprecated, use reduction: False stands for "sum".
        eps: added to the rates before their logarithm.
        reduce: deprecated, use reduction: False stands for "none".
        reduction: "none" for one loss per element, "mean" or "sum" for one of all.

    Returns:
        Tensor without dimensions; with reduction="none", of the broadcast shape.

    Raises:
        ValueError: reduction is not one of "none", "mean" and "sum".

    Example:
        >>> gpunet.nn.functional.poisson_nll_loss(gpunet.tensor([0.0, 1.0]), gpunet.tensor([1.0, 2.0]))
        tensor(0.8591)
    """
    reduction = reduction_of("poisson_nll_loss", reduction, size_average, reduce)
    loss = exp_op(input) - target * input if log_input else input - target * log_op(input + eps)
    if full:
        stirling = target * log_op(target) - target + 0.5 * log_op(2 * math.pi * target)
        loss = loss + where_op(target <= 1, 0.0, stirling)
    return reduced(loss, reduction)


def gaussian_nll_loss(input: Tensor, target: Tensor, var: Tensor | float, full: bool = False, eps: float = 1e-06,
                      reduction: str = "mean") -> Tensor:
    """Negative log-likelihood under normal distributions: loss = (ln(var) + (input - target)^2 / var) / 2.

    Source: Nix and Weigend, "Estimating the Mean and Variance of the Target Probability Distribution", 1994.

    Args:
        input: tensor of a floating-point type: the means.
        target: tensor that broadcasts with the input: samples.
        var: variances, not negative: a number, or a tensor of the input's shape, of that shape without the last
            dimension, or with one size of 1 in it.
        full: add the constant ln(2 * pi) / 2.
        eps: least variance; the gradient does not see this bound.
        reduction: "none" for one loss per element, "mean" or "sum" for one of all.

    Returns:
        Tensor without dimensions; with reduction="none", of the broadcast shape.

    Raises:
        ValueError: the variance is a negative number or does not fit the input, or reduction is not one of "none",
            "mean" and "sum".

    Example:
        >>> input, target, var = gpunet.tensor([1.0, 2.0]), gpunet.tensor([1.0, 4.0]), gpunet.tensor([1.0, 4.0])
        >>> gpunet.nn.functional.gaussian_nll_loss(input, target, var)
        tensor(0.5966)
    """
    reduction = reduction_of("gaussian_nll_loss", reduction)
    # The gradient passes the bound as if it were not there, as in PyTorch.
    variances = _variances(var, input).clone()
    with no_grad():
        variances.clamp_(min=eps)
    difference = input - target
    loss = 0.5 * (log_op(variances) + difference * difference / variances)
    return reduced(loss + 0.5 * math.log(2 * math.pi) if full else loss, reduction)


def _variances(var: Any, input: Tensor) -> Tensor:
    """Variances that broadcast to the input's shape."""
    if not is_tensor(var):
        if var < 0:
            raise ValueError(f"gaussian_nll_loss: the variance must not be negative, got {var}")
        return var * input.new_ones(input._array.shape)
    shape, given = input._array.shape, var._array.shape
    if given == shape:
        return var
    if given == shape[:-1]:
        return var.unsqueeze(-1)
    if len(given) != len(shape) or _differing(shape, given) != 1:
        raise ValueError(f"gaussian_nll_loss: a variance of shape {given} does not fit an input of shape {shape}; "
                         "give the same shape, or that without the last dimension, or with one size of 1")
    return var


def _differing(shape, other) -> int:
    """Sum of other's sizes in the dimensions where the shapes differ: 1 if they differ in one dimension, of size 1."""
    return int(np.sum([m for n, m in zip(shape, other, strict=True) if n != m]))
