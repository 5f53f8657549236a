"""PyTorch's older questions about autocast, one for each type of device."""

from __future__ import annotations

from gpunet.amp.autocasting import get_autocast_dtype, is_autocast_enabled
from gpunet.dtypes import dtype as DType

__all__ = ["clear_autocast_cache", "get_autocast_cpu_dtype", "get_autocast_gpu_dtype", "is_autocast_cpu_enabled"]


def get_autocast_gpu_dtype() -> DType:
    """`gpunet.amp.get_autocast_dtype("cuda")`.

    Examples:
        >>> gpunet.get_autocast_gpu_dtype()
        gpunet.float16
    """
    return get_autocast_dtype("cuda")


def get_autocast_cpu_dtype() -> DType:
    """`gpunet.amp.get_autocast_dtype("cpu")`.

    Examples:
        >>> gpunet.get_autocast_cpu_dtype()
        gpunet.bfloat16
    """
    return get_autocast_dtype("cpu")


def is_autocast_cpu_enabled() -> bool:
    """`gpunet.is_autocast_enabled("cpu")`.

    Examples:
        >>> gpunet.is_autocast_cpu_enabled()
        False
    """
    return is_autocast_enabled("cpu")


def clear_autocast_cache() -> None:
    """Does nothing: casts of weights are kept until the outermost context ends or the weight changes, and no longer.

    Examples:
        >>> gpunet.clear_autocast_cache()
    """
