"""Fractional max pooling: windows of one size at places that are drawn.

Source: Graham, "Fractional Max-Pooling", 2014.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import TYPE_CHECKING

from gpunet.dtypes import int64 as _INT64
from gpunet.ops.join import cat
from gpunet.ops.pool import Sizes, hashable, with_restorer
from gpunet.ops.random import rand
from gpunet.ops.ranges import arange
from gpunet.ops.rules import require_float
from gpunet.ops.windows import sizes_of

if TYPE_CHECKING:
    from gpunet.tensor import Tensor

__all__: list[str] = []
Ratios = float | Sequence[float]


def _output_size(name: str, size: tuple[int, ...], output_size: Sizes | None,
                 output_ratio: Ratios | None) -> tuple[int, ...]:
    if output_size is not None:
        return sizes_of(hashable(output_size), len(size), name, "output_size")
    if output_ratio is None:
        raise ValueError(f"{name} requires specifying either an output_size or an output_ratio")
    ratios = (output_ratio,) * len(size) if isinstance(output_ratio, (int, float)) else tuple(output_ratio)
    if len(ratios) != len(size):
        raise ValueError(f"{name}: output_ratio must be one number or {len(size)}, got {ratios}")
    return tuple(int(n * ratio) for n, ratio in zip(size, ratios, strict=True))


def _begins(samples: Tensor, n: int, out: int, kernel: int) -> Tensor:
    """Where the windows of a dimension begin [N, C, out]: at floor((i + u) a) - floor(u a) for a drawn u, and the last
    at the end."""
    last = samples.new_full((*samples.shape, 1), n - kernel, dtype=_INT64)
    if out == 1:
        return last
    step, u = (n - kernel) / (out - 1), samples.unsqueeze(-1)
    places = arange(out - 1, dtype=samples.dtype, device=samples.device)
    return cat([((places + u) * step).to(_INT64) - (u * step).to(_INT64), last], -1)


def _pooled(name: str, rank: int, input: Tensor, kernel_size: Sizes, output_size: Sizes | None,
            output_ratio: Ratios | None, return_indices: bool, samples: Tensor | None
            ) -> Tensor | tuple[Tensor, Tensor]:
    require_float(input._array, name)
    x, restored = with_restorer(input, rank, name)
    lead, size = x._array.shape[:2], x._array.shape[2:]
    kernel = sizes_of(hashable(kernel_size), rank, name, "kernel_size")
    wanted = _output_size(name, size, output_size, output_ratio)
    for n, k, o in zip(size, kernel, wanted, strict=True):
        if o < 1 or o + k - 1 > n:
            raise RuntimeError(f"{name}: windows of size {kernel} do not give an output of size {wanted} from an input "
                               f"of size {size}")
    if samples is None:
        samples = rand((*lead, rank), dtype=x.dtype, device=x.device)
    elif tuple(samples.shape) != (*lead, rank):
        raise RuntimeError(f"{name}: expected random samples of shape {(*lead, rank)}, got {tuple(samples.shape)}")
    places = None  # of the elements in the flattened size: [N, C, windows..., elements...]
    for i, (n, k, o) in enumerate(zip(size, kernel, wanted, strict=True)):
        # In two dimensions PyTorch takes the second sample for the height, in three the first for the depth.
        u = samples.select(-1, rank - 1 - i if rank == 2 else i)
        own = _begins(u, n, o, k).unsqueeze(-1) + arange(k, device=x.device)
        own = own.reshape(*lead, *[o if j == i else 1 for j in range(rank)], *[k if j == i else 1 for j in range(rank)])
        places = own if places is None else places * n + own
    assert places is not None
    outer, inner = prod(wanted), prod(kernel)
    places = places.reshape(*lead, outer, inner)
    taken = x.reshape(*lead, prod(size)).gather(-1, places.reshape(*lead, outer * inner)).reshape(*lead, outer, inner)
    values, which = taken.max(-1)
    values = restored(values.reshape(*lead, *wanted))
    if not return_indices:
        return values
    return values, restored(places.gather(-1, which.unsqueeze(-1)).reshape(*lead, *wanted))


def fractional_max_pool2d(input: Tensor, kernel_size: Sizes, output_size: Sizes | None = None,
                          output_ratio: Ratios | None = None, return_indices: bool = False,
                          _random_samples: Tensor | None = None) -> Tensor | tuple[Tensor, Tensor]:
    """The largest element of windows at drawn places, which make an output of any smaller size.

    Source: Graham, "Fractional Max-Pooling", 2014.

    Args:
        input: tensor [N, C, H, W], or [C, H, W] without a batch, of a floating-point type.
        kernel_size: the windows' size: one number, or two.
        output_size: the size of the output: one number, or two.
        output_ratio: in its place, the size as a part of input's: one number from 0 to 1, or two.
        return_indices: return the places of the largest elements as well.
        _random_samples: numbers from 0 to 1 [N, C, 2] from which the places follow; None: they are drawn.

    Returns:
        Tensor [N, C, *output_size]; with return_indices a pair: that, and int64 places in the flattened H and W.

    Raises:
        ValueError: neither output_size nor output_ratio is given.
        RuntimeError: sizes that do not fit.

    Example:
        >>> F.fractional_max_pool2d(gpunet.arange(9.0).reshape(1, 3, 3), 2, output_size=2)
        tensor([[[4., 5.],
                 [7., 8.]]])
    """
    return _pooled("fractional_max_pool2d", 2, input, kernel_size, output_size, output_ratio, return_indices,
                   _random_samples)


def fractional_max_pool3d(input: Tensor, kernel_size: Sizes, output_size: Sizes | None = None,
                          output_ratio: Ratios | None = None, return_indices: bool = False,
                          _random_samples: Tensor | None = None) -> Tensor | tuple[Tensor, Tensor]:
    """The largest element of windows at drawn places, which make an output of any smaller size.

    Source: Graham, "Fractional Max-Pooling", 2014.

    Args:
        input: tensor [N, C, D, H, W], or [C, D, H, W] without a batch, of a floating-point type.
        kernel_size: the windows' size: one number, or three.
        output_size: the size of the output: one number, or three.
        output_ratio: in its place, the size as a part of input's: one number from 0 to 1, or three.
        return_indices: return the places of the largest elements as well.
        _random_samples: numbers from 0 to 1 [N, C, 3] from which the places follow; None: they are drawn.

    Returns:
        Tensor [N, C, *output_size]; with return_indices a pair: that, and int64 places in the flattened D, H and W.

    Raises:
        ValueError: neither output_size nor output_ratio is given.
        RuntimeError: sizes that do not fit.

    Example:
        >>> F.fractional_max_pool3d(gpunet.arange(27.0).reshape(1, 3, 3, 3), 2, output_size=(1, 1, 2))
        tensor([[[[25., 26.]]]])
    """
    return _pooled("fractional_max_pool3d", 3, input, kernel_size, output_size, output_ratio, return_indices,
                   _random_samples)
