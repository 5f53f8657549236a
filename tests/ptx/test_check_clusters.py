"""The checker on PTX, on blocks of a cluster that use each other's shared memory: planted mistakes are found at their
lines, and right kernels are silent."""

import ml_dtypes
import numpy as np
import pytest

import gpunet
from gpunet import ptx
from gpunet.devices.cuda import CudaDevice
from gpunet.kernel import nvrtc
from gpunet.kernel.finding import remedy_of
from gpunet.ops.matmul_hopper import HOPPER, launch_hopper, turned
from gpunet.ops.matmul_launch import Product, operand
from gpunet.sim import cupy as xp
from tests.ptx.test_check_tables import extents
from tests.ptx.test_cross_entropy_cluster import Launches

# A line of shared memory in each block, [%a] the thread's place in it, and [%far] that in the other block's.
BODY = """.version 8.3
.target sm_90
.address_size 64
.visible .entry body(.param .u64 y, .param .u64 x) @CLUSTER@
{
.shared .align 16 .b8 line[128];
@MORE@
.reg .b32 %t, %i, %a, %v, %n, %rank, %other, %far; .reg .b64 %y, %at, %generic; .reg .pred %p;
mov.u32 %t, %tid.x; mov.u32 %n, %ctaid.x; mad.lo.u32 %i, %n, 32, %t;
ld.param.u64 %y, [y]; mul.wide.u32 %at, %i, 4; add.s64 %y, %y, %at;
mov.u32 %a, line; shl.b32 %i, %t, 2; add.u32 %a, %a, %i; mov.u32 %v, 0;
mov.u32 %rank, %cluster_ctarank; xor.b32 %other, %rank, 1; mapa.shared::cluster.u32 %far, %a, %other;
@STEPS@
st.global.u32 [%y], %v;
ret;
}
"""
# With an mbarrier, and 32 numbers at [%x] to be copied into the lines of both blocks.
MBARRIER = ".shared .align 8 .b64 bar; .reg .b64 %x; .reg .b32 %there; .reg .b16 %both; mov.b16 %both, 3;"
WRITE, READ = "st.shared.u32 [%a], %n;", "ld.shared::cluster.u32 %v, [%far];"
ARRIVE, WAIT = "barrier.cluster.arrive;", "barrier.cluster.wait;"
RELAXED, FENCE = "barrier.cluster.arrive.relaxed;", "fence.acq_rel.cluster;"
AGAIN, FAR = "st.shared.u32 [%a], 7;", "st.shared::cluster.u32 [%far], %t;"
ADD = "atom.shared::cluster.add.u32 %i, [%far], 1;"
# By generic addresses, as cluster.map_shared_rank gives them.
MAP, GENERIC = "cvta.shared.u64 %generic, %a; mapa.u64 %generic, %generic, %other;", "ld.u32 %v, [%generic];"
GENERIC_WRITE = "st.u32 [%generic], %t;"
# Both blocks use that of rank 0.
FIRST, OWN = "mapa.shared::cluster.u32 %far, %a, 0;", "ld.shared.u32 %v, [%a];"


def check(*steps, cluster=".reqnctapercluster 2", grid=4, more=""):
    """What is found, and what the blocks have written."""
    y, x = np.zeros((4, 32), np.int32), np.full(32, 7, np.int32)
    text = BODY.replace("@STEPS@", "\n".join(steps)).replace("@CLUSTER@", cluster).replace("@MORE@", more)
    return ptx.check(ptx.Kernel(text), grid, 32, (y, x), names=["y", "x"]), y


BEGUN, ENDED = "may come before that block has begun", "may come after that block has ended"


def races(found):
    """The lines of each race."""
    return {tuple(sorted((each.source, each.other.source))) for each in found if each.kind == "race" and each.other}


def lines(found, words):
    return [each.source for each in found if words in each.message]


@pytest.mark.parametrize("steps, values", [
    ((WRITE, ARRIVE, WAIT, READ, ARRIVE, WAIT, AGAIN), [1, 0, 3, 2]),
    ((WRITE, FENCE, RELAXED, WAIT, READ, RELAXED, WAIT), [1, 0, 3, 2]),
    ((WRITE, ARRIVE, "mov.u32 %i, 5;", WAIT, READ, ARRIVE, WAIT), [1, 0, 3, 2]),
    ((MAP, WRITE, ARRIVE, WAIT, GENERIC, ARRIVE, WAIT, GENERIC_WRITE, ARRIVE, WAIT, OWN, "sub.s32 %v, %v, %t;"),
     [0] * 4),
    (("st.shared.u32 [%a], 0;", ARRIVE, WAIT, FIRST, ADD, ARRIVE, WAIT, READ, ARRIVE, WAIT), [2] * 4),
], ids=["in turn", "fence", "apart", "generic addresses", "atomics"])
def test_nothing_is_found(steps, values):
    found, y = check(*steps)
    assert not found, "\n".join(map(str, found))
    assert (y == np.array(values)[:, None]).all()


