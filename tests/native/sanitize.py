"""The kernels' tests under the compiler's sanitizers: memory and undefined behaviour, then races between threads.

    python -m tests.native.sanitize [address] [thread] [-- pytest's arguments]

Builds a library of its own for each, in the cache, and runs tests/native with it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from gpunet.sim.toolchain import compiler

# Vectors are converted from floats out of range on purpose: the lanes are not used.
BUILDS = {"address": ("-fsanitize=address,undefined -fno-sanitize-recover=undefined", "libasan.so"),
          "thread": ("-fsanitize=thread", "libtsan.so")}
DEFAULT = ["tests/native", "-k", "not fork and not ones_own and not switched_off and not first_call and not compiler "
           "and not ulp and not errors"]


def main() -> None:
    """Runs them in turn; ends with the first status that is not 0."""
    words = sys.argv[1:]
    rest = words[words.index("--") + 1 :] if "--" in words else DEFAULT
    chosen = [word for word in words[: words.index("--") if "--" in words else None] if word in BUILDS] or list(BUILDS)
    for name in chosen:
        flags, library = BUILDS[name]
        asked = subprocess.run([*compiler(), f"-print-file-name={library}"], capture_output=True, text=True)
        found = asked.stdout.strip()
        if not Path(found).is_absolute():
            print(f"{name}: the compiler has no {library}; left out")
            continue
        environment = {**os.environ, "GPUNET_NATIVE_OPTIONS": f"-O1 -g1 -fno-omit-frame-pointer {flags}",
                       "ASAN_OPTIONS": "detect_leaks=0", "TSAN_OPTIONS": "halt_on_error=1 report_bugs=1",
                       "UBSAN_OPTIONS": "print_stacktrace=1"}
        subprocess.run([sys.executable, "-m", "gpunet", "build", "--cpu"], env=environment, check=True)
        print(f"{name}: {' '.join(rest)}", flush=True)
        ended = subprocess.run([sys.executable, "-m", "pytest", "-n", "0", "-x", "-p", "no:cacheprovider", *rest],
                               env={**environment, "LD_PRELOAD": found})
        if ended.returncode:
            raise SystemExit(ended.returncode)


if __name__ == "__main__":
    main()
