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


def program(steps: Sequence[Any], hidden: dict[int, int]) -> Callable[[], None]:
    """A function that carries out captured calls, and functions between them, one after the other; a chain of
    element-wise calls on large arrays piece by piece, each piece through all of them (kernels/cpu/chains.h).

    Args:
        steps: captured calls, and functions.
        hidden: of each array that nobody but the calls refers to its id, and how often they do. Within a chain it is
            not written.
    """
    calls = library.loaded()
    if calls is not None:
        return calls.Program(steps, library.address("chain"), hidden)

    def run() -> None:
        for step in steps:
            step()

    return run
