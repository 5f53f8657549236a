"""Gradient checkpointing: the same gradients and random numbers, less memory."""

import tracemalloc

import numpy as np
import pytest

import gpunet
from gpunet import nn
from gpunet.native import memory
from gpunet.utils.checkpoint import CheckpointError, checkpoint, checkpoint_sequential


def model(device="cpu", depth=4):
    gpunet.manual_seed(3)
    layers = [nn.Sequential(nn.Linear(6, 6), nn.Tanh(), nn.Dropout(0.4)) for _ in range(depth)]
    return nn.Sequential(*layers).to(device)


def gradients(how, device="cpu", compiled=False):
    """Loss and gradients of three steps, and the random numbers after them."""
    net = model(device)
    x = gpunet.randn(5, 6, device=device).requires_grad_()

    def step(x):
        net.zero_grad()
        loss = (how(net, x) ** 2).sum()
        loss.backward()
        return loss, *[p.grad for p in net.parameters()]

    step = gpunet.compile(step) if compiled else step
    found = [[t.tolist() for t in step(x)] for _ in range(4)]
    return found, gpunet.rand(3).tolist(), None if compiled else x.grad.tolist()


HOW = {
    "whole": lambda net, x: checkpoint(net, x, use_reentrant=False),
    "parts": lambda net, x: checkpoint(net[2:], checkpoint(net[:2], x)),
    "nested": lambda net, x: checkpoint(lambda x: checkpoint(net[3], checkpoint(net[:3], x)), x),
    "sequential": lambda net, x: checkpoint_sequential(net, 2, x),
    "keywords": lambda net, x: checkpoint(lambda *, x: (net(x), x), x=x, use_reentrant=False)[0],
}


@pytest.mark.parametrize("how", HOW)
def test_gradients_are_the_same(how, device):
    assert gradients(HOW[how], device) == gradients(lambda net, x: net(x), device)


@pytest.mark.parametrize("how", ["whole", "nested"])
def test_recorded_step(how):
    assert gradients(HOW[how], compiled=True) == gradients(lambda net, x: net(x), compiled=True)


def test_without_the_state_of_the_generator():
    net, x = model(), gpunet.ones(5, 6)
    gpunet.manual_seed(0)
    loss = checkpoint(net, x, preserve_rng_state=False).sum()
    before = gpunet.default_generator.position()
    loss.backward()
    assert gpunet.default_generator.position() != before


@pytest.mark.parametrize("how", ["whole", "nested"])
def test_second_derivatives(how):
    net = model().eval()
    x = gpunet.randn(2, 6, dtype=gpunet.float64).requires_grad_()
    net.double()
    assert gpunet.autograd.gradgradcheck(lambda x, *_: HOW[how](net, x).sum(1), [x, *net.parameters()], fast_mode=True)
    plain, ours = (gpunet.autograd.functional.hvp(lambda x, f=f: f(net, x).sum(), x, gpunet.ones_like(x))[1]
                   for f in (lambda net, x: net(x), HOW[how]))
    np.testing.assert_allclose(ours.numpy(), plain.numpy(), rtol=1e-12)


def test_grad_reaches_parameters_that_are_not_arguments():
    net, x = model().eval(), gpunet.randn(2, 6)
    weights = list(net.parameters())
    for plain, ours in zip(gpunet.autograd.grad(net(x).sum(), weights),
                           gpunet.autograd.grad(checkpoint(net, x).sum(), weights), strict=True):
        assert plain.tolist() == ours.tolist()


def test_runs_again_once_and_only_when_needed():
    runs = []

    def function(x):
        runs.append(1)
        return x.exp().sin()

    x = gpunet.ones(3).requires_grad_()
    y = checkpoint(function, x).sum()
    assert len(runs) == 1
    y.backward(retain_graph=True)
    assert len(runs) == 2
    y.backward()
    assert len(runs) == 2
    with pytest.raises(RuntimeError, match="a second time"):
        y.backward()
    with gpunet.no_grad():
        checkpoint(function, x)
    assert len(runs) == 3


def test_saves_memory(monkeypatch):
    monkeypatch.setattr(memory, "empty", np.empty)  # arrays that tracemalloc sees

    def peak(run):
        net = nn.Sequential(*[nn.Sequential(*[nn.Tanh() for _ in range(5)]) for _ in range(8)])
        x = gpunet.ones(100_000).requires_grad_()
        tracemalloc.start()
        try:
            run(net, x).sum().backward()
            return tracemalloc.get_traced_memory()[1] / x.nbytes
        finally:
            tracemalloc.stop()

    assert peak(lambda net, x: net(x)) > 39
    # Eight inputs of segments, the five values of one, and gradients.
    assert peak(lambda net, x: checkpoint_sequential(net, 8, x)) < 18


def test_frees_everything():
    """No cycle of references holds the values until the garbage collector comes."""
    import gc
    import weakref

    x = gpunet.ones(3).requires_grad_()
    gc.disable()
    try:
        y = checkpoint(lambda x: x.exp().sin(), x)
        node = weakref.ref(y.grad_fn)
        y.sum().backward()
        del y
        assert node() is None
    finally:
        gc.enable()


def test_contexts():
    seen = []

    class Note:
        def __init__(self, name):
            self.name = name

        def __enter__(self):
            seen.append(self.name)

        def __exit__(self, *_):
            pass

    x = gpunet.ones(3).requires_grad_()
    y = checkpoint(lambda x: x.exp(), x, context_fn=lambda: (Note("first"), Note("second")))
    y.sum().backward()
    assert seen == ["first", "second"]


def test_errors():
    x = gpunet.ones(3).requires_grad_()
    turn = iter(range(2))
    y = checkpoint(lambda x: x.exp() if next(turn) else x.sin().cos(), x)
    with pytest.raises(CheckpointError, match="2 operations and then 1; the first that differ are sin"):
        y.sum().backward()
    z = x * 1
    y = checkpoint(lambda z: z.exp().sin(), z)
    z.add_(1)
    with pytest.raises(CheckpointError, match="changed by an in-place operation"):
        y.sum().backward()
    with pytest.raises(ValueError, match="determinism_check should be one of"):
        checkpoint(lambda x: x, x, determinism_check="x")
