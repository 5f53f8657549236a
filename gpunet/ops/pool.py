"""Pooling over any number of spatial dimensions: the largest element or the mean of each window, tap by tap."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from math import prod
from typing import Any

import numpy as np

from gpunet.dispatch import op
from gpunet.dtypes import BOOL_NP, INT64_NP
from gpunet.dtypes import int64 as _INT64
from gpunet.ops.blocks import Scratch, pieces
from gpunet.ops.matmul import matmul_op
from gpunet.ops.reduce import mean
from gpunet.ops.rules import accumulator, require_float
from gpunet.ops.windows import check_not_empty, exact_padding, expected_input, sizes_of, windows

__all__ = ["adaptive_avg_pool1d", "avg_pool1d", "max_pool1d", "max_pool2d"]


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
        total = total[:, None] * share
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


@avg_pool.gradient
def _(g, _y, _x, **options):
    return (avg_pool_grad(g, **options),)


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


@avg_pool_grad.gradient
def _(v, _y, _g, **options):
    return (avg_pool(v, **options),)


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


def _tuple(value):
    return tuple(value) if isinstance(value, list) else value


def _prepared(input, rank, name, may_be_empty=False):
    """The input with a batch, and what turns a result into the caller's shape."""
    have = input._array.ndim
    if have not in (rank + 1, rank + 2):
        raise RuntimeError(f"{name}: {expected_input(rank, 'C')}, got {input._array.shape}")
    if not may_be_empty:
        check_not_empty(name, input._array.shape, have == rank + 2)
    if have == rank + 1:
        return input.unsqueeze(0), lambda y: y.squeeze(0)
    return input, lambda y: y


def _max(rank) -> Callable[..., Any]:
    name = f"max_pool{rank}d"

    def pool(input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode: bool = False,
             return_indices: bool = False):
        x, restored = _prepared(input, rank, name)
        at = _pool_windows(name, x._array.shape[2:], _tuple(kernel_size), _tuple(stride), _tuple(padding),
                           _tuple(dilation), bool(ceil_mode))
        y = restored(max_pool(x, at=at))
        return (y, restored(max_pool_indices(x, at=at))) if return_indices else y

    pool.__name__ = pool.__qualname__ = name
    pool.__doc__ = """The largest element of each window; of [N, C, size...] or without N. stride: kernel_size by
    default. padding: by minus infinity, at most half of the kernel. ceil_mode: windows may reach beyond the end.
    return_indices: also where in the flattened image each was."""
    return pool


def _avg(rank) -> Callable[..., Any]:
    name = f"avg_pool{rank}d"

    def pool(input, kernel_size, stride=None, padding=0, ceil_mode: bool = False, count_include_pad: bool = True,
             divisor_override: int | None = None):
        if divisor_override == 0:
            raise RuntimeError(f"{name}: divisor_override must not be zero")
        x, restored = _prepared(input, rank, name)
        at = _pool_windows(name, x._array.shape[2:], _tuple(kernel_size), _tuple(stride), _tuple(padding), 1,
                           bool(ceil_mode))
        return restored(avg_pool(x, at=at, include_pad=bool(count_include_pad), override=divisor_override))

    pool.__name__ = pool.__qualname__ = name
    pool.__doc__ = """The mean of each window; of [N, C, size...] or without N. stride: kernel_size by default.
    count_include_pad: whether the zeros of the padding count. ceil_mode: windows may reach beyond the end.
    divisor_override: what to divide by instead of the window's size."""
    return pool


max_pool1d, max_pool2d = _max(1), _max(2)
avg_pool1d, avg_pool2d = _avg(1), _avg(2)


def lp_pool(input, norm_type: float, kernel_size, stride=None, ceil_mode: bool = False, *, rank: int):
    """The p-norm of each window: (sum of x^p)^(1/p)."""
    at = sizes_of(_tuple(kernel_size), rank, f"lp_pool{rank}d", "kernel_size")
    mean = (avg_pool1d if rank == 1 else avg_pool2d)(input**norm_type, kernel_size, stride, 0, ceil_mode)
    return (mean.sign() * mean.abs().relu() * prod(at)) ** (1.0 / norm_type)


def lp_pool1d(input, norm_type, kernel_size, stride=None, ceil_mode: bool = False):
    """The p-norm of each window, p = norm_type: (sum of x^p)^(1/p)."""
    return lp_pool(input, norm_type, kernel_size, stride, ceil_mode, rank=1)


def lp_pool2d(input, norm_type, kernel_size, stride=None, ceil_mode: bool = False):
    """The p-norm of each window, p = norm_type: (sum of x^p)^(1/p)."""
    return lp_pool(input, norm_type, kernel_size, stride, ceil_mode, rank=2)


# ---- pooling to a given size ---------------------------------------------------------------------------------------
# Window i of o in a dimension of n elements reaches from floor(i n / o) to ceil((i + 1) n / o).


