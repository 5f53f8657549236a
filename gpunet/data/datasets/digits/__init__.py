"""The UCI optical digits: small, real, and bundled with the package."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from gpunet.data.datasets.image import ImageDataset

_FILE = Path(__file__).with_name("digits.npz")


class Digits(ImageDataset):
    """1,797 handwritten digits of 8 x 8 pixels: the set that scikit-learn's `load_digits` gives.

    Source: E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI Machine Learning Repository
    (1998), https://doi.org/10.24432/C50P49, licence CC BY 4.0.

    The test part is every fifth image of each class in the published order (the 5th, 10th, 15th, ...), 355 in all;
    the other 1,442 are the training part. The split is fixed, so figures are comparable from run to run. Both parts
    hold the same 13 writers' hands.

    `.data` holds the published values, 0 to 16 (how much ink; divide by 16). An item's image is the same picture
    with values 0 to 255, as an 8-bit image has them, so that `transforms.ToTensor()` gives 0 to 1.
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
