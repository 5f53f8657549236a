"""Kernels of Triton; imported where Triton is."""

import triton
import triton.language as tl


@triton.jit
def softmax(out, x, columns, BLOCK: tl.constexpr):
    at = tl.arange(0, BLOCK)
    inside = at < columns
    row = tl.load(x + tl.program_id(0) * columns + at, mask=inside, other=-float("inf"))
    exponentials = tl.exp(row - tl.max(row, 0))
    tl.store(out + tl.program_id(0) * columns + at, exponentials / tl.sum(exponentials, 0), mask=inside)


@triton.jit
def product(out, a, b, m, n, k, M: tl.constexpr, N: tl.constexpr, K: tl.constexpr):
    i, j = tl.program_id(0) * M + tl.arange(0, M), tl.program_id(1) * N + tl.arange(0, N)
    total = tl.zeros((M, N), tl.float32)
    for start in range(0, k, K):
        depth = start + tl.arange(0, K)
        left = tl.load(a + i[:, None] * k + depth[None, :], (i[:, None] < m) & (depth[None, :] < k), 0.0)
        right = tl.load(b + depth[:, None] * n + j[None, :], (depth[:, None] < k) & (j[None, :] < n), 0.0)
        total = tl.dot(left, right, total)
    tl.store(out + i[:, None] * n + j[None, :], total, (i[:, None] < m) & (j[None, :] < n))


@triton.heuristics({"BLOCK": lambda given: triton.next_power_of_2(given["n"])})
@triton.jit
def shifted(out, x, n, by, BLOCK: tl.constexpr):
    at = tl.arange(0, BLOCK)
    value = tl.load(x + at + 1, mask=at < n)  # over the end
    tl.store(out + at, value + by, mask=at < n)


@triton.jit
def counted(out, x, BLOCK: tl.constexpr):
    value = tl.load(x + tl.program_id(0) * BLOCK + tl.arange(0, BLOCK))
    before = tl.load(out)
    tl.store(out, before + tl.sum(value))  # race


@triton.jit
def counted_by_atomics(out, x, BLOCK: tl.constexpr):
    value = tl.load(x + tl.program_id(0) * BLOCK + tl.arange(0, BLOCK))
    tl.atomic_add(out, tl.sum(value))


autotuned = triton.autotune([triton.Config({"BLOCK": 64})], key=[])(counted)
