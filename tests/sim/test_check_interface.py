"""check() and checked(): what they take, give and fold, and that nothing a kernel does harms who asks."""

import os
import subprocess
import sys
import textwrap

import numpy as np
import pytest

import gpunet.sim.cupy as xp
from gpunet import sim

CODE = """\
__global__ void reverse(float* out, const float* x, int n) {
    __shared__ float tile[4][16];
    tile[threadIdx.x / 16][threadIdx.x % 16] = x[threadIdx.x];
    int from = n - 1 - threadIdx.x;
    out[threadIdx.x] = tile[from / 16][from % 16];
}
__global__ void twice(float* x, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) x[i] *= 2;
}
__global__ void crashes(float* x) { ((void (*)())8)(); }
__global__ void overflows(float* x) { volatile char large[1 << 20]; large[0] = 1; x[0] = large[0]; }
__global__ void hangs(float* x, int n) {
    for (unsigned i = 0; i != n; i += 2) x[0] = i;
}
__global__ void aborts(float* x) { __builtin_trap(); }
__global__ void scales(float* x, float by, const int* index) { x[threadIdx.x] = by * index[threadIdx.x]; }
template <typename T> __global__ void sum(T* out, const T* x, int n) {
    T total = 0;
    for (int i = 0; i < n; i++) total += x[i];
    out[0] = total;
}
"""
FLOATS = np.arange(64, dtype=np.float32)


@pytest.fixture(scope="module")
def kernel():
    return sim.Module(CODE, name_expressions=("sum<float>", "sum<int>")).get_function


def kinds(findings):
    return [finding.kind for finding in findings]


def test_a_clean_kernel_gives_nothing_and_its_results(kernel):
    x = FLOATS.copy()
    assert sim.check(kernel("twice"), 2, 32, (x, np.int32(50))) == []
    np.testing.assert_array_equal(x, np.where(FLOATS < 50, 2 * FLOATS, FLOATS))


def test_device_arrays_are_copied_there_and_back(kernel):
    base = xp.arange(100, dtype=np.float32)
    assert sim.check(kernel("twice"), 1, 64, (base[20:], np.int32(30))) == []
    np.testing.assert_array_equal(base.get(), np.where(abs(np.arange(100) - 34.5) < 15, 2, 1) * np.arange(100))


def test_a_finding_says_everything(kernel):
    out = sim.uninitialised(64)
    findings = sim.check(kernel("reverse"), 1, 64, (out, FLOATS, np.int32(64)))
    race = next(finding for finding in findings if finding.kind == "race")
    assert (race.kernel, race.file, race.array) == ("reverse", "kernel.cu", "tile")
    assert {race.line, race.other.line} == {3, 5} and {race.other.action, race.message.split()[1]} == {"read", "write"}
    assert race.source == CODE.split("\n")[race.line - 1].strip()
    assert race.block == (0, 0, 0) and len(race.index) == 2 and race.count > 30 and race.other.thread != race.thread
    assert race.as_dict()["other"]["line"] == race.other.line
    for text in ("kernel.cu:5", "kernel.cu:3", "tile[", race.source):
        assert text in str(race)


def test_the_same_mistake_is_told_once(kernel):
    findings = sim.check(kernel("reverse"), 4, 64, (sim.uninitialised(64), FLOATS, np.int32(64)))
    places = [(f.kind, f.line, f.other and f.other.line, f.array) for f in findings]
    assert len(places) == len(set(places))
    outputs = next(f for f in findings if f.array == "out")  # all blocks write the same array
    assert outputs.kind == "race" and outputs.other.block != outputs.block and outputs.count == 3 * 64


def test_outside_an_array(kernel):
    short = FLOATS[:40].copy()
    (finding,) = sim.check(kernel("twice"), 1, 64, (short, np.int32(64)))
    assert (finding.kind, finding.array, finding.index) == ("out of bounds", "x", 40)
    assert (finding.line, finding.count) == (9, 24)


