"""Initial values of parameters: each function fills a tensor in place and returns it.

The formulas and names are those of `torch.nn.init`; the numbers come from gpunet's generators, and are the same on
every device for one seed.
"""

from __future__ import annotations

import math
from typing import Any

from gpunet._warn import warn
from gpunet.engine.modes import no_grad
from gpunet.ops import creation, random
from gpunet.ops.decompose import qr
from gpunet.random import Generator
from gpunet.tensor import Tensor

__all__ = ["calculate_gain", "constant_", "dirac_", "eye_", "kaiming_normal_", "kaiming_uniform_", "normal_", "ones_",
           "orthogonal_", "sparse_", "trunc_normal_", "uniform_", "xavier_normal_", "xavier_uniform_", "zeros_"]

# Gains that keep the variance of activations through a nonlinearity (He et al., 2015; SELU: Klambauer et al., 2017).
_GAINS = {"linear": 1.0, "conv1d": 1.0, "conv2d": 1.0, "conv3d": 1.0, "conv_transpose1d": 1.0, "conv_transpose2d": 1.0,
          "conv_transpose3d": 1.0, "sigmoid": 1.0, "tanh": 5.0 / 3, "relu": math.sqrt(2.0), "selu": 3.0 / 4}


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """The factor for initial weights that keeps the variance of activations through a nonlinearity.

    Source: He et al., "Delving Deep into Rectifiers", 2015; for SELU: Klambauer et al., 2017.

    Args:
        nonlinearity: "linear", "conv1d" ... "conv_transpose3d" or "sigmoid" (1), "tanh" (5/3), "relu" (sqrt(2)),
            "leaky_relu" (sqrt(2 / (1 + slope^2))) or "selu" (3/4).
        param: the slope of "leaky_relu"; None for 0.01.

    Returns:
        The gain.

    Raises:
        ValueError: the nonlinearity is unknown, or param not a number.

    Examples:
        >>> round(nn.init.calculate_gain("leaky_relu", 0.2), 4)
        1.3868
    """
    if nonlinearity == "leaky_relu":
        if param is None:
            param = 0.01
        elif isinstance(param, bool) or not isinstance(param, (int, float)):
            raise ValueError(f"negative_slope {param} not a valid number")
        return math.sqrt(2.0 / (1 + param**2))
    if nonlinearity not in _GAINS:
        raise ValueError(f"Unsupported nonlinearity {nonlinearity}; choose one of {', '.join([*_GAINS, 'leaky_relu'])}")
    return _GAINS[nonlinearity]


def _calculate_fan_in_and_fan_out(tensor: Tensor) -> tuple[int, int]:
    """How many inputs an output depends on, and the reverse: for [out, in, kernel sizes...]."""
    if tensor.ndim < 2:
        raise ValueError("Fan in and fan out can not be computed for tensor with fewer than 2 dimensions; this one has "
                         f"shape {tuple(tensor.shape)}")
    field = math.prod(tensor.shape[2:])
    return tensor.shape[1] * field, tensor.shape[0] * field


def _empty(tensor: Tensor) -> bool:
    if 0 in tensor.shape:
        warn("Initializing zero-element tensors is a no-op")
        return True
    return False


@no_grad()
def constant_(tensor: Tensor, val: float) -> Tensor:
    """Fills a tensor with a number.

    Args:
        tensor: the tensor to fill.
        val: the number.

    Returns:
        The tensor.

    Examples:
        >>> nn.init.constant_(gpunet.empty(2), 0.3)
        tensor([0.3000, 0.3000])
    """
    return tensor.fill_(val)


def zeros_(tensor: Tensor) -> Tensor:
    """Fills a tensor with 0.

    Args:
        tensor: the tensor to fill.

    Returns:
        The tensor.

    Examples:
        >>> nn.init.zeros_(gpunet.empty(2))
        tensor([0., 0.])
    """
    return constant_(tensor, 0.0)


