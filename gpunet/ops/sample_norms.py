"""Norms whose statistics are of each example alone: instance, group, layer, RMS and local response norm."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import TYPE_CHECKING

from ml_dtypes import finfo

from gpunet.dtypes import INTS, float32
from gpunet.ops.channel_affine import by_channel
from gpunet.ops.half import cast_by_autocast
from gpunet.ops.norm_groups import normalize_groups
from gpunet.ops.norm_groups import serves as in_channels_last
from gpunet.ops.normalization import by_running, check_channels, is_mixed_on_cpu, normalized_by, update_statistics
from gpunet.ops.pool import avg_pool
from gpunet.ops.reduce import mean
from gpunet.ops.rules import accumulator, require_float
from gpunet.ops.windows import windows

if TYPE_CHECKING:
    from gpunet.tensor import Tensor

# PyTorch's torch.batch_norm and torch.instance_norm take other arguments than those of nn.functional.
__all__ = ["group_norm", "layer_norm", "rms_norm"]


@cast_by_autocast
def _sample_norm(x, weight, bias, **options):
    """Layer, group and RMS norm, which autocast computes in float32; those of channels keep the input's type in it."""
    return normalized_by(x, weight, bias, **options)[0]


def _in_groups(x, weight, bias, groups, eps):
    """`normalize_groups`, with a bias that may come without a weight."""
    if weight is not None or bias is None:
        return normalize_groups(x, weight, bias, groups=groups, eps=eps)
    y, *statistics = normalize_groups(x, None, None, groups=groups, eps=eps)
    return y + by_channel(bias, x._array.ndim), *statistics


@cast_by_autocast
def _sample_groups(x, weight, bias, groups, eps):
    return _in_groups(x, weight, bias, groups, eps)[0]


def instance_norm(input: Tensor, running_mean: Tensor | None = None, running_var: Tensor | None = None,
                  weight: Tensor | None = None, bias: Tensor | None = None, use_input_stats: bool = True,
                  momentum: float = 0.1, eps: float = 1e-5) -> Tensor:
    """Instance normalisation: as batch normalisation, with statistics for each channel of each image by itself.

    Source: Ulyanov et al., "Instance normalization" (2016).

    Args:
        input: tensor [N, C, size...] of a floating-point type.
        running_mean: tensor [C], which moves towards the mean over the images; None: not kept.
        running_var: tensor [C], which moves towards the variance; None: not kept.
        weight: factors [C]; None: 1.
        bias: offsets [C]; None: 0.
        use_input_stats: use the statistics of the input, else the running ones.
        momentum: the share by which the running statistics move.
        eps: what is added to the variance.

    Returns:
        Tensor of input's shape and type.

    Raises:
        ValueError: there is only one value for each channel of an image.
        RuntimeError: a tensor does not have C elements, or the running statistics are missing where they are used.

    Example:
        >>> F.instance_norm(gpunet.tensor([[[1.0, 3.0], [10.0, 30.0]]]))
        tensor([[[-1.0000,  1.0000],
                 [-1.0000,  1.0000]]])
    """
    shape = input._array.shape
    check_channels("instance_norm", input, running_mean=running_mean, running_var=running_var, weight=weight,
                    bias=bias)
    if is_mixed_on_cpu(input, running_mean, running_var, weight, bias):
        return instance_norm(input.to(float32), running_mean, running_var, weight, bias, use_input_stats, momentum,
                             eps).to(input.dtype)
    if not use_input_stats:
        return by_running(input, running_mean, running_var, weight, bias, eps)
    count = prod(shape[2:])
    if count == 1:
        raise ValueError("instance_norm: expected more than 1 spatial element when training, got an input of "
                         f"shape {shape}")
    if in_channels_last(input, weight, bias):
        y, centre, spread = _in_groups(input, weight, bias, shape[1], eps)
    else:
        x = input.reshape(*shape[:2], count)
        y, centre, spread = normalized_by(x, by_channel(weight), by_channel(bias), axes=(2,), eps=eps, centred=True)
    if running_mean is not None:
        update_statistics(running_mean, running_var, mean(centre.detach(), 0), mean(spread.detach(), 0), momentum,
                          count)
    return y.reshape(shape)


def group_norm(input: Tensor, num_groups: int, weight: Tensor | None = None, bias: Tensor | None = None,
               eps: float = 1e-5) -> Tensor:
    """Group normalisation: statistics for each group of channels of each image.

    Source: Wu and He, "Group normalization" (2018).

    Args:
        input: tensor [N, C, ...] of a floating-point type.
        num_groups: number of groups, which divides C.
        weight: factors [C]; None: 1.
        bias: offsets [C]; None: 0.
        eps: what is added to the variance.

    Returns:
        Tensor of input's shape and type.

    Raises:
        RuntimeError: num_groups does not divide C, or a tensor does not have C elements.

    Example:
        >>> F.group_norm(gpunet.tensor([[1.0, 3.0, 10.0, 30.0]]), num_groups=2)
        tensor([[-1.0000,  1.0000, -1.0000,  1.0000]])
    """
    shape = input._array.shape
    check_channels("group_norm", input, weight=weight, bias=bias)
    if num_groups < 1 or shape[1] % num_groups:
        raise RuntimeError(f"group_norm: the number of channels must be divisible by num_groups, got an input of shape "
                           f"{shape} and num_groups={num_groups}")
    if in_channels_last(input, weight, bias):
        return _sample_groups(input, weight, bias, num_groups, eps)
    each = shape[1] // num_groups
    x = input.reshape(shape[0], num_groups, each, prod(shape[2:]))
    weight, bias = (None if t is None else t.reshape(1, num_groups, each, 1) for t in (weight, bias))
    return _sample_norm(x, weight, bias, axes=(2, 3), eps=eps, centred=True).reshape(shape)


