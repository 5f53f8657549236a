"""Products of vectors, matrices and batches."""

from tests.random_programs.draw import Draw
from tests.random_programs.program import Program, family

EINSUMS = "bij,bjm->bim bij,jm->bmi ij,bj->ib bijm,bjm->bi i,j->ij bij,bij->b bihd,bjhd->bhij".split()


@family
def matmul(draw: Draw) -> Program:
    batch, (m, n, k) = draw.shape(draw.integer(0, 2)), draw.shape(3)
    left, right = (*batch, m, k), (*(draw.broadcastable(batch) if draw.chance(0.7) else ()), k, n)
    if draw.chance(0.1):
        left = (k,)
    elif draw.chance(0.1):
        right = (k,)
    return Program("matmul", [draw.operand(left), draw.operand(right)])


@family
def addmm(draw: Draw) -> Program:
    m, n, k = draw.shape(3)
    added = draw.pick((m, n), (n,), (1, n), (m, 1))
    return Program("addmm", [draw.operand(added), draw.operand((m, k)), draw.operand((k, n))],
                   {"alpha": draw.pick(1, 0.5), "beta": draw.pick(0, 1, 0.25)})


@family
def baddbmm(draw: Draw) -> Program:
    b, m, n, k = draw.shape(4)
    name = draw.pick("baddbmm", "addbmm")
    added = draw.broadcastable((b, m, n))[name == "addbmm" :]
    return Program(name, [draw.operand(added), draw.operand((b, m, k)), draw.operand((b, k, n))],
                   {"alpha": draw.pick(1, 0.5), "beta": draw.pick(0, 1, 0.25)})


@family
def linear(draw: Draw) -> Program:
    batch, (inputs, outputs) = draw.shape(draw.integer(0, 3)), draw.shape(2)
    operands = [draw.operand((*batch, inputs)), draw.operand((outputs, inputs))]
    if draw.chance():
        operands.append(draw.operand((outputs,)))
    if draw.chance():
        return Program("linear", operands)
    return Program("linear_relu", operands, {}, lambda lib, *operands: lib.relu(lib.linear(*operands)))


@family
def einsum(draw: Draw) -> Program:
    equation = draw.pick(*EINSUMS)
    sizes = {letter: draw.size() for letter in "bijm"} | {"h": 2, "d": 3}
    operands = [draw.operand([sizes[letter] for letter in term]) for term in equation.split("->")[0].split(",")]
    return Program("einsum", operands, {"equation": equation},
                   lambda lib, *operands, equation: lib.einsum(equation, *operands))


@family
def outer(draw: Draw) -> Program:
    return Program("outer", [draw.operand((draw.size(),)), draw.operand((draw.size(),))], {},
                   lambda lib, x, y: lib.outer(x, y) + x[0])


@family
def attention(draw: Draw) -> Program:
    """scaled_dot_product_attention: masks of truth values or of numbers, causal, groups of heads that share keys."""
    batch, heads, groups = draw.integer(1, 3), draw.integer(1, 3), draw.pick(1, 1, 2)
    queries, keys, width, values = draw.shape(4)
    options: dict = {"is_causal": draw.chance(), "enable_gqa": groups > 1}
    if not options["is_causal"] and draw.chance():
        mask = draw.mask((queries, keys), 0.7)
        mask[:, 0] = True  # a query that sees no key has no result
        options["attn_mask"] = mask if draw.chance() else (mask - 1) * draw.array((), "positive", 1e9)
    shapes = (batch, heads * groups, queries, width), (batch, heads, keys, width), (batch, heads, keys, values)
    return Program("scaled_dot_product_attention", [draw.operand(shape) for shape in shapes], options)
