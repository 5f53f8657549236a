"""The error function, the gamma function, and other special functions; the numerics are in approximation.py."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from gpunet.dispatch import is_tensor, op
from gpunet.dtypes import Number
from gpunet.ops import approximation, elementwise
from gpunet.ops.conditions import eq_op, gt_op, le_op, logical_and_op, logical_or_op, lt_op, where_op
from gpunet.ops.elementary import cos_op, exp_op, log_op, sin_op
from gpunet.ops.inplace import inplace
from gpunet.ops.out import deliver
from gpunet.ops.rules import accumulator, binary, same

if TYPE_CHECKING:
    from gpunet.tensor import Tensor

__all__ = ["digamma", "erf", "erfc", "erfinv", "lgamma", "logit", "polygamma", "sinc", "xlogy"]

_TWO_OVER_SQRT_PI = 2 / math.sqrt(math.pi)


def _declare(name, gradient, **options):
    """An op that is one function of approximation.py."""

    def body(xp, out, x):
        getattr(approximation, name)(xp, out, x)

    body.__name__ = name
    declared = op(same, promotes="float", by_element=True)(body)
    declared.gradient(gradient, **options)
    return declared


erf_op = _declare("erf", lambda g, _, x: (g * exp_op(-x * x) * _TWO_OVER_SQRT_PI,))
elementwise.native(erf_op)
erfc_op = _declare("erfc", lambda g, _, x: (g * exp_op(-x * x) * -_TWO_OVER_SQRT_PI,))
erfinv_op = _declare("erfinv", lambda g, y, _x: (g * exp_op(y * y) / _TWO_OVER_SQRT_PI,), repeatable=True)
lgamma_op = _declare("lgamma", lambda g, _, x: (g * polygamma_op(x, n=0),))


@op(same, promotes="float", by_element=True)
def polygamma_op(xp, out, x, *, n):
    approximation.polygamma(n)(xp, out, x)


@polygamma_op.gradient
def _(g, _, x, *, n):
    return (g * polygamma_op(x, n=n + 1),)


@op(same, promotes="float", by_element=True)
def sinc_op(xp, out, x):
    angle = x.astype(accumulator(x.dtype), copy=False) * math.pi
    out[...] = xp.where(angle == 0, 1.0, xp.sin(angle) / angle)


@sinc_op.gradient
def _(g, _, x):
    angle = x * math.pi
    square = angle * x  # 0 also where x is too small to be squared
    return (where_op(eq_op(square, 0), 0.0, g * ((angle * cos_op(angle) - sin_op(angle)) / square)),)


@op(binary, promotes="float", opmath=True, broadcasts=True)
def xlogy_op(xp, out, x, y):
    wide = accumulator(out.dtype)
    x = x if isinstance(x, (int, float)) else x.astype(wide, copy=False)
    y = y if isinstance(y, (int, float)) else y.astype(wide, copy=False)
    xp.copyto(out, xp.where((x == 0) & (y == y), 0.0, x * xp.log(y)), casting="unsafe")


@xlogy_op.gradient(needs=("x y", "x y"))
def _(g, _, x, y):
    def by_x():
        if is_tensor(y):
            return where_op(logical_and_op(eq_op(x, 0), le_op(y, 0)), 0.0, g * log_op(y))
        logarithm = math.log(y) if y > 0 else -math.inf if y == 0 else math.nan
        return where_op(eq_op(x, 0), 0.0, g * logarithm) if y <= 0 else g * logarithm

    return by_x, lambda: g * (x / y)  # a number x may be beyond a half type's range, which x / y is not


@op(same, promotes="float", by_element=True)
def logit_op(xp, out, x, *, eps):
    wide = x.astype(accumulator(x.dtype), copy=False)
    if eps is not None:
        wide = xp.clip(wide, eps, 1 - eps)
    out[...] = xp.log(wide / (1 - wide))


@logit_op.gradient
def _(g, _, x, *, eps):
    low, high, outside = (0.0, 1.0, math.nan) if eps is None else (eps, 1 - eps, 0.0)
    return (where_op(logical_or_op(lt_op(x, low), gt_op(x, high)), outside, g / (x * (1 - x))),)


# ---- for users ------------------------------------------------------------------------------------------------------


def erf(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Error function of each element: y = 2/sqrt(pi) * integral of e^(-t^2) from 0 to x (DLMF 7.2.1).

    Args:
        input: tensor of any type; integers and bools are computed in the default floating-point type.
        out: tensor that receives the result; resized if its shape differs.

    Returns:
        Tensor of input's shape.

    Example:
        >>> gpunet.erf(gpunet.tensor([0.0, 1.0]))
        tensor([0.0000, 0.8427])
    """
    return deliver(erf_op(input), out, "erf")