def _last_dimensions(name, input, normalized_shape, weight, bias=None):
    wanted = (normalized_shape,) if isinstance(normalized_shape, INTS) else tuple(normalized_shape)
    have = input._array.shape
    require_float(input._array, name)
    if not wanted:
        raise RuntimeError(f"{name}: normalized_shape must name at least one dimension")
    if have[len(have) - len(wanted) :] != wanted or len(have) < len(wanted):
        raise RuntimeError(f"{name}: expected an input of shape (..., {', '.join(map(str, wanted))}), got {have}")
    for what, tensor in (("weight", weight), ("bias", bias)):
        if tensor is not None and tensor._array.shape != wanted:
            raise RuntimeError(f"{name}: expected a {what} of shape {wanted}, got {tensor._array.shape}")
    return tuple(range(len(have) - len(wanted), len(have)))


def layer_norm(input: Tensor, normalized_shape: int | Sequence[int], weight: Tensor | None = None,
               bias: Tensor | None = None, eps: float = 1e-5) -> Tensor:
    """Layer normalisation: y = (x - mean) / sqrt(variance + eps) * weight + bias, over the last dimensions.

    Source: Ba et al., "Layer normalization" (2016).

    Args:
        input: tensor [..., *normalized_shape] of a floating-point type.
        normalized_shape: the sizes of the last dimensions.
        weight: factors of shape normalized_shape; None: 1.
        bias: offsets of shape normalized_shape; None: 0.
        eps: what is added to the variance.

    Returns:
        Tensor of input's shape and type.

    Raises:
        RuntimeError: the last sizes of the input, or the shape of weight or bias, are not normalized_shape.

    Example:
        >>> F.layer_norm(gpunet.tensor([[1.0, 3.0], [10.0, 30.0]]), (2,))
        tensor([[-1.0000,  1.0000],
                [-1.0000,  1.0000]])
    """
    axes = _last_dimensions("layer_norm", input, normalized_shape, weight, bias)
    return _sample_norm(input, weight, bias, axes=axes, eps=eps, centred=True)


def rms_norm(input: Tensor, normalized_shape: int | Sequence[int], weight: Tensor | None = None,
             eps: float | None = None) -> Tensor:
    """Normalisation by the root mean square: y = x / sqrt(mean of x^2 + eps) * weight, over the last dimensions.

    Source: Zhang and Sennrich, "Root mean square layer normalization" (2019).

    Args:
        input: tensor [..., *normalized_shape] of a floating-point type.
        normalized_shape: the sizes of the last dimensions.
        weight: factors of shape normalized_shape; None: 1.
        eps: what is added to the mean square; None: the type's machine epsilon.

    Returns:
        Tensor of input's shape and type.

    Raises:
        RuntimeError: the last sizes of the input, or the shape of the weight, are not normalized_shape.

    Example:
        >>> F.rms_norm(gpunet.tensor([[1.0, 7.0]]), (2,))
        tensor([[0.2000, 1.4000]])
    """
    axes = _last_dimensions("rms_norm", input, normalized_shape, weight)
    added = float(finfo(accumulator(input._array.dtype)).eps) if eps is None else float(eps)
    return _sample_norm(input, weight, None, axes=axes, eps=added, centred=False)


def local_response_norm(input: Tensor, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> Tensor:
    """Local response normalisation: y = x / (k + alpha * mean of x^2 over `size` neighbouring channels)^beta.

    Source: Krizhevsky et al., "ImageNet classification with deep convolutional neural networks" (2012).

    Args:
        input: tensor [N, C, size...] of a floating-point type.
        size: number of neighbouring channels.
        alpha: factor of the mean.
        beta: exponent.
        k: what is added.

    Returns:
        Tensor of input's shape and type.

    Raises:
        ValueError: the input has fewer than 3 dimensions.

    Example:
        >>> F.local_response_norm(gpunet.tensor([[[2.0]]]), size=1, alpha=3.75, beta=0.5)
        tensor([[[0.5000]]])
    """
    shape = input._array.shape
    if len(shape) < 3:
        raise ValueError(f"local_response_norm: expected at least 3 dimensions (N, C, size...), got shape {shape}")
    rest = prod(shape[2:])
    at = windows((shape[1], rest), (size, 1), (1, 1), ((size // 2, (size - 1) // 2), (0, 0)), (1, 1))
    squares = (input * input).reshape(shape[0], 1, shape[1], rest)
    near = avg_pool(squares, at=at, include_pad=True, override=size).reshape(shape)
    return input / (near * alpha + k) ** beta
