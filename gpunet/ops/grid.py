"""Images sampled at places that a tensor gives: spatial transformers (Jaderberg et al., 2015). Made of plain ops."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from gpunet.dtypes import int64
from gpunet.ops.compare import where
from gpunet.ops.index import gather_op
from gpunet.ops.matmul import matmul
from gpunet.ops.rounding import sign

if TYPE_CHECKING:
    from gpunet.tensor import Tensor

_MODES, _PADDINGS = ("bilinear", "nearest", "bicubic"), ("zeros", "border", "reflection")


def affine_grid(theta: Tensor, size: Sequence[int], align_corners: bool | None = None) -> Tensor:
    """Places that affine maps give to the pixels of images, for `grid_sample`: theta (x, y, 1).

    Source: Jaderberg et al., 2015, Spatial Transformer Networks.

    Args:
        theta: tensor of shape (N, 2, 3), a matrix for each image.
        size: the images' shape (N, C, H, W).
        align_corners: whether -1 and 1 are the middles of the corner pixels; else they are the images' edges. None:
            False.

    Returns:
        Tensor of shape (N, H, W, 2): x and y, from -1 to 1 inside the image.

    Raises:
        ValueError: theta or size has another shape.

    Example:
        >>> theta = gpunet.tensor([[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]])
        >>> gpunet.nn.functional.affine_grid(theta, (1, 1, 1, 2), align_corners=False)
        tensor([[[[-0.5000,  0.0000],
                  [ 0.5000,  0.0000]]]])
    """
    if theta._array.ndim != 3 or theta._array.shape[1:] != (2, 3) or len(size) != 4 or min(size) < 1:
        raise ValueError("affine_grid: expected theta of shape (N, 2, 3) and a size (N, C, H, W) of positive numbers, "
                         f"got {theta._array.shape} and {tuple(size)}")
    n, _, height, width = size
    x, y = (np.linspace(-1, 1, count) * (1 if align_corners else (count - 1) / count) if count > 1 else np.zeros(1)
            for count in (width, height))
    base = np.stack([np.tile(x, height), np.repeat(y, width), np.ones(height * width)], 1)
    places = matmul(theta.new_tensor(base, dtype=theta.dtype), theta.mT)
    return places.reshape(n, height, width, 2)


def _in_pixels(at, count: int, align: bool):
    return (at + 1) * ((count - 1) / 2) if align else ((at + 1) * count - 1) / 2


def _inside(at, count: int, padding: str, align: bool) -> Any:
    """Coordinates beyond the image brought back to it; as they are for padding with zeros."""
    if padding == "reflection":
        low, span = (0.0, count - 1) if align else (-0.5, count)
        if span == 0:
            return at * 0
        away = (at - low).abs()
        turns = (away / span).floor().detach()
        rest = away - turns * span
        odd = turns % 2
        at = rest * (1 - odd) + (span - rest) * odd + low
    return at if padding == "zeros" else where(at == at, at.clamp(0, count - 1), 0.0)  # NaN is the first pixel


def _pixels(flat, y, x, height: int, width: int) -> Any:
    """The elements [N, C, P] of images [N, C, H W] at whole coordinates [N, P]; 0 beyond the image."""
    known = (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)
    place: Any = where(known, y * width + x, 0.0)
    place = place.to(int64)
    shape = (*flat._array.shape[:2], place._array.shape[1])
    return where(known.unsqueeze(1), gather_op(flat, place.unsqueeze(1).expand(shape), dim=2), 0.0)


def _cubic_weights(t):
    """Weights of the four neighbours by the distance t from the second (Keys, 1981; a = -0.75)."""
    a = -0.75
    near, far = (lambda d: ((a + 2) * d - (a + 3)) * d * d + 1), (lambda d: ((a * d - 5 * a) * d + 8 * a) * d - 4 * a)
    return far(t + 1), near(t), near(1 - t), far(2 - t)


def grid_sample(input: Tensor, grid: Tensor, mode: str = "bilinear", padding_mode: str = "zeros",
                align_corners: bool | None = None) -> Tensor:
    """Images sampled at places that a tensor gives.

    Source: Jaderberg et al., 2015, Spatial Transformer Networks; for "bicubic", Keys, 1981, with a = -0.75.

    Args:
        input: tensor of shape (N, C, H, W).
        grid: tensor of shape (N, H', W', 2): x and y of each place, from -1 to 1 inside the image.
        mode: how values between pixels are found: "bilinear", "nearest" or "bicubic".
        padding_mode: what is beyond the image: "zeros", the "border" or its "reflection".
        align_corners: whether -1 and 1 are the middles of the corner pixels; else they are the images' edges. None:
            False.

    Returns:
        Tensor of shape (N, C, H', W').

    Raises:
        RuntimeError: a tensor has another shape.
        ValueError: a mode is unknown.

    Example:
        >>> x = gpunet.tensor([[[[1.0, 3.0]]]])
        >>> gpunet.nn.functional.grid_sample(x, gpunet.zeros(1, 1, 1, 2), align_corners=False)
        tensor([[[[2.]]]])
    """
    shape, places = input._array.shape, grid._array.shape
    if mode not in _MODES or padding_mode not in _PADDINGS:
        raise ValueError(f"grid_sample: mode must be one of {', '.join(_MODES)} and padding_mode one of "
                         f"{', '.join(_PADDINGS)}, got {mode!r} and {padding_mode!r}")
    if len(shape) != 4 or len(places) != 4 or places[0] != shape[0] or places[3] != 2 or min(shape[2:]) < 1:
        raise RuntimeError("grid_sample: expected an input [N, C, H, W] and a grid [N, H', W', 2] with the same N, got "
                           f"shapes {shape} and {places}")
    n, channels, height, width = shape
    align = bool(align_corners)
    flat = input.reshape(n, channels, height * width)
    points = grid.reshape(n, places[1] * places[2], 2)
    x, y = _in_pixels(points[..., 0], width, align), _in_pixels(points[..., 1], height, align)
    if mode == "bicubic":  # the neighbours are brought back, not the place
        left, top = x.floor().detach(), y.floor().detach()
        rows = []
        for dy in (-1, 0, 1, 2):
            row = [_pixels(flat, _inside(top + dy, height, padding_mode, align),
                           _inside(left + dx, width, padding_mode, align), height, width) for dx in (-1, 0, 1, 2)]
            rows.append(_weighted_sum(row, _cubic_weights(x - left)))
        result = _weighted_sum(rows, _cubic_weights(y - top))
    else:
        x, y = _inside(x, width, padding_mode, align), _inside(y, height, padding_mode, align)
        if mode == "nearest":
            result = _pixels(flat, y.round().detach(), x.round().detach(), height, width)
            if grid._requires_grad:  # by the places the gradient is 0, but there is one
                result = result + (sign(points).sum(-1) * 0).unsqueeze(1)
        else:
            left, top = x.floor().detach(), y.floor().detach()
            right, down = x - left, y - top
            upper, lower = (_weighted_sum([_pixels(flat, at, left + dx, height, width) for dx in (0, 1)],
                                          (1 - right, right)) for at in (top, top + 1))
            result = _weighted_sum([upper, lower], (1 - down, down))
    return result.reshape(n, channels, places[1], places[2])


def _weighted_sum(values, weights):
    total = values[0] * weights[0].unsqueeze(1)
    for value, weight in zip(values[1:], weights[1:], strict=True):
        total = total + value * weight.unsqueeze(1)
    return total
