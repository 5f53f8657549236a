"""my_kernel against NumPy, on every device that this machine has; its gradient; and its launches under the checker."""

import numpy as np
import pytest
from bench_my_kernel import cases
from my_kernel import my_kernel

import gpunet
from gpunet.autograd import gradcheck
from gpunet.benchmark import Lab, measure


@pytest.fixture(params=["cpu", "sim", "cuda"])
def device(request):
    try:
        gpunet.zeros(1, device=request.param)
    except RuntimeError as error:
        pytest.skip(str(error))
    return request.param


@pytest.mark.parametrize("dtype", [gpunet.float16, gpunet.float32, gpunet.float64])
@pytest.mark.parametrize("shape", [(0,), (1,), (257,), (3, 1000)])
def test_value(device, shape, dtype):
    x = gpunet.randn(*shape, device=device).to(dtype)
    given = x.cpu().numpy()
    expected = given / (1 + np.abs(given))
    np.testing.assert_allclose(my_kernel(x).cpu().numpy(), expected, rtol=4 * np.finfo(given.dtype).eps)


def test_gradient():
    assert gradcheck(my_kernel, (gpunet.randn(5, dtype=gpunet.float64, requires_grad=True),))


@pytest.mark.cuda_check  # every launch runs under gpunet's checker: races, accesses out of bounds, ...
@pytest.mark.parametrize("size", [1, 255, 256, 257, 10_000])
def test_nothing_to_report(size):
    my_kernel(gpunet.randn(size, device="sim"))


def test_the_benchmark_works():
    for case in cases(tiny=True):
        measure(Lab("sim"), case, rounds=2)  # raises where the result is wrong
