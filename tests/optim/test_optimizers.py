"""Optimizers: agreement with PyTorch over many steps, state, errors, and what a recorded step relies on."""

import copy
import pickle

import numpy as np
import pytest

import gpunet
from gpunet import dispatch, nn, optim

torch = pytest.importorskip("torch")

SHAPES = [(7, 5), (3,), (), (0, 4), (2, 3, 4), (1,)]

# name, options
TABLE = [
    ("SGD", {}),
    ("SGD", {"lr": 0.1, "weight_decay": 0.2}),
    ("SGD", {"lr": 0.1, "momentum": 0.9}),
    ("SGD", {"lr": 0.1, "momentum": 0.8, "dampening": 0.3, "weight_decay": 0.1}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.1}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "maximize": True}),
    ("SGD", {"lr": 0.1, "maximize": True, "weight_decay": 0.1}),
    ("Adam", {}),
    ("Adam", {"lr": 0.05, "betas": (0.7, 0.9), "eps": 1e-4, "weight_decay": 0.1}),
    ("Adam", {"lr": 0.05, "amsgrad": True}),
    ("Adam", {"lr": 0.05, "amsgrad": True, "maximize": True, "weight_decay": 0.1}),
    ("Adam", {"lr": 0.05, "weight_decay": 0.1, "decoupled_weight_decay": True}),
    ("Adam", {"lr": 0.05, "betas": (0.0, 0.5)}),
    ("AdamW", {}),
    ("AdamW", {"lr": 0.05, "weight_decay": 0.3, "amsgrad": True}),
    ("AdamW", {"lr": 0.05, "weight_decay": 0.0, "maximize": True}),
]


def parameters(dtype="float64", device="cpu"):
    """The same parameters in both libraries."""
    rng = np.random.default_rng(0)
    values = [rng.normal(size=shape).astype(dtype) for shape in SHAPES]
    return ([nn.Parameter(gpunet.tensor(v, device=device)) for v in values],
            [torch.nn.Parameter(torch.tensor(v)) for v in values])


def set_gradients(step, ours, theirs, dtype="float64"):
    """New gradients; parameter 3 never has one, parameter 1 from step 4 on, parameter 4 in every second step."""
    rng = np.random.default_rng(100 + step)
    for i, (p, q) in enumerate(zip(ours, theirs, strict=True)):
        g = (rng.normal(size=SHAPES[i]) * 10.0 ** rng.integers(-3, 2)).astype(dtype)
        if (i == 1 and step < 4) or (i == 4 and step % 2) or i == 5:
            p.grad = q.grad = None
        else:
            p.grad, q.grad = gpunet.tensor(g, device=p.device), torch.tensor(g)


def assert_close(ours, theirs, rtol):
    for p, q in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(p.detach().cpu().numpy(), q.detach().numpy(), rtol=rtol, atol=rtol / 10)


@pytest.mark.parametrize("dtype, rtol", [("float64", 1e-10), ("float32", 1e-5)])
@pytest.mark.parametrize("name, options", TABLE)
def test_agrees_with_pytorch(name, options, dtype, rtol, device):
    ours, theirs = parameters(dtype, device)
    a, b = getattr(optim, name)(ours, **options), getattr(torch.optim, name)(theirs, **options)
    for step in range(12):
        if step == 6:
            a.param_groups[0]["lr"] = b.param_groups[0]["lr"] = 0.02
        set_gradients(step, ours, theirs, dtype)
        a.step()
        b.step()
    assert_close(ours, theirs, rtol)


