"""Comparison, logic, and selection by a condition, element by element. The ops are in conditions.py."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, overload

from gpunet.dispatch import host_read, is_tensor, promote
from gpunet.dtypes import BOOL_NP, FLOAT, UINT8_NP, Number, category, public, result_type, scalar_type
from gpunet.ops.conditions import (
    eq_op,
    ge_op,
    gt_op,
    isclose_op,
    isfinite_op,
    isin_op,
    isinf_op,
    isnan_op,
    le_op,
    logical_and_op,
    logical_not_op,
    logical_or_op,
    logical_xor_op,
    lt_op,
    ne_op,
    signbit_op,
    where_op,
)
from gpunet.ops.host import fitted
from gpunet.ops.out import deliver

if TYPE_CHECKING:
    from gpunet.tensor import Tensor

__all__ = ["allclose", "eq", "equal", "ge", "greater", "greater_equal", "gt", "isclose", "isfinite", "isin", "isinf",
           "isnan", "isneginf", "isposinf", "isreal", "le", "less", "less_equal", "logical_and", "logical_not",
           "logical_or", "logical_xor", "lt", "ne", "not_equal", "signbit", "where"]


def eq(input: Tensor, other: Tensor | Number, *, out: Tensor | None = None) -> Tensor:
    """Whether the elements are equal: input == other.

    Shapes broadcast; the operands are brought to their common type first. NaN equals nothing, itself included.

    Args:
        input: tensor of any type.
        other: tensor or number, broadcastable with `input`.
        out: tensor that receives the result; resized if its shape differs.

    Returns:
        Bool tensor of the broadcast shape.

    Raises:
        RuntimeError: the shapes do not broadcast, or the tensors are on different devices.

    Example:
        >>> gpunet.eq(gpunet.tensor([1, 2, 3]), 2)
        tensor([False,  True, False])
    """
    return deliver(eq_op(input, other), out, "eq")


def ne(input: Tensor, other: Tensor | Number, *, out: Tensor | None = None) -> Tensor:
    """Whether the elements differ: input != other.

    Shapes broadcast; the operands are brought to their common type first. NaN differs from everything, itself included.

    Args:
        input: tensor of any type.
        other: tensor or number, broadcastable with `input`.
        out: tensor that receives the result; resized if its shape differs.

    Returns:
        Bool tensor of the broadcast shape.

    Raises:
        RuntimeError: the shapes do not broadcast, or the tensors are on different devices.

    Example:
        >>> gpunet.ne(gpunet.tensor([1, 2, 3]), 2)
        tensor([ True, False,  True])
    """
    return deliver(ne_op(input, other), out, "ne")


def lt(input: Tensor, other: Tensor | Number, *, out: Tensor | None = None) -> Tensor:
    """Whether input < other, element by element.

    Shapes broadcast; the operands are brought to their common type first. It is False where one is NaN.

    Args:
        input: tensor of any type.
        other: tensor or number, broadcastable with `input`.
        out: tensor that receives the result; resized if its shape differs.

    Returns:
        Bool tensor of the broadcast shape.

    Raises:
        RuntimeError: the shapes do not broadcast, or the tensors are on different devices.

    Example:
        >>> gpunet.lt(gpunet.tensor([1, 2, 3]), 2)
        tensor([ True, False, False])
    """
    return deliver(lt_op(input, other), out, "lt")


def le(input: Tensor, other: Tensor | Number, *, out: Tensor | None = None) -> Tensor:
    """Whether input <= other, element by element.

    Shapes broadcast; the operands are brought to their common type first. It is False where one is NaN.

    Args:
        input: tensor of any type.
        other: tensor or number, broadcastable with `input`.
        out: tensor that receives the result; resized if its shape differs.

    Returns:
        Bool tensor of the broadcast shape.

    Raises:
        RuntimeError: the shapes do not broadcast, or the tensors are on different devices.

    Example:
        >>> gpunet.le(gpunet.tensor([1, 2, 3]), 2)
        tensor([ True,  True, False])
    """
    return deliver(le_op(input, other), out, "le")


def gt(input: Tensor, other: Tensor | Number, *, out: Tensor | None = None) -> Tensor:
    """Whether input > other, element by element.

    Shapes broadcast; the operands are brought to their common type first. It is False where one is NaN.

    Args:
        input: tensor of any type.
        other: tensor or number, broadcastable with `input`.
        out: tensor that receives the result; resized if its shape differs.

    Returns:
        Bool tensor of the broadcast shape.

    Raises:
        RuntimeError: the shapes do not broadcast, or the tensors are on different devices.

    Example:
        >>> gpunet.gt(gpunet.tensor([1, 2, 3]), 2)
        tensor([False, False,  True])
    """
    return deliver(gt_op(input, other), out, "gt")


def ge(input: Tensor, other: Tensor | Number, *, out: Tensor | None = None) -> Tensor:
    """Whether input >= other, element by element.

    Shapes broadcast; the operands are brought to their common type first. It is False where one is NaN.

    Args:
        input: tensor of any type.
        other: tensor or number, broadcastable with `input`.
        out: tensor that receives the result; resized if its shape differs.

    Returns:
        Bool tensor of the broadcast shape.

    Raises:
        RuntimeError: the shapes do not broadcast, or the tensors are on different devices.

    Example:
        >>> gpunet.ge(gpunet.tensor([1, 2, 3]), 2)
        tensor([False,  True,  True])
    """
    return deliver(ge_op(input, other), out, "ge")


# PyTorch's other names for the same functions.
not_equal, less, less_equal, greater, greater_equal = ne, lt, le, gt, ge


# ---- logic ----------------------------------------------------------------------------------------------------------


def logical_and(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Whether both elements are true.

    An element is true if it is not 0; NaN is true. Shapes broadcast.

    Args:
        input: tensor of any type.
        other: tensor of any type, broadcastable with `input`.
        out: tensor that receives the result; resized if its shape differs.

    Returns:
        Bool tensor of the broadcast shape.

    Raises:
        RuntimeError: the shapes do not broadcast, or the tensors are on different devices.

    Example:
        >>> gpunet.logical_and(gpunet.tensor([1, 1, 0]), gpunet.tensor([1, 0, 0]))
        tensor([ True, False, False])
    """
    return deliver(logical_and_op(input, other), out, "logical_and")


