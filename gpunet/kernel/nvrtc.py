"""Compile CUDA C++ with NVRTC, NVIDIA's run-time compiler: needs neither a GPU nor a driver nor a toolkit.

The library comes with the wheel nvidia-cuda-nvrtc and the half-precision headers with nvidia-cuda-runtime, or
both with an installed CUDA toolkit. It is called through ctypes: CuPy's own way to it needs a driver, adds
-ftz=true, and its disk cache does not notice changes in included files.
"""

import contextlib
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
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from gpunet.kernel import cache
from gpunet.kernel.c_headers import HEADERS
from gpunet.kernel.source import Source

__all__ = ["CompileError", "NvrtcError", "Program", "Resources", "architecture", "architectures", "build",
           "build_ptx", "built", "compile", "key", "ptx", "version"]

_log = logging.getLogger("gpunet.build")  # what takes seconds and happens once; the command shows it

# No -use_fast_math and no -ftz: IEEE arithmetic, so that results stay near NumPy's. -lineinfo costs no instruction
# and lets profilers and sanitizers name source lines.
_OPTIONS = ("-std=c++17", "-default-device", "-lineinfo")


# The headers of CUDA's that our kernels include, and that stand for the other headers of the same release.
_CUDA_HEADERS = ("cuda_fp16.h", "cuda_fp16.hpp", "cuda_bf16.h", "cuda_bf16.hpp")


class NvrtcError(RuntimeError):
    """NVRTC is missing or failed; the message says which.

    Examples:
        >>> from gpunet.kernel import nvrtc
        >>> nvrtc.architecture(10)  # the first GPUs with CUDA
        Traceback (most recent call last):
            ...
        gpunet.kernel.nvrtc.NvrtcError: NVRTC ... does not compile for compute capability 1.0; ...
    """


class CompileError(NvrtcError):
    """The source does not compile; the message has file:line of every error.

    Examples:
        >>> from gpunet.kernel import nvrtc, source
        >>> nvrtc.compile(source.read("random.cu"), "sm_90a", ("no_such_kernel",))
        Traceback (most recent call last):
            ...
        gpunet.kernel.nvrtc.CompileError: random.cu does not compile for sm_90a (NVRTC_ERROR_COMPILATION):
            ...
    """


@dataclass(frozen=True)
class Resources:
    """What a kernel takes on an architecture.

    Args:
        registers: of a thread.
        stack: bytes of local memory of a thread.
        spill_stores: bytes that a thread writes there because registers do not suffice.
        spill_loads: bytes that it reads back.
        shared: bytes of static shared memory of a block.
        bound: the most threads of a block, by the kernel's own __launch_bounds__; None without it.

    Examples:
        >>> from gpunet.kernel import nvrtc
        >>> nvrtc.Resources(registers=40, stack=0, spill_stores=0, spill_loads=0, shared=1024).bound is None
        True
    """

    registers: int
    stack: int
    spill_stores: int
    spill_loads: int
    shared: int
    bound: int | None = None


@dataclass(frozen=True)
class Program:
    """A compiled source.

    Args:
        cubin: the machine code.
        symbols: its kernels' symbols by their name expressions.
        resources: what they take, by their name expressions.
        log: what the compiler said.

    Examples:
        >>> from gpunet.kernel import nvrtc, source
        >>> program = nvrtc.compile(source.read("random.cu"), "sm_80", ("uniform<float>",))
        >>> list(program.symbols), program.resources["uniform<float>"].spill_stores
        (['uniform<float>'], 0)
    """

    cubin: bytes
    symbols: dict[str, str]
    resources: dict[str, Resources]
    log: str


def version() -> tuple[int, int]:
    """Version of the NVRTC library.

    Returns:
        Major and minor number, such as (13, 0).

    Raises:
        NvrtcError: there is no NVRTC; the message says what to install.

    Examples:
        >>> from gpunet.kernel import nvrtc
        >>> nvrtc.version() >= (12, 0)
        True
    """
    return _library()[1]


def architectures() -> tuple[int, ...]:
    """What this NVRTC compiles for.

    Returns:
        Compute capabilities times ten: 75, 80, ...

    Raises:
        NvrtcError: there is no NVRTC; the message says what to install.

    Examples:
        >>> from gpunet.kernel import nvrtc
        >>> 90 in nvrtc.architectures()
        True
    """
    library, _, _ = _library()
    count = ctypes.c_int()
    _check(library.nvrtcGetNumSupportedArchs(ctypes.byref(count)))
    values = (ctypes.c_int * count.value)()
    _check(library.nvrtcGetSupportedArchs(values))
    return tuple(values)


