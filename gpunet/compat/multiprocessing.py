"""`torch.multiprocessing`: Python's multiprocessing, with `spawn`.

Tensors of which `share_memory_` was called are shared; others are sent by value.
"""

from __future__ import annotations

import multiprocessing
import sys
import traceback
from collections.abc import Callable
from multiprocessing import *  # noqa: F403  # pyright: ignore[reportWildcardImportFromLibrary]
from multiprocessing.connection import wait
from typing import Any

__all__ = [*multiprocessing.__all__, "ProcessException", "ProcessExitedException", "ProcessRaisedException",  # pyright: ignore
           "SpawnContext", "get_all_sharing_strategies", "get_sharing_strategy", "set_sharing_strategy", "spawn",
           "start_processes"]


class ProcessException(Exception):
    """A process of `spawn` has failed."""

    def __init__(self, message: str, error_index: int, pid: int) -> None:
        super().__init__(message)
        self.msg, self.error_index, self.pid = message, error_index, pid


class ProcessRaisedException(ProcessException):
    """It raised an exception."""


class ProcessExitedException(ProcessException):
    """It ended by itself, or by a signal."""

    def __init__(self, message: str, error_index: int, error_pid: int, exit_code: int) -> None:
        super().__init__(message, error_index, error_pid)
        self.exit_code = exit_code


def _run(fn: Callable[..., Any], index: int, args: tuple, failures: Any) -> None:
    try:
        fn(index, *args)
    except KeyboardInterrupt:
        pass
    except Exception:
        failures.put(traceback.format_exc())
        sys.exit(1)


class SpawnContext:
    """The processes of `spawn(..., join=False)`."""

    def __init__(self, processes: list[Any], failures: list[Any]) -> None:
        self.processes, self._failures = processes, failures

    def pids(self) -> list[int]:
        """The processes' ids."""
        return [process.pid for process in self.processes]

    def join(self, timeout: float | None = None, grace_period: float | None = None) -> bool:
        """Waits for the processes. When one fails the others are ended and its failure is raised.

        Returns whether all have ended; False after `timeout` seconds, or after one of them has ended well.
        """
        running = {process.sentinel: index for index, process in enumerate(self.processes) if process.is_alive()}
        failed = [index for index, process in enumerate(self.processes) if process.exitcode]
        if running and not failed:
            ended = [running[sentinel] for sentinel in wait(list(running), timeout)]  # pyright: ignore
            for index in ended:
                self.processes[index].join()
            failed = [index for index in ended if self.processes[index].exitcode]
        if not failed:
            return all(process.exitcode == 0 for process in self.processes)
        for process in self.processes:
            if process.is_alive():
                process.terminate()
        for process in self.processes:
            process.join(grace_period)
            if process.is_alive():
                process.kill()
                process.join()
        index = failed[0]
        code, pid = self.processes[index].exitcode, self.processes[index].pid
        if not self._failures[index].empty():
            raise ProcessRaisedException(f"\n\n-- Process {index} terminated with the following error:\n"
                                         f"{self._failures[index].get()}", index, pid)
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        raise ProcessExitedException(f"process {index} terminated with {how}", index, pid, code)


ProcessContext = SpawnContext


def start_processes(fn: Callable[..., Any], args: tuple = (), nprocs: int = 1, join: bool = True, daemon: bool = False,
                    start_method: str = "spawn") -> SpawnContext | None:
    """Runs fn(i, *args) in `nprocs` processes, with i from 0 on. Waits for them, unless `join` is False."""
    context = multiprocessing.get_context(start_method)
    processes, failures = [], []
    for index in range(nprocs):
        failures.append(context.SimpleQueue())
        processes.append(context.Process(  # pyright: ignore[reportAttributeAccessIssue]
            target=_run, args=(fn, index, args, failures[-1]), daemon=daemon))
        processes[-1].start()
    started = SpawnContext(processes, failures)
    if not join:
        return started
    while not started.join():
        pass
    return None


def spawn(fn: Callable[..., Any], args: tuple = (), nprocs: int = 1, join: bool = True, daemon: bool = False,
          start_method: str = "spawn") -> SpawnContext | None:
    """`start_processes`: each process begins with a fresh interpreter, which imports the main module."""
    return start_processes(fn, args, nprocs, join, daemon, start_method)


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    return getattr(multiprocessing, name)


def get_all_sharing_strategies() -> set[str]:
    """How tensors are shared: by file descriptors."""
    return {"file_descriptor"}


def get_sharing_strategy() -> str:
    """How tensors are shared: by file descriptors."""
    return "file_descriptor"


def set_sharing_strategy(new_strategy: str) -> None:
    """Accepts PyTorch's strategies; tensors are shared by file descriptors in any case."""
    if new_strategy not in ("file_descriptor", "file_system"):
        raise ValueError(f"set_sharing_strategy: expected 'file_descriptor' or 'file_system', got {new_strategy!r}")
