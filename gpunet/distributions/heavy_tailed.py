"""StudentT, Cauchy, HalfCauchy, HalfNormal, Pareto, FisherSnedecor. `log` is the natural logarithm."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ml_dtypes import finfo

from gpunet.distributions import constraints
from gpunet.distributions.continuous import Normal
from gpunet.distributions.distribution import Elementwise, epsilon
from gpunet.distributions.gamma import Chi2, Gamma
from gpunet.ops.compare import where
from gpunet.ops.creation import full_like, zeros_like
from gpunet.ops.random import rand, randn
from gpunet.tensor import Tensor

_HALF_LOG_PI = 0.5 * math.log(math.pi)


class StudentT(Elementwise):
    """Student's t-distribution.

    With y = (x - loc) / scale: log_prob(x) = -(df + 1)/2 log(1 + y^2 / df) - log(scale) - log(df pi) / 2 -
    lgamma(df / 2) + lgamma((df + 1) / 2). The three parameters broadcast.

    Source: Johnson, Kotz and Balakrishnan, "Continuous Univariate Distributions", volume 2, 1995, chapter 28.

    Args:
        df: degrees of freedom, positive: a floating-point tensor of any shape, or a number.
        loc: the middle, likewise.
        scale: width, positive, likewise.
        validate_args: whether parameters and values are checked; None: the default, see `Distribution`.

    Raises:
        ValueError: a parameter is not allowed.

    Examples:
        >>> distributions.StudentT(4.0).log_prob(gpunet.tensor([0.0, 2.0]))
        tensor([-0.9808, -2.7137])
    """

    arg_constraints = {"df": constraints.positive, "loc": constraints.real, "scale": constraints.positive}
    support = constraints.real
    has_rsample = True
    df: Tensor
    loc: Tensor
    scale: Tensor

    def __init__(self, df: Tensor | float, loc: Tensor | float = 0.0, scale: Tensor | float = 1.0,
                 validate_args: bool | None = None) -> None:
        super().__init__(validate_args, df=df, loc=loc, scale=scale)

    @property
    def mean(self) -> Tensor:
        """The mean; NaN where df is at most 1."""
        return where(self.df <= 1, math.nan, self.loc)

    @property
    def mode(self) -> Tensor:
        return self.loc

    @property
    def variance(self) -> Tensor:
        """The variance; infinite where df is at most 2, NaN where it is at most 1."""
        finite = self.df > 2
        df = where(finite, self.df, 3.0)
        return where(finite, self.scale**2 * df / (df - 2), where(self.df > 1, full_like(self.df, math.inf), math.nan))

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        noise = randn(self._extended_shape(sample_shape), dtype=self.df.dtype, device=self.df.device)
        chi2 = Chi2(self.df, validate_args=False).rsample(sample_shape)
        return self.loc + self.scale * noise * (chi2 / self.df).rsqrt()

    def log_prob(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        y = (value - self.loc) / self.scale
        norm = self.scale.log() + 0.5 * self.df.log() + _HALF_LOG_PI + self._lgamma_ratio()
        return -0.5 * (self.df + 1) * (y**2 / self.df).log1p() - norm

    def entropy(self) -> Tensor:
        half = 0.5 * (self.df + 1)
        return (self.scale.log() + half * (half.digamma() - (0.5 * self.df).digamma()) + 0.5 * self.df.log()
                + _HALF_LOG_PI + self._lgamma_ratio())

    def _lgamma_ratio(self) -> Tensor:
        return (0.5 * self.df).lgamma() - (0.5 * (self.df + 1)).lgamma()


class Cauchy(Elementwise):
    """The Cauchy distribution, which has neither mean nor variance.

    log_prob(x) = -log(pi scale (1 + ((x - loc) / scale)^2)), and entropy = log(4 pi scale). The two parameters
    broadcast.

    Source: Johnson, Kotz and Balakrishnan, "Continuous Univariate Distributions", volume 1, 1994, chapter 16.

    Args:
        loc: the middle: a floating-point tensor of any shape, or a number.
        scale: half of the width at half of the height, positive, likewise.
        validate_args: whether parameters and values are checked; None: the default, see `Distribution`.

    Raises:
        ValueError: a parameter is not allowed.

    Examples:
        >>> distributions.Cauchy(0.0, 1.0).log_prob(gpunet.tensor([0.0, 1.0]))
        tensor([-1.1447, -1.8379])
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
        """NaN: there is none."""
        return full_like(self.loc, math.nan)

    @property
    def mode(self) -> Tensor:
        return self.loc

    @property
    def variance(self) -> Tensor:
        """Infinite."""
        return full_like(self.loc, math.inf)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        u = rand(self._extended_shape(sample_shape), dtype=self.loc.dtype, device=self.loc.device)
        return self.icdf(u.clamp(min=epsilon(u) / 2))  # at 0 the value would be infinite

    def log_prob(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        return -math.log(math.pi) - self.scale.log() - (((value - self.loc) / self.scale) ** 2).log1p()

    def cdf(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        return ((value - self.loc) / self.scale).atan() / math.pi + 0.5

    def icdf(self, value: Tensor) -> Tensor:
        return (math.pi * (value - 0.5)).tan() * self.scale + self.loc

    def entropy(self) -> Tensor:
        return math.log(4 * math.pi) + self.scale.log()


class _Half(Elementwise):
    """Of |x|, where x has a distribution that is symmetric around 0."""

    arg_constraints = {"scale": constraints.positive}
    support = constraints.nonnegative
    has_rsample = True
    scale: Tensor

    def __init__(self, scale: Tensor | float, validate_args: bool | None = None) -> None:
        super().__init__(validate_args, scale=scale)

    @property
    def base_dist(self) -> Cauchy | Normal:
        """The distribution of x."""
        raise NotImplementedError

    @property
    def mode(self) -> Tensor:
        return zeros_like(self.scale)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        return self.base_dist.rsample(sample_shape).abs()

    def log_prob(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        return where(value >= 0, self.base_dist.log_prob(value) + math.log(2), -math.inf)

    def cdf(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        return 2 * self.base_dist.cdf(value) - 1

    def icdf(self, value: Tensor) -> Tensor:
        return self.base_dist.icdf((value + 1) / 2)

    def entropy(self) -> Tensor:
        return self.base_dist.entropy() - math.log(2)


class HalfCauchy(_Half):
    """The half-Cauchy distribution, of |x| where x has a Cauchy distribution around 0.

    log_prob(x) is that of Cauchy(0, scale) plus log(2), for x >= 0.

    Source: Johnson, Kotz and Balakrishnan, "Continuous Univariate Distributions", volume 1, 1994, chapter 16.

    Args:
        scale: that of Cauchy, positive: a floating-point tensor of any shape, or a number.
        validate_args: whether parameters and values are checked; None: the default, see `Distribution`.

    Raises:
        ValueError: a parameter is not allowed.

    Examples:
        >>> distributions.HalfCauchy(1.0).log_prob(gpunet.tensor([0.0, 1.0]))
        tensor([-0.4516, -1.1447])
    """

    @property
    def base_dist(self) -> Cauchy:
        """The Cauchy distribution around 0."""
        return Cauchy(zeros_like(self.scale), self.scale, validate_args=False)

    @property
    def mean(self) -> Tensor:
        """Infinite."""
        return full_like(self.scale, math.inf)

    @property
    def variance(self) -> Tensor:
        """Infinite."""
        return full_like(self.scale, math.inf)


class HalfNormal(_Half):
    """The half-normal distribution, of |x| where x is normal with mean 0.

    log_prob(x) is that of Normal(0, scale) plus log(2), for x >= 0.

    Source: Johnson, Kotz and Balakrishnan, "Continuous Univariate Distributions", volume 1, 1994, chapter 13.

    Args:
        scale: that of Normal, positive: a floating-point tensor of any shape, or a number.
        validate_args: whether parameters and values are checked; None: the default, see `Distribution`.

    Raises:
        ValueError: a parameter is not allowed.

    Examples:
        >>> distributions.HalfNormal(1.0).log_prob(gpunet.tensor([0.0, 1.0]))
        tensor([-0.2258, -0.7258])
    """

    @property
    def base_dist(self) -> Normal:
        """The Normal distribution around 0."""
        return Normal(zeros_like(self.scale), self.scale, validate_args=False)

    @property
    def mean(self) -> Tensor:
        return self.scale * math.sqrt(2 / math.pi)

    @property
    def variance(self) -> Tensor:
        return self.scale**2 * (1 - 2 / math.pi)


class Pareto(Elementwise):
    """The Pareto distribution of type 1, over x >= scale.

    log_prob(x) = log(alpha) + alpha log(scale) - (alpha + 1) log(x), and entropy = log(scale / alpha) + 1 +
    1 / alpha. The two parameters broadcast.

    Source: Johnson, Kotz and Balakrishnan, "Continuous Univariate Distributions", volume 1, 1994, chapter 20.

    Args:
        scale: least value, positive: a floating-point tensor of any shape, or a number.
        alpha: exponent, positive, likewise.
        validate_args: whether parameters and values are checked; None: the default, see `Distribution`.

    Raises:
        ValueError: a parameter is not allowed.

    Examples:
        >>> distributions.Pareto(1.0, 2.0).log_prob(gpunet.tensor([1.0, 2.0]))
        tensor([ 0.6931, -1.3863])
    """

    arg_constraints = {"alpha": constraints.positive, "scale": constraints.positive}
    has_rsample = True
    scale: Tensor
    alpha: Tensor

    def __init__(self, scale: Tensor | float, alpha: Tensor | float, validate_args: bool | None = None) -> None:
        super().__init__(validate_args, scale=scale, alpha=alpha)

    @property
    def support(self) -> constraints.Constraint:
        return constraints.greater_than_eq(self.scale)

    @property
    def mean(self) -> Tensor:
        """The mean; infinite where alpha is at most 1."""
        a = self.alpha.clamp(min=1)
        return a * self.scale / (a - 1)

    @property
    def mode(self) -> Tensor:
        return self.scale

    @property
    def variance(self) -> Tensor:
        """The variance; infinite where alpha is at most 2."""
        a = self.alpha.clamp(min=2)
        return self.scale**2 * a / ((a - 1) ** 2 * (a - 2))

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        u = rand(self._extended_shape(sample_shape), dtype=self.scale.dtype, device=self.scale.device)
        return self.icdf(u)

    def log_prob(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        return self.alpha.log() + self.alpha * self.scale.log() - (self.alpha + 1) * value.log()

    def cdf(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        return 1 - (self.alpha * (self.scale / value).log()).exp()

    def icdf(self, value: Tensor) -> Tensor:
        return self.scale * (-(-value).log1p() / self.alpha).exp()

    def entropy(self) -> Tensor:
        return (self.scale / self.alpha).log() + 1 + self.alpha.reciprocal()


class FisherSnedecor(Elementwise):
    """The F-distribution, of the ratio of two chi-squared numbers, each divided by its degrees of freedom.

    With r = df1 / df2: log_prob(x) = df1/2 log(r) + (df1/2 - 1) log(x) - (df1 + df2)/2 log(1 + r x) +
    lgamma((df1 + df2)/2) - lgamma(df1/2) - lgamma(df2/2). The two parameters broadcast.

    Source: Johnson, Kotz and Balakrishnan, "Continuous Univariate Distributions", volume 2, 1995, chapter 27.

    Args:
        df1: degrees of freedom of the numerator, positive: a floating-point tensor of any shape, or a number.
        df2: those of the denominator, likewise.
        validate_args: whether parameters and values are checked; None: the default, see `Distribution`.

    Raises:
        ValueError: a parameter is not allowed.

    Examples:
        >>> distributions.FisherSnedecor(2.0, 4.0).log_prob(gpunet.tensor([1.0, 2.0]))
        tensor([-1.2164, -2.0794])
    """

    arg_constraints = {"df1": constraints.positive, "df2": constraints.positive}
    support = constraints.positive
    has_rsample = True
    df1: Tensor
    df2: Tensor

    def __init__(self, df1: Tensor | float, df2: Tensor | float, validate_args: bool | None = None) -> None:
        super().__init__(validate_args, df1=df1, df2=df2)

    @property
    def mean(self) -> Tensor:
        """The mean; NaN where df2 is at most 2."""
        df2 = where(self.df2 <= 2, math.nan, self.df2)
        return df2 / (df2 - 2)

    @property
    def mode(self) -> Tensor:
        """The most likely value; NaN where df1 is at most 2."""
        return where(self.df1 <= 2, math.nan, (self.df1 - 2) / self.df1 * self.df2 / (self.df2 + 2))

    @property
    def variance(self) -> Tensor:
        """The variance; NaN where df2 is at most 4."""
        df2 = where(self.df2 <= 4, math.nan, self.df2)
        return 2 * df2**2 * (self.df1 + df2 - 2) / (self.df1 * (df2 - 2) ** 2 * (df2 - 4))

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        tiny = float(finfo(self.df1._array.dtype).tiny)
        x, y = (Gamma(df * 0.5, df, validate_args=False).rsample(sample_shape) for df in (self.df1, self.df2))
        return (x / y.clamp(min=tiny)).clamp(min=tiny)

    def log_prob(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        a, b, ratio = self.df1 * 0.5, self.df2 * 0.5, self.df1 / self.df2
        norm = (a + b).lgamma() - a.lgamma() - b.lgamma()
        return norm + a * ratio.log() + (a - 1) * value.log() - (a + b) * (ratio * value).log1p()
