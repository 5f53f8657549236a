"""The CUDA simulator: kernels in `.cu` files run on the CPU, with the same sources and the same launches.

    load(file, expression, options)   a kernel of a file, built by the host's C++ compiler and cached
    Module(code=...)                  kernels from a text, as cupy.RawModule
    gpunet.sim.cupy                   the array module of the simulated device, with CuPy's names
    check(kernel, grid, block, args)  runs a kernel under the checker: a list of findings
    Record(*fields)                   a structure with pointers, for check
    checked()                         the same for all launches within
    profile(kernel, grid, block, args)  counts what a kernel asks of memory and arithmetic, by source line
    profiled()                        the same for all launches within
    set_num_workers(n)                host threads for a launch; also $GPUNET_SIM_WORKERS

    toolchain.py   the compiler and the cache       translate/   CUDA C++ to host C++, as text
    module.py      Module, Function: launching      arguments.py what a launch passes, checked and packed
    engine.py      which engine runs the device     launches.py  what checked() and profiled() do in their place
    memory.py, region.py  device memory             descriptors.py  of arrays, for bulk tensor copies
    include/       what a kernel sees of CUDA       runtime/     threads, barriers, memory: the C++ library
    checker/       the checker and what it tells    errors.py    what is raised
    profiling.py   profiles, by gpunet.ptx

A thread of a block is a fiber; a block runs on one host thread. Mistakes are reported as KernelError with file, line,
block and thread: barriers that not all threads reach, deadlocks, collectives with a wrong mask, writes outside an
array, arguments that do not fit. The checker (builds with hooks at each access, runtime/check/) also finds races,
reads of what nothing has written, and what asynchronous copies are in the way of. Shared memory and new arrays hold
NaN until something is written to them.
Speed, weak memory order, bank conflicts and the rounding of tensor cores are not simulated.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from gpunet.kernel.finding import KINDS, Access, Finding
from gpunet.kernel.unwritten import uninitialised
from gpunet.sim.checker.arrays import Record
from gpunet.sim.checker.checking import check, checked
from gpunet.sim.descriptors import tensor_map
from gpunet.sim.engine import set_num_workers
from gpunet.sim.errors import (
    ArgumentError,
    CompileError,
    CompilerMissingError,
    KernelError,
    SettingError,
    SimulatorLimit,
)
from gpunet.sim.module import Function, Module, load
from gpunet.sim.profiling import profile, profiled

if TYPE_CHECKING:
    from gpunet.sim import cupy as cupy

__all__ = ["Access", "ArgumentError", "CompileError", "CompilerMissingError", "Finding", "Function", "KINDS",
           "KernelError", "Module", "Record", "SettingError", "SimulatorLimit", "check", "checked", "load",
           "profile", "profiled", "set_num_workers", "tensor_map", "uninitialised"]


def __getattr__(name: str) -> Any:
    if name == "cupy":  # imported when it is asked for: the checkers do without it
        return importlib.import_module("gpunet.sim.cupy")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*globals(), "cupy"]
