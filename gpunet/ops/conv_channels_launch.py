"""Convolutions of images whose channels lie last, on the devices cuda and sim: the launches of
kernels/conv_channels.cu and conv_channels_any.cu, and products.

Images are [N, H, W, C] here, weights [features, kH, kW, C / groups], C-contiguous. `serves` says which convolutions are
taken; the others, those of more than 15 taps in a dimension, are copied to planes.

- Filters of one channel each, of any size, have depthwise_channels.cu (depthwise_channels_launch.py).
- Those of 1 x 1 with steps of 1, and both their gradients, are products of rows [N * H * W, C] (matmul_launch.py), of
  any type and size: operands and result lie as a product's do, with its whole epilogue, and no tile is cut short by an
  image's end. Not so with a batch norm, which a product has not.
- Others take tensor cores where the type has them (conv_channels.cu). Those of one group may have any number of
  channels and features: what is not whole chunks of 16 bytes is copied to places of whole chunks, with zeros. Of a
  first layer of 3 channels in bfloat16 that reads 6 bytes a place and writes and reads 16; its result of 64 features is
  128 bytes a place, of a fourth of the places with a stride of 2. Its products are then 8 / 3 as many, of a sixteenth
  of the time.
- What is left are multiply-adds (conv_channels_any.cu): float32 in its own precision, double, and groups whose channels
  or features are not whole chunks, which are copied by single numbers.

Which tile: the one with which the last multiprocessor is expected to be done first, by the cycles that an A100 takes
for a slice of it, 32 deep in half types and 16 in TF32. The large tile, 128 x 128, is 512 cycles of its tensor cores
and 384 of shared memory, of which each of 4 warps reads 8 KB and copies write 16 KB, at 128 bytes a cycle. 128 x 64, by
two warps, is 256 and 224, and 270 are counted, since it reads half as much again from the L2; of these a multiprocessor
has two at least, or tensor cores are idle. 64 x 64, by four warps, is 128 and 192; it is for few results. Multiply-adds
have 128 x 64 (by the weight 64 x 128), 1,024 cycles of products and as many of reads of shared memory, and 64 x 32 (32
x 64), 256 and 384.

By the weight, where k is the positions, blocks share these. The tile, and into how many parts, follow from the shapes
alone, as if there were 132 multiprocessors, so that results do not depend on the device: again what is expected to be
done first. A part has at least 512 positions; its sums are float32, some 30 bytes a cycle of a multiprocessor, and
another launch, some 5,000 cycles, reads them and adds them up.
"""

from __future__ import annotations

import functools
from itertools import product as pairs
from math import prod
from typing import Any, NamedTuple

import numpy as np

from gpunet.dtypes import BFLOAT16_NP, FLOAT16_NP, FLOAT32_NP, FLOAT64_NP
from gpunet.kernel import Kernel
from gpunet.ops import depthwise_channels_launch as depthwise
from gpunet.ops import join_launch
from gpunet.ops.conv_phases import Along, dimensions_of, forwards, phases
from gpunet.ops.epilogue import NONE, OPTIONS, after_of
from gpunet.ops.launching import DIVISOR, KERNEL_TYPES, aligned, blocks_of, by_type, divisor
from gpunet.ops.linear import add_ranges
from gpunet.ops.matmul_launch import Product, has_tensor_cores, operand, product
from gpunet.ops.pointwise import clone
from gpunet.ops.rules import accumulator
from gpunet.ops.windows import Windows

# Tile height and width, warps along them, and blocks that share a multiprocessor; and the cycles of a slice.
LARGE, TALL, WIDE, SMALL = (128, 128, 2, 2, 2), (128, 64, 2, 1, 4), (64, 128, 1, 2, 4), (64, 64, 2, 2, 4)
_TILES, _WEIGHT_TILES = (LARGE, TALL, SMALL), (LARGE, WIDE, TALL, SMALL)
# Of multiply-adds: large and small, forward and by the weight.
_ANY, _ANY_WEIGHT = ((128, 64, 4, 1, 3), (64, 32, 2, 1, 4)), ((64, 128, 2, 2, 3), (32, 64, 1, 2, 4))
_CYCLES = {LARGE: 512, TALL: 270, WIDE: 270, SMALL: 192,
           **dict(zip(_ANY + _ANY_WEIGHT, (1150, 400, 1150, 400), strict=True))}
