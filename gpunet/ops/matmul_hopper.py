"""The launch of kernels/matmul_hopper.cu and matmul_hopper_pair.cu: products in bfloat16, half precision and TF32 on
GPUs of compute capability 9.0.

Which products: those whose operands the copy engine can read, that is, whose rows and matrices begin at multiples of 16
bytes, and for which the kernel is expected to take fewer cycles than kernels/matmul_tensor.cu. In TF32 k runs along the
memory of the left operand, or of both: as in the forward product of a linear layer, and in the gradient by its input.

What is expected: a multiprocessor's tensor cores do 2,048 multiplications a cycle by wgmma (989 TFLOP/s on 132 of them
at 1.83 GHz), about 0.6 of that by mma.sync. Its shared memory moves 128 bytes a cycle: what wgmma reads, and what the
copy engine writes. The L2 gives some 30 bytes a cycle to each multiprocessor when all ask at once (7 TB/s), and up to
64 when few do. For a slice of a tile, 64 deep in k of half types:

    tile                 cores    shared memory             L2                                    of the cores' rate
    128 x 256 of a pair  1,024    80 KB + 48 KB:   1,024    32 KB: 1,092 with all, 512 with few   0.94 to 1
    128 x 256            1,024    80 KB + 48 KB:   1,024    48 KB: 1,638 with all, 768 with few   0.62 to 1
    128 x 128              512    48 KB + 32 KB:     640    32 KB: 1,092 with all, 512 with few   0.47 to 0.8

In TF32 it is 32 deep, half the multiplications at half the rate, with all else the same: 1 of k counts as 2 of half
types, here and by mma.sync.

Time goes in rounds, of one tile for each multiprocessor, each with its results to write at the end (64 KB or 32 KB, in
TF32 twice that), and a launch begins with descriptors to fetch and a ring to fill. None of this is measured.

Where tiles are fewer than multiprocessors and k is long, as in most gradients of weights, blocks share k: there is then
a tile for each part of it, with results in float32, twice as large, and another launch that reads these and adds them
up. The gradient of a weight of 768 x 768 from 16,384 rows has 36 tiles of 128 x 128, 168,000 cycles on 36
multiprocessors; in 7 parts 63 pairs of tiles of 128 x 256, 56,000. Into how many parts follows from the shape alone, as
if there were 132 multiprocessors: so the sums are the same on all GPUs that take the kernel.

$GPUNET_WGMMA=0 leaves all products to mma.sync, and $GPUNET_WGMMA=1 has no pairs.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from gpunet._environment import choice
from gpunet.dtypes import FLOAT32_NP, HALF_TYPES
from gpunet.kernel import Kernel
from gpunet.kernel.tensor_map import MapRefused, map_of
from gpunet.ops.epilogue import OPTIONS
from gpunet.ops.launching import aligned, blocks_of
from gpunet.ops.matmul_parts import join, room_for

if TYPE_CHECKING:
    from gpunet.ops.matmul_launch import Operand, Product

HOPPER, _SM_COUNT = 90, 132
_limit: int | None = None  # what `limited` says, instead of $GPUNET_WGMMA

TILE_M, TILES_N = 128, (256, 128)
WAYS = (256, 2), (256, 1), (128, 1)  # a tile's width, and the blocks of a cluster
_THREADS, _LINE, _DEPTH = 384, 128, 64  # bytes of a slice's depth; of half types elements
_STAGES = {256: 4, 128: 6}
# As Ring<TILE_N>::BYTES: stages, a strip of results for each consumer, barriers, and what aligns them.
_SHARED = {tile_n: (stages * (TILE_M + tile_n) + TILE_M) * _LINE + stages * 16 + 1024
           for tile_n, stages in _STAGES.items()}

_START, _RESULTS = 3000, {256: 2500, 128: 1300}  # cycles
_JOIN = 5000  # cycles of the second launch
_CORES, _MMA_SYNC, _SHARED_BYTES, _L2_BYTES, _MOST_L2_BYTES = 2048, 0.6, 128, 30, 64  # a cycle


def _instances(tiles_n: tuple[int, ...]) -> Iterator[tuple]:
    for dtype in HALF_TYPES:
        for a_t in (False, True):
            for b_t in (False, True):
                for tile_n in tiles_n:
                    yield dtype, a_t, b_t, tile_n
    for a_t in (False, True):
        for tile_n in tiles_n:
            yield FLOAT32_NP, a_t, True, tile_n


_matmul_hopper = Kernel("matmul_hopper.cu", "matmul_hopper", OPTIONS, capabilities=(HOPPER,),
                        instances=lambda: _instances(TILES_N))
_matmul_hopper_pair = Kernel("matmul_hopper_pair.cu", "matmul_hopper_pair", OPTIONS, capabilities=(HOPPER,),
                             instances=lambda: _instances((256,)))


@contextlib.contextmanager
def limited(blocks: int) -> Iterator[None]:
    """While it lasts, products by wgmma take clusters of at most so many blocks; with 0 they go to mma.sync."""
    global _limit
    before, _limit = _limit, blocks
    try:
        yield
    finally:
        _limit = before


@functools.cache
def _setting() -> int:
    """The most blocks of a cluster, by $GPUNET_WGMMA; 0: products by wgmma are turned off."""
    return int(choice("GPUNET_WGMMA", {"0": "no products by wgmma", "1": "without clusters",
                                       "2": "the default: with clusters of two blocks"}, "2"))


def hopper(cuda, x: Product, splits: int = 1) -> bool:
    """A product by wgmma. False, with nothing done, where there is no such kernel or it does not pay. splits: how many
    blocks share k by mma.sync."""
    dtype, most = x.out.dtype, _setting() if _limit is None else _limit
    in_tf32 = dtype == FLOAT32_NP and cuda.tf32 and not x.a.turned
    if cuda.capability != HOPPER or not most or not (dtype in HALF_TYPES or in_tf32):
        return False
    if not (readable(x.a) and readable(x.b)):
        return False
    if in_tf32 and not x.b.turned:
        x = turned(x)
    way = choose(x.m, x.n, x.k, x.batch, cuda.sm_count, most, splits, x.lies is None, dtype.itemsize)
    if way is None:
        return False
    try:
        launch_hopper(cuda, x, *way)
    except MapRefused:  # a layout that its manual allows
        return False
    return True


def turned(x: Product) -> Product:
    """A product in TF32 of which k runs across op(b)'s memory, as the kernel takes it: turned, and stored turned."""
    lies = x.lies or (x.n, x.inner * x.m * x.n, x.m * x.n)
    return x._replace(a=x.b._replace(turned=True), b=x.a._replace(turned=True), m=x.n, n=x.m, lies=lies)


