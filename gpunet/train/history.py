"""History: a row for each epoch, and its curves."""

from __future__ import annotations

from collections.abc import Iterable
from os import PathLike
from pathlib import Path
from typing import Any, SupportsIndex, overload

from gpunet import files
from gpunet.train.curves import learning_curves


class History(list[dict[str, Any]]):
    """What training reported: a list of rows, one for each epoch, which also gives its columns by name.

    A row has the epoch's number, loss and metrics, the same of the validation data as `val_loss` and so on, the
    learning rate `lr`, and the `seconds` and `examples_per_second` of the training pass.

    Args:
        rows: the rows.

    Examples:
        >>> history = train.History([{"epoch": 1, "loss": 0.9}, {"epoch": 2, "loss": 0.5}])
        >>> history["loss"]
        [0.9, 0.5]
        >>> history[-1]["epoch"]
        2
    """

    def __init__(self, rows: Iterable[dict[str, Any]] = ()) -> None:
        super().__init__(rows)

    @overload
    def __getitem__(self, key: SupportsIndex) -> dict[str, Any]: ...

    @overload
    def __getitem__(self, key: str) -> list[Any]: ...

    @overload
    def __getitem__(self, key: slice) -> list[dict[str, Any]]: ...

    def __getitem__(self, key: Any) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        if not isinstance(key, str):
            return super().__getitem__(key)
        column = [row[key] for row in self if key in row]
        if not column:
            raise KeyError(f"the history has no {key!r}; it has {', '.join(self.names) or 'no epochs'}")
        return column

    @property
    def names(self) -> list[str]:
        """The names of the columns."""
        return list(dict.fromkeys(name for row in self for name in row))

    def plot(self, path: str | PathLike[str] | None = None, title: str = "") -> Picture:
        """Draws loss and metrics by epoch, training and validation, as an SVG picture.

        Args:
            path: a file to write it to.
            title: text above the curves.

        Returns:
            The picture: a text, which a notebook shows as a picture.

        Raises:
            ValueError: there is no epoch yet.
        """
        if not self:
            raise ValueError("History.plot: there is no epoch to draw yet.")
        picture = Picture(learning_curves(self, title))
        if path is not None:
            files.replace(Path(path), picture, durable=False)
        return picture


class Picture(str):
    """The text of an SVG picture, which a notebook shows as a picture.

    Examples:
        >>> train.History([{"epoch": 1, "loss": 0.9}]).plot()[:4]
        '<svg'
    """

    def _repr_svg_(self) -> str:
        return str(self)
