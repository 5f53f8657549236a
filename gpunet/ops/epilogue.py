"""What products and convolutions do with their sums before they store them (kernels/epilogue.cuh): which activations
there are, by number, and what the epilogue is in NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np

from gpunet.dtypes import FLOAT64_NP
from gpunet.ops import activation as _of
from gpunet.ops import elementwise
from gpunet.ops.rules import accumulator

# As in kernels/epilogue.cuh, and but for the last one in kernels/cpu/sgemm.h.
NONE, RELU, GELU, GELU_TANH, SILU = range(5)
OPS: tuple[Any, ...] = (None, _of.relu_op, _of.gelu_op, _of.gelu_tanh_op, _of.silu_op)
GRADIENTS: tuple[Any, ...] = (None, _of.relu_grad_op, _of.gelu_grad_op, _of.gelu_tanh_grad_op, _of.silu_grad_op)
BY_FUNCTION = {each and each.op.pointwise: number for number, each in enumerate(OPS)}  # by its name in pointwise.cuh
OPTIONS = ("-fmad=false",)  # of kernels with an epilogue


def served(dtype: Any, activation: int) -> bool:
    """Whether kernels have an activation for a type: in double ReLU alone."""
    return activation <= RELU or dtype != FLOAT64_NP


def after_of(dtype, arrays=(None,) * 5, eps: float = 0.0, activation: int = NONE) -> Any:
    """After of epilogue.cuh. arrays: a batch norm's mean, variance, scale and shift, of dtype or of the type that it
    computes in; what the result is added to."""
    wide, mean = accumulator(dtype), arrays[0]
    layout = np.dtype([("arrays", "u8", 5), ("eps", wide), ("activation", "i4"), ("wide", "i4")], align=True)
    return np.array(([0 if each is None else each.data.ptr for each in arrays], eps, activation,
                     mean is not None and mean.dtype != dtype), layout)[()]


def apply(xp: Any, out: Any, onto: Any, activation: int) -> None:
    """out = activation(out + onto), each step rounded to out's type."""
    if onto is not None:
        xp.add(out, onto, out=out)
    operation = OPS[activation]
    if operation is not None:
        operation.op.body(xp, out, out)


def apply_native(out: Any, x: Any, onto: Any, activation: int) -> None:
    """out = activation(x + onto) by the CPU's kernels, of float32. Where there is nothing to do out must be x."""
    if onto is not None:
        elementwise.binary("add", out, x, onto)
        x = out
    operation = OPS[activation]
    if operation is not None:
        elementwise.unary(operation.op.name, out, x)
