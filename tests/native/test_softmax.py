"""Softmax, its logarithm and the fused cross-entropy by native kernels against their NumPy bodies."""

import numpy as np
import pytest

import gpunet
import gpunet.nn.functional as F
from gpunet import native
from tests.native.near import both

SHAPES = [((1,), 0), ((3,), 0), ((5, 10), 1), ((4, 7), 0), ((2, 3, 300), 1), ((2, 1000), -1), ((0, 4), 1), ((3, 0), 0),
          ((70, 33), 1)]


def _values(shape, seed=0):
    x = np.random.default_rng(seed).standard_normal(shape, np.float32) * 5
    if x.size > 8:
        x.reshape(-1)[::7] *= 30  # outliers, beside which the others vanish
    return x


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
@pytest.mark.parametrize(("shape", "dim"), SHAPES, ids=str)
def test_softmax(name, shape, dim):
    def run():
        x = gpunet.tensor(_values(shape), requires_grad=True)
        y = getattr(gpunet, name)(x, dim)
        (dx,) = gpunet.autograd.grad(y, x, gpunet.tensor(_values(shape, 1)), create_graph=True)
        (second,) = gpunet.autograd.grad(dx, x, gpunet.tensor(_values(shape, 2)))
        return y.detach().numpy(), dx.detach().numpy(), second.numpy()

    both(run, ulps=64)


@pytest.mark.parametrize("row", [[np.nan, 1, 2], [np.inf, 1, 2], [-np.inf, 1, 2], [-np.inf] * 3, [np.inf, np.inf, 0]])
@pytest.mark.parametrize("repeats", [1, 20])
def test_numbers_that_are_not_finite(row, repeats):
    x = np.tile(np.array(row, np.float32), (4, repeats))
    for dim in (0, 1):
        both(lambda dim=dim: [getattr(gpunet, name)(gpunet.tensor(x), dim).numpy()
                               for name in ("softmax", "log_softmax")])


@pytest.mark.parametrize("reduction", ["none", "sum", "mean"])
@pytest.mark.parametrize("smoothing", [0.0, 0.3])
@pytest.mark.parametrize(("rows", "classes", "ignored"), [(1, 1, 0), (5, 3, 1), (300, 10, 0), (7, 1003, 2), (3, 4, 3)])
def test_cross_entropy(rows, classes, ignored, reduction, smoothing):
    target = np.random.default_rng(0).integers(0, classes, rows)
    target[:ignored] = -100

    def run():
        x = gpunet.tensor(_values((rows, classes)), requires_grad=True)
        loss = F.cross_entropy(x, gpunet.tensor(target), reduction=reduction, label_smoothing=smoothing)
        loss.backward(gpunet.ones_like(loss))
        return loss.detach().numpy(), x.grad.numpy()

    both(run)


def test_a_target_that_is_no_class_is_named():
    x = gpunet.zeros(4, 3)
    for wrong in (3, -1):
        target = gpunet.tensor([0, 2, wrong, 7])
        messages = []
        for serving in (True, False):
            with pytest.raises(IndexError) as error:
                if serving:
                    F.cross_entropy(x, target)
                else:
                    with native.disabled():
                        F.cross_entropy(x, target)
            messages.append(str(error.value))
        assert messages[0] == messages[1] and str(wrong) in messages[0]


def test_a_recorded_step_checks_its_targets():
    step = gpunet.compile(lambda x, target: F.cross_entropy(x, target))
    x = gpunet.zeros(2, 3)
    for _ in range(3):
        step(x, gpunet.tensor([0, 1]))
    with pytest.raises(IndexError):
        step(x, gpunet.tensor([0, 3]))
