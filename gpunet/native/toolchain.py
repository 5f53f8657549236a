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

_COMMON = ("-std=gnu++17", "-fPIC", "-pthread", "-O3", "-fvisibility=hidden", "-fno-math-errno", "-fno-trapping-math",
           "-ffp-contract=fast", "-fno-semantic-interposition", "-w")


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


@functools.cache
def _machine() -> str:
    """The target's options: of this machine's processor."""
    return host._native()


def check() -> None:
    """Raises RuntimeError, which says what is missing, where nothing can be built."""
    host.compiler()


def find() -> Path | None:
    """The library in the cache, or None."""
    try:
        return cache.find(_library_key(_keys()), ".so")
    except RuntimeError:  # no compiler: nothing is known of what it would have built
        return None


def build(jobs: int | None = None) -> Path:
    """The library, built if it is not in the cache.

    Raises RuntimeError with the compiler's message, OSError if the cache has no room."""
    keys = _keys()
    key = _library_key(keys)
    found = cache.find(key, ".so")
    if found is not None:
        return found
    claim = _claim()
    try:
        return cache.build(key, ".so", lambda: _link(keys, jobs))
    finally:
        claim.release()


def build_own(path: Path, library: Path | None) -> Path:
    """The library of a user's own file, which may use the headers of kernels/cpu."""
    text = path.read_text(encoding="utf-8")
    headers = b"".join(each.read_bytes() for each in sorted(folder().glob("*.h")))
    options = [*_COMMON, _machine(), f"-I{folder()}", str(library)]
    key = _digest([str(host.compiler()), host._processor(), *options, text, headers.decode()])

    def make() -> bytes:
        with tempfile.TemporaryDirectory(prefix=host._BUILDS) as place:
            result = Path(place, "own.so")
            host._run([*host.compiler(), *options[:-1], str(path), "-shared", str(library), "-o", str(result)])
            return result.read_bytes()

    return cache.build(f"native-own-{key}", ".so", make)


# ---- keys and steps -------------------------------------------------------------------------------------------------


def _digest(parts: Iterable[str]) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


def _keys() -> dict[Path, str]:
    """Of each source the key of its object."""
    headers = "\0".join(path.read_text(encoding="utf-8") for path in sorted(folder().rglob("*.h")))
    where = os.stat(host.compiler()[0])
    surroundings = [headers, *host.compiler(), f"{where.st_size} {where.st_mtime_ns}", host._processor(), _machine(),
                    *_COMMON]
    found = {}
    for path in sources():
        own = [*(python_options() or ()), sys.implementation.cache_tag, np.__version__.split(".")[0]]
        found[path] = _digest([*surroundings, *(own if path.parent.name == "python" else ()),
                               path.read_text(encoding="utf-8")])
    return found


def _library_key(keys: dict[Path, str]) -> str:
    return f"native-{_digest(keys.values())}"


def _link(keys: dict[Path, str], jobs: int | None) -> bytes:
    started = time.monotonic()
    _log.info("Compiling native CPU kernels with %s", Path(host.compiler()[0]).name)
    with ThreadPoolExecutor(jobs or len(os.sched_getaffinity(0))) as pool:
        objects = list(pool.map(lambda item: _object(*item), keys.items()))
    with tempfile.TemporaryDirectory(prefix=host._BUILDS) as place:
        library = Path(place, "native.so")
        host._run([*host.compiler(), *map(str, objects), "-pthread", "-shared", "-o", str(library)])
        content = library.read_bytes()
    _log.info("Native CPU kernels are compiled: %.0f s", time.monotonic() - started)
    return content


def _object(path: Path, key: str) -> Path:
    own = python_options() or () if path.parent.name == "python" else ()

    def make() -> bytes:
        with tempfile.TemporaryDirectory(prefix=host._BUILDS) as place:
            result = Path(place, "kernel.o")
            host._run([*host.compiler(), *_COMMON, _machine(), *own, "-c", str(path), "-o", str(result)])
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
