"""An installed nvcc in NVRTC's place: files with their programs, headers of the host, templates, messages."""

import shutil

import numpy as np
import pytest
from click.testing import CliRunner

from gpunet import ptx
from gpunet._environment import SettingError
from gpunet.cli import main
from gpunet.kernel import compilers, nvcc, nvrtc, source
from gpunet.sim.translate.device_part import device_part

needs_nvcc = pytest.mark.skipif(nvcc.find() is None or shutil.which("g++") is None, reason="needs nvcc and g++")
needs_llvmlite = pytest.mark.needs("llvmlite")

# std::array, std::max and std::clamp are the host library's, which NVRTC has not.
WINDOW = """#include <algorithm>
#include <array>
#include <cstdio>
#include <vector>
struct Window { std::array<int, 3> offsets; };

template <class T> __global__ void widest(T* y, const T* x, Window w, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    T best = x[i];
    for (int offset : w.offsets) best = std::max(best, x[std::clamp(i + offset, 0, n - 1)]);
    y[i] = best;
}

int main() {
    std::vector<float> values(32);
    widest<float><<<1, 32>>>(values.data(), values.data(), Window{{-1, 0, 1}}, 32);
    std::printf("%zu values\\n", values.size());
}
"""
ARGUMENTS = ("--block", "32", "--arg", "f32[32]", "--arg", "f32[32]=arange", "--arg", "struct{i32=-1,i32=0,i32=1}",
             "--arg", "i32=32")


@pytest.fixture
def without_nvrtc(monkeypatch):
    def missing(*given):
        raise nvrtc.NvrtcError("no NVRTC here")
    for each in ("_library", "_identity"):
        monkeypatch.setattr(nvrtc, each, missing)


@pytest.fixture
def window(tmp_path):
    path = tmp_path / "window.cu"
    path.write_text(WINDOW)
    return path


@needs_nvcc
@needs_llvmlite
@pytest.mark.slow
def test_a_kernel_that_uses_the_hosts_headers(window):
    """An instance that the program does not launch, too."""
    for dtype, name in ((np.float32, "float"), (np.float64, "double")):
        kernel = ptx.load(window, f"widest<{name}>")
        y, x = np.zeros(32, dtype), np.random.default_rng(0).normal(size=32).astype(dtype)
        kernel((1,), (32,), (y, x, np.array([-1, 0, 1], np.int32).tobytes(), np.int32(32)))
        padded = np.pad(x, 1, mode="edge")
        assert kernel.ptx.compiler == "nvcc"
        np.testing.assert_array_equal(y, np.maximum(np.maximum(padded[:-2], padded[1:-1]), padded[2:]))


@needs_nvcc
@needs_llvmlite
def test_without_nvrtc_nvcc_compiles_gpunets_own_kernels(without_nvrtc):
    kernel = ptx.load("random.cu", "uniform<float>")
    assert kernel.ptx.compiler == "nvcc" and "uniform" in kernel.ptx.symbol
    assert "gpunet_kernel" not in kernel.ptx.text
    assert any(each.name == kernel.ptx.symbol for each in ptx.read(kernel.ptx.text).entries)


@needs_nvcc
@needs_llvmlite
@pytest.mark.slow
def test_the_commands_find_the_same_lines(window, monkeypatch):
    """check tells of the read, profile has registers and the machine code, run shows the result."""
    def gpunet_command(*arguments):
        result = CliRunner().invoke(main, arguments, prog_name="gpunet")
        return result.exit_code, result.output

    monkeypatch.chdir(window.parent)
    (window.parent / "beyond.cu").write_text(WINDOW.replace("0, n - 1)", "0, n)"))
    code, text = gpunet_command("kernel", "check", "beyond.cu", "--engine", "ptx", "--kernel", "widest<float>",
                                *ARGUMENTS)
    assert code == 1 and "beyond.cu:10 in widest<float>" in text and "x[32]" in text, text
    code, text = gpunet_command("kernel", "profile", "window.cu", "--kernel", "widest<float>", *ARGUMENTS)
    assert code == 0 and "window.cu:10" in text and "registers: " in text, text
    code, text = gpunet_command("ptx", "run", "window.cu", "--kernel", "widest<float>", *ARGUMENTS)
    assert code == 0 and "it begins with 1, 2, 3, 4" in text, text


