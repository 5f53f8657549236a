"""oneDNN, which is not here. `enabled` and `deterministic` can be set and change nothing."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager

from gpunet.backends.absent import settings_of

__all__ = ["deterministic", "enabled", "flags", "is_available"]

enabled = True
deterministic = False


def is_available() -> bool:
    """Whether oneDNN is there.

    Returns:
        False.

    Examples:
        >>> answer = gpunet.backends.mkldnn.is_available()
    """
    return False


def flags(enabled: bool | None = None, deterministic: bool | None = None, allow_tf32: bool | None = None,
          fp32_precision: str | None = None) -> AbstractContextManager[None]:
    """The settings inside a `with` block.

    Args:
        enabled: changes nothing.
        deterministic: changes nothing.
        allow_tf32: changes nothing.
        fp32_precision: changes nothing.

    Examples:
        >>> with gpunet.backends.mkldnn.flags(enabled=False):
        ...     gpunet.backends.mkldnn.enabled
        False
    """
    return settings_of(sys.modules[__name__], {"enabled": enabled, "deterministic": deterministic})
