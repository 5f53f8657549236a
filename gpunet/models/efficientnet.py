"""EfficientNet (Tan and Le 2019) and version 2 (2021): inverted residuals with squeeze-and-excitation, scaled together
in depth, width and image size. Layout and names are torchvision's.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import gpunet
from gpunet import nn
from gpunet.models._registry import build, register
from gpunet.models.mobilenet import make_divisible
from gpunet.tensor import Tensor
from gpunet.vision.ops import Conv2dNormActivation, SqueezeExcitation, StochasticDepth

__all__ = ["EfficientNet", "FusedMBConv", "MBConv", "efficientnet_b0", "efficientnet_b1", "efficientnet_b2",
           "efficientnet_b3", "efficientnet_b4", "efficientnet_b5", "efficientnet_b6", "efficientnet_b7",
           "efficientnet_v2_l", "efficientnet_v2_m", "efficientnet_v2_s"]


class MBConv(nn.Module):
    """An inverted residual with squeeze-and-excitation.

    Args:
        input_channels: channels of the input.
        out_channels: channels of the output.
        kernel: side of the depthwise window.
        stride: step of the depthwise window.
        expand_ratio: how many times more channels are between.
        stochastic_depth_prob: probability that the residual branch is dropped in training.
        norm_layer: makes the normalizations.

    Examples:
        >>> models.efficientnet.MBConv(8, 8, 3, 1, 6)(gpunet.zeros(1, 8, 4, 4)).shape
        gpunet.Size([1, 8, 4, 4])
    """

    def __init__(self, input_channels: int, out_channels: int, kernel: int, stride: int, expand_ratio: int,
                 stochastic_depth_prob: float = 0.0, norm_layer: Callable[..., nn.Module] = nn.BatchNorm2d) -> None:
        super().__init__()
        hidden = make_divisible(input_channels * expand_ratio)
        convolution = partial(Conv2dNormActivation, norm_layer=norm_layer, activation_layer=nn.SiLU)
        self.use_res_connect = stride == 1 and input_channels == out_channels
        self.block = nn.Sequential(
            *([convolution(input_channels, hidden, 1)] if hidden != input_channels else []),
            convolution(hidden, hidden, kernel, stride, groups=hidden),
            SqueezeExcitation(hidden, max(1, input_channels // 4), activation=partial(nn.SiLU, inplace=True)),
            convolution(hidden, out_channels, 1, activation_layer=None))
        self.stochastic_depth = StochasticDepth(stochastic_depth_prob, "row")

    def forward(self, input: Tensor) -> Tensor:
        result = self.block(input)
        return self.stochastic_depth(result) + input if self.use_res_connect else result


class FusedMBConv(nn.Module):
    """An `MBConv` with one 3x3 convolution in place of its first two, and no squeeze-and-excitation.

    Args:
        input_channels: channels of the input.
        out_channels: channels of the output.
        kernel: side of the window.
        stride: step of the window.
        expand_ratio: how many times more channels are between.
        stochastic_depth_prob: probability that the residual branch is dropped in training.
        norm_layer: makes the normalizations.

    Examples:
        >>> models.efficientnet.FusedMBConv(8, 8, 3, 1, 4)(gpunet.zeros(1, 8, 4, 4)).shape
        gpunet.Size([1, 8, 4, 4])
    """

    def __init__(self, input_channels: int, out_channels: int, kernel: int, stride: int, expand_ratio: int,
                 stochastic_depth_prob: float = 0.0, norm_layer: Callable[..., nn.Module] = nn.BatchNorm2d) -> None:
        super().__init__()
        hidden = make_divisible(input_channels * expand_ratio)
        convolution = partial(Conv2dNormActivation, norm_layer=norm_layer, activation_layer=nn.SiLU)
        self.use_res_connect = stride == 1 and input_channels == out_channels
        self.block = nn.Sequential(*(
            [convolution(input_channels, hidden, kernel, stride),
             convolution(hidden, out_channels, 1, activation_layer=None)]
            if hidden != input_channels else [convolution(input_channels, out_channels, kernel, stride)]))
        self.stochastic_depth = StochasticDepth(stochastic_depth_prob, "row")

    def forward(self, input: Tensor) -> Tensor:
        result = self.block(input)
        return self.stochastic_depth(result) + input if self.use_res_connect else result


# Of each stage: MBConv, or FusedMBConv (f), factor of the channels between, kernel, stride of the first block,
# channels, number of blocks; before the colon the channels of the first convolution, after it those of the last.
_FIRST = "32: 1 3 1 16 1; 6 3 2 24 2; 6 5 2 40 2; 6 3 2 80 3; 6 5 1 112 3; 6 5 2 192 4; 6 3 1 320 1: 0"
_STAGES = {
    "s": "24: f1 3 1 24 2; f4 3 2 48 4; f4 3 2 64 4; 4 3 2 128 6; 6 3 1 160 9; 6 3 2 256 15: 1280",
    "m": "24: f1 3 1 24 3; f4 3 2 48 5; f4 3 2 80 5; 4 3 2 160 7; 6 3 1 176 14; 6 3 2 304 18; 6 3 1 512 5: 1280",
    "l": "32: f1 3 1 32 4; f4 3 2 64 7; f4 3 2 96 7; 4 3 2 192 10; 6 3 1 224 19; 6 3 2 384 25; 6 3 1 640 7: 1280",
}


class EfficientNet(nn.Module):
    """Stages of `MBConv` or `FusedMBConv` blocks, the mean, a linear layer.

    Args:
        stages: "s", "m" or "l" for version 2; None: the stages of version 1.
        width_mult: factor on the numbers of channels.
        depth_mult: factor on the numbers of blocks.
        dropout: probability that a value is dropped before the last layer.
        stochastic_depth_prob: probability that the last block's residual branch is dropped; of those before it, less.
        num_classes: outputs of the last layer.
        norm_layer: makes the normalizations; None: BatchNorm2d.

    Shape:
        Input [N, 3, H, W]; output [N, num_classes], before a softmax.

    Examples:
        >>> models.EfficientNet(width_mult=0.25, num_classes=4)(gpunet.zeros(2, 3, 32, 32)).shape
        gpunet.Size([2, 4])
    """

    def __init__(self, stages: str | None = None, width_mult: float = 1.0, depth_mult: float = 1.0,
                 dropout: float = 0.2, stochastic_depth_prob: float = 0.2, num_classes: int = 1000,
                 norm_layer: Callable[..., nn.Module] | None = None) -> None:
        super().__init__()
        norm = norm_layer or nn.BatchNorm2d
        first, blocks, last = (_FIRST if stages is None else _STAGES[stages]).split(":")
        rows = [text.split() for text in blocks.split(";")]
        counts = [math.ceil(int(row[4]) * depth_mult) for row in rows]
        channels = make_divisible(int(first) * width_mult)
        layers: list[nn.Module] = [Conv2dNormActivation(3, channels, stride=2, norm_layer=norm,
                                                        activation_layer=nn.SiLU)]
        made = 0
        for (factor, kernel, stride, outputs, _), count in zip(rows, counts, strict=True):
            block, stage = FusedMBConv if factor[0] == "f" else MBConv, []
            for index in range(count):
                stage.append(block(channels, make_divisible(int(outputs) * width_mult), int(kernel),
                                   int(stride) if index == 0 else 1, int(factor.strip("f")),
                                   stochastic_depth_prob * made / sum(counts), norm))
                channels = make_divisible(int(outputs) * width_mult)
                made += 1
            layers.append(nn.Sequential(*stage))
        final = int(last) or 4 * channels
        layers.append(Conv2dNormActivation(channels, final, 1, norm_layer=norm, activation_layer=nn.SiLU))
        self.features = nn.Sequential(*layers)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(nn.Dropout(dropout, inplace=True), nn.Linear(final, num_classes))
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out")
            elif isinstance(module, nn.Linear):
                bound = 1.0 / math.sqrt(module.out_features)
                nn.init.uniform_(module.weight, -bound, bound)
            if isinstance(module, (nn.Conv2d, nn.Linear)) and module.bias is not None:
                nn.init.zeros_(module.bias)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(gpunet.flatten(self.avgpool(self.features(x)), 1))


_SLOW = partial(nn.BatchNorm2d, eps=0.001, momentum=0.01)
_PRECISE = partial(nn.BatchNorm2d, eps=0.001)


@register
def efficientnet_b0(*, weights: Any = None, progress: bool = True, **options: Any) -> EfficientNet:
    """EfficientNet B0, 5.3 million weights, for images of 224 pixels."""
    return build(EfficientNet, "efficientnet_b0", weights, options, None, 1.0, 1.0, 0.2)


@register
def efficientnet_b1(*, weights: Any = None, progress: bool = True, **options: Any) -> EfficientNet:
    """EfficientNet B1, 7.8 million weights, for images of 240 pixels."""
    return build(EfficientNet, "efficientnet_b1", weights, options, None, 1.0, 1.1, 0.2)


@register
def efficientnet_b2(*, weights: Any = None, progress: bool = True, **options: Any) -> EfficientNet:
    """EfficientNet B2, 9.1 million weights, for images of 288 pixels."""
    return build(EfficientNet, "efficientnet_b2", weights, options, None, 1.1, 1.2, 0.3)


@register
def efficientnet_b3(*, weights: Any = None, progress: bool = True, **options: Any) -> EfficientNet:
    """EfficientNet B3, 12.2 million weights, for images of 300 pixels."""
    return build(EfficientNet, "efficientnet_b3", weights, options, None, 1.2, 1.4, 0.3)


@register
def efficientnet_b4(*, weights: Any = None, progress: bool = True, **options: Any) -> EfficientNet:
    """EfficientNet B4, 19.3 million weights, for images of 380 pixels."""
    return build(EfficientNet, "efficientnet_b4", weights, options, None, 1.4, 1.8, 0.4)


@register
def efficientnet_b5(*, weights: Any = None, progress: bool = True, **options: Any) -> EfficientNet:
    """EfficientNet B5, 30.4 million weights, for images of 456 pixels."""
    return build(EfficientNet, "efficientnet_b5", weights, options, None, 1.6, 2.2, 0.4, norm_layer=_SLOW)


@register
def efficientnet_b6(*, weights: Any = None, progress: bool = True, **options: Any) -> EfficientNet:
    """EfficientNet B6, 43.0 million weights, for images of 528 pixels."""
    return build(EfficientNet, "efficientnet_b6", weights, options, None, 1.8, 2.6, 0.5, norm_layer=_SLOW)


@register
def efficientnet_b7(*, weights: Any = None, progress: bool = True, **options: Any) -> EfficientNet:
    """EfficientNet B7, 66.3 million weights, for images of 600 pixels."""
    return build(EfficientNet, "efficientnet_b7", weights, options, None, 2.0, 3.1, 0.5, norm_layer=_SLOW)


@register
def efficientnet_v2_s(*, weights: Any = None, progress: bool = True, **options: Any) -> EfficientNet:
    """EfficientNet v2 S, 21.5 million weights."""
    return build(EfficientNet, "efficientnet_v2_s", weights, options, "s", dropout=0.2, norm_layer=_PRECISE)


@register
def efficientnet_v2_m(*, weights: Any = None, progress: bool = True, **options: Any) -> EfficientNet:
    """EfficientNet v2 M, 54.1 million weights."""
    return build(EfficientNet, "efficientnet_v2_m", weights, options, "m", dropout=0.3, norm_layer=_PRECISE)


@register
def efficientnet_v2_l(*, weights: Any = None, progress: bool = True, **options: Any) -> EfficientNet:
    """EfficientNet v2 L, 118.5 million weights."""
    return build(EfficientNet, "efficientnet_v2_l", weights, options, "l", dropout=0.4, norm_layer=_PRECISE)