def architecture(capability: int) -> str:
    """The architecture to compile for on a device.

    Hopper and later get their own instructions ("sm_90a") when NVRTC knows the device. Otherwise it is the newest
    older architecture of the same generation, whose code the device runs too.

    Args:
        capability: the device's compute capability times ten: 90 for 9.0.

    Returns:
        The architecture's name.

    Raises:
        NvrtcError: this NVRTC does not compile for such a device, or there is none.

    Examples:
        >>> from gpunet.kernel import nvrtc
        >>> nvrtc.architecture(80), nvrtc.architecture(90)
        ('sm_80', 'sm_90a')
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
    """Compile a source for an architecture, without the cache.

    Args:
        source: as `gpunet.kernel.source.read` gives it.
        arch: such as "sm_90a".
        expressions: the kernels, such as "relu<float,4>"; templates are instantiated.
        options: NVRTC's, added to gpunet's own.

    Returns:
        Machine code, symbols and resources.

    Raises:
        CompileError: with the compiler's messages.
        NvrtcError: there is no NVRTC, or it failed.

    Examples:
        >>> from gpunet.kernel import nvrtc, source
        >>> nvrtc.compile(source.read("random.cu"), "sm_80", ("uniform<float>",)).cubin[:4]
        b'\\x7fELF'
    """
    library, _, _ = _library()
    with _compiled(source, arch, expressions, ("--ptxas-options=-v", *options)) as (program, symbols, log):
        cubin = _text(library.nvrtcGetCUBINSize, library.nvrtcGetCUBIN, program)
        text = _text(library.nvrtcGetPTXSize, library.nvrtcGetPTX, program).decode(errors="replace")
    used = resources(log, text)
    return Program(cubin, symbols, {e: used[s] for e, s in symbols.items() if s in used}, log)


def ptx(source: Source, arch: str, expressions: tuple[str, ...],
        options: tuple[str, ...] = ()) -> tuple[str, dict[str, str]]:
    """Compile a source to PTX, NVIDIA's portable assembly, without the cache and without making machine code of it.

    Args:
        source: as `gpunet.kernel.source.read` gives it.
        arch: such as "sm_80".
        expressions: the kernels, such as "relu<float,4>"; templates are instantiated.
        options: NVRTC's, added to gpunet's own.

    Returns:
        The text, and the kernels' symbols in it by their name expressions.

    Raises:
        CompileError: with the compiler's messages.
        NvrtcError: there is no NVRTC, or it failed.

    Examples:
        >>> from gpunet.kernel import nvrtc, source
        >>> text, symbols = nvrtc.ptx(source.read("random.cu"), "sm_80", ("uniform<float>",))
        >>> symbols["uniform<float>"] in text, ".target sm_80" in text
        (True, True)
    """
    library, _, _ = _library()
    with _compiled(source, arch.replace("sm_", "compute_"), expressions, options) as (program, symbols, _):
        text = _text(library.nvrtcGetPTXSize, library.nvrtcGetPTX, program).rstrip(b"\0")
    return text.decode(errors="replace"), symbols


@contextlib.contextmanager
def _compiled(source: Source, arch: str, expressions: tuple[str, ...],
              options: tuple[str, ...]) -> Iterator[tuple[ctypes.c_void_p, dict[str, str], str]]:
    """A program that NVRTC has compiled, its kernels' symbols, and what the compiler said."""
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
        flags += [f"-I{folder}" for folder in (headers, *libraries()) if folder is not None]
        encoded = (ctypes.c_char_p * len(flags))(*map(os.fsencode, flags))
        failed = library.nvrtcCompileProgram(program, len(flags), encoded)
        log = _text(library.nvrtcGetProgramLogSize, library.nvrtcGetProgramLog, program).decode(errors="replace")
        if failed:
            raise CompileError(_explained(source, arch, log, library.nvrtcGetErrorString(failed).decode()))
        symbols = {}
        for expression in expressions:
            symbol = ctypes.c_char_p()
            _check(library.nvrtcGetLoweredName(program, expression.encode(), ctypes.byref(symbol)))
            symbols[expression] = (symbol.value or b"").decode()
        yield program, symbols, log
    finally:
        library.nvrtcDestroyProgram(ctypes.byref(program))


def key(source: Source, arch: str, expressions: str | tuple[str, ...], options: tuple[str, ...] = (),
        *kind: object) -> str:
    """The name in the cache of what is made of a source, by all that decides it.

    Args:
        source: as `gpunet.kernel.source.read` gives it.
        arch: such as "sm_90a".
        expressions: the kernel, or the kernels.
        options: NVRTC's, added to gpunet's own.
        kind: what is made, where that is no machine code.

    Returns:
        The name, without the ending.

    Raises:
        NvrtcError: there is no NVRTC; its version decides too.

    Examples:
        >>> from gpunet.kernel import nvrtc, source
        >>> random = source.read("random.cu")
        >>> names = [nvrtc.key(random, arch, "random_bits") for arch in ("sm_80", "sm_90a")]
        >>> names[0] == names[1], names[0].startswith("random-")
        (False, True)
    """
    identity = [*kind, source.digest, arch, expressions, [*_OPTIONS, *options], _identity(source)]
    digest = hashlib.sha256(json.dumps(identity).encode()).hexdigest()
    return f"{source.path.stem[:40]}-{digest[:32]}"


