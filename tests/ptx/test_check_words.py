"""What findings say: names, numbers of threads, and remedies, by either checker."""

import json

import pytest
from click.testing import CliRunner

from gpunet import sim
from gpunet.cli import main
from gpunet.kernel.finding import remedy_of

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


# ---- volatile variables ------------------------------------------------------------------------------------------
REDUCED = """
__global__ void reduced(float* y, const float* x) {
    __shared__ float s[64];
    const int t = threadIdx.x;
    s[t] = x[t];
    __syncthreads();
    if (t < 32) {
        volatile float* v = s;
        v[t] += v[t + 32];
        v[t] += v[t + 16];
        v[t] += v[t + 8];
        v[t] += v[t + 4];
        v[t] += v[t + 2];
        v[t] += v[t + 1];
    }
    if (t == 0) *y = s[0];
}
"""


def test_steps_of_a_warp_without_a_barrier_are_one_mistake(engine, tmp_path):
    found, = found_in(REDUCED, engine, tmp_path, "f32[1]", "f32[64]=1")
    assert found["kind"] == "race" and found["array"] == "s" and 9 <= found["line"] <= 14
    assert found["message"].startswith("a volatile ") and "no __syncwarp()" in found["message"]
    assert found["message"].endswith("(so on lines 9, 10, 11, 12, 13, 14)")
    assert found["other"]["action"].startswith("volatile ")
    assert "__syncwarp() between the steps" in help_of(found)


LAST = """
__device__ unsigned arrived = 0;
__global__ void last(const float* x, float* parts, float* y) {
    __shared__ bool is_last;
    if (threadIdx.x == 0) {
        parts[blockIdx.x] = x[blockIdx.x];
        is_last = atomicInc(&arrived, gridDim.x) == gridDim.x - 1;
    }
    __syncthreads();
    if (!is_last || threadIdx.x) return;
    float sum = 0;
    for (int b = 0; b < gridDim.x; b++) sum += ((volatile float*)parts)[b];
    *y = sum;
}
"""


def test_a_missing_fence_between_blocks(engine, tmp_path):
    arguments = "f32[4]=1", "f32[4]", "f32[1]"
    found, = found_in(LAST, engine, tmp_path, *arguments, grid=4)
    assert {found["line"], found["other"]["line"]} == {6, 12}
    said = found["message"] + found["other"]["action"]
    assert "volatile read" in said and "atomic operation" not in said
    assert "__threadfence()" in help_of(found)
    mended = LAST.replace("is_last =", "__threadfence(); is_last =")
    assert not found_in(mended, engine, tmp_path, *arguments, grid=4)


# ---- within a warp, or not ---------------------------------------------------------------------------------------
PASSED_ON = """
__global__ void passed_on(int* y, const int* x) {
    __shared__ int s[64];
    const int t = threadIdx.x;
    s[t] = x[t];
    y[t] = s[@INDEX@];
}
"""


@pytest.mark.parametrize("index, wanted, count", [
    ("(t + 1) % 64", "__syncthreads()", 63), ("t ^ 31", "__syncwarp()", 64), ("0", "__syncthreads()", 63)])
def test_the_barrier_that_is_missing(index, wanted, count, engine, tmp_path):
    """Where threads of two warps are in it, __syncwarp() would not mend it, whichever pair is found first."""
    found, = (each for each in found_in(PASSED_ON.replace("@INDEX@", index), engine, tmp_path, "i32[64]", "i32[64]=1")
              if each["kind"] == "race")  # some are also of what has not been written yet
    within = "no __syncwarp() lies" in found["message"]
    assert within == (wanted == "__syncwarp()") and help_of(found).index(wanted) >= 0
    assert found["thread"][0] // 32 == found["other"]["thread"][0] // 32 or not within
    assert found["count"] >= (count if engine == "ptx" else count // 2 - 1) and not found["at_least"]


TILES = """
#define SIDE 16
__global__ void tiles(float* c, const float* a, const float* b, int n) {
    __shared__ float left[SIDE][SIDE], right[SIDE][SIDE];
    const int x = threadIdx.x, y = threadIdx.y;
    float sum = 0;
    for (int first = 0; first < n; first += SIDE) {
        left[y][x] = a[y * n + first + x];
        right[y][x] = b[(first + y) * SIDE + x];
        __syncthreads();
        for (int k = 0; k < SIDE; k++) sum += left[y][k] * right[k][x];
    }
    c[y * SIDE + x] = sum;
}
"""


def test_one_barrier_that_mends_two_races(engine, tmp_path):
    """Each row of `left` is a warp's own; the barrier that `right` lacks is the one for both."""
    found = found_in(TILES, engine, tmp_path, "f32[16,16]", "f32[16,48]=1", "f32[48,16]=1", "i32=48", block="16,16")
    assert {each["array"] for each in found} == {"left", "right"}
    assert all("no barrier lies between them" in each["message"] for each in found)
    assert all(len(each["index"]) == 2 for each in found)
    assert all(each["count"] >= 224 or each["at_least"] for each in found)


def test_a_barrier_in_a_branch_counts_blocks(engine, tmp_path):
    text = "__global__ void branch(int* y) {\nif (threadIdx.x < 32) __syncthreads();\ny[threadIdx.x] = 1; }\n"
    found, = (each for each in found_in(text, engine, tmp_path, "i32[64]", grid=3) if each["kind"] != "race")
    if engine == "ptx":  # the other ends the launch there
        assert found["count"] == 3 and "= found in 3 blocks" in str(as_finding(found))
    assert "threads\n" not in str(as_finding(found))


def as_finding(found):
    other = found["other"] and sim.Access(**{key: triple(value) for key, value in found["other"].items()})
    return sim.Finding(**{key: triple(value) for key, value in found.items()} | {"other": other})


def triple(value):
    return tuple(map(triple, value)) if isinstance(value, list) else value


def help_of(found):
    return remedy_of(as_finding(found))
