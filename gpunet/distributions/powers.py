"""Gumbel, Weibull, Kumaraswamy, InverseGamma: simple functions of uniform and gamma numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence

from gpunet.distributions import constraints
from gpunet.distributions.distribution import Elementwise, epsilon
from gpunet.distributions.gamma import Gamma
from gpunet.ops.compare import where
from gpunet.ops.random import rand
from gpunet.tensor import Tensor

EULER = 0.57721566490153286060


class Gumbel(Elementwise):
    """The Gumbel distribution, of the greatest of many numbers.

    With y = (loc - x) / scale: log_prob(x) = y - exp(y) - log(scale), and entropy = log(scale) + 1 + 0.5772. The
    two parameters broadcast.

    Source: Johnson, Kotz and Balakrishnan, "Continuous Univariate Distributions", volume 2, 1995, chapter 22.

    Args:
        loc: the most likely value: a floating-point tensor of any shape, or a number.
        scale: width, positive, likewise.
        validate_args: whether parameters and values are checked; None: the default, see `Distribution`.

    Raises:
        ValueError: a parameter is not allowed.

    Examples:
        >>> distributions.Gumbel(0.0, 1.0).log_prob(gpunet.tensor([0.0, 1.0]))
        tensor([-1.0000, -1.3679])
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
        return self.loc + self.scale * EULER

    @property
    def mode(self) -> Tensor:
        return self.loc

    @property
    def stddev(self) -> Tensor:
        return math.pi / math.sqrt(6) * self.scale

    @property
    def variance(self) -> Tensor:
        return self.stddev**2

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        u = rand(self._extended_shape(sample_shape), dtype=self.loc.dtype, device=self.loc.device)
        return self.icdf(u.clamp(min=epsilon(u) / 2))  # at 0 the value would be infinite

    def log_prob(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        y = (self.loc - value) / self.scale
        return y - y.exp() - self.scale.log()

    def cdf(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        return (-((self.loc - value) / self.scale).exp()).exp()

    def icdf(self, value: Tensor) -> Tensor:
        return self.loc - self.scale * (-value.log()).log()

    def entropy(self) -> Tensor:
        return self.scale.log() + (1 + EULER)


class Weibull(Elementwise):
    """The Weibull distribution.

    With k = concentration and y = x / scale: log_prob(x) = log(k / scale) + (k - 1) log(y) - y^k, and entropy =
    0.5772 (1 - 1 / k) + log(scale / k) + 1. The two parameters broadcast.

    Source: Johnson, Kotz and Balakrishnan, "Continuous Univariate Distributions", volume 1, 1994, chapter 21.

    Args:
        scale: scale, positive: a floating-point tensor of any shape, or a number.
        concentration: exponent, positive, likewise.
        validate_args: whether parameters and values are checked; None: the default, see `Distribution`.

    Raises:
        ValueError: a parameter is not allowed.

    Examples:
        >>> distributions.Weibull(1.0, 2.0).log_prob(gpunet.tensor([0.5, 1.0]))
        tensor([-0.2500, -0.3069])
    """

    arg_constraints = {"scale": constraints.positive, "concentration": constraints.positive}
    support = constraints.positive
    has_rsample = True
    scale: Tensor
    concentration: Tensor

    def __init__(self, scale: Tensor | float, concentration: Tensor | float, validate_args: bool | None = None) -> None:
        super().__init__(validate_args, scale=scale, concentration=concentration)

    @property
    def mean(self) -> Tensor:
        return self.scale * (1 + self.concentration.reciprocal()).lgamma().exp()

    @property
    def mode(self) -> Tensor:
        """The most likely value; NaN where the concentration is below 1."""
        return self.scale * ((self.concentration - 1) / self.concentration) ** self.concentration.reciprocal()

    @property
    def variance(self) -> Tensor:
        inverse = self.concentration.reciprocal()
        return self.scale**2 * ((1 + 2 * inverse).lgamma().exp() - (2 * (1 + inverse).lgamma()).exp())

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        u = rand(self._extended_shape(sample_shape), dtype=self.scale.dtype, device=self.scale.device)
        return self.icdf(u)

    def log_prob(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        k, y = self.concentration, value / self.scale
        return (k / self.scale).log() + (k - 1) * y.log() - y**k

    def cdf(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        return -(-((value / self.scale) ** self.concentration)).expm1()

    def icdf(self, value: Tensor) -> Tensor:
        return self.scale * (-(-value).log1p()) ** self.concentration.reciprocal()

    def entropy(self) -> Tensor:
        inverse = self.concentration.reciprocal()
        return EULER * (1 - inverse) + (self.scale * inverse).log() + 1


class Kumaraswamy(Elementwise):
    """The Kumaraswamy distribution over numbers from 0 to 1. With a = concentration1 and b = concentration0:

    log_prob(x) = log(a b) + (a - 1) log(x) + (b - 1) log(1 - x^a). The two parameters broadcast.

    Source: Kumaraswamy, "A generalized probability density function for double-bounded random processes", 1980.

    Args:
        concentration1: a, positive: a floating-point tensor of any shape, or a number.
        concentration0: b, positive, likewise.
        validate_args: whether parameters and values are checked; None: the default, see `Distribution`.

    Raises:
        ValueError: a parameter is not allowed.

    Examples:
        >>> distributions.Kumaraswamy(2.0, 2.0).log_prob(gpunet.tensor([0.5, 0.25]))
        tensor([ 0.4055, -0.0645])
    """

    arg_constraints = {"concentration1": constraints.positive, "concentration0": constraints.positive}
    support = constraints.unit_interval
    has_rsample = True
    concentration1: Tensor
    concentration0: Tensor

    def __init__(self, concentration1: Tensor | float, concentration0: Tensor | float,
                 validate_args: bool | None = None) -> None:
        super().__init__(validate_args, concentration1=concentration1, concentration0=concentration0)

    @property
    def mean(self) -> Tensor:
        return self._moment(1)

    @property
    def mode(self) -> Tensor:
        """The most likely value; NaN where a concentration is below 1. (PyTorch's is NaN also where b is above 1.)"""
        a, b = self.concentration1, self.concentration0
        return where((b < 1) | (a < 1), math.nan, ((a - 1) / (a * b - 1)) ** a.reciprocal())

    @property
    def variance(self) -> Tensor:
        return self._moment(2) - self.mean**2

    def _moment(self, n: int) -> Tensor:
        a, b = self.concentration1, self.concentration0
        return b * ((1 + n / a).lgamma() + b.lgamma() - (1 + n / a + b).lgamma()).exp()

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        u = rand(self._extended_shape(sample_shape), dtype=self.concentration1.dtype,
                 device=self.concentration1.device)
        return self.icdf(u)

    def log_prob(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        a, b = self.concentration1, self.concentration0
        return a.log() + b.log() + (a - 1) * value.log() + (b - 1) * (-(value**a)).log1p()

    def cdf(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        return 1 - (1 - value**self.concentration1) ** self.concentration0

    def icdf(self, value: Tensor) -> Tensor:
        return (1 - (1 - value) ** self.concentration0.reciprocal()) ** self.concentration1.reciprocal()

    def entropy(self) -> Tensor:
        a, b = self.concentration1, self.concentration0
        return (1 - b.reciprocal()) + (1 - a.reciprocal()) * ((b + 1).digamma() + EULER) - a.log() - b.log()


class InverseGamma(Elementwise):
    """The inverse gamma distribution, of 1 / x where x has a gamma distribution. With a = concentration and r = rate:

    log_prob(x) = a log(r) - (a + 1) log(x) - r / x - lgamma(a), and entropy = a + log(r) + lgamma(a) - (1 + a)
    digamma(a). The two parameters broadcast.

    Source: Johnson, Kotz and Balakrishnan, "Continuous Univariate Distributions", volume 1, 1994, chapter 17.

    Args:
        concentration: shape parameter, positive: a floating-point tensor of any shape, or a number.
        rate: that of the gamma distribution, positive, likewise.
        validate_args: whether parameters and values are checked; None: the default, see `Distribution`.

    Raises:
        ValueError: a parameter is not allowed.

    Examples:
        >>> distributions.InverseGamma(2.0, 1.0).log_prob(gpunet.tensor([0.5, 1.0]))
        tensor([ 0.0794, -1.0000])
    """

    arg_constraints = {"concentration": constraints.positive, "rate": constraints.positive}
    support = constraints.positive
    has_rsample = True
    concentration: Tensor
    rate: Tensor

    def __init__(self, concentration: Tensor | float, rate: Tensor | float, validate_args: bool | None = None) -> None:
        super().__init__(validate_args, concentration=concentration, rate=rate)

    @property
    def base_dist(self) -> Gamma:
        """The gamma distribution of 1 / x."""
        return Gamma(self.concentration, self.rate, validate_args=False)

    @property
    def mean(self) -> Tensor:
        """The mean; infinite where the concentration is at most 1."""
        return where(self.concentration > 1, self.rate / (self.concentration - 1), math.inf)

    @property
    def mode(self) -> Tensor:
        return self.rate / (self.concentration + 1)

    @property
    def variance(self) -> Tensor:
        """The variance; infinite where the concentration is at most 2."""
        a = self.concentration
        return where(a > 2, self.rate**2 / ((a - 1) ** 2 * (a - 2)), math.inf)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        return self.base_dist.rsample(sample_shape).reciprocal()

    def log_prob(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        a, r = self.concentration, self.rate
        return a * r.log() - (a + 1) * value.log() - r / value - a.lgamma()

    def cdf(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        return 1 - self.base_dist.cdf(value.reciprocal())

    def entropy(self) -> Tensor:
        a = self.concentration
        return a + self.rate.log() + a.lgamma() - (1 + a) * a.digamma()