def build(source: Source, arch: str, expression: str, options: tuple[str, ...] = ()) -> tuple[Path, str]:
    """Compile a kernel for an architecture, or find it in the cache.

    Args:
        source: as `gpunet.kernel.source.read` gives it.
        arch: such as "sm_90a".
        expression: the kernel, such as "relu<float,4>".
        options: NVRTC's, added to gpunet's own.

    Returns:
        The path of a cubin with the kernel, and the kernel's symbol in it.

    Raises:
        CompileError: with the compiler's messages.
        NvrtcError: there is no NVRTC, or it failed.
        OSError: there is no folder for compiled kernels.

    Examples:
        >>> from gpunet.kernel import nvrtc, source
        >>> path, symbol = nvrtc.build(source.read("random.cu"), "sm_80", "uniform<float>")
        >>> path.suffix, "uniform" in symbol
        ('.cubin', True)
    """
    cubin, description = _built(source, arch, expression, options)
    return cubin, description["symbol"]


def built(source: Source, arch: str, expression: str, options: tuple[str, ...] = ()) -> Program:
    """What `build` makes or finds, with the kernel's resources; the compiler's messages are not kept.

    Args:
        source: as there.
        arch: as there.
        expression: as there.
        options: as there.

    Returns:
        The program.

    Raises:
        CompileError: with the compiler's messages.
        NvrtcError: there is no NVRTC, or it failed.
        OSError: there is no folder for compiled kernels.

    Examples:
        >>> from gpunet.kernel import nvrtc, source
        >>> program = nvrtc.built(source.read("random.cu"), "sm_80", "uniform<float>")
        >>> program.resources["uniform<float>"].spill_stores
        0
    """
    cubin, description = _built(source, arch, expression, options)
    used = {name: Resources(**each) for name, each in description["resources"].items()}
    return Program(cubin.read_bytes(), {expression: description["symbol"]}, used, "")


def _built(source: Source, arch: str, expression: str, options: tuple[str, ...]) -> tuple[Path, dict[str, Any]]:
    """The path of a cubin, and what is known of it."""
    name = key(source, arch, expression, options)

    @functools.cache
    def program() -> Program:
        _log.info("Compiling CUDA kernels for %s with NVRTC", arch)
        return compile(source, arch, (expression,), options)

    def describe() -> bytes:
        text = {"expression": expression, "arch": arch, "symbol": program().symbols[expression],
                "resources": {name: asdict(used) for name, used in program().resources.items()}}
        return json.dumps(text, indent=1).encode()

    description = cache.build(name, ".json", describe)
    cubin = cache.build(name, ".cubin", lambda: program().cubin)
    return cubin, json.loads(description.read_text())


def build_ptx(source: Source, arch: str, expression: str, options: tuple[str, ...] = ()) -> tuple[str, str]:
    """Compile a kernel to PTX, or find it in the cache.

    Args:
        source: as `gpunet.kernel.source.read` gives it.
        arch: such as "sm_80".
        expression: the kernel, such as "relu<float,4>".
        options: NVRTC's, added to gpunet's own.

    Returns:
        The text, and the kernel's symbol in it.

    Raises:
        CompileError: with the compiler's messages.
        NvrtcError: there is no NVRTC, or it failed.
        OSError: there is no folder for compiled kernels.

    Examples:
        >>> from gpunet.kernel import nvrtc, source
        >>> text, symbol = nvrtc.build_ptx(source.read("random.cu"), "sm_80", "uniform<float>")
        >>> symbol in text
        True
    """
    def make() -> bytes:
        _log.info("Compiling CUDA kernels to PTX for %s with NVRTC", arch)
        text, symbols = ptx(source, arch, (expression,), options)
        return f"// {symbols[expression]}\n{text}".encode()

    path = cache.build(key(source, arch, expression, options, "ptx"), ".ptx", make)
    symbol, _, text = path.read_text().partition("\n")
    return text, symbol.removeprefix("// ")


def _identity(source: Source) -> str:
    """What besides the source decides the machine code: compiler version, CUDA headers and C headers, and the C++
    libraries' version where it includes them. By content and not by path, so that a cache built on another machine can
    be used."""
    return _identity_of(bool(_OF_LIBRARIES.search(source.full_text)))


