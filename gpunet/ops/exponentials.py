"""Exponentials, logarithms, square roots and reciprocals, element by element."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gpunet._promotion import promote
from gpunet.dispatch import is_tensor
from gpunet.ops.elementary import (
    exp2_op,
    exp_op,
    expm1_op,
    ldexp_op,
    log1p_op,
    log2_op,
    log10_op,
    log_op,
    logaddexp2_op,
    logaddexp_op,
    reciprocal_op,
    rsqrt_op,
    sqrt_op,
)
from gpunet.ops.out import deliver

if TYPE_CHECKING:
    from gpunet.tensor import Tensor

__all__ = ["exp", "exp2", "expm1", "ldexp", "log", "log10", "log1p", "log2", "logaddexp", "logaddexp2",
           "reciprocal", "rsqrt", "sqrt"]
# The in-place forms, and the ops that compute them.
IN_PLACE: dict[str, Any] = {f.__name__: f for f in (
    exp_op, exp2_op, expm1_op, log_op, log2_op, log10_op, log1p_op, sqrt_op, rsqrt_op, reciprocal_op)}


def exp(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Exponential of each element: y = e^x.

    Args:
        input: tensor of any type; integers and bools are computed in the default floating-point type.
        out: tensor that receives the result; resized if its shape differs.

    Returns:
        Tensor of input's shape.

    Example:
        >>> gpunet.exp(gpunet.tensor([0.0, 1.0]))
        tensor([1.0000, 2.7183])
    """
    return deliver(exp_op(input), out, "exp")


