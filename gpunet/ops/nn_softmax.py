"""nn.functional's forms of the softmax family: `dim` may be left out there, with a warning."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpunet._warn import warn
from gpunet.ops.conditions import eq_op
from gpunet.ops.elementary import log_op
from gpunet.ops.extremes import argmax
from gpunet.ops.random import rand_like
from gpunet.ops.ranges import arange
from gpunet.ops.rules import require_float
from gpunet.ops.softmax import along_dim, log_softmax_op, softmax_op

if TYPE_CHECKING:
    from gpunet.dtypes import dtype as Type
    from gpunet.tensor import Tensor


def _dim_for(name, input):
    """PyTorch's old choice of the dimension, by the rank."""
    warn(f"{name}: dim should be given; without it, 0 or 1 is chosen by the rank")
    return 0 if input._array.ndim in (0, 1, 3) else 1


def softmax(input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: Type | None = None) -> Tensor:
    """Softmax along a dimension: y_i = e^x_i / sum over j of e^x_j.

    It does not overflow for finite x.

    Args:
        input: tensor of a floating-point type.
        dim: dimension along which the probabilities add up to 1. Without it 0 is taken for tensors of 0, 1 or 3
            dimensions, else 1, with a warning.
        _stacklevel: accepted and ignored: that warning points at the user's line.
        dtype: type to which the input is cast first.

    Returns:
        Tensor of input's shape.

    Raises:
        RuntimeError: the input is of an integer type or bool, and no dtype is given.
        IndexError: there is no such dimension.

    Example:
        >>> gpunet.nn.functional.softmax(gpunet.tensor([1.0, 2.0]), 0)
        tensor([0.2689, 0.7311])
    """
    if dim is None:
        dim = _dim_for("softmax", input)
    return along_dim(softmax_op, input, dim, dtype)


def softmin(input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: Type | None = None) -> Tensor:
    """Softmax of the negative input along a dimension: y_i = e^-x_i / sum over j of e^-x_j.

    It does not overflow for finite x.

    Args:
        input: tensor of a floating-point type.
        dim: dimension along which the probabilities add up to 1. Without it 0 is taken for tensors of 0, 1 or 3
            dimensions, else 1, with a warning.
        _stacklevel: accepted and ignored: that warning points at the user's line.
        dtype: type to which the input is cast first.

    Returns:
        Tensor of input's shape.

    Raises:
        RuntimeError: the input is of an integer type or bool, and no dtype is given.
        IndexError: there is no such dimension.

    Example:
        >>> gpunet.nn.functional.softmin(gpunet.tensor([1.0, 2.0]), 0)
        tensor([0.7311, 0.2689])
    """
    if dim is None:
        dim = _dim_for("softmin", input)
    if dtype is None:
        require_float(input._array, "softmin")
    return along_dim(softmax_op, -input, dim, dtype)


def log_softmax(input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: Type | None = None) -> Tensor:
    """Logarithm of the softmax along a dimension: y_i = x_i - ln(sum over j of e^x_j).

    Small probabilities are not lost, as they would be in log(softmax(x)).

    Args:
        input: tensor of a floating-point type.
        dim: dimension along which the probabilities add up to 1. Without it 0 is taken for tensors of 0, 1 or 3
            dimensions, else 1, with a warning.
        _stacklevel: accepted and ignored: that warning points at the user's line.
        dtype: type to which the input is cast first.

    Returns:
        Tensor of input's shape.

    Raises:
        RuntimeError: the input is of an integer type or bool, and no dtype is given.
        IndexError: there is no such dimension.

    Example:
        >>> gpunet.nn.functional.log_softmax(gpunet.tensor([1.0, 2.0]), 0)
        tensor([-1.3133, -0.3133])
    """
    if dim is None:
        dim = _dim_for("log_softmax", input)
    return along_dim(log_softmax_op, input, dim, dtype)


def gumbel_softmax(logits: Tensor, tau: float = 1, hard: bool = False, eps: float = 1e-10, dim: int = -1) -> Tensor:
    """Random probabilities near one of the classes, with a gradient: softmax((logits + g) / tau), g being Gumbel noise.

    Source: Jang et al., "Categorical Reparameterization with Gumbel-Softmax", 2017.

    Args:
        logits: tensor of a floating-point type: unnormalised log-probabilities.
        tau: temperature: the lower, the nearer to one-hot.
        hard: one-hot values, with the gradient of the soft ones.
        eps: not used, as in PyTorch.
        dim: dimension of the classes.

    Returns:
        Tensor of the logits' shape.

    Example:
        >>> y = gpunet.nn.functional.gumbel_softmax(gpunet.tensor([[1.0, 2.0]]), hard=True)
        >>> y.sum()
        tensor(1.)
    """
    require_float(logits._array, "gumbel_softmax")
    noise = -log_op(-log_op(1 - rand_like(logits)))  # 1 - [0, 1) is never 0
    soft = along_dim(softmax_op, (logits + noise) / tau, dim, None)
    if not hard:
        return soft
    index = arange(soft._array.shape[dim], device=soft.device).reshape(
        [-1 if d == dim % soft.ndim else 1 for d in range(soft.ndim)])
    return eq_op(index, argmax(soft, dim, keepdim=True)).to(soft.dtype) - soft.detach() + soft
