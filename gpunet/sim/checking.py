"""check(): run a kernel under the checker and give what it found."""

import re
from typing import Any

import numpy as np

from gpunet.sim.errors import ArgumentError, KernelError
from gpunet.sim.finding import Finding
from gpunet.sim.module import Function


class _Uninitialised(np.ndarray):
    """An array whose elements with all bits set count as not written yet."""


def uninitialised(shape: int | tuple[int, ...], dtype: Any = np.float32) -> np.ndarray:
    """An array for a kernel to write: `check` reports what is read from it before it is written.

    Every byte is 0xff, NaN in floating-point types; an element counts as written once it is anything else.
    """
    array = np.empty(shape, dtype)
    array.view(np.uint8).fill(0xff) if array.ndim else array.fill(-1)
    return array.view(_Uninitialised)


def check(kernel: Function, grid: int | tuple, block: int | tuple, args: tuple, *, shared_mem: int = 0,
          timeout: float = 60.0) -> list[Finding]:
    """Run a kernel once under the checker, in a process of its own; the findings, empty when there are none.

    kernel: from gpunet.sim.load or Module.get_function. args: as for a launch, where arrays may also be NumPy's: they
    are copied to the device and back, so that results stand in them afterwards. `timeout` is in seconds, for the
    kernel alone. Whatever the kernel does is a finding, also arguments that do not fit, a crash and a kernel that does
    not end.
    """
    import gpunet.sim.cupy as xp

    arrays = [(a, xp.asarray(a)) for a in args if isinstance(a, np.ndarray)]
    given = [next((d for h, d in arrays if h is a), a) for a in args]
    grid, block = ((size,) if isinstance(size, int) else tuple(size) for size in (grid, block))
    try:
        kernel(grid, block, tuple(given), shared_mem=shared_mem)
    except ArgumentError as error:
        return [Finding("argument", str(error), kernel.name, kernel.file)]
    except KernelError as error:
        return [_parse(kernel, line) for line in str(error).split("\n")[1:]] or [
            Finding("limit", str(error), kernel.name, kernel.file)]
    finally:
        for host, device in arrays:
            host[...] = device.get()
    return []


_KINDS = {"deadlock": "deadlock", "divergent": "divergent barrier", "__syncthreads": "divergent barrier",
          "mask": "mask", "multiple of": "misaligned", "limit": "limit", "outside": "out of bounds",
          "assertion": "assertion", "ended": "time-out"}


def _parse(kernel: Function, text: str) -> Finding:
    found = re.match(r"(?:(\S+):(\d+): )?(.*?)(?: \[block (\(.*?\)), thread (\(.*?\))\])?$", text)
    file, line, message, block, thread = found.groups()
    kind = next((kind for word, kind in _KINDS.items() if word in message), "misuse")

    def three(numbers):
        return tuple(map(int, numbers.strip("()").split(","))) if numbers else None
    return Finding(kind, message, kernel.name, file or kernel.file, int(line) if line else None,
                   block=three(block), thread=three(thread))
