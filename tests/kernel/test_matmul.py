"""Matrix products on the simulator against NumPy, in every tile, transposition and edge."""

import ml_dtypes
import numpy as np
import pytest

from gpunet.ops.linear import linear_op, linear_relu
from gpunet.ops.matmul import LARGE_TILE, MEDIUM_TILE, SMALL_TILE, choose_tile, matmul_op

matmul_op, linear_op, linear_relu = (operation.op.launch for operation in (matmul_op, linear_op, linear_relu))

BFLOAT16 = np.dtype(ml_dtypes.bfloat16)
TOLERANCE = {"float64": 1e-12, "float32": 1e-5, "float16": 2e-3, "bfloat16": 2e-2}

# m, n, k: one, primes, exact tiles, just over them, no depth, long depth.
SIZES = [(1, 1, 1), (7, 5, 3), (64, 64, 64), (65, 67, 31), (128, 128, 8), (132, 136, 40), (131, 257, 17), (3, 200, 129),
         (200, 10, 64), (5, 4, 0), (16, 12, 515)]


@pytest.fixture(params=[1, 3, 10_000], ids=["large tile", "medium tile", "small tile"])
def sized_cuda(request, cuda):
    """Devices of different sizes, so that every tile is chosen for some shape."""
    return cuda.sized(request.param)


def numbers(shape, dtype, seed):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def check(out, expected):
    tolerance = TOLERANCE[out.dtype.name]
    np.testing.assert_allclose(out.get().astype(float), expected, rtol=tolerance,
                               atol=tolerance * (np.abs(expected).max() if expected.size else 1) + 1e-30)


def wide(*arrays):
    return [array.astype(np.float64) for array in arrays]


def test_each_tile_is_chosen(cuda):
    chosen = {choose_tile(cuda.sized(count), 128, 128, 1) for count in (1, 3, 10_000)}
    assert chosen == {LARGE_TILE, MEDIUM_TILE, SMALL_TILE}


@pytest.mark.parametrize("m, n, k", SIZES)
@pytest.mark.parametrize("ta", [False, True])
@pytest.mark.parametrize("tb", [False, True])
def test_float32(sized_cuda, m, n, k, ta, tb):
    cuda = sized_cuda
    a = numbers((k, m) if ta else (m, k), "float32", 0)
    b = numbers((n, k) if tb else (k, n), "float32", 1)
    out = cuda.empty((m, n), a.dtype)
    matmul_op(cuda, out, cuda(a), cuda(b), ta=ta, tb=tb)
    x, y = wide(a.T if ta else a, b.T if tb else b)
    check(out, x @ y)


@pytest.mark.parametrize("m, n, k", [(1, 1, 1), (65, 67, 31), (5, 4, 0)])
@pytest.mark.parametrize("dtype", ["float64", "float16", BFLOAT16], ids=str)
@pytest.mark.parametrize("ta", [False, True])
@pytest.mark.parametrize("tb", [False, True])
def test_other_types(cuda, m, n, k, dtype, ta, tb):
    a, b = numbers((k, m) if ta else (m, k), dtype, 0), numbers((n, k) if tb else (k, n), dtype, 1)
    out = cuda.empty((m, n), a.dtype)
    matmul_op(cuda, out, cuda(a), cuda(b), ta=ta, tb=tb)
    x, y = wide(a.T if ta else a, b.T if tb else b)
    check(out, x @ y)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("left, right", [((3, 5, 7), (3, 7, 9)), ((3, 5, 7), (7, 9)), ((5, 7), (3, 7, 9)),
                                         ((2, 1, 5, 8), (1, 3, 8, 4)), ((2, 1, 5, 8), (8, 4)), ((0, 5, 7), (7, 9))])
def test_batches_broadcast(cuda, left, right, dtype):
    a, b = numbers(left, dtype, 0), numbers(right, dtype, 1)
    expected = np.matmul(*wide(a, b))
    out = cuda.empty(expected.shape, a.dtype)
    matmul_op(cuda, out, cuda(a), cuda(b), ta=False, tb=False)
    check(out, expected)


def test_transposed_batch(cuda):
    a, b = numbers((3, 7, 5), "float32", 0), numbers((9, 7), "float32", 1)
    out = cuda.empty((3, 5, 9), a.dtype)
    matmul_op(cuda, out, cuda(a), cuda(b), ta=True, tb=True)
    check(out, np.matmul(wide(a)[0].swapaxes(1, 2), wide(b)[0].T))


def test_views(cuda):
    """A transposed view is read in place; other strides are copied; an odd start takes 4-byte copies."""
    a, b = numbers((8, 12), "float32", 0), numbers((40, 24), "float32", 1)
    out = cuda.empty((12, 20), a.dtype)
    matmul_op(cuda, out, cuda(a).T, cuda(b)[::2, ::3].T, ta=False, tb=False)
    check(out, wide(a.T)[0] @ wide(b[::2, ::3].T)[0])
    storage = numbers(1 + 8 * 12, "float32", 2)
    square = cuda.empty((12, 12), a.dtype)
    matmul_op(cuda, square, cuda(storage)[1:].reshape(8, 12), cuda(a), ta=True, tb=False)
    check(square, wide(storage[1:].reshape(8, 12).T)[0] @ wide(a)[0])


@pytest.mark.parametrize("rows, features, depth", [(1, 1, 1), (64, 10, 128), (33, 67, 20), (200, 136, 65), (5, 3, 0)])
@pytest.mark.parametrize("dtype", ["float32", "float64", BFLOAT16], ids=str)
@pytest.mark.parametrize("with_bias", [True, False])
def test_linear(sized_cuda, rows, features, depth, dtype, with_bias):
    cuda = sized_cuda
    x, weight, bias = (numbers(s, dtype, i) for i, s in enumerate([(rows, depth), (features, depth), (features,)]))
    expected = wide(x)[0] @ wide(weight)[0].T + (wide(bias)[0] if with_bias else 0)
    out = cuda.empty((rows, features), x.dtype)
    given = cuda(bias) if with_bias else None
    linear_op(cuda, out, cuda(x), cuda(weight), given)
    check(out, expected)
    linear_relu(cuda, out, cuda(x), cuda(weight), given)
    check(out, np.maximum(expected, 0))
    linear_relu(cuda, out, cuda(x), cuda(np.ascontiguousarray(weight.T)).T, given)  # a weight stored the other way
    check(out, np.maximum(expected, 0))


def test_relu_epilogue_keeps_nan(cuda):
    x = np.array([[np.nan], [-1.0], [2.0]], np.float32)
    out = cuda.empty((3, 2), x.dtype)
    linear_relu(cuda, out, cuda(x), cuda(np.ones((2, 1), np.float32)), cuda(np.zeros(2, np.float32)))
    np.testing.assert_array_equal(out.get()[:, 0], [np.nan, 0, 2])
