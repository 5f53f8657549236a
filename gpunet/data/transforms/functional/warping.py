"""Rotation, affine and perspective maps, and elastic ones.

A map says for each pixel of the result where in the image its value comes from.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from gpunet.data.transforms.functional.conversion import pil_to_tensor, to_pil_image
from gpunet.data.transforms.functional.kinds import (
    InterpolationMode,
    as_batch,
    fill_of,
    get_dimensions,
    image_of,
    mode_of,
    pillow_fill,
    pillow_mode,
)
from gpunet.ops.creation import ones_like, tensor
from gpunet.ops.grid import grid_sample
from gpunet.ops.join import cat
from gpunet.tensor import Tensor


def inverse_affine(center: Sequence[float], angle: float, translate: Sequence[float], scale: float,
                   shear: Sequence[float]) -> list[float]:
    """The first two rows of the matrix from the result to the image: the inverse of translation, and of rotation,
    scaling and shear around the centre. Angles in degrees."""
    rotation, x, y = math.radians(angle), math.radians(shear[0]), math.radians(shear[1])
    # R(rotation) Sy(y) Sx(x), of determinant 1, without the scale
    a, c = math.cos(rotation - y) / math.cos(y), math.sin(rotation - y) / math.cos(y)
    b, d = -a * math.tan(x) - math.sin(rotation), -c * math.tan(x) + math.cos(rotation)
    rows = [[d / scale, -b / scale], [-c / scale, a / scale]]
    moved = [-center[0] - translate[0], -center[1] - translate[1]]
    (r0, r1), (r2, r3) = rows
    return [r0, r1, r0 * moved[0] + r1 * moved[1] + center[0], r2, r3, r2 * moved[0] + r3 * moved[1] + center[1]]


def _sampled(image: Tensor, grid: np.ndarray, mode: str, fill: list[float] | None) -> Tensor:
    """The image at the places of a grid [H, W, 2], which are -1 to 1 from edge to edge; `fill` outside."""
    if mode not in ("nearest", "bilinear"):
        raise ValueError(f"a Tensor is mapped with nearest or bilinear interpolation, not {mode}.")

    def sampled(batch: Tensor) -> Tensor:
        places = tensor(grid[None], dtype=batch.dtype, device=batch.device).expand(batch.shape[0], -1, -1, -1)
        if fill is None:
            return grid_sample(batch, places, mode=mode, padding_mode="zeros", align_corners=False)
        whole = cat((batch, ones_like(batch[:, :1])), 1)  # the last channel says how much of a pixel is inside
        whole = grid_sample(whole, places, mode=mode, padding_mode="zeros", align_corners=False)
        inside, colour = whole[:, -1:], tensor(fill, dtype=batch.dtype, device=batch.device).reshape(1, -1, 1, 1)
        if mode == "nearest":
            inside = (inside >= 0.5).to(batch.dtype)
        return whole[:, :-1] * inside + (1 - inside) * colour

    return as_batch(image, sampled)


def _places(height: int, width: int, first: float) -> np.ndarray:
    """(x, y, 1) of the middles of pixels, float32 [H, W, 3]; `first` 0: from the edge, 0.5: from the middle."""
    x = np.arange(width, dtype=np.float32) + np.float32(0.5 - first * width)
    y = np.arange(height, dtype=np.float32) + np.float32(0.5 - first * height)
    return np.stack([*np.meshgrid(x, y), np.ones((height, width), np.float32)], axis=-1)


def _affine_grid(matrix: list[float], old: tuple[int, int], new: tuple[int, int]) -> np.ndarray:
    theta = np.asarray(matrix, np.float32).reshape(2, 3).T
    theta = theta / np.array([0.5 * old[1], 0.5 * old[0]], np.float32)
    return _places(*new, 0.5) @ theta


def _expanded(matrix: list[float], height: int, width: int) -> tuple[int, int]:
    """Height and width that hold the whole of a rotated image."""
    corners = np.array([[x * 0.5 * width, y * 0.5 * height, 1.0] for x in (-1, 1) for y in (-1, 1)], np.float32)
    moved = corners @ np.asarray(matrix, np.float32).reshape(2, 3).T
    low = moved.min(0) + np.array([width * 0.5, height * 0.5], np.float32)
    high = moved.max(0) + np.array([width * 0.5, height * 0.5], np.float32)
    tolerance = np.float32(1e-4)  # a corner at 5.00001 needs no further pixel
    size = np.ceil(np.trunc(high / tolerance) * tolerance) - np.floor(np.trunc(low / tolerance) * tolerance)
    return int(size[1]), int(size[0])


def rotate(img: Any, angle: float, interpolation: Any = InterpolationMode.NEAREST, expand: bool = False,
           center: Sequence[float] | None = None, fill: Any = None) -> Any:
    """An image turned counter-clockwise.

    Args:
        img: Pillow image, Tensor [..., C, H, W] or NumPy array.
        angle: in degrees.
        interpolation: how values between pixels are found.
        expand: make the result large enough for the whole turned image.
        center: (x, y) around which it turns, from the top left corner; None: the middle.
        fill: colour outside the image: a number, or one for each channel.

    Returns:
        The image.

    Examples:
        >>> transforms.functional.rotate(gpunet.tensor([[[1, 2], [3, 4]]]), 90)
        tensor([[[2, 4],
                 [1, 3]]])
    """
    mode, img = mode_of("rotate", interpolation), image_of("rotate", img)
    if not isinstance(img, Tensor):
        return img.rotate(angle, pillow_mode(mode), expand, center, fillcolor=pillow_fill("rotate", fill, img))
    channels, height, width = get_dimensions(img)
    middle = [0.0, 0.0] if center is None else [center[0] - width * 0.5, center[1] - height * 0.5]
    matrix = inverse_affine(middle, -angle, [0, 0], 1.0, [0, 0])
    new = _expanded(matrix, height, width) if expand else (height, width)
    return _sampled(img, _affine_grid(matrix, (height, width), new), mode, fill_of("rotate", fill, channels))


def affine(img: Any, angle: float, translate: Sequence[float], scale: float, shear: Any,
           interpolation: Any = InterpolationMode.NEAREST, fill: Any = None,
           center: Sequence[float] | None = None) -> Any:
    """An image turned clockwise, moved, scaled and sheared.

    Args:
        img: Pillow image, Tensor [..., C, H, W] or NumPy array.
        angle: in degrees.
        translate: (x, y) in pixels.
        scale: factor, greater than 0.
        shear: angles (x, y) in degrees, or one number for x.
        interpolation: how values between pixels are found.
        fill: colour outside the image: a number, or one for each channel.
        center: (x, y) around which it turns, from the top left corner; None: the middle.

    Returns:
        The image.

    Raises:
        ValueError: scale is not positive.

    Examples:
        >>> transforms.functional.affine(gpunet.tensor([[[1, 2, 3]]]), 0, [1, 0], 1.0, 0)
        tensor([[[0, 1, 2]]])
    """
    if scale <= 0:
        raise ValueError(f"affine: scale must be positive, not {scale}.")
    mode, img = mode_of("affine", interpolation), image_of("affine", img)
    sheared = [float(shear), 0.0] if isinstance(shear, int | float) else [float(shear[0]), float(shear[-1])]
    channels, height, width = get_dimensions(img)
    if not isinstance(img, Tensor):
        middle = [width * 0.5, height * 0.5] if center is None else center
        matrix = inverse_affine(middle, angle, translate, scale, sheared)
        return _pillow_map(img, "AFFINE", matrix, mode, pillow_fill("affine", fill, img))
    middle = [0.0, 0.0] if center is None else [center[0] - width * 0.5, center[1] - height * 0.5]
    matrix = inverse_affine(middle, angle, translate, scale, sheared)
    size = height, width
    return _sampled(img, _affine_grid(matrix, size, size), mode, fill_of("affine", fill, channels))


def _pillow_map(img: Any, kind: str, coefficients: Sequence[float], mode: str, fill: Any) -> Any:
    from PIL import Image

    return img.transform(img.size, Image.Transform[kind], coefficients, pillow_mode(mode), fillcolor=fill)


def perspective(img: Any, startpoints: Sequence[Sequence[float]], endpoints: Sequence[Sequence[float]],
                interpolation: Any = InterpolationMode.BILINEAR, fill: Any = None) -> Any:
    """An image seen in perspective: four points of it move to four others.

    Args:
        img: Pillow image, Tensor [..., C, H, W] or NumPy array.
        startpoints: four points (x, y) of the image.
        endpoints: where they are in the result.
        interpolation: how values between pixels are found.
        fill: colour outside the image: a number, or one for each channel.

    Returns:
        The image.

    Raises:
        ValueError: there are not four points of each, or three lie on a line.

    Examples:
        >>> square = [[0, 0], [2, 0], [2, 2], [0, 2]]
        >>> transforms.functional.perspective(gpunet.ones(1, 2, 2), square, square).sum().item()
        4.0
    """
    if len(startpoints) != 4 or len(endpoints) != 4:
        raise ValueError(f"perspective takes four points and four points, not {len(startpoints)} and "
                         f"{len(endpoints)}.")
    rows = []
    for (x0, y0), (x, y) in zip(startpoints, endpoints, strict=True):
        rows += [[x, y, 1, 0, 0, 0, -x0 * x, -x0 * y], [0, 0, 0, x, y, 1, -y0 * x, -y0 * y]]
    try:
        solved = np.linalg.solve(np.array(rows, np.float64), np.array(startpoints, np.float64).reshape(8))
    except np.linalg.LinAlgError:
        raise ValueError("perspective: three of the four points lie on a line.") from None
    coefficients = solved.astype(np.float32)
    mode, img = mode_of("perspective", interpolation), image_of("perspective", img)
    if not isinstance(img, Tensor):
        return _pillow_map(img, "PERSPECTIVE", coefficients.tolist(), mode, pillow_fill("perspective", fill, img))
    channels, height, width = get_dimensions(img)
    places = _places(height, width, 0.0)
    upper = places @ (coefficients[:6].reshape(2, 3).T / np.array([0.5 * width, 0.5 * height], np.float32))
    lower = places @ np.array([*coefficients[6:], 1.0], np.float32)
    return _sampled(img, upper / lower[..., None] - 1, mode, fill_of("perspective", fill, channels))


def elastic_transform(img: Any, displacement: Tensor, interpolation: Any = InterpolationMode.BILINEAR,
                      fill: Any = None) -> Any:
    """An image whose pixels come from elsewhere.

    Args:
        img: Pillow image, Tensor [..., C, H, W] or NumPy array.
        displacement: Tensor [1, H, W, 2]: how far away, in x and y, where the image is 2 wide and high.
        interpolation: how values between pixels are found.
        fill: colour outside the image: a number, or one for each channel.

    Returns:
        The image.

    Raises:
        ValueError: displacement has another shape.

    Examples:
        >>> transforms.functional.elastic_transform(gpunet.ones(1, 2, 2), gpunet.zeros(1, 2, 2, 2)).sum().item()
        4.0
    """
    img = image_of("elastic_transform", img)
    channels, height, width = get_dimensions(img)
    if tuple(displacement.shape) != (1, height, width, 2):
        raise ValueError(f"elastic_transform: displacement must have the shape (1, {height}, {width}, 2), not "
                         f"{tuple(displacement.shape)}.")
    own = _places(height, width, 0.5)[..., :2] / np.array([0.5 * width, 0.5 * height], np.float32)
    grid = own + displacement.detach().cpu().numpy()[0].astype(np.float32)
    picture = img if isinstance(img, Tensor) else pil_to_tensor(img)
    made = _sampled(picture, grid, mode_of("elastic_transform", interpolation),
                    fill_of("elastic_transform", fill, channels))
    return made if isinstance(img, Tensor) else to_pil_image(made, img.mode)
