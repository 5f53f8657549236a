"""The kernels' tests with the library of another processor, by an emulator: NEON's without an ARM machine.

    python -m tests.native.emulation [aarch64] [-- pytest's arguments]

Needs a cross-compiler and qemu's user mode: apt install g++-aarch64-linux-gnu qemu-user (qemu-user-static does, too).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
# Tests of what lies between Python and the kernels would only test this emulation.
DEFAULT = ["tests/native", "--ignore=tests/native/test_frame.py", "-k", "not large and not ulp"]


def main() -> None:
    """Ends with pytest's status; 0 where the tools are missing, which it says."""
    words = sys.argv[1:]
    rest = words[words.index("--") + 1 :] if "--" in words else DEFAULT
    machine = next((word for word in words[: words.index("--") if "--" in words else None]), "aarch64")
    compiler = shutil.which(f"{machine}-linux-gnu-g++")
    emulator = shutil.which(f"qemu-{machine}") or shutil.which(f"qemu-{machine}-static")
    if compiler is None or emulator is None:
        print(f"{machine}: no {machine}-linux-gnu-g++ or no qemu-{machine} here; left out")
        return
    with tempfile.TemporaryDirectory() as place:
        subprocess.run([sys.executable, "-m", "gpunet", "build", "--cpu-levels", machine, "--out", place],
                       env={**os.environ, "GPUNET_CXX": compiler}, check=True)
        (library,) = Path(place).glob(f"native-{machine}-*.so")
        server = Path(place, "server")
        subprocess.run([compiler, "-std=gnu++17", "-O2", "-static-libstdc++", str(HERE / "server.cpp"), "-o",
                        str(server), "-ldl", "-pthread"], check=True)
        command = f"{emulator} -L /usr/{machine}-linux-gnu {server} {library}"
        print(f"{machine}: {' '.join(rest)}", flush=True)
        ended = subprocess.run([sys.executable, "-m", "pytest", "-n", "0", "-x", "-p", "no:cacheprovider", "-p",
                                "tests.native.emulation.remote", *rest],
                               env={**os.environ, "GPUNET_EMULATED": command})
    raise SystemExit(ended.returncode)


if __name__ == "__main__":
    main()
