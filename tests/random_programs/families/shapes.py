"""Joins, splits, and views of views."""

from tests.random_programs.draw import Draw
from tests.random_programs.program import Program, family


@family
def join(draw: Draw) -> Program:
    x, name = draw.shape(draw.integer(1, 4)), draw.pick("cat", "stack")
    dim, y = draw.dim(len(x)), list(x)
    if name == "cat":
        y[dim] = draw.size()
    return Program(name, [draw.operand(x), draw.operand(y)], {"dim": dim},
                   lambda lib, x, y, dim: getattr(lib, name)([x, y, x], dim))


@family
def split(draw: Draw) -> Program:
    x = list(draw.shape(draw.integer(1, 3)))
    dim = draw.integer(0, len(x) - 1)
    x[dim] = draw.integer(2, 9)

    def body(lib, x, size, dim):
        parts = x.split(size, dim)
        return sum((part * (k + 1)).sum() for k, part in enumerate(parts)) * (1 + parts[0].sum())

    return Program("split", [draw.operand(x)], {"size": draw.integer(1, 4), "dim": dim}, body)


@family
def rotation(draw: Draw) -> Program:
    """The halves of the last dimension exchanged, as rotary position embeddings do."""
    def body(lib, x):
        a, b = x.chunk(2, -1)
        return lib.cat([-b, a], -1) * x + x.unbind(0)[0]

    return Program("rotation", [draw.operand((*draw.shape(3), 2 * draw.integer(1, 5)))], {}, body)


@family
def views(draw: Draw) -> Program:
    """Shape functions one after another, then a product with the result turned round."""
    x = draw.shape(3)
    body = draw.pick(lambda lib, x: x.reshape(-1, x.shape[2]).t() * 2,
                     lambda lib, x: x.flatten(1).unsqueeze(1).expand(-1, 3, -1).sum(2),
                     lambda lib, x: x.movedim(0, 2).flip(0, 2) * x.movedim(0, 2),
                     lambda lib, x: x.roll((1, 2), (0, 2)) * x,
                     lambda lib, x: x.repeat(2, 1, 3).transpose(0, 2),
                     lambda lib, x: x.repeat_interleave(2, 1) + x[:, :1],
                     lambda lib, x: x.tril(1) + x.triu(-1),
                     lambda lib, x: x.diagonal(0, 0, 2) * x.diagonal(0, 0, 2).sum())
    return Program("views", [draw.operand(x)], {}, body)
