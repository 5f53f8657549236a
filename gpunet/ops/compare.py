"""Comparison, logic, bits, and selection by a condition, element by element."""

from __future__ import annotations

import numpy as np

from gpunet.dispatch import op, promote
from gpunet.dtypes import BOOL_NP, FLOAT, category, public, result_type, scalar_type
from gpunet.ops.rules import binary, compare, predicate

__all__ = ["bitwise_and", "bitwise_not", "bitwise_or", "bitwise_xor", "eq", "ge", "gt", "isfinite", "isinf", "isnan",
           "le", "logical_and", "logical_not", "logical_or", "logical_xor", "lt", "ne", "where"]
# Those that also store their result in their first operand, as `eq_` (see tensor.py).
IN_PLACE = [name for name in __all__ if name not in {"isfinite", "isinf", "isnan", "where"}]

def _comparison(name, function, text):
    def body(xp, out, x, y):
        getattr(xp, function)(x, y, out)

    body.__name__, body.__doc__ = name, f"Whether {text}, element by element: a bool tensor."
    return op(compare, promotes="same", differentiable=False)(body)


eq = _comparison("eq", "equal", "input == other")
ne = _comparison("ne", "not_equal", "input != other")
lt = _comparison("lt", "less", "input < other")
le = _comparison("le", "less_equal", "input <= other")
gt = _comparison("gt", "greater", "input > other")
ge = _comparison("ge", "greater_equal", "input >= other")
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


def where(condition, input, other):
    """`input` where the condition holds, else `other`; all three broadcast, the two values share their type."""
    if not (hasattr(input, "_array") or hasattr(other, "_array")):
        dtype = public(result_type((scalar_type(input), 0), (scalar_type(other), 0)))
        input = condition.new_full((), input, dtype=dtype)
    return where_op(condition, *promote([input, other]))
