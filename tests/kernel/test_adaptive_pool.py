"""Adaptive pooling on the simulator, of planes and in channels last, against windows in float64."""

import math
from itertools import product

import ml_dtypes
import numpy as np
import pytest
from test_norm_channels import empty_last, last

from gpunet.ops import adaptive_pool

TOLERANCE = {"float32": 1e-6, "float64": 1e-15, "float16": 1e-3, "bfloat16": 8e-3}
TYPES = ["float32", "float64", "float16", np.dtype(ml_dtypes.bfloat16)]
# (shape, windows): fewer than elements, as many, more; one; of 1 to 3 dimensions.
CASES = [((2, 16, 13, 11), (6, 5)), ((1, 3, 6, 6), (7, 7)), ((3, 24, 5, 9), (1, 9)), ((2, 5, 9), (4,)),
         ((1, 2, 5, 7, 4), (3, 2, 6)), ((2, 8, 40, 3), (7, 2))]


def windows(n, out):
    return [slice(i * n // out, math.ceil((i + 1) * n / out)) for i in range(out)]


@pytest.mark.parametrize("dtype", TYPES, ids=lambda dtype: np.dtype(dtype).name)
@pytest.mark.parametrize("shape, wanted", CASES, ids=str)
def test_means_and_their_gradients(cuda, shape, wanted, dtype):
    rng, small = np.random.default_rng(0), (*shape[:2], *wanted)
    x, g = rng.standard_normal(shape).astype(dtype), rng.standard_normal(small).astype(dtype)
    y, dx = np.zeros(small), np.zeros(shape)
    for place in product(*map(range, wanted)):
        at = (..., *[windows(n, o)[i] for n, o, i in zip(shape[2:], wanted, place, strict=True)])
        axes = tuple(range(2, len(shape)))
        y[..., *place] = x[at].astype(float).mean(axes)
        size = x[at][0, 0].size
        dx[at] += g[..., *place].astype(float).reshape(*shape[:2], *[1] * len(wanted)) / size
    for right, into, op, array, options in (
            (y, small, adaptive_pool.adaptive_avg, x, dict(wanted=wanted)),
            (dx, shape, adaptive_pool.adaptive_avg_grad, g, dict(size=shape[2:]))):
        planes, body = cuda.empty(into, dtype), np.empty(into, dtype)
        assert op.op.launch(cuda, planes, cuda(array), **options) is not NotImplemented
        op.op.body(np, body, array, **options)
        for found in (planes.get(), body):
            assert np.linalg.norm(found - right) <= TOLERANCE[np.dtype(dtype).name] * np.linalg.norm(right)
        if len(shape) == 4:
            images, found = last(cuda, array), empty_last(cuda, into, dtype)
            assert op.op.takes_channels_last(cuda, images, **options)
            op.op.launch(cuda, found, images, **options)
            np.testing.assert_array_equal(found.get().astype(float), planes.get().astype(float))


@pytest.mark.parametrize("dtype", TYPES, ids=lambda dtype: np.dtype(dtype).name)
@pytest.mark.parametrize("shape, wanted", CASES, ids=str)
def test_largest_elements_and_their_gradients(cuda, shape, wanted, dtype):
    """Of values that repeat, and NaN: as max pooling has it, the first of equal ones and the last NaN."""
    rng, small, rank = np.random.default_rng(0), (*shape[:2], *wanted), len(wanted)
    x, g = rng.integers(-3, 3, shape).astype(dtype), rng.standard_normal(small).astype(dtype)
    x.reshape(-1)[:: max(7, x.size // 20)] = np.nan
    x.reshape(-1)[1::5] = -np.inf
    y, where, dx = np.zeros(small), np.zeros(small, int), np.zeros(shape)
    flat, places = dx.reshape(*shape[:2], -1), np.arange(np.prod(shape[2:])).reshape(shape[2:])
    for place in product(*map(range, wanted)):
        at = tuple(windows(n, o)[i] for n, o, i in zip(shape[2:], wanted, place, strict=True))
        for image, channel in np.ndindex(shape[:2]):
            values, numbers = x[image, channel][at].astype(float).reshape(-1), places[at].reshape(-1)
            nan = np.flatnonzero(np.isnan(values))
            best = nan[-1] if len(nan) else values.argmax()
            y[image, channel][place], where[image, channel][place] = values[best], numbers[best]
            flat[image, channel, numbers[best]] += float(g[image, channel][place])
    op, back = adaptive_pool.adaptive_max.op, adaptive_pool.adaptive_max_grad.op
    for in_last in (False, *[True] * (rank == 2)):
        put = last if in_last else lambda cuda, array: cuda(array)
        empty = empty_last if in_last else lambda cuda, shape, dtype: cuda.empty(shape, dtype)
        out, indices, found = empty(cuda, small, dtype), empty(cuda, small, "int64"), empty(cuda, shape, dtype)
        assert not in_last or op.takes_channels_last(cuda, put(cuda, x), wanted=wanted)
        assert op.launch(cuda, out, indices, put(cuda, x), wanted=wanted) is not NotImplemented
        assert back.launch(cuda, found, put(cuda, g), indices, size=shape[2:]) is not NotImplemented
        np.testing.assert_array_equal(out.get().astype(float), y)
        np.testing.assert_array_equal(indices.get(), where)
        assert np.abs(found.get().astype(float) - dx).max() <= 8 * TOLERANCE[np.dtype(dtype).name]
    body, numbers, gradient = np.empty(small, dtype), np.empty(small, int), np.empty(shape, dtype)
    op.body(np, body, numbers, x, wanted=wanted)
    back.body(np, gradient, g, numbers, size=shape[2:])
    np.testing.assert_array_equal(body.astype(float), y)
    np.testing.assert_array_equal(numbers, where)
    assert np.abs(gradient.astype(float) - dx).max() <= 8 * TOLERANCE[np.dtype(dtype).name]
