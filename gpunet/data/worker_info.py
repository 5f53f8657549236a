"""What a worker process of a DataLoader knows about itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class WorkerInfo:
    """What `get_worker_info` gives in a worker process.

    Args:
        id: the worker's number, from 0.
        num_workers: how many workers there are.
        seed: seed of this worker's generators: that of the pass in which it was started, plus its number.
        dataset: this process's copy of the dataset.

    Examples:
        >>> data.get_worker_info() is None
        True
    """

    id: int
    num_workers: int
    seed: int
    dataset: Any


current: WorkerInfo | None = None  # of this process; set where a worker starts


def get_worker_info() -> WorkerInfo | None:
    """About the worker process of a DataLoader that calls this: its number, how many there are, its seed and dataset.

    An IterableDataset uses it to give each worker another part of the stream.

    Returns:
        The WorkerInfo; None where no worker process calls it.

    Examples:
        >>> class Numbers(data.IterableDataset):
        ...     def __iter__(self):
        ...         worker = data.get_worker_info()
        ...         first, step = (worker.id, worker.num_workers) if worker else (0, 1)
        ...         return iter(range(first, 6, step))
        >>> sorted(int(x) for x in data.DataLoader(Numbers(), batch_size=None, num_workers=0))
        [0, 1, 2, 3, 4, 5]
    """
    return current
