"""`torch.profiler`: the host's time in ranges that the program names with `record_function`, and in steps.

Single operations are not recorded: Python's cProfile shows them, and Nsight Systems (nsys) shows kernels on a GPU,
where these ranges appear too.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import ContextDecorator
from enum import Enum
from typing import Any, NamedTuple, Self

from gpunet.cuda import nvtx

__all__ = ["EventList", "ProfilerAction", "ProfilerActivity", "kineto_available", "profile", "record_function",
           "schedule", "tensorboard_trace_handler"]


class ProfilerActivity(Enum):
    """What PyTorch's profiler can watch."""

    CPU, XPU, MTIA, CUDA = range(4)


class ProfilerAction(Enum):
    """What is done in a step."""

    NONE, WARMUP, RECORD, RECORD_AND_SAVE = range(4)


class _Range(NamedTuple):
    name: str
    start: float  # microseconds
    duration: float


class _Average(NamedTuple):
    """All ranges of one name."""

    key: str
    count: int  # pyright: ignore[reportIncompatibleMethodOverride]  # not a tuple's method
    cpu_time_total: float  # microseconds

    @property
    def cpu_time(self) -> float:
        """Microseconds of a range, on average."""
        return self.cpu_time_total / self.count


class EventList(list[Any]):
    """Averages by name; printed as a table."""

    def table(self, sort_by: str | None = None, row_limit: int = 100, **options: Any) -> str:
        """The table, the longest time first."""
        rows = sorted(self, key=lambda row: -row.cpu_time_total)[:row_limit]
        width = max([20, *(len(row.key) for row in rows)])
        lines = [f"{'Name':{width}}  {'CPU total':>14}  {'CPU time avg':>14}  {'# of Calls':>10}"]
        lines += [f"{row.key:{width}}  {row.cpu_time_total / 1000:>12.3f}ms  {row.cpu_time / 1000:>12.3f}ms  "
                  f"{row.count:>10}" for row in rows]
        return "\n".join(lines) + "\n"

    __str__ = table

    def total_average(self) -> _Average:
        """The sum of all."""
        return _Average("Total", sum(row.count for row in self), sum(row.cpu_time_total for row in self))


_running: list[profile] = []


class record_function(ContextDecorator):
    """Names a range of the program. A context manager and a decorator."""

    def __init__(self, name: str, args: str | None = None) -> None:
        self.name = name
        self._starts: list[float] = []

    def __enter__(self) -> Self:
        nvtx.range_push(self.name)
        self._starts.append(time.perf_counter())
        return self

    def __exit__(self, *_: Any) -> None:
        start, end = self._starts.pop(), time.perf_counter()
        nvtx.range_pop()
        for each in _running:
            each._note(self.name, start, end)


class profile:
    """Records the ranges that `record_function` names, in the steps that `schedule` chooses.

    Args:
        activities: accepted as in PyTorch, as are further options.
        schedule: a function of the step's number that gives a ProfilerAction; None: every step is recorded.
        on_trace_ready: called with the profile when a part is complete.
        options: accepted as in PyTorch; `enabled=False`, of `autograd.profiler.profile`, records nothing.
    """

    def __init__(self, activities: Any = None, *, schedule: Callable[[int], ProfilerAction] | None = None,
                 on_trace_ready: Callable[[profile], Any] | None = None, **options: Any) -> None:
        self._enabled = activities is not False and options.get("enabled", True)
        self._schedule = schedule or (lambda step: ProfilerAction.RECORD)
        self._ready, self.step_num = on_trace_ready, 0
        self._ranges: list[_Range] = []
        self._action = ProfilerAction.NONE
        self._begun = 0.0

    def start(self) -> None:
        """Begins."""
        self._action, self._begun = self._schedule(self.step_num), time.perf_counter()
        if self._enabled:
            _running.append(self)

    def stop(self) -> None:
        """Ends."""
        if self in _running:
            _running.remove(self)
            if self._action in (ProfilerAction.RECORD, ProfilerAction.RECORD_AND_SAVE) and self._ready:
                self._ready(self)

    def step(self) -> None:
        """Says that a step of the program is complete."""
        now = time.perf_counter()
        self._note(f"ProfilerStep#{self.step_num}", self._begun, now)
        if self._action is ProfilerAction.RECORD_AND_SAVE and self._ready:
            self._ready(self)
        self.step_num += 1
        before, self._action, self._begun = self._action, self._schedule(self.step_num), now
        if before is ProfilerAction.RECORD_AND_SAVE and self._action is not ProfilerAction.NONE:
            self._ranges = []

    def _note(self, name: str, start: float, end: float) -> None:
        if self._action in (ProfilerAction.RECORD, ProfilerAction.RECORD_AND_SAVE):
            self._ranges.append(_Range(name, start * 1e6, (end - start) * 1e6))

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self.stop()

    def events(self) -> EventList:
        """The ranges, one by one."""
        return EventList(_Average(each.name, 1, each.duration) for each in self._ranges)

    def key_averages(self, *args: Any, **kwargs: Any) -> EventList:
        """The ranges, by name."""
        sums: dict[str, tuple[int, float]] = {}
        for each in self._ranges:
            count, total = sums.get(each.name, (0, 0.0))
            sums[each.name] = count + 1, total + each.duration
        return EventList(_Average(name, count, total) for name, (count, total) in sums.items())

    def table(self, sort_by: str | None = None, row_limit: int = 100, **options: Any) -> str:
        """The averages as a table."""
        return self.key_averages().table(sort_by, row_limit)

    def export_chrome_trace(self, path: str) -> None:
        """Writes the ranges for chrome://tracing and Perfetto."""
        events = [{"name": each.name, "ph": "X", "ts": each.start, "dur": each.duration, "pid": 0, "tid": 0}
                  for each in self._ranges]
        with open(path, "w") as file:
            json.dump({"traceEvents": events}, file)

    def add_metadata(self, key: str, value: str) -> None:
        """Accepted as in PyTorch, without effect."""

    add_metadata_json = add_metadata


def schedule(*, wait: int, warmup: int, active: int, repeat: int = 0, skip_first: int = 0,
             **options: Any) -> Callable[[int], ProfilerAction]:
    """Which steps are recorded: after `skip_first`, and `repeat` times (0: for ever), `active` steps that follow on
    `wait` and `warmup` steps."""
    period = wait + warmup + active

    def action(step: int) -> ProfilerAction:
        step -= skip_first
        if step < 0 or repeat and step >= repeat * period or step % period < wait:
            return ProfilerAction.NONE
        at = step % period
        if at < wait + warmup:
            return ProfilerAction.WARMUP
        return ProfilerAction.RECORD_AND_SAVE if at == period - 1 else ProfilerAction.RECORD

    return action


def tensorboard_trace_handler(dir_name: str, worker_name: str | None = None,
                              use_gzip: bool = False) -> Callable[[profile], None]:
    """An `on_trace_ready` that writes the ranges into a folder."""
    import os

    def handler(profile: profile) -> None:
        os.makedirs(dir_name, exist_ok=True)
        name = f"{worker_name or os.getpid()}.{time.time_ns()}.pt.trace.json"
        profile.export_chrome_trace(os.path.join(dir_name, name))

    return handler


def kineto_available() -> bool:
    """Whether PyTorch's library of profiling is there: False."""
    return False


def emit_nvtx(*args: Any, **kwargs: Any) -> Any:
    """A context manager that changes nothing: `record_function` names ranges for nsys in any case."""
    from contextlib import nullcontext

    return nullcontext()



