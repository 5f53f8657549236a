"""The common type of an op's operands, and what becomes of numbers beside half tensors.

NumPy and CuPy round a number to the type of the array beside it: in float16, 131072 would be infinite before it
divides. PyTorch computes in float32 ("opmath") and rounds the result; so do the ops declared with `opmath`: their
bodies get float32 copies of the half arrays, and the number as it is. A 0-d tensor of another type counts as a number.
All other ops (comparisons, selection, remainders) get the number rounded, as in PyTorch.
"""

from __future__ import annotations

import numpy as np

from gpunet import dtypes
from gpunet._quiet import restore, silence
from gpunet.dtypes import FLOAT, FLOAT32_NP, HALF_TYPES

# What may stand in a tensor's place: a number, or None for an input that is left out.
NUMBERS = frozenset({int, float, bool})

_LEAST = -(2**63)  # of int64


def promote(operands, to_float: bool = False) -> list:
    """Casts the tensors among the operands to the common type of all. Numbers stay numbers, which take that type by
    themselves; None is no operand."""
    return _cast(operands, _common(operands, to_float))


def promote_for(op, operands) -> tuple[list, dtypes.dtype | None]:
    """`promote` as the op asks for it; and the half type to which its result is to be rounded, where the operands have
    come in float32 in its stead, else None."""
    wanted, rounded_to = _common(operands, op.promotes == "float"), None
    if wanted in HALF_TYPES:
        if not op.opmath:
            operands = [rounded(x, wanted) if x.__class__ in NUMBERS else x for x in operands]
        elif any([_is_tensor(x) and not x._array.ndim and x._array.dtype != wanted for x in operands]):
            wanted, rounded_to = FLOAT32_NP, dtypes.public(wanted)
    cast = _cast(operands, wanted)
    if op.unwrapped is not None and wanted.kind in "iu" and operands[op.unwrapped].__class__ is int:
        cast[op.unwrapped] = operands[op.unwrapped]
    return cast, rounded_to


def needs_float32(arrays) -> bool:
    """Whether there are both a number and a half array."""
    return not {a.__class__ for a in arrays}.isdisjoint(NUMBERS) and any(
        [getattr(a, "dtype", None) in HALF_TYPES for a in arrays])


def in_float32(body):
    """The body of an op for half arrays beside numbers: it runs on float32 copies, and its result is rounded once."""

    def wide(xp, out, *arrays, **attrs):
        result = xp.empty(out.shape, FLOAT32_NP)
        body(xp, result, *[a.astype(FLOAT32_NP) if hasattr(a, "dtype") else a for a in arrays], **attrs)
        xp.copyto(out, result, casting="unsafe")

    return wide


def _is_tensor(x) -> bool:
    return hasattr(x, "_array")


def _common(operands, to_float):
    ranks = []
    for x in operands:
        if _is_tensor(x):
            ranks.append((x._array.dtype, 2 if x._array.ndim else 1))
        elif x is not None:
            ranks.append((dtypes.scalar_type(x), 0))
    wanted = dtypes.result_type(*ranks)
    return dtypes.get_default_dtype().numpy if to_float and dtypes.category(wanted) != FLOAT else wanted


def _cast(operands, wanted) -> list:
    return [_wrapped(x, wanted) if not _is_tensor(x) else
            x if x._array.dtype == wanted else x.to(dtypes.public(wanted)) for x in operands]


def _wrapped(number, dtype):
    """A number in the range of an integer type; one that is out of range wraps around, as a cast would, and is an error
    where no 64 bits hold it."""
    if number.__class__ is not int or _LEAST <= number < -_LEAST and dtype.kind not in "iu":
        return number
    if dtype.kind not in "iu":
        return float(number)  # ml_dtypes takes no larger integers
    if not _LEAST <= number < -2 * _LEAST:
        raise RuntimeError(f"the number {number} cannot be converted to gpunet.int64, whose values are from {_LEAST} "
                           f"to {-_LEAST - 1}")
    info = np.iinfo(dtype)
    if not info.min <= number <= info.max:
        return (number - info.min) % (1 << info.bits) + info.min
    return number


def rounded(number, dtype) -> float:
    """A number as a half type holds it; infinite where that is out of range."""
    token = silence()
    try:
        return float(dtype.type(float(number)))
    finally:
        restore(token)
