"""Compiled CUDA kernels run on the CPU, from their PTX: NVIDIA's own compiler's output, executed by LLVM."""

from gpunet.ptx.errors import PtxError, Unsupported
from gpunet.ptx.function import Function, load
from gpunet.ptx.launch import Kernel, LaunchError
from gpunet.ptx.program import MissingError, code
from gpunet.ptx.reader import read

__all__ = ["Function", "Kernel", "LaunchError", "MissingError", "PtxError", "Unsupported", "code", "load", "read"]
