"""MixtureSameFamily: mixtures of distributions of one kind."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gpunet.distributions import constraints
from gpunet.distributions.discrete import Categorical
from gpunet.distributions.distribution import Distribution
from gpunet.engine.modes import no_grad
from gpunet.size import Size
from gpunet.tensor import Tensor


class MixtureSameFamily(Distribution):
    """A mixture: a component is drawn, then a value of it. The components are the last batch dimension of one
    distribution.

    log_prob(x) = log(sum of probs[k] p_k(x)).

    Source: Bishop, "Pattern Recognition and Machine Learning", 2006, section 9.2.

    Args:
        mixture_distribution: the weights, a Categorical of K categories.
        component_distribution: the components [..., K].
        validate_args: whether values are checked; None: the default, see `Distribution`.

    Raises:
        ValueError: the two do not fit each other.

    Examples:
        >>> weights = distributions.Categorical(gpunet.tensor([0.5, 0.5]))
        >>> parts = distributions.Normal(gpunet.tensor([-1.0, 1.0]), gpunet.ones(2))
        >>> distributions.MixtureSameFamily(weights, parts).log_prob(gpunet.tensor([0.0, 1.0]))
        tensor([-1.4189, -1.4852])
    """

    arg_constraints = {}

    def __init__(self, mixture_distribution: Categorical, component_distribution: Distribution,
                 validate_args: bool | None = None) -> None:
        if not isinstance(mixture_distribution, Categorical):
            raise ValueError(" The Mixture distribution needs to be an  instance of gpunet.distributions.Categorical")
        if not isinstance(component_distribution, Distribution):
            raise ValueError("The Component distribution needs to be an instance of gpunet.distributions.Distribution")
        self._mixture_distribution, self._component_distribution = mixture_distribution, component_distribution
        weights, parts = mixture_distribution.batch_shape, Size(component_distribution.batch_shape[:-1])
        if any(m not in (1, c) and c != 1 for m, c in zip(reversed(weights), reversed(parts), strict=False)):
            raise ValueError(f"`mixture_distribution.batch_shape` ({weights}) is not compatible with "
                             f"`component_distribution.batch_shape`({parts})")
        count, given = mixture_distribution.param_shape[-1], component_distribution.batch_shape[-1]
        if count != given:
            raise ValueError(f"`mixture_distribution component` ({count}) does not equal "
                             f"`component_distribution.batch_shape[-1]` ({given})")
        super().__init__(parts, component_distribution.event_shape, validate_args)

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> MixtureSameFamily:
        new: Any = super().expand(batch_shape, _instance)
        count = self._component_distribution.batch_shape[-1]
        new._component_distribution = self._component_distribution.expand((*batch_shape, count))
        new._mixture_distribution = self._mixture_distribution.expand(batch_shape)
        return new

    @property
    def mixture_distribution(self) -> Categorical:
        """The weights."""
        return self._mixture_distribution

    @property
    def component_distribution(self) -> Distribution:
        """The components."""
        return self._component_distribution

    @property
    def support(self) -> constraints.Constraint:
        return constraints.MixtureSameFamilyConstraint(self._component_distribution.support)

    @property
    def _dim(self) -> int:
        """The dimension of the components in a value of each."""
        return -1 - len(self._event_shape)

    @property
    def _weights(self) -> Tensor:
        """The weights, with dimensions for the value."""
        probs = self._mixture_distribution.probs
        return probs.reshape(*probs.shape, *[1] * len(self._event_shape))

    @property
    def mean(self) -> Tensor:
        return (self._weights * self._component_distribution.mean).sum(self._dim)

    @property
    def variance(self) -> Tensor:
        within = (self._weights * self._component_distribution.variance).sum(self._dim)
        distance = self._component_distribution.mean - self.mean.unsqueeze(self._dim)
        return within + (self._weights * distance**2).sum(self._dim)

    def cdf(self, x: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]  # PyTorch's name
        parts = self._component_distribution.cdf(x.unsqueeze(self._dim))
        return (parts * self._mixture_distribution.probs).sum(-1)

    def log_prob(self, x: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]  # likewise
        self._validate_sample(x)
        parts = self._component_distribution.log_prob(x.unsqueeze(self._dim))
        return (parts + self._mixture_distribution.logits.log_softmax(-1)).logsumexp(-1)

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        with no_grad():
            which = self._mixture_distribution.expand(self._batch_shape).sample(sample_shape)
            values = self._component_distribution.sample(sample_shape)
            place = which.reshape(*which.shape, 1, *[1] * len(self._event_shape))
            shape = (*which.shape, 1, *self._event_shape)
            return values.gather(which.ndim, place.expand(*shape)).squeeze(which.ndim)

    def __repr__(self) -> str:
        return f"MixtureSameFamily(\n  {self.mixture_distribution},\n  {self.component_distribution})"