@pytest.mark.parametrize("steps", [(WRITE,), (WRITE, RELAXED, WAIT), (ARRIVE, WRITE, WAIT)],
                         ids=["no barrier", "relaxed", "written after the arrival"])
def test_a_read_that_is_not_ordered(steps):
    found, _ = check(*steps, READ, ARRIVE, WAIT)
    assert races(found) == {(READ, WRITE)}
    race = next(each for each in found if each.kind == "race" and each.other)
    assert race.message.endswith("no barrier of the cluster lies between them") and race.array == "line"
    assert race.block != race.other.block and "cluster.sync()" in remedy_of(race)
    assert lines(found, BEGUN) == ([READ] if steps == (WRITE,) else [])
    assert {each.kind for each in found} <= {"race", "uninitialised"}


def test_a_write_over_what_others_still_read():
    assert races(check(WRITE, ARRIVE, WAIT, READ, AGAIN, ARRIVE, WAIT)[0]) == {(READ, AGAIN)}
    store = "st.shared::cluster.u32 [%far], %n;"
    found, = check(WRITE, ARRIVE, WAIT, FIRST, store, ARRIVE, WAIT)[0]
    assert (found.kind, found.severity, found.source, found.other.source) == ("race", "error", store, store)


def test_memory_of_a_block_that_has_not_begun():
    found, = check(FAR, ARRIVE, WAIT, OWN)[0]
    assert BEGUN in found.message and found.source == FAR and found.message.startswith("a write of another block's")


@pytest.mark.parametrize("steps", [(READ,), (ARRIVE, READ, WAIT)], ids=["no barrier", "arrived before"])
def test_a_block_that_leaves_early(steps):
    found, = check(WRITE, ARRIVE, WAIT, *steps)[0]
    assert (found.kind, found.source, found.count) == ("race", READ, 128)
    assert ENDED in found.message and found.array == "line" and found.index == 0


@pytest.mark.parametrize("bytes, element, thread", [(4, "line[32]", 31), (-4, "line[-1]", 0)])
def test_an_index_beyond_the_other_blocks_array(bytes, element, thread):
    beyond = READ.replace("%far", f"%far+{bytes}")
    found, = check(WRITE, ARRIVE, WAIT, beyond, ARRIVE, WAIT)[0]
    assert (found.kind, found.source, found.element) == ("out of bounds", beyond, element)
    assert (found.thread, found.count) == ((thread, 0, 0), 4)
    assert found.message == "a read of 4 bytes outside the array of another block"


@pytest.mark.parametrize("way", ["add", "sub"])
def test_the_rank_of_a_block_that_is_not_there(way):
    rank = f"{way}.u32 %other, %rank, 1; mapa.shared::cluster.u32 %far, %a, %other;"
    found, = check(rank, WRITE, ARRIVE, WAIT, READ, ARRIVE, WAIT)[0]
    assert (found.kind, found.source, found.block) == ("out of bounds", READ, (way == "add", 0, 0))
    assert "of a block that the cluster does not have" in found.message


def test_what_the_other_block_has_not_written():
    found, = check(ARRIVE, WAIT, READ, ARRIVE, WAIT)[0]
    assert (found.kind, found.source) == ("uninitialised", READ)
    assert found.message == "a read of 4 bytes of another block, which nothing has written"


def test_the_barrier_of_a_block_that_has_no_cluster():
    """It orders the block's own threads."""
    steps = "st.shared.u32 [%a], %n;", ARRIVE, WAIT, "xor.b32 %far, %a, 64;", "ld.shared.u32 %v, [%far];"
    assert not check(*steps, cluster="")[0]
    assert races(check(*steps[:1], *steps[3:], cluster="")[0])


def test_a_barrier_to_which_the_other_block_does_not_come():
    alone = "bar.sync 1, 64;"
    found, = check("setp.eq.u32 %p, %rank, 0; @%p bra ON;", alone, "ON:", ARRIVE, WAIT)[0]
    assert (found.kind, found.source, found.other.source) == ("deadlock", WAIT, alone)
    assert (found.block, found.other.block) == ((0, 0, 0), (1, 0, 0))


