"""AlexNet (Krizhevsky 2014, "One weird trick for parallelizing convolutional networks"), as torchvision has it."""

from __future__ import annotations

from typing import Any

import gpunet
from gpunet import nn
from gpunet.models._registry import build, register
from gpunet.tensor import Tensor

__all__ = ["AlexNet", "alexnet"]


class AlexNet(nn.Module):
    """Five convolutions and three linear layers.

    Args:
        num_classes: outputs of the last layer.
        dropout: probability that a value is dropped before each of the first two linear layers.

    Shape:
        Input [N, 3, H, W], 63 pixels or more to a side; output [N, num_classes], before a softmax.

    Examples:
        >>> with gpunet.device("meta"):  # shapes alone
        ...     models.AlexNet(num_classes=4)(gpunet.zeros(2, 3, 64, 64)).shape
        gpunet.Size([2, 4])
    """

    def __init__(self, num_classes: int = 1000, dropout: float = 0.5) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 64, 11, 4, 2), nn.ReLU(True), nn.MaxPool2d(3, 2),
            nn.Conv2d(64, 192, 5, padding=2), nn.ReLU(True), nn.MaxPool2d(3, 2),
            nn.Conv2d(192, 384, 3, padding=1), nn.ReLU(True),
            nn.Conv2d(384, 256, 3, padding=1), nn.ReLU(True),
            nn.Conv2d(256, 256, 3, padding=1), nn.ReLU(True), nn.MaxPool2d(3, 2))
        self.avgpool = nn.AdaptiveAvgPool2d((6, 6))
        self.classifier = nn.Sequential(
            nn.Dropout(dropout), nn.Linear(256 * 6 * 6, 4096), nn.ReLU(True),
            nn.Dropout(dropout), nn.Linear(4096, 4096), nn.ReLU(True), nn.Linear(4096, num_classes))

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(gpunet.flatten(self.avgpool(self.features(x)), 1))


@register
def alexnet(*, weights: Any = None, progress: bool = True, **options: Any) -> AlexNet:
    """AlexNet, 61.1 million weights."""
    return build(AlexNet, "alexnet", weights, options)
