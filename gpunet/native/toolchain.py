"""How the library of native kernels is built: an object for each source, and one library of all.

Both are cached by everything that decides their content: the source and the headers, options, compiler, processor, and
for the C extension Python and NumPy. So after a change of one source only that is compiled. Processes that build at
once wait for each other.
"""

from __future__ import annotations

import functools
import hashlib
import logging
import os
import platform
import shlex
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from gpunet.files import Claim
from gpunet.kernel import cache, source
from gpunet.sim import toolchain as host

_log = logging.getLogger("gpunet.build")

_PREBUILT = Path(__file__).resolve().parent / "prebuilt"  # a wheel may have libraries here, as `build` names them

_COMMON = ("-std=gnu++17", "-fPIC", "-pthread", "-O3", "-fvisibility=hidden", "-fno-math-errno", "-fno-trapping-math",
           "-ffp-contract=fast", "-fno-semantic-interposition", "-w",
           *shlex.split(os.environ.get("GPUNET_NATIVE_OPTIONS", "")))  # more options, such as a sanitizer's


def folder() -> Path:
    """Where the sources are."""
    return source.folder() / "cpu"


def sources() -> list[Path]:
    """The files of the library; the C extension's comes last, if it can be built here."""
    files = sorted(folder().glob("*.cpp"))
    return [*files, folder() / "python" / "call.cpp"] if python_options() is not None else files


@functools.cache
def python_options() -> tuple[str, ...] | None:
    """The compiler's options for the C extension; None where Python's headers are missing."""
    include = sysconfig.get_paths()["include"]
    if not Path(include, "Python.h").is_file():
        return None
    return (f"-I{include}", "-isystem", np.get_include())


# Processors that the library can be built for ahead: the instructions that each has, as /proc/cpuinfo names them, best
# first.
LEVELS = {
    "x86-64-v4": ("avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl", "avx2", "fma", "bmi2"),
    "x86-64-v3": ("avx2", "fma", "bmi2", "f16c", "movbe"),
    "aarch64": ("asimd",),
}


def _target(level: str | None) -> tuple[str, str]:
    """(The option for a processor, what else of it decides the library): a level's, or of the processor here."""
    if level is None:
        return host._native(), host._processor()
    if level not in LEVELS:
        raise RuntimeError(f"there is no level {level!r}; the levels are {', '.join(LEVELS)}")
    if (level == "aarch64") != (platform.machine() == "aarch64") and "-" not in Path(host.compiler()[0]).name:
        raise RuntimeError(f"the compiler here does not make {level} code; set $GPUNET_CXX to one that does")
    return ("-march=armv8-a" if level == "aarch64" else f"-march={level}"), ""


def levels_here() -> list[str]:
    """The levels that run on this processor, best first."""
    words = set(host._processor().split())
    return [level for level, needs in LEVELS.items() if words.issuperset(needs)]


def check() -> None:
    """Raises RuntimeError, which says what is missing, where nothing can be built."""
    host.compiler("the CPU's native kernels need")


def find() -> Path | None:
    """The library in the cache: for the processor here, or prebuilt for a level that it has; None without."""
    try:
        found = cache.find(_library_key(_keys()), ".so")
    except RuntimeError:  # no compiler here
        found = None
    for level in levels_here() if found is None else ():
        key = _prebuilt_key(level)
        found = found or cache.find(key, ".so") or next(_PREBUILT.glob(f"{key}-*.so"), None)
    return found


def build(jobs: int | None = None, level: str | None = None) -> Path:
    """The library, for the processor here or for a level, built if it is not in the cache.

    Raises RuntimeError with the compiler's message, OSError if the cache has no room."""
    keys = _keys(level)
    key = _library_key(keys) if level is None else _prebuilt_key(level)
    found = cache.find(key, ".so")
    if found is not None:
        return found
    claim = _claim()
    try:
        return cache.build(key, ".so", lambda: _link(keys, jobs, level))
    finally:
        claim.release()


