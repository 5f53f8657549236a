"""Questions about, and settings of, the libraries that compute for PyTorch. gpunet has kernels of its own: most of them
are not here, and their settings change nothing.

`cuda.matmul.allow_tf32` and `cudnn.allow_tf32` are `gpunet.set_float32_matmul_precision` under other names.
"""

from gpunet.backends import cpu, cuda, cudnn, mkl, mkldnn, mps, openmp

__all__ = ["cpu", "cuda", "cudnn", "mkl", "mkldnn", "mps", "openmp"]
