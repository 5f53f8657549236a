"""gpunet.compile on the device cuda: a CUDA graph where every call can be captured, else the calls one by one."""

import warnings

import pytest

import gpunet
import gpunet.nn.functional as F
from gpunet import nn, optim
from tests.cuda_host.inside.counting import counted


def training(*layers, shape):
    gpunet.manual_seed(0)
    model = nn.Sequential(*layers).to("cuda")
    optimizer = optim.Adam(model.parameters())

    def step(x, y):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    return step, gpunet.zeros(*shape, device="cuda"), gpunet.zeros(shape[0], dtype=gpunet.int64, device="cuda")


def dense():
    return training(nn.Linear(12, 16), nn.ReLU(), nn.Dropout(0.3), nn.Linear(16, 5), shape=(8, 12))


class Inverse(nn.Module):
    """Inverses are a library's, which cannot be captured."""

    def forward(self, x):
        return gpunet.linalg.inv(x)[:, -1]


def inverting():
    return training(Inverse(), nn.Linear(6, 5), shape=(8, 6, 6))


def test_a_dense_network_is_one_graph():
    step, x, y = dense()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        compiled = gpunet.compile(step)
        compiled(x, y)
        compiled(x, y)
    found = counted(lambda: compiled(x, y))
    assert found["graphs"] == 1
    assert found["launches"] <= 5  # copies of the inputs and the result, where the random numbers stand


def test_what_cannot_be_captured_is_replayed_call_by_call():
    step, x, y = inverting()
    step(x, y)
    eager = counted(lambda: step(x, y))
    compiled = gpunet.compile(step)
    compiled(x, y)
    gpunet.devices.get("cuda")._uncaptured.clear()
    with pytest.warns(RuntimeWarning, match="cannot be captured into a CUDA graph .*replayed call by call"):
        recording = counted(lambda: compiled(x, y))
    replayed = counted(lambda: compiled(x, y))
    for found in (recording, replayed):
        assert "graphs" not in found
        # One step, not one and a part of another; besides, copies of the inputs and of the result.
        assert found["library calls"] == eager["library calls"]
        assert 0 <= found["launches"] - eager["launches"] <= 8
    with warnings.catch_warnings():  # said once
        warnings.simplefilter("error")
        other = gpunet.compile(step)
        other(x, y)
        other(x, y)


def test_after_a_refused_capture_others_succeed():
    step, x, y = inverting()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        compiled = gpunet.compile(step)
        compiled(x, y)
        compiled(x, y)
    test_a_dense_network_is_one_graph()


@pytest.mark.parametrize("function", [
    lambda x: gpunet.sort(x)[0], lambda x: gpunet.linalg.inv(x @ x), lambda x: gpunet.cat([x] * 40),
    lambda x: gpunet.cumsum(x, 0), lambda x: F.layer_norm(x, (4,)), lambda x: gpunet.einsum("ij,kj->ik", x, x),
    lambda x: F.max_pool2d(x[None, None], 2), lambda x: x[x.long()], lambda x: gpunet.randn_like(x) + x,
], ids=["sort", "inv", "cat", "cumsum", "layer_norm", "einsum", "max_pool", "index", "randn"])
def test_any_op_can_be_recorded(function):
    x = gpunet.zeros(4, 4, device="cuda")
    compiled = gpunet.compile(function)
    expected = compiled(x)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = [compiled(x), compiled(x), compiled(x)]
    assert all((y.shape, y.dtype) == (expected.shape, expected.dtype) for y in found)
    gpunet.devices.get("cuda").synchronize()
