"""The launches of kernels/matmul.cu and kernels/matmul_tensor.cu: matrix products on the devices cuda and sim.

Which kernel, by type: half precision, bfloat16 and TF32 have tensor cores (bfloat16 and TF32 from compute capability
8.0 on); float32 has a kernel of its own; the rest takes the plain one.

Which tile: the largest of which there is one for every multiprocessor. Reads of shared memory and of the L2 for each
product fall with a tile's width, so that a large tile wins as long as no multiprocessor goes without.

Whether blocks share k: with tiles of 64 x 64 a GPU of 132 multiprocessors, two blocks each, wants some 256 blocks. An
output of 128 x 128 has 4. If k is split s ways, each block does 1 / s of the work, but stores its sums as float32 and
waits for a second launch. In float32 a tile's 256 of k take 64 * 64 * 256 / 128 = 8,192 cycles, on the tensor cores at
most 1,024; its sums 32 KB, some 1,600 cycles; a launch some 5,000. So the parts should be 256 deep in float32, 2,048 on
tensor cores, and at least four. The split follows from the shape and the type alone, not from the device, and each
result is added up in a fixed order.
"""

from __future__ import annotations

from collections.abc import Iterator

from gpunet.dtypes import BFLOAT16_NP, FLOAT16_NP, FLOAT32_NP, FLOAT64_NP, HALF_TYPES
from gpunet.kernel import Kernel
from gpunet.ops.launching import THREADS, aligned, blocks_of
from gpunet.ops.rules import accumulator

NO_ACTIVATION, RELU = 0, 1

# Tile height and width, slice of k, warps along m, n and k, and blocks that share a multiprocessor.
LARGE_TILE = (128, 128, 8, 2, 4, 1, 2)
MEDIUM_TILE = (64, 64, 16, 2, 2, 1, 4)
SMALL_TILE = (32, 32, 32, 1, 1, 8, 2)

# On the tensor cores: tile height and width, warps along m and n, and blocks that share a multiprocessor.
TENSOR_LARGE = (128, 128, 2, 2, 2)
TENSOR_SMALL = (64, 64, 2, 2, 4)

_BLOCKS = 256  # that should share a product
_LEAST_SPLITS = 4
_LEAST_DEPTH, _LEAST_TENSOR_DEPTH = 256, 2048  # of k for each


def _layouts() -> Iterator[tuple[bool, bool]]:
    for a_t in (False, True):
        for b_t in (False, True):
            yield a_t, b_t


def _float_instances() -> Iterator[tuple]:
    for a_t, b_t in _layouts():
        for vector in (4, 1) if a_t or not b_t else (1,):
            for tile in (LARGE_TILE, MEDIUM_TILE, SMALL_TILE):
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


_matmul_float = Kernel("matmul.cu", "matmul_float", instances=_float_instances)
_matmul_join = Kernel("matmul.cu", "matmul_join", instances=lambda: ((d,) for d in (FLOAT32_NP, *HALF_TYPES)))
_matmul_any = Kernel("matmul.cu", "matmul_any", instances=lambda: (
    (dtype, accumulator(dtype), *layout) for dtype in (FLOAT64_NP, BFLOAT16_NP) for layout in _layouts()))
_matmul_tensor = Kernel("matmul_tensor.cu", "matmul_tensor", instances=_tensor_instances)


def choose_tile(cuda, tiles, m, n, batch):
    """The largest tile of which there is one for every multiprocessor, or else the smallest."""
    for tile in tiles[:-1]:
        if blocks_of(m, tile[0]) * blocks_of(n, tile[1]) * batch >= cuda.sm_count:
            return tile
    return tiles[-1]


def splits_of(m, n, k, batch, least) -> int:
    """How many blocks share the sums of a tile; 1 where it does not pay."""
    blocks = blocks_of(m, 64) * blocks_of(n, 64) * batch
    splits = min(_BLOCKS // max(1, blocks), k // least)
    return splits if splits >= _LEAST_SPLITS else 1


def product(cuda, out, a, b, bias, activation, a_t, b_t, m, n, k, batch, a_stride, b_stride):
    """A matrix product of C-contiguous matrices, in one launch, or two where blocks share k."""
    dtype = out.dtype
    tensor = dtype == FLOAT16_NP or cuda.capability >= 80 and (dtype == BFLOAT16_NP or
                                                               dtype == FLOAT32_NP and cuda.tf32)
    if not tensor and dtype != FLOAT32_NP:
        launch = _matmul_any.on(cuda, dtype, accumulator(dtype), a_t, b_t)
        launch(blocks_of(m, 64) * blocks_of(n, 64) * batch, THREADS, out, a, b, bias, activation, m, n, k, a_stride,
               b_stride)
        return
    splits = splits_of(m, n, k, batch, _LEAST_TENSOR_DEPTH if tensor else _LEAST_DEPTH)
    each = 32 * blocks_of(k, 32 * splits)  # whole slices
    splits = max(1, blocks_of(k, each or 1))
    partial = cuda.empty((splits, batch, m, n), FLOAT32_NP) if splits > 1 else None
    if tensor:
        launch, tile, threads = _tensor_kernel(cuda, dtype, a, b, a_t, b_t, m, n, k, batch, splits)
    else:
        launch, tile, threads = _float_kernel(cuda, a, b, a_t, b_t, m, n, batch, splits)
    blocks = blocks_of(m, tile[0]) * blocks_of(n, tile[1]) * batch * splits
    launch(blocks, threads, out, partial, a, b, bias, activation, m, n, k, a_stride, b_stride, batch, each)
    if splits > 1:
        _matmul_join.on(cuda, dtype)(blocks_of(out.size, THREADS), THREADS, out, partial, bias, activation, n, splits,
                                     out.size)


def _float_kernel(cuda, a, b, a_t, b_t, m, n, batch, splits):
    # Only operands that k does not run along are read 16 bytes at a time.
    whole = (not a_t or m % 4 == 0) and (b_t or n % 4 == 0) and aligned(a, b)
    vector = 4 if whole and (a_t or not b_t) else 1
    tile = MEDIUM_TILE if splits > 1 else choose_tile(cuda, (LARGE_TILE, MEDIUM_TILE, SMALL_TILE), m, n, batch)
    if tile is LARGE_TILE and _spills(a_t, b_t, vector):
        tile = MEDIUM_TILE
    return _matmul_float.on(cuda, a_t, b_t, vector, *tile), tile, 32 * tile[3] * tile[4] * tile[5]


def _tensor_kernel(cuda, dtype, a, b, a_t, b_t, m, n, k, batch, splits):
    each = 16 // dtype.itemsize
    whole = (m if a_t else k) % each == 0 and (k if b_t else n) % each == 0 and aligned(a, b)
    tile = TENSOR_SMALL
    if whole and splits == 1:
        tile = choose_tile(cuda, (TENSOR_LARGE, TENSOR_SMALL), m, n, batch)
    return _matmul_tensor.on(cuda, dtype, a_t, b_t, whole, *tile), tile, 32 * tile[2] * tile[3]
