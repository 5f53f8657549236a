"""Single layers on the CPU, forward and backward, gpunet's against PyTorch's: bench.cpu's --layers.

Both libraries compute in this process with one thread each, in turn, and of each call the thread's processor time is
taken. The ratio is the median over rounds of PyTorch's time over gpunet's: more is better.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from gpunet.benchmark.lab import optional

LEAST = 0.7  # a ratio below this is marked

# name -> (the layer, or a function of one tensor; shape of its input). Names of layers in half types begin with these.
LAYERS: dict[str, tuple[str, tuple[int, ...]]] = {
    "ResNet-50 stem 7x7, stride 2": ("nn.Conv2d(3, 64, 7, 2, 3, bias=False)", (2, 3, 224, 224)),
    "ResNet-50 1x1, 256 to 64 at 56": ("nn.Conv2d(256, 64, 1, bias=False)", (2, 256, 56, 56)),
    "ResNet-50 1x1, 64 to 256 at 56": ("nn.Conv2d(64, 256, 1, bias=False)", (2, 64, 56, 56)),
    "ResNet-50 3x3, 64 at 56": ("nn.Conv2d(64, 64, 3, 1, 1, bias=False)", (2, 64, 56, 56)),
    "ResNet-50 3x3, 128, stride 2 at 56": ("nn.Conv2d(128, 128, 3, 2, 1, bias=False)", (2, 128, 56, 56)),
    "ResNet-50 3x3, 128 at 28": ("nn.Conv2d(128, 128, 3, 1, 1, bias=False)", (2, 128, 28, 28)),
    "ResNet-50 1x1, 1024 to 256 at 14": ("nn.Conv2d(1024, 256, 1, bias=False)", (2, 1024, 14, 14)),
    "ResNet-50 3x3, 256 at 14": ("nn.Conv2d(256, 256, 3, 1, 1, bias=False)", (2, 256, 14, 14)),
    "ResNet-50 1x1, 2048 to 512 at 7": ("nn.Conv2d(2048, 512, 1, bias=False)", (2, 2048, 7, 7)),
    "ResNet-50 3x3, 512 at 7": ("nn.Conv2d(512, 512, 3, 1, 1, bias=False)", (2, 512, 7, 7)),
    "MobileNet 3x3, 3 to 32, stride 2": ("nn.Conv2d(3, 32, 3, 2, 1, bias=False)", (2, 3, 224, 224)),
    "MobileNet depthwise 32 at 112": ("nn.Conv2d(32, 32, 3, 1, 1, groups=32, bias=False)", (2, 32, 112, 112)),
    "MobileNet depthwise 96, stride 2": ("nn.Conv2d(96, 96, 3, 2, 1, groups=96, bias=False)", (2, 96, 112, 112)),
    "MobileNet depthwise 384 at 14": ("nn.Conv2d(384, 384, 3, 1, 1, groups=384, bias=False)", (2, 384, 14, 14)),
    "MobileNet 1x1, 24 to 144 at 56": ("nn.Conv2d(24, 144, 1, bias=False)", (2, 24, 56, 56)),
    "MobileNet 1x1, 96 to 24 at 56": ("nn.Conv2d(96, 24, 1, bias=False)", (2, 96, 56, 56)),
    "transposed 4x4, 128 to 64 at 16": ("nn.ConvTranspose2d(128, 64, 4, 2, 1, bias=False)", (4, 128, 16, 16)),
    "BatchNorm 64 at 56": ("nn.BatchNorm2d(64)", (2, 64, 56, 56)),
    "BatchNorm 64 at 56, evaluation": ("nn.BatchNorm2d(64).eval()", (2, 64, 56, 56)),
    "GroupNorm 32 of 128 at 28": ("nn.GroupNorm(32, 128)", (2, 128, 28, 28)),
    "max pool 2 at 56": ("nn.MaxPool2d(2)", (2, 64, 56, 56)),
    "max pool 3, stride 2 at 112": ("nn.MaxPool2d(3, 2, 1)", (2, 64, 112, 112)),
    "max pool 3-d, 2 at 16": ("nn.MaxPool3d(2)", (2, 16, 16, 16, 16)),
    "average pool 2 at 56": ("nn.AvgPool2d(2)", (2, 64, 56, 56)),
    "global average pool at 7": ("nn.AdaptiveAvgPool2d(1)", (8, 512, 7, 7)),
    "LayerNorm 8 x 32": ("nn.LayerNorm(32)", (8, 32)),
    "LayerNorm 2048 x 128": ("nn.LayerNorm(128)", (2048, 128)),
    "LayerNorm 512 x 768": ("nn.LayerNorm(768)", (512, 768)),
    "RMSNorm 512 x 768": ("nn.RMSNorm(768)", (512, 768)),
    "softmax 8 x 10": ("nn.Softmax(-1)", (8, 10)),
    "softmax 2048 x 128": ("nn.Softmax(-1)", (2048, 128)),
    "log_softmax 128 x 10000": ("nn.LogSoftmax(-1)", (128, 10000)),
    "attention 8 heads, 128 x 64, causal": ("attend(True)", (2, 8, 128, 64)),
    "attention 8 heads, 512 x 64": ("attend(False)", (1, 8, 512, 64)),
    "LSTM 28 to 128, batch 64, 28 steps": ("first(nn.LSTM(28, 128))", (28, 64, 28)),
    "LSTM 256, batch 16, 50 steps": ("first(nn.LSTM(256, 256))", (50, 16, 256)),
    "LSTM 512, batch 1, 20 steps": ("first(nn.LSTM(512, 512))", (20, 1, 512)),
    "GRU 128, batch 32, 50 steps": ("first(nn.GRU(128, 128))", (50, 32, 128)),
    "Linear 512 x 768 to 3072": ("nn.Linear(768, 3072)", (512, 768)),
    "Linear 1 x 512 to 512": ("nn.Linear(512, 512)", (1, 512)),
    "GELU 512 x 3072": ("nn.GELU()", (512, 3072)),
    "SiLU 512 x 3072": ("nn.SiLU()", (512, 3072)),
    "ReLU 512 x 3072": ("nn.ReLU()", (512, 3072)),
    "Dropout 512 x 768": ("nn.Dropout(0.1)", (512, 768)),
    "bfloat16 Linear 512 x 768 to 3072": ("nn.Linear(768, 3072)", (512, 768)),
    "bfloat16 Linear 1 x 4096 to 4096": ("nn.Linear(4096, 4096)", (1, 4096)),
    "bfloat16 3x3, 128 at 28": ("nn.Conv2d(128, 128, 3, 1, 1, bias=False)", (2, 128, 28, 28)),
    "bfloat16 BatchNorm 64 at 56": ("nn.BatchNorm2d(64)", (2, 64, 56, 56)),
    "bfloat16 LayerNorm 2048 x 128": ("nn.LayerNorm(128)", (2048, 128)),
    "bfloat16 GELU 512 x 3072": ("nn.GELU()", (512, 3072)),
    "bfloat16 softmax 2048 x 128": ("nn.Softmax(-1)", (2048, 128)),
    "bfloat16 attention 8 heads, 512 x 64": ("attend(False)", (1, 8, 512, 64)),
    "float16 LayerNorm 2048 x 128": ("nn.LayerNorm(128)", (2048, 128)),
    "float16 GELU 512 x 3072": ("nn.GELU()", (512, 3072)),
}


def _passes(library: Any, expression: str, x: np.ndarray, dtype: str) -> tuple[Callable[[], Any], Callable[[], Any]]:
    """(Forward, forward and backward) of a layer."""
    functional = library.nn.functional

    def attend(causal):
        return lambda x: functional.scaled_dot_product_attention(x, x, x, is_causal=causal)

    def first(network):
        parameters = list(network.parameters())
        call = lambda x: network(x)[0]  # noqa: E731
        call.parameters = lambda: parameters
        return call

    layer = eval(expression, {"nn": library.nn, "attend": attend, "first": first})
    kind = getattr(library, dtype)
    layer = layer.to(kind) if hasattr(layer, "to") else layer
    parameters = list(layer.parameters()) if hasattr(layer, "parameters") else []
    given = library.tensor(x).to(kind).requires_grad_()
    y = layer(given)
    g = library.tensor(np.random.default_rng(1).standard_normal(tuple(y.shape))).to(kind)

    def forward():
        with library.no_grad():
            layer(given)

    def both():
        for each in (given, *parameters):
            each.grad = None
        layer(given).backward(g)

    return forward, both


def _time(function: Callable[[], Any], calls: int) -> float:
    before = time.thread_time()
    for _ in range(calls):
        function()
    return (time.thread_time() - before) / calls


def measure(name: str, rounds: int, seconds: float = 0.02) -> dict:
    """{"name", "forward": (gpunet's seconds, PyTorch's, ratio), "both": the same of forward and backward}; without
    PyTorch, gpunet's seconds alone."""
    import gpunet

    torch = optional("torch")
    expression, shape = LAYERS[name]
    x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    found: dict[str, Any] = {"name": name}
    dtype = name.split()[0] if "float16" in name else "float32"
    passes = [_passes(library, expression, x, dtype) for library in (gpunet, torch) if library is not None]
    for kind, *functions in zip(("forward", "both"), *passes, strict=True):
        calls = []
        for function in functions:
            function()
            calls.append(max(1, round(seconds / max(_time(function, 1), 1e-6))))
        samples = [[_time(*each) for each in zip(functions, calls, strict=True)] for _ in range(rounds)]
        found[kind] = [statistics.median(times) for times in zip(*samples, strict=True)]
        if torch is not None:
            found[kind].append(statistics.median(b / a for a, b in samples))
    return found


def sweep(words: list[str], rounds: int, quick: bool = False) -> Iterator[dict]:
    """The measured layers whose names have one of the words; all without words. quick: two that are small."""
    import gpunet
    import gpunet.native

    gpunet.native.wait()
    before = gpunet.get_num_threads()
    gpunet.set_num_threads(1)
    if (torch := optional("torch")) is not None:
        torch.set_num_threads(1)
    words = ["8 x"] if quick else words
    for name in LAYERS:
        if not words or any(word.lower() in name.lower() for word in words):
            yield measure(name, *((1, 1e-4) if quick else (rounds,)))
    gpunet.set_num_threads(before)


def show(found: dict) -> str:
    """A layer's line: milliseconds, and PyTorch's time over ours; what is below 0.7 has a mark."""
    cells = []
    for kind in ("forward", "both"):
        own, *rest = found[kind]
        cells.append(f"{own * 1e3:9.3f}")
        if rest:
            other, ratio = rest
            cells[-1] += f" {other * 1e3:9.3f} {ratio:6.2f}{'*' if ratio < LEAST else ' '}"
    return f"{found['name']:38}" + "  ".join(cells)
