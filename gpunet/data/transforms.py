"""Image transforms in torchvision's names and meanings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gpunet.ops.creation import from_numpy, tensor
from gpunet.tensor import Tensor


class Compose:
    """Several transforms, applied one after the other."""

    def __init__(self, transforms: Sequence[Callable[[Any], Any]]) -> None:
        self.transforms = transforms

    def __call__(self, img: Any) -> Any:
        for transform in self.transforms:
            img = transform(img)
        return img

    def __repr__(self) -> str:
        lines = "".join(f"\n    {transform}" for transform in self.transforms)
        return f"{type(self).__name__}({lines}\n)"


class ToTensor:
    """An image as a Tensor of shape (C, H, W).

    Takes a NumPy array (H, W) or (H, W, C), or a Pillow image. uint8 values (and Pillow's black-and-white images)
    are divided by 255 and become float32 in 0 to 1; other dtypes keep dtype and values.
    """

    def __call__(self, pic: Any) -> Tensor:
        bilevel = getattr(pic, "mode", None) == "1"
        if hasattr(pic, "getbands"):  # a Pillow image, without importing Pillow
            pic = np.asarray(pic, dtype=np.uint8) * 255 if bilevel else np.asarray(pic)
        if not isinstance(pic, np.ndarray):
            raise TypeError(f"ToTensor takes a NumPy array or a Pillow image, not {type(pic).__name__}.")
        if pic.ndim not in (2, 3):
            raise ValueError(f"ToTensor takes an image of shape (H, W) or (H, W, C), not {pic.shape}.")
        planes = pic[None] if pic.ndim == 2 else pic.transpose(2, 0, 1)
        if pic.dtype == np.uint8:
            return from_numpy(np.ascontiguousarray(planes, dtype=np.float32) / np.float32(255))
        return from_numpy(np.array(planes, order="C"))  # a copy: the image must not change with the Tensor

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class Normalize:
    """`(x - mean) / std` for each channel of a float Tensor (..., C, H, W).

    mean, std: one number a channel (or one for all). With `inplace` the given Tensor is changed and returned.
    """

    def __init__(self, mean: Sequence[float], std: Sequence[float], inplace: bool = False) -> None:
        self.mean = mean
        self.std = std
        self.inplace = inplace
        self._constants: dict[tuple, tuple[Tensor, Tensor]] = {}  # of the dtypes and devices met so far
        if any(value == 0 for value in np.atleast_1d(np.asarray(std))):
            raise ValueError(f"Normalize: std {std} has a zero, which would be divided by.")

    def __call__(self, image: Tensor) -> Tensor:
        if not isinstance(image, Tensor):
            raise TypeError(f"Normalize takes a Tensor, not {type(image).__name__}; put ToTensor() before it.")
        if not image.is_floating_point():
            raise TypeError(f"Normalize takes a floating-point Tensor, not {image.dtype}; put ToTensor() before it.")
        if image.ndim < 3:
            raise ValueError(f"Normalize takes a Tensor of shape (..., C, H, W), not {tuple(image.shape)}.")
        key = image.dtype, image.device
        if key not in self._constants:
            self._constants[key] = tuple(
                tensor(values, dtype=image.dtype, device=image.device).reshape(-1, 1, 1)
                for values in (self.mean, self.std)
            )
        mean, std = self._constants[key]
        if self.inplace:
            return image.sub_(mean).div_(std)
        return (image - mean) / std

    def __repr__(self) -> str:
        return f"{type(self).__name__}(mean={self.mean}, std={self.std})"
