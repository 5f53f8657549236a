"""Optimizers against PyTorch over many steps, and state that moves between the two."""

import numpy as np
import pytest

import gpunet
from gpunet import nn, optim
from tests.optim import table
from tests.optim.table import STATEFUL, TABLE

torch = pytest.importorskip("torch")


@pytest.fixture(autouse=True)
def _exact_scalars():
    """PyTorch keeps the numbers of its state, such as NAdam's mu_product, in the default type: as exact as ours."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def parameters(dtype="float64", device="cpu"):
    """The same parameters in both libraries."""
    ours = table.parameters(dtype, device)
    return ours, [torch.nn.Parameter(torch.tensor(p.detach().cpu().numpy())) for p in ours]


def set_gradients(step, ours, theirs, dtype="float64"):
    table.set_gradients(step, ours, dtype)
    for q, g in zip(theirs, table.gradients(step, dtype), strict=True):
        q.grad = None if g is None else torch.tensor(g)


def assert_close(ours, theirs, rtol):
    for p, q in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(p.detach().cpu().numpy(), q.detach().numpy(), rtol=rtol, atol=rtol / 10)


@pytest.mark.parametrize("dtype, rtol", [("float64", 1e-10), ("float32", 1e-5)])
@pytest.mark.parametrize("name, options", TABLE)
def test_agrees_with_pytorch(name, options, dtype, rtol, device):
    ours, theirs = parameters(dtype, device)
    a, b = getattr(optim, name)(ours, **options), getattr(torch.optim, name)(theirs, **options)
    for step in range(20):
        if step == 6:
            a.param_groups[0]["lr"] = b.param_groups[0]["lr"] = 0.02
        set_gradients(step, ours, theirs, dtype)
        a.step()
        b.step()
    assert_close(ours, theirs, rtol)


def test_groups():
    ours, theirs = parameters()
    for lib, group in ((optim, ours), (torch.optim, theirs)):
        optimizer = lib.SGD([{"params": group[:2], "lr": 0.5, "momentum": 0.9}, {"params": group[2]}], lr=0.01)
        optimizer.add_param_group({"params": group[3:], "weight_decay": 0.1})
        for step in range(5):
            set_gradients(step, ours, theirs)
            optimizer.step()
        assert [g["lr"] for g in optimizer.param_groups] == [0.5, 0.01, 0.01]
        assert [g["momentum"] for g in optimizer.param_groups] == [0.9, 0, 0]
    assert_close(ours, theirs, 1e-12)


@pytest.mark.parametrize("name, options", STATEFUL)
def test_state_moves_between_libraries(name, options):
    """Five steps here, five there, in both directions: as if nothing had happened."""
    ours, theirs = parameters()
    a, b = getattr(optim, name)(ours, **options), getattr(torch.optim, name)(theirs, **options)
    for step in range(5):
        set_gradients(step, ours, theirs)
        a.step()
        b.step()
    fresh_ours = [nn.Parameter(gpunet.tensor(q.detach().numpy())) for q in theirs]
    fresh_theirs = [torch.nn.Parameter(torch.tensor(p.detach().numpy())) for p in ours]
    c, d = getattr(optim, name)(fresh_ours), getattr(torch.optim, name)(fresh_theirs)
    c.load_state_dict(b.state_dict())
    state = a.state_dict()
    d.load_state_dict({"param_groups": state["param_groups"], "state": {
        i: {k: torch.tensor(np.array(v.numpy(), np.float32 if k == "step" else np.float64)) for k, v in s.items()}
        for i, s in state["state"].items()}})
    for step in range(5, 10):
        for p, q, optimizer in ((ours, theirs, a), (ours, theirs, b), (fresh_ours, fresh_theirs, c),
                                (fresh_ours, fresh_theirs, d)):
            set_gradients(step, p, q)
            optimizer.step()
    assert_close(ours, theirs, 1e-10)
    assert_close(fresh_ours, theirs, 1e-10)
    assert_close(ours, fresh_theirs, 1e-10)


@pytest.mark.parametrize("name, options", TABLE)
def test_state_dict_format(name, options):
    """The same keys, and tensors of the same shapes."""
    ours, theirs = parameters()
    a, b = getattr(optim, name)(ours, **options), getattr(torch.optim, name)(theirs, **options)
    set_gradients(0, ours, theirs)
    a.step()
    b.step()
    mine, other = a.state_dict(), b.state_dict()
    assert ({i: {k: tuple(v.shape) for k, v in s.items()} for i, s in mine["state"].items()}
            == {i: {k: tuple(v.shape) for k, v in s.items()} for i, s in other["state"].items()})
    assert set(other["param_groups"][0]) - set(mine["param_groups"][0]) <= {"foreach", "capturable", "differentiable",
                                                                            "fused"}
    for key, value in mine["param_groups"][0].items():
        assert value == other["param_groups"][0][key]


def test_parameters_with_names():
    names = [[f"p{i}" for i in range(6)]]
    for make, optimizer in zip(parameters(), (optim.Adam, torch.optim.Adam), strict=True):
        one = optimizer([(f"p{i}", p) for i, p in enumerate(make)])
        assert [group["param_names"] for group in one.state_dict()["param_groups"]] == names
        with pytest.raises(ValueError, match="with/without names"):
            one.add_param_group({"params": []})


def test_hooks():
    """Which hooks are called, in which order, and what they may change."""

    def calls(library, p, gradient):
        seen = []
        optimizer = library.SGD([p], lr=0.5)
        pre = optimizer.register_step_pre_hook(lambda o, args, kwargs: seen.append(("pre", len(args), sorted(kwargs))))
        optimizer.register_step_pre_hook(lambda o, args, kwargs: ((o, lambda: 7), {}))
        optimizer.register_step_post_hook(lambda o, args, kwargs: seen.append(("post", len(args))))
        optimizer.register_state_dict_pre_hook(lambda o: seen.append("state pre"))
        optimizer.register_state_dict_post_hook(lambda o, state: {**state, "extra": 1})
        optimizer.register_load_state_dict_pre_hook(lambda o, state: seen.append(sorted(state)))
        optimizer.register_load_state_dict_pre_hook(lambda o, state: seen.append("first"), prepend=True)
        optimizer.register_load_state_dict_post_hook(lambda o: seen.append("loaded"))
        p.grad = gradient
        seen.append(optimizer.step())
        pre.remove()
        optimizer.step()
        state = optimizer.state_dict()
        optimizer.load_state_dict(state)
        return seen, p.tolist()

    assert (calls(optim, nn.Parameter(gpunet.ones(2)), gpunet.ones(2))
            == calls(torch.optim, torch.nn.Parameter(torch.ones(2)), torch.ones(2)))


def test_state_follows_the_model(device):
    """A model that moves after its first steps takes its optimizer's state along."""
    ours, theirs = parameters()
    model = nn.ParameterList(ours)
    a, b = optim.Adam(model.parameters(), lr=0.1), torch.optim.Adam(theirs, lr=0.1)
    for step in range(6):
        if step == 3:
            model.to(device)
        set_gradients(step, ours, theirs)
        a.step()
        b.step()
    assert_close(ours, theirs, 1e-10)


@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW", "Adamax", "NAdam", "RAdam", "Adagrad", "Adadelta", "RMSprop",
                                  "Rprop", "ASGD", "LBFGS", "Adafactor"])
def test_groups_have_pytorchs_options(name):
    (a, b) = [getattr(lib.optim, name)([lib.nn.Parameter(lib.ones(1))], lr=0.5) for lib in (gpunet, torch)]
    assert repr(a) == repr(b)
    a.param_groups[0].pop("params"), b.param_groups[0].pop("params")
    assert a.param_groups == b.param_groups