@needs_nvcc
def test_mistakes_are_told_at_their_place(tmp_path):
    """Those of the kernel's name by the name, those of the file by file and line; of two compilers NVRTC's."""
    path = tmp_path / "two.cu"
    path.write_text("template <class T> __global__ void two(T* y) { *y = 2; }\n")
    with pytest.raises(nvrtc.CompileError, match=r"two\.cu does not compile for sm_80 \(nvcc\):\ntwo<flot>: error: "
                                                 r"identifier \"flot\" is undefined"):
        nvcc.ptx(source.read(path), "sm_80", "two<flot>")
    path.write_text("__global__ void two(int* y) {\n    *y = z;\n}\n")
    with pytest.raises(nvrtc.CompileError, match=r"two\.cu:2: error: identifier \"z\" is undefined"):
        nvcc.ptx(source.read(path), "sm_80", "two")


def test_what_is_missing_or_misspelt_is_said(tmp_path, monkeypatch):
    path = tmp_path / "one.cu"
    path.write_text("__global__ void one(int* y) { *y = 1; }\n")
    monkeypatch.setenv("GPUNET_CUDA_COMPILER", "gcc")
    with pytest.raises(SettingError, match="GPUNET_CUDA_COMPILER is 'gcc'; it is auto, nvrtc or nvcc"):
        compilers.build(source.read(path), "sm_80", "one")
    monkeypatch.setenv("GPUNET_CUDA_COMPILER", "nvcc")
    monkeypatch.setattr(nvcc, "find", lambda: None)
    with pytest.raises(nvcc.NvccError, match="nvcc, the compiler of the CUDA toolkit, was not found; install the "
                                             "toolkit, or set CUDA_PATH to its folder"):
        compilers.build(source.read(path), "sm_80", "one")


@pytest.mark.parametrize("variable, place", [("NVCC", "mine"), ("CUDA_PATH", "bin/nvcc"), ("CUDA_HOME", "bin/nvcc")])
def test_where_nvcc_is_looked_for(tmp_path, monkeypatch, variable, place):
    program = tmp_path / place
    program.parent.mkdir(exist_ok=True)
    program.touch(mode=0o755)
    for each in ("NVCC", "CUDA_PATH", "CUDA_HOME"):
        monkeypatch.delenv(each, raising=False)
    monkeypatch.setenv(variable, str(program if variable == "NVCC" else tmp_path))
    assert nvcc.find() == str(program)


def test_a_header_that_changes_is_compiled_anew(tmp_path, monkeypatch):
    """Also one in a folder of -I, which the device's part takes in."""
    (tmp_path / "include").mkdir()
    header, path = tmp_path / "include" / "number.h", tmp_path / "one.cu"
    path.write_text('#include "number.h"\n__global__ void one(int* y) { *y = NUMBER; }\n')
    digests = set()
    for number in (1, 2):
        header.write_text(f"#define NUMBER {number}\n")
        digests.add(device_part(source.read(path), [header.parent]).digest)
    assert len(digests) == 2


@needs_nvcc
def test_its_ptx_is_kept_until_a_header_changes(tmp_path, monkeypatch):
    """Changed and changed back, and where what changed includes another header."""
    compiled, compile_ = [], nvcc._compiled
    monkeypatch.setattr(nvcc, "_compiled", lambda *what: compiled.append(what) or compile_(*what))
    header, more, path = tmp_path / "number.h", tmp_path / "more.h", tmp_path / "one.cu"
    path.write_text('#include "number.h"\n__global__ void one(int* y) { *y = NUMBER; }\n')
    more.write_text("#define NUMBER 55555\n")
    for text, number, count in (("#define NUMBER 11111\n", "11111", 1), ("#define NUMBER 11111\n", "11111", 1),
                                ("#define NUMBER 22222\n", "22222", 2), ("#define NUMBER 11111\n", "11111", 2),
                                ('#include "more.h"\n', "55555", 3)):
        header.write_text(text)
        ptx_text, symbol = nvcc.ptx(source.read(path), "sm_80", "one")
        assert (number in ptx_text, symbol, len(compiled)) == (True, "_Z3onePi", count)
    more.write_text("#define NUMBER 66666\n")
    assert "66666" in nvcc.ptx(source.read(path), "sm_80", "one")[0]
