"""Kernels of Triton, Numba and CuPy, by the PTX that these libraries compile here: values, mistakes, counters."""

import importlib
import inspect
import re
import runpy
import types
from pathlib import Path

import numpy as np
import pytest

from gpunet import ptx
from tests.here import is_installed

# What the libraries warn of is not ours to mend.
pytestmark = [pytest.mark.filterwarnings("ignore:TRITON_DEFAULT_FP_FUSION is unset"),
              pytest.mark.filterwarnings("ignore::numba.core.errors.NumbaWarning")
              if is_installed("numba_cuda") else pytest.mark.filterwarnings("error")]
DOCUMENT = Path(__file__).parents[3] / "docs" / "ptx.md"


def values(*shape, dtype=np.float32):
    return np.random.default_rng(0).normal(size=shape).astype(dtype)


def line_of(file, mark):
    """The line in which a comment or text stands."""
    number, = (number for number, line in enumerate(Path(file).read_text().split("\n"), 1) if line.endswith(mark))
    return number


def places(found, file, kind):
    """The lines of findings of a kind, all in the user's file and with its text."""
    lines = Path(file).read_text().split("\n")
    chosen = [each for each in found if each.kind == kind]
    assert all(each.file == str(file) and each.source == lines[each.line - 1].strip() for each in chosen), found
    return {each.line for each in chosen}


def only_of(profile, *files):
    """Whether all that a profile counts stands at lines of these files."""
    return {file for line in profile.lines for file, _ in line.chain} <= set(map(str, files))


@pytest.fixture
def of_triton():
    return importlib.import_module("tests.ptx.frontends.of_triton")


@pytest.fixture
def of_numba():
    return importlib.import_module("tests.ptx.frontends.of_numba")


# ---- Triton ----------------------------------------------------------------------------------------------------------
@pytest.mark.needs("triton")
def test_a_softmax_of_triton(of_triton):
    kernel, x, out = ptx.from_triton(of_triton.softmax), values(4, 200), ptx.uninitialised((4, 200))
    kernel[(4,)](out, x, 200, BLOCK=256)
    exponentials = np.exp(x - x.max(1, keepdims=True))
    np.testing.assert_allclose(out, exponentials / exponentials.sum(1, keepdims=True), rtol=1e-6)
    assert kernel.check[(4,)](ptx.uninitialised((4, 200)), x, np.int32(200), BLOCK=256, num_warps=8) == []


@pytest.mark.needs("triton")
def test_counters_of_triton_stand_at_the_users_lines(of_triton):
    kernel, x = ptx.from_triton(of_triton.softmax), values(4, 256)
    found = kernel.profile[lambda meta: (len(meta["x"]),)](np.zeros_like(x), x, 256, BLOCK=256)
    assert only_of(found, of_triton.__file__) and found.kernel == "softmax"
    loads, = (line for line in found.lines if line.chain[0][1] == line_of(of_triton.__file__, 'other=-float("inf"))'))
    assert loads.sectors == loads.least_sectors == x.nbytes // 32


@pytest.mark.needs("triton")
def test_a_product_of_triton_on_tensor_cores(of_triton):
    a, b, out = values(40, 50, dtype=np.float16), values(50, 33, dtype=np.float16), ptx.uninitialised((40, 33))
    ptx.from_triton(of_triton.product)[(3, 3)](out, a, b, 40, 33, 50, M=16, N=16, K=16, num_warps=1)
    np.testing.assert_allclose(out, a.astype(np.float32) @ b.astype(np.float32), rtol=1e-3, atol=1e-3)


@pytest.mark.needs("triton")
def test_a_product_of_triton_for_hopper(of_triton):
    """By wgmma."""
    kernel = ptx.from_triton(of_triton.product, "sm_90")
    a, b, out = values(70, 96, dtype=np.float16), values(96, 80, dtype=np.float16), ptx.uninitialised((70, 80))
    kernel[(2, 2)](out, a, b, 70, 80, 96, M=64, N=64, K=32)
    np.testing.assert_allclose(out, a.astype(np.float32) @ b.astype(np.float32), rtol=1e-3, atol=1e-3)
    assert kernel.check[(2, 2)](ptx.uninitialised((70, 80)), a, b, 70, 80, 96, M=64, N=64, K=32) == []


