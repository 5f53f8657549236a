"""Divisors and multiples of integers, element by element."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpunet.dispatch import op
from gpunet.dtypes import BOOL_NP, FLOAT, category, public
from gpunet.ops import pointwise
from gpunet.ops.out import deliver
from gpunet.ops.rules import binary

if TYPE_CHECKING:
    from gpunet.tensor import Tensor

__all__ = ["gcd", "lcm"]


def _of_integers(name):
    def rule(x, y):
        shape, dtype = binary(x, y)
        if dtype == BOOL_NP or category(dtype) == FLOAT:
            raise RuntimeError(f"{name}: defined for integers, not for {public(dtype)}; convert it with .int()")
        return shape, dtype

    def body(xp, out, x, y):
        getattr(xp, name)(x, y, out)

    body.__name__ = name
    declared = op(rule, promotes="same", differentiable=False)(body)
    pointwise.declare(declared)
    return declared


gcd_op = _of_integers("gcd")
lcm_op = _of_integers("lcm")


def gcd(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Greatest common divisor of the elements; gcd(x, 0) = |x|.

    Shapes broadcast; types are promoted as in PyTorch.

    Args:
        input: tensor of an integer type.
        other: tensor of an integer type, broadcastable with `input`.
        out: tensor that receives the result; resized if its shape differs.

    Returns:
        Tensor of the broadcast shape and the promoted type.

    Raises:
        RuntimeError: a tensor of a floating-point type or bool, or shapes that do not broadcast.

    Example:
        >>> gpunet.gcd(gpunet.tensor([12, -18, 0]), gpunet.tensor([8, 12, 5]))
        tensor([4, 6, 5])
    """
    return deliver(gcd_op(input, other), out, "gcd")


def lcm(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Least common multiple of the elements; lcm(x, 0) = 0.

    Shapes broadcast; types are promoted as in PyTorch.

    Args:
        input: tensor of an integer type.
        other: tensor of an integer type, broadcastable with `input`.
        out: tensor that receives the result; resized if its shape differs.

    Returns:
        Tensor of the broadcast shape and the promoted type.

    Raises:
        RuntimeError: a tensor of a floating-point type or bool, or shapes that do not broadcast.

    Example:
        >>> gpunet.lcm(gpunet.tensor([12, -18, 0]), gpunet.tensor([8, 12, 5]))
        tensor([24, 36,  0])
    """
    return deliver(lcm_op(input, other), out, "lcm")


# The in-place forms, and the ops that compute them.
IN_PLACE = {"gcd": gcd_op, "lcm": lcm_op}