@pytest.mark.parametrize("dtype", [gpunet.float16, gpunet.bfloat16])
@pytest.mark.parametrize("name, options", [TABLE[4], TABLE[9], TABLE[13]])
def test_half_types(name, options, dtype, device):
    """Arithmetic in float32, rounded once a step: near to what float32 parameters do."""
    wide, _ = parameters("float32", device)
    narrow = [nn.Parameter(p.detach().to(dtype)) for p in wide]
    for step in range(3):
        for group in (wide, narrow):
            rng = np.random.default_rng(step)
            for p, shape in zip(group, SHAPES, strict=True):
                p.grad = gpunet.tensor(rng.normal(size=shape), dtype=gpunet.float32, device=device).to(p.dtype)
    a, b = getattr(optim, name)(wide, **options), getattr(optim, name)(narrow, **options)
    for _ in range(3):
        a.step()
        b.step()
    for p, q in zip(wide, narrow, strict=True):
        assert q.dtype is dtype
        np.testing.assert_allclose(q.detach().float().cpu().numpy(), p.detach().cpu().numpy(), rtol=0.03, atol=0.03)


@pytest.mark.parametrize("make", [lambda p: optim.SGD(p, lr=0.3, momentum=0.5), lambda p: optim.Adam(p, lr=0.3),
                                  lambda p: optim.AdamW([{"params": p[:2], "lr": 0.1}, {"params": p[2:]}], lr=0.3)])
def test_learns(make, device):
    gpunet.manual_seed(1)
    model = nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 2)).to(device)
    x = gpunet.randn(64, 2, device=device)
    y = (x[:, 0] * x[:, 1] > 0).long()
    optimizer = make(list(model.parameters()))
    losses = []
    for _ in range(60):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.6 * losses[0]


# ---- groups, gradients, closures -----------------------------------------------------------------------------------


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


def test_zero_grad_and_closure():
    p = nn.Parameter(gpunet.ones(2))
    optimizer = optim.SGD([p], lr=0.5)

    def closure():
        optimizer.zero_grad()
        loss = (p * p).sum()
        loss.backward()
        return loss

    with gpunet.no_grad():
        assert optimizer.step(closure).item() == 2
    assert p.tolist() == [0, 0]
    gradient = p.grad
    optimizer.zero_grad(set_to_none=False)
    assert p.grad is gradient and gradient.tolist() == [0, 0]
    optimizer.zero_grad()
    assert p.grad is None
    assert optimizer.step() is None and p.tolist() == [0, 0]


def test_update_spoils_a_saved_value():
    """The parameter is changed in place: a graph that needs the old value says so."""
    p = nn.Parameter(gpunet.ones(2))
    loss = (p * p).sum()
    p.grad = gpunet.ones(2)
    optim.Adam([p]).step()
    with pytest.raises(RuntimeError, match="changed by an in-place operation"):
        loss.backward()


P = nn.Parameter(gpunet.ones(2))


@pytest.mark.parametrize("make, error, text", [
    (lambda: optim.SGD([], lr=0.1), ValueError, "optimizer got an empty parameter list"),
    (lambda: optim.SGD(P, lr=0.1), TypeError, "should be an iterable of Tensors or dicts, but got a Tensor"),
    (lambda: optim.SGD([3], lr=0.1), TypeError, "can only optimize Tensors, but one of the params is int"),
    (lambda: optim.SGD([P * 1], lr=0.1), ValueError, "can't optimize a non-leaf Tensor"),
    (lambda: optim.SGD([P, P], lr=0.1), ValueError, "some parameters appear in more than one parameter group"),
    (lambda: optim.SGD([{"params": P}, {"params": [P]}], lr=0.1), ValueError, "appear in more than one"),
    (lambda: optim.SGD([{"params": {P}}], lr=0.1), TypeError, "need to be organized in ordered collections"),
    (lambda: optim.SGD([P], lr=0.1).add_param_group([P]), TypeError, "param_group must be a dict, but got"),
    (lambda: optim.SGD([P], lr=-1), ValueError, "Invalid learning rate: -1"),
    (lambda: optim.SGD([P], momentum=-1), ValueError, "Invalid momentum value: -1"),
    (lambda: optim.SGD([P], weight_decay=-1), ValueError, "Invalid weight_decay value: -1"),
    (lambda: optim.SGD([P], nesterov=True), ValueError, "Nesterov momentum requires a momentum and zero dampening"),
    (lambda: optim.Adam([P], lr=-1), ValueError, "Invalid learning rate: -1"),
    (lambda: optim.Adam([P], eps=-1), ValueError, "Invalid epsilon value: -1"),
    (lambda: optim.Adam([P], betas=(1.0, 0.9)), ValueError, "Invalid beta parameter at index 0: 1.0"),
    (lambda: optim.AdamW([P], betas=(0.9, -1)), ValueError, "Invalid beta parameter at index 1: -1"),
    (lambda: optim.AdamW([P], weight_decay=-1), ValueError, "Invalid weight_decay value: -1"),
    (lambda: optim.Optimizer([P], {"lr": 1}).load_state_dict({"state": {}, "param_groups": []}), ValueError,
     "different number of parameter groups"),
    (lambda: optim.SGD([P]).load_state_dict({"state": {}, "param_groups": [{"params": [0, 1]}]}), ValueError,
     "doesn't match the size of optimizer's group"),
    (lambda: optim.SGD([P], momentum=1).load_state_dict(
        {"state": {0: {"momentum_buffer": gpunet.ones(3)}}, "param_groups": [{"params": [0]}]}), ValueError,
     r"'momentum_buffer' of shape \(3,\) for a parameter of shape \(2,\)"),
])
def test_errors(make, error, text):
    with pytest.raises(error, match=text):
        make()


