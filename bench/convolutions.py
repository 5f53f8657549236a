"""Contests of convolutions of images in channels last, those of ResNet-50: ours beside PyTorch's (cuDNN)."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from typing import Any

import gpunet
from gpunet._channels_last import from_rows
from gpunet.benchmark.contest import Case, Contest
from gpunet.benchmark.kernels import worse
from gpunet.benchmark.lab import Lab, relative_error
from gpunet.dtypes import BFLOAT16_NP, FLOAT32_NP
from gpunet.ops.conv import conv, conv_input_grad, conv_weight_grad
from gpunet.ops.windows import Windows, windows

# Images, their size, channels, features, kernel and stride.
_SIZES = {"gpu": [(64, 224, 3, 64, 7, 2), (64, 56, 64, 64, 3, 1), (64, 56, 128, 128, 3, 2), (64, 28, 128, 128, 3, 1),
                  (64, 14, 256, 256, 3, 1), (64, 7, 512, 512, 3, 1), (64, 14, 1024, 256, 1, 1)],
          "cpu": [], "tiny": [(2, 6, 16, 24, 3, 1)]}
_TOLERANCE = {"bfloat16": 4e-3, "tf32": 1e-3, "float32": 3e-5}
_AMOUNTS = {"bfloat16": "half_operations", "tf32": "tf32_operations", "float32": "operations"}
_DIRECTIONS = {"forward": conv, "by input": conv_input_grad, "by weight": conv_weight_grad}


def convolutions(size: str) -> Iterator[Case]:
    """In bfloat16, TF32 and float32: forward, by the input and by the weight."""
    for precision in _TOLERANCE:
        for images, side, channels, features, kernel, stride in _SIZES[size]:
            for direction in _DIRECTIONS:
                if direction == "by input" and channels == 3:
                    continue  # nobody asks for the gradient of the images
                steps = f" / {stride}" if stride > 1 else ""
                yield Case(f"convolution {precision}",
                           f"{images}x{side}x{side}x{channels} to {features}, {kernel}x{kernel}{steps} {direction}",
                           lambda lab, a=(precision, direction, images, side, channels, features, kernel, stride):
                               convolution(lab, *a))


@contextlib.contextmanager
def _precise(lab: Lab, precision: str) -> Iterator[None]:
    """While calls are recorded and captured: whether float32 is multiplied in TF32, by us and by cuDNN."""
    before = gpunet.get_float32_matmul_precision()
    cudnn: Any = None if lab.torch is None else lab.torch.backends.cudnn
    gpunet.set_float32_matmul_precision("high" if precision == "tf32" else "highest")
    if cudnn is not None:
        cudnn.allow_tf32 = precision == "tf32"
    try:
        yield
    finally:
        gpunet.set_float32_matmul_precision(before)
        if cudnn is not None:
            cudnn.allow_tf32 = False


def convolution(lab: Lab, precision: str, direction: str, images: int, side: int, channels: int, features: int,
                kernel: int, stride: int) -> Contest:
    """One of a convolution's three products, all of whose arrays are in channels last."""
    pad = kernel // 2
    at = windows((side, side), (kernel, kernel), (stride, stride), ((pad, pad), (pad, pad)), (1, 1))
    dtype, kind = ("bfloat16", BFLOAT16_NP) if precision == "bfloat16" else ("float32", FLOAT32_NP)
    shapes = {"x": (images, side, side, channels), "w": (features, kernel, kernel, channels),
              "g": (images, *at.out, features)}
    *taken, made = {"forward": "xwg", "by input": "gwx", "by weight": "gxw"}[direction]
    size = sum(math.prod(shape) for shape in shapes.values()) * (2 if dtype == "bfloat16" else 4)
    operations = 2 * math.prod(shapes["g"]) * kernel * kernel * channels
    sets = lab.sets(size)
    calls = lab.calls(sets, operations, size)
    inputs = [[lab.random(*shapes[name]).astype(kind) for name in taken] for _ in range(sets)]
    outs = [lab.empty(*shapes[made], dtype=dtype) for _ in range(sets)]
    more = [None] if direction == "forward" else []  # the bias
    whole = [((from_rows(outs[i % sets]),), [*map(from_rows, inputs[i % sets]), *more]) for i in range(calls)]
    with _precise(lab, precision):
        works = {"gpunet": lab.ours(_DIRECTIONS[direction], whole, {"at": at, "groups": 1})}
        if lab.torch is not None:
            theirs = _theirs(lab, direction, inputs, shapes, stride, pad, dtype)
            works["PyTorch (cuDNN)"] = lab.torch_graph(lab.turns(theirs, sets, calls), "PyTorch convolution")

    def error() -> float:
        unwritten = math.nan if bool(lab.xp.isnan(outs[0].astype("float32")).any()) else 0.0
        arrays = dict(zip(taken, inputs[0], strict=True))
        found = outs[0][:_FEW] if made == "w" else outs[0][:1]
        return worse(unwritten, relative_error(lab, found, _reference(lab, made, arrays, shapes, at)))

    amounts = {"bytes": size, _AMOUNTS[precision]: operations}
    return Contest(works, amounts, error, tolerance=_TOLERANCE[precision])


