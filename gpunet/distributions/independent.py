"""Independent: dimensions of a batch as dimensions of one value."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gpunet.distributions import constraints
from gpunet.distributions.distribution import Distribution, sum_rightmost
from gpunet.tensor import Tensor


class Independent(Distribution):
    """Another distribution, with its last batch dimensions as dimensions of the value.

    log_prob and entropy are those of the other distribution, summed over these dimensions.

    Args:
        base_distribution: the other distribution.
        reinterpreted_batch_ndims: how many of its batch dimensions belong to the value.
        validate_args: whether parameters are checked; None: the default, see `Distribution`.

    Raises:
        ValueError: the other distribution has fewer batch dimensions.

    Examples:
        >>> normal = distributions.Normal(gpunet.zeros(3), gpunet.ones(3))
        >>> distributions.Independent(normal, 1).log_prob(gpunet.zeros(3))
        tensor(-2.7568)
    """

    def __init__(self, base_distribution: Distribution, reinterpreted_batch_ndims: int,
                 validate_args: bool | None = None) -> None:
        base = base_distribution
        if reinterpreted_batch_ndims > len(base.batch_shape):
            raise ValueError("Expected reinterpreted_batch_ndims <= len(base_distribution.batch_shape), actual "
                             f"{reinterpreted_batch_ndims} vs {len(base.batch_shape)}")
        shape = (*base.batch_shape, *base.event_shape)
        split = len(base.batch_shape) - reinterpreted_batch_ndims
        self.base_dist, self.reinterpreted_batch_ndims = base, reinterpreted_batch_ndims
        self.has_rsample = base.has_rsample
        self.has_enumerate_support = base.has_enumerate_support and not reinterpreted_batch_ndims
        super().__init__(shape[:split], shape[split:], validate_args)

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> Independent:
        inner = self.event_shape[: self.reinterpreted_batch_ndims]
        new = type(self).__new__(type(self)) if _instance is None else _instance
        base = self.base_dist.expand((*batch_shape, *inner))
        Independent.__init__(new, base, self.reinterpreted_batch_ndims, self._validate_args)
        return new

    @property
    def support(self) -> constraints.Constraint:
        base, dims = self.base_dist.support, self.reinterpreted_batch_ndims
        return constraints.independent(base, dims) if dims else base

    @property
    def mean(self) -> Tensor:
        return self.base_dist.mean

    @property
    def mode(self) -> Tensor:
        return self.base_dist.mode

    @property
    def variance(self) -> Tensor:
        return self.base_dist.variance

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        return self.base_dist.sample(sample_shape)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        return self.base_dist.rsample(sample_shape)

    def log_prob(self, value: Tensor) -> Tensor:
        return sum_rightmost(self.base_dist.log_prob(value), self.reinterpreted_batch_ndims)

    def entropy(self) -> Tensor:
        return sum_rightmost(self.base_dist.entropy(), self.reinterpreted_batch_ndims)

    def enumerate_support(self, expand: bool = True) -> Tensor:
        if self.reinterpreted_batch_ndims:
            raise NotImplementedError("Enumeration over cartesian product is not implemented")
        return self.base_dist.enumerate_support(expand)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.base_dist}, {self.reinterpreted_batch_ndims})"
