"""Recorded calls of kernels, for gpunet.compile: taken down without being carried out, then repeated from one call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from gpunet.native import library


def capture(function: Callable[[], Any]) -> list[Any] | None:
    """The kernel calls that a function makes, which are not carried out. None if a repetition of them would not do what
    the function does: it copied an array, or returned NotImplemented."""
    calls = library.loaded()
    return None if calls is None else calls.capture(function)


def program(steps: Sequence[Any]) -> Callable[[], None]:
    """A function that carries out captured calls, and functions between them, one after the other."""
    calls = library.loaded()
    if calls is not None:
        return calls.Program(steps)

    def run() -> None:
        for step in steps:
            step()

    return run
