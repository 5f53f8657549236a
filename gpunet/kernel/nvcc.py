"""Compile CUDA C++ to PTX with an installed nvcc, the compiler of the CUDA toolkit.

Where NVRTC is given the device's part of a file alone, nvcc takes the whole: the program beside the kernels, and the
headers of the host's C++ compiler, which has to be there too; `-ptx` throws the host's part away. It takes about a
second; the PTX is kept in the cache, with the content of all headers that it was made from.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from gpunet.kernel import cache, nvrtc
from gpunet.kernel.source import Source, folder

__all__ = ["NvccError", "assemble", "find", "ptx"]

# What programs that nvcc compiles mostly ask for; -lineinfo as for NVRTC.
_OPTIONS = ("-std=c++17", "-lineinfo", "--expt-relaxed-constexpr", "--extended-lambda")
_OF_NVRTC = re.compile(r"--?(default-device|device-as-default-execution-space|arch|gpu-architecture)\b")
_KERNEL = "gpunet_kernel"
_ADDRESS = re.compile(rf"^\.(?:visible )?\.?global [^\n]*\b{_KERNEL}\b\s*=\s*([\w$]+);\n", re.MULTILINE)
_TIMEOUT = 600


class NvccError(nvrtc.NvrtcError):
    """nvcc is missing or failed; the message says which. Who handles NVRTC's errors handles it with them.

    Examples:
        >>> from gpunet.kernel import nvcc, nvrtc
        >>> issubclass(nvcc.NvccError, nvrtc.NvrtcError)
        True
    """


def find() -> str | None:
    """Where nvcc is: $NVCC, the toolkit in $CUDA_PATH or $CUDA_HOME, the search path, /usr/local/cuda.

    Returns:
        Its path; None where there is none.

    Examples:
        >>> from gpunet.kernel import nvcc
        >>> nvcc.find() is None or "nvcc" in nvcc.find()
        True
    """
    toolkits = (os.environ.get("CUDA_PATH"), os.environ.get("CUDA_HOME"))
    places = [os.environ.get("NVCC"), *(os.path.join(each, "bin", "nvcc") for each in toolkits if each), "nvcc",
              "/usr/local/cuda/bin/nvcc"]
    return next(filter(None, (shutil.which(each) for each in places if each)), None)


def ptx(source: Source, arch: str, expression: str, options: tuple[str, ...] = ()) -> tuple[str, str]:
    """Compile a source to PTX, or find it in the cache.

    Args:
        source: as `gpunet.kernel.source.read` gives it.
        arch: such as "sm_80".
        expression: the kernel, such as "relu<float,4>"; templates are instantiated.
        options: nvcc's, added to gpunet's own.

    Returns:
        The text, which may have other kernels too, and the kernel's symbol in it.

    Raises:
        gpunet.kernel.nvrtc.CompileError: with the compiler's messages.
        NvccError: there is no nvcc.
    """
    asked = [_version(), source.text if source.whole is None else source.whole, str(source.path), arch, expression,
             *options, *(os.environ.get(each, "") for each in _ENVIRONMENT)]

    def found(more: dict[str, str]) -> dict:
        key = hashlib.sha256(json.dumps([*asked, more]).encode()).hexdigest()[:32]
        return json.loads(cache.build(f"nvcc-{key}", ".json", lambda: json.dumps(
            _compiled(source, arch, expression, options)).encode()).read_text())

    # What was first made of it says which headers it reads. Where these have changed, what was made with these; and if
    # that reads others, which have changed, none of it.
    made = found({})
    if (now := _contents(made["headers"])) != made["headers"]:
        made = found(now)
        if _contents(made["headers"]) != made["headers"]:
            made = _compiled(source, arch, expression, options)
    return made["ptx"], made["symbol"]


_ENVIRONMENT = ("CPATH", "C_INCLUDE_PATH", "CPLUS_INCLUDE_PATH", "NVCC_PREPEND_FLAGS", "NVCC_APPEND_FLAGS")


@functools.cache
def _version_of(program: str, changed: int) -> str:
    return subprocess.run([program, "--version"], capture_output=True, text=True, errors="replace", timeout=_TIMEOUT,
                          stdin=subprocess.DEVNULL).stdout


def _version() -> str:
    program = find()
    return _version_of(program, os.stat(program).st_mtime_ns) if program else ""


def _contents(headers: dict[str, str]) -> dict[str, str]:
    """The hashes of files as they are now."""
    return {each: _content(each) for each in headers}


def _content(path: str) -> str:
    try:
        return hashlib.sha256(Path(path).read_bytes()).hexdigest()
    except OSError:
        return ""


def _compiled(source: Source, arch: str, expression: str, options: tuple[str, ...]) -> dict:
    """The PTX, the kernel's symbol, and the headers with their hashes."""
    text = source.text if source.whole is None else source.whole
    with tempfile.TemporaryDirectory(prefix="gpunet-nvcc-") as work:
        # A variable that holds the kernel's address instantiates a template, and says the symbol.
        (Path(work) / "kernel.cu").write_text(f'#line 1 "{source.path}"\n{text}\n'
                                              f'#line 1 "{_KERNEL}"\nextern "C" __device__ auto* const {_KERNEL} = '
                                              f"&{expression};\n")
        given = [each for each in options if not _OF_NVRTC.match(each)]
        places = (f"-I{place}" for place in (source.path.parent, folder()) if place.is_absolute())
        _run(work, "-ptx", "-MD", "-MF", "kernel.d", f"-arch={arch.replace('sm_', 'compute_')}", *_options(given),
             *given, *places, "kernel.cu", "-o", "kernel.ptx",
             what=f"{source.path.name} does not compile for {arch} (nvcc)", inside=expression)
        made = (Path(work) / "kernel.ptx").read_text(errors="replace")
        rule = (Path(work) / "kernel.d").read_text(errors="replace").partition(":")[2].replace("\\\n", " ")
    headers = [each.replace("\\ ", " ") for each in re.findall(r"(?:\\.|\S)+", rule)]
    found = _ADDRESS.search(made)
    assert found is not None, f"nvcc's PTX has no {_KERNEL}"
    return {"ptx": made.replace(found.group(), ""), "symbol": found.group(1),
            "headers": {each: _content(each) for each in headers if os.path.isabs(each)}}


