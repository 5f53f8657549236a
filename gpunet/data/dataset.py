"""Datasets: things that know their length and give the item at an index."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import accumulate
from math import floor, isclose
from typing import Any, Generic, TypeVar

import numpy as np

from gpunet.ops.creation import tensor
from gpunet.ops.random import randperm
from gpunet.random import Generator
from gpunet.tensor import Tensor

T_co = TypeVar("T_co", covariant=True)


class Dataset(Generic[T_co]):
    """A map from an index to an item. Subclasses define `__getitem__` and, for most uses, `__len__`. `a + b` joins two.

    A subclass may also define `__getitems__(indices)`, which reads a whole batch at once.

    Examples:
        >>> class Squares(data.Dataset):
        ...     def __getitem__(self, index):
        ...         return index**2
        ...     def __len__(self):
        ...         return 10
        >>> Squares()[3]
        9
    """

    def __getitem__(self, index: Any) -> T_co:
        raise NotImplementedError(f"{type(self).__name__} does not define __getitem__.")

    def __add__(self, other: Dataset[T_co]) -> ConcatDataset[T_co]:
        return ConcatDataset([self, other])


class IterableDataset(Dataset[T_co]):
    """A stream of items: subclasses define `__iter__`. A DataLoader over it cannot shuffle and takes no sampler.

    Examples:
        >>> class Countdown(data.IterableDataset):
        ...     def __iter__(self):
        ...         return iter([3, 2, 1])
        >>> list(data.DataLoader(Countdown(), batch_size=2))
        [tensor([3, 2]), tensor([1])]
    """

    def __iter__(self) -> Iterator[T_co]:
        raise NotImplementedError(f"{type(self).__name__} does not define __iter__.")

    def __add__(self, other: Dataset[T_co]) -> ChainDataset:  # type: ignore[override]
        return ChainDataset([self, other])


class TensorDataset(Dataset[tuple[Tensor, ...]]):
    """Tensors of one length: item i is the tuple of their i-th rows.

    Args:
        tensors: tensors [N, ...] with the same N, on any one device; batches are gathered there.

    Raises:
        ValueError: there is no tensor, or their first dimensions differ.

    Examples:
        >>> pairs = data.TensorDataset(gpunet.tensor([[1.0], [2.0]]), gpunet.tensor([0, 1]))
        >>> pairs[1]
        (tensor([2.]), tensor(1))
    """

    def __init__(self, *tensors: Tensor) -> None:
        if not tensors:
            raise ValueError("TensorDataset needs at least one tensor.")
        for position, each in enumerate(tensors):
            if each.ndim == 0:
                raise ValueError(f"TensorDataset: tensor {position} has no dimensions; each needs one row an item.")
        lengths = [each.shape[0] for each in tensors]
        if len(set(lengths)) > 1:
            raise ValueError(f"TensorDataset: the tensors differ in their first dimension: {lengths}.")
        self.tensors = tensors

    def __getitem__(self, index: Any) -> tuple[Tensor, ...]:
        return tuple(each[index] for each in self.tensors)

    def __len__(self) -> int:
        return self.tensors[0].shape[0]


class Subset(Dataset[T_co]):
    """The items of a dataset at some indices, in that order.

    Args:
        dataset: the dataset.
        indices: the indices.

    Examples:
        >>> list(data.Subset([10, 20, 30, 40], [2, 0]))
        [30, 10]
    """

    def __init__(self, dataset: Dataset[T_co], indices: Sequence[int]) -> None:
        self.dataset: Any = dataset
        self.indices = indices

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, list):
            return self.dataset[[self.indices[i] for i in index]]
        return self.dataset[self.indices[index]]

    def __getitems__(self, indices: list[int]) -> list[T_co]:
        chosen = [self.indices[i] for i in indices]
        read: Any = getattr(self.dataset, "__getitems__", None)
        if callable(read):
            return read(chosen)  # pyright: ignore[reportReturnType]
        return [self.dataset[i] for i in chosen]

    def __len__(self) -> int:
        return len(self.indices)


class ConcatDataset(Dataset[T_co]):
    """Several datasets, one after the other.

    Args:
        datasets: the datasets, each with a length.

    Attributes:
        cumulative_sizes: where each dataset ends.

    Raises:
        ValueError: there is no dataset.
        TypeError: one is an IterableDataset, which has no indices.

    Examples:
        >>> both = data.ConcatDataset([[10, 20], [30]])
        >>> len(both), both[2]
        (3, 30)
    """

    def __init__(self, datasets: Iterable[Dataset[T_co]]) -> None:
        self.datasets: list[Any] = list(datasets)
        if not self.datasets:
            raise ValueError("ConcatDataset needs at least one dataset.")
        if any(isinstance(each, IterableDataset) for each in self.datasets):
            raise TypeError("ConcatDataset does not take an IterableDataset: it has no indices.")
        self.cumulative_sizes = list(accumulate(len(each) for each in self.datasets))

    def __getitem__(self, index: int) -> T_co:
        position = index + len(self) if index < 0 else index
        if not 0 <= position < len(self):
            raise IndexError(f"ConcatDataset: index {index} is outside a length of {len(self)}.")
        which = bisect_right(self.cumulative_sizes, position)
        start = self.cumulative_sizes[which - 1] if which else 0
        return self.datasets[which][position - start]

    def __len__(self) -> int:
        return self.cumulative_sizes[-1]


class ChainDataset(IterableDataset):
    """Several streams, one after the other.

    Args:
        datasets: the streams.

    Examples:
        >>> class Count(data.IterableDataset):
        ...     def __iter__(self):
        ...         return iter([1, 2])
        >>> list(data.ChainDataset([Count(), Count()]))
        [1, 2, 1, 2]
    """

    def __init__(self, datasets: Iterable[Dataset]) -> None:
        super().__init__()
        self.datasets = datasets

    def __iter__(self) -> Iterator[Any]:
        for each in self.datasets:
            if not isinstance(each, IterableDataset):
                raise TypeError(f"ChainDataset takes IterableDatasets, not {type(each).__name__}; ConcatDataset takes "
                                "datasets with indices.")
            yield from each

    def __len__(self) -> int:
        return sum(len(each) for each in self.datasets)  # pyright: ignore[reportArgumentType]


class StackDataset(Dataset):
    """Several datasets of one length side by side: item i is the tuple, or the dict, of their items i.

    Args:
        args: the datasets; items are tuples.
        kwargs: the datasets by name; items are dicts.

    Raises:
        ValueError: there are no datasets, some with a name and some without, or of unequal length.

    Examples:
        >>> data.StackDataset([1, 2], ["one", "two"])[1]
        (2, 'two')
        >>> data.StackDataset(number=[1, 2], word=["one", "two"])[0]
        {'number': 1, 'word': 'one'}
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if args and kwargs:
            raise ValueError("StackDataset takes datasets either by position or by name, not both.")
        if not args and not kwargs:
            raise ValueError("StackDataset needs at least one dataset.")
        self.datasets: Any = args or kwargs
        lengths = [len(each) for each in self._all()]
        if len(set(lengths)) > 1:
            raise ValueError(f"StackDataset: the datasets differ in length: {lengths}.")
        self._length = lengths[0]

    def _all(self) -> list[Any]:
        return list(self.datasets.values() if isinstance(self.datasets, dict) else self.datasets)

    def _joined(self, items: Iterable[Any]) -> Any:
        return dict(zip(self.datasets, items, strict=True)) if isinstance(self.datasets, dict) else tuple(items)

    def __getitem__(self, index: int) -> Any:
        return self._joined(each[index] for each in self._all())

    def __getitems__(self, indices: list[int]) -> list[Any]:
        columns = []
        for each in self._all():
            if callable(read := getattr(each, "__getitems__", None)):
                columns.append(read(indices))
                if len(columns[-1]) != len(indices):
                    raise ValueError(f"StackDataset: __getitems__ of {type(each).__name__} gave {len(columns[-1])} "
                                     f"items for {len(indices)} indices.")
            else:
                columns.append([each[i] for i in indices])
        return [self._joined(items) for items in zip(*columns, strict=True)]

    def __len__(self) -> int:
        return self._length


