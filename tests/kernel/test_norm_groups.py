"""Normalisation of groups of channels in channels last, on the simulator, against the formula in float64."""

import numpy as np
import pytest
from test_norm import EPS, TOLERANCE, distance, numbers, reference
from test_norm_channels import TYPES, empty_last, last

from gpunet.ops import norm_groups as ops
from gpunet.ops import norm_groups_launch

# Shape and groups: whole groups in a tile, and groups that go over its edge; each channel, and all of them; one range
# of rows and several; packs and single elements; a tile that lanes do not fill.
CASES = [((2, 16, 3, 5), 4), ((3, 5, 4, 3), 5), ((2, 72, 7, 9), 6), ((1, 24, 40, 41), 3), ((2, 136, 5, 6), 1),
         ((2, 96, 24, 23), 2), ((3, 16, 9, 9), 16), ((2, 6, 31, 40), 2)]


def test_what_the_cases_are_made_for():
    layouts = [norm_groups_launch._layout(n, h * w, c, c // groups, 4 if c % 4 == 0 else 1)
               for (n, c, h, w), groups in CASES]
    assert [layout[5] for layout in layouts] == [True, True, False, False, False, False, True, False]
    assert layouts[3][2][1] > 1 and layouts[5][2][1] > 2 and layouts[4][2] == (5, 2)


@pytest.mark.parametrize("dtype, weights", TYPES, ids=lambda each: np.dtype(each).name)
@pytest.mark.parametrize("shape, groups", CASES, ids=str)
@pytest.mark.parametrize("weighted", [True, False])
def test_forward_and_backward(cuda, shape, groups, dtype, weights, weighted):
    n, c, h, w = shape
    cut = (n, groups, c // groups, h * w)
    x, g = numbers(shape, dtype, 0, offset=2.0), numbers(shape, dtype, 1)
    weight, bias = (numbers((c,) if weighted else None, weights, i) for i in (2, 3))
    as_cut = [None if each is None else each.reshape(1, groups, -1, 1) for each in (weight, bias)]
    y, mean, variance, dx, dw, db = reference(x.reshape(cut), g.reshape(cut), *as_cut, (2, 3), True)
    wide, options = "float64" if dtype == "float64" else "float32", dict(groups=groups, eps=EPS)
    tolerance, of_weights = TOLERANCE[np.dtype(dtype).name], TOLERANCE[np.dtype(weights).name]
    scale, shift = (None if each is None else cuda(each) for each in (weight, bias))
    out, centre, spread = empty_last(cuda, shape, dtype), *(cuda.empty((n, groups, 1, 1), wide) for _ in range(2))
    images = last(cuda, x)
    assert ops.normalize_groups.op.takes_channels_last(cuda, images, scale, shift, **options)
    assert ops.normalize_groups.op.launch(cuda, out, centre, spread, images, scale, shift, **options) is None
    assert distance(out, y.reshape(shape)) < tolerance
    assert distance(centre, mean) < TOLERANCE[wide] and distance(spread, variance) < TOLERANCE[wide]
    for gradient in (last(cuda, g), cuda(g)):  # in the format of x, or not
        found = empty_last(cuda, shape, dtype), *(cuda.empty(c if weighted else 0, weights) for _ in range(2))
        assert ops.normalize_groups_grad.op.launch(cuda, *found, gradient, images, centre, spread, scale, **options
                                                   ) is None
        assert distance(found[0], dx.reshape(shape)) < 2 * tolerance
        if weighted:
            assert distance(found[1], dw.reshape(-1)) < 3 * of_weights
            assert distance(found[2], db.reshape(-1)) < 3 * of_weights


@pytest.mark.parametrize("shape, groups", [((2, 8, 20, 30), 2), ((1, 40, 40, 60), 1)], ids=str)
def test_a_large_mean_costs_no_digits_of_the_variance(cuda, shape, groups):
    """Nor does a first value that is far from all others."""
    x = numbers(shape, "f4", 0, offset=1000.0)
    x[0, :, 0, 0] = 0
    out, centre, spread = empty_last(cuda, shape, "f4"), *(cuda.empty((shape[0], groups, 1, 1), "f4") for _ in range(2))
    ops.normalize_groups.op.launch(cuda, out, centre, spread, last(cuda, x), None, None, groups=groups, eps=0.0)
    exact = x.astype(float).reshape(shape[0], groups, -1).var(2).reshape(spread.shape)
    assert distance(spread, exact) < 1e-6
