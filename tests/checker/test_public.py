"""Kernels in the manner of public ones, in public/*.cu: samples, tutorials, a language model's training, extensions,
numerical work, all beside their host programs. Each is accepted and clean, and computes what it should.

`wants` as in test_clean.py. In some files a comment before each kernel says how it is launched or that it is refused:

    // launch: NAME GRID BLOCK [shared=BYTES] ARGUMENT ...        // refused: NAME WHAT
"""

import re

import numpy as np
import pytest

from gpunet import sim
from tests.checker.harness import HERE, build, check, module, row

F64 = np.float64


def structure(*fields):
    return lambda: sim.Record(*(field() if callable(field) else field for field in fields))


def rows_of(n, each):
    return lambda: np.arange(n + 1, dtype=np.int32) * each


def gelu(x):
    x = x.astype(F64)
    return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x ** 3)))


def layernorm(x, w, b):
    x = x.astype(F64)
    return (x - x.mean(1, keepdims=True)) / np.sqrt(x.var(1, keepdims=True) + 1e-5) * w + b


def losses(logits, targets):
    z = logits.astype(F64)
    return np.log(np.exp(z).sum(1)) - z[np.arange(len(z)), targets]


def hadamard(x):
    h = np.ones((1, 1))
    while len(h) < x.shape[1]:
        h = np.block([[h, h], [h, -h]])
    return x.astype(F64) @ h


def jacobi(a):
    b = np.zeros_like(a)
    b[1:-1, 1:-1] = (a[1:-1, 2:] + a[1:-1, :-2] + a[2:, 1:-1] + a[:-2, 1:-1]) / 4
    return b


def smoothed(x):
    return np.stack([np.convolve(line, [1, 2, 3, 4, 5, 4, 3, 2, 1], "same") for line in x.astype(F64)])


