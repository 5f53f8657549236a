"""What is told as a warning; what findings name: fields of structures, calls of helpers, remedies that fit."""

import numpy as np
import pytest

from gpunet import sim
from gpunet.kernel.finding import remedy_of
from gpunet.sim import cupy
from gpunet.sim.checker import structures
from gpunet.sim.translate import indices

KERNELS = """\
__global__ void one_value(float* y, const float* x, int differ) {
    __shared__ float s[2];
    s[threadIdx.x / 32] = 3 + differ * (threadIdx.x == 40);
    __syncthreads();
    if (threadIdx.x == 0) s[0] = 4;
    __syncthreads();
    y[threadIdx.x] = s[0] + s[1] + x[threadIdx.x];
}
__global__ void twice(float* out, const float* x, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) out[i] = 2 * x[i];
}
__global__ void with_a_race(float* out, float* sum) { out[0] = 1; *sum += 1; }
__device__ float at(const float* x, int i) { return x[i]; }
__global__ void calls_twice(float* y, const float* x) {
    int i = threadIdx.x;
    y[i] = at(x, i);
    y[i] += at(x, i + 1);
}
__device__ void put(float* s, int i, float value) { s[i] = value; }
__global__ void races_in_a_helper(float* y) {
    __shared__ float s[64];
    put(s, threadIdx.x, 1);
    y[threadIdx.x] = s[threadIdx.x ^ 32];
}
struct Inner { const float* weights; int count; };
struct Model { int n; double scale; const int *first, *to; Inner inner; };
__global__ void reads_fields(Model m, float* out) {
    out[threadIdx.x] = m.to[m.first[m.n]] + m.scale + m.inner.weights[threadIdx.x];
}
__global__ void largest(int* best, const int* x) {
    if (*best < x[threadIdx.x])
        atomicMax(best, x[threadIdx.x]);
}
"""


@pytest.fixture(scope="module")
def kernel():
    return sim.Module(KERNELS, file="k.cu").get_function


def floats(n):
    return np.ones(n, np.float32)


@pytest.mark.parametrize("differ, severity", [(0, "warning"), (1, "error")])
def test_writes_of_one_value(kernel, differ, severity):
    found, = sim.check(kernel("one_value"), 1, 64, (floats(64), floats(64), np.int32(differ)))
    assert (found.kind, found.severity, found.line, found.count) == ("race", severity, 3, 62)
    assert ("all write the same value" in found.message) == (not differ)
    assert str(found).startswith("warning: race: " if not differ else "race: ")


@pytest.mark.parametrize("grid, message", [
    (3, "out: nothing has written 4 of its 100 elements, the first is out[96]"),
    (1, "out: nothing has written 68 of its 100 elements, the first is out[32]"),
    (4, None),
])
def test_outputs_that_stay_unwritten(kernel, grid, message):
    found = sim.check(kernel("twice"), grid, 32, (sim.uninitialised(100), floats(100), np.int32(100)))
    assert [(each.kind, each.severity, each.message) for each in found] == (
        [("unwritten", "warning", message)] if message else [])
    assert not sim.check(kernel("twice"), grid, 32, (np.zeros(100, np.float32), floats(100), np.int32(100)))


def test_what_is_unwritten_is_told_where_nothing_worse_is(kernel):
    found = sim.check(kernel("with_a_race"), 1, 32, (sim.uninitialised(9), floats(1)))
    assert ("race", "error") in {(each.kind, each.severity) for each in found}
    assert not any(each.kind == "unwritten" for each in found)
    found = sim.check(kernel("twice"), 1, 32, (sim.uninitialised((2, 8)), floats(16), np.int32(0)))
    assert [each.message for each in found] == ["out: nothing has written any of its elements, the first is out[0][0]"]


def test_calls_of_helpers(kernel):
    found, = sim.check(kernel("calls_twice"), 1, 32, (floats(32), floats(32)))
    assert (found.line, found.element, found.calls) == (14, "x[32]", (("k.cu", 18, "y[i] += at(x, i + 1);"),))
    race, = (each for each in sim.check(kernel("races_in_a_helper"), 1, 64, (floats(64),)) if each.kind == "race")
    helper = race if race.line == 20 else race.other
    assert helper.line == 20 and ("k.cu", 23, "put(s, threadIdx.x, 1);") in helper.calls


