"""The optimizers' updates: one call for all parameters that share their options, in place.

`rate` and `step` are one-element float64 tensors in device memory, so that a recorded step can be replayed with new
values. The formulas are PyTorch's (torch.optim), each said in `update`'s terms, for a GPU in kernels/optim.cu and for
the CPU in kernels/cpu/optim.cpp.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from gpunet.dispatch import OpFunction, op
from gpunet.dtypes import FLOAT32_NP, FLOAT64_NP
from gpunet.kernel import Kernel
from gpunet.native import Native
from gpunet.ops.launching import KERNEL_TYPES, THREADS, by_type
from gpunet.ops.many import sizes, tables
from gpunet.ops.rules import accumulator


def update(*shared: str) -> Callable[[Callable], OpFunction]:
    """Declares an update from body(xp, weight, *states, slope, rate, step, *, options).

    The body changes weight and states in place. These are the arrays themselves where they are as wide as the
    arithmetic, else wide copies; all have at least one dimension (0-d results would be mere numbers). slope: the
    gradient, with the sign of a descent and with weight decay, unless that is decoupled. rate, step: NumPy's scalars
    on the CPU, which are quicker than its 0-d arrays. Scalars are brought to the arrays' type with `.astype`.

    shared: which of "weight_decay" and "decoupled" the op has, beside "maximize" and the body's own options. It takes
    as outputs (parameter, *states) of each parameter, one after the other, then step; then the gradients and rate.
    With `count`, it first adds one to step.
    """

    def declare(body):
        names = inspect.signature(body).parameters.values()
        own = [p.name for p in names if p.kind is p.KEYWORD_ONLY]

        width = len(names) - len(own) - 4

        @functools.wraps(body)
        def whole(xp, *arrays, count, **options):
            step = arrays[_count_of(arrays, width) * width]
            if count:
                xp.add(step, 1, step)
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
    count = _count_of(arrays, width)
    step, rate = arrays[count * width], arrays[-1]
    for i in range(count):
        yield *arrays[i * width : (i + 1) * width], arrays[count * width + 1 + i], rate, step


def _count_of(arrays, width: int) -> int:
    """How many parameters an update has, whose arrays end with a step, the gradients and a rate."""
    return (len(arrays) - 2) // (width + 1)


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


# ---- on the GPU: one launch for all parameters, after one of a single block that counts the step ------------------


class _Rule(NamedTuple):
    """How kernels/optim.cu does an update.

    name: of its struct. prepares: what `prepare` computes. options: of `prepare`. constants: gives the struct's
    options from the update's. states: which of the states are arrays like the parameter; others are one number.
    """

    name: str
    prepares: int
    options: tuple[str, ...]
    constants: Callable[[dict[str, Any]], tuple[float, ...]]
    states: int


_SGD, _ADAM, _ADAMAX, _RADAM, _ADAGRAD, _PLAIN, _ASGD, _NADAM = range(8)  # Kind in optim.cu
_ROWS = 5
_SPELLED = {FLOAT32_NP: "float", FLOAT64_NP: "double"}


def _moment_rates(o):
    return 1 - o["beta1"], o["beta2"], 1 - o["beta2"], o["eps"]


_RULES: dict[str, _Rule] = {
    "sgd_step": _Rule("Sgd", _SGD, (), lambda o: (o["momentum"], 1 - o["dampening"], o["nesterov"]), 1),
    "asgd_step": _Rule("Asgd", _ASGD, ("lambd", "alpha", "t0"), lambda o: (), 1),
    "adam_step": _Rule("Adam", _ADAM, ("beta1", "beta2", "eps"), _moment_rates, 3),
    "adamax_step": _Rule("Adamax", _ADAMAX, ("beta1",), lambda o: (1 - o["beta1"], o["beta2"], o["eps"]), 2),
    "nadam_step": _Rule("NAdam", _NADAM, ("beta1", "beta2", "momentum_decay"), _moment_rates, 2),
    "radam_step": _Rule("RAdam", _RADAM, ("beta1", "beta2"), _moment_rates, 2),
    "adagrad_step": _Rule("Adagrad", _ADAGRAD, ("lr_decay",), lambda o: (o["eps"],), 1),
    "adadelta_step": _Rule("Adadelta", _PLAIN, (), lambda o: (o["rho"], 1 - o["rho"], o["eps"]), 2),
    "rmsprop_step": _Rule("RmsProp", _PLAIN, (),
                          lambda o: (o["alpha"], 1 - o["alpha"], o["eps"], o["momentum"]), 3),
    "rprop_step": _Rule("Rprop", _PLAIN, (),
                        lambda o: (o["etaminus"], o["etaplus"], o["step_size_min"], o["step_size_max"]), 2),
}


_USUAL = {"Sgd", "Adam"}  # rules that large tables and parameters of double numbers have kernels for


def _instances():
    return ((dtype, wide, f"{rule.name}<{_SPELLED[wide]}>", most)
            for rule in _RULES.values() for dtype, wide in by_type() for most in sizes(_ROWS)
            if rule.name in _USUAL or (dtype != FLOAT64_NP and most == sizes(_ROWS)[0]))


_update = Kernel("optim.cu", "update", instances=_instances)
_prepare = Kernel("optim.cu", "prepare")
_prepare_each = Kernel("optim.cu", "prepare_each", instances=lambda: [(sizes(_ROWS)[0],)])


def _on_gpu(update: Any) -> None:
    """Declares the launches of an update."""
    width, rule = update.width, _RULES[update.op.name]
    struct = {dtype: f"{rule.name}<{_SPELLED[wide]}>" for dtype, wide in by_type()}
    each = rule.prepares in (_ASGD, _NADAM)

    @update.kernel
    def _(cuda, *arrays, count, maximize, weight_decay=0, decoupled=False, **own):
        number = _count_of(arrays, width)
        outs, step, gradients, rate = arrays[: number * width], arrays[number * width], arrays[-1 - number : -1], \
            arrays[-1]
        dtype = outs[0].dtype
        if dtype not in KERNEL_TYPES or (dtype == FLOAT64_NP and rule.name not in _USUAL):
            return NotImplemented
        wide = accumulator(dtype)
        probe = next((i for i in range(number) if outs[i * width].size), 0)
        rows: list[Any] = [outs[::width], gradients, *[outs[state::width] for state in range(1, width)]]
        for i in range(2, 2 + rule.states):
            if rows[i][probe].size != outs[probe * width].size:  # a state that this update goes without
                rows[i] = [None] * number
            elif rows[i][probe].dtype != wide:
                return NotImplemented
        if gradients[0].dtype != dtype:
            return NotImplemented
        rows += [[None] * number] * (_ROWS - len(rows))
        constants = (*rule.constants(own), 0, 0, 0, 0)[:4]
        options = (*[own[name] for name in rule.options], 0, 0, 0)[:3]
        shrinking = weight_decay if decoupled else 0
        if step is rate:  # nothing depends on the count
            factors, one = rate, True
        else:
            factors, one = cuda.empty((number if each else 1, 4), rate.dtype), False
            if not each:
                _prepare.on(cuda)(1, 32, factors, step, rate, rule.prepares, count, *options, shrinking)
        for table in tables(cuda, *rows, large=rule.name in _USUAL):
            own_factors = factors[table.begin : table.end] if each else factors
            if each:
                _prepare_each.on(cuda, table.most)(1, THREADS, table.record, own_factors, step, rate, rule.prepares,
                                                   count and not table.begin, *options, shrinking)
            _update.on(cuda, dtype, wide, struct[dtype], table.most)(
                table.pieces, THREADS, table.record, own_factors, one, each, *constants,
                0 if decoupled else weight_decay, maximize)


for _each in (sgd_step, asgd_step, adam_step, adamax_step, nadam_step, radam_step, adagrad_step, adadelta_step,
              rmsprop_step, rprop_step):
    _on_gpu(_each)


# ---- native kernels: one call for all parameters ---------------------------------------------------------------------


def _native(update: Any, name: str, *options: str, has: int | None = None) -> None:
    """Declares the kernel `name` of optim.cpp, which takes these options in this order; then, if `has` is the place of
    a state that may be empty, whether there is one."""
    run, width = Native("optim.cpp", name), update.width

    @update.cpu(types=())
    def _(*arrays, count, maximize, weight_decay=0, decoupled=False, **own):
        number = _count_of(arrays, width)
        *arrays, rate = arrays
        step = arrays.pop(number * width)
        parameters = arrays[: number * width : width]
        if parameters[0].dtype != FLOAT32_NP or arrays[-1].dtype != FLOAT32_NP:
            return NotImplemented
        values = [float(own[option]) for option in options]
        if has is not None:
            values.append(float(parameters[0].size == arrays[has].size))
        run(arrays, [p.size for p in parameters], number, rate, step, count, float(weight_decay), decoupled, maximize,
            values)


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