# By file: the launches, each with the number of the argument that is compared.
TABLE = {
    "samples.cu": [
        (2, row("vectorAdd", 4, 32, "f32[100]=normal", "f32[100]=normal", "f32[100]", "i32=100",
                wants=lambda a, b, *_: a + b)),
        (0, row("MatrixMulCUDA<16>", (2, 2), (16, 16), "f32[32,32]", "f32[32,48]=normal", "f32[48,32]=normal", "i32=48",
                "i32=32", wants=lambda _, a, b, *__: a.astype(F64) @ b)),
        (0, row("transposeNoBankConflicts", (2, 3), (16, 4), "f32[32,48]", "f32[48,32]=normal", "i32=32", "i32=48",
                wants=lambda _, x, *__: x.T)),
        (1, row("reduce6<float, 128, false>", 2, 128, "f32[700]=normal", "f32[2]", "u32=700", shared=512)),
        (1, row("reduceSinglePass", 4, 64, "f32[1000]=normal", "f32[4]", "u32=1000")),
        (1, row("reduceMultiPass", 3, 64, "f32[1000]=normal", "f64[3]", "u32=1000", shared=16)),
        (0, row("histogramKernel", 2, 64, "u32[2,16]", "u32[500]=randint(65536)", "u32=500")),
        (0, row("shfl_scan_test", 2, 128, "i32[2,128]=randint(9)", "i32=32", "i32[2]", shared=16,
                wants=lambda x, *_: x.cumsum(1))),
    ],
    "training.cu": [
        (0, row("encoder_forward_kernel3", 2, 32, "f32[2,4,32]", "i32[2,4]=randint(10)", "f32[10,32]=normal",
                "f32[4,32]=normal", "i32=2", "i32=4", "i32=32", wants=lambda _, ids, wte, wpe, *__: wte[ids] + wpe)),
        (0, row("layernorm_forward_kernel3", 3, 64, "f32[5,48]", "f32[5]", "null", "f32[5,48]=normal", "f32[48]=normal",
                "f32[48]=normal", "i32=5", "i32=48", wants=lambda _, __, ___, x, w, b, *____: layernorm(x, w, b))),
        (0, row("gelu_forward_kernel2", 2, 32, "f32[256]", "f32[256]=normal", wants=lambda _, x: gelu(x))),
        (1, row("fused_classifier_kernel5<true, false>", 6, 64, "f32[6,64]=normal", "f32[6]", "null", "f32=0.5",
                "i32[6]=randint(50)", "i32=2", "i32=3", "i32=50", "i32=64", "bool=true",
                wants=lambda z, _, __, ___, t, *____: losses(z[:, :50], t))),
        (0, row("adamw_kernel3<float, float>", 4, 32, "f32[100]=normal", "null", "f32[100]=normal", "f32[100]=0",
                "f32[100]=0", "u64=100", "i64=0", "f32=0.1", "f32=0.9", "f32=0.999", "f32=0.1", "f32=0.001", "f32=1e-8",
                "f32=0", "f32=1")),
        (0, row("matmul_backward_bias_kernel4", 2, 128, "f32[64]=0", "f32[30,64]=normal", "i32=5", "i32=6", "i32=64",
                shared=512, wants=lambda _, x, *__: x.astype(F64).sum(0))),
    ],
    "tutorials.cu": [
        (3, row("saxpy", 2, 32, "i32=100", "f32=2", "f32[100]=normal", "f32[100]=normal",
                wants=lambda _, a, x, y: a * x + y)),
        (1, row("stencil_1d", 2, 32, "i32[70]=randint(9)", "i32[64]",
                wants=lambda x, _: np.convolve(x, np.ones(7, int), "valid"))),
        (2, row("dot", 2, 64, "f32[528]=normal", "f32[528]=normal", "f32[2]")),
        (0, row("julia_kernel", (8, 8), 1, "u8[8,8,4]")),
        (0, row("ray", (1, 2), (16, 8), "u8[16,16]")),
        (1, row("add_to_buckets", 2, 32, "u32[50]=randint(100)", "i32[4]=-1", "i32[50]",
                structure(lambda: np.zeros(1, np.int32)), "i32=50", "i32=4")),
        (0, row("monte_carlo_pi", 2, 64, "u32[1]=0", "i32=20", "u32=7")),
        (0, row("mandelbrot", (2, 1), (8, 8), "i32[7,13]", "i32=13", "i32=7", "i32=50")),
        (0, row("bitonic_sort_step", 1, 64, "f32[64]=normal", "i32=1", "i32=2")),
    ],
    "extension.cu": [
        (2, row("lltm_cuda_forward_kernel<float>", (2, 3), 32, "f32[3,120]=normal", "f32[3,40]=normal", "f32[3,40]",
                "f32[3,40]", "u64=40")),
        (2, row("elementwise_add_f16x8_pack_kernel", 1, 32, "f16[100]=normal", "f16[100]=normal", "f16[100]", "i32=100",
                wants=lambda a, b, *_: a + b)),
        (1, row("block_all_reduce_sum_bf16_f32_kernel<64>", 2, 64, "bf16[100]=ones", "f32[1]=0", "i32=100",
                wants=lambda x, *_: [100])),
        (2, row("sgemm_t_4x4_async_kernel<>", (2, 1), 64, "f32[32,24]=normal", "f32[24,64]=normal", "f32[32,64]",
                "i32=32", "i32=64", "i32=24", wants=lambda a, b, *_: a.astype(F64) @ b)),
        (0, row("vectorized_elementwise<float, SiluFunctor, 4>", 1, 32, "f32[100]", "f32[100]=normal", "i32=100",
                structure(np.float32(2)), wants=lambda _, x, *__: 2 * x / (1 + np.exp(-x.astype(F64))))),
        (0, row("detail::rope::rotate<RopeMode::kInterleaved, float>", 3, 64, "f32[3,2,16]=normal", "f32[3,8,2]=normal",
                "i32=2", "i32=16")),
        (1, row("count_unique_per_warp", 2, 64, "i32[100]=randint(5)", "i32[5]=0", "i32=100",
                wants=lambda keys, *_: np.bincount(keys, minlength=5))),
        (1, row("filter", 2, 64, "i32[100]=0", "i32[1]=0", "i32[100]=randint(-5,5)", "i32=100",
                wants=lambda _, __, x, ___: [(x > 0).sum()])),
    ],
    "science.cu": [
        (0, row("convolutionRowsKernel", (2, 2), (16, 4), "f32[8,64]", "f32[8,64]=normal", "i32=64", "i32=8", "i32=64",
                wants=lambda _, x, *__: smoothed(x))),
        (0, row("integrateBodies<float>", 2, 32, "f32[64,4]", "f32[64,4]=normal", "f32[64,4]=0", "u32=64", "f32=0.1",
                "f32=1", "i32=2", shared=512)),
        (0, row("integrateBodies<double>", 2, 32, "f64[64,4]", "f64[64,4]=normal", "f64[64,4]=0", "u32=64", "f64=0.1",
                "f64=1", "i32=2", shared=1024)),
        (0, row("BlackScholesGPU", 1, 64, "f32[50,2]", "f32[50,2]", "f32[50,2]=uniform(5,30)",
                "f32[50,2]=uniform(1,90)", "f32=0.02", "f32=0.3", "i32=100")),
        (0, row("fwtBatch1Kernel", 3, 16, "f32[3,64]", "f32[3,64]=normal", "i32=6", shared=256,
                wants=lambda _, x, *__: hadamard(x))),
        (4, row("spmv_csr_vector<float, 2>", 3, (32, 2), rows_of(5, 4), "i32[20]=randint(8)", "f32[20]=normal",
                "f32[8]=normal", "f32[5]", "i32=5",
                wants=lambda _, columns, values, x, *__: (values * x[columns]).reshape(5, 4).sum(1))),
        (2, row("bfs_step", 1, 32, structure(np.int32(6), rows_of(6, 2), lambda: np.int32([1, 2, 3, 4, 4, 5] * 2)),
                "bool[6]=[true,false,false,false,false,false]", "i32[6]=[0,-1,-1,-1,-1,-1]", "i32=1", "i32[1]=1",
                wants=lambda *_: [0, 1, 1, -1, -1, -1])),
        (1, row("jacobi", (2, 2), (8, 4), "f64[8,12]=normal", "f64[8,12]=0", "i32=12", "i32=8", "f64[1]=0",
                wants=lambda a, *_: jacobi(a))),
    ],
}
REFUSED = {"extension.cu": ["hgemm_wmma_kernel", "relu_fp8_kernel"], "tutorials.cu": ["setup_kernel"]}
CASES = [pytest.param(file, number, case, id=case.kernel.partition("<")[0])
         for file, cases in TABLE.items() for number, case in cases]


