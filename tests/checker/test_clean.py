"""Right kernels: the checker says nothing of them, and what they compute is right, in both modes of the simulator.

Among them are the patterns that a checker is likely to misread: blocks that pass results on with fences and atomics,
warps that do different work, several buffers with one barrier, copies beside the computation, collectives of a few
lanes. `wants` of a row is given the arguments as they are before the launch, and returns what the first ones are to be
after it: an array or a tuple of arrays. Ellipsis: whatever it is.
"""

import functools

import ml_dtypes
import numpy as np
import pytest

import gpunet.sim.cupy as xp
from gpunet import sim
from tests.checker.harness import HERE, build, check, module, row, three

F64 = np.float64


class Sorted(np.ndarray):
    """Values that may stand in any order."""

    def __new__(cls, values):
        return np.asarray(values).view(cls)


def kept(x, size):
    return Sorted(np.pad(x[x > 0], (0, size - (x > 0).sum())))


def softmax(x):
    e = np.exp(x.astype(F64) - x.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def layernorm(x, weight, bias, eps):
    x = x.astype(F64)
    return (x - x.mean(1, keepdims=True)) / np.sqrt(x.var(1, keepdims=True) + eps) * weight + bias


def largest(x, k):
    places = np.argsort(-x, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(x, places, 1), places


def convolve(x):
    weight, padded = np.array([1, 4, 6, 4, 1]), np.pad(x.astype(F64), 2)
    return sum(weight[i] * weight[j] * padded[i:i + x.shape[0], j:j + x.shape[1]] for i in range(5) for j in range(5))


def life(board, steps):
    for _ in range(steps):
        count = sum(np.roll(board, (i, j), (0, 1)) for i in (-1, 0, 1) for j in (-1, 0, 1))
        board = np.where(board, (count == 3) | (count == 4), count == 3).astype(board.dtype)
    return board


def neighbours(x, steps):
    x = x.reshape(-1, 64).astype(F64)
    for _ in range(steps):
        x[::2] += np.roll(x[::2], -1, 1)
    return x.ravel()


def grid_of(depth, height, width):
    z, y, x = np.indices((depth, height, width))
    return np.array([3, 1, 4, 1])[(x + y + z) % 4] * 100 + x


def bits(places, words):
    found = np.zeros(32 * words, bool)
    found[places] = True
    return np.packbits(found, bitorder="little").view(np.uint32)


def two_branches(x):
    lane = np.arange(32)
    return np.where(lane < 16, x + x[lane ^ 1], x - x[lane ^ 2])


def stages(x):
    """What thread t of 64 adds up of tiles of 64 vectors of four."""
    return x.astype(F64).reshape(-1, 64, 4).sum((0, 2))[::-1]


def consumers(x):
    lane, total = np.arange(32), x.astype(F64).sum(0)
    return np.concatenate([total[(lane + 1) % 32], total[(lane + 2) % 32]])


PARTICLE = [("place", "f4", 3), ("mass", "f4"), ("number", "i4")]


def particles():
    array = np.zeros(20, PARTICLE)
    array["place"], array["mass"] = np.random.default_rng(1).normal(size=(20, 3)), np.arange(20)
    return array.view(np.uint8)


def sums_of_particles(array):
    array = array.view(PARTICLE)
    return array["place"][:, :2].sum(1) + array["mass"]


@functools.cache  # keeps the array, whose address is all that the map has
def matrix():
    return xp.asarray(np.random.default_rng(2).normal(size=(80, 32)).astype(np.float32))


def tensor_map():
    return sim.tensor_map(matrix(), (16, 32))


def float_of(bf16):
    return np.asarray(bf16).astype(F64)


TABLE = {
    "reductions.cu": [
        row("tree", 3, 64, "f32[3]", "f32[170]=normal", "i32=170", shared=256,
            wants=lambda out, x, n: np.pad(x, (0, 22)).reshape(3, 64).sum(1)),
        row("tree_with_a_last_warp", 1, 128, "f32[1]", "f32[128]=normal", wants=lambda out, x: x.sum()),
        row("last_block", 7, 128, "f32[1]", "f32[7]", "u32[1]=0", "f32[3000]=normal", "i32=3000",
            wants=lambda out, sums, done, x, n: (x.sum(dtype=F64), ..., 0)),
        row("last_block_of_many_writers", 5, 64, "f32[1]", "f32[320]", "u32[1]=0", "f32[320]=normal",
            wants=lambda out, parts, done, x: (2 * x.sum(dtype=F64), 2 * x, 0)),
        row("dot", 4, 96, "f32[1]=0", "f32[1000]=normal", "f32[1000]=normal", "i32=1000",
            wants=lambda out, a, b, n: a.astype(F64) @ b),
        row("softmax", 3, 64, "f32[5,70]", "f32[5,70]=normal(0,3)", "i32=5", "i32=70",
            wants=lambda out, x, *_: softmax(x)),
        row("layernorm", 4, 128, "f32[4,300]", "f32[4,300]=normal(1,2)", "f32[300]=normal", "f32[300]=normal",
            "i32=300", "f32=1e-5", wants=lambda out, x, w, b, columns, eps: layernorm(x, w, b, eps)),
        row("welford", 3, 128, "f32[3]", "f32[3]", "f32[3,500]=normal(100,2)", "i32=500",
            wants=lambda mean, variance, x, columns: (x.mean(1, F64), x.var(1, F64))),
        row("segments", 2, 64, "f32[13]", "f32[100]=normal",
            "i32[14]=[0,3,3,20,21,29,30,50,58,70,71,90,95,100]", "i32=13",
            wants=lambda out, x, starts, count: [x[a:b].sum() for a, b in zip(starts[:-1], starts[1:], strict=True)]),
        row("positives", 4, 64, "i32[4]", "f32[230]=normal", "i32=230",
            wants=lambda out, x, n: (np.pad(x, (0, 26)).reshape(4, 64) > 0).sum(1)),
        row("top_k", 3, 32, "f32[3,5]", "i32[3,5]", "f32[3,50]=normal", "i32=50", "i32=5",
            wants=lambda values, places, x, columns, k: largest(x, k)),
        row("sum_of_some_lanes", 1, 32, "i32[20]", "i32[32]=arange", "i32=20",
            wants=lambda out, x, n: np.full(20, 190)),
        row("two_branches_two_masks", 1, 32, "f32[32]", "f32[32]=normal", wants=lambda out, x: two_branches(x)),
    ],
    "scans.cu": [
        row("hillis_steele", 1, 128, "f32[100]", "f32[100]=normal", "i32=100", shared=1024,
            wants=lambda out, x, n: x.cumsum(dtype=F64)),
        row("blelloch", 1, 64, "i32[128]", "i32[128]=randint(100)", wants=lambda out, x: x.cumsum() - x),
        row("scan_by_warps", 1, 160, "i32[160]", "i32[160]=randint(100)", wants=lambda out, x: x.cumsum()),
        row("look_back", 6, 64, "i32[384]", "i32[6]=0", "i32[6]", "i32[6]=0", "i32[1]=0", "i32[384]=randint(100)",
            wants=lambda out, sums, totals, state, ticket, x: (x.cumsum(), ..., x.cumsum()[63::64], 2, 6)),
        row("compact", 3, 64, "f32[192]=0", "i32[1]=0", "f32[170]=normal", "i32=170",
            wants=lambda out, count, x, n: (kept(x, 192), (x > 0).sum())),
        row("compact_coalesced", 3, 64, "f32[192]=0", "i32[1]=0", "f32[170]=normal", "i32=170",
            wants=lambda out, count, x, n: (kept(x, 192), (x > 0).sum())),
        row("histogram_aggregated", 3, 64, "i32[8]=0", "i32[192]=randint(8)",
            wants=lambda counts, keys: np.bincount(keys, minlength=8)),
        row("bitonic_sort", 3, 128, "f32[3,128]=normal", wants=lambda x: np.sort(x, 1)),
        row("radix_split", 1, 128, "u32[128]", "u32[128]=randint(1000)", "i32=3",
            wants=lambda out, x, bit: x[np.argsort(x >> 3 & 1, kind="stable")]),
    ],
    "tiles.cu": [
        row("transpose", (3, 2), (16, 16), "f32[40,25]", "f32[25,40]=normal", "i32=25", "i32=40",
            wants=lambda out, x, *_: x.T),
        row("stencil", 3, 64, "f32[150]", "f32[150]=normal", "i32=150",
            wants=lambda out, x, n: np.convolve(x, [1, 2, 1], "same")),
        row("convolution", (3, 2), (8, 8), "f32[13,20]", "f32[13,20]=normal", "i32=13", "i32=20",
            wants=lambda out, x, *_: convolve(x)),
        row("product<8>", (3, 3), (8, 8), "f32[20,17]", "f32[20,30]=normal", "f32[30,17]=normal", "i32=20", "i32=17",
            "i32=30", wants=lambda c, a, b, *_: a.astype(F64) @ b),
        row("product_in_registers", 1, 256, "f32[64,64]", "f32[64,48]=normal", "f32[48,64]=normal", "i32=64",
            "i32=48", wants=lambda c, a, b, *_: a.astype(F64) @ b),
        row("matrix_times_vector", 3, 64, "f32[5]", "f32[5,100]=normal", "f32[100]=normal", "i32=5", "i32=100",
            shared=400, wants=lambda out, a, x, *_: a.astype(F64) @ x),
        row("histogram", 3, 96, "i32[256]=0", "u8[2000]=randint(256)", "i32=2000",
            wants=lambda counts, x, n: np.bincount(x, minlength=256)),
        row("three_arrays", 1, 64, "f64[41]", "f32[41]=normal", "i32=41", shared=41 * 13,
            wants=lambda out, x, n: (x.astype(F64) * np.abs(x))[::-1]),
        row("bytes_of_one_word", 1, 64, "u8[50]", "u8[64]=randint(40)", "i32=50",
            wants=lambda out, x, n: (x[np.arange(64) ^ 1] + 2 * x[::-1])[:50]),
        row("game_of_life", 1, (16, 16), "u8[16,16]=randint(2)", "i32=3", wants=life),
        row("three_dimensions", (2, 2, 2), (8, 4, 2), "i32[3,7,11]", "i32=3", "i32=7", "i32=11",
            wants=lambda out, *sizes: grid_of(*sizes)),
        row("barriers_in_uniform_branches", 4, 64, "f32[256]", "f32[256]=normal", "i32=3",
            wants=lambda out, x, steps: neighbours(x, steps)),
    ],
    "atomics.cu": [
        row("sum_of_doubles", 2, 64, "f64[1]=0", "f64[200]=normal", "i32=200", wants=lambda out, x, n: x.sum()),
        row("sum_from_a_guess", 2, 64, "f64[1]=0", "f32[1]=0", "f32[200]=arange", "i32=200",
            wants=lambda out, most, x, n: (x.sum(dtype=F64), x.max())),
        row("largest_half", 2, 64, "f16[1]=-100", "f16[200]=normal", "i32=200", wants=lambda out, x, n: x.max()),
        row("smallest_and_largest", 2, 64, "f32[1]=inf", "f32[1]=-inf", "f32[100]=normal", "i32=100",
            wants=lambda smallest, largest, x, n: (x.min(), x.max())),
        row("marks_bits", 2, 64, "u32[4]=0", "i32[100]=randint(128)", "i32=100",
            wants=lambda words, places, n: bits(places, 4)),
        row("lock_with_fences", 5, 32, "i32[1]=0", "i32[1]=0", "i32=3", wants=lambda count, lock, rounds: (15, 0)),
        row("publishes_with_fences", 2, 1, "f32[1]=0", "f32[1]=0", "i32[1]=0",
            wants=lambda *_: (..., 42, 1)),  # whether the second block comes in time is open
        row("takes_work_from_a_queue", 3, 32, "f32[500]", "i32[1]=0", "f32[500]=normal", "i32=500",
            wants=lambda out, next, x, n: 2 * x),
        row("inserts_keys", 2, 32, "i32[97]=-1", "i32[60]=randint(1000)", "i32=60", "i32=97",
            wants=lambda table, keys, n, slots: Sorted([*np.unique(keys), *[-1] * (slots - np.unique(keys).size)])),
        row("counts_in_shared_halves", 1, 64, "f32[16]", "i32[64]=randint(16)",
            wants=lambda out, keys: np.bincount(keys, minlength=16)),
    ],
    "variables.cu": [
        row("last_block", 4, 64, "f32[1]", "f32[4]", "f32[4]=normal", wants=lambda out, parts, x: (x.sum(), x)),
        row("sum_under_a_lock", 4, 32, "f32[1]=0", "f32[4]=normal", wants=lambda out, x: x.sum()),
        row("tables_of_a_module", 1, 32, "i32[4]", wants=lambda out: np.array([2, 7, 7 + 3 + 4 + 16, ord("a")])),
    ],
    "blocks.cu": [
        row("flag_between_warps", 1, 64, "i32[1]", "i32[1]=7", wants=lambda out, x: x),
        row("rotates_twice", 5, 64, "i32[320]", "i32[320]", "i32[1]=0", "i32[320]=arange",
            wants=lambda y, z, arrived, x: (np.roll(x, -128), np.roll(x, -64), 10)),
        row("rotates_by_grid_barriers", 5, 64, "i32[320]", "i32[320]", "i32[320]=arange",
            wants=lambda y, z, x: (np.roll(x, -128), np.roll(x, -64))),
        row("adds_in_order", 5, 64, "f32[64]", "i32[1]=0", "f32[5,64]=normal",
            wants=lambda sums, turn, x: (x.astype(F64) * 0.5 ** np.arange(5)[::-1, None]).sum(0)),
        row("hands_on", 9, 32, "i32[1]=0", "i32[9]", wants=lambda turn, out: (9, 2 ** np.arange(9)[::-1])),
    ],
    "numbers.cu": [
        row("scale_and_add", 2, 64, "f32[300]=normal", "f32[300]=normal", "f32=0.5", "i64=300",
            wants=lambda y, x, a, n: y + a * x),
        row("half_pairs", 2, 32, "f16[100]", "f16[100]=normal", "f16[100]=normal", "i32=50",
            wants=lambda out, a, b, n: (a * (b.astype(F64) + 2)).astype(np.float16)),
        row("bfloat_rows", 3, 32, "bf16[3,50]", "bf16[3,50]=normal", "f32[50]=normal", "i32=50",
            wants=lambda out, x, weight, columns: (x.astype(np.float32) * weight).astype(ml_dtypes.bfloat16)),
        row("vectors_and_a_tail", 1, 64, "f32[103]", "f32[103]=normal", "i32=103", wants=lambda out, x, n: -x),
        row("particles", 1, 32, "f32[20]", particles, "i32=20",
            wants=lambda out, p, n: sums_of_particles(p)),
        row("largest_of_doubles", 1, 64, "f64[1]", "i32[1]", "f64[64]=normal",
            wants=lambda value, place, x: (x.max(), x.argmax())),
        row("reversed<double,3>", 1, 8, "f64[8,3]", "f64[8,3]=normal", wants=lambda out, x: x[:, ::-1]),
        row("medians", 2, 8, "f32[16]", "f32[16,9]=normal", "i32=9", wants=lambda out, x, n: np.median(x, 1)),
        row("in_place", 2, 64, "f32[100]=normal", "i32=100", wants=lambda x, n: np.where(x > 0, x, np.expm1(x))),
        row("gather_rows", 3, 32, "f32[3,40]", "f32[6,40]=normal", "i64[3]=[5,0,2]", "bool[3]=[1,0,1]", "null",
            "i32=40", wants=lambda out, x, rows, mask, *_: x[rows] * mask[:, None]),
        row("gather_rows", 3, 32, "f32[3,40]", "f32[6,40]=normal", "i64[3]=[5,0,2]", "bool[3]=[1,0,1]",
            "f32[40]=normal", "i32=40", wants=lambda out, x, rows, mask, bias, _: x[rows] * mask[:, None] + bias),
    ],
    "pipelines.cu": [
        row("double_buffer", 1, 64, "f32[64]", "f32[5,256]=normal", "i32=5", wants=lambda out, x, n: stages(x)),
        row("four_stages", 1, 64, "f32[64]", "f32[7,256]=normal", "i32=7", shared=4096,
            wants=lambda out, x, n: stages(x)),
        row("four_stages", 1, 64, "f32[64]", "f32[2,256]=normal", "i32=2", shared=4096,
            wants=lambda out, x, n: stages(x)),
        row("copies_with_a_tail", 2, 128, "f32[2]", "f32[200]=normal", "i32=200",
            wants=lambda out, x, n: np.pad(x, (0, 56)).reshape(2, 128).sum(1)),
        row("specialised_warps", 1, 64, "f32[32]", "f32[7,32]=normal", "i32=7",
            wants=lambda out, x, n: x.sum(0)[::-1]),
        row("specialised_warps_with_mbarriers", 1, 96, "f32[64]", "f32[8,32]=normal", "i32=8",
            wants=lambda out, x, n: consumers(x)),
        row("tiles_by_tma", 1, 32, "f32[32]", tensor_map, "i32=5", wants=lambda *_: matrix().get().sum(0)),
        row("product_of_bfloats", 1, 64, "f32[16,16]", "bf16[16,80]=normal", "bf16[16,80]=normal", "i32=80",
            wants=lambda c, a, b, k: float_of(a) @ float_of(b).T),
    ],
}


CASES = [pytest.param(file, case, id=f"{file}-{case.kernel}") for file, cases in TABLE.items() for case in cases]


def function(file, kernel):
    templates = tuple(case.kernel for case in TABLE[file] if "<" in case.kernel)
    return module(HERE / "clean" / file, templates).get_function(kernel)


def compare(case, before, after):
    expected = case.wants(*before)
    for found, want in zip(after, expected if isinstance(expected, tuple) else (expected,), strict=False):
        if want is ...:
            continue
        found = np.asarray(found)
        if isinstance(want, Sorted):
            found, want = np.sort(found), np.sort(want)
        tolerance = {2: 2e-3, 4: 2e-5, 8: 1e-12}.get(found.itemsize) if found.dtype.kind not in "iu" else 0
        np.testing.assert_allclose(found.astype(F64), np.broadcast_to(np.asarray(want).astype(F64), found.shape),
                                   rtol=tolerance, atol=10 * tolerance)


@pytest.mark.parametrize("file, case", CASES)
def test_results(file, case):
    values = build(case)
    before = [value.copy() if isinstance(value, np.ndarray) else value for value in values]
    given = [xp.asarray(value) if isinstance(value, np.ndarray) else value for value in values]
    function(file, case.kernel)(three(case.grid), three(case.block), tuple(given), shared_mem=case.shared)
    compare(case, before, [value.get() if isinstance(value, xp.ndarray) else value for value in given])


@pytest.mark.parametrize("file, case", CASES)
def test_nothing_is_found(file, case):
    values = build(case)
    before = [value.copy() if isinstance(value, np.ndarray) else value for value in values]
    findings = check(function(file, case.kernel), case, values)
    assert not findings, "\n".join(map(str, findings))
    compare(case, before, values)
