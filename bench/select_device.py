"""A pytest plugin: runs the tests that take a device, on one device only.

    python -m pytest tests -p bench.select_device --on cuda [--every 25] [--part 1/2] [--exact-memory]

A test takes a device through the fixture `device`, `gpu` or `cuda`, which go through the devices as parameters. Their
order is mixed, the same each time: whatever part of them is run, every family of tests has its share.
"""

from __future__ import annotations

import json
import os
import random

import pytest

_FIXTURES = ("device", "gpu", "cuda")


def pytest_addoption(parser):
    group = parser.getgroup("gpunet")
    group.addoption("--on", metavar="DEVICE", help="run only the tests that take a device, and only on this one")
    group.addoption("--every", type=int, default=1, metavar="N", help="with --on: only each N-th of these tests")
    group.addoption("--part", type=_part, default=(1, 1), metavar="1/2", help="with --on: only this part of them")
    group.addoption("--outcomes", metavar="FILE", help="write each test's outcome as a line of JSON when it is done")
    group.addoption("--exact-memory", action="store_true", help="every array of CuPy's is an allocation of its own, so "
                    "that a memory checker sees where it ends")


def _part(text: str) -> tuple[int, int]:
    number, _, parts = text.partition("/")
    if not 1 <= int(number) <= int(parts):
        raise ValueError(text)
    return int(number), int(parts)


def pytest_configure(config):
    path = config.getoption("--outcomes")
    if path and not hasattr(config, "workerinput"):  # of several processes, the one that hears of all tests
        config.pluginmanager.register(_Outcomes(path))
    if hasattr(config, "workerinput") and (config.getoption("--on") or "").startswith("cuda"):
        config.pluginmanager.register(_LostDevice())
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
        self._write(line)

    def pytest_collection_finish(self, session):
        if session.items:  # not where the tests run in other processes
            self._write({"selected": len(session.items)})

    def pytest_xdist_node_collection_finished(self, node, ids):
        self._write({"selected": len(ids)})

    def _write(self, line: dict):
        with open(self.path, "a") as file:
            file.write(json.dumps(line) + "\n")


class _LostDevice:
    """Ends a worker whose GPU context an error has spoilt, once the failure is told: every later test would fail of it.
    pytest-xdist starts another worker."""

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logreport(self, report):
        if report.failed and report.when == "call":
            import cupy

            try:
                cupy.cuda.runtime.deviceSynchronize()
            except cupy.cuda.runtime.CUDARuntimeError:
                os._exit(1)


def pytest_collection_modifyitems(config, items):
    wanted = config.getoption("--on")
    if not wanted:
        return
    number, parts = config.getoption("--part")
    chosen = [item for item in items if _device(item) == wanted.partition(":")[0]]
    random.Random(0).shuffle(chosen)
    chosen = chosen[number - 1::parts][:: config.getoption("--every")]
    kept = set(chosen)
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = chosen


def _device(item) -> str | None:
    parameters = getattr(getattr(item, "callspec", None), "params", {})
    for name in _FIXTURES:
        if isinstance(parameters.get(name), str):
            return parameters[name]
    return None
