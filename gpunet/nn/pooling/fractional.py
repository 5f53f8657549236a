"""Fractional max pooling: windows at drawn places."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gpunet.nn import functional as F
from gpunet.nn.common_types import Sizes
from gpunet.nn.module import Module
from gpunet.tensor import Tensor


class _FractionalMaxPool(Module):
    """Base: the options."""

    _rank = 2

    def __init__(self, kernel_size: Sizes, output_size: Sizes | None = None,
                 output_ratio: float | Sequence[float] | None = None, return_indices: bool = False,
                 _random_samples: Tensor | None = None) -> None:
        super().__init__()
        name = type(self).__name__
        if output_size is None and output_ratio is None:
            raise ValueError(f"{name} requires specifying either an output size, or a pooling ratio")
        if output_size is not None and output_ratio is not None:
            raise ValueError("only one of output_size and output_ratio may be specified")
        self.kernel_size = self._each(kernel_size)
        self.return_indices = return_indices
        self.register_buffer("_random_samples", _random_samples)
        self.output_size = None if output_size is None else self._each(output_size)
        self.output_ratio = None if output_ratio is None else self._each(output_ratio)
        if min(self.kernel_size) <= 0:
            raise ValueError(f"kernel_size must be greater than 0, but got {kernel_size}")
        if self.output_ratio is not None and not all(0 < ratio < 1 for ratio in self.output_ratio):
            raise ValueError(f"output_ratio must be between 0 and 1 (got {output_ratio})")

    def _each(self, value: Any) -> tuple[Any, ...]:
        return tuple(value) if isinstance(value, (tuple, list)) else (value,) * self._rank


class FractionalMaxPool2d(_FractionalMaxPool):
    """The largest element of windows at drawn places, which make an output of any smaller size.

    Source: Graham, "Fractional Max-Pooling", 2014.

    Args:
        kernel_size: the windows' size: one number, or two.
        output_size: the size of the output: one number, or two.
        output_ratio: in its place, the size as a part of the input's: one number from 0 to 1, or two.
        return_indices: return the places of the largest elements as well.
        _random_samples: numbers from 0 to 1 [N, C, 2] from which the places follow; None: each call draws them.

    Shape:
        [N, C, H, W] or [C, H, W], floating-point dtypes; output [N, C, *output_size]. With return_indices, a pair:
        that, and int64 indices into the flattened H and W of the same shape.

    Raises:
        ValueError: not one of output_size and output_ratio is given, or a number cannot be.

    Examples:
        >>> nn.FractionalMaxPool2d(2, output_ratio=0.5)(gpunet.rand(1, 3, 8, 8)).shape
        gpunet.Size([1, 3, 4, 4])
    """

    def forward(self, input: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        return F.fractional_max_pool2d(input, self.kernel_size, self.output_size, self.output_ratio,
                                       self.return_indices, self._random_samples)


class FractionalMaxPool3d(_FractionalMaxPool):
    """The largest element of windows at drawn places, which make an output of any smaller size.

    Source: Graham, "Fractional Max-Pooling", 2014.

    Args:
        kernel_size: the windows' size: one number, or three.
        output_size: the size of the output: one number, or three.
        output_ratio: in its place, the size as a part of the input's: one number from 0 to 1, or three.
        return_indices: return the places of the largest elements as well.
        _random_samples: numbers from 0 to 1 [N, C, 3] from which the places follow; None: each call draws them.

    Shape:
        [N, C, D, H, W] or [C, D, H, W], floating-point dtypes; output [N, C, *output_size]. With return_indices, a
        pair: that, and int64 indices into the flattened D, H and W of the same shape.

    Raises:
        ValueError: not one of output_size and output_ratio is given, or a number cannot be.

    Examples:
        >>> nn.FractionalMaxPool3d(2, output_size=2)(gpunet.rand(1, 3, 4, 4, 4)).shape
        gpunet.Size([1, 3, 2, 2, 2])
    """

    _rank = 3

    def forward(self, input: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        return F.fractional_max_pool3d(input, self.kernel_size, self.output_size, self.output_ratio,
                                       self.return_indices, self._random_samples)
