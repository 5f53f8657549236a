"""Descriptors of arrays for bulk tensor copies (TMA), which on a device the driver makes: gpunet.kernel.tensor_map."""

import functools
import struct
from typing import Any

import numpy as np


def tensor_map(array: Any, box: tuple[int, int], swizzle: int = 0) -> np.void:
    """The CUtensorMap of a matrix on the simulated device, for bulk tensor copies of a box of it.

    It is passed for a `const __grid_constant__ CUtensorMap` parameter. On a GPU the driver's cuTensorMapEncodeTiled
    makes it (`gpunet.kernel.tensor_map`); the rules checked here are that function's.

    Args:
        array: an array of gpunet.sim.cupy of two dimensions with contiguous rows.
        box: rows and columns of a copy.
        swizzle: 0, or the width in bytes (32, 64, 128) within which 16-byte columns of the box are mixed.

    Returns:
        A NumPy record of 128 bytes.

    Raises:
        ValueError: the array or the box is not what the driver takes.

    Examples:
        >>> matrix = gpunet.sim.cupy.zeros((64, 64), numpy.float32)
        >>> gpunet.sim.tensor_map(matrix, (16, 32)).nbytes
        128
        >>> gpunet.sim.tensor_map(matrix, (16, 300))
        Traceback (most recent call last):
            ...
        ValueError: tensor_map: box (16, 300): sizes go up to 256, and a row of it is a multiple of 16 bytes
    """
    rows, columns = array.shape
    pitch, item = array.strides
    if item != array.dtype.itemsize:
        raise ValueError("tensor_map: rows must be contiguous, and their addresses multiples of 16 bytes")
    return described(array._address, item, (columns, rows), (pitch,), (box[1], box[0]), swizzle)


@functools.lru_cache(4096)
def described(address: int, item: int, sizes: tuple[int, ...], steps: tuple[int, ...], box: tuple[int, int],
              swizzle: int, tf32: bool = False) -> np.void:
    """The CUtensorMap of two or four dimensions from an address on, the innermost first: gpunet.kernel.tensor_map's
    `map_of`. `item`: bytes of an element; tf32: loads round it to TF32."""
    if address % 16 or any([step % 16 or not 0 <= step < 2**40 for step in steps]):
        raise ValueError("tensor_map: rows must be contiguous, and their addresses multiples of 16 bytes")
    if not all([1 <= size <= 256 for size in box]) or box[0] * item % 16:
        raise ValueError(f"tensor_map: box {box[::-1]}: sizes go up to 256, and a row of it is a multiple of 16 bytes")
    if swizzle not in (0, 32, 64, 128):
        raise ValueError(f"tensor_map: swizzle {swizzle}: it is 0, 32, 64 or 128 bytes")
    if swizzle and box[0] * item > swizzle:
        raise ValueError(f"tensor_map: box {box[::-1]}: a row of a swizzled box has at most {swizzle} bytes")
    if not all([1 <= size <= 2**32 for size in sizes]):
        raise ValueError(f"tensor_map: sizes {sizes}: each is at least 1 and at most 2^32")
    fields = struct.pack("=QIIQIIIIIIIIQQ", address, *sizes[:2], steps[0], *box, item, swizzle, *(*sizes[2:], 1, 1)[:2],
                         len(sizes), tf32, *(*steps[1:], 0, 0)[:2])
    return np.frombuffer(fields.ljust(128, b"\0"), "V128")[0]
