"""Pooling layers; their formulas are in `gpunet.nn.functional`."""

from __future__ import annotations

from gpunet.nn import functional as F
from gpunet.nn.function_layer import layer_of
from gpunet.nn.module import Module
from gpunet.ops.windows import sizes_of
from gpunet.tensor import Tensor


class _MaxPool(Module):
    """The largest element of each window. stride: kernel_size by default. return_indices: also where in the flattened
    image each was. ceil_mode: windows may reach beyond the end."""

    def __init__(self, kernel_size, stride=None, padding=0, dilation=1, return_indices: bool = False,
                 ceil_mode: bool = False) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding
        self.dilation = dilation
        self.return_indices = return_indices
        self.ceil_mode = ceil_mode

    def forward(self, input: Tensor):
        return self._function(input, self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode,
                              self.return_indices)

    def extra_repr(self) -> str:
        return (f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}, "
                f"dilation={self.dilation}, ceil_mode={self.ceil_mode}")


class MaxPool1d(_MaxPool):
    __doc__ = _MaxPool.__doc__
    _function = staticmethod(F.max_pool1d)


class MaxPool2d(_MaxPool):
    __doc__ = _MaxPool.__doc__
    _function = staticmethod(F.max_pool2d)


class AvgPool1d(Module):
    """The mean of each window. stride: kernel_size by default. count_include_pad: whether the zeros of the padding
    count. ceil_mode: windows may reach beyond the end."""

    def __init__(self, kernel_size, stride=None, padding=0, ceil_mode: bool = False,
                 count_include_pad: bool = True) -> None:
        super().__init__()
        self.kernel_size = sizes_of(kernel_size, 1, "AvgPool1d", "kernel_size")
        self.stride = sizes_of(kernel_size if stride is None else stride, 1, "AvgPool1d", "stride")
        self.padding = sizes_of(padding, 1, "AvgPool1d", "padding")
        self.ceil_mode = ceil_mode
        self.count_include_pad = count_include_pad

    def forward(self, input: Tensor) -> Tensor:
        return F.avg_pool1d(input, self.kernel_size, self.stride, self.padding, self.ceil_mode, self.count_include_pad)

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class AvgPool2d(Module):
    """The mean of each window. stride: kernel_size by default. count_include_pad: whether the zeros of the padding
    count. ceil_mode: windows may reach beyond the end. divisor_override: what to divide by instead of the window's
    size."""

    def __init__(self, kernel_size, stride=None, padding=0, ceil_mode: bool = False, count_include_pad: bool = True,
                 divisor_override: int | None = None) -> None:
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

    extra_repr = AvgPool1d.extra_repr


AdaptiveAvgPool1d = layer_of("AdaptiveAvgPool1d", F.adaptive_avg_pool1d)
AdaptiveAvgPool2d = layer_of("AdaptiveAvgPool2d", F.adaptive_avg_pool2d)
AdaptiveMaxPool1d = layer_of("AdaptiveMaxPool1d", F.adaptive_max_pool1d, shows="output_size={output_size}")
AdaptiveMaxPool2d = layer_of("AdaptiveMaxPool2d", F.adaptive_max_pool2d, shows="output_size={output_size}")
LPPool1d = layer_of("LPPool1d", F.lp_pool1d)
LPPool2d = layer_of("LPPool2d", F.lp_pool2d)
