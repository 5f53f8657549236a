"""Tensors of random numbers. In-place forms are in fills.py, the ops in drawing.py."""

from __future__ import annotations

import math
from collections.abc import Sequence
from operator import index
from typing import TYPE_CHECKING, Any

import numpy as np

from gpunet import devices, dtypes, random
from gpunet._channels_last import leans_last
from gpunet._layouts import check_layout, in_channels_last
from gpunet.dispatch import is_tensor
from gpunet.dtypes import BOOL_NP, FLOAT32_NP, FLOAT64_NP
from gpunet.ops.creation import sizes_of, type_of
from gpunet.ops.drawing import bits_op, multinomial_op, normal_op, order_op, uniform_op
from gpunet.ops.out import deliver
from gpunet.ops.rules import broadcast, require_float
from gpunet.ops.views import copied

if TYPE_CHECKING:
    from gpunet._layouts import layout as Layout
    from gpunet._layouts import memory_format as MemoryFormat
    from gpunet.devices import device as Device
    from gpunet.random import Generator
    from gpunet.tensor import Tensor

    Type = dtypes.dtype | type
    Place = Device | str | int

__all__ = ["bernoulli", "multinomial", "normal", "rand", "rand_like", "randint", "randint_like", "randn", "randn_like",
           "randperm"]


def rand(*sizes: int | Sequence[int], size: Sequence[int] | None = None, generator: Generator | None = None,
         out: Tensor | None = None, dtype: Type | None = None, layout: Layout | None = None,
         device: Place | None = None, requires_grad: bool = False, pin_memory: bool | None = None) -> Tensor:
    """Uniform random numbers in [0, 1).

    Args:
        sizes: the shape, size by size or as one sequence.
        size: the shape by name.
        generator: where the numbers come from; None for the default generator.
        out: tensor that receives the result; resized if its shape differs.
        dtype: type of the elements. None: out's, or the default floating-point type.
        layout: `gpunet.strided`, the only one.
        device: where the tensor is. None: where out is, or the default device.
        requires_grad: whether gradients are collected for it.
        pin_memory: accepted and ignored: the host's memory is never pinned.

    Returns:
        Tensor of the given shape.

    Raises:
        RuntimeError: the type is not a floating-point one, a size is negative, or dtype is not out's.

    Example:
        >>> gpunet.rand(2, 3).shape
        gpunet.Size([2, 3])
    """
    made = _drawn("rand", uniform_op, sizes_of("rand", sizes, size), _float("rand", dtype, out), out, layout, device,
                  generator, requires_grad)
    return deliver(made, out, "rand")


def randn(*sizes: int | Sequence[int], size: Sequence[int] | None = None, generator: Generator | None = None,
          out: Tensor | None = None, dtype: Type | None = None, layout: Layout | None = None,
          device: Place | None = None, requires_grad: bool = False, pin_memory: bool | None = None) -> Tensor:
    """Random numbers of the standard normal distribution, with mean 0 and variance 1.

    Args:
        sizes: the shape, size by size or as one sequence.
        size: the shape by name.
        generator: where the numbers come from; None for the default generator.
        out: tensor that receives the result; resized if its shape differs.
        dtype: type of the elements. None: out's, or the default floating-point type.
        layout: `gpunet.strided`, the only one.
        device: where the tensor is. None: where out is, or the default device.
        requires_grad: whether gradients are collected for it.
        pin_memory: accepted and ignored: the host's memory is never pinned.

    Returns:
        Tensor of the given shape.

    Raises:
        RuntimeError: the type is not a floating-point one, a size is negative, or dtype is not out's.

    Example:
        >>> gpunet.randn(2, 3).shape
        gpunet.Size([2, 3])
    """
    made = _drawn("randn", normal_op, sizes_of("randn", sizes, size), _float("randn", dtype, out), out, layout, device,
                  generator, requires_grad, mean=0.0, std=1.0)
    return deliver(made, out, "randn")