def test_blocks_of_clusters_in_two_dimensions():
    """Findings call them as the grid does."""
    rank = "add.u32 %other, %rank, 1; mapa.shared::cluster.u32 %far, %a, %other;"
    found, _ = check(rank, WRITE, ARRIVE, WAIT, READ, ARRIVE, WAIT, cluster=".reqnctapercluster 2, 2", grid=(4, 2))
    assert [each.block for each in found if each.kind == "out of bounds"] == [(1, 1, 0)]


# ---- mbarriers of other blocks, and copies to several ----------------------------------------------------------------
AT = "shared::cta.b64"


def by_one(label, *steps):
    """Steps of the first thread."""
    return f"setp.ne.u32 %p, %t, 0; @%p bra {label};\n" + "\n".join(steps) + f"\n{label}:"


def full(label, parity=0):
    return f"{label}: mbarrier.try_wait.parity.acquire.cluster.{AT} %p, [bar], {parity}; @!%p bra {label};"


FAR_ARRIVE = "mbarrier.arrive.release.cluster.shared::cluster.b64 _, [%there];"
MADE = by_one("MADE", f"mbarrier.init.{AT} [bar], 32;"), ARRIVE, WAIT, (
    "mov.u32 %there, bar; mapa.shared::cluster.u32 %there, %there, %other;")


def test_an_mbarrier_of_the_other_block_orders():
    """What its threads wrote before they arrived; and the block that waits for them does not end before."""
    found, y = check(*MADE, FAR, FAR_ARRIVE, full("FULL"), OWN, more=MBARRIER)
    assert not found, "\n".join(map(str, found))
    assert (y == np.arange(32)).all()


def test_a_fence_for_the_mbarrier_before_a_relaxed_arrival():
    init, fence = MADE[0], "fence.mbarrier_init.release.cluster;"
    steps = RELAXED, WAIT, *MADE[3:], FAR_ARRIVE, full("FULL")
    assert not check(init, fence, *steps, more=MBARRIER)[0]
    assert {each.kind for each in check(init, *steps, more=MBARRIER)[0]} == {"race"}


def test_a_write_after_the_arrival():
    found, _ = check(*MADE, FAR_ARRIVE, FAR, full("FULL"), OWN, more=MBARRIER)
    assert races(found) == {(OWN, FAR)}
    assert lines(found, ENDED) == [FAR]


def test_an_arrival_that_nobody_waits_for():
    found, = check(*MADE, FAR_ARRIVE, more=MBARRIER)[0]
    assert ENDED in found.message and found.source == FAR_ARRIVE and found.array == "bar"


ARMED = f"mbarrier.arrive.expect_tx.{AT} _, [bar], 128;"
COPY = ("cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes.multicast::cluster [line], [%x], 128, "
        "[bar], %both;")


def copied(label):
    """Block 0 copies to both."""
    return f"or.b32 %i, %t, %rank; setp.ne.u32 %p, %i, 0; @%p bra {label};\n{COPY}\n{label}:"


BEGUN_COPY = ("ld.param.u64 %x, [x];", by_one("READY", f"mbarrier.init.{AT} [bar], 1;", ARMED), ARRIVE, WAIT,
              copied("COPIED"))
ONCE_MORE = by_one("ARMED", ARMED), copied("AGAIN"), full("LATER", 1)


def test_copies_to_both_blocks():
    found, y = check(*BEGUN_COPY, full("FULL"), OWN, ARRIVE, WAIT, *ONCE_MORE, OWN, more=MBARRIER)
    assert not found, "\n".join(map(str, found))
    assert (y == 7).all()


