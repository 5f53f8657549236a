"""Operations on the bits of integers; for bools they are logical ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpunet.dispatch import op
from gpunet.dtypes import BOOL_NP, FLOAT, Number, category, public
from gpunet.ops import pointwise
from gpunet.ops.out import deliver
from gpunet.ops.rules import binary

if TYPE_CHECKING:
    from gpunet.tensor import Tensor

__all__ = ["bitwise_and", "bitwise_left_shift", "bitwise_not", "bitwise_or", "bitwise_right_shift", "bitwise_xor"]


def _integral(x, y, **_):
    shape, dtype = binary(x, y)
    if category(dtype) == FLOAT:
        raise RuntimeError(f"bitwise operations are defined for integers and bool, not for {public(dtype)}")
    return shape, dtype


def _bitwise(name):
    def body(xp, out, x, y):
        getattr(xp, name)(x, y, out)

    body.__name__ = name
    return op(_integral, promotes="same", differentiable=False)(body)


bitwise_and_op = _bitwise("bitwise_and")
bitwise_or_op = _bitwise("bitwise_or")
bitwise_xor_op = _bitwise("bitwise_xor")


def _shift(name, function):
    def rule(x, y):
        shape, dtype = _integral(x, y)
        if dtype == BOOL_NP:
            raise RuntimeError(f"{name}: not defined for bool tensors; convert them with .int()")
        return shape, dtype

    def body(xp, out, x, y):
        getattr(xp, function)(x, y, out)

    body.__name__ = name
    return op(rule, promotes="same", differentiable=False)(body)


bitwise_left_shift_op = _shift("bitwise_left_shift", "left_shift")
bitwise_right_shift_op = _shift("bitwise_right_shift", "right_shift")


def _invertible(x):
    if category(x.dtype) == FLOAT:
        raise TypeError(f"bitwise_not: ~ is defined for integers and bool, not for {public(x.dtype)}")
    return x.shape, x.dtype


@op(_invertible, differentiable=False)
def bitwise_not_op(xp, out, x):
    xp.invert(x, out)


for _each in (bitwise_and_op, bitwise_or_op, bitwise_xor_op, bitwise_left_shift_op, bitwise_right_shift_op,
              bitwise_not_op):
    pointwise.declare(_each)


# ---- for users ------------------------------------------------------------------------------------------------------


def bitwise_and(input: Tensor | Number, other: Tensor | Number, *, out: Tensor | None = None) -> Tensor:
    """Bits that are set in both numbers.

    Shapes broadcast; types are promoted as in PyTorch.

    Args:
        input: tensor of an integer type or bool, or number.
        other: tensor of an integer type or bool, broadcastable with `input`, or number.
        out: tensor that receives the result; resized if its shape differs.

    Returns:
        Tensor of the broadcast shape and the promoted type.

    Raises:
        RuntimeError: a tensor of a floating-point type, or shapes that do not broadcast.

    Example:
        >>> gpunet.bitwise_and(gpunet.tensor([12, 10]), 6)
        tensor([4, 2])
    """
    return deliver(bitwise_and_op(input, other), out, "bitwise_and")


def bitwise_or(input: Tensor | Number, other: Tensor | Number, *, out: Tensor | None = None) -> Tensor:
    """Bits that are set in at least one of the numbers.

    Shapes broadcast; types are promoted as in PyTorch.

    Args:
        input: tensor of an integer type or bool, or number.
        other: tensor of an integer type or bool, broadcastable with `input`, or number.
        out: tensor that receives the result; resized if its shape differs.

    Returns:
        Tensor of the broadcast shape and the promoted type.

    Raises:
        RuntimeError: a tensor of a floating-point type, or shapes that do not broadcast.

    Example:
        >>> gpunet.bitwise_or(gpunet.tensor([12, 10]), 6)
        tensor([14, 14])
    """
    return deliver(bitwise_or_op(input, other), out, "bitwise_or")


def bitwise_xor(input: Tensor | Number, other: Tensor | Number, *, out: Tensor | None = None) -> Tensor:
    """Bits that are set in exactly one of the numbers.

    Shapes broadcast; types are promoted as in PyTorch.

    Args:
        input: tensor of an integer type or bool, or number.
        other: tensor of an integer type or bool, broadcastable with `input`, or number.
        out: tensor that receives the result; resized if its shape differs.

    Returns:
        Tensor of the broadcast shape and the promoted type.

    Raises:
        RuntimeError: a tensor of a floating-point type, or shapes that do not broadcast.

    Example:
        >>> gpunet.bitwise_xor(gpunet.tensor([12, 10]), 6)
        tensor([10, 12])
    """
    return deliver(bitwise_xor_op(input, other), out, "bitwise_xor")


def bitwise_not(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Every bit inverted: -x - 1 for signed integers, the opposite for bools.

    Args:
        input: tensor of an integer type or bool.
        out: tensor of the result's type that receives the result; resized if its shape differs.

    Returns:
        Tensor of input's shape and type.

    Raises:
        TypeError: a tensor of a floating-point type.

    Example:
        >>> gpunet.bitwise_not(gpunet.tensor([0, 5]))
        tensor([-1, -6])
    """
    return deliver(bitwise_not_op(input), out, "bitwise_not", exact=True)


def bitwise_left_shift(input: Tensor | Number, other: Tensor | Number, *, out: Tensor | None = None) -> Tensor:
    """Bits moved to the left: y = input * 2^other. Bits beyond the type's size are lost.

    Shapes broadcast; types are promoted as in PyTorch.

    Args:
        input: tensor of an integer type, or number.
        other: tensor of an integer type, broadcastable with `input`, or number.
        out: tensor that receives the result; resized if its shape differs.

    Returns:
        Tensor of the broadcast shape and the promoted type.

    Raises:
        RuntimeError: a tensor of a floating-point type or bool, or shapes that do not broadcast.

    Example:
        >>> gpunet.bitwise_left_shift(gpunet.tensor([1, 3]), 2)
        tensor([ 4, 12])
    """
    return deliver(bitwise_left_shift_op(input, other), out, "bitwise_left_shift")


def bitwise_right_shift(input: Tensor | Number, other: Tensor | Number, *, out: Tensor | None = None) -> Tensor:
    """Bits moved to the right: y = floor(input / 2^other).

    Shapes broadcast; types are promoted as in PyTorch.

    Args:
        input: tensor of an integer type, or number.
        other: tensor of an integer type, broadcastable with `input`, or number.
        out: tensor that receives the result; resized if its shape differs.

    Returns:
        Tensor of the broadcast shape and the promoted type.

    Raises:
        RuntimeError: a tensor of a floating-point type or bool, or shapes that do not broadcast.

    Example:
        >>> gpunet.bitwise_right_shift(gpunet.tensor([8, -5]), 1)
        tensor([ 4, -3])
    """
    return deliver(bitwise_right_shift_op(input, other), out, "bitwise_right_shift")


# The in-place forms, and the ops that compute them.
IN_PLACE = {f.__name__: f for f in (bitwise_and_op, bitwise_left_shift_op, bitwise_not_op, bitwise_or_op,
                                    bitwise_right_shift_op, bitwise_xor_op)}