@pytest.mark.needs("triton")
def test_mistakes_in_triton(of_triton):
    shifted = ptx.from_triton(of_triton.shifted)
    found = shifted.check[(1,)](ptx.uninitialised(50), values(50), 50, 0.5)
    assert places(found, of_triton.__file__, "out of bounds") == {line_of(of_triton.__file__, "# over the end")}
    assert {each.element for each in found} == {"x[50]"}
    x, out = values(256), np.zeros(1, np.float32)
    found = ptx.from_triton(of_triton.counted).check[(4,)](out, x, BLOCK=64)
    assert line_of(of_triton.__file__, "# race") in places(found, of_triton.__file__, "race")
    assert ptx.from_triton(of_triton.counted_by_atomics).check[(4,)](out * 0, x, BLOCK=64) == []


@pytest.mark.needs("triton")
def test_what_is_refused_of_triton(of_triton):
    with pytest.raises(TypeError, match="an autotuned kernel cannot choose; pass its `fn`"):
        ptx.from_triton(of_triton.autotuned)
    with pytest.raises(ValueError, match="numpy.ascontiguousarray"):
        ptx.from_triton(of_triton.counted)[(1,)](np.zeros(1, np.float32), values(64, 2)[:, 0], BLOCK=64)


# ---- Numba -----------------------------------------------------------------------------------------------------------
@pytest.mark.needs("numba_cuda")
@pytest.mark.parametrize("arranged", [lambda x: x, lambda x: x.T, lambda x: x[::2, 1::3]],
                         ids=["rows", "columns", "steps"])
def test_arrays_of_numba(of_numba, arranged):
    x = arranged(values(20, 18))
    y = arranged(np.zeros((20, 18), np.float32))
    ptx.from_numba(of_numba.scaled)[(2, 2), (16, 16)](y, x, np.float32(2))
    np.testing.assert_allclose(y, 2 * np.exp(-abs(x)), rtol=1e-6)


@pytest.mark.needs("numba_cuda")
def test_other_arguments_of_numba(of_numba):
    x, y = values(32) + 1j * values(32), np.zeros(32)
    kernel = ptx.from_numba(of_numba.rows)
    for on, wanted in ((True, 3 + x.real * 1.5), (False, x.imag)):
        assert kernel.check[1, 32](y, x, (3, 1.5), on) == []
        np.testing.assert_allclose(y, wanted)


@pytest.mark.needs("numba_cuda")
def test_dynamic_shared_memory_and_atomics_of_numba(of_numba):
    x, y = np.arange(128, dtype=np.float32), np.zeros(1, np.float32)
    kernel = ptx.from_numba(of_numba.total)
    assert kernel.check[4, 32, None, 128](y, x) == [] and y[0] == x.sum()
    found = kernel.profile[4, 32, None, 128](y, x)
    assert only_of(found, of_numba.__file__) and (found.kernel, found.shared) == ("total", 128)
    number = line_of(of_numba.__file__, "part[t] = x[cuda.grid(1)]")
    reads, = (line for line in found.lines if line.chain[0][1] == number)
    assert reads.sectors == 16 and reads.wavefronts == 4


@pytest.mark.needs("numba_cuda")
def test_records_of_numba(of_numba):
    line = np.zeros(3, np.dtype([("slope", "f4"), ("start", "f8"), ("used", "i2")], align=True))
    line[1] = 2.0, 0.5, 7
    x = np.zeros(32, [("at", "i4"), ("more", "u1")])
    x["at"] = np.arange(32)
    y, kernel = np.zeros(32), ptx.from_numba(of_numba.of_records)
    kernel[1, 32](y, x, line[1])
    assert (y == 2 * np.arange(32) + 0.5).all() and line["used"].tolist() == [0, 8, 0]
    file = of_numba.__file__
    beyond = kernel.check[1, 33](np.zeros(33), x, line[1])
    assert places(beyond, file, "out of bounds") == {line_of(file, "y[i] = record.slope * x[i].at + record.start")}


@pytest.mark.needs("numba_cuda")
def test_mistakes_in_numba(of_numba):
    file = of_numba.__file__
    found = ptx.from_numba(of_numba.turned).check[1, 64](ptx.uninitialised(64), values(64))
    race = next(each for each in found if each.kind == "race")
    assert {race.line, race.other.line} == {line_of(file, "# race"), line_of(file, "# its reads")}
    assert race.file == file and race.kernel == "turned"
    found = ptx.from_numba(of_numba.next_ones).check[2, 32](ptx.uninitialised(64), values(64))
    assert places(found, file, "out of bounds") == {line_of(file, "# over the end")}
    assert [each.element for each in found if each.kind == "out of bounds"] == ["x[64]"]


