"""Branches by tables (`brx.idx`, as of a switch) and calls by pointers, from tables and of virtual functions: their
results, what a profile counts of them, and mistakes in them at their lines."""

import shutil

import numpy as np
import pytest

from gpunet import ptx, sim
from tests.ptx.harness import HEAD

# Each lane carries out a program from another place on, or all from the first: lines 1 to 5 are the switch's cases.
STEPS = HEAD + """.file 1 "steps.cu"
.visible .entry steps(.param .u64 out, .param .u64 program, .param .u32 apart) {
  .reg .b32 %t, %a, %b, %pc, %at, %op, %apart, %x; .reg .b64 %out, %program, %d; .reg .pred %p;
  .shared .align 4 .b8 tile[256];
  TABLE: .branchtargets ADD, TRIPLE, SWAP, SKIP, STOP;
  ld.param.u64 %out, [out]; ld.param.u64 %program, [program]; ld.param.u32 %apart, [apart];
  mov.u32 %t, %tid.x; mov.u32 %a, %t; mov.u32 %b, 1; mov.u32 %pc, 0;
NEXT:
  mad.lo.u32 %at, %t, %apart, %pc; and.b32 %at, %at, 15; add.u32 %pc, %pc, 1;
  mul.wide.u32 %d, %at, 4; add.s64 %d, %program, %d; ld.global.u32 %op, [%d];
  brx.idx %op, TABLE;
SWAP: .loc 1 3 1
  xor.b32 %a, %a, %b; xor.b32 %b, %a, %b; xor.b32 %a, %a, %b; bra.uni AGAIN;
ADD: .loc 1 1 1
  add.u32 %a, %a, %b; bra.uni AGAIN;
TRIPLE: .loc 1 2 1
  mul.lo.u32 %a, %a, 3; // and on to the next case
SKIP: .loc 1 4 1
  @MORE@ add.u32 %b, %b, %pc;
AGAIN: .loc 1 6 1
  setp.lt.u32 %p, %pc, 40; @%p bra NEXT;
STOP: .loc 1 5 1
  sub.u32 %a, %a, %b; mul.wide.u32 %d, %t, 4; add.s64 %d, %out, %d; st.global.u32 [%d], %a;
  ret;
}"""
INSTRUCTIONS = np.array([2, 1, 4, 1, 5])  # of the cases
PROGRAMS = [[0, 1, 2, 0, 3, 3, 2, 1, 0, 0, 1, 2, 1, 3, 0, 2], [2, 1, 0, 4, 1, 1, 0, 2, 3, 0, 0, 4, 1, 2, 0, 3],
            [4] * 16]


def steps(program, apart, lanes):
    """What each lane ends with, and how often lanes come to each case."""
    results, came = [], np.zeros(5, int)
    for t in range(lanes):
        a, b, pc = t, 1, 0
        while pc < 40:
            op = program[(t * apart + pc) % 16]
            pc += 1
            if op == 4:
                break
            came[op] += 1
            came[3] += op == 1
            a, b = {0: (a + b, b), 1: (3 * a, b + pc), 2: (b, a), 3: (a, b + pc)}[op]
        came[4] += 1
        results.append(a - b & 0xFFFFFFFF)
    return results, came


@pytest.mark.parametrize("scalars", [True, False], ids=["analysis", "vectors"])
@pytest.mark.parametrize("apart", [0, 1, 5])
def test_a_switch_in_a_loop(scalars, apart):
    kernel = ptx.Kernel(STEPS.replace("@MORE@", ""), scalars=scalars)
    for program in PROGRAMS:
        program = np.array(program, np.uint32)
        expected, came = steps(program, apart, 45)
        out = np.zeros(45, np.uint32)
        kernel((1,), (45,), (out, program, apart))
        assert out.tolist() == expected
        if not scalars:
            continue
        assert ptx.check(kernel, 1, 45, (out := np.zeros(45, np.uint32), program, apart)) == []
        assert out.tolist() == expected
        profile = ptx.profile(kernel, 1, 45, (out, program, apart))
        lanes = {line.chain[0][1]: line.lanes for line in profile.lines if line.chain}
        assert [lanes.get(1 + case, 0) for case in range(5)] == (came * INSTRUCTIONS).tolist()


def test_a_race_in_one_case():
    """The case of line 4 counts in one place of shared memory, with nothing between the lanes that come there."""
    kernel = ptx.Kernel(STEPS.replace("@MORE@", "atom.shared.add.u32 %x, [tile], 1;"))
    args = np.zeros(64, np.uint32), np.array(PROGRAMS[0], np.uint32), 1
    wrong = ptx.Kernel(STEPS.replace("@MORE@", "st.shared.u32 [tile], %t;"))
    assert [each.kind for each in ptx.check(kernel, 1, 64, args)] == ["uninitialised"]  # nothing has begun the count
    races = ptx.check(wrong, 1, 64, args, sources={"steps.cu": "add\ntriple\nswap\nskip\n"})
    assert {(each.kind, each.line, each.source, each.other.line) for each in races} == {("race", 4, "skip", 4)}


