"""Convolution and its gradients by native kernels: the NumPy bodies' results, for any shape and number of threads."""

import numpy as np
import pytest

import gpunet
import gpunet.nn.functional as F
from gpunet import native
from gpunet.ops.conv import conv, conv_input_grad, conv_weight_grad
from gpunet.ops.windows import windows
from tests.native.agreement import arrays, check

# images, channels, size, features, kernel, stride, padding, dilation, groups
SHAPES = [
    (2, 3, (9,), 5, (3,), (1,), (1,), (1,), 1),
    (3, 16, (37,), 24, (5,), (2,), (2,), (2,), 1),
    (1, 1, (1, 1), 1, (1, 1), (1, 1), (0, 0), (1, 1), 1),
    (2, 3, (11, 13), 5, (3, 3), (1, 1), (1, 1), (1, 1), 1),
    (2, 1, (28, 28), 32, (3, 3), (1, 1), (0, 0), (1, 1), 1),
    (3, 16, (8, 8), 16, (3, 3), (1, 1), (1, 1), (1, 1), 1),
    (2, 40, (14, 14), 36, (3, 3), (1, 1), (1, 1), (1, 1), 1),
    (2, 64, (26, 26), 32, (3, 3), (1, 1), (2, 2), (1, 1), 1),
    (2, 33, (7, 7), 130, (3, 3), (1, 1), (1, 1), (1, 1), 1),
    (5, 300, (5, 5), 20, (1, 1), (1, 1), (0, 0), (1, 1), 1),  # pixels of several images in a vector, several slices
    (2, 24, (16, 16), 48, (1, 1), (1, 1), (0, 0), (1, 1), 1),
    (2, 24, (15, 16), 20, (1, 1), (2, 2), (0, 0), (1, 1), 1),
    (2, 3, (40, 41), 8, (7, 7), (2, 2), (3, 3), (1, 1), 1),
    (2, 17, (19, 18), 9, (3, 3), (2, 2), (1, 1), (1, 1), 1),
    (2, 6, (23, 21), 32, (4, 4), (2, 2), (1, 1), (1, 1), 2),  # of the input's gradient the products are scattered
    (2, 40, (30, 27), 20, (3, 3), (2, 3), (0, 2), (2, 1), 1),
    (1, 3, (9, 10, 11), 16, (3, 2, 3), (2, 1, 2), (1, 0, 1), (1, 1, 1), 1),
    (2, 6, (17, 23), 8, (2, 5), (3, 2), (0, 3), (2, 1), 2),
    (2, 12, (20, 9), 12, (3, 3), (1, 1), (1, 1), (1, 1), 12),  # depthwise
    (2, 10, (30, 33), 20, (5, 5), (2, 2), (2, 2), (1, 1), 10),  # two features for each channel
    (1, 4, (3, 2), 4, (3, 3), (1, 1), (4, 4), (1, 1), 4),  # windows that lie in the padding only
    (1, 2, (600, 3), 3, (3, 3), (1, 1), (1, 1), (1, 1), 1),
    (1, 8, (64, 300), 8, (3, 3), (1, 1), (1, 1), (1, 1), 1),  # several bands
    (2, 3, (5, 6, 7), 6, (3, 2, 3), (1, 2, 1), (1, 0, 1), (1, 1, 2), 1),
    (2, 9, (6, 6, 12), 8, (3, 3, 3), (2, 2, 2), (1, 1, 1), (1, 1, 1), 1),
    (1, 4, (4, 5, 9), 4, (2, 3, 3), (1, 1, 1), (0, 1, 1), (1, 1, 1), 4),
]


def _case(images, channels, size, features, kernel, stride, padding, dilation, groups):
    at = windows(size, kernel, stride, tuple([(p, p) for p in padding]), dilation)
    x, w, bias, g = arrays((images, channels, *size), (features, channels // groups, *kernel), (features,),
                           (images, features, *at.out))
    return {"at": at, "groups": groups}, x, w, bias, g


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_forward(shape):
    options, x, w, bias, _ = _case(*shape)
    check(lambda x, w, bias: conv(x, w, bias, **options), x, w, bias)
    check(lambda x, w: conv(x, w, None, **options), x, w)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_gradient_by_the_input(shape):
    options, _, w, _, g = _case(*shape)
    check(lambda g, w: conv_input_grad(g, w, **options), g, w)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_gradient_by_the_weight(shape):
    options, x, _, _, g = _case(*shape)
    check(lambda g, x: conv_weight_grad(g, x, **options), g, x)


@pytest.mark.parametrize(("size", "stride", "padding", "extra"),
                         [(7, 2, 1, 1), (5, 3, 0, 2), (8, 1, 1, 0), (1, 4, 0, 3)])
def test_transposed(size, stride, padding, extra):
    x, w, bias = arrays((2, 12, size, size + 1), (12, 5, 3, 4), (5,))
    check(lambda x, w, b: F.conv_transpose2d(x, w, b, stride, padding, extra), x, w, bias)


def test_negative_padding_behind_the_input():
    at = windows((9, 9), (3, 3), (2, 2), ((1, -2), (0, -1)), (1, 1))
    x, w, g = arrays((2, 4, 9, 9), (6, 4, 3, 3), (2, 6, *at.out))
    check(lambda x, w: conv(x, w, None, at=at, groups=1), x, w)
    check(lambda g, w: conv_input_grad(g, w, at=at, groups=1), g, w)
    check(lambda g, x: conv_weight_grad(g, x, at=at, groups=1), g, x)


@pytest.mark.parametrize("kernel", [1, 3])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_number_reaches_its_windows_only(kernel, value):
    x, w = arrays((2, 20, 9, 11), (8, 20, kernel, kernel))
    x[1, 3, 4, 5] = float(value)
    y = F.conv2d(x, w, padding=kernel // 2).isfinite().numpy()
    reached = np.zeros_like(y)
    r = kernel // 2
    reached[1, :, 4 - r : 5 + r, 5 - r : 6 + r] = True
    np.testing.assert_array_equal(~y, reached)


@pytest.mark.parametrize("groups", [1, 2])
def test_arrays_that_are_not_contiguous(groups):
    x, w = arrays((9, 8, 4, 10), (4, 3, 3, 8 // groups))
    x, w = x.permute(2, 1, 3, 0), w.permute(0, 3, 1, 2)
    found = F.conv2d(x, w, groups=groups).numpy()
    with native.disabled():
        np.testing.assert_allclose(found, F.conv2d(x, w, groups=groups).numpy(), atol=1e-4)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
def test_other_types(dtype):
    x, w, bias = (t.to(getattr(gpunet, dtype)) for t in arrays((2, 6, 8, 8), (4, 6, 3, 3), (4,)))
    found = F.conv2d(x, w, bias)
    with native.disabled():
        np.testing.assert_allclose(found.double().numpy(), F.conv2d(x, w, bias).double().numpy(), rtol=1e-2, atol=1e-2)
    assert found.dtype == x.dtype


def test_nothing_to_compute():
    assert F.conv2d(gpunet.ones(0, 3, 5, 5), gpunet.ones(2, 3, 3, 3)).shape == (0, 2, 3, 3)
    np.testing.assert_array_equal(F.conv2d(gpunet.ones(1, 0, 5, 5), gpunet.ones(2, 0, 3, 3), gpunet.ones(2)).numpy(), 1)
