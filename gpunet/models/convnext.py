"""ConvNeXt (Liu et al. 2022, "A ConvNet for the 2020s"). Layout and names are torchvision's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import gpunet
from gpunet import nn
from gpunet.models._registry import build, register
from gpunet.nn import functional as F
from gpunet.tensor import Tensor
from gpunet.vision.ops import Conv2dNormActivation, Permute, StochasticDepth

__all__ = ["CNBlock", "ConvNeXt", "LayerNorm2d", "convnext_base", "convnext_large", "convnext_small", "convnext_tiny"]


class LayerNorm2d(nn.LayerNorm):
    """Layer normalization over the channels of images [N, C, H, W].

    Args:
        normalized_shape: number of channels.
        eps: added to the variance.
        elementwise_affine: whether each channel has a learned factor, and an offset.
        bias: whether there is the offset.
        device: of the parameters; None: the default.
        dtype: of the parameters; None: the default.

    Examples:
        >>> models.convnext.LayerNorm2d(8)(gpunet.zeros(1, 8, 2, 2)).shape
        gpunet.Size([1, 8, 2, 2])
    """

    def forward(self, input: Tensor) -> Tensor:
        x = F.layer_norm(input.permute(0, 2, 3, 1), self.normalized_shape, self.weight, self.bias, self.eps)
        return x.permute(0, 3, 1, 2)


class CNBlock(nn.Module):
    """A depthwise 7x7 convolution, layer normalization, two linear layers over the channels; and the shortcut.

    Args:
        dim: channels.
        layer_scale: first value of the factors on the residual branch.
        stochastic_depth_prob: probability that the residual branch is dropped in training.
        norm_layer: makes the normalization; None: LayerNorm with eps 1e-6.

    Examples:
        >>> models.convnext.CNBlock(8, 1e-6, 0.0)(gpunet.zeros(1, 8, 4, 4)).shape
        gpunet.Size([1, 8, 4, 4])
    """

    def __init__(self, dim: int, layer_scale: float, stochastic_depth_prob: float,
                 norm_layer: Callable[..., nn.Module] | None = None) -> None:
        super().__init__()
        norm = norm_layer or partial(nn.LayerNorm, eps=1e-6)
        self.block = nn.Sequential(
            nn.Conv2d(dim, dim, 7, padding=3, groups=dim), Permute([0, 2, 3, 1]), norm(dim),
            nn.Linear(dim, 4 * dim), nn.GELU(), nn.Linear(4 * dim, dim), Permute([0, 3, 1, 2]))
        self.layer_scale = nn.Parameter(gpunet.full((dim, 1, 1), layer_scale))
        self.stochastic_depth = StochasticDepth(stochastic_depth_prob, "row")

    def forward(self, input: Tensor) -> Tensor:
        return self.stochastic_depth(self.layer_scale * self.block(input)) + input


class ConvNeXt(nn.Module):
    """Four stages of `CNBlock`s, each after a convolution that makes the image smaller; the mean; a linear layer.

    Args:
        channels: of each stage.
        layers: number of blocks in each stage.
        stochastic_depth_prob: probability that the last block's residual branch is dropped; of those before it, less.
        layer_scale: first value of the factors on the residual branches.
        num_classes: outputs of the last layer.

    Shape:
        Input [N, 3, H, W], 32 pixels or more to a side; output [N, num_classes], before a softmax.

    Examples:
        >>> models.ConvNeXt((8, 16, 24, 32), (1, 1, 1, 1), num_classes=4)(gpunet.zeros(2, 3, 32, 32)).shape
        gpunet.Size([2, 4])
    """

    def __init__(self, channels: Sequence[int], layers: Sequence[int], stochastic_depth_prob: float = 0.0,
                 layer_scale: float = 1e-6, num_classes: int = 1000) -> None:
        super().__init__()
        norm = partial(LayerNorm2d, eps=1e-6)
        parts: list[nn.Module] = [Conv2dNormActivation(3, channels[0], 4, 4, 0, norm_layer=norm, activation_layer=None,
                                                       bias=True)]
        made, total = 0, sum(layers)
        for stage, (width, count) in enumerate(zip(channels, layers, strict=True)):
            blocks = [CNBlock(width, layer_scale, stochastic_depth_prob * (made + index) / max(total - 1, 1))
                      for index in range(count)]
            made += count
            parts.append(nn.Sequential(*blocks))
            if stage + 1 < len(channels):
                parts.append(nn.Sequential(norm(width), nn.Conv2d(width, channels[stage + 1], 2, 2)))
        self.features = nn.Sequential(*parts)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(norm(channels[-1]), nn.Flatten(1), nn.Linear(channels[-1], num_classes))
        for module in self.modules():
            if isinstance(module, (nn.Conv2d, nn.Linear)):
                nn.init.trunc_normal_(module.weight, std=0.02)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.avgpool(self.features(x)))


@register
def convnext_tiny(*, weights: Any = None, progress: bool = True, **options: Any) -> ConvNeXt:
    """ConvNeXt Tiny, 28.6 million weights."""
    return build(ConvNeXt, "convnext_tiny", weights, options, (96, 192, 384, 768), (3, 3, 9, 3),
                 stochastic_depth_prob=0.1)


@register
def convnext_small(*, weights: Any = None, progress: bool = True, **options: Any) -> ConvNeXt:
    """ConvNeXt Small, 50.2 million weights."""
    return build(ConvNeXt, "convnext_small", weights, options, (96, 192, 384, 768), (3, 3, 27, 3),
                 stochastic_depth_prob=0.4)


@register
def convnext_base(*, weights: Any = None, progress: bool = True, **options: Any) -> ConvNeXt:
    """ConvNeXt Base, 88.6 million weights."""
    return build(ConvNeXt, "convnext_base", weights, options, (128, 256, 512, 1024), (3, 3, 27, 3),
                 stochastic_depth_prob=0.5)


@register
def convnext_large(*, weights: Any = None, progress: bool = True, **options: Any) -> ConvNeXt:
    """ConvNeXt Large, 197.8 million weights."""
    return build(ConvNeXt, "convnext_large", weights, options, (192, 384, 768, 1536), (3, 3, 27, 3),
                 stochastic_depth_prob=0.5)