def _drawn(name, operation, shape, dtype, out, layout, device, generator, requires_grad, **attrs) -> Any:
    if layout is not None:
        check_layout(name, layout)
    place: Any = devices.get(device if device is not None or out is None else out._device.name)
    wide = FLOAT64_NP if dtype == FLOAT64_NP else operation is bits_op and dtype or FLOAT32_NP
    state, offset = (generator or random.default_generator).draw(place, random.blocks_of(math.prod(shape), wide))
    result = operation(state, shape=shape, dtype=wide, offset=offset, **attrs)
    if wide != dtype:
        result = result.to(dtypes.public(dtype))
    return result.requires_grad_() if requires_grad else result


def _float(name, dtype, out):
    """The NumPy type to draw, a floating-point one."""
    found = type_of(name, dtype, out)
    if dtypes.category(found) != dtypes.FLOAT:
        raise RuntimeError(f"{name}: the numbers are of a floating-point type, and cannot be cast to "
                           f"{dtypes.public(found)}; use randint for integers")
    return found


def normal(mean: float | Tensor = 0.0, std: float | Tensor = 1.0, size: Sequence[int] | None = None, *,
           generator: Generator | None = None, out: Tensor | None = None, dtype: Type | None = None,
           layout: Layout | None = None, device: Place | None = None, requires_grad: bool = False,
           pin_memory: bool | None = None) -> Tensor:
    """Random numbers of normal distributions: of two numbers in a size, or for each element of tensors.

    Args:
        mean: mean, or a tensor with the mean of each element.
        std: standard deviation, or a tensor with that of each element; mean and std broadcast.
        size: the shape, if mean and std are numbers.
        generator: where the numbers come from; None for the default generator.
        out: tensor that receives the result; resized if its shape differs.
        dtype: type of the elements. None: out's, a tensor's, or the default floating-point type.
        layout: `gpunet.strided`, the only one.
        device: where the tensor is. None: where out is, or the default device.
        requires_grad: whether gradients are collected for it.
        pin_memory: accepted and ignored: the host's memory is never pinned.

    Returns:
        Tensor of the given shape, or of that to which mean and std broadcast.

    Raises:
        RuntimeError: a standard deviation is negative, or mean and std do not broadcast.
        TypeError: there is neither a size nor a tensor, or both.

    Example:
        >>> gpunet.normal(0.0, 2.0, (2, 3)).shape
        gpunet.Size([2, 3])
    """
    check_each("normal", std, "the standard deviation must not be negative", lambda std: std >= 0)
    given = [x for x in (mean, std) if is_tensor(x)]
    if given:
        if size is not None:
            raise TypeError("normal: the size is that of the tensors; leave it out")
        return deliver(_around(mean, std, given[0], generator), out, "normal")
    if size is None:
        raise TypeError("normal: give a size, or the mean or the standard deviation as a tensor")
    shape: Any = sizes_of("normal", (), size)
    made = _drawn("normal", normal_op, shape, _float("normal", dtype, out), out, layout, device, generator,
                  requires_grad, mean=float(mean), std=float(std))
    return deliver(made, out, "normal")


def _around(mean, std, like, generator):
    shape = broadcast(*(tuple(x.shape) if is_tensor(x) else () for x in (mean, std)))
    draws = randn(shape, generator=generator, dtype=like.dtype, device=like._device.name)
    return draws * (std.detach() if is_tensor(std) else std) + (mean.detach() if is_tensor(mean) else mean)


def check_each(op: str, values: Any, rule: str, holds: Any) -> None:
    """Raises where a number, or an element of a tensor on the CPU, breaks a rule; on a GPU nobody waits to look."""
    if is_tensor(values) and values._device.type != "cpu":
        return
    array = np.asarray(values._array if is_tensor(values) else values)
    wrong = ~holds(array)
    if wrong.any():
        raise RuntimeError(f"{op}: {rule}, got {array[wrong].reshape(-1)[0]}")


# ---- integers -------------------------------------------------------------------------------------------------------


