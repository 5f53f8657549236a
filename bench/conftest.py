"""What the suites share: the device, and a race of competitors inside pytest-benchmark.

A race times all competitors in turn, by our own clock (a GPU's events, another process's), and gives pytest-benchmark
the seconds of one call of ours: its table, --benchmark-json and --benchmark-compare have the figures of ours alone, and
`extra_info` the medians of all. The comparison's own tables are printed at the end.
"""

from __future__ import annotations

import math
import statistics
from dataclasses import asdict

import pytest

from bench import environment
from bench.measure import Result, Work, interleave, ratio
from gpunet.benchmark.lab import Lab

_RESULTS = pytest.StashKey[list]()


class _Told:
    """A timer that goes on by what it is told."""

    __name__ = __qualname__ = "seconds_of_one_call"

    def __init__(self):
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


_TOLD = _Told()


def pytest_addoption(parser):
    group = parser.getgroup("gpunet")
    group.addoption("--device", default="cpu", help="cpu, sim or cuda (default: cpu)")
    group.addoption("--quick", action="store_true", help="tiny sizes: to see that the benchmarks work")
    group.addoption("--threads", type=int, default=1, help="on the CPU, for every library (default: 1)")
    group.addoption("--compiled", action="store_true", help="torch.compile takes part: minutes of compiling")


def pytest_configure(config):
    config.stash[_RESULTS] = []


def pytest_collection_modifyitems(items):
    for item in items:
        item.add_marker(pytest.mark.benchmark(timer=_TOLD))


def pytest_terminal_summary(config):
    if not config.stash[_RESULTS]:
        return
    from bench.report import show

    content = environment.document("pytest bench", config.getoption("--device"), quick=config.getoption("--quick"))
    content["stages"] = {"bench": {"status": "passed", "findings": config.stash[_RESULTS]}}
    show(content)


@pytest.fixture(scope="session")
def lab(request) -> Lab:
    option = request.config.getoption
    try:
        return Lab(option("--device"), threads=option("--threads"), compiled=option("--compiled"))
    except RuntimeError as error:
        pytest.skip(str(error))


@pytest.fixture
def quick(request) -> bool:
    return request.config.getoption("--quick")


@pytest.fixture
def race(request, benchmark, quick):
    """race(group, name, works, clock, **more) -> Result, or None under --benchmark-disable: times everyone in turn, for
    --benchmark-max-time seconds or half of the rounds. `ours` is the competitor that pytest-benchmark hears of."""

    def run(group: str, name: str, works: dict[str, Work], clock, *, rounds=11, ours="gpunet", **more) -> Result | None:
        benchmark.group = group
        if not benchmark.enabled:
            for work in works.values():
                if work.prepare:
                    work.prepare()
                benchmark.pedantic(work.run) if work is works[ours] else work.run()
            return None
        seconds = float(request.config.getoption("benchmark_max_time"))
        samples = interleave(works, rounds=3 if quick else rounds, clock=clock, seconds=seconds)
        times = iter(samples[ours])

        def tell():
            _TOLD.now += next(times)

        # From 0 each time: so small a time added to a large one would lose its digits.
        benchmark.pedantic(tell, setup=lambda: setattr(_TOLD, "now", 0.0), rounds=len(samples[ours]))
        result = Result(group, name, samples, **more)
        ratios = {each: ratio(samples, ours, each) for each in samples if each != ours}
        benchmark.extra_info.update(
            calls=works[ours].calls, seconds_per_call={each: statistics.median(samples[each]) for each in samples},
            times_as_fast_as={each: value for each, value in ratios.items() if not math.isnan(value)})
        request.config.stash[_RESULTS].append(asdict(result))
        return result

    return run
