"""The training steps of workloads.py in JAX: pure functions of the same weights, compiled by jax.jit as one program.

Batch normalisation does not keep running statistics here, which is a little less work.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

if os.environ.get("GPUNET_NUM_THREADS") == "1":  # before JAX is there
    os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"

import jax
import jax.numpy as jnp
from jax import lax

from bench.workloads import LR, WORKLOADS, initialize

BETA1, BETA2, EPS = 0.9, 0.999, 1e-8  # of Adam


def _linear(p, name, x):
    return x @ p[f"{name}.weight"].T + p[f"{name}.bias"]


def _conv(x, weight, bias=None, stride=1, padding=0):
    y = lax.conv_general_dilated(x, weight, (stride, stride), [(padding, padding)] * 2,
                                 dimension_numbers=("NCHW", "OIHW", "NCHW"))
    return y if bias is None else y + bias[:, None, None]


def _norm(x, weight, bias, axes, eps=1e-5):
    centre = x.mean(axes, keepdims=True)
    spread = jnp.square(x - centre).mean(axes, keepdims=True)
    return (x - centre) * lax.rsqrt(spread + eps) * weight + bias


def _mlp(p, x):
    x = jax.nn.relu(_linear(p, "0", x))
    x = jax.nn.relu(_linear(p, "2", x))
    return _linear(p, "4", x)


def _cnn(p, x):
    x = jax.nn.relu(_conv(x, p["0.weight"], p["0.bias"]))
    x = jax.nn.relu(_conv(x, p["2.weight"], p["2.bias"]))
    x = lax.reduce_window(x, -jnp.inf, lax.max, (1, 1, 2, 2), (1, 1, 2, 2), "VALID")
    return _linear(p, "8", jax.nn.relu(_linear(p, "6", x.reshape(len(x), -1))))


def _resnet(p, x):
    def norm(name, x):
        return _norm(x, p[f"{name}.weight"][:, None, None], p[f"{name}.bias"][:, None, None], (0, 2, 3))

    x = jax.nn.relu(norm("1", _conv(x, p["0.weight"], padding=1)))
    for block in range(3, 9):
        short = f"{block}.shortcut.0.weight"
        stride = 2 if block in (5, 7) else 1
        y = jax.nn.relu(norm(f"{block}.bn1", _conv(x, p[f"{block}.conv1.weight"], None, stride, 1)))
        y = norm(f"{block}.bn2", _conv(y, p[f"{block}.conv2.weight"], padding=1))
        if short in p:
            x = norm(f"{block}.shortcut.1", _conv(x, p[short], None, stride))
        x = jax.nn.relu(y + x)
    return _linear(p, "11", x.mean((2, 3)))


def _lstm(p, x):
    weight, bias = p["lstm.weight_hh_l0"], p["lstm.bias_hh_l0"]
    gates = x.transpose(1, 0, 2) @ p["lstm.weight_ih_l0"].T + p["lstm.bias_ih_l0"]

    def step(state, gate):
        h, c = state
        i, f, g, o = jnp.split(gate + h @ weight.T + bias, 4, -1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        h = jax.nn.sigmoid(o) * jnp.tanh(c)
        return (h, c), None

    zeros = jnp.zeros((len(x), weight.shape[1]), x.dtype)
    (h, _), _ = lax.scan(step, (zeros, zeros), gates)
    return _linear(p, "linear", h)


def _gpt(p, x):
    heads = 4
    x = p["tokens.weight"][x] + p["positions.weight"][: x.shape[1]]
    batch, steps, width = x.shape

    def norm(name, x):
        return _norm(x, p[f"{name}.weight"], p[f"{name}.bias"], -1)

    for block in (f"blocks.{i}" for i in range(4)):
        q, k, v = _linear(p, f"{block}.qkv", norm(f"{block}.norm1", x)).reshape(
            batch, steps, 3, heads, width // heads).transpose(2, 0, 3, 1, 4)
        scores = q @ k.swapaxes(-1, -2) / (width // heads) ** 0.5
        scores = jnp.where(jnp.tril(jnp.ones((steps, steps), bool)), scores, -jnp.inf)
        y = (jax.nn.softmax(scores) @ v).transpose(0, 2, 1, 3).reshape(batch, steps, width)
        x = x + _linear(p, f"{block}.proj", y)
        y = jax.nn.gelu(_linear(p, f"{block}.up", norm(f"{block}.norm2", x)), approximate=False)
        x = x + _linear(p, f"{block}.down", y)
    logits = _linear(p, "head", norm("norm", x))
    return logits.reshape(-1, logits.shape[-1])


NETWORKS: dict[str, Callable[..., Any]] = {
    "MLP, batch 64": _mlp, "MLP, batch 512": _mlp, "CNN": _cnn, "ResNet": _resnet, "LSTM": _lstm, "GPT": _gpt}


def start(name: str) -> Callable[[], Any]:
    """A workload's training step, as `start` of workloads.py gives it: it returns the loss."""
    import gpunet

    model, x, y = WORKLOADS[name](gpunet)
    initialize(gpunet, model)
    trained = {key for key, _ in model.named_parameters()}
    weights = {key: jnp.asarray(value.numpy()) for key, value in model.state_dict().items() if key in trained}
    network = NETWORKS[name]
    x, y = jnp.asarray(x), jnp.asarray(y)

    def loss(weights):
        logs = jax.nn.log_softmax(network(weights, x))
        return -jnp.take_along_axis(logs, y[:, None], 1).mean()

    def update(state):
        weights, first, second, count = state
        value, gradients = jax.value_and_grad(loss)(weights)
        count = count + 1
        mean = jax.tree.map(lambda m, g: BETA1 * m + (1 - BETA1) * g, first, gradients)
        square = jax.tree.map(lambda v, g: BETA2 * v + (1 - BETA2) * g * g, second, gradients)
        rate, root = LR / (1 - BETA1**count), jnp.sqrt(1 - BETA2**count)
        weights = jax.tree.map(lambda w, m, v: w - rate * m / (jnp.sqrt(v) / root + EPS), weights, mean, square)
        return value, (weights, mean, square, count)

    compiled = jax.jit(update, donate_argnums=0)
    state = [(weights, jax.tree.map(jnp.zeros_like, weights), jax.tree.map(jnp.zeros_like, weights), jnp.float32(0))]

    def step():
        value, state[0] = compiled(state[0])
        return value.block_until_ready()

    return step
