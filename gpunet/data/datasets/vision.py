"""What all image datasets have: a folder, and transforms of images and classes."""

from __future__ import annotations

from collections.abc import Callable
from os import PathLike, fspath
from typing import Any

from gpunet.data.dataset import Dataset

Transform = Callable[[Any], Any]


class VisionDataset(Dataset):
    """A dataset of images in a folder; the base class of your own ones too.

    Args:
        root: the folder.
        transforms: a function of an image and its class, that gives both; excludes the next two.
        transform: a function of an image.
        target_transform: a function of a class.

    Raises:
        ValueError: transforms is given together with another one.

    Examples:
        >>> class Blank(datasets.VisionDataset):
        ...     def __getitem__(self, index):
        ...         return self.changed(numpy.zeros((2, 2), numpy.uint8), index)
        ...     def __len__(self):
        ...         return 3
        >>> Blank(target_transform=lambda label: -label)[2][1]
        -2
    """

    def __init__(self, root: str | PathLike[str] | None = None, transforms: Callable[[Any, Any], Any] | None = None,
                 transform: Transform | None = None, target_transform: Transform | None = None) -> None:
        if transforms is not None and (transform is not None or target_transform is not None):
            raise ValueError(f"{type(self).__name__}: pass either transforms, or transform and target_transform.")
        self.root = fspath(root) if root is not None else None
        self.transform = transform
        self.target_transform = target_transform
        self.transforms = transforms

    def changed(self, image: Any, target: Any) -> tuple[Any, Any]:
        """An image and its class after the transforms.

        Args:
            image: the image.
            target: its class.

        Returns:
            Both.
        """
        if self.transforms is not None:
            return self.transforms(image, target)
        if self.transform is not None:
            image = self.transform(image)
        if self.target_transform is not None:
            target = self.target_transform(target)
        return image, target

    def __len__(self) -> int:
        raise NotImplementedError(f"{type(self).__name__} does not define __len__.")

    def __repr__(self) -> str:
        lines = [f"Dataset {type(self).__name__}", f"    Number of datapoints: {len(self)}"]
        if self.root is not None:
            lines.append(f"    Root location: {self.root}")
        lines += [f"    {name}: {value!r}" for name, value in (("Transform", self.transform), (
            "Target transform", self.target_transform), ("Transforms", self.transforms)) if value is not None]
        return "\n".join(lines)


def missing(where: Any, what: str, source: str, place: Any) -> str:
    """The sentence for files that are not there."""
    return f"{where} has no {what}; gpunet downloads nothing: get it from {source} and put it into {place}."
