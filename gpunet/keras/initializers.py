"""Initializers of weights, with Keras's fans: the last axis of a kernel is that of the outputs."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import gpunet
from gpunet import Generator, Tensor, nn
from gpunet.keras.naming import found

__all__ = ["Constant", "GlorotNormal", "GlorotUniform", "HeNormal", "HeUniform", "Initializer", "LecunNormal",
           "LecunUniform", "Ones", "Orthogonal", "RandomNormal", "RandomUniform", "TruncatedNormal", "VarianceScaling",
           "Zeros", "get"]


class Initializer:
    """Gives the first values of a weight; a subclass defines `__call__(shape)`.

    Args:
        seed: of a generator of its own; None: the default generator.

    Examples:
        >>> class Twos(keras.initializers.Initializer):
        ...     def __call__(self, shape):
        ...         return gpunet.full(shape, 2.0)
        >>> layer = keras.layers.Dense(1, use_bias=False, kernel_initializer=Twos())
        >>> layer(gpunet.ones(1, 3))
        tensor([[6.]], grad_fn=<...>)
    """

    def __init__(self, seed: int | None = None) -> None:
        self.generator = None if seed is None else Generator().manual_seed(seed)

    def __call__(self, shape: Sequence[int]) -> Tensor:
        raise NotImplementedError(f"{type(self).__name__} does not define __call__.")


class Constant(Initializer):
    """One number everywhere.

    Args:
        value: the number.

    Examples:
        >>> keras.initializers.Constant(2.0)((2,))
        tensor([2., 2.])
    """

    def __init__(self, value: float = 0.0) -> None:
        super().__init__()
        self.value = value

    def __call__(self, shape: Sequence[int]) -> Tensor:
        return gpunet.full(tuple(shape), float(self.value))


class Zeros(Constant):
    """Zeros.

    Examples:
        >>> keras.initializers.Zeros()((2,))
        tensor([0., 0.])
    """

    def __init__(self) -> None:
        super().__init__(0.0)


class Ones(Constant):
    """Ones.

    Examples:
        >>> keras.initializers.Ones()((2,))
        tensor([1., 1.])
    """

    def __init__(self) -> None:
        super().__init__(1.0)


class RandomUniform(Initializer):
    """Uniform between two numbers.

    Args:
        minval: the least.
        maxval: the largest.
        seed: of a generator of its own; None: the default generator.

    Examples:
        >>> bool(keras.initializers.RandomUniform()((100,)).abs().max() <= 0.05)
        True
    """

    def __init__(self, minval: float = -0.05, maxval: float = 0.05, seed: int | None = None) -> None:
        super().__init__(seed)
        self.minval, self.maxval = minval, maxval

    def __call__(self, shape: Sequence[int]) -> Tensor:
        return nn.init.uniform_(gpunet.empty(*shape), self.minval, self.maxval, generator=self.generator)


class RandomNormal(Initializer):
    """Normal.

    Args:
        mean: the mean.
        stddev: the standard deviation.
        seed: of a generator of its own; None: the default generator.

    Examples:
        >>> keras.initializers.RandomNormal(stddev=0.01)((2, 3)).shape
        gpunet.Size([2, 3])
    """

    def __init__(self, mean: float = 0.0, stddev: float = 0.05, seed: int | None = None) -> None:
        super().__init__(seed)
        self.mean, self.stddev = mean, stddev

    def __call__(self, shape: Sequence[int]) -> Tensor:
        return nn.init.normal_(gpunet.empty(*shape), self.mean, self.stddev, generator=self.generator)


class TruncatedNormal(RandomNormal):
    """Normal, drawn anew where it is more than two standard deviations from the mean.

    Args:
        mean: the mean.
        stddev: the standard deviation before.
        seed: of a generator of its own; None: the default generator.

    Examples:
        >>> bool(keras.initializers.TruncatedNormal()((100,)).abs().max() <= 0.1)
        True
    """

    def __call__(self, shape: Sequence[int]) -> Tensor:
        low, high = self.mean - 2 * self.stddev, self.mean + 2 * self.stddev
        return nn.init.trunc_normal_(gpunet.empty(*shape), self.mean, self.stddev, low, high, self.generator)


class Orthogonal(Initializer):
    """A matrix with orthonormal rows or columns.

    Args:
        gain: a factor.
        seed: of a generator of its own; None: the default generator.

    Examples:
        >>> weight = keras.initializers.Orthogonal()((3, 3))
        >>> bool(gpunet.allclose(weight @ weight.T, gpunet.eye(3), atol=1e-6))
        True
    """

    def __init__(self, gain: float = 1.0, seed: int | None = None) -> None:
        super().__init__(seed)
        self.gain = gain

    def __call__(self, shape: Sequence[int]) -> Tensor:
        flat = gpunet.empty(math.prod(shape[:-1]), shape[-1])
        return nn.init.orthogonal_(flat, self.gain, generator=self.generator).reshape(*shape)


class VarianceScaling(Initializer):
    """A variance of scale / n, where n is the number of inputs, of outputs, or the mean of both.

    Args:
        scale: the factor.
        mode: "fan_in", "fan_out" or "fan_avg".
        distribution: "truncated_normal", "untruncated_normal" or "uniform".
        seed: of a generator of its own; None: the default generator.

    Raises:
        ValueError: an option is none of these.

    Examples:
        >>> keras.initializers.VarianceScaling(2.0, "fan_in", "uniform")((4, 3)).shape
        gpunet.Size([4, 3])
    """

    def __init__(self, scale: float = 1.0, mode: str = "fan_in", distribution: str = "truncated_normal",
                 seed: int | None = None) -> None:
        super().__init__(seed)
        for name, value, allowed in (("mode", mode, ("fan_in", "fan_out", "fan_avg")),
                                     ("distribution", distribution,
                                      ("truncated_normal", "untruncated_normal", "uniform"))):
            if value not in allowed:
                raise ValueError(f"VarianceScaling: {name} must be one of {', '.join(allowed)}, not {value!r}.")
        self.scale, self.mode, self.distribution = scale, mode, distribution

    def __call__(self, shape: Sequence[int]) -> Tensor:
        fan_in, fan_out = _fans(shape)
        fan = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[self.mode]
        variance = self.scale / max(1.0, fan)
        weight = gpunet.empty(*shape)
        if self.distribution == "uniform":
            limit = math.sqrt(3 * variance)
            return nn.init.uniform_(weight, -limit, limit, generator=self.generator)
        if self.distribution == "untruncated_normal":
            return nn.init.normal_(weight, 0.0, math.sqrt(variance), generator=self.generator)
        std = math.sqrt(variance) / 0.87962566103423978  # that of a normal cut at two of its own
        return nn.init.trunc_normal_(weight, 0.0, std, -2 * std, 2 * std, self.generator)


def _fans(shape: Sequence[int]) -> tuple[float, float]:
    if len(shape) < 2:
        size = shape[0] if shape else 1
        return size, size
    field = math.prod(shape[:-2])
    return shape[-2] * field, shape[-1] * field


class GlorotUniform(VarianceScaling):
    """Uniform, with a variance of 2 / (inputs + outputs): the default of kernels.

    Args:
        seed: of a generator of its own; None: the default generator.

    Examples:
        >>> keras.initializers.GlorotUniform()((4, 3)).shape
        gpunet.Size([4, 3])
    """

    def __init__(self, seed: int | None = None) -> None:
        super().__init__(1.0, "fan_avg", "uniform", seed)


class GlorotNormal(VarianceScaling):
    """Truncated normal, with a variance of 2 / (inputs + outputs).

    Args:
        seed: of a generator of its own; None: the default generator.

    Examples:
        >>> keras.initializers.GlorotNormal()((4, 3)).shape
        gpunet.Size([4, 3])
    """

    def __init__(self, seed: int | None = None) -> None:
        super().__init__(1.0, "fan_avg", "truncated_normal", seed)


class HeUniform(VarianceScaling):
    """Uniform, with a variance of 2 / inputs.

    Args:
        seed: of a generator of its own; None: the default generator.

    Examples:
        >>> keras.initializers.HeUniform()((4, 3)).shape
        gpunet.Size([4, 3])
    """

    def __init__(self, seed: int | None = None) -> None:
        super().__init__(2.0, "fan_in", "uniform", seed)


class HeNormal(VarianceScaling):
    """Truncated normal, with a variance of 2 / inputs.

    Args:
        seed: of a generator of its own; None: the default generator.

    Examples:
        >>> keras.initializers.HeNormal()((4, 3)).shape
        gpunet.Size([4, 3])
    """

    def __init__(self, seed: int | None = None) -> None:
        super().__init__(2.0, "fan_in", "truncated_normal", seed)


class LecunUniform(VarianceScaling):
    """Uniform, with a variance of 1 / inputs.

    Args:
        seed: of a generator of its own; None: the default generator.

    Examples:
        >>> keras.initializers.LecunUniform()((4, 3)).shape
        gpunet.Size([4, 3])
    """

    def __init__(self, seed: int | None = None) -> None:
        super().__init__(1.0, "fan_in", "uniform", seed)


class LecunNormal(VarianceScaling):
    """Truncated normal, with a variance of 1 / inputs.

    Args:
        seed: of a generator of its own; None: the default generator.

    Examples:
        >>> keras.initializers.LecunNormal()((4, 3)).shape
        gpunet.Size([4, 3])
    """

    def __init__(self, seed: int | None = None) -> None:
        super().__init__(1.0, "fan_in", "truncated_normal", seed)


_NAMES: dict[str, Callable[..., Any]] = {
    "zeros": Zeros, "ones": Ones, "constant": Constant, "uniform": RandomUniform, "random_uniform": RandomUniform,
    "normal": RandomNormal, "random_normal": RandomNormal, "truncated_normal": TruncatedNormal,
    "orthogonal": Orthogonal, "variance_scaling": VarianceScaling, "glorot_uniform": GlorotUniform,
    "glorot_normal": GlorotNormal, "he_uniform": HeUniform, "he_normal": HeNormal, "lecun_uniform": LecunUniform,
    "lecun_normal": LecunNormal,
}


def get(identifier: Any) -> Callable[..., Any]:
    """An initializer by its name.

    Args:
        identifier: the name, or an Initializer or function of the shape, which is given back.

    Raises:
        ValueError: there is no initializer of this name.

    Examples:
        >>> keras.initializers.get("ones")((2,))
        tensor([1., 1.])
    """
    if isinstance(identifier, str):
        return found("initializer", identifier, _NAMES)
    if isinstance(identifier, type) and issubclass(identifier, Initializer):
        return identifier()
    if not callable(identifier) or isinstance(identifier, type):
        raise TypeError(f"An initializer is a name, an Initializer or a function of the shape, not {identifier!r}.")
    return identifier
