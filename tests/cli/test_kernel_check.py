"""`gpunet kernel check`."""

import json
import shutil

import numpy as np
import pytest

from gpunet.kernel import nvrtc
from gpunet.sim.engine import lacking

pytestmark = pytest.mark.skipif(not any(map(shutil.which, ("g++", "clang++"))), reason="no C++ compiler for sim")

SOURCE = """#include "helper.cuh"
#include <stdio.h>
// Each block adds up its part of x.
template <typename T, int N>
__global__ void __launch_bounds__(N) total(T* y, const T* x, int n) {
    __shared__ T part[N];
    const int i = blockIdx.x * N + threadIdx.x;
    part[threadIdx.x] = i < n ? load(x, i) : T(0);
#ifndef BUGGY
    __syncthreads();
#endif
    if (threadIdx.x == 0) {
        T sum = 0;
        for (int j = 0; j < N; ++j) sum += part[j];
        y[blockIdx.x] = sum;
    }
}
int main() { float* x; cudaMalloc(&x, 4); total<float, 64><<<1, 64>>>(x, x, 1); printf("done"); }
"""
HELPER = """#pragma once
template <typename T>
__device__ T load(const T* x, int i) {
    return x[i + OFFSET];
}
"""


@pytest.fixture
def check(gpunet_command, tmp_path):
    (tmp_path / "include").mkdir()
    (tmp_path / "include" / "helper.cuh").write_text(HELPER)
    (tmp_path / "total.cu").write_text(SOURCE)
    call = ("--kernel", "total<float,64>", "--grid", "4", "--block", "64", "-I", "include")
    arguments = ("--arg", "f32[4]", "--arg", "f32[200]=1", "--arg", "i32=200")

    def run(*more, call=call, arguments=arguments, offset=0):
        return gpunet_command("kernel", "check", "total.cu", *call, f"-DOFFSET={offset}", *arguments, *more)

    return run


def line_of(text, words):
    return text[: text.index(words)].count("\n") + 1


def test_a_clean_kernel(check, tmp_path):
    code, text = check("--out", "0=a.npy", "--out", "x=b.npy")
    assert code == 0 and text.startswith("total.cu, total<float,64>, grid 4, block 64: nothing found (")
    assert np.load(tmp_path / "a.npy").tolist() == [64, 64, 64, 8]
    assert (np.load(tmp_path / "b.npy") == np.ones(200, np.float32)).all()


def test_a_race(check):
    code, text = check("-D", "BUGGY")
    write, read = line_of(SOURCE, "part[threadIdx.x]"), line_of(SOURCE, "sum += part[j]")
    assert code == 1 and "\x1b[" not in text
    assert "race: " in text and f"total.cu:{write} in total<float,64>, block (0,0,0)" in text
    assert f"::: total.cu:{read}, read by block (0,0,0), thread (0,0,0)" in text
    assert "    part[threadIdx.x] = i < n ? load(x, i) : T(0);\n" in text  # with its indentation
    assert text.count("help: between threads of a block") == 1


def test_a_finding_in_a_header(check):
    code, text = check(offset=1)
    assert code == 1 and "1 out of bounds" in text
    line = line_of(HELPER, "return x[i")
    assert f"helper.cuh:{line} in total<float,64>, block (3,0,0), thread (7,0,0)" in text
    assert f"{line} |     return x[i + OFFSET];\n  |            ^^^^^^^^^^^^^ x[200]\n" in text


def test_json(check):
    code, text = check("--json", "-DBUGGY")
    found = json.loads(text)
    assert code == 1 and found["grid"] == [4] and found["block"] == [64] and found["arguments"][0] == "f32[4]"
    race = next(each for each in found["findings"] if each["kind"] == "race")
    assert race["line"] == line_of(SOURCE, "part[threadIdx.x]") and race["array"] == "part" and race["count"] > 1
    assert race["other"]["line"] == line_of(SOURCE, "sum += part[j]")
    code, text = check("--json")
    assert code == 0 and json.loads(text)["findings"] == []


