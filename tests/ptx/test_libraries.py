"""Kernels with NVIDIA's C++ libraries: pipelines and barriers of libcu++, primitives of CUB, from their own headers."""

import functools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gpunet import ptx
from gpunet.kernel import nvrtc, source
from gpunet.sim.translate.device_part import device_part
from tests.ptx.harness import functions

HERE = Path(__file__).parent / "libraries"
THREADS, TILES = 128, 5
X = np.random.default_rng(0).normal(size=4 * THREADS * TILES).astype(np.float32)


def reversed_sums(width):
    return X[:width * TILES].reshape(TILES, width)[:, ::-1].sum(0)


PIPELINES = {"of_a_thread": X.reshape(TILES, THREADS, 4).sum((0, 2)), "of_a_block": reversed_sums(THREADS),
             "of_two_roles": reversed_sums(THREADS // 2), "by_a_barrier": reversed_sums(THREADS),
             "arrives_first": reversed_sums(THREADS)}
KERNELS = {"pipelines.cu": tuple(PIPELINES), "blocks.cu": ("moments", "scans", "sorts")}

# A kernel, what is left out or changed in it, and what is found where; None: at any line.
READS = "sum += tile[k % STAGES][THREADS - 1 - threadIdx.x];"
PLANTED = [
    ("of_a_thread", "cuda::pipeline_consumer_wait_prior<STAGES - 1>(pipe);", "", "async copy",
     "const float4 value = tile[k % STAGES][t];"),
    ("of_a_block", "pipe.consumer_wait();\n        sum += tile[k % STAGES][THREADS - 1 - threadIdx.x];",
     "\n        sum += tile[k % STAGES][THREADS - 1 - threadIdx.x]; pipe.consumer_wait();", None,
     READS),
    ("of_two_roles", "sum += tile[k % STAGES][HALF - 1 - t];\n        pipe.consumer_release();",
     "pipe.consumer_release();\n        sum += tile[k % STAGES][HALF - 1 - t];", "race",
     "sum += tile[k % STAGES][HALF - 1 - t];"),
    ("by_a_barrier", "sum += tile[THREADS - 1 - threadIdx.x];\n        block.sync();",
     "sum += tile[THREADS - 1 - threadIdx.x];\n", "race", "sum += tile[THREADS - 1 - threadIdx.x];"),
    ("by_a_barrier", "arrived.arrive_and_wait();\n        sum += tile[THREADS - 1 - threadIdx.x];",
     "sum += tile[THREADS - 1 - threadIdx.x];\n        arrived.arrive_and_wait();", None,
     "sum += tile[THREADS - 1 - threadIdx.x];"),
    ("arrives_first", "arrived.wait(std::move(token));", "", "race", "sum += tile[THREADS - 1 - threadIdx.x];"),
    ("arrives_first", "arrived.arrive_and_wait();", "", "race", "tile[threadIdx.x] = x[k * THREADS + threadIdx.x];"),
]


@pytest.fixture(autouse=True)
def _libraries(compiler):
    if not nvrtc.libraries():
        pytest.skip("NVIDIA's C++ libraries are not here: pip install nvidia-cuda-cccl")


def function(file, kernel, *change, architecture="sm_80"):
    return compiled_file(file, architecture, *((kernel, *change) if change else ()))[kernel]


@functools.cache
def compiled_file(file, architecture, kernel="", old="", new=""):
    """Its kernels; one of them with something changed."""
    given = source.read(HERE / file)
    if old:
        assert given.text.count(old) >= 1, f"{file} has no {old}"
        begin = given.text.index(f"void {kernel}(")
        given = replace(given, text=given.text[:begin] + given.text[begin:].replace(old, new, 1))
    return functions(device_part(given, []), KERNELS[file], architecture=architecture)


@pytest.mark.slow
@pytest.mark.parametrize("architecture", ["sm_80", "sm_90a"])
@pytest.mark.parametrize("kernel", PIPELINES)
def test_pipelines_and_barriers(kernel, architecture):
    want = PIPELINES[kernel]
    launched = function("pipelines.cu", kernel, architecture=architecture)
    for run in (launched, functools.partial(ptx.check, launched)):
        y = ptx.uninitialised(want.size)
        found = run((1,), (THREADS,), (y, X, np.int32(TILES)))
        np.testing.assert_allclose(y, want, rtol=1e-5, atol=1e-5)
        assert not found, "\n".join(map(str, found))


@pytest.mark.slow
@pytest.mark.parametrize("kernel, old, new, kind, line", PLANTED)
def test_mistakes_with_them_are_found(kernel, old, new, kind, line):
    planted = function("pipelines.cu", kernel, old, new)
    y = ptx.uninitialised(PIPELINES[kernel].size)
    found = ptx.check(planted, 1, THREADS, (y, X, np.int32(TILES)), timeout=10)  # some then wait for ever
    texts = {(each.kind, text) for each in found for text in (each.source, each.other.source if each.other else "")}
    assert any((kind is None or kind == told) and line in text for told, text in texts), "\n".join(map(str, found))


@pytest.mark.slow
def test_primitives_of_cub():
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=128).astype(np.float32), ptx.uninitialised(2)
    assert ptx.check(function("blocks.cu", "moments"), 1, 128, (y, x)) == []
    np.testing.assert_allclose(y, [x.sum(), (x * x).sum()], rtol=1e-5)
    numbers, sums = rng.integers(0, 1000, 512, np.int32), np.zeros(128, np.int32)
    assert ptx.check(function("blocks.cu", "scans"), 1, 128, (sums, numbers[:128])) == []
    np.testing.assert_array_equal(sums.reshape(4, 32), numbers[:128].reshape(4, 32).cumsum(1))
    ordered = np.zeros(512, np.int32)
    assert ptx.check(function("blocks.cu", "sorts"), 1, 128, (ordered, numbers)) == []
    np.testing.assert_array_equal(ordered, np.sort(numbers))


@pytest.mark.slow
def test_storage_of_cub_used_again_without_a_barrier():
    """At the lines of the user's own that call the library."""
    kernel = function("blocks.cu", "moments", "__syncthreads();", "")
    race, = (each for each in ptx.check(kernel, 1, 128, (ptx.uninitialised(2), X[:128])) if each.kind == "race")
    assert race.source == "const float squares = Reduce(storage).Sum(value * value);"
    assert race.other is not None and race.other.source == "const float sum = Reduce(storage).Sum(value);"
    assert race.array == "storage"