def random_split(dataset: Dataset[T_co], lengths: Sequence[int | float],
                 generator: Generator | None = None) -> list[Subset[T_co]]:
    """Splits a dataset at random into parts that do not overlap.

    One seed gives one split, on every device and platform.

    Args:
        dataset: the dataset.
        lengths: numbers of items that add up to the dataset's length; or fractions that add up to 1, where each part
            gets `floor(fraction * len(dataset))` items and the parts share out what is left over, from the first on.
        generator: where the random numbers come from; None for the CPU's default generator.

    Returns:
        The parts.

    Raises:
        ValueError: lengths that do not fit.

    Examples:
        >>> train, test = data.random_split(range(10), [0.8, 0.2], generator=gpunet.Generator().manual_seed(0))
        >>> len(train), len(test)
        (8, 2)
        >>> sorted([*train, *test])
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
    """
    total = len(dataset)  # pyright: ignore[reportArgumentType]
    if isclose(sum(lengths), 1) and sum(lengths) <= 1 + 1e-9:
        for position, fraction in enumerate(lengths):
            if not 0 <= fraction <= 1:
                raise ValueError(f"random_split: the fraction at position {position} is {fraction}, not within 0 to 1.")
        counts = [floor(total * fraction) for fraction in lengths]
        for position in range(total - sum(counts)):
            counts[position % len(counts)] += 1
    else:
        counts = [int(length) for length in lengths]
        if any(count != length or count < 0 for count, length in zip(counts, lengths, strict=True)):
            raise ValueError(f"random_split: {list(lengths)} are neither counts nor fractions that add up to 1.")
        if sum(counts) != total:
            raise ValueError(
                f"random_split: the lengths add up to {sum(counts)}, but the dataset has {total} items; "
                "give counts that add up to it, or fractions that add up to 1."
            )
    order = randperm(sum(counts), generator=generator, device="cpu").tolist()
    ends = list(accumulate(counts))
    return [Subset(dataset, order[end - count : end]) for end, count in zip(ends, counts, strict=True)]


