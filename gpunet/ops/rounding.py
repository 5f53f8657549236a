"""Rounding and signs, element by element."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpunet.dtypes import FLOAT, Number, category
from gpunet.ops.arithmetic import copysign_op
from gpunet.ops.elementary import ceil_op, floor_op, frac_op, round_op, sign_op, trunc_op
from gpunet.ops.out import deliver

if TYPE_CHECKING:
    from gpunet.tensor import Tensor

__all__ = ["ceil", "copysign", "fix", "floor", "frac", "round", "sgn", "sign", "trunc"]


def floor(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Largest integer that is at most x: y = floor(x).

    Args:
        input: tensor of any numeric type; integers are returned unchanged.
        out: tensor of the result's type that receives the result; resized if its shape differs.

    Returns:
        Tensor of input's shape and type.

    Example:
        >>> gpunet.floor(gpunet.tensor([1.7, -1.7]))
        tensor([ 1., -2.])
    """
    return deliver(floor_op(input), out, "floor", exact=True)


def ceil(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Smallest integer that is at least x: y = ceil(x).

    Args:
        input: tensor of any numeric type; integers are returned unchanged.
        out: tensor of the result's type that receives the result; resized if its shape differs.

    Returns:
        Tensor of input's shape and type.

    Example:
        >>> gpunet.ceil(gpunet.tensor([1.2, -1.2]))
        tensor([ 2., -1.])
    """
    return deliver(ceil_op(input), out, "ceil", exact=True)


def trunc(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Integer part of each element: x rounded towards zero.

    Args:
        input: tensor of any numeric type; integers are returned unchanged.
        out: tensor of the result's type that receives the result; resized if its shape differs.

    Returns:
        Tensor of input's shape and type.

    Example:
        >>> gpunet.trunc(gpunet.tensor([1.7, -1.7]))
        tensor([ 1., -1.])
    """
    return deliver(trunc_op(input), out, "trunc", exact=True)


def frac(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Fractional part of each element: y = x - trunc(x), with the sign of x.

    Args:
        input: tensor of a floating-point type.
        out: tensor of the result's type that receives the result; resized if its shape differs.

    Returns:
        Tensor of input's shape and type.

    Raises:
        RuntimeError: the input is of an integer type or bool.

    Example:
        >>> gpunet.frac(gpunet.tensor([1.5, -1.25]))
        tensor([ 0.5000, -0.2500])
    """
    return deliver(frac_op(input), out, "frac", exact=True)


def round(input: Tensor, *, decimals: int = 0, out: Tensor | None = None) -> Tensor:
    """Each element rounded to the nearest integer, or to `decimals` decimal places.

    Halves go to the even neighbour (IEEE 754), so that 0.5 becomes 0 and 1.5 becomes 2.

    Args:
        input: tensor of any numeric type; integers are returned unchanged.
        decimals: places after the point; negative ones round to tens, hundreds and so on.
        out: tensor of the result's type that receives the result; resized if its shape differs.

    Returns:
        Tensor of input's shape and type.

    Example:
        >>> gpunet.round(gpunet.tensor([0.5, 1.5, 2.4]))
        tensor([0., 2., 2.])
    """
    return deliver(_rounded(input, decimals), out, "round", exact=True)


def sign(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Sign of each element: -1, 0 or 1.

    It is 0 for NaN, as in PyTorch.

    Args:
        input: tensor of any type.
        out: tensor of the result's type that receives the result; resized if its shape differs.

    Returns:
        Tensor of input's shape and type.

    Example:
        >>> gpunet.sign(gpunet.tensor([-2.0, 0.0, 3.0]))
        tensor([-1.,  0.,  1.])
    """
    return deliver(sign_op(input), out, "sign", exact=True)


def sgn(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Sign of each element: of real numbers what `sign` gives.

    Args:
        input: tensor of any type.
        out: tensor of the result's type that receives the result; resized if its shape differs.

    Returns:
        Tensor of input's shape and type.

    Example:
        >>> gpunet.sgn(gpunet.tensor([-2.0, 0.0, 3.0]))
        tensor([-1.,  0.,  1.])
    """
    return deliver(sign_op(input), out, "sgn", exact=True)


def copysign(input: Tensor, other: Tensor | Number, *, out: Tensor | None = None) -> Tensor:
    """Absolute value of `input` with the sign of `other`: y = |input| if other >= +0, else -|input|.

    Shapes broadcast. -0.0 has a minus sign.

    Args:
        input: tensor of any type; integers and bools are computed in the default floating-point type.
        other: tensor or number, broadcastable with `input`.
        out: tensor that receives the result; resized if its shape differs.

    Returns:
        Tensor of the broadcast shape.

    Raises:
        RuntimeError: the shapes do not broadcast, or the tensors are on different devices.

    Example:
        >>> gpunet.copysign(gpunet.tensor([1.0, -2.0]), gpunet.tensor([-0.0, 5.0]))
        tensor([-1.,  2.])
    """
    return deliver(copysign_op(input, other), out, "copysign")


def _rounded(x, decimals):
    if decimals == 0:
        return round_op(x) if category(x._array.dtype) == FLOAT else x.clone()
    scale = 10.0**decimals
    return round_op(x * scale) / scale


fix = trunc  # PyTorch's other name

# The in-place forms, and what computes them: the op, where it takes what the function takes.
IN_PLACE = {"ceil": ceil_op, "copysign": copysign_op, "fix": trunc_op, "floor": floor_op, "frac": frac_op,
            "round": round, "sgn": sign_op, "sign": sign_op, "trunc": trunc_op}
