"""Reading batches of a dataset, in the loop's process or in a worker."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, NamedTuple

from gpunet.data.collate import default_collate
from gpunet.data.dataset import gather_of, reads_many
from gpunet.data.seeds import Streams


class Task(NamedTuple):
    """A batch to read.

    number: of the batch in its pass. place: how many samples come before it. indices: of its samples; the index of the
    only one where there are no batches; None for a stream.
    """

    number: int
    place: int
    indices: Any


class Start(NamedTuple):
    """Where a pass begins, or is: the number of the next batch, and how many samples come before it."""

    number: int = 0
    place: int = 0

    def after(self, indices: Any, batched: bool) -> Start:
        """Where the pass is after a batch."""
        return Start(self.number + 1, self.place + (len(indices) if batched and indices is not None else 1))


class Ended(Exception):
    """The stream has no more batches."""


class Stopped(BaseException):
    """Nobody waits for the batch any more."""


class Fetcher:
    """Reads batches.

    Attributes:
        reading: the index of the sample that is being read, in a list; None between samples.
        stopped: set by another thread where the next sample need not be read.
    """

    def __init__(self, dataset: Any, collate: Callable[[Any], Any], batched: bool, streams: Streams) -> None:
        self.dataset, self.collate, self.batched, self.streams = dataset, collate, batched, streams
        self.reading: list[Any] | None = None
        self.stopped = False
        self.gather = gather_of(dataset) if batched and collate is default_collate else None
        self._many = batched and reads_many(dataset)

    def __call__(self, task: Task) -> Any:
        """The batch, as `collate` joins it. Raises Ended after the last one of a stream."""
        if self.gather is not None:
            return self.gather(task.indices)
        if not self.batched:
            item = self.read(task.indices, task.place)
        elif self._many:
            self.streams.enter_batch(task.number)
            item = self.dataset.__getitems__(task.indices)
        else:
            item = [self.read(index, place) for place, index in enumerate(task.indices, task.place)]
        return self.joined(item, task)

    def read(self, index: Any, place: int) -> Any:
        """A sample."""
        if self.stopped:
            raise Stopped
        self.reading = [index]
        self.streams.enter(index, place)
        item = self.dataset[index]
        self.reading = None
        return item

    def joined(self, item: Any, task: Task) -> Any:
        """What `collate` makes of the samples."""
        self.streams.enter_batch(task.number)
        return self.collate(item)


class StreamFetcher(Fetcher):
    """Reads the batches of an IterableDataset, in their order.

    size: samples in a batch; None for no batches. part: which of the streams of all workers this is.
    """

    def __init__(self, dataset: Any, collate: Callable[[Any], Any], size: int | None, drop_last: bool,
                 streams: Streams, part: int) -> None:
        super().__init__(dataset, collate, size is not None, streams)
        self._size, self._drop_last, self._part = size, drop_last, part
        self._items, self._count = self._all(), 0

    def _all(self) -> Iterator[Any]:
        self.streams.enter(self._part, 0)
        items = iter(self.dataset)
        while True:
            if self.stopped:
                raise Stopped
            self.streams.enter(self._part, self._count)
            self._count += 1
            try:
                item = next(items)
            except StopIteration:
                return
            yield item

    def __call__(self, task: Task) -> Any:
        if self._size is None:
            for item in self._items:
                return self.joined(item, task)
            raise Ended
        batch = list(islice(self._items, self._size))
        if not batch or len(batch) < self._size and self._drop_last:
            raise Ended
        return self.joined(batch, task)
