"""Timing: interleaved rounds, so that what disturbs the machine disturbs every competitor alike; medians; raw samples.

A competitor is a `Work`. `interleave` runs all of them in turn, round after round, and gives their samples in seconds
per call. Ratios are ratios of medians of one such run; figures of different runs are not compared.
"""

from __future__ import annotations

import gc
import math
import statistics
from collections.abc import Callable
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any


@dataclass
class Work:
    """Something to time. `run` does it `calls` times. `prepare` is called before each timing and not timed, such as to
    poison outputs."""

    run: Callable[[], object]
    calls: int = 1
    prepare: Callable[[], object] | None = None


@dataclass
class Result:
    """One row of a benchmark: the samples of its competitors, in seconds per call."""

    group: str
    name: str
    samples: dict[str, list[float]]
    amounts: dict[str, float] = field(default_factory=dict)  # per call: "bytes" moved at least, "operations"
    errors: dict[str, float] = field(default_factory=dict)  # norm(out - reference) / norm(reference)
    notes: list[str] = field(default_factory=list)

    def median(self, name: str) -> float:
        """The median of a competitor's samples."""
        return statistics.median(self.samples[name])


def host_clock(run: Callable[[], object]) -> float:
    """Seconds that the host spends in `run`."""
    start = perf_counter()
    run()
    return perf_counter() - start


def event_clock(cuda: Any) -> Callable[[Callable[[], object]], float]:
    """A clock of the seconds between two events on the GPU. `cuda`: cupy.cuda, or the simulator's."""
    begin, end = cuda.Event(), cuda.Event()

    def clock(run: Callable[[], object]) -> float:
        stream = cuda.get_current_stream()
        stream.synchronize()
        begin.record(stream)
        run()
        end.record(stream)
        end.synchronize()
        return cuda.get_elapsed_time(begin, end) * 1e-3

    return clock


def interleave(works: dict[str, Work], *, rounds: int, clock: Callable[[Callable[[], object]], float] = host_clock,
               warm_up: int = 1, seconds: float = float("inf")) -> dict[str, list[float]]:
    """Samples of each work, in seconds per call.

    The first competitor of a round changes from round to round. After `seconds`, or half of the rounds if that takes
    longer, no new round begins. The garbage collector is off, as it would hit one at random.
    """
    samples: dict[str, list[float]] = {name: [] for name in works}
    for work in works.values():
        for _ in range(warm_up):
            if work.prepare:
                work.prepare()
            work.run()
    names = list(works)
    until = perf_counter() + seconds
    collecting = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        for number in range(rounds):
            if number * 2 >= rounds and perf_counter() > until:
                break
            for position in range(len(names)):
                name = names[(number + position) % len(names)]
                work = works[name]
                if work.prepare:
                    work.prepare()
                samples[name].append(clock(work.run) / work.calls)
    finally:
        if collecting:
            gc.enable()
    return samples


def ratio(samples: dict[str, list[float]], ours: str, peer: str) -> float:
    """How many times as fast as `peer` we are; NaN where our time is below the clock's resolution."""
    time = statistics.median(samples[ours])
    return statistics.median(samples[peer]) / time if time else math.nan
