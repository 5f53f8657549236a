"""Runs the kernels that are launched over the stand-in driver: their PTX, on the CPU, by gpunet.ptx.

With FAKE_CUDA_RUN=1 thrust.py, which CuPy imports in place of its own module, starts this. CuPy then compiles its
kernels to PTX (CUPY_COMPILE_WITH_PTX), and so does gpunet.
"""

from __future__ import annotations

import _thread
import ctypes
from pathlib import Path
from typing import Any

from gpunet import ptx
from gpunet.kernel import cache, nvrtc
from gpunet.kernel.source import Source
from tests.cuda_host import libraries

_driver = ctypes.CDLL("libcuda.so.1")
_kernels: list[ptx.Kernel] = []
_numbers: dict[tuple[bytes, bytes], int] = {}
_in_clusters: dict[tuple[int, tuple[int, ...]], ptx.Kernel] = {}  # by the sizes that launches say
mistakes: list[Exception] = []  # of libraries.py: what it should have computed


@ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_char_p, ctypes.c_char_p, ctypes.POINTER(ctypes.c_int))
def _find(text: bytes, name: bytes, parameters: Any) -> int:
    """The number of a kernel, or -1."""
    try:
        if (text, name) not in _numbers:
            kernel = ptx.Kernel(text.decode(), name.decode())
            assert kernel.entry
            _numbers[text, name] = len(_kernels)
            _kernels.append(kernel)
        number = _numbers[text, name]
        found = _kernels[number].entry.parameters
        parameters[0] = len(found)
        for i, each in enumerate(found):
            parameters[1 + 2 * i], parameters[2 + 2 * i] = each.offset, each.size
        return number
    except ptx.PtxError:
        return -1


@ctypes.CFUNCTYPE(ctypes.c_bool, ctypes.c_int, ctypes.POINTER(ctypes.c_uint), ctypes.c_void_p)
def _run(number: int, sizes: Any, arguments: int) -> bool:
    """A launch, from its beginning to its end; false if it failed."""
    try:
        kernel, cluster = _kernels[number], tuple(sizes[7:10])
        if any(cluster):
            kernel = _in_clusters.setdefault((number, cluster), ptx.Kernel(kernel.text, kernel.name, cluster=cluster))
        block = sizes[3], sizes[4], sizes[5]
        program = kernel.compiled(block[0] * block[1] * block[2] % 32 == 0)
        end = max((each.offset + each.size for each in program.parameters), default=0)
        given = ctypes.string_at(arguments, end).ljust(program.parameter_bytes, b"\0")
        kernel.launch(program, (sizes[0], sizes[1], sizes[2]), block, given, sizes[6])
        return True
    except KeyboardInterrupt:
        _thread.interrupt_main()
        _driver.fake_cuda_failure(b"interrupted")
    except Exception as error:
        _driver.fake_cuda_failure(f"{type(error).__name__}: {error}".encode())
    return False


@ctypes.CFUNCTYPE(ctypes.c_bool, ctypes.c_char_p, ctypes.POINTER(ctypes.c_long), ctypes.c_int)
def _call(name: bytes, arguments: Any, size: int) -> bool:
    """A function of a library; false where it is not computed here."""
    try:
        if libraries.is_computed(name.decode()):
            libraries.compute(name.decode(), arguments[:size])
            return True
    except Exception as error:
        mistakes.append(error)
    return name.startswith(b"thrust")


def _build(source: Source, arch: str, expression: str, options: tuple[str, ...] = ()) -> tuple[Path, str]:
    """In place of nvrtc.build: a file with PTX instead of machine code."""
    text, symbol = nvrtc.build_ptx(source, arch, expression, options)
    return cache.build(nvrtc.key(source, arch, text, (), "ptx file"), ".ptx", text.encode), symbol


def start() -> None:
    """From now on launches run."""
    _driver.fake_cuda_engine(_find, _run, _call)
    nvrtc.build = _build
