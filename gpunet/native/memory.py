"""The memory of arrays on the CPU. With native kernels, large arrays take the memory that other arrays have left: a
training step, which asks for the same sizes again and again, then allocates nothing after its first rounds."""

from __future__ import annotations

from typing import Any

import numpy as np

from gpunet.native import library
from gpunet.native.plan import Plan

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


def plans(step: Any) -> list[Plan]:
    """How the recordings of a compiled function use memory on the CPU.

    Args:
        step: what `gpunet.compile` returned.

    Returns:
        A plan for each recording, in their order. Its attributes count calls, arrays and bytes; as text it is one line.

    Raises:
        TypeError: `step` is no compiled function.

    Examples:
        >>> from gpunet.native import memory
        >>> step = gpunet.compile(lambda x: ((x @ x) @ x) @ x @ x)
        >>> for _ in range(3):
        ...     y = step(gpunet.ones(100, 100))
        >>> print(memory.plans(step)[0])
        4 calls: 3 arrays, 0.1 MB, in an arena of 0.1 MB (0.0 MB are never written); 0.0 MB are kept outside of it
    """
    recordings = getattr(step, "recordings", None)
    if recordings is None:
        raise TypeError(f"plans: expected a function that gpunet.compile returned, got {type(step).__name__}")
    return [recording.plan for recording in recordings.values() if recording.plan is not None]
