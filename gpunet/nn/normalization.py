"""Normalization layers. `gpunet.nn.functional` has each as a function."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gpunet._warn import warn
from gpunet.dtypes import INTS, int64
from gpunet.nn import functional as F
from gpunet.nn import init
from gpunet.nn.common_types import Device, DType
from gpunet.nn.module import Module
from gpunet.nn.parameter import Parameter
from gpunet.nn.stateless import Stateless
from gpunet.ops import creation
from gpunet.ops.norm_relu import batch_norm_relu
from gpunet.ops.normalization import batch_norm_counted
from gpunet.tensor import Tensor


class _Affine(Module):
    """Base: a weight and a bias, either of which may be missing."""

    weight: Parameter | None
    bias: Parameter | None

    def _add(self, name: str, wanted: bool, shape: int | Sequence[int], device: Device, dtype: DType) -> None:
        """Adds a parameter, or a place for it."""
        value = Parameter(creation.empty(shape, device=device, dtype=dtype)) if wanted else None
        self.register_parameter(name, value)

    def reset_parameters(self) -> None:
        """Sets the weight to 1 and the bias to 0."""
        if self.weight is not None:
            init.ones_(self.weight)
        bias = getattr(self, "bias", None)
        if bias is not None:
            init.zeros_(bias)


class _Tracking(_Affine):
    """Base of batch and instance norm: a weight and a bias for each channel, and running statistics."""

    _version = 2  # since 2, num_batches_tracked is part of the state
    ranks: tuple[int, ...]  # numbers of dimensions that an input may have
    running_mean: Tensor | None
    running_var: Tensor | None
    num_batches_tracked: Tensor | None

    def __init__(self, num_features: int, eps: float, momentum: float | None, affine: bool, track_running_stats: bool,
                 device: Device, dtype: DType, bias: bool) -> None:
        super().__init__()
        if eps <= 0:
            raise ValueError(f"{type(self).__name__}: eps must be positive, got {eps}")
        self.num_features = num_features
        self.eps = eps
        self.momentum = momentum
        self.affine = affine
        self.track_running_stats = track_running_stats
        self._add("weight", affine, num_features, device, dtype)
        self._add("bias", affine and bias, num_features, device, dtype)
        kept = track_running_stats
        self.register_buffer("running_mean", creation.zeros(num_features, device=device, dtype=dtype) if kept else None)
        self.register_buffer("running_var", creation.ones(num_features, device=device, dtype=dtype) if kept else None)
        self.register_buffer("num_batches_tracked", creation.zeros((), dtype=int64, device=device) if kept else None)
        self.reset_parameters()

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, local_metadata: dict[str, Any],
                              strict: bool, missing_keys: list[str], unexpected_keys: list[str],
                              error_msgs: list[str]) -> None:
        if (local_metadata.get("version") or 1) < 2 and self.num_batches_tracked is not None:
            state_dict.setdefault(prefix + "num_batches_tracked", self.num_batches_tracked)  # older files lack it
        super()._load_from_state_dict(state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys,
                                      error_msgs)

    def reset_running_stats(self) -> None:
        """Sets the running mean to 0 and the running variance to 1."""
        for buffer, value in ((self.running_mean, 0), (self.running_var, 1), (self.num_batches_tracked, 0)):
            if buffer is not None:
                buffer.fill_(value)

    def reset_parameters(self) -> None:
        """Sets weight and running variance to 1, bias and running mean to 0."""
        self.reset_running_stats()
        super().reset_parameters()

    def _check(self, input: Tensor) -> None:
        if input.ndim not in self.ranks:
            wanted = " or ".join([f"{rank}D" for rank in self.ranks])
            raise ValueError(f"{type(self).__name__}: expected {wanted} input (got {input.ndim}D input of shape "
                             f"{tuple(input.shape)})")

    def extra_repr(self) -> str:
        """The options, as repr() shows them."""
        return (f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
                f"bias={self.bias is not None}, track_running_stats={self.track_running_stats}")


class _BatchNorm(_Tracking):
    """Base of the batch norms."""

    def __init__(self, num_features: int, eps: float = 1e-5, momentum: float | None = 0.1, affine: bool = True,
                 track_running_stats: bool = True, device: Device = None, dtype: DType = None, *,
                 bias: bool = True) -> None:
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype, bias)

    def forward(self, input: Tensor) -> Tensor:
        return batch_norm_counted(*self._arguments(input))

    def with_relu(self, input: Tensor, onto: Tensor | None) -> Tensor:
        """relu(self(input) + onto); see nn/joined.py."""
        return batch_norm_relu(*self._arguments(input), onto=onto)

    def _arguments(self, input: Tensor) -> tuple[Any, ...]:
        """Of batch_norm_counted; counts the batch where that does not."""
        self._check(input)
        momentum: Any = 0.0 if self.momentum is None else self.momentum
        batches = self.num_batches_tracked if self.training else None
        by_batch = self.training or self.running_mean is None
        tracked = not by_batch or self.training and self.track_running_stats
        if batches is not None and not (tracked and self.momentum is not None and batches._device is input._device):
            batches.add_(1)
            if self.momentum is None and self.running_mean is not None:
                momentum = 1.0 / batches.to(self.running_mean.dtype)
            batches = None
        return (input, self.running_mean if tracked else None, self.running_var if tracked else None, self.weight,
                self.bias, by_batch, momentum, self.eps, batches)


class BatchNorm1d(_BatchNorm):
    """Normalizes each channel over the batch:
    `y = (x - mean) / sqrt(var + eps) * weight + bias`.

    In training, mean and var are the batch's (var without Bessel's correction), and the running statistics move
    towards them: `running = (1 - momentum) * running + momentum * batch`, with the corrected var. In evaluation, the
    running statistics are used.

    Source: Ioffe and Szegedy, "Batch Normalization", 2015.

    Args:
        num_features: the number of channels, C.
        eps: added to the variance; positive.
        momentum: how far the running statistics move in a step; None for the mean of all batches so far.
        affine: whether there is a weight for each channel, and a bias.
        track_running_stats: whether running statistics are kept; without them the batch's are always used.
        device: where parameters and buffers are kept.
        dtype: floating-point dtype of parameters and buffers.
        bias: whether there is a bias, if affine.

    Shape:
        [N, C] or [N, C, L], floating point; the output has the same.

    Attributes:
        weight: [C], starts as 1; None without affine.
        bias: [C], starts as 0; None without affine or bias.
        running_mean: buffer [C], starts as 0.
        running_var: buffer [C], starts as 1.
        num_batches_tracked: buffer [], int64: how many batches have been seen.

    Raises:
        ValueError: the input has another number of dimensions, or eps is not positive; in training, if there is one
            value per channel.

    Examples:
        >>> nn.BatchNorm1d(2, affine=False)(gpunet.tensor([[0.0, 1.0], [2.0, 5.0]]))
        tensor([[-1.0000, -1.0000],
                [ 1.0000,  1.0000]])
    """

    ranks = 2, 3


class BatchNorm2d(_BatchNorm):
    """Normalizes each channel over the batch and the image:
    `y = (x - mean) / sqrt(var + eps) * weight + bias`.

    In training, mean and var are the batch's (var without Bessel's correction), and the running statistics move
    towards them: `running = (1 - momentum) * running + momentum * batch`, with the corrected var. In evaluation, the
    running statistics are used.

    Source: Ioffe and Szegedy, "Batch Normalization", 2015.

    Args:
        num_features: the number of channels, C.
        eps: added to the variance; positive.
        momentum: how far the running statistics move in a step; None for the mean of all batches so far.
        affine: whether there is a weight for each channel, and a bias.
        track_running_stats: whether running statistics are kept; without them the batch's are always used.
        device: where parameters and buffers are kept.
        dtype: floating-point dtype of parameters and buffers.
        bias: whether there is a bias, if affine.

    Shape:
        [N, C, H, W], floating point; the output has the same.

    Attributes:
        weight: [C], starts as 1; None without affine.
        bias: [C], starts as 0; None without affine or bias.
        running_mean: buffer [C], starts as 0.
        running_var: buffer [C], starts as 1.
        num_batches_tracked: buffer [], int64: how many batches have been seen.

    Raises:
        ValueError: the input has another number of dimensions, or eps is not positive; in training, if there is one
            value per channel.

    Examples:
        >>> nn.BatchNorm2d(8)(gpunet.randn(4, 8, 5, 6)).shape
        gpunet.Size([4, 8, 5, 6])
    """

    ranks = (4,)


class BatchNorm3d(_BatchNorm):
    """Normalizes each channel over the batch and the volume:
    `y = (x - mean) / sqrt(var + eps) * weight + bias`.

    In training, mean and var are the batch's (var without Bessel's correction), and the running statistics move
    towards them: `running = (1 - momentum) * running + momentum * batch`, with the corrected var. In evaluation, the
    running statistics are used.

    Source: Ioffe and Szegedy, "Batch Normalization", 2015.

    Args:
        num_features: the number of channels, C.
        eps: added to the variance; positive.
        momentum: how far the running statistics move in a step; None for the mean of all batches so far.
        affine: whether there is a weight for each channel, and a bias.
        track_running_stats: whether running statistics are kept; without them the batch's are always used.
        device: where parameters and buffers are kept.
        dtype: floating-point dtype of parameters and buffers.
        bias: whether there is a bias, if affine.

    Shape:
        [N, C, D, H, W], floating point; the output has the same.

    Attributes:
        weight: [C], starts as 1; None without affine.
        bias: [C], starts as 0; None without affine or bias.
        running_mean: buffer [C], starts as 0.
        running_var: buffer [C], starts as 1.
        num_batches_tracked: buffer [], int64: how many batches have been seen.

    Raises:
        ValueError: the input has another number of dimensions, or eps is not positive; in training, if there is one
            value per channel.

    Examples:
        >>> nn.BatchNorm3d(8)(gpunet.randn(4, 8, 2, 5, 6)).shape
        gpunet.Size([4, 8, 2, 5, 6])
    """

    ranks = (5,)


class _InstanceNorm(_Tracking):
    """Base of the instance norms."""

    def __init__(self, num_features: int, eps: float = 1e-5, momentum: float | None = 0.1, affine: bool = False,
                 track_running_stats: bool = False, device: Device = None, dtype: DType = None, *,
                 bias: bool = True) -> None:
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype, bias)

    def forward(self, input: Tensor) -> Tensor:
        self._check(input)
        batched = input.ndim == self.ranks[1]
        x = input if batched else input.unsqueeze(0)
        if x.shape[1] != self.num_features:
            text = (f"{type(self).__name__}: expected {self.num_features} channels, got an input of shape "
                    f"{tuple(input.shape)}")
            if self.affine:
                raise ValueError(text)
            warn(text + "; num_features is not used when affine=False")
        y = F.instance_norm(x, self.running_mean, self.running_var, self.weight, self.bias,
                            self.training or not self.track_running_stats,
                            0.0 if self.momentum is None else self.momentum, self.eps)
        return y if batched else y.squeeze(0)


class InstanceNorm1d(_InstanceNorm):
    """Normalizes each channel of each sequence by its own mean and variance:
    `y = (x - mean) / sqrt(var + eps) * weight + bias`.

    Source: Ulyanov et al., "Instance Normalization", 2016.

    Args:
        num_features: the number of channels, C.
        eps: added to the variance; positive.
        momentum: how far the running statistics move in a step, if they are kept.
        affine: whether there is a weight for each channel, and a bias.
        track_running_stats: whether to keep running statistics and to use them in evaluation.
        device: where parameters and buffers are kept.
        dtype: floating-point dtype of parameters and buffers.
        bias: whether there is a bias, if affine.

    Shape:
        [N, C, L] or [C, L], floating point; the output has the same.

    Attributes:
        weight: [C], starts as 1; None without affine.
        bias: [C], starts as 0; None without affine or bias.

    Raises:
        ValueError: the input has another number of dimensions, or other channels (a warning without affine), or eps
            is not positive.

    Examples:
        >>> nn.InstanceNorm1d(1)(gpunet.tensor([[[0.0, 1.0, 2.0]]]))
        tensor([[[-1.2247,  0.0000,  1.2247]]])
    """

    ranks = 2, 3


class InstanceNorm2d(_InstanceNorm):
    """Normalizes each channel of each image by its own mean and variance:
    `y = (x - mean) / sqrt(var + eps) * weight + bias`.

    Source: Ulyanov et al., "Instance Normalization", 2016.

    Args:
        num_features: the number of channels, C.
        eps: added to the variance; positive.
        momentum: how far the running statistics move in a step, if they are kept.
        affine: whether there is a weight for each channel, and a bias.
        track_running_stats: whether to keep running statistics and to use them in evaluation.
        device: where parameters and buffers are kept.
        dtype: floating-point dtype of parameters and buffers.
        bias: whether there is a bias, if affine.

    Shape:
        [N, C, H, W] or [C, H, W], floating point; the output has the same.

    Attributes:
        weight: [C], starts as 1; None without affine.
        bias: [C], starts as 0; None without affine or bias.

    Raises:
        ValueError: the input has another number of dimensions, or other channels (a warning without affine), or eps
            is not positive.

    Examples:
        >>> nn.InstanceNorm2d(8)(gpunet.randn(4, 8, 5, 6)).shape
        gpunet.Size([4, 8, 5, 6])
    """

    ranks = 3, 4


class InstanceNorm3d(_InstanceNorm):
    """Normalizes each channel of each volume by its own mean and variance:
    `y = (x - mean) / sqrt(var + eps) * weight + bias`.

    Source: Ulyanov et al., "Instance Normalization", 2016.

    Args:
        num_features: the number of channels, C.
        eps: added to the variance; positive.
        momentum: how far the running statistics move in a step, if they are kept.
        affine: whether there is a weight for each channel, and a bias.
        track_running_stats: whether to keep running statistics and to use them in evaluation.
        device: where parameters and buffers are kept.
        dtype: floating-point dtype of parameters and buffers.
        bias: whether there is a bias, if affine.

    Shape:
        [N, C, D, H, W] or [C, D, H, W], floating point; the output has the same.

    Attributes:
        weight: [C], starts as 1; None without affine.
        bias: [C], starts as 0; None without affine or bias.

    Raises:
        ValueError: the input has another number of dimensions, or other channels (a warning without affine), or eps
            is not positive.

    Examples:
        >>> nn.InstanceNorm3d(8)(gpunet.randn(4, 8, 2, 5, 6)).shape
        gpunet.Size([4, 8, 2, 5, 6])
    """

    ranks = 4, 5


class GroupNorm(_Affine):
    """Normalizes groups of channels, each example by itself: `y = (x - mean) / sqrt(var + eps) * weight + bias`, with
    the mean and variance of a group's channels.

    Source: Wu and He, "Group Normalization", 2018.

    Args:
        num_groups: the number of groups; 1 joins all channels, num_channels separates them.
        num_channels: the number of channels, C, a multiple of num_groups.
        eps: added to the variance.
        affine: whether there is a weight for each channel, and a bias.
        device: where the parameters are kept.
        dtype: floating-point dtype of the parameters.
        bias: whether there is a bias, if affine.

    Shape:
        [N, C, ...], floating point; the output has the same.

    Attributes:
        weight: [C], starts as 1; None without affine.
        bias: [C], starts as 0; None without affine or bias.

    Raises:
        ValueError: num_groups does not divide num_channels.

    Examples:
        >>> nn.GroupNorm(1, 2)(gpunet.tensor([[0.0, 2.0]])).detach()
        tensor([[-1.0000,  1.0000]])
    """

    def __init__(self, num_groups: int, num_channels: int, eps: float = 1e-5, affine: bool = True,
                 device: Device = None, dtype: DType = None, *, bias: bool = True) -> None:
        super().__init__()
        if num_groups <= 0 or num_channels % num_groups:
            raise ValueError(f"GroupNorm: num_channels must be divisible by num_groups, got {num_channels} and "
                             f"{num_groups}")
        self.num_groups = num_groups
        self.num_channels = num_channels
        self.eps = eps
        self.affine = affine
        self._add("weight", affine, num_channels, device, dtype)
        self._add("bias", affine and bias, num_channels, device, dtype)
        self.reset_parameters()

    def forward(self, input: Tensor) -> Tensor:
        return F.group_norm(input, self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return (f"{self.num_groups}, {self.num_channels}, eps={self.eps}, affine={self.affine}, "
                f"bias={self.bias is not None}")


def _shape_of(normalized_shape: int | Sequence[int]) -> tuple[int, ...]:
    return (normalized_shape,) if isinstance(normalized_shape, INTS) else tuple(normalized_shape)


class LayerNorm(_Affine):
    """Normalizes the last dimensions together: `y = (x - mean) / sqrt(var + eps) * weight + bias`.

    Source: Ba et al., "Layer Normalization", 2016.

    Args:
        normalized_shape: the sizes of these dimensions; one number for the last dimension alone.
        eps: added to the variance.
        elementwise_affine: whether there is a weight for each element, and a bias.
        bias: whether there is a bias, if elementwise_affine.
        device: where the parameters are kept.
        dtype: floating-point dtype of the parameters.

    Shape:
        [..., *normalized_shape], floating point; the output has the same.

    Attributes:
        weight: [*normalized_shape], starts as 1; None without elementwise_affine.
        bias: [*normalized_shape], starts as 0; None without elementwise_affine or bias.

    Raises:
        RuntimeError: the input does not end in normalized_shape.

    Examples:
        >>> nn.LayerNorm(3)(gpunet.tensor([0.0, 1.0, 2.0])).detach()
        tensor([-1.2247,  0.0000,  1.2247])
    """

    def __init__(self, normalized_shape: int | Sequence[int], eps: float = 1e-5, elementwise_affine: bool = True,
                 bias: bool = True, device: Device = None, dtype: DType = None) -> None:
        super().__init__()
        self.normalized_shape = _shape_of(normalized_shape)
        self.eps = eps
        self.elementwise_affine = elementwise_affine
        self._add("weight", elementwise_affine, self.normalized_shape, device, dtype)
        self._add("bias", elementwise_affine and bias, self.normalized_shape, device, dtype)
        self.reset_parameters()

    def forward(self, input: Tensor) -> Tensor:
        return F.layer_norm(input, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return (f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}, "
                f"bias={self.bias is not None}")


class RMSNorm(_Affine):
    """Divides by the root mean square over the last dimensions: `y = x / sqrt(mean(x^2) + eps) * weight`.

    Source: Zhang and Sennrich, "Root Mean Square Layer Normalization", 2019.

    Args:
        normalized_shape: the sizes of these dimensions; one number for the last dimension alone.
        eps: added to the mean square; None for the machine epsilon of the input's dtype.
        elementwise_affine: whether there is a weight for each element.
        device: where the weight is kept.
        dtype: floating-point dtype of the weight.

    Shape:
        [..., *normalized_shape], floating point; the output has the same.

    Attributes:
        weight: [*normalized_shape], starts as 1; None without elementwise_affine.

    Raises:
        RuntimeError: the input does not end in normalized_shape.

    Examples:
        >>> nn.RMSNorm(2)(gpunet.tensor([3.0, 4.0])).detach()
        tensor([0.8485, 1.1314])
    """

    def __init__(self, normalized_shape: int | Sequence[int], eps: float | None = None,
                 elementwise_affine: bool = True, device: Device = None, dtype: DType = None) -> None:
        super().__init__()
        self.normalized_shape = _shape_of(normalized_shape)
        self.eps = eps
        self.elementwise_affine = elementwise_affine
        self._add("weight", elementwise_affine, self.normalized_shape, device, dtype)
        self.reset_parameters()

    def forward(self, x: Tensor) -> Tensor:
        return F.rms_norm(x, self.normalized_shape, self.weight, self.eps)

    def extra_repr(self) -> str:
        return f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"


class LocalResponseNorm(Stateless):
    """Divides each element by a power of the mean square over neighbouring channels:
    `y = x / (k + alpha * mean(x^2 of size channels around))^beta`, with zeros beyond the first and the last channel.

    Source: Krizhevsky et al., "ImageNet Classification with Deep Convolutional Neural Networks", 2012.

    Args:
        size: the number of channels in the mean.
        alpha: factor of the mean square.
        beta: the exponent.
        k: added to the mean square.

    Shape:
        [N, C, ...], floating point; the output has the same.

    Examples:
        >>> nn.LocalResponseNorm(2, alpha=1.0)(gpunet.ones(1, 2, 1)).flatten()
        tensor([0.7378, 0.5946])
    """

    def __init__(self, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> None:
        super().__init__()
        self.size = size
        self.alpha = alpha
        self.beta = beta
        self.k = k

    def forward(self, input: Tensor) -> Tensor:
        return F.local_response_norm(input, self.size, self.alpha, self.beta, self.k)

    def extra_repr(self) -> str:
        return f"{self.size}, alpha={self.alpha}, beta={self.beta}, k={self.k}"
