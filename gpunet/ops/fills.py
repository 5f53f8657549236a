"""Random numbers that fill an existing tensor: its methods uniform_, normal_, and their like."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from gpunet import dtypes
from gpunet.dtypes import FLOAT64_NP
from gpunet.engine.modes import mode
from gpunet.ops.random import check_each, check_range, exact_bits, is_probability, normal, rand, randint, randn_like

if TYPE_CHECKING:
    from gpunet.random import Generator
    from gpunet.tensor import Tensor

__all__: list[str] = []  # they are methods


def _fill(tensor, values):
    if mode.grad and tensor._requires_grad:
        raise RuntimeError("random in-place fill: a tensor that requires gradients cannot be filled while operations "
                           "are recorded; use `with gpunet.no_grad():`")
    return tensor.copy_(values)


def _uniform_like(tensor, generator):
    """Numbers in [0, 1) for each element, in float64 for a float64 tensor, else in float32."""
    wide = dtypes.float64 if tensor._array.dtype == FLOAT64_NP else dtypes.float32
    return rand(tensor.shape, generator=generator, dtype=wide, device=tensor._device.name)


def uniform_(self: Tensor, from_: float = 0.0, to: float = 1.0, *, generator: Generator | None = None) -> Tensor:
    """Fills this tensor with uniform random numbers in [from, to).

    Args:
        from_: the smallest number.
        to: the limit, which is not reached.
        generator: where the numbers come from; None for the default generator.

    Returns:
        This tensor.

    Raises:
        RuntimeError: the limits are in the wrong order.

    Example:
        >>> gpunet.empty(3).uniform_(-1, 1).shape
        gpunet.Size([3])
    """
    if not from_ <= to:
        raise RuntimeError(f"uniform_: the numbers are from [a, b), so a must not be larger than b; got {from_} and "
                           f"{to}")
    values = rand(self.shape, generator=generator, dtype=self.dtype, device=self._device.name)
    return _fill(self, values * (to - from_) + from_)


def normal_(self: Tensor, mean: float = 0.0, std: float = 1.0, *, generator: Generator | None = None) -> Tensor:
    """Fills this tensor with normal random numbers.

    Args:
        mean: mean of the distribution.
        std: its standard deviation.
        generator: where the numbers come from; None for the default generator.

    Returns:
        This tensor.

    Raises:
        RuntimeError: the standard deviation is negative.

    Example:
        >>> gpunet.empty(3).normal_(0, 2).shape
        gpunet.Size([3])
    """
    return _fill(self, normal(mean, std, self.shape, generator=generator, dtype=self.dtype, device=self._device.name))


def bernoulli_(self: Tensor, p: float | Tensor = 0.5, *, generator: Generator | None = None) -> Tensor:
    """Fills this tensor with ones with probability p, else zeros.

    Args:
        p: the probability, or a tensor with that of each element.
        generator: where the numbers come from; None for the default generator.

    Returns:
        This tensor.

    Raises:
        RuntimeError: a probability is not from 0 to 1.

    Example:
        >>> gpunet.empty(3).bernoulli_(0.25).shape
        gpunet.Size([3])
    """
    check_each("bernoulli_", p, "probabilities must be from 0 to 1", is_probability)
    draws = rand(self.shape, generator=generator, device=self._device.name)
    return _fill(self, (draws < p).to(self.dtype))


def exponential_(self: Tensor, lambd: float = 1.0, *, generator: Generator | None = None) -> Tensor:
    """Fills this tensor with random numbers of the exponential distribution, of density lambd * e^(-lambd x).

    Args:
        lambd: rate of the distribution.
        generator: where the numbers come from; None for the default generator.

    Returns:
        This tensor.

    Raises:
        RuntimeError: the rate is not positive.

    Example:
        >>> gpunet.empty(3).exponential_().shape
        gpunet.Size([3])
    """
    if lambd <= 0:
        raise RuntimeError(f"exponential_: the rate must be positive, got {lambd}")
    return _fill(self, (1 - _uniform_like(self, generator)).log() / -lambd)


def geometric_(self: Tensor, p: float, *, generator: Generator | None = None) -> Tensor:
    """Fills this tensor with the number of trials up to the first success, which each has with probability p.

    Args:
        p: the probability.
        generator: where the numbers come from; None for the default generator.

    Returns:
        This tensor.

    Raises:
        RuntimeError: the probability is not above 0 and below 1.

    Example:
        >>> gpunet.empty(3).geometric_(0.5).shape
        gpunet.Size([3])
    """
    if not 0 < p < 1:
        raise RuntimeError(f"geometric_: the probability must be above 0 and below 1, got {p}")
    return _fill(self, ((1 - _uniform_like(self, generator)).log() / math.log1p(-p)).ceil().clamp(min=1))


def log_normal_(self: Tensor, mean: float = 1.0, std: float = 2.0, *, generator: Generator | None = None) -> Tensor:
    """Fills this tensor with random numbers whose logarithms are normal.

    Args:
        mean: mean of the logarithms.
        std: their standard deviation.
        generator: where the numbers come from; None for the default generator.

    Returns:
        This tensor.

    Raises:
        RuntimeError: the standard deviation is not positive.

    Example:
        >>> gpunet.empty(3).log_normal_().shape
        gpunet.Size([3])
    """
    if not std > 0:
        raise RuntimeError(f"log_normal_: the standard deviation must be positive, got {std}")
    return _fill(self, (randn_like(self, generator=generator) * std + mean).exp())


def cauchy_(self: Tensor, median: float = 0.0, sigma: float = 1.0, *, generator: Generator | None = None) -> Tensor:
    """Fills this tensor with random numbers of the Cauchy distribution.

    Args:
        median: median of the distribution.
        sigma: half of the width of its peak at half of the height.
        generator: where the numbers come from; None for the default generator.

    Returns:
        This tensor.

    Raises:
        RuntimeError: sigma is not positive.

    Example:
        >>> gpunet.empty(3).cauchy_().shape
        gpunet.Size([3])
    """
    if not sigma > 0:
        raise RuntimeError(f"cauchy_: sigma must be positive, got {sigma}")
    return _fill(self, ((_uniform_like(self, generator) - 0.5) * math.pi).tan() * sigma + median)


def random_(self: Tensor, from_: int | None = None, to: int | None = None, *,
            generator: Generator | None = None) -> Tensor:
    """Fills this tensor with random integers: `random_()`, `random_(to)` or `random_(from, to)`.

    Without limits they go up to the largest that the type counts exactly, at most 2^32 - 1.

    Args:
        from_: the smallest integer; 0 if left out.
        to: the integer above the largest.
        generator: where the numbers come from; None for the default generator.

    Returns:
        This tensor.

    Raises:
        RuntimeError: the limits are in the wrong order, or out of the type's range.

    Example:
        >>> gpunet.empty(3).random_(5).shape
        gpunet.Size([3])
    """
    if to is None:
        from_, to = 0, from_
    if to is None:
        to = 1 << min(exact_bits(self._array.dtype), 32)
    low = from_ or 0
    check_range("random_", low, to, self._array.dtype)
    return _fill(self, randint(low, to, self.shape, generator=generator, device=self._device.name))


METHODS = {f.__name__: f for f in (bernoulli_, cauchy_, exponential_, geometric_, log_normal_, normal_, random_,
                                   uniform_)}
