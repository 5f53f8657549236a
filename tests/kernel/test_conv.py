"""Convolution on the simulator against sums written out in float64."""

from itertools import product

import ml_dtypes
import numpy as np
import pytest

from gpunet.ops import conv as ops
from gpunet.ops import conv_launch
from gpunet.ops.windows import windows

conv, by_input, by_weight = ops.conv.op.launch, ops.conv_input_grad.op.launch, ops.conv_weight_grad.op.launch

BFLOAT16 = np.dtype(ml_dtypes.bfloat16)
TOLERANCE = {"float64": 1e-14, "float32": 2e-6, "float16": 1e-3, "bfloat16": 8e-3}

# images, features, channels, groups, size, kernel, stride, padding, dilation
CASES = [
    (2, 5, 3, 1, (8, 9), (3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1)),
    (2, 5, 3, 1, (8, 9), (3, 3), (2, 2), ((1, 1), (0, 2)), (1, 1)),
    (2, 6, 4, 2, (11, 9), (3, 2), (3, 2), ((2, 2), (1, 1)), (2, 3)),  # taps that a phase does not meet
    (3, 70, 8, 1, (7, 7), (1, 1), (2, 2), ((0, 0), (0, 0)), (1, 1)),  # phases without any tap
    (2, 3, 3, 3, (6, 5), (3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1)),  # one channel a group
    (2, 6, 3, 3, (9, 40), (3, 3), (2, 2), ((1, 1), (1, 1)), (1, 1)),  # and two filters
    (40, 2, 2, 2, (14, 6), (5, 5), (1, 1), ((2, 2), (4, 4)), (1, 2)),  # whose images blocks share
    (1, 4, 2, 2, (9, 8), (7, 7), (3, 1), ((3, 3), (3, 3)), (1, 1)),
    (1, 2, 2, 1, (9, 9), (2, 2), (2, 2), ((0, 0), (-1, -2)), (1, 1)),  # cropped
    (9, 33, 20, 1, (14, 14), (3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1)),  # sums by the weight that blocks share
    (2, 4, 6, 2, (12,), (3,), (2,), ((1, 1),), (2,)),
]


def distance(found, expected):
    found = found.get().astype(float)
    return np.linalg.norm(found - expected) / np.linalg.norm(expected)


def arrays(case, dtype):
    images, features, channels, groups, size, kernel, stride, padding, dilation = case
    at, rng = windows(size, kernel, stride, padding, dilation), np.random.default_rng(0)
    shapes = ((images, channels, *size), (features, channels // groups, *kernel), (features,),
              (images, features, *at.out))
    return at, groups, [rng.standard_normal(shape).astype(dtype) for shape in shapes]


def reference(at, groups, x, w, bias, g):
    """(y, dx, dw) by one tap at a time."""
    x, w, bias, g = (a.astype(float) for a in (x, w, bias, g))
    features, depth = w.shape[:2]
    full = at.pad(np, x)
    y = np.zeros(g.shape) + bias.reshape(-1, *[1] * len(at.out))
    d_full, dw = np.zeros_like(full), np.zeros_like(w)
    for tap, place in zip(at.taps, product(*map(range, at.kernel)), strict=True):
        met = full[tap]
        for f, c in product(range(features), range(depth)):
            channel = f // (features // groups) * depth + c
            at_weight = (f, c, *place)
            y[:, f] += w[at_weight] * met[:, channel]
            dw[at_weight] = (g[:, f] * met[:, channel]).sum()
            d_full[(slice(None), channel, *tap[1:])] += w[at_weight] * g[:, f]
    dx = np.zeros_like(x)
    at.crop(dx, d_full)
    return y, dx, dw


@pytest.mark.parametrize("case, dtype", [(case, "float32") for case in CASES]
                         + [(CASES[1], dtype) for dtype in ("float64", "float16", BFLOAT16)], ids=str)
def test_forward_and_both_gradients(cuda, case, dtype):
    at, groups, (x, w, bias, g) = arrays(case, dtype)
    y, dx, dw = reference(at, groups, x, w, bias, g)
    tolerance, options = TOLERANCE[x.dtype.name], dict(at=at, groups=groups)
    out = cuda.empty(g.shape, dtype)
    conv(cuda, out, cuda(x), cuda(w), cuda(bias), **options)
    assert distance(out, y) < tolerance
    out = cuda.empty(x.shape, dtype)
    by_input(cuda, out, cuda(g), cuda(w), **options)
    assert distance(out, dx) < tolerance
    out = cuda.empty(w.shape, dtype)
    by_weight(cuda, out, cuda(g), cuda(x), **options)
    assert distance(out, dw) < tolerance


@pytest.mark.parametrize("tile", conv_launch._TILES, ids=str)
def test_every_tile(cuda, monkeypatch, tile):
    monkeypatch.setattr(conv_launch, "_TILES", (tile,))
    at, groups, (x, w, bias, g) = arrays(CASES[6], "float32")
    y, dx, _ = reference(at, groups, x, w, bias, g)
    found = cuda.empty(g.shape, "f4"), cuda.empty(x.shape, "f4")
    conv(cuda, found[0], cuda(x), cuda(w), cuda(bias), at=at, groups=groups)
    by_input(cuda, found[1], cuda(g), cuda(w), at=at, groups=groups)
    assert distance(found[0], y) < 1e-6 and distance(found[1], dx) < 1e-6


def test_volumes_are_left_to_the_body(cuda):
    at = windows((3, 3, 3), (2, 2, 2), (1, 1, 1), ((0, 0),) * 3, (1, 1, 1))
    x, w, y = cuda.empty((1, 1, 3, 3, 3), "f4"), cuda.empty((1, 1, 2, 2, 2), "f4"), cuda.empty((1, 1, 2, 2, 2), "f4")
    assert conv(cuda, y, x, w, None, at=at, groups=1) is NotImplemented
    assert by_input(cuda, x, y, w, at=at, groups=1) is NotImplemented
    assert by_weight(cuda, w, y, x, at=at, groups=1) is NotImplemented
