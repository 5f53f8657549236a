"""What a figure was measured on: machine, versions, date, commit."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).absolute().parent.parent

_PACKAGES = ("numpy", "cupy-cuda13x", "cupy-cuda12x", "torch", "triton", "ml_dtypes", "nvidia-cuda-nvrtc",
             "nvidia-cuda-nvrtc-cu12", "nvidia-cublas", "nvidia-cublas-cu12", "pytest", "pytest-benchmark")


def describe() -> dict[str, Any]:
    """All that is the same for every device of this machine. Opens no device."""
    import numpy as np

    blas = np.show_config(mode="dicts").get("Build Dependencies", {}).get("blas", {})
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit(),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "processor": processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "load": os.getloadavg() if hasattr(os, "getloadavg") else None,
        "versions": versions(),
        "blas": f"{blas.get('name', 'unknown')} {blas.get('version', '')}".strip(),
    }


def commit() -> str | None:
    """The checkout's commit, with "+changes" when files differ from it; None outside of a checkout."""
    def git(*arguments):
        return subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, timeout=20)

    try:
        head = git("rev-parse", "HEAD")
        if head.returncode:
            return None
        changed = git("status", "--porcelain", "--untracked-files=no")
        return head.stdout.strip() + ("+changes" if changed.stdout.strip() else "")
    except (OSError, subprocess.TimeoutExpired):
        return None


def versions() -> dict[str, str]:
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def processor() -> str:
    """The CPU's name as Linux knows it."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or "unknown"


def gpu(index: int = 0) -> dict[str, Any]:
    """The GPU that CuPy computes on, its driver and the compilers. Opens the GPU."""
    import cupy

    from gpunet.kernel import nvrtc

    runtime = cupy.cuda.runtime
    properties = runtime.getDeviceProperties(index)
    free, total = cupy.cuda.Device(index).mem_info
    return {
        "name": properties["name"].decode(),
        "compute_capability": f"{properties['major']}.{properties['minor']}",
        "multiprocessors": properties["multiProcessorCount"],
        "memory": total,
        "memory_free": free,
        "l2": properties["l2CacheSize"],
        "driver": _driver(),
        "driver_cuda": runtime.driverGetVersion(),
        "runtime_cuda": runtime.runtimeGetVersion(),
        "nvrtc": ".".join(map(str, nvrtc.version())),
        "architecture": nvrtc.architecture(properties["major"] * 10 + properties["minor"]),
    }


def _driver() -> str | None:
    """The driver's own version, which the CUDA runtime does not tell."""
    try:
        asked = subprocess.run(["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"],
                               capture_output=True, text=True, timeout=20)
        return asked.stdout.strip().splitlines()[0] if asked.returncode == 0 else None
    except (OSError, subprocess.TimeoutExpired, IndexError):
        return None


def for_children() -> dict[str, str]:
    """The environment of processes that we start: they find gpunet in this checkout, installed or not."""
    return os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))}


def document(command: str, device: str, **more) -> dict[str, Any]:
    """The beginning of a result: what runs, where."""
    return {"schema": 1, "command": command, "arguments": sys.argv[1:], "device": device, **more,
            "environment": describe(), "stages": {}}


def save(path: Path, content: dict[str, Any]) -> None:
    """Writes JSON; see save_text."""
    save_text(path, json.dumps(content, indent=1) + "\n")


def save_text(path: Path, text: str) -> None:
    """Writes a file under its final name at once: whoever looks finds the old file or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(handle, "w") as file:
            file.write(text)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
