"""profile: measures a program, in the steps that a schedule chooses."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from enum import Enum
from typing import Any, Self

from gpunet.profiler import breakdown, chrome
from gpunet.profiler.breakdown import Breakdown
from gpunet.profiler.events import Event, EventList
from gpunet.profiler.tracer import Tracer


class ProfilerActivity(Enum):
    """What is measured: the host's time always, a GPU's if CUDA is among the activities.

    Examples:
        >>> with gpunet.profiler.profile(activities=[gpunet.profiler.ProfilerActivity.CPU]) as prof:
        ...     x = gpunet.ones(2)
    """

    CPU, XPU, MTIA, CUDA = range(4)


class ProfilerAction(Enum):
    """What is done in a step.

    Examples:
        >>> gpunet.profiler.schedule(wait=1, warmup=0, active=1)(0)
        <ProfilerAction.NONE: 0>
    """

    NONE, WARMUP, RECORD, RECORD_AND_SAVE = range(4)


_RECORDS = (ProfilerAction.RECORD, ProfilerAction.RECORD_AND_SAVE)


class profile:
    """Measures operations forward and backward, modules, optimizers' steps, and the ranges of `record_function`.

    While it is on, each operation takes some microseconds more; off, or in steps that the schedule leaves out, nothing.
    Operations have gpunet's names. Views (reshape, transpose, slices), which compute nothing, are not shown, and a
    replay of `gpunet.compile` is one event. On `cuda` events are put around each operation in the GPU's queue.

    Args:
        activities: ProfilerActivity's members. None: the host, and a GPU where there is one.
        schedule: a function of the step's number that gives a ProfilerAction, such as `schedule` makes. None: all is
            recorded.
        on_trace_ready: called with the profile when a part is complete.
        record_shapes: note the shapes of operations' inputs.
        profile_memory: note the bytes of new results. What is freed is not.
        with_stack: accepted as in PyTorch, without effect.
        with_flops: accepted as in PyTorch, without effect.
        with_modules: accepted as in PyTorch: modules are always noted.
        options: accepted as in PyTorch; `enabled=False`, of `autograd.profiler.profile`, records nothing.

    Raises:
        RuntimeError: when entered while another profile is on.

    Examples:
        >>> model = nn.Linear(4, 2)
        >>> with gpunet.profiler.profile() as prof:
        ...     model(gpunet.ones(3, 4)).sum().backward()
        >>> sorted({event.kind for event in prof.events()})
        ['backward', 'module', 'op']
        >>> print(prof.key_averages().table(sort_by="cpu_time_total", row_limit=5))  # doctest: +ELLIPSIS
        ----...
    """

    def __init__(self, activities: Iterable[ProfilerActivity] | bool | None = None, *,
                 schedule: Callable[[int], ProfilerAction] | None = None,
                 on_trace_ready: Callable[[profile], Any] | None = None, record_shapes: bool = False,
                 profile_memory: bool = False, with_stack: bool = False, with_flops: bool = False,
                 with_modules: bool = False, **options: Any) -> None:
        self._enabled = activities is not False and options.get("enabled", True)
        wanted = None if activities is None or isinstance(activities, bool) else list(activities)
        self._options = {"shapes": record_shapes, "memory": profile_memory,
                         "device_times": wanted is None or ProfilerActivity.CUDA in wanted}
        self._schedule, self._ready, self.step_num = schedule, on_trace_ready, 0
        self._action = ProfilerAction.NONE
        self._tracer: Tracer | None = None  # what records now
        self._last: Tracer | None = None  # what recorded last
        self._step: Event | None = None
        self._notes: dict[str, Any] = {}

    # ---- beginning and end

    def start(self) -> None:
        """Begins."""
        if self._enabled:
            self._act()

    def stop(self) -> None:
        """Ends."""
        recorded = self._action in _RECORDS and self._enabled
        self._pause()
        self._action = ProfilerAction.NONE
        if recorded and self._ready:
            self._ready(self)

    def step(self) -> None:
        """Says that a step of the program is complete."""
        before = self._action
        if self._step is not None and self._tracer is not None:
            self._tracer.close(self._step)
            self._step = None
        if before is ProfilerAction.RECORD_AND_SAVE:
            self._pause()
            if self._ready:
                self._ready(self)
        self.step_num += 1
        if self._enabled:
            self._act()

    def _act(self) -> None:
        """Does what the schedule says of the step that begins."""
        self._action = ProfilerAction.RECORD if self._schedule is None else self._schedule(self.step_num)
        if self._action not in _RECORDS:
            self._pause()
            return
        if self._tracer is None:
            tracer = Tracer(**self._options)
            tracer.start()
            self._tracer = self._last = tracer
        if self._schedule is not None:
            self._step = self._tracer.open(f"ProfilerStep#{self.step_num}", "step")

    def _pause(self) -> None:
        if self._tracer is not None:
            if self._step is not None:
                self._tracer.close(self._step)
            self._tracer.stop()
        self._tracer = self._step = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self.stop()

    # ---- what was found

    def events(self) -> EventList:
        """The events, one by one, in the order of their beginnings."""
        return EventList() if self._last is None else EventList(self._last.events)

    def key_averages(self, group_by_input_shape: bool = False, group_by_stack_n: int = 0) -> EventList:
        """The events added up by name.

        Args:
            group_by_input_shape: by name and shapes of the inputs, which `record_shapes=True` notes.
            group_by_stack_n: accepted as in PyTorch, without effect.
        """
        return self.events().key_averages(group_by_input_shape)

    def total_average(self) -> Any:
        """The sum of all events."""
        return self.events().total_average()

    def by_op(self) -> Breakdown:
        """The time of each operation, forward and backward. PyTorch has no such table."""
        return breakdown.by_op(self.events())

    def by_module(self) -> Breakdown:
        """The time of each module, forward and backward. PyTorch has no such table."""
        return breakdown.by_module(self.events(), {} if self._last is None else self._last.classes())

    def table(self, sort_by: str | None = None, row_limit: int = 100, **options: Any) -> str:
        """The averages by name as a table.

        Args:
            sort_by: what the rows are sorted by; see `EventList.table`.
            row_limit: how many rows there are at most.
            options: what `EventList.table` takes.
        """
        return self.key_averages().table(sort_by, row_limit, **options)

    def export_chrome_trace(self, path: str | os.PathLike[str]) -> None:
        """Writes the events to a file that chrome://tracing, Perfetto (ui.perfetto.dev) and TensorBoard show.

        Args:
            path: the file; compressed if its name ends in .gz.

        Raises:
            OSError: it cannot be written.
        """
        chrome.write(path, self.events(), self._notes)

    def add_metadata(self, key: str, value: str) -> None:
        """Has the trace hold a text.

        Args:
            key: its name.
            value: it.
        """
        self._notes[key] = value

    def add_metadata_json(self, key: str, value: str) -> None:
        """Has the trace hold a value.

        Args:
            key: its name.
            value: it, as JSON.
        """
        import json

        self._notes[key] = json.loads(value)


def schedule(*, wait: int, warmup: int, active: int, repeat: int = 0, skip_first: int = 0,
             skip_first_wait: int = 0) -> Callable[[int], ProfilerAction]:
    """Which steps a profile records: after `skip_first`, and `repeat` times, `active` steps that follow on `wait` and
    `warmup` steps.

    Args:
        wait: steps that are left out.
        warmup: steps that are left out too, and are counted as the beginning.
        active: steps that are recorded.
        repeat: how often; 0: until the end.
        skip_first: steps before the first part.
        skip_first_wait: whether (1) the first part has no `wait`.

    Raises:
        ValueError: a number is negative, or active is 0.

    Examples:
        >>> choose = gpunet.profiler.schedule(wait=1, warmup=1, active=2, repeat=1)
        >>> [choose(step).name for step in range(5)]
        ['NONE', 'WARMUP', 'RECORD', 'RECORD_AND_SAVE', 'NONE']
    """
    if min(wait, warmup, repeat, skip_first) < 0 or active < 1:
        raise ValueError("schedule: wait, warmup, repeat and skip_first must be at least 0, and active at least 1.")
    period = wait + warmup + active

    def action(step: int) -> ProfilerAction:
        step -= skip_first
        if step < 0:
            return ProfilerAction.NONE
        step += wait if skip_first_wait else 0
        if repeat and step >= repeat * period or step % period < wait:
            return ProfilerAction.NONE
        at = step % period
        if at < wait + warmup:
            return ProfilerAction.WARMUP
        return ProfilerAction.RECORD_AND_SAVE if at == period - 1 else ProfilerAction.RECORD

    return action


def tensorboard_trace_handler(dir_name: str, worker_name: str | None = None,
                              use_gzip: bool = False) -> Callable[[profile], None]:
    """An `on_trace_ready` that writes each part's trace into a folder.

    Args:
        dir_name: the folder, which is made.
        worker_name: the beginning of the files' names; None: the process's number.
        use_gzip: whether the files are compressed.

    Examples:
        >>> import os, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     ready = gpunet.profiler.tensorboard_trace_handler(folder, "me")
        ...     with gpunet.profiler.profile(on_trace_ready=ready):
        ...         x = gpunet.ones(2)
        ...     len(os.listdir(folder))
        1
    """
    def handler(prof: profile) -> None:
        os.makedirs(dir_name, exist_ok=True)
        name = f"{worker_name or os.getpid()}.{time.time_ns()}.pt.trace.json" + ".gz" * use_gzip
        prof.export_chrome_trace(os.path.join(dir_name, name))

    return handler


def kineto_available() -> bool:
    """Whether PyTorch's library of profiling is there: False.

    Examples:
        >>> gpunet.profiler.kineto_available()
        False
    """
    return False
