"""gpunet's own kernels by way of their PTX, behind the interface of gpunet.sim.Function: the device sim's launches."""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np

from gpunet.kernel import arguments, compilers, signature
from gpunet.kernel import source as sources
from gpunet.ptx.launch import Kernel

# For launches: what gpunet's kernels do on it is what they do on most GPUs.
ARCHITECTURE = "sm_80"
PROFILED = "sm_90a"  # for profiles
_STATIC_SHARED = 48 << 10
_MOST_SHARED = 227 << 10
_MOST_THREADS = 1024


def load(file: str | os.PathLike[str], expression: str, options: tuple[str, ...] = (),
         cluster: int | Sequence[int] | None = None, architecture: str | None = None) -> Function:
    """A kernel of a `.cu` file, compiled to PTX by NVRTC, or by nvcc (gpunet.kernel.compilers), when it is first
    launched.

    Args:
        file: an absolute path, or a name in gpunet's own `kernels` folder.
        expression: the kernel's name, and for a template its arguments: "bias_relu<float,4>".
        options: the compiler's, such as "-DN=4" and "-fmad=false".
        cluster: sizes of a cluster of blocks, where the launch says them (cudaLaunchAttributeClusterDimension) and not
            the kernel.
        architecture: to compile for, such as "sm_90a". Without it that is sm_80, and sm_90a for a file that
            has kernels with clusters.

    Returns:
        The kernel.

    Raises:
        FileNotFoundError: the file is not there.

    Examples:
        >>> gpunet.ptx.load("random.cu", "uniform<float>")
        <kernel uniform<float> of random.cu, by its PTX>
    """
    sources.find(file)
    return Function(file, expression, options, architecture, cluster=cluster)


class Function:
    """A kernel that can be launched: `function(grid, block, args, shared_mem=0)`, as CuPy's.

    The first launch compiles it. Arguments are those of gpunet.sim.Function.

    Args:
        file: as in `load`.
        expression: the kernel.
        options: the compiler's.
        architecture: as in `load`.
        source: the text, where it is not the file's own.
        cluster: as in `load`.

    Raises:
        gpunet.kernel.nvrtc.NvrtcError: at the first launch; there is no compiler, or the file does not compile.
        MissingError: at the first launch; llvmlite is not installed.
        Unsupported: at the first launch; the kernel has an instruction that is not simulated.

    Examples:
        >>> uniform = gpunet.ptx.load("random.cu", "uniform<float>")
        >>> uniform.attributes["max_threads_per_block"]
        1024
    """

    def __init__(self, file: str | os.PathLike[str], expression: str, options: tuple[str, ...] = (),
                 architecture: str | None = None, source: sources.Source | None = None,
                 cluster: int | Sequence[int] | None = None) -> None:
        self.file, self.name, self.options = file, expression, tuple(options)
        self._architecture, self._source, self.cluster = architecture, source, cluster
        self.max_dynamic_shared_size_bytes = _STATIC_SHARED
        self._kernel: Kernel | None = None
        self._fitting: set[tuple[np.dtype | None, ...]] = {()}  # types of arrays that fit
        self._lock = threading.Lock()

    @property
    def kernel(self) -> Kernel:
        """What runs it."""
        with self._lock:
            if self._kernel is None:
                self._kernel = self.compiled()
            return self._kernel

    @property
    def source(self) -> sources.Source:
        """Its text."""
        if self._source is None:
            self._source = sources.read(self.file)
        return self._source

    @functools.cached_property
    def architecture(self) -> str:
        """What it is compiled for."""
        if self._architecture is not None:
            return self._architecture
        clusters = self.cluster is not None or "__cluster_dims__" in self.source.full_text
        return PROFILED if clusters else ARCHITECTURE

    def compiled(self, counting: bool = False, checking: bool = False) -> Kernel:
        """The PTX, ready to be launched; with counters for a profile, or with checks."""
        return Kernel(self.ptx.text, self.ptx.symbol, counting=counting, checking=checking, cluster=self.cluster)

    @functools.cached_property
    def ptx(self) -> compilers.Ptx:
        """What the compiler made of it."""
        return compilers.build(self.source, self.architecture, self.name, self.options)

    @functools.cached_property
    def checked(self) -> Kernel:
        """The same with checks."""
        return self.compiled(checking=True)

    @functools.cached_property
    def _declared(self) -> tuple[signature.Parameter, ...]:
        """The parameters as the source declares them; none where it does not in a way that is understood."""
        try:
            return tuple(signature.parameters(self.source.full_text, self.name))
        except signature.SignatureError:
            return ()

    @functools.cached_property
    def parameter_names(self) -> list[str]:
        """As the source declares them; empty where it does not in a way that is understood."""
        return [each.name for each in self._declared]

    @functools.cached_property
    def pointers(self) -> frozenset[int]:
        """The numbers of the parameters that the source declares as pointers."""
        return frozenset(number for number, each in enumerate(self._declared) if each.pointer)

    @functools.cached_property
    def _elements(self) -> tuple[tuple[str, int, str] | None, ...]:
        """Of each parameter that surely is a pointer to scalars: what these are, their bytes, and the declaration."""
        return tuple((arguments.element_kind(each.dtype), each.dtype.itemsize, str(each))
                     if each is not None and each.dtype is not None else None
                     for each in signature.pointers(self.source.full_text, self.name))

    def wrong_elements(self, args: Sequence[Any]) -> list[str]:
        """What is wrong with the elements of a launch's arrays, by the source's declaration."""
        found = [arguments.wrong_elements(value, *each) for value, each in zip(args, self._elements, strict=False)
                 if each is not None]
        return [each for each in found if each is not None]

    @property
    def attributes(self) -> dict[str, int]:
        """The limits of a launch, by CuPy's names."""
        return {"max_threads_per_block": _MOST_THREADS,
                "max_dynamic_shared_size_bytes": self.max_dynamic_shared_size_bytes}

    def __call__(self, grid: tuple, block: tuple, args: tuple, shared_mem: int = 0, stream: Any = None) -> None:
        if shared_mem and shared_mem > min(self.max_dynamic_shared_size_bytes, _MOST_SHARED):
            raise ValueError(f"{self.name}: {shared_mem} bytes of dynamic shared memory, allowed are "
                             f"{min(self.max_dynamic_shared_size_bytes, _MOST_SHARED)}; set "
                             "max_dynamic_shared_size_bytes first")
        types = tuple([each.dtype if type(each) is np.ndarray else None for each in args])
        if types not in self._fitting:
            if wrong := self.wrong_elements(args):
                raise TypeError(f"{self.name}: {wrong[0]}")
            self._fitting.add(types)
        (self._kernel or self.kernel)(grid, block, args, shared_mem)

    def __repr__(self) -> str:
        return f"<kernel {self.name} of {os.path.basename(self.file)}, by its PTX>"


for _each in (Function, load):
    _each.__module__ = "gpunet.ptx"
