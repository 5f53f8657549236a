"""Learning rate schedules against PyTorch, step by step."""

import numpy as np
import pytest

import gpunet
from gpunet import nn, optim

SCHEDULES = [
    ("StepLR", {"step_size": 3}),
    ("StepLR", {"step_size": 4, "gamma": 0.5}),
    ("MultiStepLR", {"milestones": [2, 9, 9, 14], "gamma": 0.3}),
    ("ExponentialLR", {"gamma": 0.9}),
    ("LinearLR", {}),
    ("LinearLR", {"start_factor": 0.5, "end_factor": 0.1, "total_iters": 12}),
    ("CosineAnnealingLR", {"T_max": 7}),
    ("CosineAnnealingLR", {"T_max": 20, "eta_min": 0.01}),
    ("ConstantLR", {}),
    ("ConstantLR", {"factor": 0.25, "total_iters": 17}),
    ("PolynomialLR", {}),
    ("PolynomialLR", {"total_iters": 60, "power": 2.0}),
    ("MultiplicativeLR", {"lr_lambda": lambda step: 1 - 0.1 / (1 + step)}),
    ("CosineAnnealingWarmRestarts", {"T_0": 7}),
    ("CosineAnnealingWarmRestarts", {"T_0": 5, "T_mult": 2, "eta_min": 0.01}),
    ("CyclicLR", {"base_lr": 0.01, "max_lr": 0.3, "step_size_up": 7}),
    ("CyclicLR", {"base_lr": [0.01, 0.02], "max_lr": 0.3, "step_size_up": 5, "step_size_down": 11,
                  "mode": "triangular2", "base_momentum": 0.6}),
    ("CyclicLR", {"base_lr": 0.01, "max_lr": 0.3, "step_size_up": 9, "mode": "exp_range", "gamma": 0.98}),
    ("CyclicLR", {"base_lr": 0.01, "max_lr": 0.3, "step_size_up": 9, "cycle_momentum": False,
                  "scale_fn": lambda x: 1 / x, "scale_mode": "cycle"}),
    ("LambdaLR", {"lr_lambda": lambda step: 1 / (1 + step)}),
    ("LambdaLR", {"lr_lambda": [lambda step: 0.95**step, lambda step: step]}),
    ("OneCycleLR", {"max_lr": 0.5, "total_steps": 101}),
    ("OneCycleLR", {"max_lr": [0.5, 0.1], "epochs": 10, "steps_per_epoch": 11, "anneal_strategy": "linear"}),
    ("OneCycleLR", {"max_lr": 0.5, "total_steps": 100, "three_phase": True, "pct_start": 0.25, "div_factor": 10}),
    ("OneCycleLR", {"max_lr": 0.5, "total_steps": 101, "cycle_momentum": False, "final_div_factor": 10}),
]


# Schedules of schedules: library's schedulers, optimizer -> schedule.
COMBINED = [
    lambda s, o: s.SequentialLR(o, [s.LinearLR(o, 0.1, total_iters=8), s.CosineAnnealingLR(o, 30)], [8]),
    lambda s, o: s.SequentialLR(o, [s.ConstantLR(o, 0.1, 5), s.ExponentialLR(o, 0.9), s.StepLR(o, 7)], [20, 50]),
    lambda s, o: s.SequentialLR(o, [s.LinearLR(o), s.CosineAnnealingWarmRestarts(o, 4, 2)], [10]),
    lambda s, o: s.ChainedScheduler([s.LinearLR(o), s.StepLR(o, 9)], o),
    lambda s, o: s.ChainedScheduler([s.ConstantLR(o, 0.1, 20), s.ExponentialLR(o, 0.97), s.PolynomialLR(o, 200)]),
]


def build(lib, lib_nn, make, optimizer="SGD"):
    groups = [{"params": [lib_nn.Parameter(lib.ones(1))]}, {"params": [lib_nn.Parameter(lib.ones(1))], "lr": 0.3}]
    kwargs = {"momentum": 0.5} if optimizer == "SGD" else {}
    optimizer = getattr(lib.optim, optimizer)(groups, lr=0.1, **kwargs)
    if isinstance(make, tuple):
        return optimizer, getattr(lib.optim.lr_scheduler, make[0])(optimizer, **make[1])
    return optimizer, make(lib.optim.lr_scheduler, optimizer)


