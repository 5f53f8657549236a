"""Which of NVIDIA's compilers makes PTX of a source: NVRTC, a library, or an installed nvcc.

$GPUNET_CUDA_COMPILER is nvrtc, nvcc, or auto, the default: NVRTC where it is there, which is quicker and needs no C++
compiler; nvcc where it is not, and for a source that NVRTC does not compile, as where kernels use the host's headers.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace

from gpunet._environment import choice
from gpunet.kernel import nvcc, nvrtc
from gpunet.kernel.source import Source

__all__ = ["Ptx", "build", "lacking", "machine_code"]

_CHOICES = {"auto": "", "nvrtc": "", "nvcc": ""}


@dataclass(frozen=True)
class Ptx:
    """A compiled kernel.

    Args:
        text: the PTX.
        symbol: the kernel's in it.
        compiler: "nvrtc" or "nvcc".
    """

    text: str
    symbol: str
    compiler: str


def build(source: Source, arch: str, expression: str, options: tuple[str, ...] = ()) -> Ptx:
    """Compile a kernel to PTX, or find what NVRTC made in the cache.

    Args:
        source: as `gpunet.kernel.source.read` gives it.
        arch: such as "sm_80".
        expression: the kernel, such as "relu<float,4>".
        options: the compiler's, added to gpunet's own.

    Returns:
        The PTX.

    Raises:
        gpunet.kernel.nvrtc.CompileError: with the compiler's messages; NVRTC's where neither compiles the source.
        gpunet.kernel.nvrtc.NvrtcError: there is no compiler, or it failed.
        gpunet.sim.SettingError: $GPUNET_CUDA_COMPILER is none of the three.

    Examples:
        >>> from gpunet.kernel import compilers, source
        >>> compilers.build(source.read("random.cu"), "sm_80", "uniform<float>").compiler in ("nvrtc", "nvcc")
        True
    """
    chosen = _chosen()
    if chosen == "nvcc":
        return _by_nvcc(source, arch, expression, options)
    other = chosen == "auto" and nvcc.find() is not None
    try:
        return Ptx(*nvrtc.build_ptx(source, arch, expression, options), "nvrtc")
    except nvrtc.CompileError:
        if other:
            with contextlib.suppress(nvrtc.CompileError):
                return _by_nvcc(source, arch, expression, options)
        raise
    except nvrtc.NvrtcError:
        if not other:
            raise
    return _by_nvcc(source, arch, expression, options)


def lacking() -> str:
    """What keeps `build` from compiling on this machine, in words; empty where nothing does.

    Raises:
        gpunet.sim.SettingError: $GPUNET_CUDA_COMPILER is none of the three.

    Examples:
        >>> from gpunet.kernel import compilers
        >>> compilers.lacking()
        ''
    """
    chosen = _chosen()
    if chosen != "nvrtc" and nvcc.find() is not None:
        return ""
    if chosen == "nvcc":
        return "there is no nvcc, which $GPUNET_CUDA_COMPILER names"
    try:
        nvrtc.version()
    except nvrtc.NvrtcError:
        return "NVRTC is not installed"
    return ""


def machine_code(ptx: Ptx, source: Source, arch: str, expression: str, options: tuple[str, ...] = ()) -> nvrtc.Program:
    """The machine code that the same compiler makes, NVRTC's from the cache, with symbols and resources by the
    expression.

    Args:
        ptx: what `build` gave for the others.
        source: as there.
        arch: as there.
        expression: as there.
        options: as there.

    Raises:
        gpunet.kernel.nvrtc.NvrtcError: as `build`.
    """
    if ptx.compiler == "nvrtc":
        return nvrtc.built(source, arch, expression, options)
    made = nvcc.assemble(ptx.text, ptx.symbol, arch)
    used = made.resources.get(ptx.symbol)
    return replace(made, symbols={expression: ptx.symbol}, resources={expression: used} if used else {})


def _chosen() -> str:
    return choice("GPUNET_CUDA_COMPILER", _CHOICES, "auto")


def _by_nvcc(source: Source, arch: str, expression: str, options: tuple[str, ...]) -> Ptx:
    return Ptx(*nvcc.ptx(source, arch, expression, options), "nvcc")
