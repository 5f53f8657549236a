"""Optimizer kernels on the simulator against PyTorch."""

import numpy as np
import pytest

from gpunet.kernel import Launcher
from gpunet.ops import optim as ops

sgd_step, adam_step = ops.sgd_step.op.launch, ops.adam_step.op.launch
torch = pytest.importorskip("torch")

DTYPES = {"float32": torch.float32, "float64": torch.float64, "float16": torch.float16}
TOLERANCE = {"float32": 2e-6, "float64": 1e-13, "float16": 4e-3}
STEPS = 3


def start(size, dtype):
    random = np.random.default_rng(size)
    weight = random.standard_normal(size).astype(dtype)
    return weight, [random.standard_normal(size).astype(dtype) for _ in range(STEPS)]


def wide(dtype):
    """The type of states."""
    return "float32" if dtype == "float16" else dtype


def torch_result(optimizer, weight, gradients, **options):
    parameter = torch.nn.Parameter(torch.tensor(weight))
    optimizer = optimizer([parameter], foreach=False, **options)
    for gradient in gradients:
        parameter.grad = torch.tensor(gradient)
        optimizer.step()
    return parameter.detach().numpy()


def close(ours, theirs):
    tolerance = TOLERANCE[theirs.dtype.name]
    np.testing.assert_allclose(ours.get(), theirs, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", [1, 3, 8, 131, 5000])
@pytest.mark.parametrize("options", [
    {}, {"weight_decay": 0.1}, {"momentum": 0.9}, {"momentum": 0.9, "dampening": 0.3, "weight_decay": 0.1},
    {"momentum": 0.9, "nesterov": True}, {"momentum": 0.5, "maximize": True},
], ids=str)
def test_sgd(cuda, dtype, size, options):
    weight, gradients = start(size, dtype)
    parameter, rate, step = cuda(weight), cuda(np.array([0.1])), cuda(np.array([0.0]))
    buffer = cuda.empty(size if "momentum" in options else 0, wide(dtype))  # what it holds at first must not matter
    attributes = {"momentum": 0.0, "dampening": 0.0, "weight_decay": 0.0, "nesterov": False, "maximize": False}
    for number, gradient in enumerate(gradients):
        assert step.get()[0] == number
        sgd_step(cuda, parameter, buffer, step, cuda(gradient), rate, count=True, **attributes | options)
    close(parameter, torch_result(torch.optim.SGD, weight, gradients, lr=0.1, **options))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("size", [1, 3, 131, 5000])
@pytest.mark.parametrize("decoupled", [False, True])
@pytest.mark.parametrize("options", [
    {}, {"weight_decay": 0.1}, {"amsgrad": True, "betas": (0.5, 0.9)}, {"maximize": True, "eps": 1e-3},
], ids=str)
def test_adam(cuda, dtype, size, decoupled, options):
    weight, gradients = start(size, dtype)
    parameter, rate, step = cuda(weight), cuda(np.array([0.01])), cuda(np.array([0.0]))
    mean, square = cuda(np.zeros_like(weight)), cuda(np.zeros_like(weight))
    largest = cuda(np.zeros(size if "amsgrad" in options else 0, weight.dtype))
    betas = options.get("betas", (0.9, 0.999))
    decay = options.get("weight_decay", 0.01 if decoupled else 0.0)
    for number, gradient in enumerate(gradients):
        assert step.get()[0] == number
        adam_step(cuda, parameter, mean, square, largest, step, cuda(gradient), rate, count=True, beta1=betas[0],
                  beta2=betas[1], eps=options.get("eps", 1e-8), weight_decay=decay, decoupled=decoupled,
                  maximize=options.get("maximize", False))
    optimizer = torch.optim.AdamW if decoupled else torch.optim.Adam
    close(parameter, torch_result(optimizer, weight, gradients, lr=0.01, **options))


@pytest.mark.parametrize("limit", [4096, 32764])
def test_many_tensors(cuda, limit, monkeypatch):
    """As many launches as the limit of a kernel's parameters asks for; pieces, empty tensors and addresses that are no
    multiples of 16 bytes in any order."""
    monkeypatch.setattr(cuda, "parameter_bytes", limit)
    random = np.random.default_rng(0)
    lengths = [0, 4096, 4097, *random.integers(1, 40, 80), 9000, 0]
    weights = [random.standard_normal(n + 1).astype("float32") for n in lengths]
    gradients = [random.standard_normal(n).astype("float32") for n in lengths]
    on_device = [cuda(weight)[number % 2:][:n] for number, (weight, n) in enumerate(zip(weights, lengths, strict=True))]
    buffers = [cuda.empty(n, "float32") for n in lengths]
    rate, step, launches = cuda(np.array([0.5])), cuda(np.array([0.0])), []
    call = Launcher.__call__
    monkeypatch.setattr(Launcher, "__call__", lambda self, *args: launches.append(self.name) or call(self, *args))
    outs = [array for pair in zip(on_device, buffers, strict=True) for array in pair]
    sgd_step(cuda, *outs, step, *map(cuda, gradients), rate, count=True, momentum=0.9, dampening=0.0, weight_decay=0.0,
             nesterov=False, maximize=False)
    assert len(launches) == 1 + (2 if limit == 4096 else 1)
    for number, (array, weight, gradient) in enumerate(zip(on_device, weights, gradients, strict=True)):
        np.testing.assert_allclose(array.get(), weight[number % 2:][: gradient.size] - 0.5 * gradient, rtol=1e-6,
                                   atol=1e-6)
