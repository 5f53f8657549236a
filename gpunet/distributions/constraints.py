"""Which values a parameter or a sample may have."""

from __future__ import annotations

from typing import Any

from gpunet.ops.decompose import eigvalsh
from gpunet.tensor import Tensor

__all__ = ["Constraint", "MixtureSameFamilyConstraint", "boolean", "greater_than", "greater_than_eq",
           "half_open_interval", "independent", "integer_interval", "interval", "less_than", "lower_cholesky",
           "multinomial", "nonnegative", "nonnegative_integer", "one_hot", "positive", "positive_definite", "real",
           "real_vector", "simplex", "unit_interval"]


class Constraint:
    """Base of the constraints. A constraint is a set of values; `check` says which values are in it.

    Attributes:
        is_discrete: whether the values can be counted.
        event_dim: how many of the last dimensions make up one value.

    Examples:
        >>> distributions.constraints.positive.check(gpunet.tensor([2.0, -1.0]))
        tensor([ True, False])
    """

    is_discrete: bool = False
    event_dim: int = 0

    def check(self, value: Tensor) -> Tensor:
        """Says which values satisfy the constraint.

        Args:
            value: the values, of any shape; one value takes the last `event_dim` dimensions.

        Returns:
            A bool tensor without those last dimensions.
        """
        raise NotImplementedError(f"{type(self).__name__} does not implement check")

    def __repr__(self) -> str:
        return f"{type(self).__name__.lstrip('_')}()"


class _Bounds(Constraint):
    """A constraint with bounds. Its text, which errors show, is PyTorch's."""

    def __init__(self, title: str, **bounds: Tensor | float) -> None:
        self._text = f"{title}({', '.join(f'{name}={value}' for name, value in bounds.items())})"

    def __repr__(self) -> str:
        return self._text


class interval(_Bounds):
    """lower_bound <= x <= upper_bound.

    Args:
        lower_bound: least value: a number, or a tensor that broadcasts with the values.
        upper_bound: greatest value, likewise.

    Examples:
        >>> distributions.constraints.interval(0.0, 1.0).check(gpunet.tensor([0.5, 2.0]))
        tensor([ True, False])
    """

    def __init__(self, lower_bound: Tensor | float, upper_bound: Tensor | float) -> None:
        self.lower_bound, self.upper_bound = lower_bound, upper_bound
        super().__init__("Interval", lower_bound=lower_bound, upper_bound=upper_bound)

    def check(self, value: Tensor) -> Tensor:
        return (value >= self.lower_bound) & (value <= self.upper_bound)


class half_open_interval(_Bounds):
    """lower_bound <= x < upper_bound.

    Args:
        lower_bound: least value: a number, or a tensor that broadcasts with the values.
        upper_bound: above the greatest value, likewise.

    Examples:
        >>> distributions.constraints.half_open_interval(0.0, 1.0).check(gpunet.tensor([0.0, 1.0]))
        tensor([ True, False])
    """

    def __init__(self, lower_bound: Tensor | float, upper_bound: Tensor | float) -> None:
        self.lower_bound, self.upper_bound = lower_bound, upper_bound
        super().__init__("HalfOpenInterval", lower_bound=lower_bound, upper_bound=upper_bound)

    def check(self, value: Tensor) -> Tensor:
        return (value >= self.lower_bound) & (value < self.upper_bound)


class greater_than(_Bounds):
    """x > lower_bound.

    Args:
        lower_bound: a number, or a tensor that broadcasts with the values.

    Examples:
        >>> distributions.constraints.greater_than(1.0).check(gpunet.tensor([1.0, 2.0]))
        tensor([False,  True])
    """

    def __init__(self, lower_bound: Tensor | float) -> None:
        self.lower_bound = lower_bound
        super().__init__("GreaterThan", lower_bound=lower_bound)

    def check(self, value: Tensor) -> Tensor:
        return value > self.lower_bound


class greater_than_eq(_Bounds):
    """x >= lower_bound.

    Args:
        lower_bound: a number, or a tensor that broadcasts with the values.

    Examples:
        >>> distributions.constraints.greater_than_eq(1.0).check(gpunet.tensor([1.0, 0.0]))
        tensor([ True, False])
    """

    def __init__(self, lower_bound: Tensor | float) -> None:
        self.lower_bound = lower_bound
        super().__init__("GreaterThanEq", lower_bound=lower_bound)

    def check(self, value: Tensor) -> Tensor:
        return value >= self.lower_bound


class less_than(_Bounds):
    """x < upper_bound.

    Args:
        upper_bound: a number, or a tensor that broadcasts with the values.

    Examples:
        >>> distributions.constraints.less_than(1.0).check(gpunet.tensor([1.0, 0.0]))
        tensor([False,  True])
    """

    def __init__(self, upper_bound: Tensor | float) -> None:
        self.upper_bound = upper_bound
        super().__init__("LessThan", upper_bound=upper_bound)

    def check(self, value: Tensor) -> Tensor:
        return value < self.upper_bound


class integer_interval(_Bounds):
    """Whole numbers from lower_bound to upper_bound, both included.

    Args:
        lower_bound: least value.
        upper_bound: greatest value.

    Examples:
        >>> distributions.constraints.integer_interval(0, 9).check(gpunet.tensor([0.0, 0.5, 10.0]))
        tensor([ True, False, False])
    """

    is_discrete = True

    def __init__(self, lower_bound: Tensor | float, upper_bound: Tensor | float) -> None:
        self.lower_bound, self.upper_bound = lower_bound, upper_bound
        super().__init__("IntegerInterval", lower_bound=lower_bound, upper_bound=upper_bound)

    def check(self, value: Tensor) -> Tensor:
        return _whole(value) & (value >= self.lower_bound) & (value <= self.upper_bound)


