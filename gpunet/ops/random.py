"""Random tensors and dropout. The numbers come from Philox (gpunet/random.py) and are the same on every device."""

from __future__ import annotations

import math

import numpy as np

from gpunet import devices, dtypes, random
from gpunet.dispatch import is_tensor, op
from gpunet.dtypes import BOOL_NP, FLOAT32_NP, FLOAT64_NP, INT64_NP
from gpunet.engine.modes import mode
from gpunet.kernel import Kernel
from gpunet.ops.creation import _shape, _type
from gpunet.ops.creation import tensor as tensor_of
from gpunet.ops.launching import THREADS, aligned, blocks_of, by_type, by_type_and_pack, pack_of, spread
from gpunet.ops.rules import accumulator, broadcast, require_float

__all__ = ["bernoulli", "dropout", "multinomial", "normal", "rand", "rand_like", "randint", "randint_like", "randn",
           "randn_like", "randperm"]

# Ops draw float32 or float64; half types are rounded from float32.


@op(lambda state, *, shape, dtype, offset: (shape, dtype), differentiable=False)
def uniform_op(xp, out, state, *, shape, dtype, offset):
    out.reshape(-1)[...] = random.uniform_numbers(state, offset, out.size, dtype)


@op(lambda state, *, shape, dtype, offset, mean, std: (shape, dtype), differentiable=False)
def normal_op(xp, out, state, *, shape, dtype, offset, mean, std):
    out.reshape(-1)[...] = mean + std * random.normal_numbers(state, offset, out.size, dtype)


@op(lambda state, *, shape, dtype, offset: (shape, dtype), differentiable=False)
def bits_op(xp, out, state, *, shape, dtype, offset):
    out.reshape(-1)[...] = random.words(state, offset, random.blocks_of(out.size, dtype)).reshape(-1)[: out.size]


def _kept(x, state, *, p, offset):
    require_float(x, "dropout")
    return (x.shape, x.dtype), (x.shape, BOOL_NP)


@op(_kept, outputs=2)
def dropout_op(xp, out, mask, x, state, *, p, offset):
    """x / (1 - p) where kept, else 0; an element is kept when its 24 random bits are not below p * 2^24."""
    words = random.words(state, offset, random.blocks_of(out.size, FLOAT32_NP)).reshape(-1)[: out.size]
    mask.reshape(-1)[...] = (words >> np.uint32(8)) >= dropout_threshold(p)
    xp.multiply(x, out.dtype.type(dropout_scale(p)), out)
    xp.multiply(out, mask, out)


def dropout_threshold(p: float) -> int:
    return math.ceil(p * (1 << 24))


def dropout_scale(p: float) -> float:
    return 1.0 / (1.0 - p) if p < 1.0 else 0.0


@dropout_op.gradient
def _(gradients, _y, mask, _x, _state, *, p, offset):
    return dropout_grad(gradients[0], mask, p=p), None


@op(lambda g, mask, *, p: (g.shape, g.dtype))
def dropout_grad(xp, out, g, mask, *, p):
    xp.multiply(g, out.dtype.type(dropout_scale(p)), out)
    xp.multiply(out, mask, out)


@dropout_grad.gradient
def _(gg, _y, _g, mask, *, p):
    return dropout_grad(gg, mask, p=p), None


def dropout(input, p: float = 0.5, training: bool = True, inplace: bool = False, *, generator=None):
    """Zeroes elements with probability p and scales the rest by 1 / (1 - p), so that the expectation stays
    (Srivastava et al., 2014). Without training, the input itself."""
    if not 0.0 <= p <= 1.0:
        raise ValueError(f"dropout: the probability must be between 0 and 1, got {p}")
    if not training or p == 0.0:
        return input
    size = input._array.size
    state, offset = (generator or random.default_generator).draw(input._device, random.blocks_of(size, FLOAT32_NP))
    result = dropout_op(input, state, p=p, offset=offset)[0]
    return input.copy_(result) if inplace else result


