"""How many threads compute on the CPU."""

from __future__ import annotations

import ctypes
import os
from typing import TYPE_CHECKING

from gpunet._environment import number_of
from gpunet.native import blas

if TYPE_CHECKING:
    from pathlib import Path

_library: ctypes.CDLL | None = None
_count: int | None = None


def set_num_threads(num: int) -> None:
    """Sets how many threads the CPU's kernels use.

    The default is $GPUNET_NUM_THREADS, else $OMP_NUM_THREADS, else what this process may use: the processors it may run
    on, or the quota of its container if that is less. Results do not depend on it.

    While native kernels serve, the BLAS behind NumPy uses one thread, in the whole process; $GPUNET_BLAS_THREADS
    changes that. Without native kernels this sets the number of BLAS's threads.

    Args:
        num: at least 1.

    Raises:
        RuntimeError: the number is less than 1.

    Examples:
        >>> gpunet.set_num_threads(2)
        >>> gpunet.get_num_threads()
        2
    """
    global _count
    if isinstance(num, bool) or not isinstance(num, int):
        raise TypeError(f"set_num_threads expects an int, but got {type(num).__name__}")
    if num < 1:
        raise RuntimeError("set_num_threads expects a positive integer")
    _count = num
    if _library is not None:
        _library.gpunet_set_num_threads(ctypes.c_int64(num))
    else:
        blas.set_threads(num)


def get_num_threads() -> int:
    """How many threads the CPU's kernels use.

    Returns:
        The number that `set_num_threads` has set, or the default.

    Examples:
        >>> gpunet.get_num_threads() >= 1
        True
    """
    return default() if _count is None else _count


def tell(library: ctypes.CDLL) -> None:
    """Has the library, which has just been loaded, use this number of threads."""
    global _library
    _library = library
    library.gpunet_set_num_threads(ctypes.c_int64(get_num_threads()))
    blas.set_threads(1)


def default() -> int:
    """The number of threads for which this process has processors."""
    if own := int(number_of("GPUNET_NUM_THREADS", int, 1, blas.MOST_THREADS, 0)):
        return own
    text = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    if text.isdecimal() and int(text) >= 1:
        return int(text)
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = _quota()
    return processors if quota is None else max(1, min(processors, int(quota + 0.5)))


def _quota(cgroups: str | os.PathLike[str] = "/sys/fs/cgroup",
           mine: str | os.PathLike[str] = "/proc/self/cgroup") -> float | None:
    """The processors that the container's quota amounts to; None without one."""
    from pathlib import Path  # which `import gpunet` does without

    root, found = Path(cgroups), []
    try:
        lines = Path(mine).read_text().splitlines()
    except OSError:
        lines = []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers == "":  # version 2: the least quota on the way up
            place = root / path.lstrip("/")
            for folder in (place, *place.parents):
                if root not in (folder, *folder.parents):
                    break
                found.append(_ratio(folder / "cpu.max"))
        elif "cpu" in controllers.split(","):
            for folder in (root / "cpu" / path.lstrip("/"), root / "cpu"):
                try:
                    limit = int((folder / "cpu.cfs_quota_us").read_text())
                    found.append(limit / int((folder / "cpu.cfs_period_us").read_text()) if limit > 0 else None)
                except (OSError, ValueError):
                    continue
    return min((each for each in found if each), default=None)


def _ratio(path: Path) -> float | None:
    try:
        limit, period = path.read_text().split()
        return None if limit == "max" else int(limit) / int(period)
    except (OSError, ValueError):
        return None
