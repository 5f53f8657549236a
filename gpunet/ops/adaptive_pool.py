"""Pooling to a given size.

Window i of o in a dimension of n elements reaches from floor(i n / o) to ceil((i + 1) n / o).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import prod
from typing import TYPE_CHECKING

import numpy as np

from gpunet.dispatch import op
from gpunet.dtypes import HALF_TYPES, INT64_NP, INTS
from gpunet.dtypes import int64 as _INT64
from gpunet.ops import adaptive_launch
from gpunet.ops.channels_last import is_channels_last
from gpunet.ops.index import gather_op
from gpunet.ops.matmul import matmul_op
from gpunet.ops.pool import avg_pool, hashable, in_format_of, max_pool, max_pool_indices, with_restorer
from gpunet.ops.reduce import mean
from gpunet.ops.rules import accumulator, require_float
from gpunet.ops.windows import check_not_empty, windows

if TYPE_CHECKING:
    from gpunet.tensor import Tensor

__all__ = ["adaptive_avg_pool1d"]
OutputSize = int | None | Sequence[int | None]


@lru_cache(maxsize=256)
def _bounds(n: int, out: int):
    begin = np.arange(out) * n // out
    return begin, -(-(np.arange(1, out + 1) * n) // out)


def _adaptive_size(output_size, size, name):
    if isinstance(output_size, INTS):
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


@lru_cache(maxsize=256)
def _places(n: int, out: int) -> tuple[np.ndarray, int]:
    """The elements of `out` windows of a dimension, of one size, the last element of the shorter ones repeated; the
    size."""
    begin, end = _bounds(n, out)
    longest = int((end - begin).max())
    return np.minimum(begin[:, None] + np.arange(longest), end[:, None] - 1).reshape(-1), longest


def _spread_dimension(x, dim: int, out: int):
    """A dimension with windows of uneven sizes made into `out` even ones; their size; the places in the old dimension,
    as an array."""
    places, longest = _places(x._array.shape[dim], out)
    return x.index_select(dim, x.new_tensor(places, dtype=_INT64)), longest, places


def weighted(x: Tensor, dim: int, weights: np.ndarray) -> Tensor:
    """Sums along a dimension, weighted by the rows of a matrix [out, size of the dimension]."""
    shape = x._array.shape
    matrix = x.new_tensor(np.ascontiguousarray(weights), dtype=x.dtype)
    if dim == len(shape) - 1:
        return matmul_op(x, matrix, tb=True)
    rest = prod(shape[dim + 1 :])
    y = matmul_op(matrix, x.reshape(*shape[: dim + 1], rest))
    return y.reshape(*shape[:dim], matrix._array.shape[0], *shape[dim + 1 :])


@op(lambda x, *, wanted: ((*x.shape[:2], *wanted), x.dtype))
def adaptive_avg(xp, out, x, *, wanted):
    """The means of windows of [N, C, size...], `wanted` of them in each dimension."""
    wide = x.astype(accumulator(x.dtype), copy=False)
    for i, (n, o) in enumerate(zip(x.shape[2:], wanted, strict=True)):
        wide = _along(xp, wide, 2 + i, _means(n, o))
    xp.copyto(out, wide, casting="unsafe")


@adaptive_avg.gradient
def _(g, _y, x_layout, *, wanted):
    return (adaptive_avg_grad(in_format_of(x_layout, g), size=x_layout.shape[2:]),)


@op(lambda g, *, size: ((*g.shape[:2], *size), g.dtype))
def adaptive_avg_grad(xp, out, g, *, size):
    """Each window's gradient, shared evenly."""
    wide = g.astype(accumulator(g.dtype), copy=False)
    for i, (n, o) in enumerate(zip(size, g.shape[2:], strict=True)):
        wide = _along(xp, wide, 2 + i, _means(n, o).T)
    xp.copyto(out, wide, casting="unsafe")


@adaptive_avg_grad.gradient
def _(v, _y, g_meta, *, size):
    return (adaptive_avg(v, wanted=g_meta.shape[2:]),)


@op(lambda x, *, wanted: tuple([((*x.shape[:2], *wanted), dtype) for dtype in (x.dtype, INT64_NP)]), outputs=2)
def adaptive_max(xp, out, indices, x, *, wanted):
    """The largest elements of windows of [N, C, size...], and where they are in the flattened size: of equal ones the
    first, of NaN the last."""
    place = xp.arange(prod(x.shape[2:])).reshape(x.shape[2:])
    wide = x.astype(accumulator(x.dtype)) if x.dtype in HALF_TYPES else x
    wide, place = _windows_last(xp, wide, 2, wanted), _windows_last(xp, place, 0, wanted)
    best, is_nan = xp.argmax(wide, -1), wide != wide
    last_nan = wide.shape[-1] - 1 - xp.argmax(is_nan[..., ::-1], -1)
    best = xp.where(is_nan.any(-1), last_nan, best)[..., None]
    xp.copyto(out, xp.take_along_axis(wide, best, -1)[..., 0], casting="unsafe")
    indices[...] = xp.take_along_axis(xp.broadcast_to(place, wide.shape), best, -1)[..., 0]


