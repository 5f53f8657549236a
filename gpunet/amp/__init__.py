"""Mixed precision: operations in float16 or bfloat16 where that is fast, in float32 where it is needed."""

import typing

from gpunet._names import attributes_of as _attributes_of
from gpunet.amp.autocasting import (
    autocast,
    custom_bwd,
    custom_fwd,
    get_autocast_dtype,
    is_autocast_available,
    is_autocast_cache_enabled,
    is_autocast_enabled,
)
from gpunet.amp.grad_scaler import GradScaler

__all__ = ["GradScaler", "autocast", "custom_bwd", "custom_fwd", "get_autocast_dtype", "is_autocast_available",
           "is_autocast_cache_enabled", "is_autocast_enabled"]

if not typing.TYPE_CHECKING:
    __getattr__ = _attributes_of(__name__)