# ---- state ---------------------------------------------------------------------------------------------------------

STATEFUL = [row for row in TABLE if row[0] != "SGD" or "momentum" in row[1]]


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


@pytest.mark.parametrize("name, options", [STATEFUL[1], ("Adam", {"amsgrad": True})])
def test_state_dict_goes_on_exactly(name, options, device):
    runs = []
    for interrupted in (False, True):
        ours, theirs = parameters(device=device)
        optimizer = getattr(optim, name)(ours, **options)
        for step in range(8):
            if interrupted and step == 5:
                state = copy.deepcopy(optimizer.state_dict())
                ours = [nn.Parameter(p.detach().clone()) for p in ours]
                optimizer = getattr(optim, name)(ours, lr=1.0)
                optimizer.load_state_dict(state)
                assert optimizer.param_groups[0]["lr"] == state["param_groups"][0]["lr"] != 1.0
                for group in state["state"].values():  # copies: what was loaded is not shared
                    for value in group.values():
                        value.fill_(99)
            set_gradients(step, ours, theirs)
            optimizer.step()
        runs.append([p.tolist() for p in ours])
    assert runs[0] == runs[1]


def test_state_dict_format():
    ours, theirs = parameters()
    a, b = optim.Adam(ours, amsgrad=True), torch.optim.Adam(theirs, amsgrad=True)
    set_gradients(0, ours, theirs)
    a.step()
    b.step()
    mine, other = a.state_dict(), b.state_dict()
    assert mine["state"].keys() == other["state"].keys()
    assert set(mine["state"][0]) == set(other["state"][0]) == {"step", "exp_avg", "exp_avg_sq", "max_exp_avg_sq"}
    assert mine["param_groups"][0]["params"] == [0, 1, 2, 3, 4, 5]
    assert set(mine["param_groups"][0]) <= set(other["param_groups"][0])
    assert a.state[ours[0]]["step"].item() == 1


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda o: pickle.loads(pickle.dumps(o))])
def test_copies(duplicate):
    ours, theirs = parameters()
    a = optim.Adam(ours, lr=0.1)
    set_gradients(0, ours, theirs)
    a.step()
    b = duplicate(a)
    twins = b.param_groups[0]["params"]
    assert all(p is not q and p.tolist() == q.tolist() for p, q in zip(ours, twins, strict=True))
    for p, optimizer in ((ours, a), (twins, b)):
        set_gradients(1, p, theirs)
        optimizer.step()
    assert [p.tolist() for p in ours] == [p.tolist() for p in twins]


