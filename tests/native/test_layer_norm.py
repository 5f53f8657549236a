"""LayerNorm and RMSNorm by native kernels against their NumPy bodies."""

import numpy as np
import pytest

import gpunet
import gpunet.nn.functional as F
from tests.native.near import both

SHAPES = [((1, 1), 1), ((5, 7), 1), ((3, 64), 1), ((200, 33), 1), ((4, 3, 5, 9), 2), ((2, 1000), 1), ((6,), 1),
          ((0, 4), 1), ((3000, 8), 1)]


@pytest.mark.parametrize("kind", ["layer", "layer without bias", "layer plain", "rms", "rms plain"])
@pytest.mark.parametrize(("shape", "last"), SHAPES, ids=str)
def test_agrees_with_the_body(kind, shape, last):
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal(size, np.float32) + 1 for size in (shape, shape[-last:], shape[-last:], shape)]

    def run():
        x, weight, bias = (gpunet.tensor(a, requires_grad=True) for a in arrays[:3])
        used = {"layer": [x, weight, bias], "layer without bias": [x, weight], "rms": [x, weight]}.get(kind, [x])
        y = (F.layer_norm if "layer" in kind else F.rms_norm)(x, shape[-last:], *used[1:])
        y.backward(gpunet.tensor(arrays[3]))
        return [y.detach().numpy(), *(t.grad.numpy() for t in used)]

    both(run, ulps=64)


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e20])
def test_numbers_that_are_not_finite_stay_in_their_row(value):
    x = np.ones((3, 20), np.float32)
    x[1, 3] = value
    x[:, 0] = 2
    both(lambda: [F.layer_norm(gpunet.tensor(x), (20,)).numpy()])