# ---- calls by pointers, as NVRTC compiles them ----------------------------------------------------------------------
FUNCTIONS = """
typedef int (*Step)(int);
__device__ __noinline__ int half(int x) { return x / 2; }
__device__ __noinline__ int odd(int x) { return 3 * x + 1; }
__device__ __noinline__ int fibonacci(int x) {
    return x < 2 ? x : fibonacci(x - 1) + fibonacci(x - 2);
}
__device__ Step steps[] = {half, odd, fibonacci};
__global__ void apply(int* out, const int* which, int n) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) out[i] = steps[which[i]](i);
}
"""
SHAPES = """
struct Shape {
    float a, b;
    __device__ Shape(float a, float b) : a(a), b(b) {}
    __device__ virtual float area() const { return 0; }
    __device__ virtual float grown(float by) {
        a += by;
        return area();
    }
};
struct Square : Shape {
    __device__ Square(float a) : Shape(a, a) {}
    __device__ float area() const override { return a * a; }
};
struct Ring : Shape {
    __device__ Ring(float a, float b) : Shape(a, b) {}
    __device__ float area() const override { return 3 * (a * a - b * b); }
    __device__ float grown(float by) override {
        b -= by;
        return Shape::grown(by);
    }
};
__global__ void areas(float* out, const int* which, int n) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    Shape plain(i, 1);
    Square square(i);
    Ring ring(i, 2);
    Shape* all[] = {&plain, &square, &ring};
    out[2 * i] = all[which[i]]->grown(1);
    out[2 * i + 1] = all[which[i]]->area();
}
"""


def fibonacci(x):
    return x if x < 2 else fibonacci(x - 1) + fibonacci(x - 2)


def applied(which):
    return [(i // 2, 3 * i + 1, fibonacci(i) if k == 2 else 0)[k] for i, k in enumerate(which)]


def grown(which):
    i = np.arange(len(which))
    area = np.choose(which, [0 * i, (i + 1) ** 2, 3 * ((i + 1) ** 2 - 1)])
    return np.stack([area, area], 1).ravel()


@pytest.mark.parametrize("source, name, expected, dtype", [
    pytest.param(FUNCTIONS, "apply", applied, np.int32, id="table"),
    pytest.param(SHAPES, "areas", grown, np.float32, id="virtual")])
def test_calls_by_pointers(tmp_path, compiler, source, name, expected, dtype):
    file = tmp_path / f"{name}.cu"
    file.write_text(source)
    kernel = ptx.load(file, name)
    assert ".callprototype" in kernel.ptx.text
    which = np.random.default_rng(0).integers(0, 2, 300).astype(np.int32)
    which[:16] = np.arange(16) % 3
    want = expected(which)

    def out():
        return np.zeros(len(want), dtype)

    kernel((3,), (128,), (got := out(), which, np.int32(300)))
    assert got.tolist() == list(want)
    assert ptx.check(kernel, 3, 128, (got := out(), which, np.int32(300))) == []
    assert got.tolist() == list(want)
    if any(map(shutil.which, ("g++", "clang++"))):
        assert sim.check(sim.load(file, name), 3, 128, (got := out(), which, np.int32(300))) == []
        assert got.tolist() == list(want)


def test_what_is_counted_in_functions_that_pointers_lead_to(tmp_path, compiler):
    (tmp_path / "apply.cu").write_text(FUNCTIONS)
    which = np.arange(100, dtype=np.int32) % 2
    profile = ptx.profile(ptx.load(tmp_path / "apply.cu", "apply"), 1, 128, (np.zeros(100, np.int32), which,
                                                                            np.int32(100)))
    found = {line.chain[0][1]: line for line in profile.lines}
    for line, lanes in ((3, 50), (4, 50)):  # each half of the lanes; a warp's run for each
        each = found[line]
        assert (each.lanes, each.runs) == (lanes * each.instructions, 4 * each.instructions)
    assert 6 not in found


RACES = """
struct Step {
    __device__ virtual void run(int* y, const int* tile) const { y[threadIdx.x] = tile[threadIdx.x]; }
};
struct Turned : Step {
    __device__ void run(int* y, const int* tile) const override {
        y[threadIdx.x] = tile[(threadIdx.x + 1) % 64];
    }
};
__global__ void virtually(int* y, int which) {
    __shared__ int tile[64];
    tile[threadIdx.x] = 5;
    Step straight;
    Turned turned;
    const Step* steps[] = {&straight, &turned};
    steps[which]->run(y, tile);
}

typedef void (*Function)(int* to, int i);
__device__ __noinline__ void to_own(int* to, int i) { to[i] = i; }
__device__ __noinline__ void to_next(int* to, int i) {
    to[i / 2] = i;
}
__device__ __noinline__ void beyond(int* to, int i) {
    to[i + 30] = i;
}
__device__ Function functions[] = {to_own, to_next, beyond};
__global__ void pointed(int* y, const int* which) {
    functions[which[threadIdx.x]](y, threadIdx.x);
}
"""


@pytest.mark.parametrize("name, which, found", [
    ("virtually", 0, []),
    ("virtually", 1, [("race", 12, "tile[threadIdx.x] = 5;", 7), ("race", 7,
                       "y[threadIdx.x] = tile[(threadIdx.x + 1) % 64];", 12)]),
    ("pointed", [0] * 64, []),
    ("pointed", [0] * 32 + [1] * 32, [("race", 22, "to[i / 2] = i;", 20), ("race", 22, "to[i / 2] = i;", 22)]),
    ("pointed", [0] * 63 + [2], [("out of bounds", 25, "to[i + 30] = i;", None)]),
])
def test_mistakes_in_functions_that_pointers_lead_to(tmp_path, compiler, name, which, found):
    (tmp_path / "races.cu").write_text(RACES)
    kernel = ptx.load(tmp_path / "races.cu", name)
    assert ".callprototype" in kernel.ptx.text
    which = np.int32(which) if np.ndim(which) == 0 else np.array(which, np.int32)
    told = ptx.check(kernel, 1, 64, (np.zeros(64, np.int32), which))
    lines = {(each.kind, each.line, each.source, each.other and each.other.line) for each in told
             if each.kind != "uninitialised"}
    assert lines <= set(found) and bool(lines) == bool(found)
