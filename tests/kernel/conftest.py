"""A device for kernel tests: the simulator behind the interface that launch code uses."""

import pytest

from gpunet import device, sim
from gpunet.devices.cuda import CudaDevice
from gpunet.sim import cupy


class SimulatedCuda(CudaDevice):
    """`sm_count` decides which variants the launch code chooses."""

    def __init__(self, sm_count):
        super().__init__(device("sim"), cupy, sim.load, sm_count=sm_count)

    def __call__(self, array):
        """An array on the device."""
        return self.xp.asarray(array)


@pytest.fixture(scope="session")
def cuda():
    return SimulatedCuda(sm_count=4)
