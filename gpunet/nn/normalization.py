"""Normalisation layers; their formulas are in `gpunet.nn.functional`."""

from __future__ import annotations

import warnings

from gpunet.dtypes import int64
from gpunet.nn import functional as F
from gpunet.nn import init
from gpunet.nn.function_layer import layer_of
from gpunet.nn.module import Module
from gpunet.nn.parameter import Parameter
from gpunet.ops import creation
from gpunet.tensor import Tensor


def _add(module: Module, wanted: bool, names: tuple[str, ...], shape, device, dtype) -> None:
    """Gives the module parameters, or places for them."""
    for name in names:
        value = Parameter(creation.empty(shape, device=device, dtype=dtype)) if wanted else None
        module.register_parameter(name, value)


def _reset(module: Module) -> None:
    if module.weight is not None:
        init.ones_(module.weight)
    if getattr(module, "bias", None) is not None:
        init.zeros_(module.bias)


class _Tracking(Module):
    """What batch and instance norm share: a weight and a bias for each channel, and running statistics."""

    ranks: tuple[int, ...]  # dimensions that an input may have

    def __init__(self, num_features, eps, momentum, affine, track_running_stats, device, dtype, bias) -> None:
        super().__init__()
        if eps <= 0:
            raise ValueError(f"{type(self).__name__}: eps must be positive, got {eps}")
        self.num_features = num_features
        self.eps = eps
        self.momentum = momentum
        self.affine = affine
        self.track_running_stats = track_running_stats
        _add(self, affine, ("weight",), num_features, device, dtype)
        _add(self, affine and bias, ("bias",), num_features, device, dtype)
        kept = track_running_stats
        self.register_buffer("running_mean", creation.zeros(num_features, device=device, dtype=dtype) if kept else None)
        self.register_buffer("running_var", creation.ones(num_features, device=device, dtype=dtype) if kept else None)
        self.register_buffer("num_batches_tracked", creation.zeros((), dtype=int64, device=device) if kept else None)
        self.reset_parameters()

    def reset_running_stats(self) -> None:
        """Back to mean 0 and variance 1."""
        if self.track_running_stats:
            self.running_mean.zero_()
            self.running_var.fill_(1)
            self.num_batches_tracked.zero_()

    def reset_parameters(self) -> None:
        """Weight 1, bias 0, mean 0, variance 1."""
        self.reset_running_stats()
        _reset(self)

    def _check(self, input: Tensor) -> None:
        if input.ndim not in self.ranks:
            wanted = " or ".join([f"{rank}D" for rank in self.ranks])
            raise ValueError(f"{type(self).__name__}: expected {wanted} input (got {input.ndim}D input of shape "
                             f"{tuple(input.shape)})")

    def extra_repr(self) -> str:
        return (f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
                f"bias={self.bias is not None}, track_running_stats={self.track_running_stats}")


class _BatchNorm(_Tracking):
    """Each channel normalised by its mean and variance over all else (Ioffe and Szegedy, 2015): in training those of
    the batch, in evaluation running ones, which move towards the batch's by the share `momentum` at each step.

    momentum None: the mean of all batches so far. affine: a weight and a bias for each channel. track_running_stats
    False: always the batch's statistics. bias False: a weight only.
    """

    def __init__(self, num_features: int, eps: float = 1e-5, momentum: float | None = 0.1, affine: bool = True,
                 track_running_stats: bool = True, device=None, dtype=None, *, bias: bool = True) -> None:
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype, bias)

    def forward(self, input: Tensor) -> Tensor:
        self._check(input)
        momentum = 0.0 if self.momentum is None else self.momentum
        if self.training and self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)
            if self.momentum is None:
                momentum = 1.0 / self.num_batches_tracked.to(self.running_mean.dtype)
        by_batch = self.training or self.running_mean is None
        tracked = not by_batch or self.training and self.track_running_stats
        return F.batch_norm(input, self.running_mean if tracked else None, self.running_var if tracked else None,
                            self.weight, self.bias, by_batch, momentum, self.eps)


class BatchNorm1d(_BatchNorm):
    __doc__ = _BatchNorm.__doc__ + "\n    Of [N, C] or [N, C, L].\n"
    ranks = 2, 3


class BatchNorm2d(_BatchNorm):
    __doc__ = _BatchNorm.__doc__ + "\n    Of [N, C, H, W].\n"
    ranks = (4,)


