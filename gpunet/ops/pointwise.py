"""The GPU's kernels of element-wise ops (kernels/pointwise.cu): which function stands for which op, their launches."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import Any

import numpy as np

from gpunet.dispatch import NUMBERS
from gpunet.dtypes import BOOL_NP, FLOAT32_NP, FLOAT64_NP, INT64_NP
from gpunet.kernel import Kernel
from gpunet.ops.launching import (
    DIVISOR,
    FLOATS,
    KERNEL_TYPES,
    THREADS,
    aligned,
    blocks_of,
    by_type,
    divisor,
    factor_of,
    spread,
)
from gpunet.ops.rules import accumulator

# Names of ops, and of the functions in pointwise.cuh.
UNARY = {"relu": "Relu", "neg": "Neg", "abs": "Abs", "exp": "Exp", "log": "Log", "sqrt": "Sqrt", "rsqrt": "Rsqrt",
         "reciprocal": "Reciprocal", "tanh": "Tanh", "erf": "Erf", "sigmoid": "Sigmoid", "silu": "Silu",
         "gelu": "Gelu", "gelu_tanh": "GeluTanh", "hardsigmoid": "Hardsigmoid", "hardswish": "Hardswish",
         "logsigmoid": "Logsigmoid"}
BINARY = {"add": "Plus", "sub": "Minus", "mul": "Times", "true_divide": "Divide", "maximum": "Maximum",
          "minimum": "Minimum", "relu_grad": "ReluGrad", "sigmoid_grad": "SigmoidGrad", "tanh_grad": "TanhGrad",
          "silu_grad": "SiluGrad", "gelu_grad": "GeluGrad", "gelu_tanh_grad": "GeluTanhGrad",
          "hardsigmoid_grad": "HardsigmoidGrad", "hardswish_grad": "HardswishGrad"}
COMPARISONS = {"eq": "Equal", "ne": "NotEqual", "lt": "Less", "le": "LessEqual", "gt": "Greater", "ge": "GreaterEqual"}

OPTIONS = ("-fmad=false",)  # see pointwise.cuh
_MOST = 2**31 - 1  # elements, where operands are broadcast


# Functions that a GPU does not compute in double but by long programs, which these ops leave to CuPy's.
LONG = frozenset("Exp Log Tanh Erf Sigmoid Silu Logsigmoid Gelu GeluTanh SiluGrad GeluGrad GeluTanhGrad".split())
_ARANGES = {INT64_NP: INT64_NP, np.dtype("int32"): INT64_NP, FLOAT32_NP: FLOAT64_NP, FLOAT64_NP: FLOAT64_NP}
_SPREADING = ("Plus", "Minus", "Times", "Divide", "Maximum", "Minimum")  # those that broadcast


def _of(functions: Iterable[str]):
    return lambda: ((*types, function) for types in by_type() for function in functions if served(types[0], function))


def served(dtype: Any, function: str) -> bool:
    """Whether there is a kernel of a function for a type."""
    return dtype in KERNEL_TYPES and (dtype != FLOAT64_NP or function not in LONG)


_unary = Kernel("pointwise.cu", "unary", OPTIONS, _of(UNARY.values()))
_binary = Kernel("pointwise.cu", "binary", OPTIONS, _of(BINARY.values()))
_binary_spread = Kernel("pointwise.cu", "binary_spread", OPTIONS, _of(_SPREADING))
_compare = Kernel("pointwise.cu", "compare", OPTIONS, _of(COMPARISONS.values()))
_where = Kernel("pointwise.cu", "where", OPTIONS, lambda: [(dtype,) for dtype in FLOATS])
_where_spread = Kernel("pointwise.cu", "where_spread", OPTIONS, lambda: [(dtype,) for dtype in FLOATS])
_cast = Kernel("pointwise.cu", "cast", OPTIONS, lambda: [
    (to, dtype, wide) for to in FLOATS for dtype, wide in by_type() if to != dtype])
_clamp = Kernel("pointwise.cu", "clamp", OPTIONS, by_type)
_clamp_grad = Kernel("pointwise.cu", "clamp_grad", OPTIONS, by_type)
_arange = Kernel("pointwise.cu", "arange", OPTIONS, lambda: _ARANGES.items())
_copy_strided = Kernel("pointwise.cu", "copy_strided", OPTIONS, lambda: [(np.dtype(f"u{n}"),) for n in (1, 2, 4, 8)])


# ---- broadcast operands

CYCLE = np.dtype([("inner", DIVISOR), ("count", DIVISOR)])
_STRIDES = np.dtype([("size", "u4", 5), ("factor", "u4", 5), ("shift", "u4", 5), ("unused", "u4"), ("stride", "i8", 5),
                     ("first", "u8")])


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
    inner, count = max(inner, 1), max(count, 1)  # of an empty result nothing is counted
    return np.array((divisor(inner), divisor(count)), CYCLE)


# ---- launches


def declare(operation: Any) -> None:
    """Gives an op of one or two arrays, of which one may be a number, the kernel of its name."""
    name = operation.op.name
    operation.op.pointwise = UNARY.get(name) or BINARY.get(name)
    if name in UNARY:
        _declare_unary(operation, UNARY[name])
    elif function := BINARY.get(name):
        _declare_binary(operation, _binary, _binary_spread, function)
    else:
        _declare_binary(operation, _compare, None, COMPARISONS[name])


def _grid(cuda, count: int, itemsize: int) -> int:
    return spread(cuda, blocks_of(count, 16 // itemsize))


def _declare_unary(operation: Any, function: str) -> None:
    @operation.kernel
    def _(cuda, out, x):
        dtype = x.dtype
        if not served(dtype, function) or out.dtype != dtype:
            return NotImplemented
        size = x.size
        _unary.on(cuda, dtype, accumulator(dtype), function)(_grid(cuda, size, dtype.itemsize), THREADS, out, x, size,
                                                             aligned(out, x))


def _declare_binary(operation: Any, kernel: Kernel, spreading: Kernel | None, function: str) -> None:
    @operation.kernel
    def _(cuda, out, x, y):
        x_number = y_number = 0
        if x.__class__ in NUMBERS:
            x, x_number, dtype = None, x, y.dtype
        elif y.__class__ in NUMBERS:
            y, y_number, dtype = None, y, x.dtype
        else:
            dtype = x.dtype
            if y.dtype != dtype:
                return NotImplemented
        if not served(dtype, function) or (spreading is not None and out.dtype != dtype):
            return NotImplemented
        size = out.size
        if (x is None or x.size == size) and (y is None or y.size == size):
            kernel.on(cuda, dtype, accumulator(dtype), function)(
                _grid(cuda, size, dtype.itemsize), THREADS, out, x, y, x_number, y_number, size, aligned(out, x, y))
            return None
        if spreading is None or function not in _SPREADING or x is None or y is None or size > _MOST:
            return NotImplemented
        of_x, of_y = cycle(x.shape, out.shape), cycle(y.shape, out.shape)
        if of_x is None or of_y is None:
            return NotImplemented
        spreading.on(cuda, dtype, accumulator(dtype), function)(_grid(cuda, size, 16), THREADS, out, x, y, of_x, of_y,
                                                                size)
        return None


def where(cuda, out, condition, x, y):
    """The launch of `where`."""
    numbers = [each if each.__class__ in NUMBERS else 0 for each in (x, y)]
    x, y = (None if each.__class__ in NUMBERS else each for each in (x, y))
    dtype, size = out.dtype, out.size
    if dtype not in KERNEL_TYPES or condition.dtype != BOOL_NP or size > _MOST or any(
            [each is not None and each.dtype != dtype for each in (x, y)]):
        return NotImplemented
    operands = condition, x, y
    if all([each is None or each.size == size for each in operands]):
        _where.on(cuda, dtype)(_grid(cuda, size, dtype.itemsize), THREADS, out, *operands, *numbers, size,
                               aligned(out, *operands))
        return None
    cycles = [cycle(out.shape if each is None else each.shape, out.shape) for each in operands]
    if any([each is None for each in cycles]):
        return NotImplemented
    _where_spread.on(cuda, dtype)(_grid(cuda, size, 16), THREADS, out, *operands, *numbers, *cycles, size)
    return None


def clamp(cuda, out, x, *, low, high):
    """The launch of `hardtanh`."""
    dtype = x.dtype
    if dtype not in KERNEL_TYPES or out.dtype != dtype:
        return NotImplemented
    _clamp.on(cuda, dtype, accumulator(dtype))(_grid(cuda, x.size, dtype.itemsize), THREADS, out, x, low, high, x.size,
                                               aligned(out, x))
    return None


def clamp_grad(cuda, out, g, x, *, low, high):
    """The launch of its gradient."""
    dtype = x.dtype
    if dtype not in KERNEL_TYPES or g.dtype != dtype:
        return NotImplemented
    _clamp_grad.on(cuda, dtype, accumulator(dtype))(_grid(cuda, x.size, dtype.itemsize), THREADS, out, g, x, low, high,
                                                    x.size, aligned(out, g, x))
    return None


def arange(cuda, out, *, shape, dtype, start, step):
    """The launch of `arange`."""
    if dtype not in _ARANGES:
        return NotImplemented
    _arange.on(cuda, dtype, _ARANGES[dtype])(spread(cuda, out.size), THREADS, out, start, step, out.size)
    return None


def cast(cuda, out, x, *, dtype):
    """The launch of `cast`."""
    if x.dtype not in KERNEL_TYPES or out.dtype not in KERNEL_TYPES or x.dtype == out.dtype or not (
            x.flags.c_contiguous and out.flags.c_contiguous):
        return NotImplemented
    narrow = min(x.dtype.itemsize, out.dtype.itemsize)
    _cast.on(cuda, out.dtype, x.dtype, accumulator(x.dtype))(_grid(cuda, x.size, narrow), THREADS, out, x, x.size,
                                                             aligned(out, x))
    return None


@functools.lru_cache(maxsize=4096)
def _walk(shape: tuple[int, ...], strides: tuple[int, ...], itemsize: int) -> np.ndarray | None:
    """The shape and strides of an array, with dimensions that lie behind one another as one; None if more are left than
    kernels count."""
    dims: list[list[int]] = []  # [size, stride in elements], the last first
    for n, stride in zip(shape[::-1], strides[::-1], strict=True):
        if stride % itemsize:
            return None
        if n == 1:
            continue
        if dims and dims[-1][0] * dims[-1][1] * itemsize == stride:
            dims[-1][0] *= n
        else:
            dims.append([n, stride // itemsize])
    if len(dims) > 5:
        return None
    walk = np.zeros((), _STRIDES)
    for d, (n, stride) in enumerate(dims + [[1, 0]] * (5 - len(dims))):
        walk["size"][d], walk["stride"][d] = n, stride
        walk["factor"][d], walk["shift"][d] = factor_of(n)
    return walk


def clone(cuda, out, x):
    """The launch of `clone`, where the array is not contiguous; a contiguous one is a plain copy of memory."""
    size, itemsize = x.size, x.dtype.itemsize
    if x.flags.c_contiguous or not out.flags.c_contiguous or itemsize > 8 or not 0 < size <= _MOST:
        return NotImplemented
    walk = _walk(x.shape, x.strides, itemsize)
    if walk is None:
        return NotImplemented
    walk = walk.copy()
    walk["first"] = x.data.ptr
    _copy_strided.on(cuda, np.dtype(f"u{itemsize}"))(_grid(cuda, size, 16), THREADS, out, walk, size)
    return None
