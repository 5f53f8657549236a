"""Layers that Sequential calls together with what follows them: a ReLU, and in evaluation a batch norm."""

from __future__ import annotations

from typing import Any

from gpunet.engine.extensions import extensions
from gpunet.engine.modes import mode
from gpunet.nn.conv import Conv1d, Conv2d
from gpunet.nn.hooks import note_layer
from gpunet.nn.linear import Linear
from gpunet.nn.module import Module
from gpunet.nn.normalization import BatchNorm1d, BatchNorm2d
from gpunet.ops.conv import convolved
from gpunet.ops.linear import linear_relu
from gpunet.tensor import Tensor


def is_plain(module: Module, kind: type) -> bool:
    """Whether a call of the module is `kind.forward` and nothing else."""
    return type(module) is kind and not module._hooked and "forward" not in module.__dict__


def is_zero_padded(module: Module) -> bool:
    """Whether it is a convolution, and nothing else, that pads with zeros."""
    kind = type(module)
    return (kind is Conv2d or kind is Conv1d) and module.padding_mode == "zeros" and is_plain(module, kind)


def is_folded(first: Module, module: Module) -> bool:
    """Whether a module is a batch norm by running statistics that the convolution before it does in one pass: in
    evaluation, where no gradients are recorded, and where all has one type."""
    kind = type(module)
    if not (kind is BatchNorm2d and type(first) is Conv2d or kind is BatchNorm1d and type(first) is Conv1d):
        return False
    if module.training or mode.grad or mode.autocast or not is_plain(module, kind):
        return False
    vectors = module.running_mean, module.running_var, module.weight, module.bias
    return vectors[0] is not None and vectors[1] is not None and all(
        [each is None or each.shape == (first.out_channels,) and each.dtype == first.weight.dtype
         and each.device == first.weight.device for each in vectors])


def called(first: Any, norm: Any, relu: bool, input: Tensor) -> Tensor:
    """A linear layer or a convolution, with the batch norm and the ReLU that follow."""
    if norm is None and not relu:
        return first(input)
    try:
        if extensions.profiler is not None:
            with extensions.profiler.module(first):
                return _fused(first, norm, relu, input)
        return _fused(first, norm, relu, input)
    except Exception as error:
        note_layer(error, first)
        raise


def _fused(first: Any, norm: Any, relu: bool, input: Tensor) -> Tensor:
    if type(first) is Linear:
        return linear_relu(input, first.weight, first.bias)
    if norm is not None and input.ndim != first.rank + 2:  # which the norm refuses, or takes in another way
        input = norm(first(input))
        return input.relu() if relu else input
    vectors = None if norm is None else (norm.running_mean, norm.running_var, norm.weight, norm.bias)
    return convolved(f"conv{first.rank}d", first.rank, input, first.weight, first.bias, first.stride, first.padding,
                     first.dilation, first.groups, relu, vectors, 0.0 if norm is None else norm.eps)
