"""Poisson sampling: every example is in a batch by a coin of its own, as the accountant assumes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gpunet
from gpunet.data import DataLoader, Sampler
from gpunet.data.collate import default_collate
from gpunet.random import Generator

__all__ = ["PoissonBatchSampler"]


class PoissonBatchSampler(Sampler):
    """Batches of indices, in each of which every example is with the same probability. Batches differ in size, and may
    be empty.

    Args:
        num_samples: how many examples there are.
        sample_rate: the probability.
        steps: batches of an epoch; None: 1 / sample_rate.
        generator: what the coins are drawn from; None: the default generator.

    Raises:
        ValueError: the rate is no probability above 0, or there are no examples.

    Examples:
        >>> batches = gpunet.privacy.PoissonBatchSampler(1000, 0.25)
        >>> [100 < len(batch) < 400 for batch in batches]
        [True, True, True, True]
    """

    def __init__(self, num_samples: int, sample_rate: float, steps: int | None = None,
                 generator: Generator | None = None) -> None:
        if not 0 < sample_rate <= 1:
            raise ValueError(f"PoissonBatchSampler: sample_rate must be above 0 and at most 1, got {sample_rate}")
        if num_samples < 1:
            raise ValueError(f"PoissonBatchSampler: there are no examples to draw from (num_samples={num_samples})")
        self.num_samples, self.sample_rate, self.generator = num_samples, sample_rate, generator
        self.steps = int(1 / sample_rate) if steps is None else steps

    def __len__(self) -> int:
        return self.steps

    def __iter__(self) -> Iterator[list[int]]:
        for _ in range(self.steps):
            chosen = gpunet.rand(self.num_samples, generator=self.generator) < self.sample_rate
            yield chosen.nonzero().flatten().tolist()


class CollateOrEmpty:
    """A loader's collate function that also makes batches of no examples."""

    def __init__(self, collate: Any, dataset: Any) -> None:
        self.collate, self.dataset = collate or default_collate, dataset

    def __call__(self, batch: list[Any]) -> Any:
        return self.collate(batch) if batch else _empty(self.collate([self.dataset[0]]))


def _empty(batch: Any) -> Any:
    if isinstance(batch, dict):
        return {key: _empty(each) for key, each in batch.items()}
    if isinstance(batch, tuple | list):
        return type(batch)(_empty(each) for each in batch)
    return batch[:0] if isinstance(batch, gpunet.Tensor) else batch


def poisson_loader(loader: DataLoader, generator: Generator | None) -> DataLoader:
    """A loader of the same data and workers, with Poisson sampling at the same mean batch size."""
    count = len(loader.dataset)
    sampler = PoissonBatchSampler(count, min(1.0, (loader.batch_size or 1) / count), generator=generator)
    return DataLoader(loader.dataset, batch_sampler=sampler, num_workers=loader.num_workers,
                      collate_fn=CollateOrEmpty(loader.collate_fn, loader.dataset), pin_memory=loader.pin_memory)