_MOST_TAPS = 15
_SM_COUNT, _MOST_BLOCKS = 132, 528  # for which sums by the weight are shared, four for each at most
_SHARE = 512  # positions that a part has, at least
_BYTES, _JOIN = 30, 5000  # a cycle of a multiprocessor; cycles of another launch
_SLICE = 32  # of half types; two of TF32
_MOST = 2**31

_TYPES = (FLOAT16_NP, BFLOAT16_NP, FLOAT32_NP)
_gather = Kernel("conv_channels.cu", "conv_channels", OPTIONS, instances=lambda: (
    (dtype, turned, *tile) for dtype in _TYPES for turned in (False, True) for tile in _TILES))
_weight = Kernel("conv_channels.cu", "conv_channels_weight", OPTIONS, instances=lambda: (
    (dtype, *tile) for dtype in _TYPES for tile in _WEIGHT_TILES))


def _any_instances(tiles, turned):
    """<type, type of its sums, whole chunks, whether the weight is read turned, tile>: double has small tiles alone."""
    return lambda: ((*kind, whole, *more, *tile) for kind in by_type() for whole in (True, False) for more in turned
                    for tile in _any_tiles(kind[0], tiles) if not whole or kind[0] == FLOAT32_NP)


def _any_tiles(dtype, tiles):
    return tiles[-1:] if dtype == FLOAT64_NP else tiles


_any = Kernel("conv_channels_any.cu", "conv_channels_any", OPTIONS, instances=_any_instances(_ANY, ((False,), (True,))))
_any_weight = Kernel("conv_channels_any.cu", "conv_channels_any_weight", OPTIONS,
                     instances=_any_instances(_ANY_WEIGHT, ((),)))


class Channels(NamedTuple):
    """As in kernels/conv_channels.cu but for what follows from these."""

    positions: int
    features: int
    channels: int
    depth: int
    source_group: int
    source_pitch: int
    height: int
    width: int
    weight_group: int
    weight_feature: int
    weight_channel: int
    weight_first: int
    weight_y: int
    weight_x: int
    out_image: int
    out_first: int
    out_y: int
    out_x: int
    count_y: int
    count_x: int
    taps_y: int
    taps_x: int
    start_y: int
    start_x: int
    step_y: int
    step_x: int
    next_y: int
    next_x: int


class WeightChannels(NamedTuple):
    """The same by the weight."""

    features: int
    columns: int
    groups: int
    positions: int
    per_split: int
    g_pitch: int
    source_group: int
    source_pitch: int
    height: int
    width: int
    start_y: int
    start_x: int
    step_y: int
    step_x: int


_NUMBERS = [(name, "i4") for name in Channels._fields]
_CHANNELS = np.dtype([*_NUMBERS, *((f"by_{name}", DIVISOR) for name in ("plane", "row", "strip", "tap_row", "width"))])
_WEIGHT_CHANNELS = np.dtype([*((name, "i4") for name in WeightChannels._fields), *(
    (name, DIVISOR) for name in ("next_y", "next_x", "by_plane", "by_row", "by_tap_row", "by_channels"))])


def _divisors(*numbers: int) -> list:
    return [divisor(each).item() for each in numbers]


def _record(at: Channels, each: int) -> Any:
    """each: elements of a chunk."""
    channels, depth = at.channels, 4 * each
    strip = depth if channels % depth == 0 else channels
    return np.array((*at, *_divisors(at.count_y * at.count_x, at.count_x, at.taps_y * at.taps_x * strip,
                                     at.taps_x * strip, strip)), _CHANNELS)[()]


def _weight_record(at: WeightChannels, y: Along, x: Along, channels: int) -> Any:
    return np.array((*at, *_divisors(y.next, x.next, y.positions * x.positions, x.positions, x.taps * channels,
                                     channels)), _WEIGHT_CHANNELS)[()]