@lru_cache(maxsize=256)
def _bounds(n: int, out: int):
    begin = np.arange(out) * n // out
    return begin, -(-(np.arange(1, out + 1) * n) // out)


def _adaptive_size(output_size, size, name):
    if isinstance(output_size, int):
        wanted = (output_size,) * len(size)
    else:
        wanted = tuple(output_size)
        wanted = wanted * len(size) if len(wanted) == 1 and len(size) == 1 else wanted
        if len(wanted) != len(size):
            raise RuntimeError(f"{name}: output_size must be one number or {len(size)}, got {wanted}")
    wanted = tuple([n if o is None else int(o) for n, o in zip(size, wanted, strict=True)])
    if min(wanted) < 0 or min(size) < 1 and set(wanted) != {1}:
        raise RuntimeError(f"{name}: cannot pool an input of size {size} to an output of size {wanted}")
    return wanted


def _even_windows(size, wanted):
    """The windows where the sizes divide, all alike; else None."""
    if any([o == 0 or n % o for n, o in zip(size, wanted, strict=True)]):
        return None
    kernel = tuple([n // o for n, o in zip(size, wanted, strict=True)])
    return windows(size, kernel, kernel, ((0, 0),) * len(size), (1,) * len(size))


def _spread_dimension(x, dim: int, out: int):
    """A dimension with windows of uneven sizes made into `out` even ones, the last element of the shorter ones
    repeated; their size; the places in the old dimension, as an array."""
    begin, end = _bounds(x._array.shape[dim], out)
    longest = int((end - begin).max())
    places = np.minimum(begin[:, None] + np.arange(longest), end[:, None] - 1).reshape(-1)
    return x.index_select(dim, x.new_tensor(places, dtype=_INT64)), longest, places


def weighted(x, dim: int, matrix: np.ndarray):
    """Sums along a dimension, weighted by the rows of a matrix [out, size of the dimension]."""
    shape = x._array.shape
    matrix = x.new_tensor(np.ascontiguousarray(matrix), dtype=x.dtype)
    if dim == len(shape) - 1:
        return matmul_op(x, matrix, tb=True)
    rest = prod(shape[dim + 1 :])
    y = matmul_op(matrix, x.reshape(*shape[: dim + 1], rest))
    return y.reshape(*shape[:dim], matrix._array.shape[0], *shape[dim + 1 :])


def adaptive_avg_pool(x, wanted: tuple):
    """The means of windows of [N, C, size...], `wanted` of them in each dimension."""
    size = x._array.shape[2:]
    if set(wanted) == {1}:
        return mean(x, tuple(range(2, len(size) + 2)), True)
    at = _even_windows(size, wanted)
    if at is not None:
        return avg_pool(x, at=at, include_pad=True, override=None)
    for i, (n, o) in enumerate(zip(size, wanted, strict=True)):
        x = weighted(x, 2 + i, _means(n, o))
    return x


def _adaptive_avg(rank):
    name = f"adaptive_avg_pool{rank}d"

    def pool(input, output_size):
        x, restored = _prepared(input, rank, name, may_be_empty=True)  # of nothing the mean is NaN
        require_float(x._array, name)
        return restored(adaptive_avg_pool(x, _adaptive_size(_tuple(output_size), x._array.shape[2:], name)))

    pool.__name__ = pool.__qualname__ = name
    pool.__doc__ = "Means of windows that are laid out such that output_size of them (None: as many as now) cover a "\
        "dimension."
    return pool


@lru_cache(maxsize=256)
def _means(n: int, out: int):
    """The matrix [out, n] that takes the means."""
    begin, end = _bounds(n, out)
    places = np.arange(n)
    inside = (places >= begin[:, None]) & (places < end[:, None])
    return inside / np.maximum(1, end - begin)[:, None]


def _adaptive_max(rank):
    name = f"adaptive_max_pool{rank}d"

    def pool(input, output_size, return_indices: bool = False):
        x, restored = _prepared(input, rank, name, may_be_empty=True)
        check_not_empty(name, input._array.shape, True)  # without a batch there may be no channels, as in PyTorch
        size = x._array.shape[2:]
        wanted = _adaptive_size(_tuple(output_size), size, name)
        if 0 in wanted:
            nothing = restored(x.new_zeros((*x._array.shape[:2], *wanted)))
            return (nothing, nothing.long()) if return_indices else nothing
        at, places = _even_windows(size, wanted), None
        if at is None:
            kernel, places = [], []
            for i, o in enumerate(wanted):
                x, longest, found = _spread_dimension(x, 2 + i, o)
                kernel.append(longest)
                places.append(found)
            kernel = tuple(kernel)
            at = windows(x._array.shape[2:], kernel, kernel, ((0, 0),) * rank, (1,) * rank)
        y = restored(max_pool(x, at=at))
        if not return_indices:
            return y
        indices = max_pool_indices(x, at=at)
        if places is not None:  # from the spread dimensions to the old ones
            old = places[0] if rank == 1 else (places[0][:, None] * size[1] + places[1]).reshape(-1)
            indices = x.new_tensor(old, dtype=_INT64)[indices]
        return y, restored(indices)

    pool.__name__ = pool.__qualname__ = name
    pool.__doc__ = "The largest elements of windows that are laid out such that output_size of them (None: as many as "\
        "now) cover each dimension. return_indices: also where in the flattened image each was."
    return pool


adaptive_avg_pool1d, adaptive_avg_pool2d = _adaptive_avg(1), _adaptive_avg(2)
adaptive_max_pool1d, adaptive_max_pool2d = _adaptive_max(1), _adaptive_max(2)
