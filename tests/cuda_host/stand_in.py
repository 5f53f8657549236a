"""Builds the stand-in driver and puts CuPy on top of it, into a folder of the user's cache.

CuPy's wheel has the CUDA runtime inside one of its modules, cupy_backends.cuda.api.runtime. That module is compiled
again from the sdist of the same version and linked to driver.cpp; all others are the wheel's own. cuBLAS and the other
libraries that the wheel needs become stubs that count their calls; where kernels run, they refuse them.
"""

from __future__ import annotations

import fcntl
import functools
import hashlib
import importlib.metadata
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
from pathlib import Path

from gpunet.kernel import nvrtc

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
# With what they say where something is not supported.
LIBRARIES = {"cublas": 15, "cufft": 16, "curand": 999, "cusolver": 9, "cusparse": 10}


class Missing(Exception):
    """What the stand-in needs and this machine does not have."""


def environment(gpus: int = 1, run: bool = False) -> dict[str, str]:
    """The environment of a process in which CuPy sees this many GPUs. Builds the stand-in where it is not yet built.
    `run`: kernels run, by their PTX."""
    built = build()
    paths = [built / "packages", ROOT, *filter(None, [os.environ.get("PYTHONPATH")])]
    return os.environ | {
        "FAKE_CUDA_GPUS": str(gpus), "FAKE_CUDA_RUN": str(int(run)), "CUPY_COMPILE_WITH_PTX": str(int(run)),
        "PYTHONPATH": os.pathsep.join(map(str, paths)),
        "LD_LIBRARY_PATH": str(built / "lib"),
        "LD_PRELOAD": ":".join(map(str, (built / "lib").iterdir())),  # before libraries of NVIDIA's that are installed
        "CUPY_CACHE_DIR": str(built.parent / "cuda_host_kernels"),
        "CUPY_ACCELERATORS": "",  # CUB has a CUDA runtime of its own inside
    }


