"""Pooling over windows of a given size: the maximum, the mean, the p-norm."""

from __future__ import annotations

from gpunet.nn import functional as F
from gpunet.nn.common_types import Sizes
from gpunet.nn.stateless import Stateless
from gpunet.ops.windows import sizes_of
from gpunet.tensor import Tensor


class _MaxPool(Stateless):
    """Base: the options of max pooling."""

    _shown = ("kernel_size", "stride", "padding", "dilation", "ceil_mode")

    def __init__(self, kernel_size: Sizes, stride: Sizes | None = None, padding: Sizes = 0, dilation: Sizes = 1,
                 return_indices: bool = False, ceil_mode: bool = False) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding
        self.dilation = dilation
        self.return_indices = return_indices
        self.ceil_mode = ceil_mode


class MaxPool1d(_MaxPool):
    """The largest element of each window.

    Args:
        kernel_size: the window's size.
        stride: the step from one window to the next; None for kernel_size.
        padding: how far windows reach beyond both ends, at most half of kernel_size; the elements there count as
            -infinity.
        dilation: the step between the elements of a window.
        return_indices: return the places of the maxima as well.
        ceil_mode: also take a last window that begins inside the input but ends outside.

    Shape:
        [N, C, L] or [C, L], real dtypes; output [..., Lout] with
        `Lout = floor((L + 2 padding - dilation (kernel_size - 1) - 1) / stride) + 1` (or ceil). With return_indices,
        a pair: that, and int64 indices into L of the same shape.

    Raises:
        RuntimeError: sizes that do not fit.

    Examples:
        >>> nn.MaxPool1d(2)(gpunet.tensor([[1.0, 3.0, 2.0, 5.0, 4.0]]))
        tensor([[3., 5.]])
    """

    def forward(self, input: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        return F.max_pool1d(input, self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode,
                            self.return_indices)


class MaxPool2d(_MaxPool):
    """The largest element of each window.

    Args:
        kernel_size: the window's size; one number, or (height, width).
        stride: the step from one window to the next; None for kernel_size.
        padding: how far windows reach beyond the edges, at most half of kernel_size; the elements there count as
            -infinity.
        dilation: the step between the elements of a window.
        return_indices: return the places of the maxima as well.
        ceil_mode: also take last windows that begin inside the input but end outside.

    Shape:
        [N, C, H, W] or [C, H, W], real dtypes; output [..., Hout, Wout] with
        `Hout = floor((H + 2 padding - dilation (kernel_size - 1) - 1) / stride) + 1` (or ceil), and Wout likewise.
        With return_indices, a pair: that, and int64 indices into the flattened [H, W] of the same shape.

    Raises:
        RuntimeError: sizes that do not fit.

    Examples:
        >>> nn.MaxPool2d(2)(gpunet.arange(16.0).reshape(1, 4, 4))
        tensor([[[ 5.,  7.],
                 [13., 15.]]])
    """

    def forward(self, input: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        return F.max_pool2d(input, self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode,
                            self.return_indices)


class MaxPool3d(_MaxPool):
    """The largest element of each window.

    Args:
        kernel_size: the window's size; one number, or (depth, height, width).
        stride: the step from one window to the next; None for kernel_size.
        padding: how far windows reach beyond the faces, at most half of kernel_size; the elements there count as
            -infinity.
        dilation: the step between the elements of a window.
        return_indices: return the places of the maxima as well.
        ceil_mode: also take last windows that begin inside the input but end outside.

    Shape:
        [N, C, D, H, W] or [C, D, H, W], real dtypes; output [..., Dout, Hout, Wout] with
        `Hout = floor((H + 2 padding - dilation (kernel_size - 1) - 1) / stride) + 1` (or ceil), and Dout and Wout
        likewise.
        With return_indices, a pair: that, and int64 indices into the flattened [D, H, W] of the same shape.

    Raises:
        RuntimeError: sizes that do not fit.

    Examples:
        >>> nn.MaxPool3d(2)(gpunet.arange(16.0).reshape(1, 2, 2, 4))
        tensor([[[[13., 15.]]]])
    """

    def forward(self, input: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        return F.max_pool3d(input, self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode,
                            self.return_indices)


class AvgPool1d(Stateless):
    """The mean of each window.

    Args:
        kernel_size: the window's size.
        stride: the step from one window to the next; None for kernel_size.
        padding: how many zeros to add at both ends, at most half of kernel_size.
        ceil_mode: also take a last window that begins inside the input but ends outside.
        count_include_pad: whether the zeros of the padding count in the mean.

    Shape:
        [N, C, L] or [C, L], floating point; output [..., Lout] with
        `Lout = floor((L + 2 padding - kernel_size) / stride) + 1` (or ceil).

    Raises:
        RuntimeError: sizes that do not fit.

    Examples:
        >>> nn.AvgPool1d(2)(gpunet.tensor([[1.0, 3.0, 2.0, 5.0]]))
        tensor([[2.0000, 3.5000]])
    """

    _shown = ("kernel_size", "stride", "padding")

    def __init__(self, kernel_size: Sizes, stride: Sizes | None = None, padding: Sizes = 0, ceil_mode: bool = False,
                 count_include_pad: bool = True) -> None:
        super().__init__()
        self.kernel_size = sizes_of(kernel_size, 1, "AvgPool1d", "kernel_size")
        self.stride = sizes_of(kernel_size if stride is None else stride, 1, "AvgPool1d", "stride")
        self.padding = sizes_of(padding, 1, "AvgPool1d", "padding")
        self.ceil_mode = ceil_mode
        self.count_include_pad = count_include_pad

    def forward(self, input: Tensor) -> Tensor:
        return F.avg_pool1d(input, self.kernel_size, self.stride, self.padding, self.ceil_mode, self.count_include_pad)


class AvgPool2d(Stateless):
    """The mean of each window.

    Args:
        kernel_size: the window's size; one number, or (height, width).
        stride: the step from one window to the next; None for kernel_size.
        padding: how many zeros to add at the edges, at most half of kernel_size.
        ceil_mode: also take last windows that begin inside the input but end outside.
        count_include_pad: whether the zeros of the padding count in the mean.
        divisor_override: divide by this number instead of the window's size.

    Shape:
        [N, C, H, W] or [C, H, W], floating point; output [..., Hout, Wout] with
        `Hout = floor((H + 2 padding - kernel_size) / stride) + 1` (or ceil), and Wout likewise.

    Raises:
        RuntimeError: sizes that do not fit.

    Examples:
        >>> nn.AvgPool2d(2)(gpunet.arange(16.0).reshape(1, 4, 4))
        tensor([[[ 2.5000,  4.5000],
                 [10.5000, 12.5000]]])
    """

    _shown = ("kernel_size", "stride", "padding")

    def __init__(self, kernel_size: Sizes, stride: Sizes | None = None, padding: Sizes = 0, ceil_mode: bool = False,
                 count_include_pad: bool = True, divisor_override: int | None = None) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding
        self.ceil_mode = ceil_mode
        self.count_include_pad = count_include_pad
        self.divisor_override = divisor_override

    def forward(self, input: Tensor) -> Tensor:
        return F.avg_pool2d(input, self.kernel_size, self.stride, self.padding, self.ceil_mode, self.count_include_pad,
                            self.divisor_override)


class AvgPool3d(Stateless):
    """The mean of each window.

    Args:
        kernel_size: the window's size; one number, or (depth, height, width).
        stride: the step from one window to the next; None for kernel_size.
        padding: how many zeros to add at the faces, at most half of kernel_size.
        ceil_mode: also take last windows that begin inside the input but end outside.
        count_include_pad: whether the zeros of the padding count in the mean.
        divisor_override: divide by this number instead of the window's size.

    Shape:
        [N, C, D, H, W] or [C, D, H, W], floating point; output [..., Dout, Hout, Wout] with
        `Hout = floor((H + 2 padding - kernel_size) / stride) + 1` (or ceil), and Dout and Wout likewise.

    Raises:
        RuntimeError: sizes that do not fit.

    Examples:
        >>> nn.AvgPool3d(2)(gpunet.arange(16.0).reshape(1, 2, 2, 4))
        tensor([[[[6.5000, 8.5000]]]])
    """

    _shown = ("kernel_size", "stride", "padding")

    def __init__(self, kernel_size: Sizes, stride: Sizes | None = None, padding: Sizes = 0, ceil_mode: bool = False,
                 count_include_pad: bool = True, divisor_override: int | None = None) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding
        self.ceil_mode = ceil_mode
        self.count_include_pad = count_include_pad
        self.divisor_override = divisor_override

    def forward(self, input: Tensor) -> Tensor:
        return F.avg_pool3d(input, self.kernel_size, self.stride, self.padding, self.ceil_mode, self.count_include_pad,
                            self.divisor_override)


class _LPPool(Stateless):
    """Base: the options of p-norm pooling."""

    _shown = ("norm_type", "kernel_size", "stride", "ceil_mode")

    def __init__(self, norm_type: float, kernel_size: Sizes, stride: Sizes | None = None,
                 ceil_mode: bool = False) -> None:
        super().__init__()
        self.norm_type = norm_type
        self.kernel_size = kernel_size
        self.stride = stride
        self.ceil_mode = ceil_mode


class LPPool1d(_LPPool):
    """The p-norm of each window, `(sum of x^p)^(1/p)`: 1 gives the sum, infinity the maximum.

    Args:
        norm_type: p.
        kernel_size: the window's size.
        stride: the step from one window to the next; None for kernel_size.
        ceil_mode: also take a last window that begins inside the input but ends outside.

    Shape:
        [N, C, L] or [C, L], floating point; output [..., Lout] with
        `Lout = floor((L - kernel_size) / stride) + 1` (or ceil).

    Raises:
        RuntimeError: sizes that do not fit.

    Examples:
        >>> nn.LPPool1d(2, 2)(gpunet.tensor([[3.0, 4.0, 0.0, 2.0]]))
        tensor([[5., 2.]])
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.lp_pool1d(input, self.norm_type, self.kernel_size, self.stride, self.ceil_mode)


class LPPool2d(_LPPool):
    """The p-norm of each window, `(sum of x^p)^(1/p)`: 1 gives the sum, infinity the maximum.

    Args:
        norm_type: p.
        kernel_size: the window's size; one number, or (height, width).
        stride: the step from one window to the next; None for kernel_size.
        ceil_mode: also take last windows that begin inside the input but end outside.

    Shape:
        [N, C, H, W] or [C, H, W], floating point; output [..., Hout, Wout] with
        `Hout = floor((H - kernel_size) / stride) + 1` (or ceil), and Wout likewise.

    Raises:
        RuntimeError: sizes that do not fit.

    Examples:
        >>> nn.LPPool2d(2, 2)(gpunet.tensor([[[3.0, 4.0], [0.0, 0.0]]]))
        tensor([[[5.]]])
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.lp_pool2d(input, self.norm_type, self.kernel_size, self.stride, self.ceil_mode)


class LPPool3d(_LPPool):
    """The p-norm of each window, `(sum of x^p)^(1/p)`: 1 gives the sum, infinity the maximum.

    Args:
        norm_type: p.
        kernel_size: the window's size; one number, or (depth, height, width).
        stride: the step from one window to the next; None for kernel_size.
        ceil_mode: also take last windows that begin inside the input but end outside.

    Shape:
        [N, C, D, H, W] or [C, D, H, W], floating point; output [..., Dout, Hout, Wout] with
        `Hout = floor((H - kernel_size) / stride) + 1` (or ceil), and Dout and Wout likewise.

    Raises:
        RuntimeError: sizes that do not fit.

    Examples:
        >>> nn.LPPool3d(2, (1, 2, 2))(gpunet.tensor([[[[3.0, 4.0], [0.0, 0.0]]]]))
        tensor([[[[5.]]]])
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.lp_pool3d(input, self.norm_type, self.kernel_size, self.stride, self.ceil_mode)
