"""A device for kernel tests: the simulator behind the interface that launch code uses."""

import numpy as np
import pytest


class SimulatedCuda:
    """`sm_count` decides which variants the launch code chooses."""

    def __init__(self, sm_count):
        from gpunet import sim
        from gpunet.sim import cupy

        self.xp, self.load, self.empty = cupy, sim.load, cupy.empty
        self.sm_count = sm_count
        self.errors = cupy.zeros(4, np.int64)

    def __call__(self, array):
        """An array on the device."""
        return self.xp.asarray(array)


@pytest.fixture(scope="session")
def cuda():
    return SimulatedCuda(sm_count=4)
