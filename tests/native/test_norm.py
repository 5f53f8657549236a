"""Batch, group and instance normalisation by native kernels: the NumPy bodies' results, for any shape and threads."""

import numpy as np
import pytest

import gpunet
import gpunet.nn.functional as F
from gpunet.ops.channel_affine import channel_affine, channel_sums
from gpunet.ops.normalization import normalize, normalize_grad
from tests.native.agreement import arrays, check

BATCH, INSTANCE, GROUP = (0, 2), (2,), (2, 3)

# shape, axes
SHAPES = [
    ((4, 3, 5), BATCH), ((32, 16, 64), BATCH), ((2, 3, 5000), BATCH), ((1, 2, 7), BATCH), ((6, 1, 33), BATCH),
    ((9, 5, 1), BATCH), ((600, 19, 1), BATCH), ((1, 1, 1), BATCH),
    ((4, 3, 5), INSTANCE), ((2, 3, 5000), INSTANCE), ((3, 4, 1), INSTANCE),
    ((2, 3, 4, 5), GROUP), ((3, 2, 8, 100), GROUP), ((2, 4, 1, 9), GROUP), ((2, 1, 5, 1), GROUP),
    ((2, 2, 3, 3000), GROUP),
]


def _weight_shape(shape, axes):
    return (1, shape[1], 1) if len(shape) == 3 else (1, *shape[1:3], 1)


@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize(("shape", "axes"), SHAPES, ids=str)
def test_forward_and_backward(shape, axes, weighted):
    weight = _weight_shape(shape, axes) if weighted else None
    x, g, w, b = arrays(shape, shape, weight, weight)
    x = x * 3 + 5
    options = {"axes": axes, "eps": 1e-3, "centred": True}
    _, centre, spread = check(lambda x, w, b: normalize(x, w, b, **options), x, w, b)
    centre, spread = gpunet.tensor(centre), gpunet.tensor(spread)
    check(lambda g, x, m, v, w: normalize_grad(g, x, m, v, w, None, **options), g, x, centre, spread, w)


@pytest.mark.parametrize("shape", [shape for shape, axes in SHAPES if axes == BATCH] + [(0, 3, 2), (2, 3, 0)], ids=str)
def test_running_statistics_in_one_pass(shape):
    x, g, factor, offset = arrays(shape, shape, shape[1:2], shape[1:2])
    check(channel_affine, x, factor, offset)
    check(channel_sums, g, x)


def test_a_variance_far_smaller_than_the_mean():
    (x,) = arrays((8, 2, 3000))
    x = x + 4000.0
    _, _, spread = check(lambda x: normalize(x, None, None, axes=BATCH, eps=1e-5, centred=True), x, tolerance=2e-3)
    np.testing.assert_allclose(spread.reshape(-1), x.numpy().astype(np.float64).var((0, 2)), rtol=1e-5)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_finite_stays_in_its_channel(value):
    x, w, b = arrays((4, 3, 6, 6), (3,), (3,))
    x[2, 1, 0, 5] = float(value)
    y = F.batch_norm(x, None, None, w, b, training=True).isnan().numpy()
    assert y[:, 1].all() and not y[:, [0, 2]].any()


def test_running_statistics():
    x, mean, variance = arrays((8, 3, 5, 5), (3,), (3,))
    variance = variance.abs()
    before = mean.numpy().copy(), variance.numpy().copy()
    F.batch_norm(x, mean, variance, training=True, momentum=0.25)
    host = x.numpy().transpose(1, 0, 2, 3).reshape(3, -1)
    np.testing.assert_allclose(mean.numpy(), 0.75 * before[0] + 0.25 * host.mean(1), rtol=1e-5)
    np.testing.assert_allclose(variance.numpy(), 0.75 * before[1] + 0.25 * host.var(1, ddof=1), rtol=1e-5)


def test_nothing():
    assert F.group_norm(gpunet.ones(0, 4, 3), 2).shape == (0, 4, 3)
    assert F.instance_norm(gpunet.ones(2, 0, 3)).shape == (2, 0, 3)
