"""`other_sizes`: what is wrong with other lengths is told, and what is right with any length is not."""

import numpy as np
import pytest

from gpunet import sim
from tests.checker import test_clean
from tests.checker.harness import build, three

KERNELS = """\
__global__ void no_guard(float* y, const float* x, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    y[i] = 2 * x[i];
}
__global__ void guarded(float* y, const float* x, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) y[i] = 2 * x[i];
}
__global__ void folds_onto_few(float* sums, const float* x, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) sums[i % 100] += x[i];
}
__global__ void returns_early(float* y, const float* x, int n) {
    __shared__ float tile[32];
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    tile[threadIdx.x] = x[i];
    __syncthreads();
    y[i] = tile[threadIdx.x / 2];
}
__global__ void rows_in_fours(float4* y, const float4* x, int columns) {
    int first = blockIdx.x * columns / 4, end = (blockIdx.x + 1) * columns / 4;
    for (int i = first + threadIdx.x; i < end; i += blockDim.x) y[i] = x[i];
}
__global__ void gathers(float* y, const float* x, const int* index, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) y[i] = x[index[i]];
}
__global__ void row_sums(float* y, const float* x, int rows, int columns) {
    __shared__ float part[64];
    float sum = 0;
    for (int i = threadIdx.x; i < columns; i += blockDim.x) sum += x[blockIdx.x * columns + i];
    part[threadIdx.x] = sum;
    __syncthreads();
    if (threadIdx.x == 0 && blockIdx.x < rows) {
        for (int i = 1; i < blockDim.x; i++) sum += part[i];
        y[blockIdx.x] = sum;
    }
}
"""
X = np.ones(96, np.float32)
CASES = {
    "no_guard": (3, (sim.uninitialised(96), X, np.int32(96)), [("out of bounds", 3)] * 2),
    "guarded": (3, (sim.uninitialised(96), X, np.int32(96)), []),
    "folds_onto_few": (3, (np.zeros(100, np.float32), X, np.int32(96)), [("race", 11)]),
    "returns_early": (3, (sim.uninitialised(96), X, np.int32(96)), [("divergent barrier", 18)]),
    "rows_in_fours": (2, (np.zeros((2, 32), np.float32), np.ones((2, 32), np.float32), np.int32(32)), []),
    "gathers": (3, (sim.uninitialised(96), X, np.arange(96, dtype=np.int32), np.int32(96)), []),
    "row_sums": (9, (sim.uninitialised(9), np.ones((9, 50), np.float32), np.int32(9), np.int32(50)), []),
}


@pytest.mark.parametrize("name", CASES)
def test_what_only_other_sizes_show(name):
    kernel = sim.Module(KERNELS, file="k.cu").get_function(name)
    grid, args, expected = CASES[name]
    assert not [each for each in sim.check(kernel, grid, 32, args) if each.severity == "error"]
    found = sim.check(kernel, grid, 32, args, other_sizes=True)
    assert [(each.kind, each.line) for each in found] == expected
    assert all(each.severity == "warning" and "in place of 96, and arrays of that length" in each.message
               for each in found)
    assert args[1].shape in [(96,), (2, 32), (9, 50)] and (args[1] == 1).all()  # the other launches have their own


@pytest.mark.slow
def test_right_kernels_are_right_with_other_sizes_or_meant_for_some():
    """Two are meant for multiples of 4 and of 16 columns: they read vectors and tiles."""
    some_sizes = set()
    for case in test_clean.CASES:
        file, row = case.values
        if row.shared <= 48 << 10:
            kernel = test_clean.function(file, row.kernel)
            if sim.check(kernel, three(row.grid), three(row.block), tuple(build(row)), shared_mem=row.shared,
                         other_sizes=True):
                some_sizes.add(row.kernel)
    assert some_sizes == {"product_in_registers", "product_of_bfloats"}
