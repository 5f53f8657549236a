"""What this machine has. No probe raises, and none takes long: what may crash or hang runs in a process of its own."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from importlib import metadata
from time import monotonic
from typing import Any

_TIMEOUT = 2.0  # seconds for one probe's process

# Asks the driver itself, through its C library: it needs no CuPy, and answers where CuPy cannot be imported.
_ASK_DRIVER = r"""
import ctypes, json, sys
def load(*names):
    for name in names:
        try:
            return ctypes.CDLL(name)
        except OSError as error:
            problem = str(error)
    return problem
cuda = load("nvcuda.dll") if sys.platform == "win32" else load("libcuda.so.1", "libcuda.so")
if isinstance(cuda, str):
    print(json.dumps({"missing": cuda}))
    sys.exit()
found = {"gpus": []}
version, count, status = ctypes.c_int(), ctypes.c_int(), cuda.cuInit(0)
if cuda.cuDriverGetVersion(ctypes.byref(version)) == 0:
    found["cuda"] = [version.value // 1000, version.value % 1000 // 10]
nvml = load("nvml.dll" if sys.platform == "win32" else "libnvidia-ml.so.1")
text = ctypes.create_string_buffer(96)
if not isinstance(nvml, str) and nvml.nvmlInit_v2() == 0 and nvml.nvmlSystemGetDriverVersion(text, 96) == 0:
    found["driver"] = text.value.decode()
found["status"] = status
if status == 0 and cuda.cuDeviceGetCount(ctypes.byref(count)) == 0:
    for index in range(count.value):
        device, memory, value = ctypes.c_int(), ctypes.c_size_t(), ctypes.c_int()
        cuda.cuDeviceGet(ctypes.byref(device), index)
        cuda.cuDeviceGetName(text, 96, device)
        cuda.cuDeviceTotalMem_v2(ctypes.byref(memory), device)
        gpu = {"name": text.value.decode(), "memory": memory.value}
        for name, attribute in (("major", 75), ("minor", 76), ("multiprocessors", 16)):
            cuda.cuDeviceGetAttribute(ctypes.byref(value), attribute, device)
            gpu[name] = value.value
        found["gpus"].append(gpu)
print(json.dumps(found))
"""

# CUresult codes a user can do something about; the others are shown as numbers.
_STATUS = {
    3: "it is not initialised",
    34: "it is only a stub library, without a driver behind it",
    100: "it finds no GPU",
    803: "its library and its kernel module are of different versions; restart the machine",
    999: "unknown error; restarting the machine may help",
}


@dataclass
class Finding:
    """What one probe found: whether it is usable, in words, what to do if not, and details for the verdicts."""

    ok: bool
    text: str
    remedy: str = ""
    details: dict[str, Any] = field(default_factory=dict)


def probe() -> dict[str, Finding]:
    """All findings, by name, in the order to show them."""
    probes: dict[str, Callable[[], Finding]] = {
        "Python": _python,
        "NumPy": _numpy,
        "CuPy": _cupy,
        "NVIDIA driver": _driver,
        "NVRTC": _nvrtc,
        "C++ compiler": _compiler,
        "engine of sim": _engine,
        "kernel cache": _cache,
        "CPU kernels": _native,
    }
    with ThreadPoolExecutor(len(probes)) as pool:
        running = {name: pool.submit(_safely, ask) for name, ask in probes.items()}
        return {name: each.result() for name, each in running.items()}


def _safely(ask: Callable[[], Finding]) -> Finding:
    try:
        return ask()
    except Exception as error:
        return Finding(False, f"cannot be found out: {_one_line(error)}")


def _one_line(error: Any) -> str:
    text = " ".join(str(error).split())
    return text or type(error).__name__


def _python() -> Finding:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return Finding(True, f"{platform.python_version()} on {platform.system()} {platform.machine()}, {cores} CPU cores")


def _numpy() -> Finding:
    import numpy as np

    blas = np.show_config(mode="dicts").get("Build Dependencies", {}).get("blas", {})
    return Finding(True, f"{np.__version__}, BLAS: {blas.get('name', 'unknown')} {blas.get('version', '')}".rstrip())


def _cupy() -> Finding:
    found = {}
    for name in ("cupy-cuda13x", "cupy-cuda12x", "cupy-cuda11x", "cupy"):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    if not found:
        return Finding(False, "not installed")
    text = ", ".join(f"{version} ({name})" for name, version in found.items())
    if len(found) > 1:
        return Finding(False, f"{text}: they overwrite each other", f"pip uninstall {' '.join(found)}; install one")
    name = next(iter(found))
    major = int(name[9:11]) if name.startswith("cupy-cuda") else None
    return Finding(True, text, details={"major": major})


def _driver() -> Finding:
    remedy = "install NVIDIA's driver: https://www.nvidia.com/drivers"
    if sys.platform == "darwin":
        return Finding(False, "none: macOS has no CUDA")
    try:
        asked = subprocess.run(
            [sys.executable, "-E", "-S", "-c", _ASK_DRIVER], capture_output=True, text=True, timeout=_TIMEOUT
        )
    except subprocess.TimeoutExpired:
        return Finding(False, f"it does not answer within {_TIMEOUT:g} s", "restart, or reinstall the driver")
    try:
        found = json.loads(asked.stdout)
    except ValueError:
        last = asked.stderr.strip().splitlines()[-1:] or [f"exit status {asked.returncode}"]
        return Finding(False, f"its library crashes: {last[0]}", remedy)
    if "missing" in found:
        return Finding(False, "none found", remedy)
    cuda = found.get("cuda")
    text = f"{found.get('driver', 'version unknown')}" + (f", for CUDA up to {cuda[0]}.{cuda[1]}" if cuda else "")
    if found["status"]:
        problem = _STATUS.get(found["status"], f"cuInit gives error {found['status']}")
        return Finding(False, f"{text}: {problem}", "" if found["status"] == 100 else remedy, found)
    return Finding(True, text, details=found)


def _nvrtc() -> Finding:
    from gpunet.kernel import nvrtc

    try:
        major, minor = nvrtc.version()
        known = nvrtc.architectures()
    except nvrtc.NvrtcError as error:
        return Finding(False, _one_line(error))
    return Finding(True, f"{major}.{minor}, for sm_{min(known)} to sm_{max(known)}", details={"major": major})


def _compiler() -> Finding:
    from gpunet.sim import CompilerMissingError
    from gpunet.sim.toolchain import compiler

    try:
        command = compiler()
    except CompilerMissingError as error:
        return Finding(False, "none", _one_line(error))
    name = " ".join(command)
    asked = subprocess.run([*command, "--version"], capture_output=True, text=True, timeout=_TIMEOUT)
    if asked.returncode:
        return Finding(False, f"{name} does not run: {_one_line(asked.stderr)}", "install g++, or set $GPUNET_CXX")
    return Finding(True, f"{name}: {(asked.stdout or asked.stderr).partition(chr(10))[0]}")


def _engine() -> Finding:
    from gpunet.sim import CompilerMissingError, engine

    try:
        found = engine.choose()
    except (CompilerMissingError, ValueError) as error:  # or $GPUNET_SIM names none
        return Finding(False, "none", _one_line(error))
    what = {"cxx": "cxx, the kernels' sources built by the C++ compiler", "ptx": "ptx, what NVRTC makes of the kernels"}
    return Finding(True, f"{what[found.name]}: {found.why}", details={"name": found.name})


def _cache() -> Finding:
    from gpunet.kernel import cache

    folder = cache.directory()
    files = total = 0
    until = monotonic() + 1.0
    for parent, _, names in os.walk(folder):
        for name in names:
            files += 1
            try:
                total += os.lstat(os.path.join(parent, name)).st_size
            except OSError:  # another process has just removed it
                continue
        if monotonic() > until:
            return Finding(True, f"{folder}: more than {files:,} files, {total / 1e6:,.1f} MB")
    return Finding(True, f"{folder}: {files:,} file{'' if files == 1 else 's'}, {total / 1e6:,.1f} MB")


def _native() -> Finding:
    from gpunet.native import get_num_threads, library, toolchain

    threads = f"{get_num_threads()} thread{'' if get_num_threads() == 1 else 's'}"
    if library.switched_off():
        return Finding(False, "switched off by $GPUNET_NATIVE; NumPy serves", "unset GPUNET_NATIVE")
    if (found := toolchain.find()) is not None:
        how = "" if found.extension else "; calls are slower, since Python's headers are missing"
        return Finding(True, f"native, {threads}{how}")
    try:
        toolchain.check()
    except RuntimeError as error:
        return Finding(False, "NumPy serves: native kernels need a C++ compiler", _one_line(error))
    return Finding(True, f"native, {threads}; not built yet: gpunet build --cpu, or the first program does so")