def erfc(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Complement of the error function: y = 1 - erf(x), accurate where that is small (DLMF 7.2.2).

    Args:
        input: tensor of any type; integers and bools are computed in the default floating-point type.
        out: tensor that receives the result; resized if its shape differs.

    Returns:
        Tensor of input's shape.

    Example:
        >>> gpunet.erfc(gpunet.tensor([0.0, 2.0]))
        tensor([1.0000, 0.0047])
    """
    return deliver(erfc_op(input), out, "erfc")


def erfinv(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Inverse of the error function: erf(y) = x, for x in [-1, 1]; outside it is NaN.

    Args:
        input: tensor of any type; integers and bools are computed in the default floating-point type.
        out: tensor that receives the result; resized if its shape differs.

    Returns:
        Tensor of input's shape.

    Example:
        >>> gpunet.erfinv(gpunet.tensor([0.0, 0.5]))
        tensor([0.0000, 0.4769])
    """
    return deliver(erfinv_op(input), out, "erfinv")


def lgamma(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Logarithm of the absolute value of the gamma function: y = ln |Gamma(x)| (DLMF 5.2.1).

    Args:
        input: tensor of any type; integers and bools are computed in the default floating-point type.
        out: tensor that receives the result; resized if its shape differs.

    Returns:
        Tensor of input's shape.

    Example:
        >>> gpunet.lgamma(gpunet.tensor([1.0, 4.0]))
        tensor([0.0000, 1.7918])
    """
    return deliver(lgamma_op(input), out, "lgamma")


def digamma(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Derivative of the logarithm of the gamma function: y = Gamma'(x) / Gamma(x) (DLMF 5.2.2).

    Args:
        input: tensor of any type; integers and bools are computed in the default floating-point type.
        out: tensor that receives the result; resized if its shape differs.

    Returns:
        Tensor of input's shape.

    Example:
        >>> gpunet.digamma(gpunet.tensor([1.0, 2.0]))
        tensor([-0.5772,  0.4228])
    """
    return deliver(polygamma_op(input, n=0), out, "digamma")


def polygamma(n: int, input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The n-th derivative of digamma: n = 0 is digamma itself, n = 1 the trigamma function (DLMF 5.15).

    Args:
        n: order of the derivative, at least 0.
        input: tensor of any type; integers and bools are computed in the default floating-point type.
        out: tensor that receives the result; resized if its shape differs.

    Returns:
        Tensor of input's shape.

    Raises:
        RuntimeError: n is negative.

    Example:
        >>> gpunet.polygamma(1, gpunet.tensor([1.0, 2.0]))
        tensor([1.6449, 0.6449])
    """
    return deliver(polygamma_op(input, n=_order(n)), out, "polygamma")


def _order(n):
    if n < 0:
        raise RuntimeError(f"polygamma: n must not be negative, got {n}")
    return n


def _polygamma_method(input: Tensor, n: int) -> Tensor:
    """The n-th derivative of digamma at each element: `gpunet.polygamma(n, input)`.

    Args:
        input: tensor of any type; integers and bools are computed in the default floating-point type.
        n: order of the derivative, at least 0.

    Returns:
        Tensor of input's shape.

    Raises:
        RuntimeError: n is negative.

    Example:
        >>> gpunet.tensor([1.0, 2.0]).polygamma(1)
        tensor([1.6449, 0.6449])
    """
    return polygamma_op(input, n=_order(n))


def _polygamma_in_place(input: Tensor, n: int) -> Tensor:
    """`polygamma`, the result stored in this tensor, which is returned."""
    return inplace(polygamma_op, input, n=_order(n))


def sinc(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Cardinal sine of each element: y = sin(pi x) / (pi x), and 1 at 0.

    Args:
        input: tensor of any type; integers and bools are computed in the default floating-point type.
        out: tensor that receives the result; resized if its shape differs.

    Returns:
        Tensor of input's shape.

    Example:
        >>> gpunet.sinc(gpunet.tensor([0.0, 0.5, 1.5]))
        tensor([ 1.0000,  0.6366, -0.2122])
    """
    return deliver(sinc_op(input), out, "sinc")


def xlogy(input: Tensor | Number, other: Tensor | Number, *, out: Tensor | None = None) -> Tensor:
    """A number times a logarithm: y = input * ln(other).

    It is 0 where `input` is 0, even if `other` is not positive, but NaN where `other` is NaN. Shapes broadcast.

    Args:
        input: tensor or number of any type; integers are computed in the default floating-point type.
        other: tensor or number, broadcastable with `input`; one of both is a tensor.
        out: tensor that receives the result; resized if its shape differs.

    Returns:
        Tensor of the broadcast shape and the promoted floating-point type.

    Raises:
        RuntimeError: the shapes do not broadcast, or the tensors are on different devices.

    Example:
        >>> gpunet.xlogy(gpunet.tensor([0.0, 2.0]), gpunet.tensor([0.0, 3.0]))
        tensor([0.0000, 2.1972])
    """
    return deliver(xlogy_op(input, other), out, "xlogy")


def logit(input: Tensor, eps: float | None = None, *, out: Tensor | None = None) -> Tensor:
    """Logarithm of the odds, the inverse of sigmoid: y = ln(x / (1 - x)).

    It is NaN outside of [0, 1].

    Args:
        input: tensor of any type; integers and bools are computed in the default floating-point type.
        eps: where given, the input is first brought into [eps, 1 - eps].
        out: tensor that receives the result; resized if its shape differs.

    Returns:
        Tensor of input's shape.

    Example:
        >>> gpunet.logit(gpunet.tensor([0.5, 0.9]))
        tensor([0.0000, 2.1972])
    """
    return deliver(logit_op(input, eps=eps), out, "logit")


METHODS = {"polygamma": _polygamma_method, "polygamma_": _polygamma_in_place}
for _name, _method in METHODS.items():
    _method.__name__, _method.__qualname__ = _name, f"Tensor.{_name}"
# The in-place forms, and what computes them: the op, where it takes what the function takes.
IN_PLACE = {f.__name__: f for f in (erf_op, erfc_op, erfinv_op, lgamma_op, sinc_op, xlogy_op)}
IN_PLACE |= {"digamma": digamma, "logit": logit}
