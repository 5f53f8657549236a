"""In place of CuPy's module of this name, whose CUDA runtime is inside it: refuses what it refuses, counts the rest.
With FAKE_CUDA_RUN=1 it also sorts, by NumPy, as the device's memory is the host's; and kernels run: engine.py."""

import ctypes
import os

import numpy as np
from cupy.cuda.common import _get_dtype_id

available = True
RUN = os.environ.get("FAKE_CUDA_RUN") == "1"
_count = ctypes.CDLL("libcuda.so.1").fake_cuda_library_call

if RUN:
    from tests.cuda_host import engine

    engine.start()


def get_build_version():
    return 300000


def _checked(name, error, text, dtype):
    try:
        _get_dtype_id(dtype)
    except ValueError:
        raise error(f"{text} with dtype '{dtype}' is not supported") from None
    _count(name.encode(), None, 0)


def _array(address, dtype, shape):
    """Memory as an array."""
    count = int(np.prod(shape))
    return np.frombuffer((ctypes.c_char * (count * dtype.itemsize)).from_address(address), dtype).reshape(shape)


def sort(dtype, data_start, keys_start, shape):
    """Along the last axis, in place."""
    _checked("thrust_sort", NotImplementedError, "Sorting arrays", dtype)
    if RUN and data_start:
        _array(data_start, np.dtype(dtype), shape).sort(axis=-1, kind="stable")


def argsort(dtype, idx_start, data_start, keys_start, shape):
    """Along the last axis."""
    _checked("thrust_argsort", NotImplementedError, "Sorting arrays", dtype)
    if RUN and data_start:
        values = _array(data_start, np.dtype(dtype), shape)
        _array(idx_start, np.dtype(np.intp), shape)[...] = values.argsort(axis=-1, kind="stable")


def lexsort(dtype, idx_start, keys_start, k, n):
    """By the last of k rows of n keys, then by the one before."""
    _checked("thrust_lexsort", TypeError, "Sorting keys", dtype)
    if RUN and n:
        _array(idx_start, np.dtype(np.intp), (n,))[...] = np.lexsort(_array(keys_start, np.dtype(dtype), (k, n)))
