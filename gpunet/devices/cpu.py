"""The CPU: an op runs its native kernel where there is one and it serves (see native/), else its NumPy body."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from gpunet._quiet import restore, silence
from gpunet.native import calls as native_calls
from gpunet.native import memory

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
        calls = list(calls)
        hidden = _hidden(calls)
        program = native_calls.program([step for call in calls for step in _steps(*call)], hidden)

        def replay() -> None:
            token = silence()
            try:
                program()
            finally:
                restore(token)

        return replay

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


def _hidden(calls: list[tuple[Any, Any, Any, Any]]) -> dict[int, int]:
    """The arrays, no views, that nobody refers to but recorded calls, by id, and how often these do."""
    calls = [*calls, (None, (np.empty(1),), (), {})]  # such an array, to learn what reference counts are then
    every = [array for _, outs, inputs, _ in calls for array in (*outs, *inputs)
             if isinstance(array, np.ndarray) and array.base is None]
    arrays, counts = {id(array): array for array in every}, Counter(map(id, every))
    del every
    others = {key: sys.getrefcount(arrays[key]) - count for key, count in counts.items()}
    *_, least = others.values()
    return {key: counts[key] for key, number in others.items() if number == least}


def _steps(op: Any, outs: Sequence[Any], arrays: Sequence[Any], attrs: dict[str, Any]) -> list[Any]:
    """What repeats a call of `run`: the calls of its kernels if it has any, else a function."""
    native = op.native
    if native is None:
        return [partial(op.body, np, *outs, *arrays, **attrs)]
    call = partial(native, *outs, *arrays, **attrs)
    calls = native_calls.capture(call) if op.replayable else None
    return [partial(CpuDevice.run, op, outs, arrays, attrs)] if calls is None else calls
