"""Layouts and memory formats, which PyTorch's functions take as arguments. Here all tensors are strided."""

from __future__ import annotations

from typing import Any

from gpunet._channels_last import as_rows, leans_last
from gpunet._names.shown import shown

__all__ = ["channels_last", "channels_last_3d", "check_layout", "contiguous_format", "format_of", "in_channels_last",
           "is_dense", "layout", "memory_format", "preserve_format", "strided"]


class _Named:
    """A constant that is shown by its name."""

    __slots__ = ("name",)

    def __init__(self, name: str):
        self.name = name

    def __repr__(self) -> str:
        return f"{shown.library}.{self.name}"

    def __reduce__(self) -> str:
        return self.name


class layout(_Named):
    """How a tensor's elements are stored. There is one layout, `gpunet.strided`: an array with a step a dimension."""

    __slots__ = ()


class memory_format(_Named):
    """The order of a tensor's dimensions in memory.

    `gpunet.contiguous_format` is row-major order. In `gpunet.channels_last` the elements of a tensor of shape
    (N, C, H, W) lie as those of (N, H, W, C) do in row-major order, all channels of a pixel side by side; in
    `gpunet.channels_last_3d` those of (N, C, D, H, W) as those of (N, D, H, W, C). `gpunet.preserve_format` is the
    input's: channels last where it is in channels last, else row-major order. Values and shapes are the same in all of
    them; `Tensor.stride` shows the difference.

    On GPUs, and on sim, the format stays: what convolutions, normalizations, pooling and element-wise functions make of
    tensors in channels last is in channels last. On the CPU, results are in row-major order.
    """

    __slots__ = ()


strided = layout("strided")
contiguous_format = memory_format("contiguous_format")
preserve_format = memory_format("preserve_format")
channels_last = memory_format("channels_last")
channels_last_3d = memory_format("channels_last_3d")


def check_layout(name: str, given: object) -> None:
    """RuntimeError for a layout other than `strided`."""
    if given is not None and given is not strided:
        if not isinstance(given, layout):
            raise TypeError(f"{name}: layout must be a gpunet.layout, got {type(given).__name__}")
        raise RuntimeError(f"{name}: there is no layout but gpunet.strided, got {given!r}")


_RANKS = {channels_last: 4, channels_last_3d: 5}


def in_channels_last(name: str, given: object, rank: int, preserved: bool) -> bool:
    """Whether a memory format asks for channels last, and not for row-major order.

    Args:
        name: of the function that was given it, for errors.
        given: the format.
        rank: dimensions of the tensor.
        preserved: the answer for `preserve_format`, and for None.

    Raises:
        RuntimeError: the format is one of tensors of other ranks.
        TypeError: it is none.
    """
    if given is None or given is preserve_format:
        return preserved
    if given is contiguous_format:
        return False
    if not isinstance(given, memory_format):
        raise _no_format(name, given)
    if rank != _RANKS[given]:
        raise RuntimeError(f"{name}: required rank {_RANKS[given]} tensor to use {given.name} format, but this one has "
                           f"{rank} dimension{'s' * (rank != 1)}; leave memory_format out")
    return True


def format_of(array: Any) -> memory_format:
    """The memory format that results keep of an array."""
    return contiguous_format if not leans_last(array) else channels_last if array.ndim == 4 else channels_last_3d


def is_dense(name: str, array: Any, given: object) -> bool:
    """Whether an array's elements lie in the order of a memory format, without gaps."""
    if given is contiguous_format or given is preserve_format:
        return bool(array.flags.c_contiguous)
    if not isinstance(given, memory_format):
        raise _no_format(name, given)
    return array.ndim == _RANKS[given] and bool(as_rows(array).flags.c_contiguous)


def _no_format(name: str, given: object) -> TypeError:
    return TypeError(f"{name}(): argument 'memory_format' must be {shown.library}.memory_format, not "
                     f"{type(given).__name__}")
