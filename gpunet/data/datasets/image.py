"""ImageDataset: what the image datasets share, with torchvision's names `.data`, `.targets` and transforms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from gpunet.data.datasets.vision import VisionDataset
from gpunet.ops.creation import from_numpy
from gpunet.tensor import Tensor


class ImageDataset(VisionDataset):
    """Grey images, each with a class. An item is `(image, class)`.

    Args:
        images: uint8 [N, H, W].
        labels: integers [N].
        transform: a function of an image, as `picture` gives it, that gives the item's image.
        target_transform: a function of a class, an int, that gives the item's class.

    Attributes:
        data: images, uint8 tensor [N, H, W].
        targets: classes, int64 tensor [N].
        classes: name of each class.
    """

    classes: tuple[str, ...] = tuple("0123456789")

    def __init__(
        self,
        images: np.ndarray,
        labels: np.ndarray,
        transform: Callable[[Any], Any] | None,
        target_transform: Callable[[int], Any] | None,
    ) -> None:
        super().__init__(None, transform=transform, target_transform=target_transform)
        self.data: Tensor = from_numpy(np.ascontiguousarray(images))
        self.targets: Tensor = from_numpy(labels.astype(np.int64))

    def image(self, index: int) -> np.ndarray:
        """An image as an 8-bit grey picture.

        Args:
            index: number of the item.

        Returns:
            uint8 [H, W]: 0 is no ink, 255 is full ink.
        """
        return self.data.numpy()[index].copy()

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        return self.changed(self.picture(index), int(self.targets.numpy()[index]))

    def picture(self, index: int) -> Any:
        """An image as the transforms get it.

        Args:
            index: number of the item.

        Returns:
            The array that `image` gives, unless a subclass says otherwise.
        """
        return self.image(index)

    def __len__(self) -> int:
        return self.data.shape[0]
