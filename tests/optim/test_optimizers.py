"""Optimizers: learning, state, errors, and what a recorded step relies on."""

import copy
import pickle

import numpy as np
import pytest

import gpunet
from gpunet import nn, optim
from gpunet.engine.extensions import extensions
from tests.optim.table import STATEFUL, TABLE, parameters, set_gradients


@pytest.mark.parametrize("dtype", [gpunet.float16, gpunet.bfloat16])
@pytest.mark.parametrize("name, options", [TABLE[4], TABLE[9], TABLE[13]])
@pytest.mark.slow("sim")
def test_half_types(name, options, dtype, device):
    """Arithmetic in float32, rounded once a step: near to what float32 parameters do."""
    wide = parameters("float32", device)
    narrow = [nn.Parameter(p.detach().to(dtype)) for p in wide]
    a, b = getattr(optim, name)(wide, **options), getattr(optim, name)(narrow, **options)
    rng = np.random.default_rng(0)
    for _ in range(3):
        for p, q in zip(wide, narrow, strict=True):
            p.grad = gpunet.tensor(rng.normal(size=p.shape), dtype=gpunet.float32, device=device)
            q.grad = p.grad.to(dtype)
        a.step()
        b.step()
    for p, q in zip(wide, narrow, strict=True):
        assert q.dtype is dtype
        np.testing.assert_allclose(q.detach().float().cpu().numpy(), p.detach().cpu().numpy(), rtol=0.03, atol=0.03)


def test_formulas(device):
    """The first two steps by hand, from p = [1, -2] along g = [0.5, -4]."""
    p, g = np.array([1.0, -2.0]), np.array([0.5, -4.0])
    cases = [
        (optim.SGD, dict(lr=0.1), p - 0.1 * 2 * g),
        (optim.SGD, dict(lr=0.1, momentum=0.9), p - 0.1 * (g + 1.9 * g)),
        (optim.SGD, dict(lr=0.1, momentum=0.9, dampening=0.5), p - 0.1 * (g + 1.4 * g)),
        (optim.SGD, dict(lr=0.1, momentum=0.9, nesterov=True), p - 0.1 * (1.9 * g + 2.71 * g)),
        (optim.SGD, dict(lr=0.1, weight_decay=0.5), (p * 0.95 - 0.1 * g) * 0.95 - 0.1 * g),
        (optim.SGD, dict(lr=0.1, maximize=True), p + 0.1 * 2 * g),
        # Corrected for their start at zero, the averages of a constant gradient are g and g^2: steps of the rate.
        (optim.Adam, dict(lr=0.1, eps=0), p - 0.1 * 2 * np.sign(g)),
        (optim.Adam, dict(lr=0.1, eps=0.5), p - 0.1 * 2 * g / (abs(g) + 0.5)),
        (optim.AdamW, dict(lr=0.1, eps=0, weight_decay=0.5), (p * 0.95 - 0.1 * np.sign(g)) * 0.95 - 0.1 * np.sign(g)),
        (optim.AdamW, dict(lr=0.1, eps=0, weight_decay=0, amsgrad=True, maximize=True), p + 0.1 * 2 * np.sign(g)),
    ]
    for cls, options, wanted in cases:
        parameter = nn.Parameter(gpunet.tensor(p, device=device))
        parameter.grad = gpunet.tensor(g, device=device)
        optimizer = cls([parameter], **options)
        optimizer.step()
        optimizer.step()
        np.testing.assert_allclose(parameter.detach().cpu().numpy(), wanted, rtol=1e-12, err_msg=str(options))


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
    (lambda: optim.SGD([("p", P), P]), ValueError, "some names are missing"),
    (lambda: optim.SGD([P], lr=gpunet.ones(2)), ValueError, r"lr must be a number or a tensor of one, got .*\(2,\)"),
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
    (lambda: optim.Adam([P], differentiable=True), NotImplementedError, "differentiable=True is not supported"),
    (lambda: optim.Adadelta([P], rho=1.5), ValueError, "Invalid rho value: 1.5"),
    (lambda: optim.Rprop([P], etas=(1.5, 2)), ValueError, "Invalid eta values: 1.5, 2"),
    (lambda: optim.RMSprop([P], alpha=-1), ValueError, "Invalid alpha value: -1"),
    (lambda: optim.NAdam([P], momentum_decay=-1), ValueError, "Invalid momentum_decay value: -1"),
    (lambda: optim.Adagrad([P], lr_decay=-1), ValueError, "Invalid lr_decay value: -1"),
    (lambda: optim.Adagrad([P], initial_accumulator_value=-1), ValueError,
     "Invalid initial_accumulator_value value: -1"),
    (lambda: optim.Optimizer([P], {"lr": 1}).step(), NotImplementedError, "Optimizer has no step"),
    (lambda: optim.Optimizer([P], {"lr": 1}).load_state_dict({"state": {}, "param_groups": []}), ValueError,
     "different number of parameter groups"),
    (lambda: optim.SGD([P]).load_state_dict({"state": {}, "param_groups": [{"params": [0, 1]}]}), ValueError,
     "doesn't match the size of optimizer's group"),
    (lambda: optim.SGD([P], momentum=1).load_state_dict(
        {"state": {0: {"momentum_buffer": gpunet.ones(3)}}, "param_groups": [{"params": [0]}]}), ValueError,
     r"'momentum_buffer' of shape \(3,\) for a parameter of shape \(2,\)"),
    (lambda: optim.Adam([P]).load_state_dict(
        {"state": {0: {"step": gpunet.ones(3)}}, "param_groups": [{"params": [0]}]}), ValueError,
     r"'step' of shape \(3,\), which is one number"),
])
def test_errors(make, error, text):
    with pytest.raises(error, match=text):
        make()


