"""The training steps that bench.cpu measures, written once for gpunet and PyTorch: their names are the same.

A workload is a function of the library (`gpunet` or `torch`) that gives a model and its input and labels as arrays. The
weights are drawn by NumPy, so that all libraries start from the same.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from typing import Any

import numpy as np

LR = 1e-3


def mlp(batch: int, sizes=(784, 256, 128, 10)) -> Callable[[Any], tuple]:
    """Linear layers with ReLUs between them."""

    def make(library):
        nn = library.nn
        layers = []
        for inputs, outputs in zip(sizes[:-1], sizes[1:], strict=True):
            layers += [nn.Linear(inputs, outputs), nn.ReLU()]
        return nn.Sequential(*layers[:-1]), *_images(batch, (sizes[0],), sizes[-1])

    return make


def cnn(library) -> tuple:
    """Two convolutions, a pool and two linear layers on 64 images of 28 x 28."""
    nn = library.nn
    model = nn.Sequential(nn.Conv2d(1, 32, 3), nn.ReLU(), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2),
                          nn.Flatten(), nn.Linear(64 * 12 * 12, 128), nn.ReLU(), nn.Linear(128, 10))
    return model, *_images(64, (1, 28, 28), 10)


def resnet(library) -> tuple:
    """A ResNet of 16, 32 and 64 channels with two blocks each, on 32 images of 32 x 32."""
    nn = library.nn

    class Block(nn.Module):
        def __init__(self, inputs, outputs, stride):
            super().__init__()
            self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
            self.bn1 = nn.BatchNorm2d(outputs)
            self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
            self.bn2 = nn.BatchNorm2d(outputs)
            self.relu = nn.ReLU()
            self.shortcut = nn.Sequential()
            if stride != 1 or inputs != outputs:
                self.shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False),
                                              nn.BatchNorm2d(outputs))

        def forward(self, x):
            y = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
            return self.relu(y + self.shortcut(x))

    model = nn.Sequential(nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU(),
                          Block(16, 16, 1), Block(16, 16, 1), Block(16, 32, 2), Block(32, 32, 1), Block(32, 64, 2),
                          Block(64, 64, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))
    return model, *_images(32, (3, 32, 32), 10)


def lstm(library) -> tuple:
    """An LSTM over the 28 rows of 64 images, and a linear layer on its last output."""
    nn = library.nn

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.lstm = nn.LSTM(28, 128, batch_first=True)
            self.linear = nn.Linear(128, 10)

        def forward(self, x):
            y, _ = self.lstm(x)
            return self.linear(y[:, -1])

    return Model(), *_images(64, (28, 28), 10)


def gpt(library) -> tuple:
    """A GPT of 4 layers and width 128, on 16 texts of 128 tokens."""
    nn, functional = library.nn, library.nn.functional
    width, heads, length, vocabulary = 128, 4, 128, 65

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
            self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
            self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

        def forward(self, x):
            batch, steps, _ = x.shape
            q, k, v = self.qkv(self.norm1(x)).reshape(batch, steps, 3, heads, width // heads).permute(2, 0, 3, 1, 4)
            y = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
            x = x + self.proj(y.transpose(1, 2).reshape(batch, steps, width))
            return x + self.down(functional.gelu(self.up(self.norm2(x))))

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.tokens, self.positions = nn.Embedding(vocabulary, width), nn.Embedding(length, width)
            self.blocks = nn.Sequential(*[Block() for _ in range(4)])
            self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, vocabulary)
            self.register_buffer("places", library.arange(length), persistent=False)

        def forward(self, x):
            x = self.tokens(x) + self.positions(self.places)
            return self.head(self.norm(self.blocks(x))).reshape(-1, vocabulary)

    rng = np.random.default_rng(0)
    x, y = rng.integers(0, vocabulary, (2, 16, length))
    return Model(), x, y.reshape(-1)


WORKLOADS: dict[str, Callable[[Any], tuple]] = {
    "MLP, batch 64": mlp(64),
    "MLP, batch 512": mlp(512),
    "CNN": cnn,
    "ResNet": resnet,
    "LSTM": lstm,
    "GPT": gpt,
    "ResNet, bfloat16": resnet,
    "GPT, bfloat16": gpt,
}


def is_mixed(name: str) -> bool:
    """Whether a workload computes under autocast to bfloat16."""
    return name.endswith("bfloat16")


def _images(batch, shape, classes) -> tuple:
    rng = np.random.default_rng(batch)
    return rng.standard_normal((batch, *shape)).astype(np.float32), rng.integers(0, classes, batch)


def initialize(library, model) -> None:
    """Gives a model the weights with which all libraries start."""
    rng = np.random.default_rng(1)
    state = model.state_dict()
    for key, value in state.items():
        if len(value.shape) > 1:  # biases, and what normalization holds, are constants at first
            bound = 1 / math.sqrt(math.prod(value.shape[1:]))
            state[key] = library.tensor(rng.uniform(-bound, bound, tuple(value.shape)).astype(np.float32))
        elif key.endswith("bias") or "bias_" in key:
            state[key] = library.zeros(tuple(value.shape))
    model.load_state_dict(state)


def start(library, name: str, **options) -> Callable[[], Any]:
    """A workload's training step, ready to be called: forward, cross-entropy, backward, Adam. It returns the loss."""
    autocast = partial(library.autocast, "cpu", library.bfloat16) if is_mixed(name) else nullcontext
    model, x, y = WORKLOADS[name](library)
    initialize(library, model)
    optimizer = library.optim.Adam(model.parameters(), lr=LR, **options)
    cross_entropy = library.nn.functional.cross_entropy
    x, y = library.tensor(x), library.tensor(y)

    def step():
        optimizer.zero_grad()
        with autocast():
            loss = cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    step.__dict__["model"] = model
    return step