def randint(low: Any = 0, high: Any = None, size: Sequence[int] | None = None, *, generator: Generator | None = None,
            out: Tensor | None = None, dtype: Type | None = None, layout: Layout | None = None,
            device: Place | None = None, requires_grad: bool = False, pin_memory: bool | None = None) -> Tensor:
    """Random integers from `low` up to, not including, `high`: `randint(high, size)` or `randint(low, high, size)`.

    Each is equally likely to within 2^-32.

    Args:
        low: the smallest integer; 0 if left out.
        high: the integer above the largest, at most low + 2^32.
        size: the shape.
        generator: where the numbers come from; None for the default generator.
        out: tensor that receives the result; resized if its shape differs.
        dtype: type of the elements. None: out's, or int64.
        layout: `gpunet.strided`, the only one.
        device: where the tensor is. None: where out is, or the default device.
        requires_grad: whether gradients are collected for it.
        pin_memory: accepted and ignored: the host's memory is never pinned.

    Returns:
        Tensor of the given shape.

    Raises:
        RuntimeError: high is not above low, the range is too large, or the type does not have all its integers.

    Example:
        >>> gpunet.randint(3, 4, (5,))
        tensor([3, 3, 3, 3, 3])
    """
    if size is None and isinstance(high, (tuple, list)):
        low, high, size = 0, low, high
    elif high is None:
        low, high = 0, low
    if size is None:
        raise TypeError("randint() missing 1 required argument: 'size'")
    made = _integers("randint", low, high, sizes_of("randint", (), size), type_of("randint", dtype, out, dtypes.int64),
                     out, layout, device, generator, requires_grad)
    return deliver(made, out, "randint")


