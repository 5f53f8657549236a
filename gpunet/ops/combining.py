"""Combinations of three tensors, element by element: a product or quotient added, and interpolation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpunet.dispatch import is_tensor
from gpunet.dtypes import FLOAT, Number, category
from gpunet.ops.arithmetic import addcdiv_op, addcmul_op, lerp_op
from gpunet.ops.host import fitted
from gpunet.ops.out import deliver

if TYPE_CHECKING:
    from gpunet.tensor import Tensor

__all__ = ["addcdiv", "addcmul", "lerp"]


def addcmul(input: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: Number = 1,
            out: Tensor | None = None) -> Tensor:
    """A product added: y = input + value * tensor1 * tensor2.

    Shapes broadcast; types are promoted as in PyTorch.

    Args:
        input: tensor of any type.
        tensor1: tensor or number, broadcastable with `input`.
        tensor2: tensor or number, broadcastable with `input`.
        value: number that the product is multiplied with; for integer tensors its fraction is cut off.
        out: tensor that receives the result; resized if its shape differs.

    Returns:
        Tensor of the broadcast shape and the promoted type.

    Raises:
        RuntimeError: the shapes do not broadcast, or the tensors are on different devices.

    Example:
        >>> gpunet.addcmul(gpunet.tensor([1.0, 2.0]), gpunet.tensor([3.0, 4.0]), gpunet.tensor([5.0, 6.0]), value=0.5)
        tensor([ 8.5000, 14.0000])
    """
    return deliver(_with_product(input, tensor1, tensor2, value), out, "addcmul")


def _with_product(x, a, b, value):
    dtype = (x if is_tensor(x) else a)._array.dtype
    return addcmul_op(x, a, b, value=value if category(dtype) == FLOAT else fitted(value, dtype))


def addcdiv(input: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: Number = 1,
            out: Tensor | None = None) -> Tensor:
    """A quotient added: y = input + value * tensor1 / tensor2.

    Shapes broadcast; types are promoted as in PyTorch.

    Args:
        input: tensor of a floating-point type.
        tensor1: tensor or number, broadcastable with `input`.
        tensor2: tensor or number, broadcastable with `input`.
        value: number that the quotient is multiplied with.
        out: tensor that receives the result; resized if its shape differs.

    Returns:
        Tensor of the broadcast shape and the promoted type.

    Raises:
        RuntimeError: all are of integer types, the shapes do not broadcast, or the tensors are on different devices.

    Example:
        >>> gpunet.addcdiv(gpunet.tensor([1.0, 2.0]), gpunet.tensor([3.0, 4.0]), gpunet.tensor([2.0, 8.0]), value=2)
        tensor([4., 3.])
    """
    return deliver(addcdiv_op(input, tensor1, tensor2, value=value), out, "addcdiv")


def lerp(input: Tensor, end: Tensor, weight: Tensor | float, *, out: Tensor | None = None) -> Tensor:
    """Linear interpolation: y = input + weight * (end - input).

    Shapes broadcast. Weights of 0 and 1 give the ends exactly.

    Args:
        input: tensor of a floating-point type, the value at weight 0.
        end: tensor of input's type, the value at weight 1.
        weight: tensor of input's type, or number.
        out: tensor that receives the result; resized if its shape differs.

    Returns:
        Tensor of the broadcast shape and input's type.

    Raises:
        RuntimeError: the types differ or are not floating-point ones, or the shapes do not broadcast.

    Example:
        >>> gpunet.lerp(gpunet.tensor([0.0, 1.0]), gpunet.tensor([10.0, 3.0]), 0.5)
        tensor([5., 2.])
    """
    return deliver(_interpolated(input, end, weight), out, "lerp")


def _interpolated(x, end, weight):
    for name, other in ("end", end), ("weight", weight):
        number = name == "weight" and is_tensor(other) and not other._array.ndim
        if is_tensor(other) and not number and other._array.dtype != x._array.dtype:
            raise RuntimeError(f"lerp: expected type {x.dtype} for `{name}`, got {other.dtype}; use .to(dtype)")
    return lerp_op(x, end, weight if is_tensor(weight) else float(weight))


# The in-place forms, and what computes them.
IN_PLACE = {"addcdiv": addcdiv, "addcmul": addcmul, "lerp": lerp}
