"""From one kind of image to another, and their values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from gpunet import dtypes
from gpunet.data.transforms.functional.kinds import is_pillow
from gpunet.ops.creation import from_numpy, tensor
from gpunet.tensor import Tensor


def to_tensor(pic: Any) -> Tensor:
    """An image as a Tensor [C, H, W].

    uint8 values (and Pillow's black-and-white images) are divided by 255 and become float32 in [0, 1]; other dtypes
    keep dtype and values.

    Args:
        pic: Pillow image, or NumPy array [H, W] or [H, W, C].

    Returns:
        The Tensor.

    Raises:
        TypeError: the image is neither an array nor a Pillow image.
        ValueError: it has another number of dimensions.

    Examples:
        >>> transforms.functional.to_tensor(numpy.array([[0, 255]], dtype=numpy.uint8))
        tensor([[[0., 1.]]])
    """
    planes = planes_of("ToTensor", pic)
    if planes.dtype == np.uint8:
        return from_numpy(np.ascontiguousarray(planes, dtype=np.float32) / np.float32(255))
    return from_numpy(np.array(planes, order="C"))  # a copy: the image must not change with the Tensor


def pil_to_tensor(pic: Any) -> Tensor:
    """A Pillow image as a Tensor [C, H, W] of the same values and type.

    Args:
        pic: Pillow image.

    Returns:
        The Tensor.

    Raises:
        TypeError: it is no Pillow image.

    Examples:
        >>> from PIL import Image
        >>> transforms.functional.pil_to_tensor(Image.new("L", (2, 1), 7))
        tensor([[[7, 7]]], dtype=gpunet.uint8)
    """
    if not is_pillow(pic):
        raise TypeError(f"PILToTensor takes a Pillow image, not {type(pic).__name__}.")
    return from_numpy(np.array(planes_of("PILToTensor", pic), order="C"))


def planes_of(op: str, pic: Any) -> np.ndarray:
    """The image as an array [C, H, W]."""
    if is_pillow(pic):
        pic = np.asarray(pic, dtype=np.uint8) * 255 if pic.mode == "1" else np.asarray(pic)
    if not isinstance(pic, np.ndarray):
        raise TypeError(f"{op} takes a NumPy array or a Pillow image, not {type(pic).__name__}.")
    if pic.ndim not in (2, 3):
        raise ValueError(f"{op} takes an image of shape (H, W) or (H, W, C), not {pic.shape}.")
    return pic[None] if pic.ndim == 2 else pic.transpose(2, 0, 1)


_MODES = {1: {"u1": "L", "i2": "I;16", "u2": "I;16", "i4": "I", "f4": "F"}, 2: {"u1": "LA"}, 3: {"u1": "RGB"},
          4: {"u1": "RGBA"}}


def to_pil_image(pic: Any, mode: str | None = None) -> Any:
    """A Tensor or array as a Pillow image.

    Args:
        pic: Tensor [C, H, W] or [H, W], floating-point ones in [0, 1]; or NumPy array [H, W, C] or [H, W].
        mode: Pillow's mode; None: by channels and type, such as "L", "RGB", "RGBA" or "F".

    Returns:
        The Pillow image.

    Raises:
        TypeError: it is neither, or has a type for which Pillow has no mode.
        ValueError: it has another number of dimensions or channels, or not those of `mode`.

    Examples:
        >>> transforms.functional.to_pil_image(gpunet.ones(3, 2, 4)).size
        (4, 2)
    """
    from PIL import Image

    if isinstance(pic, Tensor):
        if pic.ndim not in (2, 3):
            raise ValueError(f"ToPILImage takes a tensor of 2 or 3 dimensions, not of shape {tuple(pic.shape)}.")
        values = pic.detach().cpu()
        if values.is_floating_point() and mode != "F":
            values = (values * 255).to(dtypes.uint8)
        array = values.numpy()
        array = array[:, :, None] if array.ndim == 2 else array.transpose(1, 2, 0)
    elif isinstance(pic, np.ndarray):
        if pic.ndim not in (2, 3):
            raise ValueError(f"ToPILImage takes an array of 2 or 3 dimensions, not of shape {pic.shape}.")
        array = pic[:, :, None] if pic.ndim == 2 else pic
    else:
        raise TypeError(f"ToPILImage takes a Tensor or a NumPy array, not {type(pic).__name__}.")
    channels, kind = array.shape[2], array.dtype.str[1:]
    if channels not in _MODES:
        raise ValueError(f"ToPILImage: an image has 1 to 4 channels, not {channels}.")
    found = _MODES[channels].get(kind)
    if found is None:
        raise TypeError(f"ToPILImage: Pillow has no image of {channels} channels of {array.dtype}.")
    allowed = {1: {found}, 2: {"LA"}, 3: {"RGB", "YCbCr", "HSV"}, 4: {"RGBA", "CMYK", "RGBX"}}[channels]
    if mode is not None and mode not in allowed:
        raise ValueError(f"ToPILImage: mode {mode} does not fit an image of {channels} channels of {array.dtype}; it "
                         f"can be {' or '.join(sorted(allowed))}.")
    array = np.ascontiguousarray(array[:, :, 0] if channels == 1 else array)
    if found == "I;16":
        array = array.view(np.uint16)
    image = Image.fromarray(array)
    if mode is not None and mode != image.mode:  # the same bytes under another name
        image = Image.frombytes(mode, image.size, image.tobytes())
    return image


def convert_image_dtype(image: Tensor, dtype: dtypes.dtype = dtypes.float32) -> Tensor:
    """An image tensor in another type, its values scaled: 255 in uint8 is 1.0 in float32.

    Args:
        image: the Tensor.
        dtype: the new type.

    Returns:
        The Tensor in that type.

    Raises:
        RuntimeError: the integer type holds more values than the floating-point one tells apart.

    Examples:
        >>> transforms.functional.convert_image_dtype(gpunet.tensor([0, 255], dtype=gpunet.uint8))
        tensor([0., 1.])
    """
    if image.dtype == dtype:
        return image
    if image.is_floating_point():
        if dtype.is_floating_point:
            return image.to(dtype)
        exact = {dtypes.float64: (dtypes.int64,)}.get(image.dtype, (dtypes.int32, dtypes.int64))
        if dtype in exact:
            raise RuntimeError(f"convert_image_dtype: {image.dtype} cannot tell all values of {dtype} apart; convert "
                               "to a smaller type.")
        return (image * (np.iinfo(dtype.numpy).max + 1.0 - 1e-3)).to(dtype)
    old = int(np.iinfo(image._array.dtype).max)
    if dtype.is_floating_point:
        return image.to(dtype) / old
    new = int(np.iinfo(dtype.numpy).max)
    if old > new:
        return image.div((old + 1) // (new + 1), rounding_mode="floor").to(dtype)
    return image.to(dtype) * ((new + 1) // (old + 1))


def normalize(tensor: Tensor, mean: Sequence[float], std: Sequence[float], inplace: bool = False) -> Tensor:
    """`(x - mean) / std` for each channel.

    Args:
        tensor: floating-point image [..., C, H, W].
        mean: one number for each channel, or one for all.
        std: one number for each channel, or one for all; none of them 0.
        inplace: change the given Tensor.

    Returns:
        The Tensor.

    Raises:
        TypeError: the image is no floating-point Tensor.
        ValueError: it has fewer than 3 dimensions, or std has a zero.

    Examples:
        >>> transforms.functional.normalize(gpunet.tensor([[[1.0, 5.0]]]), [1.0], [2.0])
        tensor([[[0., 2.]]])
    """
    check_normal(tensor, std)
    return normalized(tensor, constants(tensor, mean, std), inplace)


def check_normal(image: Any, std: Any) -> None:
    """Raises what `normalize` raises."""
    if not isinstance(image, Tensor):
        raise TypeError(f"Normalize takes a Tensor, not {type(image).__name__}; put ToTensor() before it.")
    if not image.is_floating_point():
        raise TypeError(f"Normalize takes a floating-point Tensor, not {image.dtype}; put ToTensor() before it.")
    if image.ndim < 3:
        raise ValueError(f"Normalize takes a Tensor of shape (..., C, H, W), not {tuple(image.shape)}.")
    check_std(std)


def check_std(std: Any) -> None:
    """Raises ValueError for a zero."""
    if any(value == 0 for value in np.atleast_1d(np.asarray(std))):
        raise ValueError(f"Normalize: std {std} has a zero, which would be divided by.")


def constants(image: Tensor, mean: Any, std: Any) -> list[Tensor]:
    """Both as tensors in the image's type, on its device."""
    return [tensor(np.asarray(values, np.float64), dtype=image.dtype, device=image.device).reshape(-1, 1, 1)
            for values in (mean, std)]


def normalized(image: Tensor, both: list[Tensor], inplace: bool) -> Tensor:
    """(image - mean) / std."""
    mean, std = both
    return image.sub_(mean).div_(std) if inplace else (image - mean) / std


def erase(img: Tensor, i: int, j: int, h: int, w: int, v: Any, inplace: bool = False) -> Tensor:
    """An image with other values in a rectangle.

    Args:
        img: Tensor [..., C, H, W].
        i: first row of the rectangle.
        j: first column.
        h: rows.
        w: columns.
        v: the new values: a number, or a Tensor that can be expanded to [C, h, w].
        inplace: change the given Tensor.

    Returns:
        The Tensor.

    Raises:
        TypeError: the image is no Tensor.

    Examples:
        >>> transforms.functional.erase(gpunet.ones(1, 1, 3), 0, 1, 1, 2, 0.0)
        tensor([[[1., 0., 0.]]])
    """
    if not isinstance(img, Tensor):
        raise TypeError(f"erase takes a Tensor, not {type(img).__name__}; put ToTensor() before it.")
    img = img if inplace else img.clone()
    img[..., i : i + h, j : j + w] = v
    return img
