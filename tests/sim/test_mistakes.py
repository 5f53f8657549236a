"""What wrong kernels and wrong launches are told."""

import re

import numpy as np
import pytest
from sim_kernels import line_of

import gpunet.sim.cupy as xp
from gpunet import sim

i32, f32 = np.int32, np.float32


@pytest.fixture
def out():
    return xp.zeros(64, np.float32)


def error_of(launch, *arguments, **keywords) -> str:
    with pytest.raises(sim.KernelError) as caught:
        launch(*arguments, **keywords)
    return str(caught.value)


@pytest.mark.parametrize("name, arguments, words", [
    ("divergent_barrier", (), ["divergent __syncthreads", line_of("divergent-first"), line_of("divergent-second")]),
    ("early_return", (i32(40),), ["__syncthreads", "24", line_of("early-return")]),
    ("deadlock", (), ["deadlock", "48 threads wait in __syncthreads at " + line_of("deadlock-barrier"),
                      "15 threads wait in a named barrier at " + line_of("deadlock-named"), "1 have exited"]),
    ("wrong_mask", (), [line_of("wrong-mask"), "lane 4 is not in its mask 0x0000000f", "thread (4,0,0)"]),
    ("divergent_shuffle", (), [line_of("shuffle-one"), line_of("shuffle-two"), "divergent warp collective"]),
    ("writes_outside_shared", (i32(16),), [line_of("shared-canary"), "'tile' (64 bytes", "byte 64 is damaged"]),
    ("too_much_shared", (), [line_of("too-much-shared"), "'large'", "52000", "49152"]),
])
def test_mistakes_are_named_with_their_lines(launch, out, name, arguments, words):
    message = error_of(launch, name, 1, 64, out, *arguments)
    assert re.search(r"block \(0,0,0\)", message) and f"kernel {name} of kernel.cu" in message
    for word in words:
        assert word in message


def test_assertions_name_the_thread(launch):
    x = xp.asarray(np.arange(8, dtype=np.int32))
    message = error_of(launch, "asserts", 1, 8, x)
    assert f"{line_of('assert')}: assertion failed: x[threadIdx.x] < 5 [block (0,0,0), thread (5,0,0)]" in message


def test_waiting_for_a_copy_that_nobody_started(launch, out):
    x = xp.zeros((64, 64), np.float16)
    maps = [sim.tensor_map(x, (64, 64), swizzle=128)] * 2
    message = error_of(launch, "hopper_product", 1, 128, out, *maps, i32(64), i32(1), shared_mem=32768)
    assert f"deadlock: 128 threads wait in an mbarrier wait at {line_of('mbarrier-wait')}" in message


def test_tensor_maps_follow_the_drivers_rules():
    x = xp.zeros((8, 30), np.float16)
    for box, message in [((8, 8), "multiples of 16"), ((8, 300), "multiples of 16")]:
        with pytest.raises(ValueError, match=message):
            sim.tensor_map(x, box)
    x = xp.zeros((8, 128), np.float16)
    for box, message in [((8, 300), "up to 256"), ((8, 4), "multiple of 16"), ((8, 128), "at most 128 bytes")]:
        with pytest.raises(ValueError, match=message):
            sim.tensor_map(x, box, swizzle=128)


def test_misaligned_copy(launch, out):
    assert f"{line_of('misaligned')}: cp.async of 16 bytes" in error_of(launch, "misaligned_copy", 1, 1, out, out)


@pytest.mark.parametrize("where, byte", [(64, 256), (65, 260), (-1, -4)])
def test_writes_outside_an_array(launch, out, where, byte):
    message = error_of(launch, "writes_outside", 1, 1, out, i32(where))
    assert f"argument 0 (256 bytes): byte {byte} is damaged" in message
    launch("writes_outside", 1, 1, out, i32(3))  # told once, not for ever


def test_uninitialised_memory_is_nan(launch, out):
    launch("uninitialised", 1, 32, out)
    assert np.isnan(out.get()[:32]).all()
    assert np.isnan(xp.empty(5, np.float16).get()).all()


def test_waiting_for_a_block_that_never_comes_ends(launch, out):
    from gpunet.sim import toolchain

    toolchain.runtime().gpunet_sim_set_timeout(0.2)
    try:
        message = error_of(launch, "waits_forever", 1, 1, xp.zeros(1, np.int32))
    finally:
        toolchain.runtime().gpunet_sim_set_timeout(60)
    assert line_of("spins") in message and "has not ended" in message


def test_the_simulator_works_after_a_mistake(launch, out):
    error_of(launch, "divergent_barrier", 1, 64, out)
    x = xp.ones(100, np.float32)
    launch("block_sums", 1, 256, out, x, i32(100))
    assert out[0].item() == 100


