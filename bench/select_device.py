"""A pytest plugin: runs the tests that take a device, on one device only.

    python -m pytest tests -p bench.select_device --on cuda [--every 25] [--exact-memory]

A test takes a device through the fixture `device`, `gpu` or `cuda`, which go through the devices as parameters.
"""

from __future__ import annotations

_FIXTURES = ("device", "gpu", "cuda")


def pytest_addoption(parser):
    group = parser.getgroup("gpunet")
    group.addoption("--on", metavar="DEVICE", help="run only the tests that take a device, and only on this one")
    group.addoption("--every", type=int, default=1, metavar="N", help="with --on: only each N-th of these tests")
    group.addoption("--exact-memory", action="store_true", help="every array of CuPy's is an allocation of its own, so "
                    "that a memory checker sees where it ends")


def pytest_configure(config):
    if config.getoption("--exact-memory"):
        import cupy

        cupy.cuda.set_allocator(None)


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
