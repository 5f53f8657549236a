"""The device sim on a machine without a C++ compiler: in processes of its own, as the device opens once."""

import ctypes
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest

from gpunet.sim import region as regions
from gpunet.sim.region import Region

pytestmark = pytest.mark.usefixtures("compiler")


def run(program, folder, **environment):
    """What a program prints where the search path is an empty folder, and $GPUNET_SIM is not set."""
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=300,
                           env={**os.environ, "PATH": str(folder), "GPUNET_CXX": "", "CXX": "", "GPUNET_SIM": "",
                                **environment})
    assert shown.returncode == 0, shown.stderr
    return shown.stdout


def test_it_computes(tmp_path):
    assert run("""
import gpunet
from gpunet import devices
from gpunet.sim import cupy
x = gpunet.arange(12., device="sim").reshape(3, 4)
print((x @ x.T).cpu().tolist(), gpunet.relu(-x).sum().item())
print(devices.get("sim").load.__module__, cupy.cuda.is_available())
""", tmp_path).splitlines() == ["[[14.0, 38.0, 62.0], [38.0, 126.0, 214.0], [62.0, 214.0, 366.0]] 0.0",
                                "gpunet.ptx True"]


@pytest.mark.skipif(not any(map(shutil.which, ("g++", "clang++"))), reason="no C++ compiler")
def test_it_is_what_the_variable_says():
    """Also where there is a C++ compiler, which then builds nothing; a kernel that it does build finds the arrays."""
    assert run("""
import numpy
import gpunet
from gpunet import devices, sim
from gpunet.sim import cupy, toolchain
x = gpunet.ones(5, device="sim")
print(x.sum().item(), devices.get("sim").load.__module__, toolchain._runtime)
fill = sim.Module("__global__ void fill(int* y) { y[threadIdx.x] = 7; }").get_function("fill")
y = cupy.zeros(3, numpy.int32)
fill((1,), (3,), (y,))
print(y)
""", os.environ["PATH"], GPUNET_SIM="ptx", GPUNET_CXX=os.environ.get("GPUNET_CXX", "")).splitlines() == [
        "5.0 gpunet.ptx None", "[7 7 7]"]


def test_raw_kernels_and_the_checker_run_on_it(tmp_path):
    assert run("""
import numpy
from gpunet import sim
from gpunet.sim import cupy
text = "template <typename T> __global__ void fill(T* y, int n) { if (threadIdx.x <= n) y[threadIdx.x] = 1; }"
fill = cupy.RawKernel(text, "fill<float>")
y = cupy.zeros(100, numpy.float32)
fill((1,), (128,), (y, numpy.int32(99)))
print(y.sum(), fill.attributes["max_threads_per_block"])
with sim.checked() as found:
    fill((1,), (128,), (y, numpy.int32(100)))
print([(each.kind, each.element, each.thread) for each in found])
with sim.profiled() as profiles:
    fill((1,), (128,), (y, numpy.int32(99)))
print([(each.kernel, each.total.sectors) for each in profiles])
""", tmp_path).splitlines() == ["100.0 1024", "[('out of bounds', 'y[100]', (100, 0, 0))]", "[('fill<float>', 13)]"]


@pytest.mark.slow
def test_a_training_step(tmp_path):
    """The cpu's loss and weights, by the plain and by the recorded step, with dropped values, memory and errors."""
    assert run("""
import gpunet
import gpunet.nn.functional as F
from gpunet import nn, optim
from gpunet.sim import cupy

def trained(device, compiled):
    gpunet.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Dropout(0.2),
                          nn.Linear(36, 10)).to(device)
    optimizer = optim.Adam(model.parameters(), lr=3e-3)
    images, labels = gpunet.rand(16, 1, 8, 8).to(device), gpunet.randint(0, 10, (16,)).to(device)

    def step(images, labels):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(images), labels)
        loss.backward()
        optimizer.step()
        return loss

    step = gpunet.compile(step) if compiled else step
    losses = [step(images, labels).item() for _ in range(4)]
    return losses, [each.detach().cpu().numpy() for each in model.parameters()]

import numpy
losses, weights = trained("cpu", False)
for compiled in (False, True):
    its_losses, its_weights = trained("sim", compiled)
    numpy.testing.assert_allclose(its_losses, losses, rtol=1e-5)
    for mine, theirs in zip(its_weights, weights, strict=True):
        numpy.testing.assert_allclose(mine, theirs, rtol=2e-4, atol=1e-6)
pool = cupy.get_default_memory_pool()
used = pool.used_bytes()
x = gpunet.zeros(1000, device="sim")
print(pool.used_bytes() - used, pool.total_bytes() >= pool.used_bytes())
start, end = cupy.cuda.Event().record(), cupy.cuda.Event().record()
print(cupy.cuda.get_elapsed_time(start, end) >= 0)
try:
    F.cross_entropy(x.reshape(100, 10), gpunet.full((100,), 11, device="sim")).item()
except IndexError as error:
    print(error)
""", tmp_path).splitlines() == [
        "4000 True", "True", "cross_entropy: the target of row 0 is 11, but there are 10 classes: targets must be from "
        "0 to 9, or ignore_index"]


# ---- its memory ------------------------------------------------------------------------------------------------------
def held(address, size):
    """The bytes of an array and of the gaps around it."""
    return np.frombuffer(ctypes.string_at(address - 128, size + 256), np.uint8)


def test_arrays_lie_apart_and_hold_nan():
    region = Region(1 << 28)
    addresses = {size: region.allocate(size) for size in (0, 1, 128, 1000, 70000)}
    for size, address in addresses.items():
        assert address % 256 == 0 and (held(address, size) == 0xFF).all()
    ends = sorted((address, address + size) for size, address in addresses.items())
    assert all(after[0] - before[1] >= 256 for before, after in zip(ends, ends[1:], strict=False))
    assert region.in_use() == region.held() == sum(addresses)
    assert region.find(addresses[1000] + 999) == (addresses[1000], 1000)
    assert region.find(addresses[0]) == (addresses[0], 0)
    assert region.find(addresses[1000] + 1000) is None and region.find(region.begin - 1) is None


def test_memory_is_used_again():
    region = Region(1 << 28)
    first = region.allocate(1000)
    region.free(first)
    assert region.in_use() == 0 and region.held() >= 1000 and region.find(first) is None
    region.free(first)  # what is free stays so
    region.free(12345)
    assert region.allocate(990) == first and region.allocate(1000) != first


def test_it_has_an_end():
    region = Region(1 << 28)
    assert region.allocate(1 << 28) is None and region.allocate(200 << 20) and region.allocate(200 << 20) is None


def test_large_arrays_go_back_to_the_system(monkeypatch):
    """Those that come when much is free: their pages are new ones, which hold zeros."""
    monkeypatch.setattr(regions, "_KEEP_FREE", 3 << 20)
    region = Region(1 << 28)
    small, large = region.allocate(100), [region.allocate(2 << 20) for _ in range(2)]
    beside = region.allocate(5000)
    for address in large:
        region.free(address)
    kept, gone = (ctypes.string_at(address + 8192, 4096) for address in large)
    assert kept == b"\xff" * 4096 and gone == bytes(4096)
    assert (held(small, 100) == 0xFF).all() and (held(beside, 5000) == 0xFF).all()
