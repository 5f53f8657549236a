"""Gradients that one kernel computes together, or adds to what is there: the same as those of the plain formulas, and
the ops that this spares are not run. On the simulator, whose launches are the GPU's."""

import numpy as np
import pytest

import gpunet
import gpunet.nn.functional as F
from gpunet.devices.cuda import CudaDevice


def residual_norm(x, w, b, v):
    return x + F.layer_norm(x, (6,), b) @ w


def norm_first(x, w, b, v):  # the residual's gradient comes after the norm's
    y = x * 1
    return F.layer_norm(y, (6,), b) + (y @ w).relu()


def shared_input(x, w, b, v):
    y = x.tanh()
    return F.linear(y, w, b) + F.linear(y, w.t(), b) * F.linear(y, v)


def shared_weight(x, w, b, v):
    return F.linear(F.linear(x, w, b).relu(), w, b)


def itself(x, w, b, v):
    return (x @ x.t()).sum(1, keepdim=True) * x + w @ w @ x.t().sum(1)


def embedded(x, w, b, v):
    return F.embedding(gpunet.tensor([0, 3, 3, 5], device=x.device), w) @ w + F.linear(x, w, b)


def pieces(x, w, b, v):
    q, k, r = F.linear(x, gpunet.cat([w, v, w])).split(6, 1)
    return q * k.tanh() + r


def rows_apart(x, w, b, v):
    first, *others = (x @ w).unbind(0)
    return first * others[1] + others[2] * x[:, 2:4].sum() + x[1:, 1].sum()


def pieces_and_all(x, w, b, v):
    y = x @ w
    return y[:, :2] @ w[:2] * y + y[:, 2:] @ v[:4]


def heads(x, w, b, v):
    y = (x.unsqueeze(0) @ gpunet.cat([w, v], 1)).view(1, 4, 3, 4)
    q = k = y.transpose(1, 2)
    a = (q @ k.transpose(-2, -1)).softmax(-1) @ q
    return a.transpose(1, 2).reshape(4, 12)


PROGRAMS = [residual_norm, norm_first, shared_input, shared_weight, itself, embedded, pieces, rows_apart,
            pieces_and_all, heads]


def inputs(device):
    rng = np.random.default_rng(0)
    return [gpunet.tensor(rng.standard_normal(shape, np.float32), device=device, requires_grad=True)
            for shape in ((4, 6), (6, 6), (6,), (6, 6))]


def gradients(program, device, way):
    leaves = inputs(device)
    y = program(*leaves)
    loss = (y * y).sum()
    if way == "create_graph":
        found = gpunet.autograd.grad(loss, leaves, create_graph=True, allow_unused=True)
        loss = sum((g * g).sum() for g in found if g is not None)
        loss.backward()
    elif way == "grad":  # of some leaves alone
        found = gpunet.autograd.grad(loss, leaves[1:], allow_unused=True)
        return [None if g is None else g.cpu().numpy() for g in found]
    elif way == "twice":
        loss.backward(retain_graph=True)
        loss.backward()
    else:
        leaves[0].register_hook(lambda g: g * 2)
        loss.backward()
    return [None if x.grad is None else x.grad.cpu().numpy() for x in leaves]


@pytest.mark.parametrize("way", [
    "hook", *(pytest.param(way, marks=pytest.mark.slow) for way in ("twice", "grad", "create_graph"))])
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda each: each.__name__)
def test_gradients_are_those_of_the_plain_formulas(program, way):
    for ours, right in zip(gradients(program, "sim", way), gradients(program, "cpu", way), strict=True):
        assert (ours is None) == (right is None)
        if right is not None:
            np.testing.assert_allclose(ours, right, rtol=2e-4, atol=2e-4 * np.abs(right).max())


def test_a_hook_between_sees_the_whole_gradient():
    seen = {}
    for device in ("cpu", "sim"):
        x, w, b, _ = inputs(device)
        y = x.tanh()
        y.register_hook(lambda g, device=device: seen.update({device: g.cpu().numpy()}))
        y.retain_grad()
        (y + F.layer_norm(y, (6,), b) @ w).square().sum().backward()
        np.testing.assert_array_equal(y.grad.cpu().numpy(), seen[device])
    np.testing.assert_allclose(seen["sim"], seen["cpu"], rtol=1e-4, atol=1e-4)


def backward_ops(monkeypatch, program):
    """The ops that a backward pass runs on the simulator."""
    y = program(*inputs("sim"))
    loss, names, run = y.tanh().sum(), [], CudaDevice.run
    monkeypatch.setattr(CudaDevice, "run", lambda self, op, *rest: (names.append(op.name), run(self, op, *rest))[1])
    loss.backward()
    return names


@pytest.mark.parametrize("program, once, never", [
    (residual_norm, "normalize_grad matmul_grad", "add matmul"), (shared_weight, "", "matmul column_sum"),
    (pieces, "linear_grad cat", "spread"), (embedded, "put_sum_onto linear_grad matmul_grad", "put_sum"),
    (heads, "", "spread cat"),
])
def test_what_is_spared(monkeypatch, program, once, never):
    names = backward_ops(monkeypatch, program)
    assert all(names.count(name) == 1 for name in once.split()), names
    assert not set(never.split()) & set(names), names
