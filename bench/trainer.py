"""The Trainer's step beside the same loop written by hand: an epoch over a DataLoader, with loss and accuracy kept on
the device, by both in turn.

    python -m bench.trainer [--device cpu|sim|cuda] [--threads N] [--out FILE.json]

That both end with the same weights, bit for bit, is checked first.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict

import numpy as np

import gpunet
from bench.measure import Result, Work, interleave
from gpunet import nn, optim
from gpunet.data import DataLoader, TensorDataset
from gpunet.train import Trainer

CASES = {  # inputs, model, compiled
    "MLP 784-256-128-10": ((784,), lambda: nn.Sequential(
        nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 128), nn.ReLU(), nn.Linear(128, 10)), False),
    "the same, compiled": ((784,), lambda: nn.Sequential(
        nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 128), nn.ReLU(), nn.Linear(128, 10)), True),
    "CNN, 28 x 28": ((1, 28, 28), lambda: nn.Sequential(
        nn.Conv2d(1, 8, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 16, 3), nn.ReLU(), nn.Flatten(),
        nn.Linear(16 * 11 * 11, 10)), False),
}
BATCH = 64


def competitors(name: str, device: str, batches: int) -> tuple[dict[str, Callable[[], object]], dict[str, nn.Module]]:
    """An epoch by each, and their models."""
    shape, make, compiled = CASES[name]
    rng = np.random.default_rng(0)
    data = TensorDataset(gpunet.tensor(rng.standard_normal((BATCH * batches, *shape)).astype(np.float32)),
                         gpunet.tensor(rng.integers(0, 10, BATCH * batches)))
    models = {}
    for owner in ("by hand", "Trainer"):
        gpunet.manual_seed(0)
        models[owner] = make().to(device)

    def loader():
        return DataLoader(data, BATCH, shuffle=True, generator=gpunet.Generator().manual_seed(1))

    model, order = models["by hand"], loader()
    optimizer = optim.Adam(model.parameters(), lr=1e-3)
    total, right = gpunet.zeros((), device=device), gpunet.zeros((), dtype=gpunet.int64, device=device)

    def step(x, y):
        optimizer.zero_grad()
        output = model(x)
        loss = nn.functional.cross_entropy(output, y)
        loss.backward()
        optimizer.step()
        total.add_(loss.detach() * len(y))
        right.add_((output.detach().argmax(1) == y).sum())

    recorded = gpunet.compile(step) if compiled else step

    def by_hand():
        model.train()
        total.zero_()
        right.zero_()
        for x, y in order:
            recorded(x.to(device), y.to(device))
        return total.item() / len(data), right.item() / len(data)

    trained = models["Trainer"]
    trainer = Trainer(trained, nn.functional.cross_entropy, optim.Adam(trained.parameters(), lr=1e-3), "accuracy",
                      device, compile=compiled)
    own_order = loader()
    return {"by hand": by_hand, "Trainer": lambda: trainer.fit(own_order, epochs=len(trainer.history) + 1)}, models


def compare(name: str, device: str = "cpu", batches: int = 150, rounds: int = 15, seconds: float = 20.0) -> Result:
    """Seconds of a step. Raises RuntimeError if the two do not train alike."""
    epochs, models = competitors(name, device, batches)
    for epoch in epochs.values():
        epoch()
    ours, theirs = (models[owner].state_dict() for owner in ("Trainer", "by hand"))
    if any(not bool((ours[key] == theirs[key]).all()) for key in ours):
        raise RuntimeError(f"{name}: the Trainer's weights are not those of the loop by hand")
    works = {owner: Work(epoch, calls=batches) for owner, epoch in epochs.items()}
    return Result("trainer", f"{name}, batches of {BATCH}", interleave(works, rounds=rounds, seconds=seconds))


def run(options, emit) -> None:
    """The stage of bench.gpu."""
    gpunet.set_num_threads(options.threads)
    for name in CASES:
        if options.quick:
            emit(asdict(compare(name, options.device, 3, 2)))
        else:
            emit(asdict(compare(name, options.device)))


def main() -> None:
    from bench.stages import command

    command("trainer", __doc__)


if __name__ == "__main__":
    main()
