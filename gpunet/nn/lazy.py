"""Lazy layers, which take the number of their inputs' features from the first input.

Until then their parameters are `UninitializedParameter`s. The first call gives them their shapes and first values, and
the layer becomes one of the ordinary class.
"""

from __future__ import annotations

from typing import Any

from gpunet.dtypes import int64
from gpunet.nn.common_types import Device, DType, Sizes
from gpunet.nn.conv import Conv1d, Conv2d, Conv3d, ConvTranspose1d, ConvTranspose2d, ConvTranspose3d
from gpunet.nn.linear import Linear
from gpunet.nn.module import Module
from gpunet.nn.normalization import (
    BatchNorm1d,
    BatchNorm2d,
    BatchNorm3d,
    InstanceNorm1d,
    InstanceNorm2d,
    InstanceNorm3d,
)
from gpunet.nn.parameter import UninitializedBuffer, UninitializedParameter, is_lazy
from gpunet.ops import creation
from gpunet.tensor import Tensor


class LazyModuleMixin(Module):
    """Base of modules that wait for their first input. A subclass sets its parameters to `UninitializedParameter`s, and
    overrides `initialize_parameters`, which gets the arguments of the first call and gives them their shapes.

    Args:
        args: those of the other base class.
        kwargs: those of the other base class.

    Attributes:
        becomes: the class that the module takes after the first call; None for its own. PyTorch's name for it,
            cls_to_become, serves as well.

    Examples:
        >>> class Scale(nn.LazyModuleMixin, nn.Module):
        ...     def __init__(self):
        ...         super().__init__()
        ...         self.factor = nn.UninitializedParameter()
        ...     def initialize_parameters(self, x):
        ...         if self.has_uninitialized_params():
        ...             self.factor.materialize(x.shape[-1:])
        ...             nn.init.constant_(self.factor, 2.0)
        ...     def forward(self, x):
        ...         return x * self.factor
        >>> Scale()(gpunet.ones(2)).tolist()
        [2.0, 2.0]
    """

    becomes: type | None = None
    cls_to_become: type | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._handles = [self.register_forward_pre_hook(_infer, with_kwargs=True),
                         self.register_load_state_dict_pre_hook(_shape_from_state)]

    def initialize_parameters(self, *args: Any, **kwargs: Any) -> None:
        """Gives the parameters their shapes and first values; a subclass overrides it.

        Args:
            args: those of the first call.
            kwargs: those of the first call.
        """
        raise NotImplementedError(f"{type(self).__name__}: define initialize_parameters(*args), which materializes the "
                                  "parameters")

    def has_uninitialized_params(self) -> bool:
        """Whether parameters or buffers of this module itself have no shape yet.

        Returns:
            True before the first call.
        """
        return any(map(is_lazy, (*self._parameters.values(), *self._buffers.values())))


def _infer(module: Any, args: tuple, kwargs: dict[str, Any]) -> None:
    module.initialize_parameters(*args, **kwargs)
    if module.has_uninitialized_params():
        raise RuntimeError(f"{type(module).__name__}: initialize_parameters left parameters without a shape; call "
                           "materialize(shape) on each")
    for handle in module.__dict__.pop("_handles"):
        handle.remove()
    module.__dict__["_hooked"] = any(module.__dict__.get(kind) for kind in (
        "_forward_pre_hooks", "_forward_hooks", "_backward_pre_hooks", "_backward_hooks"))
    becomes = module.becomes or module.cls_to_become
    if becomes is not None:
        module.__class__ = becomes


def _shape_from_state(module: Any, state_dict: dict[str, Any], prefix: str, *_: Any) -> None:
    """Gives a lazy module's parameters the shapes of those that are loaded into them."""
    for holder in (module._parameters, module._buffers):
        for name, tensor in holder.items():
            given = state_dict.get(prefix + name)
            if is_lazy(tensor) and given is not None and not is_lazy(given):
                tensor.materialize(tuple(given.shape))


