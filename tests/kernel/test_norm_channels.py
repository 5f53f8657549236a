"""Batch normalisation in channels last, and of rows, on the simulator: against the formula in float64, and the kernels
of planes."""

import numpy as np
import pytest
from test_norm import BFLOAT16, EPS, TOLERANCE, distance, numbers, reference

from gpunet._channels_last import as_rows, from_rows, lies_last
from gpunet.ops import normalization as ops
from gpunet.ops import running_norm

AXES = (0, 2, 3)
TYPES = [("float32", "float32"), ("float64", "float64"), ("float16", "float16"), (BFLOAT16, "float32"),
         (BFLOAT16, BFLOAT16)]
# Whole packs and single channels, a tile that lanes do not fill, several tiles; few rows, rows left over, many ranges.
SHAPES = [(2, 16, 3, 5), (3, 5, 4, 3), (1, 72, 7, 9), (4, 40, 16, 17), (8, 3, 25, 41), (2, 272, 24, 23)]


def last(cuda, array):
    """On the device, in channels last."""
    return None if array is None else from_rows(cuda(np.ascontiguousarray(as_rows(array))))


def empty_last(cuda, shape, dtype):
    return cuda.empty_last(shape, np.dtype(dtype))


def test_what_the_shapes_are_made_for():
    grids = [ops.norm_columns_launch._layout(n * h * w, c, 4 if c % 4 == 0 else 1)[1] for n, c, h, w in SHAPES]
    assert grids[0] == (1, 1) and grids[1] == (1, 1) and grids[2] == (3, 1)
    assert grids[3] == (2, 2) and grids[4][1] > 4 and grids[5][0] == 9 and grids[5][1] > 1


@pytest.mark.parametrize("dtype, weights", TYPES, ids=lambda each: np.dtype(each).name)
@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: "x".join(map(str, shape)))
@pytest.mark.parametrize("weighted", [True, False])
def test_forward_and_backward(cuda, shape, dtype, weights, weighted):
    of_channels = (1, shape[1], 1, 1)
    x, g, onto = numbers(shape, dtype, 0, offset=2.0), numbers(shape, dtype, 1), numbers(shape, dtype, 4)
    weight, bias = (numbers(of_channels if weighted else None, weights, i) for i in (2, 3))
    y, mean, variance, dx, dw, db = reference(x, g, weight, bias, AXES, True)
    wide, options = "float64" if dtype == "float64" else "float32", dict(axes=AXES, eps=EPS, centred=True)
    tolerance, of_weights = TOLERANCE[np.dtype(dtype).name], TOLERANCE[np.dtype(weights).name]
    scale, shift = (None if each is None else cuda(each) for each in (weight, bias))
    out, centre, spread = empty_last(cuda, shape, dtype), *(cuda.empty(of_channels, wide) for _ in range(2))
    images = last(cuda, x)
    assert ops.normalize.op.takes_channels_last(cuda, images, scale, shift, **options)
    ops.normalize.op.launch(cuda, out, centre, spread, images, scale, shift, **options)
    assert distance(out, y) < tolerance
    assert distance(centre, mean) < TOLERANCE[wide] and distance(spread, variance) < TOLERANCE[wide]
    planes = cuda.empty(shape, dtype)
    ops.normalize.op.launch(cuda, planes, *(cuda.empty(of_channels, wide) for _ in range(2)), cuda(x), scale, shift,
                            **options)
    assert distance(planes, out.get().astype(float)) < tolerance
    for gradient in (last(cuda, g), cuda(g)):  # in the format of x, or not
        for add in (None, onto):
            found = empty_last(cuda, shape, dtype), *(cuda.empty(of_channels if weighted else 0, weights)
                                                      for _ in range(2))
            ops.normalize_grad.op.launch(cuda, *found, gradient, images, centre, spread, scale, last(cuda, add),
                                         **options)
            assert distance(found[0], dx if add is None else dx + add) < 2 * tolerance
            if weighted:
                assert distance(found[1], dw) < 3 * of_weights and distance(found[2], db) < 3 * of_weights


@pytest.mark.parametrize("dtype, weights", TYPES, ids=lambda each: np.dtype(each).name)
def test_rows(cuda, dtype, weights):
    """[N, C], C-contiguous, whose running statistics move in the same launch."""
    x, weight, bias = numbers((700, 24), dtype, 0, offset=1.0), *(numbers((1, 24), weights, i) for i in (1, 2))
    y, mean, variance, *_ = reference(x, x, weight, bias, (0,), True)
    wide = "float64" if dtype == "float64" else "float32"
    out, centre, spread, running_mean, running_var = cuda.empty(x.shape, dtype), *(
        cuda(np.full(shape, value, wide)) for shape, value in (((1, 24), 0), ((1, 24), 0), (24, 1.0), (24, 2.0)))
    batches = cuda(np.array(3))
    ops.normalize_moving.op.launch(cuda, out, centre, spread, running_mean, running_var, batches, cuda(x),
                                   cuda(weight), cuda(bias), axes=(0,), eps=EPS, centred=True, share=0.25,
                                   correction=1.5)
    assert distance(out, y) < TOLERANCE[np.dtype(dtype).name] and batches.get() == 4
    assert distance(running_mean, 0.75 + 0.25 * mean.reshape(-1)) < TOLERANCE[wide]
    assert distance(running_var, 1.5 + 0.375 * variance.reshape(-1)) < TOLERANCE[wide]


def test_a_large_mean_costs_no_digits_of_the_variance(cuda):
    """Nor does a first value that is far from all others."""
    x = numbers((4, 8, 40, 30), "f4", 0, offset=1000.0)
    x[0, :, 0, 0] = 0
    out, centre, spread = empty_last(cuda, x.shape, "f4"), *(cuda.empty((1, 8, 1, 1), "f4") for _ in range(2))
    ops.normalize.op.launch(cuda, out, centre, spread, last(cuda, x), None, None, axes=AXES, eps=0.0, centred=True)
    assert distance(spread, x.astype(float).var(AXES, keepdims=True)) < 1e-6


@pytest.mark.parametrize("shape", [(3, 16, 4, 7), (2, 5, 9, 3), (2, 136, 3, 3), (40, 24)])
@pytest.mark.parametrize("dtype, of_vectors", [("float32", "float32"), ("float64", "float64"), (BFLOAT16, BFLOAT16),
                                               (BFLOAT16, "float32")], ids=str)
def test_by_running_statistics(cuda, shape, dtype, of_vectors):
    """The bits of planes, with a residual and an activation, too."""
    x, onto = (numbers(shape, dtype, i) for i in range(2))
    vectors = [cuda(np.random.default_rng(i).uniform(0.5, 2, shape[1]).astype(of_vectors)) for i in range(4)]
    images = len(shape) == 4
    rows = last if images else (lambda cuda, array: cuda(array))
    plane = (lambda array: array) if images else (lambda array: np.repeat(array[..., None], 2, 2))  # rows: planes of 2
    for residual, activation in ((None, 0), (onto, 1)):
        out = empty_last(cuda, shape, dtype) if images else cuda.empty(shape, dtype)
        planes = cuda.empty(plane(x).shape, dtype)
        running_norm.launch(cuda, out, rows(cuda, x), vectors, EPS, None if residual is None else rows(cuda, onto),
                            activation)
        running_norm.launch(cuda, planes, cuda(plane(x)), vectors, EPS,
                            None if residual is None else cuda(plane(onto)), activation)
        np.testing.assert_array_equal(plane(out.get()), planes.get())
        assert not images or lies_last(out)
