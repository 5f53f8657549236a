"""SqueezeNet (Iandola et al. 2016): fire modules in place of 3x3 convolutions. Layout and names are torchvision's."""

from __future__ import annotations

from typing import Any

import gpunet
from gpunet import nn
from gpunet.models._registry import build, register
from gpunet.tensor import Tensor

__all__ = ["Fire", "SqueezeNet", "squeezenet1_0", "squeezenet1_1"]


class Fire(nn.Module):
    """A 1x1 convolution to few channels, and from these a 1x1 and a 3x3 one side by side.

    Args:
        inplanes: channels of the input.
        squeeze_planes: the few channels.
        expand1x1_planes: channels of the 1x1 convolution.
        expand3x3_planes: channels of the 3x3 convolution.

    Examples:
        >>> models.squeezenet.Fire(8, 2, 4, 6)(gpunet.zeros(1, 8, 5, 5)).shape
        gpunet.Size([1, 10, 5, 5])
    """

    def __init__(self, inplanes: int, squeeze_planes: int, expand1x1_planes: int, expand3x3_planes: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(inplanes, squeeze_planes, 1)
        self.squeeze_activation = nn.ReLU(inplace=True)
        self.expand1x1 = nn.Conv2d(squeeze_planes, expand1x1_planes, 1)
        self.expand1x1_activation = nn.ReLU(inplace=True)
        self.expand3x3 = nn.Conv2d(squeeze_planes, expand3x3_planes, 3, padding=1)
        self.expand3x3_activation = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        x = self.squeeze_activation(self.squeeze(x))
        return gpunet.cat([self.expand1x1_activation(self.expand1x1(x)),
                           self.expand3x3_activation(self.expand3x3(x))], 1)


# The numbers of each fire module, "/" for a pooling. 1.1 has a smaller first convolution and pools earlier.
_LAYERS = {"1_0": "16,64,64 16,64,64 32,128,128 / 32,128,128 48,192,192 48,192,192 64,256,256 / 64,256,256",
           "1_1": "16,64,64 16,64,64 / 32,128,128 32,128,128 / 48,192,192 48,192,192 64,256,256 64,256,256"}


class SqueezeNet(nn.Module):
    """Fire modules with pooling between them, a 1x1 convolution to the classes, and the mean over the image.

    Args:
        version: "1_0" or "1_1", which computes 2.4 times less.
        num_classes: channels of the last convolution.
        dropout: probability that a value is dropped before it.

    Shape:
        Input [N, 3, H, W], 21 pixels or more to a side; output [N, num_classes], before a softmax.

    Raises:
        ValueError: the version is another.

    Examples:
        >>> models.SqueezeNet("1_1", num_classes=4)(gpunet.zeros(2, 3, 32, 32)).shape
        gpunet.Size([2, 4])
    """

    def __init__(self, version: str = "1_0", num_classes: int = 1000, dropout: float = 0.5) -> None:
        super().__init__()
        if version not in _LAYERS:
            raise ValueError(f"SqueezeNet: version is '1_0' or '1_1', got {version!r}")
        channels, kernel = (96, 7) if version == "1_0" else (64, 3)
        layers: list[nn.Module] = [nn.Conv2d(3, channels, kernel, 2), nn.ReLU(True), nn.MaxPool2d(3, 2, ceil_mode=True)]
        for word in _LAYERS[version].split():
            if word == "/":
                layers.append(nn.MaxPool2d(3, 2, ceil_mode=True))
            else:
                squeeze, one, three = map(int, word.split(","))
                layers.append(Fire(channels, squeeze, one, three))
                channels = one + three
        self.features = nn.Sequential(*layers)
        final = nn.Conv2d(512, num_classes, 1)
        self.classifier = nn.Sequential(nn.Dropout(dropout), final, nn.ReLU(True), nn.AdaptiveAvgPool2d((1, 1)))
        self.num_classes = num_classes
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                if module is final:
                    nn.init.normal_(module.weight, 0.0, 0.01)
                else:
                    nn.init.kaiming_uniform_(module.weight)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward(self, x: Tensor) -> Tensor:
        return gpunet.flatten(self.classifier(self.features(x)), 1)


@register
def squeezenet1_0(*, weights: Any = None, progress: bool = True, **options: Any) -> SqueezeNet:
    """SqueezeNet 1.0, 1.2 million weights."""
    return build(SqueezeNet, "squeezenet1_0", weights, options, "1_0")


@register
def squeezenet1_1(*, weights: Any = None, progress: bool = True, **options: Any) -> SqueezeNet:
    """SqueezeNet 1.1, 1.2 million weights, 2.4 times less to compute than 1.0."""
    return build(SqueezeNet, "squeezenet1_1", weights, options, "1_1")
