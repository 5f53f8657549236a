"""`gpunet devices` answers on any machine, also a broken one, and says what to install."""

import os
import shutil
import subprocess
import sys
import time

import pytest

from gpunet.cli import probe
from gpunet.cli.devices import cuda_missing, sim_missing
from gpunet.cli.probe import Finding

ROWS = ("Python", "NumPy", "CuPy", "NVIDIA driver", "NVRTC", "C++ compiler", "engine of sim", "kernel cache", "cpu",
        "sim", "cuda")


def test_shows_everything(gpunet_command):
    code, output = gpunet_command("devices")
    assert code == 0 and all(row in output for row in ROWS)
    assert "cannot be found out" not in output


@pytest.mark.skipif(shutil.which("g++") is None, reason="needs g++")
def test_a_compiler_makes_sim_work():
    found = probe._compiler()
    assert found.ok and "g++" in found.text
    engine = probe._engine()
    assert engine.text.startswith("cxx, ") and engine.text.endswith(": there is a C++ compiler")
    assert not sim_missing({"engine of sim": engine, "kernel cache": probe._cache()})


def test_survives_probes_that_fail(gpunet_command, monkeypatch):
    def broken(*_, **__):
        raise OSError("out of\norder")

    for name in ("_python", "_numpy", "_cupy", "_driver", "_nvrtc", "_compiler", "_engine", "_cache"):
        monkeypatch.setattr(probe, name, broken)
    code, output = gpunet_command("devices")
    assert code == 0 and output.count("cannot be found out: out of order") >= 8


@pytest.mark.parametrize("chosen, says", [("", "ptx, what NVRTC makes of the kernels: there is no C++ compiler"),
                                          ("cxx", "$GPUNET_CXX names '/nowhere/g++'"),
                                          ("cuda", "$GPUNET_SIM is 'cuda'")])
def test_no_compiler(gpunet_command, monkeypatch, chosen, says):
    from gpunet.sim import toolchain

    pytest.importorskip("llvmlite")
    monkeypatch.setenv("GPUNET_CXX", "/nowhere/g++")
    monkeypatch.setenv("GPUNET_SIM", chosen)
    toolchain.compiler.cache_clear()
    try:
        code, output = gpunet_command("devices")
    finally:
        toolchain.compiler.cache_clear()
    assert code == 0 and says in " ".join(output.replace("│", " ").split())


def devices_with_driver(folder, source):
    """What `gpunet devices` prints, as one line, with a driver library built from this C source."""
    (folder / "driver.c").write_text(source)
    subprocess.run(["gcc", "-shared", "-fPIC", "-w", "-o", folder / "libcuda.so.1", folder / "driver.c"], check=True)
    shown = subprocess.run(
        [sys.executable, "-m", "gpunet", "devices"],
        capture_output=True,
        text=True,
        env=os.environ | {"LD_LIBRARY_PATH": str(folder)},
        timeout=300,
    )
    assert shown.returncode == 0, shown.stderr
    return " ".join(shown.stdout.split())


@pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc to make a driver library")
@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("int cuInit(int f) { *(volatile int*)0 = 1; return 0; }", "crashes"),
        ("#include <unistd.h>\nint cuInit(int f) { sleep(600); return 0; }", "does not answer within"),
        ("int cuInit(int f) { return 100; } int cuDriverGetVersion(int* v) { *v = 12040; return 0; }", "finds no GPU"),
        ("int cuInit(int f) { return 803; } int cuDriverGetVersion(int* v) { *v = 12040; return 0; }", "restart"),
        ("int nothing;", "crashes"),
    ],
)
@pytest.mark.slow
def test_broken_drivers(tmp_path, body, says):
    start = time.monotonic()
    assert says in devices_with_driver(tmp_path, body)
    assert time.monotonic() - start < 200  # far below the driver's 600 s


@pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc to make a driver library")
def test_a_working_driver(tmp_path):
    text = devices_with_driver(
        tmp_path,
        "#include <string.h>\n"
        "int cuInit(int f) { return 0; } int cuDriverGetVersion(int* v) { *v = 12080; return 0; }\n"
        "int cuDeviceGetCount(int* n) { *n = 2; return 0; } int cuDeviceGet(int* d, int i) { *d = i; return 0; }\n"
        'int cuDeviceGetName(char* s, int n, int d) { strcpy(s, d ? "Small GPU" : "Big GPU"); return 0; }\n'
        "int cuDeviceTotalMem_v2(unsigned long* m, int d) { *m = (d ? 8UL : 80UL) << 30; return 0; }\n"
        "int cuDeviceGetAttribute(int* v, int a, int d) { *v = a == 75 ? 9 : a == 76 ? 0 : 132; return 0; }\n",
    )
    assert "CUDA up to 12.8" in text
    assert "GPU cuda:0 │ Big GPU, 80 GiB, 132 multiprocessors, compute capability 9.0" in text
    assert "GPU cuda:1 │ Small GPU, 8 GiB" in text


def machine(**changes):
    gpus = {"gpus": [{}], "cuda": [13, 0]}
    found = {
        "NVIDIA driver": Finding(True, "580", details=gpus),
        "CuPy": Finding(True, "14", details={"major": 13}),
        "NVRTC": Finding(True, "13.0"),
        "engine of sim": Finding(True, "cxx"),
        "kernel cache": Finding(True, "/cache"),
    }
    return found | {name.replace("_", " "): finding for name, finding in changes.items()}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, []),
        ({"CuPy": Finding(False, "not installed")}, ['pip install "gpunet[cuda13]"']),
        (
            {
                "CuPy": Finding(False, "not installed"),
                "NVIDIA_driver": Finding(True, "550", details={"gpus": [{}], "cuda": [12, 4]}),
            },
            ['pip install "gpunet[cuda12]"'],
        ),
        ({"NVIDIA_driver": Finding(False, "none found", "install NVIDIA's driver")}, ["install NVIDIA's driver"]),
        ({"NVRTC": Finding(False, "no NVRTC: pip install it")}, ["no NVRTC: pip install it"]),
    ],
)
def test_what_cuda_misses(changes, expected):
    assert cuda_missing(machine(**changes)) == expected


def test_cupy_newer_than_the_driver():
    found = machine(NVIDIA_driver=Finding(True, "550", details={"gpus": [{}], "cuda": [12, 4]}))
    (advice,) = cuda_missing(found)
    assert "pip uninstall cupy-cuda13x" in advice and "gpunet[cuda12]" in advice


def test_what_sim_misses():
    assert sim_missing(machine()) == []
    lacking = {"engine of sim": Finding(False, "none", "install g++")}
    assert sim_missing(machine() | lacking) == ["install g++"]