def _chunk(dtype) -> int:
    return 16 // dtype.itemsize


def _padded(count: int, dtype) -> int:
    """So many channels, in whole chunks."""
    return _chunk(dtype) * blocks_of(count, _chunk(dtype))


def serves(dtype, images: int, features: int, channels: int, at: Windows, groups: int) -> bool:
    """Whether a convolution of so many channels to so many features, and its gradients, are done with channels last."""
    sizes = (images * prod(at.size) * _padded(channels, dtype), images * at.count * _padded(features, dtype),
             _padded(features, dtype) * at.area * _padded(channels // groups, dtype))
    return (len(at.size) == 2 and dtype in KERNEL_TYPES and min(images, features, channels) > 0
            and max(sizes) < _MOST and (max(at.kernel) <= _MOST_TAPS or depthwise.serves(channels, groups)))


def on_tensor_cores(cuda, dtype, features: int, channels: int, at: Windows, groups: int) -> bool:
    """Whether a convolution that is no product, and its gradients, take tensor cores. features and channels: of a
    group."""
    return has_tensor_cores(cuda, dtype) and (groups == 1 or not (channels % _chunk(dtype) or features % _chunk(dtype)))


def is_product(cuda, dtype, at: Windows, groups: int) -> bool:
    """Whether a convolution, without a batch norm, is done as a product of matrices."""
    return (groups == 1 and at.area == 1 and at.out == at.size and not at.is_padded and max(at.stride) == 1
            and not (dtype == FLOAT32_NP and cuda.tf32x3))


def forward(cuda, out, x, w, bias, onto, at: Windows, groups: int, eps: float, activation: int, norm=None) -> None:
    """norm: mean, variance, scale and shift of a batch norm. What the result is added to lies like the result."""
    if norm is None and is_product(cuda, out.dtype, at, groups):
        _product(cuda, out, _matrix(x), False, _matrix(w), True, bias, onto, activation)
        return
    after = after_of(out.dtype, (*(norm or (None,) * 4), onto), eps, activation)
    if depthwise.serves(x.shape[-1], groups):
        depthwise.forward(cuda, out, x, w, bias, at, after, onto)
        return
    if on_tensor_cores(cuda, out.dtype, len(w) // groups, w.shape[-1], at, groups):
        x, w = _whole(cuda, x), _whole(cuda, w)
    _launch(cuda, out, x, w, bias, at, groups, False, after)


def by_input(cuda, out, g, w, at: Windows, groups: int) -> None:
    if is_product(cuda, out.dtype, at, groups):
        _product(cuda, out, _matrix(g), False, _matrix(w), False)
        return
    if depthwise.serves(out.shape[-1], groups):
        depthwise.by_input(cuda, out, g, w, at)
        return
    if on_tensor_cores(cuda, out.dtype, len(w) // groups, w.shape[-1], at, groups):
        g, w = _whole(cuda, g), _whole(cuda, w)
        missing = g.shape[-1] - len(w)  # features that are zeros
        if missing:
            w = _filled(cuda, w, (len(w) + missing, *w.shape[1:]))
    _launch(cuda, out, g, w, None, at, groups, True, after_of(out.dtype))


def by_weight(cuda, out, g, x, at: Windows, groups: int) -> None:
    if is_product(cuda, out.dtype, at, groups):
        _product(cuda, out, _matrix(g), True, _matrix(x), False)
        return
    if depthwise.serves(x.shape[-1], groups):
        depthwise.by_weight(cuda, out, g, x, at)
        return
    if not on_tensor_cores(cuda, out.dtype, len(out) // groups, out.shape[-1], at, groups):
        _launch_weight(cuda, out, g, x, at, groups)
        return
    g, x = _whole(cuda, g), _whole(cuda, x)
    channels = x.shape[-1] // groups
    if channels == out.shape[-1] and aligned(out):
        _launch_weight(cuda, out, g, x, at, groups)
        return
    found = cuda.empty((*out.shape[:-1], channels), out.dtype)
    _launch_weight(cuda, found, g, x, at, groups)
    if channels == out.shape[-1]:
        out[...] = found
    else:
        clone(cuda, out, found[..., : out.shape[-1]])


# ---- products --------------------------------------------------------------------------------------------------------


def _matrix(x):
    """All but the last dimension as rows."""
    return x.reshape(-1, x.shape[-1])


def _product(cuda, out, left, left_turned: bool, right, right_turned: bool, bias=None, onto=None,
             activation: int = NONE) -> None:
    a, b = operand(cuda, left, left_turned), operand(cuda, right, right_turned)
    m, n = out.size // out.shape[-1], out.shape[-1]
    product(cuda, Product(out, a, b, m, n, left.shape[0 if left_turned else 1], bias=bias, onto=onto,
                          activation=activation))


# ---- whole chunks ----------------------------------------------------------------------------------------------------


def _whole(cuda, x):
    """The array with its last dimension in whole chunks, of which those behind its elements are zeros."""
    last = _padded(x.shape[-1], x.dtype)
    if last == x.shape[-1] and aligned(x):
        return x
    each = x.dtype.itemsize
    result = cuda.empty((*x.shape[:-1], last), x.dtype)
    join_launch.joined(cuda, result, [(x, x.shape[-1] * each), (None, (last - x.shape[-1]) * each)])
    return result


def _filled(cuda, x, shape):
    """The array, and zeros behind it."""
    result = cuda.empty(shape, x.dtype)
    join_launch.joined(cuda, result, [(x, x.nbytes), (None, result.nbytes - x.nbytes)])
    return result


# ---- launches --------------------------------------------------------------------------------------------------------


def _tiles(cuda, tiles):
    """Before compute capability 8.0 shared memory holds one large tile."""
    return tiles if cuda.capability >= 80 else tiles[-1:]


def _launch(cuda, out, source, weight, bias, at: Windows, groups: int, by_input: bool, after) -> None:
    dtype, features, channels = out.dtype, out.shape[-1] // groups, source.shape[-1] // groups
    tensor = on_tensor_cores(cuda, dtype, features, channels, at, groups)
    tiles = _TILES if tensor else _any_tiles(dtype, _ANY)
    plan = _plan(at, len(source), source.shape[-1], out.shape[-1], weight.shape[-1], groups, by_input,
                 16 // accumulator(dtype).itemsize if not tensor else _chunk(dtype), _tiles(cuda, tiles),
                 cuda.sm_count)
    if None in plan:
        out.fill(0)
    whole = _are_whole(dtype, source, weight, channels, features if by_input else channels)
    for each in plan:
        if each is not None:
            tile, blocks, record = each
            launch = (_gather.on(cuda, dtype, by_input, *tile) if tensor else
                      _any.on(cuda, dtype, accumulator(dtype), whole, by_input, *tile))
            launch(blocks, 32 * tile[2] * tile[3], out, source, weight, bias, record, after)


def _are_whole(dtype, one, other, *counts: int) -> bool:
    """Whether multiply-adds of float32 take whole chunks: of arrays in which so many numbers each are in one piece."""
    return dtype == FLOAT32_NP and not any([count % 4 for count in counts]) and aligned(one, other)


@functools.lru_cache(4096)
def _plan(at: Windows, images: int, source_pitch: int, out_pitch: int, tap: int, groups: int, by_input: bool, each: int,
          tiles, sm_count: int) -> list:
    """Tile, blocks and what the kernel takes, for each launch; None for places that no tap meets, as three of four
    where every second one is taken. The pitches are steps between places, tap is that between taps of the weight, each
    the elements of a chunk."""
    height, width = at.out if by_input else at.size
    out_height, out_width = at.size if by_input else at.out
    features, channels = out_pitch // groups, source_pitch // groups
    row = at.area * tap
    steps = (channels * row, 1, row) if by_input else (features * row, row, 1)  # of groups, features and channels
    plan: list = []
    for y, x in pairs(*[phases(*each) if by_input else [forwards(*each)] for each in dimensions_of(at)]):
        if not y.taps or not x.taps:
            plan.append(None)
            continue
        numbers = Channels(
            images * y.positions * x.positions, features, channels, y.taps * x.taps * channels, channels, source_pitch,
            height, width, *steps, (y.weight * at.kernel[1] + x.weight) * tap, y.next_weight * at.kernel[1] * tap,
            x.next_weight * tap, out_height * out_width * out_pitch, (y.out * out_width + x.out) * out_pitch,
            y.next_out * out_width * out_pitch, x.next_out * out_pitch, y.positions, x.positions, y.taps, x.taps,
            y.start, x.start, y.step, x.step, y.next, x.next)
        tile = _tile(tiles, numbers.positions, features, groups, sm_count)
        plan.append((tile, _blocks(tile, numbers.positions, features) * groups, _record(numbers, each)))
    return plan


def _launch_weight(cuda, out, g, source, at: Windows, groups: int) -> None:
    dtype, wide = out.dtype, accumulator(out.dtype)
    features, channels = g.shape[-1] // groups, source.shape[-1] // groups
    tensor = on_tensor_cores(cuda, dtype, features, channels, at, groups)
    tiles = _WEIGHT_TILES if tensor else _any_tiles(dtype, _ANY_WEIGHT)
    tile, blocks, parts, record = _weight_plan(at, len(g), len(out), g.shape[-1], source.shape[-1], groups,
                                               _tiles(cuda, tiles))
    partial = cuda.empty((parts, out.size), wide) if parts > 1 else None
    launch = (_weight.on(cuda, dtype, *tile) if tensor else
              _any_weight.on(cuda, dtype, wide, _are_whole(dtype, g, source, features, channels), *tile))
    launch(blocks, 32 * tile[2] * tile[3], out, partial, g, source, record)
    if partial is not None:
        add_ranges(cuda, out, partial)


@functools.lru_cache(4096)
def _weight_plan(at: Windows, images: int, features: int, g_pitch: int, source_pitch: int, groups: int, tiles):
    """Tile, blocks, parts of the positions and what the kernel takes."""
    (height, width), (y, x) = at.size, [forwards(*each) for each in dimensions_of(at)]
    features, channels, positions = features // groups, source_pitch // groups, images * at.count
    columns = at.area * channels
    tile, parts = _split(tiles, features, columns, positions, groups)
    each = _SLICE * blocks_of(positions, _SLICE * parts)
    parts = blocks_of(positions, each)
    numbers = WeightChannels(features, columns, groups, positions, each, g_pitch, channels, source_pitch, height,
                             width, y.start, x.start, y.step, x.step)
    return tile, _blocks(tile, features, columns) * groups * parts, parts, _weight_record(numbers, y, x, channels)


def _blocks(tile, rows: int, columns: int) -> int:
    return blocks_of(rows, tile[0]) * blocks_of(columns, tile[1])


def _cycles(tile, blocks: int, sm_count: int) -> int:
    """Of a slice of each tile, on the multiprocessor that has most of them. It has four tensor cores, and the warps of
    a block use one each."""
    return max(blocks_of(blocks, sm_count), 4 // (tile[2] * tile[3])) * _CYCLES[tile]


def _tile(tiles, positions: int, features: int, groups: int, sm_count: int):
    return min(tiles, key=lambda tile: _cycles(tile, _blocks(tile, positions, features) * groups, sm_count))


def _split(tiles, features: int, columns: int, positions: int, groups: int):
    """The tile, and into how many parts the positions go."""
    def expected(tile, parts):
        blocks = _blocks(tile, features, columns) * groups * parts
        products = _cycles(tile, blocks, _SM_COUNT) * blocks_of(positions, _SLICE * parts)
        if parts == 1:
            return products
        written = blocks_of(blocks, _SM_COUNT) * 4 * tile[0] * tile[1] / _BYTES
        return products + written + _JOIN + 4 * features * columns * groups * parts / (_BYTES * _SM_COUNT)

    ways = []
    for tile in tiles:
        most = min(positions // _SHARE, _MOST_BLOCKS // (_blocks(tile, features, columns) * groups))
        ways += [(tile, parts) for parts in range(1, max(1, most) + 1)]
    return min(ways, key=lambda way: expected(*way))
