"""Softmax and log_softmax on the simulator against the formulas in float64."""

import ml_dtypes
import numpy as np
import pytest

from gpunet.ops import softmax as ops

BFLOAT16 = np.dtype(ml_dtypes.bfloat16)
TOLERANCE = {"float64": 1e-13, "float32": 3e-6, "float16": 2e-3, "bfloat16": 2e-2}

# (shape, dim): rows for a warp, for a block, and longer; columns, neighbouring or few.
LAYOUTS = [((1, 1), 1), ((9, 10), 1), ((5, 256), 1), ((3, 257), 1), ((2, 3, 1000), 2), ((1, 8192), 1), ((2, 8193), 1),
           ((1, 9000), 1), ((7, 5), 0), ((2, 9, 33), 1), ((3, 40, 2, 3), 1), ((2, 1, 70), 1)]


def numbers(shape, dtype, seed, size=3.0):
    return (np.random.default_rng(seed).standard_normal(shape) * size).astype(dtype)


def close(found, right, dtype, scale=0.0):
    """scale: of the numbers that cancel in the result."""
    apart = np.linalg.norm(found.get().astype(float) - right)
    assert apart <= TOLERANCE[np.dtype(dtype).name] * max(np.linalg.norm(right), scale)


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
@pytest.mark.parametrize("shape, dim", LAYOUTS, ids=lambda value: str(value))
@pytest.mark.parametrize("dtype", ["float32", "float64", BFLOAT16], ids=str)
def test_forward_and_backward(cuda, name, shape, dim, dtype):
    forward, backward = (getattr(ops, each).op for each in (f"{name}_op", f"{name}_grad"))
    x, g = numbers(shape, dtype, 0), numbers(shape, dtype, 1, 1.0)
    right, out = np.empty(shape), cuda.empty(shape, dtype)
    forward.body(np, right, x.astype(float), dim=dim)
    assert forward.launch(cuda, out, cuda(x), dim=dim) is None
    close(out, right, dtype)
    y, right, out = right.astype(dtype), np.empty(shape), cuda.empty(shape, dtype)
    backward.body(np, right, g.astype(float), y.astype(float), dim=dim)
    assert backward.launch(cuda, out, cuda(g), cuda(y), dim=dim) is None
    close(out, right, dtype, np.linalg.norm(g.astype(float)) / shape[dim])


@pytest.mark.parametrize("shape, dim", [((4, 10), 1), ((4, 300), 1), ((4, 9001), 1), ((10, 4), 0)])
def test_extreme_rows(cuda, shape, dim):
    """Large numbers, -infinity in part, -infinity alone (NaN), NaN and infinity."""
    x = np.moveaxis(numbers(shape, "float32", 0), dim, -1)
    x[0] = 3e38
    x[1, : x.shape[1] // 2] = -np.inf
    x[2] = -np.inf
    x[3, 1] = np.nan
    x = np.ascontiguousarray(np.moveaxis(x, -1, dim))
    for op in (ops.softmax_op.op, ops.log_softmax_op.op):
        right, out = np.empty(shape), cuda.empty(shape, "float32")
        with np.errstate(all="ignore"):
            op.body(np, right, x.astype(float), dim=dim)
        op.launch(cuda, out, cuda(x), dim=dim)
        np.testing.assert_allclose(out.get(), right, rtol=1e-5, atol=1e-7)
