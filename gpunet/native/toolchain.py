"""How the library of native kernels is built: an object for each source, and one library of all; beside it the C
extension that calls them, which belongs to one version of Python.

All are cached by everything that decides their content: the source and the headers, options, compiler, processor, and
for the C extension Python and NumPy. So after a change of one source only that is compiled. Processes that build at
once wait for each other.

A library for a level of processors does not depend on the compiler, so that it can be shipped: a wheel has some in
`prebuilt/`, from `gpunet build --cpu-levels`.
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
from typing import NamedTuple

import numpy as np

from gpunet import files
from gpunet.files import Claim
from gpunet.kernel import cache, source
from gpunet.sim import toolchain as host

_log = logging.getLogger("gpunet.build")

_PREBUILT = Path(__file__).resolve().parent / "prebuilt"  # a wheel may have libraries here, as `build` names them

_COMMON = ("-std=gnu++17", "-fPIC", "-pthread", "-O3", "-fvisibility=hidden", "-fno-math-errno", "-fno-trapping-math",
           "-ffp-contract=fast", "-fno-semantic-interposition", "-w",
           *shlex.split(os.environ.get("GPUNET_NATIVE_OPTIONS", "")))  # more options, such as a sanitizer's

# A machine without a compiler may have another C++ library, or none: what is used of it goes into ours, unseen.
_STATIC = (("-static-libstdc++", "-Wl,--exclude-libs,ALL", "-Wl,--gc-sections")
           if "-fsanitize" not in " ".join(_COMMON) else ())


def folder() -> Path:
    """Where the sources are."""
    return source.folder() / "cpu"


def sources() -> list[Path]:
    """The files of the library."""
    return sorted(folder().glob("*.cpp"))


def extension_source() -> Path:
    """The file of the C extension."""
    return folder() / "python" / "call.cpp"


@functools.cache
def python_options() -> tuple[str, ...] | None:
    """The compiler's options for the C extension; None where Python's headers are missing."""
    include = sysconfig.get_paths()["include"]
    if not Path(include, "Python.h").is_file():
        return None
    return (f"-I{include}", "-isystem", np.get_include())


class Built(NamedTuple):
    """The library, and the C extension; None where that could not be built."""

    library: Path
    extension: Path | None


# Processors that the library can be built for ahead: the instructions that each has, as /proc/cpuinfo names them, best
# first.
LEVELS = {
    "x86-64-v4": ("avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl", "avx2", "fma", "bmi2"),
    "x86-64-v3": ("avx2", "fma", "bmi2", "f16c", "movbe"),
    "aarch64": ("asimd",),
}


def _machine(level: str) -> str:
    return "aarch64" if level == "aarch64" else "x86_64"


def _target(level: str | None) -> tuple[str, str]:
    """(The option for a processor, what else of it decides the library): a level's, or of the processor here."""
    if level is None:
        return host._native(), host._processor()
    if level not in LEVELS:
        raise RuntimeError(f"there is no level {level!r}; the levels are {', '.join(LEVELS)}")
    made = _compiles_for()
    if made and made != _machine(level):
        raise RuntimeError(f"{host.compiler()[0]} compiles for {made}, not for {level}; set $GPUNET_CXX to a compiler "
                           f"that does, such as {_machine(level)}-linux-gnu-g++")
    return ("-march=armv8-a" if level == "aarch64" else f"-march={level}"), ""


@functools.cache
def _compiles_for() -> str:
    """The machine whose code the compiler makes, such as x86_64; empty if it does not say."""
    asked = subprocess.run([*host.compiler(), "-dumpmachine"], capture_output=True, text=True, env=host._environment())
    return asked.stdout.strip().partition("-")[0]


def levels_here() -> list[str]:
    """The levels that run on this processor, best first."""
    words = set(host._processor().split())
    return [level for level, needs in LEVELS.items() if words.issuperset(needs)]


def check() -> None:
    """Raises RuntimeError, which says what is missing, where nothing can be built."""
    host.compiler("the CPU's native kernels need")


def find() -> Built | None:
    """The library in the cache: for the processor here, or prebuilt for a level that it has; None without. If only the
    C extension is missing, as where Python is another than the wheel's, it is built if it can be."""
    try:
        library = cache.find(_library_key(_keys()), ".so")
    except RuntimeError:  # no compiler here
        library = None
    for level in levels_here() if library is None else ():
        library = library or _prebuilt(_shipped_key(level))
    if library is None:
        return None
    extension = _prebuilt(_shipped_extension_key())
    if extension is None:
        try:
            extension = _extension()
        except (OSError, RuntimeError) as error:
            _log.info("Calls of native CPU kernels go through ctypes: %s", error)
    return Built(library, extension)


