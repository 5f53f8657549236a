"""Data types, and PyTorch's rules for the type of a result.

Inside gpunet a data type is a NumPy dtype, which CuPy shares; `gpunet.float32` and its like are the public faces.
"""

from __future__ import annotations

from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

import ml_dtypes
import numpy as np

from gpunet._names.shown import shown

Number = int | float | bool  # what may stand beside tensors
if TYPE_CHECKING:
    INTS = int
else:
    INTS = (int, np.integer)  # a size or a dimension, as Python and NumPy give it

__all__ = ["bfloat16", "double", "dtype", "float16", "float32", "float64", "get_default_dtype", "half", "int16",
           "int32", "int64", "int8", "long", "promote_types", "set_default_dtype", "short", "uint16", "uint32",
           "uint64", "uint8"]

# A type's category decides promotion: a higher category always wins.
BOOL, INTEGER, FLOAT = 0, 1, 2


class dtype:
    """A data type, such as `gpunet.float32`. There is one object for each type; compare with `is` or `==`.

    Args:
        name: the name under which gpunet has it.
        numpy: the NumPy dtype that stores it.
        category: BOOL, INTEGER or FLOAT.

    Attributes:
        itemsize: bytes of an element.

    Examples:
        >>> gpunet.float16.itemsize, gpunet.float16.is_floating_point
        (2, True)
    """

    __slots__ = ("name", "numpy", "category", "itemsize")

    def __init__(self, name: str, numpy: np.dtype, category: int) -> None:
        self.name, self.numpy, self.category, self.itemsize = name, numpy, category, numpy.itemsize

    @property
    def is_floating_point(self) -> bool:
        """Whether it holds fractions."""
        return self.category == FLOAT

    @property
    def is_complex(self) -> bool:
        """False: gpunet has no complex types."""
        return False

    @property
    def is_signed(self) -> bool:
        """Whether it holds negative numbers."""
        return self.category == FLOAT or self.numpy.kind == "i"

    def __repr__(self) -> str:
        return f"{shown.library}.{self.name}"

    def __reduce__(self) -> tuple[Any, ...]:
        return _from_name, (self.name,)


def _from_name(name: str) -> dtype:
    return _BY_NAME[name]


bool_ = dtype("bool", np.dtype(np.bool_), BOOL)
uint8 = dtype("uint8", np.dtype(np.uint8), INTEGER)
int8 = dtype("int8", np.dtype(np.int8), INTEGER)
int16 = short = dtype("int16", np.dtype(np.int16), INTEGER)
int32 = int_ = dtype("int32", np.dtype(np.int32), INTEGER)
int64 = long = dtype("int64", np.dtype(np.int64), INTEGER)
uint16 = dtype("uint16", np.dtype(np.uint16), INTEGER)
uint32 = dtype("uint32", np.dtype(np.uint32), INTEGER)
uint64 = dtype("uint64", np.dtype(np.uint64), INTEGER)
float16 = half = dtype("float16", np.dtype(np.float16), FLOAT)
bfloat16 = dtype("bfloat16", np.dtype(ml_dtypes.bfloat16), FLOAT)
float32 = float_ = dtype("float32", np.dtype(np.float32), FLOAT)
float64 = double = dtype("float64", np.dtype(np.float64), FLOAT)

# PyTorch's older names for tensors of a type, which Tensor.type() gives and takes.
TENSOR_TYPES = {"FloatTensor": float32, "DoubleTensor": float64, "HalfTensor": float16, "BFloat16Tensor": bfloat16,
                "LongTensor": int64, "IntTensor": int32, "ShortTensor": int16, "CharTensor": int8, "ByteTensor": uint8,
                "BoolTensor": bool_, "UInt16Tensor": uint16, "UInt32Tensor": uint32, "UInt64Tensor": uint64}

_ALL = (bool_, uint8, int8, int16, int32, int64, uint16, uint32, uint64, float16, bfloat16, float32, float64)
_BY_NAME = {d.name: d for d in _ALL}
_BY_NUMPY = {d.numpy: d for d in _ALL}
_PYTHON = {bool: bool_.numpy, int: int64.numpy, float: float64.numpy}

BOOL_NP, UINT8_NP, INT64_NP, FLOAT32_NP, FLOAT64_NP = (d.numpy for d in (bool_, uint8, int64, float32, float64))
FLOAT16_NP, BFLOAT16_NP = float16.numpy, bfloat16.numpy
HALF_TYPES = frozenset({FLOAT16_NP, BFLOAT16_NP})

# Where two types of one category meet. PyTorch's table: within a category the wider wins; of the two half types
# neither holds the other, so they give float32; an unsigned and a signed integer give the next wider signed one.
_FLOAT_ORDER = (float16.numpy, bfloat16.numpy, float32.numpy, float64.numpy)

