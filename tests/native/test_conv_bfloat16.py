"""Convolutions of bfloat16: sums in float32, rounded once, for any shape and number of threads."""

import numpy as np
import pytest

import gpunet
import gpunet.nn.functional as F
from gpunet import native
from gpunet.ops.conv import conv, conv_input_grad, conv_weight_grad
from gpunet.ops.windows import windows
from tests.native.test_conv import SHAPES

# What else tiles of 16 lines and 32 numbers have to do with: panels that are full, or one line too many; images smaller
# than a tile; groups that fill tiles, and some that do not; large strides; several slices of k, and parts of outputs.
MORE = [
    (3, 64, (12, 12), 48, (3, 3), (1, 1), (1, 1), (1, 1), 1),
    (2, 70, (9, 9), 33, (3, 3), (2, 2), (1, 1), (1, 1), 1),
    (40, 16, (4, 4), 20, (3, 3), (1, 1), (1, 1), (1, 1), 1),
    (70, 17, (1, 1), 17, (1, 1), (1, 1), (0, 0), (1, 1), 1),
    (2, 32, (10, 10), 64, (3, 3), (1, 1), (1, 1), (1, 1), 2),
    (2, 27, (8, 9), 27, (3, 3), (2, 1), (1, 2), (1, 2), 3),
    (2, 16, (28, 28), 20, (4, 4), (4, 4), (0, 0), (1, 1), 1),
    (2, 5, (20, 33), 9, (5, 3), (3, 5), (2, 0), (1, 1), 1),
    (1, 200, (8, 8), 40, (3, 3), (1, 1), (1, 1), (1, 1), 1),
    (9, 8, (32, 32), 8, (1, 1), (1, 1), (1, 1), (1, 1), 1),
    (1, 16, (150, 150), 16, (3, 3), (1, 1), (1, 1), (1, 1), 1),
]


def _drawn(*shape, seed=0):
    numbers = np.random.default_rng((seed, *shape)).standard_normal(shape).astype(np.float32)
    return gpunet.tensor(numbers).bfloat16()


def _agrees(with_threads, function, *tensors):
    """The exact result, rounded: where that lies near the middle of two numbers, either."""
    found = with_threads(lambda: function(*tensors).float().numpy())
    with native.disabled():
        exact = function(*[x.double() for x in tensors]).numpy()
    bound = np.abs(exact) * 2**-8 + 1e-6 * max(1, np.abs(exact).max())
    assert (np.abs(found - exact) <= bound).all()
    assert np.abs(found - exact).max() > 0 or exact.size < 100  # it is a half type's result


@pytest.mark.parametrize("shape", SHAPES + MORE, ids=str)
def test_convolution_and_its_gradients(shape, with_threads):
    images, channels, size, features, kernel, stride, padding, dilation, groups = shape
    at = windows(size, kernel, stride, tuple([(p, p) for p in padding]), dilation)
    options = {"at": at, "groups": groups}
    x, w, bias = _drawn(images, channels, *size), _drawn(features, channels // groups, *kernel), _drawn(features)
    g = _drawn(images, features, *at.out, seed=1)
    _agrees(with_threads, lambda x, w, b: conv(x, w, b, **options), x, w, bias)
    _agrees(with_threads, lambda x, w: conv(x, w, None, **options), x, w)
    _agrees(with_threads, lambda g, w: conv_input_grad(g, w, **options), g, w)
    _agrees(with_threads, lambda g, x: conv_weight_grad(g, x, **options), g, x)


def test_many_images_in_turn(with_threads):
    """More than are brought into their form at once."""
    x, w, g = _drawn(7, 64, 96, 96), _drawn(8, 64, 3, 3), _drawn(7, 8, 96, 96)
    at = windows((96, 96), (3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1))
    _agrees(with_threads, lambda x, w: conv(x, w, None, at=at, groups=1), x, w)
    _agrees(with_threads, lambda g, x: conv_weight_grad(g, x, at=at, groups=1), g, x)


def test_negative_padding_behind_the_input(with_threads):
    at = windows((9, 9), (3, 3), (2, 2), ((1, -2), (0, -1)), (1, 1))
    x, w, g = _drawn(2, 20, 9, 9), _drawn(18, 20, 3, 3), _drawn(2, 18, *at.out)
    _agrees(with_threads, lambda x, w: conv(x, w, None, at=at, groups=1), x, w)
    _agrees(with_threads, lambda g, w: conv_input_grad(g, w, at=at, groups=1), g, w)
    _agrees(with_threads, lambda g, x: conv_weight_grad(g, x, at=at, groups=1), g, x)


@pytest.mark.parametrize("kernel", [1, 3])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_number_reaches_its_windows_only(kernel, value):
    x, w = _drawn(2, 21, 9, 11), _drawn(40, 21, kernel, kernel)
    x[1, 20, 4, 5] = float(value)
    y = F.conv2d(x, w, padding=kernel // 2).isfinite().numpy()
    reached = np.zeros_like(y)
    r = kernel // 2
    reached[1, :, 4 - r : 5 + r, 5 - r : 6 + r] = True
    np.testing.assert_array_equal(~y, reached)


def test_as_pytorch_rounds():
    """A ReLU behind it, a transposed convolution and arrays in channels last, beside PyTorch's results."""
    torch = pytest.importorskip("torch")
    x, w, bias = _drawn(3, 24, 13, 10), _drawn(40, 24, 3, 3), _drawn(40)
    theirs = [torch.tensor(each.float().numpy()) for each in (x, w, bias)]
    exact = torch.nn.functional.conv2d(*theirs, padding=1).numpy()
    last = gpunet.tensor(np.ascontiguousarray(x.float().numpy().transpose(0, 2, 3, 1))).bfloat16().permute(0, 3, 1, 2)
    for found, wanted in (
            (F.conv2d(last, w, bias, padding=1), exact),
            (F.conv2d(x, w, bias, padding=1).relu(), np.maximum(exact, 0)),
            (F.conv_transpose2d(x, w.transpose(0, 1)[:24, :24], stride=2), torch.nn.functional.conv_transpose2d(
                theirs[0], theirs[1].transpose(0, 1)[:24, :24], stride=2).numpy())):
        np.testing.assert_allclose(found.float().numpy(), wanted, rtol=2**-8, atol=1e-4)
