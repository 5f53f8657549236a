"""Colours, brightness and sharpness of images, drawn at random."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gpunet.data.transforms.drawing import chance, permutation, uniform
from gpunet.data.transforms.functional import colour
from gpunet.data.transforms.functional.kinds import get_dimensions
from gpunet.nn.module import Module


class ColorJitter(Module):
    """Changes brightness, contrast, saturation and hue at random, in random order.

    Args:
        brightness: smallest and largest factor; one number x for max(0, 1 - x) to 1 + x; 0: unchanged.
        contrast: the same for contrast.
        saturation: the same for saturation.
        hue: smallest and largest turn, within -0.5 to 0.5; one number x for -x to x.

    Raises:
        ValueError: a range is none, or outside what is allowed.

    Examples:
        >>> transforms.ColorJitter(0.4, 0.4, 0.4, 0.1)(gpunet.ones(3, 4, 4)).shape
        gpunet.Size([3, 4, 4])
    """

    def __init__(self, brightness: Any = 0, contrast: Any = 0, saturation: Any = 0, hue: Any = 0) -> None:
        super().__init__()
        self.brightness = _range("brightness", brightness)
        self.contrast = _range("contrast", contrast)
        self.saturation = _range("saturation", saturation)
        self.hue = _range("hue", hue, center=0.0, lowest=-0.5, highest=0.5)

    @staticmethod
    def get_params(brightness: Sequence[float] | None, contrast: Sequence[float] | None,
                   saturation: Sequence[float] | None, hue: Sequence[float] | None
                   ) -> tuple[list[int], float | None, float | None, float | None, float | None]:
        """Draws an order and the factors.

        Args:
            brightness: smallest and largest, or None.
            contrast: likewise.
            saturation: likewise.
            hue: likewise.

        Returns:
            The order, as numbers 0 to 3, and the four factors.
        """
        order = permutation(4)
        one, two, three, four = (None if each is None else uniform(*each)
                                 for each in (brightness, contrast, saturation, hue))
        return order, one, two, three, four

    def forward(self, img: Any) -> Any:
        order, *factors = self.get_params(self.brightness, self.contrast, self.saturation, self.hue)
        changes = (colour.adjust_brightness, colour.adjust_contrast, colour.adjust_saturation, colour.adjust_hue)
        for number in order:
            factor = factors[number]
            if factor is not None:
                img = changes[number](img, factor)
        return img

    def __repr__(self) -> str:
        return (f"{type(self).__name__}(brightness={self.brightness}, contrast={self.contrast}, "
                f"saturation={self.saturation}, hue={self.hue})")


def _range(name: str, value: Any, center: float = 1.0, lowest: float = 0.0, highest: float = float("inf")
           ) -> tuple[float, float] | None:
    if isinstance(value, int | float):
        if value < 0:
            raise ValueError(f"ColorJitter: {name} as one number must not be negative, got {value}.")
        low, high = center - float(value), center + float(value)
        low = max(low, 0.0) if lowest == 0.0 else low
    elif isinstance(value, Sequence) and len(value) == 2:
        low, high = float(value[0]), float(value[1])
    else:
        raise TypeError(f"ColorJitter: {name} is one number or a pair, not {value!r}.")
    if not lowest <= low <= high <= highest:
        raise ValueError(f"ColorJitter: {name} must be within {lowest} to {highest}, got {value}.")
    return None if low == high == center else (low, high)


class Grayscale(Module):
    """A colour image in grey.

    Args:
        num_output_channels: 1, or 3 equal ones.

    Examples:
        >>> transforms.Grayscale()(gpunet.ones(3, 2, 2)).shape
        gpunet.Size([1, 2, 2])
    """

    def __init__(self, num_output_channels: int = 1) -> None:
        super().__init__()
        self.num_output_channels = num_output_channels

    def forward(self, img: Any) -> Any:
        return colour.rgb_to_grayscale(img, self.num_output_channels)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(num_output_channels={self.num_output_channels})"


class RandomGrayscale(Module):
    """Makes an image grey with a probability; it keeps its number of channels.

    Args:
        p: the probability.

    Examples:
        >>> transforms.RandomGrayscale(p=1.0)(gpunet.tensor([[[1.0]], [[0.0]], [[0.0]]])).flatten()
        tensor([0.2989, 0.2989, 0.2989])
    """

    def __init__(self, p: float = 0.1) -> None:
        super().__init__()
        self.p = p

    def forward(self, img: Any) -> Any:
        return colour.rgb_to_grayscale(img, get_dimensions(img)[0]) if chance(self.p) else img

    def __repr__(self) -> str:
        return f"{type(self).__name__}(p={self.p})"


class GaussianBlur(Module):
    """Blurs an image by a Gaussian of random width.

    Args:
        kernel_size: odd width and height of the kernel, or one number for both.
        sigma: smallest and largest standard deviation, or the only one.

    Raises:
        ValueError: a size is even, or a deviation not positive.

    Examples:
        >>> transforms.GaussianBlur(3)(gpunet.ones(3, 4, 4)).shape
        gpunet.Size([3, 4, 4])
    """

    def __init__(self, kernel_size: Any, sigma: Any = (0.1, 2.0)) -> None:
        super().__init__()
        sizes = (kernel_size, kernel_size) if isinstance(kernel_size, int) else tuple(kernel_size)
        if len(sizes) != 2 or any(size <= 0 or size % 2 == 0 for size in sizes):
            raise ValueError(f"GaussianBlur: kernel_size must be odd and positive, not {kernel_size}.")
        low, high = (sigma, sigma) if isinstance(sigma, int | float) else sigma
        if not 0 < low <= high:
            raise ValueError(f"GaussianBlur: sigma must be positive, and its range in order, not {sigma}.")
        self.kernel_size = sizes
        self.sigma = (low, high)

    @staticmethod
    def get_params(sigma_min: float, sigma_max: float) -> float:
        """Draws a standard deviation.

        Args:
            sigma_min: the smallest.
            sigma_max: the largest.

        Returns:
            The deviation.
        """
        return uniform(sigma_min, sigma_max)

    def forward(self, img: Any) -> Any:
        sigma = self.get_params(*self.sigma)
        return colour.gaussian_blur(img, self.kernel_size, [sigma, sigma])

    def __repr__(self) -> str:
        return f"{type(self).__name__}(kernel_size={self.kernel_size}, sigma={self.sigma})"


class RandomInvert(Module):
    """Makes an image its negative with a probability.

    Args:
        p: the probability.

    Examples:
        >>> transforms.RandomInvert(p=1.0)(gpunet.tensor([[[0.25]]]))
        tensor([[[0.7500]]])
    """

    def __init__(self, p: float = 0.5) -> None:
        super().__init__()
        self.p = p

    def forward(self, img: Any) -> Any:
        return colour.invert(img) if chance(self.p) else img

    def __repr__(self) -> str:
        return f"{type(self).__name__}(p={self.p})"


class RandomPosterize(Module):
    """Keeps a few bits of each value, with a probability.

    Args:
        bits: how many, 0 to 8.
        p: the probability.

    Examples:
        >>> transforms.RandomPosterize(1, p=1.0)(gpunet.full((1, 1, 1), 200, dtype=gpunet.uint8)).item()
        128
    """

    def __init__(self, bits: int, p: float = 0.5) -> None:
        super().__init__()
        self.bits = bits
        self.p = p

    def forward(self, img: Any) -> Any:
        return colour.posterize(img, self.bits) if chance(self.p) else img

    def __repr__(self) -> str:
        return f"{type(self).__name__}(bits={self.bits},p={self.p})"


class RandomSolarize(Module):
    """Inverts bright values, with a probability.

    Args:
        threshold: the smallest of these values.
        p: the probability.

    Examples:
        >>> transforms.RandomSolarize(0.5, p=1.0)(gpunet.tensor([[[0.25, 0.75]]]))
        tensor([[[0.2500, 0.2500]]])
    """

    def __init__(self, threshold: float, p: float = 0.5) -> None:
        super().__init__()
        self.threshold = threshold
        self.p = p

    def forward(self, img: Any) -> Any:
        return colour.solarize(img, self.threshold) if chance(self.p) else img

    def __repr__(self) -> str:
        return f"{type(self).__name__}(threshold={self.threshold},p={self.p})"


class RandomAdjustSharpness(Module):
    """Makes an image sharper or softer, with a probability.

    Args:
        sharpness_factor: 0 gives a smoothed image, 1 the image itself.
        p: the probability.

    Examples:
        >>> transforms.RandomAdjustSharpness(2.0)(gpunet.ones(3, 4, 4)).shape
        gpunet.Size([3, 4, 4])
    """

    def __init__(self, sharpness_factor: float, p: float = 0.5) -> None:
        super().__init__()
        self.sharpness_factor = sharpness_factor
        self.p = p

    def forward(self, img: Any) -> Any:
        return colour.adjust_sharpness(img, self.sharpness_factor) if chance(self.p) else img

    def __repr__(self) -> str:
        return f"{type(self).__name__}(sharpness_factor={self.sharpness_factor},p={self.p})"


class RandomAutocontrast(Module):
    """Stretches an image's values from black to white, with a probability.

    Args:
        p: the probability.

    Examples:
        >>> transforms.RandomAutocontrast(p=1.0)(gpunet.tensor([[[0.25, 0.5]]]))
        tensor([[[0., 1.]]])
    """

    def __init__(self, p: float = 0.5) -> None:
        super().__init__()
        self.p = p

    def forward(self, img: Any) -> Any:
        return colour.autocontrast(img) if chance(self.p) else img

    def __repr__(self) -> str:
        return f"{type(self).__name__}(p={self.p})"


class RandomEqualize(Module):
    """Spreads an image's values evenly, with a probability.

    Args:
        p: the probability.

    Examples:
        >>> transforms.RandomEqualize(p=1.0)(gpunet.zeros(1, 2, 2, dtype=gpunet.uint8)).sum().item()
        0
    """

    def __init__(self, p: float = 0.5) -> None:
        super().__init__()
        self.p = p

    def forward(self, img: Any) -> Any:
        return colour.equalize(img) if chance(self.p) else img

    def __repr__(self) -> str:
        return f"{type(self).__name__}(p={self.p})"