def test_an_argument_of_another_type_is_a_finding(check):
    code, text = check(arguments=("--arg", "f32[4]", "--arg", "f32[200]=1", "--arg", "f32=200"))
    assert code == 1 and text.startswith("argument: ")
    code, text = check(arguments=("--arg", "f32[4]", "--arg", "f64[200]=1", "--arg", "i32=200"))
    assert code == 1 and "argument: " in text and "float64" in text


def test_null_pointers_and_loops_without_end(gpunet_command, tmp_path):
    (tmp_path / "a.cu").write_text("__global__ void f(volatile int* x, volatile int* y) { x[1] = 1; while (!*y) {} }")
    code, text = gpunet_command("kernel", "check", "a.cu", "--block", "1", "--arg", "null", "--arg", "i32[1]=0")
    assert code == 1 and "through a null pointer" in text and "deadlock: 1 thread waits in a loop" in text


def test_in_place(gpunet_command, tmp_path):
    (tmp_path / "a.cu").write_text("__global__ void f(int* y, const int* x) { y[threadIdx.x] = x[threadIdx.x] + 1; }")
    code, _ = gpunet_command("kernel", "check", "a.cu", "--block", "4", "--arg", "i32[4]=arange", "--arg", "@0",
                             "--out", "1=y.npy")
    assert code == 0 and np.load(tmp_path / "y.npy").tolist() == [1, 2, 3, 4]
    (tmp_path / "a.cu").write_text("__global__ void f(int* y, const int* x) { y[threadIdx.x] = x[threadIdx.x ^ 1]; }")
    code, text = gpunet_command("kernel", "check", "a.cu", "--block", "4", "--arg", "i32[4]", "--arg", "@0")
    assert code == 1 and "race" in text and "uninitialised" in text


def test_the_default_block_is_what_the_launch_bounds_allow(gpunet_command, tmp_path):
    (tmp_path / "a.cu").write_text("__global__ void __launch_bounds__(96) f(int* x) { x[threadIdx.x] = blockDim.x; }")
    code, text = gpunet_command("kernel", "check", "a.cu", "--arg", "i32[96]", "--out", "x=a.npy")
    assert code == 0 and "block 96" in text and (np.load(tmp_path / "a.npy") == 96).all()


def test_random_numbers_follow_from_the_seed(gpunet_command, tmp_path):
    (tmp_path / "a.cu").write_text("__global__ void f(float* y, const float* x) { y[threadIdx.x] = x[threadIdx.x]; }")
    arrays = []
    for seed in ("1", "1", "2"):
        gpunet_command("kernel", "check", "a.cu", "--block", "8", "--arg", "f32[8]", "--arg", "f32[8]=normal", "--seed",
                       seed, "--out", "0=y.npy")
        arrays.append(np.load(tmp_path / "y.npy").tolist())
    assert arrays[0] == arrays[1] != arrays[2]


@pytest.mark.parametrize("changes, says", [
    ({"arguments": ("--arg", "f32[4]")},
     "total<float,64> takes 3 arguments (float* y, float* x, int n), and --arg is given once."),
    ({"arguments": ("--arg", "f32[4", "--arg", "f32[2]", "--arg", "i32=1")}, "--arg 'f32[4': an argument is null"),
    ({"call": ("--kernel", "total")}, "total is a template of T, N"),
    ({"call": ("--kernel", "nothing")}, "total.cu has no kernel 'nothing'; it has total."),
    ({"call": ()}, "name an instance, such as --kernel 'total<float,4>'"),
])
def test_wrong_calls(check, changes, says):
    code, text = check(**changes)
    assert code == 2 and says in text and "Traceback" not in text


@pytest.mark.parametrize("more, says", [
    (("--out", "7=a.npy"), "--out '7=a.npy': there is no argument 7; there are 0 to 2 (y, x, n)."),
    (("--out", "n=a.npy"), "argument n is no array"),
    (("--out", "y"), "it is written K=FILE.npy"),
    (("--out", "y=nowhere/a.npy"), "nowhere/a.npy cannot be written: No such file or directory."),
    (("--grid", "0"), "'0' is not one to three positive sizes"),
    (("--timeout", "0"), "0"),
])
def test_wrong_options(check, more, says):
    code, text = check(*more)
    assert code == 2 and says in text


