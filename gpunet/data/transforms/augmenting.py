"""AutoAugment, RandAugment, TrivialAugment and AugMix: several changes drawn from a list of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from enum import Enum
from typing import Any, NamedTuple

import numpy as np

from gpunet import dtypes
from gpunet.data.transforms.drawing import chance, integer
from gpunet.data.transforms.functional import colour, warping
from gpunet.data.transforms.functional.conversion import pil_to_tensor, to_pil_image
from gpunet.data.transforms.functional.kinds import InterpolationMode, get_dimensions, image_of
from gpunet.data.transforms.mixing import dirichlet
from gpunet.nn.module import Module
from gpunet.tensor import Tensor


class AutoAugmentPolicy(Enum):
    """For which data the policy of `AutoAugment` was found.

    Examples:
        >>> transforms.AutoAugmentPolicy("cifar10").name
        'CIFAR10'
    """

    IMAGENET = "imagenet"
    CIFAR10 = "cifar10"
    SVHN = "svhn"


class Strengths(NamedTuple):
    """The strengths that a change can have, and whether either sign; None: it has none."""

    values: Sequence[float] | None
    signed: bool = False

    def at(self, number: int) -> float:
        """A strength."""
        return 0.0 if self.values is None else float(self.values[number])


def _even(low: float, high: float, bins: int) -> Strengths:
    return Strengths([float(x) for x in np.linspace(low, high, bins, dtype=np.float32)], low == 0.0)


def _bits(most: int, range_: int, bins: int) -> Strengths:
    return Strengths([most - round(number / ((bins - 1) / range_)) for number in range(bins)])


def space(bins: int, shear: float, moves: tuple[float, float], turn: float, colours: float, bits: tuple[int, int]
          ) -> dict[str, Strengths]:
    """The changes, in the order in which they are counted, with their strengths.

    moves: largest in x and y, in pixels. bits: for posterize, the most that are kept, and the most that go.
    """
    return {"ShearX": _even(0.0, shear, bins), "ShearY": _even(0.0, shear, bins),
            "TranslateX": _even(0.0, moves[0], bins), "TranslateY": _even(0.0, moves[1], bins),
            "Rotate": _even(0.0, turn, bins), **{name: _even(0.0, colours, bins) for name in
                                                 ("Brightness", "Color", "Contrast", "Sharpness")},
            "Posterize": _bits(*bits, bins), "Solarize": _even(255.0, 0.0, bins),
            "AutoContrast": Strengths(None), "Equalize": Strengths(None)}


_COLOURS: dict[str, Callable[[Any, float], Any]] = {
    "Brightness": lambda img, strength: colour.adjust_brightness(img, 1.0 + strength),
    "Color": lambda img, strength: colour.adjust_saturation(img, 1.0 + strength),
    "Contrast": lambda img, strength: colour.adjust_contrast(img, 1.0 + strength),
    "Sharpness": lambda img, strength: colour.adjust_sharpness(img, 1.0 + strength),
    "Posterize": lambda img, strength: colour.posterize(img, int(strength)),
    "Solarize": colour.solarize,
    "AutoContrast": lambda img, _: colour.autocontrast(img),
    "Equalize": lambda img, _: colour.equalize(img),
    "Invert": lambda img, _: colour.invert(img),
    "Identity": lambda img, _: img,
}


def changed(img: Any, name: str, strength: float, interpolation: Any, fill: Any) -> Any:
    """The image after a change."""
    if name in _COLOURS:
        return _COLOURS[name](img, strength)
    if name == "Rotate":
        return warping.rotate(img, strength, interpolation, fill=fill)
    if name.startswith("Translate"):
        moved = [int(strength), 0] if name == "TranslateX" else [0, int(strength)]
        return warping.affine(img, 0.0, moved, 1.0, [0.0, 0.0], interpolation, fill)
    angle = math.degrees(math.atan(strength))  # strength is the tangent
    shear = [angle, 0.0] if name == "ShearX" else [0.0, angle]
    return warping.affine(img, 0.0, [0, 0], 1.0, shear, interpolation, fill, [0, 0])


def _signed(strengths: Strengths, value: float) -> float:
    return -value if strengths.signed and chance(0.5) else value


# For each policy, pairs of changes: name, probability, number of the strength. Source: Cubuk et al., tables 7 to 9.
_POLICIES = {
    AutoAugmentPolicy.IMAGENET: """
        Posterize 0.4 8; Rotate 0.6 9, Solarize 0.6 5; AutoContrast 0.6, Equalize 0.8; Equalize 0.6,
        Posterize 0.6 7; Posterize 0.6 6, Equalize 0.4; Solarize 0.2 4, Equalize 0.4; Rotate 0.8 8,
        Solarize 0.6 3; Equalize 0.6, Posterize 0.8 5; Equalize 1, Rotate 0.2 3; Solarize 0.6 8,
        Equalize 0.6; Posterize 0.4 6, Rotate 0.8 8; Color 0.4 0, Rotate 0.4 9; Equalize 0.6,
        Equalize 0; Equalize 0.8, Invert 0.6; Equalize 1, Color 0.6 4; Contrast 1 8, Rotate 0.8 8; Color 1 2,
        Color 0.8 8; Solarize 0.8 7, Sharpness 0.4 7; Invert 0.6, ShearX 0.6 5; Equalize 1, Color 0.4 0; Equalize 0.6,
        Equalize 0.4; Solarize 0.2 4, Solarize 0.6 5; AutoContrast 0.6, Invert 0.6; Equalize 1,
        Color 0.6 4; Contrast 1 8, Equalize 0.8; Equalize 0.6""",
    AutoAugmentPolicy.CIFAR10: """
        Invert 0.1; Contrast 0.2 6, Rotate 0.7 2; TranslateX 0.3 9, Sharpness 0.8 1; Sharpness 0.9 3,
        ShearY 0.5 8; TranslateY 0.7 9, AutoContrast 0.5; Equalize 0.9, ShearY 0.2 7; Posterize 0.3 7,
        Color 0.4 3; Brightness 0.6 7, Sharpness 0.3 9; Brightness 0.7 9, Equalize 0.6; Equalize 0.5,
        Contrast 0.6 7; Sharpness 0.6 5, Color 0.7 7; TranslateX 0.5 8, Equalize 0.3; AutoContrast 0.4,
        TranslateY 0.4 3; Sharpness 0.2 6, Brightness 0.9 6; Color 0.2 8, Solarize 0.5 2; Invert 0,
        Equalize 0.2; AutoContrast 0.6, Equalize 0.2; Equalize 0.6, Color 0.9 9; Equalize 0.6,
        AutoContrast 0.8; Solarize 0.2 8, Brightness 0.1 3; Color 0.7 0, Solarize 0.4 5; AutoContrast 0.9,
        TranslateY 0.9 9; TranslateY 0.7 9, AutoContrast 0.9; Solarize 0.8 3, Equalize 0.8; Invert 0.1,
        TranslateY 0.7 9; AutoContrast 0.9""",
    AutoAugmentPolicy.SVHN: """
        ShearX 0.9 4; Invert 0.2, ShearY 0.9 8; Invert 0.7, Equalize 0.6; Solarize 0.6 6, Invert 0.9; Equalize 0.6,
        Equalize 0.6; Rotate 0.9 3, ShearX 0.9 4; AutoContrast 0.8, ShearY 0.9 8; Invert 0.4,
        ShearY 0.9 5; Solarize 0.2 6, Invert 0.9; AutoContrast 0.8, Equalize 0.6; Rotate 0.9 3,
        ShearX 0.9 4; Solarize 0.3 3, ShearY 0.8 8; Invert 0.7, Equalize 0.9; TranslateY 0.6 6,
        Invert 0.9; Equalize 0.6, Contrast 0.3 3; Rotate 0.8 4, Invert 0.8; TranslateY 0 2,
        ShearY 0.7 6; Solarize 0.4 8, Invert 0.6; Rotate 0.8 4, ShearY 0.3 7; TranslateX 0.9 3,
        ShearX 0.1 6; Invert 0.6, Solarize 0.7 2; TranslateY 0.6 7, ShearY 0.8 4; Invert 0.8,
        ShearX 0.7 9; TranslateY 0.8 3, ShearY 0.8 5; AutoContrast 0.7, ShearX 0.7 2; Invert 0.1""",
}


class AutoAugment(Module):
    """Two changes by a pair of the policy that was found for a kind of data.

    Source: Cubuk et al., "AutoAugment: Learning augmentation strategies from data", 2019.

    Args:
        policy: for which data it was found.
        interpolation: how values between pixels are found.
        fill: colour outside the image: a number, or one for each channel.

    Shape:
        Pillow images, or uint8 tensors [..., 1 or 3, H, W].

    Examples:
        >>> transforms.AutoAugment()(gpunet.zeros(3, 8, 8, dtype=gpunet.uint8)).shape
        gpunet.Size([3, 8, 8])
    """

    def __init__(self, policy: AutoAugmentPolicy = AutoAugmentPolicy.IMAGENET,
                 interpolation: Any = InterpolationMode.NEAREST, fill: Any = None) -> None:
        super().__init__()
        self.policy = policy
        self.interpolation = interpolation
        self.fill = fill
        self.policies = [[self._step(step) for step in pair.split(";")]
                         for pair in _POLICIES[AutoAugmentPolicy(policy)].split(",")]

    @staticmethod
    def _step(text: str) -> tuple[str, float, int | None]:
        name, probability, *number = text.split()
        return name, float(probability), int(number[0]) if number else None

    def forward(self, img: Any) -> Any:
        _, height, width = get_dimensions(img)
        known = space(10, 0.3, (150 / 331 * width, 150 / 331 * height), 30.0, 0.9, (8, 4))
        known["Invert"] = Strengths(None)
        for name, probability, number in self.policies[integer(0, len(self.policies))]:
            if chance(probability):
                strength = 0.0 if number is None else _signed(known[name], known[name].at(number))
                img = changed(img, name, strength, self.interpolation, self.fill)
        return img

    def __repr__(self) -> str:
        return f"{type(self).__name__}(policy={self.policy}, fill={self.fill})"


class RandAugment(Module):
    """Several changes of one strength.

    Source: Cubuk et al., "RandAugment: Practical automated data augmentation with a reduced search space", 2020.

    Args:
        num_ops: how many changes.
        magnitude: number of their strength.
        num_magnitude_bins: how many strengths there are.
        interpolation: how values between pixels are found.
        fill: colour outside the image: a number, or one for each channel.

    Shape:
        Pillow images, or uint8 tensors [..., 1 or 3, H, W].

    Examples:
        >>> transforms.RandAugment()(gpunet.zeros(3, 8, 8, dtype=gpunet.uint8)).shape
        gpunet.Size([3, 8, 8])
    """

    def __init__(self, num_ops: int = 2, magnitude: int = 9, num_magnitude_bins: int = 31,
                 interpolation: Any = InterpolationMode.NEAREST, fill: Any = None) -> None:
        super().__init__()
        if not 0 <= magnitude < num_magnitude_bins:
            raise ValueError(f"RandAugment: magnitude must be from 0 to {num_magnitude_bins - 1}, not {magnitude}.")
        self.num_ops = num_ops
        self.magnitude = magnitude
        self.num_magnitude_bins = num_magnitude_bins
        self.interpolation = interpolation
        self.fill = fill

    def forward(self, img: Any) -> Any:
        _, height, width = get_dimensions(img)
        known = {"Identity": Strengths(None), **space(self.num_magnitude_bins, 0.3, (
            150 / 331 * width, 150 / 331 * height), 30.0, 0.9, (8, 4))}
        names = list(known)
        for _ in range(self.num_ops):
            name = names[integer(0, len(names))]
            strength = _signed(known[name], known[name].at(self.magnitude))
            img = changed(img, name, strength, self.interpolation, self.fill)
        return img

    def __repr__(self) -> str:
        return (f"{type(self).__name__}(num_ops={self.num_ops}, magnitude={self.magnitude}, "
                f"num_magnitude_bins={self.num_magnitude_bins}, interpolation={self.interpolation}, fill={self.fill})")


class TrivialAugmentWide(Module):
    """One change of a random strength.

    Source: Müller and Hutter, "TrivialAugment: Tuning-free yet state-of-the-art data augmentation", 2021.

    Args:
        num_magnitude_bins: how many strengths there are.
        interpolation: how values between pixels are found.
        fill: colour outside the image: a number, or one for each channel.

    Shape:
        Pillow images, or uint8 tensors [..., 1 or 3, H, W].

    Examples:
        >>> transforms.TrivialAugmentWide()(gpunet.zeros(3, 8, 8, dtype=gpunet.uint8)).shape
        gpunet.Size([3, 8, 8])
    """

    def __init__(self, num_magnitude_bins: int = 31, interpolation: Any = InterpolationMode.NEAREST, fill: Any = None
                 ) -> None:
        super().__init__()
        self.num_magnitude_bins = num_magnitude_bins
        self.interpolation = interpolation
        self.fill = fill

    def forward(self, img: Any) -> Any:
        bins = self.num_magnitude_bins
        known = {"Identity": Strengths(None), **space(bins, 0.99, (32.0, 32.0), 135.0, 0.99, (8, 6))}
        name = list(known)[integer(0, len(known))]
        strength = _signed(known[name], known[name].at(integer(0, bins)))
        return changed(img, name, strength, self.interpolation, self.fill)

    def __repr__(self) -> str:
        return (f"{type(self).__name__}(num_magnitude_bins={self.num_magnitude_bins}, "
                f"interpolation={self.interpolation}, fill={self.fill})")


class AugMix(Module):
    """A mixture of the image and of several chains of changes to it.

    Source: Hendrycks et al., "AugMix: A simple data processing method to improve robustness and uncertainty", 2020.

    Args:
        severity: the most that a strength's number can be, 1 to 10.
        mixture_width: how many chains.
        chain_depth: changes in each; negative: 1 to 3 at random.
        alpha: of the distributions of the weights; smaller is nearer to one image alone.
        all_ops: also change brightness, contrast, colour and sharpness.
        interpolation: how values between pixels are found.
        fill: colour outside the image: a number, or one for each channel.

    Shape:
        Pillow images, or uint8 tensors [..., 1 or 3, H, W].

    Raises:
        ValueError: severity is not within 1 to 10.

    Examples:
        >>> transforms.AugMix()(gpunet.zeros(3, 8, 8, dtype=gpunet.uint8)).shape
        gpunet.Size([3, 8, 8])
    """

    def __init__(self, severity: int = 3, mixture_width: int = 3, chain_depth: int = -1, alpha: float = 1.0,
                 all_ops: bool = True, interpolation: Any = InterpolationMode.BILINEAR, fill: Any = None) -> None:
        super().__init__()
        if not 1 <= severity <= 10:
            raise ValueError(f"AugMix: severity must be from 1 to 10, not {severity}.")
        self.severity = severity
        self.mixture_width = mixture_width
        self.chain_depth = chain_depth
        self.alpha = alpha
        self.all_ops = all_ops
        self.interpolation = interpolation
        self.fill = fill

    def forward(self, orig_img: Any) -> Any:
        picture = image_of("AugMix", orig_img)
        image: Tensor = picture if isinstance(picture, Tensor) else pil_to_tensor(picture)
        _, height, width = get_dimensions(image)
        known = space(10, 0.3, (width / 3.0, height / 3.0), 30.0, 0.9, (4, 4))
        if not self.all_ops:
            known = {name: each for name, each in known.items() if name not in
                     ("Brightness", "Color", "Contrast", "Sharpness")}
        names = list(known)
        kept, mixed = dirichlet([self.alpha] * 2)
        result = kept * image.to(dtypes.float32)
        for weight in dirichlet([self.alpha] * self.mixture_width):
            chain = image
            for _ in range(self.chain_depth if self.chain_depth > 0 else integer(1, 4)):
                name = names[integer(0, len(names))]
                strength = _signed(known[name], known[name].at(integer(0, self.severity)))
                chain = changed(chain, name, strength, self.interpolation, self.fill)
            result = result + mixed * weight * chain.to(dtypes.float32)
        result = result.to(image.dtype)
        return result if isinstance(picture, Tensor) else to_pil_image(result, picture.mode)

    def __repr__(self) -> str:
        return (f"{type(self).__name__}(severity={self.severity}, mixture_width={self.mixture_width}, "
                f"chain_depth={self.chain_depth}, alpha={self.alpha}, all_ops={self.all_ops}, "
                f"interpolation={self.interpolation}, fill={self.fill})")
