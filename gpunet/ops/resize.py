"""Images of another size. Every kind of interpolation is linear and acts on one dimension at a time, so each is a
matrix of weights for each dimension and the work is a matrix product, whose gradients are matrix products too."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from gpunet.dispatch import op
from gpunet.dtypes import HALF_TYPES, INT64_NP, UINT8_NP, float32, public
from gpunet.ops.adaptive_pool import adaptive_avg_pool, weighted
from gpunet.ops.rounding import floor
from gpunet.ops.rules import require_float
from gpunet.ops.windows import check_not_empty

if TYPE_CHECKING:
    from gpunet.tensor import Tensor

__all__ = ["channel_shuffle", "pixel_shuffle", "pixel_unshuffle"]


@op(lambda x, places, *, dim: ((*x.shape[:dim], places.shape[0], *x.shape[dim + 1 :]), x.dtype))
def repeat_places(xp, out, x, places, *, dim):
    """The elements `places` of a dimension: nearest neighbours."""
    out[...] = xp.take(x, places, axis=dim)


@repeat_places.gradient
def _(g, _, x_meta, places, *, dim):
    return repeat_places_grad(g, places, dim=dim, size=x_meta.shape[dim]), None


@op(lambda g, places, *, dim, size: ((*g.shape[:dim], size, *g.shape[dim + 1 :]), g.dtype))
def repeat_places_grad(xp, out, g, places, *, dim, size):
    """Gradients added up where their elements came from: a product with a matrix of zeros and ones."""
    chosen = (xp.arange(size)[:, None] == places).astype(np.float32 if g.dtype in HALF_TYPES else g.dtype)
    flat = g.reshape(*g.shape[: dim + 1], -1 if g.size else 0).astype(chosen.dtype, copy=False)
    xp.copyto(out, xp.matmul(chosen, flat).reshape(out.shape), casting="unsafe")


@repeat_places_grad.gradient
def _(v, _, _g, places, *, dim, size):
    return repeat_places(v, places, dim=dim), None


# ---- weights -------------------------------------------------------------------------------------------------------
# Output element i lies at i' of the input: with align_corners the first and last elements stay where they are, else
# pixels are areas of 1 whose middles are at one half.


def _linear(t):
    return np.maximum(0, 1 - abs(t))


def _cubic(a: float):
    def weight(t):
        """Keys (1981), with parameter a."""
        t = abs(t)
        near = ((a + 2) * t - (a + 3)) * t * t + 1
        far = ((a * t - 5 * a) * t + 8 * a) * t - 4 * a
        return np.where(t <= 1, near, np.where(t < 2, far, 0))

    return weight


@lru_cache(maxsize=256)
def _matrix(kind: str, n: int, out: int, scale: float | None, align: bool, antialias: bool) -> np.ndarray:
    """Weights [out, n]. scale: input elements an output element, n / out if None."""
    i = np.arange(out, dtype=np.float64)
    scale = n / out if scale is None else scale
    if align:
        scale = (n - 1) / (out - 1) if out > 1 else 0.0
    matrix = np.zeros((out, n))
    if antialias:
        stretch = max(scale, 1.0)
        support = (1 if kind == "linear" else 2) * stretch
        centre = i * scale + 0.5 if align else scale * (i + 0.5)
        low = np.maximum((centre - support + 0.5).astype(int), 0)
        high = np.minimum((centre + support + 0.5).astype(int), n)
        weight = _linear if kind == "linear" else _cubic(-0.5)  # Pillow's parameter, as PyTorch's
        places = np.arange(n)
        inside = (places >= low[:, None]) & (places < high[:, None])
        matrix = np.where(inside, weight((places - centre[:, None] + 0.5) / stretch), 0)
        return matrix / matrix.sum(1, keepdims=True)
    at = i * scale if align else (i + 0.5) * scale - 0.5
    if kind == "linear":
        at = np.maximum(at, 0)
    first = np.floor(at)
    offsets, weight = ((0, 1), _linear) if kind == "linear" else ((-1, 0, 1, 2), _cubic(-0.75))
    for offset in offsets:  # beyond the edges the edge's elements go on
        np.add.at(matrix, (np.arange(out), np.clip(first + offset, 0, n - 1).astype(int)),
                  weight(at - first - offset))
    return matrix


def _in_whole_numbers(matrix: np.ndarray) -> tuple[np.ndarray, int]:
    """Weights as multiples of 1 / unit, the largest power of 2 with which they are below 2^15. Sums of products with
    pixels are then exact in float32, and the same as Pillow's and PyTorch's, which have integers of 16 bits."""
    unit = 1
    while unit < 1 << 22 and int(0.5 + matrix.max() * 2 * unit) < 1 << 15:
        unit *= 2
    return np.trunc(matrix * unit + np.copysign(0.5, matrix)), unit


@lru_cache(maxsize=256)
def _nearest(n: int, out: int, scale: float | None, exact: bool) -> np.ndarray:
    """In float32, as PyTorch rounds."""
    step = np.float32(n / out if scale is None else scale)
    i = np.arange(out, dtype=np.float32)
    return np.minimum(np.floor((i + np.float32(0.5) if exact else i) * step), n - 1).astype(np.int64)


_RANK = {"linear": 1, "bilinear": 2, "bicubic": 2, "trilinear": 3}
_ANY_RANK = ("nearest", "nearest-exact", "area")


def interpolate(input: Tensor, size: int | Sequence[int] | None = None,
                scale_factor: float | Sequence[float] | None = None, mode: str = "nearest",
                align_corners: bool | None = None, recompute_scale_factor: bool | None = None,
                antialias: bool = False) -> Tensor:
    """Images of another size.

    "bilinear" and "bicubic" take uint8 too, and round after each dimension.

    Args:
        input: tensor of shape (N, C, size...), of 1 to 3 spatial dimensions.
        size: the new size; one number is for all spatial dimensions.
        scale_factor: in place of size, by how much the old one is multiplied; the product is rounded down.
        mode: "nearest" (which rounds as old libraries do), "nearest-exact", "linear", "bilinear", "trilinear",
            "bicubic" (Keys, 1981) or "area" (means).
        align_corners: whether the middles of the corner pixels stay where they are, instead of the images' edges.
            None: False.
        recompute_scale_factor: whether the ratio of the sizes takes the place of scale_factor in the formulas.
        antialias: for "bilinear" and "bicubic", whether to average over what a smaller image leaves out.

    Returns:
        Tensor of shape (N, C, new size...) and input's type.

    Raises:
        NotImplementedError: the mode is unknown, or not for that number of dimensions.
        RuntimeError: a size is 0.
        ValueError: size and scale_factor are both given or both missing, or an option does not belong to the mode.

    Example:
        >>> gpunet.nn.functional.interpolate(gpunet.tensor([[[1.0, 2.0]]]), size=4)
        tensor([[[1., 1., 2., 2.]]])
    """
    rank = input._array.ndim - 2
    spatial = input._array.shape[2:]
    if mode not in _RANK and mode not in _ANY_RANK:
        raise NotImplementedError(f"interpolate: mode must be one of {', '.join([*_ANY_RANK, *_RANK])}, got {mode!r}")
    if rank not in (1, 2, 3) or _RANK.get(mode, rank) != rank:
        wanted = f"{_RANK[mode] + 2}" if mode in _RANK else "3 to 5"
        raise NotImplementedError(f"interpolate: mode {mode!r} takes an input of {wanted} dimensions (N, C, size...), "
                                  f"got shape {input._array.shape}")
    if align_corners is not None and mode in _ANY_RANK:
        raise ValueError(f"interpolate: align_corners has no meaning for mode {mode!r}; leave it out")
    if antialias and mode not in ("bilinear", "bicubic"):
        raise ValueError("interpolate: antialias works with modes 'bilinear' and 'bicubic' only")
    out, factors = _output_size(spatial, size, scale_factor, recompute_scale_factor)
    if min(out) < 1 or min(spatial) < 1:
        raise RuntimeError(f"interpolate: input and output sizes should be greater than 0, got {spatial} and {out}")
    check_not_empty("interpolate", input._array.shape, True)
    if mode == "area":
        require_float(input._array, "interpolate, mode 'area'")
        return adaptive_avg_pool(input, out)
    nearest, x = mode.startswith("nearest"), input
    pixels = x._array.dtype == UINT8_NP and mode in ("bilinear", "bicubic")
    if not (nearest or pixels):
        require_float(x._array, f"interpolate, mode {mode!r}")
    if not nearest and (pixels or x._array.dtype in HALF_TYPES):
        x = x.to(float32)
    for i, (n, o, scale) in reversed(list(enumerate(zip(spatial, out, factors, strict=True)))):
        if nearest:
            places = x.new_tensor(_nearest(n, o, scale, mode == "nearest-exact"), dtype=public(INT64_NP))
            x = repeat_places(x, places, dim=2 + i)
        elif n != o or scale not in (None, 1.0):
            kind = "cubic" if mode == "bicubic" else "linear"
            matrix = _matrix(kind, n, o, scale, bool(align_corners), bool(antialias))
            if pixels:
                matrix, unit = _in_whole_numbers(matrix)
                x = floor((weighted(x, 2 + i, matrix) + unit // 2) / unit).clamp(0, 255)
            else:
                x = weighted(x, 2 + i, matrix)
    return x.to(input.dtype) if x is not input else input.clone()


def _output_size(spatial, size, scale_factor, recompute):
    """The new size, and for each dimension how many input elements make an output element (None: their ratio)."""
    rank = len(spatial)
    if (size is None) == (scale_factor is None):
        raise ValueError("interpolate: give either size or scale_factor")
    given = size if scale_factor is None else scale_factor
    given = list(given) if hasattr(given, "__iter__") else [given] * rank
    if len(given) != rank:
        raise ValueError(f"interpolate: expected one number or {rank}, one for each spatial dimension, got {given}")
    if scale_factor is None:
        if recompute:
            raise ValueError("interpolate: recompute_scale_factor is not meaningful with an explicit size")
        return tuple([int(n) for n in given]), [None] * rank
    out = tuple([math.floor(n * float(factor)) for n, factor in zip(spatial, given, strict=True)])
    return out, [None] * rank if recompute else [1 / float(factor) for factor in given]


def upsample(input: Tensor, size: int | Sequence[int] | None = None,
             scale_factor: float | Sequence[float] | None = None, mode: str = "nearest",
             align_corners: bool | None = None) -> Tensor:
    """Images of another size: `interpolate` by its old name.

    Args:
        input: tensor of shape (N, C, size...), of 1 to 3 spatial dimensions.
        size: the new size; one number is for all spatial dimensions.
        scale_factor: in place of size, by how much the old one is multiplied; the product is rounded down.
        mode: as for `interpolate`.
        align_corners: whether the middles of the corner pixels stay where they are, instead of the images' edges.
            None: False.

    Returns:
        Tensor of shape (N, C, new size...) and input's type.

    Raises:
        NotImplementedError: the mode is unknown, or not for that number of dimensions.
        RuntimeError: a size is 0.
        ValueError: size and scale_factor are both given or both missing, or an option does not belong to the mode.

    Example:
        >>> gpunet.nn.functional.upsample(gpunet.tensor([[[1.0, 2.0]]]), scale_factor=2)
        tensor([[[1., 1., 2., 2.]]])
    """
    return interpolate(input, size, scale_factor, mode, align_corners)


# ---- channels and space --------------------------------------------------------------------------------------------


def _channels(input, name, divisor):
    if input._array.ndim < 3:
        raise RuntimeError(f"{name}: expected at least 3 dimensions (..., C, H, W), got shape {input._array.shape}")
    *lead, c, h, w = input._array.shape
    if divisor < 1 or c % divisor:
        raise RuntimeError(f"{name}: the number of channels must be divisible by {divisor}, got shape "
                           f"{input._array.shape}")
    return lead, c, h, w


def _copied(x, r: int):
    """The permuted pixels, as a copy also where there is nothing to permute and reshape() would give the input."""
    return x.clone() if r == 1 else x


def pixel_shuffle(input: Tensor, upscale_factor: int) -> Tensor:
    """Channels moved into space: r^2 of them become r x r pixels.

    Source: Shi et al., 2016, Real-Time Single Image and Video Super-Resolution.

    Args:
        input: tensor of shape (..., C r^2, H, W).
        upscale_factor: r.

    Returns:
        Tensor of shape (..., C, H r, W r).

    Raises:
        RuntimeError: the number of channels is not divisible by r^2, or input has fewer than 3 dimensions.

    Example:
        >>> gpunet.pixel_shuffle(gpunet.arange(4).reshape(4, 1, 1), 2)
        tensor([[[0, 1],
                 [2, 3]]])
    """
    r = upscale_factor
    lead, c, h, w = _channels(input, "pixel_shuffle", r * r if r > 0 else 0)
    d = len(lead)
    x = input.reshape(*lead, c // (r * r), r, r, h, w).permute(*range(d), d, d + 3, d + 1, d + 4, d + 2)
    return _copied(x, r).reshape(*lead, c // (r * r), h * r, w * r)


def pixel_unshuffle(input: Tensor, downscale_factor: int) -> Tensor:
    """Space moved into channels, the reverse of `pixel_shuffle`: r x r pixels become r^2 channels.

    Source: Shi et al., 2016, Real-Time Single Image and Video Super-Resolution.

    Args:
        input: tensor of shape (..., C, H r, W r).
        downscale_factor: r.

    Returns:
        Tensor of shape (..., C r^2, H, W).

    Raises:
        RuntimeError: height or width is not divisible by r, or input has fewer than 3 dimensions.

    Example:
        >>> gpunet.pixel_unshuffle(gpunet.arange(4).reshape(1, 2, 2), 2).reshape(4)
        tensor([0, 1, 2, 3])
    """
    r = downscale_factor
    lead, c, h, w = _channels(input, "pixel_unshuffle", 1)
    if r < 1 or h % r or w % r:
        raise RuntimeError(f"pixel_unshuffle: height and width must be divisible by {r}, got shape "
                           f"{input._array.shape}")
    d = len(lead)
    x = input.reshape(*lead, c, h // r, r, w // r, r).permute(*range(d), d, d + 2, d + 4, d + 1, d + 3)
    return _copied(x, r).reshape(*lead, c * r * r, h // r, w // r)


def channel_shuffle(input: Tensor, groups: int) -> Tensor:
    """Channels, in dimension 1, taken from each group in turn.

    Source: Zhang et al., 2018, ShuffleNet.

    Args:
        input: tensor of shape (N, C, size...).
        groups: the number of groups.

    Returns:
        Tensor of input's shape and type.

    Raises:
        RuntimeError: the number of channels is not divisible by groups, or input has fewer than 3 dimensions.

    Example:
        >>> gpunet.channel_shuffle(gpunet.arange(4).reshape(1, 4, 1), 2).reshape(4)
        tensor([0, 2, 1, 3])
    """
    shape = input._array.shape
    if len(shape) < 3:
        raise RuntimeError(f"channel_shuffle: expected at least 3 dimensions (N, C, ...), got shape {shape}")
    if groups < 1 or shape[1] % groups:
        raise RuntimeError(f"channel_shuffle: the {shape[1]} channels must be divisible by groups, got {groups}")
    return input.reshape(shape[0], groups, shape[1] // groups, *shape[2:]).transpose(1, 2).reshape(shape)
