"""Native CPU kernels: the C++ of `kernels/cpu/`, compiled for this machine, which serve ops in place of NumPy bodies.

    handle.py      Native: a kernel declared by file and name, called with arrays and numbers
    ops.py         which ops have a kernel, and when it serves
    halves.py      half types where a kernel takes float32
    calls.py       recorded calls, repeated
    library.py     the library: found in the cache or built, in the background, and loaded
    toolchain.py   how it is built
    memory.py      the memory of arrays, kept and used again
    threads.py     how many threads compute
    blas.py        how many threads NumPy's BLAS uses
    plain.py       calls through ctypes, where the C extension could not be built

An op declares its kernel beside its NumPy body:

    _relu = Native("activation.cpp", "relu")

    @relu_op.cpu
    def _(out, x):                     # float32 and C-contiguous; may return NotImplemented before doing anything
        _relu(out, x, x.size)

Without a compiler, or with GPUNET_NATIVE=0, the NumPy bodies serve. docs/cpu.md has the whole story.
"""

from gpunet.native.handle import Native
from gpunet.native.library import status, wait
from gpunet.native.ops import disabled
from gpunet.native.threads import get_num_threads, set_num_threads

__all__ = ["Native", "disabled", "get_num_threads", "set_num_threads", "status", "wait"]
