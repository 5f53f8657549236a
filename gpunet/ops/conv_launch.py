"""The launches of convolution and its gradients on the devices cuda and sim.

Which kernel: images in channels last have kernels of their own or are products (conv_channels_launch.py says which). Of
planes, those of 1 x 1 are matrix products where conv_product.py says so; filters of one channel each have depthwise.cu
(depthwise_launch.py says which); types with tensor cores conv_tensor.cu (conv_tensor_launch.py says when); all others
conv.cu, which this file launches.
"""

from __future__ import annotations

from itertools import product

from gpunet.dtypes import FLOAT32_NP
from gpunet.kernel import Kernel
from gpunet.ops import conv_channels_launch, conv_product, conv_tensor_launch, depthwise_launch
from gpunet.ops.channels_last import as_rows, lie_last, rows
from gpunet.ops.conv_phases import Along, dimensions_of, forwards, phases
from gpunet.ops.conv_tensor_launch import Gather, WeightGather
from gpunet.ops.epilogue import NONE, OPTIONS, after_of, served
from gpunet.ops.launching import KERNEL_TYPES, THREADS, blocks_of, by_type
from gpunet.ops.linear import add_ranges
from gpunet.ops.rules import accumulator

# Tiles of results, rows times columns, of which the first that fills the GPU is taken; and those by the weight.
_TILES = ((64, 128), (32, 128), (64, 64), (32, 32))
_WEIGHT_TILES = ((64, 64), (32, 64))
_PLAIN = (64, 64)  # for the other types
_BLOCKS = 256  # that should share the sums by the weight
_SHARE = 256  # positions that each of them should have, at least


def _instances(tiles):
    return lambda: ((*kind, *tile) for kind in by_type() for tile in (tiles if kind[0] == FLOAT32_NP else (_PLAIN,)))


_gather = Kernel("conv.cu", "conv_gather", OPTIONS, instances=_instances(_TILES))
_weight = Kernel("conv.cu", "conv_weight", OPTIONS, instances=_instances(_WEIGHT_TILES))


def _fits(*arrays) -> bool:
    return arrays[0].dtype in KERNEL_TYPES and all([0 < a.size < 2**31 for a in arrays])


def _launch_gather(cuda, out, source, weight, bias, y: Along, x: Along, rows, planes, groups, weight_group,
                   weight_row, weight_plane, kernel_width, after=None):
    """One launch: forward, or by the input for one phase."""
    images, (height, width), (out_height, out_width) = len(out), _sizes(source), _sizes(out)
    positions = images * y.positions * x.positions
    if not y.taps or not x.taps:  # no tap meets these positions
        planes, y, x = 0, y._replace(taps=1), x._replace(taps=1)
    after = after_of(out.dtype) if after is None else after
    at = Gather(rows, positions, planes, weight_group, weight_row, weight_plane, y.weight * kernel_width + x.weight,
                y.next_weight * kernel_width, x.next_weight, planes * groups * height * width if planes else 0, height,
                width, rows * groups * out_height * out_width, out_height * out_width, y.out * out_width + x.out,
                y.next_out * out_width, x.next_out, y.positions, x.positions, y.taps, x.taps, y.start, x.start,
                y.step, x.step, y.next, x.next)
    if conv_tensor_launch.serves(cuda, source, max(y.taps, x.taps)):
        conv_tensor_launch.gather(cuda, out, source, weight, bias, groups, at, after)
        return
    tile = _PLAIN
    if out.dtype == FLOAT32_NP:
        fitting = [t for t in _TILES if t[0] < 2 * rows] or _TILES[-1:]
        tile = next((t for t in fitting if _blocks(t, rows, positions) * groups >= cuda.sm_count), fitting[-1])
    launch = _gather.on(cuda, out.dtype, accumulator(out.dtype), *tile)
    launch(_blocks(tile, rows, positions) * groups, THREADS, out, source, weight, bias, *at, after)


def _sizes(images):
    return images.shape[2:] if images.ndim == 4 else (1, images.shape[2])


def _blocks(tile, rows, columns) -> int:
    return blocks_of(rows, tile[0]) * blocks_of(columns, tile[1])


def is_product(cuda, out, x, w, bias, at, groups) -> bool:
    """Whether a convolution, without a batch norm, is done as a product of matrices."""
    return bias is None and _fits(out, x, w) and conv_product.serves(cuda, x, w, at, groups)


