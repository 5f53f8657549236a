"""The names of torchvision's second set of transforms: those of the first, which work on images, and what it renamed.

Not here: boxes, masks and videos.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gpunet import dtypes
from gpunet.data import transforms as _first
from gpunet.data.transforms import *  # noqa: F403
from gpunet.data.transforms import functional as functional
from gpunet.data.transforms.functional.conversion import convert_image_dtype, planes_of
from gpunet.nn.module import Module
from gpunet.ops.creation import from_numpy
from gpunet.tensor import Tensor

__all__ = [*_first.__all__, "Identity", "ToDtype", "ToImage", "ToPureTensor"]  # pyright: ignore


class Identity(Module):
    """The image as it is.

    Examples:
        >>> transforms.v2.Identity()(3)
        3
    """

    def __init__(self) -> None:
        super().__init__()

    def forward(self, img: Any) -> Any:
        return img


class ToImage(Module):
    """Turns a Pillow image or a NumPy array [H, W] or [H, W, C] into a Tensor [C, H, W] of the same values and type.

    Raises:
        TypeError: the image is neither.

    Examples:
        >>> transforms.v2.ToImage()(numpy.zeros((2, 4, 3), numpy.uint8)).shape
        gpunet.Size([3, 2, 4])
    """

    def __init__(self) -> None:
        super().__init__()

    def forward(self, inpt: Any) -> Tensor:
        if isinstance(inpt, Tensor):
            return inpt
        return from_numpy(np.array(planes_of("ToImage", inpt), order="C"))


class ToDtype(Module):
    """Changes an image tensor's type.

    Args:
        dtype: the new type.
        scale: scale the values too: 255 in uint8 is 1.0 in float32.

    Examples:
        >>> transforms.v2.ToDtype(gpunet.float32, scale=True)(gpunet.tensor([0, 255], dtype=gpunet.uint8))
        tensor([0., 1.])
    """

    def __init__(self, dtype: dtypes.dtype, scale: bool = False) -> None:
        super().__init__()
        self.dtype = dtype
        self.scale = scale

    def forward(self, inpt: Tensor) -> Tensor:
        return convert_image_dtype(inpt, self.dtype) if self.scale else inpt.to(self.dtype)


class ToPureTensor(Identity):
    """The image as it is: there are no subclasses of Tensor here.

    Examples:
        >>> transforms.v2.ToPureTensor()(gpunet.ones(1))
        tensor([1.])
    """

    def __init__(self) -> None:
        super().__init__()
