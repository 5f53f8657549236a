"""Half types where a kernel takes float32: the arrays are converted before it and the results after it, each rounded
once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np

from gpunet.native import memory
from gpunet.native.handle import Native

FLOAT32 = np.dtype(np.float32)
HALVES = (np.dtype(np.float16), np.dtype(ml_dtypes.bfloat16))
FLOATS = ("float32", "float16", "bfloat16")

_convert = Native("elementwise_unary.cpp", "convert", elementwise=True)


def convert(out: np.ndarray, x: np.ndarray) -> bool:
    """out = x, of any strides, where one of both is of a half type and the other of it or float32; else False."""
    if out.dtype not in HALVES and x.dtype not in HALVES:
        return False
    if not all(each.dtype in HALVES or each.dtype == FLOAT32 for each in (out, x)):
        return False
    _convert(out, x)
    return True


def number(dtype: np.dtype) -> int:
    """A type as kernels know it that take several (enum Real in halves.h)."""
    return _NUMBERS[dtype]


_NUMBERS = {FLOAT32: 0, **{dtype: i for i, dtype in enumerate(HALVES, 1)}}


def in_float32(function: Callable, outputs: int, kept: tuple[int, ...] = ()) -> Callable:
    """An op's CPU function for arrays of which some are of half types and the others of float32, from the one that
    takes float32 alone.

    Args:
        function: takes `outputs` arrays that it fills, then its inputs; its Guard, which looks at strides.
        outputs: how many; -1: those among the `kept`.
        kept: the places of arguments that it takes of half types as they are, such as images beside which what belongs
            to channels is float32.
    """
    def call(*args: Any, **attrs: Any) -> Any:
        own = list(args)
        results = []
        stay = {i % len(args) for i in kept}
        for i, x in enumerate(args):
            if x.__class__ is not np.ndarray or x.dtype.kind not in "fV" or x.dtype == FLOAT32:
                continue
            if x.dtype not in HALVES:
                return NotImplemented
            if i in stay:
                continue
            own[i] = memory.empty(x.shape, FLOAT32)
            if i < outputs:
                results.append((x, own[i]))
            else:
                _convert(own[i], x)
        if function(*own, **attrs) is NotImplemented:
            return NotImplemented
        for out, result in results:
            _convert(out, result)
        return None

    return call