_default = float32


def public(numpy_dtype: np.dtype) -> dtype:
    """The public dtype of a NumPy dtype."""
    return _BY_NUMPY[numpy_dtype]


def get_default_dtype() -> dtype:
    """The type of `gpunet.tensor([1.0])`, and of what creation functions make without `dtype`: float32 unless set.

    Examples:
        >>> gpunet.get_default_dtype() is gpunet.float32
        True
    """
    return _default


def set_default_dtype(d: dtype, /) -> None:
    """Sets the floating-point type that creation functions use where none is given.

    Args:
        d: a floating-point dtype.

    Raises:
        TypeError: `d` is not a floating-point dtype.

    Examples:
        >>> gpunet.set_default_dtype(gpunet.float64)
        >>> gpunet.zeros(1).dtype is gpunet.float64
        True
        >>> gpunet.set_default_dtype(gpunet.float32)
    """
    global _default
    if not isinstance(d, dtype) or not d.is_floating_point:
        raise TypeError(f"set_default_dtype: only floating-point types can be the default, got {d!r}")
    _default = d
    result_type.cache_clear()


def as_numpy(d: Any) -> np.dtype:
    """The NumPy dtype for a gpunet dtype, a NumPy dtype or a Python type (`float` means float64, as in PyTorch)."""
    if type(d) is dtype:
        return d.numpy
    numpy_dtype = _PYTHON.get(d) if isinstance(d, type) else None
    numpy_dtype = numpy_dtype or np.dtype(d)
    if numpy_dtype not in _BY_NUMPY:
        raise TypeError(f"{numpy_dtype} is not a gpunet data type; there are {', '.join(_BY_NAME)}")
    return numpy_dtype


def category(numpy_dtype: np.dtype) -> int:
    """BOOL, INTEGER or FLOAT."""
    return _BY_NUMPY[numpy_dtype].category


@cache
def promote_types_np(a: np.dtype, b: np.dtype) -> np.dtype:
    """The smallest type that both types convert to, by PyTorch's table."""
    if a == b:
        return a
    ca, cb = category(a), category(b)
    if ca != cb:
        return a if ca > cb else b
    if ca == FLOAT:
        if {a, b} == set(HALF_TYPES):
            return FLOAT32_NP
        return max(a, b, key=_FLOAT_ORDER.index)
    if {a, b} & {uint16.numpy, uint32.numpy, uint64.numpy} and a.kind != b.kind:
        raise TypeError(f"no promotion between {public(a)} and {public(b)}: convert one of them with .to(dtype)")
    return np.promote_types(a, b)


def promote_types(type1: dtype, type2: dtype) -> dtype:
    """The type of a sum of two tensors of these types, by PyTorch's table.

    Args:
        type1: a dtype.
        type2: a dtype.

    Returns:
        The smallest dtype to which both convert.

    Raises:
        TypeError: no dtype holds both, as for uint64 and int64.

    Examples:
        >>> gpunet.promote_types(gpunet.int32, gpunet.float16) is gpunet.float16
        True
    """
    return public(promote_types_np(as_numpy(type1), as_numpy(type2)))


def scalar_type(value: Any) -> np.dtype:
    """The type that a Python number stands for beside tensors: bool, int64 or the default floating-point type."""
    kind = type(value)
    if kind is float:
        return _default.numpy
    if kind is bool:
        return BOOL_NP
    if kind is int:
        return INT64_NP
    if isinstance(value, np.generic):
        return as_numpy(value.dtype)
    if isinstance(value, (bool, int, float)):  # subclasses
        return scalar_type(float(value) if isinstance(value, float) else int(value))
    raise TypeError(f"expected a Tensor or a number, got {kind.__name__}")


@lru_cache(maxsize=4096)
def result_type(*operands: tuple[np.dtype, int]) -> np.dtype:
    """PyTorch's result type of operands given as (dtype, rank): rank 2 tensor, 1 zero-dimensional tensor, 0 number.

    Operands of a lower rank matter only when their category is higher than that of all operands of higher rank.
    """
    result: np.dtype | None = None
    for rank in (2, 1, 0):
        here: np.dtype | None = None
        for d, r in operands:
            if r == rank:
                here = d if here is None else promote_types_np(here, d)
        if here is None:
            continue
        if result is None:
            result = here
        elif category(here) > category(result):
            # A number of a higher category brings the default type of that category, a 0-d tensor its own.
            result = promote_types_np(result, here)
    return result


def can_cast(source: np.dtype, target: np.dtype) -> bool:
    """Whether an in-place result of type `source` may be stored in a tensor of type `target`."""
    return category(source) <= category(target)
