"""The ops of activation functions, element by element, and `relu` as function and method.

The other public functions, and `nn.functional.relu`, are in rectifiers.py and sigmoids.py.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from gpunet.dispatch import op
from gpunet.dtypes import BOOL_NP, FLOAT32_NP, HALF_TYPES, public
from gpunet.ops import approximation, elementwise, formulas, pointwise
from gpunet.ops.arithmetic import clamp_op
from gpunet.ops.conditions import logical_and_op, logical_or_op, where_op
from gpunet.ops.elementary import exp_op, tanh_op
from gpunet.ops.half import rounded_once
from gpunet.ops.host import fitted
from gpunet.ops.rules import accumulator, binary, floating, refuse_bool, same
from gpunet.ops.special import erf

if TYPE_CHECKING:
    from gpunet.tensor import Tensor

__all__ = ["relu"]


def _activation(rule):
    """Decorator: an op from `value(xp, x, **attrs)`, which is given x in the accumulating type."""

    def declare(value):
        def body(xp, out, x, **attrs):
            xp.copyto(out, value(xp, x.astype(accumulator(x.dtype), copy=False), **attrs), casting="unsafe")

        body.__name__, body.__doc__ = value.__name__, value.__doc__
        return op(rule, by_element=True)(body)

    return declare


def _gradient_op(value):
    """Decorator: the op of an activation's gradient, from `value(xp, g, x, **attrs)`, in the accumulating type."""

    def body(xp, out, g, x, **attrs):
        wide = accumulator(x.dtype)
        xp.copyto(out, value(xp, g.astype(wide, copy=False), x.astype(wide, copy=False), **attrs), casting="unsafe")

    body.__name__, body.__doc__ = value.__name__, value.__doc__
    return op(lambda g, x, **_: binary(g, x), by_element=True)(body)


def _at_once(gradient_op):
    """Decorator of a gradient's formula: devices whose kernels compute it in one go have it from this op, where it is
    not differentiated in turn."""

    def declare(formula):
        def gradient(g, _, x, *, joint=None, **attrs):
            if joint is not None and g._array.dtype == x._array.dtype:
                return (gradient_op(g, x, **attrs),)
            return formula(g, None, x, **attrs)

        return gradient

    return declare


def _no_bool(name, x):
    refuse_bool(x.dtype, name)
    return x


@op(same, ufunc=lambda x, order: np.maximum(_no_bool("relu", x), 0, order=order))
def relu_op(xp, out, x):
    """max(x, 0)."""
    xp.maximum(_no_bool("relu", x), 0, out=out)


@relu_op.gradient
def _(g, y):
    return (relu_grad_op(g, y),)


@op(binary)
def relu_grad_op(xp, out, g, y):
    """0 where y <= 0, else g (also where y is NaN, as in PyTorch)."""
    xp.copyto(out, g)
    xp.copyto(out, 0, where=y <= 0)


@relu_grad_op.gradient
def _(gg, _r, _g, y):
    return relu_grad_op(gg, y), None


def relu(input: Tensor) -> Tensor:
    """Rectified linear unit of each element: y = max(0, x).

    Args:
        input: tensor of any numeric type.

    Returns:
        Tensor of input's shape and type.

    Raises:
        RuntimeError: the input is of type bool.

    Example:
        >>> gpunet.relu(gpunet.tensor([-1.0, 2.0]))
        tensor([0., 2.])
    """
    return relu_op(input)


@op(same, promotes="float")
def sigmoid_op(xp, out, x):
    """1 / (1 + exp(-x)); for large -x the exponential is infinite and the result 0, as it should be."""
    wide = out if out.dtype not in HALF_TYPES else xp.empty(x.shape, FLOAT32_NP)
    one = wide.dtype.type(1)
    xp.negative(x, wide)
    xp.exp(wide, wide)
    xp.add(wide, one, wide)
    xp.divide(one, wide, wide)
    if wide is not out:
        xp.copyto(out, wide, casting="unsafe")


