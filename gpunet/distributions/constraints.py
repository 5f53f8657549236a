"""What values a parameter or a sample may have."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gpunet.tensor import Tensor


@dataclass(frozen=True, repr=False)
class Constraint:
    """A set of values: `check(value)` says for each value whether it is in there.

    event_dim: how many of the last dimensions make up one value. text: its name in errors, PyTorch's.
    """

    text: str
    test: Callable[[Tensor], Tensor]
    event_dim: int = 0
    is_discrete: bool = False

    def check(self, value: Tensor) -> Tensor:
        """A bool tensor, without the last `event_dim` dimensions of `value`."""
        return self.test(value)

    def __repr__(self):
        return self.text


def interval(lower, upper) -> Constraint:
    """lower <= x <= upper."""
    return Constraint(f"Interval(lower_bound={lower}, upper_bound={upper})", lambda x: (x >= lower) & (x <= upper))


def greater_than(lower) -> Constraint:
    """x > lower."""
    return Constraint(f"GreaterThan(lower_bound={lower})", lambda x: x > lower)


def greater_than_eq(lower) -> Constraint:
    """x >= lower."""
    return Constraint(f"GreaterThanEq(lower_bound={lower})", lambda x: x >= lower)


def less_than(upper) -> Constraint:
    """x < upper."""
    return Constraint(f"LessThan(upper_bound={upper})", lambda x: x < upper)


def integer_interval(lower, upper) -> Constraint:
    """Whole numbers from lower to upper, with both."""
    return Constraint(f"IntegerInterval(lower_bound={lower}, upper_bound={upper})",
                      lambda x: (x % 1 == 0) & (x >= lower) & (x <= upper), is_discrete=True)


def independent(base: Constraint, dims: int) -> Constraint:
    """Values of more dimensions, each of which is in `base`."""

    def test(x):
        inside = base.check(x)
        return inside.reshape(*inside.shape[: inside.ndim - dims], -1).all(-1)

    return Constraint(f"IndependentConstraint({base}, {dims})", test, base.event_dim + dims, base.is_discrete)


def _symmetric(x):
    return ((x - x.mT).abs() <= 1e-6).flatten(-2).all(-1)


def _positive_definite(x):
    from gpunet.ops.decompose import eigvalsh

    return _symmetric(x) & (eigvalsh(x) > 0).all(-1)


def _lower_cholesky(x):
    return (x.tril() == x).flatten(-2).all(-1) & (x.diagonal(dim1=-2, dim2=-1) > 0).all(-1)


real = Constraint("Real()", lambda x: x == x)
positive, nonnegative = greater_than(0.0), greater_than_eq(0.0)
unit_interval = interval(0.0, 1.0)
boolean = Constraint("Boolean()", lambda x: (x == 0) | (x == 1), is_discrete=True)
nonnegative_integer = Constraint("IntegerGreaterThan(lower_bound=0)", lambda x: (x % 1 == 0) & (x >= 0),
                                 is_discrete=True)
real_vector = independent(real, 1)
simplex = Constraint("Simplex()", lambda x: (x >= 0).all(-1) & ((x.sum(-1) - 1).abs() < 1e-6), 1)
one_hot = Constraint("OneHot()", lambda x: ((x == 0) | (x == 1)).all(-1) & (x.sum(-1) == 1), 1, True)
lower_cholesky = Constraint("LowerCholesky()", _lower_cholesky, 2)
positive_definite = Constraint("PositiveDefinite()", _positive_definite, 2)
