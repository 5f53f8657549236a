"""The launches of kernels/conv_tensor.cu: convolutions on the tensor cores of the devices cuda and sim.

`serves` says which. Products take the tensor cores an eighth (TF32) or a sixteenth of the time that FFMA needs, and an
element of the image costs some six instructions here and nine in conv.cu, so that these kernels are faster wherever the
type has tensor cores: with 1 channel, too, or with 3 features, when most of a tile is empty in either. Two kinds are
left to others: filters of one channel each (depthwise.cu), which memory bounds; and kernels of more than 15 taps in a
dimension, which a word of bits does not hold, or images of 4 GB.

Whether the weight is turned first, by the input: there (feature, tap) of a channel lie apart, so that elements are
copied one by one. A slice of the large tile then takes some 1,400 cycles of a multiprocessor's L1 and shared memory; of
a weight that is turned, whose rows come by 16 bytes, 770. On 132 multiprocessors 2^30 products so save the 10,000
cycles that the copy and its launch take. With strides, phases use some of the taps each: no one copy serves them.

Which tile: the large one where there is one for every multiprocessor, as for matmul_tensor. By the weight the tile, and
how many blocks share the positions, follow from the shapes alone, so that results do not depend on the device: some 256
blocks should work, each on at least 512 positions, which take some 3,000 cycles where writing and reading its 16 KB of
sums takes 800; and the large tile is for those that even so are enough for half of them.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import numpy as np

from gpunet.dtypes import BFLOAT16_NP, FLOAT16_NP, FLOAT32_NP
from gpunet.kernel import Kernel
from gpunet.ops.epilogue import OPTIONS
from gpunet.ops.launching import DIVISOR, aligned, blocks_of, divisor
from gpunet.ops.linear import add_ranges
from gpunet.ops.matmul_launch import has_tensor_cores
from gpunet.ops.pointwise import clone

# Tile height and width, warps along them, and blocks that share a multiprocessor.
LARGE, SMALL = (128, 128, 4, 2, 2), (64, 64, 2, 2, 4)
_MOST_TAPS = 15
_BLOCKS, _ENOUGH = 256, 128  # that should share the sums by the weight, and that are enough of the large tile
_SHARE = 512  # positions that each of them should have, at least
_SLICE = 32  # of half types; two of TF32
_WORTH_TURNING = 2**30  # products


def _instances():
    for dtype in (FLOAT16_NP, BFLOAT16_NP, FLOAT32_NP):
        for whole in (True, False):
            for tile in (LARGE, SMALL):
                yield dtype, whole, *tile


_gather = Kernel("conv_tensor.cu", "conv_tensor", OPTIONS, instances=_instances)
_weight = Kernel("conv_tensor.cu", "conv_tensor_weight", OPTIONS, instances=_instances)


class Gather(NamedTuple):
    """As in kernels/conv_tensor.cu but for what follows from these; the order of `conv_gather`'s parameters."""

    rows: int
    positions: int
    planes: int
    weight_group: int
    weight_row: int
    weight_plane: int
    weight_first: int
    weight_y: int
    weight_x: int
    source_image: int
    height: int
    width: int
    out_image: int
    out_plane: int
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

    @property
    def depth(self) -> int:
        return self.planes * self.taps_y * self.taps_x


class WeightGather(NamedTuple):
    """As in kernels/conv_tensor.cu but for what follows from these; the order of `conv_weight`'s parameters."""

    rows: int
    columns: int
    positions: int
    per_split: int
    groups: int
    source_image: int
    source_group: int
    height: int
    width: int
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


_PARTS = [(name, DIVISOR) for name in ("by_plane", "by_row", "by_taps", "by_tap_row")]
_GATHER = np.dtype([*((name, "i4") for name in (*Gather._fields, "source_plane", "depth", "lowest")), *_PARTS])
_WEIGHT_GATHER = np.dtype([*((name, DIVISOR if name.startswith("next") else "i4")
                             for name in (*WeightGather._fields, "g_image")), *_PARTS])


def _parts(at: Gather | WeightGather) -> list:
    sizes = at.count_y * at.count_x, at.count_x, at.taps_y * at.taps_x, at.taps_x
    return [divisor(each).item() for each in sizes]


