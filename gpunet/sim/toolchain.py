"""The host compiler: find it, and build the runtime library and kernel libraries with it, once each.

Libraries are cached by everything that decides their content: source, the simulator's own headers, options,
compiler and processor (they are built for this machine's instructions, and a cache may be shared by machines).
"""

import ctypes
import functools
import hashlib
import logging
import os
import platform
import re
import shlex
import shutil
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from gpunet._environment import number_of
from gpunet.kernel import cache
from gpunet.kernel.nvrtc import missing_header
from gpunet.sim.errors import CompileError, CompilerMissingError
from gpunet.sim.translate import surface
from gpunet.sim.translate.rewrite import EXPORTS

_log = logging.getLogger("gpunet.build")  # what takes seconds and happens once; the command shows it

_HERE = Path(__file__).resolve().parent
INCLUDE = _HERE / "include"
_RUNTIME = _HERE / "runtime"

_COMMON = ("-std=gnu++17", "-fPIC", "-pthread", "-O2", "-fno-strict-aliasing", "-fno-math-errno", "-fno-trapping-math",
           "-fvisibility=hidden")
# Check builds: the compiler calls the checker's hooks (runtime/check/hooks.h) at each access, and keeps also loads
# whose value is not used. The C library's functions are called by way of the checker.
_CHECK = ("-DGPUNET_SIM_CHECK",)
# DWARF 4, since binutils' addr2line gives a file's first function the wrong file name in DWARF 5.
_SANITIZERS = "-fsanitize=thread,alignment,bounds,signed-integer-overflow"
_HOOKS = ("-O2", "-g1", "-gdwarf-4", "-fno-omit-frame-pointer", "-fno-optimize-sibling-calls", _SANITIZERS)
# Without -fno-tree-sra a load of a vector would be told of as a whole and once more in its parts.
_HOOKS_OF_GCC = ("-fnon-call-exceptions", "-fno-delete-null-pointer-checks",
                 "-fno-isolate-erroneous-paths-dereference", "-fno-delete-dead-exceptions", "-fno-tree-sra",
                 "--param=tsan-distinguish-volatile=1", "--param=tsan-instrument-func-entry-exit=0",
                 # One place in the code for one in the source.
                 "-fno-ipa-icf", "-fno-partial-inlining", "-fno-crossjumping", "-fno-tree-tail-merge",
                 "-fno-code-hoisting", "-fno-tree-pre",
                 # g++ calls no hook for a structure that is passed by value: put functions into their callers.
                 "-finline-functions", "-finline-small-functions", "--param=max-inline-insns-auto=500",
                 "--param=inline-unit-growth=400", "--param=large-function-growth=1000")
_HOOKS_OF_CLANG = ("-mllvm", "-tsan-distinguish-volatile=1", "-mllvm", "-tsan-instrument-func-entry-exit=0")
_WRAPPED = tuple(f"-Wl,--wrap={name}" for name in ("memcpy", "memmove", "memset"))
_LIBRARY_CALL = re.compile(r"(?<![\w.>])(?:std::|::)?(memcpy|memmove|memset)\s*\(")
_PRELUDE = ("-include", "gpunet_sim/prelude.h")  # what every kernel begins with
_HALVES = ("cuda_bf16.h", "cuda_fp16.h")  # what many kernels begin with: it is precompiled with the prelude
_KERNEL = ("-w", f"-I{INCLUDE}", *_PRELUDE, "-x", "c++")


def check_system(who: str) -> None:
    """Raises CompilerMissingError on a system that is not supported."""
    if sys.platform != "linux" or platform.machine() not in ("x86_64", "aarch64"):
        raise CompilerMissingError(f"{who.rsplit(' ', 1)[0]} runs on Linux on x86-64 or aarch64, not on "
                                   f"{sys.platform} {platform.machine()}; use the cpu device here")


@functools.cache
def compiler(who: str = "the C++ engine of the sim device needs") -> tuple[str, ...]:
    """The C++ compiler's command: $GPUNET_CXX, else $CXX (both may have options), else g++, else clang++.

    Raises CompilerMissingError, which says what to install, when there is none or the system is not supported.
    """
    check_system(who)
    for variable in ("GPUNET_CXX", "CXX"):
        if chosen := shlex.split(os.environ.get(variable, "")):
            if path := shutil.which(chosen[0]):
                return (path, *chosen[1:])
            raise CompilerMissingError(f"{who} a C++ compiler, and ${variable} names {chosen[0]!r}, "
                                       "which is not there; correct it or unset it")
    for name in ("g++", "clang++"):
        if path := shutil.which(name):
            return (path,)
    raise CompilerMissingError(f"{who} a C++ compiler and this machine has none: install g++ "
                               "(Debian, Ubuntu: apt install g++; Fedora: dnf install gcc-c++) or clang++, or set "
                               "$GPUNET_CXX")