def test_what_does_not_compile(gpunet_command, tmp_path):
    (tmp_path / "a.cu").write_text("__global__ void f(int* x) {\n    *x = undeclared;\n}\n")
    code, text = gpunet_command("kernel", "check", "a.cu", "--arg", "i32[1]")
    assert code == 2 and "a.cu does not compile for the checker" in text and "a.cu:2:" in text
    (tmp_path / "a.cu").write_text("__global__ void f(int* x) {\n    *x = tex2D<int>(0, 1.0f, 1.0f);\n}\n")
    code, text = gpunet_command("kernel", "check", "a.cu", "--arg", "i32[1]")
    assert code == 2 and "a.cu:2:" in text and "tex2D: textures and surfaces are not simulated" in text


def test_what_only_the_other_engine_has(gpunet_command, tmp_path):
    """It is taken, and that is said, but not where an engine is asked for."""
    (tmp_path / "a.cu").write_text("__global__ void __cluster_dims__(2, 1, 1) f(int* x) { x[blockIdx.x] = 1; }\n")
    told = "kernel", "check", "a.cu", "--grid", "4", "--block", "1", "--arg", "i32[3]"
    if not lacking():
        code, text = gpunet_command(*told)
        assert code == 1 and "a.cu: by the PTX engine, as f has what the C++ engine does not simulate" in text
        assert "x[3]" in text
    code, text = gpunet_command(*told, "--engine", "cxx")
    assert code == 2 and "__cluster_dims__: thread block clusters are not simulated in C++" in text


def test_several_kernels(gpunet_command, tmp_path):
    (tmp_path / "a.cu").write_text("__global__ void f() {}\nnamespace n { __global__ void g(int* x) { *x = 1; } }")
    code, text = gpunet_command("kernel", "check", "a.cu")
    assert code == 2 and "a.cu has several kernels (f, n::g): choose one with --kernel." in text
    assert gpunet_command("kernel", "check", "a.cu", "--kernel", "f")[0] == 0
    assert gpunet_command("kernel", "check", "a.cu", "--kernel", "n::g", "--block", "1", "--arg", "i32[1]")[0] == 0


def test_the_help_has_the_language(gpunet_command):
    code, text = gpunet_command("kernel", "check", "--help")
    assert code == 0
    for words in ("f32[16,1000]=normal(0,3)", "randint(low,high)", "bf16", "null", "The exit status is 0"):
        assert words in text


