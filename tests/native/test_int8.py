"""Products of 8-bit integers: exact, in any shape, for any number of threads; the layer that quantizes its input."""

import itertools

import numpy as np
import pytest

import gpunet
from gpunet import native
from gpunet.compress.int8 import int8_conv, int8_linear, int8_matmul, int8_range
from gpunet.compress.observers import qparams
from gpunet.ops.windows import windows


def integers(shape, seed=0):
    return np.random.default_rng(seed).integers(-128, 128, shape, dtype=np.int8)


LARGE = [(50, 33, 784), (97, 131, 100), (1, 513, 512), (300, 5, 33), (128, 256, 64), (2, 3, 65536)]


def test_products_are_exact(with_threads):
    for m, n, k in [*itertools.product((1, 2, 3, 4, 7), (1, 3, 4, 5, 9), (0, 1, 15, 16, 17, 33, 64)), *LARGE]:
        a, b = integers((m, k)), integers((n, k), 1)
        left, right = gpunet.tensor(a), gpunet.tensor(b)

        def run(left=left, right=right):
            return int8_matmul(left, right).numpy()

        np.testing.assert_array_equal(with_threads(run) if (m, n, k) in LARGE else run(),
                                      a.astype(np.int32) @ b.astype(np.int32).T)


def test_the_largest_sums_do_not_overflow():
    ends = gpunet.full((2, 65536), -128, dtype=gpunet.int8)
    assert (int8_matmul(ends, ends) == 2**30).all()
    with pytest.raises(RuntimeError, match="beyond int32"):
        int8_matmul(*[gpunet.zeros(1, 65537, dtype=gpunet.int8)] * 2)


def test_views():
    a, b = integers((20, 30)), integers((24, 30), 1)
    found = int8_matmul(gpunet.tensor(a)[::2, 3:], gpunet.tensor(b)[:, 3:])
    np.testing.assert_array_equal(found.numpy(), a[::2, 3:].astype(int) @ b[:, 3:].T.astype(int))
    found = int8_matmul(gpunet.tensor(a.T.copy()).t(), gpunet.tensor(b))
    np.testing.assert_array_equal(found.numpy(), a.astype(int) @ b.T.astype(int))


