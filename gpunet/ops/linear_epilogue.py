"""The linear layer with what follows it: the sum with a residual, and an activation.

What pays, and so is joined (nn/joined.py, models, and in recordings devices/joined.py):

- A residual always: its gradient is the result's, and nothing is kept.
- GELU and SiLU where no gradient is recorded: the value before the activation is never stored.
- GELU and SiLU in training: their gradients need the value before them, so that both are written (`kept`). A read of it
  and a launch are saved; one write is not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpunet.dispatch import op
from gpunet.dtypes import public
from gpunet.engine.modes import mode
from gpunet.ops import epilogue
from gpunet.ops.activation import relu_grad_op
from gpunet.ops.arithmetic import add_op
from gpunet.ops.epilogue import NONE, RELU, SILU
from gpunet.ops.linear import (
    _as_rows,
    _layer,
    _layer_gradient,
    _layer_product,
    _plain,
    column_sum,
    linear_op,
    linear_relu,
)
from gpunet.ops.matmul import native_product, product_types

if TYPE_CHECKING:
    from gpunet.tensor import Tensor


def _with_epilogue(x, weight, bias, onto, *, activation):
    shape, dtype = _layer(x, weight, bias)
    if onto is not None and (onto.shape != shape or onto.dtype != dtype):
        raise RuntimeError(f"linear: what the result of shape {shape} and type {public(dtype)} is added to must have "
                           f"its shape and type, got {onto.shape} and {public(onto.dtype)}")
    return shape, dtype


@op(_with_epilogue, strided=True)
def linear_epilogue(xp, out, x, weight, bias, onto, *, activation):
    """activation(x W^T + b + onto), each step rounded to the type: on the GPU one kernel. Gradients go through ReLU
    alone."""
    linear_op.op.body(xp, out, x, weight, bias)
    epilogue.apply(xp, out, onto, activation)


@op(lambda *arrays, activation: (_with_epilogue(*arrays, activation=activation),) * 2, outputs=2, strided=True)
def linear_kept(xp, out, before, x, weight, bias, onto, *, activation):
    """The same, and what the activation is applied to, which its gradient needs."""
    linear_op.op.body(xp, before, x, weight, bias)
    epilogue.apply(xp, before, onto, NONE)
    out[...] = before
    epilogue.apply(xp, out, None, activation)


@linear_epilogue.cpu(strided=True, types=product_types)
def _(out, x, weight, bias, onto, *, activation):
    if not out.flags.c_contiguous or bias is not None and not bias.flags.c_contiguous:
        return NotImplemented
    alone = onto is None and activation != SILU  # of those that the product does itself
    native_product(out, x, weight, bias, False, True, activation if alone else NONE)
    if not alone:
        epilogue.apply_native(out, out, onto, activation)
    return None


@linear_epilogue.gradient(joint=True)
def _(g, y, x, weight, bias, onto_meta, *, activation, joint=None):
    if activation > RELU:
        raise RuntimeError("linear_epilogue: gradients go through ReLU alone; use linear_kept")
    return _gradients(relu_grad_op(g, y) if activation == RELU else g, x, weight, joint)


@linear_kept.gradient(joint=True)
def _(gradients, _y, before, x, weight, bias, onto_meta, *, activation, joint=None):
    return _gradients(epilogue.GRADIENTS[activation](gradients[0], before), x, weight, joint)


def _gradients(g, x, weight, joint):
    return *_layer_gradient(g, x, weight, lambda: column_sum(_as_rows(g)), joint), g


@linear_epilogue.composition
def _(x, weight, bias, onto, *, activation):
    y = _plain(x, weight, bias)
    y = y if onto is None else y + onto
    return y if activation == NONE else epilogue.OPS[activation](y)


linear_kept.composition(linear_epilogue.op.via)


@linear_epilogue.kernel
def _(cuda, out, x, weight, bias, onto, *, activation):
    return _layer_product(cuda, out, x, weight, bias, activation, onto)


@linear_kept.kernel
def _(cuda, out, before, x, weight, bias, onto, *, activation):
    return _layer_product(cuda, out, x, weight, bias, activation, onto, before)


def linear_with(input: Tensor, weight: Tensor, bias: Tensor | None, activation: int, onto: Tensor | None = None
                ) -> Tensor:
    """activation(linear(input, weight, bias) + onto). activation: a number of ops/epilogue.py."""
    if onto is None and activation <= RELU:
        return (linear_relu if activation else linear_op)(input, weight, bias)
    if onto is not None and (mode.autocast or onto._array.dtype != input._array.dtype):  # the sum has its own type
        return _separate(add_op(onto, linear_op(input, weight, bias)), activation)
    if activation > RELU and mode.grad:
        if not input._device.joins:
            return _separate(linear_with(input, weight, bias, NONE, onto), activation)
        if any([each is not None and each._requires_grad for each in (input, weight, bias, onto)]):
            return linear_kept(input, weight, bias, onto, activation=activation)[0]
    return linear_epilogue(input, weight, bias, onto, activation=activation)


def _separate(y: Tensor, activation: int) -> Tensor:
    return y if activation == NONE else epilogue.OPS[activation](y)
