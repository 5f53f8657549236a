"""Orders of a dimension, what comes first in them, and extremes, on the simulator against NumPy: equal elements keep
their order and NaN comes last, whatever kernel serves a size."""

import ml_dtypes
import numpy as np
import pytest

from gpunet.ops import extremes_launch, sort_launch

# Rows that share a block or fill one, and longer ones; along memory and across it.
SHAPES = [((1,), 0), ((9, 5, 3), 1), ((40, 64), 0), ((3, 1100), 1), ((2, 2049), 1), ((2, 4100, 2), 1)]
TYPES = ["float32", "float64", "float16", "bfloat16", "bool", "uint8", "int8", "int16", "int32", "int64"]


def values(shape, dtype):
    """With equal elements, and what floats have of odd ones."""
    rng = np.random.default_rng(len(shape) + shape[0])
    if dtype == "bool" or "int" in dtype:
        least, beyond = {"bool": (0, 2), "uint8": (0, 200)}.get(dtype, (-100, 100))
        return rng.integers(least, beyond, shape).astype(dtype)
    x = (np.round(rng.standard_normal(shape) * 4) / 4).astype(getattr(ml_dtypes, dtype, dtype))
    flat = x.reshape(-1)
    for odd, start in ((0.0, 0), (-0.0, 2), (np.inf, 3), (-np.inf, 4), (np.nan, 5)):
        flat[start::29] = odd
    return x


def ordered(x, dim, descending):
    """The stable order, with NaN as the largest."""
    x = x.astype(float) if x.dtype.kind not in "iub" else x.astype(np.int64)
    ranks = np.unique(x, return_inverse=True)[1].reshape(x.shape)  # equal numbers, and all NaN, have one rank
    return np.argsort(-ranks if descending else ranks, axis=dim, kind="stable")


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("shape, dim", SHAPES, ids=str)
def test_orders(cuda, shape, dim, dtype):
    x, n = values(shape, dtype), shape[dim]
    for descending in (False, True):
        expected = ordered(x, dim, descending)
        out = cuda.empty(shape, "int64")
        assert sort_launch.sort(cuda, out, cuda(x), dim, descending, 0, n) is None
        np.testing.assert_array_equal(out.get(), expected)
        for k in {1, min(7, n), n // 2 + 1}:
            out = cuda.empty(np.take(expected, range(k), dim).shape, "int64")
            assert sort_launch.first(cuda, out, cuda(x), dim, k, descending) is None
            np.testing.assert_array_equal(out.get(), np.take(expected, range(k), dim))
    order = ordered(x, dim, False)
    for k in (1, n // 3 + 1, n):
        out = cuda.empty(np.take(order, [0], dim).shape, "int64")
        assert sort_launch.one(cuda, out, cuda(x), dim, k) is None
        np.testing.assert_array_equal(out.get(), np.take(order, [k - 1], dim))


@pytest.mark.parametrize("skip_nan", [False, True])
@pytest.mark.parametrize("shape", [(1,), (10,), (3, 2049)])
def test_medians(cuda, shape, skip_nan):
    x = values(shape, "float32")
    x.reshape(-1)[: shape[-1] // 3] = np.nan
    order, nans = ordered(x, -1, False), np.isnan(x).sum(-1, keepdims=True)
    place = np.where(nans > 0, shape[-1] - nans, (shape[-1] - 1) // 2)
    if skip_nan:
        place = np.maximum((shape[-1] - nans - 1) // 2, 0)
    out = cuda.empty(place.shape, "int64")
    assert sort_launch.median(cuda, out, cuda(x), len(shape) - 1, skip_nan) is None
    np.testing.assert_array_equal(out.get(), np.take_along_axis(order, place, -1))


def test_a_long_row_is_shared_by_blocks(cuda):
    """Each gives its first, and of these the first are chosen; equal ones in the order of the row."""
    x = values((70001,), "float32")
    for largest in (False, True):
        for k in (1, 500):
            out = cuda.empty((k,), "int64")
            sort_launch.first(cuda, out, cuda(x), 0, k, largest)
            np.testing.assert_array_equal(out.get(), ordered(x, 0, largest)[:k])


# As in test_reduce.py.
LAYOUTS = [((7,), (0,)), ((5, 9), (1,)), ((40, 64), (1,)), ((3, 1100), (1,)), ((70, 33), (0,)),
           ((3, 4, 5, 8), (0, 2, 3)), ((3, 1, 40, 5), (2,)), ((6, 1), (1,)), ((70000,), (0,)), ((700, 6), (0,))]


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("shape, dims", LAYOUTS, ids=str)
@pytest.mark.parametrize("largest", [False, True])
def test_extremes(cuda, shape, dims, dtype, largest):
    for x in (values(shape, dtype), np.ones(shape, values(shape, dtype).dtype)):  # NaN, and equal elements alone
        wide = x.astype(float)
        expected = (np.max if largest else np.min)(wide, dims, keepdims=True)
        out = cuda.empty(expected.shape, x.dtype)
        assert extremes_launch.value(largest)(cuda, out, cuda(x), dims=dims, keepdim=True) is None
        np.testing.assert_array_equal(out.get().astype(float), expected)
        if len(dims) == 1:
            expected = (np.argmax if largest else np.argmin)(wide, dims[0], keepdims=True)
            out = cuda.empty(expected.shape, "int64")
            assert extremes_launch.argument(largest)(cuda, out, cuda(x), dim=dims[0], keepdim=True) is None
            np.testing.assert_array_equal(out.get(), expected)


@pytest.mark.parametrize("dtype", ["float32", "float16", "bool", "int64"])
@pytest.mark.parametrize("shape, dim, count", [((7,), 0, 9), ((5, 6), 1, 4), ((3, 5, 4), 1, 1), ((2, 3, 4), 0, 5)])
@pytest.mark.parametrize("index", ["int64", "int32"])
def test_elements_by_number(cuda, shape, dim, count, dtype, index):
    rng = np.random.default_rng(0)
    x = rng.integers(0, 2, shape).astype(dtype)
    number = rng.integers(0, shape[dim], (*shape[:dim], count, *shape[dim + 1 :])).astype(index)
    out = cuda.empty(number.shape, dtype)
    assert sort_launch.take_along(cuda, out, cuda(x), cuda(number), dim)
    np.testing.assert_array_equal(out.get(), np.take_along_axis(x, number, dim))
    if count == 1:
        value, expected = rng.integers(1, 9, number.shape).astype(dtype), np.zeros(shape, dtype)
        np.put_along_axis(expected, number, value, dim)
        out = cuda.empty(shape, dtype)
        assert sort_launch.put_along(cuda, out, cuda(value), cuda(number), dim)
        np.testing.assert_array_equal(out.get(), expected)
