"""Max unpooling: the largest elements of windows put back to where they were."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import TYPE_CHECKING

from gpunet.dtypes import INT64_NP
from gpunet.ops.pool import Sizes, hashable, with_restorer
from gpunet.ops.windows import sizes_of

if TYPE_CHECKING:
    from gpunet.tensor import Tensor

__all__: list[str] = []


def _unpooled(name: str, rank: int, input: Tensor, indices: Tensor, kernel_size: Sizes, stride: Sizes | None,
              padding: Sizes, output_size: Sequence[int] | None) -> Tensor:
    x, restored = with_restorer(input, rank, name)
    if indices._array.dtype != INT64_NP or indices._array.shape != input._array.shape:
        raise RuntimeError(f"{name}: the indices must be an int64 tensor of the input's shape {input._array.shape}, "
                           f"got {indices.dtype} and shape {indices._array.shape}; take those that max_pool{rank}d "
                           "gives with return_indices=True")
    kernel = sizes_of(hashable(kernel_size), rank, name, "kernel_size")
    steps = kernel if stride is None or stride == () else sizes_of(hashable(stride), rank, name, "stride")
    pads = sizes_of(hashable(padding), rank, name, "padding")
    size = tuple((n - 1) * s - 2 * p + k for n, k, s, p in zip(x._array.shape[2:], kernel, steps, pads, strict=True))
    if output_size is not None:
        wanted = tuple(output_size)[-rank:]
        if len(output_size) not in (rank, rank + 1, rank + 2) or any(
                not n - s < w < n + s for n, s, w in zip(size, steps, wanted, strict=True)):
            raise ValueError(f"{name}: output_size must be less than a stride from {size}, got {tuple(output_size)}")
        size = wanted
    lead = x._array.shape[:2]
    rows = (*lead, prod(x._array.shape[2:]))  # a -1 would be left open for an empty batch
    flat = x.new_zeros((*lead, prod(size))).scatter(-1, indices.reshape(rows), x.reshape(rows))
    return restored(flat.reshape(*lead, *size))


def max_unpool1d(input: Tensor, indices: Tensor, kernel_size: Sizes, stride: Sizes | None = None, padding: Sizes = 0,
                 output_size: Sequence[int] | None = None) -> Tensor:
    """What max_pool1d has taken, put back where it was, with zeros elsewhere.

    Args:
        input: tensor [N, C, L], or [C, L] without a batch: the result of max_pool1d.
        indices: int64 tensor of input's shape: the places that max_pool1d gave with return_indices=True.
        kernel_size: that of max_pool1d.
        stride: that of max_pool1d; kernel_size by default.
        padding: that of max_pool1d.
        output_size: the size of the output, or its whole shape, where several sizes are pooled to the input's.

    Returns:
        Tensor of input's type, of size (L - 1) * stride - 2 * padding + kernel_size by default.

    Raises:
        RuntimeError: the indices are of another type or shape.
        ValueError: output_size cannot be.

    Example:
        >>> y, places = F.max_pool1d(gpunet.tensor([[1.0, 3.0, 2.0, 0.0]]), 2, return_indices=True)
        >>> F.max_unpool1d(y, places, 2)
        tensor([[0., 3., 2., 0.]])
    """
    return _unpooled("max_unpool1d", 1, input, indices, kernel_size, stride, padding, output_size)


def max_unpool2d(input: Tensor, indices: Tensor, kernel_size: Sizes, stride: Sizes | None = None, padding: Sizes = 0,
                 output_size: Sequence[int] | None = None) -> Tensor:
    """What max_pool2d has taken, put back where it was, with zeros elsewhere.

    Args:
        input: tensor [N, C, H, W], or [C, H, W] without a batch: the result of max_pool2d.
        indices: int64 tensor of input's shape: the places that max_pool2d gave with return_indices=True.
        kernel_size: that of max_pool2d.
        stride: that of max_pool2d; kernel_size by default.
        padding: that of max_pool2d.
        output_size: the size of the output, or its whole shape, where several sizes are pooled to the input's.

    Returns:
        Tensor of input's type; a size is (size - 1) * stride - 2 * padding + kernel_size by default.

    Raises:
        RuntimeError: the indices are of another type or shape.
        ValueError: output_size cannot be.

    Example:
        >>> y, places = F.max_pool2d(gpunet.arange(4.0).reshape(1, 2, 2), 2, return_indices=True)
        >>> F.max_unpool2d(y, places, 2)
        tensor([[[0., 0.],
                 [0., 3.]]])
    """
    return _unpooled("max_unpool2d", 2, input, indices, kernel_size, stride, padding, output_size)


def max_unpool3d(input: Tensor, indices: Tensor, kernel_size: Sizes, stride: Sizes | None = None, padding: Sizes = 0,
                 output_size: Sequence[int] | None = None) -> Tensor:
    """What max_pool3d has taken, put back where it was, with zeros elsewhere.

    Args:
        input: tensor [N, C, D, H, W], or [C, D, H, W] without a batch: the result of max_pool3d.
        indices: int64 tensor of input's shape: the places that max_pool3d gave with return_indices=True.
        kernel_size: that of max_pool3d.
        stride: that of max_pool3d; kernel_size by default.
        padding: that of max_pool3d.
        output_size: the size of the output, or its whole shape, where several sizes are pooled to the input's.

    Returns:
        Tensor of input's type; a size is (size - 1) * stride - 2 * padding + kernel_size by default.

    Raises:
        RuntimeError: the indices are of another type or shape.
        ValueError: output_size cannot be.

    Example:
        >>> y, places = F.max_pool3d(gpunet.arange(4.0).reshape(1, 1, 2, 2), (1, 1, 2), return_indices=True)
        >>> F.max_unpool3d(y, places, (1, 1, 2))
        tensor([[[[0., 1.],
                  [0., 3.]]]])
    """
    return _unpooled("max_unpool3d", 3, input, indices, kernel_size, stride, padding, output_size)
