"""Trigonometric and hyperbolic functions and their inverses, element by element."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpunet.ops.elementary import (
    acos_op,
    acosh_op,
    asin_op,
    asinh_op,
    atan2_op,
    atan_op,
    atanh_op,
    cos_op,
    cosh_op,
    deg2rad_op,
    hypot_op,
    rad2deg_op,
    sin_op,
    sinh_op,
    tan_op,
    tanh_op,
)
from gpunet.ops.out import deliver

if TYPE_CHECKING:
    from gpunet.tensor import Tensor

__all__ = ["acos", "acosh", "arccos", "arccosh", "arcsin", "arcsinh", "arctan", "arctan2", "arctanh", "asin", "asinh",
           "atan", "atan2", "atanh", "cos", "cosh", "deg2rad", "hypot", "rad2deg", "sin", "sinh", "tan", "tanh"]
# The in-place forms, and the ops that compute them.
IN_PLACE = {f.__name__: f for f in (sin_op, cos_op, tan_op, asin_op, acos_op, atan_op, sinh_op, cosh_op, tanh_op,
                                    asinh_op, acosh_op, atanh_op, deg2rad_op, rad2deg_op, atan2_op, hypot_op)}
IN_PLACE |= {"arccos": acos_op, "arccosh": acosh_op, "arcsin": asin_op, "arcsinh": asinh_op, "arctan": atan_op,
             "arctanh": atanh_op, "arctan2": atan2_op}


def sin(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Sine of each element, an angle in radians: y = sin x.

    Args:
        input: tensor of any type; integers and bools are computed in the default floating-point type.
        out: tensor that receives the result; resized if its shape differs.

    Returns:
        Tensor of input's shape.

    Example:
        >>> gpunet.sin(gpunet.tensor([0.0, 1.0]))
        tensor([0.0000, 0.8415])
    """
    return deliver(sin_op(input), out, "sin")