@functools.cache
def build() -> Path:
    """The folder with the built stand-in."""
    version, wheel = _cupy()
    try:
        _, cuda, headers = nvrtc._library()
    except nvrtc.NvrtcError as error:
        raise Missing(str(error)) from None
    if headers is None:
        raise Missing("CUDA's headers: pip install nvidia-cuda-runtime")
    if not shutil.which("g++"):
        raise Missing("g++")
    sources = [HERE / name for name in ("driver.cpp", "thrust.py", "stand_in.py")]
    identity = [version, str(wheel), sys.version, str(cuda), *(path.read_text() for path in sources)]
    key = hashlib.sha256("\0".join(identity).encode()).hexdigest()[:16]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gpunet"
    folder = cache / f"cuda_host-{key}"
    cache.mkdir(parents=True, exist_ok=True)
    with open(cache / "cuda_host.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # other processes wait for the first
        if not folder.exists():
            with tempfile.TemporaryDirectory(dir=cache, prefix="cuda_host-building-") as work:
                _build(Path(work), version, wheel, cuda, headers)
                (Path(work) / "built").rename(folder)
    return folder


def _cupy() -> tuple[str, Path]:
    """Version of CuPy's wheel, and the folder that it is installed in."""
    for name in ("cupy-cuda13x", "cupy-cuda12x"):
        try:
            found = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue
        return found.version, Path(found.locate_file(""))
    raise Missing("CuPy's wheel: pip install cupy-cuda13x")


def _build(work: Path, version: str, wheel: Path, cuda: tuple[int, int], headers: Path) -> None:
    tools, built = work / "tools", work / "built"
    lib = built / "lib"
    lib.mkdir(parents=True)
    major, minor = cuda
    crt = "nvidia-cuda-crt" if major >= 13 else "nvidia-cuda-nvcc-cu12"
    _pip("install", "--target", tools, "Cython>=3.2,<3.3", "setuptools>=77", f"{crt}=={major}.{minor}.*")
    _pip("download", "--no-binary", "cupy", "--no-build-isolation", f"cupy=={version}", "-d", work,
         PYTHONPATH=str(tools), CUPY_INSTALL_USE_STUB="1")
    with tarfile.open(work / f"cupy-{version}.tar.gz") as archive:
        archive.extractall(work, filter="data")
    sdist = work / f"cupy-{version}"

    (work / "cuda_profiler_api.h").write_text(  # not in the wheels
        '#include <cuda_runtime_api.h>\nextern "C" cudaError_t cudaProfilerStart(), cudaProfilerStop();\n')
    folders = headers, *tools.glob("nvidia/*/include"), work, sysconfig.get_path("include")
    includes = [f"-I{folder}" for folder in folders]
    driver = _library(HERE / "driver.cpp", lib / "libcuda.so.1", "-std=c++20", "-O1", *includes)

    pyx = sdist / "cupy_backends/cuda/api/runtime.pyx"
    number = re.search(r"#define CUDA_VERSION (\d+)", (headers / "cuda.h").read_text()).group(1)
    _run(sys.executable, "-m", "cython", "-3", "--cplus", "-E",
         f"CUPY_CUDA_VERSION={number},CUPY_HIP_VERSION=0,CUPY_USE_CUDA_PYTHON=False,CUPY_CUFFT_STATIC=False",
         pyx.relative_to(sdist), cwd=sdist, PYTHONPATH=str(tools))
    module, compiled = f"runtime{sysconfig.get_config_var('EXT_SUFFIX')}", work / "runtime.o"
    _run("g++", "-c", pyx.with_suffix(".cpp"), "-o", compiled, "-fPIC", "-O0", "-w", *includes)
    wanted = {name for name in _symbols(compiled, "--undefined-only") if name.startswith("cuda")}
    refused = sorted(wanted - _symbols(driver, "-D", "--defined-only"))
    lines = [f"int {name}(void) {{ return 801; }}" for name in refused]  # cudaErrorNotSupported
    (work / "refused.c").write_text("\n".join(lines))
    _library(work / "refused.c", lib / "librefused.so")
    _library(compiled, work / module, f"-L{lib}", "-lrefused", "-l:libcuda.so.1")

    (work / "empty.c").write_text("")
    for library in ("cublasLt", "nvJitLink"):  # what the others depend on; nothing of them is called
        _library(work / "empty.c", lib / f"lib{library}.so.{major}")
    for library in LIBRARIES:
        _stub(library, work, wheel, sdist, lib)
    _mirror(wheel / "cupy_backends", built / "packages/cupy_backends", {f"cuda/api/{module}": work / module})
    thrust = next((wheel / "cupy/cuda").glob("thrust.*")).name
    _mirror(wheel / "cupy", built / "packages/cupy", {f"cuda/{thrust}": None, "cuda/thrust.py": HERE / "thrust.py"})


def _stub(library: str, work: Path, wheel: Path, sdist: Path, lib: Path) -> None:
    """A library with the functions that the wheel takes from it. They are counted; numbers that the
    host waits for (sizes of work spaces, error codes) are 0, a handle that is made is some number."""
    modules = [path for path in (*wheel.glob("cupy_backends/cuda/libs/*.so"), *wheel.glob("cupy/cuda/*.so"))
               if path.name.startswith(library)]
    needed = "".join(_run("readelf", "-d", path) for path in modules)
    name = re.search(rf"\[(lib{library}\.so[.\d]*)\]", needed).group(1)
    declared = {}
    for path in sdist.glob(f"cupy*/cuda/**/{library}.pyx"):
        declared |= dict(re.findall(r"^ +int (\w+)\(([^)]*)\)", path.read_text(), re.M))
    lines = ["_Bool fake_cuda_library_call(const char*, const long*, int);"]
    wanted = set().union(*(_symbols(path, "-D", "--undefined-only") for path in modules))
    for function in sorted(name for name in wanted if name.startswith(library)):
        if re.search(r"buffersize|getrsBatched", function, re.I):
            parameters = declared.get(function, "").split(",")
            found = [re.fullmatch(r"(int|size_t) ?\* ?\w+", parameter.strip()) for parameter in parameters]
            body = "".join(f" *({match[1]}*)p{i} = 0;" for i, match in enumerate(found) if match)
            lines.append(f"int {function}({', '.join(f'long p{i}' for i in range(len(found)))}) {{{body} return 0; }}")
        elif "Create" in function:
            handle = "int" if library == "cufft" else "void*"
            lines.append(f"int {function}({handle}* handle) {{ *handle = ({handle})16; return 0; }}")
        elif re.search("GetVersion|GetProperty", function):
            lines.append(f"int {function}(long which, int* value) {{ *value = 13; return 0; }}")
        elif re.search("Get|Set|Destroy", function):
            lines.append(f"int {function}(void) {{ return 0; }}")
        else:
            parameters = [f"long p{i}" for i in range(declared.get(function.removesuffix("_v2"), "").count(",") + 1)]
            given = ", ".join(each.split()[1] for each in parameters)
            call = f'fake_cuda_library_call("{function}", given, {len(parameters)})'
            lines.append(f"int {function}({', '.join(parameters)}) {{ long given[] = {{{given}}}; "
                         f"return {call} ? 0 : {LIBRARIES[library]}; }}")
    source = work / f"{library}.c"
    source.write_text("#include <stddef.h>\n" + "\n".join(lines))
    version = work / f"{library}.version"
    version.write_text(f"{name} {{ global: *; }};")
    _library(source, lib / name, "-w", f"-L{lib}", "-l:libcuda.so.1", f"-Wl,--version-script={version}")


def _mirror(source: Path, target: Path, replaced: dict[str, Path | None]) -> None:
    """A package as links to another's files, but for some of them."""
    target.mkdir(parents=True, exist_ok=True)
    inside: dict[str, dict] = {}
    for name, file in replaced.items():
        first, _, rest = name.partition("/")
        if rest:
            inside.setdefault(first, {})[rest] = file
        elif file is not None:
            shutil.copy(file, target / name)
    for path in source.iterdir():
        if path.name in inside:
            _mirror(path, target / path.name, inside[path.name])
        elif path.name not in replaced and path.name != "__pycache__":
            (target / path.name).symlink_to(path)


def _library(source: Path, output: Path, *options: str) -> Path:
    language = ["-xc", source, "-xnone"] if source.suffix == ".c" else [source]
    _run("g++", *language, "-fPIC", "-shared", "-o", output, f"-Wl,-soname,{output.name}", *options)
    return output


def _symbols(path: Path, *options: str) -> set[str]:
    return {line.split()[-1].partition("@")[0] for line in _run("nm", *options, path).splitlines()}


def _pip(*arguments, **variables) -> None:
    _run(sys.executable, "-m", "pip", "-q", "--disable-pip-version-check", arguments[0], "--no-deps", *arguments[1:],
         error=Missing, **variables)


def _run(*command, cwd=None, error=RuntimeError, **variables) -> str:
    done = subprocess.run(list(map(str, command)), cwd=cwd, env=os.environ | variables, text=True, capture_output=True)
    if done.returncode:
        raise error(f"'{' '.join(map(str, command))}' failed:\n{(done.stderr or done.stdout)[-3000:]}")
    return done.stdout
