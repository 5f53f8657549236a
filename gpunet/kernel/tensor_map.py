"""Descriptors of arrays for bulk tensor copies (TMA), made by the CUDA driver."""

import ctypes
import functools
from collections.abc import Callable
from typing import Any

import numpy as np

__all__ = ["MapRefused", "map_of", "tensor_map"]

# CUtensorMapDataType by NumPy type.
_TYPES = {"uint8": 0, "uint16": 1, "uint32": 2, "int32": 3, "uint64": 4, "int64": 5, "float16": 6, "float32": 7,
          "float64": 8, "bfloat16": 9}
_TFLOAT32 = 11
_SWIZZLES = {0: 0, 32: 1, 64: 2, 128: 3}
_WHOLE_LINES = 2  # CU_TENSOR_MAP_L2_PROMOTION_L2_128B: what is missing in the L2 is fetched by 128 bytes
_BYTES = 128
_ALIGNMENT = 128


class MapRefused(ValueError):
    """The driver refuses a descriptor.

    Examples:
        >>> from gpunet.kernel.tensor_map import MapRefused
        >>> issubclass(MapRefused, ValueError)
        True
    """


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
    return _described(array.data.ptr, array.dtype.name, (columns, rows), (pitch,), (box[1], box[0]), swizzle)


def map_of(array: Any, sizes: tuple[int, ...], steps: tuple[int, ...], box: tuple[int, int], swizzle: int,
           tf32: bool = False) -> Any:
    """The CUtensorMap of two to five dimensions from an array's first element on, the innermost first.

    It is made once for the same numbers. Nothing in it keeps the array alive.

    Args:
        array: of CuPy, or of the simulated device; its own shape does not matter.
        sizes: number of elements in each dimension.
        steps: bytes from one to the next in each but the first dimension.
        box: columns and rows of a copy, which is of one place in the further dimensions.
        swizzle: as of `tensor_map`.
        tf32: float32 is rounded as it is loaded, to the nearest number of 10 bits of fraction.

    Returns:
        A NumPy record of 128 bytes.

    Raises:
        MapRefused: the driver does not take it. On the simulated device it is a plain ValueError.
        ValueError: it is not what the driver takes; the message says what it takes.

    Examples:
        >>> from gpunet.kernel.tensor_map import map_of
        >>> x = gpunet.sim.cupy.zeros((3, 64, 32), numpy.float16)
        >>> map_of(x, (32, 64, 3, 1), (64, 4096, 16), (32, 64), 64).nbytes
        128
    """
    own = getattr(array, "__tensor_map__", None)
    if own is not None:
        return own(sizes, steps, box, swizzle, tf32)
    return _described(array.data.ptr, array.dtype.name, sizes, steps, box, swizzle, tf32)


@functools.lru_cache(4096)
def _described(address: int, dtype: str, sizes: tuple[int, ...], steps: tuple[int, ...], box: tuple[int, int],
              swizzle: int, tf32: bool = False) -> np.ndarray:
    rank = len(sizes)
    memory = np.zeros(_BYTES + _ALIGNMENT, np.uint8)
    offset = -memory.ctypes.data % _ALIGNMENT
    kind = _TFLOAT32 if tf32 else _TYPES[dtype]
    status = _encode()(
        ctypes.c_void_p(memory.ctypes.data + offset), kind, rank, ctypes.c_void_p(address),
        (ctypes.c_uint64 * rank)(*sizes), (ctypes.c_uint64 * (rank - 1))(*steps),
        (ctypes.c_uint32 * rank)(*box, *[1] * (rank - 2)), (ctypes.c_uint32 * rank)(*[1] * rank), 0,
        _SWIZZLES[swizzle], _WHOLE_LINES, 0)
    if status:
        raise MapRefused(f"tensor_map: the driver refuses box {box[::-1]} of a {dtype} array of sizes {sizes[::-1]} "
                         f"and steps {steps[::-1]} bytes at {address:#x} (error {status}): addresses and steps are "
                         "multiples of 16 bytes, a row of the box too, and no longer than the swizzle; its sizes go up "
                         "to 256")
    return np.ndarray((), f"V{_BYTES}", memory, offset)


@functools.cache
def _encode() -> Callable[..., int]:
    return ctypes.CDLL("libcuda.so.1").cuTensorMapEncodeTiled
