"""The GPU's kernels of element-wise ops (kernels/pointwise.cu): which function stands for which op, their launches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from gpunet.dispatch import NUMBERS
from gpunet.dtypes import BOOL_NP, FLOAT32_NP, FLOAT64_NP, INT64_NP
from gpunet.kernel import Kernel
from gpunet.ops.launching import FLOATS, KERNEL_TYPES, THREADS, aligned, blocks_of, by_type, spread
from gpunet.ops.rules import accumulator
from gpunet.ops.walks import cycle, meets, walk

# Names of ops, and of the functions in pointwise.cuh.
UNARY = {"relu": "Relu", "neg": "Neg", "abs": "Abs", "exp": "Exp", "log": "Log", "sqrt": "Sqrt", "rsqrt": "Rsqrt",
         "reciprocal": "Reciprocal", "tanh": "Tanh", "erf": "Erf", "sigmoid": "Sigmoid", "silu": "Silu",
         "gelu": "Gelu", "gelu_tanh": "GeluTanh", "hardsigmoid": "Hardsigmoid", "hardswish": "Hardswish",
         "logsigmoid": "Logsigmoid", "floor": "Floor", "ceil": "Ceil", "trunc": "Trunc", "sign": "Sign",
         "exp2": "Exp2", "expm1": "Expm1", "log1p": "Log1p", "log2": "Log2"}
BINARY = {"add": "Plus", "sub": "Minus", "mul": "Times", "true_divide": "Divide", "maximum": "Maximum",
          "minimum": "Minimum", "heaviside": "Heaviside", "relu_grad": "ReluGrad", "sigmoid_grad": "SigmoidGrad",
          "tanh_grad": "TanhGrad", "silu_grad": "SiluGrad", "gelu_grad": "GeluGrad", "gelu_tanh_grad": "GeluTanhGrad",
          "hardsigmoid_grad": "HardsigmoidGrad", "hardswish_grad": "HardswishGrad"}
COMPARISONS = {"eq": "Equal", "ne": "NotEqual", "lt": "Less", "le": "LessEqual", "gt": "Greater", "ge": "GreaterEqual",
               "logical_and": "LogicalAnd", "logical_or": "LogicalOr", "logical_xor": "LogicalXor"}
PREDICATES = {"isnan": "IsNan", "isinf": "IsInf", "isfinite": "IsFinite", "logical_not": "Equal"}  # beside 0
OF_BITS = {"bitwise_and": "And", "bitwise_or": "Or", "bitwise_xor": "Xor", "bitwise_left_shift": "ShiftLeft",
           "bitwise_right_shift": "ShiftRight", "bitwise_not": "Invert"}
OF_INTEGERS = {"floor_divide": "FloorDivide", "remainder": "Remainder", "gcd": "Gcd", "lcm": "Lcm"}

OPTIONS = ("-fmad=false",)  # see pointwise.cuh
_MOST = 2**31 - 1  # elements, where operands are broadcast or strided

# Functions that a GPU does not compute in double but by long programs, which these ops leave to CuPy's.
LONG = frozenset("Exp Exp2 Expm1 Log Log1p Log2 Tanh Erf Sigmoid Silu Logsigmoid Gelu GeluTanh SiluGrad GeluGrad "
                 "GeluTanhGrad".split())
_SPREADING = frozenset("Plus Minus Times Divide Maximum Minimum".split())  # those that broadcast

# Integers, and what is computed with them; bools are integers of one bit, for which fewer functions are defined.
WHOLE = (BOOL_NP, *map(np.dtype, ("uint8", "int32", "int64")))
_OF_WHOLE = frozenset("Plus Minus Times Maximum Minimum Heaviside Neg Abs".split()) | {
    *COMPARISONS.values(), *OF_BITS.values(), *OF_INTEGERS.values()}
_NOT_OF_BOOLS = frozenset("Minus Neg Abs ShiftLeft ShiftRight FloorDivide Remainder Gcd Lcm".split())
_OF_WHOLE_ALONE = frozenset((*OF_BITS.values(), *OF_INTEGERS.values()))
_TYPES = KERNEL_TYPES | frozenset(WHOLE)
_ARANGES = {INT64_NP: INT64_NP, np.dtype("int32"): INT64_NP, FLOAT32_NP: FLOAT64_NP, FLOAT64_NP: FLOAT64_NP}


def served(dtype: Any, function: str) -> bool:
    """Whether there is a kernel of a function for a type."""
    if dtype in KERNEL_TYPES:
        return function not in _OF_WHOLE_ALONE and (dtype != FLOAT64_NP or function not in LONG)
    return dtype in _TYPES and function in _OF_WHOLE and (dtype != BOOL_NP or function not in _NOT_OF_BOOLS)


def _of(*functions: Iterable[str]):
    names = [name for some in functions for name in some]
    return lambda: ((dtype, accumulator(dtype), name) for dtype in (*FLOATS, *WHOLE) for name in names
                    if served(dtype, name))


def _through(to: Any, dtype: Any) -> Any:
    """The type of arithmetic of a cast."""
    return accumulator(to if dtype in WHOLE and to in KERNEL_TYPES else dtype)


def _casts() -> Iterator[tuple]:
    for to in (*FLOATS, *WHOLE):
        for dtype in (*FLOATS, *WHOLE):
            if to != dtype:
                yield to, dtype, _through(to, dtype)


def _any_type() -> Iterator[tuple]:
    return zip((*FLOATS, *WHOLE), strict=True)


_ALONE = UNARY.values(), ("Invert",)
_BOTH = BINARY.values(), [name for name in OF_BITS.values() if name != "Invert"], OF_INTEGERS.values()
_ASKED = COMPARISONS.values(), sorted({*PREDICATES.values()} - {*COMPARISONS.values()})
_unary = Kernel("pointwise.cu", "unary", OPTIONS, _of(*_ALONE))
_unary_strided = Kernel("pointwise.cu", "unary_strided", OPTIONS, _of(*_ALONE))
_binary = Kernel("pointwise.cu", "binary", OPTIONS, _of(*_BOTH))
_binary_spread = Kernel("pointwise.cu", "binary_spread", OPTIONS, _of(sorted(_SPREADING)))
_binary_strided = Kernel("pointwise.cu", "binary_strided", OPTIONS, _of(*_BOTH))
_compare = Kernel("pointwise.cu", "compare", OPTIONS, _of(*_ASKED))
_compare_strided = Kernel("pointwise.cu", "compare_strided", OPTIONS, _of(*_ASKED))
_where = Kernel("pointwise.cu", "where", OPTIONS, _any_type)
_where_spread = Kernel("pointwise.cu", "where_spread", OPTIONS, _any_type)
_where_strided = Kernel("pointwise.cu", "where_strided", OPTIONS, _any_type)
_cast = Kernel("pointwise.cu", "cast", OPTIONS, _casts)
_cast_strided = Kernel("pointwise.cu", "cast_strided", OPTIONS, _casts)
_clamp = Kernel("pointwise.cu", "clamp", OPTIONS, by_type)
_clamp_grad = Kernel("pointwise.cu", "clamp_grad", OPTIONS, by_type)
_arange = Kernel("pointwise.cu", "arange", OPTIONS, lambda: _ARANGES.items())
_copy_strided = Kernel("pointwise.cu", "copy_strided", OPTIONS, lambda: [(np.dtype(f"u{n}"),) for n in (1, 2, 4, 8)])


def declare(operation: Any) -> None:
    """Gives an op of one or two arrays, of which one may be a number, the kernel of its name."""
    name, op = operation.op.name, operation.op
    op.strided = op.by_element = True
    op.pointwise = UNARY.get(name) or BINARY.get(name)
    if name in UNARY or name == "bitwise_not":
        _declare_unary(operation, UNARY.get(name) or OF_BITS[name])
    elif name in PREDICATES:
        _declare_predicate(operation, PREDICATES[name])
    elif name in COMPARISONS:
        _declare_binary(operation, _compare, None, _compare_strided, COMPARISONS[name])
    else:
        function = (BINARY | OF_BITS | OF_INTEGERS)[name]
        spreading = _binary_spread if function in _SPREADING else None
        _declare_binary(operation, _binary, spreading, _binary_strided, function)


def _grid(cuda, count: int, itemsize: int) -> int:
    return spread(cuda, blocks_of(count, 16 // itemsize))


def _apart(cuda: Any, out: Any, x: Any) -> Any:
    """An operand that is read in another order than the result is written: a copy where both share memory."""
    return x.copy() if meets(out, x) else x


def _walked(cuda: Any, out: Any, *operands: Any) -> tuple[Any, Any]:
    """The walk over operands, and the arrays that have to live as long."""
    operands = tuple([None if x is None else _apart(cuda, out, x) for x in operands])
    return walk(out.shape, *operands), operands


def _declare_unary(operation: Any, function: str) -> None:
    @operation.kernel
    def _(cuda, out, x):
        dtype = x.dtype
        if not served(dtype, function) or out.dtype != dtype:
            return NotImplemented
        size = x.size
        if x.flags.c_contiguous:
            _unary.on(cuda, dtype, accumulator(dtype), function)(_grid(cuda, size, dtype.itemsize), THREADS, out, x,
                                                                 size, aligned(out, x))
            return None
        found, _kept = _walked(cuda, out, x) if 0 < size <= _MOST else (None, None)
        if found is None:
            return NotImplemented
        _unary_strided.on(cuda, dtype, accumulator(dtype), function)(spread(cuda, size), THREADS, out, found, size)
        return None


def _declare_predicate(operation: Any, function: str) -> None:
    """x beside 0."""
    @operation.kernel
    def _(cuda, out, x):
        dtype, size = x.dtype, x.size
        if not served(dtype, function):
            return NotImplemented
        zero = False if dtype == BOOL_NP else 0
        if x.flags.c_contiguous:
            _compare.on(cuda, dtype, accumulator(dtype), function)(
                _grid(cuda, size, dtype.itemsize), THREADS, out, x, None, zero, zero, size, aligned(out, x))
            return None
        found, _kept = _walked(cuda, out, x, None) if 0 < size <= _MOST else (None, None)
        if found is None:
            return NotImplemented
        _compare_strided.on(cuda, dtype, accumulator(dtype), function)(spread(cuda, size), THREADS, out, found, zero,
                                                                       zero, size)
        return None


def _declare_binary(operation: Any, kernel: Kernel, spreading: Kernel | None, strided: Kernel, function: str) -> None:
    bools = kernel is _compare
    by_zero = function in OF_INTEGERS.values()  # is an error, of which the body speaks

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
        if not served(dtype, function) or not bools and out.dtype != dtype:
            return NotImplemented
        if dtype in WHOLE:
            if not (_fits(dtype, x_number) and _fits(dtype, y_number)) or by_zero and y is None and y_number == 0:
                return NotImplemented
            if dtype == BOOL_NP:
                x_number, y_number = bool(x_number), bool(y_number)
        size = out.size
        whole = (x is None or x.flags.c_contiguous) and (y is None or y.flags.c_contiguous)
        if whole and (x is None or x.size == size) and (y is None or y.size == size):
            kernel.on(cuda, dtype, accumulator(dtype), function)(
                _grid(cuda, size, dtype.itemsize), THREADS, out, x, y, x_number, y_number, size, aligned(out, x, y))
            return None
        if not 0 < size <= _MOST:
            return NotImplemented
        if whole and spreading is not None and x is not None and y is not None:
            of_x, of_y = cycle(x.shape, out.shape), cycle(y.shape, out.shape)
            if of_x is not None and of_y is not None:
                x, y = (each if each.size == size else _apart(cuda, out, each) for each in (x, y))
                spreading.on(cuda, dtype, accumulator(dtype), function)(_grid(cuda, size, 16), THREADS, out, x, y, of_x,
                                                                        of_y, size)
                return None
        found, _kept = _walked(cuda, out, x, y)
        if found is None:
            return NotImplemented
        strided.on(cuda, dtype, accumulator(dtype), function)(spread(cuda, size), THREADS, out, found, x_number,
                                                              y_number, size)
        return None


def _fits(dtype: Any, number: Any) -> bool:
    """Whether a number is one of a whole type."""
    if dtype == BOOL_NP:
        return number in (0, 1)
    limits = np.iinfo(dtype)
    return number.__class__ is not float and limits.min <= number <= limits.max


def where(cuda, out, condition, x, y):
    """The launch of `where`."""
    numbers = [each if each.__class__ in NUMBERS else 0 for each in (x, y)]
    x, y = (None if each.__class__ in NUMBERS else each for each in (x, y))
    dtype, size = out.dtype, out.size
    if dtype not in _TYPES or condition.dtype != BOOL_NP or size > _MOST or any(
            [each is not None and each.dtype != dtype for each in (x, y)]):
        return NotImplemented
    if dtype in WHOLE and not all([_fits(dtype, number) for number in numbers]):
        return NotImplemented
    if dtype == BOOL_NP:
        numbers = [bool(number) for number in numbers]
    operands = condition, x, y
    if all([each is None or each.flags.c_contiguous for each in operands]):
        if all([each is None or each.size == size for each in operands]):
            _where.on(cuda, dtype)(_grid(cuda, size, dtype.itemsize), THREADS, out, *operands, *numbers, size,
                                   aligned(out, *operands))
            return None
        cycles = [cycle(out.shape if each is None else each.shape, out.shape) for each in operands]
        if all([each is not None for each in cycles]):
            operands = [each if each is None or each.size == size else _apart(cuda, out, each) for each in operands]
            _where_spread.on(cuda, dtype)(_grid(cuda, size, 16), THREADS, out, *operands, *numbers, *cycles, size)
            return None
    found, _kept = _walked(cuda, out, *operands) if size else (None, None)
    if found is None:
        return NotImplemented
    _where_strided.on(cuda, dtype)(spread(cuda, size), THREADS, out, found, *numbers, size)
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
    if x.dtype not in _TYPES or out.dtype not in _TYPES or x.dtype == out.dtype or not out.flags.c_contiguous:
        return NotImplemented
    template, size = (out.dtype, x.dtype, _through(out.dtype, x.dtype)), x.size
    if x.flags.c_contiguous:
        narrow = min(x.dtype.itemsize, out.dtype.itemsize)
        _cast.on(cuda, *template)(_grid(cuda, size, narrow), THREADS, out, x, size, aligned(out, x))
        return None
    found = walk(out.shape, x) if 0 < size <= _MOST else None
    if found is None:
        return NotImplemented
    _cast_strided.on(cuda, *template)(spread(cuda, size), THREADS, out, found, size)
    return None


def clone(cuda, out, x):
    """The launch of `clone`, where the array is not contiguous; a contiguous one is a plain copy of memory."""
    size, itemsize = x.size, x.dtype.itemsize
    if x.flags.c_contiguous or not out.flags.c_contiguous or itemsize > 8 or not 0 < size <= _MOST:
        return NotImplemented
    found = walk(x.shape, x)
    if found is None:
        return NotImplemented
    _copy_strided.on(cuda, np.dtype(f"u{itemsize}"))(spread(cuda, size), THREADS, out, found, size)
    return None