_OF_LIBRARIES = re.compile(r"^[ \t]*#[ \t]*include[ \t]*[<\"](?:cuda|cub|thrust|nv|cooperative_groups)\b", re.MULTILINE)


@functools.cache
def _identity_of(with_libraries: bool) -> str:
    _, number, headers = _library()
    digest = hashlib.sha256(str(HEADERS).encode())
    places = [headers / name for name in _CUDA_HEADERS] if headers is not None else []
    places += [folder / "cuda/std/__cccl/version.h" for folder in libraries() if with_libraries]
    for path in places:
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
    wheels = [Path(place) for place in (spec and spec.submodule_search_locations or ())]
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


@functools.cache
def libraries() -> tuple[Path, ...]:
    """The folders of NVIDIA's C++ libraries, libcu++ (cuda::) and CUB, of the wheel nvidia-cuda-cccl or a toolkit; the
    headers of cooperative groups need them too. Empty where they are not."""
    for root in (*_roots(), *(root.parent / "cuda_cccl" for root in _roots() if root.name == "cuda_runtime")):
        for folder in (root / "include" / "cccl", root / "include"):
            if (folder / "cuda" / "std" / "__cccl" / "version.h").is_file():
                return (folder, *([root / "include"] if folder.name == "cccl" else []))
    return ()


def _check(status: int, library: ctypes.CDLL | None = None) -> None:
    if status:
        library = library or _library()[0]
        raise NvrtcError(f"NVRTC failed: {library.nvrtcGetErrorString(status).decode()}")


def _text(size_of: Callable[..., int], read: Callable[..., int], program: ctypes.c_void_p) -> bytes:
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
    if match := re.search(r'cannot open source file "((?:nv|cuda|cub)/[^"]+)"', log):
        hint = (f"\n{match.group(1)} belongs to NVIDIA's C++ libraries, which cooperative groups need too: pip install "
                "nvidia-cuda-cccl (for CUDA 12: nvidia-cuda-cccl-cu12), or set CUDA_PATH to a CUDA toolkit.")
    elif match := re.search(r'cannot open source file "([^"]+)"', log):
        hint = ("\nNVRTC compiles for the device alone, without the host's headers: put #include "
                f"<{match.group(1)}> under #ifndef __CUDACC_RTC__, or name its folder with -I.")
    elif "invalid value for --gpu-architecture" in log:
        hint = f"\nThis NVRTC knows {', '.join(f'sm_{each}' for each in architectures())}."
    hint += missing_header(log)
    lines = [line for line in log.replace("\0", "").splitlines() if line.strip() and not line.startswith("ptxas info")]
    return f"{source.path.name} does not compile for {arch} ({error}):\n{with_places(chr(10).join(lines))}{hint}"


def missing_header(messages: str) -> str:
    """The header to include, as a further line, where a compiler does not know a type that CUDA's headers declare."""
    for name, header in (("half2?", "cuda_fp16.h"), (r"(?:nv_)?bfloat16\d?", "cuda_bf16.h")):
        if match := re.search(rf"['\"‘](?:__)?({name})['\"’]", messages):
            return f"\n{match.group(1)} is declared by #include <{header}>."
    return ""


def with_places(log: str) -> str:
    """NVIDIA's messages with places as file:line."""
    return re.sub(r"^([^\s(][^(\n]*)\((\d+)\): ", r"\1:\2: ", log, flags=re.MULTILINE)


_ENTRY = re.compile(r"Compiling entry function '([^']+)'")
_STACK = re.compile(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads")
_REGISTERS = re.compile(r"Used (\d+) registers")
_SHARED = re.compile(r"(\d+) bytes smem")


# In PTX a kernel's name and parameters are followed by its directives, then its body: .maxntid are launch bounds.
_BOUND = re.compile(r"\.entry\s+([\w$]+)\s*\([^)]*\)[^{]*?\.maxntid\s+(\d+)(?:,\s*(\d+))?(?:,\s*(\d+))?")


def resources(log: str, ptx: str) -> dict[str, Resources]:
    """Per kernel symbol what ptxas reported under -v: it prints the entry's name, then stack and spills, then use."""
    bounds = {symbol: math.prod(int(size or 1) for size in sizes) for symbol, *sizes in _BOUND.findall(ptx)}
    result: dict[str, Resources] = {}
    symbol, stack, stores, loads = None, 0, 0, 0
    for line in log.splitlines():
        if match := _ENTRY.search(line):
            symbol = match.group(1)
        elif match := _STACK.search(line):
            stack, stores, loads = map(int, match.groups())
        elif symbol and (match := _REGISTERS.search(line)):
            shared = int(found.group(1)) if (found := _SHARED.search(line)) else 0
            result[symbol] = Resources(int(match.group(1)), stack, stores, loads, shared, bounds.get(symbol))
            symbol = None
    return result
