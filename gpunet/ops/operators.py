"""The functions of Python's operators + - * / // % ** and abs, element by element."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpunet.dispatch import is_tensor
from gpunet.dtypes import BOOL_NP, FLOAT, Number, category, result_type, scalar_type
from gpunet.ops.arithmetic import (
    abs_op,
    add_op,
    floor_divide_op,
    fmod_op,
    mul_op,
    neg_op,
    pow_op,
    remainder_op,
    sub_op,
    true_divide_op,
    trunc_divide_op,
)
from gpunet.ops.half import rounded_once
from gpunet.ops.host import fitted
from gpunet.ops.out import deliver

if TYPE_CHECKING:
    from gpunet.tensor import Tensor

__all__ = ["abs", "absolute", "add", "div", "divide", "float_power", "floor_divide", "fmod", "mul", "multiply", "neg",
           "negative", "positive", "pow", "remainder", "rsub", "square", "sub", "subtract", "true_divide"]


def add(input: Tensor, other: Tensor | Number, *, alpha: Number = 1, out: Tensor | None = None) -> Tensor:
    """Sum: y = input + alpha * other.

    Shapes broadcast; types are promoted as in PyTorch.

    Args:
        input: tensor of any type.
        other: tensor or number, broadcastable with `input`.
        alpha: number that `other` is multiplied with; an integer where both are of integer types.
        out: tensor that receives the result; resized if its shape differs.

    Returns:
        Tensor of the broadcast shape and the promoted type.

    Raises:
        RuntimeError: the shapes do not broadcast, or the tensors are on different devices.
        RuntimeError: alpha is a fraction and both are of integer types.

    Example:
        >>> gpunet.add(gpunet.tensor([1.0, 2.0]), 3)
        tensor([4., 5.])
    """
    return deliver(add_op(input, other) if alpha == 1 else _sum(add_op, input, other, alpha, "add"), out, "add")


def sub(input: Tensor, other: Tensor | Number, *, alpha: Number = 1, out: Tensor | None = None) -> Tensor:
    """Difference: y = input - alpha * other.

    Shapes broadcast; types are promoted as in PyTorch.

    Args:
        input: tensor of any type but bool.
        other: tensor or number, broadcastable with `input`.
        alpha: number that `other` is multiplied with; an integer where both are of integer types.
        out: tensor that receives the result; resized if its shape differs.

    Returns:
        Tensor of the broadcast shape and the promoted type.

    Raises:
        RuntimeError: the shapes do not broadcast, or the tensors are on different devices.
        RuntimeError: alpha is a fraction and both are of integer types.

    Example:
        >>> gpunet.sub(gpunet.tensor([5.0, 7.0]), 3, alpha=2)
        tensor([-1.,  1.])
    """
    return deliver(sub_op(input, other) if alpha == 1 else _sum(sub_op, input, other, alpha, "sub"), out, "sub")


@rounded_once
def _sum(add_or_sub, x, other, alpha, name):
    return add_or_sub(x, _times(alpha, other, x, name))


def _times(alpha, x, other, name):
    """x * alpha for a sum with `other`, whose type a fraction must not change, and must hold alpha."""
    if isinstance(alpha, float) and not any([category(t._array.dtype) == FLOAT if is_tensor(t) else isinstance(t, float)
                                             for t in (x, other)]):
        raise RuntimeError(f"{name}: for integer tensors alpha must be an integer, got {alpha}")
    if isinstance(alpha, int):
        fitted(alpha, result_type(*[(t._array.dtype, 2 if t._array.ndim else 1) if is_tensor(t) else (scalar_type(t), 0)
                                    for t in (x, other)]))
    return x * alpha


def rsub(input: Tensor, other: Tensor | Number, *, alpha: Number = 1) -> Tensor:
    """Difference, with the operands exchanged: y = other - alpha * input.

    Shapes broadcast; types are promoted as in PyTorch.

    Args:
        input: tensor of any type but bool.
        other: tensor or number, broadcastable with `input`.
        alpha: number that `input` is multiplied with; an integer where both are of integer types.

    Returns:
        Tensor of the broadcast shape and the promoted type.

    Raises:
        RuntimeError: the shapes do not broadcast, or the tensors are on different devices.
        RuntimeError: alpha is a fraction and both are of integer types.

    Example:
        >>> gpunet.rsub(gpunet.tensor([1.0, 2.0]), 3)
        tensor([2., 1.])
    """
    return sub_op(other, input) if alpha == 1 else _sum(sub_op, other, input, alpha, "rsub")


def mul(input: Tensor, other: Tensor | Number, *, out: Tensor | None = None) -> Tensor:
    """Product: y = input * other.

    Shapes broadcast; types are promoted as in PyTorch.

    Args:
        input: tensor of any type.
        other: tensor or number, broadcastable with `input`.
        out: tensor that receives the result; resized if its shape differs.

    Returns:
        Tensor of the broadcast shape and the promoted type.

    Raises:
        RuntimeError: the shapes do not broadcast, or the tensors are on different devices.

    Example:
        >>> gpunet.mul(gpunet.tensor([1.0, 2.0]), 3)
        tensor([3., 6.])
    """
    return deliver(mul_op(input, other), out, "mul")


def div(input: Tensor, other: Tensor | Number, *, rounding_mode: str | None = None,
        out: Tensor | None = None) -> Tensor:
    """Quotient: y = input / other, or rounded to an integer.

    Shapes broadcast; types are promoted as in PyTorch. Without a rounding_mode, integers are divided in the default
    floating-point type; with one, the result has the promoted type, and its gradient is zero.

    Args:
        input: tensor of any type.
        other: tensor or number, broadcastable with `input`.
        rounding_mode: None; "trunc", which rounds towards zero, as C does; or "floor", as Python's // does.
        out: tensor that receives the result; resized if its shape differs.

    Returns:
        Tensor of the broadcast shape.

    Raises:
        RuntimeError: the shapes do not broadcast, or the tensors are on different devices.
        RuntimeError: an unknown rounding_mode, or an integer divided by zero.

    Example:
        >>> gpunet.div(gpunet.tensor([7.0, -7.0]), 2, rounding_mode="floor")
        tensor([ 3., -4.])
    """
    return deliver(_divided(input, other, rounding_mode), out, "div")


def _divided(x, y, rounding_mode):
    if rounding_mode is None:
        return true_divide_op(x, y)
    if rounding_mode == "floor":
        return floor_divide_op(x, y)
    if rounding_mode != "trunc":
        raise RuntimeError(f"div: rounding_mode must be None, 'trunc' or 'floor', got {rounding_mode!r}")
    return trunc_divide_op(x, y)


def true_divide(input: Tensor, other: Tensor | Number, *, out: Tensor | None = None) -> Tensor:
    """Quotient: y = input / other; `div` without a rounding_mode.

    Shapes broadcast; integers are divided in the default floating-point type.

    Args:
        input: tensor of any type.
        other: tensor or number, broadcastable with `input`.
        out: tensor that receives the result; resized if its shape differs.

    Returns:
        Tensor of the broadcast shape and the promoted floating-point type.

    Raises:
        RuntimeError: the shapes do not broadcast, or the tensors are on different devices.

    Example:
        >>> gpunet.true_divide(gpunet.tensor([1, 3]), 2)
        tensor([0.5000, 1.5000])
    """
    return deliver(true_divide_op(input, other), out, "true_divide")


def floor_divide(input: Tensor, other: Tensor | Number, *, out: Tensor | None = None) -> Tensor:
    """Quotient rounded down: y = floor(input / other), as Python's `//`. Its gradient is zero.

    Shapes broadcast; types are promoted as in PyTorch.

    Args:
        input: tensor of any type but bool.
        other: tensor or number, broadcastable with `input`.
        out: tensor that receives the result; resized if its shape differs.

    Returns:
        Tensor of the broadcast shape and the promoted type.

    Raises:
        RuntimeError: the shapes do not broadcast, or the tensors are on different devices.
        RuntimeError: an integer is divided by zero.

    Example:
        >>> gpunet.floor_divide(gpunet.tensor([7.0, -7.0]), 2)
        tensor([ 3., -4.])
    """
    return deliver(floor_divide_op(input, other), out, "floor_divide")


def remainder(input: Tensor | Number, other: Tensor | Number, *, out: Tensor | None = None) -> Tensor:
    """Remainder of a division rounded down: y = input - other * floor(input / other), as Python's `%`.

    It has the sign of `other`. Shapes broadcast; types are promoted as in PyTorch.

    Args:
        input: tensor of any type but bool, or number.
        other: tensor or number, broadcastable with `input`.
        out: tensor that receives the result; resized if its shape differs.

    Returns:
        Tensor of the broadcast shape and the promoted type.

    Raises:
        RuntimeError: the shapes do not broadcast, or the tensors are on different devices.
        RuntimeError: an integer is divided by zero.

    Example:
        >>> gpunet.remainder(gpunet.tensor([7.0, -7.0]), 3)
        tensor([1., 2.])
    """
    return deliver(remainder_op(input, other), out, "remainder")


def fmod(input: Tensor, other: Tensor | Number, *, out: Tensor | None = None) -> Tensor:
    """Remainder of a division rounded towards zero: y = input - other * trunc(input / other), as C's fmod.

    It has the sign of `input`. Shapes broadcast; types are promoted as in PyTorch.

    Args:
        input: tensor of any type but bool.
        other: tensor or number, broadcastable with `input`.
        out: tensor that receives the result; resized if its shape differs.

    Returns:
        Tensor of the broadcast shape and the promoted type.

    Raises:
        RuntimeError: the shapes do not broadcast, or the tensors are on different devices.
        RuntimeError: an integer is divided by zero.

    Example:
        >>> gpunet.fmod(gpunet.tensor([7.0, -7.0]), 3)
        tensor([ 1., -1.])
    """
    return deliver(fmod_op(input, other), out, "fmod")


def pow(input: Tensor | Number, exponent: Tensor | Number, *, out: Tensor | None = None) -> Tensor:
    """Power: y = input^exponent.

    Shapes broadcast; types are promoted as in PyTorch. It is NaN for a negative input and a fraction as exponent.

    Args:
        input: tensor of any type, or number.
        exponent: tensor or number, broadcastable with `input`; one of both is a tensor.
        out: tensor that receives the result; resized if its shape differs.

    Returns:
        Tensor of the broadcast shape and the promoted type.

    Raises:
        RuntimeError: the shapes do not broadcast, or the tensors are on different devices.
        RuntimeError: an integer tensor to the power of a negative integer.

    Example:
        >>> gpunet.pow(gpunet.tensor([1.0, 2.0, 3.0]), 2)
        tensor([1., 4., 9.])
    """
    return deliver(pow_op(input, exponent), out, "pow")


def float_power(input: Tensor | Number, exponent: Tensor | Number, *, out: Tensor | None = None) -> Tensor:
    """Power, computed in float64: y = input^exponent.

    Shapes broadcast.

    Args:
        input: tensor of any type, or number.
        exponent: tensor or number, broadcastable with `input`; one of both is a tensor.
        out: tensor of the result's type that receives the result; resized if its shape differs.

    Returns:
        Tensor of the broadcast shape, of type float64.

    Raises:
        RuntimeError: the shapes do not broadcast, or the tensors are on different devices.

    Example:
        >>> gpunet.float_power(gpunet.tensor([1, 2, 3]), 0.5)
        tensor([1.0000, 1.4142, 1.7321], dtype=gpunet.float64)
    """
    return deliver(pow_op(_in_float64(input), _in_float64(exponent)), out, "float_power", exact=True)


def _in_float64(x):
    return x.double() if is_tensor(x) else float(x)


def square(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Square of each element: y = x^2.

    Args:
        input: tensor of any type.
        out: tensor that receives the result; resized if its shape differs.

    Returns:
        Tensor of input's shape; of its type, or int64 for bools.

    Example:
        >>> gpunet.square(gpunet.tensor([1.0, -3.0]))
        tensor([1., 9.])
    """
    return deliver(pow_op(input, 2), out, "square")


