"""Samplers: the order in which a DataLoader visits a dataset."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence, Sized
from itertools import islice
from typing import Any, Generic, TypeVar

from gpunet.ops.random import randint, randperm
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
        while wanted > 0:
            yield from islice(randperm(count, generator=self.generator, device="cpu").tolist(), wanted)
            wanted -= count

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
