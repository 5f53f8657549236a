"""MobileNets: depthwise separable convolutions (Howard et al. 2017), inverted residuals (Sandler et al. 2018), and both
with squeeze-and-excitation and hard activations (Howard et al. 2019). Layout and names of versions 2 and 3 are
torchvision's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import gpunet
from gpunet import nn
from gpunet.models._registry import build, register
from gpunet.tensor import Tensor
from gpunet.vision.ops import Conv2dNormActivation, SqueezeExcitation

__all__ = ["InvertedResidual", "MobileNetV1", "MobileNetV2", "MobileNetV3", "make_divisible", "mobilenet_v1",
           "mobilenet_v2", "mobilenet_v3_large", "mobilenet_v3_small"]


def make_divisible(value: float, divisor: int = 8, min_value: int | None = None) -> int:
    """The number of channels nearest to `value` that is a multiple of `divisor` and not below 0.9 of it.

    Args:
        value: the wished number of channels.
        divisor: what the result is a multiple of.
        min_value: the least result; None: `divisor`.

    Examples:
        >>> models.mobilenet.make_divisible(32 * 0.75)
        24
    """
    nearest = max(divisor if min_value is None else min_value, int(value + divisor / 2) // divisor * divisor)
    return nearest + divisor if nearest < 0.9 * value else nearest


def init_weights(model: nn.Module) -> None:
    """Draws the first weights: convolutions for ReLU by their outputs, linear layers with deviation 0.01, no biases."""
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out")
        elif isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, 0, 0.01)
        if isinstance(module, (nn.Conv2d, nn.Linear)) and module.bias is not None:
            nn.init.zeros_(module.bias)


class _Classified(nn.Module):
    """Features, their mean over the image, a classifier."""

    features: nn.Module
    classifier: nn.Module

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(gpunet.flatten(nn.functional.adaptive_avg_pool2d(self.features(x), (1, 1)), 1))


class MobileNetV1(_Classified):
    """Thirteen pairs of a depthwise 3x3 and a 1x1 convolution.

    Args:
        num_classes: outputs of the last layer.
        width_mult: factor on the numbers of channels.
        dropout: probability that a value is dropped before the last layer.

    Shape:
        Input [N, 3, H, W]; output [N, num_classes], before a softmax.

    Examples:
        >>> models.MobileNetV1(num_classes=4, width_mult=0.25)(gpunet.zeros(2, 3, 32, 32)).shape
        gpunet.Size([2, 4])
    """

    def __init__(self, num_classes: int = 1000, width_mult: float = 1.0, dropout: float = 0.001) -> None:
        super().__init__()
        channels = make_divisible(32 * width_mult)
        layers: list[nn.Module] = [Conv2dNormActivation(3, channels, stride=2)]
        for outputs, stride in ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *((512, 1),) * 5,
                                (1024, 2), (1024, 1)):
            outputs = make_divisible(outputs * width_mult)
            layers += [Conv2dNormActivation(channels, channels, stride=stride, groups=channels),
                       Conv2dNormActivation(channels, outputs, 1)]
            channels = outputs
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(nn.Dropout(dropout), nn.Linear(channels, num_classes))
        init_weights(self)


class InvertedResidual(nn.Module):
    """A 1x1 convolution to more channels, a depthwise 3x3 one, a 1x1 one to few without activation; and the shortcut.

    Args:
        inp: channels of the input.
        oup: channels of the output.
        stride: step of the depthwise convolution: 1 or 2.
        expand_ratio: how many times more channels are between; 1: the first convolution is left out.
        norm_layer: makes the normalizations; None: BatchNorm2d.

    Examples:
        >>> models.mobilenet.InvertedResidual(8, 8, 1, 6)(gpunet.zeros(1, 8, 4, 4)).shape
        gpunet.Size([1, 8, 4, 4])
    """

    def __init__(self, inp: int, oup: int, stride: int, expand_ratio: int,
                 norm_layer: Callable[..., nn.Module] | None = None) -> None:
        super().__init__()
        if stride not in (1, 2):
            raise ValueError(f"InvertedResidual: stride is 1 or 2, got {stride}")
        hidden, norm = round(inp * expand_ratio), norm_layer or nn.BatchNorm2d
        convolution = partial(Conv2dNormActivation, norm_layer=norm, activation_layer=nn.ReLU6)
        self.stride, self.use_res_connect = stride, stride == 1 and inp == oup
        self.conv = nn.Sequential(*([convolution(inp, hidden, 1)] if expand_ratio != 1 else []),
                                  convolution(hidden, hidden, stride=stride, groups=hidden),
                                  nn.Conv2d(hidden, oup, 1, bias=False), norm(oup))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv(x) if self.use_res_connect else self.conv(x)


# Factor of the channels between, channels, number of blocks, stride of the first.
_SETTING = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))


class MobileNetV2(_Classified):
    """Seventeen inverted residuals.

    Args:
        num_classes: outputs of the last layer.
        width_mult: factor on the numbers of channels.
        inverted_residual_setting: for each stage: factor of the channels between, channels, number of blocks, stride
            of the first; None: the paper's.
        round_nearest: numbers of channels are multiples of it.
        norm_layer: makes the normalizations; None: BatchNorm2d.
        dropout: probability that a value is dropped before the last layer.

    Shape:
        Input [N, 3, H, W]; output [N, num_classes], before a softmax.

    Examples:
        >>> models.MobileNetV2(num_classes=4, width_mult=0.25)(gpunet.zeros(2, 3, 32, 32)).shape
        gpunet.Size([2, 4])
    """

    def __init__(self, num_classes: int = 1000, width_mult: float = 1.0,
                 inverted_residual_setting: Sequence[Sequence[int]] | None = None, round_nearest: int = 8,
                 norm_layer: Callable[..., nn.Module] | None = None, dropout: float = 0.2) -> None:
        super().__init__()
        channels = make_divisible(32 * width_mult, round_nearest)
        self.last_channel = make_divisible(1280 * max(1.0, width_mult), round_nearest)
        convolution = partial(Conv2dNormActivation, norm_layer=norm_layer or nn.BatchNorm2d,
                              activation_layer=nn.ReLU6)
        layers: list[nn.Module] = [convolution(3, channels, stride=2)]
        for factor, outputs, count, stride in inverted_residual_setting or _SETTING:
            outputs = make_divisible(outputs * width_mult, round_nearest)
            for index in range(count):
                layers.append(InvertedResidual(channels, outputs, stride if index == 0 else 1, factor, norm_layer))
                channels = outputs
        layers.append(convolution(channels, self.last_channel, 1))
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(nn.Dropout(dropout), nn.Linear(self.last_channel, num_classes))
        init_weights(self)


class _Block(nn.Module):
    """An inverted residual of version 3, perhaps with squeeze-and-excitation."""

    def __init__(self, inputs: int, kernel: int, hidden: int, outputs: int, squeeze: bool, activation: type[nn.Module],
                 stride: int, dilation: int, norm_layer: Callable[..., nn.Module]) -> None:
        super().__init__()
        convolution = partial(Conv2dNormActivation, norm_layer=norm_layer)
        layers: list[nn.Module] = []
        if hidden != inputs:
            layers.append(convolution(inputs, hidden, 1, activation_layer=activation))
        layers.append(convolution(hidden, hidden, kernel, 1 if dilation > 1 else stride, dilation=dilation,
                                  groups=hidden, activation_layer=activation))
        if squeeze:
            layers.append(SqueezeExcitation(hidden, make_divisible(hidden // 4), scale_activation=nn.Hardsigmoid))
        layers.append(convolution(hidden, outputs, 1, activation_layer=None))
        self.block = nn.Sequential(*layers)
        self.use_res_connect = stride == 1 and inputs == outputs

    def forward(self, input: Tensor) -> Tensor:
        return self.block(input) + input if self.use_res_connect else self.block(input)


# Of each block: kernel, channels between, channels of the output, squeeze-and-excitation (s), ReLU (r) or Hardswish
# (h), stride; a star marks what `dilated` and `reduced_tail` change.
_LARGE = """3 16 16 r 1; 3 64 24 r 2; 3 72 24 r 1; 5 72 40 sr 2; 5 120 40 sr 1; 5 120 40 sr 1; 3 240 80 h 2;
    3 200 80 h 1; 3 184 80 h 1; 3 184 80 h 1; 3 480 112 sh 1; 3 672 112 sh 1; 5 672 160 sh* 2;
    5 960 160 sh* 1; 5 960 160 sh* 1"""
_SMALL = """3 16 16 sr 2; 3 72 24 r 2; 3 88 24 r 1; 5 96 40 sh 2; 5 240 40 sh 1; 5 240 40 sh 1; 5 120 48 sh 1;
    5 144 48 sh 1; 5 288 96 sh* 2; 5 576 96 sh* 1; 5 576 96 sh* 1"""


class MobileNetV3(_Classified):
    """Inverted residuals with squeeze-and-excitation and hard activations, found by search.

    Args:
        size: "large" or "small".
        num_classes: outputs of the last layer.
        width_mult: factor on the numbers of channels.
        dropout: probability that a value is dropped before the last layer.
        reduced_tail: halve the channels of the last blocks.
        dilated: dilate the last blocks instead of stepping.
        norm_layer: makes the normalizations; None: BatchNorm2d with eps 0.001 and momentum 0.01.

    Shape:
        Input [N, 3, H, W]; output [N, num_classes], before a softmax.

    Raises:
        ValueError: the size is another.

    Examples:
        >>> models.MobileNetV3("small", num_classes=4, width_mult=0.25)(gpunet.zeros(2, 3, 32, 32)).shape
        gpunet.Size([2, 4])
    """

    def __init__(self, size: str, num_classes: int = 1000, width_mult: float = 1.0, dropout: float = 0.2,
                 reduced_tail: bool = False, dilated: bool = False,
                 norm_layer: Callable[..., nn.Module] | None = None) -> None:
        super().__init__()
        if size not in ("large", "small"):
            raise ValueError(f"MobileNetV3: size is 'large' or 'small', got {size!r}")
        norm = norm_layer or partial(nn.BatchNorm2d, eps=0.001, momentum=0.01)
        halved, dilation = 2 if reduced_tail else 1, 2 if dilated else 1
        channels, first_in_tail = make_divisible(16 * width_mult), True
        layers: list[nn.Module] = [Conv2dNormActivation(3, channels, stride=2, norm_layer=norm,
                                                        activation_layer=nn.Hardswish)]
        for text in (_LARGE if size == "large" else _SMALL).split(";"):
            kernel, hidden, outputs, marks, stride = text.split()
            tail = "*" in marks
            hidden_factor = 1 if tail and first_in_tail else halved if tail else 1
            first_in_tail = first_in_tail and not tail
            wide = make_divisible(int(hidden) // hidden_factor * width_mult)
            output = make_divisible(int(outputs) // (halved if tail else 1) * width_mult)
            layers.append(_Block(channels, int(kernel), wide, output, "s" in marks,
                                 nn.Hardswish if "h" in marks else nn.ReLU, int(stride), dilation if tail else 1, norm))
            channels = output
        last = make_divisible((1280 if size == "large" else 1024) // halved * width_mult)
        layers.append(Conv2dNormActivation(channels, 6 * channels, 1, norm_layer=norm, activation_layer=nn.Hardswish))
        self.features = nn.Sequential(*layers)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(nn.Linear(6 * channels, last), nn.Hardswish(inplace=True),
                                        nn.Dropout(dropout, inplace=True), nn.Linear(last, num_classes))
        init_weights(self)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(gpunet.flatten(self.avgpool(self.features(x)), 1))


@register
def mobilenet_v1(*, weights: Any = None, progress: bool = True, **options: Any) -> MobileNetV1:
    """MobileNet v1, 4.2 million weights."""
    return build(MobileNetV1, "mobilenet_v1", weights, options)


@register
def mobilenet_v2(*, weights: Any = None, progress: bool = True, **options: Any) -> MobileNetV2:
    """MobileNet v2, 3.5 million weights."""
    return build(MobileNetV2, "mobilenet_v2", weights, options)


@register
def mobilenet_v3_large(*, weights: Any = None, progress: bool = True, **options: Any) -> MobileNetV3:
    """MobileNet v3 large, 5.5 million weights."""
    return build(MobileNetV3, "mobilenet_v3_large", weights, options, "large")


@register
def mobilenet_v3_small(*, weights: Any = None, progress: bool = True, **options: Any) -> MobileNetV3:
    """MobileNet v3 small, 2.5 million weights."""
    return build(MobileNetV3, "mobilenet_v3_small", weights, options, "small")
