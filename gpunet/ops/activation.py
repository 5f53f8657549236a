"""Activation functions. `nn.functional` has them by PyTorch's names, with `inplace`."""

from __future__ import annotations

import math

import numpy as np

from gpunet.dispatch import op
from gpunet.dtypes import BOOL_NP, FLOAT32_NP, HALF_TYPES, public
from gpunet.ops import approximation
from gpunet.ops.compare import logical_and, logical_or, where
from gpunet.ops.exponentials import exp
from gpunet.ops.half import rounded_once
from gpunet.ops.host import fitted
from gpunet.ops.inplace import with_inplace
from gpunet.ops.limits import clamp
from gpunet.ops.operators import abs
from gpunet.ops.pieces import chunk
from gpunet.ops.random import rand_like
from gpunet.ops.rules import accumulator, binary, check_dim, floating, require_float, same
from gpunet.ops.special import erf
from gpunet.ops.trigonometry import tanh

__all__ = ["hardshrink", "prelu", "relu", "sigmoid"]
IN_PLACE = ["relu", "sigmoid"]


def _activation(rule):
    """Decorator: an op from `value(xp, x, **attrs)`, which is given x in the accumulating type."""

    def declare(value):
        def body(xp, out, x, **attrs):
            xp.copyto(out, value(xp, x.astype(accumulator(x.dtype), copy=False), **attrs), casting="unsafe")

        body.__name__, body.__doc__ = value.__name__, value.__doc__
        return op(rule)(body)

    return declare


@op(same, ufunc=lambda x, order: np.maximum(x, 0, order=order))
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


@op(same, promotes="float")
def sigmoid(xp, out, x):
    """1 / (1 + exp(-x)); for large -x the exponential is infinite and the result 0, as it should be."""
    wide = out if out.dtype not in HALF_TYPES else xp.empty(x.shape, FLOAT32_NP)
    one = wide.dtype.type(1)
    xp.negative(x, wide)
    xp.exp(wide, wide)
    xp.add(wide, one, wide)
    xp.divide(one, wide, wide)
    if wide is not out:
        xp.copyto(out, wide, casting="unsafe")


@sigmoid.gradient
@rounded_once
def _(g, y):
    return (g * (y * (1 - y)),)


_SQRT_2_OVER_PI = math.sqrt(2 / math.pi)
_GELU_CUBIC = 0.044715


@op(floating("gelu"))
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
@rounded_once
def _(g, _, x):
    density = exp(x * x * -0.5) * (1 / math.sqrt(2 * math.pi))
    return (g * ((erf(x * math.sqrt(0.5)) + 1) * 0.5 + x * density),)


@gelu_op.composition
def _(x):
    return x * (0.5 * (1 + erf(x * math.sqrt(0.5))))


@_activation(floating("gelu"))
def gelu_tanh_op(xp, x):
    return 0.5 * x * (1 + xp.tanh(_SQRT_2_OVER_PI * (x + _GELU_CUBIC * x * x * x)))


@gelu_tanh_op.gradient
@rounded_once
def _(g, _, x):
    t = tanh(_SQRT_2_OVER_PI * (x + _GELU_CUBIC * x * x * x))
    slope = _SQRT_2_OVER_PI * (1 + 3 * _GELU_CUBIC * x * x)
    return (g * (0.5 * (1 + t) + 0.5 * x * (1 - t * t) * slope),)


def gelu(input, approximate: str = "none"):
    """x * Phi(x), Phi the distribution function of the standard normal (Hendrycks and Gimpel, 2016).

    approximate="tanh" is the paper's closed form 0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))).
    """
    if approximate == "none":
        return gelu_op(input)
    if approximate != "tanh":
        raise RuntimeError(f"gelu: approximate must be 'none' or 'tanh', got {approximate!r}")
    return gelu_tanh_op(input)


@_activation(floating("silu"))
def silu_op(xp, x):
    return x / (1 + xp.exp(-x))


@silu_op.gradient
@rounded_once
def _(g, _, x):
    y = sigmoid(x)
    return (g * (y * (1 + x * (1 - y))),)


@with_inplace
def silu(input):
    """x * sigmoid(x) (Hendrycks and Gimpel, 2016; also called swish)."""
    return silu_op(input)


@_activation(floating("softplus"))
def softplus_op(xp, x, *, beta, threshold):
    scaled = x * beta
    return xp.where(scaled > threshold, x, xp.log1p(xp.exp(scaled)) / beta)


@softplus_op.gradient
def _(g, _, x, *, beta, threshold):
    scaled = x * beta
    return (g * where(scaled > threshold, 1.0, sigmoid(scaled)),)


def softplus(input, beta: float = 1.0, threshold: float = 20.0):
    """log(1 + exp(beta x)) / beta; linear where beta x is above the threshold."""
    return softplus_op(input, beta=beta, threshold=threshold)


@_activation(floating("logsigmoid"))
def logsigmoid_op(xp, x):
    return xp.minimum(x, 0) - xp.log1p(xp.exp(-xp.absolute(x)))


