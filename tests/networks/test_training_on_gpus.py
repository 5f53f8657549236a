"""The GPT and ResNet scripts train on a GPU, real or simulated, as on the CPU, through the kernels: in float32 and
bfloat16."""

import numpy as np
import pytest

import gpunet
from tests.networks.test_scripts import SCRIPTS, load

# How far losses may lie apart: float32's sums differ in their order; bfloat16 has 8 bits, and a loss of about 4 is
# rounded to steps of 1/64. Of ResNet's few samples a batch norm divides small spreads, which widens both.
BOUNDS = {"gpt": {gpunet.float32: 1e-5, gpunet.bfloat16: 1e-2}, "resnet18": {gpunet.float32: 5e-4,
                                                                             gpunet.bfloat16: 5e-2}}


def losses(name, device, dtype):
    script = load(next(path for path in SCRIPTS if path.stem == name), "gpunet")
    gpunet.manual_seed(0)
    model = script.build().to(dtype).to(device)
    train = gpt if name == "gpt" else resnet
    return train(script, model, device, dtype)


def gpt(script, model, device, _dtype):
    rng = np.random.default_rng(0)
    optimizer = gpunet.optim.AdamW(model.parameters(), lr=1e-3)
    found = []
    for _ in range(4):
        x, y = (gpunet.tensor(rng.integers(0, script.VOCABULARY, (script.BATCH, script.LENGTH)), device=device)
                for _ in range(2))
        loss = model(x, y)[1]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        found.append(loss.item())
    return found


def resnet(_script, model, device, dtype):
    rng = np.random.default_rng(0)
    optimizer = gpunet.optim.SGD(model.parameters(), lr=0.02, momentum=0.9, weight_decay=5e-4)
    found = []
    for _ in range(2):
        x = gpunet.tensor(rng.standard_normal((4, 3, 16, 16)), dtype=dtype, device=device)
        y = gpunet.tensor(rng.integers(0, 10, 4), device=device)
        loss = gpunet.nn.functional.cross_entropy(model(x), y, label_smoothing=0.1)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        found.append(loss.item())
    return found


@pytest.mark.parametrize("name, dtype", [
    pytest.param(name, dtype, marks=() if (name, dtype) == ("gpt", gpunet.float32) else pytest.mark.slow)
    for name, bounds in BOUNDS.items() for dtype in bounds], ids=str)
def test_losses_are_those_of_the_cpu(name, dtype, gpu):
    found, expected = losses(name, gpu, dtype), losses(name, "cpu", dtype)
    np.testing.assert_allclose(found, expected, rtol=BOUNDS[name][dtype])
