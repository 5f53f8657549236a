"""Types of the arguments that many layers take."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from gpunet import devices, dtypes

Device: TypeAlias = devices.DeviceLike
DType: TypeAlias = dtypes.dtype | None  # None: the default floating-point type
Sizes: TypeAlias = int | Sequence[int]  # one number for all dimensions, or one for each