@functools.lru_cache(4096)
def _gather_record(at: Gather) -> Any:
    lowest = min(0, (at.taps_y - 1) * at.next_y) * at.width + min(0, (at.taps_x - 1) * at.next_x)
    return np.array((*at, at.height * at.width, at.depth, lowest, *_parts(at)), _GATHER)[()]


@functools.lru_cache(4096)
def _weight_record(at: WeightGather) -> Any:
    *others, next_y, next_x = at
    g_image = at.groups * at.rows * at.count_y * at.count_x
    return np.array((*others, divisor(next_y).item(), divisor(next_x).item(), g_image, *_parts(at)),
                    _WEIGHT_GATHER)[()]


def serves(cuda, source, taps: int) -> bool:
    """Whether a convolution of these images with at most so many taps in a dimension is one of these."""
    return has_tensor_cores(cuda, source.dtype) and taps <= _MOST_TAPS and source.nbytes // len(source) < 2**32


def turns(cuda, out, g, weight, at, planes: int) -> bool:
    """Whether the gradient by the input takes a turned weight."""
    depth = planes * at.area
    return (max(at.stride) == 1 < min(planes, weight.shape[1]) and out.size * depth >= _WORTH_TURNING
            and depth % (16 // out.dtype.itemsize) == 0 and serves(cuda, g, max(at.kernel)))


def turned(cuda, weight, groups: int):
    """The weight as [groups, channels, features, taps]."""
    features, channels = weight.shape[0] // groups, weight.shape[1]
    result = cuda.empty((groups, channels, features, weight.size // (groups * channels * features)), weight.dtype)
    clone(cuda, result, weight.reshape(groups, features, channels, -1).swapaxes(1, 2))
    return result


def _blocks(tile, rows: int, columns: int) -> int:
    return blocks_of(rows, tile[0]) * blocks_of(columns, tile[1])


def gather(cuda, out, source, weight, bias, groups: int, at: Gather, after) -> None:
    """Forward, or by the input for one phase."""
    whole = (at.weight_row == at.depth and (at.weight_first, at.weight_y, at.weight_x) == (0, at.taps_x, 1)
             and at.depth % (16 // out.dtype.itemsize) == 0 and aligned(weight))
    large = at.rows > SMALL[0] and _blocks(LARGE, at.rows, at.positions) * groups >= cuda.sm_count
    tile = _tile(cuda, large)
    launch = _gather.on(cuda, out.dtype, whole, *tile)
    launch(_blocks(tile, at.rows, at.positions) * groups, 32 * tile[2] * tile[3], out, source, weight, bias,
           _gather_record(at), after)


def by_weight(cuda, out, g, source, at: WeightGather) -> None:
    """`at` without the split, which is chosen here."""
    splits = _splits(LARGE, at)
    large = min(at.rows, at.columns) > SMALL[0] and _blocks(LARGE, at.rows, at.columns) * at.groups * splits >= _ENOUGH
    if not large:
        splits = _splits(SMALL, at)
    tile = _tile(cuda, large)
    each = _SLICE * blocks_of(at.positions, _SLICE * splits)
    splits = blocks_of(at.positions, each)
    partial = cuda.empty((splits, out.size), FLOAT32_NP) if splits > 1 else None
    whole = at.count_y * at.count_x % (16 // out.dtype.itemsize) == 0 and aligned(g)
    launch = _weight.on(cuda, out.dtype, whole, *tile)
    launch(_blocks(tile, at.rows, at.columns) * at.groups * splits, 32 * tile[2] * tile[3], out, partial, g, source,
           _weight_record(at._replace(per_split=each)))
    if partial is not None:
        add_ranges(cuda, out, partial)


def _tile(cuda, large: bool):
    """Before compute capability 8.0 shared memory holds one large tile, and its registers would spill."""
    return LARGE if large and cuda.capability >= 80 else SMALL


def _splits(tile, at: WeightGather) -> int:
    return max(1, min(blocks_of(_BLOCKS, _blocks(tile, at.rows, at.columns) * at.groups), at.positions // _SHARE))
