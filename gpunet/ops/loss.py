"""Losses made of plain ops. Classification by classes is in cross_entropy.py, unaligned sequences are in ctc.py.

Arguments after the tensors and their `weight` are given by name. `reduction` is "mean", "sum", or "none" for one value
an element. (PyTorch's `size_average` and `reduce`, deprecated for years, are not taken.)
"""

from __future__ import annotations

import warnings

from gpunet.dispatch import is_tensor
from gpunet.ops.compare import where
from gpunet.ops.reduce import mean, sum

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


def huber_loss(input, target, *, reduction: str = "mean", delta: float = 1.0, weight=None):
    """Half of the squared difference d, and delta (|d| - delta / 2) where |d| > delta (Huber, 1964)."""
    if delta <= 0:
        raise RuntimeError(f"huber_loss: delta must be positive, got {delta}")
    difference = _differences("huber_loss", input, target, weight, reduction)
    size = difference.abs()
    loss = where(size <= delta, 0.5 * difference * difference, delta * (size - 0.5 * delta))
    return reduce(loss if weight is None else loss * weight, reduction)


def smooth_l1_loss(input, target, *, reduction: str = "mean", beta: float = 1.0):
    """d^2 / (2 beta) for differences |d| < beta, else |d| - beta / 2 (Girshick, 2015). beta=0 is the L1 loss."""
    if beta < 0:
        raise RuntimeError(f"smooth_l1_loss: beta must not be negative, got {beta}")
    difference = _differences("smooth_l1_loss", input, target, None, reduction)
    size = difference.abs()
    if beta == 0:
        return reduce(size, reduction)
    return reduce(where(size < beta, difference * difference * (0.5 / beta), size - 0.5 * beta), reduction)
