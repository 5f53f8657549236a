"""Activation functions, and dropout."""

from __future__ import annotations

import math

from gpunet.dispatch import op
from gpunet.ops import approximation
from gpunet.ops.arithmetic import clamp, mul
from gpunet.ops.compare import where
from gpunet.ops.elementary import exp, log1p, tanh
from gpunet.ops.rules import accumulator, binary, require_float, same
from gpunet.ops.special import erf

__all__ = ["relu", "sigmoid"]
IN_PLACE = ["relu", "sigmoid"]


@op(same)
def relu(xp, out, x):
    """max(x, 0)."""
    xp.maximum(x, 0, out=out)


@relu.gradient
def _(g, y):
    return (relu_grad(g, y),)


@op(binary)
def relu_grad(xp, out, g, y):
    """0 where y <= 0, else g (also where y is NaN, as in PyTorch)."""
    xp.copyto(out, g)
    xp.copyto(out, 0, where=y <= 0)


@relu_grad.gradient
def _(gg, _r, _g, y):
    return relu_grad(gg, y), None


def _float(x, **_):
    require_float(x, "activation")
    return x.shape, x.dtype


@op(same, promotes="float")
def sigmoid(xp, out, x):
    """1 / (1 + exp(-x)), without overflow: tanh(x / 2) / 2 + 1/2."""
    half = out.dtype.type(0.5)
    xp.multiply(x, half, out)
    xp.tanh(out, out)
    xp.multiply(out, half, out)
    xp.add(out, half, out)


@sigmoid.gradient
def _(g, y):
    return (g * (y * (1 - y)),)


_SQRT_2_OVER_PI = math.sqrt(2 / math.pi)
_GELU_CUBIC = 0.044715


@op(_float)
def gelu_op(xp, out, x):
    """x * (1 + erf(x / sqrt(2))) / 2."""
    wide = x.astype(accumulator(x.dtype), copy=False)
    phi = xp.empty(x.shape, wide.dtype)
    approximation.erf(xp, phi, wide * math.sqrt(0.5))
    phi += 1
    phi *= wide
    phi *= 0.5
    out[...] = phi


@gelu_op.gradient
def _(g, _, x):
    density = exp(x * x * -0.5) * (1 / math.sqrt(2 * math.pi))
    return (g * ((erf(x * math.sqrt(0.5)) + 1) * 0.5 + x * density),)


@gelu_op.composition
def _(x):
    return x * (0.5 * (1 + erf(x * math.sqrt(0.5))))


def gelu(input, approximate: str = "none"):
    """x * Phi(x), Phi the distribution function of the standard normal (Hendrycks and Gimpel, 2016).

    approximate="tanh" is the paper's closed form 0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))).
    """
    if approximate == "none":
        return gelu_op(input)
    if approximate != "tanh":
        raise RuntimeError(f"gelu: approximate must be 'none' or 'tanh', got {approximate!r}")
    inner = (input + _GELU_CUBIC * input * input * input) * _SQRT_2_OVER_PI
    return 0.5 * input * (1 + tanh(inner))


def silu(input):
    """x * sigmoid(x)."""
    return mul(input, sigmoid(input))


def softplus(input, beta: float = 1.0, threshold: float = 20.0):
    """log(1 + exp(beta x)) / beta; linear where beta x is above the threshold."""
    scaled = input * beta
    return where(scaled > threshold, input, log1p(exp(clamp(scaled, max=threshold))) / beta)

