"""Element-wise functions, with and without broadcasting."""

from tests.random_programs.draw import Draw
from tests.random_programs.program import Program, family

BINARY = "add sub mul div maximum minimum atan2 pow hypot logaddexp fmod xlogy".split()
UNARY = """
    exp tanh sigmoid erf sin cos abs neg square relu softplus gelu silu elu leaky_relu expm1 hardswish mish selu
    hardsigmoid relu6 logsigmoid celu hardtanh tanhshrink softsign softshrink hardshrink sinh atan floor erfc""".split()
POSITIVE = "log sqrt rsqrt reciprocal log1p log2 lgamma digamma".split()


@family
def binary(draw: Draw) -> Program:
    x = draw.shape(draw.integer(0, 4))
    y = draw.broadcastable(x)
    if draw.chance(0.3):
        y = y[draw.integer(0, len(x)) :]
    return Program(draw.pick(*BINARY), [draw.operand(x, "positive"), draw.operand(y, "positive")])


@family
def unary(draw: Draw) -> Program:
    name = draw.pick(*UNARY, *POSITIVE)
    options = {"approximate": draw.pick("none", "tanh")} if name == "gelu" else {}
    kind = "positive" if name in POSITIVE else "normal"
    return Program(name, [draw.operand(draw.shape(draw.integer(0, 4)), kind)], options)


@family
def clamp(draw: Draw) -> Program:
    x = draw.operand(draw.shape(draw.integer(0, 4)))
    return Program("clamp", [x], draw.pick({"min": 0.2, "max": 0.9}, {"min": 0.1}, {"max": -0.1}))


@family
def where(draw: Draw) -> Program:
    x = draw.shape(draw.integer(0, 4))
    return Program("where", [draw.operand(x), draw.operand(draw.broadcastable(x))], {"condition": draw.mask(x)},
                   lambda lib, x, y, condition: lib.where(condition, x, y))


@family
def lerp(draw: Draw) -> Program:
    x = draw.shape(draw.integer(0, 3))
    return Program(draw.pick("lerp", "addcmul", "addcdiv"),
                   [draw.operand(x), draw.operand(draw.broadcastable(x)), draw.operand(x, "positive")])


@family
def glu(draw: Draw) -> Program:
    x = list(draw.shape(draw.integer(1, 3)))
    dim = draw.integer(0, len(x) - 1)
    x[dim] = 2 * draw.integer(1, 5)
    return Program("glu", [draw.operand(x)], {"dim": dim})
