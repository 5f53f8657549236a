"""Flips, rotations and other maps, drawn at random; erasing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from gpunet import dtypes
from gpunet.data.transforms.drawing import chance, integer, log_uniform, uniform
from gpunet.data.transforms.functional import conversion, geometry, warping
from gpunet.data.transforms.functional.colour import filtered
from gpunet.data.transforms.functional.kinds import InterpolationMode, get_dimensions
from gpunet.nn.module import Module
from gpunet.ops.creation import tensor
from gpunet.ops.join import stack
from gpunet.ops.pad import pad
from gpunet.ops.random import rand, randn
from gpunet.tensor import Tensor


class RandomHorizontalFlip(Module):
    """Exchanges left and right with a probability.

    Args:
        p: the probability.

    Examples:
        >>> transforms.RandomHorizontalFlip(p=1.0)(gpunet.tensor([[1, 2]]))
        tensor([[2, 1]])
    """

    def __init__(self, p: float = 0.5) -> None:
        super().__init__()
        self.p = p

    def forward(self, img: Any) -> Any:
        return geometry.hflip(img) if chance(self.p) else img

    def __repr__(self) -> str:
        return f"{type(self).__name__}(p={self.p})"


class RandomVerticalFlip(Module):
    """Exchanges top and bottom with a probability.

    Args:
        p: the probability.

    Examples:
        >>> transforms.RandomVerticalFlip(p=1.0)(gpunet.tensor([[1], [2]])).flatten()
        tensor([2, 1])
    """

    def __init__(self, p: float = 0.5) -> None:
        super().__init__()
        self.p = p

    def forward(self, img: Any) -> Any:
        return geometry.vflip(img) if chance(self.p) else img

    def __repr__(self) -> str:
        return f"{type(self).__name__}(p={self.p})"


def range_of(op: str, name: str, value: Any, sizes: tuple[int, ...] = (2,)) -> list[float]:
    """(low, high) from a number, which stands for (-number, number), or a sequence."""
    if isinstance(value, int | float):
        if value < 0:
            raise ValueError(f"{op}: {name} as one number must not be negative, got {value}.")
        return [-float(value), float(value)]
    if len(value) not in sizes:
        raise ValueError(f"{op}: {name} is one number or {' or '.join(map(str, sizes))}, not {value!r}.")
    return [float(each) for each in value]


class RandomRotation(Module):
    """Turns an image by a random angle.

    Args:
        degrees: smallest and largest angle, or one number for -number to number.
        interpolation: how values between pixels are found.
        expand: make the result large enough for the whole turned image.
        center: (x, y) around which it turns; None: the middle.
        fill: colour outside the image: a number, or one for each channel.

    Raises:
        ValueError: degrees is negative, or no pair.

    Examples:
        >>> transforms.RandomRotation((90, 90))(gpunet.tensor([[[1, 2], [3, 4]]]))
        tensor([[[2, 4],
                 [1, 3]]])
    """

    def __init__(self, degrees: Any, interpolation: Any = InterpolationMode.NEAREST, expand: bool = False,
                 center: Sequence[float] | None = None, fill: Any = 0) -> None:
        super().__init__()
        self.degrees = range_of("RandomRotation", "degrees", degrees)
        self.interpolation = interpolation
        self.expand = expand
        self.center = center
        self.fill = fill

    @staticmethod
    def get_params(degrees: Sequence[float]) -> float:
        """Draws an angle.

        Args:
            degrees: smallest and largest.

        Returns:
            The angle.
        """
        return uniform(*degrees)

    def forward(self, img: Any) -> Any:
        return warping.rotate(img, self.get_params(self.degrees), self.interpolation, self.expand, self.center,
                              self.fill)

    def __repr__(self) -> str:
        mode = getattr(self.interpolation, "value", self.interpolation)
        return (f"{type(self).__name__}(degrees={self.degrees}, interpolation={mode}, expand={self.expand}, "
                f"fill={self.fill})")


class RandomAffine(Module):
    """Turns, moves, scales and shears an image at random.

    Args:
        degrees: smallest and largest angle, or one number for -number to number; 0: none.
        translate: largest parts of width and height by which it moves; None: none.
        scale: smallest and largest factor; None: none.
        shear: smallest and largest angle in x (one number for -number to number), and in y as a third and fourth
            number; None: none.
        interpolation: how values between pixels are found.
        fill: colour outside the image: a number, or one for each channel.
        center: (x, y) around which it turns; None: the middle.

    Raises:
        ValueError: a range is none.

    Examples:
        >>> transforms.RandomAffine(10, translate=(0.1, 0.1), scale=(0.9, 1.1), shear=5)(gpunet.ones(3, 8, 8)).shape
        gpunet.Size([3, 8, 8])
    """

    def __init__(self, degrees: Any, translate: Sequence[float] | None = None, scale: Sequence[float] | None = None,
                 shear: Any = None, interpolation: Any = InterpolationMode.NEAREST, fill: Any = 0,
                 center: Sequence[float] | None = None) -> None:
        super().__init__()
        self.degrees = range_of("RandomAffine", "degrees", degrees)
        if translate is not None and (len(translate) != 2 or not all(0.0 <= each <= 1.0 for each in translate)):
            raise ValueError(f"RandomAffine: translate is two parts from 0 to 1, not {translate!r}.")
        if scale is not None and (len(scale) != 2 or min(scale) <= 0):
            raise ValueError(f"RandomAffine: scale is two positive factors, not {scale!r}.")
        self.translate = translate
        self.scale = scale
        self.shear = None if shear is None else range_of("RandomAffine", "shear", shear, (2, 4))
        self.interpolation = interpolation
        self.fill = fill
        self.center = center

    @staticmethod
    def get_params(degrees: Sequence[float], translate: Sequence[float] | None, scale_ranges: Sequence[float] | None,
                   shears: Sequence[float] | None, img_size: Sequence[int]
                   ) -> tuple[float, tuple[int, int], float, tuple[float, float]]:
        """Draws a map.

        Args:
            degrees: smallest and largest angle.
            translate: largest parts of width and height, or None.
            scale_ranges: smallest and largest factor, or None.
            shears: smallest and largest shear in x, and perhaps in y, or None.
            img_size: width and height of the image.

        Returns:
            Angle, translation, scale, shear.
        """
        angle = uniform(*degrees)
        moved = (0, 0)
        if translate is not None:
            x, y = (float(part * size) for part, size in zip(translate, img_size, strict=True))
            moved = (round(uniform(-x, x)), round(uniform(-y, y)))
        scale = 1.0 if scale_ranges is None else uniform(*scale_ranges)
        sheared = (0.0, 0.0)
        if shears is not None:
            sheared = (uniform(*shears[:2]), uniform(*shears[2:]) if len(shears) == 4 else 0.0)
        return angle, moved, scale, sheared

    def forward(self, img: Any) -> Any:
        _, height, width = get_dimensions(img)
        drawn = self.get_params(self.degrees, self.translate, self.scale, self.shear, [width, height])
        return warping.affine(img, *drawn, interpolation=self.interpolation, fill=self.fill, center=self.center)

    def __repr__(self) -> str:
        given = "".join(f", {name}={value}" for name in ("translate", "scale", "shear")
                        if (value := getattr(self, name)) is not None)
        return f"{type(self).__name__}(degrees={self.degrees}{given})"


class RandomPerspective(Module):
    """Shows an image in a random perspective, with a probability.

    Args:
        distortion_scale: how far the corners move, 0 to 1.
        p: the probability.
        interpolation: how values between pixels are found.
        fill: colour outside the image: a number, or one for each channel.

    Examples:
        >>> transforms.RandomPerspective(p=1.0)(gpunet.ones(3, 8, 8)).shape
        gpunet.Size([3, 8, 8])
    """

    def __init__(self, distortion_scale: float = 0.5, p: float = 0.5, interpolation: Any = InterpolationMode.BILINEAR,
                 fill: Any = 0) -> None:
        super().__init__()
        self.distortion_scale = distortion_scale
        self.p = p
        self.interpolation = interpolation
        self.fill = fill

    @staticmethod
    def get_params(width: int, height: int, distortion_scale: float) -> tuple[list[list[int]], list[list[int]]]:
        """Draws where the corners go.

        Args:
            width: of the image.
            height: of the image.
            distortion_scale: how far they move.

        Returns:
            The corners, and where they go, from the top left clockwise.
        """
        far_x, far_y = int(distortion_scale * (width // 2)) + 1, int(distortion_scale * (height // 2)) + 1
        left, top = (lambda: integer(0, far_x)), (lambda: integer(0, far_y))
        right, bottom = (lambda: width - 1 - integer(0, far_x)), (lambda: height - 1 - integer(0, far_y))
        ends = [[x(), y()] for x, y in ((left, top), (right, top), (right, bottom), (left, bottom))]
        return [[0, 0], [width - 1, 0], [width - 1, height - 1], [0, height - 1]], ends

    def forward(self, img: Any) -> Any:
        if not chance(self.p):
            return img
        _, height, width = get_dimensions(img)
        corners, ends = self.get_params(width, height, self.distortion_scale)
        return warping.perspective(img, corners, ends, self.interpolation, self.fill)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(p={self.p})"


class ElasticTransform(Module):
    """Moves pixels by random distances that change smoothly.

    Source: Simard et al., "Best practices for convolutional neural networks applied to visual document analysis", 2003.

    Args:
        alpha: how far, or that in x and y.
        sigma: how smoothly: standard deviation of the blur of the distances, or that in x and y.
        interpolation: how values between pixels are found.
        fill: colour outside the image: a number, or one for each channel.

    Examples:
        >>> transforms.ElasticTransform(alpha=5.0, sigma=1.0)(gpunet.ones(3, 16, 16)).shape
        gpunet.Size([3, 16, 16])
    """

    def __init__(self, alpha: Any = 50.0, sigma: Any = 5.0, interpolation: Any = InterpolationMode.BILINEAR,
                 fill: Any = 0) -> None:
        super().__init__()
        self.alpha, self.sigma = ([float(value)] * 2 if isinstance(value, int | float) else
                                  [float(value[0]), float(value[-1])] for value in (alpha, sigma))
        self.interpolation = interpolation
        self.fill = fill

    @staticmethod
    def get_params(alpha: Sequence[float], sigma: Sequence[float], size: Sequence[int]) -> Tensor:
        """Draws a displacement.

        Args:
            alpha: how far in x and y.
            sigma: how smoothly in x and y.
            size: height and width of the image.

        Returns:
            Tensor [1, H, W, 2].
        """
        parts = []
        for far, smooth, extent in zip(alpha, sigma, size, strict=True):
            noise = rand(1, 1, *size) * 2 - 1
            if smooth > 0:
                width = int(8 * smooth + 1) | 1
                weights = np.exp(-0.5 * ((np.arange(width) - width // 2) / smooth) ** 2)
                noise = filtered(pad(noise, [width // 2] * 4), np.outer(weights, weights))
            parts.append(noise[0, 0] * far / extent)
        return stack(parts, -1)[None]

    def forward(self, tensor: Any) -> Any:
        _, height, width = get_dimensions(tensor)
        return warping.elastic_transform(tensor, self.get_params(self.alpha, self.sigma, [height, width]),
                                         self.interpolation, self.fill)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(alpha={self.alpha}, sigma={self.sigma}, fill={self.fill})"


class RandomErasing(Module):
    """Overwrites a random rectangle of an image tensor, with a probability.

    Source: Zhong et al., "Random erasing data augmentation", 2020.

    Args:
        p: the probability.
        scale: smallest and largest part of the image's area.
        ratio: smallest and largest height / width.
        value: what it is overwritten with: a number, one for each channel, or "random" for normal numbers.
        inplace: change the given Tensor.

    Raises:
        ValueError: p or scale is not within 0 to 1, or value is another text.

    Examples:
        >>> int((transforms.RandomErasing(p=1.0)(gpunet.ones(3, 16, 16)) == 0).any())
        1
    """

    def __init__(self, p: float = 0.5, scale: Sequence[float] = (0.02, 0.33), ratio: Sequence[float] = (0.3, 3.3),
                 value: Any = 0, inplace: bool = False) -> None:
        super().__init__()
        if not 0 <= p <= 1 or not 0 <= scale[0] <= scale[1] <= 1:
            raise ValueError(f"RandomErasing: p and scale must be within 0 to 1, not {p} and {scale}.")
        if isinstance(value, str) and value != "random":
            raise ValueError(f'RandomErasing: value is a number, one for each channel, or "random", not {value!r}.')
        self.p = p
        self.scale = scale
        self.ratio = ratio
        self.value = value
        self.inplace = inplace

    @staticmethod
    def get_params(img: Tensor, scale: Sequence[float], ratio: Sequence[float], value: Sequence[float] | None = None
                   ) -> tuple[int, int, int, int, Any]:
        """Draws a rectangle; the whole image with its own values, where none of ten fits.

        Args:
            img: the image.
            scale: smallest and largest part of its area.
            ratio: smallest and largest height / width.
            value: the new values, one or one for each channel; None for normal numbers.

        Returns:
            Top, left, height, width, values.
        """
        channels, height, width = get_dimensions(img)
        for _ in range(10):
            area, shape = height * width * uniform(*scale), log_uniform(*ratio)
            rows, columns = round(math.sqrt(area * shape)), round(math.sqrt(area / shape))
            if not (rows < height and columns < width):
                continue
            if value is None:
                new = randn(channels, rows, columns, dtype=dtypes.float32, device=img.device).to(img.dtype)
            else:
                new = tensor(list(value), dtype=dtypes.float32, device=img.device).to(img.dtype).reshape(-1, 1, 1)
            return integer(0, height - rows + 1), integer(0, width - columns + 1), rows, columns, new
        return 0, 0, height, width, img

    def forward(self, img: Tensor) -> Tensor:
        if not chance(self.p):
            return img
        if not isinstance(img, Tensor):
            raise TypeError(f"RandomErasing takes a Tensor, not {type(img).__name__}; put ToTensor() before it.")
        value: Any = None if self.value == "random" else (
            [float(self.value)] if isinstance(self.value, int | float) else list(self.value))
        if value is not None and len(value) not in (1, img.shape[-3]):
            raise ValueError(f"RandomErasing: value has {len(value)} numbers, the image {img.shape[-3]} channels.")
        return conversion.erase(img, *self.get_params(img, self.scale, self.ratio, value), inplace=self.inplace)

    def __repr__(self) -> str:
        return (f"{type(self).__name__}(p={self.p}, scale={self.scale}, ratio={self.ratio}, value={self.value}, "
                f"inplace={self.inplace})")
