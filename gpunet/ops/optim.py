"""The optimizers' updates: one op a parameter, in place.

`rate` and `step` are one-element float64 tensors in device memory, so that a recorded step can be replayed with new
values. The formulas are PyTorch's (torch.optim.SGD, Adam, AdamW).
"""

from __future__ import annotations

from gpunet.dispatch import op
from gpunet.ops.rules import accumulator


@op(lambda out, *_, **__: (out.shape, out.dtype))
def add_one(xp, out, x):
    """A step counter goes up by one."""
    xp.add(x, 1, out)


@op(None, outputs=2)
def sgd_step(xp, parameter, buffer, gradient, rate, step, *, momentum, dampening, weight_decay, nesterov, maximize):
    """Stochastic gradient descent (Sutskever et al., 2013, for momentum). `buffer` is empty without momentum."""
    wide = accumulator(parameter.dtype)
    rate = rate.astype(wide)
    slope = -gradient.astype(wide, copy=False) if maximize else gradient.astype(wide, copy=False)
    if weight_decay:
        slope = slope + weight_decay * parameter
    if momentum:
        # The first step takes the gradient as it is: the factors are chosen on the device, without a look at `step`.
        first = (step == 1).astype(wide)
        velocity = buffer * (momentum * (1 - first)) + slope * (1 - dampening * (1 - first))
        xp.copyto(buffer, velocity, casting="unsafe")
        slope = slope + momentum * velocity if nesterov else velocity
    xp.copyto(parameter, parameter - rate * slope, casting="unsafe")


@op(None, outputs=4)
def adam_step(xp, parameter, mean, square, largest, gradient, rate, step, *, beta1, beta2, eps, weight_decay, decoupled,
              maximize):
    """Adam (Kingma and Ba, 2015), AdamW if `decoupled` (Loshchilov and Hutter, 2019). `largest` is empty without
    amsgrad (Reddi et al., 2018)."""
    wide = accumulator(parameter.dtype)
    bias1 = 1 - beta1**step
    root_bias2 = xp.sqrt(1 - beta2**step).astype(wide)
    step_size = (rate / bias1).astype(wide)
    slope = -gradient.astype(wide, copy=False) if maximize else gradient.astype(wide, copy=False)
    weight = parameter.astype(wide, copy=False)
    if weight_decay and decoupled:
        weight = weight * (1 - rate * weight_decay).astype(wide)
    elif weight_decay:
        slope = slope + weight_decay * weight
    first = mean + (slope - mean) * (1 - beta1)
    second = square * beta2 + (1 - beta2) * slope * slope
    xp.copyto(mean, first, casting="unsafe")
    xp.copyto(square, second, casting="unsafe")
    if largest.size:
        second = xp.maximum(largest, second)
        xp.copyto(largest, second, casting="unsafe")
    update = xp.sqrt(second)
    update /= root_bias2
    update += eps
    xp.divide(first, update, out=update)
    update *= step_size
    xp.copyto(parameter, weight - update, casting="unsafe")
