"""LeNet-5 (LeCun et al. 1998, "Gradient-Based Learning Applied to Document Recognition")."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gpunet import nn
from gpunet.models._registry import build, register
from gpunet.tensor import Tensor

__all__ = ["LeNet5", "lenet5"]


class LeNet5(nn.Module):
    """Two 5x5 convolutions with pooling, and three linear layers.

    Args:
        num_classes: outputs of the last layer.
        in_channels: channels of the image.
        activation: makes the activations; the paper has Tanh.

    Shape:
        Input [N, in_channels, 28, 28]; output [N, num_classes], before a softmax.

    Examples:
        >>> models.LeNet5()(gpunet.zeros(2, 1, 28, 28)).shape
        gpunet.Size([2, 10])
    """

    def __init__(self, num_classes: int = 10, in_channels: int = 1, activation: Callable[[], nn.Module] = nn.Tanh
                 ) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(in_channels, 6, 5, padding=2), activation(), nn.AvgPool2d(2),
            nn.Conv2d(6, 16, 5), activation(), nn.AvgPool2d(2))
        self.classifier = nn.Sequential(
            nn.Flatten(), nn.Linear(16 * 5 * 5, 120), activation(), nn.Linear(120, 84), activation(),
            nn.Linear(84, num_classes))

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.features(x))


@register
def lenet5(*, weights: Any = None, progress: bool = True, **options: Any) -> LeNet5:
    """LeNet-5, 61,706 weights, for grey images of 28 pixels."""
    return build(LeNet5, "lenet5", weights, options)
