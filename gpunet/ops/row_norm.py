"""LayerNorm and RMSNorm by native CPU kernels: statistics over the last dimensions, of rows that lie in one piece."""

from __future__ import annotations

from math import prod

from gpunet.native import Native
from gpunet.native.halves import number

_forward = Native("layer_norm.cpp", "layer_norm")
_backward = Native("layer_norm.cpp", "layer_norm_grad")


def _row_size(x, weight, axes):
    """The elements of a row; 0 where the statistics, or the weight, are of another kind."""
    first = x.ndim - len(axes)
    if not x.size or axes != tuple(range(first, x.ndim)):
        return 0
    shape = x.shape[first:]
    return prod(shape) if weight is None or weight.shape == shape else 0


def forward(out, centre, spread, x, weight, bias, axes, eps, centred):
    n = _row_size(x, weight, axes)
    if not n or bias is not None and (weight is None or bias.shape != weight.shape):
        return NotImplemented
    _forward(out, centre, spread, x, weight, bias, x.size // n, n, eps, centred, number(x.dtype))


def backward(dx, dw, db, g, x, centre, spread, weight, axes, eps, centred):
    n = _row_size(x, weight, axes)
    if not n or g.dtype != x.dtype:
        return NotImplemented
    _backward(dx, None if weight is None else dw, db, g, x, centre, spread, weight, x.size // n, n, eps, centred,
             number(x.dtype))