def logical_or(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Whether at least one of the elements is true.

    An element is true if it is not 0; NaN is true. Shapes broadcast.

    Args:
        input: tensor of any type.
        other: tensor of any type, broadcastable with `input`.
        out: tensor that receives the result; resized if its shape differs.

    Returns:
        Bool tensor of the broadcast shape.

    Raises:
        RuntimeError: the shapes do not broadcast, or the tensors are on different devices.

    Example:
        >>> gpunet.logical_or(gpunet.tensor([1, 1, 0]), gpunet.tensor([1, 0, 0]))
        tensor([ True,  True, False])
    """
    return deliver(logical_or_op(input, other), out, "logical_or")


def logical_xor(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Whether exactly one of the elements is true.

    An element is true if it is not 0; NaN is true. Shapes broadcast.

    Args:
        input: tensor of any type.
        other: tensor of any type, broadcastable with `input`.
        out: tensor that receives the result; resized if its shape differs.

    Returns:
        Bool tensor of the broadcast shape.

    Raises:
        RuntimeError: the shapes do not broadcast, or the tensors are on different devices.

    Example:
        >>> gpunet.logical_xor(gpunet.tensor([1, 1, 0]), gpunet.tensor([1, 0, 0]))
        tensor([False,  True, False])
    """
    return deliver(logical_xor_op(input, other), out, "logical_xor")


def logical_not(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Whether the element is 0.

    Args:
        input: tensor of any type.
        out: tensor that receives the result; resized if its shape differs.

    Returns:
        Bool tensor of input's shape.

    Example:
        >>> gpunet.logical_not(gpunet.tensor([0, 1, 2]))
        tensor([ True, False, False])
    """
    return deliver(logical_not_op(input), out, "logical_not")


# ---- kinds of numbers -----------------------------------------------------------------------------------------------


def isnan(input: Tensor) -> Tensor:
    """Whether the element is not a number.

    Args:
        input: tensor of any type; integers and bools are finite.

    Returns:
        Bool tensor of input's shape.

    Example:
        >>> gpunet.isnan(gpunet.tensor([1.0, float("inf"), float("nan")]))
        tensor([False, False,  True])
    """
    return isnan_op(input)


def isinf(input: Tensor) -> Tensor:
    """Whether the element is infinite.

    Args:
        input: tensor of any type; integers and bools are finite.

    Returns:
        Bool tensor of input's shape.

    Example:
        >>> gpunet.isinf(gpunet.tensor([1.0, float("inf"), float("nan")]))
        tensor([False,  True, False])
    """
    return isinf_op(input)


def isfinite(input: Tensor) -> Tensor:
    """Whether the element is neither infinite nor NaN.

    Args:
        input: tensor of any type; integers and bools are finite.

    Returns:
        Bool tensor of input's shape.

    Example:
        >>> gpunet.isfinite(gpunet.tensor([1.0, float("inf"), float("nan")]))
        tensor([ True, False, False])
    """
    return isfinite_op(input)


def isposinf(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Whether the element is positive infinity.

    Args:
        input: tensor of any type; integers and bools are finite.
        out: bool tensor that receives the result; resized if its shape differs.

    Returns:
        Bool tensor of input's shape.

    Example:
        >>> gpunet.isposinf(gpunet.tensor([1.0, float("inf"), -float("inf")]))
        tensor([False,  True, False])
    """
    return deliver(_infinite(input, math.inf), out, "isposinf", exact=True)


def isneginf(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Whether the element is negative infinity.

    Args:
        input: tensor of any type; integers and bools are finite.
        out: bool tensor that receives the result; resized if its shape differs.

    Returns:
        Bool tensor of input's shape.

    Example:
        >>> gpunet.isneginf(gpunet.tensor([1.0, float("inf"), -float("inf")]))
        tensor([False, False,  True])
    """
    return deliver(_infinite(input, -math.inf), out, "isneginf", exact=True)


def _infinite(x, which):
    return eq_op(x, which) if category(x._array.dtype) == FLOAT else isinf_op(x)


def isreal(input: Tensor) -> Tensor:
    """Whether the element is a real number: always, as there are no complex ones.

    Args:
        input: tensor of any type.

    Returns:
        Bool tensor of input's shape.

    Example:
        >>> gpunet.isreal(gpunet.tensor([1.0, float("nan")]))
        tensor([True, True])
    """
    return input.new_ones(input._array.shape, dtype=public(BOOL_NP))


def signbit(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Whether the element's sign is minus; -0.0 has one too.

    Args:
        input: tensor of any type.
        out: bool tensor that receives the result; resized if its shape differs.

    Returns:
        Bool tensor of input's shape.

    Example:
        >>> gpunet.signbit(gpunet.tensor([1.0, -0.0, -2.0]))
        tensor([False,  True,  True])
    """
    return deliver(signbit_op(input), out, "signbit", exact=True)


# ---- nearness and membership ----------------------------------------------------------------------------------------


def isclose(input: Tensor, other: Tensor, rtol: float = 1e-05, atol: float = 1e-08,
            equal_nan: bool = False) -> Tensor:
    """Whether the elements are close to each other: |input - other| <= atol + rtol * |other|.

    Shapes broadcast. Infinities are close to themselves only.

    Args:
        input: tensor of any type.
        other: tensor of input's type, broadcastable with it.
        rtol: relative tolerance.
        atol: absolute tolerance.
        equal_nan: whether NaN is close to NaN.

    Returns:
        Bool tensor of the broadcast shape.

    Raises:
        RuntimeError: the types differ, the shapes do not broadcast, or a tolerance is negative.

    Example:
        >>> gpunet.isclose(gpunet.tensor([1.0, 2.0]), gpunet.tensor([1.000001, 2.1]))
        tensor([ True, False])
    """
    if input._array.dtype != other._array.dtype:
        raise RuntimeError(f"isclose: both tensors must have one type, got {input.dtype} and {other.dtype}; "
                           "convert one with .to(dtype)")
    if rtol < 0 or atol < 0:
        raise RuntimeError(f"isclose: rtol and atol must not be negative, got {rtol} and {atol}")
    return isclose_op(input, other, rtol=float(rtol), atol=float(atol), equal_nan=equal_nan)


def allclose(input: Tensor, other: Tensor, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False) -> bool:
    """Whether all elements are close to each other: |input - other| <= atol + rtol * |other|.

    The result is read on the host, which waits for the device.

    Args:
        input: tensor of any type.
        other: tensor of input's type, broadcastable with it.
        rtol: relative tolerance.
        atol: absolute tolerance.
        equal_nan: whether NaN is close to NaN.

    Returns:
        Python bool.

    Raises:
        RuntimeError: the types differ, the shapes do not broadcast, or a tolerance is negative.

    Example:
        >>> gpunet.allclose(gpunet.tensor([1.0, 2.0]), gpunet.tensor([1.000001, 2.0]))
        True
    """
    return bool(host_read(isclose(input, other, rtol, atol, equal_nan), "allclose").all())


def equal(input: Tensor, other: Tensor) -> bool:
    """Whether both tensors have the same shape and the same elements.

    The result is read on the host, which waits for the device.

    Args:
        input: tensor of any type.
        other: tensor of any type.

    Returns:
        Python bool.

    Raises:
        RuntimeError: the tensors are on different devices.

    Example:
        >>> gpunet.equal(gpunet.tensor([1, 2]), gpunet.tensor([1, 2]))
        True
    """
    return input._array.shape == other._array.shape and bool(host_read(eq_op(input, other), "equal").all())


def isin(elements: Tensor | Number, test_elements: Tensor | Number, *, assume_unique: bool = False,
         invert: bool = False, out: Tensor | None = None) -> Tensor:
    """Whether each element is among the test elements.

    Args:
        elements: tensor of any numeric type, or number.
        test_elements: tensor of any shape and numeric type, or number; one of both is a tensor.
        assume_unique: says that neither has an element twice; it has no effect here.
        invert: whether to ask instead if the element is not among them.
        out: bool tensor that receives the result; resized if its shape differs.

    Returns:
        Bool tensor of the shape of `elements`.

    Raises:
        RuntimeError: a tensor is of type bool, or the tensors are on different devices.

    Example:
        >>> gpunet.isin(gpunet.tensor([1, 2, 3]), gpunet.tensor([2, 3, 5]))
        tensor([False,  True,  True])
    """
    x, tests = _beside(elements, test_elements), _beside(test_elements, elements)
    if BOOL_NP in (x._array.dtype, tests._array.dtype):
        raise RuntimeError("isin: not defined for bool tensors; convert them with .int()")
    return deliver(isin_op(x, tests, invert=invert), out, "isin", exact=True)


def _beside(x: Any, other: Any) -> Any:
    """x as a tensor, on the device of the other operand."""
    return x if is_tensor(x) else other.new_tensor(x, dtype=public(scalar_type(x)))


# ---- selection ------------------------------------------------------------------------------------------------------


@overload
def where(condition: Tensor, input: Tensor | Number, other: Tensor | Number, *,
          out: Tensor | None = None) -> Tensor: ...
@overload
def where(condition: Tensor) -> tuple[Tensor, ...]: ...
def where(condition: Tensor, input: Tensor | Number | None = None, other: Tensor | Number | None = None, *,
          out: Tensor | None = None) -> Any:
    """Elements of `input` where the condition holds, elsewhere those of `other`.

    Shapes broadcast; the two values are brought to their common type. With the condition alone the result is
    `nonzero(condition, as_tuple=True)`.

    Args:
        condition: bool tensor.
        input: tensor or number, broadcastable with the condition.
        other: tensor or number, broadcastable with the condition.
        out: tensor that receives the result; resized if its shape differs.

    Returns:
        Tensor of the broadcast shape and the promoted type; with the condition alone a tuple of int64 tensors, the
        indices of what is not 0 in each dimension.

    Raises:
        RuntimeError: the condition is not of type bool, the shapes do not broadcast, or the tensors are on different
            devices.

    Example:
        >>> x = gpunet.tensor([-1.0, 2.0, -3.0])
        >>> gpunet.where(x > 0, x, 0.0)
        tensor([0., 2., 0.])
    """
    if input is None and other is None:
        if out is not None:
            raise TypeError("where: with the condition alone there is no out=; give input and other")
        return condition.nonzero(as_tuple=True)
    return deliver(_selected(condition, input, other), out, "where", exact=True)


def _selected(condition, x, y):
    if not (hasattr(x, "_array") or hasattr(y, "_array")):
        dtype = public(result_type((scalar_type(x), 0), (scalar_type(y), 0)))
        x = condition.new_full((), x, dtype=dtype)
    if condition._array.dtype == UINT8_NP:  # PyTorch's bool once, and still a condition there
        condition = ne_op(condition, 0)
    for number, tensor in ((x, y), (y, x)):
        if number.__class__ is int and tensor._array.dtype.kind in "iu":
            fitted(number, tensor._array.dtype)
    return where_op(condition, *promote([x, y]))


# The in-place forms, and what computes them.
IN_PLACE = {f.__name__: f for f in (eq_op, ge_op, gt_op, le_op, logical_and_op, logical_not_op, logical_or_op,
                                    logical_xor_op, lt_op, ne_op)}
IN_PLACE |= {"greater": gt_op, "greater_equal": ge_op, "less": lt_op, "less_equal": le_op, "not_equal": ne_op}