@functools.cache
def compiler_version() -> str:
    """First line of what the compiler says about itself."""
    result = subprocess.run([*compiler(), "--version"], capture_output=True, text=True, env=_environment())
    return (result.stdout or result.stderr).partition("\n")[0]


@functools.cache
def _native() -> str:
    return "-mcpu=native" if platform.machine() == "aarch64" else "-march=native"


@functools.cache
def _surroundings(*folders: Path) -> str:
    """Digest of what a build depends on beside its own source and options: the machine, and folders of headers."""
    digest = hashlib.sha256(f"{compiler()}\0{compiler_version()}\0{_processor()}".encode())
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                digest.update(str(path.relative_to(_HERE)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return "".join(sorted({line for line in lines if line.startswith(("flags", "Features", "model name", "CPU part"))}))


def _environment() -> dict[str, str]:
    """Without LD_PRELOAD (a sanitizer's, say), and with messages in English."""
    return {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"} | {"LC_ALL": "C"}


_BUILDS = "gpunet-build-"


def _sweep(place: Path) -> None:
    """Removes the folders in which killed processes were compiling: those of this user that are a day old."""
    for folder in place.glob(f"{_BUILDS}*"):
        try:
            found = folder.lstat()
            if stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and found.st_mtime < time.time() - 86400:
                shutil.rmtree(folder, ignore_errors=True)
        except OSError:
            continue  # somebody else was faster


def _compile(source: str, arguments: list[str]) -> bytes:
    """The library that the compiler makes of a source."""
    _log.info("Compiling CUDA kernels for the CPU with %s", Path(compiler()[0]).name)
    _sweep(Path(tempfile.gettempdir()))
    with tempfile.TemporaryDirectory(prefix=_BUILDS) as folder:
        path = Path(folder) / "kernel.cpp"
        path.write_text(source, encoding="utf-8")
        library = path.with_suffix(".so")
        libraries = _libraries(arguments)
        arguments = _with_prelude_compiled(arguments, Path(folder))
        if _SANITIZERS not in arguments:
            _run([*compiler(), *arguments, str(path), "-shared", *libraries, "-o", str(library)])
        else:
            # In two steps, so that the compiler's own sanitizer libraries are not linked. The source names its files
            # relatively, and lines are found by these names.
            compiled = str(path.with_suffix(".o"))
            _run([*compiler(), *arguments, f"-fdebug-prefix-map={folder}=.", "-c", str(path), "-o", compiled], folder)
            _run([*compiler(), compiled, *_WRAPPED, "-pthread", "-shared", "-o", str(library)])
        try:
            return library.read_bytes()
        except FileNotFoundError:
            raise CompileError(f"{compiler()[0]} ended without an error and without a library: it is no C++ compiler; "
                               "correct or unset $GPUNET_CXX and $CXX") from None


def _libraries(arguments: list[str]) -> tuple[str, ...]:
    """What the linker searches for a kernel: not the C++ library, which takes it a twentieth of the whole time; what a
    kernel calls of it is found in the one that the runtime has loaded."""
    kernel = _PRELUDE[1] in arguments and "clang" not in compiler_version()
    return ("-nodefaultlibs", "-lm", "-lc", "-lgcc") if kernel else ()


def _with_prelude_compiled(arguments: list[str], folder: Path) -> list[str]:
    """The arguments with a precompiled prelude, which halves the time that a small kernel takes.

    The compiler reads the header's text where it cannot use what is compiled, and clang always.
    """
    if _PRELUDE[1] not in arguments or "clang" in compiler_version():
        return arguments
    header, compiled = folder / "prelude.h", folder / "prelude.h.gch"
    included, others = _parted(arguments)
    header.write_text("".join(f"#include <{name}>\n" for name in included))
    ours = ("-I" + str(INCLUDE), *(each for each in others if not each.startswith("-I")))
    flags = [each for each in ours if each not in ("-x", "c++")]

    def make() -> bytes:
        _run([*compiler(), *flags, "-x", "c++-header", str(header), "-o", str(compiled)])
        content = compiled.read_bytes()
        compiled.unlink()
        return content

    try:
        key = hashlib.sha256("\0".join([_surroundings(INCLUDE), *included, *flags]).encode()).hexdigest()[:32]
        compiled.symlink_to(cache.build(f"sim-prelude-{key}", ".gch", make))
    except (OSError, CompileError):  # no room for it, say: the build says what is wrong where that matters
        return arguments
    return ["-include", str(header), *others]


def _parted(arguments: list[str]) -> tuple[list[str], list[str]]:
    """(The headers that are included before the source, the other arguments.)"""
    included, others, words = [], [], iter(arguments)
    for word in words:
        if word == "-include":
            included.append(next(words))
        else:
            others.append(word)
    return included, others


def _run(command: list[str], folder: str | None = None) -> None:
    result = subprocess.run(command, capture_output=True, text=True, env=_environment(), cwd=folder)
    if result.returncode:
        raise CompileError(_shorten(result.stderr) or f"{command[0]} failed with status {result.returncode}")


_PLACE = re.compile(r"(?P<place>(?P<file>[^\s:][^:]*):\d+(?::\d+)?): +(?P<rest>.*)")


def _shorten(messages: str, most: int = 40) -> str:
    """The compiler's errors without where each header was included from, up to a number of lines. An error in the
    simulator's headers is told at the line of the source that leads there."""
    lines = [line for line in messages.splitlines() if not re.match(r"In file included|\s+from ", line)]
    if refused := [line for line in lines if surface.is_refusal(line)]:
        return "\n".join(dict.fromkeys(refused))
    users = ""
    for number, line in enumerate(lines):
        match = _PLACE.match(line)
        if match is None:
            continue
        if not Path(match["file"]).is_relative_to(INCLUDE) and match["file"] != EXPORTS:
            users = match["place"] if "required from" in match["rest"] else users
        elif match["rest"].startswith("error: "):
            if not users:  # a macro's place comes after
                later = (_PLACE.match(each) for each in lines[number + 1:])
                users = next((each["place"] for each in later if each and "in expansion of macro" in each["rest"]
                              and each["file"] != EXPORTS and not Path(each["file"]).is_relative_to(INCLUDE)), "")
            if users:
                lines.insert(0, f"{users}: {match['rest']}")
                break
    if not users and (told := _of_the_name(lines)):
        return told
    own = [line for line in lines if not line.startswith(f"{EXPORTS}:")]
    if any(": error: " in line for line in own):
        lines = own
    if len(lines) > most:
        lines[most:] = [f"... ({len(lines) - most} more lines)"]
    return "\n".join(lines)


def _of_the_name(lines: list[str]) -> str:
    """What is wrong with a kernel's name, such as scale<half>, where all errors follow from that; else nothing."""
    places = [match for match in map(_PLACE.match, lines) if match]
    errors = [match for match in places if match["rest"].startswith("error: ")]
    if not any(match["file"] == EXPORTS for match in places) or any(
            match["file"] != EXPORTS and not Path(match["file"]).is_relative_to(INCLUDE) for match in errors):
        return ""
    found = dict.fromkeys(match["rest"] for match in errors if match["file"] == EXPORTS)
    told = "\n".join(f"the kernel's name: {each}" for each in found
                     or ["error: no kernel template of the file takes these arguments"])
    return told + missing_header(told)


def _build(name: str, source: str, arguments: list[str], *folders: Path) -> Path:
    key = hashlib.sha256("\0".join([_surroundings(*folders), *arguments, source]).encode()).hexdigest()[:32]
    return cache.build(f"sim-{name}-{key}", ".so", lambda: _compile(source, arguments))


def build_kernels(source: str, options: tuple[str, ...]) -> ctypes.CDLL:
    """Load the library of a rewritten kernel source, building it when it is not in the cache."""
    runtime()  # its symbols must be there before the library that needs them
    check = ()
    if _checking:
        source = _LIBRARY_CALL.sub(r"__wrap_\1(", source)  # g++ has instructions of its own for small ones
        check = (*_CHECK, *_HOOKS, *(_HOOKS_OF_CLANG if "clang" in compiler_version() else _HOOKS_OF_GCC))
    source, options = _headers_first(source, options)
    return ctypes.CDLL(str(_build("kernel", source, [*_COMMON, _native(), *_KERNEL, *options, *check], INCLUDE)))


def _headers_first(source: str, options: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
    """The simulator's headers before the macros of the source and of the options, whose names (N, T) they use too."""
    names = dict.fromkeys(re.findall(r'^[ \t]*#[ \t]*include[ \t]*["<]([^">]+)[">]', source, re.M))
    halves = [name for name in _HALVES if name in names]
    headers = [f"#include <{name}>" for name in names if name not in halves and (INCLUDE / name).is_file()]
    macros = [re.sub("=", " ", option[2:], count=1) if "=" in option else f"{option[2:]} 1"
              for option in options if option.startswith("-D")]
    first = [*headers, *(f"#define {macro}" for macro in macros), source]
    return "\n".join(first), (*(word for name in halves for word in ("-include", name)),
                              *(option for option in options if not option.startswith("-D")))


def host_options(options: tuple[str, ...]) -> tuple[str, ...]:
    """NVRTC's options as the host compiler's. What only concerns the device (architecture, ...) is left out."""
    result = []
    contraction = "-ffp-contract=fast"
    words = iter(options)
    for option in words:
        if option in ("-D", "-I", "--define-macro", "--include-path"):
            option = ("-D" if "d" in option.lower() and "include" not in option else "-I") + next(words, "")
        option = re.sub(r"^--define-macro=", "-D", re.sub(r"^--include-path=", "-I", option))
        if option in ("-fmad=false", "--fmad=false"):
            contraction = "-ffp-contract=off"
        elif option.startswith(("-D", "-I")):
            result.append(option)
    return (contraction, *result)


class Runtime(ctypes.CDLL):
    """The runtime library (runtime/runtime.cpp), whose functions begin with gpunet_sim_."""

    gpunet_sim_launch: Callable[..., int]
    gpunet_sim_know: Callable[[int, int], None]


def checking() -> bool:
    """Whether this process builds kernels with the checker in them."""
    return _checking


_lock = threading.Lock()
_runtime: Runtime | None = None
_checking = False


def use_check_builds() -> None:
    """From now on this process builds and runs kernels with the checker in them."""
    global _checking
    assert _runtime is None, "the runtime library is loaded already"
    _checking = True


def runtime() -> Runtime:
    """The runtime library, built at first use."""
    global _runtime
    if _runtime is None:
        with _lock:
            if _runtime is None:
                source = f'#include "{_RUNTIME / "runtime.cpp"}"\n'
                check = (*_CHECK, "-fno-omit-frame-pointer") if _checking else ()
                path = _build("runtime", source, [*_COMMON, _native(), *check, "-x", "c++"], INCLUDE, _RUNTIME)
                _runtime = _declare(Runtime(str(path), mode=ctypes.RTLD_GLOBAL))
    return _runtime


def _declare(library: Runtime) -> Runtime:
    address, size = ctypes.c_void_p, ctypes.c_size_t
    check_functions = (
        ("say_last_words_to", None, [ctypes.c_int]),
        ("set_deadline", None, [ctypes.c_double]),
        ("fill", None, [address, ctypes.c_char_p, size, ctypes.c_uint, ctypes.c_bool]),
        ("keep_lanes_apart", None, [ctypes.c_bool]),
        ("begin_layout", None, [ctypes.c_uint64]),
    )
    for name, result, arguments in (
        ("allocate", address, [size]),
        ("free", None, [address]),
        ("arena_begin", address, []),
        ("arena_size", size, []),
        ("bytes_in_use", size, []),
        ("bytes_held", size, []),
        ("set_workers", None, [ctypes.c_uint]),
        ("set_timeout", None, [ctypes.c_double]),
        ("new_kernel", address, [address, address]),
        ("use_python", None, [address, address, address]),
        ("last_report", ctypes.c_char_p, []),
        ("last_findings", ctypes.c_char_p, []),
        ("find_allocation", address, [address, ctypes.POINTER(size)]),
        ("know", None, [address, size]),
        *(check_functions if _checking else ()),
    ):
        function = getattr(library, f"gpunet_sim_{name}")
        function.restype, function.argtypes = result, arguments
    # It is called with Python's lock, lets it go, and takes it now and then for Python's handlers of signals.
    launch = ctypes.PyDLL(library._name, handle=library._handle).gpunet_sim_launch
    launch.restype, launch.argtypes = size, [address, ctypes.c_char_p, size]
    library.gpunet_sim_launch = launch
    library.gpunet_sim_use_python(*(ctypes.cast(getattr(ctypes.pythonapi, name), address) for name in (
        "PyEval_SaveThread", "PyEval_RestoreThread", "PyErr_CheckSignals")))
    library.gpunet_sim_set_workers(number_of("GPUNET_SIM_WORKERS", int, 1, MOST_WORKERS, len(os.sched_getaffinity(0))))
    library.gpunet_sim_set_timeout(number_of("GPUNET_SIM_TIMEOUT", float, 0, 1e9, _TIMEOUT))
    return library


MOST_WORKERS = 256  # each takes address space for the stacks of a block
_TIMEOUT = 60.0  # seconds for one block
