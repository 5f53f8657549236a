"""Layouts and memory formats, which PyTorch's functions take as arguments. Here all tensors are strided, in row-major
order."""

from __future__ import annotations

from gpunet._names.shown import shown

__all__ = ["channels_last", "channels_last_3d", "check_format", "check_layout", "contiguous_format", "layout",
           "memory_format", "preserve_format", "strided"]


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

    `gpunet.contiguous_format` is row-major order and `gpunet.preserve_format` that of the input.
    `gpunet.channels_last` and `gpunet.channels_last_3d` have names only: asking for them is an error.
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


def check_format(name: str, given: object) -> None:
    """RuntimeError for a memory format that tensors cannot have."""
    if given is None or given is preserve_format or given is contiguous_format:
        return
    if not isinstance(given, memory_format):
        raise TypeError(f"{name}: memory_format must be a gpunet.memory_format, got {type(given).__name__}")
    raise RuntimeError(f"{name}: tensors are stored in row-major order, so memory_format cannot be {given!r}; leave it "
                       "out")
