"""The optimizers' updates: one op a parameter, in place.

`rate` and `step` are one-element float64 tensors in device memory, so that a recorded step can be replayed with new
values. The formulas are PyTorch's (torch.optim.SGD, Adam, AdamW).
"""

from __future__ import annotations

from gpunet.dispatch import op
from gpunet.kernel import Kernel
from gpunet.ops.launching import THREADS, blocks_of, pack_of, spread
from gpunet.ops.rules import accumulator


@op(lambda out, *_, **__: (out.shape, out.dtype))
def add_one(xp, out, x):
    """A step counter goes up by one."""
    xp.add(x, 1, out)


# The bodies work in the arrays themselves where these are as wide as the arithmetic, else in wide copies.


def _widen(parameter, *arrays):
    """The arrays in the type of the arithmetic and with at least one dimension (0-d results would be mere numbers)."""
    wide = accumulator(parameter.dtype)
    return [(x if x.ndim else x[None]).astype(wide, copy=False) for x in (parameter, *arrays)]


def _narrow(xp, *pairs):
    """Brings wide copies back to where they came from."""
    for array, wide in pairs:
        if wide.dtype != array.dtype:
            xp.copyto(array, wide.reshape(array.shape), casting="unsafe")


@op(None, outputs=2)
def sgd_step(xp, parameter, buffer, gradient, rate, step, *, momentum, dampening, weight_decay, nesterov, maximize):
    """Stochastic gradient descent (Sutskever et al., 2013, for momentum). `buffer` is empty without momentum."""
    weight, velocity, slope = _widen(parameter, buffer, gradient)
    if maximize:
        slope = -slope
    if weight_decay:
        slope = slope + weight_decay * weight
    if momentum:
        # The first step takes the gradient as it is: the factors are chosen on the device, without a look at `step`.
        later = (step != 1).astype(weight.dtype)
        velocity *= momentum * later
        velocity += slope * (1 - dampening * later) if dampening else slope
        slope = slope + momentum * velocity if nesterov else velocity
    weight -= slope * rate.astype(weight.dtype)
    _narrow(xp, (parameter, weight), (buffer, velocity))


@op(None, outputs=4)
def adam_step(xp, parameter, mean, square, largest, gradient, rate, step, *, beta1, beta2, eps, weight_decay, decoupled,
              maximize):
    """Adam (Kingma and Ba, 2015), AdamW if `decoupled` (Loshchilov and Hutter, 2019). `largest` is empty without
    amsgrad (Reddi et al., 2018)."""
    weight, first, second, most, slope = _widen(parameter, mean, square, largest, gradient)
    wide = weight.dtype
    step, rate = step[()], rate[()]  # NumPy's scalars are quicker than its 0-d arrays; CuPy has no difference
    root_bias2 = (1 - beta2**step) ** 0.5
    # The formula's sqrt(v) / root_bias2 + eps, all times root_bias2: one pass less.
    step_size = (rate * root_bias2 / (1 - beta1**step)).astype(wide)
    eps = (eps * root_bias2).astype(wide)
    if maximize:
        slope = -slope
    if weight_decay and decoupled:
        weight *= (1 - rate * weight_decay).astype(wide)
    elif weight_decay:
        slope = slope + weight_decay * weight
    scratch = slope - first
    scratch *= 1 - beta1
    first += scratch
    xp.multiply(slope, 1 - beta2, scratch)
    scratch *= slope
    second *= beta2
    second += scratch
    divisor = second
    if largest.size:
        divisor = xp.maximum(most, second, out=most)
    xp.sqrt(divisor, scratch)
    scratch += eps
    xp.divide(first, scratch, scratch)
    scratch *= step_size
    weight -= scratch
    _narrow(xp, (parameter, weight), (mean, first), (square, second), (largest, most))


# ---- on the GPU ----------------------------------------------------------------------------------------------------

_sgd = Kernel("optim.cu", "sgd")
_adam = Kernel("optim.cu", "adam")


@sgd_step.kernel
def _(cuda, parameter, buffer, gradient, rate, step, *, momentum, dampening, weight_decay, nesterov, maximize):
    buffer = buffer if momentum else None
    size, pack = parameter.size, pack_of(parameter.dtype, parameter, buffer, gradient)
    launch = _sgd.on(cuda, parameter.dtype, accumulator(parameter.dtype), pack)
    launch(spread(cuda, blocks_of(size, pack)), THREADS, parameter, gradient, buffer, rate, step, momentum, dampening,
           weight_decay, nesterov, maximize, size)


@adam_step.kernel
def _(cuda, parameter, mean, square, largest, gradient, rate, step, *, beta1, beta2, eps, weight_decay, decoupled,
      maximize):
    largest = largest if largest.size else None
    size, pack = parameter.size, pack_of(parameter.dtype, parameter, mean, square, largest, gradient)
    launch = _adam.on(cuda, parameter.dtype, accumulator(parameter.dtype), pack)
    launch(spread(cuda, blocks_of(size, pack)), THREADS, parameter, gradient, mean, square, largest, rate, step, beta1,
           beta2, eps, weight_decay, decoupled, maximize, size)
