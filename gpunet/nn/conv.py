"""Convolution layers. Parameters, their shapes and their first values are PyTorch's."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from gpunet.nn import functional as F
from gpunet.nn import init
from gpunet.nn.common_types import Device, DType, Sizes
from gpunet.nn.module import Module
from gpunet.nn.parameter import Parameter
from gpunet.ops import creation
from gpunet.ops.windows import sizes_of
from gpunet.tensor import Tensor

_PADDING_MODES = ("zeros", "reflect", "replicate", "circular")


class _Convolution(Module):
    """Base: what convolutions and their transposes share."""

    rank: int
    transposed = False
    padding: Any  # "same", "valid", or a number for each dimension
    weight: Parameter
    bias: Parameter | None
    _function: Callable[..., Tensor]

    def __init__(self, in_channels: int, out_channels: int, kernel_size: Sizes, stride: Sizes, padding: Sizes | str,
                 dilation: Sizes, output_padding: Sizes, groups: int, bias: bool, padding_mode: str, device: Device,
                 dtype: DType) -> None:
        super().__init__()
        name, rank = type(self).__name__, self.rank
        for what, count in (("in_channels", in_channels), ("out_channels", out_channels)):
            if groups <= 0 or count % groups:
                raise ValueError(f"{name}: {what} must be divisible by groups, got {count} and {groups}")
        if padding_mode not in (("zeros",) if self.transposed else _PADDING_MODES):
            raise ValueError(f"{name}: padding_mode must be one of "
                             f"{', '.join(_PADDING_MODES[: 1 if self.transposed else None])}, got {padding_mode!r}")
        self.in_channels, self.out_channels, self.groups = in_channels, out_channels, groups
        self.kernel_size, self.stride, self.dilation, self.output_padding = (
            sizes_of(value, rank, name, what) for value, what in (
                (kernel_size, "kernel_size"), (stride, "stride"), (dilation, "dilation"),
                (output_padding, "output_padding")))
        if isinstance(padding, str):
            if padding not in ("same", "valid"):
                raise ValueError(f"{name}: padding must be 'same', 'valid' or numbers, got {padding!r}")
            if padding == "same" and set(self.stride) != {1}:
                raise ValueError(f"{name}: padding='same' is not supported for strided convolutions")
        self.padding = padding if isinstance(padding, str) else sizes_of(padding, rank, name, "padding")
        self.padding_mode = padding_mode
        first, second = (in_channels, out_channels) if self.transposed else (out_channels, in_channels)
        self.weight = Parameter(creation.empty(first, second // groups, *self.kernel_size, device=device, dtype=dtype))
        if bias:
            self.bias = Parameter(creation.empty(out_channels, device=device, dtype=dtype))
        else:
            self.register_parameter("bias", None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draws new initial values: uniform in +-1/sqrt(fan_in), weight and bias."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        fan_in = math.prod(self.weight.shape[1:])
        if self.bias is not None and fan_in:
            init.uniform_(self.bias, -1 / math.sqrt(fan_in), 1 / math.sqrt(fan_in))

    def extra_repr(self) -> str:
        """The options, as repr() shows them: those that differ from their defaults."""
        text = f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"
        for name, usual in (("padding", 0), ("dilation", 1), ("output_padding", 0)):
            value = getattr(self, name)
            if value != (usual,) * self.rank:
                text += f", {name}={value}"
        text += f", groups={self.groups}" * (self.groups != 1) + ", bias=False" * (self.bias is None)
        return text + f", padding_mode={self.padding_mode}" * (self.padding_mode != "zeros")


class _Conv(_Convolution):
    """Base of the convolutions."""

    def __init__(self, in_channels: int, out_channels: int, kernel_size: Sizes, stride: Sizes = 1,
                 padding: Sizes | str = 0, dilation: Sizes = 1, groups: int = 1, bias: bool = True,
                 padding_mode: str = "zeros", device: Device = None, dtype: DType = None) -> None:
        super().__init__(in_channels, out_channels, kernel_size, stride, padding, dilation, 0, groups, bias,
                         padding_mode, device, dtype)

    def _pads(self) -> list[int]:
        """How much to pad in front and behind, the last dimension first."""
        if self.padding == "valid":
            return [0] * (2 * self.rank)
        if self.padding == "same":
            totals = [d * (k - 1) for k, d in zip(self.kernel_size, self.dilation, strict=True)]
            return [n for total in reversed(totals) for n in (total // 2, total - total // 2)]
        return [size for size in reversed(self.padding) for _ in range(2)]

    def forward(self, input: Tensor) -> Tensor:
        padding = self.padding
        if self.padding_mode != "zeros":
            input, padding = F.pad(input, self._pads(), mode=self.padding_mode), 0
        return self._function(input, self.weight, self.bias, self.stride, padding, self.dilation, self.groups)


class Conv1d(_Conv):
    """Convolution of sequences (strictly, cross-correlation):
    `y[o] = bias[o] + sum over i of weight[o, i] * x[i]`, where `*` slides the window over the sequence.

    weight and bias start uniform in ±1/sqrt(fan_in), as in PyTorch.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        kernel_size: the window's size.
        stride: the step from one window to the next.
        padding: how many zeros to add at both ends; "valid" for none, "same" for an output of the input's size (with a
            stride of 1).
        dilation: the step between the elements of a window.
        groups: into how many groups the channels are split; an output channel sees only its group's input channels.
        bias: whether to add a bias.
        padding_mode: "zeros", "reflect", "replicate" or "circular".
        device: where the parameters are kept.
        dtype: floating-point dtype of the parameters.

    Shape:
        Input [N, in_channels, L] or [in_channels, L]; output [..., out_channels, Lout] with
        `Lout = floor((L + 2 padding - dilation (kernel_size - 1) - 1) / stride) + 1`.

    Attributes:
        weight: [out_channels, in_channels / groups, kernel_size].
        bias: [out_channels], or None.

    Raises:
        ValueError: groups does not divide the channels, or padding or padding_mode is unknown.

    Examples:
        >>> layer = nn.Conv1d(16, 33, 3, stride=2)
        >>> layer(gpunet.randn(20, 16, 50)).shape
        gpunet.Size([20, 33, 24])
    """

    rank, _function = 1, staticmethod(F.conv1d)


class Conv2d(_Conv):
    """Convolution of images (strictly, cross-correlation):
    `y[o] = bias[o] + sum over i of weight[o, i] * x[i]`, where `*` slides the window over the image.

    weight and bias start uniform in ±1/sqrt(fan_in), as in PyTorch.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        kernel_size: the window's size; one number, or (height, width).
        stride: the step from one window to the next.
        padding: how many zeros to add at the edges; "valid" for none, "same" for an output of the input's size (with a
            stride of 1).
        dilation: the step between the elements of a window.
        groups: into how many groups the channels are split; an output channel sees only its group's input channels.
        bias: whether to add a bias.
        padding_mode: "zeros", "reflect", "replicate" or "circular".
        device: where the parameters are kept.
        dtype: floating-point dtype of the parameters.

    Shape:
        Input [N, in_channels, H, W] or [in_channels, H, W]; output [..., out_channels, Hout, Wout] with
        `Hout = floor((H + 2 padding - dilation (kernel_size - 1) - 1) / stride) + 1`, and Wout likewise.

    Attributes:
        weight: [out_channels, in_channels / groups, height, width].
        bias: [out_channels], or None.

    Raises:
        ValueError: groups does not divide the channels, or padding or padding_mode is unknown.

    Examples:
        >>> layer = nn.Conv2d(3, 8, 3, padding=1)
        >>> layer(gpunet.randn(4, 3, 10, 12)).shape
        gpunet.Size([4, 8, 10, 12])
    """

    rank, _function = 2, staticmethod(F.conv2d)


class Conv3d(_Conv):
    """Convolution of volumes (strictly, cross-correlation):
    `y[o] = bias[o] + sum over i of weight[o, i] * x[i]`, where `*` slides the window over the volume.

    weight and bias start uniform in ±1/sqrt(fan_in), as in PyTorch.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        kernel_size: the window's size; one number, or (depth, height, width).
        stride: the step from one window to the next.
        padding: how many zeros to add at the faces; "valid" for none, "same" for an output of the input's size (with a
            stride of 1).
        dilation: the step between the elements of a window.
        groups: into how many groups the channels are split; an output channel sees only its group's input channels.
        bias: whether to add a bias.
        padding_mode: "zeros", "reflect", "replicate" or "circular".
        device: where the parameters are kept.
        dtype: floating-point dtype of the parameters.

    Shape:
        Input [N, in_channels, D, H, W] or [in_channels, D, H, W]; output [..., out_channels, Dout, Hout, Wout] with
        `Hout = floor((H + 2 padding - dilation (kernel_size - 1) - 1) / stride) + 1`, and Dout and Wout likewise.

    Attributes:
        weight: [out_channels, in_channels / groups, depth, height, width].
        bias: [out_channels], or None.

    Raises:
        ValueError: groups does not divide the channels, or padding or padding_mode is unknown.

    Examples:
        >>> layer = nn.Conv3d(3, 8, 3, padding=1)
        >>> layer(gpunet.randn(2, 3, 4, 5, 6)).shape
        gpunet.Size([2, 8, 4, 5, 6])
    """

    rank, _function = 3, staticmethod(F.conv3d)


class _ConvTranspose(_Convolution):
    """Base of the transposed convolutions."""

    transposed = True

    def __init__(self, in_channels: int, out_channels: int, kernel_size: Sizes, stride: Sizes = 1, padding: Sizes = 0,
                 output_padding: Sizes = 0, groups: int = 1, bias: bool = True, dilation: Sizes = 1,
                 padding_mode: str = "zeros", device: Device = None, dtype: DType = None) -> None:
        super().__init__(in_channels, out_channels, kernel_size, stride, padding, dilation, output_padding, groups,
                         bias, padding_mode, device, dtype)

    def forward(self, input: Tensor, output_size: Sequence[int] | None = None) -> Tensor:
        """The transposed convolution of a batch.

        Args:
            input: the batch; see the class.
            output_size: the wanted output size; of the sizes that a convolution would map to the input's. It replaces
                output_padding.

        Raises:
            ValueError: no output_padding gives output_size.
        """
        extra = self.output_padding if output_size is None else self._padding_for(input, list(output_size))
        return self._function(input, self.weight, self.bias, self.stride, self.padding, extra, self.groups,
                              self.dilation)

    def _padding_for(self, input: Tensor, wanted: Sequence[int]) -> tuple[int, ...]:
        rank = self.rank
        if len(wanted) == input.ndim:
            wanted = wanted[-rank:]
        if len(wanted) != rank:
            raise ValueError(f"{type(self).__name__}: output_size must have {rank} or {input.ndim} elements (got "
                             f"{len(wanted)})")
        least = [(n - 1) * s - 2 * p + d * (k - 1) + 1 for n, k, s, p, d in zip(
            input.shape[-rank:], self.kernel_size, self.stride, self.padding, self.dilation, strict=True)]
        most = [n + s - 1 for n, s in zip(least, self.stride, strict=True)]
        if any([not low <= n <= high for n, low, high in zip(wanted, least, most, strict=True)]):
            raise ValueError(f"{type(self).__name__}: requested an output size of {wanted}, but valid sizes range from "
                             f"{least} to {most} (for an input of {tuple(input.shape[-rank:])})")
        return tuple([n - low for n, low in zip(wanted, least, strict=True)])


class ConvTranspose1d(_ConvTranspose):
    """Transposed convolution of sequences: the gradient of `Conv1d` with respect to its input, used to enlarge.

    weight and bias start uniform in ±1/sqrt(fan_in), as in PyTorch.

    Source: Dumoulin and Visin, "A guide to convolution arithmetic for deep learning", 2016.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        kernel_size: the window's size.
        stride: the step, in the output, from one window to the next.
        padding: how many elements are cut off at both ends of the output.
        output_padding: how many elements to add at the end, since several sizes map to one under a stride.
        groups: into how many groups the channels are split; an output channel sees only its group's input channels.
        bias: whether to add a bias.
        dilation: the step between the elements of a window.
        padding_mode: "zeros" only.
        device: where the parameters are kept.
        dtype: floating-point dtype of the parameters.

    Shape:
        Input [N, in_channels, L] or [in_channels, L]; output [..., out_channels, Lout] with
        `Lout = (L - 1) stride - 2 padding + dilation (kernel_size - 1) + output_padding + 1`.

    Attributes:
        weight: [in_channels, out_channels / groups, kernel_size].
        bias: [out_channels], or None.

    Raises:
        ValueError: groups does not divide the channels, or padding_mode is not "zeros".

    Examples:
        >>> layer = nn.ConvTranspose1d(16, 8, 4, stride=2, padding=1)
        >>> layer(gpunet.randn(20, 16, 25)).shape
        gpunet.Size([20, 8, 50])
    """

    rank, _function = 1, staticmethod(F.conv_transpose1d)


class ConvTranspose2d(_ConvTranspose):
    """Transposed convolution of images: the gradient of `Conv2d` with respect to its input, used to enlarge.

    weight and bias start uniform in ±1/sqrt(fan_in), as in PyTorch.

    Source: Dumoulin and Visin, "A guide to convolution arithmetic for deep learning", 2016.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        kernel_size: the window's size; one number, or (height, width).
        stride: the step, in the output, from one window to the next.
        padding: how many elements are cut off at the edges of the output.
        output_padding: how many elements to add at one edge of each dimension, since several sizes map to one under
            a stride.
        groups: into how many groups the channels are split; an output channel sees only its group's input channels.
        bias: whether to add a bias.
        dilation: the step between the elements of a window.
        padding_mode: "zeros" only.
        device: where the parameters are kept.
        dtype: floating-point dtype of the parameters.

    Shape:
        Input [N, in_channels, H, W] or [in_channels, H, W]; output [..., out_channels, Hout, Wout] with
        `Hout = (H - 1) stride - 2 padding + dilation (kernel_size - 1) + output_padding + 1`, and Wout likewise.

    Attributes:
        weight: [in_channels, out_channels / groups, height, width].
        bias: [out_channels], or None.

    Raises:
        ValueError: groups does not divide the channels, or padding_mode is not "zeros".

    Examples:
        >>> layer = nn.ConvTranspose2d(8, 3, 4, stride=2, padding=1)
        >>> layer(gpunet.randn(4, 8, 5, 6)).shape
        gpunet.Size([4, 3, 10, 12])
    """

    rank, _function = 2, staticmethod(F.conv_transpose2d)


class ConvTranspose3d(_ConvTranspose):
    """Transposed convolution of volumes: the gradient of `Conv3d` with respect to its input, used to enlarge.

    weight and bias start uniform in ±1/sqrt(fan_in), as in PyTorch.

    Source: Dumoulin and Visin, "A guide to convolution arithmetic for deep learning", 2016.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        kernel_size: the window's size; one number, or (depth, height, width).
        stride: the step, in the output, from one window to the next.
        padding: how many elements are cut off at the faces of the output.
        output_padding: how many elements to add at one face of each dimension, since several sizes map to one under
            a stride.
        groups: into how many groups the channels are split; an output channel sees only its group's input channels.
        bias: whether to add a bias.
        dilation: the step between the elements of a window.
        padding_mode: "zeros" only.
        device: where the parameters are kept.
        dtype: floating-point dtype of the parameters.

    Shape:
        Input [N, in_channels, D, H, W] or [in_channels, D, H, W]; output [..., out_channels, Dout, Hout, Wout] with
        `Hout = (H - 1) stride - 2 padding + dilation (kernel_size - 1) + output_padding + 1`, and Dout and
        Wout likewise.

    Attributes:
        weight: [in_channels, out_channels / groups, depth, height, width].
        bias: [out_channels], or None.

    Raises:
        ValueError: groups does not divide the channels, or padding_mode is not "zeros".

    Examples:
        >>> layer = nn.ConvTranspose3d(8, 3, 4, stride=2, padding=1)
        >>> layer(gpunet.randn(1, 8, 2, 3, 4)).shape
        gpunet.Size([1, 3, 4, 6, 8])
    """

    rank, _function = 3, staticmethod(F.conv_transpose3d)
