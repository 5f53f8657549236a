"""Optimizer kernels on the simulator against PyTorch."""

import numpy as np
import pytest

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
    buffer = cuda.empty(size if "momentum" in options else 0, weight.dtype)  # what it holds at first must not matter
    attributes = {"momentum": 0.0, "dampening": 0.0, "weight_decay": 0.0, "nesterov": False, "maximize": False}
    for number, gradient in enumerate(gradients):
        step.fill(number + 1)
        sgd_step(cuda, parameter, buffer, cuda(gradient), rate, step, **attributes | options)
    close(parameter, torch_result(torch.optim.SGD, weight, gradients, lr=0.1, **options))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("size", [1, 3, 8, 131, 5000])
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
        step.fill(number + 1)
        adam_step(cuda, parameter, mean, square, largest, cuda(gradient), rate, step, beta1=betas[0], beta2=betas[1],
                  eps=options.get("eps", 1e-8), weight_decay=decay, decoupled=decoupled,
                  maximize=options.get("maximize", False))
    optimizer = torch.optim.AdamW if decoupled else torch.optim.Adam
    close(parameter, torch_result(optimizer, weight, gradients, lr=0.01, **options))
