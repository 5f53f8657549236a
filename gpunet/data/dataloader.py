"""The DataLoader: batches of a dataset, in order or shuffled."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any, Generic

from gpunet.data.collate import default_collate, default_convert
from gpunet.data.dataset import Dataset, IterableDataset, T_co, gather_of
from gpunet.data.sampler import BatchSampler, RandomSampler, Sampler, SequentialSampler
from gpunet.random import Generator


class DataLoader(Generic[T_co]):
    """Iterates over a dataset in batches.

    A TensorDataset (or a Subset of one) under default collation is gathered batch by batch with one indexing operation
    for each tensor, on the device where its tensors are. Batches are copies: changing one leaves the dataset alone.

    Differs from PyTorch: items are read where the loop runs, so the options of worker processes have no effect.

    Args:
        dataset: anything with `__getitem__` and `__len__`, or an IterableDataset.
        batch_size: items in a batch; None for the items themselves.
        shuffle: visit the items in a new random order on each pass.
        sampler: an order of your own: indices; excludes shuffle.
        batch_sampler: lists of indices; excludes batch_size, shuffle, sampler and drop_last.
        num_workers: must be 0.
        collate_fn: joins a list of items into a batch; None for `default_collate`.
        pin_memory: accepted as in PyTorch, without effect.
        drop_last: leave out a last batch that is shorter than the rest.
        timeout: accepted as in PyTorch, without effect; not negative.
        worker_init_fn: accepted as in PyTorch, without effect.
        multiprocessing_context: must be None: it needs workers.
        generator: where the random order comes from; None for the CPU's default generator.
        prefetch_factor: must be None: it needs workers.
        persistent_workers: must be False: it needs workers.
        pin_memory_device: accepted as in PyTorch, without effect.
        in_order: accepted as in PyTorch, without effect: batches always come in order.

    Raises:
        ValueError: options that exclude each other, or that need workers.

    Examples:
        >>> loader = data.DataLoader(data.TensorDataset(gpunet.arange(5)), batch_size=2)
        >>> for (x,) in loader:
        ...     print(x)
        tensor([0, 1])
        tensor([2, 3])
        tensor([4])
        >>> len(loader)
        3
    """

    def __init__(
        self,
        dataset: Dataset[T_co],
        batch_size: int | None = 1,
        shuffle: bool | None = None,
        sampler: Sampler[Any] | Iterable[Any] | None = None,
        batch_sampler: Sampler[list[Any]] | Iterable[list[Any]] | None = None,
        num_workers: int = 0,
        collate_fn: Callable[[list[Any]], Any] | None = None,
        pin_memory: bool = False,
        drop_last: bool = False,
        timeout: float = 0,
        worker_init_fn: Callable[[int], Any] | None = None,
        multiprocessing_context: Any = None,
        generator: Generator | None = None,
        *,
        prefetch_factor: int | None = None,
        persistent_workers: bool = False,
        pin_memory_device: str = "",
        in_order: bool = True,
    ) -> None:
        if num_workers != 0:
            raise ValueError(f"DataLoader: num_workers={num_workers} is not supported; pass num_workers=0.")
        if timeout < 0:
            raise ValueError(f"DataLoader: timeout must not be negative, got {timeout}.")
        for name, given in (("multiprocessing_context", multiprocessing_context is not None),
                            ("prefetch_factor", prefetch_factor is not None),
                            ("persistent_workers", persistent_workers)):
            if given:
                raise ValueError(f"DataLoader: {name} needs num_workers > 0, which is not supported; leave it out.")
        self._streams = isinstance(dataset, IterableDataset)
        if self._streams and (shuffle or sampler is not None or batch_sampler is not None):
            raise ValueError("DataLoader: an IterableDataset has no indices: no shuffle, sampler or batch_sampler.")
        if sampler is not None and shuffle:
            raise ValueError("DataLoader: sampler and shuffle exclude each other.")
        if batch_sampler is not None and (batch_size != 1 or shuffle or sampler is not None or drop_last):
            raise ValueError("DataLoader: batch_sampler excludes batch_size, shuffle, sampler and drop_last.")
        if batch_size is None and batch_sampler is None and drop_last:
            raise ValueError("DataLoader: drop_last needs a batch_size.")

        self.dataset: Any = dataset
        self.generator = generator
        self.num_workers = num_workers
        self.pin_memory = pin_memory
        self.drop_last = drop_last
        self.batch_size = None if batch_sampler is not None else batch_size
        self.timeout = timeout
        self.worker_init_fn = worker_init_fn
        self.multiprocessing_context = multiprocessing_context
        self.prefetch_factor = prefetch_factor
        self.persistent_workers = persistent_workers
        self.pin_memory_device = pin_memory_device
        self.in_order = in_order
        self.sampler: Any = sampler
        self.batch_sampler: Any = batch_sampler
        if not self._streams:
            if self.sampler is None:
                self.sampler = (RandomSampler(self.dataset, generator=generator) if shuffle
                                else SequentialSampler(self.dataset))
            if self.batch_sampler is None and batch_size is not None:
                self.batch_sampler = BatchSampler(self.sampler, batch_size, drop_last)
        elif batch_size is not None:
            BatchSampler((), batch_size, drop_last)  # for its checks
        self.collate_fn = collate_fn or (default_convert if self._unbatched else default_collate)

    @property
    def _unbatched(self) -> bool:
        return self.batch_size is None and self.batch_sampler is None

    def __len__(self) -> int:
        """Batches in one pass."""
        if self._streams:
            count = len(self.dataset)  # TypeError where the stream does not know its length
            if self.batch_size is None:
                return count
            return len(BatchSampler(range(count), self.batch_size, self.drop_last))
        return len(self.sampler if self._unbatched else self.batch_sampler)

    def __iter__(self) -> Iterator[Any]:
        if self._streams:
            return self._stream()
        if self._unbatched:
            return (self.collate_fn(self.dataset[index]) for index in self.sampler)
        fetch = self._fetcher()
        return (fetch(indices) for indices in self.batch_sampler)

    def _fetcher(self) -> Callable[[list[int]], Any]:
        """The function from a list of indices to a batch; chosen once a pass, not once a batch."""
        dataset, collate = self.dataset, self.collate_fn
        if collate is default_collate and (gather := gather_of(dataset)) is not None:
            return gather
        if hasattr(dataset, "__getitems__"):  # PyTorch's protocol for datasets that read many items at once
            return lambda indices: collate(dataset.__getitems__(indices))
        return lambda indices: collate([dataset[index] for index in indices])

    def _stream(self) -> Iterator[Any]:
        items = iter(self.dataset)
        if self.batch_size is None:
            yield from map(self.collate_fn, items)
            return
        while batch := list(islice(items, self.batch_size)):
            if len(batch) == self.batch_size or not self.drop_last:
                yield self.collate_fn(batch)