def _prebuilt(key: str) -> Path | None:
    return cache.find(key, ".so") or next(_PREBUILT.glob(f"{key}-*.so"), None)


def build(jobs: int | None = None) -> Built:
    """The library for the processor here, built if it is not in the cache.

    Raises RuntimeError with the compiler's message, OSError if the cache has no room."""
    keys = _keys()
    return Built(_build(_library_key(keys), keys, jobs, None), _extension())


def build_level(level: str, jobs: int | None = None, folder: Path | None = None) -> list[Path]:
    """The library for a level, and the C extension of this Python where it is this machine's: in the cache, or copied
    to a folder. Raises what `build` does."""
    made = [_build(_shipped_key(level), _keys(level), jobs, level)]
    if python_options() is not None and _machine(level) == platform.machine():
        made.append(cache.build(_shipped_extension_key(), ".so", lambda: _compile_extension(_baseline())))
    if folder is None:
        return made
    folder.mkdir(parents=True, exist_ok=True)
    for path in made:
        files.replace(folder / path.name, path.read_bytes(), durable=False, mode=0o644)
    return [folder / path.name for path in made]


def _build(key: str, keys: dict[Path, str], jobs: int | None, level: str | None) -> Path:
    found = cache.find(key, ".so")
    if found is not None:
        return found
    claim = _claim()
    try:
        return cache.build(key, ".so", lambda: _link(keys, jobs, level))
    finally:
        claim.release()


def _extension() -> Path | None:
    """The C extension for the Python and the processor here; None where Python's headers are missing."""
    if python_options() is None:
        return None
    option, processor = _target(None)
    key = f"native-call-{_digest([*_surroundings(processor, option), *_extension_parts()])}"
    return cache.build(key, ".so", lambda: _compile_extension(option))


def _compile_extension(option: str) -> bytes:
    with tempfile.TemporaryDirectory(prefix=host._BUILDS) as place:
        result = Path(place, "call.so")
        host._run([*host.compiler(), *_COMMON, option, *(python_options() or ()), str(extension_source()), "-shared",
                   *_STATIC, "-o", str(result)])
        return result.read_bytes()


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


def _extension_parts() -> list[str]:
    """What decides the C extension beside the compiler."""
    near = (extension_source(), *sorted(extension_source().parent.glob("*.h")), folder() / "args.h",
            folder() / "chains.h")
    return [*(path.read_text(encoding="utf-8") for path in near), sys.implementation.cache_tag,
            np.__version__.split(".")[0]]


def _baseline() -> str:
    """The option for every processor of this machine's kind."""
    return "-march=armv8-a" if platform.machine() == "aarch64" else "-march=x86-64"


def _shipped_key(level: str) -> str:
    """Of a library for a level: it does not depend on the compiler, which need not be here."""
    texts = [path.read_text(encoding="utf-8") for path in (*sources(), *sorted(folder().glob("*.h")))]
    return f"native-{level}-{_digest([*_COMMON, *_STATIC, *texts])}"


def _shipped_extension_key() -> str:
    digest = _digest([_baseline(), *_COMMON, *_STATIC, *_extension_parts()])
    return f"native-call-{sys.implementation.cache_tag}-{digest}"


def _surroundings(processor: str, option: str) -> list[str]:
    """What decides an object beside its source and the headers."""
    where = os.stat(host.compiler()[0])
    return [*host.compiler(), f"{where.st_size} {where.st_mtime_ns}", processor, option, *_COMMON]


def _keys(level: str | None = None) -> dict[Path, str]:
    """Of each source the key of its object."""
    option, processor = _target(level)
    headers = "\0".join(path.read_text(encoding="utf-8") for path in sorted(folder().glob("*.h")))
    common = [headers, *_surroundings(processor, option)]
    return {path: _digest([*common, path.read_text(encoding="utf-8")]) for path in sources()}


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
        host._run([*host.compiler(), *map(str, objects), *more, *(_STATIC if level else ()), "-pthread", "-shared",
                   "-o", str(library)])
        content = library.read_bytes()
    _log.info("Native CPU kernels are compiled: %.0f s", time.monotonic() - started)
    return content


def _object(path: Path, key: str, level: str | None) -> Path:
    def make() -> bytes:
        with tempfile.TemporaryDirectory(prefix=host._BUILDS) as place:
            result = Path(place, "kernel.o")
            host._run([*host.compiler(), *_COMMON, _target(level)[0], "-c", str(path), "-o", str(result)])
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