class _InstanceNorm(_Tracking):
    """Each channel of each image normalised by its own mean and variance (Ulyanov et al., 2016). The options are those
    of BatchNorm, but affine and track_running_stats are off."""

    def __init__(self, num_features: int, eps: float = 1e-5, momentum: float = 0.1, affine: bool = False,
                 track_running_stats: bool = False, device=None, dtype=None, *, bias: bool = True) -> None:
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
            warnings.warn(text + "; num_features is not used when affine=False", stacklevel=4)
        y = F.instance_norm(x, self.running_mean, self.running_var, self.weight, self.bias,
                            self.training or not self.track_running_stats,
                            0.0 if self.momentum is None else self.momentum, self.eps)
        return y if batched else y.squeeze(0)


class InstanceNorm1d(_InstanceNorm):
    __doc__ = _InstanceNorm.__doc__ + "\n\n    Of [N, C, L] or [C, L].\n    "
    ranks = 2, 3


class InstanceNorm2d(_InstanceNorm):
    __doc__ = _InstanceNorm.__doc__ + "\n\n    Of [N, C, H, W] or [C, H, W].\n    "
    ranks = 3, 4


class GroupNorm(Module):
    """Channels of [N, C, ...] normalised in num_groups groups, each image by itself (Wu and He, 2018), with a weight
    and a bias for each channel if affine."""

    def __init__(self, num_groups: int, num_channels: int, eps: float = 1e-5, affine: bool = True, device=None,
                 dtype=None, *, bias: bool = True) -> None:
        super().__init__()
        if num_groups <= 0 or num_channels % num_groups:
            raise ValueError(f"GroupNorm: num_channels must be divisible by num_groups, got {num_channels} and "
                             f"{num_groups}")
        self.num_groups = num_groups
        self.num_channels = num_channels
        self.eps = eps
        self.affine = affine
        _add(self, affine, ("weight",), num_channels, device, dtype)
        _add(self, affine and bias, ("bias",), num_channels, device, dtype)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Weight 1, bias 0."""
        _reset(self)

    def forward(self, input: Tensor) -> Tensor:
        return F.group_norm(input, self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return (f"{self.num_groups}, {self.num_channels}, eps={self.eps}, affine={self.affine}, "
                f"bias={self.bias is not None}")


class _LastDimensions(Module):
    def __init__(self, normalized_shape, eps, elementwise_affine, names, device, dtype) -> None:
        super().__init__()
        whole = isinstance(normalized_shape, int)
        self.normalized_shape = (normalized_shape,) if whole else tuple(normalized_shape)
        self.eps = eps
        self.elementwise_affine = elementwise_affine
        _add(self, elementwise_affine, names, self.normalized_shape, device, dtype)

    def reset_parameters(self) -> None:
        """Weight 1, bias 0."""
        _reset(self)

    def extra_repr(self) -> str:
        return f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"


class LayerNorm(_LastDimensions):
    """The last dimensions, of sizes normalized_shape, normalised together (Ba et al., 2016), with a weight and, if
    bias, a bias of that shape."""

    def __init__(self, normalized_shape, eps: float = 1e-5, elementwise_affine: bool = True, bias: bool = True,
                 device=None, dtype=None) -> None:
        super().__init__(normalized_shape, eps, elementwise_affine, ("weight",), device, dtype)
        _add(self, elementwise_affine and bias, ("bias",), self.normalized_shape, device, dtype)
        self.reset_parameters()

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, bias={self.bias is not None}"

    def forward(self, input: Tensor) -> Tensor:
        return F.layer_norm(input, self.normalized_shape, self.weight, self.bias, self.eps)


class RMSNorm(_LastDimensions):
    """The last dimensions, of sizes normalized_shape, divided by the root of their mean square (Zhang and Sennrich,
    2019), with a weight of that shape. eps: the machine epsilon by default."""

    def __init__(self, normalized_shape, eps: float | None = None, elementwise_affine: bool = True, device=None,
                 dtype=None, *, bias: bool = True) -> None:
        super().__init__(normalized_shape, eps, elementwise_affine, ("weight",), device, dtype)
        self.reset_parameters()

    def forward(self, input: Tensor) -> Tensor:
        return F.rms_norm(input, self.normalized_shape, self.weight, self.eps)


LocalResponseNorm = layer_of("LocalResponseNorm", F.local_response_norm,
                             shows="{size}, alpha={alpha}, beta={beta}, k={k}")
