"""Compile CUDA C++ with NVRTC, NVIDIA's run-time compiler: needs neither a GPU nor a driver nor a toolkit.

The library comes with the wheel nvidia-cuda-nvrtc and the half-precision headers with nvidia-cuda-runtime, or
both with an installed CUDA toolkit. It is called through ctypes: CuPy's own way to it needs a driver, adds
-ftz=true, and its disk cache does not notice changes in included files.
"""

import ctypes
import functools
import hashlib
import importlib.metadata
import importlib.util
import json
import logging
import math
import os
import re
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from gpunet.kernel import cache
from gpunet.kernel.c_headers import HEADERS
from gpunet.kernel.source import Source

_log = logging.getLogger("gpunet.build")  # what takes seconds and happens once; the command shows it

# No -use_fast_math and no -ftz: IEEE arithmetic, so that results stay near NumPy's. -lineinfo costs no instruction
# and lets profilers and sanitizers name source lines.
_OPTIONS = ("-std=c++17", "-default-device", "-lineinfo", "--ptxas-options=-v")


# The headers of CUDA's that our kernels include, and that stand for the other headers of the same release.
_CUDA_HEADERS = ("cuda_fp16.h", "cuda_fp16.hpp", "cuda_bf16.h", "cuda_bf16.hpp")


class NvrtcError(RuntimeError):
    """NVRTC is missing or failed; the message says which."""


class CompileError(NvrtcError):
    """The source does not compile; the message has file:line of every error."""


@dataclass(frozen=True)
class Resources:
    """What one kernel takes on one architecture, per thread or (shared) per block; bytes but for registers.

    `bound` is the most threads a block may have by the kernel's own __launch_bounds__; None without it.
    """

    registers: int
    stack: int
    spill_stores: int
    spill_loads: int
    shared: int
    bound: int | None = None


@dataclass(frozen=True)
class Program:
    """A compiled source: machine code, and per name expression the symbol and the resources of its kernel."""

    cubin: bytes
    symbols: dict[str, str]
    resources: dict[str, Resources]
    log: str


def version() -> tuple[int, int]:
    """Version of the NVRTC library, e.g. (13, 0)."""
    return _library()[1]


def architectures() -> tuple[int, ...]:
    """Compute capabilities that this NVRTC compiles for, times ten: 75, 80, ..."""
    library, _, _ = _library()
    count = ctypes.c_int()
    _check(library.nvrtcGetNumSupportedArchs(ctypes.byref(count)))
    values = (ctypes.c_int * count.value)()
    _check(library.nvrtcGetSupportedArchs(values))
    return tuple(values)


