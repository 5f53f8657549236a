"""Bias with ReLU and column sums on the simulator against NumPy."""

import ml_dtypes
import numpy as np
import pytest

from gpunet.ops import linear as ops

bias_relu, bias_relu_grad, column_sum = ops.bias_relu.op.launch, ops.bias_relu_grad.op.launch, ops.column_sum.op.launch

DTYPES = ["float32", "float64", "float16", np.dtype(ml_dtypes.bfloat16)]
SHAPES = [(1, 1), (1, 7), (7, 1), (3, 10), (64, 256), (65, 128), (200, 33), (131, 257), (1000, 64), (37, 1032)]
TOLERANCE = {"float64": 1e-12, "float32": 1e-5, "float16": 2e-2, "bfloat16": 1e-1}


def numbers(shape, dtype, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_bias_relu(cuda, shape, dtype):
    x, bias = numbers(shape, dtype), numbers(shape[1], dtype, 1)
    out = cuda.empty(x.shape, x.dtype)
    bias_relu(cuda, out, cuda(x), cuda(bias))
    wide = "float64" if x.dtype == np.float64 else "float32"
    expected = np.maximum(x.astype(wide) + bias.astype(wide), 0).astype(x.dtype)
    np.testing.assert_array_equal(out.get(), expected)


def test_bias_relu_keeps_nan(cuda):
    x = np.array([[np.nan, -1.0, np.inf, -np.inf, 1.0]], np.float32)
    out = cuda.empty(x.shape, x.dtype)
    bias_relu(cuda, out, cuda(x), cuda(np.zeros(5, np.float32)))
    np.testing.assert_array_equal(out.get(), [[np.nan, 0, np.inf, 0, 1]])


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_gradient_and_its_column_sum(cuda, shape, dtype):
    g, y = numbers(shape, dtype), np.maximum(numbers(shape, dtype, 1), 0)
    dx, db = cuda.empty(g.shape, g.dtype), cuda.empty(shape[1], g.dtype)
    bias_relu_grad(cuda, dx, db, cuda(g), cuda(y))
    expected = np.where(y > 0, g, 0)
    np.testing.assert_array_equal(dx.get(), expected)
    tolerance = TOLERANCE[g.dtype.name]
    np.testing.assert_allclose(db.get().astype(float), expected.astype(float).sum(0), rtol=tolerance,
                               atol=tolerance * np.sqrt(shape[0]))


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_column_sum(cuda, shape, dtype):
    g = numbers(shape, dtype)
    out = cuda.empty(shape[1], g.dtype)
    column_sum(cuda, out, cuda(g))
    tolerance = TOLERANCE[g.dtype.name]
    np.testing.assert_allclose(out.get().astype(float), g.astype(float).sum(0), rtol=tolerance,
                               atol=tolerance * np.sqrt(shape[0]))


def test_column_sum_is_the_same_in_every_run(cuda):
    g = cuda(numbers((5000, 40), "float32"))
    runs = []
    for _ in range(3):
        out = cuda.empty(40, np.float32)
        column_sum(cuda, out, g)
        runs.append(out.get())
    assert all((run == runs[0]).all() for run in runs)


def test_arrays_that_are_not_aligned(cuda):
    """A view that starts off a 16-byte boundary takes the scalar variant."""
    storage = numbers(1 + 6 * 8, "float32")
    view = cuda(storage)[1:].reshape(6, 8)
    out = cuda.empty(8, np.float32)
    column_sum(cuda, out, view)
    np.testing.assert_allclose(out.get(), storage[1:].reshape(6, 8).sum(0), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("shape", [(0, 5), (5, 0)], ids=str)
def test_empty(cuda, shape):
    g = cuda(np.zeros(shape, np.float32))
    dx, db = cuda.empty(shape, np.float32), cuda.empty(shape[1], np.float32)
    bias_relu(cuda, dx, g, cuda(np.zeros(shape[1], np.float32)))
    bias_relu_grad(cuda, dx, db, g, g)
    assert not db.get().any()
