"""Flips, crops, borders and sizes of images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from gpunet.data.transforms.functional.kinds import (
    InterpolationMode,
    as_batch,
    get_dimensions,
    image_of,
    mode_of,
    pillow_fill,
    pillow_mode,
)
from gpunet.ops.creation import tensor
from gpunet.ops.pad import pad as pad_tensor
from gpunet.ops.reorder import flip
from gpunet.ops.resize import interpolate
from gpunet.tensor import Tensor


def hflip(img: Any) -> Any:
    """An image with left and right exchanged.

    Args:
        img: Pillow image, Tensor [..., H, W] or NumPy array.

    Returns:
        The image.

    Examples:
        >>> transforms.functional.hflip(gpunet.tensor([[1, 2, 3]]))
        tensor([[3, 2, 1]])
    """
    img = image_of("hflip", img)
    if isinstance(img, Tensor):
        return flip(img, (-1,))
    from PIL import Image

    return img.transpose(Image.Transpose.FLIP_LEFT_RIGHT)


def vflip(img: Any) -> Any:
    """An image with top and bottom exchanged.

    Args:
        img: Pillow image, Tensor [..., H, W] or NumPy array.

    Returns:
        The image.

    Examples:
        >>> transforms.functional.vflip(gpunet.tensor([[1], [2]]))
        tensor([[2],
                [1]])
    """
    img = image_of("vflip", img)
    if isinstance(img, Tensor):
        return flip(img, (-2,))
    from PIL import Image

    return img.transpose(Image.Transpose.FLIP_TOP_BOTTOM)


def crop(img: Any, top: int, left: int, height: int, width: int) -> Any:
    """A rectangle of an image; 0 where it lies outside.

    Args:
        img: Pillow image, Tensor [..., H, W] or NumPy array.
        top: its first row.
        left: its first column.
        height: its rows.
        width: its columns.

    Returns:
        The image.

    Examples:
        >>> transforms.functional.crop(gpunet.tensor([[1, 2, 3]]), 0, 1, 1, 3)
        tensor([[2, 3, 0]])
    """
    img = image_of("crop", img)
    if not isinstance(img, Tensor):
        return img.crop((left, top, left + width, top + height))
    rows, columns = img.shape[-2:]
    bottom, right = top + height, left + width
    part = img[..., max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)]
    if left < 0 or top < 0 or right > columns or bottom > rows:
        border = [max(0, min(-left, width)), max(0, min(right - columns, width)), max(0, min(-top, height)),
                  max(0, min(bottom - rows, height))]
        part = pad_tensor(part, border)
    return part


def _pair(op: str, size: Any) -> tuple[int, int]:
    """Height and width from one number or two."""
    if isinstance(size, Sequence):
        if len(size) not in (1, 2):
            raise ValueError(f"{op}: a size is one number or (height, width), not {size!r}.")
        return int(size[0]), int(size[-1])
    return int(size), int(size)


def center_crop(img: Any, output_size: Any) -> Any:
    """The middle of an image; smaller images get a border of 0 first.

    Args:
        img: Pillow image, Tensor [..., H, W] or NumPy array.
        output_size: (height, width), or one number for both.

    Returns:
        The image.

    Examples:
        >>> transforms.functional.center_crop(gpunet.tensor([[1, 2, 3], [4, 5, 6], [7, 8, 9]]), 1)
        tensor([[5]])
    """
    height, width = _pair("center_crop", output_size)
    img = image_of("center_crop", img)
    _, rows, columns = get_dimensions(img)
    if width > columns or height > rows:
        more, below = max(width - columns, 0), max(height - rows, 0)
        img = pad(img, [more // 2, below // 2, (more + 1) // 2, (below + 1) // 2])
        _, rows, columns = get_dimensions(img)
        if (width, height) == (columns, rows):
            return img
    return crop(img, round((rows - height) / 2), round((columns - width) / 2), height, width)


def five_crop(img: Any, size: Any) -> tuple[Any, Any, Any, Any, Any]:
    """The four corners of an image and its middle.

    Args:
        img: Pillow image, Tensor [..., H, W] or NumPy array.
        size: (height, width) of each, or one number for both.

    Returns:
        Top left, top right, bottom left, bottom right, middle.

    Raises:
        ValueError: the image is smaller.

    Examples:
        >>> [part.item() for part in transforms.functional.five_crop(gpunet.arange(9).reshape(3, 3), 1)]
        [0, 2, 6, 8, 4]
    """
    height, width = _pair("five_crop", size)
    img = image_of("five_crop", img)
    _, rows, columns = get_dimensions(img)
    if width > columns or height > rows:
        raise ValueError(f"five_crop: parts of {height} x {width} do not fit into an image of {rows} x {columns}.")
    corners = [crop(img, top, left, height, width) for top in (0, rows - height) for left in (0, columns - width)]
    return corners[0], corners[1], corners[2], corners[3], center_crop(img, (height, width))


def ten_crop(img: Any, size: Any, vertical_flip: bool = False) -> tuple[Any, ...]:
    """What `five_crop` gives, of the image and of its mirror image.

    Args:
        img: Pillow image, Tensor [..., H, W] or NumPy array.
        size: (height, width) of each, or one number for both.
        vertical_flip: exchange top and bottom for the mirror image, in place of left and right.

    Returns:
        Ten images.

    Raises:
        ValueError: the image is smaller.

    Examples:
        >>> [part.item() for part in transforms.functional.ten_crop(gpunet.tensor([[1, 2]]), 1)]
        [1, 2, 1, 2, 1, 2, 1, 2, 1, 2]
    """
    return five_crop(img, size) + five_crop(vflip(img) if vertical_flip else hflip(img), size)


# ---- borders


def borders_of(padding: Any) -> tuple[int, int, int, int]:
    """Left, top, right, bottom."""
    if isinstance(padding, int):
        return padding, padding, padding, padding
    if not isinstance(padding, Sequence) or len(padding) not in (1, 2, 4):
        raise ValueError("pad: padding is one number, (left and right, top and bottom) or (left, top, right, bottom), "
                         f"not {padding!r}.")
    left, top = padding[0], padding[1 % len(padding)]
    return (left, top, left, top) if len(padding) < 4 else (left, top, padding[2], padding[3])


_NUMPY_MODES = {"constant": "constant", "edge": "edge", "reflect": "reflect", "symmetric": "symmetric"}


def pad(img: Any, padding: Any, fill: Any = 0, padding_mode: str = "constant") -> Any:
    """An image with a border; a negative one cuts off.

    Args:
        img: Pillow image, Tensor [..., H, W] or NumPy array.
        padding: one number; (left and right, top and bottom); or (left, top, right, bottom).
        fill: colour of the border: a number, or one for each channel of a Pillow image.
        padding_mode: "constant", "edge" (the last pixel again), "reflect" (mirrored, without the last pixel) or
            "symmetric" (mirrored, with it).

    Returns:
        The image.

    Raises:
        ValueError: padding or padding_mode is not among these.

    Examples:
        >>> transforms.functional.pad(gpunet.tensor([[1, 2]]), (1, 0), fill=9)
        tensor([[9, 1, 2, 9]])
        >>> transforms.functional.pad(gpunet.tensor([[1, 2, 3]]), (2, 0), padding_mode="symmetric")
        tensor([[2, 1, 1, 2, 3, 3, 2]])
    """
    left, top, right, bottom = borders_of(padding)
    if padding_mode not in _NUMPY_MODES:
        raise ValueError(f"pad: padding_mode is one of {', '.join(_NUMPY_MODES)}, not {padding_mode!r}.")
    img = image_of("pad", img)
    if isinstance(img, Tensor):
        if padding_mode == "constant":
            value: Any = fill[0] if isinstance(fill, Sequence) and len(fill) == 1 else fill
            return pad_tensor(img, [left, right, top, bottom], value=0 if value is None else value)
        rows, columns = (_positions(count, before, after, padding_mode) for count, before, after in
                         ((img.shape[-2], top, bottom), (img.shape[-1], left, right)))
        y, x = (tensor(each, device=img.device) for each in (rows, columns))
        return img[..., y[:, None], x[None, :]]
    from PIL import Image, ImageOps

    if padding_mode == "constant":
        made = ImageOps.expand(img, border=(left, top, right, bottom), fill=pillow_fill("pad", fill, img))
    else:
        array = np.asarray(img)
        rows = _positions(array.shape[0], top, bottom, padding_mode)
        columns = _positions(array.shape[1], left, right, padding_mode)
        made = Image.fromarray(array[np.ix_(rows, columns)])
    if img.mode == "P":
        made.putpalette(img.getpalette())
    return made


def _positions(count: int, before: int, after: int, mode: str) -> np.ndarray:
    """Which row, or column, of the image each one of the result is."""
    kept = np.arange(max(-before, 0), count - max(-after, 0))
    return np.pad(kept, (max(before, 0), max(after, 0)), mode=mode)  # pyright: ignore[reportArgumentType, reportCallIssue]


# ---- sizes


def resized_size(height: int, width: int, size: Sequence[int], max_size: int | None) -> list[int]:
    """Height and width of the result of `resize`."""
    if len(size) == 2:
        return [int(size[0]), int(size[1])]
    short, long = min(height, width), max(height, width)
    new_short, new_long = int(size[0]), int(size[0] * long / short)
    if max_size is not None:
        if max_size <= size[0]:
            raise ValueError(f"resize: max_size {max_size} must be larger than the size {size[0]} of the shorter edge.")
        if new_long > max_size:
            new_short, new_long = int(max_size * new_short / new_long), max_size
    return [new_long, new_short] if width <= height else [new_short, new_long]


def resize(img: Any, size: Any, interpolation: Any = InterpolationMode.BILINEAR, max_size: int | None = None,
           antialias: bool | None = True) -> Any:
    """An image in another size.

    Args:
        img: Pillow image, Tensor [..., H, W] or NumPy array.
        size: (height, width); or one number for the shorter edge, the other in proportion.
        interpolation: how values between pixels are found.
        max_size: with one number: the most that the longer edge may have.
        antialias: average over what a smaller image leaves out; Pillow always does for bilinear and bicubic.

    Returns:
        The image.

    Raises:
        TypeError: the interpolation mode is none.
        ValueError: size or max_size does not fit.

    Examples:
        >>> transforms.functional.resize(gpunet.tensor([[[1.0, 3.0], [5.0, 7.0]]]), [1, 1])
        tensor([[[4.]]])
    """
    mode = mode_of("resize", interpolation)
    sizes = [size] if isinstance(size, int) else list(size)
    if len(sizes) not in (1, 2) or len(sizes) == 2 and max_size is not None:
        raise ValueError(f"resize: size is one number or (height, width), not {size!r}, and max_size belongs to one "
                         "number.")
    img = image_of("resize", img)
    _, height, width = get_dimensions(img)
    new = resized_size(height, width, sizes, max_size)
    if new == [height, width]:
        return img
    if not isinstance(img, Tensor):
        return img.resize((new[1], new[0]), pillow_mode(mode))
    if mode not in ("nearest", "nearest-exact", "bilinear", "bicubic"):
        raise ValueError(f"resize: {mode} is for Pillow images; a Tensor takes nearest, bilinear or bicubic.")
    smooth = mode in ("bilinear", "bicubic")

    def resized(batch: Tensor) -> Tensor:
        made = interpolate(batch, new, mode=mode, align_corners=False if smooth else None,
                           antialias=bool(antialias) and smooth)
        return made.clamp(0, 255) if mode == "bicubic" and img._array.dtype == np.uint8 else made

    return as_batch(img, resized)


def resized_crop(img: Any, top: int, left: int, height: int, width: int, size: Any,
                 interpolation: Any = InterpolationMode.BILINEAR, antialias: bool | None = True) -> Any:
    """A rectangle of an image, in another size.

    Args:
        img: Pillow image, Tensor [..., H, W] or NumPy array.
        top: its first row.
        left: its first column.
        height: its rows.
        width: its columns.
        size: the new (height, width), or one number for the shorter edge.
        interpolation: how values between pixels are found.
        antialias: average over what a smaller image leaves out.

    Returns:
        The image.

    Examples:
        >>> transforms.functional.resized_crop(gpunet.ones(3, 8, 8), 0, 0, 4, 4, [2, 2]).shape
        gpunet.Size([3, 2, 2])
    """
    return resize(crop(img, top, left, height, width), size, interpolation, antialias=antialias)
