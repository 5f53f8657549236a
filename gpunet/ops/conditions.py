"""The ops of comparison, logic, and selection by a condition; their public functions are in compare.py."""

from __future__ import annotations

import numpy as np

from gpunet.dispatch import op
from gpunet.dtypes import BOOL_NP, FLOAT, FLOAT64_NP, category, public
from gpunet.ops import elementwise, pointwise
from gpunet.ops.rules import accumulator, binary, compare, predicate


def _comparison(name, function):
    def body(xp, out, x, y):
        getattr(xp, function)(x, y, out)

    body.__name__ = name
    return op(compare, promotes="same", differentiable=False, ufunc=function)(body)


eq_op = _comparison("eq", "equal")
ne_op = _comparison("ne", "not_equal")
lt_op = _comparison("lt", "less")
le_op = _comparison("le", "less_equal")
gt_op = _comparison("gt", "greater")
ge_op = _comparison("ge", "greater_equal")
elementwise.native(eq_op, ne_op, lt_op, le_op, gt_op, ge_op)
logical_and_op = _comparison("logical_and", "logical_and")
logical_or_op = _comparison("logical_or", "logical_or")
logical_xor_op = _comparison("logical_xor", "logical_xor")


@op(predicate, differentiable=False)
def logical_not_op(xp, out, x):
    xp.logical_not(x, out)


def _predicate(name):
    def body(xp, out, x):
        if out.size and category(x.dtype) != FLOAT:
            out[...] = name == "isfinite"
        else:
            getattr(xp, name)(x, out=out)

    body.__name__ = name
    return op(predicate, differentiable=False)(body)


isnan_op = _predicate("isnan")
isinf_op = _predicate("isinf")
isfinite_op = _predicate("isfinite")
for _each in (logical_and_op, logical_or_op, logical_xor_op, logical_not_op, isnan_op, isinf_op, isfinite_op):
    pointwise.declare(_each)


@op(predicate, differentiable=False)
def signbit_op(xp, out, x):
    if x.dtype.kind in "iub":
        xp.less(x, 0, out)
    else:
        xp.signbit(x, out)


@op(compare, differentiable=False)
def isclose_op(xp, out, x, y, *, rtol, atol, equal_nan):
    wide = accumulator(x.dtype) if category(x.dtype) == FLOAT else FLOAT64_NP
    xp.copyto(out, xp.isclose(x.astype(wide, copy=False), y.astype(wide, copy=False), rtol, atol, equal_nan))


@op(lambda x, tests, *, invert: (x.shape, BOOL_NP), promotes="same", differentiable=False)
def isin_op(xp, out, x, tests, *, invert):
    if category(x.dtype) == FLOAT:
        x, tests = x.astype(accumulator(x.dtype), copy=False), tests.astype(accumulator(x.dtype), copy=False)
    xp.copyto(out, xp.isin(x, tests, invert=invert))


# ---- selection -----------------------------------------------------------------------------------------------------


def _where(condition, x, y):
    if condition.dtype != BOOL_NP:
        raise RuntimeError(f"where: the condition must be a bool tensor, got {public(condition.dtype)}; "
                           "compare it with something first")
    shape, dtype = binary(x, y)
    return binary(condition, np.broadcast_to(np.False_, shape))[0], dtype


@op(_where, broadcasts=True, strided=True, by_element=True)
def where_op(xp, out, condition, x, y):
    # copyto with a mask reads every number once and needs no temporary.
    xp.copyto(out, y)
    xp.copyto(out, x, where=condition)


@where_op.cpu(strided=True, types=elementwise.FLOATS)
def _(out, condition, x, y):
    elementwise.where(out, condition, x, y)


where_op.kernel(pointwise.where)


@where_op.gradient
def _(g, _y, condition, _a, _b):
    return None, lambda: where_op(condition, g, 0.0), lambda: where_op(condition, 0.0, g)
