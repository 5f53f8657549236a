"""Apple's GPUs, for which there is no device."""

from __future__ import annotations

__all__ = ["is_available", "is_built"]


def is_available() -> bool:
    """Whether an Apple GPU can be used.

    Returns:
        False.

    Examples:
        >>> answer = gpunet.backends.mps.is_available()
    """
    return False


def is_built() -> bool:
    """Whether gpunet has kernels for Apple's GPUs.

    Returns:
        False.

    Examples:
        >>> gpunet.backends.mps.is_built()
        False
    """
    return False
