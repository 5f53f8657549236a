"""Each wrapper of kernels/ptx.cuh by itself, on the simulator and on the GPU, against what NumPy expects.

So the simulator's meaning of an instruction is held against the hardware's wherever these tests run on one.
"""

import re
from pathlib import Path

import numpy as np
import pytest

import gpunet
from gpunet.kernel import Kernel, nvrtc, source

FILE = Path(__file__).with_name("ptx.cu")
THREADS = 64


def run(gpu, wrapper, *arguments):
    """Launches use_<wrapper> with one block. NumPy arrays are copied to the device; types and shapes ask for an output,
    and these are returned."""
    device = gpunet.devices.get(gpu)
    arrays, outputs = [], []
    for argument in arguments:
        if isinstance(argument, np.ndarray):
            arrays.append(device.from_host(argument))
        else:
            dtype, *shape = argument
            array = device.empty(tuple(shape), dtype)
            array.fill(77)  # poison: every element must be written
            arrays.append(array)
            outputs.append(array)
    Kernel(FILE, f"use_{wrapper}").on(device)(1, THREADS, *arrays)
    device.synchronize()
    return [array.get() for array in outputs]


def smem_u32(gpu):
    distances, values = run(gpu, "smem_u32", (np.uint32, 64), (np.int32, 64))
    np.testing.assert_array_equal(distances, 4 * np.arange(64))
    np.testing.assert_array_equal(values, 1000 + np.arange(64)[::-1])


def copies(gpu, wrapper, width):
    """Copies from anywhere in x in any order; those that are not valid give zeros, and may not read."""
    random = np.random.default_rng(0)
    x = random.standard_normal((200, width)).astype(np.float32)
    places, valid = random.permutation(200)[:THREADS], random.random(THREADS) < 0.7
    outside = np.where(valid, places, 2**40)
    (out,) = run(gpu, wrapper, (np.float32, THREADS, width), x, outside.astype(np.int64), valid)
    np.testing.assert_array_equal(out, np.where(valid[:, None], x[places], 0)[::-1])


def cp_async16(gpu):
    copies(gpu, "cp_async16", 4)


def cp_async4(gpu):
    copies(gpu, "cp_async4", 1)


def cp_async_commit(gpu):
    x = np.random.default_rng(0).standard_normal((3, THREADS)).astype(np.float32)
    (out,) = run(gpu, "cp_async_commit", (np.float32, 2, THREADS), x)
    np.testing.assert_array_equal(out, [x[0], x[1] + x[2]])


def cp_async_wait(gpu):
    x = np.random.default_rng(0).standard_normal((4, THREADS)).astype(np.float32)
    (out,) = run(gpu, "cp_async_wait", (np.float32, 4, THREADS), x)
    np.testing.assert_array_equal(out, x)


TESTS = {test.__name__: test for test in (smem_u32, cp_async16, cp_async4, cp_async_commit, cp_async_wait)}


@pytest.mark.parametrize("wrapper", TESTS)
def test_wrapper(gpu, wrapper):
    TESTS[wrapper](gpu)


def test_every_wrapper_has_a_test():
    text = source.read("ptx.cuh").text
    wrappers = set(re.findall(r"^__device__ __forceinline__ [\w\s*&:<>]*?\b(\w+)\(", text, re.MULTILINE))
    assert wrappers, "no wrapper was found in ptx.cuh"
    assert wrappers == set(TESTS)


@pytest.mark.parametrize("capability", [75, 80, 90])
def test_these_kernels_compile_for_the_gpu(capability):
    try:
        arch = nvrtc.architecture(capability)
    except nvrtc.NvrtcError as error:
        pytest.skip(str(error))
    program = nvrtc.compile(source.read(FILE), arch, tuple(f"use_{wrapper}" for wrapper in TESTS))
    assert "warning" not in program.log, program.log
