"""Training steps of five networks, and forward passes in evaluation, on any device."""

from __future__ import annotations

import numpy as np

import gpunet
import gpunet.nn.functional as F
from gpunet import nn, optim
from tests.networks.test_scripts import SCRIPTS, load


def _script(name):
    return load(next(path for path in SCRIPTS if path.stem == name), "gpunet")


def _given(device, *arrays):
    return [gpunet.tensor(array, device=device) for array in arrays]


def mlp(rng, device):
    model = nn.Sequential(nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 128), nn.ReLU(), nn.Linear(128, 10)).to(device)
    x, y = _given(device, rng.standard_normal((64, 784)).astype("f4"), rng.integers(0, 10, 64))
    return model, optim.Adam(model.parameters()), lambda: F.cross_entropy(model(x), y)


def lenet(rng, device):
    model = _script("lenet").build().to(device)
    x, y = _given(device, rng.standard_normal((64, 1, 28, 28)).astype("f4"), rng.integers(0, 10, 64))
    return model, optim.SGD(model.parameters(), lr=0.05, momentum=0.9), lambda: F.cross_entropy(model(x), y)


def resnet18(rng, device):
    model = _script("resnet18").ResNet18().to(device)
    x, y = _given(device, rng.standard_normal((8, 3, 32, 32)).astype("f4"), rng.integers(0, 10, 8))
    optimizer = optim.SGD(model.parameters(), lr=0.02, momentum=0.9, weight_decay=5e-4)
    return model, optimizer, lambda: F.cross_entropy(model(x), y)


def gpt(rng, device):
    model = _script("gpt").build().to(device)
    x, y = _given(device, rng.integers(0, 65, (4, 16)), rng.integers(0, 65, (4, 16)))
    return model, optim.AdamW(model.parameters()), lambda: model(x, y)[1]


def lstm(rng, device):
    model = _script("lstm_language_model").build().to(device)
    x, y = _given(device, rng.integers(0, 50, (12, 6)), rng.integers(0, 50, (12, 6)))
    hidden = tuple(h.to(device) for h in model.init_hidden(6))
    return model, optim.Adam(model.parameters()), lambda: F.nll_loss(model(x, hidden)[0], y.reshape(-1))


NETWORKS = {function.__name__: function for function in (mlp, lenet, resnet18, gpt, lstm)}


def training_step(name: str, device: str):
    """A step of a network, as a function without arguments."""
    _, optimizer, loss_of = NETWORKS[name](np.random.default_rng(0), device)

    def step():
        optimizer.zero_grad()
        loss = loss_of()
        loss.backward()
        optimizer.step()
        return loss

    return step


def forward_pass(name: str, device: str):
    """A network's loss in evaluation, without gradients, as a function without arguments."""
    model, _, loss_of = NETWORKS[name](np.random.default_rng(0), device)
    model.eval()
    return gpunet.no_grad()(loss_of)