def architecture(capability: int) -> str:
    """Name of the architecture to compile for on a device of this compute capability (times ten: 90 for 9.0).

    Hopper and later get their own instructions ("sm_90a"), when NVRTC knows the device. Otherwise the newest
    older architecture of the same generation, whose code the device runs too.
    """
    known = architectures()
    if capability in known:
        return f"sm_{capability}{'a' if capability >= 90 else ''}"
    older = [value for value in known if value // 10 == capability // 10 and value < capability]
    if not older:
        raise NvrtcError(f"NVRTC {'.'.join(map(str, version()))} does not compile for compute capability "
                         f"{capability / 10}; it knows {', '.join(map(str, known))}: install another CUDA version")
    return f"sm_{max(older)}"


def compile(source: Source, arch: str, expressions: tuple[str, ...], options: tuple[str, ...] = ()) -> Program:
    """Compile a source for an architecture ("sm_90a"); `expressions` names the kernels, e.g. `relu<float,4>`.

    Every expression is instantiated. Raises CompileError with the compiler's messages.
    """
    library, _, headers = _library()
    program = ctypes.c_void_p()
    files = HEADERS | source.includes
    texts = (ctypes.c_char_p * len(files))(*[text.encode() for text in files.values()])
    names = (ctypes.c_char_p * len(files))(*[name.encode() for name in files])
    _check(library.nvrtcCreateProgram(ctypes.byref(program), source.text.encode(), os.fsencode(source.path),
                                      len(files), texts, names))
    try:
        for expression in expressions:
            _check(library.nvrtcAddNameExpression(program, expression.encode()))
        flags = [f"-arch={arch}", *_OPTIONS, *options]
        if headers is not None:
            flags.append(f"-I{headers}")
        encoded = (ctypes.c_char_p * len(flags))(*map(os.fsencode, flags))
        failed = library.nvrtcCompileProgram(program, len(flags), encoded)
        log = _text(library.nvrtcGetProgramLogSize, library.nvrtcGetProgramLog, program).decode(errors="replace")
        if failed:
            raise CompileError(_explained(source, arch, log, library.nvrtcGetErrorString(failed).decode()))
        symbols = {}
        for expression in expressions:
            symbol = ctypes.c_char_p()
            _check(library.nvrtcGetLoweredName(program, expression.encode(), ctypes.byref(symbol)))
            symbols[expression] = symbol.value.decode()
        cubin = _text(library.nvrtcGetCUBINSize, library.nvrtcGetCUBIN, program)
        ptx = _text(library.nvrtcGetPTXSize, library.nvrtcGetPTX, program).decode(errors="replace")
    finally:
        library.nvrtcDestroyProgram(ctypes.byref(program))
    used = _resources(log, ptx)
    return Program(cubin, symbols, {e: used[s] for e, s in symbols.items() if s in used}, log)


def build(source: Source, arch: str, expression: str, options: tuple[str, ...] = ()) -> tuple[Path, str]:
    """Path of a cubin with this kernel, and the kernel's symbol in it; compiled only when not in the cache."""
    identity = json.dumps([source.digest, arch, expression, [*_OPTIONS, *options], _identity()])
    key = f"{source.path.stem[:40]}-{hashlib.sha256(identity.encode()).hexdigest()[:32]}"

    @functools.cache
    def program() -> Program:
        _log.info("Compiling CUDA kernels for %s with NVRTC", arch)
        return compile(source, arch, (expression,), options)

    def describe() -> bytes:
        text = {"expression": expression, "arch": arch, "symbol": program().symbols[expression],
                "resources": {name: asdict(used) for name, used in program().resources.items()}}
        return json.dumps(text, indent=1).encode()

    description = cache.build(key, ".json", describe)
    cubin = cache.build(key, ".cubin", lambda: program().cubin)
    return cubin, json.loads(description.read_text())["symbol"]


@functools.cache
def _identity() -> str:
    """What besides the source decides the machine code: compiler version, CUDA headers and C headers. By content and
    not by path, so that a cache built on another machine can be used."""
    _, number, headers = _library()
    digest = hashlib.sha256(str(HEADERS).encode())
    for name in _CUDA_HEADERS if headers else ():
        path = headers / name
        digest.update(path.read_bytes() if path.is_file() else b"")
    return f"{number} {digest.hexdigest()}"


@functools.cache
def _library() -> tuple[ctypes.CDLL, tuple[int, int], Path | None]:
    """The library, its version, and the folder with cuda_fp16.h (None: on NVRTC's own search path, or missing)."""
    roots = _roots()
    for path in _candidates(roots):
        try:
            # Of its built-in functions it loads only the name; what is loaded already it finds without a search path.
            for builtins in path.parent.glob("libnvrtc-builtins.so.*") if isinstance(path, Path) else ():
                ctypes.CDLL(str(builtins), mode=ctypes.RTLD_GLOBAL)
            library = ctypes.CDLL(str(path))
        except OSError:
            continue
        library.nvrtcGetErrorString.restype = ctypes.c_char_p
        major, minor = ctypes.c_int(), ctypes.c_int()
        _check(library.nvrtcVersion(ctypes.byref(major), ctypes.byref(minor)), library)
        return library, (major.value, minor.value), _headers(roots, major.value)
    raise NvrtcError("NVRTC, NVIDIA's run-time compiler, was not found; install it with "
                     "'pip install nvidia-cuda-nvrtc nvidia-cuda-runtime' (for CUDA 12: "
                     "'nvidia-cuda-nvrtc-cu12 nvidia-cuda-runtime-cu12'), or set CUDA_PATH to a CUDA toolkit")


def _roots() -> list[Path]:
    """Folders that may hold NVRTC or headers: NVIDIA's wheels, then toolkits. The driver must be as new as NVRTC,
    so the CUDA version that CuPy was installed for goes first."""
    spec = importlib.util.find_spec("nvidia")
    wheels = [Path(place) for place in (spec.submodule_search_locations if spec else ())]
    thirteen = [place / "cu13" for place in wheels]
    twelve = [place / part for place in wheels for part in ("cuda_nvrtc", "cuda_runtime")]
    installed = [*twelve, *thirteen] if _has_distribution("cupy-cuda12x") else [*thirteen, *twelve]
    toolkits = [os.environ.get("CUDA_PATH"), os.environ.get("CUDA_HOME"), "/usr/local/cuda", sys.prefix]
    return installed + [Path(place) for place in toolkits if place]


def _has_distribution(name: str) -> bool:
    try:
        importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def _candidates(roots: list[Path]) -> list[Path | str]:
    """NVRTC libraries in order of preference; bare names are left to the system's loader."""
    found = [path for root in roots for part in ("lib", "lib64", "bin", "bin/x86_64")
             for pattern in ("libnvrtc.so.[0-9]*", "nvrtc64_*_0.dll")
             for path in sorted((root / part).glob(pattern), reverse=True) if "builtins" not in path.name]
    return [*found, "libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so"]


def _headers(roots: list[Path], major: int) -> Path | None:
    """The first include folder with cuda_fp16.h; wheels of the other CUDA generation do not count."""
    for root in roots:
        folder = root / "include"
        other_generation = root.name in ("cu13", "cuda_runtime") and (root.name == "cu13") != (major == 13)
        if not other_generation and (folder / "cuda_fp16.h").is_file():
            return folder
    return None


def _check(status: int, library: ctypes.CDLL | None = None) -> None:
    if status:
        library = library or _library()[0]
        raise NvrtcError(f"NVRTC failed: {library.nvrtcGetErrorString(status).decode()}")


def _text(size_of, read, program: ctypes.c_void_p) -> bytes:
    """One of NVRTC's results, fetched by its pair of size and read functions."""
    size = ctypes.c_size_t()
    _check(size_of(program, ctypes.byref(size)))
    buffer = ctypes.create_string_buffer(size.value)
    _check(read(program, buffer))
    return buffer.raw


def _explained(source: Source, arch: str, log: str, error: str) -> str:
    """The compiler's messages with places as file:line, and what to do when only a header is missing."""
    if match := re.search(r'cannot open source file "(cuda_(?:fp16|bf16)\.h)"', log):
        return (f"{match.group(1)} was not found; it comes with 'pip install nvidia-cuda-runtime' (for CUDA 12: "
                "nvidia-cuda-runtime-cu12), or set CUDA_PATH to a CUDA toolkit")
    hint = ""
    if match := re.search(r'cannot open source file "([^"]+)"', log):
        hint = ("\nNVRTC compiles for the device alone, without the host's headers: put #include "
                f"<{match.group(1)}> under #ifndef __CUDACC_RTC__, or name its folder with -I.")
    lines = [line for line in log.replace("\0", "").splitlines() if line.strip() and not line.startswith("ptxas info")]
    text = re.sub(r"^([^\s(][^(\n]*)\((\d+)\): ", r"\1:\2: ", "\n".join(lines), flags=re.MULTILINE)
    return f"{source.path.name} does not compile for {arch} ({error}):\n{text}{hint}"


_ENTRY = re.compile(r"Compiling entry function '([^']+)'")
_STACK = re.compile(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads")
_REGISTERS = re.compile(r"Used (\d+) registers")
_SHARED = re.compile(r"(\d+) bytes smem")


# In PTX a kernel's name and parameters are followed by its directives, then its body: .maxntid are launch bounds.
_BOUND = re.compile(r"\.entry\s+([\w$]+)\s*\([^)]*\)[^{]*?\.maxntid\s+(\d+)(?:,\s*(\d+))?(?:,\s*(\d+))?")


def _resources(log: str, ptx: str) -> dict[str, Resources]:
    """Per kernel symbol what ptxas reported under -v: it prints the entry's name, then stack and spills, then use."""
    bounds = {symbol: math.prod(int(size or 1) for size in sizes) for symbol, *sizes in _BOUND.findall(ptx)}
    result, symbol, stack = {}, None, (0, 0, 0)
    for line in log.splitlines():
        if match := _ENTRY.search(line):
            symbol = match.group(1)
        elif match := _STACK.search(line):
            stack = tuple(map(int, match.groups()))
        elif symbol and (match := _REGISTERS.search(line)):
            shared = int(found.group(1)) if (found := _SHARED.search(line)) else 0
            result[symbol] = Resources(int(match.group(1)), *stack, shared, bounds.get(symbol))
            symbol = None
    return result
