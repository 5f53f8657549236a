"""`torch.types`: names for annotations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from gpunet.devices import device
from gpunet.dtypes import dtype
from gpunet.size import Size
from gpunet.tensor import Tensor

__all__ = ["Device", "Number", "_TensorOrTensors", "_device", "_dtype", "_int", "_size"]

Device: TypeAlias = "device | str | int | None"
Number: TypeAlias = "int | float | bool"
_TensorOrTensors: TypeAlias = "Tensor | Sequence[Tensor]"
_size: TypeAlias = "Size | list[int] | tuple[int, ...]"
_device, _dtype, _int, _float, _bool = device, dtype, int, float, bool
