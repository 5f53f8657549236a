"""Colours, brightness and sharpness of images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gpunet import dtypes
from gpunet.data.transforms.functional.conversion import convert_image_dtype, pil_to_tensor, to_pil_image
from gpunet.data.transforms.functional.kinds import as_batch, image_of, largest
from gpunet.ops.compare import where
from gpunet.ops.conv import conv2d
from gpunet.ops.creation import ones_like, tensor, zeros_like
from gpunet.ops.join import stack
from gpunet.ops.pad import pad
from gpunet.tensor import Tensor


def _colours(op: str, img: Any) -> Any:
    """The image, whose tensors must be grey or RGB."""
    img = image_of(op, img)
    if isinstance(img, Tensor) and (img.ndim < 3 or img.shape[-3] not in (1, 3)):
        raise TypeError(f"{op}: a Tensor must have 1 or 3 channels, as in (..., C, H, W); its shape is "
                        f"{tuple(img.shape)}.")
    return img


def _blend(one: Tensor, other: Tensor, ratio: float) -> Tensor:
    """ratio * one + (1 - ratio) * other, within the range of the type."""
    return (float(ratio) * one + (1.0 - float(ratio)) * other).clamp(0, largest(one)).to(one.dtype)


def _factor(op: str, factor: float) -> None:
    if factor < 0:
        raise ValueError(f"{op}: the factor must not be negative, got {factor}.")


def _enhanced(kind: str, img: Any, factor: float) -> Any:
    from PIL import ImageEnhance

    return getattr(ImageEnhance, kind)(img).enhance(factor)


def rgb_to_grayscale(img: Any, num_output_channels: int = 1) -> Any:
    """A colour image in grey: 0.2989 R + 0.587 G + 0.114 B.

    Args:
        img: Pillow image, Tensor [..., 3, H, W] or NumPy array.
        num_output_channels: 1, or 3 equal ones.

    Returns:
        The image.

    Raises:
        ValueError: another number of channels is asked for.

    Examples:
        >>> transforms.functional.rgb_to_grayscale(gpunet.ones(3, 1, 2))
        tensor([[[0.9999, 0.9999]]])
    """
    if num_output_channels not in (1, 3):
        raise ValueError(f"rgb_to_grayscale: num_output_channels is 1 or 3, not {num_output_channels}.")
    img = _colours("rgb_to_grayscale", img)
    if not isinstance(img, Tensor):
        grey = img.convert("L")
        return grey if num_output_channels == 1 else grey.convert("RGB")
    if img.shape[-3] == 3:
        red, green, blue = img.unbind(-3)
        grey = (0.2989 * red + 0.587 * green + 0.114 * blue).to(img.dtype).unsqueeze(-3)
    else:
        grey = img.clone()
    return grey if num_output_channels == 1 else grey.expand(*img.shape[:-3], 3, *img.shape[-2:])


def to_grayscale(img: Any, num_output_channels: int = 1) -> Any:
    """A Pillow image in grey.

    Args:
        img: Pillow image or NumPy array.
        num_output_channels: 1, or 3 equal ones.

    Returns:
        The image.

    Raises:
        TypeError: it is a Tensor; `rgb_to_grayscale` takes these.

    Examples:
        >>> transforms.functional.to_grayscale(numpy.zeros((2, 2, 3), numpy.uint8)).mode
        'L'
    """
    if isinstance(img, Tensor):
        raise TypeError("to_grayscale takes a Pillow image; rgb_to_grayscale takes a Tensor.")
    return rgb_to_grayscale(img, num_output_channels)


def adjust_brightness(img: Any, brightness_factor: float) -> Any:
    """A brighter or darker image.

    Args:
        img: Pillow image, Tensor [..., 1 or 3, H, W] or NumPy array.
        brightness_factor: 0 gives a black image, 1 the image itself.

    Returns:
        The image.

    Raises:
        ValueError: the factor is negative.

    Examples:
        >>> transforms.functional.adjust_brightness(gpunet.tensor([[[0.2, 0.6]]]), 2.0)
        tensor([[[0.4000, 1.0000]]])
    """
    _factor("adjust_brightness", brightness_factor)
    img = _colours("adjust_brightness", img)
    if not isinstance(img, Tensor):
        return _enhanced("Brightness", img, brightness_factor)
    return _blend(img, zeros_like(img), brightness_factor)


def adjust_contrast(img: Any, contrast_factor: float) -> Any:
    """An image with more or less contrast.

    Args:
        img: Pillow image, Tensor [..., 1 or 3, H, W] or NumPy array.
        contrast_factor: 0 gives an image of its mean grey, 1 the image itself.

    Returns:
        The image.

    Raises:
        ValueError: the factor is negative.

    Examples:
        >>> transforms.functional.adjust_contrast(gpunet.tensor([[[0.2, 0.6]]]), 0.5)
        tensor([[[0.3000, 0.5000]]])
    """
    _factor("adjust_contrast", contrast_factor)
    img = _colours("adjust_contrast", img)
    if not isinstance(img, Tensor):
        return _enhanced("Contrast", img, contrast_factor)
    grey = rgb_to_grayscale(img) if img.shape[-3] == 3 else img
    grey = grey if grey.is_floating_point() else grey.to(dtypes.float32)
    return _blend(img, grey.mean((-3, -2, -1), keepdim=True), contrast_factor)


def adjust_saturation(img: Any, saturation_factor: float) -> Any:
    """An image with stronger or weaker colours.

    Args:
        img: Pillow image, Tensor [..., 1 or 3, H, W] or NumPy array.
        saturation_factor: 0 gives a grey image, 1 the image itself.

    Returns:
        The image.

    Raises:
        ValueError: the factor is negative.

    Examples:
        >>> transforms.functional.adjust_saturation(gpunet.tensor([[[1.0]], [[0.0]], [[0.0]]]), 0.0).flatten()
        tensor([0.2989, 0.2989, 0.2989])
    """
    _factor("adjust_saturation", saturation_factor)
    img = _colours("adjust_saturation", img)
    if not isinstance(img, Tensor):
        return _enhanced("Color", img, saturation_factor)
    return img if img.shape[-3] == 1 else _blend(img, rgb_to_grayscale(img), saturation_factor)


def adjust_hue(img: Any, hue_factor: float) -> Any:
    """An image whose colours are turned around the colour circle.

    Args:
        img: Pillow image, Tensor [..., 1 or 3, H, W] or NumPy array.
        hue_factor: part of the circle, -0.5 to 0.5.

    Returns:
        The image.

    Raises:
        ValueError: the factor is not within -0.5 to 0.5.

    Examples:
        >>> transforms.functional.adjust_hue(gpunet.tensor([[[1.0]], [[0.0]], [[0.0]]]), 0.5).flatten()
        tensor([0., 1., 1.])
    """
    if not -0.5 <= hue_factor <= 0.5:
        raise ValueError(f"adjust_hue: the factor must be within -0.5 to 0.5, got {hue_factor}.")
    img = _colours("adjust_hue", img)
    if not isinstance(img, Tensor):
        if img.mode in ("L", "1", "I", "F"):
            return img
        from PIL import Image

        hue, saturation, value = img.convert("HSV").split()
        turned = np.asarray(hue) + np.int32(hue_factor * 255).astype(np.uint8)
        return Image.merge("HSV", (Image.fromarray(turned), saturation, value)).convert(img.mode)
    if img.shape[-3] == 1:
        return img
    return convert_image_dtype(_turned(convert_image_dtype(img, dtypes.float32), hue_factor), img.dtype)


def _turned(image: Tensor, turn: float) -> Tensor:
    """An RGB image whose hue is turned. Source: Smith, "Color gamut transform pairs", 1978."""
    red, green, blue = image.unbind(-3)
    high, low = image.amax(-3), image.amin(-3)
    grey = high == low
    one = ones_like(high)
    spread = high - low
    saturation = spread / where(grey, one, high)
    divisor = where(grey, one, spread)
    r, g, b = ((high - each) / divisor for each in (red, green, blue))
    hue = where(high == red, b - g, where(high == green, 2.0 + r - b, 4.0 + g - r))
    hue = ((hue / 6.0 + 1.0).fmod(1.0) + turn) % 1.0
    sector = (hue * 6.0).floor()
    part = hue * 6.0 - sector
    sector = sector.to(dtypes.int32) % 6
    p = (high * (1.0 - saturation)).clamp(0, 1)
    q = (high * (1.0 - saturation * part)).clamp(0, 1)
    t = (high * (1.0 - saturation * (1.0 - part))).clamp(0, 1)
    channels = []
    for sectors in ((high, q, p, p, t, high), (t, high, high, q, p, p), (p, p, t, high, high, q)):
        value = sectors[0]
        for number in range(1, 6):
            value = where(sector == number, sectors[number], value)
        channels.append(value)
    return stack(channels, -3)


def adjust_gamma(img: Any, gamma: float, gain: float = 1) -> Any:
    """`gain * x^gamma`, for x from 0 to 1.

    Args:
        img: Pillow image, Tensor [..., 1 or 3, H, W] or NumPy array.
        gamma: exponent: above 1 shadows become darker, below 1 lighter.
        gain: factor.

    Returns:
        The image.

    Raises:
        ValueError: gamma is negative.

    Examples:
        >>> transforms.functional.adjust_gamma(gpunet.tensor([[[0.5, 1.0]]]), 2.0)
        tensor([[[0.2500, 1.0000]]])
    """
    _factor("adjust_gamma", gamma)
    img = _colours("adjust_gamma", img)
    if not isinstance(img, Tensor):
        table = [int((255 + 1 - 1e-3) * gain * pow(value / 255.0, gamma)) for value in range(256)] * 3
        return img.convert("RGB").point(table).convert(img.mode)
    values = img if img.is_floating_point() else convert_image_dtype(img, dtypes.float32)
    return convert_image_dtype((gain * values.pow(gamma)).clamp(0, 1), img.dtype)


def adjust_sharpness(img: Any, sharpness_factor: float) -> Any:
    """A sharper or softer image.

    Args:
        img: Pillow image, Tensor [..., 1 or 3, H, W] or NumPy array.
        sharpness_factor: 0 gives a smoothed image, 1 the image itself.

    Returns:
        The image.

    Raises:
        ValueError: the factor is negative.

    Examples:
        >>> transforms.functional.adjust_sharpness(gpunet.eye(3)[None], 0.0)[0, 1]
        tensor([0.0000, 0.5385, 0.0000])
    """
    _factor("adjust_sharpness", sharpness_factor)
    img = _colours("adjust_sharpness", img)
    if not isinstance(img, Tensor):
        return _enhanced("Sharpness", img, sharpness_factor)
    if min(img.shape[-2:]) <= 2:
        return img
    smooth = img.clone()
    smooth[..., 1:-1, 1:-1] = as_batch(img, lambda batch: filtered(batch, np.array([[1, 1, 1], [1, 5, 1], [1, 1, 1]])))
    return _blend(img, smooth, sharpness_factor)


def filtered(batch: Tensor, weights: np.ndarray) -> Tensor:
    """Each channel convolved with weights, which are divided by their sum."""
    channels = batch.shape[1]
    kernel = tensor(weights / weights.sum(), dtype=batch.dtype, device=batch.device)
    return conv2d(batch, kernel.expand(channels, 1, *kernel.shape), groups=channels)


def gaussian_blur(img: Any, kernel_size: Any, sigma: Any = None) -> Any:
    """An image blurred by a Gaussian; its edges are mirrored.

    Args:
        img: Pillow image, Tensor [..., C, H, W] or NumPy array.
        kernel_size: odd width and height of the kernel, or one number for both.
        sigma: standard deviations (x, y), or one number; None: 0.15 * kernel_size + 0.35.

    Returns:
        The image.

    Raises:
        ValueError: a size is even, or a deviation not positive.

    Examples:
        >>> transforms.functional.gaussian_blur(gpunet.ones(1, 3, 3), 3).shape
        gpunet.Size([1, 3, 3])
    """
    sizes = list(kernel_size) if isinstance(kernel_size, Sequence) else [kernel_size]
    sizes = sizes * 2 if len(sizes) == 1 else sizes
    if len(sizes) != 2 or any(size % 2 == 0 or size < 1 for size in sizes):
        raise ValueError("gaussian_blur: kernel_size must be odd and positive, for both directions, not "
                         f"{kernel_size}.")
    sigmas = [size * 0.15 + 0.35 for size in sizes] if sigma is None else (
        list(sigma) if isinstance(sigma, Sequence) else [sigma])
    sigmas = sigmas * 2 if len(sigmas) == 1 else sigmas
    if len(sigmas) != 2 or any(each <= 0 for each in sigmas):
        raise ValueError(f"gaussian_blur: sigma must be positive, for both directions, not {sigma}.")
    img = image_of("gaussian_blur", img)
    x, y = (np.exp(-0.5 * ((np.arange(size) - (size - 1) / 2) / each) ** 2)
            for size, each in zip(sizes, sigmas, strict=True))
    border = [sizes[0] // 2, sizes[0] // 2, sizes[1] // 2, sizes[1] // 2]

    def blurred(batch: Tensor) -> Tensor:
        return filtered(pad(batch, border, mode="reflect"), np.outer(y / y.sum(), x / x.sum()))

    if isinstance(img, Tensor):
        return as_batch(img, blurred)
    return to_pil_image(as_batch(pil_to_tensor(img), blurred), img.mode)


# ---- tables of values


def _operation(op: str, img: Any, pillow: Callable[[Any], Any], on_tensor: Callable[[Tensor], Tensor]) -> Any:
    img = _colours(op, img)
    return on_tensor(img) if isinstance(img, Tensor) else pillow(img)


def _only_bytes(op: str, image: Tensor) -> None:
    if image._array.dtype != np.uint8:
        raise TypeError(f"{op} takes a Tensor of uint8, not {image.dtype}; convert_image_dtype makes one.")


def invert(img: Any) -> Any:
    """The negative of an image.

    Args:
        img: Pillow image, Tensor [..., 1 or 3, H, W] or NumPy array.

    Returns:
        The image.

    Examples:
        >>> transforms.functional.invert(gpunet.tensor([[[0.0, 0.25]]]))
        tensor([[[1.0000, 0.7500]]])
    """
    def pillow(picture: Any) -> Any:
        from PIL import ImageOps

        return ImageOps.invert(picture)

    return _operation("invert", img, pillow, _negative)


def _negative(image: Tensor) -> Tensor:
    return (1.0 if image.is_floating_point() else int(largest(image))) - image


def posterize(img: Any, bits: int) -> Any:
    """An image of fewer colours.

    Args:
        img: Pillow image, uint8 Tensor [..., 1 or 3, H, W] or NumPy array.
        bits: how many bits of each value are kept, 0 to 8.

    Returns:
        The image.

    Raises:
        TypeError: the Tensor is of another type.

    Examples:
        >>> transforms.functional.posterize(gpunet.tensor([[[200, 3]]], dtype=gpunet.uint8), 1).tolist()
        [[[128, 0]]]
    """
    def pillow(picture: Any) -> Any:
        from PIL import ImageOps

        return ImageOps.posterize(picture, bits)

    def on_tensor(image: Tensor) -> Tensor:
        _only_bytes("posterize", image)
        return image & (256 - 2 ** (8 - bits))

    return _operation("posterize", img, pillow, on_tensor)


def solarize(img: Any, threshold: float) -> Any:
    """An image whose bright values are inverted.

    Args:
        img: Pillow image, Tensor [..., 1 or 3, H, W] or NumPy array.
        threshold: the smallest of these values.

    Returns:
        The image.

    Raises:
        TypeError: the threshold is above the largest value of the type.

    Examples:
        >>> transforms.functional.solarize(gpunet.tensor([[[0.25, 0.75]]]), 0.5)
        tensor([[[0.2500, 0.2500]]])
    """
    def pillow(picture: Any) -> Any:
        from PIL import ImageOps

        return ImageOps.solarize(picture, threshold)  # pyright: ignore[reportArgumentType]

    def on_tensor(image: Tensor) -> Tensor:
        if threshold > largest(image):
            raise TypeError(f"solarize: the threshold {threshold} is above the largest value, {largest(image):g}.")
        return where(image >= threshold, _negative(image), image)

    return _operation("solarize", img, pillow, on_tensor)


def autocontrast(img: Any) -> Any:
    """An image whose darkest value becomes black and whose brightest becomes white, channel by channel.

    Args:
        img: Pillow image, Tensor [..., 1 or 3, H, W] or NumPy array.

    Returns:
        The image.

    Examples:
        >>> transforms.functional.autocontrast(gpunet.tensor([[[0.25, 0.5]]]))
        tensor([[[0., 1.]]])
    """
    def pillow(picture: Any) -> Any:
        from PIL import ImageOps

        return ImageOps.autocontrast(picture)

    def on_tensor(image: Tensor) -> Tensor:
        values = image if image.is_floating_point() else image.to(dtypes.float32)
        low, high = values.amin((-2, -1), keepdim=True), values.amax((-2, -1), keepdim=True)
        flat = low == high
        scale = largest(image) / where(flat, ones_like(high), high - low)
        stretched = where(flat, values, (values - low) * scale)
        return stretched.clamp(0, largest(image)).to(image.dtype)

    return _operation("autocontrast", img, pillow, on_tensor)


def equalize(img: Any) -> Any:
    """An image whose values are spread evenly, channel by channel.

    Args:
        img: Pillow image, uint8 Tensor [..., 1 or 3, H, W] or NumPy array.

    Returns:
        The image.

    Raises:
        TypeError: the Tensor is of another type.

    Examples:
        >>> transforms.functional.equalize(gpunet.tensor([[[10, 20, 30]]], dtype=gpunet.uint8)).tolist()
        [[[10, 20, 30]]]
    """
    def pillow(picture: Any) -> Any:
        from PIL import ImageOps

        return ImageOps.equalize(picture)

    def on_tensor(image: Tensor) -> Tensor:
        _only_bytes("equalize", image)
        planes = image.detach().cpu().numpy().reshape(-1, image.shape[-2] * image.shape[-1])
        made = np.stack([_equalized(plane) for plane in planes]).reshape(image.shape)
        return tensor(made, device=image.device)

    return _operation("equalize", img, pillow, on_tensor)


def _equalized(plane: np.ndarray) -> np.ndarray:
    counts = np.bincount(plane, minlength=256)
    present = counts[counts != 0]
    step = int(present[:-1].sum()) // 255
    if step == 0:
        return plane
    table = (np.cumsum(counts) + step // 2) // step
    return np.concatenate([[0], table[:-1]]).clip(0, 255).astype(np.uint8)[plane]
