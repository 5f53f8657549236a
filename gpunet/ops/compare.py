"""Comparison, logic, bits, and selection by a condition, element by element."""

from __future__ import annotations

import numpy as np

from gpunet.dispatch import host_read, is_tensor, op, promote
from gpunet.dtypes import BOOL_NP, FLOAT, FLOAT64_NP, UINT8_NP, category, public, result_type, scalar_type
from gpunet.ops.host import fitted
from gpunet.ops.rules import accumulator, binary, compare, predicate

__all__ = ["allclose", "bitwise_and", "bitwise_left_shift", "bitwise_not", "bitwise_or", "bitwise_right_shift",
           "bitwise_xor", "eq", "equal", "ge", "greater", "greater_equal", "gt", "isclose", "isfinite", "isin", "isinf",
           "isnan", "le", "less", "less_equal", "logical_and", "logical_not", "logical_or", "logical_xor", "lt", "ne",
           "not_equal", "signbit", "where"]
# Those that also store their result in their first operand, as `eq_` (see tensor.py).
IN_PLACE = [name for name in __all__ if name not in {"allclose", "equal", "isclose", "isfinite", "isin", "isinf",
                                                     "isnan", "signbit", "where"}]


def _comparison(name, function, text):
    def body(xp, out, x, y):
        getattr(xp, function)(x, y, out)

    body.__name__, body.__doc__ = name, f"Whether {text}, element by element: a bool tensor."
    return op(compare, promotes="same", differentiable=False, ufunc=function)(body)


eq = _comparison("eq", "equal", "input == other")
ne = _comparison("ne", "not_equal", "input != other")
lt = _comparison("lt", "less", "input < other")
le = _comparison("le", "less_equal", "input <= other")
gt = _comparison("gt", "greater", "input > other")
ge = _comparison("ge", "greater_equal", "input >= other")
not_equal, less, less_equal, greater, greater_equal = ne, lt, le, gt, ge
logical_and = _comparison("logical_and", "logical_and", "both are nonzero")
logical_or = _comparison("logical_or", "logical_or", "one of both is nonzero")
logical_xor = _comparison("logical_xor", "logical_xor", "exactly one of both is nonzero")


@op(predicate, differentiable=False)
def logical_not(xp, out, x):
    """Whether the element is zero."""
    xp.logical_not(x, out)


def _integral(x, y, **_):
    shape, dtype = binary(x, y)
    if category(dtype) == FLOAT:
        raise RuntimeError(f"bitwise operations are defined for integers and bool, not for {public(dtype)}")
    return shape, dtype


def _bitwise(name, function):
    def body(xp, out, x, y):
        getattr(xp, function)(x, y, out)

    body.__name__, body.__doc__ = name, f"`{function}` of integers or bools, element by element."
    return op(_integral, promotes="same", differentiable=False)(body)


bitwise_and = _bitwise("bitwise_and", "bitwise_and")
bitwise_or = _bitwise("bitwise_or", "bitwise_or")
bitwise_xor = _bitwise("bitwise_xor", "bitwise_xor")


def _shift(name, function, text):
    def rule(x, y):
        shape, dtype = _integral(x, y)
        if dtype == BOOL_NP:
            raise RuntimeError(f"{name}: not defined for bool tensors; convert them with .int()")
        return shape, dtype

    def body(xp, out, x, y):
        getattr(xp, function)(x, y, out)

    body.__name__, body.__doc__ = name, text
    return op(rule, promotes="same", differentiable=False)(body)


bitwise_left_shift = _shift("bitwise_left_shift", "left_shift", "input * 2^other, what overflows being lost.")
bitwise_right_shift = _shift("bitwise_right_shift", "right_shift", "The largest integer not above input / 2^other.")


def _invertible(x):
    if category(x.dtype) == FLOAT:
        raise TypeError(f"bitwise_not: ~ is defined for integers and bool, not for {public(x.dtype)}")
    return x.shape, x.dtype


@op(_invertible, differentiable=False)
def bitwise_not(xp, out, x):
    """Every bit inverted; for bool, logical not."""
    xp.invert(x, out)


def _predicate(name, text):
    def body(xp, out, x):
        if out.size and category(x.dtype) != FLOAT:
            out[...] = name == "isfinite"
        else:
            getattr(xp, name)(x, out=out)

    body.__name__, body.__doc__ = name, f"Whether the element is {text}."
    return op(predicate, differentiable=False)(body)


