"""Kernels of Triton, Numba and CuPy on NumPy arrays: run, checked and profiled without a GPU.

    from_triton(kernel)   a function under @triton.jit
    from_numba(kernel)    a function under @numba.cuda.jit; numba_without_gpu() for those with signatures
    from_cupy(kernel)     a RawKernel, RawModule or ElementwiseKernel

Each gives a `Simulated`: launches are written as the library writes them, and `.check` and `.profile` before the launch
carry out the same with checks and with counters. The library compiles to PTX with the lines of the user's own source,
for which it needs no GPU, and is imported when a kernel is first launched.

    simulated.py  the three ways to carry out a launch    sources.py  whose lines are the user's
    triton.py, numba.py, cupy.py  a launch in the library's terms becomes one of gpunet.ptx's
"""

from gpunet.ptx.frontends.cupy import from_cupy
from gpunet.ptx.frontends.numba import from_numba, numba_without_gpu
from gpunet.ptx.frontends.simulated import Simulated
from gpunet.ptx.frontends.triton import from_triton

__all__ = ["Simulated", "from_cupy", "from_numba", "from_triton", "numba_without_gpu"]
