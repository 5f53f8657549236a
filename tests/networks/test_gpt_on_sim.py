"""The GPT script trains on the simulated GPU, through the kernels, as on the CPU: in float32 and in bfloat16."""

import numpy as np
import pytest

import gpunet
from tests.networks.test_scripts import SCRIPTS, load

STEPS = 4
# How far losses may lie apart: float32's sums differ in their order; bfloat16 has 8 bits, and a loss of about 4 is
# rounded to steps of 1/64.
BOUNDS = {gpunet.float32: 1e-5, gpunet.bfloat16: 1e-2}


@pytest.fixture(scope="module")
def script():
    return load(next(path for path in SCRIPTS if path.stem == "gpt"), "gpunet")


def losses(script, device, dtype):
    gpunet.manual_seed(0)
    model = script.build().to(dtype).to(device)
    rng = np.random.default_rng(0)
    optimizer = gpunet.optim.AdamW(model.parameters(), lr=1e-3)
    found = []
    for _ in range(STEPS):
        x, y = (gpunet.tensor(rng.integers(0, script.VOCABULARY, (script.BATCH, script.LENGTH)), device=device)
                for _ in range(2))
        loss = model(x, y)[1]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        found.append(loss.item())
    return found


@pytest.mark.parametrize("dtype", [gpunet.float32, pytest.param(gpunet.bfloat16, marks=pytest.mark.slow)], ids=str)
def test_losses_are_those_of_the_cpu(script, dtype):
    found, expected = losses(script, "sim", dtype), losses(script, "cpu", dtype)
    np.testing.assert_allclose(found, expected, rtol=BOUNDS[dtype])
