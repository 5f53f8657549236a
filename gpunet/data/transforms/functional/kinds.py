"""The kinds of images: Pillow's, tensors [..., C, H, W], and NumPy arrays [H, W] or [H, W, C].

An array is what the datasets of gpunet's own give: it is made a Pillow image first, by every function that changes
pixels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum
from typing import Any

import numpy as np

from gpunet.dtypes import float32
from gpunet.tensor import Tensor


class InterpolationMode(Enum):
    """How values between pixels are found, by Pillow's names.

    Examples:
        >>> transforms.InterpolationMode.BILINEAR.value
        'bilinear'
    """

    NEAREST = "nearest"
    NEAREST_EXACT = "nearest-exact"
    BILINEAR = "bilinear"
    BICUBIC = "bicubic"
    BOX = "box"  # for Pillow images alone, as are the next two
    HAMMING = "hamming"
    LANCZOS = "lanczos"


_PILLOW = {"nearest": 0, "nearest-exact": 0, "bilinear": 2, "bicubic": 3, "box": 4, "hamming": 5, "lanczos": 1}
_BY_NUMBER = {0: "nearest", 2: "bilinear", 3: "bicubic", 4: "box", 5: "hamming", 1: "lanczos"}


def mode_of(op: str, interpolation: Any) -> str:
    """The name of an interpolation mode: of our own, or one of Pillow's numbers."""
    if isinstance(interpolation, int) and int(interpolation) in _BY_NUMBER:
        return _BY_NUMBER[int(interpolation)]
    if not isinstance(interpolation, InterpolationMode):
        raise TypeError(f"{op}: interpolation must be an InterpolationMode or Pillow's number for one, not "
                        f"{interpolation!r}.")
    return interpolation.value


def pillow_mode(name: str) -> Any:
    """Pillow's constant for an interpolation mode."""
    from PIL import Image

    return Image.Resampling(_PILLOW[name])


def is_pillow(image: Any) -> bool:
    """Whether it is a Pillow image; Pillow is not imported for it."""
    return hasattr(image, "getbands") and hasattr(image, "size")


def image_of(op: str, image: Any) -> Any:
    """The image that a function works on: a Tensor or a Pillow image."""
    if isinstance(image, Tensor):
        if image.ndim < 2:
            raise TypeError(f"{op}: an image tensor has the shape (..., H, W), not {tuple(image.shape)}.")
        return image
    if is_pillow(image):
        return image
    if isinstance(image, np.ndarray) and image.ndim in (2, 3):
        from PIL import Image

        return Image.fromarray(image[:, :, 0] if image.ndim == 3 and image.shape[2] == 1 else image)
    raise TypeError(f"{op} takes a Pillow image, a Tensor or a NumPy array (H, W) or (H, W, C), not "
                    f"{type(image).__name__}.")


def get_dimensions(img: Any) -> list[int]:
    """Channels, height and width of an image.

    Args:
        img: Pillow image, Tensor [..., C, H, W] or NumPy array.

    Returns:
        A list of three numbers.

    Examples:
        >>> transforms.functional.get_dimensions(gpunet.zeros(3, 4, 5))
        [3, 4, 5]
    """
    if isinstance(img, Tensor):
        channels = 1 if img.ndim == 2 else img.shape[-3]
        return [channels, img.shape[-2], img.shape[-1]]
    picture = image_of("get_dimensions", img)
    return [len(picture.getbands()), picture.height, picture.width]


def get_image_size(img: Any) -> list[int]:
    """Width and height of an image.

    Args:
        img: Pillow image, Tensor or NumPy array.

    Returns:
        A list of two numbers.

    Examples:
        >>> transforms.functional.get_image_size(gpunet.zeros(3, 4, 5))
        [5, 4]
    """
    _, height, width = get_dimensions(img)
    return [width, height]


def get_image_num_channels(img: Any) -> int:
    """The number of channels of an image.

    Args:
        img: Pillow image, Tensor or NumPy array.

    Returns:
        The number.

    Examples:
        >>> transforms.functional.get_image_num_channels(gpunet.zeros(3, 4, 5))
        3
    """
    return get_dimensions(img)[0]


def largest(image: Tensor) -> float:
    """The value of white: 1 for floating-point tensors."""
    return 1.0 if image.is_floating_point() else float(np.iinfo(image._array.dtype).max)


def as_batch(image: Tensor, function: Callable[[Tensor], Tensor]) -> Tensor:
    """`function` of the image as a floating-point tensor [N, C, H, W]; the result in the image's shape and type,
    integers rounded."""
    dtype = image.dtype
    batch = image if image.is_floating_point() else image.to(float32)
    batch = batch.reshape(-1, *((1,) * (3 - min(image.ndim, 3))), *image.shape[-3:])
    result = function(batch)
    result = result.reshape(*image.shape[:-2], *result.shape[-2:])
    if not image.is_floating_point():
        result = result.round()
    return result.to(dtype)


def fill_of(op: str, fill: Any, channels: int) -> list[float] | None:
    """A colour for a tensor: one number for all channels or one for each."""
    if fill is None:
        return None
    values = [float(each) for each in (fill if isinstance(fill, Sequence) else [fill])]
    if len(values) not in (1, channels):
        raise ValueError(f"{op}: fill has {len(values)} numbers, the image {channels} channels.")
    return values * channels if len(values) == 1 else values


def pillow_fill(op: str, fill: Any, image: Any) -> Any:
    """A colour for a Pillow image, as Pillow wants it."""
    bands = len(image.getbands())
    values = fill_of(op, 0 if fill is None else fill, bands)
    assert values is not None
    whole = values if image.mode == "F" else [int(each) for each in values]
    return whole[0] if bands == 1 else tuple(whole)
