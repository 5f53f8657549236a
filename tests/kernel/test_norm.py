"""Normalisation on the simulator against the formula in float64."""

import ml_dtypes
import numpy as np
import pytest

from gpunet.ops import normalization as ops

normalize, normalize_grad = ops.normalize.op.launch, ops.normalize_grad.op.launch

BFLOAT16 = np.dtype(ml_dtypes.bfloat16)
TOLERANCE = {"float64": 1e-13, "float32": 3e-6, "float16": 2e-3, "bfloat16": 2e-2}
EPS = 1e-5

# (shape, axes, shape of the weight): rows for a warp and for a block, filled or not; images.
ROWS = [((5, 7), (1,), (7,)), ((3, 3, 128), (2,), (128,)), ((700, 64), (1,), (64,)), ((3, 260), (1,), (260,)),
        ((2, 8, 24), (1, 2), (8, 24)), ((2, 2048), (1,), (2048,)), ((5, 33), (1,), None)]
GROUPS = [((4, 3, 25), (0, 2), (1, 3, 1)), ((8, 5, 1), (0, 2), (1, 5, 1)), ((2, 3, 1024), (0, 2), (1, 3, 1)),
          ((4, 3, 16), (0, 2), None), ((3, 2, 3, 25), (2, 3), (1, 2, 3, 1)), ((3, 2, 3, 16), (2, 3), None),
          ((3, 2, 3, 1), (2, 3), (1, 2, 3, 1)), ((3, 6, 16), (2,), (1, 6, 1)), ((2, 300, 4), (2,), (1, 300, 1))]
LAYOUTS = [pytest.param(*layout, id=f"{'x'.join(map(str, layout[0]))}-over-{layout[1]}") for layout in ROWS + GROUPS]
TYPES = [("float32", "float32"), ("float64", "float64"), ("float16", "float16"), (BFLOAT16, "float32")]


def distance(found, expected):
    found = found.get().astype(float)
    return np.linalg.norm(found - expected) / np.linalg.norm(expected)


def numbers(shape, dtype, seed, offset=0.0):
    return None if shape is None else (np.random.default_rng(seed).standard_normal(shape) + offset).astype(dtype)


def reference(x, g, weight, bias, axes, centred):
    """Everything in float64: (y, mean, variance, dx, dw, db)."""
    x, g = x.astype(float), g.astype(float)
    w, b = (z if each is None else each.astype(float) for each, z in ((weight, 1.0), (bias, 0.0)))
    mean = x.mean(axes, keepdims=True) if centred else np.zeros_like(x.mean(axes, keepdims=True))
    c = x - mean
    variance = (c * c).mean(axes, keepdims=True)
    f = 1 / np.sqrt(variance + EPS)
    along = (g * w * c).mean(axes, keepdims=True)
    plain = (g * w).mean(axes, keepdims=True) if centred else 0
    dx = f * (g * w - plain - f * f * c * along)
    if weight is None:
        return c * f, mean, variance, dx, None, None
    full = (1,) * (x.ndim - weight.ndim) + weight.shape
    summed = tuple(i for i, n in enumerate(full) if n == 1)
    return (c * f * w + b, mean, variance, dx, *(each.sum(summed, keepdims=True).reshape(weight.shape)
                                                 for each in (g * c * f, g)))


@pytest.mark.parametrize("dtype, weights", TYPES, ids=lambda each: np.dtype(each).name)
@pytest.mark.parametrize("shape, axes, weight_shape", LAYOUTS)
def test_forward_and_backward(cuda, shape, axes, weight_shape, dtype, weights):
    centred = True
    x, g = numbers(shape, dtype, 0, offset=2.0), numbers(shape, dtype, 1)
    weight, bias = numbers(weight_shape, weights, 2), numbers(weight_shape, weights, 3)
    y, mean, variance, dx, dw, db = reference(x, g, weight, bias, axes, centred)
    wide = "float64" if dtype == "float64" else "float32"
    given = [None if each is None else cuda(each) for each in (weight, bias)]
    out, centre, spread = cuda.empty(shape, dtype), cuda.empty(mean.shape, wide), cuda.empty(mean.shape, wide)
    normalize(cuda, out, centre, spread, cuda(x), *given, axes=axes, eps=EPS, centred=centred)
    tolerance = TOLERANCE[np.dtype(dtype).name]
    assert distance(out, y) < tolerance
    assert distance(centre, mean) < TOLERANCE[wide] and distance(spread, variance) < TOLERANCE[wide]
    found = cuda.empty(shape, dtype), *(cuda.empty(weight_shape or 0, weights) for _ in range(2))
    normalize_grad(cuda, *found, cuda(g), cuda(x), centre, spread, given[0], None, axes=axes, eps=EPS, centred=centred)
    assert distance(found[0], dx) < 2 * tolerance
    onto, added = numbers(shape, dtype, 4), cuda.empty(shape, dtype)
    normalize_grad(cuda, added, *found[1:], cuda(g), cuda(x), centre, spread, given[0], cuda(onto), axes=axes, eps=EPS,
                   centred=centred)
    assert distance(added, onto + dx) < 2 * tolerance
    if weight is not None:
        assert distance(found[1], dw) < 3 * TOLERANCE[np.dtype(weights).name]
        assert distance(found[2], db) < 3 * TOLERANCE[np.dtype(weights).name]


