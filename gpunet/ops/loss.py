"""Losses made of plain ops. Classification by classes is in cross_entropy.py, unaligned sequences are in ctc.py.

Arguments after the tensors and their `weight` are given by name. `reduction` is "mean", "sum", or "none" for one value
an element. (PyTorch's `size_average` and `reduce`, deprecated for years, are not taken.)
"""

from __future__ import annotations

import math
import warnings

import numpy as np

from gpunet.dispatch import is_tensor, op
from gpunet.engine.modes import no_grad
from gpunet.ops.activation import logsigmoid, relu
from gpunet.ops.compare import eq, where
from gpunet.ops.distance import pairwise_distance
from gpunet.ops.exponentials import exp, log, log1p
from gpunet.ops.half import rounded_once
from gpunet.ops.limits import clamp, minimum
from gpunet.ops.reduce import mean, sum
from gpunet.ops.rules import accumulator, require_float, same
from gpunet.ops.special import xlogy

REDUCTIONS = ("none", "mean", "sum")


def check_reduction(reduction: str, op: str, allowed=REDUCTIONS) -> None:
    if reduction not in allowed:
        raise ValueError(f"{op}: reduction must be one of {', '.join(allowed)}, got {reduction!r}")


def reduce(loss, reduction: str):
    return loss if reduction == "none" else mean(loss) if reduction == "mean" else sum(loss)


# ---- regression ----------------------------------------------------------------------------------------------------


def _differences(name, input, target, weight, reduction):
    """input - target, after the checks that the losses of regression share."""
    check_reduction(reduction, name)
    if is_tensor(target) and is_tensor(input) and target._array.shape != input._array.shape:
        warnings.warn(f"{name}: the input has shape {input._array.shape}, the target {target._array.shape}: they "
                      "will be broadcast, which is seldom meant; give both the same shape", stacklevel=3)
    if weight is not None and weight._array.shape != input._array.shape:
        raise ValueError(f"{name}: the weight has shape {weight._array.shape}, the input {input._array.shape}; give "
                         "one weight for each element")
    return input - target


def _weighted(loss, weight, reduction):
    """The reduced loss; with weights, their mean is over the weights."""
    if weight is None:
        return reduce(loss, reduction)
    return sum(loss * weight) / sum(weight) if reduction == "mean" else reduce(loss * weight, reduction)


def mse_loss(input, target, *, reduction: str = "mean", weight=None):
    """(input - target)^2. Warns if the shapes differ: [n, 1] and [n] give n^2 terms."""
    difference = _differences("mse_loss", input, target, weight, reduction)
    return _weighted(difference * difference, weight, reduction)


def l1_loss(input, target, *, reduction: str = "mean", weight=None):
    """|input - target|."""
    return _weighted(_differences("l1_loss", input, target, weight, reduction).abs(), weight, reduction)


@op(same)
def bent_square(xp, out, d, *, at, scale):
    """d^2 / (2 at) where |d| < at, else |d| - at / 2; times scale."""
    size = xp.absolute(d.astype(accumulator(d.dtype), copy=False))
    value = xp.where(size < at, size * size * (0.5 * scale / at), (size - 0.5 * at) * scale)
    xp.copyto(out, value, casting="unsafe")


@bent_square.gradient
def _(g, _, d, *, at, scale):
    return (g * clamp(d if at == scale else d * (scale / at), -scale, scale),)  # the scale at infinity too


def huber_loss(input, target, reduction: str = "mean", delta: float = 1.0, weight=None):
    """Half of the squared difference d, and delta (|d| - delta / 2) where |d| > delta (Huber, 1964)."""
    if delta <= 0:
        raise RuntimeError(f"huber_loss: delta must be positive, got {delta}")
    difference = _differences("huber_loss", input, target, weight, reduction)
    loss = bent_square(difference, at=delta, scale=delta)
    return reduce(loss if weight is None else loss * weight, reduction)


