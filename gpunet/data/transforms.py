"""Image transforms in torchvision's names and meanings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gpunet.ops.creation import from_numpy, tensor
from gpunet.tensor import Tensor

__all__ = ["Compose", "Normalize", "ToTensor"]


class Compose:
    """Several transforms, applied one after the other.

    Args:
        transforms: the transforms: functions of an image.

    Examples:
        >>> prepare = transforms.Compose([transforms.ToTensor(), transforms.Normalize([0.5], [0.5])])
        >>> prepare(numpy.array([[0, 255]], dtype=numpy.uint8))
        tensor([[[-1.,  1.]]])
    """

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
    """Turns an image into a Tensor [C, H, W].

    Takes a NumPy array [H, W] or [H, W, C], or a Pillow image. uint8 values (and Pillow's black-and-white images) are
    divided by 255 and become float32 in [0, 1]; other dtypes keep dtype and values.

    Raises:
        TypeError: the image is neither an array nor a Pillow image.
        ValueError: it has another number of dimensions.

    Examples:
        >>> transforms.ToTensor()(numpy.array([[0, 51], [102, 255]], dtype=numpy.uint8))
        tensor([[[0.0000, 0.2000],
                 [0.4000, 1.0000]]])
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
    """`(x - mean) / std` for each channel.

    Args:
        mean: one number for each channel, or one for all.
        std: one number for each channel, or one for all; none of them 0.
        inplace: change the given Tensor.

    Shape:
        [..., C, H, W], floating point; the output has the same.

    Raises:
        TypeError: the image is no floating-point Tensor.
        ValueError: it has fewer than 3 dimensions, or std has a zero.

    Examples:
        >>> transforms.Normalize([1.0], [2.0])(gpunet.tensor([[[1.0, 5.0]]]))
        tensor([[[0., 2.]]])
    """

    def __init__(self, mean: Sequence[float], std: Sequence[float], inplace: bool = False) -> None:
        self.mean = mean
        self.std = std
        self.inplace = inplace
        self._constants: dict[tuple, list[Tensor]] = {}  # of the dtypes and devices met so far
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
            self._constants[key] = [tensor(values, dtype=image.dtype, device=image.device).reshape(-1, 1, 1)
                                    for values in (self.mean, self.std)]
        mean, std = self._constants[key]
        if self.inplace:
            return image.sub_(mean).div_(std)
        return (image - mean) / std

    def __repr__(self) -> str:
        return f"{type(self).__name__}(mean={self.mean}, std={self.std})"
