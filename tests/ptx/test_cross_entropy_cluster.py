"""Rows of a cross-entropy shared by the blocks of a cluster (kernels/softmax_ce_cluster.cu), which the simulator in C++
does not have: against NumPy in float64, and its accesses counted."""

import ml_dtypes
import numpy as np
import pytest

import gpunet
from gpunet import ptx
from gpunet.devices.cuda import CudaDevice
from gpunet.ops.cluster_launch import parts_of
from gpunet.ops.cross_entropy_launch import softmax_rows
from gpunet.sim import cupy as xp
from tests.kernel.test_softmax_ce import TOLERANCE, reference
from tests.ptx.test_check_tables import extents

BFLOAT16 = np.dtype(ml_dtypes.bfloat16)


class Launches:
    """Loads kernels for sm_90a, and remembers what they are launched with."""

    def __init__(self):
        self.calls = []

    def __call__(self, file, expression, options=()):
        function = ptx.Function(file, expression, options, "sm_90a")

        def launch(grid, block, arguments, shared_mem=0):
            self.calls.append((function, grid, block, arguments, shared_mem))
            function.max_dynamic_shared_size_bytes = max(48 << 10, shared_mem)
            function(grid, block, arguments, shared_mem)

        return launch


@pytest.fixture
def launches(compiler):
    return Launches()


def device(launches, memory=48 * 1024):
    return CudaDevice(gpunet.device("sim"), xp, launches, sm_count=4, capability=90, shared_memory=memory)


def run(cuda, x, target, smoothing=0.1, in_place=False):
    losses, logits = cuda.empty(len(x), np.float32), xp.asarray(x)
    gradient = logits if in_place else cuda.empty(x.shape, x.dtype)
    if not in_place:
        gradient.fill(77)
    softmax_rows(cuda, losses, gradient, logits, xp.asarray(target), None, -100, smoothing)
    return losses.get(), gradient.get().astype(float)


# Two, four and eight blocks; rows of whole vectors and not; parts that do not fit, and are read again.
@pytest.mark.parametrize("classes, dtype, memory, blocks", [
    (40_000, "float32", 227 << 10, 2), *(pytest.param(*case, marks=pytest.mark.slow) for case in (
        (33_001, "float32", 100 << 10, 4), (40_000, "float32", 48 << 10, 8), (70_004, "float32", 48 << 10, 8),
        (40_000, BFLOAT16, 48 << 10, 4), (40_001, "float16", 70 << 10, 4), (200_000, "float32", 227 << 10, 8)))],
    ids=str)
def test_losses_and_gradients(launches, classes, dtype, memory, blocks):
    rng = np.random.default_rng(classes)
    x = (rng.standard_normal((4, classes)) * 3).astype(dtype)
    target = np.array([0, classes - 1, -100, classes // 2])
    losses, gradient = run(device(launches, memory), x, target)
    assert [call[0].name.partition("<")[0] for call in launches.calls] == ["softmax_ce_cluster"]
    assert launches.calls[0][1] == (4 * blocks,)
    exact_losses, exact = reference(x, target, -100, 0.1, "none")
    tolerance = TOLERANCE[x.dtype.name]
    np.testing.assert_allclose(losses, exact_losses, rtol=max(tolerance, 1e-5))
    np.testing.assert_allclose(gradient, exact, rtol=tolerance, atol=tolerance * np.abs(exact).max())
    again = run(device(launches, memory), x, target, in_place=True)
    np.testing.assert_array_equal(again[0], losses)
    np.testing.assert_array_equal(again[1], gradient)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_outliers(launches, smoothing):
    """Blocks that see nothing but -infinity beside others; rows of it alone, of NaN in one block, wrong targets."""
    x = np.random.default_rng(0).standard_normal((7, 40_000)).astype(np.float32)
    x[0, 1] = 3e38
    x[1, 5001:] = x[2, :-7] = -np.inf
    x[3] = -np.inf
    x[4, 30_000] = np.nan
    x[5] -= 1e4
    target = np.array([1, 3, 39_999, 0, 7, 20_000, 40_000])
    cuda = device(launches)
    losses, gradient = run(cuda, x, target, smoothing)
    assert cuda.errors.get().tolist() == [1, 6, 40_000, 40_000]
    with np.errstate(all="ignore"):
        exact_losses, exact = reference(x[:6], target[:6], -100, smoothing, "none")
    assert np.isnan(losses).tolist() == [False, False, False, True, True, False, True]
    finite = slice(1 if smoothing else 0, 6)  # a sum of 40,000 times 3e38 is infinite in float32
    np.testing.assert_allclose(losses[finite], exact_losses[finite], rtol=1e-5)
    np.testing.assert_allclose(gradient[[0, 1, 2, 5]], exact[[0, 1, 2, 5]], rtol=1e-5, atol=1e-6)
    assert np.isnan(gradient[3:5]).all() and not gradient[6].any()


def test_how_many_blocks_share_a_row():
    """As few as leave a multiprocessor room for two; of an H100 eight take 229,376 logits in float32 at most so."""
    shared, half = parts_of, 28_672
    assert [shared(classes, 4, half) for classes in (40_000, 57_344, 57_348, 229_376, 400_000)] == [
        (2, 20_000), (2, 28_672), (4, 14_340), (8, 28_672), (8, 50_000)]


def misses_a_barrier(launch, left_out):
    """The checker finds nothing in a launch, and what each of the cluster's two barriers orders where that one is left
    out."""
    function, grid, block, arguments, shared_mem = launch
    lines = function.kernel.text.split("\n")
    barriers = [number for number, line in enumerate(lines) if "barrier.cluster" in line]
    assert len(barriers) == 2
    if left_out is not None:
        lines[barriers[left_out]] = ""
    found = ptx.check(ptx.Kernel("\n".join(lines), function.kernel.name), grid, block, arguments,
                      shared_mem=shared_mem, extents=extents(arguments))
    wrong = {None: set(), 0: {"race", "uninitialised"}, 1: {"race"}}[left_out]
    assert {each.kind for each in found} == wrong, "\n".join(map(str, found))


@pytest.mark.parametrize("left_out", [None, 0, 1])
def test_each_barrier_of_the_cluster_is_missed(launches, left_out):
    """By the checker, which finds nothing else."""
    x = np.random.default_rng(0).standard_normal((1, 40_000)).astype(np.float32)
    run(device(launches), x, np.array([5]))
    launch, = launches.calls
    misses_a_barrier(launch, left_out)


def test_each_logit_is_read_once(launches):
    x = np.random.default_rng(0).standard_normal((2, 49_152)).astype(np.float32)
    run(device(launches, 100 << 10), x, np.array([5, 49_151]))
    (call,) = launches.calls
    total = ptx.profile(*call[:4], shared_mem=call[4]).total
    # No bank conflicts, but that four blocks' sums, read by each of 16 warps of 8 blocks, have the same place in these.
    assert total.wavefronts == total.least_wavefronts + 3 * 16 * 8 * (4 - 1)
    assert total.sectors <= 1.01 * 2 * x.nbytes / 32  # a reading and a writing; targets, losses
