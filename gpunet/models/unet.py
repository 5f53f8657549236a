"""U-Net (Ronneberger et al. 2015): an image in, a score for each class at each pixel out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gpunet
from gpunet import nn
from gpunet.models._registry import build, register
from gpunet.nn import functional as F
from gpunet.tensor import Tensor

__all__ = ["UNet", "unet"]


def _twice(inputs: int, outputs: int) -> nn.Sequential:
    """Two 3x3 convolutions, each with normalization and ReLU."""
    layers: list[nn.Module] = []
    for channels in (inputs, outputs):
        layers += [nn.Conv2d(channels, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs),
                   nn.ReLU(inplace=True)]
    return nn.Sequential(*layers)


class UNet(nn.Module):
    """Convolutions down to a small image with many channels, and up again, each level joined with its partner.

    Images are padded rather than cropped, unlike in the paper, so the output has the input's size.

    Args:
        in_channels: channels of the image.
        num_classes: channels of the output.
        channels: of each level, from the whole image down.

    Shape:
        Input [N, in_channels, H, W], 2 ** (levels - 1) pixels or more to a side; output [N, num_classes, H, W], before
        a softmax.

    Examples:
        >>> models.UNet(1, 2, (8, 16, 32))(gpunet.zeros(1, 1, 30, 21)).shape
        gpunet.Size([1, 2, 30, 21])
    """

    def __init__(self, in_channels: int = 3, num_classes: int = 2, channels: Sequence[int] = (64, 128, 256, 512, 1024)
                 ) -> None:
        super().__init__()
        self.pool = nn.MaxPool2d(2)
        self.down = nn.ModuleList(_twice(inputs, outputs) for inputs, outputs in
                                  zip((in_channels, *channels[:-1]), channels, strict=True))
        levels = list(zip(channels[:0:-1], channels[-2::-1], strict=True))
        self.grow = nn.ModuleList(nn.ConvTranspose2d(inputs, outputs, 2, 2) for inputs, outputs in levels)
        self.up = nn.ModuleList(_twice(2 * outputs, outputs) for _, outputs in levels)
        self.head = nn.Conv2d(channels[0], num_classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        least = 2 ** len(self.up)
        if min(x.shape[-2:]) < least:
            raise ValueError(f"UNet: {len(self.up)} poolings need images of {least} pixels or more to a side, got "
                             f"{x.shape[-2]} x {x.shape[-1]}; give larger ones or fewer channels=")
        partners = []
        for index, level in enumerate(self.down):
            x = level(x if index == 0 else self.pool(x))
            partners.append(x)
        for grow, level, partner in zip(self.grow, self.up, partners[-2::-1], strict=True):
            x = grow(x)
            if x.shape != partner.shape:  # an odd side lost a pixel when it was halved
                x = F.pad(x, (0, partner.shape[-1] - x.shape[-1], 0, partner.shape[-2] - x.shape[-2]))
            x = level(gpunet.cat([partner, x], 1))
        return self.head(x)


@register
def unet(*, weights: Any = None, progress: bool = True, **options: Any) -> UNet:
    """U-Net with five levels, 31.0 million weights."""
    return build(UNet, "unet", weights, options)
