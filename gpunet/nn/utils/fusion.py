"""Layers of evaluation mode made into one."""

from __future__ import annotations

import copy

from gpunet.engine.modes import no_grad
from gpunet.nn.module import Module
from gpunet.nn.parameter import Parameter


def fuse_conv_bn_eval(conv: Module, bn: Module, transpose: bool = False) -> Module:
    """A convolution that does what `bn`, by its running statistics, does after `conv`. Both in evaluation mode."""
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
