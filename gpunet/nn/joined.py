"""Layers that are computed together with what follows them: in Sequential, and in layers and models that say so.

What follows a linear layer is the sum with a residual, and an activation. What follows a convolution is an activation
and, where no gradients are recorded, a batch norm by running statistics and the sum with a residual. What follows a
batch norm in training is the sum with a residual and ReLU. Results have the
bits of the separate layers (but for a batch norm on the CPU, which is folded into the weight). A layer that has hooks,
or is of a class of its own, is called by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

from gpunet.engine.extensions import extensions
from gpunet.engine.modes import mode
from gpunet.nn import functional as F
from gpunet.nn.activation import GELU, ReLU, SiLU
from gpunet.nn.conv import Conv1d, Conv2d
from gpunet.nn.dropout import Dropout, added
from gpunet.nn.hooks import note_layer
from gpunet.nn.linear import Linear
from gpunet.nn.module import Module
from gpunet.nn.normalization import BatchNorm1d, BatchNorm2d, BatchNorm3d
from gpunet.nn.plain import is_plain
from gpunet.ops.conv import convolved
from gpunet.ops.epilogue import GELU as EXACT_GELU
from gpunet.ops.epilogue import GELU_TANH, NONE, OPS, RELU, SILU
from gpunet.ops.linear import linear_relu
from gpunet.ops.linear_epilogue import linear_with
from gpunet.tensor import Tensor

LINEAR: dict[type, Callable[[Any], tuple[Tensor, Tensor | None]]] = {  # a layer's class -> its weight and its bias
    Linear: lambda layer: (layer.weight, layer.bias)}
_FUNCTIONS: dict[Any, int] = {F.relu: RELU, F.gelu: EXACT_GELU, F.silu: SILU}
_MODULES: dict[type, Callable[[Any], int]] = {
    ReLU: lambda module: RELU, SiLU: lambda module: SILU,
    GELU: lambda module: {"none": EXACT_GELU, "tanh": GELU_TANH}.get(module.approximate, NONE)}


def is_zero_padded(module: Module) -> bool:
    """Whether it is a convolution, and nothing else, that pads with zeros."""
    kind = type(module)
    return (kind is Conv2d or kind is Conv1d) and module.padding_mode == "zeros" and is_plain(module, kind)


def is_linear(module: Module) -> bool:
    """Whether it is a linear layer, and nothing else."""
    return type(module) in LINEAR and not module._hooked and "forward" not in module.__dict__


def activation_of(function: Any) -> int:
    """The number (ops/epilogue.py) of an activation, a module or a function, that is computed with the layer before it;
    NONE for all others."""
    number_of = _MODULES.get(type(function))
    if number_of is not None:
        return number_of(function) if is_plain(function, type(function)) else NONE
    return NONE if isinstance(function, Module) else _FUNCTIONS.get(function, NONE)


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


def called(first: Any, norm: Any, activation: int, input: Tensor, onto: Tensor | None = None) -> Tensor:
    """A linear layer or a convolution, with what follows: a batch norm that `is_folded`, the sum with `onto` (where no
    gradients are recorded, after a convolution), an activation."""
    if norm is None and activation == NONE and onto is None:
        return first(input)
    try:
        if extensions.profiler is not None:
            with extensions.profiler.module(first):
                return _fused(first, norm, activation, input, onto)
        return _fused(first, norm, activation, input, onto)
    except Exception as error:
        note_layer(error, first)
        raise


def _fused(first: Any, norm: Any, activation: int, input: Tensor, onto: Tensor | None) -> Tensor:
    kind = type(first)
    if kind is Linear and onto is None and activation == RELU:  # called most often, so by the shortest way
        return linear_relu(input, first.weight, first.bias)
    if kind in LINEAR:
        return linear_with(input, *LINEAR[kind](first), activation, onto)
    if norm is not None and input.ndim != first.rank + 2:  # which the norm refuses, or takes in another way
        return _after(norm(first(input)), activation, onto)
    if activation > RELU and mode.grad:  # its gradient needs what is before it
        return _after(first(input), activation, onto)
    vectors = None if norm is None else (norm.running_mean, norm.running_var, norm.weight, norm.bias)
    return convolved(f"conv{first.rank}d", first.rank, input, first.weight, first.bias, first.stride, first.padding,
                     first.dilation, first.groups, activation, vectors, 0.0 if norm is None else norm.eps, onto)


def _after(x: Tensor, activation: int, onto: Tensor | None) -> Tensor:
    x = x if onto is None else x + onto
    return x if activation == NONE else OPS[activation](x)


def activated(layer: Module, activation: Any, input: Tensor) -> Tensor:
    """activation(layer(input)), of a linear layer and an activation: a module, a function, or a number."""
    if isinstance(activation, int):
        number, function = activation, OPS[activation]
    else:
        number, function = activation_of(activation), activation
    return called(layer, None, number, input) if number and is_linear(layer) else function(layer(input))


def projected(layer: Module, drop: Module, input: Tensor, onto: Tensor) -> Tensor:
    """onto + drop(layer(input)), of a linear layer: the end of a residual connection."""
    if is_linear(layer) and is_plain(drop, Dropout) and (not drop.training or drop.p == 0):
        return called(layer, None, NONE, input, onto)
    return added(drop, layer(input), onto)


def normalized(layer: Module, norm: Module, input: Tensor, activation: Module | None, onto: Tensor | None = None
               ) -> Tensor:
    """activation(norm(layer(input)) + onto), of a convolution and its batch norm."""
    number = NONE if activation is None else activation_of(activation)
    if (is_zero_padded(layer) and is_folded(layer, norm) and (activation is None or number)
            and (onto is None or onto.dtype == input.dtype)):
        return called(layer, norm, number, input, onto)
    y = layer(input)
    if number == RELU and is_followed(norm, y):
        return rectified(norm, y, onto)
    y = norm(y)
    y = y if onto is None else y + onto
    return y if activation is None else activation(y)


def is_followed(module: Module, input: Any) -> bool:
    """Whether a module is a batch norm, and nothing else, in training on a device where what follows it is done with
    it."""
    kind = type(module)
    return (kind is BatchNorm2d or kind is BatchNorm1d or kind is BatchNorm3d) and module.training and (
        type(input) is Tensor and input._device.joins and is_plain(module, kind))


def rectified(norm: Any, input: Tensor, onto: Tensor | None = None) -> Tensor:
    """relu(norm(input) + onto), of a batch norm that `is_followed`."""
    try:
        with extensions.profiler.module(norm) if extensions.profiler is not None else nullcontext():
            return norm.with_relu(input, onto)
    except Exception as error:
        note_layer(error, norm)
        raise
