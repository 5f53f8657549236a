"""What runs in a worker process of a DataLoader."""

from __future__ import annotations

import os
import pickle
import select
import signal
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from gpunet.data import shared_memory, worker_info
from gpunet.data.fetching import Ended, Fetcher, Stopped, StreamFetcher, Task
from gpunet.data.seeds import Streams, seed_worker
from gpunet.data.worker_info import WorkerInfo
from gpunet.native import library, set_num_threads

PATIENCE = 5.0  # seconds that a worker has to finish its sample after the loop has gone


@dataclass(frozen=True)
class Setup:
    """What a worker gets when it is started. batch_size, drop_last: for a stream; batched: for the rest. numpy: NumPy
    serves in the loop's process, so that it must here."""

    id: int
    num_workers: int
    seed: int
    dataset: Any
    collate: Callable[[Any], Any]
    streams: bool
    batched: bool
    batch_size: int | None
    drop_last: bool
    init: Callable[[int], Any] | None
    numpy: bool = False


@dataclass(frozen=True)
class Pass:
    """Announces a new pass over the dataset: tasks of older ones need no answer."""

    number: int
    seed: int


@dataclass(frozen=True)
class Answer:
    """A worker's answer to a task. kind: "batch", "end" (of a stream) or "error"."""

    pass_number: int
    number: int
    kind: str
    content: Any


@dataclass(frozen=True)
class Failure:
    """An exception of a worker. type: pickled; None where that is impossible."""

    type: bytes | None
    name: str
    traceback: str
    reading: list[Any] | None


def failure(error: BaseException, reading: list[Any] | None) -> Failure:
    """An exception, ready to be sent."""
    try:
        kind = pickle.dumps(type(error))
    except Exception:  # a class that is defined inside a function
        kind = None
    text = "".join(traceback.format_exception(error))
    return Failure(kind, type(error).__name__, text, reading)


def run(connection: Connection, setup: Setup) -> None:
    """Answers tasks until the other end of the connection is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the loop's process decides
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    if setup.numpy:
        library.refrain("NumPy serves in the process of the DataLoader")
    set_num_threads(1)  # the workers themselves are what runs side by side
    worker = _Worker(connection, setup)
    threading.Thread(target=worker.watch, daemon=True).start()
    seed = seed_worker(setup.seed, setup.id)
    worker_info.current = WorkerInfo(setup.id, setup.num_workers, seed, setup.dataset)
    try:
        if setup.init is not None:
            setup.init(setup.id)
    except Exception as error:
        worker.broken = failure(error, None)
    try:
        worker.answer_all()
    except (EOFError, ConnectionError, Stopped):  # the loop's process has closed its end, or is gone
        pass


class _Worker:
    def __init__(self, connection: Connection, setup: Setup) -> None:
        self.connection, self.setup = connection, setup
        self.sender = shared_memory.Sender(connection)
        self.broken: Failure | None = None
        self.fetcher: Fetcher | None = None
        self.stopped = False

    def watch(self) -> None:
        """Waits, in a thread, for the other end to be closed; the process then finishes its sample, or is ended."""
        poll = select.poll()
        poll.register(self.connection.fileno(), 0)  # only hanging up is reported
        poll.poll()
        self.stopped = True
        if self.fetcher is not None:
            self.fetcher.stopped = True
        time.sleep(PATIENCE)
        os._exit(1)

    def answer_all(self) -> None:
        """Tasks, until EOFError."""
        waiting: list[Any] = []
        current = -1
        while True:
            while not waiting or self.connection.poll():
                returned, message = shared_memory.receive(self.connection)
                self.sender.take_back(returned)
                if isinstance(message, Pass):
                    waiting, current = [], message.number
                    self.begin(message)
                else:
                    waiting.append(message)
            self.answer(current, waiting.pop(0))

    def begin(self, new: Pass) -> None:
        setup = self.setup
        try:
            if setup.streams:
                self.fetcher = StreamFetcher(setup.dataset, setup.collate, setup.batch_size, setup.drop_last,
                                             Streams(new.seed), setup.id)
            else:
                self.fetcher = Fetcher(setup.dataset, setup.collate, setup.batched, Streams(new.seed))
        except Exception as error:
            self.broken = failure(error, None)
            return
        self.fetcher.stopped = self.stopped

    def answer(self, current: int, task: Task) -> None:
        try:
            self.sender.send(Answer(current, task.number, *self.read(task)))
        except (ConnectionError, Stopped):
            raise
        except Exception as error:  # a batch that cannot be pickled
            self.sender.send(Answer(current, task.number, "error", failure(error, None)))

    def read(self, task: Task) -> tuple[str, Any]:
        """The kind and content of the answer."""
        if self.broken is not None:
            return "error", self.broken
        assert self.fetcher is not None
        try:
            return "batch", self.fetcher(task)
        except Ended:
            return "end", None
        except Exception as error:
            return "error", failure(error, self.fetcher.reading)
