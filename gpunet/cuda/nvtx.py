"""Named ranges in the time line of NVIDIA's profilers (Nsight Systems). Without a GPU they do nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from gpunet.cuda.gpus import gpu, is_available

__all__ = ["mark", "range", "range_pop", "range_push"]


def _nvtx() -> Any:
    """CuPy's module; None without a GPU."""
    return gpu().xp.cuda.nvtx if is_available() else None


def range_push(msg: str) -> None:
    """Begins a range.

    Args:
        msg: its name.

    Examples:
        >>> gpunet.cuda.nvtx.range_push("forward")
        >>> gpunet.cuda.nvtx.range_pop()
    """
    if (found := _nvtx()) is not None:
        found.RangePush(msg)


def range_pop() -> None:
    """Ends the range that began last.

    Examples:
        >>> gpunet.cuda.nvtx.range_push("forward")
        >>> gpunet.cuda.nvtx.range_pop()
    """
    if (found := _nvtx()) is not None:
        found.RangePop()


def mark(msg: str) -> None:
    """Marks a moment.

    Args:
        msg: its name.

    Examples:
        >>> gpunet.cuda.nvtx.mark("epoch")
    """
    if (found := _nvtx()) is not None:
        found.Mark(msg)


@contextmanager
def range(msg: str, *args: Any, **kwargs: Any) -> Iterator[None]:
    """A range as a context manager and a decorator.

    Args:
        msg: its name.
        args: what `msg.format` takes.
        kwargs: what `msg.format` takes by name.

    Examples:
        >>> with gpunet.cuda.nvtx.range("step {}", 1):
        ...     x = gpunet.zeros(2)
    """
    range_push(msg.format(*args, **kwargs))
    try:
        yield
    finally:
        range_pop()
