"""Matrix products on the simulator against NumPy, in every tile, transposition and edge."""

import ml_dtypes
import numpy as np
import pytest

import gpunet
from gpunet.ops import matmul_launch
from gpunet.ops.linear import linear_grad, linear_op, linear_relu
from gpunet.ops.matmul import matmul_grad, matmul_op
from gpunet.ops.matmul_launch import (
    LARGE_TILE,
    MEDIUM_TILE,
    SMALL_TILE,
    Product,
    choose_tile,
    operand,
    wide_pays,
)
from gpunet.ops.matmul_parts import splits_of

matmul_op, matmul_grad, linear_op, linear_relu, linear_grad = (
    operation.op.launch for operation in (matmul_op, matmul_grad, linear_op, linear_relu, linear_grad))

BFLOAT16 = np.dtype(ml_dtypes.bfloat16)
TOLERANCE = {"float64": 1e-12, "float32": 1e-5, "float16": 2e-3, "bfloat16": 2e-2, "tf32": 1e-3}

# m, n, k: one, primes, exact tiles, just over them, no depth, long depth.
SIZES = [(1, 1, 1), (7, 5, 3), (64, 64, 64), (65, 67, 31), (128, 128, 8), (132, 136, 40), (131, 257, 17), (3, 200, 129),
         (200, 10, 64), (5, 4, 0), (16, 12, 515)]


@pytest.fixture(params=[1, 3, 10_000], ids=["large tile", "medium tile", "small tile"])
def sized_cuda(request, cuda):
    """Devices of different sizes, so that every tile is chosen for some shape."""
    return cuda.sized(request.param)


def numbers(shape, dtype, seed):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def check(out, expected, tolerance=None):
    tolerance = tolerance or TOLERANCE[out.dtype.name]
    np.testing.assert_allclose(out.get().astype(float), expected, rtol=tolerance,
                               atol=tolerance * (np.abs(expected).max() if expected.size else 1) + 1e-30)


def wide(*arrays):
    return [array.astype(np.float64) for array in arrays]


def test_each_tile_is_chosen(cuda):
    tiles = LARGE_TILE, MEDIUM_TILE, SMALL_TILE
    assert [choose_tile(cuda.sized(count), tiles, 128, 128, 1) for count in (1, 3, 10_000)] == list(tiles)


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


@pytest.mark.parametrize("m, n, k", [(140, 260, 20), (131, 257, 17), (128, 256, 8), (3, 5, 0)])
@pytest.mark.parametrize("ta", [False, True])
@pytest.mark.parametrize("tb", [False, True])
def test_the_wide_tile(cuda, monkeypatch, m, n, k, ta, tb):
    """With the bits of the large tile: sums over k in the same order; in rows of whole packs and not; of a batch."""
    a = numbers((2, k, m) if ta else (2, m, k), "float32", 0)
    b = numbers((2, n, k) if tb else (2, k, n), "float32", 1)
    found = []
    for wide_one in (True, False):
        monkeypatch.setattr(matmul_launch, "wide_pays", lambda cuda, x, wide_one=wide_one: wide_one)
        out = cuda.empty((2, m, n), a.dtype)
        out.fill(77)
        matmul_op(cuda.sized(1), out, cuda(a), cuda(b), ta=ta, tb=tb)
        found.append(out.get())
    x, y = wide(a.swapaxes(1, 2) if ta else a, b.swapaxes(1, 2) if tb else b)
    check(out, x @ y)
    np.testing.assert_array_equal(*found)


def test_where_the_wide_tile_pays(cuda, monkeypatch):
    """Where its rounds over all multiprocessors take no longer, and k is long; not where a product takes two slots."""
    cuda, x = cuda.sized(132), cuda(np.empty((0, 0), np.float32))

    def pays(m, n, k, capability=90):
        monkeypatch.setattr(cuda, "capability", capability)
        return wide_pays(cuda, Product(x, *[operand(cuda, x, False)] * 2, m, n, k))

    assert pays(8192, 8192, 8192) and pays(4096, 4096, 4096, 120) and pays(2048, 2048, 512)
    assert not pays(1024, 1024, 1024)  # 64 tiles, one each, on 132
    assert not pays(2048, 2048, 256) and not pays(8192, 8192, 8192, 80)
    assert not pays(100_000, 128, 4096)  # half of every tile would be empty


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


# Large tiles where one fills the device, small ones, rows of memory that are no multiples of 16 bytes; and
# slices beyond what the ring holds, and one that ends within a step.
TENSOR_SIZES = [(136, 24, 72, 1), (72, 136, 40, 1), (72, 80, 24, 1000), (9, 67, 133, 4)]


@pytest.mark.parametrize("m, n, k, sm_count", TENSOR_SIZES)
@pytest.mark.parametrize("dtype, ta, tb", [
    *((BFLOAT16, ta, tb) for ta in (False, True) for tb in (False, True)), ("float16", False, True),
    ("float32", False, True), ("float32", True, False)], ids=str)
