"""Devices for kernel tests: the simulator, and the GPU where there is one, behind the interface of launch code."""

import os

import pytest

from gpunet import devices
from gpunet.devices.cuda import CudaDevice
from tests.here import GPUS


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Types beside float32 are slow: each is a kernel to compile."""
    for item in items:
        dtype = getattr(item, "callspec", None) and item.callspec.params.get("dtype")
        if dtype is not None and os.path.dirname(item.path) == os.path.dirname(__file__) and _NAMES.isdisjoint(
                {getattr(dtype, "__name__", None), getattr(dtype, "name", None), str(dtype)}):
            item.add_marker(pytest.mark.slow)


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
