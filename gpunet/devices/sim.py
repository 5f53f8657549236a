"""The device `sim`: the CUDA device on a CPU. The launch code and the kernels are those of the GPU."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from gpunet.devices.cuda import CudaDevice

if TYPE_CHECKING:
    from gpunet.devices import device

# How many multiprocessors launches plan for. Fixed, so that results do not depend on the machine.
_SM_COUNT = 4


def open_sim(name: device) -> CudaDevice:
    """Opens the simulated device. A missing C++ compiler is reported when the first kernel is built.

    $GPUNET_SIM chooses what runs the kernels: "cxx", gpunet.sim's builds by the host's C++ compiler, or "ptx",
    gpunet.ptx's, by NVRTC and LLVM.
    """
    from gpunet import sim
    from gpunet.sim import cupy

    engine = os.environ.get("GPUNET_SIM") or "cxx"
    if engine == "ptx":
        from gpunet import ptx

        return CudaDevice(name, cupy, ptx.load, sm_count=_SM_COUNT, synchronous=True)
    if engine != "cxx":
        raise sim.SettingError(f"$GPUNET_SIM is {engine!r}; it is 'cxx' or 'ptx'")
    return CudaDevice(name, cupy, sim.load, sm_count=_SM_COUNT, synchronous=True)
