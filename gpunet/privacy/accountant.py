"""The accountant of DP-SGD: Renyi differential privacy of the sampled Gaussian mechanism, and its epsilon."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Literal

__all__ = ["RDPAccountant", "compute_rdp", "get_noise_multiplier", "rdp_to_epsilon"]

ORDERS = (*(1 + x / 10 for x in range(1, 100)), *range(12, 64), 128.0, 256.0, 512.0)


def compute_rdp(sample_rate: float, noise_multiplier: float, steps: int, orders: Sequence[float] = ORDERS
                ) -> list[float]:
    """The Renyi divergence of some steps of the sampled Gaussian mechanism, at each order:
    steps * log(A) / (order - 1), where A is the order's moment of the ratio of the two densities.

    Source: Mironov, Talwar & Zhang 2019, "Renyi Differential Privacy of the Sampled Gaussian Mechanism", section 3.3.

    Args:
        sample_rate: probability q with which an example is in a batch.
        noise_multiplier: standard deviation of the noise over the norm to which gradients are clipped.
        steps: how many batches.
        orders: the orders, each above 1.

    Returns:
        A divergence for each order; infinity without noise.

    Raises:
        ValueError: a number is out of its range.

    Examples:
        >>> gpunet.privacy.compute_rdp(1.0, 2.0, 3, [2.0, 4.0])
        [0.75, 1.5]
    """
    if not 0 <= sample_rate <= 1:
        raise ValueError(f"compute_rdp: sample_rate is a probability from 0 to 1, got {sample_rate}")
    if noise_multiplier < 0 or steps < 0 or any(order <= 1 for order in orders):
        raise ValueError("compute_rdp: noise_multiplier and steps must not be negative, and orders are above 1; got "
                         f"{noise_multiplier}, {steps}, {list(orders)}")
    return [steps * _divergence(sample_rate, noise_multiplier, order) if steps else 0.0 for order in orders]


def _divergence(q: float, sigma: float, order: float) -> float:
    if q == 0:
        return 0.0
    if sigma == 0:
        return math.inf
    if q == 1:
        return order / (2 * sigma**2)
    moment = _whole_moment if float(order).is_integer() else _moment
    return moment(q, sigma, order) / (order - 1)


def _whole_moment(q: float, sigma: float, order: float) -> float:
    """log A for a whole order: a finite binomial sum."""
    n = int(order)
    return _log_sum([_log_binomial(n, k) + k * math.log(q) + (n - k) * math.log1p(-q) + (k * k - k) / (2 * sigma**2)
                     for k in range(n + 1)])


def _moment(q: float, sigma: float, order: float) -> float:
    """log A for any order: the integral is split where the densities are equal, and each half is a binomial series."""
    positive, negative = [], []
    middle = sigma**2 * math.log(1 / q - 1) + 0.5
    sign, log_choose = 1.0, 0.0  # of the generalized binomial coefficient
    for k in range(100_000):
        rest = order - k
        left = log_choose + k * math.log(q) + rest * math.log1p(-q) + (k * k - k) / (2 * sigma**2) \
            + _log_normal_below((middle - k) / sigma)
        right = log_choose + rest * math.log(q) + k * math.log1p(-q) + (rest * rest - rest) / (2 * sigma**2) \
            + _log_normal_below((rest - middle) / sigma)
        (positive if sign > 0 else negative).extend((left, right))
        if k > order and max(left, right) < -30:
            break
        factor = rest / (k + 1)
        sign *= math.copysign(1.0, factor)
        log_choose += math.log(abs(factor))
    total, less = _log_sum(positive), _log_sum(negative)
    return total + math.log1p(-math.exp(less - total))


def _log_normal_below(x: float) -> float:
    """log of the normal distribution's function; far below 0 from the asymptotic series."""
    if x > -35:
        return math.log(0.5 * math.erfc(-x / math.sqrt(2)))
    z = x * x
    return -z / 2 - math.log(-x) - 0.5 * math.log(2 * math.pi) + math.log1p(-1 / z + 3 / z**2 - 15 / z**3)


def _log_binomial(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)


def _log_sum(values: Sequence[float]) -> float:
    largest = max(values, default=-math.inf)
    if largest == -math.inf:
        return largest
    return largest + math.log(math.fsum(math.exp(value - largest) for value in values))


