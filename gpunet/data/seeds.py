"""What a pass over a dataset draws: one seed, from which each sample has a random stream of its own.

While a sample is read, the default generator is the sample's stream: it depends on the seed of the pass, the sample's
index and its place in the pass, and on nothing else. So random transforms draw the same numbers in whichever process
they run, and for any number of workers. Python's and NumPy's global generators are seeded once a worker, as PyTorch
does it.
"""

from __future__ import annotations

import operator
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from zlib import crc32

import numpy as np

from gpunet.random import Generator, default_generator

_MASK64 = (1 << 64) - 1


def seed_of_pass(generator: Generator | None, draw: bool) -> int:
    """A new seed from the generator; the generator's own, without a draw, where nothing of the pass will use it."""
    generator = generator or default_generator
    seed, block = generator.position()
    if draw:
        generator.skip(1)
    return _mixed(seed, block) >> 1  # as PyTorch's: not negative in 64 bits


class Streams:
    """The random streams of a pass.

    seed: of the pass.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed

    @contextmanager
    def kept(self) -> Iterator[None]:
        """A block in which streams are entered: at its end the default generator is where it was."""
        seed, block = default_generator.position()
        try:
            yield
        finally:
            default_generator.manual_seed(seed).skip(block)

    def enter(self, index: Any, place: int) -> None:
        """Makes the stream of a sample the default generator's: a stream of 2^32 blocks for each index."""
        try:
            number = operator.index(index)
        except TypeError:  # any other key
            number = crc32(repr(index).encode())
        default_generator.manual_seed(_mixed(self._seed, place)).skip(number << 32)

    def enter_batch(self, number: int) -> None:
        """Makes the stream of a batch the default generator's: what joins samples may draw too."""
        default_generator.manual_seed(_mixed(self._seed ^ _MASK64, number))


def seed_worker(seed_of_pass: int, worker: int) -> int:
    """Seeds the global generators of a worker process: gpunet's and Python's by seed_of_pass + worker, which is the
    result, and NumPy's by what SeedSequence makes of both."""
    seed = seed_of_pass + worker & _MASK64
    default_generator.manual_seed(seed)
    random.seed(seed)
    np.random.seed(np.random.SeedSequence((worker, seed_of_pass)).generate_state(4))
    return seed


def _mixed(seed: int, number: int) -> int:
    """A seed from a seed and a number: SplitMix64 (Steele et al., "Fast splittable pseudorandom number generators",
    2014)."""
    z = seed + (number + 1) * 0x9E3779B97F4A7C15 & _MASK64
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 & _MASK64
    z = (z ^ z >> 27) * 0x94D049BB133111EB & _MASK64
    return z ^ z >> 31
