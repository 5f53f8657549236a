"""Convolution and pooling of images [N, height, width, channels]."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import gpunet
from gpunet import Tensor
from gpunet.keras import activations
from gpunet.keras.layers.checks import at_least, choice, kind, need_axes, pair
from gpunet.keras.layers.layer import Layer
from gpunet.nn import functional as F

_IMAGES = " [N, height, width, channels]"


def same_padding(size: int, window: int, stride: int) -> tuple[int, int]:
    """What "same" adds before and behind, so that the output has ceil(size / stride) elements."""
    total = max((-(-size // stride) - 1) * stride + window - size, 0)
    return total // 2, total - total // 2


def _output_size(size: int | None, window: int, stride: int, padding: str) -> int | None:
    if size is None:
        return None
    return -(-size // stride) if padding == "same" else (size - window) // stride + 1


class _Windows(Layer):
    """A layer whose window moves over images."""

    _casts = True
    window: tuple[int, int]
    strides: tuple[int, int]
    padding: str
    data_format: str

    def _spatial(self, shape: Any) -> tuple[Any, Any]:
        return (shape[2], shape[3]) if self.data_format == "channels_first" else (shape[1], shape[2])

    def _images(self, input_shape: Any) -> None:
        need_axes(self, input_shape, 4, 4, _IMAGES)
        if self.padding == "valid":
            for size, window in zip(self._spatial(input_shape), self.window, strict=True):
                if size is not None and size < window:
                    raise ValueError(f"{kind(self)}: a window of {self.window} does not fit into an input of shape "
                                     f"{tuple(input_shape)}; take padding='same' or a smaller one.")

    def _first(self, x: Tensor) -> Tensor:
        return x if self.data_format == "channels_first" else x.permute(0, 3, 1, 2)

    def _last(self, x: Tensor) -> Tensor:
        return x if self.data_format == "channels_first" else x.permute(0, 2, 3, 1)

    def _padded(self, x: Tensor, value: float = 0.0) -> Tensor:
        """x [N, channels, height, width] with what "same" adds."""
        if self.padding != "same":
            return x
        sides = [same_padding(*each) for each in zip(x.shape[2:], self.window, self.strides, strict=True)]
        flat = [*sides[1], *sides[0]]
        return F.pad(x, flat, value=value) if any(flat) else x

    def _moved_shape(self, input_shape: Any, channels: int | None) -> Any:
        self._images(input_shape)
        spatial = [_output_size(*each, self.padding) for each in
                   zip(self._spatial(input_shape), self.window, self.strides, strict=True)]
        if self.data_format == "channels_first":
            return (input_shape[0], channels, *spatial)
        return (input_shape[0], *spatial, channels)

    def _channels(self, input_shape: Any) -> int | None:
        return input_shape[1 if self.data_format == "channels_first" else 3]


class Conv2D(_Windows):
    """Convolution of images with a kernel [height, width, channels / groups, filters].

    Args:
        filters: number of output channels.
        kernel_size: height and width of the kernel, or one number for both.
        strides: steps of the kernel.
        padding: "valid", or "same" for an output of the input's size over the strides.
        data_format: "channels_last" or "channels_first"; None: the former.
        dilation_rate: distance of the kernel's elements.
        groups: number of groups of channels that are convolved apart.
        activation: a name or function; None: none.
        use_bias: whether there is a bias.
        kernel_initializer: of the kernel.
        bias_initializer: of the bias.
        options: those of Layer.

    Examples:
        >>> keras.layers.Conv2D(8, 3, padding="same")(gpunet.ones(2, 28, 28, 1)).shape
        gpunet.Size([2, 28, 28, 8])
    """

    def __init__(self, filters: int, kernel_size: int | Sequence[int], strides: int | Sequence[int] = (1, 1),
                 padding: str = "valid", data_format: str | None = None,
                 dilation_rate: int | Sequence[int] = (1, 1), groups: int = 1,
                 activation: str | Callable[..., Any] | None = None, use_bias: bool = True,
                 kernel_initializer: Any = "glorot_uniform", bias_initializer: Any = "zeros", **options: Any) -> None:
        super().__init__(**options)
        self.filters, self.groups = at_least(self, "filters", filters), at_least(self, "groups", groups)
        if self.filters % self.groups:
            raise ValueError(f"{kind(self)}: filters must be a multiple of groups, and {filters} is none of {groups}.")
        self.kernel_size = pair(self, "kernel_size", kernel_size)
        self.strides = pair(self, "strides", strides)
        self.dilation_rate = pair(self, "dilation_rate", dilation_rate)
        self.window: tuple[int, int] = tuple(d * (k - 1) + 1 for k, d in  # pyright: ignore[reportAttributeAccessIssue]
                                             zip(self.kernel_size, self.dilation_rate, strict=True))
        self.padding = choice(self, "padding", padding, ("valid", "same"))
        self.data_format = choice(self, "data_format", data_format or "channels_last",
                                  ("channels_last", "channels_first"))
        self.activation, self.use_bias = activations.get(activation), use_bias
        self.kernel_initializer, self.bias_initializer = kernel_initializer, bias_initializer

    def build(self, input_shape: Any) -> None:
        self._images(input_shape)
        channels = self._channels(input_shape)
        if channels is None or channels % self.groups:
            raise ValueError(f"{kind(self)}: the number of channels must be known and a multiple of groups="
                             f"{self.groups}, and the input has shape {tuple(input_shape)}.")
        self.kernel = self.add_weight((*self.kernel_size, channels // self.groups, self.filters),
                                      self.kernel_initializer)
        self.bias = self.add_weight((self.filters,), self.bias_initializer) if self.use_bias else None

    def call(self, inputs: Tensor) -> Tensor:
        self._images(inputs.shape)
        channels = self.kernel.shape[2] * self.groups
        if self._channels(inputs.shape) != channels:
            raise ValueError(f"{kind(self)} expects {channels} channels ({self.data_format}), and got an input of "
                             f"shape {tuple(inputs.shape)}.")
        x = F.conv2d(self._padded(self._first(inputs)), self.kernel.permute(3, 2, 0, 1), self.bias, self.strides, 0,
                     self.dilation_rate, self.groups)
        return self.activation(self._last(x))

    def compute_output_shape(self, input_shape: Any) -> Any:
        return self._moved_shape(input_shape, self.filters)


class _Pooling(_Windows):
    def __init__(self, pool_size: int | Sequence[int], strides: int | Sequence[int] | None, padding: str,
                 data_format: str | None, options: dict[str, Any]) -> None:
        super().__init__(**options)
        self.pool_size = self.window = pair(self, "pool_size", pool_size)
        self.strides = self.window if strides is None else pair(self, "strides", strides)
        self.padding = choice(self, "padding", padding, ("valid", "same"))
        self.data_format = choice(self, "data_format", data_format or "channels_last",
                                  ("channels_last", "channels_first"))
        self.built = True

    def compute_output_shape(self, input_shape: Any) -> Any:
        return self._moved_shape(input_shape, self._channels(input_shape))


class MaxPooling2D(_Pooling):
    """The largest element of each window.

    Args:
        pool_size: height and width of the window, or one number for both.
        strides: steps of the window; None: its size.
        padding: "valid" or "same".
        data_format: "channels_last" or "channels_first"; None: the former.
        options: those of Layer.

    Examples:
        >>> keras.layers.MaxPooling2D()(gpunet.ones(2, 28, 28, 8)).shape
        gpunet.Size([2, 14, 14, 8])
    """

    def __init__(self, pool_size: int | Sequence[int] = (2, 2), strides: int | Sequence[int] | None = None,
                 padding: str = "valid", data_format: str | None = None, **options: Any) -> None:
        super().__init__(pool_size, strides, padding, data_format, options)

    def call(self, inputs: Tensor) -> Tensor:
        self._images(inputs.shape)
        x = self._padded(self._first(inputs), float("-inf"))
        largest: Any = F.max_pool2d(x, self.window, self.strides)
        return self._last(largest)


class AveragePooling2D(_Pooling):
    """The mean of each window; what "same" adds does not count.

    Args:
        pool_size: height and width of the window, or one number for both.
        strides: steps of the window; None: its size.
        padding: "valid" or "same".
        data_format: "channels_last" or "channels_first"; None: the former.
        options: those of Layer.

    Examples:
        >>> keras.layers.AveragePooling2D()(gpunet.ones(2, 28, 28, 8)).shape
        gpunet.Size([2, 14, 14, 8])
    """

    def __init__(self, pool_size: int | Sequence[int] = (2, 2), strides: int | Sequence[int] | None = None,
                 padding: str = "valid", data_format: str | None = None, **options: Any) -> None:
        super().__init__(pool_size, strides, padding, data_format, options)

    def call(self, inputs: Tensor) -> Tensor:
        self._images(inputs.shape)
        x = self._first(inputs)
        padded = self._padded(x)
        mean = F.avg_pool2d(padded, self.window, self.strides)
        if padded is not x:
            inside = self._padded(gpunet.ones(1, 1, *x.shape[2:], dtype=x.dtype, device=x.device))
            mean = mean / F.avg_pool2d(inside, self.window, self.strides)
        return self._last(mean)


class GlobalAveragePooling2D(Layer):
    """The mean of each channel.

    Args:
        data_format: "channels_last" or "channels_first"; None: the former.
        keepdims: whether height and width stay, as 1.
        options: those of Layer.

    Examples:
        >>> keras.layers.GlobalAveragePooling2D()(gpunet.ones(2, 7, 7, 8)).shape
        gpunet.Size([2, 8])
    """

    _casts = True

    def __init__(self, data_format: str | None = None, keepdims: bool = False, **options: Any) -> None:
        super().__init__(**options)
        self.data_format = choice(self, "data_format", data_format or "channels_last",
                                  ("channels_last", "channels_first"))
        self.keepdims = keepdims
        self.built = True

    def call(self, inputs: Tensor) -> Tensor:
        need_axes(self, inputs.shape, 4, 4, _IMAGES)
        return inputs.mean((2, 3) if self.data_format == "channels_first" else (1, 2), self.keepdims)

    def compute_output_shape(self, input_shape: Any) -> Any:
        need_axes(self, input_shape, 4, 4, _IMAGES)
        places = (2, 3) if self.data_format == "channels_first" else (1, 2)
        return tuple(1 if place in places else size for place, size in enumerate(input_shape)
                     if self.keepdims or place not in places)