def test_what_counts_as_written(kernel):
    out = sim.uninitialised(1)
    x = sim.uninitialised(8)
    x[:5] = 1
    (finding,) = sim.check(kernel("sum<float>"), 1, 1, (out, x, np.int32(8)))
    assert (finding.kind, finding.array, finding.index) == ("uninitialised", "x", 5)
    assert sim.check(kernel("sum<float>"), 1, 1, (out, x, np.int32(5))) == [] and out[0] == 5
    assert kinds(sim.check(kernel("sum<float>"), 1, 1, (xp.empty(1), xp.empty(8, np.float32), np.int32(8)))) == [
        "argument", "uninitialised"]
    minus = np.full(8, -1, np.int32)  # the same bits, and numbers like others
    assert sim.check(kernel("sum<int>"), 1, 1, (sim.uninitialised(1, np.int32), minus, np.int32(8))) == []


@pytest.mark.parametrize("args, words", [
    ((FLOATS, np.float32(1)), "2 arguments given, the kernel takes 3"),
    ((FLOATS, 2.0, FLOATS.astype(np.int32)), "the Python float 2.0 given"),
    ((FLOATS, np.float64(2), FLOATS.astype(np.int32)), "float64"),
    ((FLOATS, FLOATS, FLOATS.astype(np.int32)), "argument 1"),
    ((FLOATS, np.float32(2), np.arange(64)), "parameter 'int* index': an array of int64 given"),
    ((FLOATS, np.float32(2), FLOATS), "parameter 'int* index': an array of float32 given"),
])
def test_arguments_that_do_not_fit(kernel, args, words):
    findings = sim.check(kernel("scales"), 1, 32, args)
    assert findings and findings[0].kind == "argument" and words in findings[0].message


@pytest.mark.parametrize("grid, block, shared", [(0, 32, 0), (1, 2048, 0), (1, 32, 100_000)])
def test_launches_that_a_device_refuses(kernel, grid, block, shared):
    assert kinds(sim.check(kernel("twice"), grid, block, (FLOATS, np.int32(1)), shared_mem=shared)) == ["limit"]


# ---- the process -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name, line, kind", [("crashes", 11, "crash"), ("overflows", 12, "limit"),
                                              ("aborts", 16, "crash")])
def test_a_crash_is_a_finding(kernel, name, line, kind):
    findings = sim.check(kernel(name), 1, 32, (FLOATS.copy(),))
    assert kinds(findings) == [kind] and findings[0].line == line
    assert sim.check(kernel("twice"), 1, 32, (FLOATS.copy(), np.int32(9))) == []  # in a new process


def test_a_kernel_that_does_not_end(kernel):
    (finding,) = sim.check(kernel("hangs"), 1, 1, (FLOATS.copy(), np.int32(7)), timeout=0.3)
    assert finding.kind == "time-out" and finding.line == 14


def test_findings_before_a_crash_are_kept():
    code = "__global__ void f(float* x) {\n x[99] = 1;\n ((void (*)())8)();\n}"
    findings = sim.check(sim.Module(code).get_function("f"), 1, 1, (FLOATS.copy(),))
    assert sorted(kinds(findings)) == ["crash", "out of bounds"]


def test_what_does_not_compile_is_raised():
    with pytest.raises(sim.CompileError, match="undeclared"):
        sim.check(sim.Module("__global__ void f() { undeclared(); }").get_function("f"), 1, 1, ())


def test_a_forked_child_has_its_own_process(kernel):
    assert sim.check(kernel("twice"), 1, 32, (FLOATS.copy(), np.int32(9))) == []
    child = os.fork()
    if child == 0:
        os._exit(len(sim.check(kernel("twice"), 1, 64, (FLOATS[:40].copy(), np.int32(64)))))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1
    assert sim.check(kernel("twice"), 1, 32, (FLOATS.copy(), np.int32(9))) == []


# ---- what follows from an access outside ------------------------------------------------------------------------
SWEEP = """\
__global__ void sums(const int* rows, const int* columns, int* to, const int* from) {
    const int i = threadIdx.x;
    for (int j = rows[i]; j < rows[i + 1]; j++)
        if (i < columns[j]) atomicMin(&to[columns[j]], from[i]);
}
__global__ void largest(int* best, const int* values, const int* where) {
    best[0] = max(best[0], values[where[threadIdx.x]]);
}
__global__ void lowers(int* x, const int* where) {
    atomicMin(&x[where[threadIdx.x]], 1);
}
__global__ void pulls(int* a, int* b, long long* distance, int far) {
    if (threadIdx.x == 0) *distance = b - a;
    if (threadIdx.x == 1) a[0] = a[far];
}
"""


