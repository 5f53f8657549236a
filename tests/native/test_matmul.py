"""SGEMM and what is built on it: transpositions, batches, views, epilogues, against float64."""

import itertools

import numpy as np
import pytest

import gpunet
import gpunet.nn.functional as F
from gpunet.ops.linear import bias_relu_grad, column_sum, linear_op, linear_relu
from gpunet.ops.matmul import matmul_op

EDGES = [1, 2, 4, 5, 6, 7, 16, 31, 100]  # around the tile's height and width
LARGE = [(97, 2050, 33), (64, 10, 600), (300, 33, 784), (25, 100, 1000), (1, 513, 512), (512, 1, 512), (3, 4, 70000),
         (513, 3, 300), (1030, 30, 40)]


def random(shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def check(found, expected, depth):
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=3e-6 * (depth**0.5 + 1))


@pytest.mark.parametrize("ta, tb", list(itertools.product((False, True), repeat=2)))
def test_shapes(ta, tb, with_threads):
    for m, n, k in [*itertools.product(EDGES, EDGES, (0, 1, 3, 17, 300)), *LARGE]:
        a, b = random((k, m) if ta else (m, k)), random((n, k) if tb else (k, n), 1)
        left, right = gpunet.tensor(a), gpunet.tensor(b)
        expected = (a.T if ta else a).astype(np.float64) @ (b.T if tb else b)

        def run(left=left, right=right):
            return matmul_op(left, right, ta=ta, tb=tb).numpy()

        check(with_threads(run) if (m, n, k) in LARGE else run(), expected, k)


BATCHES = [((3,), (3,)), ((2, 3), (3,)), ((2, 1), (1, 4)), ((5,), ()), ((), (5,)), ((40,), (40,)), ((0,), (0,))]


@pytest.mark.parametrize("left, right", BATCHES)
def test_batches(left, right, with_threads):
    for m, n, k in [(3, 5, 4), (33, 20, 70), (1, 8, 9)]:
        a, b = random((*left, m, k)), random((*right, k, n), 1)
        expected = a.astype(np.float64) @ b
        check(with_threads(lambda a=a, b=b: (gpunet.tensor(a) @ gpunet.tensor(b)).numpy()), expected, k)
        turned = gpunet.tensor(np.swapaxes(a, -1, -2).copy()).transpose(-1, -2)
        check((turned @ gpunet.tensor(b)).numpy(), expected, k)


def test_views():
    """Rows with gaps, columns with gaps, repeated rows, heads of an attention."""
    x, y = random((40, 60)), random((60, 50), 1)
    for a, b in [(x[:, ::2], y[::2]), (x[::3, :30], y[:30, ::2]), (x[:, ::-1], y),
                 (np.broadcast_to(x[0], (40, 60)), y)]:
        left, right = gpunet.from_numpy(np.ascontiguousarray(x)), gpunet.from_numpy(np.ascontiguousarray(y))
        left, right = wrapped(left, a, x), wrapped(right, b, y)
        check((left @ right).numpy(), a.astype(np.float64) @ b, 60)
    heads = random((2, 7, 3, 4, 8))
    q, k, _ = gpunet.tensor(heads).permute(2, 0, 3, 1, 4)
    qs, ks = (heads.transpose(2, 0, 3, 1, 4)[i].astype(np.float64) for i in (0, 1))
    check((q @ k.transpose(-1, -2)).numpy(), qs @ ks.swapaxes(-1, -2), 8)


@pytest.mark.parametrize("shape", list(itertools.product((1, 2, 3), (1, 2, 3), (1, 5))))
def test_parts_of_a_batch(shape):
    """Also where a size is 1: the batch and the rows may or may not follow one another."""
    base, w = random((*shape[:2], 2 * shape[2])), random((4, shape[2]), 1)
    for part in (slice(0, shape[2]), slice(shape[2], None), slice(None, None, 2)):
        x, rows = gpunet.tensor(base)[..., part], base[..., part].astype(np.float64)
        turned = gpunet.tensor(w).t()
        for found in (F.linear(x, gpunet.tensor(w)), x @ turned, x @ turned.expand(shape[0], -1, -1)):
            check(found.numpy(), rows @ w.T, shape[2])


def wrapped(tensor, view, base):
    """The view of an array, as a tensor's view."""
    from gpunet.dispatch import wrap

    assert np.shares_memory(view, base)
    return wrap(view, tensor._device)


def test_layers(with_threads):
    for shape, features in [((5, 7), 3), ((2, 3, 100), 33), ((64, 784), 256), ((9,), 4), ((0, 4), 3), ((3, 0), 2)]:
        x, w, b = random(shape), random((features, shape[-1]), 1), random(features, 2)
        exact = x.astype(np.float64) @ w.T.astype(np.float64)
        tensors = [gpunet.tensor(each) for each in (x, w, b)]
        check(with_threads(lambda t=tensors: linear_op(*t).numpy()), exact + b, shape[-1])
        check(linear_op(*tensors[:2], None).numpy(), exact, shape[-1])
        check(linear_relu(*tensors).numpy(), np.maximum(exact + b, 0), shape[-1])


def test_sums_of_columns(with_threads):
    for shape in [(1, 1), (64, 10), (1000, 300), (5000, 3), (0, 4), (4, 0)]:
        g, y = random(shape), random(shape, 1)
        a, b = gpunet.tensor(g), gpunet.tensor(y)
        sums = with_threads(lambda a=a: column_sum(a).numpy())
        np.testing.assert_allclose(sums, g.sum(0, dtype=np.float64), atol=2e-4)
        dx, db = bias_relu_grad(a, b)
        np.testing.assert_array_equal(dx.numpy(), g * (y > 0))
        np.testing.assert_allclose(db.numpy(), (g * (y > 0)).sum(0, dtype=np.float64), atol=2e-4)


def test_nan_and_infinity():
    x = gpunet.tensor([[1.0, float("nan")], [float("inf"), 1.0]])
    y = F.linear(x, gpunet.eye(2), gpunet.zeros(2)).numpy()
    np.testing.assert_array_equal(np.isnan(y), [[True, True], [False, True]])