def test_a_copy_to_both_blocks_that_is_not_waited_for():
    found, _ = check(*BEGUN_COPY, OWN, full("FULL"), ARRIVE, WAIT, more=MBARRIER)
    assert {(each.kind, each.source, each.other.source) for each in found} == {("async copy", OWN, COPY)}
    assert all(each.other.block == (each.block[0] // 2 * 2, 0, 0) for each in found)


def test_a_copy_over_what_the_other_block_still_reads():
    """Block 0 has waited for its own threads alone."""
    found, _ = check(*BEGUN_COPY, full("FULL"), OWN, "bar.sync 0;", *ONCE_MORE, more=MBARRIER)
    assert races(found) == {(COPY, COPY), (COPY, OWN)}
    assert {(each.block, each.other.block) for each in found} == {((0, 0, 0), (1, 0, 0))}


# ---- what NVRTC compiles ---------------------------------------------------------------------------------------------
# A histogram over the shared memory of a cluster, as NVIDIA's programming guide has it.
HISTOGRAM = """#include <cooperative_groups.h>
extern "C" __global__ void __cluster_dims__(2, 1, 1) histogram(int* bins, int each, const int* x, int n) {
    extern __shared__ int mine[];
    auto cluster = cooperative_groups::this_cluster();
    for (int i = threadIdx.x; i < each; i += blockDim.x) mine[i] = 0;
    cluster.sync();
    for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += blockDim.x * gridDim.x)
        atomicAdd(cluster.map_shared_rank(mine, x[i] / each) + x[i] % each, 1);
    cluster.sync();
    for (int i = threadIdx.x; i < each; i += blockDim.x) atomicAdd(bins + cluster.block_rank() * each + i, mine[i]);
}
"""


@pytest.mark.parametrize("left_out, found_at", [(None, set()), (6, {5, 8}), (9, {8, 10})])
def test_each_barrier_of_a_histogram_is_missed(tmp_path, compiler, left_out, found_at):
    if not nvrtc.libraries():
        pytest.skip("cooperative groups need the CCCL headers: pip install nvidia-cuda-cccl")
    lines = HISTOGRAM.split("\n")
    if left_out:
        assert "cluster.sync" in lines[left_out - 1]
        lines[left_out - 1] = ""
    file = tmp_path / "histogram.cu"
    file.write_text("\n".join(lines))
    x, bins = np.random.default_rng(0).integers(0, 64, 500).astype(np.int32), np.zeros(64, np.int32)
    found = ptx.check(ptx.Function(file, "histogram", (), "sm_90"), 4, 64, (bins, np.int32(32), x, np.int32(500)),
                      shared_mem=128)
    assert {each.line for finding in found for each in (finding, finding.other) if each} == found_at, "\n".join(
        map(str, found))
    assert all("of the cluster" in each.message for each in found if each.other)
    if left_out is None:
        np.testing.assert_array_equal(bins, np.bincount(x, minlength=64))


@pytest.mark.slow
@pytest.mark.parametrize("left_out, kinds", [(None, set()), (0, {"race", "deadlock"}), (1, {"race"})])
def test_each_barrier_of_a_product_by_pairs_is_missed(compiler, left_out, kinds):
    """Rings that are filled more than once, by copies to both blocks."""
    launches, kind = Launches(), np.dtype(ml_dtypes.bfloat16)
    cuda = CudaDevice(gpunet.device("sim"), xp, launches, sm_count=2, capability=HOPPER)
    rng = np.random.default_rng(0)
    a, b = (xp.asarray(rng.standard_normal(shape).astype(kind)) for shape in ((120, 520), (40, 520)))
    out, left, right = cuda.empty((120, 40), kind), operand(cuda, a, False), operand(cuda, b, True)
    launch_hopper(cuda, Product(out, left, right, 120, 40, 520), 256, 2)
    (function, grid, block, arguments, shared_mem), = launches.calls
    lines = function.kernel.text.split("\n")
    barriers = [number for number, line in enumerate(lines) if "barrier.cluster" in line]
    assert len(barriers) == 2
    if left_out is not None:
        lines[barriers[left_out]] = ""
    kernel = ptx.Kernel("\n".join(lines), function.kernel.name)
    found = ptx.check(kernel, grid, block, arguments, shared_mem=shared_mem, extents=extents(arguments))
    assert {each.kind for each in found} == kinds, "\n".join(map(str, found))


@pytest.mark.slow
@pytest.mark.parametrize("tb, tile_n, blocks", [(True, 256, 2), (False, 256, 2), (False, 128, 1)])
def test_products_in_tf32_make_no_mistakes(compiler, tb, tile_n, blocks):
    """Also where an operand is read to registers while copies run, and the result is turned on its way."""
    launches, (m, n, k) = Launches(), (120, 36, 264)
    cuda = CudaDevice(gpunet.device("sim"), xp, launches, sm_count=2, capability=HOPPER)
    rng = np.random.default_rng(0)
    a, b = (rng.standard_normal(shape).astype(np.float32) for shape in ((m, k), (n, k) if tb else (k, n)))
    out, left = cuda.empty((m, n), np.float32), operand(cuda, xp.asarray(a), False)
    right = operand(cuda, xp.asarray(b), tb)
    product = Product(out, left, right, m, n, k, bias=xp.asarray(np.ones(n, np.float32)))
    launch_hopper(cuda, product if tb else turned(product), tile_n, blocks)
    (function, grid, block, arguments, shared_mem), = launches.calls
    found = ptx.check(function, grid, block, arguments, shared_mem=shared_mem, extents=extents(arguments))
    assert not found, "\n".join(map(str, found))
    np.testing.assert_allclose(out.get(), a.astype(float) @ (b.T if tb else b) + 1, rtol=1e-3, atol=5e-2)
