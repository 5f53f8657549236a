"""The worker processes of a DataLoader, seen from the loop that uses their batches."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import time
import weakref
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import cycle
from multiprocessing.connection import Connection, wait
from multiprocessing.context import BaseContext
from typing import Any

from gpunet.data import shared_memory
from gpunet.data.fetching import Start, Task
from gpunet.data.worker import PATIENCE, Answer, Failure, Pass, Setup, run

_ends: weakref.WeakSet[Connection] = weakref.WeakSet()  # this process's ends of all connections to workers


def _close_in_child() -> None:
    """A forked process must not hold these ends: a worker learns that its loop is gone from their being closed."""
    for end in list(_ends):
        if not end.closed:
            end.close()
    _ends.clear()


os.register_at_fork(after_in_child=_close_in_child)


@dataclass(eq=False)
class Worker:
    """A worker process. given: the tasks that it has not answered, by number, in order. ended: its stream is over."""

    id: int
    process: Any
    connection: Connection
    receiver: shared_memory.Receiver
    given: dict[int, Task] = field(default_factory=dict)
    ended: bool = False
    dead: bool = False


class Pool:
    """Worker processes, from the first pass that needs them to `shut_down`."""

    def __init__(self, context: Any, setups: Iterable[Setup]) -> None:
        self.workers: list[Worker] = []
        self.pass_number = -1
        self.shut = False
        self._owner = os.getpid()
        # Until a worker ignores Ctrl-C it must not see it: the mask is inherited.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            for setup in setups:
                self._start(context, setup)
        except BaseException:
            self.shut_down(0)
            raise
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    @property
    def ours(self) -> bool:
        """Whether this process started the workers, rather than the one from which it was forked."""
        return os.getpid() == self._owner

    def _start(self, context: Any, setup: Setup) -> None:
        ours, theirs = context.Pipe(duplex=True)
        _ends.add(ours)
        process = context.Process(target=run, args=(theirs, setup), daemon=True,
                                  name=f"DataLoader worker {setup.id}")
        try:
            process.start()
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            ours.close()
            raise RuntimeError(
                f"DataLoader: the dataset, collate_fn or worker_init_fn cannot be sent to a worker process ({error}); "
                "define it at the top level of a module, or pass multiprocessing_context='fork'."
            ) from error
        finally:
            theirs.close()
        self.workers.append(Worker(setup.id, process, ours, shared_memory.Receiver(ours)))

    def begin(self, seed: int) -> int:
        """Begins a pass and returns its number."""
        self.pass_number += 1
        for worker in self.workers:
            worker.given, worker.ended = {}, False
            self._send(worker, Pass(self.pass_number, seed))
        return self.pass_number

    def give(self, worker: Worker, task: Task) -> None:
        """Sends a task."""
        worker.given[task.number] = task
        self._send(worker, task)

    def _send(self, worker: Worker, message: Any) -> None:
        if worker.dead:
            return
        try:
            returned = worker.receiver.returned
            count = len(returned)  # more may come meanwhile
            shared_memory.send(worker.connection, (returned[:count], message))
            del returned[:count]
        except ConnectionError:  # found again, and told, when its answer is waited for
            pass

    def answers(self, timeout: float | None) -> list[tuple[Worker, Answer]]:
        """Answers of the current pass, after waiting for one at most `timeout` seconds. Notes which workers are dead.
        """
        alive = {worker.connection: worker for worker in self.workers if not worker.dead}
        found = []
        for connection in wait(list(alive), timeout):
            worker = alive[connection]  # pyright: ignore[reportArgumentType]
            try:
                answer = worker.receiver.receive()
            except (EOFError, ConnectionError):
                worker.dead = True
                continue
            if answer.pass_number == self.pass_number:
                worker.given.pop(answer.number, None)
                found.append((worker, answer))
        return found

    def shut_down(self, patience: float = PATIENCE) -> None:
        """Ends the workers: each may finish its sample, for so many seconds."""
        if self.shut or not self.ours:
            return
        self.shut = True
        for worker in self.workers:
            worker.connection.close()
        until = time.monotonic() + patience
        for end in (lambda process: None, lambda process: process.terminate(), lambda process: process.kill()):
            for worker in self.workers:
                end(worker.process)
            for worker in self.workers:
                worker.process.join(max(0.0, until - time.monotonic()))
            until = time.monotonic() + 1
        for worker in self.workers:
            if worker.process.exitcode is not None:
                worker.process.close()


class WorkerIterator(Iterator[Any]):
    """A pass over a dataset by worker processes.

    Args:
        pool: the workers; shut down after the pass, or when this iterator is dropped, unless `keep`.
        seed: of the pass.
        order: the indices of each batch, or of each sample where there are no batches; None for a stream.
        start: where the pass begins.
        batched: whether each element of `order` is a list.
        prefetch: how many tasks a worker has at most.
        in_order: whether batches come in the order of `order`, or as they are ready.
        timeout: seconds to wait for a batch; 0 for no limit.
        finish: what is done to each batch here.
    """

    def __init__(self, pool: Pool, keep: bool, seed: int, order: Iterable[Any] | None, start: Start, batched: bool,
                 prefetch: int, in_order: bool, timeout: float, finish: Callable[[Any], Any] | None) -> None:
        self._pool, self._keep = pool, keep
        self._batched, self._prefetch, self._in_order = batched, prefetch, in_order
        self._timeout, self._finish = timeout, finish
        self._order = None if order is None else iter(order)
        self._next_task = start
        self._taken = start.number  # tasks taken
        self._arrived: dict[int, Answer] = {}
        self._by: dict[int, Worker] = {}  # who has, or had, the tasks that are not taken
        self._turns = cycle(pool.workers)
        if not keep:
            weakref.finalize(self, pool.shut_down)
        self._pass = pool.begin(seed)
        for _ in range(prefetch * len(pool.workers)):
            self._give()

    def __iter__(self) -> WorkerIterator:
        return self

    def __next__(self) -> Any:
        if self._pool.shut:
            raise StopIteration
        if self._pass != self._pool.pass_number:
            raise RuntimeError("DataLoader: another pass with the same persistent workers has begun; this one is over.")
        try:
            return self._next()
        except (KeyboardInterrupt, SystemExit):
            self._pool.shut_down(0)
            raise

    def _next(self) -> Any:
        while self._by:
            number = self._taken if self._in_order else next(iter(self._arrived), None)
            while number not in self._arrived:
                self._wait(number)
                if number is None:
                    number = next(iter(self._arrived), None)
            answer, worker = self._arrived.pop(number), self._by.pop(number)
            self._taken += 1
            if answer.kind == "end":
                worker.ended = True
            self._give()
            if answer.kind == "error":
                raise self._failed(worker, answer.content)
            if answer.kind == "batch":
                return answer.content if self._finish is None else self._finish(answer.content)
        if not self._keep:
            self._pool.shut_down()
        raise StopIteration

    def _give(self) -> None:
        """Gives the next task to the worker whose turn it is."""
        for _ in range(len(self._pool.workers)):
            worker = next(self._turns)
            if not worker.ended and (self._in_order or len(worker.given) < self._prefetch):
                break
        else:
            return
        indices = None
        if self._order is not None:
            try:
                indices = next(self._order)
            except StopIteration:
                return
        number, place = self._next_task
        self._next_task = self._next_task.after(indices, self._batched)
        self._by[number] = worker
        self._collect(0)  # so that a worker never waits for us to read while we wait for it
        self._pool.give(worker, Task(number, place, indices))

    def _collect(self, timeout: float | None) -> bool:
        answers = self._pool.answers(timeout)
        for _, answer in answers:
            self._arrived[answer.number] = answer
        return bool(answers)

    def _wait(self, number: int | None) -> None:
        """Waits for a task's answer, or for any."""
        until = time.monotonic() + self._timeout if self._timeout else None
        while number not in self._arrived if number is not None else not self._arrived:
            late = until is not None and time.monotonic() > until
            waited_for = [self._by[number]] if number is not None else list(self._by.values())
            for worker in waited_for:
                if worker.dead:
                    error = self._died(worker)
                    self._pool.shut_down()
                    raise error
            if late:
                worker = waited_for[0]
                error = RuntimeError(
                    f"DataLoader timed out after {self._timeout:g} seconds: worker {worker.id} (pid "
                    f"{worker.process.pid}) still reads {_samples(worker)}; look what it waits for, or raise timeout."
                )
                self._pool.shut_down(0)
                raise error
            self._collect(None if until is None else max(0.0, until - time.monotonic()))

    def _died(self, worker: Worker) -> RuntimeError:
        process = worker.process
        process.join(PATIENCE)
        code = process.exitcode
        where = f"DataLoader: worker {worker.id} (pid {process.pid})"
        if code is not None and code < 0:
            name = signal.Signals(-code).name
            hint = {"SIGKILL": "; the system does that when memory runs out: use fewer workers or smaller batches",
                    "SIGSEGV": "; a library that it calls has crashed: num_workers=0 shows where"}.get(name, "")
            return RuntimeError(f"{where} was killed by signal {-code} ({name}) while it read {_samples(worker)}"
                                f"{hint}.")
        return RuntimeError(f"{where} ended with exit code {code} while it read {_samples(worker)}; what it printed "
                            "says more, and a script needs `if __name__ == '__main__':` with spawn and forkserver.")

    def _failed(self, worker: Worker, failure: Failure) -> BaseException:
        """The worker's exception, of the same type, with its traceback as the text."""
        at = "" if failure.reading is None else f", which read the sample{'s' * (len(failure.reading) > 1)} " \
                                               f"{_listed(failure.reading)}"
        text = f"Caught {failure.name} in DataLoader worker process {worker.id}{at}.\nOriginal {failure.traceback}"
        try:
            kind = RuntimeError if failure.type is None else pickle.loads(failure.type)
            return kind(_Text(text) if issubclass(kind, KeyError) else text)
        except Exception:  # a type that takes other arguments
            return RuntimeError(text)


