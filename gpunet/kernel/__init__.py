"""CUDA kernels: find, compile, cache, load and launch the `.cu` files of the folder `kernels/`.

    launch.py      Kernel: a declared kernel; Launcher: launches it with checked and converted arguments
    arguments.py   what a launch's arguments become, and the words for one that is refused
    signature.py   what parameters a kernel takes, read from its own declaration
    source.py      where a kernel file is, its text and everything it includes
    nvrtc.py       `.cu` to machine code with NVIDIA's run-time compiler; needs no GPU
    nvcc.py        `.cu` to PTX with an installed nvcc, the host's part and headers included
    compilers.py   which of the two compiles what runs on the CPU
    c_headers.py   the C headers that NVRTC lacks
    ahead.py       compiles all instances of kernels before they are needed
    cache.py       compiled files on disk, shared by processes
    occupancy.py   how many blocks of a kernel share a multiprocessor
    sass.py        machine code as text, by NVIDIA's disassembler
    tensor_map.py  descriptors of arrays for bulk tensor copies

Importing this package imports no compiler: what a process without kernels need not pay for is imported when it is used.
"""

from gpunet.kernel.launch import Kernel, Launcher

__all__ = ["Kernel", "Launcher"]
