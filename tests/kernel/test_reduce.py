"""Sums and means over dimensions on the simulator against NumPy, in every layout that has a kernel."""

import ml_dtypes
import numpy as np
import pytest

from gpunet.ops.reductions import mean_op, sum_op

sum_op, mean_op = sum_op.op.launch, mean_op.op.launch

BFLOAT16 = np.dtype(ml_dtypes.bfloat16)
TOLERANCE = {"float64": 1e-13, "float32": 2e-6, "float16": 2e-3, "bfloat16": 2e-2}
# All; last ones; first ones; channels; a middle one; dimensions of 1 among them; few results of many elements.
LAYOUTS = [((7,), (0,)), ((5, 9), (1,)), ((40, 64), (1,)), ((3, 1100), (1,)), ((70, 33), (0,)), ((3, 4, 5, 8), (0, 2, 3)),
           ((4, 3, 20), (0, 2)), ((3, 1, 40, 5), (2,)), ((2, 3, 1, 4), (0, 1, 2)), ((6, 1), (1,)), ((20000,), (0,)),
           ((3, 10007), (1,)), ((700, 6), (0,)), ((2, 300, 8), (1,))]


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


def test_others_are_left_to_the_body(cuda):
    x = cuda.empty((2, 3, 4, 5), "float32")
    assert sum_op(cuda, cuda.empty((2, 4), "float32"), x, dims=(1, 3), keepdim=False) is NotImplemented
    assert sum_op(cuda, cuda.empty((), "int64"), cuda.empty((4,), "int64"), dims=(0,), keepdim=False) is NotImplemented
    assert sum_op(cuda, cuda.empty((3,), "float32"), cuda.empty((0, 3), "float32"), dims=(0,),
                  keepdim=False) is NotImplemented
