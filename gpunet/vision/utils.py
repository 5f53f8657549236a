"""Many images in one, and images in files."""

from __future__ import annotations

import math
from collections.abc import Sequence
from io import BytesIO
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from gpunet import dtypes, files
from gpunet.autograd import no_grad
from gpunet.ops.creation import full
from gpunet.ops.join import cat, stack
from gpunet.tensor import Tensor

__all__ = ["make_grid", "save_image"]


@no_grad()
def make_grid(tensor: Tensor | Sequence[Tensor], nrow: int = 8, padding: int = 2, normalize: bool = False,
              value_range: tuple[float, float] | None = None, scale_each: bool = False, pad_value: float = 0.0
              ) -> Tensor:
    """Images side by side in one image.

    Args:
        tensor: images [N, C, H, W]; one [C, H, W] or [H, W]; or a list of images of one size.
        nrow: how many images in a row.
        padding: pixels between them.
        normalize: shift and scale the values to 0 to 1.
        value_range: (lowest, highest), which become 0 and 1; None: those of the images.
        scale_each: normalize each image by itself.
        pad_value: value between the images.

    Returns:
        Tensor [3, height, width]; grey images become colour ones.

    Raises:
        TypeError: it is no Tensor and no list of Tensors.

    Examples:
        >>> vision.utils.make_grid(gpunet.ones(10, 3, 4, 4), nrow=5).shape
        gpunet.Size([3, 14, 32])
    """
    if not isinstance(tensor, Tensor):
        if not isinstance(tensor, Sequence) or not all(isinstance(each, Tensor) for each in tensor):
            raise TypeError(f"make_grid takes a Tensor or a list of Tensors, not {type(tensor).__name__}.")
        tensor = stack(list(tensor), 0)
    images = tensor.reshape(*(1,) * (4 - tensor.ndim), *tensor.shape)
    if images.shape[1] == 1:
        images = cat((images, images, images), 1)
    if normalize:
        images = images.clone()
        for each in images if scale_each else [images]:
            low, high = value_range or (each.min().item(), each.max().item())
            each.clamp_(low, high).sub_(low).div_(max(high - low, 1e-5))
    if images.shape[0] == 1:
        return images[0]
    count, channels = images.shape[0], images.shape[1]
    columns = min(nrow, count)
    rows = math.ceil(count / columns)
    height, width = images.shape[2] + padding, images.shape[3] + padding
    grid = full((channels, height * rows + padding, width * columns + padding), pad_value, dtype=images.dtype,
                device=images.device)
    for number in range(count):
        top, left = number // columns * height + padding, number % columns * width + padding
        grid[:, top : top + height - padding, left : left + width - padding] = images[number]
    return grid


def save_image(tensor: Tensor | Sequence[Tensor], fp: str | PathLike[str] | Any, format: str | None = None,
               nrow: int = 8, padding: int = 2, normalize: bool = False, value_range: tuple[float, float] | None = None,
               scale_each: bool = False, pad_value: float = 0.0) -> None:
    """Saves images, of values 0 to 1, as one image file, which is written beside and renamed.

    Args:
        tensor: images, as for `make_grid`.
        fp: the file's name, or an open file.
        format: Pillow's name of the format; None: by the file's name. An open file needs it.
        nrow: how many images in a row.
        padding: pixels between them.
        normalize: shift and scale the values to 0 to 1.
        value_range: (lowest, highest), which become 0 and 1; None: those of the images.
        scale_each: normalize each image by itself.
        pad_value: value between the images.

    Raises:
        ValueError: the format is not known.

    Examples:
        >>> import pathlib, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     vision.utils.save_image(gpunet.ones(2, 3, 4, 4), pathlib.Path(folder, "two.png"))
        ...     [path.name for path in pathlib.Path(folder).iterdir()]
        ['two.png']
    """
    from PIL import Image

    grid = make_grid(tensor, nrow, padding, normalize, value_range, scale_each, pad_value)
    values = (grid * 255 + 0.5).clamp(0, 255).permute(1, 2, 0).to(dtypes.uint8).cpu().numpy()
    image = Image.fromarray(np.ascontiguousarray(values))
    if hasattr(fp, "write"):
        image.save(fp, format=format)
        return
    path = Path(fp)
    kind = format or Image.registered_extensions().get(path.suffix.lower())
    if kind is None:
        raise ValueError(f"save_image: {path.name} has no ending that names a format, such as .png; pass format.")
    content = BytesIO()
    image.save(content, format=kind)
    files.replace(path, content.getvalue())