class independent(Constraint):
    """Another constraint with more dimensions in one value: it holds where the other holds for all of them.

    Args:
        base_constraint: the other constraint.
        reinterpreted_batch_ndims: how many more dimensions make up one value.

    Examples:
        >>> vectors = distributions.constraints.independent(distributions.constraints.positive, 1)
        >>> vectors.check(gpunet.tensor([[1.0, 2.0], [1.0, -2.0]]))
        tensor([ True, False])
    """

    def __init__(self, base_constraint: Constraint, reinterpreted_batch_ndims: int) -> None:
        self.base_constraint, self.reinterpreted_batch_ndims = base_constraint, reinterpreted_batch_ndims
        self.is_discrete = base_constraint.is_discrete
        self.event_dim = base_constraint.event_dim + reinterpreted_batch_ndims

    def check(self, value: Tensor) -> Tensor:
        inside = self.base_constraint.check(value)
        return inside.reshape(*inside.shape[: inside.ndim - self.reinterpreted_batch_ndims], -1).all(-1)

    def __repr__(self) -> str:
        return f"IndependentConstraint({self.base_constraint}, {self.reinterpreted_batch_ndims})"


class multinomial(Constraint):
    """Vectors of whole numbers, not negative, that sum to at most upper_bound, as in PyTorch.

    Args:
        upper_bound: the greatest sum.

    Examples:
        >>> distributions.constraints.multinomial(3).check(gpunet.tensor([[1.0, 2.0], [2.0, 2.0]]))
        tensor([ True, False])
    """

    is_discrete = True
    event_dim = 1

    def __init__(self, upper_bound: int) -> None:
        self.upper_bound = upper_bound

    def check(self, value: Tensor) -> Tensor:
        return (_whole(value) & (value >= 0)).all(-1) & (value.sum(-1) <= self.upper_bound)

    def __repr__(self) -> str:
        return "Multinomial()"


class MixtureSameFamilyConstraint(Constraint):
    """What the components of a `MixtureSameFamily` allow.

    Args:
        base_constraint: the constraint of the components.

    Examples:
        >>> positive = distributions.constraints.positive
        >>> distributions.constraints.MixtureSameFamilyConstraint(positive).check(gpunet.tensor([1.0, -1.0]))
        tensor([ True, False])
    """

    def __init__(self, base_constraint: Constraint) -> None:
        self.base_constraint = base_constraint
        self.is_discrete, self.event_dim = base_constraint.is_discrete, base_constraint.event_dim

    def check(self, value: Tensor) -> Tensor:
        if value.ndim < self.event_dim:
            raise ValueError(f"Expected value.dim() >= {self.event_dim} but got {value.ndim}")
        inside = self.base_constraint.check(value.unsqueeze(-1 - self.event_dim))
        return inside.reshape(*inside.shape[: value.ndim - self.event_dim], -1).all(-1)

    def __repr__(self) -> str:
        return f"MixtureSameFamilyConstraint({self.base_constraint})"


class _Real(Constraint):
    def check(self, value: Tensor) -> Tensor:
        return value == value  # NaN is no number


class _Boolean(Constraint):
    is_discrete = True

    def check(self, value: Tensor) -> Tensor:
        return (value == 0) | (value == 1)


class _IntegerGreaterThan(_Bounds):
    is_discrete = True

    def __init__(self, lower_bound: int) -> None:
        self.lower_bound = lower_bound
        super().__init__("IntegerGreaterThan", lower_bound=lower_bound)

    def check(self, value: Tensor) -> Tensor:
        return _whole(value) & (value >= self.lower_bound)


class _Simplex(Constraint):
    event_dim = 1

    def check(self, value: Tensor) -> Tensor:
        return (value >= 0).all(-1) & ((value.sum(-1) - 1).abs() < 1e-6)


class _OneHot(Constraint):
    is_discrete = True
    event_dim = 1

    def check(self, value: Tensor) -> Tensor:
        return ((value == 0) | (value == 1)).all(-1) & (value.sum(-1) == 1)


class _LowerCholesky(Constraint):
    event_dim = 2

    def check(self, value: Tensor) -> Tensor:
        return (value.tril() == value).flatten(-2).all(-1) & (value.diagonal(dim1=-2, dim2=-1) > 0).all(-1)


class _PositiveDefinite(Constraint):
    event_dim = 2

    def check(self, value: Tensor) -> Tensor:
        symmetric = ((value - value.mT).abs() <= 1e-6).flatten(-2).all(-1)
        eigenvalues: Any = eigvalsh(value)
        return symmetric & (eigenvalues > 0).all(-1)


def _whole(value: Tensor) -> Tensor:
    return value % 1 == 0


real = _Real()
positive, nonnegative = greater_than(0.0), greater_than_eq(0.0)
unit_interval = interval(0.0, 1.0)
boolean = _Boolean()
nonnegative_integer = _IntegerGreaterThan(0)
real_vector = independent(real, 1)
simplex = _Simplex()
one_hot = _OneHot()
lower_cholesky = _LowerCholesky()
positive_definite = _PositiveDefinite()
