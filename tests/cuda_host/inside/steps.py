"""What a training step of five networks asks of the driver, as a table.

    python -m tests.cuda_host -m tests.cuda_host.inside.steps          prints it
    python -m tests.cuda_host -m tests.cuda_host.inside.steps --write  writes it to steps.txt, beside this file
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import numpy as np

import gpunet
import gpunet.nn.functional as F
from gpunet import nn, optim
from tests.cuda_host.inside.counting import NAMES, counted
from tests.networks.test_scripts import SCRIPTS, load

FILE = Path(__file__).with_name("steps.txt")
COLUMNS = [name for name in NAMES if name not in ("allocations", "graphs")]
HEAD = """\
# What one training step (zero_grad, forward, backward, step) asks of the driver on the device cuda, after two steps of
# warming up; CuPy without CUB. "graph": gpunet.compile makes one CUDA graph of it, or the first op that prevents it.
# Written by: python -m tests.cuda_host -m tests.cuda_host.inside.steps --write
"""


def _script(name):
    return load(next(path for path in SCRIPTS if path.stem == name), "gpunet")


def _given(*arrays):
    return [gpunet.tensor(array, device="cuda") for array in arrays]


def mlp(rng):
    model = nn.Sequential(nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 128), nn.ReLU(), nn.Linear(128, 10)).to("cuda")
    x, y = _given(rng.standard_normal((64, 784)).astype("f4"), rng.integers(0, 10, 64))
    return optim.Adam(model.parameters()), lambda: F.cross_entropy(model(x), y)


def lenet(rng):
    model = _script("lenet").build().to("cuda")
    x, y = _given(rng.standard_normal((64, 1, 28, 28)).astype("f4"), rng.integers(0, 10, 64))
    return optim.SGD(model.parameters(), lr=0.05, momentum=0.9), lambda: F.cross_entropy(model(x), y)


def resnet18(rng):
    model = _script("resnet18").ResNet18().to("cuda")
    x, y = _given(rng.standard_normal((8, 3, 32, 32)).astype("f4"), rng.integers(0, 10, 8))
    optimizer = optim.SGD(model.parameters(), lr=0.02, momentum=0.9, weight_decay=5e-4)
    return optimizer, lambda: F.cross_entropy(model(x), y)


def gpt(rng):
    model = _script("gpt").build().to("cuda")
    x, y = _given(rng.integers(0, 65, (4, 16)), rng.integers(0, 65, (4, 16)))
    return optim.AdamW(model.parameters()), lambda: model(x, y)[1]


def lstm(rng):
    model = _script("lstm_language_model").build().to("cuda")
    x, y = _given(rng.integers(0, 50, (12, 6)), rng.integers(0, 50, (12, 6)))
    hidden = tuple(h.to("cuda") for h in model.init_hidden(6))
    return optim.Adam(model.parameters()), lambda: F.nll_loss(model(x, hidden)[0], y.reshape(-1))


NETWORKS = {function.__name__: function for function in (mlp, lenet, resnet18, gpt, lstm)}


def training_step(name: str):
    """A step of a network, as a function without arguments."""
    optimizer, loss_of = NETWORKS[name](np.random.default_rng(0))

    def step():
        optimizer.zero_grad()
        loss = loss_of()
        loss.backward()
        optimizer.step()
        return loss

    return step


def row(name: str) -> list[str]:
    step = training_step(name)
    step()
    step()
    found = counted(step)
    compiled = gpunet.compile(step)
    compiled()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        gpunet.devices.get("cuda")._uncaptured.clear()  # said once, but the table asks for each network
        compiled()
    said = [str(warning.message) for warning in caught if "CUDA graph" in str(warning.message)]
    graph = said[0].removeprefix("gpunet.compile: ").partition(" cannot")[0] if said else "yes"
    return [name, *(str(found.get(column, 0)) for column in COLUMNS), graph]


def table(rows: list[list[str]]) -> str:
    rows = [["network", *COLUMNS, "graph"], *rows]
    widths = [max(len(cells[i]) for cells in rows) for i in range(len(rows[0]))]
    return HEAD + "".join("  ".join(cell.rjust(width) for cell, width in zip(cells, widths, strict=True)) + "\n"
                          for cells in rows)


if __name__ == "__main__":
    text = table([row(name) for name in NETWORKS])
    if "--write" in sys.argv:
        FILE.write_text(text)
    print(text, end="")
