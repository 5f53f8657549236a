"""Random images, for trying a program out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from gpunet.data.datasets.vision import VisionDataset
from gpunet.data.transforms.functional import to_pil_image
from gpunet.ops.random import randint, randn
from gpunet.random import Generator


class FakeData(VisionDataset):
    """Images of random numbers, with random classes: the same ones each time. Images are Pillow images.

    Args:
        size: how many.
        image_size: channels, height and width.
        num_classes: how many classes.
        transform: a function of an image.
        target_transform: a function of a class, an int, that gives the item's class.
        random_offset: added to each index for its seed: another one gives other images.

    Examples:
        >>> fake = datasets.FakeData(3, (3, 4, 4), transform=transforms.ToTensor())
        >>> bool((fake[1][0] == fake[1][0]).all()), len(fake)
        (True, 3)
    """

    def __init__(self, size: int = 1000, image_size: Sequence[int] = (3, 224, 224), num_classes: int = 10,
                 transform: Callable[[Any], Any] | None = None, target_transform: Callable[[int], Any] | None = None,
                 random_offset: int = 0) -> None:
        super().__init__(None, transform=transform, target_transform=target_transform)
        self.size = size
        self.image_size = tuple(image_size)
        self.num_classes = num_classes
        self.random_offset = random_offset

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        if not 0 <= index < self.size:
            raise IndexError(f"FakeData: index {index} is outside a length of {self.size}.")
        generator = Generator().manual_seed(index + self.random_offset)
        image = randn(self.image_size, generator=generator, device="cpu")
        target = randint(0, self.num_classes, (1,), generator=generator, device="cpu").item()
        return self.changed(to_pil_image(image.clamp(0, 1)), int(target))

    def __len__(self) -> int:
        return self.size
