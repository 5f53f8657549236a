"""Losses of classes and of numbers."""

from tests.random_programs.draw import Draw
from tests.random_programs.program import Program, family

REDUCTIONS = "mean", "sum", "none"
OF_TWO = "mse_loss l1_loss smooth_l1_loss huber_loss poisson_nll_loss".split()


@family
def class_loss(draw: Draw) -> Program:
    name, classes = draw.pick("cross_entropy", "nll_loss"), draw.size()
    examples, *places = draw.shape(draw.integer(1, 3))
    target = draw.indices(classes, (examples, *places))
    if target.size > 1 and draw.chance():
        target.flat[0] = -100  # ignored; all ignored is 0 / 0
    options = {"target": target, "reduction": draw.pick(*REDUCTIONS)}
    if draw.chance():
        options["weight"] = draw.array((classes,), "positive")
    if name == "cross_entropy":
        options["label_smoothing"] = draw.pick(0.0, 0.0, 0.1)
    return Program(name, [draw.operand((examples, classes, *places))], options)


@family
def loss(draw: Draw) -> Program:
    x = draw.shape(draw.integer(0, 3))
    return Program(draw.pick(*OF_TWO), [draw.operand(x), draw.operand(x, "positive")],
                   {"reduction": draw.pick(*REDUCTIONS)})


@family
def binary_cross_entropy(draw: Draw) -> Program:
    x = draw.shape(draw.integer(0, 3))
    options = {"target": draw.array(x, "positive"), "reduction": draw.pick(*REDUCTIONS)}
    if draw.chance():
        options["pos_weight"] = draw.array(x[-1:], "positive")
    return Program("binary_cross_entropy_with_logits", [draw.operand(x)], options)


@family
def soft_margin(draw: Draw) -> Program:
    x = draw.shape(draw.integer(0, 3))
    return Program("soft_margin_loss", [draw.operand(x)],
                   {"target": draw.array(x), "reduction": draw.pick(*REDUCTIONS)})
