"""Batch normalisation in training with what follows it in most networks: the sum with a residual, if there is one, and
ReLU. On a GPU that is one pass, with the bits of the separate ops; and so are all of its gradients."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gpunet.dispatch import into, op, record, wrap
from gpunet.engine.modes import mode
from gpunet.ops import norm_columns_launch
from gpunet.ops.activation import relu_grad_op, relu_op
from gpunet.ops.channel_affine import by_channel
from gpunet.ops.epilogue import RELU, apply
from gpunet.ops.normalization import (
    _moves_at_once,
    _normalized,
    batch_norm_counted,
    check_channels,
    move_statistics,
    normalize,
    normalize_grad,
)

if TYPE_CHECKING:
    from gpunet.tensor import Tensor


@op(lambda x, weight, bias, onto, *, axes, eps: _normalized(x, weight, bias, axes=axes, eps=eps, centred=True),
    outputs=3)
def normalize_relu(xp, out, centre, spread, x, weight, bias, onto, *, axes, eps):
    """relu(normalize(x) + onto), each step rounded to the type; `onto` may be None. Also the mean and the variance."""
    normalize.op.body(xp, out, centre, spread, x, weight, bias, axes=axes, eps=eps, centred=True)
    apply(xp, out, onto, RELU)


@normalize_relu.gradient(joint=True)
def _(gradients, y, centre, spread, x, weight, bias_meta, onto_meta, *, axes, eps, joint=None):
    if gradients[1] is not None or gradients[2] is not None:
        raise RuntimeError("normalize_relu: the statistics have no gradients of their own")
    around = None if joint is None else joint.onto.pop(0, None)
    residual = onto_meta is not None and (joint is None or joint.wanted[3])
    dx, dw, db, through = normalize_relu_grad(gradients[0], y.detach(), x, centre.detach(), spread.detach(), weight,
                                              around, axes=axes, eps=eps, residual=residual)
    return (dx, None if weight is None else dw, None if bias_meta is None else db, through if residual else None)


@normalize_relu.composition
def _(x, weight, bias, onto, *, axes, eps):
    plain: Any = normalize.op.via
    y = plain(x, weight, bias, axes=axes, eps=eps, centred=True)
    return relu_op(y if onto is None else y + onto)


def _gradients(g, y, x, centre, spread, weight, onto, *, axes, eps, residual):
    of_weight = ((0,), x.dtype) if weight is None else (weight.shape, weight.dtype)
    return (x.shape, x.dtype), of_weight, of_weight, (x.shape if residual else (0,), x.dtype)


@op(_gradients, outputs=4, differentiable=False)
def normalize_relu_grad(xp, dx, dw, db, through, g, y, x, centre, spread, weight, onto, *, axes, eps, residual):
    """The gradients of `normalize_relu` by x, weight, bias and the residual, if there is one whose gradient is wanted.
    The first is added to `onto`, unless that is None."""
    before = through if residual else xp.empty_like(g)
    relu_grad_op.op.body(xp, before, g, y)
    normalize_grad.op.body(xp, dx, dw, db, before, x, centre, spread, weight, onto, axes=axes, eps=eps, centred=True)


@op(None, outputs=-1, differentiable=False)
def normalize_relu_moving(xp, out, centre, spread, *arrays, axes, eps, share, correction):
    """`normalize_relu`, and `move_statistics` with what it has found."""
    *moved, x, weight, bias, onto = arrays
    normalize_relu.op.body(xp, out, centre, spread, x, weight, bias, onto, axes=axes, eps=eps)
    move_statistics.op.body(xp, *moved, centre, spread, share=share, correction=correction)


# ---- launches ------------------------------------------------------------------------------------------------------


@normalize_relu.kernel
def _(cuda, out, centre, spread, x, weight, bias, onto, **options):
    return norm_columns_launch.forward(cuda, out, centre, spread, x, weight, bias, **options, centred=True, onto=onto,
                                       relu=True)


@normalize_relu_moving.kernel
def _(cuda, out, centre, spread, *arrays, **options):
    *arrays, onto = arrays
    return norm_columns_launch.forward_moving(cuda, out, centre, spread, *arrays, **options, centred=True, onto=onto,
                                              relu=True)


@normalize_relu.channels_last
def _serves(cuda, x, weight, bias, onto, **options):
    return norm_columns_launch.channels_last(cuda, x, weight, bias, **options)


normalize_relu_moving.channels_last(_serves)


@normalize_relu_grad.kernel
def _(cuda, dx, dw, db, through, g, y, x, centre, spread, weight, onto, *, axes, eps, residual):
    return norm_columns_launch.backward(cuda, dx, dw, db, g, x, centre, spread, weight, onto, axes=axes, eps=eps,
                                        centred=True, y=y, residual=through if residual else None)


@normalize_relu_grad.channels_last
def _(cuda, g, y, x, centre, spread, weight, onto, **options):
    return norm_columns_launch.channels_last(cuda, x, weight, None, **options)


# ---- the call ------------------------------------------------------------------------------------------------------


def batch_norm_relu(input: Tensor, running_mean, running_var, weight, bias, training, momentum, eps, batches,
                    onto: Tensor | None) -> Tensor:
    """relu(batch_norm_counted(...) + onto), in training on a GPU in one pass; onto may be None."""
    shape, options = input._array.shape, (running_mean, running_var, weight, bias)
    if not (training and input._device.joins and len(shape) > 1 and input._array.size > shape[1] and _suits(input, onto)
            and _moves_at_once(input, weight, bias, running_mean, running_var, batches, momentum)):
        y = batch_norm_counted(input, *options, training, momentum, eps, batches)
        return relu_op(y if onto is None else y + onto)
    names = "running_mean", "running_var", "weight", "bias"
    check_channels("batch_norm", input, **dict(zip(names, options, strict=True)))
    device, rank, count = input._device, len(shape), input._array.size // shape[1]
    inputs = input, by_channel(weight, rank), by_channel(bias, rank), onto
    arrays = [None if each is None else each._array for each in inputs]
    how = dict(axes=(0, *range(2, rank)), eps=eps)
    found = normalize_relu.op.result(arrays, how)
    results = tuple([wrap(each, device) for each in device.allocate(normalize_relu.op, found, arrays, how)])
    moved = [running_mean, running_var, *([] if batches is None else [batches])]
    into(normalize_relu_moving.op, (*results, *moved), *inputs, fresh=len(results), **how, share=momentum,
         correction=count / max(1, count - 1))
    if mode.grad and any([each is not None and each._requires_grad for each in inputs]):
        record(normalize_relu.op, results, inputs, how)
    return results[0]


def _suits(input, onto) -> bool:
    return onto is None or onto._device is input._device and onto._array.shape == input._array.shape and (
        onto._array.dtype == input._array.dtype)
