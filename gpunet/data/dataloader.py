"""The DataLoader: batches of a dataset, in order or shuffled."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Iterator
from itertools import islice, repeat
from typing import TYPE_CHECKING, Any, Generic

from gpunet.data.collate import default_collate, default_convert
from gpunet.data.dataset import Dataset, IterableDataset, T_co, gather_of
from gpunet.data.fetching import Ended, Fetcher, Start, StreamFetcher, Task
from gpunet.data.pinning import pin, pinning
from gpunet.data.sampler import BatchSampler, RandomSampler, Sampler, SequentialSampler
from gpunet.data.seeds import Streams, seed_of_pass
from gpunet.native import library
from gpunet.random import Generator

if TYPE_CHECKING:
    from gpunet.data.worker import Setup
    from gpunet.data.workers import Pool


class DataLoader(Generic[T_co]):
    """Iterates over a dataset in batches, which worker processes read ahead if there are any.

    The batches are the same for any number of workers: their order, and what random transforms draw, since the default
    generator has a stream of its own for each sample while it is read. An IterableDataset has a stream for each worker.
    As in PyTorch, the workers' Python and NumPy generators are seeded by worker.

    A TensorDataset (or a Subset of one) under default collation is gathered batch by batch with one indexing operation
    for each tensor, on the device where its tensors are; workers gain nothing there. Batches are copies: changing one
    leaves the dataset alone. Workers send large arrays through shared memory, which has no name and needs no /dev/shm.

    Args:
        dataset: anything with `__getitem__` and `__len__`, or an IterableDataset.
        batch_size: items in a batch; None for the items themselves.
        shuffle: visit the items in a new random order on each pass.
        sampler: an order of your own: indices; excludes shuffle.
        batch_sampler: lists of indices; excludes batch_size, shuffle, sampler and drop_last.
        num_workers: processes that read batches ahead; 0: the loop's process reads each when it is asked for.
        collate_fn: joins a list of items into a batch; None for `default_collate`.
        pin_memory: put the batches' CPU tensors into page-locked memory, from which copies to a GPU do not wait for the
            host; without effect where there is no GPU.
        drop_last: leave out a last batch that is shorter than the rest (of each worker's part of an IterableDataset).
        timeout: seconds to wait for a batch from the workers; 0 for no limit. A worker that dies is an error at once.
        worker_init_fn: a function of the worker's number, called in each worker after seeding.
        multiprocessing_context: how workers are started, "fork", "spawn" or "forkserver", or a context of
            multiprocessing; None for Python's default. After fork, a worker must not use a GPU that the loop's process
            already uses.
        generator: where the random order and the seed of each pass come from; None for the CPU's default generator.
        prefetch_factor: how many batches each worker reads ahead; None for 2.
        persistent_workers: keep the workers, and their copies of the dataset, for the next pass.
        pin_memory_device: accepted as in PyTorch, without effect.
        in_order: whether batches come in order, or as soon as some worker has one.

    Raises:
        ValueError: options that exclude each other, or that need workers.
        RuntimeError: in the loop: a worker died, or a batch took longer than timeout. What a worker raises, the loop
            raises, with the worker's number, traceback and sample.

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
        if num_workers < 0:
            raise ValueError(f"DataLoader: num_workers must not be negative, got {num_workers}.")
        if timeout < 0:
            raise ValueError(f"DataLoader: timeout must not be negative, got {timeout}.")
        if num_workers == 0:
            for name, given in (("multiprocessing_context", multiprocessing_context is not None),
                                ("prefetch_factor", prefetch_factor is not None),
                                ("persistent_workers", persistent_workers)):
                if given:
                    raise ValueError(f"DataLoader: {name} needs workers; pass num_workers > 0, or leave it out.")
        else:
            from gpunet.data.workers import context_of

            context_of(multiprocessing_context)  # for its checks
            prefetch_factor = 2 if prefetch_factor is None else prefetch_factor
            if prefetch_factor < 1:
                raise ValueError(f"DataLoader: prefetch_factor must be at least 1, got {prefetch_factor}.")
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
        self._pool: Pool | None = None  # of persistent workers

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
        return self.iterate()

    def iterate(self, skip: int = 0) -> Iterator[Any]:
        """A pass from which the first batches are left out, as training that was stopped goes on.

        The batches that follow are the same as in a whole pass from the same state of the generators. Those that are
        left out are not read, but for an IterableDataset, which has no indices. What samplers and workers draw from
        Python's and NumPy's own generators is not the same.

        Args:
            skip: how many batches to leave out.

        Returns:
            An iterator over the batches.

        Examples:
            >>> loader = data.DataLoader(data.TensorDataset(gpunet.arange(5)), batch_size=2)
            >>> for (x,) in loader.iterate(skip=1):
            ...     print(x)
            tensor([2, 3])
            tensor([4])
        """
        gathered = (not self._unbatched and self.collate_fn is default_collate
                    and gather_of(self.dataset) is not None)  # then nothing is drawn for the items
        seed = seed_of_pass(self.generator, draw=not gathered)
        finish = pin if self.pin_memory and pinning() else None
        order, start = self._order(), Start()
        if skip and order is not None:
            order = iter(order)
            for indices in islice(order, skip):  # now: drawing the order belongs to the beginning of the pass
                start = start.after(indices, not self._unbatched)
        if self.num_workers:
            batches = self._by_workers(seed, finish, order, start)
        else:
            batches = self._here(Streams(seed), order, start)
            batches = batches if finish is None else map(finish, batches)
        if skip and order is None:
            for _ in islice(batches, skip):
                pass
        return batches

    def _order(self) -> Iterable[Any] | None:
        return None if self._streams else self.sampler if self._unbatched else self.batch_sampler

    def _here(self, streams: Streams, order: Iterable[Any] | None, start: Start) -> Iterator[Any]:
        """The batches, each read when it is asked for."""
        if order is None:
            fetch = StreamFetcher(self.dataset, self.collate_fn, self.batch_size, self.drop_last, streams, 0)
            order = repeat(None)
        else:
            fetch = Fetcher(self.dataset, self.collate_fn, not self._unbatched, streams)
            if fetch.gather is not None:
                yield from map(fetch.gather, order)
                return
        at = start
        for indices in order:
            try:
                with streams.kept():
                    batch = fetch(Task(at.number, at.place, indices))
            except Ended:
                return
            at = at.after(indices, fetch.batched)
            yield batch

    def _by_workers(self, seed: int, finish: Callable[[Any], Any] | None, order: Iterable[Any] | None,
                    start: Start) -> Iterator[Any]:
        """The batches, which workers read ahead."""
        from gpunet.data.workers import Pool, WorkerIterator, context_of  # brings multiprocessing: 15 ms

        pool = self._pool
        if pool is None or pool.shut or not pool.ours:
            pool = Pool(context_of(self.multiprocessing_context),
                        [self._setup(number, seed) for number in range(self.num_workers)])
            if self.persistent_workers:
                self._pool = pool
                weakref.finalize(self, pool.shut_down)
        return WorkerIterator(pool, self.persistent_workers, seed, order, start, not self._unbatched,
                              self.prefetch_factor or 2, self.in_order, self.timeout, finish)

    def _setup(self, number: int, seed: int) -> Setup:
        from gpunet.data.worker import Setup

        return Setup(number, self.num_workers, seed, self.dataset, self.collate_fn, self._streams, not self._unbatched,
                     self.batch_size, self.drop_last, self.worker_init_fn,
                     numpy=library.loaded() is None and not library.possible())

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_pool": None}  # a copy starts workers of its own
