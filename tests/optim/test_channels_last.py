"""Steps of parameters in channels last: the numbers of steps in row-major order, and no copies where kernels run."""

import copy

import numpy as np
import pytest

import gpunet
from gpunet import nn
from gpunet._channels_last import order_of
from gpunet.sim import cupy
from tests.optim.table import TABLE

SHAPES = (5, 3, 3, 3), (7,), (4, 3, 2, 3, 3), (6, 5), (4, 1, 3, 3), (4, 3, 1, 1)
FORMATS = {4: gpunet.channels_last, 5: gpunet.channels_last_3d}


def in_format(tensor, last):
    return tensor.to(memory_format=FORMATS[tensor.ndim]) if last and tensor.ndim in FORMATS else tensor


def drawn(shapes, seed, device, dtype=gpunet.float32):
    rng = np.random.default_rng(seed)
    return [gpunet.tensor(rng.normal(size=shape).astype("float32"), dtype=dtype, device=device) for shape in shapes]


def no_copies(*_):
    raise AssertionError("an array was copied")


def stepped(name, options, device, last, gradients_last=None, dtype=gpunet.float32, between=None, monkeypatch=None):
    """Parameters and states after four steps, and the optimizer."""
    parameters = [nn.Parameter(in_format(t, last)) for t in drawn(SHAPES, 0, device, dtype)]
    optimizer = getattr(gpunet.optim, name)(parameters, **{"lr": 0.1, **options})
    for step in range(4):
        for p, gradient in zip(parameters, drawn(SHAPES, 1 + step, device, dtype), strict=True):
            p.grad = in_format(gradient, last if gradients_last is None else gradients_last)
        if monkeypatch is not None:
            monkeypatch.setattr(cupy, "ascontiguousarray", no_copies)
        optimizer.step()
        if monkeypatch is not None:
            monkeypatch.undo()
        if between is not None and step == 1:
            between(parameters, optimizer)
    return parameters, optimizer


def assert_same(one, other):
    """To the last bit but one: at the end of a row of vectors compilers may round products and sums apart."""
    for p, q in zip(one[0], other[0], strict=True):
        np.testing.assert_allclose(p.tolist(), q.tolist(), rtol=1e-6, atol=1e-6)
        for name, value in one[1].state[p].items():
            np.testing.assert_allclose(value.tolist(), other[1].state[q][name].tolist(), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(("name", "options"), TABLE[::2], ids=str)
def test_same_numbers(name, options, device, monkeypatch):
    expected = stepped(name, options, device, last=False)
    found = stepped(name, options, device, last=True, monkeypatch=monkeypatch)
    assert_same(found, expected)
    for p in found[0]:
        for value in found[1].state[p].values():
            assert value.ndim == 0 or order_of(value._array) == order_of(p._array)


@pytest.mark.parametrize("dtype", [gpunet.float32, gpunet.bfloat16, gpunet.float64], ids=str)
@pytest.mark.parametrize(("last", "gradients_last"), [(True, False), (False, True)])
def test_gradients_in_another_format(last, gradients_last, dtype, device):
    expected = stepped("AdamW", {}, device, last=False, dtype=dtype)
    assert_same(stepped("AdamW", {}, device, last=last, gradients_last=gradients_last, dtype=dtype), expected)


@pytest.mark.parametrize("first", [False, True])
def test_the_format_may_change_between_steps(first, device):
    def change(parameters, optimizer):
        for p in parameters:
            p.data = p.data.contiguous() if first else in_format(p.data, True)

    expected = stepped("Adam", {}, device, last=False)
    found = stepped("Adam", {}, device, last=first, gradients_last=not first, between=change)
    assert_same(found, expected)


def test_state_is_loaded_in_the_format_of_the_parameter(device):
    def load(parameters, optimizer):
        optimizer.load_state_dict(copy.deepcopy(optimizer.state_dict()))
        for p in parameters:
            for value in optimizer.state[p].values():
                assert value.ndim == 0 or order_of(value._array) == order_of(p._array)

    assert_same(stepped("Adam", {}, device, last=True, between=load), stepped("Adam", {}, device, last=False))


@pytest.mark.parametrize("recorded", [False, True])
def test_clipping_and_unscaling(recorded, device, monkeypatch):
    norms = []
    for last in (False, True):
        parameters = [nn.Parameter(in_format(t, last)) for t in drawn(SHAPES, 0, device)]
        optimizer, scaler = gpunet.optim.SGD(parameters, lr=0.1), gpunet.amp.GradScaler(device, init_scale=4.0)

        def step(parameters=parameters, optimizer=optimizer, scaler=scaler):
            optimizer.zero_grad()
            scaler.scale(sum((p * p).sum() for p in parameters)).backward()
            if not recorded:  # whether a step is taken is read on the host
                scaler.unscale_(optimizer)
            norm = nn.utils.clip_grad_norm_(parameters, 1.0)
            optimizer.step()
            if not recorded:
                scaler.update()
            return norm

        call = gpunet.compile(step) if recorded else step
        norms.append([[call().item() for _ in range(4)], *(p.tolist() for p in parameters)])
    for with_last, without in zip(norms[1], norms[0], strict=True):
        np.testing.assert_allclose(with_last, without, rtol=1e-5, atol=1e-6)
