"""The cache of compiled files, kernel sources, and NVRTC's messages."""

import errno
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import gpunet
from gpunet.kernel import cache, nvrtc, source


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.delenv("GPUNET_CACHE_DIR", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr(cache.tempfile, "tempdir", str(tmp_path / "temporary"))
    monkeypatch.setattr(cache, "_warned", set())
    (tmp_path / "home").mkdir()
    (tmp_path / "temporary").mkdir()
    return tmp_path


def content(text):
    return lambda: text.encode()


def fail():
    raise AssertionError("built again")


def names(folder):
    return sorted(path.name for path in folder.iterdir())


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
    assert cache.build("key", ".bin", content("a")).read_text() == "a"


def test_built_once(home):
    path = cache.build("key", ".bin", content("a"))
    assert path.suffix == ".bin" and path.read_text() == "a" and path.stat().st_mode & 0o022 == 0
    assert cache.build("key", ".bin", fail) == path
    with pytest.raises(AssertionError):
        cache.build("key", ".other", fail)
    with pytest.raises(AssertionError):
        cache.build("ke", ".bin", fail)


@pytest.mark.parametrize("damage", [
    lambda good: b"", lambda good: good[:50], lambda good: good + b"\0", lambda good: b"hello" * 20,
    *(lambda good, bit=bit: good[:bit // 8] + bytes([good[bit // 8] ^ 1 << bit % 8]) + good[bit // 8 + 1:]
      for bit in (0, 399, 799)),
])
def test_damaged_files_are_built_anew(home, damage):
    path = cache.build("key", ".bin", content("a" * 100))
    path.write_bytes(damage(path.read_bytes()))
    assert cache.build("key", ".bin", content("a" * 100)) == path and path.read_text() == "a" * 100
    path.write_bytes(damage(path.read_bytes()))
    other = cache.build("key", ".bin", content("made by a compiler that gives something else each time"))
    assert names(cache.directory()) == [other.name]  # and the damaged one is gone
    assert cache.build("key", ".bin", fail) == other


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_what_is_no_file_is_never_opened(home, make):
    path = cache.build("key", ".bin", content("a"))
    path.unlink()
    make(path)
    make(path.with_name(f"key-{'0' * 32}.bin"))
    assert cache.build("key", ".bin", content("a")).read_text() == "a"


# What others may do to a folder, or to a file in it.
FOREIGN = {
    "group may write": lambda path: path.chmod(0o775),
    "all may write": lambda path: path.chmod(0o757),
    "sticky": lambda path: path.chmod(0o1777),
    "another owner": lambda path: os.chown(path, 65534, -1),
}


@pytest.fixture(params=FOREIGN)
def give_away(request):
    if request.param == "another owner" and os.getuid():
        pytest.skip("only root can give files away")
    return FOREIGN[request.param]


@pytest.mark.parametrize("variable, below", [("GPUNET_CACHE_DIR", "."), ("XDG_CACHE_HOME", "gpunet"),
                                             ("HOME", ".cache/gpunet"), (None, None)])
def test_folders_that_others_can_write_are_not_used(home, monkeypatch, give_away, variable, below):
    if variable:
        monkeypatch.setenv(variable, str(home / "place"))
        place = home / "place" / below
    else:
        monkeypatch.setenv("HOME", str(unwritable(home / "file")))
        place = home / "temporary" / f"gpunet-{os.getuid()}"
    planted = cache.build("key", ".bin", content("good"))
    assert planted.parent == place
    give_away(place)
    if not variable:
        with pytest.warns(RuntimeWarning, match="not kept in"), pytest.raises(OSError, match="set GPUNET_CACHE_DIR"):
            cache.build("key", ".bin", content("mine"))
        return
    with pytest.warns(RuntimeWarning, match="compiled kernels are not kept in .*place.*another user owns it or may"):
        assert cache.build("key", ".bin", content("mine")).read_text() == "mine"
    assert names(place) == [planted.name]


def test_files_that_others_can_write_are_not_used(home, give_away):
    """They were put there before the folder was closed to others; that their name fits means nothing."""
    path = cache.build("key", ".bin", content("good"))
    give_away(path)
    with pytest.raises(AssertionError):
        cache.build("key", ".bin", fail)
    assert cache.build("key", ".bin", content("good")) == path
    assert cache.build("key", ".bin", fail) == path


def test_a_link_in_the_temporary_folder_is_not_followed(home, monkeypatch):
    monkeypatch.setenv("HOME", str(unwritable(home / "file")))
    (home / "elsewhere").mkdir(mode=0o700)
    (home / "temporary" / f"gpunet-{os.getuid()}").symlink_to(home / "elsewhere")
    with pytest.warns(RuntimeWarning), pytest.raises(OSError, match="set GPUNET_CACHE_DIR"):
        cache.directory()


def test_only_the_chosen_folder_is_read(home, monkeypatch):
    cache.build("key", ".bin", content("of the home folder"))
    monkeypatch.setenv("GPUNET_CACHE_DIR", str(home / "chosen"))
    path = cache.build("key", ".bin", content("chosen"))
    assert path.parent == home / "chosen" and path.read_text() == "chosen"


def test_files_prepared_in_a_folder_that_cannot_be_written_are_used(home, monkeypatch):
    prepared = home / "prepared"
    monkeypatch.setenv("GPUNET_CACHE_DIR", str(prepared))
    path = cache.build("key", ".bin", content("prepared"))
    monkeypatch.setattr(cache.os, "access", lambda path, mode: Path(path) != prepared)
    assert cache.build("key", ".bin", fail) == path
    other = cache.build("other", ".bin", content("a"))
    assert other.parent == home / "home/.cache/gpunet"
    assert cache.build("other", ".bin", fail) == other


def test_a_full_disk_makes_way_for_the_next_folder(home, monkeypatch):
    """Whether the system says so before, or only when it is written to (a quota)."""
    full = home / "full"
    monkeypatch.setenv("GPUNET_CACHE_DIR", str(full))
    write = cache.files.replace

    def replace(path, *arguments, **options):
        if path.parent == full:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(path, *arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(cache.files, "replace", replace)
        assert cache.build("quota", ".bin", content("a")).parent == home / "home/.cache/gpunet"
    room = os.statvfs(home)
    no_room = os.statvfs_result([*room[:3], 0, 0, *room[5:10]])
    monkeypatch.setattr(cache.os, "statvfs", lambda place: no_room if place == full else room)
    path = cache.build("key", ".bin", content("a"))
    assert path.parent == home / "home/.cache/gpunet" == cache.directory()
    assert cache.build("key", ".bin", fail) == path
    monkeypatch.setattr(cache.os, "statvfs", lambda place: no_room)
    with pytest.raises(OSError, match="on a disk that has room"):
        cache.build("other", ".bin", content("a"))


def test_a_failed_build_leaves_nothing(home):
    def fails():
        raise RuntimeError("stopped")

    with pytest.raises(RuntimeError, match="stopped"):
        cache.build("key", ".bin", fails)
    assert names(cache.directory()) == []
    assert cache.build("key", ".bin", content("whole")).read_text() == "whole"


def test_what_others_build_later_is_found(home):
    """Also in a folder whose names are known, and in one that changes twice within a tick of the system's clock."""
    built = cache.build("key", ".bin", content("a"))
    hour = built.stat().st_mtime_ns - 3600 * 10**9
    os.utime(built.parent, ns=(hour, hour))
    assert cache.find("key", ".bin") == built and cache.find("other", ".bin") is None
    theirs = built.with_name(built.name.replace("key", "other"))
    shutil.copy(built, theirs)
    assert cache.find("other", ".bin") == theirs
    theirs.unlink()
    assert cache.find("other", ".bin") is None and cache.build("other", ".bin", content("b")).read_text() == "b"


def test_what_a_killed_process_has_left_is_removed(home):
    left = cache.directory() / ".key-0123.bin.1-00000000.tmp"
    left.write_bytes(b"half")
    path = cache.build("key", ".bin", content("a"))
    assert names(path.parent) == [path.name]


_PROCESS = """
import sys, time
from gpunet.kernel import cache
def make():
    time.sleep(0.1)
    return b"0123456789" * 50_000
sys.exit(cache.build("shared", ".bin", make).stat().st_size != 500_000)
"""


def test_several_processes_build_the_same_file(home):
    """Each of them sees a whole file, whoever is first."""
    environment = dict(os.environ, PYTHONPATH=str(Path(gpunet.__file__).parents[1]))
    with ThreadPoolExecutor(4) as pool:
        codes = list(pool.map(lambda _: subprocess.run([sys.executable, "-c", _PROCESS], env=environment).returncode,
                              range(4)))
    assert codes == [0] * 4
    (path,) = cache.directory().iterdir()
    assert path.name.startswith("shared-") and path.suffix == ".bin"


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
    environment = dict(os.environ, PYTHONPATH=str(Path(gpunet.__file__).parents[1]))
    command = "import numpy, sys; before = set(sys.modules); " + code
    assert subprocess.run([sys.executable, "-c", command], env=environment).returncode == 0
