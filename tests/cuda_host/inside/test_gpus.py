"""With two GPUs, all work for a tensor is done on its own (test_cases.py says the same of every op)."""

import numpy as np
import pytest

import gpunet
import gpunet.nn.functional as F
from gpunet import nn, optim
from tests.cuda_host.inside.counting import counted, counts


@pytest.fixture(autouse=True)
def nothing_on_gpu_0():
    gpunet.devices.get("cuda:1")
    before = counts(0)
    yield
    assert counts(0) == before


def test_random_state_and_fills():
    generator = gpunet.Generator().manual_seed(3)
    found = counted(lambda: gpunet.randn(4, 4, device="cuda:1", generator=generator), 1)
    assert found == {"launches": 2, "memsets": 1}  # the seed and the numbers; the base, which is 0


def step_on(device, *, learning_rates=(0.1,), anomaly=False):
    model = nn.Sequential(nn.Linear(12, 16), nn.ReLU(), nn.Dropout(0.3), nn.Linear(16, 5)).to(device)
    optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)

    @gpunet.compile
    def step(x, y):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    x, y = gpunet.zeros(8, 12, device=device), gpunet.zeros(8, dtype=gpunet.int64, device=device)
    for rate in learning_rates:
        optimizer.param_groups[0]["lr"] = rate
        step(x, y)
    return lambda: step(x, y)


def test_graphs_are_launched_where_they_were_captured():
    step = step_on("cuda:1", learning_rates=(0.1, 0.1, 0.2, 0.3))
    assert counted(step, 1)["graphs"] == 1


def test_copies_and_reading():
    x = gpunet.tensor(np.arange(6.0), device="cuda:1")
    assert x.tolist() == [0, 1, 2, 3, 4, 5] and x[2].item() == 2
    assert x.cpu().to("cuda:1").numpy(force=True).tolist() == x.tolist()
    x[1:3].zero_()
    x.clone().detach().requires_grad_().sum().backward()


def test_anomaly_detection_looks_on_every_gpu(monkeypatch):
    looked = []
    monkeypatch.setattr("gpunet.autograd.anomaly._found", lambda xp, x: looked.append(xp.__name__))
    with gpunet.autograd.detect_anomaly():
        (gpunet.ones(3, device="cuda:1", requires_grad=True) * 2).sum().backward()
    assert looked.count("cupy") > 4
