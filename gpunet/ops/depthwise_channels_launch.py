"""The launches of kernels/depthwise_channels.cu: convolutions in channels last whose channels have filters of their
own, on the devices cuda and sim. Images are [N, H, W, C] here, weights [features, kH, kW, 1], C-contiguous."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import Any

import numpy as np

from gpunet.dtypes import FLOAT64_NP
from gpunet.kernel import Kernel
from gpunet.ops.conv_phases import dimensions_of
from gpunet.ops.epilogue import OPTIONS, after_of
from gpunet.ops.launching import DIVISOR, blocks_of, by_type_and_pack, divisor, pack_of, tiles_of
from gpunet.ops.linear import add_ranges
from gpunet.ops.rules import accumulator
from gpunet.ops.windows import Windows

_THREADS = 128
_KERNELS = 3, 5, 7, 0  # square filters, and any others
_RESULTS = 8, 4  # of a thread in a row where windows slide: of packs of up to 4, and of 8
_BLOCKS = 512  # that should share the sums by the weight
_ROWS = 4  # of results, that each thread should have, at least
_PER_SM = 16  # blocks of a multiprocessor, each of which reads its filters once


def _instances(slides: bool):
    """<type, type of its sums, elements in an access, filters' size, and whether windows slide>."""
    def instances() -> Iterable[tuple]:
        for kind in by_type_and_pack():
            for size in _KERNELS if kind[0] != FLOAT64_NP or kind[2] == 1 else ():
                for more in ((False,), (True,)) if slides and size else ((False,),):
                    yield *kind, size, *more[:slides]

    return instances


_forward = Kernel("depthwise_channels.cu", "depthwise_channels", OPTIONS, instances=_instances(True))
_by_input = Kernel("depthwise_channels.cu", "depthwise_channels_input", OPTIONS, instances=_instances(False))
_by_weight = Kernel("depthwise_channels.cu", "depthwise_channels_weight", OPTIONS, instances=_instances(True))

# As in kernels/depthwise_channels.cu.
_ROWS_OF = np.dtype([*((f"{name}_{along}", "i4") for name in ("size", "out", "kernel", "stride", "low", "dilation")
                       for along in ("y", "x")),
                     *((name, "i4") for name in ("channels", "features", "multiplier", "lanes", "shift")),
                     *((f"by_{name}", DIVISOR) for name in ("strip", "row", "stride_y", "stride_x"))])


def serves(channels: int, groups: int) -> bool:
    """Whether a convolution, and its gradients, are done by these."""
    return channels == groups > 1


@functools.lru_cache(4096)
def _rows_of(y: tuple, x: tuple, channels: int, features: int, lanes: int, strips: int, rows: int) -> Any:
    """y and x: (size, kernel, stride, low, dilation, windows). strips and rows: of a row of results, of an image."""
    (h, ky, sy, ly, dy, oh), (w, kx, sx, lx, dx, ow) = y, x
    divisors = [divisor(each).item() for each in (strips, rows, sy, sx)]
    return np.array((h, w, oh, ow, ky, kx, sy, sx, ly, lx, dy, dx, channels, features, features // channels
                     if features > channels else 1, lanes, lanes.bit_length() - 1, *divisors), _ROWS_OF)[()]


def _pack(dtype, channels: int, features: int, *arrays) -> int:
    """Elements in an access."""
    pack = pack_of(dtype, *arrays) if dtype != FLOAT64_NP else 1
    return pack if channels == features and not features % pack else 1


def _kernel(y: tuple, x: tuple) -> int:
    return y[1] if y[1] == x[1] in _KERNELS else 0


def _slides(x: tuple, kernel: int) -> bool:
    return bool(kernel) and x[2] == x[4] == 1


def forward(cuda, out, x, w, bias, at: Windows, after, onto=None) -> None:
    """onto: what the result is added to, which `after` has, too."""
    _gather(cuda, out, x, w, bias, dimensions_of(at), False, after, onto)


def _gather(cuda, out, source, w, bias, dimensions, turned: bool, after, onto=None) -> None:
    (y, x), dtype = dimensions, out.dtype
    images, rows, width, features = out.shape
    pack, kernel = _pack(dtype, source.shape[-1], features, out, source, onto), _kernel(y, x)
    lanes, tiles = tiles_of(features, pack)
    slides = _slides(x, kernel)
    strips = blocks_of(width, _RESULTS[pack == 8] if slides else 2)
    count = images * rows * strips
    grid = tiles, max(1, min(blocks_of(count * lanes, _THREADS), cuda.sm_count * _PER_SM // tiles))
    launch = _forward.on(cuda, dtype, accumulator(dtype), pack, kernel, slides)
    launch(grid, _THREADS, out, source, w, bias, count, turned,
           _rows_of(y, x, source.shape[-1], features, lanes, strips, rows), after)


def by_input(cuda, out, g, w, at: Windows) -> None:
    y, x = dimensions_of(at)
    channels, features, dtype = out.shape[-1], g.shape[-1], out.dtype
    if channels == features and max(at.stride) == 1:
        turned = [(windows, kernel, 1, dilation * (kernel - 1) - low, dilation, size)
                  for size, kernel, _, low, dilation, windows in (y, x)]
        _gather(cuda, out, g, w, None, turned, True, after_of(dtype))
        return
    images, rows, width, _ = out.shape
    pack, kernel = _pack(dtype, channels, features, out, g), _kernel(y, x) if channels == features else 0
    lanes, tiles = tiles_of(channels, pack)
    count = images * rows * width
    grid = tiles, max(1, min(blocks_of(count * lanes, _THREADS), cuda.sm_count * _PER_SM // tiles))
    launch = _by_input.on(cuda, dtype, accumulator(dtype), pack, kernel)
    launch(grid, _THREADS, out, g, w, count, _rows_of(y, x, channels, features, lanes, width, rows))


def by_weight(cuda, out, g, source, at: Windows) -> None:
    """The rows of results are split by the shapes alone, so that results do not depend on the device."""
    (y, x), dtype, wide = dimensions_of(at), out.dtype, accumulator(out.dtype)
    images, height, _, features = g.shape
    pack, kernel = _pack(dtype, source.shape[-1], features, g, source), _kernel(y, x)
    lanes = min(tiles_of(features, pack)[0], 16)  # times seven rows of taps are a block
    tiles = blocks_of(features, lanes * pack)
    taps, ways = 1 if kernel else at.area, _THREADS // (lanes * max(kernel, 1))
    rows = images * height
    ranges = max(1, min(_BLOCKS // (tiles * taps), rows // (ways * _ROWS)))
    each = blocks_of(rows, ranges)
    ranges = blocks_of(rows, each)
    direct = ranges == 1 and dtype == wide
    partial = out if direct else cuda.empty((ranges, out.size), wide)
    launch = _by_weight.on(cuda, dtype, wide, pack, kernel, _slides(x, kernel))
    launch((tiles, ranges, taps), lanes * max(kernel, 1) * ways, partial, g, source, rows, each,
           _rows_of(y, x, source.shape[-1], features, lanes, 1, height))
    if not direct:
        add_ranges(cuda, out, partial)
