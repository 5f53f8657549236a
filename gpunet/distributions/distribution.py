"""Distribution: the base of the distributions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

from ml_dtypes import finfo

from gpunet.distributions.constraints import Constraint
from gpunet.dtypes import get_default_dtype
from gpunet.engine.extensions import extensions
from gpunet.engine.modes import no_grad
from gpunet.ops import creation
from gpunet.ops.broadcasting import broadcast_tensors
from gpunet.size import Size
from gpunet.tensor import Tensor


class Distribution:
    """Base of the distributions.

    A subclass names its parameters in `arg_constraints` and keeps them as attributes of these names, in the shape
    (*batch_shape, *the event dimensions of the constraint). While a step is recorded by `gpunet.compile`, nothing is
    checked.

    Args:
        batch_shape: shape of independent distributions of one kind, each with its own parameters.
        event_shape: shape of one value.
        validate_args: whether parameters and values are checked, for which the host reads them; None: what
            `set_default_validate_args` said last, at first True (False under `python -O`).

    Attributes:
        arg_constraints: the constraint of each parameter.
        support: the constraint of the values.
        has_rsample: whether gradients flow through samples.
        has_enumerate_support: whether all values can be listed.

    Raises:
        ValueError: a parameter does not satisfy its constraint.

    Examples:
        >>> normal = distributions.Normal(gpunet.zeros(3), gpunet.ones(3))
        >>> normal.batch_shape, normal.event_shape
        (gpunet.Size([3]), gpunet.Size([]))
    """

    has_rsample: bool = False
    has_enumerate_support: bool = False
    arg_constraints: dict[str, Constraint] = {}
    support: Any  # a Constraint, or a property that gives one
    _validate_args = __debug__

    @staticmethod
    def set_default_validate_args(value: bool) -> None:
        """Sets whether parameters and values are checked where `validate_args` is not given.

        Args:
            value: True or False.
        """
        if value not in (True, False):
            raise ValueError(f"expected a bool, got {value!r}")
        Distribution._validate_args = value

    def __init__(self, batch_shape: Sequence[int] = (), event_shape: Sequence[int] = (),
                 validate_args: bool | None = None) -> None:
        self._batch_shape, self._event_shape = Size(batch_shape), Size(event_shape)
        if validate_args is not None:
            self._validate_args = validate_args
        if self._validate_args and extensions.recorder is None:
            for name in self.arg_constraints.keys() & self.__dict__.keys():
                value, constraint = self.__dict__[name], self.arg_constraints[name]
                if not _all(constraint.check(value)):
                    raise ValueError(f"Expected parameter {name} ({type(value).__name__} of shape "
                                     f"{tuple(value.shape)}) of distribution {self!r} to satisfy the constraint "
                                     f"{constraint!r}, but found invalid values:\n{value}")

    @property
    def batch_shape(self) -> Size:
        """Shape of the independent distributions."""
        return self._batch_shape

    @property
    def event_shape(self) -> Size:
        """Shape of one value."""
        return self._event_shape

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> Self:
        """The same distribution for a larger batch. Nothing is copied: the parameters are expanded.

        Args:
            batch_shape: the new shape, to which the present one broadcasts.

        Returns:
            A new distribution of the same class.
        """
        new = type(self).__new__(type(self)) if _instance is None else _instance
        for name, value in self.__dict__.items():
            if name in self.arg_constraints:
                inner = self.arg_constraints[name].event_dim
                value = value.expand(*batch_shape, *value.shape[value.ndim - inner :])
            new.__dict__[name] = value
        new._batch_shape = Size(batch_shape)
        return new

    # ---- what a subclass gives

    @property
    def mean(self) -> Tensor:
        """The mean: (*batch_shape, *event_shape)."""
        raise NotImplementedError(f"{type(self).__name__} does not implement mean")

    @property
    def mode(self) -> Tensor:
        """The most likely value: (*batch_shape, *event_shape)."""
        raise NotImplementedError(f"{type(self).__name__} does not implement mode")

    @property
    def variance(self) -> Tensor:
        """The variance of each element: (*batch_shape, *event_shape)."""
        raise NotImplementedError(f"{type(self).__name__} does not implement variance")

    @property
    def stddev(self) -> Tensor:
        """The standard deviation, sqrt(variance)."""
        return self.variance.sqrt()

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Draws values, without gradients, from gpunet's default generator.

        Args:
            sample_shape: how many values to draw of each distribution, as a shape.

        Returns:
            Values of shape (*sample_shape, *batch_shape, *event_shape).
        """
        with no_grad():
            return self.rsample(sample_shape)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Draws values as functions of the parameters, to which gradients flow.

        Args:
            sample_shape: how many values to draw of each distribution, as a shape.

        Returns:
            Values of shape (*sample_shape, *batch_shape, *event_shape).
        """
        raise NotImplementedError(f"{type(self).__name__} has no samples with gradients; use sample()")

    def log_prob(self, value: Tensor) -> Tensor:
        """The natural logarithm of the density, or of the probability of a discrete value.

        Args:
            value: values, which broadcast with (*batch_shape, *event_shape).

        Returns:
            One number for each value: (..., *batch_shape).
        """
        raise NotImplementedError(f"{type(self).__name__} does not implement log_prob")

    def cdf(self, value: Tensor) -> Tensor:
        """The cumulative distribution function: the probability of values up to `value`.

        Args:
            value: values, which broadcast with batch_shape.

        Returns:
            Probabilities, of the values' shape.
        """
        raise NotImplementedError(f"{type(self).__name__} does not implement cdf")

    def icdf(self, value: Tensor) -> Tensor:
        """The inverse of `cdf`.

        Args:
            value: probabilities from 0 to 1, which broadcast with batch_shape.

        Returns:
            The values whose cdf is `value`.
        """
        raise NotImplementedError(f"{type(self).__name__} does not implement icdf")

    def entropy(self) -> Tensor:
        """The entropy, -E[log_prob(x)], in nats: batch_shape."""
        raise NotImplementedError(f"{type(self).__name__} does not implement entropy")

    def perplexity(self) -> Tensor:
        """exp(entropy): batch_shape."""
        return self.entropy().exp()

    def enumerate_support(self, expand: bool = True) -> Tensor:
        """Lists all values of a discrete distribution.

        Args:
            expand: whether the values are repeated for each distribution of the batch.

        Returns:
            Values of shape (n, *batch_shape, *event_shape), or (n, 1, ..., 1, *event_shape) if not expanded.
        """
        raise NotImplementedError(f"{type(self).__name__} does not implement enumerate_support")

    # ---- for subclasses

    def _extended_shape(self, sample_shape: Sequence[int] = ()) -> tuple[int, ...]:
        return *sample_shape, *self._batch_shape, *self._event_shape

    def _enumerated(self, values: Tensor, expand: bool) -> Tensor:
        """`values` [n, *event_shape], with dimensions for the batch."""
        values = values.reshape(len(values), *[1] * len(self._batch_shape), *self._event_shape)
        return values.expand(len(values), *self._batch_shape, *self._event_shape) if expand else values

    def _validate_sample(self, value: Any) -> None:
        if not self._validate_args or extensions.recorder is not None:
            return
        if not isinstance(value, Tensor):
            raise ValueError("The value argument to log_prob must be a Tensor")
        inner = value.ndim - len(self._event_shape)
        if tuple(value.shape[inner:]) != tuple(self._event_shape):
            raise ValueError("The right-most size of value must match event_shape: "
                             f"{value.shape} vs {self._event_shape}.")
        expected = self._extended_shape()
        for i, j in zip(reversed(value.shape), reversed(expected), strict=False):
            if i != 1 and j != 1 and i != j:
                raise ValueError("Value is not broadcastable with batch_shape+event_shape: "
                                 f"{value.shape} vs {Size(expected)}.")
        if not _all(self.support.check(value)):
            raise ValueError(f"Expected value argument ({type(value).__name__} of shape {tuple(value.shape)}) to be "
                             f"within the support ({self.support!r}) of the distribution {self!r}, but found invalid "
                             f"values:\n{value}")

    def __repr__(self) -> str:
        parameters = {name: self.__dict__[name] for name in self.arg_constraints if name in self.__dict__}
        texts = [f"{name}: {value if value.numel() == 1 else value.size()}" for name, value in parameters.items()]
        return f"{type(self).__name__}({', '.join(texts)})"


class Elementwise(Distribution):
    """Distributions of single numbers, whose parameters broadcast."""

    def __init__(self, validate_args: bool | None, **parameters: Tensor | float) -> None:
        values = broadcast_all(*parameters.values())
        self.__dict__.update(zip(parameters, values, strict=True))
        super().__init__(values[0].shape, validate_args=validate_args)


def _all(condition: Tensor) -> bool:
    return bool(condition.all())


def broadcast_all(*values: Tensor | float) -> tuple[Tensor, ...]:
    """Numbers and tensors as tensors of one shape; numbers take the tensors' type and device."""
    for value in values:
        if not isinstance(value, (Tensor, int, float)):
            raise ValueError("Input arguments must all be instances of Number or Tensor.")
    like = next((value for value in values if isinstance(value, Tensor)), None)
    dtype, device = (get_default_dtype(), None) if like is None else (like.dtype, like.device)
    return broadcast_tensors(*[value if isinstance(value, Tensor) else
                               creation.full((), float(value), dtype=dtype, device=device) for value in values])


def sum_rightmost(value: Tensor, dims: int) -> Tensor:
    """The sum over the last `dims` dimensions."""
    return value.sum(tuple(range(-dims, 0))) if dims else value


def epsilon(value: Tensor) -> float:
    """The step from 1 to the next number of the tensor's type."""
    return float(finfo(value._array.dtype).eps)
