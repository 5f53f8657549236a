"""Learning rate schedules against PyTorch, step by step."""

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
    ("LambdaLR", {"lr_lambda": lambda step: 1 / (1 + step)}),
    ("LambdaLR", {"lr_lambda": [lambda step: 0.95**step, lambda step: step]}),
    ("OneCycleLR", {"max_lr": 0.5, "total_steps": 20}),
    ("OneCycleLR", {"max_lr": [0.5, 0.1], "epochs": 4, "steps_per_epoch": 5, "anneal_strategy": "linear"}),
    ("OneCycleLR", {"max_lr": 0.5, "total_steps": 20, "three_phase": True, "pct_start": 0.25, "div_factor": 10}),
    ("OneCycleLR", {"max_lr": 0.5, "total_steps": 20, "cycle_momentum": False, "final_div_factor": 10}),
]


def build(lib, lib_nn, name, options, optimizer="SGD"):
    groups = [{"params": [lib_nn.Parameter(lib.ones(1))]}, {"params": [lib_nn.Parameter(lib.ones(1))], "lr": 0.3}]
    kwargs = {"momentum": 0.5} if optimizer == "SGD" else {}
    optimizer = getattr(lib.optim, optimizer)(groups, lr=0.1, **kwargs)
    return optimizer, getattr(lib.optim.lr_scheduler, name)(optimizer, **options)


@pytest.mark.filterwarnings("ignore:Detected call of")
@pytest.mark.parametrize("optimizer", ["SGD", "AdamW"])
@pytest.mark.parametrize("name, options", SCHEDULES)
def test_is_pytorchs(name, options, optimizer):
    torch = pytest.importorskip("torch")
    a, ours = build(gpunet, nn, name, options, optimizer)
    b, theirs = build(torch, torch.nn, name, options, optimizer)
    for _ in range(20):
        assert ours.get_last_lr() == pytest.approx(theirs.get_last_lr(), rel=1e-9, abs=1e-15)
        for mine, other in zip(a.param_groups, b.param_groups, strict=True):
            assert mine["lr"] == pytest.approx(other["lr"], rel=1e-9, abs=1e-15)
            key = "betas" if "betas" in mine else "momentum"
            assert mine[key] == pytest.approx(other[key], rel=1e-9)
        ours.step()
        theirs.step()


def test_goes_on_from_its_state():
    (_, first), (_, second) = (build(gpunet, nn, "CosineAnnealingLR", {"T_max": 9}) for _ in range(2))
    for _ in range(4):
        first.step()
    second.load_state_dict(first.state_dict())
    first.step()
    second.step()
    assert first.get_last_lr() == second.get_last_lr()


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
    (lambda o: _run_out(o), ValueError, "Tried to step 3 times. The specified number of total steps is 2"),
])
def test_errors(make, error, text):
    with pytest.raises(error, match=text):
        make(optim.SGD([nn.Parameter(gpunet.ones(1))], lr=0.1))


def _run_out(optimizer):
    schedule = optim.lr_scheduler.OneCycleLR(optimizer, 0.1, 2)
    for _ in range(3):
        schedule.step()
