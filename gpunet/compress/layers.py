"""Layers with 8-bit weights, and the layers of quantization-aware training that become them."""

from __future__ import annotations

from typing import Any, Self

import gpunet
import gpunet.nn.functional as F
from gpunet import nn
from gpunet.compress.fake import FakeQuantize
from gpunet.compress.int8 import int8_conv, int8_linear, int8_range
from gpunet.compress.observers import MinMaxObserver
from gpunet.ops.windows import windows
from gpunet.tensor import Tensor

__all__ = ["QuantizedConv2d", "QuantizedLinear"]

Qparams = tuple[Tensor, Tensor]


def quantized_weight(weight: Tensor) -> tuple[Tensor, Tensor]:
    """A weight as int8, and the scale of each output: symmetric, from -127 to 127."""
    observer = MinMaxObserver(symmetric=True, ch_axis=0).to(weight.device)
    observer(weight)
    scale, _ = observer.calculate_qparams()
    steps = (weight.detach().float() * (1 / scale).reshape(-1, *[1] * (weight.ndim - 1))).round()
    return steps.to(gpunet.int8), scale


class _Quantized(nn.Module):
    """int8 weights with a scale for each output, and the input's range if it is fixed."""

    weight: Tensor
    weight_scale: Tensor
    bias: Tensor | None
    input_scale: Tensor | None
    input_zero_point: Tensor | None

    def _hold(self, shape: tuple[int, ...], bias: bool, static: bool) -> None:
        self.register_buffer("weight", gpunet.zeros(shape, dtype=gpunet.int8))
        self.register_buffer("weight_scale", gpunet.ones(shape[0]))
        self.register_buffer("bias", gpunet.zeros(shape[0]) if bias else None)
        self.register_buffer("input_scale", gpunet.tensor(1.0) if static else None)
        self.register_buffer("input_zero_point", gpunet.tensor(0.0) if static else None)

    def _fill(self, layer: Any, input_qparams: Qparams | None) -> Self:
        self.to(layer.weight.device)
        weight, self.weight_scale = quantized_weight(layer.weight)
        # The order in which the native convolution reads it.
        self.weight = weight.contiguous(memory_format=gpunet.channels_last) if weight.ndim == 4 else weight
        if layer.bias is not None:
            self.bias = layer.bias.detach().float().clone()
        if input_qparams is not None:
            self.input_scale, self.input_zero_point = input_qparams
        return self.eval()

    def _input_qparams(self, x: Tensor) -> Any:
        """The fixed range, or that of this very input."""
        if self.input_scale is not None:
            return self.input_scale, self.input_zero_point
        if not x.numel():
            return gpunet.ones((), device=x.device), gpunet.zeros((), device=x.device)
        return int8_range(x)

    def dequantized_weight(self) -> Tensor:
        """The weight as floats.

        Returns:
            Tensor of the weight's shape.
        """
        return self.weight.float() * self.weight_scale.reshape(-1, *[1] * (self.weight.ndim - 1))


class QuantizedLinear(_Quantized):
    """A linear layer with int8 weights, whose input is rounded to 8 bits on the way; sums are exact integers.

    Inference only: it has no gradient. `quantize_dynamic` and `convert` make it from `nn.Linear`.

    Args:
        in_features: size of the input's last dimension.
        out_features: of the output's.
        bias: whether a bias is added.
        static: whether the input's range is fixed; else it is that of each input.

    Shape:
        Input [..., in_features] of float32; output [..., out_features].

    Examples:
        >>> layer = nn.Linear(16, 4)
        >>> quantized = gpunet.compress.QuantizedLinear.from_float(layer)
        >>> x = gpunet.rand(2, 16)
        >>> (quantized(x) - layer(x)).abs().max().item() < 0.02
        True
    """

    def __init__(self, in_features: int, out_features: int, bias: bool = True, static: bool = False) -> None:
        super().__init__()
        self.in_features, self.out_features = in_features, out_features
        self._hold((out_features, in_features), bias, static)

    @classmethod
    def from_float(cls, layer: nn.Linear, input_qparams: Qparams | None = None) -> QuantizedLinear:
        """The layer of a float one.

        Args:
            layer: the linear layer.
            input_qparams: (scale, zero_point) of its input; None: those of each input.

        Returns:
            The quantized layer, in eval mode.
        """
        made = cls(layer.in_features, layer.out_features, layer.bias is not None, input_qparams is not None)
        return made._fill(layer, input_qparams)

    def forward(self, x: Tensor) -> Tensor:
        x = x.detach()
        return int8_linear(x, self.weight, self.weight_scale, self.bias, *self._input_qparams(x))

    def extra_repr(self) -> str:
        static = self.input_scale is not None
        return f"in_features={self.in_features}, out_features={self.out_features}, static={static}"


