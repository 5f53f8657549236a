"""OpenMP, which gpunet does not use."""

from __future__ import annotations

__all__ = ["is_available"]


def is_available() -> bool:
    """Whether OpenMP is used.

    Returns:
        False.

    Examples:
        >>> answer = gpunet.backends.openmp.is_available()
    """
    return False
