"""The negative log-likelihood of classes as one op: look-up, class weights and mean together."""

from __future__ import annotations

import numpy as np

from gpunet.devices.errors import class_out_of_range
from gpunet.dispatch import op
from gpunet.kernel import Kernel
from gpunet.ops.launching import KERNEL_TYPES, THREADS, blocks_of, by_type
from gpunet.ops.rules import accumulator


def check_targets(xp, target, valid, classes):
    """Raises for the first target that counts and is no class."""
    wrong = valid & ((target < 0) | (target >= classes))
    if bool(wrong.any()):
        row = int(wrong.argmax())
        raise class_out_of_range(row, int(target[row]), classes)


def _shapes(log_p, target, weight, *, reduction, **_):
    return ((target.shape if reduction == "none" else ()), log_p.dtype), ((), accumulator(log_p.dtype))


@op(_shapes, outputs=2)
def nll_op(xp, loss, scale, log_p, target, weight, *, ignore_index, reduction):
    """-w log_p[row, target] of rows [rows, classes], by itself, or added up and multiplied by the scale: 1, or for a
    mean 1 / sum of w. The weights w are those of the classes, 0 for rows whose target is `ignore_index`."""
    valid = target != ignore_index
    if xp is np:
        check_targets(xp, target, valid, log_p.shape[1])
    classes = xp.where(valid, target, 0)
    picked = log_p[xp.arange(len(target)), classes].astype(scale.dtype, copy=False)
    share = valid.astype(scale.dtype) if weight is None else xp.where(valid, weight[classes], 0).astype(scale.dtype)
    each = xp.where(valid, -picked * share, 0)
    scale[...] = 1
    if reduction == "none":
        xp.copyto(loss, each, casting="unsafe")
        return
    total = xp.sum(each)
    if reduction == "mean":
        weights = xp.sum(share)
        total = total / weights
        scale[...] = 1 / weights
    xp.copyto(loss, total, casting="unsafe")


@op(lambda g, target, weight, scale, *, classes, ignore_index: ((len(target), classes), g.dtype), differentiable=False)
def nll_grad(xp, out, g, target, weight, scale, *, classes, ignore_index):
    """The gradient of log_p: -g w scale at the target, else 0."""
    valid = target != ignore_index
    safe = xp.where(valid, target, 0)
    value = -g.astype(scale.dtype, copy=False) * scale
    if weight is not None:
        value = value * weight[safe]
    out[...] = 0
    out[xp.arange(len(target)), safe] = xp.where(valid, value, 0)


@nll_op.gradient
def _(gradients, _loss, scale, log_p_meta, target, weight, *, ignore_index, reduction):
    if gradients[0] is None:
        return None, None, None
    return nll_grad(gradients[0], target, weight, scale, classes=log_p_meta.shape[1],
                    ignore_index=ignore_index), None, None


# ---- launches -------------------------------------------------------------------------------------------------------

_rows = Kernel("nll.cu", "nll_rows", instances=by_type)
_total = Kernel("nll.cu", "nll_total", instances=by_type)
_grad = Kernel("nll.cu", "nll_grad", instances=by_type)


@nll_op.kernel
def _(cuda, loss, scale, log_p, target, weight, *, ignore_index, reduction):
    dtype, (rows, classes) = log_p.dtype, log_p.shape
    if dtype not in KERNEL_TYPES or weight is not None and weight.dtype != dtype:
        return NotImplemented
    given = log_p, target, weight, cuda.errors, rows, classes, ignore_index
    if reduction == "none":
        _rows.on(cuda, dtype, accumulator(dtype))(blocks_of(rows, THREADS), THREADS, loss, *given)
    else:
        _total.on(cuda, dtype, accumulator(dtype))(1, 1024, loss, scale, *given, reduction == "mean")
    return None


@nll_grad.kernel
def _(cuda, out, g, target, weight, scale, *, classes, ignore_index):
    dtype = g.dtype
    if dtype not in KERNEL_TYPES or weight is not None and weight.dtype != dtype:
        return NotImplemented
    each = g.ndim == 1
    _grad.on(cuda, dtype, accumulator(dtype))(blocks_of(out.size, THREADS), THREADS, out, g, None if each else scale,
                                              target, weight, len(target), classes, ignore_index, each)
    return None
