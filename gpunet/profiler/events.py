"""Events: what was measured, one by one and by name, and the tables of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


class Event:
    """One call of an operation or a module, one step of a backward pass, or one named range. Times in microseconds.

    Args:
        name: the operation's, the module's or the range's name.
        kind: "op", "module", "backward", "range" or "step".
        parent: the event inside which it happened.

    Attributes:
        count: 1; of a gradient that a step of a backward pass computes later than the others, 0.
        start: when it began, in nanoseconds of `time.perf_counter_ns`.
        end: when it ended.
        thread: number of the thread.
        backward: whether it was part of a backward pass.
        module: path of the module that it belongs to; in a backward pass, to which the forward call belonged.
        input_shapes: shapes of the operation's arrays, if they were recorded.
        cpu_memory_usage: bytes of new results, with those of the events inside, if they were recorded.
        self_cpu_memory_usage: the same, without those of the events inside.
        device_time_total: time on a GPU, with that of the events inside.
        self_device_time_total: time on a GPU, without that of the events inside.

    Examples:
        >>> with gpunet.profiler.profile() as prof:
        ...     y = gpunet.ones(3).exp()
        >>> [(event.name, event.kind) for event in prof.events()]
        [('fill', 'op'), ('exp', 'op')]
    """

    __slots__ = ("name", "kind", "parent", "count", "start", "end", "inner", "thread", "backward", "module", "op",
                 "input_shapes", "cpu_memory_usage", "self_cpu_memory_usage", "marks", "device_start",
                 "device_time_total", "self_device_time_total")

    def __init__(self, name: str, kind: str, parent: Event | None = None) -> None:
        self.name, self.kind, self.parent = name, kind, parent
        self.count = 1
        self.start = self.end = self.inner = self.thread = 0
        self.backward = parent is not None and parent.backward
        self.module: str | None = None if parent is None else parent.module
        self.op = name
        self.input_shapes: tuple[tuple[int, ...], ...] = ()
        self.cpu_memory_usage = self.self_cpu_memory_usage = 0
        self.marks: Any = None  # of its beginning and end in a GPU's queue
        self.device_start = 0.0  # of the first mark, as nanoseconds of the host's clock
        self.device_time_total = self.self_device_time_total = 0.0

    @property
    def key(self) -> str:
        """The name."""
        return self.name

    @property
    def cpu_time_total(self) -> float:
        """Time on the host, from beginning to end."""
        return (self.end - self.start) / 1000

    cpu_time = cpu_time_total

    @property
    def self_cpu_time_total(self) -> float:
        """Time on the host, without that of the events inside."""
        return max(self.end - self.start - self.inner, 0) / 1000

    @property
    def time(self) -> float:
        """Time on the GPU where the work was there, else on the host."""
        return self.device_time_total or self.cpu_time_total

    def __repr__(self) -> str:
        return f"<Event {self.name} ({self.kind}), {self.cpu_time_total:.3f} us>"


@dataclass
class EventAverage:
    """All events of one name. Times in microseconds.

    Args:
        key: the name.
        count: number of events.
        cpu_time_total: their time on the host.
        self_cpu_time_total: the same, without that of the events inside.
        device_time_total: their time on a GPU.
        self_device_time_total: the same, without that of the events inside.
        cpu_memory_usage: bytes of new results, with those of the events inside.
        self_cpu_memory_usage: the same, without those of the events inside.
        input_shapes: their shapes, if they were asked for.

    Examples:
        >>> gpunet.profiler.EventAverage("exp", count=2, cpu_time_total=5.0).cpu_time
        2.5
    """

    key: str
    count: int = 0
    cpu_time_total: float = 0.0
    self_cpu_time_total: float = 0.0
    device_time_total: float = 0.0
    self_device_time_total: float = 0.0
    cpu_memory_usage: int = 0
    self_cpu_memory_usage: int = 0
    input_shapes: tuple[tuple[int, ...], ...] = ()

    def add(self, other: Any) -> None:
        """Adds an event, or the average of some.

        Args:
            other: it.
        """
        for name in _SUMS:
            setattr(self, name, getattr(self, name) + getattr(other, name))

    @property
    def cpu_time(self) -> float:
        """Time on the host of one event, on average."""
        return self.cpu_time_total / max(self.count, 1)

    @property
    def device_time(self) -> float:
        """Time on a GPU of one event, on average."""
        return self.device_time_total / max(self.count, 1)


_SUMS = ("count", "cpu_time_total", "self_cpu_time_total", "device_time_total", "self_device_time_total",
         "cpu_memory_usage", "self_cpu_memory_usage")
_SORTS = (*_SUMS, "cpu_time", "device_time")


class EventList(list[Any]):
    """Events, or averages of events by name; printed as a table.

    Args:
        rows: the events or averages.

    Examples:
        >>> with gpunet.profiler.profile() as prof:
        ...     y = gpunet.ones(3).exp().exp()
        >>> {row.key: row.count for row in prof.key_averages()}
        {'fill': 1, 'exp': 2}
        >>> prof.key_averages().table(sort_by="count", row_limit=1).split("\\n")[3].split()[0]
        'exp'
    """

    def __init__(self, rows: Iterable[Any] = ()) -> None:
        super().__init__(rows)

    def key_averages(self, group_by_input_shape: bool = False) -> EventList:
        """The events added up by name.

        Args:
            group_by_input_shape: by name and shapes of the inputs.
        """
        found: dict[Any, EventAverage] = {}
        for each in self:
            shapes = each.input_shapes if group_by_input_shape else ()
            found.setdefault((each.key, shapes), EventAverage(each.key, input_shapes=shapes)).add(each)
        return EventList(found.values())

    def total_average(self) -> EventAverage:
        """The sum of all."""
        total = EventAverage("Total")
        for each in self:
            total.add(each)
        return total

    def table(self, sort_by: str | None = None, row_limit: int = 100, max_src_column_width: int = 75,
              max_name_column_width: int = 55, max_shapes_column_width: int = 80, header: str | None = None,
              top_level_events_only: bool = False, time_unit: str | None = None) -> str:
        """The table as a text.

        Args:
            sort_by: what the rows are sorted by, the largest first: "cpu_time_total", "self_cpu_time_total",
                "cpu_time", "count", "device_time_total" and so on (also as "cuda_..."); None: in the order of time.
            row_limit: how many rows there are at most; -1: all.
            max_src_column_width: accepted as in PyTorch: there is no such column.
            max_name_column_width: longer names are cut.
            max_shapes_column_width: longer shapes are cut.
            header: a line above the table.
            top_level_events_only: only what did not happen inside something else.
            time_unit: "s", "ms" or "us"; None: what suits each number.

        Raises:
            ValueError: sort_by names nothing to sort by.
        """
        rows = [row for row in self if not top_level_events_only or getattr(row, "parent", None) is None]
        if sort_by is not None:
            name = sort_by.replace("cuda", "device")
            if name not in _SORTS:
                raise ValueError(f"table: sort_by must be one of {', '.join(_SORTS)}, not {sort_by!r}.")
            rows = sorted(rows, key=lambda row: -getattr(row, name))
        total = self.total_average()
        columns = _columns(self, total, max_name_column_width, max_shapes_column_width, time_unit)
        if row_limit >= 0:
            rows = rows[:row_limit]
        lines = [[title for title, _ in columns], *([str(cell(row)) for _, cell in columns] for row in rows)]
        widths = [max(len(line[i]) for line in lines) for i in range(len(columns))]
        rule = "  ".join("-" * width for width in widths)
        texts = ["  ".join(cell.ljust(width) if i == 0 else cell.rjust(width) for i, (cell, width) in
                           enumerate(zip(line, widths, strict=True))) for line in lines]
        sums = [f"Self CPU time total: {duration(total.self_cpu_time_total, time_unit)}"]
        if total.self_device_time_total:
            sums.append(f"Self CUDA time total: {duration(total.self_device_time_total, time_unit)}")
        return "\n".join([*([header] if header else []), rule, texts[0], rule, *texts[1:], rule, *sums, ""])

    def __str__(self) -> str:
        return self.table()


def _columns(rows: EventList, total: EventAverage, name_width: int, shapes_width: int, unit: str | None) -> list[Any]:
    """Titles, and functions that give a row's cell."""
    def cut(text: str, width: int) -> str:
        return text if len(text) <= width else text[: width - 3] + "..."

    def times(label: str, what: str) -> list[Any]:
        whole = getattr(total, f"self_{what}_total") or 1

        def share(name: str) -> Any:
            return lambda row: f"{100 * getattr(row, name) / whole:.2f}%"

        def time(name: str) -> Any:
            return lambda row: duration(getattr(row, name), unit)

        return [(f"Self {label} %", share(f"self_{what}_total")), (f"Self {label}", time(f"self_{what}_total")),
                (f"{label} total %", share(f"{what}_total")), (f"{label} total", time(f"{what}_total")),
                (f"{label} time avg", lambda row: duration(getattr(row, f"{what}_total") / max(row.count, 1), unit))]

    columns = [("Name", lambda row: cut(row.key, name_width)), *times("CPU", "cpu_time")]
    if total.self_device_time_total:
        columns += times("CUDA", "device_time")
    if total.self_cpu_memory_usage:
        columns += [("CPU Mem", lambda row: size(row.cpu_memory_usage)),
                    ("Self CPU Mem", lambda row: size(row.self_cpu_memory_usage))]
    columns.append(("# of Calls", lambda row: row.count))
    if any(row.input_shapes for row in rows):
        columns.append(("Input Shapes", lambda row: cut(str([list(each) for each in row.input_shapes]), shapes_width)))
    return columns


def duration(microseconds: float, unit: str | None = None) -> str:
    """A time in words: `12.345us`, `1.200ms`."""
    unit = unit or ("s" if microseconds >= 1e6 else "ms" if microseconds >= 1e3 else "us")
    return f"{microseconds / {'s': 1e6, 'ms': 1e3, 'us': 1}[unit]:.3f}{unit}"


def size(count: float) -> str:
    """A number of bytes in words: `512 b`, `1.50 Mb`."""
    for unit in ("b", "Kb", "Mb"):
        if abs(count) < 1024:
            return f"{count:.2f} {unit}" if unit != "b" else f"{count:.0f} b"
        count /= 1024
    return f"{count:.2f} Gb"
