"""Descriptors of arrays for bulk tensor copies (TMA), made by the CUDA driver."""

import ctypes
import functools
from collections.abc import Callable
from typing import Any

import numpy as np

__all__ = ["tensor_map"]

# CUtensorMapDataType by NumPy type.
_TYPES = {"uint8": 0, "uint16": 1, "uint32": 2, "int32": 3, "uint64": 4, "int64": 5, "float16": 6, "float32": 7,
          "float64": 8, "bfloat16": 9}
_SWIZZLES = {0: 0, 32: 1, 64: 2, 128: 3}
_BYTES = 128
_ALIGNMENT = 128


def tensor_map(array: Any, box: tuple[int, int], swizzle: int = 0) -> np.ndarray:
    """The CUtensorMap of a matrix on a GPU, for bulk tensor copies of a box of it.

    It is passed for a `const __grid_constant__ CUtensorMap` parameter. The array must live as long as the map is used.
    For arrays of the simulated device there is `gpunet.sim.tensor_map`.

    Args:
        array: a CuPy array of two dimensions with contiguous rows.
        box: rows and columns of a copy.
        swizzle: 0, or the width in bytes (32, 64, 128) within which 16-byte columns of the box are mixed.

    Returns:
        A NumPy record of 128 bytes.

    Raises:
        ValueError: the array or the box is not what the driver takes; the message says what it takes.

    Examples:
        >>> from gpunet.kernel.tensor_map import tensor_map
        >>> tensor_map(numpy.zeros((64, 64)), (16, 32), swizzle=7)
        Traceback (most recent call last):
            ...
        ValueError: tensor_map: a 2-dimensional float64 array, swizzle 7: it takes matrices of uint8, uint16, uint32, \
int32, uint64, int64, float16, float32, float64, bfloat16 and a swizzle of 0, 32, 64 or 128 bytes
    """
    if array.ndim != 2 or array.dtype.name not in _TYPES or swizzle not in _SWIZZLES:
        raise ValueError(f"tensor_map: a {array.ndim}-dimensional {array.dtype} array, swizzle {swizzle}: it takes "
                         f"matrices of {', '.join(_TYPES)} and a swizzle of 0, 32, 64 or 128 bytes")
    rows, columns = array.shape
    pitch, item = array.strides
    if item != array.dtype.itemsize:
        raise ValueError("tensor_map: rows must be contiguous")
    memory = np.zeros(_BYTES + _ALIGNMENT, np.uint8)
    offset = -memory.ctypes.data % _ALIGNMENT
    status = _encode()(
        ctypes.c_void_p(memory.ctypes.data + offset), _TYPES[array.dtype.name], 2, ctypes.c_void_p(array.data.ptr),
        (ctypes.c_uint64 * 2)(columns, rows), (ctypes.c_uint64 * 1)(pitch), (ctypes.c_uint32 * 2)(box[1], box[0]),
        (ctypes.c_uint32 * 2)(1, 1), 0, _SWIZZLES[swizzle], 0, 0)
    if status:
        raise ValueError(f"tensor_map: the driver refuses box {box} of a {array.dtype} array of shape {array.shape} "
                         f"and row pitch {pitch} (error {status}): addresses and pitches are multiples of 16 bytes, a "
                         "row of the box too, and no longer than the swizzle; sizes go up to 256")
    return np.ndarray((), f"V{_BYTES}", memory, offset)


@functools.cache
def _encode() -> Callable[..., int]:
    return ctypes.CDLL("libcuda.so.1").cuTensorMapEncodeTiled
