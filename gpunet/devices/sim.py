"""The device `sim`: the CUDA device on a CPU. The launch code and the kernels are those of the GPU."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpunet.devices.cuda import CudaDevice

if TYPE_CHECKING:
    from gpunet.devices import device

# How many multiprocessors launches plan for. Fixed, so that results do not depend on the machine.
_SM_COUNT = 4


def open_sim(name: device) -> CudaDevice:
    """Opens the simulated device. Its kernels are run by gpunet.sim or by gpunet.ptx, as gpunet.sim.engine chooses.

    Raises RuntimeError where this machine has what neither of them needs, with what to install.
    """
    from gpunet.sim import cupy, engine

    if engine.choose().name == "ptx":
        from gpunet.ptx import load
    else:
        from gpunet.sim import load
    return CudaDevice(name, cupy, load, sm_count=_SM_COUNT, synchronous=True)
