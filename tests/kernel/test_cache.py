"""The cache of compiled files, kernel sources, and NVRTC's messages."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gpunet.kernel import cache, nvrtc, source


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.delenv("GPUNET_CACHE_DIR", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr(cache.tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "home").mkdir()
    (tmp_path / "temporary").mkdir()
    return tmp_path


def write(text):
    return lambda path: path.write_text(text)


def fail(path):
    raise AssertionError("built again")


def test_where_it_lies(home, monkeypatch):
    assert cache.directory() == home / "home/.cache/gpunet"
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / "xdg"))
    assert cache.directory() == home / "xdg/gpunet"
    monkeypatch.setenv("GPUNET_CACHE_DIR", str(home / "chosen"))
    assert cache.directory() == home / "chosen"


def unwritable(folder):
    """A folder that cannot be made, also for root: its parent is a file."""
    folder.write_text("")
    return folder / "below"


def test_a_home_that_cannot_be_written(home, monkeypatch):
    monkeypatch.setenv("HOME", str(unwritable(home / "file")))
    folder = cache.directory()
    assert folder.parent == home / "temporary"
    assert folder.stat().st_mode & 0o077 == 0
    assert cache.build("key", ".bin", write("a")).read_text() == "a"
    folder.chmod(0o777)  # anybody could have put files there
    with pytest.raises(OSError, match="set GPUNET_CACHE_DIR"):
        cache.directory()


def test_built_once(home):
    path = cache.build("key", ".bin", write("a"))
    assert path.name == "key.bin" and path.read_text() == "a"
    assert cache.build("key", ".bin", fail) == path


def test_files_prepared_in_a_folder_that_cannot_be_written_are_used(home, monkeypatch):
    prepared = home / "prepared"
    prepared.mkdir()
    (prepared / "key.bin").write_text("prepared")
    monkeypatch.setenv("GPUNET_CACHE_DIR", str(prepared))
    monkeypatch.setattr(cache.os, "access", lambda path, mode: Path(path) != prepared)
    assert cache.build("key", ".bin", fail).read_text() == "prepared"
    assert cache.build("other", ".bin", write("a")).parent != prepared


def test_a_failed_build_leaves_nothing(home):
    def half(path):
        path.write_text("half")
        raise RuntimeError("stopped")

    with pytest.raises(RuntimeError, match="stopped"):
        cache.build("key", ".bin", half)
    assert list(cache.directory().iterdir()) == []
    assert cache.build("key", ".bin", write("whole")).read_text() == "whole"


_PROCESS = """
import sys, time
from pathlib import Path
from gpunet.kernel import cache
def make(path):
    with open(path, "w") as file:
        for _ in range(50):
            file.write("0123456789" * 1000)
            file.flush()
            time.sleep(0.002)
sys.exit(cache.build("shared", ".bin", make).stat().st_size != 500_000)
"""


def test_several_processes_build_the_same_file(home):
    """Each of them sees a whole file, whoever is first."""
    environment = dict(os.environ, PYTHONPATH=str(source._PACKAGE.parent))
    with ThreadPoolExecutor(4) as pool:
        codes = list(pool.map(lambda _: subprocess.run([sys.executable, "-c", _PROCESS], env=environment).returncode,
                              range(4)))
    assert codes == [0] * 4
    assert [path.name for path in cache.directory().iterdir()] == ["shared.bin"]


def test_the_digest_covers_included_files(tmp_path):
    (tmp_path / "inner.cuh").write_text("#pragma once\n// one\n")
    (tmp_path / "outer.cuh").write_text('#include "inner.cuh"\n#include <cuda_fp16.h>\n')
    (tmp_path / "a.cu").write_text('#include "outer.cuh"\n#include "common.cuh"\n__global__ void k(int n) {}\n')
    first = source.read(tmp_path / "a.cu")
    assert list(first.includes) == ["inner.cuh", "outer.cuh", "common.cuh"]
    assert source.read(tmp_path / "a.cu") is first
    (tmp_path / "inner.cuh").write_text("#pragma once\n// two, longer\n")
    second = source.read(tmp_path / "a.cu")
    assert second.digest != first.digest and "two" in second.full_text


def test_a_missing_source_is_named():
    with pytest.raises(FileNotFoundError, match="'nowhere.cu' not found at .*nowhere.cu"):
        source.find("nowhere.cu")


@pytest.fixture
def compiler():
    try:
        nvrtc.version()
    except nvrtc.NvrtcError as error:
        pytest.skip(str(error))


def test_compile_errors_name_file_and_line(compiler, tmp_path):
    (tmp_path / "wrong.cu").write_text("\n\n__global__ void k(int n) { undeclared = n; }\n")
    with pytest.raises(nvrtc.CompileError) as error:
        nvrtc.compile(source.read(tmp_path / "wrong.cu"), "sm_80", ("k",))
    assert f"{tmp_path / 'wrong.cu'}:3: error: identifier \"undeclared\" is undefined" in str(error.value)
    assert "ptxas" not in str(error.value)


def test_built_cubins_are_kept_and_rebuilt_when_an_include_changes(compiler, home, tmp_path):
    (tmp_path / "value.cuh").write_text("#define VALUE 1\n")
    (tmp_path / "k.cu").write_text('#include "value.cuh"\n'
                                   "template <typename T> __global__ void k(T* x) { *x = VALUE; }\n")
    read = lambda: source.read(tmp_path / "k.cu")  # noqa: E731
    cubin, symbol = nvrtc.build(read(), "sm_80", "k<float>")
    assert symbol.startswith("_Z1kIfE") and cubin.read_bytes()[:4] == b"\x7fELF"
    stamp = cubin.stat().st_mtime_ns
    assert nvrtc.build(read(), "sm_80", "k<float>") == (cubin, symbol) and cubin.stat().st_mtime_ns == stamp
    assert nvrtc.build(read(), "sm_90", "k<float>")[0] != cubin
    assert nvrtc.build(read(), "sm_80", "k<float>", ("-fmad=false",))[0] != cubin
    (tmp_path / "value.cuh").write_text("#define VALUE 22\n")
    assert nvrtc.build(read(), "sm_80", "k<float>")[0] != cubin


def test_architectures(compiler):
    assert nvrtc.architecture(75) == "sm_75" and nvrtc.architecture(90) == "sm_90a"
    assert nvrtc.architecture(99) == "sm_90"
    with pytest.raises(nvrtc.NvrtcError, match="does not compile for compute capability 3.5"):
        nvrtc.architecture(35)


def test_resources_are_reported(compiler, tmp_path):
    (tmp_path / "k.cu").write_text("__global__ void k(float* x, int n) { __shared__ float s[64]; s[threadIdx.x] = n;"
                                   "__syncthreads(); x[threadIdx.x] = s[63 - threadIdx.x]; }")
    used = nvrtc.compile(source.read(tmp_path / "k.cu"), "sm_80", ("k",)).resources["k"]
    assert used.shared == 256 and 0 < used.registers < 64 and used.spill_stores == used.stack == 0


def test_importing_is_light():
    """No compiler, no CuPy, no ctypes library is touched before a kernel is used."""
    code = ("import sys, gpunet.kernel; "
            "assert not {'cupy', 'subprocess', 'ctypes', 'gpunet.kernel.nvrtc'} & (set(sys.modules) - before)")
    environment = dict(os.environ, PYTHONPATH=str(source._PACKAGE.parent))
    command = "import numpy, sys; before = set(sys.modules); " + code
    assert subprocess.run([sys.executable, "-c", command], env=environment).returncode == 0