def rdp_to_epsilon(rdp: Sequence[float], delta: float, orders: Sequence[float] = ORDERS,
                   conversion: Literal["balle", "mironov"] = "balle") -> tuple[float, float]:
    """The smallest epsilon over the orders a, for a delta.

    "balle": rdp + log((a - 1) / a) - (log delta + log a) / (a - 1), which Opacus and dp-accounting use; "mironov":
    rdp - log delta / (a - 1), which is larger, and which older figures were made with.

    Source: Balle et al. 2020, "Hypothesis Testing Interpretations and Renyi Differential Privacy", theorem 21; Mironov
    2017, "Renyi Differential Privacy", proposition 3.

    Args:
        rdp: the divergence at each order.
        delta: the probability delta of (epsilon, delta)-differential privacy.
        orders: the orders.
        conversion: which bound.

    Returns:
        epsilon, and the order that gives it.

    Raises:
        ValueError: delta is not between 0 and 1, or there is not one divergence for each order.

    Examples:
        >>> rdp = gpunet.privacy.compute_rdp(250 / 60000, 1.3, 15 * 240)
        >>> [round(gpunet.privacy.rdp_to_epsilon(rdp, 1e-5, conversion=bound)[0], 2) for bound in ("mironov", "balle")]
        [1.18, 0.94]
    """
    if not 0 < delta < 1:
        raise ValueError(f"rdp_to_epsilon: delta must be between 0 and 1, got {delta}")
    if len(rdp) != len(orders) or not len(orders):
        raise ValueError(f"rdp_to_epsilon: {len(rdp)} divergences do not fit {len(orders)} orders")
    if conversion not in ("balle", "mironov"):
        raise ValueError(f"rdp_to_epsilon: conversion is 'balle' or 'mironov', not {conversion!r}")
    found = []
    for order, divergence in zip(orders, rdp, strict=True):
        epsilon = divergence - math.log(delta) / (order - 1)
        if conversion == "balle":
            epsilon += math.log1p(-1 / order) - math.log(order) / (order - 1)
        found.append((max(epsilon, 0.0) if divergence < math.inf else math.inf, order))
    return min(found)


class RDPAccountant:
    """Counts the steps of DP-SGD, and says which epsilon they have spent.

    Args:
        orders: the orders of Renyi divergence that are tried.

    Attributes:
        history: [noise_multiplier, sample_rate, steps] for each run of equal steps.

    Examples:
        >>> accountant = gpunet.privacy.RDPAccountant()
        >>> accountant.step(noise_multiplier=1.1, sample_rate=256 / 60000, steps=1000)
        >>> round(accountant.get_epsilon(delta=1e-5), 3)
        0.889
    """

    def __init__(self, orders: Sequence[float] = ORDERS) -> None:
        self.orders = tuple(orders)
        self.history: list[list[float]] = []

    def __len__(self) -> int:
        return sum(int(steps) for _, _, steps in self.history)

    def step(self, *, noise_multiplier: float, sample_rate: float, steps: int = 1) -> None:
        """Counts steps.

        Args:
            noise_multiplier: standard deviation of the noise over the clipping norm.
            sample_rate: probability with which an example is in a batch.
            steps: how many.
        """
        if self.history and self.history[-1][:2] == [noise_multiplier, sample_rate]:
            self.history[-1][2] += steps
        else:
            self.history.append([noise_multiplier, sample_rate, steps])

    def get_epsilon(self, delta: float, conversion: Literal["balle", "mironov"] = "balle") -> float:
        """The epsilon that is spent.

        Args:
            delta: the probability delta.
            conversion: as for `rdp_to_epsilon`.

        Returns:
            The epsilon; 0 before the first step.
        """
        if not self.history:
            return 0.0
        parts = [compute_rdp(rate, noise, int(steps), self.orders) for noise, rate, steps in self.history]
        return rdp_to_epsilon([sum(each) for each in zip(*parts, strict=True)], delta, self.orders, conversion)[0]

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps.

        Returns:
            The history.
        """
        return {"history": [list(each) for each in self.history]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes up a checkpoint.

        Args:
            state_dict: what `state_dict` gave.
        """
        self.history = [list(each) for each in state_dict["history"]]


def get_noise_multiplier(target_epsilon: float, target_delta: float, sample_rate: float, steps: int,
                         epsilon_tolerance: float = 0.01) -> float:
    """The least noise with which some steps stay within (epsilon, delta), by bisection.

    Args:
        target_epsilon: the epsilon.
        target_delta: the delta.
        sample_rate: probability with which an example is in a batch.
        steps: how many batches.
        epsilon_tolerance: how far below the target the epsilon may stay.

    Returns:
        The noise multiplier; its epsilon is at most the target.

    Raises:
        ValueError: no noise is enough, or the target is not positive.

    Examples:
        >>> noise = gpunet.privacy.get_noise_multiplier(3.0, 1e-5, sample_rate=0.01, steps=1000)
        >>> 0.7 < noise < 0.9
        True
    """
    if target_epsilon <= 0:
        raise ValueError(f"get_noise_multiplier: target_epsilon must be positive, got {target_epsilon}")

    def spent(noise: float) -> float:
        return rdp_to_epsilon(compute_rdp(sample_rate, noise, steps), target_delta)[0]

    return _least(spent, target_epsilon, epsilon_tolerance)


def _least(spent: Callable[[float], float], target: float, tolerance: float) -> float:
    low, high = 0.0, 1.0
    while spent(high) > target:
        low, high = high, high * 2
        if high > 1e6:
            raise ValueError(f"get_noise_multiplier: no noise keeps epsilon below {target}")
    while target - spent(high) > tolerance and high - low > 1e-9 * high:
        middle = (low + high) / 2
        low, high = (low, middle) if spent(middle) <= target else (middle, high)
    return high