@logsigmoid_op.gradient
@rounded_once
def _(g, _, x):
    return (g * sigmoid(-x),)


def logsigmoid(input):
    """log(sigmoid(x)), without overflow."""
    return logsigmoid_op(input)


@_activation(floating("mish"))
def mish_op(xp, x):
    return x * xp.tanh(xp.logaddexp(x, 0))


@mish_op.gradient
@rounded_once
def _(g, _, x):
    t = tanh(softplus(x))
    return (g * (t + x * sigmoid(x) * (1 - t * t)),)


@with_inplace
def mish(input):
    """x * tanh(softplus(x)) (Misra, 2019)."""
    return mish_op(input)


def softsign(input):
    """x / (1 + |x|)."""
    return input / (abs(input) + 1)


def tanhshrink(input):
    """x - tanh(x)."""
    return input - tanh(input)


def glu(input, dim: int = -1):
    """a * sigmoid(b), a and b the halves of the input along `dim` (Dauphin et al., 2017)."""
    require_float(input._array, "glu")
    shape = input._array.shape
    dim = check_dim(dim, len(shape), "glu")
    if not shape or shape[dim] % 2:
        raise RuntimeError(f"glu: expected an even size to halve, got shape {shape} and dim {dim}")
    return _gated(*chunk(input, 2, dim))


@rounded_once
def _gated(x, gate):
    return x * sigmoid(gate)


# ---- exponential on the left of 0 ----------------------------------------------------------------------------------


@_activation(floating("elu"))
def elu_op(xp, x, *, alpha, scale, rate):
    return xp.where(x > 0, x * scale, xp.expm1(xp.minimum(x, 0) * rate) * (alpha * scale))


@elu_op.gradient
@rounded_once
def _(g, _, x, *, alpha, scale, rate):
    # Where x is large the exponential would overflow, and 0 times infinity spoil the second gradient. NaN is not <= 0:
    # its gradient is the scale, as in PyTorch.
    return (g * where(x <= 0, exp(clamp(x, max=0) * rate) * (alpha * scale * rate), scale),)


@with_inplace
def elu(input, alpha: float = 1.0):
    """x, but alpha * (exp(x) - 1) where x <= 0 (Clevert et al., 2016)."""
    return elu_op(input, alpha=alpha, scale=1.0, rate=1.0)


@with_inplace
def celu(input, alpha: float = 1.0):
    """x, but alpha * (exp(x / alpha) - 1) where x <= 0 (Barron, 2017)."""
    if alpha == 0:
        raise RuntimeError("celu: alpha must not be 0 (ZeroDivisionError)")
    return elu_op(input, alpha=alpha, scale=1.0, rate=1 / alpha)


_SELU_ALPHA, _SELU_SCALE = 1.6732632423543772848170429916717, 1.0507009873554804934193349852946


@with_inplace
def selu(input):
    """elu with the alpha and the scale that keep mean 0 and variance 1 (Klambauer et al., 2017)."""
    return elu_op(input, alpha=_SELU_ALPHA, scale=_SELU_SCALE, rate=1.0)


# ---- straight pieces -----------------------------------------------------------------------------------------------


@op(floating("leaky_relu"))
def leaky_relu_op(xp, out, x, *, slope):
    x = x.astype(accumulator(x.dtype), copy=False)
    y = out if out.dtype == x.dtype else xp.empty(x.shape, x.dtype)
    xp.multiply(x, slope, y)
    if slope <= 1 and slope != 0:  # the larger one is right, and far faster than a choice; but 0 times infinity is NaN
        xp.maximum(x, y, out=y)
    else:
        xp.copyto(y, x, where=x > 0)
    if y is not out:
        xp.copyto(out, y, casting="unsafe")


@leaky_relu_op.gradient
def _(g, _, x, *, slope):
    return (leaky_relu_grad(g, x, slope=slope),)


@op(binary)
def leaky_relu_grad(xp, out, g, x, *, slope):
    """g where x > 0, else g * slope."""
    wide = g.astype(accumulator(g.dtype), copy=False)
    if 0 <= slope <= 1:  # the factor, 1 or the slope, without a choice
        xp.copyto(out, wide * xp.maximum(x > 0, wide.dtype.type(slope)), casting="unsafe")
    else:
        xp.copyto(out, xp.where(x > 0, wide, wide * slope), casting="unsafe")


@leaky_relu_grad.gradient
def _(v, _, _g, x, *, slope):
    return leaky_relu_grad(v, x, slope=slope), None


@with_inplace
def leaky_relu(input, negative_slope: float = 0.01):
    """x, but negative_slope * x where x <= 0."""
    return leaky_relu_op(input, slope=negative_slope)


@with_inplace
def rrelu(input, lower: float = 1 / 8, upper: float = 1 / 3, training: bool = False):
    """leaky_relu with slopes drawn from [lower, upper) in training, their mean otherwise (Xu et al., 2015)."""
    if lower > upper:
        raise RuntimeError(f"rrelu: lower must not be above upper, got {lower} and {upper}")
    if not training:
        return leaky_relu(input, (lower + upper) / 2)
    return where(input > 0, input, input * (rand_like(input) * (upper - lower) + lower))


