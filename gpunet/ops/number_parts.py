"""The step at 0, and floating-point numbers taken apart: mantissa and exponent, the next number of the type."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from gpunet.dispatch import op
from gpunet.dtypes import HALF_TYPES, public
from gpunet.ops import pointwise
from gpunet.ops.conditions import eq_op, where_op
from gpunet.ops.elementary import ldexp_op, zeros_like_gradient
from gpunet.ops.out import deliver
from gpunet.ops.rules import accumulator, binary, floating, refuse_integers

if TYPE_CHECKING:
    from gpunet.tensor import Tensor

__all__ = ["frexp", "heaviside", "nextafter"]

_INT32 = np.dtype("int32")


def _of_one_type(x, values):
    if not hasattr(x, "dtype") or not hasattr(values, "dtype"):
        raise TypeError("heaviside: input and values must both be tensors; make one of a number with gpunet.tensor")
    if x.dtype != values.dtype:
        raise RuntimeError(f"heaviside: input has type {public(x.dtype)}, values {public(values.dtype)}; convert one "
                           "with .to(dtype)")
    return binary(x, values)


@op(_of_one_type, differentiable=False)
def heaviside_op(xp, out, x, values):
    xp.copyto(out, xp.where(x == 0, values, (x > 0).astype(out.dtype)))


pointwise.declare(heaviside_op)


@op(floating("nextafter"), promotes="same", broadcasts=True, by_element=True)
def nextafter_op(xp, out, x, y):
    if out.dtype not in HALF_TYPES:
        xp.nextafter(x, y, out)
        return
    # The bits of numbers of one sign, read as integers, are in the order of their sizes.
    bits = x.view(np.int16)
    step = xp.where((x > 0) == (y > x), 1, -1).astype(np.int16)
    smallest = xp.where(y > 0, 1, np.iinfo(np.int16).min + 1).astype(np.int16)
    value = xp.where(x == 0, smallest, bits + step).view(out.dtype)
    xp.copyto(out, xp.where(x == y, y, xp.where((x != x) | (y != y), x + y, value)))


@nextafter_op.gradient
def _(g, _result, x, y):
    return lambda: where_op(eq_op(x, y), 0.0, g), lambda: zeros_like_gradient(g)  # as PyTorch's


def _mantissa_and_exponent(x):
    refuse_integers(x.dtype, "frexp")
    return (x.shape, x.dtype), (x.shape, _INT32)


@op(_mantissa_and_exponent, outputs=2)
def frexp_op(xp, mantissa, exponent, x):
    fraction, power = xp.frexp(x.astype(accumulator(x.dtype), copy=False))
    finite = xp.isfinite(fraction)
    xp.copyto(mantissa, fraction, casting="unsafe")
    xp.copyto(exponent, xp.where(finite, power, 0), casting="unsafe")


@frexp_op.gradient
def _(gradients, _mantissa, exponent, _x):
    return (ldexp_op(gradients[0], -exponent),)


# ---- for users ------------------------------------------------------------------------------------------------------


def heaviside(input: Tensor, values: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Heaviside's step: 0 where x < 0, 1 where x > 0, and `values` where x is 0. It has no gradient.

    Shapes broadcast. It is 0 for NaN, as in PyTorch.

    Args:
        input: tensor of any type.
        values: tensor of the same type, broadcastable with `input`.
        out: tensor that receives the result; resized if its shape differs.

    Returns:
        Tensor of the broadcast shape.

    Raises:
        RuntimeError: the types differ, or the shapes do not broadcast.

    Example:
        >>> gpunet.heaviside(gpunet.tensor([-1.5, 0.0, 2.0]), gpunet.tensor(0.5))
        tensor([0.0000, 0.5000, 1.0000])
    """
    return deliver(heaviside_op(input, values), out, "heaviside", exact=True)


def nextafter(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The next number of the type after `input`, in the direction of `other`; `other` where both are equal.

    Shapes broadcast.

    Args:
        input: tensor of a floating-point type.
        other: tensor of a floating-point type, broadcastable with `input`.
        out: tensor that receives the result; resized if its shape differs.

    Returns:
        Tensor of the broadcast shape and the promoted type.

    Raises:
        RuntimeError: the types are integers, or the shapes do not broadcast.

    Example:
        >>> one = gpunet.tensor(1.0)
        >>> gpunet.nextafter(one, gpunet.tensor(2.0)) - one == gpunet.finfo(gpunet.float32).eps
        tensor(True)
    """
    return deliver(nextafter_op(input, other), out, "nextafter")


class FrexpResult(NamedTuple):
    """What `frexp` returns."""

    mantissa: Tensor
    exponent: Tensor


def frexp(input: Tensor, *, out: tuple[Tensor, Tensor] | None = None) -> FrexpResult:
    """Mantissa and exponent: x = mantissa * 2^exponent with 0.5 <= |mantissa| < 1; of 0, infinities and NaN the
    mantissa is x and the exponent 0.

    Args:
        input: tensor of a floating-point type.
        out: two tensors that receive the results.

    Returns:
        Named tuple (mantissa, exponent): of input's shape, of its type and int32.

    Raises:
        RuntimeError: the input is of an integer type or bool.

    Example:
        >>> gpunet.frexp(gpunet.tensor([1.0, -3.5, 0.0])).mantissa
        tensor([ 0.5000, -0.8750,  0.0000])
    """
    return deliver(FrexpResult(*frexp_op(input)), out, "frexp", exact=True)


# The in-place forms, and the ops that compute them.
IN_PLACE = {"heaviside": heaviside_op, "nextafter": nextafter_op}
