"""Datasets of files in folders, one folder a class."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from gpunet.data.datasets.idx import DatasetError
from gpunet.data.datasets.vision import VisionDataset

IMG_EXTENSIONS = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")


def default_loader(path: str) -> Any:
    """Reads an image file as a Pillow image in RGB.

    Args:
        path: the file.

    Returns:
        The image.

    Raises:
        DatasetError: it is no image that Pillow can read.

    Examples:
        >>> datasets.default_loader("none.png")
        Traceback (most recent call last):
            ...
        gpunet.data.datasets.idx.DatasetError: none.png cannot be read: No such file or directory.
    """
    from PIL import Image

    try:
        with open(path, "rb") as file, Image.open(file) as image:
            return image.convert("RGB")
    except (OSError, SyntaxError, ValueError) as error:  # what Pillow raises for damaged files
        reason = getattr(error, "strerror", None) or "it is no image that Pillow knows, or it is damaged"
        raise DatasetError(f"{path} cannot be read: {reason}.") from error


def find_classes(directory: str | PathLike[str]) -> tuple[list[str], dict[str, int]]:
    """The folders in a folder, in alphabetical order, as classes.

    Args:
        directory: the folder.

    Returns:
        Their names, and the number of each.

    Raises:
        DatasetError: there is no such folder, or it has no folders.

    Examples:
        >>> datasets.find_classes("no such folder")
        Traceback (most recent call last):
            ...
        gpunet.data.datasets.idx.DatasetError: no such folder is no folder.
    """
    try:
        names = sorted(entry.name for entry in os.scandir(directory) if entry.is_dir())
    except OSError:
        raise DatasetError(f"{directory} is no folder.") from None
    if not names:
        raise DatasetError(f"{directory} has no folders, and each class needs one.")
    return names, {name: number for number, name in enumerate(names)}


def make_dataset(directory: str | PathLike[str], class_to_idx: Mapping[str, int] | None = None,
                 extensions: str | Sequence[str] | None = None,
                 is_valid_file: Callable[[str], bool] | None = None, allow_empty: bool = False
                 ) -> list[tuple[str, int]]:
    """The files below the folders of classes, in alphabetical order.

    Args:
        directory: the folder that holds these folders.
        class_to_idx: the number of each class; None: what `find_classes` gives.
        extensions: endings that a file's name must have.
        is_valid_file: in place of these: a function of a path.
        allow_empty: whether a class may have no file.

    Returns:
        (path, class) of each.

    Raises:
        DatasetError: a class has no file.
        ValueError: extensions and is_valid_file are both given, or neither.

    Examples:
        >>> import pathlib, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     for name in ("cat", "dog"):
        ...         pathlib.Path(folder, name).mkdir()
        ...         size = pathlib.Path(folder, name, "one.png").write_text("")
        ...     [label for path, label in datasets.make_dataset(folder, extensions=".png")]
        [0, 1]
    """
    if (extensions is None) == (is_valid_file is None):
        raise ValueError("make_dataset takes either extensions or is_valid_file.")
    if class_to_idx is None:
        _, class_to_idx = find_classes(directory)
    endings = (extensions,) if isinstance(extensions, str) else tuple(extensions or ())
    valid = is_valid_file or (lambda path: path.lower().endswith(endings))
    found, empty = [], []
    for name in sorted(class_to_idx):
        before = len(found)
        for folder, _, files in sorted(os.walk(Path(directory) / name, followlinks=True)):
            paths = [os.path.join(folder, file) for file in sorted(files)]
            found += [(path, class_to_idx[name]) for path in paths if valid(path)]
        if len(found) == before:
            empty.append(name)
    if empty and not allow_empty:
        wanted = f" that ends in {', '.join(endings)}" if endings else " that is_valid_file takes"
        raise DatasetError(f"{directory} has no file{wanted} in {', '.join(empty)}; pass allow_empty=True for classes "
                           "without files.")
    return found


class DatasetFolder(VisionDataset):
    """Files of any kind, in one folder a class.

    Args:
        root: the folder that holds the classes' folders.
        loader: a function from a path to an item.
        extensions: endings that a file's name must have.
        transform: a function of what loader gives.
        target_transform: a function of a class, an int, that gives the item's class.
        is_valid_file: in place of extensions: a function of a path.
        allow_empty: whether a class may have no file.

    Attributes:
        classes: names of the classes, in alphabetical order.
        class_to_idx: the number of each.
        samples: (path, class) of each item.
        targets: class of each item.

    Raises:
        DatasetError: there is no such folder, or a class has no file.

    Examples:
        >>> import pathlib, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     pathlib.Path(folder, "good").mkdir()
        ...     size = pathlib.Path(folder, "good", "one.txt").write_text("text")
        ...     read = lambda path: pathlib.Path(path).read_text()
        ...     datasets.DatasetFolder(folder, read, extensions=(".txt",))[0]
        ('text', 0)
    """

    def __init__(self, root: str | PathLike[str], loader: Callable[[str], Any],
                 extensions: str | Sequence[str] | None = None, transform: Callable[[Any], Any] | None = None,
                 target_transform: Callable[[int], Any] | None = None,
                 is_valid_file: Callable[[str], bool] | None = None, allow_empty: bool = False) -> None:
        super().__init__(root, transform=transform, target_transform=target_transform)
        self.classes, self.class_to_idx = self.find_classes(root)
        self.samples = make_dataset(root, self.class_to_idx, extensions, is_valid_file, allow_empty)
        self.targets = [label for _, label in self.samples]
        self.loader = loader
        self.extensions = extensions

    def find_classes(self, directory: str | PathLike[str]) -> tuple[list[str], dict[str, int]]:
        """The classes: a subclass may find them in another way.

        Args:
            directory: the folder.

        Returns:
            Their names, and the number of each.
        """
        return find_classes(directory)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        path, target = self.samples[index]
        return self.changed(self.loader(path), target)

    def __len__(self) -> int:
        return len(self.samples)


class ImageFolder(DatasetFolder):
    """Image files, in one folder a class: `root/dog/one.png`, `root/cat/two.jpg`. Images are Pillow images in RGB.

    Args:
        root: the folder that holds the classes' folders.
        transform: a function of an image.
        target_transform: a function of a class, an int, that gives the item's class.
        loader: a function from a path to an image.
        is_valid_file: a function of a path; None: by the names' endings.
        allow_empty: whether a class may have no file.

    Attributes:
        imgs: (path, class) of each item.

    Raises:
        DatasetError: there is no such folder, or a class has no file.

    Examples:
        >>> import pathlib, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     for name in ("cat", "dog"):
        ...         pathlib.Path(folder, name).mkdir()
        ...         vision.utils.save_image(gpunet.ones(3, 4, 4), pathlib.Path(folder, name, "one.png"))
        ...     pictures = datasets.ImageFolder(folder, transforms.ToTensor())
        ...     pictures.classes, pictures[1][0].shape
        (['cat', 'dog'], gpunet.Size([3, 4, 4]))
    """

    def __init__(self, root: str | PathLike[str], transform: Callable[[Any], Any] | None = None,
                 target_transform: Callable[[int], Any] | None = None, loader: Callable[[str], Any] = default_loader,
                 is_valid_file: Callable[[str], bool] | None = None, allow_empty: bool = False) -> None:
        super().__init__(root, loader, IMG_EXTENSIONS if is_valid_file is None else None, transform, target_transform,
                         is_valid_file, allow_empty)
        self.imgs = self.samples
