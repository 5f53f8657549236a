"""TransformedDistribution: the distribution of a function of random values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gpunet.distributions import constraints
from gpunet.distributions.distribution import Distribution, sum_rightmost
from gpunet.distributions.independent import Independent
from gpunet.distributions.transforms import ComposeTransform, Transform
from gpunet.engine.modes import no_grad
from gpunet.tensor import Tensor


class TransformedDistribution(Distribution):
    """The distribution of y = t(x), where x is drawn from another distribution and t is an invertible function.

    log_prob(y) = log p(x) - log |dy/dx| at x = t.inv(y).

    Args:
        base_distribution: the distribution of x.
        transforms: a transform, or a list of them in the order in which they are applied.
        validate_args: whether parameters and values are checked; None: the default, see `Distribution`.

    Raises:
        ValueError: `transforms` is something else, or the base's values have fewer dimensions than the transforms take.

    Examples:
        >>> base = distributions.Normal(gpunet.zeros(2), gpunet.ones(2))
        >>> squashed = distributions.TransformedDistribution(base, [distributions.transforms.TanhTransform(1)])
        >>> squashed.log_prob(gpunet.tensor([0.0, 0.5]))
        tensor([-0.9189, -0.7821])
    """

    arg_constraints = {}

    def __init__(self, base_distribution: Distribution, transforms: Transform | list[Transform],
                 validate_args: bool | None = None) -> None:
        if isinstance(transforms, Transform):
            self.transforms = [transforms]
        elif isinstance(transforms, list) and all([isinstance(t, Transform) for t in transforms]):
            self.transforms = transforms
        else:
            raise ValueError(f"transforms must be a Transform or list, but was {transforms}"
                             if not isinstance(transforms, list) else
                             "transforms must be a Transform or a list of Transforms")
        base, whole = base_distribution, ComposeTransform(self.transforms)
        shape = (*base.batch_shape, *base.event_shape)
        taken, given = whole.domain.event_dim, whole.codomain.event_dim
        if len(shape) < taken:
            raise ValueError(f"base_distribution needs to have shape with size at least {taken}, but got {shape}.")
        outer = whole.forward_shape(shape)
        expanded = whole.inverse_shape(outer)
        if expanded != shape:
            base = base.expand(expanded[: len(expanded) - len(base.event_shape)])
        more = taken - len(base.event_shape)
        self.base_dist = Independent(base, more) if more > 0 else base
        self.has_rsample = base.has_rsample
        dims = given + max(len(base.event_shape) - taken, 0)
        split = len(outer) - dims
        super().__init__(outer[:split], outer[split:], validate_args)

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> TransformedDistribution:
        new = type(self).__new__(type(self)) if _instance is None else _instance
        shape = ComposeTransform(self.transforms).inverse_shape((*batch_shape, *self.event_shape))
        base = self.base_dist.expand(shape[: len(shape) - len(self.base_dist.event_shape)])
        TransformedDistribution.__init__(new, base, self.transforms, self._validate_args)
        return new

    @property
    def support(self) -> Any:
        if not self.transforms:
            return self.base_dist.support
        found = self.transforms[-1].codomain
        more = len(self.event_shape) - found.event_dim
        return constraints.independent(found, more) if more > 0 else found

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        with no_grad():
            return self._forward(self.base_dist.sample(sample_shape))

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        return self._forward(self.base_dist.rsample(sample_shape))

    def _forward(self, x: Tensor) -> Tensor:
        for transform in self.transforms:
            x = transform(x)
        return x

    def log_prob(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        total: Any = 0
        dims, y = len(self.event_shape), value
        for transform in reversed(self.transforms):
            x = transform.inv(y)
            dims += transform.domain.event_dim - transform.codomain.event_dim
            total = total - sum_rightmost(transform.log_abs_det_jacobian(x, y), dims - transform.domain.event_dim)
            y = x
        return total + sum_rightmost(self.base_dist.log_prob(y), dims - len(self.base_dist.event_shape))

    def _flipped(self, probability: Tensor) -> Tensor:
        """1 - p where the transforms, together, decrease."""
        sign: Any = 1
        for transform in self.transforms:
            sign = sign * transform.sign
        return probability if isinstance(sign, int) and sign == 1 else sign * (probability - 0.5) + 0.5

    def cdf(self, value: Tensor) -> Tensor:
        for transform in reversed(self.transforms):
            value = transform.inv(value)
        return self._flipped(self.base_dist.cdf(value))

    def icdf(self, value: Tensor) -> Tensor:
        return self._forward(self.base_dist.icdf(self._flipped(value)))
