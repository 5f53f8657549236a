"""Functions of the normal distribution, entropies, the multivariate gamma function; numerics in approximation.py."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from gpunet.dispatch import is_tensor, op
from gpunet.dtypes import Number
from gpunet.ops import approximation
from gpunet.ops.conditions import eq_op, le_op, logical_and_op, where_op
from gpunet.ops.elementary import exp_op, log1p_op, log_op
from gpunet.ops.out import deliver
from gpunet.ops.ranges import arange
from gpunet.ops.reduce import sum
from gpunet.ops.rules import accumulator, binary, same
from gpunet.ops.shape import unsqueeze
from gpunet.ops.special import lgamma_op

if TYPE_CHECKING:
    from gpunet.tensor import Tensor

__all__ = ["mvlgamma"]

_SQRT_2_PI = math.sqrt(2 * math.pi)


def _declare(name, gradient):
    """An op that is one function of approximation.py."""

    def body(xp, out, x):
        getattr(approximation, name)(xp, out, x)

    body.__name__ = name
    declared = op(same, promotes="float", by_element=True)(body)
    declared.gradient(gradient)
    return declared


ndtr_op = _declare("ndtr", lambda g, _, x: (g * exp_op(x * x * -0.5) / _SQRT_2_PI,))
ndtri_op = _declare("ndtri", lambda g, y, _x: (g * exp_op(y * y * 0.5) * _SQRT_2_PI,))
erfcx_op = _declare("erfcx", lambda g, y, x: (g * (2 * x * y - 2 / math.sqrt(math.pi)),))


def _log_ndtr_gradient(g, y, x):
    """exp(-x^2 / 2 - y) / sqrt(2 pi), in whose exponent large numbers cancel where x is far below 0: there by erfcx."""
    low, below = x.clamp(max=0), x < 0
    above = exp_op(x.clamp(min=0) ** 2 * -0.5 - where_op(below, 0.0, y)) / _SQRT_2_PI
    return (g * where_op(below, math.sqrt(2 / math.pi) / erfcx_op(low * -math.sqrt(0.5)), above),)


log_ndtr_op = _declare("log_ndtr", _log_ndtr_gradient)
entr_op = _declare("entr", lambda g, _, x: (g * (-log_op(x) - 1),))


@op(binary, promotes="float", opmath=True, broadcasts=True)
def xlog1py_op(xp, out, x, y):
    wide = accumulator(out.dtype)
    x = x if isinstance(x, (int, float)) else x.astype(wide, copy=False)
    y = y if isinstance(y, (int, float)) else y.astype(wide, copy=False)
    xp.copyto(out, xp.where((x == 0) & (y == y), 0.0, x * xp.log1p(y)), casting="unsafe")


@xlog1py_op.gradient(needs=("x y", "x y"))
def _(g, _, x, y):
    def by_x():
        if is_tensor(y):
            return where_op(logical_and_op(eq_op(x, 0), le_op(y, -1)), 0.0, g * log1p_op(y))
        logarithm = math.log1p(y) if y > -1 else -math.inf if y == -1 else math.nan
        return where_op(eq_op(x, 0), 0.0, g * logarithm) if y <= -1 else g * logarithm

    return by_x, lambda: g * (x / (y + 1))


# ---- for users ------------------------------------------------------------------------------------------------------


def ndtr(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Distribution function of the standard normal distribution: the part of its area up to x.

    Args:
        input: tensor of any type; integers and bools are computed in the default floating-point type.
        out: tensor that receives the result; resized if its shape differs.

    Returns:
        Tensor of input's shape.

    Example:
        >>> gpunet.special.ndtr(gpunet.tensor([0.0, 1.0]))
        tensor([0.5000, 0.8413])
    """
    return deliver(ndtr_op(input), out, "ndtr")