def _theirs(lab: Lab, direction: str, inputs: list, shapes: dict, stride: int, pad: int, dtype: str) -> Any:
    torch = lab.torch

    def to_torch(x: Any) -> Any:  # libraries do not exchange bfloat16
        tensor = lab.to_torch(x.view("int16")).view(torch.bfloat16) if dtype == "bfloat16" else lab.to_torch(x)
        return tensor.permute(0, 3, 1, 2)

    arrays = [[to_torch(x) for x in group] for group in inputs]
    if direction == "forward":
        return lambda i: torch.nn.functional.conv2d(*arrays[i], None, stride, pad)
    by_input = direction == "by input"
    other = to_torch(lab.empty(*shapes["x" if by_input else "w"], dtype=dtype))  # whose shape and format it asks for

    def gradient(i: int) -> Any:
        g, given = arrays[i]
        x, w = (other, given) if by_input else (given, other)
        return torch.ops.aten.convolution_backward(g, x, w, None, (stride, stride), (pad, pad), (1, 1), False, (0, 0),
                                                   1, (by_input, not by_input, False))

    return gradient


_FEW = 4  # features by whose weights a gradient is checked; of the others the first image


def _reference(lab: Lab, made: str, arrays: dict, shapes: dict, at: Windows) -> Any:
    """A part of the result in float64, one tap at a time."""
    xp, channels, (stride, _) = lab.xp, shapes["x"][3], at.stride
    (oh, ow), (pad, _) = at.out, at.padding[0]
    part = slice(None) if made == "w" else slice(0, 1)
    wide = {name: array[part] if name != "w" else array for name, array in arrays.items()}
    wide = {name: array.astype("float64") for name, array in wide.items()}
    count = len(wide["x"] if "x" in wide else wide["g"])
    full = xp.zeros((count, *at.padded_size, channels), "float64")
    if "x" in wide:
        full[:, pad : pad + at.size[0], pad : pad + at.size[1]] = wide["x"]
    result = {"g": xp.zeros((count, oh, ow, shapes["g"][3]), "float64"),
              "w": xp.zeros((_FEW, *shapes["w"][1:]), "float64"), "x": full}[made]
    for ky in range(at.kernel[0]):
        for kx in range(at.kernel[1]):
            place = (slice(None), slice(ky, ky + stride * (oh - 1) + 1, stride),
                     slice(kx, kx + stride * (ow - 1) + 1, stride))
            if made == "g":
                result += xp.matmul(full[place].reshape(-1, channels), wide["w"][:, ky, kx].T).reshape(result.shape)
            elif made == "x":
                full[place] += xp.matmul(wide["g"].reshape(-1, shapes["g"][3]), wide["w"][:, ky, kx]).reshape(
                    count, oh, ow, channels)
            else:
                g = wide["g"][..., :_FEW].reshape(-1, _FEW)
                result[:, ky, kx] = xp.matmul(g.T, full[place].reshape(-1, channels))
    return full[:, pad : pad + at.size[0], pad : pad + at.size[1]] if made == "x" else result
