"""Transforms of random values: invertible functions with the logarithm of their derivative."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ml_dtypes import finfo

from gpunet.distributions import constraints
from gpunet.distributions.distribution import epsilon, sum_rightmost
from gpunet.distributions.transform import (
    ComposeTransform,
    IndependentTransform,
    Transform,
    identity_transform,
    widened,
)
from gpunet.ops.join import cat
from gpunet.ops.ranges import arange
from gpunet.ops.sigmoids import logsigmoid, softplus
from gpunet.tensor import Tensor

__all__ = ["AffineTransform", "ComposeTransform", "ExpTransform", "IndependentTransform", "PowerTransform",
           "SigmoidTransform", "SoftplusTransform", "StickBreakingTransform", "TanhTransform", "Transform",
           "identity_transform"]


class _Plain(Transform):
    """A transform of single numbers without options, which increases."""

    domain = constraints.real
    bijective = True

    @property
    def sign(self) -> Any:
        return 1

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self)

    __hash__ = object.__hash__


class ExpTransform(_Plain):
    """y = exp(x).

    Args:
        cache_size: 1 keeps the last values, see `Transform`.

    Examples:
        >>> distributions.transforms.ExpTransform()(gpunet.tensor(0.0))
        tensor(1.)
    """

    codomain = constraints.positive

    def _call(self, x: Tensor) -> Tensor:
        return x.exp()

    def _inverse(self, y: Tensor) -> Tensor:
        return y.log()

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return x


class TanhTransform(_Plain):
    """y = tanh(x). log |dy/dx| is computed from x, by a formula that is exact also where tanh(x) rounds to 1.

    Args:
        cache_size: 1 keeps the last values, see `Transform`: atanh(y) loses what lies near 1 and -1.

    Examples:
        >>> t = distributions.transforms.TanhTransform(cache_size=1)
        >>> t.inv(t(gpunet.tensor([0.0, 20.0])))
        tensor([ 0., 20.])
    """

    codomain = constraints.interval(-1.0, 1.0)

    def _call(self, x: Tensor) -> Tensor:
        return x.tanh()

    def _inverse(self, y: Tensor) -> Tensor:
        return y.atanh()

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return 2.0 * (math.log(2.0) - x - softplus(-2.0 * x))


class SigmoidTransform(_Plain):
    """y = 1 / (1 + exp(-x)).

    Args:
        cache_size: 1 keeps the last values, see `Transform`.

    Examples:
        >>> distributions.transforms.SigmoidTransform()(gpunet.tensor(0.0))
        tensor(0.5000)
    """

    codomain = constraints.unit_interval

    def _call(self, x: Tensor) -> Tensor:
        return _inside(x.sigmoid())

    def _inverse(self, y: Tensor) -> Tensor:
        y = _inside(y)
        return y.log() - (-y).log1p()

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return -softplus(-x) - softplus(x)


def _inside(y: Tensor) -> Tensor:
    """Strictly between 0 and 1, so that the logarithms are finite."""
    return y.clamp(min=_tiny(y), max=1.0 - epsilon(y))


def _tiny(y: Tensor) -> float:
    return float(finfo(y._array.dtype).tiny)


class SoftplusTransform(_Plain):
    """y = log(1 + exp(x)).

    Args:
        cache_size: 1 keeps the last values, see `Transform`.

    Examples:
        >>> distributions.transforms.SoftplusTransform()(gpunet.tensor(0.0))
        tensor(0.6931)
    """

    codomain = constraints.positive

    def _call(self, x: Tensor) -> Tensor:
        return softplus(x)

    def _inverse(self, y: Tensor) -> Tensor:
        return (-y).expm1().neg().log() + y

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return -softplus(-x)


class AffineTransform(Transform):
    """y = loc + scale * x.

    Args:
        loc: a tensor or a number.
        scale: a tensor or a number, not 0.
        event_dim: how many of the last dimensions make up one value.
        cache_size: 1 keeps the last values, see `Transform`.

    Examples:
        >>> distributions.transforms.AffineTransform(1.0, 2.0)(gpunet.tensor([0.0, 3.0]))
        tensor([1., 7.])
    """

    bijective = True

    def __init__(self, loc: Tensor | float, scale: Tensor | float, event_dim: int = 0, cache_size: int = 0) -> None:
        super().__init__(cache_size)
        self.loc, self.scale, self._event_dim = loc, scale, event_dim

    @property
    def event_dim(self) -> int:
        """How many of the last dimensions make up one value."""
        return self._event_dim

    @property
    def domain(self) -> Any:
        return widened(constraints.real, self._event_dim)

    codomain = domain

    @property
    def sign(self) -> Any:
        scale = self.scale
        return scale.sign() if isinstance(scale, Tensor) else (scale > 0) - (scale < 0)

    def with_cache(self, cache_size: int = 1) -> Transform:
        return self if self._cache_size == cache_size else AffineTransform(self.loc, self.scale, self._event_dim,
                                                                           cache_size)

    def _call(self, x: Tensor) -> Tensor:
        return self.loc + self.scale * x

    def _inverse(self, y: Tensor) -> Tensor:
        return (y - self.loc) / self.scale

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        scale = self.scale
        slope = scale.abs().log() if isinstance(scale, Tensor) else x.new_full((), math.log(abs(scale)))
        slope = slope.expand(x.shape) if not isinstance(scale, Tensor) else slope + x.new_zeros(x.shape)
        return sum_rightmost(slope, self._event_dim)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AffineTransform) and _same(self.loc, other.loc) and _same(self.scale, other.scale)

    __hash__ = object.__hash__


def _same(a: Tensor | float, b: Tensor | float) -> bool:
    same: Any = a == b
    return bool(same.all()) if isinstance(same, Tensor) else same


class PowerTransform(Transform):
    """y = x^exponent, of positive numbers.

    Args:
        exponent: a tensor or a number, not 0.
        cache_size: 1 keeps the last values, see `Transform`.

    Examples:
        >>> distributions.transforms.PowerTransform(2.0)(gpunet.tensor([1.0, 3.0]))
        tensor([1., 9.])
    """

    domain = codomain = constraints.positive
    bijective = True

    def __init__(self, exponent: Tensor | float, cache_size: int = 0) -> None:
        super().__init__(cache_size)
        self.exponent = exponent

    @property
    def sign(self) -> Any:
        exponent = self.exponent
        return exponent.sign() if isinstance(exponent, Tensor) else (exponent > 0) - (exponent < 0)

    def with_cache(self, cache_size: int = 1) -> Transform:
        return self if self._cache_size == cache_size else PowerTransform(self.exponent, cache_size)

    def _call(self, x: Tensor) -> Tensor:
        return x**self.exponent

    def _inverse(self, y: Tensor) -> Tensor:
        return y ** (1 / self.exponent)

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return (self.exponent * y / x).abs().log()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PowerTransform) and _same(self.exponent, other.exponent)

    __hash__ = object.__hash__


class StickBreakingTransform(Transform):
    """From vectors of n numbers to vectors of n + 1 positive numbers that add up to 1: each takes a part, given by a
    sigmoid, of what the ones before it have left.

    Args:
        cache_size: 1 keeps the last values, see `Transform`.

    Examples:
        >>> distributions.transforms.StickBreakingTransform()(gpunet.zeros(2))
        tensor([0.3333, 0.3333, 0.3333])
    """

    domain = constraints.real_vector
    codomain = constraints.simplex
    bijective = True

    def _call(self, x: Tensor) -> Tensor:
        parts = _inside((x - _left(x).log()).sigmoid())
        rest = (1 - parts).cumprod(-1)
        one = x.new_ones((*x.shape[:-1], 1))
        return cat([parts, one], -1) * cat([one, rest], -1)

    def _inverse(self, y: Tensor) -> Tensor:
        head = y[..., :-1]
        rest = (1 - head.cumsum(-1)).clamp(min=_tiny(y))
        return head.log() - rest.log() + _left(head).log()

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        x = x - _left(x).log()
        return (-x + logsigmoid(x) + y[..., :-1].log()).sum(-1)

    def forward_shape(self, shape: Sequence[int]) -> tuple[int, ...]:
        if len(shape) < 1:
            raise ValueError("Too few dimensions on input")
        return *shape[:-1], shape[-1] + 1

    def inverse_shape(self, shape: Sequence[int]) -> tuple[int, ...]:
        if len(shape) < 1:
            raise ValueError("Too few dimensions on input")
        return *shape[:-1], shape[-1] - 1

    def __eq__(self, other: object) -> bool:
        return isinstance(other, StickBreakingTransform)

    __hash__ = object.__hash__


def _left(x: Tensor) -> Tensor:
    """n, n - 1, ..., 1 for vectors of n numbers: how many parts are still to come."""
    return arange(x.shape[-1], 0, -1, dtype=x.dtype, device=x.device)
