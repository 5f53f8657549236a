"""Softmax of long rows shared by the blocks of a cluster (kernels/softmax_cluster.cu), which the simulator in C++ does
not have: against NumPy in float64, and its accesses counted."""

import ml_dtypes
import numpy as np
import pytest

from gpunet import ptx
from gpunet.ops.softmax_launch import backward, forward
from gpunet.sim import cupy as xp
from tests.ptx.test_cross_entropy_cluster import Launches, device, misses_a_barrier

BFLOAT16 = np.dtype(ml_dtypes.bfloat16)
TOLERANCE = {"float32": 2e-6, "float16": 2e-3, "bfloat16": 1.6e-2}


@pytest.fixture
def launches(compiler):
    return Launches()


def exact(x, logarithm):
    with np.errstate(all="ignore"):
        shifted = x - x.max(1, keepdims=True)
        total = np.exp(shifted).sum(1, keepdims=True)
        return shifted - np.log(total) if logarithm else np.exp(shifted) / total


def results(cuda, x, g, logarithm):
    """y, and the gradient that belongs to g."""
    out, dx = (cuda.empty(x.shape, x.dtype) for _ in range(2))
    forward(logarithm)(cuda, out, xp.asarray(x), dim=1)
    backward(logarithm)(cuda, dx, xp.asarray(g), out, dim=1)
    return out.get().astype(float), dx.get().astype(float)


def near(found, expected, tolerance):
    assert np.linalg.norm(found - expected) <= tolerance * np.linalg.norm(expected)


# One block a row to eight; rows of whole vectors and not; parts that do not fit, and are read again.
@pytest.mark.parametrize("columns, dtype, memory, blocks", [
    (20_004, "float32", 227 << 10, (1, 2)), *(pytest.param(*case, marks=pytest.mark.slow) for case in (
        (9_001, "float32", 48 << 10, (2, 4)), (40_000, "float32", 227 << 10, (2, 4)),
        (20_001, "float16", 48 << 10, (2, 4)), (40_000, BFLOAT16, 48 << 10, (4, 8)),
        (70_004, "float32", 48 << 10, (8, 8))))], ids=str)
def test_results_and_gradients(launches, columns, dtype, memory, blocks):
    rng = np.random.default_rng(columns)
    x, g = ((rng.standard_normal((3, columns)) * 3).astype(dtype) for _ in range(2))
    tolerance = TOLERANCE[x.dtype.name]
    for logarithm in (False, True):
        del launches.calls[:]
        y, dx = results(device(launches, memory), x, g, logarithm)
        names = [call[0].name.partition("<")[0] for call in launches.calls]
        assert names == ["softmax_cluster", "softmax_cluster_grad"]
        assert [call[1][0] // 3 for call in launches.calls] == [blocks[0], blocks[0] if logarithm else blocks[1]]
        near(y, exact(x.astype(float), logarithm), tolerance)
        wide = g.astype(float)
        near(dx, wide - np.exp(y) * wide.sum(1, keepdims=True) if logarithm
             else y * (wide - (wide * y).sum(1, keepdims=True)), 2 * tolerance)
        np.testing.assert_array_equal(results(device(launches, memory), x, g, logarithm)[0], y)


def test_outliers(launches):
    """Blocks that see nothing but -infinity beside others; rows of it alone, of NaN in one block."""
    x = np.random.default_rng(0).standard_normal((5, 30_000)).astype(np.float32)
    x[0, 1] = 3e38
    x[1, 5001:] = -np.inf
    x[2] = -np.inf
    x[3, 20_000] = np.nan
    x[4] -= 1e4
    for logarithm in (False, True):
        y, _ = results(device(launches, 48 << 10), x, x, logarithm)
        expected = exact(x.astype(float), logarithm)
        np.testing.assert_allclose(y[[0, 1, 4]], expected[[0, 1, 4]], rtol=1e-5, atol=1e-6)
        assert np.isnan(y[2:4]).all()


def test_each_number_is_read_once(launches):
    x = np.random.default_rng(0).standard_normal((2, 32_768)).astype(np.float32)
    for logarithm in (False, True):
        del launches.calls[:]
        results(device(launches, 100 << 10), x, x, logarithm)
        for call, passes in zip(launches.calls, (2, 3), strict=True):
            total = ptx.profile(*call[:4], shared_mem=call[4]).total
            assert total.sectors <= 1.01 * passes * x.nbytes / 32


@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.parametrize("left_out", [None, 0, 1])
def test_each_barrier_of_the_cluster_is_missed(launches, left_out, number):
    """By the checker, which finds nothing else."""
    x = np.random.default_rng(0).standard_normal((1, 10_000)).astype(np.float32)
    results(device(launches, 30 << 10), x, x, False)
    _, grid, *_ = launches.calls[number]
    assert grid[0] > 1
    misses_a_barrier(launches.calls[number], left_out)


def test_architectures_of_kernels_with_clusters(tmp_path, compiler):
    """A file of kernels with clusters is compiled for a GPU that has them; any can be chosen."""
    file = tmp_path / "clusters.cu"
    file.write_text("""\
__global__ void __launch_bounds__(64) __cluster_dims__(2, 1, 1) pairs(int* y) {
    int rank; asm("mov.u32 %0, %%cluster_ctarank;" : "=r"(rank)); y[blockIdx.x] = rank;
}
""")
    y = np.zeros(4, np.int32)
    ptx.load(file, "pairs")((4,), (1,), (y,))
    assert y.tolist() == [0, 1, 0, 1]
    file.write_text("__global__ void target(int* y) { y[0] = __CUDA_ARCH__ / warpSize; }")
    for architecture, is_for in ((None, 800), ("sm_90a", 900)):
        ptx.load(file, "target", architecture=architecture)((1,), (1,), (y,))
        assert y[0] == is_for // 32