@sigmoid_op.gradient
def _(g, y):
    return (sigmoid_grad_op(g, y),)


@_gradient_op
def sigmoid_grad_op(xp, g, y):
    return g * (y * (1 - y))


@sigmoid_grad_op.gradient
@rounded_once
def _(v, _, g, y):
    return lambda: sigmoid_grad_op(v, y), lambda: v * g * (1 - 2 * y)


_SQRT_2_OVER_PI = math.sqrt(2 / math.pi)
_GELU_CUBIC = 0.044715
_DENSITY = 1 / math.sqrt(2 * math.pi)


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
def _(g, _, x):
    return (gelu_grad_op(g, x),)


@_gradient_op
def gelu_grad_op(xp, g, x):
    phi = xp.empty(x.shape, x.dtype)
    approximation.erf(xp, phi, x * math.sqrt(0.5))
    return g * ((phi + 1) * 0.5 + x * (xp.exp(x * x * -0.5) * _DENSITY))


@gelu_grad_op.gradient
@rounded_once
def _(v, _, g, x):
    return lambda: gelu_grad_op(v, x), lambda: v * g * (exp_op(x * x * -0.5) * _DENSITY * (2 - x * x))


@gelu_op.composition
def _(x):
    return x * (0.5 * (1 + erf(x * math.sqrt(0.5))))


@_activation(floating("gelu"))
def gelu_tanh_op(xp, x):
    return 0.5 * x * (1 + xp.tanh(_SQRT_2_OVER_PI * (x + _GELU_CUBIC * x * x * x)))


@gelu_tanh_op.gradient
def _(g, _, x):
    return (gelu_tanh_grad_op(g, x),)


@_gradient_op
def gelu_tanh_grad_op(xp, g, x):
    t = xp.tanh(_SQRT_2_OVER_PI * (x + _GELU_CUBIC * x * x * x))
    slope = _SQRT_2_OVER_PI * (1 + 3 * _GELU_CUBIC * x * x)
    return g * (0.5 * (1 + t) + 0.5 * x * (1 - t * t) * slope)


@gelu_tanh_grad_op.gradient
@rounded_once
def _(v, _, g, x):
    def curvature():
        t = tanh_op(_SQRT_2_OVER_PI * (x + _GELU_CUBIC * x * x * x))
        slope = _SQRT_2_OVER_PI * (1 + 3 * _GELU_CUBIC * x * x)
        bend = 6 * _SQRT_2_OVER_PI * _GELU_CUBIC * x
        return v * g * ((1 - t * t) * (slope + 0.5 * x * (bend - 2 * t * slope * slope)))

    return lambda: gelu_tanh_grad_op(v, x), curvature


@_activation(floating("silu"))
def silu_op(xp, x):
    return x / (1 + xp.exp(-x))


@silu_op.gradient
def _(g, _, x):
    return (silu_grad_op(g, x),)


@_gradient_op
def silu_grad_op(xp, g, x):
    s = 1 / (1 + xp.exp(-x))
    return g * (s * (1 + x * (1 - s)))


@silu_grad_op.gradient
@rounded_once
def _(v, _, g, x):
    def curvature():
        s = sigmoid_op(x)
        return v * g * (s * (1 - s) * (2 + x * (1 - 2 * s)))

    return lambda: silu_grad_op(v, x), curvature


@_activation(floating("softplus"))
def softplus_op(xp, x, *, beta, threshold):
    scaled = x * beta
    return xp.where(scaled > threshold, x, xp.log1p(xp.exp(scaled)) / beta)


@_gradient_op
def softplus_grad_op(xp, g, x, *, beta, threshold):
    return xp.where(x * beta > threshold, g, g / (1 + xp.exp(x * -beta)))


@softplus_op.gradient(joint=True)
@_at_once(softplus_grad_op)
def _(g, _, x, *, beta, threshold):
    scaled = x * beta
    return (g * where_op(scaled > threshold, 1.0, sigmoid_op(scaled)),)


@_activation(floating("logsigmoid"))
def logsigmoid_op(xp, x):
    return xp.minimum(x, 0) - xp.log1p(xp.exp(-xp.absolute(x)))


