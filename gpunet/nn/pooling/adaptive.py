"""Pooling to an output of a given size, whatever the input's."""

from __future__ import annotations

from collections.abc import Sequence

from gpunet.nn import functional as F
from gpunet.nn.common_types import Sizes
from gpunet.nn.stateless import Stateless
from gpunet.tensor import Tensor


class AdaptiveAvgPool1d(Stateless):
    """The mean of each of `output_size` windows that divide the input evenly: window i holds the elements from
    `floor(i L / output_size)` to `ceil((i + 1) L / output_size) - 1`.

    Args:
        output_size: the number of windows.

    Shape:
        [N, C, L] or [C, L], floating point; output [..., output_size].

    Examples:
        >>> nn.AdaptiveAvgPool1d(2)(gpunet.tensor([[1.0, 3.0, 2.0, 6.0]]))
        tensor([[2., 4.]])
    """

    _shown = ("output_size",)

    def __init__(self, output_size: Sizes) -> None:
        super().__init__()
        self.output_size = output_size

    def forward(self, input: Tensor) -> Tensor:
        return F.adaptive_avg_pool1d(input, self.output_size)


class AdaptiveAvgPool2d(Stateless):
    """The mean of each of `output_size` windows that divide the image evenly; with an output_size of 1, the mean over
    the whole image.

    Args:
        output_size: the number of windows; one number, or (rows, columns), either of which may be None for the
            input's own size.

    Shape:
        [N, C, H, W] or [C, H, W], floating point; output [..., rows, columns].

    Examples:
        >>> nn.AdaptiveAvgPool2d(1)(gpunet.arange(16.0).reshape(1, 4, 4))
        tensor([[[7.5000]]])
    """

    _shown = ("output_size",)

    def __init__(self, output_size: int | None | Sequence[int | None]) -> None:
        super().__init__()
        self.output_size = output_size

    def forward(self, input: Tensor) -> Tensor:
        return F.adaptive_avg_pool2d(input, self.output_size)


class AdaptiveAvgPool3d(Stateless):
    """The mean of each of `output_size` windows that divide the volume evenly; with an output_size of 1, the mean over
    the whole volume.

    Args:
        output_size: the number of windows; one number, or (planes, rows, columns), any of which may be None for the
            input's own size.

    Shape:
        [N, C, D, H, W] or [C, D, H, W], floating point; output [..., planes, rows, columns].

    Examples:
        >>> nn.AdaptiveAvgPool3d(1)(gpunet.arange(16.0).reshape(1, 2, 2, 4))
        tensor([[[[7.5000]]]])
    """

    _shown = ("output_size",)

    def __init__(self, output_size: int | None | Sequence[int | None]) -> None:
        super().__init__()
        self.output_size = output_size

    def forward(self, input: Tensor) -> Tensor:
        return F.adaptive_avg_pool3d(input, self.output_size)


class AdaptiveMaxPool1d(Stateless):
    """The largest element of each of `output_size` windows that divide the input evenly (see `AdaptiveAvgPool1d`).

    Args:
        output_size: the number of windows.
        return_indices: return the places of the maxima as well.

    Shape:
        [N, C, L] or [C, L], real dtypes; output [..., output_size]. With return_indices, a pair: that, and int64
        indices into L of the same shape.

    Examples:
        >>> nn.AdaptiveMaxPool1d(2)(gpunet.tensor([[1.0, 3.0, 2.0, 6.0]]))
        tensor([[3., 6.]])
    """

    _shown = ("output_size",)

    def __init__(self, output_size: Sizes, return_indices: bool = False) -> None:
        super().__init__()
        self.output_size = output_size
        self.return_indices = return_indices

    def forward(self, input: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        return F.adaptive_max_pool1d(input, self.output_size, self.return_indices)


class AdaptiveMaxPool2d(Stateless):
    """The largest element of each of `output_size` windows that divide the image evenly.

    Args:
        output_size: the number of windows; one number, or (rows, columns), either of which may be None for the
            input's own size.
        return_indices: return the places of the maxima as well.

    Shape:
        [N, C, H, W] or [C, H, W], real dtypes; output [..., rows, columns]. With return_indices, a pair: that, and
        int64 indices into the flattened [H, W] of the same shape.

    Examples:
        >>> nn.AdaptiveMaxPool2d((1, 2))(gpunet.arange(16.0).reshape(1, 4, 4))
        tensor([[[13., 15.]]])
    """

    _shown = ("output_size",)

    def __init__(self, output_size: int | None | Sequence[int | None], return_indices: bool = False) -> None:
        super().__init__()
        self.output_size = output_size
        self.return_indices = return_indices

    def forward(self, input: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        return F.adaptive_max_pool2d(input, self.output_size, self.return_indices)


class AdaptiveMaxPool3d(Stateless):
    """The largest element of each of `output_size` windows that divide the volume evenly.

    Args:
        output_size: the number of windows; one number, or (planes, rows, columns), any of which may be None for the
            input's own size.
        return_indices: return the places of the maxima as well.

    Shape:
        [N, C, D, H, W] or [C, D, H, W], real dtypes; output [..., planes, rows, columns]. With return_indices, a
        pair: that, and int64 indices into the flattened [D, H, W] of the same shape.

    Examples:
        >>> nn.AdaptiveMaxPool3d((1, 1, 2))(gpunet.arange(16.0).reshape(1, 2, 2, 4))
        tensor([[[[13., 15.]]]])
    """

    _shown = ("output_size",)

    def __init__(self, output_size: int | None | Sequence[int | None], return_indices: bool = False) -> None:
        super().__init__()
        self.output_size = output_size
        self.return_indices = return_indices

    def forward(self, input: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        return F.adaptive_max_pool3d(input, self.output_size, self.return_indices)