def test_colours_in_a_terminal_alone(check, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "\x1b[1;31mrace" in check("-DBUGGY")[1]


STRUCTURE = """#include <stdio.h>
struct Line { float slope; int first; double at; };
__global__ void f(Line line, float* y) {
    if (threadIdx.x == 0) printf("says so\\n");
    y[threadIdx.x] = line.slope * (threadIdx.x + line.first) + line.at;
}
"""


def test_structures_and_what_a_kernel_prints(gpunet_command, tmp_path):
    (tmp_path / "a.cu").write_text(STRUCTURE)
    code, text = gpunet_command("kernel", "check", "a.cu", "--block", "4", "--arg", "struct{f32=2,i32=3,f64=0.5}",
                                "--arg", "f32[4]", "--out", "y=y.npy", "--json")
    assert code == 0 and json.loads(text)["findings"] == []
    assert np.load(tmp_path / "y.npy").tolist() == [6.5, 8.5, 10.5, 12.5]


GRAPH = """struct Graph { int nodes; int* first; };
__global__ void degrees(Graph g, int* out) {
    int v = threadIdx.x;
    if (v < g.nodes) out[v] = g.first[v + 1] - g.first[v];
}
"""


def test_structures_with_pointers(gpunet_command, tmp_path):
    (tmp_path / "a.cu").write_text(GRAPH)
    np.save(tmp_path / "first.npy", np.int32([0, 2, 5, 6]))
    command = ("kernel", "check", "a.cu", "--block", "4", "--out", "out=out.npy", "--arg")
    code, _ = gpunet_command(*command, "struct{i32=3,first.npy}", "--arg", "i32[3]")
    assert code == 0 and np.load(tmp_path / "out.npy").tolist() == [2, 3, 1]
    code, text = gpunet_command(*command, "struct{i32=3,i32=[0,2,5]}", "--arg", "i32[3]")
    assert code == 1 and "g.first[3]" in text
    graph = np.zeros((), [("nodes", "i4"), ("first", "u8", )])
    np.save(tmp_path / "graph.npy", np.array(graph, np.dtype([("nodes", "i4"), ("first", "u8")], align=True)))
    assert gpunet_command(*command, "graph.npy", "--arg", "i32[3]=0")[0] == 0


def test_warnings_alone_are_no_failure(gpunet_command, tmp_path):
    (tmp_path / "a.cu").write_text(WRITE)
    command = ("kernel", "check", "a.cu", "--block", "4", "--arg", "f32[6]")
    code, text = gpunet_command(*command)
    assert code == 0 and "warning: unwritten: y: nothing has written 2 of its 6 elements, the first is y[4]" in text
    assert "1 unwritten (warning)" in text
    assert gpunet_command(*command, "--strict")[0] == 1


@pytest.mark.parametrize("engine", ["cxx", "ptx"])
def test_other_data_and_sizes(gpunet_command, tmp_path, engine):
    if engine == "ptx":
        pytest.importorskip("llvmlite")
        try:
            nvrtc.version()
        except nvrtc.NvrtcError as error:
            pytest.skip(str(error))
    (tmp_path / "a.cu").write_text("__global__ void add(float* y, const float* x, const int* at, int n) {\n"
                                   "  int i = threadIdx.x;\n  if (i < n) y[at[i]] += x[i];\n}\n"
                                   "__global__ void twice(float* y, const float* x, int n) {\n"
                                   "  int i = threadIdx.x;\n  y[i] = 2 * x[i];\n}")
    command = ("kernel", "check", "a.cu", "--block", "8", "--arg", "f32[8]=ones", "--arg", "f32[8]=ones")
    for name, option, more, says in (
            ("add", "--other-data", ("--arg", "i32[8]=arange"), "other data may make two threads meet here"),
            ("twice", "--other-sizes", (), "(with n = 7 in place of 8, and arrays of that length)")):
        given = (*command, "--kernel", name, *more, "--arg", "i32=8", "--engine", engine)
        assert gpunet_command(*given)[0] == 0
        code, text = gpunet_command(*given, option)
        assert code == 0 and says in text and gpunet_command(*given, option, "--strict")[0] == 1


WRITE = "__global__ void f(float* y) { y[threadIdx.x] = 1.f; }"


@pytest.mark.parametrize("array, says", [
    (np.array(["a"] * 8), "an array of <U1 given"),
    (np.ones(8, ">f4"), "an array of >f4 in another machine's byte order given"),
    (np.zeros(8, "S4"), "an array of |S4 given"),
    (np.ones(8, [("a", "<i2"), ("b", "<i2")]), "an array of [('a', '<i2'), ('b', '<i2')] given"),
    (np.ones(8, "c8"), "an array of complex64 given"),
    (np.ones(8, "M8[s]"), "an array of datetime64[s] given"),
    (np.ones(8, "i4"), "an array of int32 given"),
])
def test_arrays_that_are_no_floats(gpunet_command, tmp_path, array, says):
    (tmp_path / "a.cu").write_text(WRITE)
    np.save(tmp_path / "x.npy", array)
    code, text = gpunet_command("kernel", "check", "a.cu", "--block", "8", "--arg", "x.npy")
    assert code == 1 and text.startswith("argument: ") and says in text


def test_complex_numbers_are_no_doubles(gpunet_command, tmp_path):
    """They are of one size."""
    (tmp_path / "a.cu").write_text(WRITE.replace("float", "double"))
    for array, code in ((np.ones(8, "c8"), 1), (np.ones(8, "M8[s]"), 1), (np.ones(8), 0)):
        np.save(tmp_path / "x.npy", array)
        assert gpunet_command("kernel", "check", "a.cu", "--block", "8", "--arg", "x.npy")[0] == code


@pytest.mark.parametrize("arguments, says", [
    (("--arg", "f32[99999999999999]"), "the array has 400,000.0 GB, and"),
    (("--arg", "f32[9999999999999999999999]"), "an array of 1 dimensions"),
    (("--arg", "x.npz"), "an argument is null, a file.npy"),
    (("--arg", "several.npy"), "several arrays (.npz)"),
    (("--arg", "f32[8]", "--grid", "2147483647,2"), "more blocks than the simulator counts"),
    (("--arg", "f32[8]", "--timeout", "nan"), "nan is not a finite number"),
    (("--arg", "f32[8]", "--timeout", "inf"), "inf is not"),
    (("--arg", "f32[8]", "--seed", str(2**64)), "is not in the range"),
    (("--arg", "f32[8]", "--shared", "9" * 30), "is not in the range"),
    (("--arg", "f32[8]", "--out", f"0={'x' * 300}"), "File name too long"),
    (("--arg", "f32[8]", "-I", "none"), "none"),
    (("--arg", "f32[8]", "-DX=)("), "a.cu"),
])
def test_status_1_is_for_findings_alone(gpunet_command, tmp_path, arguments, says):
    (tmp_path / "a.cu").write_text(WRITE.replace("1.f", "X") if "-DX=)(" in arguments else WRITE)
    with open(tmp_path / "several.npy", "wb") as file:
        np.savez(file, np.ones(2), np.ones(3))
    code, text = gpunet_command("kernel", "check", "a.cu", "--block", "8", *arguments)
    assert code == 2 and says in text and text.count("Error: ") == 1


@pytest.mark.parametrize("error, status", [
    (KeyboardInterrupt(), 130), (MemoryError(), 2), (OSError(28, "No space left on device"), 2), (KeyError(), 70),
])
def test_the_status_of_what_is_no_finding(tmp_path, monkeypatch, error, status):
    from click.testing import CliRunner

    from gpunet.cli import main
    from gpunet.sim.checker import checking

    def fail(*arguments, **options):
        raise error

    monkeypatch.setattr(checking, "check_printing", fail)
    (tmp_path / "a.cu").write_text(WRITE)
    result = CliRunner().invoke(main, ["kernel", "check", str(tmp_path / "a.cu"), "--arg", "f32[256]"])
    assert result.exit_code == status


def test_a_checker_that_does_not_come_to_the_kernel(gpunet_command, tmp_path, monkeypatch):
    from gpunet.sim.checker import process as checker_process

    checker_process.process.close()
    monkeypatch.setattr(checker_process, "_PROGRAM", "import sys; sys.exit(5)")
    (tmp_path / "a.cu").write_text(WRITE)
    code, text = gpunet_command("kernel", "check", "a.cu", "--arg", "f32[256]")
    assert code == 2 and "the checker's process ended with status 5 before it ran f" in text


def test_no_memory_for_the_arrays_is_no_finding(gpunet_command, tmp_path, monkeypatch):
    from gpunet.sim.checker import process as checker_process

    program = ("from gpunet.sim import memory\nfrom gpunet.sim.checker import worker\n"
               "def allocate(size): raise MemoryError(f'no {size} bytes')\n"
               "memory.reserve = allocate; worker.main()")
    checker_process.process.close()
    monkeypatch.setattr(checker_process, "_PROGRAM", program)
    (tmp_path / "a.cu").write_text(WRITE)
    code, text = gpunet_command("kernel", "check", "a.cu", "--arg", "f32[256]")
    checker_process.process.close()
    assert code == 2 and "Not enough memory: no 1024 bytes" in text


def test_without_a_compiler(gpunet_command, tmp_path, monkeypatch):
    """The engine that needs none serves, where it can."""
    from gpunet.sim import toolchain
    from gpunet.sim.checker import process

    pytest.importorskip("llvmlite")
    monkeypatch.setattr(process, "process", process.CheckerProcess())  # which is not running yet
    monkeypatch.setenv("GPUNET_CXX", "/nowhere/g++")
    toolchain.compiler.cache_clear()
    (tmp_path / "a.cu").write_text(WRITE)
    command = ("kernel", "check", "a.cu", "--block", "8", "--arg", "f32[7]")
    try:
        code, text = gpunet_command(*command)
        assert code == 1 and "a write of 4 bytes outside the array" in text and "y[7]" in text
        code, text = gpunet_command(*command, "--engine", "cxx")
        assert code == 2 and "the checker of CUDA C++ needs a C++ compiler, and $GPUNET_CXX names" in text
        assert "; --engine ptx needs none (pip install 'gpunet[sim]')." in text
    finally:
        toolchain.compiler.cache_clear()
