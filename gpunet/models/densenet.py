"""Densely connected networks (Huang et al. 2017): each layer sees the outputs of all before it in its block.

Layout and names are torchvision's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import gpunet
from gpunet import nn
from gpunet.models._registry import build, register
from gpunet.nn import functional as F
from gpunet.tensor import Tensor
from gpunet.utils.checkpoint import checkpoint

__all__ = ["DenseNet", "densenet121", "densenet161", "densenet169", "densenet201"]


class _DenseLayer(nn.Module):
    """From all features so far to `growth_rate` new ones: a 1x1 and a 3x3 convolution, each after its normalization."""

    def __init__(self, inputs: int, growth_rate: int, bn_size: int, drop_rate: float, memory_efficient: bool) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(inputs)
        self.relu1 = nn.ReLU(inplace=True)
        self.conv1 = nn.Conv2d(inputs, bn_size * growth_rate, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(bn_size * growth_rate)
        self.relu2 = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(bn_size * growth_rate, growth_rate, 3, padding=1, bias=False)
        self.drop_rate, self.memory_efficient = drop_rate, memory_efficient

    def _narrow(self, *features: Tensor) -> Tensor:
        return self.conv1(self.relu1(self.norm1(gpunet.cat(features, 1))))

    def forward(self, features: list[Tensor]) -> Tensor:
        if self.memory_efficient and any(feature.requires_grad for feature in features):
            narrow = checkpoint(self._narrow, *features, use_reentrant=False)
        else:
            narrow = self._narrow(*features)
        new = self.conv2(self.relu2(self.norm2(narrow)))
        return F.dropout(new, self.drop_rate, self.training) if self.drop_rate else new


class _DenseBlock(nn.ModuleDict):
    def forward(self, input: Tensor) -> Tensor:
        features = [input]
        for layer in self.values():
            features.append(layer(features))
        return gpunet.cat(features, 1)


class _Transition(nn.Sequential):
    """Halves the channels and the image."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(inputs)
        self.relu = nn.ReLU(inplace=True)
        self.conv = nn.Conv2d(inputs, outputs, 1, bias=False)
        self.pool = nn.AvgPool2d(2, 2)


class DenseNet(nn.Module):
    """Dense blocks with transitions between them.

    Args:
        growth_rate: channels that each layer adds.
        block_config: number of layers in each block.
        num_init_features: channels of the first convolution.
        bn_size: a layer's 1x1 convolution has this many times `growth_rate` channels.
        drop_rate: probability that a new value is dropped.
        num_classes: outputs of the last layer.
        memory_efficient: compute the layers' inputs again in the backward pass instead of keeping them.

    Shape:
        Input [N, 3, H, W], 29 pixels or more to a side; output [N, num_classes], before a softmax.

    Examples:
        >>> models.DenseNet(8, (2, 2), 16, num_classes=4)(gpunet.zeros(2, 3, 32, 32)).shape
        gpunet.Size([2, 4])
    """

    def __init__(self, growth_rate: int = 32, block_config: Sequence[int] = (6, 12, 24, 16),
                 num_init_features: int = 64, bn_size: int = 4, drop_rate: float = 0, num_classes: int = 1000,
                 memory_efficient: bool = False) -> None:
        super().__init__()
        self.features = nn.Sequential()
        self.features.add_module("conv0", nn.Conv2d(3, num_init_features, 7, 2, 3, bias=False))
        self.features.add_module("norm0", nn.BatchNorm2d(num_init_features))
        self.features.add_module("relu0", nn.ReLU(inplace=True))
        self.features.add_module("pool0", nn.MaxPool2d(3, 2, 1))
        channels = num_init_features
        for number, layers in enumerate(block_config, 1):
            block = _DenseBlock({
                f"denselayer{layer + 1}": _DenseLayer(channels + layer * growth_rate, growth_rate, bn_size, drop_rate,
                                                      memory_efficient) for layer in range(layers)})
            self.features.add_module(f"denseblock{number}", block)
            channels += layers * growth_rate
            if number < len(block_config):
                self.features.add_module(f"transition{number}", _Transition(channels, channels // 2))
                channels //= 2
        self.features.add_module("norm5", nn.BatchNorm2d(channels))
        self.classifier = nn.Linear(channels, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight)
            elif isinstance(module, nn.Linear) and module.bias is not None:
                nn.init.zeros_(module.bias)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.features(x), inplace=True)
        return self.classifier(gpunet.flatten(F.adaptive_avg_pool2d(x, (1, 1)), 1))

    @staticmethod
    def renamed(state: Mapping[str, Any]) -> dict[str, Any]:
        """A state_dict whose names have dots inside the layers' names, as the published files do, by today's names.

        Args:
            state: the state_dict.
        """
        return {re.sub(r"(denselayer\d+\.(?:norm|relu|conv))\.([12])\.", r"\1\2.", name): value
                for name, value in state.items()}


@register
def densenet121(*, weights: Any = None, progress: bool = True, **options: Any) -> DenseNet:
    """DenseNet-121, 8.0 million weights."""
    return build(DenseNet, "densenet121", weights, options, 32, (6, 12, 24, 16), 64)


@register
def densenet161(*, weights: Any = None, progress: bool = True, **options: Any) -> DenseNet:
    """DenseNet-161, 28.7 million weights."""
    return build(DenseNet, "densenet161", weights, options, 48, (6, 12, 36, 24), 96)


@register
def densenet169(*, weights: Any = None, progress: bool = True, **options: Any) -> DenseNet:
    """DenseNet-169, 14.1 million weights."""
    return build(DenseNet, "densenet169", weights, options, 32, (6, 12, 32, 32), 64)


@register
def densenet201(*, weights: Any = None, progress: bool = True, **options: Any) -> DenseNet:
    """DenseNet-201, 20.0 million weights."""
    return build(DenseNet, "densenet201", weights, options, 32, (6, 12, 48, 32), 64)
