"""Pooling over any number of spatial dimensions: the largest element or the mean of each window, tap by tap."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from math import prod
from typing import TYPE_CHECKING

import numpy as np

from gpunet.dispatch import op
from gpunet.dtypes import BOOL_NP, INT64_NP
from gpunet.native import Native
from gpunet.ops import pool_launch
from gpunet.ops.blocks import Scratch, pieces
from gpunet.ops.out import deliver
from gpunet.ops.rules import accumulator, require_float
from gpunet.ops.windows import check_not_empty, exact_padding, expected_input, sizes_of, windows

if TYPE_CHECKING:
    from gpunet.tensor import Tensor

Sizes = int | Sequence[int]  # one number for all spatial dimensions, or one for each

__all__ = ["avg_pool1d", "max_pool1d", "max_pool2d", "max_pool3d"]

_max_pool, _max_pool_grad = Native("pooling.cpp", "max_pool"), Native("pooling.cpp", "max_pool_grad")
_avg_pool, _avg_pool_grad = Native("pooling.cpp", "avg_pool"), Native("pooling.cpp", "avg_pool_grad")


def _planes(xp, *arrays):
    """Arrays [N, C, ...] cut into pieces of some channels of some images; the first is the largest."""
    flat = [x.reshape(x.shape[0] * x.shape[1], *x.shape[2:]) for x in arrays]
    for part in pieces(xp, len(flat[0]), arrays[0].nbytes):
        yield [x[part] for x in flat]


# ---- the largest element -------------------------------------------------------------------------------------------


def _lowest(dtype):
    return np.iinfo(dtype).min if dtype.kind in "iu" else -np.inf


@op(lambda x, *, at: ((*x.shape[:2], *at.out), x.dtype))
def max_pool(xp, out, x, *, at):
    for part, y in _planes(xp, x, out):
        full = at.pad(xp, part, _lowest(x.dtype))
        xp.copyto(y, full[at.taps[0]])
        for tap in at.taps[1:]:
            xp.maximum(y, full[tap], out=y)


@max_pool.cpu
def _(out, x, *, at):
    if not x.size:
        return NotImplemented
    return _max_pool(out, x, at.numbers, x.shape[0] * x.shape[1])


@max_pool.gradient(repeatable=True)
def _(g, y, x, *, at):
    return (max_pool_grad(g, x, y, at=at),)


def _hits(xp, x, y, at):
    """For each tap the windows whose largest element it is; of equal ones the first, as in PyTorch."""
    full = at.pad(xp, x, _lowest(x.dtype))
    left = xp.ones(y.shape, BOOL_NP)
    hit = xp.empty(y.shape, BOOL_NP)
    for tap in at.taps:
        xp.less(full[tap], y, hit)
        xp.greater(left, hit, hit)  # left and not less
        yield tap, hit
        xp.not_equal(left, hit, left)


@op(lambda g, x, y, *, at: (x.shape, g.dtype))
def max_pool_grad(xp, out, g, x, y, *, at):
    """`g` where the windows' largest elements are."""
    empty = Scratch(xp.empty, accumulator(g.dtype))
    zero = empty.dtype.type(0)
    for xs, ys, gs, dx in _planes(xp, x, y, g, out):
        full = empty[len(xs), *at.padded_size]
        full[...] = 0
        for tap, hit in _hits(xp, xs, ys, at):
            full[tap] += xp.where(hit, gs, zero)  # times 0 infinity would be NaN
        at.crop(dx, full)


@max_pool_grad.cpu
def _(out, g, x, y, *, at):
    if not x.size:
        return NotImplemented
    return _max_pool_grad(out, g, x, y, at.numbers, x.shape[0] * x.shape[1])


@max_pool_grad.gradient
def _(v, _, _g, x, y, *, at):
    return max_pool_pick(v, x, y, at=at), None, None