class _Text(str):
    """A text that KeyError shows as it is: it shows the repr of what it is given."""

    def __repr__(self) -> str:
        return str(self)


def _samples(worker: Worker) -> str:
    """The samples of the first task that a worker has not answered."""
    task = next(iter(worker.given.values()), None)
    if task is None:
        return "nothing"
    if task.indices is None:
        return f"batch {task.number} of its stream"
    indices = task.indices if isinstance(task.indices, list | tuple) else [task.indices]
    return f"the samples {_listed(indices)}"


def _listed(indices: Any) -> str:
    shown = ", ".join(map(repr, indices[:20]))
    return f"[{shown}, ... {len(indices)} in all]" if len(indices) > 20 else f"[{shown}]"


def context_of(given: Any) -> Any:
    """The start method of a DataLoader's option: a name, a context of multiprocessing, or None for Python's default."""
    if given is None:
        return multiprocessing.get_context()
    if isinstance(given, str):
        known = multiprocessing.get_all_start_methods()
        if given not in known:
            raise ValueError(f"DataLoader: multiprocessing_context must be one of {', '.join(known)}, not {given!r}.")
        return multiprocessing.get_context(given)
    if not isinstance(given, BaseContext):
        raise TypeError("DataLoader: multiprocessing_context must be a name or a context of multiprocessing, not "
                        f"{type(given).__name__}.")
    return given