def of_file(file):
    return module(HERE / "public" / file, tuple(case.kernel for _, case in TABLE[file] if "<" in case.kernel))


@pytest.mark.parametrize("file, number, case", CASES)
def test_it_is_accepted_and_clean(file, number, case):
    values = build(case)
    before = [value.copy() if isinstance(value, np.ndarray) else value for value in values]
    assert not (found := check(of_file(file).get_function(case.kernel), case, values)), "\n".join(map(str, found))
    if case.wants:
        np.testing.assert_allclose(values[number], case.wants(*before), rtol=2e-3, atol=1e-4)


def test_what_is_refused_is_refused_by_name():
    for file, kernels in REFUSED.items():
        for kernel in kernels:
            with pytest.raises(sim.CompileError, match=rf"{file}:\d+.*(not simulated)"):
                sim.check(of_file(file).get_function(kernel), 1, 32, ())


# ---- launches that stand beside the kernels -----------------------------------------------------------------------
COMMENT = re.compile(r"^\s*// (launch|refused): (\S+) ?(.*)$", re.M)


def quantised(n):
    x = np.arange(n, dtype=np.float32).reshape(-1, 32)
    d = abs(x).max(1, keepdims=True) / 127
    return d, x, np.round(x / d)


def packed_eights(x, _):
    d, x, whole = quantised(x.size)
    scales = np.hstack([d, x.sum(1, keepdims=True)]).astype(np.float16).view(np.uint8)
    return np.hstack([scales, whole.astype(np.int8).view(np.uint8)])