def ones_(tensor: Tensor) -> Tensor:
    """Fills a tensor with 1.

    Args:
        tensor: the tensor to fill.

    Returns:
        The tensor.

    Examples:
        >>> nn.init.ones_(gpunet.empty(2))
        tensor([1., 1.])
    """
    return constant_(tensor, 1.0)


@no_grad()
def eye_(tensor: Tensor) -> Tensor:
    """Fills a matrix with ones on the diagonal and zeros elsewhere.

    Args:
        tensor: the matrix to fill.

    Returns:
        The matrix.

    Raises:
        ValueError: the tensor has not 2 dimensions.

    Examples:
        >>> nn.init.eye_(gpunet.empty(2, 3))
        tensor([[1., 0., 0.],
                [0., 1., 0.]])
    """
    if tensor.ndim != 2:
        raise ValueError(f"Only tensors with 2 dimensions are supported, got shape {tuple(tensor.shape)}")
    return tensor.copy_(creation.eye(*tensor.shape, dtype=tensor.dtype, device=tensor.device))


@no_grad()
def uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Fills a tensor with uniform numbers from [a, b).

    Args:
        tensor: the tensor to fill, floating point.
        a: lower end.
        b: upper end.
        generator: where the random numbers come from; None for the default generator.

    Returns:
        The tensor.

    Examples:
        >>> w = nn.init.uniform_(gpunet.empty(100), -1.0, 1.0)
        >>> bool((w.abs() <= 1).all())
        True
    """
    return tensor.uniform_(a, b, generator=generator)


@no_grad()
def normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Fills a tensor with normal numbers.

    Args:
        tensor: the tensor to fill, floating point.
        mean: the distribution's mean.
        std: its standard deviation.
        generator: where the random numbers come from; None for the default generator.

    Returns:
        The tensor.

    Examples:
        >>> nn.init.normal_(gpunet.empty(2), mean=5.0, std=0.0)
        tensor([5., 5.])
    """
    return tensor.normal_(mean, std, generator=generator)


def xavier_uniform_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Fills a weight with uniform numbers up to ±`gain * sqrt(6 / (fan_in + fan_out))`.

    For [out, in, kernel...], fan_in is in * kernel elements and fan_out is out * kernel elements.

    Source: Glorot and Bengio, "Understanding the Difficulty of Training Deep Feedforward Neural Networks", 2010.

    Args:
        tensor: the weight to fill, of at least 2 dimensions, floating point.
        gain: see `calculate_gain`.
        generator: where the random numbers come from; None for the default generator.

    Returns:
        The tensor.

    Raises:
        ValueError: the tensor has fewer than 2 dimensions.

    Examples:
        >>> w = nn.init.xavier_uniform_(gpunet.empty(3, 3))
        >>> bool((w.abs() <= 1).all())
        True
    """
    bound = gain * math.sqrt(6.0 / sum(_calculate_fan_in_and_fan_out(tensor)))
    return uniform_(tensor, -bound, bound, generator)


def xavier_normal_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Fills a weight with normal numbers of standard deviation `gain * sqrt(2 / (fan_in + fan_out))`.

    For [out, in, kernel...], fan_in is in * kernel elements and fan_out is out * kernel elements.

    Source: Glorot and Bengio, "Understanding the Difficulty of Training Deep Feedforward Neural Networks", 2010.

    Args:
        tensor: the weight to fill, of at least 2 dimensions, floating point.
        gain: see `calculate_gain`.
        generator: where the random numbers come from; None for the default generator.

    Returns:
        The tensor.

    Raises:
        ValueError: the tensor has fewer than 2 dimensions.

    Examples:
        >>> nn.init.xavier_normal_(gpunet.empty(3, 3)).shape
        gpunet.Size([3, 3])
    """
    return normal_(tensor, 0.0, gain * math.sqrt(2.0 / sum(_calculate_fan_in_and_fan_out(tensor))), generator)


def _kaiming_std(tensor: Tensor, a: float, mode: str, nonlinearity: str) -> float:
    mode = mode.lower()
    if mode not in ("fan_in", "fan_out"):
        raise ValueError(f"Mode {mode} not supported, please use one of ['fan_in', 'fan_out']")
    return calculate_gain(nonlinearity, a) / math.sqrt(_calculate_fan_in_and_fan_out(tensor)[mode == "fan_out"])


