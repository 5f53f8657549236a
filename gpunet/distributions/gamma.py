"""Gamma and its relatives: Chi2, Beta, Dirichlet. Gradients flow through samples by implicit reparameterization."""

from __future__ import annotations

from collections.abc import Sequence

from gpunet.distributions import constraints
from gpunet.distributions.distribution import Distribution, Elementwise
from gpunet.ops.compare import where
from gpunet.ops.gamma import gammainc, standard_gamma
from gpunet.ops.join import stack
from gpunet.ops.ranges import arange
from gpunet.ops.special import xlogy
from gpunet.tensor import Tensor


class Gamma(Elementwise):
    """The gamma distribution. With a = concentration and r = rate:

    log_prob(x) = a log(r) + (a - 1) log(x) - r x - lgamma(a), and entropy = a - log(r) + lgamma(a) + (1 - a)
    digamma(a). The two parameters broadcast. Gradients flow through samples by implicit reparameterization.

    Source: Johnson, Kotz and Balakrishnan, "Continuous Univariate Distributions", volume 1, 1994, chapter 17; for
    the gradient Figurnov, Mohamed and Mnih, "Implicit Reparameterization Gradients", 2018.

    Args:
        concentration: shape parameter, positive: a floating-point tensor of any shape, or a number.
        rate: 1 / scale, positive, likewise.
        validate_args: whether parameters and values are checked; None: the default, see `Distribution`.

    Raises:
        ValueError: a parameter is not positive.

    Examples:
        >>> distributions.Gamma(2.0, 1.0).log_prob(gpunet.tensor([1.0, 2.0]))
        tensor([-1.0000, -1.3069])
    """

    arg_constraints = {"concentration": constraints.positive, "rate": constraints.positive}
    support = constraints.nonnegative
    has_rsample = True

    def __init__(self, concentration: Tensor | float, rate: Tensor | float,
                 validate_args: bool | None = None) -> None:
        super().__init__(validate_args, concentration=concentration, rate=rate)

    @property
    def concentration(self) -> Tensor:
        """The shape parameter."""
        return self.__dict__["concentration"]

    @property
    def rate(self) -> Tensor:
        """1 / scale."""
        return self.__dict__["rate"]

    @property
    def mean(self) -> Tensor:
        return self.concentration / self.rate

    @property
    def mode(self) -> Tensor:
        return ((self.concentration - 1) / self.rate).clamp(min=0)

    @property
    def variance(self) -> Tensor:
        return self.concentration / self.rate**2

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        return standard_gamma(self.concentration.expand(self._extended_shape(sample_shape))) / self.rate

    def log_prob(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        return (xlogy(self.concentration, self.rate) + xlogy(self.concentration - 1, value) - self.rate * value
                - self.concentration.lgamma())

    def cdf(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        return gammainc(self.concentration, self.rate * value)

    def entropy(self) -> Tensor:
        a = self.concentration
        return a - self.rate.log() + a.lgamma() + (1 - a) * a.digamma()


class Chi2(Gamma):
    """The chi-squared distribution, of the sum of `df` squared standard normal numbers.

    It is Gamma(df / 2, 1 / 2), with its log_prob and entropy.

    Source: Johnson, Kotz and Balakrishnan, "Continuous Univariate Distributions", volume 1, 1994, chapter 18.

    Args:
        df: degrees of freedom, positive: a floating-point tensor of any shape, or a number.
        validate_args: whether parameters and values are checked; None: the default, see `Distribution`.

    Raises:
        ValueError: `df` is not positive.

    Examples:
        >>> distributions.Chi2(2.0).log_prob(gpunet.tensor([1.0, 2.0]))
        tensor([-1.1931, -1.6931])
    """

    arg_constraints = {"df": constraints.positive}
    df: Tensor

    def __init__(self, df: Tensor | float, validate_args: bool | None = None) -> None:
        Elementwise.__init__(self, validate_args, df=df)

    @property
    def concentration(self) -> Tensor:
        return 0.5 * self.df

    @property
    def rate(self) -> Tensor:
        return self.df * 0 + 0.5


class Dirichlet(Distribution):
    """The Dirichlet distribution over vectors of K positive numbers that sum to 1. With a = concentration:

    log_prob(x) = sum((a - 1) log(x)) + lgamma(sum(a)) - sum(lgamma(a)), and entropy = sum(lgamma(a)) -
    lgamma(sum(a)) - (K - sum(a)) digamma(sum(a)) - sum((a - 1) digamma(a)).

    Source: Bishop, "Pattern Recognition and Machine Learning", 2006, appendix B.

    Args:
        concentration: positive numbers [..., K].
        validate_args: whether parameters and values are checked; None: the default, see `Distribution`.

    Raises:
        ValueError: `concentration` has no dimension, or a number in it is not positive.

    Examples:
        >>> distributions.Dirichlet(gpunet.tensor([2.0, 2.0])).log_prob(gpunet.tensor([0.5, 0.5]))
        tensor(0.4055)
    """

    arg_constraints = {"concentration": constraints.independent(constraints.positive, 1)}
    support = constraints.simplex
    has_rsample = True

    def __init__(self, concentration: Tensor, validate_args: bool | None = None) -> None:
        if concentration.ndim < 1:
            raise ValueError("`concentration` parameter must be at least one-dimensional.")
        self.concentration = concentration
        super().__init__(concentration.shape[:-1], concentration.shape[-1:], validate_args)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        parts = standard_gamma(self.concentration.expand(self._extended_shape(sample_shape)))
        return parts / parts.sum(-1, keepdim=True)

    def log_prob(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        a = self.concentration
        return xlogy(a - 1, value).sum(-1) + a.sum(-1).lgamma() - a.lgamma().sum(-1)

    @property
    def mean(self) -> Tensor:
        return self.concentration / self.concentration.sum(-1, keepdim=True)

    @property
    def mode(self) -> Tensor:
        """The most likely vector; where all of `concentration` is below 1, the first corner, as in PyTorch."""
        high = (self.concentration - 1).clamp(min=0)
        corner = (arange(high.shape[-1], device=high.device) == 0).to(high.dtype)
        return where((self.concentration < 1).all(-1, keepdim=True), corner, high / high.sum(-1, keepdim=True))

    @property
    def variance(self) -> Tensor:
        total = self.concentration.sum(-1, keepdim=True)
        return self.concentration * (total - self.concentration) / (total**2 * (total + 1))

    def entropy(self) -> Tensor:
        a, k = self.concentration, self.concentration.shape[-1]
        total = a.sum(-1)
        return (a.lgamma().sum(-1) - total.lgamma() - (k - total) * total.digamma()
                - ((a - 1) * a.digamma()).sum(-1))


class Beta(Elementwise):
    """The beta distribution over numbers from 0 to 1. With a = concentration1 and b = concentration0:

    log_prob(x) = (a - 1) log(x) + (b - 1) log(1 - x) + lgamma(a + b) - lgamma(a) - lgamma(b). The entropy is that of
    Dirichlet([a, b]). The two parameters broadcast.

    Source: Johnson, Kotz and Balakrishnan, "Continuous Univariate Distributions", volume 2, 1995, chapter 25.

    Args:
        concentration1: a, positive: a floating-point tensor of any shape, or a number.
        concentration0: b, positive, likewise.
        validate_args: whether parameters and values are checked; None: the default, see `Distribution`.

    Raises:
        ValueError: a parameter is not positive.

    Examples:
        >>> distributions.Beta(2.0, 2.0).log_prob(gpunet.tensor([0.5, 0.25]))
        tensor([0.4055, 0.1178])
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
    def _dirichlet(self) -> Dirichlet:
        return Dirichlet(stack([self.concentration1, self.concentration0], -1), validate_args=False)

    @property
    def mean(self) -> Tensor:
        return self.concentration1 / (self.concentration1 + self.concentration0)

    @property
    def mode(self) -> Tensor:
        return self._dirichlet.mode[..., 0]

    @property
    def variance(self) -> Tensor:
        return self._dirichlet.variance[..., 0]

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        return self._dirichlet.rsample(sample_shape).select(-1, 0)

    def log_prob(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        return self._dirichlet.log_prob(stack([value, 1 - value], -1))

    def entropy(self) -> Tensor:
        return self._dirichlet.entropy()