def ndtri(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Inverse of `ndtr`: the x up to which the standard normal distribution has this part of its area.

    Args:
        input: tensor of any type; integers and bools are computed in the default floating-point type. Outside [0, 1]
            the result is NaN.
        out: tensor that receives the result; resized if its shape differs.

    Returns:
        Tensor of input's shape.

    Example:
        >>> gpunet.special.ndtri(gpunet.tensor([0.5, 0.975]))
        tensor([0.0000, 1.9600])
    """
    return deliver(ndtri_op(input), out, "ndtri")


def log_ndtr(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Logarithm of `ndtr`, exact also where that is tiny.

    Args:
        input: tensor of any type; integers and bools are computed in the default floating-point type.
        out: tensor that receives the result; resized if its shape differs.

    Returns:
        Tensor of input's shape.

    Example:
        >>> gpunet.special.log_ndtr(gpunet.tensor([0.0, -40.0]))
        tensor([-6.9315e-01, -8.0461e+02])
    """
    return deliver(log_ndtr_op(input), out, "log_ndtr")


def erfcx(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Scaled complement of the error function: y = exp(x^2) erfc(x), which does not vanish for a large x.

    Args:
        input: tensor of any type; integers and bools are computed in the default floating-point type.
        out: tensor that receives the result; resized if its shape differs.

    Returns:
        Tensor of input's shape.

    Example:
        >>> gpunet.special.erfcx(gpunet.tensor([0.0, 10.0]))
        tensor([1.0000, 0.0561])
    """
    return deliver(erfcx_op(input), out, "erfcx")


def entr(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """A probability's part of the entropy: y = -x ln(x), 0 at 0 and -inf below.

    Args:
        input: tensor of any type; integers and bools are computed in the default floating-point type.
        out: tensor that receives the result; resized if its shape differs.

    Returns:
        Tensor of input's shape.

    Example:
        >>> gpunet.special.entr(gpunet.tensor([0.0, 0.5]))
        tensor([0.0000, 0.3466])
    """
    return deliver(entr_op(input), out, "entr")


def xlog1py(input: Tensor | Number, other: Tensor | Number, *, out: Tensor | None = None) -> Tensor:
    """A number times a logarithm: y = input * ln(1 + other).

    It is 0 where `input` is 0, even if `other` is at most -1, but NaN where `other` is NaN. Shapes broadcast.

    Args:
        input: tensor or number of any type; integers are computed in the default floating-point type.
        other: tensor or number, broadcastable with `input`; one of both is a tensor.
        out: tensor that receives the result; resized if its shape differs.

    Returns:
        Tensor of the broadcast shape and the promoted floating-point type.

    Raises:
        RuntimeError: the shapes do not broadcast, or the tensors are on different devices.

    Example:
        >>> gpunet.special.xlog1py(gpunet.tensor([0.0, 2.0]), gpunet.tensor([-1.0, 2.0]))
        tensor([0.0000, 2.1972])
    """
    return deliver(xlog1py_op(input, other), out, "xlog1py")


def mvlgamma(input: Tensor, p: int, *, out: Tensor | None = None) -> Tensor:
    """Logarithm of the multivariate gamma function of dimension p: p (p - 1) / 4 ln(pi) + the sum of
    ln Gamma(x - i / 2) over i from 0 to p - 1.

    Args:
        input: tensor of any type, greater than (p - 1) / 2; integers are computed in the default floating-point type.
        p: the dimension, at least 1.
        out: tensor that receives the result; resized if its shape differs.

    Returns:
        Tensor of input's shape.

    Raises:
        RuntimeError: p is less than 1.

    Example:
        >>> gpunet.mvlgamma(gpunet.tensor([3.0]), 2)
        tensor([1.5502])
    """
    if p < 1:
        raise RuntimeError(f"mvlgamma: p has to be greater than or equal to 1, got {p}")
    x = input if input.is_floating_point() else input + 0.0
    halves = arange(p, dtype=x.dtype, device=x.device) * -0.5
    found = sum(lgamma_op(unsqueeze(x, -1) + halves), -1) + p * (p - 1) / 4 * math.log(math.pi)
    return deliver(found, out, "mvlgamma")


IN_PLACE = {"mvlgamma": mvlgamma}  # the in-place form, and what computes it