# ---- state ---------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("name, options", [STATEFUL[1], ("Adam", {"amsgrad": True})])
def test_state_dict_goes_on_exactly(name, options, device):
    runs = []
    for interrupted in (False, True):
        ours = parameters(device=device)
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
            set_gradients(step, ours)
            optimizer.step()
        runs.append([p.tolist() for p in ours])
    assert runs[0] == runs[1]


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda o: pickle.loads(pickle.dumps(o))])
def test_copies(duplicate):
    ours = parameters()
    a = optim.Adam(ours, lr=0.1)
    set_gradients(0, ours)
    a.step()
    b = duplicate(a)
    twins = b.param_groups[0]["params"]
    assert all(p is not q and p.tolist() == q.tolist() for p, q in zip(ours, twins, strict=True))
    for p, optimizer in ((ours, a), (twins, b)):
        set_gradients(1, p)
        optimizer.step()
    assert [p.tolist() for p in ours] == [p.tolist() for p in twins]


# ---- what a recorded step relies on --------------------------------------------------------------------------------


class _Count:
    """Stands in for the recorder: carries calls out and lists them."""

    def __init__(self):
        self.calls, self.before = [], []

    def run(self, device, op, outs, arrays, attrs, fresh):
        device.run(op, outs, arrays, attrs)
        self.calls.append(op.name)

    def before_replay(self, function):
        self.before.append(function)

    def references(self, array):
        return 0


@pytest.fixture
def recorded():
    """Parameters with gradients, and the recorder that sees what is done with them."""
    ours = parameters()
    for p in ours:
        p.grad = p.detach().clone()
    recorder = _Count()
    with extensions.recording(recorder):
        yield ours, recorder


def test_step_is_one_op_for_all_parameters(recorded):
    ours, recorder = recorded
    adam, sgd = optim.Adam(ours), optim.SGD(ours)
    adam.step()
    sgd.step()
    assert recorder.calls == ["adam_step", "sgd_step"]
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


LAST = {name: options for name, options in TABLE}  # of each optimizer, the last row


@pytest.mark.parametrize("name", LAST)
@pytest.mark.slow("sim")
def test_recorded_step_is_bit_identical(name, device):
    runs = []
    for compiled in (False, True):
        gpunet.manual_seed(0)
        model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Dropout(0.3), nn.Linear(8, 3)).to(device)
        optimizer = getattr(optim, name)(model.parameters(), **LAST[name])

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


def test_an_optimizer_of_ones_own():
    """A subclass with a step in tensor operations, as for PyTorch; recorded, it sees its options as fixed."""

    class Signs(optim.Optimizer):
        def __init__(self, params, lr=1.0):
            super().__init__(params, {"lr": lr})

        @gpunet.no_grad()
        def step(self, closure=None):
            for group in self.param_groups:
                for p in group["params"]:
                    state = self.state[p]
                    state.setdefault("total", gpunet.zeros_like(p)).add_(p.grad.abs())
                    p.add_(p.grad.sign(), alpha=-group["lr"])

    p = nn.Parameter(gpunet.tensor([3.0, -3.0]))
    optimizer = Signs([p])
    scheduler = optim.lr_scheduler.StepLR(optimizer, 2, 0.5)

    @gpunet.compile
    def step():
        optimizer.zero_grad()
        (p * p).sum().backward()
        optimizer.step()

    for _ in range(3):
        step()
    assert p.tolist() == [0, 0] and optimizer.state[p]["total"].tolist() == [12, 12]
    other = Signs([p])
    other.load_state_dict(optimizer.state_dict())
    assert other.state[p]["total"].tolist() == [12, 12] and other.state[p]["total"] is not optimizer.state[p]["total"]
    scheduler.step()
    scheduler.step()
    with pytest.raises(RuntimeError, match=r"Signs: lr from 1.0 to 0.5 changed .* only values of tensors can change"):
        step()


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
