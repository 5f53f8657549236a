"""The device `meta`: tensors that have a shape and a type, and no values. Nothing is computed there."""

from __future__ import annotations

import math
import mmap
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from gpunet._channels_last import from_rows, leans_last

if TYPE_CHECKING:
    from gpunet.devices import device

_NORESERVE = getattr(mmap, "MAP_NORESERVE", 0x4000)  # Linux's number: Python has the name from 3.13 on


class MetaDevice:
    """NumPy arrays at addresses where no memory is: pages that nobody touches cost nothing, so that shapes, strides and
    views are those of the other devices."""

    type = "meta"
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
        dtype = np.dtype(dtype)
        count = math.prod(shape)
        if count * dtype.itemsize <= mmap.PAGESIZE:
            return np.empty(shape, dtype)
        pages = mmap.mmap(-1, count * dtype.itemsize, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | _NORESERVE)
        return np.frombuffer(pages, np.uint8).view(dtype).reshape(shape)

    def empty_last(self, shape: tuple[int, ...], dtype: Any) -> Any:
        """A new array in channels last, of 4 or 5 dimensions."""
        return from_rows(self.empty((shape[0], *shape[2:], shape[1]), dtype))

    def allocate(self, op: Any, found: Sequence[tuple[Any, Any]], arrays: Sequence[Any],
                 attrs: dict[str, Any]) -> tuple:
        """New arrays for a call's results; found: shape and type of each."""
        return tuple([self.empty(shape, dtype) for shape, dtype in found])

    @staticmethod
    def run(op: Any, outs: Sequence[Any], arrays: Sequence[Any], attrs: dict[str, Any]) -> None:
        """Does nothing: `outs` have their shapes."""

    def compute(self, op: Any, shape: tuple[int, ...], dtype: np.dtype, arrays: Sequence[Any],
                attrs: dict[str, Any]) -> Any:
        """The result of a call with one output."""
        return self.empty(shape, dtype)

    @staticmethod
    def call(function: Callable[..., Any], *args: Any) -> Any:
        """Work on this device's arrays that is no op."""
        return function(*args)

    @staticmethod
    def compile_calls(calls: Iterable[tuple[Any, Any, Any, Any]]) -> Callable[[], None]:
        """A function that does nothing."""
        return lambda: None

    @staticmethod
    def to_host(array: Any) -> NoReturn:
        """Raises NotImplementedError."""
        raise NotImplementedError(f"a tensor on the device meta has no values to copy or read, only a shape, "
                                  f"{array.shape}; give a module memory with Module.to_empty(device=...), or its "
                                  "values with load_state_dict(state, assign=True)")

    def from_host(self, array: Any) -> Any:
        """An array of the same shape, without the values."""
        return self.empty_last(array.shape, array.dtype) if leans_last(array) else self.empty(array.shape, array.dtype)

    @staticmethod
    def synchronize() -> None:
        """Returns at once: there is no queue of work."""
