"""Geometric, Poisson, Binomial, NegativeBinomial, Multinomial: whole numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from gpunet.distributions import constraints
from gpunet.distributions.discrete import EXACT, Bernoulli, ByProbability, Categorical, which_of
from gpunet.distributions.distribution import Distribution, Elementwise, broadcast_all
from gpunet.distributions.gamma import Gamma
from gpunet.engine.modes import no_grad
from gpunet.ops.compare import where
from gpunet.ops.creation import zeros_like
from gpunet.ops.poisson import poisson
from gpunet.ops.random import rand
from gpunet.ops.ranges import arange
from gpunet.ops.sigmoids import logsigmoid, softplus
from gpunet.ops.special import xlogy
from gpunet.size import Size
from gpunet.tensor import Tensor

_AT_ONCE = 64  # trials that are drawn together


def _parameter(probs: Tensor | float | None, logits: Tensor | float | None) -> dict[str, Any]:
    """The one that is given, by its name."""
    return {which_of(probs, logits): logits if probs is None else probs}


class _OfTrials(ByProbability, Elementwise):
    """Distributions of repeated trials that succeed with probability `probs`."""

    _probs_of, _logits_of = staticmethod(Bernoulli._probs_of), staticmethod(Bernoulli._logits_of)


class Geometric(_OfTrials):
    """The geometric distribution: of the number of failures before the first success.

    log_prob(k) = k log(1 - probs) + log(probs), and entropy = that of Bernoulli, divided by probs.

    Source: Johnson, Kemp and Kotz, "Univariate Discrete Distributions", 3rd edition, 2005, chapter 5.

    Args:
        probs: probability of success, above 0: a floating-point tensor of any shape, or a number.
        logits: log(probs / (1 - probs)), to be given in place of `probs`.
        validate_args: whether parameters and values are checked; None: the default, see `Distribution`.

    Raises:
        ValueError: both or none of `probs` and `logits` are given, or a probability is not above 0 and at most 1.

    Examples:
        >>> distributions.Geometric(0.5).log_prob(gpunet.tensor([0.0, 2.0]))
        tensor([-0.6931, -2.0794])
    """

    arg_constraints = {"probs": constraints.unit_interval, "logits": constraints.real}
    support = constraints.nonnegative_integer

    def __init__(self, probs: Tensor | float | None = None, logits: Tensor | float | None = None,
                 validate_args: bool | None = None) -> None:
        super().__init__(validate_args, **_parameter(probs, logits))
        if self._validate_args and probs is not None and not bool((self.probs > 0).all()):
            raise ValueError(f"Expected parameter probs (Tensor of shape {tuple(self.probs.shape)}) of distribution "
                             f"{self!r} to be positive but found invalid values:\n{self.probs}")

    @property
    def mean(self) -> Tensor:
        return 1 / self.probs - 1

    @property
    def mode(self) -> Tensor:
        return zeros_like(self.probs)

    @property
    def variance(self) -> Tensor:
        return (1 / self.probs - 1) / self.probs

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        probs = self.probs.detach()
        u = rand(self._extended_shape(sample_shape), dtype=probs.dtype, device=probs.device)
        return ((-u).log1p() / (-probs).log1p()).floor()

    def log_prob(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        value, probs = broadcast_all(value, self.probs)
        never = where((probs == 1) & (value == 0), 0.0, probs)  # 0 failures, where there can be none
        return value * (-never).log1p() + self.probs.log()

    def entropy(self) -> Tensor:
        return (softplus(self.logits, threshold=EXACT) - self.probs * self.logits) / self.probs


class Poisson(Elementwise):
    """The Poisson distribution: of the number of events, where `rate` are to be expected.

    log_prob(k) = k log(rate) - rate - lgamma(k + 1).

    Source: Johnson, Kemp and Kotz, "Univariate Discrete Distributions", 3rd edition, 2005, chapter 4.

    Args:
        rate: mean, not negative: a floating-point tensor of any shape, or a number.
        validate_args: whether parameters and values are checked; None: the default, see `Distribution`.

    Raises:
        ValueError: the rate is negative.

    Examples:
        >>> distributions.Poisson(2.0).log_prob(gpunet.tensor([0.0, 2.0]))
        tensor([-2.0000, -1.3069])
    """

    arg_constraints = {"rate": constraints.nonnegative}
    support = constraints.nonnegative_integer
    rate: Tensor

    def __init__(self, rate: Tensor | float, validate_args: bool | None = None) -> None:
        super().__init__(validate_args, rate=rate)

    @property
    def mean(self) -> Tensor:
        return self.rate

    @property
    def mode(self) -> Tensor:
        return self.rate.floor()

    @property
    def variance(self) -> Tensor:
        return self.rate

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        return poisson(self.rate.detach().expand(self._extended_shape(sample_shape)))

    def log_prob(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        rate, value = broadcast_all(self.rate, value)
        return xlogy(value, rate) - rate - (value + 1).lgamma()


class _Counted(_OfTrials):
    """With a number of trials, in the type of the probability."""

    total_count: Tensor

    def __init__(self, validate_args: bool | None, total_count: Tensor | float, probability: dict[str, Any]) -> None:
        (name, value), = probability.items()
        count, value = broadcast_all(total_count, value)
        super().__init__(validate_args, **{"total_count": count.to(value.dtype), name: value})


class Binomial(_Counted):
    """The binomial distribution: of the number of successes in `total_count` trials.

    With n = total_count: log_prob(k) = log(n! / (k! (n - k)!)) + k log(probs) + (n - k) log(1 - probs). Samples are
    counts of uniform numbers: they take as long as there are trials. The parameters broadcast.

    Source: Johnson, Kemp and Kotz, "Univariate Discrete Distributions", 3rd edition, 2005, chapter 3.

    Args:
        total_count: number of trials: a tensor, or a number.
        probs: probability of success: a floating-point tensor of any shape, or a number.
        logits: log(probs / (1 - probs)), to be given in place of `probs`.
        validate_args: whether parameters and values are checked; None: the default, see `Distribution`.

    Raises:
        ValueError: both or none of `probs` and `logits` are given, or a parameter is not allowed.
        NotImplementedError: `entropy` and `enumerate_support` need one number of trials.

    Examples:
        >>> distributions.Binomial(4, gpunet.tensor([0.5, 0.25])).log_prob(gpunet.tensor(2.0))
        tensor([-0.9808, -1.5562])
    """

    arg_constraints = {"total_count": constraints.nonnegative_integer, "probs": constraints.unit_interval,
                       "logits": constraints.real}
    has_enumerate_support = True

    def __init__(self, total_count: Tensor | int = 1, probs: Tensor | None = None, logits: Tensor | None = None,
                 validate_args: bool | None = None) -> None:
        super().__init__(validate_args, total_count, _parameter(probs, logits))

    @property
    def support(self) -> constraints.Constraint:
        return constraints.integer_interval(0, self.total_count)

    @property
    def mean(self) -> Tensor:
        return self.total_count * self.probs

    @property
    def mode(self) -> Tensor:
        return ((self.total_count + 1) * self.probs).floor().minimum(self.total_count)

    @property
    def variance(self) -> Tensor:
        return self.total_count * self.probs * (1 - self.probs)

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        shape = self._extended_shape(sample_shape)
        probs, count = self.probs.detach(), self.total_count.detach()
        found = probs.new_zeros(shape)
        most = int(count.max()) if count.numel() else 0
        for first in range(0, most, _AT_ONCE):
            trials = arange(first, min(first + _AT_ONCE, most), dtype=probs.dtype, device=probs.device)
            trials = trials.reshape(-1, *[1] * len(shape))
            u = rand((len(trials), *shape), dtype=probs.dtype, device=probs.device)
            found = found + ((u < probs) & (trials < count)).sum(0).to(probs.dtype)
        return found

    def log_prob(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        n, logits = self.total_count, self.logits
        ways = (n + 1).lgamma() - (value + 1).lgamma() - (n - value + 1).lgamma()
        return value * logits + ways - n * softplus(logits, threshold=EXACT)

    def entropy(self) -> Tensor:
        self._one_count("entropy")
        log_prob = self.log_prob(self.enumerate_support(False))
        return -(log_prob.exp() * log_prob).sum(0)

    def enumerate_support(self, expand: bool = True) -> Tensor:
        most = self._one_count("enumerate_support")
        return self._enumerated(arange(1 + most, dtype=self._param.dtype, device=self._param.device), expand)

    def _one_count(self, name: str) -> int:
        most = int(self.total_count.max())
        if int(self.total_count.min()) != most:
            raise NotImplementedError(f"Inhomogeneous total count not supported by `{name}`.")
        return most


class NegativeBinomial(_Counted):
    """The negative binomial distribution: of the number of successes before the failure number `total_count`.

    With n = total_count: log_prob(k) = lgamma(n + k) - lgamma(k + 1) - lgamma(n) + n log(1 - probs) + k log(probs). The
    parameters broadcast.

    Source: Johnson, Kemp and Kotz, "Univariate Discrete Distributions", 3rd edition, 2005, chapter 5.

    Args:
        total_count: number of failures, not negative, also a fraction: a tensor, or a number.
        probs: probability of success, below 1: a floating-point tensor of any shape, or a number.
        logits: log(probs / (1 - probs)), to be given in place of `probs`.
        validate_args: whether parameters and values are checked; None: the default, see `Distribution`.

    Raises:
        ValueError: both or none of `probs` and `logits` are given, or a parameter is not allowed.

    Examples:
        >>> distributions.NegativeBinomial(2.0, gpunet.tensor([0.5, 0.25])).log_prob(gpunet.tensor(1.0))
        tensor([-1.3863, -1.2685])
    """

    arg_constraints = {"total_count": constraints.greater_than_eq(0),
                       "probs": constraints.half_open_interval(0.0, 1.0), "logits": constraints.real}
    support = constraints.nonnegative_integer

    def __init__(self, total_count: Tensor | float, probs: Tensor | None = None, logits: Tensor | None = None,
                 validate_args: bool | None = None) -> None:
        super().__init__(validate_args, total_count, _parameter(probs, logits))

    @property
    def mean(self) -> Tensor:
        return self.total_count * self.logits.exp()

    @property
    def mode(self) -> Tensor:
        return ((self.total_count - 1) * self.logits.exp()).floor().clamp(min=0)

    @property
    def variance(self) -> Tensor:
        return self.mean / (-self.logits).sigmoid()

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        with no_grad():  # Poisson numbers whose rates are gamma numbers
            rates = Gamma(self.total_count, (-self.logits).exp(), validate_args=False).sample(sample_shape)
            return poisson(rates)

    def log_prob(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        n = self.total_count
        ways = (1 + value).lgamma() + n.lgamma() - (n + value).lgamma()
        ways = where(n + value == 0, 0.0, ways)
        return n * logsigmoid(-self.logits) + value * logsigmoid(self.logits) - ways


class Multinomial(Distribution):
    """The multinomial distribution: of how often each of K categories comes in `total_count` draws.

    log_prob(x) = log(n! / (x[0]! ... x[K - 1]!)) + the sum of x[k] log(probs[k]), with n the sum of x.

    Source: Bishop, "Pattern Recognition and Machine Learning", 2006, section 2.2.

    Args:
        total_count: number of draws.
        probs: weights [..., K], not negative; they are divided by their sum.
        logits: logarithms of the weights [..., K], to be given in place of `probs`.
        validate_args: whether parameters and values are checked; None: the default, see `Distribution`.

    Raises:
        ValueError: both or none of `probs` and `logits` are given, or they have no dimension, or a weight or the count
            is negative.
        NotImplementedError: `total_count` is not one number.

    Examples:
        >>> distributions.Multinomial(3, gpunet.tensor([1.0, 1.0, 2.0])).log_prob(gpunet.tensor([1.0, 0.0, 2.0]))
        tensor(-1.6740)
    """

    arg_constraints = {"probs": constraints.simplex, "logits": constraints.real_vector}
    total_count: int

    def __init__(self, total_count: int = 1, probs: Tensor | None = None, logits: Tensor | None = None,
                 validate_args: bool | None = None) -> None:
        if not isinstance(total_count, int):
            raise NotImplementedError("inhomogeneous total_count is not supported")
        if total_count < 0:
            raise ValueError(f"Multinomial: total_count must not be negative, got {total_count}")
        self.total_count = total_count
        self._categorical = Categorical(probs, logits, validate_args)
        super().__init__(self._categorical.batch_shape, self._categorical.param_shape[-1:], validate_args)

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> Multinomial:
        new: Any = super().expand(batch_shape, _instance)
        new._categorical = self._categorical.expand(batch_shape)
        return new

    @property
    def support(self) -> constraints.Constraint:
        return constraints.multinomial(self.total_count)

    @property
    def probs(self) -> Tensor:
        """The weights, divided by their sum."""
        return self._categorical.probs

    @property
    def logits(self) -> Tensor:
        """Their logarithms."""
        return self._categorical.logits

    @property
    def param_shape(self) -> Size:
        """Shape of the parameter that was given."""
        return self._categorical.param_shape

    @property
    def mean(self) -> Tensor:
        return self.probs * self.total_count

    @property
    def variance(self) -> Tensor:
        return self.total_count * self.probs * (1 - self.probs)

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        draws = self._categorical.sample((self.total_count, *sample_shape)).movedim(0, -1)
        counts = draws.new_zeros(self._extended_shape(sample_shape))
        return counts.scatter_add(-1, draws, draws * 0 + 1).to(self.probs.dtype)

    def log_prob(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        logits, value = broadcast_all(self.logits, value)
        logits = where((value == 0) & (logits == -math.inf), 0.0, logits)
        return (value.sum(-1) + 1).lgamma() - (value + 1).lgamma().sum(-1) + (logits * value).sum(-1)

    def entropy(self) -> Tensor:
        n = self.total_count
        one = Binomial(n, self.probs, validate_args=False)  # of the number of draws of a category
        values = one.enumerate_support(expand=False)[1:]
        correction = (one.log_prob(values).exp() * (values + 1).lgamma()).sum((0, -1))
        return n * self._categorical.entropy() - math.lgamma(n + 1) + correction
