"""The memory of arrays on the CPU. With native kernels, large arrays take the memory that other arrays have left: a
training step, which asks for the same sizes again and again, then allocates nothing after its first rounds."""

from __future__ import annotations

from typing import Any

import numpy as np

from gpunet.native import library

empty: Any = np.empty  # empty(shape, dtype): replaced when the library is loaded


def _use() -> None:
    global empty
    empty = getattr(library.loaded(), "empty", np.empty)


library.when_loaded.append(_use)


def statistics() -> dict[str, int]:
    """What arrays have taken so far.

    Returns:
        `fresh`: blocks that were allocated; `reused`: blocks that were taken over; `in_use`, `peak` and `kept`: bytes
        of living arrays, the most at once, and of blocks that wait. Empty where native kernels do not serve.

    Examples:
        >>> from gpunet.native import memory
        >>> isinstance(memory.statistics(), dict)
        True
    """
    calls = library.loaded()
    return calls.memory_statistics() if hasattr(calls, "memory_statistics") else {}


def empty_cache() -> None:
    """Gives the memory that is kept for later arrays back to the system.

    Examples:
        >>> from gpunet.native import memory
        >>> memory.empty_cache()
    """
    calls = library.loaded()
    if hasattr(calls, "empty_cache"):
        calls.empty_cache()
