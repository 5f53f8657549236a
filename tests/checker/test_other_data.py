"""`other_data`: updates that other data would make race are told, and what is in order with any data is not."""

import numpy as np
import pytest

from gpunet import sim
from tests.checker import test_clean
from tests.checker.harness import build

KERNELS = """\
__global__ void histogram(int* counts, const int* bins, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) counts[bins[i]] += 1;
}
__global__ void histogram_with_atomics(int* counts, const int* bins, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) atomicAdd(&counts[bins[i]], 1);
}
__global__ void scatter(float* y, const float* x, const int* permutation, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) y[permutation[i]] = x[i];
}
__global__ void accumulate(float* y, const float* x, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) y[i] += x[i];
}
"""


@pytest.mark.parametrize("name, told", [("histogram", True), ("histogram_with_atomics", False), ("scatter", False),
                                        ("accumulate", False)])
def test_updates_that_follow_from_data(name, told):
    kernel = sim.Module(KERNELS, file="k.cu").get_function(name)
    index, x, out = np.arange(40, dtype=np.int32), np.ones(40, np.float32), np.zeros(40, np.float32)
    args = {"scatter": (out, x, index), "accumulate": (out, x)}.get(name, (np.zeros(40, np.int32), index))
    assert not sim.check(kernel, 2, 32, (*args, np.int32(40)))
    found = sim.check(kernel, 2, 32, (*args, np.int32(40)), other_data=True)
    assert [(each.kind, each.severity, each.line) for each in found] == ([("race", "warning", 3)] if told else [])
    assert all("other data may make two threads meet here" in each.message for each in found)
    assert index.tolist() == list(range(40)) and (name == "scatter" or args[0].sum() > 0)


@pytest.mark.slow
def test_right_kernels_are_right_with_other_data():
    for case in test_clean.CASES:
        file, row = case.values
        if row.shared <= 48 << 10:
            kernel = test_clean.function(file, row.kernel)
            found = sim.check(kernel, row.grid, row.block, tuple(build(row)), shared_mem=row.shared, other_data=True)
            assert not found, f"{file} {row.kernel}:\n" + "\n".join(map(str, found))
