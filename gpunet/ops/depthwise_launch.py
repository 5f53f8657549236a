"""The launches of kernels/depthwise.cu: convolutions whose channels have filters of their own, on the devices cuda and
sim. Each function says whether it served."""

from __future__ import annotations

import functools
from itertools import product
from typing import Any

import numpy as np

from gpunet.dtypes import FLOAT64_NP
from gpunet.kernel import Kernel
from gpunet.ops.epilogue import OPTIONS
from gpunet.ops.launching import THREADS, blocks_of, by_type
from gpunet.ops.linear import add_ranges
from gpunet.ops.rules import accumulator

_KERNELS = 3, 5, 7
_STRIDES = 1, 2  # by the input
_PER_THREAD = 4  # places of a plane
_BLOCKS = 512  # that should share the sums by the weight
_SHARE = 1024  # positions that each of them should have, at least


def _instances(*more):
    return lambda: ((*kind, *parts) for kind in by_type() if kind[0] != FLOAT64_NP
                    for parts in product(_KERNELS, *more))


_forward = Kernel("depthwise.cu", "depthwise", OPTIONS, instances=_instances())
_by_input = Kernel("depthwise.cu", "depthwise_input", OPTIONS, instances=_instances(_STRIDES))
_by_weight = Kernel("depthwise.cu", "depthwise_weight", OPTIONS, instances=_instances())

# As in kernels/depthwise.cu.
_PLANE = np.dtype([(f"{name}_{along}", "i4") for name in ("size", "out", "stride", "padding", "dilation")
                   for along in ("y", "x")])


@functools.lru_cache(1024)
def _plane(dimensions) -> Any:
    (h, _, sy, py, dy, oh), (w, _, sx, px, dx, ow) = dimensions
    return np.array((h, w, oh, ow, sy, sx, py, px, dy, dx), _PLANE)[()]


def serves(dimensions, weight, groups) -> bool:
    """Whether a convolution over two dimensions is one of these."""
    kernel = weight.shape[2:]
    return (groups > 1 and weight.shape[1] == 1 and len(kernel) == 2 and kernel[0] == kernel[1] in _KERNELS
            and weight.dtype != FLOAT64_NP)


def _grid(planes, area):
    threads = min(THREADS, 32 * blocks_of(area, 32))
    return (planes, blocks_of(area, threads * _PER_THREAD)), threads


def forward(cuda, out, x, weight, bias, dimensions, after):
    features, multiplier = len(weight), len(weight) // x.shape[1]
    (*_, height), (*_, width) = dimensions
    launch = _forward.on(cuda, out.dtype, accumulator(out.dtype), weight.shape[-1])
    launch(*_grid(len(x) * features, height * width), out, x, weight, bias, features, multiplier, _plane(dimensions),
           after)


def by_input(cuda, out, g, weight, dimensions) -> bool:
    (height, _, stride, *_), (width, _, other, *_) = dimensions
    channels = out.shape[1]
    if stride != other or stride not in _STRIDES or len(weight) != channels:
        return False
    launch = _by_input.on(cuda, out.dtype, accumulator(out.dtype), weight.shape[-1], stride)
    launch(*_grid(len(out) * channels, height * width), out, g, weight, channels, _plane(dimensions))
    return True


def by_weight(cuda, out, g, x, dimensions):
    """The images are split by the shapes alone, so that results do not depend on the device."""
    images, features, area = len(x), len(out), g.shape[2] * g.shape[3]
    ranges = max(1, min(images, _BLOCKS // features, images * area // _SHARE))
    each = blocks_of(images, ranges)
    ranges = blocks_of(images, each)
    dtype, wide = out.dtype, accumulator(out.dtype)
    direct = ranges == 1 and dtype == wide
    partial = out if direct else cuda.empty((ranges, out.size), wide)
    launch = _by_weight.on(cuda, dtype, wide, out.shape[-1])
    launch((features, ranges), THREADS, partial, g, x, features, features // x.shape[1], images, each,
           _plane(dimensions))
    if not direct:
        add_ranges(cuda, out, partial)
