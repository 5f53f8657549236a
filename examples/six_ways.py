"""One network, six ways to write it: from raw operations to Keras, eager and compiled, with the same losses.

Each gets the same initial weights and the same data. Module and Sequential, eager and compiled, do the same operations,
so their losses agree bit for bit; raw operations and Keras round in other places.

    python examples/six_ways.py
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from frame import digits, run, save

import gpunet
import gpunet.nn.functional as F
from gpunet import keras, nn, optim

LEARNING_RATE = 0.2


def raw_operations(weights, x, y, steps):
    """Tensors, their gradients, and the update by hand."""
    w1, b1, w2, b2 = tensors = [each.clone().requires_grad_() for each in weights]
    for _ in range(steps):
        loss = F.cross_entropy((x @ w1.T + b1).relu() @ w2.T + b2, y)
        gradients = gpunet.autograd.grad(loss, tensors)
        with gpunet.no_grad():
            for tensor, gradient in zip(tensors, gradients, strict=True):
                tensor -= LEARNING_RATE * gradient
        yield loss


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden, self.output = nn.Linear(64, 32), nn.Linear(32, 10)

    def forward(self, x):
        return self.output(self.hidden(x).relu())


def sequential():
    return nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))


def loop(model, weights, x, y, steps, decorate=lambda step: step):
    """The usual loop. Decorated with gpunet.compile the step is a static graph: recorded once, then replayed."""
    model = model.to(x.device)
    nn.utils.vector_to_parameters(gpunet.cat([each.flatten() for each in weights]), model.parameters())
    optimizer = optim.SGD(model.parameters(), lr=LEARNING_RATE)

    @decorate
    def step(x, y):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    for _ in range(steps):
        yield step(x, y)


def with_keras(weights, x, y, steps):
    with x.device:
        model = keras.Sequential([keras.Input(shape=(64,)), keras.layers.Dense(32, activation="relu"),
                                  keras.layers.Dense(10)])
    model.compile(keras.optimizers.SGD(LEARNING_RATE), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    w1, b1, w2, b2 = (each.numpy(force=True) for each in weights)
    model.set_weights([w1.T, b1, w2.T, b2])
    fitted = model.fit(x.numpy(force=True), y.numpy(force=True), epochs=steps, batch_size=len(x), verbose=0)
    return fitted.history["loss"]


def main(device="cpu", quick=False, out=Path(".")):
    gpunet.manual_seed(0)
    images, labels, _, _ = digits(device)
    x, y, steps = images[:1024].flatten(1), labels[:1024], 20 if quick else 200
    weights = [each.detach().clone() for each in sequential().to(device).parameters()]
    ways = {
        "raw operations": raw_operations(weights, x, y, steps),
        "Module": loop(Network(), weights, x, y, steps),
        "Module, compiled": loop(Network(), weights, x, y, steps, gpunet.compile),
        "Sequential": loop(sequential(), weights, x, y, steps),
        "Sequential, compiled": loop(sequential(), weights, x, y, steps, gpunet.compile),
        "Keras": with_keras(weights, x, y, steps),
    }
    losses = {name: np.array([float(loss) for loss in way]) for name, way in ways.items()}

    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.4))
    for number, (name, curve) in enumerate(losses.items()):
        left.plot(curve, label=name, linewidth=9 - 1.4 * number, alpha=0.8)
        right.plot(abs(curve - losses["Module"]), label=name)
    left.set(title="Loss by step, six times")
    left.legend()
    right.set(title="Difference from the Module's loss")
    right.ticklabel_format(style="sci", scilimits=(0, 0), axis="y")
    save(figure, out / "six_ways.png")
    return {"last_loss": losses["Module"][-1],
            "ways_that_agree_bit_for_bit": sum((curve == losses["Module"]).all() for curve in losses.values()),
            "largest_difference": max(abs(curve - losses["Module"]).max() for curve in losses.values())}


if __name__ == "__main__":
    run(main)