@pytest.fixture(scope="module")
def outside():
    return sim.Module(SWEEP).get_function


def test_a_launch_finds_the_same_every_time(outside):
    random = np.random.default_rng(0)
    rows = np.sort(np.concatenate([[0], random.integers(0, 300, 59), [300]])).astype(np.int32)
    columns, elements = random.integers(0, 60, 300).astype(np.int32), np.arange(300, dtype=np.int32)
    launches = [sim.check(outside("sums"), 2, 128, (rows, columns, elements.copy(), elements)) for _ in range(3)]
    assert [(f.kind, f.line, f.array) for f in launches[0]] == [("out of bounds", 3, "rows")]
    assert launches[0] == launches[1] == launches[2]


def test_a_wild_index_hides_nothing(outside):
    where = np.array([0, 1, 2, 2_000_000_000], np.int32)
    found = sim.check(outside("largest"), 1, 4, (np.zeros(1, np.int32), np.arange(4, dtype=np.int32), where))
    assert sorted((f.kind, f.line) for f in found) == [("out of bounds", 7), ("race", 7)]
    (finding,) = sim.check(outside("lowers"), 1, 4, (np.zeros(8, np.int32), where))
    assert (finding.kind, finding.line, finding.thread) == ("out of bounds", 10, (3, 0, 0))


def test_a_message_is_the_same_in_any_process():
    text = "__global__ void before(float* x) { unsigned i = threadIdx.x - 1; x[i] = 1; }"
    kernel = sim.Module(text).get_function("before")
    found, = sim.check(kernel, 1, 4, (np.zeros(4, np.float32),))  # 16 GB behind the array
    assert (found.kind, found.message) == ("out of bounds", "a write of 4 bytes where no array is")
    assert (found.line, found.thread) == (1, (0, 0, 0))


def test_no_stride_leads_into_another_array(outside):
    a, b, distance = np.zeros(4, np.int32), np.ones(4, np.int32), np.zeros(1, np.int64)
    for _ in range(3):  # what was the distance in one launch is none in the next
        found = sim.check(outside("pulls"), 1, 32, (a, b, distance, np.int32(distance[0])))
        assert kinds(found) == ["out of bounds"] * bool(found)
    assert found


# ---- what a finding says ----------------------------------------------------------------------------------------
SAYS = """\
__device__ float at(const float* x, int i) { return x[i]; }
__global__ void sums_two(float* y, const float* x) {
    int i = threadIdx.x;
    y[i] = at(x, i);
    y[i] += at(x, i + 1);
}
__global__ void dynamic(float* y) {
    extern __shared__ float kept[];
    kept[threadIdx.x] = 1;
    y[threadIdx.x] = 2;
}
__global__ void vectors(float4* y, const float* x) {
    y[threadIdx.x] = *reinterpret_cast<const float4*>(x + threadIdx.x * 4 + 1);
}
"""


def test_what_a_finding_says():
    kernel = sim.Module(SAYS, file="says.cu").get_function
    (finding,) = sim.check(kernel("sums_two"), 1, 64, (sim.uninitialised(64), FLOATS))
    assert finding.line == 1 and finding.calls == (("says.cu", 5, "y[i] += at(x, i + 1);"),)
    assert "by says.cu:5: y[i] += at(x, i + 1);" in str(finding)
    (finding,) = sim.check(kernel("dynamic"), 1, 4, (sim.uninitialised(4),), shared_mem=0)
    assert (finding.array, finding.line, finding.calls) == ("kept", 9, ())
    assert "the dynamic shared memory, of which the launch gives 0 bytes" in finding.message
    assert kinds(sim.check(kernel("vectors"), 1, 4, (sim.uninitialised(16), FLOATS))) == ["misaligned"]


# ---- checked() ---------------------------------------------------------------------------------------------------
def test_checked_launches(kernel):
    x = xp.ones(40, np.float32)
    with sim.checked() as findings:
        for _ in range(2):
            kernel("twice")((1,), (64,), (x, np.int32(64)))
    assert kinds(findings) == ["out of bounds"] and (x.get() == 4).all()
    kernel("twice")((1,), (64,), (x, np.int32(40)))
    assert kinds(findings) == ["out of bounds"]


