"""Shapes as PyTorch shows them."""

from __future__ import annotations

from math import prod


class Size(tuple):
    """A shape: a tuple of sizes."""

    __slots__ = ()

    def numel(self) -> int:
        """The number of elements of a tensor of this shape."""
        return prod(self)

    def __repr__(self):
        return f"gpunet.Size({list(self)})"
