"""Forward and backward of image layers on the CPU, gpunet's against PyTorch's, at the sizes of LeNet and ResNet-18.

    OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 python -m bench.layers [--out FILE.json]

Both libraries work in one process, in turn, so give them one thread: two pools would wait actively for work on each
other's cores. PyTorch takes the number in OMP_NUM_THREADS.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from dataclasses import asdict

import numpy as np

import gpunet
from bench.measure import Result, Work, interleave
from gpunet.benchmark.lab import optional

# name -> (layer, as an expression of the library's `nn`; shape of the input)
LAYERS = {
    "LeNet conv 1": ("nn.Conv2d(1, 6, 5, padding=2)", (64, 1, 28, 28)),
    "LeNet conv 2": ("nn.Conv2d(6, 16, 5)", (64, 6, 14, 14)),
    "ResNet-18 stem": ("nn.Conv2d(3, 64, 7, 2, 3)", (4, 3, 224, 224)),
    "ResNet-18 64, 56 x 56": ("nn.Conv2d(64, 64, 3, padding=1, bias=False)", (4, 64, 56, 56)),
    "ResNet-18 64 to 128, stride 2": ("nn.Conv2d(64, 128, 3, 2, 1, bias=False)", (4, 64, 56, 56)),
    "ResNet-18 64 to 128, 1 x 1, stride 2": ("nn.Conv2d(64, 128, 1, 2, bias=False)", (4, 64, 56, 56)),
    "ResNet-18 128, 28 x 28": ("nn.Conv2d(128, 128, 3, padding=1, bias=False)", (4, 128, 28, 28)),
    "ResNet-18 256, 14 x 14": ("nn.Conv2d(256, 256, 3, padding=1, bias=False)", (4, 256, 14, 14)),
    "ResNet-18 512, 7 x 7": ("nn.Conv2d(512, 512, 3, padding=1, bias=False)", (4, 512, 7, 7)),
    "depthwise 64, 32 x 32": ("nn.Conv2d(64, 64, 3, padding=1, groups=64)", (8, 64, 32, 32)),
    "transposed 128 to 64, 16 x 16": ("nn.ConvTranspose2d(128, 64, 4, 2, 1, bias=False)", (16, 128, 16, 16)),
    "batch norm 64, 56 x 56": ("nn.BatchNorm2d(64)", (4, 64, 56, 56)),
    "batch norm 512, 7 x 7": ("nn.BatchNorm2d(512)", (4, 512, 7, 7)),
    "layer norm 768": ("nn.LayerNorm(768)", (16, 128, 768)),
    "group norm 32 of 128, 28 x 28": ("nn.GroupNorm(32, 128)", (8, 128, 28, 28)),
    "max pool 2, 28 x 28": ("nn.MaxPool2d(2)", (64, 6, 28, 28)),
    "max pool 3, stride 2, 112 x 112": ("nn.MaxPool2d(3, 2, 1)", (4, 64, 112, 112)),
    "average pool 2, 56 x 56": ("nn.AvgPool2d(2)", (4, 64, 56, 56)),
    "global average pool, 7 x 7": ("nn.AdaptiveAvgPool2d(1)", (16, 512, 7, 7)),
    "bilinear upsampling, 28 to 56": ("nn.Upsample(scale_factor=2, mode='bilinear')", (4, 64, 28, 28)),
    "reflection padding, 56 x 56": ("nn.ReflectionPad2d(1)", (4, 64, 56, 56)),
}


def _pass(library, expression: str, x: np.ndarray):
    """A function that runs the layer forward and backward, its output's shape and its parameters' number."""
    layer = eval(expression, {"nn": library.nn})
    x = library.tensor(x, requires_grad=True)
    y = layer(x)
    g = library.tensor(np.random.default_rng(1).standard_normal(tuple(y.shape)).astype(np.float32))

    def run():
        x.grad = None
        layer.zero_grad()
        layer(x).backward(g)

    return run, tuple(y.shape), layer


def works(name: str, quick: bool = False) -> tuple[dict[str, Work], dict[str, float]]:
    """The competitors for one layer, and the least that a pass does: operations of a convolution, bytes of others."""
    expression, shape = LAYERS[name]
    if quick:
        shape = (1, shape[1], *(min(size, 16) for size in shape[2:-1]), shape[-1] if "Norm(768" in expression else
                 min(shape[-1], 16))
    x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    run, out, layer = _pass(gpunet, expression, x)
    found = {"gpunet": Work(run)}
    if (torch := optional("torch")) is not None:
        torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
        found["PyTorch"] = Work(_pass(torch, expression, x)[0])
    if "Conv" in expression:
        windows = math.prod((x.shape if layer.transposed else out)[2:])
        return found, {"operations": 6.0 * x.shape[0] * windows * layer.weight.numel()}
    return found, {"bytes": 4.0 * 2 * (x.size + math.prod(out))}


def group_of(amounts: dict[str, float]) -> str:
    """A table's rows are held against one limit: arithmetic's or memory's."""
    return f"{'convolution' if 'operations' in amounts else 'other image layers'}, forward and backward"


def results(*, rounds: int = 11, quick: bool = False) -> Iterator[Result]:
    """The rows, measured one by one."""
    for name in LAYERS:
        competitors, amounts = works(name, quick)
        yield Result(group_of(amounts), name, interleave(competitors, rounds=rounds), amounts)


def run(options, emit) -> None:
    """The stage of bench.gpu."""
    for result in results(rounds=3 if options.quick else 11, quick=options.quick):
        emit(asdict(result))


def main() -> None:
    from bench.stages import command

    command("layers", __doc__)


if __name__ == "__main__":
    main()
