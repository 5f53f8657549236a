"""The launches of kernels/join.cu: `cat`, and the gradient of a slice."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from gpunet.kernel import Kernel
from gpunet.ops.channels_last import as_rows, lie_last
from gpunet.ops.launching import THREADS, divisor, spread
from gpunet.ops.many import record_of, sizes

_UNITS = {1: "unsigned char", 2: "unsigned short", 4: "unsigned int", 8: "unsigned long long", 16: "uint4"}
_MOST = 2**31 - 1

_join = Kernel("join.cu", "join", instances=lambda: [(unit, sizes(1)[0]) for unit in _UNITS.values()])


def joined(cuda, out, sources: list[tuple[Any, int]]) -> Any:
    """Fills rows with the sources (array or None for zeros, bytes of each row)."""
    sources = [(array, width) for array, width in sources if width]
    itemsize = out.dtype.itemsize
    most = sizes(1)[0]
    if itemsize not in _UNITS or len(sources) > most or not out.size:
        return NotImplemented
    wide = all([width % 16 == 0 and (array is None or array.data.ptr % 16 == 0) for array, width in sources])
    unit = 16 if wide and out.data.ptr % 16 == 0 else itemsize
    widths = [width // unit for _, width in sources]
    width, size = sum(widths), out.nbytes // unit
    if size > _MOST:
        return NotImplemented
    firsts = [sum(widths[:i]) for i in range(len(widths))]
    record = record_of([[array for array, _ in sources]], widths, firsts, most)
    _join.on(cuda, _UNITS[unit], most)(spread(cuda, size), THREADS, _bytes(out, unit), record, divisor(width), size)
    return None


def _bytes(out, unit: int):
    """The result as units; of 16 bytes there is no type of array, and any stands for them."""
    return out if unit == 16 else out.view(f"u{unit}")


def cat(cuda, out, *arrays, dim):
    """The launch of `cat`."""
    if any([x.dtype != out.dtype for x in arrays]):
        return NotImplemented
    if lie_last(out, *arrays):
        out, arrays, dim = as_rows(out), tuple(map(as_rows, arrays)), (0, 3, 1, 2)[dim]
    inner = prod(out.shape[dim + 1 :]) * out.dtype.itemsize
    return joined(cuda, out, [(x, x.shape[dim] * inner) for x in arrays if x.ndim == out.ndim])


def spread_view(cuda, out, g, *, shape, step):
    """The launch of `spread`, for views that are the same run of each row."""
    if not g.flags.c_contiguous or not out.flags.c_contiguous or not g.size:
        return NotImplemented
    operation, attrs = step
    key = shape, operation, repr(attrs)  # slices cannot be looked up before Python 3.12
    if key not in _runs:
        if len(_runs) >= _MOST_RUNS:
            _runs.clear()
        _runs[key] = _run_of(shape, operation, attrs)
    run = _runs[key]
    if run is None:
        return NotImplemented
    before, length, after = (n * out.dtype.itemsize for n in run)
    return joined(cuda, out, [(None, before), (g, length), (None, after)])


_runs: dict[tuple, tuple[int, int, int] | None] = {}
_MOST_RUNS = 4096


def _run_of(shape: tuple[int, ...], operation: Any, attrs: dict[str, Any]) -> tuple[int, int, int] | None:
    """For a view of an array of a shape: elements of a row before it, of it and after it; None if it is no run."""
    strides = [prod(shape[d + 1 :]) for d in range(len(shape))]
    base = np.lib.stride_tricks.as_strided(np.empty(1, np.uint8), shape, strides)  # memory that nothing touches
    view = operation.body(np, base, **attrs)
    offset = view.__array_interface__["data"][0] - base.__array_interface__["data"][0]
    dims: list[list[int]] = []  # size and stride, the last first; those that lie behind one another as one
    for n, stride in zip(view.shape[::-1], view.strides[::-1], strict=True):
        if n == 1:
            continue
        if dims and dims[-1][0] * dims[-1][1] == stride:
            dims[-1][0] *= n
        else:
            dims.append([n, stride])
    total = prod(shape)
    length = dims.pop(0)[0] if dims and dims[0][1] == 1 else 1
    rows, width = dims.pop(0) if dims else (1, total)
    if dims or rows * width != total or offset < 0 or offset + length > width:
        return None
    return offset, length, width - offset - length