def smooth_l1_loss(input, target, *, reduction: str = "mean", beta: float = 1.0):
    """d^2 / (2 beta) for differences |d| < beta, else |d| - beta / 2 (Girshick, 2015). beta=0 is the L1 loss."""
    if beta < 0:
        raise RuntimeError(f"smooth_l1_loss: beta must not be negative, got {beta}")
    difference = _differences("smooth_l1_loss", input, target, None, reduction)
    return reduce(difference.abs() if beta == 0 else bent_square(difference, at=beta, scale=1.0), reduction)


# ---- likelihoods ---------------------------------------------------------------------------------------------------


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


@bce_op.gradient(needs=("x target", "x"))
@rounded_once
def _(g, _, x, target):
    return (lambda: g * (x - target) / clamp((1 - x) * x, min=_LEAST),
            lambda: g * (clamp(log1p(-x), min=-100) - clamp(log(x), min=-100)))


def _same_shapes(name, input, target, kind=ValueError):
    if input._array.shape != target._array.shape:
        raise kind(f"{name}: the input has shape {input._array.shape}, the target {target._array.shape}; give "
                         "both the same shape")


def binary_cross_entropy(input, target, weight=None, *, reduction: str = "mean"):
    """-(target log input + (1 - target) log(1 - input)) for probabilities; the logarithms are not below -100."""
    check_reduction(reduction, "binary_cross_entropy")
    _same_shapes("binary_cross_entropy", input, target)
    loss = bce_op(input, target)
    return reduce(loss if weight is None else loss * weight, reduction)


def binary_cross_entropy_with_logits(input, target, weight=None, *, reduction: str = "mean", pos_weight=None):
    """`binary_cross_entropy` of sigmoid(input), exact for large inputs. pos_weight: factors of the positive terms."""
    check_reduction(reduction, "binary_cross_entropy_with_logits")
    _same_shapes("binary_cross_entropy_with_logits", input, target)
    positive = 1 if pos_weight is None else 1 + (pos_weight - 1) * target
    loss = (1 - target) * input - positive * logsigmoid(input)
    return reduce(loss if weight is None else loss * weight, reduction)


def kl_div(input, target, *, reduction: str = "mean", log_target: bool = False):
    """target (log target - input): the Kullback-Leibler divergence from `input`, log-probabilities, to `target`,
    probabilities, or their logarithms with log_target. reduction="batchmean" divides the sum by the first size, which
    is the divergence proper; "mean" divides by the number of elements."""
    check_reduction(reduction, "kl_div", (*REDUCTIONS, "batchmean"))
    loss = exp(target) * (target - input) if log_target else xlogy(target, target) - target * input
    if reduction == "batchmean":
        return sum(loss) / input._array.shape[0] if input._array.ndim else sum(loss)
    return reduce(loss, reduction)


def poisson_nll_loss(input, target, log_input: bool = True, full: bool = False, *, eps: float = 1e-8,
                     reduction: str = "mean"):
    """The negative log-likelihood of counts under rates exp(input), or `input` itself without log_input, up to a
    constant; `full` adds Stirling's approximation of it."""
    check_reduction(reduction, "poisson_nll_loss")
    loss = exp(input) - target * input if log_input else input - target * log(input + eps)
    if full:
        stirling = target * log(target) - target + 0.5 * log(2 * math.pi * target)
        loss = loss + where(target <= 1, 0.0, stirling)
    return reduce(loss, reduction)


def gaussian_nll_loss(input, target, var, full: bool = False, eps: float = 1e-6, reduction: str = "mean"):
    """(log var + (input - target)^2 / var) / 2: the negative log-likelihood under normal distributions of mean `input`
    and variance `var`, which is at least eps; `full` adds log(2 pi) / 2. var: a number, or a tensor of the input's
    shape, or of that shape without its last dimension, or with one of size 1."""
    check_reduction(reduction, "gaussian_nll_loss")
    if not is_tensor(var):
        if var < 0:
            raise ValueError(f"gaussian_nll_loss: the variance must not be negative, got {var}")
        var = var * input.new_ones(input._array.shape)
    shape, given = input._array.shape, var._array.shape
    if given != shape:
        if given == shape[:-1]:
            var = var.unsqueeze(-1)
        elif len(given) != len(shape) or _differing(shape, given) != 1:
            raise ValueError(f"gaussian_nll_loss: a variance of shape {given} does not fit an input of shape {shape}; "
                             "give the same shape, or that without the last dimension, or with one size of 1")
    # The gradient passes the bound as if it were not there, as in PyTorch.
    var = var.clone()
    with no_grad():
        var.clamp_(min=eps)
    difference = input - target
    loss = 0.5 * (log(var) + difference * difference / var)
    return reduce(loss + 0.5 * math.log(2 * math.pi) if full else loss, reduction)


