"""Triton kernels for the comparison: straightforward ones, as its tutorials and Liger write them; IEEE float32.

Imported only where Triton is. The block sizes are the usual ones, not tuned for each shape.
"""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def _matmul(a, b, out, m, n, k, am, ak, bk, bn, M: tl.constexpr, N: tl.constexpr, K: tl.constexpr, GROUP: tl.constexpr):
    # Blocks in groups of GROUP rows, so that operands are found in the L2 cache.
    block = tl.program_id(0)
    rows, columns = tl.cdiv(m, M), tl.cdiv(n, N)
    group = block // (GROUP * columns)
    height = tl.minimum(rows - group * GROUP, GROUP)
    row = group * GROUP + block % (GROUP * columns) % height
    column = block % (GROUP * columns) // height
    i = row * M + tl.arange(0, M)
    j = column * N + tl.arange(0, N)
    total = tl.zeros((M, N), tl.float32)
    for start in range(0, k, K):
        depth = start + tl.arange(0, K)
        left = tl.load(a + i[:, None] * am + depth[None, :] * ak, (i[:, None] < m) & (depth[None, :] < k), 0.0)
        right = tl.load(b + depth[:, None] * bk + j[None, :] * bn, (depth[:, None] < k) & (j[None, :] < n), 0.0)
        total = tl.dot(left, right, total, input_precision="ieee")
    tl.store(out + i[:, None] * n + j[None, :], total, (i[:, None] < m) & (j[None, :] < n))


def matmul(a, b, out):
    """out = a @ b; any strides but `out`'s, which is contiguous."""
    (m, k), n = a.shape, b.shape[1]
    tile = 128 if m * n >= 1024 * 1024 else 64
    _matmul[(triton.cdiv(m, tile) * triton.cdiv(n, tile),)](
        a, b, out, m, n, k, *a.stride(), *b.stride(), M=tile, N=tile, K=16, GROUP=8, num_warps=tile // 16, num_stages=3)


@triton.jit
def _bias_relu(out, x, bias, size, columns, BLOCK: tl.constexpr):
    i = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside = i < size
    value = tl.load(x + i, inside) + tl.load(bias + i % columns, inside)
    tl.store(out + i, tl.maximum(value, 0.0), inside)


def bias_relu(x, bias, out):
    """out = max(x + bias, 0)."""
    size = x.numel()
    _bias_relu[(triton.cdiv(size, 1024),)](out, x, bias, size, bias.numel(), BLOCK=1024, num_warps=4)


@triton.jit
def _cross_entropy(losses, dlogits, logits, targets, rows, classes, scale, BLOCK: tl.constexpr):
    # One block a row: maximum and sum in one reading, the gradient in a second.
    row = tl.program_id(0).to(tl.int64)
    x, dx = logits + row * classes, dlogits + row * classes
    target = tl.load(targets + row)
    largest = float("-inf")
    total = 0.0
    for start in range(0, classes, BLOCK):
        j = start + tl.arange(0, BLOCK)
        value = tl.load(x + j, j < classes, float("-inf"))
        new = tl.maximum(largest, tl.max(value))
        total = total * tl.exp(largest - new) + tl.sum(tl.exp(value - new))
        largest = new
    tl.store(losses + row, tl.log(total) + largest - tl.load(x + target))
    for start in range(0, classes, BLOCK):
        j = start + tl.arange(0, BLOCK)
        value = tl.load(x + j, j < classes, float("-inf"))
        gradient = tl.exp(value - largest) / total - tl.where(j == target, 1.0, 0.0)
        tl.store(dx + j, gradient * scale, j < classes)


def cross_entropy(logits, targets, losses, dlogits):
    """The mean loss; dlogits is its gradient."""
    rows, classes = logits.shape
    block = min(triton.next_power_of_2(classes), 16384)
    _cross_entropy[(rows,)](losses, dlogits, logits, targets, rows, classes, 1.0 / rows, BLOCK=block,
                            num_warps=max(1, min(16, block // 256)))
    return losses.mean()
