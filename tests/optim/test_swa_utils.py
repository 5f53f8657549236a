"""Averaged models and their schedule against PyTorch."""

import numpy as np
import pytest

import gpunet
from gpunet import nn, optim
from gpunet.optim import swa_utils


def averages(library, library_nn, names, **options):
    """The averaged parameters and buffers after each of four updates."""
    utils = library.optim.swa_utils
    options = {k: getattr(utils, v[0])(*v[1:]) if isinstance(v, tuple) else v for k, v in options.items()}
    model = library_nn.Linear(3, 2)
    model.register_buffer("seen", library.zeros(2))
    averaged = utils.AveragedModel(model, **options)
    rng = np.random.default_rng(0)
    for _ in range(4):
        with library.no_grad():
            for t in (*model.parameters(), *model.buffers()):
                t.copy_(library.tensor(rng.normal(size=tuple(t.shape)).astype("float32")))
        averaged.update_parameters(model)
        yield {name: t.numpy().copy() for name, t in averaged.state_dict().items()}


@pytest.mark.parametrize("options", [
    {}, {"use_buffers": True}, {"avg_fn": ("get_ema_avg_fn", 0.9)}, {"multi_avg_fn": ("get_ema_multi_avg_fn", 0.9)},
    {"multi_avg_fn": ("get_swa_multi_avg_fn",), "use_buffers": True}, {"avg_fn": ("get_swa_avg_fn",)},
    {"avg_fn": lambda average, value, count: 0.25 * average + 0.75 * value},
], ids=range(7))
@pytest.mark.needs("torch")
def test_averages_are_pytorchs(options):
    import torch

    names = ("weight", "bias", "seen")
    for ours, theirs in zip(averages(gpunet, nn, names, **options), averages(torch, torch.nn, names, **options),
                            strict=True):
        assert ours.keys() == theirs.keys()
        for name in ours:
            np.testing.assert_allclose(ours[name], theirs[name], rtol=1e-5, atol=1e-7)


@pytest.mark.filterwarnings("ignore:Detected call of")
@pytest.mark.parametrize("options", [{}, {"anneal_epochs": 30, "anneal_strategy": "linear"}, {"anneal_epochs": 0},
                                     {"swa_lr": [0.2, 0.01]}])
@pytest.mark.needs("torch")
def test_schedule_is_pytorchs(options):
    import torch

    schedules = []
    for library, library_nn in ((gpunet, nn), (torch, torch.nn)):
        groups = [{"params": library_nn.Parameter(library.ones(1))} for _ in range(2)]
        optimizer = library.optim.SGD(groups, lr=0.1)
        decay = library.optim.lr_scheduler.ExponentialLR(optimizer, 0.95)
        schedules.append((decay, library.optim.swa_utils.SWALR(optimizer, **{"swa_lr": 0.05, **options})))
    for step in range(100):
        for decay, averaging in schedules:
            (decay if step < 20 else averaging).step()
        assert schedules[0][1]._rates() == pytest.approx([g["lr"] for g in schedules[1][1].optimizer.param_groups],
                                                         rel=1e-9)


@pytest.mark.needs("torch")
def test_batch_normalization_is_computed_anew():
    """Plain means of the batches' statistics, as PyTorch has them; momentum and mode stay."""
    if not hasattr(nn, "BatchNorm1d"):
        pytest.skip("no batch normalization")
    import torch

    batches = np.random.default_rng(0).normal(2, 3, (5, 8, 4)).astype("float32")
    found = []
    for library, library_nn in ((gpunet, nn), (torch, torch.nn)):
        model = library_nn.Sequential(library_nn.BatchNorm1d(4, momentum=0.3)).eval()
        loader = [(library.tensor(batch), 0) for batch in batches]
        library.optim.swa_utils.update_bn(loader, model, device="cpu")
        assert model[0].momentum == 0.3 and not model.training
        found.append({name: t.numpy() for name, t in model.state_dict().items()})
    assert found[0].keys() == found[1].keys()
    for name, value in found[0].items():
        np.testing.assert_allclose(value, found[1][name], rtol=1e-5)


def test_errors():
    with pytest.raises(ValueError, match="Invalid decay value 2"):
        swa_utils.get_ema_multi_avg_fn(2)
    with pytest.raises(AssertionError, match="Only one of avg_fn and multi_avg_fn"):
        swa_utils.AveragedModel(nn.Linear(1, 1), avg_fn=max, multi_avg_fn=max)
    with pytest.raises(ValueError, match="anneal_strategy must be one of"):
        swa_utils.SWALR(optim.SGD([nn.Parameter(gpunet.ones(1))]), 0.1, anneal_strategy="x")
