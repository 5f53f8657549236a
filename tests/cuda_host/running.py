"""A plugin of pytest, for any of the tests where launches run:

    python -m tests.cuda_host --run -m pytest -n 0 -p tests.cuda_host.running tests/ops/test_cases.py

Only tests of the device cuda are kept; without --slow those alone that are quick on sim. A test that needs a result of
cuSOLVER, cuFFT or another library whose stand-in computes nothing is skipped.
"""

import pytest

from tests.cuda_host import engine


def _is_of_cuda(item):
    """By the fixtures device, gpu or cuda."""
    return hasattr(item, "callspec") and "cuda" in [each for each in item.callspec.params.values() if type(each) is str]


def _is_slow(item):
    return any(not mark.args or "sim" in mark.args for mark in item.iter_markers("slow"))


def pytest_collection_modifyitems(config, items):
    kept = [item for item in items if "cuda_host/results" in item.path.as_posix() or _is_of_cuda(item)]
    if not config.getoption("--slow"):
        kept = [item for item in kept if not _is_slow(item)]
    config.hook.pytest_deselected(items=[*set(items) - set(kept)])
    items[:] = kept


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    error = call.excinfo.value if call.excinfo else None
    while error is not None and not type(error).__module__.startswith("cupy_backends.cuda.libs"):
        error = error.__cause__ or error.__context__
    if report.failed and error is not None and "NOT_SUPPORTED" in str(error) and not engine.mistakes:
        report.outcome, report.longrepr = "skipped", (str(item.path), 0, f"{error}: the stand-in computes no such")
    return report