def assemble(text: str, symbol: str, arch: str) -> nvrtc.Program:
    """Machine code of a kernel in PTX.

    Args:
        text: the PTX.
        symbol: of the kernel.
        arch: such as "sm_90a".

    Returns:
        Machine code and resources, by the symbol.

    Raises:
        NvccError: there is no nvcc, or its assembler refuses the text.
    """
    with tempfile.TemporaryDirectory(prefix="gpunet-nvcc-") as work:
        (Path(work) / "kernel.ptx").write_text(text)
        log = _run(work, "-cubin", f"-arch={arch}", "-Xptxas", "-v", "kernel.ptx", "-o", "kernel.cubin",
                   what=f"{symbol} cannot be assembled for {arch} (nvcc)")
        cubin = (Path(work) / "kernel.cubin").read_bytes()
    used = nvrtc.resources(log, text)
    return nvrtc.Program(cubin, {symbol: symbol}, {each: used[each] for each in (symbol,) if each in used}, log)


def _options(given: list[str]) -> list[str]:
    """gpunet's own, but for a language that is given."""
    own = any(each.startswith(("-std", "--std")) for each in given)
    return [each for each in _OPTIONS if not (own and each.startswith("-std"))]


def _run(work: str, *arguments: str, what: str, inside: str = "") -> str:
    """What nvcc said."""
    program = find()
    if program is None:
        raise NvccError("nvcc, the compiler of the CUDA toolkit, was not found; install the toolkit, or set CUDA_PATH "
                        "to its folder")
    done = subprocess.run([program, *arguments], cwd=work, capture_output=True, text=True, errors="replace",
                          timeout=_TIMEOUT, stdin=subprocess.DEVNULL)
    log = done.stdout + done.stderr
    if done.returncode:
        lines = "\n".join(line for line in log.splitlines() if line.strip())
        if f"{_KERNEL}(1): error" in lines and inside:
            lines = re.sub(rf'^{_KERNEL}\(1\): error: (.*\n)(?:.*{_KERNEL}.*\n\s*\^\n?)?', rf"{inside}: error: \1",
                           f"{lines}\n", flags=re.MULTILINE).rstrip()
        raise nvrtc.CompileError(f"{what}:\n" + nvrtc.with_places(lines))
    return log