def _windows_last(xp, x, first: int, wanted):
    """[..., size...] from dimension `first` on as [..., wanted..., elements of a window], the last one of the shorter
    windows repeated."""
    rank = len(wanted)
    for i, o in enumerate(wanted):
        axis = first + 2 * i
        places, longest = _places(x.shape[axis], o)
        x = xp.take(x, xp.asarray(places), axis)
        x = x.reshape(*x.shape[:axis], o, longest, *x.shape[axis + 1 :])
    last = first + 2 * rank
    x = x.transpose(*range(first), *range(first, last, 2), *range(first + 1, last, 2))
    return x.reshape(*x.shape[: first + rank], -1)


@adaptive_max.gradient
def _(gradients, _y, indices, x_layout, *, wanted):
    return (adaptive_max_grad(in_format_of(x_layout, gradients[0]), indices.detach(), size=x_layout.shape[2:]),)


@op(lambda g, indices, *, size: ((*g.shape[:2], *size), g.dtype))
def adaptive_max_grad(xp, out, g, indices, *, size):
    """Each window's gradient at its largest element."""
    images = g.shape[0] * g.shape[1]
    wide = xp.zeros((images, prod(size)), accumulator(g.dtype))
    xp.add.at(wide, (xp.arange(images)[:, None], indices.reshape(images, -1)),
              g.reshape(images, -1).astype(wide.dtype, copy=False))
    xp.copyto(out, wide.reshape(out.shape), casting="unsafe")


@adaptive_max_grad.gradient(needs=("indices", ""))
def _(v, _y, g_meta, indices, *, size):
    flat = gather_op(v.reshape(*v._array.shape[:2], -1), indices.reshape(*indices._array.shape[:2], -1), dim=2)
    return flat.reshape(g_meta.shape), None


adaptive_max.kernel(adaptive_launch.largest)
adaptive_max.channels_last(adaptive_launch.channels_last)
adaptive_max_grad.kernel(adaptive_launch.largest_grad)
adaptive_max_grad.channels_last(adaptive_launch.channels_last)


def _along(xp, x, dim: int, matrix: np.ndarray):
    """The product of a matrix and the vectors along a dimension."""
    return xp.moveaxis(xp.matmul(xp.moveaxis(x, dim, -1), xp.asarray(matrix.T.astype(x.dtype))), -1, dim)


adaptive_avg.kernel(adaptive_launch.forward)
adaptive_avg.channels_last(adaptive_launch.channels_last)
adaptive_avg_grad.kernel(adaptive_launch.backward)
adaptive_avg_grad.channels_last(adaptive_launch.channels_last)


def adaptive_avg_pool(x, wanted: tuple):
    """The means of windows of [N, C, size...], `wanted` of them in each dimension."""
    size = x._array.shape[2:]
    if set(wanted) == {1} and not (0 not in size and is_channels_last(x._array)):
        return mean(x, tuple(range(2, len(size) + 2)), True)
    at = _even_windows(size, wanted)
    if at is not None:
        return avg_pool(x, at=at, include_pad=True, override=None)
    return adaptive_avg(x, wanted=wanted)


@lru_cache(maxsize=256)
def _means(n: int, out: int):
    """The matrix [out, n] that takes the means."""
    begin, end = _bounds(n, out)
    places = np.arange(n)
    inside = (places >= begin[:, None]) & (places < end[:, None])
    return inside / np.maximum(1, end - begin)[:, None]


def _average(name: str, rank: int, input: Tensor, output_size: OutputSize) -> Tensor:
    x, restored = with_restorer(input, rank, name, may_be_empty=True)  # of nothing the mean is NaN
    require_float(x._array, name)
    return restored(adaptive_avg_pool(x, _adaptive_size(hashable(output_size), x._array.shape[2:], name)))


def _maximum(name: str, rank: int, input: Tensor, output_size: OutputSize, return_indices: bool):
    x, restored = with_restorer(input, rank, name, may_be_empty=True)
    check_not_empty(name, input._array.shape, True)  # without a batch there may be no channels, as in PyTorch
    size = x._array.shape[2:]
    wanted = _adaptive_size(hashable(output_size), size, name)
    if 0 in wanted:
        nothing = restored(x.new_zeros((*x._array.shape[:2], *wanted)))
        return (nothing, nothing.long()) if return_indices else nothing
    at, places = _even_windows(size, wanted), None
    if at is None and x._device.joins:
        y, indices = map(restored, adaptive_max(x, wanted=wanted))
        return (y, indices) if return_indices else y
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
        old = places[0]
        for n, found in zip(size[1:], places[1:], strict=True):
            old = (old[:, None] * n + found).reshape(-1)
        indices = x.new_tensor(old, dtype=_INT64)[indices]
    return y, restored(indices)


