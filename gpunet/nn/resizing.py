"""Layers that change the size of images, or their layout. `gpunet.nn.functional` has each as a function."""

from __future__ import annotations

from typing import Any

from gpunet.nn import functional as F
from gpunet.nn.common_types import Sizes
from gpunet.nn.module import Module
from gpunet.nn.stateless import Stateless
from gpunet.tensor import Tensor


class Upsample(Module):
    """Resamples images, to a given size or by a factor.

    Args:
        size: the output's size; one number, or one for each dimension.
        scale_factor: the output's size over the input's, instead; one number, or one for each dimension.
        mode: "nearest", "nearest-exact", "area", "linear" (for [N, C, L]), "bilinear" or "bicubic" (for [N, C, H, W])
            or "trilinear" (for [N, C, D, H, W]).
        align_corners: whether the corners' centres coincide (True), or their outer edges do (False); for the linear
            modes and bicubic.
        recompute_scale_factor: use the exact ratio of the sizes, after rounding, in place of scale_factor.

    Shape:
        [N, C, L], [N, C, H, W] or [N, C, D, H, W], floating point; output with the new sizes,
        `floor(size * scale_factor)`.

    Raises:
        ValueError: neither or both of size and scale_factor (at the first call).
        NotImplementedError: a mode that is unknown or does not fit the dimensions (at the first call).

    Examples:
        >>> nn.Upsample(scale_factor=2)(gpunet.tensor([[[1.0, 2.0]]]))
        tensor([[[1., 1., 2., 2.]]])
    """

    def __init__(self, size: Sizes | None = None, scale_factor: float | tuple[float, ...] | None = None,
                 mode: str = "nearest", align_corners: bool | None = None,
                 recompute_scale_factor: bool | None = None) -> None:
        super().__init__()
        self.size = size
        self.scale_factor: float | tuple[float, ...] | None
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
    """Enlarges images by repeating pixels: `Upsample` in mode "nearest".

    Args:
        size: the output's size; one number, or (height, width).
        scale_factor: the output's size over the input's, instead; one number, or one for each dimension.

    Shape:
        [N, C, H, W], floating point; output [N, C, Hout, Wout].

    Examples:
        >>> nn.UpsamplingNearest2d(scale_factor=2)(gpunet.tensor([[[[1.0, 2.0]]]]))
        tensor([[[[1., 1., 2., 2.],
                  [1., 1., 2., 2.]]]])
    """

    def __init__(self, size: Sizes | None = None, scale_factor: float | tuple[float, float] | None = None) -> None:
        super().__init__(size, scale_factor, "nearest")


class UpsamplingBilinear2d(Upsample):
    """Enlarges images by interpolating: `Upsample` in mode "bilinear" with align_corners.

    Args:
        size: the output's size; one number, or (height, width).
        scale_factor: the output's size over the input's, instead; one number, or one for each dimension.

    Shape:
        [N, C, H, W], floating point; output [N, C, Hout, Wout].

    Examples:
        >>> nn.UpsamplingBilinear2d(size=(1, 3))(gpunet.tensor([[[[1.0, 2.0]]]]))
        tensor([[[[1.0000, 1.5000, 2.0000]]]])
    """

    def __init__(self, size: Sizes | None = None, scale_factor: float | tuple[float, float] | None = None) -> None:
        super().__init__(size, scale_factor, "bilinear", True)


class PixelShuffle(Stateless):
    """Turns channels into pixels: each r x r block of the output comes from r * r channels of one pixel.

    Source: Shi et al., "Real-Time Single Image and Video Super-Resolution", 2016.

    Args:
        upscale_factor: r.

    Shape:
        [..., C r r, H, W], any dtype; output [..., C, H r, W r].

    Examples:
        >>> nn.PixelShuffle(2)(gpunet.arange(4.0).reshape(1, 4, 1, 1))
        tensor([[[[0., 1.],
                  [2., 3.]]]])
    """

    _shown = ("upscale_factor",)

    def __init__(self, upscale_factor: int) -> None:
        super().__init__()
        self.upscale_factor = upscale_factor

    def forward(self, input: Tensor) -> Tensor:
        return F.pixel_shuffle(input, self.upscale_factor)