isnan = _predicate("isnan", "not a number")
isinf = _predicate("isinf", "infinite")
isfinite = _predicate("isfinite", "neither infinite nor NaN")


@op(predicate, differentiable=False)
def signbit(xp, out, x):
    """Whether the sign is minus, that of -0.0 too."""
    if x.dtype.kind in "iub":
        xp.less(x, 0, out)
    else:
        xp.signbit(x, out)


@op(compare, differentiable=False)
def _close(xp, out, x, y, *, rtol, atol, equal_nan):
    wide = accumulator(x.dtype) if category(x.dtype) == FLOAT else FLOAT64_NP
    xp.copyto(out, xp.isclose(x.astype(wide, copy=False), y.astype(wide, copy=False), rtol, atol, equal_nan))


def isclose(input, other, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False):
    """Whether |input - other| <= atol + rtol |other|, element by element. Infinities are close to themselves only, NaN
    to NaN if `equal_nan`. Both must have one type."""
    if input._array.dtype != other._array.dtype:
        raise RuntimeError(f"isclose: both tensors must have one type, got {input.dtype} and {other.dtype}; "
                           "convert one with .to(dtype)")
    if rtol < 0 or atol < 0:
        raise RuntimeError(f"isclose: rtol and atol must not be negative, got {rtol} and {atol}")
    return _close(input, other, rtol=float(rtol), atol=float(atol), equal_nan=equal_nan)


def allclose(input, other, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False) -> bool:
    """Whether all elements are close (see `isclose`): a Python bool, read on the host."""
    return bool(host_read(isclose(input, other, rtol, atol, equal_nan), "allclose").all())


def equal(input, other) -> bool:
    """Whether both have one shape and the same elements: a Python bool, read on the host."""
    return input._array.shape == other._array.shape and bool(host_read(eq(input, other), "equal").all())


@op(lambda x, tests, *, invert: (x.shape, BOOL_NP), promotes="same", differentiable=False)
def _isin(xp, out, x, tests, *, invert):
    if category(x.dtype) == FLOAT:
        x, tests = x.astype(accumulator(x.dtype), copy=False), tests.astype(accumulator(x.dtype), copy=False)
    xp.copyto(out, xp.isin(x, tests, invert=invert))


def isin(elements, test_elements, *, assume_unique: bool = False, invert: bool = False):
    """Whether each element is among the test elements; either may be a number. `invert`: whether it is not."""
    if not is_tensor(elements):
        elements = test_elements.new_tensor(elements, dtype=public(scalar_type(elements)))
    if not is_tensor(test_elements):
        test_elements = elements.new_tensor(test_elements, dtype=public(scalar_type(test_elements)))
    if BOOL_NP in (elements._array.dtype, test_elements._array.dtype):
        raise RuntimeError("isin: not defined for bool tensors; convert them with .int()")
    return _isin(elements, test_elements, invert=invert)


# ---- selection -----------------------------------------------------------------------------------------------------


def _where(condition, x, y):
    if condition.dtype != BOOL_NP:
        raise RuntimeError(f"where: the condition must be a bool tensor, got {public(condition.dtype)}; "
                           "compare it with something first")
    shape, dtype = binary(x, y)
    return binary(condition, np.broadcast_to(np.False_, shape))[0], dtype


@op(_where, broadcasts=True)
def where_op(xp, out, condition, x, y):
    # copyto with a mask reads every number once and needs no temporary.
    xp.copyto(out, y)
    xp.copyto(out, x, where=condition)


@where_op.gradient
def _(g, _y, condition, _a, _b):
    return None, lambda: where_op(condition, g, g.new_zeros(())), lambda: where_op(condition, g.new_zeros(()), g)


def where(condition, input=None, other=None):
    """`input` where the condition holds, else `other`; all three broadcast, the two values share their type. With the
    condition alone, the indices of what is not 0: a tensor for each dimension."""
    if input is None and other is None:
        return condition.nonzero(as_tuple=True)
    if not (hasattr(input, "_array") or hasattr(other, "_array")):
        dtype = public(result_type((scalar_type(input), 0), (scalar_type(other), 0)))
        input = condition.new_full((), input, dtype=dtype)
    if condition._array.dtype == UINT8_NP:  # PyTorch's bool once, and still a condition there
        condition = ne(condition, 0)
    for number, tensor in ((input, other), (other, input)):
        if number.__class__ is int and tensor._array.dtype.kind in "iu":
            fitted(number, tensor._array.dtype)
    return where_op(condition, *promote([input, other]))