def kaiming_uniform_(tensor: Tensor, a: float = 0, mode: str = "fan_in", nonlinearity: str = "leaky_relu",
                     generator: Generator | None = None) -> Tensor:
    """Fills a weight with uniform numbers up to ±`gain * sqrt(3 / fan)`.

    For [out, in, kernel...], fan_in is in * kernel elements and fan_out is out * kernel elements.

    Source: He et al., "Delving Deep into Rectifiers", 2015.

    Args:
        tensor: the weight to fill, of at least 2 dimensions, floating point.
        a: the negative slope of the layer's leaky ReLU.
        mode: "fan_in" keeps the variance of activations, "fan_out" that of gradients.
        nonlinearity: what follows the layer; see `calculate_gain`.
        generator: where the random numbers come from; None for the default generator.

    Returns:
        The tensor.

    Raises:
        ValueError: the tensor has fewer than 2 dimensions, or mode or nonlinearity is unknown.

    Examples:
        >>> w = nn.init.kaiming_uniform_(gpunet.empty(4, 6), nonlinearity="relu")
        >>> bool((w.abs() <= 1).all())
        True
    """
    if _empty(tensor):
        return tensor
    bound = math.sqrt(3.0) * _kaiming_std(tensor, a, mode, nonlinearity)
    return uniform_(tensor, -bound, bound, generator)


def kaiming_normal_(tensor: Tensor, a: float = 0, mode: str = "fan_in", nonlinearity: str = "leaky_relu",
                    generator: Generator | None = None) -> Tensor:
    """Fills a weight with normal numbers of standard deviation `gain / sqrt(fan)`.

    For [out, in, kernel...], fan_in is in * kernel elements and fan_out is out * kernel elements.

    Source: He et al., "Delving Deep into Rectifiers", 2015.

    Args:
        tensor: the weight to fill, of at least 2 dimensions, floating point.
        a: the negative slope of the layer's leaky ReLU.
        mode: "fan_in" keeps the variance of activations, "fan_out" that of gradients.
        nonlinearity: what follows the layer; see `calculate_gain`.
        generator: where the random numbers come from; None for the default generator.

    Returns:
        The tensor.

    Raises:
        ValueError: the tensor has fewer than 2 dimensions, or mode or nonlinearity is unknown.

    Examples:
        >>> nn.init.kaiming_normal_(gpunet.empty(4, 6), mode="fan_out").shape
        gpunet.Size([4, 6])
    """
    if _empty(tensor):
        return tensor
    return normal_(tensor, 0.0, _kaiming_std(tensor, a, mode, nonlinearity), generator)


@no_grad()
def trunc_normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0, a: float = -2.0, b: float = 2.0,
                  generator: Generator | None = None) -> Tensor:
    """Fills a tensor with normal numbers within [a, b]: uniform numbers through the inverse of the distribution
    function, which gives the distribution of drawing again outside the limits.

    Args:
        tensor: the tensor to fill, floating point.
        mean: the mean of the whole normal distribution.
        std: its standard deviation.
        a: lower limit.
        b: upper limit.
        generator: where the random numbers come from; None for the default generator.

    Returns:
        The tensor.

    Warns:
        UserWarning: the mean is more than 2 std outside [a, b].

    Examples:
        >>> w = nn.init.trunc_normal_(gpunet.empty(100), std=0.02, a=-0.04, b=0.04)
        >>> bool((w.abs() <= 0.04).all())
        True
    """
    if mean < a - 2 * std or mean > b + 2 * std:
        warn("mean is more than 2 std from [a, b] in nn.init.trunc_normal_. The distribution of values may be "
             "incorrect.")
    low, high = (math.erf((limit - mean) / std / math.sqrt(2)) for limit in (a, b))
    tensor.uniform_(low, high, generator=generator)
    return tensor.erfinv_().mul_(std * math.sqrt(2)).add_(mean).clamp_(a, b)


