"""The optimizers' updates: one call for all parameters that share their options, in place.

`rate` and `step` are one-element float64 tensors in device memory, so that a recorded step can be replayed with new
values. The formulas are PyTorch's (torch.optim), each said once, in `update`'s terms; SGD and
Adam have CUDA kernels of their own, on the CPU each has a native one.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from typing import Any

from gpunet.dispatch import OpFunction, op
from gpunet.dtypes import FLOAT32_NP
from gpunet.kernel import Kernel
from gpunet.native import Native
from gpunet.ops.launching import THREADS, blocks_of, by_type_and_pack, pack_of, spread
from gpunet.ops.rules import accumulator


@op(lambda out, *_, **__: (out.shape, out.dtype))
def add_one(xp, out, x):
    """A step counter goes up by one."""
    xp.add(x, 1, out)


def update(*shared: str) -> Callable[[Callable], OpFunction]:
    """Declares an update from body(xp, weight, *states, slope, rate, step, *, options).

    The body changes weight and states in place. These are the arrays themselves where they are as wide as the
    arithmetic, else wide copies; all have at least one dimension (0-d results would be mere numbers). slope: the
    gradient, with the sign of a descent and with weight decay, unless that is decoupled. rate, step: NumPy's scalars
    on the CPU, which are quicker than its 0-d arrays. Scalars are brought to the arrays' type with `.astype`.

    shared: which of "weight_decay" and "decoupled" the op has, beside "maximize" and the body's own options. It takes
    as outputs (parameter, *states) of each parameter, one after the other; then the gradients, rate and step.
    """

    def declare(body):
        names = inspect.signature(body).parameters.values()
        own = [p.name for p in names if p.kind is p.KEYWORD_ONLY]

        width = len(names) - len(own) - 4

        @functools.wraps(body)
        def whole(xp, *arrays, **options):
            for each in _parameters(arrays, width):
                one(xp, *each, **options)

        def one(xp, parameter, *arrays, maximize, weight_decay=0, decoupled=False, **options):
            *states, slope, rate, step = arrays
            rate, step, kind, wide = rate[()], step[()], parameter.dtype, accumulator(parameter.dtype)
            weight, given = parameter, None
            if wide != kind or not parameter.ndim:
                given = parameter, *states
                weight, *states, slope = [
                    (x if x.ndim else x[None]).astype(wide if x.dtype == kind else x.dtype, copy=False)
                    for x in (parameter, *states, slope)
                ]
            if maximize:
                slope = -slope
            if weight_decay and decoupled:
                weight *= (1 - rate * weight_decay).astype(wide)
            elif weight_decay:
                slope = slope + weight_decay * weight
            body(xp, weight, *states, slope, rate, step, **options)
            for array, changed in zip(given or (), (weight, *states), strict=False):
                if changed.dtype != array.dtype:
                    xp.copyto(array, changed.reshape(array.shape), casting="unsafe")

        declared: Any = op(None, outputs=ANY_NUMBER)(whole)
        declared.options, declared.width = (*own, "maximize", *shared), width
        return declared

    return declare


ANY_NUMBER = -1  # of outputs


def _parameters(arrays, width: int) -> Iterator[tuple]:
    """What an update takes, for each parameter by itself: (parameter, *states, gradient, rate, step)."""
    *arrays, rate, step = arrays
    count = len(arrays) // (width + 1)
    for i in range(count):
        yield *arrays[i * width : (i + 1) * width], arrays[count * width + i], rate, step


@update("weight_decay")
def sgd_step(xp, weight, velocity, slope, rate, step, *, momentum, dampening, nesterov):
    """Stochastic gradient descent (Sutskever et al., 2013, for momentum). `velocity` is empty without momentum."""
    if momentum:
        # The first step takes the gradient as it is: the factors are chosen on the device, without a look at `step`.
        later = (step != 1).astype(weight.dtype)
        velocity *= momentum * later
        velocity += slope * (1 - dampening * later) if dampening else slope
        slope = slope + momentum * velocity if nesterov else velocity
    weight -= slope * rate.astype(weight.dtype)


@update("weight_decay")
def asgd_step(xp, weight, mean, eta, mu, slope, rate, step, *, lambd, alpha, t0):
    """Averaged stochastic gradient descent (Polyak and Juditsky, 1992). eta, mu: rate and share of this step."""
    wide = weight.dtype
    weight *= (1 - lambd * eta).astype(wide)
    weight -= slope * eta.astype(wide)
    mean += (weight - mean) * mu.astype(wide)
    eta[...] = rate / (1 + lambd * rate * step) ** alpha
    mu[...] = 1 / xp.maximum(1, step - t0)


def _moments(xp, mean, square, slope, beta1, beta2):
    """Moves the means of the gradient and of its square on. Returns an array to work in."""
    scratch = slope - mean
    scratch *= 1 - beta1
    mean += scratch
    xp.multiply(slope, 1 - beta2, scratch)
    scratch *= slope
    square *= beta2
    square += scratch
    return scratch


@update("weight_decay", "decoupled")
def adam_step(xp, weight, mean, square, largest, slope, rate, step, *, beta1, beta2, eps):
    """Adam (Kingma and Ba, 2015), AdamW if `decoupled` (Loshchilov and Hutter, 2019). `largest` is empty without
    amsgrad (Reddi et al., 2018)."""
    wide = weight.dtype
    root_bias2 = (1 - beta2**step) ** 0.5
    # The formula's sqrt(v) / root_bias2 + eps, all times root_bias2: one pass less.
    scratch = _moments(xp, mean, square, slope, beta1, beta2)
    xp.sqrt(xp.maximum(largest, square, out=largest) if largest.size else square, scratch)
    scratch += (eps * root_bias2).astype(wide)
    xp.divide(mean, scratch, scratch)
    scratch *= (rate * root_bias2 / (1 - beta1**step)).astype(wide)
    weight -= scratch


@update("weight_decay")
def adamax_step(xp, weight, mean, largest, slope, rate, step, *, beta1, beta2, eps):
    """Adamax (Kingma and Ba, 2015, section 7)."""
    mean += (slope - mean) * (1 - beta1)
    largest *= beta2
    xp.maximum(largest, abs(slope) + eps, out=largest)
    weight -= mean / largest * (rate / (1 - beta1**step)).astype(weight.dtype)


@update("weight_decay", "decoupled")
def nadam_step(xp, weight, mean, square, mu_product, slope, rate, step, *, beta1, beta2, eps, momentum_decay):
    """NAdam (Dozat, 2016)."""
    wide = weight.dtype
    mu, next_mu = [beta1 * (1 - 0.5 * 0.96 ** (t * momentum_decay)) for t in (step, step + 1)]
    mu_product *= mu
    root = _moments(xp, mean, square, slope, beta1, beta2)
    xp.multiply(square, (1 / (1 - beta2**step)).astype(wide), root)
    xp.sqrt(root, root)
    root += eps
    along = slope * (rate * (1 - mu) / (1 - mu_product)).astype(wide)
    along += mean * (rate * next_mu / (1 - mu_product * next_mu)).astype(wide)
    along /= root
    weight -= along


@update("weight_decay", "decoupled")
def radam_step(xp, weight, mean, square, slope, rate, step, *, beta1, beta2, eps):
    """RAdam (Liu et al., 2020): rho is the number of gradients that the mean square stands for; up to 5, plain momentum
    steps."""
    bias2 = 1 - beta2**step
    most = 2 / (1 - beta2) - 1
    rho = most - 2 * step * beta2**step / bias2
    rectified = rho > 5
    factor = xp.where(rectified, (rho - 4) * (rho - 2) * most / ((most - 4) * (most - 2) * rho) * bias2, 1) ** 0.5
    root = _moments(xp, mean, square, slope, beta1, beta2)
    xp.sqrt(square, root)
    root += eps
    along = mean / xp.where(rectified, root, 1)
    along *= (factor * rate / (1 - beta1**step)).astype(weight.dtype)
    weight -= along


@update("weight_decay")
def adagrad_step(xp, weight, total, slope, rate, step, *, lr_decay, eps):
    """Adagrad (Duchi et al., 2011)."""
    total += slope * slope
    weight -= slope / (xp.sqrt(total) + eps) * (rate / (1 + (step - 1) * lr_decay)).astype(weight.dtype)


@update("weight_decay")
def adadelta_step(xp, weight, square, lengths, slope, rate, step, *, rho, eps):
    """Adadelta (Zeiler, 2012). lengths: the mean of the squared steps."""
    square *= rho
    square += slope * slope * (1 - rho)
    along = xp.sqrt(lengths + eps) / xp.sqrt(square + eps) * slope
    lengths *= rho
    lengths += along * along * (1 - rho)
    weight -= along * rate.astype(weight.dtype)


@update("weight_decay")
def rmsprop_step(xp, weight, square, velocity, mean, slope, rate, step, *, alpha, eps, momentum, centered):
    """RMSprop (Hinton, 2012). `velocity` is empty without momentum, `mean` unless centered."""
    square *= alpha
    square += slope * slope * (1 - alpha)
    spread = square
    if centered:
        mean += (slope - mean) * (1 - alpha)
        spread = square - mean * mean
    along = slope / (xp.sqrt(spread) + eps)
    if momentum > 0:
        velocity *= momentum
        velocity += along
        along = velocity
    weight -= along * rate.astype(weight.dtype)


@update()
def rprop_step(xp, weight, before, size, slope, rate, step, *, etaminus, etaplus, step_size_min, step_size_max):
    """Rprop (Riedmiller and Braun, 1993): where the gradient's sign turns, no step, as in PyTorch (Rprop-)."""
    turn = before * slope
    size *= xp.where(turn > 0, etaplus, xp.where(turn < 0, etaminus, 1)).astype(weight.dtype)
    xp.clip(size, step_size_min, step_size_max, out=size)
    before[...] = xp.where(turn < 0, 0, slope)
    weight -= xp.sign(before) * size


