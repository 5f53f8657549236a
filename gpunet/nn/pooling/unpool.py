"""Max unpooling: the largest elements put back to where they were."""

from __future__ import annotations

from collections.abc import Sequence

from gpunet.nn import functional as F
from gpunet.nn.common_types import Sizes
from gpunet.nn.stateless import Stateless
from gpunet.ops.windows import sizes_of
from gpunet.tensor import Tensor


class _MaxUnpool(Stateless):
    """Base: the options of the pooling whose result is put back."""

    rank: int
    _shown = ("kernel_size", "stride", "padding")

    def __init__(self, kernel_size: Sizes, stride: Sizes | None = None, padding: Sizes = 0) -> None:
        super().__init__()
        name = type(self).__name__
        self.kernel_size = sizes_of(kernel_size, self.rank, name, "kernel_size")
        self.stride = self.kernel_size if stride is None else sizes_of(stride, self.rank, name, "stride")
        self.padding = sizes_of(padding, self.rank, name, "padding")


class MaxUnpool1d(_MaxUnpool):
    """Puts what `MaxPool1d` has taken back where it was, with zeros elsewhere.

    Args:
        kernel_size: that of the MaxPool1d.
        stride: that of the MaxPool1d; None for kernel_size.
        padding: that of the MaxPool1d.

    Shape:
        Input and indices [N, C, L] or [C, L]; output [..., (L - 1) stride - 2 padding + kernel_size], or what
        `output_size` says.

    Raises:
        RuntimeError: indices of another type or shape.
        ValueError: an output_size that cannot be.

    Examples:
        >>> y, places = nn.MaxPool1d(2, return_indices=True)(gpunet.tensor([[1.0, 3.0, 2.0, 0.0]]))
        >>> nn.MaxUnpool1d(2)(y, places)
        tensor([[0., 3., 2., 0.]])
    """

    rank = 1

    def forward(self, input: Tensor, indices: Tensor, output_size: Sequence[int] | None = None) -> Tensor:
        return F.max_unpool1d(input, indices, self.kernel_size, self.stride, self.padding, output_size)


class MaxUnpool2d(_MaxUnpool):
    """Puts what `MaxPool2d` has taken back where it was, with zeros elsewhere.

    Args:
        kernel_size: that of the MaxPool2d.
        stride: that of the MaxPool2d; None for kernel_size.
        padding: that of the MaxPool2d.

    Shape:
        Input and indices [N, C, H, W] or [C, H, W]; output [..., Hout, Wout] with
        `Hout = (H - 1) stride - 2 padding + kernel_size`, and Wout likewise, or what `output_size` says.

    Raises:
        RuntimeError: indices of another type or shape.
        ValueError: an output_size that cannot be.

    Examples:
        >>> y, places = nn.MaxPool2d(2, return_indices=True)(gpunet.arange(4.0).reshape(1, 2, 2))
        >>> nn.MaxUnpool2d(2)(y, places)
        tensor([[[0., 0.],
                 [0., 3.]]])
    """

    rank = 2

    def forward(self, input: Tensor, indices: Tensor, output_size: Sequence[int] | None = None) -> Tensor:
        return F.max_unpool2d(input, indices, self.kernel_size, self.stride, self.padding, output_size)


class MaxUnpool3d(_MaxUnpool):
    """Puts what `MaxPool3d` has taken back where it was, with zeros elsewhere.

    Args:
        kernel_size: that of the MaxPool3d.
        stride: that of the MaxPool3d; None for kernel_size.
        padding: that of the MaxPool3d.

    Shape:
        Input and indices [N, C, D, H, W] or [C, D, H, W]; output [..., Dout, Hout, Wout] with
        `Dout = (D - 1) stride - 2 padding + kernel_size`, and Hout and Wout likewise, or what `output_size` says.

    Raises:
        RuntimeError: indices of another type or shape.
        ValueError: an output_size that cannot be.

    Examples:
        >>> y, places = nn.MaxPool3d(2, return_indices=True)(gpunet.arange(8.0).reshape(1, 2, 2, 2))
        >>> nn.MaxUnpool3d(2)(y, places).sum()
        tensor(7.)
    """

    rank = 3

    def forward(self, input: Tensor, indices: Tensor, output_size: Sequence[int] | None = None) -> Tensor:
        return F.max_unpool3d(input, indices, self.kernel_size, self.stride, self.padding, output_size)
