"""Compiled CUDA kernels run on the CPU, from their PTX: what NVIDIA's own compiler made of them, executed by LLVM.

    read(text)             PTX as data
    Kernel(text, name)     an entry that can be launched on this machine's memory
    load(file, expression) a kernel of a `.cu` file, by NVRTC: the engine of the device sim under GPUNET_SIM=ptx
    code(text, name)       the LLVM IR that a kernel becomes
    profile(kernel, ...)   a launch with counters: a Profile of its source lines
    check(kernel, ...)     a launch with checks: what the kernel does wrong, by its source lines
    from_triton(kernel), from_numba, from_cupy: kernels of other libraries on NumPy arrays, by the lines of their source

    reader.py, model.py    PTX text to data            flow.py      basic blocks, liveness
    uniform.py             what is alike in all lanes  lower.py     a function as LLVM IR, one warp a vector
    table.py               the table of instructions; their meanings: integer.py, floating.py, half.py, arithmetic.py,
                           convert.py, moves.py, memory.py, atomics.py, copies.py, mbarrier.py, warp.py, clusters.py,
                           tensor.py, wmma.py, wgmma.py, control.py
    emit.py                text of LLVM IR             schedule.py  blocks, warps, barriers
    program.py             compiling, the cache        launch.py    launches, host threads, errors
    layout.py              memory of a launch          function.py  gpunet's own kernels
    counting.py, costs.py  counters in the code        profiles.py  what they say, by source line
    roofline.py            bounds that follow
    checking.py            checks in the code             accesses.py  the usual ones as vector code
    shadow.py              what they remember, the rules  subset.py    a part of Python as LLVM IR
    watch.py, state.py     fences, barriers, mistakes     bulk.py       mbarriers and bulk copies
    turns.py               blocks that wait for others    cluster_checks.py  blocks of a cluster
    checks.py              findings                       arena.py      the arrays of a checked launch
    origins.py             which arrays accesses reach    places.py, stamps.py  memory for arrays and their cells
    frontends/             kernels of Triton, Numba and CuPy

Needs llvmlite and, to compile `.cu` files, NVRTC: pip install "gpunet[sim]". docs/ptx.md says what is covered.
"""

from gpunet.kernel.unwritten import uninitialised
from gpunet.ptx.checks import check
from gpunet.ptx.errors import PtxError, Unsupported
from gpunet.ptx.frontends import Simulated, from_cupy, from_numba, from_triton, numba_without_gpu
from gpunet.ptx.function import Function, load
from gpunet.ptx.launch import Kernel, LaunchError
from gpunet.ptx.profiles import Line, Profile, profile
from gpunet.ptx.program import MissingError, code
from gpunet.ptx.reader import read

__all__ = ["Function", "Kernel", "LaunchError", "Line", "MissingError", "Profile", "PtxError", "Simulated",
           "Unsupported", "check", "code", "from_cupy", "from_numba", "from_triton", "load",
           "numba_without_gpu", "profile", "read", "uninitialised"]
