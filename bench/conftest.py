"""What the suites share: the device, and a race of competitors inside pytest-benchmark.

pytest-benchmark times gpunet; the setup of each of its rounds times all competitors once, so that they take turns. The
comparison's medians are in `extra_info` (and so in --benchmark-json), and its tables are printed at the end.
"""

from __future__ import annotations

import statistics
from dataclasses import asdict

import pytest

from bench import environment
from bench.measure import Result, Work, ratio
from gpunet.benchmark.lab import Lab

_RESULTS = pytest.StashKey[list]()


def pytest_addoption(parser):
    group = parser.getgroup("gpunet")
    group.addoption("--device", default="cpu", help="cpu, sim or cuda (default: cpu)")
    group.addoption("--quick", action="store_true", help="tiny sizes: to see that the benchmarks work")
    group.addoption("--threads", type=int, default=1, help="on the CPU, for every library (default: 1)")


def pytest_configure(config):
    config.stash[_RESULTS] = []


def pytest_terminal_summary(config):
    if not config.stash[_RESULTS]:
        return
    from bench.report import show

    content = environment.document("pytest bench", config.getoption("--device"))
    content["stages"] = {"bench": {"status": "passed", "findings": config.stash[_RESULTS]}}
    show(content)


@pytest.fixture(scope="session")
def lab(request) -> Lab:
    name = request.config.getoption("--device")
    try:
        return Lab(name, threads=request.config.getoption("--threads"))
    except RuntimeError as error:
        pytest.skip(str(error))


@pytest.fixture
def quick(request) -> bool:
    return request.config.getoption("--quick")


@pytest.fixture
def race(request, benchmark, quick):
    """race(group, name, works, clock, **more) -> Result: times "gpunet" by pytest-benchmark and everyone in turn."""

    def run(group: str, name: str, works: dict[str, Work], clock, *, rounds=11, ours="gpunet", **more) -> Result:
        samples: dict[str, list[float]] = {each: [] for each in works}

        def once():
            for each, work in works.items():
                if work.prepare:
                    work.prepare()
                samples[each].append(clock(work.run) / work.calls)

        for work in works.values():
            work.run()
        benchmark.group = group
        benchmark.pedantic(works[ours].run, setup=once, rounds=3 if quick else rounds, iterations=1)
        result = Result(group, name, samples, **more)
        medians = {each: statistics.median(times) for each, times in samples.items()}
        benchmark.extra_info.update(
            calls=works[ours].calls, seconds_per_call=medians,
            times_as_fast_as={each: ratio(samples, ours, each) for each in samples if each != ours})
        request.config.stash[_RESULTS].append(asdict(result))
        return result

    return run
