"""Layers of evaluation mode made into one."""

from __future__ import annotations

import copy
from typing import TypeVar

from gpunet.engine.modes import no_grad
from gpunet.nn.module import Module
from gpunet.nn.parameter import Parameter

ConvT = TypeVar("ConvT", bound=Module)


def fuse_conv_bn_eval(conv: ConvT, bn: Module, transpose: bool = False) -> ConvT:
    """Merges a batch norm into the convolution before it, by its running statistics.

    Args:
        conv: a convolution, or a transposed one, in evaluation mode.
        bn: the batch norm after it, in evaluation mode, with running statistics.
        transpose: whether conv is a transposed convolution.

    Returns:
        A copy of conv, with a bias, that does what both do.

    Raises:
        AssertionError: a layer is in training mode.

    Examples:
        >>> conv, bn = nn.Conv2d(3, 4, 3).eval(), nn.BatchNorm2d(4).eval()
        >>> x = gpunet.randn(1, 3, 5, 5)
        >>> gpunet.allclose(nn.utils.fuse_conv_bn_eval(conv, bn)(x), bn(conv(x)), atol=1e-5)
        True
    """
    if conv.training or bn.training:
        raise AssertionError("fuse_conv_bn_eval: call eval() on both layers first")
    fused = copy.deepcopy(conv)
    with no_grad():
        factor = (bn.running_var + bn.eps).rsqrt()
        factor = factor if bn.weight is None else factor * bn.weight
        rank = conv.weight.ndim
        channels = (1, -1) if transpose else (-1, 1)
        bias = -bn.running_mean if conv.bias is None else conv.bias - bn.running_mean
        bias = bias * factor if bn.bias is None else bias * factor + bn.bias
        fused.weight = Parameter(conv.weight * factor.reshape(*channels, *[1] * (rank - 2)), conv.weight.requires_grad)
        fused.bias = Parameter(bias, True if conv.bias is None else conv.bias.requires_grad)
    return fused
