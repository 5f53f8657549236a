"""Pooling kernels on the simulator against the NumPy bodies: the same order of sums, so the same bits in float32."""

import ml_dtypes
import numpy as np
import pytest

from gpunet.ops import pool
from gpunet.ops.pool import _pool_windows
from gpunet.ops.windows import windows

# (shape, kernel, stride, padding, dilation, ceil): windows apart, side by side and overlapping, in 1 to 3 dimensions.
LAYOUTS = [((2, 3, 8, 8), (2, 2), (2, 2), 0, 1, False), ((1, 2, 9, 7), (3, 2), (2, 1), 1, 1, False),
           ((2, 1, 11, 10), (3, 3), (1, 2), 1, 2, True), ((1, 2, 7, 8), (2, 3), (3, 4), 0, 1, True),
           ((3, 2, 17), (4,), (3,), 2, 1, True), ((1, 2, 5, 6, 7), (2, 3, 2), (2, 1, 3), 1, 1, False),
           ((1, 300, 3), (3,), (1,), 1, 1, False), ((1, 1, 12), (3,), (4,), 1, 3, False)]
TYPES = ["float32", "float64", "float16", np.dtype(ml_dtypes.bfloat16)]


def laid_out(shape, kernel, stride, padding, dilation, ceil):
    return _pool_windows("pool", shape[2:], kernel, stride, padding, dilation, ceil)


def numbers(shape, dtype, seed, values=None):
    rng = np.random.default_rng(seed)
    return (rng.choice(values, shape) if values else rng.standard_normal(shape)).astype(dtype)


def same(op, cuda, shape, dtype, *arrays, **options):
    """The kernel's result, which is the body's."""
    right = np.empty(shape, dtype)
    op.op.body(np, right, *arrays, **options)
    found = cuda.empty(shape, dtype)
    assert op.op.launch(cuda, found, *(cuda(each) for each in arrays), **options) is not NotImplemented
    np.testing.assert_array_equal(found.get(), right)
    return right


@pytest.mark.parametrize("dtype", TYPES, ids=lambda dtype: np.dtype(dtype).name)
@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: "x".join(map(str, layout[0])))
def test_largest_and_mean_forward_and_backward(cuda, layout, dtype):
    shape, at = layout[0], laid_out(*layout)
    small = (*shape[:2], *at.out)
    x, g = numbers(shape, dtype, 0, [-np.inf, -1.5, 0.25, 2.0, 3.5]), numbers(small, dtype, 1)  # many are equal
    x[..., 0] = -2.0  # no window of -infinity alone: its gradient may go to the padding, which is nowhere
    y = same(pool.max_pool, cuda, small, dtype, x, at=at)
    same(pool.max_pool_indices, cuda, small, np.int64, x, at=at)
    if np.isfinite(y.astype(float)).all():
        same(pool.max_pool_grad, cuda, shape, dtype, g, x, y, at=at)
    x = numbers(shape, dtype, 2)
    if at.dilation == (1,) * len(at.dilation):
        for include_pad, override in ((True, None), (False, None), (True, 7)):
            options = dict(at=at, include_pad=include_pad, override=override)
            same(pool.avg_pool, cuda, small, dtype, x, **options)
            same(pool.avg_pool_grad, cuda, shape, dtype, g, **options)


def test_not_a_number_is_the_largest(cuda):
    x = numbers((1, 2, 6, 6), "float32", 0)
    x[0, 0, 1, 1] = x[0, 0, 1, 2] = x[0, 1, 5, 5] = np.nan
    at = windows((6, 6), (3, 3), (3, 3), ((0, 0), (0, 0)), (1, 1))
    y = same(pool.max_pool, cuda, (1, 2, 2, 2), np.float32, x, at=at)
    same(pool.max_pool_indices, cuda, y.shape, np.int64, x, at=at)
    same(pool.max_pool_grad, cuda, x.shape, np.float32, np.ones_like(y), x, y, at=at)


def test_integers_and_mixed_types_are_left_to_the_body(cuda):
    at = windows((4,), (2,), (2,), ((0, 0),), (1,))
    x, y = cuda.empty((1, 1, 4), "int64"), cuda.empty((1, 1, 2), "int64")
    assert pool.max_pool.op.launch(cuda, y, x, at=at) is NotImplemented
    assert pool.avg_pool.op.launch(cuda, y, x, at=at, include_pad=True, override=None) is NotImplemented