class QuantizedConv2d(_Quantized):
    """A convolution with int8 weights, as a product of the windows with them: `QuantizedLinear` for images.

    Grouped convolutions compute with floats that have the integers' values.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        kernel_size: height and width of the window.
        stride: step of the window.
        padding: zeros around the image.
        dilation: distance between the window's points.
        groups: groups of channels.
        bias: whether a bias is added.
        static: whether the input's range is fixed.

    Shape:
        Input [N, C, H, W] of float32.

    Examples:
        >>> layer = nn.Conv2d(3, 4, 3, padding=1)
        >>> quantized = gpunet.compress.QuantizedConv2d.from_float(layer)
        >>> x = gpunet.rand(2, 3, 8, 8)
        >>> (quantized(x) - layer(x)).abs().max().item() < 0.05
        True
    """

    def __init__(self, in_channels: int, out_channels: int, kernel_size: Any, stride: Any = 1, padding: Any = 0,
                 dilation: Any = 1, groups: int = 1, bias: bool = True, static: bool = False) -> None:
        super().__init__()
        self.kernel_size, self.stride, self.padding, self.dilation = (
            (value, value) if isinstance(value, int) else value for value in (kernel_size, stride, padding, dilation))
        self.in_channels, self.out_channels, self.groups = in_channels, out_channels, groups
        self._hold((out_channels, in_channels // groups, *self.kernel_size), bias, static)

    @classmethod
    def from_float(cls, layer: nn.Conv2d, input_qparams: Qparams | None = None) -> QuantizedConv2d:
        """The layer of a float one.

        Args:
            layer: the convolution, which pads with zeros and by numbers.
            input_qparams: (scale, zero_point) of its input; None: those of each input.

        Returns:
            The quantized layer, in eval mode.
        """
        made = cls(layer.in_channels, layer.out_channels, layer.kernel_size, layer.stride, layer.padding,
                   layer.dilation, layer.groups, layer.bias is not None, input_qparams is not None)
        return made._fill(layer, input_qparams)

    def forward(self, x: Tensor) -> Tensor:
        x = x.detach()
        scale, zero_point = self._input_qparams(x)
        if self.groups > 1:
            rounded = ((x * (1 / scale)).round() + zero_point).clamp(-128, 127) - zero_point
            return F.conv2d(rounded * scale, self.dequantized_weight(), self.bias, self.stride, self.padding,
                            self.dilation, self.groups)
        padding = tuple((pad, pad) for pad in self.padding)
        at = windows(x.shape[2:], self.kernel_size, self.stride, padding, self.dilation)
        return int8_conv(x, self.weight, self.weight_scale, self.bias, scale, zero_point, at=at)

    def extra_repr(self) -> str:
        return (f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}, "
                f"padding={self.padding}, static={self.input_scale is not None}")


class QATLinear(nn.Linear):
    """A linear layer that trains with the rounding of its weight and its input."""

    def __init__(self, layer: nn.Linear) -> None:
        super().__init__(layer.in_features, layer.out_features, layer.bias is not None)
        _take_over(self, layer)

    def forward(self, input: Tensor) -> Tensor:
        return F.linear(self.input_fake(input), self.weight_fake(self.weight), self.bias)


class QATConv2d(nn.Conv2d):
    """A convolution that trains with the rounding of its weight and its input."""

    def __init__(self, layer: Any) -> None:
        super().__init__(layer.in_channels, layer.out_channels, layer.kernel_size, layer.stride, layer.padding,
                         layer.dilation, layer.groups, layer.bias is not None)
        _take_over(self, layer)

    def forward(self, input: Tensor) -> Tensor:
        return F.conv2d(self.input_fake(input), self.weight_fake(self.weight), self.bias, self.stride, self.padding,
                        self.dilation, self.groups)


def _take_over(made: Any, layer: Any) -> None:
    made.weight, made.bias = layer.weight, layer.bias
    made.input_fake = FakeQuantize().to(layer.weight.device)
    made.weight_fake = FakeQuantize(MinMaxOfNow(symmetric=True, ch_axis=0)).to(layer.weight.device)
    made.weight_fake.observer(layer.weight)
    made.train(layer.training)


class MinMaxOfNow(MinMaxObserver):
    """The ends of the last values alone: of weights, which change as a whole."""

    def update(self, low: Tensor, high: Tensor) -> None:
        self.min_val, self.max_val = low, high