def reads_many(dataset: Any) -> bool:
    """Whether a dataset reads many items at once by a way of its own, `__getitems__`. A subclass of Subset or
    StackDataset with its own `__getitem__` is asked item by item."""
    kind = type(dataset)
    if isinstance(dataset, Subset) and kind.__getitems__ is Subset.__getitems__:
        return kind.__getitem__ is Subset.__getitem__ and reads_many(dataset.dataset)
    if isinstance(dataset, StackDataset) and kind.__getitems__ is StackDataset.__getitems__:
        return kind.__getitem__ is StackDataset.__getitem__ and any(map(reads_many, dataset._all()))
    return callable(getattr(dataset, "__getitems__", None))


def gather_of(dataset: Any) -> Callable[[list[int]], list[Tensor]] | None:
    """How to take a whole batch of `dataset` by one indexing operation a tensor; None where there is no such way.

    The result is what stacking the single items gives. A subclass with its own `__getitem__` is asked item by item.
    """
    if isinstance(dataset, TensorDataset) and type(dataset).__getitem__ is TensorDataset.__getitem__:
        tensors = dataset.tensors

        def gather(indices: list[int]) -> list[Tensor]:
            index = tensor(np.array(indices), device=tensors[0].device)
            return [each[index] for each in tensors]

        return gather
    if isinstance(dataset, Subset) and type(dataset).__getitem__ is Subset.__getitem__:
        inner, chosen = gather_of(dataset.dataset), dataset.indices
        if inner is not None:
            return lambda indices: inner([chosen[i] for i in indices])
    return None