@logsigmoid_op.gradient
@rounded_once
def _(g, _, x):
    return (g * sigmoid_op(-x),)


@_activation(floating("mish"))
def mish_op(xp, x):
    return x * xp.tanh(xp.logaddexp(x, 0))


@_gradient_op
def mish_grad_op(xp, g, x):
    t = xp.tanh(xp.logaddexp(x, 0))
    return g * (t + x / (1 + xp.exp(-x)) * (1 - t * t))


@mish_op.gradient(joint=True)
@_at_once(mish_grad_op)
@rounded_once
def _(g, _, x):
    t = tanh_op(softplus_op(x, beta=1.0, threshold=20.0))
    return (g * (t + x * sigmoid_op(x) * (1 - t * t)),)


# ---- exponential on the left of 0 ----------------------------------------------------------------------------------


@_activation(floating("elu"))
def elu_op(xp, x, *, alpha, scale, rate):
    return xp.where(x > 0, x * scale, xp.expm1(xp.minimum(x, 0) * rate) * (alpha * scale))


@_gradient_op
def elu_grad_op(xp, g, x, *, alpha, scale, rate):
    return g * xp.where(x <= 0, xp.exp(xp.minimum(x, 0) * rate) * (alpha * scale * rate), scale)


@elu_op.gradient(joint=True)
@_at_once(elu_grad_op)
@rounded_once
def _(g, _, x, *, alpha, scale, rate):
    # Where x is large the exponential would overflow, and 0 times infinity spoil the second gradient. NaN is not <= 0:
    # its gradient is the scale, as in PyTorch.
    return (g * where_op(x <= 0, exp_op(clamp_op(x, low=None, high=0) * rate) * (alpha * scale * rate), scale),)


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


@leaky_relu_op.cpu(strided=True, types=elementwise.FLOATS)
def _(out, x, *, slope):
    elementwise.leaky_relu(out, x, slope)


@leaky_relu_op.gradient
def _(g, _, x, *, slope):
    return (leaky_relu_grad_op(g, x, slope=slope),)


@op(binary)
def leaky_relu_grad_op(xp, out, g, x, *, slope):
    """g where x > 0, else g * slope."""
    wide = g.astype(accumulator(g.dtype), copy=False)
    if 0 <= slope <= 1:  # the factor, 1 or the slope, without a choice
        xp.copyto(out, wide * xp.maximum(x > 0, wide.dtype.type(slope)), casting="unsafe")
    else:
        xp.copyto(out, xp.where(x > 0, wide, wide * slope), casting="unsafe")


@leaky_relu_grad_op.cpu(strided=True, types=elementwise.FLOATS)
def _(out, g, x, *, slope):
    elementwise.leaky_relu_grad(out, g, x, slope)


@leaky_relu_grad_op.gradient
def _(v, _, _g, x, *, slope):
    return leaky_relu_grad_op(v, x, slope=slope), None


@op(floating("prelu"), broadcasts=True, by_element=True)
def prelu_op(xp, out, x, weight):
    xp.copyto(out, xp.where(x > 0, x, x * weight))


@prelu_op.gradient
def _(g, _, x, weight):
    return lambda: where_op(x > 0, g, g * weight), lambda: where_op(x > 0, 0.0, g * x)


@_activation(same)
def threshold_op(xp, x, *, threshold, value):
    return xp.where(_no_bool("threshold", x) <= threshold, x.dtype.type(value), x)


@_gradient_op
def threshold_grad_op(xp, g, x, *, threshold, value):
    return xp.where(x <= threshold, 0, g)


@threshold_op.gradient(joint=True)
@_at_once(threshold_grad_op)
def _(g, _, x, *, threshold, value):
    return (where_op(x <= threshold, 0.0, g),)


def _bounds(x, *, low, high):
    if x.dtype == BOOL_NP or low < 0 and x.dtype.kind == "u":
        raise RuntimeError(f"hardtanh: not defined for {public(x.dtype)} with limits {low} and {high}; use .float()")
    fitted(low, x.dtype)
    fitted(high, x.dtype)
    return x.shape, x.dtype