def _differing(shape, other) -> int:
    """The sizes of `other` where two shapes differ, added up: 1 if they differ in one dimension, of size 1."""
    return int(np.sum([m for n, m in zip(shape, other, strict=True) if n != m]))


# ---- margins -------------------------------------------------------------------------------------------------------


def hinge_embedding_loss(input, target, margin: float = 1.0, *, reduction: str = "mean"):
    """For distances: `input` where the target is 1 (similar), max(0, margin - input) where it is -1."""
    check_reduction(reduction, "hinge_embedding_loss")
    loss = where(eq(target, 1), 0.0, clamp(margin - input, min=0)) + where(eq(target, -1), 0.0, input)
    return reduce(loss, reduction)


def margin_ranking_loss(input1, input2, target, margin: float = 0.0, *, reduction: str = "mean"):
    """max(0, margin - target (input1 - input2)): a target of 1 asks that the first rank higher, -1 the second."""
    check_reduction(reduction, "margin_ranking_loss")
    if not input1._array.ndim == input2._array.ndim == target._array.ndim:
        raise RuntimeError("margin_ranking_loss: all tensors must have the same number of dimensions, got shapes "
                           f"{input1._array.shape}, {input2._array.shape}, {target._array.shape}")
    return reduce(clamp(-target * (input1 - input2) + margin, min=0), reduction)


def soft_margin_loss(input, target, *, reduction: str = "mean"):
    """log(1 + exp(-target input)) for targets of 1 and -1."""
    check_reduction(reduction, "soft_margin_loss")
    return reduce(-logsigmoid(target * input), reduction)


def multilabel_soft_margin_loss(input, target, weight=None, *, reduction: str = "mean"):
    """The mean over classes, the last dimension, of the binary cross-entropy with logits."""
    check_reduction(reduction, "multilabel_soft_margin_loss")
    loss = -(target * logsigmoid(input) + (1 - target) * logsigmoid(-input))
    return reduce(mean(loss if weight is None else loss * weight, -1), reduction)


def _rows_of_classes(name, input, target):
    """Input and target as [rows, classes] and [rows, ...], from one row or several."""
    if input._array.ndim > 2 or input._array.ndim and input._array.shape[-1] == 0:
        raise RuntimeError(f"{name}: expected an input of shape (classes,) or (batch, classes), got "
                           f"{input._array.shape}")
    return (input, target) if input._array.ndim == 2 else (input.reshape(1, -1), target.reshape(1, -1))


def multi_margin_loss(input, target, *, p: int = 1, margin: float = 1.0, weight=None, reduction: str = "mean"):
    """sum over classes i other than the target y of max(0, margin - input[y] + input[i])^p, divided by the number of
    classes; p is 1 or 2. weight: one factor a class, by the target."""
    check_reduction(reduction, "multi_margin_loss")
    if p not in (1, 2):
        raise ValueError(f"multi_margin_loss: p must be 1 or 2, got {p}")
    rows, classes = _rows_of_classes("multi_margin_loss", input, target)
    if weight is not None and weight._array.shape != rows._array.shape[1:]:
        raise ValueError(f"multi_margin_loss: expected one weight for each of {rows._array.shape[1]} classes, got "
                         f"weights of shape {weight._array.shape}")
    chosen = classes.reshape(-1, 1)
    gap = relu(margin - rows.gather(1, chosen) + rows)
    gap = gap if p == 1 else gap * gap
    gap = gap if weight is None else gap * weight[chosen]
    loss = mean(where(rows.new_tensor(range(rows._array.shape[1]), dtype=chosen.dtype) == chosen, 0.0, gap), 1)
    return reduce(loss if input._array.ndim == 2 else loss.squeeze(0), reduction)


