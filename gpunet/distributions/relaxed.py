"""RelaxedBernoulli and RelaxedOneHotCategorical: discrete distributions made continuous, whose samples have gradients.

Source: Maddison, Mnih and Teh, "The Concrete Distribution", 2017; Jang, Gu and Poole, "Categorical Reparameterization
with Gumbel-Softmax", 2017.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from gpunet.distributions import constraints
from gpunet.distributions.discrete import Bernoulli, ByProbability, Categorical, inside, which_of
from gpunet.distributions.distribution import Distribution, Elementwise, broadcast_all
from gpunet.distributions.transformed_distribution import TransformedDistribution
from gpunet.distributions.transforms import ExpTransform, SigmoidTransform
from gpunet.ops.random import rand
from gpunet.ops.sigmoids import softplus
from gpunet.size import Size
from gpunet.tensor import Tensor


class LogitRelaxedBernoulli(ByProbability, Elementwise):
    """The distribution of the logits of `RelaxedBernoulli`: of (logits + a logistic number) / temperature.

    Args:
        temperature: positive.
        probs: probability of 1: a floating-point tensor of any shape, or a number.
        logits: log(probs / (1 - probs)), to be given in place of `probs`.
        validate_args: whether parameters and values are checked; None: the default, see `Distribution`.
    """

    arg_constraints = {"probs": constraints.unit_interval, "logits": constraints.real}
    support = constraints.real
    has_rsample = True
    _probs_of, _logits_of = staticmethod(Bernoulli._probs_of), staticmethod(Bernoulli._logits_of)

    def __init__(self, temperature: Tensor, probs: Tensor | float | None = None, logits: Tensor | float | None = None,
                 validate_args: bool | None = None) -> None:
        self.temperature = temperature
        value: Any = logits if probs is None else probs
        super().__init__(validate_args, **{which_of(probs, logits): value})

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        shape = self._extended_shape(sample_shape)
        probs = inside(self.probs.expand(shape))
        u = inside(rand(shape, dtype=probs.dtype, device=probs.device))
        return (u.log() - (-u).log1p() + probs.log() - (-probs).log1p()) / self.temperature

    def log_prob(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        logits, value = broadcast_all(self.logits, value)
        difference = logits - value * self.temperature
        return self.temperature.log() + difference - 2 * softplus(difference, threshold=50.0)


class RelaxedBernoulli(TransformedDistribution):
    """The relaxed Bernoulli distribution over numbers from 0 to 1: near 0 and 1 for a low temperature.

    With l the logit of x and t = temperature: log_prob(x) = log(t) + d - 2 log(1 + exp(d)) - log(x) - log(1 - x), where
    d = logits - t l.

    Source: Maddison, Mnih and Teh, "The Concrete Distribution", 2017.

    Args:
        temperature: positive tensor.
        probs: probability of 1: a floating-point tensor of any shape, or a number.
        logits: log(probs / (1 - probs)), to be given in place of `probs`.
        validate_args: whether parameters and values are checked; None: the default, see `Distribution`.

    Raises:
        ValueError: both or none of `probs` and `logits` are given, or a probability is not from 0 to 1.

    Examples:
        >>> soft = distributions.RelaxedBernoulli(gpunet.tensor(1.0), gpunet.tensor([0.5, 0.25]))
        >>> soft.log_prob(gpunet.tensor([0.5, 0.5]))
        tensor([ 0.0000, -0.2877])
    """

    arg_constraints = {"probs": constraints.unit_interval, "logits": constraints.real}
    base_dist: Any

    def __init__(self, temperature: Tensor, probs: Tensor | float | None = None, logits: Tensor | float | None = None,
                 validate_args: bool | None = None) -> None:
        super().__init__(LogitRelaxedBernoulli(temperature, probs, logits, validate_args), SigmoidTransform(),
                         validate_args)

    @property
    def temperature(self) -> Tensor:
        """The temperature."""
        return self.base_dist.temperature

    @property
    def probs(self) -> Tensor:
        """The probability of 1 that is relaxed."""
        return self.base_dist.probs

    @property
    def logits(self) -> Tensor:
        """Its logit."""
        return self.base_dist.logits


class ExpRelaxedCategorical(Distribution):
    """The distribution of the logarithm of `RelaxedOneHotCategorical`.

    Args:
        temperature: positive.
        probs: weights [..., K], not negative; they are divided by their sum.
        logits: logarithms of the weights [..., K], to be given in place of `probs`.
        validate_args: whether parameters and values are checked; None: the default, see `Distribution`.
    """

    arg_constraints = {"probs": constraints.simplex, "logits": constraints.real_vector}
    support = constraints.real_vector
    has_rsample = True

    def __init__(self, temperature: Tensor, probs: Tensor | None = None, logits: Tensor | None = None,
                 validate_args: bool | None = None) -> None:
        self.temperature, self._categorical = temperature, Categorical(probs, logits, validate_args)
        super().__init__(self._categorical.batch_shape, self._categorical.param_shape[-1:], validate_args)

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> ExpRelaxedCategorical:
        new: Any = super().expand(batch_shape, _instance)
        new._categorical = self._categorical.expand(batch_shape)
        return new

    @property
    def param_shape(self) -> Size:
        """Shape of the parameter that was given."""
        return self._categorical.param_shape

    @property
    def probs(self) -> Tensor:
        """The weights, divided by their sum."""
        return self._categorical.probs

    @property
    def logits(self) -> Tensor:
        """Their logarithms."""
        return self._categorical.logits

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        logits = self.logits
        u = inside(rand(self._extended_shape(sample_shape), dtype=logits.dtype, device=logits.device))
        return ((logits - (-u.log()).log()) / self.temperature).log_softmax(-1)

    def log_prob(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        k = self._event_shape[0]
        logits, value = broadcast_all(self.logits, value)
        score = (logits - value * self.temperature).log_softmax(-1).sum(-1)
        return score + math.lgamma(k) + (k - 1) * self.temperature.log()


class RelaxedOneHotCategorical(TransformedDistribution):
    """The relaxed categorical distribution (Gumbel-softmax) over vectors of K positive numbers that sum to 1: near the
    corners for a low temperature t.

    log_prob(x) = lgamma(K) + (K - 1) log(t) + the sum of s[k] - log(x[k]), where s is the logarithm of softmax(logits -
    t log(x)).

    Source: Maddison, Mnih and Teh, "The Concrete Distribution", 2017.

    Args:
        temperature: positive tensor.
        probs: weights [..., K], not negative; they are divided by their sum.
        logits: logarithms of the weights [..., K], to be given in place of `probs`.
        validate_args: whether parameters and values are checked; None: the default, see `Distribution`.

    Raises:
        ValueError: both or none of `probs` and `logits` are given, or they have no dimension, or a weight is negative.

    Examples:
        >>> soft = distributions.RelaxedOneHotCategorical(gpunet.tensor(1.0), gpunet.tensor([0.5, 0.5]))
        >>> soft.log_prob(gpunet.tensor([0.5, 0.5]))
        tensor(0.)
    """

    arg_constraints = {"probs": constraints.simplex, "logits": constraints.real_vector}
    base_dist: Any

    def __init__(self, temperature: Tensor, probs: Tensor | None = None, logits: Tensor | None = None,
                 validate_args: bool | None = None) -> None:
        super().__init__(ExpRelaxedCategorical(temperature, probs, logits, validate_args), ExpTransform(),
                         validate_args)

    @property
    def support(self) -> constraints.Constraint:
        return constraints.simplex

    @property
    def temperature(self) -> Tensor:
        """The temperature."""
        return self.base_dist.temperature

    @property
    def probs(self) -> Tensor:
        """The weights that are relaxed, divided by their sum."""
        return self.base_dist.probs

    @property
    def logits(self) -> Tensor:
        """Their logarithms."""
        return self.base_dist.logits
