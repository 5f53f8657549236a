"""The launches of kernels/softmax_ce.cu and softmax_ce_cluster.cu: the cross-entropy of rows of logits on the devices
cuda and sim.

Rows of which two do not fit a multiprocessor's shared memory are shared by a cluster's blocks, on GPUs that have
clusters (capability 9.0 and later): by as few blocks as leave room for a second one beside each. 8 of them, the most
that every such GPU runs, keep 229,000 logits in float32 on an H100; of longer rows, up to 464,000, one on each
multiprocessor, and what goes beyond that is read twice. Without clusters, one block has a row: what a multiprocessor
does not keep, beyond 58,000 logits in float32 there, is read twice.
"""

from __future__ import annotations

from collections.abc import Iterator

from gpunet.dtypes import FLOAT32_NP, FLOAT64_NP
from gpunet.kernel import Kernel
from gpunet.ops.cluster_launch import BLOCKS, CLUSTERS, THREADS, parts_of, room_of
from gpunet.ops.launching import blocks_of, by_type, by_type_and_pack, pack_of
from gpunet.ops.rules import accumulator

_FEW = 16  # classes of the smallest rows
_MOST_LANES = 256  # classes of a row that a warp keeps in few registers
_COUNTED = 1024  # targets that every block counts itself, at most; more take a launch of their own
_ONE_BLOCK = 256, 2**14  # rows, and logits, of which one block forms the losses and adds them up


def items_of(wide, pack) -> int:
    """Of a row in the registers of each of a block's threads, at most: what 1024 threads can have without spilling."""
    return 8 if wide == FLOAT64_NP else 32 if pack > 1 else 16


def _row_instances() -> Iterator[tuple]:
    for dtype, wide, pack in by_type_and_pack():
        yield from ((dtype, wide, pack, 8, 8), (dtype, wide, pack, 32, 8), (dtype, wide, pack, 0, items_of(wide, pack)),
                    (dtype, wide, min(pack, 2), 8, 2))
        if wide == FLOAT32_NP:
            yield dtype, wide, pack, 32, 32


def _long_row_instances() -> Iterator[tuple]:
    for dtype, wide, pack in by_type_and_pack():
        if wide == FLOAT32_NP or pack == 1:
            for threads in (1024, THREADS) if wide == FLOAT32_NP else (THREADS,):
                yield dtype, wide, pack, threads


def _cluster_instances() -> Iterator[tuple]:
    for dtype, wide, pack in by_type_and_pack():
        if wide == FLOAT32_NP:
            yield from ((dtype, pack, blocks) for blocks in BLOCKS)


_softmax_ce = Kernel("softmax_ce.cu", "softmax_ce", instances=_row_instances)
_softmax_ce_long = Kernel("softmax_ce.cu", "softmax_ce_long", instances=_long_row_instances)
_softmax_ce_cluster = Kernel("softmax_ce_cluster.cu", "softmax_ce_cluster", instances=_cluster_instances,
                             capabilities=range(CLUSTERS, 1000))
_count_valid = Kernel("softmax_ce.cu", "count_valid", instances=lambda: [(FLOAT32_NP,), (FLOAT64_NP,)])
_scaled_sum = Kernel("softmax_ce.cu", "scaled_sum", instances=by_type)


def forward(cuda, loss, dlogits, logits, target, *, ignore_index, label_smoothing, reduction, with_gradient):
    rows, classes = logits.shape
    dtype, wide = logits.dtype, accumulator(logits.dtype)
    mean, whole = reduction == "mean", reduction != "none"
    count, scale = mean and rows <= _COUNTED, None
    if mean and not count:
        scale = cuda.empty((1,), wide)
        _count_valid.on(cuda, wide)(1, 1024, scale, target, rows, ignore_index)
    is_small = 0 < rows <= _ONE_BLOCK[0] and classes <= _MOST_LANES and rows * classes <= _ONE_BLOCK[1]
    total = loss if whole and is_small else None
    losses = loss if not whole and dtype == wide else cuda.empty((rows,), wide)
    softmax_rows(cuda, losses, dlogits if with_gradient else None, logits, target, scale, ignore_index,
                 label_smoothing, count, total)
    if whole and total is None:
        _scaled_sum.on(cuda, dtype, wide)(1, 1024, loss, losses, scale, target, rows, ignore_index, count)
    elif losses is not loss and not whole:
        loss[...] = losses


def softmax_rows(cuda, losses, dlogits, logits, target, scale, ignore_index, label_smoothing, count=False,
                 total=None):
    """Losses and, where dlogits is not None, gradients of rows. `count`: the scale is 1 / number of valid targets,
    which the kernel counts. total: what one block that has all rows writes their losses' sum to, times the scale."""
    rows, classes = logits.shape
    dtype, wide = logits.dtype, losses.dtype
    pack = pack_of(dtype, logits, dlogits)
    if classes % pack:
        pack = 1
    items = items_of(wide, pack)
    arguments = (losses, dlogits, logits, target, scale, cuda.errors, rows, classes, ignore_index, label_smoothing,
                 count)

    def launch(lanes, items, pack=pack):
        grid = 1 if total is not None else blocks_of(rows, 256 // lanes) if lanes else rows
        threads = 256 if lanes else 32 * blocks_of(classes, 32 * items)
        _softmax_ce.on(cuda, dtype, wide, pack, lanes, items)(grid, threads, *arguments, total)

    if classes <= _FEW:
        even = classes % 2 == 0 and pack_of(dtype, logits, dlogits) > 1
        launch(8, 2, 2 if even else 1)
    elif classes <= 64:
        launch(8, 8)
    elif classes <= _MOST_LANES:
        launch(32, 8)
    elif classes <= 1024 and wide == FLOAT32_NP:
        launch(32, 32)
    elif classes <= 1024 * items:
        launch(0, items)
    else:
        pack = pack if wide == FLOAT32_NP else 1
        room, half = room_of(cuda, dtype.itemsize)
        kept = min(classes, room) // pack * pack if dlogits is not None else 0
        if kept > half and wide == FLOAT32_NP and cuda.capability >= CLUSTERS:
            blocks, share = parts_of(classes, pack, half)
            kept = min(share, room // pack * pack)
            _softmax_ce_cluster.on(cuda, dtype, pack, blocks)(rows * blocks, THREADS, *arguments, share, kept,
                                                              shared=kept * dtype.itemsize)
            return
        threads = 1024 if wide == FLOAT32_NP and kept > half else THREADS
        launch_long = _softmax_ce_long.on(cuda, dtype, wide, pack, threads)
        launch_long(rows, threads, *arguments, kept, shared=kept * dtype.itemsize)
