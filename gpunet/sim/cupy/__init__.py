"""The simulated device's array module: CuPy's names and signatures, so far as a program that launches kernels needs
them. It gives nothing that CuPy does not give; a test holds it against CuPy itself.

    _array.py      ndarray
    _functions.py  functions on arrays
    cuda.py        memory, device, streams, events
    linalg.py      linear algebra; lib.py  views with given strides
"""

# pyright: reportUnsupportedDunderAll=false
# (functions are made from tables, and so is the list of names)

import functools
from typing import Any as _Any

import numpy as _np

from gpunet.sim import engine as _engine
from gpunet.sim import module as _module
from gpunet.sim import profiling as _profiling
from gpunet.sim.cupy import cuda, lib, linalg
from gpunet.sim.cupy._array import ndarray
from gpunet.sim.cupy._functions import *  # noqa: F403
from gpunet.sim.cupy._functions import __all__ as _names
from gpunet.sim.cupy.cuda import is_available

from numpy import (  # isort: skip
    bool_, complex64, complex128, dtype, e, euler_gamma, finfo, float16, float32, float64, floating, generic, iinfo,
    inexact, inf, int8, int16, int32, int64, integer, intp, nan, newaxis, number, pi, signedinteger, uint8, uint16,
    uint32, uint64, unsignedinteger,
)


class RawModule:
    """Kernels from CUDA C++ text, or from a file of it, for the engine of the device sim; see gpunet.sim.Module."""

    def __init__(self, code: str | None = None, *, path: str | None = None, options: tuple[str, ...] = (),
                 backend: str = "nvrtc", translate_cucomplex: bool = False, enable_cooperative_groups: bool = False,
                 name_expressions: tuple[str, ...] | None = None, jitify: bool | None = None) -> None:
        if enable_cooperative_groups or translate_cucomplex:
            raise NotImplementedError("the simulator has neither grid-wide cooperative groups nor cuComplex")
        self._module = _module.Module(code, path=path, options=options, name_expressions=name_expressions)
        self.code, self.options, self.name_expressions, self.backend = code, options, name_expressions, backend

    def compile(self, log_stream: _Any = None) -> None:
        if _engine.choose().name == "cxx":
            self._module.compile()
        else:
            for name in self.name_expressions or ():
                self.get_function(name).kernel  # noqa: B018

    def get_function(self, name: str) -> _Any:
        function = self._module.get_function(name)
        if _engine.choose().name == "cxx":
            return function
        from gpunet.ptx.function import ARCHITECTURE

        return _profiling.compiled(function, ARCHITECTURE)


class RawKernel:
    """One kernel from CUDA C++ text, built when it is first called."""

    def __init__(self, code: str, name: str, options: tuple[str, ...] = (), backend: str = "nvrtc",
                 translate_cucomplex: bool = False, *, enable_cooperative_groups: bool = False,
                 jitify: bool | None = None) -> None:
        self.code, self.name, self.options, self.backend = code, name, options, backend
        self._find = functools.partial(RawModule, code, options=options,
                                       enable_cooperative_groups=enable_cooperative_groups,
                                       translate_cucomplex=translate_cucomplex, name_expressions=(name,))

    @functools.cached_property
    def kernel(self) -> _Any:
        return self._find().get_function(self.name)

    def compile(self, log_stream: _Any = None) -> None:
        self.kernel  # noqa: B018

    @property
    def attributes(self) -> dict[str, int]:
        return self.kernel.attributes

    @property
    def max_dynamic_shared_size_bytes(self) -> int:
        return self.kernel.max_dynamic_shared_size_bytes

    @max_dynamic_shared_size_bytes.setter
    def max_dynamic_shared_size_bytes(self, size: int) -> None:
        self.kernel.max_dynamic_shared_size_bytes = size

    def __call__(self, grid: tuple, block: tuple, args: tuple, *, shared_mem: int = 0) -> None:
        self.kernel(grid, block, args, shared_mem=shared_mem)


def get_default_memory_pool() -> cuda.MemoryPool:
    return cuda._pool


def get_array_module(*args: _Any) -> _Any:
    """This module when an argument is a device array, else NumPy."""
    import sys

    return sys.modules[__name__] if any(type(value) is ndarray for value in args) else _np


__all__ = [*_names, "RawKernel", "RawModule", "bool_", "complex128", "complex64", "cuda", "dtype", "e",
           "euler_gamma", "finfo", "float16", "float32", "float64", "floating", "generic", "get_array_module",
           "get_default_memory_pool", "iinfo", "inexact", "inf", "int16", "int32", "int64", "int8", "integer", "intp",
           "is_available", "lib", "linalg", "nan", "ndarray", "newaxis", "number", "pi", "signedinteger", "uint16",
           "uint32", "uint64", "uint8", "unsignedinteger"]
