"""Losses of classification: the cross-entropy, fused with its softmax, and the negative log-likelihood."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gpunet.devices.errors import class_out_of_range
from gpunet.dispatch import is_tensor, op
from gpunet.dtypes import INT64_NP, public
from gpunet.engine.modes import mode
from gpunet.native import Native
from gpunet.ops import cross_entropy_launch
from gpunet.ops.conditions import where_op
from gpunet.ops.half import rounded_once
from gpunet.ops.index import gather_op
from gpunet.ops.loss import reduced, reduction_of
from gpunet.ops.nll import check_targets, nll_op
from gpunet.ops.reduce import mean, sum
from gpunet.ops.rules import accumulator, require_float
from gpunet.ops.softmax import log_softmax

if TYPE_CHECKING:
    from gpunet.tensor import Tensor


def _rows(logits, target, *, ignore_index, label_smoothing, reduction, with_gradient):
    require_float(logits, "cross_entropy")
    if target.dtype != INT64_NP:
        raise RuntimeError(f"cross_entropy: class indices must be an int64 tensor, got {public(target.dtype)}; "
                           "use target.long(), or give probabilities of the logits' shape and type")
    loss = target.shape if reduction == "none" else ()
    return (loss, logits.dtype), (logits.shape if with_gradient else (0,), logits.dtype)


@op(_rows, outputs=2)
def softmax_ce(xp, loss, dlogits, logits, target, *, ignore_index, label_smoothing, reduction, with_gradient):
    """Cross-entropy of rows of logits [rows, classes] against class indices [rows], and in the same pass its gradient
    dlogits = (softmax - smoothed one-hot) * scale, scale being 1/valid rows for the mean.

    With smoothing s the target distribution is 1 - s on the class plus s / classes on all (Szegedy et al., 2016).
    Rows whose target is `ignore_index` give 0.
    """
    rows, classes = logits.shape
    valid = target != ignore_index
    check_targets(xp, target, valid, classes)
    wide = logits.astype(accumulator(logits.dtype), copy=False)
    shifted = wide - xp.max(wide, axis=1, keepdims=True) if rows else wide
    e = xp.exp(shifted)
    total = xp.sum(e, axis=1, keepdims=True)
    row = xp.arange(rows)
    safe = xp.where(valid, target, 0)
    log_p = shifted - xp.log(total)
    each = -log_p[row, safe]
    if label_smoothing:
        each = (1 - label_smoothing) * each - label_smoothing * xp.mean(log_p, axis=1)
    each = xp.where(valid, each, 0)
    scale = 1 / xp.sum(valid).astype(wide.dtype) if reduction == "mean" else 1
    xp.copyto(loss, each if reduction == "none" else xp.sum(each) * scale, casting="unsafe")
    if with_gradient:
        e /= total
        if label_smoothing:
            e -= label_smoothing / classes
        e[row, safe] -= 1 - label_smoothing
        e *= xp.where(valid, scale, 0)[:, None]  # also where no row is valid and the scale infinite
        xp.copyto(dlogits, e, casting="unsafe")


_REDUCTIONS = {"none": 0, "sum": 1, "mean": 2}  # as softmax.cpp has them
_softmax_ce_native = Native("softmax.cpp", "softmax_ce")


@softmax_ce.cpu(replayable=False)  # a target that is no class is an error in each replay
def _(loss, dlogits, logits, target, *, ignore_index, label_smoothing, reduction, with_gradient):
    rows, classes = logits.shape
    wrong = np.empty(1, np.int64)
    _softmax_ce_native(loss, dlogits if with_gradient else None, logits, target, wrong, rows, classes, ignore_index,
                       float(label_smoothing), _REDUCTIONS[reduction])
    if wrong[0] >= 0:
        raise class_out_of_range(int(wrong[0]), int(target[wrong[0]]), classes)


@softmax_ce.gradient
def _(gradients, _loss, dlogits, _x, target, *, ignore_index, label_smoothing, reduction, with_gradient):
    g = gradients[0]
    if g is None:
        return None, None
    if g.is_unit:  # loss.backward(): the gradient is there already
        return dlogits.detach(), None
    return dlogits.detach() * (g.unsqueeze(1) if reduction == "none" else g), None


@softmax_ce.composition
def _(logits, target, *, ignore_index, label_smoothing, reduction, with_gradient):
    log_p = log_softmax(logits, 1)
    valid = target != ignore_index
    loss = -gather_op(log_p, where_op(valid, target, 0).unsqueeze(1), dim=1).squeeze(1)
    if label_smoothing:
        loss = (1 - label_smoothing) * loss - label_smoothing * mean(log_p, 1)
    loss = where_op(valid, loss, 0.0)
    if reduction == "mean":
        return sum(loss) / sum(valid)
    return loss if reduction == "none" else sum(loss)


def cross_entropy(input: Tensor, target: Tensor, weight: Tensor | None = None, size_average: bool | None = None,
                  ignore_index: int = -100, reduce: bool | None = None, reduction: str = "mean",
                  label_smoothing: float = 0.0) -> Tensor:
    """Loss of classification from logits: loss = -ln(softmax(input)[target]).

    Source: label smoothing from Szegedy et al., "Rethinking the Inception Architecture for Computer Vision", 2016.

    Args:
        input: tensor of a floating-point type: logits, shape (classes,), (batch, classes) or (batch, classes, d1, ...).
        target: tensor of class indices, int64, of the input's shape without the classes; or of probabilities p, of the
            input's shape, with loss = -sum over i of p_i * ln(softmax(input)_i).
        weight: tensor of shape (classes,): a factor for each class. The mean is then over the factors of the targets.
        size_average: deprecated, use reduction: False stands for "sum".
        ignore_index: a class index of which the loss is 0, and which does not count in the mean.
        reduce: deprecated, use reduction: False stands for "none".
        reduction: "none" for one loss per target, "mean" or "sum" for one of all.
        label_smoothing: share s of the probability that goes to all classes evenly, between 0 and 1: a target counts as
            (1 - s) * target + s / classes.

    Returns:
        Tensor without dimensions; with reduction="none", of the input's shape without the classes.

    Raises:
        ValueError: target's shape does not fit, or reduction is not one of "none", "mean" and "sum".
        RuntimeError: class indices are not int64, the weights do not fit, label_smoothing is not between 0 and 1, or
            ignore_index is given with probabilities.
        IndexError: a target is no class; on cuda this is raised at the next synchronisation.

    Example:
        >>> gpunet.nn.functional.cross_entropy(gpunet.tensor([[2.0, 1.0, 0.0]]), gpunet.tensor([0]))
        tensor(0.4076)
    """
    reduction = reduction_of("cross_entropy", reduction, size_average, reduce)
    if not 0.0 <= label_smoothing <= 1.0:
        raise RuntimeError(f"cross_entropy: label_smoothing must be between 0 and 1, got {label_smoothing}")
    rows, flat, shape = _as_rows("cross_entropy", input, target, weight)
    if flat._array.ndim == 2 and ignore_index >= 0:
        raise RuntimeError("cross_entropy: ignore_index is for class indices, but the targets are probabilities")
    if flat._array.ndim == 2 or weight is not None:
        loss = _cross_entropy(rows, flat, weight, ignore_index, reduction, label_smoothing)
    else:
        loss, _ = softmax_ce(rows, flat, ignore_index=ignore_index, label_smoothing=label_smoothing,
                             reduction=reduction, with_gradient=mode.grad and input._requires_grad)
    return loss.reshape(shape) if reduction == "none" else loss


def _as_rows(name, input, target, weight):
    """Scores as [rows, classes], and their targets as [rows] class indices or as [rows, classes] probabilities; then
    the shape of one loss a row."""
    if not is_tensor(input) or not is_tensor(target):
        raise TypeError(f"{name}: input and target must be tensors")
    shape, given = input._array.shape, target._array.shape
    if not shape:
        raise RuntimeError(f"{name}: the input needs a dimension of classes, got a 0-d tensor")
    dim = 0 if len(shape) == 1 else 1
    without = shape[:dim] + shape[dim + 1 :]
    if weight is not None and weight._array.shape != shape[dim : dim + 1]:
        raise RuntimeError(f"{name}: expected one weight for each of {shape[dim]} classes, got weights of shape "
                           f"{weight._array.shape}")

    def rows(x):
        return x.reshape(1, -1) if dim == 0 else x if len(shape) == 2 else x.movedim(1, -1).reshape(-1, shape[1])

    if given == shape and name == "cross_entropy" and target._array.dtype.kind not in "iub":
        return rows(input), rows(target), without
    if given != without:
        raise ValueError(f"{name}: for an input of shape {shape} the target must have shape {without} (class indices)"
                         + (" or the input's (probabilities)" if name == "cross_entropy" else "") + f", got {given}")
    return rows(input), target.reshape(-1), without


@rounded_once
def _cross_entropy(rows, target, weight, ignore_index, reduction, smoothing):
    """Cross-entropy with class weights or with probabilities as targets, from plain ops."""
    log_p = log_softmax(rows, 1)
    count, classes = rows._array.shape
    if target._array.ndim == 2:
        if smoothing:
            target = target * (1 - smoothing) + smoothing / classes
        weighted = log_p * target if weight is None else log_p * target * weight
        loss = -sum(weighted, 1)
        return sum(loss) / count if reduction == "mean" else reduced(loss, reduction)
    loss, share = _picked("cross_entropy", log_p, target, weight, ignore_index)
    if smoothing:
        spread = -sum(log_p * weight, 1) / classes
        loss = (1 - smoothing) * loss + smoothing * where_op(target != ignore_index, spread, 0.0)
    return sum(loss) / sum(share) if reduction == "mean" else reduced(loss, reduction)


def nll_loss(input: Tensor, target: Tensor, weight: Tensor | None = None, size_average: bool | None = None,
             ignore_index: int = -100, reduce: bool | None = None, reduction: str = "mean") -> Tensor:
    """Negative log-likelihood of classes: loss = -input[target].

    Args:
        input: tensor of a floating-point type: log-probabilities, shape (classes,), (batch, classes) or (batch,
            classes, d1, ...).
        target: tensor of class indices, int64, of the input's shape without the classes.
        weight: tensor of shape (classes,): a factor for each class. The mean is then over the factors of the targets.
        size_average: deprecated, use reduction: False stands for "sum".
        ignore_index: a class index of which the loss is 0, and which does not count in the mean.
        reduce: deprecated, use reduction: False stands for "none".
        reduction: "none" for one loss per target, "mean" or "sum" for one of all.

    Returns:
        Tensor without dimensions; with reduction="none", of the input's shape without the classes.

    Raises:
        ValueError: target's shape does not fit, or reduction is not one of "none", "mean" and "sum".
        RuntimeError: class indices are not int64, or the weights do not fit.
        IndexError: a target is no class; on cuda this is raised at the next synchronisation.

    Example:
        >>> log_p = gpunet.tensor([[0.25, 0.75]]).log()
        >>> gpunet.nn.functional.nll_loss(log_p, gpunet.tensor([1]))
        tensor(0.2877)
    """
    reduction = reduction_of("nll_loss", reduction, size_average, reduce)
    return _nll_loss(input, target, weight, ignore_index, reduction)


def _nll_loss(input, target, weight, ignore_index, reduction):
    rows, flat, shape = _as_rows("nll_loss", input, target, weight)
    fits = weight is None or not weight._requires_grad and weight._array.dtype == rows._array.dtype
    if fits and rows._array.shape[1] and rows._array.dtype.kind not in "iub" and flat._array.dtype == INT64_NP:
        loss, _ = nll_op(rows, flat, weight, ignore_index=ignore_index, reduction=reduction)
    else:
        loss = _plain_nll(rows, flat, weight, ignore_index=ignore_index, reduction=reduction)
    return loss.reshape(shape) if reduction == "none" else loss


@rounded_once
def _plain_nll(log_p, target, weight, *, ignore_index, reduction):
    """The same from plain ops."""
    loss, share = _picked("nll_loss", log_p, target, weight, ignore_index)
    if reduction == "mean":
        return sum(loss) / sum(share)
    return loss if reduction == "none" else sum(loss)


nll_op.composition(_plain_nll)


def _picked(name, log_p, target, weight, ignore_index):
    """The loss of each row, times its class's weight, and these weights; both 0 for rows that do not count."""
    if target._array.dtype != INT64_NP:
        raise RuntimeError(f"{name}: class indices must be an int64 tensor, got {target.dtype}; use target.long()")
    classes = class_indices(target, ignore_index=ignore_index, classes=log_p._array.shape[1])
    if log_p._array.shape[1] == 0:  # of no classes every target is one that is ignored
        return sum(log_p, 1), log_p.new_zeros(target.shape)
    valid = target != ignore_index
    share = valid.to(log_p.dtype) if weight is None else where_op(valid, weight[classes], 0.0)
    return where_op(valid, -gather_op(log_p, classes.unsqueeze(1), dim=1).squeeze(1) * share, 0.0), share


@op(lambda target, *, ignore_index, classes: (target.shape, target.dtype), differentiable=False)
def class_indices(xp, out, target, *, ignore_index, classes):
    """The targets, 0 in place of those to ignore. One that is no class is an error here on cpu, on cuda where it is
    used."""
    valid = target != ignore_index
    if xp is np:
        check_targets(xp, target, valid, classes)
    xp.multiply(target, valid, out)


# ---- launch --------------------------------------------------------------------------------------------------------

softmax_ce.kernel(cross_entropy_launch.forward)