def neg(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Negative of each element: y = -x.

    Args:
        input: tensor of any type but bool.
        out: tensor of the result's type that receives the result; resized if its shape differs.

    Returns:
        Tensor of input's shape and type.

    Raises:
        RuntimeError: the input is of type bool; use ~ or logical_not to invert it.

    Example:
        >>> gpunet.neg(gpunet.tensor([1.0, -2.0]))
        tensor([-1.,  2.])
    """
    return deliver(neg_op(input), out, "neg", exact=True)


def abs(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Absolute value of each element: y = |x|. Its gradient at 0 is 0.

    Args:
        input: tensor of any type.
        out: tensor of the result's type that receives the result; resized if its shape differs.

    Returns:
        Tensor of input's shape and type.

    Example:
        >>> gpunet.abs(gpunet.tensor([1.0, -2.0]))
        tensor([1., 2.])
    """
    return deliver(abs_op(input), out, "abs", exact=True)


def positive(input: Tensor) -> Tensor:
    """The input itself: y = +x.

    Args:
        input: tensor of any type but bool.

    Returns:
        The same tensor.

    Raises:
        RuntimeError: the input is of type bool.

    Example:
        >>> gpunet.positive(gpunet.tensor([1.0, -2.0]))
        tensor([ 1., -2.])
    """
    if input._array.dtype == BOOL_NP:
        raise RuntimeError("positive: + is not defined for bool tensors")
    return input


# PyTorch's other names for the same functions.
subtract, multiply, divide, negative, absolute = sub, mul, div, neg, abs

# The in-place forms, and what computes them: the op, where it takes what the function takes. (add_, sub_: inplace.py.)
IN_PLACE = {"abs": abs_op, "absolute": abs_op, "div": div, "divide": div, "float_power": float_power,
            "floor_divide": floor_divide_op, "fmod": fmod_op, "mul": mul_op, "multiply": mul_op, "neg": neg_op,
            "negative": neg_op, "pow": pow_op, "remainder": remainder_op, "square": square,
            "true_divide": true_divide_op}
