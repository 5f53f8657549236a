"""Convolutions, pools, resampling and padding."""

from tests.random_programs.draw import Draw
from tests.random_programs.program import Program, family


@family
def convolution(draw: Draw) -> Program:
    rank, groups = draw.integer(1, 3), draw.pick(1, 1, 2, 3)
    inputs, outputs = (groups * n for n in draw.integers(2, 1, 4))
    kernel = draw.integers(rank, 1, 3 if rank > 1 else 5)
    stride, dilation, padding = draw.integers(rank, 1, 3), draw.integers(rank, 1, 2), draw.integers(rank, 0, 2)
    least = ((k - 1) * d + 1 - 2 * p for k, d, p in zip(kernel, dilation, padding, strict=True))
    sizes = (max(draw.integer(1, 12 if rank < 3 else 6), n) for n in least)
    operands = [draw.operand((draw.pick(1, 1, 2, 3, 5), inputs, *sizes)),
                draw.operand((outputs, inputs // groups, *kernel))]
    if draw.chance():
        operands.append(draw.operand((outputs,)))
    return Program(f"conv{rank}d", operands,
                   {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups})


@family
def transposed_convolution(draw: Draw) -> Program:
    rank, groups = draw.integer(1, 3), draw.pick(1, 1, 2, 3)
    inputs, outputs = (groups * n for n in draw.integers(2, 1, 4))
    kernel = draw.integers(rank, 1, 3 if rank > 1 else 5)
    stride, dilation = draw.integers(rank, 1, 3), draw.integers(rank, 1, 2)
    operands = [draw.operand((draw.pick(1, 1, 2, 3), inputs, *draw.integers(rank, 1, 8 if rank < 3 else 5))),
                draw.operand((inputs, outputs // groups, *kernel))]
    if draw.chance():
        operands.append(draw.operand((outputs,)))
    return Program(f"conv_transpose{rank}d", operands, {
        "stride": stride, "dilation": dilation, "groups": groups,
        "padding": tuple(draw.integer(0, (k - 1) * d // 2) for k, d in zip(kernel, dilation, strict=True)),
        "output_padding": tuple(draw.integer(0, s - 1) for s in stride)})


@family
def pool(draw: Draw) -> Program:
    rank, name = draw.integer(1, 3), draw.pick("max", "avg")
    kernel = draw.integers(rank, 1, 3)
    options = {"kernel_size": kernel, "stride": draw.integers(rank, 1, 3),
               "padding": tuple(draw.integer(0, k // 2) for k in kernel), "ceil_mode": draw.chance()}
    if name == "avg":
        options["count_include_pad"] = draw.chance()
    x = draw.operand((draw.pick(1, 2, 3), draw.size(), *draw.integers(rank, 3, 9)))
    return Program(f"{name}_pool{rank}d", [x], options)


@family
def adaptive_pool(draw: Draw) -> Program:
    rank, name = draw.integer(1, 3), draw.pick("max", "avg")
    x = draw.operand((draw.integer(1, 3), draw.integer(1, 4), *draw.integers(rank, 1, 9)))
    return Program(f"adaptive_{name}_pool{rank}d", [x], {"output_size": draw.integers(rank, 1, 5)})


@family
def interpolate(draw: Draw) -> Program:
    rank = draw.integer(1, 2)
    mode = draw.pick("nearest", "area", "linear") if rank == 1 else draw.pick("nearest", "area", "bilinear", "bicubic")
    options = {"mode": mode, "size": draw.integers(rank, 1, 9)}
    if "linear" in mode or "cubic" in mode:
        options["align_corners"] = draw.chance()
    return Program("interpolate", [draw.operand((*draw.integers(2, 1, 3), *draw.integers(rank, 1, 7)))], options)


@family
def pad(draw: Draw) -> Program:
    x = draw.operand((*draw.integers(2, 1, 3), *draw.integers(2, 3, 6)))
    return Program("pad", [x], {"pad": draw.integers(4, 0, 2),
                                "mode": draw.pick("constant", "reflect", "replicate", "circular")})


@family
def unfold(draw: Draw) -> Program:
    kernel = draw.integers(2, 1, 3)
    x = draw.operand((*draw.integers(2, 1, 3), *draw.integers(2, 3, 7)))
    return Program("unfold", [x], {"kernel_size": kernel, "stride": draw.integers(2, 1, 2),
                                   "padding": draw.integers(2, 0, 2)})
