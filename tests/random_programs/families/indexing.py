"""Indices, masks, and what is written at them."""

from tests.random_programs.draw import Draw
from tests.random_programs.program import Program, family


@family
def embedding(draw: Draw) -> Program:
    rows = draw.size() + 1
    return Program("embedding", [draw.operand((rows, draw.size()))],
                   {"input": draw.indices(rows, draw.shape(draw.integer(0, 3))), "padding_idx": draw.pick(None, 0)},
                   lambda lib, weight, input, padding_idx: lib.embedding(input, weight, padding_idx))


@family
def index(draw: Draw) -> Program:
    x = draw.shape(3)
    dim = draw.integer(0, 2)
    body = draw.pick(lambda lib, x, index: x[(slice(None),) * dim + (index,)],
                     lambda lib, x, index: x.index_select(dim, index),
                     lambda lib, x, index: lib.take(x, index),
                     lambda lib, x, index: x.index_add(dim, index, x.index_select(dim, index) * 2))
    return Program("index", [draw.operand(x)], {"index": draw.indices(x[dim], (draw.integer(1, 5),))}, body)


@family
def gather(draw: Draw) -> Program:
    x, dim = draw.shape(3), draw.dim(3)
    at = list(x)
    at[dim] = draw.integer(1, 4)
    body = draw.pick(lambda lib, x, index: x.gather(dim, index),
                     lambda lib, x, index: x.scatter_add(dim, index, x.gather(dim, index) * 2),
                     lambda lib, x, index: lib.take_along_dim(x, index, dim))
    return Program("gather", [draw.operand(x)], {"index": draw.indices(x[dim], at)}, body)


@family
def mask(draw: Draw) -> Program:
    x = draw.shape(3)
    body = draw.pick(lambda lib, x, mask: x[mask], lambda lib, x, mask: x.masked_fill(mask, 2.0) * x,
                     lambda lib, x, mask: lib.masked_select(x, mask))
    return Program("mask", [draw.operand(x)], {"mask": draw.mask(x)}, body)


@family
def slices(draw: Draw) -> Program:
    """A slice that is read, and one that is assigned to."""
    x = draw.shape(3)

    def body(lib, x):
        y = x * 1
        y[:, -1] = y[:, 0] * 3
        return x[::2, ..., -1] * x[0, 0, 0], y

    return Program("slices", [draw.operand(x)], {}, body)


@family
def put(draw: Draw) -> Program:
    x, values = draw.shape(2), draw.integer(1, 5)
    return Program("index_put", [draw.operand(x), draw.operand((values,))],
                   {"rows": draw.indices(x[0], (values,)), "columns": draw.indices(x[1], (values,))},
                   lambda lib, x, values, rows, columns: x.index_put((rows, columns), values, accumulate=True))