# ---- on the GPU ----------------------------------------------------------------------------------------------------

_sgd = Kernel("optim.cu", "sgd", instances=by_type_and_pack)
_adam = Kernel("optim.cu", "adam", instances=by_type_and_pack)


def _launched(update: Any) -> Callable:
    """Decorator: the launch for one parameter, which is done for all."""

    def declare(launch):
        @update.kernel
        def _(cuda, *arrays, **options):
            for each in _parameters(arrays, update.width):
                launch(cuda, *each, **options)

    return declare


@_launched(sgd_step)
def _(cuda, parameter, buffer, gradient, rate, step, *, momentum, dampening, weight_decay, nesterov, maximize):
    buffer = buffer if momentum else None
    size, pack = parameter.size, pack_of(parameter.dtype, parameter, buffer, gradient)
    launch = _sgd.on(cuda, parameter.dtype, accumulator(parameter.dtype), pack)
    launch(spread(cuda, blocks_of(size, pack)), THREADS, parameter, gradient, buffer, rate, step, momentum,
           1.0 - dampening, weight_decay, nesterov, maximize, size)


@_launched(adam_step)
def _(cuda, parameter, mean, square, largest, gradient, rate, step, *, beta1, beta2, eps, weight_decay, decoupled,
      maximize):
    largest = largest if largest.size else None
    size, pack = parameter.size, pack_of(parameter.dtype, parameter, mean, square, largest, gradient)
    launch = _adam.on(cuda, parameter.dtype, accumulator(parameter.dtype), pack)
    launch(spread(cuda, blocks_of(size, pack)), THREADS, parameter, gradient, mean, square, largest, rate, step, beta1,
           beta2, eps, weight_decay, decoupled, maximize, size)


