"""Devices for kernel tests: the simulator, and the GPU where there is one, behind the interface of launch code."""

import os
from collections import Counter

import pytest

from gpunet import devices
from gpunet.devices.cuda import CudaDevice
from tests.here import GPUS

pytest.register_assert_rewrite("convolutions")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """What is another kernel to compile is slow: types beside float32, and of a table's rows all but every eighth."""
    rows = Counter()
    for item in items:
        if not hasattr(item, "callspec") or os.path.dirname(item.path) != os.path.dirname(__file__):
            continue
        dtype = item.callspec.params.get("dtype")
        if dtype is not None and _NAMES.isdisjoint(
                {getattr(dtype, "__name__", None), getattr(dtype, "name", None), str(dtype)}):
            item.add_marker(pytest.mark.slow)
        elif not _USE.isdisjoint(item.fixturenames):
            if rows[item.function] % 8:
                item.add_marker(pytest.mark.slow)
            rows[item.function] += 1


_USE = {"cuda", "sized_cuda", "gpu"}
_NAMES = {"float32", "gpunet.float32", "f4", "float"}


class KernelDevice(CudaDevice):
    """`sm_count` decides which variants the launch code chooses."""

    def __init__(self, name, sm_count=4):
        opened = devices.get(name)
        super().__init__(opened.name, opened.xp, opened.load, sm_count=sm_count)

    def __call__(self, array):
        """An array on the device."""
        return self.xp.asarray(array)

    def sized(self, sm_count):
        """The same device with another number of multiprocessors."""
        return KernelDevice(self.type, sm_count)


@pytest.fixture(scope="session", params=GPUS)
def cuda(request):
    """Every device that runs the kernels."""
    return KernelDevice(request.param)
