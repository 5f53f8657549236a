"""Layers that change shapes only."""

from __future__ import annotations

from collections.abc import Sequence

from gpunet.nn.module import Module
from gpunet.tensor import Tensor


class Flatten(Module):
    """Joins neighbouring dimensions into one; by default all but the batch's.

    Args:
        start_dim: the first dimension to join.
        end_dim: the last one.

    Shape:
        [..., start_dim, ..., end_dim, ...], any dtype; the output has their product in one dimension.

    Examples:
        >>> nn.Flatten()(gpunet.zeros(2, 3, 4)).shape
        gpunet.Size([2, 12])
    """

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        super().__init__()
        self.start_dim = start_dim
        self.end_dim = end_dim

    def forward(self, input: Tensor) -> Tensor:
        return input.flatten(self.start_dim, self.end_dim)

    def extra_repr(self) -> str:
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"


class Unflatten(Module):
    """Splits one dimension into several.

    Differs from PyTorch: dimensions have no names.

    Args:
        dim: the dimension to split.
        unflattened_size: the sizes that it becomes; one of them may be -1, and is then inferred.

    Shape:
        [..., dim, ...], any dtype; the output has the new dimensions in its place.

    Raises:
        TypeError: dim is not an int, or unflattened_size not a tuple of ints.

    Examples:
        >>> nn.Unflatten(1, (3, -1))(gpunet.zeros(2, 12)).shape
        gpunet.Size([2, 3, 4])
    """

    def __init__(self, dim: int, unflattened_size: Sequence[int]) -> None:
        super().__init__()
        if not isinstance(dim, int):
            raise TypeError(f"Unflatten: dim must be an int, got {type(dim).__name__}")
        if not isinstance(unflattened_size, (tuple, list)) or not all(isinstance(n, int) for n in unflattened_size):
            raise TypeError(f"Unflatten: unflattened_size must be a tuple of ints, got {unflattened_size!r}")
        self.dim = dim
        self.unflattened_size = unflattened_size

    def forward(self, input: Tensor) -> Tensor:
        return input.unflatten(self.dim, self.unflattened_size)

    def extra_repr(self) -> str:
        return f"dim={self.dim}, unflattened_size={self.unflattened_size}"
