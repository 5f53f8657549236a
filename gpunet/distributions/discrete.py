"""Bernoulli, Categorical, OneHotCategorical: given by probabilities or logits, each of which follows from the other."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ml_dtypes import finfo

from gpunet.distributions import constraints
from gpunet.distributions.distribution import Distribution, Elementwise, broadcast_all, epsilon
from gpunet.ops.compare import where
from gpunet.ops.creation import eye
from gpunet.ops.random import rand
from gpunet.ops.ranges import arange
from gpunet.ops.sigmoids import softplus
from gpunet.size import Size
from gpunet.tensor import Tensor

EXACT = 50.0  # softplus(x) is x above this, to the last digit of a double


def which_of(probs: Tensor | float | None, logits: Tensor | float | None) -> str:
    if (probs is None) == (logits is None):
        raise ValueError("Either `probs` or `logits` must be specified, but not both.")
    return "logits" if probs is None else "probs"


def inside(probs: Tensor) -> Tensor:
    """Probabilities whose logarithm is finite."""
    eps = epsilon(probs)
    return probs.clamp(min=eps, max=1 - eps)


class ByProbability:
    """The parameter that was not given, computed from the other."""

    probs: Tensor
    logits: Tensor

    @staticmethod
    def _probs_of(logits: Tensor) -> Tensor:
        raise NotImplementedError

    @staticmethod
    def _logits_of(probs: Tensor) -> Tensor:
        raise NotImplementedError

    def __getattr__(self, name: str) -> Tensor:
        if name == "probs" and "logits" in self.__dict__:
            return self._probs_of(self.logits)
        if name == "logits" and "probs" in self.__dict__:
            return self._logits_of(self.probs)
        raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'", name=name, obj=self)

    @property
    def _param(self) -> Tensor:
        return self.__dict__["probs" if "probs" in self.__dict__ else "logits"]

    @property
    def param_shape(self) -> Size:
        """Shape of the parameter that was given."""
        return self._param.shape


class Bernoulli(ByProbability, Elementwise):
    """The Bernoulli distribution: 1 with probability `probs`, else 0.

    log_prob(x) = x log(probs) + (1 - x) log(1 - probs), computed as x logits - log(1 + exp(logits)), and entropy =
    -probs log(probs) - (1 - probs) log(1 - probs).

    Source: Johnson, Kemp and Kotz, "Univariate Discrete Distributions", 3rd edition, 2005, chapter 3.

    Args:
        probs: probability of 1: a floating-point tensor of any shape, or a number.
        logits: log(probs / (1 - probs)), to be given in place of `probs`.
        validate_args: whether parameters and values are checked; None: the default, see `Distribution`.

    Raises:
        ValueError: both or none of `probs` and `logits` are given, or a probability is not from 0 to 1.

    Examples:
        >>> coin = distributions.Bernoulli(gpunet.tensor([0.5, 0.25]))
        >>> coin.log_prob(gpunet.tensor([1.0, 1.0]))
        tensor([-0.6931, -1.3863])
    """

    arg_constraints = {"probs": constraints.unit_interval, "logits": constraints.real}
    support = constraints.boolean
    has_enumerate_support = True

    def __init__(self, probs: Tensor | float | None = None, logits: Tensor | float | None = None,
                 validate_args: bool | None = None) -> None:
        given = logits if probs is None else probs
        name = which_of(probs, logits)
        assert given is not None
        super().__init__(validate_args, **{name: given})

    @staticmethod
    def _probs_of(logits: Tensor) -> Tensor:
        return logits.sigmoid()

    @staticmethod
    def _logits_of(probs: Tensor) -> Tensor:
        probs = inside(probs)
        return probs.log() - (-probs).log1p()

    @property
    def mean(self) -> Tensor:
        return self.probs

    @property
    def variance(self) -> Tensor:
        return self.probs * (1 - self.probs)

    @property
    def mode(self) -> Tensor:
        """1 where it is more likely, else 0; NaN where both are equally likely."""
        probs = self.probs
        return where(probs == 0.5, math.nan, (probs >= 0.5).to(probs.dtype))

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        probs = self.probs.detach()
        u = rand(self._extended_shape(sample_shape), dtype=probs.dtype, device=probs.device)
        return (u < probs).to(probs.dtype)

    def log_prob(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        logits, value = broadcast_all(self.logits, value)
        return value * logits - softplus(logits, threshold=EXACT)

    def entropy(self) -> Tensor:
        return softplus(self.logits, threshold=EXACT) - self.probs * self.logits

    def enumerate_support(self, expand: bool = True) -> Tensor:
        return self._enumerated(arange(2, dtype=self._param.dtype, device=self._param.device), expand)


class Categorical(ByProbability, Distribution):
    """The categorical distribution: one of the numbers 0 to K - 1.

    log_prob(k) = log(probs[k]), and entropy = -sum of probs[k] log(probs[k]).

    Source: Bishop, "Pattern Recognition and Machine Learning", 2006, section 2.2.

    Args:
        probs: weights [..., K], not negative; they are divided by their sum.
        logits: logarithms of the weights [..., K], to be given in place of `probs`.
        validate_args: whether parameters and values are checked; None: the default, see `Distribution`.

    Raises:
        ValueError: both or none of `probs` and `logits` are given, or they have no dimension, or a weight is negative.

    Examples:
        >>> die = distributions.Categorical(gpunet.tensor([1.0, 1.0, 2.0]))
        >>> die.log_prob(gpunet.tensor([0, 2]))
        tensor([-1.3863, -0.6931])
    """

    arg_constraints = {"probs": constraints.simplex, "logits": constraints.real_vector}
    has_enumerate_support = True

    def __init__(self, probs: Tensor | None = None, logits: Tensor | None = None,
                 validate_args: bool | None = None) -> None:
        name = which_of(probs, logits)
        given = logits if probs is None else probs
        assert given is not None
        if given.ndim < 1:
            raise ValueError(f"`{name}` parameter must be at least one-dimensional.")
        if probs is None:
            self.logits = given - given.logsumexp(-1, keepdim=True)
        else:
            self.probs = given / given.sum(-1, keepdim=True)
        super().__init__(given.shape[:-1], validate_args=validate_args)

    @staticmethod
    def _probs_of(logits: Tensor) -> Tensor:
        return logits.softmax(-1)

    @staticmethod
    def _logits_of(probs: Tensor) -> Tensor:
        return inside(probs).log()

    @property
    def _num_events(self) -> int:
        return self._param.shape[-1]

    @property
    def support(self) -> constraints.Constraint:
        return constraints.integer_interval(0, self._num_events - 1)

    @property
    def mean(self) -> Tensor:
        """NaN: a category is not a quantity."""
        return self.probs.sum(-1) * math.nan

    @property
    def variance(self) -> Tensor:
        """NaN: a category is not a quantity."""
        return self.probs.sum(-1) * math.nan

    @property
    def mode(self) -> Tensor:
        return self.probs.argmax(-1)

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        # The first of K clocks that run at rates `probs` rings: it is clock k with probability probs[k].
        probs = self.probs.detach()
        u = rand(*sample_shape, *probs.shape, dtype=probs.dtype, device=probs.device)
        return (probs / -u.log()).argmax(-1)

    def log_prob(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        shape = broadcast_all(value.to(self._param.dtype), self._param.detach()[..., 0])[0].shape
        logits = self.logits.expand(*shape, self._num_events)
        return logits.gather(-1, value.long().expand(shape).unsqueeze(-1)).squeeze(-1)

    def entropy(self) -> Tensor:
        # A probability of 0 counts nothing, though its logarithm is infinite.
        return -(self.logits.clamp(min=float(finfo(self.logits._array.dtype).min)) * self.probs).sum(-1)

    def enumerate_support(self, expand: bool = True) -> Tensor:
        return self._enumerated(arange(self._num_events, device=self._param.device), expand)


class OneHotCategorical(ByProbability, Distribution):
    """The categorical distribution in one-hot form: a vector of K numbers, one of them 1 and the others 0.

    log_prob(x) = log(probs[k]) for the k with x[k] = 1, and the entropy is that of `Categorical`.

    Source: Bishop, "Pattern Recognition and Machine Learning", 2006, section 2.2.

    Args:
        probs: weights [..., K], not negative; they are divided by their sum.
        logits: logarithms of the weights [..., K], to be given in place of `probs`.
        validate_args: whether parameters and values are checked; None: the default, see `Distribution`.

    Raises:
        ValueError: both or none of `probs` and `logits` are given, or they have no dimension, or a weight is negative.

    Examples:
        >>> die = distributions.OneHotCategorical(gpunet.tensor([1.0, 1.0, 2.0]))
        >>> die.log_prob(gpunet.tensor([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]))
        tensor([-1.3863, -0.6931])
    """

    arg_constraints = {"probs": constraints.simplex, "logits": constraints.real_vector}
    support = constraints.one_hot
    has_enumerate_support = True

    def __init__(self, probs: Tensor | None = None, logits: Tensor | None = None,
                 validate_args: bool | None = None) -> None:
        which = Categorical(probs, logits, validate_args)
        name = which_of(probs, logits)
        setattr(self, name, getattr(which, name))
        super().__init__(which.batch_shape, which.param_shape[-1:], validate_args)

    _probs_of, _logits_of = staticmethod(Categorical._probs_of), staticmethod(Categorical._logits_of)

    @property
    def _categorical(self) -> Categorical:
        name = "probs" if "probs" in self.__dict__ else "logits"
        return Categorical(**{name: self.__dict__[name]}, validate_args=False)

    def _one_hot(self, index: Tensor) -> Tensor:
        places = arange(self._event_shape[0], device=index.device)
        return (places == index.unsqueeze(-1)).to(self._param.dtype)

    @property
    def mean(self) -> Tensor:
        return self.probs

    @property
    def mode(self) -> Tensor:
        return self._one_hot(self.probs.argmax(-1))

    @property
    def variance(self) -> Tensor:
        return self.probs * (1 - self.probs)

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        return self._one_hot(self._categorical.sample(sample_shape))

    def log_prob(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        return self._categorical.log_prob(value.argmax(-1))

    def entropy(self) -> Tensor:
        return self._categorical.entropy()

    def enumerate_support(self, expand: bool = True) -> Tensor:
        n = self._event_shape[0]
        return self._enumerated(eye(n, dtype=self._param.dtype, device=self._param.device), expand)


class OneHotCategoricalStraightThrough(OneHotCategorical):
    """OneHotCategorical whose samples have the gradient of the probabilities: the straight-through estimator.

    Source: Bengio, Léonard and Courville, "Estimating or Propagating Gradients Through Stochastic Neurons for
    Conditional Computation", 2013.

    Args:
        probs: weights [..., K], not negative; they are divided by their sum.
        logits: logarithms of the weights [..., K], to be given in place of `probs`.
        validate_args: whether parameters and values are checked; None: the default, see `Distribution`.

    Raises:
        ValueError: both or none of `probs` and `logits` are given, or they have no dimension, or a weight is negative.

    Examples:
        >>> logits = gpunet.zeros(3, requires_grad=True)
        >>> distributions.OneHotCategoricalStraightThrough(logits=logits).rsample((2,)).requires_grad
        True
    """

    has_rsample = True

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        return self.sample(sample_shape) + (self.probs - self.probs.detach())
