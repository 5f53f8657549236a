"""Native kernels of the CPU for batch, group and instance normalisation: what `normalize` is over channels."""

from __future__ import annotations

from math import prod

import numpy as np

from gpunet.native import Native
from gpunet.native.halves import number

_batch_norm, _batch_norm_grad = (Native("channel_norm.cpp", name) for name in ("batch_norm", "batch_norm_grad"))
_group_norm, _group_norm_grad = (Native("channel_norm.cpp", name) for name in ("group_norm", "group_norm_grad"))

_move_statistics = Native("channel_norm.cpp", "move_statistics")


def forward(y, centre, spread, x, weight, bias, axes: tuple, eps: float):
    """Fills y, the means and the variances; NotImplemented if statistics or weight are not those of channels."""
    sizes = _sizes(x, weight, axes)
    if sizes is None:
        return NotImplemented
    kernel = _batch_norm if len(sizes) == 3 else _group_norm
    return kernel(y, centre, spread, x, weight, bias, *sizes, float(eps), number(x.dtype))


def backward(dx, dw, db, g, x, centre, spread, weight, axes: tuple, eps: float):
    """Fills the gradients by x, the weight and the bias; NotImplemented as `forward`."""
    sizes = _sizes(x, weight, axes)
    if sizes is None or g.dtype != x.dtype:
        return NotImplemented
    kernel = _batch_norm_grad if len(sizes) == 3 else _group_norm_grad
    if weight is None:
        dw = db = None
    return kernel(dx, dw, db, g, x, centre, spread, weight, *sizes, float(eps), number(x.dtype))


def move(running_mean, running_var, batches: list, centre, spread, share: float, correction: float):
    """Moves running statistics by a share towards those of a batch; counts the batch if `batches` has a count."""
    count = batches[0] if batches else None
    if centre.size != running_mean.size or count is not None and count.dtype != np.int64:
        return NotImplemented
    if running_mean.dtype != running_var.dtype:
        return NotImplemented
    return _move_statistics(running_mean, running_var, count, centre, spread, running_mean.size, float(share),
                            float(correction), number(running_mean.dtype))


def _sizes(x, weight, axes: tuple) -> tuple[int, ...] | None:
    """Images, channels, size for batch normalisation; images, groups, channels of a group, size for the others."""
    shape = x.shape
    if not x.size:
        return None
    if len(shape) > 1 and axes == (0, *range(2, len(shape))) and (weight is None or weight.size == shape[1]):
        return shape[0], shape[1], prod(shape[2:])
    if len(shape) == 3 and axes == (2,) and (weight is None or weight.shape == (1, shape[1], 1)):
        return shape[0], shape[1], 1, shape[2]
    if len(shape) == 4 and axes == (2, 3) and (weight is None or weight.shape == (1, *shape[1:3], 1)):
        return shape
    return None