def adaptive_avg_pool1d(input: Tensor, output_size: OutputSize) -> Tensor:
    """Means of windows that are laid out so that output_size of them cover a dimension.

    Args:
        input: tensor [N, C, L], or [C, L] without a batch, of a floating-point type.
        output_size: the number of windows.

    Returns:
        Tensor [N, C, *output_size] of input's type.

    Raises:
        RuntimeError: the input has another number of dimensions, or is of an integer type.

    Example:
        >>> F.adaptive_avg_pool1d(gpunet.tensor([[1.0, 3.0, 2.0, 0.0]]), 2)
        tensor([[2., 1.]])
    """
    return _average("adaptive_avg_pool1d", 1, input, output_size)


def adaptive_avg_pool2d(input: Tensor, output_size: OutputSize) -> Tensor:
    """Means of windows that are laid out so that output_size of them cover a dimension.

    Args:
        input: tensor [N, C, H, W], or [C, H, W] without a batch, of a floating-point type.
        output_size: the number of windows in each dimension, one number or two; None: as many as there are elements.

    Returns:
        Tensor [N, C, *output_size] of input's type.

    Raises:
        RuntimeError: the input has another number of dimensions, or is of an integer type.

    Example:
        >>> F.adaptive_avg_pool2d(gpunet.arange(4.0).reshape(1, 2, 2), (1, None))
        tensor([[[1., 2.]]])
    """
    return _average("adaptive_avg_pool2d", 2, input, output_size)


def adaptive_max_pool1d(input: Tensor, output_size: OutputSize, return_indices: bool = False):
    """Largest elements of windows that are laid out so that output_size of them cover a dimension.

    Args:
        input: tensor [N, C, L], or [C, L] without a batch.
        output_size: the number of windows.
        return_indices: also return where in the flattened signal each element was.

    Returns:
        Tensor [N, C, *output_size] of input's type; with return_indices a pair of it and a tensor of type int64.

    Raises:
        RuntimeError: the input has another number of dimensions, or a size of 0.

    Example:
        >>> F.adaptive_max_pool1d(gpunet.tensor([[1.0, 3.0, 2.0, 0.0]]), 2)
        tensor([[3., 2.]])
    """
    return _maximum("adaptive_max_pool1d", 1, input, output_size, return_indices)


def adaptive_max_pool2d(input: Tensor, output_size: OutputSize, return_indices: bool = False):
    """Largest elements of windows that are laid out so that output_size of them cover a dimension.

    Args:
        input: tensor [N, C, H, W], or [C, H, W] without a batch.
        output_size: the number of windows in each dimension, one number or two; None: as many as there are elements.
        return_indices: also return where in the flattened image each element was.

    Returns:
        Tensor [N, C, *output_size] of input's type; with return_indices a pair of it and a tensor of type int64.

    Raises:
        RuntimeError: the input has another number of dimensions, or a size of 0.

    Example:
        >>> F.adaptive_max_pool2d(gpunet.arange(4.0).reshape(1, 2, 2), (1, None))
        tensor([[[2., 3.]]])
    """
    return _maximum("adaptive_max_pool2d", 2, input, output_size, return_indices)


def adaptive_avg_pool3d(input: Tensor, output_size: OutputSize) -> Tensor:
    """Means of windows that are laid out so that output_size of them cover a dimension.

    Args:
        input: tensor [N, C, D, H, W], or [C, D, H, W] without a batch, of a floating-point type.
        output_size: the number of windows in each dimension, one number or three; None: as many as there are elements.

    Returns:
        Tensor [N, C, *output_size] of input's type.

    Raises:
        RuntimeError: the input has another number of dimensions, or is of an integer type.

    Example:
        >>> F.adaptive_avg_pool3d(gpunet.arange(8.0).reshape(1, 2, 2, 2), (1, None, 1))
        tensor([[[[2.5000],
                  [4.5000]]]])
    """
    return _average("adaptive_avg_pool3d", 3, input, output_size)


def adaptive_max_pool3d(input: Tensor, output_size: OutputSize, return_indices: bool = False):
    """Largest elements of windows that are laid out so that output_size of them cover a dimension.

    Args:
        input: tensor [N, C, D, H, W], or [C, D, H, W] without a batch.
        output_size: the number of windows in each dimension, one number or three; None: as many as there are elements.
        return_indices: also return where in the flattened volume each element was.

    Returns:
        Tensor [N, C, *output_size] of input's type; with return_indices a pair of it and a tensor of type int64.

    Raises:
        RuntimeError: the input has another number of dimensions, or a size of 0.

    Example:
        >>> F.adaptive_max_pool3d(gpunet.arange(8.0).reshape(1, 2, 2, 2), (1, None, 1))
        tensor([[[[5.],
                  [7.]]]])
    """
    return _maximum("adaptive_max_pool3d", 3, input, output_size, return_indices)