def forward(cuda, out, x, w, bias, *after, at, groups, eps: float = 0.0, activation: int = NONE):
    after = after or (None,) * 5
    if lie_last(out, x, w):
        onto = None if after[4] is None else rows(cuda, after[4])
        conv_channels_launch.forward(cuda, as_rows(out), rows(cuda, x), rows(cuda, w), bias, onto, at, groups, eps,
                                     activation, None if after[0] is None else after[:4])
        return None
    if after[0] is None and served(out.dtype, activation) and is_product(cuda, out, x, w, bias, at, groups):
        return conv_product.forward(cuda, out, x, w, after[4], activation)
    dimensions = dimensions_of(at)
    if len(at.size) > 2 or not _fits(out, x, w) or not served(out.dtype, activation):
        return NotImplemented
    after = after_of(out.dtype, after, eps, activation)
    if depthwise_launch.serves(dimensions, w, groups):
        depthwise_launch.forward(cuda, out, x, w, bias, dimensions, after)
        return None
    features, planes = w.shape[0] // groups, w.shape[1]
    along_y, along_x = [forwards(*each) for each in dimensions]
    _launch_gather(cuda, out, x, w, bias, along_y, along_x, features, planes, groups,
                   features * planes * at.area, planes * at.area, at.area, at.kernel[-1], after)
    return None


def by_input(cuda, out, g, w, *, at, groups):
    if lie_last(out, g, w):
        conv_channels_launch.by_input(cuda, as_rows(out), rows(cuda, g), rows(cuda, w), at, groups)
        return None
    if _fits(out, g, w) and conv_product.serves(cuda, g, w, at, groups):
        return conv_product.by_input(cuda, out, g, w)
    dimensions = dimensions_of(at)
    if len(at.size) > 2 or not _fits(out, g, w):
        return NotImplemented
    if depthwise_launch.serves(dimensions, w, groups) and depthwise_launch.by_input(cuda, out, g, w, dimensions):
        return None
    channels, planes = w.shape[1], w.shape[0] // groups
    group, row, plane = channels * planes * at.area, at.area, channels * at.area  # steps in the weight
    if conv_tensor_launch.turns(cuda, out, g, w, at, planes):
        w, row, plane = conv_tensor_launch.turned(cuda, w, groups), planes * at.area, at.area
    for y, x in product(*[phases(*each) for each in dimensions]):
        _launch_gather(cuda, out, g, w, None, y, x, channels, planes, groups, group, row, plane, at.kernel[-1])
    return None


def by_weight(cuda, out, g, x, *, at, groups):
    """The positions are split by the shapes alone, so that results do not depend on the device."""
    if lie_last(out, g, x):
        conv_channels_launch.by_weight(cuda, as_rows(out), rows(cuda, g), rows(cuda, x), at, groups)
        return None
    dimensions = dimensions_of(at)
    if len(at.size) > 2 or not _fits(out, g, x):
        return NotImplemented
    if depthwise_launch.serves(dimensions, out, groups):
        depthwise_launch.by_weight(cuda, out, g, x, dimensions)
        return None
    along_y, along_x = [forwards(*each) for each in dimensions]
    features, columns, positions = out.shape[0] // groups, out.shape[1] * at.area, len(x) * at.count
    dtype, wide = out.dtype, accumulator(out.dtype)
    height, width = _sizes(x)
    numbers = WeightGather(
        features, columns, positions, positions, groups, x.shape[1] * height * width, out.shape[1] * height * width,
        height, width, along_y.positions, along_x.positions, along_y.taps, along_x.taps, along_y.start, along_x.start,
        along_y.step, along_x.step, along_y.next, along_x.next)
    if conv_tensor_launch.serves(cuda, x, max(along_y.taps, along_x.taps)):
        conv_tensor_launch.by_weight(cuda, out, g, x, numbers)
        return None
    tile = _PLAIN
    if dtype == FLOAT32_NP:
        tile = next((t for t in _WEIGHT_TILES if t[0] < 2 * features), _WEIGHT_TILES[-1])
    blocks = _blocks(tile, features, columns) * groups
    splits = max(1, min(blocks_of(_BLOCKS, blocks), positions // _SHARE))
    each = 16 * blocks_of(positions, 16 * splits)
    splits = blocks_of(positions, each)
    direct = splits == 1 and dtype == wide
    partial = out if direct else cuda.empty((splits, out.size), wide)
    _weight.on(cuda, dtype, wide, *tile)(blocks * splits, THREADS, partial, g, x, *numbers._replace(per_split=each))
    if not direct:
        add_ranges(cuda, out, partial)
    return None
