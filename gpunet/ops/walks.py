"""How kernels find the elements of operands that are broadcast or strided (kernels/pointwise.cuh)."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from gpunet.ops.launching import DIVISOR, divisor, factor_of

CYCLE = np.dtype([("inner", DIVISOR), ("count", DIVISOR)])
_DIMS = 5  # that kernels count


@functools.lru_cache(maxsize=4096)
def cycle(shape: tuple[int, ...], result: tuple[int, ...]) -> np.ndarray | None:
    """How an operand's elements recur in the result's; None where they do not do so as kernels can count."""
    padded = (1,) * (len(result) - len(shape)) + shape
    inner, count, d = 1, 1, len(result) - 1
    while d >= 0 and padded[d] == 1:
        inner *= result[d]
        d -= 1
    while d >= 0 and padded[d] == result[d]:
        count *= result[d]
        d -= 1
    if any([n != 1 for n in padded[: d + 1]]):
        return None
    return np.array((divisor(max(inner, 1)), divisor(max(count, 1))), CYCLE)  # of an empty result nothing is counted


def walk(shape: tuple[int, ...], *operands: Any) -> np.ndarray | None:
    """Where the operands of a result of this shape begin, and how they are walked in its order; None where kernels do
    not count so many dimensions. An operand may be None, and of any strides."""
    found = _walk(shape, *[None if x is None else (x.shape, x.strides, x.dtype.itemsize) for x in operands])
    if found is None:
        return None
    found = found.copy()
    found["first"] = [0 if x is None else x.data.ptr for x in operands]
    return found


@functools.lru_cache(maxsize=4096)
def _walk(shape: tuple[int, ...], *operands: tuple | None) -> np.ndarray | None:
    strides = []
    for operand in operands:
        if operand is None:
            strides.append((0,) * len(shape))
            continue
        own, steps, itemsize = operand
        if any([step % itemsize for step in steps]):
            return None
        steps = [0 if n == 1 else step // itemsize for n, step in zip(own, steps, strict=True)]
        strides.append((0,) * (len(shape) - len(own)) + tuple(steps))
    dims: list[tuple[int, list[int]]] = []  # (size, strides), the last first; those that lie behind one another as one
    for d in reversed(range(len(shape))):
        n, own = shape[d], [each[d] for each in strides]
        if n == 1:
            continue
        if dims and [dims[-1][0] * step for step in dims[-1][1]] == own:
            dims[-1] = dims[-1][0] * n, dims[-1][1]
        else:
            dims.append((n, own))
    if len(dims) > _DIMS:
        return None
    found = np.zeros((), [("size", "u4", _DIMS), ("factor", "u4", _DIMS), ("shift", "u4", _DIMS), ("unused", "u4"),
                          ("stride", "i8", (len(operands), _DIMS)), ("first", "u8", len(operands))])
    for d, (n, steps) in enumerate(dims + [(1, [0] * len(operands))] * (_DIMS - len(dims))):
        found["size"][d] = n
        found["factor"][d], found["shift"][d] = factor_of(n)
        found["stride"][:, d] = steps
    return found


def meets(out: Any, x: Any) -> bool:
    """Whether an array shares memory with a result that is written in another order than the array is read."""
    if x is None or not x.size:
        return False
    spans = [(n - 1) * step for n, step in zip(x.shape, x.strides, strict=True)]
    low = x.data.ptr + sum([span for span in spans if span < 0])
    high = x.data.ptr + sum([span for span in spans if span > 0]) + x.dtype.itemsize
    return low < out.data.ptr + out.nbytes and out.data.ptr < high