def test_structures_with_pointers(kernel):
    def check(first, weights):
        inner = sim.Record(weights, np.int32(3))
        model = sim.Record(np.int32(2), np.float64(0.5), np.int32(first), np.arange(5, dtype=np.int32), inner)
        out = np.zeros(4, np.float32)
        return [(each.kind, each.element) for each in sim.check(kernel("reads_fields"), 1, 4, (model, out))], out

    found, out = check([1, 2, 3], floats(4))
    assert not found and out.tolist() == [4.5] * 4
    assert check([1, 2, 7], floats(4))[0] == [("out of bounds", "m.to[7]")]
    assert check([1, 2, 3], floats(3))[0] == [("out of bounds", "m (the pointer at byte 32)[3]")]
    assert check([1, 2, 3], None)[0] == [("out of bounds", None)]


def test_structures_of_bytes_with_addresses(kernel):
    first, to = (cupy.asarray(np.arange(size, dtype=np.int32)) for size in (2, 3))
    layout = np.dtype({"names": ["n", "scale", "first", "to", "weights", "count"],
                       "formats": ["i4", "f8", "u8", "u8", "u8", "i4"], "offsets": [0, 8, 16, 24, 32, 40],
                       "itemsize": 48})
    model = np.array((2, 0.5, first.data.ptr, to.data.ptr, 0, 3), layout)[()]
    found = sim.check(kernel("reads_fields"), 1, 4, (model, np.zeros(4, np.float32)))
    assert ("out of bounds", "m.first[2]") in [(each.kind, each.element) for each in found]


def test_names_of_fields():
    text = ("struct alignas(16) S { unsigned int a, b[3]; unsigned char c; "
            "const float *__restrict__ d, **e; half f; T g; int h; };")
    assert [structures.field_at("ns::S", place, [text]) for place in (0, 4, 16, 24, 32, 40)] == [
        (".a", 4), (".b", 4), (".c", 1), (".d", 4), (".e", 4), (".f", 2)]
    nothing = " (the pointer at byte 44)", 0
    assert structures.field_at("S", 44, [text]) == structures.field_at("Q", 44, [text]) == nothing


def test_remedies_fit(kernel):
    found, = sim.check(kernel("largest"), 1, 32, (np.zeros(1, np.int32), np.arange(32, dtype=np.int32)))
    assert "beside other atomic operations" in remedy_of(found)
    race, = (each for each in sim.check(kernel("races_in_a_helper"), 1, 64, (floats(64),)) if each.kind == "race")
    assert remedy_of(race).startswith("between threads of a block, __syncthreads()")


@pytest.mark.parametrize("text, expected", [
    ("int i = blockIdx.x * n + threadIdx.x;",
     "int i = gpunet_sim::index(blockIdx.x * n + threadIdx.x, "
     "(long long)(blockIdx.x) * n + (long long)(threadIdx.x));"),
    ("for (int i = 0; i < n; i += blockDim.x * 2) {}",
     "for (int i = 0; i < n; gpunet_sim::advance(i, blockDim.x * 2, (long long)(blockDim.x) * 2)) {}"),
    ("if (c) i += threadIdx.x;", "if (c) gpunet_sim::advance(i, threadIdx.x, (long long)(threadIdx.x));"),
    ("unsigned i = blockIdx.x * n;", None), ("size_t i = blockIdx.x * n;", None),
    ("int h = threadIdx.x * 73856093;", None), ("int h = threadIdx.x ^ n;", None), ("int f = g(threadIdx.x);", None),
    ("int f = (int)threadIdx.x;", None), ("*p += threadIdx.x;", None), ("a[i] += threadIdx.x;", None),
    ("p->x += threadIdx.x;", None), ("int i = threadIdx.x, j = 0;", "int i = gpunet_sim::index(threadIdx.x, "
     "(long long)(threadIdx.x)), j = 0;"),
])
def test_which_indices_are_watched(text, expected):
    code = f"__global__ void f(int n) {{ {text} }}"
    assert indices.rewrite(code) == (f"__global__ void f(int n) {{ {expected} }}" if expected else code)