@pytest.mark.needs("numba_cuda")
def test_kernels_of_numba_with_signatures():
    """Numbers become the signature's, arrays must be its; of several signatures the first that fits."""
    with ptx.numba_without_gpu():
        module = importlib.import_module("tests.ptx.frontends.of_numba_signed")
    x, y = values(64), np.zeros(64, np.float32)
    ptx.from_numba(module.scaled)[2, 32](y, x, 3)
    np.testing.assert_array_equal(y, np.float32(3) * x)
    counted = ptx.from_numba(module.counted)
    for dtype in (np.int32, np.float64):
        totals = np.zeros(1, dtype)
        counted[1, 50](totals, np.arange(50).astype(dtype))
        assert totals[0] == 49 * 50 // 2
    with pytest.raises(TypeError, match=r"scaled takes \(array\(float32, 1d, A\), .*, float32\), got \(array\(float64"):
        ptx.from_numba(module.scaled)[2, 32](y.astype(np.float64), x, 3)
    with pytest.raises(TypeError, match=r"counted takes .* or .*, got"):
        counted[1, 50](np.zeros(1, np.int32))
    found = ptx.from_numba(module.scaled).check[3, 32](ptx.uninitialised(64), values(64), 1)
    assert places(found, module.__file__, "out of bounds") == {line_of(module.__file__, "y[i] = times(by, x[i])")}


# ---- CuPy ------------------------------------------------------------------------------------------------------------
TURNED = r'''
extern "C" __global__ void turned(float* y, const float* x) {
    __shared__ float tile[64];
    tile[threadIdx.x] = x[threadIdx.x];  // the race
    y[threadIdx.x] = tile[63 - threadIdx.x];  // its other side
    if (y == x) printf("the same\n");
}
'''
TEMPLATE = """
template <typename T> __global__ void filled(T* y, T value) { y[threadIdx.x] = value; }  // T's place
"""


def test_cuda_in_a_string_by_the_lines_of_the_python_file(compiler):
    kernel, x, y = ptx.from_cupy(TURNED, "turned"), values(64), ptx.uninitialised(64)
    found = kernel.check((1,), (64,), (y, x))
    race = next(each for each in found if each.kind == "race")
    assert {(each.file, each.line) for each in (race, race.other)} == {
        (__file__, line_of(__file__, "// the race")), (__file__, line_of(__file__, "// its other side"))}
    assert race.array == "tile" and "threadIdx.x" in race.source
    counted = kernel.profile((1,), (64,), (y, x))
    assert only_of(counted, __file__) and counted.resources.registers > 0
    barrier = ptx.from_cupy(TURNED.replace("y[threadIdx", "__syncthreads(); y[threadIdx"), "turned")
    assert barrier.check((1,), (64,), (y, x)) == [] and (y == x[::-1]).all()


def test_a_template_in_a_string(compiler):
    y = np.zeros(40)
    ptx.from_cupy(TEMPLATE, "filled<double>")((1,), (32,), (y[:32], 2.5))
    assert (y[:32] == 2.5).all() and not y[32:].any()
    finding, = ptx.from_cupy(TEMPLATE, "filled<double>").check(1, 64, (y, 2.5))
    assert (finding.kind, finding.line) == ("out of bounds", line_of(__file__, "// T's place"))


def test_a_string_that_stands_nowhere_is_a_file_of_its_own(compiler):
    text = "\n".join(['extern "C" __global__ void filled(int* y) {', "y[threadIdx.x] = 1;", "}"])
    finding, = ptx.from_cupy(text, "filled").check(1, 64, (np.zeros(63, np.int32),))
    assert (finding.file, finding.line, finding.source) == ("filled.cu", 2, "y[threadIdx.x] = 1;")


@pytest.mark.needs("cupy")
def test_a_raw_kernel_and_a_module_of_cupy(compiler):
    import cupy

    x, y = values(64), np.zeros(64, np.float32)
    for kernel, name in ((cupy.RawKernel(TURNED, "turned"), None), (cupy.RawModule(code=TURNED), "turned")):
        found = ptx.from_cupy(kernel, name).check((1,), (64,), (y, x))
        assert any(each.kind == "race" and each.file == __file__ for each in found)
    with pytest.raises(TypeError, match="a module has many kernels"):
        ptx.from_cupy(cupy.RawModule(code=TURNED))