def launch_hopper(cuda, x: Product, tile_n: int, blocks: int = 1, parts: int = 1) -> None:
    """The kernel with tiles of 128 x tile_n, in clusters of so many blocks, each of the whole k or of a part of it.
    Operands are `readable`, and k is not 0; of several parts the result lies in one piece."""
    a, b, depth = x.a, x.b, _LINE // x.out.dtype.itemsize
    each = x.k if parts == 1 else depth * blocks_of(x.k, depth * parts)
    parts = blocks_of(x.k, each)
    clusters = blocks_of(x.m, TILE_M * blocks) * blocks_of(x.n, tile_n) * x.batch * parts
    kernel = _matmul_hopper if blocks == 1 else _matmul_hopper_pair
    launch = kernel.on(cuda, x.out.dtype, a.turned, b.turned, tile_n)
    maps = _map(x, a, a.turned, x.m, TILE_M), _map(x, b, not b.turned, x.n, tile_n // blocks)
    partial = room_for(cuda, x, parts)
    launch(blocks * min(clusters, cuda.sm_count // blocks), _THREADS, x.out, partial, *maps, x.bias, x.onto, x.kept,
           x.record(each), shared=_SHARED[tile_n])
    join(cuda, x, partial)


def _map(x: Product, operand: Operand, along: bool, size: int, tile: int) -> Any:
    """An operand's descriptor, of [outer][inner] matrices. along: its rows (m or n), and not k, run along memory."""
    each = operand.array.dtype.itemsize
    columns, rows = (size, x.k) if along else (x.k, size)
    outer, inner = operand.outer * each, operand.inner * each
    return map_of(operand.array, (columns, rows, x.inner if inner else 1, x.batch // x.inner if outer else 1),
                  (operand.pitch * each, inner or 16, outer or 16), (_LINE // each, _LINE // each if along else tile),
                  _LINE, each == 4)


def readable(x: Operand) -> bool:
    """Whether the copy engine can read the operand."""
    each = 16 // x.array.dtype.itemsize
    return not (x.pitch % each or x.outer % each or x.inner % each) and aligned(x.array)


@functools.lru_cache(4096)
def choose(m: int, n: int, k: int, batch: int, sm_count: int, most_blocks: int = 2, splits: int = 1,
           may_share: bool = True, itemsize: int = 2) -> tuple[int, int, int] | None:
    """The way in which the kernel is expected to be done first, and how many parts of k there are; None where the one
    with mma.sync is, of which `splits` blocks share k."""
    if not k:
        return None
    k *= itemsize // 2
    parts = _parts(m, n, k, batch, itemsize) if may_share else 1
    ways = [way for way in WAYS if way[1] <= min(most_blocks, sm_count)]
    best, way = min((_cycles(m, n, k, batch, sm_count, *way, parts, itemsize), way) for way in ways)
    return (*way, parts) if best < _cycles_of_mma_sync(m, n, k, batch, sm_count, splits) else None


def _parts(m: int, n: int, k: int, batch: int, itemsize: int) -> int:
    """How many parts of k, at least four slices each, are expected to be done first on the largest of these GPUs."""
    tiles = blocks_of(m, TILE_M) * blocks_of(n, TILES_N[0]) * batch
    most = min(k // (4 * _DEPTH), 2 * _SM_COUNT // max(1, tiles))
    return min(range(1, max(1, most) + 1),
               key=lambda parts: min(_cycles(m, n, k, batch, _SM_COUNT, *way, parts, itemsize) for way in WAYS))


def _cycles_of_joining(m: int, n: int, batch: int, sm_count: int, parts: int) -> float:
    """Of the second launch, which reads the parts' results from the L2."""
    return _JOIN + 4 * m * n * batch * parts / (_L2_BYTES * sm_count) if parts > 1 else 0


def _l2_cycles(size: int, tiles: int, sm_count: int) -> float:
    """Of reading so many bytes, by as many multiprocessors as have a tile."""
    return size / min(_MOST_L2_BYTES, _L2_BYTES * sm_count / max(1, min(tiles, sm_count)))


def _cycles(m: int, n: int, k: int, batch: int, sm_count: int, tile_n: int, blocks: int,
            parts: int, itemsize: int) -> float:
    clusters = blocks_of(m, TILE_M * blocks) * blocks_of(n, tile_n) * batch * parts
    written = (TILE_M + tile_n) * _DEPTH * 2
    read = (TILE_M + 2 * tile_n) * _DEPTH * 2  # both warpgroups read all of b's slice
    from_l2 = (TILE_M + tile_n // blocks) * _DEPTH * 2
    each = max(TILE_M * tile_n * _DEPTH / _CORES, (read + written) / _SHARED_BYTES,
               _l2_cycles(from_l2, clusters * blocks, sm_count))
    rounds = blocks_of(clusters, sm_count // blocks)
    results = _RESULTS[tile_n] * (2 if parts > 1 or itemsize == 4 else 1)  # of parts they are float32
    return (_START + rounds * (blocks_of(k, _DEPTH * parts) * each + results)
            + _cycles_of_joining(m, n, batch, sm_count, parts))


def _cycles_of_mma_sync(m: int, n: int, k: int, batch: int, sm_count: int, splits: int = 1) -> float:
    """The tiles of matmul_launch.py. Several blocks share a multiprocessor, and one writes while another computes."""
    def of(tile: int, rate: float) -> float:
        tiles = blocks_of(m, tile) * blocks_of(n, tile) * batch * splits
        each = max(tile * tile * _DEPTH / (_CORES * rate), _l2_cycles(2 * tile * _DEPTH * 2, tiles, sm_count))
        return blocks_of(tiles, sm_count) * blocks_of(k, _DEPTH * splits) * each

    large = splits == 1 and blocks_of(m, 128) * blocks_of(n, 128) * batch >= sm_count
    joined = _cycles_of_joining(m, n, batch, sm_count, splits)
    return of(128, _MMA_SYNC) if large else of(64, 0.75 * _MMA_SYNC) + joined
