"""A kernel that does not end: Ctrl-C, a handler of one's own, and the time-out end it, whatever it is busy with."""

import faulthandler
import os
import signal
import sys
import threading
import time

import numpy as np
import pytest

from gpunet import sim
from gpunet.sim import cupy as xp
from gpunet.sim import toolchain

CODE = r"""
__device__ float out;
__global__ void loops(float* y, int n) { volatile int one = 1; while (one) { } }
__global__ void counts(float* y, int n) { volatile long long i = 0; while (i >= 0) i = i + 1; }
__global__ void waits_for_an_atomic(float* y, int n) { while (atomicAdd(&y[0], 0.f) == 0.f) { } }
__global__ void synchronises(float* y, int n) { volatile int one = 1; while (one) { __syncthreads(); } }
__global__ void sleeps(float* y, int n) { volatile int one = 1; while (one) { __nanosleep(10); } }
__global__ void calls_the_library(float* y, int n) { volatile int one = 1; while (one) { out = sinf(expf(out)); } }
__global__ void prints(float* y, int n) { volatile int one = 1; while (one) printf("\r"); }
__global__ void second_block_loops(float* y, int n) { volatile int one = 1; if (blockIdx.x == 1) while (one) { } }
__global__ void sums(float* y, int n) {
    float a = threadIdx.x;
    for (int i = 0; i < n; i++) a = a * 0.999f + 1e-3f;
    y[threadIdx.x] = a;
}
"""
ENDLESS = {"loops": 1, "counts": 1, "waits_for_an_atomic": 1, "synchronises": 1, "sleeps": 1, "calls_the_library": 1,
           "prints": 1, "second_block_loops": 8}


@pytest.fixture(scope="module")
def kernel():
    """Built before the first signal is on its way."""
    module = xp.RawModule(code=CODE)
    module.compile()
    return module.get_function


@pytest.fixture
def handle():
    """Sets the handler of SIGINT, and sends that signal after a while."""
    before = signal.getsignal(signal.SIGINT)
    timers = []

    def start(handler, delay):
        signal.signal(signal.SIGINT, handler)
        timers.append(threading.Timer(delay, os.kill, (os.getpid(), signal.SIGINT)))
        timers[-1].start()

    yield start
    signal.signal(signal.SIGINT, lambda *_: None)
    for timer in timers:
        timer.cancel()
        timer.join()
    signal.signal(signal.SIGINT, before)


def launch(function, grid=1, n=0):
    y = xp.zeros(32, np.float32)
    function((grid,), (32,), (y, np.int32(n)))
    return y.get()


@pytest.mark.parametrize("name", ENDLESS)
def test_ctrl_c(kernel, handle, name):
    wanted = launch(kernel("sums"), n=100)
    handle(signal.default_int_handler, 0.1)
    with pytest.raises(KeyboardInterrupt):
        launch(kernel(name), ENDLESS[name])
    np.testing.assert_array_equal(launch(kernel("sums"), n=100), wanted)  # the simulator works as before


def test_beside_another_handler_of_faults(kernel, handle):
    """A kernel in another library's function is stopped where it returns, by a fault that nobody else hears of."""
    launch(kernel("sums"))
    was = faulthandler.is_enabled()
    faulthandler.disable()
    faulthandler.enable(sys.__stderr__)
    try:
        for _ in range(2):
            handle(signal.default_int_handler, 0.1)
            with pytest.raises(KeyboardInterrupt):
                launch(kernel("calls_the_library"))
    finally:
        if not was:
            faulthandler.disable()


@pytest.mark.slow
def test_many_short_blocks(kernel, handle):
    handle(signal.default_int_handler, 0.1)
    with pytest.raises(KeyboardInterrupt):
        launch(kernel("sums"), grid=2**31 - 1, n=1000)


def test_a_handler_that_returns_changes_nothing(kernel, handle):
    """Handlers run while the kernel does, which then goes on where it was."""
    seen = []

    def again(*_):
        seen.append(1)
        handle(again, 0.05)  # one signal at a time: two that wait for a busy processor would be one

    handle(again, 0.05)
    y = xp.zeros(32, np.float32)
    while len(seen) < 3:
        kernel("sums")((1,), (32,), (y, np.int32(1_000_000)))
    np.testing.assert_array_equal(y.get(), launch(kernel("sums"), n=1_000_000))


def test_a_handler_that_raises(kernel, handle):
    """As the one of pytest's time-outs."""
    def fail(*_):
        raise LookupError("mine")

    handle(fail, 0.1)
    with pytest.raises(LookupError, match="mine"):
        launch(kernel("loops"))


def test_a_handler_that_launches_a_kernel(kernel, handle):
    handle(lambda *_: launch(kernel("sums")), 0.1)
    with pytest.raises(sim.KernelError, match="a handler of signals launched it while another kernel runs"):
        launch(kernel("loops"))


@pytest.mark.slow
def test_waiting_for_another_thread_s_kernel(kernel, handle):
    toolchain.runtime().gpunet_sim_set_timeout(2)
    ended = []

    def run():
        with pytest.raises(sim.KernelError, match="has not ended after 2 s"):
            launch(kernel("loops"))
        ended.append(1)

    other = threading.Thread(target=run)
    other.start()
    try:
        time.sleep(0.1)
        handle(signal.default_int_handler, 0.1)
        with pytest.raises(KeyboardInterrupt):
            launch(kernel("sums"))
        assert not ended
    finally:
        other.join()
        toolchain.runtime().gpunet_sim_set_timeout(60)


@pytest.mark.parametrize("name", ENDLESS)
@pytest.mark.slow
def test_time_out(kernel, name):
    toolchain.runtime().gpunet_sim_set_timeout(0.15)
    try:
        with pytest.raises(sim.KernelError, match=r"has not ended after 0.15 s; .*\$GPUNET_SIM_TIMEOUT") as error:
            launch(kernel(name), ENDLESS[name])
    finally:
        toolchain.runtime().gpunet_sim_set_timeout(60)
    assert f"[block ({int(ENDLESS[name] > 1)},0,0)" in str(error.value)
    launch(kernel("sums"))


def test_in_a_forked_child(kernel, handle):
    launch(kernel("sums"))
    child = os.fork()
    if not child:
        status = 1
        try:
            handle(signal.default_int_handler, 0.1)
            launch(kernel("loops"))
        except KeyboardInterrupt:
            status = 0
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0


def test_ctrl_c_in_the_checker(kernel, handle):
    """Its process is ended, and a new one does the next job."""
    y = np.zeros(32, np.float32)
    assert sim.check(kernel("sums"), 1, 32, (y, np.int32(1))) == []
    handle(signal.default_int_handler, 0.3)
    with pytest.raises(KeyboardInterrupt):
        sim.check(kernel("counts"), 1, 32, (y, np.int32(1)))
    assert sim.check(kernel("sums"), 1, 32, (y, np.int32(1))) == []