@no_grad()
def orthogonal_(tensor: Tensor, gain: float = 1, generator: Generator | None = None) -> Tensor:
    """Fills a weight with a (semi-)orthogonal matrix [size of dimension 0, all other sizes] times gain: from the QR
    decomposition of a normal matrix.

    Source: Saxe et al., "Exact Solutions to the Nonlinear Dynamics of Learning in Deep Linear Neural Networks", 2014.

    Args:
        tensor: the weight to fill, of at least 2 dimensions, floating point.
        gain: see `calculate_gain`.
        generator: where the random numbers come from; None for the default generator.

    Returns:
        The tensor.

    Raises:
        ValueError: the tensor has fewer than 2 dimensions.

    Examples:
        >>> w = nn.init.orthogonal_(gpunet.empty(2, 3))
        >>> gpunet.allclose(w @ w.t(), gpunet.eye(2), atol=1e-6)
        True
    """
    if tensor.ndim < 2:
        raise ValueError(f"Only tensors with 2 or more dimensions are supported, got shape {tuple(tensor.shape)}")
    if tensor.numel() == 0:
        return tensor
    rows, columns = tensor.shape[0], tensor.numel() // tensor.shape[0]
    flat = random.randn(max(rows, columns), min(rows, columns), dtype=tensor.dtype, device=tensor.device,
                        generator=generator)
    factors: Any = qr(flat)
    q, r = factors
    q = q * r.diagonal().sign()  # makes the distribution uniform
    return tensor.copy_((q if rows >= columns else q.t()).reshape(tensor.shape) * gain)


@no_grad()
def dirac_(tensor: Tensor, groups: int = 1) -> Tensor:
    """Fills a convolution's weight so that it passes on its input, as far as there are channels.

    Args:
        tensor: the weight [out, in, kernel...] of 3 to 5 dimensions.
        groups: the convolution's groups.

    Returns:
        The tensor.

    Raises:
        ValueError: the tensor has other dimensions, or groups does not divide out.

    Examples:
        >>> nn.init.dirac_(gpunet.empty(1, 1, 3))
        tensor([[[0., 1., 0.]]])
    """
    if tensor.ndim not in (3, 4, 5):
        raise ValueError(f"Only tensors with 3, 4, or 5 dimensions are supported, got shape {tuple(tensor.shape)}")
    if groups < 1 or tensor.shape[0] % groups:
        raise ValueError(f"dim 0 must be divisible by groups, got {tensor.shape[0]} and {groups}")
    features, middle = tensor.shape[0] // groups, tuple(n // 2 for n in tensor.shape[2:])
    zeros_(tensor)
    for group in range(groups):
        for i in range(min(features, tensor.shape[1])):
            tensor[(group * features + i, i, *middle)] = 1
    return tensor


@no_grad()
def sparse_(tensor: Tensor, sparsity: float, std: float = 0.01, generator: Generator | None = None) -> Tensor:
    """Fills a matrix with normal numbers, then sets a share of each column to 0.

    Source: Martens, "Deep Learning via Hessian-free Optimization", 2010.

    Args:
        tensor: the matrix to fill, floating point.
        sparsity: the share of zeros in each column.
        std: the standard deviation of the other numbers.
        generator: where the random numbers come from; None for the default generator.

    Returns:
        The matrix.

    Raises:
        ValueError: the tensor has not 2 dimensions.

    Examples:
        >>> (nn.init.sparse_(gpunet.empty(4, 2), sparsity=0.5) == 0).sum(0)
        tensor([2, 2])
    """
    if tensor.ndim != 2:
        raise ValueError(f"Only tensors with 2 dimensions are supported, got shape {tuple(tensor.shape)}")
    rows, columns = tensor.shape
    normal_(tensor, 0.0, std, generator)
    for column in range(columns):
        tensor[random.randperm(rows, generator=generator)[: math.ceil(sparsity * rows)].to(tensor.device), column] = 0
    return tensor
