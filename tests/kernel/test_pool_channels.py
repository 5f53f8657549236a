"""Pooling in channels last on the simulator: the bits of the kernels of planes."""

import numpy as np
import pytest
from test_norm_channels import empty_last, last
from test_pool import LAYOUTS, TYPES, laid_out, numbers

from gpunet._channels_last import lies_last
from gpunet.ops import pool

# Of images: windows apart, side by side and overlapping; channels in whole packs, and not.
IMAGES = [((shape[0], channels, *shape[2:]), *rest) for shape, *rest in LAYOUTS if len(shape) == 4
          for channels in (16, 3)] + [((2, 24, 7, 7), (7, 7), (7, 7), 0, 1, False)]


def alike(op, cuda, shape, dtype, *arrays, **options):
    """The kernel's result in channels last, which is that of planes."""
    planes, found = cuda.empty(shape, dtype), empty_last(cuda, shape, dtype)
    assert op.op.launch(cuda, planes, *map(cuda, arrays), **options) is not NotImplemented
    given = [last(cuda, each) for each in arrays]
    assert op.op.takes_channels_last(cuda, *given, **options)
    assert op.op.launch(cuda, found, *given, **options) is not NotImplemented
    assert lies_last(found)
    np.testing.assert_array_equal(*(each.get().astype(float) for each in (found, planes)))
    return planes.get()


@pytest.mark.parametrize("dtype", TYPES, ids=lambda dtype: np.dtype(dtype).name)
@pytest.mark.parametrize("layout", IMAGES, ids=lambda layout: "x".join(map(str, layout[0])))
def test_largest_and_mean_forward_and_backward(cuda, layout, dtype):
    shape, at = layout[0], laid_out(*layout)
    small = (*shape[:2], *at.out)
    x, g = numbers(shape, dtype, 0, [-np.inf, -1.5, 0.25, 2.0, 3.5]), numbers(small, dtype, 1)  # many are equal
    x[0, 0, 1, 1] = x[0, 2, 2, 0] = np.nan
    y = alike(pool.max_pool, cuda, small, dtype, x, at=at)
    alike(pool.max_pool_indices, cuda, small, np.int64, x, at=at)
    alike(pool.max_pool_grad, cuda, shape, dtype, g, x, y, at=at)
    if at.dilation == (1, 1):
        for include_pad, override in ((True, None), (False, None), (True, 7)):
            options = dict(at=at, include_pad=include_pad, override=override)
            alike(pool.avg_pool, cuda, small, dtype, numbers(shape, dtype, 2), **options)
            alike(pool.avg_pool_grad, cuda, shape, dtype, g, **options)