@pytest.mark.parametrize("shape, features", [((1, 5), 3), ((64, 100), 10), ((2, 7, 33), 65), ((0, 4), 3), ((9,), 4)])
@pytest.mark.parametrize("with_bias", [True, False])
def test_the_layer_is_its_formula(shape, features, with_bias, with_threads):
    """In float64 from the same integers; the NumPy body likewise. Values at and beyond the ends, NaN and infinity."""
    random = np.random.default_rng(2)
    x = (random.standard_normal(shape) * 4).astype(np.float32)
    x.ravel()[:3] = [np.nan, np.inf, -np.inf][: x.size] if x.size else []
    weight, factor = integers((features, shape[-1]), 1), random.random(features).astype(np.float32)
    bias = random.standard_normal(features).astype(np.float32) if with_bias else None
    scale, zero_point = np.float32(0.05), np.float32(-17)
    steps = np.nan_to_num(x * (np.float32(1) / scale), nan=-1e9, posinf=1e9, neginf=-1e9)
    steps = np.clip(np.rint(steps) + zero_point, -128, 127) - zero_point
    sums = steps.astype(np.int64) @ weight.T.astype(np.int64)
    expected = sums * (scale * factor).astype(np.float64) + (0 if bias is None else bias)
    tensors = [None if each is None else gpunet.tensor(each) for each in (x, weight, factor, bias, scale, zero_point)]
    found = with_threads(lambda: int8_linear(*tensors).numpy())
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-5)
    if not np.isnan(x).any():
        with native.disabled():
            np.testing.assert_allclose(int8_linear(*tensors).numpy(), found, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("shape, features, kernel, stride, padding, dilation", [
    ((2, 3, 9, 8), 5, (3, 3), (1, 1), (1, 1), (1, 1)),
    ((1, 16, 12, 70), 70, (3, 5), (2, 3), (2, 0), (1, 2)),
    ((3, 33, 7, 7), 17, (1, 1), (1, 1), (0, 0), (1, 1)),
    ((2, 4, 10, 11), 8, (3, 2), (4, 4), (0, 3), (2, 1)),
    ((1, 1, 3, 3), 1, (2, 2), (1, 1), (3, 3), (1, 1)),
    ((300, 64, 6, 6), 9, (3, 3), (1, 1), (1, 1), (1, 1)),  # more than are turned at a time
])
def test_the_convolution_is_the_layer_of_its_windows(shape, features, kernel, stride, padding, dilation, with_threads):
    x, weight = gpunet.tensor(np.random.default_rng(0).standard_normal(shape).astype(np.float32)), \
        gpunet.tensor(integers((features, shape[1], *kernel), 1))
    factor, bias = gpunet.rand(features), gpunet.randn(features)
    scale, zero_point = int8_range(x)
    at = windows(shape[2:], kernel, stride, tuple((pad, pad) for pad in padding), dilation)
    columns = gpunet.nn.functional.unfold(x, kernel, dilation, padding, stride).transpose(1, 2)
    expected = int8_linear(columns, weight.flatten(1), factor, bias, scale, zero_point).transpose(1, 2)
    found = with_threads(lambda: int8_conv(x, weight, factor, bias, scale, zero_point, at=at).numpy())
    np.testing.assert_allclose(found, expected.reshape(found.shape).numpy(), rtol=1e-6, atol=1e-6)
    with native.disabled():
        body = int8_conv(x[:3], weight, factor, bias, scale, zero_point, at=at).numpy()
    np.testing.assert_allclose(body, found[:3], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("n", [1, 15, 17, 100_000])
def test_the_range_is_that_of_the_observer(n, with_threads):
    random = np.random.default_rng(n)
    for x in (random.standard_normal(n) * 3, random.random(n) + 5, -random.random(n), np.zeros(n)):
        x = gpunet.tensor(x.astype(np.float32))
        found = with_threads(lambda x=x: np.array([each.item() for each in int8_range(x)])).tolist()
        assert found == [each.item() for each in qparams(x.min(), x.max(), symmetric=False)]
        with native.disabled():
            assert found == [each.item() for each in int8_range(x)]
    x[0] = np.nan
    assert np.isnan([each.item() for each in int8_range(x)]).all()


def test_errors_say_what_is_wrong():
    a = gpunet.zeros(2, 3, dtype=gpunet.int8)
    for other in (gpunet.zeros(2, 3), gpunet.zeros(2, 4, dtype=gpunet.int8), gpunet.zeros(3, dtype=gpunet.int8)):
        with pytest.raises(RuntimeError, match="expected int8 matrices"):
            int8_matmul(a, other)
    number = gpunet.tensor(1.0)
    with pytest.raises(RuntimeError, match="expected a float32 input"):
        int8_linear(gpunet.zeros(2, 3).double(), a, gpunet.ones(2), None, number, number)
    with pytest.raises(RuntimeError, match="scales, zero point and bias of float32"):
        int8_linear(gpunet.zeros(2, 3), a, gpunet.ones(2), None, number.double(), number)
    with pytest.raises(RuntimeError, match="a scale for each output"):
        int8_linear(gpunet.zeros(2, 3), a, gpunet.ones(3), None, number, number)
    images, at = gpunet.zeros(1, 3, 4, 4), windows((4, 4), (2, 2), (1, 1), ((0, 0),) * 2, (1, 1))
    with pytest.raises(RuntimeError, match=r"expected \[N, 5, H, W\]"):
        int8_conv(images, gpunet.zeros(2, 5, 2, 2, dtype=gpunet.int8), gpunet.ones(2), None, number, number, at=at)
    with pytest.raises(RuntimeError, match="in_features"):
        int8_linear(gpunet.zeros(2, 4), a, gpunet.ones(2), None, number, number)