def unpacked(blocks, values):
    return blocks[:, :2].copy().view(np.float16).astype(np.float32) * values


def nibbles(blocks):
    low_high = np.stack([blocks[:, 4:] & 15, blocks[:, 4:] >> 4], -1).reshape(len(blocks), 32)
    return unpacked(blocks, low_high) + blocks[:, 2:4].copy().view(np.float16)


def eights(blocks):
    return unpacked(blocks, blocks[:, 4:].view(np.int8))


# What the argument of this number holds afterwards.
WANTS = {
    "unpack<unpack4,float>": (1, lambda blocks, *_: nibbles(blocks).ravel()),
    "unpack<unpack8,half>": (1, lambda blocks, *_: eights(blocks).ravel()),
    "pack8": (1, packed_eights),
    "dot8": (2, lambda rows, x, *_: [(eights(row) * eights(x)).sum() for row in rows]),
    "calibrate": (2, lambda _, x, *__: 0.5 * (x - 3)),
    "map_kernel<Compose<Square,AddOne,Square>>": (0, lambda _, x, *__: (x.astype(F64) ** 2 + 1) ** 2),
    "folds<4>": (0, lambda _, x: x.astype(F64).sum(1) + x[:, :3].max(1)),
    "lambdas": (0, lambda x, _: 2 * np.clip(x, -1, 1)),
    "grid_sync_sum": (2, lambda x, *_: [x.astype(F64).sum()]),
    "coalesced_hist": (0, lambda _, keys, __: np.bincount(keys, minlength=8)),
    "range_for": (1, lambda *_: ...),
    "unrolled": (0, lambda _, x: x.astype(F64) @ np.arange(4)),
    "gcds<int64_t>": (0, np.gcd),
    "cas_sums": (0, lambda _, __, x, *___: [x.astype(F64).sum()]),
    "triangles": (2, lambda *_: [4]),
    "producer_consumer": (2, lambda *_: 10 * np.arange(32)),
    "odd_even_sort": (0, lambda x, _: np.sort(x)),
}


def launches(name):
    """(kernel, its launch) of a file's comments; for what is refused the words of the refusal."""
    for kind, kernel, rest in COMMENT.findall((HERE / "public" / name).read_text()):
        if kind == "refused":
            yield kernel, rest
            continue
        grid, block, *words = rest.split()
        shared = [int(word[7:]) for word in words if word.startswith("shared=")]
        sizes = [tuple(map(int, size.strip("()").split(","))) for size in (grid, block)]
        yield kernel, row(kernel, *sizes, *(word for word in words if not word.startswith("shared=")),
                          shared=sum(shared))


def built(name):
    return module(HERE / "public" / name, tuple(dict.fromkeys(kernel for kernel, _ in launches(name) if "<" in kernel)))


@pytest.mark.parametrize("name", ["quantised.cu", pytest.param("modern.cu", marks=pytest.mark.slow),
                                  pytest.param("structures.cu", marks=pytest.mark.slow)])
def test_whole_files_are_accepted_and_clean(name):
    for kernel, case in launches(name):
        values = build(case)
        before = [value.copy() if isinstance(value, np.ndarray) else value for value in values]
        found = check(built(name).get_function(kernel), case, values)
        assert not found, f"{kernel}:\n" + "\n".join(map(str, found))
        number, wants = WANTS.get(kernel, (0, lambda *_: ...))
        if (wanted := wants(*before)) is not ...:
            np.testing.assert_allclose(values[number].astype(F64), np.reshape(wanted, values[number].shape), rtol=2e-3,
                                       atol=1e-4, err_msg=kernel)


@pytest.mark.slow  # each is compiled by itself; its quick sibling is above
def test_refusals_name_the_line_and_what_is_missing():
    for kernel, what in launches("refused.cu"):
        with pytest.raises(sim.CompileError) as error:
            sim.check(built("refused.cu").get_function(kernel), 1, 32, ())
        first = str(error.value).split("\n")[0]
        assert re.match(rf"refused\.cu:\d+:\d+: error: {re.escape(what)}.*: .*simulated", first), (kernel, first)