@pytest.mark.needs("cupy")
def test_elementwise_kernels_of_cupy(compiler):
    import cupy

    kernel = ptx.from_cupy(cupy.ElementwiseKernel("T x, raw T y, int32 n", "T z", """
        T other = y[i + n];  // over the end
        z = x + other;
    """, "shifted"))
    x = values(60)
    assert (kernel(x[:50], x, 3) == x[:50] + x[3:53]).all()
    table, z = x[:50].reshape(10, 5), np.zeros((5, 10), np.float32)
    assert kernel(table.T, x, 3, z) is z and (z == table.T + x[3:53].reshape(5, 10)).all()
    assert (kernel(x[:1], x, 2) == x[0] + x[2]).all() and kernel(table, x, 0).shape == (10, 5)
    with pytest.raises(ValueError, match=r"z has the shape \(10, 5\), the inputs make \(50,\)"):
        kernel(x[:50], x, 0, table)
    found = kernel.check(x, x, 3)
    assert places(found, __file__, "out of bounds") == {line_of(__file__, "// over the end")}
    lines = {line.chain[0] for line in kernel.profile(x[:50], x, 3).lines}
    assert (__file__, line_of(__file__, "z = x + other;")) in lines
    sums = ptx.from_cupy(cupy.ElementwiseKernel("T x, T y", "T z", "z = x + y", "sums"))
    assert (sums(table, x[:5]) == table + x[:5]).all() and (sums(table[:, :1], 2.5) == table[:, :1] + 2.5).all()
    powers = ptx.from_cupy(cupy.ElementwiseKernel("complex64 x, T by", "complex64 y, float64 size", """
        y = x * complex<float>(by); size = abs(x);""", "powers"))
    y, size = powers(x[:30].view(np.complex64), np.float32(2))
    np.testing.assert_allclose(y, 2 * x[:30].view(np.complex64)) and np.testing.assert_allclose(size, abs(y) / 2)
    with pytest.raises(ValueError, match="no argument says the size; give size="):
        ptx.from_cupy(cupy.ElementwiseKernel("raw T x", "raw T y", "y[i] = x[i]", "copied"))(x, x)


# ---- what they share -------------------------------------------------------------------------------------------------
def test_launches_are_written_as_in_the_library():
    numba = ptx.from_numba(types.SimpleNamespace(py_func=values, targetoptions={}))
    with pytest.raises(TypeError, match=r"such a kernel is launched as kernel\[grid, block\]\(...\)"):
        numba(1)
    with pytest.raises(TypeError, match=r"such a kernel is launched as kernel.check\(grid, block, args\)"):
        ptx.from_cupy(TEMPLATE, "filled<int>").check[1](2)


def test_a_missing_library_is_named(monkeypatch):
    def missing(name):
        raise ImportError(f"No module named {name!r}")

    numba = ptx.from_numba(types.SimpleNamespace(py_func=values, targetoptions={}))
    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(ptx.MissingError, match="pip install numba-cuda"):
        numba[1, 32](1)


@pytest.mark.parametrize("take, message", [(ptx.from_triton, "a function under @triton.jit"),
                                           (ptx.from_numba, "a function under @numba.cuda.jit"),
                                           (ptx.from_cupy, "RawKernel, RawModule or ElementwiseKernel")])
def test_what_is_no_kernel(take, message):
    with pytest.raises(TypeError, match=message):
        take(values)


@pytest.mark.parametrize("library", [name for name, package in (("triton", "triton"), ("numba", "numba_cuda"),
                                                                ("cupy", "cupy")) if is_installed(package)])
def test_the_documents_programs_print_what_it_shows(library, tmp_path, monkeypatch, capsys, compiler):
    name, program, shown = next(each for each in re.findall(
        r'^```py title="([^"]+)"\n(.*?)^```\n\n```text\n(.*?)^```$', DOCUMENT.read_text(), re.M | re.S)
        if re.search(rf"^(from|import) {library}", each[1], re.M))
    monkeypatch.chdir(tmp_path)
    Path(name).write_text(program)
    runpy.run_path(name)
    assert capsys.readouterr().out == shown


def test_signatures_say_what_they_take():
    for each in (ptx.from_triton, ptx.from_numba, ptx.from_cupy):
        assert list(inspect.signature(each).parameters)[0] == "kernel" and each.__module__ == "gpunet.ptx"
