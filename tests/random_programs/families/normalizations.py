"""Layer, group, batch and instance norms."""

from math import prod

from tests.random_programs.draw import Draw
from tests.random_programs.program import Program, family


@family
def layer_norm(draw: Draw) -> Program:
    x, name = draw.shape(draw.integer(1, 4)), draw.pick("layer_norm", "rms_norm")
    first = draw.integer(0, len(x) - 1)
    if prod(x[first:]) < 3:  # the deviation of one number, or of two alike, is 0: rounding is all that is left
        x = (*x[:-1], 7)
    affine = draw.integer(0, 2 if name == "layer_norm" else 1)  # nothing, a weight, a bias too
    return Program(name, [draw.operand(x, distinct=True), *(draw.operand(x[first:]) for _ in range(affine))],
                   {"normalized_shape": x[first:]} | ({"eps": 1e-5} if name == "rms_norm" else {}),
                   lambda lib, x, *affine, normalized_shape, **options:
                   getattr(lib, name)(x, normalized_shape, *affine, **options))


@family
def group_norm(draw: Draw) -> Program:
    groups = draw.integer(1, 3)
    channels = groups * draw.integer(1, 4)
    x = (draw.integer(2, 4), channels, *draw.integers(draw.integer(1, 3), 2, 5))
    affine = [draw.operand((channels,)) for _ in range(2)] if draw.chance() else []
    return Program("group_norm", [draw.operand(x, distinct=True), *affine], {"num_groups": groups},
                   lambda lib, x, *affine, num_groups: lib.group_norm(x, num_groups, *affine))


# The weights of these two are contiguous: of a strided weight, the gradient of PyTorch 2.13 itself is wrong.


@family
def batch_norm(draw: Draw) -> Program:
    channels = draw.integer(1, 12)
    x = (draw.integer(2, 4), channels, *draw.integers(draw.integer(0, 3), 2, 5))
    affine = [draw.whole((channels,)) for _ in range(2)] if draw.chance() else []
    statistics = {"mean": draw.array((channels,)), "var": draw.array((channels,), "positive") + 0.5}
    return Program("batch_norm", [draw.operand(x, distinct=True), *affine], {**statistics, "training": draw.chance()},
                   lambda lib, x, *affine, mean, var, training:
                   (lib.batch_norm(x, mean, var, *affine, training=training), mean, var))


@family
def instance_norm(draw: Draw) -> Program:
    channels = draw.integer(1, 12)
    x = (draw.integer(1, 4), channels, *draw.integers(draw.integer(1, 3), 2, 5))
    affine = [draw.whole((channels,)) for _ in range(2)] if draw.chance() else []
    return Program("instance_norm", [draw.operand(x, distinct=True), *affine], {},
                   lambda lib, x, *affine: lib.instance_norm(x, None, None, *affine))
