"""VGG (Simonyan and Zisserman 2015, "Very Deep Convolutional Networks"). Layout and names are torchvision's."""

from __future__ import annotations

from typing import Any

import gpunet
from gpunet import nn
from gpunet.models._registry import build, register
from gpunet.tensor import Tensor

__all__ = ["VGG", "vgg11", "vgg11_bn", "vgg13", "vgg13_bn", "vgg16", "vgg16_bn", "vgg19", "vgg19_bn"]

# Channels of the 3x3 convolutions, one word for each stage; after each stage the image is halved.
_STAGES = {11: "64 128 256,256 512,512 512,512",
           13: "64,64 128,128 256,256 512,512 512,512",
           16: "64,64 128,128 256,256,256 512,512,512 512,512,512",
           19: "64,64 128,128 256,256,256,256 512,512,512,512 512,512,512,512"}


def _features(depth: int, batch_norm: bool) -> nn.Sequential:
    layers: list[nn.Module] = []
    inputs = 3
    for stage in _STAGES[depth].split():
        for outputs in map(int, stage.split(",")):
            layers += [nn.Conv2d(inputs, outputs, 3, padding=1), *([nn.BatchNorm2d(outputs)] if batch_norm else []),
                       nn.ReLU(inplace=True)]
            inputs = outputs
        layers.append(nn.MaxPool2d(2, 2))
    return nn.Sequential(*layers)


class VGG(nn.Module):
    """Stages of 3x3 convolutions with pooling between them, then three linear layers.

    Args:
        features: the convolutions; 512 channels leave them.
        num_classes: outputs of the last layer.
        init_weights: draw the first weights as torchvision does; False: as each layer does.
        dropout: probability that a hidden value of the linear layers is dropped.

    Shape:
        Input [N, 3, H, W], 32 pixels or more to a side; output [N, num_classes], before a softmax.

    Examples:
        >>> with gpunet.device("meta"):  # shapes alone: the linear layers have 120 million weights
        ...     features = nn.Sequential(nn.Conv2d(3, 512, 3), nn.ReLU())
        ...     model = models.VGG(features, num_classes=4)
        ...     model(gpunet.zeros(2, 3, 32, 32)).shape
        gpunet.Size([2, 4])
    """

    def __init__(self, features: nn.Module, num_classes: int = 1000, init_weights: bool = True, dropout: float = 0.5
                 ) -> None:
        super().__init__()
        self.features = features
        self.avgpool = nn.AdaptiveAvgPool2d((7, 7))
        self.classifier = nn.Sequential(
            nn.Linear(512 * 7 * 7, 4096), nn.ReLU(True), nn.Dropout(dropout),
            nn.Linear(4096, 4096), nn.ReLU(True), nn.Dropout(dropout), nn.Linear(4096, num_classes))
        if init_weights:
            for module in self.modules():
                if isinstance(module, nn.Conv2d):
                    nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
                elif isinstance(module, nn.Linear):
                    nn.init.normal_(module.weight, 0, 0.01)
                if isinstance(module, (nn.Conv2d, nn.Linear)) and module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(gpunet.flatten(self.avgpool(self.features(x)), 1))


def _vgg(name: str, weights: Any, options: dict[str, Any], depth: int, batch_norm: bool) -> VGG:
    if weights is not None:  # they replace the first weights
        options.setdefault("init_weights", False)
    return build(VGG, name, weights, options, _features(depth, batch_norm))


@register
def vgg11(*, weights: Any = None, progress: bool = True, **options: Any) -> VGG:
    """VGG-11: 11 layers with weights, 132.9 million of them."""
    return _vgg("vgg11", weights, options, 11, False)


@register
def vgg13(*, weights: Any = None, progress: bool = True, **options: Any) -> VGG:
    """VGG-13: 13 layers with weights, 133.0 million of them."""
    return _vgg("vgg13", weights, options, 13, False)


@register
def vgg16(*, weights: Any = None, progress: bool = True, **options: Any) -> VGG:
    """VGG-16: 16 layers with weights, 138.4 million of them."""
    return _vgg("vgg16", weights, options, 16, False)


@register
def vgg19(*, weights: Any = None, progress: bool = True, **options: Any) -> VGG:
    """VGG-19: 19 layers with weights, 143.7 million of them."""
    return _vgg("vgg19", weights, options, 19, False)


@register
def vgg11_bn(*, weights: Any = None, progress: bool = True, **options: Any) -> VGG:
    """VGG-11 with batch normalization after each convolution."""
    return _vgg("vgg11_bn", weights, options, 11, True)


@register
def vgg13_bn(*, weights: Any = None, progress: bool = True, **options: Any) -> VGG:
    """VGG-13 with batch normalization after each convolution."""
    return _vgg("vgg13_bn", weights, options, 13, True)


@register
def vgg16_bn(*, weights: Any = None, progress: bool = True, **options: Any) -> VGG:
    """VGG-16 with batch normalization after each convolution."""
    return _vgg("vgg16_bn", weights, options, 16, True)


@register
def vgg19_bn(*, weights: Any = None, progress: bool = True, **options: Any) -> VGG:
    """VGG-19 with batch normalization after each convolution."""
    return _vgg("vgg19_bn", weights, options, 19, True)