def test_tensor_cores(cuda, monkeypatch, m, n, k, sm_count, dtype, ta, tb):
    cuda = cuda.sized(sm_count)
    monkeypatch.setattr(cuda, "tf32", True)
    a, b = numbers((k, m) if ta else (m, k), dtype, 0), numbers((n, k) if tb else (k, n), dtype, 1)
    out = cuda.empty((m, n), a.dtype)
    out.fill(77)
    matmul_op(cuda, out, cuda(a), cuda(b), ta=ta, tb=tb)
    x, y = wide(a.T if ta else a, b.T if tb else b)
    check(out, x @ y, TOLERANCE["tf32" if dtype == "float32" else str(a.dtype)])


@pytest.mark.parametrize("dtype", ["float16", BFLOAT16, "float32"], ids=str)
def test_tensor_cores_round_the_operands_only(cuda, monkeypatch, dtype):
    """Products of numbers that the type holds exactly are exact, and sums are float32."""
    monkeypatch.setattr(cuda, "tf32", True)
    a = np.random.default_rng(0).integers(-8, 8, (40, 96)).astype(dtype)
    out = cuda.empty((40, 40), a.dtype)
    matmul_op(cuda, out, cuda(a), cuda(a), ta=False, tb=True)
    np.testing.assert_array_equal(out.get(), (wide(a)[0] @ wide(a)[0].T).astype(dtype))


@pytest.mark.parametrize("m, n, k", [(136, 72, 40), (9, 67, 133), (5, 6, 2100)])
@pytest.mark.parametrize("ta, tb", [(False, True), (True, False), (True, True), (False, False)])
def test_3xtf32_is_nearly_as_exact_as_float32(cuda, monkeypatch, m, n, k, ta, tb):
    """The distance from float64, as norms: within twice that of float32, whose sums have another order."""
    a, b = numbers((k, m) if ta else (m, k), "float32", 0), numbers((n, k) if tb else (k, n), "float32", 1)
    x, y = wide(a.T if ta else a, b.T if tb else b)
    apart = []
    for in_parts in (False, True):
        monkeypatch.setattr(cuda, "tf32x3", in_parts)
        out = cuda.empty((m, n), a.dtype)
        out.fill(77)
        matmul_op(cuda, out, cuda(a), cuda(b), ta=ta, tb=tb)
        apart.append(np.linalg.norm(out.get() - x @ y) / np.linalg.norm(x @ y))
    assert apart[1] < max(2 * apart[0], 2e-7)
    exact = cuda(a.round())  # of numbers that TF32 holds nothing is lost
    monkeypatch.setattr(cuda, "tf32x3", True)
    matmul_op(cuda, out, exact, cuda(b.round()), ta=ta, tb=tb)
    np.testing.assert_array_equal(out.get(), np.rint(x) @ np.rint(y))
    a[:] = 1
    a[0] = np.array(0x7FFFFFFF, np.uint32).view(np.float32)  # the NaN that GPUs make
    matmul_op(cuda, out, cuda(a), cuda(b), ta=ta, tb=tb)
    missing = np.isnan(out.get())
    assert (missing.all() if ta else missing[0].all() and not missing[1:].any())


def test_3xtf32_is_asked_for_and_taken_where_it_pays(cuda, monkeypatch):
    used = matmul_launch._matmul_tf32x3.used
    monkeypatch.setattr(matmul_launch._matmul_tf32x3, "_launchers", {})
    x = cuda(np.ones((8, 8), np.float32))

    def taken():
        matmul_launch._matmul_tf32x3._launchers.clear()
        matmul_op(cuda, cuda.empty((8, 8), x.dtype), x, x, ta=False, tb=False)
        return len(used())

    assert not taken()
    gpunet.set_float32_matmul_precision("tf32x3")
    try:
        assert not gpunet.backends.cuda.matmul.allow_tf32
        assert taken() == (cuda.capability in (80, 90))
        monkeypatch.setattr(cuda, "capability", 86)
        assert not taken()
    finally:
        gpunet.set_float32_matmul_precision("highest")


def test_tf32_is_asked_for(cuda):
    """Without it, float32 products keep all bits."""
    assert not cuda.tf32
    x = np.full((1, 8), 1 + 2.0**-20, np.float32)
    out = cuda.empty((1, 1), x.dtype)
    matmul_op(cuda, out, cuda(x), cuda(np.ones((8, 1), np.float32)), ta=False, tb=False)
    assert out.get()[0, 0] == 8 * x[0, 0]


@pytest.mark.parametrize("dtype, before", [(BFLOAT16, 75), ("float16", 75)], ids=str)
def test_before_tensor_cores_take_the_type(cuda, monkeypatch, dtype, before):
    monkeypatch.setattr(cuda, "capability", before)
    a = numbers((20, 24), dtype, 0)
    out = cuda.empty((20, 20), a.dtype)
    matmul_op(cuda, out, cuda(a), cuda(a), ta=False, tb=True)
    check(out, wide(a)[0] @ wide(a)[0].T)


