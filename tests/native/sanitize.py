"""The kernels' tests under the compiler's sanitizers: memory and undefined behaviour, then races between threads.

    python -m tests.native.sanitize [address] [thread] [--quick] [-- pytest's arguments]

Builds a library of its own for each, in the cache, and runs tests/native with it. --quick: every sixth test, without
the checks of undefined behaviour that the address sanitizer makes in its own way and that take longest to compile.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from gpunet.sim.toolchain import compiler

BUILDS = {"address": ("-fsanitize=address,undefined -fno-sanitize-recover=undefined", "libasan.so"),
          "thread": ("-fsanitize=thread", "libtsan.so")}
FEWER = " -fno-sanitize=null,object-size,bounds,pointer-overflow"
DEFAULT = ["tests/native", "-k", "not fork and not ones_own and not switched_off and not first_call and not compiler "
           "and not ulp and not errors and not as_pytorch"]  # PyTorch's own threads are not built for it


def pytest_collection_modifyitems(items: list) -> None:
    """As a plugin: of the tests only every so many."""
    items[:] = items[:: int(os.environ["GPUNET_EVERY"])]


def main() -> None:
    """Runs them in turn; ends with the first status that is not 0."""
    words = sys.argv[1:]
    rest = words[words.index("--") + 1 :] if "--" in words else DEFAULT
    quick = "--quick" in words
    chosen = [word for word in words[: words.index("--") if "--" in words else None] if word in BUILDS] or list(BUILDS)
    for name in chosen:
        flags, library = BUILDS[name]
        asked = subprocess.run([*compiler(), f"-print-file-name={library}"], capture_output=True, text=True)
        found = asked.stdout.strip()
        if not Path(found).is_absolute():
            print(f"{name}: the compiler has no {library}; left out")
            continue
        flags += FEWER * (quick and name == "address")
        environment = {**os.environ, "GPUNET_NATIVE_OPTIONS": f"-O1 -g1 -fno-omit-frame-pointer {flags}",
                       "GPUNET_EVERY": "6" if quick else "1",
                       "ASAN_OPTIONS": "detect_leaks=0", "TSAN_OPTIONS": "halt_on_error=1 report_bugs=1",
                       "UBSAN_OPTIONS": "print_stacktrace=1"}
        subprocess.run([sys.executable, "-m", "gpunet", "build", "--cpu"], env=environment, check=True)
        print(f"{name}: {' '.join(rest)}", flush=True)
        ended = subprocess.run([sys.executable, "-m", "pytest", "-n", "0", "-x", "--capture=sys",  # reports go to fd 2
                                "-p", "no:cacheprovider", "-p", "tests.native.sanitize", *rest],
                               env={**environment, "LD_PRELOAD": found})
        if ended.returncode:
            raise SystemExit(ended.returncode)


if __name__ == "__main__":
    main()
