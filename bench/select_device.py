"""A pytest plugin: runs the tests that take a device, on one device only.

    python -m pytest tests -p bench.select_device --on cuda [--every 25] [--exact-memory]

A test takes a device through the fixture `device`, `gpu` or `cuda`, which go through the devices as parameters.
"""

from __future__ import annotations

import json

_FIXTURES = ("device", "gpu", "cuda")


def pytest_addoption(parser):
    group = parser.getgroup("gpunet")
    group.addoption("--on", metavar="DEVICE", help="run only the tests that take a device, and only on this one")
    group.addoption("--every", type=int, default=1, metavar="N", help="with --on: only each N-th of these tests")
    group.addoption("--outcomes", metavar="FILE", help="write each test's outcome as a line of JSON when it is done")
    group.addoption("--exact-memory", action="store_true", help="every array of CuPy's is an allocation of its own, so "
                    "that a memory checker sees where it ends")


def pytest_configure(config):
    path = config.getoption("--outcomes")
    if path and not hasattr(config, "workerinput"):  # of several processes, the one that hears of all tests
        config.pluginmanager.register(_Outcomes(path))
    if config.getoption("--exact-memory"):
        import cupy

        cupy.cuda.set_allocator(None)


class _Outcomes:
    """Writes outcomes so that a crash or a hang leaves what was known before."""

    def __init__(self, path: str):
        self.path = path

    def pytest_runtest_logreport(self, report):
        if report.when != "call" and report.outcome == "passed":  # before or after the test itself
            return
        if report.when == "teardown" and report.outcome == "skipped":
            return
        text = getattr(report, "longreprtext", "")
        if report.outcome == "skipped" and isinstance(report.longrepr, tuple):
            message = str(report.longrepr[2])
        else:
            lines = [line[1:].strip() for line in text.splitlines() if line.startswith("E ")]
            message = " ".join(lines[:3] or text.splitlines()[-1:])
        line = {"test": report.nodeid, "outcome": report.outcome, "seconds": report.duration, "message": message[:500]}
        with open(self.path, "a") as file:
            file.write(json.dumps(line) + "\n")


def pytest_collection_modifyitems(config, items):
    wanted = config.getoption("--on")
    if not wanted:
        return
    chosen = [item for item in items if _device(item) == wanted.partition(":")[0]][:: config.getoption("--every")]
    kept = set(chosen)
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = chosen


def _device(item) -> str | None:
    parameters = getattr(getattr(item, "callspec", None), "params", {})
    for name in _FIXTURES:
        if isinstance(parameters.get(name), str):
            return parameters[name]
    return None
