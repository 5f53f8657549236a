"""What a training step of five networks, and a forward pass of two in evaluation, ask of the driver, as a table.

    python -m tests.cuda_host -m tests.cuda_host.inside.steps          prints it
    python -m tests.cuda_host -m tests.cuda_host.inside.steps --write  writes it to steps.txt, beside this file
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import gpunet
from tests.cuda_host.inside.counting import counted, counts
from tests.networks.training_steps import NETWORKS, forward_pass, training_step

FILE = Path(__file__).with_name("steps.txt")
COLUMNS = ["launches", "library calls", "to host", "to device", "on device", "memsets", "synchronizations"]
HEAD = """\
# What one training step (zero_grad, forward, backward, step) asks of the driver on the device cuda, after two steps of
# warming up; of networks in evaluation, a forward pass without gradients. CuPy without CUB. "graph": how many launches,
# copies and memsets the CUDA graph has that gpunet.compile makes of it, or the first op that prevents one.
# Written by: python -m tests.cuda_host -m tests.cuda_host.inside.steps --write
"""


EVALUATED = ("resnet18", "gpt")
ROWS = [*NETWORKS, *(f"{name} evaluated" for name in EVALUATED)]


def row(name: str) -> list[str]:
    network, _, evaluated = name.partition(" ")
    step = (forward_pass if evaluated else training_step)(network, "cuda")
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
    before = counts()["graph nodes"]
    compiled()
    graph = said[0].removeprefix("gpunet.compile: ").partition(" cannot")[0] if said else str(
        counts()["graph nodes"] - before)
    return [name, *(str(found.get(column, 0)) for column in COLUMNS), graph]


def table(rows: list[list[str]]) -> str:
    rows = [["network", *COLUMNS, "graph"], *rows]
    widths = [max(len(cells[i]) for cells in rows) for i in range(len(rows[0]))]
    return HEAD + "".join("  ".join(cell.rjust(width) for cell, width in zip(cells, widths, strict=True)) + "\n"
                          for cells in rows)


if __name__ == "__main__":
    text = table([row(name) for name in ROWS])
    if "--write" in sys.argv:
        FILE.write_text(text)
    print(text, end="")