def cos(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Cosine of each element, an angle in radians: y = cos x.

    Args:
        input: tensor of any type; integers and bools are computed in the default floating-point type.
        out: tensor that receives the result; resized if its shape differs.

    Returns:
        Tensor of input's shape.

    Example:
        >>> gpunet.cos(gpunet.tensor([0.0, 1.0]))
        tensor([1.0000, 0.5403])
    """
    return deliver(cos_op(input), out, "cos")


def tan(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Tangent of each element, an angle in radians: y = tan x.

    Args:
        input: tensor of any type; integers and bools are computed in the default floating-point type.
        out: tensor that receives the result; resized if its shape differs.

    Returns:
        Tensor of input's shape.

    Example:
        >>> gpunet.tan(gpunet.tensor([0.0, 1.0]))
        tensor([0.0000, 1.5574])
    """
    return deliver(tan_op(input), out, "tan")


def asin(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Inverse sine: y in [-pi/2, pi/2] with sin y = x.

    It is NaN outside of [-1, 1].

    Args:
        input: tensor of any type; integers and bools are computed in the default floating-point type.
        out: tensor that receives the result; resized if its shape differs.

    Returns:
        Tensor of input's shape.

    Example:
        >>> gpunet.asin(gpunet.tensor([0.0, 1.0]))
        tensor([0.0000, 1.5708])
    """
    return deliver(asin_op(input), out, "asin")


def acos(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Inverse cosine: y in [0, pi] with cos y = x.

    It is NaN outside of [-1, 1].

    Args:
        input: tensor of any type; integers and bools are computed in the default floating-point type.
        out: tensor that receives the result; resized if its shape differs.

    Returns:
        Tensor of input's shape.

    Example:
        >>> gpunet.acos(gpunet.tensor([1.0, 0.0]))
        tensor([0.0000, 1.5708])
    """
    return deliver(acos_op(input), out, "acos")


def atan(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Inverse tangent: y in [-pi/2, pi/2] with tan y = x.

    Args:
        input: tensor of any type; integers and bools are computed in the default floating-point type.
        out: tensor that receives the result; resized if its shape differs.

    Returns:
        Tensor of input's shape.

    Example:
        >>> gpunet.atan(gpunet.tensor([0.0, 1.0]))
        tensor([0.0000, 0.7854])
    """
    return deliver(atan_op(input), out, "atan")


def sinh(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Hyperbolic sine of each element: y = (e^x - e^-x) / 2.

    Args:
        input: tensor of any type; integers and bools are computed in the default floating-point type.
        out: tensor that receives the result; resized if its shape differs.

    Returns:
        Tensor of input's shape.

    Example:
        >>> gpunet.sinh(gpunet.tensor([0.0, 1.0]))
        tensor([0.0000, 1.1752])
    """
    return deliver(sinh_op(input), out, "sinh")


def cosh(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Hyperbolic cosine of each element: y = (e^x + e^-x) / 2.

    Args:
        input: tensor of any type; integers and bools are computed in the default floating-point type.
        out: tensor that receives the result; resized if its shape differs.

    Returns:
        Tensor of input's shape.

    Example:
        >>> gpunet.cosh(gpunet.tensor([0.0, 1.0]))
        tensor([1.0000, 1.5431])
    """
    return deliver(cosh_op(input), out, "cosh")


def tanh(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Hyperbolic tangent of each element: y = (e^x - e^-x) / (e^x + e^-x).

    Args:
        input: tensor of any type; integers and bools are computed in the default floating-point type.
        out: tensor that receives the result; resized if its shape differs.

    Returns:
        Tensor of input's shape.

    Example:
        >>> gpunet.tanh(gpunet.tensor([0.0, 1.0]))
        tensor([0.0000, 0.7616])
    """
    return deliver(tanh_op(input), out, "tanh")


def asinh(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Inverse hyperbolic sine: y = ln(x + sqrt(x^2 + 1)).

    Args:
        input: tensor of any type; integers and bools are computed in the default floating-point type.
        out: tensor that receives the result; resized if its shape differs.

    Returns:
        Tensor of input's shape.

    Example:
        >>> gpunet.asinh(gpunet.tensor([0.0, 1.0]))
        tensor([0.0000, 0.8814])
    """
    return deliver(asinh_op(input), out, "asinh")


def acosh(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Inverse hyperbolic cosine: y = ln(x + sqrt(x^2 - 1)).

    It is NaN for x < 1.

    Args:
        input: tensor of any type; integers and bools are computed in the default floating-point type.
        out: tensor that receives the result; resized if its shape differs.

    Returns:
        Tensor of input's shape.

    Example:
        >>> gpunet.acosh(gpunet.tensor([1.0, 2.0]))
        tensor([0.0000, 1.3170])
    """
    return deliver(acosh_op(input), out, "acosh")


def atanh(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Inverse hyperbolic tangent: y = ln((1 + x) / (1 - x)) / 2.

    It is inf at 1, -inf at -1 and NaN outside of [-1, 1].

    Args:
        input: tensor of any type; integers and bools are computed in the default floating-point type.
        out: tensor that receives the result; resized if its shape differs.

    Returns:
        Tensor of input's shape.

    Example:
        >>> gpunet.atanh(gpunet.tensor([0.0, 0.5]))
        tensor([0.0000, 0.5493])
    """
    return deliver(atanh_op(input), out, "atanh")


def deg2rad(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Radians of angles in degrees: y = x * pi / 180.

    Args:
        input: tensor of any type; integers and bools are computed in the default floating-point type.
        out: tensor that receives the result; resized if its shape differs.

    Returns:
        Tensor of input's shape.

    Example:
        >>> gpunet.deg2rad(gpunet.tensor([90.0, 180.0]))
        tensor([1.5708, 3.1416])
    """
    return deliver(deg2rad_op(input), out, "deg2rad")


def rad2deg(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Degrees of angles in radians: y = x * 180 / pi.

    Args:
        input: tensor of any type; integers and bools are computed in the default floating-point type.
        out: tensor that receives the result; resized if its shape differs.

    Returns:
        Tensor of input's shape.

    Example:
        >>> gpunet.rad2deg(gpunet.tensor([1.5707963, 3.1415927]))
        tensor([ 90.0000, 180.0000])
    """
    return deliver(rad2deg_op(input), out, "rad2deg")


def atan2(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Angle of the point (other, input) in radians, from -pi to pi: the inverse tangent of input / other.

    Shapes broadcast; integers are computed in the default floating-point type. The signs choose the quadrant.

    Args:
        input: tensor, the points' second coordinate.
        other: tensor, their first coordinate, broadcastable with `input`.
        out: tensor that receives the result; resized if its shape differs.

    Returns:
        Tensor of the broadcast shape and the promoted type.

    Example:
        >>> gpunet.atan2(gpunet.tensor([1.0, -1.0]), gpunet.tensor([1.0, -1.0]))
        tensor([ 0.7854, -2.3562])
    """
    return deliver(atan2_op(input, other), out, "atan2")


def hypot(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Length of the hypotenuse: y = sqrt(input^2 + other^2), without overflow.

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
        >>> gpunet.hypot(gpunet.tensor([3.0]), gpunet.tensor([4.0]))
        tensor([5.])
    """
    return deliver(hypot_op(input, other), out, "hypot")


# PyTorch's other names for the same functions.
arccos, arccosh, arcsin, arcsinh, arctan, arctanh, arctan2 = acos, acosh, asin, asinh, atan, atanh, atan2