# ---- native kernels: one call for all parameters ---------------------------------------------------------------------


def _native(update: Any, name: str, *options: str, has: int | None = None) -> None:
    """Declares the kernel `name` of optim.cpp, which takes these options in this order; then, if `has` is the place of
    a state that may be empty, whether there is one."""
    run, width = Native("optim.cpp", name), update.width

    @update.cpu(types=())
    def _(*arrays, maximize, weight_decay=0, decoupled=False, **own):
        *arrays, rate, step = arrays
        count = len(arrays) // (width + 1)
        parameters = arrays[: count * width : width]
        if parameters[0].dtype != FLOAT32_NP or arrays[-1].dtype != FLOAT32_NP:
            return NotImplemented
        values = [float(own[option]) for option in options]
        if has is not None:
            values.append(float(parameters[0].size == arrays[has].size))
        run(arrays, [p.size for p in parameters], count, rate, step, float(weight_decay), decoupled, maximize, values)


_native(sgd_step, "sgd", "momentum", "dampening", "nesterov")
_native(asgd_step, "asgd", "lambd", "alpha", "t0")
_native(adam_step, "adam", "beta1", "beta2", "eps", has=3)
_native(adamax_step, "adamax", "beta1", "beta2", "eps")
_native(nadam_step, "nadam", "beta1", "beta2", "eps", "momentum_decay")
_native(radam_step, "radam", "beta1", "beta2", "eps")
_native(adagrad_step, "adagrad", "lr_decay", "eps")
_native(adadelta_step, "adadelta", "rho", "eps")
_native(rmsprop_step, "rmsprop", "alpha", "eps", "momentum", "centered")
_native(rprop_step, "rprop", "etaminus", "etaplus", "step_size_min", "step_size_max")
