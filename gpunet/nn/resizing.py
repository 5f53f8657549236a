"""Layers that change the size of images; their formulas are in `gpunet.nn.functional`."""

from __future__ import annotations

from gpunet.nn import functional as F
from gpunet.nn.function_layer import layer_of
from gpunet.nn.module import Module
from gpunet.tensor import Tensor


class Upsample(Module):
    """Images of another size: `size`, or scale_factor times the old one. See `functional.interpolate`."""

    def __init__(self, size=None, scale_factor=None, mode: str = "nearest", align_corners: bool | None = None,
                 recompute_scale_factor: bool | None = None) -> None:
        super().__init__()
        self.size = size
        if isinstance(scale_factor, tuple):
            self.scale_factor = tuple([float(factor) for factor in scale_factor])
        else:
            self.scale_factor = float(scale_factor) if scale_factor else None
        self.mode = mode
        self.align_corners = align_corners
        self.recompute_scale_factor = recompute_scale_factor

    def forward(self, input: Tensor) -> Tensor:
        return F.interpolate(input, self.size, self.scale_factor, self.mode, self.align_corners,
                             self.recompute_scale_factor)

    def extra_repr(self) -> str:
        name = "size" if self.scale_factor is None else "scale_factor"
        return f"{name}={getattr(self, name)!r}, mode={self.mode!r}"


class UpsamplingNearest2d(Upsample):
    """Upsample in mode "nearest"."""

    def __init__(self, size=None, scale_factor=None) -> None:
        super().__init__(size, scale_factor, "nearest")


class UpsamplingBilinear2d(Upsample):
    """Upsample in mode "bilinear" with align_corners."""

    def __init__(self, size=None, scale_factor=None) -> None:
        super().__init__(size, scale_factor, "bilinear", True)


PixelShuffle = layer_of("PixelShuffle", F.pixel_shuffle)
PixelUnshuffle = layer_of("PixelUnshuffle", F.pixel_unshuffle)
ChannelShuffle = layer_of("ChannelShuffle", F.channel_shuffle)
Unfold = layer_of("Unfold", F.unfold)
Fold = layer_of("Fold", F.fold)
