"""Residual networks (He et al. 2016, "Deep Residual Learning"), ResNeXt (Xie et al. 2017), wide ones (Zagoruyko and
Komodakis 2016), and with squeeze-and-excitation (Hu et al. 2018). Layout and names are torchvision's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import gpunet
from gpunet import nn
from gpunet.models._registry import build, register
from gpunet.nn.joined import normalized
from gpunet.tensor import Tensor
from gpunet.vision.ops import SqueezeExcitation

__all__ = ["BasicBlock", "Bottleneck", "ResNet", "resnet101", "resnet152", "resnet18", "resnet34", "resnet50",
           "resnext101_32x8d", "resnext101_64x4d", "resnext50_32x4d", "se_resnet101", "se_resnet152", "se_resnet18",
           "se_resnet34", "se_resnet50", "wide_resnet101_2", "wide_resnet50_2"]


def _convolution(inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1, dilation: int = 1
                 ) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, kernel, stride, (kernel - 1) // 2 * dilation, dilation, groups, bias=False)


def _shortcut(block: Any, layer: nn.Module, norm: nn.Module, out: Tensor, x: Tensor) -> Tensor:
    """The end of a block: its last convolution, and the shortcut."""
    around = x if block.downsample is None else block.downsample(x)
    if hasattr(block, "se"):
        return block.relu(block.se(norm(layer(out))) + around)
    return normalized(layer, norm, out, block.relu, around)


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and the shortcut around them.

    Args:
        inplanes: channels of the input.
        planes: channels of the output.
        stride: step of the first convolution.
        downsample: what fits the shortcut to the output's shape; None: the input as it is.
        groups: 1; other numbers are for `Bottleneck`.
        base_width: 64; other widths are for `Bottleneck`.
        dilation: 1; others are for `Bottleneck`.
        norm_layer: makes the normalizations; None: BatchNorm2d.
        reduction: channels of the output to one of squeeze-and-excitation's; 0: none of it.

    Examples:
        >>> models.resnet.BasicBlock(8, 8)(gpunet.zeros(1, 8, 4, 4)).shape
        gpunet.Size([1, 8, 4, 4])
    """

    expansion = 1

    def __init__(self, inplanes: int, planes: int, stride: int = 1, downsample: nn.Module | None = None,
                 groups: int = 1, base_width: int = 64, dilation: int = 1,
                 norm_layer: Callable[[int], nn.Module] | None = None, reduction: int = 0) -> None:
        super().__init__()
        if groups != 1 or base_width != 64 or dilation != 1:
            raise ValueError("BasicBlock: groups, width and dilation are 1, 64 and 1; use Bottleneck for others")
        norm = norm_layer or nn.BatchNorm2d
        self.conv1 = _convolution(inplanes, planes, 3, stride)
        self.bn1 = norm(planes)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = _convolution(planes, planes, 3)
        self.bn2 = norm(planes)
        if reduction:
            self.se = SqueezeExcitation(planes, planes // reduction)
        self.downsample = downsample
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        out = normalized(self.conv1, self.bn1, x, self.relu)
        return _shortcut(self, self.conv2, self.bn2, out, x)


class Bottleneck(nn.Module):
    """A 1x1 convolution to fewer channels, a 3x3 one among these, a 1x1 one to four times `planes`; and the shortcut.

    The stride stands at the 3x3 convolution, as in torchvision.

    Args:
        inplanes: channels of the input.
        planes: a quarter of the output's channels.
        stride: step of the 3x3 convolution.
        downsample: what fits the shortcut to the output's shape; None: the input as it is.
        groups: groups of the 3x3 convolution.
        base_width: channels of a group of the 3x3 convolution, where `planes` is 64.
        dilation: distance between the points of the 3x3 window.
        norm_layer: makes the normalizations; None: BatchNorm2d.
        reduction: channels of the output to one of squeeze-and-excitation's; 0: none of it.

    Examples:
        >>> models.resnet.Bottleneck(32, 8)(gpunet.zeros(1, 32, 4, 4)).shape
        gpunet.Size([1, 32, 4, 4])
    """

    expansion = 4

    def __init__(self, inplanes: int, planes: int, stride: int = 1, downsample: nn.Module | None = None,
                 groups: int = 1, base_width: int = 64, dilation: int = 1,
                 norm_layer: Callable[[int], nn.Module] | None = None, reduction: int = 0) -> None:
        super().__init__()
        norm = norm_layer or nn.BatchNorm2d
        width, outputs = int(planes * base_width / 64) * groups, planes * self.expansion
        self.conv1 = _convolution(inplanes, width, 1)
        self.bn1 = norm(width)
        self.conv2 = _convolution(width, width, 3, stride, groups, dilation)
        self.bn2 = norm(width)
        self.conv3 = _convolution(width, outputs, 1)
        self.bn3 = norm(outputs)
        self.relu = nn.ReLU(inplace=True)
        if reduction:
            self.se = SqueezeExcitation(outputs, outputs // reduction)
        self.downsample = downsample
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        out = normalized(self.conv1, self.bn1, x, self.relu)
        out = normalized(self.conv2, self.bn2, out, self.relu)
        return _shortcut(self, self.conv3, self.bn3, out, x)


class ResNet(nn.Module):
    """A residual network: a 7x7 convolution, pooling, four stages of residual blocks, the mean, a linear layer.

    Args:
        block: `BasicBlock` or `Bottleneck`.
        layers: number of blocks in each of the four stages.
        num_classes: outputs of the last layer.
        zero_init_residual: start the last normalization of each block at 0, so that it begins as its shortcut.
        groups: groups of the 3x3 convolutions.
        width_per_group: channels of a group in the first stage.
        replace_stride_with_dilation: for each of the last three stages, whether to dilate instead of stepping.
        norm_layer: makes the normalizations; None: BatchNorm2d.
        reduction: of squeeze-and-excitation; 0: none of it.

    Shape:
        Input [N, 3, H, W]; output [N, num_classes], before a softmax.

    Examples:
        >>> models.ResNet(models.resnet.BasicBlock, [1, 1, 1, 1], num_classes=4)(gpunet.zeros(2, 3, 32, 32)).shape
        gpunet.Size([2, 4])
    """

    def __init__(self, block: type[BasicBlock | Bottleneck], layers: Sequence[int], num_classes: int = 1000,
                 zero_init_residual: bool = False, groups: int = 1, width_per_group: int = 64,
                 replace_stride_with_dilation: Sequence[bool] | None = None,
                 norm_layer: Callable[[int], nn.Module] | None = None, reduction: int = 0) -> None:
        super().__init__()
        dilated = replace_stride_with_dilation or (False, False, False)
        if len(dilated) != 3:
            raise ValueError(f"ResNet: replace_stride_with_dilation needs one answer for each of the last three "
                             f"stages, got {dilated}")
        norm = norm_layer or nn.BatchNorm2d
        self._block = partial(block, groups=groups, base_width=width_per_group, norm_layer=norm, reduction=reduction)
        self._norm, self.inplanes, self.dilation = norm, 64, 1
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = norm(64)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        self.layer1 = self._stage(block.expansion, 64, layers[0], 1, False)
        self.layer2 = self._stage(block.expansion, 128, layers[1], 2, dilated[0])
        self.layer3 = self._stage(block.expansion, 256, layers[2], 2, dilated[1])
        self.layer4 = self._stage(block.expansion, 512, layers[3], 2, dilated[2])
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(512 * block.expansion, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            elif zero_init_residual and isinstance(module, (BasicBlock, Bottleneck)):
                last = module.bn3 if isinstance(module, Bottleneck) else module.bn2
                nn.init.zeros_(last.weight)  # pyright: ignore[reportArgumentType]

    def _stage(self, expansion: int, planes: int, blocks: int, stride: int, dilate: bool) -> nn.Sequential:
        first_dilation = self.dilation
        if dilate:
            self.dilation, stride = self.dilation * stride, 1
        outputs, downsample = planes * expansion, None
        if stride != 1 or self.inplanes != outputs:
            downsample = nn.Sequential(_convolution(self.inplanes, outputs, 1, stride), self._norm(outputs))
        first = self._block(self.inplanes, planes, stride, downsample, dilation=first_dilation)
        self.inplanes = outputs
        return nn.Sequential(first, *(self._block(outputs, planes, dilation=self.dilation)
                                      for _ in range(1, blocks)))

    def forward(self, x: Tensor) -> Tensor:
        x = self.maxpool(normalized(self.conv1, self.bn1, x, self.relu))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(gpunet.flatten(self.avgpool(x), 1))



@register
def resnet18(*, weights: Any = None, progress: bool = True, **options: Any) -> ResNet:
    """ResNet-18: 18 layers with weights, 11.7 million of them."""
    return build(ResNet, "resnet18", weights, options, BasicBlock, (2, 2, 2, 2))


@register
def resnet34(*, weights: Any = None, progress: bool = True, **options: Any) -> ResNet:
    """ResNet-34, 21.8 million weights."""
    return build(ResNet, "resnet34", weights, options, BasicBlock, (3, 4, 6, 3))


@register
def resnet50(*, weights: Any = None, progress: bool = True, **options: Any) -> ResNet:
    """ResNet-50, 25.6 million weights."""
    return build(ResNet, "resnet50", weights, options, Bottleneck, (3, 4, 6, 3))


@register
def resnet101(*, weights: Any = None, progress: bool = True, **options: Any) -> ResNet:
    """ResNet-101, 44.5 million weights."""
    return build(ResNet, "resnet101", weights, options, Bottleneck, (3, 4, 23, 3))


@register
def resnet152(*, weights: Any = None, progress: bool = True, **options: Any) -> ResNet:
    """ResNet-152, 60.2 million weights."""
    return build(ResNet, "resnet152", weights, options, Bottleneck, (3, 8, 36, 3))


@register
def resnext50_32x4d(*, weights: Any = None, progress: bool = True, **options: Any) -> ResNet:
    """ResNeXt-50 with 32 groups of 4 channels, 25.0 million weights."""
    return build(ResNet, "resnext50_32x4d", weights, options, Bottleneck, (3, 4, 6, 3), groups=32, width_per_group=4)


@register
def resnext101_32x8d(*, weights: Any = None, progress: bool = True, **options: Any) -> ResNet:
    """ResNeXt-101 with 32 groups of 8 channels, 88.8 million weights."""
    return build(ResNet, "resnext101_32x8d", weights, options, Bottleneck, (3, 4, 23, 3), groups=32, width_per_group=8)


@register
def resnext101_64x4d(*, weights: Any = None, progress: bool = True, **options: Any) -> ResNet:
    """ResNeXt-101 with 64 groups of 4 channels, 83.5 million weights."""
    return build(ResNet, "resnext101_64x4d", weights, options, Bottleneck, (3, 4, 23, 3), groups=64, width_per_group=4)


@register
def wide_resnet50_2(*, weights: Any = None, progress: bool = True, **options: Any) -> ResNet:
    """Wide ResNet-50, its 3x3 convolutions twice as wide, 68.9 million weights."""
    return build(ResNet, "wide_resnet50_2", weights, options, Bottleneck, (3, 4, 6, 3), width_per_group=128)


@register
def wide_resnet101_2(*, weights: Any = None, progress: bool = True, **options: Any) -> ResNet:
    """Wide ResNet-101, its 3x3 convolutions twice as wide, 126.9 million weights."""
    return build(ResNet, "wide_resnet101_2", weights, options, Bottleneck, (3, 4, 23, 3), width_per_group=128)


@register
def se_resnet18(*, weights: Any = None, progress: bool = True, **options: Any) -> ResNet:
    """ResNet-18 with squeeze-and-excitation in each block."""
    return build(ResNet, "se_resnet18", weights, options, BasicBlock, (2, 2, 2, 2), reduction=16)


@register
def se_resnet34(*, weights: Any = None, progress: bool = True, **options: Any) -> ResNet:
    """ResNet-34 with squeeze-and-excitation in each block."""
    return build(ResNet, "se_resnet34", weights, options, BasicBlock, (3, 4, 6, 3), reduction=16)


@register
def se_resnet50(*, weights: Any = None, progress: bool = True, **options: Any) -> ResNet:
    """ResNet-50 with squeeze-and-excitation in each block, 28.1 million weights (SE-ResNet-50)."""
    return build(ResNet, "se_resnet50", weights, options, Bottleneck, (3, 4, 6, 3), reduction=16)


@register
def se_resnet101(*, weights: Any = None, progress: bool = True, **options: Any) -> ResNet:
    """ResNet-101 with squeeze-and-excitation in each block."""
    return build(ResNet, "se_resnet101", weights, options, Bottleneck, (3, 4, 23, 3), reduction=16)


@register
def se_resnet152(*, weights: Any = None, progress: bool = True, **options: Any) -> ResNet:
    """ResNet-152 with squeeze-and-excitation in each block."""
    return build(ResNet, "se_resnet152", weights, options, Bottleneck, (3, 8, 36, 3), reduction=16)