# ---- launches ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("arguments, message", [
    ((1, 2, 3), "3 arguments given, the kernel takes 4"),
    (("out", "out", "out", 1.0), "argument 3: the Python float 1.0 given, the parameter is an integer of 4 bytes"),
    (("out", "out", "out", np.int64(1)), "argument 3: the int64 number 1 given"),
    (("out", "out", "out", 2**35), "argument 3: the Python int"),
    (("out", "out", "host", 1), "argument 2: a host float32 array of shape (64,) given, the parameter is a pointer"),
    (("out", "out", np.float32(1), 1), "argument 2: the float32 number 1.0 given"),
    (("out", "out", "out", "out"), "argument 3: a device float32 array of shape (64,) given"),
])
def test_wrong_arguments(launch, out, arguments, message):
    arguments = [{"out": out, "host": np.zeros(64, f32)}.get(a, a) if isinstance(a, str) else a for a in arguments]
    with pytest.raises(TypeError, match=re.escape(message)):
        launch("add<float>", 1, 1, *arguments)


def test_a_python_float_for_a_float_parameter_is_refused(launch, out):
    # CuPy passes eight bytes, of which the kernel reads the wrong four.
    with pytest.raises(sim.ArgumentError, match="Python float 2.0 given, the parameter is a floating-point number"):
        launch("contraction", 1, 1, out, 2.0, f32(1), f32(1))


def test_pointers_to_nowhere(launch, out):
    assert "points to host memory" in error_of(launch, "writes_outside", 1, 1, np.zeros(1).ctypes.data, i32(0))
    address = xp.empty(10, f32)._address
    assert "points to no array" in error_of(launch, "writes_outside", 1, 1, address + 2**30, i32(0))


@pytest.mark.parametrize("grid, block, shared, message", [
    (0, 1, 0, "positive"), (1, 0, 0, "positive"), (1, 2048, 0, "1024"), (1, (32, 32, 2), 0, "more threads than"),
    ((1, 70000), 1, 0, "65535"), (1, 1, 49153, "set max_dynamic_shared_size_bytes first"),
])
def test_wrong_launches(launch, out, grid, block, shared, message):
    assert message in error_of(launch, "writes_outside", grid, block, out, i32(0), shared_mem=shared)


def test_launch_bounds_and_shared_limits(kernels, launch, out):
    assert "more threads than the 256" in error_of(launch, "block_sums", 1, 512, out, out, i32(1))
    function = kernels.get_function("writes_outside")
    with pytest.raises(sim.KernelError, match="the device has 232448"):
        function.max_dynamic_shared_size_bytes = 1 << 20
    assert kernels.get_function("block_sums").attributes["max_threads_per_block"] == 256


def test_grids_may_be_lists(kernels, out):
    kernels.get_function("writes_outside")([1], [1, 1], (out, 3))
    assert out[3].item() == 1


def test_unknown_kernels_are_named(kernels):
    with pytest.raises(sim.KernelError, match="no kernel 'nothing'; it has block_sums, shuffles"):
        kernels.get_function("nothing")


# ---- building ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("code, message", [
    ("\n\n__global__ void f(float* x) { x[0] = undeclared; }", r"kernel\.cu:3:\d+: error: .*undeclared"),
    ("__global__ void f(float* x) {\n  asm volatile(\"vote.x;\"); }", r"kernel\.cu:2:\d+: error: asm: inline PTX"),
    ("/* a\n b */ __global__ void f(long long* x) { *x = nothing(); }", r"kernel\.cu:2:\d+: error: .*nothing"),
    ("__global__ void f(int* x) {\n  __shared__ int a = 3;\n *x = a; }",
     r"kernel\.cu:2:\d+: error: cannot read this __shared__"),
    ("template <int N> __global__ void f(double* x) { atomicMax(x, 1.0); }", "CUDA has no such operation"),
])
def test_what_does_not_compile(code, message):
    names = ("f<1>",) if "template" in code else ()
    with pytest.raises(sim.CompileError, match=message):
        sim.Module(code=code, name_expressions=names).compile()


def test_included_files_keep_their_lines(tmp_path):
    (tmp_path / "helper.cuh").write_text("#pragma once\n\n__device__ void stop() {\n  __trap();\n}\n")
    (tmp_path / "main.cu").write_text('#include "helper.cuh"\n#include "helper.cuh"\n'
                                      "__global__ void good(int* x) { *x = __LINE__; }\n"
                                      "__global__ void bad(int* x) { stop(); }\n")
    x = xp.zeros(1, np.int32)
    module = xp.RawModule(path=tmp_path / "main.cu")
    module.get_function("good")((1,), (1,), (x,))
    assert x.item() == 3
    with pytest.raises(sim.KernelError, match=r"helper\.cuh:4: __trap"):
        module.get_function("bad")((1,), (1,), (x,))
    loaded = sim.load(tmp_path / "main.cu", "good")
    loaded((1,), (1,), (x,))