def build_own(path: Path, library: Path | None) -> Path:
    """The library of a user's own file, which may use the headers of kernels/cpu."""
    text = path.read_text(encoding="utf-8")
    headers = "".join(each.read_text(encoding="utf-8") for each in sorted(folder().glob("*.h")))
    options = [*_COMMON, host._native(), f"-I{folder()}", str(library)]
    key = _digest([str(host.compiler()), host._processor(), *options, text, headers])

    def make() -> bytes:
        with tempfile.TemporaryDirectory(prefix=host._BUILDS) as place:
            result = Path(place, "own.so")
            host._run([*host.compiler(), *options[:-1], str(path), "-shared", str(library), "-o", str(result)])
            return result.read_bytes()

    return cache.build(f"native-own-{key}", ".so", make)


# ---- keys and steps -------------------------------------------------------------------------------------------------


def _digest(parts: Iterable[str]) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


def _own_key() -> list[str]:
    """What decides the C extension beside its source."""
    return [*(python_options() or ()), sys.implementation.cache_tag, np.__version__.split(".")[0]]


def _prebuilt_key(level: str) -> str:
    """Of a library for a level: it does not depend on the compiler, which need not be here."""
    texts = [path.read_text(encoding="utf-8") for path in sorted(folder().rglob("*.*")) if path.is_file()]
    return f"native-{level}-{_digest([sys.implementation.cache_tag, np.__version__.split('.')[0], *_COMMON, *texts])}"


def _keys(level: str | None = None) -> dict[Path, str]:
    """Of each source the key of its object."""
    option, processor = _target(level)
    headers = "\0".join(path.read_text(encoding="utf-8") for path in sorted(folder().rglob("*.h")))
    where = os.stat(host.compiler()[0])
    surroundings = [headers, *host.compiler(), f"{where.st_size} {where.st_mtime_ns}", processor, option, *_COMMON]
    found = {}
    for path in sources():
        found[path] = _digest([*surroundings, *(_own_key() if path.parent.name == "python" else ()),
                               path.read_text(encoding="utf-8")])
    return found


def _library_key(keys: dict[Path, str]) -> str:
    return f"native-{_digest(keys.values())}"


def _link(keys: dict[Path, str], jobs: int | None, level: str | None) -> bytes:
    started = time.monotonic()
    _log.info("Compiling native CPU kernels with %s", Path(host.compiler()[0]).name)
    with ThreadPoolExecutor(jobs or len(os.sched_getaffinity(0))) as pool:
        objects = list(pool.map(lambda item: _object(item[0], item[1], level), keys.items()))
    with tempfile.TemporaryDirectory(prefix=host._BUILDS) as place:
        library = Path(place, "native.so")
        more = [option for option in _COMMON if option.startswith("-fsanitize")]
        host._run([*host.compiler(), *map(str, objects), *more, "-pthread", "-shared", "-o", str(library)])
        content = library.read_bytes()
    _log.info("Native CPU kernels are compiled: %.0f s", time.monotonic() - started)
    return content


def _object(path: Path, key: str, level: str | None) -> Path:
    own = python_options() or () if path.parent.name == "python" else ()

    def make() -> bytes:
        with tempfile.TemporaryDirectory(prefix=host._BUILDS) as place:
            result = Path(place, "kernel.o")
            host._run([*host.compiler(), *_COMMON, _target(level)[0], *own, "-c", str(path), "-o", str(result)])
            return result.read_bytes()

    return cache.build(f"native-{path.stem}-{key}", ".o", make)


def _claim() -> Claim:
    """The right to build; another process's build is waited for."""
    place = cache.directory() / "native"
    place.mkdir(exist_ok=True)
    while True:
        try:
            return Claim(place)
        except BlockingIOError:
            time.sleep(0.1)


def main() -> None:
    """In a process of its own, politely."""
    os.nice(10)
    try:
        build()
    except (OSError, RuntimeError, subprocess.SubprocessError) as error:
        raise SystemExit(" ".join(str(error).split()) or type(error).__name__) from error


if __name__ == "__main__":
    main()
