"""Shapes as PyTorch shows them."""

from __future__ import annotations

from math import prod

from gpunet._names.shown import shown

__all__ = ["Size"]


class Size(tuple[int, ...]):
    """A shape: a tuple of sizes, as `Tensor.shape` gives it.

    Args:
        iterable: the sizes.

    Examples:
        >>> gpunet.zeros(2, 3).shape
        gpunet.Size([2, 3])
    """

    __slots__ = ()

    def numel(self) -> int:
        """The number of elements of a tensor of this shape."""
        return prod(self)

    def __repr__(self) -> str:
        return f"{shown.library}.Size({list(self)})"
