"""The wrappers of kernels/ptx.cuh and wgmma.cuh, compiled for sm_90a or sm_100: the tests that the C++ engine and a GPU
pass."""

import pytest

import gpunet
from gpunet import ptx
from gpunet.devices.cuda import CudaDevice
from gpunet.sim import cupy
from tests.kernel import test_ptx as wrappers

# Of each kind one; the others take NVRTC and LLVM a second each.
QUICK = ("mbar_wait", "mbar_test_wait", "tma_load_1d", "tma_load_2d", "wgmma_desc_sw128")
_COLUMNS = tuple(f"wgmma_m64n{n}k" for n in wrappers.SOME_SIZES)
NAMES = [name for name in wrappers.TESTS if not name.startswith("wgmma_m64n") or name.startswith(_COLUMNS)]


@pytest.fixture
def device(monkeypatch, compiler):
    def load(file, expression, options=()):
        return ptx.Function(file, expression, options, "sm_100" if "f32x2" in expression else "sm_90a")

    device = CudaDevice(gpunet.device("sim"), cupy, load, sm_count=4, synchronous=True)
    monkeypatch.setattr(wrappers, "device_of", lambda gpu, file: device)


@pytest.mark.parametrize("name", [pytest.param(name, marks=() if name in QUICK else pytest.mark.slow)
                                  for name in NAMES])
def test_wrapper(name, device):
    wrappers.TESTS[name]("sim", name)