def _integers(name, low, high, shape, dtype, out, layout, device, generator, requires_grad):
    if high <= low:
        raise RuntimeError(f"{name}: expected low < high, got {low} and {high}")
    if high - low > 1 << 32:
        raise RuntimeError(f"{name}: ranges above 2^32 are not supported")
    check_range(name, low, high, dtype)
    words = _drawn(name, bits_op, shape, np.dtype(np.uint32), out, layout, device, generator, False)
    # word * range / 2^32 (Lemire): in int64 the product of two 32-bit numbers could overflow, so halves are used.
    wide, span = words.to(dtypes.int64), high - low
    upper, lower = wide // 65536, wide % 65536
    value = (upper * span + lower * span // 65536) // 65536 + low
    value = value.to(dtypes.public(dtype))
    return value.requires_grad_() if requires_grad else value


def exact_bits(dtype: Any) -> int:
    """The largest n for which the type has all integers from 0 to 2^n."""
    if dtype.kind in "iub":
        return 1 if dtype == BOOL_NP else 8 * dtype.itemsize - (dtype.kind == "i")
    return {2: 11 if dtype.kind == "f" else 8, 4: 24, 8: 53}[dtype.itemsize]


def check_range(op: str, low: int, high: int, dtype: Any) -> None:
    """Raises if the type does not have all integers from low up to, not including, high."""
    low, high, most = index(low), index(high), 1 << exact_bits(dtype)  # NumPy's integers have no room for 2^63
    least = 0 if dtype.kind in "ub" else -most
    if low < least or high - 1 > most - (dtype.kind in "iub"):
        raise RuntimeError(f"{op}: the integers from {low} to {high - 1} cannot be cast to {dtypes.public(dtype)}, "
                           "which does not have them all")


def randperm(n: int, *, generator: Generator | None = None, out: Tensor | None = None, dtype: Type | None = None,
             layout: Layout | None = None, device: Place | None = None, requires_grad: bool = False,
             pin_memory: bool | None = None) -> Tensor:
    """Integers from 0 to n - 1 in random order: sorted by random 64-bit keys.

    Args:
        n: how many.
        generator: where the numbers come from; None for the default generator.
        out: tensor that receives the result; resized if its shape differs.
        dtype: type of the elements. None: out's, or int64.
        layout: `gpunet.strided`, the only one.
        device: where the tensor is. None: where out is, or the default device.
        requires_grad: whether gradients are collected for it.
        pin_memory: accepted and ignored: the host's memory is never pinned.

    Returns:
        Tensor of shape [n].

    Raises:
        RuntimeError: n is negative, or the type does not have all the integers.

    Example:
        >>> gpunet.randperm(4).sort().values
        tensor([0, 1, 2, 3])
    """
    n = index(n)
    if n < 0:
        raise RuntimeError(f"randperm: n must not be negative, got {n}")
    wanted = type_of("randperm", dtype, out, dtypes.int64)
    check_range("randperm", 0, n, wanted)
    words = _drawn("randperm", bits_op, (2 * n,), np.dtype(np.uint32), out, layout, device, generator, False)
    made = order_op(words).to(dtypes.public(wanted))
    if requires_grad:
        made.requires_grad_()
    return deliver(made, out, "randperm")


# ---- by given probabilities -----------------------------------------------------------------------------------------


def bernoulli(input: Tensor, p: float | None = None, *, generator: Generator | None = None,
              out: Tensor | None = None) -> Tensor:
    """Ones with the probability that each element gives, else zeros.

    Args:
        input: tensor of probabilities, of a floating-point type; of any type if `p` is given.
        p: one probability for all elements, instead of those of `input`.
        generator: where the numbers come from; None for the default generator.
        out: tensor that receives the result; resized if its shape differs.

    Returns:
        Tensor of input's shape and type.

    Raises:
        RuntimeError: a probability is not from 0 to 1, or the input is not of a floating-point type.

    Example:
        >>> gpunet.bernoulli(gpunet.tensor([0.0, 1.0]))
        tensor([0., 1.])
    """
    if p is None:
        require_float(input._array, "bernoulli")
    check_each("bernoulli", input if p is None else p, "probabilities must be from 0 to 1", is_probability)
    draws = rand(input.shape, generator=generator, dtype=input.dtype if p is None else None,
                 device=input._device.name)
    like: Any = out if is_tensor(out) else input
    return deliver((draws < (input if p is None else p)).to(like.dtype), out, "bernoulli")


def is_probability(p: Any) -> Any:
    return (p >= 0) & (p <= 1)


def multinomial(input: Tensor, num_samples: int, replacement: bool = False, *, generator: Generator | None = None,
                out: Tensor | None = None) -> Tensor:
    """Numbers of categories, drawn with probabilities proportional to a vector, or to each row of a matrix.

    Args:
        input: tensor of shape [categories] or [rows, categories], of a floating-point type; not negative.
        num_samples: how many to draw from each row.
        replacement: whether a category can be drawn several times.
        generator: where the numbers come from; None for the default generator.
        out: int64 tensor that receives the result; resized if its shape differs.

    Returns:
        int64 tensor of shape [num_samples] or [rows, num_samples].

    Raises:
        RuntimeError: the shape or the type does not fit, a probability is negative, or fewer than num_samples
            categories have a probability and there is no replacement.

    Example:
        >>> gpunet.multinomial(gpunet.tensor([0.0, 1.0, 0.0]), 3, replacement=True)
        tensor([1, 1, 1])
    """
    require_float(input._array, "multinomial")
    rank, categories = input._array.ndim, input._array.shape[-1] if input._array.ndim else 0
    if rank not in (1, 2):
        raise RuntimeError(f"multinomial: expected a vector or a matrix, got shape {tuple(input.shape)}")
    if num_samples <= 0 or not replacement and num_samples > categories:
        raise RuntimeError(f"multinomial: cannot draw {num_samples} of {categories} categories; draw at least one, or "
                           "use replacement=True")
    shape = (*input._array.shape[:-1], num_samples if replacement else categories)
    uniform = rand(shape, generator=generator, dtype=dtypes.float64, device=input._device.name)
    drawn = multinomial_op(input, uniform, count=num_samples, replacement=replacement)
    return deliver(drawn, out, "multinomial", exact=True)


# ---- like another tensor --------------------------------------------------------------------------------------------


def rand_like(input: Tensor, *, dtype: Type | None = None, layout: Layout | None = None,
              device: Place | None = None, requires_grad: bool = False, pin_memory: bool | None = None,
              memory_format: MemoryFormat | None = None, generator: Generator | None = None) -> Tensor:
    """Uniform random numbers in [0, 1), in the shape of another tensor.

    Args:
        input: tensor that gives the shape, and the type and device where they are not given.
        dtype: type of the elements. None: input's.
        layout: `gpunet.strided`, the only one.
        device: where the tensor is. None: where input is.
        requires_grad: whether gradients are collected for it.
        pin_memory: accepted and ignored: the host's memory is never pinned.
        memory_format: that of the result. None: `gpunet.preserve_format`.
        generator: where the numbers come from; None for the default generator.

    Returns:
        Tensor of input's shape.

    Raises:
        RuntimeError: the type is not a floating-point one.

    Example:
        >>> gpunet.rand_like(gpunet.zeros(2, 3)).shape
        gpunet.Size([2, 3])
    """
    last = _last("rand_like", input, memory_format)
    made = rand(input.shape, dtype=dtype or input.dtype, layout=layout, device=device or input._device.name,
                generator=generator)
    return _finished(made, last, requires_grad)


def randn_like(input: Tensor, *, dtype: Type | None = None, layout: Layout | None = None,
               device: Place | None = None, requires_grad: bool = False, pin_memory: bool | None = None,
               memory_format: MemoryFormat | None = None, generator: Generator | None = None) -> Tensor:
    """Random numbers of the standard normal distribution, in the shape of another tensor.

    Args:
        input: tensor that gives the shape, and the type and device where they are not given.
        dtype: type of the elements. None: input's.
        layout: `gpunet.strided`, the only one.
        device: where the tensor is. None: where input is.
        requires_grad: whether gradients are collected for it.
        pin_memory: accepted and ignored: the host's memory is never pinned.
        memory_format: that of the result. None: `gpunet.preserve_format`.
        generator: where the numbers come from; None for the default generator.

    Returns:
        Tensor of input's shape.

    Raises:
        RuntimeError: the type is not a floating-point one.

    Example:
        >>> gpunet.randn_like(gpunet.zeros(2, 3)).shape
        gpunet.Size([2, 3])
    """
    last = _last("randn_like", input, memory_format)
    made = randn(input.shape, dtype=dtype or input.dtype, layout=layout, device=device or input._device.name,
                 generator=generator)
    return _finished(made, last, requires_grad)


def randint_like(input: Tensor, low: Any = 0, high: Any = None, *, dtype: Type | None = None,
                 layout: Layout | None = None, device: Place | None = None, requires_grad: bool = False,
                 pin_memory: bool | None = None, memory_format: MemoryFormat | None = None,
                 generator: Generator | None = None) -> Tensor:
    """Random integers from `low` up to, not including, `high`, in the shape of another tensor.

    Args:
        input: tensor that gives the shape, and the type and device where they are not given.
        low: the smallest integer; 0 if left out: `randint_like(input, high)`.
        high: the integer above the largest, at most low + 2^32.
        dtype: type of the elements. None: input's.
        layout: `gpunet.strided`, the only one.
        device: where the tensor is. None: where input is.
        requires_grad: whether gradients are collected for it.
        pin_memory: accepted and ignored: the host's memory is never pinned.
        memory_format: that of the result. None: `gpunet.preserve_format`.
        generator: where the numbers come from; None for the default generator.

    Returns:
        Tensor of input's shape.

    Raises:
        RuntimeError: high is not above low, or the type does not have all the integers.

    Example:
        >>> gpunet.randint_like(gpunet.zeros(2, 3), 5).shape
        gpunet.Size([2, 3])
    """
    last = _last("randint_like", input, memory_format)
    low, high = (0, low) if high is None else (low, high)
    made = randint(low, high, input.shape, dtype=dtype or input.dtype, layout=layout,
                   device=device or input._device.name, generator=generator)
    return _finished(made, last, requires_grad)


def _last(name: str, input: Tensor, memory_format: MemoryFormat | None) -> bool:
    """Whether the result is to be in channels last."""
    return in_channels_last(name, memory_format, input._array.ndim, leans_last(input._array))


def _finished(made: Tensor, last: bool, requires_grad: bool) -> Tensor:
    """Numbers that were drawn in row-major order, whichever the format, in their format."""
    made = copied(made, last) if last else made
    return made.requires_grad_() if requires_grad else made


METHODS = {"bernoulli": bernoulli, "multinomial": multinomial}