# ---- random tensors ------------------------------------------------------------------------------------------------


def _drawn(operation, shape, dtype, device, generator, requires_grad, **attrs):
    device = devices.get(device)
    wide = FLOAT64_NP if dtype == FLOAT64_NP else operation is bits_op and dtype or FLOAT32_NP
    state, offset = (generator or random.default_generator).draw(device, random.blocks_of(math.prod(shape), wide))
    result = operation(state, shape=shape, dtype=wide, offset=offset, **attrs)
    if wide != dtype:
        result = result.to(dtypes.public(dtype))
    return result.requires_grad_() if requires_grad else result


def rand(*size, generator=None, dtype=None, device=None, requires_grad=False):
    """Uniform numbers in [0, 1)."""
    return _drawn(uniform_op, _shape(size), _type(dtype), device, generator, requires_grad)


def randn(*size, generator=None, dtype=None, device=None, requires_grad=False):
    """Standard normal numbers."""
    return _drawn(normal_op, _shape(size), _type(dtype), device, generator, requires_grad, mean=0.0, std=1.0)


def normal(mean=0.0, std=1.0, size=None, *, generator=None, dtype=None, device=None, requires_grad=False):
    """Normal numbers of the given mean and standard deviation: of two numbers in the given size, or for each element
    of one or two tensors, which broadcast."""
    given = [x for x in (mean, std) if is_tensor(x)]
    _check_each("normal", std, "the standard deviation must not be negative", lambda std: std >= 0)
    if given:
        if size is not None:
            raise TypeError("normal: the size is that of the tensors; leave it out")
        shape = broadcast(*(tuple(x.shape) if is_tensor(x) else () for x in (mean, std)))
        draws = randn(shape, generator=generator, dtype=given[0].dtype, device=given[0]._device.name)
        return draws * (std.detach() if is_tensor(std) else std) + (mean.detach() if is_tensor(mean) else mean)
    if size is None:
        raise TypeError("normal: give a size, or the mean or the standard deviation as a tensor")
    return _drawn(normal_op, _shape((size,)), _type(dtype), device, generator, requires_grad, mean=float(mean),
                  std=float(std))


