"""Fixtures that all tests share."""

import gc
import random
import signal
import sys

import numpy as np
import pytest

import gpunet
from gpunet import native
from gpunet.engine.extensions import extensions
from tests.here import DEVICES, GPUS, MISSING, is_installed

# Whoever starts the tests in the background of a script makes them, and all that they start, deaf to these.
for _number, _handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, _handler)


# Tens of thousands of tests stay: to go over them again and again takes as long as to make them.
gc.disable()


def pytest_collection_finish():
    gc.freeze()
    gc.enable()


def pytest_report_header():
    return MISSING


def pytest_pycollect_makeitem(obj):
    """Tests beside a library that is not here, thousands of rows, are left out rather than skipped one by one."""
    needed = {name for mark in getattr(obj, "pytestmark", ()) if mark.name == "needs" for name in mark.args}
    return None if all(map(is_installed, needed)) else []


def pytest_addoption(parser):
    parser.addoption("--slow", action="store_true", help="run also what takes long: whole benchmark runs, every "
                     "kernel's machine code on every architecture, all types and all rows of the table of cases "
                     "on sim, a trial of every mutation")


def _is_slow(item) -> bool:
    """Marked `slow`, or `slow("sim")`: on that device."""
    params = item.callspec.params if hasattr(item, "callspec") else {}
    return any(not mark.args or {params.get("device"), params.get("gpu")} & set(mark.args)
               for mark in item.iter_markers("slow"))


def pytest_collection_modifyitems(config, items):
    """Tests marked `slow` run with --slow, or where a test is named alone."""
    if config.getoption("--slow") or any("::" in each for each in config.args):
        return
    slow = [item for item in items if _is_slow(item)]
    config.hook.pytest_deselected(items=slow)
    quick = set(items) - set(slow)
    items[:] = [item for item in items if item in quick]


@pytest.fixture(params=DEVICES)
def device(request):
    """Every device of this machine in turn; the head of the report says why others are missing."""
    return request.param


@pytest.fixture(params=GPUS)
def gpu(request):
    """Every device that runs the CUDA kernels."""
    return request.param


@pytest.fixture(scope="session", autouse=True)
def _native_kernels_serve():
    """The CPU's kernels, built if they are not in the cache; $GPUNET_NATIVE=0 tests the NumPy bodies."""
    native.wait()


@pytest.fixture(scope="session", autouse=True)
def _launches_are_declared():
    """Whatever instance of a kernel the tests have launched is one that `gpunet build` compiles ahead."""
    yield
    from gpunet.kernel import Kernel

    assert not [found for kernel in Kernel.ours if (found := kernel.used() - set(kernel.expressions()))]


@pytest.fixture(autouse=True)
def _plain_state():
    """Every test starts from the same seeds, whichever ran before it, and leaves modes and defaults as they were."""
    gpunet.manual_seed(0)
    random.seed(0)
    np.random.seed(0)
    if torch := sys.modules.get("torch"):
        torch.manual_seed(0)
    dtype = gpunet.get_default_dtype()
    yield
    gpunet.set_default_dtype(dtype)
    assert gpunet.is_grad_enabled() and not gpunet.is_inference_mode_enabled(), "the test left a gradient mode behind"
    assert extensions.autocast is None, "the test left an autocast context behind"
