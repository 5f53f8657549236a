"""Transforms from one kind of image to another, and of values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gpunet import dtypes
from gpunet.data.transforms.functional import conversion
from gpunet.nn.module import Module
from gpunet.ops.creation import as_tensor
from gpunet.tensor import Tensor


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
        return conversion.to_tensor(pic)

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class PILToTensor:
    """Turns a Pillow image into a Tensor [C, H, W] of the same values and type.

    Raises:
        TypeError: it is no Pillow image.

    Examples:
        >>> from PIL import Image
        >>> transforms.PILToTensor()(Image.new("RGB", (4, 2))).shape
        gpunet.Size([3, 2, 4])
    """

    def __call__(self, pic: Any) -> Tensor:
        return conversion.pil_to_tensor(pic)

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class ToPILImage:
    """Turns a Tensor [C, H, W], floating-point ones in [0, 1], or a NumPy array [H, W, C] into a Pillow image.

    Args:
        mode: Pillow's mode; None: by channels and type.

    Raises:
        TypeError: it is neither, or of a type for which Pillow has no mode.
        ValueError: it has another number of dimensions or channels.

    Examples:
        >>> transforms.ToPILImage()(gpunet.ones(1, 2, 4)).getpixel((0, 0))
        255
    """

    def __init__(self, mode: str | None = None) -> None:
        self.mode = mode

    def __call__(self, pic: Any) -> Any:
        return conversion.to_pil_image(pic, self.mode)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({'' if self.mode is None else f'mode={self.mode}'})"


class ConvertImageDtype(Module):
    """Changes an image tensor's type and scales its values: 255 in uint8 is 1.0 in float32.

    Args:
        dtype: the new type.

    Examples:
        >>> transforms.ConvertImageDtype(gpunet.float32)(gpunet.tensor([0, 255], dtype=gpunet.uint8))
        tensor([0., 1.])
    """

    def __init__(self, dtype: dtypes.dtype) -> None:
        super().__init__()
        self.dtype = dtype

    def forward(self, image: Tensor) -> Tensor:
        return conversion.convert_image_dtype(image, self.dtype)


class Normalize(Module):
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
        super().__init__()
        self.mean = mean
        self.std = std
        self.inplace = inplace
        self._constants: dict[tuple, list[Tensor]] = {}  # of the dtypes and devices met so far
        conversion.check_std(std)

    def forward(self, tensor: Tensor) -> Tensor:
        conversion.check_normal(tensor, self.std)
        key = tensor.dtype, tensor.device
        if key not in self._constants:
            self._constants[key] = conversion.constants(tensor, self.mean, self.std)
        return conversion.normalized(tensor, self._constants[key], self.inplace)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(mean={self.mean}, std={self.std})"


class LinearTransformation(Module):
    """`(x - mean) @ matrix` of the whole image as one vector, as for whitening.

    Args:
        transformation_matrix: Tensor [D, D], where D is the number of all values of an image.
        mean_vector: Tensor [D].

    Raises:
        ValueError: the shapes do not fit.

    Examples:
        >>> transforms.LinearTransformation(2 * gpunet.eye(2), gpunet.ones(2))(gpunet.tensor([[[1.0, 3.0]]]))
        tensor([[[0., 4.]]])
    """

    def __init__(self, transformation_matrix: Tensor, mean_vector: Tensor) -> None:
        super().__init__()
        size = transformation_matrix.shape[0]
        if transformation_matrix.ndim != 2 or size != transformation_matrix.shape[1] or mean_vector.shape[0] != size:
            raise ValueError("LinearTransformation takes a square matrix and a vector of its size, not shapes "
                             f"{tuple(transformation_matrix.shape)} and {tuple(mean_vector.shape)}.")
        self.transformation_matrix = transformation_matrix
        self.mean_vector = mean_vector

    def forward(self, tensor: Tensor) -> Tensor:
        size = self.mean_vector.shape[0]
        if size != tensor.shape[-3] * tensor.shape[-2] * tensor.shape[-1]:
            raise ValueError(f"LinearTransformation: the matrix is for {size} values, the image has shape "
                             f"{tuple(tensor.shape)}.")
        matrix = as_tensor(self.transformation_matrix, dtype=tensor.dtype, device=tensor.device)
        mean = as_tensor(self.mean_vector, dtype=tensor.dtype, device=tensor.device)
        return ((tensor.reshape(-1, size) - mean) @ matrix).reshape(tensor.shape)
