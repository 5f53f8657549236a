"""Reductions, scans and sorting along dimensions."""

import math

from tests.random_programs.draw import Draw
from tests.random_programs.program import Program, family


@family
def reduction(draw: Draw) -> Program:
    x = draw.shape(draw.integer(1, 4))
    return Program(draw.pick("sum", "mean", "amax", "amin", "logsumexp"), [draw.operand(x)],
                   {"dim": draw.dims(len(x)), "keepdim": draw.chance()})


@family
def reduction_of_all(draw: Draw) -> Program:
    name = draw.pick("sum", "mean", "prod", "max", "min")
    return Program(name, [draw.operand(draw.shape(draw.integer(0, 4)), "positive")])


@family
def prod(draw: Draw) -> Program:
    x = draw.shape(draw.integer(1, 4))
    return Program("prod", [draw.operand(x)], {"dim": draw.dim(len(x)), "keepdim": draw.chance()})


@family
def vector_norm(draw: Draw) -> Program:
    x = draw.shape(draw.integer(1, 4))
    return Program("norm", [draw.operand(x)],
                   {"ord": draw.pick(1, 2, 3, math.inf), "dim": draw.dims(len(x)), "keepdim": draw.chance()},
                   lambda lib, x, **options: lib.module.linalg.vector_norm(x, **options))


@family
def variance(draw: Draw) -> Program:
    x, name = list(draw.shape(draw.integer(1, 4))), draw.pick("var", "std")
    dims = draw.dims(len(x))
    for d in dims:
        x[d] = max(x[d], 2)  # the deviation of one number is 0, where the root has no derivative
    return Program(name, [draw.operand(x, distinct=True)],
                   {"dim": dims, "keepdim": draw.chance(), "correction": draw.integer(0, 1)})


@family
def softmax(draw: Draw) -> Program:
    x = draw.shape(draw.integer(1, 4))
    return Program(draw.pick("softmax", "log_softmax"), [draw.operand(x, distinct=True)], {"dim": draw.dim(len(x))})


@family
def scan(draw: Draw) -> Program:
    x = draw.shape(draw.integer(1, 4))
    return Program(draw.pick("cumsum", "cumprod", "logcumsumexp", "cummax", "cummin"), [draw.operand(x, distinct=True)],
                   {"dim": draw.dim(len(x))})


@family
def sort(draw: Draw) -> Program:
    x, name = draw.shape(draw.integer(1, 4)), draw.pick("sort", "topk", "kthvalue", "median", "max", "argmax")
    options = {"dim": draw.dim(len(x))}
    if name == "sort":
        options["descending"] = draw.chance()
    if name in ("topk", "kthvalue"):
        options["k"] = draw.integer(1, x[options["dim"]])
    if name == "topk":
        options["largest"] = draw.chance()
    return Program(name, [draw.operand(x, distinct=True)], options)
