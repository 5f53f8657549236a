"""The BLAS behind NumPy, and how many threads it uses.

Its threads wait actively. Beside our pool, or beside other programs, they take processors from those who work: a step
became a hundred times slower. So while native kernels serve, BLAS computes in the calling thread.
"""

from __future__ import annotations

import ctypes
import os
import re
from collections.abc import Callable

from gpunet._environment import number_of

MOST_THREADS = 1 << 16

_LIBRARIES = re.compile(r"\S*/\S*(?:openblas|mkl_rt|blis)\S*\.so\S*")
_SETTERS = ("scipy_openblas_set_num_threads64_", "scipy_openblas_set_num_threads", "openblas_set_num_threads64_",
            "openblas_set_num_threads", "MKL_Set_Num_Threads", "bli_thread_set_num_threads")


def set_threads(count: int) -> None:
    """Has every BLAS that this process has loaded use so many threads, unless $GPUNET_BLAS_THREADS says how many. What
    has no such function, such as a reference BLAS, has no threads either."""
    count = chosen_threads(count)
    for setter in _setters():
        setter(count)


def chosen_threads(default: int = 1) -> int:
    """$GPUNET_BLAS_THREADS, else the default."""
    return int(number_of("GPUNET_BLAS_THREADS", int, 1, MOST_THREADS, default))


def _setters() -> list[Callable[[int], None]]:
    try:
        with open("/proc/self/maps") as file:
            mapped = file.read()
    except OSError:
        return []
    found = []
    for path in sorted(set(_LIBRARIES.findall(mapped))):
        try:
            library = ctypes.CDLL(path, mode=os.RTLD_NOLOAD | os.RTLD_NOW)
        except OSError:
            continue
        name = next((name for name in _SETTERS if hasattr(library, name)), None)
        if name is not None:
            found.append(getattr(library, name))
    return found
