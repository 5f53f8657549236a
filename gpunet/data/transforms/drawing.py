"""Random numbers of transforms: single ones, from the default generator.

A DataLoader gives each sample a stream of its own there. One block of four words is taken for each draw, and computed
with Python's integers: for so few words that takes a tenth of the time that arrays take.
"""

from __future__ import annotations

import math

from gpunet.random import default_generator

_MASK = 0xFFFFFFFF


def words() -> tuple[int, int, int, int]:
    """The next block of 32-bit words: what `gpunet.random.philox` gives for it."""
    seed, block = default_generator.position()
    default_generator.skip(1)
    c0, c1, c2, c3 = block & _MASK, block >> 32, 0, 0
    k0, k1 = seed & _MASK, seed >> 32
    for _ in range(10):
        p0, p1 = c0 * 0xD2511F53, c2 * 0xCD9E8D57
        c0, c1, c2, c3 = (p1 >> 32) ^ c1 ^ k0, p1 & _MASK, (p0 >> 32) ^ c3 ^ k1, p0 & _MASK
        k0, k1 = k0 + 0x9E3779B9 & _MASK, k1 + 0xBB67AE85 & _MASK
    return c0, c1, c2, c3


def uniform(low: float = 0.0, high: float = 1.0) -> float:
    """A number in [low, high)."""
    first, second, _, _ = words()
    return low + (high - low) * ((first >> 5) * 67108864.0 + (second >> 6)) * (1.0 / 9007199254740992.0)


def chance(p: float) -> bool:
    """True with probability p."""
    return uniform() < p


def integer(low: int, high: int) -> int:
    """An integer in [low, high), each equally likely to within 2^-32."""
    first, second, _, _ = words()
    return low + ((first << 32 | second) * (high - low) >> 64)


def log_uniform(low: float, high: float) -> float:
    """A number in [low, high) whose logarithm is uniform."""
    return math.exp(uniform(math.log(low), math.log(high)))


def permutation(count: int) -> list[int]:
    """0 to count - 1 in a random order (Fisher and Yates)."""
    order = list(range(count))
    for last in range(count - 1, 0, -1):
        chosen = integer(0, last + 1)
        order[last], order[chosen] = order[chosen], order[last]
    return order


def choice(weights: list[float]) -> int:
    """An index, in proportion to the weights."""
    left = uniform(0.0, sum(weights))
    for index, weight in enumerate(weights):
        left -= weight
        if left < 0:
            return index
    return max(index for index, weight in enumerate(weights) if weight > 0)
