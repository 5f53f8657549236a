"""Gradient clipping and parameter vectors against PyTorch."""

import math

import numpy as np
import pytest

import gpunet
from gpunet import nn

SHAPES = [(3, 4), (), (0, 2), (5,)]


def gradients(torch, scale, device="cpu"):
    rng = np.random.default_rng(0)
    ours = [nn.Parameter(gpunet.zeros(s, dtype=gpunet.float64, device=device)) for s in SHAPES]
    theirs = [torch.nn.Parameter(torch.zeros(s, dtype=torch.float64)) for s in SHAPES]
    for p, q, s in zip(ours, theirs, SHAPES, strict=True):
        g = np.asarray(rng.normal(size=s) * scale)
        p.grad, q.grad = gpunet.tensor(g, device=device), torch.tensor(g)
    ours.append(nn.Parameter(gpunet.zeros(2, device=device)))  # without a gradient
    return ours, theirs


def assert_same_gradients(ours, theirs):
    for p, q in zip(ours, theirs, strict=False):
        np.testing.assert_allclose(p.grad.cpu().numpy(), q.grad.numpy(), rtol=1e-12)


@pytest.mark.parametrize("norm", [1, 2, 3.5, math.inf])
@pytest.mark.parametrize("scale", [0.01, 100])
@pytest.mark.needs("torch")
def test_clip_grad_norm(scale, norm, device):
    import torch

    ours, theirs = gradients(torch, scale, device)
    # PyTorch has no infinity norm of an empty gradient, which counts as 0 here.
    present = [q for q in theirs if q.numel()]
    a = nn.utils.clip_grad_norm_(ours, 1.5, norm)
    b = torch.nn.utils.clip_grad_norm_(present, 1.5, norm)
    assert a.item() == pytest.approx(b.item(), rel=1e-12)
    assert_same_gradients(ours, theirs)


def test_clip_grad_norm_of_strange_gradients():
    assert nn.utils.clip_grad_norm_([nn.Parameter(gpunet.ones(1))], 1.0).item() == 0
    p = nn.Parameter(gpunet.ones(2))
    p.grad = gpunet.tensor([math.inf, 1.0])
    with pytest.raises(RuntimeError, match="The total norm of order 2.0 .* is non-finite, so it cannot be clipped"):
        nn.utils.clip_grad_norm_(p, 1.0, error_if_nonfinite=True)
    with pytest.raises(ValueError, match="norm_type must be positive, got -1"):
        nn.utils.clip_grad_norm_(p, 1.0, -1)
    p = nn.Parameter(gpunet.ones(2, dtype=gpunet.float16))
    p.grad = gpunet.tensor([3e4, 4e4], dtype=gpunet.float16)  # the squares overflow float16
    assert nn.utils.clip_grad_norm_(p, 1.0).item() == pytest.approx(5e4, rel=1e-3)
    np.testing.assert_allclose(p.grad.float().numpy(), [0.6, 0.8], rtol=2e-3)


@pytest.mark.needs("torch")
def test_clip_grad_value():
    import torch

    ours, theirs = gradients(torch, 3)
    nn.utils.clip_grad_value_(ours, 0.5)
    torch.nn.utils.clip_grad_value_(theirs, 0.5)
    assert_same_gradients(ours, theirs)


def test_vectors():
    model = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
    vector = nn.utils.parameters_to_vector(model.parameters())
    assert vector.shape == (13,) and vector.requires_grad
    nn.utils.vector_to_parameters(gpunet.arange(13.0), model.parameters())
    assert model[0].bias.tolist() == [6, 7, 8] and model[1].bias.tolist() == [12]
    with pytest.raises(ValueError, match=r"the parameters have 13 elements, the vector has shape \(12,\)"):
        nn.utils.vector_to_parameters(gpunet.zeros(12), model.parameters())
