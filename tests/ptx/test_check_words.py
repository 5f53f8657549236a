"""What findings say: names, numbers of threads, and remedies, by either checker."""

import json

import pytest
from click.testing import CliRunner

from gpunet.cli import main

ENGINES = [pytest.param("ptx", id="ptx"), pytest.param("cxx", id="cxx", marks=pytest.mark.slow)]
pytestmark = pytest.mark.parametrize("engine", ENGINES)


@pytest.fixture(autouse=True)
def _compilers(compiler):
    """NVRTC."""


def found_in(text, engine, tmp_path, *arguments, block=64, grid=1, shared=0, more=()):
    """The findings, as dictionaries, of a file's only kernel."""
    file = tmp_path / "kernel.cu"
    file.write_text(text)
    result = CliRunner().invoke(main, [
        "kernel", "check", str(file), "--engine", engine, "--grid", str(grid), "--block", str(block),
        "--shared", str(shared), "--json", *(word for each in arguments for word in ("--arg", each)), *more])
    assert result.exit_code in (0, 1), result.output
    return json.loads(result.stdout)["findings"]


# ---- dynamic shared memory ---------------------------------------------------------------------------------------
BESIDE = """
__global__ void beside(int* y, int n) {
    __shared__ int s[4];
    extern __shared__ int d[];
    int t = threadIdx.x;
    if (t < 4) s[t] = t;
    d[t] = t;
    __syncthreads();
    y[t] = d[n - t] + s[t % 4];
}
"""


@pytest.mark.parametrize("shared, kind, words", [(256, "out of bounds", "launch gives 256 bytes"),
                                                 (512, "uninitialised", "")])
def test_dynamic_memory_beside_a_static_array(shared, kind, words, engine, tmp_path):
    found, = found_in(BESIDE, engine, tmp_path, "i32[64]", "i32=64", shared=shared)
    assert (found["kind"], found["line"], found["array"], found["index"]) == (kind, 9, "d", 64)
    assert words in found["message"]


@pytest.mark.parametrize("text, element", [
    ("d[t + 1] = 1; __syncthreads(); y[t] = d[t + 1];", 64), ("y[t] = d[t];", 0), ("d[t - 1] = 1; y[t] = t;", -1)])
def test_dynamic_memory_alone(text, element, engine, tmp_path):
    text = ("__global__ void alone(float* y) { extern __shared__ float d[]; int t = threadIdx.x;\n" + text + "}\n")
    found, = found_in(text, engine, tmp_path, "f32[64]", shared=256)
    assert (found["line"], found["array"], found["index"]) == (2, "d", element)


def test_dynamic_memory_of_vectors_that_another_kernel_calls_otherwise(engine, tmp_path):
    text = """
__global__ void other(int* y) { extern __shared__ int before[]; before[0] = 1; y[0] = before[threadIdx.x]; }
__global__ void pair(float* y) {
    extern __shared__ float4 corner[];
    corner[threadIdx.x].x = 1;
    y[threadIdx.x] = corner[threadIdx.x].y;
}
"""
    found, = found_in(text, engine, tmp_path, "f32[64]", shared=1024, more=("--kernel", "pair"))
    assert (found["kind"], found["line"], found["array"], found["index"]) == ("uninitialised", 6, "corner", 0)
