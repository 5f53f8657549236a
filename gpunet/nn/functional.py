"""`torch.nn.functional`'s functions, by its names: what layers compute, without their parameters."""

from __future__ import annotations

from gpunet.ops import activation as _activation
from gpunet.ops.activation import gelu, softplus
from gpunet.ops.elementary import tanh
from gpunet.ops.cross_entropy import cross_entropy, nll_loss
from gpunet.ops.loss import huber_loss, l1_loss, mse_loss, smooth_l1_loss
from gpunet.ops.matmul import linear
from gpunet.ops.random import dropout
from gpunet.ops.reduce import log_softmax, softmax
from gpunet.tensor import Tensor

__all__ = ["cross_entropy", "dropout", "gelu", "linear", "log_softmax", "mse_loss", "relu", "relu_", "sigmoid", "silu",
           "softmax", "softplus", "tanh"]

sigmoid = _activation.sigmoid
_relu = _activation.relu.method()  # called faster than the op


def relu(input: Tensor, inplace: bool = False) -> Tensor:
    """max(input, 0)."""
    return input.relu_() if inplace else _relu(input)


def relu_(input: Tensor) -> Tensor:
    """max(input, 0), in place."""
    return input.relu_()


def silu(input: Tensor, inplace: bool = False) -> Tensor:
    """input * sigmoid(input) (Hendrycks and Gimpel, 2016; also called swish)."""
    if inplace:  # the gradient needs the old values
        return input.copy_(_activation.silu(input.clone()))
    return _activation.silu(input)