class PixelUnshuffle(Stateless):
    """Turns pixels into channels: the reverse of `PixelShuffle`.

    Source: Shi et al., "Real-Time Single Image and Video Super-Resolution", 2016.

    Args:
        downscale_factor: r.

    Shape:
        [..., C, H r, W r], any dtype; output [..., C r r, H, W].

    Examples:
        >>> nn.PixelUnshuffle(2)(gpunet.zeros(1, 1, 4, 6)).shape
        gpunet.Size([1, 4, 2, 3])
    """

    _shown = ("downscale_factor",)

    def __init__(self, downscale_factor: int) -> None:
        super().__init__()
        self.downscale_factor = downscale_factor

    def forward(self, input: Tensor) -> Tensor:
        return F.pixel_unshuffle(input, self.downscale_factor)


class ChannelShuffle(Stateless):
    """Mixes groups of channels: channels [g, C / g] are transposed to [C / g, g].

    Source: Zhang et al., "ShuffleNet", 2018.

    Args:
        groups: g, which must divide the number of channels.

    Shape:
        [N, C, ...], any dtype; the output has the same.

    Examples:
        >>> nn.ChannelShuffle(2)(gpunet.arange(4.0).reshape(1, 4, 1)).flatten()
        tensor([0., 2., 1., 3.])
    """

    _shown = ("groups",)

    def __init__(self, groups: int) -> None:
        super().__init__()
        self.groups = groups

    def forward(self, input: Tensor) -> Tensor:
        return F.channel_shuffle(input, self.groups)


class Unfold(Stateless):
    """Copies each window of an image into a column (im2col): convolution becomes a matrix product.

    Args:
        kernel_size: the window's size; one number, or (height, width).
        dilation: the step between the elements of a window.
        padding: how many zeros to add at the edges.
        stride: the step from one window to the next.

    Shape:
        [N, C, H, W] or [C, H, W], floating point; output [..., C * elements of a window, number of windows].

    Raises:
        RuntimeError: sizes that do not fit.

    Examples:
        >>> nn.Unfold(2)(gpunet.arange(6.0).reshape(1, 1, 2, 3))
        tensor([[[0., 1.],
                 [1., 2.],
                 [3., 4.],
                 [4., 5.]]])
    """

    _shown = ("kernel_size", "dilation", "padding", "stride")

    def __init__(self, kernel_size: Sizes, dilation: Sizes = 1, padding: Sizes = 0, stride: Sizes = 1) -> None:
        super().__init__()
        self.kernel_size: Any = kernel_size
        self.dilation: Any = dilation
        self.padding: Any = padding
        self.stride: Any = stride

    def forward(self, input: Tensor) -> Tensor:
        return F.unfold(input, self.kernel_size, self.dilation, self.padding, self.stride)


class Fold(Stateless):
    """Adds columns, as `Unfold` gives them, into an image (col2im). Windows that overlap add up, so it is the
    transpose of `Unfold`, not its inverse.

    Args:
        output_size: the image's size; one number, or (height, width).
        kernel_size: the window's size; one number, or (height, width).
        dilation: the step between the elements of a window.
        padding: how many rows and columns at the edges are dropped.
        stride: the step from one window to the next.

    Shape:
        [N, C * elements of a window, number of windows], or without N, floating point; output [..., C, H, W].

    Raises:
        RuntimeError: sizes that do not fit.

    Examples:
        >>> nn.Fold((2, 3), 2)(gpunet.ones(1, 4, 2))
        tensor([[[[1., 2., 1.],
                  [1., 2., 1.]]]])
    """

    _shown = ("output_size", "kernel_size", "dilation", "padding", "stride")

    def __init__(self, output_size: Sizes, kernel_size: Sizes, dilation: Sizes = 1, padding: Sizes = 0,
                 stride: Sizes = 1) -> None:
        super().__init__()
        self.output_size = output_size
        self.kernel_size: Any = kernel_size
        self.dilation: Any = dilation
        self.padding: Any = padding
        self.stride: Any = stride

    def forward(self, input: Tensor) -> Tensor:
        return F.fold(input, self.output_size, self.kernel_size, self.dilation, self.padding, self.stride)
