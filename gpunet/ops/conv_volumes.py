"""Convolution over three spatial dimensions, and its transpose."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpunet.ops.conv import Sizes, convolved, transposed

if TYPE_CHECKING:
    from gpunet.tensor import Tensor

__all__ = ["conv3d", "conv_transpose3d"]


def conv3d(input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Sizes = 1, padding: Sizes | str = 0,
           dilation: Sizes = 1, groups: int = 1) -> Tensor:
    """Convolution over 3 spatial dimensions (cross-correlation): sums of products with a sliding kernel.

    Args:
        input: tensor [N, C, D, H, W], or [C, D, H, W] without a batch.
        weight: kernels [features, C / groups, kD, kH, kW] of the input's type.
        bias: offsets [features]; None: 0.
        stride: the step from one window to the next, one number or three.
        padding: zeros on both sides, one number or three; "valid": none; "same": as many as keep the size, for stride
            1.
        dilation: the distance of the kernel's taps, one number or three.
        groups: channels and features fall into so many groups, each computed by itself.

    Returns:
        Tensor [N, features, ...]; a spatial size is floor((size + 2 * padding - dilation * (k - 1) - 1) / stride) + 1.

    Raises:
        RuntimeError: the shapes or types do not fit each other, the kernel is larger than the padded input, or
            padding="same" with a stride other than 1.

    Example:
        >>> F.conv3d(gpunet.ones(1, 1, 3, 2, 2), gpunet.ones(1, 1, 2, 2, 2))
        tensor([[[[[8.]],
        <BLANKLINE>
                  [[8.]]]]])
    """
    return convolved("conv3d", 3, input, weight, bias, stride, padding, dilation, groups)


def conv_transpose3d(input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Sizes = 1, padding: Sizes = 0,
                     output_padding: Sizes = 0, groups: int = 1, dilation: Sizes = 1) -> Tensor:
    """Transposed convolution over 3 spatial dimensions: it maps as the gradient of conv3d by its input does.

    Args:
        input: tensor [N, C, D, H, W], or [C, D, H, W] without a batch.
        weight: kernels [C, features / groups, kD, kH, kW] of the input's type.
        bias: offsets [features]; None: 0.
        stride: the step between the windows of neighbouring inputs, one number or three.
        padding: how much is cut off on both sides, one number or three.
        output_padding: how much larger the output is on one side, one number or three; less than stride or dilation.
        groups: channels and features fall into so many groups, each computed by itself.
        dilation: the distance of the kernel's taps, one number or three.

    Returns:
        Tensor [N, features, ...]; a spatial size is
        (size - 1) * stride - 2 * padding + dilation * (k - 1) + output_padding + 1.

    Raises:
        RuntimeError: the shapes or types do not fit each other, or the output would have no elements.

    Example:
        >>> F.conv_transpose3d(gpunet.ones(1, 1, 1, 1, 2), gpunet.ones(1, 1, 1, 1, 2))
        tensor([[[[[1., 2., 1.]]]]])
    """
    return transposed("conv_transpose3d", 3, input, weight, bias, stride, padding, output_padding, groups,
                       dilation)
