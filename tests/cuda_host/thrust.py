"""In place of CuPy's module of this name, whose CUDA runtime is inside it: refuses what it refuses, counts the rest."""

import ctypes

from cupy.cuda.common import _get_dtype_id

available = True
_count = ctypes.CDLL("libcuda.so.1").fake_cuda_library_call


def get_build_version():
    return 300000


def _checked(name, error, text, dtype):
    try:
        _get_dtype_id(dtype)
    except ValueError:
        raise error(f"{text} with dtype '{dtype}' is not supported") from None
    _count(name.encode())


def sort(dtype, data_start, keys_start, shape):
    _checked("thrust_sort", NotImplementedError, "Sorting arrays", dtype)


def argsort(dtype, idx_start, data_start, keys_start, shape):
    _checked("thrust_argsort", NotImplementedError, "Sorting arrays", dtype)


def lexsort(dtype, idx_start, keys_start, k, n):
    _checked("thrust_lexsort", TypeError, "Sorting keys", dtype)
