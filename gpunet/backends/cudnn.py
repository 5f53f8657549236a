"""cuDNN, which is not here: convolutions are gpunet's own, and their results repeat bit for bit.

`enabled`, `benchmark`, `deterministic` and `benchmark_limit` can be set and change nothing. `allow_tf32` is that of
`gpunet.set_float32_matmul_precision`.
"""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager
from typing import Any

from gpunet.backends.absent import WithTf32, settings_of

__all__ = ["allow_tf32", "benchmark", "benchmark_limit", "deterministic", "enabled", "flags", "is_acceptable",
           "is_available", "version"]

enabled = True
benchmark = False
deterministic = False
benchmark_limit = 10
allow_tf32: bool


def is_available() -> bool:
    """Whether cuDNN is there.

    Returns:
        False.

    Examples:
        >>> gpunet.backends.cudnn.is_available()
        False
    """
    return False


def version() -> int | None:
    """cuDNN's version.

    Returns:
        None.

    Examples:
        >>> gpunet.backends.cudnn.version() is None
        True
    """
    return None


def is_acceptable(tensor: Any) -> bool:
    """Whether cuDNN can compute with a tensor.

    Args:
        tensor: a tensor.

    Returns:
        False.

    Examples:
        >>> gpunet.backends.cudnn.is_acceptable(gpunet.zeros(1))
        False
    """
    return False


def flags(enabled: bool | None = None, benchmark: bool | None = None, benchmark_limit: int | None = None,
          deterministic: bool | None = None, allow_tf32: bool | None = None,
          fp32_precision: str | None = None) -> AbstractContextManager[None]:
    """The settings inside a `with` block.

    Args:
        enabled: changes nothing.
        benchmark: changes nothing.
        benchmark_limit: changes nothing.
        deterministic: changes nothing.
        allow_tf32: whether float32 products may be computed in TF32.
        fp32_precision: "tf32" or "ieee", the same as words.

    Each is as it was outside where it is None.

    Examples:
        >>> with gpunet.backends.cudnn.flags(benchmark=True):
        ...     gpunet.backends.cudnn.benchmark
        True
    """
    return settings_of(sys.modules[__name__], {
        "enabled": enabled, "benchmark": benchmark, "benchmark_limit": benchmark_limit, "deterministic": deterministic,
        "allow_tf32": allow_tf32, "fp32_precision": fp32_precision})


sys.modules[__name__].__class__ = WithTf32