def assert_equal(a, ours, b, theirs):
    assert ours.get_last_lr() == pytest.approx(theirs.get_last_lr(), rel=1e-9, abs=1e-15)
    for mine, other in zip(a.param_groups, b.param_groups, strict=True):
        assert mine["lr"] == pytest.approx(other["lr"], rel=1e-9, abs=1e-15)
        key = "betas" if "betas" in mine else "momentum"
        assert mine[key] == pytest.approx(other[key], rel=1e-9)


@pytest.mark.filterwarnings("ignore:Detected call of")
@pytest.mark.parametrize("optimizer", ["SGD", "AdamW"])
@pytest.mark.parametrize("make", [*SCHEDULES, *COMBINED])
@pytest.mark.needs("torch")
def test_is_pytorchs(make, optimizer):
    import torch

    a, ours = build(gpunet, nn, make, optimizer)
    b, theirs = build(torch, torch.nn, make, optimizer)
    for step in range(100):
        assert_equal(a, ours, b, theirs)
        if step == 50:  # a rate that is changed by hand, and a schedule that is made anew from its state
            for optim_ in (a, b):
                optim_.param_groups[0]["lr"] *= 0.7
            rates = [group["lr"] for group in a.param_groups]
            a_new, fresh = build(gpunet, nn, make, optimizer)
            a_new.load_state_dict(a.state_dict())
            fresh.load_state_dict(ours.state_dict())
            a, ours = a_new, fresh
            assert [group["lr"] for group in a.param_groups] == rates
        ours.step()
        theirs.step()


@pytest.mark.filterwarnings("ignore:Detected call of", "ignore:The epoch parameter")
@pytest.mark.parametrize("make", [row for row in SCHEDULES if row[0] != "MultiplicativeLR"])
@pytest.mark.needs("torch")
def test_goes_to_a_step(make):
    """step(epoch), and for warm restarts between two epochs."""
    import torch

    a, ours = build(gpunet, nn, make)
    b, theirs = build(torch, torch.nn, make)
    for epoch in (3, 30, 12, 45, *((0.5, 7.25, 20.5) if make[0].endswith("Restarts") else ())):
        ours.step(epoch)
        theirs.step(epoch)
        assert_equal(a, ours, b, theirs)


@pytest.mark.parametrize("options", [
    {}, {"patience": 2, "factor": 0.5}, {"mode": "max", "patience": 1, "cooldown": 3},
    {"threshold": 0.3, "patience": 0},
    {"threshold_mode": "abs", "threshold": 0.05, "patience": 1, "min_lr": [0.01, 0.1]},
    {"mode": "max", "threshold_mode": "abs", "patience": 0, "min_lr": 0.02, "eps": 0.01},
], ids=str)
@pytest.mark.needs("torch")
def test_plateau_is_pytorchs(options):
    import torch

    a, ours = build(gpunet, nn, ("ReduceLROnPlateau", options))
    b, theirs = build(torch, torch.nn, ("ReduceLROnPlateau", options))
    rng = np.random.default_rng(0)
    for step in range(100):
        measure = float(np.exp(-step / 20) + 0.2 * rng.random() - 0.5)
        ours.step(gpunet.tensor(measure) if step % 2 else measure)
        theirs.step(torch.tensor(measure) if step % 2 else measure)
        assert_equal(a, ours, b, theirs)
        assert ours.in_cooldown == theirs.in_cooldown


def test_order_of_steps():
    optimizer = optim.SGD([nn.Parameter(gpunet.ones(1))], lr=0.1)
    scheduler = optim.lr_scheduler.StepLR(optimizer, 1)
    with pytest.warns(UserWarning, match="before `optimizer.step"):
        scheduler.step()


class _Decay:
    """A function with a state of its own."""

    def __init__(self, base):
        self.base = base

    def __call__(self, step):
        return self.base**step


