"""The launches of kernels/matmul.cu and kernels/matmul_tensor.cu: matrix products on the devices cuda and sim.

Which kernel, by type: half precision, bfloat16 and TF32 have tensor cores (bfloat16 and TF32 from compute capability
8.0 on; on 9.0 they have a kernel for Hopper, of which matmul_hopper.py says when it pays); float32 has a kernel of its
own; the rest takes the plain one. By 3xTF32 (set_float32_matmul_precision("tf32x3")) float32 takes the
tensor cores of those GPUs on which three products in TF32 take less than one in float32: an A100's do 512 in TF32 a
cycle and multiprocessor, 64 in float32; an H100's some 600 by mma.sync, 128; those of capability 8.6, 8.9 and 12.0 have
128 of either.

Which tile: the largest of which there is one for every multiprocessor. Reads of shared memory and of the L2 for each
product fall with a tile's width, so that a large tile wins as long as no multiprocessor goes without.

In float32 there is one more, of 128 x 256 with 8 x 16 results a thread, alone on its multiprocessor. Products are 0.88
to 0.92 of its loop, where two blocks of 128 x 128 have 0.83 to 0.88 (and rows that are no multiples of 16 bytes, which
these cannot take, 0.76); reads of shared memory for each product are three quarters. It does the work of two, so it
is taken where twice its rounds over all multiprocessors are at most 1.05 times the other's. No second block works
while its warps meet at a barrier, some 30 of 2,250 cycles, nor while it begins and ends, some 2,000 once: of the 256
cycles that it takes for each 1 of k, the twentieth that it gains is 6,500 at k = 512, from where on it is taken. Where
a multiprocessor does 64 products a cycle (capability 7.5 and 8.0), an instruction takes the unit for two issue slots
anyway, and there is nothing to gain.

Whether blocks share k: with tiles of 64 x 64 a GPU of 132 multiprocessors, two blocks each, wants some 256 blocks. An
output of 128 x 128 has 4. If k is split s ways, each block does 1 / s of the work, but stores its sums as float32 and
waits for a second launch. In float32 a tile's 256 of k take 64 * 64 * 256 / 128 = 8,192 cycles, on the tensor cores at
most 1,024; its sums 32 KB, some 1,600 cycles; a launch some 5,000. So the parts should be 256 deep in float32, 2,048 on
tensor cores, and at least four. The split follows from the shape and the type alone, not from the device, and each
result is added up in a fixed order. (matmul_hopper.py has its own reckoning.)

Whether both gradients of a product go into one launch: where neither fills the GPU with large tiles, so that one launch
is saved and more multiprocessors have work.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from gpunet.dtypes import BFLOAT16_NP, FLOAT16_NP, FLOAT32_NP, FLOAT64_NP
from gpunet.kernel import Kernel
from gpunet.ops.epilogue import NONE, OPTIONS
from gpunet.ops.launching import THREADS, aligned, blocks_of
from gpunet.ops.matmul_hopper import hopper
from gpunet.ops.matmul_parts import join, room_for, splits_of
from gpunet.ops.rules import accumulator

# Tile height and width, slice of k, warps along m, n and k, and blocks that share a multiprocessor.
WIDE_TILE = (128, 256, 8, 2, 4, 1, 1)
LARGE_TILE = (128, 128, 8, 2, 4, 1, 2)
MEDIUM_TILE = (64, 64, 16, 2, 2, 1, 4)
SMALL_TILE = (32, 32, 32, 1, 1, 8, 2)
FLOAT_TILES = LARGE_TILE, MEDIUM_TILE, SMALL_TILE

# On the tensor cores: tile height and width, warps along m and n, and blocks that share a multiprocessor.
TENSOR_LARGE = (128, 128, 2, 2, 2)
TENSOR_SMALL = (64, 64, 2, 2, 4)
TENSOR_TILES = TENSOR_LARGE, TENSOR_SMALL

_LEAST_DEPTH, _LEAST_TENSOR_DEPTH, _LEAST_TF32X3_DEPTH = 256, 2048, 512  # of k, for each of the blocks that share it
_LEAST_WIDE_DEPTH = 512  # of k, for the wide tile
_TF32X3 = 80, 90  # compute capabilities where 3xTF32 pays


def _layouts() -> Iterator[tuple[bool, bool]]:
    for a_t in (False, True):
        for b_t in (False, True):
            yield a_t, b_t


def _float_instances() -> Iterator[tuple]:
    for a_t, b_t in _layouts():
        for vector in (4, 1) if a_t or not b_t else (1,):
            for tile in (WIDE_TILE, *FLOAT_TILES):
                if tile is not LARGE_TILE or not _spills(a_t, b_t, vector):
                    yield a_t, b_t, vector, *tile


def _spills(a_t, b_t, vector) -> bool:
    """These instances of the large tile would spill registers."""
    return vector == 1 and (a_t or not b_t)


def _tensor_instances() -> Iterator[tuple]:
    for dtype in (FLOAT16_NP, BFLOAT16_NP, FLOAT32_NP):
        for layout in _layouts():
            for whole, tile in ((True, TENSOR_LARGE), (True, TENSOR_SMALL), (False, TENSOR_SMALL)):
                yield dtype, *layout, whole, *tile


_matmul_float = Kernel("matmul.cu", "matmul_float", OPTIONS, instances=_float_instances)
_matmul_any = Kernel("matmul.cu", "matmul_any", OPTIONS, instances=lambda: (
    (dtype, accumulator(dtype), *layout) for dtype in (FLOAT64_NP, BFLOAT16_NP) for layout in _layouts()))
_matmul_tensor = Kernel("matmul_tensor.cu", "matmul_tensor", OPTIONS, instances=_tensor_instances)
_matmul_tf32x3 = Kernel("matmul_tensor.cu", "matmul_tf32x3", OPTIONS, instances=lambda: (
    (*layout, whole, *TENSOR_SMALL) for layout in _layouts() for whole in (True, False)))
_matmul_pair = Kernel("matmul.cu", "matmul_pair", OPTIONS, instances=lambda: (
    (b_t, vector, *tile) for b_t in (False, True) for vector in (4, 1) for tile in (MEDIUM_TILE, SMALL_TILE)))
_matmul_tensor_pair = Kernel("matmul_tensor.cu", "matmul_tensor_pair", OPTIONS, instances=lambda: (
    (dtype, b_t, whole, *TENSOR_SMALL) for dtype in (FLOAT16_NP, BFLOAT16_NP, FLOAT32_NP) for b_t in (False, True)
    for whole in (True, False)))


def choose_tile(cuda, tiles, m, n, batch):
    """The largest tile of which there is one for every multiprocessor, or else the smallest."""
    for tile in tiles[:-1]:
        if blocks_of(m, tile[0]) * blocks_of(n, tile[1]) * batch >= cuda.sm_count:
            return tile
    return tiles[-1]


class Operand(NamedTuple):
    """Matrices as the kernels take them, with the steps between rows and between matrices in elements."""

    array: Any  # or its first element
    turned: bool
    pitch: int
    outer: int
    inner: int


def operand(cuda, x, turned: bool, batch: tuple[int, ...] = ()) -> Operand:
    """The matrices of `x`, repeated for a batch of up to two dimensions. A view is read where it lies; a copy is made
    only where elements lie neither along rows nor along columns in one piece."""
    found = _in_place(x, turned, batch) or _in_place(cuda.xp.ascontiguousarray(x), turned, batch)
    assert found is not None
    return found


def _in_place(x, turned: bool, batch: tuple[int, ...]) -> Operand | None:
    itemsize = x.dtype.itemsize
    rows, columns = x.shape[-2:]
    if not x.size:  # its steps mean nothing, in CuPy less than in NumPy
        return Operand(x, turned, max(columns, 1), 0, 0)
    *outer, pitch, step = x.strides
    if columns == 1:
        step = itemsize
    if rows == 1:
        pitch = columns * itemsize
    if step != itemsize or pitch < columns * itemsize:
        if pitch != itemsize and rows > 1 or step < rows * itemsize:
            return None
        pitch, turned = step, not turned
    shape = x.shape[:-2]
    steps = [0] * (2 - len(batch)) + [0 if i < 0 or shape[i] == 1 else outer[i]
                                      for i in range(len(shape) - len(batch), len(shape))]
    if pitch % itemsize or any([each % itemsize or each < 0 for each in steps]) or pitch // itemsize > _MOST:
        return None
    if not x.flags.c_contiguous:  # a launch takes no other arrays; the first element stands for it
        x = x[(0,) * x.ndim]
    return Operand(x, turned, pitch // itemsize, *[each // itemsize for each in steps])


_MOST = 2**31 - 1

# As in kernels/tiles.cuh.
_PRODUCT = np.dtype([*((name, "i8") for name in ("a_outer", "a_inner", "b_outer", "b_inner", "out_outer", "out_inner")),
                     *((name, "i4") for name in ("m", "n", "k", "batch", "inner", "per_split", "a_pitch", "b_pitch",
                                                 "out_pitch", "activation"))])


@functools.lru_cache(4096)
def _record(*values: int) -> Any:
    return np.array(values, _PRODUCT)[()]


class Product(NamedTuple):
    """op(a) @ op(b), and its epilogue: the bias of each column, what the result is added to, and an activation."""

    out: Any
    a: Operand
    b: Operand
    m: int
    n: int
    k: int
    batch: int = 1
    inner: int = 1  # matrices in a row of a batch of two dimensions
    bias: Any = None
    activation: int = NONE
    onto: Any = None  # in memory like the result
    kept: Any = None  # receives what the activation is applied to; in memory like the result
    lies: tuple[int, ...] | None = None  # steps between the result's rows, outer and inner matrices; None: one piece

    def record(self, per_split: int) -> Any:
        """The structure that kernels take."""
        a, b, m, n = self.a, self.b, self.m, self.n
        pitch, outer, inner = self.lies or (n, self.inner * m * n, m * n)
        return _record(a.outer, a.inner, b.outer, b.inner, outer, inner, m, n, self.k, self.batch, self.inner,
                       per_split, a.pitch, b.pitch, pitch, self.activation)

    def tiles(self, tile) -> int:
        return blocks_of(self.m, tile[0]) * blocks_of(self.n, tile[1]) * self.batch


def _in_packs(each: int, x: Operand) -> bool:
    """Whether every row of the operand begins at a multiple of 16 bytes, which are `each` elements."""
    return not (x.pitch % each or x.outer % each or x.inner % each) and aligned(x.array)


def has_tensor_cores(cuda, dtype) -> bool:
    return dtype == FLOAT16_NP or cuda.capability >= 80 and (dtype == BFLOAT16_NP or
                                                             dtype == FLOAT32_NP and cuda.tf32)


def product(cuda, x: Product):
    """A matrix product in one launch, or two where blocks share k."""
    dtype = x.out.dtype
    in_parts = dtype == FLOAT32_NP and cuda.tf32x3 and cuda.capability in _TF32X3
    tensor = in_parts or has_tensor_cores(cuda, dtype)
    if not tensor and dtype != FLOAT32_NP:
        launch = _matmul_any.on(cuda, dtype, accumulator(dtype), x.a.turned, x.b.turned)
        launch(x.tiles((64, 64)), THREADS, x.out, x.a.array, x.b.array, x.bias, x.onto, x.kept, x.record(x.k))
        return
    least = _LEAST_TF32X3_DEPTH if in_parts else _LEAST_TENSOR_DEPTH if tensor else _LEAST_DEPTH
    splits = 1 if x.lies else splits_of(x.m, x.n, x.k, x.batch, least)
    if tensor and hopper(cuda, x, splits):
        return
    each = 32 * blocks_of(x.k, 32 * splits)  # whole slices
    splits = max(1, blocks_of(x.k, each or 1))
    partial = room_for(cuda, x, splits)
    kernel = _tf32x3_kernel if in_parts else _tensor_kernel if tensor else _float_kernel
    launch, tile, threads = kernel(cuda, x, splits)
    launch(x.tiles(tile) * splits, threads, x.out, partial, x.a.array, x.b.array, x.bias, x.onto, x.kept,
           x.record(each))
    join(cuda, x, partial)


def _float_pack(x: Product) -> int:
    """Only operands that k does not run along are read 16 bytes at a time."""
    whole = (not x.a.turned or x.m % 4 == 0 and _in_packs(4, x.a)) and (
        x.b.turned or x.n % 4 == 0 and _in_packs(4, x.b))
    return 4 if whole and (x.a.turned or not x.b.turned) else 1


def wide_pays(cuda, x: Product) -> bool:
    """Whether the wide tile is done first."""
    if cuda.capability <= 80 or x.k < _LEAST_WIDE_DEPTH:
        return False
    wide, large = (blocks_of(x.tiles(tile), cuda.sm_count) for tile in (WIDE_TILE, LARGE_TILE))
    return 2 * wide <= 1.05 * large


def _float_kernel(cuda, x: Product, splits: int):
    vector = _float_pack(x)
    if splits > 1:
        tile = MEDIUM_TILE
    else:
        tile = WIDE_TILE if wide_pays(cuda, x) else choose_tile(cuda, FLOAT_TILES, x.m, x.n, x.batch)
    if tile is LARGE_TILE and _spills(x.a.turned, x.b.turned, vector):
        tile = MEDIUM_TILE
    return _matmul_float.on(cuda, x.a.turned, x.b.turned, vector, *tile), tile, 32 * tile[3] * tile[4] * tile[5]


def _is_whole(x: Product) -> bool:
    """Whether rows of both operands come in pieces of 16 bytes."""
    each = 16 // x.out.dtype.itemsize
    return (x.m if x.a.turned else x.k) % each == 0 and (x.k if x.b.turned else x.n) % each == 0 and (
        _in_packs(each, x.a) and _in_packs(each, x.b))


def _tensor_kernel(cuda, x: Product, splits: int):
    whole, tile = _is_whole(x), TENSOR_SMALL
    if whole and splits == 1:
        tile = choose_tile(cuda, TENSOR_TILES, x.m, x.n, x.batch)
    launch = _matmul_tensor.on(cuda, x.out.dtype, x.a.turned, x.b.turned, whole, *tile)
    return launch, tile, 32 * tile[2] * tile[3]


def _tf32x3_kernel(cuda, x: Product, splits: int):
    """The tensor cores have so much to do that the small tile keeps them busy; the large one would spill."""
    tile = TENSOR_SMALL
    return _matmul_tf32x3.on(cuda, x.a.turned, x.b.turned, _is_whole(x), *tile), tile, 32 * tile[2] * tile[3]


def pair(cuda, left: Product, right: Product, sums=None) -> bool:
    """Both gradients of a product in one launch, and the sums of the columns of the right one's first operand, where
    there is an array for them. False, with nothing done, where this does not pay or there is no kernel for it: each
    product has blocks enough, or blocks share its k, or operands lie another way."""
    dtype = left.out.dtype
    tensor = has_tensor_cores(cuda, dtype)
    if not tensor and dtype != FLOAT32_NP or left.a.turned or not right.a.turned or right.b.turned:
        return False
    least = _LEAST_TENSOR_DEPTH if tensor else _LEAST_DEPTH
    tiles = TENSOR_TILES if tensor else FLOAT_TILES
    for x in (left, right):
        if splits_of(x.m, x.n, x.k, x.batch, least) > 1 or x.tiles(tiles[0]) >= cuda.sm_count:
            return False
    if tensor:
        tile, threads = TENSOR_SMALL, 32 * TENSOR_SMALL[2] * TENSOR_SMALL[3]
        launch = _matmul_tensor_pair.on(cuda, dtype, left.b.turned, _is_whole(left) and _is_whole(right), *tile)
    else:
        tile = MEDIUM_TILE if left.tiles(MEDIUM_TILE) + right.tiles(MEDIUM_TILE) >= cuda.sm_count else SMALL_TILE
        threads = 32 * tile[3] * tile[4] * tile[5]
        vector = 4 if _float_pack(right) == 4 and (left.b.turned or _float_pack(left) == 4) else 1
        launch = _matmul_pair.on(cuda, left.b.turned, vector, *tile)
    blocks = left.tiles(tile), right.tiles(tile)
    strips = 0 if sums is None else blocks_of(right.m, 32)
    launch(blocks[0] + blocks[1] + strips, threads, left.out, left.a.array, left.b.array, left.onto,
           left.record(left.k), blocks[0], right.out, right.a.array, right.b.array, right.onto, right.record(right.k),
           blocks[1], sums)
    return True
