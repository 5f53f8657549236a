"""Samplers: the order in which a DataLoader visits a dataset."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence, Sized
from itertools import chain, cycle, islice
from typing import Any, Generic, TypeVar

from gpunet.dtypes import float64
from gpunet.ops.creation import as_tensor
from gpunet.ops.random import multinomial, randint, randperm
from gpunet.random import Generator

T_co = TypeVar("T_co", covariant=True)


class Sampler(Generic[T_co]):
    """An iterable of indices, or of lists of indices. Subclasses define `__iter__` and, where it is known, `__len__`.

    Examples:
        >>> class Backwards(data.Sampler):
        ...     def __init__(self, count):
        ...         self.count = count
        ...     def __iter__(self):
        ...         return iter(range(self.count - 1, -1, -1))
        ...     def __len__(self):
        ...         return self.count
        >>> list(data.DataLoader([10, 20, 30], sampler=Backwards(3)))
        [tensor([30]), tensor([20]), tensor([10])]
    """

    def __iter__(self) -> Iterator[T_co]:
        raise NotImplementedError(f"{type(self).__name__} does not define __iter__.")


class SequentialSampler(Sampler[int]):
    """0, 1, 2, ..., always in that order.

    Args:
        data_source: the dataset, for its length.

    Examples:
        >>> list(data.SequentialSampler("abc"))
        [0, 1, 2]
    """

    def __init__(self, data_source: Sized) -> None:
        self.data_source = data_source

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self.data_source)))

    def __len__(self) -> int:
        return len(self.data_source)


class RandomSampler(Sampler[int]):
    """A new random order for each pass. One seed gives one order, on every device and platform.

    Args:
        data_source: the dataset, for its length.
        replacement: draw with replacement: num_samples independent draws. Without, each pass is a permutation; several,
            one after the other, where num_samples exceeds the dataset's length.
        num_samples: how many indices in a pass; None for the dataset's length.
        generator: where the random numbers come from; None for the CPU's default generator.

    Raises:
        ValueError: num_samples is not a positive integer.

    Examples:
        >>> sorted(data.RandomSampler("abc"))
        [0, 1, 2]
    """

    def __init__(self, data_source: Sized, replacement: bool = False, num_samples: int | None = None,
                 generator: Generator | None = None) -> None:
        if num_samples is not None and (not isinstance(num_samples, int) or num_samples <= 0):
            raise ValueError(f"RandomSampler: num_samples must be a positive integer, not {num_samples!r}.")
        self.data_source = data_source
        self.replacement = replacement
        self._num_samples = num_samples
        self.generator = generator

    @property
    def num_samples(self) -> int:
        # Read at each use: the dataset may have grown.
        """How many indices there are in a pass."""
        return len(self.data_source) if self._num_samples is None else self._num_samples

    def __iter__(self) -> Iterator[int]:
        count, wanted = len(self.data_source), self.num_samples
        if count == 0:
            return
        if self.replacement:
            yield from randint(0, count, (wanted,), generator=self.generator, device="cpu").tolist()
            return
        # All permutations at once, so that what is drawn does not depend on how far a loop has come.
        passes = [randperm(count, generator=self.generator, device="cpu").tolist() for _ in range(-(-wanted // count))]
        yield from islice(chain.from_iterable(passes), wanted)

    def __len__(self) -> int:
        return self.num_samples


class SubsetRandomSampler(Sampler[int]):
    """The given indices, in a new random order for each pass.

    Args:
        indices: the indices.
        generator: where the random numbers come from; None for the CPU's default generator.

    Examples:
        >>> sorted(data.SubsetRandomSampler([5, 3, 8]))
        [3, 5, 8]
    """

    def __init__(self, indices: Sequence[int], generator: Generator | None = None) -> None:
        self.indices = indices
        self.generator = generator

    def __iter__(self) -> Iterator[int]:
        for position in randperm(len(self.indices), generator=self.generator, device="cpu").tolist():
            yield self.indices[position]

    def __len__(self) -> int:
        return len(self.indices)


class WeightedRandomSampler(Sampler[int]):
    """Indices drawn with given probabilities, as for classes of unequal size.

    Args:
        weights: for each index, a number in proportion to its probability.
        num_samples: how many indices in a pass.
        replacement: draw with replacement; without, an index comes at most once.
        generator: where the random numbers come from; None for the CPU's default generator.

    Raises:
        ValueError: num_samples is not a positive integer, replacement not a bool, or weights no list of numbers.

    Examples:
        >>> list(data.WeightedRandomSampler([0.0, 2.0, 0.0], 3))
        [1, 1, 1]
    """

    def __init__(self, weights: Sequence[float], num_samples: int, replacement: bool = True,
                 generator: Generator | None = None) -> None:
        if not isinstance(num_samples, int) or isinstance(num_samples, bool) or num_samples <= 0:
            raise ValueError(f"WeightedRandomSampler: num_samples must be a positive integer, not {num_samples!r}.")
        if not isinstance(replacement, bool):
            raise ValueError(f"WeightedRandomSampler: replacement must be True or False, not {replacement!r}.")
        self.weights = as_tensor(weights, dtype=float64, device="cpu")
        if self.weights.ndim != 1:
            raise ValueError("WeightedRandomSampler: weights must have one dimension, not shape "
                             f"{tuple(self.weights.shape)}.")
        self.num_samples = num_samples
        self.replacement = replacement
        self.generator = generator

    def __iter__(self) -> Iterator[int]:
        yield from multinomial(self.weights, self.num_samples, self.replacement, generator=self.generator).tolist()

    def __len__(self) -> int:
        return self.num_samples


class DistributedSampler(Sampler[int]):
    """The part of a dataset that one of several processes visits; all parts have the same length.

    Differs from PyTorch: without num_replicas there is one process, unless the environment variables WORLD_SIZE and
    RANK, which launchers such as torchrun set, say otherwise.

    Args:
        dataset: the dataset, for its length.
        num_replicas: how many processes there are.
        rank: number of this process, from 0.
        shuffle: visit the items in a random order, which is the same in all processes.
        seed: of that order; the same in all processes.
        drop_last: leave out the last items that not every process can get; else the first ones come again.

    Attributes:
        num_samples: indices in this process's part.
        total_size: indices in all parts.

    Raises:
        ValueError: rank is not below num_replicas.

    Examples:
        >>> [list(data.DistributedSampler(range(5), 2, rank, shuffle=False)) for rank in (0, 1)]
        [[0, 2, 4], [1, 3, 0]]
    """

    def __init__(self, dataset: Sized, num_replicas: int | None = None, rank: int | None = None, shuffle: bool = True,
                 seed: int = 0, drop_last: bool = False) -> None:
        num_replicas = int(os.environ.get("WORLD_SIZE", 1)) if num_replicas is None else num_replicas
        rank = int(os.environ.get("RANK", 0)) if rank is None else rank
        if not 0 <= rank < num_replicas:
            raise ValueError(f"DistributedSampler: rank must be from 0 to {num_replicas - 1}, not {rank}.")
        self.dataset = dataset
        self.num_replicas = num_replicas
        self.rank = rank
        self.epoch = 0
        self.drop_last = drop_last
        count = len(dataset)
        self.num_samples = count // num_replicas if drop_last else -(-count // num_replicas)
        self.total_size = self.num_samples * num_replicas
        self.shuffle = shuffle
        self.seed = seed

    def __iter__(self) -> Iterator[int]:
        indices = list(range(len(self.dataset)))
        if self.shuffle:
            generator = Generator().manual_seed(self.seed + self.epoch)
            indices = randperm(len(indices), generator=generator, device="cpu").tolist()
        all_indices = islice(cycle(indices), self.total_size)
        return islice(all_indices, self.rank, None, self.num_replicas)

    def __len__(self) -> int:
        return self.num_samples

    def set_epoch(self, epoch: int) -> None:
        """Sets the number of the pass, from which, with the seed, its order follows: call it before each pass.

        Args:
            epoch: number of the pass.
        """
        self.epoch = epoch


class BatchSampler(Sampler[list[int]]):
    """Lists of indices.

    Args:
        sampler: the indices.
        batch_size: how many in a list.
        drop_last: leave out a last list that is shorter.

    Raises:
        ValueError: batch_size is not a positive integer, or drop_last not a bool.

    Examples:
        >>> list(data.BatchSampler(range(5), batch_size=2, drop_last=False))
        [[0, 1], [2, 3], [4]]
    """

    def __init__(self, sampler: Sampler[int] | Iterable[int], batch_size: int, drop_last: bool) -> None:
        if not isinstance(batch_size, int) or isinstance(batch_size, bool) or batch_size <= 0:
            raise ValueError(f"BatchSampler: batch_size must be a positive integer, not {batch_size!r}.")
        if not isinstance(drop_last, bool):
            raise ValueError(f"BatchSampler: drop_last must be True or False, not {drop_last!r}.")
        self.sampler: Any = sampler
        self.batch_size = batch_size
        self.drop_last = drop_last

    def __iter__(self) -> Iterator[list[int]]:
        indices = iter(self.sampler)
        while batch := list(islice(indices, self.batch_size)):
            if len(batch) == self.batch_size or not self.drop_last:
                yield batch

    def __len__(self) -> int:
        whole, rest = divmod(len(self.sampler), self.batch_size)
        return whole + (1 if rest and not self.drop_last else 0)
