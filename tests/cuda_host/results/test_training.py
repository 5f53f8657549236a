"""Training on the device cuda gives the losses of the cpu: the scripts of tests/networks, and a network that is trained
by gpunet.compile's CUDA graph."""

import re
from pathlib import Path

import numpy as np
import pytest

import gpunet
from gpunet import nn, optim
from tests.cuda_host.inside.counting import counted
from tests.networks.test_scripts import SCRIPTS, load
from tests.networks.training_steps import NETWORKS, training_step

README = (Path(__file__).parents[3] / "README.md").read_text()
STEPS = 3


def losses(path, device, monkeypatch):
    """The script's, whose inputs come by from_numpy."""
    from_numpy = gpunet.from_numpy
    gpunet.manual_seed(0)
    script = load(path, "gpunet")
    model = script.build().to(device)
    with monkeypatch.context() as patch, gpunet.device(device):
        patch.setattr(gpunet, "from_numpy", lambda array: from_numpy(array).to(device))
        return script.train(model, STEPS)


def quick(names, name_of=str):
    """Kernels of the others take long to compile, where none is in the cache."""
    return [pytest.param(each, id=name_of(each), marks=() if name_of(each) in ("mlp", "lenet", "gpt") else
                         pytest.mark.slow) for each in names]


@pytest.mark.parametrize("path", quick(SCRIPTS, lambda path: path.stem))
def test_losses_are_those_of_the_cpu(path, monkeypatch):
    found, expected = (losses(path, device, monkeypatch) for device in ("cuda", "cpu"))
    assert np.ptp(expected) > 1e-3
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_the_training_step_of_the_readme():
    block = re.findall(r"```python\n(.*?)```", README, re.S)[0]
    found = {}
    for device in ("cpu", "cuda"):
        names = {}
        gpunet.manual_seed(0)
        exec(block.replace('device = "cpu"', f'device = "{device}"'), names)
        rng = np.random.default_rng(0)
        images = gpunet.tensor(rng.random((32, 64), np.float32), device=device)
        labels = gpunet.tensor(rng.integers(0, 10, 32), device=device)
        found[device] = [names["step"](images, labels).item() for _ in range(20)]
    assert found["cpu"][-1] < found["cpu"][0] / 1.2
    np.testing.assert_allclose(found["cuda"], found["cpu"], rtol=1e-5)


@pytest.mark.parametrize("name", quick(NETWORKS))
def test_the_graph_of_a_network_computes_what_its_calls_compute(name):
    found = {}
    for compiled in (False, True):
        gpunet.manual_seed(0)
        step = training_step(name, "cuda")
        step = gpunet.compile(step) if compiled else step
        found[compiled] = [step().item() for _ in range(5)]
    assert counted(step)["graphs"] == 1
    assert found[True] == found[False] and len(set(found[True])) == 5


def trained(device, compiled):
    """Losses of batches with dropout, and what the last step asked of the driver."""
    gpunet.manual_seed(0)
    model = nn.Sequential(nn.Linear(12, 16), nn.ReLU(), nn.Dropout(0.3), nn.Linear(16, 5)).to(device)
    optimizer = optim.AdamW(model.parameters(), lr=0.01)

    def step(x, y):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    step = gpunet.compile(step) if compiled else step
    rng = np.random.default_rng(0)
    batches = [(gpunet.tensor(rng.standard_normal((8, 12)).astype("f4"), device=device),
                gpunet.tensor(rng.integers(0, 5, 8), device=device)) for _ in range(6)]
    found = [step(*batch).item() for batch in batches]
    return found, counted(lambda: step(*batches[0])) if device == "cuda" else {}


def test_a_graph_computes_what_the_calls_compute():
    expected, calls = trained("cuda", compiled=False)
    replayed, graph = trained("cuda", compiled=True)
    assert replayed == expected
    assert graph["graphs"] == 1 and graph["launches"] < calls["launches"]
    on_cpu, _ = trained("cpu", compiled=True)
    np.testing.assert_allclose(expected, on_cpu, rtol=1e-5)