def test_text_is_pytorchs():
    class Plain(torch.optim.Optimizer):
        pass

    Plain.__name__ = "SGD"
    options = {"lr": 0.1, "momentum": 0, "dampening": 0, "weight_decay": 0, "nesterov": False, "maximize": False}
    assert repr(optim.SGD([P], lr=0.1)) == repr(Plain([torch.nn.Parameter(torch.ones(1))], options))


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


# ---- what a recorded step relies on --------------------------------------------------------------------------------


class _Count:
    """Stands in for the recorder: carries calls out and lists them."""

    def __init__(self):
        self.calls, self.before = [], []

    def run(self, device, op, outs, arrays, attrs):
        device.run(op, outs, arrays, attrs)
        self.calls.append(op.name)

    def before_replay(self, function):
        self.before.append(function)


@pytest.fixture
def recorded(monkeypatch):
    """Parameters with gradients, and the recorder that sees what is done with them."""
    ours, _ = parameters()
    for p in ours:
        p.grad = p.detach().clone()
    recorder = _Count()
    monkeypatch.setattr(dispatch, "recorder", recorder)
    return ours, recorder


def test_step_is_one_op_a_parameter(recorded):
    ours, recorder = recorded
    adam, sgd = optim.Adam(ours), optim.SGD(ours)
    adam.step()
    sgd.step()
    assert recorder.calls == ["add_one"] + ["adam_step"] * 6 + ["sgd_step"] * 6
    assert [replay.optimizer for replay in recorder.before] == [adam, sgd]


def test_refresh_writes_the_learning_rate_and_nothing_else(recorded):
    ours, recorder = recorded
    optimizer = optim.AdamW(ours, lr=0.1)
    optimizer.step()
    rate = optimizer._rate(0, ours[0]._device)
    before, calls = [p._array.copy() for p in ours], list(recorder.calls)
    optimizer.param_groups[0]["lr"] = 0.025
    optimizer.refresh()
    assert float(rate._array) == 0.025 and optimizer._rate(0, ours[0]._device) is rate
    assert recorder.calls == calls
    for p, old in zip(ours, before, strict=True):
        np.testing.assert_array_equal(p._array, old)


@pytest.mark.parametrize("make", [lambda p: optim.Adam(p, lr=0.1), lambda p: optim.SGD(p, lr=0.1, momentum=0.9)])
def test_recorded_step_is_bit_identical(make, device):
    runs = []
    for compiled in (False, True):
        gpunet.manual_seed(0)
        model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Dropout(0.3), nn.Linear(8, 3)).to(device)
        optimizer = make(model.parameters())

        def step(x, y, model=model, optimizer=optimizer):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            return loss

        step = gpunet.compile(step) if compiled else step
        x, y = gpunet.randn(6, 4, device=device), gpunet.tensor([0, 1, 2, 0, 1, 2], device=device)
        losses = []
        for i in range(8):
            optimizer.param_groups[0]["lr"] = 0.1 / (i + 1)
            losses.append(step(x, y).item())
        runs.append((losses, [p.tolist() for p in model.parameters()]))
    assert runs[0] == runs[1]


def test_recorded_step_says_what_it_cannot_see():
    p = nn.Parameter(gpunet.ones(2))
    optimizer = optim.Adam([p], lr=0.1)

    @gpunet.compile
    def step():
        optimizer.zero_grad()
        (p * p).sum().backward()
        optimizer.step()

    for _ in range(3):
        step()
    optimizer.param_groups[0]["betas"] = (0.8, 0.999)
    with pytest.raises(RuntimeError, match=r"Adam: betas from \(0.9, 0.999\) to \(0.8, 0.999\) changed after"):
        step()
    optimizer.param_groups[0]["betas"] = (0.9, 0.999)
    step()
    optimizer.load_state_dict(optimizer.state_dict())
    with pytest.raises(RuntimeError, match="the state was replaced after this step was recorded"):
        step()