def test_functions_in_the_state():
    optimizer = optim.SGD([nn.Parameter(gpunet.ones(1))], lr=1.0)
    first, second = (optim.lr_scheduler.LambdaLR(optimizer, _Decay(base)) for base in (0.5, 0.9))
    assert first.state_dict()["lr_lambdas"] == [{"base": 0.5}]
    second.load_state_dict(first.state_dict())
    assert second.lr_lambdas[0].base == 0.5
    plain = optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1)
    assert plain.state_dict()["lr_lambdas"] == [None]


def test_recorded_step_follows():
    p = nn.Parameter(gpunet.zeros(1))
    optimizer = optim.SGD([p], lr=1.0)
    scheduler = optim.lr_scheduler.StepLR(optimizer, 1, gamma=0.5)

    @gpunet.compile
    def step():
        optimizer.zero_grad()
        p.sum().backward()
        optimizer.step()

    for _ in range(5):
        step()
        scheduler.step()
    assert p.item() == -(1 + 0.5 + 0.25 + 0.125 + 0.0625)


@pytest.mark.parametrize("make, error, text", [
    (lambda o: optim.lr_scheduler.StepLR(3, 1), TypeError, "int is not an Optimizer"),
    (lambda o: optim.lr_scheduler.StepLR(o, 1, last_epoch=3), KeyError, "'initial_lr' is not specified"),
    (lambda o: optim.lr_scheduler.LambdaLR(o, [abs, abs]), ValueError, "Expected 1 lr_lambdas, but got 2"),
    (lambda o: optim.lr_scheduler.LinearLR(o, 0), ValueError, "Starting multiplicative factor expected"),
    (lambda o: optim.lr_scheduler.OneCycleLR(o, 0.1), ValueError, "You must define either total_steps OR"),
    (lambda o: optim.lr_scheduler.OneCycleLR(o, 0.1, 0), ValueError,
     "Expected positive integer total_steps, but got 0"),
    (lambda o: optim.lr_scheduler.LambdaLR(o, 3), TypeError, "lr_lambda should be a function, but got int"),
    (lambda o: optim.lr_scheduler.ConstantLR(o, 2), ValueError, "Constant multiplicative factor expected"),
    (lambda o: optim.lr_scheduler.CyclicLR(o, 0.1, 1, mode="x"), ValueError, "mode is invalid and scale_fn is None"),
    (lambda o: optim.lr_scheduler.CyclicLR(o, 0.1, [1, 2]), ValueError, "max_lr must have the same length"),
    (lambda o: optim.lr_scheduler.CyclicLR(optim.Adagrad([nn.Parameter(gpunet.ones(1))]), 0.1, 1), ValueError,
     "optimizer must support momentum or beta1"),
    (lambda o: optim.lr_scheduler.CosineAnnealingWarmRestarts(o, 0), ValueError, "Expected positive integer T_0"),
    (lambda o: optim.lr_scheduler.ReduceLROnPlateau(o, factor=1), ValueError, "Factor should be < 1.0"),
    (lambda o: optim.lr_scheduler.ReduceLROnPlateau(o, "up"), ValueError, "mode up is unknown"),
    (lambda o: optim.lr_scheduler.SequentialLR(o, [], []), ValueError, "expects at least one scheduler"),
    (lambda o: optim.lr_scheduler.SequentialLR(o, [optim.lr_scheduler.StepLR(o, 1)], [3]), ValueError,
     "one more than the number of milestone points"),
    (lambda o: optim.lr_scheduler.ChainedScheduler([optim.lr_scheduler.ReduceLROnPlateau(o)]), ValueError,
     "does not support `ReduceLROnPlateau`"),
    (lambda o: _run_out(o), ValueError, "Tried to step 3 times. The specified number of total steps is 2"),
])
def test_errors(make, error, text):
    with pytest.raises(error, match=text):
        make(optim.SGD([nn.Parameter(gpunet.ones(1))], lr=0.1))


def _run_out(optimizer):
    optimizer.step()
    schedule = optim.lr_scheduler.OneCycleLR(optimizer, 0.1, 2)
    for _ in range(3):
        schedule.step()