def exp2(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Power of two of each element: y = 2^x.

    Args:
        input: tensor of any type; integers and bools are computed in the default floating-point type.
        out: tensor that receives the result; resized if its shape differs.

    Returns:
        Tensor of input's shape.

    Example:
        >>> gpunet.exp2(gpunet.tensor([0.0, 3.0]))
        tensor([1., 8.])
    """
    return deliver(exp2_op(input), out, "exp2")


def expm1(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Exponential minus 1: y = e^x - 1, accurate for x near 0.

    Args:
        input: tensor of any type; integers and bools are computed in the default floating-point type.
        out: tensor that receives the result; resized if its shape differs.

    Returns:
        Tensor of input's shape.

    Example:
        >>> gpunet.expm1(gpunet.tensor([0.0, 1.0]))
        tensor([0.0000, 1.7183])
    """
    return deliver(expm1_op(input), out, "expm1")


def log(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Natural logarithm of each element: y = ln x.

    It is -inf at 0 and NaN for x < 0.

    Args:
        input: tensor of any type; integers and bools are computed in the default floating-point type.
        out: tensor that receives the result; resized if its shape differs.

    Returns:
        Tensor of input's shape.

    Example:
        >>> gpunet.log(gpunet.tensor([1.0, 10.0]))
        tensor([0.0000, 2.3026])
    """
    return deliver(log_op(input), out, "log")


def log2(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Logarithm to base 2 of each element: y = log2 x.

    It is -inf at 0 and NaN for x < 0.

    Args:
        input: tensor of any type; integers and bools are computed in the default floating-point type.
        out: tensor that receives the result; resized if its shape differs.

    Returns:
        Tensor of input's shape.

    Example:
        >>> gpunet.log2(gpunet.tensor([1.0, 8.0]))
        tensor([0., 3.])
    """
    return deliver(log2_op(input), out, "log2")


def log10(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Logarithm to base 10 of each element: y = log10 x.

    It is -inf at 0 and NaN for x < 0.

    Args:
        input: tensor of any type; integers and bools are computed in the default floating-point type.
        out: tensor that receives the result; resized if its shape differs.

    Returns:
        Tensor of input's shape.

    Example:
        >>> gpunet.log10(gpunet.tensor([1.0, 10.0]))
        tensor([0., 1.])
    """
    return deliver(log10_op(input), out, "log10")


def log1p(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Natural logarithm of 1 plus each element: y = ln(1 + x), accurate for x near 0.

    It is -inf at -1 and NaN for x < -1.

    Args:
        input: tensor of any type; integers and bools are computed in the default floating-point type.
        out: tensor that receives the result; resized if its shape differs.

    Returns:
        Tensor of input's shape.

    Example:
        >>> gpunet.log1p(gpunet.tensor([0.0, 1.0]))
        tensor([0.0000, 0.6931])
    """
    return deliver(log1p_op(input), out, "log1p")


def sqrt(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Square root of each element: y = x^(1/2).

    It is NaN for x < 0.

    Args:
        input: tensor of any type; integers and bools are computed in the default floating-point type.
        out: tensor that receives the result; resized if its shape differs.

    Returns:
        Tensor of input's shape.

    Example:
        >>> gpunet.sqrt(gpunet.tensor([4.0, 9.0]))
        tensor([2., 3.])
    """
    return deliver(sqrt_op(input), out, "sqrt")


def rsqrt(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Reciprocal of the square root of each element: y = 1 / sqrt(x).

    It is inf at 0 and NaN for x < 0.

    Args:
        input: tensor of any type; integers and bools are computed in the default floating-point type.
        out: tensor that receives the result; resized if its shape differs.

    Returns:
        Tensor of input's shape.

    Example:
        >>> gpunet.rsqrt(gpunet.tensor([4.0, 16.0]))
        tensor([0.5000, 0.2500])
    """
    return deliver(rsqrt_op(input), out, "rsqrt")


def reciprocal(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Reciprocal of each element: y = 1 / x.

    It is inf at 0.

    Args:
        input: tensor of any type; integers and bools are computed in the default floating-point type.
        out: tensor that receives the result; resized if its shape differs.

    Returns:
        Tensor of input's shape.

    Example:
        >>> gpunet.reciprocal(gpunet.tensor([2.0, 4.0]))
        tensor([0.5000, 0.2500])
    """
    return deliver(reciprocal_op(input), out, "reciprocal")


def logaddexp(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Logarithm of a sum of exponentials: y = ln(e^input + e^other), without overflow for finite values.

    Shapes broadcast; types are promoted as in PyTorch.

    Args:
        input: tensor of a floating-point type.
        other: tensor of a floating-point type, broadcastable with `input`.
        out: tensor that receives the result; resized if its shape differs.

    Returns:
        Tensor of the broadcast shape and the promoted type.

    Raises:
        RuntimeError: the inputs are integers or bools.

    Example:
        >>> gpunet.logaddexp(gpunet.tensor([0.0]), gpunet.tensor([0.0]))
        tensor([0.6931])
    """
    return deliver(logaddexp_op(input, other), out, "logaddexp")


def logaddexp2(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Logarithm of a sum of powers: y = log2(2^input + 2^other), without overflow for finite values.

    Shapes broadcast; types are promoted as in PyTorch.

    Args:
        input: tensor of a floating-point type.
        other: tensor of a floating-point type, broadcastable with `input`.
        out: tensor that receives the result; resized if its shape differs.

    Returns:
        Tensor of the broadcast shape and the promoted type.

    Raises:
        RuntimeError: the inputs are integers or bools.

    Example:
        >>> gpunet.logaddexp2(gpunet.tensor([3.0]), gpunet.tensor([3.0]))
        tensor([4.])
    """
    return deliver(logaddexp2_op(input, other), out, "logaddexp2")


def ldexp(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Each element times a power of two: y = input * 2^other.

    Shapes broadcast. Where the result is finite, so is all on the way to it.

    Args:
        input: tensor of any type; integers and bools are computed in the default floating-point type.
        other: tensor of exponents, broadcastable with `input`.
        out: tensor that receives the result; resized if its shape differs.

    Returns:
        Tensor of the common type of both.

    Raises:
        TypeError: other is not a tensor.

    Example:
        >>> gpunet.ldexp(gpunet.tensor([1.0, 3.0]), gpunet.tensor([4, -1]))
        tensor([16.0000,  1.5000])
    """
    if not is_tensor(other):
        raise TypeError(f"ldexp: other must be a Tensor, got {type(other).__name__}; use input * 2**other for a number")
    wide, exponents = promote([input, other], to_float=True)
    return deliver(ldexp_op(wide, exponents if other.is_floating_point() else other), out, "ldexp")


IN_PLACE["ldexp"] = ldexp
