"""The CPU: an op runs its native kernel where there is one and it serves (see native/), else its NumPy body."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from gpunet._channels_last import strides_of
from gpunet._quiet import restore, silence
from gpunet.native import calls as native_calls
from gpunet.native import memory, plan

if TYPE_CHECKING:
    from gpunet.devices import device


class CpuDevice:
    """NumPy arrays in the host's memory."""

    type = "cpu"
    index = None
    xp: Any = np
    joins = False  # whether its kernels compute several gradients at once

    def __init__(self, name: device) -> None:
        self.name = name

    def __repr__(self) -> str:
        return str(self.name)

    @staticmethod
    def empty(shape: Any, dtype: Any) -> Any:
        """A new array."""
        return memory.empty(shape, dtype)

    @staticmethod
    def empty_last(shape: tuple[int, ...], dtype: Any) -> Any:
        """A new array in channels last, of 4 or 5 dimensions."""
        return np.ndarray(shape, dtype, strides=strides_of(shape, np.dtype(dtype).itemsize))

    @staticmethod
    def allocate(op: Any, found: Sequence[tuple[Any, Any]], arrays: Sequence[Any], attrs: dict[str, Any]) -> tuple:
        """New arrays for a call's results; found: shape and type of each."""
        return tuple([memory.empty(shape, dtype) for shape, dtype in found])

    @staticmethod
    def run(op: Any, outs: Sequence[Any], arrays: Sequence[Any], attrs: dict[str, Any]) -> None:
        """Fills `outs`."""
        native = op.native
        if native is not None and native(*outs, *arrays, **attrs) is not NotImplemented:
            return
        token = silence()
        try:
            op.body(np, *outs, *arrays, **attrs)
        finally:
            restore(token)

    @staticmethod
    def compute(op: Any, shape: tuple[int, ...], dtype: np.dtype, arrays: Sequence[Any], attrs: dict[str, Any]) -> Any:
        """The result of a call with one output."""
        native = op.native
        if native is not None:
            out = memory.empty(shape, dtype)
            if native(out, *arrays, **attrs) is not NotImplemented:
                return out
        token = silence()
        try:
            # The calls are written out, because `*arrays` beside keywords takes 100 ns longer.
            ufunc = op.ufunc
            if ufunc is None:
                out = np.empty(shape, dtype)
                if len(arrays) == 1:
                    op.body(np, out, arrays[0], **attrs)
                else:
                    op.body(np, out, *arrays, **attrs)
                return out
            if len(arrays) == 1:
                out = ufunc(arrays[0], order="C")
            else:
                x, y = arrays
                out = ufunc(x, y, order="C")
        finally:
            restore(token)
        # Of 0-d arrays NumPy makes a number, of bfloat16 and a number float32.
        return out if out.__class__ is np.ndarray and out.dtype is dtype else np.asarray(out, dtype)

    @staticmethod
    def call(function: Callable[..., Any], *args: Any) -> Any:
        """Work on this device's arrays that is no op."""
        return function(*args)

    @staticmethod
    def compile_calls(calls: Iterable[tuple[Any, Any, Any, Any]]) -> Callable[[], None]:
        """A function that repeats recorded calls of `run`."""
        return _replay(native_calls.program([step for call in calls for step in _steps(*call)], {}))

    @staticmethod
    def notes() -> plan.Notes:
        """What takes recorded calls down, for `compile_notes`."""
        return plan.Notes()

    @staticmethod
    def compile_notes(notes: plan.Notes, arenas: list[np.ndarray]) -> tuple[Callable[[], None], plan.Plan]:
        """A function that repeats recorded calls, with what they make in an arena.

        Args:
            notes: the calls.
            arenas: at most one arena, of other recordings that are never repeated at the same time. A larger one is put
                in its place if there is need.
        """
        def take(size: int) -> np.ndarray:
            if not arenas or arenas[0].size < size:
                memory.empty_cache()  # the sizes that eager steps asked for are no longer wanted
                arenas[:] = [plan.arena(size, memory.empty)]
            return arenas[0]

        program, found = plan.settle(notes, _steps, take)
        return _replay(program), found

    @staticmethod
    def to_host(array: Any) -> Any:
        """The array itself: it is in the host's memory."""
        return array

    @staticmethod
    def from_host(array: Any) -> Any:
        """The array itself: it is in the host's memory."""
        return array

    @staticmethod
    def synchronize() -> None:
        """Returns at once: there is no queue of work."""


def _replay(program: Callable[[], None]) -> Callable[[], None]:
    def replay() -> None:
        token = silence()
        try:
            program()
        finally:
            restore(token)

    return replay


def _steps(op: Any, outs: Sequence[Any], arrays: Sequence[Any], attrs: dict[str, Any]) -> list[Any]:
    """What repeats a call of `run`: the calls of its kernels if it has any, else a function."""
    native = op.native
    if native is None:
        return [partial(op.body, np, *outs, *arrays, **attrs)]
    call = partial(native, *outs, *arrays, **attrs)
    calls = native_calls.capture(call) if op.replayable else None
    return [partial(CpuDevice.run, op, outs, arrays, attrs)] if calls is None else calls