@pytest.mark.parametrize("columns", [30, 520])
def test_root_mean_square(cuda, columns):
    shape, axes = (9, columns), (1,)
    x, g, weight = numbers(shape, "f4", 0), numbers(shape, "f4", 1), numbers((columns,), "f4", 2)
    y, _, square, dx, dw, _ = reference(x, g, weight, None, axes, False)
    out, centre, spread = (cuda.empty(each, "f4") for each in (shape, (9, 1), (9, 1)))
    normalize(cuda, out, centre, spread, cuda(x), cuda(weight), None, axes=axes, eps=EPS, centred=False)
    assert distance(out, y) < 1e-6 and distance(spread, square) < 1e-6 and not centre.get().any()
    found = cuda.empty(shape, "f4"), cuda.empty(columns, "f4"), cuda.empty(columns, "f4")
    normalize_grad(cuda, *found, cuda(g), cuda(x), centre, spread, cuda(weight), None, axes=axes, eps=EPS,
                   centred=False)
    assert distance(found[0], dx) < 1e-6 and distance(found[1], dw) < 1e-6


def test_a_large_mean_costs_no_digits_of_the_variance(cuda):
    x = numbers((4, 4096), "f4", 0, offset=1000.0)
    out, centre, spread = (cuda.empty(each, "f4") for each in (x.shape, (4, 1), (4, 1)))
    for weight in (None, np.ones(4096, "f4")):
        normalize(cuda, out, centre, spread, cuda(x), None if weight is None else cuda(weight), None, axes=(1,),
                  eps=0.0, centred=True)
        assert distance(spread, x.astype(float).var(1, keepdims=True)) < 1e-5


@pytest.mark.parametrize("dtype, columns, centred", [("f4", 8193, True), ("f4", 8196, False), ("f8", 2049, True)])
def test_rows_beyond_the_registers(cuda, dtype, columns, centred):
    shape, axes = (18, columns), (1,)  # more rows than there are ranges of them
    x, g, weight = numbers(shape, dtype, 0, offset=1.0), numbers(shape, dtype, 1), numbers((columns,), dtype, 2)
    y, _, _, dx, dw, db = reference(x, g, weight, None, axes, centred)
    out, centre, spread = (cuda.empty(each, dtype) for each in (shape, (18, 1), (18, 1)))
    options = dict(axes=axes, eps=EPS, centred=centred)
    normalize(cuda, out, centre, spread, cuda(x), cuda(weight), None, **options)
    found = cuda.empty(shape, dtype), cuda.empty(columns, dtype), cuda.empty(columns, dtype)
    onto = numbers(shape, dtype, 3)
    normalize_grad(cuda, *found, cuda(g), cuda(x), centre, spread, cuda(weight), cuda(onto), **options)
    dx = dx + onto
    for ours, theirs in zip((out, *found), (y, dx, dw, db), strict=True):
        assert distance(ours, theirs) < 1e-6


def test_layouts_and_types_without_a_kernel_are_left_to_the_body(cuda):
    x, statistics = cuda.empty((2, 3, 4), "f4"), cuda.empty((1, 3, 4), "f4")
    for weight, axes in ((None, (0,)), (cuda.empty((1, 3, 1), "f8"), (0, 2)), (cuda.empty((2, 1, 1), "f4"), (2,))):
        assert normalize(cuda, x, statistics, statistics, x, weight, weight, axes=axes, eps=EPS,
                         centred=True) is NotImplemented