@op(floating("prelu"), broadcasts=True)
def prelu_op(xp, out, x, weight):
    xp.copyto(out, xp.where(x > 0, x, x * weight))


@prelu_op.gradient
def _(g, _, x, weight):
    return lambda: where(x > 0, g, g * weight), lambda: where(x > 0, 0.0, g * x)


def prelu(input, weight):
    """x, but weight * x where x <= 0: one weight, or one for each channel (dimension 1)."""
    rank = input._array.ndim
    channels, count = input._array.shape[1] if rank > 1 else 1, weight._array.size
    if input._array.dtype != weight._array.dtype:
        raise RuntimeError(f"prelu: input type {input.dtype} and weight type {weight.dtype} differ; convert one")
    if weight._array.ndim > 1 or count not in (1, channels):
        raise RuntimeError(f"prelu: expected one weight or {channels}, one for each channel of the input's shape "
                           f"{tuple(input.shape)}, got weights of shape {tuple(weight.shape)}")
    return prelu_op(input, weight.reshape((count, *[1] * (rank - 2)) if count != 1 else ()))


@_activation(same)
def threshold_op(xp, x, *, threshold, value):
    return xp.where(x <= threshold, x.dtype.type(value), x)


@threshold_op.gradient
def _(g, _, x, *, threshold, value):
    return (where(x <= threshold, 0.0, g),)


@with_inplace
def threshold(input, threshold: float, value: float):
    """x where it is above the threshold, else `value`."""
    if input._array.dtype.kind in "iu":
        value = fitted(value, input._array.dtype)
    return threshold_op(input, threshold=threshold, value=value)


def _bounds(x, *, low, high):
    if x.dtype == BOOL_NP or low < 0 and x.dtype.kind == "u":
        raise RuntimeError(f"hardtanh: not defined for {public(x.dtype)} with limits {low} and {high}; use .float()")
    fitted(low, x.dtype), fitted(high, x.dtype)
    return x.shape, x.dtype


@_activation(_bounds)
def hardtanh_op(xp, x, *, low, high):
    return xp.clip(x, x.dtype.type(low), x.dtype.type(high))


@hardtanh_op.gradient
def _(g, _, x, *, low, high):
    return (where(logical_or(x <= low, x >= high), 0.0, g),)


@with_inplace
def hardtanh(input, min_val: float = -1.0, max_val: float = 1.0):
    """x brought into [min_val, max_val]; unlike that of `clamp`, the gradient at the limits is 0."""
    if min_val > max_val:
        raise ValueError(f"hardtanh: min_val must not be above max_val, got {min_val} and {max_val}")
    return hardtanh_op(input, low=min_val, high=max_val)


@with_inplace
def relu6(input):
    """min(max(x, 0), 6)."""
    return hardtanh_op(input, low=0.0, high=6.0)


@_activation(floating("hardsigmoid"))
def hardsigmoid_op(xp, x):
    return xp.clip(x + 3, 0, 6) / 6


@hardsigmoid_op.gradient
def _(g, _, x):
    return (where(logical_and(x > -3, x < 3), g / 6, 0.0),)


@with_inplace
def hardsigmoid(input):
    """min(max(x + 3, 0), 6) / 6, a sigmoid of straight pieces."""
    return hardsigmoid_op(input)


@_activation(floating("hardswish"))
def hardswish_op(xp, x):
    return x * xp.clip(x + 3, 0, 6) / 6


@hardswish_op.gradient
@rounded_once
def _(g, _, x):
    return (where(x <= -3, 0.0, where(x < 3, g * (x / 3 + 0.5), g)),)


@with_inplace
def hardswish(input):
    """x * hardsigmoid(x) (Howard et al., 2019)."""
    return hardswish_op(input)


def _shrunk(g, _, x, *, lambd):
    return (where(logical_and(x >= -lambd, x <= lambd), 0.0, g),)


@_activation(floating("hardshrink"))
def hardshrink_op(xp, x, *, lambd):
    return xp.where((x >= -lambd) & (x <= lambd), x.dtype.type(0), x)


@_activation(floating("softshrink"))
def softshrink_op(xp, x, *, lambd):
    return x - xp.clip(x, -lambd, lambd)


hardshrink_op.gradient(_shrunk)
softshrink_op.gradient(_shrunk)


def hardshrink(input, lambd: float = 0.5):
    """x, but 0 where |x| <= lambd."""
    return hardshrink_op(input, lambd=lambd)


def softshrink(input, lambd: float = 0.5):
    """x brought nearer to 0 by lambd; 0 where |x| <= lambd."""
    if lambd < 0:
        raise RuntimeError(f"softshrink: lambd must not be negative, got {lambd}")
    return softshrink_op(input, lambd=lambd)


celu_, elu_, hardtanh_, leaky_relu_, rrelu_, selu_, threshold_ = [
    function.in_place for function in (celu, elu, hardtanh, leaky_relu, rrelu, selu, threshold)]