class LazyLinear(LazyModuleMixin, Linear):
    """`Linear` whose `in_features` is the last size of the first input.

    Args:
        out_features: the last size of the output.
        bias: whether to add a bias.
        device: where the parameters will be.
        dtype: floating-point dtype of the parameters.

    Examples:
        >>> layer = nn.LazyLinear(2)
        >>> layer(gpunet.randn(3, 5)).shape, layer
        (gpunet.Size([3, 2]), Linear(in_features=5, out_features=2, bias=True))
    """

    becomes = Linear
    weight: Any
    bias: Any

    def __init__(self, out_features: int, bias: bool = True, device: Device = None, dtype: DType = None) -> None:
        super().__init__(0, 0, False)
        self.out_features = out_features
        self.weight = UninitializedParameter(device=device, dtype=dtype)
        if bias:
            self.bias = UninitializedParameter(device=device, dtype=dtype)

    def reset_parameters(self) -> None:
        """Draws new initial values, once there are parameters."""
        if not self.has_uninitialized_params() and self.in_features:
            super().reset_parameters()

    def initialize_parameters(self, input: Tensor) -> None:
        if self.has_uninitialized_params():
            self.in_features = input.shape[-1]
            self.weight.materialize((self.out_features, self.in_features))
            if self.bias is not None:
                self.bias.materialize((self.out_features,))
            self.reset_parameters()
        self.in_features = self.weight.shape[1]


