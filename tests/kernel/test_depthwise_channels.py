"""Depthwise convolution in channels last, on the simulator: against sums written out in float64, planes' kernels."""

import numpy as np
import pytest
from test_conv import BFLOAT16, TOLERANCE, arrays, by_input, by_weight, conv
from test_conv_channels import check, last
from test_epilogue import EXACT, separately

from gpunet.ops import conv as ops
from gpunet.ops import depthwise_channels_launch
from gpunet.ops.running_norm import running_norm

# images, features, channels, groups, size, kernel, stride, padding, dilation
CASES = [
    (2, 24, 24, 24, (8, 9), (3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1)),
    (2, 16, 16, 16, (9, 12), (3, 3), (2, 2), ((1, 1), (0, 1)), (1, 1)),
    (2, 8, 8, 8, (11, 13), (5, 5), (1, 1), ((2, 2), (2, 2)), (1, 1)),
    (1, 72, 72, 72, (9, 10), (7, 7), (1, 1), ((3, 3), (3, 3)), (1, 1)),  # two tiles of channels in half types
    (2, 5, 5, 5, (7, 8), (3, 3), (1, 2), ((1, 1), (1, 1)), (2, 1)),  # channels by single elements
    (2, 12, 6, 6, (7, 9), (3, 3), (2, 1), ((1, 1), (1, 1)), (1, 1)),  # two filters of a channel
    (1, 8, 8, 8, (9, 9), (5, 5), (3, 3), ((2, 2), (2, 2)), (2, 2)),
    (2, 8, 8, 8, (6, 20), (2, 17), (1, 1), ((0, 1), (8, 8)), (1, 1)),  # any filters, of more taps than others may have
    (1, 8, 8, 8, (9, 9), (3, 3), (1, 1), ((0, 0), (-1, -2)), (1, 1)),  # cropped
    (48, 16, 16, 16, (14, 6), (3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1)),  # whose rows blocks share
]


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("dtype", ["float32", "float64", BFLOAT16, "float16"], ids=str)
def test_forward_and_both_gradients(cuda, case, dtype):
    check(cuda, case, dtype, TOLERANCE[np.dtype(dtype).name])


@pytest.mark.parametrize("case", CASES[:4], ids=str)
@pytest.mark.parametrize("dtype", ["float32", BFLOAT16], ids=str)
def test_taps_that_slide_have_the_bits_of_others_and_of_planes(cuda, monkeypatch, case, dtype):
    """Those of planes forward: by the input taps are in another order, by the weight sums are shared otherwise."""
    at, groups, (x, w, bias, g) = arrays(case, dtype)
    options, planes = dict(at=at, groups=groups), cuda.empty(g.shape, dtype)
    conv(cuda, planes, cuda(x), cuda(w), cuda(bias), **options)

    def channels():
        found = [last(cuda, np.full(a.shape, 77, dtype)) for a in (g, x, w)]
        conv(cuda, found[0], last(cuda, x), last(cuda, w), cuda(bias), **options)
        by_input(cuda, found[1], last(cuda, g), last(cuda, w), **options)
        by_weight(cuda, found[2], last(cuda, g), last(cuda, x), **options)
        return [each.get() for each in found]

    sliding = channels()
    np.testing.assert_array_equal(sliding[0], planes.get())
    monkeypatch.setattr(depthwise_channels_launch, "_slides", lambda *_: False)
    for one, other in zip(sliding, channels(), strict=True):
        np.testing.assert_array_equal(one, other)
    monkeypatch.setattr(depthwise_channels_launch, "_pack", lambda *_: 1)
    for one, other in zip(sliding[:2], channels(), strict=False):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("case", [CASES[0], CASES[4], CASES[7]], ids=str)
@pytest.mark.parametrize("dtype", ["float32", BFLOAT16, "float16"], ids=str)
def test_what_follows_has_the_bits_of_separate_kernels(cuda, case, dtype):
    at, groups, (x, w, bias, g) = arrays(case, dtype)
    x, w, bias, onto = last(cuda, x), last(cuda, w), cuda(bias), last(cuda, g)
    vectors = [cuda(np.random.default_rng(i).uniform(0.5, 2, bias.size).astype(dtype)) for i in range(4)]
    options = dict(at=at, groups=groups)
    plain, normed = last(cuda, np.full(g.shape, 77, dtype)), cuda.empty(g.shape, g.dtype)
    conv(cuda, plain, x, w, bias, **options)
    ordered = cuda(plain.get())
    running_norm.op.launch(cuda, normed, ordered, *vectors, eps=1e-3)
    for activation in EXACT:
        for norm, there in ((False, None), (True, onto)):
            out = last(cuda, np.full(g.shape, 77, dtype))
            ops.conv_epilogue.op.launch(cuda, out, x, w, bias, *(vectors if norm else [None] * 4), there, eps=1e-3,
                                        activation=activation, **options)
            there = None if there is None else cuda(there.get())
            expected = separately(cuda, normed if norm else ordered, there, activation)[1]
            np.testing.assert_array_equal(out.get(), expected.get())
