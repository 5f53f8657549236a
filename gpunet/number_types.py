"""The limits of the types of numbers: `finfo` and `iinfo`."""

from __future__ import annotations

import math
from typing import Any

import ml_dtypes
import numpy as np

from gpunet import dtypes

__all__ = ["finfo", "iinfo"]


class finfo:
    """The limits of a floating-point type.

    Args:
        dtype: the type; None for the default floating-point type.

    Attributes:
        bits: the bits of an element.
        dtype: the type's name.
        eps: the difference between 1 and the next larger number.
        max: the largest number.
        min: the smallest number, -max.
        resolution: the power of ten of the last digit that is right: 10^-(digits that survive).
        smallest_normal: the smallest positive number with all bits of precision.
        tiny: the same as smallest_normal.

    Raises:
        TypeError: `dtype` is not a floating-point type.

    Examples:
        >>> gpunet.finfo(gpunet.float16).max
        65504.0
    """

    __slots__ = ("bits", "dtype", "eps", "max", "min", "resolution", "smallest_normal", "tiny")

    def __init__(self, dtype: Any = None) -> None:
        dtype = dtypes.get_default_dtype() if dtype is None else dtype
        if not isinstance(dtype, dtypes.dtype) or not dtype.is_floating_point:
            raise TypeError(f"finfo: expected a floating-point type, got {dtype!r}; gpunet.iinfo is for integers")
        found = ml_dtypes.finfo(dtype.numpy)
        self.bits, self.dtype = found.bits, dtype.name
        self.eps, self.max, self.min = float(found.eps), float(found.max), float(found.min)
        self.smallest_normal = self.tiny = float(found.smallest_normal)
        self.resolution = 10.0 ** -math.floor(-math.log10(self.eps))

    def __repr__(self) -> str:
        return (f"finfo(resolution={self.resolution:g}, min={self.min:g}, max={self.max:g}, eps={self.eps:g}, "
                f"smallest_normal={self.smallest_normal:g}, tiny={self.tiny:g}, dtype={self.dtype})")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, finfo) and self.dtype == other.dtype

    def __hash__(self) -> int:
        return hash(("finfo", self.dtype))


class iinfo:
    """The limits of an integer type.

    Args:
        dtype: the type.

    Attributes:
        bits: the bits of an element.
        dtype: the type's name.
        max: the largest number.
        min: the smallest number.

    Raises:
        TypeError: `dtype` is not an integer type.

    Examples:
        >>> gpunet.iinfo(gpunet.int8)
        iinfo(min=-128, max=127, dtype=int8)
    """

    __slots__ = ("bits", "dtype", "max", "min")

    def __init__(self, dtype: Any) -> None:
        if not isinstance(dtype, dtypes.dtype) or dtype.category != dtypes.INTEGER:
            raise TypeError(f"iinfo: expected an integer type, got {dtype!r}; gpunet.finfo is for floating-point types")
        found = np.iinfo(dtype.numpy)
        self.bits, self.dtype, self.max, self.min = found.bits, dtype.name, int(found.max), int(found.min)

    def __repr__(self) -> str:
        return f"iinfo(min={self.min}, max={self.max}, dtype={self.dtype})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, iinfo) and self.dtype == other.dtype

    def __hash__(self) -> int:
        return hash(("iinfo", self.dtype))
