"""CUDA kernels: find, compile, cache, load and launch the `.cu` files of `kernels/`.

    source.py     where a kernel file is, its text and everything it includes
    signature.py  what parameters a kernel takes, read from its own declaration
    nvrtc.py      `.cu` to machine code with NVIDIA's run-time compiler; needs no GPU
    c_headers.py  the C headers that NVRTC lacks
    occupancy.py  how many blocks of a kernel share a multiprocessor
    cache.py      compiled files on disk, shared by processes
    ahead.py      compiles all instances of kernels before they are needed
    launch.py     Kernel: a declared kernel, and the launcher that checks and converts its arguments
"""

from gpunet.kernel.launch import Kernel

__all__ = ["Kernel"]
