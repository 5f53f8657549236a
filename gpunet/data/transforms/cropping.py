"""Sizes, borders and parts of images."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from gpunet.data.transforms.drawing import integer, log_uniform, uniform
from gpunet.data.transforms.functional import geometry
from gpunet.data.transforms.functional.kinds import InterpolationMode, get_dimensions
from gpunet.nn.module import Module


def pair_of(op: str, size: Any) -> tuple[int, int]:
    """(height, width) from one number or two."""
    sizes = [size] if isinstance(size, int | float) else list(size)
    if len(sizes) not in (1, 2):
        raise ValueError(f"{op}: size is one number or (height, width), not {size!r}.")
    return int(sizes[0]), int(sizes[-1])


class Resize(Module):
    """Changes an image's size.

    Args:
        size: (height, width); or one number for the shorter edge, the other in proportion.
        interpolation: how values between pixels are found.
        max_size: with one number: the most that the longer edge may have.
        antialias: average over what a smaller image leaves out; Pillow always does for bilinear and bicubic.

    Raises:
        TypeError: size is neither a number nor a sequence.
        ValueError: it has more than two numbers.

    Examples:
        >>> transforms.Resize(2)(gpunet.ones(3, 4, 8)).shape
        gpunet.Size([3, 2, 4])
    """

    def __init__(self, size: Any, interpolation: Any = InterpolationMode.BILINEAR, max_size: int | None = None,
                 antialias: bool | None = True) -> None:
        super().__init__()
        if not isinstance(size, int | Sequence):
            raise TypeError(f"Resize: size is a number or (height, width), not {type(size).__name__}.")
        if isinstance(size, Sequence) and len(size) not in (1, 2):
            raise ValueError(f"Resize: size is one number or (height, width), not {size!r}.")
        self.size = size
        self.interpolation = interpolation
        self.max_size = max_size
        self.antialias = antialias

    def forward(self, img: Any) -> Any:
        return geometry.resize(img, self.size, self.interpolation, self.max_size, self.antialias)

    def __repr__(self) -> str:
        mode = getattr(self.interpolation, "value", self.interpolation)
        return (f"{type(self).__name__}(size={self.size}, interpolation={mode}, max_size={self.max_size}, "
                f"antialias={self.antialias})")


class CenterCrop(Module):
    """The middle of an image; smaller images get a border of 0 first.

    Args:
        size: (height, width), or one number for both.

    Examples:
        >>> transforms.CenterCrop(1)(gpunet.arange(9).reshape(1, 3, 3))
        tensor([[[4]]])
    """

    def __init__(self, size: Any) -> None:
        super().__init__()
        self.size = pair_of("CenterCrop", size)

    def forward(self, img: Any) -> Any:
        return geometry.center_crop(img, self.size)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(size={self.size})"


class Pad(Module):
    """Gives an image a border.

    Args:
        padding: one number; (left and right, top and bottom); or (left, top, right, bottom).
        fill: colour of the border.
        padding_mode: "constant", "edge", "reflect" or "symmetric".

    Examples:
        >>> transforms.Pad(1)(gpunet.ones(1, 1, 1)).sum((0, 1))
        tensor([0., 1., 0.])
    """

    def __init__(self, padding: Any, fill: Any = 0, padding_mode: str = "constant") -> None:
        super().__init__()
        geometry.borders_of(padding)  # for its checks
        self.padding = padding
        self.fill = fill
        self.padding_mode = padding_mode

    def forward(self, img: Any) -> Any:
        return geometry.pad(img, self.padding, self.fill, self.padding_mode)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(padding={self.padding}, fill={self.fill}, padding_mode={self.padding_mode})"


class RandomCrop(Module):
    """A part of an image at a random place.

    Args:
        size: (height, width) of the part, or one number for both.
        padding: border that the image gets first, as for `Pad`; None: none.
        pad_if_needed: give a smaller image a border as large as it takes.
        fill: colour of the border.
        padding_mode: "constant", "edge", "reflect" or "symmetric".

    Raises:
        ValueError: the image is smaller than the part.

    Examples:
        >>> transforms.RandomCrop(32, padding=4)(gpunet.ones(3, 32, 32)).shape
        gpunet.Size([3, 32, 32])
    """

    def __init__(self, size: Any, padding: Any = None, pad_if_needed: bool = False, fill: Any = 0,
                 padding_mode: str = "constant") -> None:
        super().__init__()
        self.size = pair_of("RandomCrop", size)
        self.padding = padding
        self.pad_if_needed = pad_if_needed
        self.fill = fill
        self.padding_mode = padding_mode

    @staticmethod
    def get_params(img: Any, output_size: tuple[int, int]) -> tuple[int, int, int, int]:
        """Draws a part.

        Args:
            img: the image.
            output_size: (height, width) of the part.

        Returns:
            Top, left, height, width.
        """
        _, height, width = get_dimensions(img)
        rows, columns = output_size
        if height < rows or width < columns:
            raise ValueError(f"RandomCrop: a part of {rows} x {columns} does not fit into an image of {height} x "
                             f"{width}; pass padding or pad_if_needed=True.")
        return integer(0, height - rows + 1), integer(0, width - columns + 1), rows, columns

    def forward(self, img: Any) -> Any:
        if self.padding is not None:
            img = geometry.pad(img, self.padding, self.fill, self.padding_mode)
        _, height, width = get_dimensions(img)
        if self.pad_if_needed and width < self.size[1]:
            img = geometry.pad(img, [self.size[1] - width, 0], self.fill, self.padding_mode)
        if self.pad_if_needed and height < self.size[0]:
            img = geometry.pad(img, [0, self.size[0] - height], self.fill, self.padding_mode)
        return geometry.crop(img, *self.get_params(img, self.size))

    def __repr__(self) -> str:
        return f"{type(self).__name__}(size={self.size}, padding={self.padding})"


class RandomResizedCrop(Module):
    """A part of an image of random size, shape and place, in another size.

    Source: Szegedy et al., "Going deeper with convolutions", 2015.

    Args:
        size: the new (height, width), or one number for both.
        scale: smallest and largest part of the image's area.
        ratio: smallest and largest width / height.
        interpolation: how values between pixels are found.
        antialias: average over what a smaller image leaves out.

    Raises:
        TypeError: scale or ratio is no pair.

    Examples:
        >>> transforms.RandomResizedCrop(8)(gpunet.ones(3, 20, 30)).shape
        gpunet.Size([3, 8, 8])
    """

    def __init__(self, size: Any, scale: Sequence[float] = (0.08, 1.0), ratio: Sequence[float] = (3.0 / 4.0, 4.0 / 3.0),
                 interpolation: Any = InterpolationMode.BILINEAR, antialias: bool | None = True) -> None:
        super().__init__()
        for name, value in (("scale", scale), ("ratio", ratio)):
            if not isinstance(value, Sequence) or len(value) != 2:
                raise TypeError(f"RandomResizedCrop: {name} is a pair, smallest and largest, not {value!r}.")
        self.size = pair_of("RandomResizedCrop", size)
        self.scale = scale
        self.ratio = ratio
        self.interpolation = interpolation
        self.antialias = antialias

    @staticmethod
    def get_params(img: Any, scale: Sequence[float], ratio: Sequence[float]) -> tuple[int, int, int, int]:
        """Draws a part: ten times, if the drawn ones do not fit; then the largest one in the middle.

        Args:
            img: the image.
            scale: smallest and largest part of the image's area.
            ratio: smallest and largest width / height.

        Returns:
            Top, left, height, width.
        """
        _, height, width = get_dimensions(img)
        for _ in range(10):
            area, shape = height * width * uniform(*scale), log_uniform(*ratio)
            columns, rows = round(math.sqrt(area * shape)), round(math.sqrt(area / shape))
            if 0 < columns <= width and 0 < rows <= height:
                return integer(0, height - rows + 1), integer(0, width - columns + 1), rows, columns
        rows, columns = height, width
        if width / height < min(ratio):
            rows = round(width / min(ratio))
        elif width / height > max(ratio):
            columns = round(height * max(ratio))
        return (height - rows) // 2, (width - columns) // 2, rows, columns

    def forward(self, img: Any) -> Any:
        part = self.get_params(img, self.scale, self.ratio)
        return geometry.resized_crop(img, *part, self.size, self.interpolation, self.antialias)

    def __repr__(self) -> str:
        mode = getattr(self.interpolation, "value", self.interpolation)
        scale, ratio = (tuple(round(each, 4) for each in pair) for pair in (self.scale, self.ratio))
        return (f"{type(self).__name__}(size={self.size}, scale={scale}, ratio={ratio}, interpolation={mode}, "
                f"antialias={self.antialias})")


class FiveCrop(Module):
    """The four corners of an image and its middle, as a tuple.

    Args:
        size: (height, width) of each, or one number for both.

    Examples:
        >>> len(transforms.FiveCrop(2)(gpunet.ones(3, 4, 4)))
        5
    """

    def __init__(self, size: Any) -> None:
        super().__init__()
        self.size = pair_of("FiveCrop", size)

    def forward(self, img: Any) -> tuple[Any, ...]:
        return geometry.five_crop(img, self.size)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(size={self.size})"


class TenCrop(Module):
    """The five parts of `FiveCrop`, of the image and of its mirror image, as a tuple.

    Args:
        size: (height, width) of each, or one number for both.
        vertical_flip: exchange top and bottom for the mirror image, in place of left and right.

    Examples:
        >>> len(transforms.TenCrop(2)(gpunet.ones(3, 4, 4)))
        10
    """

    def __init__(self, size: Any, vertical_flip: bool = False) -> None:
        super().__init__()
        self.size = pair_of("TenCrop", size)
        self.vertical_flip = vertical_flip

    def forward(self, img: Any) -> tuple[Any, ...]:
        return geometry.ten_crop(img, self.size, self.vertical_flip)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(size={self.size}, vertical_flip={self.vertical_flip})"
