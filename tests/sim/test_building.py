"""The compiler and the cache."""

import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gpunet.sim import toolchain

PROGRAM = """
import numpy as np
import gpunet.sim.cupy as xp
code = 'extern "C" __global__ void fill(int* x, int v) { x[threadIdx.x] = v; }'
x = xp.zeros(8, np.int32)
xp.RawKernel(code, "fill")((1,), (8,), (x, np.int32(7)))
assert x.tolist() == [7] * 8
print("done")
"""


def run(environment, program=PROGRAM):
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120,
                          env={**os.environ, **environment})


@pytest.mark.slow
def test_processes_build_the_same_thing_at_once(tmp_path):
    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(run, [{"GPUNET_CACHE_DIR": str(tmp_path), "HOME": str(tmp_path)}] * 2))
    assert [result.stdout for result in results] == ["done\n"] * 2, results[0].stderr
    names = sorted(path.name for path in tmp_path.iterdir())
    libraries = [name for name in names if name.endswith(".so")]
    assert [name.split("-")[1] for name in libraries] == ["kernel", "runtime"]
    assert all(name.startswith("sim-prelude-") for name in names if name not in libraries)

    # What is built is used again, also where there is no compiler any more and the folder is read-only.
    os.chmod(tmp_path, 0o500)
    try:
        assert run({"GPUNET_CACHE_DIR": str(tmp_path)}).stdout == "done\n"
    finally:
        os.chmod(tmp_path, 0o700)


def test_no_compiler(tmp_path):
    result = run({"PATH": str(tmp_path), "GPUNET_CXX": "", "CXX": "", "GPUNET_SIM": "cxx"})
    last = result.stderr.strip().splitlines()[-1]
    assert last.startswith("gpunet.sim.CompilerMissingError: the sim device needs a C++ compiler")
    assert "install g++" in last


def test_neither_a_compiler_nor_llvmlite(tmp_path):
    """One sentence with both remedies."""
    nothing = "import sys\nsys.modules['llvmlite'] = None\n"
    result = run({"PATH": str(tmp_path), "GPUNET_CXX": "", "CXX": "", "GPUNET_SIM": ""}, nothing + PROGRAM)
    assert re.fullmatch(r"gpunet\.sim\.CompilerMissingError: the sim device needs a C\+\+ compiler and this machine "
                        r"has none: install g\+\+ .*; or pip install 'gpunet\[sim\]', with which it needs none "
                        r"\(llvmlite is not installed\)", result.stderr.strip().splitlines()[-1])
    result = run({"GPUNET_SIM": "ptx"}, nothing + PROGRAM)
    assert result.stderr.strip().splitlines()[-1] == (
        "gpunet.sim.CompilerMissingError: the sim device needs llvmlite and NVRTC, as $GPUNET_SIM is 'ptx', and "
        "llvmlite is not installed: pip install 'gpunet[sim]', or unset GPUNET_SIM")


def test_a_compiler_that_is_not_there_is_named():
    result = run({"GPUNET_CXX": "no-such-compiler", "GPUNET_SIM": "cxx"})
    assert "$GPUNET_CXX names 'no-such-compiler'" in result.stderr.strip().splitlines()[-1]


def test_a_compiler_that_makes_nothing_is_named(tmp_path):
    result = run({"GPUNET_CXX": "true", "GPUNET_CACHE_DIR": str(tmp_path), "HOME": str(tmp_path)})
    last = result.stderr.strip().splitlines()[-1]
    assert "ended without an error and without a library: it is no C++ compiler" in last


@pytest.mark.parametrize("name, value", [
    ("WORKERS", "abc"), ("WORKERS", "0"), ("WORKERS", "-1"), ("WORKERS", "100000"), ("WORKERS", "²"),
    ("WORKERS", "2.5"), ("TIMEOUT", "abc"), ("TIMEOUT", "nan"), ("TIMEOUT", "-1"), ("TIMEOUT", "1e300"),
])
def test_settings_that_mean_nothing_are_named(monkeypatch, name, value):
    from gpunet._environment import SettingError, number_of

    monkeypatch.setenv(f"GPUNET_SIM_{name}", value)
    with pytest.raises(SettingError, match=re.escape(f"$GPUNET_SIM_{name} is {value!r}; it must be a number from ")):
        number_of(f"GPUNET_SIM_{name}", int if name == "WORKERS" else float, name == "WORKERS", 256, 4)


def test_builds_are_logged(caplog, monkeypatch):
    import logging

    from gpunet.sim import toolchain

    monkeypatch.setattr(toolchain, "_run", lambda command: Path(command[-1]).touch())
    with caplog.at_level(logging.INFO, "gpunet.build"):
        toolchain._compile("", [])
    assert re.fullmatch(r"Compiling CUDA kernels for the CPU with \S+", caplog.records[0].getMessage())


@pytest.mark.parametrize("given, expected", [
    (("-DN=3", "-I/somewhere", "--std=c++17", "-arch=sm_90"), ("-ffp-contract=fast", "-DN=3", "-I/somewhere")),
    (("-D", "N=3", "--fmad=false"), ("-ffp-contract=off", "-DN=3")),
    (("--define-macro=A", "--include-path=/b"), ("-ffp-contract=fast", "-DA", "-I/b")),
])
def test_options(given, expected):
    from gpunet.sim.toolchain import host_options

    assert host_options(given) == expected


def test_importing_starts_nothing():
    program = "import sys, gpunet.sim; assert 'cupy' not in sys.modules; print('done')"
    assert run({"PATH": "/nowhere"}, program).stdout == "done\n"


def test_what_a_killed_compilation_left_is_swept(tmp_path, monkeypatch):
    old, new, other = (tmp_path / name for name in ("gpunet-build-old", "gpunet-build-new", "else-old"))
    for folder in (old, new, other):
        folder.mkdir()
        (folder / "kernel.cpp").write_text("int x;")
    for folder in (old, other):
        os.utime(folder, (0, 0))
    monkeypatch.setattr(toolchain.tempfile, "gettempdir", lambda: str(tmp_path))
    monkeypatch.setattr(toolchain.tempfile, "tempdir", str(tmp_path))
    toolchain._compile("extern \"C\" int one() { return 1; }", ["-fPIC"])
    assert not old.exists() and new.exists() and other.exists()
