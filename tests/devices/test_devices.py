"""Naming devices, moving between them, and what is said when one is missing."""

import subprocess
import sys
import textwrap

import numpy as np
import pytest

import gpunet
import gpunet.nn.functional as F


@pytest.mark.parametrize("arguments, text, index", [
    (("cpu",), "cpu", None), (("cuda",), "cuda", None), (("cuda:1",), "cuda:1", 1), (("cuda", 2), "cuda:2", 2),
    (("sim",), "sim", None), ((gpunet.device("cuda:3"),), "cuda:3", 3),
])
def test_names(arguments, text, index):
    device = gpunet.device(*arguments)
    assert str(device) == text and device.index == index
    assert device == gpunet.device(text) and hash(device) == hash(gpunet.device(text))


@pytest.mark.parametrize("name, message", [
    ("gpu", "no device type 'gpu'; choose one of cpu, cuda, sim, meta"), ("cuda:x", "is not a number"),
    ("sim:1", "only one sim device"), ("cpu:2", "only one cpu device"),
])
def test_bad_names(name, message):
    with pytest.raises(RuntimeError, match=message):
        gpunet.device(name)


def test_mixing_devices_names_both():
    with pytest.raises(RuntimeError, match=r"add: expected all tensors on one device, but found (sim and cpu|cpu and)"):
        gpunet.ones(3) + gpunet.ones(3, device="sim")
    assert (gpunet.tensor(2.0) * gpunet.ones(3, device="sim")).tolist() == [2.0] * 3  # a 0-d CPU tensor follows


def test_gradients_cross_devices():
    x = gpunet.tensor([1.0, 2.0], requires_grad=True)
    (x.to("sim") ** 2).sum().backward()
    assert x.grad.device == gpunet.device("cpu") and x.grad.tolist() == [2.0, 4.0]


def test_default_device_as_a_context():
    with gpunet.device("sim"):
        assert gpunet.zeros(2).device == gpunet.device("sim")
    assert gpunet.zeros(2).device == gpunet.device("cpu")


def test_kernels_see_the_values_of_strided_arrays():
    x, w = gpunet.arange(12.0).reshape(3, 4).to("sim"), gpunet.arange(24.0).reshape(6, 4).to("sim")
    # Transposed and strided operands: a kernel that ignored strides would read other elements.
    assert F.linear(x.t(), w[::2, 1:]).tolist() == F.linear(x.cpu().t(), w.cpu()[::2, 1:]).tolist()
    assert F.cross_entropy(x.t(), gpunet.tensor([0, 1, 2, 0], device="sim")).item() == pytest.approx(
        F.cross_entropy(x.cpu().t(), gpunet.tensor([0, 1, 2, 0])).item(), rel=1e-6)


@pytest.mark.parametrize("device", ["cpu", "sim"])
@pytest.mark.parametrize("value", [5, -1])
def test_a_target_out_of_range_names_row_value_and_classes(device, value):
    logits = gpunet.zeros(3, 5, device=device)
    with pytest.raises(IndexError, match=f"target of row 1 is {value}, but there are 5 classes"):
        F.cross_entropy(logits, gpunet.tensor([0, value, 2], device=device))
    assert F.cross_entropy(logits, gpunet.tensor([0, 1, 2], device=device)).item() == pytest.approx(np.log(5), rel=1e-6)


def without(module, code):
    """Runs code in a process where a module cannot be imported."""
    script = f"import sys; sys.modules[{module!r}] = None\n" + textwrap.dedent(code)
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)


def test_cuda_without_cupy_says_what_to_install():
    done = without("cupy", """
        import gpunet
        try:
            gpunet.zeros(2, device="cuda")
        except RuntimeError as error:
            print(error)
    """)
    assert "device 'cuda' needs CuPy" in done.stdout and "pip install 'gpunet[cuda13]'" in done.stdout, done.stderr


def test_cuda_without_a_driver_does_not_blame_its_version():
    cupy = pytest.importorskip("cupy")
    try:
        cupy.cuda.runtime.getDeviceCount()
    except cupy.cuda.runtime.CUDARuntimeError:
        with pytest.raises(RuntimeError, match="needs an NVIDIA GPU and its driver, and neither answers here"):
            gpunet.zeros(2, device="cuda")
    else:
        pytest.skip("this machine has a driver")


def test_sim_without_a_compiler_says_what_to_install(tmp_path):
    code = """
        import sys
        sys.modules["llvmlite"] = None  # nor the other engine
        import gpunet
        try:
            gpunet.rand(4, device="sim")
        except RuntimeError as error:
            print(error)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True,
                          env={"PATH": str(tmp_path), "GPUNET_CACHE_DIR": str(tmp_path), "HOME": str(tmp_path)})
    assert "compiler" in done.stdout and "pip install 'gpunet[sim]'" in done.stdout, done.stderr
    assert done.stdout.count("\n") == 1
