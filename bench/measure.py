"""What our own benchmarks measure with: gpunet.benchmark.measure, and what they alone need."""

from __future__ import annotations

import statistics
from collections.abc import Callable

from gpunet.benchmark.measure import Result, Work, event_clock, host_clock, interleave, ratio

__all__ = ["Result", "Work", "event_clock", "host_clock", "interleave", "overheads", "quartiles", "ratio", "repeat",
           "told_clock"]


def told_clock(run: Callable[[], float]) -> float:
    """The seconds that `run` itself has measured and returns, such as those of another process."""
    return run()


def repeat(function: Callable[[], object], calls: int) -> Work:
    """A Work that calls a function many times: for what is too short to be timed by itself."""
    several = range(calls)

    def run():
        for _ in several:
            function()

    return Work(run, calls)


def quartiles(samples: list[float]) -> tuple[float, float, float]:
    """Lower quartile, median, upper quartile."""
    if len(samples) < 2:
        return (samples[0],) * 3
    return tuple(statistics.quantiles(samples, n=4, method="inclusive"))


def overheads(samples: dict[str, list[float]], of=statistics.median) -> dict[str, float]:
    """Seconds above the bare NumPy call, for each competitor but NumPy itself. `of=min`: of the fastest timings, those
    that other work on the machine has disturbed least."""
    return {name: of(times) - of(samples["NumPy"]) for name, times in samples.items() if name != "NumPy"}
