"""GoogLeNet (Szegedy et al. 2015, "Going Deeper with Convolutions"), as torchvision has it: with batch normalization,
and with 3x3 convolutions where the paper has 5x5 ones.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import gpunet
from gpunet import nn
from gpunet.models._registry import build, register
from gpunet.nn import functional as F
from gpunet.tensor import Tensor

__all__ = ["GoogLeNet", "GoogLeNetOutputs", "googlenet"]


class GoogLeNetOutputs(NamedTuple):
    """What GoogLeNet gives in training: its own scores, and those of the two classifiers on the way.

    Examples:
        >>> from gpunet.models.googlenet import GoogLeNetOutputs
        >>> GoogLeNetOutputs._fields
        ('logits', 'aux_logits2', 'aux_logits1')
    """

    logits: Tensor
    aux_logits2: Tensor | None
    aux_logits1: Tensor | None


class _Convolution(nn.Module):
    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
        self.bn = nn.BatchNorm2d(outputs, eps=0.001)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.bn(self.conv(x)), inplace=True)


class _Inception(nn.Module):
    """Four branches side by side: 1x1; 1x1 and 3x3, twice; pooling and 1x1."""

    def __init__(self, inputs: int, one: int, reduced3: int, three: int, reduced5: int, five: int, pooled: int) -> None:
        super().__init__()
        self.branch1 = _Convolution(inputs, one, 1)
        self.branch2 = nn.Sequential(_Convolution(inputs, reduced3, 1), _Convolution(reduced3, three, 3))
        self.branch3 = nn.Sequential(_Convolution(inputs, reduced5, 1), _Convolution(reduced5, five, 3))
        self.branch4 = nn.Sequential(nn.MaxPool2d(3, 1, 1, ceil_mode=True), _Convolution(inputs, pooled, 1))

    def forward(self, x: Tensor) -> Tensor:
        return gpunet.cat([self.branch1(x), self.branch2(x), self.branch3(x), self.branch4(x)], 1)


class _Auxiliary(nn.Module):
    """A classifier on the way, which gives the early layers a shorter path to the loss."""

    def __init__(self, inputs: int, num_classes: int, dropout: float) -> None:
        super().__init__()
        self.conv = _Convolution(inputs, 128, 1)
        self.fc1 = nn.Linear(2048, 1024)
        self.fc2 = nn.Linear(1024, num_classes)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        x = gpunet.flatten(self.conv(F.adaptive_avg_pool2d(x, (4, 4))), 1)
        return self.fc2(self.dropout(F.relu(self.fc1(x), inplace=True)))


# Of each inception module: channels of the input, and of the convolutions of its branches.
_MODULES = {"3a": (192, 64, 96, 128, 16, 32, 32), "3b": (256, 128, 128, 192, 32, 96, 64),
            "4a": (480, 192, 96, 208, 16, 48, 64), "4b": (512, 160, 112, 224, 24, 64, 64),
            "4c": (512, 128, 128, 256, 24, 64, 64), "4d": (512, 112, 144, 288, 32, 64, 64),
            "4e": (528, 256, 160, 320, 32, 128, 128), "5a": (832, 256, 160, 320, 32, 128, 128),
            "5b": (832, 384, 192, 384, 48, 128, 128)}


class GoogLeNet(nn.Module):
    """Nine inception modules, the mean, a linear layer; in training two more classifiers on the way.

    Args:
        num_classes: outputs of the classifiers.
        aux_logits: whether to have the two classifiers on the way.
        transform_input: whether the input is normalized as for the other models, and is to be scaled to what the
            published weights expect.
        init_weights: draw the first weights from a truncated normal distribution; None and True: do so.
        dropout: probability that a value is dropped before the last layer.
        dropout_aux: the same, before the last layers of the two classifiers.

    Shape:
        Input [N, 3, H, W], 15 pixels or more to a side; output [N, num_classes], before a softmax; in training, with
        the two classifiers, a GoogLeNetOutputs of three such.

    Examples:
        >>> models.GoogLeNet(num_classes=4, init_weights=False).eval()(gpunet.zeros(2, 3, 32, 32)).shape
        gpunet.Size([2, 4])
    """

    def __init__(self, num_classes: int = 1000, aux_logits: bool = True, transform_input: bool = False,
                 init_weights: bool | None = None, dropout: float = 0.2, dropout_aux: float = 0.7) -> None:
        super().__init__()
        self.aux_logits, self.transform_input = aux_logits, transform_input
        self.conv1 = _Convolution(3, 64, 7, 2)
        self.maxpool1 = nn.MaxPool2d(3, 2, ceil_mode=True)
        self.conv2 = _Convolution(64, 64, 1)
        self.conv3 = _Convolution(64, 192, 3)
        self.maxpool2 = nn.MaxPool2d(3, 2, ceil_mode=True)
        for name, channels in _MODULES.items():
            if name == "4a":
                self.maxpool3 = nn.MaxPool2d(3, 2, ceil_mode=True)
            elif name == "5a":
                self.maxpool4 = nn.MaxPool2d(2, 2, ceil_mode=True)
            setattr(self, f"inception{name}", _Inception(*channels))
        self.aux1 = _Auxiliary(512, num_classes, dropout_aux) if aux_logits else None
        self.aux2 = _Auxiliary(528, num_classes, dropout_aux) if aux_logits else None
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(1024, num_classes)
        if init_weights is None or init_weights:
            for module in self.modules():
                if isinstance(module, (nn.Conv2d, nn.Linear)):
                    nn.init.trunc_normal_(module.weight, 0.0, 0.01, -2, 2)

    def _inception(self, x: Tensor, *names: str) -> Tensor:
        for name in names:
            x = getattr(self, f"inception{name}")(x)
        return x

    def forward(self, x: Tensor) -> Tensor | GoogLeNetOutputs:
        if self.transform_input:  # from the usual means and deviations to 0.5 and 0.5
            scale = gpunet.tensor([0.229, 0.224, 0.225], device=x.device, dtype=x.dtype) / 0.5
            shift = (gpunet.tensor([0.485, 0.456, 0.406], device=x.device, dtype=x.dtype) - 0.5) / 0.5
            x = x * scale[:, None, None] + shift[:, None, None]
        x = self.maxpool2(self.conv3(self.conv2(self.maxpool1(self.conv1(x)))))
        first = self._inception(self.maxpool3(self._inception(x, "3a", "3b")), "4a")
        second = self._inception(first, "4b", "4c", "4d")
        x = self._inception(self.maxpool4(self._inception(second, "4e")), "5a", "5b")
        logits = self.fc(self.dropout(gpunet.flatten(self.avgpool(x), 1)))
        if self.training and self.aux1 is not None and self.aux2 is not None:
            return GoogLeNetOutputs(logits, self.aux2(second), self.aux1(first))
        return logits


@register
def googlenet(*, weights: Any = None, progress: bool = True, **options: Any) -> GoogLeNet:
    """GoogLeNet, 6.6 million weights. With weights, the input is scaled for them, and the two classifiers on the way,
    which the files have, are left out unless `aux_logits=True`."""
    if weights is None:
        return build(GoogLeNet, "googlenet", None, options)
    kept = options.pop("aux_logits", False)
    options = {"transform_input": True, "init_weights": False, **options}
    model: GoogLeNet = build(GoogLeNet, "googlenet", weights, options)
    if not kept:
        model.aux_logits, model.aux1, model.aux2 = False, None, None
    return model
