"""Normal, LogNormal, Laplace, Uniform, Exponential. `log` is the natural logarithm."""

from __future__ import annotations

import math
from collections.abc import Sequence

from gpunet.distributions import constraints
from gpunet.distributions.distribution import Elementwise, epsilon
from gpunet.ops.creation import zeros_like
from gpunet.ops.random import rand, randn
from gpunet.tensor import Tensor

_HALF_LOG_2_PI = 0.5 * math.log(2 * math.pi)


class Normal(Elementwise):
    """The normal distribution.

    log_prob(x) = -(x - loc)^2 / (2 scale^2) - log(scale) - log(2 pi) / 2, and entropy = 1/2 + log(2 pi) / 2 +
    log(scale). The two parameters broadcast.

    Source: Johnson, Kotz and Balakrishnan, "Continuous Univariate Distributions", volume 1, 1994, chapter 13.

    Args:
        loc: mean: a floating-point tensor of any shape, or a number.
        scale: standard deviation, positive, likewise.
        validate_args: whether parameters and values are checked; None: the default, see `Distribution`.

    Raises:
        ValueError: a parameter is not allowed.

    Examples:
        >>> normal = distributions.Normal(gpunet.tensor([0.0, 1.0]), 2.0)
        >>> normal.log_prob(gpunet.tensor([0.0, 0.0]))
        tensor([-1.6121, -1.7371])
        >>> normal.rsample((3,)).shape
        gpunet.Size([3, 2])
    """

    arg_constraints = {"loc": constraints.real, "scale": constraints.positive}
    support = constraints.real
    has_rsample = True
    loc: Tensor
    scale: Tensor

    def __init__(self, loc: Tensor | float, scale: Tensor | float, validate_args: bool | None = None) -> None:
        super().__init__(validate_args, loc=loc, scale=scale)

    @property
    def mean(self) -> Tensor:
        return self.loc

    @property
    def mode(self) -> Tensor:
        return self.loc

    @property
    def stddev(self) -> Tensor:
        return self.scale

    @property
    def variance(self) -> Tensor:
        return self.scale**2

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        noise = randn(self._extended_shape(sample_shape), dtype=self.loc.dtype, device=self.loc.device)
        return self.loc + noise * self.scale

    def log_prob(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        return -((value - self.loc) ** 2) / (2 * self.scale**2) - self.scale.log() - _HALF_LOG_2_PI

    def cdf(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        return 0.5 * (1 + ((value - self.loc) / (self.scale * math.sqrt(2))).erf())

    def icdf(self, value: Tensor) -> Tensor:
        return self.loc + self.scale * (2 * value - 1).erfinv() * math.sqrt(2)

    def entropy(self) -> Tensor:
        return 0.5 + _HALF_LOG_2_PI + self.scale.log()


class LogNormal(Elementwise):
    """The log-normal distribution: of exp(y), where y is normal with mean `loc` and standard deviation `scale`.

    log_prob(x) = N(log(x)) - log(x), with N the log-density of y, and entropy = entropy(y) + loc. The two parameters
    broadcast.

    Source: Johnson, Kotz and Balakrishnan, "Continuous Univariate Distributions", volume 1, 1994, chapter 14.

    Args:
        loc: mean of the logarithm: a floating-point tensor of any shape, or a number.
        scale: standard deviation of the logarithm, positive, likewise.
        validate_args: whether parameters and values are checked; None: the default, see `Distribution`.

    Raises:
        ValueError: a parameter is not allowed.

    Examples:
        >>> distributions.LogNormal(0.0, 1.0).log_prob(gpunet.tensor([1.0, 2.0]))
        tensor([-0.9189, -1.8523])
    """

    arg_constraints = {"loc": constraints.real, "scale": constraints.positive}
    support = constraints.positive
    has_rsample = True
    loc: Tensor
    scale: Tensor

    def __init__(self, loc: Tensor | float, scale: Tensor | float, validate_args: bool | None = None) -> None:
        super().__init__(validate_args, loc=loc, scale=scale)

    @property
    def base_dist(self) -> Normal:
        """The distribution of the logarithm."""
        return Normal(self.loc, self.scale, validate_args=False)

    @property
    def mean(self) -> Tensor:
        return (self.loc + self.scale**2 / 2).exp()

    @property
    def mode(self) -> Tensor:
        return (self.loc - self.scale**2).exp()

    @property
    def variance(self) -> Tensor:
        return (self.scale**2).expm1() * (2 * self.loc + self.scale**2).exp()

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        return self.base_dist.rsample(sample_shape).exp()

    def log_prob(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        return self.base_dist.log_prob(value.log()) - value.log()

    def cdf(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        return self.base_dist.cdf(value.log())

    def icdf(self, value: Tensor) -> Tensor:
        return self.base_dist.icdf(value).exp()

    def entropy(self) -> Tensor:
        return self.base_dist.entropy() + self.loc


class Laplace(Elementwise):
    """The Laplace distribution.

    log_prob(x) = -log(2 scale) - |x - loc| / scale, and entropy = 1 + log(2 scale). The two parameters broadcast.

    Source: Johnson, Kotz and Balakrishnan, "Continuous Univariate Distributions", volume 2, 1995, chapter 24.

    Args:
        loc: mean: a floating-point tensor of any shape, or a number.
        scale: mean distance from `loc`, positive, likewise.
        validate_args: whether parameters and values are checked; None: the default, see `Distribution`.

    Raises:
        ValueError: a parameter is not allowed.

    Examples:
        >>> distributions.Laplace(0.0, 1.0).log_prob(gpunet.tensor([0.0, 2.0]))
        tensor([-0.6931, -2.6931])
    """

    arg_constraints = {"loc": constraints.real, "scale": constraints.positive}
    support = constraints.real
    has_rsample = True
    loc: Tensor
    scale: Tensor

    def __init__(self, loc: Tensor | float, scale: Tensor | float, validate_args: bool | None = None) -> None:
        super().__init__(validate_args, loc=loc, scale=scale)

    @property
    def mean(self) -> Tensor:
        return self.loc

    @property
    def mode(self) -> Tensor:
        return self.loc

    @property
    def variance(self) -> Tensor:
        return 2 * self.scale**2

    @property
    def stddev(self) -> Tensor:
        return 2**0.5 * self.scale

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        u = rand(self._extended_shape(sample_shape), dtype=self.loc.dtype, device=self.loc.device)
        u = (u * 2 - 1).clamp(min=epsilon(self.loc) - 1)  # at -1 the value would be infinite
        return self.loc - self.scale * u.sign() * (-u.abs()).log1p()

    def log_prob(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        return -(2 * self.scale).log() - (value - self.loc).abs() / self.scale

    def cdf(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        distance = value - self.loc
        return 0.5 - 0.5 * distance.sign() * (-distance.abs() / self.scale).expm1()

    def icdf(self, value: Tensor) -> Tensor:
        side = value - 0.5
        return self.loc - self.scale * side.sign() * (-2 * side.abs()).log1p()

    def entropy(self) -> Tensor:
        return 1 + (2 * self.scale).log()


class Uniform(Elementwise):
    """The uniform distribution over low <= x < high.

    log_prob(x) = -log(high - low) inside and -inf outside, and entropy = log(high - low). The two bounds broadcast.

    Source: Johnson, Kotz and Balakrishnan, "Continuous Univariate Distributions", volume 2, 1995, chapter 26.

    Args:
        low: lower bound: a floating-point tensor of any shape, or a number.
        high: upper bound, greater than `low`, likewise.
        validate_args: whether parameters and values are checked; None: the default, see `Distribution`.

    Raises:
        ValueError: a `low` is not less than its `high`.

    Examples:
        >>> distributions.Uniform(0.0, 4.0).log_prob(gpunet.tensor([1.0, 3.0]))
        tensor([-1.3863, -1.3863])
    """

    # Each bound is checked against the other in __init__.
    arg_constraints = {"low": constraints.real, "high": constraints.real}
    has_rsample = True
    low: Tensor
    high: Tensor

    def __init__(self, low: Tensor | float, high: Tensor | float, validate_args: bool | None = None) -> None:
        super().__init__(validate_args, low=low, high=high)
        if self._validate_args and not bool((self.low < self.high).all()):
            raise ValueError(f"Expected parameter low of distribution {self!r} to be less than high, but found low = "
                             f"{self.low} and high = {self.high}")

    @property
    def support(self) -> constraints.Constraint:
        return constraints.interval(self.low, self.high)

    @property
    def mean(self) -> Tensor:
        return (self.high + self.low) / 2

    @property
    def mode(self) -> Tensor:
        return self.high * math.nan

    @property
    def stddev(self) -> Tensor:
        return (self.high - self.low) / 12**0.5

    @property
    def variance(self) -> Tensor:
        return (self.high - self.low) ** 2 / 12

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        u = rand(self._extended_shape(sample_shape), dtype=self.low.dtype, device=self.low.device)
        return self.low + u * (self.high - self.low)

    def log_prob(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        inside = ((self.low <= value) & (self.high > value)).to(self.low.dtype)
        return inside.log() - (self.high - self.low).log()

    def cdf(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        return ((value - self.low) / (self.high - self.low)).clamp(min=0, max=1)

    def icdf(self, value: Tensor) -> Tensor:
        return value * (self.high - self.low) + self.low

    def entropy(self) -> Tensor:
        return (self.high - self.low).log()


class Exponential(Elementwise):
    """The exponential distribution, of the time until an event that has a constant rate.

    log_prob(x) = log(rate) - rate x, and entropy = 1 - log(rate).

    Source: Johnson, Kotz and Balakrishnan, "Continuous Univariate Distributions", volume 1, 1994, chapter 19.

    Args:
        rate: events per unit of x, positive: a floating-point tensor of any shape, or a number.
        validate_args: whether parameters and values are checked; None: the default, see `Distribution`.

    Raises:
        ValueError: the rate is not positive.

    Examples:
        >>> distributions.Exponential(2.0).log_prob(gpunet.tensor([0.0, 1.0]))
        tensor([ 0.6931, -1.3069])
    """

    arg_constraints = {"rate": constraints.positive}
    support = constraints.nonnegative
    has_rsample = True
    rate: Tensor

    def __init__(self, rate: Tensor | float, validate_args: bool | None = None) -> None:
        super().__init__(validate_args, rate=rate)

    @property
    def mean(self) -> Tensor:
        return self.rate.reciprocal()

    @property
    def mode(self) -> Tensor:
        return zeros_like(self.rate)

    @property
    def stddev(self) -> Tensor:
        return self.rate.reciprocal()

    @property
    def variance(self) -> Tensor:
        return self.rate**-2

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        u = rand(self._extended_shape(sample_shape), dtype=self.rate.dtype, device=self.rate.device)
        return -(-u).log1p() / self.rate

    def log_prob(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        return self.rate.log() - self.rate * value

    def cdf(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        return 1 - (-self.rate * value).exp()

    def icdf(self, value: Tensor) -> Tensor:
        return -(-value).log1p() / self.rate

    def entropy(self) -> Tensor:
        return 1 - self.rate.log()
