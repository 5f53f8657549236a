"""Traces in the format that chrome://tracing, Perfetto and TensorBoard read."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from gpunet import files
from gpunet.profiler.events import Event

_KINDS = {"op": "cpu_op", "module": "python_function", "backward": "cpu_op", "range": "user_annotation",
          "step": "user_annotation"}
_GPU = 1 << 20  # the number of the GPU's track: above those of threads


def write(path: str | os.PathLike[str], events: Iterable[Event], notes: dict[str, Any]) -> None:
    """Writes the trace, compressed if the name ends in .gz, beside the file, and renames it."""
    text = json.dumps({"schemaVersion": 1, "displayTimeUnit": "ms", **notes, "traceEvents": [*_lines(list(events))]})
    packed = gzip.compress(text.encode()) if os.fspath(path).endswith(".gz") else text
    files.replace(Path(path), packed, durable=False)


def _lines(events: list[Event]) -> Iterable[dict[str, Any]]:
    process = os.getpid()
    threads = {thread: number for number, thread in enumerate(dict.fromkeys(event.thread for event in events))}
    yield {"ph": "M", "name": "process_name", "pid": process, "args": {"name": "python"}}
    for number in threads.values():
        yield {"ph": "M", "name": "thread_name", "pid": process, "tid": number, "args": {"name": f"thread {number}"}}
    if any(event.self_device_time_total for event in events):
        yield {"ph": "M", "name": "thread_name", "pid": process, "tid": _GPU, "args": {"name": "GPU"}}
    for event in events:
        about = {"module": event.module, "backward": event.backward,
                 "Input Dims": [list(each) for each in event.input_shapes], "bytes": event.cpu_memory_usage}
        about = {name: value for name, value in about.items() if value}
        line = {"ph": "X", "cat": _KINDS[event.kind], "name": event.name, "pid": process, "args": about}
        yield {**line, "tid": threads[event.thread], "ts": event.start / 1000, "dur": event.cpu_time_total}
        if event.self_device_time_total:
            yield {**line, "cat": "kernel", "tid": _GPU, "ts": event.device_start / 1000,
                   "dur": event.self_device_time_total}
