"""The UCI optical digits: small, real, and bundled with the package."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from gpunet.data.datasets.image import ImageDataset

_FILE = Path(__file__).with_name("digits.npz")


class Digits(ImageDataset):
    """The UCI optical digits, bundled with gpunet: 1,797 handwritten digits of 8 x 8 pixels.

    The images are those of scikit-learn's `load_digits`. The test part is every fifth image of each class in the
    published order (the 5th, 10th, 15th, ...), 355 in all; the other 1,442 are the training part. The split is fixed,
    so results can be compared. The same 13 writers wrote the digits of both parts.

    `data` has the published values, 0 to 16: divide by 16. An item's image has values from 0 to 255, as 8-bit images
    do, so that `transforms.ToTensor()` gives 0 to 1.

    Source: Alpaydin and Kaynak, Optical Recognition of Handwritten Digits, UCI Machine Learning Repository, 1998,
    https://doi.org/10.24432/C50P49, licence CC BY 4.0.

    Args:
        train: the training part; False: the test part.
        transform: a function of an image, a NumPy uint8 array [8, 8], that gives the item's image.
        target_transform: a function of a class, an int, that gives the item's class.

    Examples:
        >>> digits = datasets.Digits(train=False)
        >>> len(digits), digits.data.shape
        (355, gpunet.Size([355, 8, 8]))
    """

    def __init__(
        self,
        train: bool = True,
        transform: Callable[[np.ndarray], Any] | None = None,
        target_transform: Callable[[int], Any] | None = None,
    ) -> None:
        with np.load(_FILE) as stored:
            images, labels = stored["images"], stored["labels"]
        held_out = _every_fifth_of_each_class(labels)
        chosen = ~held_out if train else held_out
        super().__init__(images[chosen], labels[chosen], transform, target_transform)
        self.train = train

    def image(self, index: int) -> np.ndarray:
        values = super().image(index).astype(np.uint16)
        return ((values * 255 + 8) // 16).astype(np.uint8)


def _every_fifth_of_each_class(labels: np.ndarray) -> np.ndarray:
    chosen = np.zeros(len(labels), dtype=bool)
    for label in np.unique(labels):
        chosen[np.flatnonzero(labels == label)[4::5]] = True
    return chosen
