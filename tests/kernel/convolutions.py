"""What tests of convolution kernels share: operands, sums written out in float64, and what holds in every layout."""

from itertools import product

import ml_dtypes
import numpy as np
from test_epilogue import EXACT, separately

from gpunet._channels_last import as_rows, from_rows
from gpunet.ops import conv as ops
from gpunet.ops.running_norm import running_norm
from gpunet.ops.windows import windows

conv, by_input, by_weight = ops.conv.op.launch, ops.conv_input_grad.op.launch, ops.conv_weight_grad.op.launch

BFLOAT16 = np.dtype(ml_dtypes.bfloat16)
TOLERANCE = {"float64": 1e-14, "float32": 2e-6, "float16": 1e-3, "bfloat16": 8e-3, "tf32": 6e-4}


def distance(found, expected):
    found = found.astype(float)
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


def in_planes(cuda, array):
    """On the device, as it is."""
    return cuda(array)


def last(cuda, array):
    """On the device, in channels last."""
    return from_rows(cuda(np.ascontiguousarray(as_rows(array))))


def results(cuda, case, dtype, place):
    """Forward, by the input and by the weight; place(cuda, array): how arrays lie on the device."""
    at, groups, (x, w, bias, g) = arrays(case, dtype)
    options, found = dict(at=at, groups=groups), [place(cuda, np.full(a.shape, 77, dtype)) for a in (g, x, w)]
    conv(cuda, found[0], place(cuda, x), place(cuda, w), cuda(bias), **options)
    by_input(cuda, found[1], place(cuda, g), place(cuda, w), **options)
    by_weight(cuda, found[2], place(cuda, g), place(cuda, x), **options)
    return [each.get() for each in found]


def check(cuda, case, dtype, place=in_planes, tolerance=None):
    """The three results, which are right."""
    at, groups, operands = arrays(case, dtype)
    found = results(cuda, case, dtype, place)
    for each, expected in zip(found, reference(at, groups, *operands), strict=True):
        assert distance(each, expected) < (tolerance or TOLERANCE[operands[0].dtype.name])
    return found


def check_what_follows(cuda, case, dtype, place):
    """A norm by running statistics, a residual and an activation have the bits of separate kernels."""
    at, groups, (x, w, bias, g) = arrays(case, dtype)
    x, w, bias, onto = place(cuda, x), place(cuda, w), cuda(bias), place(cuda, g)
    vectors = [cuda(np.random.default_rng(i).uniform(0.5, 2, bias.size).astype(dtype)) for i in range(4)]
    options = dict(at=at, groups=groups)
    plain, normed = place(cuda, np.full(g.shape, 77, dtype)), cuda.empty(g.shape, g.dtype)
    conv(cuda, plain, x, w, bias, **options)
    ordered = cuda(plain.get())
    running_norm.op.launch(cuda, normed, ordered, *vectors, eps=1e-3)
    for activation, norm, there in product(EXACT, (False, True), (None, onto)):
        out = place(cuda, np.full(g.shape, 77, dtype))
        ops.conv_epilogue.op.launch(cuda, out, x, w, bias, *(vectors if norm else [None] * 4), there, eps=1e-3,
                                    activation=activation, **options)
        there = None if there is None else cuda(there.get())
        expected = separately(cuda, normed if norm else ordered, there, activation)[1]
        np.testing.assert_array_equal(out.get(), expected.get())
