"""Pooling by native kernels: the NumPy bodies' results, for any windows and number of threads."""

import numpy as np
import pytest

import gpunet
import gpunet.nn.functional as F
from gpunet.ops.pool import _pool_windows, avg_pool, avg_pool_grad, max_pool, max_pool_grad
from tests.native.agreement import arrays, check

# size, kernel, stride, padding, dilation, whether the last window may reach beyond the end
WINDOWS = [
    ((24, 24), 2, 2, 0, 1, False),
    ((5, 19), 2, 2, 0, 1, False),
    ((7, 9), 2, 2, 0, 1, True),
    ((7, 7), 7, 7, 0, 1, False),
    ((18, 21), 3, 2, 1, 1, False),
    ((18, 20), 3, 2, 1, 1, True),
    ((12, 12), 3, 1, 1, 1, False),
    ((13, 40), (2, 3), (1, 2), (1, 0), (3, 2), False),
    ((23, 23), 5, 4, 2, 1, True),
    ((1, 1), 1, 1, 0, 1, False),
    ((9, 3), (3, 2), (2, 1), (1, 1), (1, 4), False),  # a column of windows that lies in the padding
    ((50,), 3, 2, 1, 1, False),
    ((9,), 4, 1, 2, 2, False),
    ((6, 7, 20), 2, 2, 0, 1, False),
    ((5, 6, 7), 3, 2, 1, 1, True),
    ((4, 5, 33), (2, 3, 3), (1, 2, 1), (0, 1, 1), (2, 1, 1), False),
]


def _case(size, kernel, stride, padding, dilation, ceil_mode, values=None):
    at = _pool_windows("pool", size, kernel, stride, padding, dilation, ceil_mode)
    x, g = arrays((2, 3, *size), (2, 3, *at.out))
    return at, x if values is None else gpunet.tensor(np.random.default_rng(0).choice(values, x.shape)), g


@pytest.mark.parametrize("values", [None, (0, 1), (-np.inf, 0, np.inf), (0, 1, 2, np.nan)], ids=str)
@pytest.mark.parametrize("case", WINDOWS, ids=str)
def test_largest(case, values):
    values = None if values is None else np.float32(values)
    at, x, g = _case(*case, values)
    (y,) = check(lambda x: max_pool(x, at=at), x, tolerance=0)
    check(lambda g, x, y: max_pool_grad(g, x, y, at=at), g, x, gpunet.tensor(y), tolerance=1e-6)


@pytest.mark.parametrize(("include_pad", "override"), [(True, None), (False, None), (True, 7)])
@pytest.mark.parametrize("case", [case for case in WINDOWS if case[4] == 1], ids=str)
def test_mean(case, include_pad, override):
    at, x, g = _case(*case)
    check(lambda x: avg_pool(x, at=at, include_pad=include_pad, override=override), x)
    check(lambda g: avg_pool_grad(g, at=at, include_pad=include_pad, override=override), g)


@pytest.mark.parametrize("wanted", [1, 2, 3, (4, 6), (5, 7)])
def test_adaptive(wanted):
    (x,) = arrays((2, 3, 8, 12))
    check(lambda x: F.adaptive_avg_pool2d(x, wanted), x)
    check(lambda x: F.adaptive_max_pool2d(x, wanted), x)


def test_integers_and_nothing():
    x = gpunet.arange(16).reshape(1, 1, 4, 4)
    np.testing.assert_array_equal(F.max_pool2d(x, 2).numpy(), [[[[5, 7], [13, 15]]]])
    np.testing.assert_array_equal(F.avg_pool2d(x, 2).numpy(), [[[[2, 4], [10, 12]]]])
    assert F.max_pool2d(gpunet.ones(0, 3, 4, 4), 2).shape == (0, 3, 2, 2)