@_activation(_bounds)
def hardtanh_op(xp, x, *, low, high):
    return xp.clip(x, x.dtype.type(low), x.dtype.type(high))


@hardtanh_op.cpu(strided=True, types=elementwise.FLOATS)
def _(out, x, *, low, high):
    elementwise.clamp(out, x, low, high)


hardtanh_op.kernel(pointwise.clamp)


@op(lambda g, x, *, low, high: (x.shape, x.dtype), differentiable=False, by_element=True)
def hardtanh_grad(xp, out, g, x, *, low, high):
    """The gradient of hardtanh."""
    xp.copyto(out, g)
    xp.copyto(out, 0, where=(x <= low) | (x >= high))


hardtanh_grad.kernel(pointwise.clamp_grad)


@hardtanh_op.gradient(joint=True)
def _(g, _, x, *, low, high, joint=None):
    if joint is not None and g._array.dtype == x._array.dtype:
        return (hardtanh_grad(g, x, low=low, high=high),)
    return (where_op(logical_or_op(x <= low, x >= high), 0.0, g),)


@_activation(floating("hardsigmoid"))
def hardsigmoid_op(xp, x):
    return xp.clip(x + 3, 0, 6) / 6


@_gradient_op
def hardsigmoid_grad_op(xp, g, x):
    return xp.where((x > -3) & (x < 3), g / 6, 0)


@hardsigmoid_op.gradient(joint=True)
def _(g, _, x, *, joint=None):
    if joint is not None:
        return (hardsigmoid_grad_op(g, x),)
    return (where_op(logical_and_op(x > -3, x < 3), g / 6, 0.0),)


@_activation(floating("hardswish"))
def hardswish_op(xp, x):
    return x * xp.clip(x + 3, 0, 6) / 6


@_gradient_op
def hardswish_grad_op(xp, g, x):
    return xp.where(x <= -3, 0, xp.where(x < 3, g * (x / 3 + 0.5), g))


@rounded_once
def _hardswish_gradient(g, x):
    return (where_op(x <= -3, 0.0, where_op(x < 3, g * (x / 3 + 0.5), g)),)


@hardswish_op.gradient(joint=True)
def _(g, _, x, *, joint=None):
    return _hardswish_gradient(g, x) if joint is None else (hardswish_grad_op(g, x),)


for _each in (hardsigmoid_op, hardswish_op, logsigmoid_op, hardsigmoid_grad_op, hardswish_grad_op):
    pointwise.declare(_each)


@_gradient_op
def shrink_grad_op(xp, g, x, *, lambd):
    return xp.where((x >= -lambd) & (x <= lambd), 0, g)


@_at_once(shrink_grad_op)
def _shrunk(g, _, x, *, lambd):
    return (where_op(logical_and_op(x >= -lambd, x <= lambd), 0.0, g),)


@_activation(floating("hardshrink"))
def hardshrink_op(xp, x, *, lambd):
    return xp.where((x >= -lambd) & (x <= lambd), x.dtype.type(0), x)


@_activation(floating("softshrink"))
def softshrink_op(xp, x, *, lambd):
    return x - xp.clip(x, -lambd, lambd)


hardshrink_op.gradient(joint=True)(_shrunk)
softshrink_op.gradient(joint=True)(_shrunk)
for _each in (leaky_relu_op, leaky_relu_grad_op, elu_op, elu_grad_op, softplus_op, softplus_grad_op, mish_op,
              mish_grad_op, threshold_op, threshold_grad_op, hardshrink_op, softshrink_op, shrink_grad_op):
    formulas.declare(_each)

elementwise.native(relu_op, relu_grad_op, sigmoid_op, sigmoid_grad_op, silu_op, silu_grad_op, gelu_op, gelu_grad_op,
                   gelu_tanh_op, gelu_tanh_grad_op)

IN_PLACE = {"relu": relu_op}