def randint(low, high=None, size=None, *, generator=None, dtype=None, device=None, requires_grad=False):
    """Integers from low (0 if left out) up to, not including, high; each value within 2^-32 of equally likely."""
    if size is None:
        low, high, size = 0, low, high
    if high <= low:
        raise RuntimeError(f"randint: expected low < high, got {low} and {high}")
    if high - low > 1 << 32:
        raise RuntimeError("randint: ranges above 2^32 are not supported")
    _check_range("randint", low, high, np.dtype(np.int64) if dtype is None else dtypes.as_numpy(dtype))
    words = _drawn(bits_op, _shape((size,)), np.dtype(np.uint32), device, generator, False)
    # word * range / 2^32 (Lemire): in int64 the product of two 32-bit numbers could overflow, so halves are used.
    wide, span = words.to(dtypes.int64), high - low
    upper, lower = wide // 65536, wide % 65536
    value = (upper * span + lower * span // 65536) // 65536 + low
    value = value.to(dtypes.int64 if dtype is None else dtype)
    return value.requires_grad_() if requires_grad else value


def _check_range(op, low, high, dtype) -> None:
    """Raises if the type does not have all integers from low up to, not including, high."""
    most = 1 << _exact_bits(dtype)
    least = 0 if dtype.kind in "ub" else -most
    if low < least or high - 1 > most - (dtype.kind in "iub"):
        raise RuntimeError(f"{op}: {dtypes.public(dtype)} does not have all integers from {low} to {high - 1}")


def randperm(n: int, *, generator=None, dtype=None, device=None):
    """The integers from 0 to n - 1 in random order: sorted by random 64-bit keys."""
    if n < 0:
        raise RuntimeError(f"randperm: n must not be negative, got {n}")
    _check_range("randperm", 0, n, np.dtype(np.int64) if dtype is None else dtypes.as_numpy(dtype))
    device = devices.get(device)
    generator = generator or random.default_generator
    state = np.array([generator.initial_seed(), 0], np.uint64)
    _, first = generator.draw(devices.cpu, random.blocks_of(2 * n, FLOAT32_NP))
    keys = random.words(state, first, random.blocks_of(2 * n, FLOAT32_NP)).reshape(-1)[: 2 * n].view(np.uint64)
    return tensor_of(np.argsort(keys, kind="stable"), dtype=dtype, device=device.name)


def _fill(tensor, values):
    if mode.grad and tensor._requires_grad:
        raise RuntimeError("random in-place fill: a tensor that requires gradients cannot be filled while operations "
                           "are recorded; use `with gpunet.no_grad():`")
    return tensor.copy_(values)


def uniform_(tensor, a: float = 0.0, b: float = 1.0, *, generator=None):
    """Fills the tensor with uniform numbers in [a, b)."""
    if not a <= b:
        raise RuntimeError(f"uniform_: the numbers are from [a, b), so a must not be larger than b; got {a} and {b}")
    values = rand(tensor.shape, generator=generator, dtype=tensor.dtype, device=tensor._device.name)
    return _fill(tensor, values * (b - a) + a)


def normal_(tensor, mean: float = 0.0, std: float = 1.0, *, generator=None):
    """Fills the tensor with normal numbers."""
    return _fill(tensor, normal(mean, std, tensor.shape, generator=generator, dtype=tensor.dtype,
                                device=tensor._device.name))


def _check_each(op, values, rule: str, holds) -> None:
    """Raises where a number, or an element of a tensor on the CPU, breaks a rule; on a GPU nobody waits to look."""
    if is_tensor(values) and values._device.type != "cpu":
        return
    array = np.asarray(values._array if is_tensor(values) else values)
    wrong = ~holds(array)
    if wrong.any():
        raise RuntimeError(f"{op}: {rule}, got {array[wrong].reshape(-1)[0]}")


def bernoulli(input, p: float | None = None, *, generator=None):
    """1 with the probability that each element gives (or with probability p), else 0."""
    if p is not None:
        return bernoulli_(input.new_empty(input.shape), p, generator=generator)
    require_float(input._array, "bernoulli")
    _check_each("bernoulli", input, "probabilities must be from 0 to 1", lambda p: (p >= 0) & (p <= 1))
    draws = rand(input.shape, generator=generator, dtype=input.dtype, device=input._device.name)
    return (draws < input).to(input.dtype)


def bernoulli_(tensor, p=0.5, *, generator=None):
    """Fills the tensor with ones with probability p (a number, or a tensor of probabilities), else zeros."""
    _check_each("bernoulli_", p, "probabilities must be from 0 to 1", lambda p: (p >= 0) & (p <= 1))
    draws = rand(tensor.shape, generator=generator, device=tensor._device.name)
    return _fill(tensor, (draws < p).to(tensor.dtype))


def _uniform_like(tensor, generator):
    """Numbers in [0, 1) for each element, in float64 for a float64 tensor, else in float32."""
    wide = dtypes.float64 if tensor._array.dtype == FLOAT64_NP else dtypes.float32
    return rand(tensor.shape, generator=generator, dtype=wide, device=tensor._device.name)


def exponential_(tensor, lambd: float = 1.0, *, generator=None):
    """Fills the tensor with exponentially distributed numbers of rate lambd."""
    if lambd <= 0:
        raise RuntimeError(f"exponential_: the rate must be positive, got {lambd}")
    return _fill(tensor, (1 - _uniform_like(tensor, generator)).log() / -lambd)


def geometric_(tensor, p: float, *, generator=None):
    """Fills the tensor with the number of trials up to the first success, each with probability p."""
    if not 0 < p < 1:
        raise RuntimeError(f"geometric_: the probability must be above 0 and below 1, got {p}")
    return _fill(tensor, ((1 - _uniform_like(tensor, generator)).log() / math.log1p(-p)).ceil().clamp(min=1))


def log_normal_(tensor, mean: float = 1.0, std: float = 2.0, *, generator=None):
    """Fills the tensor with numbers whose logarithms are normal, of the given mean and standard deviation."""
    if not std > 0:
        raise RuntimeError(f"log_normal_: the standard deviation must be positive, got {std}")
    return _fill(tensor, (randn_like(tensor, generator=generator) * std + mean).exp())


def cauchy_(tensor, median: float = 0.0, sigma: float = 1.0, *, generator=None):
    """Fills the tensor with Cauchy-distributed numbers."""
    if not sigma > 0:
        raise RuntimeError(f"cauchy_: sigma must be positive, got {sigma}")
    return _fill(tensor, ((_uniform_like(tensor, generator) - 0.5) * math.pi).tan() * sigma + median)


def _exact_bits(dtype) -> int:
    """The largest n for which the type has all integers from 0 to 2^n."""
    if dtype.kind in "iub":
        return 1 if dtype == BOOL_NP else 8 * dtype.itemsize - (dtype.kind == "i")
    return {2: 11 if dtype.kind == "f" else 8, 4: 24, 8: 53}[dtype.itemsize]


def random_(tensor, low: int | None = None, high: int | None = None, *, generator=None):
    """Fills the tensor with integers from low (0 if left out) up to, not including, high; without both up to the
    largest that the type counts exactly (at most 2^32 - 1)."""
    if high is None:
        low, high = 0, low
    if high is None:
        high = 1 << min(_exact_bits(tensor._array.dtype), 32)
    _check_range("random_", low, high, tensor._array.dtype)
    return _fill(tensor, randint(low, high, tensor.shape, generator=generator, device=tensor._device.name))


# ---- samples of categories -----------------------------------------------------------------------------------------


def _sampled(p, uniform, *, count, replacement):
    return (*p.shape[:-1], count), INT64_NP


@op(_sampled, differentiable=False)
def multinomial_op(xp, out, p, uniform, *, count, replacement):
    """With replacement by inversion; without it by a race: the categories whose exponential times are the shortest."""
    p = p.astype(FLOAT64_NP)
    if xp is np:
        _check_probabilities(p, count, replacement)
    if not replacement:
        out[...] = xp.argsort(xp.log1p(-uniform) / -p, axis=-1)[..., :count]
        return
    sums = xp.cumsum(p, axis=-1)
    sums /= sums[..., -1:].copy()
    rows = xp.arange(out.size // count).reshape(*out.shape[:-1], 1)  # one row after the other: one search for all
    found = xp.searchsorted((sums + rows).reshape(-1), (uniform + rows).reshape(-1), side="right").reshape(out.shape)
    out[...] = xp.minimum(found - rows * p.shape[-1], p.shape[-1] - 1)


def _check_probabilities(p, count, replacement):
    if not (np.isfinite(p) & (p >= 0)).all():
        raise RuntimeError("multinomial: the probabilities must be finite and not negative")
    if p.size and (p.sum(-1) <= 0).any():
        raise RuntimeError("multinomial: the sum of the probabilities must be positive")
    if not replacement and p.size and ((p > 0).sum(-1) < count).any():
        raise RuntimeError(f"multinomial: fewer than {count} categories have a probability; use replacement=True")


def multinomial(input, num_samples: int, replacement: bool = False, *, generator=None):
    """Category numbers (int64) drawn with probabilities proportional to a vector, or to each row of a matrix."""
    require_float(input._array, "multinomial")
    rank, categories = input._array.ndim, input._array.shape[-1] if input._array.ndim else 0
    if rank not in (1, 2):
        raise RuntimeError(f"multinomial: expected a vector or a matrix, got shape {tuple(input.shape)}")
    if num_samples <= 0 or not replacement and num_samples > categories:
        raise RuntimeError(f"multinomial: cannot draw {num_samples} of {categories} categories; draw at least one, or "
                           "use replacement=True")
    shape = (*input._array.shape[:-1], num_samples if replacement else categories)
    uniform = rand(shape, generator=generator, dtype=dtypes.float64, device=input._device.name)
    return multinomial_op(input, uniform, count=num_samples, replacement=replacement)


# ---- like another tensor -------------------------------------------------------------------------------------------


def randint_like(input, low, high=None, *, dtype=None, device=None, generator=None, requires_grad=False):
    """`randint` in the shape, type and device of `input`."""
    low, high = (0, low) if high is None else (low, high)
    return randint(low, high, input.shape, dtype=dtype or input.dtype, device=device or input._device.name,
                   generator=generator, requires_grad=requires_grad)


def rand_like(input, *, dtype=None, device=None, generator=None, requires_grad=False):
    """`rand` in the shape, type and device of `input`."""
    return rand(input.shape, dtype=dtype or input.dtype, device=device or input._device.name, generator=generator,
                requires_grad=requires_grad)


def randn_like(input, *, dtype=None, device=None, generator=None, requires_grad=False):
    """`randn` in the shape, type and device of `input`."""
    return randn(input.shape, dtype=dtype or input.dtype, device=device or input._device.name, generator=generator,
                 requires_grad=requires_grad)


METHODS = {"bernoulli": bernoulli, "bernoulli_": bernoulli_, "cauchy_": cauchy_, "exponential_": exponential_,
           "geometric_": geometric_, "log_normal_": log_normal_, "multinomial": multinomial, "normal_": normal_,
           "random_": random_, "uniform_": uniform_}

# ---- launches ------------------------------------------------------------------------------------------------------

_EXACT = ("-fmad=false",)
_random_bits = Kernel("random.cu", "random_bits", _EXACT)
_uniform = Kernel("random.cu", "uniform", _EXACT, lambda: [(FLOAT32_NP,), (FLOAT64_NP,)])
_normal = Kernel("random.cu", "normal", _EXACT, lambda: [(FLOAT32_NP,), (FLOAT64_NP,)])
_dropout = Kernel("random.cu", "dropout", _EXACT, lambda: ((*types, each) for types in by_type() for each in (4, 1)))
_dropout_backward = Kernel("random.cu", "dropout_backward", _EXACT, by_type_and_pack)


@bits_op.kernel
def _(cuda, out, state, *, shape, dtype, offset):
    _random_bits.on(cuda)(spread(cuda, blocks_of(out.size, 4)), THREADS, out, state, offset, out.size)


@uniform_op.kernel
def _(cuda, out, state, *, shape, dtype, offset):
    blocks = spread(cuda, blocks_of(out.size, 16 // out.itemsize))
    _uniform.on(cuda, out.dtype)(blocks, THREADS, out, state, offset, out.size)


@normal_op.kernel
def _(cuda, out, state, *, shape, dtype, offset, mean, std):
    blocks = spread(cuda, blocks_of(out.size, 16 // out.itemsize))
    _normal.on(cuda, out.dtype)(blocks, THREADS, out, state, offset, mean, std, out.size)


@dropout_op.kernel
def _(cuda, out, mask, x, state, *, p, offset):
    launch = _dropout.on(cuda, x.dtype, accumulator(x.dtype), 4 if aligned(out, mask, x) else 1)
    launch(spread(cuda, blocks_of(x.size, 4)), THREADS, out, mask, x, state, offset, dropout_threshold(p),
           dropout_scale(p), x.size)


@dropout_grad.kernel
def _(cuda, out, g, mask, *, p):
    pack = pack_of(g.dtype, out, g, mask)
    launch = _dropout_backward.on(cuda, g.dtype, accumulator(g.dtype), pack)
    launch(spread(cuda, blocks_of(g.size, pack)), THREADS, out, g, mask, dropout_scale(p), g.size)
