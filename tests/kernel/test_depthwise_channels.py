"""Depthwise convolution in channels last, on the simulator: against sums written out in float64, planes' kernels."""

import numpy as np
import pytest
from convolutions import BFLOAT16, check, check_what_follows, in_planes, last, results

from gpunet.ops import depthwise_channels_launch

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
    check(cuda, case, dtype, last)


@pytest.mark.parametrize("case", CASES[:4], ids=str)
@pytest.mark.parametrize("dtype", ["float32", BFLOAT16], ids=str)
def test_taps_that_slide_have_the_bits_of_others_and_of_planes(cuda, monkeypatch, case, dtype):
    """Those of planes forward: by the input taps are in another order, by the weight sums are shared otherwise."""
    sliding = results(cuda, case, dtype, last)
    np.testing.assert_array_equal(sliding[0], results(cuda, case, dtype, in_planes)[0])
    monkeypatch.setattr(depthwise_channels_launch, "_slides", lambda *_: False)
    for one, other in zip(sliding, results(cuda, case, dtype, last), strict=True):
        np.testing.assert_array_equal(one, other)
    monkeypatch.setattr(depthwise_channels_launch, "_pack", lambda *_: 1)
    for one, other in zip(sliding[:2], results(cuda, case, dtype, last), strict=False):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("case", [CASES[0], CASES[4], CASES[7]], ids=str)
@pytest.mark.parametrize("dtype", ["float32", BFLOAT16, "float16"], ids=str)
def test_what_follows_has_the_bits_of_separate_kernels(cuda, case, dtype):
    check_what_follows(cuda, case, dtype, last)
