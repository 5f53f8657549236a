"""Something else in place of the launches on the simulated device: what checked() and profiled() are made of."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from gpunet.sim import engine, memory
from gpunet.sim.module import Function


@contextlib.contextmanager
def replaced(built: Callable[..., None], compiled: Callable[..., None]) -> Iterator[None]:
    """Within this, `built` carries out the launches of gpunet.sim's kernels, and `compiled` those of gpunet.ptx's where
    that runs the device's. Both take what a launch takes."""
    def launch(self: Any, grid: tuple, block: tuple, args: tuple, shared_mem: int = 0, stream: Any = None) -> None:
        (built if type(self) is Function else compiled)(self, grid, block, args, shared_mem)

    kinds: list[Any] = [Function]
    if engine.choose().name == "ptx":
        from gpunet import ptx

        kinds.append(ptx.Function)
    before = [kind.__call__ for kind in kinds]
    for kind in kinds:
        kind.__call__ = launch
    try:
        yield
    finally:
        for kind, its_own in zip(kinds, before, strict=True):
            kind.__call__ = its_own


def pointed_to(args: tuple) -> Iterator[tuple[int, int, Any]]:
    """Arrays of the simulated device to which a launch's arguments and the structures among them point: address, bytes
    and NumPy type, None where that is not known."""
    for value in args:
        dtype = getattr(value, "dtype", None)
        address = getattr(value, "_address", getattr(value, "ptr", None))
        if address is not None:
            addresses = [int(address)]
        else:
            content = value if isinstance(value, bytes) else value.tobytes() if _is_record(value) else b""
            addresses = np.frombuffer(content[:len(content) // 8 * 8], np.uint64).tolist()
            dtype = None
        for each in addresses:
            if found := memory.find(each):
                yield (*found, dtype)


def _is_record(value: Any) -> bool:
    return isinstance(value, np.generic | np.ndarray) and value.dtype.kind == "V"
