"""Fixtures that all tests share."""

import pytest

import gpunet


def _open(name):
    try:
        gpunet.zeros(1, device=name)
    except (RuntimeError, ImportError) as error:
        pytest.skip(f"no device {name!r} here: {error}")
    if name == "sim":
        from gpunet.sim import toolchain

        try:
            toolchain.compiler()
        except RuntimeError as error:
            pytest.skip(str(error))
    return name


@pytest.fixture(params=["cpu", "sim", "cuda"])
def device(request):
    """Every device of this machine in turn; the missing ones are skipped, with the reason."""
    return _open(request.param)


@pytest.fixture(params=["sim", "cuda"])
def gpu(request):
    """Every device that runs the CUDA kernels."""
    return _open(request.param)


@pytest.fixture(autouse=True)
def _plain_state():
    """Every test starts from one seed and leaves the modes and defaults as they were."""
    gpunet.manual_seed(0)
    dtype = gpunet.get_default_dtype()
    yield
    gpunet.set_default_dtype(dtype)
    assert gpunet.is_grad_enabled() and not gpunet.is_inference_mode_enabled(), "the test left a gradient mode behind"
