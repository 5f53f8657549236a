"""Bernoulli, Categorical, OneHotCategorical: given by probabilities or logits, each of which follows from the other."""

from __future__ import annotations

import math

from ml_dtypes import finfo

from gpunet.distributions import constraints
from gpunet.distributions.distribution import Distribution, Elementwise, broadcast_all, epsilon
from gpunet.ops.activation import softplus
from gpunet.ops.compare import where
from gpunet.ops.creation import eye
from gpunet.ops.random import rand
from gpunet.ops.ranges import arange
from gpunet.tensor import Tensor

_EXACT = 50.0  # softplus(x) is x above this, to the last digit of a double


def _given(probs, logits) -> str:
    if (probs is None) == (logits is None):
        raise ValueError("Either `probs` or `logits` must be specified, but not both.")
    return "logits" if probs is None else "probs"


def _inside(probs: Tensor) -> Tensor:
    """Probabilities whose logarithm is finite."""
    eps = epsilon(probs)
    return probs.clamp(min=eps, max=1 - eps)


class _ByProbability:
    """The parameter that was not given, computed from the other."""

    def __getattr__(self, name):
        if name == "probs" and "logits" in self.__dict__:
            return self._probs_of(self.logits)
        if name == "logits" and "probs" in self.__dict__:
            return self._logits_of(self.probs)
        raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'", name=name, obj=self)

    @property
    def _param(self) -> Tensor:
        return self.__dict__["probs" if "probs" in self.__dict__ else "logits"]

    @property
    def param_shape(self):
        """The shape of the parameter."""
        return self._param.shape


class Bernoulli(_ByProbability, Elementwise):
    """1 with probability `probs`, or sigmoid(`logits`), else 0."""

    arg_constraints = {"probs": constraints.unit_interval, "logits": constraints.real}
    support = constraints.boolean
    has_enumerate_support = True

    def __init__(self, probs=None, logits=None, validate_args: bool | None = None) -> None:
        super().__init__(validate_args, **{_given(probs, logits): logits if probs is None else probs})

    @staticmethod
    def _probs_of(logits):
        return logits.sigmoid()

    @staticmethod
    def _logits_of(probs):
        inside = _inside(probs)
        return inside.log() - (-inside).log1p()

    mean = property(lambda self: self.probs)
    variance = property(lambda self: self.probs * (1 - self.probs))

    @property
    def mode(self):
        probs = self.probs
        return where(probs == 0.5, math.nan, (probs >= 0.5).to(probs.dtype))

    def sample(self, sample_shape=()):
        probs = self.probs.detach()
        u = rand(self._extended_shape(sample_shape), dtype=probs.dtype, device=probs.device)
        return (u < probs).to(probs.dtype)

    def log_prob(self, value):
        self._validate_sample(value)
        logits, value = broadcast_all(self.logits, value)
        return value * logits - softplus(logits, threshold=_EXACT)

    def entropy(self):
        return softplus(self.logits, threshold=_EXACT) - self.probs * self.logits

    def enumerate_support(self, expand=True):
        return self._enumerated(arange(2, dtype=self._param.dtype, device=self._param.device), expand)


class Categorical(_ByProbability, Distribution):
    """One of the numbers 0 to K - 1. probs: [..., K], not negative, brought to a sum of 1; or logits: [..., K], their
    logarithms up to a constant."""

    arg_constraints = {"probs": constraints.simplex, "logits": constraints.real_vector}
    has_enumerate_support = True

    def __init__(self, probs: Tensor | None = None, logits: Tensor | None = None,
                 validate_args: bool | None = None) -> None:
        name = _given(probs, logits)
        given = logits if probs is None else probs
        if given.ndim < 1:
            raise ValueError(f"`{name}` parameter must be at least one-dimensional.")
        if probs is None:
            self.logits = logits - logits.logsumexp(-1, keepdim=True)
        else:
            self.probs = probs / probs.sum(-1, keepdim=True)
        super().__init__(given.shape[:-1], validate_args=validate_args)

    @staticmethod
    def _probs_of(logits):
        return logits.softmax(-1)

    @staticmethod
    def _logits_of(probs):
        return _inside(probs).log()

    @property
    def _num_events(self) -> int:
        return self._param.shape[-1]

    support = property(lambda self: constraints.integer_interval(0, self._num_events - 1))
    mean = variance = property(lambda self: self.probs.sum(-1) * math.nan)
    mode = property(lambda self: self.probs.argmax(-1))

    def sample(self, sample_shape=()):
        # The first of K clocks that run at rates `probs` rings: it is clock k with probability probs[k].
        probs = self.probs.detach()
        u = rand(*sample_shape, *probs.shape, dtype=probs.dtype, device=probs.device)
        return (probs / -u.log()).argmax(-1)

    def log_prob(self, value):
        self._validate_sample(value)
        shape = broadcast_all(value.to(self._param.dtype), self._param.detach()[..., 0])[0].shape
        logits = self.logits.expand(*shape, self._num_events)
        return logits.gather(-1, value.long().expand(shape).unsqueeze(-1)).squeeze(-1)

    def entropy(self):
        # A probability of 0 counts nothing, though its logarithm is infinite.
        return -(self.logits.clamp(min=float(finfo(self.logits._array.dtype).min)) * self.probs).sum(-1)

    def enumerate_support(self, expand=True):
        return self._enumerated(arange(self._num_events, device=self._param.device), expand)


class OneHotCategorical(_ByProbability, Distribution):
    """A vector of K numbers, one of them 1 and the others 0. Parameters as for `Categorical`."""

    arg_constraints = Categorical.arg_constraints
    support = constraints.one_hot
    has_enumerate_support = True

    def __init__(self, probs: Tensor | None = None, logits: Tensor | None = None,
                 validate_args: bool | None = None) -> None:
        which = Categorical(probs, logits, validate_args)
        name = _given(probs, logits)
        setattr(self, name, getattr(which, name))
        super().__init__(which.batch_shape, which.param_shape[-1:], validate_args)

    _probs_of, _logits_of = staticmethod(Categorical._probs_of), staticmethod(Categorical._logits_of)

    @property
    def _categorical(self) -> Categorical:
        name = "probs" if "probs" in self.__dict__ else "logits"
        return Categorical(**{name: self.__dict__[name]}, validate_args=False)

    def _one_hot(self, index):
        places = arange(self._event_shape[0], device=index.device)
        return (places == index.unsqueeze(-1)).to(self._param.dtype)

    mean = property(lambda self: self.probs)
    mode = property(lambda self: self._one_hot(self.probs.argmax(-1)))
    variance = property(lambda self: self.probs * (1 - self.probs))

    def sample(self, sample_shape=()):
        return self._one_hot(self._categorical.sample(sample_shape))

    def log_prob(self, value):
        self._validate_sample(value)
        return self._categorical.log_prob(value.argmax(-1))

    def entropy(self):
        return self._categorical.entropy()

    def enumerate_support(self, expand=True):
        n = self._event_shape[0]
        return self._enumerated(eye(n, dtype=self._param.dtype, device=self._param.device), expand)


class OneHotCategoricalStraightThrough(OneHotCategorical):
    """OneHotCategorical whose samples have the gradient of the probabilities (Bengio et al., 2013)."""

    has_rsample = True

    def rsample(self, sample_shape=()):
        return self.sample(sample_shape) + (self.probs - self.probs.detach())