@op(lambda v, x, y, *, at: (y.shape, v.dtype))
def max_pool_pick(xp, out, v, x, y, *, at):
    """The elements of `v` where the windows' largest elements are in `x`."""
    full = at.pad(xp, v)
    out[...] = 0
    for tap, hit in _hits(xp, x, y, at):
        xp.copyto(out, full[tap], where=hit)


@max_pool_pick.gradient
def _(g, _, _v, x, y, *, at):
    return max_pool_grad(g, x, y, at=at), None, None


@op(lambda x, *, at: ((*x.shape[:2], *at.out), INT64_NP), differentiable=False)
def max_pool_indices(xp, out, x, *, at):
    """Where in the flattened image each window's largest element is; that of NaN is the last NaN, as in PyTorch."""
    full = at.pad(xp, x, _lowest(x.dtype))
    best, start, steps = None, 0, [prod(at.size[i + 1 :]) for i in range(len(at.size))]
    for i, (o, s, (p, _), d) in enumerate(zip(at.out, at.stride, at.padding, at.dilation, strict=True)):
        first = xp.arange(o) * s - p
        first += xp.maximum(0, -(first // d)) * d  # the first tap that is not in the padding
        start = start + (first * steps[i]).reshape(-1, *[1] * (len(at.out) - i - 1))
    out[...] = start
    for tap in at.taps:
        values = full[tap]
        place = 0
        for i, (cut, n, (p, _)) in enumerate(zip(tap[1:], at.padded_size, at.padding, strict=True)):
            place = place + ((xp.arange(*cut.indices(n)) - p) * steps[i]).reshape(-1, *[1] * (len(at.out) - i - 1))
        better = values > (_lowest(x.dtype) if best is None else best)
        if x.dtype.kind not in "iu":
            better |= values != values
        best = values.copy() if best is None else xp.where(better, values, best)
        xp.copyto(out, xp.where(better, place, out))


# ---- the mean ------------------------------------------------------------------------------------------------------


def _divisor(xp, at, include_pad: bool, override, dtype):
    """By what the sum of each window is divided: a number, or an array over the windows."""
    if override is not None:
        return override
    shares = []
    even = True
    for n, k, s, (p, behind), o in zip(at.size, at.kernel, at.stride, at.padding, at.out, strict=True):
        begin, end = (-p, n + p) if include_pad else (0, n)
        even &= begin <= -p and n + behind <= end
        start = xp.arange(o) * s - p
        shares.append(xp.minimum(start + k, end) - xp.maximum(start, begin))
    if even:
        return at.area
    total = shares[0]
    for share in shares[1:]:
        total = total[..., None] * share
    return total.astype(dtype)


def _mean_rule(x, *, at, **_):
    if x.dtype != INT64_NP:
        require_float(x, "avg_pool")
    return (*x.shape[:2], *at.out), x.dtype


@op(_mean_rule)
def avg_pool(xp, out, x, *, at, include_pad, override):
    wide = accumulator(x.dtype)
    divisor = _divisor(xp, at, include_pad, override, wide)
    for part, y in _planes(xp, x, out):
        full = at.pad(xp, part)
        total = y if y.dtype == wide else xp.empty(y.shape, wide)
        xp.copyto(total, full[at.taps[0]])
        for tap in at.taps[1:]:
            total += full[tap]
        if total.dtype == INT64_NP:  # rounded towards zero
            total -= xp.fmod(total, divisor)
            total //= divisor
        else:
            total /= divisor
        if total is not y:
            y[...] = total


@avg_pool.cpu
def _(out, x, *, at, include_pad, override):
    if not x.size:
        return NotImplemented
    return _avg_pool(out, x, at.numbers, x.shape[0] * x.shape[1], include_pad, float(override or 0))


@avg_pool.gradient
def _(g, _y, x_layout, **options):
    return (avg_pool_grad(in_format_of(x_layout, g), **options),)


def in_format_of(layout, g):
    """A gradient of one window an image lies as both formats do; here in channels last where the image did."""
    shape, strides = layout.shape, layout.strides
    if len(shape) == 4 and prod(g._array.shape[2:]) == 1 and strides[1] < strides[3]:
        return g.reshape(shape[0], 1, 1, shape[1]).permute(0, 3, 1, 2)
    return g


@op(lambda g, *, at, **_: ((*g.shape[:2], *at.size), g.dtype))
def avg_pool_grad(xp, out, g, *, at, include_pad, override):
    """Each window's gradient, shared evenly."""
    empty = Scratch(xp.empty, accumulator(g.dtype))
    divisor = _divisor(xp, at, include_pad, override, empty.dtype)
    for dx, part in _planes(xp, out, g):
        full = empty[len(part), *at.padded_size]
        full[...] = 0
        share = part.astype(empty.dtype, copy=False) / divisor
        for tap in at.taps:
            full[tap] += share
        at.crop(dx, full)


@avg_pool_grad.cpu
def _(out, g, *, at, include_pad, override):
    if not out.size:
        return NotImplemented
    return _avg_pool_grad(out, g, at.numbers, g.shape[0] * g.shape[1], include_pad, float(override or 0))


@avg_pool_grad.gradient
def _(v, _y, _g, **options):
    return (avg_pool(v, **options),)


# ---- launches -------------------------------------------------------------------------------------------------------

for _op in (max_pool, max_pool_indices, max_pool_grad, avg_pool, avg_pool_grad):
    _op.kernel(getattr(pool_launch, _op.op.name))
    _op.channels_last(pool_launch.channels_last)


# ---- PyTorch's functions -------------------------------------------------------------------------------------------


@lru_cache(maxsize=4096)
def _pool_windows(name, size, kernel, stride, padding, dilation, ceil_mode):
    rank = len(size)
    kernel = sizes_of(kernel, rank, name, "kernel_size")
    stride = kernel if stride is None or stride == () else sizes_of(stride, rank, name, "stride")
    low, dilation = sizes_of(padding, rank, name, "padding"), sizes_of(dilation, rank, name, "dilation")
    if min(*kernel, *stride, *dilation) < 1:
        raise RuntimeError(f"{name}: kernel_size, stride and dilation must be positive, got {kernel}, {stride} and "
                           f"{dilation}")
    out = []
    for n, k, s, p, d in zip(size, kernel, stride, low, dilation, strict=True):
        if not 0 <= p <= (d * (k - 1) + 1) // 2:
            raise RuntimeError(f"{name}: padding should be at most half of the kernel's extent {d * (k - 1) + 1}, and "
                               f"not negative, got {low}")
        room = n + 2 * p - d * (k - 1) - 1
        o = (-(-room // s) if ceil_mode else room // s) + 1
        if ceil_mode and (o - 1) * s >= n + p:  # the last window must begin in the image or in front of it
            o -= 1
        out.append(o)
    if min(out) < 1:
        raise RuntimeError(f"{name}: a window of {kernel} does not fit in an input of {size}: the output would have "
                           f"size {tuple(out)}, which is too small")
    out = tuple(out)
    behind = exact_padding(size, kernel, stride, low, dilation, out)
    return windows(size, kernel, stride, tuple([(p, max(0, b)) for p, b in behind]), dilation, out)


def hashable(value):
    return tuple(value) if isinstance(value, list) else value


def with_restorer(input: Tensor, rank: int, name: str,
                  may_be_empty: bool = False) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
    """The input with a batch, and what turns a result into the caller's shape."""
    have = input._array.ndim
    if have not in (rank + 1, rank + 2):
        raise RuntimeError(f"{name}: {expected_input(rank, 'C')}, got {input._array.shape}")
    if not may_be_empty:
        check_not_empty(name, input._array.shape, have == rank + 2)
    if have == rank + 1:
        return input.unsqueeze(0), lambda y: y.squeeze(0)
    return input, lambda y: y


def _max(name: str, rank: int, input: Tensor, kernel_size: Sizes, stride: Sizes | None, padding: Sizes, dilation: Sizes,
         ceil_mode: bool, return_indices: bool):
    x, restored = with_restorer(input, rank, name)
    at = _pool_windows(name, x._array.shape[2:], hashable(kernel_size), hashable(stride), hashable(padding),
                       hashable(dilation), bool(ceil_mode))
    y = restored(max_pool(x, at=at))
    return (y, restored(max_pool_indices(x, at=at))) if return_indices else y


def max_pool1d(input: Tensor, kernel_size: Sizes, stride: Sizes | None = None, padding: Sizes = 0, dilation: Sizes = 1,
               ceil_mode: bool = False, return_indices: bool = False):
    """Largest element of each window.

    Args:
        input: tensor [N, C, L], or [C, L] without a batch.
        kernel_size: the size of the windows, a number.
        stride: the step from one window to the next; kernel_size by default.
        padding: how much -inf is put on both sides, at most half of the kernel.
        dilation: the distance of a window's elements.
        ceil_mode: let the last window reach beyond the end.
        return_indices: also return where in the flattened signal each element was.

    Returns:
        Tensor of input's type, with as many elements as there are windows; with return_indices a pair of it and a
        tensor of type int64.

    Raises:
        RuntimeError: no window fits in the padded input, or the padding is more than half of the kernel.

    Example:
        >>> F.max_pool1d(gpunet.tensor([[1.0, 3.0, 2.0, 0.0]]), 2)
        tensor([[3., 2.]])
    """
    return _max("max_pool1d", 1, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


def max_pool2d(input: Tensor, kernel_size: Sizes, stride: Sizes | None = None, padding: Sizes = 0, dilation: Sizes = 1,
               ceil_mode: bool = False, return_indices: bool = False):
    """Largest element of each window.

    Args:
        input: tensor [N, C, H, W], or [C, H, W] without a batch.
        kernel_size: the size of the windows, one number or two.
        stride: the step from one window to the next; kernel_size by default.
        padding: how much -inf is put on both sides, at most half of the kernel.
        dilation: the distance of a window's elements.
        ceil_mode: let the last window reach beyond the end.
        return_indices: also return where in the flattened image each element was.

    Returns:
        Tensor of input's type, with as many elements as there are windows; with return_indices a pair of it and a
        tensor of type int64.

    Raises:
        RuntimeError: no window fits in the padded input, or the padding is more than half of the kernel.

    Example:
        >>> F.max_pool2d(gpunet.arange(4.0).reshape(1, 2, 2), 2)
        tensor([[[3.]]])
    """
    return _max("max_pool2d", 2, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


def _avg(name: str, rank: int, input: Tensor, kernel_size: Sizes, stride: Sizes | None, padding: Sizes, ceil_mode: bool,
         count_include_pad: bool, divisor_override: int | None = None) -> Tensor:
    if divisor_override == 0:
        raise RuntimeError(f"{name}: divisor_override must not be zero")
    x, restored = with_restorer(input, rank, name)
    at = _pool_windows(name, x._array.shape[2:], hashable(kernel_size), hashable(stride), hashable(padding), 1,
                       bool(ceil_mode))
    return restored(avg_pool(x, at=at, include_pad=bool(count_include_pad), override=divisor_override))


def avg_pool1d(input: Tensor, kernel_size: Sizes, stride: Sizes | None = None, padding: Sizes = 0,
               ceil_mode: bool = False, count_include_pad: bool = True) -> Tensor:
    """Mean of each window.

    Args:
        input: tensor [N, C, L], or [C, L] without a batch, of a floating-point type or int64.
        kernel_size: the size of the windows, a number.
        stride: the step from one window to the next; kernel_size by default.
        padding: how many zeros are put on both sides, at most half of the kernel.
        ceil_mode: let the last window reach beyond the end.
        count_include_pad: count the zeros of the padding as elements.

    Returns:
        Tensor of input's type, with as many elements as there are windows.

    Raises:
        RuntimeError: no window fits in the padded input, or the padding is more than half of the kernel.

    Example:
        >>> F.avg_pool1d(gpunet.tensor([[1.0, 3.0, 2.0, 0.0]]), 2)
        tensor([[2., 1.]])
    """
    return _avg("avg_pool1d", 1, input, kernel_size, stride, padding, ceil_mode, count_include_pad)


def avg_pool2d(input: Tensor, kernel_size: Sizes, stride: Sizes | None = None, padding: Sizes = 0,
               ceil_mode: bool = False, count_include_pad: bool = True, divisor_override: int | None = None, *,
               out: Tensor | None = None) -> Tensor:
    """Mean of each window.

    Args:
        input: tensor [N, C, H, W], or [C, H, W] without a batch, of a floating-point type or int64.
        kernel_size: the size of the windows, one number or two.
        stride: the step from one window to the next; kernel_size by default.
        padding: how many zeros are put on both sides, at most half of the kernel.
        ceil_mode: let the last window reach beyond the end.
        count_include_pad: count the zeros of the padding as elements.
        divisor_override: what the sums are divided by instead of the number of elements.
        out: tensor of the result's type that receives the result; resized if its shape differs.

    Returns:
        Tensor of input's type, with as many elements as there are windows.

    Raises:
        RuntimeError: no window fits in the padded input, or the padding is more than half of the kernel.

    Example:
        >>> F.avg_pool2d(gpunet.arange(4.0).reshape(1, 2, 2), 2)
        tensor([[[1.5000]]])
    """
    y = _avg("avg_pool2d", 2, input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override)
    return deliver(y, out, "avg_pool2d", exact=True)


def _lp(mean: Tensor, norm_type: float, count: int) -> Tensor:
    """The norm of each window, from the mean of x^p."""
    return (mean.sign() * mean.abs().relu() * count) ** (1.0 / norm_type)


def lp_pool1d(input: Tensor, norm_type: float, kernel_size: Sizes, stride: Sizes | None = None,
              ceil_mode: bool = False) -> Tensor:
    """Norm of each window: y = (sum of x^p)^(1/p).

    Args:
        input: tensor [N, C, L], or [C, L] without a batch, of a floating-point type.
        norm_type: the order p.
        kernel_size: the size of the windows, a number.
        stride: the step from one window to the next; kernel_size by default.
        ceil_mode: let the last window reach beyond the end.

    Returns:
        Tensor of input's type, with as many elements as there are windows.

    Raises:
        RuntimeError: no window fits in the input.

    Example:
        >>> F.lp_pool1d(gpunet.tensor([[3.0, 4.0]]), 2, 2)
        tensor([[5.]])
    """
    count = prod(sizes_of(hashable(kernel_size), 1, "lp_pool1d", "kernel_size"))
    return _lp(avg_pool1d(input**norm_type, kernel_size, stride, 0, ceil_mode), norm_type, count)


def lp_pool2d(input: Tensor, norm_type: float, kernel_size: Sizes, stride: Sizes | None = None,
              ceil_mode: bool = False) -> Tensor:
    """Norm of each window: y = (sum of x^p)^(1/p).

    Args:
        input: tensor [N, C, H, W], or [C, H, W] without a batch, of a floating-point type.
        norm_type: the order p.
        kernel_size: the size of the windows, one number or two.
        stride: the step from one window to the next; kernel_size by default.
        ceil_mode: let the last window reach beyond the end.

    Returns:
        Tensor of input's type, with as many elements as there are windows.

    Raises:
        RuntimeError: no window fits in the input.

    Example:
        >>> F.lp_pool2d(gpunet.tensor([[[2.0, 4.0], [4.0, 8.0]]]), 2, 2)
        tensor([[[10.]]])
    """
    count = prod(sizes_of(hashable(kernel_size), 2, "lp_pool2d", "kernel_size"))
    return _lp(avg_pool2d(input**norm_type, kernel_size, stride, 0, ceil_mode), norm_type, count)


def max_pool3d(input: Tensor, kernel_size: Sizes, stride: Sizes | None = None, padding: Sizes = 0, dilation: Sizes = 1,
               ceil_mode: bool = False, return_indices: bool = False):
    """Largest element of each window.

    Args:
        input: tensor [N, C, D, H, W], or [C, D, H, W] without a batch.
        kernel_size: the size of the windows, one number or three.
        stride: the step from one window to the next; kernel_size by default.
        padding: how much -inf is put on both sides, at most half of the kernel.
        dilation: the distance of a window's elements.
        ceil_mode: let the last window reach beyond the end.
        return_indices: also return where in the flattened volume each element was.

    Returns:
        Tensor of input's type, with as many elements as there are windows; with return_indices a pair of it and a
        tensor of type int64.

    Raises:
        RuntimeError: no window fits in the padded input, or the padding is more than half of the kernel.

    Example:
        >>> F.max_pool3d(gpunet.arange(8.0).reshape(1, 2, 2, 2), 2)
        tensor([[[[7.]]]])
    """
    return _max("max_pool3d", 3, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


def avg_pool3d(input: Tensor, kernel_size: Sizes, stride: Sizes | None = None, padding: Sizes = 0,
               ceil_mode: bool = False, count_include_pad: bool = True, divisor_override: int | None = None, *,
               out: Tensor | None = None) -> Tensor:
    """Mean of each window.

    Args:
        input: tensor [N, C, D, H, W], or [C, D, H, W] without a batch, of a floating-point type or int64.
        kernel_size: the size of the windows, one number or three.
        stride: the step from one window to the next; kernel_size by default.
        padding: how many zeros are put on both sides, at most half of the kernel.
        ceil_mode: let the last window reach beyond the end.
        count_include_pad: count the zeros of the padding as elements.
        divisor_override: what the sums are divided by instead of the number of elements.
        out: tensor of the result's type that receives the result; resized if its shape differs.

    Returns:
        Tensor of input's type, with as many elements as there are windows.

    Raises:
        RuntimeError: no window fits in the padded input, or the padding is more than half of the kernel.

    Example:
        >>> F.avg_pool3d(gpunet.arange(8.0).reshape(1, 2, 2, 2), 2)
        tensor([[[[3.5000]]]])
    """
    y = _avg("avg_pool3d", 3, input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override)
    return deliver(y, out, "avg_pool3d", exact=True)


def lp_pool3d(input: Tensor, norm_type: float, kernel_size: Sizes, stride: Sizes | None = None,
              ceil_mode: bool = False) -> Tensor:
    """Norm of each window: y = (sum of x^p)^(1/p).

    Args:
        input: tensor [N, C, D, H, W], or [C, D, H, W] without a batch, of a floating-point type.
        norm_type: the order p.
        kernel_size: the size of the windows, one number or three.
        stride: the step from one window to the next; kernel_size by default.
        ceil_mode: let the last window reach beyond the end.

    Returns:
        Tensor of input's type, with as many elements as there are windows.

    Raises:
        RuntimeError: no window fits in the input.

    Example:
        >>> F.lp_pool3d(gpunet.tensor([[[[2.0, 4.0], [4.0, 8.0]]]]), 2, (1, 2, 2))
        tensor([[[[10.]]]])
    """
    count = prod(sizes_of(hashable(kernel_size), 3, "lp_pool3d", "kernel_size"))
    return _lp(avg_pool3d(input**norm_type, kernel_size, stride, 0, ceil_mode), norm_type, count)