class _LazyConvolution(LazyModuleMixin):
    """Base of lazy convolutions."""

    rank: int
    transposed: bool
    weight: Any
    bias: Any

    def _make_lazy(self, out_channels: int, bias: bool, device: Device, dtype: DType) -> None:
        if out_channels % self.groups:
            raise ValueError(f"{type(self).__name__}: out_channels must be divisible by groups, got {out_channels} and "
                             f"{self.groups}")
        self.out_channels = out_channels
        self.weight = UninitializedParameter(device=device, dtype=dtype)
        if bias:
            self.bias = UninitializedParameter(device=device, dtype=dtype)

    def reset_parameters(self) -> None:
        """Draws new initial values, once there are parameters."""
        if not self.has_uninitialized_params() and self.in_channels:
            super().reset_parameters()  # pyright: ignore[reportAttributeAccessIssue]

    def initialize_parameters(self, input: Tensor, *args: Any, **kwargs: Any) -> None:
        if self.has_uninitialized_params():
            if input.ndim not in (self.rank + 1, self.rank + 2):
                raise RuntimeError(f"{type(self).__name__}: expected an input of {self.rank + 1} or {self.rank + 2} "
                                   f"dimensions, got shape {tuple(input.shape)}")
            self.in_channels = input.shape[-self.rank - 1]
            if self.in_channels % self.groups:
                raise ValueError(f"{type(self).__name__}: in_channels must be divisible by groups, got "
                                 f"{self.in_channels} and {self.groups}")
            first, second = ((self.in_channels, self.out_channels) if self.transposed else
                             (self.out_channels, self.in_channels))
            self.weight.materialize((first, second // self.groups, *self.kernel_size))
            if self.bias is not None:
                self.bias.materialize((self.out_channels,))
            self.reset_parameters()
        first, second = self.weight.shape[:2]
        self.in_channels = first if self.transposed else second * self.groups


class LazyConv1d(_LazyConvolution, Conv1d):
    """`Conv1d` whose `in_channels` is that of the first input.

    Args:
        out_channels: channels of the output.
        kernel_size: as in `Conv1d`.
        stride: as in `Conv1d`.
        padding: as in `Conv1d`.
        dilation: as in `Conv1d`.
        groups: as in `Conv1d`.
        bias: as in `Conv1d`.
        padding_mode: as in `Conv1d`.
        device: where the parameters will be.
        dtype: floating-point dtype of the parameters.

    Examples:
        >>> layer = nn.LazyConv1d(4, 2)
        >>> layer(gpunet.randn(1, 3, 6)).shape
        gpunet.Size([1, 4, 5])
    """

    becomes = Conv1d

    def __init__(self, out_channels: int, kernel_size: Sizes, stride: Sizes = 1, padding: Sizes | str = 0,
                 dilation: Sizes = 1, groups: int = 1, bias: bool = True, padding_mode: str = "zeros",
                 device: Device = None, dtype: DType = None) -> None:
        super().__init__(0, 0, kernel_size, stride, padding, dilation, groups, False, padding_mode)
        self._make_lazy(out_channels, bias, device, dtype)


class LazyConv2d(_LazyConvolution, Conv2d):
    """`Conv2d` whose `in_channels` is that of the first input.

    Args:
        out_channels: channels of the output.
        kernel_size: as in `Conv2d`.
        stride: as in `Conv2d`.
        padding: as in `Conv2d`.
        dilation: as in `Conv2d`.
        groups: as in `Conv2d`.
        bias: as in `Conv2d`.
        padding_mode: as in `Conv2d`.
        device: where the parameters will be.
        dtype: floating-point dtype of the parameters.

    Examples:
        >>> layer = nn.LazyConv2d(4, 2)
        >>> layer(gpunet.randn(1, 3, 6, 6)).shape
        gpunet.Size([1, 4, 5, 5])
    """

    becomes = Conv2d

    def __init__(self, out_channels: int, kernel_size: Sizes, stride: Sizes = 1, padding: Sizes | str = 0,
                 dilation: Sizes = 1, groups: int = 1, bias: bool = True, padding_mode: str = "zeros",
                 device: Device = None, dtype: DType = None) -> None:
        super().__init__(0, 0, kernel_size, stride, padding, dilation, groups, False, padding_mode)
        self._make_lazy(out_channels, bias, device, dtype)


class LazyConv3d(_LazyConvolution, Conv3d):
    """`Conv3d` whose `in_channels` is that of the first input.

    Args:
        out_channels: channels of the output.
        kernel_size: as in `Conv3d`.
        stride: as in `Conv3d`.
        padding: as in `Conv3d`.
        dilation: as in `Conv3d`.
        groups: as in `Conv3d`.
        bias: as in `Conv3d`.
        padding_mode: as in `Conv3d`.
        device: where the parameters will be.
        dtype: floating-point dtype of the parameters.

    Examples:
        >>> layer = nn.LazyConv3d(4, 2)
        >>> layer(gpunet.randn(1, 3, 6, 6, 6)).shape
        gpunet.Size([1, 4, 5, 5, 5])
    """

    becomes = Conv3d

    def __init__(self, out_channels: int, kernel_size: Sizes, stride: Sizes = 1, padding: Sizes | str = 0,
                 dilation: Sizes = 1, groups: int = 1, bias: bool = True, padding_mode: str = "zeros",
                 device: Device = None, dtype: DType = None) -> None:
        super().__init__(0, 0, kernel_size, stride, padding, dilation, groups, False, padding_mode)
        self._make_lazy(out_channels, bias, device, dtype)


class LazyConvTranspose1d(_LazyConvolution, ConvTranspose1d):
    """`ConvTranspose1d` whose `in_channels` is that of the first input.

    Args:
        out_channels: channels of the output.
        kernel_size: as in `ConvTranspose1d`.
        stride: as in `ConvTranspose1d`.
        padding: as in `ConvTranspose1d`.
        output_padding: as in `ConvTranspose1d`.
        dilation: as in `ConvTranspose1d`.
        groups: as in `ConvTranspose1d`.
        bias: as in `ConvTranspose1d`.
        padding_mode: as in `ConvTranspose1d`.
        device: where the parameters will be.
        dtype: floating-point dtype of the parameters.

    Examples:
        >>> layer = nn.LazyConvTranspose1d(4, 2)
        >>> layer(gpunet.randn(1, 3, 6)).shape
        gpunet.Size([1, 4, 7])
    """

    becomes = ConvTranspose1d

    def __init__(self, out_channels: int, kernel_size: Sizes, stride: Sizes = 1, padding: Sizes = 0,
                 output_padding: Sizes = 0, groups: int = 1, bias: bool = True, dilation: Sizes = 1,
                 padding_mode: str = "zeros", device: Device = None, dtype: DType = None) -> None:
        super().__init__(0, 0, kernel_size, stride, padding, output_padding, groups, False, dilation, padding_mode)
        self._make_lazy(out_channels, bias, device, dtype)


class LazyConvTranspose2d(_LazyConvolution, ConvTranspose2d):
    """`ConvTranspose2d` whose `in_channels` is that of the first input.

    Args:
        out_channels: channels of the output.
        kernel_size: as in `ConvTranspose2d`.
        stride: as in `ConvTranspose2d`.
        padding: as in `ConvTranspose2d`.
        output_padding: as in `ConvTranspose2d`.
        dilation: as in `ConvTranspose2d`.
        groups: as in `ConvTranspose2d`.
        bias: as in `ConvTranspose2d`.
        padding_mode: as in `ConvTranspose2d`.
        device: where the parameters will be.
        dtype: floating-point dtype of the parameters.

    Examples:
        >>> layer = nn.LazyConvTranspose2d(4, 2)
        >>> layer(gpunet.randn(1, 3, 6, 6)).shape
        gpunet.Size([1, 4, 7, 7])
    """

    becomes = ConvTranspose2d

    def __init__(self, out_channels: int, kernel_size: Sizes, stride: Sizes = 1, padding: Sizes = 0,
                 output_padding: Sizes = 0, groups: int = 1, bias: bool = True, dilation: Sizes = 1,
                 padding_mode: str = "zeros", device: Device = None, dtype: DType = None) -> None:
        super().__init__(0, 0, kernel_size, stride, padding, output_padding, groups, False, dilation, padding_mode)
        self._make_lazy(out_channels, bias, device, dtype)


class LazyConvTranspose3d(_LazyConvolution, ConvTranspose3d):
    """`ConvTranspose3d` whose `in_channels` is that of the first input.

    Args:
        out_channels: channels of the output.
        kernel_size: as in `ConvTranspose3d`.
        stride: as in `ConvTranspose3d`.
        padding: as in `ConvTranspose3d`.
        output_padding: as in `ConvTranspose3d`.
        dilation: as in `ConvTranspose3d`.
        groups: as in `ConvTranspose3d`.
        bias: as in `ConvTranspose3d`.
        padding_mode: as in `ConvTranspose3d`.
        device: where the parameters will be.
        dtype: floating-point dtype of the parameters.

    Examples:
        >>> layer = nn.LazyConvTranspose3d(4, 2)
        >>> layer(gpunet.randn(1, 3, 6, 6, 6)).shape
        gpunet.Size([1, 4, 7, 7, 7])
    """

    becomes = ConvTranspose3d

    def __init__(self, out_channels: int, kernel_size: Sizes, stride: Sizes = 1, padding: Sizes = 0,
                 output_padding: Sizes = 0, groups: int = 1, bias: bool = True, dilation: Sizes = 1,
                 padding_mode: str = "zeros", device: Device = None, dtype: DType = None) -> None:
        super().__init__(0, 0, kernel_size, stride, padding, output_padding, groups, False, dilation, padding_mode)
        self._make_lazy(out_channels, bias, device, dtype)


class _LazyNorm(LazyModuleMixin):
    """Base of lazy batch and instance norms."""

    weight: Any
    bias: Any
    running_mean: Any
    running_var: Any
    num_batches_tracked: Any
    num_features: int

    def __init__(self, eps: float = 1e-5, momentum: float | None = 0.1, affine: bool = True,
                 track_running_stats: bool = True, device: Device = None, dtype: DType = None, *,
                 bias: bool = True) -> None:
        super().__init__(0, eps, momentum, False, False, device, dtype)
        self.affine, self.track_running_stats = affine, track_running_stats
        if affine:
            self.weight = UninitializedParameter(device=device, dtype=dtype)
            if bias:
                self.bias = UninitializedParameter(device=device, dtype=dtype)
        if track_running_stats:
            self.running_mean = UninitializedBuffer(device=device, dtype=dtype)
            self.running_var = UninitializedBuffer(device=device, dtype=dtype)
            self.num_batches_tracked = creation.zeros((), dtype=int64, device=device)

    def reset_parameters(self) -> None:
        """Sets the first values, once there are parameters."""
        if not self.has_uninitialized_params() and self.num_features:
            super().reset_parameters()  # pyright: ignore[reportAttributeAccessIssue]

    def initialize_parameters(self, input: Tensor) -> None:
        held = [t for t in (self.weight, self.bias, self.running_mean, self.running_var) if t is not None]
        if self.has_uninitialized_params():
            self.num_features = input.shape[1]
            for tensor in held:
                tensor.materialize((self.num_features,))
            self.reset_parameters()
        self.num_features = held[0].shape[0] if held else input.shape[1]


class LazyBatchNorm1d(_LazyNorm, BatchNorm1d):
    """`BatchNorm1d` whose `num_features` is the number of channels of the first input.

    Args:
        eps: as in `BatchNorm1d`.
        momentum: as in `BatchNorm1d`.
        affine: as in `BatchNorm1d`.
        track_running_stats: as in `BatchNorm1d`.
        device: where parameters and buffers will be.
        dtype: floating-point dtype of parameters and buffers.
        bias: as in `BatchNorm1d`.

    Examples:
        >>> layer = nn.LazyBatchNorm1d()
        >>> _ = layer(gpunet.randn(2, 3, 4))
        >>> layer.num_features
        3
    """

    becomes = BatchNorm1d


class LazyBatchNorm2d(_LazyNorm, BatchNorm2d):
    """`BatchNorm2d` whose `num_features` is the number of channels of the first input.

    Args:
        eps: as in `BatchNorm2d`.
        momentum: as in `BatchNorm2d`.
        affine: as in `BatchNorm2d`.
        track_running_stats: as in `BatchNorm2d`.
        device: where parameters and buffers will be.
        dtype: floating-point dtype of parameters and buffers.
        bias: as in `BatchNorm2d`.

    Examples:
        >>> layer = nn.LazyBatchNorm2d()
        >>> _ = layer(gpunet.randn(2, 3, 4, 4))
        >>> layer.num_features
        3
    """

    becomes = BatchNorm2d


class LazyBatchNorm3d(_LazyNorm, BatchNorm3d):
    """`BatchNorm3d` whose `num_features` is the number of channels of the first input.

    Args:
        eps: as in `BatchNorm3d`.
        momentum: as in `BatchNorm3d`.
        affine: as in `BatchNorm3d`.
        track_running_stats: as in `BatchNorm3d`.
        device: where parameters and buffers will be.
        dtype: floating-point dtype of parameters and buffers.
        bias: as in `BatchNorm3d`.

    Examples:
        >>> layer = nn.LazyBatchNorm3d()
        >>> _ = layer(gpunet.randn(2, 3, 2, 4, 4))
        >>> layer.num_features
        3
    """

    becomes = BatchNorm3d


class LazyInstanceNorm1d(_LazyNorm, InstanceNorm1d):
    """`InstanceNorm1d` whose `num_features` is the number of channels of the first input.

    Args:
        eps: as in `InstanceNorm1d`.
        momentum: as in `InstanceNorm1d`.
        affine: as in `InstanceNorm1d`.
        track_running_stats: as in `InstanceNorm1d`.
        device: where parameters and buffers will be.
        dtype: floating-point dtype of parameters and buffers.
        bias: as in `InstanceNorm1d`.

    Examples:
        >>> layer = nn.LazyInstanceNorm1d()
        >>> _ = layer(gpunet.randn(2, 3, 4))
        >>> layer.num_features
        3
    """

    becomes = InstanceNorm1d


class LazyInstanceNorm2d(_LazyNorm, InstanceNorm2d):
    """`InstanceNorm2d` whose `num_features` is the number of channels of the first input.

    Args:
        eps: as in `InstanceNorm2d`.
        momentum: as in `InstanceNorm2d`.
        affine: as in `InstanceNorm2d`.
        track_running_stats: as in `InstanceNorm2d`.
        device: where parameters and buffers will be.
        dtype: floating-point dtype of parameters and buffers.
        bias: as in `InstanceNorm2d`.

    Examples:
        >>> layer = nn.LazyInstanceNorm2d()
        >>> _ = layer(gpunet.randn(2, 3, 4, 4))
        >>> layer.num_features
        3
    """

    becomes = InstanceNorm2d


class LazyInstanceNorm3d(_LazyNorm, InstanceNorm3d):
    """`InstanceNorm3d` whose `num_features` is the number of channels of the first input.

    Args:
        eps: as in `InstanceNorm3d`.
        momentum: as in `InstanceNorm3d`.
        affine: as in `InstanceNorm3d`.
        track_running_stats: as in `InstanceNorm3d`.
        device: where parameters and buffers will be.
        dtype: floating-point dtype of parameters and buffers.
        bias: as in `InstanceNorm3d`.

    Examples:
        >>> layer = nn.LazyInstanceNorm3d()
        >>> _ = layer(gpunet.randn(2, 3, 2, 4, 4))
        >>> layer.num_features
        3
    """

    becomes = InstanceNorm3d
