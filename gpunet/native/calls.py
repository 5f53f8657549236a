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


def program(steps: Sequence[Any], hidden: dict[int, tuple[int, int]]) -> Any:
    """What carries out captured calls, and functions between them, one after the other; a chain of element-wise calls
    on large arrays piece by piece, each piece through all of them, and a matrix product in front of them by blocks of
    rows (kernels/cpu/chains.h).

    Args:
        steps: captured calls, and functions.
        hidden: of each array that nobody but the calls refers to its id, and the numbers of the first and the last step
            that may touch it. If these are within one chain, the array is not written.

    Returns:
        A function with the attributes `chains`, of each (first step, calls, hidden arrays), and `unwritten`, the hidden
        arrays.
    """
    calls = library.loaded()
    if calls is None:
        return Steps(steps)
    return calls.Program(steps, library.address("chain"), library.address("matmul"), hidden)


class Steps:
    """A program of functions, where no kernels serve."""

    chains: Sequence[tuple[int, int, int]] = ()
    unwritten: Sequence[Any] = ()

    def __init__(self, steps: Sequence[Any]) -> None:
        self._steps = tuple(steps)

    def __call__(self) -> None:
        for step in self._steps:
            step()