@pytest.mark.parametrize("dtype, k", [("float32", 1100), (BFLOAT16, 8200), ("float16", 8199)], ids=str)
@pytest.mark.parametrize("batch", [(), (2,)])
def test_blocks_share_k(cuda, dtype, k, batch):
    a, b = numbers((*batch, k, 5), dtype, 0), numbers((*batch, k, 6), dtype, 1)
    out = cuda.empty((*batch, 5, 6), a.dtype)
    matmul_op(cuda, out, cuda(a), cuda(b), ta=True, tb=False)
    check(out, wide(a)[0].swapaxes(-1, -2) @ wide(b)[0])


def test_blocks_that_share_k_leave_the_epilogue_to_the_end(cuda):
    x, weight, bias = numbers((3, 1030), "float32", 0), numbers((7, 1030), "float32", 1), numbers(7, "float32", 2)
    out = cuda.empty((3, 7), x.dtype)
    linear_relu(cuda, out, cuda(x), cuda(weight), cuda(bias))
    check(out, np.maximum(wide(x)[0] @ wide(weight)[0].T + bias, 0))


def test_where_blocks_share_k():
    """A weight's gradient fills 132 multiprocessors; products that fill them, and short ones, stay whole."""
    assert splits_of(128, 128, 65536, 1, 256) == 64
    assert splits_of(64, 10, 1024, 1, 256) == 4
    for m, n, k, batch in [(64, 10, 1000, 1), (1024, 1024, 65536, 1), (64, 64, 65536, 65), (0, 4, 0, 1)]:
        assert splits_of(m, n, k, batch, 256) == 1


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


# Sizes that one launch serves, by each tile; and those that take several: blocks that share k, large tiles.
PAIRS = [(5, 7, 3, 10_000), (64, 40, 72, 10_000), (70, 136, 68, 12), (6, 5, 1100, 10_000), (8, 12, 16, 1)]


@pytest.mark.parametrize("rows, features, depth, sm_count", PAIRS)
@pytest.mark.parametrize("dtype", ["float32", "tf32", BFLOAT16, "float64"], ids=str)
def test_a_layers_gradients_at_once(cuda, monkeypatch, rows, features, depth, sm_count, dtype):
    cuda = cuda.sized(sm_count)
    if dtype == "tf32":
        monkeypatch.setattr(cuda, "tf32", True)
    kind = "float32" if dtype == "tf32" else dtype
    g, x, weight = (numbers(s, kind, i) for i, s in enumerate([(rows, features), (rows, depth), (features, depth)]))
    there = numbers(x.shape, kind, 3), numbers(weight.shape, kind, 4)
    for onto_x, onto_w, sums in [(None, None, True), (*there, False)]:
        found = cuda.empty(x.shape, kind), cuda.empty(weight.shape, kind), cuda.empty(features if sums else 0, kind)
        for each in found:
            each.fill(77)
        given = [None if each is None else cuda(each) for each in (onto_x, onto_w)]
        assert linear_grad(cuda, *found, cuda(g), cuda(x), cuda(weight), *given, sums=sums) is not NotImplemented
        wide_g, wide_x, wide_w = wide(g, x, weight)
        expected = [wide_g @ wide_w, wide_g.T @ wide_x]
        if onto_x is not None:
            expected = [each + onto.astype(float) for each, onto in zip(expected, (onto_x, onto_w), strict=True)]
        for ours, right in zip(found, [*expected, wide_g.sum(0)] if sums else expected, strict=False):
            check(ours, right, TOLERANCE[dtype] if dtype == "tf32" else None)


@pytest.mark.parametrize("ta", [False, True])
@pytest.mark.parametrize("tb", [False, True])
@pytest.mark.parametrize("dtype", ["float32", BFLOAT16], ids=str)
def test_both_gradients_of_a_batch(cuda, ta, tb, dtype):
    """Of heads behind rows in memory, as one projection gives them: read in place, and added to what is there."""
    m, n, k = 9, 12, 8
    a = numbers((2, k, 3, m) if ta else (2, m, 3, k), dtype, 0)
    b = numbers((2, n, 3, k) if tb else (2, k, 3, n), dtype, 1)
    g = numbers((2, 3, m, n), dtype, 2)
    turned_a, turned_b = a.swapaxes(1, 2), b.swapaxes(1, 2)
    x, y, wide_g = wide(turned_a.swapaxes(2, 3) if ta else turned_a, turned_b.swapaxes(2, 3) if tb else turned_b, g)
    da, db = wide_g @ y.swapaxes(2, 3), x.swapaxes(2, 3) @ wide_g
    onto_a, onto_b = numbers(turned_a.shape, dtype, 3), numbers(turned_b.shape, dtype, 4)
    for behind in ((False, True), (True, False)):
        found = [cuda.empty(x.shape if turned else x.swapaxes(1, 2).shape, dtype)
                 for x, turned in zip((a, b), behind, strict=True)]
        matmul_grad(cuda, *found, cuda(g), cuda(a).swapaxes(1, 2), cuda(b).swapaxes(1, 2), cuda(onto_a), cuda(onto_b),
                    ta=ta, tb=tb, behind=behind)
        for ours, right, flag, onto, turned in zip(found, (da, db), (ta, tb), (onto_a, onto_b), behind, strict=True):
            right = (right.swapaxes(2, 3) if flag else right) + onto.astype(float)
            check(ours, right.swapaxes(1, 2) if turned else right)
