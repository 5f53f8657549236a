"""Datasets: things that know their length and give the item at an index."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import accumulate
from math import floor, isclose
from typing import Any

import numpy as np

from gpunet.ops.creation import tensor
from gpunet.ops.random import randperm
from gpunet.random import Generator
from gpunet.tensor import Tensor


class Dataset:
    """A map from an index to an item. Subclasses define `__getitem__` and, for most uses, `__len__`."""

    def __getitem__(self, index: int) -> Any:
        raise NotImplementedError(f"{type(self).__name__} does not define __getitem__.")

    def __add__(self, other: Dataset) -> ConcatDataset:
        return ConcatDataset([self, other])


class IterableDataset(Dataset):
    """A stream of items: subclasses define `__iter__`. A DataLoader over it cannot shuffle and takes no sampler."""

    def __iter__(self) -> Iterator[Any]:
        raise NotImplementedError(f"{type(self).__name__} does not define __iter__.")


class TensorDataset(Dataset):
    """Tensors of one length: item `i` is the tuple of their `i`-th rows.

    Tensors may live on any one device; batches are gathered there.
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


class Subset(Dataset):
    """The items of `dataset` at `indices`, in that order."""

    def __init__(self, dataset: Dataset, indices: Sequence[int]) -> None:
        self.dataset = dataset
        self.indices = indices

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, list):
            return self.dataset[[self.indices[i] for i in index]]
        return self.dataset[self.indices[index]]

    def __len__(self) -> int:
        return len(self.indices)


class ConcatDataset(Dataset):
    """Several datasets, one after the other."""

    def __init__(self, datasets: Iterable[Dataset]) -> None:
        self.datasets = list(datasets)
        if not self.datasets:
            raise ValueError("ConcatDataset needs at least one dataset.")
        if any(isinstance(each, IterableDataset) for each in self.datasets):
            raise TypeError("ConcatDataset does not take an IterableDataset: it has no indices.")
        self.cumulative_sizes = list(accumulate(len(each) for each in self.datasets))

    def __getitem__(self, index: int) -> Any:
        position = index + len(self) if index < 0 else index
        if not 0 <= position < len(self):
            raise IndexError(f"ConcatDataset: index {index} is outside a length of {len(self)}.")
        which = bisect_right(self.cumulative_sizes, position)
        start = self.cumulative_sizes[which - 1] if which else 0
        return self.datasets[which][position - start]

    def __len__(self) -> int:
        return self.cumulative_sizes[-1]


def random_split(
    dataset: Dataset, lengths: Sequence[int | float], generator: Generator | None = None
) -> list[Subset]:
    """Split `dataset` at random into parts that do not overlap.

    `lengths` are either item counts that add up to the dataset's length, or fractions that add up to 1; with
    fractions each part gets `floor(fraction * len(dataset))` items and what is left over goes one each to the
    parts from the first on. The same generator state gives the same split on every device and platform.
    """
    total = len(dataset)
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


def gather_of(dataset: Dataset) -> Callable[[list[int]], list[Tensor]] | None:
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
