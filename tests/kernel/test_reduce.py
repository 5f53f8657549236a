"""Sums, means, products, norms and truth over dimensions on the simulator against NumPy, in every layout that has a
kernel."""

import ml_dtypes
import numpy as np
import pytest

from gpunet.ops.norms import norm_op
from gpunet.ops.reductions import all_op, any_op, mean_op, prod_op, sum_op

sum_op, mean_op, prod_op, norm_op, all_op, any_op = (
    each.op.launch for each in (sum_op, mean_op, prod_op, norm_op, all_op, any_op))

BFLOAT16 = np.dtype(ml_dtypes.bfloat16)
TOLERANCE = {"float64": 1e-13, "float32": 2e-6, "float16": 2e-3, "bfloat16": 2e-2}
# All; last ones; first ones; channels; a middle one; dimensions of 1 among them; few results of many elements.
LAYOUTS = [((7,), (0,)), ((5, 9), (1,)), ((40, 64), (1,)), ((3, 1100), (1,)), ((70, 33), (0,)),
           ((3, 4, 5, 8), (0, 2, 3)), ((4, 3, 20), (0, 2)), ((3, 1, 40, 5), (2,)), ((2, 3, 1, 4), (0, 1, 2)),
           ((6, 1), (1,)), ((70000,), (0,)), ((3, 20011), (1,)), ((700, 6), (0,)), ((2, 300, 8), (1,))]


@pytest.mark.parametrize("shape, dims", LAYOUTS, ids=str)
@pytest.mark.parametrize("dtype", ["float32", "float64", BFLOAT16], ids=str)
def test_sums_and_means(cuda, shape, dims, dtype):
    x = (np.random.default_rng(0).standard_normal(shape) + 1).astype(dtype)
    for op, function in ((sum_op, np.sum), (mean_op, np.mean)):
        expected = function(x.astype(float), dims, keepdims=True)
        out = cuda.empty(expected.shape, x.dtype)
        out.fill(77)
        assert op(cuda, out, cuda(x), dims=dims, keepdim=True) is not NotImplemented
        np.testing.assert_allclose(out.get().astype(float), expected, rtol=TOLERANCE[x.dtype.name], atol=1e-6)


@pytest.mark.parametrize("shape, dims", LAYOUTS, ids=str)
@pytest.mark.parametrize("dtype", ["float32", "float64", BFLOAT16], ids=str)
def test_products_and_norms(cuda, shape, dims, dtype):
    x = np.random.default_rng(0).standard_normal(shape).astype(dtype)
    near_one = (1 + x.astype(float) / 100).astype(dtype)
    for op, given, options, function in (
            (prod_op, near_one, {}, np.prod), (norm_op, x, {"ord": 1.0}, lambda x, *at, **k: np.abs(x).sum(*at, **k)),
            (norm_op, x, {"ord": 2.0}, lambda x, *at, **k: np.sqrt((x * x).sum(*at, **k)))):
        expected = function(given.astype(float), dims, keepdims=True)
        out = cuda.empty(expected.shape, x.dtype)
        out.fill(77)
        assert op(cuda, out, cuda(given), dims=dims, keepdim=True, **options) is not NotImplemented
        tolerance = TOLERANCE[x.dtype.name] * (20 if op is prod_op else 1)
        np.testing.assert_allclose(out.get().astype(float), expected, rtol=tolerance, atol=1e-6)


@pytest.mark.parametrize("shape, dims", LAYOUTS, ids=str)
@pytest.mark.parametrize("kind", ["bool", "uint8", "int32", "int64"])
def test_sums_of_integers(cuda, shape, dims, kind):
    x = np.random.default_rng(0).integers(0, 2 if kind == "bool" else 200, shape).astype(kind)
    expected = x.sum(dims, dtype=np.int64)
    out = cuda.empty(expected.shape, np.dtype("int64"))
    assert sum_op(cuda, out, cuda(x), dims=dims, keepdim=False) is not NotImplemented
    np.testing.assert_array_equal(out.get(), expected)


@pytest.mark.parametrize("shape, dims", LAYOUTS, ids=str)
def test_truth(cuda, shape, dims):
    """Of bools that are all alike but for one, and of mixed ones."""
    one = np.zeros(shape, bool)
    one.flat[-1] = True
    for x in (one, ~one, np.zeros(shape, bool), np.random.default_rng(0).random(shape) < 0.5):
        for op, function in ((any_op, np.any), (all_op, np.all)):
            expected = function(x, dims, keepdims=True)
            out = cuda.empty(expected.shape, x.dtype)
            assert op(cuda, out, cuda(x), dims=dims, keepdim=True) is not NotImplemented
            np.testing.assert_array_equal(out.get(), expected)


def test_others_are_left_to_the_body(cuda):
    x = cuda.empty((2, 3, 4, 5), "float32")
    assert sum_op(cuda, cuda.empty((2, 4), "float32"), x, dims=(1, 3), keepdim=False) is NotImplemented
    assert sum_op(cuda, cuda.empty((), "int64"), cuda.empty((4,), "int16"), dims=(0,), keepdim=False) is NotImplemented
    assert any_op(cuda, cuda.empty((), bool), cuda.empty((4,), "float32"), dims=(0,), keepdim=False) is NotImplemented
    assert norm_op(cuda, cuda.empty((), "float32"), cuda.empty((4,), "float32"), ord=3.0, dims=(0,),
                   keepdim=False) is NotImplemented
    assert sum_op(cuda, cuda.empty((3,), "float32"), cuda.empty((0, 3), "float32"), dims=(0,),
                  keepdim=False) is NotImplemented
