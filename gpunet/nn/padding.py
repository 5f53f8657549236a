"""Padding layers, of `functional.pad`."""

from __future__ import annotations

from gpunet.nn import functional as F
from gpunet.nn.module import Module
from gpunet.ops.windows import sizes_of
from gpunet.tensor import Tensor


class _Pad(Module):
    """padding: one number for all sides, or how much in front and behind, the last dimension first; negative numbers
    crop."""

    rank: int
    mode: str
    value: float | None = None

    def __init__(self, padding) -> None:
        super().__init__()
        self.padding = sizes_of(padding, 2 * self.rank, type(self).__name__, "padding")

    def forward(self, input: Tensor) -> Tensor:
        return F.pad(input, self.padding, self.mode, self.value)

    def extra_repr(self) -> str:
        return str(self.padding)


def _layer(name: str, text: str, **members) -> type[_Pad]:
    rank = int(name[-2])
    text = f"Pads the last {'dimension' if rank == 1 else 'two dimensions'} {text}. {_Pad.__doc__}"
    return type(name, (_Pad,), {"__doc__": text, "__module__": __name__, "rank": rank, **members})


class _ConstantPad(_Pad):
    mode = "constant"

    def __init__(self, padding, value: float) -> None:
        super().__init__(padding)
        self.value = value

    def extra_repr(self) -> str:
        return f"padding={self.padding}, value={self.value}"


class ConstantPad1d(_ConstantPad):
    __doc__ = f"Pads the last dimension with a number. {_Pad.__doc__}"
    rank = 1


class ConstantPad2d(_ConstantPad):
    __doc__ = f"Pads the last two dimensions with a number. {_Pad.__doc__}"
    rank = 2


ZeroPad1d, ZeroPad2d = (_layer(f"ZeroPad{n}d", "with 0", mode="constant", value=0.0) for n in (1, 2))
ReflectionPad1d, ReflectionPad2d = (
    _layer(f"ReflectionPad{n}d", "with their mirror image, without the edge", mode="reflect") for n in (1, 2))
ReplicationPad1d, ReplicationPad2d = (
    _layer(f"ReplicationPad{n}d", "with the edge's elements", mode="replicate") for n in (1, 2))
CircularPad1d, CircularPad2d = (
    _layer(f"CircularPad{n}d", "with elements from the other end", mode="circular") for n in (1, 2))