def test_checked_tensors():
    import gpunet

    with sim.checked() as findings:
        x = gpunet.randn(33, 20, device="sim", requires_grad=True)
        w = gpunet.randn(20, 10, device="sim", requires_grad=True)
        targets = gpunet.zeros(33, dtype=gpunet.int64, device="sim")
        gpunet.nn.functional.cross_entropy(gpunet.relu(x) @ w, targets).backward()
    assert findings == [] and x.grad.shape == (33, 20)


def test_a_launch_that_cannot_be_run_leaves_no_array_behind():
    """Nor a time limit; also where something still has the exception, whose frames hold the launch's arrays."""
    program = textwrap.dedent("""
        import signal
        from gpunet.sim import memory, toolchain
        from gpunet.sim.checker import worker
        from gpunet.sim.errors import SimulatorLimit

        class Fails:
            name = "k"

            def run_packed(self, *_):
                raise SimulatorLimit("too large")

        toolchain.use_check_builds()
        toolchain.runtime().gpunet_sim_say_last_words_to(2)
        launch = worker.Launch(0, bytes(40), ((32, 0, 0),), (worker.Array(bytes(400), 0),), 9.0)
        kept = []
        try:
            worker._launch_once(Fails(), launch)
        except SimulatorLimit as error:
            kept.append(error)
        print(memory.bytes_in_use(), signal.getitimer(signal.ITIMER_REAL)[0])
        """)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "0 0.0\n", done.stderr


@pytest.mark.parametrize("code, line", [
    ('extern "C" __global__ void f(float* y, int n) { if (threadIdx.x < n) y[threadIdx.x] = 1; }', 1),
    ('extern "C" __global__ void f(float* y, int n)\n{\n    if (threadIdx.x < n)\n        y[threadIdx.x] = 1;\n}', 4),
    ('extern "C" {\n__device__ void put(float* y, int i) { y[i] = 1; }\n'
     '__global__ void f(float* y, int n) {\n    if (threadIdx.x < n) put(y, threadIdx.x);\n}\n}', 2),
])
def test_the_line_in_functions_with_the_names_of_c(code, line):
    found, = sim.check(sim.Module(code).get_function("f"), 1, 32, (np.zeros(20, np.float32), np.int32(32)))
    assert (found.kind, found.line, found.element) == ("out of bounds", line, "y[20]")
    assert found.source == code.split("\n")[line - 1].strip()


def test_the_array_module_is_imported_when_it_is_asked_for():
    program = ("import sys; from gpunet import sim; assert 'gpunet.sim.cupy' not in sys.modules; "
               "assert 'cupy' in dir(sim); print(sim.cupy.__name__)")
    done = subprocess.run([sys.executable, "-c", program], text=True, capture_output=True)
    assert done.stdout == "gpunet.sim.cupy\n", done.stderr
    with pytest.raises(AttributeError, match=r"module 'gpunet\.sim' has no attribute 'cuda'"):
        sim.cuda  # noqa: B018


NEXT = "__global__ void next(int* y, const int* x) {{ int v = x[threadIdx.x]; {} y[threadIdx.x] = v + 100; }}"


@pytest.mark.parametrize("y_from, x_from", [(0, 1), (1, 0), (0, 0), (0, 9)])
def test_arrays_that_have_memory_in_common(y_from, x_from):
    memory = np.arange(20, dtype=np.int32)
    expected = memory.copy()
    expected[y_from:y_from + 8] = memory[x_from:x_from + 8] + 100
    kernel = sim.Module(NEXT.format("__syncthreads();")).get_function("next")
    assert sim.check(kernel, 1, 8, (memory[y_from:y_from + 8], memory[x_from:x_from + 8])) == []
    assert memory.tolist() == expected.tolist()


def test_mistakes_in_arrays_that_have_memory_in_common():
    memory = np.arange(9, dtype=np.int32)
    kernel = sim.Module(NEXT.format("")).get_function("next")
    assert sim.check(kernel, 1, 8, (memory[:8].copy(), memory[1:])) == []
    assert {each.kind for each in sim.check(kernel, 1, 8, (memory[:8], memory[1:]))} == {"race"}
    assert sim.check(kernel, 1, 8, (memory[:8], memory)) == []  # which begin at one place
    beyond, = sim.check(kernel, 1, 10, (memory[:8], memory))
    assert beyond.kind == "out of bounds" and beyond.thread == (9, 0, 0)