def multilabel_margin_loss(input, target, *, reduction: str = "mean"):
    """sum over target classes y and other classes i of max(0, 1 - (input[y] - input[i])), divided by the number of
    classes. target: class indices of the input's shape; the first -1 of a row ends them."""
    check_reduction(reduction, "multilabel_margin_loss")
    rows, classes = _rows_of_classes("multilabel_margin_loss", input, target)
    _same_shapes("multilabel_margin_loss", rows, classes, RuntimeError)
    wanted = (classes < 0).long().cumsum(1) == 0
    safe = where(wanted, classes, 0)
    numbers = rows.new_tensor(range(rows._array.shape[1]), dtype=classes.dtype)
    is_target = ((safe.unsqueeze(2) == numbers) & wanted.unsqueeze(2)).any(1)
    gap = relu(1 - rows.gather(1, safe).unsqueeze(2) + rows.unsqueeze(1))  # [rows, targets, classes]
    loss = sum(where(wanted.unsqueeze(2) & ~is_target.unsqueeze(1), gap, 0.0), (1, 2)) / rows._array.shape[1]
    return reduce(loss if input._array.ndim == 2 else loss.squeeze(0), reduction)


def cosine_embedding_loss(input1, input2, target, margin: float = 0.0, *, reduction: str = "mean"):
    """1 - cos(input1, input2) where the target is 1 (similar), max(0, cos - margin) where it is -1. Inputs are
    [features] or [batch, features]."""
    check_reduction(reduction, "cosine_embedding_loss")
    if input1._array.ndim != input2._array.ndim or input1._array.ndim != target._array.ndim + 1:
        raise RuntimeError("cosine_embedding_loss: expected inputs [batch, features] with a target [batch], or "
                           f"[features] with a 0-d target, got shapes {input1._array.shape}, {input2._array.shape} and "
                           f"{target._array.shape}")
    tiny = 1e-12
    squares = sum(input1 * input1, -1) + tiny, sum(input2 * input2, -1) + tiny
    cosine = sum(input1 * input2, -1) / (squares[0] * squares[1]).sqrt()
    loss = where(eq(target, 1), 1 - cosine, 0.0) + where(eq(target, -1), clamp(cosine - margin, min=0), 0.0)
    return reduce(loss, reduction)


def triplet_margin_loss(anchor, positive, negative, margin: float = 1.0, p: float = 2.0, eps: float = 1e-6,
                        swap: bool = False, *, reduction: str = "mean"):
    """max(0, |anchor - positive|_p - |anchor - negative|_p + margin) (Balntas et al., 2016); `swap` takes the nearer of
    anchor and positive to the negative."""
    def distance(a, b):
        return pairwise_distance(a, b, p, eps)

    return _triplet("triplet_margin_loss", anchor, positive, negative, distance, margin, swap, reduction)


def triplet_margin_with_distance_loss(anchor, positive, negative, *, distance_function=None, margin: float = 1.0,
                                      swap: bool = False, reduction: str = "mean"):
    """`triplet_margin_loss` with any distance function of two tensors; by default `pairwise_distance`."""
    return _triplet("triplet_margin_with_distance_loss", anchor, positive, negative,
                    distance_function or pairwise_distance, margin, swap, reduction)


def _triplet(name, anchor, positive, negative, distance, margin, swap, reduction):
    check_reduction(reduction, name)
    if margin <= 0:
        raise ValueError(f"{name}: the margin must be positive, got {margin}")
    if not anchor._array.ndim == positive._array.ndim == negative._array.ndim:
        raise RuntimeError(f"{name}: anchor, positive and negative must have the same number of dimensions, got shapes "
                           f"{anchor._array.shape}, {positive._array.shape}, {negative._array.shape}")
    near, far = distance(anchor, positive), distance(anchor, negative)
    if swap:
        far = minimum(far, distance(positive, negative))
    return reduce(clamp(margin + near - far, min=0), reduction)
